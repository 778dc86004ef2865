-- Pages of the dispatch list and of orders.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set planted :srcdir '/sql/planted.psql'
\set filled :srcdir '/sql/pages.psql'
\set set_order :srcdir '/sql/set_order.psql'
\i :common
\i :planted
\i :filled
SELECT test.fill(1, 1500, 1000) \g /dev/null

-- All pages of so many rows, one after the other.
CREATE FUNCTION test.walk(function text, filters jsonb, size integer) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
  at text;
  ids uuid[] := '{}';
  p record;
BEGIN
  LOOP
    EXECUTE format('SELECT array_agg(p.%s) AS ids, count(*) AS rows, count(DISTINCT p.next) AS nexts, count(p.next) AS with_next, max(p.next) AS next, count(DISTINCT p.as_of) AS times, max(p.as_of) = statement_timestamp() AS now FROM mesflow.%s($1, $2, $3) p',
                   CASE WHEN function = 'orders_page' THEN 'order_id' ELSE 'work_order' END, function) INTO p USING at, filters, size;
    ids := ids || p.ids;
    ASSERT p.rows = 0 OR p.times = 1 AND p.now, 'as_of is not the moment of reading';
    EXIT WHEN p.next IS NULL;
    ASSERT p.rows = size AND p.nexts = 1 AND p.with_next = size, 'next is not the same in all rows';
    at := p.next;
  END LOOP;
  RETURN ids;
END
$$;

-- The same by one plain statement.
CREATE FUNCTION test.plain_dispatch(condition text, by_due boolean) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
BEGIN
  EXECUTE format('SELECT array_agg(d.work_order ORDER BY d.rank DESC, %s) FROM mesflow.dashboard_dispatch d WHERE %s',
                 CASE WHEN $2 OR current_setting('mesflow.dispatch_order') = 'due' THEN 'd.due_key, d.work_order'
                      WHEN current_setting('mesflow.dispatch_order') = 'newest' THEN 'd.queued_at DESC, d.work_order DESC' ELSE 'd.queued_at, d.work_order' END, $1) INTO ids;
  RETURN coalesce(ids, '{}');
END
$$;
CREATE FUNCTION test.plain_orders(condition text, by_due boolean) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
BEGIN
  EXECUTE format('SELECT array_agg(o.id ORDER BY %s) FROM mesflow.orders o LEFT JOIN mesflow.dashboard_orders d ON d.order_id = o.id LEFT JOIN mesflow.order_statuses s ON s.status = o.status WHERE %s',
                 CASE WHEN $2 THEN 'o.due_at, o.id' ELSE 'o.created_at DESC, o.id DESC' END, $1) INTO ids;
  RETURN coalesce(ids, '{}');
END
$$;

