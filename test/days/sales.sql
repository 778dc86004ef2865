-- The sales manager's day: somebody calls, and wants to know where their order is.
\ir day.psql
\ir ../models/examples.psql
SET ROLE mesflow_app;
SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl') AS bracket \gset
SELECT state FROM mesflow.await_model(:'bracket');
CREATE TEMP TABLE sold AS
  SELECT n, mesflow.submit_order('shop', 'WEB-' || n, jsonb_build_array(jsonb_build_object('model', :'bracket', 'material', 'pla', 'process', 'fdm', 'quantity', n)),
                                 jsonb_build_object('name', name, 'email', email, 'phone', phone)) AS id
    FROM (VALUES (1, 'Семён Королёв', 'semyon@example.org', '+7 921 123-45-67'), (2, 'Anna Maria Berg', 'Anna.Berg@example.org', '+43 664 1234567'),
                 (3, 'ANNA BERGER', 'ab@example.com', '0043 1 5550'), (4, 'Иван Королев', NULL, NULL)) AS c (n, name, email, phone);
GRANT SELECT ON sold TO mesflow_operator, mesflow_manager;
SELECT id AS berg FROM sold WHERE n = 2 \gset

-- The floor has begun, the MES has told its own number, the parcel is on its way.
SET ROLE mesflow_operator;
SELECT mesflow.advance_order(:'berg', s, 'olga') FROM unnest('{approved,in_production,produced,packed}'::text[]) s;
SELECT mesflow.confirm_receipt(:'berg', 'mes', 'WO-2026/77', 'planned');
SELECT mesflow.advance_order(:'berg', 'shipped', 'olga', system => 'shop', detail => '{"carrier": "Post", "tracking": "RB 123 456"}');

-- Whatever the caller has in hand.
SET ROLE mesflow_manager;
SELECT pg_temp.same('found by ' || asked, (SELECT array_agg(s.n ORDER BY s.n) FROM mesflow.find_orders(asked) o JOIN sold s USING (id)), found)
  FROM (VALUES ('WEB-3', '{3}'::int[]), ('web-3', '{3}'), ('королев', '{1,4}'), ('СЕМЁН КОРОЛЁВ', '{1}'), ('семен', '{1}'), ('anna maria', '{2}'), ('berg', '{2,3}'),
               ('Berg Anna', '{2,3}'), ('anna.berg@EXAMPLE.org', '{2}'), ('0664 1234567', '{2}'), ('9211234567', '{1}'), ('wo-2026/77', '{2}'), ('rb 123 456', '{2}'), ('nobody', NULL)) AS q (asked, found);
SELECT pg_temp.same('by number', (SELECT o.id FROM mesflow.find_orders((SELECT number FROM mesflow.orders WHERE id = :'berg')) o LIMIT 1), :'berg'::uuid),
       pg_temp.same('by the start of its id', (SELECT count(*) FROM mesflow.find_orders(left(:'berg', 18)) o WHERE o.id = :'berg'), 1),
       pg_temp.same('by its trace', (SELECT count(*) FROM mesflow.find_orders((SELECT correlation_id::text FROM mesflow.orders WHERE id = :'berg')) o WHERE o.id = :'berg'), 1);

-- One page that answers everything, and the way it has gone, from the upload on.
SELECT mesflow.order_card(:'berg') \g (format=unaligned tuples_only=on)
SELECT pg_temp.same('its way', (SELECT array_agg(event ORDER BY at, event) FROM mesflow.order_timeline(:'berg') WHERE event ~ '^(order|work)[.]'),
                    (SELECT array_agg(type ORDER BY at, type) FROM mesflow.outbox WHERE order_id = :'berg')),
       pg_temp.same('from the upload on', (SELECT event FROM mesflow.order_timeline(:'berg') ORDER BY at LIMIT 1), 'model.uploaded'),
       pg_temp.same('which system has it', (SELECT array_agg(concat_ws(' ', system, external_id, status) ORDER BY system) FROM mesflow.order_systems WHERE order_id = :'berg' AND received_at IS NOT NULL),
                    '{mes WO-2026/77 planned}'::text[]);

-- It was delivered; the customer wants to be forgotten. The order stays, and nobody finds the person.
SELECT mesflow.advance_order(:'berg', 'delivered', system => 'shop');
SELECT mesflow.erase_customer(:'berg', 'asked for it by letter', 'Olga');
SELECT pg_temp.same('forgotten', (SELECT count(*) FROM mesflow.find_orders('anna.berg@example.org')), 0),
       pg_temp.same('still there', (SELECT status FROM mesflow.orders WHERE id = :'berg'), 'delivered'),
       pg_temp.same('a phone call', (SELECT count(*) FROM mesflow.find_orders('berg') o JOIN sold s USING (id) WHERE s.n = 2), 0);

-- What cannot be.
SELECT pg_temp.same('not deleted', pg_temp.refusal(format('DELETE FROM mesflow.orders WHERE id = %L', :'berg')), '42501'),
       pg_temp.same('not cancelled', pg_temp.refusal(format('SELECT mesflow.cancel_order(%L, %L)', :'berg', 'too late')), 'MF423'),
       pg_temp.same('not skipped', pg_temp.refusal(format('SELECT mesflow.advance_order(%L, %L)', (SELECT id FROM sold WHERE n = 1), 'shipped')), 'MF423');
