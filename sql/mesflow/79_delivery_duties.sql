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
  order_id uuid NOT NULL
);
COMMENT ON TABLE _receipts_due IS 'Receipts by delivery that could not be written at once, because somebody''s transaction held the row.';

CREATE FUNCTION _receive_by_delivery(system text, order_ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '20ms'
AS $$
BEGIN
  PERFORM mesflow._receive_by_ack($1, $2);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  INSERT INTO mesflow._receipts_due (system, order_id) SELECT $1, u FROM unnest($2) u;
END
$$;
COMMENT ON FUNCTION _receive_by_delivery(text, uuid[]) IS '_receive_by_ack() without waiting for anybody: what has to wait is noted, see _receive_due().';

CREATE FUNCTION _receive_due() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '20ms'
AS $$
DECLARE
  due record;
BEGIN
  FOR due IN SELECT d.ctid AS place, d.system, d.order_id FROM mesflow._receipts_due d LIMIT 100 FOR UPDATE SKIP LOCKED LOOP
    BEGIN
      PERFORM mesflow._receive_by_ack(due.system, ARRAY[due.order_id]);
      DELETE FROM mesflow._receipts_due d WHERE d.ctid = due.place;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      NULL;
    END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _receive_due() IS 'Writes receipts that had to wait, up to 100; what still has to wait stays.';
