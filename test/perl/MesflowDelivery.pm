# MesflowDelivery: a MesflowNode whose endpoints are receivers on loopback.
#
#	my $node = MesflowDelivery->ready('main');
#	$node->endpoint($receiver, 'crm', system => 'crm', options => { timeout_ms => 500 });
#	$node->emit('load.a', 'key', 100);
#	$receiver->await(100, '/crm');
package MesflowDelivery;

use strict;
use warnings;
use JSON::PP;
use MesflowNode;
use Test::More;

our @ISA = ('MesflowNode');

# The framework would have every statement logged, and options hold secrets.
sub prepare
{
	my ($node, %option) = @_;

	return $node->SUPER::prepare(%option, conf => <<"END" . ($option{conf} // ''));
log_statement = none
mesflow.pricing_slots = 0
mesflow.delivery_allow_private = '127.0.0.0/8'
END
}

sub ready
{
	my ($class, $name, %option) = @_;
	my $node = $class->SUPER::ready($name, %option);

	$node->await_worker('delivery');
	return $node;
}

# ---- endpoints --------------------------------------------------------------

# endpoint(RECEIVER, NAME, types => [...], partner, system, url, options =>
# {...}, settings => {...}): makes an endpoint whose path at the receiver is
# its name, and tells the secret there.  Returns the secret.
sub endpoint
{
	my ($node, $receiver, $name, %option) = @_;
	my $options = encode_json({ allow_private => ['127.0.0.0/8'], %{ $option{options} // {} } });
	my $types = join ',', @{ $option{types} // ['*'] };

	$receiver->path("/$name", %{ $option{settings} // {} }) if $receiver;
	my $secret = $node->sql(sprintf 'SELECT mesflow.create_endpoint(%s, %s, %s, %s, %s, %s)',
		map { MesflowNode::literal($_) } $name, $option{url} // $receiver->url("/$name"),
		"{$types}", $option{partner}, $option{system}, $options);
	$receiver->secret("/$name", $secret) if $receiver;
	return $secret;
}

# The columns of an endpoint, as the view shows them, with bars between.
sub endpoint_shows
{
	my ($node, $name, $columns) = @_;

	return $node->sql("SELECT $columns FROM mesflow.endpoints WHERE name = " . MesflowNode::literal($name));
}

# One test: an endpoint comes to have state 'active', breaker 'open', dead 3...
sub endpoint_comes_to
{
	my ($node, $name, $condition, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await("SELECT $condition FROM mesflow.endpoints WHERE name = " . MesflowNode::literal($name),
		$what // "endpoint $name: $condition")
	  || diag($node->sql('SELECT * FROM mesflow.endpoints WHERE name = ' . MesflowNode::literal($name)));
}

# What became of deliveries: "delivered 3, dead 1".
sub deliveries
{
	my ($node, $name) = @_;

	return $node->sql("SELECT coalesce(string_agg(state || ' ' || n, ', ' ORDER BY state), '')"
		  . ' FROM (SELECT state, count(*) AS n FROM mesflow.deliveries WHERE endpoint = '
		  . MesflowNode::literal($name) . ' GROUP BY 1) s');
}

# ---- events -----------------------------------------------------------------

# emit(TYPE, KEY [, COUNT, DATA]): ids of new events, in order.
sub emit
{
	my ($node, $type, $key, $count, $data) = @_;

	return split /\n/, $node->sql(sprintf 'SELECT mesflow.emit(%s, %s, %s) FROM generate_series(1, %d)',
		MesflowNode::literal($type), MesflowNode::literal($key),
		defined $data ? MesflowNode::literal($data) : q{jsonb_build_object('n', generate_series)}, $count // 1);
}

# Committed events as MesflowLedger wants them.
sub events
{
	my ($node, $condition) = @_;
	my @events;

	foreach my $row (split /\n/,
		$node->sql('SELECT event, key, id, type FROM mesflow.outbox WHERE ' . ($condition // 'true') . ' ORDER BY id'))
	{
		my ($id, $key, $number, $type) = split /\|/, $row;
		push @events, { id => $id, key => $key, number => $number, type => $type };
	}
	return @events;
}

# One test: all that was committed by now is done with.
sub all_done
{
	my ($node, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await(
		q{SELECT coalesce(sum(waiting), 0) = 0 FROM mesflow.endpoints WHERE state = 'active'},
		$what // 'nothing is left to deliver');
}

# ---- the worker and its program ---------------------------------------------

# The running mesflow-sender processes of the delivery worker.
sub senders
{
	my ($node) = @_;
	my $worker = $node->worker_pid('delivery');

	return defined $worker ? MesflowNode::children($worker, 'mesflow-sender') : ();
}

# Waits for a mesflow-sender that is none of OLD; returns its pid.
sub await_sender
{
	my ($node, @old) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await_true(
		sub {
			my ($new) = grep { my $pid = $_; !grep { $_ == $pid } @old } eval { $node->senders };
			return $new;
		},
		'a sender runs' . (@old ? " in place of @old" : ''));
}

# Rows updated and deleted so far, by table.  What other duties than delivery
# do of their own accord is left out.
sub row_changes
{
	my ($node) = @_;
	my %changes = map { split /\|/ } split /\n/,
	  $node->sql(q{SELECT relname, n_tup_upd + n_tup_del FROM pg_stat_user_tables
		WHERE schemaname = 'mesflow' AND relname NOT IN ('_duties', '_nodes', '_delivery_lives')});

	return \%changes;
}

# One test: the worker has told the statistics of so many attempts more than
# BEFORE, so that what else it did is in them too.
sub attempts_told
{
	my ($node, $count) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->await(
		"SELECT sum(n_tup_ins) >= $count FROM pg_stat_user_tables WHERE schemaname = 'mesflow' AND relname ~ '^_attempts_[0-9]+\$'",
		"statistics tell of $count attempts");
}

sub attempts_so_far
{
	my ($node) = @_;

	return $node->sql(q{SELECT count(*) FROM mesflow._attempts});
}

1;
