# Copyright (C) the tscast authors

use strict;
use warnings;

# Real encoders in, FLV out: each frame that a decoder makes of it is the one
# that it makes of the transport stream, at its time.

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_hex);
use File::Temp qw(tempdir);
use Test::More;

use TSCast;

plan(skip_all => 'no ffmpeg') if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 64m window=20s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/flv/(?<stream>.+)$ {
            tscast_play live/$stream format=flv linger=0;
        }
        location ~ ^/stream/(?<stream>.+)$ {
            tscast_play live/$stream format=flv flv_time=stream linger=0;
        }
END_OF_CONF
)->start;

my $dir = tempdir(CLEANUP => 1);
my $encoders = `ffmpeg -v quiet -encoders`;


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


sub slurp {
    my ($path) = @_;

    open my $in, '<:raw', $path or die "$path: $!";
    local $/;

    return scalar <$in>;
}


sub spew {
    my ($path, $bytes) = @_;

    open my $out, '>:raw', $path or die "$path: $!";
    print $out $bytes;
    close $out or die $!;

    return $path;
}


sub encode {
    my ($name, $seconds, @options) = @_;

    my $file = "$dir/$name.ts";

    is(said('ffmpeg', '-v', 'error', '-y', '-f', 'lavfi',
            '-i', 'testsrc2=size=320x180:rate=25', '-f', 'lavfi',
            '-i', 'sine=frequency=440:sample_rate=48000', '-t', $seconds,
            @options, '-f', 'mpegts', $file), '', "$name is encoded");

    return $file;
}


# publishes files over one connection; viewers of each kind are there before
# the first byte, and have begun before the second file

sub play {
    my ($name, @files) = @_;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$name");
    my @v;

    TSCast::Net::until_true(5, sub {
        $_->close for @v;

        @v = (TSCast::Reader->http(port => $ngx->port, flv => 1,
                                   path => "/flv/$name"),
              TSCast::Reader->ws(port => $ngx->port, flv => 1,
                                 path => "/flv/$name"),
              TSCast::Reader->http(port => $ngx->port, flv => 1,
                                   path => "/stream/$name"));
        $_->wait_head for @v;

        return $v[0]{status} == 200;
    });

    for my $bytes (map { slurp($_) } @files) {

        while (length $bytes) {
            $p->send(substr $bytes, 0, 188 * 8, '');
            TSCast::Reader::pump(0, sub { 0 }, @v);
        }

        TSCast::Reader::pump(5, sub { !grep { !$_->{bytes} } @v }, @v);
    }

    is($p->finish->status, 204, "$name is published");
    TSCast::Reader::pump(10, sub { !grep { !$_->{end} } @v }, @v);
    is(join(' ', map { $_->{end} } @v), 'complete complete complete',
       "$name: all viewers have seen the end");
    is(join('; ', map { $_->faults } @v), '; ; ', "$name: without a fault");
    is($v[0]{h}{'content-type'}, 'video/x-flv', "$name: the type");
    is($v[1]{body}, $v[0]{body}, "$name: WebSocket gives the same bytes");

    $_->close for $p, @v;

    return map { $_->{body} } @v[0, 2];
}


# checksums of the frames of a kind, as ffmpeg decodes them

