#!/usr/bin/perl

# Copyright (C) the tscast authors

# Writes the seeds of the fuzzer of RTP datagrams' order: corpus-order.pl DIR

use strict;
use warnings;

my $dir = shift or die "usage: $0 DIR\n";

# steps of numbers, twice as large, and ms; or any step, with 0x80

sub save {
    my ($name, @steps) = @_;

    open my $f, '>', "$dir/$name" or die "$dir/$name: $!\n";
    binmode $f;
    print $f map { ref $_ ? pack('n C', @$_) : pack('c C C', 2 * $_, 0, 0) }
             @steps;
    close $f;
}

save('straight', (1) x 100);
save('swapped', (2, -1, 2, 1) x 30);
save('doubled', (1, 0) x 30);
save('lost', ((1) x 10, 3) x 10);
save('window', 1, 2, (1) x 80);
save('waits', 1, 2, 1, [1, 0xc0 | 0x3f], 1, [1, 0xc0 | 0x3f], -5, 7);
save('gap', 1, [2999, 0x80], 1, [2000, 0x80 | 0x3f], 1, -3);
save('anew', 1, 2, [30_000, 0x80], 1, 1, [65_000, 0x80], [40_000, 0x80], 1);
