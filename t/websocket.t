# Copyright (C) the tscast authors

use strict;
use warnings;

# WebSocket by RFC 6455: a row for each thing that a server must obey.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 1,
    tscast => 'zone live 8m window=10s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/ping/(?<stream>.+)$ {
            tscast_play live/$stream ping=300ms;
        }
        location ~ ^/end/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
        location ~ ^/soon/(?<stream>.+)$ {
            tscast_play live/$stream linger=200ms;
        }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
)->start;

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

$p->send($ts->take(2));

$ngx->wait_stream('/live/cam');


sub ws {
    my ($path, %opt) = @_;

    return TSCast::Reader->ws(port => $ngx->port, path => $path, %opt);
}


# a request by hand: its status and its headers

sub shake {
    my (%header) = @_;

    my $method = delete $header{method} || 'GET';
    my $version = delete $header{version} || '1.1';
    my $path = delete $header{path} || '/live/cam';

    my %h = ('Upgrade' => 'websocket', 'Connection' => 'Upgrade',
             'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
             'Sec-WebSocket-Version' => '13', %header);

    my $v = TSCast::Reader->http(
        port => $ngx->port, path => $path, method => $method,
        version => $version,
        headers => [map { "$_: $h{$_}" } grep { defined $h{$_} } sort keys %h]);

    $v->wait_head(3);
    $v->close;

    return $v;
}


# 4.2: the handshake

{
    # the key and its answer of section 1.3

    my $v = shake();

    is($v->{status}, 101, 'an upgrade');
    is($v->{h}{'sec-websocket-accept'}, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
       'the accept key');
    like($v->{h}{upgrade}, qr/^websocket$/i, 'Upgrade');
    like($v->{h}{connection}, qr/^upgrade$/i, 'Connection');
    is($v->{h}{'sec-websocket-protocol'}, undef, 'no subprotocol');
    is($v->{h}{'sec-websocket-extensions'}, undef, 'no extension');
    is($v->{h}{'transfer-encoding'}, undef, 'not chunked');
}

my @handshakes = (
    ['names in any case', 101, 'Upgrade' => 'WebSocket',
     'Connection' => 'keep-alive, upgrade'],
    ['an offer of extensions', 101,
     'Sec-WebSocket-Extensions' => 'permessage-deflate'],
    ['an origin', 101, 'Origin' => 'http://example.com'],
    ['several protocols to choose from in Upgrade', 101,
     'Upgrade' => 'h2c, websocket'],
    ['no key', 400, 'Sec-WebSocket-Key' => undef],
    ['an empty key', 400, 'Sec-WebSocket-Key' => ''],
    ['a short key', 400, 'Sec-WebSocket-Key' => 'c2hvcnQ='],
    ['a long key', 400,
     'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZSBpcyB0b28gbG9uZw=='],
    ['a key that is not base64', 400,
     'Sec-WebSocket-Key' => '!!!!IHNhbXBsZSBub25jZQ=='],
    ['no version', 400, 'Sec-WebSocket-Version' => undef],
    ['version 8', 426, 'Sec-WebSocket-Version' => '8'],
    ['version 14', 426, 'Sec-WebSocket-Version' => '14'],
    ['a stream that is not there', 404, path => '/live/nothing'],
    ['POST', 405, method => 'POST', 'Content-Length' => 0],
);

for my $row (@handshakes) {
    my ($name, $status, %header) = @$row;

    is(shake(%header)->{status}, $status, "handshake, $name: $status");
}

is(shake('Sec-WebSocket-Version' => '8')->{h}{'sec-websocket-version'}, '13',
   '426 names the version');

# an upgrade needs HTTP/1.1: over 1.0 it is none

isnt(shake(version => '1.0')->{status}, 101, 'no upgrade over HTTP/1.0');

for my $row (['null', 'null'], ['a, b', 'a'], ['tscast', 'tscast'],
             ['mp2t,null', 'mp2t'])
{
    my ($offer, $answer) = @$row;

    is(shake('Sec-WebSocket-Protocol' => $offer)
           ->{h}{'sec-websocket-protocol'}, $answer,
       "subprotocols $offer: the first is echoed");
}


# 5.6, 5.4: what the server sends

{
    my $v = ws('/all/cam');

    ok($v->wait_bytes(100_000), 'media');
    is("@{$v->{faults}}", '', 'unmasked, whole, minimal, of whole packets');
    cmp_ok($v->{largest}, '<=', 16_384, 'messages of 16 kB at most');
    $v->close;
}


# 5.5.2: ping and pong

my @pings = (
    ['empty', ''],
    ['of text', 'hello'],
    ['of 125 bytes', 'x' x 125],
);

for my $row (@pings) {
    my ($name, $payload) = @$row;
    my $v = ws('/live/cam');

    $v->wait_head;
    $v->put(TSCast::WebSocket::frame(9, $payload));
    TSCast::Reader::pump(3, sub { @{$v->{pongs}} || $v->{end} }, $v);
    is_deeply($v->{pongs}, [$payload], "a ping $name is answered");
    $v->close;
}

