-- Endpoints: making and changing them.

CREATE FUNCTION _random_bytes(length integer) RETURNS bytea
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_random_bytes';
COMMENT ON FUNCTION _random_bytes(integer) IS 'So many bytes (1 to 1024) from the strong random source.';

CREATE FUNCTION _endpoint(name text) RETURNS _endpoints
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  e mesflow._endpoints;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  -- Its cursor first, as the delivery worker takes them: whose cursor it does not get, it leaves alone until then.
  PERFORM FROM mesflow._cursors c WHERE c.name = 'endpoint ' || $1 AND c.kind = 'internal' FOR NO KEY UPDATE;
  SELECT * INTO e FROM mesflow._endpoints t WHERE t.name = $1 FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such endpoint', format('There is no endpoint %s.', coalesce(quote_literal(left($1, 100)), 'NULL')),
                           'The view mesflow.endpoints lists them.');
  END IF;
  RETURN e;
END
$$;
COMMENT ON FUNCTION _endpoint(text) IS 'The endpoint of this name, held until the end of the transaction; MF404 where there is none, MF503 on a standby.';

CREATE FUNCTION _new_secret(endpoint text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  new_secret constant bytea := mesflow._random_bytes(32);
BEGIN
  INSERT INTO mesflow._endpoint_secrets (endpoint, secret) VALUES ($1, new_secret);
  RETURN 'whsec_' || encode(new_secret, 'base64');
END
$$;
COMMENT ON FUNCTION _new_secret(text) IS 'Gives an endpoint a new secret, and returns it as Standard Webhooks writes it.';

-- A refused statement is not written to the server's log: options and addresses may hold secrets.
CREATE FUNCTION create_endpoint(name text, url text, event_types text[] DEFAULT '{*}', partner text DEFAULT NULL, system text DEFAULT NULL,
                                options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
#variable_conflict use_column
DECLARE
  longest constant integer := 80;
  o record;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  IF coalesce(length($1), 0) NOT BETWEEN 1 AND longest OR $1 ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' OR $1 <> btrim($1) THEN
    PERFORM mesflow._raise('MF400', 'not a name of an endpoint', format('name is %s.', coalesce(quote_literal(left($1, 100)), 'NULL')),
                           format('A name has 1 to %s characters that can be printed, and no space around it.', longest));
  END IF;
  PERFORM mesflow._check_endpoint_url($2);
  PERFORM mesflow._check_event_types($3);
  IF $4 IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.partners p WHERE p.code = $4) THEN
    PERFORM mesflow._raise('MF404', 'no such partner', format('There is no partner %s.', quote_literal($4)), 'The table mesflow.partners lists them.');
  ELSIF $5 IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.systems s WHERE s.code = $5) THEN
    PERFORM mesflow._raise('MF404', 'no such system', format('There is no system %s.', quote_literal($5)), 'The table mesflow.systems lists them.');
  END IF;
  o := mesflow._endpoint_options($6, $5);

  INSERT INTO mesflow._cursors (name, kind, event_types, partner, system, seen, floor_id, floor_xid, origin)
    SELECT 'endpoint ' || $1, 'internal', $3, $4, $5, m.seen, m.floor_id, m.floor_xid, mesflow._origin() FROM mesflow._mark() m
    ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    PERFORM mesflow._refuse_twin($1, $2, $3, $4, $5, o.kept, o.filter);
  END IF;
  INSERT INTO mesflow._endpoints (name, reader, url, options, filter, changed_by)
    VALUES ($1, 'endpoint ' || $1, $2, o.kept, o.filter, mesflow._actor(NULL));
  RETURN mesflow._new_secret($1);
END
$$;
COMMENT ON FUNCTION create_endpoint(text, text, text[], text, text, jsonb) IS
  'Makes an endpoint: events are sent to this address from now on (replay() fills the past); returns the secret that signs them, shown this once. event_types: types, "prefix.*" or "*". partner: only events of this one. system: whose receipt an answer of 2xx is. options, all optional: ordering (order: one after the other per key; none; strict: also stops a key at a dead letter), format (standard, cloudevents, cloudevents-binary), headers {name: value}, auth ({"type": "bearer", "token"} or {"type": "basic", "user", "password"}), timeout_ms (100 to 120000; 20000), max_in_flight (1 to 256; 64), rate_per_second, schedule (pauses before each try, as intervals or seconds), redirects (0 to 5; 0), allow_private (true, or hosts, addresses and networks), ca, client_cert, client_key (PEM text), template (JSON with {{data.order.number}} in it), filter (jsonpath over the body), expand (customer, cost), receipt (http, explicit). Options may hold secrets: pass them as a parameter, for the text of a statement shows in pg_stat_activity. Errors: MF400 (any argument, named), MF404 (partner, system), MF409 (the name is taken, also by the same endpoint: rotate_secret() gives a new secret), MF503 (smtp, amqp; standby).';

