# Copyright (C) the tscast authors

use strict;
use warnings;

# The doors in stream {} over TLS: byte for byte, in and out, also for a viewer
# who is slow.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream() || TSCast::TLS::missing()) {
    plan skip_all => $why;
}

my $ngx = TSCast::Nginx->new(
    tscast => 'zone live 32m;',
    main => <<'END_OF_CONF',
stream {
    ssl_certificate $PREFIX/server.pem;
    ssl_certificate_key $PREFIX/server.key;

    server { listen 127.0.0.1:$PORT_1 ssl; tscast_ingest live/cam; }
    server {
        listen 127.0.0.1:$PORT_2 ssl;
        tscast_play live/cam start=oldest linger=0;
    }
    server {
        listen 127.0.0.1:$PORT_3 ssl;
        ssl_verify_client on;
        ssl_client_certificate $PREFIX/ca.pem;
        tscast_ingest live/$ssl_client_s_dn;
    }
    server {
        listen 127.0.0.1:$PORT_4 ssl;
        tscast_ingest live/$ssl_server_name;
    }
}
END_OF_CONF
);

my $prefix = $ngx->prefix;

TSCast::TLS::certificate($prefix, $_) for qw(server ca);

$ngx->start;

my %port = map { $_ => $ngx->other_port($_) } 1 .. 4;

my $bytes = TSCast::bytes('seconds=4 gop=0.5 bitrate=8000000');
my $half = length($bytes) / 2;

{
    my $sock = TSCast::TLS::dial($port{1});

    TSCast::Net::put($sock, substr $bytes, 0, $half);
    ok($ngx->wait_log(qr/"live\/cam" is published/), 'in: published');

    my $v = TSCast::Reader->raw(sock => TSCast::TLS::dial($port{2}));
    my $slow = TSCast::Reader->raw(sock => TSCast::TLS::dial($port{2}),
                                   slow => 4096);

    ok($v->wait_bytes($half - 188), 'out: the first half');
    ok($slow->wait_bytes(4096), 'out: the slow one has begun');

    TSCast::Net::put($sock, substr $bytes, $half);

    ok($v->wait_bytes(length $bytes), 'out: the other half');

    $sock->close;

    ok($ngx->wait_log(qr/"live\/cam" has ended: @{[ length $bytes ]} bytes, 0/),
       'in: it has ended, and nothing is missing');
    is($v->wait_end, 'eof', 'out: the end');
    ok($v->{body} eq $bytes, 'out: byte for byte');

    is($slow->wait_end, 'eof', 'out: the end for the slow one');
    ok($slow->{body} eq $bytes, 'out: byte for byte for the slow one');
}

{
    my $sock = TSCast::TLS::dial($port{3});

    TSCast::Net::put($sock, $bytes);
    ok($ngx->wait_log(qr/client sent no required SSL certificate/),
       'no certificate: refused');
    close $sock;

    $sock = TSCast::TLS::dial($port{3}, cert => "$prefix/ca");
    TSCast::Net::put($sock, $bytes);
    ok($ngx->wait_log(qr/invalid stream name "CN%3Dca"|
                         invalid\ stream\ name\ "CN=ca"/x),
       'a certificate: a name that is none, from its subject');
    close $sock;

    $sock = TSCast::TLS::dial($port{4});
    TSCast::Net::put($sock, $bytes);
    ok($ngx->wait_log(qr/"live\/localhost" is published/),
       'a name from SNI');
    close $sock;
}

ok($ngx->wait_log(qr/"live\/localhost" has ended/), 'the last one has ended');

# the client has not read the answer to its certificate

$ngx->expect_log(qr/SSL_shutdown\(\) failed/);
$ngx->stop;
done_testing;
