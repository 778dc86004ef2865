-- The CRM developer's day: events of orders arrive at a receiver, in order, signed; what goes wrong is seen, and put right.
-- receiver: the address of tools/receiver, which the runner has started; arrivals: its folder.
\ir day.psql
\ir ../models/examples.psql
SET day.arrivals = :'arrivals';

-- What has arrived at a path, as the receiver wrote it down before it answered.
CREATE FUNCTION pg_temp.arrived(path text) RETURNS TABLE (n bigint, status int, event uuid, type text, key text, seq int, attempt int, signature text, again boolean)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT l.n, f[3]::int, f[4]::uuid, f[5], f[6], nullif(f[7], '')::int, f[8]::int, f[9], f[10]::boolean
    FROM string_to_table(pg_read_file(current_setting('day.arrivals') || '/arrivals'), E'\n') WITH ORDINALITY AS l (line, n),
         string_to_array(l.line, E'\t') f
   WHERE f[2] = $1
$$;
CREATE FUNCTION pg_temp.last_request() RETURNS text
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_read_file(current_setting('day.arrivals') || '/last') $$;

-- Until so many dead letters of an endpoint wait for somebody, at most a minute.
CREATE PROCEDURE pg_temp.await_dead(endpoint text, wanted bigint)
LANGUAGE plpgsql AS $$
BEGIN
  FOR try IN 1..600 LOOP
    EXIT WHEN (SELECT count(*) FROM mesflow.dead_letters d WHERE d.endpoint = $1) = wanted;
    COMMIT;
    PERFORM pg_sleep(0.1);
  END LOOP;
  PERFORM pg_temp.same('dead letters of ' || $1, (SELECT count(*) FROM mesflow.dead_letters d WHERE d.endpoint = $1), wanted);
END
$$;
\set crm :receiver '/crm'
\set secrets :arrivals '/secrets'

-- An endpoint. Its secret is shown once, and goes to the receiver.
SET ROLE mesflow_admin;
SELECT mesflow.create_endpoint('crm', :'crm', '{order.*,crm.*}', system => 'crm', options => '{"allow_private": ["127.0.0.1"]}') AS secret \gset
\o :secrets
\qecho :secret
\o
SELECT mesflow.ping_endpoint('crm') AS ping \gset
SELECT mesflow.drain('30 s');
SELECT state, attempts, last_status, last_error FROM mesflow.deliveries WHERE event = :'ping';
SELECT pg_temp.same('the ping', (SELECT ARRAY[state, attempts::text, last_status::text] FROM mesflow.deliveries WHERE event = :'ping'), '{delivered,1,200}'::text[]),
       pg_temp.same('as it arrived', (SELECT ARRAY[event::text, type, key, signature] FROM pg_temp.arrived('/crm')), ARRAY[:'ping', 'endpoint.ping', 'crm', 'good']),
       pg_temp.same('a secret', :'secret' ~ '^whsec_[A-Za-z0-9+/]{43}=$', true),
       pg_temp.same('shown once', (SELECT count(*) FROM mesflow.endpoints e WHERE e::text LIKE '%' || substr(:'secret', 7) || '%'), 0);

-- What a developer gets wrong.
SELECT pg_temp.same('the same again', pg_temp.refusal(format('SELECT mesflow.create_endpoint(%L, %L, %L, system => %L, options => %L)', 'crm', :'crm', '{order.*,crm.*}', 'crm', '{"allow_private": ["127.0.0.1"]}')), 'MF409'),
       pg_temp.same('no such option', pg_temp.refusal('SELECT mesflow.create_endpoint(''x'', ''https://crm.example/'', options => ''{"retries": 3}'')'), 'MF400'),
       pg_temp.same('no such address', pg_temp.refusal('SELECT mesflow.create_endpoint(''x'', ''ftp://crm.example/'')'), 'MF400'),
       pg_temp.same('no such system', pg_temp.refusal('SELECT mesflow.create_endpoint(''x'', ''https://crm.example/'', system => ''sap'')'), 'MF404'),
       pg_temp.same('a path to a key', pg_temp.refusal('SELECT mesflow.create_endpoint(''x'', ''https://crm.example/'', options => ''{"ca": "/etc/ssl/ca.pem"}'')'), 'MF400'),
       pg_temp.same('no such endpoint', pg_temp.refusal('SELECT mesflow.ping_endpoint(''crn'')'), 'MF404');

