-- Jobs by hand: cancelled and retried in every state, and what price_jobs shows.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null

-- One job in each state: waiting, following, running, scheduled, done, failed, cancelled.
CREATE FUNCTION test.in_each_state(round text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY '{scheduled,done,failed,running}'::text[] LOOP
    PERFORM mesflow.upload_model(convert_to(round || name, 'UTF8'), round || name);
  END LOOP;
  PERFORM mesflow.request_quote((SELECT id FROM mesflow.models WHERE filename = round || 'running'), 'pla', 'fdm', 2);
  PERFORM test.claim_all('node');
  PERFORM test.fail('node', round || 'scheduled', 'crashed');
  PERFORM test.complete('node', round || 'done', test.box(1, 1, 1));
  PERFORM test.fail('node', round || 'failed', 'malformed');
  PERFORM mesflow.upload_model(convert_to(round || 'cancelled', 'UTF8'), round || 'cancelled');
  PERFORM mesflow.cancel_job(test.job(round || 'cancelled'));
  PERFORM mesflow.upload_model(convert_to(round || 'waiting', 'UTF8'), round || 'waiting');
END
$$;
SELECT test.in_each_state('c ');
SELECT label, place, follows FROM test.jobs;
SELECT test.label(kind, partner, model, quote) AS job, kind, state, attempt, node, percent, stage, queue_position AS position, error_code AS error,
       starts_at IS NOT NULL AS starts, finishes_at IS NOT NULL AS finishes, starts_at <= finishes_at AS in_order, queued_at IS NOT NULL AS queued
  FROM mesflow.price_jobs ORDER BY id;

-- Cancelled: what has not ended is stopped, once.
SELECT label, place, mesflow.cancel_job(test.job(label)) AS cancelled FROM (SELECT * FROM test.jobs OFFSET 0) j;
SELECT label, place FROM test.jobs;
SELECT count(*) FILTER (WHERE mesflow.cancel_job(test.job(label))) AS again FROM (SELECT * FROM test.jobs OFFSET 0) j;
SELECT state FROM mesflow.quotes;
SELECT * FROM test.beat('node', '{c running}');
SELECT test.complete('node', 'c running', test.box(1, 1, 1)) AS not_accepted;
SELECT filename, state FROM mesflow.models ORDER BY filename;
SELECT * FROM test.error($$SELECT mesflow.cancel_job(987654321)$$);
SELECT * FROM test.error($$SELECT mesflow.cancel_job(NULL)$$);
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- Retried: what failed or was cancelled, once; the others not.
SELECT test.in_each_state('r ');
SELECT label, place, mesflow.retry_job(test.job(label)) AS retried FROM (SELECT * FROM test.jobs WHERE label ~ '^r' OFFSET 0) j;
SELECT label, place, attempt, error_code FROM test.jobs WHERE label ~ '^r';
SELECT count(*) FILTER (WHERE mesflow.retry_job(test.job(label))) AS again FROM (SELECT * FROM test.jobs WHERE label ~ '^r' OFFSET 0) j;
SELECT filename, state, error_code FROM mesflow.models WHERE filename ~ '^r' ORDER BY filename;
SELECT mesflow.retry_job(test.job('c running')), mesflow.retry_job(test.job('c running x 2'));
SELECT state FROM mesflow.quotes WHERE model = (SELECT id FROM mesflow.models WHERE filename = 'c running');
SELECT test.pass_time(), mesflow._sweep_jobs() AS moved;
SELECT test.claim('node');
SELECT test.complete('node', 'c running', test.box(10, 10, 10)), test.complete('node', 'r failed', test.box(10, 10, 10));
SELECT state, total IS NOT NULL AS total FROM mesflow.quotes WHERE model = (SELECT id FROM mesflow.models WHERE filename = 'c running');
SELECT filename, state, error_code FROM mesflow.models WHERE filename = 'r failed';
SELECT * FROM test.error($$SELECT mesflow.retry_job(987654321)$$);
SELECT * FROM test.error($$SELECT mesflow.retry_job(NULL)$$);
SELECT count(*) AS problems FROM mesflow.verify_jobs();
-- A quote that a person was to look at is pending again.
SELECT mesflow.upload_model('step', 'part.step') AS step \gset
SELECT mesflow.request_quote(:'step', 'pla', 'fdm') AS quote \gset
SELECT test.claim('node');
SELECT test.fail('node', 'part.step', 'unsupported');
SELECT state FROM mesflow.quotes WHERE id = :'quote';
SELECT mesflow.retry_job(test.job('part.step x 1'));
SELECT state FROM mesflow.quotes WHERE id = :'quote';
SELECT count(*) AS problems FROM mesflow.verify_jobs();
-- Positions: 1 is next; with the cost of those before it.
SELECT count(mesflow.upload_model(convert_to('queue ' || n, 'UTF8'), 'queue ' || n)) AS jobs FROM generate_series(1, 1100) n;
WITH q AS (SELECT p.queue_position, row_number() OVER (ORDER BY p.id) AS place, p.starts_at, lag(p.starts_at) OVER (ORDER BY p.id) AS before
             FROM mesflow.price_jobs p WHERE p.state = 'queued' AND p.queue_position IS NOT NULL)
SELECT count(*) > 1100 AS many, count(*) FILTER (WHERE queue_position <> least(place, 1001)) AS wrong, max(queue_position) FROM q;
SELECT min(id) AS first FROM mesflow._jobs_waiting \gset
SELECT queue_position FROM mesflow.price_jobs WHERE id = :first;

-- What ended is shown for mesflow.jobs_retention, 7 days unless set otherwise.
SELECT count(*) > 0 AS shown FROM mesflow.price_jobs WHERE state = 'done';
UPDATE mesflow._jobs_done SET finished_at = finished_at - interval '7 days';
SELECT count(*) AS shown FROM mesflow.price_jobs WHERE state IN ('done', 'failed', 'cancelled');
UPDATE mesflow._jobs_done SET finished_at = finished_at + interval '7 days';
