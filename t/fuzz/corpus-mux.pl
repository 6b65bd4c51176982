#!/usr/bin/env perl

# Copyright (C) the tscast authors

# t/fuzz/corpus-mux.pl FOLDER: seeds of fuzz_mux

use strict;
use warnings;

my ($dir) = @ARGV;

die "usage: $0 FOLDER\n" if !defined $dir;

my %seeds = (
    film => [map { [$_ % 12 ? 0 : 2, 3000, 3600, 80], [1, 300, 1920, 0],
                   [1, 300, 1920, 0] } 0 .. 30],
    audio => [map { [3 + 16, 200 + $_, 1920, 0] } 0 .. 60],
    edges => [map { [2, $_, 900, $_ & 1] } 150 .. 200],
    apart => [[2, 100, 60_000, 0], [1, 100, 10, 0], [0, 65_535, 60_000, 1],
              [1, 65_535, 10, 0], [0xe0, 20_000, 3600, 0], [2, 9, 9, 9]],
);

for my $name (sort keys %seeds) {
    open my $out, '>', "$dir/$name" or die "$dir/$name: $!";
    binmode $out;
    print $out pack 'C n n C', @$_ for @{$seeds{$name}};
    close $out or die $!;
}
