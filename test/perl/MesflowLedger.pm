# MesflowLedger: what receivers wrote down, and what must hold of it.
#
# All of it is about arrivals, hashes with path, id, key and verdict, in the
# order of their coming, and events, hashes with id, key and number (the order
# in which they were written), so that a test can make up both and see that
# the checks fail.  A check returns the places that break it, as text.
package MesflowLedger;

use strict;
use warnings;
use Exporter qw(import);
use JSON::PP;

our @EXPORT_OK = qw(missing ghosts disorder steps_back repeated unsigned
  unlike_cloudevents gaps moved_rows first_arrivals accepted);

# The first arrival of each id at each path.
sub first_arrivals
{
	my ($arrivals) = @_;
	my %seen;

	return grep { defined $_->{id} && !$seen{"$_->{path} $_->{id}"}++ } @$arrivals;
}

# Those that were answered with 2xx.
sub accepted
{
	my ($arrivals) = @_;

	return grep { ($_->{status} // 0) =~ /^2\d\d$/ } @$arrivals;
}

# Every committed event was received.
sub missing
{
	my ($events, $arrivals) = @_;
	my %came = map { ($_->{id} // '') => 1 } @$arrivals;

	return map { "$_->{id} of $_->{key}" } grep { !$came{ $_->{id} } } @$events;
}

# Nothing was received that was not committed.
sub ghosts
{
	my ($events, $arrivals) = @_;
	my %real = map { $_->{id} => 1 } @$events;

	return map { ($_->{id} // 'no id') . " at $_->{path}" }
	  grep { !$real{ $_->{id} // '' } } @$arrivals;
}

# First arrivals of a key at a path come in the order they were written.
sub disorder
{
	my ($events, $arrivals) = @_;
	my %event = map { $_->{id} => $_ } @$events;
	my (%last, @wrong);

	foreach my $arrival (first_arrivals($arrivals))
	{
		my $event = $event{ $arrival->{id} } or next;
		my $place = "$event->{key} at $arrival->{path}";

		push @wrong, "$place: $event->{number} after $last{$place}"
		  if defined $last{$place} && $event->{number} < $last{$place};
		$last{$place} = $event->{number};
	}
	return @wrong;
}

# A key that counts its events arrives as 1, 2, 3 ...
sub gaps
{
	my ($arrivals) = @_;
	my (%last, @wrong);

	foreach my $arrival (first_arrivals($arrivals))
	{
		next unless defined $arrival->{seq};
		my $place = "$arrival->{key} at $arrival->{path}";
		my $expected = ($last{$place} // 0) + 1;

		push @wrong, "$place: $arrival->{seq} in place of $expected"
		  if $arrival->{seq} != $expected;
		$last{$place} = $arrival->{seq};
	}
	return @wrong;
}

# repeated(ARRIVALS [, KILLS]): arrivals of what had come to that path before,
# unless a kill was in between that may have met it on its way: KILLS are
# [FROM, TO], in milliseconds as the receiver counts them.
sub repeated
{
	my ($arrivals, $kills) = @_;
	my (%last, @wrong);

	foreach my $arrival (grep { defined $_->{id} } @$arrivals)
	{
		my $before = $last{"$arrival->{path} $arrival->{id}"};

		push @wrong, "$arrival->{id} at $arrival->{path}, $arrival->{at} after $before->{at}"
		  if $before && !grep { $before->{at} <= $_->[1] && $arrival->{at} >= $_->[0] } @{ $kills // [] };
		$last{"$arrival->{path} $arrival->{id}"} = $arrival;
	}
	return @wrong;
}

# The stricter order: of a key nothing comes, not even again, after something
# that was written later.
sub steps_back
{
	my ($events, $arrivals) = @_;
	my %event = map { $_->{id} => $_ } @$events;
	my (%last, @wrong);

	foreach my $arrival (@$arrivals)
	{
		my $event = $event{ $arrival->{id} // '' } or next;
		my $place = "$event->{key} at $arrival->{path}";

		push @wrong, "$place: $event->{number} after $last{$place}"
		  if defined $last{$place} && $event->{number} < $last{$place};
		$last{$place} = $event->{number};
	}
	return @wrong;
}

# Every verifier accepts every request with each of so many secrets (1).
sub unsigned
{
	my ($arrivals, $secrets) = @_;
	my $wanted = join ',', 0 .. ($secrets // 1) - 1;
	my @wrong;

	foreach my $arrival (@$arrivals)
	{
		my $verdict = $arrival->{verdict};

		foreach my $verifier (qw(specification standardwebhooks svix))
		{
			my $accepted = join ',', @{ $verdict->{$verifier} // [] };

			push @wrong, "$arrival->{path} $verifier: \"$accepted\", " . ($verdict->{refusal} // 'not all of them')
			  if $accepted ne $wanted;
		}
	}
	return @wrong;
}

# Every request is a CloudEvent of this mode, with the id of its webhook.
sub unlike_cloudevents
{
	my ($arrivals, $mode) = @_;
	my @wrong;

	foreach my $arrival (@$arrivals)
	{
		my $event = $arrival->{cloudevent} // {};

		push @wrong, "$arrival->{path} $arrival->{id}: " . encode_json($event)
		  if ($event->{mode} // '') ne $mode || exists $event->{refused}
		  || ($event->{id} // '') ne ($arrival->{id} // '');
	}
	return @wrong;
}

# The cursor rule: what goes well moves cursors and adds rows, and touches no
# other row.  Of two answers of MesflowNode's row_changes, the tables that had
# rows updated or deleted in between.
sub moved_rows
{
	my ($before, $after) = @_;

	return map { "$_: " . ($after->{$_} - ($before->{$_} // 0)) }
	  grep { $_ ne '_cursors' && $after->{$_} != ($before->{$_} // 0) } sort keys %$after;
}

1;
