# A company's pricing function that does not end, under running workers: it
# costs its own quotes, and nobody else's.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 1
mesflow.pricing_function_timeout = 100ms
max_prepared_transactions = 4
fsync = off
END
my $worker = $node->await_worker('pricing');
my $submitted = 0;

sub upload
{
	$submitted++;
	return $node->upload_bytes(MesflowNode::cube($submitted), "cube_$submitted.stl");
}

# The function that prices process sls from now on.
sub price_with
{
	my ($body) = @_;

	$node->sql(qq{
		CREATE OR REPLACE FUNCTION public.price(measurement mesflow.measurements, material mesflow.materials, process mesflow.processes,
			quantity integer, options jsonb, rates jsonb) RETURNS jsonb LANGUAGE plpgsql AS \$\$BEGIN $body; RETURN '[{"line": "own", "amount": 10}]'; END\$\$;
		UPDATE mesflow.processes SET pricing_function = 'public.price' WHERE code = 'sls'});
	return;
}

sub request
{
	my ($model, $material, $process, $quantity) = @_;

	$submitted++;
	return $node->sql("SELECT mesflow.request_quote('$model', '$material', '$process', $quantity)");
}

# State and reason of the quotes of a process for a model, and how many of each.
sub quotes
{
	my ($model, $process) = @_;

	return $node->sql("SELECT state, error_code, count(*) FROM mesflow.quotes WHERE model = '$model' AND process = '$process' GROUP BY 1, 2 ORDER BY 1, 2");
}

# Three quotes of the company's process, among three others, all of a model
# that is not measured yet.
sub request_all
{
	my @held = $node->hold(1);
	my $model = upload();

	foreach my $quantity (1 .. 3)
	{
		request($model, 'pla', 'fdm', $quantity);
		request($model, 'pa12', 'sls', $quantity);
	}
	$node->signal('CONT', @held);
	return $model;
}

my $took_longer = qr/^Price list "example", process "sls", material "pa12": pricing function "public\.price" took longer than 100 ms of processor time, or 500 ms of time\.$/;

# ---- one that does not end: computing, sleeping, waiting --------------------

$node->sql('CREATE TABLE public.gate ()');
foreach my $endless ('LOOP NULL; END LOOP', 'PERFORM pg_sleep(3600)', 'LOCK TABLE public.gate IN ACCESS SHARE MODE')
{
	my $waits = $endless =~ /LOCK/;

	$node->sql(q{BEGIN; LOCK TABLE public.gate IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'gate'}) if $waits;
	price_with($endless);
	my $model = request_all();
	$node->settled($submitted);
	is(quotes($model, 'fdm'), 'priced||3', "$endless: the others are priced");
	is(quotes($model, 'sls'), 'failed|pricing_failed|3', 'its own have failed');
	like($_, $took_longer, 'and say why')
	  foreach split /\n/, $node->sql("SELECT DISTINCT error FROM mesflow.quotes WHERE model = '$model' AND process = 'sls'");
	is($node->sql("SELECT state FROM mesflow.models WHERE id = '$model'"), 'measured', 'the model is measured');
	is($node->worker_pid('pricing'), $worker, 'by the same worker');
	$node->counted('all done', done => $submitted);
	$node->sql(q{ROLLBACK PREPARED 'gate'}) if $waits;
}
$node->sound('after functions that do not end');

# ---- the same in a batch ----------------------------------------------------

price_with('IF quantity = 2 THEN LOOP NULL; END LOOP; END IF');
my $model = $node->sql(q{SELECT id FROM mesflow.models LIMIT 1});
my $job = $node->sql("SELECT mesflow.preflight_quotes('$model', '{pa12}', '{sls}', '{1,2,3}', '{0.5,2}')");
$submitted++;
$node->settled($submitted);
is($node->sql("SELECT state, quantity, count(*) FROM mesflow._quotes WHERE preflight GROUP BY 1, 2 ORDER BY 2"),
	"priced|1|2\nfailed|2|2\npriced|3|2", 'of a batch its combinations have failed, and no others');
is($node->sql("SELECT state FROM mesflow.price_jobs WHERE id = $job"), 'done', 'and it is done');
is($node->worker_pid('pricing'), $worker, 'by the same worker');

# ---- one that sets the session up for others --------------------------------

price_with(q{PERFORM set_config('default_transaction_read_only', 'on', false), set_config('statement_timeout', '1', false)});
$model = request_all();
$node->settled($submitted);
is(quotes($model, $_), 'priced||3', "what it sets ends with it: $_") foreach 'fdm', 'sls';
is($node->worker_pid('pricing'), $worker, 'the worker goes on');

# ---- one that catches every cancel: the session that calls it ends ----------

price_with('LOOP BEGIN LOOP NULL; END LOOP; EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP');
$model = $node->sql(q{SELECT id FROM mesflow.models LIMIT 1});
my ($status, $out, $err) = $node->psql($MesflowNode::DATABASE, "SELECT total FROM mesflow.estimate('$model', 'pa12', 'sls')");
isnt($status, 0, 'a session that asks for its price ends');
like($err, qr/terminating connection due to administrator command/, 'as if it had been told to');
is($node->sql("SELECT state FROM mesflow.worker_status WHERE kind = 'pricing' AND pid = $worker"), 'idle', 'nobody else does');

like($node->sql("SELECT error FROM mesflow.estimate('$model', 'pa12', 'sls')"), qr/caught its cancellation/,
	'the next one is told, for the function is not called again');

# ---- and under the worker: it ends once, and gives the function up ----------

price_with('LOOP BEGIN LOOP NULL; END LOOP; EXCEPTION WHEN query_canceled OR null_value_not_allowed THEN NULL; END; END LOOP');
my $restarts = q{SELECT restarts FROM mesflow.worker_status WHERE kind = 'pricing'};
my $before = $node->sql($restarts);
$model = request_all();
$node->await("SELECT count(*) = 0 FROM mesflow.quotes WHERE model = '$model' AND state = 'pending'", 'its quotes are answered in the end');
is(quotes($model, 'sls'), 'failed|pricing_failed|3', 'those of the company have failed');
is(quotes($model, 'fdm'), 'priced||3', 'the others of the same model are priced');
my $next = $node->await_worker('pricing', $worker);
is($node->sql($restarts), $before + 1, 'the worker ended once');
$model = request_all();
$node->settled($submitted);
is(quotes($model, 'sls'), 'failed|pricing_failed|3', 'and does not call the function again');
is($node->worker_pid('pricing'), $next, 'nor end again');
$node->sound('after a function that cannot be stopped');
price_with('NULL');

# ---- nothing else is lost ---------------------------------------------------

$model = upload();
$node->settled($submitted);
$node->sql("SELECT mesflow.request_quote('$model', 'pla', 'fdm', 9)");
is(quotes($model, 'fdm'), 'priced||1', 'others are priced as before');
$node->sound('in the end');
$node->stop;
done_testing();