-- Orders flow; the CRM hears of each step, in order, and that is its receipt. The numbers between are of events of work.
SET ROLE mesflow_app;
SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl') AS model \gset
SELECT state FROM mesflow.await_model(:'model');
SELECT mesflow.submit_order('shop', 'A-1', jsonb_build_array(jsonb_build_object('model', :'model', 'material', 'pla', 'process', 'fdm')),
                            '{"name": "Anna Berg", "email": "anna@example.org"}') AS order_id \gset
SELECT mesflow.advance_order(:'order_id', s, 'olga') FROM unnest('{approved,in_production,produced}'::text[]) s;
SELECT pg_temp.same('not the developer''s', pg_temp.refusal('SELECT mesflow.ping_endpoint(''crm'')'), '42501');
SET ROLE mesflow_manager;
SELECT pg_temp.same('all tried', mesflow.drain('30 s'), true);
SELECT event_type, state, attempts, delivered_at FROM mesflow.deliveries WHERE order_id = :'order_id' ORDER BY outbox_id;
SELECT name, state, breaker, waiting, in_flight, delivered, failed, dead, lag, last_error FROM mesflow.endpoints;
SELECT pg_temp.same('delivered', (SELECT array_agg(event_type || ' ' || state ORDER BY outbox_id) FROM mesflow.deliveries WHERE order_id = :'order_id'),
                    '{"order.submitted delivered","order.priced delivered","order.approved delivered","order.in_production delivered","order.produced delivered"}'::text[]),
       pg_temp.same('in order', (SELECT array_agg(seq || ' ' || type ORDER BY n) FROM pg_temp.arrived('/crm') WHERE key = :'order_id'),
                    '{"1 order.submitted","2 order.priced","3 order.approved","5 order.in_production","6 order.produced"}'::text[]),
       pg_temp.same('once each, at first try, signed', (SELECT ARRAY[count(DISTINCT event), sum(attempt), count(*) FILTER (WHERE signature = 'good' AND NOT again)] FROM pg_temp.arrived('/crm')), '{6,6,6}'::bigint[]),
       pg_temp.same('the same ids', (SELECT array_agg(a.event ORDER BY n) FROM pg_temp.arrived('/crm') a WHERE key = :'order_id'), (SELECT array_agg(event ORDER BY id) FROM mesflow.outbox WHERE order_id = :'order_id' AND type LIKE 'order.%')),
       pg_temp.same('the receipt', (SELECT via FROM mesflow.order_systems WHERE order_id = :'order_id' AND system = 'crm'), 'delivery'),
       pg_temp.same('no customer', pg_temp.last_request() ~ 'Anna|anna@', false);

-- The floor's system answers 503. Three tries at short pauses, then a dead letter; what comes behind goes on.
SET ROLE mesflow_admin;
\set mes :receiver '/status/503'
SELECT mesflow.create_endpoint('mes', :'mes', '{order.packed,order.shipped}', system => 'mes',
                               options => '{"allow_private": ["127.0.0.1"], "schedule": [0, 0.2, 0.2], "receipt": "explicit"}') AS mes_secret \gset
