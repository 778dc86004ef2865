-- What is on its way, what came of it, and sending it again. No worker serves this database: the test does what it would.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

CREATE FUNCTION test.told() RETURNS text LANGUAGE sql AS $$
  WITH news AS (DELETE FROM mesflow._delivery_news RETURNING number, coalesce(endpoint, 'all') || ' ' || what AS what)
  SELECT string_agg(n.what || CASE WHEN n.n > 1 THEN ' x ' || n.n ELSE '' END, ', ' ORDER BY n.first) FROM (SELECT what, count(*) AS n, min(number) AS first FROM news GROUP BY what) n
$$;

-- Events are known by their keys here.
CREATE FUNCTION test.id(key text) RETURNS bigint LANGUAGE sql AS $$ SELECT max(o.id) FROM mesflow.outbox o WHERE o.key = $1 $$;

-- The cursor passes all that is there.
CREATE FUNCTION test.pass(endpoint text) RETURNS void LANGUAGE sql AS $$
  UPDATE mesflow._cursors c SET (seen, floor_id, floor_xid) = (SELECT m.seen, m.floor_id, m.floor_xid FROM mesflow._mark() m), upto = NULL, upto_id = NULL, upto_xid = NULL, last_id = 0, done = NULL
   WHERE c.name = 'endpoint ' || $1
$$;
CREATE FUNCTION test.attempt(endpoint text, key text, attempt integer, status integer, error text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  INSERT INTO mesflow._attempts (endpoint, id, event, attempt, at, status, duration_us, error, response, span, slot)
    SELECT e.number, o.id, o.event, $3, clock_timestamp(), $4, 1500, $5, 'thanks', '\x0102030405060708', mesflow._ring_slot(clock_timestamp())
      FROM mesflow._endpoints e, mesflow.outbox o WHERE e.name = $1 AND o.id = test.id($2)
$$;
CREATE FUNCTION test.row(endpoint text, key text, state text, attempts integer DEFAULT 0, due_at timestamptz DEFAULT 'infinity') RETURNS void LANGUAGE sql AS $$
  INSERT INTO mesflow._pending (endpoint, id, event, key, state, due_at, attempts, last_status, last_error)
    SELECT $1, o.id, o.event, o.key, $3, $5, $4, CASE WHEN $4 > 0 THEN 503 END, CASE WHEN $4 > 0 THEN 'busy' END FROM mesflow.outbox o WHERE o.id = test.id($2)
$$;
CREATE FUNCTION test.die(endpoint text, key text) RETURNS bigint LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM mesflow._pending p WHERE p.endpoint = $1 AND p.id = test.id($2))
  INSERT INTO mesflow._dead_letters (endpoint, id, event, type, key, key_seq, order_id, partner, at, correlation_id, traceparent, body, reason, first_at, attempts, last_status, last_error)
    SELECT $1, o.id, o.event, o.type, o.key, o.key_seq, o.order_id, o.partner, o.at, o.correlation_id, o.traceparent, o.body, 'no tries left', now(), 13, 500, 'it answered 500'
      FROM mesflow.outbox o WHERE o.id = test.id($2) RETURNING number
$$;
CREATE VIEW test.deliveries AS
  SELECT d.endpoint, d.event_type, CASE WHEN d.order_id::text = d.key THEN 'an order' ELSE d.key END AS key, d.state, d.attempts, d.next_attempt_at IS NOT NULL AS again, d.last_status, d.last_error, d.delivered_at IS NOT NULL AS taken
    FROM mesflow.deliveries d ORDER BY d.endpoint, d.outbox_id;
CREATE VIEW test.pending AS
  SELECT p.endpoint, p.key, p.state, p.attempts, p.due_at <= clock_timestamp() AS due, p.letter IS NOT NULL AS letter FROM mesflow._pending p ORDER BY p.endpoint, p.id;

SELECT mesflow.create_endpoint('all', 'http://localhost:9/') \g /dev/null
SELECT mesflow.create_endpoint('some', 'http://localhost:9/', '{test.a,test.b.*}', options => '{"filter": "$.data.n > 1", "ordering": "none"}') \g /dev/null
SELECT mesflow.create_endpoint('acme', 'http://localhost:9/', partner => 'acme', options => '{"ordering": "strict"}') \g /dev/null

