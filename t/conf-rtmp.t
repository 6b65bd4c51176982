#!/usr/bin/env perl

# Copyright (C) the tscast authors

# conf/rtmp.conf as it stands, but for its ports and its prefix: who may publish
# by RTMP and RTMPS, and that no log has the key

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMP;


package Shipped {
    our @ISA = 'TSCast::Nginx';

    sub conf {
        my ($self) = @_;

        my $conf = TSCast::FLV::slurp("$TSCast::ROOT/conf/rtmp.conf");
        my $user = $> == 0 ? "user root;\n" : '';

        my $load = join '', map { "load_module $_;\n" }
                            TSCast::Nginx::modules(), TSCast::RTMP::modules();

        $conf =~ s/^(load_module .*\n)+/$load${user}daemon off;/m or die;
        $conf =~ s/^worker_processes auto;/worker_processes 2;/m or die;

        for my $port (1935, 1936, 1937, 8089) {
            my $other = $self->other_port($port);

            $conf =~ s/listen \K(127.0.0.1:)?$port\b/127.0.0.1:$other/ or die;
            $conf =~ s/127.0.0.1:$port\b/127.0.0.1:$other/g;
        }

        $conf =~ s{listen 8088;}{
            listen 127.0.0.1:$self->{port};

            location = /tscast-alive {
                access_log off;
                return 200 "\$pid\\n";
            }
        } or die;

        return $conf;
    }
}


package main;

my $missing = TSCast::RTMP::missing() || TSCast::TLS::missing()
              || TSCast::Nginx::missing_stream();

plan skip_all => $missing if $missing;
plan skip_all => 'no ffmpeg' if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = Shipped->new(workers => 2);
my $dir = $ngx->prefix;

TSCast::TLS::certificate($dir, 'server');
$ngx->start;

my ($plain, $tls) = map { $ngx->other_port($_) } 1935, 1936;

my @tags = TSCast::FLV::make("$dir/a.flv", '-f', 'lavfi', '-i',
                             'testsrc=size=320x240:rate=25', '-t', 2, '-c:v',
                             'libx264', '-preset', 'veryfast', '-g', 25);


sub watch {
    my ($name) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->http(port => $ngx->port,
                                  path => "/live/$name.ts");
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    ok(TSCast::Reader::pump(5, sub { $v->{bytes} > 1000 }, $v),
       "$name is watched");
    $v->close;
}


sub publisher {
    my ($name, $status, %opt) = @_;

    my $p = TSCast::RTMP->new(name => $name, %opt);

    # what comes before nginx-rtmp was told yes is nobody's

    is($p->status(3) // 'silence', $status, "$name: $status");
    $p->tags(@tags);

    return $p;
}

# in the house, and what ffmpeg makes of RTMPS

{
    my $p = publisher('house', $TSCast::RTMP::START, port => $plain);

    watch('house');
    $p->finish;

    is(TSCast::Compare::said('ffmpeg', '-v', 'error', '-i', "$dir/a.flv",
                             '-c', 'copy', '-f', 'flv',
                             "rtmps://127.0.0.1:$tls/live/tls?key=s3cr3t"),
       '', 'ffmpeg publishes by RTMPS');
    watch('tls');
}

# the address is that of the encoder, and a wrong key is refused

{
    my $p = publisher('far?key=s3cr3t', $TSCast::RTMP::START,
                      sock => TSCast::TLS::dial($tls, bind => '127.0.0.2'));

    watch('far');
    $p->finish;

    ok($ngx->wait_log(qr/^127\.0\.0\.2 \[.*PUBLISH "live" "far"/m, 5, 'rtmp'),
       'the log has the address of the encoder');

    for my $name ('wrong?key=other', 'without') {
        $p = publisher($name, 'closed', sock => TSCast::TLS::dial($tls));
        $p->close;
    }
}

# encoders that are refused while they write

$ngx->expect_log(qr/SSL_shutdown\(\) failed/);

$ngx->stop;

for my $log (glob "$dir/logs/*") {
    unlike(TSCast::FLV::slurp($log), qr/s3cr3t/i, "no key in $log");
}

done_testing;
