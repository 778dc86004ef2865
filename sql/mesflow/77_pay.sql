-- What operators have done: what pay is calculated from.

CREATE TABLE dashboard_operators (
  day date NOT NULL,
  shift text,
  operator text NOT NULL,
  process text NOT NULL,
  operation text NOT NULL,
  claimed bigint NOT NULL DEFAULT 0,
  finished bigint NOT NULL DEFAULT 0,
  good bigint NOT NULL DEFAULT 0,
  scrap bigint NOT NULL DEFAULT 0,
  busy interval NOT NULL DEFAULT '0',
  as_of timestamptz NOT NULL,
  CONSTRAINT dashboard_operators_key UNIQUE NULLS NOT DISTINCT (day, shift, operator, process, operation)
) WITH (fillfactor = 70);
COMMENT ON TABLE dashboard_operators IS
  'Work by operator, day, shift and operation. Counted by the writer, in the transaction of the claim, the finish or the correction: exact, and each number is the sum of events.';
COMMENT ON COLUMN dashboard_operators.day IS 'the day in mesflow.time_zone; a night shift belongs to the day it began';
COMMENT ON COLUMN dashboard_operators.shift IS 'the shift: see shifts; NULL: outside of all';
COMMENT ON COLUMN dashboard_operators.operator IS 'who';
COMMENT ON COLUMN dashboard_operators.process IS 'of which process';
COMMENT ON COLUMN dashboard_operators.operation IS 'which operation';
COMMENT ON COLUMN dashboard_operators.claimed IS 'work orders claimed: events work.assigned';
COMMENT ON COLUMN dashboard_operators.finished IS 'work orders finished: events work.finished';
COMMENT ON COLUMN dashboard_operators.good IS 'good pieces, as corrected since';
COMMENT ON COLUMN dashboard_operators.scrap IS 'spoilt pieces, as corrected since';
COMMENT ON COLUMN dashboard_operators.busy IS 'time from start to finish of what was finished';
COMMENT ON COLUMN dashboard_operators.as_of IS 'when the row was written last: all that was committed before is in';
