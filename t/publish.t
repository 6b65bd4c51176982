# Copyright (C) the tscast authors

use strict;
use warnings;

# A publisher's connection: 100-continue, silence, going away, being replaced.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 16m window=10s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/brief/(?<stream>.+)$ {
            tscast_ingest live/$stream timeout=1s;
        }
        location ~ ^/take/(?<stream>.+)$ {
            tscast_ingest live/$stream takeover=on;
        }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
END_OF_CONF
)->start;

my $port = $ngx->port;


sub publisher {
    my ($path, %opt) = @_;

    return TSCast::Publisher->new(port => $port, path => $path, %opt);
}


# a viewer who is fed already

sub viewer {
    my ($path, $how) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $port, path => $path);
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    $v->wait_bytes(188) or die "nothing from $path";

    return $v;
}


# Expect: 100-continue

{
    my $p = publisher('/push/expect', headers => ['Expect: 100-continue']);

    my $in = TSCast::Net::get($p->{sock}, 5);

    like($in, qr{\AHTTP/1\.1 100 Continue\r\n\r\n\z}, '100 Continue');
    $p->send(TSCast::bytes('seconds=1'));
    is($p->finish->status, 204, 'and 204 at the end');
    $p->close;
}

# refused before it is told to go on

{
    my $p = publisher('/push/expect');

    $p->send(TSCast::bytes('seconds=1'));

    my $v = viewer('/live/expect', 'http');
    my $q = publisher('/push/expect', headers => ['Expect: 100-continue']);

    is($q->status(5), 409, '409 to a publisher who asks before');
    is($p->finish->status, 204, 'the first one is undisturbed');
    $_->close for $p, $q, $v;
}

# silence

{
    my $p = publisher('/brief/silent');

    $p->send(TSCast::bytes('seconds=1'));

    my $start = time;
    my $closed = $p->closed_within(5);

    ok(defined $closed, 'a silent publisher is closed');
    cmp_ok(time - $start, '>', 0.8, 'not before its timeout');
    ok($ngx->wait_log(qr{^408 \d+ POST /brief/silent live/silent }m, 5,
                      'access'), '408 in the access log');
    is($p->{in}, '', 'no answer is sent');
    $p->close;

    $p = publisher('/brief/silent');
    $p->send(TSCast::bytes('seconds=1'));
    is($p->finish->status, 204, 'the name is free');
    $p->close;
}

# one that trickles is not silent

{
    my $p = publisher('/brief/slow');
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 40_000, audio => 0);
    my $start = time;

    while (time - $start < 2.5) {
        $p->send($ts->take(0.2));
        select undef, undef, undef, 0.2;
    }

    is($p->finish->status, 204, 'a slow publisher is not cut');
    $p->close;
}

# going away without a word, in the middle of a packet

for my $how (qw(close abort)) {
    my $p = publisher("/push/$how");
    my $bytes = TSCast::bytes('seconds=1');

    $p->send(substr $bytes, 0, 188 * 200 + 99);

    my $v = viewer("/live/$how", 'ws');

    $p->$how;

    my ($q, $status);

    TSCast::Net::until_true(5, sub {
        $q = publisher("/push/$how");
        $q->send(TSCast::bytes('seconds=1 serial=10000'));
        $status = $q->status(0.1);

        return !defined $status;
    });

    is($status, undef, "$how: the name is free for the next");
    ok(TSCast::Reader::pump(5, sub { ($v->{check}{high} // 0) > 10_200 }, $v),
       'the viewer goes on with it');
    is($v->faults(missing => 1), '', 'without a fault');
    is($v->{check}{discontinuities}, 1, 'over a discontinuity');
    ok($v->{check}->opens_well, 'with tables and a key frame');
    is($q->finish->status, 204, 'and it ends well');
    $_->close for $q, $v;
}

# takeover

{
    my $p = publisher('/take/cam');

    $p->send(TSCast::bytes('seconds=1'));

    my @v = map { viewer('/live/cam', $_) } qw(http ws);

    my $q = publisher('/take/cam');

    $q->send(TSCast::bytes('seconds=1 serial=10000'));

    ok(TSCast::Reader::pump(5, sub {
        !grep { ($_->{check}{high} // 0) < 10_200 } @v
    }, @v), 'takeover=on: the new one is seen');

    for my $v (@v) {
        is($v->faults(missing => 1), '', 'without a fault');
        is($v->{check}{discontinuities}, 1, 'over a discontinuity');
        is($v->{check}{late}, 0, 'that is announced on all PIDs');
        ok($v->{check}->opens_well, 'with tables and a key frame');
    }

    my $status = $p->status(5);

    ok(defined $status && $status != 204, 'the old one is sent away');
    ok(defined $p->closed_within(3), 'and closed');
    is($q->finish->status, 204, 'the new one ends well');
    $_->close for $p, $q, @v;
}

# where the first was let in does not matter, the second's location does

{
    my $p = publisher('/push/both');

    $p->send(TSCast::bytes('seconds=1'));

    my $v = viewer('/live/both', 'http');

    is(publisher('/push/both')->status(5), 409, 'no takeover by this door');

    my $q = publisher('/take/both');

    $q->send(TSCast::bytes('seconds=1 serial=10000'));
    ok(TSCast::Reader::pump(5, sub { ($v->{check}{high} // 0) > 10_200 }, $v),
       'but by that one');
    is($q->finish->status, 204, 'it ends well');
    $_->close for $p, $q, $v;
}

# linger: a viewer stays between two publishers who come one after the other

{
    my $p = publisher('/push/linger');

    $p->send(TSCast::bytes('seconds=1'));

    my $v = viewer('/live/linger', 'ws');

    is($p->finish->status, 204, 'the first publisher ends');
    $p->close;
    TSCast::Reader::pump(0.3, sub { $v->{end} }, $v);
    is($v->{end}, undef, 'the viewer stays');

    for my $n (1 .. 3) {
        my $q = publisher('/push/linger');

        $q->send(TSCast::bytes('seconds=1 serial=' . $n * 10_000));
        ok(TSCast::Reader::pump(5, sub {
            ($v->{check}{high} // 0) > $n * 10_000 + 200
        }, $v), "and sees publisher $n after it");
        is($q->finish->status, 204, 'which ends');
        $q->close;
    }

    is($v->{check}{discontinuities}, 3, 'three discontinuities');
    ok($v->{check}->opens_well, 'each with tables and a key frame');
    is($v->faults(missing => 1), '', 'without a fault');
    $v->close;
}

# a keep-alive connection carries one stream after another

{
    my $p = publisher('/push/keep');
    my $bytes = TSCast::bytes('seconds=1');

    $p->send($bytes);
    is($p->finish->status, 204, 'a stream');

    if (($p->{answer} // '') !~ /^Connection: close/mi) {
        $p->{in} = '';
        TSCast::Net::put($p->{sock}, join "\r\n", 'PUT /push/keep HTTP/1.1',
                         'Host: x', 'Content-Length: ' . length $bytes, '', '');
        $p->{length} = length $bytes;
        $p->send($bytes);
        is($p->status, 204, 'and another over the same connection');
    }

    $p->close;
}

$ngx->stop;
done_testing;
