-- Delivery: where events go, how far that is, and what came of it. An endpoint reads the outbox by a row of _cursors; what
-- goes well writes nothing but that row and an attempt. What does not has a row in _pending, and the cursor moves past it.

CREATE SEQUENCE _endpoint_numbers AS integer;
COMMENT ON SEQUENCE _endpoint_numbers IS 'Numbers of endpoints, for logs: never given twice.';

CREATE TABLE _endpoints (
  name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 80),
  number integer NOT NULL UNIQUE DEFAULT nextval('_endpoint_numbers'),
  reader text NOT NULL UNIQUE REFERENCES _cursors (name) ON UPDATE CASCADE,
  url text NOT NULL,
  options jsonb NOT NULL DEFAULT '{}',
  filter jsonpath,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
  reason text,
  changed_by text,
  state_since timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE _endpoints IS 'Where events go. Which events, and how far it is, stands in its row of _cursors. Secrets stand here and in _endpoint_secrets: nobody but the owner may read either.';
COMMENT ON COLUMN _endpoints.number IS 'its name in logs';
COMMENT ON COLUMN _endpoints.reader IS 'its cursor: ''endpoint '' and the name';
COMMENT ON COLUMN _endpoints.options IS 'as create_endpoint() took them, secrets included; the filter has a column of its own';
COMMENT ON COLUMN _endpoints.filter IS 'an event goes there only where this predicate holds for its body';
COMMENT ON COLUMN _endpoints.reason IS 'why it is paused or disabled';

CREATE TABLE _endpoint_secrets (
  endpoint text NOT NULL REFERENCES _endpoints ON DELETE CASCADE ON UPDATE CASCADE,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  secret bytea NOT NULL CHECK (length(secret) BETWEEN 24 AND 64),
  expires_at timestamptz,
  PRIMARY KEY (endpoint, made_at)
);
COMMENT ON TABLE _endpoint_secrets IS 'Keys of signatures, the newest first in use; older ones sign as well until they expire.';

CREATE TABLE _endpoint_troubles (
  endpoint text PRIMARY KEY REFERENCES _endpoints ON DELETE CASCADE ON UPDATE CASCADE,
  breaker text NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'probing')),
  breaker_until timestamptz,
  opened integer NOT NULL DEFAULT 0,
  failing_since timestamptz,
  failures integer NOT NULL DEFAULT 0,
  last_status integer,
  last_error text,
  last_error_at timestamptz,
  hold_until timestamptz
);
COMMENT ON TABLE _endpoint_troubles IS 'What went wrong with an endpoint; written when something fails, and when it is over.';
COMMENT ON COLUMN _endpoint_troubles.opened IS 'how often in a row the breaker opened: the pause grows with it';
COMMENT ON COLUMN _endpoint_troubles.failing_since IS 'the first failure after the last success; NULL: it works';
COMMENT ON COLUMN _endpoint_troubles.failures IS 'attempts that failed since then';
COMMENT ON COLUMN _endpoint_troubles.hold_until IS 'nothing is sent before, as its Retry-After asked for';

CREATE TABLE _pending (
  endpoint text NOT NULL REFERENCES _endpoints ON DELETE CASCADE ON UPDATE CASCADE,
  id bigint NOT NULL,
  event uuid NOT NULL,
  key text NOT NULL,
  state text NOT NULL CHECK (state IN ('retry', 'parked', 'in_flight', 'replay')),
  due_at timestamptz NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  crashes integer NOT NULL DEFAULT 0,
  first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_status integer,
  last_error text,
  letter bigint,
  PRIMARY KEY (endpoint, id)
) WITH (fillfactor = 80);
COMMENT ON TABLE _pending IS
  'Deliveries that the cursor of their endpoint has passed and that are not done: retry (failed, due again, or has to wait before the first try), parked (waits for an earlier one of the same key), in_flight (has been under way for long), replay (asked for again). Where an endpoint keeps order, one row of each key is due, the others are parked with due_at infinity.';
