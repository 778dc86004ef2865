-- What is on its way to endpoints, what came of it, and sending it again.

CREATE FUNCTION _in_flight(number integer) RETURNS integer
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_in_flight';
COMMENT ON FUNCTION _in_flight(integer) IS 'How many requests to the endpoint of this number are under way at this moment.';

CREATE FUNCTION _is_unread(c _cursors, id bigint, xid xid8, origin integer) RETURNS boolean
LANGUAGE sql STABLE
RETURN CASE WHEN $4 <> ($1).origin THEN ($1).origin <> _origin() AND $4 = _origin()
            ELSE NOT pg_visible_in_snapshot($3, ($1).seen)
                 AND NOT coalesce($2 <= ($1).last_id AND pg_visible_in_snapshot($3, ($1).upto), false)
                 AND NOT coalesce($2 = ANY (($1).done), false) END;
COMMENT ON FUNCTION _is_unread(_cursors, bigint, xid8, integer) IS
  'Has a reader still to read this event? Of a restored database, where rebase() is still to come, also all that it wrote itself.';

CREATE FUNCTION _is_for(endpoint text, c _cursors, filter jsonpath, type text, key text, partner text, body text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN starts_with($4, 'endpoint.') THEN $5 = $1
            ELSE (($2).partner IS NULL OR coalesce($6 = ($2).partner, false))
                 AND _wants_type(($2).event_types, $4) AND ($3 IS NULL OR _event_passes($3, $7)) END;
COMMENT ON FUNCTION _is_for(text, _cursors, jsonpath, text, text, text, text) IS
  'Is this event for this endpoint? Events endpoint.* are for the one that is their key, whatever it wants; others must have its types, its partner, and pass its filter.';

-- ---- seeing -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION _bare_options(options jsonb, filter jsonpath) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(jsonb_object_agg(j.key,
           CASE WHEN j.key = 'headers' THEN (SELECT coalesce(jsonb_object_agg(h, '***'), '{}') FROM jsonb_object_keys(j.value) h)
                WHEN j.key = 'auth' THEN j.value || CASE WHEN j.value ? 'token' THEN '{"token": "***"}' ELSE '{"password": "***"}' END::jsonb
                WHEN j.key IN ('ca', 'client_cert', 'client_key') THEN '"(set)"'
                ELSE j.value END), '{}') || CASE WHEN $2 IS NULL THEN '{}' ELSE jsonb_build_object('filter', $2::text) END
    FROM jsonb_each($1) j
$$;
COMMENT ON FUNCTION _bare_options(jsonb, jsonpath) IS 'Options of an endpoint for others to see: no credentials, no values of headers, no keys.';

CREATE FUNCTION _endpoint_waiting(endpoint text, most bigint DEFAULT NULL, OUT waiting bigint, OUT oldest timestamptz, OUT dead bigint) RETURNS record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
  e mesflow._endpoints;
  p record;
BEGIN
  SELECT * INTO e FROM mesflow._endpoints t WHERE t.name = $1;
  IF e.filter IS NULL THEN
    SELECT u.events, u.oldest INTO waiting, oldest FROM mesflow._unread(e.reader, NULL, most) u;
  ELSE
    SELECT count(*), min(f.at) INTO waiting, oldest
      FROM (SELECT o.at FROM mesflow._unread_ids(e.reader) u JOIN mesflow.outbox o ON o.id = u
             WHERE o.type LIKE 'endpoint.%' OR mesflow._event_passes(e.filter, o.body) LIMIT most) f;
  END IF;
  SELECT count(*) AS n, min(r.first_at) AS oldest INTO p FROM (SELECT k.first_at FROM mesflow._pending k WHERE k.endpoint = e.name LIMIT most) r;
  waiting := waiting + p.n;
  oldest := least(oldest, p.oldest);
  SELECT count(*) INTO dead FROM (SELECT FROM mesflow._dead_letters d WHERE d.endpoint = e.name AND d.resolved IS NULL LIMIT most) d;
END
$$;
COMMENT ON FUNCTION _endpoint_waiting(text, bigint) IS
  'How many events an endpoint has still to be sent, since when the oldest waits, and its dead letters; each counted up to so many. What was asked for again waits since then.';

CREATE VIEW endpoints AS
  SELECT e.name, _bare_url(e.url) AS url, c.partner, c.system, c.event_types, _bare_options(e.options, e.filter) AS options,
         e.state, coalesce(t.breaker, 'closed') AS breaker, w.waiting, _in_flight(e.number) AS in_flight, c.delivered, c.failed, w.dead,
         coalesce(greatest(clock_timestamp() - w.oldest, '0'), '0') AS lag, c.acked_at AS last_success_at, t.last_error,
         t.last_status, t.last_error_at, t.failing_since, e.reason, e.changed_by, e.state_since, e.created_at,
         (SELECT count(*) FROM _endpoint_secrets s WHERE s.endpoint = e.name AND (s.expires_at > clock_timestamp()) IS NOT FALSE)::integer AS secrets
    FROM _endpoints e
    JOIN _cursors c ON c.name = e.reader
    LEFT JOIN _endpoint_troubles t ON t.endpoint = e.name
   CROSS JOIN LATERAL _endpoint_waiting(e.name) w;
COMMENT ON VIEW endpoints IS 'Where events go, and how well that works. Shows no secrets. Counting what waits costs what reading it would.';
COMMENT ON COLUMN endpoints.name IS 'its name in every function';
COMMENT ON COLUMN endpoints.url IS 'its address; values of the query, and parts of the path that look like a secret, as ***';
COMMENT ON COLUMN endpoints.partner IS 'only events of this partner; NULL: of all';
COMMENT ON COLUMN endpoints.system IS 'whose receipt its answer is';
COMMENT ON COLUMN endpoints.event_types IS 'which events it gets';
COMMENT ON COLUMN endpoints.options IS 'as given to create_endpoint() and alter_endpoint(); secrets as ***, certificates as (set)';
COMMENT ON COLUMN endpoints.state IS 'active; paused (by somebody, or it answered 410): its events wait; disabled (it failed for days): the same';
COMMENT ON COLUMN endpoints.breaker IS 'closed: it is tried; open: left alone for a while, after failures in a row; probing: one request tries whether it is back';
COMMENT ON COLUMN endpoints.waiting IS 'events that it has still to get: those under way, and those that are due again later, are among them';
COMMENT ON COLUMN endpoints.in_flight IS 'requests that are under way';
COMMENT ON COLUMN endpoints.delivered IS 'deliveries that it has taken';
COMMENT ON COLUMN endpoints.failed IS 'attempts that failed';
COMMENT ON COLUMN endpoints.dead IS 'dead letters that nobody has replayed or dismissed';
COMMENT ON COLUMN endpoints.lag IS 'how long the oldest of what is waiting has waited; 0: nothing waits';
COMMENT ON COLUMN endpoints.last_success_at IS 'when it last took something';
COMMENT ON COLUMN endpoints.last_error IS 'what went wrong last';
COMMENT ON COLUMN endpoints.last_status IS 'the status of HTTP that went with last_error; NULL: there was no answer';
COMMENT ON COLUMN endpoints.last_error_at IS 'when that was';
COMMENT ON COLUMN endpoints.failing_since IS 'the first failure after its last success; NULL: it works';
COMMENT ON COLUMN endpoints.reason IS 'why it is paused or disabled';
COMMENT ON COLUMN endpoints.changed_by IS 'who made, changed, paused or resumed it last';
COMMENT ON COLUMN endpoints.state_since IS 'since when it is in this state';
COMMENT ON COLUMN endpoints.created_at IS 'when it was made';
COMMENT ON COLUMN endpoints.secrets IS 'how many secrets sign its requests';

CREATE VIEW deliveries AS
  -- Not read yet. From where the last of them is, so that an event is not looked for in all of the outbox; a range with two ends, for one
  -- with an end that is not known when it is planned counts as a third of all.
  SELECT e.name AS endpoint, o.event, o.type AS event_type, o.key, o.order_id, 'waiting' AS state, 0 AS attempts, NULL::timestamptz AS next_attempt_at,
         NULL::integer AS last_status, NULL::text AS last_error, NULL::timestamptz AS delivered_at, o.id AS outbox_id
    FROM _endpoints e
    JOIN _cursors c ON c.name = e.reader
    JOIN outbox o ON o.xid >= CASE WHEN c.origin = _origin() THEN pg_snapshot_xmin(c.seen) ELSE '0' END
                 AND o.xid >= (SELECT min(CASE WHEN b.origin = _origin() THEN pg_snapshot_xmin(b.seen) ELSE '0' END) FROM _endpoints k JOIN _cursors b ON b.name = k.reader)
                 AND o.xid <= '18446744073709551615'
   WHERE _is_unread(c, o.id, o.xid, o.origin) AND _is_for(e.name, c, e.filter, o.type, o.key, o.partner, o.body)
     AND NOT EXISTS (SELECT FROM _pending p WHERE p.endpoint = e.name AND p.id = o.id)
  UNION ALL                             -- read, and not over
  SELECT p.endpoint, p.event, o.type, p.key, o.order_id, CASE p.state WHEN 'parked' THEN 'waiting' WHEN 'replay' THEN 'waiting' ELSE p.state END, p.attempts,
         CASE p.state WHEN 'retry' THEN p.due_at END, p.last_status, p.last_error, NULL, p.id
    FROM _pending p
    JOIN outbox o ON o.id = p.id
  UNION ALL                             -- the same, of what the outbox has forgotten
  SELECT p.endpoint, p.event, d.type, p.key, d.order_id, CASE p.state WHEN 'parked' THEN 'waiting' WHEN 'replay' THEN 'waiting' ELSE p.state END, p.attempts,
         CASE p.state WHEN 'retry' THEN p.due_at END, p.last_status, p.last_error, NULL, p.id
    FROM _pending p
    JOIN _dead_letters d ON d.number = p.letter AND d.id = p.id
   WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.id = p.id)
  UNION ALL                             -- given up
  SELECT d.endpoint, d.event, d.type, d.key, d.order_id, CASE WHEN d.resolved IS NULL THEN 'dead' ELSE 'skipped' END, d.attempts, NULL, d.last_status, d.last_error, NULL, d.id
    FROM _dead_letters d
   WHERE d.resolved IS DISTINCT FROM 'replayed'
     AND (d.resolved IS NULL OR EXISTS (SELECT FROM _endpoints e WHERE e.name = d.endpoint))
     AND NOT EXISTS (SELECT FROM _pending p WHERE p.endpoint = d.endpoint AND p.id = d.id)
     AND NOT EXISTS (SELECT FROM _dead_letters l WHERE l.event = d.event AND l.endpoint = d.endpoint AND l.number > d.number)
     AND NOT EXISTS (SELECT FROM _attempts a JOIN _endpoints e ON e.number = a.endpoint AND e.name = d.endpoint
                      WHERE a.event = d.event AND a.status BETWEEN 200 AND 299 AND a.at > d.died_at)
  UNION ALL                             -- taken
  SELECT e.name, o.event, o.type, o.key, o.order_id, 'delivered', a.attempt, NULL, a.status, NULL, a.at + a.duration_us * interval '1 microsecond', o.id
    FROM _attempts a
    JOIN _endpoints e ON e.number = a.endpoint
    JOIN outbox o ON o.id = a.id AND o.event = a.event
   WHERE a.status BETWEEN 200 AND 299
     AND NOT EXISTS (SELECT FROM _attempts b WHERE b.event = a.event AND b.endpoint = a.endpoint AND b.status BETWEEN 200 AND 299 AND (b.at, b.attempt) > (a.at, a.attempt))
     AND NOT EXISTS (SELECT FROM _pending p WHERE p.endpoint = e.name AND p.id = a.id)
     AND NOT EXISTS (SELECT FROM _dead_letters d WHERE d.event = a.event AND d.endpoint = e.name AND d.resolved IS DISTINCT FROM 'replayed' AND d.died_at > a.at);
