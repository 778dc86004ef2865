# pg_cron: in this database, in another, too old, and gone again.
use strict;
use warnings;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowNode->new('main');
$node->prepare(conf => <<"END");
shared_preload_libraries = 'mesflow,pg_cron'
cron.database_name = '$MesflowNode::DATABASE'
cron.use_background_workers = on
mesflow.pricing_slots = 0
END
plan skip_all => 'no pg_cron here'
  unless -e $node->config_data('--pkglibdir') . '/pg_cron.so';
$node->start;
$node->install;

my $ours = "SELECT count(*) FROM cron.job WHERE jobname LIKE 'mesflow %'";
my $duties = $node->sql('SELECT count(*) FROM mesflow._duties');

# What a call fails with: message, detail and hint.
sub error_of
{
	my ($call) = @_;
	my ($status, $out, $err) = $node->psql($MesflowNode::DATABASE, $call);
	return $err;
}

# ---- not created, too old -----------------------------------------------------

is($node->sqlstate('SELECT mesflow.schedule_housekeeping()'), 'MF503', 'without its extension nothing is scheduled');
like(error_of('SELECT mesflow.schedule_housekeeping()'), qr/HINT:  CREATE EXTENSION pg_cron/, 'the hint says what to do');
is($node->sqlstate('SELECT mesflow.unschedule_housekeeping()'), '', 'nor is there anything to take away');
$node->sql("CREATE EXTENSION pg_cron VERSION '1.2'");
is($node->sqlstate('SELECT mesflow.schedule_housekeeping()'), 'MF503', 'a version without named jobs will not do');
like(error_of('SELECT mesflow.schedule_housekeeping()'), qr/too old.*1\.3.*ALTER EXTENSION pg_cron UPDATE/s, 'and the hint says what to do');
is($node->sqlstate('SELECT mesflow.unschedule_housekeeping()'), '', 'it has none of our jobs');
$node->sql('ALTER EXTENSION pg_cron UPDATE');

# ---- here ------------------------------------------------------------------------

