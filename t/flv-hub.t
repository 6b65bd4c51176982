# Copyright (C) the tscast authors

use strict;
use warnings;

# The FLV rendition in the hub: who starts where, who misses what, and what
# becomes of it when publishers, viewers and workers come and go.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    log => 'debug',
    tscast => "zone live 32m window=4s;\nzone short 16m window=1s;",
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/flv/(?<stream>.+)$ {
            tscast_play live/$stream format=flv linger=0;
        }
        location ~ ^/stay/(?<stream>.+)$ {
            tscast_play live/$stream format=flv;
        }
        location ~ ^/stream/(?<stream>.+)$ {
            tscast_play live/$stream format=flv flv_time=stream;
        }
        location ~ ^/spush/(?<stream>.+)$ { tscast_ingest short/$stream; }
        location ~ ^/ts/(?<stream>.+)$ { tscast_play short/$stream; }
        location ~ ^/skip/(?<stream>.+)$ {
            tscast_play short/$stream format=flv;
        }
        location ~ ^/drop/(?<stream>.+)$ {
            tscast_play short/$stream format=flv lag=drop;
        }
        location = /status { tscast_status; }
END_OF_CONF
)->start;

my @workers = $ngx->workers;


sub viewer {
    my ($how, $path, %opt) = @_;

    return TSCast::Reader->$how(port => $ngx->port, path => $path, flv => 1,
                                keep => 0, %opt);
}


sub publisher {
    my ($path, %opt) = @_;

    return TSCast::Publisher->new(port => $ngx->port, path => $path, %opt);
}


sub pump {
    my ($until, @viewers) = @_;

    return TSCast::Reader::pump(8, $until, @viewers);
}


sub fed {
    my ($bytes, @viewers) = @_;

    my @before = map { $_->{bytes} } @viewers;

    return pump(sub {
        !grep { $viewers[$_]{bytes} < $before[$_] + $bytes } 0 .. $#viewers
    }, @viewers);
}


sub ended {
    my (@viewers) = @_;

    return pump(sub { !grep { !$_->{end} } @viewers }, @viewers);
}


# publishes all of it and returns the viewers once they have seen the end

sub whole {
    my ($name, $bytes, @viewers) = @_;

    my $p = publisher("/push/$name");
    my @v;

    TSCast::Net::until_true(5, sub {
        $_->close for @v;
        @v = map { viewer(@$_, keep => 1) } @viewers;
        $_->wait_head for @v;
        return $v[0]{status} != 404;
    });

    while (length $bytes) {
        $p->send(substr $bytes, 0, 1880, '');
        TSCast::Reader::pump(0, sub { 0 }, @v);
    }

    is($p->finish->status, 204, "$name is published");
    $p->close;

    return @v;
}


# a late viewer: the newest key frame, with headers; every worker

{
    my $p = publisher('/push/late');
    my $ts = TSCast::TS->new(seconds => 0, gop => 1, bitrate => 376_000);

    # 10 packets a picture, 30 a key frame: 270 in each second

    $p->send($ts->take(2.6));

    my $s = TSCast::Status::until_stream($ngx, 'live/late', sub { 1 });

    is("@{$s->{renditions}}", 'ts', 'a status names one rendition');

    my @v = $ngx->viewers_on_all_workers(2, sub {
        my $how = $_ % 2 ? 'ws' : 'http';

        return viewer($how, '/flv/late', sock => shift);
    });

    ok(fed(10_000, @v), 'late viewers see something at once');

    $s = TSCast::Status::stream($ngx, 'live/late');

    is("@{$s->{renditions}}", 'ts flv', 'and both, now that FLV is watched');

    is(join(' ', map { $_->{check}{low} } @v), join(' ', (540) x @v),
       'from the newest key frame on');
    is(join('; ', map { $_->{check}->opening } @v),
       join('; ', ('meta video= audio= video!') x @v), 'headers come first');
    is(join(' ', map { $_->{check}{tags}[0]{time} } @v), '0 0 0 0',
       'and times begin at 0');

    for (1 .. 20) {
        $p->send($ts->take(0.2));
        TSCast::Reader::pump(0.01, sub { 0 }, @v);
    }

    my $late = viewer('http', '/flv/late');

    ok(fed(5_000, $late), 'one more');
    is($late->{check}{low} % 270, 0, 'begins at a key frame');
    cmp_ok($late->{check}{low}, '>', 540, 'a newer one');

    is($p->finish->status, 204, 'the publisher ends');
    ok(ended(@v, $late), 'everybody sees the end');

    is(join('; ', map { $_->faults } @v, $late), '; ' x @v,
       'nothing is missing');
    is(join(' ', map { $_->{check}{high} } @v, $late),
       join(' ', (6 * 270 + 30 + 14 * 10 - 1) x (@v + 1)),
       'up to the last frame');
    $_->close for $p, @v, $late;
}


