-- Steps of orders: by UPDATE and by advance_order, the same rules and the same events.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT jsonb_build_array(test.item(:'ring')) AS one, mesflow.upload_model('later', 'later.stl') AS later \gset

-- All the way, in both ways: the same rows and events, but for ids and times.
SELECT test.submit('verb', :'one'), test.submit('update', :'one');
SELECT test.advance('verb', 'approved', 'on_hold', 'approved', 'in_production', 'on_hold', 'in_production', 'produced', 'packed', 'shipped', 'delivered', 'closed');
CREATE FUNCTION test.update(name text, variadic steps text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  step text;
BEGIN
  FOREACH step IN ARRAY $2 LOOP
    UPDATE mesflow.orders SET status = step WHERE id = test.id($1);
  END LOOP;
  RETURN (SELECT o.status FROM mesflow.orders o WHERE o.id = test.id($1));
END
$$;
SELECT test.update('update', 'approved', 'on_hold', 'approved', 'in_production', 'on_hold', 'in_production', 'produced', 'packed', 'shipped', 'delivered', 'closed');
SELECT * FROM test.told;
SELECT seq, type, "from", "to", dwell, actor, detail FROM test.events WHERE name = 'verb';
SELECT v.seq, v, u FROM test.events v FULL JOIN test.events u USING (seq) WHERE v.name = 'verb' AND u.name = 'update' AND (v.type, v."from", v."to", v.dwell, v.system, v.actor, v.note, v.detail) IS DISTINCT FROM (u.type, u."from", u."to", u.dwell, u.system, u.actor, u.note, u.detail);
CREATE FUNCTION test.body(body text, number text) RETURNS text LANGUAGE sql AS $$ SELECT replace(replace(test.masked($1), '"' || $2 || '"', '"number"'), '"update"', '"verb"') $$;
SELECT count(*) AS events, count(*) FILTER (WHERE test.body(v.body, vo.number) = test.body(u.body, uo.number)) AS same_bodies
  FROM mesflow.orders vo JOIN mesflow.outbox v ON v.order_id = vo.id, mesflow.orders uo JOIN mesflow.outbox u ON u.order_id = uo.id WHERE vo.id = test.id('verb') AND uo.id = test.id('update') AND v.key_seq = u.key_seq;
SELECT count(*) AS orders, bool_and(o.closed_at = o.status_since AND o.status_since = (SELECT e.at FROM mesflow.outbox e WHERE e.order_id = o.id AND e.to_status IS NOT NULL ORDER BY e.id DESC LIMIT 1)) AS stamped FROM mesflow.orders o;
SELECT bool_and(e.dwell = e.at - p.at) AS dwell_is_the_time_between FROM mesflow.outbox e
  JOIN LATERAL (SELECT p.at FROM mesflow.outbox p WHERE p.order_id = e.order_id AND p.key_seq < e.key_seq AND p.to_status IS NOT NULL ORDER BY p.key_seq DESC LIMIT 1) p ON true WHERE e.to_status IS NOT NULL;

-- What is said about a step: in the event; the note for the staff only, the tracking number with the order.
SELECT test.submit('spoken', :'one');
SELECT mesflow.advance_order(test.id('spoken'), 'approved', 'anna', 'call before noon', 'crm', 'priced', '{"channel": "phone"}');
SELECT test.advance('spoken', 'in_production', 'produced', 'packed');
SELECT mesflow.advance_order(test.id('spoken'), 'shipped', '  ', NULL, 'shop', NULL, '{"carrier": "Post", "tracking": "RB 123", "url": "https://example.org/?a=1&b=\"2\"", "n": [1, 2.50, null]}');
SELECT seq, type, system, actor, note, detail FROM test.events WHERE name = 'spoken';
SELECT status_by = session_user AS by, tracking FROM mesflow.orders WHERE id = test.id('spoken');
SELECT count(*) AS notes_told FROM mesflow.outbox WHERE body ~ 'before noon';
-- Again: nothing, even with another expectation.
SELECT mesflow.advance_order(test.id('spoken'), 'shipped', 'eve', 'again', expect => 'packed', detail => '{"tracking": "other"}');
UPDATE mesflow.orders SET status = 'shipped' WHERE id = test.id('spoken');
SELECT event_seq, tracking FROM mesflow.orders WHERE id = test.id('spoken');
-- Expectations, and what is not there.
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'delivered', expect => 'packed')$$, test.id('spoken')));
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'delivered', expect => 'lost')$$, test.id('spoken')));
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'lost')$$, test.id('spoken')));
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, NULL)$$, test.id('spoken')));
SELECT * FROM test.refused(format($$UPDATE mesflow.orders SET status = 'lost' WHERE id = %L$$, test.id('spoken')));
SELECT * FROM test.refused(format($$UPDATE mesflow.orders SET status = NULL WHERE id = %L$$, test.id('spoken')));
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'delivered', system => 'erp')$$, test.id('spoken')));
SELECT * FROM test.refused($$SELECT mesflow.advance_order('00000000-0000-7000-8000-000000000000', 'delivered')$$);
SELECT * FROM test.refused($$SELECT mesflow.advance_order(NULL, 'delivered')$$);
-- What is too long, or no object.
SELECT d AS detail, test.answer(format($$SELECT mesflow.advance_order(%L, 'delivered', detail => %L)$$, test.id('spoken'), d)) FROM unnest(ARRAY['null', '[]', '"x"', '1', '{"tracking": 5}', '{"tracking": ""}', '{"tracking": []}']) d;
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'delivered', %L, %L, detail => %L)$$, test.id('spoken'), repeat('a', v.actor), repeat('ü', v.note), jsonb_build_object(v.key, repeat('x', v.detail))))
  FROM (VALUES (1, 1000000, 'k', 1), (1, 10001, 'k', 1), (201, 1, 'k', 1), (1000000, 1, 'k', 1), (1, 1, 'k', 1000000), (1, 1, 'k', 65536), (1, 1, 'tracking', 201)) v (actor, note, key, detail);
