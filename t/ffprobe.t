# Copyright (C) the tscast authors

use strict;
use warnings;

# Real encoders in, real decoders out: no error, from the start and from the
# middle.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

plan(skip_all => 'no ffmpeg') if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m window=20s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
)->start;

my $base = 'http://127.0.0.1:' . $ngx->port;

my %codecs = (
    h264 => ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p',
             '-c:a', 'aac'],
    mpeg1 => ['-c:v', 'mpeg1video', '-c:a', 'mp2'],
);

$codecs{hevc} = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params',
                 'log-level=error:pools=none', '-pix_fmt', 'yuv420p',
                 '-c:a', 'aac']
    if `ffmpeg -v quiet -encoders` =~ /libx265/;

my %names = (h264 => 'h264 aac', mpeg1 => 'mpeg1video mp2', hevc => 'hevc aac');


# what a command wrote to stdout and stderr

sub said {
    my (@cmd) = @_;

    my $pid = open my $out, '-|';

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec { $cmd[0] } @cmd or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out> // '';

    close $out;

    return $text;
}


for my $codec (sort keys %codecs) {
    is(said('ffmpeg', '-v', 'error', '-f', 'lavfi',
            '-i', 'testsrc=size=320x240:rate=25', '-f', 'lavfi',
            '-i', 'sine=frequency=440', '-t', 5, '-g', 25,
            @{$codecs{$codec}}, '-f', 'mpegts', "$base/push/$codec"), '',
       "$codec is published");

    my $streams = said('ffprobe', '-v', 'error', '-show_entries',
                       'stream=codec_name', '-of', 'csv=p=0',
                       "$base/all/$codec");

    my %seen = map { $_ => 1 } grep { /\S/ } split /\s+/, $streams;

    is(join(' ', sort keys %seen), join(' ', sort split / /, $names{$codec}),
       "$codec: ffprobe finds $names{$codec}");

    is(said('ffmpeg', '-v', 'error', '-xerror', '-i', "$base/all/$codec",
            '-f', 'null', '-'), '', "$codec: ffmpeg decodes all of it");

    # from the last key frame on

    is(said('ffmpeg', '-v', 'error', '-xerror', '-i', "$base/live/$codec",
            '-f', 'null', '-'), '', "$codec: and what a late viewer gets");

    like(said('ffprobe', '-v', 'error', '-select_streams', 'v',
              '-show_entries', 'packet=flags', '-of', 'csv=p=0',
              "$base/live/$codec"), qr/\AK/, "$codec: a key frame first");
}

# a second feed follows: decoders go over it

{
    my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/h264');

    is($v->wait_end, 'complete', 'a viewer of the ended stream');
    $v->close;
}

$ngx->stop;
done_testing;
