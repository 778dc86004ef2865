-- Quotes made before anybody asks: which, when, handed out once, forgotten when nobody came.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
CREATE VIEW test.preflights AS
  SELECT material, process, quantity, options -> 'scale' AS scale, state, error_code, count(*) AS n FROM mesflow._quotes WHERE preflight
   GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY process, material, quantity, scale;
-- Of these, only fdm can be had in another size.
UPDATE mesflow.processes SET options = options - 'scale' WHERE code IN ('sla', 'sls');
SELECT test.measured('cube.stl', test.box(20, 20, 20)) AS cube \gset
SELECT mesflow.upload_model('of acme', 'of acme.stl', NULL, 'acme') AS foreign \gset

-- What is refused.
SELECT * FROM test.error($$SELECT mesflow.preflight_quotes(NULL, '{pla}', '{fdm}')$$);
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}')$$, :'foreign'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', partner => 'nobody')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla,gold}', '{fdm}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm,magic}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{}', '{fdm}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', NULL)$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', '{}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', '{1,0}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', '{1000001}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', '{NULL}')$$, :'cube'));
SELECT s, e.error FROM unnest('{0,-1,NaN,Infinity,0.0001,1000.1,NULL}'::float8[]) s,
       test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', scales => ARRAY[%L::float8])$$, :'cube', s)) e WHERE e.error NOT LIKE '  hint%';
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', scales => '{}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla,resin}', '{sls}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{resin,pa12}', '{sla,sls}', scales => '{2}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', scales => '{20}')$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla,petg}', '{fdm}', ARRAY(SELECT generate_series(1, 50001)))$$, :'cube'));
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}', ARRAY(SELECT generate_series(1, 100001)))$$, :'cube'));
BEGIN;
UPDATE mesflow.materials SET active = false WHERE code = 'pla';
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{pla}', '{fdm}')$$, :'cube'));
UPDATE mesflow.processes SET active = false WHERE code = 'fdm';
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{petg}', '{fdm}')$$, :'cube'));
UPDATE mesflow.partners SET active = false WHERE code = 'shop';
SELECT * FROM test.error(format($$SELECT mesflow.preflight_quotes(%L, '{petg}', '{fdm}')$$, :'cube'));
ROLLBACK;
SELECT count(*) AS none FROM mesflow._batches;

-- One per pair that goes together, quantity and scale, with default options; duplicates collapse.
SELECT mesflow.preflight_quotes(:'cube', '{pla,petg,resin,pla}', '{fdm,sla,fdm}', '{10,1,1}', '{1,0.5,1,20}') AS job \gset
SELECT * FROM test.batches;
SELECT test.run_batches() > 0 AS ran;
SELECT * FROM test.preflights;
SELECT * FROM test.batches;
SELECT count(*) AS same_price_as_estimate
  FROM mesflow.quotes q CROSS JOIN LATERAL mesflow.estimate(q.model, q.material, q.process, q.quantity, CASE WHEN q.options ? 'scale' THEN jsonb_build_object('scale', q.options -> 'scale') ELSE '{}' END) e
 WHERE (q.unit_price, q.net, q.tax, q.total, q.currency, q.breakdown, q.lead_days) = (e.unit_price, e.net, e.tax, e.total, e.currency, e.breakdown, e.lead_days)
   AND q.state = 'priced' AND q.price_list = 'example' AND q.expires_at > q.priced_at AND q.priced_at >= q.created_at;
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- What is there is not made twice; what the catalog has changed since is.
SELECT mesflow.preflight_quotes(:'cube', '{petg,resin,pla}', '{sla,fdm}', '{1,2,10}', '{1,0.5}') IS NOT NULL AS again, test.run_batches() > 0 AS ran;
SELECT * FROM test.preflights WHERE quantity = 2 OR n > 1;
SELECT sum(n) FROM test.preflights;
UPDATE mesflow.materials SET name = 'PETG, clear' WHERE code = 'petg';
SELECT mesflow.preflight_quotes(:'cube', '{petg,resin,pla}', '{sla,fdm}', '{1,2,10}', '{1,0.5}') IS NOT NULL AS again, test.run_batches() > 0 AS ran;
SELECT material, sum(n) FROM test.preflights GROUP BY 1 ORDER BY 1;

-- Handed out to the first who asks for exactly that, with what else a request brings; the next gets one of their own.
SELECT id AS prepared, priced_at FROM mesflow._quotes WHERE preflight AND material = 'pla' AND quantity = 10 AND NOT options ? 'scale' \gset
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm', 10, traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') AS first \gset
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm', 10) AS second \gset
SELECT :'first' = :'prepared' AS first, :'second' = :'prepared' AS second, a.total = b.total AS same_total, a.priced_at > :'priced_at' AND a.expires_at = a.priced_at + interval '30 days' AS valid_from_now_on
  FROM mesflow.quotes a, mesflow.quotes b WHERE a.id = :'first' AND b.id = :'second';
SELECT preflight, correlation_id, traceparent, (SELECT q.correlation_id = m.correlation_id FROM mesflow._models m WHERE m.id = q.model) AS of_the_model
  FROM mesflow._quotes q WHERE id = :'first';
