# The ring of the outbox: its days are emptied when they are old and everybody
# has read them, whoever is behind keeps those that he has not, and timelines
# outlive them. Quotes that expire are told of once.
use strict;
use warnings;
use List::Util qw(any);
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowNode->ready('main', conf => "mesflow.pricing_slots = 1\nmax_prepared_transactions = 2\nmesflow.outbox_retention = '14d'\n");
my $retention = 14;
my $model = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl');
$node->settled(1);
$node->await("SELECT bool_and(finished_at IS NOT NULL) FROM mesflow._duties", 'duties are done');

# From here on by this test only; and not at the moment a day begins.
sub leave_to_us
{
	$node->sql("UPDATE mesflow._duties SET finished_at = now() + interval '1 day'");
	return;
}
leave_to_us();
$node->await("SELECT (now() AT TIME ZONE 'UTC')::time < '23:57'", 'the day lasts a while');

# An event as it was written some days ago, in a transaction of its own.
$node->sql(<<'SCRIPT');
CREATE FUNCTION public.plant(days integer, type text DEFAULT 'test.a', order_id uuid DEFAULT NULL, origin integer DEFAULT mesflow._origin()) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  xid constant xid8 := pg_current_xact_id();
  at constant timestamptz := now() - days * interval '1 day';
  new_id constant bigint := nextval('mesflow._outbox_ids');
BEGIN
  INSERT INTO mesflow.outbox (id, event, type, key, order_id, partner, at, body, xid, origin, slot)
    VALUES (new_id, mesflow._uuid7(), plant.type, 'day ' || days, plant.order_id, 'shop', at, '{"type": "t", "data": {"day": ' || days || '}}', xid, plant.origin, mesflow._ring_slot(at));
  RETURN new_id;
END
$$;
SCRIPT

sub plant
{
	my ($days, @rest) = @_;
	return $node->sql('SELECT public.plant(' . join(', ', $days, map { MesflowNode::literal($_) } @rest) . ')');
}

# The ages of what is in the ring, in days, the oldest first; events of today
# are left out.
sub days
{
	return $node->sql(q{SELECT string_agg(DISTINCT regexp_replace(key, '\D', '', 'g'), ' ') FROM (SELECT key FROM mesflow.outbox WHERE key LIKE 'day %' AND key <> 'day 0') k})
	  =~ s/(.*)/join ' ', sort { $b <=> $a } split ' ', $1/er;
}

sub in_order
{
	return join ' ', sort { $b <=> $a } @_;
}

sub partition
{
	my ($days) = @_;
	return 'mesflow.outbox_' . $node->sql("SELECT lpad(mesflow._ring_slot(now() - $days * interval '1 day')::text, 2, '0')");
}

sub keep
{
	my $state = $node->sqlstate('CALL mesflow.keep_outbox()');
	leave_to_us();
	return $state;
}

sub copy
{
	$node->sql('CALL mesflow.copy_timelines()');
	leave_to_us();
	return;
}

sub read_all
{
	my ($reader) = @_;
	return scalar(my @read = split /\n/, $node->sql("SELECT key FROM mesflow.consume('$reader', 100000); SELECT mesflow.ack('$reader') \\g /dev/null"));
}

# status of health()'s row | the readers that it names
sub health
{
	my ($status, $detail) = split /\|/, $node->sql("SELECT status, detail FROM mesflow.health() WHERE check_name = 'outbox'");
	return "$status|" . ($detail =~ /held by: (.*?)\./ ? $1 : '');
}

# ---- one month ----------------------------------------------------------------

my $order = $node->sql(qq{SELECT mesflow.submit_order('shop', 'OLD', '[{"model": "$model", "material": "pla", "process": "fdm"}]')});
$node->sql("SELECT mesflow.create_consumer('ahead'), mesflow.create_consumer('behind', '{test.*}'), mesflow.create_consumer('some', '{test.b}'), mesflow.create_consumer('new', '{test.new}')");
is(health(), 'ok|', 'nothing is held yet');
foreach my $day (reverse 1 .. 31)
{
	plant($day);
	plant($day, 'test.b') if any { $_ == $day } 20, 17, 3;
	plant($day, 'order.changed', $order) if any { $_ == $day } 30, 20, 15, 2;
}
$node->sql("SELECT mesflow.advance_order('$order', 'approved', 'anna')");
my $timeline = $node->sql("SELECT * FROM mesflow.order_timeline('$order')");
is(scalar(() = $timeline =~ /order\./g), 7, 'the timeline has all events');
sub same_timeline
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->sql("SELECT * FROM mesflow.order_timeline('$order')"), $timeline, "the timeline is the same $what");
	return;
}

