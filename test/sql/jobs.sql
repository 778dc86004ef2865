-- Jobs: the order of the queue, claims and tokens, the same work twice, and what becomes of failures.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common

-- Registering, and what it refuses.
SELECT node IS NOT NULL AS node, length(secret) AS secret, lease, poll FROM mesflow.node_register('n', 4, '0.1');
SELECT * FROM test.error($$SELECT mesflow.node_register('', 1, 'x')$$);
SELECT * FROM test.error($$SELECT mesflow.node_register(repeat('x', 101), 1, 'x')$$) WHERE error NOT LIKE '  detail%';
SELECT * FROM test.error($$SELECT mesflow.node_register('n', -1, 'x')$$);
SELECT * FROM test.error($$SELECT mesflow.node_register('n', NULL, 'x')$$);
SELECT * FROM test.error($$SELECT mesflow.node_register('n', 1, 'x', 2)$$);
SELECT count(DISTINCT secret_hash) AS other_secret, count(DISTINCT id) AS other_node FROM mesflow._nodes, mesflow.node_register('n', 4, '0.1');
SELECT test.register('one'), test.register('two') \g /dev/null
SELECT node, encode(secret, 'hex') AS secret FROM test.nodes WHERE name = 'one' \gset

-- In the order in which they came, each to one.
SELECT mesflow.upload_model(convert_to('job ' || n, 'UTF8'), n || '.stl') FROM generate_series(1, 6) n ORDER BY n \g /dev/null
SELECT test.claim('one', 0) AS none;
SELECT test.claim('one', 2) AS one;
SELECT test.claim('two', 3) AS two;
SELECT test.claim('one', 10) AS rest;
SELECT test.claim('two', 10) AS nothing;
SELECT count(DISTINCT job) AS jobs, count(DISTINCT token) AS tokens, bool_and(deadline = '2 min') AS deadline FROM test.claims;
SELECT DISTINCT params - 'name' AS params FROM test.claims;
SELECT name, running FROM mesflow.nodes WHERE name IN ('one', 'two') ORDER BY 1;
SELECT filename, state FROM mesflow.models WHERE filename = '1.stl';
SELECT * FROM test.error(format('SELECT mesflow.claim_jobs(%s, %L, 1001)', :node, '\x' || :'secret'));
SELECT * FROM test.error(format('SELECT mesflow.claim_jobs(%s, %L, NULL)', :node, '\x' || :'secret'));
SELECT * FROM test.error(format('SELECT mesflow.claim_jobs(%s, %L, -1)', :node, '\x' || :'secret'));
SELECT * FROM test.error(format('SELECT mesflow.claim_jobs(%s, %L, 1)', :node, 'wrong')) WHERE error NOT LIKE '  detail%';
SELECT * FROM test.error($$SELECT mesflow.claim_jobs(NULL, NULL, 1)$$);

-- Progress, and what a stranger's or an old token can do: nothing.
SELECT * FROM test.beat('one', '{1.stl,2.stl}', 40, 'welding');
SELECT state, node, percent, stage, attempt FROM mesflow.price_jobs WHERE id IN (test.job('1.stl'), test.job('3.stl')) ORDER BY id;
SELECT * FROM test.beat('one', '{1.stl}', 101, 'beyond');
SELECT percent, stage FROM mesflow.price_jobs WHERE id = test.job('1.stl');
SELECT job = test.job('1.stl') AS job, verdict FROM mesflow.heartbeat(:node, decode(:'secret', 'hex'), ARRAY[test.job('1.stl')], ARRAY[7], '{1}', '{x}');
SELECT job = test.job('3.stl') AS not_mine, verdict FROM mesflow.heartbeat(:node, decode(:'secret', 'hex'), ARRAY[test.job('3.stl')], ARRAY[test.token('two', '3.stl')], '{1}', '{x}');
SELECT accepted FROM mesflow.complete_jobs(:node, decode(:'secret', 'hex'), ARRAY[test.job('1.stl')], ARRAY[7], ARRAY[test.box(1, 1, 1)]);
SELECT accepted FROM mesflow.complete_jobs(:node, decode(:'secret', 'hex'), ARRAY[test.job('3.stl')], ARRAY[test.token('two', '3.stl')], ARRAY[test.box(1, 1, 1)]);
SELECT mesflow.fail_job(:node, decode(:'secret', 'hex'), test.job('1.stl'), 7, 'malformed', 'x') AS failed,
       mesflow.release_jobs(:node, decode(:'secret', 'hex'), ARRAY[test.job('1.stl')], '{7}') AS released,
       mesflow.job_content(:node, decode(:'secret', 'hex'), test.job('1.stl'), 7) AS content;
