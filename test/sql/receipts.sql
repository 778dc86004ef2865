-- Which system has an order; and what both sides know.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set planted :srcdir '/sql/planted.psql'
\i :common
\i :planted
SELECT test.plant(10001, 'A') AS a, test.plant(10002, 'B') AS b, test.plant(10003, 'C') AS c \gset
-- Times: how they stand to each other, not what they are.
CREATE VIEW test.receipts AS
  SELECT o.external_ref AS ref, s.system, s.expected_by - clock_timestamp() > '30 min' AS has_time, s.received_at IS NOT NULL AS received, s.via, s.external_id, s.status, s.status_since >= s.received_at AS since_then, r.expected_on, r.actor
    FROM mesflow.order_systems s JOIN mesflow._receipts r USING (order_id, system) JOIN mesflow.orders o ON o.id = s.order_id ORDER BY 1, 2;

-- Expectations: one row per system that must confirm the status; nothing where none is configured.
INSERT INTO mesflow.expectations (system, on_status, within) VALUES ('mes', 'approved', '1 hour'), ('crm', 'approved', '5 min'), ('mes', 'in_production', '1 min'), ('mes', 'produced', '1 day');
SELECT mesflow._expect_receipts(:'a', 'submitted'), mesflow._expect_receipts(:'a', 'approved'), mesflow._expect_receipts(:'b', 'approved');
SELECT ref, system, has_time, received, via, expected_on FROM test.receipts;
-- A later status may shorten the wait for what is not there, never lengthen it.
SELECT mesflow._expect_receipts(:'a', 'in_production');
SELECT mesflow._expect_receipts(:'a', 'produced');
SELECT ref, system, has_time, received, via, expected_on FROM test.receipts;
-- Whoever has confirmed an order need not again.
SELECT mesflow.confirm_receipt(:'b', 'mes', actor := 'robot');
SELECT mesflow._expect_receipts(:'b', 'in_production');
SELECT ref, system, has_time, received, via, expected_on, actor FROM test.receipts WHERE ref = 'B';

-- Taking events is a receipt, the first one counts, strangers and NULL do no harm.
SELECT mesflow._receive_by_ack('crm', ARRAY[:'a', :'a', :'c', NULL]::uuid[]), mesflow._receive_by_ack('mes', ARRAY[:'b']::uuid[]), mesflow._receive_by_ack('crm', '{}'), mesflow._receive_by_ack('crm', NULL);
SELECT ref, system, received, via, actor FROM test.receipts;

-- Confirmations: the first receipt is kept; id and status may be added and changed; again is harmless.
CREATE TABLE test.before AS SELECT r.*, r.xmin::text AS version FROM mesflow._receipts r;
SELECT mesflow.confirm_receipt(:'a', 'crm', 'CRM-1', 'open', 'anna');
SELECT mesflow.confirm_receipt(:'c', 'shop', NULL, 'seen');
SELECT ref, system, received, via, external_id, status, since_then, CASE actor WHEN session_user THEN 'session user' ELSE actor END AS actor FROM test.receipts WHERE external_id IS NOT NULL OR status IS NOT NULL;
SELECT r.received_at = b.received_at AS first_time_kept FROM mesflow._receipts r JOIN test.before b USING (order_id, system) WHERE r.external_id = 'CRM-1';
TRUNCATE test.before;
INSERT INTO test.before SELECT r.*, r.xmin::text FROM mesflow._receipts r;
SELECT mesflow.confirm_receipt(:'a', 'crm', 'CRM-1', 'open', 'boris'), mesflow.confirm_receipt(:'a', 'crm', actor := 'boris'), mesflow.confirm_receipt(:'a', 'crm', NULL, 'open'), mesflow.confirm_receipt(:'c', 'shop');
SELECT count(*) AS written FROM (SELECT r.*, r.xmin::text FROM mesflow._receipts r EXCEPT SELECT * FROM test.before) w;
SELECT mesflow.confirm_receipt(:'a', 'crm', 'CRM-2', actor := 'carl');
SELECT r.external_id, r.status, r.actor, r.status_since = b.status_since AS same_since FROM mesflow._receipts r JOIN test.before b USING (order_id, system) WHERE r.external_id = 'CRM-2';
SELECT mesflow.confirm_receipt(:'a', 'crm', NULL, 'closed', 'dora');
SELECT r.external_id, r.status, r.actor, r.status_since > b.status_since AS new_since FROM mesflow._receipts r JOIN test.before b USING (order_id, system) WHERE r.external_id = 'CRM-2';
SELECT * FROM test.error($$SELECT mesflow.confirm_receipt('00000000-0000-7000-8000-000000000000', 'crm')$$);
SELECT * FROM test.error($$SELECT mesflow.confirm_receipt(NULL, 'crm')$$) LIMIT 2;
SELECT s AS system, e.* FROM unnest('{"''erp''","NULL"}'::text[]) s, test.error(format('SELECT mesflow.confirm_receipt(%L, %s)', :'a', s)) e;
SELECT e.* FROM unnest(ARRAY['''''', 'repeat(''x'', 201)']) i, test.error(format('SELECT mesflow.confirm_receipt(%L, ''crm'', %s)', :'a', i)) e;
SELECT e.* FROM unnest(ARRAY['''''', 'repeat(''x'', 101)']) s, test.error(format('SELECT mesflow.confirm_receipt(%L, ''crm'', NULL, %s)', :'a', s)) e;

