# Limits of time, memory and size.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 1
mesflow.pricing_timeout = 1s
mesflow.pricing_memory = 64MB
END
my $worker = $node->await_worker('pricing');

sub await_job
{
	my ($model, $what, $condition) = @_;
	return $node->await(
		"SELECT $condition FROM mesflow.price_jobs WHERE model = '$model'", $what);
}

sub outcome
{
	my ($model) = @_;
	return $node->sql("SELECT state, error_code FROM mesflow.models WHERE id = '$model'");
}

# ---- time -----------------------------------------------------------------

$node->hold_retries;
my ($held) = $node->hold(1);
my $slow = $node->upload_bytes(MesflowNode::cube(1), 'slow.stl');
await_job($slow, 'a job that does not move is stopped at its deadline',
	"state = 'scheduled' AND attempt = 1 AND error_code = 'timeout'");
$node->gone('its helper is gone', $held);

($held) = $node->hold(1);
$node->retry_now;
await_job($slow, 'it is tried again', "state = 'running'");
is($node->sql('SELECT boosted, round(extract(epoch FROM deadline_at - started_at)) FROM mesflow._jobs_running'),
	't|8', 'with four times the time');
await_job($slow, 'and fails', "state = 'failed' AND attempt = 2 AND error_code = 'timeout'");
is(outcome($slow), 'rejected|timeout', 'the model is rejected');
$node->gone('this helper too is gone', $held);

# ---- memory ---------------------------------------------------------------

$node->set('mesflow.pricing_timeout' => '60s');
my $sheet = $node->sheet(900);
my $large = $node->upload($sheet);
await_job($large, 'a model that needs more memory than there is has failed',
	"state = 'failed' AND attempt = 1 AND error_code = 'out_of_memory'");
is(outcome($large), 'rejected|out_of_memory', 'the model is rejected');
is(join("\n", $node->log_lines(qr/mesflow-geometry \(PID \d+\) .* in job/)), '',
	'the helper said so itself');

# With more, the same bytes are no trouble.
$node->set('mesflow.pricing_memory' => '4GB');
my $job = $node->sql("SELECT id FROM mesflow.price_jobs WHERE model = '$large'");
$node->sql("SELECT mesflow.retry_job($job)");
await_job($large, 'with more memory it is done', "state = 'done'");
is(outcome($large), 'measured|', 'and measured');

# ---- size -----------------------------------------------------------------

$node->set('mesflow.max_triangles' => 11, 'mesflow.max_model_size' => '1MB');
$node->await("SELECT current_setting('mesflow.max_triangles') = '11'", 'the settings are loaded');
my $cube = $node->upload_bytes(MesflowNode::cube(2), 'twelve.stl');
await_job($cube, 'a model of too many triangles fails',
	"state = 'failed' AND attempt = 1 AND error_code = 'too_many_triangles'");
is($node->sqlstate(
		"SELECT mesflow.upload_model(convert_to(repeat('x', 1048577), 'UTF8'), 'x.stl')"),
	'MF400', 'a file over the limit is refused');
is($node->sqlstate("SELECT mesflow.begin_upload('x.stl', 1048577)"), 'MF400',
	'also in pieces, before the first');
is($node->sqlstate(
		"SELECT mesflow.upload_model(convert_to(repeat('x', 1048576), 'UTF8'), 'x.stl')"),
	'', 'a file of just this size is taken');
$node->settled(4);

# ---- afterwards -----------------------------------------------------------

$node->counted('each ended once', done => 1, failed => 3);
$node->sound;
is($node->worker_pid('pricing'), $worker, 'the worker is the same process');
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