# a stream whose clock wraps at 2^33, and one that jumps back

{
    my $ts = TSCast::TS->new(seconds => 4, time => 2 ** 33 / 90_000 - 3,
                             bitrate => 376_000);
    my ($v) = whole('wrap', $ts->all, ['http', '/stream/wrap']);

    pump(sub { $v->{check}{numbers} >= 1080 - 10 }, $v);

    my @times = map { $_->{time} } $v->{check}->of(TSCast::Tags::VIDEO);

    is($v->faults, '', 'times grow over the wrap');
    cmp_ok($times[1], '<', 2 ** 33 / 90, 'the first is before it');
    cmp_ok($times[-1], '>', 2 ** 33 / 90, 'the last behind it');
    is($times[-1] - $times[1], (@times - 2) * 40, 'and none is left out');
    $v->close;
}

{
    my $ts = TSCast::TS->new(seconds => 2, time => 1000, bitrate => 376_000);
    my $again = TSCast::TS->new(seconds => 2, time => 10, serial => 540,
                                bitrate => 376_000);
    my ($v) = whole('jump', $ts->all . $again->all, ['ws', '/flv/jump']);

    ok(ended($v), 'a stream that jumps back');
    is($v->faults, '', 'its times do not');

    my @times = map { $_->{time} } grep { !$_->{config} }
                $v->{check}->of(TSCast::Tags::VIDEO);
    my @steps = map { $times[$_ + 1] - $times[$_] } 0 .. $#times - 1;

    is(join(' ', sort keys %{{map { $_ => 1 } @steps}}), '40',
       'a frame every 40 ms');

    my %video = map { $_->{time} => 1 } $v->{check}->of(TSCast::Tags::VIDEO);

    is(scalar(grep { !$video{$_->{time}} }
              $v->{check}->of(TSCast::Tags::AUDIO)), 0,
       'audio stays beside it');
    $v->close;
}


# publishers that come back with something else

{
    my $p = publisher('/push/back');

    $p->send(TSCast::bytes('seconds=2 time=500'));

    my @v = (viewer('http', '/stay/back'), viewer('ws', '/stay/back'));

    ok(fed(20_000, @v), 'two viewers');
    is($p->finish->status, 204, 'the publisher goes');
    $p->close;

    my $other = publisher('/push/back');

    $other->send(TSCast::bytes('seconds=2 audio=0 serial=9000 filler=n'));
    ok(fed(20_000, @v), 'another comes, without audio');
    is($other->finish->status, 204, 'and goes');
    $other->close;

    my $mpeg = publisher('/push/back');

    $mpeg->send(TSCast::bytes('seconds=1 codec=mpeg2'));
    ok(ended(@v), 'what FLV does not have is the end');
    is($v[1]{close}, 1000, 'with a close frame');

    for my $v (@v) {
        my @video = $v->{check}->of(TSCast::Tags::VIDEO);

        is($v->faults(missing => 1), '', 'tags are whole, times grow');
        is(scalar(grep { $_->{config} } @video), 2,
           'sequence headers again');
        cmp_ok($video[-1]{time}, '<', 4500, 'without a gap in time');
    }

    is(viewer('http', '/stay/back')->wait_head, 406, 'who comes now gets 406');
    is($mpeg->finish->status, 204, 'the third goes');
    $_->close for $mpeg, @v;
}


# a worker dies: the rendition with its publisher, and both come back

