-- What is done with orders. What a shop and a floor do all day is in C (src/order/); the rest changes items.

CREATE FUNCTION submit_order(partner text, external_ref text, items jsonb, customer jsonb DEFAULT NULL, due_at timestamptz DEFAULT NULL,
                             traceparent text DEFAULT NULL, priority integer DEFAULT 0) RETURNS uuid
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_submit_order';
COMMENT ON FUNCTION submit_order(text, text, jsonb, jsonb, timestamptz, text, integer) IS
  'Accepts an order and returns its id at once. items: 1 to 1000 of {"model", "material", "process", "quantity" (1), "options" ({})} or {"quote"}; customer: {name, email, phone, company, tax_id, locale, address{}, note}. Items whose models are measured are priced in this transaction, the others later. The same partner, external_ref, items, customer and due_at again return the same id; other content is MF409 with the difference. A broken model raises nothing: its item fails. Errors: MF400 (arguments, by path), MF404 (partner, model, material, process, quote), MF409 (reference, quote already ordered), MF423 (partner inactive, quote expired or not for sale), MF429 (jobs waiting).';

CREATE FUNCTION advance_order(order_id uuid, to_status text, actor text DEFAULT NULL, note text DEFAULT NULL, system text DEFAULT NULL,
                              expect text DEFAULT NULL, detail jsonb DEFAULT '{}') RETURNS void
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_advance_order';
COMMENT ON FUNCTION advance_order(uuid, text, text, text, text, text, jsonb) IS
  'Moves an order to another status, as UPDATE of orders.status does, and says more about it: who (actor; the role otherwise), why (note, for the staff), which system, and detail, a JSON object that partners may see (detail.tracking is kept and can be found). To the status it already has: nothing happens, no error. expect: MF409 unless it is in this status. Errors: MF400 (note, detail), MF404 (order, status, system), MF409 (somebody else moved it at the same moment), MF423 (no such step, not by this role, prices missing or expired).';

CREATE FUNCTION set_priority(order_id uuid, priority integer, actor text DEFAULT NULL, note text DEFAULT NULL) RETURNS void
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_set_priority';
COMMENT ON FUNCTION set_priority(uuid, integer, text, text) IS
  'Sets an order''s priority: higher is sooner. Writes order.changed, unless it has this priority. MF404: no such order. MF423: it has ended.';

CREATE FUNCTION set_due(order_id uuid, due_at timestamptz, actor text DEFAULT NULL, note text DEFAULT NULL) RETURNS void
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_set_due';
COMMENT ON FUNCTION set_due(uuid, timestamptz, text, text) IS
  'Sets the date an order is due; NULL: at approval it is set from its items. Writes order.changed, unless it has this date. MF400: infinite. MF404: no such order. MF423: it has ended.';

CREATE FUNCTION _order_of_event(order_id uuid, counted boolean, OUT partner text, OUT correlation_id uuid, OUT seq bigint) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_order_of_event';
COMMENT ON FUNCTION _order_of_event(uuid, boolean) IS 'For emit(): what an event needs of its order; counted: it gets the next number of the order''s sequence. MF404.';

CREATE FUNCTION _count_events(order_id uuid, events integer) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_count_events';
COMMENT ON FUNCTION _count_events(uuid, integer) IS 'Counts events of an order''s work, which the caller has written under the lock of its row. MF404.';

CREATE FUNCTION _follow_work(order_id uuid, to_status text, actor text) RETURNS boolean
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_follow_work';
COMMENT ON FUNCTION _follow_work(uuid, text, text) IS 'The step that an order makes because of its work; false where the flow has none from where it is. MF404.';

CREATE FUNCTION _sum_order(order_id uuid, actor text, note text, detail jsonb, touched boolean, any_status boolean) RETURNS boolean
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_sum_order';
COMMENT ON FUNCTION _sum_order(uuid, text, text, jsonb, boolean, boolean) IS
  'Locks an order and sets its amounts and, where its items can still change, its status from them. touched: an event even where nothing changes; any_status: amounts also where the items are settled. False where there is no such order.';

CREATE FUNCTION _order(order_id uuid) RETURNS orders
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  o mesflow.orders;
BEGIN
  SELECT * INTO o FROM mesflow.orders l WHERE l.id = $1;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such order', format('There is no order %s.', coalesce($1::text, 'NULL')), 'Find it with mesflow.find_orders().');
  END IF;
  RETURN o;
