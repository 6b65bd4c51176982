#!/usr/bin/env perl

# Copyright (C) the tscast authors

# nginx takes every file of conf/, in a prefix that has modules/ and no more
# than the folders that the files name

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $modules = $ENV{TSCAST_MODULES_DIR} || "$root/build";

plan skip_all => 'the modules are linked into nginx'
    if !-e "$modules/ngx_tscast_module.so";

for my $file (glob "$root/conf/*.conf") {
    my $prefix = tempdir('tscast-conf-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    mkdir "$prefix/$_" or die $! for qw(logs temp);
    symlink $modules, "$prefix/modules" or die $!;

    my $said = `$nginx -t -p $prefix -e stderr -c $file 2>&1`;

    is($?, 0, 'conf/' . basename($file)) or diag $said;
}

done_testing();
