-- The life of a model's bytes: read, deleted, brought back, and what goes by itself.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null
CREATE FUNCTION test.deleted(error text) RETURNS text LANGUAGE sql AS $$
  SELECT regexp_replace($1, '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC', '<moment>')
$$;
-- Every content is somebody's, and no live model is without one.
CREATE VIEW test.bytes AS
  SELECT (SELECT count(*) FROM mesflow._contents c
           WHERE NOT EXISTS (SELECT FROM mesflow._models m WHERE m.content = c.id) AND NOT EXISTS (SELECT FROM mesflow._uploads u WHERE u.content = c.id)) AS nobodys,
         (SELECT count(*) FROM mesflow._contents_left) AS notes,
         (SELECT count(*) FROM mesflow._models m WHERE m.content IS NOT NULL
            AND m.size_bytes <> (SELECT sum(octet_length(c.bytes)) FROM mesflow._chunks c WHERE c.content = m.content)) AS incomplete;

-- Read in slices, also across the borders of pieces.
SELECT mesflow.begin_upload('slices.stl', 26) AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, 'a'), mesflow.append_upload(:'upload', 1, 'bcdefg'), mesflow.append_upload(:'upload', 7, 'hijklmnopqrs'),
       mesflow.append_upload(:'upload', 19, 'tuvwxyz') \g /dev/null
SELECT mesflow.finish_upload(:'upload') AS slices \gset
SELECT count(*) AS slices,
       count(*) FILTER (WHERE mesflow.model_content(:'slices', at, length) = substring('abcdefghijklmnopqrstuvwxyz'::bytea FROM at + 1 FOR length)) AS equal
  FROM generate_series(0, 27) at, generate_series(0, 28) length;
SELECT mesflow.model_content(:'slices') AS whole, mesflow.model_content(:'slices', 20) AS rest, mesflow.model_content(:'slices', 26) AS at_the_end,
       mesflow.model_content(:'slices', 9223372036854775807) AS beyond, mesflow.model_content(:'slices', 24, 2147483647) AS longer;
SELECT mesflow.upload_model('') AS nothing \gset
SELECT mesflow.model_content(:'nothing') AS nothing;
SELECT mesflow.upload_model(decode(repeat('00010203', 2500000), 'hex'), 'large.stl') AS large \gset
SELECT sha256(mesflow.model_content(:'large')) = sha256(decode(repeat('00010203', 2500000), 'hex')) AS large;
SELECT * FROM test.error(format('SELECT mesflow.model_content(%L, -1)', :'slices'));
SELECT * FROM test.error(format('SELECT mesflow.model_content(%L, NULL)', :'slices'));
SELECT * FROM test.error(format('SELECT mesflow.model_content(%L, 0, -1)', :'slices'));
SELECT * FROM test.error($$SELECT mesflow.model_content('00000000-0000-7000-8000-000000000000')$$);
SELECT * FROM test.error($$SELECT mesflow.model_content(NULL)$$);

-- What delete_model refuses.
SELECT * FROM test.error(format('SELECT mesflow.delete_model(%L, %L)', :'slices', '  '));
SELECT * FROM test.error(format('SELECT mesflow.delete_model(%L, NULL)', :'slices'));
SELECT * FROM test.error($$SELECT mesflow.delete_model('00000000-0000-7000-8000-000000000000', 'x')$$);
SELECT * FROM test.error($$SELECT mesflow.delete_model(NULL, 'x')$$);

-- A measured model: its bytes go, everything else stays and goes on.
SELECT test.measured('cube.stl', test.box(10, 10, 10)) AS cube \gset
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm') AS quote \gset
CREATE TABLE test.before AS SELECT to_jsonb(m) - '{deleted_at,deleted_by,deletion_reason}'::text[] AS model, to_jsonb(s) AS measurement, to_jsonb(q) AS quote, e.total
  FROM mesflow.models m, mesflow.measurements s, mesflow.quotes q, mesflow.estimate(:'cube', 'pla', 'fdm') e WHERE m.id = :'cube' AND s.model = m.id AND q.id = :'quote';
