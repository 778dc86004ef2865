-- Bodies of an endpoint's own making. A template is JSON text with {{path}} in it. Where that stands inside a string it
-- becomes text, elsewhere a value: whatever the event has there, what comes out is JSON.

CREATE FUNCTION _template_parts(template text) RETURNS TABLE (at integer, literal text, path text, in_string boolean)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  piece text;
  ends integer;
BEGIN
  at := 0;
  in_string := false;
  FOREACH piece IN ARRAY string_to_array($1, '{{') LOOP
    path := NULL;
    IF at > 0 THEN
      ends := strpos(piece, '}}');
      IF ends = 0 THEN
        PERFORM mesflow._refuse_endpoint_option('template', format('has {{ without }}: %s', quote_literal(left('{{' || piece, 60))), 'Write {{data.order.number}}; a { that is text stands as \u007b.');
      END IF;
      path := btrim(left(piece, ends - 1));
      piece := substr(piece, ends + 2);
    END IF;
    literal := piece;
    RETURN NEXT;
    -- An odd number of quotes, those behind a backslash not counted, leads into a string, or out of one.
    in_string := in_string <> (length(translate(regexp_replace(piece, '\\.', '', 'g'), '"', '')) % 2 <> length(regexp_replace(piece, '\\.', '', 'g')) % 2);
    at := at + 1;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _template_parts(text) IS
  'A template, cut at its paths: each row is a path (none in the first) and the text behind it; in_string: the path stands inside a JSON string.';

CREATE FUNCTION _template_value(body jsonb, path text) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN $2 LIKE '$%' THEN jsonb_path_query_first($1, $2::jsonpath, '{}', true) ELSE $1 #> string_to_array($2, '.') END
$$;
COMMENT ON FUNCTION _template_value(jsonb, text) IS 'What an event has at a path: names and numbers with dots between, or a jsonpath, of which the first item counts; NULL where there is nothing.';

