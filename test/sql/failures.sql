-- What becomes of a job that failed: every code, results that cannot be, and a model's second chance.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null

-- Each code three times over: when is it final, what does it cost, when does it come back?
CREATE FUNCTION test.policy(code text, OUT tries integer, OUT final text, OUT attempt integer, OUT boosted boolean, OUT memory_mb integer[], OUT deadlines interval[]) LANGUAGE plpgsql AS $$
DECLARE
  file text := $1 || '.stl';
BEGIN
  PERFORM mesflow.upload_model(convert_to($1, 'UTF8'), file);
  tries := 0;
  WHILE tries < 4 LOOP
    EXIT WHEN test.claim_all('node') = 0;
    tries := tries + 1;
    memory_mb := memory_mb || (SELECT (c.params ->> 'memory_mb')::integer FROM test.claims c WHERE c.job = test.job(file) ORDER BY claimed DESC LIMIT 1);
    deadlines := deadlines || (SELECT c.deadline FROM test.claims c WHERE c.job = test.job(file) ORDER BY claimed DESC LIMIT 1);
    PERFORM test.fail('node', file, $1);
    EXIT WHEN NOT EXISTS (SELECT FROM mesflow._jobs_aside a WHERE a.id = test.job(file));
    IF test.claim_all('node') <> 0 OR mesflow._sweep_jobs() <> 0 THEN
      RAISE 'came back too early';
    END IF;
    PERFORM test.pass_time();
    IF mesflow._sweep_jobs() <> 1 THEN
      RAISE 'did not come back';
    END IF;
  END LOOP;
  SELECT j.place, j.attempt, j.boosted INTO final, attempt, boosted FROM test.all_jobs j WHERE j.id = test.job(file);
  PERFORM mesflow.cancel_job(test.job(file));
END
$$;
SELECT code, tries, final, attempt, boosted, memory_mb, deadlines
  FROM unnest('{truncated,empty,not_a_model,malformed,too_large,too_many_triangles,non_finite,archive_bomb,unsupported,timeout,out_of_memory,crashed,node_is_ill}'::text[])
       WITH ORDINALITY AS c (code, at), test.policy(code) ORDER BY at;
SELECT filename, state, error_code, error FROM mesflow.models WHERE state = 'rejected' ORDER BY id;
-- Where there is no more memory to be had, one try is all.
SELECT mesflow.upload_model('full', 'full.stl') \g /dev/null
UPDATE mesflow._jobs_waiting SET memory_mb = mesflow._memory_mb(size_bytes, true);
SELECT test.claim('node');
SELECT test.fail('node', 'full.stl', 'out_of_memory');
SELECT place, attempt, boosted FROM test.jobs WHERE label = 'full.stl';
-- A crash after a timeout is one failure too many; no code counts as a crash.
SELECT mesflow.upload_model('mixed', 'mixed.stl'), mesflow.upload_model('nameless', 'nameless.stl') \g /dev/null
SELECT test.claim('node');
SELECT test.fail('node', 'mixed.stl', 'timeout'), test.fail('node', 'nameless.stl', NULL, NULL);
SELECT label, place, attempt, boosted, error_code FROM test.jobs WHERE label IN ('mixed.stl', 'nameless.stl');
SELECT state, error_code, error, attempt, starts_at > clock_timestamp() AS later FROM mesflow.price_jobs WHERE id = test.job('mixed.stl');
SELECT test.pass_time(), mesflow._sweep_jobs() AS moved;
SELECT test.claim('node');
SELECT test.fail('node', 'mixed.stl', 'crashed'), test.fail('node', 'nameless.stl', '', repeat('long ', 300));
SELECT label, place, attempt, boosted, error_code FROM test.jobs WHERE label IN ('mixed.stl', 'nameless.stl');
SELECT filename, error_code, length(error) FROM mesflow.models WHERE filename IN ('mixed.stl', 'nameless.stl') ORDER BY 1;

-- Results that cannot be are a crash of whoever sent them: tried once more, then final.
CREATE TABLE test.results (name text, result jsonb);
INSERT INTO test.results
SELECT 'without ' || k, test.box(1, 1, 1) - k FROM unnest('{engine_version,triangles,area_mm2,bbox_min,bbox_max,bodies,watertight}'::text[]) k;
INSERT INTO test.results
SELECT k || ' ' || v, test.box(1, 1, 1) || jsonb_build_object(k, v)
  FROM unnest('{volume_mm3,area_mm2,min_wall_mm,overhang_area_mm2,support_volume_mm3,convex_hull_volume_mm3,measured_in_ms}'::text[]) k,
       unnest('{NaN,Infinity,-Infinity,-1}'::text[]) v;
INSERT INTO test.results
SELECT k || ' ' || v, jsonb_set(test.box(1, 1, 1), ARRAY[k, '1'], to_jsonb(v))
  FROM unnest('{bbox_min,bbox_max,centroid}'::text[]) k, unnest('{NaN,Infinity,-Infinity}'::text[]) v;
