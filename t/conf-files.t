#!/usr/bin/env perl

# Copyright (C) the tscast authors

# nginx takes every file of conf/, in a prefix that has modules/, a certificate
# and no more than the folders that the files name; those whose modules were not
# built are left out

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use Test::More;

use TSCast;

my $root = abs_path(dirname(__FILE__) . '/..');
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $modules = $ENV{TSCAST_MODULES_DIR} || "$root/build";

plan skip_all => 'the modules are linked into nginx'
    if !-e "$modules/ngx_tscast_module.so";

my ($path) = `$nginx -V 2>&1` =~ /--modules-path=(\S+)/;

for my $file (glob "$root/conf/*.conf") {
    my $prefix = tempdir('tscast-conf-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    mkdir "$prefix/$_" or die $! for qw(logs temp modules);

    open my $in, '<', $file or die $!;

    my $text = do { local $/; <$in> };
    my @missing = grep { !link_module("$prefix/modules", $_) }
                  $text =~ m{^load_module modules/(\S+);}mg;

    SKIP: {
        skip basename($file) . " wants @missing", 1 if @missing;

        # beside the file that names it

        open my $out, '>', "$prefix/nginx.conf" or die $!;
        print $out $text;
        close $out or die $!;

        if ($text =~ /ssl_certificate /) {
            skip basename($file) . ' wants TLS', 1 if TSCast::TLS::missing();
            TSCast::TLS::certificate($prefix, 'server');
        }

        my $said = `$nginx -t -p $prefix -e stderr -c $prefix/nginx.conf 2>&1`;

        is($?, 0, 'conf/' . basename($file)) or diag $said;
    }
}


# ours, or one of nginx's own

sub link_module {
    my ($dir, $name) = @_;

    for my $from ($modules, $path // ()) {
        return symlink "$from/$name", "$dir/$name" if -e "$from/$name";
    }

    return 0;
}

done_testing();
