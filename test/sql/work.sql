-- Work on the floor: from approval to production, and every step that is refused.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\set work :srcdir '/sql/work.psql'
\i :common
\i :orders
\i :work
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT jsonb_build_array(test.item(:'ring', 10)) AS ten, jsonb_build_array(test.item(:'ring', 10, NULL, 'resin', 'sla')) AS resin,
       jsonb_build_array(test.item(:'ring', 2), test.item(:'ring', 3, NULL, 'resin', 'sla'), test.item(:'ring', 1, NULL, 'brass', 'casting')) AS three \gset

-- A life, and what it tells.
SELECT test.submit('life', :'ten');
SELECT * FROM test.floor('life');
SELECT test.advance('life', 'approved');
SELECT * FROM test.floor('life');
SELECT test.claim_work('life', 1, 'anna');
SELECT test.start_work('life', 1, 'anna');
SELECT name, status FROM test.told;
SELECT test.finish_work('life', 1, 'anna', 10);
SELECT test.claim_work('life', 2, 'boris');
SELECT test.start_work('life', 2, 'boris');
SELECT test.finish_work('life', 2, 'boris', 10);
SELECT * FROM test.floor('life');
SELECT name, status FROM test.told;
SELECT e.key_seq AS seq, e.type, e.from_status AS "from", e.to_status AS "to", e.operator, e.quantity, e.dwell IS NOT NULL AS dwell, e.actor = e.operator AS own, e.system, e.partner, e.note
  FROM mesflow.outbox e WHERE e.order_id = test.id('life') AND e.key_seq > 3 ORDER BY e.id;
SELECT e.type, test.masked(e.body::jsonb #>> '{data,work}') AS work FROM mesflow.outbox e WHERE e.order_id = test.id('life') AND e.type LIKE 'work.%' ORDER BY e.id;
SELECT e.type, string_agg(k, ' ') AS members, e.body::jsonb #> '{data,detail}' AS detail, test.masked(e.body::jsonb #>> '{data,order}') AS "order"
  FROM mesflow.outbox e, LATERAL jsonb_object_keys(e.body::jsonb -> 'data') k WHERE e.order_id = test.id('life') AND e.type LIKE 'work.%' GROUP BY e.id, e.type, e.body ORDER BY e.id LIMIT 2;
SELECT count(*) AS bodies_that_name_people FROM mesflow.outbox e WHERE e.type LIKE 'work.%' AND e.body ~* 'anna|boris';
SELECT count(*) AS times, bool_and(e.at = CASE e.type WHEN 'work.queued' THEN w.queued_at WHEN 'work.assigned' THEN w.assigned_at WHEN 'work.started' THEN w.started_at WHEN 'work.finished' THEN w.finished_at END) AS same,
       bool_and(e.dwell = w.finished_at - w.started_at) FILTER (WHERE e.type = 'work.finished') AS busy
  FROM mesflow.outbox e JOIN mesflow.work_orders w ON w.id = (e.body::jsonb #>> '{data,work,id}')::uuid;
SELECT w.number, w.order_number, w.partner, w.material, w.process, w.operation, w.step, w.steps, w.quantity, w.good, w.state, w.priority, w.operator, w.lease_until, w.due_at IS NOT NULL AS due FROM mesflow.work_orders w ORDER BY 1;
SELECT operator, process, operation, sum(claimed) AS claimed, sum(finished) AS finished, sum(good) AS good, sum(scrap) AS scrap, sum(busy) >= '0' AS busy FROM mesflow.dashboard_operators GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT * FROM test.unsound_work;

-- Everything twice: the same answer, and no event.
SELECT test.submit('twice', :'ten'), test.advance('twice', 'approved');
SELECT test.claim_work('twice', 1, 'anna'), test.claim_work('twice', 1, 'anna');
SELECT w.assigned_at, w.lease_until FROM mesflow.work_orders w WHERE w.id = test.w('twice', 1) \gset
SELECT test.claim_work('twice', 1, 'anna') IS NOT NULL AS again, w.assigned_at = :'assigned_at' AND w.lease_until = :'lease_until' AS same FROM mesflow.work_orders w WHERE w.id = test.w('twice', 1);
SELECT test.start_work('twice', 1, 'anna'), test.start_work('twice', 1, 'anna');
SELECT test.claim_work('twice', 1, 'anna') AS claim_of_started;
SELECT test.finish_work('twice', 1, 'anna', 10), test.finish_work('twice', 1, 'anna', 10);
SELECT test.finish_work('twice', 1, 'anna', 9, 1) AS other_counts, test.finish_work('twice', 1, 'anna', 10, 0, 'print') AS same_counts, test.finish_work('twice', 1, 'boris', 10) AS another, test.start_work('twice', 1, 'anna') AS start, test.claim_work('twice', 1, 'anna') AS claim, test.release_work('twice', 1, 'anna') AS release;
SELECT test.claim_work('twice', 2, 'anna'), test.release_work('twice', 2, 'anna'), test.release_work('twice', 2, 'anna'), test.release_work('twice', 2, 'boris');
SELECT string_agg(e.type, ' ' ORDER BY e.id) FROM mesflow.outbox e WHERE e.order_id = test.id('twice') AND e.key_seq > 3;
SELECT operator, process, operation, sum(claimed) AS claimed, sum(finished) AS finished, sum(good) AS good, sum(scrap) AS scrap FROM mesflow.dashboard_operators GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT * FROM test.unsound_work;

-- What is not there, and what is not allowed.
SELECT test.submit('bad', :'ten'), test.advance('bad', 'approved');
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, %L)', gen_random_uuid(), 'anna'));
SELECT * FROM test.refused('SELECT mesflow.claim_work_order(NULL, ''anna'')');
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, NULL)', test.w('bad', 1)));
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, %L)', test.w('bad', 1), 'nobody'));
SELECT v, test.answer(format(v, quote_literal(gen_random_uuid()), quote_literal('anna'))) AS no_such_work, test.answer(format(v, 'NULL', quote_literal('anna'))) AS no_work,
       test.answer(format(v, quote_literal(test.w('bad', 1)), quote_literal('nobody'))) AS no_such_operator, test.answer(format(v, quote_literal(test.w('bad', 1)), 'NULL')) AS no_operator
  FROM unnest(ARRAY['SELECT mesflow.start_work(%s, %s)', 'SELECT mesflow.finish_work(%s, %s, 1)', 'SELECT mesflow.release_work(%s, %s, ''x'')']) v \gx
