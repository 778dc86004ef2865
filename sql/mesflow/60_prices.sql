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

CREATE FUNCTION _rates(price_list text, process text, material text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_rates jsonb;
  private_rates jsonb;
BEGIN
  -- One index scan, the most general rates first: the last one of a name stays.
  SELECT jsonb_object_agg(r.name, r.value), jsonb_object_agg(r.name, NOT r.public)
    INTO found_rates, private_rates
    FROM (SELECT r.name, r.value, r.public FROM mesflow.rates r
           WHERE r.price_list = $1 AND r.process_key = ANY (ARRAY['', $2]) AND r.material_key = ANY (ARRAY['', $3])
           ORDER BY r.process_key, r.material_key) r;
  RETURN coalesce(found_rates, '{}') || jsonb_build_object('_private', coalesce(private_rates, '{}'));
END
$$;
COMMENT ON FUNCTION _rates(text, text, text) IS
  'The rates that hold for a process and material in a price list, {"name": value}, the most specific of each name; under _private, by name, which of them customers do not see.';

CREATE FUNCTION _breakdown_line(line text, per text, quantity numeric, unit text, rate numeric, amount numeric, public boolean, why text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_breakdown_line';
COMMENT ON FUNCTION _breakdown_line(text, text, numeric, text, numeric, numeric, boolean, text) IS
  'A line of a breakdown: the object of its arguments.';

CREATE FUNCTION _line(line text, per text, quantity numeric, unit text, rates jsonb, rate text, why text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  value constant numeric := (rates -> rate)::numeric;
BEGIN
  IF value IS NULL THEN
    PERFORM mesflow._raise('MF404', format('there is no rate "%s"', rate),
                           format('The rates that hold here are: %s.', mesflow._codes(ARRAY(SELECT k FROM jsonb_object_keys(rates - '_private') k ORDER BY 1))),
                           'Add it to mesflow.rates for this price list.');
  END IF;
  RETURN mesflow._breakdown_line(line, per, quantity, unit, value, round(quantity * value, 2), NOT (rates -> '_private' -> rate)::boolean, why);
END
$$;
COMMENT ON FUNCTION _line(text, text, numeric, text, jsonb, text, text) IS
  'One line of a breakdown: amount = quantity x rate, rounded to cents. MF404 names a rate that is missing.';

-- Sources of the formulas: the split into walls and infill, min(A w, V) + max(V - A w, 0) f, and the weight from it are
-- 3YOURMIND's published FDM material script (pricing scripts wiki, page PD/87884232); machine time as deposited volume over
-- a build rate, finishing by area and set-up once per batch are its process scripts and DigiFabster's start-up fee
-- (help article 8880380).
CREATE FUNCTION price_additive(measurement _measurements, material materials, process processes, quantity integer, options jsonb, rates jsonb)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  volume constant numeric := round((measurement.volume_mm3 / 1000)::numeric, 4);
  area constant numeric := round((measurement.area_mm2 / 100)::numeric, 4);
  infill constant numeric := coalesce((options ->> 'infill')::numeric, 1);
  wall constant numeric := coalesce((options ->> 'wall_mm')::numeric, 1.2) / 10;
  finish constant text := coalesce(options ->> 'finish', 'none');
  build_rate constant numeric := (rates -> 'build_rate')::numeric;
  walls constant numeric := round(least(area * wall, volume), 4);
  solid constant numeric := walls + round((volume - walls) * infill, 4);
  solid_why constant text := CASE WHEN infill = 1 THEN format('%s cm3', volume)
                                  ELSE format('(%s cm3 walls + %s cm3 x %s infill)', walls, volume - walls, infill) END;
  pieces constant text := CASE quantity WHEN 1 THEN '1 piece' ELSE quantity || ' pieces' END;
  lines jsonb;
BEGIN
  lines := jsonb_build_array(
    mesflow._line('material', 'piece', round(solid * material.density_g_cm3, 4) * quantity, 'g', rates, 'material',
                  format('%s x %s g/cm3 x %s', solid_why, trim_scale(material.density_g_cm3), pieces)));
  IF coalesce(build_rate, 0) = 0 THEN
    PERFORM mesflow._raise('MF404', 'there is no rate "build_rate"', 'Machine time is volume over the build rate, cm3/h, which is missing or zero.',
                           'Add it to mesflow.rates for this price list.');
  END IF;
  lines := lines || mesflow._line('machine', 'piece', round(solid / build_rate, 4) * quantity, 'h', rates, 'machine_hour',
                  format('%s / %s cm3/h x %s', solid_why, trim_scale(build_rate), pieces));
  IF finish <> 'none' THEN
    lines := lines || mesflow._line('finishing', 'piece', area * quantity, 'cm2', rates, 'finish_' || finish,
                  format('%s: %s cm2 surface x %s', finish, area, pieces));
  END IF;
  RETURN lines || mesflow._line('setup', 'batch', 1, '', rates, 'setup', 'preparing one batch');
END
$$;
COMMENT ON FUNCTION price_additive(_measurements, materials, processes, integer, jsonb, jsonb) IS
  'Prices an additive process (FDM, SLA, SLS). Rates: material (per g), build_rate (cm3/h), machine_hour, finish_<finish> (per cm2), setup (per batch). Options: infill (0 to 1), wall_mm, finish. Deposited volume = min(area x wall, V) + max(V - area x wall, 0) x infill. Returns an array of breakdown lines.';

CREATE FUNCTION _call_pricing(name text, measurement _measurements, material materials, process processes, quantity integer, options jsonb, rates jsonb)
RETURNS jsonb
LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'mesflow_call_pricing';
COMMENT ON FUNCTION _call_pricing(text, _measurements, materials, processes, integer, jsonb, jsonb) IS
  'Calls a pricing function by its qualified name, with the rights of its owner; MF400 where there is none with these arguments.';

CREATE FUNCTION _price_list(wanted text) RETURNS price_lists
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list mesflow.price_lists;
BEGIN
  IF wanted IS NULL THEN
    SELECT * INTO list FROM mesflow.price_lists l
     WHERE l.state = 'active' AND l.valid_from <= clock_timestamp()
     ORDER BY l.valid_from DESC, l.code LIMIT 1;
  ELSE
    SELECT * INTO list FROM mesflow.price_lists l WHERE l.code = wanted;
    IF NOT FOUND THEN
      PERFORM mesflow._raise('MF404', 'no such price list', format('There is no price list "%s".', wanted),
        'Known price lists: ' || mesflow._codes(ARRAY(SELECT l.code FROM mesflow.price_lists l ORDER BY 1 LIMIT 21)) || '.');
    END IF;
  END IF;
  RETURN list;
END
$$;
COMMENT ON FUNCTION _price_list(text) IS 'The price list of this code (MF404), or with NULL the newest active one; all NULL where none is active.';

-- Do three edges fit into a build volume, turned by right angles?
CREATE FUNCTION _fits(bbox_min float8[], bbox_max float8[], max_size float8[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  x constant float8 := bbox_max[1] - bbox_min[1];
  y constant float8 := bbox_max[2] - bbox_min[2];
  z constant float8 := bbox_max[3] - bbox_min[3];
  u constant float8 := max_size[1];
  v constant float8 := max_size[2];
  w constant float8 := max_size[3];
BEGIN
  -- Shortest edge against shortest, middle against middle, longest against longest.
  RETURN least(x, y, z) <= least(u, v, w)
     AND greatest(x, y, z) <= greatest(u, v, w)
     AND greatest(least(x, y), least(greatest(x, y), z)) <= greatest(least(u, v), least(greatest(u, v), w));
END
$$;
COMMENT ON FUNCTION _fits(float8[], float8[], float8[]) IS 'Does a box fit into a build volume, turned by right angles where needed?';

CREATE FUNCTION _obstacle(measurement _measurements, material materials, process processes) RETURNS _price
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  price mesflow._price;
BEGIN
  price.state := 'failed';
  price.lead_days := process.lead_days;
  IF measurement.error_code IS NOT NULL THEN
    price.state := CASE measurement.error_code WHEN 'unsupported' THEN 'review' ELSE 'failed' END;
    price.error_code := measurement.error_code;
    price.error := measurement.error;
  ELSIF NOT material.active OR NOT process.active THEN
    price.error_code := 'inactive';
    price.error := format('%s is not offered at present.', CASE WHEN material.active THEN process.name ELSE material.name END);
  ELSIF NOT material.code = ANY (process.materials) THEN
    price.error_code := 'material_not_for_process';
    price.error := format('%s cannot be made in %s.', process.name, material.name);
  ELSIF measurement.volume_mm3 IS NULL THEN
    price.error_code := 'not_watertight';
    price.error := 'The surface of the model has holes, so it has no volume that could be priced.';
  ELSIF process.max_size_mm IS NOT NULL AND NOT mesflow._fits(measurement.bbox_min, measurement.bbox_max, process.max_size_mm) THEN
    price.error_code := 'does_not_fit';
    price.error := format('The model measures %s mm; %s takes up to %s mm.',
      array_to_string(ARRAY(SELECT round((measurement.bbox_max[i] - measurement.bbox_min[i])::numeric, 2) FROM generate_series(1, 3) i), ' x '),
      process.name, array_to_string(process.max_size_mm, ' x '));
  ELSIF measurement.min_wall_mm < process.min_wall_mm THEN
    price.error_code := 'wall_too_thin';
    price.error := format('The thinnest wall is %s mm; %s needs %s mm.', round(measurement.min_wall_mm::numeric, 2), process.name, process.min_wall_mm);
  ELSE
    price.state := NULL;
  END IF;
  RETURN price;
END
$$;
COMMENT ON FUNCTION _obstacle(_measurements, materials, processes) IS
  'A price without numbers: state and error_code say why this model cannot be made so; they are NULL where it can.';

CREATE FUNCTION _price_of(measurement _measurements, material materials, process processes, quantity integer, options jsonb, price_list text)
RETURNS _price
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  price mesflow._price := mesflow._obstacle(measurement, material, process);
  list mesflow.price_lists;
  lines jsonb;
  sum_of_lines numeric := 0;
BEGIN
  IF price.state IS NOT NULL THEN
    RETURN price;
  END IF;
  price.state := 'failed';
  list := mesflow._price_list(price_list);
  price.price_list := list.code;
  price.currency := list.currency;
  IF list.code IS NULL THEN
    price.error_code := 'no_rate';
    price.error := 'There is no active price list.';
    RETURN price;
  END IF;

  -- The lines of the process, in a subtransaction: one that fails costs one price.
  BEGIN
    lines := mesflow._call_pricing(process.pricing_function, measurement, material, process, quantity, options,
                                   mesflow._rates(list.code, process.code, material.code));
    FOR i IN 0 .. jsonb_array_length(lines) - 1 LOOP
      sum_of_lines := sum_of_lines + (lines -> i -> 'amount')::numeric;
    END LOOP;
    IF lines = '[]' OR sum_of_lines IS NULL OR sum_of_lines NOT BETWEEN 0 AND 1e15 THEN
      PERFORM mesflow._raise('MF400', 'the lines have no sum', format('They add up to %s.', coalesce(sum_of_lines::text, 'NULL')),
                             'A pricing function returns an array of lines whose amounts add up to 0 or more.');
    END IF;
  EXCEPTION WHEN OTHERS OR assert_failure THEN       -- OTHERS leaves out ASSERT
    price.error_code := CASE SQLSTATE WHEN 'MF404' THEN 'no_rate' ELSE 'pricing_failed' END;
    price.error := format('Price list "%s", process "%s", material "%s": %s', list.code, process.code, material.code, SQLERRM);
    RETURN price;
  END;

  -- Nothing that costs something becomes free by rounding.
  price.unit_price := greatest(round(sum_of_lines / quantity / list.rounding), sign(sum_of_lines)) * list.rounding;
  price.net := price.unit_price * quantity;
  IF price.net <> sum_of_lines THEN
    lines := lines || mesflow._breakdown_line('rounding', 'batch', 1, '', price.net - sum_of_lines, price.net - sum_of_lines, true,
                                              format('unit price to %s, x %s', list.rounding, quantity));
  END IF;
  IF list.tax_included THEN
    price.total := price.net;
    price.tax := round(price.total * list.tax_rate / (1 + list.tax_rate), 2);
    price.net := price.total - price.tax;
    lines := lines || mesflow._breakdown_line('tax', 'batch', price.tax, '', 0, 0, true,
                                              format('%s of the lines above are %s %% tax', price.tax, trim_scale(list.tax_rate * 100)));
  ELSE
    price.tax := round(price.net * list.tax_rate, 2);
    price.total := price.net + price.tax;
    lines := lines || mesflow._breakdown_line('tax', 'batch', price.net, '', list.tax_rate, price.tax, true,
                                              format('%s %% on top', trim_scale(list.tax_rate * 100)));
  END IF;
  price.breakdown := lines;
  price.expires_at := clock_timestamp() + list.quote_validity;
  IF price.total > process.review_above THEN
    price.state := 'review';
    price.error_code := 'over_review_limit';
    price.error := format('Totals above %s %s are looked at by a person.', process.review_above, list.currency);
  ELSIF measurement.defects @> '[{"severity": "error"}]' THEN
    price.state := 'review';
    SELECT d ->> 'code', d ->> 'message' INTO price.error_code, price.error
      FROM jsonb_array_elements(measurement.defects) d WHERE d ->> 'severity' = 'error' LIMIT 1;
  ELSE
    price.state := 'priced';
  END IF;
  RETURN price;
END
$$;
COMMENT ON FUNCTION _price_of(_measurements, materials, processes, integer, jsonb, text) IS
  'The price of a measured model by a price list (NULL: the newest active one), or why there is none. The amounts of the breakdown add up to total; the lines before tax are unit_price x quantity. Writes nothing.';

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

CREATE FUNCTION estimate(model uuid, material text DEFAULT NULL, process text DEFAULT NULL, quantity integer DEFAULT 1, options jsonb DEFAULT '{}',
                         partner text DEFAULT 'shop', price_list text DEFAULT NULL)
RETURNS SETOF _estimate
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  m mesflow._models;
  result mesflow._measurements;
  pair record;
  price mesflow._price;
  answer mesflow._estimate;
  list text;
BEGIN
  PERFORM mesflow._check_quantity($4);
  list := coalesce($7, (mesflow._partner($6)).price_list);
  m := mesflow._model($1, $6);
  IF $2 IS NOT NULL THEN
    PERFORM mesflow._material($2);
  END IF;
  IF $3 IS NOT NULL THEN
    PERFORM mesflow._full_options(mesflow._process($3), $5);
  ELSIF jsonb_typeof($5) IS DISTINCT FROM 'object' THEN
    PERFORM mesflow._full_options(NULL, $5);
  END IF;
  result := mesflow._measurement(m.sha256, m.unit);
  FOR pair IN
    SELECT a, p FROM mesflow.processes p
      JOIN mesflow.materials a ON ($2 IS NOT NULL AND $3 IS NOT NULL) OR (a.code = ANY (p.materials) AND a.active AND p.active)
     WHERE ($2 IS NULL OR a.code = $2) AND ($3 IS NULL OR p.code = $3)
       AND ($3 IS NOT NULL OR NOT EXISTS (SELECT FROM jsonb_each($5) o
                                           WHERE NOT (p.options ? o.key AND mesflow._option_fits(p.options -> o.key, o.value))))
     ORDER BY p.code, a.code
  LOOP
    price := NULL;
    IF result.engine_version IS NULL THEN
      price.error_code := CASE WHEN m.content IS NOT NULL THEN 'not_measured' ELSE 'deleted' END;
      price.error := CASE WHEN m.content IS NOT NULL THEN 'The model has not been measured yet.' ELSE 'The file was deleted before it was measured.' END;
    ELSE
      price := mesflow._price_of(result, pair.a, pair.p, $4, mesflow._full_options(pair.p, $5), list);
    END IF;
    answer := ((pair.a).code, (pair.p).code, price.unit_price, price.net, price.tax, price.total, price.currency, (pair.p).lead_days,
               price.breakdown, price.error_code, price.error);
    RETURN NEXT answer;
  END LOOP;
END
$$;
COMMENT ON FUNCTION estimate(uuid, text, text, integer, jsonb, text, text) IS
  'Prices a measured model without writing anything, also on a standby; NULL material or process: all that go together and know the options. A pair that cannot be priced has error_code and error instead (not_measured: wait with await_model; deleted: upload it again). Errors: MF400 (quantity, options), MF404 (model, material, process, partner, price list).';
