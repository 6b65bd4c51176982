#!/usr/bin/perl

# Copyright (C) the tscast authors

# Writes the seeds of the fuzzer of URLs: corpus-url.pl DIR

use strict;
use warnings;

my $dir = shift or die "usage: $0 DIR\n";
my $n = 0;

for my $seed ('tcp://127.0.0.1:50001', 'tcp://[2001:db8::7]:50001',
              'udp://239.0.0.1:5222?ttl=4&iface=eth0',
              'rtp://@239.0.0.1:5004?&&pt=33&',
              'http://edges/push/$name', 'tcp://host:65536',
              'http://me:secret@example.com:8042/over/there?name=ferret',
              'rtmp://host/live/a@b?c@d', 'tcp://[::1', 'tcp:/h', '://')
{
    my $name = "$dir/" . $n++;

    open my $f, '>', $name or die "$name: $!\n";
    print $f $seed;
    close $f;
}
