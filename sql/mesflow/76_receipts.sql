-- Which system has an order: the proof that it arrived.

CREATE TABLE _receipts (
  order_id uuid NOT NULL,
  system text NOT NULL REFERENCES systems (code) ON UPDATE CASCADE,
  expected_by timestamptz,
  expected_on text,
  received_at timestamptz,
  via text CHECK (via IN ('delivery', 'confirmation')),
  external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
  status text CHECK (length(status) BETWEEN 1 AND 100),
  status_since timestamptz,
  actor text,
  PRIMARY KEY (order_id, system),
  CHECK ((received_at IS NULL) = (via IS NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE _receipts IS 'Per order and system: until when it must confirm the order, and whether it has. An unmet expectation is a row with expected_by and without received_at.';
CREATE INDEX ON _receipts (expected_by) WHERE received_at IS NULL AND expected_by IS NOT NULL;
CREATE INDEX _receipts_find_external_id ON _receipts ((mesflow._fold(external_id)) COLLATE "C", order_id) WHERE external_id IS NOT NULL;

CREATE VIEW order_systems AS
  SELECT r.order_id, r.system, r.expected_by, r.received_at, r.via, r.external_id, r.status, r.status_since FROM _receipts r;
COMMENT ON VIEW order_systems IS 'Which system has an order, since when, and until when it had to. An expectation that was not met has expected_by and no received_at.';
COMMENT ON COLUMN order_systems.order_id IS 'the order';
COMMENT ON COLUMN order_systems.system IS 'the system';
COMMENT ON COLUMN order_systems.expected_by IS 'until when it had to confirm the order; NULL: nobody waited for it';
COMMENT ON COLUMN order_systems.received_at IS 'when it was first known to have the order; NULL: not yet';
COMMENT ON COLUMN order_systems.via IS 'how that was known: delivery (it took the event) or confirmation (it said so)';
COMMENT ON COLUMN order_systems.external_id IS 'the system''s own id of the order';
COMMENT ON COLUMN order_systems.status IS 'the system''s own status of the order';
COMMENT ON COLUMN order_systems.status_since IS 'since when it has that status';

CREATE FUNCTION _expect_receipts(order_id uuid, status text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  now constant timestamptz := clock_timestamp();
BEGIN
  INSERT INTO mesflow._receipts AS r (order_id, system, expected_by, expected_on)
    SELECT $1, e.system, now + e.within, $2 FROM mesflow.expectations e WHERE e.on_status = $2 ORDER BY e.system
  ON CONFLICT (order_id, system) DO UPDATE SET expected_by = excluded.expected_by, expected_on = excluded.expected_on
    WHERE r.received_at IS NULL AND (r.expected_by <= excluded.expected_by) IS NOT TRUE;
END
$$;
COMMENT ON FUNCTION _expect_receipts(uuid, text) IS
  'The order has reached this status: notes which systems must confirm it, and until when. A system that has confirmed it need not again; one that has not is never given more time.';

CREATE FUNCTION _receive_by_ack(system text, order_ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  now constant timestamptz := clock_timestamp();
BEGIN
  INSERT INTO mesflow._receipts AS r (order_id, system, received_at, via)
    SELECT DISTINCT o.id, $1, now, 'delivery' FROM unnest($2) AS o (id) WHERE o.id IS NOT NULL ORDER BY o.id
  ON CONFLICT (order_id, system) DO UPDATE SET received_at = excluded.received_at, via = excluded.via
    WHERE r.received_at IS NULL;
END
$$;
COMMENT ON FUNCTION _receive_by_ack(text, uuid[]) IS 'The system has taken events of these orders: that is its receipt for each that had none.';

CREATE FUNCTION confirm_receipt(order_id uuid, system text, external_id text DEFAULT NULL, status text DEFAULT NULL, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  longest_id constant integer := 200;
  longest_status constant integer := 100;
  now constant timestamptz := clock_timestamp();
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  PERFORM mesflow._check_actor($5);
  PERFORM mesflow._order($1);
  IF NOT EXISTS (SELECT FROM mesflow.systems s WHERE s.code = $2) THEN
    PERFORM mesflow._raise('MF404', 'no such system', format('There is no system "%s".', left($2, 100)),
      'Known systems: ' || mesflow._codes(ARRAY(SELECT s.code FROM mesflow.systems s ORDER BY 1 LIMIT 21)) || '.');
  ELSIF length($3) NOT BETWEEN 1 AND longest_id THEN
    PERFORM mesflow._raise('MF400', 'external id not allowed', format('The external id has %s characters.', length($3)),
                           format('Give 1 to %s characters, or NULL to keep what is known.', longest_id));
  ELSIF length($4) NOT BETWEEN 1 AND longest_status THEN
    PERFORM mesflow._raise('MF400', 'status not allowed', format('The status has %s characters.', length($4)),
                           format('Give 1 to %s characters, or NULL to keep what is known.', longest_status));
  END IF;
  INSERT INTO mesflow._receipts AS r (order_id, system, received_at, via, external_id, status, status_since, actor)
    VALUES ($1, $2, now, 'confirmation', $3, $4, CASE WHEN $4 IS NOT NULL THEN now END, mesflow._actor($5))
  ON CONFLICT (order_id, system) DO UPDATE
    SET received_at = coalesce(r.received_at, excluded.received_at), via = coalesce(r.via, excluded.via),
        external_id = coalesce(excluded.external_id, r.external_id), status = coalesce(excluded.status, r.status),
        status_since = CASE WHEN excluded.status <> r.status OR r.status IS NULL THEN excluded.status_since ELSE r.status_since END,
        actor = excluded.actor
    WHERE r.received_at IS NULL OR (excluded.external_id = r.external_id OR excluded.external_id IS NULL) IS NOT TRUE
       OR (excluded.status = r.status OR excluded.status IS NULL) IS NOT TRUE;
END
$$;
COMMENT ON FUNCTION confirm_receipt(uuid, text, text, text, text) IS
  'A system says that it has an order, and may tell its own id (up to 200 characters) and status (up to 100) of it. The first receipt counts; later calls add or change id and status. Again is harmless. Errors: MF400 (lengths), MF404 (order, system).';

-- Both sides' orders ------------------------------------------------------------------------------------------------

CREATE INDEX orders_partner_created ON orders (partner, created_at, id);

CREATE FUNCTION reconcile_orders(partner text, refs text[], since timestamptz, until timestamptz DEFAULT NULL)
RETURNS TABLE (external_ref text, order_id uuid, status text, problem text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  upto constant timestamptz := coalesce($4, 'infinity');
BEGIN
  IF NOT EXISTS (SELECT FROM mesflow.partners p WHERE p.code = $1) THEN
    PERFORM mesflow._partner($1);
  ELSIF $2 IS NULL OR $3 IS NULL THEN
    PERFORM mesflow._raise('MF400', 'nothing to compare', format('%s is NULL.', CASE WHEN $2 IS NULL THEN 'refs' ELSE 'since' END),
                           'Give all references that the partner has of orders since a moment; {} where it has none.');
  ELSIF array_ndims($2) > 1 THEN
    PERFORM mesflow._raise('MF400', 'references not allowed', format('refs has %s dimensions.', array_ndims($2)), 'Give a plain array of references.');
  ELSIF array_position($2, NULL) IS NOT NULL THEN
    PERFORM mesflow._raise('MF400', 'reference missing', format('refs[%s] is NULL.', array_position($2, NULL)), 'An order is known by the reference that it was submitted with.');
  ELSIF $3 > upto THEN
    PERFORM mesflow._raise('MF400', 'period not allowed', format('It begins at %s and ends at %s.', $3, upto), 'Let since be before until.');
  END IF;
  RETURN QUERY
    SELECT g.ref, NULL::uuid, NULL::text, 'missing_here'
      FROM (SELECT u.ref, min(u.at) AS at FROM unnest($2) WITH ORDINALITY AS u (ref, at) GROUP BY u.ref) g
     WHERE NOT EXISTS (SELECT FROM mesflow.orders o WHERE o.partner = $1 AND o.external_ref = g.ref)
     ORDER BY g.at;
  RETURN QUERY
    SELECT o.external_ref, o.id, o.status, 'unknown_there'
      FROM mesflow.orders o
     WHERE o.partner = $1 AND o.created_at >= $3 AND o.created_at < upto AND o.external_ref NOT IN (SELECT u FROM unnest($2) u)
     ORDER BY o.created_at, o.id;
END
$$;
COMMENT ON FUNCTION reconcile_orders(text, text[], timestamptz, timestamptz) IS
  'Compares a partner''s orders with what it has itself. missing_here: a reference that no order here has, of whatever age. unknown_there: an order created from since on and before until (NULL: up to now) whose reference was not given. No rows: both sides agree. Works on a standby. Errors: MF400 (NULLs, period), MF404 (partner).';