SELECT test.answer(format('SELECT mesflow.correct_work(%L, 1, 0, ''x'', ''y'')', gen_random_uuid())), test.answer('SELECT mesflow.correct_work(NULL, 1, 0, ''x'', ''y'')');
SELECT test.answer('SELECT mesflow.claim_work(''nobody'')'), test.answer('SELECT mesflow.claim_work(NULL)'), test.answer('SELECT mesflow.claim_work(''anna'', ''nowhere'')'), test.answer('SELECT mesflow.claim_work(''anna'', limit_to => 0)'), test.answer('SELECT mesflow.claim_work(''anna'', limit_to => 101)'), test.answer('SELECT mesflow.claim_work(''anna'', limit_to => -2147483648)');
SELECT * FROM test.refused('SELECT mesflow.claim_work(''anna'', ''nowhere'')');
SELECT * FROM test.refused('SELECT mesflow.claim_work(''anna'', limit_to => 0)');
-- Somebody else's, planned, not claimed, not started.
SELECT test.claim_work('bad', 1, 'anna');
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, %L)', test.w('bad', 1), 'boris'));
SELECT test.start_work('bad', 1, 'boris'), test.finish_work('bad', 1, 'boris', 10), test.release_work('bad', 1, 'boris');
SELECT * FROM test.refused(format('SELECT mesflow.finish_work(%L, %L, 10)', test.w('bad', 1), 'anna'));
SELECT v AS verb, test.do(format('SELECT * FROM mesflow.%s', format(v, quote_literal(test.w('bad', 2)), quote_literal('anna')))) AS planned
  FROM unnest(ARRAY['claim_work_order(%s, %s)', 'start_work(%s, %s)', 'finish_work(%s, %s, 10)', 'release_work(%s, %s, ''x'')']) v;
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, %L)', test.w('bad', 2), 'anna'));
SELECT test.start_work('bad', 1, 'anna');
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, %L)', test.w('bad', 1), 'boris'));
SELECT test.start_work('bad', 1, 'boris'), test.finish_work('bad', 1, 'boris', 10), test.release_work('bad', 1, 'boris');
-- Counts, and where to begin again.
SELECT c.good, c.scrap, test.finish_work('bad', 1, 'anna', c.good, c.scrap) FROM (VALUES (-1, 0), (0, -1), (11, 0), (10, 1), (2147483647, 2147483647), (NULL, 0), (1, NULL)) c (good, scrap);
SELECT * FROM test.refused(format('SELECT mesflow.finish_work(%L, %L, 11)', test.w('bad', 1), 'anna'));
SELECT * FROM test.refused(format('SELECT mesflow.finish_work(%L, %L, NULL)', test.w('bad', 1), 'anna'));
SELECT * FROM test.refused(format('SELECT mesflow.finish_work(%L, %L, 9, 1, ''finish'')', test.w('bad', 1), 'anna'));
SELECT test.finish_work('bad', 1, 'anna', 9, 1, 'nothing'), test.finish_work('bad', 1, 'anna', 9, 1, ''), test.finish_work('bad', 1, 'anna', 10, 0, 'nothing');
-- Reasons.
SELECT r AS reason, test.release_work('bad', 1, 'anna', r) FROM unnest(ARRAY[NULL, '', E' \t\n']) r;
SELECT test.release_work('bad', 1, 'anna', repeat('x', 10001)), test.release_work('bad', 1, 'anna', 'x', repeat('x', 201));
-- Nothing of all that left a trace.
SELECT * FROM test.floor('bad');
SELECT string_agg(e.type, ' ' ORDER BY e.id) FROM mesflow.outbox e WHERE e.order_id = test.id('bad') AND e.key_seq > 3;
SELECT * FROM test.unsound_work;

