-- Duties: done by hand, what they remove and what they leave, who may, and what is said where they fail.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT name, every, schedule FROM mesflow._duties ORDER BY name;
SELECT name, finished_at IS NULL AS never_done, due_at <= clock_timestamp() AS due FROM mesflow.housekeeping ORDER BY name;
SELECT status, detail FROM mesflow.health() WHERE check_name = 'housekeeping';
-- Each is a procedure of that name, and a function that does a portion.
SELECT d.name FROM mesflow._duties d
 WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'mesflow'::regnamespace AND p.proname = d.name AND p.prokind = 'p')
    OR NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'mesflow'::regnamespace AND p.proname = '_' || d.name AND p.prorettype = 'boolean'::regtype);
SELECT obj_description('mesflow.keep_jobs'::regproc);

-- The slots of a ring that may be emptied: those after today's, in the order in which their days come.
SELECT keep, array_agg(s.slot ORDER BY s.at) AS slots
  FROM unnest('{0,1 h,7 days,29 days 13 hours,30 days,31 days,1 year}'::interval[]) keep
  LEFT JOIN LATERAL mesflow._ring_slots_to_clear(keep, '2026-01-10 12:00+00') WITH ORDINALITY AS s (slot, at) ON true
 GROUP BY keep ORDER BY keep;
SELECT mesflow._ring_slot('2026-01-10 12:00+00') AS today, mesflow._ring_slot('2026-01-03 12:00+00') AS a_week_ago;
-- Never one that holds a moment to be kept, and tomorrow's always, whatever the hour.
SELECT count(*) FILTER (WHERE s.slot IN (SELECT mesflow._ring_slot(t) FROM generate_series(now - keep, now, '1 hour') t)) AS kept_lost,
       count(DISTINCT (now, keep)) FILTER (WHERE s.slot = mesflow._ring_slot(now + interval '1 day')) AS tomorrows, count(DISTINCT (now, keep)) AS cases
  FROM generate_series('2026-02-27 00:00+00', '2026-03-02 23:59+00', interval '5 h 17 min') now,
       generate_series(60, 43200, 719) minutes, LATERAL (SELECT minutes * interval '1 min' AS keep) k, LATERAL mesflow._ring_slots_to_clear(keep, now) s (slot);

-- Planted: jobs and batches that ended on each of the last days. What is out of mesflow.jobs_retention goes, a day of grace at most.
SHOW mesflow.jobs_retention;
CREATE FUNCTION test.plant() RETURNS void LANGUAGE sql AS $$
  INSERT INTO mesflow._jobs_done (vt, id, kind, partner, model, sha256, unit, size_bytes, memory_mb, cost_ms, attempt, lives, boosted, queued_at, slot, state, finished_at)
    SELECT 0, nextval('mesflow._job_ids'), 'measure', 'shop', gen_random_uuid(), '', '', 1, 64, 1, 1, 0, false, at, mesflow._ring_slot(at), 'done', at
      FROM generate_series(0, 31) n, LATERAL (SELECT clock_timestamp() - n * interval '1 day' AS at) t WHERE n <> 7;
  INSERT INTO mesflow._batches_done (id, kind, partner, last_quote, total, done, left_alone, waits, attempt, lives, due, ran_at, queued_at, slot, state, finished_at)
    SELECT nextval('mesflow._job_ids'), 'reprice', 'shop', gen_random_uuid(), 1, 1, 0, false, 0, 0, at, at, at, mesflow._ring_slot(at), 'done', at
      FROM generate_series(0, 31) n, LATERAL (SELECT clock_timestamp() - n * interval '1 day' AS at) t WHERE n <> 7;
$$;
CREATE VIEW test.ended AS
  SELECT 'jobs' AS what, count(*) FILTER (WHERE finished_at > now() - interval '7 days') AS young, count(*) FILTER (WHERE finished_at <= now() - interval '7 days') AS old FROM mesflow._jobs_done
  UNION ALL
  SELECT 'batches', count(*) FILTER (WHERE finished_at > now() - interval '7 days'), count(*) FILTER (WHERE finished_at <= now() - interval '7 days') FROM mesflow._batches_done;
