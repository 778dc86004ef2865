-- What a person decides about a quote, and how an old one is computed again.

CREATE FUNCTION _quote_for_update(quote uuid) RETURNS _quotes
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  q mesflow._quotes;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  SELECT * INTO q FROM mesflow._quotes l WHERE l.id = $1 FOR UPDATE;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such quote', format('There is no quote %s.', coalesce($1::text, 'NULL')), 'Ask for one with request_quote.');
  END IF;
  IF q.state IN ('priced', 'review') AND q.expires_at < clock_timestamp() THEN
    q.state := 'expired';
  END IF;
  RETURN q;
END
$$;
COMMENT ON FUNCTION _quote_for_update(uuid) IS 'The quote of this id, locked, its state judged by the clock; MF404 otherwise.';

-- What a price by hand adds up to: the same lines as any other, without the discounts, which a person has seen to.
CREATE FUNCTION price_quote(quote uuid, unit_price numeric, note text, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  q mesflow._quotes := mesflow._quote_for_update($1);
  c mesflow.partners;
  list mesflow.price_lists;
  digits integer;
  price mesflow._price;
BEGIN
  IF q.state = 'priced' AND q.by_hand AND q.unit_price = $2 THEN
    RETURN;                             -- it has happened already
  ELSIF q.state NOT IN ('review', 'failed') THEN
    PERFORM mesflow._raise('MF423', 'the quote is not in review', format('Quote %s is %s.', $1, q.state),
      CASE q.state WHEN 'expired' THEN 'Ask for a new one with request_quote, and price that.' ELSE 'A person prices quotes in review, and those that failed.' END);
  ELSIF $2 IS NULL OR NOT ($2 >= 0 AND $2 < 1e12) THEN
    PERFORM mesflow._raise('MF400', 'price not allowed', format('The unit price is %s.', coalesce($2::text, 'NULL')), 'A price is 0 or more and below 1000000000000.');
  ELSIF coalesce(btrim($3), '') = '' THEN
    PERFORM mesflow._raise('MF400', 'a note is needed', 'The note is empty.', 'Say what the price was made from: it becomes the line''s why.');
  END IF;
  SELECT * INTO c FROM mesflow.partners p WHERE p.code = q.partner;
  list := mesflow._price_list(c, q.price_list);
  IF list.code IS NULL THEN
    PERFORM mesflow._raise('MF423', 'no active price list', format('Partner "%s" has none, so the price has no currency and no tax.', q.partner), 'Activate a price list first.');
  END IF;
  digits := mesflow._currency_digits(list.currency);
  IF $2 <> round($2, digits) THEN
    PERFORM mesflow._raise('MF400', 'price not allowed', format('The unit price is %s.', $2), format('%s has %s decimals.', list.currency, digits));
  END IF;
  price := mesflow._price_by_hand(list, q.quantity, round($2, digits), $3);
  UPDATE mesflow._quotes SET state = 'priced', unit_price = price.unit_price, net = price.net, tax = price.tax, total = price.total,
         currency = list.currency, breakdown = price.breakdown, price_list = list.code, priced_at = clock_timestamp(), expires_at = price.expires_at,
         error_code = NULL, error = NULL, by_hand = true, preflight = false, decided_by = coalesce($4, session_user), decided_at = clock_timestamp(), note = $3
   WHERE id = $1;
  PERFORM mesflow._announce();
END
$$;
COMMENT ON FUNCTION price_quote(uuid, numeric, text, text) IS
  'Prices a quote in review, or one that failed, by hand: unit_price per piece, before tax unless the list includes it; note becomes the why of its line. It is valid as long as any other from now on. The same price again is harmless. MF400: price, note. MF404: no such quote. MF423: the quote is in another state.';

CREATE FUNCTION reject_quote(quote uuid, reason text, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  q mesflow._quotes := mesflow._quote_for_update($1);
BEGIN
  IF coalesce(btrim($2), '') = '' THEN
    PERFORM mesflow._raise('MF400', 'a reason is needed', 'The reason is empty.', 'Say in a sentence why it cannot be made: the customer reads it.');
  ELSIF q.state = 'failed' AND q.decided_at IS NOT NULL THEN
    RETURN;                             -- it has happened already
  ELSIF q.state <> 'review' THEN
    PERFORM mesflow._raise('MF423', 'the quote is not in review', format('Quote %s is %s.', $1, q.state), 'Only quotes in review are rejected; cancel_quote withdraws a priced one.');
  END IF;
  UPDATE mesflow._quotes SET state = 'failed', error = $2, preflight = false, decided_by = coalesce($3, session_user), decided_at = clock_timestamp(), note = $2
   WHERE id = $1;
  PERFORM mesflow._announce();
END
$$;
COMMENT ON FUNCTION reject_quote(uuid, text, text) IS
  'Rejects a quote in review: it has failed, with the reason as its error; its error_code still says what put it into review. Again is harmless. MF400: no reason. MF404: no such quote. MF423: the quote is in another state.';

-- Years later --------------------------------------------------------------------------------------------------------

CREATE FUNCTION recompute_quote(quote uuid) RETURNS TABLE (unit_price numeric, net numeric, tax numeric, total numeric, breakdown jsonb, same boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  q mesflow._quotes;
  r mesflow._measurements;
  a mesflow.materials;
  p mesflow.processes;
  c mesflow.partners;
  list mesflow.price_lists;
  price mesflow._price;
BEGIN
  SELECT * INTO q FROM mesflow._quotes l WHERE l.id = $1;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such quote', format('There is no quote %s.', coalesce($1::text, 'NULL')), 'Ask for one with request_quote.');
  ELSIF q.breakdown IS NULL THEN
    PERFORM mesflow._raise('MF423', 'the quote has no price', format('Quote %s is %s.', $1, q.state), 'Only what was priced can be computed again.');
  END IF;
  list := mesflow._price_list(NULL, q.price_list);
  IF q.by_hand THEN
    price := mesflow._price_by_hand(list, q.quantity, q.unit_price, q.note);
  ELSE
    SELECT m.* INTO r FROM mesflow._models o JOIN mesflow._measurements m ON m.sha256 = o.sha256 AND m.unit = o.unit AND m.engine_version = q.engine_version
     WHERE o.id = q.model;
    a := jsonb_populate_record(NULL::mesflow.materials, (SELECT h.content FROM mesflow._catalog_history h WHERE (h.kind, h.code, h.version) = ('materials', q.material, q.material_version)));
    p := jsonb_populate_record(NULL::mesflow.processes, (SELECT h.content FROM mesflow._catalog_history h WHERE (h.kind, h.code, h.version) = ('processes', q.process, q.process_version)));
    c := jsonb_populate_record(NULL::mesflow.partners, (SELECT h.content FROM mesflow._catalog_history h WHERE (h.kind, h.code, h.version) = ('partners', q.partner, q.partner_version)));
    price := mesflow._price(r, a, p, c, list, mesflow._rates(list, q.process, q.material), q.quantity, q.options);
  END IF;
  unit_price := price.unit_price;
  net := price.net;
  tax := price.tax;
  total := price.total;
  breakdown := price.breakdown;
  same := coalesce(price.breakdown::text = q.breakdown::text AND (price.unit_price, price.net, price.tax, price.total) = (q.unit_price, q.net, q.tax, q.total), false);
  RETURN NEXT;
END
$$;
COMMENT ON FUNCTION recompute_quote(uuid) IS
  'Computes a priced quote again from what it was made from: its measurement, its price list, and the material, process and partner as they were then. same: to the byte of the breakdown; a pricing function of your own is called as it is today. Writes nothing. MF404: no such quote. MF423: it has no price.';
