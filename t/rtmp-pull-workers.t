# Copyright (C) the tscast authors

use strict;
use warnings;

# A pull over RTMP while workers come and go: over reloads a viewer sees each
# frame once.  It watches FLV, where a tag is a frame.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;
use TSCast::RTMP;
use TSCast::Status;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;

my $server = <<'END_OF_CONF';
    location = /status { tscast_status; }
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ {
        tscast_play live/$stream format=flv linger=20s;
    }
    location ~ ^/ts/(?<stream>.+)$ { tscast_play live/$stream linger=20s; }
END_OF_CONF

# the origin: numbered pictures come to it as packets, and go by RTMP

my $far = TSCast::Nginx->new(
    workers => 1,
    tscast => <<'END_OF_CONF',
        zone live 16m window=10s;
        push live/* rtmp://127.0.0.1:$PORT_1/far/$name;
END_OF_CONF
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;
        application far { live on; }
    }
}
END_OF_CONF
    server => $server,
)->start;

my $port = $far->other_port(1);

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => <<"END_OF_CONF",
        zone live 16m window=10s;
        pull live/* rtmp://127.0.0.1:$port/far/\$name on_demand
                    reconnect=50ms..200ms;
END_OF_CONF
    main => TSCast::RTMP::load()
            . 'rtmp { server { listen 127.0.0.1:$PORT_1; } }',
    server => $server,
)->start;

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 500_000);
my $p = TSCast::Publisher->new(port => $far->port, path => '/push/cam');
my $due = time;


# frame by frame, as time goes by

sub feed {
    my (@viewers) = @_;

    for ( ; $due < time; $due += 0.04) {
        $p->send($ts->frame);
    }

    TSCast::Reader::pump(0.01, sub { 0 }, @viewers);
}


my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/cam',
                             flv => 1, uncounted => 1);


sub more {
    my ($what) = @_;

    my $bytes = $v->{bytes};

    ok(TSCast::Net::until_true(8, sub {
        feed($v);
        $v->{bytes} > $bytes + 10_000;
    }), $what);
}


sub owner {
    my ($pid) = $ngx->error_log =~ /.*\] (\d+)#\d+: link is up/s;

    return $pid;
}


sub plays {
    my %open = map { $_->{inode} => 1 } TSCast::Net::connections($port);

    return scalar keys %open;
}


more('the first viewer makes the link');
is($v->{status}, 200, 'and waits for it');

my $packets = TSCast::Reader->http(port => $ngx->port, path => '/ts/cam',
                                   version => '1.0');

for my $round (1, 2) {
    my $owner = owner();

    $ngx->reload(meanwhile => sub { feed($v, $packets) });

    ok(TSCast::Net::until_true(12, sub {
        feed($v, $packets);
        owner() != $owner && $ngx->error_log =~ /$owner#\d+: link is finished/;
    }), "reload $round: another worker has the link");
    more('and the viewer goes on');
}

my ($missing_frames, $doubled) = map { $v->{check}{$_} // 0 }
                                     qw(missing doubled);

is($missing_frames, 0, 'no frame is missing');
is($doubled, 0, 'and none comes twice');
is($v->{check}->faults, '', 'the stream is well formed');
ok(TSCast::Net::until_true(5, sub {
    feed($v, $packets);
    $packets->{check}{discontinuities} >= 2;
}), 'packets begin anew each time');
is($packets->{check}->faults(missing => 1), '', 'and are well formed');
$packets->close;
unlike($ngx->error_log, qr/link is down|without what was before/,
       'the link never was down');

# killed: the viewer is on another worker, or there would be none

my $w;

for my $pid ($ngx->workers) {
    next if $pid == owner();

    $w = TSCast::Reader->http(sock => $ngx->connect_to_worker($pid),
                              path => '/live/cam', flv => 1, uncounted => 1);
}

ok(TSCast::Net::until_true(5, sub { feed($v, $w); $w->{bytes} > 5_000 }),
   'a viewer on the other worker');

$ngx->kill_worker(owner());

my $bytes = $w->{bytes};

ok(TSCast::Net::until_true(8, sub {
    feed($v, $w);
    $w->{bytes} > $bytes + 10_000;
}), 'killed: the viewer goes on');
is(() = $w->{check}->faults =~ /\b\d+ missing/g, 1,
   'with a gap, and no other fault') or diag $w->{check}->faults;

$_->close for $v, $w;
$p->close;
$ngx->stop;
$far->kill_node;

done_testing();
