# Copyright (C) the tscast authors

use strict;
use warnings;

# Links over RTMP to and from ffmpeg as a server: the pictures are the same.

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

my ($to, $from) = map { TSCast::Net::free_port() } 1, 2;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => <<"END_OF_CONF",
        zone live 32m window=20s;

        push live/out rtmp://127.0.0.1:$to/app/out reconnect=50ms;
        pull live/in  rtmp://127.0.0.1:$from/app/in reconnect=50ms..50ms;
END_OF_CONF
    main => TSCast::RTMP::load()
            . 'rtmp { server { listen 127.0.0.1:$PORT_1; } }',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
);

my $dir = $ngx->prefix;
my @tags = TSCast::FLV::make("$dir/film.flv", '-f', 'lavfi', '-i',
    'testsrc=size=320x240:rate=25', '-f', 'lavfi', '-i',
    'anoisesrc=seed=1:amplitude=0.2', '-t', 3, '-c:v', 'libx264', '-preset',
    'veryfast', '-pix_fmt', 'yuv420p', '-g', 50, '-bf', 2, '-c:a', 'aac',
    '-b:a', '64k');

my $film = TSCast::Compare::frames("$dir/film.flv");

system('ffmpeg', '-nostdin', '-v', 'error', '-y', '-i', "$dir/film.flv", '-c',
       'copy', '-f', 'mpegts', "$dir/film.ts") == 0
    or die 'ffmpeg';

# it serves one client each

my (undef, $sink) = TSCast::Publisher::command("$dir/sink.log", 'ffmpeg', '-v',
    'warning', '-listen', 1, '-i', "rtmp://127.0.0.1:$to/app/out", '-c',
    'copy', '-y', "$dir/out.flv");

TSCast::Net::until_true(5, sub { TSCast::Net::listening($to) })
    or die 'ffmpeg does not listen';

$ngx->start;

# to ffmpeg

{
    my $ts = TSCast::FLV::slurp("$dir/film.ts");
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/out');
    my $first = int(length($ts) / 188 / 4) * 188;

    $p->send(substr $ts, 0, $first);
    ok($ngx->wait_log(qr/link is up, push: "live\/out"/), 'ffmpeg takes it');
    $p->send(substr $ts, $first);
    is($p->finish->status, 204, 'all of it');

    # the end is no end of a file to it, but it has written all

    TSCast::Publisher::wait_for($sink, 5);

    my $out = TSCast::Compare::frames("$dir/out.flv");

    ok("@{$out->{$_} // []}" eq "@{$film->{$_}}", "every frame of $_")
        or diag scalar @{$out->{$_} // []}
        for 'audio', 'video';
}

# from ffmpeg, which begins when somebody plays

{
    my (undef, $origin) = TSCast::Publisher::command("$dir/origin.log",
        'ffmpeg', '-v', 'warning', '-re', '-i', "$dir/film.flv", '-c', 'copy',
        '-f', 'flv', '-listen', 1, "rtmp://127.0.0.1:$from/app/in");

    ok($ngx->wait_log(qr/stream "live\/in" is published|is up, pull/, 8),
       'ffmpeg is played');

    my $v;

    TSCast::Net::until_true(5, sub {
        $v->close if $v;
        $v = TSCast::Reader->http(port => $ngx->port, path => '/live/in',
                                  version => '1.0');
        return ($v->wait_head // 0) == 200;
    }) or die 'it does not play';

    ok(TSCast::Reader::pump(8, sub { $v->{end} }, $v), 'to its end');

    TSCast::Publisher::wait_for($origin, 5);

    my $out = TSCast::Compare::frames($ngx->write_file('in.ts', $v->{body}));

    ok("@{$out->{$_} // []}" eq "@{$film->{$_}}", "every frame of $_")
        or diag scalar @{$out->{$_} // []}
        for 'audio', 'video';
}

$ngx->stop;

done_testing();
