# Copyright (C) the tscast authors

use strict;
use warnings;

# Ingest and play over HTTP/2: bytes, answers, flow control, early ends.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use TSCast;

plan skip_all => 'nginx has no HTTP/2'
    if TSCast::Nginx::built() !~ /--with-http_v2_module/;

my $tls = TSCast::TLS::missing() eq '';
my $curl = `curl -V 2>&1` =~ /\bHTTP2\b/;

my $doors = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/brief/(?<stream>.+)$ {
            tscast_ingest live/$stream timeout=1s;
        }
        location ~ ^/take/(?<stream>.+)$ {
            tscast_ingest live/$stream takeover=on;
        }
        location ~ ^/small/(?<stream>.+)$ {
            tscast_ingest live/$stream;
            client_body_buffer_size 128k;
        }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream linger=0;
        }
        location ~ ^/drop/(?<stream>.+)$ {
            tscast_play live/$stream lag=drop linger=0;
        }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
        location ~ ^/hurry/(?<stream>.+)$ {
            tscast_play live/$stream;
            send_timeout 1s;
        }
END_OF_CONF

# the same with a short window, for those who are to fall out of it

(my $short = $doors) =~ s{\^/}{^/short/}g;

$short =~ s{live/\$stream}{short/\$stream}g;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 48m; zone short 16m window=2s;',
    http => 'http2_max_concurrent_streams 1000; keepalive_requests 100000;',
    server => $doors . $short . ($tls ? <<'END_OF_TLS' : '') . <<'END_OF_CONF',
        listen 127.0.0.1:$PORT_2 ssl http2;
        ssl_certificate $PREFIX/server.pem;
        ssl_certificate_key $PREFIX/server.key;
END_OF_TLS
        listen 127.0.0.1:$PORT_1 http2;
END_OF_CONF
);

TSCast::TLS::certificate($ngx->prefix, 'server') if $tls;
$ngx->start;

my $port = $ngx->other_port(1);
my $secure = $ngx->other_port(2);
my $prefix = $ngx->prefix;


sub client {
    return TSCast::HTTP2->new(port => $port, @_);
}


# a viewer, as soon as the stream is there

sub viewer {
    my ($c, $path, %opt) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = $c->request($path, %opt);
        ($v->status // 0) != 404;
    });

    return $v;
}


sub publish {
    my ($c, $path, $bytes) = @_;

    my $p = $c->request($path, method => 'PUT', body => 1);

    $p->send($bytes);

    return $p->finish->status(5);
}


# until a stream of $ts has come to its end with everybody

