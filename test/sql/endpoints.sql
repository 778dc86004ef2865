-- Endpoints: made, changed, paused, dropped, and their secrets. No worker serves this database.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- What the delivery worker was told since the last time.
CREATE FUNCTION test.told() RETURNS text LANGUAGE sql AS $$
  WITH news AS (DELETE FROM mesflow._delivery_news RETURNING number, coalesce(endpoint, 'all') || ' ' || what AS what)
  SELECT string_agg(n.what || CASE WHEN n.n > 1 THEN ' x ' || n.n ELSE '' END, ', ' ORDER BY n.first) FROM (SELECT what, count(*) AS n, min(number) AS first FROM news GROUP BY what) n
$$;
CREATE VIEW test.endpoints AS
  SELECT e.name, e.state, e.reason, e.changed_by, e.event_types, e.partner, e.system, e.breaker, e.waiting, e.in_flight, e.delivered, e.failed, e.dead, e.lag > '0' AS lags, e.secrets
    FROM mesflow.endpoints e ORDER BY e.name;

-- ---- made --------------------------------------------------------------
SELECT mesflow.emit('test.before', 'k', '{}') \g /dev/null
SELECT mesflow.create_endpoint('crm', 'https://crm.example/in?token=secret', '{test.*,order.*}', NULL, 'crm', '{"timeout_ms": 5000}') AS secret \gset
SELECT :'secret' ~ '^whsec_[A-Za-z0-9+/]{43}=$' AS well_formed, decode(substr(:'secret', 7), 'base64') = s.secret AS kept, length(s.secret) AS bytes, s.expires_at
  FROM mesflow._endpoint_secrets s WHERE s.endpoint = 'crm';
SELECT test.told();
SELECT mesflow.emit('test.after', 'k', '{}') \g /dev/null
SELECT mesflow.emit('other.after', 'k', '{}') \g /dev/null
SELECT * FROM test.endpoints;
SELECT c.name, c.kind, c.event_types, c.system, mesflow._origin() = c.origin AS ours FROM mesflow._cursors c JOIN mesflow._endpoints e ON e.reader = c.name;

-- What the same transaction writes after it comes later, and before it, too: it commits as one.
BEGIN;
SELECT mesflow.emit('test.same', 'k', '{}') \g /dev/null
SELECT mesflow.create_endpoint('acme', 'http://acme.example/', partner => 'acme') \g /dev/null
SELECT mesflow.emit('test.same', 'k', '{}', 'acme') \g /dev/null
COMMIT;
SELECT name, waiting FROM mesflow.endpoints ORDER BY name;

-- Again: the secret was shown once.
SELECT error FROM test.error($$SELECT mesflow.create_endpoint('crm', 'https://crm.example/in?token=secret', '{test.*,order.*}', NULL, 'crm', '{"timeout_ms": 5000, "auth": null}')$$) WHERE error !~ 'was made';
SELECT * FROM test.error($$SELECT mesflow.create_endpoint('crm', 'https://crm.example/', '{*}', 'acme', NULL, '{"timeout_ms": 5001, "filter": "$.a"}')$$);
SELECT * FROM test.error($$SELECT mesflow.create_consumer('endpoint crm')$$);
SELECT mesflow.create_consumer('endpoint shop');
SELECT * FROM test.error($$SELECT mesflow.create_endpoint('shop', 'https://crm.example/')$$);
SELECT * FROM test.error($$SELECT mesflow.consume('endpoint crm')$$);

-- ---- changed -------------------------------------------------------------
SELECT test.told();
SELECT mesflow.alter_endpoint('crm'), mesflow.alter_endpoint('crm', '{}', 'https://crm.example/in?token=secret', '{test.*,order.*}'), mesflow.alter_endpoint('crm', '{"timeout_ms": 5000, "headers": null}');
SELECT test.told();
SELECT mesflow.alter_endpoint('crm', event_types => '{other.*}');
SELECT test.told();
SELECT name, waiting FROM mesflow.endpoints ORDER BY name;
SELECT mesflow.alter_endpoint('crm', '{"filter": "$.data.n > 1"}', 'https://crm.example/'), mesflow.emit('other.after', 'k', '{"n": 1}') IS NULL, mesflow.emit('other.after', 'k', '{"n": 2}') IS NULL;
SELECT test.told();
SELECT name, waiting, url, options FROM mesflow.endpoints ORDER BY name;
-- Its cursor moving tells nothing.
UPDATE mesflow._cursors SET last_id = last_id, delivered = delivered + 1 WHERE name = 'endpoint crm';
SELECT test.told();

