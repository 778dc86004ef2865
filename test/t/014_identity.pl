# Copies of a database: which act by themselves, and which only when armed.
use strict;
use warnings;
use MesflowNode;
use Test::More;

my $node = MesflowNode->ready('main', conf => 'mesflow.pricing_slots = 1');
my $worker = $node->await_worker('pricing');
$node->upload_bytes(MesflowNode::cube(1), 'cube_1.stl');
$node->settled(1);

# Two jobs that nobody does yet.
$node->set('mesflow.pricing_slots' => 0);
$node->helpers_are(0);
my $model = $node->upload_bytes(MesflowNode::cube(2), 'cube_2.stl');
$node->sql("SELECT mesflow.request_quote('$model', 'pla', 'fdm')");
my $identity = "SELECT status FROM mesflow.health() WHERE check_name = 'identity'";
is($node->sql($identity), 'ok', 'where it was installed all is well');

# ---- a copy of the whole data directory ------------------------------------

# It cannot be told from the original, which may be what was moved.
$node->stop;
$node->backup_fs_cold('cold');
my $clone = MesflowNode->new('clone');
$clone->init_from_backup($node, 'cold');
$clone->start;
$clone->await_worker('pricing');
is($clone->sql($identity), 'ok', 'a cloned data directory is the same database');
$clone->set('mesflow.pricing_slots' => 1);
$clone->settled(3);
$clone->sound('in the clone');
$clone->stop;

# ---- a copy by TEMPLATE ----------------------------------------------------

$node->append_conf('postgresql.conf', "mesflow.database = 'copy'\nmesflow.pricing_slots = 1\n");
$node->start;
$node->set('mesflow.pricing_slots' => undef);
$node->sql('CREATE DATABASE copy TEMPLATE mesflow', 'postgres');
my $before = $MesflowNode::DATABASE;
$MesflowNode::DATABASE = 'copy';
$node->await("SELECT state = 'fenced' FROM mesflow.worker_status WHERE kind = 'pricing'",
	'in a copy that is served the worker is fenced');
is($node->sql($identity), 'critical', 'health() says that it is a copy');
like($node->sql("SELECT hint FROM mesflow.health() WHERE check_name = 'identity'"), qr/arm/,
	'and what to do');
is($node->sql('SELECT fenced FROM mesflow._server_state()'), 't', 'the server knows');
$node->upload_bytes(MesflowNode::cube(3), 'cube_3.stl');
$node->helpers_are(0, 'it has no helper');
$node->counted('its jobs wait', done => 1, queued => 3);

is($node->sqlstate("SELECT mesflow.arm('')"), 'MF400', 'arming needs a reason');
$node->sql("SELECT mesflow.arm('a test of copies')");
$node->settled(4);
$node->counted('armed, it works', done => 4);
is($node->sql($identity), 'ok', 'and health() is content');
is($node->sql('SELECT reason FROM mesflow._identity'), 'a test of copies', 'the reason is kept');
is($node->sql('SELECT fenced FROM mesflow._server_state()'), 'f', 'the fence is down');
$node->sound('in the armed copy');

# The original is what it was.
$MesflowNode::DATABASE = $before;
is($node->sql($identity), 'ok', 'the original knows itself');
$node->counted('and has its jobs', done => 1, queued => 2);
is(join("\n", $node->worker_errors), '', 'no error in the log');
$node->stop;
done_testing();
