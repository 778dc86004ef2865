-- What is done with work. The README of src/work has the rules.

CREATE FUNCTION claim_work(operator text, station text DEFAULT NULL, limit_to integer DEFAULT 1, request_id uuid DEFAULT NULL) RETURNS SETOF work_orders
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_claim_work';
COMMENT ON FUNCTION claim_work(text, text, integer, uuid) IS
  'Gives the operator the first free work that the station can do (NULL: any), up to limit_to work orders (1 to 100): orders with an alarm first, then by priority, then as mesflow.dispatch_order says. No rows: there is none. Nobody else gets it; unless it is started within mesflow.work_lease it goes back to the list. The same request_id again returns the same work, for a day. Errors: MF400 (limit_to), MF404 (operator, station), MF409 (another operator''s request), MF423 (operator inactive, or not the caller''s), MF429 (operators.max_claims).';

CREATE FUNCTION claim_work_order(work_order uuid, operator text) RETURNS work_orders
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_claim_work_order';
COMMENT ON FUNCTION claim_work_order(uuid, text) IS
  'Gives the operator this work order, where it is free. Again by the same operator: nothing happens. Errors: MF404 (work order, operator), MF409 (somebody else has it: who and since when), MF423 (not its time, cancelled, order on hold, operator inactive), MF429 (operators.max_claims).';

CREATE FUNCTION start_work(work_order uuid, operator text) RETURNS work_orders
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_start_work';
COMMENT ON FUNCTION start_work(uuid, text) IS
  'The operator begins work that it has claimed; the order moves to in_production. Started work has no lease. Again: nothing happens. Errors: MF404 (work order, operator), MF409 (somebody else''s, or finished), MF423 (not claimed, cancelled, order on hold).';

CREATE FUNCTION finish_work(work_order uuid, operator text, good integer, scrap integer DEFAULT 0, repeat_from text DEFAULT NULL) RETURNS work_orders
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_finish_work';
COMMENT ON FUNCTION finish_work(uuid, text, integer, integer, text) IS
  'The operator is done: good pieces go on to the next operation, which is queued; the others of its quantity are queued again from repeat_from (an operation; NULL: the first). After the last operation of its last item the order moves to produced. The same counts again: nothing happens. Errors: MF400 (counts, repeat_from), MF404 (work order, operator), MF409 (somebody else''s, or finished with other counts), MF423 (not started, cancelled).';

CREATE FUNCTION release_work(work_order uuid, operator text, reason text, actor text DEFAULT NULL) RETURNS work_orders
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_release_work';
COMMENT ON FUNCTION release_work(uuid, text, text, text) IS
  'Puts work that the operator has, assigned or started, back on the list; actor: who does that, where it is somebody else. Work that nobody has: nothing happens. Errors: MF400 (reason), MF404 (work order, operator), MF409 (somebody else''s, or finished), MF423 (cancelled).';

CREATE FUNCTION correct_work(work_order uuid, good integer, scrap integer, reason text, actor text, repeat_from text DEFAULT NULL) RETURNS work_orders
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_correct_work';
COMMENT ON FUNCTION correct_work(uuid, integer, integer, text, text, text) IS
  'Puts the counts of finished work right; they count for the day and shift of the finish. While the order is being made, fewer good pieces are queued again from repeat_from (as in finish_work), more are taken out of what was queued again. The same counts: nothing happens. Errors: MF400 (counts, reason, repeat_from), MF404 (work order), MF423 (not finished, or others have built on the counts: which work order).';

CREATE FUNCTION _return_abandoned(most integer) RETURNS integer
LANGUAGE c STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_return_abandoned';
COMMENT ON FUNCTION _return_abandoned(integer) IS 'Puts up to so many claims that were not started within mesflow.work_lease back on the list; how many.';

CREATE FUNCTION _plan_work() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_plan_work';
COMMENT ON FUNCTION _plan_work() IS 'Plans or cancels an order''s work, as its status says.';
-- At every UPDATE: a trigger of somebody's may change the status where another column is set.
CREATE TRIGGER "20_plan_work" AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION _plan_work();

CREATE FUNCTION _cancel_item_work() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_cancel_item_work';
COMMENT ON FUNCTION _cancel_item_work() IS 'Cancels the work of an item that is cancelled.';
CREATE TRIGGER "20_cancel_work" AFTER UPDATE OF cancelled_at ON _order_items FOR EACH ROW
  WHEN (NEW.cancelled_at IS NOT NULL AND OLD.cancelled_at IS NULL) EXECUTE FUNCTION _cancel_item_work();
