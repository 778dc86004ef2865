-- Which day and shift a moment counts for, in UTC (057_pay.pl has other time zones), and the audit of what operators are paid for.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\i :common
SET datestyle = 'ISO';
SHOW mesflow.time_zone;
SHOW mesflow.work_lease;
SHOW mesflow.dispatch_order;
SELECT * FROM test.error($$SET mesflow.time_zone = 'Europe/Vienna'$$);

-- 2025-03-03 is a Monday. The second before and the one at each edge.
CREATE FUNCTION test.edges(VARIADIC at timestamptz[]) RETURNS TABLE (at text, day text, shift text)
LANGUAGE sql AS $$
  SELECT to_char(a - s, 'Dy HH24:MI:SS'), to_char(d.day, 'Dy'), d.shift
    FROM unnest($1) a, (VALUES (interval '1 s'), ('0')) v (s), LATERAL mesflow._pay_day(a - s) d ORDER BY a - s
$$;
DELETE FROM mesflow.shifts;
SELECT * FROM test.edges('2025-03-03 12:00+00');
INSERT INTO mesflow.shifts (code, starts, ends) VALUES ('early', '06:00', '14:00'), ('late', '14:00', '22:00'), ('night', '22:00', '06:00');
SELECT * FROM test.edges('2025-03-03 00:00+00', '2025-03-03 06:00+00', '2025-03-03 14:00+00', '2025-03-03 22:00+00', '2025-03-04 00:00+00', '2025-03-04 06:00+00');
-- Friday's night shift ends on Saturday; there is none on Sunday, so Monday begins outside.
SELECT * FROM test.edges('2025-03-07 22:00+00', '2025-03-08 06:00+00', '2025-03-09 22:00+00', '2025-03-10 00:00+00', '2025-03-10 06:00+00');
-- The day's end, as 00:00 and as 24:00; the whole day; seconds and less.
UPDATE mesflow.shifts SET ends = '00:00' WHERE code = 'late';
DELETE FROM mesflow.shifts WHERE code <> 'late';
SELECT * FROM test.edges('2025-03-03 14:00+00', '2025-03-04 00:00+00', '2025-03-08 00:00+00');
UPDATE mesflow.shifts SET ends = '24:00';
SELECT * FROM test.edges('2025-03-03 14:00+00', '2025-03-04 00:00+00', '2025-03-08 00:00+00');
UPDATE mesflow.shifts SET starts = '00:00', days = '{7}';
SELECT * FROM test.edges('2025-03-09 00:00+00', '2025-03-10 00:00+00');
UPDATE mesflow.shifts SET starts = '24:00', ends = '05:00';
SELECT * FROM test.edges('2025-03-10 00:00+00', '2025-03-10 05:00+00');
UPDATE mesflow.shifts SET starts = '05:00:00.000002', ends = '05:00:00.000001';
SELECT at, d.shift FROM unnest('{2025-03-09 05:00:00.000001+00,2025-03-09 05:00:00.000002+00,2025-03-10 05:00:00+00,2025-03-10 05:00:00.000001+00}'::timestamptz[]) at, mesflow._pay_day(at) d;
-- Of several the one that began last; of those the first by code, whatever the language.
DELETE FROM mesflow.shifts;
INSERT INTO mesflow.shifts (code, starts, ends) VALUES ('night', '22:00', '08:00'), ('early', '06:00', '14:00'), ('a2', '12:00', '20:00'), ('a10', '12:00', '18:00'), ('B', '12:00', '16:00');
SELECT * FROM test.edges('2025-03-04 06:00+00', '2025-03-04 08:00+00', '2025-03-04 12:00+00', '2025-03-04 16:00+00', '2025-03-04 18:00+00', '2025-03-04 20:00+00');
SELECT * FROM mesflow._pay_day(NULL);
SELECT * FROM test.error($$SELECT * FROM mesflow._pay_day('infinity')$$);

