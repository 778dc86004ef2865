# What endpoints get when all is well: formats, signatures, headers, filters,
# receipts, pings; every request is judged by the makers' own libraries. And
# that the checks see it when somebody breaks what they are for.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP;
use MIME::Base64;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts disorder repeated unsigned unlike_cloudevents gaps moved_rows);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;

# One test per check, of all that arrived at a path.
sub all_well
{
	my ($path, $condition, $secrets) = @_;
	my @events = $node->events($condition);
	my @arrivals = $receiver->arrivals($path);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([ missing(\@events, \@arrivals) ], [], "$path: nothing is missing");
	is_deeply([ ghosts(\@events, \@arrivals) ], [], "$path: and nothing there that should not be");
	is_deeply([ disorder(\@events, \@arrivals) ], [], "$path: in order");
	is_deeply([ repeated(\@arrivals) ], [], "$path: once");
	is_deeply([ unsigned(\@arrivals, $secrets) ], [], "$path: signed");
	return;
}

# ---- the plain case -----------------------------------------------------------

my $secret = $node->endpoint($receiver, 'plain', types => ['load.*'], settings => { keep => [qw(headers body)] });
like($secret, qr{^whsec_[A-Za-z0-9+/]{43}=$}, 'a secret of 32 bytes is shown');
unlike($node->endpoint_shows('plain', 'endpoints::text'), qr/whsec_|\Q@{[ substr($secret, 6, 20) ]}\E/, 'and not again');
$node->emit('load.a', "key $_", 10) foreach 1 .. 3;
$node->emit('other.a', 'key 1');
$receiver->await(30, '/plain');
all_well('/plain', q{type LIKE 'load.%'});
my ($first) = $receiver->arrivals('/plain');
my $stored = $node->sql("SELECT body FROM mesflow.outbox WHERE event = '$first->{id}'");
is($first->{body}, decode_utf8($stored), 'the body is what the outbox has, byte for byte');
is($first->{sha256}, sha256_hex($stored), 'in UTF-8');
is($first->{method}, 'POST', 'by POST');
is($first->{headers}{'content-type'}, 'application/json', 'as JSON');
is(join(' ', @{ $first->{headers} }{qw(mesflow-key mesflow-attempt)}), 'key%201 1', 'with its key, and which try it is');
like($first->{headers}{traceparent}, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, 'and a trace');
$node->all_done;
is($node->deliveries('plain'), 'delivered 30', 'all are delivered');
is($node->endpoint_shows('plain', 'state, breaker, waiting, in_flight, delivered, failed, dead'), 'active|closed|0|0|30|0|0', 'the endpoint says so');
is($node->endpoint_shows('plain', 'last_success_at IS NOT NULL, last_error IS NULL'), 't|t', 'and knows no error');
is($node->sql(q{SELECT count(*), count(DISTINCT event), min(attempt), max(attempt), min(status), max(status) FROM mesflow.delivery_attempts WHERE endpoint = 'plain'}),
	'30|30|1|1|200|200', 'each had one attempt');
is($node->sql('SELECT count(*) FROM mesflow._pending'), 0, 'nothing is pending');
is($node->sql(q{SELECT mesflow.drain('60 s')}), 't', 'nothing is left to try');

is($node->sql(q{SELECT s.version = l.version FROM mesflow.version() s, mesflow.version() l WHERE s.part = 'mesflow-sender' AND l.part = 'library'}), 't',
	'the sender says which version it is');

# ---- orders ---------------------------------------------------------------------

my $trace = '4bf92f3577b34da6a3ce929d0e0e4736';

$node->endpoint($receiver, 'crm', types => ['order.*'], system => 'crm', settings => { keep => ['headers'] });
$node->endpoint($receiver, 'mes', types => ['order.*'], system => 'mes', options => { receipt => 'explicit' });
$node->endpoint($receiver, 'acme', partner => 'acme', settings => { keep => ['body'] });
$node->endpoint($receiver, 'expanded', types => ['order.*'], system => 'shop', options => { expand => ['customer'] }, settings => { keep => ['body'] });

