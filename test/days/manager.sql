-- The production manager's day: how the floor stands, what goes first, what is held, what was counted wrongly, who did what.
\ir day.psql
\ir ../models/examples.psql
SET ROLE mesflow_admin;
INSERT INTO mesflow.shifts (code, starts, ends, days) VALUES ('day', '06:00', '18:00', '{1,2,3,4,5,6,7}'), ('night', '18:00', '06:00', '{1,2,3,4,5,6,7}');
SET ROLE mesflow_app;
SELECT mesflow.upload_model(pg_temp.bracket(), 'bracket.stl') AS bracket \gset
SELECT state FROM mesflow.await_model(:'bracket');
SELECT mesflow.upload_model(pg_temp.bracket(), 'halter.stl', partner => 'acme') AS theirs \gset
SELECT state FROM mesflow.await_model(:'theirs');
CREATE TEMP TABLE sold (n int, id uuid);
GRANT SELECT ON sold TO mesflow_operator, mesflow_manager;
CREATE PROCEDURE pg_temp.sell(ours uuid, theirs uuid, amount integer)
LANGUAGE plpgsql AS $$
DECLARE
  model uuid;
BEGIN
  FOR n IN 1..amount LOOP
    model := CASE WHEN n % 3 = 0 THEN theirs ELSE ours END;
    INSERT INTO sold VALUES (n, mesflow.submit_order(CASE WHEN n % 3 = 0 THEN 'acme' ELSE 'shop' END, 'WEB-' || n,
      jsonb_build_array(jsonb_build_object('model', model, 'material', 'pla', 'process', 'fdm', 'quantity', n),
                        jsonb_build_object('model', model, 'material', 'petg', 'process', 'fdm')), due_at => '2100-01-01Z'::timestamptz + n * interval '1 day'));
    COMMIT;
  END LOOP;
END
$$;
CALL pg_temp.sell(:'bracket', :'theirs', 6);
DO $$ BEGIN PERFORM mesflow.advance_order(id, 'approved', 'olga') FROM sold WHERE n <= 5; END $$;
SELECT max(id::text) FILTER (WHERE n = 1) AS one, max(id::text) FILTER (WHERE n = 2) AS two, max(id::text) FILTER (WHERE n = 3) AS three, max(id::text) FILTER (WHERE n = 4) AS four FROM sold \gset

-- In the morning, before anybody has begun.
SET ROLE mesflow_manager;
SELECT mesflow.floor_report() \g (format=unaligned tuples_only=on)
SELECT pg_temp.same('what is free', (SELECT count(*) FROM regexp_matches(mesflow.floor_report(), 'Free · work orders: 10 · pieces: 20')), 1),
       pg_temp.same('nobody works', strpos(mesflow.floor_report(), 'Nobody has work.') > 0, true);

-- Orders, by pages and by what one looks for.
SELECT number, partner, external_ref, status, work_done, work_total, operators, due_at, next FROM mesflow.orders_page(limit_to => 4);
SELECT next FROM mesflow.orders_page(limit_to => 4) LIMIT 1 \gset
SELECT number, partner, external_ref, status, work_done, work_total, next FROM mesflow.orders_page(:'next', limit_to => 4);
SELECT pg_temp.same('newest first', (SELECT array_agg(external_ref) FROM mesflow.orders_page(limit_to => 4)), '{WEB-6,WEB-5,WEB-4,WEB-3}'::text[]),
       pg_temp.same('the next page', (SELECT array_agg(external_ref) FROM mesflow.orders_page(:'next', limit_to => 4)), '{WEB-2,WEB-1}'::text[]),
       pg_temp.same('is the last', (SELECT max(next) FROM mesflow.orders_page(:'next', limit_to => 4)), NULL),
       pg_temp.same('a partner''s', (SELECT array_agg(external_ref) FROM mesflow.orders_page(filters => '{"partner": "acme"}')), '{WEB-6,WEB-3}'::text[]),
       pg_temp.same('in a status', (SELECT array_agg(external_ref) FROM mesflow.orders_page(filters => '{"status": "priced"}')), '{WEB-6}'::text[]),
       pg_temp.same('due soon', (SELECT array_agg(external_ref) FROM mesflow.orders_page(filters => '{"due_before": "2100-01-04T00:00:00Z"}')), '{WEB-1,WEB-2}'::text[]),
       pg_temp.same('no such filter', pg_temp.refusal($$SELECT mesflow.orders_page(filters => '{"priority": 5}')$$), 'MF400'),
       pg_temp.same('a token of another page', pg_temp.refusal(format('SELECT mesflow.orders_page(%L, %L)', :'next', '{"partner": "acme"}')), 'MF400');

