-- Where an order can be, and the steps between: rows, so that a company can add its own.

CREATE TABLE order_statuses (
  status text PRIMARY KEY CHECK (status ~ '^[a-z][a-z0-9_]{0,49}$' AND status <> 'changed'),
  position integer NOT NULL,
  owner_system text REFERENCES systems (code) ON UPDATE CASCADE,
  label text NOT NULL CHECK (label <> ''),
  terminal boolean NOT NULL DEFAULT false,
  hold boolean NOT NULL DEFAULT false,
  changeable boolean NOT NULL DEFAULT false,
  workable boolean NOT NULL DEFAULT false,
  CHECK (NOT (terminal AND hold)),
  CHECK (NOT (workable AND (terminal OR hold OR changeable)))
);
COMMENT ON TABLE order_statuses IS 'Where an order can be. A status of your own is a row here and its steps in order_transitions.';
COMMENT ON COLUMN order_statuses.status IS 'its name: a-z, 0-9 and _; part of the event''s type, order.<status>';
COMMENT ON COLUMN order_statuses.position IS 'order on a board';
COMMENT ON COLUMN order_statuses.owner_system IS 'which system moves orders on from here';
COMMENT ON COLUMN order_statuses.label IS 'for people';
COMMENT ON COLUMN order_statuses.terminal IS 'does the order end here?';
COMMENT ON COLUMN order_statuses.hold IS 'does the order wait here, and go back to where it came from?';
COMMENT ON COLUMN order_statuses.changeable IS 'can its items still be changed here?';
COMMENT ON COLUMN order_statuses.workable IS 'is there work on the floor for orders here?';

CREATE TABLE order_transitions (
  from_status text NOT NULL REFERENCES order_statuses ON UPDATE CASCADE ON DELETE CASCADE,
  to_status text NOT NULL REFERENCES order_statuses ON UPDATE CASCADE ON DELETE CASCADE,
  roles text[] CHECK (array_position(roles, NULL) IS NULL),
  PRIMARY KEY (from_status, to_status),
  CHECK (from_status <> to_status)
);
COMMENT ON TABLE order_transitions IS 'The steps that an order may make.';
COMMENT ON COLUMN order_transitions.from_status IS 'from here';
COMMENT ON COLUMN order_transitions.to_status IS 'to here';
COMMENT ON COLUMN order_transitions.roles IS 'database roles whose members may make the step; NULL: whoever may move orders; empty: only mesflow itself, when it prices';

INSERT INTO order_statuses (status, position, owner_system, label, terminal, hold, changeable, workable) VALUES
  ('submitted', 10, 'shop', 'Submitted', false, false, true, false),
  ('in_review', 20, 'crm', 'In review', false, false, true, false),
  ('pricing_failed', 30, 'crm', 'Pricing failed', false, false, true, false),
  ('priced', 40, 'crm', 'Priced', false, false, true, false),
  ('approved', 50, 'mes', 'Approved', false, false, false, true),
  ('in_production', 60, 'mes', 'In production', false, false, false, true),
  ('on_hold', 65, 'mes', 'On hold', false, true, false, false),
  ('produced', 70, 'mes', 'Produced', false, false, false, false),
  ('packed', 80, 'mes', 'Packed', false, false, false, false),
  ('shipped', 90, 'shop', 'Shipped', false, false, false, false),
  ('delivered', 100, 'shop', 'Delivered', false, false, false, false),
  ('closed', 110, NULL, 'Closed', true, false, false, false),
  ('cancelled', 120, NULL, 'Cancelled', true, false, false, false);

INSERT INTO order_transitions (from_status, to_status, roles) VALUES
  ('submitted', 'in_review', NULL), ('submitted', 'priced', '{}'), ('submitted', 'pricing_failed', '{}'),
  ('in_review', 'priced', NULL), ('in_review', 'pricing_failed', '{}'), ('in_review', 'submitted', '{}'),
  ('pricing_failed', 'priced', '{}'), ('pricing_failed', 'in_review', NULL), ('pricing_failed', 'submitted', '{}'),
  ('priced', 'in_review', NULL), ('priced', 'submitted', '{}'), ('priced', 'pricing_failed', '{}'), ('priced', 'approved', NULL),
  ('approved', 'in_production', NULL), ('in_production', 'produced', NULL), ('produced', 'packed', NULL),
  ('packed', 'shipped', NULL), ('shipped', 'delivered', NULL), ('delivered', 'closed', NULL),
  ('approved', 'on_hold', NULL), ('in_production', 'on_hold', NULL), ('on_hold', 'approved', NULL), ('on_hold', 'in_production', NULL),
  ('submitted', 'cancelled', NULL), ('in_review', 'cancelled', NULL), ('pricing_failed', 'cancelled', NULL), ('priced', 'cancelled', NULL),
  ('approved', 'cancelled', NULL), ('in_production', 'cancelled', NULL), ('on_hold', 'cancelled', NULL), ('produced', 'cancelled', NULL),
  ('packed', 'cancelled', NULL);

ALTER TABLE limits ADD FOREIGN KEY (status) REFERENCES order_statuses ON UPDATE CASCADE;
ALTER TABLE expectations ADD FOREIGN KEY (on_status) REFERENCES order_statuses ON UPDATE CASCADE ON DELETE CASCADE;

-- Sessions remember the flow; a change makes them read it again.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON order_statuses FOR EACH STATEMENT EXECUTE FUNCTION _rows_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON order_transitions FOR EACH STATEMENT EXECUTE FUNCTION _rows_changed();
CREATE TRIGGER flow_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON expectations FOR EACH STATEMENT EXECUTE FUNCTION _rows_changed();
