# Copyright (C) the tscast authors

use strict;
use warnings;

# Doors over IPv6 and UNIX sockets, and over TLS.

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::IP;
use Test::More;

use TSCast;

my $has_v6 = !!IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0,
                                   Listen => 1, Proto => 'tcp');
my $has_tls = system('openssl version > /dev/null 2>&1') == 0
              && `curl -V` =~ /https/;

my $listen = 'listen unix:$PREFIX/door.sock;';

$listen .= ' listen [::1]:$PORT_1;' if $has_v6;
$listen .= ' listen 127.0.0.1:$PORT_2 ssl; ssl_certificate $PREFIX/cert.pem;'
           . ' ssl_certificate_key $PREFIX/key.pem;' if $has_tls;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 16m;',
    server => $listen . <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
);

my $prefix = $ngx->prefix;

if ($has_tls) {
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
           . " -subj /CN=localhost -keyout $prefix/key.pem"
           . " -out $prefix/cert.pem > /dev/null 2>&1") == 0
        or die 'no certificate';
}

$ngx->start;

my $bytes = TSCast::bytes('seconds=4 bitrate=2000000');


sub both_ways {
    my ($what, $dial) = @_;

    (my $name = $what) =~ s/\W//g;

    my $p = TSCast::Publisher->new(sock => $dial->(), path => "/push/$name");

    $p->send($bytes);
    is($p->finish->status, 204, "$what: published");
    $p->close;

    for my $how (qw(http ws)) {
        my $v = TSCast::Reader->$how(sock => $dial->(), path => "/live/$name");

        is($v->wait_end, 'complete', "$what, $how: watched");
        ok($v->{body} eq $bytes, "$what, $how: byte for byte");
        is("@{$v->{faults}}", '', 'without a fault');
        $v->close;
    }
}


both_ways('UNIX socket', sub { TSCast::Net::dial("$prefix/door.sock") });

SKIP: {
    skip 'no IPv6', 7 if !$has_v6;

    both_ways('IPv6', sub {
        IO::Socket::IP->new(PeerHost => '::1', PeerPort => $ngx->other_port(1))
            or die "::1: $@";
    });
}

SKIP: {
    skip 'no TLS', 4 if !$has_tls;

    my $base = 'https://127.0.0.1:' . $ngx->other_port(2);
    my $in = $ngx->write_file('in.ts', $bytes);

    is(system('curl', '-sSfk', '-o', '/dev/null', '-T', $in, "$base/push/tls"),
       0, 'TLS: published');
    is(system('curl', '-sSfk', '-o', "$prefix/out.ts", "$base/live/tls"), 0,
       'TLS: watched');
    is(system('cmp', '-s', $in, "$prefix/out.ts"), 0, 'TLS: byte for byte');

    # a slow reader, so that TLS has to try again

    is(system('curl', '-sSfk', '--limit-rate', '1M', '-o', "$prefix/slow.ts",
              "$base/live/tls") || system('cmp', '-s', $in, "$prefix/slow.ts"),
       0, 'TLS: slowly as well');
}

$ngx->stop;
done_testing;
