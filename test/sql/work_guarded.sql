-- Work on the floor where others write along: search paths and triggers of their own, orders that cannot be written,
-- statuses that a company adds, operators who are capped, retired or logged in.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\set work :srcdir '/sql/work.psql'
\i :common
\i :orders
\i :work
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT jsonb_build_array(test.item(:'ring', 10)) AS ten, jsonb_build_array(test.item(:'ring', 10), test.item(:'ring', 3)) AS two \gset

CREATE FUNCTION test.approved(name text, items jsonb, priority integer DEFAULT 0) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM test.submit($1, $2);
  PERFORM mesflow.set_priority(test.id($1), $3);
  RETURN test.advance($1, 'approved');
END
$$;

-- Claims go by priority though no table was ever analyzed, in a session whose plans are all new.
SELECT string_agg(test.approved('priority ' || p, :'ten', p), ' ') FROM unnest(ARRAY[3, 6, 1, 5, 2, 4]) p;
SELECT count(*) AS analyzed FROM pg_class c WHERE c.oid IN ('mesflow.orders'::regclass, 'mesflow._work_orders'::regclass, 'mesflow.dashboard_dispatch'::regclass) AND c.reltuples >= 0;
\c -
SET search_path = public;
SELECT c.n, w.priority FROM (VALUES (1, 'anna'), (2, 'boris'), (3, 'anna'), (4, 'boris')) c (n, operator), mesflow.claim_work(c.operator) w ORDER BY 1;
SELECT string_agg(w.priority::text, ' ') AS rest FROM mesflow.claim_work('anna', limit_to => 10) w;
-- More than one look at the list takes.
SELECT count(test.approved('many ' || n, :'ten', n * 7 % 50)) AS approved FROM generate_series(1, 150) n;
CREATE TABLE test.claimed (n serial, priority integer);
\c -
SET search_path = public;
CREATE TEMPORARY VIEW claimed AS
  SELECT count(*) AS claimed, count(*) FILTER (WHERE c.priority > c.last) AS out_of_order, min(c.priority) AS least
    FROM (SELECT k.priority, lag(k.priority) OVER (ORDER BY k.n) AS last FROM test.claimed k) c;
INSERT INTO test.claimed (priority) SELECT w.priority FROM mesflow.claim_work('anna') w;
INSERT INTO test.claimed (priority) SELECT w.priority FROM generate_series(2, 4) n, mesflow.claim_work('boris', limit_to => n) w;
INSERT INTO test.claimed (priority) SELECT w.priority FROM mesflow.claim_work('anna', limit_to => 100) w;
SELECT * FROM claimed;
INSERT INTO test.claimed (priority) SELECT w.priority FROM mesflow.claim_work('boris', limit_to => 100) w;
SELECT * FROM claimed;
SELECT * FROM test.unsound_work;
\c -
\pset footer off
SET search_path = public;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Operators that a manager puts before ours. What mesflow does as its owner in the triggers of an order never calls them.
CREATE ROLE regress_mesflow_mallory IN ROLE mesflow_manager;
CREATE SCHEMA own AUTHORIZATION regress_mesflow_mallory;
CREATE TABLE own.calls (who text, operator text);
GRANT INSERT, SELECT ON own.calls TO PUBLIC;
SELECT test.submit('mallory', :'ten');
SET ROLE regress_mesflow_mallory;
SET search_path = own, pg_catalog;
DO $$
DECLARE
  type text;
  name text;
BEGIN
  FOREACH type IN ARRAY '{text,uuid,int4,int8,bool,timestamptz,date}'::text[] LOOP
    FOREACH name IN ARRAY '{=,<>,<,<=,>,>=}'::text[] LOOP
      EXECUTE format('CREATE FUNCTION own.%I(a %s, b %s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO own.calls VALUES (current_user, %L); RETURN a OPERATOR(pg_catalog.%s) b; END $f$',
                     type || name, type, type, format('%s %s', type, name), name);
      EXECUTE format('CREATE OPERATOR own.%s (FUNCTION = own.%I, LEFTARG = %s, RIGHTARG = %s)', name, type || name, type, type);
    END LOOP;
  END LOOP;