SELECT mesflow.delete_model(:'cube', 'the customer asked for it', 'anna') AS deleted;
SELECT state, deleted_at BETWEEN uploaded_at AND clock_timestamp() AS deleted, deleted_by, deletion_reason FROM mesflow.models WHERE id = :'cube';
SELECT b.model = to_jsonb(m) - '{deleted_at,deleted_by,deletion_reason}'::text[] AS model, b.measurement = to_jsonb(s) AS measurement, b.quote = to_jsonb(q) AS quote, b.total = e.total AS estimate
  FROM test.before b, mesflow.models m, mesflow.measurements s, mesflow.quotes q, mesflow.estimate(:'cube', 'pla', 'fdm') e WHERE m.id = :'cube' AND s.model = m.id AND q.id = :'quote';
SELECT mesflow.request_quote(:'cube', 'pla', 'fdm') AS quote \gset
SELECT q.state, q.total = b.total AS same FROM mesflow.quotes q, test.before b WHERE q.id = :'quote';
SELECT count(*) AS pieces FROM mesflow._chunks WHERE bytes = 'cube.stl';
SELECT * FROM test.bytes;
SELECT test.deleted(error) AS error FROM test.error(format('SELECT mesflow.model_content(%L)', :'cube'));
SELECT mesflow.delete_model(:'cube', 'again', 'boris') AS again;
SELECT deleted_by, deletion_reason FROM mesflow.models WHERE id = :'cube';
-- The same upload brings it back, whole and in pieces; without an actor it was the login.
SELECT mesflow.upload_model('cube.stl', 'other.stl') = :'cube' AS same_model;
SELECT filename, state, deleted_at, deleted_by, deletion_reason FROM mesflow.models WHERE id = :'cube';
SELECT mesflow.model_content(:'cube'), (SELECT count(*) FROM test.all_jobs WHERE label = 'cube.stl' AND place <> 'done') AS jobs;
SELECT mesflow.delete_model(:'cube', 'once more') AS deleted;
SELECT deleted_by = session_user AS login FROM mesflow.models WHERE id = :'cube';
SELECT mesflow.begin_upload('pieces.stl', 8) AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, 'cube'), mesflow.append_upload(:'upload', 4, '.stl');
SELECT mesflow.finish_upload(:'upload') = :'cube' AS same_model;
SELECT mesflow.model_content(:'cube') AS content;
SELECT * FROM test.bytes;
-- Deleted and brought back in one transaction, and the other way round.
BEGIN;
SELECT mesflow.delete_model(:'cube', 'a mistake') AS deleted;
SELECT mesflow.upload_model('cube.stl') = :'cube' AS back;
COMMIT;
SELECT mesflow.model_content(:'cube'), deleted_at FROM mesflow.models WHERE id = :'cube';
BEGIN;
SELECT mesflow.upload_model('short life', 'short.stl') AS short \gset
SELECT mesflow.delete_model(:'short', 'a mistake') AS deleted;
COMMIT;
SELECT state, error_code FROM mesflow.models WHERE id = :'short';
SELECT * FROM test.bytes;
SELECT * FROM mesflow.verify_jobs();

-- Bytes are shared: with another partner, with another unit.
SELECT mesflow.upload_model('shared', 'shared.stl') AS shop, mesflow.upload_model('shared', 'shared.stl', NULL, 'acme') AS acme,
       mesflow.upload_model('shared', 'inches.stl', 'inch') AS inches \gset
SELECT label, place FROM test.jobs WHERE label ~ 'shared|inches';
SELECT mesflow.delete_model(:'shop', 'x') AS one;
SELECT mesflow.model_content(:'acme') AS acme, mesflow.model_content(:'inches') AS inches, (SELECT count(*) FROM mesflow._contents WHERE sha256 = sha256('shared')) AS stored;
SELECT label, place FROM test.jobs WHERE label ~ 'shared|inches';
SELECT mesflow._drop_contents() AS nothing_dropped;
SELECT mesflow.delete_model(:'acme', 'x') AS two;
SELECT mesflow.model_content(:'inches') AS inches;
SELECT mesflow.delete_model(:'inches', 'x') AS three;
SELECT count(*) AS stored FROM mesflow._contents WHERE sha256 = sha256('shared');
SELECT mesflow._drop_contents() AS nothing_left;
SELECT * FROM test.bytes;
SELECT partner, filename, unit, state, error_code, error FROM mesflow.models WHERE sha256 = sha256('shared') ORDER BY 1 DESC, 2 DESC;
-- Brought back for one of them, it is measured, and that is known of the other.
SELECT mesflow.upload_model('shared', 'shared.stl', NULL, 'acme') = :'acme' AS back;
SELECT count(*) FROM test.claim('node');
SELECT test.complete('node', 'acme/shared.stl', test.box(1, 1, 1));
SELECT partner, filename, state, deleted_at IS NOT NULL AS deleted FROM mesflow.models WHERE sha256 = sha256('shared') ORDER BY 1 DESC, 2 DESC;

