#!/usr/bin/env perl

# Copyright (C) the tscast authors

use strict;
use warnings;

use Test::More tests => 1;

my $said = `make -s lint 2>&1`;

is($?, 0, 'make lint') or diag $said;
