-- What happened to an order, and its page for a terminal.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set planted :srcdir '/sql/planted.psql'
\i :common
\i :planted
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT test.measured('шкатулка с очень длинным именем файла.stl', test.box(40, 40, 40)) AS casket \gset
SELECT test.register('node') \g /dev/null
SELECT mesflow.upload_model('broken', '指輪.stl') AS broken \gset
SELECT mesflow.request_quote(:'broken', 'resin', 'sla') AS rejected \gset
SELECT test.claim_all('node') > 0 AS claimed, test.fail('node', '指輪.stl', 'not_a_model', 'It is no model.');
SELECT mesflow.request_quote(:'ring', 'pla', 'fdm', 2) AS first, mesflow.request_quote(:'casket', 'brass', 'casting') AS casket_quote,
       mesflow.request_quote(:'ring', 'resin', 'sla', 1000) AS by_hand \gset
-- Twelve minutes of one morning: every row tells a time of its own.
SELECT test.force(format($$UPDATE mesflow._models SET uploaded_at = '2026-11-20 09:00Z' WHERE id = %L$$, :'ring'));
SELECT test.force(format($$UPDATE mesflow._models SET uploaded_at = '2026-11-20 09:01:00.5Z' WHERE id IN (%L, %L)$$, :'casket', :'broken'));
UPDATE mesflow._measurements SET recorded_at = '2026-11-20 09:00:30Z';
SELECT test.force($$UPDATE mesflow._quotes SET created_at = '2026-11-20 09:02Z', priced_at = '2026-11-20 09:02:01Z', price_list = 'example'$$);
SELECT test.force(format($$UPDATE mesflow._quotes SET created_at = '2026-11-20 09:03Z', priced_at = '2026-11-20 09:03:01Z', state = 'failed', error_code = 'not_a_model', error = 'It is no model.' WHERE id = %L$$, :'rejected'));
SELECT test.force(format($$UPDATE mesflow._quotes SET by_hand = true, decided_at = '2026-11-20 09:08Z', priced_at = '2026-11-20 09:08Z', decided_by = 'anna', note = 'by eye', state = 'priced' WHERE id = %L$$, :'by_hand'));
-- The first quote was replaced; another was rejected by a person.
INSERT INTO mesflow._quotes (partner, model, material, process, quantity, options, state, unit_price, net, tax, total, currency, created_at, priced_at, supersedes, correlation_id)
  SELECT partner, model, material, process, quantity, options, 'priced', 9, 18, 3.6, 21.6, 'EUR', '2026-11-20 09:04Z', '2026-11-20 09:04Z', id, correlation_id FROM mesflow._quotes WHERE id = :'first'
  RETURNING id AS second \gset
SELECT test.force(format($$UPDATE mesflow._quotes SET state = 'cancelled', error_code = 'superseded', error = 'Another takes its place.' WHERE id = %L$$, :'first'));
SELECT test.force(format($$UPDATE mesflow._quotes SET state = 'failed', error_code = 'over_review_limit', error = 'Too heavy.', decided_at = '2026-11-20 09:09Z', decided_by = 'boris' WHERE id = %L$$, :'casket_quote'));
SELECT test.plant(10001, 'MORNING', 'in_production', '2026-11-20 09:10Z', '{"name": "Анна Müller", "company": "Goldschmiede Wien"}', 'shop', 'JJD0001', ARRAY[:'second', :'casket_quote', :'rejected', :'by_hand']::uuid[]) AS morning \gset
SELECT test.plant(10002, 'QUIET') AS quiet \gset
UPDATE mesflow._order_items SET cancelled_at = '2026-11-20 09:11Z', cancelled_by = 'anna', cancel_reason = 'cannot be made' WHERE quote = :'rejected';

