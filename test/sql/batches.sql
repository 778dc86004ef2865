-- The turns of batches: round robin, errors, ends of the worker, cancel and retry.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.measured('cube.stl', test.box(20, 20, 20)) AS cube \gset
SELECT test.measured('acme.stl', test.box(20, 20, 30), 'acme') AS acme \gset
CREATE FUNCTION test.of_batch(batch bigint) RETURNS text LANGUAGE sql AS $$ SELECT partner || ' ' || total FROM mesflow._batches WHERE id = $1 $$;
CREATE FUNCTION test.portion() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  batch bigint := mesflow._next_batch();
  name text := test.of_batch(batch);
BEGIN
  PERFORM mesflow._run_batch(batch);
  RETURN name;
END
$$;
-- No portion ends by the clock here: only by count.
CREATE FUNCTION test.made(job bigint) RETURNS TABLE (state text, percent integer, stage text, attempt integer, error_code text, error text) LANGUAGE sql AS $$
  SELECT state, percent, stage, attempt, error_code, error FROM mesflow.price_jobs WHERE id = $1
$$;

-- In turn: a large one does not hold up a small one that comes later.
SELECT mesflow.preflight_quotes(:'cube', '{pla}', '{fdm}', ARRAY(SELECT generate_series(1, 3000))) AS large \gset
SELECT test.portion();
SELECT mesflow.preflight_quotes(:'acme', '{pla}', '{fdm}', '{1,2,3}', partner => 'acme') AS small \gset
SELECT mesflow.preflight_quotes(:'acme', '{petg}', '{fdm}', ARRAY(SELECT generate_series(1, 1001)), partner => 'acme') AS other \gset
SELECT partner, state, position FROM test.batches;
SELECT test.portion(), test.portion(), test.portion();
SELECT kind, partner, state, position FROM test.batches;
SELECT id = :large AS large, percent BETWEEN 0 AND 99 AS percent, stage ~ '^\d+ of 3000$' AS stage, starts_at < finishes_at AS in_order, node, quote, model = :'cube' AS model
  FROM mesflow.price_jobs WHERE id = :large;
SELECT test.portion(), test.portion(), test.portion();
SELECT test.run_batches() > 0 AS ran;
SELECT kind, partner, state, percent, stage FROM test.batches;
SELECT partner, material, count(*), count(DISTINCT quantity) FROM mesflow._quotes WHERE preflight GROUP BY 1, 2 ORDER BY 1, 2;

-- Cancelled in the middle, what is made stays; a retry goes on from there.
SELECT mesflow.preflight_quotes(:'cube', '{petg}', '{fdm}', ARRAY(SELECT generate_series(1, 3000))) AS job \gset
SELECT test.portion();
SELECT mesflow.cancel_job(:job), mesflow.cancel_job(:job) AS again;
SELECT state, split_part(stage, ' ', 1)::bigint AS done, percent FROM mesflow.price_jobs WHERE id = :job \gset
SELECT :'state' AS state, :done BETWEEN 1 AND 2999 AS some, (SELECT count(*) = :done FROM mesflow._quotes WHERE preflight AND partner = 'shop' AND material = 'petg') AS made;
SELECT test.run_batches() = 0 AS nothing_runs;
-- The portion that was marked as begun finds nothing to do.
SELECT mesflow._run_batch(:job), mesflow._batch_failed(:job, 'late');
SELECT mesflow.retry_job(:job), mesflow.retry_job(:job) AS again;
SELECT state, stage LIKE :done || ' of%' AS where_it_was FROM mesflow.price_jobs WHERE id = :job;
SELECT test.run_batches() > 0 AS ran;
SELECT * FROM test.made(:job);
SELECT count(*), count(DISTINCT quantity) FROM mesflow._quotes WHERE preflight AND partner = 'shop' AND material = 'petg';
SELECT mesflow.cancel_job(:job) AS done_is_done, mesflow.retry_job(:job) AS so_it_is;

-- An error in a portion leaves no trace but the count; the third in a row is the last.
CREATE FUNCTION test.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room for quotes'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON mesflow._quotes FOR EACH ROW WHEN (NEW.quantity = 17) EXECUTE FUNCTION test.refuse();
SELECT mesflow.preflight_quotes(:'cube', '{resin}', '{sla}', '{16,17,18}') AS job \gset
SELECT mesflow._next_batch() = :job AS next;
SELECT * FROM test.error(format('SELECT mesflow._run_batch(%s)', :job));
SELECT mesflow._batch_failed(:job, 'no room for quotes');
SELECT * FROM test.made(:job);
SELECT test.run_batches() = 0 AS not_yet_due;
UPDATE mesflow._batches SET due = '-infinity';
SELECT mesflow._next_batch() = :job AS next;
SELECT mesflow._batch_failed(:job, 'no room for quotes');
UPDATE mesflow._batches SET due = '-infinity';
SELECT mesflow._next_batch() = :job AS next;
SELECT mesflow._batch_failed(:job, 'no room for quotes');
SELECT * FROM test.made(:job);
SELECT count(*) AS no_trace FROM mesflow._quotes WHERE preflight AND process = 'sla';
DROP TRIGGER refuse ON mesflow._quotes;
SELECT mesflow.retry_job(:job);
SELECT test.run_batches() > 0 AS ran;
SELECT * FROM test.made(:job);

