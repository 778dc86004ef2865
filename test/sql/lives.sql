-- Jobs whose node, or server process, is gone: taken back, isolated, given up; and what the sweep does.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
CREATE FUNCTION test.server(name text) RETURNS void LANGUAGE sql AS $$
  DELETE FROM test.nodes WHERE name = $1;
  INSERT INTO test.nodes SELECT $1, r.node, r.secret FROM mesflow._server_register($1, 4, 'test') r;
  UPDATE mesflow._nodes SET lease_until = lease_until + interval '1 hour' WHERE name = $1;
$$;
SELECT test.server('server'), test.register('node') \g /dev/null
SELECT node, encode(secret, 'hex') AS secret FROM test.nodes WHERE name = 'node' \gset
SELECT name, kind, slots, running, version, lease_until > clock_timestamp() AS alive FROM mesflow.nodes ORDER BY kind;

-- The server's process ends under its jobs: from the second time on a job runs alone, after the fifth it has failed.
SELECT mesflow.upload_model('poison', 'poison.stl'), mesflow.upload_model('good', 'good.stl') \g /dev/null
SELECT mesflow.request_quote((SELECT id FROM mesflow.models WHERE filename = 'poison.stl'), 'pla', 'fdm') AS quote \gset
SELECT test.claim('server');
SELECT test.server('server');
SELECT label, place, attempt, lives FROM test.jobs;
SELECT count(*) AS servers FROM mesflow.nodes WHERE kind = 'server';
SELECT test.claim('server');
SELECT test.server('server');
SELECT label, place, attempt, lives FROM test.jobs;
SELECT test.claim('server', 10) AS alone;
SELECT params -> 'alone' AS alone FROM test.claims ORDER BY claimed DESC LIMIT 1;
SELECT test.claim('server', 10) AS nothing_beside_it;
SELECT test.claim('node', 10) AS another_node_alone;
SELECT test.complete('node', 'good.stl', test.box(1, 1, 1));
SELECT test.server('server');
SELECT test.claim('server');
SELECT test.server('server');
SELECT test.claim('server');
SELECT label, place, attempt, lives FROM test.jobs;
SELECT test.server('server');
SELECT label, place, attempt, lives, error_code FROM test.jobs;
SELECT filename, state, error_code, error FROM mesflow.models WHERE filename = 'poison.stl';
SELECT test.claim('server') AS its_quote_is_settled;
SELECT state, error_code FROM mesflow.quotes WHERE id = :'quote';
-- Behind one that must run alone the others wait until the node is empty; then all go on.
SELECT mesflow.upload_model('first', 'first.stl'), mesflow.upload_model('lonely', 'lonely.stl'), mesflow.upload_model('last', 'last.stl') \g /dev/null
UPDATE mesflow._jobs_waiting SET lives = 2 WHERE id = test.job('lonely.stl');
SELECT test.claim('server', 10);
SELECT test.claim('server', 10) AS still_busy;
SELECT test.complete('server', 'first.stl', test.box(1, 1, 1));
SELECT test.claim('server', 10) AS alone;
SELECT test.complete('server', 'lonely.stl', test.box(1, 1, 1));
SELECT test.claim('server', 10) AS rest;
SELECT test.complete('server', 'last.stl', test.box(1, 1, 1));
SELECT count(*) AS problems FROM mesflow.verify_jobs();

-- A clean end of the server costs nothing.
SELECT mesflow.upload_model('clean', 'clean.stl') \g /dev/null
SELECT test.claim('server');
SELECT test.release('server', '{clean.stl}');
SELECT label, place, attempt, lives FROM test.jobs WHERE label = 'clean.stl';

-- A node whose lease ran out loses its jobs, for free; a heartbeat keeps them.
SELECT test.claim('node');
SELECT mesflow._sweep_jobs() AS alive;
UPDATE mesflow._nodes SET lease_until = clock_timestamp() - interval '1 s' WHERE name = 'node';
SELECT * FROM test.beat('node', '{clean.stl}');
SELECT mesflow._sweep_jobs() AS alive_again;
UPDATE mesflow._nodes SET lease_until = clock_timestamp() - interval '1 s' WHERE name = 'node';
SELECT mesflow._sweep_jobs() AS gone;
SELECT label, place, attempt, lives FROM test.jobs WHERE label = 'clean.stl';
SELECT * FROM test.beat('node', '{clean.stl}');
SELECT test.complete('node', 'clean.stl', test.box(1, 1, 1)) AS too_late;
SELECT test.claim('server');
SELECT * FROM test.beat('node', '{clean.stl}');
SELECT test.complete('node', 'clean.stl', test.box(1, 1, 1)) AS too_late, test.complete('server', 'clean.stl', test.box(1, 1, 1)) AS in_time;
-- It may come back and claim again.
SELECT mesflow.upload_model('back', 'back.stl') \g /dev/null
SELECT test.claim('node');

-- A job that hangs on a node that is alive has run into its time limit, 30 s after its deadline.
UPDATE mesflow._jobs_running SET deadline_at = clock_timestamp() - interval '29 s';
UPDATE mesflow._nodes SET lease_until = clock_timestamp() + interval '1 hour';
SELECT mesflow._sweep_jobs() AS not_yet;
UPDATE mesflow._jobs_running SET deadline_at = clock_timestamp() - interval '31 s';
SELECT mesflow._sweep_jobs() AS now;
SELECT label, place, attempt, boosted, error_code FROM test.jobs WHERE label = 'back.stl';
SELECT mesflow._sweep_jobs() AS not_due;
SELECT test.pass_time(), mesflow._sweep_jobs() AS due;
SELECT label, place, attempt, boosted, error_code FROM test.jobs WHERE label = 'back.stl';
SELECT test.claim('node');
SELECT params ->> 'memory_mb' AS memory_mb, params ->> 'cpu_seconds' AS cpu_seconds, deadline FROM test.claims ORDER BY claimed DESC LIMIT 1;
SELECT test.complete('node', 'back.stl', test.box(1, 1, 1));

-- What no node answers for (a restored dump), and followers whose leader is not there.
SELECT mesflow.upload_model('orphan', 'orphan.stl') AS orphan \gset
SELECT mesflow.request_quote(:'orphan', 'pla', 'fdm', n) FROM generate_series(2, 3) n \g /dev/null
SELECT test.claim('server');
DELETE FROM mesflow._nodes WHERE kind = 'server';
SELECT mesflow._sweep_jobs() AS moved;
SELECT label, place, attempt, lives FROM test.jobs WHERE label ~ 'orphan';
INSERT INTO mesflow._jobs_aside SELECT w.*, NULL, 987654321 FROM mesflow._jobs_waiting w;
DELETE FROM mesflow._jobs_waiting;
SELECT mesflow._sweep_jobs() AS moved, mesflow._sweep_jobs() AS again;
SELECT label, place FROM test.jobs WHERE label ~ 'orphan';
-- Registrations out of use for a day are forgotten, with nothing of theirs running.
UPDATE mesflow._nodes SET lease_until = clock_timestamp() - interval '25 hours' WHERE name = 'node';
SELECT mesflow._sweep_jobs() AS moved;
SELECT count(*) AS nodes FROM mesflow.nodes;
SELECT * FROM test.error(format('SELECT mesflow.heartbeat(%s, %L, %L, %L, %L, %L)', :node, '\x' || :'secret', '{}', '{}', '{}', '{}')) WHERE error NOT LIKE '  detail%';
SELECT count(*) AS problems FROM mesflow.verify_jobs();
