-- How mesflow itself is.

CREATE FUNCTION _worker_status(OUT kind text, OUT pid integer, OUT state text, OUT since timestamptz, OUT current text, OUT restarts integer,
                               OUT last_error text, OUT last_error_at timestamptz) RETURNS SETOF record
LANGUAGE c STRICT ROWS 5 AS 'MODULE_PATHNAME', 'mesflow_worker_status';
COMMENT ON FUNCTION _worker_status() IS 'The rows of worker_status, from shared memory.';

CREATE VIEW worker_status AS SELECT * FROM _worker_status();
COMMENT ON VIEW worker_status IS 'The background workers of this server. Counts begin anew with each start of the server.';
COMMENT ON COLUMN worker_status.kind IS 'launcher, pricing, delivery or housekeeping';
COMMENT ON COLUMN worker_status.pid IS 'its process; NULL when it does not run';
COMMENT ON COLUMN worker_status.state IS 'what it is doing, in a word';
COMMENT ON COLUMN worker_status.since IS 'in this state since';
COMMENT ON COLUMN worker_status.current IS 'its unit of work, or why it does not run';
COMMENT ON COLUMN worker_status.restarts IS 'how often it was started again';
COMMENT ON COLUMN worker_status.last_error IS 'what ended it, or a unit of its work, last';
COMMENT ON COLUMN worker_status.last_error_at IS 'when that was';

CREATE FUNCTION _server_state(OUT preloaded boolean, OUT served_database text, OUT serves_this boolean, OUT fenced boolean, OUT program_path text,
                              OUT program_found boolean, OUT program_version text, OUT sender_path text, OUT sender_found boolean, OUT sender_version text,
                              OUT sender_trouble text, OUT sandbox text, OUT max_worker_processes integer) RETURNS record
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_server_state';
COMMENT ON FUNCTION _server_state() IS 'What health() and version() tell of the server process itself.';

