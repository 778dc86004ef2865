-- Quotes: from the request to the price, cancelled, expired, and what is refused.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SELECT test.register('node');

-- Pending while the model is not measured; priced with its completion.
SELECT mesflow.upload_model('ring', 'ring.stl') AS ring \gset
SELECT mesflow.request_quote(:'ring', 'pla', 'fdm', 3, '{"infill": 0.5}') AS quote \gset
SELECT state, quantity, options, unit_price, total, lead_days, priced_at, expires_at FROM mesflow.quotes WHERE id = :'quote';
SELECT label, place, follows FROM test.jobs;
SELECT test.claim('node');
SELECT label, place, follows FROM test.jobs;
SELECT test.complete('node', 'ring.stl', test.box(10, 10, 10));
SELECT label, place, attempt, error_code FROM test.jobs;
SELECT q.state, q.unit_price, q.net, q.tax, q.total, q.price_list, (q.unit_price, q.net, q.total) = (e.unit_price, e.net, e.total) AS as_estimated,
       q.priced_at >= q.created_at AS after, q.expires_at - q.priced_at BETWEEN interval '30 days' - interval '1 min' AND '30 days' AS valid
  FROM mesflow.quotes q, mesflow.estimate(:'ring', 'pla', 'fdm', 3, '{"infill": 0.5}') e WHERE q.id = :'quote';
SELECT (mesflow.await_quote(:'quote')).state, (mesflow.await_model(:'ring')).state AS model;
-- A measured model is priced at once, without a job.
SELECT mesflow.request_quote(:'ring', 'petg', 'fdm') AS at_once \gset
SELECT state, total IS NOT NULL AS total FROM mesflow.quotes WHERE id = :'at_once';
SELECT count(*) AS jobs FROM test.jobs;

-- A quote lasts until its time is up, judged by the clock.
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 ms' WHERE id = :'quote';
SELECT state, total IS NOT NULL AS total FROM mesflow.quotes WHERE id = :'quote';
SELECT (mesflow.await_quote(:'quote')).state;
UPDATE mesflow._quotes SET expires_at = clock_timestamp() + interval '1 hour' WHERE id = :'quote';
SELECT state FROM mesflow.quotes WHERE id = :'quote';

-- Cancelling: priced; again; pending; failed; unknown.
SELECT mesflow.cancel_quote(:'quote') AS first, mesflow.cancel_quote(:'quote') AS again;
SELECT state FROM mesflow.quotes WHERE id = :'quote';
SELECT mesflow.upload_model('second', 'second.stl') AS second \gset
SELECT mesflow.request_quote(:'second', 'pla', 'fdm', 4) AS quote \gset
SELECT mesflow.cancel_quote(:'quote') AS first, mesflow.cancel_quote(:'quote') AS again;
SELECT state FROM mesflow.quotes WHERE id = :'quote';
SELECT label, place FROM test.jobs WHERE label LIKE 'second%';
SELECT mesflow.request_quote(:'ring', 'resin', 'fdm') AS quote \gset
SELECT mesflow.cancel_quote(:'quote') AS failed;
SELECT state, error_code FROM mesflow.quotes WHERE id = :'quote';
SELECT * FROM test.error($$SELECT mesflow.cancel_quote('00000000-0000-7000-8000-000000000000')$$);
SELECT * FROM test.error($$SELECT mesflow.cancel_quote(NULL)$$);
-- A completion does not bring a cancelled quote back.
SELECT mesflow.request_quote(:'second', 'pla', 'fdm', 5) AS quote \gset
SELECT test.claim('node');
SELECT mesflow.cancel_quote(:'quote');
SELECT test.complete('node', 'second.stl', test.box(10, 10, 10));
SELECT state, total FROM mesflow.quotes WHERE id = :'quote';
SELECT label, place FROM test.jobs WHERE label LIKE 'second%';

-- A model that cannot be read fails its quotes with its own code; one that we do not support goes to a person.
SELECT mesflow.upload_model('broken', 'broken.stl') AS broken, mesflow.upload_model('step', 'part.step') AS step \gset
SELECT mesflow.request_quote(:'broken', 'pla', 'fdm') AS broken_quote, mesflow.request_quote(:'step', 'pla', 'fdm') AS step_quote \gset
SELECT test.claim('node');
SELECT test.fail('node', 'broken.stl', 'malformed', 'Line 7 is not a facet.'), test.fail('node', 'part.step', 'unsupported', 'STEP files are not read.');
SELECT state, total, error_code, error, lead_days FROM mesflow.quotes WHERE id IN (:'broken_quote', :'step_quote') ORDER BY id;
SELECT filename, state, error_code, error FROM mesflow.models WHERE id IN (:'broken', :'step') ORDER BY id;
SELECT count(*) AS measured FROM mesflow.measurements WHERE model IN (:'broken', :'step');
-- Later quotes learn it at once.
SELECT mesflow.request_quote(:'broken', 'pla', 'fdm') AS quote \gset
SELECT state, error_code FROM mesflow.quotes WHERE id = :'quote';
SELECT error_code, error FROM mesflow.estimate(:'broken', 'pla', 'fdm');
SELECT mesflow.cancel_quote(:'step_quote') AS review_can_be_cancelled;

