# Personal data is in one place, and when a customer is erased it is in none:
# no table, no view, no event, no message and no line of the server's log.
use strict;
use warnings;
use utf8;
use Encode qw(encode_utf8);
use MesflowNode;
use PostgreSQL::Test::Utils;
use Test::More;

# What is logged is what a server logs by default.
my $node = MesflowNode->ready('main', conf => "mesflow.pricing_slots = 1\nlog_statement = none\n");
is($node->sql("SELECT string_agg(current_setting(s), ' ') FROM unnest('{log_min_messages,log_min_error_statement,log_parameter_max_length,log_parameter_max_length_on_error}'::text[]) s"),
	'warning error -1 0', 'the settings of the log are the default ones');

my %person = (
	name => 'Ottilie Quästenflosser', email => 'Ottilie.Q@mailbox-xyzzy.example', phone => '+43 664 9871236540', company => 'Zwirbelkopf & Söhne',
	tax_id => 'ATU99887766', address => { street => 'Kuckucksgasse 77', city => 'Hinterstoder' }, note => 'beim Nachbarn Wurzelsepp abgeben');

# Its traces, in whatever case.
my @traces = (qr/qu(?:ä|\\u00e4|\xc3\xa4)stenflosser/i, qr/ottilie/i, qr/mailbox-xyzzy/i, qr/664 ?9871236540|9871236540|0456321789/, qr/zwirbelkopf/i, qr/99887766/,
	qr/kuckucksgasse/i, qr/hinterstoder/i, qr/wurzelsepp/i);

sub json
{
	my (%value) = @_;
	my @members;

	foreach my $key (sort keys %value)
	{
		my $value = ref $value{$key} ? json(%{ $value{$key} }) : '"' . ($value{$key} =~ s/"/\\"/gr) . '"';
		push @members, "\"$key\": $value";
	}
	return '{' . join(', ', @members) . '}';
}

sub traces_in
{
	my ($text) = @_;
	my @found = grep { $text =~ /$_/ } @traces;
	return @found;
}

my $messages = '';

# app(CALL, name => value ...): what an application does: a prepared statement
# with parameters. Returns the message of its error, or ''.
sub app
{
	my ($call, %value) = @_;
	my $file = $node->basedir . '/call.sql';
	my ($out, $err) = ('', '');

	unlink $file;
	append_to_file($file, "$call;\n");
	IPC::Run::run([ 'pgbench', '-n', '-M', 'prepared', '-t', '1', '-f', $file,
			(map { ('-D', encode_utf8("$_=$value{$_}")) } sort keys %value), $node->connstr($MesflowNode::DATABASE) ],
		'<', \'', '>', \$out, '2>', \$err);
	my ($error) = $err =~ /((?:ERROR|NOTICE|WARNING): .*)/s;
	$messages .= $error // '';
	return defined $error && $error =~ /^ERROR: +(.*)/ ? $1 : '';
}

my $submit = 'SELECT mesflow.submit_order(:partner, :ref, :items, :customer)';
my $model = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl');
$node->settled(1);
my $item = qq({"model": "$model", "material": "pla", "process": "fdm", "quantity": 1});
my %asked = (partner => 'shop', items => "[$item]", customer => json(%person));
$node->sql("SELECT mesflow.create_consumer('all')");

# ---- orders, and all that can be done with them --------------------------------

is(app($submit, %asked, ref => $_), '', "order $_ is accepted") foreach qw(DONE AGAIN CANCELLED HELD SHIPPED);
is(app($submit, %asked, ref => 'AGAIN'), '', 'the same again is harmless');
is(app('SELECT 1 / count(*) FROM mesflow.find_orders(:query)', query => $person{$_}), '', "found by $_") foreach qw(email name phone);
$node->sql(q{SELECT mesflow.submit_orders(jsonb_build_array(jsonb_build_object('partner', 'shop', 'external_ref', 'PLAIN', 'items', '[} . $item . q{]'::jsonb)))});
my %id = map { split /\|/ } split /\n/, $node->sql('SELECT external_ref, id FROM mesflow.orders');
sub advance
{
	my ($ref, @to) = @_;
	$node->sql("SELECT mesflow.advance_order('$id{$ref}', '$_', 'clerk', 'a note', 'mes', detail => '{\"carrier\": \"post\", \"tracking\": \"T-$ref\"}')") foreach @to;
	return;
}
$node->sql("SELECT mesflow.change_order('$id{DONE}', '[$item, $item]', 'clerk', 'two of them')");
$node->sql("SELECT mesflow.cancel_item(id, 'one will do', 'clerk') FROM mesflow.order_items WHERE order_id = '$id{DONE}' AND position = 2");
$node->sql("SELECT mesflow.set_priority('$id{DONE}', 5, 'clerk'), mesflow.set_due('$id{DONE}', '2030-01-01', 'clerk'), mesflow.requote_order('$id{DONE}')");
my @made = qw(approved in_production produced packed shipped);
advance('DONE', @made, 'delivered', 'closed');
advance('SHIPPED', @made);
advance('AGAIN', @made, 'delivered');
advance('HELD', 'approved', 'on_hold');
$node->sql("SELECT mesflow.cancel_order('$id{CANCELLED}', 'not wanted', 'clerk'), mesflow.confirm_receipt('$id{DONE}', 'crm', 'CRM-1', 'seen')");
$node->sql("SELECT mesflow.emit('crm.called', 'customer', '{\"about\": \"$id{DONE}\"}', order_id => '$id{DONE}')");