-- Not measured yet: its jobs are cancelled in whatever state, its pending quotes too; other partners' jobs go on.
SELECT mesflow.upload_model('queued', 'queued.stl') AS queued, mesflow.upload_model('running', 'running.stl') AS running,
       mesflow.upload_model('scheduled', 'scheduled.stl') AS scheduled, mesflow.upload_model('refused', 'refused.stl') AS refused \gset
SELECT mesflow.request_quote(:'running', 'pla', 'fdm', 2) AS quote \gset
SELECT mesflow.upload_model('running', 'running.stl', NULL, 'acme') AS other \gset
SELECT mesflow.cancel_job(test.job('queued.stl'));
SELECT count(*) FROM test.claim('node');
SELECT test.fail('node', 'scheduled.stl', 'crashed'), test.fail('node', 'refused.stl', 'malformed', 'It is broken.');
SELECT mesflow.upload_model('queued', 'queued.stl') = :'queued' AS queued_again;
SELECT label, place, follows FROM test.jobs WHERE label ~ 'queued|running|scheduled|refused' ORDER BY label, place;
SELECT mesflow.delete_model(m, 'x', 'anna') FROM unnest(ARRAY[:'queued', :'running', :'scheduled', :'refused']::uuid[]) m;
SELECT label, place, follows FROM test.jobs WHERE label ~ 'queued|running|scheduled|refused' ORDER BY label, place;
SELECT filename, state, error_code, error, deleted_by FROM mesflow.models WHERE filename ~ 'queued|running|scheduled|refused' ORDER BY 1, partner;
SELECT (mesflow.await_model(:'queued')).state AS answered_at_once;
SELECT state FROM mesflow.quotes WHERE id = :'quote';
SELECT * FROM test.beat('node', '{running.stl}');
SELECT test.complete('node', 'running.stl', test.box(1, 1, 1)) AS not_accepted;
SELECT * FROM mesflow.verify_jobs();
SELECT * FROM test.bytes;
-- No job that cannot run comes of it: a quote fails, an estimate says so, a retry is refused.
SELECT mesflow.request_quote(:'queued', 'pla', 'fdm', 3) AS one, mesflow.request_quote(:'refused', 'pla', 'fdm', 3) AS two \gset
SELECT state, error_code, error, priced_at IS NOT NULL AS answered FROM mesflow.quotes WHERE id IN (:'one', :'two') ORDER BY id;
SELECT error_code, error FROM mesflow.estimate(:'queued', 'pla', 'fdm');
SELECT regexp_replace(error, 'Job \d+', 'Job <n>') AS error FROM test.error(format('SELECT mesflow.retry_job(%s)', test.job('scheduled.stl')));
SELECT regexp_replace(error, 'Job \d+', 'Job <n>') AS error FROM test.error(format('SELECT mesflow.retry_job(%s)', test.job('refused.stl')));
SELECT label, place FROM test.jobs WHERE label ~ 'queued|scheduled|refused' ORDER BY label, place;
-- The other partner's work is done, and the file is measured for both.
SELECT test.claim('node');
SELECT test.complete('node', 'acme/running.stl', test.box(1, 2, 3));
SELECT partner, state, deleted_at IS NOT NULL AS deleted FROM mesflow.models WHERE sha256 = sha256('running') ORDER BY 1;
-- Brought back: what was not measured is queued, what was refused is known.
SELECT mesflow.upload_model('queued', 'queued.stl') = :'queued' AS queued, mesflow.upload_model('scheduled', 'scheduled.stl') = :'scheduled' AS scheduled,
       mesflow.upload_model('refused', 'refused.stl') = :'refused' AS refused;
SELECT filename, state, error_code FROM mesflow.models WHERE filename ~ 'queued|scheduled|refused' ORDER BY 1;
SELECT test.claim('node');
SELECT test.complete('node', f, test.box(1, 1, 1)) FROM unnest('{queued.stl,scheduled.stl}'::text[]) f;
SELECT * FROM mesflow.verify_jobs();
SELECT * FROM test.bytes;

