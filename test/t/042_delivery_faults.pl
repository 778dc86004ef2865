# Endpoints that fail in every way there is: what becomes of deliveries, and
# of those behind them; breakers, Retry-After, 410, dead letters, replays.
use strict;
use warnings;
use MesflowDelivery;
use MesflowLedger qw(accepted missing ghosts disorder repeated unsigned);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

my $node = MesflowDelivery->ready('main');
my $receiver = MesflowReceiver->start;
my $twice = [ '0 s', '100 ms' ];
my $often = [ '0 s', map { '50 ms' } 1 .. 7 ];

# What is told of the last try of an endpoint's only event.
sub last_try
{
	my ($name) = @_;

	return $node->sql("SELECT coalesce(status::text, 'none'), coalesce(error, '') FROM mesflow.delivery_attempts WHERE endpoint = '$name' ORDER BY at DESC LIMIT 1");
}

# A healthy one beside them: what arrives there shows that time went by.
$node->endpoint($receiver, 'healthy', types => ['*']);
my $beats = 0;

sub beat
{
	my ($event) = $node->emit('beat.a', 'beat ' . ++$beats);
	$node->await_true(sub { grep { $_->{id} eq $event } $receiver->arrivals('/healthy') }, "a healthy endpoint goes on ($beats)");
	return;
}

# ---- no answer, or none that is one ----------------------------------------------

# name => [settings of the path, tries, what the last try says]
my %bad = (
	silent => [ undef, 2, qr/^none\|.*(?:within|in time)/ ],
	hanging => [ { mode => 'hang' }, 2, qr/^none\|.*(?:within|in time)/ ],
	'dripping-head' => [ { mode => 'drip-head' }, 2, qr/^none\|.*(?:within|in time)/ ],
	resetting => [ { mode => 'reset' }, 2, qr/^none\|./ ],
	garbage => [ { mode => 'garbage' }, 2, qr/^none\|./ ],
	refused => [ undef, 2, qr/^none\|./ ],
	nowhere => [ undef, 2, qr/^none\|./ ],
	missing => [ { status => 404 }, 2, qr/^404\|/ ],
	broken => [ { status => 500, body => "oh\x01\n" . 'x' x 10000 }, 2, qr/^500\|/ ],
	moved => [ { status => 307, headers => { location => $receiver->url('/target') } }, 2, qr/^307\|/ ],
	odd => [ { status => 299 }, 1, qr/^299\|$/ ],
	empty => [ { status => 204 }, 1, qr/^204\|$/ ]);
my %url = (
	silent => $receiver->silent_url,
	refused => 'http://127.0.0.1:1/refused',
	nowhere => 'http://nowhere.invalid/');
foreach my $name (sort keys %bad)
{
	$node->endpoint($receiver, $name, types => ['fault.a'], settings => $bad{$name}[0], url => $url{$name},
		options => { schedule => $twice, timeout_ms => 400 });
}
my ($event) = $node->emit('fault.a', 'k');
foreach my $name (sort keys %bad)
{
	my ($settings, $tries, $told) = @{ $bad{$name} };
	my $end = $told =~ /\^2/ ? 'delivered' : 'dead';

	$node->endpoint_comes_to($name, "$end = 1", "$name: $end");
	is($node->sql("SELECT state, attempts FROM mesflow.deliveries WHERE endpoint = '$name'"), "$end|$tries", "$name: after $tries tries");
	like(last_try($name), $told, "$name: says why");

	# What is reset before an answer, libcurl may send once more by itself, on
	# each old connection to the host.
	my $requests = () = $receiver->arrivals("/$name");
	if    ($name eq 'resetting') { cmp_ok($requests, '>=', $tries, "$name: and at least so many requests"); }
	elsif ($settings)            { is($requests, $tries, "$name: and so many requests"); }
}
is(scalar($receiver->others('silent')), 2, 'silent: so many connections');
is(scalar(() = $receiver->arrivals('/target')), 0, 'redirects are not followed');
is($node->sql(q{SELECT max(length(response)) <= 4096, bool_and(response !~ E'[\\x01]') FROM mesflow.delivery_attempts WHERE endpoint = 'broken'}), 't|t', 'the beginning of an answer is kept, harmless');
is($node->sql(q{SELECT DISTINCT e.last_error IS NOT NULL, d.reason <> '', d.attempts, d.event_type, d.body = o.body
	FROM mesflow.dead_letters d JOIN mesflow.endpoints e ON e.name = d.endpoint JOIN mesflow.outbox o ON o.event = d.event}), 't|t|2|fault.a|t', 'dead letters tell it all');
