-- Pricing again what was promised: which quotes, dry and for real.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.measured('cube.stl', test.box(20, 20, 20)) AS cube \gset
SELECT test.measured('acme.stl', test.box(20, 20, 30), 'acme') AS acme \gset
CREATE TABLE test.asked (what text, quote uuid);
CREATE FUNCTION test.ask(what text, model uuid, material text, process text, quantity integer, partner text DEFAULT 'shop') RETURNS void LANGUAGE sql AS $$
  INSERT INTO test.asked SELECT $1, mesflow.request_quote($2, $3, $4, $5, '{}', $6)
$$;
-- A list like the example, everything dearer.
CREATE FUNCTION test.list(code text, factor numeric) RETURNS void LANGUAGE sql AS $$
  SELECT test.draft($1);
  UPDATE mesflow.rates SET value = value * $2 WHERE price_list = $1 AND name IN ('material', 'setup', 'minimum');
$$;
CREATE FUNCTION test.dry(list text) RETURNS TABLE (what text, old numeric, new numeric) LANGUAGE sql AS $$
  SELECT coalesce(a.what, 'a stranger'), r.old, r.new FROM mesflow.reprice_quotes($1) r LEFT JOIN test.asked a USING (quote) ORDER BY 1
$$;
UPDATE mesflow.processes SET review_above = 6 WHERE code = 'sla';
SELECT test.ask('priced', :'cube', 'pla', 'fdm', 1), test.ask('ten', :'cube', 'pla', 'fdm', 10), test.ask('in review', :'cube', 'resin', 'sla', 5),
       test.ask('expired', :'cube', 'pla', 'fdm', 2), test.ask('withdrawn', :'cube', 'pla', 'fdm', 3), test.ask('by hand', :'cube', 'pla', 'fdm', 4),
       test.ask('failed', :'cube', 'pa12', 'fdm', 1), test.ask('of acme', :'acme', 'petg', 'fdm', 1, 'acme'), test.ask('no rate', :'cube', 'pa12', 'sls', 1) \g /dev/null
SELECT mesflow.upload_model('new', 'new.stl') AS new \gset
SELECT test.ask('pending', :'new', 'pla', 'fdm', 1) \g /dev/null
UPDATE mesflow._quotes SET expires_at = clock_timestamp() WHERE id = (SELECT quote FROM test.asked WHERE what = 'expired');
UPDATE mesflow._quotes SET by_hand = true WHERE id = (SELECT quote FROM test.asked WHERE what = 'by hand');
SELECT mesflow.cancel_quote(quote) FROM test.asked WHERE what = 'withdrawn';
SELECT mesflow.preflight_quotes(:'cube', '{pla}', '{fdm}', '{77}') > 0 AS preflight, test.run_batches() > 0 AS ran;

-- Dry: what would come of it; a draft can be tried, and nothing is written.
SELECT * FROM test.dry(NULL);
SELECT test.list('dear', 2);
DELETE FROM mesflow.rates WHERE price_list = 'dear' AND process = 'sls' AND name = 'machine_hour';
SELECT what, old < new AS dearer, new IS NULL AS cannot FROM test.dry('dear');
SELECT count(*) AS still FROM mesflow.reprice_quotes(dry_run => NULL);
SELECT * FROM test.error($$SELECT mesflow.reprice_quotes('nothing')$$);
SELECT count(*) AS nothing_queued FROM mesflow._batches;
SELECT count(*) AS nothing_written FROM mesflow._quotes WHERE supersedes IS NOT NULL OR error_code = 'superseded';
BEGIN TRANSACTION READ ONLY;
SELECT count(*) AS in_read_only FROM mesflow.reprice_quotes('dear');
ROLLBACK;

-- For real: the list must hold.
SELECT regexp_replace(e.error, 'from .*\.', 'from ...') FROM test.error($$SELECT mesflow.reprice_quotes('dear', false)$$) e;
SELECT * FROM test.error($$SELECT mesflow.reprice_quotes('nothing', false)$$) WHERE error NOT LIKE '  hint%';
SELECT test.list('later', 2);
SELECT test.activate('later', now() + interval '1 day');
SELECT e.error FROM test.error($$SELECT mesflow.reprice_quotes('later', false)$$) e WHERE e.error LIKE 'MF%';
SELECT test.activate('dear');

-- One job for each partner; acme has its own list, by which nothing changes.
UPDATE mesflow.partners SET price_list = 'example' WHERE code = 'acme';
SELECT a.what, r.old IS NOT NULL AS old, r.new FROM mesflow.reprice_quotes(dry_run => false) r JOIN test.asked a USING (quote) ORDER BY 1;
SELECT * FROM test.batches WHERE kind = 'reprice';
-- Who asks now has the new price already, and is left alone.
SELECT test.ask('late', :'cube', 'pla', 'fdm', 6) \g /dev/null
SELECT test.run_batches() > 0 AS ran;
SELECT * FROM test.batches WHERE kind = 'reprice';
SELECT a.what, q.state, q.error_code, regexp_replace(q.error, '[0-9a-f-]{36}', '<uuid>') AS error, n.state AS new_state, n.error_code AS new_code, n.total > q.total AS dearer, n.price_list,
       q.error LIKE '%' || n.id || '%' AS names_it, (n.partner, n.model, n.material, n.process, n.quantity, n.options) = (q.partner, q.model, q.material, q.process, q.quantity, q.options) AS same_request
  FROM test.asked a JOIN mesflow.quotes q ON q.id = a.quote LEFT JOIN mesflow.quotes n ON n.supersedes = q.id ORDER BY 1;
