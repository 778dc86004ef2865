-- What runs when a status changes or work goes on: C only, no plpgsql.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT test.submit('path', jsonb_build_array(test.item(:'ring', 4)));
SELECT id AS path FROM test.orders \gset

-- Whatever is called in a procedural language is counted.
SET track_functions = 'all';
SELECT mesflow.advance_order(:'path', 'approved');
SELECT w.id AS first FROM mesflow.claim_work('anna', 'printer-1', 1, gen_random_uuid()) w \gset
SELECT (mesflow.release_work(:'first', 'anna', 'no filament')).state;
SELECT (mesflow.claim_work_order(:'first', 'anna')).state;
SELECT (mesflow.start_work(:'first', 'anna')).state;
SELECT (mesflow.finish_work(:'first', 'anna', 3, 1)).state;
SELECT (mesflow.correct_work(:'first', 4, 0, 'looked again', 'chief')).state;
SELECT mesflow.set_priority(:'path', 5), mesflow.set_due(:'path', now() + interval '1 day');
UPDATE mesflow.orders SET status = 'on_hold' WHERE id = :'path';
UPDATE mesflow.orders SET status = 'in_production' WHERE id = :'path';
SELECT w.id AS second FROM mesflow.claim_work('boris', 'bench') w \gset
SELECT (mesflow.start_work(:'second', 'boris')).state, (mesflow.finish_work(:'second', 'boris', 4)).state;
SELECT o.status FROM mesflow.orders o WHERE o.id = :'path';
SELECT mesflow.advance_order(:'path', 'packed'), mesflow.advance_order(:'path', 'shipped'), mesflow.advance_order(:'path', 'delivered'), mesflow.advance_order(:'path', 'closed');
RESET track_functions;
SELECT pg_stat_force_next_flush();
SELECT DISTINCT l.lanname AS language
  FROM pg_stat_user_functions f JOIN pg_proc p ON p.oid = f.funcid JOIN pg_language l ON l.oid = p.prolang WHERE f.schemaname = 'mesflow';

-- Nor does any trigger fire in it that is not C.
SELECT c.relname AS "table", t.tgname AS trigger, l.lanname AS language
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang
 WHERE c.relnamespace = 'mesflow'::regnamespace AND NOT t.tgisinternal AND l.lanname <> 'c' AND (t.tgtype & 16) <> 0
   AND c.relname IN ('orders', '_order_items', '_work_orders', '_work_requests', 'dashboard_orders', 'dashboard_dispatch', 'dashboard_operators', 'outbox');
