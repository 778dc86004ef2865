-- A company's own statuses, the roles of steps, and its own triggers beside ours.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring, mesflow.upload_model('later', 'later.stl') AS later \gset
SELECT jsonb_build_array(test.item(:'ring')) AS one \gset

-- Sent back by the customer: two INSERTs, and it is there, at once, for this session, whose steps have been read before.
SELECT test.submit('returned', :'one');
SELECT test.advance('returned', 'approved', 'in_production', 'produced', 'packed', 'shipped', 'delivered');
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'returned')$$, test.id('returned')));
INSERT INTO mesflow.order_statuses (status, position, label) VALUES ('returned', 105, 'Returned');
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'returned')$$, test.id('returned')));
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('delivered', 'returned'), ('returned', 'closed'), ('returned', 'in_production');
SELECT test.advance('returned', 'returned', 'in_production', 'produced', 'packed', 'shipped', 'delivered', 'returned', 'closed');
SELECT seq, type, "from", "to" FROM test.events WHERE name = 'returned' AND ("from" = 'returned' OR "to" = 'returned');
-- Between priced and approved.
INSERT INTO mesflow.order_statuses (status, position, owner_system, label) VALUES ('awaiting_payment', 45, 'shop', 'Awaiting payment');
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('priced', 'awaiting_payment'), ('awaiting_payment', 'approved'), ('awaiting_payment', 'cancelled');
SELECT test.submit('paid', :'one'), test.submit('not paid', :'one');
SELECT test.advance('paid', 'awaiting_payment', 'approved'), test.advance('not paid', 'awaiting_payment');
SELECT name, status, due FROM test.told WHERE name ~ 'paid';
SELECT test.answer(format('SELECT mesflow.change_order(%L, %L)', test.id('not paid'), jsonb_build_array(test.item(:'ring', 2)))) AS items_settled;
-- Paid too late: the prices of today, in the same status.
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE id IN (SELECT quote FROM mesflow.order_items WHERE order_id = test.id('not paid'));
SELECT mesflow._sum_order(test.id('not paid'), NULL, NULL, NULL, false, true);
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'approved')$$, test.id('not paid'))) AS prices_expired;
SELECT mesflow.requote_order(test.id('not paid'));
SELECT name, status, total FROM test.told WHERE name = 'not paid';
SELECT mesflow.cancel_order(test.id('not paid'), 'never paid');
-- In the sessions of others, at once, too. A change that is undone has not happened.
BEGIN;
DELETE FROM mesflow.order_transitions WHERE to_status = 'awaiting_payment';
SELECT test.submit('undone', :'one');
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'awaiting_payment')$$, test.id('undone')));
ROLLBACK;
SELECT test.submit('undone', :'one');
BEGIN;
SAVEPOINT before;
DELETE FROM mesflow.order_transitions WHERE to_status = 'awaiting_payment';
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'awaiting_payment')$$, test.id('undone')));
ROLLBACK TO before;
SELECT test.advance('undone', 'awaiting_payment');
COMMIT;
\c -
SET search_path = public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT test.submit('elsewhere', :'one');
SELECT test.advance('elsewhere', 'awaiting_payment', 'approved');
-- One that holds.
INSERT INTO mesflow.order_statuses (status, position, label, hold) VALUES ('claimed', 106, 'Claim open', true);
INSERT INTO mesflow.order_transitions (from_status, to_status) SELECT s, 'claimed' FROM unnest('{shipped,delivered}'::text[]) s UNION ALL SELECT 'claimed', s FROM unnest('{shipped,delivered}'::text[]) s;
SELECT test.advance('elsewhere', 'in_production', 'produced', 'packed', 'shipped', 'claimed');
SELECT held_from, test.answer(format($$SELECT mesflow.advance_order(%L, 'delivered')$$, test.id('elsewhere'))) FROM test.told WHERE name = 'elsewhere';
SELECT test.advance('elsewhere', 'shipped', 'delivered', 'claimed', 'delivered', 'closed');
-- A status that orders are in stays; names have a form; a terminal one is final.
SELECT * FROM test.refused($$DELETE FROM mesflow.order_statuses WHERE status = 'closed'$$);
SELECT test.answer(s) FROM unnest(ARRAY[$$UPDATE mesflow.order_statuses SET status = 'done' WHERE status = 'closed'$$, $$UPDATE mesflow.order_statuses SET label = 'Finished' WHERE status = 'closed'$$,
  $$INSERT INTO mesflow.order_statuses (status, position, label) VALUES ('On Hold', 1, 'x')$$, $$INSERT INTO mesflow.order_statuses (status, position, label) VALUES ('changed', 1, 'x')$$, $$INSERT INTO mesflow.order_statuses (status, position, label) VALUES (repeat('x', 51), 1, 'x')$$,
  $$INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('closed', 'nowhere')$$, $$INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('closed', 'closed')$$, $$DELETE FROM mesflow.order_statuses WHERE status = 'awaiting_payment'$$]) s;
UPDATE mesflow.order_statuses SET status = 'complaint' WHERE status = 'claimed';
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'complaint')$$, test.id('elsewhere')));

