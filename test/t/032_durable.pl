# An event that is told was committed for good: its commit is flushed and waits
# for the synchronous standby, whatever synchronous_commit says; after kill -9
# of the server what was acknowledged is there.
use strict;
use warnings;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

# Nobody else flushes: the WAL writer sleeps, no worker commits.
my $quiet = <<'END';
mesflow.pricing_slots = 0
wal_writer_delay = 10s
wal_writer_flush_after = 1GB
autovacuum = off
bgwriter_delay = 10s
checkpoint_timeout = 1d
max_prepared_transactions = 4
END
my $node = MesflowNode->ready('main', init => { allows_streaming => 1 }, conf => $quiet);
my $model = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl');
my $order = $node->sql(qq{SELECT mesflow.submit_order('shop', 'ONE', '[{"model": "$model", "material": "pla", "process": "fdm"}]')});
$node->sql(<<'END');
CREATE TABLE public.written (round integer, what text);
CREATE FUNCTION public.emit_quietly(k text) RETURNS void LANGUAGE sql SET synchronous_commit = off AS $$ SELECT mesflow.emit('test.durable', k, '{}') $$;
CREATE ROLE hasty LOGIN SUPERUSER;
ALTER ROLE hasty SET synchronous_commit = off;
SELECT mesflow.create_consumer('reader');
END
$node->await("SELECT bool_and(finished_at IS NOT NULL) FROM mesflow._duties", 'duties are done');

# ---- flushed at commit -------------------------------------------------------

my $emit = q{SELECT mesflow.emit('test.durable', 'k', '{}') \g /dev/null};

# flushed(WORK, role => R, before => SQL): of 20 transactions, how many were
# flushed, or more than that, when their COMMIT returned.
sub flushed
{
	my ($work, %option) = @_;
	my $rounds = 20;
	my $script = ($option{before} // '') . "\n";

	for my $round (1 .. $rounds)
	{
		my $this = $work =~ s/:round/$round/gr;
		$script .= <<"END";
BEGIN;
$this
SELECT pg_current_wal_insert_lsn() AS at \\gset
COMMIT;
SELECT pg_current_wal_flush_lsn() > :'at';
END
	}
	my $answers = $node->safe_psql($MesflowNode::DATABASE, $script, extra_params => [ $option{role} ? ('-U', $option{role}) : () ]);
	my $count = () = $answers =~ /^t$/mg;
	return $count;
}

my $off = 'SET synchronous_commit = off;';
my $plain = q{INSERT INTO public.written VALUES (:round, 'plain');};
cmp_ok(flushed($plain, before => $off), '<', 20, 'a transaction without events is not flushed, so this can be seen');
cmp_ok(flushed($plain, role => 'hasty'), '<', 20, 'nor one of a role that does not wait');
is(flushed($emit, before => $off), 20, 'an event is: off for the session');
is(flushed($emit, role => 'hasty'), 20, 'off for the role');
is(flushed("$emit\nSET LOCAL synchronous_commit = off;"), 20, 'off for the transaction, said after the event');
is(flushed("SET LOCAL synchronous_commit = off;\n$emit"), 20, 'and before it');
is(flushed(q{SELECT public.emit_quietly('k') \g /dev/null}, before => $off), 20, 'off in a function, and around it');
is(flushed("SAVEPOINT a;\n$emit\nSET LOCAL synchronous_commit = off;\nRELEASE a;\n$plain", before => $off), 20, 'in a savepoint');
is(flushed("SELECT mesflow.set_priority('$order', 10 + :round) \\g /dev/null", before => $off), 20, 'a step of an order is');
is(flushed("UPDATE mesflow.orders SET priority = 100 + :round WHERE id = '$order';", role => 'hasty'), 20, 'by plain UPDATE, too');
is($node->sql("$off BEGIN; SELECT mesflow.emit('test.durable', 'k', '{}'); COMMIT; SHOW synchronous_commit;") =~ /^off$/m, 1, 'the setting is as it was afterwards');
cmp_ok(flushed($plain, before => "$off\n$emit"), '<', 20, 'the next transaction is not flushed again');
is($node->sql("$off BEGIN; SELECT mesflow.emit('test.durable', 'k', '{}'); ROLLBACK; SHOW synchronous_commit;") =~ /^off$/m, 1, 'after a rollback, too');
is($node->sql(<<"END"), 't', 'a prepared transaction is flushed when it is prepared');
$off
BEGIN;
$emit
SELECT pg_current_wal_insert_lsn() AS at \\gset
PREPARE TRANSACTION 'one';
SELECT pg_current_wal_flush_lsn() > :'at';
END
my $read_all = q{SET synchronous_commit = local; CREATE TEMP TABLE got AS SELECT * FROM mesflow.consume('reader'); SELECT mesflow.ack('reader') \g /dev/null
	SELECT key FROM got WHERE type = 'test.durable' AND key <> 'k' ORDER BY id};
$node->sql("SELECT mesflow.emit('test.durable', 'before', '{}')");
is($node->sql($read_all), 'before', 'what is prepared is not visible');
$node->sql("COMMIT PREPARED 'one'");
is($node->sql("SELECT count(*) FROM mesflow.consume('reader')"), 1, 'once it is committed it is');
is($node->sql("SELECT mesflow.ack('reader')"), 1, 'for a moment');
is($node->sql("SELECT count(*) FROM mesflow.consume('reader')"), 0, 'and is not there twice');

# ---- a synchronous standby that is away ---------------------------------------

$node->backup('base');
my $standby = MesflowNode->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->set(synchronous_standby_names => 'standby');
$node->await("SELECT sync_state = 'sync' FROM pg_stat_replication", 'the standby is synchronous');
$node->sql("SELECT mesflow.emit('test.durable', 'together', '{}')");
is($node->sql($read_all), 'together', 'with it all goes on');
$standby->stop;

my %hang = (
	off => "SELECT mesflow.emit('test.durable', 'off', '{}');",
	local => "SELECT mesflow.emit('test.durable', 'local', '{}');",
	remote_write => "SELECT mesflow.set_priority('$order', 1), mesflow.emit('test.durable', 'remote_write', '{}');");
my @sessions;
foreach my $how (sort keys %hang)
{
	my $session = $node->background_psql($MesflowNode::DATABASE);
	$session->query_safe("SET synchronous_commit = $how");
	$session->query_until(qr/asked/, "\\echo asked\n$hang{$how}\n\\echo done\n");
	push @sessions, $session;
}
my $waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event = 'SyncRep'";
$node->await($waiting, 'events wait for the standby: off, local, remote_write', 3);
is($node->sql($read_all), '', 'nobody sees them meanwhile');
is($node->sql("SELECT priority <> 1 FROM mesflow.orders WHERE id = '$order'"), 't', 'nor the step');
$node->sql("SET synchronous_commit = local; INSERT INTO public.written VALUES (0, 'local')");
is($node->sql("SELECT count(*) FROM public.written WHERE round = 0"), 1, 'a transaction without events does not wait');
$node->sql("SET synchronous_commit = off; BEGIN; SAVEPOINT a; SELECT mesflow.emit('test.durable', 'undone', '{}'); ROLLBACK");
is($node->sql($waiting), 3, 'nor one that is rolled back; the others still do');
$standby->start;
foreach my $session (@sessions)
{
	$session->query_until(qr/again/, "\\echo again\n");
	$session->quit;
}
is(join(' ', sort split /\n/, $node->sql($read_all)), 'local off remote_write', 'when it is back they are read');
is($node->sql($read_all), '', 'once');
is($node->sql("SELECT priority FROM mesflow.orders WHERE id = '$order'"), 1, 'and the step is made');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->sql("SELECT count(*) FROM mesflow.outbox WHERE key IN ('off', 'local', 'remote_write')"), 3, 'the standby has what was told');
$node->set(synchronous_standby_names => undef);
$standby->stop;

