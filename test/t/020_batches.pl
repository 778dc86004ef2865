# Pre-flight and reprice jobs under a worker that runs: each combination once,
# whatever ends the worker, whoever stops the job.
use strict;
use warnings;
use IPC::Run;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 1
max_prepared_transactions = 4
fsync = off
END
my $worker = $node->await_worker('pricing');
my $model = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl');
$node->await("SELECT state = 'measured' FROM mesflow.models WHERE id = '$model'", 'the model is measured');

# No portion gets past a combination at the gate while a prepared
# transaction, which survives crashes, keeps it closed.
$node->sql(q{
	UPDATE mesflow.processes SET review_above = NULL WHERE code = 'fdm';
	CREATE TABLE public.gate ();
	CREATE TABLE public.gates (material text, quantity integer);
	CREATE FUNCTION public.pass() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM public.gates g WHERE g.material = NEW.material AND g.quantity = NEW.quantity) THEN
			LOCK TABLE public.gate IN ACCESS SHARE MODE;
		END IF;
		RETURN NEW;
	END
	$$;
	CREATE TRIGGER pass BEFORE INSERT ON mesflow._quotes FOR EACH ROW EXECUTE FUNCTION public.pass()});

sub close_gate
{
	my ($material, $quantity) = @_;

	$node->sql("TRUNCATE public.gates; INSERT INTO public.gates VALUES ('$material', $quantity)");
	$node->sql("BEGIN; LOCK TABLE public.gate IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'gate'");
	return;
}

sub at_the_gate
{
	my ($what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'mesflow pricing' AND wait_event_type = 'Lock')", $what);
}

sub open_gate
{
	$node->sql("ROLLBACK PREPARED 'gate'");
	return;
}

# Ten thousand combinations.
sub preflight
{
	my ($first, $of) = @_;

	$of //= $model;
	return $node->sql("SELECT mesflow.preflight_quotes('$of', '{pla,petg,resin}', '{fdm}', ARRAY(SELECT generate_series($first, $first + 999)), '{0.5,0.8,1,2,3}')");
}

sub each_once
{
	my ($first, $expected, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->sql("SELECT count(*), count(DISTINCT (material, quantity, options)), bool_and(state = 'priced')"
		  . " FROM mesflow._quotes WHERE preflight AND quantity BETWEEN $first AND $first + 999"),
		"$expected|$expected|t", $what);
	return;
}

# How many combinations a job has looked at.
sub done_of
{
	my ($id) = @_;

	return $node->sql("SELECT split_part(stage, ' ', 1) FROM mesflow.price_jobs WHERE id = $id");
}