-- ---- not read yet ------------------------------------------------------------
SELECT count(*) FROM (SELECT mesflow.emit(t, k, d::jsonb, p) FROM (VALUES
  ('test.a', 'a1', '{"n": 1}', NULL), ('test.a', 'a2', '{"n": 2}', NULL), ('test.b', 'b2', '{"n": 2}', NULL), ('test.b.x', 'bx', '{"n": 2}', 'acme'), ('test.c', 'c', '{}', 'acme'), ('test.a', 'null', 'null', NULL)) v (t, k, d, p)) e;
SELECT mesflow.ping_endpoint('some') \g /dev/null
SELECT * FROM test.deliveries;
SELECT name, waiting FROM mesflow.endpoints ORDER BY name;

-- Done beyond the position.
UPDATE mesflow._cursors SET done = ARRAY[test.id('c'), test.id('a2')] WHERE name IN ('endpoint all', 'endpoint some');
SELECT endpoint, string_agg(key, ' ') FROM test.deliveries GROUP BY 1 ORDER BY 1;
SELECT name, waiting FROM mesflow.endpoints ORDER BY name;
-- In the middle of a set.
UPDATE mesflow._cursors c SET (upto, upto_id, upto_xid, last_id) = (SELECT m.seen, m.floor_id, m.floor_xid, test.id('b2') FROM mesflow._mark() m) WHERE name = 'endpoint all';
SELECT mesflow.emit('test.a', 'a3', '{"n": 3}') \g /dev/null
SELECT endpoint, string_agg(key, ' ') FROM test.deliveries GROUP BY 1 ORDER BY 1;
SELECT name, waiting FROM mesflow.endpoints ORDER BY name;
SELECT r AS reader, array_agg(o.key ORDER BY u) FROM unnest('{endpoint all,endpoint some,endpoint acme,mesflow timeline}'::text[]) r, mesflow._unread_ids(r) u JOIN mesflow.outbox o ON o.id = u GROUP BY 1 ORDER BY 1;

-- ---- what came of them ---------------------------------------------------------
SELECT test.pass(e) FROM unnest('{all,some,acme}'::text[]) e \g /dev/null
SELECT * FROM test.deliveries;
SELECT test.attempt('all', 'a1', 1, 204), test.attempt('all', 'a2', 1, 503), test.attempt('all', 'a2', 2, 200), test.attempt('all', 'c', 1, NULL, 'no connection'),
       test.row('all', 'c', 'retry', 1, now() + '1 h'), test.row('all', 'bx', 'parked'), test.row('all', 'b2', 'in_flight') \g /dev/null
SELECT test.row('all', 'a3', 'retry', 12, now()), test.attempt('all', 'a3', 13, 500, 'it answered 500') \g /dev/null
SELECT test.die('all', 'a3') AS letter \gset
SELECT * FROM test.deliveries;
SELECT endpoint, attempt, status, duration_ms, error, response, span_id FROM mesflow.delivery_attempts ORDER BY at;
SELECT endpoint, event_type, key, reason, attempts, last_status, last_error, body::jsonb -> 'data' AS data FROM mesflow.dead_letters;
SELECT name, waiting, dead, lag > '0' AS lags FROM mesflow.endpoints ORDER BY name;