SELECT status, event_seq FROM mesflow.orders WHERE id = test.id('spoken');
SELECT mesflow.advance_order(test.id('spoken'), 'delivered', repeat('a', 200), repeat('ü', 10000), detail => jsonb_build_object('k', repeat('x', 60000), 'tracking', repeat('t', 200)));
SELECT length(note) AS note, length(actor) AS actor, length(body) > 60000 AS detail FROM mesflow.outbox WHERE order_id = test.id('spoken') AND to_status = 'delivered';
SELECT mesflow.advance_order(test.id('spoken'), 'closed', detail => NULL);

-- All steps that there are not. Those that mesflow makes itself when it prices, nobody makes.
SELECT test.submit('from submitted', jsonb_build_array(test.item(:'later'))), test.submit('from priced', :'one'), test.submit('from approved', :'one'), test.submit('from in_production', :'one'), test.submit('from on_hold', :'one'), test.submit('from produced', :'one'),
       test.submit('from packed', :'one'), test.submit('from shipped', :'one'), test.submit('from delivered', :'one'), test.submit('from closed', :'one'), test.submit('from cancelled', :'one'), test.submit('from in_review', :'one'), test.submit('from pricing_failed', jsonb_build_array(test.item(:'ring', 1, '{"scale": 10}', 'resin', 'sla')));
SELECT test.advance('from approved', 'approved'), test.advance('from in_production', 'approved', 'in_production'), test.advance('from on_hold', 'approved', 'in_production', 'on_hold'), test.advance('from produced', 'approved', 'in_production', 'produced'),
       test.advance('from packed', 'approved', 'in_production', 'produced', 'packed'), test.advance('from shipped', 'approved', 'in_production', 'produced', 'packed', 'shipped'), test.advance('from delivered', 'approved', 'in_production', 'produced', 'packed', 'shipped', 'delivered'),
       test.advance('from closed', 'approved', 'in_production', 'produced', 'packed', 'shipped', 'delivered', 'closed'), test.advance('from cancelled', 'cancelled'), test.advance('from in_review', 'in_review');
