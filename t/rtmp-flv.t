# Copyright (C) the tscast authors

use strict;
use warnings;

# FLV of what is published over RTMP: the publisher's own tags, byte for byte
# and at their times, for whoever comes when.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::FLV;
use TSCast::RTMP;
use TSCast::RTMPDoor;

# times are those of the encoder and this, ms

my $LEAD = 1000;

my $door = TSCast::RTMPDoor->new(
    workers => 2,
    log => 'debug',
    tscast => "zone live 64m window=20s;\nzone short 16m window=1s;",
    rtmp => <<'END_OF_CONF',
        application live {
            live on;
            tscast_ingest live/$name;
        }

        application short {
            live on;
            tscast_ingest short/$name;
        }
END_OF_CONF
    server => <<'END_OF_CONF',
        location ~ ^/ts/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream format=flv flv_time=stream;
        }
        location ~ ^/zero/(?<stream>.+)$ {
            tscast_play live/$stream format=flv;
        }
        location ~ ^/short/(?<stream>.+)$ {
            tscast_play short/$stream format=flv;
        }
END_OF_CONF
);

my $ngx = $door->{ngx};
my $dir = $door->{dir};
my @film = $door->film;


sub is_media {
    my ($tag) = @_;

    return $tag->{type} != $TSCast::FLV::SCRIPT
           && !TSCast::FLV::is_config($tag);
}


sub is_key {
    my ($tag) = @_;

    return $tag->{type} == $TSCast::FLV::VIDEO && is_media($tag)
           && $tag->{body} =~ /\A\x17\x01/;
}


# what a publisher begins with, and the rest, up to the end of the sequence

