-- Which system has an order: the proof that it arrived.

CREATE TABLE _receipts (
  order_id uuid NOT NULL,
  system text NOT NULL REFERENCES systems (code) ON UPDATE CASCADE,
  expected_by timestamptz,
  expected_on text,
  received_at timestamptz,
  via text CHECK (via IN ('delivery', 'confirmation')),
  external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
  status text CHECK (length(status) BETWEEN 1 AND 100),
  status_since timestamptz,
  actor text,
  PRIMARY KEY (order_id, system),
  CHECK ((received_at IS NULL) = (via IS NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE _receipts IS 'Per order and system: until when it must confirm the order, and whether it has. An unmet expectation is a row with expected_by and without received_at.';
CREATE INDEX ON _receipts (expected_by) WHERE received_at IS NULL AND expected_by IS NOT NULL;
