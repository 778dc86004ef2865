-- What things cost: price lists, immutable once active, and their rates.
--
--	draft -> active -> retired
--
-- A draft is edited freely. Activating it counts its rates, and from then on nothing in it changes: rates can be added only
-- while there are fewer than were counted, which is so during a restore and at no other time.

CREATE FUNCTION _currency_digits(currency text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_currency_digits';
COMMENT ON FUNCTION _currency_digits(text) IS 'Decimals of a currency''s smallest unit (ISO 4217, table A.1): 0 for JPY, 3 for KWD, 2 for most.';

CREATE TABLE price_lists (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  tax_rate numeric NOT NULL DEFAULT 0 CHECK (tax_rate >= 0 AND tax_rate < 1),
  tax_included boolean NOT NULL DEFAULT false,
  rounding numeric NOT NULL DEFAULT 0.01 CHECK (rounding >= 0.001 AND rounding < 1e9),
  quote_validity interval NOT NULL DEFAULT '30 days' CHECK (quote_validity > '0' AND quote_validity <= '10 years'),
  state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'active', 'retired')),
  valid_from timestamptz,
  general boolean,
  family text NOT NULL,
  revises text,
  note text,
  actor text,
  sealed_rates integer,
  sealed_breaks integer,
  CHECK (rounding % power(10::numeric, -mesflow._currency_digits(currency)) = 0),
  CHECK (CASE state WHEN 'draft' THEN sealed_rates IS NULL AND sealed_breaks IS NULL
              ELSE sealed_rates > 0 AND sealed_breaks >= 0 AND valid_from IS NOT NULL AND general IS NOT NULL END IS TRUE)
);
CREATE INDEX ON price_lists (valid_from DESC, code DESC) WHERE state = 'active' AND general;
CREATE INDEX ON price_lists (family, valid_from DESC, code DESC) WHERE state = 'active';
COMMENT ON TABLE price_lists IS 'One version of all rates; a quote names the version that priced it. Immutable once active: see revise_price_list.';
COMMENT ON COLUMN price_lists.code IS 'its name; never changes';
COMMENT ON COLUMN price_lists.currency IS 'ISO 4217 code; all rates of the list are in this currency';
COMMENT ON COLUMN price_lists.tax_rate IS 'share, for example 0.20';
COMMENT ON COLUMN price_lists.tax_included IS 'true: rates contain the tax; false: tax is added on top';
COMMENT ON COLUMN price_lists.rounding IS 'unit prices are multiples of this, for example 0.01 or 0.05';
COMMENT ON COLUMN price_lists.quote_validity IS 'how long a quote can be ordered; short where metal prices move';
COMMENT ON COLUMN price_lists.state IS 'draft, active or retired';
COMMENT ON COLUMN price_lists.valid_from IS
  'when it comes into force; NULL in a draft: when it is activated. Of the active lists that have come, the newest prices what names none';
COMMENT ON COLUMN price_lists.general IS
  'does it price those who name no list? NULL in a draft: decided when it is activated, as in the rest of its family, else true unless a partner names it';
COMMENT ON COLUMN price_lists.family IS
  'what it shares with its revisions: the code of the first of them; a partner that names one gets the newest';
COMMENT ON COLUMN price_lists.revises IS 'the list it was copied from';
COMMENT ON COLUMN price_lists.note IS 'why it was made';
COMMENT ON COLUMN price_lists.actor IS 'who made it';
COMMENT ON COLUMN price_lists.sealed_rates IS 'number of its rates when it was activated';
COMMENT ON COLUMN price_lists.sealed_breaks IS 'number of its quantity breaks when it was activated';
ALTER TABLE partners ADD FOREIGN KEY (price_list) REFERENCES price_lists (code);
CREATE INDEX ON partners (price_list) WHERE price_list IS NOT NULL;

