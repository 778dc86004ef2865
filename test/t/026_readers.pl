# Readers of the outbox under fire: writers with rollbacks, savepoints and
# prepared transactions, backends and the postmaster killed while consumers
# read; then a dump restored elsewhere, and a standby that is promoted.  Every
# committed event comes exactly once to every consumer, no other does.
use strict;
use warnings;
use IPC::Run;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my %TYPES = (
	every_event => 'true',
	some_events => q{type = 'load.a' OR type LIKE 'load.c.%'},
	small_batches => 'true');

my $node = MesflowNode->ready('main', init => { allows_streaming => 1 }, conf => <<'SCRIPT');
mesflow.pricing_slots = 0
max_prepared_transactions = 20
max_connections = 60
SCRIPT

# What was committed is in test.written, in the transaction of its event; what
# was read in test.read, in the transaction of its ack.
$node->sql(<<'SCRIPT');
SELECT mesflow.create_consumer('every_event'), mesflow.create_consumer('some_events', '{load.a,load.c.*}'), mesflow.create_consumer('small_batches');
CREATE SCHEMA test;
CREATE TABLE test.written (event uuid, type text);
CREATE TABLE test.read (reader text, event uuid);
CREATE FUNCTION test.write(type text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO test.written SELECT mesflow.emit($1, 'k', jsonb_build_object('filler', repeat('x', 400))), $1
$$;
CREATE FUNCTION test.read(reader text, most integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO test.read SELECT $1, e.event FROM mesflow.consume($1, $2) e;
  RETURN mesflow.ack($1);
END
$$;
SCRIPT

# name => [weight, script]
my %writing = (
	plain => [ 4, "SELECT test.write('load.a');\n" ],
	undone => [ 2, "BEGIN;\nSELECT test.write('load.a');\nROLLBACK;\n" ],
	pair => [ 2, <<'SCRIPT' ],
BEGIN;
SELECT test.write('load.b');
\sleep 2 ms
SELECT test.write('load.c.d');
COMMIT;
SCRIPT
	savepoints => [ 2, <<'SCRIPT' ],
BEGIN;
SAVEPOINT a;
SELECT test.write('load.a');
ROLLBACK TO a;
SAVEPOINT b;
SELECT test.write('load.c.e');
RELEASE b;
\sleep 5 ms
SELECT test.write('load.b');
COMMIT;
SCRIPT
	slow => [ 1, "BEGIN;\nSELECT test.write('load.a');\n\\sleep 200 ms\nSELECT test.write('load.b');\nCOMMIT;\n" ],
	prepared => [ 1, <<'SCRIPT' ]);
\set n random(1, 1000000000)
BEGIN;
SELECT test.write('load.a');
SELECT quote_literal(:n) AS name \gset
PREPARE TRANSACTION :name;
\sleep 10 ms
COMMIT PREPARED :name;
SCRIPT
my %reading = (
	every => [ 2, "SELECT test.read('every_event', 100);\n" ],
	every_undone => [ 1, "BEGIN;\nSELECT test.read('every_event', 20);\nROLLBACK;\n\\sleep 3 ms\n" ],
	some_and_write => [ 1, "BEGIN;\nSELECT test.read('some_events', 50);\nSELECT test.write('load.a');\nCOMMIT;\n\\sleep 10 ms\n" ],
	small => [ 3, "\\set n random(1, 7)\nSELECT test.read('small_batches', :n);\n" ]);

# pgbench until the server goes away.
sub load
{
	my ($clients, %scripts) = @_;
	my @options;
	my $output = '';

	foreach my $name (sort keys %scripts)
	{
		my $file = $node->basedir . "/$name.sql";

		append_to_file($file, $scripts{$name}[1]) unless -e $file;
		push @options, '-f', "$file\@$scripts{$name}[0]";
	}
	return IPC::Run::start([ 'pgbench', '-n', '-c', $clients, '-T', 600, @options, $node->connstr($MesflowNode::DATABASE) ],
		'<', \'', '>', \$output, '2>&1');
}

my $rounds = 0;

# Under load: until so many more were written and read, then KILL, then again.
sub round
{
	my ($what, $kill) = @_;
	my $written = $node->sql('SELECT count(*) FROM test.written') + 300;
	my $read = $node->sql('SELECT count(*) FROM test.read') + 300;
	my @loads = (load(5, %writing), load(4, %reading));

	$node->await("SELECT (SELECT count(*) FROM test.written) > $written AND (SELECT count(*) FROM test.read) > $read",
		"round " . ++$rounds . ", events are written and read");
	$kill->();
	$_->finish foreach @loads;
	$node->await('SELECT NOT pg_is_in_recovery()', "the server is there again after $what");
	return;
}

# The pid of a backend that does what matches.
sub backend
{
	my ($pattern) = @_;
	my $pid = '';

	$node->await_true(
		sub {
			$pid = $node->sql("SELECT pid FROM pg_stat_activity WHERE query ~ '$pattern' AND pid <> pg_backend_pid() AND backend_type = 'client backend' LIMIT 1");
			return $pid;
		},
		"a backend at $pattern");
	return $pid;
}

sub read_all
{
	my ($on) = @_;

	foreach my $reader (sort keys %TYPES)
	{
		1 while $on->sql("SELECT test.read('$reader', 1000)") > 0;
	}
	return;
}

# One test per consumer and question.
sub exactly_once
{
	my ($on, $what) = @_;

	foreach my $reader (sort keys %TYPES)
	{
		my $read = "SELECT event FROM test.read WHERE reader = '$reader'";
		my $wanted = "SELECT event FROM test.written WHERE $TYPES{$reader}";

		is($on->sql("SELECT count(*) FROM ($wanted EXCEPT $read) x"), 0, "$what, $reader: none is lost");
		is($on->sql("SELECT count(*) FROM ($read EXCEPT $wanted) x"), 0, "$what, $reader: none that was not committed or not wanted");
		is($on->sql("SELECT count(*) - count(DISTINCT event) FROM ($read) x"), 0, "$what, $reader: none twice");
	}
	return;
}

# ---- kill -9 ---------------------------------------------------------------

foreach my $pattern ('test.write', 'test.read', 'test.read')
{
	round("kill -9 of a backend", sub { $node->signal('KILL', backend($pattern)); });
}
round('kill -9 of the postmaster',
	sub {
		my $postmaster = $node->{_pid};

		$node->kill9;
		$node->await_true(sub { !-e "/proc/$postmaster" }, 'the postmaster is gone');
		$node->await_true(sub { eval { $node->start; 1 } }, 'and another one starts');
	});
round('an immediate stop', sub { $node->stop('immediate'); $node->start; });

# Transactions that were prepared when the server died are still to end.
my @prepared = split /\n/, $node->sql('SELECT quote_literal(gid) FROM pg_prepared_xacts ORDER BY 1');
read_all($node);
my $turn = 0;
$node->sql(($turn++ % 2 ? 'ROLLBACK' : 'COMMIT') . " PREPARED $_") foreach @prepared;
read_all($node);
exactly_once($node, 'after all that');
cmp_ok($node->sql('SELECT count(*) FROM test.written'), '>', 1500, 'that was work');
is($node->sql('SELECT DISTINCT lag_events FROM mesflow.consumers'), 0, 'nothing is left to read');

# ---- a dump, made while a transaction is open --------------------------------

$node->sql("SELECT test.write('load.a') FROM generate_series(1, 50)");
$node->sql("BEGIN; SELECT test.write('load.a'); PREPARE TRANSACTION 'over the dump'");
$node->sql("SELECT test.write('load.b') FROM generate_series(1, 50)");
$node->sql("SELECT test.read('every_event', 30), test.read('some_events', 10)");
$node->sql("SELECT count(*) FROM mesflow.consume('every_event', 10)");
$node->sql("COMMIT PREPARED 'over the dump'");
my $dump = $node->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-d', $node->connstr($MesflowNode::DATABASE), '-f', $dump ], 'a dump is made');
$node->sql('CREATE DATABASE restored TEMPLATE template0', 'postgres');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'and restored');
is($node->sqlstate("SELECT mesflow.consume('every_event')", 'restored'), 'MF503', 'there nothing is read');
$node->sql("SELECT test.write('load.a')", 'restored');
$node->sql("SELECT mesflow.arm('a restore')", 'restored');
is($node->sql("SELECT string_agg(name || ' ' || lag_events, ', ' ORDER BY name) FROM mesflow.consumers", 'restored'),
	'every_event 72, small_batches 102, some_events 42', 'until it is armed: what was not read, and what was written since');
$node->sql("SELECT test.write('load.c.f')", 'restored');
{
	local $MesflowNode::DATABASE = 'restored';
	read_all($node);
	exactly_once($node, 'restored');
	is($node->sql('SELECT count(*) FROM mesflow._cursor_backlog b JOIN mesflow._cursors c ON c.name = b.reader AND c.kind = \'consumer\''), 0, 'no backlog is left');
}
read_all($node);
exactly_once($node, 'where it came from');

# ---- a standby ---------------------------------------------------------------

$node->backup('base');
my $standby = MesflowNode->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->sql("BEGIN; SELECT test.write('load.a'); PREPARE TRANSACTION 'over the promotion'");
$node->sql("SELECT test.write('load.b') FROM generate_series(1, 20)");
$node->sql("SELECT count(*) FROM mesflow.consume('every_event', 5)");
$node->sql("SELECT test.read('small_batches', 7)");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
foreach my $call ("consume('every_event')", "ack('every_event')", "create_consumer('new')", "drop_consumer('every_event')", 'rebase()')
{
	is($standby->sqlstate("SELECT mesflow.$call"), 'MF503', "a standby does not do $call");
}
is($standby->sql("SELECT string_agg(name || ' ' || lag_events, ', ' ORDER BY name) FROM mesflow.consumers"),
	'every_event 20, small_batches 13, some_events 0', 'but it tells how far consumers are behind');
$node->stop('immediate');
$standby->promote;
$standby->sql("SELECT test.write('load.c.g')");
read_all($standby);
$standby->sql("COMMIT PREPARED 'over the promotion'");
read_all($standby);
exactly_once($standby, 'after promotion');
$standby->stop;
done_testing();
