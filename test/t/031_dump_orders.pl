# Orders, events and readers in a dump, and in a copy by TEMPLATE: all of it
# comes along, none of it happens again, and nobody gets an event twice.
use strict;
use warnings;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowNode->ready('main', conf => "mesflow.pricing_slots = 1\nmax_prepared_transactions = 2\n");
my %dump = map { $_ => $node->basedir . "/$_" } qw(plain inserts custom);

# ---- a flow of their own ---------------------------------------------------

$node->sql(q{
	INSERT INTO mesflow.systems VALUES ('erp', 'ERP');
	UPDATE mesflow.systems SET name = 'Our CRM' WHERE code = 'crm';
	UPDATE mesflow.systems SET code = 'web' WHERE code = 'shop';
	UPDATE mesflow.order_statuses SET label = 'Price known', position = 41 WHERE status = 'priced';
	UPDATE mesflow.order_statuses SET status = 'boxed' WHERE status = 'packed';
	UPDATE mesflow.order_statuses SET workable = true WHERE status = 'delivered';
	DELETE FROM mesflow.order_statuses WHERE status = 'produced';
	DELETE FROM mesflow.order_transitions WHERE (from_status, to_status) = ('priced', 'in_review');
	DELETE FROM mesflow.order_transitions WHERE (from_status, to_status) = ('in_production', 'cancelled');
	INSERT INTO mesflow.order_transitions VALUES ('in_production', 'cancelled', '{mesflow_admin}'), ('in_production', 'boxed', NULL);
	UPDATE mesflow.order_transitions SET roles = '{mesflow_manager}' WHERE (from_status, to_status) = ('shipped', 'delivered');
	INSERT INTO mesflow.order_statuses (status, position, owner_system, label) VALUES ('awaiting_payment', 45, 'erp', 'Awaiting payment'), ('returned', 105, 'crm', 'Returned');
	INSERT INTO mesflow.order_transitions VALUES ('priced', 'awaiting_payment'), ('awaiting_payment', 'approved'), ('delivered', 'returned'), ('returned', 'closed');
	INSERT INTO mesflow.limits (status, partner, kind, after) VALUES ('returned', NULL, 'stuck', '3 days'), ('boxed', 'acme', 'stuck', '1 day'), (NULL, 'acme', 'silent', '1 hour');
	INSERT INTO mesflow.expectations VALUES ('crm', 'submitted', '5 min'), ('erp', 'approved', '1 hour'), ('web', 'boxed', '1 day');
	UPDATE mesflow.processes SET review_above = 0.01 WHERE code = 'casting'});

# A dump of inserts brings the notes of what was removed in any order.
$node->sql(q{UPDATE mesflow._defaults_removed SET key = key WHERE tab = 'order_transitions'});
my %way = (
	submitted => [], in_review => [], pricing_failed => [], priced => [], awaiting_payment => ['awaiting_payment'],
	approved => ['approved'], in_production => [qw(approved in_production)], on_hold => [qw(approved on_hold)]);
my $on = $way{in_production};
$way{boxed} = [ @$on, 'boxed' ];
$way{shipped} = [ @{ $way{boxed} }, 'shipped' ];
$way{delivered} = [ @{ $way{shipped} }, 'delivered' ];
$way{closed} = [ @{ $way{delivered} }, 'closed' ];
$way{returned} = [ @{ $way{delivered} }, 'returned' ];
$way{cancelled} = [ @$on, 'cancelled' ];
my @statuses = sort keys %way;
is($node->sql('SELECT string_agg(status, \' \' ORDER BY status COLLATE "C") FROM mesflow.order_statuses'), "@statuses", 'these are all statuses');

# ---- orders in each of them --------------------------------------------------

my $known = $node->upload_bytes(MesflowNode::cube(10), 'known.stl');
my $broken = $node->upload_bytes('solid nothing', 'broken.stl');
$node->settled(2);
$node->hold(1);
my $waiting = $node->upload_bytes(MesflowNode::cube(11), 'waiting.stl');

