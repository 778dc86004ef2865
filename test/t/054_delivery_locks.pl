# Transactions that hold rows of an endpoint, and are left open: that endpoint
# waits, all others have everything, and when it is over it has everything,
# too, each once. Held by functions of ours, in a session and by a prepared
# transaction; by a person who writes to tables; while the worker is careful.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(missing ghosts repeated unsigned);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main', conf => "max_prepared_transactions = 4\n");
my $receiver = MesflowReceiver->start;
my $round = 0;

# Makes both endpoints of a round: their names.
sub pair
{
	my (%option) = @_;
	my @names = ('held' . ++$round, "free$round");

	$node->endpoint($receiver, $_, types => ["r$round.*"], %option) foreach @names;
	return @names;
}

# emit_many(COUNT): of as many keys as are usual.
sub emit_many
{
	my ($count) = @_;

	$node->sql("SELECT mesflow.emit('r$round.a', 'key ' || n % 50, jsonb_build_object('n', n)) FROM generate_series(1, $count) n");
	return;
}

# Tests that they got all of the round, each once, but for pings.
sub complete
{
	my ($what, @names) = @_;
	my @events = $node->events("type LIKE 'r$round.%'");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $name (@names)
	{
		my @arrivals = grep { $_->{key} ne $name } $receiver->arrivals("/$name");

		is_deeply([ missing(\@events, \@arrivals), ghosts(\@events, \@arrivals), repeated(\@arrivals) ], [], "$what: $name has got all, each once");
	}
	return;
}

# held(SQL): a session that has run this in a transaction.
sub held
{
	my ($sql) = @_;
	my $session = $node->background_psql($MesflowNode::DATABASE);

	$session->query_safe("BEGIN; $sql");
	return $session;
}

# ---- by functions ------------------------------------------------------------------

my %calls = (
	ping => "ping_endpoint('%s')",
	pause => "pause_endpoint('%s', 'for a while')",
	resume => "resume_endpoint('%s')",
	alter => "alter_endpoint('%s', '{\"timeout_ms\": 5000}')",
	rotate => "rotate_secret('%s')",
	drop => "drop_endpoint('%s')",
	replay => "replay('%s')",
	replay_dead => "replay_dead('%s')");

foreach my $how ('in a session', 'prepared')
{
	my ($held, $free) = pair();
	my $ping = sprintf "SELECT mesflow.$calls{ping}", $held;
	my $session = $how eq 'prepared' ? undef : held($ping);

	$node->sql("BEGIN; $ping; PREPARE TRANSACTION 'held'") unless $session;
	emit_many(6000);
	$node->endpoint_comes_to($free, 'delivered = 6000', "$how: the other one gets everything");
	is($node->endpoint_shows($held, 'delivered, failed'), '0|0', "$how: nothing is written of the one that is held");
	cmp_ok(scalar(() = $receiver->arrivals("/$held")), '<=', 64, "$how: and few of its events were sent");
	$session ? $session->query_safe('COMMIT') : $node->sql("COMMIT PREPARED 'held'");
	$session->quit if $session;
	$node->endpoint_comes_to($held, 'delivered = 6001 AND waiting = 0', "$how: when that is over it gets everything");
	complete($how, $held, $free);
}

# Every one of them, all at once, with an endpoint each.
my @sessions;
my $first = $round + 1;
foreach my $how (sort keys %calls)
{
	my ($held) = pair();

	push @sessions, held(sprintf "SELECT mesflow.$calls{$how}", $held);
}
my $last = $round;
$node->endpoint($receiver, 'among', types => [ map { "r$_.*" } $first .. $last ]);
for my $number ($first .. $last)
{
	$round = $number;
	emit_many(300);
}
$node->endpoint_comes_to('among', 'delivered = ' . 300 * @sessions, 'every function: one among many goes on');
is($node->sql("SELECT count(*), sum(delivered) FROM mesflow.endpoints WHERE name ~ '^held' AND substr(name, 5)::integer >= $first"), @sessions . '|0', 'every function: the others wait');
foreach my $session (@sessions)
{
	$session->query_safe('ROLLBACK');
	$session->quit;
}
for my $number ($first .. $last)
{
	$round = $number;
	$node->endpoint_comes_to("held$number", 'delivered = 300');
	complete('every function', "held$number", "free$number");
}
# A hundred at a time, with more results than may wait to be recorded.
my @many = pair();
$receiver->path("/many$_") foreach 1 .. 100;
$node->sql("SELECT mesflow.create_endpoint('many' || n, '" . $receiver->url('/many') . "' || n, '{r$round.*}', options => '{\"allow_private\": true}') FROM generate_series(1, 100) n");
emit_many(100);
my $holding = held("SELECT mesflow.pause_endpoint(name, 'for a while') FROM mesflow.endpoints WHERE name <> '$many[1]' ORDER BY name");
emit_many(200);
$node->endpoint_comes_to($many[1], 'delivered = 300', 'a hundred are held: the other one goes on');
$holding->query_safe('ROLLBACK');
$holding->quit;
$node->await(q{SELECT bool_and(delivered = 300) AND count(*) = 100 FROM mesflow._cursors WHERE name LIKE 'endpoint many%'}, 'then they get everything');
my %came;
$came{ $_->{path} }{ $_->{id} }++ foreach $receiver->arrivals;
is_deeply([ grep { keys %{ $came{"/many$_"} } != 300 || grep { $_ > 1 } values %{ $came{"/many$_"} } } 1 .. 100 ], [], 'each once');
$node->sql(q{SELECT mesflow.drop_endpoint(name) FROM mesflow.endpoints WHERE name LIKE 'many%'});

