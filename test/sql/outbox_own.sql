-- Indexes, constraints, columns and triggers of a company's own on the log: events are written and read all the same.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
\set ECHO all
SELECT mesflow.create_consumer('all');
SELECT format('outbox_%s', lpad(mesflow._ring_slot(now())::text, 2, '0')) AS today \gset
-- An index of an expression, one of some rows only, and one that looks like ours.
CREATE INDEX ON mesflow.outbox (lower(type));
CREATE INDEX ON mesflow.outbox (id) WHERE type = 'nothing';
\set ECHO none
SELECT format('REINDEX INDEX CONCURRENTLY mesflow.%I', i.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
 WHERE x.indrelid = format('mesflow.%I', :'today')::regclass AND x.indpred IS NULL AND x.indexprs IS NULL \gexec
\set ECHO all
SELECT mesflow.emit('shop.one', 'k', '{}') IS NOT NULL AS written;
SET enable_seqscan = off;
SELECT count(*) FROM mesflow.outbox WHERE type = 'nothing';
SELECT count(*) FROM mesflow.outbox WHERE lower(type) = 'shop.one';
RESET enable_seqscan;
SELECT type FROM mesflow.consume('all');
SELECT mesflow.ack('all');
-- A constraint holds, a column is filled, a trigger sees the row; dropped again they leave nothing behind.
ALTER TABLE mesflow.outbox ADD CONSTRAINT no_twos CHECK (type <> 'shop.two') NOT VALID;
SELECT left(error, 5) AS error FROM test.error($$SELECT mesflow.emit('shop.two', 'k', '{}')$$) LIMIT 1;
ALTER TABLE mesflow.outbox ADD COLUMN region text NOT NULL DEFAULT 'north';
SELECT mesflow.emit('shop.three', 'k', '{}') IS NOT NULL AS written;
SELECT type, region FROM mesflow.outbox ORDER BY id;
SELECT type, region FROM mesflow.consume('all');
ALTER TABLE mesflow.outbox DROP COLUMN region;
SELECT mesflow.emit('shop.four', 'k', '{}') IS NOT NULL AS written;
SELECT mesflow.ack('all'), (SELECT array_agg(type) FROM mesflow.consume('all'));
-- A role without any right on the log writes to it by what it may do.
CREATE ROLE outbox_own_app IN ROLE mesflow_app;
SET ROLE outbox_own_app;
SELECT mesflow.emit('shop.five', 'k', '{}') IS NOT NULL AS written;
RESET ROLE;
DROP ROLE outbox_own_app;
