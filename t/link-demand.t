# Copyright (C) the tscast authors

use strict;
use warnings;

# Pulls on demand: a viewer brings the link, all share it, and it goes when
# nobody has watched for a while.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=20s; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


sub node {
    my ($tscast) = @_;

    return TSCast::Nginx->new(
        workers => 2, tscast => "zone live 16m window=5s; $tscast",
        server => $server,
    )->start;
}


sub viewer {
    my ($ngx, $path, $how, $sock) = @_;

    $how //= 'http';

    return TSCast::Reader->$how(port => $ngx->port, path => $path,
                                $sock ? (sock => $sock) : ());
}


# a source that goes on while we wait for something

sub live {
    my ($origin, $ts, $viewers, $until, $in) = @_;

    return TSCast::Net::until_true(10, sub {
        my $frame = $ts->frame;

        $$in .= $frame if $in;
        $origin->live($frame);
        pump(0.02, sub { 0 }, $origin, @$viewers);

        return $until->();
    });
}


# many viewers on both workers, one connection

{
    my $origin = TSCast::Peer->new;
    my $ngx = node("pull live/cam tcp://127.0.0.1:$origin->{port} on_demand
                    linger=2s wait=5s;");
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);

    $origin->live($ts->frame) for 1 .. 10;

    pump(1.5, sub { 0 }, $origin);
    is($origin->open, 0, 'there is no link while nobody watches');

    my @viewers = $ngx->viewers_on_all_workers(2, sub {
        return viewer($ngx, '/live/cam', 'http', $_[0]);
    });

    push @viewers, viewer($ngx, '/live/cam', 'ws') for 1 .. 196;

    ok(live($origin, $ts, \@viewers, sub {
        return !grep { $_->{bytes} < 20_000 } @viewers;
    }), scalar(@viewers) . ' viewers on two workers');

    is(@{$origin->{accepted}}, 1, 'share one connection');
    is(join('', map { $_->faults } @viewers), '', 'without a fault');
    is(scalar(grep { $_->{check}->opens_well } @viewers), scalar @viewers,
       'from a key frame');

    # one leaves and another comes, within linger

    $_->close for @viewers;

    my $last = viewer($ngx, '/live/cam');

    ok(live($origin, $ts, [$last], sub { $last->{bytes} > 50_000 }),
       'one that comes at once');
    is(@{$origin->{accepted}}, 1, 'by the same connection');

    $last->close;

    ok(live($origin, $ts, [], sub { !$origin->open }),
       'the link goes when all have gone');

    my $again = viewer($ngx, '/live/cam');

    ok(live($origin, $ts, [$again], sub { $again->{bytes} > 50_000 }),
       'and comes with the next one');
    is(@{$origin->{accepted}}, 2, 'by another connection');

    $again->close;
    $ngx->stop;
}


# nobody answers