-- Released by the operator, and by somebody else: work that was begun, too.
SELECT test.release_work('bad', 1, 'anna', 'broken', 'greta');
SELECT test.claim_work('bad', 1, 'boris'), test.release_work('bad', 1, 'boris', 'no time');
SELECT e.type, e.operator, e.actor, e.note, e.quantity, e.body ~ 'no time|broken|anna|boris|greta' AS told FROM mesflow.outbox e WHERE e.order_id = test.id('bad') AND e.type = 'work.released' ORDER BY e.id;
SELECT test.release_work('bad', 1, 'anna') AS nobody_has_it, test.claim_work('bad', 1, 'boris'), test.start_work('bad', 1, 'boris');
SELECT test.release_work('bad', 1, 'boris', 'tired', '');
SELECT e.type, e.operator, e.actor = session_user AS "user" FROM mesflow.outbox e WHERE e.order_id = test.id('bad') ORDER BY e.id DESC LIMIT 1;
SELECT * FROM test.unsound_work;

-- A part of a lot is good: it goes on, and the others begin again.
SELECT test.submit('part', :'resin'), test.advance('part', 'approved');
SELECT test.make('part', 1, 7, 2);
SELECT * FROM test.floor('part');
SELECT e.key_seq AS seq, e.type, e.operator, e.quantity, e.body::jsonb #>> '{data,work,number}' AS work, e.body::jsonb #>> '{data,work,repeats}' = test.w('part', 1)::text AS repeats FROM mesflow.outbox e WHERE e.order_id = test.id('part') AND e.type LIKE 'work.%' ORDER BY e.id;
SELECT test.make('part', 2, 7), test.make('part', 3, 5, 2, 'finish');
SELECT * FROM test.floor('part');
SELECT test.make('part', 4, 3), test.make('part', 5, 2, 1, 'cure'), test.make('part', 6, 2), test.make('part', 7, 2);
SELECT * FROM test.floor('part');
SELECT * FROM test.unsound_work;
SELECT test.make('part', 8, 1), name, status FROM test.told WHERE name = 'part';
SELECT test.make('part', 9, 1), status FROM mesflow.orders WHERE id = test.id('part');
SELECT status FROM mesflow.orders WHERE id = test.id('part');
SELECT * FROM test.unsound_work;

