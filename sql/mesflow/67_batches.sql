-- Batches: background pricing that needs no geometry program. The pricing worker runs them in portions, each in a
-- transaction of its own, in turn: the one that ran longest ago comes next.

CREATE TYPE _batch_pair AS (
  material text,
  process text,
  process_version integer,
  scales float8[]
);
COMMENT ON TYPE _batch_pair IS 'A material and a process that go together, and the scales that the process takes; in which version it said so.';

CREATE TABLE _batches (
  id bigint PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('preflight', 'reprice')),
  partner text NOT NULL,
  model uuid CHECK ((model IS NULL) = (kind = 'reprice')),
  pairs _batch_pair[],
  quantities integer[],
  price_list text,
  reached uuid,
  last_quote uuid,
  total bigint NOT NULL CHECK (total > 0),
  done bigint NOT NULL DEFAULT 0 CHECK (done BETWEEN 0 AND total),
  left_alone bigint NOT NULL DEFAULT 0,
  waits boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 0,
  lives integer NOT NULL DEFAULT 0,
  due timestamptz NOT NULL DEFAULT '-infinity',
  ran_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  error_code text,
  error text,
  queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX ON _batches (ran_at, id) WHERE NOT waits;
CREATE INDEX ON _batches (id) WHERE waits;
COMMENT ON TABLE _batches IS
  'Jobs of kind preflight (pairs, with each of quantities) and reprice (the quotes after reached, up to last_quote, by price_list), numbered like all jobs. done counts what has been looked at of total, left_alone the quotes that no longer can be priced; waits: for the measurement. lives is the durable mark that a portion has begun: it counts how many in a row did not end; attempt counts errors in a row, due puts off the next try.';
CREATE TRIGGER wake AFTER INSERT ON _batches FOR EACH STATEMENT EXECUTE FUNCTION _wake_trigger('pricing');

CREATE TABLE _batches_done (
  LIKE _batches,
  slot smallint NOT NULL,
  state text NOT NULL CHECK (state IN ('done', 'failed', 'cancelled')),
  finished_at timestamptz NOT NULL,
  PRIMARY KEY (id, slot)
) PARTITION BY LIST (slot);
COMMENT ON TABLE _batches_done IS 'Batches that ended: a ring of 32 days.';
DO $$
BEGIN
  FOR slot IN 0..31 LOOP
    EXECUTE format('CREATE TABLE mesflow._batches_done_%s PARTITION OF mesflow._batches_done FOR VALUES IN (%s)',
                   lpad(slot::text, 2, '0'), slot);
    EXECUTE format('COMMENT ON TABLE mesflow._batches_done_%s IS ''Batches that ended on days of slot %s.''',
                   lpad(slot::text, 2, '0'), slot);
  END LOOP;
END
$$;