CREATE FUNCTION test.event(id bigint, type text, at timestamptz, from_status text DEFAULT NULL, to_status text DEFAULT NULL, dwell interval DEFAULT NULL,
                           data text DEFAULT '{"order": {}, "detail": {}}', actor text DEFAULT NULL, system text DEFAULT NULL, order_id uuid DEFAULT test.id('MORNING')) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO mesflow.outbox (id, event, type, key, key_seq, order_id, partner, at, from_status, to_status, dwell, actor, system, body, xid, origin, slot)
    SELECT $1, gen_random_uuid(), $2, coalesce($10::text, 'k'), CASE WHEN $2 LIKE 'order.%' THEN $1 END, $10, 'shop', $3, $4, $5, $6, $8, $9,
           format('{"type": "%s", "timestamp": "x", "data": %s}', $2, $7), pg_current_xact_id(), 1, mesflow._ring_slot($3)
$$;
SELECT test.event(1, 'order.submitted', '2026-11-20 09:10Z', NULL, 'submitted') \g /dev/null
SELECT test.event(2, 'order.priced', '2026-11-20 09:10Z', 'submitted', 'priced', '0.25 s') \g /dev/null
SELECT test.event(3, 'order.changed', '2026-11-20 09:20Z', data := '{"schema": 1, "seq": 3, "correlation_id": "c", "order": {}, "detail": {"fields": ["priority", "due_at", "items"], "old": {"priority": 0, "due_at": null}, "new": {"priority": 5, "due_at": "2026-11-28"}, "added": 1}}', actor := 'anna') \g /dev/null
SELECT test.event(4, 'order.approved', '2026-11-20 10:15:20Z', 'priced', 'approved', '01:05:20', system := 'crm') \g /dev/null
SELECT test.event(5, 'order.in_production', '2026-11-22 13:15:20Z', 'approved', 'in_production', '2 days 03:00:00', '{"order": {}, "detail": {"hall": "2", "nothing": null}}', 'boris', 'mes') \g /dev/null
SELECT test.event(6, 'work.started', '2026-11-22 13:16Z', data := '{"schema": 1, "correlation_id": "c", "order": {}, "operation": "cast"}') \g /dev/null
SELECT test.event(7, 'note.written', '2026-11-22 13:17Z', data := '"a text"') \g /dev/null
SELECT test.event(8, 'note.written', '2026-11-22 13:18Z', data := '{"order": "is the writer''s own word"}') \g /dev/null
SELECT test.event(9, 'order.submitted', '2026-11-22 13:18Z', NULL, 'submitted', order_id := :'quiet') \g /dev/null
SELECT test.event(10, 'quote.priced', '2026-11-22 13:18Z', order_id := NULL) \g /dev/null

CREATE VIEW test.timeline AS
  SELECT o.external_ref AS ref, t.at, t.event, t.from_status, t.to_status, t.system, t.actor, t.dwell,
         regexp_replace(t.detail::text, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '<uuid>', 'g') AS detail
    FROM mesflow.orders o, mesflow.order_timeline(o.id) t;
SELECT at, event, from_status, to_status, system, actor, dwell, detail FROM test.timeline WHERE ref = 'MORNING';
SELECT event, to_status FROM test.timeline WHERE ref = 'QUIET';
SELECT * FROM test.error($$SELECT mesflow.order_timeline('00000000-0000-7000-8000-000000000000')$$);
SELECT * FROM test.error($$SELECT mesflow.order_timeline(NULL)$$);
CREATE TABLE test.before AS SELECT row_number() OVER (PARTITION BY ref) AS n, * FROM test.timeline;

