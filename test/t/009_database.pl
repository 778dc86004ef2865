# DROP, RENAME and TEMPLATE of databases while the workers run.
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

# Seen from another database.
sub workers_are
{
	my ($number, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await(
		"SELECT count(*) = $number FROM pg_stat_activity WHERE backend_type = 'mesflow pricing'",
		$what, 't', 'postgres');
}

# ---- another database ------------------------------------------------------

# DROP DATABASE waits until every process of the server has taken notice.
my @held = $node->hold(2);
upload() foreach 1 .. 3;
$node->await('SELECT count(*) = 2 FROM mesflow._jobs_running', 'two jobs run');
$node->sql('CREATE DATABASE other', 'postgres');
is($node->sqlstate('DROP DATABASE other', 'postgres'), '',
	'another database can be dropped while helpers do not move');
$node->sql('CREATE DATABASE other', 'postgres');
$node->signal('CONT', @held);
upload() foreach 1 .. 40;
is($node->sqlstate('DROP DATABASE other', 'postgres'), '', 'and while the worker is busy');
$node->settled($edge);

# ---- ours, taken away for a while ------------------------------------------

@held = $node->hold(2);
upload() foreach 1 .. 3;
$node->await('SELECT count(*) = 2 FROM mesflow._jobs_running', 'two jobs run');
$node->sql('ALTER DATABASE mesflow ALLOW_CONNECTIONS false', 'postgres');
$node->gone('a database without connections has no worker and no helper', $worker, @held);
workers_are(0, 'none runs');
is($node->sqlstate('ALTER DATABASE mesflow RENAME TO moved', 'postgres'), '', 'it can be renamed');
is($node->sqlstate('ALTER DATABASE moved RENAME TO mesflow', 'postgres'), '', 'and back');
is($node->sqlstate('CREATE DATABASE copy TEMPLATE mesflow', 'postgres'), '', 'and copied');
$node->sql('ALTER DATABASE mesflow ALLOW_CONNECTIONS true', 'postgres');
my $next = $node->await_worker('pricing', $worker);
$node->settled($edge);
$node->counted('all done', done => $edge);
$node->sound;

# The copy is nobody's business.
is($node->sql("SELECT status FROM mesflow.health() WHERE check_name = 'identity'", 'copy'),
	'critical', 'the copy knows that it is one');
is($node->sql("SELECT status FROM mesflow.health() WHERE check_name = 'database'", 'copy'),
	'critical', 'and that nobody serves it');

# A name that comes back late: the worker is started when it is there.
$node->sql('ALTER DATABASE mesflow ALLOW_CONNECTIONS false', 'postgres');
workers_are(0, 'none runs');
$node->sql('ALTER DATABASE mesflow RENAME TO moved', 'postgres');
$node->sql('ALTER DATABASE moved ALLOW_CONNECTIONS true', 'postgres');
$node->await(
	"SELECT status = 'critical' AND detail LIKE '%does not exist%' FROM mesflow.health() WHERE check_name = 'worker pricing'",
	'a database of another name is not served, and health() says why', 't', 'moved');
$node->sql('ALTER DATABASE moved RENAME TO mesflow', 'postgres');
$next = $node->await_worker('pricing', $next);

# ---- dropped ---------------------------------------------------------------

@held = $node->hold(2);
upload() foreach 1 .. 3;
$node->await('SELECT count(*) = 2 FROM mesflow._jobs_running', 'two jobs run');
is($node->sqlstate('DROP DATABASE mesflow WITH (FORCE)', 'postgres'), '', 'it can be dropped');
$node->gone('the worker is gone, and its helpers', $next, @held);
workers_are(0, 'none runs');
$node->sql('CREATE DATABASE mesflow', 'postgres');
$node->install;
$node->await_worker('pricing', $next);
$edge = 0;
upload() foreach 1 .. 3;
$node->settled(3);
$node->counted('made anew it works', done => 3);
$node->sound;

# A worker that comes just when its database goes may say so, once.
cmp_ok(scalar($node->worker_errors), '<=', 1, 'no loop of errors in the log');
is(join("\n", $node->log_lines(qr/terminated by signal|crash of another/)), '',
	'and no crash');
$node->stop;
done_testing();
