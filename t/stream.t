# Copyright (C) the tscast authors

use strict;
use warnings;

# The doors in stream {}: what comes in by TCP, UDP and RTP goes out by TCP,
# byte for byte; who is refused, and what the logs say of it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}

my $ngx = TSCast::Nginx->new(
    tscast => <<'END_OF_CONF',
        zone live 32m;
        pull live/far tcp://127.0.0.1:$PORT_16 on_demand wait=5s linger=0;
        pull live/late tcp://127.0.0.1:$PORT_17 on_demand wait=300ms;
END_OF_CONF
    events => 'multi_accept on;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
    main => <<'END_OF_CONF',
stream {
    log_format stream '$status $protocol $tscast_stream $tscast_sent '
                      '$tscast_skipped $bytes_received';
    access_log $PREFIX/logs/stream.log stream;

    limit_conn_zone $binary_remote_addr zone=addr:1m;

    map $server_port $name {
        $PORT_3 mapped;
        default 'not a name';
    }

    # in by TCP and UDP, out, and out from the first byte

    server { listen 127.0.0.1:$PORT_1; tscast_ingest live/cam; }
    server {
        listen 127.0.0.1:$PORT_1 udp reuseport;
        tscast_ingest live/cam timeout=1s;
    }
    server {
        listen 127.0.0.1:$PORT_15 udp reuseport;
        tscast_ingest live/udp-$remote_port timeout=500ms;
    }
    server { listen 127.0.0.1:$PORT_2; tscast_play live/cam; }
    server {
        listen 127.0.0.1:$PORT_4;
        tscast_play live/cam start=oldest linger=0;
    }

    # names

    server {
        listen 127.0.0.1:$PORT_3;
        listen 127.0.0.1:$PORT_5;
        tscast_ingest live/$name;
    }
    server { listen 127.0.0.1:$PORT_6; tscast_play live/$server_port; }
    server { listen 127.0.0.1:$PORT_7; tscast_play live/no%20name; }
    server {
        listen 127.0.0.1:$PORT_8;
        ssl_preread on;
        tscast_ingest live/$ssl_preread_server_name;
    }

    # what nginx has

    server {
        listen 127.0.0.1:$PORT_9 proxy_protocol;
        tscast_ingest live/from-$proxy_protocol_addr;
    }
    server { listen 127.0.0.1:$PORT_10; deny all; tscast_ingest live/cam; }
    server { listen 127.0.0.1:$PORT_11; deny all; tscast_play live/cam; }
    server {
        listen 127.0.0.1:$PORT_12;
        limit_conn addr 1;
        tscast_play live/cam;
    }

    # fetched by links

    server { listen 127.0.0.1:$PORT_18; tscast_play live/far; }
    server { listen 127.0.0.1:$PORT_19; tscast_play live/late; }

    # publishers

    server {
        listen 127.0.0.1:$PORT_13;
        tscast_ingest live/cam takeover=on;
    }
    server {
        listen 127.0.0.1:$PORT_14;
        tscast_ingest live/quiet timeout=300ms;
    }
}
END_OF_CONF
);

plan skip_all => 'nginx has no ssl_preread'
    if TSCast::Nginx::built() !~ /--with-stream_ssl_preread_module/;

$ngx->start;

my %port = map { $_ => $ngx->other_port($_) } 1 .. 19;

my $bytes = TSCast::bytes('seconds=2 gop=0.5 bitrate=1500000');


sub dial {
    my ($n) = @_;

    return TSCast::Net::dial($port{$n});
}


# nothing more to say, and until nginx has closed

sub finish {
    my ($sock) = @_;

    shutdown $sock, 1;

    my $said = TSCast::Net::get($sock);

    close $sock;

    return defined $said && $said eq '';
}


# nginx closes though the client does not

sub closed {
    my ($sock) = @_;

    my $said = TSCast::Net::get($sock);

    close $sock;

    return !defined $said && !$!{ECONNRESET} ? 0 : 1;
}


sub viewer {
    my ($n, %opt) = @_;

    return TSCast::Reader->raw(port => $port{$n}, %opt);
}


# what the error log has got since mark()

my $seen = 0;

sub news {
    return substr $ngx->error_log, $seen;
}


sub mark {
    $seen = length $ngx->error_log;
}


# a sender over UDP, and a viewer of its stream from the first byte on

sub sender {
    return TSCast::Datagrams->new(port => $port{15}, @_);
}


sub viewer_of {
    my ($u) = @_;

    return TSCast::Reader->http(
        port => $ngx->port, path => '/all/udp-' . $u->{sock}->sockport);
}


