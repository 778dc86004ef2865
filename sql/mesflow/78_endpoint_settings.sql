-- What the delivery worker reads, and how it hears of changes.

CREATE FUNCTION _event_passes(filter jsonpath, body text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
  item jsonb;
BEGIN
  IF $1 IS NULL THEN
    RETURN true;
  END IF;
  BEGIN
    item := jsonb_path_query_first_tz($2::jsonb, $1, '{}', true);
  EXCEPTION WHEN OTHERS THEN
    -- No memory, a disk that is full: that says nothing about the body.
    IF SQLSTATE ~ '^5[378]' THEN
      RAISE;
    END IF;
    RETURN false;
  END;
  RETURN item IS NOT NULL AND item NOT IN ('null', 'false');
END
$$;
COMMENT ON FUNCTION _event_passes(jsonpath, text) IS
  'Does the filter let this body through? A predicate must be true; of another path there must be an item that is neither null nor false. What makes an error does not pass. Times without a zone are UTC. wants.c is the same in C.';

CREATE FUNCTION _wants_type(event_types text[], type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '*' = ANY ($1) OR $2 = ANY ($1)
    OR EXISTS (SELECT FROM unnest($1) AS p (pattern) WHERE right(p.pattern, 2) = '.*' AND starts_with($2, left(p.pattern, -1)));
COMMENT ON FUNCTION _wants_type(text[], text) IS 'Is this type of events among these types, "prefix.*" and "*"?';

CREATE VIEW _endpoint_settings AS
  SELECT e.number, e.name, e.state, e.reader, c.event_types, c.partner, e.filter, e.url,
         coalesce((SELECT string_agg(h.key || ': ' || h.value || E'\n', '' ORDER BY h.key) FROM jsonb_each_text(e.options -> 'headers') h), '') AS headers,
         CASE e.options -> 'auth' ->> 'type' WHEN 'basic' THEN (e.options -> 'auth' ->> 'user') || ':' || (e.options -> 'auth' ->> 'password') END AS user_password,
         CASE e.options -> 'auth' ->> 'type' WHEN 'bearer' THEN e.options -> 'auth' ->> 'token' END AS bearer,
         e.options ->> 'ca' AS ca, e.options ->> 'client_cert' AS client_cert, e.options ->> 'client_key' AS client_key,
         _private_lines(e.options -> 'allow_private') AS allow_private,
         c.system, c.system IS NOT NULL AND coalesce(e.options ->> 'receipt', 'http') = 'http' AS receipts,
         coalesce(e.options ->> 'ordering', 'order') AS ordering, coalesce(e.options ->> 'format', 'standard') AS format,
         e.options ?| '{template,expand}' AS needs_sql,
         coalesce((e.options ->> 'timeout_ms')::numeric::integer, 20000) AS timeout_ms,
         coalesce((e.options ->> 'max_in_flight')::numeric::integer, 64) AS max_in_flight,
         coalesce((e.options ->> 'rate_per_second')::float8, 0) AS rate_per_second,
         CASE coalesce(e.options ->> 'redirects', '0') WHEN 'true' THEN 5 WHEN 'false' THEN 0 ELSE coalesce(e.options ->> 'redirects', '0')::numeric::integer END AS redirects,
         _schedule_ms(e.options -> 'schedule') AS schedule_ms,
         ARRAY(SELECT s.secret FROM _endpoint_secrets s WHERE s.endpoint = e.name AND (s.expires_at > clock_timestamp()) IS NOT FALSE
                ORDER BY s.made_at DESC LIMIT 5) AS secrets,
         (SELECT min(s.expires_at) FROM _endpoint_secrets s WHERE s.endpoint = e.name AND s.expires_at > clock_timestamp()) AS secret_expires,
         coalesce(t.breaker, 'closed') AS breaker, t.breaker_until, coalesce(t.opened, 0) AS opened, t.failing_since, coalesce(t.failures, 0) AS failures,
         t.last_status, t.last_error, t.last_error_at, t.hold_until
    FROM _endpoints e
    JOIN _cursors c ON c.name = e.reader
    LEFT JOIN _endpoint_troubles t ON t.endpoint = e.name;
COMMENT ON VIEW _endpoint_settings IS 'Endpoints as the delivery worker needs them, secrets in the clear.';

CREATE FUNCTION _events_by_id(ids bigint[]) RETURNS TABLE (id bigint, event uuid, type text, key text, key_seq bigint, order_id uuid, partner text,
                                                         at timestamptz, correlation_id uuid, traceparent text, body text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
SET enable_memoize = off
SET max_parallel_workers_per_gather = 0
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  wanted constant bigint[] := ARRAY(SELECT DISTINCT u FROM unnest($1) u WHERE u IS NOT NULL);
  in_outbox bigint;
BEGIN
  RETURN QUERY
    SELECT o.id, o.event, o.type, o.key, o.key_seq, o.order_id, o.partner, o.at, o.correlation_id, o.traceparent, o.body
      FROM unnest(wanted) u CROSS JOIN LATERAL (SELECT * FROM mesflow.outbox k WHERE k.id = u LIMIT 1) o;
  GET DIAGNOSTICS in_outbox = ROW_COUNT;
  IF in_outbox < cardinality(wanted) THEN
    RETURN QUERY
      SELECT d.id, d.event, d.type, d.key, d.key_seq, d.order_id, d.partner, d.at, d.correlation_id, d.traceparent, d.body
        FROM unnest(wanted) u CROSS JOIN LATERAL (SELECT * FROM mesflow._dead_letters k WHERE k.id = u LIMIT 1) d
       WHERE NOT EXISTS (SELECT FROM mesflow.outbox k WHERE k.id = u);
  END IF;
END
$$;
COMMENT ON FUNCTION _events_by_id(bigint[]) IS 'Events by outbox.id, each once, in no order; those that the outbox no longer has from the dead letters. Nothing for what is nowhere.';

-- ---- telling ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION _tell_of_endpoint() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name_column constant text := TG_ARGV[0];
  was constant text := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) ->> name_column END;
  is_now constant text := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) ->> name_column END;
BEGIN
  PERFORM mesflow._tell_delivery(n.name, 'changed')
    FROM (SELECT DISTINCT CASE TG_TABLE_NAME WHEN '_cursors' THEN substr(u, 10) ELSE u END AS name FROM unnest(ARRAY[was, is_now]) u WHERE u IS NOT NULL) n;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _tell_of_endpoint() IS 'Tells the delivery worker that an endpoint is not what it was; the argument is the column of its name.';
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON _endpoints FOR EACH ROW EXECUTE FUNCTION _tell_of_endpoint('name');
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON _endpoint_secrets FOR EACH ROW EXECUTE FUNCTION _tell_of_endpoint('endpoint');
CREATE TRIGGER tell AFTER UPDATE OF event_types, partner, system ON _cursors FOR EACH ROW
  WHEN (NEW.kind = 'internal' AND NEW.name LIKE 'endpoint %') EXECUTE FUNCTION _tell_of_endpoint('name');

CREATE FUNCTION _check_endpoint_row() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._check_endpoint_url(NEW.url);
  PERFORM mesflow._endpoint_options(NEW.options, (SELECT c.system FROM mesflow._cursors c WHERE c.name = NEW.reader));
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _check_endpoint_row() IS 'What somebody changes by hand is checked as alter_endpoint() would.';
CREATE TRIGGER check_options BEFORE UPDATE OF url, options ON _endpoints FOR EACH ROW EXECUTE FUNCTION _check_endpoint_row();
