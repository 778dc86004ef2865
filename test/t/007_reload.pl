# Settings change while jobs run.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 1');
my $worker = $node->await_worker('pricing');
my $submitted = 0;

sub upload
{
	$submitted++;
	return $node->upload_bytes(MesflowNode::cube($submitted), "cube_$submitted.stl");
}

sub slots
{
	my ($number) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->set('mesflow.pricing_slots' => $number);
	$node->helpers_are($number);
	$node->await("SELECT slots = $number FROM mesflow.nodes", "slots for all to see: $number");
	return;
}

# ---- up and down ----------------------------------------------------------

slots($_) foreach 1, 4, 2, 0;
upload() foreach 1 .. 3;
my $seen = $node->sql('SELECT clock_timestamp()');
$node->await("SELECT since < '$seen' FROM mesflow.worker_status WHERE kind = 'pricing' AND state = 'idle'",
	'with no slots the worker is idle');
$node->counted('they wait', queued => 3);
slots(2);
$node->settled($submitted);

# ---- fewer slots than jobs that run ---------------------------------------

$node->set('mesflow.pricing_slots' => 3);
my @held = $node->hold(3);
upload() foreach 1 .. 5;
$node->await('SELECT count(*) = 3 FROM mesflow._jobs_running', 'three jobs run');
$node->set('mesflow.pricing_slots' => 1);
$node->await(
	"SELECT current LIKE '3 of 1 slots%' FROM mesflow.worker_status WHERE kind = 'pricing'",
	'three jobs on one slot');
$node->await('SELECT slots = 1 FROM mesflow.nodes', 'one slot for all to see');
is(join(' ', $node->helper_pids), "@held", 'those that run go on');
$node->signal('CONT', @held);
$node->settled($submitted);
$node->helpers_are(1, 'then there is one helper');

# ---- to none and back under work ------------------------------------------

foreach my $slots (0, 2, 0, 1, 3)
{
	upload() foreach 1 .. 10;
	$node->set('mesflow.pricing_slots' => $slots);
}
$node->settled($submitted);
$node->counted('all done', done => $submitted);
$node->sound;
is($node->sql("SELECT sum(lives) FROM mesflow._jobs_done"), 0, 'none was taken away from a helper');

# ---- another name ---------------------------------------------------------

$node->set('mesflow.node_name' => 'workshop');
$node->await("SELECT name = 'workshop' FROM mesflow.nodes", 'a new name is taken up');
upload();
$node->settled($submitted);
is($node->sql('SELECT node FROM mesflow.price_jobs ORDER BY id DESC LIMIT 1'), 'workshop',
	'and stands in the history');

# ---- values that are refused ----------------------------------------------

foreach my $bad (
	[ pricing_slots    => -1 ],     [ pricing_slots   => 1025 ],
	[ pricing_memory   => '1MB' ],  [ pricing_timeout => 0 ],
	[ max_model_size   => 0 ],      [ max_triangles   => 0 ],
	[ jobs_retention   => '31d' ],  [ node_name       => '' ],
	[ upload_retention => '1min' ], [ sandbox         => 'maybe' ])
{
	is($node->sqlstate("ALTER SYSTEM SET mesflow.$bad->[0] = '$bad->[1]'"), '22023',
		"$bad->[0] = '$bad->[1]' is refused");
}
is($node->sqlstate("ALTER SYSTEM SET mesflow.no_such = 1"), '42704', 'so is a name that is none')
  or diag('another SQLSTATE');
is($node->sqlstate("SET mesflow.pricing_slots = 1"), '55P02', 'no session sets them for itself');
is($node->worker_pid('pricing'), $worker, 'all that time it was one worker');
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