beat();

# ---- answers that do not end, or not where they say -------------------------------

$node->endpoint($receiver, 'dripping', types => ['fault.b'], settings => { mode => 'drip' }, options => { schedule => $twice, timeout_ms => 600 });
$node->endpoint($receiver, 'huge', types => ['fault.b'], settings => { mode => 'huge', bytes => 2**30 }, options => { schedule => $twice });
$node->endpoint($receiver, 'short', types => ['fault.b'], settings => { mode => 'short' }, options => { schedule => $twice });
$node->endpoint($receiver, 'long', types => ['fault.b'], settings => { mode => 'long' }, options => { schedule => $twice });
$node->endpoint($receiver, 'reusing', types => ['fault.b'], settings => { mode => 'reset-on-reuse' }, options => { schedule => [ '0 s', map { '20 ms' } 1 .. 9 ] });
$node->emit('fault.b', 'k', 3);
foreach my $name (qw(dripping huge short long reusing))
{
	$node->endpoint_comes_to($name, 'delivered + dead = 3', "$name: every event comes to an end");
	is_deeply([ disorder([ $node->events ], [ $receiver->arrivals("/$name") ]) ], [], "$name: in order");
	is_deeply([ unsigned([ $receiver->arrivals("/$name") ]) ], [], "$name: signed");
	is($node->sql("SELECT count(*) FROM mesflow.delivery_attempts WHERE endpoint = '$name' AND length(response) > 4096"), 0, "$name: no more than the beginning is kept");
	note("$name: " . $node->deliveries($name) . ', ' . last_try($name));
}
is($node->deliveries('dripping'), 'dead 3', 'dripping: an answer has to be whole in time');
is($node->deliveries('short'), 'dead 3', 'short: and as long as it says');
is($node->deliveries('huge'), 'delivered 3', 'huge: the status was good');
is($node->deliveries('long'), 'delivered 3', 'long: the same');
is(scalar($receiver->arrivals('/long')), 3, 'long: what was too much is no answer to the next request');
is($node->deliveries('reusing'), 'delivered 3', 'reusing: on another connection');
$node->await_true(sub { $receiver->others('poured') == 3 }, 'huge: none is read to its end');
my ($most) = sort { $b <=> $a } map { $_->{poured} } $receiver->others('poured');
cmp_ok($most, '<', 2**25, 'huge: but for what buffers hold');
beat();

# ---- order and what fails -------------------------------------------------------------