-- A combination that cannot be priced costs only itself.
CREATE FUNCTION test.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
  IF quantity = 13 THEN
    RAISE EXCEPTION 'thirteen';
  ELSIF quantity = 14 THEN
    ASSERT false, 'fourteen';
  END IF;
  RETURN mesflow.price_additive(measurement, material, process, quantity, options, rates);
END
$$;
UPDATE mesflow.processes SET pricing_function = 'test.price' WHERE code = 'sls';
SELECT mesflow.preflight_quotes(:'cube', '{pa12}', '{sls}', '{12,13,14,15}') AS job \gset
SELECT test.run_batches() > 0 AS ran;
SELECT quantity, state, error_code, error FROM mesflow._quotes WHERE preflight AND process = 'sls' ORDER BY 1;
SELECT * FROM test.made(:job);
-- It is tried again when somebody asks again, the others are there.
SELECT mesflow.preflight_quotes(:'cube', '{pa12}', '{sls}', '{12,13,15}') AS job \gset
SELECT test.run_batches() > 0 AS ran;
SELECT quantity, count(*) FROM mesflow._quotes WHERE preflight AND process = 'sls' GROUP BY 1 ORDER BY 1;

-- The worker ends under a portion: its mark stays, and the fifth in a row is the last. A portion that ends takes it back.
SELECT mesflow.preflight_quotes(:'cube', '{pla}', '{fdm}', ARRAY(SELECT generate_series(5001, 6500))) AS job \gset
SELECT mesflow._next_batch() = :job AS next FROM generate_series(1, 4);
SELECT lives FROM mesflow._batches WHERE id = :job;
SELECT test.portion();
SELECT lives FROM mesflow._batches WHERE id = :job;
SELECT mesflow._next_batch() = :job AS next FROM generate_series(1, 5);
SELECT mesflow._next_batch() AS no_more;
SELECT state, error_code, error FROM test.made(:job);
SELECT mesflow.retry_job(:job);
SELECT test.run_batches() > 0 AS ran;
SELECT count(*), count(DISTINCT quantity) FROM mesflow._quotes WHERE preflight AND quantity > 5000;

-- Nothing runs in a copy.
SELECT mesflow.preflight_quotes(:'cube', '{pla}', '{fdm}', '{7001}') AS job \gset
UPDATE mesflow._identity SET database = 1;
SELECT test.run_batches() > 0 AS ran;
SELECT mesflow.arm('test');
SELECT test.run_batches() > 0 AS ran;

-- What verify_jobs finds.
SELECT count(*) AS sound FROM mesflow.verify_jobs();
SELECT mesflow.upload_model('new', 'new.stl') AS new \gset
SELECT mesflow.preflight_quotes(:'new', '{pla}', '{fdm}') AS job \gset
CREATE FUNCTION test.finds(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  problems text[];
BEGIN
  BEGIN
    EXECUTE statement;
    problems := ARRAY(SELECT DISTINCT v.problem FROM mesflow.verify_jobs() v ORDER BY 1);
    RAISE SQLSTATE 'MF999';
  EXCEPTION WHEN SQLSTATE 'MF999' THEN
    RETURN QUERY SELECT unnest(problems);
  END;
END
$$;
SELECT test.finds(format($$INSERT INTO mesflow._batches_done SELECT b.*, 1, 'done', clock_timestamp() FROM mesflow._batches b WHERE id = %s$$, :job));
SELECT test.finds($$INSERT INTO mesflow._batches_done SELECT (d).* FROM (SELECT jsonb_populate_record(d, jsonb_build_object('slot', (d.slot + 1) % 32)) AS d FROM mesflow._batches_done d LIMIT 1) d$$);
SELECT test.finds(format($$UPDATE mesflow._batches SET model = gen_random_uuid() WHERE id = %s$$, :job));
SELECT test.finds(format($$UPDATE mesflow._batches SET model = '%s' WHERE id = %s$$, :'cube', :job)) AS not_for_a_minute;
SELECT test.finds(format($$UPDATE mesflow._measurements SET recorded_at = recorded_at - interval '2 min'; UPDATE mesflow._batches SET model = '%s' WHERE id = %s$$, :'cube', :job));
SELECT count(*) AS sound FROM mesflow.verify_jobs();
-- Shown as long as other jobs are.
UPDATE mesflow._batches_done SET finished_at = finished_at - interval '8 days';
SELECT count(*) AS shown FROM test.batches;
-- They come along in a dump.
SELECT count(*) AS tables FROM pg_extension e CROSS JOIN unnest(e.extconfig) t (id) JOIN pg_class c ON c.oid = t.id
 WHERE e.extname = 'mesflow' AND c.relname ~ '^_batches';
