-- The shop developer's day, on the example catalog: from the bytes of a file to a price that a customer accepts, or does not.
\ir day.psql
\ir ../models/examples.psql
SET ROLE mesflow_app;

-- Upload, and wait. The same bytes again are the same model; another unit is another.
SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl') AS bracket \gset
SELECT state, error FROM mesflow.await_model(:'bracket');
SELECT pg_temp.same('once more', mesflow.upload_model(pg_temp.bracket(), 'another name.stl'), :'bracket'::uuid);
SELECT pg_temp.same('the model', (SELECT ARRAY[state, format, unit, unit_from] FROM mesflow.models WHERE id = :'bracket'), '{measured,stl,mm,default}'::text[]),
       pg_temp.same('its facts', (SELECT ARRAY[triangles, bodies, volume_mm3, area_mm2]::numeric[] FROM mesflow.measurements WHERE model = :'bracket'), '{20,1,5280,3328}'::numeric[]);

-- In pieces, as over a shaky line: a repeated piece is harmless.
SELECT mesflow.begin_upload('ring.stl', length(pg_temp.ring())) AS upload \gset
SELECT mesflow.append_upload(:'upload', 0, substr(pg_temp.ring(), 1, 50000));
SELECT mesflow.append_upload(:'upload', 0, substr(pg_temp.ring(), 1, 50000));
SELECT pg_temp.same('all of it', mesflow.append_upload(:'upload', 50000, substr(pg_temp.ring(), 50001)), length(pg_temp.ring())::bigint);
SELECT mesflow.finish_upload(:'upload', sha256(pg_temp.ring())) AS ring \gset
SELECT state, error FROM mesflow.await_model(:'ring');

-- All that fits: every material of every process, nothing written.
SELECT process, material, unit_price, total, currency, lead_days, error_code FROM mesflow.estimate(:'bracket');
SELECT pg_temp.same('what can be had', (SELECT array_agg(concat_ws(' ', process, material, error_code) ORDER BY process, material) FROM mesflow.estimate(:'bracket') WHERE total > 0),
         '{casting brass,casting gold585 over_review_limit,casting gold750 over_review_limit,casting silver925,fdm petg,fdm pla,sla resin,sls pa12}'::text[]),
       pg_temp.same('all sound', (SELECT bool_and(pg_temp.sound(e.breakdown, e.total) AND e.total = e.net + e.tax) FROM mesflow.estimate(:'bracket', quantity => 7) e), true),
       pg_temp.same('only who paints', (SELECT array_agg(process || ' ' || material ORDER BY 1) FROM mesflow.estimate(:'bracket', options => '{"finish": "painted"}')), '{fdm petg,fdm pla}'::text[]),
       pg_temp.same('nothing is written', (SELECT count(*) FROM mesflow.quotes), 0);

-- Sizes, from one measurement: lengths x 2 is eight times the volume; beyond the machine there is no price.
SELECT pg_temp.same('sizes', (SELECT array_agg(coalesce(e.error_code, 'fits') ORDER BY s) FROM unnest('{0.5,1,2,6,7}'::numeric[]) s,
                                     mesflow.estimate(:'bracket', 'pla', 'fdm', options => jsonb_build_object('scale', s)) e),
                    '{fits,fits,fits,fits,does_not_fit}'::text[]),
       pg_temp.same('eight times', (SELECT array_agg(l -> 'quantity' ORDER BY s) FROM unnest('{1,2}'::numeric[]) s,
                                           mesflow.estimate(:'bracket', 'pa12', 'sls', options => jsonb_build_object('scale', s)) e, jsonb_array_elements(e.breakdown) l
                                     WHERE l ->> 'line' = 'material'), '{5.3328,42.6624}'::jsonb[]);

-- Ahead of the configurator: what goes together of 3 materials and 2 processes, in 2 quantities and 3 sizes, is 3 x 6 quotes.
SELECT mesflow.preflight_quotes(:'bracket', '{pla,petg,resin}', '{fdm,sla}', '{1,10}', '{0.5,1,2}') AS job \gset
CALL pg_temp.await_job(:job);
SELECT pg_temp.same('the job', (SELECT ARRAY[kind, state, percent::text] FROM mesflow.price_jobs WHERE id = :job), '{preflight,done,100}'::text[]),
       pg_temp.same('made', (SELECT array_agg(n ORDER BY process, material) FROM (SELECT process, material, count(*) AS n FROM mesflow.quotes WHERE state = 'priced' GROUP BY 1, 2) q), '{6,6,6}'::bigint[]);