SELECT * FROM test.error(format('SELECT mesflow.complete_jobs(%s, %L, %L, %L, %L)', :node, '\x' || :'secret', '{1,2}', '{1}', '{}'));
SELECT * FROM test.error(format('SELECT mesflow.heartbeat(%s, %L, %L, %L, %L, %L)', :node, '\x' || :'secret', '{1}', '{1}', '{}', '{x}'));
SELECT count(*) AS empty_heartbeat FROM mesflow.heartbeat(:node, decode(:'secret', 'hex'), '{}', '{}', '{}', '{}');
SELECT count(*) AS nothing_recorded FROM mesflow._measurements;

-- Given back: to its old place, uncharged; the old token is worthless.
SELECT test.token('one', '2.stl') AS old \gset
SELECT test.release('one', '{2.stl,1.stl}') AS released;
SELECT test.release('one', '{2.stl,1.stl}') AS again;
SELECT label, place, attempt, lives FROM test.jobs;
SELECT test.claim('two', 1);
SELECT test.claim('one', 1);
SELECT test.token('one', '2.stl') = :old AS same_token;
SELECT accepted FROM mesflow.complete_jobs(:node, decode(:'secret', 'hex'), ARRAY[test.job('2.stl')], ARRAY[:old], ARRAY[test.box(1, 1, 1)]);
-- Several at once, one of them twice.
SELECT job = test.job('2.stl') AS second, job = test.job('6.stl') AS sixth, accepted
  FROM mesflow.complete_jobs(:node, decode(:'secret', 'hex'), ARRAY[test.job('6.stl'), test.job('2.stl'), test.job('6.stl')],
                             ARRAY[test.token('one', '6.stl'), test.token('one', '2.stl'), test.token('one', '6.stl')],
                             ARRAY[test.box(1, 1, 1), test.box(2, 2, 2), test.box(3, 3, 3)]);
SELECT m.filename, r.volume_mm3 FROM mesflow.models m JOIN mesflow.measurements r ON r.model = m.id ORDER BY 1;
SELECT test.complete('two', '1.stl', test.box(1, 1, 1)), test.complete('two', '3.stl', test.box(1, 1, 1)), test.complete('two', '4.stl', test.box(1, 1, 1)),
       test.complete('two', '5.stl', test.box(1, 1, 1));

-- The same work: one does it, the others follow, whoever asked for it.
SELECT mesflow.upload_model('same', 'same.stl') AS model \gset
SELECT mesflow.request_quote(:'model', 'pla', 'fdm', 2) AS q2, mesflow.request_quote(:'model', 'pla', 'fdm', 3) AS q3 \gset
SELECT mesflow.upload_model('same', 'same.stl', NULL, 'acme') AS acme \gset
SELECT mesflow.upload_model('same', 'same in mm.stl', 'mm') IS NOT NULL AS "other unit, other work";
SELECT test.claim('one');
SELECT label, place, follows FROM test.jobs WHERE label ~ 'same';
SELECT state, queue_position, starts_at IS NOT NULL AS starts_at, finishes_at >= starts_at AS finishes_at FROM mesflow.price_jobs
 WHERE id = test.job('acme/same.stl');
