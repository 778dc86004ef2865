# pg_dump and restore into another cluster: everything comes along, nothing
# acts until it is armed, and what was under way is done.
use strict;
use warnings;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowNode->ready('main', conf => "mesflow.pricing_slots = 1\nmax_prepared_transactions = 1\n");
$node->await_worker('pricing');

sub run_ok
{
	my ($what, @command) = @_;
	return PostgreSQL::Test::Utils::command_ok(\@command, $what);
}

# The catalog is the owner's: rows changed, added and taken away.
$node->sql(q{
	UPDATE mesflow.rates SET value = 0.99 WHERE name = 'material' AND material = 'pla';
	UPDATE mesflow.partners SET name = 'Other parts' WHERE code = 'acme';
	DELETE FROM mesflow.rates WHERE name = 'finish_dyed';
	INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('wax', 'Wax', 0.97)});
my $known = $node->upload_bytes(MesflowNode::cube(10), 'known.stl');
$node->upload_bytes('solid nothing', 'broken.stl');
$node->settled(2);
my $priced = $node->sql("SELECT mesflow.request_quote('$known', 'pla', 'fdm')");
my $upload = $node->sql("SELECT mesflow.begin_upload('half.stl', 100)");
$node->sql("SELECT mesflow.append_upload('$upload', 0, '\\x00')");

# A model that was deleted, and bytes that the worker has still to remove.
my $deleted = $node->upload_bytes(MesflowNode::cube(20), 'deleted.stl');
$node->settled(3);
$node->sql("SELECT mesflow.delete_model('$deleted', 'the customer asked for it', 'anna')");
my $left = $node->sql('INSERT INTO mesflow._contents (size_bytes) VALUES (5) RETURNING id');
$node->sql("BEGIN; SELECT FROM mesflow._contents WHERE id = $left FOR KEY SHARE; PREPARE TRANSACTION 'in use'");
$node->sql("INSERT INTO mesflow._contents_left (content) VALUES ($left)");

# One job that runs, one that follows it, and two that wait.
my @held = $node->hold(1);
my @models = map { $node->upload_bytes(MesflowNode::cube($_), "cube_$_.stl") } 1 .. 2;
$node->sql("SELECT mesflow.request_quote('$models[0]', 'pla', 'fdm')");
my $pending = $node->sql("SELECT mesflow.request_quote('$models[1]', 'pla', 'fdm')");
$node->await('SELECT count(*) = 1 FROM mesflow._jobs_running', 'a job runs');
$node->counted('before the dump', done => 2, failed => 1, running => 1, queued => 3);

my @compared = (
	'SELECT * FROM mesflow.partners ORDER BY 1', 'SELECT * FROM mesflow.materials ORDER BY 1',
	'SELECT * FROM mesflow.processes ORDER BY 1', 'SELECT * FROM mesflow.price_lists ORDER BY 1',
	'SELECT * FROM mesflow.rates ORDER BY 1, 2, 3, 4',
	'SELECT id, partner, filename, size_bytes, sha256, error_code, uploaded_at, deleted_at, deleted_by, deletion_reason FROM mesflow.models ORDER BY 1',
	'SELECT * FROM mesflow.measurements ORDER BY 1', 'SELECT * FROM mesflow.quotes ORDER BY 1',
	'SELECT id, state, attempt, error_code FROM mesflow.price_jobs WHERE state IN (\'done\', \'failed\') ORDER BY 1',
	'SELECT content, at, sha256(bytes) FROM mesflow._chunks ORDER BY 1, 2',
	'SELECT * FROM mesflow._uploads ORDER BY 1',
	'SELECT id, size_bytes, sha256 FROM mesflow._contents ORDER BY 1', 'SELECT id, used_at FROM mesflow._models ORDER BY 1');
my @before = map { $node->sql($_) } @compared;

my $dump = $node->basedir . '/dump.sql';
run_ok('a dump is made', 'pg_dump', '-d', $node->connstr($MesflowNode::DATABASE), '-f', $dump);
$node->stop('immediate');

# ---- restored elsewhere ----------------------------------------------------

my $other = MesflowNode->ready('other', extension => 0, conf => "mesflow.pricing_slots = 1\n");
run_ok('it is restored without an error',
	'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr($MesflowNode::DATABASE), '-f', $dump);
my @after = map { $other->sql($_) } @compared;
foreach my $i (0 .. $#compared)
{
	is($after[$i], $before[$i], 'the same: ' . ($compared[$i] =~ s/.*FROM (\S+).*/$1/r));
}
$other->await("SELECT state = 'fenced' FROM mesflow.worker_status WHERE kind = 'pricing'",
	'its worker is fenced');
is($other->sql("SELECT status FROM mesflow.health() WHERE check_name = 'identity'"), 'critical',
	'health() says that it is a copy');
$other->helpers_are(0, 'and it has no helper');
is($other->sql("SELECT count(*) FROM mesflow.price_jobs WHERE state IN ('queued', 'running', 'scheduled')"),
	4, 'what was under way waits');

# ---- armed -----------------------------------------------------------------

$other->sql("SELECT mesflow.arm('restored')");
$other->settled(7);
$other->counted('all is done', done => 6, failed => 1);
is($other->sql('SELECT max(attempt) FROM mesflow.price_jobs'), 1, 'at the first try');
is($other->sql("SELECT state FROM mesflow.quotes WHERE id = '$pending'"), 'priced', 'the pending quote is priced');
$other->sound('after a restore');

$other->await("SELECT NOT EXISTS (SELECT FROM mesflow._contents WHERE id = $left)", 'bytes that were left are removed');
is($other->sqlstate("SELECT mesflow.model_content('$deleted')"), 'MF423', 'a deleted model is one here, too');
is($other->upload_bytes(MesflowNode::cube(20), 'deleted.stl'), $deleted, 'the same upload brings it back');
is($other->sql("SELECT length(mesflow.model_content('$deleted'))"), 684, 'with its bytes');

is($other->sql('SELECT mesflow._drop_models()'), 0, 'retention deletes nothing for a day');

# Numbers go on where they were.
my $last = $other->sql('SELECT max(id) FROM mesflow.price_jobs');
$other->upload_bytes(MesflowNode::cube(3), 'cube_3.stl');
$other->settled(8);
is($other->sql('SELECT max(id) FROM mesflow.price_jobs'), $last + 1, 'the next job has the next number');
is($other->sql("SELECT mesflow.append_upload('$upload', 1, '\\x00')"), 2, 'an upload in pieces goes on');
is($other->sql("SELECT count(*) FROM mesflow.rates WHERE name = 'material' AND material = 'pla' AND value = 0.99"),
	1, 'a rate is there once');
is(join("\n", $other->worker_errors), '', 'no error in the log');
$other->stop;
done_testing();
