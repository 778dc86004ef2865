# Delivery and standbys: nothing is sent by one; promoted, it goes on where the
# primary was. With a synchronous one, killed under load, whatever anybody
# received is there.
use strict;
use warnings;
use IPC::Run;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts disorder repeated unsigned);
use MesflowReceiver;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $receiver = MesflowReceiver->start;
my $primary = MesflowDelivery->ready('primary', init => { allows_streaming => 1 }, conf => <<'END');
wal_keep_size = 64MB
max_prepared_transactions = 10
END

sub standby_of
{
	my ($node, $name) = @_;

	$node->backup($name);
	my $standby = MesflowDelivery->new($name);
	$standby->init_from_backup($node, $name, has_streaming => 1);
	$standby->start;
	return $standby;
}

# One test per check, of what a server has and what arrived at a path.
sub all_well
{
	my ($node, $path, $condition, @kills) = @_;
	my @events = $node->events($condition);
	my @arrivals = $receiver->arrivals($path);
	my @accepted = accepted(\@arrivals);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	note("$path: " . @events . ' events, ' . @arrivals . ' arrivals');
	is_deeply([ missing(\@events, \@accepted) ], [], "$path: every committed event is received");
	is_deeply([ ghosts(\@events, \@arrivals) ], [], "$path: nothing is that is not there");
	is_deeply([ disorder(\@events, \@arrivals) ], [], "$path: in order");
	is_deeply([ repeated(\@accepted, \@kills) ], [], "$path: twice only what was on its way");
	is_deeply([ unsigned(\@arrivals) ], [], "$path: signed");
	return;
}

# ---- a standby ------------------------------------------------------------------

$primary->endpoint($receiver, 'a', options => { schedule => [ '0 s', map { '1 s' } 1 .. 30 ] },
	settings => { rules => [ { match => '"later"', status => 500 } ] });
my $standby = standby_of($primary, 'standby');
$primary->emit('standby.a', "key $_", 20) foreach 1 .. 5;
$primary->emit('standby.b', 'key 1', 1, '{"when": "later"}');
$primary->emit('standby.b', 'key 1', 5);
$primary->endpoint_comes_to('a', 'delivered = 100 AND waiting = 6');
$primary->sql(q{BEGIN; SELECT mesflow.emit('standby.c', 'key 2', '{}'); PREPARE TRANSACTION 'over the promotion'});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'mesflow %'}), 0, 'a standby has no workers');
foreach my $call (q{create_endpoint('b', 'http://127.0.0.1/')}, q{ping_endpoint('a')}, q{pause_endpoint('a', 'x')}, q{rotate_secret('a')},
	q{replay('a')}, q{replay_dead('a')}, q{drop_endpoint('a')}, q{alter_endpoint('a', '{}')})
{
	is($standby->sqlstate("SELECT mesflow.$call"), 'MF503', "a standby does not do $call");
}
is($standby->sql(q{SELECT state FROM mesflow.endpoints WHERE name = 'a'}), 'active', 'but it shows endpoints');
is($standby->sql(q{SELECT count(*) FROM mesflow.deliveries WHERE endpoint = 'a' AND state = 'delivered'}), 100, 'and deliveries');

my @senders = $primary->senders;
my $from = int(1000 * time);
$primary->stop('immediate');
$primary->gone('the sender ends with its server', @senders);
$standby->promote;
$standby->await_worker('delivery');
my @kill = ([ $from, int(1000 * time) ]);
$receiver->path('/a');
$standby->sql(q{COMMIT PREPARED 'over the promotion'});
$standby->emit('standby.d', "key $_", 10) foreach 1 .. 5;
$standby->endpoint_comes_to('a', 'delivered = 157 AND waiting + dead = 0', 'promoted, it goes on');
all_well($standby, '/a', undef, @kill);
is(join("\n", $standby->worker_errors), '', 'no error of a worker in its log');

# ---- a synchronous one, under load ---------------------------------------------------

my $second = standby_of($standby, 'second');
$standby->set(synchronous_standby_names => 'second');
$standby->await(q{SELECT sync_state = 'sync' FROM pg_stat_replication}, 'the standby is synchronous');
$standby->endpoint($receiver, 'b', types => ['load.*']);
append_to_file($standby->basedir . '/load.sql', <<'SCRIPT');
SET synchronous_commit = off;
SELECT mesflow.emit('load.a', 'client ' || :client_id, '{}');
BEGIN;
SELECT mesflow.emit('load.b', 'client ' || :client_id, '{}');
SELECT mesflow.emit('load.c', 'client ' || :client_id, '{}');
COMMIT;
BEGIN;
SELECT mesflow.emit('load.undone', 'client ' || :client_id, '{}');
ROLLBACK;
SCRIPT
my $output = '';
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-T', 600, '-f', $standby->basedir . '/load.sql', $standby->connstr($MesflowNode::DATABASE) ],
	'<', \'', '>', \$output, '2>&1');
$standby->await_true(sub { (() = $receiver->arrivals('/b')) > 500 }, 'events are written and arrive');
$from = int(1000 * time);
$standby->kill9;
$load->kill_kill;
$second->promote;
$second->await_worker('delivery');
@kill = ([ $from, int(1000 * time) ]);
$second->sql(q{ALTER SYSTEM RESET synchronous_standby_names});
$second->sql(q{SELECT pg_reload_conf()});
$second->emit('load.d', 'client 0', 10);
$second->all_done;
all_well($second, '/b', q{type LIKE 'load.%'}, @kill);
is(join("\n", $second->worker_errors), '', 'no error of a worker in its log');
$second->stop;
$receiver->stop;
done_testing();
