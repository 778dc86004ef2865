-- The outbox: what bodies say and do not say, events of one's own, and that what was written stays.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring, test.measured('ring.stl', test.box(20, 20, 5), 'acme') AS theirs \gset
SELECT jsonb_build_array(test.item(:'ring')) AS one \gset
-- One order with all that is private, through many steps, under settings that make texts look otherwise.
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Kathmandu';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = 0;
SELECT test.submit('secret', jsonb_build_array(test.item(:'ring', 2), test.item(:'ring', 1, '{"note": "for \"Zoë\" 💍\n"}'), test.item(mesflow.upload_model('later', 'later.stl'))), '{"name": "Zoltan Private", "email": "zoltan@private.example", "phone": "+43 555 0199", "company": "Private Ltd", "tax_id": "ATU000PRIVATE", "locale": "de-AT", "address": {"street": "Private Street"}, "note": "private note"}', '2031-03-04 05:06:07.899999+05:45');
SELECT test.register('node') \g /dev/null
SELECT test.claim_all('node') > 0 AS claimed, test.complete('node', 'later.stl', test.box(10, 10, 10));
SELECT mesflow._sum_orders();
SELECT mesflow.set_priority(test.id('secret'), 5, 'zoltan@private.example', 'a private note of the staff');
SELECT test.advance('secret', 'approved', 'on_hold', 'approved', 'in_production', 'produced', 'packed', 'shipped');
SELECT test.submit('cancelled', :'one');
SELECT mesflow.cancel_order(test.id('cancelled'), 'private reason', 'private actor');
RESET datestyle;
SET datestyle = 'ISO';
SET timezone = 'UTC';
RESET intervalstyle;
RESET extra_float_digits;
SELECT count(*) AS bodies, count(*) FILTER (WHERE body ~* 'private|zoltan|0199|de-AT') AS personal, count(*) FILTER (WHERE body ~* 'breakdown|machine_hour|labour|"rate"|"why"|margin|volume_time|"public"') AS private_costs, count(*) FILTER (WHERE body ~ 'asked_hash|customer|status_by|note') AS other FROM mesflow.outbox WHERE type !~ '^quote';
SELECT count(*) AS bodies_of_quotes, count(*) FILTER (WHERE body ~* 'breakdown|machine_hour|labour|"rate"|"why"|margin|volume_time|"public"|private') AS private FROM mesflow.outbox WHERE type ~ '^quote';

-- Bodies: valid JSON, each key once, and these keys; money is a string of decimals, times are UTC with milliseconds.
CREATE FUNCTION test.members(value json, path text DEFAULT '') RETURNS TABLE (member text, is_a text) LANGUAGE plpgsql AS $$
BEGIN
  CASE json_typeof($1)
    WHEN 'object' THEN
      RETURN QUERY SELECT m.* FROM json_each($1) e, test.members(e.value, $2 || '.' || e.key) m;
    WHEN 'array' THEN
      RETURN QUERY SELECT DISTINCT m.* FROM json_array_elements($1) e, test.members(e, $2 || '[]') m;
    ELSE
      RETURN QUERY SELECT substr($2, 2), CASE WHEN json_typeof($1) <> 'string' THEN json_typeof($1) WHEN $1 #>> '{}' ~ '^\d+\.\d\d$' THEN 'decimals' WHEN $1 #>> '{}' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$' THEN 'UTC time'
                                              WHEN $1 #>> '{}' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN 'uuid' ELSE 'text' END;
  END CASE;
END
$$;
SELECT m.member, string_agg(DISTINCT m.is_a, ', ' ORDER BY m.is_a) AS is_a, string_agg(DISTINCT o.type, ' ' ORDER BY o.type) FILTER (WHERE m.member ~ 'detail') AS of
  FROM mesflow.outbox o, test.members(o.body::json) m WHERE o.type ~ '^(order|quote)' GROUP BY 1 ORDER BY 1;
