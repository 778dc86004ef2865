-- A partner may have so many jobs waiting and no more.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.measured('known.stl', test.box(10, 10, 10), 'acme') AS known \gset
UPDATE mesflow.partners SET max_queued = 2 WHERE code = 'acme';
SELECT mesflow.upload_model('one', 'one.stl', partner => 'acme') AS one \gset
SELECT mesflow.request_quote(:'one', 'pla', 'fdm', partner => 'acme') AS quote \gset
SELECT * FROM test.error($$SELECT mesflow.upload_model('two', 'two.stl', partner => 'acme')$$);
SELECT * FROM test.error(format('SELECT mesflow.request_quote(%L, %L, %L, partner => %L)', :'one', 'petg', 'fdm', 'acme'));
SELECT label, place FROM test.jobs WHERE place = 'waiting';
-- What needs no job is not refused, nor is anybody else.
SELECT mesflow.upload_model('one', 'one.stl', partner => 'acme') = :'one' AS known_upload;
SELECT mesflow.request_quote(:'known', 'pla', 'fdm', partner => 'acme') IS NOT NULL AS at_once;
SELECT mesflow.upload_model('two', 'two.stl') IS NOT NULL AS by_the_shop;
-- A job that runs does not wait; one that waits for the same work does.
SELECT test.register('node');
SELECT test.claim('node', 1);
SELECT mesflow.upload_model('three', 'three.stl', partner => 'acme') IS NOT NULL AS one_more;
SELECT * FROM test.error($$SELECT mesflow.upload_model('four', 'four.stl', partner => 'acme')$$);
UPDATE mesflow.partners SET max_queued = 0 WHERE code = 'acme';
SELECT * FROM test.error($$SELECT mesflow.upload_model('five', 'five.stl', partner => 'acme')$$);
UPDATE mesflow.partners SET max_queued = NULL WHERE code = 'acme';
SELECT mesflow.upload_model('five', 'five.stl', partner => 'acme') IS NOT NULL AS no_cap;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
