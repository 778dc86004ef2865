# A delivery under which the delivery worker ends again and again, and with it
# the server: after some lives it is isolated and given up, whatever else was
# under way is delivered, and a life that goes on makes all forgotten.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts unsigned);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;
my %hang = (mode => 'hang');
my $poison = '{"what": "poison"}';
my $slow = '{"what": "slow"}';

sub lives
{
	return $node->sql('SELECT begun FROM mesflow._delivery_lives');
}

# How often an event was sent.
sub sent
{
	my ($event) = @_;

	return scalar grep { $_->{id} eq $event } $receiver->arrivals('/victim');
}

sub row
{
	my ($event) = @_;

	return $node->sql("SELECT state, crashes FROM mesflow._pending WHERE event = '$event'");
}

# The worker ends while the poison is under way, as if by it.
my $ends = 0;

sub end_by_poison
{
	my ($event) = @_;
	my $worker = $node->worker_pid('delivery');

	$node->await_true(sub { sent($event) == $ends + 1 }, 'the poison is sent, time ' . ($ends + 1));
	$ends++;
	$node->signal('KILL', $worker);
	$node->await_worker('delivery', $worker);
	return;
}

$node->endpoint($receiver, 'victim', types => ['mixed.*'], options => { timeout_ms => 120000 },
	settings => { rules => [ { match => '"poison"', %hang }, { match => '"slow"', %hang } ] });
$node->endpoint($receiver, 'other', types => ['mixed.*']);
$node->emit('mixed.a', "key $_", 5) foreach 1 .. 5;
$node->endpoint_comes_to('victim', 'delivered = 25');
is(lives(), 1, 'this is the first life');
is($node->sql('SELECT count(*) FROM mesflow._pending'), 0, 'nothing is marked');

# ---- lives without care --------------------------------------------------------

my ($bad) = $node->emit('mixed.b', 'key 1', 1, $poison);
my ($innocent) = $node->emit('mixed.b', 'key 2', 1, $slow);
$node->emit('mixed.b', "key $_", 3) foreach 1 .. 5;
end_by_poison($bad);
is(lives(), 2, 'the second life');
end_by_poison($bad);
is(lives(), 3, 'the third life');

# ---- with care --------------------------------------------------------------------

# So that it does not matter how long a life takes on this machine.
$node->sql('UPDATE mesflow._delivery_lives SET begun = 10');
$node->await_true(sub { sent($innocent) == 3 && sent($bad) == 3 }, 'they are sent again');
is(row($bad), 'in_flight|1', 'with a mark');
is(row($innocent), 'in_flight|1', 'each has one');
end_by_poison($bad);
$node->sql('UPDATE mesflow._delivery_lives SET begun = 10');
$node->await_true(sub { sent($innocent) == 4 }, 'once more');
end_by_poison($bad);
$node->endpoint_comes_to('other', 'waiting = 0 AND delivered >= 42', 'the other endpoint has everything');

foreach my $alone (5, 6)
{
	$node->sql('UPDATE mesflow._delivery_lives SET begun = 10');
	$node->await_true(sub { sent($bad) == $alone }, 'it is sent alone');
	is(row($bad), 'in_flight|' . ($alone - 2), 'with a mark');
	is(sent($innocent), 4, 'the other one that was under way waits');
	$receiver->path('/victim', rules => [ { match => '"poison"', %hang } ]) if $alone == 6;
	end_by_poison($bad);
}

# ---- the end of it -----------------------------------------------------------------

$node->endpoint_comes_to('victim', 'dead = 1 AND waiting = 0', 'the poison is given up, all else delivered');
is(sent($bad), 6, 'without another try');
is($node->sql('SELECT event, reason FROM mesflow.dead_letters'), "$bad|it ended the delivery worker or the sender every time", 'a dead letter says why');
is($node->sql("SELECT state, attempts FROM mesflow.deliveries WHERE event = '$innocent' AND endpoint = 'victim'"), 'delivered|1', 'the one beside it is delivered');
is($node->sql('SELECT count(*) FROM mesflow._pending'), 0, 'no mark stays');
foreach my $path (qw(/victim /other))
{
	my @arrivals = $receiver->arrivals($path);

	is_deeply([ missing([ grep { $_->{id} ne $bad } $node->events ], [ accepted(\@arrivals) ]) ], [], "$path: nothing is missing");
	is_deeply([ ghosts([ $node->events ], \@arrivals) ], [], "$path: nothing is too much");
	is_deeply([ unsigned(\@arrivals) ], [], "$path: signed");
}

# It may be sent again, once its receiver no longer minds.
$receiver->path('/victim');
$node->sql(q{SELECT mesflow.replay_dead('victim')});
$node->endpoint_comes_to('victim', 'dead = 0 AND waiting = 0', 'replayed, it arrives');
$node->await('SELECT begun = 0 FROM mesflow._delivery_lives', 'a life that goes on makes it forgotten');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$receiver->stop;
done_testing();
