# Copyright (C) the tscast authors

use strict;
use warnings;

# Two workers, and two publishers of a name; reloads and kills.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMP;
use TSCast::Strict;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;
plan skip_all => 'no ffmpeg' if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 64m window=20s;',
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp_auto_push on;
rtmp_socket_dir $PREFIX/temp;

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;

        application live {
            live on;
            tscast_ingest live/$name;
        }

        application over {
            live on;
            tscast_ingest live/$name takeover=on;
        }
    }
}
END_OF_CONF
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=20s;
        }
END_OF_CONF
)->start;

my $port = $ngx->other_port(1);
my $dir = $ngx->prefix;

my @tags = TSCast::FLV::make("$dir/av.flv", '-f', 'lavfi', '-i',
    'testsrc=size=320x240:rate=25', '-f', 'lavfi', '-i',
    'anoisesrc=seed=1:amplitude=0.2', '-t', 3, '-c:v', 'libx264', '-preset',
    'veryfast', '-pix_fmt', 'yuv420p', '-g', 25, '-bf', 2, '-c:a', 'aac',
    '-b:a', '64k');
my $frames = TSCast::Compare::frames("$dir/av.flv");
my $length = $tags[-1]{time} + 40;


sub publisher {
    my ($name, %opt) = @_;

    my $accepted = delete $opt{accepted} // 1;
    my $p = TSCast::RTMP->new(port => $port, name => $name, %opt);

    is($p->status, $TSCast::RTMP::START, "$name is accepted") if $accepted;

    return $p;
}


# round after round of the same media, each later than the one before

sub round {
    my ($p) = @_;

    my $n = $p->{rounds}++ // 0;

    return $p->tags(map { { %$_, time => $_->{time} + $n * $length } } @tags);
}


sub viewer {
    my ($name, %opt) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->http(port => $ngx->port, path => "/live/$name",
                                  %opt);
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    return $v;
}


sub fed {
    my ($v, $bytes) = @_;

    return TSCast::Reader::pump(5, sub { $v->{bytes} >= $bytes }, $v);
}


# two publishers of a name: in a worker, nginx-rtmp refuses the second; from
# another worker, and another door, the hub does

my ($one, $two) = $ngx->workers;

{
    my $p = publisher('twice', sock => $ngx->connect_to_worker($one,
                                                         port => $port));

    round($p);

    my $v = viewer('twice');

    ok(fed($v, 20_000), 'the first publisher');

    my $q = publisher('twice', accepted => 0,
                      sock => $ngx->connect_to_worker($one, port => $port));

    is($q->status, $TSCast::RTMP::BAD_NAME, 'the second is refused');
    round($q);
    $q->close;

    $q = publisher('twice', sock => $ngx->connect_to_worker($two,
                                                            port => $port));
    round($q);
    is($q->status, $TSCast::RTMP::BAD_NAME, 'on the other worker too');
    ok($q->closed_within(3), 'and closed');
    $q->close;

    $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/twice');
    $q->send(TSCast::bytes('seconds=1'));
    is($q->status, 409, 'over HTTP too');
    $q->close;

    my $bytes = $v->{bytes};

    round($p);
    ok(fed($v, $bytes + 20_000), 'the first goes on');
    is($v->faults(missing => 1), '', 'as if nothing had been');

    # takeover=on

    $q = publisher('twice', app => 'over',
                   sock => $ngx->connect_to_worker($two, port => $port));
    round($q);
    round($p);
    ok($p->closed_within(5), 'takeover: the first is closed');
    ok(TSCast::Reader::pump(5, sub { $v->{check}{discontinuities} }, $v),
       'the viewer goes on with the second');
    is($v->faults(missing => 1), '', 'without a fault');
    $_->close for $p, $q, $v;
}

# a reload under a publisher: viewers on both sides miss nothing

{
    my $p = publisher('stays');

    round($p);

    my @v = map { viewer('stays', sock => $ngx->connect_to_worker($_)) }
            $ngx->workers;

    ok(fed($_, 20_000), 'a viewer before the reload') for @v;

    my $bytes = $v[0]{bytes};

    $ngx->reload;
    round($p);

    push @v, viewer('stays');
    ok(fed($_, $bytes + 20_000), 'goes on after it') for @v;

    my $q = publisher('stays');

    round($q);
    is($q->status, $TSCast::RTMP::BAD_NAME, 'the name is taken');
    $q->close;

    $p->finish;
    ok($ngx->wait_log(qr{"live/stays" has ended: (\d+)}), 'the end');
    ($bytes) = $ngx->error_log =~ m{"live/stays" has ended: (\d+)};
    ok(fed($_, $bytes), 'every byte of it') for @v;

    my $ts = $ngx->write_file('stays.ts', $v[0]{body});

    is(TSCast::Strict->new($v[0]{body})->faults, '', 'strict');
    is(scalar @{TSCast::Compare::frames($ts)->{video}},
       2 * @{$frames->{video}}, 'every frame of it');
    $_->close for @v;
}

# kill -9 of the worker

{
    my ($near, $far) = $ngx->workers;
    my $p = publisher('killed', sock => $ngx->connect_to_worker($near,
                                                         port => $port));

    round($p);

    my $v = viewer('killed', sock => $ngx->connect_to_worker($far));

    ok(fed($v, 20_000), 'a viewer on the other worker');
    $ngx->kill_worker($near);
    ok($p->closed_within(3), 'the publisher is cut');
    $p->close;

    my $q;

    ok(TSCast::Net::until_true(5, sub {
        $q = TSCast::RTMP->new(port => $port, name => 'killed');
        $q->status;
        round($q);
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

$ngx = TSCast::Nginx->new(
    tscast => 'zone live 8m;',
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
worker_shutdown_timeout 1s;

rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;
        application live { live on; tscast_ingest live/$name; }
    }
}
END_OF_CONF
)->start;

$port = $ngx->other_port(1);

{
    my $p = publisher('leaves');
    my ($old) = $ngx->workers;

    round($p);
    ok($ngx->wait_log(qr{"live/leaves" is published}), 'published');
    $ngx->reload;

    ok(TSCast::Net::until_true(5, sub {
        !round($p) || ($p->status(0.1) // '') eq 'closed'
    }), 'the publisher is closed');
    ok(TSCast::Net::until_true(3, sub {
        !grep { $_ == $old } $ngx->workers(all => 1)
    }), 'and the old worker leaves');
    $p->close;
}

$ngx->stop;
done_testing;