foreach my $ordering (qw(order none strict))
{
	$node->endpoint($receiver, $ordering, types => ['fault.c'], options => { ordering => $ordering, schedule => [ '0 s', map { '100 ms' } 1 .. 3 ] },
		settings => { rules => [ { match => '"who": ?"bad"', status => 500 } ] });
}
my ($bad) = $node->emit('fault.c', 'one', 1, '{"who": "bad"}');
my @after = $node->emit('fault.c', 'one', 2, '{"who": "good"}');
$node->emit('fault.c', 'two', 2, '{"who": "good"}');
$node->endpoint_comes_to('order', 'delivered = 4 AND dead = 1');
$node->endpoint_comes_to('none', 'delivered = 4 AND dead = 1');
$node->endpoint_comes_to('strict', 'delivered = 2 AND dead = 1 AND waiting = 2', 'strict: a dead letter stops its key');
is(join(' ', map { $_->{id} } grep { $_->{key} eq 'one' } $receiver->arrivals('/order')), join(' ', ($bad) x 4, @after), 'order: its key waits until it is given up');
is(join(' ', map { $_->{id} } grep { $_->{key} eq 'one' } $receiver->arrivals('/strict')), join(' ', ($bad) x 4), 'strict: nothing after it');
is($node->sql(q{SELECT string_agg(state, ' ' ORDER BY state) FROM mesflow.deliveries WHERE endpoint = 'strict' AND key = 'one'}), 'dead waiting waiting', 'strict: what waits is shown');
$receiver->path('/strict');
is($node->sql(q{SELECT mesflow.replay_dead('strict')}), 1, 'strict: it is replayed');
$receiver->await(5, '/strict', 'strict: and the others follow');
$node->endpoint_comes_to('strict', 'delivered = 5 AND dead = 0 AND waiting = 0');
is(join(' ', map { $_->{id} } accepted([ grep { $_->{key} eq 'one' } $receiver->arrivals('/strict') ])), join(' ', $bad, @after), 'strict: in order');

# Given up on for good.
my $letter = $node->sql(q{SELECT id FROM mesflow.dead_letters WHERE endpoint = 'order'});
is($node->sql("SELECT mesflow.dismiss_dead(ARRAY[$letter]::bigint[], 'nobody needs it', 'operator')"), 1, 'a dead letter is dismissed');
is($node->sql("SELECT mesflow.dismiss_dead(ARRAY[$letter]::bigint[], 'nobody needs it', 'operator')"), 0, 'once');
is($node->sqlstate("SELECT mesflow.replay_dead(ids => ARRAY[$letter]::bigint[])"), 'MF409', 'and not replayed');
is($node->endpoint_shows('order', 'dead'), 0, 'it is gone');
my $arrived = () = $receiver->arrivals('/none');
$receiver->path('/none');
is($node->sql(q{SELECT mesflow.replay_dead(ids => array_agg(id), actor => 'operator') FROM mesflow.dead_letters WHERE endpoint = 'none'}), 1, 'another one is replayed');
$node->endpoint_comes_to('none', 'dead = 0 AND delivered = 5');
is(join(' ', map { $_->{id} } ($receiver->arrivals('/none'))[ $arrived .. $arrived ]), $bad, 'with the same id');
is($node->sql("SELECT count(*) FROM mesflow.dead_letters WHERE endpoint IN ('none', 'order')"), 0, 'none is left');

# ---- content, 410, Retry-After ----------------------------------------------------------

foreach my $status (400, 413, 415, 422, 409)
{
	$node->endpoint($receiver, "status-$status", types => ['fault.d'], settings => { status => $status }, options => { schedule => $often });
}
$node->endpoint($receiver, 'gone', types => ['fault.d'], settings => { status => 410 }, options => { schedule => $often });
my %after = (
	seconds => [ { 'retry-after' => '3600' }, 3590, 3610 ],
	date => [ { 'retry-after' => '@3600' }, 3580, 3610 ],
	years => [ { 'retry-after' => '315360000' }, 86390, 86410 ],
	past => [ { 'retry-after' => '@-3600' }, 200, 400 ],
	nonsense => [ { 'retry-after' => 'soon' }, 200, 400 ],
	negative => [ { 'retry-after' => '-5' }, 200, 400 ]);