CREATE TABLE rates (
  price_list text NOT NULL REFERENCES price_lists (code) ON DELETE CASCADE,
  process text REFERENCES processes (code),
  material text REFERENCES materials (code),
  name text NOT NULL CHECK (mesflow._is_code(name) AND name !~ '^_'),
  value numeric NOT NULL CHECK (value >= 0 AND value < 1e12),
  unit text NOT NULL DEFAULT '',
  public boolean NOT NULL DEFAULT true,
  process_key text GENERATED ALWAYS AS (coalesce(process, '')) STORED,
  material_key text GENERATED ALWAYS AS (coalesce(material, '')) STORED,
  CONSTRAINT rates_key UNIQUE (price_list, process_key, material_key, name)
);
CREATE INDEX ON rates (process) WHERE process IS NOT NULL;
CREATE INDEX ON rates (material) WHERE material IS NOT NULL;
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

CREATE TABLE quantity_breaks (
  price_list text NOT NULL REFERENCES price_lists (code) ON DELETE CASCADE,
  process text REFERENCES processes (code),
  from_quantity integer NOT NULL CHECK (from_quantity BETWEEN 2 AND 1000000),
  percent numeric NOT NULL CHECK (percent >= 0 AND percent <= 100),
  process_key text GENERATED ALWAYS AS (coalesce(process, '')) STORED,
  CONSTRAINT quantity_breaks_key UNIQUE (price_list, process_key, from_quantity)
);
CREATE INDEX ON quantity_breaks (process) WHERE process IS NOT NULL;
COMMENT ON TABLE quantity_breaks IS
  'Discounts by quantity. The highest break that a quantity reaches holds for all of its pieces; where a process has breaks of its own, the general ones do not count.';
COMMENT ON COLUMN quantity_breaks.price_list IS 'the list it belongs to';
COMMENT ON COLUMN quantity_breaks.process IS 'NULL: for all processes without breaks of their own';
COMMENT ON COLUMN quantity_breaks.from_quantity IS 'pieces of one quote, 2 or more';
COMMENT ON COLUMN quantity_breaks.percent IS 'off the price of all pieces, 0 to 100';
COMMENT ON COLUMN quantity_breaks.process_key IS 'process, or empty: made from it, for the index';

-- What a row may be ---------------------------------------------------------------------------------------------------

CREATE FUNCTION _may_restore() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT pg_has_role(session_user, e.extowner, 'MEMBER') FROM pg_extension e WHERE e.extname = 'mesflow';
END;
COMMENT ON FUNCTION _may_restore() IS 'Is the session that of the extension''s owner, or a superuser''s? Only they bring rows as a dump has them.';

CREATE FUNCTION _lock_activation() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(1835364967, 0);
END
$$;
COMMENT ON FUNCTION _lock_activation() IS 'One transaction at a time activates price lists; nobody who reads them waits.';

