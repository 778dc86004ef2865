# The pricing worker and the launcher die: the server restarts by itself,
# jobs are taken back, and one that kills its worker again and again is
# isolated, then given up.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 2
max_prepared_transactions = 4
END
my $submitted = 0;

sub upload
{
	$submitted++;
	return $node->upload_bytes(MesflowNode::cube($submitted), "cube_$submitted.stl");
}

sub running
{
	my ($number, $what, $more) = @_;
	return $node->await("SELECT count(*) = $number"
		  . (defined $more ? " AND bool_and($more)" : '')
		  . ' FROM mesflow._jobs_running', $what);
}

# ---- the worker, by kill -9 ------------------------------------------------

my $worker = $node->await_worker('pricing');
my @held = $node->hold(2);
upload() foreach 1 .. 6;
running(2, 'two of six jobs run');
$node->signal('KILL', $worker);
$node->gone('the worker is gone, and its helpers with it', $worker, @held);
my $next = $node->await_worker('pricing', $worker);
$node->settled($submitted);
$node->counted('all done', done => $submitted);
is($node->sql("SELECT string_agg(lives::text, '' ORDER BY lives DESC) FROM mesflow._jobs_done"),
	'110000', 'two of them remember an unclean end');
$node->sound('after kill -9 of the worker');

# ---- the launcher, by kill -9 ----------------------------------------------

@held = $node->hold(2);
upload() foreach 1 .. 3;
running(2, 'two of three jobs run');
my $launcher = $node->worker_pid('launcher');
$node->signal('KILL', $launcher);
$node->gone('the launcher, the worker and its helpers are gone', $launcher, $next, @held);
$node->await_worker('launcher', $launcher);
$worker = $node->await_worker('pricing', $next);
$node->settled($submitted);
$node->counted('all done', done => $submitted);
$node->sound('after kill -9 of the launcher');

# ---- the worker, by pg_terminate_backend -----------------------------------

@held = $node->hold(2);
upload() foreach 1 .. 3;
running(2, 'two of three jobs run');
is($node->sql("SELECT pg_terminate_backend($worker)"), 't', 'the worker is told to end');
$node->gone('it is gone, and its helpers with it', $worker, @held);
$worker = $node->await_worker('pricing', $worker);
is($node->sql("SELECT restarts FROM mesflow.worker_status WHERE kind = 'pricing'"), 1,
	'the launcher started another, and counts');
is($node->sql("SELECT restarts FROM mesflow.worker_status WHERE kind = 'launcher'"), 0,
	'it is the same launcher');
$node->settled($submitted);
$node->counted('all done', done => $submitted);
$node->sound('after pg_terminate_backend');

# ---- a job under which the worker ends again and again ---------------------

# No helper gets a byte while a prepared transaction, which survives crashes,
# locks the bytes: the job stays running for as long as it takes.
sub lock_bytes
{
	$node->sql(q{BEGIN; LOCK TABLE mesflow._chunks IN ACCESS EXCLUSIVE MODE;
		PREPARE TRANSACTION 'bytes'});
	return;
}

# And no job is claimed while another holds the rows of all that wait.
sub lock_queue
{
	$node->sql(q{BEGIN; SELECT FROM mesflow._jobs_waiting FOR UPDATE;
		PREPARE TRANSACTION 'queue'});
	return;
}

sub kill_worker
{
	my $old = $node->await_worker('pricing');
	$node->signal('KILL', $old);
	$node->gone('the worker is gone', $old);
	$node->await('SELECT true', 'the server is back');
	return;
}

$node->set('mesflow.pricing_slots' => 0);
$node->helpers_are(0);
my $bad = upload();
my @good = map { upload() } 1 .. 3;
lock_bytes();
$node->set('mesflow.pricing_slots' => 1);
foreach my $life (0, 1)
{
	running(1, "the job runs in life $life",
		"model = '$bad' AND lives = $life");
	if ($life == 1)
	{
		lock_queue();
		$node->set('mesflow.pricing_slots' => 2);
	}
	kill_worker();
}

# The crash leaves the job in a row that nobody has claimed yet, or the
# worker has taken it back already; its new row is not locked.  In this life
# it runs alone, whatever else could.
running(1, 'after two unclean ends it runs again', "model = '$bad' AND lives = 2");
$node->sql("COMMIT PREPARED 'queue'");
kill_worker();
running(1, 'and again', "model = '$bad' AND lives = 3");
kill_worker();
running(1, 'and again', "model = '$bad' AND lives = 4");
is($node->sql("SELECT count(*) FROM mesflow.price_jobs WHERE state = 'queued'"), 3,
	'alone: the others wait');
kill_worker();
$node->await("SELECT state = 'failed' AND error_code = 'crashed' FROM mesflow.price_jobs WHERE model = '$bad'",
	'after the fifth it has failed');
$node->sql("ROLLBACK PREPARED 'bytes'");
$node->settled($submitted);
is($node->sql("SELECT string_agg(state, ' ') FROM mesflow.models WHERE id IN ('"
		  . join("', '", @good) . "')"), 'measured measured measured', 'the others are measured');
$node->counted('one failed', done => $submitted - 1, failed => 1);
$node->sound('after five unclean ends');

# ---- isolation does not hold up the rest for ever --------------------------

# A job with two unclean ends behind it runs beside no other, though a slot
# is free; when it is done, the others go on.
$node->set('mesflow.pricing_slots' => 0);
$node->helpers_are(0);
my $suspect = upload();
upload() foreach 1 .. 3;
$node->sql("UPDATE mesflow._jobs_waiting SET lives = 2 WHERE model = '$suspect'");
lock_queue();
$node->set('mesflow.pricing_slots' => 2);
@held = $node->hold(2);
$node->sql("COMMIT PREPARED 'queue'");
running(1, 'the suspect runs', "model = '$suspect'");
my $seen = $node->sql('SELECT clock_timestamp()');
upload();
$node->await("SELECT last_seen > '$seen' FROM mesflow.nodes", 'the worker has looked again');
$seen = $node->sql('SELECT clock_timestamp()');
$node->await("SELECT last_seen > '$seen' FROM mesflow.nodes", 'and again');
is($node->sql("SELECT count(*) FROM mesflow.price_jobs WHERE state = 'queued'"), 4,
	'beside it runs nothing');
$node->signal('CONT', @held);
$node->settled($submitted);
$node->counted('all but one done', done => $submitted - 1, failed => 1);
$node->sound('after an isolated job');
$node->stop;
done_testing();
