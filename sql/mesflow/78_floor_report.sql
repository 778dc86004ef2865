-- The floor on one page, for a terminal of 80 columns. It reads what is open, and one day of dashboard_operators, however
-- long the history: what could read that goes by index.

CREATE FUNCTION _report_free(most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  now constant timestamptz := clock_timestamp();
  k record;
BEGIN
  FOR k IN SELECT g.*, row_number() OVER () AS n, count(*) OVER () AS kinds, sum(g.work) OVER () AS all_work, sum(g.pieces) OVER () AS all_pieces
             FROM (SELECT d.process, d.operation, count(*) AS work, sum(d.quantity) AS pieces, min(d.queued_at) AS oldest, min(d.due_at) AS due
                     FROM mesflow.dashboard_dispatch d WHERE d.state = 'queued'
                    GROUP BY d.process, d.operation ORDER BY d.process, d.operation) g LOOP
    IF k.n = 1 THEN
      RETURN NEXT ' ' || mesflow._cell(format('Free · work orders: %s · pieces: %s', k.all_work, k.all_pieces), 79);
      RETURN NEXT '   ' || mesflow._cell('Process', 15) || ' ' || mesflow._cell('Operation', 14) || mesflow._cell('Orders', 7, true) || mesflow._cell('Pieces', 8, true) || '  '
                  || mesflow._cell('Oldest waits', 13) || ' ' || mesflow._cell('First is due', 16);
    ELSIF k.n > most THEN
      RETURN NEXT format('   and %s more', k.kinds - most);
      EXIT;
    END IF;
    RETURN NEXT '   ' || mesflow._cell(k.process, 15) || ' ' || mesflow._cell(k.operation, 14) || mesflow._cell(k.work::text, 7, true) || mesflow._cell(k.pieces::text, 8, true) || '  '
                || mesflow._cell(mesflow._span_text(now - k.oldest), 13) || ' ' || mesflow._cell(coalesce(left(mesflow._moment_text(k.due), 16), '–'), 16);
  END LOOP;
END
$$;
COMMENT ON FUNCTION _report_free(integer) IS 'The lines of the report that tell what is free, by process and operation.';

CREATE FUNCTION _report_busy(most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  now constant timestamptz := clock_timestamp();
  w record;
BEGIN
  FOR w IN SELECT l.*, row_number() OVER () AS n, count(*) OVER () AS total, count(*) FILTER (WHERE l.state = 'started') OVER () AS started
             FROM (SELECT k.*, k.order_number || '-' || k.nth AS number FROM mesflow._work_orders k
                    WHERE k.state IN ('assigned', 'started') ORDER BY k.operator, k.state DESC, coalesce(k.started_at, k.assigned_at), k.id) l LOOP
    IF w.n = 1 THEN
      RETURN NEXT ' ' || mesflow._cell(format('At work · started: %s · claimed: %s', w.started, w.total - w.started), 79);
      RETURN NEXT '   ' || mesflow._cell('Operator', 12) || ' ' || mesflow._cell('Work order', 12) || ' ' || mesflow._cell('Operation', 12) || mesflow._cell('Pieces', 7, true) || '  '
                  || mesflow._cell('Station', 9) || ' ' || 'Since';
    ELSIF w.n > most THEN
      RETURN NEXT format('   and %s more', w.total - most);
      EXIT;
    END IF;
    RETURN NEXT '   ' || mesflow._cell(w.operator, 12) || ' ' || mesflow._cell(w.number, 12) || ' ' || mesflow._cell(w.operation, 12) || mesflow._cell(w.quantity::text, 7, true) || '  '
                || mesflow._cell(coalesce(w.station, '–'), 9) || ' '
                || mesflow._cell(CASE WHEN w.state = 'started' THEN mesflow._span_text(now - w.started_at)
                                      WHEN w.lease_until < now THEN 'claim is over'
                                      ELSE 'start by ' || to_char(w.lease_until, CASE WHEN w.lease_until < now + interval '12 h' THEN 'HH24:MI' ELSE 'MM-DD HH24:MI' END) END, 20);
  END LOOP;
END
$$;
COMMENT ON FUNCTION _report_busy(integer) IS 'The lines of the report that tell who is doing what, or has claimed it.';

CREATE FUNCTION _report_day(day date, most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  p record;
BEGIN
  FOR p IN SELECT g.*, row_number() OVER () AS n, count(*) OVER () AS total
             FROM (SELECT d.operator, sum(d.claimed) AS claimed, sum(d.finished) AS finished, sum(d.good) AS good, sum(d.scrap) AS scrap, sum(d.busy) AS busy
                     FROM mesflow.dashboard_operators d WHERE d.day = $1 GROUP BY d.operator ORDER BY d.operator) g LOOP
    IF p.n = 1 THEN
      RETURN NEXT ' ' || mesflow._cell(format('Done on %s', $1), 79);
      RETURN NEXT '   ' || mesflow._cell('Operator', 16) || mesflow._cell('Claimed', 9, true) || mesflow._cell('Finished', 10, true) || mesflow._cell('Good', 9, true)
                  || mesflow._cell('Scrap', 8, true) || mesflow._cell('Yield', 10, true) || '  ' || 'Busy';
    ELSIF p.n > most THEN
      RETURN NEXT format('   and %s more', p.total - most);
      EXIT;
    END IF;
    RETURN NEXT '   ' || mesflow._cell(p.operator, 16) || mesflow._cell(p.claimed::text, 9, true) || mesflow._cell(p.finished::text, 10, true) || mesflow._cell(p.good::text, 9, true)
                || mesflow._cell(p.scrap::text, 8, true) || mesflow._cell(coalesce(round(100 * p.good / nullif(p.good + p.scrap, 0), 1) || ' %', '–'), 10, true) || '  '
                || CASE WHEN p.busy > '0' THEN mesflow._span_text(p.busy) ELSE '–' END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _report_day(date, integer) IS 'The lines of the report that tell what a day has brought, by operator. Yield: good of good and scrap.';

-- Overdue is what is not on its way yet.
CREATE FUNCTION _report_late(most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  now constant timestamptz := clock_timestamp();
  shipped constant integer := (SELECT s.position FROM mesflow.order_statuses s WHERE s.status = 'shipped');
  o record;
BEGIN
  FOR o IN SELECT l.*, row_number() OVER () AS n, count(*) OVER () AS all_orders, count(*) FILTER (WHERE l.is_late) OVER () AS late
             FROM (SELECT d.*, true AS is_late FROM mesflow.dashboard_orders d JOIN mesflow.order_statuses s ON s.status = d.status
                    WHERE d.due_at < now AND (s.hold OR s.position < shipped) IS NOT FALSE
                   UNION ALL
                   SELECT d.*, false FROM mesflow.dashboard_orders d LEFT JOIN mesflow.order_statuses s ON s.status = d.status
                    WHERE d.alarms <> '{}' AND (d.due_at < now AND (s.hold OR s.position < shipped) IS NOT FALSE) IS NOT TRUE
                    ORDER BY due_at, created_at, order_id) l LOOP
    IF o.n = 1 THEN
      RETURN NEXT ' ' || mesflow._cell(format('Overdue: %s · with an alarm besides: %s', o.late, o.all_orders - o.late), 79);
      RETURN NEXT '   ' || mesflow._cell('Order', 9) || ' ' || mesflow._cell('Partner', 12) || ' ' || mesflow._cell('Status', 14) || mesflow._cell('Work', 8, true) || '  '
                  || mesflow._cell('Due', 16) || ' ' || 'Alarms';
    ELSIF o.n > most THEN
      RETURN NEXT format('   and %s more', o.all_orders - most);
      EXIT;
    END IF;
    RETURN NEXT '   ' || mesflow._cell(o.number, 9) || ' ' || mesflow._cell(o.partner, 12) || ' ' || mesflow._cell(o.status, 14)
                || mesflow._cell(format('%s/%s', o.work_done, o.work_total), 8, true) || '  ' || mesflow._cell(coalesce(left(mesflow._moment_text(o.due_at), 16), '–'), 16) || ' '
                || mesflow._cell(coalesce(nullif(array_to_string(o.alarms, ', '), ''), '–'), 13);
  END LOOP;
END
$$;
COMMENT ON FUNCTION _report_late(integer) IS 'The lines of the report that tell of orders that are overdue and not on their way, or that have an alarm.';

CREATE FUNCTION _report_held(most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  now constant timestamptz := clock_timestamp();
  o record;
BEGIN
  FOR o IN SELECT l.*, row_number() OVER () AS n, count(*) OVER () AS all_orders
             FROM (SELECT d.* FROM mesflow.order_statuses s JOIN mesflow._orders_by_status b ON b.status = s.status JOIN mesflow.dashboard_orders d ON d.order_id = b.order_id
                    WHERE s.hold AND d.work_total > d.work_done ORDER BY d.status_since, d.order_id) l LOOP
    IF o.n = 1 THEN
      RETURN NEXT ' ' || mesflow._cell(format('On hold with work: %s', o.all_orders), 79);
      RETURN NEXT '   ' || mesflow._cell('Order', 9) || ' ' || mesflow._cell('Partner', 12) || ' ' || mesflow._cell('Status', 14) || mesflow._cell('Work', 8, true) || '  '
                  || mesflow._cell('Held for', 16) || ' ' || 'Operators';
    ELSIF o.n > most THEN
      RETURN NEXT format('   and %s more', o.all_orders - most);
      EXIT;
    END IF;
    RETURN NEXT '   ' || mesflow._cell(o.number, 9) || ' ' || mesflow._cell(o.partner, 12) || ' ' || mesflow._cell(o.status, 14)
                || mesflow._cell(format('%s/%s', o.work_done, o.work_total), 8, true) || '  ' || mesflow._cell(mesflow._span_text(now - o.status_since), 16) || ' '
                || mesflow._cell(coalesce(nullif(array_to_string(o.operators, ', '), ''), '–'), 13);
  END LOOP;
END
$$;
COMMENT ON FUNCTION _report_held(integer) IS 'The lines of the report that tell of orders on hold that have work left.';

-- The time zone that is set here ends with the function: pages of the floor are by the floor's clock.
CREATE FUNCTION floor_report() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET jit = off
AS $$
DECLARE
  width constant integer := 80;
  most constant integer := 30;          -- lines of a section
  now constant timestamptz := clock_timestamp();
  zone constant text := set_config('timezone', current_setting('mesflow.time_zone'), true);
  day date;
  shift text;
  lines text[];
BEGIN
  SELECT p.day, p.shift INTO day, shift FROM mesflow._pay_day(now) p;
  lines := ARRAY[
      repeat('━', width),
      ' ' || mesflow._cell('The floor', 25) || mesflow._cell(format('%s %s', mesflow._moment_text(now), zone), 54, true),
      ' ' || mesflow._cell(concat('Day ', day, ', ' || 'shift ' || shift), 79),
      repeat('─', width)];
  lines := lines || coalesce(nullif(ARRAY(SELECT mesflow._report_free(most)), '{}'), ARRAY[' Nothing is free.'])
    || ARRAY[''] || coalesce(nullif(ARRAY(SELECT mesflow._report_busy(most)), '{}'), ARRAY[' Nobody has work.'])
    || ARRAY[''] || coalesce(nullif(ARRAY(SELECT mesflow._report_day(day, most)), '{}'), ARRAY[' Nothing is counted for this day yet.'])
    || ARRAY[''] || coalesce(nullif(ARRAY(SELECT mesflow._report_late(most)), '{}'), ARRAY[' Nothing is overdue, and there is no alarm.'])
    || ARRAY[''] || coalesce(nullif(ARRAY(SELECT mesflow._report_held(most)), '{}'), ARRAY[' Nothing is on hold.'])
    || repeat('━', width);
  RETURN (SELECT string_agg(rtrim(l.line), E'\n' ORDER BY l.at) FROM unnest(lines) WITH ORDINALITY AS l (line, at));
END
$$;
COMMENT ON FUNCTION floor_report() IS
  'The floor on one page for a terminal of 80 columns: what is free by process and operation, who is doing what, what the day has brought by operator, which orders are overdue or have an alarm, which are on hold with work left. Times and the day are those of mesflow.time_zone; a night shift belongs to the day it began. Up to 30 lines for each; it reads open work only.';

CREATE FUNCTION _health_floor(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  patience constant interval := '10 min';
  most constant integer := 1000;
  abandoned record;
  free bigint;
  busy bigint;
BEGIN
  SELECT count(*) AS n, min(l.lease_until) AS first INTO abandoned
    FROM (SELECT w.lease_until FROM mesflow._work_orders w
           WHERE w.state = 'assigned' AND w.lease_until < clock_timestamp() - patience ORDER BY w.lease_until LIMIT most) l;
  IF abandoned.n > 0 THEN
    status := 'warning';
    detail := format('%s claims that nobody started are not back on the list, the first since %s.', CASE WHEN abandoned.n = most THEN most || ' or more' ELSE abandoned.n::text END, abandoned.first);
    hint := 'The duty keep_claims does it: see mesflow.housekeeping, and pg_locks for who holds the orders'' rows.';
    RETURN;
  END IF;
  SELECT count(*) INTO free FROM (SELECT FROM mesflow.dashboard_dispatch d WHERE d.state = 'queued' LIMIT most) l;
  SELECT count(*) INTO busy FROM (SELECT FROM mesflow._work_orders w WHERE w.state IN ('assigned', 'started') LIMIT most) l;
  status := 'ok';
  detail := format('%s work orders are free, %s claimed or started.', CASE WHEN free = most THEN most || ' or more' ELSE free::text END,
                   CASE WHEN busy = most THEN most || ' or more' ELSE busy::text END);
END
$$;
COMMENT ON FUNCTION _health_floor() IS 'The row of health() about the floor: claims that nobody started and that did not go back to the list.';
