-- An order on one page, for a terminal of 80 columns.

CREATE FUNCTION _cell(value text, width integer, to_the_right boolean DEFAULT false) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_cell';
COMMENT ON FUNCTION _cell(text, integer, boolean) IS
  'A text in so many columns of a terminal (1 or more), cut with an ellipsis or filled with spaces; wide characters count as two. Empty for NULL.';

CREATE FUNCTION _span_text(span interval) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s constant numeric := greatest(extract(epoch FROM $1), 0);
  whole constant bigint := floor(s);
BEGIN
  RETURN CASE
    WHEN s < 1 THEN format('%s ms', floor(s * 1000))
    WHEN s < 60 THEN format('%s s', whole)
    WHEN s < 3600 THEN format('%s min', whole / 60) || CASE WHEN whole % 60 > 0 THEN format(' %s s', whole % 60) ELSE '' END
    WHEN s < 86400 THEN format('%s h', whole / 3600) || CASE WHEN whole / 60 % 60 > 0 THEN format(' %s min', whole / 60 % 60) ELSE '' END
    ELSE format('%s d', whole / 86400) || CASE WHEN whole / 3600 % 24 > 0 THEN format(' %s h', whole / 3600 % 24) ELSE '' END
  END;
END
$$;
COMMENT ON FUNCTION _span_text(interval) IS 'A duration in its two largest units, for people.';