sub item
{
	my ($model, $quantity, $material, $process) = @_;
	return sprintf '{"model": "%s", "material": "%s", "process": "%s", "quantity": %d}', $model, $material // 'pla', $process // 'fdm', $quantity;
}

# submit(REF, ITEM ...): the order's id.
sub submit
{
	my ($ref, @items) = @_;
	return $node->sql(sprintf q{SELECT mesflow.submit_order('shop', '%s', '[%s]', '{"name": "Vera %s", "email": "%s@example.com", "address": {"city": "Wien"}}')},
		$ref, join(', ', @items), ($ref) x 2);
}

sub steps
{
	my ($order, @to) = @_;
	$node->sql("SELECT mesflow.advance_order('$order', '$_', 'anna', 'note of $_', 'mes')") foreach @to;
	return $order;
}

$node->sql(q{SELECT mesflow.create_consumer('never'), mesflow.create_consumer('all'), mesflow.create_consumer('half', '{order.*,crm.called}'),
	mesflow.create_consumer('erp', '{order.approved}', system => 'erp'), mesflow.create_consumer('acme', partner => 'acme')});
# An endpoint that takes nothing, for now.
$node->sql(q{SELECT mesflow.create_endpoint('desk', 'http://localhost:9/', '{order.*}', options => '{"auth": {"type": "bearer", "token": "t"}, "filter": "$.data.order.number != \"0\""}'), mesflow.pause_endpoint('desk', 'a test')});
my $start = $node->sql('SELECT max(id) FROM mesflow.outbox');
my %acked = map { $_ => {} } qw(never all half erp acme);

# consume(NODE, READER, MOST): the events of a batch, in their order.
sub consume
{
	my ($on_node, $reader, $most) = @_;
	return split /\n/, $on_node->sql("SELECT event FROM mesflow.consume('$reader', $most)");
}

sub read_all
{
	my ($on_node, $reader) = @_;
	my @all;
	while (my @batch = consume($on_node, $reader, 4))
	{
		push @all, @batch;
		$on_node->sql("SELECT mesflow.ack('$reader')");
	}
	return @all;
}

# Two orders whose next steps are in transactions that are open meanwhile.
my ($late, $open) = map { submit($_, item($known, 1)) } qw(LATE OPEN);
$node->sql("BEGIN; SELECT mesflow.set_priority('$late', 7); PREPARE TRANSACTION 'late'");
my $foreign = $node->background_psql($MesflowNode::DATABASE);
$foreign->query_safe('BEGIN');
$foreign->query_safe("SELECT mesflow.set_priority('$open', 8)");

