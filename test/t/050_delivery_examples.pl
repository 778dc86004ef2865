# The receivers that docs/delivery.md prints take what mesflow sends, and
# nothing that is signed with another secret.
use strict;
use warnings;
use IO::Socket::INET;
use IPC::Run;
use JSON::PP;
use MesflowDelivery;
use MesflowReceiver;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node_program, $python) = (MesflowReceiver::node(), '/usr/bin/python3');
my ($php) = grep { -x } map { "$_/php" } split /:/, $ENV{PATH};
my $modules = "$ENV{MF_TREE}/node_modules";
my $packages = "$ENV{MF_TREE}/python_modules";
my $doc = slurp_file("$ENV{MF_TREE}/docs/delivery.md");
my $folder = PostgreSQL::Test::Utils::tempdir('examples');

# Each: the word that the block's language is, what is in it, why it cannot be
# run here, the line that makes take(), where that goes, and the command.
my @examples = (
	{
		name => 'node', language => 'js', has => 'standardwebhooks', suffix => 'mjs',
		missing => !$node_program || !-d "$modules/standardwebhooks",
		take => q{import fs from 'node:fs'; const take = async (id, event) => fs.appendFileSync('%s', `${id} ${event.type}\n`);},
		after => qr/\A/, command => sub { ($node_program, $_[0]) } },
	{
		name => 'pypi', language => 'python', has => 'from standardwebhooks', suffix => 'py',
		missing => !-x $python || !-d $packages,
		take => q{take = lambda id, event: print(id, event["type"], file=open('%s', 'a'))},
		after => qr/\A/, command => sub { ($python, $_[0]) } },
	{
		name => 'php', language => 'php', has => 'hash_hmac', suffix => 'php', missing => !$php,
		take => q{function take($id, $event) { file_put_contents('%s', "$id {$event['type']}\n", FILE_APPEND); }},
		after => qr/\A<\?php\n/, command => sub { ($php, '-S', "127.0.0.1:$_[1]", $_[0]) } });

$ENV{PYTHONPATH} = $packages;
symlink($modules, "$folder/node_modules");
my $node = MesflowDelivery->ready('main');

# Whoever runs there and listens; undef where nobody does after a while.
sub start
{
	my ($port, $secret, @command) = @_;
	local $ENV{MESFLOW_SECRET} = $secret;
	my $run = IPC::Run::start(\@command, '<', \undef, '>&', "$folder/output");

	for my $attempt (1 .. 100)
	{
		return $run if IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
		select(undef, undef, undef, 0.1);
	}
	diag(slurp_file("$folder/output"));
	return $run;
}

foreach my $example (@examples)
{
	my $name = $example->{name};
	my ($code) = grep { index($_, $example->{has}) >= 0 } $doc =~ /^```$example->{language}\n(.*?)^```/gms;

	ok($code, "$name: the document has it");
  SKIP:
	{
		skip "$name: cannot be run here", 3 if $example->{missing};
		my $port = PostgreSQL::Test::Cluster::get_free_port();
		my $file = "$folder/$name.$example->{suffix}";
		my $taken = "$folder/$name.taken";
		my $take = sprintf $example->{take}, $taken;

		$code =~ s/8080/$port/;
		$code =~ s/($example->{after})/$1$take\n/;
		append_to_file($file, $code);
		append_to_file($taken, '');
		my $secret = $node->endpoint(undef, $name, url => "http://127.0.0.1:$port/", types => ["$name.*"], options => { schedule => [0] });
		my $run = start($port, $secret, $example->{command}->($file, $port));
		my @ids = $node->emit("$name.called", 'Zoë', 3, '{"result": "möchte es in blau", "n": 1.50}');
		$node->all_done;
		is($node->deliveries($name), 'delivered 3', "$name: takes what is signed with its secret")
		  or diag(slurp_file("$folder/output"));
		is_deeply([ split /\n/, slurp_file($taken) ], [ map { "$_ $name.called" } @ids ], "$name: all of it, in order");
		$node->sql("SELECT mesflow.rotate_secret('$name', keep_old => '0')");
		$node->sql("SELECT pg_sleep(0.2)");
		$node->emit("$name.called", 'Zoë', 1);
		$node->await("SELECT last_status = 401 FROM mesflow.dead_letters WHERE endpoint = '$name'", "$name: refuses another secret's");
		$run->signal('TERM');
		$run->finish;
	}
}

$node->stop('fast');
done_testing();
