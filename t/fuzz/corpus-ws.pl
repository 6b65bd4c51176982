#!/usr/bin/perl

# Copyright (C) the tscast authors

# Writes the seeds of the WebSocket fuzzer: corpus-ws.pl DIR

use strict;
use warnings;

my $dir = shift or die "usage: $0 DIR\n";

sub frame {
    my ($first, $payload, $bytes) = @_;
    my $n = length $payload;

    $bytes //= $n < 126 ? 0 : $n < 65536 ? 2 : 8;

    my $head = $bytes == 0 ? pack("CC", $first, 0x80 | $n)
             : $bytes == 2 ? pack("CCn", $first, 0xfe, $n)
                           : pack("CCQ>", $first, 0xff, $n);

    my $mask = "\x37\xfa\x21\x3d";

    return $head . $mask
           . ($payload ^ substr $mask x ($n / 4 + 1), 0, $n);
}

my $n = 0;

sub save {
    my ($name, @frames) = @_;

    open my $f, '>', "$dir/$name" or die "$dir/$name: $!\n";
    binmode $f;
    print $f pack('CCCC', 1 + 37 * $n++ & 255, 3, 5, 0), @frames;
    close $f;
}

save('hello', "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
save('unmasked', "\x81\x05Hello");
save('control', frame(0x89, ''), frame(0x8a, 'abc'), frame(0x88, ''));
save('close', frame(0x88, "\x03\xe8bye"));
save('close-codes', map { frame(0x88, pack 'n', $_) }
                        999, 1000, 1005, 1011, 1014, 1015, 3000, 4999, 5000);
save('close-utf8', frame(0x88, "\x03\xe8\xce\xba"),
                   frame(0x88, "\x03\xe8\xce"), frame(0x88, "\x03"));
save('fragments', frame(0x01, 'Hel'), frame(0x89, '1'), frame(0x00, ''),
                  frame(0x80, 'lo'), frame(0x82, "\xff\xfe"));
save('utf8', frame(0x01, "\xf0\x9f"), frame(0x89, "\xff"),
             frame(0x80, "\x98\x80"), frame(0x81, "\xce\xba\xe1\xbd\xb9"));
save('overlong', frame(0x81, "\xe0\x80\x80"));
save('surrogate', frame(0x81, "\xed\xa0\x80"));
save('too-high', frame(0x81, "\xf4\x90\x80\x80"));
save('length-16', frame(0x82, 'x' x 126), frame(0x89, 'x' x 125));
save('not-minimal', frame(0x82, 'x' x 125, 2));
save('not-minimal-64', frame(0x82, 'x' x 200, 8));
save('length-64', pack('CCQ>', 0x82, 0xff, 65536), 'mask', 'x' x 300);
save('too-big', pack('CCQ>', 0x82, 0xff, 65537), 'mask');
save('negative', pack('CCQ>', 0x82, 0xff, 1 << 63), 'mask');
save('reserved', frame(0x83, 'a'), frame(0x8b, ''), frame(0xc1, ''));
save('control-fragment', frame(0x09, 'a'));
save('control-long', frame(0x89, 'x' x 126));