{
    my $port = TSCast::Net::free_port();
    my $ngx = node("pull live/cam tcp://127.0.0.1:$port on_demand wait=300ms
                    reconnect=100ms;");

    is(viewer($ngx, '/live/cam')->wait_head, 504, '504 after wait=');
    is(viewer($ngx, '/live/cam', 'ws')->wait_head, 504,
       'for a WebSocket as well');
    is(viewer($ngx, '/live/other')->wait_head, 404,
       '404 for what no link brings');

    my $gone = viewer($ngx, '/live/cam');
    $gone->close;

    is(viewer($ngx, '/live/cam')->wait_head, 504,
       'one that leaves while it waits harms nobody');
    is(scalar(() = $ngx->error_log =~ /\[error\][^\n]*link is down/g), 1,
       'one line says why, while somebody asks');

    $ngx->stop;
}


# many names that nobody has: publishers find room all the same

{
    my $origin = TSCast::Peer->new;
    my $ngx = TSCast::Nginx->new(
        workers => 2, server => $server,
        tscast => "zone live 4m window=1s;
                   pull live/n* http://127.0.0.1:$origin->{port}/\$name
                   on_demand wait=30s linger=100ms reconnect=100ms;",
    )->start;

    my @v = map { viewer($ngx, "/live/n$_") } 1 .. 100;
    my $waiting = sub { grep { !defined $_->{status} } @v };
    my $refused = sub { grep { ($_->{status} // 0) == 404 } @v };

    ok(pump(10, sub { $refused->() > 30 && $origin->open == $waiting->() },
            $origin, @v), 'a name too many is not found, at once');
    cmp_ok(scalar $waiting->(), '>', 20, 'the others wait');
    is($waiting->() + $refused->(), 100, 'and none does anything else');
    like($ngx->error_log,
         qr/\[warn\].*too many streams of zone "live" are waited for/,
         'a line says so');

    my $one = ($waiting->())[0];
    my $name = (grep { $v[$_] == $one } 0 .. $#v)[0] + 1;
    my @p = map {
        TSCast::Publisher->new(port => $ngx->port, path => "/push/$_")
    } "n$name", map { "other$_" } 1 .. 8;

    $_->send(TSCast::bytes('seconds=1')) for @p;

    ok($one->wait_bytes(10_000, 5), 'one of them gets what it waits for');
    is(join(' ', map { $_->finish->status } @p), join(' ', (204) x @p),
       'publishers are taken');

    $_->close for @v, @p;

    # their places are free again

    ok(TSCast::Net::until_true(10, sub {
        my $late = viewer($ngx, '/live/nnew');

        pump(0.3, sub { defined $late->{status} }, $origin, $late);

        my $waits = !defined $late->{status} && !$late->{end};

        $late->close;

        return $waits;
    }), 'when they have gone another may wait');

    $origin->close;
    $ngx->stop;
}


# a publisher of this node is stronger

{
    my $origin = TSCast::Peer->new;
    my $ngx = node("pull live/cam tcp://127.0.0.1:$origin->{port} on_demand
                    linger=1s;");
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $own = TSCast::TS->new(seconds => 0, gop => 0.4, serial => 500_000,
                              filler => 'o');

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    $p->send($own->frame) for 1 .. 10;

    # who asks earlier brings a link

    ok($ngx->wait_log(qr/stream "live\/cam" is published/, 5), 'it is there');
    ok($ngx->wait_stream('/live/cam'), 'a stream of this node');

    my $v = viewer($ngx, '/live/cam');

    ok(TSCast::Net::until_true(5, sub {
        $p->send($own->frame);
        pump(0.02, sub { 0 }, $origin, $v);
        return $v->{bytes} > 50_000;
    }), 'is watched');
    is(@{$origin->{accepted}}, 0, 'without a link');

    is($p->finish->status, 204, 'its publisher ends');

    my $had = $v->{bytes};

    ok(live($origin, $ts, [$v], sub { $v->{bytes} > $had + 50_000 }),
       'the viewer goes on by a link');
    is($v->faults(doubled => 1), '', 'without a fault');

    my $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    ok(live($origin, $ts, [$v], sub {
        $q->send($own->frame);
        return !$origin->open;
    }), 'which yields to a publisher again');

    $q->close;
    $v->close;
    $ngx->stop;
}


# the worker of the link is killed, and a reload

{
    my $origin = TSCast::Peer->new;
    my $ngx = node("pull live/cam tcp://127.0.0.1:$origin->{port} on_demand;");
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);

    my ($one, $two) = $ngx->workers;

    my $brings = viewer($ngx, '/live/cam', 'http',
                        $ngx->connect_to_worker($one));

    ok(live($origin, $ts, [$brings], sub { $brings->{bytes} > 20_000 }),
       'a viewer brings the link');
    is($ngx->worker_of($origin->first->{sock}), $one, 'to its own worker');

    my $v = viewer($ngx, '/live/cam', 'http', $ngx->connect_to_worker($two));

    ok(live($origin, $ts, [$brings, $v], sub { $v->{bytes} > 20_000 }),
       'another one on another worker');

    $ngx->kill_worker($one);
    $brings->close;

    my $had = $v->{bytes};

    ok(live($origin, $ts, [$v], sub {
        return $origin->open && @{$origin->{accepted}} == 2
               && $v->{bytes} > $had + 50_000;
    }), 'goes on when that worker is killed');
    is($v->faults(doubled => 1), '', 'from a key frame that it has had');

    # a reload

    $v->close;

    my $in = '';
    my $w = viewer($ngx, '/live/cam');

    ok(live($origin, $ts, [$w], sub { $w->{bytes} > 50_000 }), 'a viewer');

    $w->{body} = '';
    $ngx->reload;

    ok(live($origin, $ts, [$w], sub {
        return @{$origin->{accepted}} >= 3 && $origin->open == 1;
    }, \$in), 'the new worker takes over');

    ok(live($origin, $ts, [$w], sub { length $w->{body} > 100_000 }, \$in),
       'the viewer goes on');
    is($w->faults, '', 'without a fault');
    is(@{$w->{check}{reopenings} || []}, 0, 'and does not notice');

    $w->close;
    $ngx->stop;
}

done_testing;