SELECT count(*) AS doubled FROM mesflow.outbox o CROSS JOIN LATERAL (SELECT m.member, count(*) FROM test.members(o.body::json) m WHERE m.member !~ '\[' GROUP BY 1 HAVING count(*) > 1) d;
SELECT DISTINCT body::jsonb #>> '{data,order,due_at}' AS due_at FROM mesflow.outbox WHERE order_id = test.id('secret') AND type LIKE 'order.%';
SELECT bool_and((body::jsonb ->> 'timestamp')::timestamptz = date_trunc('milliseconds', at)) AS time_of_the_row, bool_and(event::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7') AS version_7, count(*) = count(DISTINCT event) AS own_ids FROM mesflow.outbox;
-- The example of the contract.
SELECT jsonb_pretty(regexp_replace(test.masked(body), '"number":"\d+"', '"number":"<number>"')::jsonb) FROM mesflow.outbox WHERE order_id = test.id('cancelled') AND type = 'order.priced';
-- The columns.
SELECT e.type, e.key = e.order_id::text AS key, e.key_seq, e.partner, e.from_status, e.to_status, e.quantity, e.dwell IS NOT NULL AS dwell, e.correlation_id IS NOT NULL AS correlation, e.origin = mesflow._origin() AS origin, e.slot = floor(extract(epoch FROM e.at) / 86400)::integer % 32 AS slot
  FROM mesflow.outbox e WHERE e.order_id = test.id('cancelled') ORDER BY e.id;
SELECT e.type, e.key_seq, e.order_id, e.partner, e.quantity, count(*) FROM mesflow.outbox e WHERE e.type ~ '^quote' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1;

-- Numbers without gaps, also where steps are undone; nothing of what was undone is told.
SELECT test.submit('undone', :'one');
BEGIN;
SELECT test.advance('undone', 'approved');
SAVEPOINT a;
SELECT test.advance('undone', 'in_production', 'produced');
ROLLBACK TO a;
SELECT test.advance('undone', 'on_hold');
SAVEPOINT b;
SELECT mesflow.set_priority(test.id('undone'), 4);
RELEASE b;
SAVEPOINT c;
SELECT mesflow.emit('crm.note', test.id('undone')::text, '{}', order_id => test.id('undone')) IS NOT NULL AS emitted;
SELECT test.answer(format('SELECT 1 / (SELECT length(test.advance(%L, %L)) - 9)', 'undone', 'cancelled')) AS error_after_a_step;
ROLLBACK TO c;
COMMIT;
BEGIN;
SELECT test.advance('undone', 'cancelled');
ROLLBACK;
SELECT seq, type FROM test.events WHERE name = 'undone';
SELECT count(DISTINCT xid) AS transactions FROM mesflow.outbox WHERE order_id = test.id('undone');
-- In a transaction prepared, and committed or rolled back later.
BEGIN;
SELECT test.advance('undone', 'approved');
PREPARE TRANSACTION 'regress outbox';
SELECT seq, type FROM test.events WHERE name = 'undone' AND seq > 5;
COMMIT PREPARED 'regress outbox';
SELECT seq, type FROM test.events WHERE name = 'undone' AND seq > 5;

-- Events of one's own.
SELECT mesflow.emit('crm.note', 'customer 7', '{"b": [1, 2.50], "a": null, "text": "ü\n\"💍"}') AS event \gset
SELECT type, key, key_seq, order_id, partner, actor = session_user AS actor, correlation_id, test.masked(body) AS body FROM mesflow.outbox WHERE event = :'event';
SELECT count(mesflow.emit('a.b', 'c', d::jsonb)) FROM unnest(ARRAY['null', '1', '"x"', '[]', '{}', NULL]) d;
SELECT e.key, e.body::jsonb -> 'data' AS data FROM mesflow.outbox e WHERE e.type = 'a.b' ORDER BY e.id;
SELECT t AS type, test.answer(format('SELECT mesflow.emit(%L, %L, %L)', t, 'k', '{}')) FROM unnest(ARRAY['crm.note', 'a', '0-9_z.b', 'orders.note', 'orderx', 'order', NULL, '', '.', 'a.', '.a', 'a..b', 'A.b', 'a b', 'ä.b', 'a/b', 'order.priced', 'order.x', 'quote.priced', 'model.x', 'work.x', 'alarm.x', 'endpoint.ping', repeat('a', 100), repeat('a', 101)]) t;
SELECT length(k) AS key, test.answer(format('SELECT mesflow.emit(%L, %L, %L)', 'crm.note', k, '{}')) FROM unnest(ARRAY[NULL, '', repeat('💍', 200), repeat('x', 201), repeat('x', 1000000)]) k;
SELECT test.answer(format('SELECT mesflow.emit(%L, %L, %L)', 'crm.note', 'k', jsonb_build_object('x', repeat('y', n)))) FROM unnest('{1000000,1048576}'::integer[]) n;
SELECT p AS partner, test.answer(format('SELECT mesflow.emit(%L, %L, %L, %L)', 'crm.note', 'k', '{}', p)) FROM unnest('{acme,shop,nobody,""}'::text[]) p;
SELECT * FROM test.refused($$SELECT mesflow.emit('order.priced', 'k', '{}')$$);
SELECT * FROM test.refused($$SELECT mesflow.emit('crm.note', 'k', '{}', 'nobody')$$);
SELECT * FROM test.refused($$SELECT mesflow.emit('crm.note', 'k', '{}', order_id => '00000000-0000-7000-8000-000000000000')$$);
SELECT * FROM test.refused(format($$SELECT mesflow.emit('crm.note', 'k', '{}', 'acme', %L)$$, test.id('undone')));
-- Of an order: its partner and trace; in its sequence where the key is its id.
SELECT test.submit('theirs', jsonb_build_array(test.item(:'theirs')), partner => 'acme');
SELECT mesflow.emit('crm.called', test.id('theirs')::text, '{"by": "phone"}', order_id => test.id('theirs')) IS NOT NULL AS counted, mesflow.emit('crm.called', 'a call', '{}', 'acme', test.id('theirs')) IS NOT NULL AS beside,
       mesflow.emit('crm.called', upper(test.id('theirs')::text), '{}', order_id => test.id('theirs')) IS NOT NULL AS upper_case, test.advance('theirs', 'approved');
SELECT e.type, e.key_seq, e.partner, e.correlation_id = o.correlation_id AS correlation, test.masked(e.key) AS key, e.body::jsonb -> 'data' AS data FROM mesflow.outbox e JOIN mesflow.orders o ON o.id = e.order_id WHERE o.id = test.id('theirs') AND e.type !~ '^(order|work)' ORDER BY e.id;
SELECT event_seq FROM mesflow.orders WHERE id = test.id('theirs');

-- An event is on disk once its commit has returned, whatever the session wants.
SET synchronous_commit = off;
BEGIN;
SELECT mesflow.emit('crm.note', 'k', '{}') IS NOT NULL AS emitted, pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'lsn' AS on_disk, current_setting('synchronous_commit') AS setting;
BEGIN;
SELECT test.advance('undone', 'in_production') \g /dev/null
SET LOCAL synchronous_commit = off;
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'lsn' AS on_disk, current_setting('synchronous_commit') AS setting;
BEGIN;
SAVEPOINT a;
SELECT test.submit('async', :'one') \g /dev/null
RELEASE a;
SAVEPOINT b;
SELECT mesflow.emit('crm.note', 'k', '{}') \g /dev/null
ROLLBACK TO b;
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'lsn' AS on_disk;
RESET synchronous_commit;

-- What was written stays.
SELECT s AS statement, e.error FROM unnest(ARRAY['UPDATE mesflow.outbox SET body = body', 'DELETE FROM mesflow.outbox', 'UPDATE mesflow.outbox SET at = now() WHERE type = ''a''', $$DELETE FROM mesflow.outbox WHERE type = 'a'$$]) s, test.answer(s) AS e (error);
SELECT * FROM test.refused('DELETE FROM mesflow.outbox');
SELECT test.answer(format('DELETE FROM mesflow.outbox_%s', lpad(slot::text, 2, '0'))) AS in_a_partition FROM mesflow.outbox LIMIT 1;
BEGIN READ ONLY;
SELECT test.answer($$SELECT mesflow.emit('crm.note', 'k', '{}')$$) AS read_only;
COMMIT;
SELECT * FROM test.unsound;

-- No interpreter on the way of a submission, a step or an event; where something is refused, one may say so.
SELECT p.proname AS function, l.lanname AS language FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'mesflow'::regnamespace AND p.proname IN ('submit_order', 'advance_order', 'set_priority', 'set_due', 'emit') ORDER BY 1;
SELECT t.tgrelid::regclass AS table, t.tgname AS trigger, l.lanname AS language, pg_get_triggerdef(t.oid) ~ 'BEFORE (DELETE|TRUNCATE) ON' AS refuses FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang
 WHERE t.tgrelid IN ('mesflow.orders'::regclass, 'mesflow.outbox'::regclass, 'mesflow._order_items'::regclass, 'mesflow.customers'::regclass, 'mesflow._quotes'::regclass) AND NOT t.tgisinternal ORDER BY t.tgrelid::regclass::text, 2;
