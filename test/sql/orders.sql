-- Orders: from submit_order to their prices, the same order again, and items that are quotes.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.register('node') \g /dev/null
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring, test.measured('cube.stl', test.box(10, 10, 10)) AS cube,
       test.measured('cube.stl', test.box(10, 10, 10), 'acme') AS theirs \gset

-- All measured: two events at once, and a price.
SELECT test.submit('measured', jsonb_build_array(test.item(:'ring', 2), test.item(:'cube', 1, '{"infill": 0.5}')));
SELECT * FROM test.told;
SELECT * FROM test.items;
SELECT * FROM test.events;
SELECT o.total = sum(i.total) AND o.net = sum(i.net) AND o.tax = sum(i.tax) AND o.net + o.tax = o.total AS adds_up,
       bool_and(i.total = e.total) AS as_estimated, count(*) AS items
  FROM mesflow.orders o JOIN mesflow.order_items i ON i.order_id = o.id CROSS JOIN LATERAL mesflow.estimate(i.model, i.material, i.process, i.quantity, i.options) e
 WHERE o.id = test.id('measured') GROUP BY o.id;
SELECT o.number ~ '^\d{6}$' AND test.damm(o.number) = 0 AS number, o.correlation_id = m.correlation_id AS correlation_of_the_first_model, o.traceparent, o.external_ref, o.partner,
       o.created_at <= o.status_since AS created, o.price_expires_at = (SELECT min(q.expires_at) FROM mesflow.order_items i JOIN mesflow.quotes q ON q.id = i.quote WHERE i.order_id = o.id) AS expires
  FROM mesflow.orders o, mesflow._models m WHERE o.id = test.id('measured') AND m.id = :'ring';

-- One not measured: submitted, until its job is done and it has been summed up. Of its second item nobody waits for anything.
SELECT mesflow.upload_model('later', 'later.stl') AS later \gset
SELECT test.submit('waits', jsonb_build_array(test.item(:'later', 3), test.item(:'ring')));
SELECT label, place FROM test.jobs WHERE place NOT IN ('done');
SELECT mesflow._sum_orders() AS nothing_to_sum_up;
SELECT test.claim('node');
SELECT test.complete('node', 'later.stl', test.box(30, 30, 30));
SELECT label, place FROM test.jobs WHERE label ~ '^later';
SELECT status, seq FROM test.told WHERE name = 'waits';
SELECT mesflow._sum_orders() > 0 AS summed_up, mesflow._sum_orders() AS again;
SELECT count(*) AS left_over FROM mesflow._orders_to_sum;
SELECT * FROM test.told WHERE name = 'waits';
SELECT * FROM test.events WHERE name = 'waits';
-- A model that breaks fails its item and its order; nothing was raised. A person prices what a person can.
SELECT mesflow.upload_model('broken', 'broken.stl') AS broken, mesflow.upload_model('step', 'part.step') AS step \gset
SELECT test.submit('breaks', jsonb_build_array(test.item(:'ring'), test.item(:'broken'))), test.submit('needs a person', jsonb_build_array(test.item(:'step')));
SELECT test.claim('node');
SELECT test.fail('node', 'broken.stl', 'malformed'), test.fail('node', 'part.step', 'unsupported', 'STEP files are not read.');
SELECT mesflow._sum_orders();
SELECT name, status, seq, total FROM test.told WHERE name IN ('breaks', 'needs a person');
SELECT * FROM test.items WHERE name IN ('breaks', 'needs a person');
SELECT mesflow.price_quote(i.quote, 20, 'by the drawing', 'anna') FROM mesflow.order_items i WHERE i.order_id IN (test.id('breaks'), test.id('needs a person')) AND i.state <> 'priced';
SELECT mesflow._sum_orders();
SELECT name, status, seq, total FROM test.told WHERE name IN ('breaks', 'needs a person');
SELECT name, seq, type, actor FROM test.events WHERE name IN ('breaks', 'needs a person');
-- Of models that are known to be broken, or in review: at once.
SELECT test.submit('broken at once', jsonb_build_array(test.item(:'broken'))), test.submit('review at once', jsonb_build_array(test.item(:'ring'), test.item(:'step'))), test.submit('too large', jsonb_build_array(test.item(:'ring', 1, '{"scale": 10}', 'resin', 'sla')));
SELECT name, seq, type, "from", "to" FROM test.events WHERE name ~ 'at once|too large';
SELECT name, state, error_code FROM test.items WHERE name ~ 'at once|too large';