-- Nothing of a lot is good: its rest waits for the pieces that begin again.
SELECT test.submit('scrap', :'resin'), test.advance('scrap', 'approved');
SELECT test.make('scrap', 1, 0, 10);
SELECT * FROM test.floor('scrap');
SELECT test.make('scrap', 4, 0, 10);
SELECT test.make('scrap', 5, 10), test.make('scrap', 2, 0, 10, 'cure');
SELECT * FROM test.floor('scrap');
SELECT * FROM test.unsound_work;
SELECT test.make('scrap', 6, 6, 4), test.make('scrap', 3, 0, 6);
SELECT * FROM test.floor('scrap');
SELECT * FROM test.unsound_work;
-- Missing, and not scrap either.
SELECT test.make('scrap', 7, 0), test.make('scrap', 8, 0);
SELECT * FROM test.unsound_work;
-- Until it is done.
CREATE FUNCTION test.make_all(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  w mesflow._work_orders;
BEGIN
  FOR i IN 1..100 LOOP
    SELECT * INTO w FROM mesflow._work_orders k WHERE k.order_id = test.id($1) AND k.state IN ('queued', 'assigned', 'started') ORDER BY k.nth LIMIT 1;
    EXIT WHEN NOT FOUND;
    IF w.state = 'queued' THEN
      PERFORM mesflow.claim_work_order(w.id, 'boris');
    END IF;
    PERFORM mesflow.start_work(w.id, coalesce(w.operator, 'boris')), mesflow.finish_work(w.id, coalesce(w.operator, 'boris'), w.quantity);
  END LOOP;
  RETURN (SELECT concat_ws(', ', o.status, (SELECT string_agg(good::text, ' ') FROM (SELECT sum(good) AS good FROM mesflow._work_orders f WHERE f.order_id = o.id AND f.step = f.steps AND f.state = 'finished' GROUP BY f.item ORDER BY min(f.nth)) g)) FROM mesflow.orders o WHERE o.id = test.id($1));
END
$$;
SELECT test.make_all('scrap');
SELECT * FROM test.unsound_work;

-- Several items: the order is produced after the last of them; what is cancelled is not waited for.
SELECT test.submit('items', :'three'), test.advance('items', 'approved');
SELECT * FROM test.floor('items');
SELECT test.make('items', 1, 2), test.make('items', 2, 2), test.make('items', 3, 3), test.make('items', 4, 2, 1), test.claim_work('items', 5, 'boris');
SELECT mesflow.cancel_item((SELECT i.id FROM mesflow._order_items i WHERE i.order_id = test.id('items') AND i.position = 2), 'not wanted', 'olga');
SELECT * FROM test.floor('items');
SELECT e.type, e.operator, e.actor, e.quantity, e.body::jsonb #>> '{data,work,number}' AS work FROM mesflow.outbox e WHERE e.order_id = test.id('items') AND e.type = 'work.cancelled' ORDER BY e.id;
SELECT test.finish_work('items', 5, 'boris', 2), test.start_work('items', 5, 'boris'), test.claim_work('items', 5, 'boris'), test.release_work('items', 5, 'boris'), test.claim_work('items', 7, 'boris'), test.correct_work('items', 5, 1, 0);
SELECT * FROM test.unsound_work;
SELECT test.make_all('items');
SELECT * FROM test.unsound_work;
-- The last that is open is cancelled.
SELECT test.submit('rest', :'three'), test.advance('rest', 'approved');
SELECT test.make('rest', 1, 2), test.make('rest', 2, 2), test.make('rest', 3, 3), test.make('rest', 4, 3), test.make('rest', 5, 3), test.make('rest', 6, 1);
SELECT mesflow.cancel_item((SELECT i.id FROM mesflow._order_items i WHERE i.order_id = test.id('rest') AND i.position = 3), 'not wanted', 'olga');
SELECT seq, type, "from", "to", actor FROM test.events WHERE name = 'rest' ORDER BY seq DESC LIMIT 4;
SELECT * FROM test.unsound_work;
-- Before anything was made of it, an order stays where it is.
SELECT test.submit('early', :'three'), test.advance('early', 'approved');
SELECT mesflow.cancel_item(i.id, 'not wanted') FROM mesflow._order_items i WHERE i.order_id = test.id('early') AND i.position < 3 ORDER BY i.position;
SELECT status FROM mesflow.orders WHERE id = test.id('early');
SELECT * FROM test.floor('early');
SELECT * FROM test.unsound_work;

-- Cancelled, with work in every state.
SELECT test.submit('cancelled', :'three'), test.advance('cancelled', 'approved');
SELECT test.make('cancelled', 1, 2), test.claim_work('cancelled', 2, 'anna'), test.claim_work('cancelled', 3, 'boris'), test.start_work('cancelled', 3, 'boris');
SELECT mesflow.cancel_order(test.id('cancelled'), 'not wanted', 'olga');
SELECT * FROM test.floor('cancelled');
SELECT seq, type, "from", "to", actor FROM test.events WHERE name = 'cancelled' AND seq > 12;
SELECT test.claim_work('cancelled', 6, 'anna'), test.start_work('cancelled', 2, 'anna'), test.finish_work('cancelled', 3, 'boris', 3), test.release_work('cancelled', 3, 'boris'), test.finish_work('cancelled', 1, 'anna', 2) AS finished_before;
SELECT * FROM test.unsound_work;

-- On hold.
SELECT test.submit('hold', :'three'), test.advance('hold', 'approved');
SELECT test.claim_work('hold', 1, 'anna'), test.start_work('hold', 1, 'anna'), test.claim_work('hold', 3, 'anna'), test.advance('hold', 'on_hold');
SELECT * FROM test.refused(format('SELECT mesflow.start_work(%L, %L)', test.w('hold', 3), 'anna'));
SELECT test.claim_work('hold', 6, 'boris') AS claim, test.claim_work('hold', 1, 'boris') AS taken, test.claim_work('hold', 3, 'anna') AS again, test.start_work('hold', 1, 'anna') AS start_again, test.finish_work('hold', 1, 'anna', 1, 1) AS finish, test.release_work('hold', 3, 'anna') AS release;
SELECT * FROM test.floor('hold');
SELECT test.claim_work('hold', 2, 'anna'), test.correct_work('hold', 1, 2, 0);
SELECT * FROM test.unsound_work;
SELECT test.advance('hold', 'in_production');
SELECT * FROM test.floor('hold');
SELECT test.claim_work('hold', 3, 'anna'), test.start_work('hold', 3, 'anna'), test.advance('hold', 'on_hold'), test.release_work('hold', 3, 'anna') AS release_of_started, test.advance('hold', 'in_production'), test.make_all('hold');
SELECT * FROM test.unsound_work;
-- All was finished meanwhile: it goes on by itself when it comes back.
SELECT test.submit('held', :'ten'), test.advance('held', 'approved'), test.make('held', 1, 10), test.claim_work('held', 2, 'anna'), test.start_work('held', 2, 'anna'), test.advance('held', 'on_hold'), test.finish_work('held', 2, 'anna', 10);
SELECT status FROM mesflow.orders WHERE id = test.id('held');
SELECT mesflow.advance_order(test.id('held'), 'in_production', 'olga');
SELECT seq, type, "from", "to", actor FROM test.events WHERE name = 'held' ORDER BY seq DESC LIMIT 5;
SELECT * FROM test.unsound_work;
-- Cancelled from there.
SELECT test.submit('lost', :'ten'), test.advance('lost', 'approved'), test.claim_work('lost', 1, 'anna'), test.advance('lost', 'on_hold', 'cancelled');
SELECT * FROM test.floor('lost');
SELECT * FROM test.unsound_work;

-- Moved by hand.
SELECT test.submit('hand', :'three'), test.advance('hand', 'approved'), test.make('hand', 1, 2), test.claim_work('hand', 2, 'anna'), test.advance('hand', 'produced');
SELECT * FROM test.floor('hand');
SELECT test.advance('hand', 'packed', 'shipped', 'delivered', 'closed');
SELECT * FROM test.unsound_work;
-- In production before anything is started, and again.
SELECT test.submit('by hand', :'ten'), test.advance('by hand', 'approved', 'in_production'), test.claim_work('by hand', 1, 'anna'), test.start_work('by hand', 1, 'anna');
SELECT string_agg(type, ' ' ORDER BY seq) FROM test.events WHERE name = 'by hand' AND seq > 3;
SELECT * FROM test.unsound_work;

-- Operations are as they were at the approval.
SELECT test.submit('plan', :'ten'), test.submit('later plan', :'ten'), test.advance('plan', 'approved');
UPDATE mesflow.processes SET operations = '{heat,print,finish,print}' WHERE code = 'fdm';
SELECT test.advance('later plan', 'approved'), test.make('plan', 1, 5, 5), test.make('plan', 2, 3, 2);
SELECT * FROM test.floor('plan');
SELECT test.make('later plan', 1, 10), test.make('later plan', 2, 10), test.make('later plan', 3, 10), test.make('later plan', 4, 8, 2, 'print');
SELECT * FROM test.floor('later plan');
SELECT test.make_all('plan'), test.make_all('later plan');
SELECT k.process, k.operation FROM mesflow._work_kinds k ORDER BY k.kind;
UPDATE mesflow.processes SET operations = '{print,finish}' WHERE code = 'fdm';
SELECT * FROM test.unsound_work;

-- Who may act: an inactive operator only on what it has; a login only for itself; a cap.
SELECT test.submit('who', :'three'), test.advance('who', 'approved');
INSERT INTO mesflow.operators (code, name, login, max_claims) VALUES ('carla', 'Carla', 'regress_mesflow_carla', 2), ('dora', 'Dora', NULL, NULL);
SELECT test.claim_work('who', 1, 'dora');
SELECT w.number AS dora_has, w.state FROM mesflow.claim_work('dora', 'foundry', request_id => '00000000-0000-4000-8000-000000000001') w;
UPDATE mesflow.operators SET active = false WHERE code = 'dora';
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, %L)', test.w('who', 3), 'dora'));
-- What it was given before it is told again.
SELECT w.number AS dora_has, w.state FROM mesflow.claim_work('dora', 'foundry', request_id => '00000000-0000-4000-8000-000000000001') w;
SELECT w.state FROM mesflow.release_work(test.w('who', 6), 'dora', 'no time') w;
SELECT test.answer('SELECT mesflow.claim_work(''dora'')') AS claim, test.claim_work('who', 1, 'dora') AS again, test.start_work('who', 1, 'dora'), test.finish_work('who', 1, 'dora', 2);
SELECT test.claim_work('who', 2, 'carla'), test.claim_work('who', 3, 'carla'), test.claim_work('who', 6, 'carla') AS too_many, test.claim_work('who', 3, 'carla') AS again;
SELECT * FROM test.refused(format('SELECT mesflow.claim_work_order(%L, %L)', test.w('who', 6), 'carla'));
SELECT test.answer('SELECT mesflow.claim_work(''carla'')');
SELECT test.start_work('who', 3, 'carla'), test.claim_work('who', 6, 'carla') AS still, test.finish_work('who', 3, 'carla', 3), test.claim_work('who', 6, 'carla') AS one_less;
UPDATE mesflow.operators SET max_claims = 1 WHERE code = 'carla';
SELECT test.claim_work('who', 4, 'carla'), test.start_work('who', 6, 'carla'), test.release_work('who', 2, 'carla'), test.claim_work('who', 4, 'carla');
UPDATE mesflow.operators SET max_claims = NULL WHERE code = 'carla';
SELECT test.w('who', 4) AS four, test.w('who', 2) AS two, test.w('who', 6) AS six \gset
CREATE ROLE regress_mesflow_carla IN ROLE mesflow_operator;
SET ROLE regress_mesflow_carla;
SELECT w.operation, w.state, w.operator FROM mesflow.claim_work_order(:'four', 'carla') w;
SELECT mesflow.claim_work_order(:'two', 'anna');
SELECT mesflow.claim_work('anna');
SELECT mesflow.start_work(:'two', 'anna');
SELECT mesflow.finish_work(:'two', 'anna', 1);
SELECT mesflow.release_work(:'four', 'anna', 'x');
SELECT mesflow.correct_work(:'four', 1, 0, 'x', 'y');
SELECT w.operation, w.state FROM mesflow.start_work(:'four', 'carla') w;
SELECT w.operation, w.state FROM mesflow.finish_work(:'four', 'carla', 3) w;
SELECT count(*) > 0 AS sees FROM mesflow.work_orders;
SELECT count(*) FROM mesflow._work_orders;
RESET ROLE;
DROP ROLE regress_mesflow_carla;
SELECT test.make_all('who');
SELECT * FROM test.unsound_work;