\o :secrets
\qecho :secret
\qecho :mes_secret
\o
SET ROLE mesflow_app;
SELECT mesflow.advance_order(:'order_id', s, 'max') FROM unnest('{packed,shipped}'::text[]) s;
SET ROLE mesflow_manager;
CALL pg_temp.await_dead('mes', 2);
SELECT id, event_type, reason, attempts, last_status, last_error FROM mesflow.dead_letters ORDER BY id;
SELECT attempt, at, status, duration_ms, error, response FROM mesflow.delivery_attempts WHERE endpoint = 'mes' ORDER BY at;
SELECT pg_temp.same('why', (SELECT array_agg(event_type || ' ' || attempts || ' ' || last_status ORDER BY id) FROM mesflow.dead_letters), '{"order.packed 3 503","order.shipped 3 503"}'::text[]),
       pg_temp.same('tries', (SELECT array_agg(attempt || ' ' || status ORDER BY at) FROM mesflow.delivery_attempts WHERE endpoint = 'mes'), '{"1 503","2 503","3 503","1 503","2 503","3 503"}'::text[]),
       pg_temp.same('one after the other', (SELECT array_agg(type || ' ' || attempt ORDER BY n) FROM pg_temp.arrived('/status/503')),
                    '{"order.packed 1","order.packed 2","order.packed 3","order.shipped 1","order.shipped 2","order.shipped 3"}'::text[]),
       pg_temp.same('the crm has them', (SELECT array_agg(state) FROM mesflow.deliveries WHERE endpoint = 'crm' AND event_type IN ('order.packed', 'order.shipped')), '{delivered,delivered}'::text[]);
SET ROLE mesflow_monitor;
SELECT status, detail, hint FROM mesflow.health() WHERE check_name = 'delivery';
SELECT pg_temp.same('health', (SELECT ARRAY[status, (detail LIKE '%mes%2 dead letters%')::text] FROM mesflow.health() WHERE check_name = 'delivery'), '{warning,true}'::text[]),
       pg_temp.same('no bodies for the monitor', pg_temp.refusal('SELECT FROM mesflow.dead_letters'), '42501');

-- It is repaired. One is sent again, under the same id; the other one is of no use any more.
SET ROLE mesflow_admin;
\set mes :receiver '/mes'
SELECT mesflow.alter_endpoint('mes', url => :'mes');
SET ROLE mesflow_manager;
SELECT array_agg(id) FILTER (WHERE event_type = 'order.packed') AS useless, array_agg(id) FILTER (WHERE event_type = 'order.shipped') AS wanted FROM mesflow.dead_letters \gset
SELECT mesflow.dismiss_dead(:'useless', 'packed by hand', 'max');
SELECT mesflow.replay_dead('mes', :'wanted', 'max');
SELECT mesflow.drain('30 s');
SELECT pg_temp.same('nothing is dead', (SELECT count(*) FROM mesflow.dead_letters), 0),
       pg_temp.same('what became of them', (SELECT array_agg(event_type || ' ' || state ORDER BY outbox_id) FROM mesflow.deliveries WHERE endpoint = 'mes'), '{"order.packed skipped","order.shipped delivered"}'::text[]),
       pg_temp.same('what arrived', (SELECT array_agg(type || ' ' || signature) FROM pg_temp.arrived('/mes')), '{"order.shipped good"}'::text[]),
       pg_temp.same('the same id', (SELECT event FROM pg_temp.arrived('/mes')), (SELECT DISTINCT event FROM pg_temp.arrived('/status/503') WHERE type = 'order.shipped')),
       pg_temp.same('once is enough', mesflow.replay_dead('mes', :'wanted', 'max'), 0::bigint),
       pg_temp.same('it was dismissed', pg_temp.refusal(format('SELECT mesflow.replay_dead(%L, %L)', 'mes', :'useless')), 'MF409');

-- The floor's system says itself when it has an order.
SELECT pg_temp.same('an answer is no receipt', (SELECT count(*) FROM mesflow.order_systems WHERE order_id = :'order_id' AND system = 'mes' AND received_at IS NOT NULL), 0);
SELECT mesflow.confirm_receipt(:'order_id', 'mes', external_id => 'WO-77', status => 'shipped');
SELECT system, received_at, via, external_id FROM mesflow.order_systems WHERE order_id = :'order_id' ORDER BY system;
SELECT pg_temp.same('both have it', (SELECT array_agg(system || ' ' || via ORDER BY system) FROM mesflow.order_systems WHERE order_id = :'order_id' AND received_at IS NOT NULL), '{"crm delivery","mes confirmation"}'::text[]);

