-- Waiting: at once where there is nothing to wait for, never for oneself.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node');
SELECT mesflow.upload_model('a', 'a.stl') AS a \gset
SELECT mesflow.request_quote(:'a', 'pla', 'fdm') AS quote \gset

-- The row as it is when the time is up, which may be at once.
SELECT (mesflow.await_model(:'a', '0')).state, (mesflow.await_model(:'a', '-1 hour')).state AS negative, (mesflow.await_quote(:'quote', '0')).state AS quote;
SELECT (mesflow.await_model(:'a', '300 ms')).state, (mesflow.await_quote(:'quote', '300 ms')).state AS quote;
SELECT * FROM test.error($$SELECT mesflow.await_model('00000000-0000-7000-8000-000000000000')$$);
SELECT * FROM test.error($$SELECT mesflow.await_quote('00000000-0000-7000-8000-000000000000')$$);
SELECT * FROM test.error($$SELECT mesflow.await_model(NULL)$$);
SELECT * FROM test.error($$SELECT mesflow.await_quote(NULL)$$);

-- In the transaction that queued the work nobody can do it.
BEGIN;
SELECT mesflow.upload_model('b', 'b.stl') AS b \gset
SELECT * FROM test.error(format('SELECT mesflow.await_model(%L)', :'b'));
SAVEPOINT s;
SELECT * FROM test.error(format('SELECT mesflow.await_model(%L)', :'b'));
RELEASE s;
SELECT mesflow.request_quote(:'b', 'pla', 'fdm') AS b_quote \gset
SELECT * FROM test.error(format('SELECT mesflow.await_quote(%L)', :'b_quote'));
COMMIT;
SELECT (mesflow.await_model(:'b', '0')).state, (mesflow.await_quote(:'b_quote', '0')).state AS quote;
-- Inside a savepoint, kept or not.
BEGIN;
SAVEPOINT s;
SELECT mesflow.upload_model('c', 'c.stl') AS c \gset
SELECT * FROM test.error(format('SELECT mesflow.await_model(%L)', :'c'));
RELEASE s;
SELECT * FROM test.error(format('SELECT mesflow.await_model(%L)', :'c'));
SAVEPOINT t;
SELECT mesflow.request_quote(:'c', 'pla', 'fdm') AS c_quote \gset
SELECT * FROM test.error(format('SELECT mesflow.await_quote(%L)', :'c_quote'));
ROLLBACK TO t;
SELECT * FROM test.error(format('SELECT mesflow.await_quote(%L)', :'c_quote'));
COMMIT;
-- Beside work that others queued, own work that is pending.
BEGIN;
SELECT mesflow.request_quote(:'a', 'petg', 'fdm') AS own \gset
SELECT * FROM test.error(format('SELECT mesflow.await_quote(%L)', :'own'));
SELECT (mesflow.await_model(:'a', '0')).state AS by_others;
ROLLBACK;

-- Work that is done is not waited for, also in the transaction that asked.
SELECT test.claim_all('node');
SELECT test.complete('node', 'a.stl', test.box(1, 2, 3)), test.fail('node', 'b.stl', 'empty', 'Nothing in it.');
SELECT (mesflow.await_model(:'a')).state, (mesflow.await_quote(:'quote')).state AS quote,
       (mesflow.await_model(:'b')).state AS rejected, (mesflow.await_quote(:'b_quote')).error_code;
BEGIN;
SELECT mesflow.upload_model('a', 'a again.stl') = :'a' AS same \gset
SELECT (mesflow.await_model(:'a')).state;
SELECT mesflow.request_quote(:'a', 'petg', 'fdm') AS own \gset
SELECT (mesflow.await_quote(:'own')).state;
SELECT mesflow.upload_model('a', 'a of acme.stl', NULL, 'acme') AS other \gset
SELECT (mesflow.await_model(:'other')).state AS known_from_the_shop;
COMMIT;

-- A job that was queued again waits again.
BEGIN;
SELECT mesflow.retry_job(test.job('b.stl')) AS retried;
SELECT * FROM test.error(format('SELECT mesflow.await_model(%L)', :'b'));
COMMIT;
SELECT (mesflow.await_model(:'b', '0')).state;
BEGIN;
SELECT mesflow.retry_job(test.job('b.stl x 1')) AS retried;
SELECT * FROM test.error(format('SELECT mesflow.await_quote(%L)', :'b_quote'));
COMMIT;
SELECT (mesflow.await_quote(:'b_quote', '0')).state;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
