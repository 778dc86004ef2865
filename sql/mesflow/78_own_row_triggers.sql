-- What keeps dashboard_orders and dashboard_dispatch (src/dashboard/ has the rules), and what they must come to.

-- They name everything in full and write with the rights of the tables' owner, as those of orders do. They come behind
-- what checks and tells, and before what others add.
CREATE FUNCTION _show_order() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_show_order';
COMMENT ON FUNCTION _show_order() IS 'Keeps an order''s row of dashboard_orders, and what its rows of dashboard_dispatch have of it.';
-- At every UPDATE: a trigger of somebody's may change what is shown where another column is set.
CREATE TRIGGER "10_show_order" AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION _show_order();

CREATE FUNCTION _show_item() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_show_item';
COMMENT ON FUNCTION _show_item() IS 'Counts an item in its order''s row of dashboard_orders.';
CREATE TRIGGER show_item AFTER INSERT OR UPDATE OF cancelled_at ON _order_items FOR EACH ROW EXECUTE FUNCTION _show_item();

CREATE FUNCTION _show_work() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_show_work';
COMMENT ON FUNCTION _show_work() IS 'Keeps a work order''s row of dashboard_dispatch, and what its order''s row of dashboard_orders has of it.';
CREATE TRIGGER "10_show_work" AFTER INSERT OR UPDATE ON _work_orders FOR EACH ROW EXECUTE FUNCTION _show_work();

CREATE FUNCTION _show_alarms() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_show_alarms';
COMMENT ON FUNCTION _show_alarms() IS 'Marks an order''s rows of dashboard_dispatch while there are alarms about it.';
CREATE TRIGGER show_alarms AFTER UPDATE OF alarms ON dashboard_orders FOR EACH ROW
  WHEN ((OLD.alarms = '{}') <> (NEW.alarms = '{}')) EXECUTE FUNCTION _show_alarms();

-- The truth ------------------------------------------------------------------------------------------------------------

-- Alarms are not made from orders: they are what the row says, and what the list must agree with.
CREATE VIEW _orders_to_show AS
  SELECT o.id AS order_id, o.number, o.partner, o.external_ref, o.status, o.status_since, o.priority, o.total, o.currency, o.created_at, o.due_at,
         i.items, w.work_done, w.work_total, w.operators, coalesce(d.alarms, '{}') AS alarms, coalesce(s.workable, false) AS workable
    FROM orders o
    LEFT JOIN order_statuses s ON s.status = o.status
    LEFT JOIN dashboard_orders d ON d.order_id = o.id
   CROSS JOIN LATERAL (SELECT count(*)::integer AS items FROM _order_items i WHERE i.order_id = o.id AND i.cancelled_at IS NULL) i
   CROSS JOIN LATERAL (
     SELECT count(*) FILTER (WHERE w.state = 'finished')::integer AS work_done, count(*) FILTER (WHERE w.state <> 'cancelled')::integer AS work_total,
            coalesce(array_agg(DISTINCT w.operator COLLATE "C") FILTER (WHERE w.state IN ('assigned', 'started') AND w.operator IS NOT NULL), '{}') AS operators
       FROM _work_orders w WHERE w.order_id = o.id) w
   WHERE o.closed_at IS NULL;
COMMENT ON VIEW _orders_to_show IS 'What dashboard_orders must be, made from orders, their items and their work.';

CREATE VIEW _work_to_show AS
  SELECT w.id AS work_order, w.order_number || '-' || w.nth AS number, w.order_number, w.partner, w.process, w.operation, w.material, w.quantity, w.model,
         o.priority, w.operator, w.station, w.state, w.queued_at, o.due_at, o.alarms <> '{}' AS alarm, o.order_id, w.kind,
         CASE w.state WHEN 'queued' THEN 1::bigint << 34 ELSE 0 END + CASE WHEN o.alarms <> '{}' THEN 1::bigint << 33 ELSE 0 END + o.priority AS rank,
         coalesce(o.due_at, 'infinity') AS due_key
    FROM _orders_to_show o JOIN _work_orders w ON w.order_id = o.order_id
   WHERE o.workable AND w.state IN ('queued', 'assigned');
COMMENT ON VIEW _work_to_show IS 'What dashboard_dispatch must be.';

