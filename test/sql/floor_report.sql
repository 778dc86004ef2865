-- The floor on one page: empty, at work, and with more than a page holds.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
-- The day and the hour differ from run to run; nothing else does.
CREATE FUNCTION test.report() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(l, '\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?', '<time>', 'g'), '\d{4}-\d\d-\d\d', '<day>', 'g'),
                                      'start by (\d\d-\d\d )?\d\d:\d\d', 'start by <time>'), '\d+ m?s +', '<wait> '), 'all (day|night)', 'all ...')
    FROM regexp_split_to_table(mesflow.floor_report(), E'\n') l
$$;
SELECT test.report() \g (format=unaligned tuples_only=on)

-- Four orders: cast and printed, urgent, held, done.
INSERT INTO mesflow.shifts (code, starts, ends, days) VALUES ('all day', '00:00', '12:00', '{1,2,3,4,5,6,7}'), ('all night', '12:00', '00:00', '{1,2,3,4,5,6,7}');
UPDATE mesflow.processes SET operations = '{wax,cast,finish}' WHERE code = 'casting';
UPDATE mesflow.processes SET operations = '{print,finish}' WHERE code = 'fdm';
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT test.submit('TWO', jsonb_build_array(test.item(:'ring', 10), test.item(:'ring', 3, material := 'brass', process := 'casting')), due_at := '2100-01-02 12:00Z'),
       test.submit('LATE', jsonb_build_array(test.item(:'ring', 100)), due_at := '2100-01-01 12:00Z'),
       test.submit('HELD', jsonb_build_array(test.item(:'ring', 5))),
       test.submit('GONE', jsonb_build_array(test.item(:'ring', 1)));
SELECT test.advance(name, 'approved') FROM test.orders ORDER BY at;
-- It is planned, and nobody has begun.
SELECT l FROM test.report() l WHERE l ~ '^ \S|casting|fdm' \g (format=unaligned tuples_only=on)

CREATE FUNCTION test.work(name text, operation text) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT w.id FROM mesflow.work_orders w WHERE w.order_id = test.id($1) AND w.operation = $2 AND w.state <> 'cancelled' ORDER BY w.number LIMIT 1
$$;
CREATE FUNCTION test.make(name text, operation text, operator text, good integer, scrap integer DEFAULT 0) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mesflow.claim_work_order(test.work($1, $2), $3);
  PERFORM mesflow.start_work(test.work($1, $2), $3);
  PERFORM mesflow.finish_work(test.work($1, $2), $3, $4, $5);
END
$$;
SELECT test.make('GONE', 'print', 'anna', 1), test.make('GONE', 'finish', 'boris', 1), test.advance('GONE', 'packed', 'shipped');
SELECT test.make('HELD', 'print', 'boris', 4, 1);
SELECT number IS NOT NULL AS claimed FROM mesflow.claim_work('anna', 'printer-1');
SELECT state FROM mesflow.claim_work_order(test.work('TWO', 'wax'), 'boris');
SELECT state FROM mesflow.start_work(test.work('TWO', 'wax'), 'boris');
SELECT test.advance('HELD', 'on_hold');
-- A week of it: who waits how long, what is late, what is an alarm. One claim is over, and is not yet taken back.
UPDATE mesflow._work_orders SET queued_at = clock_timestamp() - interval '2 h 5 min 1 s' WHERE operation = 'print' AND state = 'queued';
UPDATE mesflow._work_orders SET started_at = clock_timestamp() - interval '90 min 1 s' WHERE state = 'started';
UPDATE mesflow.dashboard_operators SET busy = interval '1 h 10 min' * finished;
UPDATE mesflow.dashboard_orders SET due_at = clock_timestamp() - interval '1 day' WHERE external_ref IN ('LATE', 'GONE');
UPDATE mesflow.dashboard_orders SET status_since = clock_timestamp() - interval '3 d 4 h 1 min' WHERE external_ref = 'HELD';
UPDATE mesflow.dashboard_orders SET alarms = '{lost,stuck}' WHERE external_ref IN ('LATE', 'TWO');
SELECT test.report() \g (format=unaligned tuples_only=on)
UPDATE mesflow._work_orders SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'assigned';
SELECT l FROM test.report() l WHERE l ~ 'claim|start by' \g (format=unaligned tuples_only=on)
-- The page of one that has all of it.
SELECT regexp_replace(l, '\d\d-\d\d \d\d:\d\d', '<time>') FROM regexp_split_to_table(mesflow.order_card(test.id('HELD')), E'\n') l WHERE l ~ '^ +(#  Work|\d+  \d+-\d)' \g (format=unaligned tuples_only=on)

-- It is by the clock of the floor, whatever the session's is, and leaves that alone.
SET timezone = 'Asia/Tokyo';
SELECT mesflow.floor_report() ~ '\d UTC\n Day \d{4}-\d\d-\d\d, shift all (day|night)\n' AS by_utc;
SHOW timezone;
RESET timezone;
SELECT p.day::text = substring(mesflow.floor_report() FROM 'Done on (\S+)') AS today FROM mesflow._pay_day(now()) p;

