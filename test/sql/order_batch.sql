-- Many orders in one call: the good ones stand, the others say why not.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring, mesflow.upload_model('later', 'later.stl') AS later \gset
SELECT test.submit('known', jsonb_build_array(test.item(:'ring'))) \g /dev/null
CREATE FUNCTION test.batch(ring uuid, later uuid, orders text) RETURNS TABLE (external_ref text, id boolean, error_code text, error text) LANGUAGE sql AS $$
  SELECT s.external_ref, s.order_id IS NOT NULL, s.error_code, test.masked(s.error)
    FROM mesflow.submit_orders(replace(replace($3, 'RING', jsonb_build_array(test.item($1))::text), 'LATER', jsonb_build_array(test.item($2))::text)::jsonb) s
$$;
SELECT * FROM test.batch(:'ring', :'later', '[{"partner": "shop", "external_ref": "1", "items": RING}, {"partner": "shop", "external_ref": "2", "items": LATER, "customer": {"name": "Ann"}, "due_at": "2031-01-01T12:00:00Z", "priority": 3, "traceparent": null},
  {"partner": "shop", "external_ref": "1", "items": RING}, {"partner": "shop", "external_ref": "1", "items": LATER}, {"partner": "shop", "external_ref": "known", "items": RING}, {"partner": "nobody", "external_ref": "3", "items": RING},
  {"partner": "shop", "external_ref": "4", "items": [{"model": "x"}]}, {"partner": "shop", "external_ref": "5", "items": []}, {"partner": "acme", "external_ref": "6", "items": RING}, {"external_ref": "7", "items": RING}, {"partner": "shop", "items": RING}, {"partner": "shop", "external_ref": "8"},
  {"partner": "shop", "external_ref": "9", "items": RING, "customer": {"email": "private@example.org "}}, {"partner": "shop", "external_ref": "10", "items": RING, "customer": null, "due_at": null, "priority": null}]');
SELECT o.external_ref, o.status, o.priority, o.due_at, o.event_seq, c.name FROM mesflow.orders o LEFT JOIN mesflow.customers c ON c.order_id = o.id ORDER BY o.created_at;
SELECT * FROM test.batch(:'ring', :'later', '[null, 3, "x", [], {}, {"partner": "shop", "external_ref": "a", "items": RING, "note": 1}, {"partner": 1, "external_ref": "b", "items": RING}, {"partner": "shop", "external_ref": 5, "items": RING}, {"partner": "shop", "external_ref": {"a": 1}, "items": RING},
  {"partner": "shop", "external_ref": "c", "items": RING, "due_at": "tomorrow-ish"}, {"partner": "shop", "external_ref": "d", "items": RING, "due_at": 5}, {"partner": "shop", "external_ref": "e", "items": RING, "due_at": "infinity"}, {"partner": "shop", "external_ref": "f", "items": RING, "priority": "3"},
  {"partner": "shop", "external_ref": "g", "items": RING, "priority": 1.5}, {"partner": "shop", "external_ref": "h", "items": RING, "priority": 2147483648}, {"partner": "shop", "external_ref": "i", "items": RING, "priority": true}, {"partner": "shop", "external_ref": "j", "items": RING, "traceparent": []},
  {"partner": "shop", "external_ref": "k", "items": "x"}, {"partner": "shop", "external_ref": "l", "items": RING, "customer": "Ann"}, {"partner": "shop", "external_ref": "m", "items": RING, "priority": -2147483648}, {"partner": "shop", "external_ref": "n", "items": RING, "priority": 3.0}]');
SELECT o AS orders, e.error FROM unnest(ARRAY[NULL, 'null', '{}', '"x"', '3']) o, test.refused(format('SELECT * FROM mesflow.submit_orders(%L)', o)) e;
SELECT count(*) FROM mesflow.submit_orders('[]');
SELECT * FROM test.refused($$SELECT * FROM mesflow.submit_orders((SELECT jsonb_agg(1) FROM generate_series(1, 10001)))$$);
SELECT error_code, count(*) FROM mesflow.submit_orders((SELECT jsonb_agg(1) FROM generate_series(1, 10000))) GROUP BY 1;
-- A batch that is sent again, after it had been cut off, changes nothing.
CREATE TABLE test.sent AS SELECT jsonb_agg(jsonb_build_object('partner', 'shop', 'external_ref', 'batch ' || n, 'items', jsonb_build_array(test.item(:'ring', n)))) AS orders FROM generate_series(1, 50) n;
CREATE TABLE test.answers AS SELECT s.* FROM test.sent, mesflow.submit_orders(orders) s;
SELECT count(*) AS orders, count(*) FILTER (WHERE s.order_id = a.order_id) AS same FROM test.sent, mesflow.submit_orders(orders) s JOIN test.answers a USING (external_ref);
SELECT count(*) AS orders, count(DISTINCT number) AS numbers, min(event_seq), max(event_seq) FROM mesflow.orders WHERE external_ref ~ '^batch';
-- What was refused has left nothing, and nothing was counted twice.
INSERT INTO test.orders (name, id) SELECT o.external_ref, o.id FROM mesflow.orders o WHERE o.id NOT IN (SELECT id FROM test.orders);
SELECT count(*) AS quotes_of_no_order FROM mesflow.quotes q WHERE NOT EXISTS (SELECT FROM mesflow.order_items i WHERE i.quote = q.id);
SELECT count(*) AS private FROM mesflow.outbox WHERE body ~* 'ann|private|example[.]org';
SELECT * FROM test.unsound;
