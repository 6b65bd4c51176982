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
use TSCast::RTMP;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;
plan skip_all => 'no ffmpeg' if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 64m window=60s;',
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;

        application live {
            live on;
            tscast_ingest live/$name;
        }
    }
}
END_OF_CONF
    server => <<'END_OF_CONF',
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
)->start;

my $rtmp = 'rtmp://127.0.0.1:' . $ngx->other_port(1) . '/live';
my $dir = $ngx->prefix;

my @test = ('-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25');
my @noise = ('-f', 'lavfi', '-i', 'anoisesrc=seed=1:amplitude=0.2');
my @x264 = ('-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p',
            '-g', 25);
my @aac = ('-c:a', 'aac', '-b:a', '64k');


sub watch {
    my ($how, $name) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $ngx->port, path => "/live/$name");
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    $v->wait_end(20);
    is(join(', ', @{$v->{faults}}), '', "$name over $how: no fault");
    $v->close;

    return $v->{body};
}


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

my $how = 'http';

for my $name (sort keys %source) {
    my $flv = "$dir/$name.flv";

    TSCast::FLV::make($flv, @{$source{$name}});

    is(TSCast::Compare::said('ffmpeg', '-v', 'error', '-i', $flv, '-c',
                             'copy', '-f', 'flv', "$rtmp/$name"), '',
       "$name is published");

    $how = $how eq 'http' ? 'ws' : 'http';

    my $ts = $ngx->write_file("$name.ts", watch($how, $name));

    TSCast::Compare::same($name, $flv, $ts);
}

is(watch('http', 'film'), TSCast::FLV::slurp("$dir/film.ts"),
   'HTTP and WebSocket: the same bytes');

# streams of other encoders: FLV as it is, TS where FLV has the codecs

SKIP: {
    my @files = map { (TSCast::media_dir() // 'none') . "/$_" }
                qw(androidx-sample.flv eyevinn-avc_with_time.ts);

    skip 'no ../shared/media beside this tree', 16 if grep { !-e } @files;

    for my $n (0 .. $#files) {
        my $flv = "$dir/media$n.flv";

        TSCast::FLV::make($flv, '-i', $files[$n], '-t', 5, '-c', 'copy');
        is(TSCast::Compare::said('ffmpeg', '-v', 'error', '-i', $flv, '-c',
                                 'copy', '-f', 'flv', "$rtmp/media$n"), '',
           "$files[$n] is published");

        TSCast::Compare::same("media$n", $flv,
            $ngx->write_file("media$n.ts", watch('http', "media$n")));
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

    my $ts = $ngx->write_file('gst.ts', watch('http', 'gst'));

    TSCast::Compare::same('gst', $flv, $ts);
}

$ngx->stop;
done_testing;
