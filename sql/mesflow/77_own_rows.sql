-- Dashboards whose rows belong to one order or one work order each: written by triggers in the transaction of what they
-- show, so they are never late, and nobody waits for another order's row. src/dashboard/ has the rules.

CREATE TABLE dashboard_orders (
  order_id uuid NOT NULL,
  number text NOT NULL,
  partner text NOT NULL,
  external_ref text NOT NULL,
  status text NOT NULL,
  status_since timestamptz NOT NULL,
  priority integer NOT NULL,
  total numeric,
  currency text,
  created_at timestamptz NOT NULL,
  due_at timestamptz,
  items integer NOT NULL,
  work_done integer NOT NULL DEFAULT 0,
  work_total integer NOT NULL DEFAULT 0,
  operators text[] NOT NULL DEFAULT '{}',
  alarms text[] NOT NULL DEFAULT '{}',
  as_of timestamptz NOT NULL,
  workable boolean NOT NULL DEFAULT false,
  CONSTRAINT dashboard_orders_pkey PRIMARY KEY (order_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE dashboard_orders IS 'Open orders, a row each; gone when the order ends. Derived: written by triggers only.';
COMMENT ON COLUMN dashboard_orders.order_id IS 'the order';
COMMENT ON COLUMN dashboard_orders.number IS 'its number';
COMMENT ON COLUMN dashboard_orders.partner IS 'whose it is';
COMMENT ON COLUMN dashboard_orders.external_ref IS 'the partner''s own number of it';
COMMENT ON COLUMN dashboard_orders.status IS 'where it is';
COMMENT ON COLUMN dashboard_orders.status_since IS 'since when';
COMMENT ON COLUMN dashboard_orders.priority IS 'higher is sooner';
COMMENT ON COLUMN dashboard_orders.total IS 'price with tax; NULL until all items are priced';
COMMENT ON COLUMN dashboard_orders.currency IS 'ISO 4217 code';
COMMENT ON COLUMN dashboard_orders.created_at IS 'when it arrived';
COMMENT ON COLUMN dashboard_orders.due_at IS 'when it shall be shipped';
COMMENT ON COLUMN dashboard_orders.items IS 'items that are not cancelled';
COMMENT ON COLUMN dashboard_orders.work_done IS 'work orders that are finished';
COMMENT ON COLUMN dashboard_orders.work_total IS 'work orders that are not cancelled';
COMMENT ON COLUMN dashboard_orders.operators IS 'who has work of it, assigned or started';
COMMENT ON COLUMN dashboard_orders.alarms IS 'kinds of alarms about it that are raised';
COMMENT ON COLUMN dashboard_orders.as_of IS 'when the row was written last: all that was committed before is in';
COMMENT ON COLUMN dashboard_orders.workable IS 'is it in a status with work on the floor?';

-- The page; of a partner; due; with an alarm. None has the status, or what else a step changes: an update of the row
-- touches no index then, which is a third of what a step costs on top.
CREATE INDEX dashboard_orders_newest ON dashboard_orders (created_at, order_id);
CREATE INDEX dashboard_orders_partner ON dashboard_orders (partner, created_at, order_id);
CREATE INDEX dashboard_orders_due ON dashboard_orders (due_at, order_id) WHERE due_at IS NOT NULL;
CREATE INDEX dashboard_orders_alarm ON dashboard_orders (created_at, order_id) WHERE alarms <> '{}';

CREATE TABLE _orders_by_status (
  status text NOT NULL,
  created_at timestamptz NOT NULL,
  order_id uuid NOT NULL,
  CONSTRAINT _orders_by_status_pkey PRIMARY KEY (status, created_at, order_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE _orders_by_status IS 'The rows of dashboard_orders by status: the page of a status is a range of the key. Derived: written by triggers only.';

-- rank puts what is free first, then what has an alarm, then by priority: free * 2^34 + alarm * 2^33 + priority.
CREATE TABLE dashboard_dispatch (
  work_order uuid NOT NULL,
  number text NOT NULL,
  order_number text NOT NULL,
  partner text NOT NULL,
  process text NOT NULL,
  operation text NOT NULL,
  material text NOT NULL,
  quantity integer NOT NULL,
  model uuid NOT NULL,
  priority integer NOT NULL,
  operator text,
  station text,
  state text NOT NULL,
  queued_at timestamptz NOT NULL,
  due_at timestamptz,
  alarm boolean NOT NULL,
  as_of timestamptz NOT NULL,
  order_id uuid NOT NULL,
  kind integer NOT NULL,
  rank bigint NOT NULL,
  due_key timestamptz NOT NULL,
  CONSTRAINT dashboard_dispatch_pkey PRIMARY KEY (work_order)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE dashboard_dispatch IS
  'The dispatch list: work that is free (queued) or assigned and not yet started, of orders that are not on hold. Derived: written by triggers only.';
COMMENT ON COLUMN dashboard_dispatch.work_order IS 'the work order';
COMMENT ON COLUMN dashboard_dispatch.number IS 'its number';
COMMENT ON COLUMN dashboard_dispatch.order_number IS 'the order''s number';
COMMENT ON COLUMN dashboard_dispatch.partner IS 'whose order it is';
COMMENT ON COLUMN dashboard_dispatch.process IS 'how it is made';
COMMENT ON COLUMN dashboard_dispatch.operation IS 'what is to be done';
COMMENT ON COLUMN dashboard_dispatch.material IS 'of what it is made';
COMMENT ON COLUMN dashboard_dispatch.quantity IS 'pieces';
COMMENT ON COLUMN dashboard_dispatch.model IS 'what is to be made';
COMMENT ON COLUMN dashboard_dispatch.priority IS 'the order''s priority: higher is sooner';
COMMENT ON COLUMN dashboard_dispatch.operator IS 'who has claimed it; NULL: it is free';
COMMENT ON COLUMN dashboard_dispatch.station IS 'where it was claimed for';
COMMENT ON COLUMN dashboard_dispatch.state IS 'queued or assigned';
COMMENT ON COLUMN dashboard_dispatch.queued_at IS 'since when it could be done';
COMMENT ON COLUMN dashboard_dispatch.due_at IS 'when the order is due';
COMMENT ON COLUMN dashboard_dispatch.alarm IS 'is there an alarm about the order?';
COMMENT ON COLUMN dashboard_dispatch.as_of IS 'when the row was written last: all that was committed before is in';
COMMENT ON COLUMN dashboard_dispatch.order_id IS 'the order';
COMMENT ON COLUMN dashboard_dispatch.kind IS 'process and operation: see _work_kinds';
COMMENT ON COLUMN dashboard_dispatch.rank IS 'the order of the list: free before assigned, then alarms, then priority; higher is sooner';
COMMENT ON COLUMN dashboard_dispatch.due_key IS 'due_at, infinity where there is none';

-- Within a rank by when it was queued, or by when it is due; the same for a kind of work; of a partner.
CREATE INDEX dashboard_dispatch_queued ON dashboard_dispatch (rank, queued_at, work_order);
CREATE INDEX dashboard_dispatch_due ON dashboard_dispatch (rank, due_key, work_order);
CREATE INDEX dashboard_dispatch_kind_queued ON dashboard_dispatch (kind, rank, queued_at, work_order);
CREATE INDEX dashboard_dispatch_kind_due ON dashboard_dispatch (kind, rank, due_key, work_order);
CREATE INDEX dashboard_dispatch_partner ON dashboard_dispatch (partner, rank, queued_at, work_order);