CREATE FUNCTION _refuse_twin(name text, url text, event_types text[], partner text, system text, options jsonb, filter jsonpath) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  c mesflow._cursors;
  e mesflow._endpoints;
  differs text;
BEGIN
  SELECT * INTO c FROM mesflow._cursors t WHERE t.name = 'endpoint ' || $1;
  SELECT * INTO e FROM mesflow._endpoints t WHERE t.name = $1;
  IF e.name IS NULL THEN
    PERFORM mesflow._raise('MF409', 'another reader has this name', format('There is a consumer %s.', quote_literal('endpoint ' || $1)), 'Take another name, or drop_consumer() it first.');
  END IF;
  differs := concat_ws(', ',
    CASE WHEN e.url <> $2 THEN format('url is %s', quote_literal(mesflow._bare_url(e.url))) END,
    CASE WHEN c.event_types <> $3 THEN format('event_types is %s', quote_literal(c.event_types)) END,
    CASE WHEN c.partner IS DISTINCT FROM $4 THEN format('partner is %s', coalesce(quote_literal(c.partner), 'NULL')) END,
    CASE WHEN c.system IS DISTINCT FROM $5 THEN format('system is %s', coalesce(quote_literal(c.system), 'NULL')) END,
    (SELECT string_agg(format('options.%s is another', k), ', ' ORDER BY k)
       FROM (SELECT jsonb_object_keys(e.options) UNION SELECT jsonb_object_keys($6)) AS u (k) WHERE e.options -> k IS DISTINCT FROM $6 -> k),
    CASE WHEN e.filter::text IS DISTINCT FROM $7::text THEN 'options.filter is another' END);
  IF differs = '' THEN
    PERFORM mesflow._raise('MF409', 'the endpoint is there already', format('Endpoint %s was made %s, just as it is asked for; its secret was shown then.', quote_literal($1), e.created_at),
                           'It works. If the secret is lost, rotate_secret() gives a new one.');
  END IF;
  PERFORM mesflow._raise('MF409', 'there is another endpoint of this name', format('Of endpoint %s, %s.', quote_literal($1), differs),
                         'Change it by alter_endpoint(), take another name, or drop_endpoint() it first.');
END
$$;
COMMENT ON FUNCTION _refuse_twin(text, text, text[], text, text, jsonb, jsonpath) IS 'MF409: the name of a new endpoint is taken.';

