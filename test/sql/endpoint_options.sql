-- What create_endpoint and alter_endpoint take, and what they refuse; no message shows what may be secret.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
\pset tuples_only on
\pset format unaligned

-- ---- name, address, types ------------------------------------------------
CREATE FUNCTION test.create_error(name text, url text DEFAULT 'https://partner.example/in', more text DEFAULT '') RETURNS SETOF text
LANGUAGE sql AS $$
  SELECT coalesce(left(quote_literal($1), 20), 'NULL') || coalesce(', ' || quote_literal(left($2, 70)), ', NULL') || $3
  UNION ALL
  SELECT test.error(format('SELECT mesflow.create_endpoint(%L, %L%s)', $1, $2, $3))
$$;
SELECT test.create_error(n) FROM unnest(ARRAY[NULL, '', ' x', 'x ', E'a\nb', repeat('x', 81), repeat('ю', 80)]) n;
SELECT test.create_error('u', u)
  FROM unnest(ARRAY[NULL, '', 'partner.example/in', '/in', 'ftp://partner.example/', 'file:///etc/passwd', 'https://', 'https:///in', 'https://:80/', 'https://partner.example:/',
                    'https://partner.example:0/', 'https://partner.example:65536/', 'https://partner.example:x/', 'https://user:secret@partner.example/in', 'https://secret@partner.example/',
                    'https://partner.example/in#secret', 'https://partner.example/a b', E'https://partner.example/\r\nX: y', 'https://partner.example\@other.example/', 'https://bücher.example/',
                    'https://partner.example/ü', 'https://[::1/', 'https://' || repeat('x', 2000), 'smtp://mail.example/', 'SMTPS://mail.example/', 'amqp://mq.example/', 'amqps://mq.example/']) u;
SELECT test.create_error('t', more => ', ' || m)
  FROM unnest(ARRAY['NULL', $$'{}'$$, $$'{order.}'$$, $$'{Order.*}'$$, $$'{*}', 'nobody'$$, $$'{*}', NULL, 'nothing'$$, $$'{*}', options => '[]'$$, $$'{*}', options => '"x"'$$]) m;
SELECT name, url FROM mesflow.endpoints;
SELECT 'addresses', mesflow.create_endpoint('addresses', 'http://[::1]:8080/?') ~ '^whsec_[A-Za-z0-9+/]{43}=$';
SELECT mesflow.alter_endpoint('addresses', url => u) FROM unnest(ARRAY['HTTPS://partner.example', 'https://partner.example?token', 'https://10.0.0.1:443/~x/%20?a=1&b=&c&d=x=y']) u;

-- ---- options: those that are refused -------------------------------------
CREATE FUNCTION test.option_error(option jsonb, system text DEFAULT NULL) RETURNS SETOF text
LANGUAGE sql AS $$
  SELECT left($1::text, 120)
  UNION ALL
  SELECT test.error(format('SELECT mesflow.create_endpoint(%L, %L, system => %L, options => %L)', 'o', 'https://partner.example/in', $2, $1))
