#!/usr/bin/env perl

# Copyright (C) the tscast authors

# Random access points of real encoders' streams against the key frames that
# ffprobe finds.  TS_RAPS is the program built from ts_raps.c, TSCAST_MEDIA
# a folder with streams of other encoders.
#
# Where ffprobe differs for good reason:
#
# - audio: of several frames in a PES packet only the first has a position;
# - H.264: it calls P frames with a recovery point key frames; a decoder that
#   starts there shows garbage until the refresh is over;
# - what is before the first PMT: it goes back in the file, a live stream
#   cannot.

use strict;
use warnings;

use File::Basename;
use File::Temp;
use Test::More;

my $here = dirname(__FILE__);
my $raps = $ENV{TS_RAPS} // "$here/../../build/unit/ts_raps";
my $media = $ENV{TSCAST_MEDIA} // "$here/../../../shared/media";

plan skip_all => "no $raps: make -C t/unit" unless -x $raps;
plan skip_all => "no ffmpeg" if system("ffmpeg -version >/dev/null 2>&1");

my $dir = File::Temp->newdir();

my $picture = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=5";
my $sound = "-f lavfi -i sine=frequency=440:duration=5";
my $both = "$picture $sound";
my $x264 = "-c:v libx264 -preset veryfast -g 25 -c:a aac -x264-params";
my $x265 = "-c:v libx265 -preset ultrafast -c:a aac"
           . " -x265-params log-level=error:keyint=25";

my @samples = (
    # name, what ffmpeg is given, codec, key frames (undef: as ffprobe says)

    ["mpeg1", "$both -c:v mpeg1video -g 25 -c:a mp2", 1],
    ["mpeg2", "$both -c:v mpeg2video -g 25 -bf 2 -c:a mp2", 1],
    ["mpeg2-fields", "$both -c:v mpeg2video -g 15 -flags +ildct+ilme"
                     . " -c:a mp2", 1],
    ["mpeg4", "$both -c:v mpeg4 -g 25 -c:a mp2", 2],
    ["x264", "$both $x264 keyint=25", 3],
    ["x264-open-gop", "$both $x264 open-gop=1", 3],
    ["x264-interlaced", "$both $x264 interlaced=1:open-gop=1", 3],
    ["x264-slices", "$both $x264 slices=4", 3],
    ["x264-intra-refresh", "$both $x264 intra-refresh=1", 3, 1],
    ["x265", "$both $x265", 4],
    ["x265-closed-slices", "$both $x265:open-gop=0:slices=4", 4],
    ["aac", "$sound -c:a aac", 6],
    ["opus", "$sound -c:a libopus", 6],
    ["mpts", "$both -map 1 -map 0 -map 1 $x264 keyint=25"
             . " -program st=0 -program st=1:st=2", 3],
);

my %count = ("muxjs-test-middle-pat-pmt" => 0);

sub key_frames {
    my ($file) = @_;
    my $probe = "ffprobe -v quiet";
    my $types = `$probe -show_entries stream=codec_type -of csv=p=0 $file`;
    my $stream = $types =~ /video/ ? "v:0" : "a:0";
    my %seen;

    return grep { !$seen{$_}++ }
           map { /^(\d+),K/ ? $1 : () }
           `$probe -select_streams $stream -show_entries packet=pos,flags \\
            -of csv=p=0 $file`;
}

sub check {
    my ($name, $file, $codec, $count) = @_;
    my @said = `$raps $file`;
    my $last = pop @said;
    my @raps = map { /^rap (\d+)/ } @said;
    my @keys = sort { $a <=> $b } key_frames($file);

    splice @keys, $count if defined $count;

    is_deeply(\@raps, \@keys, "$name: " . @keys . " key frames");
    like($last, qr/ cc_errors 0 /, "$name: nothing missing");
    like($last, qr/ codec $codec /, "$name: codec") if defined $codec;
    is(join("", `$raps $file 100`), join("", @said, $last),
       "$name: the same from small pieces");
}

for my $sample (@samples) {
    my ($name, $how, $codec, $count) = @$sample;
    my $file = "$dir/$name.ts";

    SKIP: {
        skip "$name: ffmpeg cannot make it", 1
            if system("ffmpeg -v quiet -nostdin -y $how -f mpegts $file");

        check($name, $file, $codec, $count);
    }
}

SKIP: {
    my @files = glob "$media/*.ts";

    skip "no streams in $media", 1 unless @files;

    for my $file (@files) {
        my $name = basename($file, ".ts");

        check($name, $file, undef, $count{$name});
    }
}

done_testing();
