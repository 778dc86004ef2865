-- Who orders, what things are made of, how, and for how much.

CREATE TABLE partners (
  code text PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 100),
  name text NOT NULL,
  kind text NOT NULL DEFAULT 'b2b' CHECK (kind IN ('shop', 'b2b')),
  price_list text,
  active boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE partners IS 'Whoever orders come from: the shop itself, or a B2B seller.';
COMMENT ON COLUMN partners.code IS 'its name in every function';
COMMENT ON COLUMN partners.name IS 'for people';
COMMENT ON COLUMN partners.kind IS 'shop or b2b';
COMMENT ON COLUMN partners.price_list IS 'the price list its quotes are priced by; NULL: the newest active one';
COMMENT ON COLUMN partners.active IS 'an inactive partner can neither upload nor ask for quotes';
INSERT INTO partners (code, name, kind) VALUES ('shop', 'Web shop', 'shop');

CREATE TABLE materials (
  code text PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 100),
  name text NOT NULL,
  density_g_cm3 numeric NOT NULL CHECK (density_g_cm3 > 0 AND density_g_cm3 < 100),
  fineness numeric CHECK (fineness > 0 AND fineness <= 1),
  active boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE materials IS 'What things are made of.';
COMMENT ON COLUMN materials.code IS 'its name in every function';
COMMENT ON COLUMN materials.name IS 'for people';
COMMENT ON COLUMN materials.density_g_cm3 IS 'density of the workshop''s own material or alloy, g/cm3';
COMMENT ON COLUMN materials.fineness IS 'share of precious metal, for example 0.585; NULL for other materials';
COMMENT ON COLUMN materials.active IS 'quotes in an inactive material fail with code inactive';

CREATE TABLE price_lists (
  code text PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 100),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  tax_rate numeric NOT NULL DEFAULT 0 CHECK (tax_rate >= 0 AND tax_rate < 1),
  tax_included boolean NOT NULL DEFAULT false,
  rounding numeric NOT NULL DEFAULT 0.01 CHECK (rounding >= 0.01 AND rounding % 0.01 = 0),
  quote_validity interval NOT NULL DEFAULT '30 days' CHECK (quote_validity > '0'),
  state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'active', 'retired')),
  valid_from timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON price_lists (valid_from DESC, code) WHERE state = 'active';
COMMENT ON TABLE price_lists IS 'One version of all rates; a quote names the version that priced it.';
COMMENT ON COLUMN price_lists.code IS 'its name';
COMMENT ON COLUMN price_lists.currency IS 'ISO 4217 code; all rates of the list are in this currency';
COMMENT ON COLUMN price_lists.tax_rate IS 'share, for example 0.20';
COMMENT ON COLUMN price_lists.tax_included IS 'true: rates contain the tax; false: tax is added on top';
COMMENT ON COLUMN price_lists.rounding IS 'unit prices are multiples of this, for example 0.01 or 0.05';
COMMENT ON COLUMN price_lists.quote_validity IS 'how long a quote can be ordered';
COMMENT ON COLUMN price_lists.state IS 'draft, active or retired';
COMMENT ON COLUMN price_lists.valid_from IS 'of the active lists the one with the latest valid_from that has come prices what names no list';
ALTER TABLE partners ADD FOREIGN KEY (price_list) REFERENCES price_lists (code);

