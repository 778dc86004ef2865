# More rows than an endpoint holds in memory: what waits behind a failed one of
# its key, or for a try that is hours away, holds up nothing else; and the order
# of each key is kept.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts disorder repeated);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;
my $many = 10500;
my $hours = [ '0 s', '3 hours' ];
my $bad = { rules => [ { match => '"who": ?"bad"', status => 422 } ] };

# A healthy one beside them: what arrives there shows that time went by.
$node->endpoint($receiver, 'healthy', types => ['beat.*']);
my $beats = 0;

sub arrives
{
	my ($path, $event, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await_true(sub { grep { $_->{id} eq $event } $receiver->arrivals($path) }, $what);
}

sub beat
{
	my ($event) = $node->emit('beat.a', 'beat ' . ++$beats);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return arrives('/healthy', $event, "a healthy endpoint goes on ($beats)");
}

# Rows of an endpoint in the table, by state.
sub rows
{
	my ($name, $state) = @_;

	return "SELECT count(*) FROM mesflow._pending WHERE endpoint = '$name' AND state = '$state'";
}

# What is due later is due now.
sub hurry
{
	my ($name, $condition) = @_;

	$node->sql("UPDATE mesflow._pending SET due_at = clock_timestamp() WHERE endpoint = '$name' AND state = 'retry' AND $condition;
		SELECT mesflow._tell_delivery('$name', 'rows')");
	return;
}

# Ids of a key that arrived there.
sub arrived
{
	my ($path, $key) = @_;

	return map { $_->{id} } grep { $_->{key} eq $key } $receiver->arrivals($path);
}

# ---- one key ---------------------------------------------------------------------

$node->endpoint($receiver, 'one', types => ['one.*'], options => { schedule => $hours }, settings => $bad);
$node->emit('one.a', 'stuck', 1, '{"who": "bad"}');
$node->await('SELECT (' . rows('one', 'retry') . ') = 1', 'one: the first of a key failed');
$node->emit('one.a', 'stuck', $many);
$node->await('SELECT (' . rows('one', 'parked') . ") = $many", 'one: all behind it are parked');
my ($free) = $node->emit('one.a', 'free');
arrives('/one', $free, 'one: another key goes on');
is(scalar(arrived('/one', 'stuck')), 1, 'one: its own does not');

# What the worker knew of it before makes no difference.
$node->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'mesflow delivery'});
$node->await_worker('delivery');
($free) = $node->emit('one.a', 'free');
arrives('/one', $free, 'one: nor after a restart');
my ($last) = $node->emit('one.a', 'stuck');
beat();
is(scalar(arrived('/one', 'stuck')), 1, 'one: and its own still waits');

# In the middle of them the worker ends: the head of the key is gone then.
$receiver->path('/one');
hurry('one', 'true');
$node->endpoint_comes_to('one', "delivered > $many / 4");
$node->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'mesflow delivery'});
$node->endpoint_comes_to('one', 'waiting = 0', 'one: all of it follows');
my @events = $node->events("type LIKE 'one.%'");
my @arrivals = accepted([ $receiver->arrivals('/one') ]);
is_deeply([ missing(\@events, \@arrivals) ], [], 'one: nothing is missing');
is_deeply([ disorder(\@events, \@arrivals) ], [], 'one: in order');
is($node->sql(q{SELECT count(*) FROM mesflow._pending WHERE endpoint = 'one'}), 0, 'one: no row is left');

# The statements were planned while there was no row.
$node->await(q{SELECT bool_and(idx_scan > CASE indexrelname WHEN '_pending_endpoint_key_id_idx' THEN 300 ELSE 10 END) FROM pg_stat_user_indexes
	WHERE indexrelname IN ('_pending_endpoint_key_id_idx', '_pending_endpoint_due_at_id_idx')}, 'one: rows were found by their keys and times');

# ---- many keys -----------------------------------------------------------------------