COMMENT ON COLUMN _pending.id IS 'the event: outbox.id';
COMMENT ON COLUMN _pending.attempts IS 'tries so far; those that only the sender''s end cut short do not count';
COMMENT ON COLUMN _pending.crashes IS 'how often it was under way when the sender ended, or the delivery worker that sent with care';
COMMENT ON COLUMN _pending.letter IS 'replayed from this dead letter, which has the event where the outbox no longer does';
CREATE INDEX ON _pending (endpoint, due_at, id);
CREATE INDEX ON _pending (endpoint, key, id);
CREATE INDEX ON _pending (id);

CREATE TABLE _dead_letters (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  endpoint text NOT NULL,
  id bigint NOT NULL,
  event uuid NOT NULL,
  type text NOT NULL,
  key text NOT NULL,
  key_seq bigint,
  order_id uuid,
  partner text,
  at timestamptz NOT NULL,
  correlation_id uuid,
  traceparent text,
  body text NOT NULL,
  reason text NOT NULL,
  first_at timestamptz NOT NULL,
  died_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts integer NOT NULL,
  last_status integer,
  last_error text,
  resolved text CHECK (resolved IN ('replayed', 'dismissed')),
  resolved_at timestamptz,
  resolved_by text,
  resolved_reason text
);
COMMENT ON TABLE _dead_letters IS 'Deliveries given up on, with the event they were for: the outbox forgets it sooner. resolved: NULL until somebody replays or dismisses it.';
CREATE INDEX ON _dead_letters (endpoint, key, id) WHERE resolved IS NULL;
CREATE INDEX ON _dead_letters (id);
CREATE INDEX ON _dead_letters (order_id);
CREATE INDEX ON _dead_letters (event);
CREATE INDEX ON _dead_letters (died_at);

CREATE TABLE _attempts (
  endpoint integer NOT NULL,
  id bigint NOT NULL,
  event uuid NOT NULL,
  attempt integer NOT NULL,
  at timestamptz NOT NULL,
  status integer,
  duration_us integer NOT NULL,
  error text,
  response text,
  span bytea NOT NULL,
  slot smallint NOT NULL
) PARTITION BY LIST (slot);
COMMENT ON TABLE _attempts IS 'Tries at deliveries, a row each, only added. A ring of 32 days like the outbox.';
COMMENT ON COLUMN _attempts.endpoint IS '_endpoints.number';
COMMENT ON COLUMN _attempts.id IS 'outbox.id';
COMMENT ON COLUMN _attempts.status IS 'of HTTP; NULL: there was no answer, see error';
COMMENT ON COLUMN _attempts.span IS 'the span id in the traceparent that was sent: 8 bytes';
COMMENT ON COLUMN _attempts.slot IS 'the day (UTC) modulo 32';

-- Both grow at their end only.
CREATE INDEX ON _attempts (event, endpoint);
CREATE INDEX ON _attempts USING brin (at);
DO $$
BEGIN
  FOR slot IN 0..31 LOOP
    EXECUTE format('CREATE TABLE mesflow._attempts_%s PARTITION OF mesflow._attempts FOR VALUES IN (%s)', lpad(slot::text, 2, '0'), slot);
    EXECUTE format('COMMENT ON TABLE mesflow._attempts_%s IS ''Attempts of days of slot %s.''', lpad(slot::text, 2, '0'), slot);
  END LOOP;
END
$$;

CREATE TABLE _delivery_lives (
  begun integer NOT NULL
);
COMMENT ON TABLE _delivery_lives IS 'One row: how many lives of the delivery worker in a row have begun and did not go on for a minute. After some of them it sends with care, see src/delivery/life.c.';
INSERT INTO _delivery_lives VALUES (0);

CREATE TABLE _delivery_news (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  endpoint text,
  what text NOT NULL CHECK (what IN ('changed', 'resumed', 'rows', 'letters'))
);
COMMENT ON TABLE _delivery_news IS 'What the delivery worker has to read again: changed (settings, secrets, state, made, dropped), resumed (one that is active is to be tried at once), rows (_pending), letters (a dead letter was resolved). It deletes what it has read.';

CREATE FUNCTION _tell_delivery(endpoint text, what text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mesflow._delivery_news (endpoint, what) VALUES ($1, $2);
  PERFORM mesflow._wake('delivery');
END
$$;
COMMENT ON FUNCTION _tell_delivery(text, text) IS 'At commit, the delivery worker hears of this.';