CREATE FUNCTION _default_options(declared jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN (SELECT coalesce(jsonb_object_agg(o.key, o.value -> 'default') FILTER (WHERE o.value ? 'default'), '{}')
            FROM jsonb_each(CASE jsonb_typeof(declared) WHEN 'object' THEN declared ELSE '{}' END) o);
END
$$;
COMMENT ON FUNCTION _default_options(jsonb) IS 'The default values of a process''s options.';

CREATE TABLE processes (
  code text PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 100),
  name text NOT NULL,
  pricing_function text NOT NULL DEFAULT 'mesflow.price_additive',
  materials text[] NOT NULL DEFAULT '{}',
  options jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
  defaults jsonb GENERATED ALWAYS AS (mesflow._default_options(options)) STORED,
  max_size_mm float8[] CHECK (cardinality(max_size_mm) = 3 AND array_position(max_size_mm, NULL) IS NULL AND 0 < ALL (max_size_mm)),
  min_wall_mm float8 CHECK (min_wall_mm > 0),
  lead_days integer NOT NULL DEFAULT 5 CHECK (lead_days BETWEEN 0 AND 3650),
  review_above numeric CHECK (review_above > 0),
  active boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE processes IS 'How things are made, and the function that prices it.';
COMMENT ON COLUMN processes.code IS 'its name in every function';
COMMENT ON COLUMN processes.name IS 'for people';
COMMENT ON COLUMN processes.pricing_function IS 'qualified name of a function with the arguments of mesflow.price_additive';
COMMENT ON COLUMN processes.materials IS 'codes of the materials it can work in';
COMMENT ON COLUMN processes.options IS
  'what a quote may ask for: {"key": {"type": "number|integer|boolean|text", "default": value, "allowed": [values], "min": number, "max": number}}';
COMMENT ON COLUMN processes.defaults IS 'the defaults of options, made from it';
COMMENT ON COLUMN processes.max_size_mm IS 'build volume in mm, three edges; a part may be turned by right angles to fit; NULL: no limit';
COMMENT ON COLUMN processes.min_wall_mm IS 'thinner walls than this, where measured, make a quote fail with wall_too_thin';
COMMENT ON COLUMN processes.lead_days IS 'days from order to dispatch';
COMMENT ON COLUMN processes.review_above IS 'totals above this are looked at by a person: state review, code over_review_limit';
COMMENT ON COLUMN processes.active IS 'quotes in an inactive process fail with code inactive';

CREATE TABLE rates (
  price_list text NOT NULL REFERENCES price_lists (code) ON UPDATE CASCADE ON DELETE CASCADE,
  process text REFERENCES processes (code) ON UPDATE CASCADE,
  material text REFERENCES materials (code) ON UPDATE CASCADE,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  value numeric NOT NULL CHECK (value >= 0 AND value < 1e12),
  unit text NOT NULL DEFAULT '',
  public boolean NOT NULL DEFAULT true,
  process_key text GENERATED ALWAYS AS (coalesce(process, '')) STORED,
  material_key text GENERATED ALWAYS AS (coalesce(material, '')) STORED,
  CONSTRAINT rates_key UNIQUE (price_list, process_key, material_key, name)
);
COMMENT ON TABLE rates IS
  'The numbers of a price list. A rate of a process and material beats one of the process, which beats one of the material, which beats a general one.';
COMMENT ON COLUMN rates.price_list IS 'the list it belongs to';
COMMENT ON COLUMN rates.process IS 'NULL: for all processes';
COMMENT ON COLUMN rates.material IS 'NULL: for all materials';
COMMENT ON COLUMN rates.name IS 'what the pricing function calls it';
COMMENT ON COLUMN rates.value IS 'in the list''s currency, or a quantity as the unit says';
COMMENT ON COLUMN rates.unit IS 'for people, for example EUR/g';
COMMENT ON COLUMN rates.public IS 'may customers see breakdown lines made from it?';
COMMENT ON COLUMN rates.process_key IS 'process, or empty: made from it, for the index';
COMMENT ON COLUMN rates.material_key IS 'material, or empty: made from it, for the index';

-- A list of codes, for hints.
CREATE FUNCTION _codes(codes text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN cardinality($1) > 0
              THEN array_to_string($1[1:20], ', ') || CASE WHEN cardinality($1) > 20 THEN ', ...' ELSE '' END
              ELSE 'none' END
$$;
COMMENT ON FUNCTION _codes(text[]) IS 'Names for a message, comma-separated, at most twenty.';

CREATE FUNCTION _partner(code text) RETURNS partners
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_partner mesflow.partners;
BEGIN
  SELECT * INTO found_partner FROM mesflow.partners p WHERE p.code = _partner.code;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such partner', format('There is no partner "%s".', _partner.code),
      'Known partners: ' || mesflow._codes(ARRAY(SELECT p.code FROM mesflow.partners p ORDER BY 1 LIMIT 21)) || '.');
  ELSIF NOT found_partner.active THEN
    PERFORM mesflow._raise('MF423', 'this partner is not active', format('Partner "%s" is inactive.', _partner.code),
      'Set partners.active to true to let it work again.');
  END IF;
  RETURN found_partner;
END
$$;
COMMENT ON FUNCTION _partner(text) IS 'The active partner of this code; MF404 and MF423 otherwise.';

CREATE FUNCTION _material(code text) RETURNS materials
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_material mesflow.materials;
BEGIN
  SELECT * INTO found_material FROM mesflow.materials m WHERE m.code = _material.code;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such material', format('There is no material "%s".', _material.code),
      'Known materials: ' || mesflow._codes(ARRAY(SELECT m.code FROM mesflow.materials m ORDER BY 1 LIMIT 21)) || '.');
  END IF;
  RETURN found_material;
