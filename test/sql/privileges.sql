-- What each group role may do, and that it may do nothing else.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT mesflow.upload_model('new', 'new.stl') AS new \gset
GRANT USAGE ON SCHEMA test TO PUBLIC;
SELECT test.draft('draft') \g /dev/null
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm') AS quote \gset
SELECT mesflow.submit_order('shop', 'ROLE-1', jsonb_build_array(jsonb_build_object('model', :'cube', 'material', 'pla', 'process', 'fdm', 'quantity', 1)), '{"name": "Anna Müller"}') AS "order" \gset
SELECT jsonb_build_array(jsonb_build_object('model', :'cube', 'material', 'pla', 'process', 'fdm')) AS items \gset
SELECT mesflow.create_endpoint('desk', 'https://partner.example/', '{none.*}', options => '{"filter": "$.a"}') \g /dev/null

-- Functions and relations by role, from the catalog.
SELECT p.proname AS function, string_agg(substr(r.rolname, 9), ' ' ORDER BY r.rolname) AS roles
  FROM pg_proc p JOIN pg_roles r ON r.rolname ~ '^mesflow_' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
 WHERE p.pronamespace = 'mesflow'::regnamespace GROUP BY p.oid, 1 ORDER BY 1;
SELECT c.relname AS relation, string_agg(substr(r.rolname, 9) || CASE WHEN has_table_privilege(r.oid, c.oid, 'INSERT') THEN ' (writes)' ELSE '' END, ', ' ORDER BY r.rolname) AS roles
  FROM pg_class c JOIN pg_roles r ON r.rolname ~ '^mesflow_' AND has_table_privilege(r.oid, c.oid, 'SELECT')
 WHERE c.relnamespace = 'mesflow'::regnamespace AND c.relkind IN ('r', 'p', 'v') GROUP BY 1 ORDER BY 1;

