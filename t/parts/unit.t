#!/usr/bin/env perl

# Copyright (C) the tscast authors

# make unit: a test here for each of cmocka's, plain and sanitized

use strict;
use warnings;

use Test::More;

open my $out, '-|', 'make -s unit 2>&1' or die $!;

my @tail;

while (my $line = <$out>) {
    if ($line =~ /^\[\s+(OK|FAILED)\s+\] (\w+)$/) {
        ok($1 eq 'OK', $2) or diag @tail;
        @tail = ();
        next;
    }

    push @tail, $line;
    shift @tail if @tail > 100;
}

close $out;

is($?, 0, 'make unit') or diag @tail;

done_testing();