my %order;
my $number = 1;
foreach my $status (@statuses)
{
	$order{$status} = submit(uc $status, $status eq 'submitted' ? item($waiting, 1) : $status eq 'in_review' ? item($known, 1, 'brass', 'casting')
		: $status eq 'pricing_failed' ? item($broken, 1) : item($known, $number++));
}
steps($order{$_}, @{ $way{$_} }) foreach @statuses[ 0 .. 6 ];
$node->sql('CALL mesflow.copy_timelines()');
is($node->sql('SELECT count(*) = (SELECT count(*) FROM mesflow.outbox WHERE order_id IS NOT NULL) FROM mesflow._order_history'), 't', 'timelines are copied so far');
foreach my $reader (qw(all half erp))
{
	$acked{$reader}{$_} = 1 foreach read_all($node, $reader);
}
steps($order{$_}, @{ $way{$_} }) foreach @statuses[ 7 .. $#statuses ];
$order{held} = steps(submit('HELD', item($known, 3)), qw(approved in_production on_hold));
$order{changed} = submit('CHANGED', item($known, 1), item($known, 2));
$node->sql("SELECT mesflow.change_order('$order{changed}', '[" . item($known, 2) . ", " . item($known, 5) . ", " . item($known, 6) . "]', 'anna')");
$node->sql("SELECT mesflow.cancel_item(id, 'not wanted') FROM mesflow.order_items WHERE order_id = '$order{changed}' AND quantity = 5");
$node->sql("SELECT mesflow.set_due('$order{changed}', '2030-01-01'), mesflow.set_priority('$order{changed}', 3, 'anna', 'a friend')");
$node->sql("UPDATE mesflow.orders SET priority = 9 WHERE id = '$order{approved}'");
$node->sql("SELECT mesflow.erase_customer('$order{$_}', 'asked for it', 'anna')") foreach qw(closed cancelled);
$node->sql("SELECT mesflow.confirm_receipt('$order{priced}', 'crm', 'CRM-17', 'seen', 'boris'), mesflow.confirm_receipt('$order{boxed}', 'erp')");
$node->sql("SELECT mesflow.emit('crm.called', 'customer 17', '{\"result\": \"blue\"}'), mesflow.emit('crm.called', '$order{shipped}', '{}', NULL, '$order{shipped}'),"
	  . " mesflow.emit('stock.low', 'pla', '{}', 'acme')");
# Of the work: one is claimed, one is begun, one is finished and goes on.
$node->sql(qq{
	INSERT INTO mesflow.operators (code, name) VALUES ('olga', 'Olga');
	CREATE FUNCTION pg_temp.work(uuid) RETURNS uuid LANGUAGE sql AS 'SELECT id FROM mesflow.work_orders WHERE order_id = \$1 AND state = ''queued'' ORDER BY number LIMIT 1';
	SELECT mesflow.claim_work_order(pg_temp.work('$order{approved}'), 'olga');
	SELECT mesflow.start_work(id, 'olga') FROM mesflow.claim_work_order(pg_temp.work('$order{delivered}'), 'olga');
	SELECT mesflow.finish_work(s.id, 'olga', s.quantity) FROM mesflow.claim_work_order(pg_temp.work('$order{in_production}'), 'olga') c, mesflow.start_work(c.id, 'olga') s});
$node->sql("COMMIT PREPARED 'late'");
$node->sql("SELECT mesflow.request_quote('$known', 'pla', 'fdm', 77)");
my $pending = $node->sql("SELECT quote FROM mesflow.order_items WHERE order_id = '$order{submitted}'");
$node->sql("SELECT count(*) FROM mesflow.node_register('far', 1, mesflow._library_version())");

# A batch in the middle: handed out, a part acked; another as a whole.
my @half = consume($node, 'half', 9);
$node->sql("SELECT mesflow.ack('half', (SELECT id FROM mesflow.outbox WHERE event = '$half[3]'))");
$acked{half}{$_} = 1 foreach @half[ 0 .. 3 ];
consume($node, 'erp', 2);
read_all($node, 'all');
$acked{all}{$_} = 1 foreach split /\n/, $node->sql('SELECT event FROM mesflow.outbox');
steps($order{awaiting_payment}, 'approved');
is($node->sql('SELECT count(*) FROM mesflow.order_items WHERE state = \'pending\''), 1, 'a quote is pending');

# Of the endpoint: an event that it has beyond its position, one that failed, one that was given up.
my @desk = split /\n/, $node->sql("SELECT event FROM mesflow.outbox WHERE id > $start AND type LIKE 'order.%' ORDER BY id");
$node->sql(qq{
	CREATE FUNCTION pg_temp.id(uuid) RETURNS bigint LANGUAGE sql AS 'SELECT id FROM mesflow.outbox WHERE event = \$1';
	UPDATE mesflow._cursors SET done = ARRAY[pg_temp.id('$desk[1]'), pg_temp.id('$desk[2]'), pg_temp.id('$desk[4]')], delivered = 1 WHERE name = 'endpoint desk';
	INSERT INTO mesflow._attempts (endpoint, id, event, attempt, at, status, duration_us, span, slot)
		SELECT e.number, o.id, o.event, 1, o.at, 200, 5, '\\x00', o.slot FROM mesflow._endpoints e, mesflow.outbox o WHERE o.event = '$desk[1]';
	INSERT INTO mesflow._pending (endpoint, id, event, key, state, due_at, attempts) SELECT 'desk', o.id, o.event, o.key, 'retry', now(), 3 FROM mesflow.outbox o WHERE o.event = '$desk[2]';
	INSERT INTO mesflow._dead_letters (endpoint, id, event, type, key, at, body, reason, first_at, attempts)
		SELECT 'desk', o.id, o.event, o.type, o.key, o.at, o.body, 'no tries left', o.at, 13 FROM mesflow.outbox o WHERE o.event = '$desk[4]'});
my %desk = (delivered => $desk[1], retry => $desk[2], dead => $desk[4]);

# ---- what must be the same ----------------------------------------------------

# Every table is taken along, or named here.
my %own = (
	_duties => 'what was done in this database', _nodes => 'the machines of this server', _contents_left => 'made anew by arm()',
	dashboard_orders => 'made anew by arm()', dashboard_dispatch => 'likewise', _orders_by_status => 'likewise',
	_defaults => 'the installation\'s', _endpoint_troubles => 'what troubled endpoints there', _delivery_news => 'what the worker of that server had still to hear', _delivery_lives => 'how that worker began');
my @tables = split /\n/, $node->sql(q{
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'mesflow'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	ORDER BY c.relname COLLATE "C"});
my @partitions = split /\n/, $node->sql(q{
	SELECT count(*) = 32 AND bool_and(i.inhrelid = ANY (x.extconfig)) FROM pg_inherits i, pg_extension x
	WHERE x.extname = 'mesflow' AND i.inhparent IN (SELECT oid FROM pg_class WHERE relkind = 'p') GROUP BY i.inhparent});
is_deeply(\@partitions, [ ('t') x 4 ], 'a dump takes all partitions of the logs');
my @dumped = grep { !$own{$_} } @tables;
is($node->sql("SELECT string_agg(c.relname, ' ' ORDER BY c.relname COLLATE \"C\") FROM pg_class c, pg_extension x WHERE x.extname = 'mesflow'"
		. " AND c.relkind = 'r' AND NOT c.relispartition AND c.oid = ANY (x.extconfig)"),
	join(' ', grep { !/^(?:outbox|_jobs_done|_batches_done|_attempts)$/ } @dumped), 'and all tables but those that stay');

my @settings = qw(partners systems order_statuses order_transitions limits expectations processes _defaults_removed);
my $numbers = "SELECT (SELECT last_value FROM mesflow._outbox_ids), (SELECT last_value FROM mesflow._order_numbers), (SELECT last_value FROM mesflow._job_ids)";
my %find = map { $_ => "SELECT o.id FROM mesflow.find_orders('$_') o" } ('PRICED', 'crm-17', 'priced@example.com', 'vera returned', substr($order{held}, 0, 24));
my $timelines = 'SELECT o.external_ref, t.* FROM mesflow.orders o, mesflow.order_timeline(o.id) t ORDER BY o.id';

# What dashboards show is not taken along.
my $shown = q{SELECT 'order', o.external_ref, to_jsonb(d) - 'as_of' FROM mesflow.dashboard_orders d JOIN mesflow.orders o ON o.id = d.order_id WHERE o.external_ref <> 'BOXED'
	UNION ALL SELECT 'work', d.number, to_jsonb(d) - 'as_of' FROM mesflow.dashboard_dispatch d};
my $board = $node->sql($shown);
cmp_ok(scalar(grep { /^work/ } split /\n/, $board), '>=', 2, 'there is work on the list');
is($node->sql('SELECT count(*) FROM mesflow._own_row_differences()'), 0, 'what is shown is exact');

# look(NODE): what questions and tables answer, by name.
sub look
{
	my ($at) = @_;
	my %seen = map { $_ => $at->sql("SELECT t::text FROM mesflow.$_ t") } grep { $_ ne '_catalog_history' } @dumped;
	$seen{_catalog_history} = $at->sql('SELECT kind, code, version, content FROM mesflow._catalog_history');
	$seen{"found: $_"} = $at->sql($find{$_}) foreach keys %find;
	$seen{timelines} = $at->sql($timelines);
	$seen{numbers} = $at->sql($numbers);
	return \%seen;
}

sub differs
{
	my ($got, $expected) = @_;
	my %lines;

	$lines{$_}++ foreach split /\n/, $got;
	$lines{$_}-- foreach split /\n/, $expected;
	return map { sprintf '%+d %s', $lines{$_}, $_ } grep { $lines{$_} } sort keys %lines;
}

sub same
{
	my ($got, $expected, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join("\n", differs($got, $expected)), '', $what);
	return;
}

# ---- dumps ------------------------------------------------------------------

my @dumping = ('pg_dump', '-d', $node->connstr($MesflowNode::DATABASE));
command_ok([ @dumping, '-f', $dump{plain} ], 'a dump is made');
command_ok([ @dumping, '--inserts', '-f', $dump{inserts} ], 'another one, of inserts');
command_ok([ @dumping, '-Fc', '-f', $dump{custom} ], 'another one, to be restored in parallel');
my $before = look($node);
my @events = split /\n/, $node->sql("SELECT event FROM mesflow.outbox WHERE id > $start ORDER BY id");
my %wanted = (
	never => 'true', all => 'true', half => q{(type LIKE 'order.%' OR type = 'crm.called')}, erp => q{type = 'order.approved'}, acme => q{partner = 'acme'});
my %left;
foreach my $reader (keys %wanted)
{
	$left{$reader} = [ grep { !$acked{$reader}{$_} } split /\n/, $node->sql("SELECT event FROM mesflow.outbox WHERE id > $start AND $wanted{$reader} ORDER BY id") ];
	ok(@{ $left{$reader} } > 0, "consumer $reader has something to read");
}
cmp_ok(scalar(split /\n/, $before->{_order_history}), '<', $node->sql('SELECT count(*) FROM mesflow.outbox WHERE order_id IS NOT NULL'), 'some events are only in the ring');
$foreign->query_safe('ROLLBACK');
$foreign->quit;

# What happens in a copy before it is armed, and then.
sub lives_on
{
	my ($copy, $how, $prices) = @_;
	my $state = $copy->sql($numbers);

	is($copy->sqlstate("SELECT mesflow.consume('never')"), 'MF503', "$how: nobody reads");
	is($copy->sqlstate("SELECT mesflow.ack('half')"), 'MF503', "$how: nobody acks");
	like($copy->sql("SELECT status, detail FROM mesflow.health() WHERE check_name = 'identity'"), qr/^critical\|.*copy/, "$how: health() says what it is");
	is($copy->sqlstate('CALL mesflow.copy_timelines()'), 'MF503', "$how: nothing is done by itself");
	$copy->sql("SELECT mesflow.advance_order('$order{boxed}', 'shipped', 'boris')");
	my $step = $copy->sql("SELECT event FROM mesflow.outbox WHERE order_id = '$order{boxed}' AND to_status = 'shipped'");
	is($copy->sql('SELECT max(id) FROM mesflow.outbox'), (split /\|/, $state)[0] + 1, "$how: the next event has the next number");

	$copy->sql("SELECT mesflow.arm('a test')");
	$copy->sql("SELECT mesflow.arm('again')");
	is($copy->sql('SELECT count(*) FROM mesflow._own_row_differences()'), 0, "$how: armed, dashboards are made anew");
	isnt($copy->sql('SELECT count(*) FROM mesflow.dashboard_orders'), 0, "$how: and not empty");
	foreach my $table (@settings)
	{
		same($copy->sql("SELECT t::text FROM mesflow.$table t"), $before->{$table}, "$how: armed, $table are as they were");
	}
	is($copy->sql('SELECT count(*) FROM mesflow._own_row_differences()'), 0, "$how: armed, dashboards are exact");
	same($copy->sql($shown), $board, "$how: and show the same") unless $prices;
	my $lag = $copy->sql("SELECT string_agg(name || ' ' || lag_events, ' ' ORDER BY name) FROM mesflow.consumers WHERE name <> 'never'");
	is($lag, join(' ', map { "$_ " . (@{ $left{$_} } + (/all|half/ ? 1 : 0)) } qw(acme all erp half)), "$how: consumers tells what they have to read")
	  unless $prices;
	foreach my $reader (grep { $_ ne 'never' } sort keys %left)
	{
		my @expected = (@{ $left{$reader} }, $reader =~ /all|half/ ? $step : ());
		my @got = read_all($copy, $reader);
		splice(@got, scalar @expected) if $prices && @got > @expected;
		is_deeply(\@got, \@expected, "$how: $reader gets what it had not acked, then what is new");
	}
	foreach my $state (sort keys %desk)
	{
		is($copy->sql("SELECT event FROM mesflow.deliveries WHERE endpoint = 'desk' AND state = '$state'"), $desk{$state}, "$how: the endpoint's delivery is $state");
	}
	my @waits = split /\n/, $copy->sql("SELECT event FROM mesflow.deliveries WHERE endpoint = 'desk' AND state = 'waiting' ORDER BY outbox_id");
	my @waited = grep { $_ ne $desk[1] && $_ ne $desk[2] && $_ ne $desk[4] } split /\n/, $copy->sql("SELECT event FROM mesflow.outbox WHERE id > $start AND type LIKE 'order.%' ORDER BY id");
	is_deeply(\@waits, \@waited, "$how: it has still to get the others, once each, and what is new");
	is($copy->sql("SELECT count(*) FROM mesflow._cursor_backlog WHERE reader = 'endpoint desk'"), 0, "$how: by rows");
	is($copy->sql("SELECT mesflow.replay_dead('desk'), state FROM mesflow.endpoints WHERE name = 'desk'"), '1|paused', "$how: a dead letter can be replayed");
	is($copy->sql("SELECT string_agg(order_id::text, ' ' ORDER BY order_id) FROM mesflow.order_systems WHERE system = 'erp' AND via = 'delivery'"),
		$copy->sql("SELECT string_agg(DISTINCT order_id::text, ' ' ORDER BY order_id::text) FROM mesflow.outbox WHERE type = 'order.approved'"),
		"$how: the acks of a system's consumer are its receipts");
	my $own = $copy->sql("SELECT mesflow.emit('test.new', 'k', '{}')");
	my @never = read_all($copy, 'never');
	my %seen;
	is(scalar(grep { $seen{$_}++ } @never), 0, "$how: nothing twice");
	is_deeply([ @never[ 0 .. $#events ] ], \@events, "$how: who had read nothing gets all, in order");
	ok($seen{$step} && $seen{$own}, "$how: and what was written before and after it was armed");
	$copy->sql('CALL mesflow.copy_timelines()');
	my $readers = 'SELECT c::text FROM mesflow._cursors c ORDER BY name';
	my $place = $copy->sql($readers);
	$copy->sql("SELECT mesflow.arm('once more')");
	is($copy->sql($readers), $place, "$how: armed again, readers stay where they are");
	same(join("\n", grep { !/^BOXED/ } split /\n/, $copy->sql($timelines)), join("\n", grep { !/^BOXED/ } split /\n/, $before->{timelines}), "$how: timelines are as they were when all is copied")
	  unless $prices;
	is($copy->sql('SELECT count(*) - count(DISTINCT event) FROM mesflow.outbox'), 0, "$how: no event is there twice");

	# The flow goes on.
	is($copy->sqlstate("SELECT mesflow.advance_order('$order{on_hold}', 'in_production')"), 'MF423', "$how: an order goes back to where it was held");
	is($copy->sqlstate("SELECT mesflow.advance_order('$order{held}', 'approved')"), 'MF423', "$how: each to its own");
	$copy->sql("SELECT mesflow.advance_order('$order{on_hold}', 'approved'), mesflow.advance_order('$order{held}', 'in_production')");
	is($copy->sqlstate("SELECT mesflow.advance_order('$order{priced}', 'in_review')"), 'MF423', "$how: a step that was removed is none");
	is($copy->sqlstate("SELECT mesflow.advance_order('$order{in_production}', 'produced')"), 'MF404', "$how: nor is a status");
	$copy->sql("SELECT mesflow.advance_order('$order{returned}', 'closed'), mesflow.set_priority('$open', 4), mesflow.set_priority('$late', 4)");
	is($copy->sql(q{SELECT o.external_ref FROM mesflow.orders o JOIN mesflow.outbox b ON b.key = o.id::text
			GROUP BY o.id HAVING array_agg(b.key_seq ORDER BY b.key_seq) <> ARRAY(SELECT generate_series(1, o.event_seq)) OR bool_or(b.order_id <> o.id)}),
		'', "$how: the sequence of each order has no gap");
	is($copy->sql("SELECT mesflow.submit_order('shop', 'CHANGED', '[" . item($known, 1) . ", " . item($known, 2) . "]', '{\"name\": \"Vera CHANGED\", \"email\": \"CHANGED\@example.com\", \"address\": {\"city\": \"Wien\"}}')"),
		$order{changed}, "$how: the same order again is the one that is there");
	$copy->sql("SELECT mesflow.submit_order('shop', 'NEXT', '[" . item($known, 1) . "]')");
	is($copy->sql('SELECT count(*) - count(DISTINCT number) FROM mesflow.orders'), 0, "$how: its number is new");
	is($copy->sqlstate("SELECT mesflow.create_consumer('never')"), '', "$how: a consumer stays the one it was");
	return;
}

sub restored
{
	my ($how, $slots, @command) = @_;
	my $copy = MesflowNode->ready($how, extension => 0, conf => "mesflow.pricing_slots = $slots\n");

	{
		# Restored in parallel, tables come in any order.
		local $ENV{PGOPTIONS} = $how eq 'custom' ? '-c session_replication_role=replica' : '';
		command_ok([ @command, '-d', $copy->connstr($MesflowNode::DATABASE), $how eq 'custom' ? $dump{$how} : ('-f', $dump{$how}) ], "$how: it is restored without an error");
	}
	my $after = look($copy);
	foreach my $what (sort keys %$after)
	{
		my $expected = $before->{$what};
		my @more = differs($after->{$what}, $expected);

		# Its own identity beside the other one's.
		@more = grep { !/^\+1 .*,(?:installed|restored)\)$/ } @more if $what eq '_identity';
		# Statuses still to be restored might need it.
		@more = grep { !/^\+1 \(shop,/ } @more if $what eq 'systems';
		if ($how eq 'custom' && $what =~ /^order_(?:statuses|transitions)$/)
		{
			@more = grep { !/^\+1 \((?:(?:in_production,)?produced|packed)?,|^\+1 \(priced,in_review/ } @more;
		}
		is(join("\n", @more), '', "$how: the same, $what");
	}
	is($copy->sql("SELECT count(*) FROM mesflow._nodes WHERE name = 'far'"), 0, "$how: other machines are not its own");
	is($copy->sql('SELECT count(*) FROM mesflow._duties WHERE started_at < (SELECT recorded_at FROM mesflow._identity ORDER BY recorded_at DESC LIMIT 1)'), 0, "$how: nor are duties done");
	lives_on($copy, $how, $slots > 0);
	if ($slots > 0)
	{
		$copy->await("SELECT status = 'priced' FROM mesflow.orders WHERE id = '$order{submitted}'", 'what was pending is priced, and its order');
		is($copy->sql("SELECT array_agg(type ORDER BY id) FROM mesflow.outbox WHERE key IN ('$order{submitted}', '$pending')"),
			'{order.submitted,quote.priced,order.priced}', 'which is told once');
	}
	is(join("\n", $copy->worker_errors), '', "$how: no error in its log");
	$copy->stop;
	return;
}

my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1');
restored('plain', 1, @psql);
restored('inserts', 0, @psql);
restored('custom', 0, 'pg_restore', '-j', '2', '--exit-on-error');

# ---- a copy by TEMPLATE --------------------------------------------------------

$node->stop;
$node->append_conf('postgresql.conf', "mesflow.database = 'none'\nmesflow.pricing_slots = 0\n");
$node->start;
$node->sql("CREATE DATABASE copy TEMPLATE $MesflowNode::DATABASE", 'postgres');
{
	local $MesflowNode::DATABASE = 'copy';
	lives_on($node, 'template', 0);
}
is($node->sql('SELECT count(*) FROM mesflow.outbox WHERE id > ' . $start), scalar(@events), 'nothing of it is where it came from');
is_deeply([ read_all($node, 'half') ], $left{half}, 'there readers go on, too');
$node->stop;
done_testing();
