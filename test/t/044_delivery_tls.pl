# Endpoints by https: only a certificate that is good for the host, from an
# authority that the endpoint trusts, gets anything; certificates of our own;
# nginx in front; connections that are used again.
use strict;
use warnings;
use JSON::PP;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts disorder repeated unsigned);
use MesflowReceiver;
use MesflowTls;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main', conf => "mesflow.delivery_allow_private = '127.0.0.0/8, localhost'\n");
my $authority = MesflowTls->authority('ours');
my $other = MesflowTls->authority('theirs');
my $here = 'DNS:localhost,IP:127.0.0.1';
my $twice = [ '0 s', '100 ms' ];

# A receiver with an endpoint of the same name that trusts our authority.
my %receiver;
sub endpoint
{
	my ($name, $tls, %option) = @_;
	my %all = (ca => $authority->pem, schedule => $twice, timeout_ms => 5000, %{ delete $option{options} // {} });

	$receiver{$name} = MesflowReceiver->start(tls => $tls);
	return $node->endpoint($receiver{$name}, $name, types => ['tls.*'], %option,
		options => { map { $_ => $all{$_} } grep { defined $all{$_} } keys %all });
}

# ---- whom we trust ---------------------------------------------------------------

my $good = $authority->issue('good', names => $here);
my %refused = (
	expired => [ $authority->issue('expired', names => $here, starts => -10, ends => -1) ],
	'not-yet' => [ $authority->issue('not-yet', names => $here, starts => 1, ends => 10) ],
	'self-signed' => [ $authority->self_signed('self-signed', $here) ],
	'wrong-name' => [ $authority->issue('wrong-name', names => 'DNS:example.org,IP:127.0.0.2') ],
	stranger => [ $other->issue('stranger', names => $here) ],
	old => [ { %$good, minVersion => 'TLSv1', maxVersion => 'TLSv1.1', ciphers => 'DEFAULT@SECLEVEL=0' } ],
	system => [ $good, options => { ca => undef } ]);
foreach my $name (sort keys %refused)
{
	my ($tls, %option) = @{ $refused{$name} };

	endpoint($name, $tls, types => ['tls.a'], %option);
}
endpoint('good', $good);
endpoint('by-name', $good);
$node->sql(sprintf q{SELECT mesflow.alter_endpoint('by-name', '{"allow_private": ["localhost"]}', url => '%s')}, $receiver{'by-name'}->url('/by-name', 'localhost'));

# https where nobody speaks it.
my $plain = MesflowReceiver->start;
$node->endpoint($plain, 'plain', types => ['tls.*'], url => $plain->url('/plain') =~ s/^http:/https:/r, options => { schedule => $twice, timeout_ms => 5000 });

$node->emit('tls.a', 'k', 1);
foreach my $name (sort keys %refused, 'plain')
{
	$node->endpoint_comes_to($name, 'dead = 1 AND delivered = 0', "$name: given up");
	is(scalar(($receiver{$name} // $plain)->arrivals), 0, "$name: no request was sent");
	like($node->sql("SELECT status IS NULL, error FROM mesflow.delivery_attempts WHERE endpoint = '$name' LIMIT 1"), qr/^t\|.*(?:TLS|SSL|certificate)/i, "$name: says why");
}
foreach my $name (qw(good by-name))
{
	$node->endpoint_comes_to($name, 'delivered = 1');
	is_deeply([ unsigned([ $receiver{$name}->arrivals("/$name") ]) ], [], "$name: arrives");
}

# ---- who we are ---------------------------------------------------------------------

my $client = $other->issue('mesflow', names => 'DNS:mesflow');
my $impostor = $authority->issue('impostor', names => 'DNS:mesflow');
my %asking = (%$good, ca => $other->pem);
endpoint('shown', \%asking, types => ['client.*'], options => { client_cert => $client->{cert}, client_key => $client->{key} });
endpoint('not-shown', \%asking, types => ['client.*']);
endpoint('impostor', \%asking, types => ['client.*'], options => { client_cert => $impostor->{cert}, client_key => $impostor->{key} });
endpoint('mismatch', \%asking, types => ['client.*'], options => { client_cert => $impostor->{cert}, client_key => $client->{key} });
$node->emit('client.a', 'k', 1);
$node->endpoint_comes_to('shown', 'delivered = 1', 'a client certificate is shown');
is([ $receiver{shown}->arrivals ]->[0]{client}{CN}, 'mesflow', 'the right one');
foreach my $name (qw(not-shown impostor mismatch))
{
	$node->endpoint_comes_to($name, 'dead = 1', "$name: refused");
	is(scalar($receiver{$name}->arrivals), 0, "$name: nothing arrives");
}
my $options = $node->sql(q{SELECT options::text FROM mesflow.endpoints WHERE name = 'shown'});
unlike($options, qr/PRIVATE KEY/, 'the key is not shown to people');

# What is no PEM, or no pair, is refused at once.
foreach my $wrong (
	{ ca => '/etc/ssl/certs/ca-certificates.crt' },
	{ ca => 'nonsense' },
	{ client_cert => $client->{cert} },
	{ client_key => $client->{key} },
	{ client_cert => $client->{key}, client_key => $client->{cert} })
{
	my $json = MesflowNode::literal(encode_json($wrong));

	is($node->sqlstate("SELECT mesflow.create_endpoint('wrong', 'https://127.0.0.1/', options => $json)"), 'MF400', 'refused: ' . join ', ', sort keys %$wrong);
}

# ---- nginx in front --------------------------------------------------------------------

SKIP:
{
	skip 'no nginx here', 1 unless MesflowTls::nginx_program();

	my $behind = MesflowReceiver->start;
	my $nginx = MesflowTls::nginx({ %$good, ca => $other->pem }, <<"END");
keepalive_requests 7;
client_max_body_size 64k;
location / {
	proxy_pass @{[ $behind->url('') ]};
	proxy_set_header x-client-name \$ssl_client_s_dn;
}
location /closed { return 403; }
END
	$node->endpoint($behind, 'nginx', types => ['nginx.*'], url => "$nginx->{url}/nginx", settings => { keep => ['headers'] },
		options => { ca => $authority->pem, client_cert => $client->{cert}, client_key => $client->{key}, schedule => $twice });
	$node->endpoint($behind, 'closed', types => ['nginx.*'], url => "$nginx->{url}/closed",
		options => { ca => $authority->pem, client_cert => $client->{cert}, client_key => $client->{key}, schedule => $twice });
	$node->endpoint($behind, 'anonymous', types => ['nginx.*'], url => "$nginx->{url}/anonymous", options => { ca => $authority->pem, schedule => $twice });
	$node->emit('nginx.a', "key $_", 10) foreach 1 .. 5;
	$node->emit('nginx.b', 'large', 1, encode_json({ filler => 'x' x 100000 }));
	$node->endpoint_comes_to('nginx', 'delivered = 50 AND dead = 1', 'nginx: all but what is too large for it');
	my @events = $node->events(q{type = 'nginx.a'});
	my @arrivals = $behind->arrivals('/nginx');
	is_deeply([ missing(\@events, \@arrivals) ], [], 'nginx: nothing is missing');
	is_deeply([ disorder(\@events, \@arrivals) ], [], 'nginx: in order');
	is_deeply([ repeated(\@arrivals) ], [], 'nginx: once, though it closes connections');
	is_deeply([ unsigned(\@arrivals) ], [], 'nginx: signed');
	is($arrivals[0]{headers}{'x-client-name'}, 'CN=mesflow', 'nginx: knows who comes');
	is($node->sql(q{SELECT DISTINCT last_status FROM mesflow.dead_letters WHERE endpoint = 'nginx'}), 413, 'nginx: says that it is too large');
	$node->endpoint_comes_to('anonymous', 'delivered = 0 AND dead + waiting = 51', 'nginx: no certificate, no delivery');
	is($node->sql(q{SELECT DISTINCT status FROM mesflow.delivery_attempts WHERE endpoint = 'anonymous'}), 400, 'nginx: says that one is needed');
	is($node->sql(q{SELECT DISTINCT status FROM mesflow.delivery_attempts WHERE endpoint = 'closed' AND status <> 413}), 403, 'nginx: some places are closed');
	MesflowTls::nginx_stop($nginx);
	$behind->stop;
}

# ---- connections, and another certificate ---------------------------------------------

my $before = $receiver{good}->others('connected');
$node->emit('tls.b', 'k', 50);
$node->endpoint_comes_to('good', 'delivered = 51');
cmp_ok($receiver{good}->others('connected') - $before, '<=', 2, 'a connection is used again');

my $renewed = $authority->issue('renewed', names => $here);
$receiver{good}->run_as(tls => $refused{expired}[0]);
$node->emit('tls.c', 'k', 1);
$node->endpoint_comes_to('good', 'dead = 1', 'when its certificate is no longer good, it gets nothing');
$receiver{good}->run_as(tls => $renewed);
$node->sql(q{SELECT mesflow.replay_dead('good')});
$node->endpoint_comes_to('good', 'delivered = 52 AND dead = 0', 'with a new one it does');

# Another authority.
$node->sql(sprintf q{SELECT mesflow.alter_endpoint('stranger', %s)}, MesflowNode::literal(encode_json({ ca => $other->pem })));
$node->sql(q{SELECT mesflow.replay_dead('stranger')});
$node->endpoint_comes_to('stranger', 'delivered = 1 AND dead = 0', 'another authority can be named later');

is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
my $secret = (split /\n/, $client->{key})[1];
is(join("\n", $node->log_lines(qr/\Q$secret\E/)), '', 'nor a key');
$node->stop;
$_->stop foreach $plain, values %receiver;
done_testing();
