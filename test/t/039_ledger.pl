# The checks of the delivery tests see what they are for: requests that are
# signed wrongly, not as they arrived, or too late; ledgers in which events are
# missing, made up, out of order or there twice; rows that were touched.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use HTTP::Tiny;
use JSON::PP;
use MIME::Base64;
use MesflowLedger qw(missing ghosts disorder steps_back repeated unsigned unlike_cloudevents gaps moved_rows);
use MesflowReceiver;
use Test::More;

plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();

# ---- signatures ---------------------------------------------------------------

my $receiver = MesflowReceiver->start;
my $client = HTTP::Tiny->new;
my ($key, $other) = ('k' x 32, 'o' x 32);
my $number = 0;

$receiver->secret('/a', map { 'whsec_' . encode_base64($_, '') } $key, $other);

sub signature
{
	my ($with, $id, $time, $body) = @_;
	my $digest = hmac_sha256_base64("$id.$time.$body", $with);

	return 'v1,' . $digest . '=' x (-length($digest) % 4);
}

# Posts a body with headers, and returns the arrival.
sub post
{
	my ($body, %headers) = @_;

	$client->post($receiver->url('/a'), { content => $body, headers => { 'content-type' => 'application/json', %headers } });
	return ($receiver->arrivals('/a'))[-1];
}

