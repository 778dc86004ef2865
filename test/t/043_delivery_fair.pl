# An endpoint that hangs costs the others nothing: nine beside one, 900 beside
# 100, and few slots for all. Others have everything while it still hangs.
use strict;
use warnings;
use JSON::PP;
use MesflowDelivery;
use MesflowLedger qw(missing ghosts disorder repeated unsigned);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;
my $patience = 60000;

# endpoints(PREFIX, NUMBER, HANGING, OPTIONS): makes so many at once, the
# first of which hang.
sub endpoints
{
	my ($prefix, $number, $hanging, %options) = @_;
	my $options = encode_json({ allow_private => ['127.0.0.0/8'], timeout_ms => $patience, %options });

	foreach my $row (split /\n/, $node->sql("SELECT n, mesflow.create_endpoint('$prefix' || n, '"
		. $receiver->url("/$prefix") . "' || n, '{$prefix.*}', options => '$options') FROM generate_series(1, $number) n"))
	{
		my ($n, $secret) = split /\|/, $row;

		$receiver->{config}{paths}{"/$prefix$n"} = { secrets => [$secret], $n <= $hanging ? (mode => 'hang') : () };
	}
	$receiver->configure;
	return;
}

# Tests that all but the hanging ones have everything, and those still hang.
sub fair
{
	my ($prefix, $number, $hanging, $events) = @_;
	my @healthy = map { "$prefix$_" } $hanging + 1 .. $number;
	my @events = $node->events("type LIKE '$prefix.%'");
	my $names = join ', ', map { "'$_'" } @healthy;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	# Of 1,000 endpoints the view counts what waits: their cursors tell it, too.
	$node->await("SELECT count(*) = @{[ scalar @healthy ]} FROM mesflow._cursors WHERE substr(name, 10) IN ($names) AND delivered = $events",
		"$prefix: the healthy ones have delivered everything");
	is($node->sql("SELECT count(*) FROM mesflow.endpoints WHERE name LIKE '$prefix%' AND name NOT IN ($names) AND in_flight > 0 AND delivered + failed = 0"),
		$hanging, "$prefix: while the others still hang");

	my %arrivals;
	push @{ $arrivals{ $_->{path} } }, $_ foreach $receiver->arrivals;
	my @wrong;
	foreach my $path (map { "/$_" } @healthy)
	{
		my $arrivals = $arrivals{$path} // [];

		push @wrong, map { "$path $_" } missing(\@events, $arrivals), ghosts(\@events, $arrivals),
		  disorder(\@events, $arrivals), repeated($arrivals), unsigned($arrivals);
	}
	is_deeply(\@wrong, [], "$prefix: all of it, once, in order, signed");
	my $held = 0;
	$held += @{ $arrivals{"/$prefix$_"} // [] } foreach 1 .. $hanging;
	cmp_ok($held, '>=', $hanging, "$prefix: the hanging ones were tried");
	return $held;
}

# ---- nine beside one -----------------------------------------------------------

endpoints('nine', 10, 1);
$node->emit('nine.a', "key $_", 20) foreach 1 .. 10;
my $held = fair('nine', 10, 1, 200);
cmp_ok($held, '<=', 64, 'nine: it has few of its events under way, however many wait');
is($node->endpoint_shows('nine1', 'waiting'), 200, 'nine: and loses none');

# Nobody waits for it in other ways.
$node->sql(q{SELECT mesflow.drop_endpoint('nine1')});
$node->emit('nine.a', 'key 1');
$node->endpoint_comes_to("nine$_", 'delivered = 201') foreach 2 .. 10;

# ---- 900 beside 100 ----------------------------------------------------------------

endpoints('many', 1000, 100);
$node->emit('many.a', "key $_", 2) foreach 1 .. 5;
fair('many', 1000, 100, 10);

# While they hang, none of them is a reason to keep a transaction.
$node->await(q{SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE backend_type = 'mesflow delivery'},
	'many: the worker holds nothing back');
$node->emit('many.b', 'key 1', 3);
$node->await(q{SELECT bool_and(delivered = 13) FROM mesflow._cursors WHERE name LIKE 'endpoint many%' AND substr(name, 14)::integer > 100}, 'many: and more');

# ---- few slots -----------------------------------------------------------------------

$node->sql(q{SELECT mesflow.drop_endpoint(name) FROM mesflow.endpoints WHERE name LIKE 'many%' OR name LIKE 'nine%'});
$node->set('mesflow.delivery_max_in_flight' => 16);
endpoints('few', 10, 5);
$node->emit('few.a', "key $_", 10) foreach 1 .. 10;
fair('few', 10, 5, 100);
cmp_ok($node->sql(q{SELECT sum(in_flight) FROM mesflow.endpoints}), '<=', 16, 'few: no more slots are taken than there are');

# Even where more hang than there are slots: those that timed out leave some.
$node->sql(q{SELECT mesflow.drop_endpoint(name) FROM mesflow.endpoints});
endpoints('crowd', 30, 25, timeout_ms => 500, schedule => [ '0 s', map { '100 ms' } 1 .. 40 ]);
$node->emit('crowd.a', "key $_", 10) foreach 1 .. 10;
$node->endpoint_comes_to("crowd$_", 'delivered = 100') foreach 26 .. 30;

is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
endpoints('last', 2, 2);
$node->emit('last.a', 'k');
$node->endpoint_comes_to("last$_", 'in_flight > 0') foreach 1 .. 2;

# Nobody waits for what hangs.
my @senders = $node->senders;
$node->stop('fast');
$node->gone('the sender ends with its server', @senders);
$receiver->stop;
done_testing();
