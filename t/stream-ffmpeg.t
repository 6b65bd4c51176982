# Copyright (C) the tscast authors

use strict;
use warnings;

# The doors in stream {} and the encoders and players that people have: ffmpeg
# in by tcp://, udp:// as it is and with pkt_size, rtp://; ffprobe, ffmpeg
# and GStreamer out.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}

plan(skip_all => 'no ffmpeg') if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m;',
    events => 'multi_accept on;',
    main => <<'END_OF_CONF',
stream {
    server {
        listen 127.0.0.1:$PORT_1;
        listen 127.0.0.1:$PORT_1 udp reuseport rcvbuf=4m;
        tscast_ingest live/cam timeout=500ms;
    }
    server {
        listen 127.0.0.1:$PORT_2;
        tscast_play live/cam start=live linger=0;
    }
}
END_OF_CONF
)->start;

my $in = '127.0.0.1:' . $ngx->other_port(1);
my $out = 'tcp://127.0.0.1:' . $ngx->other_port(2);

my @encode = (qw(ffmpeg -v error -re -f lavfi -i testsrc=size=320x240:rate=25
                 -f lavfi -i sine=frequency=440 -g 10 -c:v libx264
                 -preset ultrafast -tune zerolatency -pix_fmt yuv420p
                 -c:a aac));

# their decoders look at the first seconds before they begin

my @quick = ('-analyzeduration', '500k');


# what a command has said within some seconds, and how it ended

sub said {
    my ($cmd, $file) = (shift, $ngx->prefix . '/said');

    my $pid = TSCast::Publisher::background(sub {
        open STDIN, '<', '/dev/null' or die $!;
        open STDOUT, '>', $file or die $!;
        open STDERR, '>&', \*STDOUT or die $!;
        exec { $cmd->[0] } @$cmd or die "$cmd->[0]: $!";
    });

    my $rc = TSCast::Publisher::wait_for($pid, 20);

    open my $text, '<', $file or die $!;
    local $/;

    return (scalar <$text>, $rc);
}


sub has {
    my ($program) = @_;

    return grep { -x "$_/$program" } split /:/, $ENV{PATH};
}


my @ways = (
    ['tcp://', 'mpegts', "tcp://$in"],
    ['udp://', 'mpegts', "udp://$in"],
    ['udp:// with pkt_size', 'mpegts', "udp://$in?pkt_size=1316"],
    ['rtp://', 'rtp_mpegts', "rtp://$in"],
);

my $seen = 0;

for my $way (@ways) {
    my ($name, $format, $url) = @$way;

    my $pid = TSCast::Publisher::background(sub {
        open STDIN, '<', '/dev/null' or die $!;
        exec { $encode[0] } @encode, '-f', $format, $url
            or die "$encode[0]: $!";
    });

    ok(TSCast::Net::until_true(15, sub {
        substr($ngx->error_log, $seen) =~ /"live\/cam" is published/
    }), "$name: published") or diag $ngx->error_log;

    my ($text, $rc) = said(['ffprobe', '-v', 'error', @quick,
                            '-show_entries', 'stream=codec_name',
                            '-of', 'csv=p=0', $out]);

    my %codecs = map { $_ => 1 } grep { /\S/ } split /\s+/, $text;

    is(join(' ', sort keys %codecs), 'aac h264',
       "$name: ffprobe reads what was sent, without an error");
    is($rc, 0, "$name: and says so");

    ($text, $rc) = said(['ffmpeg', '-v', 'error', '-xerror', @quick,
                         '-i', $out, '-t', 1, '-f', 'null', '-']);

    is($text, '', "$name: a second of it is decoded without an error");
    is($rc, 0, "$name: to the end");

    if ($name eq 'tcp://') {
        players();
    }

    TSCast::Publisher::end($pid);

    ok(TSCast::Net::until_true(10, sub {
        substr($ngx->error_log, $seen) =~ /"live\/cam" has ended: (\N+)/
    }), "$name: ended");

    my ($ended) = substr($ngx->error_log, $seen) =~ /has ended: (\N+?) while/;

    like($ended, qr/\A\d{5,} bytes, 0 dropped, 0 lost, 0 continuity errors/,
         "$name: all of it was media");

    like($ended, qr/ packets: 0 missing, 0 reordered, 0 doubled\z/,
         "$name: all of its packets came") if $format eq 'rtp_mpegts';

    $seen = length $ngx->error_log;
}


sub players {
    my ($host, $port) = $out =~ m{//(.*):(\d+)};

    SKIP: {
        skip 'no GStreamer with tsdemux and H.264', 1
            if !has('gst-launch-1.0')
               || system('gst-inspect-1.0 tsdemux > /dev/null 2>&1')
               || system('gst-inspect-1.0 h264parse > /dev/null 2>&1');

        my ($text, $rc) = said(['gst-launch-1.0', '-q', 'tcpclientsrc',
                                "host=$host", "port=$port",
                                'num-buffers=200', '!', 'tsdemux', '!',
                                'h264parse', '!', 'fakesink', 'sync=false']);

        is($rc, 0, 'GStreamer plays it') or diag $text;
    }
}


$ngx->stop;
done_testing;
