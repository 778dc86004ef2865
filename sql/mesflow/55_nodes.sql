-- The protocol of nodes: register, claim, read, report, complete. The server's own pricing worker is a node too.

CREATE FUNCTION _node(node integer, secret bytea) RETURNS _nodes
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_node mesflow._nodes;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  SELECT * INTO found_node FROM mesflow._nodes n WHERE n.id = $1 AND n.secret_hash = sha256($2);
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such node', format('Node %s is not registered with this secret.', coalesce($1::text, 'NULL')),
                           'Register again with node_register; registrations end when their lease has run out.');
  END IF;
  RETURN found_node;
END
$$;
COMMENT ON FUNCTION _node(integer, bytea) IS 'The registered node; MF404 where number and secret do not match.';

CREATE FUNCTION _check_pairs(a integer, b integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF a IS DISTINCT FROM b THEN
    PERFORM mesflow._raise('MF400', 'arrays of different length', format('One array has %s elements, another %s.', a, b),
                           'Pass arrays that belong together element by element.');
  END IF;
END
$$;
COMMENT ON FUNCTION _check_pairs(integer, integer) IS 'MF400 unless two arrays have the same length.';

CREATE FUNCTION _register(name text, kind text, slots integer, version text)
RETURNS TABLE (node integer, secret bytea, lease interval, poll interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  IF coalesce(length($1), 0) NOT BETWEEN 1 AND 100 OR $3 IS NULL OR $3 NOT BETWEEN 0 AND 1024 THEN
    PERFORM mesflow._raise('MF400', 'registration not allowed', format('The name is "%s", the slots are %s.', left($1, 120), coalesce($3::text, 'NULL')),
                           'A name has 1 to 100 characters; slots are 0 to 1024.');
  END IF;
  secret := decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
  lease := interval '30 s';
  poll := interval '1 s';
  INSERT INTO mesflow._nodes AS n (name, kind, slots, version, secret_hash, lease_until)
    VALUES ($1, $2, $3, coalesce($4, ''), sha256(secret), clock_timestamp() + lease)
    RETURNING n.id INTO node;
  RETURN NEXT;
END
$$;
COMMENT ON FUNCTION _register(text, text, integer, text) IS 'A new registration with a fresh secret, of which only a digest is kept.';

CREATE FUNCTION node_register(name text, slots integer, version text, protocol integer DEFAULT 1)
RETURNS TABLE (node integer, secret bytea, lease interval, poll interval)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  IF $4 IS DISTINCT FROM 1 THEN
    PERFORM mesflow._raise('MF400', 'unknown protocol', format('The node speaks protocol %s.', coalesce($4::text, 'NULL')),
                           'This server speaks protocol 1: install the mesflow-node that belongs to it.');
  END IF;
  RETURN QUERY SELECT * FROM mesflow._register($1, 'node', $2, $3);
END
$$;
COMMENT ON FUNCTION node_register(text, integer, text, integer) IS
  'Registers a process that claims jobs. The secret goes with every further call; within each lease a heartbeat is due; poll is how often to ask for work. A name used before inherits nothing. MF400: name, slots, protocol.';

CREATE FUNCTION _server_register(name text, slots integer, version text)
RETURNS TABLE (node integer, secret bytea, lease interval, poll interval)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  r mesflow._jobs_running;
BEGIN
  FOR r IN DELETE FROM mesflow._jobs_running j USING mesflow._nodes n
            WHERE n.kind = 'server' AND j.node = n.id RETURNING j.* LOOP
    PERFORM mesflow._take_back(r, true);
  END LOOP;
  DELETE FROM mesflow._nodes n WHERE n.kind = 'server';
  RETURN QUERY SELECT * FROM mesflow._register($1, 'server', $2, $3);
END
$$;
COMMENT ON FUNCTION _server_register(text, integer, text) IS
  'Registers this server''s pricing worker, after taking back what its earlier life left running.';

CREATE FUNCTION _server_settings(node integer, secret bytea, name text, slots integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  n mesflow._nodes := mesflow._node($1, $2);
BEGIN
  UPDATE mesflow._nodes SET name = $3, slots = $4 WHERE id = n.id;
END
$$;
COMMENT ON FUNCTION _server_settings(integer, bytea, text, integer) IS
  'Changes the name and slots of a registration after a reload; its jobs stay as they are. MF404: no such node.';

CREATE FUNCTION claim_jobs(node integer, secret bytea, limit_to integer, max_memory_mb integer DEFAULT NULL)
RETURNS TABLE (job bigint, token bigint, kind text, sha256 bytea, unit text, size_bytes bigint, params jsonb, deadline interval)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  portion constant integer := 100;
  until constant timestamptz := clock_timestamp() + interval '100 ms';     -- what is settled on the way is priced
  lonely constant integer := 2;         -- unclean ends after which a job runs alone
  n mesflow._nodes := mesflow._node($1, $2);
  j mesflow._jobs_waiting;
  result mesflow._measurements;
  reached_vt float8;
  reached_id bigint;
  leader bigint;
  busy integer;
  steps integer := 0;
  handed integer := 0;
  filename text;
  stored bigint;
  met_end boolean := false;
  seconds bigint;
BEGIN
  IF $3 IS NULL OR $3 NOT BETWEEN 0 AND 1000 THEN
    PERFORM mesflow._raise('MF400', 'limit not allowed', format('limit_to is %s.', coalesce($3::text, 'NULL')), 'Ask for 0 to 1000 jobs.');
  END IF;
  -- A copy prices nothing, whoever asks, also while a restore is still under way.
  IF mesflow._is_copy() THEN
    RETURN;
  END IF;
  -- The mark that work starts must be durable here, but needs no standby.
  PERFORM set_config('synchronous_commit', 'local', true);
  SELECT count(*) INTO busy FROM mesflow._jobs_running r WHERE r.node = n.id;
  IF busy > 0 AND EXISTS (SELECT FROM mesflow._jobs_running r WHERE r.node = n.id AND r.lives >= lonely) THEN
    RETURN;
  END IF;
  SELECT f.vt, f.id INTO reached_vt, reached_id FROM mesflow._claim_from() f;

  WHILE handed < $3 AND steps < portion + $3 AND clock_timestamp() < until LOOP
    steps := steps + 1;
    SELECT * INTO j FROM mesflow._jobs_waiting w
     WHERE (w.vt, w.id) > (reached_vt, reached_id) AND ($4 IS NULL OR w.memory_mb <= $4)
     ORDER BY w.vt, w.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      met_end := true;
      EXIT;
    END IF;
    IF j.lives >= lonely AND busy + handed > 0 THEN
      EXIT;                             -- let this node run empty for it
    END IF;
    reached_vt := j.vt;
    reached_id := j.id;

    -- Is somebody at the same work? Two claims that look at it at the same
    -- moment keep apart by a lock that neither waits for; a row locked by the
    -- transaction that completes it is left for the next round.
    CONTINUE WHEN NOT pg_try_advisory_xact_lock(1835364966, ('x' || encode(substr(j.sha256, 1, 4), 'hex'))::bit(32)::integer);
    SELECT r.id INTO leader FROM mesflow._jobs_running r
     WHERE r.sha256 = j.sha256 AND r.unit = j.unit LIMIT 1 FOR SHARE SKIP LOCKED;
    IF FOUND THEN
      DELETE FROM mesflow._jobs_waiting w WHERE w.vt = j.vt AND w.id = j.id;
      INSERT INTO mesflow._jobs_aside SELECT j.*, NULL, leader;
      CONTINUE;
    END IF;
    CONTINUE WHEN EXISTS (SELECT FROM mesflow._jobs_running r WHERE r.sha256 = j.sha256 AND r.unit = j.unit);

    -- Only now, for the work may have ended a moment ago: is it done?
    result := mesflow._measurement(j.sha256, j.unit);
    IF result.engine_version >= mesflow._engine_version() OR result.engine_version IS NOT NULL AND j.kind = 'price' THEN
      DELETE FROM mesflow._jobs_waiting w WHERE w.vt = j.vt AND w.id = j.id;
      PERFORM mesflow._settle_job(j, result, n.id, NULL);
      PERFORM mesflow._announce();
      CONTINUE;
    END IF;

    SELECT m.filename, m.content INTO filename, stored FROM mesflow._models m WHERE m.id = j.model;
    IF stored IS NULL THEN
      DELETE FROM mesflow._jobs_waiting w WHERE w.vt = j.vt AND w.id = j.id;
      PERFORM mesflow._end_without_bytes(j);
      PERFORM mesflow._announce();
      CONTINUE;
    END IF;

    seconds := extract(epoch FROM current_setting('mesflow.pricing_timeout')::interval) * CASE WHEN j.boosted THEN 4 ELSE 1 END;
    job := j.id;
    token := mesflow._token();
    kind := j.kind;
    sha256 := j.sha256;
    unit := nullif(j.unit, '');
    size_bytes := j.size_bytes;
    deadline := make_interval(secs => 2 * seconds);
    params := jsonb_build_object('name', filename,
                                 'memory_mb', j.memory_mb, 'cpu_seconds', seconds,
                                 'max_triangles', current_setting('mesflow.max_triangles')::bigint,
                                 'alone', j.lives >= lonely);
    DELETE FROM mesflow._jobs_waiting w WHERE w.vt = j.vt AND w.id = j.id;
    INSERT INTO mesflow._jobs_running SELECT j.*, token, n.id, greatest(clock_timestamp(), n.registered_at), clock_timestamp() + deadline;
    handed := handed + 1;
    RETURN NEXT;
    EXIT WHEN j.lives >= lonely;
  END LOOP;
  PERFORM mesflow._claim_reached(reached_vt, reached_id, met_end, steps >= portion + $3 OR NOT met_end AND handed < $3 AND clock_timestamp() >= until);
END
$$;
COMMENT ON FUNCTION claim_jobs(integer, bytea, integer, integer) IS
  'Hands out up to limit_to jobs that fit the memory, in queue order. The token is the right to read, report and end the job; deadline is wall time from now. params: name, memory_mb, cpu_seconds, max_triangles, alone. Work that is already done is settled on the way, work that runs elsewhere is waited for. MF404: no such node.';

CREATE FUNCTION job_content(node integer, secret bytea, job bigint, token bigint, at bigint DEFAULT 0, length integer DEFAULT NULL) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  n mesflow._nodes := mesflow._node($1, $2);
  stored bigint;
BEGIN
  SELECT m.content INTO stored FROM mesflow._jobs_running r JOIN mesflow._models m ON m.id = r.model
   WHERE r.id = $3 AND r.token = $4 AND r.node = n.id;
  IF stored IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN mesflow._content_slice(stored, least(greatest($5, 0), 1::bigint << 62), least(coalesce($6, 268435456), 268435456));
END
$$;
COMMENT ON FUNCTION job_content(integer, bytea, bigint, bigint, bigint, integer) IS
  'A slice of the file of a claimed job, up to 256 MB, shorter at the end of the file; NULL when the token is no longer good.';

CREATE FUNCTION heartbeat(node integer, secret bytea, jobs bigint[], tokens bigint[], percents integer[], stages text[])
RETURNS TABLE (job bigint, verdict text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  n mesflow._nodes := mesflow._node($1, $2);
BEGIN
  PERFORM mesflow._check_pairs(cardinality($3), cardinality($4));
  PERFORM mesflow._check_pairs(cardinality($3), cardinality($5));
  PERFORM mesflow._check_pairs(cardinality($3), cardinality($6));
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE mesflow._nodes SET last_seen = clock_timestamp(), lease_until = clock_timestamp() + interval '30 s' WHERE id = n.id;
  UPDATE mesflow._jobs_running r SET percent = b.percent, stage = b.stage
    FROM (SELECT * FROM unnest($3, $4, $5, $6) AS b (job, token, percent, stage)) b
   WHERE r.id = b.job AND r.token = b.token AND r.node = n.id
     AND (r.percent, r.stage) IS DISTINCT FROM (b.percent, b.stage)
     AND b.percent BETWEEN 0 AND 100 AND length(b.stage) <= 30;
  RETURN QUERY
    SELECT b.job,
           CASE WHEN EXISTS (SELECT FROM mesflow._jobs_running r WHERE r.id = b.job AND r.token = b.token AND r.node = n.id) THEN 'ok'
                WHEN EXISTS (SELECT FROM mesflow._jobs_done d WHERE d.id = b.job AND d.state = 'cancelled') THEN 'cancel'
                ELSE 'lost' END
      FROM unnest($3, $4) AS b (job, token);
END
$$;
COMMENT ON FUNCTION heartbeat(integer, bytea, bigint[], bigint[], integer[], text[]) IS
  'Extends the node''s lease and tells how far its jobs are. Per job: ok; cancel (stop, somebody cancelled it); lost (stop, it is no longer yours).';

CREATE FUNCTION complete_jobs(node integer, secret bytea, jobs bigint[], tokens bigint[], results jsonb[],
  picture_jobs bigint[] DEFAULT '{}', pictures bytea[] DEFAULT '{}')
RETURNS TABLE (job bigint, accepted boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  n mesflow._nodes := mesflow._node($1, $2);
  b record;
  r mesflow._jobs_running;
  j mesflow._jobs_waiting;
  result mesflow._measurements;
BEGIN
  PERFORM mesflow._check_pairs(cardinality($3), cardinality($4));
  PERFORM mesflow._check_pairs(cardinality($3), cardinality($5));
  PERFORM mesflow._check_pairs(cardinality($6), cardinality($7));
  FOR b IN SELECT * FROM unnest($3, $4, $5) AS b (job, token, result) ORDER BY 1 LOOP
    job := b.job;
    DELETE FROM mesflow._jobs_running d WHERE d.id = b.job AND d.token = b.token AND d.node = n.id RETURNING d.* INTO r;
    accepted := FOUND;
    IF accepted THEN
      j := mesflow._as_waiting(r);
      BEGIN
        PERFORM mesflow._record_measurement(j.sha256, j.unit, b.result);
        PERFORM mesflow._record_pictures(j.sha256, j.unit, ARRAY(SELECT p.png FROM unnest($6, $7) AS p (job, png) WHERE p.job = b.job));
        result := mesflow._measurement(j.sha256, j.unit);
        IF result.engine_version IS NULL THEN
          PERFORM mesflow._raise('MF400', 'empty result', format('The result is %s.', coalesce(left(b.result::text, 100), 'NULL')), 'Pass a measurement.');
        END IF;
      EXCEPTION WHEN data_exception OR integrity_constraint_violation OR SQLSTATE 'MF400' THEN
        result := NULL;
        PERFORM mesflow._job_failed(j, n.id, r.started_at, 'crashed', 'The geometry program returned an impossible measurement.');
      END;
      IF result.engine_version IS NOT NULL THEN
        j.attempt := j.attempt + 1;
        PERFORM mesflow._settle_job(j, result, n.id, r.started_at);
        PERFORM mesflow._release_followers(j.id, result, n.id);
        IF result.measured_in_ms > 0 AND j.size_bytes >= 1048576 THEN     -- small files take what a start takes, whatever their size
          UPDATE mesflow._nodes SET ms_per_mb = 0.9 * ms_per_mb + 0.1 * result.measured_in_ms / (j.size_bytes / 1048576.0) WHERE id = n.id;
        END IF;
      END IF;
    END IF;
    RETURN NEXT;
  END LOOP;
  PERFORM mesflow._announce();
END
$$;
COMMENT ON FUNCTION complete_jobs(integer, bytea, bigint[], bigint[], jsonb[], bigint[], bytea[]) IS
  'Records measurements (keys as in mesflow-geometry --json), ends the jobs and prices the quotes that waited. pictures are PNGs, square, of 16 to 512 pixels, each beside the number of its job; a job may have none. accepted is false where the token is no longer good: nothing was recorded then.';

CREATE FUNCTION fail_job(node integer, secret bytea, job bigint, token bigint, error_code text, error text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  n mesflow._nodes := mesflow._node($1, $2);
  r mesflow._jobs_running;
BEGIN
  DELETE FROM mesflow._jobs_running d WHERE d.id = $3 AND d.token = $4 AND d.node = n.id RETURNING d.* INTO r;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM mesflow._job_failed(mesflow._as_waiting(r), n.id, r.started_at, coalesce(nullif($5, ''), 'crashed'), coalesce($6, ''));
  PERFORM mesflow._announce();
  RETURN true;
END
$$;
COMMENT ON FUNCTION fail_job(integer, bytea, bigint, bigint, text, text) IS
  'Reports that a job could not be done. A model''s error code ends it, a limit gets one more try with more, a crash one more; any other code is the node''s trouble and free. False when the token is no longer good.';

CREATE FUNCTION release_jobs(node integer, secret bytea, jobs bigint[], tokens bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  n mesflow._nodes := mesflow._node($1, $2);
  r mesflow._jobs_running;
  released integer := 0;
BEGIN
  PERFORM mesflow._check_pairs(cardinality($3), cardinality($4));
  FOR r IN DELETE FROM mesflow._jobs_running d USING unnest($3, $4) AS b (job, token)
            WHERE d.id = b.job AND d.token = b.token AND d.node = n.id RETURNING d.* LOOP
    PERFORM mesflow._take_back(r, false);
    released := released + 1;
  END LOOP;
  RETURN released;
END
$$;
COMMENT ON FUNCTION release_jobs(integer, bytea, bigint[], bigint[]) IS
  'Gives claimed jobs back to their places in the queue, uncharged; returns how many were still the node''s.';

CREATE FUNCTION _sweep_jobs() RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  portion constant integer := 1000;
  r mesflow._jobs_running;
  a mesflow._jobs_aside;
  moved integer := 0;
BEGIN
  -- Nodes whose lease ran out, and what no node answers for: a restored dump brings numbers of nodes that were elsewhere.
  FOR r IN DELETE FROM mesflow._jobs_running d
            WHERE d.id IN (SELECT c.id FROM mesflow._jobs_running c
                            WHERE NOT EXISTS (SELECT FROM mesflow._nodes n WHERE n.id = c.node AND n.lease_until > clock_timestamp()
                                                                               AND n.registered_at <= c.started_at)
                            ORDER BY c.id LIMIT portion FOR UPDATE SKIP LOCKED)
            RETURNING d.* LOOP
    PERFORM mesflow._take_back(r, false);
    moved := moved + 1;
  END LOOP;
  -- Nodes that are alive but let a job hang.
  FOR r IN DELETE FROM mesflow._jobs_running d
            WHERE d.id IN (SELECT c.id FROM mesflow._jobs_running c
                            WHERE c.deadline_at < clock_timestamp() - interval '30 s'
                            ORDER BY c.id LIMIT portion FOR UPDATE SKIP LOCKED)
            RETURNING d.* LOOP
    PERFORM mesflow._job_failed(mesflow._as_waiting(r), r.node, r.started_at, 'timeout', 'The model took too long to measure.');
    moved := moved + 1;
  END LOOP;
  -- Retries that have come due, and followers whose leader has gone.
  FOR a IN DELETE FROM mesflow._jobs_aside d
            WHERE d.id IN (SELECT c.id FROM mesflow._jobs_aside c
                            WHERE c.due <= clock_timestamp() ORDER BY c.due LIMIT portion FOR UPDATE SKIP LOCKED)
               OR d.id IN (SELECT c.id FROM mesflow._jobs_aside c
                            WHERE c.leader IS NOT NULL
                              AND NOT EXISTS (SELECT FROM mesflow._jobs_running l WHERE l.id = c.leader)
                            LIMIT portion FOR UPDATE SKIP LOCKED)
            RETURNING d.* LOOP
    PERFORM mesflow._requeue(mesflow._as_waiting(a), NULL);
    moved := moved + 1;
  END LOOP;
  -- Registrations long out of use.
  DELETE FROM mesflow._nodes n
   WHERE n.kind = 'node' AND n.lease_until < clock_timestamp() - interval '1 day'
     AND NOT EXISTS (SELECT FROM mesflow._jobs_running j WHERE j.node = n.id);
  IF NOT mesflow._is_copy() THEN        -- also while a restore is still under way
    PERFORM mesflow._drop_contents();
  END IF;
  IF moved > 0 THEN
    PERFORM mesflow._announce();
  END IF;
  RETURN moved;
END
$$;
COMMENT ON FUNCTION _sweep_jobs() IS
  'Once a second, in portions: takes back the jobs of nodes that are gone, ends those that hang, returns retries that have come due; removes bytes that nobody refers to any more. Returns how many jobs it moved.';
