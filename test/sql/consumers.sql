-- Reading the outbox: consumers, their filters and batches, acks, lag, what a batch costs, and copies.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set planted :srcdir '/sql/planted.psql'
\i :common
\i :planted

\set ECHO none
CREATE FUNCTION test.emit(type text, VARIADIC keys text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(mesflow.emit($1, k, '{}')) FROM unnest(keys) k
$$;
CREATE FUNCTION test.number(key text) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT max(id) FROM mesflow.outbox o WHERE o.key = $1 $$;
CREATE FUNCTION test.consume(name text, most integer DEFAULT 1000) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(e.key, ' ') FROM mesflow.consume($1, $2) e
$$;
-- Where a cursor stands, without numbers that differ from run to run.
CREATE VIEW test.cursors AS
  SELECT c.name, c.upto IS NOT NULL AS inside, c.last_id > 0 AS has_position, (SELECT o.key FROM mesflow.outbox o WHERE o.id = c.batch_id) AS batch,
         c.batch_events, c.acked_at IS NOT NULL AS acked, (SELECT count(*) FROM mesflow._cursor_backlog b WHERE b.reader = c.name) AS backlog
    FROM mesflow._cursors c WHERE c.kind = 'consumer' ORDER BY 1;
CREATE FUNCTION test.as_before(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT xmin::text::bigint FROM mesflow._cursors c WHERE c.name = $1 $$;
\set ECHO all

-- Making them, and what is refused.
SELECT mesflow.create_consumer('all');
SELECT mesflow.create_consumer('some', '{shop.*,stock.low}');
SELECT mesflow.create_consumer('some', '{shop.*,stock.low}');
SELECT mesflow.create_partner('acme', 'Acme Parts') \g /dev/null
SELECT mesflow.create_consumer('acme', partner => 'acme', system => 'crm');
SELECT name, event_types, partner, system, lag_events, lag, acked_at FROM mesflow.consumers ORDER BY 1;
SELECT * FROM test.error($$SELECT mesflow.create_consumer('some', '{shop.*}')$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer('acme')$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer('x', partner => 'nobody')$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer('x', system => 'nothing')$$);
SELECT t, e.error FROM unnest(ARRAY['', 'shop', 'shop.paid', 'shop.*', '*', '*.paid', 'shop*', 'shop.', '.shop', 'a..b', 'Shop', 'a b', '**', '*.*', NULL]) WITH ORDINALITY u (t, n),
       LATERAL test.error(format('SELECT mesflow.create_consumer(%L, %L)', 'p' || n, ARRAY[t])) e WHERE e.error !~ 'hint:' ORDER BY n;
SELECT * FROM test.error($$SELECT mesflow.create_consumer('x', '{}')$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer('x', NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer('x', '{{a,b},{c,d}}')$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer('')$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer(NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer(repeat('x', 101))$$) WHERE error !~ 'detail';
SELECT mesflow.drop_consumer(name) FROM mesflow.consumers WHERE name ~ '^p\d+$' \g /dev/null
SELECT * FROM test.error($$SELECT mesflow.drop_consumer('p1')$$);
SELECT * FROM test.error($$SELECT mesflow.drop_consumer(NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.consume('nobody')$$);
SELECT * FROM test.error($$SELECT mesflow.consume(NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.consume('all', 0)$$);
SELECT * FROM test.error($$SELECT mesflow.consume('all', 100001)$$);
SELECT * FROM test.error($$SELECT mesflow.consume('all', NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.ack('nobody')$$);
BEGIN READ ONLY;
SELECT * FROM test.error($$SELECT mesflow.consume('all')$$);
SELECT * FROM test.error($$SELECT mesflow.ack('all')$$);
COMMIT;

-- Nothing to read, nothing to ack, nothing written.
BEGIN;
SELECT test.consume('all');
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;
SELECT mesflow.ack('all');
SELECT * FROM test.error($$SELECT mesflow.ack('all', 1)$$);

-- A batch is the same until it is acked, whatever its size is said to be.
SELECT test.emit('shop.paid', 'a', 'b', 'c'), test.emit('stock.low', 'd'), test.emit('stock.high', 'e'), test.emit('shopper.left', 'f');
SELECT test.consume('all', 3);
SELECT test.consume('all', 1);
SELECT test.consume('all', 100);
SELECT * FROM test.cursors WHERE name = 'all';
SELECT type, key, key_seq, order_id, partner, actor = current_user AS actor, body::jsonb ->> 'type' AS body FROM mesflow.consume('all', 100);
SELECT lag_events, lag > '0' AS lag, acked_at FROM mesflow.consumers WHERE name = 'all';
-- A part of it.
SELECT mesflow.ack('all', test.number('b'));
SELECT test.consume('all', 100);
SELECT lag_events FROM mesflow.consumers WHERE name = 'all';
SELECT split_part(error, ':', 1) AS error FROM test.error(format('SELECT mesflow.ack(%L, %s)', 'all', test.number('b')));
SELECT split_part(error, ':', 1) AS error FROM test.error(format('SELECT mesflow.ack(%L, %s)', 'all', test.number('d')));
SELECT mesflow.ack('all', test.number('c'));
SELECT mesflow.ack('all');
SELECT test.consume('all', 100);
SELECT mesflow.ack('all');
SELECT mesflow.ack('all');
SELECT test.consume('all');
SELECT * FROM test.cursors WHERE name = 'all';
SELECT lag_events, lag, acked_at IS NOT NULL AS acked FROM mesflow.consumers WHERE name = 'all';

-- Filters: what does not match is passed over; an ack names only what was handed out.
SELECT lag_events FROM mesflow.consumers WHERE name = 'some';
SELECT test.consume('some', 3);
SELECT split_part(error, ':', 1) AS error FROM test.error(format('SELECT mesflow.ack(%L, %s)', 'some', test.number('d')));
SELECT mesflow.ack('some', test.number('c'));
SELECT test.consume('some', 3);
SELECT split_part(error, ':', 1) AS error FROM test.error(format('SELECT mesflow.ack(%L, %s)', 'some', test.number('e')));
SELECT mesflow.ack('some');
SELECT test.consume('some');
SELECT test.emit('other.type', 'g', 'h');
SELECT lag_events FROM mesflow.consumers WHERE name = 'some';
SELECT test.consume('some');
SELECT * FROM test.cursors WHERE name = 'some';
SELECT test.as_before('some') AS before \gset
SELECT test.consume('some');
SELECT test.as_before('some') = :before AS not_written;
SELECT test.emit('other.type', 'i'), test.emit('shop.sent', 'j'), test.emit('other.type', 'k');
SELECT test.consume('some');
SELECT mesflow.ack('some');
SELECT test.consume('all');
SELECT mesflow.ack('all');

-- One partner's, and receipts of a system.
SELECT mesflow.emit('shop.paid', 'l', '{}', partner => 'acme') IS NOT NULL AS acme, mesflow.emit('shop.paid', 'm', '{}', partner => 'shop') IS NOT NULL AS shop,
       mesflow.emit('shop.paid', 'n', '{}') IS NOT NULL AS nobody;
SELECT test.consume('acme');
SELECT mesflow.ack('acme');

SELECT test.plant(10001, 'A') AS a, test.plant(10002, 'B') AS b \gset
SELECT mesflow.create_consumer('crm', '{crm.*}', system => 'crm');
SELECT mesflow.emit('crm.note', 'note 1', '{}', order_id => :'a') IS NOT NULL AS a, mesflow.emit('crm.note', 'note 2', '{}', order_id => :'a') IS NOT NULL AS a,
       mesflow.emit('crm.note', 'note 3', '{}') IS NOT NULL AS none, mesflow.emit('crm.note', 'note 4', '{}', order_id => :'b') IS NOT NULL AS b;
SELECT test.consume('crm');
CREATE VIEW test.receipts AS
  SELECT o.external_ref, r.system, r.received_at IS NOT NULL AS received, r.via FROM mesflow._receipts r JOIN mesflow.orders o ON o.id = r.order_id ORDER BY 1;
SELECT mesflow.ack('crm', test.number('note 3'));
SELECT * FROM test.receipts;
SELECT mesflow.ack('crm');
SELECT * FROM test.receipts;
SELECT mesflow.drop_consumer('crm');

-- What a rolled-back transaction did with it did not happen.
BEGIN;
SELECT test.consume('all');
SELECT mesflow.ack('all');
SAVEPOINT s;
SELECT test.emit('shop.paid', 'o');
ROLLBACK TO s;
SELECT test.consume('all');
ROLLBACK;
SELECT test.consume('all');
SELECT mesflow.ack('all');

-- Many late ones: more than are looked up at a time, among others.
BEGIN;
SELECT count(mesflow.emit('late.event', n::text, '{}')) FROM generate_series(1, 9000) n;
PREPARE TRANSACTION 'late';
SELECT test.emit('shop.paid', 'q');
SELECT test.consume('all');
SELECT mesflow.ack('all');
COMMIT PREPARED 'late';
SELECT test.emit('shop.paid', 'r');
SELECT count(*), min(key::integer), max(key::integer), bool_and(key::integer = n) AS in_order
  FROM (SELECT key, row_number() OVER () AS n FROM mesflow.consume('all', 8999)) e;
SELECT mesflow.ack('all', (SELECT id FROM mesflow.outbox WHERE key = '4500'));
SELECT count(*), min(key::integer), max(key::integer) FROM mesflow.consume('all');
SELECT mesflow.ack('all');
SELECT test.consume('all', 2);
SELECT lag_events FROM mesflow.consumers WHERE name = 'all';
SELECT mesflow.ack('all');
SELECT test.consume('all');

-- What a batch costs: the same number of pages beside a transaction that was open all the time, after thousands of others, with a
-- thousand dead versions of the cursor that cannot go.
\set ECHO none
CREATE FUNCTION test.pages(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || statement INTO plan;
  RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END
$$;
-- Batches of two events, each in a transaction of its own; the pages that the last batch took.
CREATE PROCEDURE test.batches(number integer, INOUT pages bigint DEFAULT 0) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. number LOOP
    FOR j IN 1 .. 2 LOOP
      PERFORM mesflow.emit('cost.event', 'x', '{}');
      COMMIT;
    END LOOP;
    pages := test.pages($q$SELECT mesflow._drain_consumer('all')$q$);
    COMMIT;
  END LOOP;
END
$$;
\set ECHO all
VACUUM mesflow.outbox, mesflow._cursors;
CALL test.batches(10) \gset before_
BEGIN;
SELECT count(mesflow.emit('old.event', n::text, '{}')) FROM generate_series(1, 2000) n;
PREPARE TRANSACTION 'old';
DO $$
BEGIN
  FOR i IN 1 .. 3000 LOOP
    PERFORM pg_current_xact_id();
    COMMIT;
  END LOOP;
END
$$;
CALL test.batches(1000) \gset after_
SELECT CASE WHEN :after_pages <= :before_pages + 10 THEN 'the same' ELSE format('%s pages, %s before', :after_pages, :before_pages) END AS pages;
SELECT CASE WHEN pages <= 30 THEN 'few' ELSE pages::text END AS pages_of_nothing FROM test.pages($$SELECT mesflow._drain_consumer('all')$$) pages;
COMMIT PREPARED 'old';
SELECT mesflow._drain_consumer('all', 1500), mesflow._drain_consumer('all');

-- Moving is HOT, but where a page is full.
SELECT pg_stat_force_next_flush();
SELECT n_tup_upd > 1000 AS many, n_tup_hot_upd > n_tup_upd * 0.5 AS hot FROM pg_stat_user_tables WHERE relid = 'mesflow._cursors'::regclass;

-- Slots of the ring that may be used again.
SELECT test.emit('shop.paid', 's');
SELECT slot = mesflow._ring_slot(now()) AS today, mesflow._readers_past(slot::smallint) FROM generate_series(0, 31) slot WHERE NOT mesflow._readers_past(slot::smallint);
SELECT mesflow._drain_consumer(name) > 0 AS some FROM mesflow.consumers ORDER BY name;
SELECT bool_and(mesflow._readers_past(slot::smallint)) FROM generate_series(0, 31) slot;
SELECT test.emit('other.type', 't');
SELECT mesflow._drain_consumer('all'), mesflow._drain_consumer('acme');
SELECT bool_and(mesflow._readers_past(slot::smallint)) AS past_what_they_want FROM generate_series(0, 31) slot;

-- Readers of mesflow's own are not for consumers, nor the other way round.
INSERT INTO mesflow._cursors (name, kind, event_types, seen, floor_id, floor_xid, origin)
  SELECT 'own reader', 'internal', '{other.*}', m.seen, m.floor_id, m.floor_xid, mesflow._origin() FROM mesflow._mark() m;
SELECT test.emit('other.type', 'u', 'v', 'w');
SELECT key FROM mesflow._consume('own reader', 2);
SELECT mesflow._ack('own reader'), (SELECT string_agg(key, ' ') FROM mesflow._consume('own reader')) AS rest;
SELECT error FROM test.error($$SELECT mesflow.consume('own reader')$$) LIMIT 1;
SELECT error FROM test.error($$SELECT mesflow.ack('own reader')$$) LIMIT 1;
SELECT error FROM test.error($$SELECT mesflow._consume('all')$$) LIMIT 1;
SELECT error FROM test.error($$SELECT mesflow.drop_consumer('own reader')$$) LIMIT 1;
SELECT error FROM test.error($$SELECT mesflow.create_consumer('own reader')$$) LIMIT 2;
SELECT count(*) FROM mesflow.consumers WHERE name = 'own reader';
-- One that a dump brings takes the place of what was made here meanwhile.
INSERT INTO mesflow._cursors (name, kind, event_types, seen, floor_id, floor_xid, origin) VALUES ('own reader', 'internal', '{other.*}', '5:5:', 0, '5', -1);
SELECT seen, origin FROM mesflow._cursors WHERE name = 'own reader';
DELETE FROM mesflow._cursors WHERE name = 'own reader';
SELECT mesflow._drain_consumer('all') \g /dev/null

-- A copy, as a dump restored elsewhere is one: what was written there has another origin, numbers of transactions mean nothing.
BEGIN;
SELECT test.emit('shop.paid', 'late one');
PREPARE TRANSACTION 'late';
SELECT test.emit('shop.paid', '1', '2', '3', '4');
SELECT test.consume('all', 2);
SELECT mesflow.ack('all', test.number('1'));
COMMIT PREPARED 'late';
SELECT test.emit('stock.high', '5');
SET session_replication_role = replica;
UPDATE mesflow.outbox SET origin = -1;
UPDATE mesflow._cursors SET origin = -1;
RESET session_replication_role;
UPDATE mesflow._identity SET system_identifier = 1;
SELECT * FROM test.error($$SELECT mesflow.consume('all')$$);
SELECT * FROM test.error($$SELECT mesflow.ack('all')$$) LIMIT 1;
SELECT test.emit('shop.paid', 'written before arm()');
SELECT name, lag_events FROM mesflow.consumers ORDER BY 1;
SELECT bool_or(mesflow._readers_past(slot::smallint)) FROM generate_series(0, 31) slot;
SELECT mesflow.arm('a test');
SELECT * FROM test.cursors;
SELECT name, lag_events FROM mesflow.consumers ORDER BY 1;
SELECT mesflow.rebase();
-- Our own reader, which copies timelines, is for another test.
DELETE FROM mesflow._cursors WHERE kind = 'internal';
SELECT name, backlog FROM test.cursors;
SELECT slot = mesflow._ring_slot(now()) AS today FROM generate_series(0, 31) slot WHERE NOT mesflow._readers_past(slot::smallint);
-- What had not been read comes first, in the order of ids, in batches as ever.
SELECT test.emit('shop.paid', 'written after arm()');
SELECT test.consume('all', 3);
SELECT test.consume('all', 1);
SELECT mesflow.ack('all', test.number('2'));
SELECT split_part(error, ':', 1) AS error FROM test.error(format('SELECT mesflow.ack(%L, %s)', 'all', test.number('4')));
SELECT test.consume('all');
SELECT mesflow.ack('all');
SELECT test.consume('all', 10);
SELECT * FROM test.cursors WHERE name = 'all';
SELECT mesflow.ack('all');
SELECT test.consume('all');
SELECT mesflow.ack('all');
SELECT test.consume('all');
SELECT mesflow._drain_consumer('some', 3), mesflow._drain_consumer('some', 100), mesflow._drain_consumer('some');
SELECT name, lag_events FROM mesflow.consumers ORDER BY 1;
SELECT bool_and(mesflow._readers_past(slot::smallint)) FROM generate_series(0, 31) slot;
SELECT mesflow.drop_consumer(name) FROM mesflow.consumers ORDER BY name;
SELECT count(*) FROM mesflow._cursor_backlog;
