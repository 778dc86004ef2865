-- Who orders, what things are made of, and how.
--
-- People edit these tables with plain SQL. Constraints guarantee what must hold; triggers say the same in words, before
-- them. Codes never change, because quotes name them for ever; every edit counts the row's version up, so that a price
-- can be traced to the row it came from. Trigger functions act as their owner, so that whoever may write a table needs
-- no other right.

CREATE FUNCTION _versioned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NEW.code <> OLD.code THEN
    PERFORM mesflow._raise('MF423', 'a code cannot change', format('%s.code is "%s" and would become "%s".', TG_TABLE_NAME, OLD.code, NEW.code),
                           'Quotes and orders name it for ever: add a row with the new code and set active to false in the old one.');
  END IF;
  -- Only a restore, which is a trigger that updates, brings a version; defaults are not made yet.
  IF pg_trigger_depth() = 1 THEN
    NEW.version := OLD.version + CASE WHEN to_jsonb(NEW) - '{defaults,version}'::text[] <> to_jsonb(OLD) - '{defaults,version}'::text[] THEN 1 ELSE 0 END;
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _versioned() IS 'Keeps a row''s code and counts its version up. MF423 where the code would change.';

-- What a price was made from, after the row has changed. A restored row meets the one that its table's trigger has made.
CREATE TABLE _catalog_history (
  kind text NOT NULL,
  code text NOT NULL,
  version integer NOT NULL,
  content jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (kind, code, version)
);
COMMENT ON TABLE _catalog_history IS 'Every version of every partner, material and process (kind is the table), so that old quotes can be computed again.';

CREATE FUNCTION _skip_known_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_trigger_depth() > 1 THEN
    RETURN NEW;
  END IF;
  INSERT INTO mesflow._catalog_history SELECT NEW.* ON CONFLICT DO NOTHING;     -- also where another process restores the other
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _skip_known_version() IS 'Leaves out a restored version that is there: the trigger of its own table tells the same.';
CREATE TRIGGER skip_known BEFORE INSERT ON _catalog_history FOR EACH ROW EXECUTE FUNCTION _skip_known_version();

CREATE FUNCTION _remember_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mesflow._catalog_history (kind, code, version, content) VALUES (TG_TABLE_NAME, NEW.code, NEW.version, to_jsonb(NEW))
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _remember_version() IS 'Notes the new version of a row.';

CREATE FUNCTION _next_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last mesflow._catalog_history;
BEGIN
  SELECT * INTO last FROM mesflow._catalog_history h WHERE (h.kind, h.code) = (TG_TABLE_NAME, NEW.code) ORDER BY h.version DESC LIMIT 1;
  IF last.version > NEW.version OR last.version = NEW.version AND last.content - 'defaults' <> to_jsonb(NEW) - 'defaults' THEN
    NEW.version := last.version + 1;
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _next_version() IS 'A code that was deleted and comes again with other content goes on counting; a restored row is as it was.';