sub log_has {
    my ($re, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(TSCast::Net::until_true(5, sub { news() =~ $re }), $name)
        or diag news();
}


sub access_has {
    my ($re, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($ngx->wait_log($re, 5, 'stream'), $name)
        or diag $ngx->log_text('stream');
}


# in by TCP, out by TCP and HTTP

{
    my $sock = dial(1);
    my $half = 1000 * 188 + 77;

    TSCast::Net::put($sock, substr $bytes, 0, $half);
    log_has(qr/stream "live\/cam" is published.*client: 127\.0\.0\.1/,
            'TCP: published with its first bytes');

    my $all = viewer(4);
    my $key = viewer(2);
    my $http = TSCast::Reader->http(port => $ngx->port, path => '/live/cam');

    ok($all->wait_bytes(1000 * 188), 'all of it is there');
    ok($key->wait_bytes(188), 'and a start at a key frame');
    ok($http->wait_head, 'HTTP too');

    TSCast::Net::put($sock, substr $bytes, $half);
    ok(finish($sock), 'the publisher is closed when it has ended');

    is($all->wait_end, 'eof', 'and the viewer without linger');
    ok($all->{body} eq $bytes, 'byte for byte');

    is($http->wait_end, 'complete', 'and the one over HTTP');
    is($http->faults, '', 'who had no less');

    my $tail = substr $bytes, -1880;

    ok(TSCast::Reader::pump(10, sub { $key->{body} =~ /\Q$tail\E\z/ }, $key),
       'from the last key frame to the end');
    ok(!$key->{end}, 'the viewer with linger stays');
    is($key->faults, '', 'without faults');
    is($key->{check}->opening, 'PAT PMT key', 'tables and a key frame first');

    my $n = length $bytes;

    my $none = '0 dropped, 0 lost, 0 continuity errors';

    log_has(qr/"live\/cam" has ended: $n bytes, $none while/,
            'what was counted');
    access_has(qr{^200 TCP live/cam - - $n$}m, "the publisher's log line");
    access_has(qr{^200 TCP live/cam $n 0 0$}m, "the viewer's");

    $key->put('a viewer has nothing to say');
    $key->close;
    access_has(qr{^200 TCP live/cam \d+ 0 \d+$}m, 'the viewer has left');
}

# over UDP, in datagrams of any size

for my $case (
    ['aligned', size => 1316],
    ['cut anywhere', size => 1472],
    ['small', size => 100],
    ['large', size => 60_000],
    ['RTP', rtp => { sequence => 65_500 }],
    ['RTP with all there is', rtp => { sequence => 5, padding => 4,
                                       csrc => [1, 2, 3],
                                       extension => '12345678' }],
) {
    my ($name, %opt) = @$case;

    mark();

    my $u = sender(%opt);

    $u->send(substr $bytes, 0, 188 * 700);
    log_has(qr/"live\/udp-\d+" is published.*udp client/, "$name: published");

    my $v = viewer_of($u);

    $u->send(substr $bytes, 188 * 700)->flush;

    ok($v->wait_bytes(length $bytes), "$name: all of it is there");
    is($u->dropped, 0, "$name: nginx had room for it");
    is($v->wait_end, 'complete', "$name: it ends when the sender is silent");
    ok($v->{body} eq $bytes, "$name: byte for byte");

    my $n = length $bytes;
    my $counted = '0 dropped, 0 lost, 0 continuity errors';

    $counted .= ', RTP packets: 0 missing, 0 reordered, 0 doubled'
        if $opt{rtp};

    log_has(qr/has ended: $n bytes, $counted while/,
            "$name: what was counted");
    $u->close;
}

access_has(qr{^200 UDP live/udp-\d+ - - @{[ length $bytes ]}$}m,
           "a sender's log line");

# an RTP session is one from the first such packet on; numbers are looked at

{
    mark();

    my @piece = map { substr $bytes, $_ * 1316, 1316 } 0 .. 199;
    my $r = sender(rtp => {});
    my $number = 65_500;

    my $put = sub {
        $r->put($r->rtp($piece[$_], sequence => ($number + $_) % 65_536))
            for @_;
    };

    $r->put('not media');
    $put->(0 .. 9);
    $put->(11, 10);                             # in another order
    $put->(12, 12, 11);                         # twice
    $r->put("\x80\xc8\0\6" . "\0" x 24);        # RTCP has no place here
    $r->put($piece[50]);                        # and bare packets neither
    $put->(13 .. 19, 23 .. 29, 22, 30 .. 199);  # 20 and 21 are missing
    $r->wait_read;

    my $v = viewer_of($r);

    $v->wait_end;

    my $want = join '', @piece[0 .. 9, 11, 10, 12 .. 19, 23 .. 29, 22,
                               30 .. 199];

    ok($v->{body} eq $want, 'RTP: fed as it came, without the rest');

    my $dropped = 9 + 28 + 1316;
    my $n = 9 + length $want;

    log_has(qr/has ended: $n bytes, $dropped dropped, 0 lost, /,
            'RTP: bytes');
    log_has(qr/ packets: 2 missing, 2 reordered, 2 doubled while/,
            'RTP: missing, reordered, doubled');
}

# a bare stream that is cut so that a datagram looks like RTP

{
    my $ts = substr $bytes, 0, 188 * 100;
    my $u = sender();

    # as it may be cut from payload: the header, but no packets behind it

    my $like = "\x80\x21" . 'x' x 182;
    my $packet = "\x47\x1f\xff\x10" . $like . "\x47\x00";

    $packet = substr $packet, 0, 188;

    $u->put(substr $ts, 0, 188 * 10);
    $u->put("\x47\x1f\xff\x10");
    $u->put(substr $packet, 4);
    $u->put(substr $ts, 188 * 10);
    $u->wait_read;

    my $v = viewer_of($u);

    $v->wait_end;
    ok($v->{body} eq substr($ts, 0, 188 * 10) . $packet
                     . substr($ts, 188 * 10),
       'bare: a datagram that begins as RTP does');
}

# names

{
    my $sock = dial(3);

    TSCast::Net::put($sock, $bytes);
    log_has(qr/"live\/mapped" is published/, 'a name from a map');
    finish($sock);

    $sock = dial(5);
    TSCast::Net::put($sock, $bytes);
    ok(closed($sock), 'what is no name is closed');
    log_has(qr/invalid stream name "not%20a%20name"/, 'with a log line');
    access_has(qr{^400 TCP - - - \d+$}m, 'status 400');

    my $v = viewer(6);
    my $name = "live/$port{6}";

    is($v->wait_end, 'eof', 'a stream that does not exist is closed');
    log_has(qr/there is no stream "$name"/, 'with a log line');
    access_has(qr{^404 TCP $name 0 0 0$}m, 'status 404');

    is(viewer(7)->wait_end, 'eof', 'what is no name is closed for a viewer');
    log_has(qr/invalid stream name "no%2520name"/, 'with a log line');
}

{
    # RFC 8446, 4.1.2, and RFC 6066, 3

    my $host = 'cam.example';
    my $name = pack 'C n/a*', 0, $host;
    my $sni = pack 'n n/a*', 0, pack 'n/a*', $name;
    my $hello = pack 'n a32 C/a* n/a* C/a* n/a*', 0x0303, 'r' x 32, '',
                     pack('n', 0x1301), "\0", $sni;
    my $record = pack 'C n n/a*', 22, 0x0301,
                      pack 'C C n a*', 1, 0, length $hello, $hello;

    my $sock = dial(8);

    TSCast::Net::put($sock, $record . $bytes);
    finish($sock);

    my ($n, $dropped) = (length($record . $bytes), length $record);

    log_has(qr/"live\/cam\.example" has ended: $n bytes, $dropped dropped/,
            'a name from SNI; what was read for it is not lost');
}

{
    my $sock = dial(9);

    TSCast::Net::put($sock, "PROXY TCP4 192.0.2.9 192.0.2.1 1111 2222\r\n"
                            . $bytes);
    finish($sock);

    my $n = length $bytes;

    log_has(qr/"live\/from-192\.0\.2\.9" has ended: $n bytes, 0 dropped/,
            'the address that a PROXY header tells');
}

# who may

{
    my $sock = dial(10);

    TSCast::Net::put($sock, substr $bytes, 0, 188 * 7);
    ok(closed($sock), 'deny: a publisher');
    is(viewer(11)->wait_end, 'eof', 'deny: a viewer');
    is(() = $ngx->error_log =~ /access forbidden by rule/g, 2,
       'deny: log lines');

    my $cam = dial(1);

    mark();
    TSCast::Net::put($cam, $bytes);
    log_has(qr/is published/, 'a stream');

    my $first = viewer(12);

    ok($first->wait_bytes(188), 'limit_conn: the first viewer');
    is(viewer(12)->wait_end, 'eof', 'limit_conn: no second one');
    log_has(qr/limiting connections by zone "addr"/, 'limit_conn: the log');
    $first->close;

    ok(TSCast::Net::until_true(5, sub { viewer(12)->wait_bytes(188, 1) }),
       'limit_conn: when it has gone');

    # publishers of the same stream

    my $second = dial(1);

    TSCast::Net::put($second, substr $bytes, 0, 188 * 7);
    ok(closed($second), 'a second publisher is closed');
    log_has(qr/stream "live\/cam" has a publisher/, 'with a log line');
    access_has(qr{^409 TCP live/cam}m, 'status 409');

    # one that only looks in disturbs nobody

    ok(finish(dial(13)), 'takeover: a connection without a byte');
    log_has(qr/publisher closed the connection before its stream/,
            'takeover: the log');
    ok(TSCast::Net::put($cam, $bytes), 'takeover: not yet');

    my $v = viewer(2);

    ok($v->wait_bytes(188), 'takeover: a viewer');

    my $third = dial(13);

    TSCast::Net::put($third, TSCast::bytes('seconds=1 gop=0.5 filler=t'));
    ok(closed($cam), 'takeover: the first is closed');
    log_has(qr/another publisher has taken over stream "live\/cam"/,
            'takeover: the log');
    ok($v->wait_bytes(length($bytes) / 4 + 188 * 100),
       'takeover: the viewer goes on');

    finish($third);
    $v->close;
}

# a sender over UDP that is refused: one line, and it is heard when there is
# nobody else

{
    my $cam = dial(1);

    mark();
    TSCast::Net::put($cam, $bytes);
    log_has(qr/is published/, 'refused: TCP has the stream');

    my $u = TSCast::Datagrams->new(port => $port{1});

    mark();
    $u->send($bytes)->flush;
    $u->wait_read;
    is(() = news() =~ /has a publisher.*udp client/g, 1,
       'refused: a log line for all of its datagrams');

    finish($cam);

    # it asks about once a second

    my $heard = TSCast::Net::until_true(10, sub {
        $u->send(substr $bytes, 0, 1316);
        news() =~ /is published.*udp client/;
    });

    ok($heard, 'refused: heard later');

    my $v = viewer(2);

    $u->send($bytes)->flush;
    ok($v->wait_bytes(188), 'refused: a viewer sees it');
    log_has(qr/ \d{6,} bytes were not wanted.*udp client/,
            'refused: what was lost');
    $v->close;
}

# a stream that a link fetches

{
    my $origin = TSCast::Peer->new(port => $port{16});
    my $v = viewer(18);

    ok(TSCast::Reader::pump(5, sub { $origin->open }, $origin, $v),
       'on demand: the link asks for it');

    $origin->put($bytes);
    ok($v->wait_bytes(length($bytes) / 4), 'on demand: the viewer has it');
    is($v->{check}->opening, 'PAT PMT key', 'on demand: from a key frame');
    $v->close;
    $origin->close;

    # and one that does not come in time, or whose viewer does not wait

    my $silent = TSCast::Peer->new(port => $port{17});

    $v = viewer(19);
    is($v->wait_end, 'eof', 'on demand: closed when it does not come');
    log_has(qr/"live\/late" could not be fetched in time/,
            'on demand: with a log line');
    access_has(qr{^504 TCP live/late 0 0 0$}m, 'on demand: status 504');

    $v = viewer(19);
    $v->abort;
    access_has(qr{^200 TCP live/late 0 0 0$}m,
               'on demand: a viewer leaves before');
    $silent->close;
}

# garbage

{
    my $sock = dial(1);

    mark();
    TSCast::Net::put($sock, 'garbage ' x 16_384);
    ok(closed($sock), 'garbage over TCP is closed');
    log_has(qr/no transport stream in the first \d+ bytes for "live\/cam"/,
            'with a log line');
    access_has(qr{^415 TCP live/cam}m, 'status 415');

    $sock = dial(1);
    TSCast::Net::put($sock, 'short');
    finish($sock);
    log_has(qr/no transport stream in 5 bytes for "live\/cam"/,
            'as is a little of it');

    my $u = TSCast::Datagrams->new(port => $port{1});

    mark();
    $u->send('garbage ' x 40_000);
    $u->wait_read;
    is(() = news() =~ /no transport stream in the first/g, 1,
       'garbage over UDP: one log line');
}

# silence

{
    my $sock = dial(14);

    ok(closed($sock), 'a publisher that says nothing is closed');
    access_has(qr{^408 TCP live/quiet - - 0$}m, 'status 408');

    $sock = dial(14);
    TSCast::Net::put($sock, $bytes);
    ok(closed($sock), 'and one that stops');
    log_has(qr/publisher timed out.*client: 127\.0\.0\.1/, 'with a log line');
    access_has(qr{^408 TCP live/quiet - - @{[ length $bytes ]}$}m,
               'status 408');
}

# a publisher that is cut off

{
    my $sock = dial(1);

    mark();
    TSCast::Net::put($sock, $bytes);
    log_has(qr/is published/, 'a stream');
    TSCast::Net::reset_close($sock);
    access_has(qr{^400 TCP live/cam}m, 'broken off: status 400');
}

ok(TSCast::Net::until_true(5, sub {
    my @p = $ngx->error_log =~ /is published/g;
    my @e = $ngx->error_log =~ /has ended/g;

    return @p == @e;
}), 'every stream has ended');

$ngx->stop;
done_testing;
