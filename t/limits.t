# Copyright (C) the tscast authors

use strict;
use warnings;

# The smallest zone, streams with one key frame, huge streams, thousands of
# names and connections, viewers who take nothing: bounded, and no harm to
# others.

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use TSCast;

# as many descriptors as there may be

my $files = POSIX::sysconf(POSIX::_SC_OPEN_MAX());

if ($files < 12_000 && !$ENV{TSCAST_LIMITS}++) {
    exec 'sh', '-c', 'ulimit -n $(ulimit -H -n); exec "$0" "$@"', $^X,
         "-I$FindBin::Bin/lib", $0, @ARGV;
}


sub up_to_date {
    my ($ts, @viewers) = @_;

    my $last = $ts->{serial} - 1;

    return TSCast::Reader::pump(8, sub {
        !grep { ($_->{check}{high} // -1) != $last } @viewers
    }, @viewers);
}


sub viewer {
    my ($ngx, $path, $how, %opt) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $ngx->port, path => $path, %opt);
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    return $v;
}


sub publisher {
    my ($ngx, $path, %opt) = @_;

    return TSCast::Publisher->new(port => $ngx->port, path => $path, %opt);
}


my $doors = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream linger=0;
        }
END_OF_CONF

# the size that the message names is enough

{
    my $ngx = TSCast::Nginx->new(tscast => 'zone live 700k;');
    my ($rc, $said) = $ngx->check_conf;

    ok($rc, 'a zone too small');

    my ($size) = $said =~ /\[emerg\].*needs at least (\d+k)/;

    ok($size, 'is refused with the smallest size');

    $ngx = TSCast::Nginx->new(workers => 4, tscast => "zone live $size;",
                              server => $doors)->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);

    for my $name (qw(one two)) {
        my $p = publisher($ngx, "/push/$name");

        $p->send($ts->take(0.4));

        my @v = map { viewer($ngx, "/live/$name", $_, keep => 0) } qw(http ws);

        for (1 .. 100) {
            $p->send($ts->take(0.2)) or die 'cut';
            TSCast::Reader::pump(0.005, sub { 0 }, @v);
        }

        ok(up_to_date($ts, @v), "$size: a stream, as long as it likes");
        is(join('', map { $_->faults(missing => 1) } @v), '', 'well formed');
        is($p->finish->status, 204, 'to its end');
        $_->close for $p, @v;
        $ngx->reload;
    }

    $ngx->stop;
}

# intra refresh: one key frame at the start, and never another

SKIP: {
    skip 'no ffmpeg', 1 if system 'ffmpeg -version > /dev/null 2>&1';

    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => "zone live 8m window=1s buffer=1m;\n"
                  . "zone tight 1m window=2s;\n"
                  . 'zone short 4m window=60s buffer=256k;',
        server => $doors . <<'END_OF_CONF',
        location ~ ^/tightpush/(?<stream>.+)$ { tscast_ingest tight/$stream; }
        location ~ ^/tight/(?<stream>.+)$ {
            tscast_play tight/$stream linger=0;
        }
        location ~ ^/shortpush/(?<stream>.+)$ { tscast_ingest short/$stream; }
        location ~ ^/short/(?<stream>.+)$ {
            tscast_play short/$stream linger=0;
        }
END_OF_CONF
    )->start;

    my $file = $ngx->prefix . '/refresh.ts';

    system(qw(ffmpeg -v error -nostdin -f lavfi -i),
           'testsrc2=size=320x240:rate=25', qw(-t 16 -c:v libx264 -b:v 1M
           -maxrate 1M -bufsize 500k -g 25 -bf 0 -preset ultrafast
           -x264-params intra-refresh=1:keyint=25 -f mpegts), $file) == 0
        or skip 'this ffmpeg has no libx264', 1;

    open my $in, '<:raw', $file or die $!;
    my $bytes = do { local $/; <$in> };

    close $in;

    # 16 seconds in 4; a viewer joins when most of it is over

    my $step = int(length($bytes) / 188 / 160) * 188;

    my %path = (live => '/push/refresh', tight => '/tightpush/refresh',
                short => '/shortpush/refresh');
    my %p = map { $_ => publisher($ngx, $path{$_}) } keys %path;
    my %v;

    for (my $n = 0; $n * $step < length $bytes; $n++) {
        for my $zone (sort keys %p) {
            $p{$zone}->send(substr $bytes, $n * $step, $step) or die 'cut';

            $v{$zone}[$n > 50] = viewer($ngx, "/$zone/refresh", 'http')
                if $n == 20 || $n == 100;
        }

        TSCast::Reader::pump(0.025, sub { 0 }, map { @$_ } values %v);
    }

    is($_->finish->status, 204, 'intra refresh: published') for values %p;

    for my $zone (sort keys %v) {
        my ($early, $late) = @{$v{$zone}};

        $_->wait_end for $early, $late;
        is($_->faults(missing => 1), '', "$zone: well formed")
            for $early, $late;
        is(TSCast::Check::tables_first($late->{body}), 'PAT PMT',
           'who joins late gets tables first');

        my $out = $ngx->write_file("$zone.ts", $late->{body});
        my $frames = `ffprobe -v quiet -count_frames -select_streams v:0 \\
            -show_entries stream=nb_read_frames,width -of csv=p=0 $out`;

        my ($width, $n) = $frames =~ /^(\d+),(\d+)/;

        is($width, 320, 'the picture is found');
        cmp_ok($n // 0, '>', 60, ($n // 0) . ' of about 150 frames decode');
        $_->close for $early, $late;
    }

    $_->close for values %p;
    $ngx->stop;
}