CREATE FUNCTION _moment_text(at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_char($1, 'YYYY-MM-DD HH24:MI:SS') $$;
COMMENT ON FUNCTION _moment_text(timestamptz) IS 'A moment in the session''s time zone, to the second.';

-- Inside of a function that runs as its owner, the role of whoever called it: the one it has set, else the one it came as.
CREATE FUNCTION _calling_role() RETURNS name
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(nullif(current_setting('role'), 'none'), session_user)::name $$;
COMMENT ON FUNCTION _calling_role() IS 'The role that the session has set (SET ROLE), else the one that it logged in as.';

CREATE FUNCTION _card_customer(order_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  c mesflow.customers;
BEGIN
  IF NOT has_table_privilege(mesflow._calling_role(), 'mesflow.customers', 'SELECT') THEN
    RETURN NULL;
  END IF;
  SELECT * INTO c FROM mesflow.customers k WHERE k.order_id = $1;
  RETURN CASE WHEN c.erased_at IS NOT NULL THEN format('erased %s · %s', mesflow._moment_text(c.erased_at), c.erase_reason)
              ELSE nullif(concat_ws(' · ', c.name, c.company), '') END;
END
$$;
COMMENT ON FUNCTION _card_customer(uuid) IS 'Who an order is for, where the calling role may read customers; NULL otherwise.';

CREATE FUNCTION _card_items(o orders) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 100;
  i record;
  n integer := 0;
BEGIN
  FOR i IN SELECT * FROM mesflow.order_items v WHERE v.order_id = o.id ORDER BY v.position LIMIT most + 1 LOOP
    n := n + 1;
    IF n = 1 THEN
      RETURN NEXT '   #  ' || mesflow._cell('Material', 14) || ' ' || mesflow._cell('Process', 12) || mesflow._cell('Pieces', 8, true) || '  '
                  || mesflow._cell('State', 9) || mesflow._cell('Per piece', 13, true) || mesflow._cell('Total', 15, true);
    ELSIF n > most THEN
      RETURN NEXT format('      and %s more', (SELECT count(*) - most FROM mesflow._order_items k WHERE k.order_id = o.id));
      EXIT;
    END IF;
    RETURN NEXT mesflow._cell(i.position::text, 4, true) || '  ' || mesflow._cell(i.material, 14) || ' ' || mesflow._cell(i.process, 12)
                || mesflow._cell(i.quantity::text, 8, true) || '  ' || mesflow._cell(i.state, 9)
                || mesflow._cell(i.unit_price::text, 13, true) || mesflow._cell(i.total::text, 15, true);
    IF i.state IN ('failed', 'review', 'cancelled') AND coalesce(i.cancel_reason, i.error, i.error_code) IS NOT NULL THEN
      RETURN NEXT '      ' || mesflow._cell(coalesce(i.cancel_reason, i.error, i.error_code), 74);
    END IF;
  END LOOP;
  IF o.total IS NOT NULL THEN
    RETURN QUERY SELECT repeat(' ', 51) || mesflow._cell(s.label, 13) || mesflow._cell(s.amount::text, 16, true)
                   FROM (VALUES (1, 'Net', o.net), (2, 'Tax', o.tax), (3, 'Total ' || o.currency, o.total)) AS s (at, label, amount) ORDER BY s.at;
  ELSIF n > 0 THEN
    RETURN NEXT repeat(' ', 51) || 'No total';
  END IF;
END
$$;
COMMENT ON FUNCTION _card_items(orders) IS 'The lines of a card that tell the items and what they cost.';

CREATE FUNCTION _card_work(order_id uuid) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 100;
  w record;
  n integer := 0;
BEGIN
  FOR w IN SELECT k.*, i.position,
                  CASE k.state WHEN 'queued' THEN k.queued_at WHEN 'assigned' THEN k.assigned_at WHEN 'started' THEN k.started_at
                               WHEN 'finished' THEN k.finished_at WHEN 'cancelled' THEN k.cancelled_at END AS since
             FROM mesflow._work_orders k JOIN mesflow._order_items i ON i.id = k.item
            WHERE k.order_id = $1 ORDER BY i.position, k.nth LIMIT most + 1 LOOP
    n := n + 1;
    IF n = 1 THEN
      RETURN NEXT '   #  ' || mesflow._cell('Work', 11) || ' ' || mesflow._cell('Operation', 12) || mesflow._cell('Pieces', 7, true) || mesflow._cell('Good/scrap', 12, true) || '  '
                  || mesflow._cell('State', 9) || ' ' || mesflow._cell('Operator', 8) || ' ' || 'Since';
    ELSIF n > most THEN
      RETURN NEXT format('      and %s more', (SELECT count(*) - most FROM mesflow._work_orders k WHERE k.order_id = $1));
      EXIT;
    END IF;
    RETURN NEXT mesflow._cell(w.position::text, 4, true) || '  ' || mesflow._cell(w.order_number || '-' || w.nth, 11) || ' ' || mesflow._cell(w.operation, 12)
                || mesflow._cell(w.quantity::text, 7, true) || mesflow._cell(CASE WHEN w.state = 'finished' THEN format('%s/%s', w.good, w.scrap) END, 12, true) || '  '
                || mesflow._cell(w.state, 9) || ' ' || mesflow._cell(w.operator, 8) || ' ' || coalesce(to_char(w.since, 'MM-DD HH24:MI'), '');
  END LOOP;
END
$$;
COMMENT ON FUNCTION _card_work(uuid) IS 'The lines of a card that tell the work on its items, and who has it.';

CREATE FUNCTION _card_receipts(order_id uuid) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY
    SELECT ' ' || CASE WHEN r.received_at IS NOT NULL THEN '●' WHEN r.expected_by < clock_timestamp() THEN '✗' ELSE '○' END || ' ' || mesflow._cell(r.system, 12)
           || mesflow._cell(CASE WHEN r.received_at IS NOT NULL THEN mesflow._moment_text(r.received_at) || '  ' || r.via
                                 WHEN r.expected_by < clock_timestamp() THEN 'missing since ' || mesflow._moment_text(r.expected_by)
                                 ELSE coalesce('expected by ' || mesflow._moment_text(r.expected_by), 'not yet') END, 35)
           || mesflow._cell(concat_ws(' · ', r.external_id, r.status), 30)
      FROM mesflow._receipts r WHERE r.order_id = $1 ORDER BY r.system;
END
$$;
COMMENT ON FUNCTION _card_receipts(uuid) IS 'The lines of a card that tell which systems have the order.';

CREATE FUNCTION _card_note(event text, detail jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN CASE
    WHEN jsonb_typeof(detail) <> 'object' THEN detail::text
    WHEN event = 'order.changed' AND jsonb_typeof(detail -> 'fields') = 'array'
      THEN (SELECT string_agg(CASE WHEN detail -> 'new' ? f THEN format('%s %s → %s', f, coalesce(detail -> 'old' ->> f, '–'), coalesce(detail -> 'new' ->> f, '–')) ELSE f END, ', ')
              FROM jsonb_array_elements_text(detail -> 'fields') f)
    WHEN event LIKE 'work.%' AND detail -> 'work' ? 'operation'
      THEN concat_ws(' · ', detail #>> '{work,operation}',
                     CASE WHEN event = 'work.corrected' THEN format('%s/%s → %s/%s', detail #>> '{detail,old,good}', detail #>> '{detail,old,scrap}', detail #>> '{detail,new,good}', detail #>> '{detail,new,scrap}')
                          WHEN event = 'work.finished' THEN format('%s good', detail #>> '{work,good}') || CASE WHEN detail #>> '{work,scrap}' <> '0' THEN format(', %s scrap', detail #>> '{work,scrap}') ELSE '' END
                          WHEN detail #>> '{work,quantity}' = '1' THEN '1 piece'
                          ELSE format('%s pieces', detail #>> '{work,quantity}') END)
    WHEN event = 'model.uploaded' THEN detail ->> 'filename'
    WHEN event = 'model.measured' THEN format('%s triangles', detail ->> 'triangles')
    WHEN event = 'quote.requested' THEN format('%s %s × %s', detail ->> 'process', detail ->> 'material', detail ->> 'quantity')
    WHEN event LIKE 'quote.%' OR event = 'model.rejected'
      THEN concat_ws(' · ', (detail ->> 'total') || ' ' || (detail ->> 'currency'), detail ->> 'error_code', detail ->> 'note')
    ELSE (SELECT string_agg(format('%s %s', d.key, d.value #>> '{}'), ', ' ORDER BY d.key)
            FROM jsonb_each(detail) d WHERE jsonb_typeof(d.value) <> 'null' AND d.value NOT IN ('{}', '[]', '""'))
  END;
END
$$;
COMMENT ON FUNCTION _card_note(text, jsonb) IS 'What an event''s detail says, in a few words.';

CREATE FUNCTION _card_timeline(o orders) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most constant integer := 100;
  total bigint;
  closed boolean;
  t record;
BEGIN
  FOR t IN SELECT l.* FROM (SELECT w.*, row_number() OVER () AS n, count(*) OVER () AS total FROM mesflow.order_timeline(o.id) w) l WHERE l.n > l.total - most ORDER BY l.n LOOP
    IF total IS NULL AND t.total > most THEN
      RETURN NEXT format(' ⋮ %s earlier', t.total - most);
    END IF;
    total := t.total;
    IF t.dwell IS NOT NULL AND t.to_status IS NOT NULL THEN
      RETURN NEXT format(' │ %s', mesflow._span_text(t.dwell));
    END IF;
    RETURN NEXT ' ' || CASE WHEN t.to_status IS NOT NULL THEN '●' ELSE '○' END || ' ' || mesflow._moment_text(t.at) || '  ' || mesflow._cell(t.event, 20) || ' '
                || mesflow._cell(concat_ws(' · ', 'by ' || nullif(t.actor, ''), t.system, mesflow._card_note(t.event, t.detail),
                                        CASE WHEN t.to_status IS NULL THEN mesflow._span_text(t.dwell) END), 35);
  END LOOP;
  SELECT s.terminal INTO closed FROM mesflow.order_statuses s WHERE s.status = o.status;
  IF closed IS NOT TRUE THEN
    RETURN NEXT format(' ┆ %s so far', mesflow._span_text(clock_timestamp() - o.status_since));
  END IF;
END
$$;
COMMENT ON FUNCTION _card_timeline(orders) IS 'The lines of a card that tell what happened, and how long each status took.';

CREATE FUNCTION order_card(order_id uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  width constant integer := 80;
  o constant mesflow.orders := mesflow._order($1);
  label constant text := coalesce((SELECT s.label FROM mesflow.order_statuses s WHERE s.status = o.status), o.status);
  customer constant text := mesflow._card_customer(o.id);
  lines text[];
  items constant text[] := ARRAY(SELECT mesflow._card_items(o));
  work constant text[] := ARRAY(SELECT mesflow._card_work(o.id));
  receipts constant text[] := ARRAY(SELECT mesflow._card_receipts(o.id));
BEGIN
  lines := ARRAY[
      repeat('━', width),
      ' ' || mesflow._cell('Order ' || o.number, 39) || mesflow._cell(label, 40, true),
      ' ' || mesflow._cell(o.partner || ' · ' || o.external_ref, 54) || mesflow._cell('since ' || mesflow._moment_text(o.status_since), 25, true),
      repeat('─', width)]
    || CASE WHEN customer IS NOT NULL THEN ARRAY[' Customer   ' || mesflow._cell(customer, 68)] END
    || ARRAY[' Created    ' || mesflow._cell(mesflow._moment_text(o.created_at), 30) || 'Priority   ' || o.priority,
             ' Due        ' || mesflow._cell(coalesce(mesflow._moment_text(o.due_at), '–'), 30) || CASE WHEN o.tracking IS NOT NULL THEN 'Tracking   ' || mesflow._cell(o.tracking, 27) ELSE '' END]
    || CASE WHEN items <> '{}' THEN ARRAY[''] || items END
    || CASE WHEN work <> '{}' THEN ARRAY[''] || work END
    || CASE WHEN receipts <> '{}' THEN ARRAY['', ' Systems'] || receipts END
    || ARRAY['', format(' Timeline (%s)', current_setting('TimeZone'))]
    || ARRAY(SELECT mesflow._card_timeline(o))
    || repeat('━', width);
  RETURN (SELECT string_agg(rtrim(l.line), E'\n' ORDER BY l.at) FROM unnest(lines) WITH ORDINALITY AS l (line, at));
END
$$;
COMMENT ON FUNCTION order_card(uuid) IS
  'An order on one page for a terminal of 80 columns: where it is, what it is, what it costs, what work there is, which systems have it, what happened and how long each status took (times in the session''s time zone). The customer''s name and company appear where the calling role, the one set or else the one logged in, may read mesflow.customers: not for operators. MF404: no such order.';