END
$$;
SELECT 'a'::text = 'b'::text AS same;
SELECT DISTINCT who, operator FROM own.calls;
UPDATE mesflow.orders SET status = 'approved' WHERE external_ref OPERATOR(pg_catalog.=) 'mallory' RETURNING status;
UPDATE mesflow.orders SET priority = 5, due_at = '2031-05-01 10:00+00' WHERE external_ref OPERATOR(pg_catalog.=) 'mallory' RETURNING priority, due_at;
UPDATE mesflow.orders SET status = 'on_hold' WHERE external_ref OPERATOR(pg_catalog.=) 'mallory' RETURNING status;
UPDATE mesflow.orders SET status = 'approved' WHERE external_ref OPERATOR(pg_catalog.=) 'mallory' RETURNING status;
SELECT w.operation, w.state FROM mesflow.work_orders w JOIN mesflow.orders o ON o.id OPERATOR(pg_catalog.=) w.order_id WHERE o.external_ref OPERATOR(pg_catalog.=) 'mallory' ORDER BY w.step;
RESET ROLE;
RESET search_path;
SET search_path = public;
SELECT test.make('mallory', 1, 8, 2), test.claim_work('mallory', 2, 'anna'), test.start_work('mallory', 2, 'anna');
SET ROLE regress_mesflow_mallory;
SET search_path = own, pg_catalog;
UPDATE mesflow.orders SET status = 'on_hold' WHERE external_ref OPERATOR(pg_catalog.=) 'mallory' RETURNING status;
RESET ROLE;
SET search_path = public;
SELECT test.finish_work('mallory', 2, 'anna', 8);
SET ROLE regress_mesflow_mallory;
SET search_path = own, pg_catalog;
UPDATE mesflow.orders SET status = 'in_production' WHERE external_ref OPERATOR(pg_catalog.=) 'mallory' RETURNING status;
UPDATE mesflow.orders SET status = 'cancelled' WHERE external_ref OPERATOR(pg_catalog.=) 'mallory' RETURNING status;
-- Verbs, too.
RESET ROLE;
SET search_path = public;
SELECT test.approved('mallory too', :'two'), test.make('mallory too', 1, 8, 2);
SELECT i.id AS item FROM mesflow._order_items i WHERE i.order_id = test.id('mallory too') AND i.position = 2 \gset
SELECT test.w('mallory too', 1) AS first \gset
SET ROLE regress_mesflow_mallory;
SET search_path = own, pg_catalog;
SELECT good, scrap FROM mesflow.correct_work(:'first', 9, 1, 'counted again', 'greta');
SELECT good, scrap FROM mesflow.correct_work(:'first', 7, 1, 'counted again', 'greta');
SELECT mesflow.cancel_item(:'item', 'not wanted');
RESET ROLE;
SET search_path = public;
SELECT * FROM test.floor('mallory');
SELECT * FROM test.floor('mallory too');
SELECT who, operator, count(*) FROM own.calls WHERE who <> 'regress_mesflow_mallory' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM test.unsound_work;
SET client_min_messages = warning;
DROP SCHEMA own CASCADE;
RESET client_min_messages;
DROP ROLE regress_mesflow_mallory;

-- An order that cannot be written keeps its claim that is over, and nobody else's.
CREATE FUNCTION test.over(VARIADIC names text[]) RETURNS bigint LANGUAGE sql AS $$
  WITH w AS (UPDATE mesflow._work_orders k SET lease_until = k.assigned_at + interval '1 us' WHERE k.state = 'assigned' AND k.order_id IN (SELECT test.id(n) FROM unnest($1) n) RETURNING 1) SELECT count(*) FROM w
$$;
CREATE FUNCTION test.stick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.external_ref = 'stuck' THEN
    RAISE 'this order is closed for accounting';
  END IF;
  RETURN NEW;
