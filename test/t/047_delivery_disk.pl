# A full disk under the tables: what came of deliveries cannot be written down;
# nothing is lost by that, and it goes on when there is room. A full disk under
# the log: the server dies, and afterwards everything committed arrives, and
# nothing else has.
use strict;
use warnings;
use MesflowNamespace;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts disorder repeated unsigned);
use MesflowReceiver;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => $MesflowNamespace::missing if $MesflowNamespace::missing;
plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

# ---- small disks --------------------------------------------------------------

my $node = MesflowDelivery->new('main');
my $data = $node->data_dir;
my $log = $node->basedir . '/log';
mkdir $_ or die "$_: $!" foreach $data, $log;
MesflowNamespace::small_disk($data, '160m');
MesflowNamespace::small_disk($log, '48m');
mkdir "$log/wal" or die "$log/wal: $!";

# No checkpoint while it is full: that would be the end for other reasons.
$node->prepare(
	init => { extra => [ '--encoding=UTF8', '--locale=C', "--waldir=$log/wal", '--wal-segsize=1' ] },
	conf => <<'END');
checkpoint_timeout = 1d
max_wal_size = 32MB
min_wal_size = 2MB
autovacuum = off
END
$node->start;
$node->install;
$node->await_worker('delivery');
my $receiver = MesflowReceiver->start;

# Takes all the room that is left.
sub fill
{
	my ($disk) = @_;

	open(my $out, '>', "$disk/ballast") or die "$disk/ballast: $!";
	foreach my $size (1 << 20, 1 << 12)
	{
		1 while syswrite($out, 'x' x $size);
	}
	close($out);
	return;
}

sub clear
{
	my ($disk) = @_;

	unlink "$disk/ballast" or die "$disk/ballast: $!";
	return;
}

# ---- no room for tables ----------------------------------------------------------

my $number = 3000;
$node->endpoint($receiver, 'a', options => { rate_per_second => 1000 });
$node->emit('disk.a', 'before', 20);
$node->endpoint_comes_to('a', 'delivered = 20');
my $worker = $node->worker_pid('delivery');
$node->emit('disk.a', "key $_", $number / 10) foreach 1 .. 10;
fill($data);
$node->await_true(sub { $node->log_lines(qr/\[$worker\].*(?:No space left|could not extend)/) }, 'the worker finds no room');
clear($data);
$node->endpoint_comes_to('a', 'delivered = ' . ($number + 20) . ' AND waiting + dead = 0', 'when there is room, it all comes to an end');
my @events = $node->events;
my @arrivals = $receiver->arrivals('/a');
is_deeply([ missing(\@events, \@arrivals) ], [], 'nothing is missing');
is_deeply([ ghosts(\@events, \@arrivals) ], [], 'nothing is there that was not committed');
is_deeply([ disorder(\@events, \@arrivals) ], [], 'in order');
is_deeply([ repeated(\@arrivals) ], [], 'nothing was sent again because it could not be written down');
is($node->sql('SELECT count(*), count(DISTINCT event) FROM mesflow.delivery_attempts'), join('|', ($number + 20) x 2), 'every attempt is written down');
is($node->worker_pid('delivery'), $worker, 'it was one worker all the time');
cmp_ok(scalar($node->log_lines(qr/\[$worker\].*No space left/)), '<', 100, 'which has not filled the log with it');
is($node->endpoint_shows('a', 'state, breaker'), 'active|closed', 'the endpoint is not blamed');

# ---- no room for the log ------------------------------------------------------------

my $from = -s $node->logfile;
my $begun = int(1000 * time);
fill($log);
my $emitted = 0;
for my $attempt (1 .. 400)
{
	my ($status) = $node->psql($MesflowNode::DATABASE, q{SELECT mesflow.emit('disk.b', 'key ' || n % 10, jsonb_build_object('filler', repeat('x', 500))) FROM generate_series(1, 100) n});
	last if $status != 0;
	$emitted += 100;
}
note("$emitted events were written before the log was full");
$node->await_true(sub { $node->log_lines(qr/PANIC: .*No space left|PANIC: .*could not/, $from) }, 'the server dies');
clear($log);
$node->await_true(
	sub {
		return 1 if ($node->psql($MesflowNode::DATABASE, 'SELECT 1'))[0] == 0;
		if (!kill(0, $node->{_pid} // 0))
		{
			undef $node->{_pid};
			eval { $node->start };
		}
		return 0;
	},
	'and is there again when there is room');
$node->await_worker('delivery');
$node->all_done;
@events = $node->events;
@arrivals = $receiver->arrivals('/a');
cmp_ok(scalar @events, '>=', $number + 20 + $emitted, 'what was told to be committed is there');
is_deeply([ missing(\@events, \@arrivals) ], [], 'all of it has arrived');
is_deeply([ ghosts(\@events, \@arrivals) ], [], 'and nothing else');
is_deeply([ disorder(\@events, \@arrivals) ], [], 'in order');
is_deeply([ repeated(\@arrivals, [ [ $begun, int(1000 * time) ] ]) ], [], 'twice only what was on its way');
is_deeply([ unsigned(\@arrivals) ], [], 'signed');
$node->stop;
$receiver->stop;
done_testing();
