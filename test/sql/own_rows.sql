-- Dashboards whose rows belong to one order or work order: what triggers write, and that it is exact.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
-- Work is made by hand here.
ALTER TABLE mesflow.orders DISABLE TRIGGER "20_plan_work";
ALTER TABLE mesflow._order_items DISABLE TRIGGER "20_cancel_work";
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT jsonb_build_array(test.item(:'ring')) AS one, mesflow.upload_model('later', 'later.stl') AS later \gset
CREATE VIEW test.board AS
  SELECT n.name, d.status, d.priority AS prio, d.total, d.currency AS cur, d.due_at IS NOT NULL AS due, d.items, d.work_done AS done, d.work_total AS work, d.operators, d.alarms, d.workable
    FROM test.orders n JOIN mesflow.dashboard_orders d ON d.order_id = n.id ORDER BY n.at;
CREATE VIEW test.list AS
  SELECT n.name, d.work_order, split_part(d.number, '-', 2)::integer AS nth, d.partner, d.operation, d.quantity, d.operator, d.station, d.state, d.priority AS prio, d.alarm, d.rank, d.due_at IS NOT NULL AS due,
         d.due_key = coalesce(d.due_at, 'infinity') AS key
    FROM test.orders n JOIN mesflow.dashboard_dispatch d ON d.order_id = n.id ORDER BY n.at, d.number;
-- Where they are wrong; when nothing is, how many there are.
CREATE FUNCTION test.wrong() RETURNS text LANGUAGE sql AS $$
  SELECT coalesce((SELECT string_agg(format(E'%s %s:\n  %s\n  %s', d.dashboard, d.key, d.truth, d.shown), E'\n') FROM mesflow._own_row_differences() d),
                  format('%s orders, %s works', (SELECT count(*) FROM mesflow.dashboard_orders), (SELECT count(*) FROM mesflow.dashboard_dispatch)))
$$;
-- A chain of works, as they are made when an order is approved.
CREATE FUNCTION test.lot(name text, quantity integer DEFAULT 5, steps text[] DEFAULT '{print,clean}') RETURNS void LANGUAGE sql AS $$
  INSERT INTO mesflow._work_kinds (process, operation) SELECT 'fdm', s FROM unnest($3) s ON CONFLICT DO NOTHING;
  INSERT INTO mesflow._work_orders (id, order_id, nth, item, partner, order_number, model, material, process, operation, kind, step, steps, lot, quantity, state, queued_at)
    SELECT mesflow._uuid7(), o.id, l.last + s.step, i.id, o.partner, o.number, q.model, q.material, q.process, s.operation, k.kind, s.step, cardinality($3), l.last + 1, $2,
           CASE s.step WHEN 1 THEN 'queued' ELSE 'planned' END, CASE s.step WHEN 1 THEN clock_timestamp() END
      FROM mesflow.orders o
     CROSS JOIN LATERAL (SELECT i.* FROM mesflow._order_items i WHERE i.order_id = o.id ORDER BY i.position LIMIT 1) i
      JOIN mesflow._quotes q ON q.id = i.quote
     CROSS JOIN LATERAL (SELECT coalesce(max(w.nth), 0) AS last FROM mesflow._work_orders w WHERE w.order_id = o.id) l
     CROSS JOIN unnest($3) WITH ORDINALITY AS s (operation, step)
      JOIN mesflow._work_kinds k ON (k.process, k.operation) = ('fdm', s.operation)
     WHERE o.id = test.id($1)
