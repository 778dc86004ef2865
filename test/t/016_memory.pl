# Thousands of models through one worker: it does not grow.
use strict;
use warnings;
use MesflowNode;
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

$node->stays_flat($worker, \&measure, sub { $node->helpers_are(2) });
is(scalar(MesflowNode::zombies($worker)), 0, 'with no child left to reap');
$node->counted('all done', done => $submitted);
$node->sound;
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