CREATE FUNCTION alter_endpoint(name text, options jsonb DEFAULT NULL, url text DEFAULT NULL, event_types text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
#variable_conflict use_column
DECLARE
  e constant mesflow._endpoints := mesflow._endpoint($1);
  o record;
BEGIN
  IF $3 IS NOT NULL THEN
    PERFORM mesflow._check_endpoint_url($3);
  END IF;
  IF $4 IS NOT NULL THEN
    PERFORM mesflow._check_event_types($4);
    UPDATE mesflow._cursors SET event_types = $4 WHERE name = e.reader AND event_types <> $4;
  END IF;
  IF jsonb_typeof($2) <> 'object' THEN
    PERFORM mesflow._endpoint_options($2, NULL);
  END IF;
  o := mesflow._endpoint_options(e.options || CASE WHEN e.filter IS NULL THEN '{}' ELSE jsonb_build_object('filter', e.filter::text) END || coalesce($2, '{}'),
                                 (SELECT c.system FROM mesflow._cursors c WHERE c.name = e.reader));
  UPDATE mesflow._endpoints SET url = coalesce($3, e.url), options = o.kept, filter = o.filter, changed_by = mesflow._actor(NULL)
   WHERE name = e.name AND (url, options, filter::text) IS DISTINCT FROM (coalesce($3, e.url), o.kept, o.filter::text);
END
$$;
COMMENT ON FUNCTION alter_endpoint(text, jsonb, text, text[]) IS
  'Changes an endpoint; what is NULL or not named stays. options merge with those that are there, one that is null goes back to its default; see create_endpoint(). event_types decide about events that are not yet read. Deliveries that are under way end as they began. Errors: MF400, MF404, MF503 (standby).';

CREATE FUNCTION drop_endpoint(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  e constant mesflow._endpoints := mesflow._endpoint($1);
BEGIN
  DELETE FROM mesflow._endpoints WHERE name = e.name;
  DELETE FROM mesflow._cursors WHERE name = e.reader;
END
$$;
COMMENT ON FUNCTION drop_endpoint(text) IS
  'Forgets an endpoint, its secrets, and what it had still to be sent. Attempts stay as long as others, dead letters too: they can be looked at and dismissed, no longer replayed. Errors: MF404, MF503 (standby).';

CREATE FUNCTION pause_endpoint(name text, reason text, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  e constant mesflow._endpoints := mesflow._endpoint($1);
BEGIN
  PERFORM mesflow._check_reason($2), mesflow._check_actor($3);
  UPDATE mesflow._endpoints SET state = 'paused', reason = $2, changed_by = mesflow._actor($3), state_since = clock_timestamp()
   WHERE name = e.name AND state <> 'paused';
END
$$;
COMMENT ON FUNCTION pause_endpoint(text, text, text) IS
  'Nothing more is sent to an endpoint until resume_endpoint(); its events wait, none is lost. What is under way ends. One that is paused stays as it is. Errors: MF400 (reason, actor), MF404, MF503 (standby).';

CREATE FUNCTION resume_endpoint(name text, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  e constant mesflow._endpoints := mesflow._endpoint($1);
BEGIN
  PERFORM mesflow._check_actor($2);
  UPDATE mesflow._endpoints SET state = 'active', reason = NULL, changed_by = mesflow._actor($2), state_since = CASE state WHEN 'active' THEN state_since ELSE clock_timestamp() END
   WHERE name = e.name;
  UPDATE mesflow._endpoint_troubles SET breaker = 'closed', breaker_until = NULL, opened = 0, failing_since = NULL, failures = 0, hold_until = NULL WHERE endpoint = e.name;
  -- Of one that is active, the delivery worker knows more than the table.
  IF e.state = 'active' THEN
    PERFORM mesflow._tell_delivery(e.name, 'resumed');
  END IF;
END
$$;
COMMENT ON FUNCTION resume_endpoint(text, text) IS
  'Lets an endpoint that is paused or disabled go on where it was, as if nothing had failed before. One that is active and left alone, by its breaker or for a Retry-After, is tried at once in the same way; deliveries that have failed keep the time of their next try. Errors: MF400 (actor), MF404, MF503 (standby).';

CREATE FUNCTION ping_endpoint(name text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  e constant mesflow._endpoints := mesflow._endpoint($1);
BEGIN
  RETURN mesflow._event('endpoint.ping', e.name, NULL, NULL, NULL, jsonb_build_object('endpoint', e.name));
END
$$;
COMMENT ON FUNCTION ping_endpoint(text) IS
  'Writes an event endpoint.ping that goes to this endpoint only, whatever its types, partner and filter; returns its id, by which mesflow.deliveries tells what came of it. Errors: MF404, MF503 (standby).';

CREATE FUNCTION rotate_secret(name text, keep_old interval DEFAULT '24h') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  most constant integer := 5;           -- signatures of a request
  longest constant interval := '30 days';
  e constant mesflow._endpoints := mesflow._endpoint($1);
  now constant timestamptz := clock_timestamp();
  kept record;
BEGIN
  IF $2 IS NULL OR $2 NOT BETWEEN interval '0' AND longest THEN
    PERFORM mesflow._raise('MF400', 'time not allowed', format('keep_old is %s.', coalesce($2::text, 'NULL')),
                           'Give 0 to 30 days: how long requests are signed with the old secret too; 0 ends it now.');
  END IF;
  UPDATE mesflow._endpoint_secrets SET expires_at = now + $2 WHERE endpoint = e.name AND (expires_at <= now + $2) IS NOT TRUE;
  DELETE FROM mesflow._endpoint_secrets WHERE endpoint = e.name AND expires_at <= now;
  SELECT count(*) AS n, min(s.expires_at) AS next INTO kept FROM mesflow._endpoint_secrets s WHERE s.endpoint = e.name;
  IF kept.n >= most THEN
    PERFORM mesflow._raise('MF409', 'too many secrets in use', format('Endpoint %s has %s secrets that have not expired, the first one expires %s.', quote_literal(e.name), kept.n, kept.next),
                           'Wait until then, or end all of them now: keep_old => ''0''.');
  END IF;
  RETURN mesflow._new_secret(e.name);
END
$$;
COMMENT ON FUNCTION rotate_secret(text, interval) IS
  'Gives an endpoint a new secret and returns it, shown this once. The old ones sign as well for keep_old (0 to 30 days), so that the receiver can change at its own time; 0: a secret that got out ends now. Errors: MF400 (keep_old), MF404, MF409 (five secrets are in use), MF503 (standby).';
