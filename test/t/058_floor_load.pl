# The floor under a load of all its verbs at once, with a few orders that
# everybody wants: no deadlock, nothing given out twice, no piece lost or made
# twice, what is shown and counted is true; also where the server crashes.
use strict;
use warnings;
use IPC::Run;
use MesflowFloor;
use PostgreSQL::Test::Utils;
use Test::More;

my $clients = 8;

# What each client does, without a crash and in each round that ends with one.
my $actions = 450;
my $actions_to_crash = 2000;

# Events that are written before a crash.
my $before_crash = 500;

# As many orders are open at a time.
my $orders = 20;

my $node = MesflowFloor->ready('main', conf => <<'END');
mesflow.pricing_slots = 1
mesflow.work_lease = 1s
max_connections = 130
synchronous_commit = off
fsync = off
END
$node->open_floor;
$node->sql(qq{
	INSERT INTO mesflow.operators (code, name, max_claims) SELECT 'w' || i, 'W ' || i, nullif(i % 4, 3) + 2 FROM generate_series(1, 6) i;
	CREATE SEQUENCE public.refs;
	CREATE FUNCTION public.operator() RETURNS text LANGUAGE sql VOLATILE AS \$\$ SELECT 'w' || 1 + floor(random() * 6)::integer \$\$;
	-- Some work in one of these states.
	CREATE FUNCTION public.some(VARIADIC states text[]) RETURNS mesflow._work_orders LANGUAGE sql VOLATILE AS \$\$
	  SELECT w FROM mesflow._work_orders w JOIN mesflow.orders o ON o.id = w.order_id WHERE w.state = ANY (\$1) AND o.closed_at IS NULL ORDER BY random() LIMIT 1
	\$\$;
	CREATE FUNCTION public.some_order(VARIADIC statuses text[]) RETURNS uuid LANGUAGE sql VOLATILE AS \$\$
	  SELECT o.id FROM mesflow.orders o WHERE o.status = ANY (\$1) ORDER BY random() LIMIT 1
	\$\$;

	CREATE FUNCTION public.act(what text) RETURNS void LANGUAGE plpgsql AS \$\$
	DECLARE
	  w mesflow._work_orders;
	  n integer;
	BEGIN
	  CASE \$1
	    WHEN 'claim' THEN PERFORM mesflow.claim_work(public.operator(), (ARRAY['printer-1', 'bench', NULL, NULL])[1 + floor(random() * 4)], 1 + floor(random() * 3)::integer, CASE WHEN random() < 0.3 THEN gen_random_uuid() END);
	    WHEN 'claim it' THEN w := public.some('queued', 'assigned', 'planned'); PERFORM mesflow.claim_work_order(w.id, public.operator());
	    WHEN 'start' THEN w := public.some('assigned'); PERFORM mesflow.start_work(w.id, CASE WHEN random() < 0.9 THEN w.operator ELSE public.operator() END);
	    WHEN 'finish' THEN
	      w := public.some('started');
	      n := CASE WHEN random() < 0.7 THEN w.quantity ELSE floor(random() * (w.quantity + 1)) END;
	      PERFORM mesflow.finish_work(w.id, CASE WHEN random() < 0.9 THEN w.operator ELSE public.operator() END, n, floor(random() * (w.quantity - n + 1))::integer, CASE WHEN random() < 0.3 THEN w.operation END);
	    WHEN 'release' THEN w := public.some('assigned', 'started'); PERFORM mesflow.release_work(w.id, w.operator, 'a test', CASE WHEN random() < 0.5 THEN 'greta' END);
	    WHEN 'correct' THEN
	      w := public.some('finished');
	      n := floor(random() * (w.quantity + 1));
	      PERFORM mesflow.correct_work(w.id, n, floor(random() * (w.quantity - n + 1))::integer, 'a test', 'greta', CASE WHEN random() < 0.3 THEN w.operation END);
	    WHEN 'hold' THEN PERFORM mesflow.advance_order(public.some_order('approved', 'in_production'), 'on_hold');
	    WHEN 'return' THEN PERFORM mesflow.advance_order(o.id, o.held_from) FROM mesflow.orders o WHERE o.id = public.some_order('on_hold');
	    WHEN 'produced' THEN UPDATE mesflow.orders SET status = 'produced' WHERE id = public.some_order('in_production');
	    WHEN 'priority' THEN PERFORM mesflow.set_priority(public.some_order('approved', 'in_production', 'on_hold'), floor(random() * 3)::integer);
	    WHEN 'due' THEN PERFORM mesflow.set_due(public.some_order('approved', 'in_production', 'on_hold'), now() + random() * interval '10 days');
	    WHEN 'alarm' THEN
	      -- The order's row first, as everybody.
	      w.order_id := public.some_order('approved', 'in_production', 'on_hold');
	      PERFORM FROM mesflow.orders o WHERE o.id = w.order_id FOR NO KEY UPDATE;
	      UPDATE mesflow.dashboard_orders d SET alarms = CASE WHEN d.alarms = '{}' THEN '{late}' ELSE '{}' END::text[] WHERE d.order_id = w.order_id;
	    WHEN 'cancel item' THEN PERFORM mesflow.cancel_item((SELECT i.id FROM mesflow._order_items i WHERE i.order_id = public.some_order('approved', 'in_production', 'on_hold') AND i.cancelled_at IS NULL ORDER BY random() LIMIT 1), 'a test');
	    WHEN 'cancel' THEN PERFORM mesflow.cancel_order(public.some_order('approved', 'in_production', 'on_hold'), 'a test');
	    WHEN 'operator' THEN UPDATE mesflow.operators SET active = NOT active OR code <> 'w1' WHERE code = public.operator();
	    WHEN 'submit' THEN
	      IF (SELECT count(*) < $orders FROM mesflow.orders WHERE status IN ('approved', 'in_production', 'on_hold')) THEN
	        PERFORM public.approved('ref ' || nextval('public.refs'), VARIADIC ARRAY(SELECT 1 + floor(random() * 9)::integer FROM generate_series(1, 1 + floor(random() * 4)::integer)));
	      END IF;
	  END CASE;
	END
	\$\$;
	SELECT public.act('submit') FROM generate_series(1, $orders);
});

