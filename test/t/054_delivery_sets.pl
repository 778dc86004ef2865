# Endpoints that go on by themselves while others are still in the middle of
# a large set: neither falls back to where the others began.  And moments that
# are not in the order in which endpoints were made.  All by counts.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(missing ghosts repeated);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main', conf => "max_prepared_transactions = 4\n");
my $receiver = MesflowReceiver->start;

# One test per check: of these events each arrived once, and nothing else.
sub each_once
{
	my ($path, $condition, $what) = @_;
	my @events = $node->events($condition);
	my @arrivals = $receiver->arrivals($path);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar @arrivals, scalar @events, "$what: $path has got as many as there are");
	is_deeply([ map { scalar @$_ } [ missing(\@events, \@arrivals) ], [ ghosts(\@events, \@arrivals) ], [ repeated(\@arrivals) ] ],
		[ 0, 0, 0 ], "$what: none is missing, none is another one's, none came twice");
	return;
}

# An event with an id below those of all that follow, of a transaction that
# ends much later.
sub prepare_event
{
	my ($name, $type) = @_;

	$node->sql("BEGIN; SELECT mesflow.emit('$type', '$name', '{}'); PREPARE TRANSACTION '$name'");
	return;
}

# ---- one that fills up, and is faster than the live ones -----------------------------

$node->endpoint($receiver, 'a', types => ['qa.*']);

# They look into every body that they do not want.
$node->endpoint($receiver, $_, types => [qw(q.* r.*)], options => { filter => '$.data.never == true' }) foreach map { "slow$_" } 1 .. 4;
$node->emit('qa.first', 'first');
$receiver->await(1, '/a', 'all endpoints are live');
prepare_event('before', 'qa.late');

# More than it holds, then what nobody wants: the live ones are long in there.
$node->sql(q{BEGIN;
	SELECT count(mesflow.emit('qa.q', 'key ' || n % 100, '{}')) FROM generate_series(1, 1300) n;
	SELECT count(mesflow.emit('r.r', 'key', '{}')) FROM generate_series(1, 200000) n;
	COMMIT});
$node->sql(q{COMMIT PREPARED 'before'});
$receiver->await(1302, '/a', 'it gets what it wants of a large transaction');
$node->sql(q{SELECT mesflow.emit('qa.last', 'last', '{}'), mesflow.emit('r.last', 'last', '{"never": true}')});
$receiver->await(1303, '/a', 'and what comes after it');
$receiver->await(1, '/slow1', 'the live ones are at the same place');
each_once('/a', q{type LIKE 'qa.%'}, 'ahead of the live ones');

# ---- one that is made while the live ones are behind -----------------------------------

prepare_event('open', 'q.late');
$node->sql(q{SELECT count(mesflow.emit('q.q', 'key', '{}')) FROM generate_series(1, 60000) n});
my $last = $node->sql('SELECT max(id) FROM mesflow.outbox');
$node->endpoint($receiver, 'new', types => ['q.*']);
$node->emit('q.new', 'key');
$node->sql(q{COMMIT PREPARED 'open'});
$receiver->await(2, '/new', 'a new endpoint gets what is committed after it was made');
$node->emit('q.last', 'last');
$receiver->await(3, '/new', 'and goes on');
each_once('/new', "type LIKE 'q.%' AND (id > $last OR type = 'q.late')", 'newer than the live ones');

# ---- one whose snapshot is older than its ids -------------------------------------------

my $session = $node->background_psql($MesflowNode::DATABASE);
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
prepare_event('older', 'qa.late');
my ($first) = $node->emit('qa.unseen', 'unseen', 5);
$receiver->await(1308, '/a', 'others have read what it cannot see');
my $url = $receiver->url('/old');
$session->query_safe(qq{SELECT mesflow.create_endpoint('old', '$url', '{qa.*}', options => '{"allow_private": ["127.0.0.0/8"]}'); COMMIT});
$session->quit;
$receiver->await(5, '/old', 'it gets what was committed after its snapshot');
$node->sql(q{COMMIT PREPARED 'older'});
$receiver->await(6, '/old', 'also what had been prepared');
$node->emit('qa.last', 'last');
$receiver->await(7, '/old', 'and goes on');
$receiver->await(1310, '/a', 'with the others');
each_once('/a', q{type LIKE 'qa.%'}, 'in the end');
each_once('/old', "type LIKE 'qa.%' AND (key IN ('older', 'unseen') OR id > (SELECT max(id) FROM mesflow.outbox WHERE key = 'unseen'))", 'older than its ids');

is($node->sql('SELECT count(*) FROM mesflow._pending'), 0, 'nothing is pending');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$receiver->stop;
done_testing();
