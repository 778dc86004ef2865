# DROP, CREATE and ALTER EXTENSION while the workers run.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 2');
my $worker = $node->await_worker('pricing');
my $edge = 0;

sub upload
{
	$edge++;
	return $node->upload_bytes(MesflowNode::cube($edge), "cube_$edge.stl");
}

sub running
{
	my ($number, $what) = @_;
	return $node->await("SELECT count(*) = $number FROM mesflow._jobs_running", $what);
}

# ---- a DROP that is rolled back --------------------------------------------

my @held = $node->hold(2);
upload() foreach 1 .. 4;
running(2, 'two of four jobs run');
my $session = $node->background_psql($MesflowNode::DATABASE);
$session->query_safe('BEGIN');
$session->query_safe('DROP EXTENSION mesflow');

# The helpers answer into a database that cannot be written.
$node->signal('CONT', @held);
$node->gone('the helpers have answered', @held);
my $seen = $node->sql('SELECT clock_timestamp()', 'postgres');
$node->await("SELECT wait_event_type IS DISTINCT FROM 'Lock' FROM pg_stat_activity WHERE backend_type = 'mesflow pricing'",
	'the worker waits for no lock', 't', 'postgres');
$session->query_safe('ROLLBACK');
$session->quit;
$node->settled(4);
$node->counted('a DROP that was rolled back cost nothing', done => 4);
is($node->sql('SELECT sum(lives) || \' \' || sum(attempt) FROM mesflow._jobs_done'), '0 4',
	'not even a second try');
is($node->worker_pid('pricing'), $worker, 'the worker has stayed');
$node->sound;

# ---- ALTER EXTENSION -------------------------------------------------------

@held = $node->hold(2);
upload();
running(1, 'a job runs');
my $version = $node->sql("SELECT extversion FROM pg_extension WHERE extname = 'mesflow'");
$node->sql("ALTER EXTENSION mesflow UPDATE TO '$version'");
$node->sql('ALTER EXTENSION mesflow UPDATE');
$node->signal('CONT', @held);
$node->settled(5);
is($node->worker_pid('pricing'), $worker, 'an update to the same version disturbs nobody');

# ---- DROP under work -------------------------------------------------------

@held = $node->hold(2);
upload() foreach 1 .. 4;
running(2, 'two of four jobs run');
$node->sql('DROP EXTENSION mesflow');
$node->gone('without the extension the worker ends, and its helpers', $worker, @held);
$node->await("SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'mesflow pricing'",
	'none runs', 't', 'postgres');
is($node->sql("SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'mesflow')"),
	0, 'nothing is left in its schema');

# ---- and CREATE again ------------------------------------------------------

$node->install;
my $next = $node->await_worker('pricing', $worker);
upload() foreach 1 .. 3;
$node->settled(3);
$node->counted('it works again', done => 3);
is($node->sql("SELECT count(*) FROM mesflow.nodes WHERE kind = 'server'"), 1,
	'with a registration of its own');

# ---- both in one transaction -----------------------------------------------

@held = $node->hold(2);
upload() foreach 1 .. 3;
running(2, 'two of three jobs run');
$node->sql('BEGIN; DROP EXTENSION mesflow; CREATE EXTENSION mesflow;'
	  . ' SELECT mesflow.load_example_catalog(); COMMIT');
$node->gone('the worker of the old extension ends', $next, @held);
$worker = $node->await_worker('pricing', $next);
$node->counted('the new one is empty');
upload() foreach 1 .. 3;
$node->settled(3);
$node->counted('and works', done => 3);
$node->sound;

# ---- what the log says -----------------------------------------------------

is(join("\n", $node->worker_errors), '', 'no error in the log');
cmp_ok(scalar(() = $node->log_lines(qr/mesflow pricing worker stops: /)), '<=', 3,
	'no loop of starts');
$node->stop;
done_testing();