$$;
CREATE FUNCTION test.work(name text, nth integer, state text, operator text DEFAULT NULL, station text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
  UPDATE mesflow._work_orders w SET (state, operator, station) = ROW ($3, $4, $5), queued_at = coalesce(w.queued_at, clock_timestamp()) WHERE w.order_id = test.id($1) AND w.nth = $2;
  SELECT test.wrong()
$$;

-- An order has its row from the moment that it is there.
SELECT test.submit('a', :'one'), test.submit('b', jsonb_build_array(test.item(:'ring', 2), test.item(:'later', 3)), due_at => '2030-01-01'), test.submit('c', :'one');
SELECT * FROM test.board;
SELECT d.number = o.number AS number, d.partner, d.external_ref, d.status_since = o.status_since AS since, d.created_at = o.created_at AS created, d.as_of >= o.status_since AS as_of
  FROM mesflow.dashboard_orders d JOIN mesflow.orders o ON o.id = d.order_id;
SELECT test.wrong();

-- What changes is shown: priority, date, items, amounts, status.
SELECT mesflow.set_priority(test.id('a'), -7), mesflow.set_due(test.id('a'), '2031-01-01'), mesflow.set_due(test.id('b'), NULL);
SELECT mesflow.change_order(test.id('c'), jsonb_build_array(test.item(:'ring', 3), test.item(:'ring', 4), test.item(:'ring', 5)));
SELECT mesflow.cancel_item((SELECT i.id FROM mesflow._order_items i WHERE i.order_id = test.id('b') AND i.position = 2), 'anna', 'too late');
SELECT * FROM test.board;
SELECT test.wrong();
-- The row is written once by a step, and not where nothing is to be seen.
CREATE TABLE test.writes (what text);
CREATE FUNCTION test.note_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO test.writes VALUES (TG_TABLE_NAME || ' ' || TG_OP); RETURN NULL; END $$;
CREATE FUNCTION test.written() RETURNS text LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM test.writes RETURNING what), n AS (SELECT what, count(*) FROM gone GROUP BY what) SELECT string_agg(what || ' ' || count, ', ' ORDER BY what) FROM n
$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON mesflow.dashboard_orders FOR EACH ROW EXECUTE FUNCTION test.note_write();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON mesflow._orders_by_status FOR EACH ROW EXECUTE FUNCTION test.note_write();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON mesflow.dashboard_dispatch FOR EACH ROW EXECUTE FUNCTION test.note_write();
SELECT test.advance('a', 'approved'), test.written();
SELECT mesflow.emit('crm.note', test.id('a')::text, '{}', order_id => test.id('a')) IS NOT NULL AS emitted, mesflow.set_priority(test.id('a'), -7);
UPDATE mesflow.orders SET priority = priority, status = status;
SELECT test.written();

-- Work that waits is on the list, while its order has a status with work.
SELECT test.lot('a'), test.lot('c');
SELECT test.written(), test.wrong();
SELECT test.advance('c', 'approved'), test.written();
SELECT name, nth, partner, operation, quantity, operator, state, prio, alarm, rank, due, key FROM test.list;
SELECT l.name, d.order_number = o.number AS number, d.material, d.process, d.model = :'ring' AS model, d.queued_at = w.queued_at AS queued, d.order_id = o.id AS "order", d.kind = w.kind AS kind, d.as_of >= w.queued_at AS as_of
  FROM test.list l JOIN mesflow.dashboard_dispatch d USING (work_order) JOIN mesflow._work_orders w ON w.id = d.work_order JOIN mesflow.orders o ON o.id = w.order_id;
SELECT * FROM test.board;
SELECT test.wrong();

-- Claimed, given back, claimed by another, started, finished; the next one is queued.
SELECT test.work('a', 1, 'assigned', 'olga', 'p1'), test.written();
SELECT name, nth, operator, station, state, rank FROM test.list;
SELECT test.work('a', 1, 'queued'), test.work('a', 1, 'assigned', 'paul', 'p2'), test.work('a', 1, 'started', 'paul', 'p2'), test.written();
SELECT operators, done, work FROM test.board WHERE name = 'a';
SELECT test.work('a', 1, 'finished', 'paul', 'p2'), test.work('a', 2, 'queued');
SELECT name, nth, operation, operator, state FROM test.list;
SELECT operators, done, work FROM test.board WHERE name = 'a';
-- What is not shown writes nothing; nor does what stays as it is.
SELECT test.written();
UPDATE mesflow._work_orders SET lease_until = clock_timestamp(), good = 3, scrap = 2 WHERE order_id = test.id('a');
UPDATE mesflow._work_orders SET state = state, operator = operator;
SELECT test.written(), test.wrong();
-- Pieces that came out fewer; started works leave the list without leaving their operator.
SELECT test.lot('a', 3), test.lot('a', 2);
UPDATE mesflow._work_orders SET quantity = 1 WHERE order_id = test.id('a') AND nth IN (3, 4);
SELECT test.work('a', 3, 'assigned', 'Zoe'), test.work('a', 5, 'assigned', 'paul'), test.work('a', 2, 'assigned', 'äöü');
SELECT test.work('a', 5, 'started', 'paul');
SELECT operators, done, work FROM test.board WHERE name = 'a';
SELECT name, nth, operation, quantity, operator, state FROM test.list;
-- Several by one statement: handed round, then all given back.
UPDATE mesflow._work_orders w SET operator = CASE w.operator WHEN 'Zoe' THEN 'paul' ELSE 'Zoe' END WHERE order_id = test.id('a') AND nth IN (3, 5);
SELECT operators, test.wrong() FROM test.board WHERE name = 'a';
UPDATE mesflow._work_orders w SET operator = CASE w.operator WHEN 'Zoe' THEN 'paul' ELSE 'Zoe' END WHERE order_id = test.id('a') AND nth IN (2, 3, 5);
SELECT operators, test.wrong() FROM test.board WHERE name = 'a';
UPDATE mesflow._work_orders SET state = 'queued', operator = NULL WHERE order_id = test.id('a') AND state IN ('assigned', 'started');
SELECT operators, test.wrong() FROM test.board WHERE name = 'a';
-- Undone.
BEGIN;
SAVEPOINT s;
SELECT test.work('a', 3, 'started', 'olga'), test.advance('a', 'cancelled'), test.wrong();
ROLLBACK TO s;
SELECT operators, test.wrong() FROM test.board WHERE name = 'a';
COMMIT;

