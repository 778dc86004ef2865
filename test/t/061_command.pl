# mesflow-geometry as a person runs it: its page, its picture, its complaints.
use strict;
use warnings;
use IPC::Run qw(run);
use MesflowNode;
use MesflowPng;
use PostgreSQL::Test::Utils;
use Test::More;

my $program = $ENV{MF_GEOMETRY_PROGRAM} or plan skip_all => 'MF_GEOMETRY_PROGRAM is not set';
my $folder = PostgreSQL::Test::Utils::tempdir('models');

# (exit status, standard output, standard error).
sub command
{
	my ($out, $err) = ('', '');

	run([ $program, @_ ], '<', \'', '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

sub file
{
	my ($name, $bytes) = @_;

	open(my $file, '>:raw', "$folder/$name") or die "$name: $!";
	print $file $bytes;
	close($file) or die "$name: $!";
	return "$folder/$name";
}

my $cube = file('cube.stl', MesflowNode::cube(10));
my $open = file('open.stl', substr(MesflowNode::cube(10), 0, 80) . pack('V', 9) . substr(MesflowNode::cube(10), 84, 9 * 50));
my $picture = "$folder/picture.png";

# ---- the page -------------------------------------------------------------

my ($status, $page, $complaint) = command($cube);
is("$status|$complaint", '0|', 'a cube is measured, without a word beside the page');
my @sections = $page =~ /^(\w[\w ,]*)$/mg;
is(join('|', @sections), 'Size|Material|Walls|Printing, as it stands|Surface|Defects', 'the page has its sections');
like($page, qr/^  Format +STL$/m, 'it says the format');
like($page, qr/^  Unit +mm \(assumed: the file does not say\)$/m, 'and the unit');
like($page, qr/^  Box +10\.000 x 10\.000 x 10\.000 mm$/m, 'the size');
like($page, qr/^  Volume +1 cm3$/m, 'the volume');
like($page, qr/^  Height +10\.000 mm: 50 layers of 0\.2 mm$/m, 'the layers');
like($page, qr/^Verdict: can be priced\.$/m, 'and the verdict');
unlike($page, qr/nan|inf\b/i, 'no number that is none');
($status, $page) = command($open);
like($page, qr/^  Volume +not known$/m, 'what is not known says so');
like($page, qr/^  Error .*\n +open_edges: \d+, first at/m, 'defects are listed');
like($page, qr/^Verdict: no price without a look by a person/m, 'of an open surface nobody has a price');

# ---- the picture ----------------------------------------------------------

sub drawn
{
	my ($wanted, $side, @options) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	unlink($picture);
	my ($exit, undef, $words) = command('--picture', $picture, @options, $cube);
	is("$exit|$words", '0|', "$wanted is written");
	my $read = MesflowPng::read_png(slurp_file($picture));
	is($read->{trouble}, '', 'it is a PNG');
	is($read->{side}, $side, "of $side pixels");
	return $read;
}

my $usual = drawn('a picture', 512);
ok(MesflowPng::seen($usual) > 512 * 512 / 2, 'a cube is seen');
my $bytes = slurp_file($picture);
drawn('one of 16 pixels', 64, '--picture-size', 16);
drawn('one of 65 pixels', 128, '--picture-size', 65);
drawn('one of 256 pixels, with JSON', 256, '--json', '--picture-size', 256);
foreach my $threads (1, 2, 3)
{
	drawn("one by $threads threads", 512, '--threads', $threads);
	ok(slurp_file($picture) eq $bytes, 'the same bytes');
}

# ---- complaints -------------------------------------------------------------

foreach my $wrong ([ 'a size that is too small', '--picture-size', 15 ], [ 'one that is too large', '--picture-size', 513 ],
	[ 'one that is none', '--picture-size', 'x' ], [ 'a picture of the basics', '--basic', '--picture', $picture ])
{
	my ($what, @options) = @$wrong;

	($status, $page, $complaint) = command(@options, $cube);
	is("$status|$page", '2|', "$what is refused");
	like($complaint, qr/^mesflow-geometry: /, 'with a reason');
}
($status, $page, $complaint) = command('--picture', "$folder/nowhere/picture.png", $cube);
is($status, 2, 'a picture that cannot be written');
like($complaint, qr{cannot write "\Q$folder\E/nowhere/picture\.png": No such file}, 'is told');
unlink($picture);
($status, $page) = command('--picture', $picture, file('nothing.stl', 'solid nothing'));
ok($status == 1 && !-e $picture, 'of a refused file nothing is written');
($status, $page) = command('--help');
like($page, qr/STL, OBJ, PLY, 3MF or GLB/, 'the help names all formats');

# ---- names that are not ours ---------------------------------------------------

foreach my $byte (1 .. 0x1f, 0x7f .. 0x9f)
{
	my $tail = sprintf('%cb%cc.stl', $byte, $byte);

	$tail =~ s/^/\xc2/ if $byte >= 0x80;      # as UTF-8, and alone
	(undef, $page) = command(file("a$tail", MesflowNode::cube(1)));
	(undef, undef, $complaint) = command("$folder/no$tail");
	like($page, qr/b\?c\.stl\n/, sprintf('a name with byte %02x is shown', $byte));
	unlike($page . $complaint, qr/[\x01-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|(?<![\x80-\xff])[\x80-\x9f]/, 'and commands no terminal');
}

# ---- on a terminal ------------------------------------------------------------

SKIP:
{
	my $out = '';

	skip 'no program "script" here', 2 unless run([ 'script', '--version' ], '>', \$out, '2>&1');
	$out = '';
	run([ 'script', '-qec', "'$program' '$cube'", '/dev/null' ], '<', \'', '>', \$out);
	like($out, qr/\r *\d+ %  [a-z ]+ +\d+\.\d s/, 'a terminal shows how far the work is');
	like($out, qr/\r {40}\r.*cube\.stl/s, 'and is clean before the page');
}
done_testing();
