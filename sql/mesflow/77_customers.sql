-- Forgetting who an order was for.

-- Words of a text between single spaces, signs that stand around words left out.
CREATE FUNCTION _bare_words(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ' ' || mesflow._fold(translate($1, '.,;:!?()[]{}<>"''`/\|_=*#&«»„“”‚‘’–—…', repeat(' ', 50))) || ' '
$$;
COMMENT ON FUNCTION _bare_words(text) IS 'The words of a text, folded, one space around each.';

CREATE FUNCTION _names_customer(value text, c customers) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  fewest_letters constant integer := 3;
  fewest_digits constant integer := 5;
  most_digits constant integer := 7;    -- the end of a number will do
  key constant text := left(mesflow._phone_key(c.phone), most_digits);
BEGIN
  RETURN CASE
    WHEN strpos(mesflow._fold($1), mesflow._fold(nullif(btrim(c.email), ''))) > 0 THEN 'e-mail address'
    WHEN length(key) >= fewest_digits AND strpos(mesflow._phone_key($1), key) > 0 THEN 'phone number'
    WHEN strpos(mesflow._bare_words($1), mesflow._bare_words(nullif(btrim(c.name), ''))) > 0
      OR EXISTS (SELECT FROM unnest(string_to_array(mesflow._bare_words(c.name), ' ')) w
                  WHERE length(w) >= fewest_letters AND strpos(mesflow._bare_words($1), ' ' || w || ' ') > 0) THEN 'name'
    WHEN strpos(mesflow._bare_words($1), mesflow._bare_words(nullif(btrim(c.company), ''))) > 0 THEN 'company'
    WHEN strpos(mesflow._bare_words($1), mesflow._bare_words(nullif(btrim(c.tax_id), ''))) > 0 THEN 'tax number'
  END;
END
$$;
COMMENT ON FUNCTION _names_customer(text, customers) IS
  'What of this customer a text tells: e-mail address, phone number (its last seven digits), name (whole, or a word of it of three letters or more), company or tax number; NULL for nothing.';

-- A refused statement is not written to the server's log, for the arguments may be what must not be kept.
CREATE FUNCTION erase_customer(order_id uuid, reason text, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_error_statement = panic
AS $$
#variable_conflict use_column
DECLARE
  o mesflow.orders;
  s mesflow.order_statuses;
  c mesflow.customers;
  what text;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  PERFORM mesflow._check_reason($2), mesflow._check_actor($3);
  SELECT * INTO o FROM mesflow.orders k WHERE k.id = $1 FOR SHARE;
  IF NOT FOUND THEN
    PERFORM mesflow._order($1);
  END IF;
  SELECT * INTO c FROM mesflow.customers k WHERE k.order_id = $1 FOR UPDATE;
  IF NOT FOUND OR c.erased_at IS NOT NULL THEN
    RETURN;                             -- nobody is known, or no longer
  END IF;
  SELECT * INTO s FROM mesflow.order_statuses k WHERE k.status = o.status;
  IF s.hold THEN                        -- it is as far as it was before
    SELECT * INTO s FROM mesflow.order_statuses k WHERE k.status = o.held_from;
  END IF;
  IF NOT coalesce(s.terminal OR s.position >= (SELECT k.position FROM mesflow.order_statuses k WHERE k.status = 'shipped'), false) THEN
    PERFORM mesflow._raise('MF423', 'the order needs its customer', format('Order %s is %s: its parcel needs an address.', o.number, o.status),
                           'Erase the customer when the order is shipped, or cancel it first.');
  END IF;
  what := coalesce(mesflow._names_customer($2, c), mesflow._names_customer($3, c));
  IF what IS NOT NULL THEN
    PERFORM mesflow._raise('MF400', 'the reason tells who it was',
      format('The %s contains the customer''s %s.', CASE WHEN mesflow._names_customer($2, c) IS NULL THEN 'actor' ELSE 'reason' END, what),
      'Reason and actor are kept: say it without naming the person.');
  END IF;
  UPDATE mesflow.customers AS e
     SET name = NULL, email = NULL, phone = NULL, company = NULL, tax_id = NULL, locale = NULL, address = NULL, note = NULL, asked_hash = NULL,
         erased_at = clock_timestamp(), erased_by = mesflow._actor($3), erase_reason = $2
   WHERE e.order_id = $1;
END
$$;
COMMENT ON FUNCTION erase_customer(uuid, text, text) IS
  'Forgets who an order was for, for ever: all personal data is gone, when, by whom and why stay. Possible from shipped on and in statuses that end an order. Again is harmless, and changes nothing. The old row leaves the disk with the next VACUUM, and backups as they age. Errors: MF400 (no reason, or a long one; one that tells the person''s name, e-mail, phone, company or tax number), MF404 (order), MF423 (the order still needs an address).';