-- A new secret. Both sign, until the receiver has changed; then the old one ends.
SET ROLE mesflow_admin;
SELECT mesflow.rotate_secret('crm', keep_old => '1 h') AS new_secret \gset
SELECT mesflow.emit('crm.called', 'customer 17', '{"result": "wants it in blue"}') AS by_old \gset
SELECT mesflow.drain('30 s');
\o :secrets
\qecho :new_secret
\o
SELECT mesflow.emit('crm.called', 'customer 17', '{"result": "wants it in red"}') AS by_new \gset
SELECT mesflow.drain('30 s');
SELECT secrets FROM mesflow.endpoints WHERE name = 'crm';
SELECT mesflow.rotate_secret('crm', keep_old => '0') AS last_secret \gset
SELECT mesflow.emit('crm.called', 'customer 17', '{"result": "has hung up"}') AS untold \gset
SELECT mesflow.drain('30 s');
\o :secrets
\qecho :last_secret
\o
SELECT pg_temp.same('signatures', (SELECT array_agg(signature ORDER BY n) FROM pg_temp.arrived('/crm') WHERE key = 'customer%2017'), '{good,good,BAD}'::text[]),
       pg_temp.same('in use', (SELECT secrets FROM mesflow.endpoints WHERE name = 'crm'), 1);

-- The CRM is upgraded: nothing is sent meanwhile, nothing is lost.
SET ROLE mesflow_manager;
SELECT mesflow.pause_endpoint('crm', 'upgrade until noon', 'olga');
SELECT mesflow.set_priority(:'order_id', 5, 'olga');
SELECT mesflow.drain('30 s');
SELECT name, state, reason, changed_by, waiting FROM mesflow.endpoints WHERE name = 'crm';
SELECT pg_temp.same('it waits', (SELECT ARRAY[state, reason, changed_by, waiting::text] FROM mesflow.endpoints WHERE name = 'crm'), '{paused,"upgrade until noon",olga,1}'::text[]),
       pg_temp.same('has not arrived', (SELECT count(*) FROM pg_temp.arrived('/crm') WHERE type = 'order.changed'), 0);
SELECT mesflow.resume_endpoint('crm', 'olga');
SELECT mesflow.drain('30 s');
SELECT pg_temp.same('has arrived', (SELECT array_agg(seq || ' ' || signature) FROM pg_temp.arrived('/crm') WHERE type = 'order.changed'), '{"10 good"}'::text[]);

-- The CRM has lost a day: this order again, from the outbox. It knows the ids, and takes them once.
SELECT pg_temp.same('asked for', mesflow.replay('crm', order_id => :'order_id'), 8::bigint);
SELECT mesflow.drain('30 s');
SELECT pg_temp.same('again', (SELECT array_agg(seq ORDER BY n) FROM pg_temp.arrived('/crm') WHERE key = :'order_id' AND again), '{1,2,3,5,6,8,9,10}'::int[]);

-- A chat channel: urgent orders only, in its own form, and who they are for.
SET ROLE mesflow_admin;
\set chat :receiver '/chat'
SELECT mesflow.create_endpoint('chat', :'chat', '{order.changed}', options => '{
  "allow_private": ["127.0.0.1"], "expand": ["customer"],
  "filter": "$.data.order.priority > 5",
  "template": "{\"text\": \"{{data.customer.name}}: order {{data.order.number}} is urgent\", \"priority\": {{data.order.priority}}}"}');
SET ROLE mesflow_manager;
SELECT mesflow.set_priority(:'order_id', 4);
SELECT mesflow.set_priority(:'order_id', 9);
SELECT mesflow.drain('30 s');
SELECT pg_temp.same('the urgent one', (SELECT array_agg(seq) FROM pg_temp.arrived('/chat')), '{12}'::int[]),
       pg_temp.same('two of them to the crm', (SELECT array_agg(seq ORDER BY n) FROM pg_temp.arrived('/crm') WHERE type = 'order.changed' AND NOT again), '{10,11,12}'::int[]);