# The same, signed; CHANGE->(headers) may spoil it.
sub post_signed
{
	my ($keys, $body, $change, $sent) = @_;
	my ($id, $time) = ('event' . ++$number, time);
	my %headers = (
		'webhook-id' => $id,
		'webhook-timestamp' => $time,
		'webhook-signature' => join ' ', map { signature($_, $id, $time, $body) } @$keys);

	$change->(\%headers) if $change;
	return post($sent // $body, %headers);
}

my $body = '{"type":"load.a","timestamp":"2026-11-22T10:00:00.123Z","data":{"ü":1}}';
my $both = post_signed([ $key, $other ], $body);
is_deeply([ unsigned([$both], 2) ], [], 'two signatures are found good');
is($both->{type}, 'load.a', 'the type is known');
is(scalar(my @one = unsigned([ post_signed([$key], $body) ], 2)), 3, 'one signature is not two');
is_deeply([ unsigned([ post_signed([$key], $body) ], 1) ], [], 'but one');
is(scalar(my @two = unsigned([$both], 1)), 3, 'two signatures are not one');
my %spoilt = (
	'another key' => [ ['x' x 32], $body ],
	'the secret as text' => [ [ 'whsec_' . encode_base64($key, '') ], $body ],
	'another body' => [ [$key], $body, undef, "$body " ],
	'another id' => [ [$key], $body, sub { $_[0]{'webhook-id'} = 'event0' } ],
	'another time' => [ [$key], $body, sub { $_[0]{'webhook-timestamp'} -= 1 } ],
	'another version' => [ [$key], $body, sub { $_[0]{'webhook-signature'} =~ s/v1/v2/ } ],
	'no signature' => [ [$key], $body, sub { delete $_[0]{'webhook-signature'} } ]);
foreach my $how (sort keys %spoilt)
{
	is(scalar(my @wrong = unsigned([ post_signed(@{ $spoilt{$how} }) ])), 3, "$how is found by all three");
}
my $old = time - 3600;
is(scalar(my @late = unsigned([ post($body, 'webhook-id' => 'old', 'webhook-timestamp' => $old, 'webhook-signature' => signature($key, 'old', $old, $body)) ])),
	2, 'an old request is found by those that look at the time');

# ---- CloudEvents ----------------------------------------------------------------

my %cloudevent = (specversion => '1.0', id => 'c1', source => '/mesflow', type => 'load.a', time => '2026-11-22T10:00:00.123Z');

sub cloudevent
{
	my ($change, $mode) = @_;
	my %event = (%cloudevent, %$change);

	return post(encode_json({ %event, data => { n => 1 } }), 'webhook-id' => 'c1', 'content-type' => 'application/cloudevents+json; charset=utf-8')
	  if $mode eq 'structured';
	return post('{"n":1}', 'webhook-id' => 'c1', map { ("ce-$_" => $event{$_}) } keys %event);
}

foreach my $mode (qw(structured binary))
{
	is_deeply([ unlike_cloudevents([ cloudevent({}, $mode) ], $mode) ], [], "$mode: a CloudEvent is one");
	is(scalar(my @version = unlike_cloudevents([ cloudevent({ specversion => '3.0' }, $mode) ], $mode)), 1, "$mode: not of another version");
	is(scalar(my @time = unlike_cloudevents([ cloudevent({ time => 'noon' }, $mode) ], $mode)), 1, "$mode: not with a time that is none");
	is(scalar(my @id = unlike_cloudevents([ cloudevent({ id => 'c2' }, $mode) ], $mode)), 1, "$mode: not with another id than the webhook's");
}
is(scalar(my @mode = unlike_cloudevents([ cloudevent({}, 'binary') ], 'structured')), 1, 'one mode is not the other');
is(scalar(my @none = unlike_cloudevents([$both], 'binary')), 1, 'and a plain webhook is neither');
$receiver->stop;

# ---- ledgers ------------------------------------------------------------------------

my @events = map { { id => "e$_", key => $_ % 2 ? 'odd' : 'even', number => $_ } } 1 .. 6;

# One arrival a second.
sub ledger
{
	my $at = 0;

	return [ map { { path => '/a', id => "e$_", at => 1000 * ++$at } } @_ ];
}

# What the checks find in such a ledger, by check.
sub found
{
	my ($arrivals, @kills) = @_;

	return join '; ', map { @{ $_->[1] } ? "$_->[0]: " . join(', ', @{ $_->[1] }) : () }
	  [ missing => [ missing(\@events, $arrivals) ] ],
	  [ ghosts => [ ghosts(\@events, $arrivals) ] ],
	  [ disorder => [ disorder(\@events, $arrivals) ] ],
	  [ repeated => [ repeated($arrivals, \@kills) ] ];
}

is(found(ledger(1 .. 6)), '', 'a good ledger');
is(found(ledger(2, 1, 4, 3, 5, 6)), '', 'keys do not wait for each other');
is(found(ledger(1 .. 4, 6)), 'missing: e5 of odd', 'one is missing');
is(found(ledger(1 .. 7)), 'ghosts: e7 at /a', 'one was never committed');
is(found([ @{ ledger(1 .. 6) }, { path => '/a' } ]), 'ghosts: no id at /a', 'one has no id');
is(found(ledger(1, 2, 5, 4, 3, 6)), 'disorder: odd at /a: 3 after 5', 'one comes before another of its key');
is(found(ledger(1, 2, 3, 3, 4, 5, 6)), 'repeated: e3 at /a, 4000 after 3000', 'one comes twice for no reason');
is(found(ledger(1, 2, 3, 3, 4, 5, 6), [ 3500, 3600 ]), '', 'but for a kill in between');
is(found(ledger(1, 2, 3, 4, 5, 3, 6), [ 3500, 3600 ]), '', 'it may come late: first arrivals count');
is(found(ledger(1, 2, 3, 3, 4, 5, 6), [ 4500, 4600 ]), 'repeated: e3 at /a, 4000 after 3000', 'not for one that came later');
is(found(ledger(1, 2, 3, 3, 3, 4, 5, 6), [ 3500, 3600 ]), 'repeated: e3 at /a, 5000 after 4000', 'nor for one more than there were kills');
is_deeply([ steps_back(\@events, ledger(1, 2, 3, 4, 3, 6, 5)) ], [], 'the last one again is no step back');
is_deeply([ steps_back(\@events, ledger(1, 2, 3, 4, 5, 3, 6)) ], ['odd at /a: 3 after 5'], 'an earlier one is');

my @numbered = map { { path => '/a', id => "e$_", key => 'o', seq => $_ } } 1 .. 4;
is_deeply([ gaps(\@numbered) ], [], 'numbers without a gap');
is_deeply([ gaps([ @numbered[ 0, 1, 0, 2, 3 ] ]) ], [], 'what comes twice is no gap');
is_deeply([ gaps([ @numbered[ 0, 1, 3 ] ]) ], ['o at /a: 4 in place of 3'], 'a gap');
is_deeply([ gaps([ @numbered[ 1, 2 ] ]) ], ['o at /a: 2 in place of 1'], 'one at the beginning, too');

# ---- rows ---------------------------------------------------------------------------

is_deeply([ moved_rows({ _cursors => 3, _pending => 1 }, { _cursors => 9, _pending => 1, _endpoints => 0 }) ], [], 'cursors may move');
is_deeply([ moved_rows({ _cursors => 3, _pending => 1 }, { _cursors => 9, _pending => 2, _attempts_01 => 1 }) ],
	[ '_attempts_01: 1', '_pending: 1' ], 'no other row');
done_testing();
