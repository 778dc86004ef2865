# The protocol of nodes over SQL, as mesflow_node: tokens, leases, deadlines,
# and two nodes that want the same work.
use strict;
use warnings;
use JSON::PP;
use MesflowNode;
use Test::More;

# The server itself measures nothing; its worker only sweeps.
my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 0');
$node->await_worker('pricing');
$node->sql('CREATE ROLE workshop LOGIN IN ROLE mesflow_node');
my $submitted = 0;

sub upload
{
	my (%option) = @_;
	$submitted++;
	return $node->upload_bytes(MesflowNode::cube($submitted), "cube_$submitted.stl", %option);
}

# A query of the node's own role.
sub as_node
{
	my ($query) = @_;
	return $node->safe_psql($MesflowNode::DATABASE, $query,
		extra_params => [ '-U', 'workshop' ]);
}

sub as_node_fails
{
	my ($query, $state, $what) = @_;
	my ($status, $out, $err) = $node->psql($MesflowNode::DATABASE,
		"\\set VERBOSITY sqlstate\n$query",
		extra_params => [ '-U', 'workshop' ]);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($err, qr/ERROR:\s+$state\b/, $what);
	return;
}

# Registers; returns the first two arguments of every other call.
sub register
{
	my ($name) = @_;
	my ($number, $secret) = split /\|/, as_node("SELECT node, secret FROM mesflow.node_register('$name', 2, '0.1')");
	return "$number, '$secret'";
}

# [ job, token ] of each job claimed.
sub claim
{
	my ($who, $limit) = @_;
	return map { [ split /\|/ ] } split /\n/,
	  as_node("SELECT job, token FROM mesflow.claim_jobs($who, $limit)");
}

# What a program would have found in a cube.
my $result = encode_json({
	engine_version => $node->sql('SELECT mesflow._engine_version()') + 0,
	format => 'stl', unit => 'mm', unit_from => 'default', triangles => 12, vertices => 8,
	volume_mm3 => 1, area_mm2 => 6, bbox_min => [ 0, 0, 0 ], bbox_max => [ 1, 1, 1 ],
	bodies => 1, cavities => 0, watertight => JSON::PP::true,
	consistent_winding => JSON::PP::true, measured_in_ms => 1 });

sub complete
{
	my ($who, $job, $token) = @_;
	return as_node("SELECT accepted FROM mesflow.complete_jobs($who, '{$job}', '{$token}', ARRAY['$result'::jsonb])");
}

sub heartbeat
{
	my ($who, $job, $token, $percent) = @_;
	$percent //= 50;
	return as_node("SELECT verdict FROM mesflow.heartbeat($who, '{$job}', '{$token}', '{$percent}', '{welding}')");
}

# ---- one job from end to end -----------------------------------------------

my $one = register('one');
my $model = upload();
my ($job) = claim($one, 5);
my ($id, $token) = @$job;
is($node->sql("SELECT state, node FROM mesflow.price_jobs WHERE id = $id"), 'running|one', 'a node has the job');
is(as_node("SELECT encode(sha256(mesflow.job_content($one, $id, $token)), 'hex')"),
	$node->sql("SELECT encode(sha256, 'hex') FROM mesflow.models WHERE id = '$model'"),
	'it reads the bytes that were uploaded');
is(as_node("SELECT encode(sha256(mesflow.job_content($one, $id, $token, 0, 300) || mesflow.job_content($one, $id, $token, 300, 300) || mesflow.job_content($one, $id, $token, 600)), 'hex')"),
	$node->sql("SELECT encode(sha256, 'hex') FROM mesflow.models WHERE id = '$model'"),
	'in slices too');
is(heartbeat($one, $id, $token), 'ok', 'its heart beats');
is($node->sql("SELECT percent, stage FROM mesflow.price_jobs WHERE id = $id"), '50|welding', 'and all see how far it is');
is(complete($one, $id, $token), 't', 'it completes');
is($node->sql("SELECT state FROM mesflow.models WHERE id = '$model'"), 'measured', 'the model is measured');
is(complete($one, $id, $token), 'f', 'a second time it is not accepted');

# ---- tokens and secrets ----------------------------------------------------