-- A status of one's own between approved and in_production, with work: it goes on as it is, and where all is done, to the end of it.
DELETE FROM mesflow.order_transitions WHERE (from_status, to_status) = ('approved', 'in_production');
INSERT INTO mesflow.order_statuses (status, position, label, workable) VALUES ('paid', 55, 'Paid', true), ('checked', 56, 'Checked', false);
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('approved', 'paid'), ('paid', 'in_production'), ('approved', 'checked'), ('checked', 'in_production'), ('in_production', 'checked');
SELECT test.submit('paid', :'ten'), test.advance('paid', 'approved'), test.make('paid', 1, 10), test.claim_work('paid', 2, 'anna'), test.advance('paid', 'paid');
SELECT * FROM test.floor('paid');
SELECT test.start_work('paid', 2, 'anna'), test.finish_work('paid', 2, 'anna', 10);
SELECT "from", "to" FROM test.events WHERE name = 'paid' AND "to" IS NOT NULL ORDER BY seq DESC LIMIT 2;
SELECT test.submit('paid late', :'ten'), test.advance('paid late', 'approved'), test.make('paid late', 1, 10), test.make('paid late', 2, 10);
SELECT status FROM mesflow.orders WHERE id = test.id('paid late');
SELECT test.advance('paid late', 'paid', 'in_production');
SELECT "from", "to" FROM test.events WHERE name = 'paid late' AND "to" IS NOT NULL ORDER BY seq DESC LIMIT 3;
SELECT * FROM test.unsound_work;
-- One without work: what is open is cancelled, and what is missing is planned anew.
SELECT test.submit('checked', :'ten'), test.advance('checked', 'approved'), test.make('checked', 1, 8, 2), test.make('checked', 2, 5, 3), test.claim_work('checked', 3, 'boris'), test.advance('checked', 'checked');
SELECT * FROM test.floor('checked');
SELECT test.start_work('checked', 3, 'boris'), test.claim_work('checked', 5, 'boris'), test.advance('checked', 'in_production');
SELECT * FROM test.floor('checked') WHERE state <> 'cancelled';
-- Of the old counts only what came out at the end is followed by anything.
SELECT test.correct_work('checked', 1, 6, 4), test.correct_work('checked', 1, 10, 0), test.correct_work('checked', 2, 4, 3), test.correct_work('checked', 2, 6, 0);
SELECT * FROM test.floor('checked') WHERE state <> 'cancelled';
SELECT * FROM test.unsound_work;
SELECT test.make_all('checked');
SELECT * FROM test.unsound_work;
DELETE FROM mesflow.order_transitions WHERE 'checked' IN (from_status, to_status) OR 'paid' IN (from_status, to_status);
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('approved', 'in_production');