CREATE FUNCTION _render_template(template text, body jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(CASE
                      WHEN p.path IS NULL THEN ''
                      WHEN NOT p.in_string THEN coalesce(v.value::text, 'null')
                      WHEN coalesce(v.value, 'null') = 'null' THEN ''
                      ELSE substr(t.quoted, 2, length(t.quoted) - 2)
                    END || p.literal, '' ORDER BY p.at)
    FROM mesflow._template_parts($1) p
   CROSS JOIN LATERAL (SELECT mesflow._template_value($2, p.path) AS value OFFSET 0) v
   CROSS JOIN LATERAL (SELECT to_json(v.value #>> '{}')::text AS quoted OFFSET 0) t
$$;
COMMENT ON FUNCTION _render_template(text, jsonb) IS
  'The template with what the event has. Inside a string: text as it is, other values as JSON, each escaped, nothing for null or what is missing. Elsewhere: the value as JSON, null for what is missing.';

CREATE FUNCTION _check_template(template text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  longest constant integer := 64 * 1024;
  most constant integer := 200;
  part record;
BEGIN
  IF length($1) NOT BETWEEN 1 AND longest THEN
    PERFORM mesflow._refuse_endpoint_option('template', format('has %s characters', length($1)), format('Give 1 to %s.', longest));
  END IF;
  FOR part IN SELECT p.at, p.path, lag(p.literal) OVER (ORDER BY p.at) AS before FROM mesflow._template_parts($1) p LOOP
    CONTINUE WHEN part.at = 0;
    IF part.at > most THEN
      PERFORM mesflow._refuse_endpoint_option('template', format('has more than %s paths', most), 'Take an object as a whole: {{data.order}}.');
    ELSIF part.before ~ '(^|[^\\])(\\\\)*\\(u[0-9A-Fa-f]{0,3})?$' THEN
      PERFORM mesflow._refuse_endpoint_option('template', format('has half an escape before {{%s}}', left(part.path, 60)), 'A backslash takes the next character along: write \\ or \u005c for one that is text.');
    ELSIF part.path LIKE '$%' THEN
      BEGIN
        PERFORM part.path::jsonpath;
      EXCEPTION WHEN syntax_error OR data_exception THEN
        PERFORM mesflow._refuse_endpoint_option('template', format('has the path %s: %s', quote_literal(left(part.path, 60)), SQLERRM), 'A path that begins with $ is a jsonpath.');
      END;
    ELSIF part.path !~ '^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$' THEN
      PERFORM mesflow._refuse_endpoint_option('template', format('has the path %s', quote_literal(left(part.path, 60))), 'Write names with dots between, as in data.order.items.0.material, or a jsonpath that begins with $.');
    END IF;
  END LOOP;
  BEGIN
    PERFORM mesflow._render_template($1, '{}')::json;
  EXCEPTION WHEN data_exception THEN
    PERFORM mesflow._refuse_endpoint_option('template', 'makes no JSON', 'Where each {{path}} is filled, JSON must come out: {"text": "Order {{data.order.number}} is {{data.order.status}}"}.');
  END;
END
$$;
COMMENT ON FUNCTION _check_template(text) IS 'MF400 where a template has braces that do not match, a path that is none, or makes no JSON.';

-- ---- what is added to the body ------------------------------------------------------------------------------------------

CREATE FUNCTION _customer_member(order_id uuid) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('name', c.name, 'email', c.email, 'phone', c.phone, 'company', c.company, 'tax_id', c.tax_id,
                            'locale', c.locale, 'address', c.address, 'note', c.note)
    FROM mesflow.customers c WHERE c.order_id = $1 AND c.erased_at IS NULL
$$;
COMMENT ON FUNCTION _customer_member(uuid) IS 'data.customer of an expanded body: who the order is for, as it is now; NULL where nobody is known, or was erased.';

CREATE FUNCTION _cost_member(order_id uuid) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('currency', min(i.currency), 'private', sum(i.private)::text,
           'items', coalesce(jsonb_agg(jsonb_build_object('position', i.position, 'quote', i.quote, 'private', i.private::text, 'lines', i.lines) ORDER BY i.position), '[]'))
    FROM (SELECT t.position, t.quote, q.currency, coalesce(q.breakdown, '[]') AS lines,
                 (SELECT coalesce(sum((l ->> 'amount')::numeric * CASE l ->> 'per' WHEN 'piece' THEN q.quantity ELSE 1 END), 0)
                    FROM jsonb_array_elements(coalesce(q.breakdown, '[]')) l WHERE l -> 'public' = 'false') AS private
            FROM mesflow._order_items t JOIN mesflow._quotes q ON q.id = t.quote
           WHERE t.order_id = $1 AND t.cancelled_at IS NULL) i
$$;
COMMENT ON FUNCTION _cost_member(uuid) IS
  'data.cost of an expanded body: the breakdowns of the order''s live items with the lines that its partner does not see, and what those come to, as it is now.';

CREATE FUNCTION _request_body(endpoint text, body text, order_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  options constant jsonb := (SELECT e.options FROM mesflow._endpoints e WHERE e.name = $1);
  original constant jsonb := CASE WHEN options ?| '{template,expand}' THEN $2::jsonb END;
  expanded jsonb := original;
BEGIN
  IF original IS NULL THEN
    RETURN $2;
  END IF;
  IF $3 IS NOT NULL AND jsonb_typeof(expanded -> 'data') = 'object' THEN
    IF options -> 'expand' ? 'customer' THEN
      expanded := jsonb_set(expanded, '{data,customer}', coalesce(mesflow._customer_member($3), 'null'));
    END IF;
    IF options -> 'expand' ? 'cost' THEN
      expanded := jsonb_set(expanded, '{data,cost}', coalesce(mesflow._cost_member($3), 'null'));
    END IF;
  END IF;
  IF options ? 'template' THEN
    RETURN mesflow._render_template(options ->> 'template', expanded);
  ELSIF expanded = original THEN
    RETURN $2;
  END IF;
  -- Its members as every body of ours has them, for a CloudEvent's data are cut out of it.
  RETURN format('{"type":%s,"timestamp":%s,"data":%s}', expanded -> 'type', expanded -> 'timestamp', expanded -> 'data');
END
$$;
COMMENT ON FUNCTION _request_body(text, text, uuid) IS 'The body of an event as an endpoint wants it: expanded, then by its template; as it is where it wants neither. Made when it is sent, stored nowhere.';
