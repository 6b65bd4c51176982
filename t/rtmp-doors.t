# Copyright (C) the tscast authors

use strict;
use warnings;

# The rtmp door beside what nginx-rtmp does itself: who may publish and play,
# relays and records.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::RTMPDoor;

TSCast::RTMPDoor::needed();


# directives

sub conf_says {
    my ($directives, %opt) = @_;

    my $live = $opt{live} // 'live on;';
    my $ngx = TSCast::Nginx->new(
        tscast => 'zone live 4m;',
        main => TSCast::RTMPDoor::rtmp(<<"END_OF_CONF"));
        application live {
            $live
            $directives
        }
END_OF_CONF

    my ($rc, $said) = $ngx->check_conf;

    return $rc ? $said : 'good';
}


is(conf_says('tscast_ingest live/$name;'), 'good', 'a name');
is(conf_says('tscast_ingest live/cam;'), 'good', 'a name without variables');
is(conf_says('tscast_ingest "live/${app}_$name" takeover=on timeout=3s;'),
   'good', 'all parameters');

for my $case (['live/a; tscast_ingest live/b', 'is duplicate'],
              ['live/$name takeover=maybe', 'invalid parameter "takeover='],
              ['live/$name timeout=0', 'invalid parameter "timeout=0"'],
              ['live/$name start=key', 'invalid parameter "start=key"'],
              ['live/$nobody', 'unknown "nobody" variable'],
              ['live/$', 'unknown "" variable'],
              ['"live/${name"', 'the closing bracket'],
              ['live', 'invalid'],
              ['other/$name', 'zero size shared memory zone'],
              ['', 'invalid number of arguments'])
{
    my ($value, $says) = @$case;

    like(conf_says("tscast_ingest $value;"), qr/\[emerg\].*\Q$says/,
         "tscast_ingest $value: $says");
}

like(conf_says('tscast_ingest live/$name;', live => ''),
     qr/"tscast_ingest" needs "live on"/, 'it needs live');


my $door = TSCast::RTMPDoor->new(
    tscast => 'zone live 64m window=20s;',
    rtmp => <<'END_OF_CONF',
        notify_method get;

        application live {
            live on;
            tscast_ingest live/$name;
        }

        application closed {
            live on;
            deny publish all;
            tscast_ingest live/$name;
        }

        application asked {
            live on;
            on_publish http://127.0.0.1:$PORT/may-publish;
            deny play all;
            tscast_ingest live/$name;
        }

        application relay {
            live on;
            record all;
            record_path $PREFIX/temp;
            push rtmp://127.0.0.1:$PORT_1/pushed;
        }

        application pushed {
            live on;
            tscast_ingest live/pushed-$name;
        }

        application pulled {
            live on;
            pull rtmp://127.0.0.1:$PORT_1/relay;
            tscast_ingest live/$app-$name;
        }
END_OF_CONF
    server => <<'END_OF_CONF',
        location = /status { tscast_status; }

        location = /may-publish {
            if ($arg_name = renamed) { return 302 better; }
            if ($arg_key = secret) { return 200; }
            return 403;
        }

        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=20s;
        }
END_OF_CONF
);

my $ngx = $door->{ngx};
my $port = $door->{port};
my $dir = $door->{dir};

$door->film;


# who may publish

{
    my $p = $door->publisher('nobody', app => 'closed', accepted => 0);

    $door->round($p);
    ok($p->closed_within(5), 'deny publish');
    $p->close;

    $p = $door->publisher('wrong?key=guess', app => 'asked', accepted => 0);
    $door->round($p);
    ok($p->closed_within(5), 'on_publish says no');
    $p->close;

    unlike($ngx->error_log, qr/stream "live\/(nobody|wrong)" is published/,
           'nothing of theirs was published');

    $p = $door->publisher('right?key=secret', app => 'asked');
    $door->round($p);

    my $v = $door->viewer('right');

    ok($v->wait_bytes(5000), 'on_publish says yes');
    $_->close for $v, $p;

    $p = $door->publisher('renamed?key=secret', app => 'asked');
    $door->round($p);
    $v = $door->viewer('better');
    ok($v->wait_bytes(5000), 'on_publish says another name');
    $_->close for $v, $p;
}

# what ffprobe finds behind an address

sub probe {
    my ($path) = @_;

    my $said = TSCast::Compare::said('timeout', 20, 'ffprobe', '-v', 'quiet',
        '-analyzeduration', 1_000_000, '-show_entries', 'stream=codec_name',
        '-of', 'csv=p=0', "rtmp://127.0.0.1:$port/$path");

    return join ' ', sort split /\s+/, $said;
}


# publishes in the background, as fast as it plays

sub film {
    my ($path) = @_;

    return TSCast::Publisher::background(sub {
        exec 'ffmpeg', '-nostdin', '-v', 'quiet', '-stream_loop', 20, '-re',
             '-i', "$dir/av.flv", '-c', 'copy', '-f', 'flv',
             "rtmp://127.0.0.1:$port/$path" or die $!;
    });
}


# nginx-rtmp's own players

{
    my $pid = film('live/played');
    my $v = $door->viewer('played');

    ok($v->wait_bytes(5000), 'published');
    is(probe('live/played'), 'aac h264', 'play works as ever');

    # meanwhile: a stream in real time, as ETSI TR 101 290 looks at it

    my ($st, $health);

    ok(TSCast::Net::until_true(15, sub {
        my $r = TSCast::Reader->http(port => $ngx->port,
                                     path => '/status?stream=live/played');

        $r->wait_end;
        ($st) = @{JSON::PP::decode_json($r->{body})->{streams}};
        $health = $st->{health};
        $r->close;

        return $health->{packets} > 100;
    }), 'the status has looked at it');

    is($st->{publisher}{door} . ' ' . $st->{publisher}{address},
       'rtmp 127.0.0.1', 'the status has it');
    is(join(' ', grep { /error|loss|jump|silence/ && $health->{$_} }
                 sort keys %$health), '', 'its health is good');

    TSCast::Publisher::end($pid);
    $v->close;

    my $p = $door->publisher('hidden?key=secret', app => 'asked');

    $door->round($p);
    is(probe('asked/hidden'), '', 'and so does deny play');
    $p->close;
}

# relays and records

{
    my $pid = film('relay/one');
    my $v = $door->viewer('pushed-one');

    ok($v->wait_bytes(5000), 'push');
    $v->close;

    # a player wants it, hence the application pulls

    is(probe('pulled/one'), 'aac h264', 'pull');
    $v = $door->viewer('pulled-one');
    ok($v->wait_bytes(5000), 'a pull is a publisher');
    TSCast::Publisher::end($pid);
    $v->close;

    my ($flv) = glob "$dir/temp/one*.flv";

    cmp_ok(-s ($flv // 'none') // 0, '>', 5000, 'record');
}

$ngx->stop;
done_testing;