SELECT test.plant();
SELECT * FROM test.ended;
SELECT mesflow._keep_jobs() AS more;
SELECT sum(old) AS one_partition_less FROM test.ended;
CALL mesflow.keep_jobs();
SELECT * FROM test.ended;
SELECT count(*) AS shown FROM mesflow.price_jobs WHERE state = 'done';
SELECT count(*) AS with_pages FROM pg_class c WHERE c.relnamespace = 'mesflow'::regnamespace AND c.relname ~ '^_(jobs|batches)_done_\d\d$' AND pg_relation_size(c.oid) > 0;
SELECT name, started_at <= finished_at AS done, finished_by = session_user AS by_me, unfinished, failures, error, due_at - finished_at AS worker_after FROM mesflow.housekeeping WHERE name = 'keep_jobs';
SELECT finished_at AS before FROM mesflow.housekeeping WHERE name = 'keep_jobs' \gset
CALL mesflow.keep_jobs();
SELECT finished_at > :'before' AS again, (SELECT sum(young) FROM test.ended) AS young FROM mesflow.housekeeping WHERE name = 'keep_jobs';

-- The other duties.
SELECT test.measured('old.stl', test.box(1, 1, 1)) AS old, test.measured('young.stl', test.box(1, 1, 1)) AS young \gset
SELECT mesflow.request_quote(:'young', 'pla', 'fdm') AS quote \gset
SELECT mesflow.preflight_quotes(:'young', '{pla}', '{fdm}', '{1,2,3}') AS job \gset
SELECT test.run_batches() > 0 AS ran;
SELECT mesflow.begin_upload('a.stl', 1) AS begun, mesflow.begin_upload('b.stl', 1) AS forgotten \gset
UPDATE mesflow._models SET used_at = used_at - interval '91 days' WHERE id = :'old';
UPDATE mesflow._identity SET recorded_at = recorded_at - interval '2 days';
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE preflight AND quantity < 3;
UPDATE mesflow._uploads SET begun_at = begun_at - interval '25 h' WHERE id = :'forgotten';
CREATE VIEW test.kept AS
  SELECT (SELECT count(*) FROM mesflow._models WHERE content IS NOT NULL) AS models, (SELECT count(*) FROM mesflow._quotes WHERE preflight) AS preflights,
         (SELECT count(*) FROM mesflow._quotes WHERE NOT preflight) AS quotes, (SELECT count(*) FROM mesflow._uploads) AS uploads;
SELECT * FROM test.kept;
SELECT mesflow._sweep_jobs() AS moved;
SELECT * FROM test.kept;
CALL mesflow.keep_models();
CALL mesflow.keep_preflights();
CALL mesflow.keep_uploads();
SELECT * FROM test.kept;
SELECT deleted_by, deletion_reason FROM mesflow.models WHERE id = :'old';
SELECT status, detail = format('All duties are done in time, by %s.', session_user) AS by_me, hint FROM mesflow.health() WHERE check_name = 'housekeeping';

