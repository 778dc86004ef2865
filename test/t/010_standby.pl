# A streaming standby: nothing runs on it until it is promoted; then it takes
# over all work.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $primary = MesflowNode->ready('primary',
	init => { allows_streaming => 1 },
	conf => 'mesflow.pricing_slots = 1');
$primary->await_worker('pricing');
my $known = $primary->upload_bytes(MesflowNode::cube(10), 'known.stl');
$primary->settled(1);
my $promised = $primary->sql("SELECT mesflow.request_quote('$known', 'pla', 'fdm', 14)");

$primary->backup('base');
my $standby = MesflowNode->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# ---- on the standby --------------------------------------------------------

$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
is($standby->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'mesflow %'"),
	0, 'a standby has no workers');
is($standby->sql("SELECT total FROM mesflow.estimate('$known', 'pla', 'fdm', 14)"), '17.64',
	'it can estimate what is measured');
is($standby->sql("SELECT total, same FROM mesflow.recompute_quote('$promised')"), '17.64|t',
	'compute a promised price again');
is($standby->sql("SELECT count(*) FROM mesflow.check_price_list('example')"), 0,
	'and look for gaps in a price list');
is($standby->sql("SELECT string_agg(status, ' ') FROM mesflow.health() WHERE check_name = 'recovery'"),
	'ok', 'health() knows that it is a standby');
is($standby->sql("SELECT count(*) FROM mesflow.health() WHERE check_name LIKE 'worker pr%ing'"),
	0, 'and misses no worker');
is($standby->sql("SELECT length(mesflow.model_picture('$known')) > 1000"), 't', 'and pictures can be seen');
is($standby->sql("SELECT length(mesflow.model_content('$known')), length(mesflow.model_content('$known', 80, 4))"), '684|4',
	'it gives out the bytes of a model');
is($standby->sql("SELECT old = new FROM mesflow.reprice_quotes()"), 't',
	'and tell what a new price list would do to quotes');
is($standby->sqlstate("SELECT mesflow.request_quote('$known', 'pla', 'fdm')"), 'MF503',
	'it promises nothing');
foreach my $call (
	"upload_model('x', 'x.stl')", "begin_upload('x.stl', 1)",
	'append_upload(gen_random_uuid(), 0, \'x\')', 'cancel_job(1)', 'retry_job(1)',
	"delete_model('$known', 'x')",
	'cancel_quote(gen_random_uuid())', "price_quote('$promised', 1, 'x')", "reject_quote('$promised', 'x')",
	"revise_price_list('[]', 'x')", "create_partner('x', 'x')", "node_register('n', 1, 'v')",
	"claim_jobs(1, 'x', 1)", "arm('reason')", "preflight_quotes('$known', '{pla}', '{fdm}')",
	'reprice_quotes(dry_run => false)')
{
	is($standby->sqlstate("SELECT mesflow.$call"), 'MF503', "nor does it do $call");
}
is($standby->sql("SELECT (mesflow.await_model('$known', '180s')).state"), 'measured',
	'waiting for what is there works');
$standby->sound('on the standby');

# ---- work that the primary does not finish ---------------------------------

my @held = $primary->hold(1);
my @models = map { $primary->upload_bytes(MesflowNode::cube($_), "cube_$_.stl") } 1 .. 4;
my $quote = $primary->sql("SELECT mesflow.request_quote('$models[3]', 'pla', 'fdm', 45)");
$primary->await('SELECT count(*) = 1 FROM mesflow._jobs_running', 'one of five jobs runs');
$primary->counted('four wait', done => 1, running => 1, queued => 4);
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$standby->await('SELECT count(*) = 1 FROM mesflow._jobs_running', 'the standby has heard of it');
$primary->stop('immediate');

# ---- promotion -------------------------------------------------------------

$standby->promote;
$standby->await_worker('pricing');
$standby->settled(6);
$standby->counted('none lost, none twice', done => 6);
is($standby->sql("SELECT state, total FROM mesflow.quotes WHERE id = '$quote'"), 'priced|10.26',
	'the quote is priced')
  or diag($standby->sql("SELECT * FROM mesflow.quotes WHERE id = '$quote'"));
is($standby->sql("SELECT count(*) FROM mesflow.nodes"), 1, 'the primary\'s registration is gone');
$standby->sound('after promotion');
is(join("\n", $standby->worker_errors), '', 'no error in the log');
$standby->stop;
done_testing();