# one stream that is far too big for the zone, among small ones

{
    my $ngx = TSCast::Nginx->new(
        workers => 2, tscast => 'zone live 8m window=4s;', server => $doors,
    )->start;

    my (@p, @v);
    my @ts = map { TSCast::TS->new(seconds => 0, gop => 0.4,
                                   bitrate => 200_000) } 1 .. 8;

    for my $n (0 .. 7) {
        $p[$n] = publisher($ngx, "/push/small$n");
        $p[$n]->send($ts[$n]->take(0.4));
        $v[$n] = viewer($ngx, "/live/small$n", $n % 2 ? 'http' : 'ws',
                        keep => 0);
    }

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 50_000_000);
    my $p = publisher($ngx, '/push/huge');

    $p->send($ts->take(0.4));

    my $v = viewer($ngx, '/live/huge', 'http', keep => 0);

    $_->{paused} = 1 for $v;

    # stopped: it must not keep what the others need

    for (1 .. 50) {
        $p->send($ts->take(0.08)) or die 'cut';
        $p[$_]->send($ts[$_]->take(0.08)) or die 'cut' for 0 .. 7;
        TSCast::Reader::pump(0.01, sub { 0 }, @v);
    }

    for my $n (0 .. 7) {
        up_to_date($ts[$n], $v[$n]);
    }

    is(join(', ', grep { $_ ne '' } map { $_->faults } @v), '',
       'beside a huge stream: small ones miss nothing');
    is(scalar(grep { $v[$_]{check}{high} != $ts[$_]{serial} - 1 } 0 .. 7), 0,
       'and are up to date');

    $v->{paused} = 0;

    my $stop = time + 5;

    while (time < $stop && !$v->{check}{discontinuities}) {
        $p->send($ts->take(0.08)) or die 'cut';
        TSCast::Reader::pump(0.08, sub { 0 }, $v, @v);
    }

    $p->send($ts->take(0.4));
    ok(up_to_date($ts, $v), 'its viewer goes on');
    is($v->faults(missing => 1), '', 'well formed');
    ok($v->{check}->opens_well, 'also after the skip');
    is($p->finish->status, 204, 'and it was published to its end');
    $_->close for $p, $v;

    is($_->finish->status, 204, 'as were they') for @p;
    $_->close for @p, @v;

    unlike($ngx->error_log, qr/bytes are lost/, 'no bytes were lost');
    $ngx->stop;
}

# names, publishers and connections by the thousand, viewers who take nothing

my $many = POSIX::sysconf(POSIX::_SC_OPEN_MAX()) - 500;

$many = 5000 if $many > 5000;

my $ngx = TSCast::Nginx->new(
    workers => 2, log => 'notice', connections => 8000,
    tscast => 'zone live 16m window=1s;',
    http => 'keepalive_requests 1000000; client_header_timeout 4s;',
    server => <<'END_OF_CONF',
        listen unix:$PREFIX/door.sock;
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/hurry/(?<stream>.+)$ {
            tscast_play live/$stream;
            send_timeout 1s;
        }
END_OF_CONF
)->start;

my $good = publisher($ngx, '/push/good');
my $good_ts = TSCast::TS->new(seconds => 0, gop => 0.4);

$good->send($good_ts->take(0.4));

# from now on it is there

viewer($ngx, '/live/good', 'http')->close;

my @witness = map {
    TSCast::Reader->ws(sock => $ngx->connect_to_worker($_),
                       path => '/live/good', keep => 0)
} $ngx->workers;

$_->wait_head for @witness;


sub still_good {
    my ($after) = @_;

    $good->send($good_ts->take(0.4));
    ok(up_to_date($good_ts, @witness), "after $after, others are up to date");
    is(join('', map { $_->faults } @witness), '', 'and fine');
}


sub memory {
    my $kb = 0;

    $kb += $ngx->own_memory($_) for $ngx->workers;

    return $kb;
}


# 10,000 names, pipelined

