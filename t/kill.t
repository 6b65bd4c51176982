# Copyright (C) the tscast authors

use strict;
use warnings;

# kill -9 of a worker: what it held dies, everything else lives, and the name
# of the stream that it published is free within two seconds.

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
        location ~ ^/brief/(?<stream>.+)$ {
            tscast_play live/$stream linger=500ms;
        }
END_OF_CONF
)->start;


sub viewer {
    my ($worker, $path, $how) = @_;

    return TSCast::Reader->$how(sock => $ngx->connect_to_worker($worker),
                                path => $path, keep => 0);
}


sub fed {
    my ($bytes, @viewers) = @_;

    my @before = map { $_->{bytes} } @viewers;

    return TSCast::Reader::pump(5, sub {
        !grep { $viewers[$_]{bytes} < $before[$_] + $bytes } 0 .. $#viewers
    }, @viewers);
}


# the publisher's worker

{
    my ($one, $two) = $ngx->workers;

    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/a');
    $p->send(TSCast::bytes('seconds=2'));
    $ngx->wait_stream('/live/a');

    my @stay = map { viewer($two, '/live/a', $_) } qw(http ws);
    my $brief = viewer($two, '/brief/a', 'ws');
    my $near = viewer($one, '/live/a', 'http');

    ok(fed(20_000, @stay, $brief, $near), 'four viewers');

    my $start = time;

    $ngx->kill_worker($one);

    ok($near->wait_end(5), 'the viewer beside it is cut');

    ok(TSCast::Reader::pump(3, sub { $brief->{end} }, $brief),
       'a viewer who does not linger sees the end');
    is($brief->{close}, 1000, 'a close frame says so');

    my ($q, $status);

    TSCast::Net::until_true(5, sub {
        $q = TSCast::Publisher->new(sock => $ngx->connect_to_worker($two),
                                    path => '/push/a');
        $q->send(TSCast::bytes('seconds=2 serial=100000 filler=n'));
        $status = $q->status(0.1);

        return !defined $status;
    });

    cmp_ok(time - $start, '<', 2 + 0.5, 'the name is free in two seconds');
    is($status, undef, 'a new publisher is taken');

    ok(fed(50_000, @stay), 'the viewers on the other worker go on');

    for my $v (@stay) {
        is($v->faults(missing => 1), '', 'they see no fault');
        is($v->{check}{discontinuities}, 1, 'but a discontinuity');
        ok($v->{check}->opens_well, 'with tables and a key frame');
    }

    is($q->finish->status, 204, 'the new publisher ends well');
    $_->close for @stay, $brief, $near, $p, $q;
}


# a viewer's worker

{
    my ($one, $two) = $ngx->workers;

    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/b');
    my $ts = TSCast::TS->new(seconds => 0);

    $p->send($ts->take(2));
    $ngx->wait_stream('/live/b');

    my @near = map { viewer($one, '/live/b', $_) } qw(http ws);
    my @far = map { viewer($two, '/live/b', $_) } qw(http ws);

    ok(fed(20_000, @near, @far), 'four viewers');

    $ngx->kill_worker($two);

    ok($p->send($ts->take(2)), 'the publisher goes on');
    ok(fed(50_000, @near), 'so do the viewers beside it');

    my ($new) = grep { $_ != $one } $ngx->workers;
    my $v = viewer($new, '/live/b', 'ws');

    ok(fed(20_000, $v), 'the worker in its place shows it too');

    $p->send($ts->take(1));
    fed(50_000, @near, $v);
    is($_->faults, '', 'without a fault') for @near, $v;

    is($p->finish->status, 204, 'the publisher ends well');
    $_->close for @near, @far, $v, $p;
}


# both, again and again: nothing is used up

for my $round (1 .. 5) {
    my ($one, $two) = $ngx->workers;

    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => "/push/c$round");
    $p->send(TSCast::bytes('seconds=2 bitrate=8000000'));
    $ngx->wait_stream("/live/c$round");

    my $v = viewer($two, "/live/c$round", 'http');

    ok(fed(500_000, $v), "round $round: a stream of 2M in a zone of 16M");

    $ngx->kill_worker($one);
    $ngx->kill_worker($two);

    $_->close for $p, $v;
}

$ngx->stop;
done_testing;