# An order in three steps.
sub order
{
	my ($partner, $ref, $name) = @_;
	my $model = $node->upload_bytes(MesflowNode::cube(10), 'cube.stl', partner => $partner);
	my $items = encode_json([ { model => $model, material => 'pla', process => 'fdm' } ]);
	my $order = $node->sql("SELECT mesflow.submit_order('$partner', '$ref', '$items', '{\"name\": \"$name\"}', traceparent => '00-$trace-00f067aa0ba902b7-01')");

	$node->sql("SELECT mesflow.set_priority('$order', 5)");
	$node->sql("SELECT mesflow.cancel_order('$order', 'not wanted')");
	return $order;
}

my $order = order('shop', 'S1', 'Ada Lovelace');
my $other = order('acme', 'A1', 'Charles Babbage');
$receiver->await(6, "/$_") foreach qw(crm mes expanded);
all_well("/$_", q{type LIKE 'order.%'}) foreach qw(crm mes);
is_deeply([ gaps([ $receiver->arrivals('/crm') ]) ], [], 'each order is numbered without a gap');
is(join(' ', map { $_->{type} } grep { $_->{key} eq $order } $receiver->arrivals('/crm')), 'order.submitted order.changed order.cancelled', 'step by step');

# Traces.
my @traces = map { $_->{headers}{traceparent} =~ /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/ ? [ $1, $2 ] : [ $_->{headers}{traceparent}, '' ] } $receiver->arrivals('/crm');
is_deeply([ grep { $_->[0] ne $trace } @traces ], [], 'all belong to the trace of the order');
my %spans = map { $_->[1] => 1 } @traces;
is(scalar(keys %spans), 6, 'with a span of its own each');
ok(!$spans{'00f067aa0ba902b7'}, 'none of them the caller\'s');

# Receipts.
$node->await(qq(SELECT string_agg(system || ' ' || via, ', ' ORDER BY system) FROM mesflow.order_systems WHERE order_id = '$order' AND received_at IS NOT NULL),
	'a 2xx of the system is its receipt, unless it is explicit', 'crm delivery, shop delivery');
$node->sql("SELECT mesflow.confirm_receipt('$order', 'mes', 'M-1')");
is($node->sql(qq(SELECT via, external_id FROM mesflow.order_systems WHERE order_id = '$order' AND system = 'mes')), 'confirmation|M-1', 'then the system says it itself');

# One partner's, all of it.
my $of_acme = $node->sql(q{SELECT count(*) FROM mesflow.outbox WHERE partner = 'acme'});
$receiver->await($of_acme, '/acme');
all_well('/acme', q{partner = 'acme'});
is(scalar(grep { $_->{body} =~ /Babbage/ } $receiver->arrivals('/acme')), 0, 'no personal data');
is(scalar(grep { $_->{body} =~ /Lovelace|Babbage/ } $receiver->arrivals('/expanded')), 6, 'unless an endpoint of one\'s own asks for it');
is($node->sql(q{SELECT count(*) FROM mesflow.outbox WHERE body ~ 'Lovelace|Babbage'}), 0, 'it is not stored');
is_deeply([ unsigned([ $receiver->arrivals('/expanded') ]) ], [], 'and the signature is that of what was sent');

# By a template.
$node->endpoint($receiver, 'chat', types => ['chat.*'], settings => { keep => ['body'] }, options => { template => '{"text": "{{data.who}} says \"{{data.what}}\"", "all": {{data}}}' });
$node->emit('chat.a', 'k', 1, '{"who": "Ada", "what": "\"no\" \\\\ \\n€"}');
$receiver->await(1, '/chat');
my $chat = decode_json(encode_utf8([ $receiver->arrivals('/chat') ]->[0]{body}));
is($chat->{text}, qq{Ada says ""no" \\ \n\x{20ac}"}, 'a template is filled, and is JSON');
is($chat->{all}{who}, 'Ada', 'with values that are no text, too');
is_deeply([ unsigned([ $receiver->arrivals('/chat') ]) ], [], 'and signed as it is sent');

