# A geometry program that lies: the worker believes what can be, stores what
# belongs to a measurement, keeps nothing of the rest, and goes on.
use strict;
use warnings;
use MesflowNode;
use POSIX ();
use PostgreSQL::Test::Utils;
use Socket;
use Test::More;

# An installation of its own, with another program in it.
my $at = PostgreSQL::Test::Utils::tempdir('installation');
my $conf = slurp_file($ENV{TEMP_CONFIG});
my ($stage) = $conf =~ m{^dynamic_library_path = '(.*?)/usr/}m;
plan skip_all => 'not installed in a place of its own' unless $stage && index($ENV{MF_GEOMETRY_PROGRAM}, "$stage/") == 0;
system_or_bail('cp', '-R', "$stage/.", $at);
$conf =~ s/\Q$stage\E/$at/g;
(my $program = $ENV{MF_GEOMETRY_PROGRAM}) =~ s/^\Q$stage\E/$at/;

# The versions that the real one greets with.
sub greeting
{
	my $hello;

	socketpair(my $here, my $there, AF_UNIX, SOCK_SEQPACKET, 0) or die "socketpair: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		POSIX::dup2(fileno($there), 3) // POSIX::_exit(3);
		exec($ENV{MF_GEOMETRY_PROGRAM}, '--serve', getppid()) or POSIX::_exit(3);
	}
	close($there);
	sysread($here, $hello, 65536) or die 'no greeting';
	close($here);
	waitpid($pid, 0);
	return unpack('x24V2', $hello);
}
my %version;
@version{qw(protocol engine)} = greeting();

# What it says depends on the name of the file.
unlink($program) or die "$program: $!";
append_to_file($program, "#!$^X\n" . <<"BEGIN" . <<'END');
my (\$protocol, \$engine) = ($version{protocol}, $version{engine});
BEGIN
use strict;
my ($HELLO, $PROGRESS, $RESULT, $REFUSED, $PICTURE) = (1, 3, 4, 5, 6);
my ($tag, $order) = (0, '');
my $nan = pack('Q<', 0x7ff8 << 48);

open(my $socket, '+<&=', 3) or exit 1;

sub text { return pack('v', length $_[0]) . $_[0]; }
sub frame { my ($type, $payload) = @_; syswrite($socket, pack('V4Q<', 0x7266464d, $protocol, $type, length $payload, $tag) . $payload); return; }