sub has_ended
{
	my ($job, $state, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await("SELECT state = '$state' FROM mesflow.price_jobs WHERE id = $job", $what);
}

# ---- kill -9 in the middle of a portion -------------------------------------

close_gate('pla', 500);
my $job = preflight(1);
at_the_gate('the worker is in the middle of a portion');
is($node->sql("SELECT state FROM mesflow.price_jobs WHERE id = $job"), 'running', 'the job runs');
my $done = done_of($job);
cmp_ok($done, '>', 5000, 'more than half is done');
cmp_ok($done, '<', 10000, 'not all of it');
each_once(1, $done, 'what is done is there');
# Portions are bounded by time, too: the next one stops at its first combination.
$node->sql("INSERT INTO public.gates SELECT 'pla', generate_series(1, 1000)");
$node->signal('KILL', $worker);
$node->gone('the worker is gone', $worker);
$worker = $node->await_worker('pricing', $worker);
at_the_gate('the next one is where the first was');
my $later = done_of($job);
cmp_ok($later, '>=', $done, 'nothing is lost');
each_once(1, $later, 'nothing of the portion is there');
open_gate();
has_ended($job, 'done', 'the job is done');
each_once(1, 10000, 'each combination is there once');
is($node->sql("SELECT lives || ' ' || attempt FROM mesflow._batches_done WHERE id = $job"), '0 0', 'with nothing held against it');
$node->sound('after kill -9 in a portion');

# ---- the same again makes nothing new ---------------------------------------

$job = preflight(1);
has_ended($job, 'done', 'asked for again');
each_once(1, 10000, 'each combination is there once');

# ---- a portion, the first, under which the worker ends again and again -------------------

close_gate('petg', 2000);
$job = preflight(2000);
foreach my $life (1 .. 5)
{
	at_the_gate("life $life is at the gate");
	is($node->sql("SELECT lives FROM mesflow._batches WHERE id = $job"), $life, 'it has left its mark');
	$node->signal('KILL', $worker);
	$node->gone('the worker is gone', $worker);
	$worker = $node->await_worker('pricing', $worker);
}
has_ended($job, 'failed', 'after the fifth the job has failed');
is($node->sql("SELECT error_code FROM mesflow.price_jobs WHERE id = $job"), 'crashed', 'and says why');
open_gate();
$node->sql("SELECT mesflow.retry_job($job)");
has_ended($job, 'done', 'a retry does it');
each_once(2000, 10000, 'each combination is there once');

# ---- cancelled in the middle, then retried ------------------------------------

close_gate('petg', 3100);
$job = preflight(3000);
at_the_gate('the worker is in the middle of a portion');
my $answer = '';
my $cancel = IPC::Run::start(
	[ 'psql', '-X', '-A', '-t', '-d', $node->connstr($MesflowNode::DATABASE), '-c', "SELECT mesflow.cancel_job($job)" ],
	'>', \$answer);
$node->await("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%cancel_job%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid())",
	'somebody cancels it');
open_gate();
$cancel->finish;
is($answer, "t\n", 'it is cancelled');
is($node->sql("SELECT state FROM mesflow.price_jobs WHERE id = $job"), 'cancelled', 'as price_jobs tells');
$done = done_of($job);
cmp_ok($done, '>=', 500, 'the portion was ended');
cmp_ok($done, '<', 10000, 'and not all of the others were done');
each_once(3000, $done, 'what was done stays');
$node->sql("SELECT mesflow.retry_job($job)");
has_ended($job, 'done', 'a retry does the rest');
each_once(3000, 10000, 'each combination is there once');

# ---- models get their turn ------------------------------------------------------

close_gate('petg', 4500);
$job = preflight(4000);
my $other = $node->upload_bytes(MesflowNode::cube(11), 'other.stl');
at_the_gate('a job is in the middle of a portion');
open_gate();
$node->await("SELECT state = 'measured' FROM mesflow.models WHERE id = '$other'", 'a model is measured beside it');
has_ended($job, 'done', 'the job is done');
each_once(4000, 10000, 'each combination is there once');

# ---- no slots; a model that nobody has measured yet -------------------------------

$node->set('mesflow.pricing_slots' => 0);
$node->helpers_are(0);
$job = preflight(5000);
has_ended($job, 'done', 'without slots the job is done');
each_once(5000, 10000, 'each combination is there once');
my $new = $node->upload_bytes(MesflowNode::cube(12), 'new.stl');
my $waiting = preflight(6000, $new);
$job = preflight(7000);
has_ended($job, 'done', 'one that comes later is done');
is($node->sql("SELECT state FROM mesflow.price_jobs WHERE id = $waiting"), 'scheduled', 'one waits for a measurement');
$node->set('mesflow.pricing_slots' => 1);
has_ended($waiting, 'done', 'it comes, and the job is done');
each_once(6000, 10000, 'each combination is there once');
my $refused = $node->upload_bytes('this is no model', 'no_model.stl');
$job = preflight(8000, $refused);
has_ended($job, 'failed', 'of a model that cannot be read the job fails');
is($node->sql("SELECT j.error_code = m.error_code FROM mesflow.price_jobs j JOIN mesflow.models m ON m.id = j.model WHERE j.id = $job"),
	't', 'with the code of the model');

# ---- handed out, and priced again ---------------------------------------------------

is($node->sql("SELECT count(DISTINCT mesflow.request_quote('$model', 'pla', 'fdm', n)) FROM generate_series(1, 1000) n"), 1000, 'a thousand are asked for');
is($node->sql('SELECT count(*) FROM mesflow._quotes WHERE quantity BETWEEN 1 AND 1000'), 10000, 'they were there already');
$node->sql(q{
	INSERT INTO mesflow.price_lists (code, currency, tax_rate) VALUES ('dear', 'EUR', 0.20);
	INSERT INTO mesflow.rates (price_list, process, material, name, value)
		SELECT 'dear', process, material, name, CASE WHEN unit LIKE 'EUR%' THEN value * 2 ELSE value END FROM mesflow.rates WHERE price_list = 'example';
	UPDATE mesflow.price_lists SET state = 'active' WHERE code = 'dear'});
close_gate('pla', 700);
is($node->sql('SELECT count(*) FROM mesflow.reprice_quotes(dry_run => false)'), 1000, 'they are to be priced again');
$job = $node->sql("SELECT id FROM mesflow.price_jobs WHERE kind = 'reprice'");
at_the_gate('the worker is in the middle of them');
$node->signal('KILL', $worker);
$node->gone('the worker is gone', $worker);
$worker = $node->await_worker('pricing', $worker);
at_the_gate('the next one is where the first was');
open_gate();
has_ended($job, 'done', 'the job is done');
is($node->sql(q{SELECT count(*), count(DISTINCT supersedes), min(price_list) FROM mesflow._quotes WHERE supersedes IS NOT NULL AND state = 'priced'}),
	'1000|1000|dear', 'each is replaced once');
is($node->sql(q{SELECT count(*) FROM mesflow._quotes WHERE state = 'cancelled' AND error_code = 'superseded'}), 1000, 'and none is left');
$node->sound('in the end');
$node->stop;
done_testing();