-- A retried measurement is the model's job again, and deleted with it.
SELECT mesflow.upload_model('twice', 'twice.stl') AS twice \gset
SELECT mesflow.cancel_job(id) FROM mesflow.price_jobs WHERE model = :'twice' AND state = 'queued';
SELECT id AS first FROM mesflow.price_jobs WHERE model = :'twice' \gset
SELECT mesflow.upload_model('twice', 'twice.stl') = :'twice' AS same;
SELECT mesflow.cancel_job(id) FROM mesflow.price_jobs WHERE model = :'twice' AND state = 'queued';
SELECT mesflow.retry_job(:first);
SELECT mesflow.delete_model(:'twice', 'x');
SELECT state, count(*) FROM mesflow.price_jobs WHERE model = :'twice' GROUP BY 1;

-- A job that meets a model without bytes all the same ends, and is not tried again.
SELECT mesflow.upload_model('late', 'late.stl') AS late \gset
SELECT mesflow.request_quote(:'late', 'pla', 'fdm', 4) AS quote \gset
UPDATE mesflow._models SET content = NULL, deleted_at = clock_timestamp(), deleted_by = 'x', deletion_reason = 'x' WHERE id = :'late';
SELECT test.claim('node') AS nothing;
SELECT label, place, error_code FROM test.jobs WHERE label ~ 'late';
SELECT state, error_code, error FROM mesflow.quotes WHERE id = :'quote';
SELECT count(*) AS outcomes FROM mesflow._measurements WHERE sha256 = sha256('late');
DELETE FROM mesflow._contents WHERE sha256 = sha256('late');
SELECT * FROM mesflow.verify_jobs();

-- What needs the bytes keeps them, and nothing is cancelled then.
CREATE TABLE test.needed AS SELECT prosrc FROM pg_proc WHERE oid = 'mesflow._model_needed'::regproc;
CREATE OR REPLACE FUNCTION mesflow._model_needed(model uuid) RETURNS text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT 'Order 7 is being made.' $$;
SELECT mesflow.upload_model('needed', 'needed.stl') AS needed \gset
SELECT * FROM test.error(format('SELECT mesflow.delete_model(%L, %L)', :'needed', 'x'));
SELECT mesflow.model_content(:'needed'), place FROM test.jobs WHERE label = 'needed.stl';
UPDATE mesflow._models SET used_at = used_at - interval '91 days' WHERE id = :'needed';
SELECT mesflow._drop_models() AS kept;
SELECT clock_timestamp() - used_at > interval '90 days' AS not_judged_on_the_first_day FROM mesflow._models WHERE id = :'needed';
UPDATE mesflow._identity SET recorded_at = recorded_at - interval '2 days';
SELECT mesflow._drop_models() AS kept;
SELECT clock_timestamp() - used_at BETWEEN interval '80 days 23 hours' AND interval '82 days' AS again_in_nine_days FROM mesflow._models WHERE id = :'needed';
DO $$ BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION mesflow._model_needed(model uuid) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS %L', (SELECT prosrc FROM test.needed));
END $$;

-- mesflow.model_retention: bytes that nobody used for so long and nothing needs.
SHOW mesflow.model_retention;
SELECT test.claim('node');
SELECT test.complete('node', 'needed.stl', test.box(1, 1, 1));
SELECT test.measured(f, test.box(1, 1, 1)) FROM unnest('{old.stl,quoted.stl,used.stl,young.stl,expired.stl,review.stl}'::text[]) f \g /dev/null
SELECT test.measured('old.stl', test.box(1, 1, 1), 'acme') \g /dev/null
SELECT mesflow.upload_model('not measured', 'queued too.stl') \g /dev/null
SELECT mesflow.request_quote(m.id, 'pla', 'fdm') FROM mesflow.models m WHERE filename ~ 'quoted|expired|review' \g /dev/null
UPDATE mesflow._quotes q SET expires_at = clock_timestamp() - interval '1 s' FROM mesflow._models m WHERE m.id = q.model AND m.filename = 'expired.stl';
UPDATE mesflow._quotes q SET state = 'review', expires_at = NULL FROM mesflow._models m WHERE m.id = q.model AND m.filename = 'review.stl';
UPDATE mesflow._models SET used_at = used_at - interval '91 days' WHERE filename ~ '^(old|quoted|used|expired|review|queued too)' AND partner = 'shop';
UPDATE mesflow._models SET used_at = used_at - interval '89 days' WHERE filename = 'young.stl';
SELECT mesflow.upload_model('used.stl') IS NOT NULL AS used_again;
SELECT mesflow._drop_models(1) AS portion, mesflow._drop_models() AS rest, mesflow._drop_models() AS nothing;
SELECT partner, filename, state, deleted_by, deletion_reason FROM mesflow.models WHERE filename ~ '^(old|quoted|used|young|expired|review|queued too)' ORDER BY 2, 1;
SELECT mesflow._drop_contents() AS dropped;
SELECT count(*) AS old_is_shared FROM mesflow._chunks WHERE bytes = 'old.stl';
SELECT count(*) AS expired FROM mesflow._chunks WHERE bytes = 'expired.stl';
SELECT * FROM test.bytes;
-- What was needed is looked at again when its quote expires, a tenth of the retention later at the latest.
SELECT m.filename, least(q.expires_at, clock_timestamp() + interval '9 days') - m.used_at - interval '90 days' BETWEEN interval '-1 min' AND interval '1 min' AS then
  FROM mesflow._models m LEFT JOIN mesflow._quotes q ON q.model = m.id WHERE m.filename ~ 'quoted|review|queued too' ORDER BY 1;