CREATE FUNCTION _own_row_differences() RETURNS TABLE (dashboard text, key text, truth text, shown text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT 'dashboard_orders', coalesce(t.order_id, d.order_id)::text, to_jsonb(t)::text, (to_jsonb(d) - 'as_of')::text
    FROM _orders_to_show t FULL JOIN dashboard_orders d ON d.order_id = t.order_id
   WHERE to_jsonb(t) IS DISTINCT FROM to_jsonb(d) - 'as_of'
  UNION ALL
  SELECT '_orders_by_status', coalesce(t.order_id, s.order_id)::text, to_jsonb(t)::text, to_jsonb(s)::text
    FROM (SELECT t.status, t.created_at, t.order_id FROM _orders_to_show t) t FULL JOIN _orders_by_status s ON (s.status, s.created_at, s.order_id) = (t.status, t.created_at, t.order_id)
   WHERE t.order_id IS NULL OR s.order_id IS NULL
  UNION ALL
  SELECT 'dashboard_dispatch', coalesce(t.work_order, d.work_order)::text, to_jsonb(t)::text, (to_jsonb(d) - 'as_of')::text
    FROM _work_to_show t FULL JOIN dashboard_dispatch d ON d.work_order = t.work_order
   WHERE to_jsonb(t) IS DISTINCT FROM to_jsonb(d) - 'as_of';
END;
COMMENT ON FUNCTION _own_row_differences() IS 'Where dashboard_orders and dashboard_dispatch are not what they must be; no rows: exact.';

-- Whoever writes an order's rows holds the order; so does this, and compares again under the lock.
CREATE FUNCTION _rebuild_own_rows() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong constant uuid[] := ARRAY(
    SELECT (coalesce(d.truth, d.shown)::jsonb ->> 'order_id')::uuid AS order_id FROM mesflow._own_row_differences() d GROUP BY 1);
BEGIN
  PERFORM o.id FROM mesflow.orders o WHERE o.id = ANY (wrong) ORDER BY o.id FOR NO KEY UPDATE;
  DELETE FROM mesflow.dashboard_orders d
   WHERE d.order_id = ANY (wrong) AND NOT EXISTS (SELECT FROM mesflow._orders_to_show t WHERE t.order_id = d.order_id);
  INSERT INTO mesflow.dashboard_orders AS d (order_id, number, partner, external_ref, status, status_since, priority, total, currency, created_at, due_at,
                                             items, work_done, work_total, operators, alarms, workable, as_of)
    SELECT t.*, clock_timestamp() FROM mesflow._orders_to_show t WHERE t.order_id = ANY (wrong)
    ON CONFLICT (order_id) DO UPDATE
       SET (number, partner, external_ref, status, status_since, priority, total, currency, created_at, due_at, items, work_done, work_total, operators, workable, as_of)
           = (excluded.number, excluded.partner, excluded.external_ref, excluded.status, excluded.status_since, excluded.priority, excluded.total, excluded.currency,
              excluded.created_at, excluded.due_at, excluded.items, excluded.work_done, excluded.work_total, excluded.operators, excluded.workable, excluded.as_of)
     WHERE to_jsonb(d) - 'as_of' IS DISTINCT FROM to_jsonb(excluded) - 'as_of';
  DELETE FROM mesflow._orders_by_status s
   WHERE s.order_id = ANY (wrong) AND NOT EXISTS (SELECT FROM mesflow.dashboard_orders d WHERE (d.order_id, d.status, d.created_at) = (s.order_id, s.status, s.created_at));
  INSERT INTO mesflow._orders_by_status (status, created_at, order_id)
    SELECT d.status, d.created_at, d.order_id FROM mesflow.dashboard_orders d WHERE d.order_id = ANY (wrong) ON CONFLICT DO NOTHING;
  DELETE FROM mesflow.dashboard_dispatch d
   WHERE d.order_id = ANY (wrong) AND NOT EXISTS (SELECT FROM mesflow._work_to_show t WHERE t.order_id = ANY (wrong) AND t.work_order = d.work_order);
  INSERT INTO mesflow.dashboard_dispatch AS d (work_order, number, order_number, partner, process, operation, material, quantity, model, priority, operator, station,
                                               state, queued_at, due_at, alarm, order_id, kind, rank, due_key, as_of)
    SELECT t.*, clock_timestamp() FROM mesflow._work_to_show t WHERE t.order_id = ANY (wrong)
    ON CONFLICT (work_order) DO UPDATE
       SET (number, order_number, partner, process, operation, material, quantity, model, priority, operator, station, state, queued_at, due_at, alarm, order_id,
            kind, rank, due_key, as_of)
           = (excluded.number, excluded.order_number, excluded.partner, excluded.process, excluded.operation, excluded.material, excluded.quantity, excluded.model,
              excluded.priority, excluded.operator, excluded.station, excluded.state, excluded.queued_at, excluded.due_at, excluded.alarm, excluded.order_id,
              excluded.kind, excluded.rank, excluded.due_key, excluded.as_of)
     WHERE to_jsonb(d) - 'as_of' IS DISTINCT FROM to_jsonb(excluded) - 'as_of';
END
$$;
COMMENT ON FUNCTION _rebuild_own_rows() IS 'Makes dashboard_orders and dashboard_dispatch what they must be; rows that are right stay untouched.';