-- A change is seen at once: by who makes it, undone too, and by a session that has read the shifts before.
BEGIN;
DELETE FROM mesflow.shifts WHERE code = 'B';
SELECT * FROM mesflow._pay_day('2025-03-04 12:00+00');
SAVEPOINT here;
TRUNCATE mesflow.shifts;
SELECT * FROM mesflow._pay_day('2025-03-04 12:00+00');
ROLLBACK TO here;
SELECT * FROM mesflow._pay_day('2025-03-04 12:00+00');
ROLLBACK;
SELECT * FROM mesflow._pay_day('2025-03-04 12:00+00');
-- Loading a dump with triggers off, too.
SET session_replication_role = replica;
UPDATE mesflow.shifts SET code = 'C' WHERE code = 'B';
RESET session_replication_role;
SELECT * FROM mesflow._pay_day('2025-03-04 12:00+00');

-- Counted again in SQL, by cases, over a year of odd moments and shifts of every kind.
CREATE FUNCTION test.pay_day(wall timestamp, OUT day date, OUT shift text) LANGUAGE sql STABLE AS $$
  SELECT coalesce(c.day, $1::date), c.code
    FROM (SELECT) nothing LEFT JOIN LATERAL (
      SELECT * FROM (
        SELECT s.code, $1::date AS day, s.starts FROM mesflow.shifts s
         WHERE extract(isodow FROM $1) = ANY (s.days) AND $1::time >= s.starts AND (s.ends < s.starts OR $1::time < s.ends)
        UNION ALL
        SELECT s.code, $1::date - 1, s.starts FROM mesflow.shifts s
         WHERE extract(isodow FROM $1::date - 1) = ANY (s.days) AND s.ends < s.starts AND $1::time < s.ends) u
       ORDER BY u.day DESC, u.starts DESC, u.code COLLATE "C" LIMIT 1) c ON true
$$;
CREATE TABLE test.found (round integer, moments bigint, inside bigint, yesterday bigint, differences bigint);
SELECT setseed(0.5) \g /dev/null
DO $$
BEGIN
  FOR round IN 1..40 LOOP
    DELETE FROM mesflow.shifts;
    INSERT INTO mesflow.shifts (code, starts, ends, days)
      SELECT chr(64 + i), '00:00'::time + a * interval '30 min', CASE WHEN b = 0 THEN '24:00' ELSE '00:00'::time + b * interval '30 min' END,
             ARRAY(SELECT d FROM generate_series(1, 7) d WHERE d = 1 + i % 7 OR random() < 0.6)
        FROM (SELECT i, floor(random() * 48) AS a, floor(random() * 48) AS b FROM generate_series(1, 1 + round % 6) i) r
       WHERE a <> b;
    INSERT INTO test.found
      SELECT round, count(*), count(p.shift), count(*) FILTER (WHERE p.day < at::date), count(*) FILTER (WHERE (p.day, p.shift) IS DISTINCT FROM (q.day, q.shift))
        FROM generate_series('2025-01-01 00:00+00', '2026-01-01 00:00+00', interval '5 h 29 min 59.99 s') at, mesflow._pay_day(at) p, test.pay_day(at AT TIME ZONE 'UTC') q;
  END LOOP;
END
$$;
SELECT sum(moments) > 50000 AS enough, sum(inside) > 10000 AS in_shifts, sum(moments - inside) > 10000 AS outside, sum(yesterday) > 5000 AS of_yesterday, sum(differences) AS differences FROM test.found;

-- The audit, with events made by hand.
DELETE FROM mesflow.shifts;
INSERT INTO mesflow.shifts (code, starts, ends) VALUES ('early', '06:00', '14:00'), ('night', '22:00', '06:00');
CREATE FUNCTION test.tell(type text, at timestamptz, operator text, operation text, quantity integer, scrap integer DEFAULT 0, busy interval DEFAULT NULL, detail jsonb DEFAULT '{}') RETURNS void
LANGUAGE sql AS $$
  INSERT INTO mesflow.outbox (id, event, type, key, at, operator, quantity, dwell, body, xid, origin, slot)
    SELECT nextval('mesflow._outbox_ids'), mesflow._uuid7(), $1, 'by hand', $2, $3, $5, $7,
           jsonb_build_object('type', $1, 'data', jsonb_build_object('work', jsonb_build_object('process', 'fdm', 'operation', $4, 'scrap', $6), 'detail', $8)),
           pg_current_xact_id(), mesflow._origin(), mesflow._ring_slot($2)