END
$$;
SELECT test.submit(n, :'ten'), test.advance(n, 'approved'), test.claim_work(n, 1, 'anna') FROM unnest('{stuck,free,also free}'::text[]) n;
SELECT test.over('stuck', 'free', 'also free');
CREATE TRIGGER stick BEFORE UPDATE ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.stick();
\set VERBOSITY terse
SELECT o.external_ref FROM mesflow.claim_work('boris', limit_to => 2) w JOIN mesflow.orders o ON o.id = w.order_id ORDER BY 1;
SELECT mesflow._return_abandoned(10);
\set VERBOSITY default
SELECT x.name, f.state, f.operator FROM unnest('{stuck,free,also free}'::text[]) x (name), test.floor(x.name) f WHERE f.step = '1/2';
SELECT string_agg(e.type, ' ' ORDER BY e.id) FROM mesflow.outbox e WHERE e.order_id = test.id('stuck') AND e.key_seq > 3;
DROP TRIGGER stick ON mesflow.orders;
SELECT mesflow._return_abandoned(10);
SELECT x.name, f.state, f.operator FROM unnest('{stuck,free,also free}'::text[]) x (name), test.floor(x.name) f WHERE f.step = '1/2';
SELECT * FROM test.unsound_work;

-- A company's own status without work, from and to which orders come while the operations of the process change: planned
-- anew, each lot keeps to the operations of its own plan.
INSERT INTO mesflow.order_statuses (status, position, label) VALUES ('parked', 56, 'Parked');
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('in_production', 'parked'), ('parked', 'in_production');
SELECT test.submit('plans', :'ten'), test.advance('plans', 'approved'), test.make('plans', 1, 10), test.make('plans', 2, 6, 1), test.advance('plans', 'parked');
UPDATE mesflow.processes SET operations = '{heat,print,polish,finish,pack}' WHERE code = 'fdm';
SELECT test.advance('plans', 'in_production');
SELECT * FROM test.floor('plans');
-- Scrap of the new plan is made again by the new operations.
SELECT test.make('plans', 5, 4), test.make('plans', 6, 4), test.make('plans', 7, 2, 2, 'print');
SELECT * FROM test.floor('plans') WHERE n > 9;
-- What the old one has less, by the old ones; the new one's are not to be had there.
SELECT test.correct_work('plans', 2, 5, 2, repeat_from => 'polish'), test.correct_work('plans', 2, 5, 2, repeat_from => 'finish'), test.correct_work('plans', 2, 4, 3);
SELECT * FROM test.floor('plans') WHERE n > 12;
SELECT test.correct_work('plans', 7, 1, 3, repeat_from => 'heat'), test.correct_work('plans', 7, 4, 0) AS more;
SELECT * FROM test.floor('plans') WHERE n > 12;
SELECT * FROM test.unsound_work;
UPDATE mesflow.processes SET operations = '{print,finish}' WHERE code = 'fdm';
SELECT test.advance('plans', 'parked');
DELETE FROM mesflow.order_transitions WHERE 'parked' IN (from_status, to_status);
SELECT * FROM test.unsound_work;

-- A company's trigger, before our checks, that approves what is urgent: a priority is set, and the order has its work.
CREATE FUNCTION test.approve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'priced' AND NEW.priority >= 10 AND OLD.priority < 10 THEN
    NEW.status := 'approved';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER approve_urgent BEFORE UPDATE ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.approve();
SELECT test.submit(n, :'ten') FROM unnest('{verb,update}'::text[]) n;
SELECT mesflow.set_priority(test.id('verb'), 9);
SELECT mesflow.set_priority(test.id('verb'), 10);
UPDATE mesflow.orders SET priority = 11 WHERE id = test.id('update');
DROP TRIGGER approve_urgent ON mesflow.orders;
SELECT x.name, o.status, o.priority, f.operation, f.state, f.quantity FROM unnest('{verb,update}'::text[]) x (name) JOIN mesflow.orders o ON o.id = test.id(x.name), test.floor(x.name) f;
SELECT test.make('verb', 1, 10), test.make('verb', 2, 10);
SELECT o.status FROM mesflow.orders o WHERE o.id = test.id('verb');
SELECT * FROM test.unsound_work;