SELECT mesflow.request_quote(:'bracket', 'pla', 'fdm', 10, '{"scale": 2}') AS first, mesflow.request_quote(:'bracket', 'pla', 'fdm', 10, '{"scale": 2}') AS second \gset
SELECT pg_temp.same('one handed out, one made', (SELECT count(*) FROM mesflow.quotes), 19),
       pg_temp.same('each their own', :'first'::uuid = :'second'::uuid, false),
       pg_temp.same('the same price', (SELECT breakdown FROM mesflow.quotes WHERE id = :'first'), (SELECT breakdown FROM mesflow.quotes WHERE id = :'second')),
       pg_temp.same('as estimated', (SELECT breakdown FROM mesflow.quotes WHERE id = :'first'), (SELECT breakdown FROM mesflow.estimate(:'bracket', 'pla', 'fdm', 10, '{"scale": 2}')));

-- A promise for a model that is known: there at once, and the price of the estimate.
SELECT mesflow.request_quote(:'bracket', 'pla', 'fdm', 60, '{"finish": "sanded", "note": "for the window"}') AS quote \gset
SELECT pg_temp.same('the promise', (SELECT ARRAY[state, currency, price_list] FROM mesflow.quotes WHERE id = :'quote'), '{priced,EUR,example}'::text[]),
       pg_temp.same('as estimated', (SELECT q.breakdown FROM mesflow.quotes q WHERE q.id = :'quote'), (SELECT e.breakdown FROM mesflow.estimate(:'bracket', 'pla', 'fdm', 60, '{"finish": "sanded"}') e)),
       pg_temp.same('with a discount', (SELECT l -> 'rate' FROM mesflow.quotes q, jsonb_array_elements(q.breakdown) l WHERE q.id = :'quote' AND l ->> 'line' = 'quantity_discount'), '-0.05'::jsonb);
-- For one that is not known yet: pending, then priced in the background.
SELECT mesflow.upload_model(pg_temp.bracket(2), 'large.stl') AS large, mesflow.upload_model(pg_temp.bracket(0.02), 'small.stl') AS small \gset
SELECT mesflow.request_quote(:'large', 'petg', 'fdm') AS waiting \gset
SELECT pg_temp.same('a pending one', (SELECT state FROM mesflow.await_quote(:'waiting')), 'priced');
SELECT pg_temp.same('nothing to wait for', (SELECT count(*) FROM mesflow.price_jobs WHERE quote = :'waiting' AND state <> 'done'), 0);

-- What a customer sees: the public lines, one sum for the others, and the total.
SELECT l ->> 'line' AS line, (l ->> 'amount')::numeric AS amount, l ->> 'why' AS why
  FROM mesflow.quotes q, jsonb_array_elements(q.breakdown) l WHERE q.id = :'quote' AND (l ->> 'public')::boolean
UNION ALL
SELECT 'making', sum((l ->> 'amount')::numeric), ''
  FROM mesflow.quotes q, jsonb_array_elements(q.breakdown) l WHERE q.id = :'quote' AND NOT (l ->> 'public')::boolean;
SELECT pg_temp.same('hidden', (SELECT array_agg(l ->> 'line') FROM mesflow.quotes q, jsonb_array_elements(q.breakdown) l WHERE q.id = :'quote' AND NOT (l ->> 'public')::boolean), '{machine}'::text[]);

-- Files that are no good raise nothing; each quote says why, in a code that stays and a sentence.
SELECT mesflow.upload_model(substr(pg_temp.bracket(), 1, 898), 'cut.stl') AS cut,
       mesflow.upload_model(convert_to(regexp_replace(convert_from(pg_temp.bracket(), 'UTF8'), E'(?:facet normal.*?endfacet\n){6}', ''), 'UTF8'), 'open.stl') AS open,
       mesflow.upload_model(convert_to('ISO-10303-21;', 'UTF8'), 'part.step') AS step \gset