$$;
SELECT * FROM mesflow._operator_audit();
SELECT test.tell('work.assigned', '2025-03-04 05:30+00', 'anna', 'print', 10), test.tell('work.started', '2025-03-04 05:40+00', 'anna', 'print', 10),
       test.tell('work.finished', '2025-03-04 05:59:59+00', 'anna', 'print', 8, 2, '19 min 59.5 s'), test.tell('work.assigned', '2025-03-04 06:00+00', 'anna', 'print', 2),
       test.tell('work.finished', '2025-03-04 14:00+00', 'anna', 'print', 2, 0, '26:00'), test.tell('work.finished', '2025-03-04 14:00+00', 'anna', 'print', 1, 0, '1 day'),
       test.tell('work.assigned', '2025-03-04 06:00+00', 'ben', 'sand', 8);
SELECT * FROM mesflow._operator_audit('2025-03-02');
-- Unless told so, only days whose events are all there: these may be gone.
SELECT count(*) AS too_old FROM mesflow._operator_audit();
BEGIN;
SELECT test.tell('work.assigned', clock_timestamp() - interval '11 days', 'anna', 'print', 1), test.tell('work.assigned', clock_timestamp() - interval '15 days', 'anna', 'print', 1);
SELECT count(*) FROM mesflow._operator_audit();
ROLLBACK;
INSERT INTO mesflow.dashboard_operators (day, shift, operator, process, operation, claimed, finished, good, scrap, busy, as_of) VALUES
  ('2025-03-03', 'night', 'anna', 'fdm', 'print', 1, 1, 8, 2, '19 min 59.5 s', now()), ('2025-03-04', 'early', 'anna', 'fdm', 'print', 1, 0, 0, 0, '0', now()),
  ('2025-03-04', NULL, 'anna', 'fdm', 'print', 0, 2, 3, 0, '50 h', now()), ('2025-03-04', 'early', 'ben', 'fdm', 'sand', 1, 0, 0, 0, '0', now());
SELECT * FROM mesflow._operator_audit('2025-03-02');
-- Corrected days later: credited to the day and shift of the finish; time is not corrected.
SELECT test.tell('work.corrected', '2025-03-07 10:00+00', 'anna', 'print', 10, 0, NULL, '{"old": {"good": 8, "scrap": 2}, "new": {"good": 9, "scrap": 1}, "day": "2025-03-03", "shift": "night"}'),
       test.tell('work.corrected', '2025-03-07 10:00+00', 'anna', 'print', 10, 0, NULL, '{"old": {"good": 2, "scrap": 0}, "new": {"good": 0, "scrap": 2}, "day": "2025-03-04", "shift": null}');
SELECT * FROM mesflow._operator_audit('2025-03-02');
UPDATE mesflow.dashboard_operators SET good = good + 1, scrap = scrap - 1 WHERE shift = 'night';
UPDATE mesflow.dashboard_operators SET good = good - 2, scrap = scrap + 2 WHERE shift IS NULL;
SELECT * FROM mesflow._operator_audit('2025-03-02');
-- A number that was changed, a row that was invented; not before `since`.
UPDATE mesflow.dashboard_operators SET busy = busy + '1 us' WHERE shift = 'night';
INSERT INTO mesflow.dashboard_operators (day, operator, process, operation, as_of) VALUES ('2025-03-05', 'carl', 'fdm', 'print', now());
SELECT * FROM mesflow._operator_audit('2025-03-02');
SELECT day, operator FROM mesflow._operator_audit('2025-03-04');
SELECT count(*) FROM mesflow._operator_audit();

-- Who may look.
SELECT r AS role, has_table_privilege(r, 'mesflow.dashboard_operators', 'SELECT') AS reads, has_table_privilege(r, 'mesflow.dashboard_operators', 'INSERT,UPDATE,DELETE,TRUNCATE') AS writes,
       has_function_privilege(r, 'mesflow._operator_audit(date)', 'EXECUTE') AS audits
  FROM unnest('{mesflow_app,mesflow_operator,mesflow_manager,mesflow_monitor,mesflow_node,mesflow_admin}'::text[]) r;
SET ROLE mesflow_manager;
SELECT count(*) FROM mesflow._operator_audit('2025-03-02');
RESET ROLE;
