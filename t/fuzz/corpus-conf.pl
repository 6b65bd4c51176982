#!/usr/bin/perl

# Copyright (C) the tscast authors

# Writes the seeds of the fuzzer of names and parameters: corpus-conf.pl DIR

use strict;
use warnings;

my $dir = shift or die "usage: $0 DIR\n";

my %seeds = (
    0 => ['cam1', 'a.b_c~d-E9', 'x' x 128, 'x' x 129, 'a b', 'a/b'],
    1 => ['live 4m', 'live 256m window=10s buffer=64m', 'live 1024k window=5',
          'live 4m window=0', 'live 4m buffer=131072', 'a/b 4m', 'live 5'],
    2 => ['live/cam', 'live/$name', '/cam', 'live/', 'live', 'a b/c',
          'live/a/b'],
    3 => ['live/cam takeover=on', 'live/$s timeout=10s takeover=off',
          'live/cam timeout=0', 'live/cam takeover=', 'live/cam x'],
    4 => ['live/cam start=key lag=skip flush=0 linger=30s ping=30s',
          'live/cam start=live', 'live/cam start=oldest lag=drop',
          'live/cam start=keys', 'live/cam ping=0', 'live/cam flush='],
    5 => ['Upgrade', 'keep-alive, Upgrade', "\tupgrade ,close", 'upgrades',
          ',,upgrade', 'up grade'],
    6 => ['null', 'a, b', ' mpegts ', ',', '', 'a'],
);

for my $what (keys %seeds) {
    my $n = 0;

    for my $seed (@{$seeds{$what}}) {
        my $name = "$dir/$what-" . $n++;

        open my $f, '>', $name or die "$name: $!\n";
        binmode $f;
        print $f chr $what, $seed;
        close $f;
    }
}