-- Steps of a company's between a hold and the end of production: who holds an order decides when it goes on.
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('on_hold', 'produced'), ('produced', 'on_hold');
SELECT test.submit('held', :'ten'), test.advance('held', 'approved'), test.make('held', 1, 10), test.claim_work('held', 2, 'anna'), test.start_work('held', 2, 'anna'), test.advance('held', 'on_hold');
SELECT test.finish_work('held', 2, 'anna', 10);
SELECT o.status, o.held_from FROM mesflow.orders o WHERE o.id = test.id('held');
SELECT * FROM test.unsound_work;
SELECT mesflow.advance_order(test.id('held'), 'in_production');
SELECT o.status, o.held_from FROM mesflow.orders o WHERE o.id = test.id('held');
-- Held when it was produced, its counts are put right, and nobody makes anything of it.
SELECT test.advance('held', 'on_hold'), test.correct_work('held', 2, 7, 3), test.correct_work('held', 1, 9, 0);
SELECT o.status, o.held_from FROM mesflow.orders o WHERE o.id = test.id('held');
SELECT * FROM test.floor('held');
SELECT test.advance('held', 'produced'), test.correct_work('held', 2, 9, 0);
SELECT * FROM test.floor('held');
DELETE FROM mesflow.order_transitions WHERE (from_status, to_status) IN (('on_hold', 'produced'), ('produced', 'on_hold'));
SELECT * FROM test.unsound_work;

-- A company's trigger that changes an order whose work is told of: its events have the numbers after ours, in the order of the ids.
CREATE FUNCTION test.hurry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mesflow.set_priority(NEW.id, NEW.priority + 1);
  RETURN NULL;