-- Each tried in a subtransaction that is undone.
CREATE FUNCTION test.would(name text, step text, by_update boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  BEGIN
    answer := test.answer(CASE WHEN $3 THEN format('UPDATE mesflow.orders SET status = %L WHERE id = %L', $2, test.id($1)) ELSE format('SELECT mesflow.advance_order(%L, %L)', test.id($1), $2) END);
    RAISE EXCEPTION 'undone';
  EXCEPTION WHEN raise_exception THEN
    RETURN regexp_replace(answer, '\m\d{6}\M', '<number>', 'g');
  END;
END
$$;
SELECT substr(o.name, 6) AS "from", string_agg(s.status, ' ' ORDER BY s.position) FILTER (WHERE a = 'no error') AS "to", count(*) FILTER (WHERE a ~ '^MF423') AS refused, count(*) FILTER (WHERE a <> b) AS otherwise_by_update
  FROM test.orders o CROSS JOIN mesflow.order_statuses s CROSS JOIN LATERAL (VALUES (test.would(o.name, s.status, false), test.would(o.name, s.status, true))) w (a, b) WHERE o.name ~ '^from' AND substr(o.name, 6) <> s.status GROUP BY o.at, 1 ORDER BY o.at;
SELECT DISTINCT regexp_replace(test.would(o.name, s.status, false), '"[a-z_]+"', '"s"', 'g') AS answers FROM test.orders o CROSS JOIN mesflow.order_statuses s WHERE o.name ~ '^from' ORDER BY 1;
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'shipped')$$, test.id('from priced')));
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'priced')$$, test.id('from submitted')));
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'in_production')$$, test.id('from closed')));

-- Reviewed by a person: back to priced, where it has a price.
SELECT test.advance('from in_review', 'priced', 'approved');
SELECT test.advance('from pricing_failed', 'in_review'), test.advance('from submitted', 'in_review');
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'priced')$$, test.id('from pricing_failed')));
SELECT test.answer(format($$SELECT mesflow.advance_order(%L, 'priced')$$, test.id('from submitted')));

-- On hold, an order remembers where it was, and goes back there, or is cancelled.
SELECT test.submit('held', :'one');
SELECT test.advance('held', 'approved', 'in_production', 'on_hold');
SELECT status, held_from FROM test.told WHERE name = 'held';
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'approved')$$, test.id('held')));
SELECT test.advance('held', 'in_production', 'on_hold', 'cancelled');
SELECT status, held_from, closed FROM test.told WHERE name = 'held';