-- Claims that nobody started, and requests of yesterday.
SELECT test.measured('ring.stl', test.box(2, 2, 2)) AS ring \gset
CREATE TABLE test.rings AS SELECT mesflow.submit_order('shop', 'RING ' || n, jsonb_build_array(jsonb_build_object('model', :'ring', 'material', 'pla', 'process', 'fdm'))) AS id FROM generate_series(1, 4) n;
SELECT count(*) AS approved FROM test.rings r, mesflow.advance_order(r.id, 'approved');
SELECT count(*) AS claimed FROM mesflow.claim_work('anna', NULL, 1, '00000000-0000-4000-8000-000000000001');
SELECT count(*) AS claimed FROM mesflow.claim_work('anna', NULL, 2, '00000000-0000-4000-8000-000000000002');
SELECT s.state FROM mesflow._work_requests r, mesflow.start_work(r.work[1], 'anna') s WHERE r.request = '00000000-0000-4000-8000-000000000001';
SELECT status, detail, hint FROM mesflow.health() WHERE check_name = 'floor';
UPDATE mesflow._work_requests SET at = clock_timestamp() - interval '25 h' WHERE request = '00000000-0000-4000-8000-000000000001';
UPDATE mesflow._work_orders SET lease_until = clock_timestamp() - interval '11 min' WHERE id = (SELECT r.work[2] FROM mesflow._work_requests r WHERE cardinality(r.work) = 2);
SELECT status, regexp_replace(detail, 'since .*', 'since <time>.') AS detail, hint FROM mesflow.health() WHERE check_name = 'floor';
CALL mesflow.keep_claims();
SELECT status, detail FROM mesflow.health() WHERE check_name = 'floor';
SELECT w.state, w.operator, count(*) FROM mesflow._work_orders w WHERE w.state <> 'planned' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT request FROM mesflow._work_requests;
SELECT actor, note FROM mesflow.outbox WHERE type = 'work.released';

-- Not inside a transaction, whatever the session's isolation is, and whatever its search_path leads to.
\set VERBOSITY terse
BEGIN;
CALL mesflow.keep_jobs();
ROLLBACK;
DO $$ BEGIN PERFORM mesflow._begin_duty('no_such'); END $$;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT mesflow._try_duty('keep_models');
SELECT mesflow._begin_duty('keep_models');
ROLLBACK;
SET default_transaction_isolation = 'serializable';
CALL mesflow.keep_models();
RESET default_transaction_isolation;
CREATE SCHEMA evil;
CREATE FUNCTION evil.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'led astray'; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'led astray'; END $$;
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (VALUE OPERATOR(pg_catalog.<>) 'keep_jobs');
SET search_path = evil, pg_catalog;
CALL mesflow.keep_jobs();
CALL mesflow.keep_models();
RESET search_path;
DROP SCHEMA evil CASCADE;

-- An error: nothing of that portion stays, the duty says so, and the others go on.
CREATE TABLE test.source AS SELECT pg_get_functiondef('mesflow._keep_uploads'::regproc) AS definition;
CREATE TABLE test.trace (at timestamptz);
CREATE OR REPLACE FUNCTION mesflow._keep_uploads() RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO test.trace VALUES (clock_timestamp());
  IF (SELECT count(*) FROM test.trace) = 1 THEN
    RETURN true;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MF429', MESSAGE = 'a test', DETAIL = 'Of errors.';
END
$$;
\set VERBOSITY default
CALL mesflow.keep_uploads();
\echo :LAST_ERROR_SQLSTATE
CALL mesflow.keep_jobs();
SELECT count(*) AS first_portion FROM test.trace;
SELECT name, failures, error, error_at > finished_at AS failed_since, unfinished, due_at > clock_timestamp() + interval '5 s' AS not_at_once FROM mesflow.housekeeping WHERE failures > 0;
SELECT status, regexp_replace(detail, '\d{4}-.*', '...') AS detail, hint FROM mesflow.health() WHERE check_name = 'housekeeping';
SELECT duty FROM mesflow._next_duty();
UPDATE mesflow._duties SET finished_at = finished_at - interval '3 h', error_at = error_at - interval '3 h', started_at = started_at - interval '3 h';
-- What failed is tried again later each time, by the worker: 1, 2, 4 ... minutes, a day at most.
SELECT n AS failures, mesflow._duty_due_at(jsonb_populate_record(d, jsonb_build_object('failures', n, 'started_at', d.error_at, 'finished_at', d.error_at - interval '1 h'))) - d.error_at AS after
  FROM mesflow._duties d, unnest('{1,2,3,8,11,12,100}'::integer[]) n WHERE d.name = 'keep_uploads' ORDER BY n;
