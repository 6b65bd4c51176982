# Copyright (C) the tscast authors

use strict;
use warnings;

# Audio of every rate that FLV and ADTS have, and of any channels.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMP;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;
plan skip_all => 'no ffmpeg' if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 64m window=60s;',
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;

        application live {
            live on;
            tscast_ingest live/$name;
        }
    }
}
END_OF_CONF
    server => <<'END_OF_CONF',
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
)->start;

my $rtmp = 'rtmp://127.0.0.1:' . $ngx->other_port(1) . '/live';
my $dir = $ngx->prefix;

my @noise = ('-f', 'lavfi', '-i', 'anoisesrc=seed=1:amplitude=0.2');
my @aac = ('-c:a', 'aac', '-b:a', '64k');


sub watch {
    my ($how, $name) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $ngx->port, path => "/live/$name");
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    $v->wait_end(20);
    is(join(', ', @{$v->{faults}}), '', "$name over $how: no fault");
    $v->close;

    return $v->{body};
}


my %source;

$source{six} = ['-f', 'lavfi', '-i', 'anoisesrc=seed=1,pan=5.1|c0=c0|c1=c0|'
                . 'c2=c0|c3=c0|c4=c0|c5=c0', '-t', 1, @aac];
$source{mono} = [@noise, '-t', 1, @aac, '-ac', 1];
$source{"aac$_"} = [@noise, '-t', 1, @aac, '-ar', $_, '-ac', 1]
    for 7350, 11025, 24000, 64000, 96000;

if (`ffmpeg -v quiet -encoders` =~ /libmp3lame/) {
    $source{"mp3_$_"} = [@noise, '-t', 1, '-c:a', 'libmp3lame', '-ar', $_]
        for 11025, 22050, 44100;
}

my $how = 'http';

for my $name (sort keys %source) {
    my $flv = "$dir/$name.flv";

    TSCast::FLV::make($flv, @{$source{$name}});

    is(TSCast::Compare::said('ffmpeg', '-v', 'error', '-i', $flv, '-c',
                             'copy', '-f', 'flv', "$rtmp/$name"), '',
       "$name is published");

    $how = $how eq 'http' ? 'ws' : 'http';

    my $ts = $ngx->write_file("$name.ts", watch($how, $name));

    TSCast::Compare::same($name, $flv, $ts);
}

$ngx->stop;
done_testing;