# ---- what goes wrong -------------------------------------------------------------

my %wrong = (
	'another customer' => { %asked, ref => 'DONE', customer => json(%person, name => 'Ottilie Quästenflosser-Müller', note => 'Wurzelsepp weiß Bescheid') },
	'another address' => { %asked, ref => 'DONE', customer => json(%person, address => { city => 'Hinterstoder', street => 'Kuckucksgasse 78' }) },
	'no e-mail address' => { %asked, ref => 'X', customer => json(%person, email => 'Ottilie.Q at mailbox-xyzzy') },
	'two e-mail addresses' => { %asked, ref => 'X', customer => json(%person, email => 'Ottilie.Q@mailbox-xyzzy.example, q@mailbox-xyzzy.example') },
	'a long name' => { %asked, ref => 'X', customer => json(%person, name => 'Ottilie Quästenflosser ' x 200) },
	'a long e-mail address' => { %asked, ref => 'X', customer => json(%person, email => 'Ottilie' x 1000 . '@mailbox-xyzzy.example') },
	'a long phone number' => { %asked, ref => 'X', customer => json(%person, phone => '+43 664 9871236540' x 100) },
	'a long note' => { %asked, ref => 'X', customer => json(%person, note => 'Wurzelsepp ' x 2000) },
	'a long address' => { %asked, ref => 'X', customer => json(%person, address => { street => 'Kuckucksgasse ' x 5000 }) },
	'an address as a text' => { %asked, ref => 'X', customer => json(%person, address => 'Kuckucksgasse 77, Hinterstoder') },
	'a name as an object' => { %asked, ref => 'X', customer => json(%person, name => { first => 'Ottilie' }) },
	'a number for a phone' => { %asked, ref => 'X', customer => '{"phone": 9871236540, "name": "Ottilie"}' },
	'an unknown key' => { %asked, ref => 'X', customer => json(%person, mail => 'Ottilie.Q@mailbox-xyzzy.example') },
	'a customer as a text' => { %asked, ref => 'X', customer => '"Ottilie Quästenflosser"' },
	'a list of customers' => { %asked, ref => 'X', customer => '[' . json(%person) . ']' },
	'no such partner' => { %asked, ref => 'X', partner => 'nobody' },
	'no such material' => { %asked, ref => 'X', items => '[' . ($item =~ s/pla/ice/r) . ']' },
	'no items' => { %asked, ref => 'X', items => '[]' });
foreach my $what (sort keys %wrong)
{
	isnt(app($submit, %{ $wrong{$what} }), '', "refused: $what");
}
is(app('SELECT mesflow.submit_orders(jsonb_build_array(jsonb_build_object(\'partner\', \'shop\', \'external_ref\', \'Y\', \'items\', :items::jsonb, \'customer\', :customer::jsonb)))',
		items => "[$item]", customer => json(%person, email => 'Ottilie at mailbox-xyzzy')), '', 'in a list of orders the others stand');
is($node->sql("SELECT count(*) FROM mesflow.orders WHERE external_ref IN ('X', 'Y')"), 0, 'nothing of them is there');
app('SELECT mesflow.find_orders(:query, 0)', query => $person{email});
app('SELECT mesflow.find_orders(:query, 5000)', query => $person{name});
app('SELECT mesflow.find_orders(:query)', query => '4366498712365');
app('SELECT mesflow.find_orders(:query)', query => $person{$_} x 50) foreach qw(email name phone);