CREATE FUNCTION _check_price_list() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._check_code('price_lists', NEW.code);
  IF NEW.currency IS NULL OR NEW.currency !~ '^[A-Z]{3}$' THEN
    PERFORM mesflow._raise('MF400', 'a price list needs a currency', format('The currency of "%s" is %s.', NEW.code, coalesce(quote_literal(NEW.currency), 'NULL')),
                           'Give its ISO 4217 code in capital letters, for example EUR.');
  ELSIF NEW.tax_rate IS NULL OR NOT (NEW.tax_rate >= 0 AND NEW.tax_rate < 1) THEN
    PERFORM mesflow._raise('MF400', 'tax rate not allowed', format('The tax rate of "%s" is %s.', NEW.code, coalesce(NEW.tax_rate::text, 'NULL')),
                           'Give it as a share, 0 or more and below 1: 0.20 for 20 %.');
  ELSIF NEW.rounding IS NULL OR NOT (NEW.rounding > 0 AND NEW.rounding < 1e9)
        OR NEW.rounding % power(10::numeric, -mesflow._currency_digits(NEW.currency)) <> 0 THEN
    PERFORM mesflow._raise('MF400', 'rounding not allowed', format('The rounding of "%s" is %s.', NEW.code, coalesce(NEW.rounding::text, 'NULL')),
      format('Give a multiple of %s''s smallest unit, %s.', NEW.currency, round(power(10::numeric, -mesflow._currency_digits(NEW.currency)), mesflow._currency_digits(NEW.currency))));
  ELSIF NEW.quote_validity IS NULL OR NOT (NEW.quote_validity > '0' AND NEW.quote_validity <= '10 years') THEN
    PERFORM mesflow._raise('MF400', 'validity not allowed', format('The quote_validity of "%s" is %s.', NEW.code, coalesce(NEW.quote_validity::text, 'NULL')),
                           'Give a time above 0 and up to 10 years, for example ''30 days''.');
  ELSIF NOT isfinite(NEW.valid_from) THEN
    PERFORM mesflow._raise('MF400', 'moment not allowed', format('The valid_from of "%s" is %s.', NEW.code, NEW.valid_from), 'Give a moment, or NULL for when the list is activated.');
  ELSIF NEW.state IS NULL OR NEW.state NOT IN ('draft', 'active', 'retired') THEN
    PERFORM mesflow._raise('MF400', 'no such state', format('The state of "%s" is %s.', NEW.code, coalesce(quote_literal(NEW.state), 'NULL')),
                           'A price list is draft, active or retired.');
  END IF;
  NEW.family := coalesce(NEW.family, NEW.code);

  IF TG_OP = 'INSERT' THEN
    -- A list that comes with its seal is being restored.
    IF NEW.state = 'draft' THEN
      NEW.sealed_rates := NULL;
      NEW.sealed_breaks := NULL;
    ELSIF NEW.sealed_rates IS NULL OR NOT mesflow._may_restore() THEN
      PERFORM mesflow._raise('MF423', 'a price list begins as a draft', format('"%s" would be %s at once, without rates.', NEW.code, NEW.state),
                             'Insert it as a draft, insert its rates, then set state to active; or call revise_price_list.');
    END IF;
    RETURN NEW;
  END IF;

  IF NEW.code <> OLD.code THEN
    PERFORM mesflow._raise('MF423', 'a code cannot change', format('price_lists.code is "%s" and would become "%s".', OLD.code, NEW.code),
                           'Delete the draft and make another; an active list keeps its name for ever.');
  ELSIF OLD.state = 'draft' AND NEW.state = 'active' THEN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN     -- would not count what has come since
      PERFORM mesflow._raise('MF423', 'not in this isolation level', format('The transaction is %s.', current_setting('transaction_isolation')), 'Activate price lists in READ COMMITTED.');
    END IF;
    PERFORM mesflow._lock_activation();
    NEW.sealed_rates := (SELECT count(*) FROM mesflow.rates r WHERE r.price_list = NEW.code);
    NEW.sealed_breaks := (SELECT count(*) FROM mesflow.quantity_breaks b WHERE b.price_list = NEW.code);
    NEW.valid_from := greatest(NEW.valid_from, clock_timestamp());
    NEW.general := coalesce(NEW.general,
                            (SELECT l.general FROM mesflow.price_lists l WHERE l.family = NEW.family AND l.state <> 'draft' ORDER BY l.valid_from DESC LIMIT 1),
                            NOT EXISTS (SELECT FROM mesflow.partners p JOIN mesflow.price_lists l ON l.code = p.price_list
                                                      WHERE l.family = NEW.family));
    IF EXISTS (SELECT FROM mesflow.price_lists l WHERE l.family = NEW.family AND l.state <> 'draft' AND l.currency <> NEW.currency) THEN
      PERFORM mesflow._raise('MF423', 'a family has one currency', format('"%s" is in %s, and family "%s" in another.', NEW.code, NEW.currency, NEW.family),
                             'Give the list a family of its own, and name that in partners.price_list or partners.currency.');
    ELSIF NEW.sealed_rates = 0 THEN
      PERFORM mesflow._raise('MF423', 'a price list needs rates', format('"%s" has none.', NEW.code), 'Insert its rates before you activate it.');
    END IF;
  ELSIF OLD.state = 'active' AND NEW.state = 'retired' AND (to_jsonb(NEW) - 'state') = (to_jsonb(OLD) - 'state') THEN
    NULL;
  ELSIF NEW.state <> OLD.state THEN
    PERFORM mesflow._raise('MF423', 'not a step of a price list', format('"%s" is %s and would become %s.', NEW.code, OLD.state, NEW.state),
                           'A draft becomes active, an active list retired, and nothing else changes with that.');
  ELSIF OLD.state <> 'draft' AND NEW IS DISTINCT FROM OLD THEN
    PERFORM mesflow._raise('MF423', 'the price list is immutable', format('"%s" is %s; quotes were made from it.', NEW.code, OLD.state),
                           'Call revise_price_list: it makes a copy with other rates and activates that.');
  ELSIF NEW.state = 'draft' THEN
    NEW.sealed_rates := NULL;
    NEW.sealed_breaks := NULL;
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _check_price_list() IS 'The states of a price list: MF400 for what it cannot be, MF423 for what it cannot become.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON price_lists FOR EACH ROW EXECUTE FUNCTION _check_price_list();