my @opening = grep { !is_media($_) } @film[0 .. 4];
my ($end) = grep { $_->{body} =~ /\A\x17\x02/ } @film;
my @media = grep { $_ != $end } @film[@opening .. $#film];
my ($length) = map { $_->{time} + 40 }
               sort { $b->{time} <=> $a->{time} } @film;


sub later {
    my ($ms, @tags) = @_;

    return map { { %$_, time => $_->{time} + $ms } } @tags;
}


# tags as words, so that a difference can be read

sub words {
    my ($shift, @tags) = @_;

    return map { sprintf '%d at %d: %d bytes, %s', $_->{type},
                         $_->{time} + $shift, length $_->{body},
                         unpack '%32C*', $_->{body} } @tags;
}


sub got {
    my ($v) = @_;

    return TSCast::FLV::read_file($ngx->write_file('got.flv', $v->{body}));
}


# has the first frame come?

sub begun {
    my ($v) = @_;

    return $v->{check}->opening =~ /video!?\z/;
}


# until as many tags of media are there

sub until_tags {
    my ($n, @viewers) = @_;

    return TSCast::Reader::pump(8, sub {
        !grep { my $v = $_;
                $n > grep { $_->{type} != $TSCast::FLV::SCRIPT
                            && !$_->{config} } @{$v->{check}{tags}} } @viewers
    }, @viewers);
}


# of a kind, in their order: packets of audio and video change places

sub kind {
    my ($type, @tags) = @_;

    return grep { $_->{type} == $type && is_media($_) } @tags;
}


sub viewer {
    my ($name, %opt) = @_;

    return $door->viewer($name, flv => 1, %opt);
}


# the tag that viewers can begin with, and when they have, the others

sub see {
    my ($p, $viewers, @tags) = @_;

    $p->tags(shift @tags);
    until_tags(1, @$viewers);

    return $p->tags(@tags);
}


# a stream that has just begun: all of it, on each worker

{
    my $p = $door->publisher('begins');

    $p->tags(@opening);
    ok($ngx->wait_log(qr{"live/begins" is published}), 'the stream begins');

    my @v = map { viewer($_ % 2 ? 'begins' : '/zero/begins',
                         how => $_ < 2 ? 'http' : 'ws',
                         sock => $ngx->connect_to_worker(
                                     ($ngx->workers)[$_ >> 1])) } 0 .. 3;

    see($p, \@v, @media, $end);
    ok(until_tags(@media + 1, @v), 'four viewers see all of it');

    for my $n (0 .. 3) {
        my $what = $n % 2 ? 'stream' : 'zero';
        my $shift = $n % 2 ? -$LEAD : 0;
        my @got = got($v[$n]);
        my @head = splice @got, 0, scalar @opening;

        is($v[$n]{check}{flags}, 5, "$what: audio and video");
        is(join("\n", map { $_->{body} } @head),
           join("\n", map { $_->{body} } @opening),
           "$what: the publisher's metadata and sequence headers");
        is_deeply([words($shift, @got)], [words(0, @media, $end)],
                  "$what: its tags, at their times");
        is($v[$n]->faults, '', "$what: without a fault");
    }

    # metadata that changes, for those who come

    my $meta = "\x02\0\x0aonMetaData\x08\0\0\0\1\0\5widthA00000000"
               . "\0\0\x09";
    $meta =~ s/A0{8}/pack 'C d>', 0, 123/e;

    $p->relayed(0, $meta);
    $p->tags(later($length, @media));
    ok(until_tags(2 * @media + 1, @v), 'it goes on');

    my $late = viewer('begins');

    ok(until_tags(1, $late), 'a late viewer');

    my @got = got($late);

    is($got[0]{body}, $meta, 'has the newest metadata');
    is($late->{check}->opening, 'meta video= audio= video!',
       'and begins at a key frame');
    is($_->{check}{meta}{width}, 320, 'nobody else is told of it') for @v;

    $p->finish;
    $_->close for @v, $late;
}


# metadata that is none, or too long, is left out

{
    my $p = $door->publisher('metadata');

    $p->relayed(0, "\x02\0\x0aonTextData\x02\0\4text");
    $p->send($TSCast::FLV::SCRIPT, 0, "\x02\0\x0aonMetaData\x08\0\0\0\1\0\4long"
             . "\x02\x10\0" . 'x' x 4096 . "\0\0\x09");
    ok($ngx->wait_log(qr/metadata of 4\d+ bytes is left out/), 'too long');

    $p->tags(grep { $_->{type} != $TSCast::FLV::SCRIPT } @opening);
    ok($ngx->wait_log(qr{"live/metadata" is published}), 'a stream begins');

    my $v = viewer('metadata');

    see($p, [$v], @media);
    ok(until_tags(scalar @media, $v), 'it is seen');
    is($v->{check}->opening, 'video= audio= video!', 'without metadata');
    is($v->faults, '', 'and without a fault');
    $p->finish;
    $v->close;
}


# audio that metadata promises, and that does not come

{
    my @video = kind($TSCast::FLV::VIDEO, @media);
    my $p = $door->publisher('promise');
    my $rounds = 0;

    $p->tags(grep { $_->{type} != $TSCast::FLV::AUDIO } @opening);
    ok($ngx->wait_log(qr{"live/promise" is published}), 'a stream begins');

    my $v = viewer('promise');

    ok(TSCast::Net::until_true(8, sub {
        $p->tags(later($length * $rounds++, @video));

        return TSCast::Reader::pump(0.1, sub { begun($v) }, $v);
    }), 'is seen all the same');

    $p->tags(later($length * $rounds++, @video)) for 1, 2;
    is($v->{check}->opening, 'meta video= video!', 'without audio');

    # after three seconds it is not waited for

    my $late = viewer('promise');

    ok(TSCast::Reader::pump(5, sub { begun($late) }, $late),
       'a late viewer');
    is($late->{check}{flags}, 1, 'is told of video alone');
    is($_->faults, '', 'without a fault') for $v, $late;
    $p->finish;
    $_->close for $v, $late;
}


# asked for in mid-stream: at once from the newest key frame on, and with the
# publisher's tags from the next one on

{
    my $p = $door->publisher('middle');
    my @keys = grep { is_key($media[$_]) } 0 .. $#media;

    $p->tags(@opening, @media);

    # a frame that is cut, so that the error log tells when it is there

    $p->send($TSCast::FLV::VIDEO, $length, "\x27\1\0\0\0\0\0\xff\xff\0");
    ok($ngx->wait_log(qr/left out: a frame is cut/), 'a stream is there');

    my $ts = $door->viewer('/ts/middle');

    ok($ts->wait_bytes(1000), 'and watched already');

    my @v = map { viewer('middle', how => $_) } qw(http ws);

    # what is not over yet: the last picture, and a frame of audio with it

    ok(until_tags(@media - $keys[-1] - 3, @v), 'FLV comes at once');

    my @next = later($length, @media);

    $p->tags(@next);
    ok(until_tags(@media - $keys[-1] + @next, @v), 'and goes on');

    my @want = (@media[$keys[-1] .. $#media], @next);

    for my $v (@v) {
        my @got = got($v);

        is($v->{check}->opening, 'meta video= audio= video!',
           'how it begins');
        is($got[0]{body}, $film[0]{body}, 'with metadata of the publisher');

        # audio that was sent behind the key frame but is earlier is left out

        for my $type ($TSCast::FLV::VIDEO, $TSCast::FLV::AUDIO) {
            is_deeply([words(-$LEAD, kind($type, @got))],
                      [words(0, grep { $_->{time} >= $want[0]{time} }
                                kind($type, @want))],
                      "nothing of type $type is missing, nor there twice");
        }

        # from the next key frame on even their order, and in front of it the
        # sequence headers

        my ($at) = grep { is_key($got[$_])
                          && $got[$_]{time} >= $next[0]{time} + $LEAD }
                   0 .. $#got;

        my ($first) = grep { is_key($next[$_]) } 0 .. $#next;

        is_deeply([words(-$LEAD, @got[$at .. $#got])],
                  [words(0, @next[$first .. $#next])],
                  'the tags of the publisher');
        is(join("\n", map { $_->{body} } @got[$at - 2, $at - 1]),
           join("\n", map { $_->{body} } @opening[1, 2]),
           'and its sequence headers');
        is($v->faults, '', 'without a fault');
    }

    # it goes, and comes back with other pictures and another clock

    $p->finish;

    my @other = TSCast::FLV::make("$dir/other.flv", '-f', 'lavfi', '-i',
                                  'testsrc2=size=192x160:rate=25',
                                  @TSCast::RTMPDoor::NOISE, '-t', 1,
                                  @TSCast::RTMPDoor::X264,
                                  @TSCast::RTMPDoor::AAC, '-ar', 32000);

    my @before = map { scalar @{$_->{check}{tags}} } @v;

    $p = $door->publisher('middle');
    $p->tags(later(100_000, @other));

    my @again = grep { is_media($_) } @other;

    ok(TSCast::Reader::pump(8, sub {
        !grep { @{$v[$_]{check}{tags}} < $before[$_] + @again + 2 } 0, 1
    }, @v), 'the publisher comes back');

    for my $n (0, 1) {
        my @got = got($v[$n]);

        @got = @got[$before[$n] .. $#got];

        is(join("\n", map { $_->{body} } @got[0, 1]),
           join("\n", map { $_->{body} } grep { TSCast::FLV::is_config($_) }
                                         @other),
           'new sequence headers');
        is_deeply([words(-$LEAD - 100_000, @got[2 .. $#got])],
                  [words(0, @again)], 'and its tags');
        is($v[$n]->faults, '', 'without a fault');
    }

    $p->finish;
    $_->close for @v, $ts;
}


# ffmpeg, as it comes

{
    my $pid = TSCast::Publisher::background(sub {
        exec 'ffmpeg', '-nostdin', '-v', 'quiet', '-re', '-i', "$dir/av.flv",
             '-c', 'copy', '-f', 'flv',
             "rtmp://127.0.0.1:$door->{port}/live/encoder" or die $!;
    });

    my $v = viewer('encoder');

    ok($ngx->wait_log(qr{"live/encoder" has ended}, 10), 'a film has ended');

    my %last = map { $_ => (kind($_, @film))[-1]{time} + $LEAD }
               $TSCast::FLV::VIDEO, $TSCast::FLV::AUDIO;

    ok(TSCast::Reader::pump(5, sub {
        !grep { ($v->{check}{last}{$_} // 0) < $last{$_} } keys %last
    }, $v), 'its viewer has the end');

    my @got = got($v);

    for my $type ($TSCast::FLV::VIDEO, $TSCast::FLV::AUDIO) {
        my @mine = words(-$LEAD, kind($type, @got));
        my @want = words(0, kind($type, @film));

        cmp_ok(scalar @mine, '>', 20, "encoder: tags of type $type");
        is_deeply(\@mine, [@want[@want - @mine .. $#want]],
                  'up to the end, as they are in the file');
    }

    is($v->faults, '', 'without a fault');
    TSCast::Publisher::end($pid);
    $v->close;
}


# the picture changes its size within a session

{
    my @small = TSCast::FLV::make("$dir/small.flv", '-f', 'lavfi', '-i',
                                  'testsrc2=size=192x160:rate=25', '-t', 1,
                                  @TSCast::RTMPDoor::X264);
    my $p = $door->publisher('resize');

    $p->tags(@opening);
    ok($ngx->wait_log(qr{"live/resize" is published}), 'a stream begins');

    my $v = viewer('resize');

    see($p, [$v], @media);
    $p->tags(later($length, grep { $_->{type} == $TSCast::FLV::VIDEO }
                            @small));

    my $n = @media + grep { is_media($_) } @small;

    ok(until_tags($n, $v), 'in another size as well');
    is($v->faults, '', 'without a fault');
    $ngx->write_file('resize.flv', $v->{body});

    is_deeply([pictures("$dir/resize.flv")],
              [pictures("$dir/av.flv"), pictures("$dir/small.flv")],
              'decoders see both');
    $p->finish;
    $v->close;
}


# size in bytes and checksum of each picture, as large as it is

sub pictures {
    my ($file) = @_;

    return map { join ' ', (split /,\s*/)[4, 5] }
           grep { !/^#/ }
           split /\n/, TSCast::Compare::said('ffmpeg', '-v', 'error', '-i',
                            $file, '-map', '0:v:0', '-autoscale', 0,
                            '-fps_mode', 'passthrough', '-f', 'framemd5',
                            '-');
}


# HEVC by Enhanced RTMP

SKIP: {
    skip 'no libx265', 3 if `ffmpeg -v quiet -encoders` !~ /libx265/;

    my $hevc = "$dir/video.h265";

    system('ffmpeg', '-nostdin', '-v', 'error', @TSCast::RTMPDoor::TEST, '-t',
           1, '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params',
           'log-level=error:pools=none:keyint=25:bframes=0:aud=1', '-pix_fmt',
           'yuv420p', $hevc) == 0 or die 'ffmpeg';

    my ($config, @frames) = TSCast::FLV::hevc($hevc);
    my $p = $door->publisher('hevc');

    $p->tags($config);
    ok($ngx->wait_log(qr{"live/hevc" is published}), 'HEVC is published');

    my $v = viewer('hevc');

    see($p, [$v], @frames);
    ok(until_tags(scalar @frames, $v), 'and seen');

    my @got = got($v);

    is_deeply([words(0, $got[0]), words(-$LEAD, @got[1 .. $#got])],
              [words($LEAD, $config), words(0, @frames)],
              'as it was sent');
    is($v->{check}{flags}, 1, 'video alone');
    $p->finish;
    $v->close;
}


# MP3 has no sequence header, and audio alone no key frames

SKIP: {
    skip 'no libmp3lame', 3 if `ffmpeg -v quiet -encoders` !~ /libmp3lame/;

    my @mp3 = TSCast::FLV::make("$dir/mp3.flv", @TSCast::RTMPDoor::NOISE,
                                '-t', 2, '-c:a', 'libmp3lame', '-ar', 44100);
    my @frames = grep { is_media($_) } @mp3;
    my $p = $door->publisher('mp3');

    $p->tags($mp3[0], splice @frames, 0, 5);
    ok($ngx->wait_log(qr{"live/mp3" is published}), 'MP3 is published');

    my $v = viewer('mp3');

    see($p, [$v], @frames);
    ok(until_tags(scalar @frames, $v), 'and seen');

    my @got = words(-$LEAD, kind($TSCast::FLV::AUDIO, got($v)));

    is_deeply([@got[-@frames .. -1]], [words(0, @frames)],
              'as it was sent');
    is($v->{check}{flags}, 4, 'audio alone');
    $p->finish;
    $v->close;
}


# a clock that starts anew, and messages that are left out

{
    my $p = $door->publisher('jumps');

    $p->tags(@opening);
    ok($ngx->wait_log(qr{"live/jumps" is published}), 'a stream begins');

    my $v = viewer('jumps');

    see($p, [$v], later(500_000, @media));
    $p->send($TSCast::FLV::VIDEO, 500_000, "\x27\1\0\0\0\0\0\xff\xff\0");
    $p->tags(@media);
    ok(until_tags(2 * @media, $v), 'its clock jumps back');
    is($v->faults, '', 'that of its tags does not');

    my @got = grep { is_media($_) } got($v);

    is(join("\n", map { $_->{body} } @got),
       join("\n", map { $_->{body} } @media, @media),
       'what is broken is left out');
    $p->finish;
    $v->close;
}


# a sequence header without an end: its packets are what is left

{
    my ($meta, $video, $audio) = @opening;
    my $p = $door->publisher('long');

    $p->tags($meta, { %$video, body => $video->{body} . "\0" x 4000 },
             $audio);
    ok($ngx->wait_log(qr{"live/long" is published}), 'a stream begins');

    my $v = viewer('long');

    $p->tags(@media);
    ok(until_tags(20, $v), 'it is seen');
    is($v->faults, '', 'without a fault');
    like($ngx->error_log, qr{sequence header are too long for FLV of "live/lo},
         'and the error log tells');
    $p->finish;
    $v->close;
}


# a reload

{
    my $p = $door->publisher('reload');

    $p->tags(@opening);
    ok($ngx->wait_log(qr{"live/reload" is published}), 'a stream begins');

    my $old = viewer('reload');

    see($p, [$old], @media);
    ok(until_tags(scalar @media, $old), 'before the reload');
    $ngx->reload;

    my $young = viewer('reload');

    $p->tags(later($length, @media));
    ok(until_tags(2 * @media, $old), 'and after it');
    ok(until_tags(20, $young), 'a new worker has it too');

    is_deeply([words(-$LEAD, grep { is_media($_) } got($old))],
              [words(0, @media, later($length, @media))],
              'nothing is missing');
    is($_->faults, '', 'nor wrong') for $old, $young;
    $p->finish;
    $_->close for $old, $young;
}


# nobody watches: it ends, and comes back

SKIP: {
    skip 'no debug log', 3 if TSCast::Nginx::built() !~ /--with-debug/;

    my $p = $door->publisher('idle', app => 'short');

    $p->tags(@opening, @media);

    my $v = viewer('/short/idle');

    ok(until_tags(10, $v), 'somebody watches');
    $v->close;
    ok($ngx->wait_log(qr/flv of "idle" ends/, 5), 'and goes');

    $p->tags(later($length, @media));
    $v = viewer('/short/idle');
    ok(until_tags(10, $v), 'and comes back');
    is($v->{check}->opening, 'meta video= audio= video!', 'to headers');
    is($v->faults, '', 'and no fault');
    $p->finish;
    $v->close;
}

$ngx->stop;
done_testing;
