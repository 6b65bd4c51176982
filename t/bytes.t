# Copyright (C) the tscast authors

use strict;
use warnings;

# Byte for byte: a file that curl or ffmpeg publishes comes out identical, to
# ten viewers on each of two workers, over WebSocket and HTTP.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m window=60s buffer=24m;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
)->start;


# ten viewers on each worker as soon as the stream is there

sub viewers {
    my ($name) = @_;

    $ngx->wait_stream("/live/$name");

    my $n = 0;

    return $ngx->viewers_on_all_workers(10, sub {
        my $class = 'TSCast::Reader';
        my $how = $n++ % 2 ? 'ws' : 'http';

        return $class->$how(sock => shift, path => "/live/$name");
    });
}


sub all_got {
    my ($expected, $what, @viewers) = @_;

    TSCast::Reader::pump(20, sub { !grep { !$_->{end} } @viewers }, @viewers);

    my %seen;

    for my $v (@viewers) {
        my $how = $v->{ws} ? 'ws' : 'http';
        my $worker = $v->{worker} == $viewers[0]{worker} ? 'one' : 'two';

        $seen{"$how $worker"}++
            if $v->{body} eq $expected && $v->{end} eq 'complete'
               && !@{$v->{faults}};

        diag("$what, $how: $v->{bytes} bytes, end ", $v->{end} // 'none', ' ',
             $v->faults)
            if $v->{body} ne $expected;

        $v->close;
    }

    is_deeply(\%seen, { 'http one' => 5, 'http two' => 5,
                        'ws one' => 5, 'ws two' => 5 },
              "$what: " . length($expected) . ' bytes, 20 times');
}


sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or die "$path: $!";
    binmode $in;
    local $/;

    return scalar <$in>;
}


# curl reads from us, so that it goes on as long as we want

{
    my $file = TSCast::bytes('seconds=10 gop=2 bitrate=4000000');

    my ($curl, $pid) = TSCast::Publisher::command(
        $ngx->prefix . '/curl.err', 'curl', '-sSf', '-T', '-', '-X', 'POST',
        'http://127.0.0.1:' . $ngx->port . '/push/curl');

    my $half = 188 * 10_000 + 77;

    print $curl substr $file, 0, $half;

    my @viewers = viewers('curl');

    is(scalar(@viewers), 20, 'twenty viewers');

    print $curl substr $file, $half;
    close $curl;
    is(TSCast::Publisher::wait_for($pid), 0, 'curl was content');

    all_got($file, 'curl', @viewers);
}


# ffmpeg keeps a copy of what it sends

SKIP: {
    skip 'no ffmpeg', 3 if system('ffmpeg -version > /dev/null 2>&1') != 0;

    my $in = $ngx->write_file('in.ts', '');
    my $copy = $ngx->prefix . '/copy.ts';
    my $url = 'http\\://127.0.0.1\\:' . $ngx->port . '/push/ffmpeg';

    is(system('ffmpeg', '-v', 'error', '-y', '-f', 'lavfi',
              '-i', 'testsrc=size=320x240:rate=25', '-f', 'lavfi',
              '-i', 'sine=frequency=440', '-t', 8, '-c:v', 'libx264',
              '-preset', 'ultrafast', '-g', 25, '-pix_fmt', 'yuv420p',
              '-b:v', '3M', '-maxrate', '3M', '-bufsize', '1M',
              '-x264-params', 'nal-hrd=cbr',
              '-c:a', 'aac', '-f', 'mpegts', $in), 0, 'a file by ffmpeg');

    my ($ffmpeg, $pid) = TSCast::Publisher::command(
        $ngx->prefix . '/ffmpeg.err', 'ffmpeg', '-v', 'error',
        '-f', 'mpegts', '-i', 'pipe:0', '-map', 0, '-c', 'copy', '-f', 'tee',
        "[f=mpegts]$copy|[f=mpegts:flush_packets=1]$url");

    my $bytes = slurp($in);

    # ffmpeg looks at 5 seconds before it begins

    my $half = int length($bytes) * 0.8;

    print $ffmpeg substr $bytes, 0, $half;

    my @viewers = viewers('ffmpeg');

    print $ffmpeg substr $bytes, $half;
    close $ffmpeg;
    is(TSCast::Publisher::wait_for($pid), 0, 'ffmpeg was content');

    all_got(slurp($copy), 'ffmpeg', @viewers);
}

$ngx->stop;
done_testing;
