-- A B2B partner's day: a price promised, ordered, changed, asked about, and compared at night with what they believe they sent.
\ir day.psql
\ir ../models/examples.psql
SET ROLE mesflow_app;

SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl', partner => 'acme', traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') AS bracket,
       mesflow.upload_model(pg_temp.ring(), 'ring.stl', partner => 'acme') AS ring \gset
SELECT (mesflow.await_model(:'bracket')).state AS s1, (mesflow.await_model(:'ring')).state AS s2 \gset
SELECT mesflow.request_quote(:'bracket', 'pla', 'fdm', 60, partner => 'acme') AS quote \gset

-- The promise is bought together with something new; priced at once, in one transaction.
SELECT mesflow.submit_order('acme', 'PO-1', jsonb_build_array(jsonb_build_object('quote', :'quote'),
         jsonb_build_object('model', :'ring', 'material', 'silver925', 'process', 'casting', 'quantity', 2, 'options', jsonb_build_object('finish', 'matte'))),
         '{"name": "Ludwig Weiß", "company": "Acme Parts", "email": "orders@acme.example"}') AS po1 \gset
SELECT pg_temp.same('priced at once', (SELECT ARRAY[status, currency, event_seq::text] FROM mesflow.orders WHERE id = :'po1'), '{priced,EUR,2}'::text[]),
       pg_temp.same('adds up', (SELECT total FROM mesflow.orders WHERE id = :'po1'), (SELECT sum(total) FROM mesflow.order_items WHERE order_id = :'po1')),
       pg_temp.same('the promised price', (SELECT i.total FROM mesflow.order_items i WHERE i.order_id = :'po1' AND i.position = 1), (SELECT q.total FROM mesflow.quotes q WHERE q.id = :'quote')),
       pg_temp.same('traced from the upload on', (SELECT correlation_id FROM mesflow.orders WHERE id = :'po1'), '0af76519-16cd-43dd-8448-eb211c80319c'::uuid);

-- The answer was lost on the way: the same again is the same order, anything else is told.
SELECT pg_temp.same('the same', mesflow.submit_order('acme', 'PO-1', jsonb_build_array(jsonb_build_object('quote', :'quote'),
         jsonb_build_object('quantity', 2, 'process', 'casting', 'model', :'ring', 'material', 'silver925', 'options', jsonb_build_object('finish', 'matte'))),
         '{"company": "Acme Parts", "name": "Ludwig Weiß", "email": "orders@acme.example"}'), :'po1'::uuid),
       pg_temp.same('another content', pg_temp.refusal(format('SELECT mesflow.submit_order(%L, %L, %L)', 'acme', 'PO-1', '[{"quote": "' || :'quote' || '"}]')), 'MF409'),
       pg_temp.same('a quote is bought once', pg_temp.refusal(format('SELECT mesflow.submit_order(%L, %L, %L)', 'acme', 'PO-2', '[{"quote": "' || :'quote' || '"}]')), 'MF409'),
       pg_temp.same('not another partner''s', pg_temp.refusal(format('SELECT mesflow.submit_order(%L, %L, %L)', 'shop', 'S-1', '[{"quote": "' || :'quote' || '"}]')), 'MF404'),
       pg_temp.same('an ordered quote stays', pg_temp.refusal(format('SELECT mesflow.cancel_quote(%L)', :'quote')), 'MF423');

-- A night's batch: each stands or falls for itself.
SELECT mesflow.upload_model(pg_temp.bracket(1.5), 'larger.stl', partner => 'acme') AS larger \gset
CREATE TEMP TABLE batch AS SELECT * FROM mesflow.submit_orders(jsonb_build_array(
  jsonb_build_object('partner', 'acme', 'external_ref', 'PO-3', 'items', jsonb_build_array(jsonb_build_object('model', :'larger', 'material', 'petg', 'process', 'fdm'))),
  jsonb_build_object('partner', 'acme', 'external_ref', 'PO-4', 'items', jsonb_build_array(jsonb_build_object('model', :'larger', 'material', 'petg', 'process', 'fdm', 'quantity', 0))),
  jsonb_build_object('partner', 'acme', 'external_ref', 'PO-5', 'items', jsonb_build_array(jsonb_build_object('model', :'bracket', 'material', 'petg', 'process', 'fdm')), 'due_at', '2030-01-31T12:00:00Z')));
SELECT external_ref, error_code, error FROM batch;
SELECT pg_temp.same('the batch', (SELECT array_agg(external_ref || ' ' || coalesce(error_code, 'accepted') ORDER BY external_ref) FROM batch), '{PO-3 accepted,PO-4 MF400,PO-5 accepted}'::text[]);

-- PO-3 was not measured yet: it becomes priced by itself.
SELECT order_id AS po3 FROM batch WHERE external_ref = 'PO-3' \gset
CALL pg_temp.await_status(:'po3', 'priced');

-- Two more of the rings, until it is approved; the promised item keeps its price.
SELECT mesflow.change_order(:'po1', jsonb_build_array(jsonb_build_object('quote', :'quote'),
         jsonb_build_object('model', :'ring', 'material', 'silver925', 'process', 'casting', 'quantity', 4, 'options', jsonb_build_object('finish', 'matte'))), 'Ludwig');
SELECT pg_temp.same('as changed', (SELECT array_agg(position || ' ' || quantity || ' ' || state ORDER BY position) FROM mesflow.order_items WHERE order_id = :'po1'),
                    '{"1 60 priced","2 2 cancelled","3 4 priced"}'::text[]);
SELECT mesflow.advance_order(:'po1', 'approved', 'Ludwig', expect => 'priced');
SELECT pg_temp.same('too late', pg_temp.refusal(format('SELECT mesflow.change_order(%L, %L)', :'po1', '[{"quote": "' || :'quote' || '"}]')), 'MF423'),
       pg_temp.same('a date', (SELECT due_at::date - status_since::date FROM mesflow.orders WHERE id = :'po1'), 10);

-- What they are told: everything, in order, and nothing of the margin.
SELECT pg_temp.same('told', (SELECT array_agg(key_seq || ' ' || type ORDER BY id) FROM mesflow.outbox WHERE order_id = :'po1'),
                    '{"1 order.submitted","2 order.priced","3 order.changed","4 order.approved","5 work.queued","6 work.queued"}'::text[]),
       pg_temp.same('no private line', (SELECT count(*) FROM mesflow.outbox WHERE body ~ 'margin|labour|machine|acme.example|Weiß'), 0);

-- At night: what they think they sent, and what is here.
SELECT pg_temp.same('reconciled', (SELECT array_agg(external_ref || ' ' || problem ORDER BY external_ref) FROM mesflow.reconcile_orders('acme', '{PO-1,PO-3,PO-4}', now() - interval '1 day')),
                    '{"PO-4 missing_here","PO-5 unknown_there"}'::text[]);
