# What people ask about orders: on a server whose locale is C, on its standby,
# and in what was restored from its dump. What must not be told is not logged.
use strict;
use warnings;
use utf8;
use Encode qw(encode_utf8);
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = "mesflow.pricing_slots = 1\nfsync = off\nlog_statement = none";
my $primary = MesflowNode->ready('primary', init => { allows_streaming => 1 }, conf => $conf);
is($primary->sql("SELECT datctype FROM pg_database WHERE datname = 'mesflow'"), 'C', 'the locale is C');
my $model = $primary->upload_bytes(MesflowNode::cube(10), 'cube.stl');
$primary->settled(1);

# submit(REF, NAME): an order of one cube; its id.
sub submit
{
	my ($node, $ref, $name) = @_;
	return $node->sql(encode_utf8(qq{SELECT mesflow.submit_order('shop', '$ref', '[{"model": "$model", "material": "pla", "process": "fdm", "quantity": 1}]',
		'{"name": "$name", "email": "secret\@example.com"}')}));
}

my $order = submit($primary, 'ÉTÉ-1', 'Фёдор Алёшин');
my $ended = submit($primary, 'ÉTÉ-2', 'Ольга Секретова');
$primary->sql("SELECT mesflow.cancel_order('$ended', 'not wanted')");
$primary->sql("SELECT mesflow.confirm_receipt('$order', 'crm', 'CRM-1', 'seen')");

my %question = map { encode_utf8($_) } (
	'by number' => 'SELECT external_ref FROM mesflow.find_orders((SELECT number FROM mesflow.orders ORDER BY id LIMIT 1))',
	'by reference' => "SELECT external_ref FROM mesflow.find_orders('été-1')",
	'by name' => "SELECT external_ref FROM mesflow.find_orders('АЛЕШИН фЁдор')",
	'by e-mail' => "SELECT external_ref FROM mesflow.find_orders('SECRET')",
	'by a system\'s id' => "SELECT external_ref FROM mesflow.find_orders('crm-1')",
	'the timeline' => "SELECT * FROM mesflow.order_timeline('$order')",
	'the card of one that ended' => "SELECT mesflow.order_card('$ended')",
	'systems' => 'SELECT * FROM mesflow.order_systems',
	'what the shop does not know' => "SELECT external_ref, problem FROM mesflow.reconcile_orders('shop', '{ÉTÉ-1,ÉTÉ-9}', '2020-01-01')");
my %answer = map { $_ => $primary->sql($question{$_}) } keys %question;
foreach my $what ('by number', 'by reference', 'by name', 'by a system\'s id')
{
	is($answer{$what}, encode_utf8('ÉTÉ-1'), "found $what");
}
is($answer{'by e-mail'}, encode_utf8("ÉTÉ-2\nÉTÉ-1"), 'found by e-mail, the newest first');
is($answer{'what the shop does not know'}, encode_utf8("ÉTÉ-9|missing_here\nÉTÉ-2|unknown_there"), 'both sides are compared');
cmp_ok(scalar(split /\n/, $answer{'the timeline'}), '>=', 6, 'the timeline goes back to the upload');

# ---- a standby -----------------------------------------------------------

$primary->backup('base');
my $standby = MesflowNode->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
is($standby->sql($question{$_}), $answer{$_}, "the same on a standby: $_") foreach sort keys %question;
is($standby->sqlstate("SELECT mesflow.confirm_receipt('$order', 'crm')"), 'MF503', 'a standby confirms nothing');
is($standby->sqlstate("SELECT mesflow.erase_customer('$ended', 'asked for it')"), 'MF503', 'and forgets nobody');
$standby->stop;

# ---- a dump --------------------------------------------------------------

my $dump = $primary->basedir . '/dump.sql';
PostgreSQL::Test::Utils::command_ok([ 'pg_dump', '-d', $primary->connstr($MesflowNode::DATABASE), '-f', $dump ], 'a dump is made');
my $other = MesflowNode->ready('other', extension => 0, conf => "mesflow.pricing_slots = 0\nfsync = off");
PostgreSQL::Test::Utils::command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr($MesflowNode::DATABASE), '-f', $dump ],
	'it is restored without an error');
foreach my $what (sort grep { $_ !~ /timeline|card/ } keys %question)
{
	is($other->sql($question{$what}), $answer{$what}, "the same where it was restored: $what");
}
my $next = submit($other, 'NEXT', 'Anna');
is($other->sql('SELECT count(DISTINCT number) FROM mesflow.orders'), 3, 'numbers go on');
$other->stop;

# ---- what is not told ----------------------------------------------------

is($primary->sqlstate(encode_utf8("SELECT mesflow.erase_customer('$ended', 'Секретова asked')")), 'MF400', 'a reason that tells who it was is refused');
is($primary->sqlstate("SELECT mesflow.erase_customer('$ended', 'secret\@example.com')"), 'MF400', 'also by the e-mail');
$primary->sql("SELECT mesflow.erase_customer('$ended', 'asked for it')");
is($primary->sqlstate("SELECT mesflow.find_orders('')"), 'MF400', 'another error');
is(scalar($primary->log_lines(qr/STATEMENT:.*find_orders/)), 1, 'is logged with its statement');
is(scalar($primary->log_lines(encode_utf8('Секретова|secret@'))), 0, 'what the reasons said is not');
is($primary->sql($question{'by e-mail'}), encode_utf8('ÉTÉ-1'), 'who was erased is not found');
$primary->stop;
done_testing();
