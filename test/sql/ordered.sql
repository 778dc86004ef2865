-- What an order holds: its quotes are not withdrawn nor priced again, its models keep their bytes.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set planted :srcdir '/sql/planted.psql'
\i :common
\i :planted
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT test.measured('other.stl', test.box(10, 10, 10)) AS other \gset
SELECT mesflow.upload_model('new', 'new.stl') AS new \gset
SELECT mesflow.request_quote(:'ring', 'pla', 'fdm') AS ordered, mesflow.request_quote(:'ring', 'pla', 'fdm', 2) AS dropped, mesflow.request_quote(:'ring', 'pla', 'fdm', 3) AS free, mesflow.request_quote(:'new', 'pla', 'fdm') AS pending \gset
SELECT test.plant(10001, 'A', 'priced', quotes := ARRAY[:'ordered', :'dropped', :'pending']::uuid[]) AS a \gset
UPDATE mesflow._order_items SET cancelled_at = now(), cancelled_by = 'anna', cancel_reason = 'not wanted' WHERE quote = :'dropped';

-- Withdrawing.
SELECT q.what, e.error FROM (VALUES (1, 'ordered', :'ordered'), (2, 'pending', :'pending')) AS q (at, what, quote), test.error(format('SELECT mesflow.cancel_quote(%L)', q.quote)) e ORDER BY q.at;
SELECT state FROM mesflow.quotes WHERE id IN (:'ordered', :'pending') ORDER BY id;
SELECT mesflow.cancel_quote(:'dropped') AS dropped, mesflow.cancel_quote(:'free') AS free, mesflow.cancel_quote(:'free') AS again;

-- Pricing again: what is ordered is not even counted.
SELECT mesflow.request_quote(:'ring', 'pla', 'fdm', 5) AS open \gset
SELECT test.draft('dearer') \g /dev/null
UPDATE mesflow.rates SET value = value * 3 WHERE price_list = 'dearer' AND name = 'material';
SET client_min_messages = warning;
SELECT test.activate('dearer', now() + interval '0');
SET client_min_messages = notice;
SELECT count(*) AS quotes, bool_and(r.quote = :'open') AS the_open_one FROM mesflow.reprice_quotes('dearer', false) r;
SELECT test.run_batches();
SELECT q.quantity, q.state, q.error_code FROM mesflow.quotes q WHERE q.model = :'ring' ORDER BY q.id;
-- Ordered after the batch was made.
SELECT mesflow.request_quote(:'other', 'pla', 'fdm', 7) AS late \gset
SELECT count(*) > 0 AS queued FROM mesflow.reprice_quotes('example', false);
SELECT test.plant(10002, 'B', 'priced', quotes := ARRAY[:'late']::uuid[]) AS b \gset
SELECT test.run_batches() > 0 AS ran;
SELECT state, error_code FROM mesflow.quotes WHERE id = :'late';

-- Bytes: an open order keeps them, its end lets them go.
SELECT * FROM test.error(format('SELECT mesflow.delete_model(%L, %L)', :'other', 'asked for it'));
SELECT * FROM test.error(format('SELECT mesflow.delete_model(%L, %L)', :'new', 'asked for it'));
SELECT state FROM mesflow.quotes WHERE id = :'pending';
UPDATE mesflow._order_items SET cancelled_at = now(), cancelled_by = 'anna', cancel_reason = 'not wanted' WHERE quote = :'pending';
SELECT mesflow.delete_model(:'new', 'asked for it') AS not_live_any_more;
UPDATE mesflow._identity SET recorded_at = now() - interval '10 years';
UPDATE mesflow._models SET used_at = now() - interval '9 years';
SELECT test.force($$UPDATE mesflow._quotes SET expires_at = now() - interval '1 day' WHERE expires_at IS NOT NULL$$);
SELECT mesflow._drop_models() AS dropped;
SELECT array_agg(m.filename ORDER BY m.id) AS kept FROM mesflow._models m WHERE m.content IS NOT NULL;
SELECT test.force($$UPDATE mesflow.orders SET status = 'cancelled', event_seq = 2 WHERE external_ref = 'B'$$);
UPDATE mesflow._models SET used_at = now() - interval '9 years';
SELECT mesflow._drop_models() AS dropped;
SELECT array_agg(m.filename ORDER BY m.id) AS kept FROM mesflow._models m WHERE m.content IS NOT NULL;
SELECT mesflow.delete_model(:'other', 'asked for it') AS gone_already;
-- A quote made ahead that was ordered is not forgotten.
SELECT test.force(format($$UPDATE mesflow._quotes SET preflight = true WHERE id IN (%L, %L)$$, :'ordered', :'free'));
SELECT mesflow._drop_preflights() AS dropped;
SELECT count(*) AS kept FROM mesflow._quotes WHERE id = :'ordered';
