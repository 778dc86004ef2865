-- Pictures of models: who brings them, who gets which, and when they go.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node') \g /dev/null
-- What passes for a PNG of that width and height; `mark` tells one from another.
CREATE FUNCTION test.png(width integer, mark text DEFAULT 'x', height integer DEFAULT NULL) RETURNS bytea LANGUAGE sql AS $$
  SELECT '\x89504e470d0a1a0a0000000d49484452'::bytea || int4send($1) || int4send(coalesce($3, $1)) || convert_to(rpad($2, 24, '.'), 'UTF8')
         || '\x0000000049454e44ae426082'
$$;
CREATE FUNCTION test.complete_seen(name text, label text, pictures bytea[]) RETURNS boolean LANGUAGE sql AS $$
  SELECT c.accepted FROM test.nodes n
   CROSS JOIN mesflow.complete_jobs(n.node, n.secret, ARRAY[test.job($2)], ARRAY[test.token($1, $2)], ARRAY[test.box(1, 1, 1)],
                                    array_fill(test.job($2), ARRAY[cardinality($3)]), $3) c
   WHERE n.name = $1
$$;
-- Which picture that is: its side and its mark.
CREATE FUNCTION test.seen(png bytea) RETURNS text LANGUAGE sql AS $$
  SELECT mesflow._png_side($1) || ' ' || rtrim(convert_from(substr($1, 25, 24), 'UTF8'), '.')
$$;

-- Brought with the measurement; the next size that is kept, or else the largest.
SELECT mesflow.upload_model('cube', 'cube.stl') AS cube \gset
SELECT mesflow.model_picture(:'cube') IS NULL AS not_measured;
SELECT test.claim('node');
SELECT test.complete_seen('node', 'cube.stl', ARRAY[test.png(64), test.png(128), test.png(256), test.png(512)]);
SELECT size, test.seen(mesflow.model_picture(:'cube', size)) FROM unnest('{16,63,64,65,128,129,256,257,511,512}'::int[]) size;
SELECT test.seen(mesflow.model_picture(:'cube')) AS usual;
SELECT * FROM test.error(format('SELECT mesflow.model_picture(%L, 15)', :'cube'));
SELECT * FROM test.error(format('SELECT mesflow.model_picture(%L, 513)', :'cube'));
SELECT * FROM test.error(format('SELECT mesflow.model_picture(%L, NULL)', :'cube'));
SELECT * FROM test.error($$SELECT mesflow.model_picture('00000000-0000-7000-8000-000000000000')$$);
SELECT * FROM test.error($$SELECT mesflow.model_picture(NULL)$$);
-- The newest of each size is kept.
SELECT mesflow._record_pictures(sha256('cube'), '', ARRAY[test.png(128, 'new')]);
SELECT size, test.seen(png) FROM mesflow._pictures ORDER BY size;

-- Fewer sizes, none, and two jobs in one call.
SELECT mesflow.upload_model('small', 'small.stl') AS small, mesflow.upload_model('blind', 'blind.stl') AS blind, mesflow.upload_model('bad', 'bad.stl') AS bad \gset
SELECT test.claim('node');
SELECT d.accepted FROM test.nodes n, mesflow.complete_jobs(n.node, n.secret, ARRAY[test.job('small.stl'), test.job('blind.stl')],
  ARRAY[test.token('node', 'small.stl'), test.token('node', 'blind.stl')], ARRAY[test.box(1, 1, 1), test.box(2, 2, 2)],
  ARRAY[test.job('small.stl')], ARRAY[test.png(64, 'small')]) d WHERE n.name = 'node';
SELECT test.seen(mesflow.model_picture(:'small', 512)) AS small, mesflow.model_picture(:'blind') IS NULL AS blind;
SELECT test.fail('node', 'bad.stl', 'malformed');
SELECT mesflow.model_picture(:'bad') IS NULL AS rejected;