SELECT partner, state FROM mesflow.models WHERE sha256 = sha256('same') AND unit IS DISTINCT FROM 'mm' ORDER BY 1;
SELECT test.complete('one', 'same.stl', test.box(10, 10, 10));
SELECT label, place, attempt FROM test.jobs WHERE label ~ 'same';
SELECT partner, state FROM mesflow.models WHERE sha256 = sha256('same') AND unit = 'mm' ORDER BY 1;
SELECT quantity, state FROM mesflow.quotes WHERE model = :'model' ORDER BY 1;
SELECT test.complete('one', 'same in mm.stl', test.box(1, 1, 1));
-- Work that was done meanwhile is settled by the next claim.
SELECT mesflow.upload_model('late', 'late.stl') AS late \gset
SELECT test.claim('one');
SELECT mesflow.request_quote(:'late', 'pla', 'fdm', 2) AS quote \gset
SELECT test.complete('one', 'late.stl', test.box(10, 10, 10));
SELECT label, place FROM test.jobs WHERE label ~ 'late';
SELECT test.claim('two') AS nothing_to_hand_out;
SELECT label, place FROM test.jobs WHERE label ~ 'late';
SELECT state FROM mesflow.quotes WHERE id = :'quote';
-- A leader that is cancelled, given back or fails lets its followers go on.
SELECT mesflow.upload_model('lead', 'lead.stl') AS model \gset
SELECT mesflow.request_quote(:'model', 'pla', 'fdm', n) FROM generate_series(2, 3) n \g /dev/null
SELECT test.claim('one');
SELECT label, place, follows FROM test.jobs WHERE label ~ 'lead';
SELECT mesflow.cancel_job(test.job('lead.stl'));
SELECT label, place, follows FROM test.jobs WHERE label ~ 'lead';
SELECT test.claim('one');
SELECT test.release('one', '{lead.stl x 2}');
SELECT label, place, follows FROM test.jobs WHERE label ~ 'lead';
SELECT test.claim('one');
SELECT test.fail('one', 'lead.stl x 2', 'crashed');
SELECT label, place, attempt, error_code, follows FROM test.jobs WHERE label ~ 'lead';
SELECT test.claim('one');
SELECT test.fail('one', 'lead.stl x 3', 'malformed');
SELECT label, place, attempt, error_code FROM test.jobs WHERE label ~ 'lead';
SELECT test.pass_time(), mesflow._sweep_jobs() AS moved;
SELECT test.claim('one') AS its_outcome_is_known;
SELECT label, place, attempt, error_code FROM test.jobs WHERE label ~ 'lead';
-- More than a hundred followers are settled by degrees.
SELECT mesflow.upload_model('many', 'many.stl') AS model \gset
SELECT count(mesflow.request_quote(:'model', 'pla', 'fdm', n)) AS quotes FROM generate_series(2, 251) n;
SELECT test.claim('one');
SELECT test.claim_all('one') AS next, mesflow._more_jobs() AS more;
SELECT place, count(*) FROM test.jobs WHERE label ~ 'many' GROUP BY 1 ORDER BY 1;
SELECT test.complete('one', 'many.stl', test.box(10, 10, 10));
SELECT place, count(*) BETWEEN CASE place WHEN 'done' THEN 2 ELSE 150 END AND 251 AS some FROM test.jobs WHERE label ~ 'many' GROUP BY 1 ORDER BY 1;
SELECT test.claim_rest('two') AS handed_out, mesflow._more_jobs() AS more;
SELECT state, count(*) FROM mesflow.quotes WHERE model = :'model' GROUP BY 1;

-- A node takes what its memory allows: 64 MB + 4 x the size, rounded up; the rest stays.
SELECT mesflow.upload_model(decode(repeat('00', 3 * 1048576), 'hex'), 'large.stl'), mesflow.upload_model('small', 'small.stl') \g /dev/null
SELECT label, (SELECT memory_mb FROM mesflow._jobs_waiting w WHERE w.id = test.job(label)) AS memory_mb FROM test.jobs WHERE place = 'waiting';
SELECT test.claim('one', 10, 67) AS none;
SELECT test.claim('one', 10, 79) AS small;
SELECT test.claim('one', 10, 80) AS large;
SELECT test.release('one', '{large.stl,small.stl}');
SELECT count(*) AS problems FROM mesflow.verify_jobs();
