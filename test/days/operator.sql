-- The operator's day: what there is to do, taken once and never twice, made, counted, handed on; and what I did today.
\ir day.psql
\ir ../models/examples.psql
SET ROLE mesflow_admin;
INSERT INTO mesflow.shifts (code, starts, ends, days) VALUES ('day', '06:00', '18:00', '{1,2,3,4,5,6,7}'), ('night', '18:00', '06:00', '{1,2,3,4,5,6,7}');
UPDATE mesflow.operators SET max_claims = 2 WHERE code = 'anna';
SET ROLE mesflow_app;
SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl') AS bracket \gset
SELECT state FROM mesflow.await_model(:'bracket');
CREATE TEMP TABLE mine AS
  SELECT ref, mesflow.submit_order('shop', ref, jsonb_build_array(jsonb_build_object('model', :'bracket', 'material', material, 'process', process, 'quantity', quantity)), priority => priority) AS id
    FROM (VALUES ('FIRST', 'pla', 'fdm', 10, 0), ('SECOND', 'petg', 'fdm', 3, 0), ('URGENT', 'resin', 'sla', 1, 5)) AS o (ref, material, process, quantity, priority);
GRANT SELECT ON mine TO mesflow_operator;
SELECT mesflow.advance_order(id, 'approved', 'olga') FROM mine WHERE ref = 'FIRST';
SELECT mesflow.advance_order(id, 'approved', 'olga') FROM mine WHERE ref = 'SECOND';
SELECT mesflow.advance_order(id, 'approved', 'olga') FROM mine WHERE ref = 'URGENT';
SELECT id AS first FROM mine WHERE ref = 'FIRST' \gset
SELECT id AS second FROM mine WHERE ref = 'SECOND' \gset
SELECT id AS urgent FROM mine WHERE ref = 'URGENT' \gset

-- The first page: what my printer can do. What is urgent comes first, then the newest.
SET ROLE mesflow_operator;
SELECT number, process, operation, material, quantity, priority, due_at, state, queued_at FROM mesflow.dispatch_page(filters => '{"station": "printer-1"}');
SELECT pg_temp.same('the list', (SELECT array_agg(d.material || ' ' || d.operation || ' ' || d.quantity) FROM mesflow.dispatch_page(filters => '{"station": "printer-1"}') d),
                    '{"resin print 1","petg print 3","pla print 10"}'::text[]),
       pg_temp.same('nothing at the bench yet', (SELECT count(*) FROM mesflow.dispatch_page(filters => '{"station": "bench"}')), 0),
       pg_temp.same('no such filter', pg_temp.refusal($$SELECT mesflow.dispatch_page(filters => '{"colour": "red"}')$$), 'MF400'),
       pg_temp.same('no such station', pg_temp.refusal($$SELECT mesflow.claim_work('anna', 'printer-9')$$), 'MF404');

-- Claimed. The answer was lost on the way: the same request gives the same work, and counts once.
SELECT gen_random_uuid() AS request \gset
SELECT id AS urgent_work, number, lease_until FROM mesflow.claim_work('anna', 'printer-1', request_id => :'request') \gset
SELECT pg_temp.same('the urgent one', (SELECT order_id FROM mesflow.work_orders WHERE id = :'urgent_work'), :'urgent'::uuid),
       pg_temp.same('the same again', (SELECT array_agg(id) FROM mesflow.claim_work('anna', 'printer-1', request_id => :'request')), ARRAY[:'urgent_work'::uuid]),
       pg_temp.same('one claim', (SELECT sum(claimed) FROM mesflow.dashboard_operators WHERE operator = 'anna'), 1::numeric),
       pg_temp.same('nobody else''s', pg_temp.refusal(format('SELECT mesflow.claim_work(%L, request_id => %L)', 'boris', :'request')), 'MF409'),
       pg_temp.same('nor by its number', pg_temp.refusal(format('SELECT mesflow.claim_work_order(%L, %L)', :'urgent_work', 'boris')), 'MF409');
SELECT id AS boris FROM mesflow.claim_work('boris', 'printer-1') \gset
SELECT id AS work, number, operation, quantity, lease_until FROM mesflow.claim_work('anna', 'printer-1') \gset
SELECT pg_temp.same('boris has the next', (SELECT order_id FROM mesflow.work_orders WHERE id = :'boris'), :'second'::uuid),
       pg_temp.same('anna the last', (SELECT order_id FROM mesflow.work_orders WHERE id = :'work'), :'first'::uuid),
       pg_temp.same('it is empty', (SELECT count(*) FROM mesflow.claim_work('boris', 'printer-1')), 0),
       pg_temp.same('two are enough', pg_temp.refusal($$SELECT mesflow.claim_work('anna')$$), 'MF429');
SELECT number, state, operation, quantity, station, lease_until FROM mesflow.work_orders WHERE operator = 'anna' AND state IN ('assigned', 'started');

-- Started: no lease any more, and the order is in production.
SELECT number, state, lease_until FROM mesflow.start_work(:'urgent_work', 'anna');
SELECT number, state, lease_until FROM mesflow.start_work(:'urgent_work', 'anna');
SELECT number, state, started_at FROM mesflow.start_work(:'work', 'anna');
SELECT pg_temp.same('no lease', (SELECT count(*) FROM mesflow.work_orders WHERE state = 'started' AND lease_until IS NULL), 2),
       pg_temp.same('in production', (SELECT array_agg(status ORDER BY status) FROM mesflow.orders), '{approved,in_production,in_production}'::text[]),
       pg_temp.same('not mine', pg_temp.refusal(format('SELECT mesflow.start_work(%L, %L)', :'boris', 'anna')), 'MF409');

