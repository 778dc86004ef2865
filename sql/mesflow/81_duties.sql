-- Duties: what has to be done again and again, a portion in each transaction. A duty is a row here, a function
-- _NAME() RETURNS boolean that does one portion and says whether there is more, and a procedure NAME() that is made from
-- the row below. People and pg_cron call the procedure, which commits between portions; the housekeeping worker takes the
-- same steps one by one.
--
-- Whoever does a portion holds the duty's row meanwhile, and waits for nobody who does: two portions of a duty never run
-- at the same time. Who finds the row held leaves the rest to the other.

CREATE TABLE _duties (
  name text PRIMARY KEY,
  what text NOT NULL,
  every interval NOT NULL CHECK (every > interval '0'),
  schedule text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  finished_by text,
  lives integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  error text,
  error_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE _duties IS
  'What is done every so often; schedule says the same to pg_cron. started_at and lives are the durable mark that a run began: lives counts how many in a row did not end. failures counts errors in a row. Rows are the installation''s, what happened is this database''s own: a dump takes neither along.';
INSERT INTO _duties (name, what, every, schedule) VALUES
  ('copy_timelines', 'copies the events of orders out of the outbox, so that their timelines last as long as they', '10 min', '2-59/10 * * * *'),
  ('expire_quotes', 'tells of quotes that have expired before anybody ordered them', '10 min', '6-59/10 * * * *'),
  ('keep_outbox', 'empties the daily parts of the outbox that are older than mesflow.outbox_retention and that every reader has read', '1 hour', '17 * * * *'),
  ('keep_attempts', 'empties the daily parts of the attempts at deliveries that are older than mesflow.attempts_retention', '1 hour', '27 * * * *'),
  ('keep_claims', 'puts claimed work that was not started within mesflow.work_lease back on the list', '1 min', '* * * * *'),
  ('keep_dead_letters', 'forgets dead letters that are older than mesflow.dead_letter_retention', '1 hour', '37 * * * *'),
  ('keep_jobs', 'empties the daily parts of the history of jobs that are older than mesflow.jobs_retention', '1 hour', '7 * * * *'),
  ('keep_models', 'deletes the bytes of models that are older than mesflow.model_retention and that nothing needs', '10 min', '1-59/10 * * * *'),
  ('keep_preflights', 'forgets pre-flight quotes that expired before anybody asked for them', '10 min', '3-59/10 * * * *'),
  ('keep_uploads', 'forgets uploads in pieces begun longer ago than mesflow.upload_retention', '10 min', '5-59/10 * * * *');

-- The duties ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION _clear_rings(rings text[], keep interval) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
  urgent constant integer := 3;         -- days until the day of a slot comes round again
  part record;
  busy text[] := '{}';
BEGIN
  -- A commit holds its locks until a synchronous standby has answered; no reader shall wait for that.
  IF current_setting('synchronous_commit') NOT IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
  FOR part IN SELECT s.slot, r.ring, s.at <= urgent AS urgent, format('%s_%s', r.ring, lpad(s.slot::text, 2, '0')) AS name
                FROM mesflow._ring_slots_to_clear($2) WITH ORDINALITY AS s (slot, at), unnest($1) AS r (ring)
               ORDER BY s.at, r.ring LOOP
    BEGIN
      CONTINUE WHEN pg_relation_size(format('mesflow.%I', part.name)::regclass) = 0;
      EXECUTE format('LOCK TABLE ONLY mesflow.%I IN ACCESS EXCLUSIVE MODE', part.name);
      -- Its day may have begun while we waited.
      CONTINUE WHEN NOT EXISTS (SELECT FROM mesflow._ring_slots_to_clear($2) s WHERE s = part.slot);
      CONTINUE WHEN part.ring = 'outbox' AND NOT mesflow._readers_past(part.slot);
      EXECUTE format('TRUNCATE TABLE ONLY mesflow.%I', part.name);
      RETURN true;
    EXCEPTION WHEN lock_not_available THEN
      IF part.urgent THEN
        busy := busy || part.name;
      END IF;
    END;
  END LOOP;
  IF cardinality(busy) > 0 THEN
    PERFORM mesflow._raise('MF409', 'parts of a log could not be emptied', format('Somebody reads or locks %s.', array_to_string(busy, ', ')),
                           'Their days come again soon. Look for long transactions in pg_stat_activity; it is tried again.');
  END IF;
  RETURN false;
END
$$;
COMMENT ON FUNCTION _clear_rings(text[], interval) IS
  'Empties one partition of these rings (tables in the schema, partitioned by slot as RING_00 to RING_31) that is out of the time to keep, the one whose day comes next first; false where none was left. Of the outbox only what every reader has read. Who reads one, or dumps it, is not waited for and does not hold up the others; MF409 when only such are left and the day of one comes within three days.';

CREATE FUNCTION _keep_claims() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  remembered constant interval := '1 day';
  returned integer;
  forgotten bigint;
BEGIN
  returned := mesflow._return_abandoned(100);
  DELETE FROM mesflow._work_requests
   WHERE request IN (SELECT r.request FROM mesflow._work_requests r WHERE r.at < clock_timestamp() - remembered ORDER BY r.at LIMIT 1000);
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN returned > 0 OR forgotten > 0;
END
$$;
COMMENT ON FUNCTION _keep_claims() IS
  'A portion of keep_claims(): up to 100 claims, and up to 1000 requests that are not remembered any longer. Orders that somebody holds are left for the next time.';

CREATE FUNCTION _keep_jobs() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mesflow._clear_rings('{_jobs_done,_batches_done}', current_setting('mesflow.jobs_retention')::interval);
END
$$;
COMMENT ON FUNCTION _keep_jobs() IS 'A portion of keep_jobs(): one partition.';

CREATE FUNCTION _keep_models() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mesflow._drop_models(500) > 0;
END
$$;
COMMENT ON FUNCTION _keep_models() IS 'A portion of keep_models(): the bytes of up to 500 models.';

CREATE FUNCTION _keep_preflights() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mesflow._drop_preflights(1000) > 0;
END
$$;
COMMENT ON FUNCTION _keep_preflights() IS 'A portion of keep_preflights(): up to 1000 quotes.';

CREATE FUNCTION _keep_uploads() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN mesflow._drop_uploads(1000) > 0;
END
$$;
COMMENT ON FUNCTION _keep_uploads() IS 'A portion of keep_uploads(): up to 1000 uploads.';

-- The steps of a run -------------------------------------------------------------------------------------------------

CREATE FUNCTION _duty_due_at(d _duties) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN greatest(coalesce(($1).finished_at + 1.5 * ($1).every, ($1).added_at),
                CASE WHEN ($1).failures + greatest(($1).lives - 1, 0) > 0
                     THEN greatest(($1).started_at, ($1).error_at)
                          + least(interval '1 min' * 2 ^ least(($1).failures + greatest(($1).lives - 1, 0) - 1, 12), interval '1 day') END);
COMMENT ON FUNCTION _duty_due_at(_duties) IS
  'When the housekeeping worker does this duty: when nobody has for one and a half times its interval. After errors, or a second run that did not end, also not before 1, 2, 4 ... minutes have gone, a day at most.';

CREATE FUNCTION _duty_runner() RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN a.backend_type = 'mesflow housekeeping' THEN 'worker'
              WHEN a.backend_type LIKE 'pg\_cron%' OR current_setting('application_name') LIKE 'pg\_cron%' THEN 'pg_cron'
              ELSE session_user END
    FROM pg_stat_get_activity(pg_backend_pid()) a
$$;
COMMENT ON FUNCTION _duty_runner() IS 'Who runs a duty in this session: worker, pg_cron, or a login.';

CREATE FUNCTION _refuse_copy_or_standby() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  ELSIF mesflow._is_copy() THEN
    PERFORM mesflow._raise('MF503', 'this database is a copy', 'Nothing is deleted in a copy of the database that mesflow was installed in.',
                           'If it shall act for itself: SELECT mesflow.arm(''reason'').');
  END IF;
END
$$;
COMMENT ON FUNCTION _refuse_copy_or_standby() IS 'MF503 on a standby, and in a copy that nobody has armed.';

CREATE FUNCTION _take_duty(duty text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Also while a restore is still under way, which makes it a copy.
  IF mesflow._is_copy() THEN
    RETURN false;
  ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
    -- What a duty judges must be as it is now, not as it was when a snapshot was taken.
    PERFORM mesflow._raise('MF409', 'a duty runs in READ COMMITTED only', format('This transaction is %s.', upper(current_setting('transaction_isolation'))),
                           format('Use CALL mesflow.%I() outside of a transaction.', $1));
  END IF;
  PERFORM FROM mesflow._duties d WHERE d.name = $1 FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    RETURN true;
  ELSIF NOT EXISTS (SELECT FROM mesflow._duties d WHERE d.name = $1) THEN
    PERFORM mesflow._raise('MF404', 'no such duty', format('The duty is "%s".', coalesce($1, 'NULL')), 'See mesflow.housekeeping.');
  END IF;
  RETURN false;
END
$$;
COMMENT ON FUNCTION _take_duty(text) IS
  'Holds the duty''s row until the transaction ends; false where somebody else does, and in a copy.';

CREATE FUNCTION _mark_duty(duty text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- The mark that work starts must be durable here, but needs no standby.
  PERFORM set_config('synchronous_commit', 'local', true);
  UPDATE mesflow._duties SET started_at = clock_timestamp(), lives = lives + 1 WHERE name = $1;
END
$$;
COMMENT ON FUNCTION _mark_duty(text) IS 'Marks a duty, whose row the caller holds, as begun.';

CREATE FUNCTION _begin_duty(duty text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._refuse_copy_or_standby();
  IF NOT mesflow._take_duty($1) THEN
    RETURN false;
  END IF;
  PERFORM mesflow._mark_duty($1);
  RETURN true;
END
$$;
COMMENT ON FUNCTION _begin_duty(text) IS 'Begins a run of a duty; false where somebody else is at it. To be committed before the first portion. MF503 on a standby and in a copy.';

CREATE FUNCTION _do_duty(duty text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
DECLARE
  more boolean;
BEGIN
  IF NOT mesflow._take_duty($1) THEN
    RETURN false;
  END IF;
  EXECUTE format('SELECT mesflow.%I()', '_' || $1) INTO more;
  IF more IS NOT TRUE THEN
    UPDATE mesflow._duties SET finished_at = clock_timestamp(), finished_by = mesflow._duty_runner(), lives = 0, failures = 0, error = NULL, error_at = NULL
     WHERE name = $1;
  END IF;
  RETURN more IS TRUE;
END
$$;
COMMENT ON FUNCTION _do_duty(text) IS 'One portion of a duty that has begun; true where there is more. After the last one the run has ended. Waits for no lock longer than half a second.';

CREATE FUNCTION _duty_failed(duty text, error text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
BEGIN
  IF mesflow._take_duty($1) THEN
    UPDATE mesflow._duties SET lives = 0, failures = failures + 1, error = left($2, 1000), error_at = clock_timestamp() WHERE name = $1;
  END IF;
END
$$;
COMMENT ON FUNCTION _duty_failed(text, text) IS 'Ends a run of a duty by an error in one of its portions, which left no trace.';

CREATE FUNCTION _try_duty(duty text, OUT more boolean, OUT code text, OUT message text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  more := mesflow._do_duty($1);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  detail := coalesce(nullif(detail, ''), format('It happened in a portion of %s.', $1));
  hint := coalesce(nullif(hint, ''), 'It is tried again by itself; see mesflow.housekeeping.');
  PERFORM mesflow._duty_failed($1, concat_ws(' ', message || ':', detail));
END
$$;
COMMENT ON FUNCTION _try_duty(text) IS '_do_duty for a procedure: an error is recorded, to be committed, and told, to be raised after that.';

-- It commits, so it has no search path of its own and names everything in full; it uses no operator.
CREATE PROCEDURE _run_duty(duty pg_catalog.text)
LANGUAGE plpgsql
AS $$
DECLARE
  portion pg_catalog.record;
BEGIN
  COMMIT;                               -- fails inside of somebody's transaction, before anything is done
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  IF NOT mesflow._begin_duty(duty) THEN
    RETURN;
  END IF;
  LOOP
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    portion := mesflow._try_duty(duty);
    EXIT WHEN portion.more IS NOT TRUE;
  END LOOP;
  COMMIT;
  IF portion.code IS NOT NULL THEN
    PERFORM mesflow._raise(portion.code, portion.message, portion.detail, portion.hint);
  END IF;
END
$$;
COMMENT ON PROCEDURE _run_duty(text) IS 'Does a duty, each portion in a transaction of its own; at once nothing where somebody else is at it.';

DO $$
DECLARE
  duty record;
BEGIN
  FOR duty IN SELECT d.name, d.what FROM mesflow._duties d LOOP
    EXECUTE format('CREATE PROCEDURE mesflow.%I() LANGUAGE plpgsql AS %L', duty.name,
                   format('BEGIN CALL mesflow._run_duty(%L); END', duty.name));
    EXECUTE format('COMMENT ON PROCEDURE mesflow.%I() IS %L', duty.name,
                   format('%s%s. Commits between portions, so not inside a transaction; does nothing while somebody else is at it. pg_cron or the housekeeping worker call it, see mesflow.housekeeping. MF503 on a standby and in a copy.',
                          upper(left(duty.what, 1)), substr(duty.what, 2)));
  END LOOP;
END
$$;

CREATE FUNCTION _next_duty(OUT copy boolean, OUT duty text) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  copy := mesflow._is_copy();
  IF copy THEN
    RETURN;
  END IF;
  -- What ended the worker last time comes last, so that it does not keep the others from being done.
  SELECT d.name INTO duty FROM mesflow._duties d
   WHERE mesflow._duty_due_at(d) <= clock_timestamp()
   ORDER BY d.lives, mesflow._duty_due_at(d), d.name LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    PERFORM mesflow._mark_duty(duty);
  END IF;
END
$$;
COMMENT ON FUNCTION _next_duty() IS 'For the housekeeping worker: a duty that nobody has done in time, marked as begun; NULL where there is none, or where this is a copy.';

-- Seeing -------------------------------------------------------------------------------------------------------------

CREATE VIEW housekeeping AS
  SELECT d.name, d.what, d.every, d.started_at, d.finished_at, d.finished_by, d.lives AS unfinished, d.failures, d.error, d.error_at, _duty_due_at(d) AS due_at
    FROM _duties d;
COMMENT ON VIEW housekeeping IS 'What is done again and again, when it was done last and by whom. Each row is a procedure: CALL mesflow.keep_jobs().';
COMMENT ON COLUMN housekeeping.name IS 'the duty, and the procedure that does it';
COMMENT ON COLUMN housekeeping.what IS 'what it does';
COMMENT ON COLUMN housekeeping.every IS 'how often it is to be done';
COMMENT ON COLUMN housekeeping.started_at IS 'when it was begun last';
COMMENT ON COLUMN housekeeping.finished_at IS 'when all of it was done last';
COMMENT ON COLUMN housekeeping.finished_by IS 'by whom: pg_cron, worker (the housekeeping worker of the server), or a login';
COMMENT ON COLUMN housekeeping.unfinished IS 'runs in a row that began and neither ended nor failed: one that is under way, or whose process ended';
COMMENT ON COLUMN housekeeping.failures IS 'runs in a row that ended by an error';
COMMENT ON COLUMN housekeeping.error IS 'the error of the last run, where it had one';
COMMENT ON COLUMN housekeeping.error_at IS 'when that was';
COMMENT ON COLUMN housekeeping.due_at IS 'when the housekeeping worker does it, unless somebody does before';

CREATE FUNCTION _health_housekeeping(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  now constant timestamptz := clock_timestamp();
  turn constant interval := '10 min';   -- one duty may keep the others waiting for so long
  trouble text;
  critical boolean;
BEGIN
  IF pg_is_in_recovery() THEN
    status := 'ok';
    detail := 'A standby has no duties.';
    RETURN;
  ELSIF mesflow._is_copy() THEN
    status := 'warning';
    detail := 'Nothing is deleted in a copy.';
    hint := 'If it shall act for itself: SELECT mesflow.arm(''reason'').';
    RETURN;
  END IF;
  SELECT string_agg(concat(d.name, ' ', d.state, ', last done ', coalesce(to_char(d.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') || ' by ' || d.finished_by, 'never')), '; ' ORDER BY d.name)
           FILTER (WHERE d.state IS NOT NULL),
         bool_or(d.bad),
         string_agg(DISTINCT d.finished_by, ', ')
    INTO trouble, critical, detail
    FROM (SELECT d.name, d.finished_at, d.finished_by,
                 CASE WHEN d.lives > 2 THEN format('was begun %s times and never ended', d.lives)
                      WHEN d.failures > 0 THEN format('failed %s times (%s)', d.failures, d.error)
                      WHEN coalesce(d.finished_at, d.added_at) + 3 * greatest(d.every, turn) < now THEN 'is late' END AS state,
                 d.lives > 2 OR coalesce(d.finished_at, d.added_at) + 24 * greatest(d.every, turn) < now AS bad
            FROM mesflow._duties d) d;
  IF trouble IS NULL THEN
    status := 'ok';
    detail := CASE WHEN detail IS NULL THEN 'Nothing has been due yet.' ELSE format('All duties are done in time, by %s.', detail) END;
  ELSE
    status := CASE WHEN critical THEN 'critical' ELSE 'warning' END;
    detail := trouble || '.';
    hint := 'See mesflow.housekeeping, mesflow.worker_status, the server''s log and, where pg_cron runs the duties, cron.job_run_details.';
  END IF;
END
$$;
COMMENT ON FUNCTION _health_housekeeping() IS 'The row of health() about duties: which are late or fail, and who did them last.';
