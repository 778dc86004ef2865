# Thousands of orders through one worker and one session: neither grows.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 1
fsync = off
autovacuum_naptime = 1d
END
my $worker = $node->await_worker('pricing');
my $model = $node->upload_bytes(MesflowNode::cube(20), 'cube.stl');
my $orders = 0;

$node->settled(1);

# Every price is for a person, so that the worker sums an order up when it has one.
$node->sql("UPDATE mesflow.processes SET review_above = 0.01 WHERE code = 'fdm'");

sub price_orders
{
	my ($number) = @_;
	my ($from, $to) = ($orders + 1, $orders + $number);

	$node->sql("SELECT count(mesflow.submit_order('shop', 'o' || i, '[{\"model\": \"$model\", \"material\": \"pla\", \"process\": \"fdm\"}]')) FROM generate_series($from, $to) i");
	$node->sql("SELECT count(mesflow.price_quote(i.quote, 5, 'by hand')) FROM mesflow.order_items i WHERE i.state = 'review'");
	$orders = $to;
	$node->await("SELECT count(*) = $orders FROM mesflow.orders WHERE status = 'priced' AND event_seq = 3", "$orders orders are priced");
	return;
}

$node->stays_flat($worker, \&price_orders);
is($node->sql('SELECT count(*) FROM mesflow._orders_to_sum'), 0, 'no note is left');
is($node->sql("SELECT count(*) FROM mesflow.outbox WHERE type = 'order.priced' AND actor = 'mesflow'"), $orders, 'each order is told of once');

# One session that submits, moves, emits and consumes: what it holds after a thousand rounds and after four thousand.
my $session = $node->background_psql($MesflowNode::DATABASE);
$session->query_safe(<<"SQL");
SELECT mesflow.create_consumer('flat');
UPDATE mesflow.processes SET review_above = NULL WHERE code = 'fdm';
CREATE PROCEDURE public.rounds(first integer, last integer) LANGUAGE plpgsql AS \$\$
DECLARE
	o uuid;
BEGIN
	FOR i IN first .. last LOOP
		o := mesflow.submit_order('shop', 's' || i, '[{"model": "$model", "material": "pla", "process": "fdm", "options": {"finish": "sanded"}}]', '{"name": "Anna Berg", "email": "anna\@example.org"}');
		PERFORM mesflow.advance_order(o, 'approved', 'olga', 'paid');
		UPDATE mesflow.orders SET status = 'in_production', priority = 3 WHERE id = o;
		BEGIN
			PERFORM mesflow.advance_order(o, 'closed');
		EXCEPTION WHEN SQLSTATE 'MF423' THEN
			NULL;
		END;
		PERFORM mesflow.emit('bench.note', o::text, '{"n": 1}', order_id => o);
		PERFORM count(*) FROM mesflow.consume('flat', 100);
		PERFORM mesflow.ack('flat');
		PERFORM count(*) FROM mesflow.find_orders('anna berg', 5);
		COMMIT;
	END LOOP;
END
\$\$;
CALL public.rounds(1, 1000);
SQL
my $weigh = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $before = $session->query_safe($weigh);
$session->query_safe('CALL public.rounds(1001, 4000)');
my $after = $session->query_safe($weigh);
note("$before bytes, then $after");
cmp_ok($after - $before, '<=', 64 * 1024, 'a session stays as it is over 3,000 rounds');
$session->quit;
is($node->sql("SELECT count(*) FROM mesflow.orders WHERE external_ref LIKE 's%' AND event_seq = 7"), 4000, 'all of them were made');
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
