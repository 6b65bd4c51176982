#!/usr/bin/env perl

# Copyright (C) the tscast authors

# Writes the seeds of the fuzzer of headers, those of the unit test:
# corpus-info.pl DIR

use strict;
use warnings;

use FindBin;

my $dir = shift or die "usage: $0 DIR\n";

open my $in, '<', "$FindBin::Bin/../../src/mpegts/ngx_tscast_ts_info.h"
    or die $!;
my @names = do { local $/; <$in> } =~ /NGX_TSCAST_TS_FORMAT_(\w+)(?: = 0)?,?/g;
my (%format, $formats, $n);

$format{$_} //= $formats++ for @names;

open $in, '<', "$FindBin::Bin/../unit/test_ts_info.c" or die $!;
my $test = do { local $/; <$in> };

while ($test =~ /read_info\(NGX_TSCAST_TS_FORMAT_(\w+),((?:\s*"[^"]*")+)/g) {
    my ($name, $bytes) = ($1, $2);

    $bytes =~ s/"\s*"//g;
    $bytes =~ s/\s*"//g;
    $bytes =~ s/\\x([0-9a-f]+)/chr hex $1/ge;
    $bytes =~ s/\\([0-7]+)/chr oct $1/ge;

    my $to = lc($name) . '-' . ++$n;

    open my $out, '>', "$dir/$to" or die $!;
    binmode $out;
    print $out chr($format{$name}), $bytes;
    close $out or die $!;
}