CREATE FUNCTION _keep_price_list() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM mesflow._raise('MF423', 'price lists are kept', format('All of %s would go.', TG_TABLE_NAME), 'Delete drafts one by one; active lists are retired, not deleted.');
  ELSIF OLD.state <> 'draft' THEN
    PERFORM mesflow._raise('MF423', 'the price list is kept', format('"%s" is %s; quotes name it.', OLD.code, OLD.state), 'Set its state to retired.');
  END IF;
  RETURN OLD;
END
$$;
COMMENT ON FUNCTION _keep_price_list() IS 'MF423 where a list that quotes may name would go.';
CREATE TRIGGER keep BEFORE DELETE ON price_lists FOR EACH ROW EXECUTE FUNCTION _keep_price_list();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON price_lists FOR EACH STATEMENT EXECUTE FUNCTION _keep_price_list();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON rates FOR EACH STATEMENT EXECUTE FUNCTION _keep_price_list();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON quantity_breaks FOR EACH STATEMENT EXECUTE FUNCTION _keep_price_list();

CREATE FUNCTION _check_rate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NEW.name IS NULL OR NOT mesflow._is_code(NEW.name) OR NEW.name ~ '^_' THEN
    PERFORM mesflow._raise('MF400', 'rate name not allowed', format('The name is %s.', coalesce(to_json(left(NEW.name, 120))::text, 'NULL')),
                           'A name has 1 to 100 characters, no space around it, and does not begin with an underscore.');
  ELSIF NEW.value IS NULL OR NOT (NEW.value >= 0 AND NEW.value < 1e12) THEN
    PERFORM mesflow._raise('MF400', 'rate not allowed',
      format('Rate "%s" of process %s, material %s in price list "%s" is %s.', NEW.name, coalesce(quote_literal(NEW.process), 'NULL'),
             coalesce(quote_literal(NEW.material), 'NULL'), NEW.price_list, coalesce(NEW.value::text, 'NULL')),
      'A rate is 0 or more and below 1000000000000.');
  ELSIF NOT EXISTS (SELECT FROM mesflow.price_lists l WHERE l.code = NEW.price_list) THEN
    PERFORM mesflow._raise('MF404', 'no such price list', format('Rate "%s" names price list %s.', NEW.name, coalesce(quote_literal(NEW.price_list), 'NULL')),
      'Known price lists: ' || mesflow._codes(ARRAY(SELECT l.code FROM mesflow.price_lists l ORDER BY 1 LIMIT 21)) || '.');
  ELSIF NEW.process IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.processes p WHERE p.code = NEW.process) THEN
    PERFORM mesflow._raise('MF404', 'no such process', format('Rate "%s" names process "%s".', NEW.name, NEW.process),
      'Known processes: ' || mesflow._codes(ARRAY(SELECT p.code FROM mesflow.processes p ORDER BY 1 LIMIT 21)) || '.');
  ELSIF NEW.material IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.materials m WHERE m.code = NEW.material) THEN
    PERFORM mesflow._raise('MF404', 'no such material', format('Rate "%s" names material "%s".', NEW.name, NEW.material),
      'Known materials: ' || mesflow._codes(ARRAY(SELECT m.code FROM mesflow.materials m ORDER BY 1 LIMIT 21)) || '.');
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _check_rate() IS 'MF400 and MF404 for a rate that cannot be.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON rates FOR EACH ROW EXECUTE FUNCTION _check_rate();