-- Other things that change meanwhile: the order's priority and date, and the operators. Who has work stays.
SELECT test.submit('changed', :'ten'), test.advance('changed', 'approved'), test.claim_work('changed', 1, 'anna');
SELECT mesflow.set_priority(test.id('changed'), 7), mesflow.set_due(test.id('changed'), '2031-05-01 10:00+00');
SELECT w.priority, w.due_at FROM mesflow.work_orders w WHERE w.id = test.w('changed', 1);
SELECT * FROM test.refused($$DELETE FROM mesflow.operators WHERE code = 'anna'$$);
SELECT test.answer($$UPDATE mesflow.operators SET code = 'hanna' WHERE code = 'anna'$$), test.answer($$UPDATE mesflow.operators SET name = 'Hanna', code = 'anna' WHERE code = 'anna'$$), test.answer($$DELETE FROM mesflow.operators WHERE code = 'carla'$$), test.answer($$UPDATE mesflow.operators SET code = 'clara' WHERE code = 'dora'$$);
SELECT test.make_all('changed');
SELECT * FROM test.unsound_work;

-- A number on a barcode, and names that are no names.
SELECT DISTINCT w.number ~ '^\d+-\d+$' AS number FROM mesflow.work_orders w;
SELECT * FROM test.unsound;
