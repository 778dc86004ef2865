# What has a row is found by it when it is over, whatever else is in the
# table, also where the table was empty when it was first looked at. And a row
# whose event is nowhere any more does not stop its key, which no letter tells
# of.
use strict;
use warnings;
use MesflowDelivery;
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main', conf => "autovacuum = off\n");
my $receiver = MesflowReceiver->start;
my $number = 200;
my $others = 30;

# Rows of _pending that statements have looked at so far, but for those that
# read in the order of times, or of keys.
sub looked_at
{
	return $node->sql(q{SELECT t.seq_tup_read + sum(i.idx_tup_read) FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid)
		WHERE relid = 'mesflow._pending'::regclass AND i.indexrelname !~ '_(due_at|key)_id_idx' GROUP BY t.seq_tup_read});
}

# fail(COUNT): so many more of its events get a row.
my $attempts = 0;

sub fail
{
	my ($count) = @_;

	$receiver->path('/quick', status => 404);
	$node->emit('quick.a', 'a key', $count);
	$attempts += $count;
	$node->await("SELECT count(*) >= $attempts FROM mesflow._attempts", "$count fail");
	$receiver->path('/quick');
	$attempts += $count;
	return;
}

$node->sql('VACUUM mesflow._pending');
$node->endpoint($receiver, 'quick', types => ['quick.*'], options => { ordering => 'none', schedule => [ '0 s', '4 s', '1 s' ] });
fail(1);
$node->await(q{SELECT delivered = 1 FROM mesflow._cursors WHERE name = 'endpoint quick'}, 'one is over');
$node->sql('VACUUM mesflow._pending');
fail(1);
$node->await(q{SELECT delivered = 2 FROM mesflow._cursors WHERE name = 'endpoint quick'}, 'another one, and the table is empty');

# Others have rows for the same events, which are not due, so nobody reads them.
$node->sql("SELECT mesflow.create_endpoint('other' || n, 'http://127.0.0.1:9/', '{quick.*}', options => '{\"allow_private\": true}') FROM generate_series(1, $others) n");
$node->sql("SELECT mesflow.pause_endpoint('other' || n, 'for good') FROM generate_series(1, $others) n");
fail($number);
$node->sql("INSERT INTO mesflow._pending (endpoint, id, event, key, state, due_at, attempts) SELECT 'other' || n, p.id, p.event, p.key, 'retry', now() + interval '1 day', 1 FROM (SELECT o.id, o.event, o.key FROM mesflow.outbox o ORDER BY o.id DESC LIMIT $number) p, generate_series(1, $others) n");
my $before = looked_at();
$node->await("SELECT delivered = $number + 2 FROM mesflow._cursors WHERE name = 'endpoint quick'", 'all of them are over');
$node->attempts_told($attempts);
my $after = looked_at();
is($node->sql(q{SELECT count(*) FROM mesflow._pending WHERE endpoint = 'quick'}), 0, 'and have no rows any more');
is($node->sql(q{SELECT count(*) FROM mesflow._pending}), $number * $others, 'the others still have theirs');
cmp_ok($after - $before, '<=', 3 * $number, 'few rows were looked at for that');

# ---- no event any more -----------------------------------------------------------

$node->endpoint($receiver, 'strict', types => ['strict.*'], options => { ordering => 'strict' });
$node->sql(q{INSERT INTO mesflow._pending (endpoint, id, event, key, state, due_at) VALUES ('strict', 1000000000, gen_random_uuid(), 'a key', 'replay', now()); SELECT mesflow._tell_delivery('strict', 'rows')});
$node->await(q{SELECT count(*) = 0 FROM mesflow._pending WHERE endpoint = 'strict'}, 'it is given up');
is($node->sql('SELECT count(*) FROM mesflow.dead_letters'), 0, 'without a letter');
$node->emit('strict.a', 'a key', 2);
$node->endpoint_comes_to('strict', 'delivered = 2', 'its key goes on');

is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$receiver->stop;
done_testing();