is(days(), in_order(1 .. 31), 'events of 31 days');
is(health(), 'critical|ahead, behind, mesflow timeline', 'critical: yesterday nobody had read what tomorrow takes the place of');
is(keep(), '', 'nobody has read them');
is(days(), in_order(1 .. 31), 'so all of them stay');
copy();
same_timeline('when it is copied');
read_all('ahead');
is(health(), 'critical|behind', 'one is behind');
is(keep(), '', 'for who is behind');
is(days(), in_order(1 .. 31), 'they stay, too');

# One reads on, up to those of 22 days ago.
my $upto = $node->sql("SELECT max(id) FROM mesflow.outbox WHERE key = 'day 22'");
$node->sql("SELECT count(*) FROM mesflow.consume('behind', (SELECT count(*)::integer FROM mesflow.outbox WHERE type LIKE 'test.%' AND id <= $upto))");
keep();
is(days(), in_order(1 .. 31), 'what was handed out and not acked stays');
is($node->sql("SELECT mesflow.ack('behind')"), 10, 'it is acked');
is(keep(), '', 'what was read by all');
is(days(), in_order(1 .. 21), 'is gone, if it is old');
is(health(), 'warning|behind', 'a warning: there is time until the next day is needed');
same_timeline('when some of it is only in the history');

# It is dropped; another wants only some of it.
$node->sql("SELECT mesflow.drop_consumer('behind')");
keep();
is(days(), in_order(20, 17, 1 .. $retention), 'without it only what somebody wants stays');
is(health(), 'warning|some', 'who that is can be seen');
is(read_all('some'), 3, 'it reads');
is(health(), 'ok|', 'and holds nothing any more');

# ---- somebody looks at a day --------------------------------------------------

my $reader = $node->background_psql($MesflowNode::DATABASE);
sub look_at
{
	my ($days) = @_;
	$reader->query_safe('BEGIN');
	$reader->query_safe('SELECT count(*) FROM ' . partition($days));
	return;
}

look_at(20);
is(keep(), '', 'who reads a day is not waited for');
is(days(), in_order(20, 1 .. $retention), 'and does not hold up others');
$reader->query_safe('COMMIT');
keep();
is(days(), in_order(1 .. $retention), 'the next time it is gone, too');
plant($_) foreach 30, 25;
copy();
read_all('ahead');
look_at(30);
is(keep(), 'MF409', 'a day that is needed soon and cannot be emptied is an error');
is(days(), in_order(30, 1 .. $retention), 'which does not keep the others');
$reader->query_safe('COMMIT');
$reader->quit;
is(keep(), '', 'until it can be');
is(days(), in_order(1 .. $retention), 'then it is');
same_timeline('when the ring has come round');

# A transaction that wrote there is still to end.
$node->sql("BEGIN; SELECT public.plant(18, 'test.new'); PREPARE TRANSACTION 'late'");
plant(19);
copy();
read_all('ahead');
is(keep(), '', 'who writes is not waited for either');
is(days(), in_order(1 .. $retention), 'others are emptied');
$node->sql("COMMIT PREPARED 'late'");
is($node->sql("SELECT string_agg(key, ' ') FROM mesflow.consume('new')"), 'day 18', 'what came late is read');
keep();
is(days(), in_order(18, 1 .. $retention), 'and stays until then');
is($node->sql("SELECT mesflow.ack('new'), mesflow.ack('ahead')"), '1|0', 'it is acked');
copy();
read_all('ahead');
keep();
is(days(), in_order(1 .. $retention), 'and goes');

# ---- how soon a day is needed ---------------------------------------------------

foreach my $case ([ 28, 'warning' ], [ 29, 'critical' ], [ 31, 'critical' ])
{
	my ($days, $status) = @$case;

	plant($days, 'test.new');
	copy();
	read_all('ahead');
	is(health(), "$status|new", "$status: events of $days days ago that are not read");
	keep();
	is(days(), in_order($days, 1 .. $retention), 'they stay');
	read_all('new');
	is(health(), 'ok|', 'once they are read');
	keep();
	is(days(), in_order(1 .. $retention), 'they go');
}

# The day has come round: what was held stays among the new ones.
plant(32, 'test.new');
$node->sql("SELECT mesflow.emit('test.new', 'today', '{}')");
copy();
keep();
is($node->sql("SELECT string_agg(key, ', ' ORDER BY id) FROM mesflow.consume('new')"), 'day 32, today', 'a reader gets both, none is lost');
$node->sql("SELECT mesflow.ack('new')");
read_all('ahead');
keep();
is(days(), in_order(32, 1 .. $retention), 'today is never emptied');

