-- What submit_order refuses, and how it says so.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring, test.measured('ring.stl', test.box(20, 20, 5), 'acme') AS theirs \gset
CREATE FUNCTION test.try(items text, customer text DEFAULT NULL, partner text DEFAULT 'shop', ref text DEFAULT 'tried', due text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
  SELECT test.answer(format('SELECT mesflow.submit_order(%L, %L, %L, %L, %L)', $3, $4, $1, $2, $5))
$$;
-- R stands for the ring.
CREATE FUNCTION test.with(ring uuid, items text) RETURNS text LANGUAGE sql AS $$ SELECT replace($2, 'R', '"model": "' || $1 || '"') $$;
SELECT test.with(:'ring', '[{R, "material": "pla", "process": "fdm"}]') AS good \gset

-- Partners and references.
SELECT p AS partner, test.try(:'good', partner => p) FROM unnest(ARRAY[NULL, '', 'nobody', 'SHOP', 'shop ']) p;
SELECT length(r) AS ref, test.try(:'good', ref => r) FROM unnest(ARRAY[NULL, '', repeat('ü', 201), repeat('x', 1000000)]) r;
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(NULL, NULL, %L)', :'good'));
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(%L, NULL, %L)', 'shop', :'good'));
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(%L, %L, %L)', 'nobody', 'x', :'good'));
SELECT test.try(:'good', ref => repeat('💍', 200)), test.try(:'good', ref => ' ');
-- Dates and priorities.
SELECT d AS due, test.try(:'good', due => d) FROM unnest('{infinity,-infinity,0001-12-31 23:59:59.999999+00 BC,10000-01-01 00:00+00,294276-12-31 12:00+00}'::text[]) d;
SELECT test.try(:'good', ref => 'past', due => '0001-01-01 00:00+00'), test.try(:'good', ref => 'far', due => '9999-12-31 23:59:59.999999+00'), test.try(:'good', ref => 'elsewhere', due => '2030-06-01 00:30:00.5+02');
SELECT e.body::jsonb #> '{data,order,due_at}' AS due FROM mesflow.outbox e JOIN mesflow.orders o ON o.id = e.order_id WHERE o.external_ref IN ('past', 'far', 'elsewhere') AND e.key_seq = 1 ORDER BY e.id;

-- Items: of the wrong shape, at each depth.
SELECT i AS items, test.try(test.with(:'ring', i)) AS answer FROM unnest(ARRAY[NULL, 'null', '{}', '"x"', '3', 'true', '[]',
  '[null]', '["x"]', '[3]', '[false]', '[[]]', '[[{}]]', '[{}]',
  '[{R}]', '[{R, "material": "pla"}]', '[{R, "process": "fdm"}]', '[{"material": "pla", "process": "fdm"}]',
  '[{"model": 3, "material": "pla", "process": "fdm"}]', '[{"model": "ring.stl", "material": "pla", "process": "fdm"}]', '[{"model": [], "material": "pla", "process": "fdm"}]', '[{"model": {"id": 1}, "material": "pla", "process": "fdm"}]',
  '[{"model": "", "material": "pla", "process": "fdm"}]', '[{"model": "00000000-0000-7000-8000-00000000000", "material": "pla", "process": "fdm"}]', '[{"model": "00000000-0000-7000-8000-00000000000g", "material": "pla", "process": "fdm"}]',
  '[{R, "material": 3, "process": "fdm"}]', '[{R, "material": "", "process": "fdm"}]', '[{R, "material": ["pla"], "process": "fdm"}]', '[{R, "material": "pla", "process": {"a": 1}}]', '[{R, "material": "pla", "process": true}]', '[{R, "material": null, "process": "fdm"}]',
  '[{R, "material": "pla", "process": "fdm", "options": []}]', '[{R, "material": "pla", "process": "fdm", "options": "infill"}]', '[{R, "material": "pla", "process": "fdm", "options": 1}]', '[{R, "material": "pla", "process": "fdm", "options": {"infil": 1}}]',
  '[{R, "material": "pla", "process": "fdm", "options": {"infill": "1"}}]', '[{R, "material": "pla", "process": "fdm", "options": {"infill": [1]}}]', '[{R, "material": "pla", "process": "fdm", "options": {"infill": 2}}]', '[{R, "material": "pla", "process": "fdm", "options": {"finish": "polished"}}]',
  '[{R, "material": "pla", "process": "fdm", "colour": "red"}]', '[{R, "material": "pla", "process": "fdm", "Quantity": 2}]', '[{R, "material": "pla", "process": "fdm", "": 2}]', '[{R, "material": "pla", "process": "fdm", "total": null}]',
  '[{"quote": 3}]', '[{"quote": "x"}]', '[{"quote": null}]', '[{"quote": {}}]', '[{"quote": "00000000-0000-7000-8000-000000000000", R}]', '[{"quote": "00000000-0000-7000-8000-000000000000", "quantity": 2}]', '[{"quote": "00000000-0000-7000-8000-000000000000", "options": {}}]']) i;
-- The second item is named as the second.
SELECT i AS item, test.try(test.with(:'ring', '[{R, "material": "pla", "process": "fdm"}, ' || i || ']')) AS answer FROM unnest(ARRAY['7', '{"quote": "x"}', '{R, "material": "wood", "process": "fdm"}', '{R, "material": "pla", "process": "magic"}', '{R, "material": "pla", "process": "fdm", "options": {"infil": 1}}',
  '{"model": "00000000-0000-7000-8000-000000000000", "material": "pla", "process": "fdm"}', '{"quote": "00000000-0000-7000-8000-000000000000"}', '{R, "material": "pla", "process": "fdm", "quantity": 0}']) i;
SELECT test.try(test.with(:'theirs', '[{R, "material": "pla", "process": "fdm"}]')) AS of_another_partner;
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(%L, %L, %L)', 'shop', 'x', test.with(:'ring', '[{R, "material": "pla", "process": "fdm", "options": {"infil": 1}}]')));
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(%L, %L, %L)', 'shop', 'x', test.with(:'ring', '[{R, "material": "pla", "process": "fdm", "color": 1}]')));
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(%L, %L, %L)', 'shop', 'x', test.with(:'ring', '[{R, "material": "wood", "process": "fdm"}]')));
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(%L, %L, %L)', 'shop', 'x', '{"items": []}'));
-- Nothing that is quoted is long.
SELECT length(test.try(jsonb_build_array(jsonb_build_object('model', repeat('x', 1000000)))::text)) < 300 AS model, length(test.try(jsonb_build_array(jsonb_build_object(repeat('ü', 100000), 1))::text)) < 400 AS key,
       length(test.try(test.with(:'ring', format('[{R, "material": "%s", "process": "fdm"}]', repeat('x', 1000000))))) < 300 AS material, length(test.try(test.with(:'ring', format('[{R, "material": "%s", "process": "fdm"}]', repeat('x', 100))))) < 300 AS material_100,
       length(test.try(test.with(:'ring', format('[{R, "material": "pla", "process": "fdm", "quantity": %s}]', repeat('9', 10000))))) < 300 AS quantity;

-- Quantities.
SELECT q AS quantity, test.try(test.with(:'ring', format('[{R, "material": "pla", "process": "fdm", "quantity": %s}]', q)), ref => 'quantity ' || q) AS answer
  FROM unnest(ARRAY['0', '-1', '1.5', '1000000000000', '"3"', '1e400', '1000001', 'true', '[1]', '0.9999999999999999999999', '-0', '1000000', '1', '2.000', '1e3', 'null']) q;
SELECT o.external_ref, i.quantity FROM mesflow.orders o JOIN mesflow.order_items i ON i.order_id = o.id WHERE o.external_ref ~ '^quantity' ORDER BY o.created_at;
-- Number of items.
CREATE FUNCTION test.many(ring uuid, n integer) RETURNS text LANGUAGE sql AS $$ SELECT jsonb_agg(test.item($1, q))::text FROM generate_series(1, $2) q $$;
SELECT test.try(test.many(:'ring', 1000), ref => 'a thousand') AS "1000", test.try(test.many(:'ring', 1001), ref => 'one more') AS "1001";
SELECT o.status, o.event_seq, (SELECT count(*) FROM mesflow.order_items i WHERE i.order_id = o.id) AS items, o.total = (SELECT sum(i.total) FROM mesflow.order_items i WHERE i.order_id = o.id) AS adds_up,
       (SELECT array_agg((x ->> 'position')::integer) = ARRAY(SELECT generate_series(1, 1000)) FROM mesflow.outbox e, jsonb_array_elements(e.body::jsonb #> '{data,order,items}') x WHERE e.order_id = o.id AND e.key_seq = 2) AS told
  FROM mesflow.orders o WHERE o.external_ref = 'a thousand';
SELECT test.try(test.many(:'ring', 1000), ref => 'a thousand') AS again;

-- Customers: named by path, never quoted.
SELECT c AS customer, test.try(:'good', c, ref => 'customer') AS answer FROM unnest(ARRAY['null', '[]', '"Ann"', '3', 'true', '{"name": 3}', '{"name": ["Ann"]}', '{"email": 7}', '{"email": "ann"}', '{"email": "Ann <ann@example.org>"}', '{"phone": {}}', '{"address": "Wien"}', '{"address": ["Wien"]}', '{"address": 1010}',
  '{"Name": "Ann"}', '{"birthday": "2000-01-01"}', '{"": 1}']) c;
SELECT k AS key, test.try(:'good', jsonb_build_object(k, repeat('ü', n) || CASE k WHEN 'email' THEN '@' ELSE '' END)::text, ref => 'long ' || k || n) AS answer
  FROM (VALUES ('name', 200), ('email', 319), ('phone', 50), ('company', 200), ('tax_id', 50), ('locale', 35), ('note', 10000)) v (k, most), unnest(ARRAY[v.most, v.most + 1, 1000000]) n;
SELECT test.try(:'good', jsonb_build_object('address', jsonb_build_object('street', repeat('x', n)))::text, ref => 'street ' || n) AS answer FROM unnest('{16000,17000,1000000}'::integer[]) n;
SELECT test.try(:'good', '{}', ref => 'empty'), test.try(:'good', '{"name": null, "address": null}', ref => 'nulls'), test.try(:'good', '{"name": "", "address": {"lines": ["a", {"deep": [1, null]}]}, "note": "💍\n\"<b>"}', ref => 'odd');
SELECT o.external_ref, c.name, c.email, c.address, c.note FROM mesflow.customers c JOIN mesflow.orders o ON o.id = c.order_id WHERE o.external_ref IN ('empty', 'nulls', 'odd') ORDER BY o.created_at;
SELECT * FROM test.refused(format('SELECT mesflow.submit_order(%L, %L, %L, %L)', 'shop', 'x', :'good', '{"email": "top secret"}'));

-- Trace contexts: continued; of the first model where there is none; noted and begun anew where it is none.
CREATE FUNCTION test.traced(name text, items text, traceparent text) RETURNS TABLE (correlation text, traceparent text, detail jsonb, same_in_events boolean) LANGUAGE sql AS $$
  SELECT test.submit($1, $2::jsonb, traceparent => $3);
  SELECT CASE o.correlation_id WHEN m.correlation_id THEN 'the model''s' WHEN '0af76519-16cd-43dd-8448-eb211c80319c' THEN 'the caller''s' ELSE 'a new one' END, o.traceparent, e.body::jsonb #> '{data,detail}',
         (SELECT bool_and(a.correlation_id = o.correlation_id AND a.traceparent IS NOT DISTINCT FROM o.traceparent) FROM mesflow.outbox a WHERE a.order_id = o.id)
    FROM mesflow.orders o JOIN mesflow.order_items i ON i.order_id = o.id AND i.position = 1 JOIN mesflow._models m ON m.id = i.model JOIN mesflow.outbox e ON e.order_id = o.id AND e.key_seq = 1
   WHERE o.id = test.id($1)
$$;
SELECT * FROM test.traced('no trace', :'good', NULL);
SELECT * FROM test.traced('traced', :'good', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
SELECT * FROM test.traced('bad trace', :'good', '00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
SELECT * FROM test.traced('odd trace', :'good', E'"\r\nX-Header: 1');
SELECT * FROM test.traced('empty trace', :'good', '');
SELECT length(detail ->> 'traceparent_ignored') AS kept, detail ->> 'traceparent_ignored' ~ '^ü+$' AS whole FROM test.traced('long trace', :'good', repeat('ü', 1000000));
SELECT q.traceparent FROM mesflow._quotes q JOIN mesflow.order_items i ON i.quote = q.id WHERE i.order_id = test.id('odd trace');

-- Nothing of what was refused has left a trace; what was accepted is sound.
SELECT count(*) AS orders FROM mesflow.orders WHERE external_ref IN ('tried', 'x', 'one more');
SELECT count(*) AS without_order FROM mesflow._order_items i WHERE NOT EXISTS (SELECT FROM mesflow.orders o WHERE o.id = i.order_id);
SELECT * FROM test.unsound;
