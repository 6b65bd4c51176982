#!/usr/bin/perl

# Copyright (C) the tscast authors

# Writes the seeds of the fuzzer of HTTP answers: corpus-http.pl DIR

use strict;
use warnings;

my $dir = shift or die "usage: $0 DIR\n";
my $ok = "HTTP/1.1 200 OK\r\n";
my $chunked = "${ok}Transfer-Encoding: chunked\r\n\r\n";

my @seeds = (
    "${ok}\r\nbody",
    "${ok}Content-Length: 4\r\n\r\nbody",
    "${chunked}4\r\nbody\r\n0\r\n\r\n",
    "${chunked}4;x=\"y\"\r\nbody\r\n0A\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n${ok}Content-Type: video/mp2t\r\n\r\nx",
    "HTTP/1.1 302 Found\r\nLocation: http://a/b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 404\nTSCast-Via: a, b\n\nx",
    "HTTP/1.1 204 No Content\r\n\r\n",
);

for my $n (0 .. $#seeds) {
    open my $f, '>', "$dir/$n" or die "$dir/$n: $!\n";
    binmode $f;
    print $f pack('CCCC', 1 + 37 * $n & 255, 3, 5, 0), $seeds[$n];
    close $f;
}
