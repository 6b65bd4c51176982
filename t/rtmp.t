# Copyright (C) the tscast authors

use strict;
use warnings;

# Encoders publish over RTMP; what is watched as a transport stream decodes to
# the same pictures and samples, at the same times, and is as strict as the
# standard asks.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMPDoor;

my $door = TSCast::RTMPDoor->new(workers => 2);
my $ngx = $door->{ngx};
my $rtmp = "rtmp://127.0.0.1:$door->{port}/live";
my $dir = $door->{dir};

my @test = @TSCast::RTMPDoor::TEST;
my @noise = @TSCast::RTMPDoor::NOISE;
my @x264 = @TSCast::RTMPDoor::X264;
my @aac = @TSCast::RTMPDoor::AAC;
my %source = (
    bframes => [@test, @noise, '-t', 4, @x264, '-bf', 3, @aac, '-ar', 48000],
    baseline => [@test, @noise, '-t', 2, @x264, '-profile:v', 'baseline',
                 @aac, '-ar', 44100, '-ac', 1],
    high10 => [@test, '-t', 2, '-c:v', 'libx264', '-preset', 'veryfast',
               '-pix_fmt', 'yuv420p10le', '-g', 25, '-bf', 2],
    video => [@test, '-t', 2, @x264],
    audio => [@noise, '-t', 3, @aac, '-ar', 44100],
    slow => ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=3', '-t', 4,
             @x264],
    film => ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=24000/1001',
             @noise, '-t', 3, @x264, '-bf', 2, '-g', 24, @aac],
);

$source{mp3} = [@test, @noise, '-t', 2, @x264, '-c:a', 'libmp3lame',
                '-ar', 44100]
    if `ffmpeg -v quiet -encoders` =~ /libmp3lame/;

$door->compare(%source);

is($door->watch('http', 'film'), TSCast::FLV::slurp("$dir/film.ts"),
   'HTTP and WebSocket: the same bytes');

# streams of other encoders: FLV as it is, TS where FLV has the codecs

SKIP: {
    my @files = map { (TSCast::media_dir() // 'none') . "/$_" }
                qw(androidx-sample.flv eyevinn-avc_with_time.ts);

    skip 'no ../shared/media beside this tree', 16 if grep { !-e } @files;

    for my $n (0 .. $#files) {
        my $flv = "$dir/media$n.flv";

        TSCast::FLV::make($flv, '-i', $files[$n], '-t', 5, '-c', 'copy');
        $door->send_file($flv, "media$n");

        TSCast::Compare::same("media$n", $flv,
            $ngx->write_file("media$n.ts", $door->watch('http', "media$n")));
    }
}

SKIP: {
    skip 'no tsreport', 2 if system('which tsreport > /dev/null 2>&1');

    for my $name (qw(bframes audio)) {
        unlike(TSCast::Compare::said('tsreport', '-err', 'stdout',
                                     "$dir/$name.ts"), qr/###|!!!/,
               "$name: tsreport finds nothing");
    }
}

SKIP: {
    skip 'no rtmpsink, x264enc or aac of GStreamer', 6
        if system('gst-inspect-1.0 rtmpsink x264enc > /dev/null 2>&1')
           || system('gst-inspect-1.0 avenc_aac > /dev/null 2>&1');

    my $flv = "$dir/gst.flv";

    # the same bytes go to a file

    is(system('gst-launch-1.0', '-q', 'videotestsrc', 'num-buffers=75', '!',
              'video/x-raw,width=320,height=240,framerate=25/1', '!',
              'x264enc', 'key-int-max=25', 'bframes=2', '!', 'h264parse', '!',
              'flvmux', 'name=m', 'streamable=true', '!', 'tee', 'name=t',
              'audiotestsrc', 'num-buffers=130', '!', 'avenc_aac', '!',
              'aacparse', '!', 'm.',
              't.', '!', 'queue', '!', 'filesink', "location=$flv",
              't.', '!', 'queue', '!', 'rtmpsink', "location=$rtmp/gst"),
       0, 'gst is published');

    my $ts = $ngx->write_file('gst.ts', $door->watch('http', 'gst'));

    TSCast::Compare::same('gst', $flv, $ts);
}

$ngx->stop;
done_testing;
