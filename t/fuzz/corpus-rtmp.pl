#!/usr/bin/env perl

# Copyright (C) the tscast authors

# t/fuzz/corpus-rtmp.pl FOLDER: seeds of fuzz_rtmp

use strict;
use warnings;

my ($dir) = @ARGV;

die "usage: $0 FOLDER\n" if !defined $dir;


sub message {
    my ($kind, $delta, $body) = @_;

    return pack 'C s> n/a*', $kind, $delta, $body;
}


sub seed {
    my ($name, @messages) = @_;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!";
    binmode $out;
    print $out "\0\7\12", @messages;
    close $out or die $!;
}


my $avcc = "\1\x64\0\x1f\xff\xe1\0\4\x67abc\1\0\2\x68d";
my $hvcc = "\1paaaabbbbbbc\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f\3"
           . "\xa0\0\1\0\2\x40v\xa1\0\1\0\3\x42sp\xa2\0\1\0\2\x44p";

my @avc = (message(1, 0, "\x17\0\0\0\0$avcc"),
           message(0, 0, "\xaf\0\x12\x10"),
           message(1, 0, "\x17\1\0\0\x28\0\0\0\2\x09\xf0\0\0\0\3\x65xy"),
           message(0, 10, "\xaf\1frame"),
           message(1, 30, "\x27\1\0\0\0\0\0\0\3\x41xy"));

seed('avc', @avc, @avc);
seed('avc-jump', @avc, message(0x81, 30_000, ''), @avc,
     message(0x81, -20_000, ''), @avc);
seed('hevc', message(1, 0, "\x90hvc1$hvcc"),
     message(1, 0, "\x91hvc1\0\0\0\0\0\0\3\x26\1x"),
     message(1, 40, "\xa3hvc1\0\0\0\3\2\1x"));
seed('mp3', message(0, 0, "\x2f\xff\xfb\x90\0mp3"),
     message(0, 26, "\xe2\xff\xe3\x98\0mp3"));
seed('audio', message(0, 0, "\x90mp4a\x2b\x11\x88\0"),
     message(0, 20, "\x91mp4aframe"), message(0, 20, "\x90Opus"));
seed('records', message(2, 0, $avcc), message(3, 0, $hvcc));
seed('refused', message(1, 0, "\x22x"), message(0, 0, "\xb2x"),
     message(0, 0, "\xaf\0\xf9\x46\x40"));