-- The same when some events are copied, when all are, and when the ring has come round.
INSERT INTO mesflow._order_history SELECT order_id, key_seq, id, at, type, from_status, to_status, system, actor, dwell, mesflow._event_detail(type, body) FROM mesflow.outbox WHERE id <= 4 AND order_id IS NOT NULL;
SELECT count(*) AS differences FROM (SELECT row_number() OVER (PARTITION BY ref) AS n, * FROM test.timeline EXCEPT SELECT * FROM test.before) d;
SELECT count(*) FROM test.before EXCEPT SELECT count(*) FROM test.timeline;
INSERT INTO mesflow._order_history SELECT order_id, key_seq, id, at, type, from_status, to_status, system, actor, dwell, mesflow._event_detail(type, body) FROM mesflow.outbox WHERE id > 4 AND order_id IS NOT NULL;
SELECT count(*) AS differences FROM (SELECT row_number() OVER (PARTITION BY ref) AS n, * FROM test.timeline EXCEPT SELECT * FROM test.before) d;
TRUNCATE mesflow.outbox;
SELECT count(*) AS differences FROM (SELECT row_number() OVER (PARTITION BY ref) AS n, * FROM test.timeline EXCEPT SELECT * FROM test.before) d;
SELECT count(*) FROM test.before EXCEPT SELECT count(*) FROM test.timeline;

-- The card: no line is wider than 80 columns, none ends in a space.
INSERT INTO mesflow._receipts (order_id, system, expected_by, received_at, via, external_id, status) VALUES
  (:'morning', 'crm', '2026-11-20 09:15Z', '2026-11-20 09:10:03Z', 'delivery', '4711', 'accepted by the one who had the time to look at it'),
  (:'morning', 'mes', '2026-11-20 10:20Z', NULL, NULL, NULL, NULL), (:'morning', 'shop', '2999-01-01 00:00Z', NULL, NULL, NULL, NULL);