-- The same order again: the same id, nothing written. Keys in another order, what is missing given or null.
SELECT test.submit('again', jsonb_build_array(test.item(:'ring', 1, '{"infill": 0.4, "finish": "none"}'), test.item(:'cube')), '{"name": "Ann", "address": {"city": "Wien", "zip": "1010"}}', '2030-01-01 12:00+00');
CREATE TABLE test.once AS SELECT (SELECT count(*) FROM mesflow._quotes) AS quotes, (SELECT count(*) FROM mesflow.outbox) AS events, (SELECT count(*) FROM mesflow.orders) AS orders, (SELECT count(*) FROM mesflow._order_items) AS items;
CREATE FUNCTION test.again(items text, customer jsonb DEFAULT '{"name": "Ann", "address": {"city": "Wien", "zip": "1010"}}', due_at timestamptz DEFAULT '2030-01-01 12:00+00') RETURNS text LANGUAGE sql AS $$
  SELECT test.answer(format($f$SELECT 1 / (mesflow.submit_order('shop', 'again', %L, %L, %L) = test.id('again'))::integer$f$, $1, $2, $3))
$$;
SELECT format('{"model": "%s", "material": "pla", "process": "fdm"}', :'cube') AS cube_item \gset
SELECT format('[{"process": "fdm", "options": {"finish": "none", "infill": 0.4}, "material": "pla", "model": "%s"}, %s]', upper(:'ring'), :'cube_item') AS same \gset
SELECT test.again(:'same');
SELECT test.again(format('[{"quantity": 1, "model": "{%s}", "material": "pla", "process": "fdm", "quote": null, "options": {"infill": 0.40, "finish": "none"}}, {"model": "%s", "material": "pla", "process": "fdm", "quantity": 1.0, "options": {}}]', replace(:'ring', '-', ''), :'cube'));
SELECT test.again(:'same', '{"address": {"zip": "1010", "city": "Wien"}, "name": "Ann", "email": null}', '2030-01-01 14:00+02');
-- A number wrong in one digit, or with two neighbours exchanged, is no number of any order.
SELECT count(*) AS taken_for_another FROM mesflow.orders o, generate_series(1, length(o.number)) p, generate_series(0, 9) d WHERE substr(o.number, p, 1) <> d::text AND test.damm(overlay(o.number PLACING d::text FROM p)) = 0;
-- Other content: the difference is named, of the customer only where.
SELECT test.again(format('[%s]', :'cube_item'));
SELECT test.again(format('[%s, %s]', :'cube_item', :'cube_item'));
SELECT test.again(replace(:'same', '0.4', '0.41'));
SELECT test.again(replace(:'same', '"pla", "model"', '"petg", "model"'));
SELECT test.again(replace(:'same', '"process": "fdm", "options"', '"process": "sls", "options"'));
SELECT test.again(replace(:'same', '"process": "fdm", "options"', '"quantity": 5, "process": "fdm", "options"'));
SELECT test.again(format('[%s, %s, %s]', :'cube_item', :'cube_item', :'cube_item'));
SELECT test.again(:'same', due_at => NULL);
SELECT test.again(:'same', due_at => '2030-01-01 12:00:00.000001+00');
SELECT test.again(:'same', NULL);
SELECT test.again(:'same', '{"name": "Eve", "note": "x", "address": {"city": "Wien", "zip": "1010"}}');
SELECT test.again(:'same', '{"name": "Ann", "address": {"city": "Wien", "zip": "1020"}}');
SELECT test.again(format('[%s, %s]', :'cube_item', :'cube_item'), '{"name": "Eve"}', NULL);
SELECT * FROM test.refused(format($$SELECT mesflow.submit_order('shop', 'again', '[%s]')$$, :'cube_item'));
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'measured', %L, '{}')$$, jsonb_build_array(test.item(:'ring', 2), test.item(:'cube', 1, '{"infill": 0.5}'))));
-- A text that looks like nothing is not nothing.
SELECT test.submit('dash', jsonb_build_array(test.item(:'cube')), '{"name": "-"}');
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'dash', %L, '{}')$$, jsonb_build_array(test.item(:'cube'))));
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'dash', %L, '{"name": ""}')$$, jsonb_build_array(test.item(:'cube'))));
-- Options that are defaults are what was asked for, or not: the order says which.
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'dash', %L, '{"name": "-"}')$$, jsonb_build_array(test.item(:'cube', 1, '{"infill": 0.2}'))));
SELECT (SELECT count(*) FROM mesflow._quotes) - quotes AS quotes, (SELECT count(*) FROM mesflow.outbox) - events AS events, (SELECT count(*) FROM mesflow.orders) - orders AS orders, (SELECT count(*) FROM mesflow._order_items) - items AS items FROM test.once;
-- Also after it was changed and moved on, and by a partner who has been closed since. The same reference of another partner is another order.
SELECT test.advance('measured', 'approved', 'in_production');
SELECT mesflow.submit_order('shop', 'measured', jsonb_build_array(test.item(:'ring', 2), test.item(:'cube', 1, '{"infill": 0.5}'))) = test.id('measured') AS same;
SELECT mesflow.submit_order('acme', 'measured', jsonb_build_array(test.item(:'theirs'))) <> test.id('measured') AS another;
UPDATE mesflow.partners SET active = false WHERE code = 'acme';
SELECT mesflow.submit_order('acme', 'measured', jsonb_build_array(test.item(:'theirs'))) IS NOT NULL AS known;
SELECT * FROM test.refused(format($$SELECT mesflow.submit_order('acme', 'new', %L)$$, jsonb_build_array(test.item(:'theirs'))));
UPDATE mesflow.partners SET active = true WHERE code = 'acme';