upload();
($job) = claim($one, 1);
($id, $token) = @$job;
my $stale = $token - 1;
is(heartbeat($one, $id, $stale), 'lost', 'a wrong token: lost');
is(complete($one, $id, $stale), 'f', 'not accepted');
is(as_node("SELECT mesflow.job_content($one, $id, $stale) IS NULL"), 't', 'no bytes');
is(as_node("SELECT mesflow.fail_job($one, $id, $stale, 'crashed', 'x')"), 'f', 'no failure');
is(as_node("SELECT mesflow.release_jobs($one, '{$id}', '{$stale}')"), 0, 'nothing to release');
my $two = register('two');
is(complete($two, $id, $token), 'f', 'the right token of another node is not accepted either');
my ($number) = split /,/, $one;
as_node_fails("SELECT * FROM mesflow.claim_jobs($number, '\\x00', 1)", 'MF404', 'a wrong secret is no such node');
as_node_fails('SELECT * FROM mesflow._jobs_running', '42501', 'a node reads no table');
as_node_fails("SELECT mesflow._sweep_jobs()", '42501', 'and calls no private function');
as_node_fails("SELECT mesflow.cancel_job($id)", '42501', 'nor what is not for nodes');

# ---- release, failure, cancel ----------------------------------------------

is(as_node("SELECT mesflow.release_jobs($one, '{$id}', '{$token}')"), 1, 'a job is given back');
is($node->sql("SELECT state, attempt FROM mesflow.price_jobs WHERE id = $id"), 'queued|0', 'free of charge');
($job) = claim($two, 1);
is($job->[0], $id, 'another node gets it');
isnt($job->[1], $token, 'with another token');
is(as_node("SELECT mesflow.fail_job($two, $id, $job->[1], 'not_a_model', 'No.')"), 't', 'a failure is reported');
is($node->sql("SELECT state, attempt, error_code FROM mesflow.price_jobs WHERE id = $id"), 'failed|1|not_a_model', 'and final');

upload();
($job) = claim($one, 1);
($id, $token) = @$job;
is($node->sql("SELECT mesflow.cancel_job($id)"), 't', 'a running job is cancelled');
is(heartbeat($one, $id, $token), 'cancel', 'the next heartbeat says so');
is(complete($one, $id, $token), 'f', 'its result is not accepted');
is($node->sql("SELECT state FROM mesflow.price_jobs WHERE id = $id"), 'cancelled', 'it stays cancelled');

# ---- leases and deadlines --------------------------------------------------

upload();
($job) = claim($one, 1);
($id, $token) = @$job;
$node->sql("UPDATE mesflow._nodes SET lease_until = now() - interval '1 s' WHERE id = $number");
$node->await("SELECT state = 'queued' AND attempt = 0 FROM mesflow.price_jobs WHERE id = $id",
	'the lease over, the job is back in the queue');
($job) = claim($two, 1);
is($job->[0], $id, 'another node gets it');
is(heartbeat($one, $id, $token), 'lost', 'the first learns that it is lost');
is(complete($one, $id, $token), 'f', 'and what it found is not accepted');
is(complete($two, $id, $job->[1]), 't', 'the second completes it');

$node->hold_retries;
upload();
foreach my $attempt (1, 2)
{
	($job) = claim($one, 1);
	($id, $token) = @$job;
	$node->sql("UPDATE mesflow._jobs_running SET deadline_at = now() - interval '31 s' WHERE id = $id");
	$node->await("SELECT state <> 'running' AND attempt = $attempt AND error_code = 'timeout' FROM mesflow.price_jobs WHERE id = $id",
		"past its deadline a job is taken away, time $attempt");
	$node->retry_now;
	$node->await("SELECT state IN ('queued', 'failed') FROM mesflow.price_jobs WHERE id = $id", 'what is next');
}
is($node->sql("SELECT state FROM mesflow.price_jobs WHERE id = $id"), 'failed', 'then it has failed');
$node->counted('so far', done => 2, failed => 2, cancelled => 1);

# ---- two nodes at the same time --------------------------------------------

# One node claims in a transaction that stays open: the other steps over its
# job, also where a second job is about the same bytes.
upload();
$node->upload_bytes(MesflowNode::cube($submitted), 'same.stl', partner => 'acme');
$submitted++;
upload();
my $session = $node->background_psql($MesflowNode::DATABASE, extra_params => [ '-U', 'workshop' ]);
$session->query_safe('BEGIN');
my ($first) = map { [ split /\|/ ] } split /\n/,
  $session->query_safe("SELECT job, token FROM mesflow.claim_jobs($one, 1)");
my @second = claim($two, 5);
is(scalar(@second), 1, 'the other node gets one of the three jobs');
isnt($second[0][0], $first->[0], 'another one');
is($node->sql("SELECT count(*) FROM mesflow.price_jobs j JOIN mesflow.models m ON m.id = j.model WHERE j.id = $second[0][0] AND m.filename = 'cube_$submitted.stl'"),
	1, 'about other bytes');
