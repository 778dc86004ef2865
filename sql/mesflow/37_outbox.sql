-- The outbox: what happened, written once, never changed. A ring of 32 days (see the design of logs).

CREATE SEQUENCE _outbox_ids;
COMMENT ON SEQUENCE _outbox_ids IS
  'Numbers of events. Drawn after the writing transaction has its transaction id, and for an order''s events under the lock of its row: readers rely on both, so its CACHE stays 1.';

CREATE TABLE outbox (
  id bigint NOT NULL,
  event uuid NOT NULL,
  type text NOT NULL,
  key text NOT NULL,
  key_seq bigint,
  order_id uuid,
  partner text,
  at timestamptz NOT NULL,
  from_status text,
  to_status text,
  operator text,
  quantity integer,
  dwell interval,
  system text,
  actor text,
  correlation_id uuid,
  traceparent text,
  body text NOT NULL,
  note text,
  xid xid8 NOT NULL,
  origin integer NOT NULL,
  slot smallint NOT NULL
) PARTITION BY LIST (slot);
COMMENT ON TABLE outbox IS 'Events: one row each, in the transaction of what happened. Read them by a consumer, or with plain SELECT.';
COMMENT ON COLUMN outbox.id IS 'number of the event; not the order of commits';
COMMENT ON COLUMN outbox.event IS 'the event''s id for others: the same on every delivery';
COMMENT ON COLUMN outbox.type IS 'for example order.priced';
COMMENT ON COLUMN outbox.key IS 'what it is about: the id of an order, quote or model, or the key given to emit()';
COMMENT ON COLUMN outbox.key_seq IS '1, 2, 3 ... per order, without gaps; NULL where the key is no order';
COMMENT ON COLUMN outbox.order_id IS 'the order it belongs to, where there is one';
COMMENT ON COLUMN outbox.partner IS 'whose it is';
COMMENT ON COLUMN outbox.at IS 'when it happened, by the clock of this server';
COMMENT ON COLUMN outbox.from_status IS 'status of the order before';
COMMENT ON COLUMN outbox.to_status IS 'status of the order after';
COMMENT ON COLUMN outbox.operator IS 'who worked';
COMMENT ON COLUMN outbox.quantity IS 'pieces it is about';
COMMENT ON COLUMN outbox.dwell IS 'how long the order had been in from_status';
COMMENT ON COLUMN outbox.system IS 'which system said so';
COMMENT ON COLUMN outbox.actor IS 'who did it';
COMMENT ON COLUMN outbox.correlation_id IS 'the trace id, from the first upload on';
COMMENT ON COLUMN outbox.traceparent IS 'trace context of the caller';
COMMENT ON COLUMN outbox.body IS 'JSON in UTF-8, exactly as it is sent; no personal data, no private costs';
COMMENT ON COLUMN outbox.note IS 'what whoever did it wrote; for the staff, not in the body';
COMMENT ON COLUMN outbox.xid IS 'the transaction that wrote it, in the database that origin stands for';
COMMENT ON COLUMN outbox.origin IS 'which database wrote it: a digest of its cluster and OID; see rebase()';
COMMENT ON COLUMN outbox.slot IS 'the day (UTC) modulo 32';

-- (id): readers go on from where they are. (xid, id): what a transaction wrote that was open then. (order_id, id): one order.
CREATE INDEX ON outbox (id);
CREATE INDEX ON outbox (xid, id);
CREATE INDEX ON outbox (order_id, id);
DO $$
DECLARE
  col record;
BEGIN
  FOR slot IN 0..31 LOOP
    EXECUTE format('CREATE TABLE mesflow.outbox_%s PARTITION OF mesflow.outbox FOR VALUES IN (%s)', lpad(slot::text, 2, '0'), slot);
    EXECUTE format('COMMENT ON TABLE mesflow.outbox_%s IS ''Events of days of slot %s.''', lpad(slot::text, 2, '0'), slot);
    FOR col IN SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS what
                 FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'mesflow.outbox'::regclass AND a.attnum > 0 LOOP
      EXECUTE format('COMMENT ON COLUMN mesflow.outbox_%s.%I IS %L', lpad(slot::text, 2, '0'), col.attname, col.what);
    END LOOP;
  END LOOP;
END
$$;

CREATE FUNCTION _keep_event() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_keep_event';
COMMENT ON FUNCTION _keep_event() IS 'MF423: an event that was written is neither changed nor deleted.';
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION _keep_event();

CREATE FUNCTION _origin() RETURNS integer
LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mesflow_origin';
COMMENT ON FUNCTION _origin() IS 'A digest of this cluster and database: events written here carry it, events of a restored dump another.';

CREATE FUNCTION _event(type text, key text, partner text, correlation_id uuid, traceparent text, members jsonb) RETURNS uuid
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_event';
COMMENT ON FUNCTION _event(text, text, text, uuid, text, jsonb) IS 'Writes an event about something that is no order; members go into the body''s data. Returns its id.';

CREATE FUNCTION emit(type text, key text, data jsonb, partner text DEFAULT NULL, order_id uuid DEFAULT NULL) RETURNS uuid
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_emit';
COMMENT ON FUNCTION emit(text, text, jsonb, text, uuid) IS
  'Writes an event of your own in the calling transaction; returns its id. type: 1 to 100 of a-z, 0-9, _ and -, in parts joined by dots; the prefixes order. quote. model. work. alarm. endpoint. are mesflow''s. key: 1 to 200 characters. With order_id it belongs to that order (its partner, its correlation id) and, where key is the order''s id, gets the next number of the order''s sequence. Errors: MF400 (type, key, data over 1 MB), MF404 (partner, order).';