-- Who may make a step: members of its roles. Everything else as before.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_mesflow_boss, regress_mesflow_clerk, regress_mesflow_bosses;
CREATE ROLE regress_mesflow_bosses;
CREATE ROLE regress_mesflow_boss IN ROLE regress_mesflow_bosses, mesflow_operator;
CREATE ROLE regress_mesflow_clerk IN ROLE mesflow_operator;
RESET client_min_messages;
UPDATE mesflow.order_transitions SET roles = '{no_such_role,regress_mesflow_bosses}' WHERE to_status = 'approved' AND from_status = 'priced';
GRANT USAGE ON SCHEMA test TO PUBLIC;
GRANT SELECT ON test.orders, mesflow.orders TO regress_mesflow_boss, regress_mesflow_clerk;
GRANT UPDATE (status) ON mesflow.orders TO regress_mesflow_boss, regress_mesflow_clerk;
SELECT test.submit('by verb', :'one'), test.submit('by update', :'one'), test.submit('waits', jsonb_build_array(test.item(:'later')));
SET ROLE regress_mesflow_clerk;
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'approved')$$, test.id('by verb')));
SELECT test.answer(format($$UPDATE mesflow.orders SET status = 'approved' WHERE id = %L$$, test.id('by update')));
SELECT test.answer(format($$UPDATE mesflow.orders SET priority = 1 WHERE id = %L$$, test.id('by update'))) AS column_privileges;
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'priced')$$, test.id('waits'))) AS nobody_makes_this_step;
SET ROLE regress_mesflow_boss;
SELECT mesflow.advance_order(test.id('by verb'), 'approved');
UPDATE mesflow.orders SET status = 'approved' WHERE id = test.id('by update');
SET ROLE regress_mesflow_clerk;
SELECT mesflow.advance_order(test.id('by verb'), 'in_production');
UPDATE mesflow.orders SET status = 'in_production' WHERE id = test.id('by update');
RESET ROLE;
SELECT name, seq, type, actor FROM test.events WHERE name ~ '^by' AND seq > 2;
SELECT has_table_privilege('regress_mesflow_boss', 'mesflow._order_items', 'SELECT') AS reads_items, has_table_privilege('regress_mesflow_boss', 'mesflow.outbox', 'INSERT') AS writes_events;
-- What mesflow prices, it moves, whoever completes the job.
SELECT test.register('node') \g /dev/null
SELECT test.claim_all('node') > 0 AS claimed, test.complete('node', 'later.stl', test.box(10, 10, 10));
SELECT mesflow._sum_orders();
SELECT status FROM test.told WHERE name = 'waits';
UPDATE mesflow.order_transitions SET roles = NULL WHERE to_status = 'approved' AND from_status = 'priced';
REVOKE ALL ON test.orders, mesflow.orders FROM regress_mesflow_boss, regress_mesflow_clerk;
DROP ROLE regress_mesflow_boss, regress_mesflow_clerk, regress_mesflow_bosses;

-- A company's own triggers: their steps are like anybody's, and come after the one that made them.
CREATE FUNCTION test.auto_approve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mesflow.orders SET status = 'approved' WHERE id = NEW.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER auto_approve AFTER UPDATE ON mesflow.orders FOR EACH ROW WHEN (OLD.status <> 'priced' AND NEW.status = 'priced' AND NEW.total < 10) EXECUTE FUNCTION test.auto_approve();
CREATE TRIGGER auto_approve_new AFTER INSERT ON mesflow.orders FOR EACH ROW WHEN (NEW.status = 'priced' AND NEW.total < 10) EXECUTE FUNCTION test.auto_approve();
SELECT test.submit('small', :'one'), test.submit('small later', jsonb_build_array(test.item(mesflow.upload_model('small later', 'small_later.stl'))));
SELECT test.claim('node');
SELECT test.complete('node', 'small_later.stl', test.box(10, 10, 10));
SELECT mesflow._sum_orders();
SELECT name, seq, type, "from", "to", actor FROM test.events WHERE name ~ '^small';
-- A step that one of ours would make, but nobody else, is not made by a trigger in the middle of one of ours.
CREATE OR REPLACE FUNCTION test.auto_approve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mesflow.orders SET total = 0 WHERE id = NEW.id;
  RETURN NULL;
END
$$;
SELECT test.answer(format($$SELECT test.submit('forged', %L)$$, :'one'));
-- Nor do an expectation or what was said about a step go on to the next.
CREATE OR REPLACE FUNCTION test.auto_approve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE mesflow.orders SET priority = 5 WHERE id = NEW.id;
  RETURN NULL;
END
$$;
DROP TRIGGER auto_approve ON mesflow.orders;
DROP TRIGGER auto_approve_new ON mesflow.orders;
CREATE TRIGGER auto_approve AFTER UPDATE ON mesflow.orders FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION test.auto_approve();
SELECT test.submit('said', :'one');
SELECT mesflow.advance_order(test.id('said'), 'approved', 'anna', 'a note', 'crm', 'priced', '{"channel": "phone"}');
SELECT seq, type, system, actor, note, detail FROM test.events WHERE name = 'said';
DROP TRIGGER auto_approve ON mesflow.orders;
-- BEFORE triggers are heard before the guard checks; one that comes behind it moves nothing in silence.
CREATE FUNCTION test.express() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.priority := 9; RETURN NEW; END $$;
CREATE TRIGGER express BEFORE UPDATE ON mesflow.orders FOR EACH ROW WHEN (NEW.status = 'approved' AND OLD.status <> 'approved') EXECUTE FUNCTION test.express();
SELECT test.submit('express', :'one');
SELECT test.advance('express', 'approved');
SELECT seq, type FROM test.events WHERE name = 'express';
ALTER TRIGGER express ON mesflow.orders RENAME TO zz_express;
SELECT test.submit('too late', :'one');
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'approved')$$, test.id('too late')));
DROP TRIGGER zz_express ON mesflow.orders;
CREATE TRIGGER early AFTER INSERT ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.auto_approve();
SELECT * FROM test.refused(format($$SELECT test.submit('early', %L)$$, :'one'));
DROP TRIGGER early ON mesflow.orders;
SELECT * FROM test.unsound;