sub frames {
    my ($file, $kind, @options) = @_;

    return [map { (split /,\s*/)[5] }
            grep { !/^#/ }
            split /\n/, said('ffmpeg', '-v', 'error', @options, '-i', $file,
                             '-map', "0:$kind:0", '-f', 'framemd5', '-')];
}


# presentation times of a kind, in seconds

sub times_of {
    my ($file, $kind) = @_;

    return [sort { $a <=> $b } grep { /\d/ } split /[\s,]+/,
            said('ffprobe', '-v', 'error', '-select_streams', $kind,
                 '-show_entries', 'packet=pts_time', '-of', 'csv=p=0',
                 $file)];
}


sub compare {
    my ($name, $ts, @kinds) = @_;

    my ($zero, $stream) = play($name, $ts);
    my $flv = spew("$dir/$name.flv", $zero);
    my $kept = spew("$dir/$name-stream.flv", $stream);

    is(said('ffmpeg', '-v', 'warning', '-xerror', '-i', $flv, '-f', 'null',
            '-'), '', "$name: ffmpeg decodes all of it");

    my (@least, @most, @zero);

    for my $kind (@kinds) {
        my ($got, $want) = (frames($flv, $kind), frames($ts, $kind));

        cmp_ok(scalar @$want, '>', 20, "$name: frames of $kind");
        is_deeply($got, $want, "$name: the same frames of $kind");

        my ($t, $u) = (times_of($kept, $kind), times_of($ts, $kind));

        is(scalar @$t, scalar @$u, "$name: as many packets of $kind");

        my @off = sort { $a <=> $b } map { $t->[$_] - $u->[$_] } 0 .. $#$t;

        push @least, $off[0];
        push @most, $off[-1];
        push @zero, times_of($flv, $kind)->[0];
    }

    my ($least) = sort { $a <=> $b } @least;
    my ($most) = sort { $b <=> $a } @most;

    cmp_ok($most - $least, '<', 0.00101, "$name: all times fit within 1 ms");
    cmp_ok(abs $least, '<', 0.001, "$name: and are those of the stream");

    my ($first) = sort { $a <=> $b } @zero;

    cmp_ok($first, '<', 0.1, "$name: or start near 0");

    return $zero;
}


my @h264 = ('-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p',
            '-g', 25, '-bf', 3, '-b:v', '300k');

{
    my $body = compare('h264', encode('h264', 4, @h264, '-c:a', 'aac'),
                       'v', 'a');
    my $flv = TSCast::Tags->new->feed($body);

    is($flv->{flags}, 5, 'audio and video are announced');
    is($flv->opening, 'meta video= audio= video!',
       'onMetaData, sequence headers, a key frame');
    is_deeply($flv->{meta},
              { videocodecid => 7, width => 320, height => 180,
                audiocodecid => 10, audiosamplerate => 48000, stereo => 0 },
              'what onMetaData tells');
}

{
    my $body = compare('video', encode('video', 4, @h264, '-an'), 'v');

    is(TSCast::Tags->new->feed($body)->{flags}, 1, 'video alone');
}

{
    my $body = compare('audio', encode('audio', 4, '-vn', '-c:a', 'aac'), 'a');
    my $flv = TSCast::Tags->new->feed($body);

    is($flv->{flags}, 4, 'audio alone');
    is($flv->opening, 'meta audio= audio', 'and how it begins');
}

compare('mp3', encode('mp3', 4, @h264, '-c:a', 'libmp3lame'), 'v', 'a')
    if $encoders =~ /libmp3lame/;

# one connection, two encodes: the picture grows in mid-stream

{
    my @parts = (encode('small', 2, @h264, '-c:a', 'aac'),
                 encode('large', 2, @h264, '-s', '640x360', '-c:a', 'aac',
                        '-mpegts_flags', '+initial_discontinuity'));

    my ($body) = play('resize', @parts);

    my @want = map { pictures($_) } @parts;
    my @got = pictures(spew("$dir/resize.flv", $body));
    my %sizes = map { (split)[0] => 1 } @got;

    is(join(' ', sort { $a <=> $b } keys %sizes),
       join(' ', 320 * 180 * 3 / 2, 640 * 360 * 3 / 2),
       'resize: pictures of both sizes');
    is_deeply(\@got, \@want, 'resize: the same as the encoders have made');
}


# size in bytes and checksum of each picture, as large as it is

sub pictures {
    my ($file) = @_;

    return map { join ' ', (split /,\s*/)[4, 5] }
           grep { !/^#/ }
           split /\n/, said('ffmpeg', '-v', 'error', '-i', $file, '-map',
                            '0:v:0', '-autoscale', 0, '-fps_mode',
                            'passthrough', '-f', 'framemd5', '-');
}


# rates and channels

for ([8000, 1], [11025, 2], [22050, 1], [44100, 2], [96000, 1]) {
    my ($rate, $channels) = @$_;
    my $name = "aac-$rate-$channels";

    my $body = compare($name,
                       encode($name, 4, '-vn', '-c:a', 'aac', '-ar', $rate,
                              '-ac', $channels), 'a');
    my $meta = TSCast::Tags->new->feed($body)->{meta};

    is("$meta->{audiosamplerate} $meta->{stereo}",
       "$rate " . ($channels - 1), "$name: onMetaData");
}

for ([16000, 1], [32000, 2]) {
    last if $encoders !~ /libmp3lame/;

    my ($rate, $channels) = @$_;
    my $name = "mp3-$rate-$channels";

    compare($name, encode($name, 4, '-vn', '-c:a', 'libmp3lame', '-ar', $rate,
                          '-ac', $channels), 'a');
}

# this ffmpeg may not read enhanced FLV: its frames as they are

SKIP: {
    skip('no libx265', 1) if $encoders !~ /libx265/;

    my $ts = encode('hevc', 3, '-c:v', 'libx265', '-preset', 'ultrafast',
                    '-x265-params', 'log-level=error:pools=none:keyint=25',
                    '-pix_fmt', 'yuv420p', '-c:a', 'aac');

    my ($body) = play('hevc', $ts);
    my $flv = TSCast::Tags->new(keep => 1)->feed($body);

    is($flv->opening, 'meta video= audio= video!', 'hevc: how it begins');
    is(join(' ', sort keys %{{map { $_->{codec} => 1 }
                              $flv->of(TSCast::Tags::VIDEO)}}), 'hvc1',
       'hevc: as hvc1');
    is($flv->{meta}{videocodecid}, unpack('N', 'hvc1'), 'hevc: onMetaData');
    is("$flv->{meta}{width}x$flv->{meta}{height}", '320x180', 'hevc: size');

    my ($config) = grep { $_->{config} } $flv->of(TSCast::Tags::VIDEO);

    # configurationVersion, Main profile, 4:2:0, 8 bits, four bytes of length

    is(join(' ', unpack 'C C x14 C C C x2 C', $config->{body}),
       '1 1 253 248 248 15', 'hevc: the configuration record');

    my $file = spew("$dir/hevc.bin", $flv->annex_b);

    is($flv->faults, '', 'hevc: its units are whole');
    is_deeply(frames($file, 'v', '-f', 'hevc'), frames($ts, 'v'),
              'hevc: the same frames');
}

SKIP: {
    skip('no libopus', 1) if $encoders !~ /libopus/;

    my $ts = encode('opus', 4, '-vn', '-c:a', 'libopus', '-ac', 2);
    my ($body) = play('opus', $ts);
    my $flv = TSCast::Tags->new(keep => 1)->feed($body);
    my ($config, @tags) = $flv->of(TSCast::Tags::AUDIO);

    is($config->{codec}, 'Opus', 'opus: its name');
    is(unpack('A8 x C', $config->{body}), 'OpusHead', 'opus: its header');
    is(ord substr($config->{body}, 9, 1), 2, 'opus: two channels');

    my @got = map { md5_hex($_->{body}) } @tags;

    is_deeply(\@got, packets($ts), 'opus: the same packets');
}


sub packets {
    my ($file) = @_;

    return [map { (split /,\s*/)[5] } grep { !/^#/ } split /\n/,
            said('ffmpeg', '-v', 'error', '-i', $file, '-map', '0:a:0',
                 '-c', 'copy', '-f', 'framemd5', '-')];
}


# what FLV does not have

my %unfit = (
    'mpeg2' => ['MPEG-2 video', '-c:v', 'mpeg2video', '-c:a', 'aac'],
    'mpeg1' => ['MPEG-2 video', '-c:v', 'mpeg1video', '-an'],
    'ac3' => ['AC-3', @h264, '-c:a', 'ac3'],
    'mp2' => ['MPEG audio layer II', @h264, '-c:a', 'mp2'],
);

for my $name (sort keys %unfit) {
    my ($codec, @options) = @{$unfit{$name}};

    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$name");

    $p->send(slurp(encode($name, 1, @options)));

    my $v;

    TSCast::Net::until_true(5, sub {
        $v->close if $v;
        $v = TSCast::Reader->http(port => $ngx->port, path => "/flv/$name",
                                  flv => 1);

        return $v->wait_head == 406;
    });

    $v->wait_end;
    is("$v->{status} $v->{body}", "406 $codec is not for FLV\r\n",
       "$name is answered with its name");

    my $w = TSCast::Reader->ws(port => $ngx->port, path => "/flv/$name");

    is($w->wait_head, 406, "$name: so is a WebSocket");

    is($p->finish->status, 204, "$name: the publisher does not mind");
    $_->close for $p, $v, $w;
}

$ngx->stop;
done_testing;