# ---- CloudEvents ------------------------------------------------------------------

my %mode = (cloudevents => 'structured', 'cloudevents-binary' => 'binary');
foreach my $format (sort keys %mode)
{
	$node->endpoint($receiver, $format, types => ['ce.*'], options => { format => $format }, settings => { keep => [qw(headers body event)] });
}
my ($plain) = $node->emit('ce.a', 'Schraube Nr. 5', 1, '{"text": "größer \"als\" 5 € \u0001", "n": 1.50, "list": [null, true]}');
$node->emit('ce.b', 'another', 5);
foreach my $format (sort keys %mode)
{
	$receiver->await(6, "/$format");
	all_well("/$format", q{type LIKE 'ce.%'});
	is_deeply([ unlike_cloudevents([ $receiver->arrivals("/$format") ], $mode{$format}) ], [], "$format: the SDK accepts them");
	my ($arrival) = grep { $_->{id} eq $plain } $receiver->arrivals("/$format");
	my $event = $arrival->{cloudevent};
	my $body = decode_json($node->sql("SELECT body FROM mesflow.outbox WHERE event = '$plain'"));

	is($event->{type}, 'ce.a', "$format: type");
	is($event->{time}, $body->{timestamp}, "$format: time is when it happened");
	is_deeply($event->{data}, $body->{data}, "$format: data");
	is($event->{traceparent}, $arrival->{headers}{traceparent}, "$format: the extension of distributed tracing");
	like($event->{source}, qr{^/mesflow/mesflow}, "$format: source");
	is($event->{subject}, $format eq 'cloudevents' ? 'Schraube Nr. 5' : 'Schraube%20Nr.%205', "$format: subject is the key");
}
like([ $receiver->arrivals('/cloudevents') ]->[0]{headers}{'content-type'}, qr{^application/cloudevents\+json\b}, 'structured has its content type');
is([ $receiver->arrivals('/cloudevents-binary') ]->[0]{headers}{'content-type'}, 'application/json', 'binary that of its data');

# What is added to the body is added to the event's data.
foreach my $format (sort keys %mode)
{
	$node->endpoint($receiver, "more-$format", types => ['order.submitted'], options => { format => $format, expand => ['customer'] }, settings => { keep => [qw(headers body event)] });
}
$order = order('shop', 'S2', 'Grace Hopper');
foreach my $format (sort keys %mode)
{
	$receiver->await(1, "/more-$format");
	is_deeply([ unlike_cloudevents([ $receiver->arrivals("/more-$format") ], $mode{$format}) ], [], "$format: expanded it is one, too");
	my $data = [ $receiver->arrivals("/more-$format") ]->[0]{cloudevent}{data};

	is(join(' ', $data->{order}{id}, $data->{customer}{name}), "$order Grace Hopper", "$format: and its data are the event's");
}

# ---- headers, authentication, filters -----------------------------------------------

$node->endpoint($receiver, 'basic', types => ['auth.*'], settings => { keep => ['headers'] },
	options => { auth => { type => 'basic', user => "m\x{fc}ller", password => 'geheim:er' }, headers => { 'X-Shop' => 'two words', 'x-other' => '1' } });
$node->endpoint($receiver, 'bearer', types => ['auth.*'], settings => { keep => ['headers'] },
	options => { auth => { type => 'bearer', token => 'abc.def' } });
