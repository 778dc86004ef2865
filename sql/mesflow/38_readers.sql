-- Reading the outbox: each event exactly once per reader, however late its transaction commits (see src/outbox/reader.c).

CREATE TABLE _cursors (
  name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
  kind text NOT NULL CHECK (kind IN ('consumer', 'internal')),
  event_types text[] NOT NULL,
  partner text REFERENCES partners (code),
  system text REFERENCES systems (code) ON UPDATE CASCADE,
  seen pg_snapshot NOT NULL,
  floor_id bigint NOT NULL,
  floor_xid xid8 NOT NULL,
  upto pg_snapshot,
  upto_id bigint,
  upto_xid xid8,
  last_id bigint NOT NULL DEFAULT 0,
  batch_id bigint,
  batch_events integer NOT NULL DEFAULT 0,
  done bigint[],
  delivered bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  origin integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  acked_at timestamptz,
  CHECK ((upto IS NULL) = (upto_id IS NULL) AND (upto IS NULL) = (upto_xid IS NULL))
) WITH (fillfactor = 20);
COMMENT ON TABLE _cursors IS
  'How far each reader of the outbox is: between two sets of events, or inside the set that is visible in upto and not in seen. No index but the key: moving is HOT.';
COMMENT ON COLUMN _cursors.seen IS 'all that this snapshot shows was read';
COMMENT ON COLUMN _cursors.floor_id IS 'of the moment of seen: ids drawn by then are at or below it';
COMMENT ON COLUMN _cursors.floor_xid IS 'of the moment of seen: transactions from this one on draw ids above floor_id';
COMMENT ON COLUMN _cursors.upto IS 'the end of the open set; upto_id and upto_xid are its floor';
COMMENT ON COLUMN _cursors.last_id IS 'position in the open set';
COMMENT ON COLUMN _cursors.batch_id IS 'the last event handed out and not acked';
COMMENT ON COLUMN _cursors.done IS 'of an endpoint: events beyond the position that are done already';
COMMENT ON COLUMN _cursors.delivered IS 'of an endpoint: deliveries that went well; failed counts attempts that did not';
COMMENT ON COLUMN _cursors.origin IS 'the database that the snapshots are of: see _origin()';

CREATE TABLE _cursor_backlog (
  reader text NOT NULL REFERENCES _cursors (name) ON DELETE CASCADE,
  id bigint NOT NULL,
  PRIMARY KEY (reader, id)
);
COMMENT ON TABLE _cursor_backlog IS 'Events of the database that this one was restored from, which a reader had not read there; they come first.';

CREATE FUNCTION _restore_cursor() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  LOCK TABLE mesflow._cursors IN SHARE ROW EXCLUSIVE MODE;      -- a worker may be making its reader this very moment
  DELETE FROM mesflow._cursors c WHERE c.name = NEW.name AND c.kind = 'internal' AND c.origin = mesflow._origin();
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION _restore_cursor() IS 'A reader of mesflow''s own that a dump brings takes the place of the one that a worker has made meanwhile.';
CREATE TRIGGER restore BEFORE INSERT ON _cursors FOR EACH ROW WHEN (NEW.kind = 'internal' AND NEW.origin <> mesflow._origin())
  EXECUTE FUNCTION _restore_cursor();

CREATE FUNCTION _mark(OUT seen pg_snapshot, OUT floor_id bigint, OUT floor_xid xid8) RETURNS record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'mesflow_mark';
COMMENT ON FUNCTION _mark() IS 'This moment, for a reader that starts now: its first event is one that commits later. The calling transaction''s own are among them.';

CREATE FUNCTION _unread(name text, slot smallint, most bigint, OUT events bigint, OUT oldest timestamptz) RETURNS record
LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_unread';
COMMENT ON FUNCTION _unread(text, smallint, bigint) IS
  'How many events a reader has still to read, its backlog not counted, and when the oldest happened; NULL or: of this slot of the ring, counted up to so many.';

