-- What a page reads: a few buffers by index, however many orders there have been.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set filled :srcdir '/sql/pages.psql'
\i :common
\i :filled
-- Plans that are kept from when the tables were empty.
SELECT test.fill(1, 2, 2) \g /dev/null
VACUUM ANALYZE mesflow.orders, mesflow.dashboard_orders, mesflow.dashboard_dispatch, mesflow._work_orders, mesflow._order_items;
SELECT count(*) FROM mesflow.orders_page(filters => '{"open": false}') UNION ALL SELECT count(*) FROM mesflow.orders_page(filters => '{"operator": "anna"}') UNION ALL SELECT count(*) FROM mesflow.dispatch_page(filters => '{"operator": "anna"}');
SELECT test.fill(3, 52000, 40000) \g /dev/null
SELECT count(*) AS list FROM mesflow.dashboard_dispatch;
SELECT count(*) AS orders, count(*) FILTER (WHERE closed_as IS NULL) AS open FROM mesflow.orders;

CREATE FUNCTION test.buffers(function text, after text, filters jsonb) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM mesflow.%s(%L, %L)', $1, $2, $3) INTO plan;
  RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::integer + (plan #>> '{0,Plan,Shared Read Blocks}')::integer;
END
$$;
-- The second time, when the catalog is at hand.
CREATE FUNCTION test.warm(function text, after text, filters jsonb) RETURNS integer LANGUAGE sql AS $$
  SELECT (ARRAY[test.buffers($1, $2, $3), test.buffers($1, $2, $3)])[2]
$$;
-- Of the n-th page.
CREATE FUNCTION test.after(function text, n integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  at text;
BEGIN
  FOR i IN 2..n LOOP
    EXECUTE format('SELECT max(next) FROM mesflow.%s($1)', $1) INTO at USING at;
  END LOOP;
  RETURN at;
END
$$;

SELECT f AS function, test.warm(f, NULL, '{}') <= 60 AS first_page, test.warm(f, test.after(f, 100), '{}') <= 60 AS page_100 FROM unnest('{dispatch_page,orders_page}'::text[]) f;
CREATE TABLE test.filters (function text, filters jsonb);
INSERT INTO test.filters SELECT 'dispatch_page', f FROM unnest(ARRAY['{"partner": "shop"}', '{"operator": "anna"}', '{"station": "printer"}', '{"station": "bench"}', '{"station": "any"}', '{"process": "fdm"}', '{"due_before": "2026-12-20"}', '{"partner": "acme", "due_before": "2026-12-20"}', '{"created_from": "2026-11-12 12:00Z", "created_to": "2026-11-12 13:00Z"}', '{"alarm": true}', '{"alarm": false}', '{"open": true}']::jsonb[]) f;
INSERT INTO test.filters SELECT 'orders_page', f FROM unnest(ARRAY['{"partner": "shop"}', '{"status": "approved"}', '{"system": "mes"}', '{"operator": "anna"}', '{"due_before": "2026-12-20"}', '{"created_from": "2026-11-12 12:00Z", "created_to": "2026-11-12 13:00Z"}', '{"alarm": true}', '{"alarm": false}', '{"open": true}', '{"partner": "acme", "status": "approved"}']::jsonb[]) f;
-- A status is sorted beside the rows: those are looked for one by one.
SELECT function, filters, test.warm(function, NULL, filters) <= CASE WHEN filters ?& '{status,partner}' THEN 900 WHEN filters ?| '{status,system}' THEN 450 ELSE 150 END AS few FROM test.filters;
-- Of closed orders items and work are counted as well: a few buffers for each row, and no more for older ones.
CREATE TABLE test.closed (filters jsonb);
INSERT INTO test.closed SELECT f FROM unnest(ARRAY['{"open": false}', '{"status": "closed"}', '{"status": "cancelled"}', '{"partner": "acme", "open": false}', '{"partner": "acme", "status": "closed"}', '{"created_from": "2026-11-03 12:00Z", "created_to": "2026-11-03 13:00Z"}', '{"partner": "shop", "created_to": "2026-11-03 13:00Z"}']::jsonb[]) f;
SELECT filters, test.warm('orders_page', NULL, filters) <= 50 * CASE WHEN filters ? 'partner' OR filters ->> 'status' = 'cancelled' THEN 16 ELSE 6 END AS few FROM test.closed;

-- No table as a whole, and no row in vain, but for some open ones where two filters meet.
CREATE TABLE test.counts (what text, scans bigint, entries bigint);
CREATE FUNCTION test.count() RETURNS void LANGUAGE sql AS $$
  INSERT INTO test.counts
    SELECT c.relkind, sum(pg_stat_get_xact_numscans(c.oid)), sum(pg_stat_get_xact_tuples_returned(c.oid))
      FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
     WHERE coalesce(i.indrelid, c.oid) = ANY ('{mesflow.orders,mesflow.dashboard_orders,mesflow.dashboard_dispatch,mesflow._work_orders,mesflow._order_items}'::regclass[]) GROUP BY 1
$$;
CREATE FUNCTION test.read(query text) RETURNS TABLE (whole_tables bigint, entries bigint) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE test.counts;
  PERFORM test.count();
  EXECUTE query;
  PERFORM test.count();
  RETURN QUERY SELECT max(c.scans) FILTER (WHERE what = 'r') - min(c.scans) FILTER (WHERE what = 'r'), max(c.entries) FILTER (WHERE what = 'i') - min(c.entries) FILTER (WHERE what = 'i') FROM test.counts c;
END
$$;
SELECT t.function, t.filters, r.whole_tables, r.entries <= CASE WHEN t.filters ?& '{partner,status}' THEN 400 ELSE 100 END AS few_entries FROM test.filters t, test.read(format('SELECT count(*) FROM mesflow.%s(NULL, %L)', t.function, t.filters)) r;
-- 50 orders, two items and two pieces of work each, and those of others between before a range is given up.
SELECT t.filters, r.whole_tables, r.entries <= 560 AS few_entries FROM test.closed t, test.read(format('SELECT count(*) FROM mesflow.orders_page(NULL, %L)', t.filters)) r;
SELECT r.whole_tables, r.entries <= 15 AS few_entries FROM test.read('SELECT count(*) FROM mesflow._free_work(''{1,3,4}'', NULL, NULL, NULL, 5)') r;
-- A session's settings do not matter.
SET enable_indexscan = off;
SET plan_cache_mode = force_custom_plan;
SELECT t.filters, r.whole_tables, r.entries <= 560 AS few_entries FROM test.closed t, test.read(format('SELECT count(*) FROM mesflow.orders_page(NULL, %L)', t.filters)) r LIMIT 1;
RESET enable_indexscan;
RESET plan_cache_mode;

-- What steps of open orders change is in no index of orders.
SELECT count(*) FROM pg_index i CROSS JOIN unnest(i.indkey) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k
 WHERE i.indrelid = 'mesflow.orders'::regclass AND a.attname IN ('status', 'status_since', 'priority', 'due_at', 'net', 'tax', 'total', 'event_seq');
