# MesflowTls: authorities and certificates of a test, made by openssl, and an
# nginx that ends TLS in front of a receiver.
#
#	my $authority = MesflowTls->authority('ours');
#	my $good = $authority->issue('good', names => 'IP:127.0.0.1');
#	my $old = $authority->issue('old', names => 'IP:127.0.0.1', starts => -10, ends => -1);
#	MesflowReceiver->start(tls => $good);
package MesflowTls;

use strict;
use warnings;
use POSIX qw(strftime);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

sub openssl
{
	my (@arguments) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'openssl', @arguments ], '<', \undef, '>', \$out, '2>', \$err)
	  or die "openssl @arguments: $err\n";
	return;
}

# A key and a request to sign it; a certificate of itself where that is asked.
sub make_key
{
	my ($self, $name, @how) = @_;

	openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
		'-config', "$self->{folder}/config", '-subj', "/CN=$name", '-keyout', "$self->{folder}/$name.key", @how);
	return;
}

sub authority
{
	my ($class, $name) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir('authority');
	my $self = bless { folder => $folder, name => $name }, $class;

	append_to_file("$folder/config", <<"END");
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[ca]
default_ca = this
[this]
database = $folder/index
serial = $folder/serial
new_certs_dir = $folder
certificate = $folder/$name.pem
private_key = $folder/$name.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END
	append_to_file("$folder/index", '');
	append_to_file("$folder/serial", "1000\n");
	$self->make_key($name, '-x509', '-days', 30, '-extensions', 'authority', '-out', "$folder/$name.pem");
	return $self;
}

# Its certificate, as PEM.
sub pem
{
	my ($self) = @_;

	return slurp_file("$self->{folder}/$self->{name}.pem");
}

# issue(NAME, names => 'DNS:...,IP:...', starts => DAYS, ends => DAYS): a
# certificate for a server or a client, and its key: {cert, key}, PEM.
sub issue
{
	my ($self, $name, %option) = @_;
	my $folder = $self->{folder};
	my @time = map { strftime('%Y%m%d%H%M%SZ', gmtime(time + 86400 * $_)) } $option{starts} // -1, $option{ends} // 30;

	append_to_file("$folder/$name.extensions", "basicConstraints = CA:false\nextendedKeyUsage = serverAuth, clientAuth\n"
		  . ($option{names} ? "subjectAltName = $option{names}\n" : ''));
	$self->make_key($name, '-out', "$folder/$name.request");
	openssl('ca', '-batch', '-notext', '-config', "$folder/config", '-startdate', $time[0], '-enddate', $time[1],
		'-extfile', "$folder/$name.extensions", '-in', "$folder/$name.request", '-out', "$folder/$name.pem");
	return { cert => slurp_file("$folder/$name.pem"), key => slurp_file("$folder/$name.key") };
}

# A certificate that vouches for itself.
sub self_signed
{
	my ($self, $name, $names) = @_;
	my $folder = $self->{folder};

	$self->make_key($name, '-x509', '-days', 30, '-addext', "subjectAltName = $names", '-out', "$folder/$name.pem");
	return { cert => slurp_file("$folder/$name.pem"), key => slurp_file("$folder/$name.key") };
}

# ---- nginx ------------------------------------------------------------------

sub nginx_program
{
	foreach my $program ('/usr/sbin/nginx', map { "$_/nginx" } split /:/, $ENV{PATH})
	{
		return $program if -x $program;
	}
	return;
}

# nginx(TLS, SERVER): one that listens with this certificate on a free port,
# with these lines in its server block.  Returns it, to be ended by nginx_stop.
sub nginx
{
	my ($tls, $server) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir('nginx');
	my $port = PostgreSQL::Test::Cluster::get_free_port();

	append_to_file("$folder/$_", $tls->{$_}) foreach grep { defined $tls->{$_} } qw(cert key ca);
	append_to_file("$folder/nginx.conf", <<"END");
daemon off;
worker_processes 1;
pid $folder/pid;
error_log $folder/error.log;
events {}
http {
	access_log off;
	client_body_temp_path $folder/body;
	proxy_temp_path $folder/proxy;
	fastcgi_temp_path $folder/fastcgi;
	uwsgi_temp_path $folder/uwsgi;
	scgi_temp_path $folder/scgi;
	server {
		listen 127.0.0.1:$port ssl;
		ssl_certificate $folder/cert;
		ssl_certificate_key $folder/key;
		@{[ defined $tls->{ca} ? "ssl_client_certificate $folder/ca; ssl_verify_client on;" : '' ]}
		$server
	}
}
END
	my $run = IPC::Run::start([ nginx_program(), '-e', "$folder/error.log", '-p', $folder, '-c', "$folder/nginx.conf" ], '<', \undef);

	for my $attempt (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if -s "$folder/pid" || !$run->pumpable && !kill(0, $run->{KIDS}[0]{PID});
		select(undef, undef, undef, 0.1);
	}
	return { port => $port, run => $run, url => "https://127.0.0.1:$port" };
}

sub nginx_stop
{
	my ($nginx) = @_;

	$nginx->{run}->signal('QUIT');
	$nginx->{run}->finish;
	return;
}

1;