-- ---- health -----------------------------------------------------------------------
SELECT status, regexp_replace(detail, '\d+:\d+:\d+', '...') AS detail, hint FROM mesflow.health() WHERE check_name = 'delivery';
SELECT mesflow.pause_endpoint('acme', 'moving'), mesflow.pause_endpoint('some', 'moving'), mesflow.emit('test.a', 'paused', '{"n": 9}') IS NULL;
UPDATE mesflow._pending SET first_at = now() - interval '10 min' WHERE key = 'c';
INSERT INTO mesflow._endpoint_troubles (endpoint, breaker, failing_since, last_error) VALUES ('all', 'open', now(), 'it answered 503');
SELECT status, regexp_replace(detail, '\d+:\d+:\d+', '...', 'g') AS detail, hint FROM mesflow.health() WHERE check_name = 'delivery';
UPDATE mesflow._pending SET first_at = now() - interval '2 h' WHERE key = 'c';
UPDATE mesflow._endpoints SET state = 'disabled', reason = 'it failed for days' WHERE name = 'acme';
SELECT status FROM mesflow.health() WHERE check_name = 'delivery';
SELECT mesflow.resume_endpoint('acme'), mesflow.resume_endpoint('some');
DELETE FROM mesflow._endpoint_troubles;
SELECT test.pass(e) FROM unnest('{all,some,acme}'::text[]) e \g /dev/null
SELECT test.told() \g /dev/null

-- ---- again --------------------------------------------------------------------------
SELECT mesflow.replay('all') AS "all", mesflow.replay('all') AS again, mesflow.replay('some') AS some, mesflow.replay('acme') AS acme;
SELECT test.told();
SELECT * FROM test.pending;
SELECT endpoint, string_agg(key || ' ' || state, ', ') FROM test.deliveries GROUP BY 1 ORDER BY 1;
DELETE FROM mesflow._pending;
SELECT mesflow.replay('all', event_types => '{test.b.*}') AS types, mesflow.replay('all', now() + '1 h') AS later, mesflow.replay('all', until => now() - interval '1 h') AS earlier,
       mesflow.replay('all', now() - interval '1 h', now() + interval '1 h', '{test.a}') AS hour, mesflow.replay('all', now() - interval '40 days', event_types => '{test.c}') AS long;
SELECT endpoint, string_agg(key, ' ' ORDER BY key) FROM test.pending GROUP BY 1;
DELETE FROM mesflow._pending;
-- What it has still to get is not doubled.
SELECT mesflow.emit('test.a', 'unread', '{"n": 5}') IS NULL, mesflow.replay('all', event_types => '{test.a}') AS replayed;
SELECT count(*) FROM mesflow.deliveries WHERE key = 'unread' AND endpoint = 'all';
SELECT test.pass('all') \g /dev/null
SELECT mesflow.replay('all', event_types => '{test.a}') AS and_now;
DELETE FROM mesflow._pending;
-- Of an order.
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT mesflow.submit_order('shop', 'D-1', jsonb_build_array(jsonb_build_object('model', :'cube', 'material', 'pla', 'process', 'fdm'))) AS "order" \gset
SELECT test.pass(e) FROM unnest('{all,some,acme}'::text[]) e \g /dev/null
SELECT mesflow.replay('all', order_id => :'order') AS "all", mesflow.replay('acme', order_id => :'order') AS acme;
SELECT * FROM test.deliveries WHERE key = 'an order' AND endpoint = 'all';
SELECT endpoint, event_type, state FROM mesflow.deliveries WHERE order_id = :'order' ORDER BY 1, outbox_id;
SELECT s.call, e.error FROM unnest(ARRAY['''no one''', 'NULL', '''all'', now(), now() - interval ''1 s''', '''all'', event_types => ''{}''', '''all'', order_id => ''00000000-0000-7000-8000-000000000000''']) s (call), test.error('SELECT mesflow.replay(' || s.call || ')') e
 WHERE e.error !~ 'detail: It begins';
DELETE FROM mesflow._pending;

-- An order's deliveries are found by indexes, and an event's, however long the log.
CREATE FUNCTION test.by_index(statement text) RETURNS TABLE (scan text, relation text) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || statement INTO plan;
  RETURN QUERY
    WITH RECURSIVE nodes (node) AS (SELECT plan -> 0 -> 'Plan' UNION ALL SELECT c FROM nodes, json_array_elements(node -> 'Plans') c)
    SELECT node ->> 'Node Type', regexp_replace(node ->> 'Relation Name', '_\d\d$', '') FROM nodes
     WHERE node ->> 'Relation Name' ~ '^(outbox|_attempts)_' AND node ->> 'Relation Name' LIKE '%' || lpad(mesflow._ring_slot(now())::text, 2, '0') GROUP BY 1, 2 ORDER BY 1, 2;