-- A request, and whether it was answered by what is there; nothing of it stays.
CREATE FUNCTION test.asks(model uuid, what text, material text, process text, quantity integer, options jsonb DEFAULT '{}', before text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  prepared uuid[] := ARRAY(SELECT id FROM mesflow._quotes WHERE preflight);
  given boolean;
BEGIN
  BEGIN
    IF before <> '' THEN
      EXECUTE before;
    END IF;
    given := mesflow.request_quote(model, material, process, quantity, options) = ANY (prepared);
    RAISE SQLSTATE 'MF999';
  EXCEPTION WHEN SQLSTATE 'MF999' THEN
    RETURN format('%s: %s', what, CASE WHEN given THEN 'reused' ELSE 'priced' END);
  END;
END
$$;
SELECT test.asks(:'cube', v.what, v.material, v.process, v.quantity, v.options, v.before) FROM (VALUES
  ('the defaults', 'pla', 'fdm', 1, '{}'::jsonb, ''),
  ('the defaults, said', 'pla', 'fdm', 1, '{"infill": 0.20, "finish": "none"}', ''),
  ('scale 1, said', 'pla', 'fdm', 1, '{"scale": 1.0}', ''),
  ('scale 0.5', 'pla', 'fdm', 1, '{"scale": 0.50}', ''),
  ('scale 0.6', 'pla', 'fdm', 1, '{"scale": 0.6}', ''),
  ('another option', 'pla', 'fdm', 1, '{"infill": 0.3}', ''),
  ('another quantity', 'pla', 'fdm', 3, '{}', ''),
  ('another process', 'resin', 'sla', 1, '{}', ''),
  ('material changed', 'pla', 'fdm', 1, '{}', $$UPDATE mesflow.materials SET density_g_cm3 = 1.25 WHERE code = 'pla'$$),
  ('material written as it was', 'pla', 'fdm', 1, '{}', $$UPDATE mesflow.materials SET density_g_cm3 = density_g_cm3 WHERE code = 'pla'$$),
  ('other material changed', 'pla', 'fdm', 1, '{}', $$UPDATE mesflow.materials SET density_g_cm3 = 9 WHERE code = 'petg'$$),
  ('process changed', 'pla', 'fdm', 1, '{}', $$UPDATE mesflow.processes SET lead_days = 9 WHERE code = 'fdm'$$),
  ('partner changed', 'pla', 'fdm', 1, '{}', $$UPDATE mesflow.partners SET name = 'Shop' WHERE code = 'shop'$$),
  ('newer price list', 'pla', 'fdm', 1, '{}', $$SELECT test.activate(test.draft('newer'))$$),
  ('draft price list', 'pla', 'fdm', 1, '{}', $$SELECT test.draft('newer')$$),
  ('measured by another engine', 'pla', 'fdm', 1, '{}', $$UPDATE mesflow._measurements SET engine_version = engine_version + 1$$),
  ('expired', 'pla', 'fdm', 1, '{}', $$UPDATE mesflow._quotes SET expires_at = clock_timestamp() WHERE preflight$$),
  ('withdrawn', 'pla', 'fdm', 1, '{}', $$SELECT mesflow.cancel_quote(id) FROM mesflow._quotes WHERE preflight$$)) AS v (what, material, process, quantity, options, before);

-- Where the process has a scale by default, it is always there.
UPDATE mesflow.processes SET options = options || '{"scale": {"type": "number", "default": 1, "min": 0.2, "max": 10}}' WHERE code = 'sls';
SELECT mesflow.preflight_quotes(:'cube', '{pa12}', '{sls}', scales => '{1,2,0.1}') IS NOT NULL AS job, test.run_batches() > 0 AS ran;
SELECT * FROM test.preflights WHERE process = 'sls';
SELECT test.asks(:'cube', 'the defaults', 'pa12', 'sls', 1), test.asks(:'cube', 'scale 1', 'pa12', 'sls', 1, '{"scale": 1}'), test.asks(:'cube', 'scale 2', 'pa12', 'sls', 1, '{"scale": 2}');
-- A process that has changed before its turn takes what fits now.
SELECT mesflow.preflight_quotes(:'cube', '{pa12}', '{sls}', '{7}', '{1,2,3}') AS job \gset
UPDATE mesflow.processes SET options = options || '{"scale": {"type": "number", "default": 1, "min": 0.2, "max": 2}}' WHERE code = 'sls';
SELECT test.run_batches() > 0 AS ran;
SELECT * FROM test.preflights WHERE process = 'sls' AND quantity = 7;

-- What fails, and what a person has to look at, is made as well, and forgotten in time; a price over the limit is handed out.
SELECT test.measured('large.stl', test.box(300, 100, 100)) AS large \gset
UPDATE mesflow.processes SET review_above = 1 WHERE code = 'sla';
SELECT mesflow.preflight_quotes(:'large', '{pla}', '{fdm}') IS NOT NULL AS large, mesflow.preflight_quotes(:'cube', '{resin}', '{sla}', '{8}') IS NOT NULL AS dear, test.run_batches() > 0 AS ran;
SELECT material, quantity, state, error_code, total IS NOT NULL AS total, expires_at IS NOT NULL AS expires FROM mesflow._quotes
 WHERE preflight AND (model = :'large' OR quantity = 8) ORDER BY 1;
SELECT test.asks(:'large', 'too large', 'pla', 'fdm', 1), test.asks(:'cube', 'in review', 'resin', 'sla', 8);

-- Not measured yet: the job waits. Rejected: it fails as the model has.
SELECT mesflow.upload_model('new', 'new.stl') AS new \gset
SELECT mesflow.preflight_quotes(:'new', '{pla}', '{fdm}', '{1,2}') AS job \gset
SELECT test.run_batches() > 0 AS ran;
SELECT state, percent, stage, queue_position, starts_at FROM mesflow.price_jobs WHERE id = :job;
SELECT test.register('node') \g /dev/null
SELECT test.claim_all('node') > 0 AS claimed, test.complete('node', 'new.stl', test.box(10, 10, 10));
SELECT test.run_batches() > 0 AS ran;
SELECT state, stage FROM mesflow.price_jobs WHERE id = :job;
SELECT mesflow.upload_model('bad', 'bad.stl') AS bad \gset
SELECT mesflow.preflight_quotes(:'bad', '{pla}', '{fdm}') AS job \gset
SELECT test.claim('node');
SELECT test.fail('node', 'bad.stl', 'malformed', 'This is no model.');
SELECT test.run_batches() > 0 AS ran;
SELECT state, percent, error_code, error FROM mesflow.price_jobs WHERE id = :job;
SELECT count(*) AS no_quotes FROM mesflow.quotes WHERE model = :'bad';
-- A measurement cancelled before is queued again, one cancelled later ends the job; a retry queues it again.
SELECT mesflow.upload_model('stopped', 'stopped.stl') AS stopped \gset
SELECT mesflow.cancel_job(test.job('stopped.stl'));
SELECT mesflow.preflight_quotes(:'stopped', '{pla}', '{fdm}') AS job \gset
SELECT label, place FROM test.jobs WHERE label = 'stopped.stl' ORDER BY place;
SELECT test.run_batches() > 0 AS ran;
SELECT mesflow.cancel_job(id) FROM test.all_jobs WHERE label = 'stopped.stl' AND place = 'waiting';
SELECT test.run_batches() > 0 AS ran;
SELECT state, error_code, error FROM mesflow.price_jobs WHERE id = :job;
SELECT mesflow.retry_job(:job);
SELECT state FROM mesflow.price_jobs WHERE id = :job;
SELECT test.claim('node');
SELECT accepted FROM test.nodes n, test.claims c, test.all_jobs j, mesflow.complete_jobs(n.node, n.secret, ARRAY[j.id], ARRAY[c.token], ARRAY[test.box(1, 1, 1)])
 WHERE n.name = 'node' AND j.label = 'stopped.stl' AND j.place = 'running' AND c.job = j.id;
SELECT test.run_batches() > 0 AS ran;
SELECT state, error_code FROM mesflow.price_jobs WHERE id = :job;
SELECT count(*) FROM mesflow.quotes WHERE model = :'stopped';
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- Forgotten when they expire before anybody asked; what was asked for stays.
SELECT count(*) FILTER (WHERE preflight) > 20 AS preflights, count(*) FILTER (WHERE NOT preflight) AS quotes FROM mesflow._quotes;
SELECT mesflow._drop_preflights() AS none_yet;
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s';
SELECT mesflow._drop_preflights(5) AS five;
CALL mesflow.keep_preflights();
SELECT count(*) FILTER (WHERE preflight) AS preflights, count(*) FILTER (WHERE NOT preflight) AS quotes FROM mesflow._quotes;

-- Each lookup is a probe of its index, whatever was there when its plan was made.
SELECT mesflow.preflight_quotes(:'cube', '{pla,petg}', '{fdm}', ARRAY(SELECT generate_series(1, 500))) AS job \gset
SELECT test.run_batches() BETWEEN 2 AND 200 AS in_portions;
SELECT count(*), min(n) AS once, max(n) AS each FROM test.preflights;
SELECT pg_stat_force_next_flush();
SELECT idx_scan AS scans, idx_tup_read AS tuples FROM pg_stat_user_indexes WHERE indexrelname = '_quotes_preflight' \gset before_
SELECT mesflow.preflight_quotes(:'cube', '{pla,petg}', '{fdm}', ARRAY(SELECT generate_series(1, 500))) AS job \gset
SELECT test.run_batches() > 0 AS ran;
SELECT count(mesflow.request_quote(:'cube', 'pla', 'fdm', n)) FROM generate_series(1, 500) n;
SELECT pg_stat_force_next_flush();
SELECT idx_scan - :before_scans AS scans, idx_tup_read - :before_tuples AS tuples FROM pg_stat_user_indexes WHERE indexrelname = '_quotes_preflight';
SELECT count(*) FROM mesflow._quotes WHERE preflight;