CREATE FUNCTION _check_break() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NEW.from_quantity IS NULL OR NEW.from_quantity NOT BETWEEN 2 AND 1000000 THEN
    PERFORM mesflow._raise('MF400', 'quantity not allowed', format('A break of price list "%s" begins at %s pieces.', NEW.price_list, coalesce(NEW.from_quantity::text, 'NULL')),
                           'Breaks begin at 2 to 1000000 pieces.');
  ELSIF NEW.percent IS NULL OR NOT (NEW.percent >= 0 AND NEW.percent <= 100) THEN
    PERFORM mesflow._raise('MF400', 'percentage not allowed', format('The break at %s pieces takes %s percent off.', NEW.from_quantity, coalesce(NEW.percent::text, 'NULL')),
                           'Give 0 to 100, 10 for 10 %.');
  ELSIF NOT EXISTS (SELECT FROM mesflow.price_lists l WHERE l.code = NEW.price_list) THEN
    PERFORM mesflow._raise('MF404', 'no such price list', format('A quantity break names price list %s.', coalesce(quote_literal(NEW.price_list), 'NULL')),
      'Known price lists: ' || mesflow._codes(ARRAY(SELECT l.code FROM mesflow.price_lists l ORDER BY 1 LIMIT 21)) || '.');
  ELSIF NEW.process IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.processes p WHERE p.code = NEW.process) THEN
    PERFORM mesflow._raise('MF404', 'no such process', format('A quantity break names process "%s".', NEW.process),
      'Known processes: ' || mesflow._codes(ARRAY(SELECT p.code FROM mesflow.processes p ORDER BY 1 LIMIT 21)) || '.');
  END IF;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _check_break() IS 'MF400 and MF404 for a quantity break that cannot be.';
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON quantity_breaks FOR EACH ROW EXECUTE FUNCTION _check_break();

-- What rates name stays.
CREATE FUNCTION _keep_rated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lists text[];
BEGIN
  IF TG_TABLE_NAME = 'processes' THEN
    lists := ARRAY(SELECT r.price_list FROM mesflow.rates r WHERE r.process = OLD.code
                   UNION SELECT b.price_list FROM mesflow.quantity_breaks b WHERE b.process = OLD.code ORDER BY 1 LIMIT 21);
  ELSE
    lists := ARRAY(SELECT DISTINCT r.price_list FROM mesflow.rates r WHERE r.material = OLD.code ORDER BY 1 LIMIT 21);
  END IF;
  IF lists <> '{}' THEN
    PERFORM mesflow._raise('MF423', 'price lists name it', format('"%s" of %s is named by price lists: %s.', OLD.code, TG_TABLE_NAME, mesflow._codes(lists)), 'Set active to false instead.');
  END IF;
  RETURN OLD;
END
$$;
COMMENT ON FUNCTION _keep_rated() IS 'MF423 where a process or material is deleted that rates or quantity breaks name.';
CREATE TRIGGER keep_rated BEFORE DELETE ON processes FOR EACH ROW EXECUTE FUNCTION _keep_rated();
CREATE TRIGGER keep_rated BEFORE DELETE ON materials FOR EACH ROW EXECUTE FUNCTION _keep_rated();

-- Whether a list may be touched ---------------------------------------------------------------------------------------
-- The lock keeps it a draft until we commit: activating it waits, then counts what we added.