SELECT test.force(format($$UPDATE mesflow.orders SET priority = 5, due_at = '2026-11-28 18:00Z', status_since = '2026-11-22 13:15:20Z', net = 118, tax = 23.6, total = 141.6, currency = 'EUR', event_seq = 5 WHERE id = %L$$, :'morning'));
CREATE FUNCTION test.card(ref text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
  SELECT regexp_replace(l, '(┆) .* so far', '\1 <time> so far') FROM regexp_split_to_table(mesflow.order_card(test.id($1)), E'\n') l
$$;
\pset format unaligned
\pset tuples_only on
SELECT test.card('MORNING');
SELECT test.card('QUIET');
\pset tuples_only off
\pset format aligned
SELECT count(*) AS wider_or_trailing FROM test.card('MORNING') l WHERE mesflow._cell(l, 80) LIKE '%…' AND l NOT LIKE '%…' OR l LIKE '% ';
SELECT * FROM test.error($$SELECT mesflow.order_card('00000000-0000-7000-8000-000000000000')$$) LIMIT 1;
-- Who may not read customers sees none; the role that is set counts.
GRANT USAGE ON SCHEMA test TO PUBLIC;
CREATE FUNCTION test.customer_for(role text) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', $1);
  RETURN QUERY SELECT l FROM regexp_split_to_table(mesflow.order_card((SELECT o.id FROM mesflow.orders o WHERE o.external_ref = 'MORNING')), E'\n') l WHERE l LIKE '%Customer%';
  RESET ROLE;
END
$$;
SELECT r AS role, (SELECT c.line FROM test.customer_for('mesflow_' || r) c) FROM unnest('{app,operator,manager,admin}'::text[]) r;
SELECT test.force(format($$UPDATE mesflow.customers SET name = NULL, company = NULL, erased_at = '2026-11-30 12:00Z', erased_by = 'anna', erase_reason = 'asked for it' WHERE order_id = %L$$, :'morning'));
SELECT l FROM test.card('MORNING') l WHERE l LIKE '%Customer%';
-- A real order, from the upload on; each event once, and nothing of others.
SELECT setval('mesflow._order_numbers', 20000) \g /dev/null
SELECT mesflow.submit_order('shop', 'REAL', jsonb_build_array(jsonb_build_object('model', :'ring', 'material', 'pla', 'process', 'fdm', 'quantity', 2)), '{"name": "Anna"}') AS real \gset
SELECT mesflow.set_priority(:'real', 7, 'anna'), mesflow.advance_order(:'real', 'approved', 'anna', system := 'crm', detail := '{"hall": 2}'), mesflow.cancel_order(:'real', 'not wanted', 'boris');
SELECT event, from_status, to_status, system, CASE actor WHEN session_user THEN 'session user' ELSE actor END AS actor, dwell >= '0' AS dwell, detail - '{model,quote}'::text[] AS detail FROM mesflow.order_timeline(:'real') WHERE event LIKE 'order.%';
SELECT event, count(*) FROM mesflow.order_timeline(:'real') WHERE event NOT LIKE 'order.%' GROUP BY 1 ORDER BY 1;
SELECT mesflow._event_detail(b.type, b.body) = t.detail AS same FROM mesflow.outbox b JOIN mesflow.order_timeline(:'real') t ON t.event = b.type WHERE b.order_id = :'real' AND b.type = 'order.changed';
-- Work: claimed, released, made with scrap, put right, made again, left.
UPDATE mesflow.processes SET operations = '{print,finish}' WHERE code = 'fdm';
SELECT mesflow.submit_order('shop', 'MADE', jsonb_build_array(jsonb_build_object('model', :'ring', 'material', 'pla', 'process', 'fdm', 'quantity', 10))) AS made \gset
SELECT mesflow.advance_order(:'made', 'approved', 'olga');
SELECT id AS print FROM mesflow.work_orders WHERE order_id = :'made' AND state = 'queued' \gset
SELECT state FROM mesflow.claim_work_order(:'print', 'anna');
SELECT state FROM mesflow.release_work(:'print', 'anna', 'the nozzle is blocked', 'max');
SELECT state FROM mesflow.claim_work_order(:'print', 'boris');
SELECT state FROM mesflow.start_work(:'print', 'boris');
SELECT state FROM mesflow.finish_work(:'print', 'boris', 9, 1);
SELECT state FROM mesflow.correct_work(:'print', 8, 2, 'one more was found', 'olga');
SELECT state FROM mesflow.claim_work_order((SELECT id FROM mesflow.work_orders WHERE order_id = :'made' AND operation = 'finish' AND state = 'queued'), 'anna');
SELECT test.force(format($$UPDATE mesflow._work_orders SET lease_until = now() - interval '1 s' WHERE order_id = %L AND state = 'assigned'$$, :'made'));
SELECT mesflow._return_abandoned(10) AS returned;
SELECT mesflow.cancel_order(:'made', 'not wanted', 'olga');
\pset format unaligned
\pset tuples_only on
SELECT regexp_replace(regexp_replace(l, '(\d{4}-)?\d\d-\d\d \d\d:\d\d(:\d\d)?', '<time>'), '\d+ m?s$', '<span>')
  FROM regexp_split_to_table(mesflow.order_card(:'made'), E'\n') l WHERE l ~ '#  Work|\d-\d |work|in_production';
\pset tuples_only off
\pset format aligned
-- Who works is told by the actor alone.
SELECT count(*) AS work, count(*) FILTER (WHERE t.detail::text ~ 'anna|boris') AS named FROM mesflow.order_timeline(:'made') t WHERE t.event LIKE 'work.%';
-- Cells.
SELECT c.value, c.width, '[' || mesflow._cell(c.value, c.width) || ']' AS left, '[' || mesflow._cell(c.value, c.width, true) || ']' AS right
  FROM (VALUES ('abc', 5), ('abc', 3), ('abcd', 3), ('指輪を', 6), ('指輪を', 5), ('指輪を', 4), ('指輪', 1), (E'a\tb\nc', 6), ('e' || chr(769) || 'te', 3), ('', 2), (NULL, 2)) AS c (value, width);
SELECT s, mesflow._span_text(s::interval) FROM unnest('{0 s,-3 s,0.0129 s,59.9 s,60 s,61 s,1 h,01:05:59,1 day,1 day 00:59:00,40 days 02:03:04}'::text[]) s;
