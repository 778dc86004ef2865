# Orders under a load of several clients, while backends and the whole server
# are killed: every step has its event and every event its step, in order and
# without gaps, and what a client was told is there.
use strict;
use warnings;
use IPC::Run;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

# What clients do at a time, and how often it is done before a kill.
my $clients = 6;
my $actions = 4000;
my $before_kill = 1000;

# An event that a crash could undo must never be told, also where a session
# does not care.
my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 2
synchronous_commit = off
END

$node->upload_bytes(MesflowNode::cube($_), "cube_$_.stl") foreach 1 .. 5;
$node->settled(5);
$node->sql(q{
	CREATE TABLE public.bytes AS SELECT mesflow.model_content(id) AS content FROM mesflow.models LIMIT 1;
	CREATE TABLE public.models AS SELECT id FROM mesflow.models;
	CREATE TABLE public.told (what text, order_id uuid, seq bigint, ref text, xid xid8);

	-- An item: mostly of a known model, sometimes of a new one, the same cube
	-- with another title.
	CREATE FUNCTION public.item(title text) RETURNS jsonb LANGUAGE sql AS $$
	  SELECT jsonb_build_object('model', CASE WHEN random() < 0.1 THEN mesflow.upload_model(overlay(content PLACING convert_to(rpad($1, 80), 'UTF8') FROM 1), $1 || '.stl')
	                                          ELSE (SELECT m.id FROM public.models m ORDER BY random() LIMIT 1) END,
	                            'material', 'pla', 'process', 'fdm', 'quantity', 1 + floor(random() * 5))
	    FROM public.bytes
	$$;

	-- One of the last orders, and something that is done with it; what of it
	-- is told to the client.
	CREATE FUNCTION public.act(what text, OUT told text) LANGUAGE plpgsql AS $$
	DECLARE
	  o mesflow.orders;
	  step text;
	BEGIN
	  SELECT l.* INTO o FROM (SELECT * FROM mesflow.orders ORDER BY id DESC LIMIT 40) l ORDER BY random() LIMIT 1;
	  step := (SELECT t.to_status FROM mesflow.order_transitions t WHERE t.from_status = o.status AND (t.roles IS NULL OR random() < 0.05)
	            ORDER BY t.to_status = 'cancelled', random() LIMIT 1);
	  CASE (CASE WHEN step IS NULL THEN 'emit' ELSE $1 END)
	    WHEN 'verb' THEN PERFORM mesflow.advance_order(o.id, step, 'client', detail => '{"by": "verb"}');
	    WHEN 'update' THEN UPDATE mesflow.orders SET status = step WHERE id = o.id;
	    WHEN 'both' THEN UPDATE mesflow.orders SET status = step, priority = priority + 1 WHERE id = o.id;
	    WHEN 'priority' THEN PERFORM mesflow.set_priority(o.id, floor(random() * 100)::integer);
	    WHEN 'cancel' THEN PERFORM mesflow.cancel_order(o.id, 'not wanted');
	    WHEN 'cancel item' THEN PERFORM mesflow.cancel_item((SELECT i.id FROM mesflow.order_items i WHERE i.order_id = o.id AND i.state <> 'cancelled' ORDER BY random() LIMIT 1), 'not wanted');
	    WHEN 'change' THEN PERFORM mesflow.change_order(o.id, jsonb_build_array(public.item(gen_random_uuid()::text), public.item(gen_random_uuid()::text)));
	    WHEN 'emit' THEN PERFORM mesflow.emit('crm.note', o.id::text, '{}', order_id => o.id);
	  END CASE;
	  SELECT format('%s %s', l.id, l.event_seq) INTO told FROM mesflow.orders l WHERE l.id = o.id;
	END
	$$});

# ---- clients ----------------------------------------------------------------

my $round = 0;
my @told;