-- Quotes that were asked for before: bought once, at their price.
CREATE TABLE test.quotes (what text PRIMARY KEY, at serial, quote uuid);
CREATE FUNCTION test.by_quote(what text) RETURNS jsonb LANGUAGE sql STABLE AS $$ SELECT jsonb_build_array(jsonb_build_object('quote', q.quote)) FROM test.quotes q WHERE q.what = $1 $$;
SELECT mesflow.upload_model('not yet', 'not_yet.stl') AS not_yet \gset
INSERT INTO test.quotes (what, quote) VALUES ('priced', mesflow.request_quote(:'ring', 'pla', 'fdm', 7)), ('pending', mesflow.request_quote(:'not_yet', 'pla', 'fdm')), ('review', mesflow.request_quote(:'step', 'pla', 'fdm')),
  ('failed', mesflow.request_quote(:'broken', 'pla', 'fdm')), ('expired', mesflow.request_quote(:'ring', 'pla', 'fdm', 8)), ('cancelled', mesflow.request_quote(:'ring', 'pla', 'fdm', 9)), ('theirs', mesflow.request_quote(:'theirs', 'pla', 'fdm', partner => 'acme')),
  ('expired in review', mesflow.request_quote(:'step', 'pla', 'fdm', 2)), ('reference taken', mesflow.request_quote(:'ring', 'pla', 'fdm', 10));