-- What works, done in each role.
CREATE FUNCTION test.as_role(role text, statement text) RETURNS TABLE (answer text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  BEGIN
    EXECUTE statement;
    RETURN QUERY SELECT 'ok';
  EXCEPTION WHEN OTHERS THEN
    RETURN QUERY SELECT SQLSTATE || ' ' || SQLERRM;
  END;
  RESET ROLE;
END
$$;
CREATE TABLE test.statements (at serial, what text, statement text);
INSERT INTO test.statements (what, statement) VALUES
  ('upload', $$SELECT mesflow.upload_model('by role', 'role.stl')$$),
  ('upload in pieces', $$SELECT mesflow.finish_upload(u) FROM (SELECT u, mesflow.append_upload(u, 0, 'x') FROM (SELECT mesflow.begin_upload('x.stl', 1) AS u OFFSET 0) b OFFSET 0) a$$),
  ('estimate', format('SELECT count(*) FROM mesflow.estimate(%L)', :'cube')),
  ('request a quote', format('SELECT mesflow.request_quote(%L, %L, %L)', :'cube', 'pla', 'fdm')),
  ('request a pending quote', format('SELECT mesflow.request_quote(%L, %L, %L)', :'new', 'pla', 'fdm')),
  ('await a model', format('SELECT mesflow.await_model(%L)', :'cube')),
  ('read the bytes', format('SELECT length(mesflow.model_content(%L))', :'cube')),
  ('see a picture', format('SELECT length(mesflow.model_picture(%L))', :'cube')),
  ('delete a model', $$SELECT mesflow.delete_model('00000000-0000-7000-8000-000000000000', 'by role')$$),
  ('read models', 'SELECT count(*) FROM mesflow.models'),
  ('read measurements', 'SELECT count(*) FROM mesflow.measurements'),
  ('read quotes', 'SELECT count(*) FROM mesflow.quotes'),
  ('read materials', 'SELECT count(*) FROM mesflow.materials'),
  ('read processes', 'SELECT count(*) FROM mesflow.processes'),
  ('read price_jobs', 'SELECT count(*) FROM (SELECT * FROM mesflow.price_jobs OFFSET 0) j'),
  ('read partners', 'SELECT count(*) FROM mesflow.partners'),
  ('read rates', 'SELECT count(*) FROM mesflow.rates'),
  ('read nodes', 'SELECT count(*) FROM mesflow.nodes'),
  ('read worker_status', 'SELECT count(*) FROM mesflow.worker_status'),
  ('read housekeeping', 'SELECT count(*) FROM mesflow.housekeeping'),
  ('read _quotes', 'SELECT count(*) FROM mesflow._quotes'),
  ('read _nodes', 'SELECT count(*) FROM mesflow._nodes'),
  ('write a quote', $$UPDATE mesflow.quotes SET total = 0$$),
  ('cancel a job', 'SELECT mesflow.cancel_job(987654321)'),
  ('retry a job', 'SELECT mesflow.retry_job(987654321)'),
  ('read _duties', 'SELECT count(*) FROM mesflow._duties'),
  ('do a portion', $$SELECT mesflow._do_duty('keep_jobs')$$),
  ('health', 'SELECT count(*) FROM mesflow.health()'),
  ('version', 'SELECT count(*) FROM mesflow.version()'),
  ('verify jobs', 'SELECT count(*) FROM mesflow.verify_jobs()'),
  ('register a node', $$SELECT mesflow.node_register('x', 1, 'x')$$),
  ('claim jobs', format('SELECT count(*) FROM mesflow.claim_jobs(%s, %L, 0)', (SELECT node FROM test.nodes WHERE name = 'node'), (SELECT secret FROM test.nodes WHERE name = 'node'))),
  ('heartbeat', format('SELECT count(*) FROM mesflow.heartbeat(%s, %L, %L, %L, %L, %L)', (SELECT node FROM test.nodes WHERE name = 'node'), (SELECT secret FROM test.nodes WHERE name = 'node'), '{}', '{}', '{}', '{}')),
  ('register as the server', $$SELECT mesflow._server_register('x', 1, 'x')$$),
  ('sweep', 'SELECT mesflow._sweep_jobs()'),
  ('price by itself', 'SELECT mesflow._price_list(NULL, NULL)'),
  ('load the example', 'SELECT mesflow.load_example_catalog()'),
  ('arm', $$SELECT mesflow.arm('a test')$$),
  ('add a partner', $$INSERT INTO mesflow.partners (code, name) VALUES (gen_random_uuid()::text, 'x')$$),
  ('add a process', $$INSERT INTO mesflow.processes (code, name, options) VALUES (gen_random_uuid()::text, 'x', '{"a": {"type": "number", "default": 1}}')$$),
  ('change a rate', $$UPDATE mesflow.rates SET value = value WHERE price_list = 'draft'$$),
  ('change an active rate', $$UPDATE mesflow.rates SET value = value WHERE price_list = 'example'$$),
  ('change a break', $$UPDATE mesflow.quantity_breaks SET percent = percent WHERE price_list = 'draft'$$),
  ('draft a price list', $$INSERT INTO mesflow.price_lists (code, currency) VALUES (gen_random_uuid()::text, 'EUR')$$),
  ('revise a price list', $$SELECT mesflow.revise_price_list('[{"name": "setup", "value": 5}]', 'nothing new')$$),
  ('check a price list', $$SELECT count(*) FROM mesflow.check_price_list('draft')$$),
  ('create a partner', $$SELECT mesflow.create_partner('acme', 'Acme Parts')$$),
  ('price a quote by hand', format('SELECT mesflow.price_quote(%L, 5, %L)', :'quote', 'by hand')),
  ('reject a quote', format('SELECT mesflow.reject_quote(%L, %L)', :'quote', 'impossible')),
  ('recompute a quote', format('SELECT count(*) FROM mesflow.recompute_quote(%L)', :'quote')),
  ('read quantity breaks', 'SELECT count(*) FROM mesflow.quantity_breaks'),
  ('change a process', $$UPDATE mesflow.processes SET options = options, materials = '{pla}' WHERE code = 'fdm'$$),
  ('find orders', $$SELECT count(*) FROM mesflow.find_orders('role-1')$$),
  ('read a timeline', format('SELECT count(*) FROM mesflow.order_timeline(%L)', :'order')),
  ('read a card', format('SELECT length(mesflow.order_card(%L))', :'order')),
  ('read the report', 'SELECT length(mesflow.floor_report())'),
  ('reconcile', $$SELECT count(*) FROM mesflow.reconcile_orders('shop', '{}', now())$$),
  ('confirm a receipt', format('SELECT mesflow.confirm_receipt(%L, %L)', :'order', 'crm')),
  ('erase a customer', format('SELECT mesflow.erase_customer(%L, %L)', :'order', 'asked for it')),
  ('read orders', 'SELECT count(*) FROM mesflow.orders'),
  ('read items', 'SELECT count(*) FROM mesflow.order_items'),
  ('read systems of orders', 'SELECT count(*) FROM mesflow.order_systems'),
  ('read the flow', 'SELECT count(*) FROM mesflow.order_statuses CROSS JOIN mesflow.order_transitions'),
  ('read customers', 'SELECT count(*) FROM mesflow.customers'),
  ('read _receipts', 'SELECT count(*) FROM mesflow._receipts'),
  ('read _order_history', 'SELECT count(*) FROM mesflow._order_history'),
  ('update orders, past a page', 'DO $do$ BEGIN FOR i IN 1 .. 60 LOOP UPDATE mesflow.orders SET priority = priority + 1, due_at = now(); END LOOP; END $do$'),
  ('update a reference', $$UPDATE mesflow.orders SET external_ref = 'x'$$),
  ('change the flow', $$UPDATE mesflow.order_statuses SET label = label$$),
  ('add a step', $$INSERT INTO mesflow.order_transitions SELECT s.status, t.status FROM mesflow.order_statuses s, mesflow.order_statuses t WHERE s.status = 'delivered' AND t.status = 'cancelled' ON CONFLICT DO NOTHING$$),
  ('copy the timeline', 'SELECT mesflow._copy_timeline()'),
  ('submit an order', format('SELECT mesflow.submit_order(%L, gen_random_uuid()::text, %L)', 'shop', jsonb_build_array(jsonb_build_object('model', :'cube', 'material', 'pla', 'process', 'fdm')))),
  ('submit orders', $$SELECT count(*) FROM mesflow.submit_orders('[]')$$),
  ('move an order', format('SELECT mesflow.advance_order(%L, %L)', :'order', 'priced')),
  ('move an order by UPDATE', format('UPDATE mesflow.orders SET status = status WHERE id = %L', :'order')),
  ('change an order', format('SELECT mesflow.change_order(%L, %L)', :'order', :'items')),
  ('requote an order', format('SELECT mesflow.requote_order(%L)', :'order')),
  ('set a priority', format('SELECT mesflow.set_priority(%L, 0)', :'order')),
  ('set a date', format('SELECT mesflow.set_due(%L, NULL)', :'order')),
  ('cancel an item', $$SELECT mesflow.cancel_item('00000000-0000-7000-8000-000000000000', 'by role')$$),
  ('cancel an order', $$SELECT mesflow.cancel_order('00000000-0000-7000-8000-000000000000', 'by role')$$),
  ('emit an event', $$SELECT mesflow.emit('crm.note', 'a key', '{}')$$),
  ('write an event', $$INSERT INTO mesflow.outbox (id) VALUES (0)$$),
  ('sum up', 'SELECT mesflow._sum_orders()'),
  ('an event of ours', $$SELECT mesflow._event('order.priced', 'x', 'shop', NULL, NULL, '{}')$$),
  ('count an event', format('SELECT mesflow._order_of_event(%L, true)', :'order')),
  ('make an endpoint', $$SELECT mesflow.create_endpoint(gen_random_uuid()::text, 'https://partner.example/')$$),
  ('change an endpoint', $$SELECT mesflow.alter_endpoint('desk', '{"timeout_ms": 1000}')$$),
  ('a new secret', $$SELECT mesflow.rotate_secret('desk', '0')$$),
  ('ping', $$SELECT mesflow.ping_endpoint('desk')$$),
  ('pause an endpoint', $$SELECT mesflow.pause_endpoint('desk', 'by role')$$),
  ('resume an endpoint', $$SELECT mesflow.resume_endpoint('desk')$$),
  ('replay', $$SELECT mesflow.replay('desk', now())$$),
  ('replay dead letters', 'SELECT mesflow.replay_dead()'),
  ('dismiss dead letters', $$SELECT mesflow.dismiss_dead('{}', 'by role')$$),
  ('drain', $$SELECT mesflow.drain('0')$$),
  ('drop an endpoint', $$SELECT mesflow.drop_endpoint('no one')$$),
  ('read endpoints', 'SELECT count(*) FROM (SELECT * FROM mesflow.endpoints OFFSET 0) e'),
  ('read deliveries', 'SELECT count(*) FROM (SELECT * FROM mesflow.deliveries OFFSET 0) d'),
  ('read attempts', 'SELECT count(*) FROM (SELECT * FROM mesflow.delivery_attempts OFFSET 0) a'),
  ('read dead letters', 'SELECT count(*) FROM (SELECT * FROM mesflow.dead_letters OFFSET 0) d'),
  ('read _endpoints', 'SELECT count(*) FROM mesflow._endpoints'),
  ('read secrets', 'SELECT count(*) FROM mesflow._endpoint_secrets'),
  ('read settings of endpoints', 'SELECT count(*) FROM mesflow._endpoint_settings'),
  ('make a secret', $$SELECT mesflow._new_secret('desk')$$),
  ('read bodies', $$SELECT mesflow._request_body('desk', '{}', NULL)$$),
  ('read events by id', $$SELECT count(*) FROM mesflow._events_by_id('{1}')$$),
  ('create in the schema', 'CREATE TABLE mesflow.mine ()');
SELECT s.what,
       string_agg(substr(r.rolname, 9), ' ' ORDER BY r.rolname) FILTER (WHERE a.answer = 'ok' OR a.answer ~ '^MF') AS may,
       string_agg(DISTINCT a.answer, ', ') FILTER (WHERE a.answer <> 'ok') AS answers
  FROM test.statements s CROSS JOIN pg_roles r CROSS JOIN LATERAL test.as_role(r.rolname, s.statement) a
 WHERE r.rolname ~ '^mesflow_' GROUP BY s.at, s.what ORDER BY s.at;

-- Somebody without any group.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_mesflow_nobody;
RESET client_min_messages;
CREATE ROLE regress_mesflow_nobody;
SELECT DISTINCT a.answer FROM test.statements s CROSS JOIN LATERAL test.as_role('regress_mesflow_nobody', s.statement) a;
DROP ROLE regress_mesflow_nobody;