CREATE FUNCTION _guard_list(touched text[], part text, op text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list mesflow.price_lists;
  held bigint;
BEGIN
  FOR list IN SELECT * FROM mesflow.price_lists l WHERE l.code = ANY (touched) ORDER BY l.code FOR SHARE LOOP
    CONTINUE WHEN list.state = 'draft';
    IF op = 'INSERT' THEN
      IF part = 'rates' THEN
        SELECT count(*) INTO held FROM mesflow.rates r WHERE r.price_list = list.code;
        CONTINUE WHEN held <= list.sealed_rates;
      ELSE
        SELECT count(*) INTO held FROM mesflow.quantity_breaks b WHERE b.price_list = list.code;
        CONTINUE WHEN held <= list.sealed_breaks;
      END IF;
    END IF;
    PERFORM mesflow._raise('MF423', 'the price list is immutable', format('%s of "%s" would change, which is %s; quotes were made from it.', CASE part WHEN 'rates' THEN 'Rates' ELSE 'Quantity breaks' END, list.code, list.state),
                           'Call revise_price_list: it makes a copy with other rates and activates that.');
  END LOOP;
END
$$;
COMMENT ON FUNCTION _guard_list(text[], text, text) IS 'MF423 where a statement has touched a list that is no draft; adding what a restore still lacks is allowed.';

CREATE FUNCTION _guard_touched() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  CASE TG_OP
    WHEN 'INSERT' THEN PERFORM mesflow._guard_list(ARRAY(SELECT DISTINCT n.price_list FROM new_rows n), TG_TABLE_NAME, TG_OP);
    WHEN 'DELETE' THEN PERFORM mesflow._guard_list(ARRAY(SELECT DISTINCT o.price_list FROM old_rows o), TG_TABLE_NAME, TG_OP);
    ELSE PERFORM mesflow._guard_list(ARRAY(SELECT n.price_list FROM new_rows n UNION SELECT o.price_list FROM old_rows o), TG_TABLE_NAME, TG_OP);
  END CASE;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _guard_touched() IS 'Asks _guard_list about the lists that a statement has touched.';
CREATE TRIGGER guard_insert AFTER INSERT ON rates REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION _guard_touched();
CREATE TRIGGER guard_update AFTER UPDATE ON rates REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION _guard_touched();
CREATE TRIGGER guard_delete AFTER DELETE ON rates REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION _guard_touched();
CREATE TRIGGER guard_insert AFTER INSERT ON quantity_breaks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION _guard_touched();
CREATE TRIGGER guard_update AFTER UPDATE ON quantity_breaks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION _guard_touched();
CREATE TRIGGER guard_delete AFTER DELETE ON quantity_breaks REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION _guard_touched();

-- Which list prices what ----------------------------------------------------------------------------------------------

CREATE FUNCTION _list_in_force(partner partners) RETURNS price_lists
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mesflow_list_in_force';
COMMENT ON FUNCTION _list_in_force(partners) IS
  'The list that prices the partner now: the newest active revision of its own, or the newest active general one, in its currency. NULL where there is none.';

CREATE FUNCTION _price_list(partner partners, wanted text) RETURNS price_lists
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list mesflow.price_lists;
BEGIN
  IF wanted IS NULL THEN
    RETURN mesflow._list_in_force(partner);
  END IF;
  SELECT * INTO list FROM mesflow.price_lists l WHERE l.code = wanted;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such price list', format('There is no price list "%s".', wanted),
      'Known price lists: ' || mesflow._codes(ARRAY(SELECT l.code FROM mesflow.price_lists l ORDER BY 1 LIMIT 21)) || '.');
  END IF;
  RETURN list;
END
$$;
COMMENT ON FUNCTION _price_list(partners, text) IS
  'The list of this code (MF404), or with NULL the one that prices the partner now. All NULL where there is none.';

CREATE FUNCTION _rates(list price_lists, process text, material text) RETURNS jsonb
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mesflow_rates';
COMMENT ON FUNCTION _rates(price_lists, text, text) IS
  'The rates that hold for a process and material in a price list, {"name": value}, the most specific of each name. Under _private, by name, which of them customers do not see; under _breaks the quantity breaks [[from, percent]]; under _digits the decimals of the currency.';
