-- Orders, their items and customers. src/order/ has the rules and the diagram.

CREATE SEQUENCE _order_numbers START 10001;
COMMENT ON SEQUENCE _order_numbers IS 'Numbers of orders, before their check digit.';

-- No CHECK constraints here: only functions of ours write these rows, and each constraint is parsed anew with every one.
CREATE TABLE orders (
  id uuid NOT NULL,
  number text NOT NULL,
  partner text NOT NULL,
  external_ref text NOT NULL,
  status text NOT NULL,
  status_since timestamptz NOT NULL,
  event_seq bigint NOT NULL DEFAULT 0,
  net numeric,
  tax numeric,
  total numeric,
  currency text,
  priority integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  due_at timestamptz,
  price_expires_at timestamptz,
  closed_at timestamptz,
  correlation_id uuid NOT NULL,
  traceparent text,
  held_from text,
  status_by text,
  tracking text,
  asked_hash bytea NOT NULL,
  asked_due timestamptz,
  closed_as text,
  CONSTRAINT orders_pkey PRIMARY KEY (id),
  CONSTRAINT orders_number_key UNIQUE (number),
  CONSTRAINT orders_partner_external_ref_key UNIQUE (partner, external_ref)
) WITH (fillfactor = 85);
COMMENT ON TABLE orders IS 'What customers bought. Made by submit_order; status, priority and due_at may be updated directly, under the same rules as advance_order, set_priority and set_due.';
COMMENT ON COLUMN orders.id IS 'the order';
COMMENT ON COLUMN orders.number IS 'short and unique, digits only, the last one a check digit (Damm): for the phone and the barcode';
COMMENT ON COLUMN orders.partner IS 'whose it is';
COMMENT ON COLUMN orders.external_ref IS 'the partner''s own number of it, unique per partner';
COMMENT ON COLUMN orders.status IS 'where it is: see order_statuses';
COMMENT ON COLUMN orders.status_since IS 'since when';
COMMENT ON COLUMN orders.event_seq IS 'number of its last event';
COMMENT ON COLUMN orders.net IS 'sum of its live items without tax; NULL until all are priced';
COMMENT ON COLUMN orders.tax IS 'their tax';
COMMENT ON COLUMN orders.total IS 'net + tax';
COMMENT ON COLUMN orders.currency IS 'ISO 4217 code';
COMMENT ON COLUMN orders.priority IS 'higher is sooner';
COMMENT ON COLUMN orders.created_at IS 'when it arrived';
COMMENT ON COLUMN orders.due_at IS 'when it shall be shipped; set at approval where nobody asked for a date';
COMMENT ON COLUMN orders.price_expires_at IS 'until when it can be approved at these prices';
COMMENT ON COLUMN orders.closed_at IS 'when it reached a terminal status';
COMMENT ON COLUMN orders.correlation_id IS 'the trace id, from the first upload on';
COMMENT ON COLUMN orders.traceparent IS 'trace context that it arrived with';
COMMENT ON COLUMN orders.held_from IS 'where it was before it was put on hold';
COMMENT ON COLUMN orders.status_by IS 'who made the last step';
COMMENT ON COLUMN orders.tracking IS 'tracking number of its parcel, from the detail of a step';
COMMENT ON COLUMN orders.asked_hash IS 'digest of the items first asked for, to know the same order again';
COMMENT ON COLUMN orders.asked_due IS 'the date first asked for';
COMMENT ON COLUMN orders.closed_as IS 'its status, once that is terminal: for the index of ended orders, which steps of open ones do not touch';

-- An item is a quote that was bought; its state and price are the quote's.
CREATE TABLE _order_items (
  id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  position integer NOT NULL,
  quote uuid NOT NULL,
  cancelled_at timestamptz,
  cancelled_by text,
  cancel_reason text,
  CONSTRAINT _order_items_order_position_key UNIQUE (order_id, position),
  CONSTRAINT _order_items_quote_key UNIQUE (quote)
);
COMMENT ON TABLE _order_items IS 'The items of orders: each is one quote, bought once. Cancelled ones keep their position.';