# Chance may not bring it about: a piece that is found good when the others
# of its lot have gone on, and goes on by itself.
$node->sql(q{
	SELECT public.approved('goes on', 4);
	SELECT mesflow.claim_work_order(public.work('goes on', 1), 'anna');
	SELECT mesflow.start_work(public.work('goes on', 1), 'anna');
	SELECT mesflow.finish_work(public.work('goes on', 1), 'anna', 2);
	SELECT mesflow.claim_work_order(public.work('goes on', 2), 'anna');
	SELECT mesflow.start_work(public.work('goes on', 2), 'anna');
	SELECT mesflow.correct_work(public.work('goes on', 1), 3, 0, 'a test', 'greta');
});

# ---- clients ----------------------------------------------------------------

my @common = (('claim') x 7, ('claim it') x 3, ('start') x 11, ('finish') x 11, ('release') x 2, ('correct') x 5, 'submit', 'submit', 'priority', 'due', 'alarm', 'return', 'return');
my @rare = ('hold', 'hold', 'hold', 'produced', 'cancel item', 'cancel item', 'cancel', 'operator');
my $round = 0;

sub start_clients
{
	my ($number) = @_;
	my @running;

	$round++;
	foreach my $name (1 .. $clients)
	{
		my %client = (out => '', err => '');
		my $script = $node->basedir . "/script_${round}_$name.sql";

		srand(1000 * $round + $name);
		append_to_file($script, join("\n", '\set VERBOSITY sqlstate', map { sprintf "SELECT public.act('%s');", rand() < 0.1 ? $rare[ rand(@rare) ] : $common[ rand(@common) ] } 1 .. $number));
		$client{run} = IPC::Run::start(
			[ 'psql', '--no-psqlrc', '--no-password', '--quiet', '--tuples-only', '--dbname', $node->connstr($MesflowNode::DATABASE), '--file', $script ],
			'<', \undef, '>', \$client{out}, '2>', \$client{err}, IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
		push @running, \%client;
	}
	return @running;
}

# Waits for them. Refused is what the floor refuses, and nothing else.
sub finish_clients
{
	my ($what, $also, @running) = @_;
	my %code;

	eval { $_->{run}->finish } foreach @running;
	$code{$_}++ foreach map { $_->{err} =~ /\b(?:ERROR|FATAL|PANIC): +(\S+)/g } @running;
	note("$what: " . join ', ', map { "$_: $code{$_}" } sort keys %code);
	is(join(' ', grep { !/^(?:MF4\d\d)$/ && !/^(?:$also)$/ } sort keys %code), '', "clients were only refused by the floor: $what");
	return;
}

sub assigned_once
{
	my ($when) = @_;

	is($node->sql(q{
		SELECT e.work, e.types FROM (SELECT body::jsonb #>> '{data,work,id}' AS work, string_agg(type, ' ' ORDER BY id) AS types FROM mesflow.outbox
		  WHERE type IN ('work.assigned', 'work.released') GROUP BY 1) e
		 WHERE e.types !~ '^(work.assigned work.released )*work.assigned( work.released)?$'}), '', "nothing is given out twice $when");
	$node->floor_is_sound($when);
	return;
}

# ---- a load -------------------------------------------------------------------

finish_clients('a load', 'none', start_clients($actions));
note($node->sql(q{SELECT string_agg(type || ' ' || n, ', ') FROM (SELECT type, count(*) AS n FROM mesflow.outbox WHERE type ~ '^(work|order)' GROUP BY 1 ORDER BY 1) t}));
is($node->sql(q{SELECT count(DISTINCT type) FROM mesflow.outbox WHERE type ~ '^work'}), 7, 'all of it has happened');
cmp_ok($node->sql(q{SELECT count(*) FROM mesflow._work_orders WHERE continues IS NOT NULL}), '>', 0, 'corrections of what had gone on, too');
is($node->log_lines(qr/deadlock detected/), 0, 'no deadlock');
assigned_once('after a load');

# ---- crashes --------------------------------------------------------------------

foreach my $crash (1 .. 3)
{
	my $from = $node->sql('SELECT last_value FROM mesflow._outbox_ids');
	my @running = start_clients($actions_to_crash);

	$node->await("SELECT last_value >= $from + $before_crash FROM mesflow._outbox_ids", "clients are at work: $crash");
	$node->signal('KILL', $node->sql(q{
		SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE '%public.act%' AND pid <> pg_backend_pid() ORDER BY state = 'active' DESC, random() LIMIT 1}));
	finish_clients("crash $crash", '57P0[123]', @running);
	$node->await('SELECT true', "the server is back: $crash");
	assigned_once("after crash $crash");
}
is($node->log_lines(qr/deadlock detected/), 0, 'still no deadlock');

# What is left can be made.
$node->sql(q{
	UPDATE mesflow.operators SET active = true, max_claims = NULL;
	SELECT mesflow.advance_order(o.id, o.held_from) FROM mesflow.orders o WHERE o.status = 'on_hold';
	DO $$
	DECLARE
	  w mesflow._work_orders;
	BEGIN
	  FOR i IN 1..10000 LOOP
	    SELECT * INTO w FROM mesflow._work_orders k WHERE k.state IN ('queued', 'assigned', 'started') LIMIT 1;
	    EXIT WHEN NOT FOUND;
	    IF w.state = 'queued' THEN
	      PERFORM mesflow.claim_work_order(w.id, 'w1');
	    END IF;
	    PERFORM mesflow.start_work(w.id, coalesce(w.operator, 'w1')), mesflow.finish_work(w.id, coalesce(w.operator, 'w1'), w.quantity);
	  END LOOP;
	END
	$$});
is($node->sql(q{SELECT status, count(*) FROM mesflow.orders WHERE status NOT IN ('produced', 'cancelled') GROUP BY 1}), '', 'everything is made in the end');
is($node->sql('SELECT count(*) FROM mesflow.dashboard_dispatch'), 0, 'and the list is empty');
assigned_once('in the end');

# ---- everybody at once ---------------------------------------------------------------

$node->sql("INSERT INTO mesflow.operators (code, name) SELECT 'op' || i, 'Op ' || i FROM generate_series(1, 100) i");

# 100 operators claim at the same moment; how many get how many.
sub everybody_claims
{
	my ($number, $what) = @_;
	my $gate = $node->background_psql($MesflowNode::DATABASE);
	my @running;
	my %got;

	$gate->query_safe('SELECT pg_advisory_lock(1)');
	foreach my $operator (map { "op$_" } 1 .. 100)
	{
		my %client = (out => '', err => '');
		$client{run} = IPC::Run::start(
			[ 'psql', '--no-psqlrc', '--no-password', '--quiet', '--tuples-only', '--no-align', '--dbname', $node->connstr($MesflowNode::DATABASE),
				'--command', 'SELECT pg_advisory_lock_shared(1) IS NULL', '--command', "SELECT number FROM mesflow.claim_work('$operator')" ],
			'<', \undef, '>', \$client{out}, '2>', \$client{err}, IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
		push @running, \%client;
	}
	$node->await(q{SELECT count(*) = 100 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted}, "all are there: $what");
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	$_->{run}->finish foreach @running;
	$gate->quit;
	is(join('', map { $_->{err} } @running), '', "nobody is refused: $what");
	$got{ () = $_->{out} =~ /^\d+-\d+$/mg }++ foreach @running;
	is(join(', ', map { "$_: $got{$_}" } sort keys %got), $number < 100 ? '0: ' . (100 - $number) . ", 1: $number" : '1: 100', "one each, as long as there are any: $what");
	is($node->sql(q{SELECT count(*), count(DISTINCT operator) FROM mesflow.work_orders WHERE state = 'assigned' AND operator LIKE 'op%'}), "$number|$number", "nobody has what another has: $what");
	assigned_once("after $what");
	$node->sql(q{SELECT mesflow.release_work(w.id, w.operator, 'the end', 'greta') FROM mesflow.work_orders w WHERE w.state = 'assigned'});
	$node->sql(q{SELECT mesflow.cancel_order(o.id, 'the end') FROM mesflow.orders o WHERE o.status = 'approved'});
	return;
}

$node->set('mesflow.work_lease' => '1h');
$node->sql(q{SELECT count(public.approved('all ' || i, VARIADIC array_fill(1, ARRAY[20]))) FROM generate_series(1, 5) i});
everybody_claims(100, '100 operators and 100 work orders');
$node->sql(q{SELECT count(public.approved('some ' || i, VARIADIC array_fill(1, ARRAY[20]))) FROM generate_series(1, 3) i});
everybody_claims(60, '100 operators and 60 work orders');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
done_testing();