sub up_to_date {
    my ($ts, @viewers) = @_;

    my $last = $ts->{serial} - 1;
    my %c = map { $_->{connection} => $_->{connection} } @viewers;

    return TSCast::Reader::pump(8, sub {
        !grep { ($_->{check}{high} // -1) != $last } @viewers
    }, values %c);
}


my $bytes = TSCast::bytes('seconds=4 bitrate=2000000');

# curl, both ways

SKIP: {
    skip 'curl has no HTTP/2', 1 if !$curl;

    my $in = $ngx->write_file('in.ts', $bytes);

    my @ways = (['h2c', "http://127.0.0.1:$port", '--http2-prior-knowledge']);

    push @ways, ['h2', "https://127.0.0.1:$secure", '--http2'] if $tls;

    for my $row (@ways) {
        my ($what, $base, $how) = @$row;
        my @curl = ('curl', '-sSfk', $how, '-w', '%{http_version}');
        my $out = "$prefix/$what.ts";

        is(`@curl -o /dev/null -T $in $base/push/$what`, '2',
           "$what: curl publishes");
        is(`@curl -o $out $base/all/$what`, '2', "$what: curl watches");
        is(system('cmp', '-s', $in, $out), 0, "$what: byte for byte");
    }
}

# the same over TLS by hand, many at once on one connection

SKIP: {
    skip 'no TLS', 1 if !$tls;

    my $c = TSCast::HTTP2->new(sock => TSCast::TLS::dial($secure,
                                                         alpn => 'h2'));

    is(publish($c, '/push/tls', $bytes), 204, 'TLS: published');

    my @v = map { $c->request('/all/tls') } 1 .. 10;

    $_->wait_end for @v;
    is(scalar(grep { $_->{end} eq 'complete' && $_->{body} eq $bytes } @v),
       10, 'TLS: ten viewers of one connection, byte for byte');
    is("@{$c->{faults}}", '', 'within the protocol');
    $c->close;
}

# answers; what is refused leaves the rest of its connection alone

{
    my $c = client(window => 1_000_000);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = $c->request('/push/cam', method => 'POST', body => 1);

    $p->send($ts->take(1));

    my $v = viewer($c, '/live/cam');

    is($v->{status}, 200, 'a viewer beside its publisher');

    my @rows = (
        [HEAD => '/live/cam', 200], [GET => '/live/none', 404],
        [DELETE => '/live/cam', 405], [PUT => '/live/cam', 405],
        [GET => '/push/cam', 405], [GET => '/live/a%20b', 400],
        [PUT => '/push/a%20b', 400], [PUT => '/push/cam', 409],
        [PUT => '/push/noise', 415], [PUT => '/push/short', 204],
    );

    for my $row (@rows) {
        my ($method, $path, $status) = @$row;
        my $put = $method eq 'PUT';
        my $r = $c->request($path, method => $method, body => $put);

        $r->send($path eq '/push/short' ? $bytes : "\x01" x 70_000, 1)
            if $put;

        is($r->status(3), $status, "$method $path: $status");

        if ($method eq 'HEAD') {
            $r->wait_end(2);
            is("$r->{end} $r->{bytes}", 'complete 0', 'and no body');
        }

        ok(defined $r->wait_end(2), 'and it ends');
    }

    $p->send($ts->take(1));
    ok(up_to_date($ts, $v), 'the viewer goes on');
    is($v->faults, '', 'without a fault');
    is($p->finish->status, 204, 'and so does the publisher');
    is($v->wait_end, 'complete', 'to the end');
    $c->close;
}

# an empty body is an empty stream

{
    my $c = client();
    my $p = $c->request('/push/empty', method => 'PUT');

    is($p->status(3), 204, 'neither a length nor a body');
    $c->close;
}

# what a publisher may send ahead

for my $row (['/push/w', 524_288], ['/small/w', 131_072]) {
    my ($path, $window) = @$row;
    my $c = client();

    $c->ping;

    my $p = $c->request($path, method => 'PUT', body => 1);

    TSCast::Reader::pump(3, sub { $p->{room} >= $window }, $c);
    $c->ping;
    is($p->{room}, $window, "$path: a window of $window");

    for (1 .. 4) {
        $p->send($bytes);
        $c->ping;
    }

    is($p->{most}, $window, 'and never more');
    cmp_ok($p->{sent}, '>', 3 * $window, 'given back as it is read');
    is($p->finish->status, 204, 'to the end');
    $c->close;
}

# many viewers on few connections, on both workers

{
    my @c = map {
        TSCast::HTTP2->new(window => 1_000_000, sock =>
                           $ngx->connect_to_worker($_, port => $port))
    } $ngx->workers;

    my $pc = client();
    my $p = $pc->request('/push/many', method => 'PUT', body => 1);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);

    $p->send($ts->take(1));

    my @v = map { viewer($_, '/all/many', keep => 0) } @c;

    push @v, map { my $c = $_;
                   map { $c->request('/all/many', keep => 0) } 1 .. 39 } @c;

    for (1 .. 25) {
        $p->send($ts->take(0.08));
        TSCast::Reader::pump(0.01, sub { 0 }, @c);
    }

    ok(up_to_date($ts, @v), '80 viewers on two connections get all of it');
    is(scalar(grep { $_->faults ne '' || $_->{check}{low} != 0 } @v), 0,
       'without a fault');

    # who leaves is nobody else's business

    $_->reset for @v[10 .. 19, 50 .. 59];
    $p->send($ts->take(1));
    ok(up_to_date($ts, @v[0 .. 9, 20 .. 49, 60 .. 79]),
       '20 are cancelled, 60 go on');

    ok($ngx->wait_log(qr{(^\d+ \d+ GET /all/many.*\n(?s:.*?)){20}}m, 3,
                      'access'), 'and leave a line each');

    is($p->finish->status, 204, 'the publisher ends');
    $_->wait_end for @v[0 .. 9, 20 .. 49, 60 .. 79];
    is(scalar(grep { $_->{end} eq 'complete' } @v), 60, 'and the viewers');
    $_->close for @c, $pc;
}

# one who does not open his window: skipped or dropped, alone

{
    my $c = client(window => 1_000_000);
    my $pc = client();
    my $p = $pc->request('/short/push/slow', method => 'PUT', body => 1);
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 8_000_000, gop => 0.4);

    $p->send($ts->take(0.4));

    my $good = viewer($c, '/short/live/slow', keep => 0);
    my $skip = $c->request('/short/live/slow', keep => 0, hold => 1);
    my $drop = $c->request('/short/drop/slow', keep => 0, hold => 1);

    $_->status for $skip, $drop;

    my $start = time;
    my $from = $ts->clock;

    my $go_on = sub {
        my ($seconds, $until) = @_;

        my $end = time + $seconds;

        while (time < $end && !$until->()) {
            my $late = $start + $ts->clock - $from - time;

            $p->send($ts->take(0.04)) or die 'cut' if $late <= 0;
            TSCast::Reader::pump($late > 0 ? $late : 0, $until, $c);
        }

        return $until->();
    };

    $go_on->(4, sub { 0 });
    is($good->faults, '', 'who reads misses nothing');

    $_->release for $skip, $drop;

    ok($go_on->(5, sub { $drop->{end} }), 'lag=drop is dropped');
    isnt($drop->{end}, 'complete', 'not as if it were the end');
    ok($go_on->(5, sub { $skip->{check}{discontinuities}
                         && $skip->{bytes} > 3_000_000 }),
       'lag=skip is skipped and goes on');
    is($skip->faults(missing => 1), '', 'what it sees is well formed');
    cmp_ok($skip->{check}{missing}, '>', 0, 'with a hole');
    ok($skip->{check}->opens_well, 'tables and a key frame after the skip');
    is($good->faults, '', 'who reads still misses nothing');

    is($p->finish->status, 204, 'the publisher saw nothing of it');
    ok(up_to_date($ts, $good), 'and neither did the other viewer');
    ok($ngx->wait_log(qr{ GET /short/live/slow short/slow \d+ [1-9]}, 5,
                      'access'), 'the skip is counted');
    $_->close for $c, $pc;
}

