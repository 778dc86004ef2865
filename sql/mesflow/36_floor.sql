-- Who works where and when, and what is too late: configuration of the floor and of alarms.

CREATE TABLE limits (
  status text,
  partner text REFERENCES partners (code),
  kind text NOT NULL CHECK (kind IN ('stuck', 'lost', 'silent')),
  after interval NOT NULL CHECK (after > '0'),
  status_key text GENERATED ALWAYS AS (coalesce(status, '')) STORED,
  partner_key text GENERATED ALWAYS AS (coalesce(partner, '')) STORED,
  CONSTRAINT limits_key UNIQUE (kind, status_key, partner_key)
);
COMMENT ON TABLE limits IS 'After what time something is wrong. The limit of a status and partner beats one of the status, which beats one of the partner, which beats a general one.';
COMMENT ON COLUMN limits.status IS 'the status it is about; NULL: any';
COMMENT ON COLUMN limits.partner IS 'whose orders; NULL: everybody''s';
COMMENT ON COLUMN limits.kind IS 'stuck (too long in one status), lost (not confirmed by a system), silent (a system''s feed stopped)';
COMMENT ON COLUMN limits.after IS 'after this time it is wrong';
COMMENT ON COLUMN limits.status_key IS 'status, or empty: made from it, for the index';
COMMENT ON COLUMN limits.partner_key IS 'partner, or empty: made from it, for the index';

CREATE TABLE expectations (
  system text NOT NULL REFERENCES systems (code) ON UPDATE CASCADE ON DELETE CASCADE,
  on_status text NOT NULL,
  within interval NOT NULL CHECK (within > '0' AND within <= '10 years'),
  PRIMARY KEY (system, on_status)
);
COMMENT ON TABLE expectations IS 'Which system must confirm an order that reaches a status, and how soon.';
COMMENT ON COLUMN expectations.system IS 'the system';
COMMENT ON COLUMN expectations.on_status IS 'the status that begins the wait';
COMMENT ON COLUMN expectations.within IS 'after this time without a receipt the order is lost';

CREATE TABLE operators (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  name text NOT NULL,
  login text UNIQUE,
  max_claims integer CHECK (max_claims >= 1),
  active boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE operators IS 'Who works on the floor.';
COMMENT ON COLUMN operators.code IS 'its name in every function';
COMMENT ON COLUMN operators.name IS 'for people';
COMMENT ON COLUMN operators.login IS 'the database role of this operator, where it has one';
COMMENT ON COLUMN operators.max_claims IS 'work orders it may hold at once; NULL: no cap';
COMMENT ON COLUMN operators.active IS 'an inactive operator can claim nothing';

CREATE TABLE stations (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  name text NOT NULL,
  processes text[] NOT NULL DEFAULT '{}' CHECK (array_position(processes, NULL) IS NULL),
  operations text[] NOT NULL DEFAULT '{}' CHECK (array_position(operations, NULL) IS NULL)
);
COMMENT ON TABLE stations IS 'Places on the floor, and what can be done there.';
COMMENT ON COLUMN stations.code IS 'its name in every function';
COMMENT ON COLUMN stations.name IS 'for people';
COMMENT ON COLUMN stations.processes IS 'processes it serves; empty: all';
COMMENT ON COLUMN stations.operations IS 'operations it does; empty: all';

CREATE TABLE shifts (
  code text PRIMARY KEY CHECK (mesflow._is_code(code)),
  starts time NOT NULL,
  ends time NOT NULL CHECK (ends <> starts),
  days integer[] NOT NULL DEFAULT '{1,2,3,4,5}' CHECK (cardinality(days) > 0 AND days <@ '{1,2,3,4,5,6,7}' AND array_position(days, NULL) IS NULL)
);
COMMENT ON TABLE shifts IS 'When people work; a night shift belongs to the day it began.';
COMMENT ON COLUMN shifts.code IS 'its name';
COMMENT ON COLUMN shifts.starts IS 'local time at which it starts';
COMMENT ON COLUMN shifts.ends IS 'local time at which it ends; before starts: on the next day';
COMMENT ON COLUMN shifts.days IS 'ISO days of the week on which it starts: 1 is Monday, 7 is Sunday';

-- Sessions remember the shifts; a change makes them read them again.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shifts FOR EACH STATEMENT EXECUTE FUNCTION _rows_changed();