-- Reconciling: references of whatever age, orders of the period.
INSERT INTO mesflow.partners (code, name) VALUES ('globex', 'Globex');
SELECT test.plant(10010 + d, 'R-' || d, created := timestamptz '2026-11-01 12:00Z' + d * interval '1 day', partner := 'globex') FROM generate_series(1, 5) d \g /dev/null
SELECT test.plant(10021, 'R-2', created := '2026-11-03 12:00Z') \g /dev/null
-- Stamped a little after its id was made.
SELECT test.force($$UPDATE mesflow.orders SET created_at = '2026-11-05 00:00:01Z' WHERE partner = 'globex' AND external_ref = 'R-3'$$);
CREATE FUNCTION test.reconcile(refs text[], since timestamptz, until timestamptz DEFAULT NULL) RETURNS TABLE (external_ref text, is_order boolean, status text, problem text) LANGUAGE sql AS $$
  SELECT r.external_ref, test.ref(r.order_id) = r.external_ref, r.status, r.problem FROM mesflow.reconcile_orders('globex', $1, $2, $3) r
$$;
SELECT * FROM test.reconcile('{R-1,R-2,R-3,R-4,R-5}', '2026-11-01');
SELECT * FROM test.reconcile('{R-9,R-1,R-8,R-9,r-2}', '2026-11-03', '2026-11-05');
SELECT * FROM test.reconcile('{}', '2026-11-05', NULL);
SELECT * FROM test.reconcile('{}', '2026-11-05 00:00:01Z', '2026-11-05 00:00:02Z');
SELECT * FROM test.reconcile('{}', '-infinity', '2026-11-03');
SELECT * FROM test.reconcile('{}', '2026-11-05', '2026-11-05');
UPDATE mesflow.partners SET active = false WHERE code = 'globex';
SELECT count(*) AS of_inactive FROM test.reconcile('{}', '2026-11-01');
SELECT * FROM test.error($$SELECT mesflow.reconcile_orders('nobody', '{}', now())$$);
SELECT * FROM test.error($$SELECT mesflow.reconcile_orders(NULL, '{}', now())$$) LIMIT 1;
SELECT * FROM test.error($$SELECT mesflow.reconcile_orders('globex', NULL, now())$$);
SELECT * FROM test.error($$SELECT mesflow.reconcile_orders('globex', '{}', NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.reconcile_orders('globex', '{a,NULL}', now())$$);
SELECT * FROM test.error($$SELECT mesflow.reconcile_orders('globex', '{}', '2026-11-05', '2026-11-04')$$);
