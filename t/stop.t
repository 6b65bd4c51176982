# Copyright (C) the tscast authors

use strict;
use warnings;

# SIGSTOP of a worker: it pins at most a window of one stream, and nobody else
# notices; a publisher that was stopped and ousted does no harm.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 8m window=1s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/brief/(?<stream>.+)$ {
            tscast_ingest live/$stream timeout=1s;
        }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
END_OF_CONF
)->start;


sub viewer {
    my ($worker, $path, $how, %opt) = @_;

    return TSCast::Reader->$how(sock => $ngx->connect_to_worker($worker),
                                path => $path, keep => 0, %opt);
}


my ($one, $two) = $ngx->workers;

# a viewer's worker

{
    my @ts = map { TSCast::TS->new(seconds => 0, bitrate => 4_000_000,
                                   gop => 0.4) } 1 .. 2;

    my @p = map { TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                         path => "/push/$_") } qw(a b);

    my $feed = sub { $p[$_]->send($ts[$_]->take(0.04)) or die for 0, 1 };

    $feed->() for 1 .. 25;
    $ngx->wait_stream("/live/$_") for qw(a b);

    my @near = map { viewer($one, "/live/$_", 'ws') } qw(a b);
    my @far = map { viewer($two, "/live/$_", 'http') } qw(a b);

    ok(TSCast::Reader::pump(5, sub {
        $feed->();
        !grep { $_->{bytes} < 50_000 } @near, @far;
    }, @near, @far), 'viewers on both');

    $ngx->stop_worker($two);

    # 6 seconds of 1 MB each while it stands

    my $end = time + 6;

    while (time < $end) {
        $feed->();
        TSCast::Reader::pump(0.04, sub { 0 }, @near);
    }

    is($_->faults, '', 'the others lose nothing') for @near;

    is(join("\n", grep { /\[(warn|error)\]/ } split /\n/, $ngx->error_log), '',
       'the zone has room enough');

    $ngx->cont_worker($two);

    my @before = map { $_->{bytes} } @far;

    ok(TSCast::Reader::pump(5, sub {
        $feed->();
        !grep { $far[$_]{bytes} < $before[$_] + 300_000 } 0, 1;
    }, @near, @far), 'when it goes on, so do its viewers');

    for my $v (@far) {
        is($v->faults(missing => 1), '', 'what they see is well formed');
        ok($v->{check}->opens_well, 'also after the skip');
    }

    is($_->finish->status, 204, 'the publisher was not disturbed') for @p;
    $_->close for @p, @near, @far;
}

# a publisher's worker

{
    # all are connected before anybody is silent for too long

    my ($publisher, $viewer) = map { $ngx->connect_to_worker($_) } $two, $one;

    my $p = TSCast::Publisher->new(sock => $publisher, path => '/brief/c');

    $p->send(TSCast::bytes('seconds=1 gop=0.4 filler=o'));
    $ngx->wait_stream('/live/c');

    my $v = TSCast::Reader->ws(sock => $viewer, path => '/live/c');

    ok($v->wait_bytes(10_000), 'a viewer on the other worker');

    $ngx->stop_worker($two);
    $p->send(TSCast::bytes('seconds=1 gop=0.4 filler=o'));

    my ($q, $status);

    TSCast::Net::until_true(10, sub {
        $q = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                    path => '/brief/c');
        $q->send(TSCast::bytes('seconds=1 gop=0.4 serial=100000 filler=n'));
        $status = $q->status(0.2);

        return !defined $status;
    });

    is($status, undef, 'a silent publisher may be replaced');
    ok(TSCast::Reader::pump(5, sub { $v->{check}{high} > 100_000 }, $v),
       'the viewer goes on with the new one');

    $ngx->cont_worker($two);

    # the new one is not silent in the meantime

    my $late;
    my $ts = TSCast::stream('seconds=0 gop=0.4 serial=100000 filler=n');

    TSCast::Net::until_true(5, sub {
        $q->send($ts->take(0.04));
        TSCast::Reader::pump(0.04, sub { 0 }, $v);
        $late = $p->status(0.01);

        return defined $late;
    });

    ok(defined $late && $late != 204,
       'the old one is not told that all is well');

    TSCast::Reader::pump(0.3, sub { 0 }, $v);

    like($v->{body}, qr/o{50}.*n{50}/s, 'the viewer has had both');
    unlike($v->{body}, qr/n{50}.*o{50}/s, 'and nothing of the old one later');
    is($v->{check}{sync}, 0, 'the feed is intact');

    is($q->finish->status, 204, 'the new publisher ends well');
    $_->close for $p, $q, $v;
}

$ngx->stop;
done_testing;