CREATE TABLE test.dispatch (nth serial, filters jsonb, condition text);
INSERT INTO test.dispatch (filters, condition) VALUES
  ('{}', 'true'), ('{"open": true, "partner": null}', 'true'), ('{"open": false}', 'false'),
  ('{"partner": "acme"}', $$partner = 'acme'$$),
  ('{"operator": "anna"}', $$operator = 'anna'$$), ('{"operator": "idle"}', 'false'),
  ('{"station": "printer"}', $$station = 'printer' OR state = 'queued' AND process = 'fdm'$$),
  ('{"station": "bench"}', $$station = 'bench' OR state = 'queued' AND operation = 'finish'$$),
  ('{"station": "any"}', $$station = 'any' OR state = 'queued'$$), ('{"station": "oven"}', 'false'),
  ('{"process": "sla"}', $$process = 'sla'$$),
  ('{"due_before": "2026-12-20"}', $$due_at < '2026-12-20'$$), ('{"due_before": "infinity"}', 'due_at IS NOT NULL'),
  ('{"created_from": "2026-11-01 07:00Z", "created_to": "2026-11-01 08:00Z"}', $$queued_at >= '2026-11-01 07:00Z' AND queued_at < '2026-11-01 08:00Z'$$),
  ('{"alarm": true}', 'alarm'), ('{"alarm": false}', 'NOT alarm'),
  ('{"partner": "shop", "due_before": "2026-12-20", "alarm": false}', $$partner = 'shop' AND due_at < '2026-12-20' AND NOT alarm$$),
  ('{"partner": "shop", "created_from": "2026-11-01 07:00Z"}', $$partner = 'shop' AND queued_at >= '2026-11-01 07:00Z'$$),
  ('{"partner": "shop", "station": "printer"}', $$partner = 'shop' AND (station = 'printer' OR state = 'queued' AND process = 'fdm')$$),
  ('{"partner": "acme", "station": "any", "alarm": true}', $$partner = 'acme' AND (station = 'any' OR state = 'queued') AND alarm$$),
  ('{"station": "any", "process": "sls"}', $$process = 'sls' AND (station = 'any' OR state = 'queued')$$),
  ('{"station": "bench", "process": "sla"}', $$process = 'sla' AND (station = 'bench' OR state = 'queued' AND operation = 'finish')$$),
  ('{"operator": "anna", "station": "printer"}', $$operator = 'anna' AND station = 'printer'$$),
  ('{"operator": "anna", "partner": "shop", "process": "fdm"}', $$operator = 'anna' AND partner = 'shop' AND process = 'fdm'$$),
  ('{"operator": "boris", "due_before": "2027-01-15"}', $$operator = 'boris' AND due_at < '2027-01-15'$$),
  ('{"process": "fdm", "due_before": "2026-12-10", "created_to": "2026-11-01 07:00Z"}', $$process = 'fdm' AND due_at < '2026-12-10' AND queued_at < '2026-11-01 07:00Z'$$),
  ('{"partner": "acme", "process": "fdm", "alarm": true}', $$partner = 'acme' AND process = 'fdm' AND alarm$$);
CREATE TABLE test.orders (nth serial, filters jsonb, condition text);
INSERT INTO test.orders (filters, condition) VALUES
  ('{}', 'true'), ('{"open": null}', 'true'), ('{"open": true}', 'closed_as IS NULL'), ('{"open": false}', 'closed_as IS NOT NULL'),
  ('{"partner": "acme"}', $$o.partner = 'acme'$$), ('{"partner": "acme", "open": true}', $$o.partner = 'acme' AND closed_as IS NULL$$),
  ('{"partner": "acme", "open": false}', $$o.partner = 'acme' AND closed_as IS NOT NULL$$),
  ('{"status": "approved"}', $$o.status = 'approved'$$), ('{"status": "closed"}', $$o.status = 'closed'$$), ('{"status": "cancelled", "open": true}', 'false'), ('{"status": "packed"}', 'false'),
  ('{"status": "approved", "partner": "shop"}', $$o.status = 'approved' AND o.partner = 'shop'$$), ('{"status": "closed", "partner": "shop"}', $$o.status = 'closed' AND o.partner = 'shop'$$),
  ('{"system": "mes"}', $$s.owner_system = 'mes'$$), ('{"system": "mes", "partner": "globex"}', $$s.owner_system = 'mes' AND o.partner = 'globex'$$), ('{"system": "mes", "open": false}', 'false'),
  ('{"system": "mes", "status": "approved"}', $$o.status = 'approved'$$), ('{"system": "shop", "status": "approved"}', 'false'),
  ('{"operator": "anna"}', $$d.operators @> '{anna}'$$), ('{"operator": "anna", "partner": "shop", "status": "approved"}', $$d.operators @> '{anna}' AND o.partner = 'shop' AND o.status = 'approved'$$),
  ('{"operator": "anna", "due_before": "2027-01-15"}', $$d.operators @> '{anna}' AND o.due_at < '2027-01-15'$$), ('{"operator": "idle"}', 'false'),
  ('{"created_from": "2026-11-01 05:00Z", "created_to": "2026-11-01 06:00Z"}', $$o.created_at >= '2026-11-01 05:00Z' AND o.created_at < '2026-11-01 06:00Z'$$),
  ('{"created_to": "2026-11-01 05:00Z", "partner": "shop"}', $$o.created_at < '2026-11-01 05:00Z' AND o.partner = 'shop'$$),
  ('{"created_from": "2026-11-01 04:00Z", "status": "cancelled"}', $$o.created_at >= '2026-11-01 04:00Z' AND o.status = 'cancelled'$$),
  ('{"due_before": "2026-12-20"}', $$closed_as IS NULL AND o.due_at < '2026-12-20'$$), ('{"due_before": "infinity"}', 'closed_as IS NULL AND o.due_at IS NOT NULL'),
  ('{"due_before": "2026-12-20", "partner": "acme", "status": "on_hold", "alarm": false, "created_from": "2026-11-01 06:00Z"}', $$closed_as IS NULL AND o.due_at < '2026-12-20' AND o.partner = 'acme' AND o.status = 'on_hold' AND d.alarms = '{}' AND o.created_at >= '2026-11-01 06:00Z'$$),
  ('{"alarm": true}', $$d.alarms <> '{}'$$), ('{"alarm": false}', $$d.alarms = '{}'$$), ('{"alarm": true, "system": "mes"}', $$d.alarms <> '{}' AND s.owner_system = 'mes'$$),
  ('{"alarm": true, "open": true, "partner": "acme"}', $$d.alarms <> '{}' AND o.partner = 'acme'$$);

