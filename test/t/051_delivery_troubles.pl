# What is remembered of an endpoint that does not work, over a restart of the
# server; and resume_endpoint(), which forgets it, also of one that is active.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(accepted repeated unsigned);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;

# A healthy one beside it: what arrives there shows that time went by.
$node->endpoint($receiver, 'healthy', types => ['beat.*']);
my $beats = 0;

sub beat
{
	$node->emit('beat.a', 'beat ' . ++$beats);
	$receiver->await($beats, '/healthy', "a healthy endpoint goes on ($beats)");
	return;
}

# Another life of the worker; what the last one knew is in the tables.
sub again
{
	$node->restart;
	$node->await_worker('delivery');
	return;
}

# ---- a breaker -----------------------------------------------------------------

$node->endpoint($receiver, 'down', types => ['down.*'], settings => { status => 500 }, options => { schedule => [ '0 s', map { '10 ms' } 1 .. 40 ] });
$node->emit('down.a', "key $_") foreach 1 .. 20;
$node->endpoint_comes_to('down', q{breaker = 'open' AND in_flight = 0}, 'after failures it is left alone');

# For longer than this test can take.
again();
$node->sql(q{UPDATE mesflow._endpoint_troubles SET breaker_until = now() + interval '1 day', opened = 7 WHERE endpoint = 'down'});
again();
my $tried = () = $receiver->arrivals('/down');
$receiver->path('/down');
$node->emit('down.b', 'key 1');
beat();
is($node->endpoint_shows('down', 'state, breaker, waiting'), 'active|open|21', 'also by the next life of the server');
is(scalar($receiver->arrivals('/down')), $tried, 'nothing is sent there');
$node->sql(q{SELECT mesflow.resume_endpoint('down', 'operator')});
$node->endpoint_comes_to('down', q{breaker = 'closed' AND delivered = 21}, 'resumed, it is tried at once');
is_deeply([ repeated([ accepted([ $receiver->arrivals('/down') ]) ]) ], [], 'and gets everything once');
$node->await(q{SELECT (t.breaker, t.opened, t.failures) = ('closed', 0, 0) AND t.breaker_until IS NULL AND t.failing_since IS NULL FROM mesflow._endpoint_troubles t WHERE t.endpoint = 'down'},
	'nothing is held against it');
is($node->endpoint_shows('down', 'state, changed_by'), 'active|operator', 'who did it is told');

# ---- Retry-After -----------------------------------------------------------------

my $busy = { status => 429, headers => { 'retry-after' => '3600' } };
foreach my $name (qw(busy altered))
{
	$node->endpoint($receiver, $name, types => ['busy.*'], settings => $busy, options => { schedule => [ '0 s', '1 s', '1 s' ], max_in_flight => 1 });
}
$node->emit('busy.a', 'key 1');
$node->await(q{SELECT bool_and(hold_until > now() + interval '50 min') AND count(*) = 2 FROM mesflow._endpoint_troubles WHERE endpoint IN ('busy', 'altered')}, 'it is written down how long to wait');
again();
$receiver->path("/$_") foreach qw(busy altered);
my ($other) = $node->emit('busy.b', 'key 2');
beat();
foreach my $name (qw(busy altered))
{
	is(scalar($receiver->arrivals("/$name")), 1, "$name: also the next life leaves the whole endpoint alone");
	is($node->endpoint_shows($name, 'breaker, waiting'), 'closed|2', "$name: what comes waits");
}
$node->sql(q{SELECT mesflow.resume_endpoint('busy', 'operator')});
$node->sql(q{SELECT mesflow.alter_endpoint('altered', '{"max_in_flight": 2}')});
foreach my $name (qw(busy altered))
{
	$node->endpoint_comes_to($name, 'delivered = 1', "$name: that can be ended");
	is((map { $_->{id} } $receiver->arrivals("/$name"))[1], $other, "$name: it gets what it has not refused");
	is($node->sql("SELECT state, next_attempt_at > now() + interval '50 min' FROM mesflow.deliveries WHERE endpoint = '$name' AND event <> '$other'"), 'retry|t', "$name: what it has refused keeps its time");
}
$node->await(q{SELECT bool_and(hold_until IS NULL) FROM mesflow._endpoint_troubles}, 'nothing holds them any more');

is_deeply([ unsigned([ $receiver->arrivals ]) ], [], 'every request was signed');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$receiver->stop;
done_testing();
