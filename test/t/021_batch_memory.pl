# Thousands of portions of batches through one worker: it does not grow.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 1
fsync = off
END
my $worker = $node->await_worker('pricing');
my $model = $node->upload_bytes(MesflowNode::cube(5), 'cube.stl');
my $submitted = 1;

$node->settled($submitted);

# Each job is a portion of its own; one in ten meets an error on the way.
$node->sql(q{
	CREATE FUNCTION public.pricing(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes,
		quantity integer, options jsonb, rates jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		IF quantity % 10 = 0 THEN
			RAISE EXCEPTION 'no price for %', quantity;
		END IF;
		RETURN mesflow.price_additive(measurement, material, process, quantity, options, rates);
	END
	$$;
	UPDATE mesflow.processes SET pricing_function = 'public.pricing' WHERE code = 'fdm'});

sub portions
{
	my ($number) = @_;
	my ($from, $to) = ($submitted + 1, $submitted + $number);

	$node->sql("SELECT count(mesflow.preflight_quotes('$model', '{pla}', '{fdm}', ARRAY[i, i + 1])) FROM generate_series($from, $to) i");
	$submitted = $to;
	$node->settled($submitted);
	return;
}

$node->stays_flat($worker, \&portions);
is($node->sql("SELECT count(*) FROM mesflow.price_jobs WHERE kind = 'preflight' AND state = 'done'"), $submitted - 1, 'all jobs are done');
$node->sound;
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