-- Priority and date of the order are those of its work, also below zero and at both ends.
SELECT mesflow.set_priority(test.id('a'), 2147483647), mesflow.set_priority(test.id('c'), -2147483648), mesflow.set_due(test.id('a'), NULL), mesflow.set_due(test.id('c'), '2029-05-05');
SELECT test.work('a', 3, 'assigned', 'olga');
SELECT name, nth, state, prio, rank, due, key FROM test.list ORDER BY rank DESC, nth;
-- An alarm lifts the work.
UPDATE mesflow.dashboard_orders SET alarms = '{late}' WHERE order_id = test.id('c');
SELECT test.written(), test.wrong();
SELECT name, nth, state, alarm, rank FROM test.list ORDER BY rank DESC, nth;
UPDATE mesflow.dashboard_orders SET alarms = '{late,stuck}' WHERE order_id = test.id('c');
UPDATE mesflow.dashboard_orders SET alarms = '{late}' WHERE order_id = test.id('b');
SELECT test.written(), test.wrong();
-- It stays whatever else changes, and new work has it.
SELECT mesflow.set_priority(test.id('c'), 5), test.lot('c', 1, '{print}');
SELECT alarms, test.wrong() FROM test.board WHERE name = 'c';
SELECT name, nth, state, alarm, rank FROM test.list WHERE name = 'c' ORDER BY rank DESC, nth;
UPDATE mesflow.dashboard_orders SET alarms = '{}';
SELECT count(*) FILTER (WHERE alarm) AS alarms, max(rank), test.wrong() FROM test.list;

-- On hold: nothing of it is on the list; work that was started goes on. Back: as it is by then.
SELECT test.work('a', 4, 'started', 'paul'), test.written() IS NOT NULL AS written;
SELECT test.advance('a', 'on_hold'), test.written(), test.wrong();
SELECT mesflow.set_priority(test.id('a'), 3), test.work('a', 4, 'finished', 'paul'), test.work('a', 2, 'queued'), test.lot('a', 1, '{print}'), test.written();
SELECT * FROM test.board WHERE name = 'a';
SELECT test.advance('a', 'approved'), test.written(), test.wrong();
SELECT name, nth, operation, quantity, operator, state, prio, rank FROM test.list;
SELECT test.advance('a', 'in_production'), test.written(), test.wrong();

-- The end: the rows go, with whatever is still open; nothing comes after.
SELECT test.advance('c', 'cancelled'), test.written(), test.wrong();
UPDATE mesflow._work_orders SET state = 'cancelled' WHERE order_id = test.id('c');
SELECT test.written(), test.wrong();
SELECT test.advance('a', 'produced'), test.written();
SELECT test.advance('a', 'packed', 'shipped', 'delivered', 'closed'), test.written(), test.wrong();
-- An order that comes back has its row again.
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('closed', 'in_production');
SELECT test.advance('a', 'in_production'), test.written(), test.wrong();
SELECT * FROM test.board;
SELECT name, nth, operation, quantity, operator, state, prio, rank FROM test.list;

-- What a status means stays while orders are in it.
SELECT * FROM test.refused($$UPDATE mesflow.order_statuses SET workable = false WHERE status = 'in_production'$$);
SELECT test.answer(s) FROM unnest(ARRAY[$$UPDATE mesflow.order_statuses SET hold = true, workable = false WHERE status = 'in_production'$$, $$UPDATE mesflow.order_statuses SET terminal = NOT terminal WHERE status = 'cancelled'$$,
  $$UPDATE mesflow.order_statuses SET label = 'Being made', position = 61 WHERE status = 'in_production'$$, $$UPDATE mesflow.order_statuses SET workable = true WHERE status = 'packed'$$]) s;