SELECT n AS unfinished, greatest(mesflow._duty_due_at(jsonb_populate_record(d, jsonb_build_object('failures', 0, 'lives', n, 'error_at', NULL, 'finished_at', d.started_at - interval '1 h'))) - d.started_at, interval '0') AS after
  FROM mesflow._duties d, generate_series(0, 3) n WHERE d.name = 'keep_uploads' ORDER BY n;
-- The worker takes what is due, what did not end last time last; each is marked.
UPDATE mesflow._duties SET lives = 1, finished_at = finished_at - interval '1 day' WHERE name = 'keep_jobs';
UPDATE mesflow._duties SET finished_at = finished_at - (SELECT count(*) FROM mesflow._duties e WHERE e.name > _duties.name) * interval '1 min';
SELECT duty FROM mesflow._next_duty();
SELECT duty FROM mesflow._next_duty();
SELECT duty FROM mesflow._next_duty();
SELECT duty FROM mesflow._next_duty();
SELECT duty FROM mesflow._next_duty();
SELECT name, unfinished FROM mesflow.housekeeping ORDER BY name;
UPDATE mesflow._duties SET lives = 3 WHERE name = 'keep_jobs';
SELECT status, detail LIKE '%keep_jobs was begun 3 times and never ended, last done %' AS begun FROM mesflow.health() WHERE check_name = 'housekeeping';
SELECT definition AS restore FROM test.source \gset
SELECT format('%s', :'restore') \gexec
CALL mesflow.keep_uploads();
SELECT failures, error, unfinished FROM mesflow.housekeeping WHERE name = 'keep_uploads';
UPDATE mesflow._duties SET lives = 0, finished_at = clock_timestamp() - 4 * every, finished_by = 'pg_cron' WHERE name = 'keep_models';
UPDATE mesflow._duties SET lives = 0, finished_at = clock_timestamp() WHERE name <> 'keep_models';
SELECT status, detail ~ '^keep_models is late, last done \d{4}-.* by pg_cron.$' AS late FROM mesflow.health() WHERE check_name = 'housekeeping';
UPDATE mesflow._duties SET finished_at = clock_timestamp() - 25 * every WHERE name = 'keep_models';
SELECT status FROM mesflow.health() WHERE check_name = 'housekeeping';

-- mesflow_admin may, and needs no right on a table; others may not.
SELECT test.plant();
SET ROLE mesflow_admin;
CALL mesflow.keep_jobs();
SELECT name, failures FROM mesflow.housekeeping WHERE name = 'keep_jobs';
RESET ROLE;
SELECT sum(old) AS old FROM test.ended;
\set VERBOSITY terse
SET ROLE mesflow_manager;
CALL mesflow.keep_jobs();
CALL mesflow._run_duty('keep_jobs');
SELECT * FROM mesflow.housekeeping;
SELECT mesflow.schedule_housekeeping();
RESET ROLE;
SET ROLE mesflow_monitor;
SELECT count(*) AS duties FROM mesflow.housekeeping;
CALL mesflow.keep_jobs();
RESET ROLE;
\set VERBOSITY default

-- A copy deletes nothing until it is armed.
SELECT test.plant();
UPDATE mesflow._identity SET system_identifier = system_identifier + 1;
CALL mesflow.keep_jobs();
\echo :LAST_ERROR_SQLSTATE
SELECT mesflow.schedule_housekeeping();
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM mesflow._next_duty();
SELECT status FROM mesflow.health() WHERE check_name = 'housekeeping';
SELECT sum(old) AS old, sum(young) AS young FROM test.ended;
SELECT mesflow.arm('a test');
CALL mesflow.keep_jobs();
SELECT sum(old) AS old, sum(young) AS young FROM test.ended;

-- Without pg_cron.
SELECT mesflow.schedule_housekeeping();
\echo :LAST_ERROR_SQLSTATE
SELECT mesflow.unschedule_housekeeping();
