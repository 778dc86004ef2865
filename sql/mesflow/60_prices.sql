-- From facts and rates to a price whose every line can be checked by hand.

CREATE TYPE _price AS (
  state text,
  unit_price numeric,
  net numeric,
  tax numeric,
  total numeric,
  currency text,
  breakdown jsonb,
  price_list text,
  lead_days integer,
  expires_at timestamptz,
  error_code text,
  error text
);
COMMENT ON TYPE _price IS 'A price, or the reason why there is none: state is priced, review or failed.';

-- Lines and formulas are in src/price/, their sources in the comments there; docs/pricing.md says how to recompute them.

CREATE FUNCTION price_line(line text, per text, quantity numeric, unit text, rates jsonb, rate text, why text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_price_line';
COMMENT ON FUNCTION price_line(text, text, numeric, text, jsonb, text, text) IS
  'For pricing functions: a breakdown line with amount = quantity x rate, rounded to the currency''s smallest unit. per is piece or batch; rates are those that the function got, rate is a name among them, which also says whether customers see the line; why is for people. MF404 names a rate that is missing: the quote fails with no_rate.';

CREATE FUNCTION price_additive(measurement measurements, material materials, process processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_price_additive';
COMMENT ON FUNCTION price_additive(measurements, materials, processes, integer, jsonb, jsonb) IS
  'Prices an additive process (FDM, SLA, SLS); returns an array of breakdown lines. Deposited volume = min(area x wall_mm, V) + max(V - area x wall_mm, 0) x infill. Rates: material (per g), support (per g), support_share, support_infill, machine_hour with volume_time (min/cm3), area_time (min/cm2) or layer_time (s), finish_X (per cm2), finish_X_piece, plating_X, plating_X_piece, engraving (per character), labour_hour with labour_piece and labour_batch (min), setup (per batch), setup_piece, failure and margin (shares). Where the process has a printer, volume and time come from the model''s layers instead. Options: infill, wall_mm, layer_height, finish, plating, engraving.';

CREATE FUNCTION price_casting(measurement measurements, material materials, process processes, quantity integer, options jsonb, rates jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_price_casting';
COMMENT ON FUNCTION price_casting(measurements, materials, processes, integer, jsonb, jsonb) IS
  'Prices a lost-wax casting; returns an array of breakdown lines. Metal charged = V x density x (1 + loss), by the gram (rate material) or by the gram of fine metal (rate fine_METAL, where the material names its metal). Rates: alloying (per g), loss, wax (per cm3), shrinkage, machine_hour with volume_time, area_time or layer_time, flask (per cm3 of its box), sprue, casting (per g cast), casting_piece, refining (per g of sprue), finish_X, plating_X, setting (per stone), stone_X, hallmark, engraving, labour_hour with labour_piece and labour_batch, setup, setup_piece, failure, margin. Options: finish, plating, stones, stone, hallmark, engraving, layer_height.';

CREATE FUNCTION _price(measurement _measurements, material materials, process processes, partner partners, list price_lists, rates jsonb, quantity integer, options jsonb)
RETURNS _price
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'mesflow_price';
COMMENT ON FUNCTION _price(_measurements, materials, processes, partners, price_lists, jsonb, integer, jsonb) IS
  'The price of a measured model by a price list (NULL: there is none) and the rates that hold, or why there is none. The amounts of the breakdown add up to total; the lines before discounts and tax are unit_price x quantity. Writes nothing. The process''s pricing function runs as its owner, in a subtransaction, reading only, for mesflow.pricing_function_timeout at most.';

CREATE FUNCTION _price_by_hand(list price_lists, quantity integer, unit_price numeric, why text) RETURNS _price
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'mesflow_price_by_hand';
COMMENT ON FUNCTION _price_by_hand(price_lists, integer, numeric, text) IS 'A price that a person has set, with its line and its tax.';

CREATE FUNCTION _price_of(measurement _measurements, material materials, process processes, partner partners, quantity integer, options jsonb, price_list text DEFAULT NULL)
RETURNS _price
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list mesflow.price_lists := mesflow._price_list(partner, price_list);
BEGIN
  RETURN mesflow._price(measurement, material, process, partner, list, mesflow._rates(list, process.code, material.code), quantity, options);
END
$$;
COMMENT ON FUNCTION _price_of(_measurements, materials, processes, partners, integer, jsonb, text) IS
  '_price() with the rates of a price list (NULL: the one that prices the partner now). MF404: no such list.';

CREATE FUNCTION _check_quantity(quantity integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF quantity IS NULL OR quantity NOT BETWEEN 1 AND 1000000 THEN
    PERFORM mesflow._raise('MF400', 'quantity not allowed', format('The quantity is %s.', coalesce(quantity::text, 'NULL')),
                           'Ask for 1 to 1000000 pieces.');
  END IF;
END
$$;
COMMENT ON FUNCTION _check_quantity(integer) IS 'MF400 unless the quantity is 1 to 1,000,000.';

CREATE FUNCTION _model(model uuid, partner text) RETURNS _models
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_model mesflow._models;
BEGIN
  SELECT * INTO found_model FROM mesflow._models m WHERE m.id = $1 AND ($2 IS NULL OR m.partner = $2);
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such model', format('Partner "%s" has no model %s.', coalesce($2, '(any)'), coalesce($1::text, 'NULL')),
                           'Upload it first: upload_model returns its id.');
  END IF;
  RETURN found_model;
END
$$;
COMMENT ON FUNCTION _model(uuid, text) IS 'The model of this id, of this partner or, with NULL, of any; MF404 otherwise.';

CREATE TYPE _estimate AS (
  material text,
  process text,
  unit_price numeric,
  net numeric,
  tax numeric,
  total numeric,
  currency text,
  lead_days integer,
  breakdown jsonb,
  error_code text,
  error text
);
COMMENT ON TYPE _estimate IS 'A row of estimate(): a price, or error_code and error.';

CREATE FUNCTION _estimate_of(m _models, result _measurements, a materials, p processes, c partners, list price_lists, quantity integer, options jsonb) RETURNS _estimate
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  price mesflow._price;
BEGIN
  IF result.engine_version IS NULL THEN
    price.error_code := CASE WHEN m.content IS NOT NULL THEN 'not_measured' ELSE 'deleted' END;
    price.error := CASE WHEN m.content IS NOT NULL THEN 'The model has not been measured yet.' ELSE 'The file was deleted before it was measured.' END;
    price.lead_days := p.lead_days;
  ELSE
    price := mesflow._price(result, a, p, c, list, mesflow._rates(list, p.code, a.code), quantity, options);
  END IF;
  RETURN (a.code, p.code, price.unit_price, price.net, price.tax, price.total, price.currency, price.lead_days, price.breakdown, price.error_code, price.error)::mesflow._estimate;
END
$$;
COMMENT ON FUNCTION _estimate_of(_models, _measurements, materials, processes, partners, price_lists, integer, jsonb) IS 'A row of estimate().';

CREATE FUNCTION estimate(model uuid, material text DEFAULT NULL, process text DEFAULT NULL, quantity integer DEFAULT 1, options jsonb DEFAULT '{}',
                         partner text DEFAULT 'shop', price_list text DEFAULT NULL)
RETURNS SETOF _estimate
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  c mesflow.partners := mesflow._partner($6);
  m mesflow._models := mesflow._model($1, $6);
  a mesflow.materials;
  p mesflow.processes;
  result mesflow._measurements;
  list mesflow.price_lists;
  pair record;
BEGIN
  PERFORM mesflow._check_quantity($4);
  IF $2 IS NOT NULL THEN
    a := mesflow._material($2);
  END IF;
  IF $3 IS NOT NULL THEN
    p := mesflow._process($3);
    PERFORM mesflow._full_options(p, $5);
  ELSIF jsonb_typeof($5) IS DISTINCT FROM 'object' THEN
    PERFORM mesflow._full_options(NULL, $5);
  END IF;
  list := mesflow._price_list(c, $7);
  result := mesflow._measurement(m.sha256, m.unit);
  IF $2 IS NOT NULL AND $3 IS NOT NULL THEN
    RETURN NEXT mesflow._estimate_of(m, result, a, p, c, list, $4, mesflow._full_options(p, $5));
    RETURN;
  END IF;
  FOR pair IN
    SELECT a, p FROM mesflow.processes p
      JOIN mesflow.materials a ON a.code = ANY (p.materials) AND a.active AND p.active
     WHERE ($2 IS NULL OR a.code = $2) AND ($3 IS NULL OR p.code = $3)
       AND ($3 IS NOT NULL OR NOT EXISTS (SELECT FROM jsonb_each($5) o
                                           WHERE NOT (p.options ? o.key AND mesflow._option_fits(p.options -> o.key, o.value))))
     ORDER BY p.code, a.code
  LOOP
    RETURN NEXT mesflow._estimate_of(m, result, pair.a, pair.p, c, list, $4, mesflow._full_options(pair.p, $5));
  END LOOP;
END
$$;
COMMENT ON FUNCTION estimate(uuid, text, text, integer, jsonb, text, text) IS
  'Prices a measured model without writing anything, also on a standby; NULL material or process: all that go together and know the options. A pair that cannot be priced has error_code and error instead (not_measured: wait with await_model; deleted: upload it again). price_list: any list, drafts too. Errors: MF400 (quantity, options), MF404 (model, material, process, partner, price list), MF423 (partner).';
