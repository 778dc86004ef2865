-- Pricing again what was promised: after the price list has changed.

CREATE INDEX _quotes_open ON _quotes (partner, id) WHERE state IN ('priced', 'review') AND NOT preflight;

-- Whatever else may keep a quote from changing is a line here.
CREATE VIEW _open_quotes AS
  SELECT q.* FROM _quotes q
   WHERE q.state IN ('priced', 'review') AND NOT q.preflight
     AND q.total IS NOT NULL
     AND q.expires_at > clock_timestamp()
     AND NOT q.by_hand
     AND NOT EXISTS (SELECT FROM _order_items i WHERE i.quote = q.id);
COMMENT ON VIEW _open_quotes IS 'Quotes with a computed price that can still be ordered, that no order has and that nobody has priced by hand.';

CREATE FUNCTION _price_again(q _quotes, price_list text) RETURNS _price
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  named record;
  list mesflow.price_lists;
BEGIN
  SELECT a, p, c, mesflow._measurement(m.sha256, m.unit) AS result INTO named
    FROM mesflow._models m
   CROSS JOIN mesflow.materials a
   CROSS JOIN mesflow.processes p
   CROSS JOIN mesflow.partners c
   WHERE m.id = q.model AND a.code = q.material AND p.code = q.process AND c.code = q.partner;
  IF NOT FOUND OR (named.result).engine_version IS NULL THEN
    RETURN NULL;
  END IF;
  list := mesflow._price_list(named.c, $2);
  IF $2 IS NOT NULL AND list.currency <> q.currency THEN
    RETURN NULL;                        -- what was promised in one currency stays in it
  END IF;
  RETURN mesflow._price(named.result, named.a, named.p, named.c, list, mesflow._rates(list, q.process, q.material), q.quantity, q.options);
END
$$;
COMMENT ON FUNCTION _price_again(_quotes, text) IS
  'What a quote would cost now, by a price list or, with NULL, by the one that holds for its partner; total is NULL where it cannot be priced.';

CREATE FUNCTION reprice_quotes(price_list text DEFAULT NULL, dry_run boolean DEFAULT true)
RETURNS TABLE (quote uuid, old numeric, new numeric)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  list mesflow.price_lists := CASE WHEN $1 IS NOT NULL THEN mesflow._price_list(NULL, $1) END;
BEGIN
  IF $2 IS NOT FALSE THEN
    RETURN QUERY SELECT q.id, q.total, (mesflow._price_again(ROW(q.*)::mesflow._quotes, $1)).total FROM mesflow._open_quotes q ORDER BY q.id;
    RETURN;
  END IF;
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  ELSIF list.code IS NOT NULL AND (list.state <> 'active' OR list.valid_from > clock_timestamp()) THEN
    PERFORM mesflow._raise('MF423', 'the price list does not hold', format('Price list "%s" is %s, valid from %s.', list.code, list.state, list.valid_from),
                           'Activate it first, or try it with dry_run.');
  END IF;
  RETURN QUERY
    WITH found AS MATERIALIZED (
      SELECT q.id, q.partner, q.total FROM mesflow._open_quotes q
    ), queued AS (
      INSERT INTO mesflow._batches (id, kind, partner, price_list, last_quote, total)
        SELECT nextval('mesflow._job_ids'), 'reprice', f.partner, $1, f.last_quote, f.total
          FROM (SELECT f.partner, max(f.id::text COLLATE "C")::uuid AS last_quote, count(*) AS total
                  FROM found f GROUP BY f.partner ORDER BY f.partner) f
    )
    SELECT f.id, f.total, NULL::numeric FROM found f ORDER BY f.id;
END
$$;
COMMENT ON FUNCTION reprice_quotes(text, boolean) IS
  'Prices the quotes that can still be ordered again, by a price list (those in its currency) or, with NULL, by the one that holds for each partner; those priced by hand are left alone. Dry run: the totals, old and new (NULL: cannot be priced so), nothing written, also on a standby; a draft list can be tried. Otherwise one job per partner, see price_jobs: a quote whose total changes is cancelled (superseded) and a new one takes its place. Errors: MF404 (price list), MF423 (the list does not hold).';

CREATE FUNCTION _run_reprice(b _batches, until timestamptz) RETURNS _batches
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  portion constant integer := 500;
  later constant interval := '1 s';
  q mesflow._quotes;
  price mesflow._price;
  replacing uuid;
  now timestamptz;
  looked_at integer := 0;
BEGIN
  LOOP
    SELECT o.* INTO q FROM mesflow._open_quotes o
     WHERE o.partner = b.partner AND o.id > coalesce(b.reached, '00000000-0000-0000-0000-000000000000') AND o.id <= b.last_quote
     ORDER BY o.partner, o.id LIMIT 1;
    IF NOT FOUND THEN
      EXIT;
    END IF;
    now := clock_timestamp();
    -- What somebody has in hand, or has changed since this look, is looked at again later.
    SELECT o.* INTO q FROM mesflow._open_quotes o WHERE o.id = q.id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      b.due := now + later;
      RETURN b;
    END IF;
    -- A statement of its own: an order that has let go of the row has committed, and is seen.
    IF EXISTS (SELECT FROM mesflow._order_items i WHERE i.quote = q.id) THEN
      b.reached := q.id;
      CONTINUE;
    END IF;
    price := mesflow._price_again(q, b.price_list);
    IF price.total IS NULL OR price.state NOT IN ('priced', 'review') THEN
      b.left_alone := b.left_alone + 1;
    ELSIF (price.total, price.currency) IS DISTINCT FROM (q.total, q.currency) THEN
      INSERT INTO mesflow._quotes AS n (partner, model, material, process, quantity, options, state, unit_price, net, tax, total, currency, breakdown,
                                        price_list, lead_days, created_at, priced_at, expires_at, supersedes, error_code, error,
                                        correlation_id, traceparent,
                                        material_version, process_version, partner_version, engine_version)
        SELECT q.partner, q.model, q.material, q.process, q.quantity, q.options, price.state, price.unit_price, price.net, price.tax, price.total,
               price.currency, price.breakdown, price.price_list, price.lead_days, now, now, price.expires_at, q.id,
               price.error_code, price.error, q.correlation_id, q.traceparent, a.version, p.version, c.version,
               (mesflow._measurement(m.sha256, m.unit)).engine_version
          FROM mesflow.materials a CROSS JOIN mesflow.processes p CROSS JOIN mesflow.partners c CROSS JOIN mesflow._models m
         WHERE a.code = q.material AND p.code = q.process AND c.code = q.partner AND m.id = q.model
        RETURNING n.id INTO replacing;
      UPDATE mesflow._quotes SET state = 'cancelled', error_code = 'superseded', error = format('Quote %s takes its place.', replacing) WHERE id = q.id;
    END IF;
    b.reached := q.id;
    b.done := least(b.done + 1, b.total - 1);       -- all of it only when none is left: some may have gone, one may have come late
    looked_at := looked_at + 1;
    IF looked_at >= portion OR clock_timestamp() >= until THEN
      RETURN b;
    END IF;
  END LOOP;
  b.done := b.total;
  b.error := CASE b.left_alone WHEN 0 THEN NULL WHEN 1 THEN '1 quote cannot be priced by this list and stays as it was.'
                  ELSE format('%s quotes cannot be priced by this list and stay as they were.', b.left_alone) END;
  RETURN b;
END
$$;
COMMENT ON FUNCTION _run_reprice(_batches, timestamptz) IS
  'Prices up to 500 of the partner''s quotes again, and none after that moment; returns the batch as it is then.';