# Dead letters are nothing that delivery waits for.
my @both = pair(options => { schedule => ['0 s'] }, settings => { status => 404 });
emit_many(10);
$node->endpoint_comes_to($_, 'dead = 10') foreach @both;
$receiver->path("/$_") foreach @both;
my $dismissing = held("SELECT mesflow.dismiss_dead(ARRAY(SELECT id FROM mesflow.dead_letters WHERE endpoint = '$both[0]'), 'of no use')");
emit_many(500);
$node->endpoint_comes_to($_, 'delivered = 500', "a dismissal that is open: $_ goes on") foreach @both;
$dismissing->query_safe('COMMIT');
$dismissing->quit;
is(join("\n", $node->worker_errors), '', 'functions: no error of a worker in the log');

# A drop, with events on their way and results that wait.
my ($gone, $stays) = pair(settings => { status => 500 });
$receiver->path("/$stays");
my $session = held("SELECT mesflow.drop_endpoint('$gone')");
emit_many(500);
$node->endpoint_comes_to($stays, 'delivered = 500', 'a drop that is open: the other one goes on');
$session->query_safe('COMMIT');
$session->quit;
emit_many(10);
$node->endpoint_comes_to($stays, 'delivered = 510', 'and after it');
is($node->sql("SELECT count(*) FROM mesflow._pending WHERE endpoint = '$gone'"), 0, 'nothing is left of the one that is gone');
is(join("\n", $node->worker_errors), '', 'a drop: no error of a worker in the log');

# ---- by a person ------------------------------------------------------------------------

# Rows that fail, so that there are some, and more to write of them.
my $often = [ '0 s', map { '10 ms' } 1 .. 40 ];
my %rows = (
	'rows that wait' => q{UPDATE mesflow._pending SET due_at = due_at WHERE endpoint = '%s'},
	'the endpoint' => q{SELECT FROM mesflow._endpoints WHERE name = '%s' FOR UPDATE},
	'its troubles' => q{SELECT FROM mesflow._endpoint_troubles WHERE endpoint = '%s' FOR UPDATE});

foreach my $how (sort keys %rows)
{
	my ($held, $free) = pair(settings => { status => 500 }, options => { schedule => $often, ordering => 'none' });

	$receiver->path("/$free");
	emit_many(20);
	$node->endpoint_comes_to($free, 'delivered = 20', "$how: both work");
	$node->endpoint_comes_to($held, "breaker = 'open' AND in_flight = 0", "$how: one of them fails");
	my $session = held(sprintf $rows{$how}, $held);

	# What it waits for is over: it is tried again, as if resumed.
	$receiver->path("/$held");
	$node->sql("UPDATE mesflow._endpoint_troubles SET breaker = breaker WHERE false; SELECT mesflow._tell_delivery('$held', 'resumed')");
	$node->await_true(sub { grep { $_->{status} == 200 } $receiver->arrivals("/$held") }, "$how: something is sent there");
	emit_many(3000);
	$node->endpoint_comes_to($free, 'delivered = 3020', "$how: the other one gets everything");
	$session->query_safe('COMMIT');
	$session->quit;
	$node->endpoint_comes_to($held, 'delivered = 3020 AND waiting = 0', "$how: when that is over it gets everything");
}
ok(!(grep { !/lock timeout/ } $node->worker_errors), 'no errors but of locks that were waited for');

# ---- while the worker is careful -------------------------------------------------------------

my ($held, $free) = pair();
$node->sql('UPDATE mesflow._delivery_lives SET begun = 5');
$node->restart;
$node->await_worker('delivery');
$session = held("SELECT mesflow.ping_endpoint('$held')");
emit_many(100);
$node->endpoint_comes_to($free, 'delivered = 100', 'careful: the other one gets everything');
is(scalar(() = $receiver->arrivals("/$held")), 0, 'careful: nothing is sent that is not marked');
$session->query_safe('COMMIT');
$session->quit;
$node->endpoint_comes_to($held, 'delivered = 101 AND waiting = 0', 'careful: when that is over it gets everything');
complete('careful', $held, $free);
is_deeply([ unsigned([ $receiver->arrivals("/$free") ]) ], [], 'every request was signed');

$node->stop;
$receiver->stop;
done_testing();
