# Copyright (C) the tscast authors

use strict;
use warnings;

# Two workers, and two publishers of a name; reloads and kills.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::RTMPDoor;
use TSCast::Strict;

my $door = TSCast::RTMPDoor->new(
    workers => 2,
    tscast => 'zone live 64m window=20s;',
    main => <<'END_OF_CONF',
rtmp_auto_push on;
rtmp_socket_dir $PREFIX/temp;
END_OF_CONF
    rtmp => <<'END_OF_CONF',
        application live {
            live on;
            tscast_ingest live/$name;
        }

        application also {
            live on;
            tscast_ingest live/$name;
        }

        application over {
            live on;
            tscast_ingest live/$name takeover=on;
        }
END_OF_CONF
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=20s;
        }
END_OF_CONF
);

my $ngx = $door->{ngx};
my $port = $door->{port};

$door->film;

my $frames = TSCast::Compare::frames("$door->{dir}/av.flv");


# two publishers of a name: of the same application, nginx-rtmp refuses the
# second; of another one, and another door, the hub does

my ($one, $two) = $ngx->workers;

{
    my $p = $door->publisher('twice', sock => $ngx->connect_to_worker($one,
                                                         port => $port));

    $door->round($p);

    my $v = $door->viewer('twice');

    ok($v->wait_bytes(20_000), 'the first publisher');

    my $q = $door->publisher('twice', accepted => 0,
                      sock => $ngx->connect_to_worker($one, port => $port));

    is($q->status, $TSCast::RTMP::BAD_NAME, 'the second is refused');
    $door->round($q);
    $q->close;

    # nginx-rtmp tells its workers of each other's publishers

    ok(TSCast::Net::until_true(5, sub {
        $q = TSCast::RTMP->new(port => $port, name => 'twice',
                   sock => $ngx->connect_to_worker($two, port => $port));

        my $status = $q->status;

        $q->close;

        return $status eq $TSCast::RTMP::BAD_NAME;
    }), 'on the other worker too');

    # and knows nothing of another application

    $q = $door->publisher('twice', app => 'also',
                   sock => $ngx->connect_to_worker($two, port => $port));
    $door->round($q);
    is($q->status, $TSCast::RTMP::BAD_NAME, 'and by another application');
    ok($q->closed_within(3), 'and closed');
    $q->close;

    $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/twice');
    $q->send(TSCast::bytes('seconds=1'));
    is($q->status, 409, 'over HTTP too');
    $q->close;

    my $bytes = $v->{bytes};

    $door->round($p);
    ok($v->wait_bytes($bytes + 20_000), 'the first goes on');
    is($v->faults(missing => 1), '', 'as if nothing had been');

    # takeover=on

    $q = $door->publisher('twice', app => 'over',
                   sock => $ngx->connect_to_worker($two, port => $port));
    $door->round($q);
    $door->round($p);
    ok($p->closed_within(5), 'takeover: the first is closed');
    ok(TSCast::Reader::pump(5, sub { $v->{check}{discontinuities} }, $v),
       'the viewer goes on with the second');
    is($v->faults(missing => 1), '', 'without a fault');
    $_->close for $p, $q, $v;
}

# a reload under a publisher: viewers on both sides miss nothing

{
    my $p = $door->publisher('stays');

    $door->round($p);

    my @v = map { $door->viewer('stays', sock => $ngx->connect_to_worker($_)) }
            $ngx->workers;

    ok($_->wait_bytes(20_000), 'a viewer before the reload') for @v;

    my $bytes = $v[0]{bytes};

    $ngx->reload;
    $door->round($p);

    push @v, $door->viewer('stays');
    ok($_->wait_bytes($bytes + 20_000), 'goes on after it') for @v;

    my $q = $door->publisher('stays');

    $door->round($q);
    is($q->status, $TSCast::RTMP::BAD_NAME, 'the name is taken');
    $q->close;

    $p->finish;
    ok($ngx->wait_log(qr{"live/stays" has ended: (\d+)}), 'the end');
    ($bytes) = $ngx->error_log =~ m{"live/stays" has ended: (\d+)};
    ok($_->wait_bytes($bytes), 'every byte of it') for @v;

    my $ts = $ngx->write_file('stays.ts', $v[0]{body});

    is(TSCast::Strict->new($v[0]{body})->faults, '', 'strict');
    is(scalar @{TSCast::Compare::frames($ts)->{video}},
       2 * @{$frames->{video}}, 'every frame of it');
    $_->close for @v;
}

# kill -9 of the worker

{
    my ($near, $far) = $ngx->workers;
    my $p = $door->publisher('killed', sock => $ngx->connect_to_worker($near,
                                                         port => $port));

    $door->round($p);

    my $v = $door->viewer('killed', sock => $ngx->connect_to_worker($far));

    ok($v->wait_bytes(20_000), 'a viewer on the other worker');
    $ngx->kill_worker($near);
    ok($p->closed_within(3), 'the publisher is cut');
    $p->close;

    my $q;

    ok(TSCast::Net::until_true(5, sub {
        $q = TSCast::RTMP->new(port => $port, name => 'killed');
        $q->status;
        $door->round($q);
        ($q->status(0.2) // '') eq '' ? 1 : do { $q->close; 0 };
    }), 'it comes again');

    ok(TSCast::Reader::pump(5, sub { $v->{check}{discontinuities} }, $v),
       'and the viewer goes on');
    is($v->faults(missing => 1), '', 'without a fault');
    $_->close for $q, $v;
}

# what nginx-rtmp's workers push to each other is no publisher

unlike($ngx->error_log, qr/client: unix.*has a publisher|is published.*unix/,
       'auto_push is left alone');

$ngx->stop;

# worker_shutdown_timeout: nginx-rtmp's sessions do not look at it

$door = TSCast::RTMPDoor->new(
    tscast => 'zone live 8m;',
    main => 'worker_shutdown_timeout 1s;',
);
$ngx = $door->{ngx};

{
    my $p = $door->publisher('leaves');
    my ($old) = $ngx->workers;

    $door->round($p);
    ok($ngx->wait_log(qr{"live/leaves" is published}), 'published');
    $ngx->reload;

    ok(TSCast::Net::until_true(5, sub {
        !$door->round($p) || ($p->status(0.1) // '') eq 'closed'
    }), 'the publisher is closed');
    ok(TSCast::Net::until_true(3, sub {
        !grep { $_ == $old } $ngx->workers(all => 1)
    }), 'and the old worker leaves');
    $p->close;
}

$ngx->stop;
done_testing;
