-- What verify_jobs finds: each problem that it knows, planted, and nothing else.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null
CREATE FUNCTION test.finds(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  found_problems text[];
  moved bigint;
BEGIN
  BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS moved = ROW_COUNT;
    found_problems := ARRAY(SELECT DISTINCT v.problem FROM mesflow.verify_jobs() v ORDER BY 1);
    IF moved = 0 THEN
      found_problems := '{nothing planted}';
    END IF;
    RAISE SQLSTATE 'MF999';
  EXCEPTION WHEN SQLSTATE 'MF999' THEN
    RETURN QUERY SELECT unnest(found_problems);
  END;
END
$$;
SELECT mesflow.upload_model('pending', 'pending') AS model \gset
SELECT mesflow.request_quote(:'model', 'pla', 'fdm', 2) AS quote \gset
SELECT mesflow.upload_model('other', 'other') AS other \gset
SELECT mesflow.upload_model('done', 'done') AS done \gset
SELECT test.claim('node');
SELECT test.complete('node', 'done', test.box(1, 1, 1));
SELECT label, place, follows FROM test.jobs;
SELECT count(*) AS sound FROM mesflow.verify_jobs();
SELECT test.finds($$INSERT INTO mesflow._jobs_waiting SELECT (mesflow._as_waiting(r)).* FROM mesflow._jobs_running r WHERE id = test.job('other')$$);
SELECT test.finds($$DELETE FROM mesflow._jobs_aside WHERE id = test.job('pending x 2')$$);
SELECT test.finds($$UPDATE mesflow._jobs_aside SET quote = gen_random_uuid() WHERE id = test.job('pending x 2')$$);
SELECT test.finds($$UPDATE mesflow._quotes SET state = 'cancelled' WHERE id = (SELECT quote FROM mesflow._jobs_aside WHERE id = test.job('pending x 2'))$$);
SELECT test.finds($$DELETE FROM mesflow._jobs_running WHERE id = test.job('other')$$);
SELECT test.finds($$UPDATE mesflow._jobs_running SET sha256 = sha256('pending') WHERE id = test.job('other')$$);
SELECT test.finds($$UPDATE mesflow._jobs_running SET node = 987654321, started_at = started_at - interval '2 min' WHERE id = test.job('other')$$);
SELECT test.finds($$UPDATE mesflow._jobs_running SET node = 987654321 WHERE id = test.job('other')$$) AS not_for_a_minute;
SELECT test.finds($$UPDATE mesflow._jobs_aside SET leader = 987654321 WHERE id = test.job('pending x 2')$$);
SELECT test.finds($$UPDATE mesflow._jobs_running SET model = gen_random_uuid() WHERE id = test.job('other')$$);
SELECT test.finds($$DELETE FROM mesflow._measurements WHERE sha256 = sha256('done')$$);
SELECT count(*) AS sound FROM mesflow.verify_jobs();
