# Copyright (C) the tscast authors

use strict;
use warnings;

# A zone with more in it than it can hold: windows become shorter, and only
# when nothing is left is a publisher refused.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 4m window=60s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream linger=0;
        }
        location ~ ^/stay/(?<stream>.+)$ { tscast_play live/$stream; }
END_OF_CONF
)->start;


# far more than the zone: it goes on, with a shorter window

{
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 8_000_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/big');

    $p->send($ts->take(1));

    $ngx->wait_stream('/live/big');

    my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/big',
                                 keep => 0);

    for (1 .. 250) {
        $p->send($ts->take(0.08)) or die 'the publisher was cut';
        TSCast::Reader::pump(0.003, sub { 0 }, $v);
    }

    is($p->finish->status, 204, '20 MB through a zone of 4');
    ok($v->wait_end, 'to the end');
    is($v->faults(missing => 1), '', 'well formed all the way');
    $_->close for $p, $v;
}

# many streams at once

{
    my (@p, @status);

    for my $n (1 .. 120) {
        my $p = TSCast::Publisher->new(port => $ngx->port,
                                       path => "/push/many$n");

        $p->send(TSCast::bytes('seconds=1 bitrate=300000'));
        push @p, $p;
    }

    my $full = 0;
    my @held;

    for my $p (@p) {
        my $status = $p->status(0.02);

        if (defined $status) {
            $full++ if $status == 507;
            push @status, $status if $status != 507;
            $p->close;

        } else {
            push @held, $p;
        }
    }

    is("@status", '', 'nobody is refused for another reason');
    cmp_ok($full, '>', 0, 'some get 507');
    cmp_ok(scalar @held, '>', 10, 'but not the first ones');
    ok($ngx->wait_log(qr/^507 \d+ POST /m, 3, 'access'),
       '507 in the access log');

    my $good = 0;

    for my $p (@held) {
        $p->send(TSCast::bytes('seconds=1 bitrate=300000'));

        my $status = $p->finish->status(3) // 0;

        $good++ if $status == 204;
        diag("held publisher got $status") if $status != 204;
        $p->close;
    }

    is($good, scalar @held, 'who was taken goes on to the end');
}

# and there is room again

{
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/again');

    $p->send(TSCast::bytes('seconds=4 bitrate=2000000'));
    is($p->finish->status, 204, 'there is room again');
    $p->close;

    my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/again');

    is($v->wait_head, 200, 'it can be watched');
    is($v->wait_end, 'complete', 'to the end');
    is($v->faults, '', 'without a fault');
    $v->close;
}

# a name that is published again and again while it is watched

{
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/flap');

    $p->send(TSCast::bytes('seconds=1 bitrate=300000'));
    $ngx->wait_stream('/stay/flap');

    my @v = $ngx->viewers_on_all_workers(1, sub {
        return TSCast::Reader->http(sock => shift, path => '/stay/flap',
                                    keep => 0);
    });

    is($p->finish->status, 204, 'a stream that is watched');

    my %status;

    for (1 .. 400) {
        $p->close;
        $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/flap');
        $p->send(TSCast::bytes('seconds=0.04 bitrate=300000'));
        $status{$p->finish->status // 'none'}++;
        TSCast::Reader::pump(0.002, sub { 0 }, @v);
    }

    is_deeply(\%status, { 204 => 400 }, 'may be published 400 times');
    is($v[$_]->faults(missing => 1, doubled => 1), '', 'well formed')
        for 0, 1;

    my $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/other');

    $q->send(TSCast::bytes('seconds=1 bitrate=300000'));
    is($q->finish->status, 204, 'and another as well');
    $_->close for $p, $q, @v;
}

my @lines = grep { /\[(warn|error)\]/ } split /\n/, $ngx->error_log;

cmp_ok(scalar @lines, '<', 400, 'said once per event');

$ngx->stop;
done_testing;
