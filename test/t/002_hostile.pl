# Files that are no models, or mean ill: each costs its own job and nothing
# else, and says why in words.
use strict;
use warnings;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my @codes = qw(truncated empty not_a_model malformed too_large too_many_triangles
  non_finite archive_bomb timeout out_of_memory crashed unsupported);
my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 2');
my $launcher = $node->await_worker('launcher');
my $pricing = $node->await_worker('pricing');
my $started = $node->sql('SELECT pg_postmaster_start_time()');

# name => [ bytes, what may become of it ]
my %hostile;
my $cube = MesflowNode::cube(20);

# ---- what a test can make itself -----------------------------------------

foreach my $length (1, 5, 79, 83, 85, 100, 134, length($cube) - 1)
{
	$hostile{"cut_at_$length.stl"} = [ substr($cube, 0, $length), 'reject' ];
}
$hostile{'empty.stl'} = [ '', 'reject' ];
$hostile{'picture.stl'} =
  [ "\x89PNG\r\n\x1a\n\0\0\0\rIHDR" . "\0" x 400, 'reject' ];
$hostile{'count.stl'} = [ pack('a80 V a*', '', 0xffffffff, substr($cube, 84)), 'reject' ];
$hostile{'nan.stl'} =
  [ substr($cube, 0, 96) . pack('f<', 'nan') . substr($cube, 100), 'reject' ];
$hostile{'infinite.stl'} =
  [ substr($cube, 0, 96) . pack('f<', '-inf') . substr($cube, 100), 'reject' ];
$hostile{'solid.stl'} = [ "solid \n" . "facet " x 100000, 'reject' ];
$hostile{'zeros.stl'} = [ "\0" x 100000, 'reject' ];
$hostile{'point.stl'} =
  [ pack('a80 V', '', 100) . ("\0" x 50) x 100, 'reject_or_review' ];
$hostile{'index.obj'} = [ "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4294967299\n", 'reject' ];
$hostile{'nan.obj'} = [ "v 0 0 0\nv 1 0 0\nv 0 nan 0\nf 1 2 3\n", 'reject' ];
$hostile{'comma.obj'} = [ "v 0,0 0,0 0,0\nv 1,0 0,0 0,0\nf 1 2 1\n", 'reject' ];
$hostile{'curved.obj'} = [ "v 0 0 0\nsurf 0 1 0 1 1\n", 'reject' ];
$hostile{'corners.obj'} = [ "v 0 0 0\nv 1 0 0\nv 0 1 0\nf" . ' 1 2 3' x 100000 . "\n", 'reject' ];
$hostile{'crossed.obj'} =
  [ "v 0 0 0\nv 9 9 0\nv 9 0 0\nv 0 9 0\nf" . ' 1 2 3 4' x 2500 . "\n", 'reject_or_review' ];

# ---- and those that were collected ---------------------------------------

my $folder = MesflowNode::models();
SKIP:
{
	skip 'no models here', 1 unless $folder;
	my $many = 0;
	foreach my $line (split /\n/, slurp_file("$folder/truth.csv"))
	{
		my ($file, $set, $format, $expect) = split /,/, $line;
		next unless $file =~ m{/h_.*\.(?:stl|obj)$} && $expect ne 'ok';
		$hostile{ $file =~ s{.*/}{}r } = [ slurp_file("$folder/$file"), $expect ];
		$many++;
	}
	cmp_ok($many, '>=', 17, 'hostile files of the collection');
}

# ---- all at once, and a good one among them ------------------------------

my %model;
my @names = sort keys %hostile;
foreach my $name (@names[ 0 .. $#names / 2 ])
{
	$model{$name} = $node->upload_bytes($hostile{$name}[0], $name);
}
my $good = $node->upload_bytes($cube, 'good.stl');
foreach my $name (@names)
{
	$model{$name} //= $node->upload_bytes($hostile{$name}[0], $name);
}

# Some of the collection may have the same bytes as one made here.
my %seen;
my @models = grep { !$seen{$_}++ } map { $model{$_} } @names;
$node->settled(@models + 1);

foreach my $name (@names)
{
	my $expect = $hostile{$name}[1];
	my ($state, $code, $error) = split /\|/, $node->sql(
		"SELECT state, error_code, error FROM mesflow.models WHERE id = '$model{$name}'");

	if ($state eq 'rejected')
	{
		isnt($expect, 'ok', "$name: rejected");
		ok((grep { $_ eq $code } @codes), "$name: for a known reason") or diag("code \"$code\"");
		like($error, qr/^\p{Lu}.{10,}\.$/s, "$name: which is a sentence");
		is($node->sql("SELECT state, attempt, error_code FROM mesflow.price_jobs WHERE model = '$model{$name}'"),
			"failed|1|$code", "$name: one job, tried once");
	}
	else
	{
		like($expect, qr/_or_/, "$name: measured");
		is($state, 'measured', "$name: nothing else");
		is($node->sql("SELECT state, attempt FROM mesflow.price_jobs WHERE model = '$model{$name}'"),
			'done|1', "$name: one job, tried once");
		next if $expect eq 'reject_or_ok';

		# Measured it may be, but nobody gets it at the price of a good one.
		my ($class, $reason) = split /\|/, $node->sql(
			"SELECT e.error_code IS NOT NULL OR m.watertight IS FALSE OR jsonb_array_length(m.defects) > 0,"
			  . " coalesce(e.error_code, m.defects::text)"
			  . " FROM mesflow.estimate('$model{$name}', 'pla', 'fdm') e, mesflow.measurements m"
			  . " WHERE m.model = '$model{$name}'");
		is($class, 't', "$name: with a remark") or diag($reason // '');
	}
}

is($node->sql(
		"SELECT q.state FROM mesflow.request_quote('$good', 'pla', 'fdm') r JOIN LATERAL mesflow.await_quote(r, '180s') q ON true"),
	'priced', 'the good one among them has a price');
is($node->sql('SELECT pg_postmaster_start_time()'), $started, 'the server runs as before');
is($node->worker_pid('launcher'), $launcher, 'so does the launcher');
is($node->worker_pid('pricing'), $pricing, 'so does the worker');
is(join("\n", $node->worker_errors), '', 'no error in the log');
is(join("\n", $node->log_lines(qr/terminated by signal|WARNING: /)), '',
	'no warning either');
my $failed = $node->sql("SELECT count(*) FROM mesflow.models WHERE state = 'rejected'");
$node->counted('each ended once', done => @models + 1 - $failed, failed => $failed + 0);
$node->sound;
$node->stop;
done_testing();