# They failed, and are tried again in hours.
foreach my $ordering (qw(order none))
{
	$node->sql("SELECT mesflow.emit('in-$ordering.a', 'key-' || n, '{}') FROM generate_series(1, $many) n");
	$node->endpoint($receiver, $ordering, types => ["in-$ordering.*"], options => { schedule => $hours, ordering => $ordering });
	$node->sql("INSERT INTO mesflow._pending (endpoint, id, event, key, state, due_at, attempts)
		SELECT '$ordering', id, event, key, 'retry', clock_timestamp() + '3 hours', 1 FROM mesflow.outbox WHERE type = 'in-$ordering.a';
		SELECT mesflow._tell_delivery('$ordering', 'rows')");
	beat();
	($free) = $node->emit("in-$ordering.b", 'free');
	arrives("/$ordering", $free, "$ordering: what is new goes on");
	my ($behind) = $node->emit("in-$ordering.b", 'key-77');
	arrives("/$ordering", $behind, 'none: whatever its key') if $ordering eq 'none';
	$node->await('SELECT (' . rows($ordering, 'parked') . ') = 1', 'order: it waits behind its key') if $ordering eq 'order';
	hurry($ordering, q{key IN ('key-77', 'key-88', 'key-10500')});
	$node->endpoint_comes_to($ordering, 'delivered = 5');
	is(scalar(arrived("/$ordering", 'key-77')), 2, "$ordering: what is due is sent");
	is((arrived("/$ordering", 'key-77'))[1], $behind, 'order: in order') if $ordering eq 'order';
	is($node->sql(rows($ordering, 'retry')), $many - 3, "$ordering: the rest waits");
	$node->sql("SELECT mesflow.drop_endpoint('$ordering')");
}

# A replay of all, of one key, behind one that fails.
$node->sql("SELECT mesflow.emit('again.a', 'stuck', CASE WHEN n = 1 THEN '{\"who\": \"bad\"}' ELSE '{}' END::jsonb) FROM generate_series(1, $many) n");
$node->endpoint($receiver, 'again', types => ['again.*'], options => { schedule => $hours }, settings => $bad);
is($node->sql(q{SELECT mesflow.replay('again')}), $many, 'a replay of many');
$node->await('SELECT (' . rows('again', 'retry') . ') = 1', 'again: the first of them fails');
($free) = $node->emit('again.a', 'free');
arrives('/again', $free, 'again: another key goes on');
is($node->sql(q{SELECT mesflow.replay('again', since => now() - interval '1 hour')}), 1, 'again: what was delivered is replayed');
$node->endpoint_comes_to('again', 'delivered = 2');
is(scalar(arrived('/again', 'stuck')), 1, 'again: the others wait');
$node->sql(q{SELECT mesflow.drop_endpoint('again')});

# ---- a dead letter --------------------------------------------------------------------

$node->endpoint($receiver, 'strict', types => ['strict.*'], options => { ordering => 'strict', schedule => ['0 s'] }, settings => $bad);
my ($dead) = $node->emit('strict.a', 'stuck', 1, '{"who": "bad"}');
$node->endpoint_comes_to('strict', 'dead = 1');
my @behind = $node->emit('strict.a', 'stuck', $many);
$node->await('SELECT (' . rows('strict', 'parked') . ") = $many", 'strict: all behind it are parked');
($free) = $node->emit('strict.a', 'free');
arrives('/strict', $free, 'strict: another key goes on');
$receiver->path('/strict');
is($node->sql(q{SELECT mesflow.replay_dead('strict')}), 1, 'strict: it is replayed');
$node->endpoint_comes_to('strict', 'delivered > 50');
is_deeply([ (arrived('/strict', 'stuck'))[ 0 .. 40 ] ], [ $dead, $dead, @behind[ 0 .. 38 ] ], 'strict: it comes first, then the others in order');
$node->sql(q{SELECT mesflow.drop_endpoint('strict')});

# ---- another ordering --------------------------------------------------------------------

# turn(FROM, TO): an endpoint with a dead letter and one behind it, and what it becomes.
sub turn
{
	my ($from, $to) = @_;
	my $name = "$from-$to";

	$node->endpoint($receiver, $name, types => ["turn.$name"], options => { ordering => $from, schedule => ['0 s'] }, settings => $bad);
	$node->emit("turn.$name", 'stuck', 1, '{"who": "bad"}');
	$node->endpoint_comes_to($name, 'dead = 1');
	my @ids = $node->emit("turn.$name", 'stuck', 2);
	$node->await('SELECT (' . rows($name, 'parked') . ') = 2', "$name: two wait behind a dead letter") if $from eq 'strict';
	$node->endpoint_comes_to($name, 'delivered = 2') if $from ne 'strict';
	$node->sql("SELECT mesflow.alter_endpoint('$name', '{\"ordering\": \"$to\"}')");
	push @ids, $node->emit("turn.$name", 'stuck', 2);
	return ($name, @ids);
}

foreach my $to (qw(order none))
{
	my ($name, @ids) = turn('strict', $to);

	$node->endpoint_comes_to($name, 'delivered = 4 AND waiting = 0', "$name: they go on");
	my @came = (arrived("/$name", 'stuck'))[ 1 .. 4 ];
	is_deeply($to eq 'order' ? \@came : [ sort @came ], \@ids, "$name: all of them");
}
foreach my $from (qw(order none))
{
	my ($name, @ids) = turn($from, 'strict');

	$node->await('SELECT (' . rows($name, 'parked') . ') = 2', "$name: its key stands still from now on");
	is(scalar(arrived("/$name", 'stuck')), 3, "$name: nothing more of it is sent");
	$node->sql("SELECT mesflow.dismiss_dead(array_agg(id), 'nobody needs it') FROM mesflow.dead_letters WHERE endpoint = '$name'");
	$node->endpoint_comes_to($name, 'delivered = 4', "$name: until somebody says so");
	is_deeply([ (arrived("/$name", 'stuck'))[ 3, 4 ] ], [ @ids[ 2, 3 ] ], "$name: in order");
}

# ---- 410, again and again -----------------------------------------------------------------

$node->endpoint($receiver, 'gone', types => ['gone.*'], options => { schedule => [ '0 s', '100 ms' ] }, settings => { status => 410 });
$node->emit('gone.a', 'k');
foreach my $time (1 .. 3)
{
	$node->endpoint_comes_to('gone', q{state = 'paused' AND in_flight = 0}, "gone: paused ($time)");
	$receiver->path('/gone', failures => 1) if $time == 3;
	$node->sql(q{SELECT mesflow.resume_endpoint('gone', 'operator')});
}
$node->endpoint_comes_to('gone', 'delivered = 1 AND dead = 0', 'gone: that used up no try of its schedule');

is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
# ---- an event that cannot be read ------------------------------------------------------------

$node->endpoint($receiver, 'damaged', types => ['damaged.*'], options => { schedule => [ '0 s', map { '1 s' } 1 .. 9 ] }, settings => { failures => 1, failure => { status => 409 } });
$node->sql(q{SELECT mesflow.pause_endpoint('damaged', 'so that all come at once')});
my @readable = $node->emit('damaged.a', 'readable', 3);
my ($damaged) = $node->emit('damaged.a', 'damaged');
push @readable, $node->emit('damaged.a', "other $_") foreach 1 .. 20;
$node->sql("DO \$do\$ BEGIN EXECUTE replace(pg_get_functiondef('mesflow._events_by_id'::regproc), '_events_by_id', '_events_by_id_as_it_was'); END \$do\$;
	CREATE OR REPLACE FUNCTION mesflow._events_by_id(ids bigint[]) RETURNS TABLE (id bigint, event uuid, type text, key text, key_seq bigint, order_id uuid,
		partner text, at timestamptz, correlation_id uuid, traceparent text, body text) LANGUAGE plpgsql STABLE AS \$do\$
	BEGIN
		RETURN QUERY SELECT * FROM mesflow._events_by_id_as_it_was(\$1);
		IF EXISTS (SELECT FROM mesflow.outbox o WHERE o.id = ANY (\$1) AND o.event = '$damaged') THEN
			RAISE 'this event is damaged';
		END IF;
	END \$do\$");
$node->sql(q{SELECT mesflow.resume_endpoint('damaged')});
$node->endpoint_comes_to('damaged', 'delivered = 23 AND waiting = 1', 'damaged: all others are delivered');
is($node->sql(q{SELECT state, last_error FROM mesflow.deliveries WHERE endpoint = 'damaged' AND state <> 'delivered'}), 'retry|this event is damaged', 'damaged: it says why it is not');
$node->sql(q{DO $do$ BEGIN EXECUTE replace(pg_get_functiondef('mesflow._events_by_id_as_it_was'::regproc), '_events_by_id_as_it_was', '_events_by_id'); END $do$});
hurry('damaged', 'true');
$node->endpoint_comes_to('damaged', 'delivered = 24', 'damaged: when it can be read, it is sent');

$node->stop('fast');
$receiver->stop;
done_testing();