SELECT mesflow.request_quote(:'cut', 'pla', 'fdm') AS q1, mesflow.request_quote(:'open', 'pla', 'fdm') AS q2, mesflow.request_quote(:'step', 'pla', 'fdm') AS q3,
       mesflow.request_quote(:'small', 'pla', 'fdm') AS q4, mesflow.request_quote(:'bracket', 'gold585', 'fdm') AS q5,
       mesflow.request_quote(:'ring', 'gold750', 'casting', 40) AS q6, mesflow.request_quote(:'bracket', 'pla', 'fdm', options => '{"scale": 10}') AS q7 \gset
SELECT (a).state, (a).error_code, (a).error FROM unnest(ARRAY[:'q1', :'q2', :'q3', :'q4', :'q5', :'q6', :'q7']::uuid[]) q, mesflow.await_quote(q) a;
SELECT pg_temp.same('what becomes of them', (SELECT array_agg(q.state || ' ' || q.error_code || CASE WHEN q.total > 0 THEN ' with a price' ELSE '' END ORDER BY n)
                                               FROM unnest(ARRAY[:'q1', :'q2', :'q3', :'q4', :'q5', :'q6', :'q7']::uuid[]) WITH ORDINALITY AS u (id, n) JOIN mesflow.quotes q USING (id)
                                              WHERE q.error <> ''),
         ARRAY['failed truncated', 'failed not_watertight', 'review unsupported', 'review tiny with a price', 'failed material_not_for_process',
               'review over_review_limit with a price', 'failed does_not_fit']);

-- What a program must handle: errors of class MF, and no right to set prices.
SELECT pg_temp.same('an unknown option', pg_temp.refusal(format('SELECT mesflow.estimate(%L, %L, %L, 1, %L)', :'bracket', 'pla', 'fdm', '{"glitter": true}')), 'MF400'),
       pg_temp.same('no pieces', pg_temp.refusal(format('SELECT mesflow.request_quote(%L, %L, %L, 0)', :'bracket', 'pla', 'fdm')), 'MF400'),
       pg_temp.same('another partner''s', pg_temp.refusal(format('SELECT mesflow.estimate(%L, partner => %L)', :'bracket', 'acme')), 'MF404'),
       pg_temp.same('no such process', pg_temp.refusal(format('SELECT mesflow.request_quote(%L, %L, %L)', :'bracket', 'pla', 'knitting')), 'MF404'),
       pg_temp.same('rates', pg_temp.refusal('SELECT value FROM mesflow.rates'), '42501'),
       pg_temp.same('prices by hand', pg_temp.refusal(format('SELECT mesflow.price_quote(%L, 1, %L)', :'q3', 'cheap')), '42501');

-- A person prices one, and rejects another; the shop reads the answer.
SET ROLE mesflow_manager;
SELECT pg_temp.same('on the desk', (SELECT array_agg(error_code ORDER BY error_code) FROM mesflow.quotes WHERE state = 'review'), '{over_review_limit,tiny,unsupported}'::text[]);
SELECT mesflow.price_quote(:'q3', 120.00, 'from the drawing', 'Olga');
SELECT mesflow.price_quote(:'q3', 120.00, 'from the drawing', 'Olga');
SELECT mesflow.reject_quote(:'q4', 'This is 0.8 mm long: please upload it in the right unit.', 'Olga');
SET ROLE mesflow_app;
SELECT pg_temp.same('priced by hand', (SELECT ARRAY[state, unit_price::text, net::text, tax::text, total::text, decided_by, note] FROM mesflow.quotes WHERE id = :'q3'),
                    '{priced,120.00,120.00,24.00,144.00,Olga,from the drawing}'::text[]),
       pg_temp.same('rejected', (SELECT ARRAY[state, error_code, error] FROM mesflow.quotes WHERE id = :'q4'),
                    ARRAY['failed', 'tiny', 'This is 0.8 mm long: please upload it in the right unit.']);

-- A customer who changes their mind, and one who comes too late.
SELECT pg_temp.same('withdrawn', mesflow.cancel_quote(:'quote'), true),
       pg_temp.same('only once', mesflow.cancel_quote(:'quote'), false);
SET ROLE mesflow_admin;
INSERT INTO mesflow.price_lists (code, currency, tax_rate, quote_validity, general) VALUES ('today only', 'EUR', 0.20, '1 ms', false);
INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
  SELECT 'today only', process, material, name, value, unit, public FROM mesflow.rates WHERE price_list = 'example';
UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'today only';
UPDATE mesflow.partners SET price_list = 'today only' WHERE code = 'acme';
SET ROLE mesflow_app;
SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl', partner => 'acme') AS theirs \gset
SELECT mesflow.request_quote(:'theirs', 'pla', 'fdm', partner => 'acme') AS late \gset
SELECT pg_sleep(0.01);
SELECT pg_temp.same('too late', (SELECT ARRAY[state, (total > 0)::text, (expires_at < clock_timestamp())::text] FROM mesflow.quotes WHERE id = :'late'), '{expired,true,true}'::text[]);
SET ROLE mesflow_manager;
SELECT pg_temp.same('nothing to decide', pg_temp.refusal(format('SELECT mesflow.reject_quote(%L, %L)', :'late', 'late')), 'MF423');

-- A basket becomes an order: its id is there at once, and so is its price, for both models are known.
SET ROLE mesflow_app;
SELECT jsonb_build_array(jsonb_build_object('model', :'bracket', 'material', 'pla', 'process', 'fdm', 'quantity', 2),
                         jsonb_build_object('model', :'ring', 'material', 'silver925', 'process', 'casting')) AS basket \gset
SELECT mesflow.submit_order('shop', 'WEB-1', :'basket', '{"name": "Anna Berg", "email": "anna@example.org"}') AS web1 \gset
SELECT pg_temp.same('priced at once', (SELECT status FROM mesflow.orders WHERE id = :'web1'), 'priced'),
       pg_temp.same('again after a lost answer', mesflow.submit_order('shop', 'WEB-1', :'basket', '{"email": "anna@example.org", "name": "Anna Berg"}'), :'web1'::uuid),
       pg_temp.same('another basket', pg_temp.refusal(format('SELECT mesflow.submit_order(%L, %L, %L)', 'shop', 'WEB-1', '[{"quote": "' || :'q3' || '"}]')), 'MF409'),
       pg_temp.same('an empty one', pg_temp.refusal(format('SELECT mesflow.submit_order(%L, %L, %L)', 'shop', 'WEB-2', '[]')), 'MF400');
-- One with a model that nobody has measured yet, and one that cannot be made: both are accepted, and say later what became of them.
SELECT mesflow.submit_order('shop', 'WEB-2', jsonb_build_array(jsonb_build_object('model', mesflow.upload_model(pg_temp.bracket(1.2), 'new.stl'), 'material', 'petg', 'process', 'fdm'))) AS web2,
       mesflow.submit_order('shop', 'WEB-3', jsonb_build_array(jsonb_build_object('model', :'open', 'material', 'pla', 'process', 'fdm'))) AS web3 \gset
CALL pg_temp.await_status(:'web2', 'priced');
SELECT pg_temp.same('cannot be made', (SELECT ARRAY[o.status, i.state, i.error_code] FROM mesflow.orders o JOIN mesflow.order_items i ON i.order_id = o.id WHERE o.id = :'web3'),
                    '{pricing_failed,failed,not_watertight}'::text[]);
-- Paid; the customer takes another one back.
SELECT mesflow.advance_order(:'web1', 'approved', note => 'paid by card', expect => 'priced');
SELECT mesflow.advance_order(:'web1', 'approved', note => 'paid by card', expect => 'priced');
SELECT mesflow.cancel_order(:'web2', 'the customer has changed their mind');
SELECT pg_temp.same('what was told', (SELECT array_agg(type ORDER BY id) FROM mesflow.outbox WHERE order_id = :'web1'), '{order.submitted,order.priced,order.approved,work.queued,work.queued}'::text[]),
       pg_temp.same('where they are', (SELECT array_agg(external_ref || ' ' || status ORDER BY external_ref) FROM mesflow.orders WHERE external_ref LIKE 'WEB-%'),
                    '{"WEB-1 approved","WEB-2 cancelled","WEB-3 pricing_failed"}'::text[]);

SET ROLE mesflow_monitor;
SELECT pg_temp.same('no job is lost', (SELECT count(*) FROM mesflow.verify_jobs()), 0),
       pg_temp.same('none is left', (SELECT count(*) FROM mesflow.price_jobs WHERE state IN ('queued', 'running', 'scheduled')), 0);