CREATE FUNCTION version() RETURNS TABLE (part text, version text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY
    SELECT 'library', mesflow._library_version()
    UNION ALL SELECT 'extension', e.extversion FROM pg_extension e WHERE e.extname = 'mesflow'
    UNION ALL SELECT 'geometry engine', mesflow._engine_version()::text
    UNION ALL SELECT 'mesflow-geometry', coalesce(s.program_version, 'not running') FROM mesflow._server_state() s
    UNION ALL SELECT 'mesflow-sender', coalesce(s.sender_version, 'not running') FROM mesflow._server_state() s
    UNION ALL SELECT 'PostgreSQL', current_setting('server_version');
END
$$;
COMMENT ON FUNCTION mesflow.version() IS     -- version() alone is PostgreSQL's own
  'The versions of the parts that work together.';

CREATE FUNCTION _health_programs(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  library constant text := mesflow._library_version();
  delivers constant boolean := current_setting('mesflow.delivery') = 'on' AND current_setting('mesflow.effects') <> 'off';
  r record;
BEGIN
  SELECT string_agg(t.detail, ' ' ORDER BY t.at) AS detail, string_agg(DISTINCT t.hint, ' ') AS hint, string_agg(t.path, ' and ' ORDER BY t.at) AS paths INTO r
    FROM (SELECT p.at, p.path,
                 CASE WHEN NOT p.found THEN format('The program %s cannot be run.', p.path)
                      WHEN p.trouble IS NOT NULL THEN format('%s does not work: %s.', p.name, p.trouble)
                      WHEN p.version <> library THEN format('%s is version %s, the library %s.', p.name, p.version, library) END AS detail,
                 CASE WHEN NOT p.found THEN 'Install the programs of this version: make install.'
                      WHEN p.trouble IS NOT NULL OR p.version <> library THEN 'Install the programs and the library of the same version; the server''s log says more.' END AS hint
            FROM mesflow._server_state() s
           CROSS JOIN LATERAL (VALUES (1, 'mesflow-geometry', s.program_path, s.program_found, s.program_version, NULL, true),
                                      (2, 'mesflow-sender', s.sender_path, s.sender_found, s.sender_version, s.sender_trouble, delivers))
                                AS p (at, name, path, found, version, trouble, needed)
           WHERE p.needed) t;
  status := CASE WHEN r.detail IS NULL THEN 'ok' ELSE 'critical' END;
  detail := coalesce(r.detail, r.paths || ' can be run.');
  hint := r.hint;
END
$$;
COMMENT ON FUNCTION _health_programs() IS
  'The row of health() about programs: one that is not there, is of another version, or does not start. mesflow-sender is needed where something is delivered.';

CREATE FUNCTION health() RETURNS TABLE (check_name text, status text, detail text, hint text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s record;
  worker record;
  found_count bigint;
  oldest interval;
BEGIN
  SELECT * INTO s FROM mesflow._server_state();

  check_name := 'preload';
  IF NOT s.preloaded THEN
    status := 'critical';
    detail := 'The library mesflow is not preloaded: nothing works in the background.';
    hint := 'Add mesflow to shared_preload_libraries and restart the server.';
    RETURN NEXT;
    RETURN;
  END IF;
  status := 'ok'; detail := 'The library is preloaded.'; hint := NULL;
  RETURN NEXT;

  check_name := 'database';
  IF s.serves_this THEN
    status := 'ok'; detail := format('This server serves database "%s".', s.served_database); hint := NULL;
  ELSE
    status := 'critical';
    detail := CASE WHEN coalesce(s.served_database, '') = '' THEN 'No database is served.'
                   ELSE format('This server serves database "%s", not this one.', s.served_database) END;
    hint := format('Set mesflow.database to ''%s'' and restart the server.', current_database());
  END IF;
  RETURN NEXT;

  check_name := 'identity';
  IF mesflow._is_copy() THEN
    status := 'critical';
    detail := 'This database is a copy of the one that mesflow was installed in: nothing runs.';
    hint := 'If it shall act for itself: SELECT mesflow.arm(''reason'').';
  ELSE
    status := 'ok'; detail := 'This is the database that mesflow was installed or armed in.'; hint := NULL;
  END IF;
  RETURN NEXT;

  IF pg_is_in_recovery() THEN
    check_name := 'recovery'; status := 'ok'; detail := 'This is a standby: workers start on promotion.'; hint := NULL;
    RETURN NEXT;
  ELSE
    FOR worker IN SELECT k.kind, w.pid, w.state, w.current, w.last_error FROM (VALUES ('launcher'), ('pricing'), ('delivery')) AS k (kind)
                    LEFT JOIN mesflow._worker_status() w ON w.kind = k.kind LOOP
      check_name := 'worker ' || worker.kind;
      IF worker.state = 'blocked' THEN
        status := 'critical';
        detail := format('The %s worker cannot work: %s.', worker.kind, worker.current);
        hint := 'See mesflow.worker_status and the server''s log.';
      ELSIF worker.pid IS NOT NULL THEN
        status := 'ok'; detail := format('The %s worker runs.', worker.kind); hint := NULL;
      ELSE
        status := 'critical';
        detail := concat_ws(' ', format('The %s worker does not run.', worker.kind), worker.current, worker.last_error);
        hint := 'It is started again by itself; the server''s log says why it ended. See mesflow.worker_status.';
      END IF;
      RETURN NEXT;
    END LOOP;
  END IF;

  check_name := 'worker processes';
  IF s.max_worker_processes < 16 THEN
    status := 'warning';
    detail := format('max_worker_processes is %s.', s.max_worker_processes);
    hint := 'Set max_worker_processes to 16 or more: workers compete for them with parallel queries and replication.';
  ELSE
    status := 'ok'; detail := format('max_worker_processes is %s.', s.max_worker_processes); hint := NULL;
  END IF;
  RETURN NEXT;

  check_name := 'programs';
  SELECT h.status, h.detail, h.hint INTO status, detail, hint FROM mesflow._health_programs() h;
  RETURN NEXT;

  check_name := 'extension';
  SELECT count(*) INTO found_count FROM pg_extension e WHERE e.extname = 'mesflow' AND e.extversion <> mesflow._library_version();
  IF found_count > 0 THEN
    status := 'warning';
    detail := format('The extension''s version differs from the library''s (%s).', mesflow._library_version());
    hint := 'Run ALTER EXTENSION mesflow UPDATE.';
  ELSE
    status := 'ok'; detail := 'The extension and the library have the same version.'; hint := NULL;
  END IF;
  RETURN NEXT;

  check_name := 'sandbox';
  CASE s.sandbox
    WHEN 'missing' THEN
      status := 'critical';
      detail := 'This kernel cannot confine the geometry program, and mesflow.sandbox requires it: nothing is measured.';
      hint := 'Use a kernel with seccomp filters, or set mesflow.sandbox to off where every model is trusted.';
    WHEN 'unknown' THEN
      status := 'warning';
      detail := 'No geometry program has started yet, so it is not known whether it can be confined.';
      hint := 'See mesflow.worker_status.';
    WHEN 'off' THEN
      status := 'warning';
      detail := 'mesflow.sandbox is off: models are read without confinement.';
      hint := 'Set mesflow.sandbox to require.';
    ELSE
      status := 'ok'; detail := 'The geometry program is confined.'; hint := NULL;
  END CASE;
  RETURN NEXT;

  check_name := 'queue';
  SELECT count(*), max(clock_timestamp() - w.queued_at) INTO found_count, oldest
    FROM (SELECT w.queued_at FROM mesflow._jobs_waiting w ORDER BY w.vt, w.id LIMIT 1000) w;
  IF oldest > interval '10 min' THEN
    status := 'warning';
    detail := format('The oldest of %s waiting jobs waits since %s.', found_count, date_trunc('second', oldest));
    hint := 'Raise mesflow.pricing_slots or register more nodes; see mesflow.price_jobs and mesflow.nodes.';
  ELSE
    status := 'ok'; detail := format('%s jobs wait.', CASE WHEN found_count = 1000 THEN '1000 or more' ELSE found_count::text END); hint := NULL;
  END IF;
  RETURN NEXT;

  check_name := 'orders';
  SELECT h.status, h.detail, h.hint INTO status, detail, hint FROM mesflow._health_orders() h;
  RETURN NEXT;

  check_name := 'floor';
  SELECT h.status, h.detail, h.hint INTO status, detail, hint FROM mesflow._health_floor() h;
  RETURN NEXT;

  check_name := 'outbox';
  SELECT h.status, h.detail, h.hint INTO status, detail, hint FROM mesflow._health_outbox() h;
  RETURN NEXT;

  check_name := 'delivery';
  SELECT h.status, h.detail, h.hint INTO status, detail, hint FROM mesflow._health_delivery() h;
  RETURN NEXT;

  check_name := 'housekeeping';
  SELECT h.status, h.detail, h.hint INTO status, detail, hint FROM mesflow._health_housekeeping() h;
  RETURN NEXT;

  check_name := 'catalog';
  IF (mesflow._price_list(NULL, NULL)).code IS NULL THEN
    status := 'warning';
    detail := 'There is no active price list: quotes fail with no_rate.';
    hint := 'Activate one in mesflow.price_lists, or try mesflow.load_example_catalog().';
  ELSE
    status := 'ok'; detail := format('Price list "%s" is active.', (mesflow._price_list(NULL, NULL)).code); hint := NULL;
  END IF;
  RETURN NEXT;
END
$$;
COMMENT ON FUNCTION health() IS 'One row per check: status ok, warning or critical; what is wrong, and what to do.';
