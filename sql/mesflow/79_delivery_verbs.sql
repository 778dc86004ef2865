-- Sending again, giving up for good, and waiting until all is sent.

CREATE FUNCTION replay(endpoint text, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, event_types text[] DEFAULT NULL,
                       order_id uuid DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  e constant mesflow._endpoints := mesflow._endpoint($1);
  c mesflow._cursors;
  ring constant interval := '31 days';
  answer bigint;
BEGIN
  SELECT * INTO c FROM mesflow._cursors t WHERE t.name = e.reader;
  IF $2 > $3 THEN
    PERFORM mesflow._raise('MF400', 'period not allowed', format('It begins at %s and ends at %s.', $2, $3), 'Let since be before until.');
  ELSIF $4 IS NOT NULL THEN
    PERFORM mesflow._check_event_types($4);
  END IF;
  IF $5 IS NOT NULL THEN
    PERFORM mesflow._order($5);
  END IF;
  INSERT INTO mesflow._pending (endpoint, id, event, key, state, due_at)
    SELECT e.name, o.id, o.event, o.key, 'replay', clock_timestamp()
      FROM mesflow.outbox o
     WHERE ($5 IS NULL OR o.order_id = $5) AND ($2 IS NULL OR o.at >= $2) AND ($3 IS NULL OR o.at < $3)
       -- The days between them, where they do not go round the ring.
       AND ($2 IS NULL OR coalesce($3, clock_timestamp()) - $2 > ring
            OR o.slot = ANY (ARRAY(SELECT mesflow._ring_slot(d) FROM generate_series($2, coalesce($3, clock_timestamp()) + interval '1 day', '1 day') d)))
       AND ($4 IS NULL OR mesflow._wants_type($4, o.type))
       AND mesflow._is_for(e.name, c, e.filter, o.type, o.key, o.partner, o.body)
       AND NOT mesflow._is_unread(c, o.id, o.xid, o.origin)
     ORDER BY o.id
    ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS answer = ROW_COUNT;
  IF answer > 0 THEN
    PERFORM mesflow._tell_delivery(e.name, 'rows');
  END IF;
  RETURN answer;
END
$$;
COMMENT ON FUNCTION replay(text, timestamptz, timestamptz, text[], uuid) IS
  'Sends events of the outbox again, or those from before the endpoint was made: from since on and before until (by outbox.at), of these types, of this order; all that the outbox has where nothing is given. Only what the endpoint wants, under the same ids; returns how many. What it has still to get is left as it is, so the same call again before that is done adds nothing. One that is paused gets them later. Errors: MF400 (period, event_types), MF404 (endpoint, order), MF503 (standby).';

CREATE FUNCTION _letters(ids bigint[], endpoint text, unfit text) RETURNS SETOF _dead_letters
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wrong record;
BEGIN
  IF array_position($1, NULL) IS NOT NULL OR array_ndims($1) > 1 THEN
    PERFORM mesflow._raise('MF400', 'ids not allowed', format('ids is %s.', left($1::text, 100)), 'Give a plain array of ids from mesflow.dead_letters.');
  END IF;
  RETURN QUERY SELECT d.* FROM mesflow._dead_letters d WHERE d.number = ANY ($1) ORDER BY d.number FOR UPDATE;
  SELECT u.id, d.number, d.endpoint, d.resolved, d.resolved_at INTO wrong
    FROM unnest($1) AS u (id) LEFT JOIN mesflow._dead_letters d ON d.number = u.id
   WHERE d.number IS NULL OR d.endpoint <> $2 OR d.resolved = $3 ORDER BY u.id LIMIT 1;
  IF FOUND AND wrong.resolved = $3 AND (wrong.endpoint <> $2) IS NOT TRUE THEN
    PERFORM mesflow._raise('MF409', format('the dead letter was %s', $3), format('Dead letter %s was %s %s.', wrong.id, $3, wrong.resolved_at),
                           CASE $3 WHEN 'dismissed' THEN 'To send the event all the same, use replay().' ELSE 'If it dies again, that is another dead letter.' END);
  ELSIF FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such dead letter', format('There is no dead letter %s%s.', wrong.id, CASE WHEN wrong.number IS NOT NULL THEN format(' of endpoint %s', quote_literal($2)) ELSE '' END),
                           'The view mesflow.dead_letters lists them.');
  END IF;