COMMENT ON VIEW deliveries IS
  'One event for one endpoint, and how far that is, as long as the outbox has the event. Of an endpoint that was dropped only dead letters that wait for somebody. Ask for one order, event or endpoint; for all it looks at all.';
COMMENT ON COLUMN deliveries.endpoint IS 'where it goes';
COMMENT ON COLUMN deliveries.event IS 'the event''s id for others: webhook-id';
COMMENT ON COLUMN deliveries.event_type IS 'for example order.priced';
COMMENT ON COLUMN deliveries.key IS 'what it is about';
COMMENT ON COLUMN deliveries.order_id IS 'the order it belongs to, where there is one';
COMMENT ON COLUMN deliveries.state IS 'waiting (to be tried, also behind an earlier one of its key, or while the endpoint is paused), in_flight (under way for long), retry (failed, due again, or not due yet for the first time), delivered, dead (given up), skipped (given up and dismissed)';
COMMENT ON COLUMN deliveries.attempts IS 'tries so far; of what was replayed, since then';
COMMENT ON COLUMN deliveries.next_attempt_at IS 'not tried again before; NULL: as soon as there is room';
COMMENT ON COLUMN deliveries.last_status IS 'of HTTP, of the last try; NULL: there was no answer';
COMMENT ON COLUMN deliveries.last_error IS 'what went wrong last';
COMMENT ON COLUMN deliveries.delivered_at IS 'when it was taken, the last time';
COMMENT ON COLUMN deliveries.outbox_id IS 'the event: outbox.id';

