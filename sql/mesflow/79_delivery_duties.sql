-- What is done with deliveries again and again (see 81_duties.sql), and how they are.

CREATE FUNCTION _keep_attempts() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mesflow._clear_rings('{_attempts}', current_setting('mesflow.attempts_retention')::interval);
END
$$;
COMMENT ON FUNCTION _keep_attempts() IS 'A portion of keep_attempts(): one partition.';

CREATE FUNCTION _keep_dead_letters() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  portion constant integer := 1000;
  gone bigint;
  places text[];
BEGIN
  -- One that is on its way again is still needed: the outbox may no longer have the event.
  WITH deleted AS (
    DELETE FROM mesflow._dead_letters WHERE number IN (
      SELECT d.number FROM mesflow._dead_letters d
       WHERE d.died_at < clock_timestamp() - current_setting('mesflow.dead_letter_retention')::interval
         AND NOT EXISTS (SELECT FROM mesflow._pending p WHERE p.id = d.id AND p.letter = d.number)
       ORDER BY d.died_at LIMIT portion FOR UPDATE SKIP LOCKED)
    RETURNING endpoint, resolved
  )
  SELECT count(*), array_agg(DISTINCT d.endpoint) FILTER (WHERE d.resolved IS NULL) INTO gone, places FROM deleted d;
  PERFORM mesflow._tell_delivery(p, 'letters') FROM unnest(places) p;
  RETURN gone = portion;
END
$$;
COMMENT ON FUNCTION _keep_dead_letters() IS 'A portion of keep_dead_letters(): up to 1000 letters.';