# A picture of `side` pixels that says it has `size`, of so many bytes.
sub picture
{
	my ($size, %other) = @_;
	my $side = $other{side} // $size;
	my $png = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR" . pack('N2', $side, $other{height} // $side);

	$png .= 'x' x (($other{bytes} // 60) - length($png) - 12) . "\0\0\0\0IEND\xae\x42\x60\x82";
	$png = $other{png} if exists $other{png};
	return frame($PICTURE, pack('V2', $size, length $png) . $png);
}

sub result
{
	my (%other) = @_;

	return frame($RESULT, pack('C3', 1, 2, 0) . pack('q<5', 12, 8, 1, 0, 2) . "\1\1" . pack('d<6', 0, 0, 0, 10, 10, 10)
		  . pack('d<2', 600, $other{volume} // 1000) . pack('d<2', 0, 0) . pack('d<3', 5, 5, 5) . pack('q<', 0)
		  . $nan . pack('d<3', 0, 0, 0) . pack('q<', 0) . $nan x 9 . $nan x 3 . $nan x 3 . "\0"
		  . text($other{extensions} // '') . pack('d<', 1)
		  . (exists $other{extensions} ? "\1" . pack('C2q<C2', 21, 0, 1, 0, 0) : "\0"));
}

my %says = (
	honest => sub { picture($_) foreach 64, 128, 256, 512; result(); },
	names => sub { result(extensions => 'a "b\\c"}],"engine_version":99'); },
	refused => sub { picture($_, bytes => 65000) foreach 64, 128, 256, 512; frame($REFUSED, "\4" . text('No model.')); },
	gone => sub { picture($_, bytes => 65000) foreach 64, 128, 256, 512; },
	late => sub { result(); picture(64); },
	hangs => sub { picture($_, bytes => 65000) foreach 64, 128, 256, 512; sleep 1000; },
	twice => sub { picture(64); picture(64); result(); },
	backward => sub { picture(128); picture(64); result(); },
	five => sub { picture($_) foreach 64, 128, 256, 512, 512; result(); },
	odd => sub { picture(100); result(); },
	side => sub { picture(64, side => 128); result(); },
	flat => sub { picture(64, height => 65); result(); },
	none => sub { picture(64, png => '<svg onload="alert(1)">' . 'x' x 60); result(); },
	empty => sub { picture(64, png => ''); result(); },
	long => sub { picture(64, bytes => 65001); result(); },
	foreign => sub { $tag++; picture(64); $tag--; result(); },
	flood => sub { frame($PROGRESS, "\1\1") foreach 1 .. 2000; result(); },
	negative => sub { picture(64); result(volume => -1); },
);

frame($HELLO, pack('V2C', $protocol, $engine, 1) . text('0.1'));
sysread($socket, $order, 65536) or exit 0;
$tag = unpack('x16Q<', $order);
$order =~ /([a-z]+)\.stl$/ or exit 2;
$says{$1}->();
END
chmod(0755, $program) or die "$program: $!";

my $node = MesflowNode->ready('main', conf => "${conf}mesflow.pricing_slots = 2\n");
my $worker = $node->await_worker('pricing');
my $sent = 0;

sub upload
{
	my ($what) = @_;

	$sent++;
	return $node->upload_bytes("$sent", "$what.stl");
}

# State, error code, and the sizes of the pictures.
sub outcome
{
	my ($model) = @_;

	$node->sql("SELECT mesflow.await_model('$model', '180s')");
	return $node->sql("SELECT m.state, m.error_code, (SELECT string_agg(p.size::text, ' ' ORDER BY p.size) FROM mesflow._pictures p WHERE p.sha256 = m.sha256)
		FROM mesflow.models m WHERE m.id = '$model'");
}

is(outcome(upload('honest')), 'measured||64 128 256 512', 'what can be is believed');
my $names = upload('names');
is(outcome($names), 'measured||', 'pictures need not be');
is($node->sql("SELECT jsonb_array_length(defects), defects -> 0 ->> 'message', engine_version FROM mesflow.measurements WHERE model = '$names'"),
	"1|The file uses extensions of its format that do not count here: a \"b\\c\"}],\"engine_version\":99.|$version{engine}", 'a name out of the file is a text, whatever is in it');
is(outcome(upload('refused')), 'rejected|malformed|', 'a refusal after pictures is one, without pictures');
is(outcome(upload('late')), 'measured||', 'what comes after the measurement is not heard');
my %crashed = map { $_ => upload($_) } qw(gone twice backward five odd side flat none empty long foreign flood negative);
is(outcome($crashed{$_}), 'rejected|crashed|', "$_: no measurement and no picture") foreach sort keys %crashed;

# A cancelled job keeps nothing and frees its slot.
my @hanging = map { upload('hangs') } 1 .. 2;
$node->await(q{SELECT count(*) = 2 FROM mesflow._jobs_running}, 'two hang');
is($node->sql(q{SELECT bool_and(mesflow.cancel_job(id)) FROM mesflow._jobs_running}), 't', 'they are cancelled');
is(outcome(upload('honest')), 'measured||64 128 256 512', 'the slots are free again');
is($node->sql('SELECT count(*) FROM mesflow._pictures'), 8, 'nothing of theirs is there');

# Pictures of what is refused go at once: a quarter of a megabyte each time.
my ($bytes) = $node->weigh_worker($worker);
upload('refused') foreach 1 .. 100;
$node->settled($sent);
my ($after) = $node->weigh_worker($worker);
cmp_ok($after - $bytes, '<', 1_000_000, 'the worker keeps no picture of what was refused');

is($node->worker_pid('pricing'), $worker, 'the worker is the one that began');
is(join("\n", $node->worker_errors), '', 'without an error');
$node->sound;
$node->stop;
done_testing();