-- Every filter, in pages of several sizes: all rows, each once, in order.
CREATE VIEW test.dispatch_compared AS
  SELECT t.nth, t.filters, cardinality(w.plain) AS rows, test.walk('dispatch_page', t.filters, 7) = w.plain AND test.walk('dispatch_page', t.filters, 50) = w.plain AND test.walk('dispatch_page', t.filters, 1000) = w.plain AS same
    FROM test.dispatch t, LATERAL (SELECT test.plain_dispatch(t.condition, t.filters ? 'due_before') AS plain) w;
SELECT filters, rows, same FROM test.dispatch_compared ORDER BY nth;
\set order oldest
\i :set_order
SELECT current_setting('mesflow.dispatch_order') AS dispatch_order, count(*), sum(rows) AS rows, bool_and(same) AS same FROM test.dispatch_compared;
\set order due
\i :set_order
SELECT current_setting('mesflow.dispatch_order') AS dispatch_order, count(*), sum(rows) AS rows, bool_and(same) AS same FROM test.dispatch_compared;
SELECT next AS token_of_due FROM mesflow.dispatch_page(limit_to => 1) \gset
\set order newest
\i :set_order
SELECT filters, cardinality(w.plain) AS rows, test.walk('orders_page', filters, 7) = w.plain AND test.walk('orders_page', filters, 50) = w.plain AND test.walk('orders_page', filters, 1000) = w.plain AS same
  FROM test.orders t, LATERAL (SELECT test.plain_orders(t.condition, t.filters ? 'due_before') AS plain) w ORDER BY nth;

-- What rows show: those of the tables, but for the moment; of closed orders what is counted now.
SELECT count(*), count(d.work_order) AS as_in_table FROM mesflow.dispatch_page(limit_to => 1000) p
  LEFT JOIN mesflow.dashboard_dispatch d ON (d.work_order, d.number, d.order_number, d.partner, d.process, d.operation, d.material, d.quantity, d.model, d.priority, d.state, d.queued_at, d.alarm) = (p.work_order, p.number, p.order_number, p.partner, p.process, p.operation, p.material, p.quantity, p.model, p.priority, p.state, p.queued_at, p.alarm)
   AND (d.operator, d.station, d.due_at) IS NOT DISTINCT FROM (p.operator, p.station, p.due_at);
SELECT count(*), count(d.order_id) AS as_in_table FROM mesflow.orders_page(filters => '{"open": true}', limit_to => 1000) p
  LEFT JOIN mesflow.dashboard_orders d ON (d.order_id, d.number, d.partner, d.external_ref, d.status, d.status_since, d.priority, d.total, d.currency, d.created_at, d.items, d.work_done, d.work_total, d.operators, d.alarms) = (p.order_id, p.number, p.partner, p.external_ref, p.status, p.status_since, p.priority, p.total, p.currency, p.created_at, p.items, p.work_done, p.work_total, p.operators, p.alarms)
   AND d.due_at IS NOT DISTINCT FROM p.due_at;
SELECT number, partner, external_ref, status, status_since - created_at AS after, priority, total, currency, due_at, items, work_done, work_total, operators, alarms FROM mesflow.orders_page(filters => '{"open": false, "created_from": "2026-11-01 05:29Z"}', limit_to => 12);

