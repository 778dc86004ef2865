# The housekeeping worker: does what nobody else has done in time, goes on
# after its process is killed, holds up nobody, and leaves copies alone.
use strict;
use warnings;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowNode->ready('main',
	init => { allows_streaming => 1 },
	conf => "mesflow.pricing_slots = 0\nmax_prepared_transactions = 4\n");
my $last = "SELECT coalesce(to_jsonb(d) - '{name,what,every,schedule,added_at}'::text[], '{}') FROM mesflow._duties d WHERE name =";

# Jobs that ended on each of the last 31 days but one, in the ring.
sub plant
{
	my ($on) = @_;
	$on->sql(q{
		INSERT INTO mesflow._jobs_done (vt, id, kind, partner, model, sha256, unit, size_bytes, memory_mb, cost_ms, attempt, lives, boosted,
				queued_at, slot, state, finished_at)
			SELECT 0, nextval('mesflow._job_ids'), 'measure', 'shop', gen_random_uuid(), '', '', 1, 64, 1, 1, 0, false,
				at, mesflow._ring_slot(at), 'done', at
			FROM generate_series(0, 31) n, LATERAL (SELECT clock_timestamp() - n * interval '1 day' AS at) t WHERE n <> 7});
	return;
}

# young|old, by mesflow.jobs_retention.
sub ended
{
	my ($on) = @_;
	return $on->sql(q{SELECT count(*) FILTER (WHERE finished_at > now() - interval '7 days'),
		count(*) FILTER (WHERE finished_at <= now() - interval '7 days') FROM mesflow._jobs_done});
}

# Nobody has done any duty, as far as anybody remembers.
sub make_due
{
	my ($on, @names) = @_;
	my $which = @names ? "WHERE name IN ('" . join("', '", @names) . "')" : '';

	$on->sql("UPDATE mesflow._duties SET finished_at = NULL, finished_by = NULL $which");
	return;
}

# The launcher starts the worker again at once.
sub hurry
{
	my ($on) = @_;
	$on->sql("SELECT mesflow._wake('launcher')");
	return;
}