SELECT mesflow.preflight_quotes(:'cube', '{petg}', '{fdm}', '{4}') IS NOT NULL AS preflight;
SELECT test.run_batches() > 0 AS ran;
INSERT INTO test.quotes (what, quote) SELECT 'preflight', q.id FROM mesflow._quotes q WHERE q.preflight;
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE id IN (SELECT quote FROM test.quotes WHERE what ~ 'expired');
SELECT mesflow.cancel_quote(quote) FROM test.quotes WHERE what = 'cancelled';
SELECT what, test.answer(format($$SELECT test.submit('quote: ' || %L, %L)$$, what, test.by_quote(what))) FROM test.quotes ORDER BY at;
SELECT name, status, seq, total FROM test.told WHERE name ~ '^quote';
SELECT name, quantity, material, state, total FROM test.items WHERE name ~ '^quote';
SELECT q.preflight FROM mesflow._quotes q JOIN test.quotes t ON t.quote = q.id WHERE t.what = 'preflight';
SELECT o.correlation_id = q.correlation_id AS correlation FROM mesflow.orders o, mesflow._quotes q JOIN test.quotes t ON t.quote = q.id WHERE t.what = 'priced' AND o.id = test.id('quote: priced');
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'quote: priced', %L)$$, test.by_quote('priced'))) AS again;
SELECT * FROM test.refused(format($$SELECT mesflow.submit_order('shop', 'another', %L)$$, test.by_quote('priced')));
SELECT * FROM test.refused(format($$SELECT mesflow.submit_order('shop', 'twice', %L)$$, test.by_quote('reference taken') || test.by_quote('reference taken')));
SELECT * FROM test.refused(format($$SELECT mesflow.submit_order('shop', 'another', %L)$$, test.by_quote('expired')));
SELECT * FROM test.refused(format($$SELECT mesflow.submit_order('shop', 'another', %L)$$, test.by_quote('theirs')));
SELECT * FROM test.refused($$SELECT mesflow.submit_order('shop', 'another', '[{"quote": "00000000-0000-7000-8000-000000000000"}]')$$);
-- Ordered: the pending one is priced with its order, the one in review by a person.
SELECT count(*) > 0 AS claimed FROM test.claim('node');
SELECT test.complete('node', 'not_yet.stl', test.box(40, 40, 40));
SELECT mesflow.price_quote(quote, 33, 'by eye') FROM test.quotes WHERE what = 'review';
SELECT mesflow._sum_orders();
SELECT name, status, seq, total FROM test.told WHERE name ~ '^quote: (pending|review)';
-- Nothing of an order that was refused is left.
SELECT count(*) AS orders FROM mesflow.orders WHERE external_ref IN ('another', 'twice', 'new') OR external_ref IN (SELECT 'quote: ' || what FROM test.quotes WHERE what IN ('failed', 'expired', 'cancelled', 'theirs'));
-- Bought quotes are neither priced anew nor withdrawn.
SELECT count(*) AS ordered, (SELECT count(*) > 0 FROM mesflow.reprice_quotes()) AS others FROM mesflow.reprice_quotes() r JOIN mesflow.order_items i ON i.quote = r.quote;
SELECT count(*) > 0 AS some FROM mesflow.reprice_quotes(dry_run => false);
SELECT test.run_batches() > 0 AS ran;
SELECT count(*) FROM mesflow.order_items i JOIN mesflow.quotes q ON q.id = i.quote WHERE q.state = 'cancelled';
SELECT e.error FROM test.quotes q, test.refused(format('SELECT mesflow.cancel_quote(%L)', q.quote)) e WHERE q.what = 'priced';
SELECT test.submit('not withdrawn', jsonb_build_array(test.item(mesflow.upload_model('pending', 'pending.stl'))));
SELECT e.error FROM test.orders o JOIN mesflow.order_items i ON i.order_id = o.id, test.refused(format('SELECT mesflow.cancel_quote(%L)', i.quote)) e WHERE o.name = 'not withdrawn';
SELECT label, place FROM test.jobs WHERE label ~ '^pending';
-- Two currencies do not add up.
SELECT test.draft('dollars') \g /dev/null
UPDATE mesflow.price_lists SET currency = 'USD' WHERE code = 'dollars';
INSERT INTO test.quotes (what, quote) VALUES ('euros', mesflow.request_quote(:'ring', 'pla', 'fdm', 20));
UPDATE mesflow.partners SET price_list = 'dollars', currency = 'USD' WHERE code = 'shop';
SELECT test.activate('dollars');
SELECT * FROM test.refused(format($$SELECT mesflow.submit_order('shop', 'both', %L)$$, test.by_quote('euros') || jsonb_build_array(test.item(:'ring'))));

SELECT * FROM test.unsound;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
