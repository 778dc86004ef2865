# health() about the programs: one that is missing, one that does not start;
# mesflow-sender only where something is delivered.
use strict;
use warnings;
use MesflowDelivery;
use PostgreSQL::Test::Utils;
use Test::More;

# An installation of its own, whose programs can be taken away.
my $at = PostgreSQL::Test::Utils::tempdir('installation');
my $conf = slurp_file($ENV{TEMP_CONFIG});
my ($stage) = $conf =~ m{^dynamic_library_path = '(.*?)/usr/}m;
plan skip_all => 'not installed in a place of its own' unless $stage && index($ENV{MF_SENDER_PROGRAM}, "$stage/") == 0;
system_or_bail('cp', '-R', "$stage/.", $at);
$conf =~ s/\Q$stage\E/$at/g;
my %program = map { /([^\/]*)$/ ? ($1 => $_) : () }
  map { my $path = $_; $path =~ s/^\Q$stage\E/$at/; $path } @ENV{ 'MF_GEOMETRY_PROGRAM', 'MF_SENDER_PROGRAM' };

my $node = MesflowDelivery->ready('main', conf => $conf);

sub health
{
	return $node->sql(q{SELECT status, detail, hint FROM mesflow.health() WHERE check_name = 'programs'});
}

sub take_away
{
	my ($name) = @_;

	rename($program{$name}, "$program{$name}.old") or die "$program{$name}: $!";
	return;
}

sub put_back
{
	my ($name) = @_;

	rename("$program{$name}.old", $program{$name}) or die "$program{$name}: $!";
	return;
}

is(health(), "ok|$program{'mesflow-geometry'} and $program{'mesflow-sender'} can be run.|", 'both are there');

# ---- missing --------------------------------------------------------------------

take_away('mesflow-sender');
is(health(), "critical|The program $program{'mesflow-sender'} cannot be run.|Install the programs of this version: make install.", 'the sender is missing');
take_away('mesflow-geometry');
is(health(), "critical|The program $program{'mesflow-geometry'} cannot be run. The program $program{'mesflow-sender'} cannot be run.|Install the programs of this version: make install.",
	'both are');
put_back('mesflow-geometry');
$node->set('mesflow.delivery' => 'off');
is(health(), "ok|$program{'mesflow-geometry'} can be run.|", 'where nothing is delivered, it is not needed');
$node->set('mesflow.delivery' => undef, 'mesflow.effects' => 'off');
is(health(), "ok|$program{'mesflow-geometry'} can be run.|", 'nor where nothing may have effects');
$node->set('mesflow.effects' => undef);

# ---- does not start ----------------------------------------------------------------

append_to_file($program{'mesflow-sender'}, "#!/bin/sh\nexit 3\n");
chmod(0755, $program{'mesflow-sender'}) or die $!;
is(health(), "ok|$program{'mesflow-geometry'} and $program{'mesflow-sender'} can be run.|", 'one that nobody needs yet is not tried');
$node->endpoint(undef, 'nowhere', url => 'http://127.0.0.1:1/', types => ['test.*']);
$node->await(q{SELECT status = 'critical' AND detail = 'mesflow-sender does not work: it exited with status 3 before it was ready.' AND hint IS NOT NULL
	FROM mesflow.health() WHERE check_name = 'programs'}, 'one that does not start');
is($node->sql(q{SELECT state, current FROM mesflow.worker_status WHERE kind = 'delivery'}), 'blocked|it exited with status 3 before it was ready', 'the worker says so, too');
unlink($program{'mesflow-sender'}) or die $!;
put_back('mesflow-sender');
$node->await(q{SELECT status = 'ok' FROM mesflow.health() WHERE check_name = 'programs'}, 'it is repaired');
$node->await_sender;

# Nobody needs it any more.
take_away('mesflow-sender');
$node->signal('KILL', $node->senders);
$node->await(q{SELECT state = 'blocked' FROM mesflow.worker_status WHERE kind = 'delivery'}, 'without it, the worker can do nothing');
$node->sql(q{SELECT mesflow.drop_endpoint('nowhere')});
$node->await(q{SELECT state = 'idle' FROM mesflow.worker_status WHERE kind = 'delivery'}, 'and has nothing to do without endpoints');
put_back('mesflow-sender');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
done_testing();