CREATE FUNCTION _health_delivery(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 10000;       -- counted; more is "10000 or more"
  shown constant integer := 5;
  late constant interval := '5 min';
  too_late constant interval := '1 hour';
  off text;
  r record;
BEGIN
  off := CASE WHEN current_setting('mesflow.delivery') = 'off' THEN 'mesflow.delivery is off' WHEN current_setting('mesflow.effects') = 'off' THEN 'mesflow.effects is off' END;
  IF NOT EXISTS (SELECT FROM mesflow._endpoints) THEN
    status := 'ok';
    detail := 'There are no endpoints.';
    RETURN;
  ELSIF pg_is_in_recovery() THEN
    status := 'ok';
    detail := 'A standby delivers nothing.';
    RETURN;
  ELSIF mesflow._is_copy() THEN
    status := 'critical';
    detail := 'Nothing is delivered from a copy: events wait.';
    hint := 'If it shall act for itself: SELECT mesflow.arm(''reason'').';
    RETURN;
  END IF;
  SELECT count(*) AS n,
         bool_or(e.critical) AS critical,
         string_agg(concat_ws(', ', format('%s: %s waiting', e.name, CASE WHEN e.waiting >= most THEN format('%s or more', most) ELSE e.waiting::text END),
                              'the oldest for ' || date_trunc('second', e.lag), e.why, CASE WHEN e.dead > 0 THEN format('%s dead letters', e.dead) END), '; ' ORDER BY e.place) FILTER (WHERE e.place <= shown) AS first,
         bool_or(e.dead > 0) AS dead, bool_or(e.state <> 'active') AS stopped, bool_or(e.lag > late) AS lags
    INTO r
    FROM (SELECT f.*, row_number() OVER (ORDER BY f.critical DESC, f.lag DESC NULLS LAST, f.name) AS place
            FROM (SELECT s.name, s.state, w.waiting, w.dead, g.lag,
                         s.state = 'disabled' OR g.lag > too_late AS critical,
                         CASE WHEN s.state <> 'active' THEN concat_ws(', ', s.state, (SELECT left(t.reason, 200) FROM mesflow._endpoints t WHERE t.name = s.name))
                              WHEN s.breaker = 'open' THEN concat_ws(': ', 'its breaker is open', s.last_error)
                              WHEN s.failing_since IS NOT NULL THEN concat_ws(': ', format('it fails since %s', date_trunc('second', s.failing_since)), s.last_error) END AS why
                    FROM mesflow._endpoint_settings s
                   CROSS JOIN LATERAL mesflow._endpoint_waiting(s.name, most) w
                   CROSS JOIN LATERAL (SELECT clock_timestamp() - w.oldest AS lag OFFSET 0) g) f
           WHERE f.lag > late OR f.dead > 0 OR f.state = 'disabled' OR (f.state = 'paused' AND f.waiting > 0)) e;
  IF off IS NULL AND r.n = 0 THEN
    status := 'ok';
    detail := 'All endpoints get what they have to get.';
    RETURN;
  END IF;
  status := CASE WHEN r.critical THEN 'critical' ELSE 'warning' END;
  detail := concat_ws(' ', off || ': nothing is delivered.', nullif(concat(r.first, CASE WHEN r.n > shown THEN format('; and %s more', r.n - shown) END, CASE WHEN r.n > 0 THEN '.' END), ''));
  hint := concat_ws(' ', CASE WHEN off IS NOT NULL THEN 'Set it back in postgresql.conf and reload.' END,
                    CASE WHEN r.lags THEN 'See mesflow.endpoints, mesflow.delivery_attempts and the receiver.' END,
                    CASE WHEN r.stopped THEN 'resume_endpoint() lets one go on that is paused or disabled.' END,
                    CASE WHEN r.dead THEN 'Look at mesflow.dead_letters, then replay_dead() or dismiss_dead() them.' END);
END
$$;
COMMENT ON FUNCTION _health_delivery() IS
  'The row of health() about deliveries: endpoints that are behind, by how much and why, dead letters that wait for somebody, and whether anything is delivered at all.';

-- ---- receipts by delivery ------------------------------------------------------------------------------------------------

CREATE TABLE _receipts_due (
  system text NOT NULL REFERENCES systems (code) ON UPDATE CASCADE ON DELETE CASCADE,
  order_id uuid NOT NULL,
  tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (system, order_id)
);
COMMENT ON TABLE _receipts_due IS 'Receipts by delivery that could not be written at once, because somebody''s transaction held the row.';
CREATE INDEX ON _receipts_due (tried_at);

CREATE FUNCTION _receipts_to_make(system text, order_ids uuid[]) RETURNS uuid[]
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_receipts_to_make';
COMMENT ON FUNCTION _receipts_to_make(text, uuid[]) IS 'Those of these orders that have no receipt of this system, not even one of a transaction that has still to commit.';

CREATE FUNCTION _receive_free(system text, order_ids uuid[]) RETURNS uuid[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '20ms'
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  now constant timestamptz := clock_timestamp();
BEGIN
  -- Rows that are there and that nobody holds.
  WITH free AS (
    SELECT r.order_id FROM mesflow._receipts r
     WHERE r.order_id = ANY ($2) AND r.system = $1 AND r.received_at IS NULL ORDER BY r.order_id FOR NO KEY UPDATE SKIP LOCKED
  )
  UPDATE mesflow._receipts r SET received_at = now, via = 'delivery' FROM free f WHERE r.order_id = f.order_id AND r.system = $1;
  -- Here it waits only for who begins at this moment to write the same.
  PERFORM mesflow._receive_by_ack($1, mesflow._receipts_to_make($1, $2));
  RETURN ARRAY(SELECT DISTINCT u FROM unnest($2) u
                WHERE u IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow._receipts r WHERE r.order_id = u AND r.system = $1 AND r.received_at IS NOT NULL));
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  RETURN ARRAY(SELECT DISTINCT u FROM unnest($2) u WHERE u IS NOT NULL);
END
$$;
COMMENT ON FUNCTION _receive_free(text, uuid[]) IS '_receive_by_ack() of all that nobody''s transaction holds; returns the others.';

CREATE FUNCTION _receive_by_delivery(system text, order_ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO mesflow._receipts_due (system, order_id) SELECT $1, u FROM unnest(mesflow._receive_free($1, $2)) u ORDER BY u
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION _receive_by_delivery(text, uuid[]) IS '_receive_by_ack() without waiting for anybody: what has to wait is noted, see _receive_due().';

CREATE FUNCTION _receive_due() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  portion constant integer := 1000;
  due record;
  held uuid[];
BEGIN
  FOR due IN SELECT d.system, array_agg(d.order_id) AS orders, sum(count(*)) OVER () AS tried
               FROM (SELECT t.system, t.order_id FROM mesflow._receipts_due t ORDER BY t.tried_at LIMIT portion) d GROUP BY d.system ORDER BY d.system LOOP
    held := mesflow._receive_free(due.system, due.orders);
    DELETE FROM mesflow._receipts_due d WHERE d.system = due.system AND d.order_id = ANY (due.orders) AND d.order_id <> ALL (held);
    -- What has still to wait lets others have their turn.
    IF due.tried = portion THEN
      UPDATE mesflow._receipts_due d SET tried_at = clock_timestamp() WHERE d.system = due.system AND d.order_id = ANY (held);
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _receive_due() IS 'Writes receipts that had to wait, up to 1000, those first that were not tried for the longest; what still has to wait stays.';