$node->sql("SELECT cron.schedule('mesflowers', '0 0 1 1 *', 'SELECT 1'), cron.schedule('other', '0 0 1 1 *', 'SELECT 2'),
	cron.schedule('mesflow keep_nothing', '0 0 1 1 *', 'SELECT 3')");
$node->sql('SELECT mesflow.schedule_housekeeping()');
my $jobs = "SELECT string_agg(concat_ws('|', jobid, jobname, schedule, command, database, active), ',' ORDER BY jobname) FROM cron.job WHERE jobname LIKE 'mesflow %'";
my $first = $node->sql($jobs);
is($node->sql(q{
	SELECT count(*) FROM cron.job j JOIN mesflow._duties d ON j.jobname = 'mesflow ' || d.name AND j.schedule = d.schedule
		AND j.command = format('CALL mesflow.%s()', d.name) AND j.database = current_database() AND j.active}),
	$duties, 'each duty is a job');
is($node->sql($ours), $duties, 'and what is no duty any more is none');
$node->sql('SELECT mesflow.schedule_housekeeping()');
is($node->sql($jobs), $first, 'again: the same jobs');
$node->sql('CREATE ROLE anna LOGIN IN ROLE mesflow_admin');
is($node->sqlstate('SET ROLE anna; SELECT mesflow.schedule_housekeeping()'), '', 'an administrator does the same');
is($node->sql($jobs), $first, 'with the same jobs');
is($node->sql('SELECT count(*) FROM cron.job'), $duties + 2, 'nobody else\'s is touched');

# Every second minute would be long: pg_cron runs at the beginning of each.
$node->sql(q{
	INSERT INTO mesflow._jobs_done (vt, id, kind, partner, model, sha256, unit, size_bytes, memory_mb, cost_ms, attempt, lives, boosted,
			queued_at, slot, state, finished_at)
		SELECT 0, nextval('mesflow._job_ids'), 'measure', 'shop', gen_random_uuid(), '', '', 1, 64, 1, 1, 0, false,
			at, mesflow._ring_slot(at), 'done', at
		FROM generate_series(0, 31) n, LATERAL (SELECT clock_timestamp() - n * interval '1 day' AS at) t WHERE n <> 7;
	UPDATE mesflow._duties SET schedule = '* * * * *', finished_by = NULL;
	SELECT mesflow.schedule_housekeeping()});
$node->await("SELECT finished_by = 'pg_cron' FROM mesflow._duties WHERE name = 'keep_jobs'", 'pg_cron does a duty');
is($node->sql("SELECT count(*), count(*) FILTER (WHERE finished_at < now() - interval '8 days') FROM mesflow._jobs_done"), '7|0', 'all of it, portion by portion');
$node->await("SELECT bool_and(finished_by = 'pg_cron') FROM mesflow._duties", 'and the others');
$node->await("SELECT count(DISTINCT command) = $duties FROM cron.job_run_details WHERE status = 'succeeded' AND command LIKE 'CALL mesflow.%'",
	'pg_cron says so, too');
is($node->sql("SELECT status, detail FROM mesflow.health() WHERE check_name = 'housekeeping'"), 'ok|All duties are done in time, by pg_cron.',
	'and health()');

# What it does not do, the worker does.
$node->sql('SELECT mesflow.unschedule_housekeeping()');
is($node->sql($ours), 0, 'unscheduled, no job of ours is left');
is($node->sql('SELECT count(*) FROM cron.job'), 2, 'and all others are');
is($node->sqlstate('SELECT mesflow.unschedule_housekeeping()'), '', 'again: nothing to do');
$node->sql("UPDATE mesflow._duties SET finished_at = finished_at - 2 * every; SELECT mesflow._wake('launcher')");
$node->await("SELECT bool_and(finished_by IS NOT DISTINCT FROM 'worker') FROM mesflow._duties", 'the worker has taken over');

# ---- connections instead of background workers -----------------------------------

$node->append_conf('postgresql.conf', "cron.use_background_workers = off\ncron.host = '" . $node->host . "'\n");
$node->restart;
$node->sql("UPDATE mesflow._duties SET schedule = '* * * * *'; SELECT mesflow.schedule_housekeeping()");
$node->await("SELECT bool_and(finished_by = 'pg_cron') FROM mesflow._duties", 'it is known as pg_cron there, too');

# A job that outlives the extension says what is wrong.
$node->sql('DROP EXTENSION mesflow');
$node->await("SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'failed' AND return_message LIKE '%mesflow.keep_jobs() does not exist%'",
	'a job without the extension fails, and says why');
$node->install;
$node->sql('SELECT mesflow.unschedule_housekeeping()');
is($node->sql($ours), 0, 'the next installation takes the jobs of the last away');

# ---- in another database ------------------------------------------------------------

$node->append_conf('postgresql.conf', "cron.database_name = 'postgres'\n");
$node->restart;
is($node->sqlstate('SELECT mesflow.schedule_housekeeping()'), 'MF503', 'where its extension is, but it serves another database');
$node->sql('DROP EXTENSION pg_cron');
$node->sql('CREATE EXTENSION pg_cron', 'postgres');
is($node->sqlstate('SELECT mesflow.schedule_housekeeping()'), 'MF503', 'and where it is not');
my $error = error_of('SELECT mesflow.schedule_housekeeping()');
like($error, qr/DETAIL:  cron\.database_name is "postgres", this is "mesflow"\./, 'the error says where it is');
my @statements = $error =~ /^(SELECT cron\..*;)$/mg;
is(scalar(@statements), $duties, 'and has a statement for each duty');
$node->sql($_, 'postgres') foreach @statements;
is($node->sql("SELECT string_agg(jobname || ' in ' || database, ', ' ORDER BY jobname) FROM cron.job", 'postgres'),
	$node->sql("SELECT string_agg('mesflow ' || name || ' in mesflow', ', ' ORDER BY name) FROM mesflow._duties"), 'they schedule them here');
$node->sql($_, 'postgres') foreach @statements;
is($node->sql($ours, 'postgres'), $duties, 'once');
$node->sql("UPDATE cron.job SET schedule = '* * * * *'", 'postgres');
$node->await("SELECT bool_and(finished_by = 'pg_cron') FROM mesflow._duties", 'and pg_cron does them');
is($node->sqlstate('SELECT mesflow.unschedule_housekeeping()'), 'MF503', 'to be taken away there');
($error) = error_of('SELECT mesflow.unschedule_housekeeping()') =~ /^(SELECT cron\..*;)$/m;
$node->sql($error, 'postgres');
is($node->sql($ours, 'postgres'), 0, 'by the statement in the hint');

# ---- gone --------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'mesflow'\n");
$node->restart;
like(error_of('SELECT mesflow.schedule_housekeeping()'), qr/pg_cron is not there.*the housekeeping worker of the server does it all/s, 'without pg_cron nothing is scheduled, and nothing is missing');
is($node->sqlstate('SELECT mesflow.unschedule_housekeeping()'), '', 'nor unscheduled');
$node->sql("UPDATE mesflow._duties SET finished_at = NULL; SELECT mesflow._wake('launcher')");
$node->await("SELECT bool_and(finished_by IS NOT DISTINCT FROM 'worker') FROM mesflow._duties", 'the worker does all');
is(join("\n", $node->worker_errors), '', 'no error of ours in the log');
$node->stop;
done_testing();
