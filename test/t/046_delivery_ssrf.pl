# Where nothing may be sent: addresses in all their spellings, names that
# lead there, names that change their mind between a look and a connection,
# redirects, proxies of the environment; and what is allowed by both sides.
use strict;
use warnings;
use MesflowNamespace;
use IPC::Run;
use MesflowDelivery;
use MesflowLedger qw(accepted missing disorder repeated unsigned);
use MesflowReceiver;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => $MesflowNamespace::missing if $MesflowNamespace::missing;
plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();
plan skip_all => 'no dnsmasq here' unless -x '/usr/sbin/dnsmasq';

# ---- a network of our own ------------------------------------------------------

my $public = '93.184.216.34';
my $inside = '10.1.2.3';
MesflowNamespace::address($_)
  foreach $public, $inside, qw(169.254.169.254 192.168.7.7 172.16.5.5 100.64.0.1 198.18.0.1 fd00::7 fe80::7);

my $names = MesflowReceiver->start(
	program => 'names.js',
	port => 5354,
	names => {
		'good.test' => [ [$public] ],
		'inside.test' => [ [$inside] ],
		'mixed.test' => [ [ $public, $inside ] ],
		'also-six.test' => [ [ $public, '::1' ] ],
		'loopback.test' => [ ['127.0.0.1'] ],
		'mapped.test' => [ ['::ffff:7f00:1'] ],
		'loopback6.test' => [ ['::1'] ],
		'unique6.test' => [ ['fd00::7'] ],
		'nat64.test' => [ ['64:ff9b::a01:203'] ],
		'metadata.test' => [ ['169.254.169.254'] ],
		'cgnat.test' => [ ['100.64.0.1'] ],
		'zero.test' => [ ['0.0.0.0'] ],
		'black.test' => undef,
		'rebind.test' => [ map { [$_] } ($public, $inside) x 200 ] });
my $folder = PostgreSQL::Test::Utils::tempdir('names');
MesflowNamespace::nameserver($folder, 'nameserver 127.0.0.1', 'options attempts:1 timeout:1');

# A real one in front of it, that keeps nothing.
my $said = '';
my $dnsmasq = IPC::Run::start(
	[ '/usr/sbin/dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--cache-size=0',
		'--server=127.0.0.1#5354', '--pid-file=', '--listen-address=127.0.0.1', '--bind-interfaces', '--log-facility=-' ],
	'<', \undef, '>', \$said, '2>&1');

my $receiver = MesflowReceiver->start(host => '::');
my $port = $receiver->{ports}{port};
my $proxy = MesflowReceiver->start;
my $node;
{
	local @ENV{qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY)} = ($proxy->url('')) x 4;
	$node = MesflowDelivery->ready('main', conf => "mesflow.delivery_allow_private = ''\n");
}

sub connections_to
{
	my ($address) = @_;

	return scalar grep { $_->{to} =~ /^(?:::ffff:)?\Q$address\E$/ } $receiver->others('connected');
}

# ---- what is never reached --------------------------------------------------------

