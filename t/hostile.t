# Copyright (C) the tscast authors

use strict;
use warnings;

# Peers who mean no good, or know no better.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 16m window=5s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
        location ~ ^/any/(?<stream>[^/]+)$ {
            tscast_ingest live/$stream;
            tscast_play live/$stream;
            add_header X-Stream "is $tscast_stream" always;
        }
END_OF_CONF
)->start;

my $port = $ngx->port;


sub publisher {
    my ($path, %opt) = @_;

    return TSCast::Publisher->new(port => $port, path => $path, %opt);
}


sub viewer {
    my ($path, $how, %opt) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $port, path => $path, %opt);
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    return $v;
}


# somebody well-behaved, who must not notice any of this

my $good = publisher('/push/good');
my $good_ts = TSCast::TS->new(seconds => 0, gop => 0.4);

$good->send($good_ts->take(1));

my $witness = viewer('/live/good', 'ws', keep => 0);


sub still_good {
    my ($after) = @_;

    $good->send($good_ts->take(0.4));

    my $last = $good_ts->{serial} - 1;

    TSCast::Reader::pump(5, sub { ($witness->{check}{high} // 0) == $last },
                         $witness);
    is($witness->faults, '', "after $after, others are fine");
    is($witness->{check}{high}, $last, 'and up to date');
}


my @refused = (
    ['noise', join '', map { chr rand 256 } 1 .. 70_000],
    ['zeros', "\0" x 70_000],
    ['nothing but sync bytes at a distance of 204',
     join '', ("\x47" . 'x' x 203) x 400],
    ['sync bytes at a distance of 192', join '', ("\x47" . 'x' x 191) x 400],
);

for my $row (@refused) {
    my ($name, $bytes) = @$row;
    my $p = publisher('/push/bad');

    $p->send($bytes);
    is($p->status(3), 415, "$name: 415");
    ok(defined $p->closed_within(2), 'and closed');
    $p->close;
}

still_good('what is no stream');

# garbage without end

{
    my $p = publisher('/push/bad');
    my $start = time;

    1 while time - $start < 5 && $p->send('x' x 10_000);

    cmp_ok(time - $start, '<', 3, 'garbage for ever is cut');
    $p->close;
}

# garbage in the middle of a stream

{
    my $p = publisher('/push/middle');
    my $ts = TSCast::TS->new(seconds => 0);
    my $v;

    $p->send($ts->take(1));
    $v = viewer('/live/middle', 'http');
    $p->send('x' x 3_000_000);
    $p->send($ts->take(1));

    my $last = $ts->{serial} - 1;

    ok(TSCast::Reader::pump(5, sub { ($v->{check}{high} // 0) == $last }, $v),
       'three megabytes of garbage, and it goes on');
    is($v->faults, '', 'none of it comes out');
    is($p->finish->status, 204, 'the publisher is kept');
    $_->close for $p, $v;
}

# stalls in the middle of a packet

{
    my $p = publisher('/push/stall');
    my $bytes = TSCast::bytes('seconds=1');

    $p->send(substr $bytes, 0, 188 * 50 + 3);

    my $v = viewer('/all/stall', 'http');

    TSCast::Reader::pump(0.5, sub { 0 }, $v);
    is($v->{bytes} % 188, 0, 'half a packet is not shown');
    $p->send(substr $bytes, 188 * 50 + 3);
    is($p->finish->status, 204, 'a stall in mid-packet');
    $v->wait_end;
    ok($v->{body} eq $bytes, 'changes nothing');
    $_->close for $p, $v;
}

# a last packet that is not whole

{
    my $p = publisher('/push/cut');
    my $bytes = TSCast::bytes('seconds=1');

    $p->send($bytes . substr $bytes, 0, 100);
    is($p->finish->status, 204, 'a body that ends in mid-packet');

    my $v = viewer('/all/cut', 'http');

    $v->wait_end;
    ok($v->{body} eq $bytes, 'is shown up to there');
    $_->close for $p, $v;
}

still_good('these');

# connections that say nothing, or not all

{
    my @socks = map { TSCast::Net::dial($port) } 1 .. 500;

    TSCast::Net::put($_, "GET /live/good HTTP/1.1\r\nHo")
        for @socks[0 .. 249];

    still_good('500 connections that say nothing');

    TSCast::Net::reset_close($_) for @socks;
}

# publishers and viewers who leave at once

for my $round (1 .. 300) {
    my $p = publisher('/push/brief');

    $p->send(TSCast::bytes('seconds=0.2')) if $round % 3;

    my $how = $round % 2 ? 'http' : 'ws';
    my $v = TSCast::Reader->$how(port => $port,
                                 path => $round % 5 ? '/live/good'
                                                    : '/live/brief');

    $v->wait_head if $round % 7 == 0;
    $round % 2 ? $v->abort : $v->close;
    $round % 4 ? $p->abort : $p->close;
}

still_good('300 publishers and viewers who leave at once');

# names

{
    my $bytes = TSCast::bytes('seconds=0.4 bitrate=100000');
    my %status;

    for my $n (1 .. 400) {
        my $p = publisher("/push/name$n");

        $p->send($bytes);
        $status{$p->finish->status // 'none'}++;
        $p->close;
    }

    is_deeply([grep { $_ != 204 && $_ != 507 } keys %status], [],
              '400 names, one after the other');
}

still_good('400 names');

# names that are to look like a header, or like a line of the log

for my $method ('GET', 'POST') {
    my $name = 'x%0D%0AX-Forged:%20yes%0D%0Aa%20line%20' . 'n' x 1000;
    my $v = TSCast::Reader->http(port => $port, path => "/any/$name",
                                 method => $method,
                                 headers => ['Content-Length: 0']);

    is($v->wait_head(3), 400, "$method: a name with line feeds: 400");
    is($v->{h}{'x-forged'}, undef, 'adds no header');
    is($v->{h}{'x-stream'}, 'is', 'and is not that of a stream');
    $v->close;
}

is(scalar(grep { !/^\d{4}.* \[\w+\] / } split /\n/, $ngx->error_log), 0,
   'nor a line to the error log');
ok($ngx->wait_log(qr/invalid stream name "x%0D%0AX-Forged:%20yes%0D%0A/),
   'which tells of it');

# pings whose answers are not read

{
    my $v = TSCast::Reader->ws(port => $port, path => '/live/good',
                               rcvbuf => 4096, deadline => 2);
    my $pings = TSCast::WebSocket::frame(9, 'x' x 125) x 1000;

    $v->wait_head;
    1 while $v->put($pings);
    ok($ngx->wait_log(qr/\[info\].* asks for answers that it does not read/),
       'who reads no pong is cut');
    $v->close;
}

still_good('these');

# one byte at a time, for a while

{
    my $v = TSCast::Reader->ws(port => $port, path => '/live/good', keep => 0,
                               rcvbuf => 4096, slow => 1);

    $v->wait_head;

    my $q = publisher('/push/other');
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 8_000_000);
    my $w = do {
        $q->send($ts->take(0.2));
        viewer('/live/other', 'http', keep => 0);
    };

    for (1 .. 100) {
        $q->send($ts->take(0.04)) or die 'cut';
        $v->read_some;
        TSCast::Reader::pump(0.005, sub { 0 }, $w);
    }

    my $last = $ts->{serial} - 1;

    TSCast::Reader::pump(5, sub { ($w->{check}{high} // 0) == $last }, $w);
    is($w->faults, '', 'beside one who reads a byte at a time');
    is($q->finish->status, 204, 'a publisher is not held up');
    $_->close for $v, $q, $w;
}

# a request head and a body in one segment, and what follows it

{
    my $bytes = TSCast::bytes('seconds=0.4');
    my $s = TSCast::Net::dial($port);

    TSCast::Net::put($s, "PUT /push/one HTTP/1.1\r\nHost: x\r\nContent-Length: "
                         . length($bytes) . "\r\n\r\n$bytes"
                         . "GET /all/one HTTP/1.0\r\n\r\n");

    my $in = '';

    while (defined(my $more = TSCast::Net::get($s, 3))) {
        last if $more eq '';
        $in .= $more;
    }

    like($in, qr{\AHTTP/1\.1 204 }, 'a request of one segment');

    my ($body) = $in =~ m{HTTP/1\.1 200 .*?\r\n\r\n(.*)\z}s;

    ok(defined $body && $body eq $bytes, 'and one pipelined after it')
        if $in !~ /^Connection: close/m;
    close $s;
}

# viewers with a body: it is thrown away, but nobody waits for it

my $upgrade = join '', map { "$_\r\n" }
              'Upgrade: websocket', 'Connection: Upgrade',
              'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
              'Sec-WebSocket-Version: 13';

for my $row (
    ['half a body', "Content-Length: 1000\r\n\r\nabc", 400],
    ['half a chunk', "Transfer-Encoding: chunked\r\n\r\n5\r\nab", 400],
    ['an upgrade and no byte of a body',
     "${upgrade}Content-Length: 20\r\n\r\n", 400],
    ['an upgrade and no chunk',
     "${upgrade}Transfer-Encoding: chunked\r\n\r\n", 400],
    ['a whole body', "Content-Length: 3\r\n\r\nabc", 200],
    ['an upgrade and a whole body',
     "${upgrade}Content-Length: 3\r\n\r\nabc", 101],
    ['no body', "Content-Length: 0\r\n\r\n", 200],
    ['an upgrade and no body', "${upgrade}Content-Length: 0\r\n\r\n", 101],
) {
    my ($name, $rest, $status) = @$row;
    my $s = TSCast::Net::dial($port);

    TSCast::Net::put($s, "GET /live/good HTTP/1.1\r\nHost: x\r\n$rest");

    my $in = TSCast::Net::get($s, 3) // '';

    like($in, qr{\AHTTP/1\.1 $status }, "a viewer with $name: $status");
    close $s;
}

# chunks that are none

{
    my $s = TSCast::Net::dial($port);

    TSCast::Net::put($s, "PUT /push/chunk HTTP/1.1\r\nHost: x\r\n"
                         . "Transfer-Encoding: chunked\r\n\r\nxyz\r\n");

    my $in = TSCast::Net::get($s, 3);

    like($in // '', qr{\A(HTTP/1\.1 400 |\z)}, 'a broken chunk: 400, or cut');
    close $s;

    my $p = publisher('/push/chunk');

    $p->send(TSCast::bytes('seconds=1'));
    TSCast::Net::put($p->{sock}, "zz\r\n");

    my $status = $p->status(3);

    ok(defined $status && $status != 204, 'one in the middle');
    $p->close;

    # its worker may not have noticed yet that it is gone

    $status = 0;

    TSCast::Net::until_true(2, sub {
        $p = publisher('/push/chunk');
        $p->send(TSCast::bytes('seconds=1'));
        $status = $p->finish->status;
        $p->close;

        return $status == 204;
    });

    is($status, 204, 'the name is free after it');
}

still_good('all this');

is($good->finish->status, 204, 'the publisher of the good stream ends');
$_->close for $good, $witness;
$ngx->stop;
done_testing;
