-- Quotes: prices promised.

-- No CHECK constraint: it would be parsed anew with every quote. What it would say, the trigger in src/outbox/quote_event.c says.
CREATE TABLE _quotes (
  id uuid PRIMARY KEY DEFAULT mesflow._uuid7(),
  partner text NOT NULL,
  model uuid NOT NULL,
  material text NOT NULL,
  process text NOT NULL,
  quantity integer NOT NULL,
  options jsonb NOT NULL,
  state text NOT NULL,
  unit_price numeric,
  net numeric,
  tax numeric,
  total numeric,
  currency text,
  breakdown jsonb,
  price_list text,
  lead_days integer,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  priced_at timestamptz,
  expires_at timestamptz,
  supersedes uuid,
  error_code text,
  error text,
  job bigint,
  correlation_id uuid NOT NULL,
  traceparent text,
  material_version integer,
  process_version integer,
  partner_version integer,
  engine_version integer,
  by_hand boolean NOT NULL DEFAULT false,
  decided_by text,
  decided_at timestamptz,
  note text,
  pricing_mark bigint,
  preflight boolean NOT NULL DEFAULT false,
  told boolean,
  expiry_told boolean NOT NULL DEFAULT false
);
CREATE INDEX ON _quotes (model);
COMMENT ON TABLE _quotes IS
  'Prices promised, and what became of the requests for them; expiry is judged by the clock when read. by_hand: a person set the price; preflight: nobody has asked for it yet. told: its events so far are written; NULL only on its way in, so that a restored row is told as one that is known. The versions are those of the rows, the engine and the pricing function that it was made from.';

-- A foreign key would ask for the model again with every quote, which costs as much as the rest of the insert; quotes are
-- made from models just read, so it is enough that a model with quotes stays.
CREATE FUNCTION _keep_quoted_model() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM mesflow._quotes q WHERE q.model = OLD.id) THEN
    PERFORM mesflow._raise('MF423', 'the model has quotes', format('Model %s is named by quotes.', OLD.id), 'Models with quotes stay.');
  END IF;
  RETURN OLD;
END
$$;
COMMENT ON FUNCTION _keep_quoted_model() IS 'MF423 where a model is deleted that quotes name.';
CREATE TRIGGER keep_quoted BEFORE DELETE ON _models FOR EACH ROW EXECUTE FUNCTION _keep_quoted_model();

CREATE FUNCTION _price_pending(quote uuid, result _measurements) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  q mesflow._quotes;
  a mesflow.materials;
  p mesflow.processes;
  c mesflow.partners;
  price mesflow._price;
BEGIN
  SELECT * INTO q FROM mesflow._quotes WHERE id = $1 AND state = 'pending' FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT * INTO a FROM mesflow.materials WHERE code = q.material;
  SELECT * INTO p FROM mesflow.processes WHERE code = q.process;
  SELECT * INTO c FROM mesflow.partners WHERE code = q.partner;
  IF a.code IS NULL OR p.code IS NULL THEN
    price.state := 'failed';
    price.error_code := 'inactive';
    price.error := 'The material or process is no longer offered.';
  ELSE
    BEGIN
      price := mesflow._price_of(result, a, p, c, q.quantity, q.options);
    EXCEPTION WHEN OTHERS OR assert_failure THEN       -- OTHERS leaves out ASSERT
      price.state := 'failed';
      price.error_code := 'pricing_failed';
      price.error := SQLERRM;
    END;
  END IF;
  UPDATE mesflow._quotes SET state = price.state, unit_price = price.unit_price, net = price.net, tax = price.tax, total = price.total,
         currency = price.currency, breakdown = price.breakdown, price_list = price.price_list, lead_days = price.lead_days,
         priced_at = clock_timestamp(), expires_at = price.expires_at, error_code = price.error_code, error = price.error,
         material_version = a.version, process_version = p.version, partner_version = c.version, engine_version = result.engine_version
   WHERE id = $1;
END
$$;
COMMENT ON FUNCTION _price_pending(uuid, _measurements) IS 'Prices a pending quote from its model''s outcome; other states stay as they are.';

CREATE FUNCTION request_quote(model uuid, material text, process text, quantity integer DEFAULT 1, options jsonb DEFAULT '{}',
                              partner text DEFAULT 'shop', traceparent text DEFAULT NULL) RETURNS uuid
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_request_quote';
COMMENT ON FUNCTION request_quote(uuid, text, text, integer, jsonb, text, text) IS
  'Promises a price. A measured model is priced at once, in this transaction, or has been by preflight_quotes; otherwise the quote is pending and priced in the background. A model that cannot be made so gives a quote that failed or is in review, never an error. Errors: MF400 (quantity, options), MF404 (model, material, process, partner), MF423 (partner), MF429 (its jobs waiting).';

-- An order's quote is withdrawn by its order only. An order takes a quote under the lock of the quote's row: whoever has
-- that lock, or has changed the row, and asks in a statement of its own, sees it.
CREATE FUNCTION _ordered_by(quote uuid) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN (SELECT o.number FROM mesflow._order_items i JOIN mesflow.orders o ON o.id = i.order_id WHERE i.quote = $1 AND i.cancelled_at IS NULL);
END
$$;
COMMENT ON FUNCTION _ordered_by(uuid) IS 'The number of the order that has this quote as a live item; NULL where there is none.';

CREATE FUNCTION _refuse_ordered(quote uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number constant text := mesflow._ordered_by($1);
BEGIN
  IF number IS NOT NULL THEN
    PERFORM mesflow._raise('MF423', 'the quote is ordered', format('Quote %s is an item of order %s.', $1, number), 'Cancel the item with cancel_item.');
  END IF;
END
$$;
COMMENT ON FUNCTION _refuse_ordered(uuid) IS 'MF423 where an order has this quote as a live item.';

CREATE FUNCTION cancel_quote(quote uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  q mesflow._quotes;
  withdrawn boolean;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  SELECT * INTO q FROM mesflow._quotes WHERE id = $1;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such quote', format('There is no quote %s.', coalesce($1::text, 'NULL')), 'Ask for one with request_quote.');
  END IF;
  PERFORM mesflow._refuse_ordered($1);
  withdrawn := q.state = 'pending' AND mesflow.cancel_job(q.job);
  IF withdrawn IS NOT TRUE THEN         -- it may have been priced this moment
    UPDATE mesflow._quotes SET state = 'cancelled' WHERE id = $1 AND state IN ('priced', 'review') AND (expires_at < clock_timestamp()) IS NOT TRUE;
    withdrawn := FOUND;
  END IF;
  PERFORM mesflow._refuse_ordered($1);  -- since the first look, perhaps
  RETURN withdrawn;
END
$$;
COMMENT ON FUNCTION cancel_quote(uuid) IS 'Withdraws a quote that is pending, priced or in review; false where there is nothing to withdraw. MF404: no such quote. MF423: it is ordered.';