{
    my $bytes = TSCast::bytes('seconds=0.2 bitrate=100000');
    my $before = memory();
    my ($in, %status) = ('');
    my $s = TSCast::Net::dial($ngx->port);

    for my $batch (0 .. 99) {
        my $out = join '', map {
            "PUT /push/name$batch-$_ HTTP/1.1\r\nHost: x\r\n"
            . 'Content-Length: ' . length($bytes) . "\r\n\r\n$bytes"
        } 1 .. 100;

        TSCast::Net::put($s, $out) or last;

        for (my $n = 0; $n < 100; ) {
            my $more = TSCast::Net::get($s, 5);

            last if !defined $more || $more eq '';
            $in .= $more;

            while ($in =~ s{\A.*?^HTTP/1\.1 (\d+) .*?\r\n\r\n}{}ms) {
                $status{$1}++;
                $n++;
            }
        }
    }

    close $s;

    is(join(' ', grep { $_ != 204 && $_ != 507 } keys %status), '',
       '10,000 names: taken, or there is no memory');
    cmp_ok($status{204} // 0, '>', 50, 'some of them are taken');
    cmp_ok(memory() - $before, '<', 1000, 'no memory is left behind');

    my @lines = grep { /\[(warn|error)\]/ } split /\n/, $ngx->error_log;

    cmp_ok(scalar @lines, '<', 50, 'and few lines');
}

still_good('10,000 names');

# publishers who come and go at once

{
    my $bytes = TSCast::bytes('seconds=0.2');
    my $start = time;
    my ($rounds, $before) = (1000);

    for my $n (1 .. $rounds) {
        my $p = publisher($ngx, '/push/brief');

        $p->send($bytes) if $n % 2;
        $n % 4 ? $p->abort : $p->close;
        $before = memory() if $n == 200;
    }

    note sprintf '%d publishers a second', $rounds / (time - $start);
    cmp_ok(memory() - $before, '<', 1000, "$rounds publishers leave nothing");

    my ($status, $p);

    TSCast::Net::until_true(3, sub {
        $p = publisher($ngx, '/push/brief');
        $p->send($bytes);
        $status = $p->finish->status;
        $p->close;
        $status == 204;
    });

    is($status, 204, 'not even the name taken');
}

still_good('publishers who come and go');

# connections that say nothing, or begin to

{
    my @s = map { TSCast::Net::dial($ngx->port) } 1 .. $many;

    TSCast::Net::put($s[$_], "GET /live/good HTTP/1.1\r\nHo")
        for 0 .. $many / 4;
    TSCast::Net::put($s[$_], "PUT /push/half HTTP/1.1\r\nHost: x\r\n")
        for $many / 4 + 1 .. $many / 2;

    my $open = TSCast::Net::connections($ngx->port);

    cmp_ok($open, '>=', $many, "$many connections that say nothing");
    still_good("$many connections that say nothing");

    my $p = publisher($ngx, '/push/between');

    $p->send(TSCast::bytes('seconds=1'));

    my $v = viewer($ngx, '/live/between', 'ws');

    ok($v->wait_bytes(10_000, 3), 'publishing and watching go on');
    is($p->finish->status, 204, 'to the end');
    $_->close for $p, $v;

    my $stop = time + 8;
    my $left;

    while (time < $stop) {
        $good->send($good_ts->take(0.08));
        TSCast::Reader::pump(0.08, sub { 0 }, @witness);
        $left = TSCast::Net::connections($ngx->port);
        last if $left < 50;
    }

    cmp_ok($left, '<', 50, 'client_header_timeout closes them');
    close $_ for @s;
}

still_good('they have gone');

# viewers who take nothing, or a byte now and then

{
    my $p = publisher($ngx, '/push/slow');
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 6_000_000, gop => 0.4);

    $p->send($ts->take(0.4));

    my $fast = viewer($ngx, '/live/slow', 'ws', keep => 0);

    # TCP has a timeout of its own, a UNIX socket has none

    my %slow = map {
        my $how = $_;

        ("$how none" => viewer($ngx, '/hurry/slow', $how, rcvbuf => 4096,
                               keep => 0),
         "$how unix" => TSCast::Reader->$how(
             port => $ngx->prefix . '/door.sock', path => '/hurry/slow'),
         "$how byte" => viewer($ngx, '/hurry/slow', $how, rcvbuf => 4096,
                               keep => 0, slow => 1));
    } qw(http ws);

    my $closed = sub { scalar(() = $ngx->access_log
                              =~ m{^(?:200|101|408) \d+ GET /hurry/}mg) };
    my $start = time;
    my $from = $ts->clock;
    my $tick = 0;

    while (time < $start + 12 && $closed->() < 6) {
        my $late = $start + $ts->clock - $from - time;

        if ($late <= 0) {
            $p->send($ts->take(0.04)) or die 'cut';
            $good->send($good_ts->take(0.04));
        }

        TSCast::Reader::pump($late > 0 ? $late : 0, sub { 0 }, $fast,
                             @witness);

        # a byte a second

        if (time > $start + $tick) {
            $tick++;
            $slow{$_}->read_some for grep { /byte/ && !$slow{$_}{end} }
                                     keys %slow;
        }
    }

    is($closed->(), 6, 'who takes nothing for send_timeout is closed');
    cmp_ok(time - $start, '>', 0.9, 'not before');
    is($fast->faults, '', 'who reads misses nothing');
    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $_->close for $p, $fast, values %slow;
}

still_good('all this');

is($good->finish->status, 204, 'the publisher of the good stream ends');
$_->close for $good, @witness;
$ngx->stop;
done_testing;
