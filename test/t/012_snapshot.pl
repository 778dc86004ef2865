# While models are measured the worker holds nothing: no transaction, no
# snapshot, no lock of a table.  Nobody is notified.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 2
max_prepared_transactions = 2
END
my $worker = $node->await_worker('pricing');

# ---- while helpers compute --------------------------------------------------

my @held = $node->hold(2);
$node->upload_bytes(MesflowNode::cube($_), "cube_$_.stl") foreach 1 .. 3;
$node->await('SELECT count(*) = 2 FROM mesflow._jobs_running', 'two jobs run');
foreach my $look (1 .. 3)
{
	my $seen = $node->sql('SELECT clock_timestamp()');
	$node->await(
		"SELECT state = 'idle' AND backend_xid IS NULL AND backend_xmin IS NULL AND xact_start IS NULL"
		  . " AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = $worker AND l.locktype = 'relation')"
		  . " FROM pg_stat_activity WHERE pid = $worker",
		"look $look: the worker holds no transaction and no snapshot");
	$node->await("SELECT last_seen > '$seen' FROM mesflow.nodes", 'its heart goes on beating');
}
is($node->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'mesflow %' AND backend_xmin IS NOT NULL AND pid <> $worker"),
	0, 'nor does the launcher');

# Nothing it does keeps rows that others deleted.
$node->sql('CREATE TABLE public.rubbish AS SELECT generate_series(1, 1000) AS i; DELETE FROM public.rubbish');
$node->await_true(
	sub {
		my ($status, $out, $err) = $node->psql($MesflowNode::DATABASE, 'VACUUM (VERBOSE) public.rubbish');
		return $err =~ /1000 removed/;
	},
	'VACUUM removes what was deleted meanwhile');
$node->signal('CONT', @held);
$node->settled(3);

# ---- waking -----------------------------------------------------------------

# A thousand jobs in one transaction, and as many transactions rolled back.
$node->sql(q{
	DO $$
	BEGIN
	  FOR i IN 1 .. 1000 LOOP
	    PERFORM mesflow.upload_model(('solid ' || i)::bytea, i || '.stl');
	  END LOOP;
	END
	$$});
$node->settled(1003);
$node->counted('a thousand of one transaction', done => 3, failed => 1000);
$node->sql("BEGIN; SELECT mesflow.upload_model('solid never', 'never.stl'); ROLLBACK");
$node->counted('none of a rolled back one', done => 3, failed => 1000);

# A prepared transaction is committed by whoever comes.
$node->sql("BEGIN; SELECT mesflow.upload_model('solid later', 'later.stl'); PREPARE TRANSACTION 'later'");
$node->counted('none of a prepared one', done => 3, failed => 1000);
$node->sql("COMMIT PREPARED 'later'");
$node->settled(1004);

# ---- nobody is notified -------------------------------------------------------

is($node->sql('SELECT pg_notification_queue_usage()'), 0, 'the notification queue is empty');
is($node->sql("SELECT string_agg(p.proname, ', ') FROM pg_proc p WHERE p.pronamespace = 'mesflow'::regnamespace AND p.prosrc ~* '\\m(pg_notify|notify|listen)\\M'"),
	'', 'no function notifies');
is($node->worker_pid('pricing'), $worker, 'it was one worker');
$node->sound;
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