$node->endpoint($receiver, 'filtered', types => ['load.c', 'filter.*'], options => { filter => '$.data.n > 7' });
$node->emit('auth.a', 'k');
$node->emit('filter.a.b', 'k', 10);
$node->emit('load.b', 'k', 10);
$node->emit('load.c', 'k', 8);
$receiver->await(1, "/$_") foreach qw(basic bearer);
my ($basic) = $receiver->arrivals('/basic');
my ($bearer) = $receiver->arrivals('/bearer');
is(decode_base64($basic->{headers}{authorization} =~ s/^Basic //r), "m\xc3\xbcller:geheim:er", 'basic authentication');
is($bearer->{headers}{authorization}, 'Bearer abc.def', 'by a bearer token');
is(join('|', @{ $basic->{headers} }{qw(x-shop x-other)}), 'two words|1', 'headers of one\'s own');
unlike($node->sql('SELECT options::text FROM mesflow.endpoints WHERE name IN (\'basic\', \'bearer\')'), qr/geheim|abc\.def/, 'passwords and tokens are not shown');
$receiver->await(4, '/filtered', 'a filter looks into the body, patterns at the type');
all_well('/filtered', q{type IN ('filter.a.b', 'load.c') AND body::jsonb @? '$.data.n ? (@ > 7)'});
is($node->sql(q{SELECT mesflow.drain('60 s')}), 't', 'what is filtered out is done with');

# ---- ping and rotation --------------------------------------------------------------

my $before = () = $receiver->arrivals('/crm');
my $ping = $node->sql(q{SELECT mesflow.ping_endpoint('filtered')});
$receiver->await(5, '/filtered', 'a ping comes whatever the filters say');
my ($pinged) = grep { $_->{id} eq $ping } $receiver->arrivals('/filtered');
is($pinged->{type}, 'endpoint.ping', 'with a type of its own');
is_deeply([ unsigned([$pinged]) ], [], 'signed');
is(scalar(grep { $_->{id} eq $ping } $receiver->arrivals), 1, 'to this endpoint only');

my $new = $node->sql(q{SELECT mesflow.rotate_secret('filtered')});
my $old = $receiver->{config}{paths}{'/filtered'}{secrets}[0];
isnt($new, $old, 'another secret is shown');
$receiver->secret('/filtered', $new, $old);
$ping = $node->sql(q{SELECT mesflow.ping_endpoint('filtered')});
$receiver->await(6, '/filtered');
is_deeply([ unsigned([ grep { $_->{id} eq $ping } $receiver->arrivals('/filtered') ], 2) ], [], 'while rotating either secret will do');
$old = $receiver->{config}{paths}{'/bearer'}{secrets}[0];
$new = $node->sql(q{SELECT mesflow.rotate_secret('bearer', '0 s')});
$receiver->secret('/bearer', $new, $old);
$ping = $node->sql(q{SELECT mesflow.ping_endpoint('bearer')});
$receiver->await(2, '/bearer');
is_deeply([ map { $_->{verdict}{svix} } grep { $_->{id} eq $ping } $receiver->arrivals('/bearer') ], [ [0] ], 'one that is not to be kept signs no more');

# ---- what it costs ------------------------------------------------------------------

$node->all_done;
my $attempts = $node->attempts_so_far;
$node->attempts_told($attempts);
my $changes = $node->row_changes;
my $cursors = $node->sql('SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = \'_cursors\'');
$node->emit('load.cost', 'k', 100) for 1 .. 3;
$receiver->await(348, '/plain');
$node->attempts_told($attempts + 300);
is_deeply([ moved_rows($changes, $node->row_changes) ], [], 'what goes well updates and deletes no row but cursors');
cmp_ok($node->sql('SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = \'_cursors\''), '>', $cursors, 'which move');

# ---- filters that fail ----------------------------------------------------------------

# One is unknown or raises for some bodies: those pass it neither here nor in
# SQL, where every view, replay and drain asks it.
$node->endpoint($receiver, 'dated', types => ['dated.*'], options => { filter => '$.data.at.datetime() > "2026-01-01".datetime()' });
$node->emit('dated.a', 'k', 1, $_) foreach '{"at": "2025-05-05 10:00:00+00"}', '{"at": "2025-12-31"}', '{"at": 5}', '{}';
$node->sql(q{BEGIN; SELECT mesflow.emit('dated.bad', 'k', '{}'); SET LOCAL session_replication_role = replica;
	UPDATE mesflow.outbox SET body = '{"data": {"at": "\u0000"}}' WHERE type = 'dated.bad'; COMMIT});
my @later = $node->emit('dated.b', 'k', 1, '{"at": "2026-05-05 10:00:00+00"}');
$receiver->await(1, '/dated', 'a filter over times passes what is later');
is_deeply([ map { $_->{id} } $receiver->arrivals('/dated') ], \@later, 'and nothing that it cannot judge');
$node->endpoint_comes_to('dated', 'waiting = 0 AND delivered = 1', 'the endpoint can be looked at');
is($node->sql(q{SELECT count(*) > 0 FROM mesflow.health()}), 't', 'so can the health of all');
is($node->deliveries('dated'), 'delivered 1', 'and its deliveries');
is($node->sql(q{SELECT mesflow.drain('60 s')}), 't', 'it is drained');
is($node->sql(q{SELECT mesflow.replay('dated')}), 1, 'what passes is sent again');
$node->endpoint_comes_to('dated', 'delivered = 2');

# ---- on purpose ---------------------------------------------------------------------

# A row is touched.
$node->sql('UPDATE mesflow._endpoints SET url = url WHERE name = \'plain\'');
$node->await_true(sub { join(', ', moved_rows($changes, $node->row_changes)) =~ /_endpoints: 1/ }, 'a row that is updated is seen');

# Another secret than the one at the receiver.
$node->endpoint($receiver, 'forged', types => ['broken.a']);
$receiver->secret('/forged', $secret);
$node->emit('broken.a', 'k');
$receiver->await(1, '/forged');
is(scalar(my @forged = unsigned([ $receiver->arrivals('/forged') ])), 3, 'a signature with another secret is seen');

# Order that nobody asked to be kept, where the first event fails once.
$node->endpoint($receiver, 'disorder', types => ['broken.b'], options => { ordering => 'none', schedule => [ '0 s', '300 ms' ] },
	settings => { rules => [ { match => '"n": ?1\\b', failures => 1 } ] });
$node->emit('broken.b', 'k', 3);
$node->endpoint_comes_to('disorder', 'delivered = 3', 'what failed is tried again');
isnt(scalar(my @disorder = disorder([ $node->events ], [ accepted([ $receiver->arrivals('/disorder') ]) ])), 0, 'events out of order are seen');

# A cursor that is moved by hand past what was not delivered.
$node->endpoint($receiver, 'skipped', types => ['broken.c']);
$node->append_conf('postgresql.conf', 'mesflow.delivery = off');
$node->restart;
$node->emit('broken.c', 'k', 5);
$node->sql(q{UPDATE mesflow._cursors SET seen = pg_current_snapshot(), floor_id = (SELECT last_value FROM mesflow._outbox_ids),
	floor_xid = pg_snapshot_xmax(pg_current_snapshot()), upto = NULL, upto_id = NULL, upto_xid = NULL, last_id = 0, done = NULL WHERE name = 'endpoint skipped'});
$node->append_conf('postgresql.conf', 'mesflow.delivery = on');
$node->restart;
$node->emit('broken.c', 'k');
$receiver->await(1, '/skipped', 'what comes after it arrives');
is(scalar(my @lost = missing([ $node->events(q{type = 'broken.c'}) ], [ $receiver->arrivals('/skipped') ])), 5, 'events that a cursor has skipped are seen');

is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/geheim|abc\.def|\Q$secret\E/, 'no secret either');
$node->stop;
$receiver->stop;
done_testing();
