# No room for the worker's process: one warning, and work as soon as there is.
use strict;
use warnings;
use MesflowNode;
use Test::More;

# The launchers of mesflow and of logical replication take two places.
my $node = MesflowNode->ready('main', conf => <<'END');
max_worker_processes = 3
max_parallel_workers = 3
mesflow.pricing_slots = 1
END
my $worker = $node->await_worker('pricing');
is($node->sql("SELECT status FROM mesflow.health() WHERE check_name = 'worker processes'"),
	'warning', 'health() finds three places few');

# ---- the last place taken by another ---------------------------------------

$node->sql('ALTER DATABASE mesflow ALLOW_CONNECTIONS false', 'postgres');
$node->gone('the worker makes room', $worker);
my $parallel = $node->sql(
	"SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')", 'postgres');
my $other = $node->background_psql('postgres');
$other->query_safe("SET $parallel = on");
$other->query_until(qr/sleeping/, "\\echo sleeping\nSELECT pg_sleep(100000);\n");
$node->await("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'parallel worker'",
	'another process takes the last place', 't', 'postgres');
$node->sql('ALTER DATABASE mesflow ALLOW_CONNECTIONS true', 'postgres');
$node->await(
	"SELECT pid IS NULL AND last_error LIKE '%max_worker_processes%' FROM mesflow.worker_status WHERE kind = 'pricing'",
	'worker_status says what is missing');
is($node->sql("SELECT status FROM mesflow.health() WHERE check_name = 'worker pricing'"),
	'critical', 'health() finds it critical');
like($node->sql("SELECT detail FROM mesflow.health() WHERE check_name = 'worker pricing'"),
	qr/max_worker_processes/, 'and knows why');

# What people do meanwhile waits, and is not refused.
my $model = $node->upload_bytes(MesflowNode::cube(1), 'waits.stl');
$node->sql("SELECT mesflow.request_quote('$model', 'pla', 'fdm')");
$node->counted('both wait', queued => 2);

# Three tries later.
my $failed = "SELECT last_error_at FROM mesflow.worker_status WHERE kind = 'pricing'";
foreach (1 .. 3)
{
	my $before = $node->sql($failed);
	$node->await("SELECT last_error_at > '$before' FROM mesflow.worker_status WHERE kind = 'pricing'",
		'the launcher tries again');
}
my $warnings = () = $node->log_lines(qr/WARNING: .*no free background worker slot/);
is(scalar(() = $node->log_lines(qr/WARNING: .*pricing worker: no free background worker slot/)), 1,
	'one warning for all tries');
is(scalar(() = $node->log_lines(qr/HINT: .*max_worker_processes/)), $warnings, 'and what to do');

# ---- room ------------------------------------------------------------------

$node->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
	'postgres');
eval { $other->quit };
$node->await_worker('pricing', $worker);
$node->settled(2);
$node->counted('with room it works', done => 2);
$node->sound;
is($node->sql("SELECT status FROM mesflow.health() WHERE check_name = 'worker pricing'"), 'ok',
	'health() is content');
$node->stop;
done_testing();