CREATE VIEW delivery_attempts AS
  SELECT coalesce(e.name, format('dropped endpoint %s', a.endpoint)) AS endpoint, a.event, a.attempt, a.at, a.status,
         round(a.duration_us / 1000.0, 3) AS duration_ms, a.error, a.response, encode(a.span, 'hex') AS span_id
    FROM _attempts a
    LEFT JOIN _endpoints e ON e.number = a.endpoint;
COMMENT ON VIEW delivery_attempts IS 'Tries at deliveries, one row each, for the time of mesflow.attempts_retention.';
COMMENT ON COLUMN delivery_attempts.endpoint IS 'where it went; of one that is dropped, its number';
COMMENT ON COLUMN delivery_attempts.event IS 'the event''s id for others: webhook-id';
COMMENT ON COLUMN delivery_attempts.attempt IS '1, 2, 3 ...; from 1 again after a replay';
COMMENT ON COLUMN delivery_attempts.at IS 'when it was sent';
COMMENT ON COLUMN delivery_attempts.status IS 'of HTTP; NULL: there was no answer, see error';
COMMENT ON COLUMN delivery_attempts.duration_ms IS 'until the answer, or the error';
COMMENT ON COLUMN delivery_attempts.error IS 'what went wrong; NULL: nothing';
COMMENT ON COLUMN delivery_attempts.response IS 'first bytes of the answer';
COMMENT ON COLUMN delivery_attempts.span_id IS 'the parent id in the traceparent that was sent';

