-- What happened to an order, from the upload on.

CREATE TABLE _order_history (
  order_id uuid NOT NULL,
  key_seq bigint,
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  type text NOT NULL,
  from_status text,
  to_status text,
  system text,
  actor text,
  dwell interval,
  detail jsonb,
  PRIMARY KEY (order_id, id)
);
COMMENT ON TABLE _order_history IS 'Events of orders, copied from the outbox before its ring comes round: kept as long as the orders.';

CREATE FUNCTION _event_detail(type text, body text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  data constant jsonb := $2::jsonb -> 'data';
BEGIN
  RETURN CASE
    WHEN $1 LIKE 'order.%' THEN coalesce(data -> 'detail', '{}')
    WHEN $1 ~ '^(work|alarm)[.]' THEN data - '{schema,seq,correlation_id,order}'::text[]
    ELSE data
  END;
END
$$;
COMMENT ON FUNCTION _event_detail(text, text) IS
  'What an event tells beside the order: data.detail of an order''s own; of others their data.';

CREATE FUNCTION _copy_timeline(portion integer DEFAULT 1000) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  cursor_name constant text := 'mesflow timeline';
  taken bigint;
BEGIN
  WITH batch AS MATERIALIZED (
    SELECT * FROM mesflow._consume(cursor_name, $1)
  ), copied AS (
    INSERT INTO mesflow._order_history (order_id, key_seq, id, at, type, from_status, to_status, system, actor, dwell, detail)
      SELECT b.order_id, b.key_seq, b.id, b.at, b.type, b.from_status, b.to_status, b.system, b.actor, b.dwell, mesflow._event_detail(b.type, b.body)
        FROM batch b WHERE b.order_id IS NOT NULL ORDER BY b.order_id, b.id
    ON CONFLICT DO NOTHING
  )
  SELECT count(*) INTO taken FROM batch;
  PERFORM mesflow._ack(cursor_name);
  RETURN taken;
END
$$;
COMMENT ON FUNCTION _copy_timeline(integer) IS
  'Copies the next events of orders, of at most so many events, from the outbox to the history; returns how many it has looked at. 0: it is up to date.';

CREATE FUNCTION _model_times(models uuid[]) RETURNS TABLE (at timestamptz, stage integer, event text, detail jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT m.uploaded_at, 1, 'model.uploaded', jsonb_build_object('model', m.id, 'filename', m.filename, 'size_bytes', m.size_bytes)
      FROM unnest($1) AS u (id) JOIN mesflow._models m ON m.id = u.id;
  -- Bytes that somebody else had uploaded before were measured before.
  RETURN QUERY
    SELECT greatest(r.recorded_at, m.uploaded_at), 2, CASE WHEN r.error_code IS NULL THEN 'model.measured' ELSE 'model.rejected' END,
           jsonb_build_object('model', m.id)
           || CASE WHEN r.error_code IS NULL THEN jsonb_build_object('triangles', r.triangles, 'volume_mm3', r.volume_mm3)
                   ELSE jsonb_build_object('error_code', r.error_code, 'error', r.error) END
      FROM unnest($1) AS u (id) JOIN mesflow._models m ON m.id = u.id
      JOIN mesflow._measurements r ON r.sha256 = m.sha256 AND r.unit = m.unit;
END
$$;
COMMENT ON FUNCTION _model_times(uuid[]) IS 'When these models came, and when they were measured or rejected (by each version of the engine).';

CREATE FUNCTION _quote_times(quotes uuid[]) RETURNS TABLE (at timestamptz, stage integer, event text, actor text, detail jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT q.created_at, 3, 'quote.requested', NULL::text,
           jsonb_strip_nulls(jsonb_build_object('quote', q.id, 'model', q.model, 'material', q.material, 'process', q.process, 'quantity', q.quantity, 'supersedes', q.supersedes))
      FROM unnest($1) AS u (id) JOIN mesflow._quotes q ON q.id = u.id;
  -- A price by hand replaces what was there; a rejection leaves it.
  RETURN QUERY
    SELECT q.priced_at, 4,
           CASE WHEN q.by_hand THEN 'quote.priced'
                WHEN q.decided_at IS NOT NULL THEN 'quote.review'
                WHEN q.state = 'cancelled' THEN CASE WHEN q.total IS NULL THEN 'quote.review' ELSE 'quote.priced' END
                ELSE 'quote.' || q.state END,
           CASE WHEN q.by_hand THEN q.decided_by END,
           jsonb_strip_nulls(jsonb_build_object('quote', q.id, 'total', q.total, 'currency', q.currency, 'price_list', q.price_list,
             'error_code', nullif(q.error_code, 'superseded'), 'error', CASE WHEN q.decided_at IS NULL AND q.state <> 'cancelled' THEN q.error END, 'note', CASE WHEN q.by_hand THEN q.note END))
      FROM unnest($1) AS u (id) JOIN mesflow._quotes q ON q.id = u.id
     WHERE q.priced_at IS NOT NULL
    UNION ALL
    SELECT q.decided_at, 5, 'quote.failed', q.decided_by, jsonb_strip_nulls(jsonb_build_object('quote', q.id, 'error_code', q.error_code, 'error', q.error))
      FROM unnest($1) AS u (id) JOIN mesflow._quotes q ON q.id = u.id
     WHERE q.decided_at IS NOT NULL AND NOT q.by_hand;
END
$$;
COMMENT ON FUNCTION _quote_times(uuid[]) IS 'When these quotes were asked for, priced, put into review or failed.';

CREATE FUNCTION order_timeline(order_id uuid)
RETURNS TABLE (at timestamptz, event text, from_status text, to_status text, system text, actor text, dwell interval, detail jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  o constant mesflow.orders := mesflow._order($1);
  quotes uuid[];
  models uuid[];
BEGIN
  WITH RECURSIVE named (id, model, supersedes) AS (
    SELECT q.id, q.model, q.supersedes FROM mesflow._order_items i JOIN mesflow._quotes q ON q.id = i.quote WHERE i.order_id = o.id
    UNION
    SELECT q.id, q.model, q.supersedes FROM named n JOIN mesflow._quotes q ON q.id = n.supersedes
  )
  SELECT array_agg(DISTINCT n.id), array_agg(DISTINCT n.model) INTO quotes, models FROM named n;
  RETURN QUERY
    SELECT t.at, t.event, t.from_status, t.to_status, t.system, t.actor, t.dwell, t.detail
      FROM (SELECT m.at, m.event, NULL::text AS from_status, NULL::text AS to_status, NULL::text AS system, NULL::text AS actor,
                   NULL::interval AS dwell, m.detail, m.stage, NULL::bigint AS id
              FROM mesflow._model_times(models) m
            UNION ALL
            SELECT q.at, q.event, NULL, NULL, NULL, q.actor, NULL, q.detail, q.stage, NULL FROM mesflow._quote_times(quotes) q
            UNION ALL
            SELECT h.at, h.type, h.from_status, h.to_status, h.system, h.actor, h.dwell, h.detail, 6, h.id
              FROM mesflow._order_history h WHERE h.order_id = o.id
            UNION ALL
            SELECT b.at, b.type, b.from_status, b.to_status, b.system, b.actor, b.dwell, mesflow._event_detail(b.type, b.body), 6, b.id
              FROM mesflow.outbox b
             WHERE b.order_id = o.id AND NOT EXISTS (SELECT FROM mesflow._order_history h WHERE h.order_id = o.id AND h.id = b.id)) t
     ORDER BY t.at, t.stage, t.id, coalesce(t.detail ->> 'quote', t.detail ->> 'model');
END
$$;
COMMENT ON FUNCTION order_timeline(uuid) IS
  'What happened to an order, oldest first: its models (uploaded, measured, rejected), their quotes (requested, priced, review, failed; also those that were replaced), then its events and those of its work. dwell: how long it had been in from_status; of finished work, from start to finish. Of orders of any age; also on a standby. MF404: no such order.';
