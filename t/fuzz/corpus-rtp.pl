#!/usr/bin/perl

# Copyright (C) the tscast authors

# Writes the seeds of the RTP fuzzer: corpus-rtp.pl DIR

use strict;
use warnings;

my $dir = shift or die "usage: $0 DIR\n";

sub save {
    my ($name, $bytes) = @_;

    open my $f, '>', "$dir/$name" or die "$dir/$name: $!\n";
    binmode $f;
    print $f $bytes;
    close $f;
}

sub packets {
    my ($n) = @_;

    return ("\x47\x1f\xff\x10" . "\xff" x 184) x $n;
}

my $head = pack 'CCnNN', 0x80, 33, 1, 90_000, 0x01020304;

save('plain', $head . packets(7));
save('one', $head . packets(1));
save('cut', $head . substr packets(2), 0, 200);
save('empty', $head);
save('short', substr $head, 0, 11);
save('bare', packets(7));
save('csrc', "\x83" . substr($head, 1) . "abcdefghijkl" . packets(1));
save('extension', "\x90" . substr($head, 1) . pack('nn', 0xbede, 2)
                  . 'abcdefgh' . packets(1));
save('both', "\xb1" . substr($head, 1) . 'csrc' . pack('nn', 1, 1) . 'word'
             . packets(1) . "\0\0\0\4");
save('padding', "\xa0" . substr($head, 1) . packets(1) . "\0\0\3");
save('padding-none', "\xa0" . substr($head, 1) . packets(1) . "\0");
save('padding-all', "\xa0" . substr($head, 1) . "\xff");
save('extension-long', "\x90" . substr($head, 1) . pack('nn', 0, 0xffff));
save('other-type', pack('CCnNN', 0x80, 0x80 | 96, 1, 0, 0) . packets(1));

# numbers: each byte is a step

save('in-order', "\1" x 200);
save('gaps', "\1\2\3\x40\x7f" . "\1" x 100 . "\5");
save('late', "\1\1\3\xfe\xff\3\1\1" . "\x3f\xc2\1" . "\1" x 70);
save('doubled', "\1\0\0\2\xff\0\1\1\xfe\xff");
save('restart', "\1\1\1\x80\x90\1\1\1\x82\1\1" . "\1" x 70);
save('other-sender', "\1\1\x81\1\1\x81\3" . "\1" x 70);
