# Thousands of models through one worker: it does not grow.
use strict;
use warnings;
use List::Util qw(min);
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowNode->ready('main', conf => <<'END');
mesflow.pricing_slots = 2
fsync = off
END
my $worker = $node->await_worker('pricing');
my $cube = unpack('H*', MesflowNode::cube(5));
my $submitted = 0;

# Models of the same shape, each of other bytes.
sub measure
{
	my ($number) = @_;
	my ($from, $to) = ($submitted + 1, $submitted + $number);

	$node->sql(qq{
		SELECT count(mesflow.upload_model(overlay('\\x$cube'::bytea PLACING convert_to(lpad(i::text, 20), 'UTF8') FROM 1), i || '.stl'))
		  FROM generate_series($from, $to) i});
	$submitted = $to;
	$node->settled($submitted);
	return;
}

# Bytes of all memory contexts, kilobytes of its own pages, open descriptors.
sub weigh
{
	my $from = -s $node->logfile;
	my @total;

	$node->await("SELECT state = 'idle' FROM mesflow.worker_status WHERE kind = 'pricing'", 'the worker is idle');
	$node->helpers_are(2);
	$node->sql("SELECT pg_log_backend_memory_contexts($worker)");
	$node->await_true(
		sub { @total = $node->log_lines(qr/\[$worker\] .*Grand total: \d+ bytes/, $from) },
		'the worker tells its memory');
	my ($bytes) = $total[-1] =~ /Grand total: (\d+) bytes/;
	my ($pages) = slurp_file("/proc/$worker/status") =~ /RssAnon:\s+(\d+)/;
	my $descriptors = () = glob("/proc/$worker/fd/*");

	note("after $submitted: $bytes bytes in contexts, $pages kB of pages, $descriptors descriptors");
	return ($bytes, $pages, $descriptors);
}

# A cache fills once, a plan is kept once; what leaks grows every time.
measure(1000);
my ($bytes, $pages, $descriptors) = weigh();
my ($descriptors_after, @growth, @new_pages);
for my $round (1 .. 4)
{
	my ($last_bytes, $last_pages) = ($bytes, $pages);

	measure(700);
	($bytes, $pages, $descriptors_after) = weigh();
	push @growth, $bytes - $last_bytes;
	push @new_pages, $pages - $last_pages;
}

# Six bytes for each job would be more.
cmp_ok(min(@growth), '<=', 4096, 'its memory contexts stay as they are')
  or diag("they grew by @growth");
cmp_ok(min(@new_pages), '<=', 64, 'so do its pages')
  or diag("they grew by @new_pages");
cmp_ok($descriptors_after, '<=', $descriptors, 'so do its descriptors')
  or diag(join "\n", map { readlink($_) // '' } glob("/proc/$worker/fd/*"));
is($node->worker_pid('pricing'), $worker, 'it is the same process');
is(scalar(MesflowNode::zombies($worker)), 0, 'with no child left to reap');
$node->counted('all done', done => $submitted);
$node->sound;
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