INSERT INTO test.results VALUES
  ('nothing', NULL), ('null', 'null'), ('a number', '7'), ('an array', '[1]'), ('no keys', '{}'), ('an error', '{"error_code": "malformed", "error": "x"}'),
  ('box reversed', test.box(1, 1, 1, '{"bbox_min": [2, 0, 0]}')), ('box of two', test.box(1, 1, 1, '{"bbox_min": [0, 0]}')),
  ('box with a null', jsonb_set(test.box(1, 1, 1), '{bbox_min,0}', 'null')), ('box of boxes', test.box(1, 1, 1, '{"bbox_min": [[0, 0, 0]]}')),
  ('box of text', test.box(1, 1, 1, '{"bbox_min": "large"}')), ('centroid of one', test.box(1, 1, 1, '{"centroid": [1]}')),
  ('no triangles', test.box(1, 1, 1, '{"triangles": 0}')), ('negative bodies', test.box(1, 1, 1, '{"bodies": -1}')),
  ('triangles beyond bigint', test.box(1, 1, 1, '{"triangles": 1e30}')), ('volume beyond float8', test.box(1, 1, 1, '{"volume_mm3": 1e999}')),
  ('half a triangle', test.box(1, 1, 1, '{"triangles": 0.5}')), ('watertight maybe', test.box(1, 1, 1, '{"watertight": "maybe"}')),
  ('unit from nowhere', test.box(1, 1, 1, '{"unit_from": "nowhere"}')), ('engine of text', test.box(1, 1, 1, '{"engine_version": "new"}'));
CREATE FUNCTION test.refused(name text, result jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  file text := $1;
BEGIN
  PERFORM mesflow.upload_model(convert_to($1, 'UTF8'), file);
  PERFORM test.claim_all('node');
  IF NOT test.complete('node', file, $2) THEN
    RETURN 'the token was refused';
  END IF;
  IF (SELECT place FROM test.jobs WHERE label = file) <> 'aside' THEN
    RETURN (SELECT place FROM test.jobs WHERE label = file);
  END IF;
  PERFORM test.pass_time();
  PERFORM mesflow._sweep_jobs();
  PERFORM test.claim_all('node');
  PERFORM test.complete('node', file, $2);
  RETURN (SELECT m.state || ' ' || m.error_code FROM mesflow.models m WHERE m.filename = file);
END
$$;
SELECT name, test.refused(name, result) AS answer FROM test.results ORDER BY name COLLATE "C";
SELECT DISTINCT error FROM mesflow._measurements WHERE sha256 = sha256('nothing');
-- What the queue says of the future stays finite.
SELECT count(*) AS not_finite FROM mesflow._nodes WHERE NOT ms_per_mb < 'Infinity';
-- Files of a few bytes say nothing of how long large ones take; large ones do.
SELECT ms_per_mb FROM mesflow._nodes;
SELECT mesflow.upload_model(decode(repeat('00', 2 * 1048576), 'hex'), 'two megabytes') \g /dev/null
SELECT test.claim('node');
SELECT test.complete('node', 'two megabytes', test.box(1, 1, 1, '{"measured_in_ms": 30}'));
SELECT ms_per_mb FROM mesflow._nodes;
-- The ordinary one, the largest and the smallest of all are taken; an open surface has no volume.
SELECT name, test.refused(name, result) AS answer FROM (VALUES
  ('ordinary', test.box(1, 1, 1)), ('largest', test.box(1, 1, 1, '{"volume_mm3": 1e300, "area_mm2": 1e300, "bbox_max": [1e100, 1e100, 1e100]}')),
  ('flat', test.box(1, 1, 0)), ('open', test.box(1, 1, 1, '{"volume_mm3": null, "watertight": false, "centroid": null}')),
  ('with keys of the future', test.box(1, 1, 1, '{"colour": "red"}'))) AS r (name, result);
SELECT defects, repairs, bbox_max FROM mesflow.measurements r JOIN mesflow.models m ON m.id = r.model WHERE m.filename = 'flat';
-- Prices of such extremes, or the reason why there are none.
SELECT m.filename, e.process, e.error_code, e.total IS NOT NULL AS total FROM mesflow.models m, mesflow.estimate(m.id, 'pla', 'fdm') e WHERE m.filename IN ('largest', 'flat') ORDER BY 1;

-- A measurement that is there is never replaced by a later one of the same engine.
SELECT mesflow.upload_model('twice', 'twice.stl') \g /dev/null
SELECT test.claim('node');
INSERT INTO mesflow._measurements (sha256, unit, engine_version, triangles, area_mm2, bbox_min, bbox_max, bodies, watertight)
  VALUES (sha256('twice'), '', mesflow._engine_version(), 4, 1, '{0,0,0}', '{1,1,1}', 1, false);
SELECT test.complete('node', 'twice.stl', test.box(1, 1, 1));
SELECT triangles FROM mesflow.measurements r JOIN mesflow.models m ON m.id = r.model WHERE m.filename = 'twice.stl';
SELECT place FROM test.jobs WHERE label = 'twice.stl';
SELECT count(*) AS problems FROM mesflow.verify_jobs();