-- Approval: with a price that still holds; sets a date where nobody asked for one.
SELECT test.submit('dated', :'one', due_at => '2031-05-01 10:00+00'), test.submit('undated', jsonb_build_array(test.item(:'ring'), test.item(:'ring', 1, '{}', 'brass', 'casting'), test.item(:'ring', 1, '{}', 'resin', 'sla')));
SELECT test.advance('dated', 'approved'), test.advance('undated', 'approved');
SELECT o.due_at FROM mesflow.orders o WHERE id = test.id('dated');
SELECT o.due_at - o.status_since AS lead, max(i.lead_days) AS longest FROM mesflow.orders o JOIN mesflow.order_items i ON i.order_id = o.id WHERE o.id = test.id('undated') GROUP BY o.id;
SELECT type, seq, (SELECT e.body::jsonb #>> '{data,order,due_at}' IS NOT NULL FROM mesflow.outbox e WHERE e.order_id = test.id(name) AND e.key_seq = seq) AS due FROM test.events WHERE name = 'undated';
SELECT test.submit('expired', :'one');
UPDATE mesflow._quotes SET expires_at = clock_timestamp() - interval '1 s' WHERE id IN (SELECT quote FROM mesflow.order_items WHERE order_id = test.id('expired'));
SELECT mesflow._sum_order(test.id('expired'), NULL, NULL, NULL, false, false);
SELECT * FROM test.refused(format($$SELECT mesflow.advance_order(%L, 'approved')$$, test.id('expired')));
SELECT * FROM test.refused(format($$UPDATE mesflow.orders SET status = 'approved' WHERE id = %L$$, test.id('expired')));
SELECT name, status, seq FROM test.told WHERE name = 'expired';

-- Priorities and dates, by verb and by UPDATE; both in one UPDATE with a step.
SELECT test.submit('set', :'one'), test.submit('updated', :'one'), test.submit('all at once', :'one');
SELECT mesflow.set_priority(test.id('set'), 7, 'anna', 'a friend'), mesflow.set_due(test.id('set'), '2031-01-01 00:00+00', 'anna');
SELECT mesflow.set_priority(test.id('set'), 7, 'eve'), mesflow.set_due(test.id('set'), '2031-01-01 01:00+01');
SELECT mesflow.set_due(test.id('set'), NULL), mesflow.set_due(test.id('set'), NULL);
UPDATE mesflow.orders SET priority = 7, due_at = '2031-01-01 00:00+00' WHERE id = test.id('updated');
UPDATE mesflow.orders SET priority = 7, due_at = due_at WHERE id = test.id('updated');
UPDATE mesflow.orders SET status = 'approved', priority = -3, due_at = '2031-01-01 00:00+00' WHERE id = test.id('all at once');
SELECT e.name, e.seq, e.type, e.actor, e.note, o.body::jsonb #> '{data,detail}' AS detail, o.body::jsonb #>> '{data,order,status}' AS status, o.body::jsonb #>> '{data,order,previous_status}' AS previous FROM test.events e JOIN mesflow.outbox o ON o.order_id = test.id(e.name) AND o.key_seq = e.seq WHERE e.name IN ('set', 'updated', 'all at once') AND e.seq > 2;
SELECT v AS verb, test.answer(format(v, test.id('from closed'))) FROM unnest(ARRAY['SELECT mesflow.set_priority(%L, 9)', 'SELECT mesflow.set_due(%L, now())', 'UPDATE mesflow.orders SET priority = 9 WHERE id = %L', 'SELECT mesflow.set_priority(%L, 0)']) v;
SELECT v AS verb, test.answer(format(v, test.id('set'))) FROM unnest(ARRAY['SELECT mesflow.set_priority(%L, NULL)', 'SELECT mesflow.set_due(%L, ''infinity'')', 'UPDATE mesflow.orders SET due_at = ''-infinity'' WHERE id = %L', 'UPDATE mesflow.orders SET due_at = ''10000-01-01'' WHERE id = %L', 'UPDATE mesflow.orders SET priority = NULL WHERE id = %L',
  'SELECT mesflow.set_priority(%L, 1, repeat(''x'', 201))', 'SELECT mesflow.set_due(%L, now(), ''x'', repeat(''x'', 1000000))']) v;
SELECT test.answer($$SELECT mesflow.set_priority('00000000-0000-7000-8000-000000000000', 1)$$), test.answer($$SELECT mesflow.set_due(NULL, NULL)$$);

-- Everything else of an order does not change, nor is a row inserted or deleted by hand.
SELECT a.attname AS column, test.answer(format('UPDATE mesflow.orders SET %I = %s WHERE id = %L', a.attname, CASE a.attname WHEN 'held_from' THEN $$'approved'$$ WHEN 'closed_at' THEN 'now()' WHEN 'traceparent' THEN $$'x'$$ WHEN 'tracking' THEN $$'x'$$ WHEN 'closed_as' THEN $$'x'$$ WHEN 'asked_due' THEN 'now()' WHEN 'id' THEN 'gen_random_uuid()' WHEN 'number' THEN $$'1'$$ WHEN 'external_ref' THEN $$'y'$$ ELSE 'NULL' END, test.id('set'))) AS answer
  FROM pg_attribute a WHERE a.attrelid = 'mesflow.orders'::regclass AND a.attnum > 0 AND a.attname NOT IN ('status', 'priority', 'due_at') ORDER BY a.attnum;
SELECT * FROM test.refused(format('UPDATE mesflow.orders SET total = 0 WHERE id = %L', test.id('set')));
SELECT * FROM test.refused(format('UPDATE mesflow.orders SET event_seq = event_seq + 1 WHERE id = %L', test.id('set')));
SELECT test.answer(format('UPDATE mesflow.orders SET status = %L, total = total + 1 WHERE id = %L', 'approved', test.id('set'))) AS beside_a_step, test.answer(format('UPDATE mesflow.orders SET total = total, number = number WHERE id = %L', test.id('set'))) AS to_what_it_is;
SELECT s AS statement, test.answer(s) FROM unnest(ARRAY[format('DELETE FROM mesflow.orders WHERE id = %L', test.id('set')), 'DELETE FROM mesflow._order_items', 'DELETE FROM mesflow.order_items', 'TRUNCATE mesflow.orders', 'TRUNCATE mesflow._order_items', 'TRUNCATE mesflow.customers', 'TRUNCATE mesflow._order_items, mesflow.orders']) s WHERE s !~ '[0-9a-f]{8}-';
SELECT * FROM test.refused(format('DELETE FROM mesflow.orders WHERE id = %L', test.id('set')));
SELECT test.submit('customer', :'one', '{"name": "Ann"}');
SELECT test.answer('DELETE FROM mesflow.customers') AS customers;
SELECT * FROM test.refused($$INSERT INTO mesflow.orders (id, number, partner, external_ref, status, status_since, created_at, correlation_id, asked_hash) VALUES (gen_random_uuid(), '1', 'shop', 'by hand', 'priced', now(), now(), gen_random_uuid(), '')$$);
SELECT test.answer($$DELETE FROM mesflow.partners WHERE code = 'shop'$$) AS partner;

SELECT * FROM test.unsound;