-- Free work, for claims.
CREATE FUNCTION test.walk_free(kinds integer[], size integer) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[] := '{}';
  last record;
  p record;
  rows integer;
BEGIN
  SELECT NULL::uuid AS work_order, NULL::uuid AS order_id, NULL::bigint AS rank, NULL::timestamptz AS key INTO last;
  LOOP
    rows := 0;
    FOR p IN SELECT * FROM mesflow._free_work(kinds, last.rank, last.key, last.work_order, size) LOOP
      ids := ids || p.work_order;
      last := p;
      rows := rows + 1;
    END LOOP;
    EXIT WHEN rows < size;
  END LOOP;
  RETURN ids;
END
$$;
CREATE VIEW test.free_compared AS
  SELECT k.kinds, cardinality(w.plain) AS rows, test.walk_free(k.kinds::integer[], 3) = w.plain AND test.walk_free(k.kinds::integer[], 100) = w.plain AS same
    FROM unnest(ARRAY[NULL, '{}', '{1}', '{1,3,3,NULL}', '{4,5,2,99}', '{99}']) k (kinds),
         LATERAL (SELECT test.plain_dispatch(format('state = ''queued'' AND (%1$L IS NULL OR kind = ANY (%1$L::integer[]))', k.kinds), false) AS plain) w;
SELECT * FROM test.free_compared;
\set order oldest
\i :set_order
SELECT bool_and(same) AS same FROM test.free_compared;
\set order due
\i :set_order
SELECT bool_and(same) AS same FROM test.free_compared;
\set order newest
\i :set_order
SELECT count(*) FROM mesflow._free_work(NULL, NULL, NULL, NULL, 0);

-- Rows that come and go between two pages.
CREATE TABLE test.before AS SELECT u.id, u.at FROM unnest(test.walk('dispatch_page', '{}', 1000)) WITH ORDINALITY u (id, at);
SELECT DISTINCT next FROM mesflow.dispatch_page(limit_to => 10) \gset
DELETE FROM mesflow.dashboard_dispatch WHERE work_order IN (SELECT b.id FROM test.before b WHERE b.at IN (3, 10, 12));
INSERT INTO mesflow.dashboard_dispatch SELECT (jsonb_populate_record(d, jsonb_build_object('work_order', gen_random_uuid(), 'queued_at', now()))).* FROM mesflow.dashboard_dispatch d, test.before b WHERE b.at = 1 AND d.work_order = b.id;
SELECT array_agg(b.at ORDER BY b.at) AS second_page FROM mesflow.dispatch_page(:'next', limit_to => 10) p LEFT JOIN test.before b ON b.id = p.work_order;
SELECT array_agg(b.at ORDER BY b.at) AS first_page, count(*) FROM mesflow.dispatch_page(limit_to => 10) p LEFT JOIN test.before b ON b.id = p.work_order;
DROP TABLE test.before;
CREATE TABLE test.before AS SELECT u.id, u.at FROM unnest(test.walk('orders_page', '{}', 1000)) WITH ORDINALITY u (id, at);
SELECT DISTINCT next FROM mesflow.orders_page(limit_to => 10) \gset
-- One of the second page is closed, one of the first goes, one comes.
SELECT test.force($$DELETE FROM mesflow.dashboard_orders WHERE order_id IN (SELECT b.id FROM test.before b WHERE b.at IN (5, 12))$$),
       test.force($$UPDATE mesflow.orders SET status = 'cancelled', closed_as = 'cancelled' WHERE id = (SELECT b.id FROM test.before b WHERE b.at = 12)$$),
       test.force($$INSERT INTO mesflow.dashboard_orders SELECT (jsonb_populate_record(d, jsonb_build_object('order_id', gen_random_uuid(), 'created_at', now()))).* FROM mesflow.dashboard_orders d, test.before b WHERE b.at = 1 AND d.order_id = b.id$$) \g /dev/null
SELECT array_agg(b.at ORDER BY b.at) AS second_page, array_agg(b.at) FILTER (WHERE p.status = 'cancelled') AS cancelled FROM mesflow.orders_page(:'next', limit_to => 10) p LEFT JOIN test.before b ON b.id = p.order_id;

