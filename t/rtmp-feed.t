# Copyright (C) the tscast authors

use strict;
use warnings;

# What encoders may send: clocks that wrap, jump and lie apart, late and
# changing sequence headers, HEVC by Enhanced RTMP, codecs that have no place in
# a transport stream, and bytes that are nothing.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMP;
use TSCast::RTMPDoor;
use TSCast::Strict;

my $door = TSCast::RTMPDoor->new(
    workers => 2,
    rtmp => <<'END_OF_CONF',
        application live {
            live on;
            tscast_ingest live/$name timeout=3s;
        }

        application named {
            live on;
            tscast_ingest live/${app}-$name.$args;
        }
END_OF_CONF
    server => <<'END_OF_CONF',
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
        location ~ ^/stay/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=20s;
        }
END_OF_CONF
);

my $ngx = $door->{ngx};
my $dir = $door->{dir};
my $WRAP = 2 ** 33;

my @test = @TSCast::RTMPDoor::TEST;
my @noise = @TSCast::RTMPDoor::NOISE;
my @codecs = (@TSCast::RTMPDoor::X264, '-bf', 2, @TSCast::RTMPDoor::AAC);

my @tags = $door->film;
my @media = grep { $_->{type} != $TSCast::FLV::SCRIPT } @tags;
my $frames = TSCast::Compare::frames("$door->{dir}/av.flv");


# what comes of the tags, in one piece

sub publish {
    my ($name, @list) = @_;

    my $p = $door->publisher($name);

    ok($p->tags(@list), "$name is published");
    $p->finish;

    my $v = $door->viewer("/live/$name");

    is($v->wait_end, 'complete', "$name ends");
    $v->close;

    return $v->{body};
}


sub decoded {
    my ($name, $ts, $as) = @_;

    my $path = $ngx->write_file("$name.ts", $ts);
    my $out = TSCast::Compare::frames($path);

    for my $kind (sort keys %$as) {
        ok("@{$out->{$kind} // []}" eq "@{$as->{$kind}}",
           "$name: the same $kind");
    }

    return $out;
}


# the same tags with other times

sub at {
    my ($code, @list) = @_;

    return map { { %$_, time => $code->($_) } } @list;
}


# clocks: the first PTS and DTS are those of the source, in 33 bits

for my $case (['wrap32', 2 ** 32 - 1000], ['wrap33', int($WRAP / 90) - 2000],
              ['later', 3_000_000_000])
{
    my ($name, $start) = @$case;
    my $ts = publish($name, at(sub { $start + $_[0]{time} }, @tags));
    my $s = TSCast::Strict->new($ts);
    my ($first) = $s->units_of(0x100);
    my ($key) = grep { $_->{type} == 9 && !TSCast::FLV::is_config($_) } @media;

    is($s->faults, '', "$name: strict");
    is($first->{dts}, (($start + $key->{time}) * 90 + 90_000) % $WRAP,
       "$name: times are kept");
    decoded($name, $ts, $frames);
}

# a clock that starts anew, first for one track, then for the other