END
$$;
COMMENT ON FUNCTION _letters(bigint[], text, text) IS 'These dead letters, held; MF404 where one is not there, or is another endpoint''s; MF409 where it was resolved like this (unfit).';

CREATE FUNCTION replay_dead(endpoint text DEFAULT NULL, ids bigint[] DEFAULT NULL, actor text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wanted bigint[];
  place text;
  gone text;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  PERFORM mesflow._check_actor($3);
  -- Endpoints first, in this order, then letters.
  FOR place IN SELECT DISTINCT e.name COLLATE "C" FROM mesflow._endpoints e
                WHERE CASE WHEN $1 IS NOT NULL THEN e.name = $1
                           WHEN $2 IS NOT NULL THEN e.name IN (SELECT d.endpoint FROM mesflow._dead_letters d WHERE d.number = ANY ($2))
                           ELSE e.name IN (SELECT d.endpoint FROM mesflow._dead_letters d WHERE d.resolved IS NULL) END ORDER BY 1 LOOP
    PERFORM mesflow._endpoint(place);
  END LOOP;
  IF $1 IS NOT NULL AND place IS NULL THEN
    PERFORM mesflow._endpoint($1);
  END IF;
  IF $2 IS NULL THEN
    wanted := ARRAY(SELECT d.number FROM mesflow._dead_letters d JOIN mesflow._endpoints e ON e.name = d.endpoint
                     WHERE d.resolved IS NULL AND ($1 IS NULL OR d.endpoint = $1) ORDER BY d.number FOR UPDATE OF d);
  ELSE
    wanted := ARRAY(SELECT l.number FROM mesflow._letters($2, $1, 'dismissed') l WHERE l.resolved IS NULL);
    SELECT format('Dead letter %s is of endpoint %s, which was dropped.', d.number, quote_literal(d.endpoint)) INTO gone
      FROM mesflow._dead_letters d WHERE d.number = ANY (wanted) AND NOT EXISTS (SELECT FROM mesflow._endpoints e WHERE e.name = d.endpoint) ORDER BY d.number LIMIT 1;
    IF FOUND THEN
      PERFORM mesflow._raise('MF404', 'no such endpoint', gone, 'Make the endpoint again, or dismiss_dead() it.');
    END IF;
  END IF;

  INSERT INTO mesflow._pending AS p (endpoint, id, event, key, state, due_at, letter)
    SELECT DISTINCT ON (d.endpoint, d.id) d.endpoint, d.id, d.event, d.key, 'replay', clock_timestamp(), d.number
      FROM mesflow._dead_letters d WHERE d.number = ANY (wanted) ORDER BY d.endpoint, d.id, d.number DESC
    ON CONFLICT (endpoint, id) DO UPDATE SET letter = excluded.letter;
  UPDATE mesflow._dead_letters SET resolved = 'replayed', resolved_at = clock_timestamp(), resolved_by = mesflow._actor($3) WHERE number = ANY (wanted);
  PERFORM mesflow._tell_delivery(t.endpoint, w.what)
    FROM (SELECT DISTINCT d.endpoint FROM mesflow._dead_letters d WHERE d.number = ANY (wanted) ORDER BY 1) t, (VALUES (1, 'rows'), (2, 'letters')) AS w (at, what)
   ORDER BY t.endpoint, w.at;
  RETURN cardinality(wanted);
END
$$;
COMMENT ON FUNCTION replay_dead(text, bigint[], text) IS
  'Sends dead letters again, under the same ids and with a whole schedule of tries: these, or all of an endpoint, or all. Returns how many; those that were replayed before do not count. Errors: MF400 (ids, actor), MF404 (endpoint, also one that was dropped; a letter), MF409 (a letter was dismissed), MF503 (standby).';

CREATE FUNCTION dismiss_dead(ids bigint[], reason text, actor text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wanted bigint[];
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  PERFORM mesflow._check_reason($2), mesflow._check_actor($3);
  IF $1 IS NULL THEN
    PERFORM mesflow._raise('MF400', 'ids not allowed', 'ids is NULL.', 'Name the dead letters: ids from mesflow.dead_letters.');
  END IF;
  wanted := ARRAY(SELECT l.number FROM mesflow._letters($1, NULL, 'replayed') l WHERE l.resolved IS NULL);
  UPDATE mesflow._dead_letters SET resolved = 'dismissed', resolved_at = clock_timestamp(), resolved_by = mesflow._actor($3), resolved_reason = $2 WHERE number = ANY (wanted);
  PERFORM mesflow._tell_delivery(t.endpoint, 'letters') FROM (SELECT DISTINCT d.endpoint FROM mesflow._dead_letters d WHERE d.number = ANY (wanted) ORDER BY 1) t;
  RETURN cardinality(wanted);
END
$$;
COMMENT ON FUNCTION dismiss_dead(bigint[], text, text) IS
  'Gives dead letters up for good; where an endpoint keeps strict order, their keys go on. Returns how many; those that were dismissed before do not count. Errors: MF400 (ids, reason, actor), MF404 (a letter), MF409 (a letter was replayed), MF503 (standby).';

-- ---- waiting ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION _untried(moment pg_snapshot, at timestamptz) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  e mesflow._endpoints;
  c mesflow._cursors;
  own constant xid8 := pg_current_xact_id_if_assigned();
BEGIN
  FOR e IN SELECT * FROM mesflow._endpoints t WHERE t.state = 'active' ORDER BY t.name LOOP
    SELECT * INTO c FROM mesflow._cursors t WHERE t.name = e.reader;
    IF EXISTS (SELECT FROM mesflow.outbox o
                WHERE o.xid >= pg_snapshot_xmin(c.seen) AND o.xid < pg_snapshot_xmax($1) AND pg_visible_in_snapshot(o.xid, $1) AND o.xid IS DISTINCT FROM own
                  AND mesflow._is_unread(c, o.id, o.xid, o.origin) AND mesflow._is_for(e.name, c, e.filter, o.type, o.key, o.partner, o.body))
    -- What stands behind another of its key waits for that one's next try.
    OR EXISTS (SELECT FROM mesflow._pending p
                WHERE p.endpoint = e.name AND p.attempts = 0 AND p.state <> 'parked' AND p.first_at <= $2
                  AND (e.options ->> 'ordering' = 'none' OR NOT EXISTS (SELECT FROM mesflow._pending b WHERE b.endpoint = p.endpoint AND b.key = p.key AND b.id < p.id AND b.attempts > 0))
                  AND ((e.options ->> 'ordering' = 'strict') IS NOT TRUE
                       OR NOT EXISTS (SELECT FROM mesflow._dead_letters d WHERE d.endpoint = p.endpoint AND d.key = p.key AND d.id < p.id AND d.resolved IS NULL))) THEN
      RETURN e.name;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _untried(pg_snapshot, timestamptz) IS 'An active endpoint to which something of before this moment has not been tried once; NULL: there is none.';

CREATE FUNCTION drain(timeout interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  look_ms constant integer := 100;
  moment constant pg_snapshot := pg_current_snapshot();
  at constant timestamptz := clock_timestamp();
  seen bigint;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  ELSIF mesflow._is_copy() THEN
    PERFORM mesflow._raise('MF503', 'this database is a copy', 'Nothing is delivered from a copy of the database that mesflow was installed in.',
                           'If it shall act for itself: SELECT mesflow.arm(''reason'').');
  ELSIF $1 IS NULL THEN
    PERFORM mesflow._raise('MF400', 'a time is needed', 'timeout is NULL.', 'Say how long to wait at most: drain(''30 s'').');
  ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
    PERFORM mesflow._raise('MF409', 'drain() waits in READ COMMITTED only', format('This transaction is %s: it never sees what is done meanwhile.', upper(current_setting('transaction_isolation'))),
                           'Call it in a transaction of its own.');
  END IF;
  LOOP
    seen := mesflow._await_event(NULL, 0);
    IF mesflow._untried(moment, at) IS NULL THEN
      RETURN true;
    ELSIF clock_timestamp() >= at + $1 THEN
      RETURN false;
    END IF;
    PERFORM mesflow._await_event(seen, least(look_ms, mesflow._milliseconds_left(at + $1)));
  END LOOP;
END
$$;
COMMENT ON FUNCTION drain(interval) IS
  'Waits until all that was committed before the call has been tried once at every endpoint that is active; false where the time is up before. What failed, waits behind what failed, or was given up counts as tried; what the calling transaction wrote itself does not count. Errors: MF400 (timeout), MF409 (not READ COMMITTED), MF503 (standby, copy that is not armed).';