CREATE VIEW dead_letters AS
  SELECT d.number AS id, d.endpoint, d.event, d.type AS event_type, d.key, d.order_id, d.reason, d.first_at, d.died_at, d.attempts, d.last_status, d.last_error,
         d.body, d.partner, d.at
    FROM _dead_letters d WHERE d.resolved IS NULL;
COMMENT ON VIEW dead_letters IS 'Deliveries that were given up, until somebody replays or dismisses them, or mesflow.dead_letter_retention is over.';
COMMENT ON COLUMN dead_letters.id IS 'its number in replay_dead() and dismiss_dead()';
COMMENT ON COLUMN dead_letters.endpoint IS 'where it was to go';
COMMENT ON COLUMN dead_letters.event IS 'the event''s id for others: webhook-id';
COMMENT ON COLUMN dead_letters.event_type IS 'for example order.priced';
COMMENT ON COLUMN dead_letters.key IS 'what it is about';
COMMENT ON COLUMN dead_letters.order_id IS 'the order it belongs to, where there is one';
COMMENT ON COLUMN dead_letters.reason IS 'why it was given up';
COMMENT ON COLUMN dead_letters.first_at IS 'when it was tried first';
COMMENT ON COLUMN dead_letters.died_at IS 'when it was given up';
COMMENT ON COLUMN dead_letters.attempts IS 'how often it was tried';
COMMENT ON COLUMN dead_letters.last_status IS 'of HTTP, of the last try; NULL: there was no answer';
COMMENT ON COLUMN dead_letters.last_error IS 'what went wrong last';
COMMENT ON COLUMN dead_letters.body IS 'the event''s body';
COMMENT ON COLUMN dead_letters.partner IS 'whose event it is';
COMMENT ON COLUMN dead_letters.at IS 'when it happened';
