-- Pages of the dashboards, and what of the list is free. src/dashboard/ has the rules.

-- Of a partner, by when it is due; what a station has, which is little.
CREATE INDEX dashboard_dispatch_partner_due ON dashboard_dispatch (partner, rank, due_key, work_order);
CREATE INDEX dashboard_dispatch_station ON dashboard_dispatch (station) WHERE station IS NOT NULL;

CREATE FUNCTION _free_work(kinds integer[], after_rank bigint, after_key timestamptz, after_work uuid, limit_to integer)
RETURNS TABLE (work_order uuid, order_id uuid, rank bigint, key timestamptz)
LANGUAGE c STABLE ROWS 10 AS 'MODULE_PATHNAME', 'mesflow_free_work';
COMMENT ON FUNCTION _free_work(integer[], bigint, timestamptz, uuid, integer) IS
  'The next free work orders of the list, in its order (mesflow.dispatch_order), of these kinds (NULL: all), after the row of this rank, key and id (a NULL among them: from the top). key is what the order goes by within a rank: queued_at, or due_key.';
