# MesflowNode: a server of PostgreSQL's own test framework that runs mesflow,
# and what tests of its workers' lives ask of it.
#
#	use MesflowNode;
#	my $node = MesflowNode->ready('main', conf => "mesflow.pricing_slots = 2");
#	my $model = $node->upload('crafted/ring_band.stl');
#	$node->await(qq(SELECT state = 'measured' FROM mesflow.models
#		WHERE id = '$model'), 'measured');
#	$node->sound('after a measurement');
#
# Waiting is asking again until a query is true, a bounded number of times,
# then a failed test; nothing here measures a time.
package MesflowNode;

use strict;
use warnings;
use IPC::Run;
use List::Util qw(min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @ISA = ('PostgreSQL::Test::Cluster');

# The database that is served, and used where none is named.
our $DATABASE = 'mesflow';

# MesflowNode->ready(NAME, conf => TEXT, catalog => 0, extension => 0):
# a started node with the extension and the example catalog.
sub ready
{
	my ($class, $name, %option) = @_;
	my $node = $class->new($name);

	$node->prepare(%option);
	$node->start;
	$node->install(%option) unless exists $option{extension} && !$option{extension};
	return $node;
}

# A new data directory with the library loaded and the database made, not
# started.  conf: more settings; init: more arguments of init().
sub prepare
{
	my ($node, %option) = @_;
	my $statement = "CREATE DATABASE $DATABASE\n";
	my ($out, $err);

	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ],
		%{ $option{init} // {} });

	# Made without a server, so that workers find it when they first start.
	IPC::Run::run(
		[
			$node->installed_command('postgres'), '--single',
			'-c', 'shared_preload_libraries=',
			'-D', $node->data_dir, 'postgres'
		],
		'<', \$statement, '>', \$out, '2>', \$err)
	  or BAIL_OUT("could not make the database: $err");

	# The framework turns restarts off; our tests are about what comes after.
	$node->append_conf('postgresql.conf', <<"END" . ($option{conf} // '') . "\n");
shared_preload_libraries = 'mesflow'
mesflow.database = '$DATABASE'
max_worker_processes = 16
restart_after_crash = on
log_line_prefix = '%m [%p] %b %q%a '
END
	return;
}

sub install
{
	my ($node, %option) = @_;

	$node->sql('CREATE EXTENSION mesflow');
	$node->sql('SELECT mesflow.load_example_catalog()')
	  unless exists $option{catalog} && !$option{catalog};
	return;
}

# sql(QUERY [, DATABASE]): its output; dies where it fails.
sub sql
{
	my ($node, $query, $database) = @_;

	return $node->safe_psql($database // $DATABASE, $query);
}

# The SQLSTATE that a query fails with; '' where it does not fail, undef
# where there is no server to say one.
sub sqlstate
{
	my ($node, $query, $database) = @_;
	my ($status, $out, $err) = $node->psql($database // $DATABASE,
		"\\set VERBOSITY sqlstate\n$query");

	return '' if $status == 0 && $err !~ /^(?:psql:\S+ )?ERROR:/m;
	return $err =~ /\bERROR:\s+(\w{5})\b/ ? $1 : undef;
}

# await(QUERY, WHAT [, EXPECTED [, DATABASE]]): one test, passed as soon as
# the query prints EXPECTED ('t').  It survives a server that comes back.
sub await
{
	my ($node, $query, $what, $expected, $database) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $came;

	# A psql that finds no server may be gone before it has read its query.
	for my $attempt (1 .. 10)
	{
		$came = eval { $node->poll_query_until($database // $DATABASE, $query, $expected) };
		last unless $@ =~ /Broken pipe/;
	}
	die $@ if $@;
	ok($came, $what);
	return $came;
}

# ---- workers and programs -----------------------------------------------

# The pid of the worker of a kind, undef where none runs.
sub worker_pid
{
	my ($node, $kind) = @_;
	my $pid = $node->sql(
		"SELECT pid FROM mesflow.worker_status WHERE kind = '$kind'");

	return $pid =~ /^\d+$/ ? $pid : undef;
}

# Waits until a worker of this kind runs that is not the process OLD, and
# returns its pid.
sub await_worker
{
	my ($node, $kind, $old) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$old //= 0;
	$node->await(
		"SELECT EXISTS (SELECT FROM mesflow.worker_status"
		  . " WHERE kind = '$kind' AND pid <> $old)",
		"a $kind worker runs" . ($old ? " in place of $old" : '')) or return;
	return $node->worker_pid($kind);
}

# (parent, name, state) of a process, from /proc; nothing where there is none.
sub process
{
	my ($pid) = @_;

	open(my $in, '<', "/proc/$pid/stat") or return;
	my $line = <$in>;
	close($in);

	# The name may hold anything, parentheses too.
	return unless defined $line && $line =~ /^\d+ \((.*)\) (\S) (\d+) /s;
	return ($3, $1, $2);
}

# Does this process run?  One that ended and waits to be reaped does not.
sub alive
{
	my ($pid) = @_;
	my ($parent, $name, $state) = process($pid);

	return defined $state && $state !~ /[ZX]/;
}

# The children of a process, by pid, of one program where it is named.
sub children
{
	my ($pid, $program) = @_;
	my @children;

	foreach my $entry (glob('/proc/[0-9]*'))
	{
		my ($child) = $entry =~ /(\d+)$/;
		my ($parent, $name, $state) = process($child);

		next unless defined $parent && $parent == $pid && $state !~ /[ZX]/;

		# The kernel keeps 15 characters of a name.
		push @children, $child
		  if !defined $program || $name eq substr($program, 0, 15);
	}
	@children = sort { $a <=> $b } @children;
	return @children;
}

# The running mesflow-geometry processes of the pricing worker.
sub helper_pids
{
	my ($node) = @_;
	my $worker = $node->worker_pid('pricing');

	return defined $worker ? children($worker, 'mesflow-geometry') : ();
}

# One test: there come to be that many.
sub helpers_are
{
	my ($node, $number, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await_true(
		sub {
			my @pids = $node->helper_pids;
			return @pids == $number;
		},
		$what // "helpers: $number");
}

# await_true(SUB, WHAT): one test, passed as soon as SUB returns a true value,
# which is handed on.  For what no query can see; the server is the clock.
sub await_true
{
	my ($node, $sub, $what) = @_;
	my $value;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $attempt (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$value = $sub->() and last;
		select(undef, undef, undef, 0.1);
	}
	ok($value, $what);
	return $value;
}

# hold(COUNT): waits until that many helpers wait for a job, and stops them,
# so that a job that one of them gets goes no further.  Returns their pids.
# A helper sleeps only once it has said that it is there.
sub hold
{
	my ($node, $count) = @_;
	my @held;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->await_true(
		sub {
			@held = eval { $node->helper_pids };
			return @held == $count && !grep { (process($_))[2] ne 'S' } @held;
		},
		"$count helpers wait for a job");
	$node->signal('STOP', @held);
	return @held;
}

# Processes of a parent that ended and were not reaped.
sub zombies
{
	my ($pid) = @_;

	return grep { my ($parent, $name, $state) = process($_); defined $parent && $parent == $pid && $state eq 'Z' }
	  map { m{(\d+)$} } glob('/proc/[0-9]*');
}

# One test: these processes are gone.
sub gone
{
	my ($node, $what, @pids) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await_true(sub { !grep { alive($_) } @pids }, $what);
}

# Sets settings (name => value; undef: back to the default) without a restart.
sub set
{
	my ($node, %value) = @_;

	foreach my $name (sort keys %value)
	{
		$node->sql(defined $value{$name}
			? "ALTER SYSTEM SET $name = " . literal($value{$name})
			: "ALTER SYSTEM RESET $name", 'postgres');
	}
	$node->sql('SELECT pg_reload_conf()', 'postgres');
	return;
}

# The lines of the server's log that match, from a position on.
sub log_lines
{
	my ($node, $pattern, $from) = @_;

	return grep { /$pattern/ } split /\n/,
	  PostgreSQL::Test::Utils::slurp_file($node->logfile, $from // 0);
}

# Errors that a process of ours wrote there: none of our workers' lives is a
# reason for one, except where a test expects it.
sub worker_errors
{
	my ($node, $from) = @_;

	return grep { !/terminating .* due to administrator command/ }
	  $node->log_lines(qr/\[\d+\] mesflow \w+ .*\b(?:ERROR|FATAL|PANIC): /, $from);
}

# signal(NAME, PID ...): true where all of them were there to get it.
sub signal
{
	my ($node, $name, @pids) = @_;

	die "no process to signal\n" unless @pids;
	return kill($name, @pids) == @pids;
}

# ---- models and jobs ----------------------------------------------------

# The folder of the models to test with; undef where this machine has none:
#	plan skip_all => 'no models here' unless MesflowNode::models();
sub models
{
	my $folder = $ENV{MESFLOW_MODELS} // '';

	return $folder ne '' && -d $folder ? $folder : undef;
}

sub literal
{
	my ($text) = @_;

	return 'NULL' unless defined $text;
	return "'" . ($text =~ s/'/''/gr) . "'";
}

# upload(FILE, unit => U, partner => P, filename => F): the model's id.  FILE
# is a path, or one below models(); the server reads it.
sub upload
{
	my ($node, $file, %option) = @_;
	my $path = $file =~ m{^/} ? $file : models() . "/$file";
	my $name = $option{filename} // ($file =~ s{.*/}{}r);

	return $node->sql(
		sprintf "SELECT mesflow.upload_model(pg_read_binary_file(%s), %s, %s, %s)",
		literal($path), literal($name), literal($option{unit}),
		literal($option{partner} // 'shop'));
}

# upload_bytes(BYTES, FILENAME, ...): the same for what the test made itself.
sub upload_bytes
{
	my ($node, $bytes, $filename, %option) = @_;

	return $node->sql(
		sprintf "SELECT mesflow.upload_model('\\x%s', %s, %s, %s)",
		unpack('H*', $bytes), literal($filename), literal($option{unit}),
		literal($option{partner} // 'shop'));
}

# A cube of edge A as a binary STL file: a model that needs no file, and
# another one for every A.
sub cube
{
	my ($a) = @_;
	my @corner = map { [ map { $_ * $a } $_ & 1, $_ >> 1 & 1, $_ >> 2 & 1 ] } 0 .. 7;
	my @faces = (
		[ 0, 2, 3, 1 ], [ 4, 5, 7, 6 ], [ 0, 1, 5, 4 ],
		[ 2, 6, 7, 3 ], [ 0, 4, 6, 2 ], [ 1, 3, 7, 5 ]);
	my $bytes = pack('a80 V', 'a cube', 12);

	foreach my $face (@faces)
	{
		my ($p, $q, $r, $s) = @$face;
		foreach my $triangle ([ $p, $q, $r ], [ $p, $r, $s ])
		{
			$bytes .= pack('f<12 v', 0, 0, 0,
				(map { @{ $corner[$_] } } @$triangle), 0);
		}
	}
	return $bytes;
}

# A flat sheet of 2 x N x N triangles of no volume but many corners, in no
# order that helps: a model that is work.  Returns the path of its file.
sub sheet
{
	my ($node, $n) = @_;
	my $path = $node->basedir . "/sheet_$n.stl";
	my @rows = sort { ($a * 7919) % 104729 <=> ($b * 7919) % 104729 } 0 .. $n - 1;

	open(my $out, '>:raw', $path) or die "$path: $!";
	print $out pack('a80 V', 'a sheet', 2 * $n * $n);
	foreach my $y (@rows)
	{
		my $row = '';
		foreach my $x (@rows)
		{
			my ($u, $v) = ($x + 1, $y + 1);
			$row .= pack('f<12 v f<12 v',
				0, 0, 1, $x, $y, 0, $u, $y, 0, $u, $v, 0, 0,
				0, 0, 1, $x, $y, 0, $u, $v, 0, $x, $v, 0, 0);
		}
		print $out $row;
	}
	close($out) or die "$path: $!";
	return $path;
}

# Jobs by state, as price_jobs tells: {queued => 1, done => 3, ...}, and all
# of them under "total".
sub job_counts
{
	my ($node) = @_;
	my %count = (total => 0);

	foreach my $row (split /\n/,
		$node->sql('SELECT state, count(*) FROM mesflow.price_jobs GROUP BY 1'))
	{
		my ($state, $number) = split /\|/, $row;
		$count{$state} = $number;
		$count{total} += $number;
	}
	return \%count;
}

# counted(WHAT, state => number, ...): one test.  The jobs in these states are
# all there are, in price_jobs and in the tables behind it.
sub counted
{
	my ($node, $what, %expected) = @_;
	my $count = $node->job_counts;
	my $total = 0;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$total += $_ foreach values %expected;
	$count->{stored} = $node->sql(join ' + ', 'SELECT 0',
		map { "(SELECT count(*) FROM mesflow._jobs_$_)" } qw(waiting aside running done));
	is_deeply($count, { %expected, total => $total, stored => $total }, "jobs: $what");
	return;
}

# settled(NUMBER): waits until there is no work left, in that many jobs.
sub settled
{
	my ($node, $number) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await(
		"SELECT count(*) = $number AND bool_and(state IN ('done', 'failed', 'cancelled'))"
		  . ' FROM mesflow.price_jobs', "$number jobs have ended");
}

# A retry waits for no clock but for retry_now(): a second is too short for a
# test to prepare for it.
sub hold_retries
{
	my ($node) = @_;

	$node->sql(q{
		CREATE FUNCTION public.hold_retry() RETURNS trigger LANGUAGE plpgsql
			AS 'BEGIN NEW.due := ''infinity''; RETURN NEW; END';
		CREATE TRIGGER hold_retry BEFORE INSERT ON mesflow._jobs_aside FOR EACH ROW
			WHEN (NEW.due IS NOT NULL) EXECUTE FUNCTION public.hold_retry()});
	return;
}

sub retry_now
{
	my ($node) = @_;

	$node->sql('UPDATE mesflow._jobs_aside SET due = now() WHERE due IS NOT NULL');
	return;
}

# One test: none of the jobs ever submitted is missing or there twice.
sub jobs_are
{
	my ($node, $submitted, $what) = @_;
	my $count = $node->job_counts;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($count->{total}, $submitted, $what)
	  or diag(join ', ', map { "$_ $count->{$_}" } sort keys %$count);
	return;
}

# What a process has open but files of the database: of those the server keeps
# some open, and closes them when it needs the room.
sub foreign_descriptors
{
	my ($node, $pid) = @_;
	my $data = $node->data_dir;

	return grep { !m{^\Q$data\E/} } map { readlink($_) // () } glob("/proc/$pid/fd/*");
}

# What a worker weighs: bytes of all its memory contexts, kilobytes of its own
# pages, open descriptors.
sub weigh_worker
{
	my ($node, $pid) = @_;
	my $from = -s $node->logfile;
	my @total;

	$node->await("SELECT state = 'idle' FROM mesflow.worker_status WHERE pid = $pid", 'the worker is idle');
	$node->sql("SELECT pg_log_backend_memory_contexts($pid)");
	$node->await_true(
		sub { @total = $node->log_lines(qr/\[$pid\] .*Grand total: \d+ bytes/, $from) },
		'the worker tells its memory');
	my ($bytes) = $total[-1] =~ /Grand total: (\d+) bytes/;
	my ($pages) = slurp_file("/proc/$pid/status") =~ /RssAnon:\s+(\d+)/;
	my $descriptors = () = foreign_descriptors($node, $pid);

	note("$bytes bytes in contexts, $pages kB of pages, $descriptors descriptors");
	return ($bytes, $pages, $descriptors);
}

# Tests that a worker does not grow under work that is done again and again: a
# cache fills once, a plan is kept once, what leaks grows every time. Six bytes
# for each of 700 pieces of work would be seen. WORK->(NUMBER) does so many.
sub stays_flat
{
	my ($node, $pid, $work, $ready) = @_;
	my (@growth, @new_pages, $descriptors_after);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$work->(1000);
	$ready->() if $ready;
	my ($bytes, $pages, $descriptors) = $node->weigh_worker($pid);
	for my $round (1 .. 4)
	{
		my ($last_bytes, $last_pages) = ($bytes, $pages);

		$work->(700);
		$ready->() if $ready;
		($bytes, $pages, $descriptors_after) = $node->weigh_worker($pid);
		push @growth, $bytes - $last_bytes;
		push @new_pages, $pages - $last_pages;
	}
	cmp_ok(min(@growth), '<=', 4096, 'its memory contexts stay as they are')
	  or diag("they grew by @growth");
	cmp_ok(min(@new_pages), '<=', 64, 'so do its pages')
	  or diag("they grew by @new_pages");
	cmp_ok($descriptors_after, '<=', $descriptors, 'so do its descriptors')
	  or diag(join "\n", foreign_descriptors($node, $pid));
	is($node->sql("SELECT count(*) FROM mesflow.worker_status WHERE pid = $pid"), 1, 'it is the same process');
	return;
}

# One test: verify_jobs() finds nothing wrong.
sub sound
{
	my ($node, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->sql('SELECT * FROM mesflow.verify_jobs()'),
		'', "verify_jobs() finds nothing" . (defined $what ? ": $what" : ''));
	return;
}

1;