foreach my $name (sort keys %after)
{
	foreach my $status (429, 503)
	{
		$node->endpoint($receiver, "$name-$status", types => ['fault.d'], settings => { status => $status, headers => $after{$name}[0] },
			options => { schedule => [ '0 s', '300 s' ], max_in_flight => 1 });
	}
}
$node->emit('fault.d', "key $_") foreach 1 .. 3;
foreach my $status (400, 413, 415, 422, 409)
{
	my $tries = $status == 409 ? 8 : 5;

	$node->endpoint_comes_to("status-$status", 'dead = 3');
	is(scalar($receiver->arrivals("/status-$status")), 3 * $tries, "$status: after $tries tries each");
}
$node->endpoint_comes_to('gone', q{state = 'paused' AND in_flight = 0 AND waiting = 3}, '410: the endpoint is paused, and nothing lost');
foreach my $name (sort keys %after)
{
	my (undef, $least, $most) = @{ $after{$name} };

	foreach my $status (429, 503)
	{
		$node->await(qq{SELECT count(*) >= 1 FROM mesflow.deliveries WHERE endpoint = '$name-$status' AND state = 'retry'}, "$name, $status: tried");
		is($node->sql(qq{SELECT bool_and(extract(epoch FROM d.next_attempt_at - a.at) BETWEEN $least AND $most)
			FROM mesflow.deliveries d JOIN mesflow.delivery_attempts a USING (endpoint, event) WHERE d.endpoint = '$name-$status' AND d.state = 'retry'}), 't', "$name, $status: when to come again");
	}
}
beat();
foreach my $name (qw(seconds date years))
{
	is(scalar($receiver->arrivals("/$name-$_")), 1, "$name, $_: the endpoint as a whole is left alone") foreach 429, 503;
}

$node->sql(q{SELECT mesflow.drop_endpoint(name) FROM mesflow.endpoints WHERE name ~ '-(429|503)$'});

$receiver->path('/gone');
$node->sql(q{SELECT mesflow.resume_endpoint('gone', 'operator')});
$node->endpoint_comes_to('gone', q{state = 'active' AND delivered = 3 AND dead = 0}, '410: resumed, it gets all');
is(scalar(accepted([ $receiver->arrivals('/gone') ])), 3, 'once');

# A short one is waited for, and then over.
$node->endpoint($receiver, 'busy', types => ['fault.e'], options => { schedule => $twice },
	settings => { failures => 1, failure => { status => 429, headers => { 'retry-after' => '1' } } });
$node->emit('fault.e', 'k');
$node->endpoint_comes_to('busy', 'delivered = 1');
is(scalar($receiver->arrivals('/busy')), 2, 'busy: a second try');

# ---- a breaker ----------------------------------------------------------------------------

$node->endpoint($receiver, 'down', types => ['fault.f'], settings => { status => 500 }, options => { schedule => [ '0 s', map { '100 ms' } 1 .. 40 ] });
$node->emit('fault.f', "key $_") foreach 1 .. 20;
$node->endpoint_comes_to('down', q{breaker = 'open' AND in_flight = 0}, 'after ten failures it is left alone');
my $tried = () = $receiver->arrivals('/down');
cmp_ok($tried, '>=', 10, 'not earlier');
beat();
is(scalar($receiver->arrivals('/down')), $tried, 'nothing is sent there');
is($node->endpoint_shows('down', 'waiting, dead, state'), '20|0|active', 'nothing is lost');
$node->await("SELECT sum(attempts) = $tried FROM mesflow.deliveries WHERE endpoint = 'down'", 'no attempt is counted that was not made');
$receiver->path('/down');

# While that goes on: redirects, a new address, pausing, replays.
$node->endpoint($receiver, 'following', types => ['fault.g'], options => { redirects => 1, schedule => $twice },
	settings => { status => 307, headers => { location => $receiver->url('/target') } });
$receiver->secret('/target', @{ $receiver->{config}{paths}{'/following'}{secrets} });
$node->endpoint($receiver, 'circling', types => ['fault.g'], options => { redirects => 3, schedule => $twice },
	settings => { status => 308, headers => { location => $receiver->url('/circling') } });
$node->endpoint($receiver, 'astray', types => ['fault.g'], options => { redirects => 3, schedule => $twice },
	settings => { status => 307, headers => { location => 'http://169.254.169.254/latest/meta-data/' } });
$node->endpoint($receiver, 'elsewhere', types => ['fault.g'], options => { redirects => 3, schedule => $twice },
	settings => { status => 307, headers => { location => 'file:///etc/passwd' } });
