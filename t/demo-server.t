#!/usr/bin/env perl

# Copyright (C) the tscast authors

# demo/server/run: each topology of conf/ plays at all of its nodes, and nothing
# is left when it was told to stop

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = TSCast::Nginx::modules_dir();

plan skip_all => 'no stream module'
    if !-e "$build/ngx_stream_tscast_module.so"
       || TSCast::Nginx::built() !~ /--with-stream=dynamic/;
plan skip_all => 'no ffmpeg' if system('ffmpeg -version > /dev/null 2>&1');

# what a script prints, line by line; its pid

sub start {
    my ($name, $offset) = @_;

    pipe my $from, my $to or die $!;

    my $pid = TSCast::Publisher::background(sub {
        $ENV{OFFSET} = $offset;
        $ENV{TSCAST_BUILD} = $build;
        open STDOUT, '>&', $to or die $!;
        exec "$root/demo/server/run", $name or die $!;
    });

    close $to;

    return ($from, $pid);
}


# all that the process has started, and what these have

sub family {
    my ($pid) = @_;

    my @children = TSCast::Nginx::_children($pid);

    return map { ($_, family($_)) } @children;
}


# by how much the ports of conf/ are moved, to where all are free

sub offset {
    for (1 .. 100) {
        my $offset = 11_000 + int rand 4_500;    # not to the ephemeral ones

        return $offset if !grep {
            !TSCast::Net::claim_port($offset + $_)
            || !IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                                   LocalPort => $offset + $_)
        } 8088 .. 8091, 50_002 .. 50_004;
    }

    die 'no free ports';
}


my %nodes = (one => 2, many => 4, tree => 4, workers => 2, mirrors => 3);

for my $name (sort keys %nodes) {
    my $offset = offset();
    my ($out, $pid) = start($name, $offset);
    my ($said, %url) = ('');

    TSCast::Net::until_true(40, sub {
        my $bytes = TSCast::Net::get($out, 0.1) // return;
        $said .= $bytes;
        return $bytes eq '' || $said =~ /Ctrl-C/;
    });

    $url{$1} = $2 while $said =~ m{^\s+(\w+)\s+http://127.0.0.1:(\d+)/}mg;

    is(scalar keys %url, $nodes{$name}, "$name: $nodes{$name} addresses")
        or diag $said;

    my @v = map { TSCast::Reader->http(port => $url{$_},
                                       path => '/live/cam1.ts') }
            sort keys %url;

    ok(TSCast::Reader::pump(10, sub { !grep { $_->{bytes} < 200_000 } @v },
                            @v), 'all of them play');
    is(join(' ', map { $_->{check}{cc} + $_->{check}{sync} } @v),
       join(' ', (0) x @v), 'without a fault');
    is(scalar(grep { TSCast::Check::tables_first($_->{body}) eq 'PAT PMT' }
                   @v), scalar @v, 'tables first');

    my @family = family($pid);

    cmp_ok(scalar @family, '>', $nodes{$name} * 2, 'processes were started');

    $_->close for @v;
    kill 'INT', $pid;

    is(TSCast::Publisher::wait_for($pid, 10), 0, 'Ctrl-C ends it');
    ok(TSCast::Net::until_true(5, sub { !grep { kill 0, $_ } @family }),
       'and each of them');
    close $out;
}

done_testing;
