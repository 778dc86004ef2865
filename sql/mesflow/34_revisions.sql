-- Commands on the catalog.

-- One change of revise_price_list, checked; `at` is its place, for messages.
CREATE FUNCTION _check_change(change jsonb, at integer) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  path constant text := format('changes[%s]', at);
  unknown text;
BEGIN
  IF jsonb_typeof(change) IS DISTINCT FROM 'object' THEN
    PERFORM mesflow._raise('MF400', 'a change must be a JSON object', format('%s is %s.', path, left(change::text, 200)),
                           'Pass for example {"process": null, "material": null, "name": "fine_gold", "value": 98.4}.');
  END IF;
  SELECT k INTO unknown FROM jsonb_object_keys(change) k WHERE k <> ALL ('{process,material,name,value,unit,public}'::text[]) ORDER BY 1 LIMIT 1;
  IF FOUND THEN
    PERFORM mesflow._raise('MF400', 'unknown key', format('%s.%s is not known.', path, left(unknown, 100)), 'Keys: process, material, name, value; unit and public for a rate that is new.');
  END IF;
  IF coalesce(jsonb_typeof(change -> 'name'), 'null') <> 'string' THEN
    PERFORM mesflow._raise('MF400', 'a change needs the name of a rate', format('%s.name is %s.', path, coalesce(left((change -> 'name')::text, 200), 'missing')),
                           'Names are those of mesflow.rates.');
  ELSIF coalesce(jsonb_typeof(change -> 'value'), 'null') <> 'number' THEN
    PERFORM mesflow._raise('MF400', 'a change needs a value', format('%s.value is %s.', path, coalesce(left((change -> 'value')::text, 200), 'missing')),
                           'Pass a number, 0 or more.');
  ELSIF NOT ((change -> 'value')::numeric >= 0 AND (change -> 'value')::numeric < 1e12) THEN
    PERFORM mesflow._raise('MF400', 'rate not allowed', format('%s.value is %s.', path, left((change -> 'value')::text, 200)), 'A rate is 0 or more and below 1000000000000.');
  ELSIF coalesce(jsonb_typeof(change -> 'process'), 'null') NOT IN ('string', 'null') OR coalesce(jsonb_typeof(change -> 'material'), 'null') NOT IN ('string', 'null') THEN
    PERFORM mesflow._raise('MF400', 'process and material are codes', format('%s is %s.', path, left(change::text, 200)), 'Pass a code, or null for all of them.');
  ELSIF coalesce(jsonb_typeof(change -> 'unit'), 'string') <> 'string' OR coalesce(jsonb_typeof(change -> 'public'), 'boolean') <> 'boolean' THEN
    PERFORM mesflow._raise('MF400', 'a change has a value of the wrong type', format('%s is %s.', path, left(change::text, 200)), 'unit is a text, public is true or false.');
  END IF;
END
$$;
COMMENT ON FUNCTION _check_change(jsonb, integer) IS 'MF400 for a change of revise_price_list that cannot be understood, named by its path.';