-- A customer has called: this one first. Its work is on top at once.
SELECT mesflow.set_priority(:'two', 10, 'max', 'the wedding is on Saturday');
SELECT number, order_number, operation, quantity, priority FROM mesflow.dispatch_page(limit_to => 3);
SELECT pg_temp.same('on top', (SELECT array_agg(DISTINCT order_number) FROM mesflow.dispatch_page(limit_to => 2)), (SELECT ARRAY[number] FROM mesflow.orders WHERE id = :'two'));

-- The floor works.
SET ROLE mesflow_operator;
SELECT id AS of_two FROM mesflow.claim_work('anna', 'printer-1', 2) WHERE quantity = 2 \gset
SELECT id AS of_four FROM mesflow.work_orders WHERE order_id = :'four' AND quantity = 4 AND state = 'queued' \gset
SELECT state FROM mesflow.claim_work_order(:'of_four', 'boris');
SELECT state FROM mesflow.start_work(:'of_two', 'anna');
SELECT state FROM mesflow.start_work(:'of_four', 'boris');
SELECT pg_temp.same('urgent', (SELECT order_id FROM mesflow.work_orders WHERE id = :'of_two'), :'two'::uuid);

-- The material is bad: hold it. What has begun may be finished, nothing else; then it comes back as it was.
SET ROLE mesflow_manager;
SELECT mesflow.advance_order(:'four', 'on_hold', 'max', 'a bad batch of filament');
SELECT pg_temp.same('off the list', (SELECT count(*) FROM mesflow.dispatch_page() d JOIN mesflow.orders o ON o.number = d.order_number WHERE o.id = :'four'), 0),
       pg_temp.same('the report knows', (SELECT count(*) FROM regexp_matches(mesflow.floor_report(), 'On hold with work: 1')), 1);
SELECT id AS waiting FROM mesflow.work_orders WHERE order_id = :'four' AND state = 'queued' \gset
SET ROLE mesflow_operator;
SELECT pg_temp.same('not on hold', pg_temp.refusal(format('SELECT mesflow.claim_work_order(%L, %L)', :'waiting', 'anna')), 'MF423');
SELECT state, good FROM mesflow.finish_work(:'of_four', 'boris', 4);
SELECT state, good FROM mesflow.finish_work(:'of_two', 'anna', 2);
SET ROLE mesflow_manager;
SELECT mesflow.advance_order(:'four', 'in_production', 'max', 'there is a new spool');
SELECT pg_temp.same('it is back', (SELECT array_agg(d.operation || ' ' || d.quantity ORDER BY d.operation) FROM mesflow.dispatch_page() d JOIN mesflow.orders o ON o.number = d.order_number WHERE o.id = :'four'),
                    '{"finish 4","print 1"}'::text[]);

-- Boris has counted one that is cracked. Put right, with the reason: it is made again, and counts for the shift of the finish.
SELECT pg_temp.same('why?', pg_temp.refusal(format('SELECT mesflow.correct_work(%L, 3, 1, NULL, %L)', :'of_four', 'max')), 'MF400');
SELECT number, good, scrap FROM mesflow.correct_work(:'of_four', 3, 1, 'one is cracked', 'max');
SELECT pg_temp.same('what follows', (SELECT array_agg(operation || ' ' || quantity || ' ' || state ORDER BY number) FROM mesflow.work_orders WHERE order_id = :'four' AND item = (SELECT item FROM mesflow.work_orders WHERE id = :'of_four')),
                    '{"print 4 finished","finish 3 queued","print 1 queued","finish 1 planned"}'::text[]),
       pg_temp.same('boris', (SELECT ARRAY[sum(finished), sum(good), sum(scrap)] FROM mesflow.dashboard_operators WHERE operator = 'boris'), '{1,3,1}'::numeric[]),
       pg_temp.same('who and why', (SELECT ARRAY[operator, actor, note] FROM mesflow.outbox WHERE type = 'work.corrected'), '{boris,max,"one is cracked"}'::text[]);