{
    my $p = publisher('/push/dead',
                      sock => $ngx->connect_to_worker($workers[0]));

    $p->send(TSCast::bytes('seconds=2'));

    my $v = viewer('ws', '/stay/dead',
                   sock => $ngx->connect_to_worker($workers[1]));

    ok(fed(20_000, $v), 'a viewer on the other worker');
    $ngx->kill_worker($workers[0]);

    my $q;

    TSCast::Net::until_true(5, sub {
        $q = publisher('/push/dead',
                       sock => $ngx->connect_to_worker($workers[1]));
        $q->send(TSCast::bytes('seconds=2 serial=100000 filler=n'));

        return !defined $q->status(0.1);
    });

    ok(fed(50_000, $v), 'goes on with the next publisher');
    is($v->faults(missing => 1), '', 'without a fault');
    is($q->finish->status, 204, 'which ends well');
    $_->close for $p, $q, $v;
}


# a reload: old workers keep what they have, new ones serve it too

{
    my $p = publisher('/push/reload');
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);

    $p->send($ts->take(1));

    my $old = viewer('ws', '/stay/reload');

    ok(fed(5_000, $old), 'before the reload');
    $ngx->reload;

    my $young = viewer('http', '/stay/reload');

    for (1 .. 30) {
        $p->send($ts->take(0.2));
        TSCast::Reader::pump(0.01, sub { 0 }, $old, $young);
    }

    ok(fed(0, $old, $young), 'both go on');
    cmp_ok($_->{bytes}, '>', 100_000, 'with data') for $old, $young;
    is($old->faults, '', 'nothing is missing');
    is($young->faults, '', 'nor for the young one');
    is($p->finish->status, 204, 'the publisher sees nothing of it');
    $_->close for $p, $old, $young;
}


# viewers who do not read

{
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 12_000_000, gop => 0.4);
    my $p = publisher('/spush/slow');

    $p->send($ts->take(0.5));

    my @fast = map { viewer($_, '/skip/slow') } qw(http ws);
    my @skip = map { viewer($_, '/skip/slow', rcvbuf => 8192) } qw(http ws);
    my $drop = viewer('ws', '/drop/slow', rcvbuf => 8192);
    my @all = (@fast, @skip, $drop);

    $_->wait_head for @all;
    ok(fed(1, @skip), 'slow viewers have begun');

    $_->{paused} = 1 for @skip, $drop;

    my $start = time;

    my $go_on = sub {
        my ($seconds, $until) = @_;

        my $from = time;
        my $clock = $ts->clock;

        while (time < $from + $seconds && !$until->()) {
            my $late = $from + $ts->clock - $clock - time;

            $p->send($ts->take(0.04)) or die 'the publisher was cut'
                if $late <= 0;
            TSCast::Reader::pump($late > 0 ? $late : 0, sub { 0 }, @all);
        }

        return $until->();
    };

    $go_on->(3, sub { 0 });
    $_->{paused} = 0 for @skip, $drop;

    ok($go_on->(8, sub { !grep { !$_->{check}{missing} } @skip }),
       'lag=skip is skipped');
    ok($go_on->(8, sub { $drop->{end} }), 'lag=drop is dropped');

    my @before = map { $_->{bytes} } @skip;

    $go_on->(5, sub { !grep { $skip[$_]{bytes} < $before[$_] + 500_000 }
                      0, 1 });

    is(join('; ', map { $_->faults(missing => 1) } @skip), '; ',
       'what it has seen is whole tags');
    cmp_ok(scalar(grep { $_->{config} }
                  $_->{check}->of(TSCast::Tags::VIDEO)), '>', 1,
           'sequence headers came again') for @skip;
    is(join('; ', map { $_->faults } @fast), '; ', 'who reads misses nothing');

    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $_->close for $p, @all;
}


# nobody watches: it is made no more, and its memory is given back

SKIP: {
    skip('no debug log', 3) if TSCast::Nginx::built() !~ /--with-debug/;

    my $p = publisher('/spush/idle');
    my $ts = TSCast::TS->new(seconds => 0);

    $p->send($ts->take(1));

    my $v = viewer('http', '/skip/idle');

    ok(fed(1_000, $v), 'the first viewer');
    $v->close;

    ok($ngx->wait_log(qr/flv of "idle" ends/, 5), 'ends after a while');

    $v = viewer('http', '/skip/idle');
    $p->send($ts->take(1));
    ok(fed(1_000, $v), 'and comes back with the next one');
    is($p->finish->status, 204, 'the publisher has not seen it');
    $_->close for $p, $v;
}

$ngx->stop;
done_testing;
