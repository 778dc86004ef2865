# mesflow-geometry dies: its job is tried once more, everything else goes on.
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

sub await_job
{
	my ($model, $what, $condition) = @_;
	return $node->await(
		"SELECT $condition FROM mesflow.price_jobs WHERE model = '$model'", $what);
}

$node->hold_retries;

# ---- while one is held, others go on --------------------------------------

my ($first) = $node->hold(1);
my $one = upload();
await_job($one, 'a job is with a helper that does not move', "state = 'running'");
$node->set('mesflow.pricing_slots' => 2);
my @others = map { upload() } 1 .. 5;
$node->await("SELECT count(*) = 5 FROM mesflow.models WHERE state = 'measured'",
	'five others are measured meanwhile');
await_job($one, 'it is still there', "state = 'running' AND attempt = 0");

# ---- killed once ----------------------------------------------------------

$node->signal('KILL', $first);
await_job($one, 'its helper killed, the job will be tried again',
	"state = 'scheduled' AND attempt = 1 AND error_code = 'crashed'");
$node->retry_now;
await_job($one, 'and is done', "state = 'done' AND attempt = 2");
$node->counted('nothing lost', done => 6);

# ---- killed twice ---------------------------------------------------------

my $two = '';
foreach my $attempt (1, 2)
{
	my @held = $node->hold(2);
	if ($attempt == 1) { $two = upload(); }
	else { $node->retry_now; }
	await_job($two, "try $attempt runs", "state = 'running' AND attempt = " . ($attempt - 1));

	# One of them has the job; the other is killed while it has none.
	$node->signal('KILL', @held);
	await_job($two, "and is ended by a signal", "state <> 'running' AND attempt = $attempt");
	$node->gone('the helpers are gone', @held);
}
await_job($two, 'the second time it has failed', "state = 'failed' AND error_code = 'crashed'");
is($node->sql("SELECT state, error_code FROM mesflow.models WHERE id = '$two'"),
	'rejected|crashed', 'the model is rejected');
$node->counted('one more that failed', done => 6, failed => 1);

# ---- killed without a job -------------------------------------------------

my @idle = $node->hold(2);
$node->signal('KILL', @idle);
my @fresh = $node->hold(2);
is(scalar(grep { my $old = $_; grep { $_ == $old } @fresh } @idle), 0,
	'idle helpers that are killed are replaced');
$node->signal('CONT', @fresh);
upload();
$node->settled($submitted);

# ---- the model may be tried again by hand ---------------------------------

my $job = $node->sql("SELECT id FROM mesflow.price_jobs WHERE model = '$two'");
is($node->sql("SELECT mesflow.retry_job($job)"), 't', 'a failed job can be tried again');
await_job($two, 'and is done then', "state = 'done'");
is($node->sql("SELECT state FROM mesflow.models WHERE id = '$two'"), 'measured',
	'its model is measured');

# ---- afterwards -----------------------------------------------------------

$node->counted('all are there', done => $submitted);
$node->sound;
is($node->worker_pid('pricing'), $worker, 'the worker is the same process');
$node->await_true(sub { !MesflowNode::zombies($worker) }, 'it has reaped its children');
is(scalar(() = $node->log_lines(qr/mesflow-geometry \(PID \d+\) was terminated by signal 9 in job/)),
	3, 'three ends of helpers with a job are in the log');
is(join("\n", $node->worker_errors), '', 'and no error');
$node->stop;
done_testing();
