#!/usr/bin/env perl

# Copyright (C) the tscast authors

# each fuzz target for FUZZ_SECONDS, all at once and below the other tests

use strict;
use warnings;

use Test::More tests => 1;

my $seconds = $ENV{FUZZ_SECONDS} // 60;
my $said = `nice make -s -j fuzz SECONDS=$seconds 2>&1`;

is($?, 0, "make fuzz, $seconds s")
    or diag substr $said, length $said > 8000 ? -8000 : 0;
