-- Uploading models: whole, in pieces, again, and what is refused.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- A model is (partner, bytes, unit).
SELECT mesflow.upload_model('first', 'first.stl') AS first \gset
SELECT mesflow.upload_model('first', 'again.stl') = :'first' AS same_bytes,
       mesflow.upload_model('first', NULL, '') = :'first' AS empty_unit,
       mesflow.upload_model('first', NULL, 'mm') = :'first' AS other_unit,
       mesflow.upload_model('other', 'first.stl') = :'first' AS other_bytes,
       mesflow.upload_model('first', 'first.stl', NULL, 'acme') = :'first' AS other_partner;
SELECT partner, filename, unit, unit_from, size_bytes, sha256 = sha256('first') AS sha256, state FROM mesflow.models
 WHERE sha256 = sha256('first') ORDER BY partner DESC, unit NULLS FIRST;
-- The bytes are stored once for all, and each model has its measurement queued once.
SELECT count(*) AS stored FROM mesflow._contents WHERE sha256 = sha256('first');
SELECT label, place FROM test.jobs;
SELECT substr(:'first'::text, 15, 1) AS uuid_version;

-- Every unit, with the bytes of one.
SELECT count(DISTINCT mesflow.upload_model('units', 'units.stl', u)) AS models FROM unnest('{um,mm,cm,m,inch,ft}'::text[]) u;
SELECT unit FROM mesflow.models WHERE filename = 'units.stl' ORDER BY id;
SELECT count(*) AS stored FROM mesflow._contents WHERE sha256 = sha256('units');

-- Names of all alphabets, up to 255 characters; no bytes at all are a model too.
SELECT mesflow.upload_model('ring', 'кольцо с камнем.stl') AS a, mesflow.upload_model('emoji', '💍🔥.stl') AS b,
       mesflow.upload_model('', '') AS c \gset
SELECT filename, char_length(filename) FROM mesflow.models WHERE id IN (:'a', :'b', :'c') ORDER BY id;
SELECT mesflow.upload_model('long', repeat('ж', 255)) IS NOT NULL AS "255 characters";
SELECT size_bytes, (SELECT count(*) FROM mesflow._chunks c WHERE c.content = m.content) AS pieces FROM mesflow._models m WHERE filename = '';

-- A large one is kept in pieces.
SELECT mesflow.upload_model(decode(repeat('00010203', 2500000), 'hex'), 'large.stl') AS large \gset
SELECT c.at, length(c.bytes), c.bytes = substring(decode(repeat('00010203', 2500000), 'hex') FROM c.at::integer + 1 FOR 4194304) AS same
  FROM mesflow._chunks c JOIN mesflow._models m ON m.content = c.content WHERE m.id = :'large' ORDER BY 1;
SELECT size_bytes, sha256 = sha256(decode(repeat('00010203', 2500000), 'hex')) AS sha256, mesflow._content_sha256(content) = sha256 AS from_pieces
  FROM mesflow._models WHERE id = :'large';

