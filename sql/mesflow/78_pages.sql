-- Pages of the dashboards, and what of the list is free. src/dashboard/ has the rules.

-- Of a partner, by when it is due; what a station has, which is little.
CREATE INDEX dashboard_dispatch_partner_due ON dashboard_dispatch (partner, rank, due_key, work_order);
CREATE INDEX dashboard_dispatch_station ON dashboard_dispatch (station) WHERE station IS NOT NULL;

CREATE FUNCTION _free_work(kinds integer[], after_rank bigint, after_key timestamptz, after_work uuid, limit_to integer)
RETURNS TABLE (work_order uuid, order_id uuid, rank bigint, key timestamptz)
LANGUAGE c STABLE ROWS 10 AS 'MODULE_PATHNAME', 'mesflow_free_work';
COMMENT ON FUNCTION _free_work(integer[], bigint, timestamptz, uuid, integer) IS
  'The next free work orders of the list, in its order (mesflow.dispatch_order), of these kinds (NULL: all), after the row of this rank, key and id (a NULL among them: from the top). key is what the order goes by within a rank: queued_at, or due_key.';

CREATE FUNCTION dispatch_page(after text DEFAULT NULL, filters jsonb DEFAULT '{}', limit_to integer DEFAULT 50)
RETURNS TABLE (work_order uuid, number text, order_number text, partner text, process text, operation text, material text, quantity integer, model uuid,
               priority integer, operator text, station text, state text, queued_at timestamptz, due_at timestamptz, alarm boolean, as_of timestamptz, next text)
LANGUAGE c STABLE SECURITY DEFINER ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_dispatch_page';
COMMENT ON FUNCTION dispatch_page(text, jsonb, integer) IS
  'The dispatch list by pages of 1 to 1000 rows: free work first, then orders with an alarm, then by priority, then by mesflow.dispatch_order. next, the same in every row, is what to pass as after for the next page, with the same filters; NULL: this is the last. Rows that come or go between two pages neither repeat nor hide others. filters, all of which must hold: partner, operator (what the operator has), station (what was claimed for it, and what is free that it can do), process, created_from and created_to (from when on and before when it could be done), due_before (the list then goes by due date within a priority), alarm (true or false), open (false: no rows). as_of: all that was committed before is in. Works on a standby. Errors: MF400 (filters, after, limit), MF404 (partner, operator, station, process).';

-- Closed orders, in no index of which an open one is: what changes of those does not touch them.
CREATE INDEX orders_closed ON orders (closed_as, created_at, id) WHERE closed_as IS NOT NULL;
CREATE INDEX orders_closed_partner ON orders (partner, closed_as, created_at, id) WHERE closed_as IS NOT NULL;

CREATE FUNCTION orders_page(after text DEFAULT NULL, filters jsonb DEFAULT '{}', limit_to integer DEFAULT 50)
RETURNS TABLE (order_id uuid, number text, partner text, external_ref text, status text, status_since timestamptz, priority integer, total numeric, currency text,
               created_at timestamptz, due_at timestamptz, items integer, work_done integer, work_total integer, operators text[], alarms text[], as_of timestamptz, next text)
LANGUAGE c STABLE SECURITY DEFINER ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_orders_page';
COMMENT ON FUNCTION orders_page(text, jsonb, integer) IS
  'Orders by pages of 1 to 1000 rows, newest first, open and closed. next, the same in every row, is what to pass as after for the next page, with the same filters; NULL: this is the last. filters, all of which must hold: partner, status, system (which has to move the order on), created_from and created_to (from when on and before when it arrived), open (true: no closed ones; false: no others); and of open orders alone operator (who has work of it, assigned or started), due_before (the page then goes by due date, soonest first), alarm (true or false). as_of: all that was committed before is in. Works on a standby. Errors: MF400 (filters, after, limit), MF404 (partner, status, system, operator).';
