-- Triggers of a company's own that come between mesflow and an order: refused, with nothing half done.
\getenv srcdir PG_ABS_SRCDIR
\set common :srcdir '/sql/common.psql'
\set orders :srcdir '/sql/orders.psql'
\i :common
\i :orders
SELECT test.measured('ring.stl', test.box(20, 20, 5)) AS ring \gset
SELECT jsonb_build_array(test.item(:'ring')) AS one \gset

-- Before our checks, while an order is submitted: its events are told already.
CREATE FUNCTION test.approve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'priced' THEN
    NEW.status := 'approved';
    NEW.priority := 9;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER aaa BEFORE INSERT ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.approve();
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'bumped', %L)$$, :'one'));
DROP TRIGGER aaa ON mesflow.orders;
-- In the insert.
CREATE FUNCTION test.urgent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.priority := 7;
  RETURN NEW;
END
$$;
CREATE TRIGGER aaa BEFORE INSERT ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.urgent();
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'urgent', %L)$$, :'one'));
DROP TRIGGER aaa ON mesflow.orders;
CREATE FUNCTION test.leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER aaa BEFORE INSERT ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.leave_out();
SELECT test.answer(format($$SELECT mesflow.submit_order('shop', 'left out', %L)$$, :'one'));
DROP TRIGGER aaa ON mesflow.orders;
-- While an event of somebody's own takes a number of the order.
SELECT test.submit('counted', :'one');
CREATE FUNCTION test.cancel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.status := 'cancelled';
  RETURN NEW;
END
$$;
CREATE TRIGGER aaa BEFORE UPDATE ON mesflow.orders FOR EACH ROW EXECUTE FUNCTION test.cancel();
SELECT test.answer(format($$SELECT mesflow.emit('shop.note', %L, '{}', order_id => %L)$$, test.id('counted'), test.id('counted')));
DROP TRIGGER aaa ON mesflow.orders;
SELECT external_ref, status, event_seq FROM mesflow.orders WHERE external_ref IN ('bumped', 'urgent', 'left out', 'counted');
SELECT count(*) FROM test.unsound;