SELECT count(*) AS same_trail FROM mesflow._quotes n JOIN mesflow._quotes q ON q.id = n.supersedes
 WHERE n.correlation_id = q.correlation_id AND n.material_version IS NOT NULL AND n.process_version IS NOT NULL AND n.partner_version IS NOT NULL AND NOT n.preflight AND NOT n.by_hand;
SELECT count(*) AS preflights_left_alone FROM mesflow._quotes WHERE preflight AND state = 'priced';
SELECT mesflow.cancel_quote(quote) AS not_twice FROM test.asked WHERE what = 'priced';
-- Again: nothing changes any more. By a list that is named: all of them.
SELECT count(*) FROM mesflow.reprice_quotes(NULL, false) \g /dev/null
SELECT test.run_batches() > 0 AS ran;
SELECT count(*) AS superseded FROM mesflow.quotes WHERE error_code = 'superseded';
SELECT count(*) FROM mesflow.reprice_quotes('dear', false) \g /dev/null
SELECT test.run_batches() > 0 AS ran;
SELECT q.total < n.total AS acme_dearer FROM mesflow.quotes q JOIN mesflow.quotes n ON n.supersedes = q.id WHERE q.partner = 'acme';
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- What has gone meanwhile is no matter: quotes, a material.
SELECT test.ask('gone ' || n, :'cube', 'pla', 'fdm', 100 + n) FROM generate_series(1, 3) n \g /dev/null
SELECT test.list('dearer', 3);
SELECT test.activate('dearer');
SELECT count(*) AS quotes FROM mesflow.reprice_quotes(NULL, false);
SELECT mesflow.cancel_quote(quote) FROM test.asked WHERE what = 'gone 1';
DELETE FROM mesflow._quotes WHERE id = (SELECT quote FROM test.asked WHERE what = 'gone 2');
UPDATE mesflow._quotes SET material = 'gone' WHERE id = (SELECT quote FROM test.asked WHERE what = 'gone 3');
SELECT test.run_batches() > 0 AS ran;
SELECT state, percent, error FROM test.batches WHERE kind = 'reprice' AND partner = 'shop' ORDER BY error NULLS LAST LIMIT 1;
SELECT a.what, q.state, q.error_code FROM test.asked a JOIN mesflow._quotes q ON q.id = a.quote WHERE a.what ~ 'gone' ORDER BY 1;

-- In portions, stopped and taken up again: each once.
SELECT mesflow.request_quote(:'acme', 'pla', 'fdm', n, '{}', 'acme') FROM generate_series(1, 1200) n \g /dev/null
SELECT count(*) AS quotes FROM mesflow.reprice_quotes('dearer', false) r JOIN mesflow.quotes q ON q.id = r.quote WHERE q.partner = 'acme';
SELECT id AS job FROM mesflow.price_jobs WHERE kind = 'reprice' AND partner = 'acme' AND state = 'queued' \gset
UPDATE mesflow._batches SET due = 'infinity' WHERE id <> :job;
SELECT mesflow._next_batch() = :job AS next;
SELECT mesflow._run_batch(:job);
SELECT state, percent BETWEEN 0 AND 99 AS some, stage ~ '^\d+ of 1201$' AS stage FROM mesflow.price_jobs WHERE id = :job;
SELECT mesflow.cancel_job(:job);
SELECT count(*) BETWEEN 1 AND 1199 AS what_was_done_stays FROM mesflow.quotes WHERE partner = 'acme' AND error_code = 'superseded';
SELECT mesflow.retry_job(:job);
SELECT test.run_batches() > 1 AS portions;
SELECT state, percent, stage FROM mesflow.price_jobs WHERE id = :job;
SELECT count(*) FILTER (WHERE state = 'priced') AS priced, count(*) FILTER (WHERE error_code = 'superseded') AS superseded,
       count(DISTINCT supersedes) = count(supersedes) AS once FROM mesflow.quotes WHERE partner = 'acme' AND material = 'pla';

-- By index, whatever was there when the plans were made.
SELECT pg_stat_force_next_flush();
SELECT seq_scan FROM pg_stat_user_tables WHERE relname = '_quotes' \gset before_
UPDATE mesflow._batches SET due = '-infinity';
SELECT test.run_batches() > 0 AS ran;
SELECT pg_stat_force_next_flush();
SELECT seq_scan - :before_seq_scan AS whole_table FROM pg_stat_user_tables WHERE relname = '_quotes';