# An error of the server in the middle of it: the customer's table refuses rows.
$node->sql(q{CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / (CASE WHEN NEW.email IS NULL THEN 1 ELSE 0 END); RETURN NEW; END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON mesflow.customers FOR EACH ROW EXECUTE FUNCTION public.refuse()});
like(app($submit, %asked, ref => 'Z'), qr/division by zero/, 'an error while the row is written');
$node->sql('DROP TRIGGER refuse ON mesflow.customers; DROP FUNCTION public.refuse()');
my $holder = $node->background_psql($MesflowNode::DATABASE);
$holder->query_safe('BEGIN');
$holder->query_safe('LOCK TABLE mesflow.customers');
$node->sql("ALTER DATABASE $MesflowNode::DATABASE SET lock_timeout = '50ms'");
like(app($submit, %asked, ref => 'Z'), qr/lock timeout/, 'a lock that is not to be had');
like(app('SELECT mesflow.find_orders(:query)', query => $person{email}), qr/lock timeout/, 'while looking, too');
$node->sql("ALTER DATABASE $MesflowNode::DATABASE RESET lock_timeout");
$holder->query_safe('ROLLBACK');
$holder->quit;

# ---- one place --------------------------------------------------------------------

$node->sql('CALL mesflow.copy_timelines()');
$node->sql('ANALYZE');

# Relations of the schema with a trace, by name.
sub places
{
	my @names = split /\n/, $node->sql("SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'mesflow'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition ORDER BY 1");
	my @places = grep { traces_in(scalar $node->sql("SELECT to_jsonb(t)::text FROM mesflow.$_ t")) } @names;

	cmp_ok(scalar @names, '>', 50, 'all tables and views are searched');
	push @places, 'statistics' if traces_in(scalar $node->sql("SELECT to_jsonb(s)::text FROM pg_stats s WHERE schemaname = 'mesflow'"));
	push @places, 'timelines' if traces_in(scalar $node->sql('SELECT to_jsonb(t)::text FROM mesflow.orders o, mesflow.order_timeline(o.id) t'));
	push @places, 'events' if traces_in(scalar $node->sql("SELECT to_jsonb(t)::text FROM mesflow.consume('all', 100000) t"));
	return "@places";
}

is(places(), 'customers', 'before anybody is erased, the data is in one table only');
my $log = slurp_file($node->logfile);
is_deeply([ traces_in($log) ], [], 'the log has nothing of it');
is(scalar(() = $log =~ /STATEMENT:  SELECT mesflow\.submit_order\(\$1, ?\$2, ?\$3, ?\$4\)/g) > 15, 1, 'although it has the refused statements');

# What we say goes to who asked, and into the application's log.
is_deeply([ traces_in($messages) ], [], 'no message has anything of it');
cmp_ok(length($messages), '>', 1000, 'and there were some');

# ---- erased -----------------------------------------------------------------------

my $erase = 'SELECT mesflow.erase_customer(:id, :reason, :actor)';
my %way = (name => 'Frau Quästenflosser asked', email => "wrote from $person{email}", phone => 'called from 0664/987 123 65 40', company => "$person{company} asked", tax_id => 'asked, as ATU99887766');
foreach my $what (sort keys %way)
{
	isnt(app($erase, id => $id{DONE}, reason => $way{$what}, actor => 'officer'), '', "a reason that tells the $what is refused");
}
isnt(app($erase, id => $id{DONE}, reason => 'asked', actor => 'Ottilie'), '', 'so is such an actor');
isnt(app($erase, id => $id{HELD}, reason => 'asked', actor => 'officer'), '', 'an order that needs its customer keeps it');
$node->sql("SELECT mesflow.cancel_order('$id{HELD}', 'not wanted')");
foreach my $ref (qw(DONE AGAIN CANCELLED HELD SHIPPED PLAIN PLAIN DONE))
{
	is(app($erase, id => $id{$ref}, reason => 'asked for it', actor => 'officer'), '', "erased: $ref");
}
is(places(), '', 'now no table or view of the schema has it, and no statistics');
is(traces_in(scalar $node->sql("SELECT mesflow.order_card(id) FROM mesflow.orders")), 0, 'nor a card');
is(app('SELECT 1 / (1 - sign(count(*))) FROM mesflow.find_orders(:query)', query => $person{$_}), '', "nobody is found by $_") foreach qw(email name phone);

# It does not come back.
app($submit, %asked, ref => 'DONE');
app($submit, %asked, ref => 'DONE', customer => json(%person, name => 'Ottilie'));
advance('SHIPPED', 'delivered', 'closed');
$node->sql('CALL mesflow.copy_timelines()');
$node->sql('ANALYZE');
is(places(), '', 'nor does it come back with the same order');
my $dump = $node->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-d', $node->connstr($MesflowNode::DATABASE), '-f', $dump ], 'a dump is made');
is_deeply([ traces_in(slurp_file($dump)) ], [], 'which has nothing of it');
is_deeply([ traces_in(slurp_file($node->logfile)) ], [], 'nor has the log');
is_deeply([ traces_in($messages) ], [], 'nor a message');
$node->stop;
done_testing();
