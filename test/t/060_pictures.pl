# From an upload to a picture, with workers that run: they are there when the
# measurement is, and leave nothing behind.
use strict;
use warnings;
use JSON::PP;
use MesflowNode;
use MesflowPng;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 2');
$node->await_worker('pricing');

sub picture
{
	my ($model, $size) = @_;
	my $hex = $node->sql("SELECT encode(mesflow.model_picture('$model', $size), 'hex')");

	return MesflowPng::read_png(pack('H*', $hex));
}

my $cube = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl');
is($node->sql("SELECT (mesflow.await_model('$cube', '180s')).state"), 'measured', 'a model is measured');
is($node->sql("SELECT mesflow.model_picture('$cube') IS NOT NULL"), 't', 'whoever waited for that finds the picture');
foreach my $size (64, 128, 256, 512)
{
	my $picture = picture($cube, $size);

	is($picture->{trouble}, '', "$size pixels: a PNG");
	is($picture->{side}, $size, 'of that size');
	my $share = MesflowPng::seen($picture) / $size**2;
	ok($share > 0.55 && $share < 0.65, "the cube fills $share of it");
	ok($picture->{bytes} < 6000, "in $picture->{bytes} bytes");
}
is(picture($cube, 100)->{side}, 128, 'a size in between is rounded up');

# What the program prints has a key for each column, and three that are of the model.
my $keys = $node->sql(q{SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute
	WHERE attrelid = 'mesflow.measurements'::regclass AND attnum > 0 AND attname <> 'model'});
my $file = PostgreSQL::Test::Utils::tempdir('json') . '/cube.stl';
append_to_file($file, MesflowNode::cube(10));
my $json = decode_json(scalar(`'$ENV{MF_GEOMETRY_PROGRAM}' --json '$file'`));
is(join(' ', sort grep { !/^(?:format|unit|unit_from)$/ } keys %$json), $keys, 'the keys of --json are the columns of measurements');
is(join(' ', @$json{qw(format unit unit_from)}), 'stl mm default', 'beside format and unit');

# Another unit is another measurement, of the same picture.
my $inches = $node->upload_bytes(MesflowNode::cube(10), 'inches.stl', unit => 'inch');
is($node->sql("SELECT (mesflow.await_model('$inches', '180s')).state"), 'measured', 'measured in inches');
is($node->sql("SELECT mesflow.model_picture('$cube') = mesflow.model_picture('$inches')"), 't', 'it looks the same');

# What cannot be measured has none.
my $broken = $node->upload_bytes('solid nothing', 'broken.stl');
is($node->sql("SELECT (mesflow.await_model('$broken', '180s')).state, mesflow.model_picture('$broken') IS NULL"), 'rejected|t', 'a refused file has no picture');

# A hundred models in groups, each with its own pictures.
my @models = map { $node->upload_bytes(MesflowNode::cube(20 + $_), "cube_$_.stl") } 1 .. 100;
$node->settled(103);
is($node->sql(q{SELECT count(*), count(DISTINCT sha256), min(size), max(size) FROM mesflow._pictures}), '408|101|64|512', 'every model has four');
is($node->sql(q{SELECT count(*) FROM mesflow._measurements m WHERE error_code IS NULL
	AND 4 <> (SELECT count(*) FROM mesflow._pictures p WHERE p.sha256 = m.sha256 AND p.unit = m.unit)}), 0, 'under its own bytes');

# They go with the bytes, and so by themselves with the retention.
$node->sql("SELECT mesflow.delete_model('$_', 'a test') FROM (VALUES (1)) v") foreach @models[0 .. 9];
$node->sql("SELECT mesflow.delete_model('$cube', 'a test')");
is($node->sql("SELECT mesflow.model_picture('$cube') IS NULL, mesflow.model_picture('$inches') IS NULL"), 't|f', 'the deleted model has none, the other has');
$node->await('SELECT count(*) = 368 FROM mesflow._pictures', 'those of the deleted ones are gone');
$node->sql(q{UPDATE mesflow._identity SET recorded_at = recorded_at - interval '2 days'; UPDATE mesflow._models SET used_at = used_at - interval '2 years'});
$node->sql(q{SELECT mesflow._drop_models()});
$node->await('SELECT count(*) = 0 FROM mesflow._pictures', 'when all bytes are gone, no picture is left');
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
