# The delivery worker and its program stay as they are over thousands of
# deliveries, good ones and bad ones; they hold no transaction while requests
# hang, and touch no row but cursors.
use strict;
use warnings;
use List::Util qw(min);
use MesflowDelivery;
use MesflowLedger qw(moved_rows unsigned);
use MesflowReceiver;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;
my $worker = $node->worker_pid('delivery');

# Connections and what is kept for each come with the first rush.
my %few = (max_in_flight => 8);
$node->endpoint($receiver, 'a', options => {%few});
$node->endpoint($receiver, 'b', options => { format => 'cloudevents', ordering => 'none', %few });
$node->endpoint($receiver, 'c', options => { format => 'cloudevents-binary', ordering => 'strict', %few });
$node->endpoint($receiver, 'failing', types => ['bad.*'], options => { schedule => [ '0 s', '20 ms' ] }, settings => { failures => 1, failure => { status => 429, body => 'x' x 5000 } });
$node->endpoint($receiver, 'dying', types => ['bad.*'], options => { schedule => ['0 s'] }, settings => { status => 404, body => 'x' x 5000 });

# ---- good ones --------------------------------------------------------------------

my $done = 0;

# So many deliveries to three endpoints, of new keys each time.
sub deliver
{
	my ($number) = @_;
	my $events = int($number / 3);

	$node->sql("SELECT count(mesflow.emit('good.a', 'key ' || (n + $done) % 997, jsonb_build_object('filler', repeat('x', n % 2000)))) FROM generate_series(1, $events) n");
	$done += $events;
	$node->await("SELECT bool_and(delivered = $done AND waiting = 0) FROM mesflow.endpoints WHERE name IN ('a', 'b', 'c')", "$done events are delivered three times");
	return;
}

deliver(3000);
my $attempts = $node->attempts_so_far;
$node->attempts_told($attempts);
my $before = $node->row_changes;
my ($sender) = $node->senders;

sub weigh_sender
{
	my ($pages) = slurp_file("/proc/$sender/status") =~ /RssAnon:\s+(\d+)/;
	my ($descriptors) = slurp_file("/proc/$sender/status") =~ /FDSize:\s+(\d+)/;

	note("sender: $pages kB of pages, room for $descriptors descriptors");
	return ($pages, $descriptors);
}

my ($pages, $descriptors) = weigh_sender();
my @new_pages;
my $weigh = sub {
	my ($now) = weigh_sender();
	push @new_pages, $now - $pages;
	$pages = $now;
};
$node->stays_flat($worker, \&deliver, $weigh);
cmp_ok(min(@new_pages[ 1 .. $#new_pages ]), '<=', 64, 'the pages of the sender stay as they are') or diag("they grew by @new_pages");
is((weigh_sender())[1], $descriptors, 'so do its descriptors');
is(join(' ', $node->senders), $sender, 'it is the same process');
$node->attempts_told($node->attempts_so_far);
is_deeply([ moved_rows($before, $node->row_changes) ], [], 'no row was updated or deleted but cursors');

# ---- bad ones ------------------------------------------------------------------------

my $failed = 0;
sub deliver_badly
{
	my ($number) = @_;
	my $events = int($number / 3);

	$node->sql("SELECT count(mesflow.emit('bad.a', 'key ' || (n + $failed) % 997, '{}')) FROM generate_series(1, $events) n");
	$failed += $events;
	$done += $events;
	$node->await("SELECT bool_and((CASE name WHEN 'failing' THEN delivered WHEN 'dying' THEN dead ELSE $failed END) = $failed AND waiting = 0) FROM mesflow.endpoints",
		"$failed events fail once, and for ever");
	return;
}
$node->stays_flat($worker, \&deliver_badly);
is(join(' ', $node->senders), $sender, 'the sender is the same process');

# ---- large bodies that filters look into --------------------------------------------------

sub most_pages
{
	my ($kilobytes) = slurp_file("/proc/$worker/status") =~ /VmHWM:\s+(\d+)/;

	return $kilobytes;
}

$node->sql(qq{SELECT mesflow.alter_endpoint('$_', event_types => '{good.*,bad.*}')}) foreach qw(a b c);
my $most = most_pages();
$node->endpoint($receiver, "picky$_", types => ['large.*'], options => { filter => "\$.data.for == $_" }) foreach 1, 2;
$node->sql(q{SELECT count(mesflow.emit('large.a', 'key', jsonb_build_object('for', 0, 'filler', repeat('x', 900000)))) FROM generate_series(1, 150)});
$node->sql(q{SELECT mesflow.emit('large.b', 'key', '{"for": 1}'), mesflow.emit('large.b', 'key', '{"for": 2}')});
$receiver->await(1, "/picky$_", "filter $_ has looked into bodies of 135 MB") foreach 1, 2;
cmp_ok(most_pages() - $most, '<', 64 * 1024, 'the worker never held nearly as much');

# ---- what hangs ------------------------------------------------------------------------

$receiver->path("/$_", mode => 'hang') foreach qw(a b);
$node->emit('good.b', "key $_") foreach 1 .. 20;
$node->endpoint_comes_to($_, 'in_flight > 0', "requests to $_ hang") foreach qw(a b);
$done += 20;
$node->endpoint_comes_to('c', "delivered = $done", 'others go on');
$node->await(q{SELECT backend_xmin IS NULL AND backend_xid IS NULL AND state IS DISTINCT FROM 'idle in transaction' FROM pg_stat_activity WHERE backend_type = 'mesflow delivery'},
	'meanwhile the worker holds no transaction');
$node->await("SELECT count(*) = 0 FROM pg_locks WHERE pid = $worker AND locktype IN ('relation', 'transactionid', 'tuple')", 'and no lock');

# Old rows can be cleaned away while they hang.
$node->sql('CREATE TABLE public.rows AS SELECT generate_series(1, 1000) AS n; DELETE FROM public.rows');
$node->await_true(
	sub { ($node->psql($MesflowNode::DATABASE, 'VACUUM VERBOSE public.rows'))[2] =~ /\b0 are dead but not yet removable/ },
	'vacuum removes all that is dead');

is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
is_deeply([ unsigned([ $receiver->arrivals ]) ], [], 'every request was signed');
my @senders = $node->senders;
$node->stop('fast');
$node->gone('a fast stop does not wait for what hangs', $worker, @senders);
$receiver->stop;
done_testing();
