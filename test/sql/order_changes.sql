-- Orders whose items change: changed, cancelled, quoted anew; and what becomes of the jobs that they waited for.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.register('node') \g /dev/null
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring, test.measured('cube.stl', test.box(30, 30, 30)) AS cube \gset
SELECT mesflow.upload_model('later', 'later.stl') AS later, mesflow.upload_model('step', 'part.step') AS step \gset
SELECT test.claim_all('node') > 0 AS claimed, test.fail('node', 'part.step', 'unsupported', 'STEP files are not read.');
SELECT test.release('node', '{later.stl}') \g /dev/null
CREATE FUNCTION test.change(name text, variadic items jsonb[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mesflow.change_order(test.id($1), to_jsonb($2), 'anna', 'as told');
  RETURN (SELECT status || ' ' || event_seq FROM mesflow.orders WHERE id = test.id($1));
END
$$;
CREATE FUNCTION test.quotes(name text) RETURNS uuid[] LANGUAGE sql AS $$ SELECT array_agg(i.quote ORDER BY i.position) FROM mesflow.order_items i WHERE i.order_id = test.id($1) AND i.state <> 'cancelled' $$;

-- Equal items keep their place and quote; others are cancelled, or added behind.
SELECT test.submit('a', jsonb_build_array(test.item(:'ring', 2), test.item(:'cube'), test.item(:'ring', 2)));
CREATE TABLE test.was AS SELECT test.quotes('a') AS quotes;
SELECT test.change('a', test.item(:'ring', 2), test.item(:'ring', 2), test.item(:'cube', 1, '{}'));
SELECT test.change('a', test.item(:'cube', 1, '{"infill": 0.2}'), test.item(:'ring', 5), test.item(:'ring', 2));
SELECT position, quantity, state, total, cancel_reason, cancelled_by FROM test.items WHERE name = 'a';
SELECT (test.quotes('a'))[1:2] = quotes[1:2] AS kept FROM test.was;
SELECT test.change('a', test.item(:'ring', 5), test.item(:'ring', 2), test.item(:'cube'));
SELECT seq, type, actor, note, detail FROM test.events WHERE name = 'a' AND seq > 2;
SELECT body::jsonb #> '{data,detail}' AS detail, (SELECT string_agg(i ->> 'position' || ' ' || (i ->> 'state'), ', ') FROM jsonb_array_elements(body::jsonb #> '{data,order,items}') i) AS items FROM mesflow.outbox WHERE order_id = test.id('a') AND type = 'order.changed';
SELECT o.net = sum(i.net) AND o.total = sum(i.total) AS adds_up FROM mesflow.orders o JOIN mesflow.order_items i ON i.order_id = o.id AND i.state <> 'cancelled' WHERE o.id = test.id('a') GROUP BY o.id;
-- To one that is not measured, and back; to one that a person looks at, and one that cannot be made.
SELECT test.change('a', test.item(:'ring', 2), test.item(:'later', 4));
SELECT status, net, total, currency, expires FROM test.told WHERE name = 'a';
SELECT label, place FROM test.jobs WHERE place <> 'done' AND label !~ 'step';
SELECT test.change('a', test.item(:'ring', 2));
SELECT status, total FROM test.told WHERE name = 'a';
SELECT label, place FROM test.jobs WHERE label ~ 'later';
SELECT test.change('a', test.item(:'step')), test.change('a', test.item(:'ring', 1, '{"scale": 10}', 'resin', 'sla')), test.change('a', test.item(:'step'), test.item(:'later')), test.change('a', test.item(:'later')), test.change('a', test.item(:'ring'));
SELECT seq, type, "from", "to", detail FROM test.events WHERE name = 'a' AND seq > 4;
-- A failed item is asked for again, also where it is equal.
SELECT test.submit('failed', jsonb_build_array(test.item(:'ring', 1, '{"scale": 10}', 'resin', 'sla')));
UPDATE mesflow.processes SET max_size_mm = '{500,500,500}' WHERE code = 'sla';
SELECT test.change('failed', test.item(:'ring', 1, '{"scale": 10}', 'resin', 'sla'));
SELECT position, state, total IS NOT NULL AS total FROM test.items WHERE name = 'failed';
-- Quotes are taken as submit_order takes them; the order's own are kept.
SELECT mesflow.request_quote(:'ring', 'pla', 'fdm', 40) AS quote \gset
SELECT test.change('failed', jsonb_build_object('quote', :'quote'));
SELECT test.change('failed', jsonb_build_object('quote', :'quote'), test.item(:'ring', 41)), test.change('failed', test.item(:'ring', 40));
SELECT test.quotes('failed') = ARRAY[:'quote'::uuid] AS kept;
SELECT * FROM test.refused(format('SELECT mesflow.change_order(%L, %L)', test.id('a'), jsonb_build_array(test.item(:'ring'), jsonb_build_object('quote', :'quote'))));
-- What is refused, with paths; nothing has changed then.
SELECT i AS items, test.answer(format('SELECT mesflow.change_order(%L, %L)', test.id('a'), i)) FROM unnest(ARRAY[NULL, '[]', '{}', '[3]', '[{"quote": "x"}]', '[{"model": "00000000-0000-7000-8000-000000000000", "material": "pla", "process": "fdm"}]']) i;
SELECT test.answer(format('SELECT mesflow.change_order(%L, %L)', test.id('a'), jsonb_build_array(test.item(:'cube', 77), test.item(:'ring', 1, '{"infil": 1}')))), test.answer(format('SELECT mesflow.change_order(%L, %L, note => %L)', test.id('a'), jsonb_build_array(test.item(:'cube')), repeat('x', 1000000)));
SELECT test.answer(format('SELECT mesflow.change_order(%L, %L, %L)', test.id('a'), jsonb_build_array(test.item(:'cube')), repeat('x', 201))) AS long_actor;
SELECT test.answer(format('SELECT mesflow.change_order(NULL, %L)', jsonb_build_array(test.item(:'cube')))), test.answer(format('SELECT mesflow.change_order(%L, %L)', '00000000-0000-7000-8000-000000000000', jsonb_build_array(test.item(:'cube'))));
SELECT test.advance('a', 'approved');
SELECT * FROM test.refused(format('SELECT mesflow.change_order(%L, %L)', test.id('a'), jsonb_build_array(test.item(:'cube'))));
SELECT event_seq, (SELECT count(*) FROM mesflow.order_items i WHERE i.order_id = o.id) AS items FROM mesflow.orders o WHERE o.id = test.id('a');
-- The submission that made it still finds it.
SELECT mesflow.submit_order('shop', 'a', jsonb_build_array(test.item(:'ring', 2), test.item(:'cube'), test.item(:'ring', 2))) = test.id('a') AS same;

-- One item cancelled: before approval its status follows, too; after it the amounts; the last one is not.
SELECT test.submit('b', jsonb_build_array(test.item(:'ring', 2), test.item(:'later', 6), test.item(:'step'), test.item(:'cube')));
CREATE FUNCTION test.cancel_item(name text, place integer, reason text DEFAULT 'not wanted', actor text DEFAULT 'anna') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mesflow.cancel_item((SELECT i.id FROM mesflow.order_items i WHERE i.order_id = test.id($1) AND i.position = $2), $3, $4);
  RETURN (SELECT status || ' ' || event_seq || coalesce(' ' || total, '') FROM mesflow.orders WHERE id = test.id($1));
END
$$;
SELECT test.cancel_item('b', 3), test.cancel_item('b', 3);
SELECT label, place FROM test.jobs WHERE label ~ 'later' ORDER BY 1, 2;
SELECT test.cancel_item('b', 2);
SELECT label, place FROM test.jobs WHERE label ~ 'later' ORDER BY 1, 2;
SELECT test.advance('b', 'approved');
SELECT test.cancel_item('b', 4, 'cancelled by phone', NULL);
SELECT o.total = i.total AND o.net = i.net AS amounts_of_the_rest FROM mesflow.orders o JOIN mesflow.order_items i ON i.order_id = o.id AND i.position = 1 WHERE o.id = test.id('b');
SELECT position, state, total IS NOT NULL AS total, cancel_reason, cancelled_by = session_user AS by_session_user FROM test.items WHERE name = 'b';
SELECT seq, type, actor, note, detail FROM test.events WHERE name = 'b' AND seq > 1;
SELECT e.error FROM mesflow.order_items i, test.refused(format($$SELECT mesflow.cancel_item(%L, 'x')$$, i.id)) e WHERE i.order_id = test.id('b') AND i.position = 1;
SELECT r AS reason, test.answer(format('SELECT mesflow.cancel_item(%L, %s)', (SELECT id FROM mesflow.order_items WHERE order_id = test.id('b') AND position = 1), r)) FROM unnest(ARRAY['NULL', '''''', '''  ''', 'repeat(''x'', 1000000)', 'repeat(''x'', 10001)']) r;
SELECT test.answer($$SELECT mesflow.cancel_item('00000000-0000-7000-8000-000000000000', 'x')$$), test.answer($$SELECT mesflow.cancel_item(NULL, 'x')$$), test.answer($$SELECT mesflow.cancel_item(NULL, 'x', repeat('x', 1000000))$$) AS long_actor;
SELECT test.submit('shipped', jsonb_build_array(test.item(:'ring'), test.item(:'cube')));
SELECT test.advance('shipped', 'approved', 'in_production', 'produced', 'packed', 'shipped');
SELECT e.error FROM mesflow.order_items i, test.refused(format($$SELECT mesflow.cancel_item(%L, 'x')$$, i.id)) e WHERE i.order_id = test.id('shipped') AND i.position = 1;

-- Orders cancelled: what nobody else waits for is withdrawn, what others wait for goes on.
SELECT mesflow.upload_model('shared', 'shared.stl') AS shared \gset
SELECT test.submit('c', jsonb_build_array(test.item(:'shared', 1), test.item(:'ring'))), test.submit('d', jsonb_build_array(test.item(:'shared', 2)));
SELECT mesflow.cancel_order(test.id('c'), 'thought better of it', 'anna');
SELECT mesflow.cancel_order(test.id('c'), 'again', 'eve');
SELECT * FROM test.told WHERE name = 'c';
SELECT seq, type, actor, note FROM test.events WHERE name = 'c';
SELECT position, state FROM test.items WHERE name = 'c';
SELECT label, place FROM test.jobs WHERE label ~ 'shared';
SELECT count(*) > 0 AS claimed FROM test.claim('node');
SELECT test.complete('node', 'shared.stl', test.box(10, 10, 10));
SELECT mesflow._sum_orders();
SELECT name, status, seq FROM test.told WHERE name IN ('c', 'd');
SELECT test.answer(format($$SELECT mesflow.cancel_order(%L, 'x')$$, test.id('shipped'))) AS shipped;
SELECT r AS reason, test.answer(format('SELECT mesflow.cancel_order(%L, %s)', test.id('d'), r)) FROM unnest(ARRAY['NULL', '''''', 'repeat(''x'', 1000000)']) r;
SELECT test.answer($$SELECT mesflow.cancel_order('00000000-0000-7000-8000-000000000000', 'x')$$), test.answer(format($$SELECT mesflow.cancel_order(%L, 'x', repeat('x', 201))$$, test.id('d'))) AS long_actor;
-- By UPDATE the same.
SELECT mesflow.upload_model('alone', 'alone.stl') AS alone \gset
SELECT test.submit('e', jsonb_build_array(test.item(:'alone')));
UPDATE mesflow.orders SET status = 'cancelled' WHERE id = test.id('e');
SELECT label, place FROM test.jobs WHERE label ~ 'alone';
SELECT mesflow._sum_orders() AS summed_up;
SELECT name, status, seq FROM test.told WHERE name = 'e';

-- Expired quotes: approval is refused, new prices are asked for, and approved.
SELECT test.submit('f', jsonb_build_array(test.item(:'ring', 3), test.item(:'cube', 3))), test.submit('fresh', jsonb_build_array(test.item(:'ring')));
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE id = (test.quotes('f'))[1];
SELECT mesflow._sum_order(test.id('f'), NULL, NULL, NULL, false, false);
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'approved')$$, test.id('f')));
DELETE FROM test.was;
INSERT INTO test.was SELECT test.quotes('f');
SELECT mesflow.requote_order(test.id('f'), 'anna'), mesflow.requote_order(test.id('fresh'));
SELECT (test.quotes('f'))[1] <> quotes[1] AS new, (test.quotes('f'))[2] = quotes[2] AS kept, (SELECT supersedes = quotes[1] FROM mesflow.quotes WHERE id = (test.quotes('f'))[1]) AS supersedes FROM test.was;
SELECT test.advance('f', 'approved');
SELECT name, seq, type, actor, detail FROM test.events WHERE name IN ('f', 'fresh') AND seq > 2;
SELECT test.answer(format('SELECT mesflow.requote_order(%L)', test.id('f'))) AS approved, test.answer('SELECT mesflow.requote_order(NULL)') AS none, test.answer(format('SELECT mesflow.requote_order(%L, %L)', test.id('f'), repeat('x', 201))) AS long_actor;
-- Also what failed, and what is not for sale any more.
SELECT mesflow.upload_model('broken', 'broken.stl') AS broken \gset
SELECT test.submit('g', jsonb_build_array(test.item(:'broken'), test.item(:'ring', 1, '{}', 'petg')));
SELECT test.claim('node');
SELECT test.fail('node', 'broken.stl', 'malformed');
SELECT mesflow._sum_orders();
UPDATE mesflow.materials SET active = false WHERE code = 'petg';
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE id = (test.quotes('g'))[2];
SELECT mesflow.requote_order(test.id('g'));
SELECT position, state, error_code FROM test.items WHERE name = 'g';
SELECT seq, type, "from", "to", detail FROM test.events WHERE name = 'g';

SELECT * FROM test.unsound;
SELECT count(*) AS problems FROM mesflow.verify_jobs();