END
$$;
SELECT count(*) FROM (SELECT mesflow.emit('test.many', g::text, jsonb_build_object('n', 0, 'text', repeat('x', 1500))) FROM generate_series(1, 3000) g) e;
INSERT INTO mesflow._attempts (endpoint, id, event, attempt, at, status, duration_us, span, slot)
  SELECT e.number, o.id, o.event, 1, now(), 200, 1, '\x00', mesflow._ring_slot(now()) FROM mesflow._endpoints e, mesflow.outbox o WHERE e.name = 'all' AND o.type = 'test.many';
INSERT INTO mesflow._attempts (endpoint, id, event, attempt, at, status, duration_us, span, slot)
  SELECT e.number, 5000000 + g, gen_random_uuid(), 1, now(), 200, 1, '\x00', mesflow._ring_slot(now()) FROM mesflow._endpoints e, generate_series(1, 30000) g WHERE e.name = 'all';
SELECT test.pass('all') \g /dev/null
ANALYZE mesflow.outbox, mesflow._attempts;
SELECT * FROM test.by_index(format('SELECT * FROM mesflow.deliveries WHERE order_id = %L', :'order'));
SELECT relation, bool_or(scan = 'Seq Scan') AS whole FROM test.by_index(format('SELECT * FROM mesflow.deliveries WHERE event = %L', (SELECT event FROM mesflow.outbox WHERE type = 'test.many' LIMIT 1))) GROUP BY 1 ORDER BY 1;
SELECT state, count(*) FROM mesflow.deliveries WHERE event_type = 'test.many' GROUP BY 1;
DELETE FROM mesflow._attempts WHERE attempt = 1 AND duration_us = 1;