-- More than 30 of a kind: the rest is counted. No line is longer than the terminal.
INSERT INTO mesflow.operators (code, name) SELECT 'operator-' || lpad(n::text, 40, '0'), 'x' FROM generate_series(1, 50) n;
INSERT INTO mesflow.dashboard_operators (day, operator, process, operation, claimed, finished, good, scrap, busy, as_of)
  SELECT p.day, 'operator-' || lpad(n::text, 3, '0'), 'fdm', 'print', 1e9, 1e9, 999999999, 1e8, '999 h', now() FROM mesflow._pay_day(now()) p, generate_series(1, 50) n;
INSERT INTO mesflow.dashboard_dispatch (work_order, number, order_number, partner, process, operation, material, quantity, model, priority, state, queued_at, alarm, as_of, order_id, kind, rank, due_key)
  SELECT gen_random_uuid(), n, n, 'shop', 'process-' || lpad(n::text, 40, '0'), 'operation', 'pla', 2000000000, gen_random_uuid(), 0, 'queued', now() - interval '332 days 6 h 1 s', false, now(), gen_random_uuid(), 0, 0, 'infinity'
    FROM generate_series(1, 40) n;
INSERT INTO mesflow.dashboard_orders (order_id, number, partner, external_ref, status, status_since, priority, created_at, due_at, items, work_done, work_total, operators, alarms, as_of)
  SELECT gen_random_uuid(), 900000 + n, 'partner-' || repeat('x', 40), n, CASE WHEN n <= 35 THEN 'on_hold' ELSE 'approved' END, now() - interval '1 day 1 min' + n * interval '1 ms', 0, now() + n * interval '1 ms', '2026-01-01', 1, 1000, 99999,
         ARRAY['anna', 'boris', repeat('o', 100)], ARRAY['stuck', 'late', 'lost', 'jeopardy'], now()
    FROM generate_series(1, 100) n;
INSERT INTO mesflow._orders_by_status SELECT d.status, d.created_at, d.order_id FROM mesflow.dashboard_orders d WHERE d.number LIKE '9%';
INSERT INTO mesflow._work_orders (id, order_id, nth, item, partner, order_number, model, material, process, operation, kind, step, steps, lot, quantity, state, operator, station, queued_at, assigned_at, lease_until)
  SELECT gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'shop', 800000 + n, gen_random_uuid(), 'pla', 'fdm', repeat('p', 60), 0, 1, 1, 1, 2000000000, 'assigned', 'operator-' || lpad(n::text, 40, '0'), repeat('s', 60), now(), now(), now() + interval '3 days'
    FROM generate_series(1, 50) n;
SELECT count(*) AS lines FROM test.report();
SELECT l FROM test.report() l WHERE l ~ '^ \S|more$' \g (format=unaligned tuples_only=on)
SELECT l FROM (SELECT DISTINCT ON (section) l FROM (SELECT l, n, count(*) FILTER (WHERE l ~ '^ \S') OVER (ORDER BY n) AS section FROM test.report() WITH ORDINALITY AS r (l, n)) s
                WHERE l ~ 'process-|operator-|partner-' ORDER BY section, n) f \g (format=unaligned tuples_only=on)
SELECT max(length(l)) AS longest FROM regexp_split_to_table(mesflow.floor_report(), E'\n') l;

-- What could read history goes by index: no table as a whole.
CREATE VIEW test.scans AS
  SELECT sum(pg_stat_get_xact_numscans(c.oid)) AS n FROM pg_class c
   WHERE c.oid IN ('mesflow._work_orders'::regclass, 'mesflow.dashboard_operators'::regclass, 'mesflow.dashboard_orders'::regclass, 'mesflow._orders_by_status'::regclass, 'mesflow.orders'::regclass);
BEGIN;
SELECT n AS before FROM test.scans \gset
SELECT length(mesflow.floor_report()) > 0 AS told;
SELECT n - :before AS whole_tables FROM test.scans;
SELECT count(*) > 0 AS counted FROM mesflow._work_orders;
SELECT n - :before AS whole_tables FROM test.scans;
COMMIT;
-- And it writes nothing.
BEGIN READ ONLY;
SELECT length(mesflow.floor_report()) > 0 AS told;
COMMIT;

-- Who may.
\set VERBOSITY terse
SET ROLE mesflow_operator;
SELECT length(mesflow.floor_report()) > 0 AS told;
SET ROLE mesflow_manager;
SELECT length(mesflow.floor_report()) > 0 AS told;
SET ROLE mesflow_app;
SELECT length(mesflow.floor_report()) > 0 AS told;
SET ROLE mesflow_monitor;
SELECT length(mesflow.floor_report()) > 0 AS told;
RESET ROLE;
