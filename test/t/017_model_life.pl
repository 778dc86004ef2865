# Bytes of models go while workers run: nothing is lost, nothing is tried for
# ever, and what nobody needs leaves the disk by itself.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 1');
my $worker = $node->await_worker('pricing');

sub delete_model
{
	my ($model, $reason) = @_;
	return $node->sql("SELECT mesflow.delete_model('$model', '$reason')");
}

sub state_of
{
	my ($model) = @_;
	return $node->sql("SELECT state, error_code FROM mesflow.models WHERE id = '$model'");
}

# Contents that no model and no upload has, once the worker has swept.
sub no_bytes_are_nobodys
{
	my ($what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await(q{
		SELECT NOT EXISTS (SELECT FROM mesflow._contents_left)
		   AND NOT EXISTS (SELECT FROM mesflow._contents c
				WHERE NOT EXISTS (SELECT FROM mesflow._models m WHERE m.content = c.id)
				  AND NOT EXISTS (SELECT FROM mesflow._uploads u WHERE u.content = c.id))}, $what);
}

# ---- deleted while it is measured -----------------------------------------

my @held = $node->hold(1);
my $one = $node->upload_bytes(MesflowNode::cube(1), 'one.stl');
$node->await("SELECT state = 'measuring' FROM mesflow.models WHERE id = '$one'", 'a model is being measured');
my $quote = $node->sql("SELECT mesflow.request_quote('$one', 'pla', 'fdm')");
my $other = $node->upload_bytes(MesflowNode::cube(1), 'other.stl', partner => 'acme');
my $two = $node->upload_bytes(MesflowNode::cube(2), 'two.stl');
$node->counted('one runs, others wait', running => 1, queued => 3);
is(delete_model($one, 'while it is measured'), 't', 'it is deleted');
is(state_of($one), 'rejected|deleted', 'it has no measurement');
is($node->sql("SELECT state FROM mesflow.quotes WHERE id = '$quote'"), 'cancelled', 'its pending quote is cancelled');
$node->gone('the program that measured it is ended', @held);
$node->settled(4);
$node->counted('the others are done', done => 2, cancelled => 2);
is(state_of($other), 'measured|', 'also the same bytes of another partner');
is(state_of($one), 'measured|', 'whose measurement is known of it, too');
is($node->sql("SELECT count(*) FROM mesflow._contents"), 2, 'the bytes are there, for the other partner');
is($node->sql("SELECT (mesflow.await_quote(mesflow.request_quote('$one', 'pla', 'fdm'))).state"), 'priced',
	'and it can be quoted without bytes');

# ---- deleted while it is read, many times ----------------------------------

# 8 MB, so that reading takes the worker several turns.
my $large = "'\\x' || encode(sha256(int8send(%d)), 'hex') || repeat('00', 8 * 1024 * 1024 - 32)";
my $submitted = 4;
my $deleted = 0;
foreach my $i (1 .. 12)
{
	my $bytes = sprintf($large, $i);
	my $model = $node->sql("SELECT mesflow.upload_model(($bytes)::bytea, 'large_$i.stl')");
	$submitted++;
	$node->await("SELECT state <> 'queued' FROM mesflow.models WHERE id = '$model'", "large model $i has been claimed")
	  if $i % 2;
	$deleted++ if delete_model($model, 'while it is read') eq 't';
}
is($deleted, 12, 'twelve large models are deleted at any moment of their lives');
$node->settled($submitted);
$node->jobs_are($submitted, 'every job is there once');
is($node->sql("SELECT count(*) FROM mesflow.price_jobs WHERE model IN"
		. " (SELECT id FROM mesflow.models WHERE filename LIKE 'large%') AND (state = 'done' OR attempt > 1)"),
	0, 'none was tried again');
no_bytes_are_nobodys('all their bytes leave the disk');
my $three = $node->upload_bytes(MesflowNode::cube(3), 'three.stl');
$submitted++;
$node->settled($submitted);
is(state_of($three), 'measured|', 'the slot is free for the next');

# ---- back to life -----------------------------------------------------------

my $back = $node->sql('SELECT mesflow.upload_model((' . sprintf($large, 1) . ")::bytea, 'again.stl')");
is($node->sql("SELECT filename FROM mesflow.models WHERE id = '$back'"), 'large_1.stl', 'the same upload is the same model');
$node->await("SELECT error_code <> 'deleted' FROM mesflow.models WHERE id = '$back' AND deleted_at IS NULL",
	'which is measured now');

# ---- units, measured ---------------------------------------------------------

my $unsaid = $node->upload_bytes(MesflowNode::cube(5), 'unit.stl');
my $inches = $node->upload_bytes(MesflowNode::cube(5), 'unit.stl', unit => 'inch');
isnt($unsaid, $inches, 'the same bytes in another unit are another model');
$node->await("SELECT count(*) = 2 FROM mesflow.models WHERE filename = 'unit.stl' AND state = 'measured'", 'both are measured');
is($node->sql("SELECT unit, unit_from, round(volume_mm3::numeric) FROM mesflow.models JOIN mesflow.measurements ON model = id"
		. " WHERE filename = 'unit.stl' ORDER BY id"), "mm|default|125\ninch|caller|2048383",
	'an STL file says no unit: the caller does, or it is mm');

# ---- retention ----------------------------------------------------------------

is($node->sqlstate("ALTER SYSTEM SET mesflow.model_retention = '23h'"), '22023', 'a retention is a day or longer');
$node->set('mesflow.model_retention' => '0');
$node->sql("UPDATE mesflow._models SET used_at = used_at - interval '3 days' WHERE id IN ('$two', '$three')");
$node->sql("UPDATE mesflow._identity SET recorded_at = recorded_at - interval '2 days'");
is($node->sql("SELECT mesflow._drop_models()"), 0, '0 keeps all bytes');
my $priced = $node->sql("SELECT mesflow.request_quote('$three', 'pla', 'fdm')");
$node->set('mesflow.model_retention' => '2d');
$node->sql('CALL mesflow.keep_models()');
is($node->sql("SELECT deletion_reason, state FROM mesflow.models WHERE id = '$two'"), 'retention|measured',
	'after a reload what is older is deleted');
no_bytes_are_nobodys('its bytes leave the disk');
is($node->sql("SELECT deleted_at IS NULL, length(mesflow.model_content(id)) FROM mesflow.models WHERE id = '$three'"),
	't|684', 'a model with a quote that can be ordered keeps its bytes');
$node->set('mesflow.model_retention' => '90d');

# ---- afterwards -----------------------------------------------------------

$node->sound;
is($node->worker_pid('pricing'), $worker, 'the worker is the same process');
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