-- What is refused, by whichever way it comes.
SELECT * FROM test.error($$SELECT mesflow.upload_model('x', repeat('x', 256))$$);
SELECT * FROM test.error($$SELECT mesflow.upload_model('x', 'x.stl', 'parsec')$$);
SELECT * FROM test.error($$SELECT mesflow.upload_model(NULL, 'x.stl')$$);
SELECT * FROM test.error($$SELECT mesflow.upload_model('x', 'x.stl', NULL, 'nobody')$$);
SELECT * FROM test.error($$SELECT mesflow.upload_model('x', 'x.stl', NULL, NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.begin_upload(repeat('x', 256), 1)$$);
SELECT * FROM test.error($$SELECT mesflow.begin_upload('x.stl', 1, 'MM')$$);
SELECT * FROM test.error($$SELECT mesflow.begin_upload('x.stl', NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.begin_upload('x.stl', -1)$$);
SELECT * FROM test.error($$SELECT mesflow.begin_upload('x.stl', 1073741825)$$);
SELECT mesflow.begin_upload('x.stl', 1073741824) IS NOT NULL AS "1 GB is allowed";
SELECT * FROM test.error($$SELECT mesflow.begin_upload('x.stl', 1, NULL, 'nobody')$$);
UPDATE mesflow.partners SET active = false WHERE code = 'acme';
SELECT * FROM test.error($$SELECT mesflow.upload_model('x', 'x.stl', NULL, 'acme')$$);
SELECT * FROM test.error($$SELECT mesflow.begin_upload('x.stl', 1, NULL, 'acme')$$);
UPDATE mesflow.partners SET active = true WHERE code = 'acme';
SELECT count(*) AS nothing_stored FROM mesflow._models WHERE sha256 = sha256('x');

-- In pieces, in any order; a repeated piece changes nothing.
SELECT mesflow.begin_upload('pieces.stl', 10, 'cm') AS upload \gset
SELECT mesflow.append_upload(:'upload', 6, '6789') AS "4", mesflow.append_upload(:'upload', 0, '012') AS "7",
       mesflow.append_upload(:'upload', 6, '6789') AS "7 again", mesflow.append_upload(:'upload', 0, '012') AS "and 7",
       mesflow.append_upload(:'upload', 3, '345') AS "10", mesflow.append_upload(:'upload', 10, '') AS "still 10";
SELECT mesflow.finish_upload(:'upload', sha256('0123456789')) AS pieces \gset
SELECT filename, unit, size_bytes, sha256 = sha256('0123456789') AS sha256, state FROM mesflow.models WHERE id = :'pieces';
SELECT mesflow.upload_model('0123456789', 'whole.stl', 'cm') = :'pieces' AS same_model,
       (SELECT count(*) FROM mesflow._contents WHERE sha256 = sha256('0123456789')) AS stored;
SELECT place FROM test.jobs WHERE label = 'pieces.stl';
SELECT count(*) AS unfinished FROM mesflow._uploads WHERE id = :'upload';

-- A second upload of the same bytes leaves nothing behind.
SELECT mesflow.begin_upload('again.stl', 10, 'cm') AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, '0123456789');
SELECT mesflow.finish_upload(:'upload') = :'pieces' AS same_model,
       (SELECT count(*) FROM mesflow._contents WHERE sha256 = sha256('0123456789')) AS stored,
       (SELECT count(*) FROM mesflow._chunks WHERE bytes = '0123456789') AS pieces;

-- Pieces that overlap others, or lie outside.
SELECT mesflow.begin_upload('overlap.stl', 10) AS upload \gset
SELECT mesflow.append_upload(:'upload', 4, '456');
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 4, %L)', :'upload', 'xyz'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 3, %L)', :'upload', '34'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 6, %L)', :'upload', '6789'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 5, %L)', :'upload', '5'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 0, %L)', :'upload', '0123456789'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 8, %L)', :'upload', '89x'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, -1, %L)', :'upload', 'x'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, NULL, %L)', :'upload', 'x'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 0, NULL)', :'upload'));
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 9223372036854775807, %L)', :'upload', 'x'));
SELECT * FROM test.error($$SELECT mesflow.append_upload('00000000-0000-7000-8000-000000000000', 0, 'x')$$);
SELECT * FROM test.error($$SELECT mesflow.append_upload(NULL, 0, 'x')$$);
-- Both neighbours may touch.
SELECT mesflow.append_upload(:'upload', 7, '789') AS "6", mesflow.append_upload(:'upload', 0, '0123') AS "10";
SELECT mesflow.finish_upload(:'upload') AS done \gset
-- Asked again, it answers again, and takes no more.
SELECT mesflow.finish_upload(:'upload') = :'done' AS answered_again;
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 0, %L)', :'upload', '0123'));
SELECT sha256 = sha256('0123456789') AS sha256 FROM mesflow.models WHERE id = :'done';

-- A hole is named by its first byte: at the start, in the middle, at the end, everywhere.
SELECT mesflow.begin_upload('holes.stl', 10) AS upload \gset
SELECT * FROM test.error(format('SELECT mesflow.finish_upload(%L)', :'upload'));
SELECT mesflow.append_upload(:'upload', 8, '8');
SELECT * FROM test.error(format('SELECT mesflow.finish_upload(%L)', :'upload'));
SELECT mesflow.append_upload(:'upload', 0, '01');
SELECT * FROM test.error(format('SELECT mesflow.finish_upload(%L)', :'upload'));
SELECT mesflow.append_upload(:'upload', 2, '23'), mesflow.append_upload(:'upload', 5, '5');
SELECT * FROM test.error(format('SELECT mesflow.finish_upload(%L)', :'upload'));
SELECT mesflow.append_upload(:'upload', 4, '4'), mesflow.append_upload(:'upload', 6, '67');
SELECT * FROM test.error(format('SELECT mesflow.finish_upload(%L)', :'upload'));
SELECT mesflow.append_upload(:'upload', 9, '9');