END
$$;
CREATE FUNCTION test.events_of(name text, after bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(e.key_seq || ' ' || e.type, ', ' ORDER BY e.id) FROM mesflow.outbox e WHERE e.order_id = test.id($1) AND e.key_seq > $2
$$;
SELECT test.submit(n, :'ten') FROM unnest('{first,last}'::text[]) n;
-- Between ours, and after all of ours.
CREATE TRIGGER "05_hurry" AFTER UPDATE ON mesflow.orders FOR EACH ROW WHEN (NEW.external_ref = 'first' AND NEW.priority = 0) EXECUTE FUNCTION test.hurry();
CREATE TRIGGER zz_hurry AFTER UPDATE ON mesflow.orders FOR EACH ROW WHEN (NEW.external_ref = 'last' AND NEW.priority = 0) EXECUTE FUNCTION test.hurry();
SELECT n, test.advance(n, 'approved'), o.event_seq FROM unnest('{first,last}'::text[]) n JOIN mesflow.orders o ON o.id = test.id(n);
SELECT n, test.events_of(n, 2) FROM unnest('{first,last}'::text[]) n;
-- As if its priority had never been raised.
CREATE FUNCTION test.calm() RETURNS void LANGUAGE sql AS $$ SET session_replication_role = replica; UPDATE mesflow.orders SET priority = 0 WHERE external_ref IN ('first', 'last'); SET session_replication_role = origin $$;
SELECT test.calm() \g /dev/null
SELECT n, test.claim_work(n, 1, 'anna') FROM unnest('{first,last}'::text[]) n;
SELECT test.calm() \g /dev/null
SELECT n, test.start_work(n, 1, 'anna') FROM unnest('{first,last}'::text[]) n;
SELECT test.calm() \g /dev/null
SELECT n, test.finish_work(n, 1, 'anna', 8, 2) FROM unnest('{first,last}'::text[]) n;
SELECT test.calm() \g /dev/null
SELECT n, test.correct_work(n, 1, 7, 2) FROM unnest('{first,last}'::text[]) n;
SELECT n, test.events_of(n, 5) FROM unnest('{first,last}'::text[]) n;
SELECT test.calm() \g /dev/null
SELECT n, test.advance(n, 'on_hold', 'cancelled') FROM unnest('{first,last}'::text[]) n;
SELECT * FROM test.unsound_work;
DROP TRIGGER "05_hurry" ON mesflow.orders;
DROP TRIGGER zz_hurry ON mesflow.orders;

-- Who came as an operator stays that one, whatever role it sets.
SELECT test.submit('login', :'ten'), test.advance('login', 'approved'), test.claim_work('login', 1, 'boris');
SELECT test.w('login', 1) AS one \gset
UPDATE mesflow.operators SET login = 'regress_mesflow_anna' WHERE code = 'anna';
CREATE ROLE regress_mesflow_anna IN ROLE mesflow_operator;
SET SESSION AUTHORIZATION regress_mesflow_anna;
SET ROLE mesflow_operator;
SELECT mesflow.claim_work('boris');
SELECT mesflow.claim_work_order(:'one', 'boris');
SELECT mesflow.start_work(:'one', 'boris');
SELECT mesflow.finish_work(:'one', 'boris', 10);
SELECT mesflow.release_work(:'one', 'boris', 'not hers');
SELECT count(*) > 0 AS claims FROM mesflow.claim_work('anna');
RESET ROLE;
SELECT mesflow.claim_work('boris');
RESET SESSION AUTHORIZATION;
UPDATE mesflow.operators SET login = NULL WHERE code = 'anna';
DROP ROLE regress_mesflow_anna;
SELECT * FROM test.unsound_work;

-- A claim that is over does not count for a cap: it goes back to the list.
INSERT INTO mesflow.operators (code, name, max_claims) VALUES ('carla', 'Carla', 1), ('dora', 'Dora', NULL);
SELECT test.submit(n, :'ten'), test.advance(n, 'approved') FROM unnest('{one,two}'::text[]) n;
SELECT test.claim_work('one', 1, 'carla'), test.claim_work('two', 1, 'carla') AS capped, test.answer('SELECT mesflow.claim_work(''carla'')') AS capped_too;
SELECT test.over('one'), test.claim_work('two', 1, 'carla') AS again;
SELECT x.name, f.state, f.operator FROM unnest('{one,two}'::text[]) x (name), test.floor(x.name) f WHERE f.step = '1/2';
SELECT test.over('two'), (SELECT count(*) FROM mesflow.claim_work('carla')) AS claims;
SELECT count(*) AS has FROM mesflow._work_orders w WHERE w.operator = 'carla' AND w.state IN ('assigned', 'started');
-- What was started is never over.
SELECT w.id AS id FROM mesflow._work_orders w WHERE w.operator = 'carla' AND w.state = 'assigned' \gset
SELECT state FROM mesflow.start_work(:'id', 'carla');
SELECT test.answer('SELECT mesflow.claim_work(''carla'')');
-- A cap is counted exactly, or not at all.
SELECT test.submit('exact', :'ten'), test.advance('exact', 'approved');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM test.error('SELECT mesflow.claim_work(''carla'')');
SELECT * FROM test.error(format('SELECT mesflow.claim_work_order(%L, ''carla'')', test.w('exact', 1)));
SELECT count(*) AS without_cap FROM mesflow.claim_work('dora');
COMMIT;
SELECT * FROM test.unsound_work;

-- Who is retired gets nothing more, and the same answer to what was asked before.
SELECT test.submit(n, :'ten'), test.advance(n, 'approved') FROM unnest('{three,four}'::text[]) n;
SELECT string_agg(w.id::text, ' ') AS given FROM mesflow.claim_work('dora', request_id => '00000000-0000-4000-8000-000000000001') w \gset
UPDATE mesflow.operators SET active = false WHERE code = 'dora';
SELECT count(*), string_agg(w.id::text, ' ') = :'given' AS same, string_agg(w.state, ' ') AS state FROM mesflow.claim_work('dora', request_id => '00000000-0000-4000-8000-000000000001') w;
SELECT * FROM test.error('SELECT mesflow.claim_work(''dora'')');
SELECT * FROM test.error('SELECT mesflow.claim_work(''dora'', request_id => ''00000000-0000-4000-8000-000000000002'')');
SELECT * FROM test.unsound_work;
