-- Pre-flight quotes: made before anybody asks, so that whoever asks has the answer at once.

-- Where a pre-flight quote is found. Plans are made once, perhaps while the table is empty and all indexes look alike: so
-- the lookups, here and in src/price/ahead.c, compare the parts by IS NOT DISTINCT FROM and IS TRUE, which no other index
-- can serve.
CREATE FUNCTION _quote_key(model uuid, material text, process text, quantity integer, options jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_hash_extended($5, hashtextextended($3, hashtextextended($2, uuid_hash_extended($1, $4))));
COMMENT ON FUNCTION _quote_key(uuid, text, text, integer, jsonb) IS 'A digest of what a quote is for.';

-- Which function this is, and in which version: a price that is kept ends with it.
CREATE FUNCTION _pricing_mark(name text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN coalesce((SELECT p.oid::bigint << 32 | p.xmin::text::bigint FROM pg_proc p
                    WHERE p.oid = to_regprocedure($1 || '(mesflow.measurements,mesflow.materials,mesflow.processes,integer,jsonb,jsonb)')), 0);
END
$$;
COMMENT ON FUNCTION _pricing_mark(text) IS 'A number that changes when a pricing function is replaced; 0 where there is none of this name.';

CREATE INDEX _quotes_preflight ON _quotes (_quote_key(model, material, process, quantity, options)) WHERE preflight;
CREATE INDEX _quotes_preflight_expires ON _quotes (expires_at) WHERE preflight AND expires_at IS NOT NULL;

CREATE FUNCTION _scale_fits(process processes, scale float8) RETURNS boolean
LANGUAGE sql STABLE
RETURN CASE WHEN ($1).options ? 'scale' AND ($2 <> 1 OR ($1).defaults ? 'scale') THEN mesflow._option_fits(($1).options -> 'scale', to_jsonb($2))
            ELSE $2 = 1 END;
COMMENT ON FUNCTION _scale_fits(processes, float8) IS 'Does a process take this scale? 1 is the size of the file, which needs no option.';

CREATE FUNCTION _scaled_options(process processes, scale float8) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN $2 = 1 AND NOT ($1).defaults ? 'scale' THEN ($1).defaults ELSE jsonb_set(($1).defaults, '{scale}', to_jsonb($2)) END;
COMMENT ON FUNCTION _scaled_options(processes, float8) IS 'The options of a pre-flight quote: the defaults, and the scale where it is not 1 or has a default.';

CREATE FUNCTION _wants_measurement(model uuid) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  IF EXISTS (SELECT FROM mesflow._models m JOIN mesflow._measurements r ON r.sha256 = m.sha256 AND r.unit = m.unit WHERE m.id = $1) THEN
    RETURN false;
  END IF;
  PERFORM mesflow._measure_again($1);
  RETURN true;
END
$$;
COMMENT ON FUNCTION _wants_measurement(uuid) IS 'Is there no outcome for this model yet? A measurement that somebody cancelled is queued again.';

CREATE FUNCTION preflight_quotes(model uuid, materials text[], processes text[], quantities integer[] DEFAULT '{1}', scales float8[] DEFAULT '{1}',
                                 partner text DEFAULT 'shop') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  most constant bigint := 100000;
  smallest constant float8 := 0.001;
  largest constant float8 := 1000;
  all_quantities integer[];
  all_scales float8[];
  fitting mesflow._batch_pair[];
  total bigint;
  job bigint;
  item text;
  number integer;
  scale float8;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  PERFORM mesflow._partner($6), mesflow._model($1, $6);
  FOR item, number IN
    SELECT v.name, v.number FROM (VALUES ('materials', cardinality($2)), ('processes', cardinality($3)), ('quantities', cardinality($4)),
                                         ('scales', cardinality($5))) AS v (name, number)
  LOOP
    IF coalesce(number, 0) NOT BETWEEN 1 AND most THEN
      PERFORM mesflow._raise('MF400', 'nothing to combine, or too much', format('%s has %s elements.', item, coalesce(number, 0)),
                             format('Pass 1 to %s %s.', most, item));
    END IF;
  END LOOP;
  -- The first of each that cannot be raises the error.
  FOR item IN SELECT n FROM unnest($2) n WHERE NOT EXISTS (SELECT FROM mesflow.materials a WHERE a.code = n) LIMIT 1 LOOP
    PERFORM mesflow._material(item);
  END LOOP;
  FOR item IN SELECT n FROM unnest($3) n WHERE NOT EXISTS (SELECT FROM mesflow.processes p WHERE p.code = n) LIMIT 1 LOOP
    PERFORM mesflow._process(item);
  END LOOP;
  FOR number IN SELECT n FROM unnest($4) n WHERE (n BETWEEN 1 AND 1000000) IS NOT TRUE LIMIT 1 LOOP
    PERFORM mesflow._check_quantity(number);
  END LOOP;
  FOR scale IN SELECT n FROM unnest($5) n WHERE (n BETWEEN smallest AND largest) IS NOT TRUE LIMIT 1 LOOP      -- NaN is above all numbers
    PERFORM mesflow._raise('MF400', 'scale not allowed', format('The scale is %s.', coalesce(scale::text, 'NULL')),
                           format('Scales are %s to %s; 1 is the size of the file.', smallest, largest));
  END LOOP;

  all_quantities := ARRAY(SELECT DISTINCT q FROM unnest($4) q ORDER BY 1);
  all_scales := ARRAY(SELECT DISTINCT s FROM unnest($5) s ORDER BY 1);
  WITH offered AS MATERIALIZED (
    SELECT p.code, p.version, p.materials, ARRAY(SELECT s FROM unnest(all_scales) s WHERE mesflow._scale_fits(p, s)) AS scales
      FROM mesflow.processes p WHERE p.code = ANY ($3) AND p.active
  )
  SELECT array_agg(ROW(a.code, o.code, o.version, o.scales)::mesflow._batch_pair ORDER BY o.code, a.code),
         sum(cardinality(o.scales)) * cardinality(all_quantities)
    INTO fitting, total
    FROM offered o JOIN mesflow.materials a ON a.code = ANY (o.materials)
   WHERE a.code = ANY ($2) AND a.active AND cardinality(o.scales) > 0;
  IF fitting IS NULL THEN
    PERFORM mesflow._raise('MF400', 'nothing goes together',
      format('None of the materials %s can be had from the processes %s in these scales.', mesflow._codes($2), mesflow._codes($3)),
      coalesce('These go together: ' || (
        SELECT string_agg(format('%s with %s (scale: %s)', p.code,
                 mesflow._codes(ARRAY(SELECT a.code FROM mesflow.materials a WHERE a.active AND a.code = ANY (p.materials) ORDER BY 1)),
                 coalesce((p.options -> 'scale')::text, '1')), '; ' ORDER BY p.code)
          FROM (SELECT * FROM mesflow.processes p WHERE p.code = ANY ($3) AND p.active ORDER BY p.code LIMIT 20) p) || '.',
        'None of these processes is active.'));
  ELSIF total > most THEN
    PERFORM mesflow._raise('MF400', 'too many combinations', format('The pairs that go together, quantities and scales make %s combinations.', total),
                           format('Ask for at most %s at a time.', most));
  END IF;

  job := nextval('mesflow._job_ids');
  INSERT INTO mesflow._batches (id, kind, partner, model, pairs, quantities, total, waits)
    VALUES (job, 'preflight', $6, $1, fitting, all_quantities, total, mesflow._wants_measurement($1));
  RETURN job;
END
$$;
COMMENT ON FUNCTION preflight_quotes(uuid, text[], text[], integer[], float8[], text) IS
  'Makes quotes in the background, with default options, for every material and process that go together, quantity and scale (0.001 to 1000, where the process has an option scale): up to 100,000. request_quote then hands them out, each once, while nothing has changed that they depend on. Returns the job, see price_jobs. A model that is not measured yet is waited for. Those never asked for go when they expire. Errors: MF400 (arguments; nothing goes together), MF404 (model, material, process, partner), MF423 (partner).';

-- What is missing of a slice of a pair's combinations: quantities, each in all scales, counted from 0.
CREATE FUNCTION _missing_preflights(model uuid, material materials, process processes, partner partners, price_list text, engine_version integer,
                                    quantities integer[], pair _batch_pair, first bigint, number bigint)
RETURNS TABLE (quantity integer, options jsonb)
LANGUAGE plpgsql
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
  per_quantity constant integer := cardinality(($8).scales);
  changed constant boolean := ($3).version <> ($8).process_version;
  mark constant bigint := mesflow._pricing_mark(($3).pricing_function);
  now constant timestamptz := clock_timestamp();
BEGIN
  RETURN QUERY
    SELECT c.quantity, c.options
      FROM (SELECT ($7)[n / per_quantity + 1] AS quantity, mesflow._scaled_options($3, s.scale) AS options
              FROM generate_series($9, $9 + $10 - 1) n
             CROSS JOIN LATERAL (SELECT (($8).scales)[n % per_quantity + 1] AS scale) s
             WHERE NOT changed OR mesflow._scale_fits($3, s.scale)
            OFFSET 0) c
      LEFT JOIN LATERAL (
        SELECT q.id FROM mesflow._quotes q
         WHERE q.preflight
           AND mesflow._quote_key(q.model, q.material, q.process, q.quantity, q.options) = mesflow._quote_key($1, ($2).code, ($3).code, c.quantity, c.options)
           AND q.model IS NOT DISTINCT FROM $1 AND q.material IS NOT DISTINCT FROM ($2).code AND q.process IS NOT DISTINCT FROM ($3).code
           AND q.quantity IS NOT DISTINCT FROM c.quantity AND q.options IS NOT DISTINCT FROM c.options
           AND (q.expires_at > now) IS TRUE AND q.error_code IS DISTINCT FROM 'pricing_failed'
           AND q.price_list IS NOT DISTINCT FROM $5 AND q.engine_version = $6
           AND q.material_version = ($2).version AND q.process_version = ($3).version AND q.partner_version = ($4).version
           AND q.pricing_mark = mark
         LIMIT 1) there ON true
     WHERE there.id IS NULL;
END
$$;
COMMENT ON FUNCTION _missing_preflights(uuid, materials, processes, partners, text, integer, integer[], _batch_pair, bigint, bigint) IS
  'The combinations of a slice for which there is no pre-flight quote that still holds.';

CREATE FUNCTION _run_preflight(b _batches, until timestamptz) RETURNS _batches
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  portion constant integer := 500;
  slice_max constant integer := 25;        -- pricing functions may become slow, and the clock is looked at between slices
  failed_kept constant interval := '1 day';
  m mesflow._models;
  result mesflow._measurements;
  c mesflow.partners;
  a mesflow.materials;
  p mesflow.processes;
  list mesflow.price_lists;
  rates jsonb;
  mark bigint;
  pair mesflow._batch_pair;
  starts bigint := 0;                   -- the pair's first combination among all
  ends bigint;
  step integer := 1;                    -- one that is slow from the beginning meets the clock at once
  slice integer;
  looked_at integer := 0;
  now timestamptz;
BEGIN
  SELECT * INTO m FROM mesflow._models WHERE id = b.model;
  SELECT * INTO c FROM mesflow.partners WHERE code = b.partner;
  result := mesflow._measurement(m.sha256, m.unit);
  IF result.engine_version IS NULL THEN
    IF m.id IS NULL OR c.code IS NULL OR m.measure_cancelled THEN
      b.error_code := 'not_measured';
      b.error := 'The model was not measured: the measurement was cancelled, or the model is gone.';
    ELSIF m.content IS NULL THEN
      b.error_code := 'deleted';
      b.error := 'The file was deleted before it was measured.';
    ELSE
      b.waits := true;                  -- forgotten by retry_job, and made again
    END IF;
    RETURN b;
  ELSIF result.error_code IS NOT NULL THEN
    b.error_code := result.error_code;
    b.error := result.error;
    RETURN b;
  END IF;
  list := mesflow._price_list(c, NULL);

  FOREACH pair IN ARRAY b.pairs LOOP
    ends := starts + cardinality(b.quantities)::bigint * cardinality(pair.scales);
    IF b.done < ends THEN
      SELECT * INTO a FROM mesflow.materials WHERE code = pair.material;
      SELECT * INTO p FROM mesflow.processes WHERE code = pair.process;
      rates := mesflow._rates(list, p.code, a.code);
      mark := mesflow._pricing_mark(p.pricing_function);
      WHILE b.done < ends LOOP
        IF looked_at >= portion OR clock_timestamp() >= until THEN
          RETURN b;
        END IF;
        now := clock_timestamp();
        slice := least(step, portion - looked_at, ends - b.done);
        IF a.code IS NOT NULL AND p.code IS NOT NULL THEN
          INSERT INTO mesflow._quotes (partner, model, material, process, quantity, options, state, unit_price, net, tax, total, currency, breakdown,
                                       price_list, lead_days, created_at, priced_at, expires_at, error_code, error, correlation_id, preflight,
                                       engine_version, material_version, process_version, partner_version, pricing_mark)
          SELECT b.partner, b.model, a.code, p.code, n.quantity, n.options, r.state, r.unit_price, r.net, r.tax, r.total, r.currency, r.breakdown,
                 list.code, coalesce(r.lead_days, p.lead_days), now, now, coalesce(r.expires_at, now + failed_kept), r.error_code, r.error, m.correlation_id, true,
                 result.engine_version, a.version, p.version, c.version, mark
            FROM mesflow._missing_preflights(b.model, a, p, c, list.code, result.engine_version, b.quantities, pair, b.done - starts, slice) n
           CROSS JOIN LATERAL mesflow._price(result, a, p, c, list, rates, n.quantity, n.options) r;
        END IF;
        b.done := b.done + slice;
        looked_at := looked_at + slice;
        step := least(2 * step, slice_max);
      END LOOP;
    END IF;
    starts := ends;
  END LOOP;
  RETURN b;
END
$$;
COMMENT ON FUNCTION _run_preflight(_batches, timestamptz) IS
  'Makes the quotes of up to 500 combinations, and none after that moment; returns the batch as it is then, with an error_code where it has failed.';

CREATE FUNCTION _drop_preflights(portion integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  now constant timestamptz := clock_timestamp();
  dropped integer;
BEGIN
  DELETE FROM mesflow._quotes d
   WHERE d.id IN (SELECT q.id FROM mesflow._quotes q WHERE q.preflight AND q.expires_at < now
                     AND NOT EXISTS (SELECT FROM mesflow._order_items i WHERE i.quote = q.id)
                   ORDER BY q.expires_at LIMIT $1 FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS dropped = ROW_COUNT;
  RETURN dropped;
END
$$;
COMMENT ON FUNCTION _drop_preflights(integer) IS 'Forgets pre-flight quotes that expired before anybody asked for them.';