-- ---- dead letters -----------------------------------------------------------------------
SELECT test.told() \g /dev/null
SELECT mesflow.replay_dead('all', ARRAY[:letter], 'olga') AS replayed, mesflow.replay_dead('all', ARRAY[:letter]) AS again, mesflow.replay_dead() AS none, mesflow.replay_dead('some') AS of_others;
SELECT test.told();
SELECT * FROM test.pending;
SELECT resolved, resolved_by FROM mesflow._dead_letters;
SELECT endpoint, key, state, attempts FROM test.deliveries WHERE key = 'a3' AND endpoint = 'all';
SELECT * FROM test.error(format('SELECT mesflow.dismiss_dead(ARRAY[%s], %L)', :letter, 'x')) WHERE error !~ 'detail';
-- It dies again: another letter; then taken after all by a replay of the other kind.
SELECT test.die('all', 'a3') AS second \gset
SELECT endpoint, key, state FROM test.deliveries WHERE key = 'a3' AND endpoint = 'all';
SELECT mesflow.dismiss_dead(ARRAY[:second], 'nobody needs it', 'olga') AS dismissed, mesflow.dismiss_dead(ARRAY[:second], 'again') AS again;
SELECT test.told();
SELECT endpoint, key, state FROM test.deliveries WHERE key = 'a3' AND endpoint = 'all';
SELECT count(*) FROM mesflow.dead_letters;
SELECT resolved, resolved_by, resolved_reason FROM mesflow._dead_letters WHERE number = :second;
SELECT * FROM test.error(format('SELECT mesflow.replay_dead(ids => ARRAY[%s])', :second)) WHERE error !~ 'detail';
SELECT mesflow.replay('all', event_types => '{test.a}') > 0 AS replayed, test.attempt('all', 'a3', 1, 200);
DELETE FROM mesflow._pending;
SELECT endpoint, key, state, taken FROM test.deliveries WHERE key = 'a3' AND endpoint = 'all';
-- Taken, sent again by somebody, and given up this time.
SELECT test.die('all', 'a1') AS third \gset
SELECT endpoint, key, state FROM test.deliveries WHERE key = 'a1' AND endpoint = 'all';
SELECT mesflow.dismiss_dead(ARRAY[:third], 'it had it');
SELECT s.call, regexp_replace(e.error, 'letter \d+', 'letter N') AS error FROM unnest(ARRAY['replay_dead(''no one'')', 'replay_dead(ids => ''{987654321}'')', 'replay_dead(ids => ''{NULL}'')', 'dismiss_dead(NULL, ''x'')', 'dismiss_dead(''{987654321}'', ''x'')', 'dismiss_dead(''{1}'', '''')']) s (call), test.error('SELECT mesflow.' || s.call) e;
-- Many, of several endpoints, two for one event; one endpoint is dropped meanwhile.
SELECT test.die('all', 'bx') IS NULL, test.die('acme', 'bx') IS NULL, test.die('acme', 'bx') IS NULL, test.die('some', 'bx') IS NULL, test.die('some', 'a2') IS NULL;
SELECT mesflow.drop_endpoint('some');
SELECT endpoint, key, state FROM test.deliveries WHERE state = 'dead';
SELECT * FROM test.error($$SELECT mesflow.replay_dead('some')$$);
SELECT regexp_replace(error, 'letter \d+', 'letter N') AS error FROM test.error($$SELECT mesflow.replay_dead(ids => ARRAY(SELECT id FROM mesflow.dead_letters WHERE endpoint = 'some'))$$);
SELECT regexp_replace(error, 'letter \d+', 'letter N') AS error FROM test.error($$SELECT mesflow.replay_dead('all', ARRAY(SELECT id FROM mesflow.dead_letters WHERE endpoint = 'some'))$$);
SELECT mesflow.replay_dead() AS replayed;
SELECT * FROM test.pending;
SELECT mesflow.dismiss_dead(ARRAY(SELECT id FROM mesflow.dead_letters), 'the endpoint is gone');
SELECT endpoint, state FROM mesflow.deliveries WHERE endpoint = 'some';
SELECT endpoint, attempt FROM mesflow.delivery_attempts WHERE endpoint ~ 'dropped';

-- ---- retention ---------------------------------------------------------------------------
-- A letter that is on its way again stays, and brings the event where the outbox has forgotten it.
UPDATE mesflow._dead_letters SET died_at = now() - interval '91 days';
INSERT INTO mesflow._dead_letters (endpoint, id, event, type, key, at, body, reason, first_at, died_at, attempts)
  SELECT 'all', 1000000 + g, gen_random_uuid(), 'old.type', 'old ' || g, now(), '{"type": "old.type"}', 'x', now(), now() - interval '100 days', 3 FROM generate_series(1, 2) g;
SELECT mesflow.replay_dead('all', ARRAY(SELECT id FROM mesflow.dead_letters WHERE key = 'old 1'));
SELECT test.told() \g /dev/null
CALL mesflow.keep_dead_letters();
SELECT test.told();
SELECT endpoint, key, resolved FROM mesflow._dead_letters ORDER BY number;
SELECT endpoint, event_type, key, state FROM mesflow.deliveries WHERE event_type = 'old.type';
SELECT id, type, key, body FROM mesflow._events_by_id('{1000001,1000002,NULL,-5}');
SELECT array_agg(key ORDER BY id) FROM mesflow._events_by_id(ARRAY[test.id('a1'), test.id('c'), test.id('a1'), 1000001]);
DELETE FROM mesflow._pending WHERE key LIKE 'old%';

INSERT INTO mesflow._attempts SELECT a.endpoint, a.id, a.event, 99, a.at - interval '20 days', a.status, a.duration_us, a.error, a.response, a.span, mesflow._ring_slot(a.at - interval '20 days') FROM mesflow._attempts a LIMIT 1;
CALL mesflow.keep_attempts();
SELECT count(*) FILTER (WHERE attempt = 99) AS old, count(*) > 0 AS others FROM mesflow.delivery_attempts;

-- A part of the outbox to which a delivery points is kept.
SELECT test.pass(e) FROM unnest('{all,acme}'::text[]) e \g /dev/null
SELECT mesflow._start_timeline();
SELECT mesflow._copy_timeline(10000) > 0;
DELETE FROM mesflow._pending;
SELECT mesflow._readers_past(mesflow._ring_slot(now())) AS past;
SELECT test.row('all', 'c', 'retry', 1, now());
SELECT mesflow._readers_past(mesflow._ring_slot(now())) AS past, (SELECT array_agg(h) FROM mesflow._held_by(mesflow._ring_slot(now())) h) AS held_by;
UPDATE mesflow._pending SET letter = 1;
SELECT mesflow._readers_past(mesflow._ring_slot(now())) AS past;
DELETE FROM mesflow._pending;

-- ---- waiting until all is tried ------------------------------------------------------------
SELECT mesflow.drain('0') AS nothing_waits;
SELECT mesflow.emit('test.a', 'd1', '{}', 'acme') \g /dev/null
SELECT mesflow.drain('10 ms') AS unread, mesflow.drain('-1 s') AS negative;
SELECT mesflow.pause_endpoint('all', 'x');
SELECT test.pass('acme');
SELECT mesflow.drain('0') AS paused_does_not_count;
SELECT mesflow.resume_endpoint('all');
SELECT test.pass('all');
-- What this transaction writes does not count.
BEGIN;
SELECT mesflow.emit('test.a', 'own', '{}') \g /dev/null
SELECT mesflow.drain('0') AS own;
ROLLBACK;
SELECT test.row('all', 'd1', 'replay', 0, now());
SELECT mesflow.drain('0') AS replay;
UPDATE mesflow._pending SET attempts = 1, state = 'retry';
SELECT mesflow.drain('0') AS tried;
SELECT mesflow.emit('test.a', 'd1', '{}') \g /dev/null
SELECT test.row('all', 'd1', 'replay', 0, now()), test.pass('all'), test.pass('acme');
SELECT mesflow.drain('0') AS behind_one;
SELECT mesflow.alter_endpoint('all', '{"ordering": "none"}');
SELECT mesflow.drain('0') AS beside_one;
DELETE FROM mesflow._pending;
SELECT test.die('acme', 'bx') IS NULL, mesflow.emit('test.a', 'bx', '{}', 'acme') IS NULL;
SELECT test.pass('all'), test.pass('acme'), test.row('acme', 'bx', 'replay', 0, now());
SELECT mesflow.drain('0') AS behind_a_dead_one;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM test.error('SELECT mesflow.drain(''1 s'')');
COMMIT;
SELECT * FROM test.error('SELECT mesflow.drain(NULL)');

-- ---- a restored database -----------------------------------------------------------------------
DELETE FROM mesflow._pending;
SELECT mesflow.alter_endpoint('all', '{"filter": "$.data.n > 1"}');
SELECT mesflow.emit('test.a', 'r' || n, jsonb_build_object('n', n)) FROM generate_series(1, 4) n \g /dev/null
SELECT mesflow.ping_endpoint('all') IS NULL, mesflow.ping_endpoint('acme') IS NULL;
-- As a dump of another database would be: events and readers are of that one.
SET session_replication_role = replica;
UPDATE mesflow.outbox SET origin = 7;
RESET session_replication_role;
UPDATE mesflow._cursors SET origin = 7, done = CASE name WHEN 'endpoint all' THEN ARRAY[test.id('r2')] END;
SELECT endpoint, string_agg(key, ' ') FROM test.deliveries WHERE state = 'waiting' GROUP BY 1 ORDER BY 1;
SELECT mesflow.emit('test.a', 'here', '{"n": 9}') \g /dev/null
SELECT endpoint, string_agg(key, ' ') FROM test.deliveries WHERE state = 'waiting' GROUP BY 1 ORDER BY 1;
SELECT mesflow.rebase(), mesflow.rebase();
SELECT * FROM test.pending;
SELECT endpoint, string_agg(key, ' ') FROM test.deliveries WHERE state = 'waiting' GROUP BY 1 ORDER BY 1;
SELECT name, done, origin = mesflow._origin() AS ours FROM mesflow._cursors ORDER BY 1;
SELECT count(*) FROM mesflow._cursor_backlog WHERE reader LIKE 'endpoint%';