-- What a revision does not reach, said when it is made.
CREATE FUNCTION _warn_of_others(revised text, was_named boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list mesflow.price_lists;
  later text[];
  others text[];
BEGIN
  SELECT * INTO list FROM mesflow.price_lists l WHERE l.code = revised;
  later := ARRAY(SELECT l.code FROM mesflow.price_lists l WHERE l.family = list.family AND l.state = 'active' AND l.valid_from > list.valid_from ORDER BY l.valid_from);
  IF later <> '{}' THEN
    RAISE WARNING USING ERRCODE = 'MF409', MESSAGE = 'price lists that are still to come do not have these rates',
      DETAIL = format('"%s" is followed by: %s.', revised, mesflow._codes(later)),
      HINT = 'They were made before it. Make the same changes for the time when they come, with activate_at, or retire them.';
  END IF;
  others := ARRAY(SELECT DISTINCT l.currency FROM mesflow.price_lists l WHERE l.general AND l.state = 'active' AND l.valid_from <= list.valid_from AND l.currency <> list.currency ORDER BY 1);
  IF NOT was_named AND others <> '{}' THEN
    RAISE WARNING USING ERRCODE = 'MF409', MESSAGE = 'price lists in other currencies are active and stay as they were',
      DETAIL = format('"%s" is in %s; there are lists in: %s.', revised, list.currency, mesflow._codes(others)),
      HINT = 'Name a list in price_list to revise its family.';
  END IF;
END
$$;
COMMENT ON FUNCTION _warn_of_others(text, boolean) IS 'Warnings about active lists that a revision leaves as they were: later ones, and those in other currencies.';

CREATE FUNCTION revise_price_list(changes jsonb, note text, actor text DEFAULT NULL, activate_at timestamptz DEFAULT now(), price_list text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  comes_at timestamptz;
  base mesflow.price_lists;
  new_code text;
  revision integer := 2;
  change record;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  IF jsonb_typeof($1) IS DISTINCT FROM 'array' THEN
    PERFORM mesflow._raise('MF400', 'changes must be a JSON array', format('The changes are %s.', coalesce(left($1::text, 200), 'NULL')),
                           'Pass for example [{"process": null, "material": null, "name": "fine_gold", "value": 98.4}].');
  END IF;
  FOR change IN SELECT c.value, c.at FROM jsonb_array_elements($1) WITH ORDINALITY AS c (value, at) LOOP
    PERFORM mesflow._check_change(change.value, change.at::integer - 1);
  END LOOP;

  -- Activations follow one another: the second of two revisions at the same moment is a copy of the first.
  PERFORM mesflow._lock_activation();
  comes_at := greatest(coalesce($4, now()), clock_timestamp());
  IF NOT isfinite(comes_at) THEN
    PERFORM mesflow._raise('MF400', 'moment not allowed', format('activate_at is %s.', comes_at), 'Give a moment, or leave it out for now.');
  END IF;
  IF $5 IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.price_lists l WHERE l.code = $5) THEN
    PERFORM mesflow._price_list(NULL, $5);      -- says which there are
  END IF;
  SELECT * INTO base FROM mesflow.price_lists l
   WHERE l.state = 'active' AND l.valid_from <= comes_at
     AND CASE WHEN $5 IS NULL THEN l.general ELSE l.family = (SELECT n.family FROM mesflow.price_lists n WHERE n.code = $5) END
   ORDER BY l.valid_from DESC, l.code DESC LIMIT 1;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no active price list', format('Nothing is active at %s that could be revised.', comes_at),
                           'Insert a price list as a draft, insert its rates, and set its state to active.');
  END IF;
  -- What has already happened is answered again.
  IF NOT EXISTS (SELECT FROM jsonb_array_elements($1) c
                  WHERE NOT EXISTS (SELECT FROM mesflow.rates r
                                     WHERE r.price_list = base.code AND r.process_key = coalesce(c ->> 'process', '') AND r.material_key = coalesce(c ->> 'material', '')
                                       AND r.name = c ->> 'name' AND r.value = (c -> 'value')::numeric AND r.unit = coalesce(c ->> 'unit', r.unit)
                                       AND r.public = coalesce((c -> 'public')::boolean, r.public))) THEN
    RETURN base.code;
  END IF;
  LOOP
    new_code := format('%s-%s', base.family, revision);
    EXIT WHEN NOT EXISTS (SELECT FROM mesflow.price_lists l WHERE l.code = new_code);
    revision := revision + 1;
  END LOOP;

  INSERT INTO mesflow.price_lists (code, currency, tax_rate, tax_included, rounding, quote_validity, valid_from, general, family, revises, note, actor)
    VALUES (new_code, base.currency, base.tax_rate, base.tax_included, base.rounding, base.quote_validity, comes_at, base.general, base.family, base.code, $2,
            coalesce($3, session_user));
  INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
    SELECT new_code, r.process, r.material, r.name, r.value, r.unit, r.public FROM mesflow.rates r WHERE r.price_list = base.code;
  INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent)
    SELECT new_code, b.process, b.from_quantity, b.percent FROM mesflow.quantity_breaks b WHERE b.price_list = base.code;

  FOR change IN
    SELECT c.at - 1 AS at, c.value ->> 'process' AS process, c.value ->> 'material' AS material, c.value ->> 'name' AS name, (c.value -> 'value')::numeric AS value,
           c.value ->> 'unit' AS unit, (c.value -> 'public')::boolean AS public,
           count(*) OVER (PARTITION BY c.value ->> 'process', c.value ->> 'material', c.value ->> 'name') AS same
      FROM jsonb_array_elements($1) WITH ORDINALITY AS c (value, at)
     ORDER BY c.at
  LOOP
    IF change.same > 1 THEN
      PERFORM mesflow._raise('MF400', 'the same rate twice', format('changes[%s] sets rate "%s", and so does another.', change.at, change.name), 'Name each rate once.');
    END IF;
    UPDATE mesflow.rates r SET value = change.value, unit = coalesce(change.unit, r.unit), public = coalesce(change.public, r.public)
     WHERE r.price_list = new_code AND r.process_key = coalesce(change.process, '') AND r.material_key = coalesce(change.material, '') AND r.name = change.name;
    CONTINUE WHEN FOUND;
    IF change.unit IS NULL THEN
      PERFORM mesflow._raise('MF404', 'no such rate',
        format('changes[%s]: price list "%s" has no rate "%s" for process %s, material %s.', change.at, base.code, change.name,
               coalesce(quote_literal(change.process), 'null'), coalesce(quote_literal(change.material), 'null')),
        coalesce((SELECT 'It is set for: ' || string_agg(format('process %s, material %s', coalesce(quote_literal(r.process), 'null'), coalesce(quote_literal(r.material), 'null')), '; '
                                                         ORDER BY r.process_key, r.material_key) || '.'
                    FROM mesflow.rates r WHERE r.price_list = base.code AND r.name = change.name),
                 'Rates of this list: ' || mesflow._codes(ARRAY(SELECT DISTINCT r.name FROM mesflow.rates r WHERE r.price_list = base.code ORDER BY 1 LIMIT 21)) || '.')
        || ' Give "unit" as well to make a new rate.');
    END IF;
    INSERT INTO mesflow.rates (price_list, process, material, name, value, unit, public)
      VALUES (new_code, change.process, change.material, change.name, change.value, change.unit, coalesce(change.public, true));
  END LOOP;
  UPDATE mesflow.price_lists SET state = 'active' WHERE code = new_code;
  PERFORM mesflow._warn_of_others(new_code, $5 IS NOT NULL);
  RETURN new_code;