END
$$;
COMMENT ON FUNCTION _material(text) IS 'The material of this code; MF404 otherwise.';

CREATE FUNCTION _process(code text) RETURNS processes
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_process mesflow.processes;
BEGIN
  SELECT * INTO found_process FROM mesflow.processes p WHERE p.code = _process.code;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such process', format('There is no process "%s".', _process.code),
      'Known processes: ' || mesflow._codes(ARRAY(SELECT p.code FROM mesflow.processes p ORDER BY 1 LIMIT 21)) || '.');
  END IF;
  RETURN found_process;
END
$$;
COMMENT ON FUNCTION _process(text) IS 'The process of this code; MF404 otherwise.';

-- Does one option's value suit its declaration?
CREATE FUNCTION _option_fits(declared jsonb, value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE coalesce($1 ->> 'type', 'text')
           WHEN 'number' THEN jsonb_typeof($2) = 'number'
           WHEN 'integer' THEN jsonb_typeof($2) = 'number' AND ($2 #>> '{}')::numeric % 1 = 0
           WHEN 'boolean' THEN jsonb_typeof($2) = 'boolean'
           ELSE jsonb_typeof($2) = 'string' AND length($2 #>> '{}') <= 1000
         END
     AND (NOT $1 ? 'allowed' OR $1 -> 'allowed' @> $2)
     AND (NOT $1 ? 'min' OR jsonb_typeof($2) <> 'number' OR ($2 #>> '{}')::numeric >= ($1 ->> 'min')::numeric)
     AND (NOT $1 ? 'max' OR jsonb_typeof($2) <> 'number' OR ($2 #>> '{}')::numeric <= ($1 ->> 'max')::numeric)
$$;
COMMENT ON FUNCTION _option_fits(jsonb, jsonb) IS 'Does a value suit its declaration in processes.options: type, allowed, min, max?';

-- The options a quote is priced with: those given, checked, and the defaults of the others.
CREATE FUNCTION _full_options(process processes, options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  key text;
  value jsonb;
  declared jsonb;
BEGIN
  IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
    PERFORM mesflow._raise('MF400', 'options must be a JSON object', format('The options are %s.', coalesce(options::text, 'NULL')),
                           'Pass for example {"infill": 0.3}, or {} for the defaults.');
  END IF;
  IF options = '{}' THEN
    RETURN process.defaults;
  END IF;
  FOR key, value IN SELECT o.key, o.value FROM jsonb_each(options) o LOOP
    declared := process.options -> key;
    IF declared IS NULL THEN
      PERFORM mesflow._raise('MF400', 'unknown option', format('options.%s is not known to process "%s".', key, process.code),
        'Allowed options: ' || mesflow._codes(ARRAY(SELECT k FROM jsonb_object_keys(process.options) k ORDER BY 1)) || '.');
    ELSIF NOT mesflow._option_fits(declared, value) THEN
      PERFORM mesflow._raise('MF400', 'option not allowed', format('options.%s is %s.', key, left(value::text, 200)),
        format('Allowed for "%s" in process "%s": %s.', key, process.code, declared));
    END IF;
  END LOOP;
  RETURN process.defaults || options;
END
$$;
COMMENT ON FUNCTION _full_options(processes, jsonb) IS
  'The options given, checked against processes.options, over the defaults of the others. MF400 names what is allowed.';