$session->query_safe('COMMIT');
$session->quit;
is(complete($one, @$first), 't', 'the first completes');
is(complete($two, @{ $second[0] }), 't', 'so does the second');
is(scalar(claim($two, 5)), 0, 'the job about the same bytes needs nobody');
$node->settled($submitted);
is($node->sql("SELECT count(*) FROM mesflow._measurements WHERE error_code IS NULL"), 4, 'each was measured once');

# Ten nodes' worth of sessions at a hundred jobs: each handed out once.
upload() foreach 1 .. 60;
my @many = map { register("node_$_") } 1 .. 4;
my @sessions = map { $node->background_psql($MesflowNode::DATABASE, extra_params => [ '-U', 'workshop' ]) } @many;
my %got;
while ($node->job_counts->{queued})
{
	# Sent to all before any is read.
	$sessions[$_]{stdin} .= "SELECT job || '|' || token AS c FROM mesflow.claim_jobs($many[$_], 3);\n" foreach 0 .. $#many;
	$_->{run}->pump_nb foreach @sessions;
	foreach my $i (0 .. $#many)
	{
		foreach my $line (split /\n/, $sessions[$i]->query_safe('SELECT NULL'))
		{
			next unless $line =~ /^(\d+)\|(-?\d+)$/;
			push @{ $got{$1} }, [ $many[$i], $1, $2 ];
		}
	}
}
$_->quit foreach @sessions;
is(scalar(keys %got), 60, 'sixty jobs are handed out');
is(scalar(grep { @$_ > 1 } values %got), 0, 'each once');
is(join('', map { complete(@{ $_->[0] }) } values %got), 't' x 60, 'and done');

# ---- an old snapshot and dead rows -----------------------------------------

# Nothing removes the rows while somebody could still see them; a node that
# has once gone past them does not read them again.
my $old = $node->background_psql($MesflowNode::DATABASE);
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$old->query_safe('SELECT 1');
my $other = $node->sql("SELECT id FROM mesflow.models LIMIT 1");
$node->sql(qq{
	INSERT INTO mesflow._jobs_waiting (id, kind, partner, model, sha256, unit, size_bytes, memory_mb, cost_ms)
	  SELECT nextval('mesflow._job_ids'), 'measure', 'shop', '$other', sha256(convert_to(n::text, 'UTF8')), '', 1, 68, 1 FROM generate_series(1, 100000) n});
$node->sql("DELETE FROM mesflow._jobs_waiting WHERE sha256 IN (SELECT sha256(convert_to(n::text, 'UTF8')) FROM generate_series(1, 100000) n)");
upload() foreach 1 .. 12;
$node->counted('the dead ones are no jobs', done => 65, failed => 2, cancelled => 1, queued => 12);

my $reader = $node->background_psql($MesflowNode::DATABASE, extra_params => [ '-U', 'workshop' ]);
my @buffers;
foreach (1 .. 12)
{
	# A session's first call also reads catalogs, and each second one call
	# starts from the beginning; the best of a dozen tells.
	my $plan = $reader->query_safe("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM mesflow.claim_jobs($two, 1)");
	my $top = decode_json($plan)->[0]{Plan};
	push @buffers, $top->{'Shared Hit Blocks'} + $top->{'Shared Read Blocks'};
}
$reader->quit;
my ($fewest, $most) = (sort { $a <=> $b } @buffers)[ 0, -1 ];
cmp_ok($most, '>', 500, 'the dead rows are there');
cmp_ok($fewest, '<', 200, 'but a claim after another does not read them')
  or diag("@buffers");
$old->query_safe('COMMIT');
$old->quit;
is(as_node("SELECT count(*) FROM mesflow.heartbeat($two, ARRAY[]::bigint[], ARRAY[]::bigint[], ARRAY[]::int[], ARRAY[]::text[])"),
	0, 'the node lives');

# ---- a node that dies loses nothing ----------------------------------------

$node->counted('its jobs run', done => 65, failed => 2, cancelled => 1, running => 12);
$node->sql("UPDATE mesflow._nodes SET lease_until = now() - interval '1 s' WHERE name = 'two'");
$node->await("SELECT count(*) = 12 FROM mesflow.price_jobs WHERE state = 'queued'", 'all come back');
$node->set('mesflow.pricing_slots' => 2);
$node->settled($submitted);
$node->counted('the server does them', done => 77, failed => 2, cancelled => 1);
$node->sound;
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