SELECT test.advance('a', 'produced', 'packed'), test.wrong();
SELECT name, nth, state FROM test.list;
UPDATE mesflow.order_statuses SET workable = true WHERE status = 'shipped';
SELECT test.advance('a', 'shipped'), test.wrong();

-- Triggers of somebody's that write the same rows, before ours have seen them: what is shown is what is there.
CREATE FUNCTION test.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 AND TG_TABLE_NAME = 'orders' THEN
    UPDATE mesflow.orders SET priority = NEW.priority + 1 WHERE id <> NEW.id AND closed_at IS NULL;
    PERFORM mesflow.emit('crm.note', o.id::text, '{}', order_id => o.id) FROM mesflow.orders o WHERE o.id <> NEW.id AND closed_at IS NULL;
  ELSIF pg_trigger_depth() = 1 THEN
    UPDATE mesflow._work_orders SET state = CASE state WHEN 'assigned' THEN 'started' WHEN 'started' THEN 'finished' ELSE 'assigned' END, operator = 'm' || nth, queued_at = coalesce(queued_at, clock_timestamp()) WHERE id <> NEW.id;
    UPDATE mesflow._work_orders SET lease_until = clock_timestamp();
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER "01_meddle" AFTER UPDATE ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.meddle();
CREATE TRIGGER zz_meddle AFTER UPDATE ON mesflow._work_orders FOR EACH ROW EXECUTE FUNCTION test.meddle();
SELECT test.submit('d', :'one'), test.submit('e', :'one'), test.advance('d', 'approved'), test.advance('e', 'approved'), test.lot('d'), test.lot('e'), test.wrong();
UPDATE mesflow.orders SET priority = 50 WHERE id IN (test.id('d'), test.id('e'), test.id('b'));
SELECT test.wrong();
UPDATE mesflow._work_orders SET state = 'queued', operator = NULL WHERE order_id IN (test.id('d'), test.id('e'));
SELECT test.wrong();
UPDATE mesflow._work_orders SET state = 'assigned', operator = 'n' WHERE order_id IN (test.id('d'), test.id('e')) AND nth = 1;
SELECT test.wrong();
DROP TRIGGER "01_meddle" ON mesflow.orders;
DROP TRIGGER zz_meddle ON mesflow._work_orders;

-- Wrong rows are put right, and only they.
SELECT test.written() IS NOT NULL AS written;
SELECT mesflow._rebuild_own_rows(), test.written();
ALTER TABLE mesflow.dashboard_orders DISABLE TRIGGER show_alarms;
UPDATE mesflow.dashboard_orders SET alarms = '{late}' WHERE order_id = test.id('d');
ALTER TABLE mesflow.dashboard_orders ENABLE TRIGGER show_alarms;
UPDATE mesflow.dashboard_orders SET items = 7, operators = '{x}', workable = NOT workable WHERE order_id = test.id('e');
DELETE FROM mesflow.dashboard_orders WHERE order_id = test.id('b');
INSERT INTO mesflow.dashboard_orders SELECT (jsonb_populate_record(d, jsonb_build_object('order_id', test.id('c')))).* FROM mesflow.dashboard_orders d LIMIT 1;
INSERT INTO mesflow.dashboard_dispatch SELECT (jsonb_populate_record(d, jsonb_build_object('work_order', mesflow._uuid7(), 'order_id', mesflow._uuid7()))).* FROM mesflow.dashboard_dispatch d LIMIT 1;
UPDATE mesflow._orders_by_status SET status = 'lost' WHERE order_id = test.id('d');
SELECT test.written();
SELECT dashboard, truth IS NULL AS not_there, shown IS NULL AS not_shown, count(*) FROM mesflow._own_row_differences() GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT mesflow._rebuild_own_rows(), test.written(), test.wrong();
SELECT alarms FROM test.board WHERE name = 'd';
-- From nothing, as where a dump was restored without triggers.
TRUNCATE mesflow.dashboard_orders, mesflow.dashboard_dispatch, mesflow._orders_by_status;
SELECT mesflow.arm('the test of rows made anew'), test.wrong();
SELECT * FROM test.board;
-- With triggers: work first, orders before their items.
SELECT test.written() IS NOT NULL AS written;
CREATE TABLE test.saved_orders AS SELECT * FROM mesflow.orders;
CREATE TABLE test.saved_items AS SELECT * FROM mesflow._order_items;
CREATE TABLE test.saved_work AS SELECT * FROM mesflow._work_orders;
SET session_replication_role = replica;
TRUNCATE mesflow.dashboard_orders, mesflow.dashboard_dispatch, mesflow.orders, mesflow._order_items, mesflow._work_orders;
RESET session_replication_role;
INSERT INTO mesflow._work_orders SELECT * FROM test.saved_work WHERE nth > 1;
INSERT INTO mesflow.orders SELECT * FROM test.saved_orders;
SELECT test.wrong();
INSERT INTO mesflow._order_items SELECT * FROM test.saved_items;
INSERT INTO mesflow._work_orders SELECT * FROM test.saved_work WHERE nth = 1;
SELECT test.wrong();
DROP TRIGGER note ON mesflow.dashboard_orders;
DROP TRIGGER note ON mesflow._orders_by_status;
DROP TRIGGER note ON mesflow.dashboard_dispatch;

