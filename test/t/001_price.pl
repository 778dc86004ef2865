# From an upload to a price: what a shop sees, with workers that run.
use strict;
use warnings;
use JSON::PP;
use Math::BigFloat;
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->allow_bignum;
my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 2');
my $submitted = 0;

# A quote as priced: (its row's columns, its lines).
sub quoted
{
	my ($model, %option) = @_;
	my $quote = $node->sql(sprintf
		"SELECT mesflow.request_quote('%s', '%s', '%s', %d, '%s')", $model,
		$option{material} // 'pla', $option{process} // 'fdm',
		$option{quantity} // 1, $option{options} // '{}');
	$node->await("SELECT state = 'priced' FROM mesflow.quotes WHERE id = '$quote'",
		'the quote is priced');
	my ($unit, $net, $tax, $total, $lines) = split /\|/, $node->sql(
		"SELECT unit_price, net, tax, total, breakdown FROM mesflow.quotes WHERE id = '$quote'"), 5;
	return ($unit, $net, $tax, $total, @{ $json->decode($lines) });
}

sub amounts
{
	return join ' ', map { "$_->{line} " . Math::BigFloat->new($_->{amount})->bfround(-2) } @_;
}

# ---- a cube of 10 mm -----------------------------------------------------

$node->await_worker('pricing');
my $cube = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl');
$submitted++;
is($node->sql("SELECT (mesflow.await_model('$cube', '180s')).state"), 'measured',
	'a model is measured');
is($node->sql('SELECT triangles, vertices, volume_mm3, area_mm2, bodies, cavities, watertight'
		  . " FROM mesflow.measurements WHERE model = '$cube'"),
	'12|8|1000|600|1|0|t', 'a cube of 10 mm');

# What a printer makes of it comes from its layers, as they were measured.
is($node->sql("SELECT string_agg(line || ' ' || (why ~ 'prism')::text || ' ' || (why ~ ' 50 layers')::text, ', ' ORDER BY line)"
		  . " FROM mesflow.estimate('$cube', 'pla', 'fdm') e, jsonb_to_recordset(e.breakdown) AS l (line text, why text)"
		  . " WHERE line IN ('machine', 'material')"),
	'machine false true, material false false', 'it has layers that can be printed');

# From here on by volume and layers.
$node->sql("UPDATE mesflow.processes SET printer = NULL WHERE code = 'fdm'");

# 1 cm3, 6 cm2.  Walls 6 x 0.12 = 0.72 cm3, infill 0.28 x 0.2 = 0.056 cm3,
# together 0.776 cm3: 0.9622 g of PLA at 0.045 are 0.04; 2.91 min and 50 layers
# of 2 s are 0.0763 h, at 4.50 0.34; one set-up is 5.  8 is the minimum, 20 % of
# it are 1.60.
my ($unit, $net, $tax, $total, @lines) = quoted($cube);
is("$unit $net $tax $total", '8.00 8.00 1.60 9.60', 'its price');
is(amounts(@lines), 'material 0.04 machine 0.34 setup 5.00 minimum 2.62 tax 1.60', 'its lines');

# Fourteen of them: 13.4708 g are 0.61, 1.0679 h are 4.81.  10.42 / 14 = 0.74,
# and fourteen times that is 10.36.
($unit, $net, $tax, $total, @lines) = quoted($cube, quantity => 14);
is("$unit $net $tax $total", '0.74 10.36 2.07 12.43', 'the price of fourteen');
is(amounts(@lines), 'material 0.61 machine 4.81 setup 5.00 rounding -0.06 tax 2.07',
	'their lines');

# ---- rates ---------------------------------------------------------------

# Every line is quantity x rate, and they add up.
sub checks_by_hand
{
	my ($total, @lines) = @_;
	my $sum = Math::BigFloat->new(0);
	my @wrong;

	foreach my $line (@lines)
	{
		my $amount = Math::BigFloat->new($line->{amount});
		my $product = Math::BigFloat->new($line->{quantity})->bmul($line->{rate});
		push @wrong, $line->{line} if $product->copy->bfround(-2, 'common')->bcmp($amount) != 0;
		$sum->badd($amount);
	}
	is("@wrong", '', 'each line is quantity times rate');
	is($sum->bcmp($total), 0, 'the lines add up to the total');
}
checks_by_hand($total, @lines);

my ($before) = grep { $_->{line} eq 'material' } (quoted($cube, quantity => 1000))[ 4 .. 7 ];
is($node->sql(q{SELECT mesflow.revise_price_list('[{"process": "fdm", "material": "pla", "name": "material", "value": 0.145}]', 'dearer')}),
	'example-2', 'a rate is revised');
($unit, $net, $tax, $total, @lines) = quoted($cube, quantity => 1000);
my ($after) = grep { $_->{line} eq 'material' } @lines;
cmp_ok($before->{quantity}, '==', 962.2, 'the weight of a thousand');
cmp_ok($after->{quantity}, '==', 962.2, 'a rate changes no quantity');
is(Math::BigFloat->new($after->{amount})->bsub($before->{amount})->bcmp('96.22'), 0,
	'962.2 g at 0.10 more are 96.22 more');
checks_by_hand($total, @lines);

# ---- a real model --------------------------------------------------------

SKIP:
{
	my $file = MesflowNode::models();
	skip 'no models here', 5 unless $file;
	my $case = $node->upload('real/numpystl__stl_binary_rear_case.stl');
	$submitted++;
	is($node->sql("SELECT (mesflow.await_model('$case', '180s')).state"), 'measured',
		'a real model is measured');
	is($node->sql("SELECT triangles, round(volume_mm3::numeric, 2) FROM mesflow.measurements WHERE model = '$case'"),
		'18808|38229.94', 'its facts are known');
	($unit, $net, $tax, $total, @lines) = quoted($case, material => 'resin', process => 'sla');
	checks_by_hand($total, @lines);
}

# ---- OBJ, in the caller's unit -------------------------------------------

# An L of 20 mm by 20 mm, 10 mm wide and high, drawn in cm; its ends are
# polygons that a fan would make larger.
my $bracket = $node->upload_bytes(<<'OBJ', 'bracket.obj', unit => 'cm');
mtllib bracket.mtl
o bracket
v 0 0 0
v 2 0 0
v 2 1 0
v 1 1 0
v 1 2 0
v 0 2 0
v 0 0 1 0.5 0.5 0.5
v 2 0 1
v 2 1 1
v 1 1 1
v 1 2 1
v 0 2 1
f 9//1 10//1 11//1 12//1 \
  7//1 8//1
f 3 2 1 6 5 4
f 1 2 8 7
f 2 3 9 8
f -10 -9 -3 -4
f 4 5 11 10
f 5 6 12 11
f 6 1 7 12
OBJ
$submitted++;
is($node->sql("SELECT (mesflow.await_model('$bracket', '180s')).state"), 'measured',
	'an OBJ file is measured');
is($node->sql('SELECT format, unit, unit_from, triangles, vertices, round(volume_mm3), round(area_mm2), watertight, defects'
		  . " FROM mesflow.models m JOIN mesflow.measurements r ON r.model = m.id WHERE m.id = '$bracket'"),
	'obj|cm|caller|20|12|3000|1400|t|[]', 'a bracket of 3 cm3');

# 3 cm3, 14 cm2.  Walls 14 x 0.12 = 1.68 cm3, infill 1.32 x 0.2 = 0.264 cm3,
# together 1.944 cm3.  Five of them: 12.053 g at 0.145 are 1.75; 36.45 min and
# 250 layers of 2 s are 0.7464 h, at 4.50 3.36.  10.11 / 5 = 2.02, 20 % of 10.10
# are 2.02.
($unit, $net, $tax, $total, @lines) = quoted($bracket, quantity => 5);
is("$unit $net $tax $total", '2.02 10.10 2.02 12.12', 'the price of five');
checks_by_hand($total, @lines);

# ---- the same bytes once -------------------------------------------------

my @held = $node->hold(2);
my $bytes = MesflowNode::cube(11);
my $mine = $node->upload_bytes($bytes, 'mine.stl');
my $theirs = $node->upload_bytes($bytes, 'theirs.stl', partner => 'acme');
$submitted += 2;
isnt($theirs, $mine, 'two partners, two models');
$node->await('SELECT count(*) = 1 FROM mesflow._jobs_running', 'one of them is measured');
$node->await('SELECT count(*) = 1 FROM mesflow._jobs_aside WHERE leader IS NOT NULL',
	'the other waits for it');
$node->signal('CONT', @held);
$node->settled($submitted);
is($node->sql("SELECT count(*) FROM mesflow._measurements WHERE sha256 = sha256('\\x" . unpack('H*', $bytes) . "')"),
	1, 'there is one measurement');
is($node->sql("SELECT string_agg(attempt::text, ' ' ORDER BY id) FROM mesflow.price_jobs WHERE model IN ('$mine', '$theirs')"),
	'1 0', 'made by one of the jobs');

my $more = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl', partner => 'acme');
is($node->sql("SELECT state FROM mesflow.models WHERE id = '$more'"), 'measured',
	'what is known is measured at once');
is($node->upload_bytes(MesflowNode::cube(10), 'again.stl'), $cube, 'the same upload is the same model');

# ---- in pieces -----------------------------------------------------------

my $size = length($bytes);
my $upload = $node->sql("SELECT mesflow.begin_upload('mine.stl', $size)");
my ($head, $tail) = map { unpack 'H*', $_ } unpack('a500 a*', $bytes);
is($node->sql("SELECT mesflow.append_upload('$upload', 500, '\\x$tail')"), $size - 500,
	'the second piece may come first');
is($node->sqlstate("SELECT mesflow.finish_upload('$upload')"), 'MF400', 'a hole is refused');
is($node->sql("SELECT mesflow.append_upload('$upload', 0, '\\x$head')"), $size, 'the first piece');
is($node->sql("SELECT mesflow.append_upload('$upload', 0, '\\x$head')"), $size, 'and once more');
is($node->sql("SELECT mesflow.finish_upload('$upload', sha256('\\x$head$tail'))"), $mine,
	'in pieces or at once, it is the same model');

$node->counted('all are done', done => $submitted);
$node->sound;
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