UPDATE mesflow._quotes q SET expires_at = clock_timestamp() + interval '3 days' FROM mesflow._models m WHERE m.id = q.model AND m.filename = 'quoted.stl';
UPDATE mesflow._models SET used_at = used_at - interval '10 days' WHERE filename = 'quoted.stl';
SELECT mesflow._drop_models() AS kept;
SELECT q.expires_at - m.used_at = interval '90 days' AS then FROM mesflow._models m JOIN mesflow._quotes q ON q.model = m.id WHERE m.filename = 'quoted.stl';
UPDATE mesflow._quotes q SET expires_at = clock_timestamp() - interval '1 s' FROM mesflow._models m WHERE m.id = q.model AND m.filename = 'quoted.stl';
UPDATE mesflow._models SET used_at = used_at - interval '4 days' WHERE filename = 'quoted.stl';
SELECT mesflow._drop_models() AS dropped;
SELECT mesflow._drop_contents() AS bytes;
-- A large one goes piece by piece, and nobody finds half of it.
SELECT test.complete('measurer of shop cube.stl', 'large.stl', test.box(1, 1, 1));
UPDATE mesflow._models SET used_at = used_at - interval '91 days' WHERE id = :'large';
SELECT mesflow._drop_models() AS dropped;
SELECT count(*) AS pieces, min(c.content) AS content FROM mesflow._chunks c JOIN mesflow._contents_left l USING (content) \gset
SELECT :pieces AS pieces, mesflow._drop_contents(1) AS bytes;
SELECT count(*) AS pieces FROM mesflow._chunks WHERE content = :content;
SELECT mesflow._stored_content(sha256(decode(repeat('00010203', 2500000), 'hex'))) AS not_found;
SELECT mesflow.upload_model(decode(repeat('00010203', 2500000), 'hex'), 'large.stl') = :'large' AS back;
SELECT mesflow._drop_contents() AS bytes, mesflow._drop_contents() AS nothing;
SELECT sha256(mesflow.model_content(:'large')) = sha256(decode(repeat('00010203', 2500000), 'hex')) AS large;
SELECT * FROM test.bytes;
SELECT * FROM mesflow.verify_jobs();
-- A copy removes nothing; arming it finds what it left.
INSERT INTO mesflow._contents (size_bytes) VALUES (1) RETURNING id AS content \gset
INSERT INTO mesflow._contents_left (content) VALUES (:content);
UPDATE mesflow._identity SET system_identifier = system_identifier + 1;
SELECT mesflow._sweep_jobs();
SELECT notes, nobodys FROM test.bytes;
DELETE FROM mesflow._contents_left;
SELECT mesflow.arm('a test');
SELECT mesflow._sweep_jobs();
SELECT * FROM test.bytes;
UPDATE mesflow._identity SET recorded_at = recorded_at - interval '2 days';
-- What a retention can be.
ALTER SYSTEM SET mesflow.model_retention = '1h';
\set VERBOSITY sqlstate
ALTER SYSTEM SET mesflow.model_retention = '-1';
\set VERBOSITY default

