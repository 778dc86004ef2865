-- What operators have done: what pay is calculated from.

CREATE TABLE dashboard_operators (
  day date NOT NULL,
  shift text,
  operator text NOT NULL,
  process text NOT NULL,
  operation text NOT NULL,
  claimed bigint NOT NULL DEFAULT 0,
  finished bigint NOT NULL DEFAULT 0,
  good bigint NOT NULL DEFAULT 0,
  scrap bigint NOT NULL DEFAULT 0,
  busy interval NOT NULL DEFAULT '0',
  as_of timestamptz NOT NULL,
  CONSTRAINT dashboard_operators_key UNIQUE NULLS NOT DISTINCT (day, shift, operator, process, operation)
) WITH (fillfactor = 70);
COMMENT ON TABLE dashboard_operators IS
  'Work by operator, day, shift and operation. Counted by the writer, in the transaction of the claim, the finish or the correction: exact, and each number is the sum of events.';
COMMENT ON COLUMN dashboard_operators.day IS 'the day in mesflow.time_zone; a night shift belongs to the day it began';
COMMENT ON COLUMN dashboard_operators.shift IS 'the shift: see shifts; NULL: outside of all';
COMMENT ON COLUMN dashboard_operators.operator IS 'who';
COMMENT ON COLUMN dashboard_operators.process IS 'of which process';
COMMENT ON COLUMN dashboard_operators.operation IS 'which operation';
COMMENT ON COLUMN dashboard_operators.claimed IS 'work orders claimed: events work.assigned';
COMMENT ON COLUMN dashboard_operators.finished IS 'work orders finished: events work.finished';
COMMENT ON COLUMN dashboard_operators.good IS 'good pieces, as corrected since';
COMMENT ON COLUMN dashboard_operators.scrap IS 'spoilt pieces, as corrected since';
COMMENT ON COLUMN dashboard_operators.busy IS 'time from start to finish of what was finished';
COMMENT ON COLUMN dashboard_operators.as_of IS 'when the row was written last: all that was committed before is in';

CREATE FUNCTION _pay_day(at timestamptz, OUT day date, OUT shift text) RETURNS record
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_pay_day';
COMMENT ON FUNCTION _pay_day(timestamptz) IS
  'The day and shift that this moment counts for, by the wall clock in mesflow.time_zone. Of shifts that overlap, the one that began last, then the first by code; outside of all, the date and NULL.';

CREATE FUNCTION _operator_audit(since date DEFAULT NULL)
RETURNS TABLE (day date, shift text, operator text, process text, operation text, counted jsonb, told jsonb)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH first AS (
    -- Two days after what may be gone from the ring: whole in every time zone.
    SELECT coalesce($1, ((clock_timestamp() - current_setting('mesflow.outbox_retention')::interval) AT TIME ZONE 'UTC')::date + 2) AS day
  ),
  told AS (
    SELECT CASE WHEN e.type = 'work.corrected' THEN (e.detail->>'day')::date ELSE p.day END AS day,
           CASE WHEN e.type = 'work.corrected' THEN e.detail->>'shift' ELSE p.shift END AS shift,
           e.operator, e.work->>'process' AS process, e.work->>'operation' AS operation,
           (e.type = 'work.assigned')::integer AS claimed,
           (e.type = 'work.finished')::integer AS finished,
           CASE e.type WHEN 'work.finished' THEN e.quantity
                       WHEN 'work.corrected' THEN (e.detail->'new'->>'good')::bigint - (e.detail->'old'->>'good')::bigint ELSE 0 END AS good,
           CASE e.type WHEN 'work.finished' THEN (e.work->>'scrap')::bigint
                       WHEN 'work.corrected' THEN (e.detail->'new'->>'scrap')::bigint - (e.detail->'old'->>'scrap')::bigint ELSE 0 END AS scrap,
           CASE WHEN e.type = 'work.finished' THEN e.dwell ELSE '0' END AS busy
      FROM (SELECT o.type, o.at, o.operator, o.quantity, o.dwell, b.data->'work' AS work, b.data->'detail' AS detail
              FROM mesflow.outbox o, LATERAL (SELECT o.body::jsonb->'data' OFFSET 0) b (data)
             WHERE o.type IN ('work.assigned', 'work.finished', 'work.corrected')
               AND o.at >= (SELECT f.day - 1 FROM first f)::timestamp AT TIME ZONE 'UTC') e,
           LATERAL mesflow._pay_day(e.at) p
  ),
  sums AS (
    SELECT n.is_told, n.day, n.shift, n.operator, n.process, n.operation,
           jsonb_build_object('claimed', sum(n.claimed), 'finished', sum(n.finished), 'good', sum(n.good), 'scrap', sum(n.scrap),
                              'busy', trim_scale(extract(epoch FROM sum(n.busy)))) AS sums
      FROM (SELECT true AS is_told, t.* FROM told t
            UNION ALL
            SELECT false, d.day, d.shift, d.operator, d.process, d.operation, d.claimed, d.finished, d.good, d.scrap, d.busy
              FROM mesflow.dashboard_operators d) n
     WHERE n.day >= (SELECT f.day FROM first f)
     GROUP BY n.is_told, n.day, n.shift, n.operator, n.process, n.operation
  )
  SELECT * FROM (
    SELECT s.day, s.shift, s.operator, s.process, s.operation,
           (array_agg(s.sums) FILTER (WHERE NOT s.is_told))[1] AS counted, (array_agg(s.sums) FILTER (WHERE s.is_told))[1] AS told
      FROM sums s GROUP BY s.day, s.shift, s.operator, s.process, s.operation) c
   WHERE c.counted IS DISTINCT FROM c.told
   ORDER BY c.day, c.shift, c.operator, c.process, c.operation
$$;
COMMENT ON FUNCTION _operator_audit(date) IS
  'Where dashboard_operators differs from the sums of the events in the outbox: no rows, exact. counted: the row; told: what the events say; busy in seconds. From the day `since` on; NULL: the first whose events are certainly all there, by mesflow.outbox_retention. Events are told by the shifts and the time zone of now: after a change of those, audit from the day after it.';