END
$$;
COMMENT ON FUNCTION _order(uuid) IS 'The order of this id; MF404 otherwise.';

-- Locked before its items are touched, so that whoever sums it up at the same moment waits.
CREATE FUNCTION _order_for_update(order_id uuid, changes_items boolean) RETURNS orders
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  o mesflow.orders;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  SELECT * INTO o FROM mesflow.orders l WHERE l.id = $1 FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    PERFORM mesflow._order($1);
  ELSIF $2 AND NOT (SELECT s.changeable FROM mesflow.order_statuses s WHERE s.status = o.status) THEN
    PERFORM mesflow._raise('MF423', 'the order cannot be changed any more', format('Order %s is "%s" since %s.', o.number, o.status, o.status_since),
                           'Items can be changed until approval; after that cancel an item, or the order.');
  END IF;
  RETURN o;
END
$$;
COMMENT ON FUNCTION _order_for_update(uuid, boolean) IS 'The order of this id, locked; MF404 otherwise, MF423 where its items shall change and cannot.';

CREATE FUNCTION _actor(named text) RETURNS text
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'mesflow_actor';
COMMENT ON FUNCTION _actor(text) IS 'Who acts: the one that the caller names, else the role that the session works as.';

CREATE FUNCTION _check_note(name text, note text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF length(note) > 10000 THEN
    PERFORM mesflow._raise('MF400', 'text too long', format('%s has %s characters; the limit is 10000.', name, length(note)),
                           'Shorten it, or keep the long text elsewhere and write down where.');
  END IF;
END
$$;
COMMENT ON FUNCTION _check_note(text, text) IS 'MF400 for a note or reason of more than 10,000 characters.';

CREATE FUNCTION _check_actor(actor text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF length($1) > 200 THEN
    PERFORM mesflow._raise('MF400', 'text too long', format('actor has %s characters; the limit is 200.', length($1)), 'Name who did it, for example by a login.');
  END IF;
END
$$;
COMMENT ON FUNCTION _check_actor(text) IS 'MF400 for an actor of more than 200 characters.';

CREATE FUNCTION _check_reason(reason text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(btrim(reason), '') = '' THEN
    PERFORM mesflow._raise('MF400', 'a reason is needed', 'The reason is empty.', 'Say in a sentence why.');
  END IF;
  PERFORM mesflow._check_note('reason', reason);
END
$$;
COMMENT ON FUNCTION _check_reason(text) IS 'MF400 for a reason that is missing or too long.';

-- Quotes of orders -----------------------------------------------------------------------------------------------------

CREATE FUNCTION _take_quote(quote uuid, partner text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'mesflow_take_quote';
COMMENT ON FUNCTION _take_quote(uuid, text) IS 'Holds a quote that is to be ordered. MF404 (also another partner''s), MF409 where it is ordered already, MF423 where it cannot be.';

CREATE FUNCTION _release_quotes(order_id uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  quote uuid;
BEGIN
  FOR quote IN SELECT q.id FROM mesflow._order_items i JOIN mesflow._quotes q ON q.id = i.quote
                WHERE i.order_id = $1 AND q.state = 'pending' ORDER BY i.position LOOP
    PERFORM mesflow._release_quote(quote);
  END LOOP;
END
$$;
COMMENT ON FUNCTION _release_quotes(uuid) IS 'Withdraws the quotes of an order that are pending, with their jobs.';

CREATE FUNCTION _release_quote(quote uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  q mesflow._quotes;
BEGIN
  SELECT * INTO q FROM mesflow._quotes l WHERE l.id = $1;
  IF q.state = 'pending' AND NOT mesflow.cancel_job(q.job) THEN
    UPDATE mesflow._quotes SET state = 'cancelled' WHERE id = $1 AND state = 'pending';
  END IF;
END
$$;
COMMENT ON FUNCTION _release_quote(uuid) IS 'Withdraws a pending quote and its job; others that wait for the same model go on.';

CREATE FUNCTION _item_path(item integer, detail text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN $2 LIKE 'options.%' THEN pg_catalog.format('items[%s].%s', $1, $2) ELSE pg_catalog.format('items[%s]: %s', $1, $2) END;
COMMENT ON FUNCTION _item_path(integer, text) IS 'The detail of an error about one item, with its path.';

-- Items as they are asked for, checked; missing parts filled in.
CREATE FUNCTION _asked_items(items jsonb) RETURNS TABLE (item integer, quote uuid, model uuid, material text, process text, quantity integer, options jsonb)
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_asked_items';
COMMENT ON FUNCTION _asked_items(jsonb) IS 'Items of an order as submit_order reads them, counted from 0. MF400, by path.';

CREATE FUNCTION _order_difference(order_id uuid, items jsonb, customer jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  difference text;
BEGIN
  SELECT string_agg(d, '; ') INTO difference FROM (
    SELECT format('items[%s] %s', coalesce(a.item, h.position - 1),
                  CASE WHEN h.position IS NULL THEN 'was not there'
                       WHEN a.item IS NULL THEN 'was there and is not'
                       WHEN a.quote <> h.quote THEN 'had another quote'
                       WHEN a.model <> h.model THEN 'had another model'
                       WHEN a.material <> h.material THEN format('had material "%s", not "%s"', h.material, a.material)
                       WHEN a.process <> h.process THEN format('had process "%s", not "%s"', h.process, a.process)
                       WHEN a.quantity <> h.quantity THEN format('had quantity %s, not %s', h.quantity, a.quantity)
                       ELSE 'had other options' END) AS d
      FROM mesflow._asked_items($2) a
      FULL JOIN (SELECT i.*, q.model, q.material, q.process, q.quantity, q.options
                   FROM mesflow._order_items i JOIN mesflow._quotes q ON q.id = i.quote WHERE i.order_id = $1) h ON h.position = a.item + 1
     WHERE $2 IS NOT NULL
       AND (h.position IS NULL OR a.item IS NULL OR a.quote <> h.quote OR a.model <> h.model OR a.material <> h.material
            OR a.process <> h.process OR a.quantity <> h.quantity OR NOT h.options @> a.options)
     ORDER BY coalesce(a.item, h.position) LIMIT 5) d;
  IF $3 IS NOT NULL THEN
    difference := concat_ws('; ', difference, (
      SELECT 'customer: ' || string_agg(k.key, ', ' ORDER BY k.key)
        FROM (VALUES ('name'), ('email'), ('phone'), ('company'), ('tax_id'), ('locale'), ('address'), ('note')) AS k (key)
        LEFT JOIN mesflow.customers c ON c.order_id = $1
       WHERE nullif($3 -> k.key, 'null') IS DISTINCT FROM nullif(to_jsonb(c) -> k.key, 'null')));
  END IF;
  RETURN difference;
END
$$;
COMMENT ON FUNCTION _order_difference(uuid, jsonb, jsonb) IS 'In what a submission differs from the order that has its reference, as a sentence; customers'' data is only named.';

-- Verbs that change items ------------------------------------------------------------------------------------------------

CREATE FUNCTION _quote_asked(asked record, o orders) RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  state text;
  message text;
  detail text;
  hint text;
BEGIN
  IF asked.quote IS NOT NULL THEN
    PERFORM mesflow._take_quote(asked.quote, o.partner);
    RETURN asked.quote;
  END IF;
  RETURN mesflow.request_quote(asked.model, asked.material, asked.process, asked.quantity, asked.options, o.partner, o.traceparent);
EXCEPTION WHEN SQLSTATE 'MF400' OR SQLSTATE 'MF404' OR SQLSTATE 'MF409' OR SQLSTATE 'MF423' OR SQLSTATE 'MF429' THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  PERFORM mesflow._raise(state, message, mesflow._item_path(asked.item, detail), hint);
END
$$;
COMMENT ON FUNCTION _quote_asked(record, orders) IS 'The quote for an asked item of an order; errors name the item.';

CREATE FUNCTION _cancel_items(items uuid[], reason text, actor text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  quote uuid;
BEGIN
  FOR quote IN UPDATE mesflow._order_items SET cancelled_at = clock_timestamp(), cancelled_by = mesflow._actor($3), cancel_reason = $2
                WHERE id = ANY ($1) RETURNING _order_items.quote LOOP
    PERFORM mesflow._release_quote(quote);
  END LOOP;
END
$$;
COMMENT ON FUNCTION _cancel_items(uuid[], text, text) IS 'Marks items as cancelled and withdraws what they still wait for.';

CREATE FUNCTION change_order(order_id uuid, items jsonb, actor text DEFAULT NULL, note text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  o mesflow.orders;
  asked record;
  kept uuid[] := '{}';
  added uuid[] := '{}';
  same uuid;
  gone uuid[];
BEGIN
  PERFORM mesflow._check_actor($3);
  PERFORM mesflow._check_note('note', $4);
  PERFORM FROM mesflow._asked_items($2);
  o := mesflow._order_for_update($1, true);
  FOR asked IN SELECT * FROM mesflow._asked_items($2) a ORDER BY a.item LOOP
    SELECT i.id INTO same FROM mesflow._order_items i JOIN mesflow._quotes q ON q.id = i.quote
     WHERE i.order_id = $1 AND i.cancelled_at IS NULL AND i.id <> ALL (kept) AND q.state NOT IN ('failed', 'cancelled')
       AND CASE WHEN asked.quote IS NOT NULL THEN i.quote = asked.quote
                ELSE (q.model, q.material, q.process, q.quantity) = (asked.model, asked.material, asked.process, asked.quantity)
                     AND q.options = (SELECT p.defaults || asked.options FROM mesflow.processes p WHERE p.code = q.process) END
     ORDER BY i.position LIMIT 1;
    IF FOUND THEN
      kept := kept || same;
    ELSE
      added := added || mesflow._quote_asked(asked, o);
    END IF;
  END LOOP;
  gone := ARRAY(SELECT i.id FROM mesflow._order_items i WHERE i.order_id = $1 AND i.cancelled_at IS NULL AND i.id <> ALL (kept));
  IF gone = '{}' AND added = '{}' THEN
    RETURN;                             -- it has happened already
  END IF;
  PERFORM mesflow._cancel_items(gone, 'changed', $3);
  INSERT INTO mesflow._order_items (id, order_id, position, quote)
    SELECT mesflow._uuid7(), $1, (SELECT max(i.position) FROM mesflow._order_items i WHERE i.order_id = $1) + u.n, u.quote
      FROM unnest(added) WITH ORDINALITY AS u (quote, n);
  PERFORM mesflow._sum_order($1, mesflow._actor($3), $4, jsonb_build_object('kept', cardinality(kept), 'added', cardinality(added), 'removed', cardinality(gone)), true, false);
END
$$;
COMMENT ON FUNCTION change_order(uuid, jsonb, text, text) IS
  'Replaces the items of an order, until it is approved; items as in submit_order. Equal items keep their place and quote, others are cancelled or added behind; the order''s status follows. The same items again: nothing. Errors: as submit_order; MF404 (order), MF423 (it is approved).';

CREATE FUNCTION cancel_item(item uuid, reason text, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  i mesflow._order_items;
  o mesflow.orders;
BEGIN
  PERFORM mesflow._check_actor($3);
  PERFORM mesflow._check_reason($2);
  SELECT * INTO i FROM mesflow._order_items l WHERE l.id = $1;
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such item', format('There is no item %s.', coalesce($1::text, 'NULL')), 'Items are in mesflow.order_items.');
  END IF;
  o := mesflow._order_for_update(i.order_id, false);
  SELECT * INTO i FROM mesflow._order_items l WHERE l.id = $1;
  IF i.cancelled_at IS NOT NULL THEN
    RETURN;                             -- it has happened already
  ELSIF NOT EXISTS (SELECT FROM mesflow.order_transitions t WHERE t.from_status = o.status AND t.to_status = 'cancelled') THEN
    PERFORM mesflow._raise('MF423', 'the item cannot be cancelled any more', format('Order %s is "%s" since %s.', o.number, o.status, o.status_since),
                           'Items can be cancelled as long as their order can.');
  ELSIF NOT EXISTS (SELECT FROM mesflow._order_items l WHERE l.order_id = o.id AND l.id <> $1 AND l.cancelled_at IS NULL) THEN
    PERFORM mesflow._raise('MF423', 'it is the last item of its order', format('Order %s would have none left.', o.number), 'Cancel the order: mesflow.cancel_order().');
  END IF;
  PERFORM mesflow._cancel_items(ARRAY[$1], $2, $3);
  PERFORM mesflow._sum_order(o.id, mesflow._actor($3), $2, jsonb_build_object('cancelled_position', i.position), true, true);
END
$$;
COMMENT ON FUNCTION cancel_item(uuid, text, text) IS
  'Cancels one item of an order, as long as the order can be cancelled; its amounts follow, its status where it is not approved yet. Again: nothing. MF400 (reason), MF404 (item), MF423 (too late, or the last item).';

CREATE FUNCTION cancel_order(order_id uuid, reason text, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._check_reason($2);
  PERFORM mesflow.advance_order($1, 'cancelled', $3, $2);
END
$$;
COMMENT ON FUNCTION cancel_order(uuid, text, text) IS
  'Cancels an order, at any time before it is shipped; jobs that nobody else needs are withdrawn. Again: nothing. MF400 (reason), MF404 (order), MF423 (too late).';

CREATE FUNCTION requote_order(order_id uuid, actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  o mesflow.orders;
  i record;
  fresh uuid;
  replaced integer := 0;
BEGIN
  PERFORM mesflow._check_actor($2);
  o := mesflow._order_for_update($1, false);
  -- As long as it is still to be approved, in a status of a company's own as well.
  IF NOT EXISTS (SELECT FROM mesflow.order_statuses s
                  WHERE s.status = o.status AND NOT s.hold
                    AND (s.changeable OR EXISTS (SELECT FROM mesflow.order_transitions t WHERE t.from_status = o.status AND t.to_status = 'approved'))) THEN
    PERFORM mesflow._order_for_update($1, true);
  END IF;
  FOR i IN SELECT l.id, l.position - 1 AS item, q.id AS old, NULL::uuid AS quote, q.model, q.material, q.process, q.quantity, q.options
             FROM mesflow._order_items l JOIN mesflow._quotes q ON q.id = l.quote
            WHERE l.order_id = $1 AND l.cancelled_at IS NULL
              AND (q.state IN ('failed', 'cancelled') OR q.state IN ('priced', 'review') AND q.expires_at < clock_timestamp())
            ORDER BY l.position LOOP
    fresh := mesflow._quote_asked(i, o);
    UPDATE mesflow._quotes SET supersedes = i.old WHERE id = fresh;
    UPDATE mesflow._order_items SET quote = fresh WHERE id = i.id;
    replaced := replaced + 1;
  END LOOP;
  IF replaced > 0 THEN
    PERFORM mesflow._sum_order($1, mesflow._actor($2), NULL, jsonb_build_object('requoted', replaced), true, true);
  END IF;
END
$$;
COMMENT ON FUNCTION requote_order(uuid, text) IS
  'New quotes, at the prices of today, for the items of an order whose quotes have expired or failed; its amounts and status follow. Nothing to do: nothing. MF404 (order), MF423 (it is approved).';

CREATE FUNCTION submit_orders(orders jsonb) RETURNS TABLE (external_ref text, order_id uuid, error_code text, error text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 10000;
  known constant text[] := '{partner,external_ref,items,customer,due_at,traceparent,priority}';
  element jsonb;
  number bigint;
  key text;
  detail text;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  ELSIF jsonb_typeof($1) IS DISTINCT FROM 'array' THEN
    PERFORM mesflow._raise('MF400', 'orders must be a JSON array', format('orders is %s.', coalesce(jsonb_typeof($1), 'NULL')),
                           'Pass [{"partner": ..., "external_ref": ..., "items": [...]}, ...].');
  ELSIF jsonb_array_length($1) > most THEN
    PERFORM mesflow._raise('MF400', 'too many orders', format('orders has %s elements.', jsonb_array_length($1)), format('Submit up to %s at a time.', most));
  END IF;
  FOR element, number IN SELECT e, n - 1 FROM jsonb_array_elements($1) WITH ORDINALITY AS a (e, n) LOOP
    external_ref := NULL;
    order_id := NULL;
    error_code := NULL;
    error := NULL;
    BEGIN
      IF jsonb_typeof(element) <> 'object' THEN
        PERFORM mesflow._raise('MF400', 'an order must be a JSON object', format('orders[%s] is %s.', number, jsonb_typeof(element)), 'See submit_order.');
      END IF;
      external_ref := element ->> 'external_ref';
      SELECT k INTO key FROM jsonb_object_keys(element) k WHERE k <> ALL (known) LIMIT 1;
      IF FOUND THEN
        PERFORM mesflow._raise('MF400', 'unknown key', format('orders[%s].%s is not known.', number, left(key, 100)), 'Allowed keys: ' || array_to_string(known, ', ') || '.');
      END IF;
      FOR key IN SELECT k FROM unnest('{partner,external_ref,due_at,traceparent}'::text[]) k WHERE jsonb_typeof(element -> k) NOT IN ('string', 'null') LOOP
        PERFORM mesflow._raise('MF400', 'not a text', format('orders[%s].%s is %s.', number, key, jsonb_typeof(element -> key)), 'Pass it as text.');
      END LOOP;
      IF NOT coalesce(element -> 'priority', '0') @? '$ ? (@.type() == "null" || @.type() == "number" && @ == @.floor() && @ >= -2147483648 && @ <= 2147483647)' THEN
        PERFORM mesflow._raise('MF400', 'priority not allowed', format('orders[%s].priority is %s.', number, left(element ->> 'priority', 100)), 'Pass a whole number.');
      END IF;
      BEGIN
        PERFORM (element ->> 'due_at')::timestamptz;
      EXCEPTION WHEN data_exception THEN
        PERFORM mesflow._raise('MF400', 'not a time', format('orders[%s].due_at is "%s".', number, left(element ->> 'due_at', 100)), 'Pass for example 2027-01-31T12:00:00Z.');
      END;
      order_id := mesflow.submit_order(element ->> 'partner', element ->> 'external_ref', element -> 'items', nullif(element -> 'customer', 'null'),
                                       (element ->> 'due_at')::timestamptz, element ->> 'traceparent', (element ->> 'priority')::numeric::integer);
    EXCEPTION WHEN SQLSTATE 'MF400' OR SQLSTATE 'MF404' OR SQLSTATE 'MF409' OR SQLSTATE 'MF423' OR SQLSTATE 'MF429' THEN
      GET STACKED DIAGNOSTICS error_code = RETURNED_SQLSTATE, error = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
      error := concat_ws(': ', error, detail);
    END;
    RETURN NEXT;
  END LOOP;
END
$$;
COMMENT ON FUNCTION submit_orders(jsonb) IS
  'Submits up to 10,000 orders, an array of objects with the arguments of submit_order as keys. One row each, in their order: the id, or error_code and error of an order that was refused; the others stand. MF400 where it is no array.';

-- Summing up -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION _sum_next_order() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  patience constant text := '50ms';
  n mesflow._orders_to_sum;
  noted bigint[];
BEGIN
  SELECT * INTO n FROM mesflow._orders_to_sum s WHERE s.due <= clock_timestamp() ORDER BY s.due LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM set_config('lock_timeout', patience, true);
  BEGIN
    PERFORM FROM mesflow.orders o WHERE o.id = n.order_id FOR NO KEY UPDATE;
    -- Those seen before the order is summed up, in a statement of its own; what comes later stays for the next round.
    noted := ARRAY(SELECT s.id FROM mesflow._orders_to_sum s WHERE s.order_id = n.order_id FOR UPDATE SKIP LOCKED);
    PERFORM mesflow._sum_order(n.order_id, NULL, NULL, NULL, false, true);
    DELETE FROM mesflow._orders_to_sum WHERE id = ANY (noted);
    PERFORM mesflow._announce();
  EXCEPTION WHEN OTHERS THEN
    UPDATE mesflow._orders_to_sum SET tries = n.tries + 1, due = clock_timestamp() + least(n.tries + 1, 50) * interval '100 ms'
     WHERE id IN (SELECT s.id FROM mesflow._orders_to_sum s WHERE s.order_id = n.order_id FOR UPDATE SKIP LOCKED);
    IF SQLSTATE <> '55P03' THEN
      RAISE WARNING USING ERRCODE = SQLSTATE, MESSAGE = format('order %s could not be summed up: %s', n.order_id, SQLERRM);
    END IF;
  END;
  RETURN true;
END
$$;
COMMENT ON FUNCTION _sum_next_order() IS
  'Sums up one order whose quotes have changed, waiting no longer than a moment for its row; where that is in use it comes again later. False where there is none. For the pricing worker, in a transaction of its own each.';

CREATE FUNCTION _sum_orders() RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  done integer := 0;
BEGIN
  WHILE mesflow._sum_next_order() LOOP
    done := done + 1;
  END LOOP;
  RETURN done;
END
$$;
COMMENT ON FUNCTION _sum_orders() IS 'Sums up all orders that are due, in one transaction; for where no worker runs.';