-- What changed while a quote was pending counts.
SELECT mesflow.upload_model('meanwhile', 'meanwhile.stl') AS meanwhile \gset
SELECT mesflow.request_quote(:'meanwhile', 'pla', 'fdm') AS a, mesflow.request_quote(:'meanwhile', 'petg', 'fdm', 2) AS b \gset
UPDATE mesflow.materials SET active = false WHERE code = 'pla';
SELECT mesflow.revise_price_list('[{"name": "setup", "value": 50}]', 'dearer') AS list;
SELECT test.claim('node');
SELECT test.complete('node', 'meanwhile.stl', test.box(10, 10, 10));
SELECT material, state, total, error_code FROM mesflow.quotes WHERE id IN (:'a', :'b') ORDER BY id;
UPDATE mesflow.materials SET active = true WHERE code = 'pla';

-- Arguments.
CREATE FUNCTION test.request(material text DEFAULT 'pla', process text DEFAULT 'fdm', quantity integer DEFAULT 1, options jsonb DEFAULT '{}', partner text DEFAULT 'shop')
RETURNS TABLE (error text) LANGUAGE sql AS $$
  SELECT e.error FROM test.error(format('SELECT mesflow.request_quote(%L, %L, %L, %L, %L, %L)', (SELECT id FROM mesflow._models WHERE filename = 'ring.stl'), $1, $2, $3, $4, $5)) e
$$;
SELECT * FROM test.request();
SELECT * FROM test.request(quantity => 0);
SELECT * FROM test.request(quantity => -1);
SELECT * FROM test.request(quantity => 1000001);
SELECT * FROM test.request(quantity => 1000000000);
SELECT * FROM test.request(quantity => NULL);
SELECT * FROM test.request(quantity => 1000000);
SELECT * FROM test.request(material => 'wood');
SELECT * FROM test.request(material => NULL);
SELECT * FROM test.request(process => 'magic');
SELECT * FROM test.request(partner => 'acme');
SELECT * FROM test.request(partner => 'nobody');
UPDATE mesflow.partners SET active = false WHERE code = 'acme';
SELECT * FROM test.request(partner => 'acme');
UPDATE mesflow.partners SET active = true WHERE code = 'acme';
SELECT * FROM test.error($$SELECT mesflow.request_quote(NULL, 'pla', 'fdm')$$);
SELECT * FROM test.request(options => NULL);
SELECT * FROM test.request(options => '[]');
SELECT * FROM test.request(options => '"infill"');
SELECT * FROM test.request(options => '{"infil": 0.5}');
SELECT * FROM test.request(options => '{"infill": 1.01}');
SELECT * FROM test.request(options => '{"infill": -0.01}');
SELECT * FROM test.request(options => '{"infill": "0.5"}');
SELECT * FROM test.request(options => '{"infill": null}');
SELECT * FROM test.request(options => '{"infill": [0.5]}');
SELECT * FROM test.request(options => '{"finish": "polished"}');
SELECT * FROM test.request(options => '{"finish": ["none"]}');
SELECT * FROM test.request(options => '{"finish": 1}');
SELECT * FROM test.request(options => jsonb_build_object('note', repeat('x', 1001))) WHERE error NOT LIKE '  detail%';
SELECT * FROM test.request(options => jsonb_build_object('note', repeat('x', 1000)));
SELECT * FROM test.request(options => '{"infill": 0, "wall_mm": 10, "finish": "painted", "colour": "", "note": "💍"}');
-- All types of options.
UPDATE mesflow.processes SET options = options || '{"layers": {"type": "integer", "min": 1}, "hollow": {"type": "boolean"}, "scale": {"type": "number", "min": 1, "allowed": [1, 2]}}' WHERE code = 'fdm';
SELECT o AS options, (SELECT error FROM test.request(options => o::jsonb) LIMIT 1) AS answer
  FROM unnest(ARRAY['{"layers": 3}', '{"layers": 3.0}', '{"layers": 3.5}', '{"layers": 0}', '{"layers": 1e400}', '{"layers": "3"}', '{"hollow": true}', '{"hollow": "true"}', '{"hollow": 1}',
                    '{"scale": 2}', '{"scale": 2.00}', '{"scale": 3}', '{"": 1}']) o;

-- The trace of a caller is continued; a broken one counts as none.
SELECT mesflow.upload_model('traced', 'traced.stl', traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') AS traced \gset
SELECT correlation_id FROM mesflow._models WHERE id = :'traced';
SELECT mesflow.request_quote(:'traced', 'pla', 'fdm') AS quote \gset
SELECT correlation_id AS of_the_model FROM mesflow._quotes WHERE id = :'quote';
SELECT mesflow.request_quote(:'traced', 'pla', 'fdm', traceparent => '00-11111111111111111111111111111111-2222222222222222-00') AS quote \gset
SELECT correlation_id AS its_own FROM mesflow._quotes WHERE id = :'quote';
SELECT mesflow.request_quote(:'traced', 'pla', 'fdm', traceparent => 'no header') AS quote \gset
SELECT correlation_id AS of_the_model FROM mesflow._quotes WHERE id = :'quote';
SELECT mesflow.upload_model('untraced') AS untraced \gset
SELECT correlation_id IS NOT NULL AS made FROM mesflow._models WHERE id = :'untraced';
SELECT h AS header, mesflow._trace_id(h) IS NOT NULL AS valid
  FROM unnest(ARRAY['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
                    '00-00000000000000000000000000000000-b7ad6b7169203331-01', '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
                    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331',
                    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x',
                    'cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more',
                    'cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more', '', NULL]) h;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