-- A round with nothing to do reads no model, however many there are and whatever the statistics say.
INSERT INTO mesflow._models (partner, unit, sha256, size_bytes, content, correlation_id)
  SELECT 'shop', '', sha256(convert_to('m ' || n, 'UTF8')), 1, (SELECT content FROM mesflow._models WHERE content IS NOT NULL LIMIT 1), gen_random_uuid() FROM generate_series(1, 5000) n;
UPDATE mesflow._models SET content = NULL, deleted_at = clock_timestamp(), deleted_by = 'x', deletion_reason = 'x', used_at = '2000-01-01'
 WHERE id IN (SELECT id FROM mesflow._models WHERE filename IS NULL LIMIT 2000);
SELECT mesflow.begin_upload('x', 1) FROM generate_series(1, 100) \g /dev/null
VACUUM mesflow._models, mesflow._uploads, mesflow._contents_left;
CREATE TABLE test.reads (what text, scans bigint, entries bigint);
CREATE FUNCTION test.read() RETURNS void LANGUAGE sql AS $$
  INSERT INTO test.reads SELECT c.relname, pg_stat_get_xact_numscans(c.oid), pg_stat_get_xact_tuples_returned(c.oid)
    FROM pg_class c WHERE c.relnamespace = 'mesflow'::regnamespace AND c.relname ~ '^_(models|uploads|contents|contents_left|chunks)(_|$)' AND c.relkind IN ('r', 'i')
$$;
BEGIN;
SELECT test.read(), mesflow._sweep_jobs(), mesflow._keep_uploads(), mesflow._keep_models(), test.read();
SELECT what, max(scans) - min(scans) AS scans, max(entries) - min(entries) AS entries FROM test.reads GROUP BY 1 HAVING max(scans) > min(scans) ORDER BY 1;
COMMIT;
ANALYZE mesflow._models, mesflow._uploads;
TRUNCATE test.reads;
BEGIN;
SELECT test.read(), mesflow._sweep_jobs(), mesflow._keep_uploads(), mesflow._keep_models(), test.read();
SELECT what, max(scans) - min(scans) AS scans, max(entries) - min(entries) AS entries FROM test.reads GROUP BY 1 HAVING max(scans) > min(scans) ORDER BY 1;
COMMIT;

-- Whose unit it is: the caller's, the file's, or none was said.
SELECT mesflow.upload_model('unit', 'unit.stl', u) FROM unnest('{NULL,mm,inch}'::text[]) u \g /dev/null
SELECT mesflow.upload_model('units', 'says inch.obj') \g /dev/null
SELECT filename, unit, unit_from, state FROM mesflow.models WHERE filename IN ('unit.stl', 'says inch.obj') ORDER BY id;
CREATE FUNCTION test.complete_unit(filename text, unit text, result jsonb) RETURNS boolean LANGUAGE sql AS $$
  SELECT d.accepted FROM mesflow._models m JOIN test.claims c ON c.job = m.job JOIN test.nodes n ON n.name = c.name
   CROSS JOIN mesflow.complete_jobs(n.node, n.secret, ARRAY[c.job], ARRAY[c.token], ARRAY[$3]) d WHERE m.filename = $1 AND m.unit = $2
$$;
SELECT count(*) AS claimed FROM test.claim('node') c WHERE c ~ 'unit.stl|says inch';
SELECT test.complete_unit('unit.stl', '', test.box(1, 1, 1)), test.complete_unit('unit.stl', 'mm', test.box(1, 1, 1, '{"unit_from": "caller"}')),
       test.complete_unit('unit.stl', 'inch', test.box(25.4, 25.4, 25.4, '{"unit": "inch", "unit_from": "caller"}')),
       test.complete_unit('says inch.obj', '', test.box(25.4, 25.4, 25.4, '{"format": "obj", "unit": "inch", "unit_from": "file"}'));
SELECT m.filename, m.format, m.unit, m.unit_from, m.state, s.volume_mm3 FROM mesflow.models m JOIN mesflow.measurements s ON s.model = m.id
 WHERE filename IN ('unit.stl', 'says inch.obj') ORDER BY m.id;
SELECT count(*) AS stored FROM mesflow._contents WHERE sha256 = sha256('unit');