-- ---- paused and resumed ----------------------------------------------------
SELECT mesflow.pause_endpoint('crm', 'moving house', 'olga'), mesflow.pause_endpoint('crm', 'other', 'boris');
SELECT test.told();
SELECT * FROM test.endpoints;
INSERT INTO mesflow._endpoint_troubles VALUES ('crm', 'open', now() + interval '1 h', 3, now() - interval '1 day', 17, 503, 'it answered 503', now());
SELECT breaker, last_status, last_error, failing_since IS NOT NULL AS fails FROM mesflow.endpoints WHERE name = 'crm';
SELECT mesflow.resume_endpoint('crm', 'olga'), mesflow.resume_endpoint('crm', 'boris');
SELECT test.told();
SELECT * FROM test.endpoints;
SELECT breaker, breaker_until, opened, failing_since, failures, last_status, last_error FROM mesflow._endpoint_settings WHERE name = 'crm';
UPDATE mesflow._endpoints SET state = 'disabled', reason = 'it failed for days' WHERE name = 'crm';
SELECT state, reason FROM mesflow.endpoints WHERE name = 'crm';
SELECT mesflow.pause_endpoint('crm', 'nobody is there');
SELECT state, reason, changed_by FROM mesflow.endpoints WHERE name = 'crm';
SELECT mesflow.resume_endpoint('crm');
SELECT * FROM test.error($$SELECT mesflow.pause_endpoint('crm', ' ')$$);
SELECT * FROM test.error($$SELECT mesflow.pause_endpoint('crm', 'x', repeat('x', 201))$$);
SELECT s.statement, e.error FROM unnest(ARRAY['pause_endpoint(NULL, ''x'')', 'resume_endpoint(''no one'')', 'drop_endpoint(''mesflow timeline'')', 'ping_endpoint('''')', 'rotate_secret(''shop'')']) s (statement), test.error('SELECT mesflow.' || s.statement) e;

-- ---- pinged ---------------------------------------------------------------
SELECT mesflow.ping_endpoint('crm') AS ping \gset
SELECT type, key, key_seq, order_id, partner, body::jsonb -> 'data' AS data FROM mesflow.outbox WHERE event = :'ping';
SELECT endpoint, event_type, state FROM mesflow.deliveries WHERE event = :'ping';
SELECT name, waiting FROM mesflow.endpoints ORDER BY name;
SELECT * FROM test.error($$SELECT mesflow.emit('endpoint.ping', 'crm', '{}')$$);

-- ---- secrets ----------------------------------------------------------------
SELECT test.told() IS NOT NULL;
SELECT mesflow.rotate_secret('crm') AS second \gset
SELECT test.told() LIKE 'crm changed%' AS told;
SELECT :'second' <> :'secret' AS new, 'whsec_' || encode(secrets[1], 'base64') = :'second' AS newest_first, 'whsec_' || encode(secrets[2], 'base64') = :'secret' AS old_second,
       secret_expires - now() BETWEEN '23:59:00' AND '24:00:00' AS a_day FROM mesflow._endpoint_settings WHERE name = 'crm';
SELECT mesflow.rotate_secret('crm', '1 h') \g /dev/null
SELECT cardinality(secrets), secret_expires - now() < '1 h' AS sooner FROM mesflow._endpoint_settings WHERE name = 'crm';
SELECT mesflow.rotate_secret('crm', '2 h') \g /dev/null
SELECT mesflow.rotate_secret('crm', '2 h') \g /dev/null
SELECT secrets FROM mesflow.endpoints WHERE name = 'crm';
SELECT regexp_replace(error, 'expires .*', 'expires ...') AS error FROM test.error($$SELECT mesflow.rotate_secret('crm')$$);
SELECT mesflow.rotate_secret('crm', '0') AS last \gset
SELECT cardinality(secrets), 'whsec_' || encode(secrets[1], 'base64') = :'last' AS the_last, secret_expires, (SELECT count(*) FROM mesflow._endpoint_secrets s WHERE s.endpoint = 'crm') AS kept FROM mesflow._endpoint_settings WHERE name = 'crm';
SELECT s.keep_old, e.error FROM unnest(ARRAY['NULL', '''-1 s''', '''31 days''']) s (keep_old), test.error(format('SELECT mesflow.rotate_secret(''crm'', %s)', s.keep_old)) e;

-- ---- the body that it gets --------------------------------------------------
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT mesflow.submit_order('shop', 'BODY-1', jsonb_build_array(jsonb_build_object('model', :'cube', 'material', 'pla', 'process', 'fdm', 'quantity', 2)),
                            '{"name": "Anna \"A\" Müller", "email": "anna@example.com", "address": {"city": "Wien"}}') AS "order" \gset
SELECT body FROM mesflow.outbox WHERE order_id = :'order' AND type = 'order.priced' \gset
SELECT mesflow._request_body('crm', :'body', :'order') = :'body' AS as_it_is;
SELECT mesflow.alter_endpoint('crm', '{"expand": ["customer"]}');
SELECT b.body -> 'data' -> 'customer' AS customer, b.body #- '{data,customer}' = :'body'::jsonb AS the_rest FROM (SELECT mesflow._request_body('crm', :'body', :'order')::jsonb AS body) b;
SELECT mesflow.alter_endpoint('crm', '{"expand": ["cost"]}');
SELECT c.cost ->> 'currency' AS currency, jsonb_array_length(c.cost -> 'items') AS items, c.cost #>> '{items,0,position}' AS position, c.cost #> '{items,0,lines}' = q.breakdown AS lines,
       (c.cost ->> 'private')::numeric = (SELECT coalesce(sum((l ->> 'amount')::numeric * CASE l ->> 'per' WHEN 'piece' THEN 2 ELSE 1 END), 0) FROM jsonb_array_elements(q.breakdown) l WHERE NOT (l ->> 'public')::boolean) AS private,
       c.body -> 'data' ? 'customer' AS customer
  FROM (SELECT b.body, b.body -> 'data' -> 'cost' AS cost FROM (SELECT mesflow._request_body('crm', :'body', :'order')::jsonb AS body) b) c, mesflow.quotes q WHERE q.id = (c.cost #>> '{items,0,quote}')::uuid;
SELECT mesflow.alter_endpoint('crm', '{"expand": ["customer"], "template": "{\"text\": \"{{data.customer.name}}: {{data.order.status}}, {{data.order.items.0.quantity}} x {{data.order.items.0.material}}\", \"total\": {{data.order.total}}, \"cost\": {{data.cost}}}"}');
SELECT mesflow._request_body('crm', :'body', :'order');
SELECT mesflow.cancel_order(:'order', 'not wanted');
SELECT mesflow.erase_customer(:'order', 'asked for it');
SELECT mesflow._request_body('crm', :'body', :'order');
SELECT mesflow._request_body('crm', '{"type": "x", "data": null}', :'order'), mesflow._request_body('crm', '{"type": "x", "data": []}', NULL), mesflow._request_body('no one', '{"a" : 1}', NULL);

-- ---- dropped ------------------------------------------------------------------
SELECT mesflow.drop_endpoint('crm');
SELECT * FROM test.error($$SELECT mesflow.drop_endpoint('crm')$$);
SELECT name FROM mesflow.endpoints;
SELECT (SELECT count(*) FROM mesflow._endpoint_secrets WHERE endpoint = 'crm') AS secrets, (SELECT count(*) FROM mesflow._cursors WHERE name = 'endpoint crm') AS cursors, (SELECT count(*) FROM mesflow._endpoint_troubles) AS troubles;
SELECT test.told() LIKE '%crm changed%' AS told;
-- One of the same name begins anew, under another number.
SELECT mesflow.create_endpoint('crm', 'https://crm.example/') \g /dev/null
SELECT name, waiting FROM mesflow.endpoints ORDER BY name;
SELECT number > (SELECT number FROM mesflow._endpoints WHERE name = 'acme') AS greater FROM mesflow._endpoints WHERE name = 'crm';