-- The wrong digest ends nothing; the right one does.
SELECT replace(replace(error, encode(sha256('0123456789'), 'hex'), '<of the bytes>'), encode(sha256('another'), 'hex'), '<of another>') AS error
  FROM test.error(format('SELECT mesflow.finish_upload(%L, sha256(%L))', :'upload', 'another'));
SELECT mesflow.finish_upload(:'upload', sha256('0123456789')) = :'done' AS finished;

-- A partner that becomes inactive meanwhile; one that does not exist any more.
SELECT mesflow.begin_upload('meanwhile.stl', 1, NULL, 'acme') AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, 'm');
UPDATE mesflow.partners SET active = false WHERE code = 'acme';
SELECT * FROM test.error(format('SELECT mesflow.finish_upload(%L)', :'upload'));
UPDATE mesflow.partners SET active = true WHERE code = 'acme';
SELECT mesflow.finish_upload(:'upload') IS NOT NULL AS finished;

-- Nothing in pieces is the same as nothing at once.
SELECT mesflow.begin_upload('nothing.stl', 0) AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, '') AS held;
SELECT mesflow.finish_upload(:'upload') = mesflow.upload_model('') AS same_model;

-- An upload that nobody finishes goes after mesflow.upload_retention.
SELECT mesflow.begin_upload('forgotten.stl', 10) AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, 'forgotten');
SELECT mesflow._drop_uploads() AS too_early;
UPDATE mesflow._uploads SET begun_at = begun_at - interval '25 hours' WHERE id = :'upload';
SELECT mesflow._drop_uploads() AS dropped, mesflow._drop_contents() AS bytes;
SELECT count(*) AS pieces FROM mesflow._chunks WHERE bytes = 'forgotten';
SELECT * FROM test.error(format('SELECT mesflow.append_upload(%L, 0, %L)', :'upload', 'x'));

-- What a node reads is what was uploaded, however it is sliced, also across the borders of pieces.
SELECT test.register('reader');
SELECT mesflow.begin_upload('slices.stl', 26) AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, 'a'), mesflow.append_upload(:'upload', 1, 'bcdefg'), mesflow.append_upload(:'upload', 7, 'hijklmnopqrs'),
       mesflow.append_upload(:'upload', 19, 'tuvwxyz') \g /dev/null
SELECT mesflow.finish_upload(:'upload') IS NOT NULL AS finished;
SELECT count(*) > 0 AS claimed, bool_or(l = 'slices.stl') AS slices FROM test.claim('reader') l;
SELECT node, encode(secret, 'hex') AS secret, test.job('slices.stl') AS job, test.token('reader', 'slices.stl') AS token
  FROM test.nodes WHERE name = 'reader' \gset
SELECT count(*) AS slices,
       count(*) FILTER (WHERE mesflow.job_content(:node, decode(:'secret', 'hex'), :job, :token, at, length)
                              = substring('abcdefghijklmnopqrstuvwxyz'::bytea FROM at + 1 FOR length)) AS equal
  FROM generate_series(0, 27) at, generate_series(0, 28) length;
SELECT mesflow.job_content(:node, decode(:'secret', 'hex'), :job, :token) AS whole,
       mesflow.job_content(:node, decode(:'secret', 'hex'), :job, :token, 20) AS rest,
       mesflow.job_content(:node, decode(:'secret', 'hex'), :job, :token, 9223372036854775807, 5) AS beyond,
       mesflow.job_content(:node, decode(:'secret', 'hex'), :job, :token + 1) AS other_token;
SELECT * FROM test.error(format('SELECT mesflow.job_content(%s, %L, %s, %s)', :node, 'wrong secret', :job, :token));
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- A measurement that was cancelled is queued again when the file comes again.
SELECT mesflow.upload_model('cancelled', 'cancelled.stl') AS model \gset
SELECT mesflow.cancel_job(id) AS cancelled FROM mesflow.price_jobs WHERE model = :'model';
SELECT mesflow.upload_model('cancelled', 'cancelled.stl') = :'model' AS same_model;
SELECT state, count(*) FROM mesflow.price_jobs WHERE model = :'model' GROUP BY 1 ORDER BY 1;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
