#!/usr/bin/env perl

# Copyright (C) the tscast authors

# conf/rtmp-play.conf and conf/rtmps-push.conf: what came by HTTP is played by
# RTMP, and goes on by RTMPS

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::RTMP;
use TSCast::RTMPConf;

my $missing = TSCast::RTMPConf::missing();

plan skip_all => $missing if $missing;

my $dir = TSCast::RTMPConf::film();


# players of RTMP, on all workers, of what came by HTTP

{
    my $ngx = node('rtmp-play');
    my $port = $ngx->other_port(1935);

    my @players = map {
        player($port, 'play/cam',
               sock => $ngx->connect_to_worker($_, port => $port))
    } $ngx->workers;

    # nginx-rtmp has it on the other worker a little later

    my $p = publish($ngx, sub {
        1 < (() = $ngx->error_log =~ /publish: name='cam'/g);
    });

    $p->finish;

    for my $n (0, 1) {
        whole(played($players[$n], "$dir/play-$n.flv"),
              "rtmp-play: a player on worker $n sees it", 25);
    }

    my $q = TSCast::RTMP->new(app => 'play', name => 'other',
                              stranger($port));

    ok($q->closed_within(3), 'others do not publish');

    $q->close;
    $ngx->stop;
}


# to a platform that takes RTMPS, and the key

{
    my $far = TSCast::RTMPConf->new(file => 'rtmp', workers => 2);

    TSCast::TLS::certificate($far->prefix, 'server',
                             san => 'DNS:live.example.com');
    $far->start;

    my $tls = $far->other_port(1936);
    my $ngx = node('rtmps-push', change => {
        '192.0.2.7:1936' => "127.0.0.1:$tls",
        '/etc/ssl/certs/ca-certificates.crt' => $far->prefix . '/server.pem',
    });

    my $v;
    my $p = publish($ngx, sub {
        return if $ngx->error_log !~ /link is up, push: "live\/cam"/;
        $v = viewer($far, '/live/cam.ts');
    });

    $p->finish;

    watched($v, "$dir/tls.ts");
    whole("$dir/tls.ts", 'rtmps-push: the platform has all of it');
    $ngx->stop;

    # the certificate of another host

    $ngx = node('rtmps-push', change => {
        '192.0.2.7:1936' => "127.0.0.1:$tls",
        'live.example.com' => 'other.example.com',
        '/etc/ssl/certs/ca-certificates.crt' => $far->prefix . '/server.pem',
    });

    push @{$ngx->{expect}}, qr/certificate does not match/;

    publish($ngx, sub {
        $ngx->error_log
            =~ /link is down: .*(asked for a handshake|connection is broken)/;
    })->close;

    $ngx->stop;
    $far->stop;
}

done_testing();