-- What is refused.
CREATE VIEW test.refused AS
  SELECT a.f AS function, e.* FROM unnest(ARRAY['dispatch_page', 'orders_page']) a (f), test.error(format('SELECT mesflow.%s(limit_to => 0)', a.f)) e;
SELECT function, error FROM test.refused;
SELECT l AS limit, e.* FROM unnest('{NULL,-1,1001}'::text[]) l, test.error(format('SELECT mesflow.dispatch_page(limit_to => %s)', coalesce(l, 'NULL'))) e;
SELECT f AS filters, e.* FROM unnest(ARRAY['1', '[]', '{"colour": "red"}', '{"": 1}', '{"status": "closed"}', '{"system": "mes"}', '{"partner": 1}', '{"partner": ["shop"]}', '{"operator": {}}', '{"station": true}', '{"open": "yes"}', '{"alarm": 0}', '{"due_before": 5}',
    '{"due_before": "soon"}', '{"created_from": ""}', '{"created_to": "2026-13-01"}', '{"partner": "nobody"}', '{"operator": "nobody"}', '{"station": "nowhere"}', '{"process": "magic"}', '{"partner": ""}']) f,
  test.error(format('SELECT mesflow.dispatch_page(filters => %L)', f)) e;
SELECT f AS filters, e.* FROM unnest(ARRAY['"x"', '{"station": "printer"}', '{"process": "fdm"}', '{"colour": "red"}', '{"status": "gone"}', '{"system": "erp"}', '{"status": 1}',
    '{"open": false, "operator": "anna"}', '{"open": false, "due_before": "2026-12-20"}', '{"open": false, "alarm": false}']) f,
  test.error(format('SELECT mesflow.orders_page(filters => %L)', f)) e;
SELECT count(*) FROM mesflow.dispatch_page(NULL, NULL);
-- Tokens: only those of the same function, order and filters.
SELECT DISTINCT next AS token FROM mesflow.dispatch_page(filters => '{"partner": "shop", "alarm": null}', limit_to => 1) \gset
SELECT DISTINCT next AS token_of_orders FROM mesflow.orders_page(limit_to => 1) \gset
SELECT length(:'token') AS length, :'token' ~ '^[A-Za-z0-9_-]+$' AS fits_an_address, count(*) AS other_limit FROM mesflow.dispatch_page(:'token', '{"open": null, "partner": "shop"}', 3);
SELECT what, e.* FROM (VALUES ('empty', '', '{}'), ('short', left(:'token', 59), '{"partner": "shop"}'), ('long', :'token' || 'A', '{"partner": "shop"}'), ('not ours', repeat('é', 30), '{"partner": "shop"}'),
    ('changed', translate(:'token', 'AB', 'BA'), '{"partner": "shop"}'), ('other filters', :'token', '{}'), ('other value', :'token', '{"partner": "acme"}'), ('other function', :'token_of_orders', '{}'), ('other order', :'token_of_due', '{}')) t (what, token, filters),
  test.error(format('SELECT mesflow.dispatch_page(%L, %L)', token, filters)) e;

-- Who may.
SELECT r, has_function_privilege(r, 'mesflow.dispatch_page(text, jsonb, integer)', 'EXECUTE') AS dispatch, has_function_privilege(r, 'mesflow.orders_page(text, jsonb, integer)', 'EXECUTE') AS orders, has_function_privilege(r, 'mesflow._free_work(integer[], bigint, timestamptz, uuid, integer)', 'EXECUTE') AS free_work
  FROM unnest('{public,mesflow_app,mesflow_operator,mesflow_manager,mesflow_monitor,mesflow_node,mesflow_admin}'::text[]) r;
SET ROLE mesflow_operator;
SELECT (SELECT count(*) FROM mesflow.dispatch_page()) AS dispatch, (SELECT count(*) FROM mesflow.orders_page(filters => '{"operator": "anna", "open": true}')) > 0 AS orders;
RESET ROLE;
-- One snapshot for a transaction: as_of is not later.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(*) FROM mesflow.dispatch_page();
SELECT DISTINCT as_of = transaction_timestamp() AS of_snapshot FROM mesflow.dispatch_page();
COMMIT;
