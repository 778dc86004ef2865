# MesflowNamespace: a test that has the network and the file systems for
# itself, as an ordinary user.
#
#	use MesflowNamespace;		# before all else: the test begins again there
#	plan skip_all => $MesflowNamespace::missing if $MesflowNamespace::missing;
#	MesflowNamespace::address('10.1.2.3');
#	MesflowNamespace::nameserver($folder, 'nameserver 127.0.0.1');
#	MesflowNamespace::small_disk($folder, '64m');
#
# In a user namespace of its own a user may do what else only root may.  His
# id stays: a server refuses to run as root.  Nothing of it is seen outside,
# and all of it is gone when the test ends.
package MesflowNamespace;

use strict;
use warnings;

# Why there can be none here; undef inside.
our $missing;

sub run
{
	system(@_) == 0 or die "@_: $?\n";
	return;
}

# Another address of this machine.
sub address
{
	my ($address) = @_;

	run('ip', 'address', 'add', $address, 'dev', 'lo');
	return;
}

# Who is asked for names from now on.
sub nameserver
{
	my ($folder, @lines) = @_;
	my $file = "$folder/resolv.conf";

	open(my $out, '>', $file) or die "$file: $!\n";
	print $out map { "$_\n" } @lines;
	close($out) or die "$file: $!\n";
	run('mount', '--bind', $file, '/etc/resolv.conf');
	return;
}

# An empty disk of so many bytes.
sub small_disk
{
	my ($folder, $size) = @_;

	run('mount', '-t', 'tmpfs', '-o', "size=$size,mode=700", 'mesflow', $folder);
	return;
}

# Run when the module is loaded: from the top, inside.
sub begin
{
	my $inside = delete $ENV{MF_NAMESPACE};
	my @command = ('unshare', '--map-current-user', '--keep-caps', '--net', '--mount');
	$ENV{PATH} .= ':/usr/sbin:/sbin';
	if ($inside)
	{
		run('ip', 'link', 'set', 'lo', 'up');
	}
	elsif (system("@command true 2>/dev/null") != 0 || system('command -v ip >/dev/null') != 0)
	{
		$missing = 'no namespaces for this user here';
	}
	else
	{
		$ENV{MF_NAMESPACE} = 1;
		exec(@command, $^X, (map { ('-I', $_) } grep { !ref } @INC), $0) or die "$command[0]: $!\n";
	}
	return;
}

begin();

1;