-- Indexes of somebody's: filled with the rights of the tables' owner, whoever submits.
CREATE FUNCTION test.shout(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN upper($1); END $$;
REVOKE EXECUTE ON FUNCTION test.shout(text) FROM PUBLIC;
CREATE INDEX shouted ON mesflow.dashboard_orders (test.shout(partner), status) WHERE items > 0;
CREATE INDEX summarized ON mesflow.dashboard_dispatch USING brin (queued_at, as_of);

-- Whoever may submit an order and no more, and whoever may only move one.
CREATE ROLE regress_own_app IN ROLE mesflow_app;
CREATE ROLE regress_own_manager IN ROLE mesflow_manager;
GRANT USAGE ON SCHEMA test TO regress_own_app, regress_own_manager;
SET ROLE regress_own_app;
SELECT mesflow.submit_order('shop', 'by the app', :'one') AS app \gset
SELECT status, items FROM mesflow.dashboard_orders WHERE order_id = :'app';
SELECT test.answer(s) FROM unnest(ARRAY['UPDATE mesflow.dashboard_orders SET priority = 1', 'DELETE FROM mesflow.dashboard_dispatch', 'SELECT mesflow._rebuild_own_rows()']) s;
SET ROLE regress_own_manager;
SET search_path = pg_temp;
UPDATE mesflow.orders SET status = 'approved', priority = 9 WHERE id = :'app';
RESET search_path;
SELECT status, priority FROM mesflow.dashboard_orders WHERE order_id = :'app';
RESET ROLE;
REVOKE USAGE ON SCHEMA test FROM regress_own_app, regress_own_manager;
DROP ROLE regress_own_app, regress_own_manager;
SET search_path = public;
SELECT test.wrong();

-- Anything at all, in any order: exact after each.
CREATE PROCEDURE test.play(changes integer) LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[] := ARRAY(SELECT id FROM mesflow.orders WHERE closed_at IS NULL);
  o uuid;
  done integer := 0;
  refused integer := 0;
BEGIN
  PERFORM setseed(0.4);
  FOR i IN 1..changes LOOP
    o := ids[1 + floor(random() * cardinality(ids))];
    BEGIN
      CASE floor(random() * 12)
        WHEN 0 THEN PERFORM test.submit('r' || i, jsonb_build_array(test.item((SELECT id FROM mesflow._models WHERE filename = 'ring.stl'), 1 + (random() * 5)::integer), test.item((SELECT id FROM mesflow._models WHERE filename = 'ring.stl'), 8)));
          ids := ids || test.id('r' || i);
        WHEN 1 THEN PERFORM mesflow.set_priority(o, (random() * 10)::integer - 5);
        WHEN 2 THEN PERFORM mesflow.set_due(o, CASE WHEN random() < 0.8 THEN '2030-01-01'::timestamptz + random() * interval '300 days' END);
        WHEN 3 THEN PERFORM mesflow.cancel_item((SELECT i.id FROM mesflow._order_items i WHERE i.order_id = o AND i.cancelled_at IS NULL ORDER BY i.position LIMIT 1), 'anna', 'so');
        WHEN 4 THEN PERFORM test.lot((SELECT name FROM test.orders WHERE id = o), 1 + (random() * 9)::integer);
        WHEN 5 THEN UPDATE mesflow.dashboard_orders SET alarms = CASE WHEN random() < 0.5 THEN '{late}' ELSE '{}' END::text[] WHERE order_id = o;
        WHEN 6 THEN UPDATE mesflow.orders SET priority = priority + 1 WHERE random() < 0.3 AND closed_at IS NULL;
        WHEN 7, 8 THEN PERFORM mesflow.advance_order(o, t.to_status) FROM mesflow.orders r JOIN mesflow.order_transitions t ON t.from_status = r.status WHERE r.id = o AND (t.to_status <> 'cancelled' OR random() < 0.1) ORDER BY random() LIMIT 1;
        ELSE UPDATE mesflow._work_orders w SET (state, operator, station, queued_at) = (SELECT s, CASE WHEN s NOT IN ('planned', 'queued', 'cancelled') THEN 'op' || (random() * 3)::integer END, 's' || (random() * 2)::integer, clock_timestamp()
                                                   FROM unnest('{planned,queued,queued,assigned,assigned,started,finished,cancelled}'::text[]) s WHERE w.id IS NOT NULL ORDER BY random() LIMIT 1)
               WHERE order_id = o AND random() < 0.5;
      END CASE;
      done := done + 1;
    EXCEPTION WHEN OTHERS THEN
      IF SQLSTATE NOT LIKE 'MF%' THEN RAISE; END IF;
      refused := refused + 1;
    END;
    IF EXISTS (SELECT FROM mesflow._own_row_differences()) THEN
      RAISE EXCEPTION 'after % changes: %', i, (SELECT array_agg(d) FROM mesflow._own_row_differences() d);
    END IF;
    IF i % 7 = 0 THEN COMMIT; END IF;
  END LOOP;
  IF done < changes / 2 OR refused = 0 OR NOT EXISTS (SELECT FROM mesflow.dashboard_dispatch WHERE alarm) OR NOT EXISTS (SELECT FROM mesflow.dashboard_orders WHERE cardinality(operators) > 1) THEN
    RAISE WARNING '% done, % refused', done, refused;
  END IF;
END
$$;
CALL test.play(500);
SELECT dashboard FROM mesflow._own_row_differences();
-- Each index has them all.
CREATE FUNCTION test.counts() RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', (SELECT count(*) FROM mesflow.dashboard_orders WHERE created_at > '-infinity'), (SELECT count(*) FROM mesflow.dashboard_orders WHERE partner = 'shop'), (SELECT count(*) FROM mesflow.dashboard_orders WHERE due_at > '-infinity'),
    (SELECT count(*) FROM mesflow.dashboard_orders WHERE alarms <> '{}' AND created_at > '-infinity'), (SELECT count(*) FROM mesflow._orders_by_status WHERE status >= 'a'),
    (SELECT count(*) FROM mesflow.dashboard_dispatch WHERE rank > -10000000000), (SELECT count(*) FROM mesflow.dashboard_dispatch WHERE kind = 1 AND due_key > '-infinity'), (SELECT count(*) FROM mesflow.dashboard_dispatch WHERE partner = 'shop'))