{
    my $half = $#media / 2;
    my @late = @media[$half + 1 .. $#media];
    my $zero = $late[0]{time};
    my $start = 7_000_000;

    my $ts = publish('anew', (at(sub { $start + $_[0]{time} },
                                 @media[0 .. $half])),
                     at(sub { $_[0]{time} - $zero }, @late));
    my $s = TSCast::Strict->new($ts);

    is($s->faults, '', 'anew: strict');
    decoded('anew', $ts, $frames);

    my ($v, $a) = map { [$s->units_of($_)] } 0x100, 0x101;
    my @v = grep { $_->{type} == 9 } grep { !TSCast::FLV::is_config($_) }
            @media;
    my @a = grep { $_->{type} == 8 } grep { !TSCast::FLV::is_config($_) }
            @media;

    is(($v->[-1]{dts} - $a->[-1]{dts}) / 90, $v[-1]{time} - $a[-1]{time},
       'and in step as before');
    ok($ngx->wait_log(qr/timestamps jump to/), 'a line in the log says so');
}

# a gap of an hour, and audio that is missing for 15 seconds

{
    my $half = $media[$#media / 2]{time};
    my $ts = publish('gap', at(sub {
        $_[0]{time} + ($_[0]{time} > $half ? 3_600_000 : 0)
    }, @media));

    is(TSCast::Strict->new($ts)->faults, '', 'a gap: strict');
    decoded('gap', $ts, $frames);

    my @slow = at(sub { $_[0]{time} * 6 }, @media);
    my @less = grep { $_->{type} == 9 || $_->{time} < 1000
                      || $_->{time} > 16_000 } @slow;

    $ts = publish('missing', @less);
    my $s = TSCast::Strict->new($ts);

    is($s->faults, '', 'missing audio: strict');
    is("@{$s->{versions}}", 0, 'one PMT');
    decoded('missing', $ts, { video => $frames->{video} });
}

# audio a second and a half behind the video

{
    my @apart = sort { $a->{order} <=> $b->{order} }
                map { { %$_, order => $_->{time}
                        + ($_->{type} == 8 && !TSCast::FLV::is_config($_)
                           ? 1500 : 0) } } @media;

    my $ts = publish('apart', @apart);
    my $s = TSCast::Strict->new($ts, may_break => 1);

    is($s->faults, '', 'tracks that lie apart: strict');
    is($s->{breaks}, 1, 'with another time base');
    decoded('apart', $ts, $frames);
}

# sequence headers: alone, late, never, and tracks that are only promised

{
    my @config = grep { TSCast::FLV::is_config($_) } @media;
    my @frames = grep { !TSCast::FLV::is_config($_) } @media;
    my ($video) = grep { $_->{type} == 9 } @config;
    my ($audio) = grep { $_->{type} == 8 } @config;

    my $p = $door->publisher('headers');

    $p->tags(@config);
    $p->finish;
    ok($ngx->wait_log(qr{"live/headers" has ended: 0 bytes, 0 dropped}),
       'headers alone: nothing to see');

    my $ts = publish('late', $video, @frames[0 .. 60], $audio,
                     @frames[61 .. $#frames]);
    my $s = TSCast::Strict->new($ts);

    is($s->faults, '', 'late audio: strict');
    is("@{$s->{versions}}", '0 1', 'a new PMT names it');
    decoded('late', $ts, { video => $frames->{video} });
    ok($ngx->wait_log(qr/left out: frames come before their sequence header/),
       'a line in the log says so');

    # promised by the metadata, and not there

    $ts = publish('promised', $tags[0],
                  at(sub { $_[0]{time} * 2 }, grep { $_->{type} == 9 } @media));
    $s = TSCast::Strict->new($ts);

    is($s->faults, '', 'audio that never comes: strict');
    is("@{$s->{versions}}", '0 1', 'it leaves the PMT');
    is(join(' ', keys %{$s->{types}}), 0x100, 'video stays');

    # from the middle on: nothing before a key frame

    my ($second) = (grep { $frames[$_]{type} == 9
                           && ord($frames[$_]{body}) >> 4 == 1 }
                    0 .. $#frames)[1];

    $ts = publish('middle', $video, $audio,
                  @frames[$second - 10 .. $#frames]);
    $s = TSCast::Strict->new($ts);
    my ($first) = $s->units_of(0x100);

    is($s->faults, '', 'from the middle: strict');
    is($first->{random}, 1, 'video begins with a key frame');
}

# another size in the middle of it, and a publisher that returns with that

my @other = TSCast::FLV::make("$dir/other.flv", '-f', 'lavfi', '-i',
                              'testsrc2=size=192x160:rate=25', @noise,
                              '-t', 1, @codecs, '-ar', 32000);
my $other = TSCast::Compare::frames("$dir/other.flv");

{
    my $then = $tags[-1]{time} + 40;
    my $ts = publish('resized', @tags,
                     at(sub { $_[0]{time} + $then }, @other));

    is(TSCast::Strict->new($ts)->faults, '', 'resized: strict');
    my $path = $ngx->write_file('resized.ts', $ts);
    my @widths = split /\n/, TSCast::Compare::said(
        'ffprobe', '-v', 'error', '-select_streams', 'v', '-show_entries',
        'frame=width', '-of', 'csv=p=0', $path);

    is(scalar(grep { /^320/ } @widths), scalar @{$frames->{video}},
       'every frame of the first size');
    is(scalar(grep { /^192/ } @widths), scalar @{$other->{video}},
       'and of the second');

    my $p = $door->publisher('returns');

    $p->tags(@tags);

    my $v = $door->viewer('/stay/returns');

    ok(TSCast::Reader::pump(5, sub { $v->{bytes} > 50_000 }, $v), 'watched');
    $p->finish;

    # once more in the same connection, and in another

    $p = $door->publisher('returns');
    $p->tags(@other);
    $p->close_stream;
    is($p->status, 'NetStream.Unpublish.Success', 'ends');
    $p->publish('returns');
    is($p->status, $TSCast::RTMP::START, 'and begins in the same session');
    $p->tags(@tags);

    ok(TSCast::Reader::pump(5, sub {
        $v->{check}{discontinuities} >= 2
    }, $v), 'the viewer goes on twice');
    is($v->faults(missing => 1), '', 'without a fault');
    $p->finish;
    $v->close;
}

# Enhanced RTMP

SKIP: {
    skip 'no libx265', 1 if `ffmpeg -v quiet -encoders` !~ /libx265/;

    my $hevc = "$dir/video.h265";

    system('ffmpeg', '-nostdin', '-v', 'error', @test, '-t', 2, '-c:v',
           'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p',
           '-x265-params', 'aud=1:bframes=0:keyint=25:log-level=error:'
           . 'pools=none', '-f', 'hevc', $hevc) == 0
        or die 'ffmpeg';

    my $ts = publish('hevc', TSCast::FLV::hevc($hevc));
    my $s = TSCast::Strict->new($ts);

    is($s->faults, '', 'HEVC: strict');
    is(join(' ', %{$s->{types}}), 0x100 . ' ' . 0x24, 'HEVC in the PMT');
    decoded('hevc', $ts, TSCast::Compare::frames($hevc));

    # with the audio of another, H.264 by FourCC

    my @fourcc = map {
        my ($first, $kind) = unpack 'C C', $_->{body};

       +{ %$_, body => $_->{type} == 9
                       ? pack('C a4', ($first & 0x70) | 0x80 | $kind, 'avc1')
                         . substr $_->{body}, $kind ? 2 : 5
                       : pack('C a4', 0x90 | ($kind ? 1 : 0), 'mp4a')
                         . substr $_->{body}, 2 }
    } @media;

    $ts = publish('fourcc', @fourcc);
    is(TSCast::Strict->new($ts)->faults, '', 'H.264 and AAC by FourCC: strict');
    decoded('fourcc', $ts, $frames);
}

# codecs that are refused by name

for my $case ([9, "\x22\0", 'video codec "Sorenson H.263"'],
              [9, "\x90av01", 'video codec "av01"'],
              [9, "\x90\1\2\3\4", 'video codec "unknown"'],
              [9, "\x1c\0\0\0\0", 'video codec "12"'],
              [8, "\xb2\0", 'audio codec "Speex"'],
              [8, "\x90Opus", 'audio codec "Opus"'],
              [8, "\xaf\0\xf9\x48\x80", 'audio codec "xHE-AAC"'])
{
    my ($type, $body, $says) = @$case;
    my $p = $door->publisher('codec');

    $p->tags(@media[0 .. 10]) if $type == 9;
    $p->send($type, 100, $body);
    ok($p->closed_within(3), "$says is refused");
    ok($ngx->wait_log(qr/\Q$says\E cannot be carried/), 'and named');
    $p->close;
}

# bytes that are nothing: left out, counted, and the rest is good

{
    my @broken = (
        { type => 9, time => 500, body => "\x17\1\0\0\0\0\0\xff\xff\x65" },
        { type => 9, time => 500, body => "\x17" },
        { type => 9, time => 500, body => "\x17\0\0\0\0\1\x64" },
        { type => 8, time => 500, body => "\xaf\0\x12" },
        { type => 8, time => 500, body => "\x2f\xaa\xbb\xcc\xdd" },
        { type => 8, time => 500, body => "\xaf\1" . 'x' x 9000 },
        { type => 9, time => 500, body => '' },
        { type => 8, time => 500, body => "\xaf" },
        { type => 9, time => 500, body => "\x50\1\2\3" },
    );

    my $p = $door->publisher('broken');

    $p->tags(@media);

    for (@broken) {
        $p->tags($_);
        $p->tags(grep { TSCast::FLV::is_config($_) } @media);
    }

    my $then = $media[-1]{time} + 40;

    $p->tags(at(sub { $_[0]{time} + $then }, @media));
    $p->finish;

    my $v = $door->viewer('/live/broken');

    $v->wait_end;
    is(TSCast::Strict->new($v->{body})->faults, '', 'broken: strict');

    my $n = @{TSCast::Compare::frames(
                  $ngx->write_file('broken.ts', $v->{body}))->{video}};

    is($n, 2 * @{$frames->{video}}, 'the rest is good');
    ok($ngx->wait_log(qr/7 messages were left out/), 'they are counted');
    ok($ngx->wait_log(qr{"live/broken" has ended: \d+ bytes, [1-9]\d* dropped}),
       'by bytes as well');
    $v->close;
}

# names

{
    my $p = $door->publisher('cam?key=1', app => 'named');

    $p->tags(@media);
    ok($ngx->wait_log(qr{"named-cam\.key=1"}), 'a name of variables');
    like($p->status, qr/BadName|closed/, 'which is refused if it is none');
    $p->close;

    $p = $door->publisher('cam?south', app => 'named');
    $p->tags(@media);
    $p->finish;

    my $v = $door->viewer('/live/named-cam.south');

    $v->wait_end;
    cmp_ok($v->{bytes}, '>', 10_000, 'application, name and arguments');
    $v->close;

    for my $name ('a b', '..%2f', 'x' x 129) {
        $p = $door->publisher($name);
        $p->tags(@media[0 .. 1]);
        is($p->status, $TSCast::RTMP::BAD_NAME, 'not a name');
        ok($p->closed_within(3), 'and closed');
        $p->close;
    }
}

# objects in objects without end, which nginx-rtmp would follow down its stack

{
    my @workers = sort $ngx->workers;

    for my $type (18, 20) {
        my $p = $door->publisher("deep$type");

        $p->_message(3, $type, 0, 1, "\x02\0\x0d\@setDataFrame"
                                     . "\x03\0\x01a" x 200_000);
        ok($p->closed_within(8), "type $type: the session is closed");
        $p->close;
    }

    ok($ngx->wait_log(qr/client sends a command of 8000\d\d bytes/),
       'and a line says so');
    is(join(' ', sort $ngx->workers), "@workers", 'no worker is lost');
}

# silence

{
    my $p = $door->publisher('silent');

    $p->tags(@media);
    ok($p->closed_within(8), 'a silent publisher is closed');
    ok($ngx->wait_log(qr/publisher timed out/), 'and a line says so');
    $p->close;
}

$ngx->stop;
done_testing;
