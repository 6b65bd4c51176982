# Copyright (C) the tscast authors

use strict;
use warnings;

# What the test puts into a stream is what its status tells of it: errors,
# exactly as many, and what elementary streams ffprobe finds.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use List::Util qw(sum);
use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m window=60s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location = /status { tscast_status; }
END_OF_CONF
)->start;


sub packets {
    my ($options) = @_;

    return unpack '(a188)*', TSCast::bytes("gop=0.4 $options");
}


sub pid_of {
    return unpack('x n', $_[0]) & 0x1fff;
}


# publishes it all, and says what the status has of it

sub published {
    my ($name, $bytes) = @_;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$name",
                                   split => 10_007);
    $p->send($bytes);
    is($p->finish->status, 204, "$name is published");
    $p->close;

    return TSCast::Status::until_stream($ngx, "live/$name",
                                        sub { !$_[0]{live} });
}


# "name number" of what is not 0, but for packets

sub errors {
    my ($s) = @_;

    my $h = $s->{health};

    return join ' ', map { "$_ $h->{$_}" }
           grep { /errors|losses|jumps|silences/ && $h->{$_} } sort keys %$h;
}


sub continuity {
    my ($s) = @_;

    return join ' ', map { "$_->{pid}:$_->{continuity_errors}" }
           sort { $a->{pid} <=> $b->{pid} } grep { $_->{continuity_errors} }
           map { @{$_->{pids}} } $s, @{$s->{programs}};
}


{
    my $s = published('good', join '', packets('seconds=4'));

    is(errors($s), '', 'no error');
    is($s->{health}{packets}, scalar(my @p = packets('seconds=4')),
       'and all packets');
}

# packets that are not there, of three PIDs, none beside another