$$;
SET enable_seqscan = off;
SELECT test.counts() AS counts \gset
RESET enable_seqscan;
SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
SELECT test.counts() = :'counts' AS same, test.counts() ~ ' 0( |$)' AS none;
RESET enable_indexscan; RESET enable_indexonlyscan; RESET enable_bitmapscan;

-- Nothing is read from end to end to write a row, however small the tables are; indexes alone, also the first time.
CREATE VIEW test.scans AS SELECT relname, coalesce(seq_scan, 0) AS scans FROM pg_stat_xact_user_tables WHERE schemaname = 'mesflow' AND relname ~ '^(dashboard_orders|_orders_by_status|dashboard_dispatch|_work_orders|_order_items)$';
BEGIN;
CREATE TEMP TABLE scans_before AS SELECT * FROM test.scans;
SELECT test.submit('z', :'one'), test.advance('z', 'approved');
INSERT INTO mesflow._work_orders SELECT (jsonb_populate_record(w, jsonb_build_object('id', mesflow._uuid7(), 'order_id', test.id('z'), 'nth', 1, 'state', 'queued'))).* FROM test.saved_work w WHERE queued_at IS NOT NULL LIMIT 1;
UPDATE mesflow._work_orders SET state = 'assigned', operator = 'olga' WHERE order_id = test.id('z') AND nth = 1;
SELECT test.advance('z', 'on_hold', 'approved', 'cancelled');
SELECT relname, a.scans - b.scans AS scans FROM test.scans a JOIN scans_before b USING (relname) ORDER BY 1;
ROLLBACK;
