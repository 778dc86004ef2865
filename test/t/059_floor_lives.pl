# Work through the lives of a server: leases, settings, a standby and its
# promotion, a dump and its copies, and a session that works all day.
use strict;
use warnings;
use MesflowFloor;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowFloor->ready('main', init => { allows_streaming => 1 }, conf => <<'END');
mesflow.pricing_slots = 1
fsync = off
autovacuum_naptime = 1d
END
$node->open_floor;

# What a claim brings, as "REFERENCE-NTH", without taking it.
sub would_claim
{
	my ($arguments, $on) = @_;

	return join ' ', split /\n/, ($on // $node)->sql(qq{
		BEGIN;
		SELECT o.external_ref || '-' || split_part(w.number, '-', 2) FROM mesflow.claim_work($arguments) w JOIN mesflow.orders o ON o.id = w.order_id;
		ROLLBACK});
}

sub types
{
	my ($ref, $on) = @_;

	return ($on // $node)->sql("SELECT string_agg(e.type, ' ' ORDER BY e.id) FROM mesflow.outbox e JOIN mesflow.orders o ON o.id = e.order_id WHERE o.external_ref = '$ref' AND e.type LIKE 'work.%'");
}

# ---- the list -------------------------------------------------------------------

$node->sql("SELECT public.approved('$_', 3)") foreach qw(first second third);
$node->sql(q{
	SELECT mesflow.set_due(o.id, CASE o.external_ref WHEN 'second' THEN '2030-01-01' WHEN 'third' THEN '2030-02-01' ELSE '2030-03-01' END::timestamptz) FROM mesflow.orders o});
my $session = $node->background_psql($MesflowNode::DATABASE);
my %order = (newest => 'third-1 second-1 first-1', oldest => 'first-1 second-1 third-1', due => 'second-1 third-1 first-1');
foreach my $setting ('oldest', 'due', 'newest')
{
	$node->set('mesflow.dispatch_order' => $setting);
	$node->await('SHOW mesflow.dispatch_order', "the order is $setting", $setting);
	is(would_claim(q{'anna', limit_to => 3}), $order{$setting}, "claims go by $setting");
	my ($first) = $order{$setting} =~ /^(\w+)/;
	$node->await_true(sub { $session->query_safe('SHOW mesflow.dispatch_order') =~ /$setting/ }, 'a session that is open hears of it');
	like($session->query_safe(q{BEGIN; SELECT o.external_ref FROM mesflow.claim_work('anna') w JOIN mesflow.orders o ON o.id = w.order_id; ROLLBACK}), qr/^$first$/m, 'and claims so');
}
$session->quit;
$node->sql(q{SELECT mesflow.set_priority(id, 1) FROM mesflow.orders WHERE external_ref = 'second'});
is(would_claim(q{'anna', limit_to => 3}), 'second-1 third-1 first-1', 'priority first');
$node->sql(q{UPDATE mesflow.dashboard_orders SET alarms = '{late}' WHERE external_ref = 'first'});
is(would_claim(q{'anna', limit_to => 3}), 'first-1 second-1 third-1', 'what has an alarm before that');
$node->sql(q{SELECT mesflow.set_priority(id, -5) FROM mesflow.orders WHERE external_ref = 'first'});
is(would_claim(q{'anna', limit_to => 3}), 'first-1 second-1 third-1', 'whatever its priority');
$node->sql(q{UPDATE mesflow.dashboard_orders SET alarms = '{}' WHERE external_ref = 'first'});
is(would_claim(q{'anna', limit_to => 3}), 'second-1 third-1 first-1', 'an alarm that is over is over');

# ---- stations ---------------------------------------------------------------------

$node->sql(q{
	SELECT public.approved('two', 1, 1);
	SELECT mesflow.claim_work_order(public.work('third', 1), 'anna'), mesflow.start_work(public.work('third', 1), 'anna'), mesflow.finish_work(public.work('third', 1), 'anna', 3);
	INSERT INTO mesflow.stations (code, name, processes, operations) VALUES ('resin', 'Resin', '{sla}', '{}'), ('idle', 'Idle', '{}', '{engrave}'), ('all', 'All', '{}', '{}')});
is(would_claim(q{'anna', 'resin', 9}), 'two-3', 'of one process');
is(would_claim(q{'anna', 'bench', 9}), 'third-2', 'of one operation');
is(would_claim(q{'anna', 'printer-1', 9}), 'second-1 two-3 two-1 first-1', 'of some of both');
is(would_claim(q{'anna', 'foundry', 9}), '', 'nothing for the foundry');
is(would_claim(q{'anna', 'idle', 9}), '', 'nor for what no process has');
is(would_claim(q{'anna', 'all', 9}), would_claim(q{'anna', NULL, 9}), 'a station that does everything is none');
$node->sql(q{UPDATE mesflow.stations SET operations = '{print}', processes = '{sla}' WHERE code = 'idle'});
is(would_claim(q{'anna', 'idle', 9}), 'two-3', 'what it can do is what it can do now');
is($node->sql(q{SELECT station, operator, state FROM mesflow.claim_work('boris', 'resin')}), 'resin|boris|assigned', 'a work order knows where it is done');
is($node->sql(q{SELECT w.station IS NULL FROM mesflow.release_work(public.work('two', 3), 'boris', 'x') w}), 't', 'until it is released');
$node->floor_is_sound('with stations');

# ---- leases -----------------------------------------------------------------------

$node->sql(q{SELECT mesflow.cancel_order(o.id, 'the end') FROM mesflow.orders o WHERE o.status IN ('approved', 'in_production')});
$node->sql(q{SELECT public.approved('lease', 5), public.approved('started', 5), public.approved('held', 5)});
$node->set('mesflow.work_lease' => '1s');
$node->await('SHOW mesflow.work_lease', 'leases are short', '1s');
$node->sql(q{
	SELECT mesflow.claim_work_order(public.work(r, 1), 'anna') FROM unnest('{lease,started,held}'::text[]) r;
	SELECT mesflow.start_work(public.work('started', 1), 'anna');
	SELECT mesflow.advance_order(id, 'on_hold') FROM mesflow.orders WHERE external_ref = 'held'});
$node->await(q{SELECT bool_and(lease_until < clock_timestamp()) FROM mesflow.work_orders WHERE state = 'assigned'}, 'they are over');
is($node->sql(q{SELECT string_agg(o.external_ref, ' ') FROM mesflow.claim_work('boris', limit_to => 9) w JOIN mesflow.orders o ON o.id = w.order_id}), 'lease',
	'a claim gets what somebody else has abandoned');
is(types('lease'), 'work.queued work.assigned work.released work.assigned', 'the list had it in between');
is($node->sql(q{SELECT operator, actor, note FROM mesflow.outbox WHERE type = 'work.released' AND order_id = (SELECT id FROM mesflow.orders WHERE external_ref = 'lease')}),
	'anna|mesflow|not started in time', 'its event says whose it was, and why');
is($node->sql(q{SELECT state, operator, lease_until FROM mesflow.work_orders WHERE id = public.work('started', 1)}), 'started|anna|', 'started work stays');
is($node->sql(q{SELECT state, operator FROM mesflow.work_orders WHERE id = public.work('held', 1)}), 'queued|', 'what is on hold is free, too');
is($node->sqlstate(q{SELECT mesflow.start_work(public.work('lease', 1), 'anna')}), 'MF409', 'who had it is told that another has it');
$node->sql(q{SELECT mesflow.start_work(public.work('lease', 1), 'boris')});
$node->set('mesflow.work_lease' => '1h');
$node->await('SHOW mesflow.work_lease', 'leases are long', '1h');
$node->sql(q{SELECT mesflow.claim_work_order(public.work('started', 1), 'anna')});
is($node->sql(q{SELECT lease_until IS NULL FROM mesflow.work_orders WHERE id = public.work('started', 1)}), 't', 'a claim that is repeated gives no lease to what is started');
# A lease that is over is not given up by the one who starts nevertheless.
$node->sql(q{
	SELECT public.approved('late', 5);
	SELECT mesflow.claim_work_order(public.work('late', 1), 'anna');
	UPDATE mesflow._work_orders SET lease_until = assigned_at + interval '1 us' WHERE id = public.work('late', 1);
	SELECT mesflow.start_work(public.work('late', 1), 'anna')});
is(types('late'), 'work.queued work.assigned work.started', 'who starts late, and is not too late, has it');
# The worker's duty does the same.
$node->sql(q{
	SELECT public.approved('duty', 5);
	SELECT mesflow.claim_work_order(public.work('duty', 1), 'anna');
	UPDATE mesflow._work_orders SET lease_until = assigned_at + interval '1 us' WHERE id = public.work('duty', 1);
	CALL mesflow.keep_claims()});
is(types('duty'), 'work.queued work.assigned work.released', 'so does housekeeping');
$node->floor_is_sound('with leases');

# ---- a standby ----------------------------------------------------------------------

$node->backup('base');
my $standby = MesflowFloor->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->sql(q{SELECT mesflow.claim_work_order(public.work('duty', 1), 'boris'), mesflow.start_work(public.work('duty', 1), 'boris')});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
foreach my $call (q{claim_work('anna')}, q{claim_work_order(public.work('held', 1), 'anna')}, q{start_work(public.work('lease', 1), 'boris')}, q{finish_work(public.work('duty', 1), 'boris', 5)},
	q{release_work(public.work('duty', 1), 'boris', 'x')}, q{correct_work(public.work('duty', 1), 1, 0, 'x', 'y')})
{
	is($standby->sqlstate("SELECT mesflow.$call"), 'MF503', "a standby does not do $call");
}
is($standby->sql(q{SELECT state, operator FROM mesflow.work_orders WHERE id = public.work('duty', 1)}), 'started|boris', 'it shows work');
is($standby->sql('SELECT number, state FROM mesflow.dashboard_dispatch ORDER BY 1'), $node->sql('SELECT number, state FROM mesflow.dashboard_dispatch ORDER BY 1'), 'and the list');
is($standby->sql('SELECT number, state, next FROM mesflow.dispatch_page()'), $node->sql('SELECT number, state, next FROM mesflow.dispatch_page()'), 'and its pages');
$standby->promote;
$standby->await('SELECT NOT pg_is_in_recovery()', 'it is promoted');
is($standby->sql(q{SELECT state, good FROM mesflow.finish_work(public.work('duty', 1), 'boris', 5)}), 'finished|5', 'work that was started is finished there');
is($standby->sql(q{SELECT operation, quantity FROM mesflow.claim_work('anna', limit_to => 2)}), 'finish|5', 'and the next claimed');
$standby->floor_is_sound('on a standby that was promoted');
is(join("\n", $standby->worker_errors), '', 'no error of a worker in its log');
$standby->stop;

# ---- dumps ------------------------------------------------------------------------------

$node->sql(q{
	UPDATE mesflow.dashboard_orders SET alarms = '{late}' WHERE external_ref = 'held';
	SELECT mesflow.finish_work(public.work('started', 1), 'anna', 3, 1), mesflow.correct_work(public.work('started', 1), 2, 1, 'counted again', 'greta')});
my %kept = (
	work => 'SELECT w::text FROM mesflow._work_orders w ORDER BY order_id, nth', operators => 'SELECT d::text FROM mesflow.dashboard_operators d ORDER BY 1',
	kinds => 'SELECT k::text FROM mesflow._work_kinds k ORDER BY 1');
my %before = map { $_ => $node->sql($kept{$_}) } keys %kept;
foreach my $how ('plain', 'custom')
{
	my $dump = $node->basedir . "/$how";
	my $copy = MesflowFloor->ready($how, extension => 0, conf => "mesflow.pricing_slots = 1\nfsync = off\n");
	my $to = $copy->connstr($MesflowNode::DATABASE);

	command_ok([ 'pg_dump', '-d', $node->connstr($MesflowNode::DATABASE), $how eq 'custom' ? '-Fc' : (), '-f', $dump ], "$how: a dump");
	{
		local $ENV{PGOPTIONS} = $how eq 'custom' ? '-c session_replication_role=replica' : '';
		command_ok([ $how eq 'custom' ? ('pg_restore', '-j', '2', '-d', $to, $dump) : ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $to, '-f', $dump) ], "$how: is restored");
	}
	$copy->sql("SELECT mesflow.arm('a test')");
	is($copy->sql($kept{$_}), $before{$_}, "$how: $_ as before") foreach sort keys %kept;
	$copy->floor_is_sound("in a copy, $how");
	is($copy->sql('SELECT count(*) FROM mesflow.dashboard_dispatch'), $node->sql('SELECT count(*) FROM mesflow.dashboard_dispatch'), "$how: the list is there");
	is($copy->sql(q{SELECT state FROM mesflow.finish_work(public.work('duty', 1), 'boris', 5)}), 'finished', "$how: work that was started is finished there");
	is($copy->sql(q{SELECT string_agg(o.external_ref, ' ') FROM mesflow.claim_work('anna', limit_to => 1) w JOIN mesflow.orders o ON o.id = w.order_id}), 'duty', "$how: and the next claimed");
	$copy->sql(q{SELECT public.approved('new', 2, 2)});
	is($copy->sql(q{SELECT count(*) FROM mesflow.claim_work('boris', limit_to => 2) w JOIN mesflow.orders o ON o.id = w.order_id WHERE o.external_ref = 'new'}), 2, "$how: and new orders are made");
	$copy->floor_is_sound("when a copy goes on, $how");
	is(join("\n", $copy->worker_errors), '', "$how: no error of a worker in its log");
	$copy->stop;
}

