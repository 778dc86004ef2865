# A payload that ends the sender every time it is sent: it is set apart, given
# up and told, and all others arrive; also where the worker is killed meanwhile,
# and where it is no fault of the payload.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts disorder unsigned);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;
my $poison = '{"what": "poison"}';

# The path ends the senders of this server.  From the third time on the poison
# is sent apart; then the program in which it goes to the other path is spared.
sub deadly
{
	my ($path, $signal) = @_;

	$receiver->path($path, rules => [ { match => '"poison"', mode => 'kill', signal => "SIG$signal", server => 0 + $node->{_pid},
		after => '/other', failures => 2, failure => { after => '' } } ]);
	return;
}

sub deaths
{
	my ($path) = @_;

	return scalar grep { $_->{mode} eq 'kill' } $receiver->arrivals($path);
}

$node->endpoint($receiver, 'victim', types => ['mixed.*'], options => { schedule => [ '0 s', '100 ms', '100 ms' ] });
$node->endpoint($receiver, 'other', types => ['mixed.*']);
$node->await_sender;

# ---- it crashes ------------------------------------------------------------------

deadly('/victim', 'SEGV');
$node->emit('mixed.a', "key $_", 5) foreach 1 .. 5;
my ($event) = $node->emit('mixed.a', 'key 1', 1, $poison);
$node->emit('mixed.a', "key $_", 5) foreach 1 .. 5;
$node->endpoint_comes_to('victim', 'dead = 1 AND delivered = 50', 'all but the poison are delivered');
my $first = deaths('/victim');
note("it ended $first senders");
cmp_ok($first, '>=', 2, 'not given up at once');
cmp_ok($first, '<=', 5, 'but soon');
like($node->sql(q{SELECT reason FROM mesflow.dead_letters}), qr/sender/, 'a dead letter says why');
is($node->sql(q{SELECT event FROM mesflow.dead_letters}), $event, 'it is that one');
is($node->sql(q{SELECT max(attempts) FROM mesflow.deliveries WHERE endpoint = 'victim' AND state = 'delivered'}), 1, 'no other has lost an attempt');
$node->endpoint_comes_to('other', 'delivered = 51 AND dead = 0', 'the other endpoint has everything');
foreach my $path (qw(/victim /other))
{
	my @arrivals = $receiver->arrivals($path);

	is_deeply([ missing([ $node->events ], \@arrivals) ], [], "$path: nothing is missing");
	is_deeply([ disorder([ $node->events ], \@arrivals) ], [], "$path: in order");
	is_deeply([ unsigned(\@arrivals) ], [], "$path: signed");
}
is($node->endpoint_shows('victim', 'state, breaker'), 'active|closed', 'the endpoint is not blamed');
my $worker = $node->worker_pid('delivery');
ok(defined $worker, 'the worker lives');
is(scalar(() = $node->log_lines(qr/terminating any other active server processes/)), 0, 'and the server has not restarted');

# Once its receiver no longer minds, it may be sent again.
$receiver->path('/victim');
is($node->sql(q{SELECT mesflow.replay_dead('victim')}), 1, 'it is replayed');
$node->endpoint_comes_to('victim', 'dead = 0 AND delivered = 51', 'and arrives');

# ---- the worker, too ----------------------------------------------------------------

# What ends senders is remembered over crashes of the worker and the server.
deadly('/victim', 'SEGV');
my $deaths = deaths('/victim');
$node->emit('mixed.b', 'key 1', 1, $poison);
$node->await_true(sub { deaths('/victim') > $deaths }, 'a sender is ended');
$node->signal('KILL', $worker);
$worker = $node->await_worker('delivery', $worker);
$node->emit('mixed.b', "key $_", 2) foreach 1 .. 3;
$node->endpoint_comes_to('victim', 'dead = 1 AND waiting = 0', 'the poison is given up');
cmp_ok(deaths('/victim') - $deaths, '<=', 6, 'after about as many deaths');
$node->endpoint_comes_to('other', 'waiting + dead = 0', 'the other endpoint has everything');
is_deeply([ missing([ $node->events ], [ accepted([ $receiver->arrivals('/other') ]) ]) ], [], 'indeed');

# ---- somebody kills senders ------------------------------------------------------------

# That is no crash: tries are counted by the schedule.
deadly('/victim', 'KILL');
$deaths = deaths('/victim');
$node->emit('mixed.c', 'key 2', 1, $poison);
$node->emit('mixed.c', 'key 3', 2);
$node->endpoint_comes_to('victim', 'dead = 2 AND waiting = 0', 'kill -9 each time: given up, too');
cmp_ok(deaths('/victim') - $deaths, '<=', 6, 'after a few');
is_deeply([ missing([ $node->events ], [ $receiver->arrivals('/victim') ]) ], [], 'everything has come to the receiver');

# Killed without a reason, once and again, while requests hang: they come again.
$receiver->path('/victim', mode => 'hang');
$node->emit('mixed.d', "key $_") foreach 4, 5;
$node->await_true(sub { grep { $_->{mode} eq 'hang' } $receiver->arrivals('/victim') }, 'requests hang');
my ($sender) = $node->senders;
$node->signal('KILL', $sender);
$node->await_sender($sender);
$receiver->path('/victim');
$node->endpoint_comes_to('victim', 'waiting = 0 AND dead = 2', 'what hung when its sender was killed is sent again');
is_deeply([ missing([ grep { $_->{type} eq 'mixed.d' } $node->events ], [ accepted([ $receiver->arrivals('/victim') ]) ]) ], [], 'and arrives');

$node->await('SELECT count(*) = 0 FROM mesflow._pending', 'nothing stays pending');
is_deeply([ unsigned([ $receiver->arrivals ]) ], [], 'every request was signed');
is(scalar(MesflowNode::zombies($node->worker_pid('delivery'))), 0, 'no zombie is left');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$receiver->stop;
done_testing();
