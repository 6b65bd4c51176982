# Copyright (C) the tscast authors

use strict;
use warnings;

# A push over RTMP: what a player of the far server gets is what was published,
# by one publisher, whatever the number of workers.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMP;
use TSCast::Status;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;
plan skip_all => 'no ffmpeg' if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => <<'END_OF_CONF',
        zone live 32m window=10s;
        zone back 32m window=10s;

        push live/* rtmp://127.0.0.1:$PORT_1/far/$name?key=1;
END_OF_CONF
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;

        application far {
            live on;
            record all;
            record_path $PREFIX/temp;
            tscast_ingest back/$name;
        }
    }
}
END_OF_CONF
    server => <<'END_OF_CONF',
        location = /status { tscast_status; }
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
END_OF_CONF
)->start;

my $dir = $ngx->prefix;


sub link_of {
    my ($name) = @_;

    my ($link) = grep { $_->{stream} eq "live/$name" }
                 @{TSCast::Status::get($ngx)->{links}};

    return $link // {};
}


# the beginning of it, until it has come to the other side, and then the rest;
# returns what nginx-rtmp has recorded there

sub publish {
    my ($name, $bytes, $first) = @_;

    my $path = "$dir/temp/$name.flv";
    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$name");

    $p->send(substr $bytes, 0, $first, '');

    ok(TSCast::Net::until_true(5, sub {
        (link_of($name)->{state} // '') eq 'running';
    }), "$name: the link is up");

    while (length $bytes) {
        $p->send(substr $bytes, 0, 18800, '');
    }

    is($p->finish->status, 204, "$name is published");

    ok(TSCast::Net::until_true(5, sub { link_of($name)->{state} eq 'idle' }),
       "$name: the link ends");

    my $link = link_of($name);

    is("$link->{connects} $link->{failures}", '1 0', "$name: as it should");
    cmp_ok($link->{bytes}, '>', 0.9 * -s $path, "$name: what it has carried");

    ok(TSCast::Net::until_true(5, sub {
        !TSCast::Status::stream($ngx, "back/$name")->{publisher};
    }), "$name: the far stream has ended, too");

    return $path;
}


sub encode {
    my ($path, @options) = @_;

    system('ffmpeg', '-nostdin', '-v', 'error', '-y', @options, '-f', 'mpegts',
           $path) == 0
        or die 'ffmpeg';

    return TSCast::FLV::slurp($path);
}


my @picture = ('-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25');
my @noise = ('-f', 'lavfi', '-i', 'anoisesrc=seed=1:amplitude=0.2');
my @h264 = ('-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p',
            '-g', 50, '-bf', 2);

for my $kind (['both', @picture, @noise, @h264, '-c:a', 'aac'],
              ['video', @picture, @h264],
              ['audio', @noise, '-c:a', 'aac', '-aac_pns', 0],
              ['mp3', @noise, '-c:a', 'libmp3lame'])
{
    my ($name, @options) = @$kind;

    my $bytes = encode("$dir/$name.ts", @options, '-t', 4);
    my $path = publish($name, $bytes, int(length($bytes) / 188 / 4) * 188);

    my ($in, $out) = map { TSCast::Compare::frames($_) } "$dir/$name.ts",
                                                         $path;

    is(join(' ', sort keys %$out), join(' ', sort keys %$in),
       "$name: is as it was");

    for my $what (sort keys %$in) {
        my @sent = @{$in->{$what}};
        my @got = @{$out->{$what} // []};

        # without video it begins with the newest frame; and a decoder of
        # audio needs some that came before (and noise has none: no PNS)

        if (!$in->{video}) {
            splice @got, 0, 4;
            cmp_ok(scalar @got, '>', 0.6 * @sent, "$name: most of the frames");
            splice @sent, 0, @sent - @got;
        }

        ok("@sent" eq "@got", "$name: all frames of $what")
            or diag scalar @sent, ' ', scalar @got;
    }

    my ($first) = grep { $_->{type} != 18 } TSCast::FLV::read_file($path);

    is($first->{time}, 0, "$name: times begin at 0");
}

$ngx->stop;

done_testing();
