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

# The catalog is the owner's: rows changed, added and taken away.  Price lists
# in every state, some active, one of them still to come.
my $known = $node->upload_bytes(MesflowNode::cube(10), 'known.stl');
$node->settled(1);
my @old = map { $node->sql("SELECT mesflow.request_quote('$known', 'pla', 'fdm', $_)") } 1, 60;
$node->sql(q{SELECT mesflow.revise_price_list('[{"process": "fdm", "material": "pla", "name": "material", "value": 0.99}]', 'dearer', 'anna')});
$node->sql(q{SELECT mesflow.revise_price_list('[{"name": "setup", "value": 9}]', 'next year', 'anna', now() + interval '1 day')});
$node->sql(q{
	UPDATE mesflow.partners SET name = 'Other parts', discount_percent = 12.5, price_list = 'example-2', currency = 'EUR' WHERE code = 'acme';
	UPDATE mesflow.partners SET name = 'The shop', discount_percent = 5 WHERE code = 'shop';
	UPDATE mesflow.partners SET locale = 'de-AT' WHERE code = 'shop';
	UPDATE mesflow.materials SET density_g_cm3 = 1.3 WHERE code = 'pla';
	UPDATE mesflow.processes SET name = 'Printing', min_wall_mm = 0.1 WHERE code = 'fdm';
	INSERT INTO mesflow.materials (code, name, density_g_cm3) VALUES ('wax', 'Wax', 0.97);
	INSERT INTO mesflow.price_lists (code, currency, rounding) VALUES ('draft', 'JPY', 10), ('gone', 'EUR', 0.05);
	INSERT INTO mesflow.rates (price_list, process, name, value) VALUES ('draft', NULL, 'setup', 500), ('draft', 'fdm', 'setup', 400), ('gone', NULL, 'setup', 3);
	INSERT INTO mesflow.quantity_breaks (price_list, process, from_quantity, percent) VALUES ('draft', 'fdm', 5, 1), ('gone', NULL, 5, 1)});
$node->sql("UPDATE mesflow.price_lists SET state = 'active', general = false WHERE code = 'gone'");
$node->sql("UPDATE mesflow.price_lists SET state = 'retired' WHERE code = 'gone'");
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
	'SELECT sha256, unit, size, sha256(png) FROM mesflow._pictures ORDER BY 1, 2, 3',
	'SELECT * FROM mesflow.partners ORDER BY 1', 'SELECT * FROM mesflow.materials ORDER BY 1',
	'SELECT * FROM mesflow.processes ORDER BY 1', 'SELECT * FROM mesflow.price_lists ORDER BY 1',
	'SELECT * FROM mesflow.rates ORDER BY 1, 2, 3, 4',
	'SELECT * FROM mesflow.quantity_breaks ORDER BY 1, 2, 3',
	'SELECT kind, code, version, content FROM mesflow._catalog_history ORDER BY 1, 2, 3',
	'SELECT id, partner, filename, size_bytes, sha256, error_code, uploaded_at, deleted_at, deleted_by, deletion_reason FROM mesflow.models ORDER BY 1',
	'SELECT * FROM mesflow.measurements ORDER BY 1', 'SELECT * FROM mesflow.quotes ORDER BY 1',
	'SELECT id, state, attempt, error_code FROM mesflow.price_jobs WHERE state IN (\'done\', \'failed\') ORDER BY 1',
	'SELECT content, at, sha256(bytes) FROM mesflow._chunks ORDER BY 1, 2',
	'SELECT * FROM mesflow._uploads ORDER BY 1',
	'SELECT id, size_bytes, sha256 FROM mesflow._contents ORDER BY 1', 'SELECT id, used_at FROM mesflow._models ORDER BY 1');
my @before = map { $node->sql($_) } @compared;

my %dump;
foreach my $how ('--inserts', 'plain')
{
	$dump{$how} = $node->basedir . "/$how.sql";
	run_ok("a dump is made: $how", 'pg_dump', '-d', $node->connstr($MesflowNode::DATABASE), '-f', $dump{$how},
		$how eq 'plain' ? () : $how);
}
$node->stop('immediate');

# What came along, old prices included; and what was immutable is again.
sub came_along
{
	my ($other, $how) = @_;

	run_ok("it is restored without an error: $how",
		'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr($MesflowNode::DATABASE), '-f', $dump{$how});
	my @after = map { $other->sql($_) } @compared;
	foreach my $i (0 .. $#compared)
	{
		is($after[$i], $before[$i], "$how, the same: " . ($compared[$i] =~ s/.*FROM (\S+).*/$1/r));
	}
	foreach my $quote (@old, $priced)
	{
		is($other->sql("SELECT same FROM mesflow.recompute_quote('$quote')"), 't', 'an old price is computed again');
	}
	foreach my $list ('example', 'example-2', 'example-3', 'gone')
	{
		is($other->sqlstate("UPDATE mesflow.rates SET value = 1 WHERE price_list = '$list'"), 'MF423', "the rates of $list stay");
		is($other->sqlstate("INSERT INTO mesflow.rates (price_list, name, value) VALUES ('$list', 'extra', 1)"), 'MF423', 'none is added');
		is($other->sqlstate("DELETE FROM mesflow.quantity_breaks WHERE price_list = '$list'"), 'MF423', 'nor a break taken away');
		is($other->sqlstate("UPDATE mesflow.price_lists SET note = 'x' WHERE code = '$list'"), 'MF423', 'nor the list changed');
	}
	is($other->sql("SELECT (mesflow._price_list(p, NULL)).code FROM mesflow.partners p WHERE code = 'shop'"), 'example-2', 'the list in force is in force');
	return;
}

my $third = MesflowNode->ready('third', extension => 0, conf => "mesflow.pricing_slots = 0\n");
came_along($third, '--inserts');
$third->sql("BEGIN; UPDATE mesflow.rates SET value = 450 WHERE price_list = 'draft' AND process = 'fdm'; DELETE FROM mesflow.price_lists WHERE code = 'draft'; COMMIT");
is($third->sql('SELECT name, locale, version FROM mesflow.partners WHERE code = \'shop\''), 'The shop|de-AT|3', 'the shop is the edited one');
is($third->sql("UPDATE mesflow.partners SET name = 'Shop' WHERE code = 'shop' RETURNING version"), 4, 'and its versions go on');
is(join("\n", $third->worker_errors), '', 'no error in its log');
$third->stop;

# ---- restored elsewhere ----------------------------------------------------

my $other = MesflowNode->ready('other', extension => 0, conf => "mesflow.pricing_slots = 1\n");
came_along($other, 'plain');
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
is($other->sql("SELECT count(*) FROM mesflow.rates WHERE name = 'material' AND material = 'pla' AND price_list = 'example-2' AND value = 0.99"),
	1, 'a rate is there once');
is($other->sql("SELECT mesflow.revise_price_list('[{\"name\": \"setup\", \"value\": 7}]', 'after the restore')"), 'example-4', 'the next revision is the next');
is(join("\n", $other->worker_errors), '', 'no error in the log');
$other->stop;
done_testing();