sub all_done
{
	my ($on, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $on->await("SELECT bool_and(finished_by IS NOT DISTINCT FROM 'worker' AND lives = 0 AND failures = 0) FROM mesflow._duties", $what);
}

sub waits
{
	my ($on, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $on->await("SELECT pid IS NULL AND state = 'waiting' AND current LIKE 'until 2%'"
		  . " FROM mesflow.worker_status WHERE kind = 'housekeeping'", $what);
}

# ---- what nobody has done --------------------------------------------------

all_done($node, 'after CREATE EXTENSION all duties are done');
waits($node, 'then it ends, and says until when');
is($node->sql("SELECT restarts, last_error IS NULL FROM mesflow.worker_status WHERE kind = 'housekeeping'"), '0|t',
	'which is no failure');
is($node->sql("SELECT status, detail FROM mesflow.health() WHERE check_name = 'housekeeping'"),
	'ok|All duties are done in time, by worker.', 'health() is content');
plant($node);
is(ended($node), '7|24', 'jobs have ended on many days');
my $before = $node->sql("$last 'keep_jobs'");
my $since = $node->sql("SELECT since FROM mesflow.worker_status WHERE kind = 'housekeeping'");
hurry($node);
$node->await("SELECT state = 'waiting' AND since > '$since' FROM mesflow.worker_status WHERE kind = 'housekeeping'", 'it looks again');
is(ended($node), '7|24', 'what was done in time is left alone');
is($node->sql("$last 'keep_jobs'"), $before, 'really');
make_due($node, 'keep_jobs');
hurry($node);
$node->await("SELECT finished_by = 'worker' FROM mesflow._duties WHERE name = 'keep_jobs'", 'what is overdue is done');
is(ended($node), '7|0', 'and the old ones are gone');
is($node->sql('SELECT count(*) FROM mesflow.price_jobs'), 7, 'no other');

# Without anybody's hurry, too.
make_due($node, 'keep_uploads');
$node->await("SELECT finished_by = 'worker' FROM mesflow._duties WHERE name = 'keep_uploads'", 'it comes back by itself');

# ---- somebody reads two of the partitions -----------------------------------

# One whose day comes in twelve days, and tomorrow's.
sub reader_of
{
	my ($days) = @_;
	my $reader = $node->background_psql($MesflowNode::DATABASE);
	$reader->query_safe('BEGIN');
	$reader->query_safe('SELECT count(*) FROM ONLY mesflow._jobs_done_'
		  . $node->sql("SELECT lpad(mesflow._ring_slot(now() - $days * interval '1 day')::text, 2, '0')"));
	return $reader;
}

plant($node);
my $reader = reader_of(20);
is($node->sqlstate('CALL mesflow.keep_jobs()'), '', 'what somebody reads is left for another time');
is(ended($node), '14|1', 'and does not keep the others');
is($node->sql("SELECT failures, finished_at > error_at IS NOT FALSE FROM mesflow._duties WHERE name = 'keep_jobs'"), '0|t', 'nothing is wrong yet');
$reader->query_safe('COMMIT');
$reader->quit;
$node->sql('TRUNCATE mesflow._jobs_done');
plant($node);
plant($node);
$reader = reader_of(31);
my $from = -s $node->logfile;
is($node->sqlstate('CALL mesflow.keep_jobs()'), 'MF409', 'what is read cannot be emptied, and tomorrow somebody writes there');
is(ended($node), '14|2', 'the others are emptied');
is($node->sql("SELECT failures, error ~ 'reads or locks _jobs_done_\\d\\d\\.' FROM mesflow._duties WHERE name = 'keep_jobs'"), '1|t', 'the duty says so');
$node->sql("UPDATE mesflow._duties SET failures = 0, error_at = NULL");
make_due($node, 'keep_jobs', 'keep_models');
hurry($node);
$node->await("SELECT failures = 1 AND lives = 0 FROM mesflow._duties WHERE name = 'keep_jobs'", 'the worker fails, too');
$node->await("SELECT finished_by = 'worker' FROM mesflow._duties WHERE name = 'keep_models'", 'and does the others');
waits($node, 'it ends in peace');
like($node->sql("SELECT last_error FROM mesflow.worker_status WHERE kind = 'housekeeping'"), qr/could not be emptied/, 'worker_status has the error');
like($node->sql("SELECT status, detail FROM mesflow.health() WHERE check_name = 'housekeeping'"), qr/^warning\|keep_jobs failed 1 times/, 'health() too');
is(scalar(() = $node->log_lines(qr/housekeeping worker, database "mesflow", while doing duty keep_jobs/, $from)), 1, 'the log says where');
$reader->query_safe('COMMIT');
$reader->quit;
is($node->sqlstate('CALL mesflow.keep_jobs()'), '', 'nobody reads it any more');
is(ended($node), '14|0', 'all that is old is gone');

# ---- two at once -------------------------------------------------------------

plant($node);
my $first = $node->background_psql($MesflowNode::DATABASE);
$first->query_safe('BEGIN');
$first->query_safe("SELECT mesflow._begin_duty('keep_jobs')");
is($node->sqlstate('CALL mesflow.keep_jobs()'), '', 'while somebody is at it another leaves at once');
is(ended($node), '21|24', 'and has done nothing');
make_due($node, 'keep_uploads');
hurry($node);
$node->await("SELECT finished_by = 'worker' FROM mesflow._duties WHERE name = 'keep_uploads'", 'the worker goes by it');
is(ended($node), '21|24', 'and has not done it either');
$first->query_safe('ROLLBACK');
$first->quit;

# ---- kill -9 -------------------------------------------------------------------

# A prepared transaction survives the crash; a portion waits for it.
sub block_models
{
	$node->sql(q{
		CREATE TABLE public.block (n integer);
		CREATE FUNCTION public.stop() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN PERFORM set_config(''lock_timeout'', ''0'', true); LOCK TABLE public.block; RETURN NEW; END';
		CREATE TRIGGER stop BEFORE DELETE ON mesflow._uploads FOR EACH STATEMENT EXECUTE FUNCTION public.stop();
		BEGIN; LOCK TABLE public.block; PREPARE TRANSACTION 'block'});
	return;
}

block_models();
my $upload = $node->sql("SELECT mesflow.begin_upload('old.stl', 1)");
$node->sql("UPDATE mesflow._uploads SET begun_at = begun_at - interval '2 days'");
make_due($node);
hurry($node);
my $worker = 0;
foreach my $life (1, 2)
{
	$node->await("SELECT pid <> $worker AND state = 'busy' AND current = 'keep_uploads' FROM mesflow.worker_status WHERE kind = 'housekeeping'",
		"the worker is at work in life $life");
	is($node->sql("SELECT lives FROM mesflow._duties WHERE name = 'keep_uploads'"), $life, 'the duty is marked');
	is(ended($node), '21|0', 'others were done');
	make_due($node, 'keep_models');
	$worker = $node->worker_pid('housekeeping');
	$node->signal('KILL', $worker);
	$node->gone('the worker is gone', $worker);
	$node->await('SELECT true', 'the server is back');
}
$node->await("SELECT finished_by = 'worker' FROM mesflow._duties WHERE name = 'keep_models'", 'the next life does the others');
is($node->sql("SELECT lives, finished_at IS NULL FROM mesflow._duties WHERE name = 'keep_uploads'"), '2|t',
	'and leaves alone for a while what ended it twice');
is($node->sql('SELECT count(*) FROM mesflow._uploads'), 1, 'of which nothing is lost');
$node->sql("ROLLBACK PREPARED 'block'");
$node->sql("UPDATE mesflow._duties SET started_at = started_at - interval '1 min' WHERE name = 'keep_uploads'");
hurry($node);
$node->await("SELECT finished_by = 'worker' AND lives = 0 FROM mesflow._duties WHERE name = 'keep_uploads'", 'then it does that, too');
is($node->sql('SELECT count(*) FROM mesflow._uploads'), 0, 'to the end');

# ---- in the middle of a duty: DROP EXTENSION, reload, a stop ---------------------

# Portions that never end: each is quick, and there is always one more.
sub endless
{
	$node->sql(q{
		CREATE OR REPLACE FUNCTION mesflow._keep_uploads() RETURNS boolean LANGUAGE plpgsql AS
			'BEGIN PERFORM pg_sleep(0.01); RETURN true; END'});
	make_due($node, 'keep_uploads');
	hurry($node);
	$node->await("SELECT state = 'busy' AND current = 'keep_uploads' FROM mesflow.worker_status WHERE kind = 'housekeeping'",
		'the worker is at work that does not end');
	return $node->worker_pid('housekeeping');
}

$worker = endless();
$node->set('mesflow.jobs_retention' => '20d');
plant($node);
is($node->sqlstate('CALL mesflow.keep_jobs()'), '', 'after a reload');
is($node->sql(q{SELECT count(*) FILTER (WHERE finished_at > now() - interval '20 days'),
		count(*) FILTER (WHERE finished_at <= now() - interval '21 days') FROM mesflow._jobs_done}), '40|0',
	'another retention holds');
is($node->worker_pid('housekeeping'), $worker, 'the worker has stayed at it');
is($node->sql('DROP EXTENSION mesflow'), '', 'DROP EXTENSION is not held up');
$node->gone('the worker ends', $worker);
$node->install;
all_done($node, 'made anew, all duties are done');
$worker = endless();
is($node->sqlstate('DROP DATABASE mesflow WITH (FORCE)', 'postgres'), '', 'the database can be dropped');
$node->gone('the worker ends', $worker);
$node->sql('CREATE DATABASE mesflow', 'postgres');
$node->install;
all_done($node, 'made anew, all duties are done');
$worker = endless();
$node->sql('ALTER DATABASE mesflow ALLOW_CONNECTIONS false', 'postgres');
$node->gone('closed to connections, the worker ends', $worker);
$node->sql('ALTER DATABASE mesflow ALLOW_CONNECTIONS true', 'postgres');
$node->await("SELECT state = 'busy' AND pid <> $worker FROM mesflow.worker_status WHERE kind = 'housekeeping'", 'open again, it goes on');
$worker = $node->worker_pid('housekeeping');
$node->sql("SELECT pg_terminate_backend($worker)", 'postgres');
$node->gone('told to end it ends', $worker);
$node->sql(q{CREATE OR REPLACE FUNCTION mesflow._keep_uploads() RETURNS boolean LANGUAGE sql AS 'SELECT false'});
$node->sql('UPDATE mesflow._duties SET lives = 1 WHERE lives > 1');
$node->await("SELECT lives = 0 AND finished_by = 'worker' FROM mesflow._duties WHERE name = 'keep_uploads'", 'and the next one is through');
$node->set('mesflow.jobs_retention' => undef);

# ---- a copy ------------------------------------------------------------------------

$node->sql('UPDATE mesflow._identity SET system_identifier = system_identifier + 1');
plant($node);
make_due($node);
hurry($node);
$node->await("SELECT state = 'fenced' AND pid IS NULL FROM mesflow.worker_status WHERE kind = 'housekeeping'", 'in a copy it is fenced');
is($node->sqlstate('CALL mesflow.keep_jobs()'), 'MF503', 'nor does it for people');
is(ended($node), '7|24', 'nothing is deleted');
$node->sql("SELECT mesflow.arm('a test')");
all_done($node, 'armed, it does all');
is(ended($node), '7|0', 'and deletes');

# ---- a dump takes the run state nowhere -----------------------------------------------

my $dump = $node->basedir . '/dump.sql';
PostgreSQL::Test::Utils::command_ok([ 'pg_dump', '-d', $node->connstr($MesflowNode::DATABASE), '-f', $dump ], 'a dump is made');
unlike(slurp_file($dump), qr/_duties/, 'without what is this database\'s own');

# ---- a standby -----------------------------------------------------------------------

$node->backup('base');
my $standby = MesflowNode->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
plant($node);
make_due($node, 'keep_jobs');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$node->stop('immediate');
is($standby->sql("SELECT state, current FROM mesflow.worker_status WHERE kind = 'housekeeping'"), 'off|this server is a standby', 'and no worker');
foreach my $call ('CALL mesflow.keep_jobs()', 'CALL mesflow.keep_uploads()', 'SELECT mesflow.schedule_housekeeping()', 'SELECT mesflow.unschedule_housekeeping()')
{
	is($standby->sqlstate($call), 'MF503', "nobody does $call");
}
is($standby->sql("SELECT status, detail FROM mesflow.health() WHERE check_name = 'housekeeping'"), 'ok|A standby has no duties.', 'health() knows');
is($standby->sql('SELECT count(*) FROM mesflow.housekeeping'), 10, 'one may look');
$standby->promote;
$standby->await('SELECT NOT pg_is_in_recovery()', 'promoted');
all_done($standby, 'it does what was due');
is($standby->sql("SELECT count(*) FROM mesflow._jobs_done WHERE finished_at <= now() - interval '8 days'"), 0, 'what is old is gone');
plant($standby);
make_due($standby);
hurry($standby);
all_done($standby, 'and all duties from then on');
is($standby->sql("SELECT count(*) FROM mesflow._jobs_done WHERE finished_at <= now() - interval '8 days'"), 0, 'and deletes what is old');

is(join("\n", grep { !/could not be emptied|terminated|terminating/ } $node->worker_errors), '', 'no other error in the log');
is(join("\n", $standby->worker_errors), '', 'nor in the other');
$standby->stop;
done_testing();