# What a restored database has still to read of the one it was dumped from.
my $foreign = plant(21, 'test.new', undef, 1);
$node->sql("INSERT INTO mesflow._cursor_backlog VALUES ('new', $foreign)");
keep();
is(health(), 'warning|new', 'a backlog holds its days');
is(days(), in_order(32, 21, 1 .. $retention), 'they stay');
is($node->sql("SELECT key FROM mesflow.consume('new'); SELECT mesflow.ack('new')"), "day 21\n1", 'until it is read');
keep();
is(days(), in_order(32, 1 .. $retention), 'they go');
is(health(), 'ok|', 'and health() is content');

# A copy keeps what it has.
$node->sql("BEGIN; UPDATE mesflow._identity SET database = 0; COMMIT");
plant(25);
is(keep(), 'MF503', 'in a copy nothing is emptied');
$node->sql("SELECT mesflow.arm('a test')");
copy();
read_all('ahead');
is(keep(), '', 'armed');
is(days(), in_order(32, 1 .. $retention), 'it is');

# ---- quotes that expire -----------------------------------------------------------

sub quote
{
	my ($quantity, $material, $process) = @_;
	return $node->sql("SELECT mesflow.request_quote('$model', '" . ($material // 'pla') . "', '" . ($process // 'fdm') . "', $quantity)");
}

$node->sql("UPDATE mesflow.processes SET review_above = 0.01 WHERE code = 'casting'");
my %quote = (priced => quote(2), review => quote(1, 'brass', 'casting'), ordered => quote(3), cancelled => quote(4), good => quote(5), locked => quote(6));
$node->sql("SELECT mesflow.cancel_quote('$quote{cancelled}')");
$node->sql("SELECT mesflow.submit_order('shop', 'BOUGHT', '[{\"quote\": \"$quote{ordered}\"}]')");
$node->sql("SELECT mesflow.preflight_quotes('$model', '{pla}', '{fdm}', '{101, 102}')");
$node->sql("SELECT mesflow.request_quote('$model', 'pla', 'fdm', n) FROM generate_series(201, 800) n");
is($node->sql("SELECT count(*) FROM mesflow.quotes WHERE quantity > 200 AND state = 'priced'"), 600, 'many quotes are priced');
$node->sql("UPDATE mesflow._quotes SET expires_at = now() - interval '1 hour' WHERE expires_at IS NOT NULL AND id <> '$quote{good}'");
my $holder = $node->background_psql($MesflowNode::DATABASE);
$holder->query_safe('BEGIN');
$holder->query_safe("SELECT FROM mesflow._quotes WHERE id = '$quote{locked}' FOR UPDATE");
my $expired = "SELECT count(*), count(DISTINCT key) FROM mesflow.outbox WHERE type = 'quote.expired'";
is($node->sqlstate('CALL mesflow.expire_quotes()'), '', 'quotes expire');
is($node->sql($expired), '602|602', 'each is told once, none that is ordered, cancelled, held or not asked for');
$holder->query_safe('COMMIT');
$holder->quit;
$node->sql('CALL mesflow.expire_quotes()') foreach 1, 2;
is($node->sql($expired), '603|603', 'the one that was in use comes later, nothing again');
foreach my $what (sort keys %quote)
{
	is($node->sql("SELECT count(*) FROM mesflow.outbox WHERE type = 'quote.expired' AND key = '$quote{$what}'"), $what =~ /priced|review|locked/ ? 1 : 0, "told: $what");
}
is($node->sql("SELECT body::jsonb #>> '{data,quote,state}', body::jsonb #>> '{data,quote,id}' = key, partner FROM mesflow.outbox WHERE type = 'quote.expired' AND key = '$quote{review}'"),
	'expired|t|shop', 'the event says what it is about');
is($node->sqlstate("SELECT mesflow.submit_order('shop', 'LATE', '[{\"quote\": \"$quote{priced}\"}]')"), 'MF423', 'it cannot be bought any more');
is($node->sql("SELECT count(*) FROM mesflow.outbox WHERE order_id IN (SELECT id FROM mesflow.orders WHERE external_ref = 'BOUGHT') AND type = 'quote.expired'"), 0, 'an order tells of itself');
is(join("\n", $node->worker_errors), '', 'no error of a worker');
$node->stop;
done_testing();
