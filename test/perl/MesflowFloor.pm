# MesflowFloor: a server with work on the floor, and what must hold of it.
#
#	use MesflowFloor;
#	my $node = MesflowFloor->ready('main');
#	$node->open_floor;
#	$node->sql("SELECT public.approved('a', 4, 2)");
#	$node->floor_is_sound('after an order');
package MesflowFloor;

use strict;
use warnings;
use MesflowNode;
use Test::More;

our @ISA = ('MesflowNode');

# A model with a price, and functions for tests; see test/sql/work.psql.
sub open_floor
{
	my ($node) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->upload_bytes(MesflowNode::cube(20), 'cube.stl');
	$node->settled(1);
	$node->sql("CREATE SCHEMA test;\n\\i $ENV{MF_TREE}/test/sql/work.psql");
	$node->sql(q{
		-- An approved order with an item for each quantity.
		CREATE FUNCTION public.approved(ref text, VARIADIC quantities integer[]) RETURNS uuid LANGUAGE plpgsql AS $$
		DECLARE
		  id constant uuid := mesflow.submit_order('shop', $1, (SELECT jsonb_agg(jsonb_build_object('model', m.id, 'quantity', q) || CASE WHEN n % 2 = 1 THEN '{"material": "pla", "process": "fdm"}'
		                                                               ELSE '{"material": "resin", "process": "sla"}' END::jsonb) FROM mesflow.models m, unnest($2) WITH ORDINALITY u (q, n)));
		BEGIN
		  PERFORM mesflow.advance_order(id, 'approved');
		  RETURN id;
		END
		$$;
		CREATE FUNCTION public.work(ref text, nth integer) RETURNS uuid LANGUAGE sql STABLE AS $$
		  SELECT w.id FROM mesflow._work_orders w JOIN mesflow.orders o ON o.id = w.order_id WHERE o.external_ref = $1 AND w.nth = $2
		$$});
	return;
}

# Three tests: work, what is shown of it and what operators are paid for are
# as they must be, by each other and by the events.
sub floor_is_sound
{
	my ($node, $when) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->sql('SELECT * FROM test.unsound_work LIMIT 20'), '', "the floor is sound $when");
	is($node->sql('SELECT * FROM mesflow._own_row_differences() LIMIT 20'), '', "and so is what is shown of it $when");
	is($node->sql('SELECT * FROM mesflow._operator_audit() LIMIT 20'), '', "and what operators have done $when");
	return;
}

1;