{
    my @p = packets('seconds=4');
    my %lost = (0x100 => [20, 50, 51, 52, 300], 0x101 => [10, 30, 50, 70],
                0x1000 => [3, 5]);
    my (%n, @left);

    for my $packet (@p) {
        my $pid = pid_of($packet);
        my $i = $n{$pid}++;

        push @left, $packet if !grep { $_ == $i } @{$lost{$pid} // []};
    }

    my $s = published('lost', join '', @left);

    # three in a row are one error

    is(continuity($s), '256:3 257:4 4096:2', 'continuity errors by PID');
    is($s->{health}{continuity_errors}, 9, 'and of all');
    is($s->{health}{packets}, @left, 'of so many packets');
}

# a packet that the transport found broken, and what comes of it

{
    my @p = packets('seconds=4');
    my @audio = grep { pid_of($p[$_]) == 0x101 } 0 .. $#p;

    substr($p[$_], 1, 1) |= "\x80" for @audio[5, 15, 25];

    my $s = published('transport', join '', @p);

    is(errors($s), 'continuity_errors 3 transport_errors 3',
       'transport_error_indicator');
}

# one wrong sync byte; two in a row; bytes between packets

{
    my @p = packets('seconds=4');
    my @video = grep { pid_of($p[$_]) == 0x100 } 0 .. $#p;
    my $i = $video[100];

    substr($p[$i], 0, 1) = "\x48";

    my $s = published('sync1', join '', @p);

    is(errors($s), 'continuity_errors 1 sync_byte_errors 1',
       'a wrong sync byte');
    is($s->{publishers}{dropped}, 188, 'drops a packet');

    @p = packets('seconds=4');
    substr($p[$video[$_]], 0, 1) = "\x48" for 4, 5;

    $s = published('sync2', join '', @p);

    is(errors($s),
       'continuity_errors 1 sync_byte_errors 2 sync_losses 1',
       'two in a row are a loss of sync');

    @p = packets('seconds=4');
    $p[$i] .= 'x' x 100;

    $s = published('sync3', join '', @p);

    is(errors($s), 'sync_byte_errors 1 sync_losses 1', 'so is garbage');
    is($s->{publishers}{dropped}, 100, 'which is dropped');
}

# tables once a second, 0.5 s late each time but the last

{
    my @p = unpack '(a188)*', TSCast::bytes('seconds=4.2 gop=1');
    my $s = published('tables', join '', @p);

    is(errors($s), 'pat_errors 4 pmt_errors 4', 'tables that are late');
}

# a section of which one bit is wrong

{
    my @p = packets('seconds=4');
    my @pmt = grep { pid_of($p[$_]) == 0x1000 } 0 .. $#p;

    substr($p[$pmt[4]], 12, 1) ^= "\x01";

    my $s = published('crc', join '', @p);

    is($s->{health}{crc_errors}, 1, 'a wrong CRC');
}

# another second, of PCR and of both PTS, with counters that go on

{
    my @p = packets('seconds=3.2');
    my @q = packets('seconds=3.2 time=1000');

    # 80 frames: audio and video come to a multiple of 16

    my %n;

    $n{pid_of($_)}++ for @p;

    my %at;

    for my $packet (@q) {
        my $pid = pid_of($packet);
        my $cc = ($n{$pid} + $at{$pid}++) & 15;

        substr($packet, 3, 1) = chr(ord(substr $packet, 3, 1) & 0xf0 | $cc);
    }

    my $s = published('jump', join '', @p, @q);

    is(errors($s), 'pcr_discontinuity_errors 1 timestamp_jumps 2',
       'another time');

    # 33 bits are over after 26.5 hours

    my $wrap = 2 ** 33 / 90_000;

    $s = published('wrap', TSCast::bytes('seconds=4 gop=0.4 time='
                                         . ($wrap - 3)));

    is(errors($s), '', 'timestamps may wrap');
}

# real ones

SKIP: {
    skip 'no ffmpeg', 1 if system 'ffmpeg -version > /dev/null 2>&1';

    my %made = (
        h264 => ['640x360', '30000/1001', 2, 48000,
                 qw(-c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p
                    -c:a aac)],
        mpeg2 => ['720x576', '25', 1, 32000,
                  qw(-c:v mpeg2video -b:v 2M -c:a mp2)],
        mpeg1 => ['352x288', '24', 2, 44100,
                  qw(-c:v mpeg1video -c:a libmp3lame)],
        ac3 => ['322x242', '50', 6, 48000,
                qw(-c:v libx264 -preset ultrafast -pix_fmt yuv444p
                   -c:a ac3)],
    );

    $made{hevc} = ['1280x720', '24000/1001', 2, 44100,
                   qw(-c:v libx265 -preset ultrafast -pix_fmt yuv420p
                      -x265-params log-level=error:pools=none -c:a eac3)]
        if `ffmpeg -v quiet -encoders` =~ /libx265/;

    for my $name (sort keys %made) {
        my ($size, $rate, $channels, $hz, @codecs) = @{$made{$name}};
        my $file = $ngx->prefix . "/$name.ts";

        system 'ffmpeg', '-v', 'error', '-nostdin', '-f', 'lavfi', '-i',
               "testsrc=size=$size:rate=$rate", '-f', 'lavfi', '-i',
               "sine=sample_rate=$hz", '-ac', $channels, '-t', 4, '-g', 24,
               @codecs, '-f', 'mpegts', $file;

        open my $in, '<', $file or die "$file: $!";
        binmode $in;
        local $/;

        my $s = published($name, <$in>);
        my $said = `ffprobe -v error -of json -show_streams $file`;
        my $probe = decode_json($said);
        my %is = map { $_->{codec_type} => $_ } @{$probe->{streams}};
        my %says = map { $_->{kind} => $_ } @{$s->{programs}[0]{pids}};

        is("@{$says{video}}{qw(codec width height)}",
           "@{$is{video}}{qw(codec_name width height)}", "$name: video");
        is(sprintf('%.2f', $says{video}{frame_rate}),
           sprintf('%.2f', eval $is{video}{r_frame_rate}),
           "$name: frames per second");
        is("@{$says{audio}}{qw(codec sample_rate channels)}",
           "@{$is{audio}}{qw(codec_name sample_rate channels)}",
           "$name: audio");
        is($says{video}{pid}, hex $is{video}{id}, "$name: its PID");
        is(continuity($s), '', "$name: no continuity error");
        is(TSCast::Status::faults(TSCast::Status::get($ngx)), '',
           'as the schema says');
    }
}

$ngx->stop;
done_testing;