-- Another version of the engine: what the last one measured is good until the file comes again, what it refused is measured then.
CREATE FUNCTION test.age(filename text) RETURNS void LANGUAGE sql AS $$
  UPDATE mesflow._measurements SET engine_version = engine_version - 1 WHERE sha256 = sha256(convert_to($1, 'UTF8'));
  DELETE FROM mesflow._jobs_done;       -- labels would be those of two jobs
$$;
CREATE VIEW test.versions AS
  SELECT m.partner, m.filename, m.state, m.error_code, s.volume_mm3, s.engine_version - mesflow._engine_version() AS version,
         (SELECT count(*) FROM test.all_jobs j WHERE j.label LIKE '%' || m.filename AND j.place <> 'done') AS jobs
    FROM mesflow.models m LEFT JOIN mesflow.measurements s ON s.model = m.id WHERE m.filename IN ('older.stl', 'refused.3mf') ORDER BY 1 DESC, 2;
SELECT test.measured('older.stl', test.box(10, 10, 10)) AS older \gset
SELECT mesflow.upload_model('refused.3mf', 'refused.3mf') AS refused \gset
SELECT test.claim('node'), test.fail('node', 'refused.3mf', 'unsupported', 'This format is not read.');
SELECT mesflow.upload_model('older.stl') = :'older' AS same_model;
SELECT * FROM test.versions;
SELECT test.age('older.stl'), test.age('refused.3mf') \g /dev/null
SELECT * FROM test.versions;
SELECT mesflow.upload_model('older.stl') = :'older' AS same_model;
SELECT mesflow.upload_model('older.stl') = :'older' AS same_model;
SELECT mesflow.upload_model('refused.3mf') = :'refused' AS same_model;
SELECT * FROM test.versions;
SELECT state, total IS NOT NULL AS total FROM mesflow.quotes WHERE id = mesflow.request_quote(:'older', 'pla', 'fdm');
SELECT mesflow.request_quote(:'refused', 'pla', 'fdm', 7) AS quote \gset
SELECT * FROM test.claim('node');
SELECT test.complete('node', 'older.stl', test.box(10, 10, 20)), test.complete('node', 'refused.3mf', test.box(10, 10, 30));
SELECT * FROM test.versions;
SELECT test.claim_rest('node') AS handed_out, (SELECT q.state FROM mesflow.quotes q WHERE q.id = :'quote') AS quote;
SELECT mesflow.upload_model('older.stl') = :'older' AS same_model, mesflow.upload_model('refused.3mf') = :'refused' AS same_model;
SELECT * FROM test.versions;
-- Of another partner, too; and where the new measurement was cancelled that the others waited for.
DELETE FROM mesflow._measurements WHERE sha256 = sha256('older.stl');
INSERT INTO mesflow._measurements (sha256, unit, engine_version, error_code, error) VALUES (sha256('older.stl'), '', mesflow._engine_version(), 'crashed', 'It crashed.');
SELECT test.age('older.stl') \g /dev/null
SELECT mesflow.upload_model('older.stl', 'older.stl', partner => 'acme') AS theirs \gset
SELECT * FROM test.versions WHERE filename = 'older.stl';
SELECT mesflow.cancel_job(test.job('acme/older.stl')) AS cancelled;
SELECT problem FROM mesflow.verify_jobs() WHERE detail LIKE '%' || :'older' || '%';
SELECT mesflow.upload_model('older.stl') = :'older' AS same_model;
SELECT problem FROM mesflow.verify_jobs() WHERE detail LIKE '%' || :'older' || '%';
SELECT * FROM test.claim('node');
SELECT test.complete('node', 'older.stl', test.box(10, 10, 10));
SELECT * FROM test.versions WHERE filename = 'older.stl';
-- All of an older engine, as docs/operations.md says it.
UPDATE mesflow._measurements SET engine_version = 1 WHERE sha256 IN (sha256('older.stl'), sha256('refused.3mf'));
SELECT count(mesflow.upload_model(mesflow.model_content(m.id), m.filename, CASE m.unit_from WHEN 'caller' THEN m.unit END, m.partner)) AS uploaded
  FROM mesflow.models m JOIN mesflow.partners p ON p.code = m.partner AND p.active LEFT JOIN mesflow.measurements s ON s.model = m.id
 WHERE m.deleted_at IS NULL AND m.size_bytes <= 256 << 20 AND (s.engine_version < 2 OR m.state = 'rejected');
SELECT label FROM test.jobs WHERE place = 'waiting' AND label ~ 'older|refused' ORDER BY 1;