-- In batches, where nothing can be sent to: exactly once, as ack and effects are one transaction.
SELECT mesflow.create_consumer('crm night', '{order.*}', system => 'crm');
SET ROLE mesflow_app;
SELECT mesflow.submit_order('shop', 'A-2', jsonb_build_array(jsonb_build_object('model', :'model', 'material', 'petg', 'process', 'fdm'))) AS second \gset
CREATE TEMP TABLE night (event uuid PRIMARY KEY, type text);
BEGIN;
INSERT INTO night SELECT event, type FROM mesflow.consume('crm night');
SELECT mesflow.ack('crm night');
COMMIT;
SELECT pg_temp.same('the batch', (SELECT array_agg(type ORDER BY type) FROM night), '{order.priced,order.submitted}'::text[]),
       pg_temp.same('once', (SELECT count(*) FROM mesflow.consume('crm night')), 0);

-- Their inbox: whatever comes twice or late changes nothing.
RESET ROLE;
CREATE TABLE inbox (
  event uuid PRIMARY KEY,                       -- webhook-id
  key text NOT NULL,                            -- mesflow-key
  seq bigint,                                   -- mesflow-seq
  body text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE last_seen (key text PRIMARY KEY, seq bigint NOT NULL);
PREPARE receive(uuid, text, bigint, text) AS
  INSERT INTO inbox (event, key, seq, body) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING RETURNING event;     -- no row: it was here before; answer 2xx all the same
PREPARE advance(text, bigint) AS
  INSERT INTO last_seen AS l (key, seq) VALUES ($1, $2)
    ON CONFLICT (key) DO UPDATE SET seq = excluded.seq WHERE l.seq < excluded.seq RETURNING seq;
SELECT format('EXECUTE receive(%L, %L, %L, %L)', event, key, seq, '{}') FROM pg_temp.arrived('/crm') ORDER BY n \gexec
SELECT format('EXECUTE advance(%L, %L)', key, seq) FROM pg_temp.arrived('/crm') WHERE seq IS NOT NULL ORDER BY n \gexec
SELECT pg_temp.same('each once', (SELECT count(*) FROM inbox), (SELECT count(DISTINCT event) FROM pg_temp.arrived('/crm'))),
       pg_temp.same('the newest', (SELECT seq FROM last_seen WHERE key = :'order_id'), 12::bigint);

-- As CloudEvents, to whoever wants them so.
SET ROLE mesflow_admin;
SELECT mesflow.alter_endpoint('mes', options => '{"format": "cloudevents-binary", "schedule": null}', event_types => '{order.delivered}');
SELECT mesflow.pause_endpoint('crm', 'the last request shall be the other one''s');
SET ROLE mesflow_app;
SELECT mesflow.advance_order(:'order_id', 'delivered', 'post');
SET ROLE mesflow_manager;
SELECT mesflow.drain('30 s');
SELECT pg_temp.same('its headers', (SELECT array_agg(h ORDER BY n) FROM unnest(ARRAY['ce-specversion: 1.0', 'ce-type: order.delivered', 'mesflow-seq: 13', 'mesflow-attempt: 1', 'traceparent: 00-', 'webhook-signature: v1,'])
                                      WITH ORDINALITY AS w (h, n) WHERE strpos(pg_temp.last_request(), h) = 0), NULL),
       pg_temp.same('its body', (regexp_match(pg_temp.last_request(), '(?<=\n)\{.*\}'))[1]::jsonb, (SELECT body::jsonb -> 'data' FROM mesflow.outbox WHERE order_id = :'order_id' AND type = 'order.delivered'));

-- It is over.
SET ROLE mesflow_admin;
SELECT mesflow.drop_endpoint(name) FROM mesflow.endpoints;
SELECT mesflow.drop_consumer('crm night');
SELECT pg_temp.same('none is left', (SELECT count(*) FROM mesflow.endpoints) + (SELECT count(*) FROM mesflow.deliveries WHERE state <> 'skipped') + (SELECT count(*) FROM mesflow.consumers), 0),
       pg_temp.same('what was tried stays', (SELECT count(*) > 20 FROM mesflow.delivery_attempts WHERE endpoint LIKE 'dropped endpoint %'), true);
SET ROLE mesflow_monitor;
SELECT pg_temp.same('healthy', (SELECT status FROM mesflow.health() WHERE check_name = 'delivery'), 'ok');