-- What is no picture is no measurement either; nothing is recorded.
SELECT mesflow.upload_model(convert_to(n::text, 'UTF8'), n || '.stl') FROM generate_series(1, 6) n \g /dev/null
SELECT count(*) FROM test.claim('node');
SELECT n, test.complete_seen('node', n || '.stl', ARRAY[CASE n WHEN 1 THEN '\x00' WHEN 2 THEN test.png(15) WHEN 3 THEN test.png(513) WHEN 4 THEN test.png(64, 'x', 65)
         WHEN 5 THEN test.png(64) || decode(repeat('00', 65000), 'hex') END]) FROM generate_series(1, 6) n;
SELECT label, place, error_code FROM test.jobs WHERE label ~ '^\d' ORDER BY label;
SELECT count(*) AS measured FROM mesflow._measurements m JOIN mesflow._models o USING (sha256) WHERE o.filename ~ '^\d';
SELECT count(*) AS pictures FROM mesflow._pictures p JOIN mesflow._models o USING (sha256) WHERE o.filename ~ '^\d';
SELECT * FROM test.error((SELECT format('SELECT mesflow.complete_jobs(%s, %L, %L, %L, %L, %L, %L)', node, secret, '{}', '{}', '{}', '{1}', '{}') FROM test.nodes WHERE name = 'node'));
-- Nor does a token that is no longer good bring one.
SELECT d.accepted FROM test.nodes n, mesflow.complete_jobs(n.node, n.secret, ARRAY[test.job('cube.stl')], ARRAY[7], ARRAY[test.box(1, 1, 1)],
  ARRAY[test.job('cube.stl')], ARRAY[test.png(256, 'forged')]) d WHERE n.name = 'node';
SELECT test.seen(mesflow.model_picture(:'cube')) AS as_before;

-- Same bytes of two partners: one picture, seen by whoever has the bytes.
SELECT mesflow.upload_model('cube', 'cube.stl', NULL, 'acme') AS acme \gset
SELECT test.seen(mesflow.model_picture(:'acme')) AS acme;
SELECT mesflow.delete_model(:'cube', 'the customer asked for it') AS deleted;
SELECT mesflow.model_picture(:'cube') IS NULL AS shop, test.seen(mesflow.model_picture(:'acme')) AS acme;
SELECT mesflow.delete_model(:'acme', 'so did they') AS deleted;
SELECT count(*) AS left FROM mesflow._pictures WHERE sha256 = sha256('cube');
SELECT state FROM mesflow.models WHERE id = :'acme';
-- The bytes alone come back.
SELECT mesflow.upload_model('cube', 'cube.stl') = :'cube' AS back;
SELECT mesflow.model_picture(:'cube') IS NULL AS no_picture;
-- Without bytes none is stored.
SELECT mesflow._record_pictures(sha256('nowhere'), '', ARRAY[test.png(64)]);
SELECT count(*) AS stored FROM mesflow._pictures WHERE sha256 = sha256('nowhere');
-- Bytes that go a while later take it along; those stored twice leave it until both are gone.
SELECT count(*) AS before FROM mesflow._pictures WHERE sha256 = sha256('small');
INSERT INTO mesflow._contents (sha256, size_bytes) VALUES (sha256('small'), 5) RETURNING id AS twin \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT mesflow.delete_model(:'small', 'x') AS deleted;
COMMIT;
SELECT mesflow.model_picture(:'small') IS NULL AS hidden;
SELECT mesflow._drop_contents() > 0 AS dropped;
SELECT count(*) AS while_a_twin_is_there FROM mesflow._pictures WHERE sha256 = sha256('small');
INSERT INTO mesflow._contents_left (content) VALUES (:twin);
SELECT mesflow._drop_contents() AS nothing_more;
SELECT count(*) AS in_the_end FROM mesflow._pictures WHERE sha256 = sha256('small');
SELECT * FROM mesflow.verify_jobs();