CREATE FUNCTION _unread_ids(name text) RETURNS SETOF bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'mesflow_unread_ids';
COMMENT ON FUNCTION _unread_ids(text) IS 'The ids of the events that a reader has still to read, in the database that its snapshots are of; without its backlog.';

CREATE FUNCTION _is_event_pattern(pattern text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(length(pattern) <= 102 AND pattern ~ '^(\*|[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*)?)$', false);
COMMENT ON FUNCTION _is_event_pattern(text) IS 'Is this a type of events, "prefix.*" or "*"?';

CREATE FUNCTION _check_event_types(event_types text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  pattern text;
BEGIN
  IF coalesce(cardinality(event_types), 0) = 0 OR array_ndims(event_types) > 1 THEN
    PERFORM mesflow._raise('MF400', 'no types of events', format('event_types is %s.', coalesce(quote_literal(event_types), 'NULL')),
                           'Name at least one, for example ''{order.*}''; ''{*}'' means all.');
  END IF;
  FOREACH pattern IN ARRAY event_types LOOP
    IF NOT mesflow._is_event_pattern(pattern) THEN
      PERFORM mesflow._raise('MF400', 'not a type of events', format('event_types has %s.', coalesce(quote_literal(pattern), 'NULL')),
                             'Give a type as "order.priced", all below a prefix as "order.*", or "*".');
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _check_event_types(text[]) IS 'MF400 where a filter of events is none.';

-- ---- consumers --------------------------------------------------------------------------------------------------------

CREATE FUNCTION create_consumer(name text, event_types text[] DEFAULT '{*}', partner text DEFAULT NULL, system text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  there mesflow._cursors;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  IF coalesce(length(create_consumer.name), 0) NOT BETWEEN 1 AND 100 THEN
    PERFORM mesflow._raise('MF400', 'not a name of a consumer', format('name is %s.', coalesce(quote_literal(create_consumer.name), 'NULL')),
                           'A name has 1 to 100 characters.');
  END IF;
  PERFORM mesflow._check_event_types(create_consumer.event_types);
  IF create_consumer.partner IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.partners p WHERE p.code = create_consumer.partner) THEN
    PERFORM mesflow._raise('MF404', 'no such partner', format('There is no partner %s.', quote_literal(create_consumer.partner)),
                           'The table mesflow.partners lists them.');
  END IF;
  IF create_consumer.system IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.systems s WHERE s.code = create_consumer.system) THEN
    PERFORM mesflow._raise('MF404', 'no such system', format('There is no system %s.', quote_literal(create_consumer.system)),
                           'The table mesflow.systems lists them.');
  END IF;

  INSERT INTO mesflow._cursors (name, kind, event_types, partner, system, seen, floor_id, floor_xid, origin)
    SELECT create_consumer.name, 'consumer', create_consumer.event_types, create_consumer.partner, create_consumer.system,
           m.seen, m.floor_id, m.floor_xid, mesflow._origin()
      FROM mesflow._mark() m
    ON CONFLICT DO NOTHING;
  IF FOUND THEN
    RETURN;
  END IF;
  SELECT * INTO there FROM mesflow._cursors c WHERE c.name = create_consumer.name;
  IF (there.kind, there.event_types, there.partner, there.system)
     IS DISTINCT FROM ('consumer', create_consumer.event_types, create_consumer.partner, create_consumer.system) THEN
    PERFORM mesflow._raise('MF409', 'there is another consumer of this name',
      format('Of consumer %s, %s.', quote_literal(there.name), concat_ws(', ',
        CASE WHEN there.kind <> 'consumer' THEN 'the reader is mesflow''s own' END,
        CASE WHEN there.event_types <> create_consumer.event_types THEN format('event_types is %s', quote_literal(there.event_types)) END,
        CASE WHEN there.partner IS DISTINCT FROM create_consumer.partner THEN format('partner is %s', coalesce(quote_literal(there.partner), 'NULL')) END,
        CASE WHEN there.system IS DISTINCT FROM create_consumer.system THEN format('system is %s', coalesce(quote_literal(there.system), 'NULL')) END)),
      'Take another name, or drop_consumer() it first; it then starts anew.');
  END IF;
END
$$;
COMMENT ON FUNCTION create_consumer(text, text[], text, text) IS
  'Makes a reader of the outbox that starts now. event_types: types, "prefix.*" or "*". partner: only events of this one. system: whose acks are its receipts. The same again is harmless. Errors: MF400 (name, event_types), MF404 (partner, system), MF409 (another one has the name).';

CREATE FUNCTION drop_consumer(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  DELETE FROM mesflow._cursors c WHERE c.name = drop_consumer.name AND c.kind = 'consumer';
  IF NOT FOUND THEN
    PERFORM mesflow._raise('MF404', 'no such consumer', format('There is no consumer %s.', coalesce(quote_literal(drop_consumer.name), 'NULL')),
                           'The view mesflow.consumers lists them.');
  END IF;
END
$$;
COMMENT ON FUNCTION drop_consumer(text) IS 'Forgets a consumer, and what it has read. Errors: MF404.';

CREATE FUNCTION consume(name text, limit_to integer DEFAULT 1000) RETURNS SETOF outbox
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_consume';
COMMENT ON FUNCTION consume(text, integer) IS
  'The next events of a consumer, in the order of their ids, at most limit_to (1 to 100000); the same again until they are acked. Holds the consumer until the end of the transaction. Errors: MF400 (limit_to), MF404 (name), MF503 (standby, copy that is not armed).';

CREATE FUNCTION ack(name text, upto bigint DEFAULT NULL) RETURNS bigint
LANGUAGE c SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'mesflow_ack';
COMMENT ON FUNCTION ack(text, bigint) IS
  'What was handed out is done with, all of it or up to the event with this id; returns how many events that are. For a system''s consumer it is the receipt of each order among them. Errors: MF404 (name), MF409 (upto is not in the batch), MF503 (standby, copy that is not armed).';

CREATE FUNCTION _consume(name text, limit_to integer DEFAULT 1000) RETURNS SETOF outbox
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_consume_internal';
COMMENT ON FUNCTION _consume(text, integer) IS 'consume() for a reader of kind internal.';

CREATE FUNCTION _ack(name text, upto bigint DEFAULT NULL) RETURNS bigint
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_ack_internal';
COMMENT ON FUNCTION _ack(text, bigint) IS 'ack() for a reader of kind internal.';

CREATE FUNCTION _drain_consumer(name text, limit_to bigint DEFAULT NULL) RETURNS bigint
LANGUAGE c AS 'MODULE_PATHNAME', 'mesflow_drain_consumer';
COMMENT ON FUNCTION _drain_consumer(text, bigint) IS 'Lets a consumer pass over its next events, all or so many, unseen; returns how many.';

CREATE VIEW consumers AS
  SELECT c.name, c.event_types, c.partner, c.system, u.events + b.events AS lag_events,
         greatest(clock_timestamp() - least(u.oldest, b.oldest), '0') AS lag, c.acked_at
    FROM _cursors c
   CROSS JOIN LATERAL _unread(c.name, NULL, NULL) u
   CROSS JOIN LATERAL (SELECT count(*) AS events, min(o.at) AS oldest
                         FROM _cursor_backlog b LEFT JOIN outbox o ON o.id = b.id WHERE b.reader = c.name) b
   WHERE c.kind = 'consumer';
COMMENT ON VIEW consumers IS 'Readers of the outbox, and how far behind they are. Counting costs what reading would.';
COMMENT ON COLUMN consumers.name IS 'its name in consume() and ack()';
COMMENT ON COLUMN consumers.event_types IS 'which events it gets';
COMMENT ON COLUMN consumers.partner IS 'only those of this partner; NULL: of all';
COMMENT ON COLUMN consumers.system IS 'whose acks are its receipts';
COMMENT ON COLUMN consumers.lag_events IS 'its events that were committed and not acked';
COMMENT ON COLUMN consumers.lag IS 'the age of the oldest of them; 0 where there is none';
COMMENT ON COLUMN consumers.acked_at IS 'when it acked last';

-- ---- after a restore, and before a slot of the ring is used again ------------------------------------------------------

CREATE FUNCTION rebase() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  reader record;
BEGIN
  IF pg_is_in_recovery() THEN
    PERFORM mesflow._refuse_on_standby();
  END IF;
  FOR reader IN SELECT c.name, e.name AS endpoint, e.filter FROM mesflow._cursors c LEFT JOIN mesflow._endpoints e ON e.reader = c.name
                 WHERE c.origin <> mesflow._origin() ORDER BY c.name FOR UPDATE OF c LOOP
    IF reader.endpoint IS NULL THEN
      INSERT INTO mesflow._cursor_backlog (reader, id)
        SELECT reader.name, u FROM mesflow._unread_ids(reader.name) u
        ON CONFLICT DO NOTHING;
    ELSE
      INSERT INTO mesflow._pending (endpoint, id, event, key, state, due_at)
        SELECT reader.endpoint, o.id, o.event, o.key, 'replay', clock_timestamp()
          FROM mesflow._unread_ids(reader.name) u JOIN mesflow.outbox o ON o.id = u
         WHERE o.type LIKE 'endpoint.%' OR mesflow._event_passes(reader.filter, o.body)
         ORDER BY o.id
        ON CONFLICT DO NOTHING;
    END IF;

    -- Of what this database wrote itself, nothing was read.
    UPDATE mesflow._cursors c
       SET seen = '3:3:', floor_id = 0, floor_xid = '3', upto = NULL, upto_id = NULL, upto_xid = NULL, last_id = 0, batch_id = NULL,
           batch_events = 0, done = NULL, origin = mesflow._origin()
     WHERE c.name = reader.name;
  END LOOP;
END
$$;
COMMENT ON FUNCTION rebase() IS
  'In a restored database: what each reader had not read where the dump was made becomes its backlog (an endpoint''s: deliveries that wait), and from then on it reads what is written here. Called by arm(); again it does nothing.';

CREATE FUNCTION _held_by(slot smallint) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  lowest bigint;
  highest bigint;
BEGIN
  EXECUTE format('SELECT min(o.id), max(o.id) FROM mesflow.outbox_%s o', lpad(slot::text, 2, '0')) INTO lowest, highest;
  RETURN QUERY EXECUTE format('SELECT e.name FROM mesflow._endpoints e
      WHERE EXISTS (SELECT FROM mesflow._pending p WHERE p.endpoint = e.name AND p.id BETWEEN $1 AND $2 AND p.letter IS NULL
                       AND EXISTS (SELECT FROM mesflow.outbox_%s o WHERE o.id = p.id)) ORDER BY e.name', lpad(slot::text, 2, '0')) USING lowest, highest;
END
$$;
COMMENT ON FUNCTION _held_by(smallint) IS 'Endpoints that have still to get an event of this slot of the ring, which their cursors have passed.';

CREATE FUNCTION _readers_past(slot smallint) RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM mesflow._cursors c
                      WHERE c.origin <> mesflow._origin()
                         OR (SELECT u.events FROM mesflow._unread(c.name, $1, 1) u) > 0
                         OR EXISTS (SELECT FROM mesflow._cursor_backlog b JOIN mesflow.outbox o ON o.id = b.id AND o.slot = $1
                                     WHERE b.reader = c.name))
     AND NOT EXISTS (SELECT FROM mesflow._held_by(slot))
$$;
COMMENT ON FUNCTION _readers_past(smallint) IS
  'Has every reader read all that it wants of this slot of the ring, and every endpoint got it? Nothing may be writing to it: ask under the lock with which it is truncated.';
