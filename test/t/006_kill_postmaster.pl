# The whole server dies, or is stopped, in the middle of work: nothing is
# lost and no program is left behind.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 3');
my $submitted = 0;
my $edge = 0;

sub upload
{
	$submitted++;
	$edge++;
	return $node->upload_bytes(MesflowNode::cube($edge), "cube_$edge.stl");
}

# Three jobs that run, two that wait for one of them, two in the queue;
# returns every process that must be gone with the server.
sub work
{
	my @held = $node->hold(3);
	my @models = map { upload() } 1, 2;

	$node->await('SELECT count(*) = 2 FROM mesflow._jobs_running', 'two jobs run');
	$node->sql("SELECT mesflow.request_quote('$models[0]', 'pla', 'fdm')");
	$node->upload_bytes(MesflowNode::cube($edge), 'again.stl', partner => 'acme');
	$submitted += 2;
	$node->await('SELECT count(*) = 2 FROM mesflow._jobs_aside', 'two wait for their work');
	push @models, map { upload() } 1, 2;
	$node->sql("SELECT mesflow.request_quote('$models[3]', 'pla', 'fdm')");
	$submitted++;
	$node->await('SELECT count(*) = 3 FROM mesflow._jobs_running', 'another runs');
	$node->await('SELECT count(*) = 2 FROM mesflow._jobs_waiting', 'two are in the queue');
	return (@held, map { $node->worker_pid($_) } qw(pricing launcher));
}

sub all_done
{
	my ($what) = @_;

	$node->settled($submitted);
	$node->counted($what, done => $submitted);
	is($node->sql("SELECT count(*) FROM mesflow.quotes WHERE state <> 'priced'"), 0,
		'all quotes are priced');
	$node->sound($what);
	return;
}

# ---- kill -9 of the postmaster --------------------------------------------

$node->await_worker('pricing');
my @processes = work();
my $postmaster = $node->{_pid};
$node->kill9;
$node->gone('with the postmaster its workers and programs end', @processes);

# The next one takes it for alive until somebody has reaped it.
$node->await_true(sub { !-e "/proc/$postmaster" }, 'the postmaster is gone');
$node->start;
all_done('after kill -9 of the postmaster');

# ---- immediate shutdown ---------------------------------------------------

@processes = work();
$node->stop('immediate');
$node->gone('an immediate stop leaves no program', @processes);
$node->start;
all_done('after an immediate stop');

# ---- fast shutdown --------------------------------------------------------

@processes = work();
$node->stop('fast');
ok(1, 'a fast stop does not wait for helpers that do not move');
$node->gone('it leaves no program', @processes);
$node->start;
all_done('after a fast stop');

# ---- and a restart under work that is not held ----------------------------

foreach my $mode (qw(fast immediate))
{
	upload() foreach 1 .. 30;
	$node->stop($mode);
	$node->start;
}
all_done('after restarts under work');
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
