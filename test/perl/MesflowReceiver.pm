# MesflowReceiver: one of the programs in test/receivers, which takes what
# mesflow delivers and writes it down.
#
#	use MesflowReceiver;
#	plan skip_all => MesflowReceiver::missing() if MesflowReceiver::missing();
#	my $receiver = MesflowReceiver->start;
#	$receiver->path('/crm', mode => 'hang');
#	my @arrivals = $receiver->arrivals('/crm');
#
# receiver.js says what a path can be told to do.
package MesflowReceiver;

use strict;
use warnings;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Utils;
use Test::More;

# Why there can be no receiver here; undef where there can.
sub missing
{
	return 'no node here' unless node();
	return 'no packages of npm here' unless -d "$ENV{MF_TREE}/node_modules/svix";
	return;
}

sub node
{
	foreach my $path ($ENV{MF_NODE} // '', map { "$_/node" } split /:/, $ENV{PATH})
	{
		return $path if -f $path && -x $path;
	}
	return;
}

# start(tls => {...}, port => N, paths => {...}): a running one.  program: of
# another file in test/receivers, with what its configuration is.
sub start
{
	my ($class, %config) = @_;
	my $self = bless {
		program => delete $config{program} // 'receiver.js',
		folder => PostgreSQL::Test::Utils::tempdir('receiver'),
		config => { paths => {}, %config },
		entries => [],
		offset => 0 }, $class;

	$self->configure;
	$self->run;
	return $self;
}

sub run
{
	my ($self) = @_;
	my $folder = $self->{folder};

	unlink "$folder/ports";
	$self->{pid} = open($self->{input}, '|-', node(), "$ENV{MF_TREE}/test/receivers/$self->{program}", $folder)
	  or die "could not start a receiver: $!";
	for my $attempt (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if -e "$folder/ports" || waitpid($self->{pid}, WNOHANG) != 0;
		select(undef, undef, undef, 0.1);
	}
	die "the receiver does not listen\n" unless -e "$folder/ports";
	$self->{ports} = decode_json(slurp_file("$folder/ports"));

	# Where it listens again, if it is stopped and run again.
	$self->{config}{port} = $self->{ports}{port};
	return;
}

# run_as(CONFIG): the same again, with other settings of its own.
sub run_as
{
	my ($self, %config) = @_;

	$self->stop;
	$self->{config} = { %{ $self->{config} }, %config };
	$self->configure;
	$self->run;
	return;
}

# It ends when nobody holds the other end of its input.
sub stop
{
	my ($self) = @_;

	close(delete $self->{input}) if $self->{input};
	return;
}

sub configure
{
	my ($self) = @_;
	my $file = "$self->{folder}/config.json";

	unlink "$file.new";
	append_to_file("$file.new", encode_json($self->{config}));
	rename("$file.new", $file) or die "$file: $!";
	return;
}

# path(PATH, SETTINGS): what it does there from the next request on; its
# secrets stay.
sub path
{
	my ($self, $path, %settings) = @_;
	my $secrets = $self->{config}{paths}{$path}{secrets};

	$self->{config}{paths}{$path} = { $secrets ? (secrets => $secrets) : (), %settings };
	$self->configure;
	return;
}

# secret(PATH, SECRET ...): with what requests there are signed.
sub secret
{
	my ($self, $path, @secrets) = @_;

	$self->{config}{paths}{$path}{secrets} = \@secrets;
	$self->configure;
	return;
}

sub url
{
	my ($self, $path, $host) = @_;

	return ($self->{config}{tls} ? 'https' : 'http') . '://' . ($host // '127.0.0.1') . ":$self->{ports}{port}$path";
}

# The port that accepts and never reads.
sub silent_url
{
	my ($self) = @_;

	return "http://127.0.0.1:$self->{ports}{silent}/silent";
}

# All that stands in its ledger.
sub entries
{
	my ($self) = @_;
	my $file = "$self->{folder}/ledger";

	open(my $in, '<', $file) or return;
	seek($in, $self->{offset}, 0);
	while (my $line = <$in>)
	{
		last unless $line =~ /\n\z/;
		$self->{offset} += length($line);
		push @{ $self->{entries} }, decode_json($line);
	}
	close($in);
	return @{ $self->{entries} };
}

# Requests that arrived, at one path where it is named.
sub arrivals
{
	my ($self, $path) = @_;

	return grep { defined $_->{n} && (!defined $path || $_->{path} eq $path) } $self->entries;
}

# Ids of what arrived at a path, each once, in order.
sub ids
{
	my ($self, $path) = @_;
	my %seen;

	return grep { !$seen{$_}++ } map { $_->{id} } $self->arrivals($path);
}

# Entries of another kind: connected, silent, tls, poured.
sub others
{
	my ($self, $kind) = @_;

	return grep { exists $_->{$kind} } $self->entries;
}

# await(COUNT, PATH, WHAT): one test; there come to be so many different ids.
sub await
{
	my ($self, $count, $path, $what) = @_;
	my @ids;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $attempt (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		@ids = $self->ids($path);
		last if @ids >= $count;
		select(undef, undef, undef, 0.05);
	}
	is(scalar @ids, $count, $what // "$count events have arrived at " . ($path // 'it'));
	return;
}

1;