# ---- kill -9 right after the answer --------------------------------------------

my $lost = 0;
for my $round (1 .. 10)
{
	my $event = $node->sql("$off SELECT mesflow.emit('test.durable', 'round $round', '{}')");
	my $step = 1000 + $round;

	$node->sql("$off UPDATE mesflow.orders SET priority = $step WHERE id = '$order'") if $round % 2;
	$node->sql("$off INSERT INTO public.written VALUES ($round, 'kill')");
	my $postmaster = $node->{_pid};
	$node->kill9;
	$node->await_true(sub { !-e "/proc/$postmaster" }, "round $round: the postmaster is gone");
	$node->await_true(sub { eval { $node->start; 1 } }, 'and another one starts');
	is($node->sql("SELECT key FROM mesflow.outbox WHERE event = '$event'"), "round $round", 'the event is there');
	is($node->sql("SELECT priority, event_seq = (SELECT max(key_seq) FROM mesflow.outbox b WHERE b.order_id = o.id) FROM mesflow.orders o WHERE id = '$order'"), "$step|t",
		'so is the step, with its event') if $round % 2;
	$lost += 1 - $node->sql("SELECT count(*) FROM public.written WHERE (round, what) = ($round, 'kill')");
}
cmp_ok($lost, '>', 0, 'what had no event was lost now and then');
is($node->sql($read_all), join("\n", map { "round $_" } 1 .. 10), 'a reader gets each once');
is($node->sql("SELECT count(*) - count(DISTINCT key_seq) FROM mesflow.outbox WHERE order_id = '$order'"), 0, 'no number of the order was used twice');
$node->stop;
done_testing();