# a whole connection that is stuck, and goes on

{
    my $c = client(window => 1_000_000, total => 300_000, hold => 1);
    my ($gc, $pc) = map { client(window => 1_000_000) } 1 .. 2;
    my $p = $pc->request('/short/push/stuck', method => 'PUT', body => 1);
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 8_000_000, gop => 0.4);

    $p->send($ts->take(0.4));

    my $good = viewer($gc, '/short/live/stuck', keep => 0);
    my @stuck = map { $c->request('/short/live/stuck', keep => 0) } 1 .. 8;

    for (1 .. 75) {
        $p->send($ts->take(0.04));
        TSCast::Reader::pump(0.04, sub { 0 }, $c, $gc);
    }

    my $got = 0;

    $got += $_->{bytes} for @stuck;
    cmp_ok($got, '<=', 300_000, 'eight viewers of a stuck connection');
    cmp_ok($got, '>', 250_000, 'get what its window allows');

    $c->release;

    for (1 .. 75) {
        $p->send($ts->take(0.04));
        TSCast::Reader::pump(0.02, sub { 0 }, $c, $gc);
    }

    ok(up_to_date($ts, @stuck, $good), 'when it goes on, so do all of them');
    is(join(', ', grep { $_ ne '' } map { $_->faults(missing => 1) } @stuck),
       '', 'well formed');

    # all that some of them got at first was tables

    is(scalar(grep { grep { "@$_" ne 'PAT PMT key' }
                     @{$_->{check}{reopenings}} } @stuck), 0,
       'also after the skip');
    is($good->faults, '', 'the viewer of another connection misses nothing');
    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $_->close for $c, $gc, $pc;
}

# 500 who do not read: bounded, and closed by send_timeout

{
    my ($worker) = $ngx->workers;
    my $pc = client();
    my $p = $pc->request('/short/push/stall', method => 'PUT', body => 1);
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 8_000_000, gop => 0.4);

    $p->send($ts->take(0.4));

    my $pw = $ngx->worker_of($pc->{sock});
    my @c = map {
        TSCast::HTTP2->new(window => 65_535, sock =>
                           $ngx->connect_to_worker($worker, port => $port))
    } 1 .. 5;

    viewer($c[0], '/short/live/stall')->reset;

    my $before = $ngx->own_memory($worker);
    my @v = map {
        my $c = $_;
        map { $c->request('/short/live/stall', hold => 1, keep => 0) } 1 .. 100
    } @c;

    my @memory;

    for my $round (1 .. 75) {
        $p->send($ts->take(0.04));
        TSCast::Reader::pump(0.04, sub { 0 }, @c);
        push @memory, $ngx->own_memory($worker) if $round % 25 == 0;
    }

    is(scalar(grep { $_->{status} == 200 } @v), 500, '500 viewers stall');

    my $each = ($memory[2] - $before) / 500;

    cmp_ok($each, '<', 160, sprintf 'at %d kB each', $each);
    cmp_ok($memory[2] - $memory[1], '<', 2_000, 'and no more with time');

    $_->close for @c;
    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $pc->close;

    my $c = client(window => 65_535, total => 65_535 + 2**20);
    my $q = $c->request('/short/push/stall', method => 'PUT', body => 1);

    $q->send($ts->take(0.4));

    my $s = viewer($c, '/short/hurry/stall', hold => 1);
    my $start = time;

    TSCast::Net::until_true(6, sub {
        $q->send($ts->take(0.04));
        TSCast::Reader::pump(0.04, sub { $s->{end} }, $c);
    });

    is($s->{end}, 'reset', 'who reads nothing for send_timeout is closed');
    cmp_ok(time - $start, '>', 0.9, 'not before');
    ok($ngx->wait_log(qr{^(200|408) \d+ GET /short/hurry/stall }m, 3, 'access'),
       'and logged');
    is($q->finish->status, 204, 'its connection goes on');
    $c->close;
}