-- The customer does without the second part: nobody makes it.
SELECT mesflow.cancel_item(i.id, 'one will do', 'max') FROM mesflow.order_items i WHERE i.order_id = :'one' AND i.position = 2;
SELECT pg_temp.same('not made', (SELECT array_agg(operation || ' ' || w.state ORDER BY w.number) FROM mesflow.work_orders w JOIN mesflow.order_items i ON i.id = w.item WHERE i.order_id = :'one' AND i.position = 2),
                    '{"print cancelled","finish cancelled"}'::text[]),
       pg_temp.same('the other is', (SELECT count(*) FROM mesflow.dispatch_page() d JOIN mesflow.orders o ON o.number = d.order_number WHERE o.id = :'one'), 1);

-- How it stands: one order, and the floor.
SELECT mesflow.order_card(:'four') \g (format=unaligned tuples_only=on)
SELECT mesflow.floor_report() \g (format=unaligned tuples_only=on)
SELECT pg_temp.same('of four', (SELECT count(*) FROM regexp_matches(mesflow.order_card(:'four'), 'print +4 +3/1 +finished +boris')), 1),
       pg_temp.same('who has what', (SELECT array_agg(external_ref) FROM mesflow.orders_page(filters => '{"operator": "anna"}')), '{WEB-2}'::text[]),
       pg_temp.same('anna has another one', (SELECT count(*) FROM regexp_matches(mesflow.floor_report(), 'anna +\S+ +print +1 +printer-1 start by')), 1);

-- Who did what, by shift. An order that is made moves on by itself, and leaves by hand.
SELECT day, shift, operator, sum(finished) AS finished, sum(good) AS good, sum(scrap) AS scrap, sum(busy) AS busy FROM mesflow.dashboard_operators GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT pg_temp.same('counted', (SELECT array_agg(operator || ' ' || good || ' ' || scrap ORDER BY operator) FROM (SELECT operator, sum(good) AS good, sum(scrap) AS scrap FROM mesflow.dashboard_operators WHERE shift IN ('day', 'night') GROUP BY 1) s),
                    '{"anna 2 0","boris 3 1"}'::text[]);
SET ROLE mesflow_operator;
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
SET ROLE mesflow_manager;
SELECT pg_temp.same('made', (SELECT array_agg(external_ref ORDER BY external_ref) FROM mesflow.orders_page(filters => '{"status": "produced"}')), '{WEB-1,WEB-3,WEB-4,WEB-5}'::text[]),
       pg_temp.same('anna still has a part', (SELECT array_agg(external_ref) FROM mesflow.orders_page(filters => '{"status": "in_production"}')), '{WEB-2}'::text[]);

-- A status of our own, in which work goes on: anna's part is made there, and the order is produced by itself.
SET ROLE mesflow_admin;
INSERT INTO mesflow.order_statuses (status, position, owner_system, label, workable) VALUES ('inspection', 62, 'mes', 'Inspection', true);
INSERT INTO mesflow.order_transitions (from_status, to_status) VALUES ('in_production', 'inspection'), ('inspection', 'produced');
SET ROLE mesflow_manager;
SELECT mesflow.advance_order(:'two', 'inspection', 'max');
SET ROLE mesflow_operator;
SELECT id AS last FROM mesflow.work_orders WHERE operator = 'anna' AND state = 'assigned' \gset
SELECT state FROM mesflow.start_work(:'last', 'anna');
SELECT state FROM mesflow.finish_work(:'last', 'anna', 1);
CALL pg_temp.work_off();
SET ROLE mesflow_manager;
SELECT pg_temp.same('inspected, then made', (SELECT array_agg(to_status ORDER BY id) FROM mesflow.outbox WHERE order_id = :'two' AND to_status IS NOT NULL), '{submitted,priced,approved,in_production,inspection,produced}'::text[]);

-- Out of the house.
SELECT mesflow.advance_order(:'one', s, 'max') FROM unnest('{packed,shipped,delivered,closed}'::text[]) s;
SELECT pg_temp.same('still to be found', (SELECT array_agg(external_ref || ' ' || status) FROM mesflow.orders_page(filters => '{"open": false}')), '{"WEB-1 closed"}'::text[]);
