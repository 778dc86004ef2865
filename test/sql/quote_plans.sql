-- What request_quote reads: by index, whatever the statistics say; what is there now; and what is there after all of it was made anew.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
CREATE FUNCTION test.measured(name text) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mesflow._record_measurement(sha256(convert_to(name, 'UTF8')), '', test.box(10, 10, 10));
  RETURN mesflow.upload_model(convert_to(name, 'UTF8'), name);
END
$$;
SELECT test.measured('first') AS first \gset
SELECT mesflow.upload_model('waits', 'waits') AS waits \gset

-- Plans that are kept from when the tables were all but empty.
VACUUM ANALYZE mesflow._models, mesflow._measurements, mesflow._quotes;
SELECT count(mesflow.request_quote(m, 'pla', 'fdm')) FROM unnest(ARRAY[:'first', :'waits']::uuid[]) m;
INSERT INTO mesflow._models (partner, filename, unit, sha256, size_bytes, content, correlation_id)
  SELECT 'shop', n, '', sha256(convert_to('other ' || n, 'UTF8')), 1, m.content, gen_random_uuid() FROM mesflow._models m, generate_series(1, 2000) n WHERE m.filename = 'waits';
INSERT INTO mesflow._measurements (sha256, unit, engine_version, error_code, error)
  SELECT m.sha256, '', 1, 'empty', 'The file is empty.' FROM mesflow._models m WHERE m.filename NOT IN ('first', 'waits');
INSERT INTO mesflow.price_lists (code, currency, family) SELECT 'draft ' || n, 'EUR', 'draft ' || n FROM generate_series(1, 500) n;

CREATE TABLE test.counts (what text, scans bigint, entries bigint);
CREATE FUNCTION test.count() RETURNS void LANGUAGE sql AS $$
  INSERT INTO test.counts
    SELECT c.relname, pg_stat_get_xact_numscans(c.oid), pg_stat_get_xact_tuples_returned(c.oid)
      FROM pg_class c WHERE c.relnamespace = 'mesflow'::regnamespace
       AND (c.relkind = 'r' AND c.relname IN ('_models', '_measurements', '_quotes', 'price_lists', 'materials', 'processes', 'partners')
            OR c.relkind = 'i' AND c.relname ~ '^(_models|_measurements|_quotes|price_lists)_')
$$;
CREATE FUNCTION test.read() RETURNS TABLE (what text, scans bigint, entries bigint) LANGUAGE sql AS $$
  SELECT what, max(scans) - min(scans), max(entries) - min(entries) FROM test.counts GROUP BY 1 HAVING max(scans) > min(scans) ORDER BY 1
$$;
CREATE FUNCTION test.ten(model uuid) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(mesflow.request_quote(model, 'pla', 'fdm', n)) FROM generate_series(1, 10) n
$$;
BEGIN;
SELECT test.count();
SELECT test.ten(:'first');
SELECT test.count();
SELECT * FROM test.read();
-- An empty schema for temporary tables comes to be, and plans are made again.
CREATE TEMPORARY TABLE t ();
SAVEPOINT s;
TRUNCATE test.counts;
SELECT test.count();
SELECT test.ten(:'first');
SELECT test.count();
SELECT * FROM test.read();
ROLLBACK TO s;
TRUNCATE test.counts;
SELECT test.count();
SELECT test.ten(:'first');
SELECT test.count();
SELECT * FROM test.read();
COMMIT;
-- A session's own settings neither help nor hinder.
SET plan_cache_mode = force_custom_plan;
SELECT test.ten(:'first');
SET enable_indexscan = off;
SET enable_nestloop = off;
SELECT test.ten(:'first');
RESET plan_cache_mode;
RESET enable_indexscan;
RESET enable_nestloop;
SELECT current_setting('enable_seqscan') AS seqscan, current_setting('enable_hashjoin') AS hashjoin;

-- Each quote of a statement sees what has come before it.
SELECT mesflow.request_quote(:'first', 'pla', 'fdm') AS before, mesflow.revise_price_list('[{"name": "setup", "value": 20}]', 'dearer') AS list,
       mesflow.request_quote(:'first', 'pla', 'fdm') AS after \gset
SELECT q.price_list FROM mesflow.quotes q WHERE q.id IN (:'before', :'after') ORDER BY q.id;
-- Not so where a transaction sees one state of things.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT test.ten(:'first'), test.ten(:'waits');
COMMIT;
SELECT state, count(*) FROM mesflow._quotes GROUP BY 1 ORDER BY 1;
BEGIN READ ONLY;
SELECT * FROM test.error(format('SELECT mesflow.request_quote(%L, ''pla'', ''fdm'')', :'first'));
COMMIT;

-- The session's plans are of tables that are gone.
\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION mesflow CASCADE;
DROP SCHEMA test CASCADE;
CREATE EXTENSION mesflow;
\i :common
SELECT mesflow.upload_model('anew', 'anew') AS anew \gset
SELECT mesflow._record_measurement(sha256('anew'), '', test.box(10, 10, 10));
SELECT mesflow.request_quote(:'anew', 'pla', 'fdm') AS quote \gset
SELECT q.state, q.total = e.total AS as_estimated FROM mesflow.quotes q, mesflow.estimate(:'anew', 'pla', 'fdm') e WHERE q.id = :'quote';
