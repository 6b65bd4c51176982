# Copyright (C) the tscast authors

package TSCast::TLS;

# The client's end of a TLS connection as a socket like any other: openssl
# s_client in a process of its own does the talking.  And certificates.
#
#     TSCast::TLS::certificate($dir, 'server');             # signs itself
#     TSCast::TLS::certificate($dir, 'good', by => 'ca');
#     TSCast::TLS::certificate($dir, 'here', san => 'IP:127.0.0.1');
#     my $sock = TSCast::TLS::dial($port, cert => "$dir/good");
#
# A certificate NAME is NAME.pem with its key NAME.key.  Options of dial():
#
#     cert    a client certificate: path without .pem
#     alpn    protocols to offer, "h2" or so
#     bind    the address to come from
#     name    of the server that is asked for, localhost

use strict;
use warnings;

use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC SOL_SOCKET SO_RCVBUF SO_SNDBUF);

use IO::Handle;
use IO::Socket::UNIX;

use TSCast::Publisher;


# why there is none here, or ""

sub missing {
    my $built = TSCast::Nginx::built();

    return 'nginx has no TLS' if $built !~ /--with-http_ssl_module/;
    return 'no openssl' if system('openssl version > /dev/null 2>&1');

    return '';
}


sub certificate {
    my ($dir, $name, %opt) = @_;

    my @sign = $opt{by} ? ('-CA', "$dir/$opt{by}.pem",
                           '-CAkey', "$dir/$opt{by}.key") : ();

    push @sign, '-addext', "subjectAltName=$opt{san}" if $opt{san};

    _openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
             'ec_paramgen_curve:P-256', '-nodes', '-days', 2,
             '-subj', "/CN=$name", @sign,
             '-keyout', "$dir/$name.key", '-out', "$dir/$name.pem");
}


sub _openssl {
    my (@args) = @_;

    my $pid = TSCast::Publisher::background(sub {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'openssl', @args or die "openssl: $!";
    });

    my $rc = TSCast::Publisher::wait_for($pid, 20);

    die "openssl @args" if !defined $rc || $rc;
}


sub dial {
    my ($port, %opt) = @_;

    my ($ours, $its) = IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair: $!";

    # what is not read must not pile up between

    setsockopt $ours, SOL_SOCKET, SO_RCVBUF, pack 'i', 16_384;
    setsockopt $its, SOL_SOCKET, SO_SNDBUF, pack 'i', 16_384;

    my @args = ('-quiet', '-no_ign_eof', '-nocommands',
                '-connect', "127.0.0.1:$port",
                '-servername', $opt{name} // 'localhost');

    push @args, '-cert', "$opt{cert}.pem", '-key', "$opt{cert}.key"
        if $opt{cert};
    push @args, '-alpn', $opt{alpn} if $opt{alpn};
    push @args, '-bind', "$opt{bind}:0" if $opt{bind};

    TSCast::Publisher::background(sub {
        close $ours;
        open STDIN, '<&', $its or die $!;
        open STDOUT, '>&', $its or die $!;
        open STDERR, '>', '/dev/null' or die $!;
        exec 'openssl', 's_client', @args or die "openssl: $!";
    });

    close $its;
    binmode $ours;

    return $ours;
}


1;