$node->emit('fault.g', 'k', 1);
$node->endpoint_comes_to('following', 'delivered = 1');
is_deeply([ unsigned([ $receiver->arrivals('/target') ]) ], [], 'a redirect is followed with the signed body, where that is asked for');
is([ $receiver->arrivals('/target') ]->[0]{method}, 'POST', 'by POST');
$node->endpoint_comes_to($_, 'dead = 1') foreach qw(circling astray elsewhere);
is(scalar($receiver->arrivals('/circling')), 2 * 4, 'not for ever');
unlike($node->sql(q{SELECT string_agg(response, '') FROM mesflow.delivery_attempts WHERE endpoint = 'elsewhere'}), qr/root:/, 'and not to files');

$node->endpoint($receiver, 'wrong', types => ['fault.h'], settings => { status => 500 }, options => { schedule => $often });
$node->emit('fault.h', 'k', 3);
$node->await_true(sub { scalar $receiver->arrivals('/wrong') }, 'an address is wrong');
$receiver->secret('/right', @{ $receiver->{config}{paths}{'/wrong'}{secrets} });
$node->sql(sprintf 'SELECT mesflow.alter_endpoint(%s, url => %s)', map { MesflowNode::literal($_) } 'wrong', $receiver->url('/right'));
$receiver->await(3, '/right', 'what failed goes to the new one');
is_deeply([ unsigned([ $receiver->arrivals('/right') ]) ], [], 'signed');

$node->endpoint($receiver, 'paused', types => ['fault.i']);
$node->sql(q{SELECT mesflow.pause_endpoint('paused', 'a holiday', 'operator')});
$node->emit('fault.i', 'k', 5);
beat();
is(scalar($receiver->arrivals('/paused')), 0, 'a paused endpoint gets nothing');
is($node->sql(q{SELECT mesflow.drain('60 s')}), 't', 'nobody waits for it');
$node->sql(q{SELECT mesflow.resume_endpoint('paused', 'operator')});
$receiver->await(5, '/paused', 'resumed, it gets what it missed');
$node->endpoint_comes_to('paused', 'delivered = 5');
is($node->sql(q{SELECT mesflow.replay('paused', since => now() - interval '1 day', event_types => '{fault.i}')}), 5, 'a replay tells how many');
$node->await_true(sub { $receiver->arrivals('/paused') == 10 }, 'and they come again');
is(scalar($receiver->ids('/paused')), 5, 'with the same ids');
is_deeply([ unsigned([ $receiver->arrivals('/paused') ]) ], [], 'signed anew');
$node->sql(q{SELECT mesflow.drop_endpoint('paused')});
$node->emit('fault.i', 'k', 5);
beat();
is(scalar($receiver->arrivals('/paused')), 10, 'an endpoint that was dropped gets nothing more');

$node->endpoint_comes_to('down', q{breaker = 'closed' AND delivered = 20}, 'when it works again all arrives');
is_deeply([ repeated([ accepted([ $receiver->arrivals('/down') ]) ]) ], [], 'once');

# ---- all in all -----------------------------------------------------------------------------

my @events = $node->events(q{type <> 'endpoint.ping'});
my @healthy = $receiver->arrivals('/healthy');
$node->await_true(sub { !missing(\@events, [ @healthy = $receiver->arrivals('/healthy') ]) }, 'the healthy endpoint got everything');
is_deeply([ repeated(\@healthy) ], [], 'once');
is_deeply([ ghosts([ $node->events ], [ $receiver->arrivals ]) ], [], 'nobody got what was not committed');
is_deeply([ unsigned([ $receiver->arrivals ]) ], [], 'every request was signed');
is(scalar(() = $node->log_lines(qr/mesflow-sender.*(?:ended|killed|crash)/i)), 0, 'no sender has ended');
is(join("\n", $node->worker_errors), '', 'no error of a worker in the log');
$node->stop;
$receiver->stop;
done_testing();