# The statements of a client; it says what it was told once that is committed.
sub script
{
	my ($name) = @_;
	my $text = "\\set QUIET on\n\\set VERBOSITY sqlstate\n\\pset tuples_only on\n\\pset format unaligned\n";

	srand(1000 * $round + ord($name));
	foreach my $n (1 .. $actions)
	{
		my $what = (qw(verb verb update update both priority emit), 'cancel', 'cancel item', 'change')[ int(rand(10)) ];
		my $kind = $n <= 5 ? 0 : rand;

		if ($kind < 0.35)
		{
			my $ref = "$round$name$n";

			$text .= "SELECT mesflow.submit_order('shop', '$ref', jsonb_build_array(public.item('$ref a'), public.item('$ref b')), '{\"name\": \"$ref\"}') AS id \\gset\n"
			  . "\\if :ERROR\n\\else\n\\echo submitted :id $ref\n\\endif\n";
		}
		elsif ($kind < 0.75)
		{
			$text .= "SELECT told FROM public.act('$what') \\gset\n"
			  . "\\if :ERROR\n\\else\n\\echo stepped :told\n\\endif\n";
		}
		else
		{
			# A transaction: what is told after its first part is undone, in
			# one of two it all is.
			my $end = $kind < 0.88 ? 'COMMIT' : 'ROLLBACK';

			$text .= "BEGIN;\nSELECT pg_current_xact_id() AS xid \\gset\n"
			  . "SELECT told AS first FROM public.act('$what') \\gset\n"
			  . "SAVEPOINT a;\nSELECT public.act('update');\nSELECT public.act('priority');\nROLLBACK TO a;\n"
			  . "SELECT told AS second FROM public.act('verb') \\gset\n"
			  . "$end;\nSELECT pg_xact_status(:'xid'::xid8) = 'committed' AS fine \\gset\n"
			  . "\\if :ERROR\n\\elif :fine\n\\echo stepped :first\n\\echo stepped :second\n\\else\n\\echo undone :xid\n\\endif\n";
		}
	}
	return $text;
}

