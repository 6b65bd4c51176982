#!/usr/bin/env perl

# Copyright (C) the tscast authors

# conf/rtmp-forward.conf and its slaves, conf/rtmp-master.conf and its mirrors:
# what is published at one end is seen at the other, and who may not publish or
# play does not

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
my @tags = @TSCast::RTMPConf::TAGS;

# a master that forwards, and slaves

{
    my @slaves = map {
        TSCast::RTMPConf->new(file => 'rtmp-slave', workers => 2,
                              change => { '10.0.0.1' => '127.0.0.1' })
    } 1, 2;

    my $master = node('rtmp-forward', change => {
        map {
            ('10.0.0.' . ($_ + 2) => '127.0.0.1:'
                                     . $slaves[$_]->other_port(1935))
        } 0, 1
    });

    $slaves[0]->start;

    my $p = TSCast::RTMP->new(port => $master->other_port(1935), name => 'cam');

    $p->tags(@tags[0 .. 20]);

    ok(TSCast::Net::until_true(5, sub { running($master) == 1 }),
       'rtmp-forward: one slave is there');

    my $v = viewer($slaves[0], '/live/cam.ts');

    $slaves[1]->start;

    ok(TSCast::Net::until_true(8, sub { running($master) == 2 }),
       'and another one, later');

    $p->tags(@tags[21 .. $#tags]);

    $p->finish;

    watched($v, "$dir/slave.ts");
    whole("$dir/slave.ts", 'which the first one does not notice');

    my $q = TSCast::RTMP->new(name => 'other',
                              stranger($slaves[0]->other_port(1935)));

    ok($q->closed_within(3), 'nobody else publishes to a slave');

    $q->close;
    $_->stop for $master, @slaves;
}


# a hidden master, and mirrors

{
    my $dns = TSCast::DNS->new(master => ['127.0.0.1']);
    my $master = TSCast::RTMPConf->new(file => 'rtmp-master', workers => 2);
    my $port = $master->other_port(1935);

    my @mirrors = map {
        node('rtmp-mirror', change => {
            'rtmp://master/' => "rtmp://master:$port/",
            'resolver 127.0.0.11' => 'resolver 127.0.0.1:' . $dns->{port},
            'reconnect=1s..5s' => 'reconnect=50ms..200ms',
        })
    } 1, 2;

    # players wait at a mirror: for RTMP, before there is any stream

    my $player = player($mirrors[0]->other_port(1935), 'live/cam1');

    $master->start;

    ok(TSCast::Net::until_true(8, sub {
        $dns->read_some;

        # cam1 and cam2, of both mirrors

        return 4 == (() = $master->error_log =~ /play: name='cam/g);
    }), 'rtmp-mirror: all mirrors wait at the master');

    my $p = TSCast::RTMP->new(port => $port, name => 'cam1?key=wrong');

    ok($p->closed_within(3), 'a key is wanted');
    $p->close;

    $p = TSCast::RTMP->new(port => $port, name => 'cam1?key=s3cr3t');
    is($p->status, $TSCast::RTMP::START, 'and given');

    # what comes before the other worker has it is not for its mirrors

    ok(TSCast::Net::until_true(5, sub {
        1 < (() = $master->error_log
                  =~ /publish: name='cam1' args='key=s3cr3t'/g);
    }), 'all workers have it');

    $p->tags(@tags[0 .. 20]);

    my @v = map { viewer($_, '/live/cam1.ts') } @mirrors;

    ok(TSCast::Net::until_true(8, sub {
        1 < (() = $mirrors[0]->error_log =~ /publish: name='cam1'/g);
    }), 'a mirror publishes to its own players');

    $p->tags(@tags[21 .. $#tags]);
    $p->finish;

    whole(played($player, "$dir/mirror.flv"), 'who see it, by RTMP', 25);

    for my $n (0, 1) {
        watched($v[$n], "$dir/mirror.ts");
        whole("$dir/mirror.ts", "mirror $n has all of it, for HTTP");
    }

    # neither to mirrors, nor from the master

    my $q = TSCast::RTMP->new(name => 'cam1',
                              stranger($mirrors[0]->other_port(1935)));

    ok($q->closed_within(3), 'nobody publishes to a mirror');
    $q->close;

    $q = player($port, 'live/cam1', stranger($port));

    ok($q->closed_within(3), 'and nobody but mirrors plays from the master');

    $q->close;
    $_->stop for @mirrors, $master;
    $dns->close;
}

done_testing();