my %nowhere = (
	(map { ($_ => $_) } qw(127.0.0.1 10.1.2.3 169.254.169.254 192.168.7.7 172.16.5.5 100.64.0.1 198.18.0.1
		127.1 2130706433 0x7f000001 0x7f.1 017700000001 0177.0.0.1 0 0.0.0.0 127.0.0.1. 10.66051
		[::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [fd00::7] [fe80::7] [64:ff9b::a01:203] [2002:a01:203::1])),
	(map { ($_ => "$_.test") } qw(inside mixed also-six loopback mapped loopback6 unique6 nat64 metadata cgnat zero)),
	localhost => 'localhost',
	dotted => 'inside.test.',
	user => "good.test\@$inside",
	password => "good.test:80\@$inside");
my (@tried, @refused);
foreach my $name (sort keys %nowhere)
{
	my $made = $node->sqlstate(sprintf q{SELECT mesflow.create_endpoint(%s, %s, '{nowhere.*}', options => '{"schedule": ["0 s"], "timeout_ms": 3000, "allow_private": true}')},
		MesflowNode::literal($name), MesflowNode::literal("http://$nowhere{$name}:$port/nowhere"));

	push @{ $made eq '' ? \@tried : \@refused }, $name;
	is($made, 'MF400', "$name: refused as an argument") if $made ne '';
}
note(@refused . ' refused: ' . join ' ', @refused);
cmp_ok(scalar @tried, '>=', 12, 'some can only be found out later');
$node->endpoint($receiver, 'good', types => [ 'nowhere.*', 'good.*' ], url => "http://good.test:$port/good", options => { allow_private => [] });
$node->emit('nowhere.a', 'k');
foreach my $name (@tried)
{
	$node->endpoint_comes_to($name, 'dead = 1', "$name: given up");
	is($node->sql(sprintf 'SELECT status IS NULL AND error <> %s FROM mesflow.delivery_attempts WHERE endpoint = %s', q{''}, MesflowNode::literal($name)), 't', "$name: without an answer");
}
is($node->sql('SELECT endpoint, last_error FROM mesflow.dead_letters WHERE last_error !~ \'not allowed|no address\''), '', 'they say that it is not allowed');
is(scalar($receiver->arrivals('/nowhere')), 0, 'nothing was sent');
$receiver->await(1, '/good', 'but to a public address');
is_deeply([ map { $_->{to} =~ s/^::ffff://r } $receiver->others('connected') ], [$public], 'no other connection was ever made');

# Redirects do not lead there either.
my $redirects = 0;
foreach my $to ("http://$inside:$port/nowhere", "http://inside.test:$port/nowhere", "http://[::ffff:10.1.2.3]:$port/nowhere", "//loopback.test:$port/nowhere")
{
	my $name = 'redirect' . ++$redirects;

	$node->endpoint($receiver, $name, types => ['redirect.*'], url => "http://good.test:$port/$name",
		options => { allow_private => [], redirects => 3, schedule => ['0 s'] }, settings => { status => 307, headers => { location => $to } });
}
$node->emit('redirect.a', 'k');
$node->await(q{SELECT count(*) = 4 AND bool_and(dead = 1) FROM mesflow.endpoints WHERE name LIKE 'redirect%'}, 'redirects to them fail');
is(connections_to($inside) + connections_to('127.0.0.1') + connections_to('::1'), 0, 'no connection was made');

# ---- names that change their mind ------------------------------------------------------

$node->endpoint($receiver, 'rebind', types => ['rebind.*'], url => "http://rebind.test:$port/rebind",
	options => { allow_private => [], schedule => [ '0 s', map { '50 ms' } 1 .. 15 ] }, settings => { headers => { connection => 'close' } });
$node->emit('rebind.a', 'k', 20);
$node->endpoint_comes_to('rebind', 'delivered = 20', 'where a name leads here and there, all goes here');
is(connections_to($inside), 0, 'never there');
is_deeply([ disorder([ $node->events ], [ accepted([ $receiver->arrivals('/rebind') ]) ]) ], [], 'in order');
my @asked = grep { ($_->{name} // '') eq 'rebind.test' } $names->entries;
cmp_ok(scalar @asked, '>=', 2, 'the name was looked up');

# A name server that does not answer holds nobody else up.
$node->endpoint($receiver, 'black', types => ['black.*'], url => "http://black.test:$port/black", options => { allow_private => [], schedule => ['0 s'], timeout_ms => 20000 });
$node->emit('black.a', 'k');
$node->await_true(sub { grep { ($_->{name} // '') eq 'black.test' } $names->entries }, 'a name is asked for');
$node->emit('good.a', "key $_", 10) foreach 1 .. 5;
$receiver->await(51, '/good', 'others go on meanwhile');
$node->endpoint_comes_to('black', 'dead = 1', 'and it is given up');

# ---- what both sides allow ------------------------------------------------------------

$node->set('mesflow.delivery_allow_private' => '10.1.2.0/24, loopback.test');
my %allowed = (
	network => [ $inside, [ '10.0.0.0/8' ], 1 ],
	address => [ $inside, [$inside], 1 ],
	host => [ 'inside.test', [ 'inside.test' ], 1 ],
	all => [ 'inside.test', JSON::PP::true, 1 ],
	name => [ 'loopback.test', JSON::PP::true, 1 ],
	nothing => [ 'inside.test', [], 0 ],
	no => [ 'inside.test', JSON::PP::false, 0 ],
	another => [ 'inside.test', ['192.168.0.0/16'], 0 ],
	server => [ '192.168.7.7', ['192.168.0.0/16'], 0 ],
	both => [ 'metadata.test', JSON::PP::true, 0 ],
	numbers => [ '127.0.0.1', JSON::PP::true, 0 ]);
foreach my $name (sort keys %allowed)
{
	my ($host, $allow) = @{ $allowed{$name} };
	my $options = JSON::PP::encode_json({ allow_private => $allow, schedule => ['0 s'] });
	my $made = $node->sqlstate(sprintf q{SELECT mesflow.create_endpoint('allow-%s', 'http://%s:%s/allow-%s', '{allow.*}', options => '%s')}, $name, $host, $port, $name, $options);

	ok($made eq '' || !$allowed{$name}[2] && $made eq 'MF400', "allow $name: made or refused");
}
$node->emit('allow.a', 'k');
foreach my $name (sort keys %allowed)
{
	my ($host, $allow, $reached) = @{ $allowed{$name} };
	next if $node->endpoint_shows("allow-$name", 'name') eq '';

	$node->endpoint_comes_to("allow-$name", $reached ? 'delivered = 1' : 'dead = 1', "allow $name: " . ($reached ? 'reached' : 'not reached'));
	is(scalar($receiver->arrivals("/allow-$name")), $reached, "allow $name: counted");
}
is(connections_to('192.168.7.7') + connections_to('169.254.169.254'), 0, 'nothing else was reached');
is(scalar($proxy->others('connected')), 0, 'a proxy in the environment is not used');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$dnsmasq->signal('TERM');
$dnsmasq->finish;
$_->stop foreach $receiver, $proxy, $names;
done_testing();