sub start_clients
{
	my @running;

	$round++;
	foreach my $name ('a' .. 'z')
	{
		last if @running == $clients;
		my %client = (out => '', err => '');
		my $script = $node->basedir . "/script_$round$name.sql";

		append_to_file($script, script($name));
		$client{run} = IPC::Run::start(
			[ 'psql', '--no-psqlrc', '--no-password', '--dbname', $node->connstr($MesflowNode::DATABASE), '--file', $script ],
			'<', \undef, '>', \$client{out}, '2>', \$client{err},
			IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
		push @running, \%client;
	}
	return @running;
}

# Runs clients until they have done enough, then KILL, and takes down what
# they were told.
sub load_and_kill
{
	my ($what, $kill) = @_;
	my $from = $node->sql('SELECT last_value FROM mesflow._outbox_ids');
	my @running = start_clients();

	$node->await("SELECT last_value >= $from + $before_kill FROM mesflow._outbox_ids", "clients are at work: $what");
	$kill->();
	foreach my $client (@running)
	{
		eval { $client->{run}->finish };
		push @told, split /\n/, $client->{out};
	}

	# Refused, in a deadlock of two transactions with two orders each, in a
	# transaction that had been refused; and what the end of a server is called.
	my %code;
	$code{$_}++ foreach map { $_->{err} =~ /\b(?:ERROR|FATAL|PANIC): +(\S+)/g } @running;
	note(join ', ', map { "$_: $code{$_}" } sort keys %code);
	is(join(' ', grep { !/^(?:MF4\d\d|40P01|25P02|3B001|57P0[123])$/ } sort keys %code),
		'', "clients saw no other error: $what");
	return;
}

# ---- what holds ---------------------------------------------------------------

sub holds
{
	my ($what, $query) = @_;

	is($node->sql($query), '', $what);
	return;
}

sub all_is_there
{
	my ($when) = @_;

	holds("events of every order are numbered 1 to event_seq, in the order of their ids, $when", q{
		SELECT o.id, o.event_seq, e.seqs FROM mesflow.orders o LEFT JOIN (SELECT order_id, array_agg(key_seq ORDER BY id) AS seqs FROM mesflow.outbox WHERE key_seq IS NOT NULL GROUP BY 1) e ON e.order_id = o.id
		 WHERE e.seqs IS DISTINCT FROM ARRAY(SELECT generate_series(1, o.event_seq))});
	holds("every event has its order, $when", q{
		SELECT e.id FROM mesflow.outbox e WHERE e.order_id IS NOT NULL AND NOT EXISTS (SELECT FROM mesflow.orders o WHERE o.id = e.order_id)});
	holds("a step begins where the last one ended, $when", q{
		SELECT s.* FROM (SELECT order_id, key_seq, from_status, lag(to_status) OVER (PARTITION BY order_id ORDER BY key_seq) AS last FROM mesflow.outbox WHERE to_status IS NOT NULL) s
		 WHERE s.from_status IS DISTINCT FROM s.last});
	holds("an order is where its last step ended, $when", q{
		SELECT o.id, o.status, o.status_since, e.to_status, e.at FROM mesflow.orders o
		  LEFT JOIN (SELECT DISTINCT ON (order_id) * FROM mesflow.outbox WHERE to_status IS NOT NULL ORDER BY order_id, key_seq DESC) e ON e.order_id = o.id
		 WHERE (o.status, o.status_since) IS DISTINCT FROM (e.to_status, e.at)});
	holds("every order has its items, its customer, and their amounts, $when", q{
		SELECT o.id, o.total, i.total FROM mesflow.orders o
		  LEFT JOIN (SELECT order_id, count(*) AS n, sum(total) FILTER (WHERE state <> 'cancelled') AS total FROM mesflow.order_items GROUP BY 1) i ON i.order_id = o.id
		  LEFT JOIN mesflow.customers c ON c.order_id = o.id
		 WHERE i.n IS NULL OR c.name IS DISTINCT FROM o.external_ref OR o.total <> i.total OR o.status IN ('priced', 'approved', 'in_production') AND o.total IS NULL});
	holds("bodies tell what their rows say, $when", q{
		SELECT e.id FROM mesflow.outbox e WHERE e.type LIKE 'order.%' AND (e.body::jsonb #>> '{data,seq}', e.body::jsonb #>> '{data,order,id}', coalesce(e.to_status, e.body::jsonb #>> '{data,order,status}'))
		   IS DISTINCT FROM (e.key_seq::text, e.order_id::text, e.body::jsonb #>> '{data,order,status}')});

	# What clients were told: the lines that ended with the server's answer.
	my @rows;
	foreach my $line (@told)
	{
		push @rows, "('$1', '$2', NULL, '$3', NULL)" if $line =~ /^(submitted) ([0-9a-f-]{36}) (\w+)$/;
		push @rows, "('$1', '$2', $3, NULL, NULL)" if $line =~ /^(stepped) ([0-9a-f-]{36}) (\d+)$/;
		push @rows, "('$1', NULL, NULL, NULL, '$2')" if $line =~ /^(undone) (\d+)$/;
	}
	$node->sql("TRUNCATE public.told; INSERT INTO public.told VALUES " . join(', ', @rows)) if @rows;
	note($node->sql("SELECT what, count(*) FROM public.told GROUP BY 1 ORDER BY 1"));
	is($node->sql("SELECT count(DISTINCT what) FROM public.told"), 3, "clients were told of submissions, steps, and what was undone, $when");
	holds("what clients were told is there, $when", q{
		SELECT t.* FROM public.told t WHERE t.what = 'submitted' AND NOT EXISTS (SELECT FROM mesflow.orders o WHERE o.id = t.order_id AND o.external_ref = t.ref)
		UNION ALL
		SELECT t.* FROM public.told t WHERE t.what = 'stepped' AND NOT EXISTS (SELECT FROM mesflow.outbox e WHERE e.order_id = t.order_id AND e.key_seq = t.seq)});
	holds("nothing is there of what was undone, $when", q{
		SELECT e.id FROM mesflow.outbox e JOIN public.told t ON t.what = 'undone' AND t.xid = e.xid});
	$node->sound($when);
	return;
}

# ---- kills ----------------------------------------------------------------------

sub kill_a_backend
{
	$node->signal('KILL', $node->sql(q{
		SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
		 ORDER BY state = 'active' DESC, random() LIMIT 1}));
	return;
}

sub kill_the_server
{
	my $postmaster = $node->{_pid};

	$node->kill9;
	$node->await_true(sub { !-e "/proc/$postmaster" }, 'the postmaster is gone');
	$node->start;
	return;
}

load_and_kill('kill -9 of a backend', \&kill_a_backend);
$node->await('SELECT true', 'the server is back');
all_is_there('after kill -9 of a backend');

load_and_kill('kill -9 of another', \&kill_a_backend);
$node->await('SELECT true', 'the server is back');
load_and_kill('kill -9 of the postmaster', \&kill_the_server);
all_is_there('after kill -9 of the postmaster');

load_and_kill('an immediate stop', sub { $node->stop('immediate'); $node->start; });
load_and_kill('kill -9 of the postmaster at the end', \&kill_the_server);

# What was left to do is done: every job has ended, every order is summed up.
$node->await_worker('pricing');
$node->await("SELECT NOT EXISTS (SELECT FROM mesflow.price_jobs WHERE state IN ('scheduled', 'queued', 'running'))", 'no job is left');
$node->await('SELECT NOT EXISTS (SELECT FROM mesflow._orders_to_sum)', 'every order is summed up');
all_is_there('at the end');
holds('no order waits for a price that is there', q{
	SELECT o.id, o.status FROM mesflow.orders o WHERE o.status = 'submitted'
	   AND NOT EXISTS (SELECT FROM mesflow.order_items i WHERE i.order_id = o.id AND i.state NOT IN ('priced', 'cancelled'))});
# A client that does not know whether it got through asks again, and learns it.
holds('a reference that was told is not given away', q{
	SELECT t.ref FROM (SELECT * FROM public.told WHERE what = 'submitted' ORDER BY random() LIMIT 50) t,
	       LATERAL mesflow.submit_orders(jsonb_build_array(jsonb_build_object('partner', 'shop', 'external_ref', t.ref, 'items', jsonb_build_array(public.item('again'))))) s
	 WHERE s.error_code IS DISTINCT FROM 'MF409'});
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
done_testing();
