-- What is done with the log again and again: portions of duties, see 81_duties.sql.

CREATE FUNCTION _start_timeline() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- From the beginning; of a restored log, from its beginning.
  INSERT INTO mesflow._cursors (name, kind, event_types, seen, floor_id, floor_xid, origin)
    SELECT 'mesflow timeline', 'internal', '{*}', '3:3:', 0, '3',
           coalesce((SELECT o.origin FROM mesflow.outbox o WHERE o.origin <> mesflow._origin() LIMIT 1), mesflow._origin())
     WHERE NOT EXISTS (SELECT FROM mesflow._cursors c WHERE c.name = 'mesflow timeline')
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION _start_timeline() IS 'Makes the reader that copies orders'' events out of the ring, unless there is one.';

CREATE FUNCTION _copy_timelines() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM mesflow._cursors c WHERE c.name = 'mesflow timeline') THEN
    PERFORM mesflow._start_timeline();
  END IF;
  -- Nothing while a dump is being restored, until arm().
  RETURN EXISTS (SELECT FROM mesflow._cursors c WHERE c.name = 'mesflow timeline' AND c.origin = mesflow._origin())
     AND mesflow._copy_timeline(1000) > 0;
END
$$;
COMMENT ON FUNCTION _copy_timelines() IS 'A portion of copy_timelines(): up to 1000 events.';

CREATE FUNCTION _keep_outbox() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM mesflow._cursors c WHERE c.name = 'mesflow timeline')
     AND mesflow._clear_rings('{outbox}', current_setting('mesflow.outbox_retention')::interval);
END
$$;
COMMENT ON FUNCTION _keep_outbox() IS 'A portion of keep_outbox(): one day, once every reader has read it.';

CREATE INDEX _quotes_expires ON _quotes (expires_at) WHERE NOT expiry_told AND NOT preflight AND state IN ('priced', 'review');

CREATE FUNCTION _expire_quotes() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  portion constant integer := 500;
  q mesflow._quotes;
  seen integer := 0;
BEGIN
  FOR q IN SELECT * FROM mesflow._quotes
            WHERE expires_at < clock_timestamp() AND NOT expiry_told AND NOT preflight AND state IN ('priced', 'review')
            ORDER BY expires_at LIMIT portion FOR NO KEY UPDATE SKIP LOCKED LOOP
    seen := seen + 1;
    UPDATE mesflow._quotes SET expiry_told = true WHERE id = q.id;
    -- What was ordered is the order's to tell.
    IF NOT EXISTS (SELECT FROM mesflow._order_items i WHERE i.quote = q.id) THEN
      PERFORM mesflow._event('quote.expired', q.id::text, q.partner, q.correlation_id, q.traceparent,
        jsonb_build_object('quote', jsonb_build_object('id', q.id, 'partner', q.partner, 'model', q.model, 'material', q.material, 'process', q.process,
          'quantity', q.quantity, 'options', q.options, 'state', 'expired', 'total', q.total::text, 'currency', q.currency, 'expires_at', q.expires_at)));
    END IF;
  END LOOP;
  RETURN seen = portion;
END
$$;
COMMENT ON FUNCTION _expire_quotes() IS 'A portion of expire_quotes(): up to 500 quotes.';

-- Health ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION _health_outbox(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held record;
BEGIN
  -- The slot whose day comes next, with rows that should be gone.
  SELECT s.slot, s.ahead INTO held
    FROM mesflow._ring_slots_to_clear(current_setting('mesflow.outbox_retention')::interval) WITH ORDINALITY AS s (slot, ahead)
   WHERE pg_relation_size(format('mesflow.outbox_%s', lpad(s.slot::text, 2, '0'))::regclass) > 0 AND NOT mesflow._readers_past(s.slot)
   ORDER BY s.ahead LIMIT 1;
  IF NOT FOUND THEN
    status := 'ok';
    detail := 'No reader holds events beyond mesflow.outbox_retention.';
    RETURN;
  END IF;
  status := CASE WHEN held.ahead <= 3 THEN 'critical' ELSE 'warning' END;
  detail := format('Events older than mesflow.outbox_retention are held by: %s.%s',
    (SELECT string_agg(r.name, ', ' ORDER BY r.name) FROM (SELECT c.name FROM mesflow._cursors c
      WHERE c.origin <> mesflow._origin() OR (SELECT u.events FROM mesflow._unread(c.name, held.slot, 1) u) > 0
         OR EXISTS (SELECT FROM mesflow._cursor_backlog b JOIN mesflow.outbox o ON o.id = b.id AND o.slot = held.slot WHERE b.reader = c.name)
      UNION SELECT 'endpoint ' || h FROM mesflow._held_by(held.slot) h) r),
    CASE WHEN held.ahead <= 3 THEN format(' Their place in the ring is needed in %s days; they stay, and the log grows.', held.ahead) ELSE '' END);
  hint := 'Let these readers go on, or drop those that nobody needs: mesflow.drop_consumer(), mesflow.drop_endpoint(). See mesflow.consumers, mesflow.endpoints.';
END
$$;
COMMENT ON FUNCTION _health_outbox() IS 'The row of health() about the log: which readers keep it from being emptied.';

CREATE FUNCTION _health_orders(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  waiting record;
BEGIN
  SELECT count(*) AS n, min(s.due) AS oldest, max(s.tries) AS tries INTO waiting FROM (SELECT * FROM mesflow._orders_to_sum ORDER BY due LIMIT 1000) s;
  IF waiting.oldest < clock_timestamp() - interval '1 min' OR waiting.tries > 100 THEN
    status := 'warning';
    detail := format('%s orders wait for their sums, the first since %s.', waiting.n, waiting.oldest);
    hint := 'The pricing worker does it: see mesflow.worker_status, the server''s log, and pg_locks for who holds the orders'' rows.';
  ELSE
    status := 'ok';
    detail := 'Orders follow the prices of their items.';
  END IF;
END
$$;
COMMENT ON FUNCTION _health_orders() IS 'The row of health() about orders that wait to be summed up.';
