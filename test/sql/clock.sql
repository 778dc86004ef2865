-- A clock that is put back while work is under way: no time goes backwards, and nobody has worked less than nothing.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT test.submit('late', jsonb_build_array(test.item(:'ring', 2)));
SELECT test.advance('late', 'approved');
SELECT id AS late FROM test.orders \gset

-- It was an hour ahead until now.
CREATE FUNCTION test.ahead(work uuid, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE mesflow._work_orders SET %I = clock_timestamp() + interval ''1 hour'' WHERE id = $1', $2) USING $1;
END
$$;
SELECT w.id AS work FROM mesflow.work_orders w WHERE w.state = 'queued' \gset
SELECT test.ahead(:'work', 'queued_at');
SELECT c.state, c.assigned_at = c.queued_at AS not_before, c.lease_until > c.assigned_at AS lease FROM mesflow.claim_work('anna') c;
SELECT test.ahead(:'work', 'assigned_at');
SELECT s.state, s.started_at = s.assigned_at AS not_before FROM mesflow.start_work(:'work', 'anna') s;
SELECT test.ahead(:'work', 'started_at');
SELECT f.state, f.finished_at = f.started_at AS not_before FROM mesflow.finish_work(:'work', 'anna', 2) f;
SELECT claimed, finished, good, busy FROM mesflow.dashboard_operators;
SELECT e.type, e.dwell, e.at >= lag(e.at) OVER (ORDER BY e.id) AS in_order FROM mesflow.outbox e WHERE e.order_id = :'late' AND e.type ~ '^work.(assigned|started|finished)' ORDER BY e.id;

-- A claim that was made then keeps its lease; it goes back when that is over by the clock as it is now.
SELECT w.id AS second FROM mesflow.claim_work('boris') w \gset
SELECT test.ahead(:'second', 'lease_until');
SELECT mesflow._return_abandoned(100);
UPDATE mesflow._work_orders SET lease_until = clock_timestamp() - interval '1 s' WHERE id = :'second';
SELECT mesflow._return_abandoned(100);
SELECT state, operator FROM mesflow.work_orders WHERE id = :'second';
SELECT * FROM mesflow._own_row_differences();