-- Eight of ten are good. They go on to the bench; two are printed again.
SELECT pg_temp.same('not more than there are', pg_temp.refusal(format('SELECT mesflow.finish_work(%L, %L, 10, 1)', :'work', 'anna')), 'MF400');
SELECT number, state, quantity, good, scrap FROM mesflow.finish_work(:'work', 'anna', 8, 2);
SELECT number, state, quantity, good, scrap FROM mesflow.finish_work(:'work', 'anna', 8, 2);
SELECT number, operation, step, quantity, state, repeats FROM mesflow.work_orders WHERE order_id = :'first' ORDER BY number;
SELECT pg_temp.same('what follows', (SELECT array_agg(operation || ' ' || quantity || ' ' || state ORDER BY step, quantity) FROM mesflow.work_orders WHERE order_id = :'first' AND state <> 'finished'),
                    '{"print 2 queued","finish 2 planned","finish 8 queued"}'::text[]),
       pg_temp.same('of which work', (SELECT repeats FROM mesflow.work_orders WHERE order_id = :'first' AND state = 'queued' AND operation = 'print'), :'work'::uuid),
       pg_temp.same('once', pg_temp.refusal(format('SELECT mesflow.finish_work(%L, %L, 9, 1)', :'work', 'anna')), 'MF409'),
       pg_temp.same('a printer prints', (SELECT array_agg(operation) FROM mesflow.dispatch_page(filters => '{"station": "printer-1"}') WHERE operator IS NULL), '{print}'::text[]);
SELECT state FROM mesflow.finish_work(:'urgent_work', 'anna', 1);

-- The next operation, at another station.
SELECT id AS bench, order_id AS bench_order FROM mesflow.claim_work('anna', 'bench') \gset
SELECT operation, quantity FROM mesflow.start_work(:'bench', 'anna');
SELECT pg_temp.same('the eight', (SELECT operation || ' ' || quantity || ' ' || state FROM mesflow.work_orders WHERE id = :'bench'), 'finish 8 started');

-- Boris must go. He says why, and it is free again; what he had is no loss to anybody.
SELECT pg_temp.same('why?', pg_temp.refusal(format('SELECT mesflow.release_work(%L, %L, %L)', :'boris', 'boris', '')), 'MF400');
SELECT number, state, operator FROM mesflow.release_work(:'boris', 'boris', 'the dentist');
SELECT pg_temp.same('free again', (SELECT state || coalesce(operator, '') FROM mesflow.dashboard_dispatch WHERE work_order = :'boris'), 'queued'),
       pg_temp.same('again', (SELECT state FROM mesflow.release_work(:'boris', 'boris', 'the dentist')), 'queued');
SELECT id AS taken FROM mesflow.claim_work_order(:'boris', 'anna') \gset
SELECT state FROM mesflow.start_work(:'taken', 'anna');
SELECT state FROM mesflow.finish_work(:'taken', 'anna', 3);
SELECT state FROM mesflow.finish_work(:'bench', 'anna', 8);

-- All that is left, until the list is empty: the orders are produced by themselves.
CREATE PROCEDURE pg_temp.work_off()
LANGUAGE plpgsql AS $$
DECLARE
  w record;
BEGIN
  LOOP
    SELECT * INTO w FROM mesflow.claim_work('boris');
    EXIT WHEN NOT FOUND;
    PERFORM mesflow.start_work(w.id, 'boris'), mesflow.finish_work(w.id, 'boris', w.quantity);
  END LOOP;
END
$$;
CALL pg_temp.work_off();
SELECT pg_temp.same('produced', (SELECT array_agg(DISTINCT status) FROM mesflow.orders), '{produced}'::text[]),
       pg_temp.same('an empty list', (SELECT count(*) FROM mesflow.dispatch_page()), 0);

-- What I did today, by which I am paid.
SELECT day, shift, process, operation, claimed, finished, good, scrap, busy FROM mesflow.dashboard_operators WHERE operator = 'anna' ORDER BY process, operation;
SELECT pg_temp.same('anna', (SELECT ARRAY[sum(claimed), sum(finished), sum(good), sum(scrap)] FROM mesflow.dashboard_operators WHERE operator = 'anna'), '{4,4,20,2}'::numeric[]),
       pg_temp.same('in a shift', (SELECT count(*) FROM mesflow.dashboard_operators WHERE shift IS NULL), 0),
       pg_temp.same('as the work says', (SELECT ARRAY[sum(good), sum(scrap)] FROM mesflow.dashboard_operators), (SELECT ARRAY[sum(good), sum(scrap)]::numeric[] FROM mesflow.work_orders)),
       pg_temp.same('counts are put right by others', pg_temp.refusal(format('SELECT mesflow.correct_work(%L, 10, 0, %L, %L)', :'work', 'more for me', 'anna')), '42501');

-- With a login of her own, anna is anna.
RESET ROLE;
CREATE ROLE "anna at the printer" LOGIN IN ROLE mesflow_operator;
UPDATE mesflow.operators SET login = 'anna at the printer' WHERE code = 'anna';
SET ROLE "anna at the printer";
SELECT pg_temp.same('herself', (SELECT count(*) FROM mesflow.claim_work('anna')), 0),
       pg_temp.same('nobody else', pg_temp.refusal($$SELECT mesflow.claim_work('boris')$$), 'MF423');
RESET ROLE;
DROP ROLE "anna at the printer";