-- Codes are what people type: no invisible differences at their ends. Any letters will do.
CREATE FUNCTION _check_code(what text, code text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF code IS NULL OR length(code) NOT BETWEEN 1 AND 100 OR code <> btrim(code) OR code ~ '[[:cntrl:]]' THEN
    PERFORM mesflow._raise('MF400', 'code not allowed', format('%s.code is %s.', what, coalesce(to_json(left(code, 120))::text, 'NULL')),
                           'A code has 1 to 100 characters, no space around it and no control character in it.');
  END IF;
END
$$;
COMMENT ON FUNCTION _check_code(text, text) IS 'MF400 for a code that nobody could type.';

CREATE FUNCTION _is_code(code text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length($1) BETWEEN 1 AND 100 AND $1 = pg_catalog.btrim($1) AND $1 !~ '[[:cntrl:]]';
COMMENT ON FUNCTION _is_code(text) IS 'Can this be a code: 1 to 100 characters, no space around them, no control character?';

-- A list of codes, for hints.
CREATE FUNCTION _codes(codes text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN cardinality($1) > 0
              THEN array_to_string($1[1:20], ', ') || CASE WHEN cardinality($1) > 20 THEN ' and more' ELSE '' END
              ELSE 'none' END
$$;
COMMENT ON FUNCTION _codes(text[]) IS 'Names for a message, comma-separated, at most twenty.';

-- Partners -----------------------------------------------------------------------------------------------------------

CREATE TABLE partners (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  name text NOT NULL,
  kind text NOT NULL DEFAULT 'b2b' CHECK (kind IN ('shop', 'b2b')),
  currency text CHECK (currency ~ '^[A-Z]{3}$'),
  price_list text,
  discount_percent numeric NOT NULL DEFAULT 0 CHECK (discount_percent >= 0 AND discount_percent <= 100),
  weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
  max_queued integer CHECK (max_queued >= 0),
  max_running integer CHECK (max_running >= 1),
  locale text CHECK (locale ~ '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$'),
  active boolean NOT NULL DEFAULT true,
  version integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE partners IS 'Whoever orders come from: the shop itself, or a B2B seller.';
COMMENT ON COLUMN partners.code IS 'its name in every function; never changes';
COMMENT ON COLUMN partners.name IS 'for people';
COMMENT ON COLUMN partners.kind IS 'shop or b2b';
COMMENT ON COLUMN partners.currency IS 'ISO 4217 code: without a list of its own it is priced by the newest list in this currency; NULL: in any';
COMMENT ON COLUMN partners.price_list IS 'the list its quotes are priced by, or rather that list''s newest revision; NULL: the general one';
COMMENT ON COLUMN partners.discount_percent IS 'off the price before tax, after the quantity discount';
COMMENT ON COLUMN partners.weight IS 'its share of the pricing queue against the others, when the queue is shared by weight';
COMMENT ON COLUMN partners.max_queued IS 'jobs it may have waiting, over it MF429; NULL: no cap';
COMMENT ON COLUMN partners.max_running IS 'jobs it may have running at once, when the queue is shared by weight; NULL: no cap';
COMMENT ON COLUMN partners.locale IS 'language of what its customers are sent, for example de-AT';
COMMENT ON COLUMN partners.active IS 'an inactive partner can neither upload nor ask for quotes';
COMMENT ON COLUMN partners.version IS 'counts its edits';
CREATE TRIGGER a_versioned BEFORE UPDATE ON partners FOR EACH ROW EXECUTE FUNCTION _versioned();
CREATE TRIGGER next_version BEFORE INSERT ON partners FOR EACH ROW EXECUTE FUNCTION _next_version();
CREATE TRIGGER remember AFTER INSERT OR UPDATE ON partners FOR EACH ROW EXECUTE FUNCTION _remember_version();

CREATE TABLE systems (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  name text NOT NULL
);
COMMENT ON TABLE systems IS 'Participants of the flow that must see an order.';
COMMENT ON COLUMN systems.code IS 'its name in every function';
COMMENT ON COLUMN systems.name IS 'for people';
INSERT INTO systems (code, name) VALUES ('shop', 'Web shop'), ('crm', 'Customer relations'), ('mes', 'Shop floor');

-- Materials ----------------------------------------------------------------------------------------------------------

CREATE TABLE materials (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  name text NOT NULL,
  density_g_cm3 numeric NOT NULL CHECK (density_g_cm3 > 0 AND density_g_cm3 < 100),
  fineness numeric CHECK (fineness > 0 AND fineness <= 1),
  active boolean NOT NULL DEFAULT true,
  metal text CHECK (metal ~ '^[a-z][a-z0-9_]{0,49}$'),
  version integer NOT NULL DEFAULT 1,
  CHECK (metal IS NULL OR fineness IS NOT NULL)
);
COMMENT ON TABLE materials IS 'What things are made of.';
COMMENT ON COLUMN materials.code IS 'its name in every function; never changes';
COMMENT ON COLUMN materials.name IS 'for people';
COMMENT ON COLUMN materials.density_g_cm3 IS 'density of the workshop''s own material or alloy, g/cm3';
COMMENT ON COLUMN materials.fineness IS 'share of precious metal, for example 0.585; NULL for other materials';
COMMENT ON COLUMN materials.active IS 'quotes in an inactive material fail with code inactive';
COMMENT ON COLUMN materials.metal IS
  'the precious metal in it, for example gold: it is priced by the rate fine_gold, per gram of fine metal; NULL: by the rate material, per gram';
COMMENT ON COLUMN materials.version IS 'counts its edits';

CREATE FUNCTION _check_material() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._check_code('materials', NEW.code);
  IF coalesce(NEW.name, '') = '' THEN
    PERFORM mesflow._raise('MF400', 'a material needs a name', format('The name of "%s" is empty.', NEW.code), 'Give the name that people know it by.');
  ELSIF NEW.density_g_cm3 IS NULL OR NOT (NEW.density_g_cm3 > 0 AND NEW.density_g_cm3 < 100) THEN
    PERFORM mesflow._raise('MF400', 'density not allowed', format('The density of "%s" is %s.', NEW.code, coalesce(NEW.density_g_cm3::text, 'NULL')),
                           'Give it in g/cm3, above 0 and below 100: water has 1, PLA 1.24, gold 19.32.');
  ELSIF NOT (NEW.fineness > 0 AND NEW.fineness <= 1) THEN
    PERFORM mesflow._raise('MF400', 'fineness not allowed', format('The fineness of "%s" is %s.', NEW.code, NEW.fineness),
                           'Give it as a share: 0.585, not 585 and not 14 carat.');
  ELSIF NEW.metal IS NOT NULL AND NEW.fineness IS NULL THEN
    PERFORM mesflow._raise('MF400', 'fineness is missing', format('Material "%s" contains %s, but its fineness is NULL.', NEW.code, NEW.metal),
                           'Give the share of the metal in fineness, for example 0.585.');
  ELSIF NEW.metal !~ '^[a-z][a-z0-9_]{0,49}$' THEN
    PERFORM mesflow._raise('MF400', 'metal not allowed', format('The metal of "%s" is "%s".', NEW.code, NEW.metal),
                           'It is part of a rate''s name, fine_<metal>: small letters, digits and underscores, for example gold.');
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _check_material() IS 'MF400 for a material that cannot be.';
CREATE TRIGGER a_versioned BEFORE UPDATE ON materials FOR EACH ROW EXECUTE FUNCTION _versioned();
CREATE TRIGGER next_version BEFORE INSERT ON materials FOR EACH ROW EXECUTE FUNCTION _next_version();
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON materials FOR EACH ROW EXECUTE FUNCTION _check_material();
CREATE TRIGGER remember AFTER INSERT OR UPDATE ON materials FOR EACH ROW EXECUTE FUNCTION _remember_version();

-- Processes ----------------------------------------------------------------------------------------------------------

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

CREATE FUNCTION _printer_fault(printer jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_printer_fault';
COMMENT ON FUNCTION _printer_fault(jsonb) IS 'What is wrong with a value of processes.printer; NULL: nothing.';

CREATE TABLE processes (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  name text NOT NULL,
  pricing_function text NOT NULL DEFAULT 'mesflow.price_additive',
  materials text[] NOT NULL DEFAULT '{}',
  options jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
  defaults jsonb GENERATED ALWAYS AS (mesflow._default_options(options)) STORED,
  operations text[] NOT NULL DEFAULT '{make}' CHECK (cardinality(operations) > 0 AND array_position(operations, NULL) IS NULL),
  max_size_mm float8[] CHECK (cardinality(max_size_mm) = 3 AND array_position(max_size_mm, NULL) IS NULL AND 0 < ALL (max_size_mm)),
  min_wall_mm float8 CHECK (min_wall_mm > 0),
  lead_days integer NOT NULL DEFAULT 5 CHECK (lead_days BETWEEN 0 AND 3650),
  rush_days integer CHECK (rush_days >= 0 AND rush_days <= lead_days),
  review_above numeric CHECK (review_above > 0),
  tolerates text[] NOT NULL DEFAULT '{}',
  active boolean NOT NULL DEFAULT true,
  version integer NOT NULL DEFAULT 1,
  printer jsonb CHECK (mesflow._printer_fault(printer) IS NULL)
);
COMMENT ON TABLE processes IS 'How things are made, and the function that prices it.';
COMMENT ON COLUMN processes.code IS 'its name in every function; never changes';
COMMENT ON COLUMN processes.name IS 'for people';
COMMENT ON COLUMN processes.pricing_function IS 'qualified name of a function with the arguments of mesflow.price_additive';
COMMENT ON COLUMN processes.materials IS 'codes of the materials it can work in';
COMMENT ON COLUMN processes.options IS
  'what a quote may ask for: {"key": {"type": "number|integer|boolean|text", "default": value, "allowed": [values], "min": number, "max": number}}';
COMMENT ON COLUMN processes.defaults IS 'the defaults of options, made from it';
COMMENT ON COLUMN processes.operations IS 'its steps on the floor, in order';
COMMENT ON COLUMN processes.max_size_mm IS 'build volume in mm, three edges; a part may be turned by right angles, or about one axis, to fit; NULL: no limit';
COMMENT ON COLUMN processes.min_wall_mm IS 'thinner walls than this, where measured, make a quote fail with wall_too_thin';
COMMENT ON COLUMN processes.lead_days IS 'days from order to dispatch';
COMMENT ON COLUMN processes.rush_days IS 'the same with option lead_time rush; NULL: half of lead_days, rounded up';
COMMENT ON COLUMN processes.review_above IS 'totals above this, in the list''s currency, are looked at by a person: state review, code over_review_limit';
COMMENT ON COLUMN processes.tolerates IS 'codes of defects that do not matter to it; others of severity error put a quote into review';
COMMENT ON COLUMN processes.active IS 'quotes in an inactive process fail with code inactive';
COMMENT ON COLUMN processes.version IS 'counts its edits';
COMMENT ON COLUMN processes.printer IS
  'how a filament printer is set, for example {"line_width": 0.45, "wall_speed": 45}; {}: as usual. Material and machine time then come from the model''s layers; NULL: from rates by volume, surface and layers';

-- Does one option's value suit its declaration?
CREATE FUNCTION _option_fits(declared jsonb, value jsonb) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_option_fits';
COMMENT ON FUNCTION _option_fits(jsonb, jsonb) IS 'Does a value suit its declaration in processes.options: type, allowed, min, max?';

-- What the built-in formulas can take at all, whatever a process declares.
CREATE FUNCTION _option_possible(key text, value jsonb) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_option_possible';
COMMENT ON FUNCTION _option_possible(text, jsonb) IS
  'Is this a value that a part can have: scale 0.001 to 1000, infill 0 to 1, wall_mm 0 to 1000, layer_height 0.0001 to 1000, stones 0 to 1,000,000? Other options: true.';

CREATE FUNCTION _check_declared_option(process text, key text, declared jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wrong text;
BEGIN
  IF jsonb_typeof(declared) <> 'object' THEN
    wrong := 'is not an object';
  ELSIF declared - '{type,default,allowed,min,max}'::text[] <> '{}' THEN
    wrong := format('has an unknown key "%s"', (SELECT k FROM jsonb_object_keys(declared - '{type,default,allowed,min,max}'::text[]) k LIMIT 1));
  ELSIF coalesce(declared ->> 'type', 'text') NOT IN ('number', 'integer', 'boolean', 'text') THEN
    wrong := format('has the unknown type "%s"', declared ->> 'type');
  ELSIF jsonb_typeof(declared -> 'allowed') <> 'array' THEN
    wrong := 'has values allowed that are no array';
  ELSIF jsonb_typeof(declared -> 'min') <> 'number' OR jsonb_typeof(declared -> 'max') <> 'number' THEN
    wrong := 'has a limit that is no number';
  ELSIF EXISTS (SELECT FROM jsonb_array_elements(declared -> 'allowed') a WHERE NOT mesflow._option_fits(declared, a)) THEN
    wrong := 'allows values that do not suit its type and limits';
  ELSIF declared ? 'default' AND NOT mesflow._option_fits(declared, declared -> 'default') THEN
    wrong := format('has the default %s, which it does not allow', declared -> 'default');
  ELSIF key = '' THEN
    wrong := 'has no name';
  ELSIF jsonb_array_length(declared -> 'allowed') = 0 THEN
    wrong := 'allows nothing';
  ELSIF (declared ->> 'min')::numeric > (declared ->> 'max')::numeric THEN
    wrong := 'has a min above its max';
  ELSIF key IN ('scale', 'infill', 'layer_height', 'wall_mm') AND declared ->> 'type' IS DISTINCT FROM 'number' THEN
    wrong := 'must be a number';
  ELSIF key = 'stones' AND declared ->> 'type' IS DISTINCT FROM 'integer' THEN
    wrong := 'must be an integer';
  ELSIF key IN ('finish', 'plating', 'stone', 'engraving', 'lead_time') AND coalesce(declared ->> 'type', 'text') <> 'text' THEN
    wrong := 'must be a text';
  ELSIF NOT mesflow._option_possible(key, declared -> 'default') OR EXISTS (SELECT FROM jsonb_array_elements(declared -> 'allowed') a WHERE NOT mesflow._option_possible(key, a)) THEN
    wrong := 'names a value that no part can have';
  END IF;
  IF wrong IS NOT NULL THEN
    PERFORM mesflow._raise('MF400', 'option not well declared', format('processes.options.%s of "%s" %s.', key, process, wrong),
      'Declare it like {"type": "number", "default": 0.2, "min": 0, "max": 1} or {"type": "text", "allowed": ["red", "blue"]}; types are number, integer, boolean, text.');
  END IF;
END
$$;
COMMENT ON FUNCTION _check_declared_option(text, text, jsonb) IS 'MF400 where an option''s declaration cannot be understood.';

CREATE FUNCTION _check_process() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  option record;
  unknown text;
BEGIN
  PERFORM mesflow._check_code('processes', NEW.code);
  IF jsonb_typeof(NEW.options) IS DISTINCT FROM 'object' THEN
    PERFORM mesflow._raise('MF400', 'options must be a JSON object', format('processes.options of "%s" is %s.', NEW.code, coalesce(left(NEW.options::text, 100), 'NULL')),
                           'Declare options like {"finish": {"type": "text", "default": "none", "allowed": ["none", "sanded"]}}.');
  END IF;
  FOR option IN SELECT o.key, o.value FROM jsonb_each(NEW.options) o LOOP
    PERFORM mesflow._check_declared_option(NEW.code, option.key, option.value);
  END LOOP;
  IF cardinality(NEW.max_size_mm) <> 3 OR array_position(NEW.max_size_mm, NULL) IS NOT NULL OR NOT 0 < ALL (NEW.max_size_mm) THEN
    PERFORM mesflow._raise('MF400', 'build volume not allowed', format('processes.max_size_mm of "%s" is %s.', NEW.code, NEW.max_size_mm),
                           'Give three edges in mm, all above 0, for example {250,210,200}; or NULL for no limit.');
  ELSIF coalesce(NEW.name, '') = '' THEN
    PERFORM mesflow._raise('MF400', 'a process needs a name', format('The name of "%s" is empty.', NEW.code), 'Give the name that people know it by.');
  ELSIF NEW.operations IS NULL OR cardinality(NEW.operations) = 0 OR array_position(NEW.operations, NULL) IS NOT NULL THEN
    PERFORM mesflow._raise('MF400', 'operations not allowed', format('The operations of "%s" are %s.', NEW.code, coalesce(NEW.operations::text, 'NULL')), 'Name one step or more, for example {print,finish}.');
  ELSIF mesflow._printer_fault(NEW.printer) IS NOT NULL THEN
    PERFORM mesflow._raise('MF400', 'printer not well described', format('processes.printer of "%s" %s.', NEW.code, mesflow._printer_fault(NEW.printer)),
                           'Give an object of numbers, for example {"line_width": 0.45, "wall_speed": 45}; docs/pricing.md has all keys. {} is a usual printer, NULL none.');
  ELSIF NEW.min_wall_mm <= 0 OR NEW.review_above <= 0 THEN
    PERFORM mesflow._raise('MF400', 'limit not allowed', format('"%s" has min_wall_mm %s and review_above %s.', NEW.code, coalesce(NEW.min_wall_mm::text, 'NULL'), coalesce(NEW.review_above::text, 'NULL')),
                           'Both are above 0, or NULL for no limit.');
  ELSIF NEW.lead_days IS NULL OR NEW.lead_days NOT BETWEEN 0 AND 3650 OR NEW.rush_days < 0 THEN
    PERFORM mesflow._raise('MF400', 'days not allowed', format('"%s" has lead_days %s and rush_days %s.', NEW.code, coalesce(NEW.lead_days::text, 'NULL'), coalesce(NEW.rush_days::text, 'NULL')),
                           'lead_days is 0 to 3650, rush_days 0 to lead_days, or NULL for half of them.');
  ELSIF NEW.rush_days > NEW.lead_days THEN
    PERFORM mesflow._raise('MF400', 'rush is slower than normal', format('rush_days of "%s" is %s, lead_days is %s.', NEW.code, NEW.rush_days, NEW.lead_days),
                           'Set rush_days to lead_days at most.');
  END IF;
  -- A restore in parallel may bring processes before materials: where there is none at all, nothing is known.
  IF EXISTS (SELECT FROM mesflow.materials) THEN
    SELECT u INTO unknown FROM unnest(NEW.materials) u
     WHERE u IS NULL OR NOT EXISTS (SELECT FROM mesflow.materials m WHERE m.code = u) LIMIT 1;
    IF FOUND THEN
      PERFORM mesflow._raise('MF404', 'no such material', format('processes.materials of "%s" names "%s".', NEW.code, coalesce(unknown, 'NULL')),
        'Known materials: ' || mesflow._codes(ARRAY(SELECT m.code FROM mesflow.materials m ORDER BY 1 LIMIT 21)) || '.');
    END IF;
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _check_process() IS 'MF400 and MF404 for a process that cannot be.';

-- After the row is there, so that a restored process is never lost for want of its function.
CREATE FUNCTION _warn_of_pricing_function() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  BEGIN
    PERFORM parse_ident(NEW.pricing_function);
  EXCEPTION WHEN invalid_parameter_value THEN
    PERFORM mesflow._raise('MF400', 'not the name of a function', format('processes.pricing_function of "%s" is "%s".', NEW.code, NEW.pricing_function),
                           'Give the name with its schema and without arguments, for example mesflow.price_additive.');
  END;
  IF to_regprocedure(NEW.pricing_function || '(mesflow.measurements,mesflow.materials,mesflow.processes,integer,jsonb,jsonb)') IS NULL THEN
    RAISE WARNING USING ERRCODE = 'MF404', MESSAGE = format('there is no pricing function "%s"', NEW.pricing_function),
      DETAIL = format('Quotes for process "%s" will fail with pricing_failed.', NEW.code),
      HINT = 'Create it with the arguments of mesflow.price_additive, or correct processes.pricing_function.';
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _warn_of_pricing_function() IS 'A warning where a process names a function that is not there; MF400 for what is no name.';
CREATE TRIGGER a_versioned BEFORE UPDATE ON processes FOR EACH ROW EXECUTE FUNCTION _versioned();
CREATE TRIGGER next_version BEFORE INSERT ON processes FOR EACH ROW EXECUTE FUNCTION _next_version();
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON processes FOR EACH ROW EXECUTE FUNCTION _check_process();
CREATE TRIGGER function_is_there AFTER INSERT OR UPDATE OF pricing_function ON processes
  FOR EACH ROW EXECUTE FUNCTION _warn_of_pricing_function();
CREATE TRIGGER remember AFTER INSERT OR UPDATE ON processes FOR EACH ROW EXECUTE FUNCTION _remember_version();

CREATE FUNCTION _keep_used_material() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  users text[] := ARRAY(SELECT p.code FROM mesflow.processes p WHERE OLD.code = ANY (p.materials) ORDER BY 1 LIMIT 21);
BEGIN
  IF users <> '{}' THEN
    PERFORM mesflow._raise('MF423', 'the material is in use', format('Material "%s" is named by processes: %s.', OLD.code, mesflow._codes(users)),
                           'Set active to false, or take it out of processes.materials first.');
  END IF;
  RETURN OLD;
END
$$;
COMMENT ON FUNCTION _keep_used_material() IS 'MF423 where a material is deleted that processes name.';
CREATE TRIGGER keep_used BEFORE DELETE ON materials FOR EACH ROW EXECUTE FUNCTION _keep_used_material();

-- By their codes -----------------------------------------------------------------------------------------------------

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

-- The options a quote is priced with: those given, checked, and the defaults of the others. What is wrong with one is said
-- here, and found in C.
CREATE FUNCTION _refuse_option(process processes, options jsonb, key text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  declared constant jsonb := process.options -> key;
  value constant jsonb := options -> key;
BEGIN
  IF key IS NULL THEN
    PERFORM mesflow._raise('MF400', 'options must be a JSON object', format('The options are %s.', coalesce(left(options::text, 200), 'NULL')),
                           'Pass for example {"infill": 0.3}, or {} for the defaults.');
  ELSIF declared IS NULL THEN
    PERFORM mesflow._raise('MF400', 'unknown option', format('options.%s is not known to process "%s".', left(key, 100), process.code),
      'Allowed options: ' || mesflow._codes(ARRAY(SELECT k FROM jsonb_object_keys(process.options) k ORDER BY 1)) || '.');
  ELSE
    PERFORM mesflow._raise('MF400', 'option not allowed', format('options.%s is %s.', key, left(value::text, 200)),
      format('Allowed for "%s" in process "%s": %s%s.', key, process.code, declared,
             CASE WHEN coalesce(declared ->> 'type', 'text') = 'text' AND length(value #>> '{}') > 1000 THEN ', of up to 1000 characters'
                  WHEN mesflow._option_fits(declared, value) THEN ', within what a part can have' ELSE '' END));
  END IF;
END
$$;
COMMENT ON FUNCTION _refuse_option(processes, jsonb, text) IS
  'MF400 for an option that is not allowed, or, where no key is named, for options that are no object.';

CREATE FUNCTION _full_options(process processes, options jsonb) RETURNS jsonb
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mesflow_full_options';
COMMENT ON FUNCTION _full_options(processes, jsonb) IS
  'The options given, checked against processes.options, over the defaults of the others. MF400 names what is allowed.';