$$;
SELECT test.option_error(o::jsonb) FROM unnest(ARRAY[
  '{"retries": 3}', '{"from": "a@b.example"}', '{"to": "customer"}', '{"subject": "x"}', '{"exchange": "x"}', '{"routing_key": "x"}',
  '{"ordering": "random"}', '{"ordering": 1}', '{"format": "xml"}', '{"receipt": "never"}', '{"receipt": "explicit"}', '{"receipt": "http"}',
  '{"timeout_ms": 99}', '{"timeout_ms": 120001}', '{"timeout_ms": 100.5}', '{"timeout_ms": "100"}', '{"max_in_flight": 0}', '{"max_in_flight": 257}', '{"max_in_flight": true}',
  '{"rate_per_second": 0}', '{"rate_per_second": -1}', '{"rate_per_second": "fast"}', '{"rate_per_second": 1e9}', '{"redirects": 6}', '{"redirects": -1}', '{"redirects": "yes"}',
  '{"schedule": "1 h"}', '{"schedule": []}', '{"schedule": [0, "soon"]}', '{"schedule": [-1]}', '{"schedule": [0, "8 days"]}', '{"schedule": [1e300]}', '{"schedule": [null]}', '{"schedule": [true]}', '{"schedule": ["-5 s"]}',
  '{"allow_private": 1}', '{"allow_private": "10.0.0.1/8"}', '{"allow_private": ["10.0.0.0/8", 5]}', '{"allow_private": ["a b"]}', '{"allow_private": "10.0.0.256"}', '{"allow_private": "a,b"}', '{"allow_private": ""}', '{"allow_private": "::g"}',
  '{"expand": "customer"}', '{"expand": ["customer", "price"]}', '{"expand": [1]}', '{"template": 1}', '{"filter": {}}', '{"filter": "$.a >"}', '{"filter": ""}',
  '{"headers": []}', '{"headers": {"": "x"}}', '{"headers": {"A B": "secret"}}', '{"headers": {"X": 1}}', '{"headers": {"X": "secret\r\nY: z"}}', '{"headers": {"X": " secret"}}', '{"headers": {"X": "a", "x": "b"}}',
  '{"headers": {"Host": "secret"}}', '{"headers": {"content-length": "1"}}', '{"headers": {"Content-Type": "x"}}', '{"headers": {"Transfer-Encoding": "x"}}', '{"headers": {"Connection": "x"}}', '{"headers": {"TE": "x"}}', '{"headers": {"Upgrade": "x"}}',
  '{"headers": {"Expect": "x"}}', '{"headers": {"Trailer": "x"}}', '{"headers": {"Webhook-Id": "x"}}', '{"headers": {"CE-Type": "x"}}', '{"headers": {"traceparent": "x"}}',
  '{"auth": "secret"}', '{"auth": {}}', '{"auth": {"type": "digest"}}', '{"auth": {"type": "bearer"}}', '{"auth": {"type": "bearer", "token": ""}}', '{"auth": {"type": "bearer", "token": "secret word"}}', '{"auth": {"type": "bearer", "token": 5}}',
  '{"auth": {"type": "bearer", "token": "secret", "user": "x"}}', '{"auth": {"type": "basic", "user": "u"}}', '{"auth": {"type": "basic", "user": "u:secret", "password": ""}}', '{"auth": {"type": "basic", "user": "", "password": "secret"}}',
  '{"auth": {"type": "basic", "user": "u", "password": "secret\n"}}', '{"auth": {"type": "bearer", "token": "secret"}, "headers": {"AUTHORIZATION": "secret"}}',
  '{"ca": 1}', '{"ca": "/etc/ssl/ca.pem"}', '{"ca": "ca.crt"}', '{"ca": "secret"}', '{"client_cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}', '{"client_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}',
  '{"client_key": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}', '{"client_key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"}']) o;
