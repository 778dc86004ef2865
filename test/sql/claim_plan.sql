-- The queue's statements go by index whatever the statistics say.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null
SELECT mesflow.upload_model('model', 'model.stl') AS model \gset

-- Statistics of an empty queue; then ten thousand jobs come, each about other bytes.
SELECT test.claim('node');
SELECT test.complete('node', 'model.stl', test.box(1, 1, 1));
VACUUM ANALYZE mesflow._jobs_waiting, mesflow._jobs_running, mesflow._jobs_aside;
INSERT INTO mesflow._jobs_waiting (id, kind, partner, model, sha256, unit, size_bytes, memory_mb, cost_ms)
  SELECT nextval('mesflow._job_ids'), 'measure', 'shop', :'model', sha256(convert_to('other ' || n, 'UTF8')), '', 1, 68, 1 FROM generate_series(1, 10000) n;
SELECT reltuples FROM pg_class WHERE oid = 'mesflow._jobs_waiting'::regclass;

-- The statement that looks for the next job, as it stands in claim_jobs, under the settings that claim_jobs pins.
CREATE FUNCTION test.plan_of_claim() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  source text := (SELECT prosrc FROM pg_proc WHERE oid = 'mesflow.claim_jobs'::regproc);
  pinned text[] := (SELECT proconfig FROM pg_proc WHERE oid = 'mesflow.claim_jobs'::regproc);
  core text;
BEGIN
  core := substring(source FROM 'SELECT \* INTO j (FROM mesflow\._jobs_waiting w.*?SKIP LOCKED);');
  core := replace(replace(replace(core, 'reached_vt', '$1'), 'reached_id', '$2'), '$4', '$3');
  EXECUTE 'PREPARE claim (float8, bigint, integer) AS SELECT * ' || core;
  FOR i IN 1 .. cardinality(pinned) LOOP
    PERFORM set_config(split_part(pinned[i], '=', 1), split_part(pinned[i], '=', 2), true);
  END LOOP;
  RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE claim (''-Infinity'', 0, NULL)';
  DEALLOCATE claim;
END
$$;
SELECT test.plan_of_claim();
ANALYZE mesflow._jobs_waiting;
SELECT test.plan_of_claim();

-- And what a claim really reads: one entry of the queue for each job, no table as a whole.
CREATE TABLE test.counts (what text, scans bigint, entries bigint);
CREATE FUNCTION test.count() RETURNS void LANGUAGE sql AS $$
  INSERT INTO test.counts
    SELECT c.relname, pg_stat_get_xact_numscans(c.oid), pg_stat_get_xact_tuples_returned(c.oid)
      FROM pg_class c WHERE c.relname IN ('_jobs_waiting', '_jobs_waiting_pkey', '_jobs_waiting_id_idx', '_jobs_running', '_jobs_running_sha256_unit_idx', '_measurements')
$$;
CREATE FUNCTION test.read() RETURNS TABLE (what text, scans bigint, entries bigint) LANGUAGE sql AS $$
  SELECT what, max(scans) - min(scans), max(entries) - min(entries) FROM test.counts GROUP BY 1 ORDER BY 1
$$;
SELECT node, encode(secret, 'hex') AS secret FROM test.nodes WHERE name = 'node' \gset
SELECT mesflow._claim_reached(0, 0, true, false);
BEGIN;
SELECT test.count();
SELECT count(*) FROM mesflow.claim_jobs(:node, decode(:'secret', 'hex'), 10);
SELECT test.count();
SELECT what, scans = 0 AS no_whole_table FROM test.read() WHERE what IN ('_jobs_waiting', '_jobs_running', '_measurements');
SELECT what, scans <= 20 AS few_scans, entries <= 20 AS few_entries FROM test.read() WHERE what NOT IN ('_jobs_waiting', '_jobs_running', '_measurements');
COMMIT;
-- A session that has claimed goes on where it was, past what it left dead.  Its mark is good for a second, so on a
-- slow machine some claims start from the beginning; most do not.
CREATE FUNCTION test.fewest(node integer, secret bytea, OUT entries bigint) LANGUAGE plpgsql AS $$
DECLARE
  before bigint;
BEGIN
  FOR i IN 1 .. 20 LOOP
    before := pg_stat_get_xact_tuples_returned('mesflow._jobs_waiting_pkey'::regclass);
    PERFORM mesflow.claim_jobs($1, $2, 5);
    entries := least(entries, pg_stat_get_xact_tuples_returned('mesflow._jobs_waiting_pkey'::regclass) - before);
  END LOOP;
END
$$;
SELECT f.entries BETWEEN 5 AND 6 AS one_for_each FROM test.fewest(:node, decode(:'secret', 'hex')) f;
-- The place of one job is found without counting all that wait.
TRUNCATE test.counts;
BEGIN;
SELECT max(id) AS last FROM mesflow._jobs_waiting \gset
SELECT test.count();
SELECT queue_position FROM mesflow.price_jobs WHERE id = :last;
SELECT test.count();
SELECT what, entries < 1200 AS few_entries FROM test.read() WHERE what = '_jobs_waiting_pkey';
COMMIT;