{
    my $v = ws('/live/cam', extra => TSCast::WebSocket::frame(9, 'early'));

    TSCast::Reader::pump(3, sub { @{$v->{pongs}} || $v->{end} }, $v);
    is_deeply($v->{pongs}, ['early'], 'one in the segment of the handshake');
    $v->put(split //, TSCast::WebSocket::frame(9, 'in single bytes'));
    TSCast::Reader::pump(3, sub { @{$v->{pongs}} > 1 || $v->{end} }, $v);
    is($v->{pongs}[1], 'in single bytes', 'one in single bytes');
    $v->put(TSCast::WebSocket::frame(10, 'nobody asked'));
    $v->put(TSCast::WebSocket::frame(9, 'still here'));
    TSCast::Reader::pump(3, sub { @{$v->{pongs}} > 2 || $v->{end} }, $v);
    is($v->{pongs}[2], 'still here', 'an unasked pong does no harm');
    $v->close;
}

# fragments of a message, with a ping between them, at every split

{
    my $frames = TSCast::WebSocket::frame(1, 'ab', fin => 0)
                 . TSCast::WebSocket::frame(9, 'p')
                 . TSCast::WebSocket::frame(0, 'c', fin => 0)
                 . TSCast::WebSocket::frame(0, 'd');
    my $good = 0;

    for my $at (1 .. length($frames) - 1) {
        my $v = ws('/live/cam', deadline => 3);

        $v->wait_head;
        $v->put(substr($frames, 0, $at));
        $v->put(substr($frames, $at));
        $v->put(TSCast::WebSocket::frame(9, 'q'));
        TSCast::Reader::pump(3, sub { @{$v->{pongs}} > 1 || $v->{end} }, $v);
        $good++ if "@{$v->{pongs}}" eq 'p q';
        $v->close;
    }

    is($good, length($frames) - 1, 'fragments at every split');
}


# what a client must not do, and the code that it gets

my $f = \&TSCast::WebSocket::frame;

my @wrongs = (
    # 5.1
    ['an unmasked frame', 1002, $f->(1, 'x', mask => '')],
    ['an unmasked ping', 1002, $f->(9, 'x', mask => '')],
    # 5.2
    ['reserved bit 1', 1002, $f->(1, 'x', rsv => 4)],
    ['reserved bit 2', 1002, $f->(1, 'x', rsv => 2)],
    ['reserved bit 3', 1002, $f->(1, 'x', rsv => 1)],
    ['a reserved bit on a ping', 1002, $f->(9, 'x', rsv => 4)],
    (map { ["opcode $_", 1002, $f->($_, 'x')] } 3 .. 7, 11 .. 15),
    ['a length of 16 bits for 5 bytes', 1002, $f->(1, 'xxxxx', len_as => 16)],
    ['a length of 64 bits for 5 bytes', 1002, $f->(1, 'xxxxx', len_as => 64)],
    ['a length of 64 bits for 200 bytes', 1002,
     $f->(2, 'x' x 200, len_as => 64)],
    ['a length with the highest bit', 1002,
     pack('C C Q>', 0x82, 0xff, 1 << 63) . 'mask'],
    # 5.4
    ['a continuation of nothing', 1002, $f->(0, 'x')],
    ['a message within a message', 1002,
     $f->(1, 'x', fin => 0) . $f->(1, 'y')],
    # 5.5
    ['a ping in fragments', 1002, $f->(9, 'x', fin => 0)],
    ['a close in fragments', 1002, $f->(8, pack('n', 1000), fin => 0)],
    ['a ping of 126 bytes', 1002, $f->(9, 'x' x 126)],
    ['a close of 126 bytes', 1002, $f->(8, pack('n', 1000) . 'x' x 124)],
    # 5.5.1, 7.4
    ['a close of one byte', 1002, $f->(8, 'x')],
    (map { ["close code $_", 1002, $f->(8, pack 'n', $_)] }
         0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535),
    ['a close with a reason that is not UTF-8', 1007,
     $f->(8, pack('n', 1000) . "\xff\xfe")],
    # 8.1
    ['text that is not UTF-8', 1007, $f->(1, "\xc0\x80")],
    ['text with a surrogate', 1007, $f->(1, "\xed\xa0\x80")],
    ['text beyond U+10FFFF', 1007, $f->(1, "\xf4\x90\x80\x80")],
    ['text that ends in a character', 1007, $f->(1, "\xe2\x82")],
    ['text that is not UTF-8 in fragments', 1007,
     $f->(1, "\xe2", fin => 0) . $f->(0, "\x28\xa1")],
    # 7.4.1
    ['a message over 64 kB', 1009, $f->(2, 'x' x 65_537)],
    ['a message over 64 kB in fragments', 1009,
     $f->(2, 'x' x 40_000, fin => 0) . $f->(0, 'x' x 40_000)],
    ['a message of 1 TB', 1009, pack('C C Q>', 0x82, 0xff, 1 << 40) . 'mask'],
);

for my $row (@wrongs) {
    my ($name, $code, $bytes) = @$row;
    my $v = ws('/live/cam', deadline => 3);

    $v->wait_head;
    $v->put($bytes);
    $v->wait_end(4);
    is($v->{close}, $code, "$name: $code");
    is(($v->{end} // 'open') . " @{$v->{faults}}", 'complete ',
       'and the connection ends in order');
    $v->close;
}


# what it may do

my @rights = (
    ['text', $f->(1, 'hello')],
    ['text in UTF-8', $f->(1, "\xe2\x82\xac \xf0\x9f\x98\x80")],
    ['a character split over fragments',
     $f->(1, "\xe2\x82", fin => 0) . $f->(0, "\xac")],
    ['an empty message', $f->(1, '')],
    ['bytes', $f->(2, join '', map { chr } 0 .. 255)],
    ['a message of 125, 126 and 127 bytes',
     join '', map { $f->(2, 'x' x $_) } 125 .. 127],
    ['a message of 64 kB', $f->(2, 'x' x 65_536)],
    ['a mask of zeros', $f->(1, 'hello', mask => "\0\0\0\0")],
    ['a hundred at once', $f->(1, 'hello') x 100],
);

for my $row (@rights) {
    my ($name, $bytes) = @$row;
    my $v = ws('/live/cam', deadline => 3);

    $v->wait_head;
    $v->put($bytes . $f->(9, 'after'));
    TSCast::Reader::pump(3, sub { @{$v->{pongs}} || $v->{end} }, $v);
    is_deeply($v->{pongs}, ['after'], "$name is taken")
        or diag('close ' . ($v->{close} // 'none'));
    $v->close;
}


# 5.5.1, 7: closing

for my $code (1000, 1001, 1003, 1007, 1011, 3000, 4999) {
    my $v = ws('/live/cam');

    $v->wait_bytes(188);
    $v->say_close($code, 'bye');
    is(($v->wait_end(3) // 'open') . ' ' . ($v->{close} // 'none')
       . " @{$v->{faults}}", "complete $code ", "a close of $code");
    $v->close;
}

{
    my $v = ws('/live/cam');

    $v->wait_bytes(188);
    $v->say_close;
    is(($v->wait_end(3) // 'open') . ' ' . ($v->{close} // 'none'),
       'complete 0', 'a close without a code is answered without one');
    $v->close;

    $v = ws('/live/cam');
    $v->wait_bytes(188);
    $v->say_close(1000);
    $v->say_close(1000);
    $v->put(TSCast::WebSocket::frame(9, 'x'));
    is(($v->wait_end(3) // 'open') . " @{$v->{faults}} @{$v->{pongs}}",
       'complete  ', 'nothing after a close is answered');
    $v->close;
}

# half-close and gone

{
    my $v = ws('/live/cam');

    $v->wait_bytes(188);
    shutdown $v->{sock}, 1;
    ok($v->wait_end(3), 'a viewer that half-closes is let go');
    $v->close;

    $v = ws('/live/cam');
    $v->wait_bytes(188);
    $v->abort;
}


# pings of the server

{
    my $v = ws('/ping/cam');

    ok(TSCast::Reader::pump(4, sub { @{$v->{pings}} > 3 || $v->{end} }, $v),
       'the server pings');
    is($v->{end}, undef, 'and keeps who answers');
    $v->close;

    my $dumb = ws('/ping/cam', pong => 0);

    ok($dumb->wait_end(4), 'who answers nothing is dropped');
    cmp_ok(scalar @{$dumb->{pings}}, '<=', 3, 'after two pings');
    $dumb->close;
}

# anything that it sends is a sign of life

{
    my $v = ws('/ping/cam', pong => 0);

    for (1 .. 8) {
        TSCast::Reader::pump(0.2, sub { $v->{end} }, $v);
        last if $v->{end};
        $v->put(TSCast::WebSocket::frame(10, ''));
    }

    is($v->{end}, undef, 'an unasked pong counts');
    $v->close;
}


# the ends of streams and servers

{
    my $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/end');

    $q->send(TSCast::bytes('seconds=1'));

    my @v = map { ws($_) } '/end/end', '/soon/end', '/live/end';

    TSCast::Net::until_true(3, sub {
        $_->{status} // $_->read_some for @v;
        !grep { ($_->{status} // 0) != 101 && ($_->{status} // 0) != 404 } @v;
    });

    $q->finish->status;
    $q->close;

    is(($v[0]->wait_end(3) // 'open') . ' ' . ($v[0]{close} // ''),
       'complete 1000', 'linger=0: 1000 when the feed ends');
    is(($v[1]->wait_end(3) // 'open') . ' ' . ($v[1]{close} // ''),
       'complete 1000', 'linger=200ms: 1000 a little later');
    is($v[2]{end}, undef, 'linger=30s: not yet');
    is("@{$_->{faults}}", '', 'without a fault') for @v;
    $_->close for @v;
}

{
    my $v = ws('/live/cam');

    $v->wait_bytes(188);

    is($p->finish->status, 204, 'the publisher ends');
    $p->close;

    $v->close;
}

$ngx->stop;
done_testing;