SELECT test.option_error(jsonb_build_object('schedule', (SELECT jsonb_agg(1) FROM generate_series(1, 51))));
SELECT test.option_error(jsonb_build_object('headers', (SELECT jsonb_object_agg('X-' || g, 'x') FROM generate_series(1, 51) g)));
SELECT test.option_error(jsonb_build_object('headers', jsonb_build_object('X', repeat('x', 8192))));
SELECT test.option_error(jsonb_build_object(o, repeat(E'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 600))) FROM unnest('{ca,client_cert,client_key}'::text[]) o;
SELECT test.option_error(jsonb_build_object('allow_private', (SELECT jsonb_agg('x'::text) FROM generate_series(1, 101))));

-- ---- options: those that are taken ---------------------------------------
SELECT mesflow.create_endpoint('all', 'https://partner.example/in', system => 'crm', options => $${
  "ordering": "strict", "format": "cloudevents", "headers": {"X-Shop": "Größe", "Authorization": "secret"}, "timeout_ms": 100, "max_in_flight": 256, "rate_per_second": 0.5,
  "schedule": [0, "5s", 1.5, "2 min", "00:10:00"], "redirects": true, "allow_private": ["erp.lan", "10.1.2.3", "10.1.0.0/16", "fd00::/8", "fd00::1"], "expand": ["customer", "cost"],
  "ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n",
  "client_cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "client_key": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
  "filter": "$.data.order.priority > 0", "receipt": "explicit", "template": null}$$) \g /dev/null
SELECT mesflow.create_endpoint('none', 'https://partner.example/in', system => 'crm', options => '{"auth": null, "redirects": false, "allow_private": false}') \g /dev/null
SELECT mesflow.create_endpoint('some', 'https://partner.example/in', options => '{"auth": {"type": "basic", "user": "u", "password": ""}, "redirects": 3, "allow_private": true, "template": "{}"}') \g /dev/null
SELECT mesflow.create_endpoint('bearer', 'https://partner.example/in', options => '{"auth": {"type": "bearer", "token": "secret"}, "allow_private": "erp.lan", "filter": "$.a ? (@.b == 1)"}') \g /dev/null
\pset format aligned
\pset tuples_only off
\pset expanded on
SELECT name, filter, url, headers, user_password, bearer, left(ca, 40) AS ca, left(client_cert, 40) AS client_cert, left(client_key, 40) AS client_key, allow_private, system, receipts, ordering, format, needs_sql,
       timeout_ms, max_in_flight, rate_per_second, redirects, schedule_ms, array_length(secrets, 1) AS secrets, length(secrets[1]) AS secret_bytes, secret_expires, breaker, opened, failures
  FROM mesflow._endpoint_settings ORDER BY number;

-- What others see of them.
SELECT name, url, options, secrets FROM mesflow.endpoints ORDER BY name;
SELECT count(*) AS secrets_shown FROM mesflow.endpoints e WHERE e::text ~ 'secret|Größe|AAAA';
\pset expanded off
SELECT mesflow._bare_url(u) FROM unnest(ARRAY['https://u:p@partner.example/x?a=b', 'https://partner.example/@x', 'https://partner.example?', 'https://partner.example/?a&&b=c', 'https://chat.example.organisation.com/services/T0/Zk2vR9qLw0bXe7tYp3mN5cHd', 'https://chat.example/hooks/0123456789abcdef01234567/send', 'https://partner.example/our-integration-for-events/x', 'https://partner.example/our-integration-for-events']) u;

-- ---- filters ---------------------------------------------------------------
SELECT f AS filter, mesflow._event_passes(f::jsonpath, '{"a": {"b": 5, "n": null, "f": false, "t": "x"}}') AS passes
  FROM unnest(ARRAY[NULL, '$.a.b > 4', '$.a.b > 5', '$.a.b > "x"', '$.a.c == 1', '$.a ? (@.b > 4)', '$.a ? (@.b > 5)', '$.a.t', '$.a.n', '$.a.f', 'strict $.c', 'strict $.c == 1', 'exists($.a.b)', '$.a.t like_regex "^x"']) f;
-- Times compare whatever the session's zone, and what raises an error does not pass: a time without a zone beside one that has one, a character that jsonb does not know.
SET timezone = 'America/New_York';
SELECT f AS filter, b AS body, mesflow._event_passes(f::jsonpath, b) AS passes
  FROM unnest(ARRAY['$.at.datetime() > "2026-01-01".datetime()', '$.at ? (@.datetime() > "2026-01-01".datetime())', '$.at']) f,
       unnest(ARRAY['{"at": "2025-05-05 10:00:00+00"}', '{"at": "2026-01-01 00:00:01+00"}', '{"at": "2026-01-01 00:00:00+00"}', '{"at": "2025-12-31"}', '{"at": "soon"}', '{"at": "\u0000"}', '{"at": ']) b;
RESET timezone;
SELECT p, string_agg(t, ' ') FILTER (WHERE mesflow._wants_type(ARRAY[p], t)) AS wants
  FROM unnest('{*,order.*,order.priced,ord.*,order.priced.*}'::text[]) p, unnest('{order.priced,order.priced.x,order,model.measured,orders.x}'::text[]) t GROUP BY p ORDER BY p;

-- ---- templates --------------------------------------------------------------
\pset format unaligned
\pset tuples_only on
SELECT test.option_error(jsonb_build_object('template', t)) FROM unnest(ARRAY['', 'text', '{"a": {{data.x}', '{"a": "{{data.x"}', '{"a": {{}}}', '{"a": {{data x}}}', '{"a": {{data..x}}}', '{"a": {{$.x[}}}', '{"a": {{$.x ? (@ > )}}}', '{"a" {{x}}}',
  '{"a": "{{data.x}}}', '{{{a}}}', '"\{{a}}n"', '"\\\{{a}}n"', '"\u{{a}}0041"', '"\u00{{a}}41"']) t;
SELECT test.option_error(jsonb_build_object('template', '["' || repeat('{{a}}', 201) || '"]'));
SELECT test.option_error(jsonb_build_object('template', '["' || repeat('x', 65536) || '"]'));
SELECT t, '  ' || mesflow._render_template(t, $${"type": "t", "data": {"s": "say \"hi\"\\\nю", "n": 1.50, "t": true, "z": null, "o": {"k": ["v", 2]}, "a": [{"x": 1}, {"x": "two"}]}}$$), (mesflow._render_template(t, '{}')::json IS NOT NULL)
  FROM unnest(ARRAY['{"text": "{{data.s}} costs {{ data.n }}"}', '{"s": {{data.s}}, "n": {{data.n}}, "t": {{data.t}}, "z": {{data.z}}, "m": {{data.missing}}}', '{"s": "<{{data.z}}{{data.missing}}{{data.t}}>"}', '{"o": {{data.o}}, "in": "{{data.o}}"}',
                    '["{{data.a.1.x}}", {{data.a.0.x}}, {{data.a}}]', '["{{$.data.a[*].x}}", {{$.data.a[last].x}}, {{$.data.a.size()}}]', '{"quote": "\"{{data.s}}\"", "after": {{data.n}}}', '{"\\": "{{type}}", "{{type}}": {"a": {"b": {{data.n}}}}}', '{{data}}', '"}}"', '"\\{{type}}\\u00{{type}}\u0041{{type}}"']) t;
-- Whatever an event has there, what comes out is JSON.
SELECT count(*) FROM (SELECT mesflow._render_template('{"in {{v}}": "{{v}}", "out": {{v}}, "both": ["\\{{v}}\"", {{v}}]}', jsonb_build_object('v', v))::json FROM
  unnest(ARRAY['"\"\\/\b\f\n\r\t\u0001"', '"}}{{v}}"', 'null', '[]', '{"\"": "\\"}', '-1e400', '"\ud83d\ude00"']::jsonb[]) v) r;

-- ---- changes -------------------------------------------------------------
SELECT mesflow.alter_endpoint('all', '{"template": "{\"a\": {{data.a}}}", "timeout_ms": 5000, "headers": null, "filter": null, "rate_per_second": null, "client_cert": null, "client_key": null, "ca": null}');
SELECT options, filter FROM mesflow._endpoints WHERE name = 'all';
SELECT o || E'\n' || string_agg(e.error, E'\n') FROM unnest(ARRAY['{"client_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}', '{"timeout_ms": 1}', '[]', '{"nothing": 1}']) o,
  LATERAL test.error(format('SELECT mesflow.alter_endpoint(%L, %L)', 'all', o)) e GROUP BY o ORDER BY o;
SELECT test.error($$SELECT mesflow.alter_endpoint('all', url => 'http://u:secret@x/')$$);
SELECT test.error($$SELECT mesflow.alter_endpoint('all', event_types => '{}')$$);
SELECT test.error($$SELECT mesflow.alter_endpoint('no one', '{}')$$);
-- By hand the same rules.
SELECT test.error($$UPDATE mesflow._endpoints SET options = options || '{"timeout_ms": 1}' WHERE name = 'all'$$);
SELECT test.error($$UPDATE mesflow._endpoints SET url = 'nowhere' WHERE name = 'all'$$);
