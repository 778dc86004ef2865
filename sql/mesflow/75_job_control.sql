-- Waiting for jobs, and handling them by hand.

-- Did the calling transaction itself queue this job? Then nobody can do it before it commits.
CREATE FUNCTION _own_job(job bigint) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM mesflow._jobs_waiting w WHERE w.id = $1 AND mesflow._own_write(w.xmin));
END
$$;
COMMENT ON FUNCTION _own_job(bigint) IS 'Was this job queued by the calling transaction?';

CREATE FUNCTION _commit_first(what text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._raise('MF409', 'commit first', format('The work on %s was queued by this very transaction and cannot start before it commits.', what),
                         'Commit, then wait in a transaction of its own.');
END
$$;
COMMENT ON FUNCTION _commit_first(text) IS 'MF409: waiting here would be waiting for oneself.';

CREATE FUNCTION _milliseconds_left(until timestamptz) RETURNS integer
LANGUAGE sql VOLATILE
RETURN greatest(0, least(1000, ceil(extract(epoch FROM $1 - clock_timestamp()) * 1000)))::integer;
COMMENT ON FUNCTION _milliseconds_left(timestamptz) IS 'Milliseconds until then, 0 to 1000.';

CREATE FUNCTION await_model(model uuid, timeout interval DEFAULT '60s') RETURNS models
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  until constant timestamptz := clock_timestamp() + coalesce($2, '60s');
  m mesflow._models := mesflow._model($1, NULL);
  answer mesflow.models;
  seen bigint;
BEGIN
  LOOP
    seen := mesflow._await_event(NULL, 0);
    SELECT * INTO answer FROM mesflow.models v WHERE v.id = $1;
    EXIT WHEN answer.state IN ('measured', 'rejected');
    IF mesflow._own_job(m.job) THEN
      PERFORM mesflow._commit_first(format('model %s', $1));
    END IF;
    EXIT WHEN clock_timestamp() >= until;
    PERFORM mesflow._await_event(seen, mesflow._milliseconds_left(until));
  END LOOP;
  RETURN answer;
END
$$;
COMMENT ON FUNCTION await_model(uuid, interval) IS
  'Waits until a model is measured or rejected and returns its row; the row as it is when time is up. Call it in a transaction of its own (READ COMMITTED). MF404: no such model. MF409: this transaction queued the work itself.';

CREATE FUNCTION await_quote(quote uuid, timeout interval DEFAULT '60s') RETURNS quotes
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  until constant timestamptz := clock_timestamp() + coalesce($2, '60s');
  answer mesflow.quotes;
  seen bigint;
BEGIN
  LOOP
    seen := mesflow._await_event(NULL, 0);
    SELECT * INTO answer FROM mesflow.quotes v WHERE v.id = $1;
    IF NOT FOUND THEN
      PERFORM mesflow._raise('MF404', 'no such quote', format('There is no quote %s.', coalesce($1::text, 'NULL')), 'Ask for one with request_quote.');
    END IF;
    EXIT WHEN answer.state <> 'pending';
    IF mesflow._own_job((SELECT q.job FROM mesflow._quotes q WHERE q.id = $1)) THEN
      PERFORM mesflow._commit_first(format('quote %s', $1));
    END IF;
    EXIT WHEN clock_timestamp() >= until;
    PERFORM mesflow._await_event(seen, mesflow._milliseconds_left(until));
  END LOOP;
  RETURN answer;
END
$$;
COMMENT ON FUNCTION await_quote(uuid, interval) IS
  'Waits until a quote is no longer pending and returns its row; the row as it is when time is up. Call it in a transaction of its own (READ COMMITTED). MF404: no such quote. MF409: this transaction queued the work itself.';

CREATE FUNCTION _no_such_job(job bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._raise('MF404', 'no such job', format('There is no job %s.', coalesce(job::text, 'NULL')), 'Jobs are listed in mesflow.price_jobs.');
END
$$;
COMMENT ON FUNCTION _no_such_job(bigint) IS 'MF404.';

CREATE FUNCTION cancel_job(job bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  w mesflow._jobs_waiting;
  a mesflow._jobs_aside;
  r mesflow._jobs_running;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  -- The model first, then the job, as delete_model and uploads do.
  PERFORM FROM mesflow._models m
    WHERE m.id IN (SELECT j.model FROM mesflow._jobs_waiting j WHERE j.id = $1 AND j.kind = 'measure'
                   UNION ALL SELECT j.model FROM mesflow._jobs_aside j WHERE j.id = $1 AND j.kind = 'measure'
                   UNION ALL SELECT j.model FROM mesflow._jobs_running j WHERE j.id = $1 AND j.kind = 'measure')
    FOR NO KEY UPDATE;
  DELETE FROM mesflow._jobs_waiting d WHERE d.id = $1 RETURNING d.* INTO w;
  IF NOT FOUND THEN
    DELETE FROM mesflow._jobs_aside d WHERE d.id = $1 RETURNING d.* INTO a;
    IF FOUND THEN
      w := mesflow._as_waiting(a);
    ELSE
      DELETE FROM mesflow._jobs_running d WHERE d.id = $1 RETURNING d.* INTO r;
      IF FOUND THEN
        w := mesflow._as_waiting(r);
      ELSE
        IF EXISTS (SELECT FROM mesflow._jobs_waiting m WHERE m.id = $1) OR EXISTS (SELECT FROM mesflow._jobs_aside m WHERE m.id = $1)
        OR EXISTS (SELECT FROM mesflow._jobs_running m WHERE m.id = $1) THEN
          RETURN mesflow.cancel_job($1);        -- it moved while we looked
        ELSIF mesflow._cancel_batch($1) THEN
          RETURN true;
        ELSIF NOT EXISTS (SELECT FROM mesflow._jobs_done d WHERE d.id = $1) AND NOT EXISTS (SELECT FROM mesflow._batches_done d WHERE d.id = $1) THEN
          PERFORM mesflow._no_such_job($1);
        END IF;
        RETURN false;
      END IF;
    END IF;
  END IF;
  PERFORM mesflow._end_job(w, 'cancelled', r.node, r.started_at, NULL, NULL);
  IF w.kind = 'price' THEN
    UPDATE mesflow._quotes SET state = 'cancelled' WHERE id = w.quote AND state = 'pending';
  ELSE
    UPDATE mesflow._models SET measure_cancelled = true WHERE id = w.model;
  END IF;
  PERFORM mesflow._release_followers($1, NULL, NULL);
  PERFORM mesflow._wake('pricing');
  PERFORM mesflow._announce();
  RETURN true;
END
$$;
COMMENT ON FUNCTION cancel_job(bigint) IS
  'Stops a job, running or not, and cancels its pending quote; other jobs that waited for the same work go on. What preflight and reprice jobs have made stays. False where it had ended already. MF404: no such job.';

CREATE FUNCTION retry_job(job bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  d mesflow._jobs_done;
  w mesflow._jobs_waiting;
  m mesflow._models;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  SELECT m.* INTO m FROM mesflow._jobs_done e JOIN mesflow._models m ON m.id = e.model
   WHERE e.id = $1 AND e.state IN ('failed', 'cancelled') FOR KEY SHARE OF m;           -- delete_model waits, and sees the job
  IF FOUND AND m.content IS NULL THEN
    PERFORM mesflow._raise('MF423', 'the bytes of this model were deleted', format('Job %s would read model %s, whose bytes were deleted.', $1, m.id),
                           'Upload the same file again.');
  END IF;
  IF EXISTS (SELECT FROM mesflow._jobs_done e JOIN mesflow._quotes q ON q.id = e.quote WHERE e.id = $1 AND e.state IN ('failed', 'cancelled') AND q.decided_at IS NOT NULL) THEN
    PERFORM mesflow._raise('MF423', 'a person has decided about the quote', format('Job %s would price a quote that was priced or rejected by hand.', $1), 'Ask for a new quote with request_quote.');
  END IF;
  DELETE FROM mesflow._jobs_done e WHERE e.id = $1 AND e.state IN ('failed', 'cancelled') RETURNING e.* INTO d;
  IF NOT FOUND THEN
    IF mesflow._retry_batch($1) THEN
      RETURN true;
    ELSIF NOT EXISTS (SELECT FROM mesflow.price_jobs j WHERE j.id = $1) THEN
      PERFORM mesflow._no_such_job($1);
    END IF;
    RETURN false;
  END IF;
  DELETE FROM mesflow._measurements m WHERE m.sha256 = d.sha256 AND m.unit = d.unit AND m.error_code IS NOT NULL;
  w := ROW(d.vt, d.id, d.kind, d.partner, d.model, d.quote, d.sha256, d.unit, d.size_bytes, d.memory_mb, d.cost_ms, 0, 0, false, NULL, NULL,
           clock_timestamp());
  PERFORM mesflow._requeue(w, NULL);
  IF d.kind = 'price' THEN
    UPDATE mesflow._quotes SET state = 'pending', priced_at = NULL, error_code = NULL, error = NULL WHERE id = d.quote AND state IN ('failed', 'cancelled', 'review');
  ELSE
    UPDATE mesflow._models SET measure_cancelled = false, job = d.id WHERE id = d.model;
  END IF;
  RETURN true;
END
$$;
COMMENT ON FUNCTION retry_job(bigint) IS
  'Queues a job that failed or was cancelled once more, all its tries before it; its quote is pending again, and an error recorded for the file is forgotten. A preflight or reprice job goes on where it stopped. False where it has not ended so. MF404: no such job. MF423: the model''s bytes were deleted, or a person has decided about the quote.';

CREATE FUNCTION verify_jobs() RETURNS TABLE (problem text, detail text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH jobs AS (
    SELECT w.id, 'waiting' AS place, w.quote FROM mesflow._jobs_waiting w
    UNION ALL SELECT a.id, 'aside', a.quote FROM mesflow._jobs_aside a
    UNION ALL SELECT r.id, 'running', r.quote FROM mesflow._jobs_running r
    UNION ALL SELECT d.id, 'done', NULL FROM mesflow._jobs_done d
  )
  SELECT 'job in several places', format('Job %s is %s.', j.id, string_agg(j.place, ' and ' ORDER BY j.place))
    FROM jobs j GROUP BY j.id HAVING count(*) > 1
  UNION ALL
  SELECT 'pending quote without a job', format('Quote %s is pending, but no job would price it.', q.id)
    FROM mesflow._quotes q
   WHERE q.state = 'pending' AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = q.job AND j.quote = q.id AND j.place <> 'done')
  UNION ALL
  SELECT 'job of a quote that is not pending', format('Job %s is %s, but quote %s is %s.', j.id, j.place, q.id, q.state)
    FROM jobs j JOIN mesflow._quotes q ON q.id = j.quote
   WHERE q.state <> 'pending'
  UNION ALL
  SELECT 'unmeasured model without a job', format('Model %s has no measurement, and no job would make one.', m.id)
    FROM mesflow._models m
   WHERE NOT m.measure_cancelled AND m.content IS NOT NULL
     AND NOT EXISTS (SELECT FROM mesflow._measurements r WHERE r.sha256 = m.sha256 AND r.unit = m.unit)
     AND NOT EXISTS (SELECT FROM mesflow._jobs_waiting j WHERE j.sha256 = m.sha256 AND j.unit = m.unit)
     AND NOT EXISTS (SELECT FROM mesflow._jobs_aside j WHERE j.sha256 = m.sha256 AND j.unit = m.unit)
     AND NOT EXISTS (SELECT FROM mesflow._jobs_running j WHERE j.sha256 = m.sha256 AND j.unit = m.unit)
  UNION ALL
  SELECT 'quote without its model', format('Quote %s is about model %s, which is not there.', q.id, q.model)
    FROM mesflow._quotes q WHERE NOT EXISTS (SELECT FROM mesflow._models m WHERE m.id = q.model)
  UNION ALL
  SELECT 'the same work twice', format('Jobs %s measure the same bytes at the same time.', string_agg(r.id::text, ', ' ORDER BY r.id))
    FROM mesflow._jobs_running r GROUP BY r.sha256, r.unit HAVING count(*) > 1
  UNION ALL
  SELECT 'job of a lost node', format('Job %s runs on node %s, whose lease ended a minute ago or more.', r.id, r.node)
    FROM mesflow._jobs_running r
   WHERE NOT EXISTS (SELECT FROM mesflow._nodes n WHERE n.id = r.node AND n.lease_until > clock_timestamp() - interval '1 min' AND n.registered_at <= r.started_at)
     AND r.started_at < clock_timestamp() - interval '1 min'
  UNION ALL
  SELECT 'follower without a leader', format('Job %s waits for job %s, which does not run.', a.id, a.leader)
    FROM mesflow._jobs_aside a
   WHERE a.leader IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow._jobs_running r WHERE r.id = a.leader)
  UNION ALL
  SELECT 'job without its model', format('Job %s is about model %s, which is not there.', j.id, j.model)
    FROM (SELECT w.id, w.model FROM mesflow._jobs_waiting w UNION ALL SELECT a.id, a.model FROM mesflow._jobs_aside a
          UNION ALL SELECT r.id, r.model FROM mesflow._jobs_running r) j
   WHERE NOT EXISTS (SELECT FROM mesflow._models m WHERE m.id = j.model)
  UNION ALL
  SELECT b.problem, b.detail FROM mesflow._verify_batches() b
$$;
COMMENT ON FUNCTION verify_jobs() IS 'Checks that every job is in exactly one place and that nothing waits for work that nobody will do. No rows: sound.';