END
$$;
COMMENT ON FUNCTION revise_price_list(jsonb, text, text, timestamptz, text) IS
  'Copies the list that is active at activate_at with other rates, activates the copy and returns its code; the old one stays as it was. changes: [{"process": code or null, "material": code or null, "name": text, "value": number}]; a rate that is new needs "unit"; where all of them are so already, nothing is made. price_list: a list of the family to revise; NULL: the general one. MF400 and MF404 name the change by its place; all or nothing.';

CREATE FUNCTION create_partner(code text, name text, kind text DEFAULT 'b2b', options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  allowed constant text[] := '{currency,price_list,discount_percent,weight,max_queued,max_running,locale,active}';
  wanted mesflow.partners;
  there mesflow.partners;
  unknown text;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  IF jsonb_typeof($4) IS DISTINCT FROM 'object' THEN
    PERFORM mesflow._raise('MF400', 'options must be a JSON object', format('The options are %s.', coalesce(left($4::text, 200), 'NULL')),
                           'Pass for example {"discount_percent": 5}, or {}.');
  END IF;
  SELECT k INTO unknown FROM jsonb_object_keys($4) k WHERE k <> ALL (allowed) ORDER BY 1 LIMIT 1;
  IF FOUND THEN
    PERFORM mesflow._raise('MF400', 'unknown option', format('options.%s is not known.', left(unknown, 100)), 'Allowed options: ' || mesflow._codes(allowed) || '.');
  END IF;
  BEGIN
    wanted := jsonb_populate_record(ROW($1, $2, coalesce($3, 'b2b'), NULL, NULL, 0, 1, NULL, NULL, NULL, true, 1)::mesflow.partners, $4);
  EXCEPTION WHEN data_exception THEN
    PERFORM mesflow._raise('MF400', 'an option has a value of the wrong type', format('The options are %s: %s.', left($4::text, 200), SQLERRM),
                           'discount_percent, weight, max_queued and max_running are numbers, active is true or false, the others are texts.');
  END;
  SELECT * INTO there FROM mesflow.partners p WHERE p.code = $1;
  IF NOT FOUND THEN
    INSERT INTO mesflow.partners SELECT wanted.* ON CONFLICT DO NOTHING;
    IF FOUND THEN
      RETURN $1;
    END IF;
    SELECT * INTO there FROM mesflow.partners p WHERE p.code = $1;
  END IF;
  IF (to_jsonb(there) - 'version') <> (to_jsonb(wanted) - 'version') THEN
    PERFORM mesflow._raise('MF409', 'the partner is there and differs',
      format('Partner "%s" has %s.', $1, (SELECT string_agg(format('%s %s, not %s', t.key, t.value, w.value), '; ' ORDER BY t.key)
                                            FROM jsonb_each(to_jsonb(there)) t JOIN jsonb_each(to_jsonb(wanted)) w USING (key)
                                           WHERE t.value <> w.value AND t.key <> 'version')),
      'Change it with UPDATE mesflow.partners.');
  END IF;
  RETURN $1;
END
$$;
COMMENT ON FUNCTION create_partner(text, text, text, jsonb) IS
  'Makes a partner and returns its code; the same again is harmless, another content for the same code is MF409. options: currency, price_list, discount_percent, weight, max_queued, max_running, locale, active. MF400: unknown option or value.';

CREATE FUNCTION _check_partner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list_currency text;
BEGIN
  PERFORM mesflow._check_code('partners', NEW.code);
  IF NEW.kind IS NULL OR NEW.kind NOT IN ('shop', 'b2b') THEN
    PERFORM mesflow._raise('MF400', 'no such kind of partner', format('The kind of "%s" is %s.', NEW.code, coalesce(quote_literal(NEW.kind), 'NULL')), 'A partner is shop or b2b.');
  ELSIF NEW.active IS NULL THEN
    PERFORM mesflow._raise('MF400', 'active is missing', format('active of "%s" is NULL.', NEW.code), 'A partner is active or not: true or false.');
  ELSIF coalesce(NEW.name, '') = '' THEN
    PERFORM mesflow._raise('MF400', 'a partner needs a name', format('The name of "%s" is empty.', NEW.code), 'Give the name that people know it by.');
  ELSIF NEW.currency !~ '^[A-Z]{3}$' THEN
    PERFORM mesflow._raise('MF400', 'currency not allowed', format('The currency of "%s" is "%s".', NEW.code, NEW.currency), 'Give an ISO 4217 code in capital letters, for example EUR, or NULL.');
  ELSIF NEW.discount_percent IS NULL OR NOT (NEW.discount_percent >= 0 AND NEW.discount_percent <= 100) THEN
    PERFORM mesflow._raise('MF400', 'discount not allowed', format('The discount of "%s" is %s percent.', NEW.code, coalesce(NEW.discount_percent::text, 'NULL')), 'Give 0 to 100, 5 for 5 %.');
  ELSIF NEW.weight IS NULL OR NEW.weight NOT BETWEEN 1 AND 1000 OR NEW.max_queued < 0 OR NEW.max_running < 1 THEN
    PERFORM mesflow._raise('MF400', 'share of the queue not allowed', format('"%s" has weight %s, max_queued %s, max_running %s.', NEW.code, coalesce(NEW.weight::text, 'NULL'),
                           coalesce(NEW.max_queued::text, 'NULL'), coalesce(NEW.max_running::text, 'NULL')), 'weight is 1 to 1000, max_queued 0 or more, max_running 1 or more; NULL caps mean none.');
  ELSIF NEW.locale !~ '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$' THEN
    PERFORM mesflow._raise('MF400', 'locale not allowed', format('The locale of "%s" is "%s".', NEW.code, NEW.locale), 'Give a language tag such as de or de-AT.');
  END IF;
  IF NEW.price_list IS NOT NULL THEN
    SELECT l.currency INTO list_currency FROM mesflow.price_lists l WHERE l.code = NEW.price_list;
    IF NOT FOUND THEN
      PERFORM mesflow._price_list(NULL, NEW.price_list);        -- says which there are
    ELSIF list_currency <> NEW.currency THEN
      PERFORM mesflow._raise('MF400', 'price list in another currency', format('Partner "%s" pays in %s; price list "%s" is in %s.', NEW.code, NEW.currency, NEW.price_list, list_currency),
                             'Name a list in the partner''s currency, or set its currency to NULL.');
    END IF;
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _check_partner() IS 'MF400 and MF404 for a partner that cannot be.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON partners FOR EACH ROW EXECUTE FUNCTION _check_partner();

INSERT INTO partners (code, name, kind) VALUES ('shop', 'Web shop', 'shop');

-- The shop is there before a restore brings what became of it.
CREATE FUNCTION _restore_shop() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE mesflow.partners p
     SET name = NEW.name, kind = NEW.kind, currency = NEW.currency, price_list = NEW.price_list, discount_percent = NEW.discount_percent, weight = NEW.weight,
         max_queued = NEW.max_queued, max_running = NEW.max_running, locale = NEW.locale, active = NEW.active, version = NEW.version
   WHERE p.code = NEW.code AND p.version = 1;
  IF FOUND THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _restore_shop() IS 'Puts a restored partner shop in the place of the one that the installation made.';
CREATE TRIGGER restore_shop BEFORE INSERT ON partners FOR EACH ROW WHEN (NEW.code = 'shop' AND NEW.version > 1 AND mesflow._may_restore()) EXECUTE FUNCTION _restore_shop();