CREATE TABLE customers (
  order_id uuid PRIMARY KEY,
  name text,
  email text,
  phone text,
  company text,
  tax_id text,
  locale text,
  address jsonb CHECK (jsonb_typeof(address) = 'object'),
  note text,
  asked_hash bytea,
  erased_at timestamptz,
  erased_by text,
  erase_reason text
);
COMMENT ON TABLE customers IS 'Who orders are for: the only place of personal data. One row per order that came with a customer.';
COMMENT ON COLUMN customers.order_id IS 'the order';
COMMENT ON COLUMN customers.name IS 'full name';
COMMENT ON COLUMN customers.email IS 'e-mail address';
COMMENT ON COLUMN customers.phone IS 'phone number, as given';
COMMENT ON COLUMN customers.company IS 'company';
COMMENT ON COLUMN customers.tax_id IS 'tax number of the company';
COMMENT ON COLUMN customers.locale IS 'language to write in, for example de-AT';
COMMENT ON COLUMN customers.address IS 'where to send it: a JSON object, as given';
COMMENT ON COLUMN customers.note IS 'what the customer wrote';
COMMENT ON COLUMN customers.asked_hash IS 'digest of the customer first given, to know the same order again; NULL once erased';
COMMENT ON COLUMN customers.erased_at IS 'when the personal data was erased';
COMMENT ON COLUMN customers.erased_by IS 'by whom';
COMMENT ON COLUMN customers.erase_reason IS 'why';