# ---- all day ------------------------------------------------------------------------------

$node->sql(q{
	CREATE PROCEDURE public.turns(number integer) LANGUAGE plpgsql AS $$
	DECLARE
	  w mesflow.work_orders;
	BEGIN
	  FOR i IN 1..number LOOP
	    SELECT * INTO w FROM mesflow.claim_work('anna', CASE i % 3 WHEN 0 THEN 'all' END, 1, gen_random_uuid());
	    IF w.id IS NULL THEN
	      PERFORM public.approved('turn ' || clock_timestamp(), 3, 2);
	      SELECT * INTO w FROM mesflow.claim_work('anna');
	    END IF;
	    PERFORM mesflow.start_work(w.id, 'anna');
	    BEGIN
	      PERFORM mesflow.finish_work(w.id, 'anna', w.quantity + 1);
	    EXCEPTION WHEN SQLSTATE 'MF400' THEN
	      NULL;
	    END;
	    PERFORM mesflow.finish_work(w.id, 'anna', w.quantity - (i % 4 = 0)::integer);
	    IF i % 10 = 0 THEN
	      PERFORM mesflow.correct_work(w.id, w.quantity - 1, 0, 'counted again', 'greta');
	    END IF;
	    COMMIT;
	  END LOOP;
	END
	$$});
my $weigh = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
$session = $node->background_psql($MesflowNode::DATABASE);
$session->query_safe('CALL public.turns(500)');
my $bytes = $session->query_safe($weigh);
$session->query_safe('CALL public.turns(3000)');
my $bytes_after = $session->query_safe($weigh);
note("$bytes bytes, then $bytes_after");
cmp_ok($bytes_after - $bytes, '<=', 64 * 1024, 'a session stays as it is over 3,000 turns');
$session->quit;
$node->floor_is_sound('at the end of the day');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
done_testing();