# publishers who leave in other ways

{
    my $c = client();
    my $p = $c->request('/push/gone', method => 'PUT', body => 1);

    $p->send($bytes);

    my $v = viewer($c, '/live/gone', keep => 0);

    $p->reset;
    is($v->wait_end, 'complete', 'RST_STREAM ends the stream');
    is(publish($c, '/push/gone', $bytes), 204, 'and frees its name');

    my $d = client();

    $p = $d->request('/push/gone', method => 'PUT', body => 1);
    $p->send($bytes);
    $d->abort;

    my $status;

    TSCast::Net::until_true(3, sub {
        ($status = publish($c, '/push/gone', $bytes)) == 204;
    });

    is($status, 204, 'so does a reset of the connection');

    $p = $c->request('/brief/silent', method => 'PUT', body => 1);
    $p->send($bytes);
    ok(defined $p->wait_end(4), 'a silent publisher is closed');
    ok($ngx->wait_log(qr{^408 \d+ PUT /brief/silent }m, 3, 'access'),
       '408 in the access log');
    is(publish($c, '/brief/silent', $bytes), 204, 'its connection goes on');
    $c->close;
}

# taken over, over HTTP/2 and by one of HTTP/1.1

{
    my $c = client();
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = $c->request('/take/over', method => 'PUT', body => 1);

    $p->send($ts->take(0.8));

    my $v = viewer($c, '/live/over', keep => 0);
    my $q = $c->request('/take/over', method => 'PUT', body => 1);

    $q->send($ts->take(0.8));
    is($p->status(3), 409, 'the first is told');

    my $r = TSCast::Publisher->new(port => $ngx->port, path => '/take/over');

    $r->send($ts->take(0.8));
    is($q->status(3), 409, 'and so is the second');
    ok(up_to_date($ts, $v), 'the viewer goes on');
    is($v->faults(cc => 1), '', 'and misses nothing');
    is($r->finish->status, 204, 'the third ends well');
    $_->close for $c, $r;
}

# an endless body does not grow its worker

{
    my $c = client();
    my $p = $c->request('/push/endless', method => 'PUT', body => 1);
    my $long = TSCast::bytes('seconds=4 bitrate=16000000');

    $p->send($long);

    my $worker = $ngx->worker_of($c->{sock});

    $p->send($long) for 1 .. 4;

    my $before = $ngx->own_memory($worker);

    $p->send($long) for 1 .. 14;

    my $grown = $ngx->own_memory($worker) - $before;

    cmp_ok($grown, '<', 256, "$grown kB more after 120 MB");
    is($p->finish->status, 204, 'to its end');
    $c->close;
}

# through reloads

{
    my $pc = client();
    my $p = $pc->request('/push/reload', method => 'PUT', body => 1);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my (@c, @v);

    $p->send($ts->take(0.8));

    for my $round (1 .. 4) {
        my $c = client(window => 1_000_000);

        push @c, $c;
        push @v, viewer($c, '/all/reload', keep => 0);
        $p->send($ts->take(0.4));
        TSCast::Reader::pump(0.05, sub { 0 }, @c);
        $ngx->reload if $round < 4;
        $p->send($ts->take(0.4));
    }

    ok(up_to_date($ts, @v), 'three reloads cut nobody');
    is(join(', ', grep { $_ ne '' } map { $_->faults } @v), '',
       'nothing is missing or doubled');
    is($p->finish->status, 204, 'the publisher ends well');
    $_->wait_end for @v;
    is(join(' ', map { $_->{end} } @v), join(' ', ('complete') x 4),
       'and so do the viewers');
    $_->close for @c, $pc;
}

$ngx->stop;
done_testing;
