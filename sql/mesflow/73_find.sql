-- Finding orders by whatever somebody has of them: a number on the phone, a name, a parcel's label.
--
-- Whatever is compared is folded first, and compared by bytes (COLLATE "C"): then a beginning is a range of an index, in
-- any locale. Every look is one short range of one index, and asks for that index's own order: an equality would let the
-- planner go by the ids' index instead, over all orders. Ids are ordered by time, so the newest come first by id.

CREATE FUNCTION _fold(value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_fold';
COMMENT ON FUNCTION _fold(text) IS
  'A text as it is compared: small letters by the rules of Unicode in any locale (ICU''s root collation; a server without ICU goes by its own locale), composed (NFKC), ё as е, trimmed, runs of white space as one space; its first 500 characters.';

CREATE FUNCTION _last_word(value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_last_word';
COMMENT ON FUNCTION _last_word(text) IS 'The last word of a text, folded.';

CREATE FUNCTION _phone_key(phone text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_phone_key';
COMMENT ON FUNCTION _phone_key(text) IS
  'The digits of a phone number from the last to the first, without leading zeros and (0): that of "0664 123456" begins that of "+43 664 123456". NULL without digits.';

CREATE FUNCTION _damm(digits text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_damm';
COMMENT ON FUNCTION _damm(text) IS 'The check digit (Damm) of a text of digits; 0 where its last digit is the check digit of the others. NULL for any other text.';

CREATE INDEX orders_find_ref ON orders ((mesflow._fold(external_ref)) COLLATE "C", id);
CREATE INDEX orders_find_correlation ON orders (correlation_id, id);
CREATE INDEX orders_find_tracking ON orders ((mesflow._fold(tracking)) COLLATE "C", id) WHERE tracking IS NOT NULL;
CREATE INDEX customers_find_name ON customers ((mesflow._fold(name)) COLLATE "C", order_id) WHERE name IS NOT NULL;
CREATE INDEX customers_find_last_word ON customers ((mesflow._last_word(name)) COLLATE "C", order_id) WHERE name IS NOT NULL;
CREATE INDEX customers_find_email ON customers ((mesflow._fold(email)) COLLATE "C", order_id) WHERE email IS NOT NULL;
CREATE INDEX customers_find_phone ON customers ((mesflow._phone_key(phone)) COLLATE "C", order_id) WHERE phone IS NOT NULL;

-- Statistics would keep names and addresses of people who have been erased; these indexes are asked without any.
DO $$
DECLARE
  part record;
BEGIN
  FOR part IN SELECT a.attrelid::regclass AS relation, a.attname, a.attnum, c.relkind
                FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid IN (i.indrelid, i.indexrelid)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
               WHERE i.indrelid = 'mesflow.customers'::regclass
                 AND CASE c.relkind WHEN 'i' THEN i.indkey[a.attnum - 1] = 0
                          ELSE a.attname IN ('name', 'email', 'phone', 'company', 'tax_id', 'locale', 'address', 'note', 'asked_hash') END
               GROUP BY a.attrelid, a.attname, a.attnum, c.relkind LOOP
    EXECUTE format('ALTER %s %s ALTER COLUMN %s SET STATISTICS 0', CASE part.relkind WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END, part.relation,
                   CASE part.relkind WHEN 'i' THEN part.attnum::text ELSE quote_ident(part.attname) END);
  END LOOP;
END
$$;

-- What begins with a text ends before the text with this behind it.
CREATE FUNCTION _after_all() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.chr(1114111);
COMMENT ON FUNCTION _after_all() IS 'The last character there is: a prefix with it behind ends the range of that prefix.';

CREATE FUNCTION _find_by_code(query text, number text, most integer) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hex constant text := CASE WHEN $1 ~ '^[0-9a-f-]{8,36}$' THEN replace($1, '-', '') END;
  start text := CASE WHEN length(hex) BETWEEN 8 AND 32 THEN hex END;
  whole text := CASE WHEN length(hex) = 32 THEN hex END;
BEGIN
  RETURN ARRAY(SELECT o.id FROM mesflow.orders o WHERE o.number = $2)
      || ARRAY(SELECT o.id FROM mesflow.orders o
                WHERE o.id BETWEEN rpad(start, 32, '0')::uuid AND rpad(start, 32, 'f')::uuid ORDER BY o.id DESC LIMIT $3)
      || ARRAY(SELECT o.id FROM mesflow.orders o WHERE mesflow._fold(o.external_ref) COLLATE "C" BETWEEN $1 AND $1 ORDER BY mesflow._fold(o.external_ref) COLLATE "C" DESC, o.id DESC LIMIT $3)
      || ARRAY(SELECT o.id FROM mesflow.orders o WHERE o.correlation_id BETWEEN whole::uuid AND whole::uuid ORDER BY o.correlation_id DESC, o.id DESC LIMIT $3)
      || ARRAY(SELECT r.order_id FROM mesflow._receipts r
                WHERE mesflow._fold(r.external_id) COLLATE "C" BETWEEN $1 AND $1 AND r.external_id IS NOT NULL ORDER BY mesflow._fold(r.external_id) COLLATE "C" DESC, r.order_id DESC LIMIT $3)
      || ARRAY(SELECT o.id FROM mesflow.orders o
                WHERE mesflow._fold(o.tracking) COLLATE "C" BETWEEN $1 AND $1 AND o.tracking IS NOT NULL ORDER BY mesflow._fold(o.tracking) COLLATE "C" DESC, o.id DESC LIMIT $3);
END
$$;
COMMENT ON FUNCTION _find_by_code(text, text, integer) IS
  'Orders by number, id or its start, reference, correlation id, a system''s id, tracking number; in this order, each newest first, up to so many of each.';

-- Of beginnings the first 400 entries of the index are looked at, and the newest of those told. Words in any order are
-- found where the name is one of the query's rotations, or begins or ends with one of its words: of those entries 400
-- in all, judged by their whole name.
CREATE FUNCTION _find_by_name(query text, most integer) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  entries constant integer := 400;
  most_words constant integer := 8;
  words constant text[] := string_to_array($1, ' ');
  n constant integer := cardinality(words);
  portion constant integer := entries / (3 * n);
  word text;
  ids uuid[];
BEGIN
  ids := ARRAY(SELECT c.order_id FROM mesflow.customers c
                  WHERE mesflow._fold(c.name) COLLATE "C" BETWEEN $1 AND $1 AND c.name IS NOT NULL ORDER BY mesflow._fold(c.name) COLLATE "C" DESC, c.order_id DESC LIMIT $2)
        || ARRAY(SELECT b.order_id
                   FROM (SELECT c.order_id FROM mesflow.customers c
                          WHERE mesflow._fold(c.name) COLLATE "C" > $1 AND mesflow._fold(c.name) COLLATE "C" < $1 || mesflow._after_all() AND c.name IS NOT NULL
                          ORDER BY mesflow._fold(c.name) COLLATE "C", c.order_id LIMIT entries) b ORDER BY b.order_id DESC LIMIT $2);
  IF n = 1 THEN
    RETURN ids
        || ARRAY(SELECT c.order_id FROM mesflow.customers c
                  WHERE mesflow._last_word(c.name) COLLATE "C" BETWEEN $1 AND $1 AND c.name IS NOT NULL ORDER BY mesflow._last_word(c.name) COLLATE "C" DESC, c.order_id DESC LIMIT $2)
        || ARRAY(SELECT b.order_id
                   FROM (SELECT c.order_id FROM mesflow.customers c
                          WHERE mesflow._last_word(c.name) COLLATE "C" > $1 AND mesflow._last_word(c.name) COLLATE "C" < $1 || mesflow._after_all() AND c.name IS NOT NULL
                          ORDER BY mesflow._last_word(c.name) COLLATE "C", c.order_id LIMIT entries) b ORDER BY b.order_id DESC LIMIT $2);
  ELSIF n > most_words THEN
    RETURN ids;
  END IF;
  FOR i IN 2 .. n LOOP
    word := array_to_string(words[i:n] || words[1:i - 1], ' ');
    ids := ids
        || ARRAY(SELECT c.order_id FROM mesflow.customers c
                  WHERE mesflow._fold(c.name) COLLATE "C" BETWEEN word AND word AND c.name IS NOT NULL ORDER BY mesflow._fold(c.name) COLLATE "C" DESC, c.order_id DESC LIMIT $2);
  END LOOP;
  RETURN ids || ARRAY(
    SELECT m.order_id
      FROM unnest(words) w
     CROSS JOIN LATERAL (
       (SELECT c.order_id, c.name FROM mesflow.customers c
         WHERE mesflow._last_word(c.name) COLLATE "C" BETWEEN w AND w AND c.name IS NOT NULL ORDER BY mesflow._last_word(c.name) COLLATE "C" DESC, c.order_id DESC LIMIT portion)
       UNION ALL
       (SELECT c.order_id, c.name FROM mesflow.customers c
         WHERE mesflow._last_word(c.name) COLLATE "C" > w AND mesflow._last_word(c.name) COLLATE "C" < w || mesflow._after_all() AND c.name IS NOT NULL
         ORDER BY mesflow._last_word(c.name) COLLATE "C", c.order_id LIMIT portion)
       UNION ALL
       (SELECT c.order_id, c.name FROM mesflow.customers c
         WHERE mesflow._fold(c.name) COLLATE "C" >= w AND mesflow._fold(c.name) COLLATE "C" < w || mesflow._after_all() AND c.name IS NOT NULL
         ORDER BY mesflow._fold(c.name) COLLATE "C", c.order_id LIMIT portion)) m
     CROSS JOIN LATERAL (SELECT ' ' || mesflow._fold(m.name) AS folded OFFSET 0) whole
     WHERE (SELECT bool_and(strpos(whole.folded, ' ' || other) > 0) FROM unnest(words) other)
     GROUP BY m.order_id ORDER BY m.order_id DESC LIMIT $2);
END
$$;
COMMENT ON FUNCTION _find_by_name(text, integer) IS
  'Orders by their customer''s name: whole, its beginning, its last word or the beginning of that, several words in any order; each newest first, up to so many of each.';

CREATE FUNCTION _find_by_contact(query text, most integer) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  entries constant integer := 400;
  fewest_digits constant integer := 5;
  key constant text := CASE WHEN $1 ~ '^[+(]?[0-9][0-9 ()/.-]*$' THEN mesflow._phone_key($1) END;
  number constant text := CASE WHEN length(key) >= fewest_digits THEN key END;
  -- The same number noted without its country, which has one to three digits.
  national constant text[] := CASE WHEN $1 ~ '^([+]|00)' AND length(number) >= fewest_digits + 3
                                   THEN ARRAY(SELECT left(number, -digits) FROM generate_series(1, 3) digits) END;
BEGIN
  RETURN ARRAY(SELECT c.order_id FROM mesflow.customers c
                WHERE mesflow._fold(c.email) COLLATE "C" BETWEEN $1 AND $1 AND c.email IS NOT NULL ORDER BY mesflow._fold(c.email) COLLATE "C" DESC, c.order_id DESC LIMIT $2)
      || ARRAY(SELECT b.order_id
                 FROM (SELECT c.order_id FROM mesflow.customers c
                        WHERE mesflow._fold(c.email) COLLATE "C" > $1 AND mesflow._fold(c.email) COLLATE "C" < $1 || mesflow._after_all() AND c.email IS NOT NULL
                        ORDER BY mesflow._fold(c.email) COLLATE "C", c.order_id LIMIT entries) b ORDER BY b.order_id DESC LIMIT $2)
      || ARRAY(SELECT b.order_id
                 FROM (SELECT c.order_id FROM mesflow.customers c
                        WHERE mesflow._phone_key(c.phone) COLLATE "C" >= number AND mesflow._phone_key(c.phone) COLLATE "C" < number || mesflow._after_all() AND c.phone IS NOT NULL
                        ORDER BY mesflow._phone_key(c.phone) COLLATE "C", c.order_id LIMIT entries) b ORDER BY b.order_id DESC LIMIT $2)
      || ARRAY(SELECT b.order_id
                 FROM unnest(national) k
                CROSS JOIN LATERAL (SELECT c.order_id FROM mesflow.customers c
                                     WHERE mesflow._phone_key(c.phone) COLLATE "C" BETWEEN k AND k AND c.phone IS NOT NULL ORDER BY mesflow._phone_key(c.phone) COLLATE "C" DESC, c.order_id DESC LIMIT $2) b
                ORDER BY b.order_id DESC LIMIT $2);
END
$$;
COMMENT ON FUNCTION _find_by_contact(text, integer) IS
  'Orders by their customer''s e-mail (whole or its beginning) and phone number (five digits or more, its end will do); each newest first, up to so many of each.';

CREATE FUNCTION find_orders(query text, limit_to integer DEFAULT 20) RETURNS SETOF orders
LANGUAGE plpgsql STABLE SECURITY DEFINER
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
  most constant integer := 1000;
  asked constant text := mesflow._fold($1);
  -- Who may not read customers does not find them letter by letter either.
  knows_customers constant boolean := has_table_privilege(mesflow._calling_role(), 'mesflow.customers', 'SELECT');
  number constant text := CASE WHEN asked ~ '^(#|no[.]?)? ?[0-9][0-9 -]*$' THEN regexp_replace(asked, '[^0-9]', '', 'g') END;
BEGIN
  IF coalesce(asked, '') = '' THEN
    PERFORM mesflow._raise('MF400', 'nothing to look for', format('The query is %s.', coalesce(to_json($1)::text, 'NULL')),
                           'Give a number, reference, id, tracking number, or the customer''s name, e-mail or phone.');
  ELSIF $2 IS NULL OR $2 NOT BETWEEN 1 AND most THEN
    PERFORM mesflow._raise('MF400', 'limit not allowed', format('limit_to is %s.', coalesce($2::text, 'NULL')), format('Ask for 1 to %s orders.', most));
  END IF;
  RETURN QUERY
    SELECT o.*
      FROM (SELECT f.id, min(f.at) AS at
              FROM unnest(mesflow._find_by_code(asked, number, $2)
                          || CASE WHEN knows_customers THEN mesflow._find_by_contact(asked, $2) || mesflow._find_by_name(asked, $2) END)
                   WITH ORDINALITY AS f (id, at)
             GROUP BY f.id ORDER BY 2 LIMIT $2) f
      JOIN mesflow.orders o ON o.id = f.id
     ORDER BY f.at;
  IF NOT FOUND AND number ~ '^[1-9][0-9]{5,17}$' AND mesflow._damm(number) <> '0' THEN
    RAISE NOTICE USING ERRCODE = 'MF404', MESSAGE = 'no order can have this number',
      DETAIL = format('The last digit of %s is not the check digit of the others.', number),
      HINT = 'A digit is wrong, or two have changed places: compare it once more.';
  END IF;
END
$$;
COMMENT ON FUNCTION find_orders(text, integer) IS
  'Orders by what somebody has of them: number, the partner''s reference, id or its start (8 hex digits or more), correlation id, a system''s id of it, tracking number, the customer''s e-mail (whole or its beginning), phone (five digits or more, with or without the country), name (whole, its beginning, its last word, several words in any order). Case-blind, ё as е, in any locale. Exact numbers first, then in the order above, each newest first. An erased customer is not found, and no customer by roles that may not read mesflow.customers. A number whose check digit is wrong gets a notice. Errors: MF400 (empty query, limit).';