CREATE FUNCTION _end_batch(b _batches, state text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  now constant timestamptz := clock_timestamp();
BEGIN
  IF $2 = 'done' THEN                   -- the others may be retried
    b.pairs := NULL;
    b.quantities := NULL;
  END IF;
  DELETE FROM mesflow._batches d WHERE d.id = b.id;
  INSERT INTO mesflow._batches_done SELECT b.*, mesflow._ring_slot(now), $2, now;
  PERFORM mesflow._announce();
END
$$;
COMMENT ON FUNCTION _end_batch(_batches, text) IS 'Files a batch, as it is passed, under those that ended.';

-- What the worker calls: _next_batch, then _run_batch, and _batch_failed where that raised an error -------------------

CREATE FUNCTION _next_batch() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  portion constant integer := 100;
  too_many constant integer := 5;
  now constant timestamptz := clock_timestamp();
  b mesflow._batches;
BEGIN
  -- What waited for a measurement and has it, or never will.
  UPDATE mesflow._batches SET waits = false
   WHERE waits AND id IN (SELECT w.id FROM mesflow._batches w JOIN mesflow._models m ON m.id = w.model
                           WHERE w.waits AND (m.measure_cancelled OR m.content IS NULL
                                              OR EXISTS (SELECT FROM mesflow._measurements r WHERE r.sha256 = m.sha256 AND r.unit = m.unit))
                           ORDER BY w.id LIMIT portion FOR UPDATE OF w SKIP LOCKED);
  LOOP
    SELECT * INTO b FROM mesflow._batches w
     WHERE NOT w.waits AND w.due <= now
     ORDER BY w.ran_at, w.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    -- A copy prices nothing, also while a restore is still under way.
    IF NOT FOUND OR mesflow._is_copy() THEN
      RETURN NULL;
    END IF;
    EXIT WHEN b.lives < too_many;
    b.error_code := 'crashed';
    b.error := format('The server process that worked on this job ended %s times.', b.lives);
    PERFORM mesflow._end_batch(b, 'failed');
  END LOOP;
  -- The mark that work starts must be durable here, but needs no standby.
  PERFORM set_config('synchronous_commit', 'local', true);
  UPDATE mesflow._batches SET lives = lives + 1, ran_at = clock_timestamp(), started_at = coalesce(started_at, clock_timestamp()) WHERE id = b.id;
  RETURN b.id;
END
$$;
COMMENT ON FUNCTION _next_batch() IS
  'The batch that ran longest ago, marked as begun; NULL where there is none. Ends a batch under which the server process ended five times in a row.';

CREATE FUNCTION _run_batch(batch bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  until constant timestamptz := clock_timestamp() + interval '50 ms';
  b mesflow._batches;
BEGIN
  SELECT * INTO b FROM mesflow._batches w WHERE w.id = $1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;                             -- cancelled, or about to be
  END IF;
  b.lives := 0;
  b.attempt := 0;
  b.error_code := NULL;
  b.error := NULL;
  IF b.kind = 'preflight' THEN
    b := mesflow._run_preflight(b, until);
  ELSE
    b := mesflow._run_reprice(b, until);
  END IF;
  IF b.error_code IS NOT NULL THEN
    PERFORM mesflow._end_batch(b, 'failed');
  ELSIF b.done = b.total THEN
    PERFORM mesflow._end_batch(b, 'done');
  ELSE
    UPDATE mesflow._batches SET reached = b.reached, done = b.done, left_alone = b.left_alone, waits = b.waits, due = b.due, attempt = 0, lives = 0,
           error_code = NULL, error = NULL
     WHERE id = $1;
  END IF;
END
$$;
COMMENT ON FUNCTION _run_batch(bigint) IS 'Does a portion of a batch, bounded by count and by 50 ms of time, and ends it where that was the last. Waits for nobody''s lock.';

CREATE FUNCTION _batch_failed(batch bigint, error text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  tries constant integer := 3;
  b mesflow._batches;
BEGIN
  SELECT * INTO b FROM mesflow._batches w WHERE w.id = $1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  b.lives := 0;
  b.attempt := b.attempt + 1;
  b.error_code := 'internal_error';
  b.error := left($2, 1000);
  IF b.attempt >= tries THEN
    PERFORM mesflow._end_batch(b, 'failed');
  ELSE
    UPDATE mesflow._batches SET lives = 0, attempt = b.attempt, error_code = b.error_code, error = b.error,
           due = clock_timestamp() + (1 << b.attempt) * interval '1 s'
     WHERE id = $1;
  END IF;
END
$$;
COMMENT ON FUNCTION _batch_failed(bigint, text) IS 'After an error in a portion, which left no trace: tries again a little later, at most three times in a row.';

-- What people ask of any job ---------------------------------------------------------------------------------------------

CREATE FUNCTION _cancel_batch(job bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  b mesflow._batches;
BEGIN
  SELECT * INTO b FROM mesflow._batches w WHERE w.id = $1 FOR UPDATE;      -- after the portion that runs now
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  b.error_code := NULL;
  b.error := NULL;
  PERFORM mesflow._end_batch(b, 'cancelled');
  RETURN true;
END
$$;
COMMENT ON FUNCTION _cancel_batch(bigint) IS 'cancel_job for a batch: no further portion; what it has made stays. False where there is no such batch, or no more.';

CREATE FUNCTION _retry_batch(job bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  d mesflow._batches_done;
BEGIN
  DELETE FROM mesflow._batches_done e WHERE e.id = $1 AND e.state IN ('failed', 'cancelled') RETURNING e.* INTO d;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO mesflow._batches (id, kind, partner, model, pairs, quantities, price_list, reached, last_quote, total, done, left_alone, waits)
    VALUES (d.id, d.kind, d.partner, d.model, d.pairs, d.quantities, d.price_list, d.reached, d.last_quote, d.total, d.done, d.left_alone,
            d.kind = 'preflight' AND mesflow._wants_measurement(d.model));
  RETURN true;
END
$$;
COMMENT ON FUNCTION _retry_batch(bigint) IS 'retry_job for a batch that failed or was cancelled: it goes on where it stopped. False where there is none.';

CREATE VIEW _batch_jobs AS
  SELECT b.id, b.kind, b.partner, b.model, NULL::uuid AS quote,
         CASE WHEN b.waits OR b.due > clock_timestamp() THEN 'scheduled' WHEN b.started_at IS NULL THEN 'queued' ELSE 'running' END AS state,
         b.attempt, NULL::text AS node, (100 * b.done / b.total)::integer AS percent,
         CASE WHEN b.waits THEN 'waiting for the measurement' ELSE format('%s of %s', b.done, b.total) END AS stage,
         CASE WHEN NOT b.waits AND b.due <= clock_timestamp() AND b.started_at IS NULL
              THEN rank() OVER (PARTITION BY b.waits ORDER BY b.ran_at, b.id) END AS queue_position,
         CASE WHEN b.waits THEN NULL WHEN b.due > clock_timestamp() THEN b.due ELSE coalesce(b.started_at, clock_timestamp()) END AS starts_at,
         CASE WHEN b.done > 0 AND NOT b.waits
              THEN clock_timestamp() + (b.ran_at - b.started_at) * ((b.total - b.done)::float8 / b.done) END AS finishes_at,
         b.queued_at, b.error_code, b.error
    FROM _batches b
  UNION ALL
  SELECT d.id, d.kind, d.partner, d.model, NULL, d.state, d.attempt, NULL, CASE WHEN d.state = 'done' THEN 100 END,
         format('%s of %s', d.done, d.total), NULL, d.started_at, d.finished_at, d.queued_at, d.error_code, d.error
    FROM _batches_done d
   WHERE d.finished_at > clock_timestamp() - current_setting('mesflow.jobs_retention')::interval;
COMMENT ON VIEW _batch_jobs IS 'The batches as rows of price_jobs.';

CREATE FUNCTION _verify_batches() RETURNS TABLE (problem text, detail text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 'job in several places', format('Job %s waits or runs, and has ended.', b.id)
    FROM mesflow._batches b WHERE EXISTS (SELECT FROM mesflow._batches_done d WHERE d.id = b.id)
  UNION ALL
  SELECT 'job in several places', format('Job %s has ended twice.', d.id)
    FROM mesflow._batches_done d GROUP BY d.id HAVING count(*) > 1
  UNION ALL
  SELECT 'job without its model', format('Job %s is about model %s, which is not there.', b.id, b.model)
    FROM mesflow._batches b
   WHERE b.model IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow._models m WHERE m.id = b.model)
  UNION ALL
  SELECT 'job that waits for what is there', format('Job %s waits for the measurement of model %s, which was made a minute ago or more.', b.id, b.model)
    FROM mesflow._batches b JOIN mesflow._models m ON m.id = b.model
   WHERE b.waits AND EXISTS (SELECT FROM mesflow._measurements r WHERE r.sha256 = m.sha256 AND r.unit = m.unit
                                                                  AND r.recorded_at < clock_timestamp() - interval '1 min')
$$;
COMMENT ON FUNCTION _verify_batches() IS 'What verify_jobs finds wrong with batches.';
