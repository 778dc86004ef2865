-- What the other parts stand on: errors, identifiers, waking and waiting.

CREATE FUNCTION _raise(code text, message text, detail text, hint text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail, HINT = hint;
END
$$;
COMMENT ON FUNCTION _raise(text, text, text, text) IS
  'Raises an error of class MF with a detail that names the value and a hint that says what to do.';

CREATE FUNCTION _refuse_on_standby() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._raise('MF503', 'this server is a standby', 'Nothing can be written on a standby.',
                         'Ask the primary; a standby answers estimate() and what can be read.');
END
$$;
COMMENT ON FUNCTION _refuse_on_standby() IS 'MF503, for what writes; the caller has looked whether this is one.';

CREATE FUNCTION _uuid7() RETURNS uuid
LANGUAGE c STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_uuid7';
COMMENT ON FUNCTION _uuid7() IS 'A new UUID of version 7 (RFC 9562): ordered by time, otherwise random.';

CREATE FUNCTION _uuid7_from(at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (pg_catalog.lpad(pg_catalog.to_hex(greatest(0, least(281474976710655, pg_catalog.floor(extract(epoch FROM $1) * 1000)))::bigint), 12, '0')
        || '00000000000000000000')::uuid;
COMMENT ON FUNCTION _uuid7_from(timestamptz) IS 'No UUID of version 7 made at that moment or later is less than this one.';

CREATE FUNCTION _token() RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_token';
COMMENT ON FUNCTION _token() IS '64 random bits from the strong random source: the proof that a claim is still ours.';

CREATE FUNCTION _own_write(xid xid) RETURNS boolean
LANGUAGE c STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mesflow_own_write';
COMMENT ON FUNCTION _own_write(xid) IS 'Was this row version written by the calling transaction, subtransactions included?';

CREATE FUNCTION _rows_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_rows_changed';
COMMENT ON FUNCTION _rows_changed() IS 'Statement trigger: when the change commits, every session that remembers rows of this table reads them again.';

CREATE FUNCTION _wake(kind text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_wake';
COMMENT ON FUNCTION _wake(text) IS 'Wakes the worker of this kind (launcher, pricing, delivery) when the calling transaction commits; the launcher then starts at once what waits to be started.';

CREATE FUNCTION _wake_trigger() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_wake_trigger';
COMMENT ON FUNCTION _wake_trigger() IS 'Statement trigger: _wake() of the kind named by its argument.';

CREATE FUNCTION _announce() RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_announce';
COMMENT ON FUNCTION _announce() IS 'When the calling transaction commits, all sessions that wait for news look again.';

CREATE FUNCTION _await_event(seen bigint, timeout_ms integer) RETURNS bigint
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_await_event';
COMMENT ON FUNCTION _await_event(bigint, integer) IS
  'The counter of announcements. Returns at once where `seen` is NULL or old; otherwise sleeps until the counter moves or the time is up, at most a second.';

CREATE FUNCTION _system_identifier() RETURNS bigint
LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_system_identifier';
COMMENT ON FUNCTION _system_identifier() IS 'The system identifier of this cluster, as in its control file.';

CREATE FUNCTION _engine_version() RETURNS integer
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_engine_version';
COMMENT ON FUNCTION _engine_version() IS 'The version of the geometry engine that this library works with.';

CREATE FUNCTION _library_version() RETURNS text
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_library_version';
COMMENT ON FUNCTION _library_version() IS 'The version of the loaded library.';

-- The trace context of a caller (W3C Trace Context, section 3.2). A header that is not one counts as absent.
CREATE FUNCTION _trace_id(traceparent text) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_trace_id';
COMMENT ON FUNCTION _trace_id(text) IS
  'The trace id of a traceparent header, as the correlation id; NULL where the header is absent or not valid.';

-- Days are slots of a ring: see the design of logs.
CREATE FUNCTION _ring_slot(at timestamptz) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (floor(extract(epoch FROM at) / 86400)::bigint % 32)::smallint;
COMMENT ON FUNCTION _ring_slot(timestamptz) IS 'The slot of a log''s ring that holds this moment: its day (UTC) modulo 32.';

CREATE FUNCTION _ring_slots_to_clear(keep interval, now timestamptz DEFAULT clock_timestamp()) RETURNS SETOF smallint
LANGUAGE sql STABLE
BEGIN ATOMIC
  WITH days AS (
    SELECT floor(extract(epoch FROM $2 - $1) / 86400)::bigint AS oldest, floor(extract(epoch FROM $2) / 86400)::bigint AS today
  )
  SELECT ((d.today + ahead) % 32)::smallint
    FROM days d, generate_series(1, 31 + d.oldest - d.today) AS ahead
   ORDER BY ahead;
END;
COMMENT ON FUNCTION _ring_slots_to_clear(interval, timestamptz) IS
  'The slots of a ring that hold no moment of the time to keep, up to now: what is in them may go. The one whose day comes next is first: it must be empty by then. Never today''s.';

-- Which database this is. A restored dump brings the rows of where it came from: any that is not about this very
-- database makes it a copy.
CREATE TABLE _identity (
  system_identifier bigint NOT NULL,
  database oid NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text NOT NULL
);
COMMENT ON TABLE _identity IS 'The cluster and database that mesflow was installed or armed in; compared when workers start.';
INSERT INTO _identity (system_identifier, database, reason)
  SELECT mesflow._system_identifier(), d.oid, 'installed'
    FROM pg_catalog.pg_database d WHERE d.datname = current_database();

-- While a dump is restored nothing may begin to work on what is there by then. What pg_dump writes sets this first of all.
INSERT INTO _identity (system_identifier, database, reason)
  SELECT 0, 0, 'restored' WHERE current_setting('row_security') = 'off';

CREATE FUNCTION _is_copy() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT coalesce(bool_or((i.system_identifier, i.database) IS DISTINCT FROM (_system_identifier(), d.oid)), true)
    FROM _identity i, pg_catalog.pg_database d
   WHERE d.datname = current_database();
END;
COMMENT ON FUNCTION _is_copy() IS 'True in a copy of the database that mesflow was installed or armed in: nothing runs there until arm().';

CREATE FUNCTION arm(reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  IF coalesce(btrim(arm.reason), '') = '' THEN
    PERFORM mesflow._raise('MF400', 'a reason is needed', 'The reason is empty.',
                           'Say why this copy may act, for example arm(''moved to the new server'').');
  END IF;
  DELETE FROM mesflow._identity;
  INSERT INTO mesflow._identity (system_identifier, database, reason)
    SELECT mesflow._system_identifier(), d.oid, arm.reason
      FROM pg_database d WHERE d.datname = current_database();
  PERFORM mesflow._remove_defaults();
  PERFORM mesflow._note_contents();
  PERFORM mesflow._start_timeline();
  PERFORM mesflow.rebase();
  PERFORM mesflow._rebuild_own_rows();
  PERFORM mesflow._wake('pricing');
  PERFORM mesflow._wake('delivery');
  PERFORM mesflow._wake('launcher');    -- which starts what had left
END
$$;
COMMENT ON FUNCTION arm(text) IS
  'Lets a copy of a database (restored dump, template copy, cloned or upgraded cluster) act: its workers start, and readers of the outbox go on. The reason is kept.';