-- Orders whose quotes have changed, to be summed up in a transaction of their own. Rows are only added and removed, so
-- that nobody waits; whoever sums an order up removes the rows that it has seen.
CREATE TABLE _orders_to_sum (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  order_id uuid NOT NULL,
  due timestamptz NOT NULL DEFAULT clock_timestamp(),
  tries integer NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ON _orders_to_sum (due);
CREATE INDEX ON _orders_to_sum (order_id);
COMMENT ON TABLE _orders_to_sum IS 'Orders whose quotes have changed: the pricing worker sums them up.';

CREATE VIEW order_items AS
  SELECT i.id, i.order_id, i.position, q.model, q.material, q.process, q.quantity, q.options, i.quote,
         CASE WHEN i.cancelled_at IS NOT NULL THEN 'cancelled' WHEN q.state = 'cancelled' THEN 'failed' ELSE q.state END AS state,
         q.unit_price, q.net, q.tax, q.total, q.error_code, q.error, q.lead_days, i.cancelled_at, i.cancelled_by, i.cancel_reason
    FROM _order_items i JOIN _quotes q ON q.id = i.quote;
COMMENT ON VIEW order_items IS 'The items of orders.';
COMMENT ON COLUMN order_items.id IS 'the item';
COMMENT ON COLUMN order_items.order_id IS 'its order';
COMMENT ON COLUMN order_items.position IS 'its place in the order, from 1 on';
COMMENT ON COLUMN order_items.model IS 'what is to be made';
COMMENT ON COLUMN order_items.material IS 'of what';
COMMENT ON COLUMN order_items.process IS 'and how';
COMMENT ON COLUMN order_items.quantity IS 'pieces';
COMMENT ON COLUMN order_items.options IS 'the options asked for, and the defaults of the others';
COMMENT ON COLUMN order_items.quote IS 'the quote that was bought, with the breakdown';
COMMENT ON COLUMN order_items.state IS 'pending, review, priced, failed or cancelled';
COMMENT ON COLUMN order_items.unit_price IS 'price of one piece, before tax unless the list includes it';
COMMENT ON COLUMN order_items.net IS 'price of all pieces without tax';
COMMENT ON COLUMN order_items.tax IS 'the tax';
COMMENT ON COLUMN order_items.total IS 'net + tax';
COMMENT ON COLUMN order_items.error_code IS 'why there is no price, or why a person looks at it; stable text';
COMMENT ON COLUMN order_items.error IS 'the same as a sentence';
COMMENT ON COLUMN order_items.lead_days IS 'days from order to dispatch';
COMMENT ON COLUMN order_items.cancelled_at IS 'when it was cancelled';
COMMENT ON COLUMN order_items.cancelled_by IS 'by whom';
COMMENT ON COLUMN order_items.cancel_reason IS 'why';

-- Rules ----------------------------------------------------------------------------------------------------------------

-- They read and write tables that whoever updates an order has no right on.
-- They name everything in full, and what they need of others they do with the rights of the tables' owner: a change of
-- user and path around every row would cost a tenth of a step.
CREATE FUNCTION _order_guard() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_order_guard';
COMMENT ON FUNCTION _order_guard() IS 'The state machine of orders: checks a step, stamps it, counts its events. MF404, MF409, MF423.';
CREATE FUNCTION _order_event() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_order_event';
COMMENT ON FUNCTION _order_event() IS 'Writes the events of an order''s step from its final row.';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION _order_guard();
-- Named so that it comes first: what another trigger does then has the next number.
CREATE TRIGGER "00_write_event" AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION _order_event();

CREATE FUNCTION _quote_event() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_quote_event';
COMMENT ON FUNCTION _quote_event() IS 'Writes quote.priced, quote.review or quote.failed, and notes that the quote is told.';
CREATE TRIGGER write_event_first BEFORE INSERT ON _quotes FOR EACH ROW WHEN (NEW.told IS NULL) EXECUTE FUNCTION _quote_event();
CREATE TRIGGER write_event AFTER UPDATE ON _quotes FOR EACH ROW
  WHEN (NEW.state IN ('priced', 'review', 'failed') AND NOT NEW.preflight AND (OLD.state <> NEW.state OR OLD.preflight OR OLD.total IS DISTINCT FROM NEW.total))
  EXECUTE FUNCTION _quote_event();

CREATE FUNCTION _mark_order() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_mark_order';
COMMENT ON FUNCTION _mark_order() IS 'Notes the order of a quote that has changed, to be summed up.';
CREATE TRIGGER mark_order AFTER UPDATE ON _quotes FOR EACH ROW
  WHEN (OLD.state <> NEW.state OR OLD.total IS DISTINCT FROM NEW.total) EXECUTE FUNCTION _mark_order();

CREATE FUNCTION _keep_ordered() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mesflow._raise('MF423', 'it belongs to an order', format('Rows of %s stay as long as the order does, and orders are never deleted.', TG_TABLE_NAME),
                         'Cancel the item with mesflow.cancel_item(), the order with mesflow.cancel_order(); mesflow.erase_customer() removes personal data.');
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _keep_ordered() IS 'MF423 where items, customers or all orders would be deleted.';
CREATE TRIGGER keep BEFORE DELETE ON _order_items FOR EACH ROW EXECUTE FUNCTION _keep_ordered();
CREATE TRIGGER keep BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION _keep_ordered();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION _keep_ordered();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON _order_items FOR EACH STATEMENT EXECUTE FUNCTION _keep_ordered();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON customers FOR EACH STATEMENT EXECUTE FUNCTION _keep_ordered();

CREATE FUNCTION _keep_partner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM mesflow.orders o WHERE o.partner = OLD.code) THEN
    PERFORM mesflow._raise('MF423', 'the partner has orders', format('Partner "%s" is named by orders.', OLD.code), 'Set partners.active to false.');
  END IF;
  RETURN OLD;
END
$$;
COMMENT ON FUNCTION _keep_partner() IS 'MF423 where a partner is deleted that orders name.';
CREATE TRIGGER keep_ordering BEFORE DELETE ON partners FOR EACH ROW EXECUTE FUNCTION _keep_partner();

CREATE FUNCTION _keep_status() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.status = OLD.status
  AND (((NEW.terminal, NEW.hold, NEW.workable) = (OLD.terminal, OLD.hold, OLD.workable))
       OR (pg_trigger_depth() > 1 AND mesflow._may_restore())) THEN     -- a restore: what is shown of its orders is made anew by arm()
    RETURN NEW;
  ELSIF EXISTS (SELECT FROM mesflow.orders o WHERE o.status = OLD.status OR o.held_from = OLD.status) THEN
    PERFORM mesflow._raise('MF423', 'orders are in this status', format('There are orders in status "%s".', OLD.status), 'Move them on first.');
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION _keep_status() IS 'MF423 where a status that orders are in is deleted, renamed, or would mean something else.';
CREATE TRIGGER keep_used BEFORE UPDATE OR DELETE ON order_statuses FOR EACH ROW EXECUTE FUNCTION _keep_status();
