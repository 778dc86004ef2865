# A pause before the first try: however long it is, and however many events
# wait for it, there is room for those that follow. Each counts from its event.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(missing ghosts disorder repeated);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;
my %number = (none => 4000, order => 2500, strict => 1500);

$node->endpoint($receiver, $_, types => ["in.$_"], options => { ordering => $_, schedule => [ '1 h', '1 h' ] }) foreach sort keys %number;
$node->sql("SELECT count(mesflow.emit('in.$_', 'key ' || n % 50, '{}')) FROM generate_series(1, $number{$_}) n") foreach sort keys %number;
$node->await("SELECT count(*) = $number{$_} FROM mesflow._pending WHERE endpoint = '$_'", "$_: all wait in the table") foreach sort keys %number;

# Where order is kept only the first of a key has a time.
my %rows = (none => 'retry 4000', order => 'parked 2450, retry 50', strict => 'parked 1450, retry 50');
foreach my $name (sort keys %number)
{
	is($node->sql("SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM mesflow._pending WHERE endpoint = '$name' AND attempts = 0 GROUP BY 1) s"),
		$rows{$name}, "$name: none was tried");
	is($node->sql("SELECT count(*) FROM mesflow._pending p JOIN mesflow.outbox o USING (id) WHERE p.endpoint = '$name' AND p.state = 'retry' AND p.due_at <> o.at + interval '1 h'"),
		0, "$name: the pause counts from the event");
	is($node->endpoint_shows($name, 'waiting, in_flight, delivered'), "$number{$name}|0|0", "$name: all are there");
	$node->await("SELECT events = 0 FROM mesflow._unread('endpoint $name', NULL, NULL)", "$name: and its cursor is past them");
}
is($node->sql(q{SELECT DISTINCT state || ' ' || attempts FROM mesflow.deliveries WHERE endpoint = 'none' AND next_attempt_at > now()}), 'retry 0', 'that is seen');
is($node->sql(q{SELECT mesflow.drain('200 ms')}), 'f', 'they are still to be tried');

# The hour is over, and another life of the worker finds them.
$node->sql(q{UPDATE mesflow._pending SET due_at = now() WHERE due_at < 'infinity'});
$node->restart;
$node->await_worker('delivery');
foreach my $name (sort keys %number)
{
	my @events = $node->events("type = 'in.$name'");

	$receiver->await($number{$name}, "/$name");
	my @arrivals = $receiver->arrivals("/$name");
	is_deeply([ map { scalar @$_ } [ missing(\@events, \@arrivals) ], [ ghosts(\@events, \@arrivals) ], [ repeated(\@arrivals) ], [ $name eq 'none' ? () : disorder(\@events, \@arrivals) ] ],
		[ 0, 0, 0, 0 ], "$name: all of them, once, in order");
	$node->endpoint_comes_to($name, "delivered = $number{$name} AND waiting = 0");
}
is($node->sql(q{SELECT mesflow.drain('60 s')}), 't', 'all were tried');
is($node->sql('SELECT count(*) FROM mesflow._pending'), 0, 'nothing is left in the table');

is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$receiver->stop;
done_testing();
