# Copyright (C) the tscast authors

use strict;
use warnings;

# 20 Mbit/s over UDP, in datagrams as ffmpeg cuts them, to a viewer on each of
# two workers: not a byte is lost.  TSCAST_RATE_SECONDS=20 makes it longer.

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5;
use Test::More;
use Time::HiRes qw(sleep time);

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}

my $seconds = $ENV{TSCAST_RATE_SECONDS} || 3;
my $rate = 20_000_000;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 128m window=1m;',
    events => 'multi_accept on;',
    main => <<'END_OF_CONF',
stream {
    server {
        listen 127.0.0.1:$PORT_1 udp reuseport rcvbuf=4m;
        tscast_ingest live/cam timeout=2s;
    }
    server {
        listen 127.0.0.1:$PORT_2;
        tscast_play live/cam start=oldest linger=0;
    }
}
END_OF_CONF
)->start;

my $second = TSCast::bytes("seconds=1 gop=0.5 bitrate=$rate audio=0");
my $total = $seconds * length $second;

my $u = TSCast::Datagrams->new(port => $ngx->other_port(1), size => 1472);

my $pid = TSCast::Publisher::background(sub {
    my $start = time;
    my $slice = 188 * 70;

    for my $n (0 .. $seconds - 1) {
        for (my $at = 0; $at < length $second; $at += $slice) {
            my $late = $start + $n + $at / length($second) - time;

            sleep $late if $late > 0;

            $u->send(substr $second, $at, $slice);
        }
    }

    $u->flush;
});

ok($ngx->wait_log(qr/"live\/cam" is published/), 'published');

my @viewers = map {
    my $md5 = Digest::MD5->new;

    my $v = TSCast::Reader->raw(
        sock => $ngx->connect_to_worker($_, port => $ngx->other_port(2)));

    $v->{md5} = $md5;
    $v->{on_bytes} = sub {
        $md5->add($_[0]{body});
        $_[0]{body} = '';
    };

    $v;
} $ngx->workers;

ok(TSCast::Reader::pump($seconds + 10, sub {
    !grep { !$_->{end} } @viewers
}, @viewers), 'the viewers have seen the end');

is(TSCast::Publisher::wait_for($pid), 0, 'the sender ran through');
is($u->dropped, 0, 'nginx had room for every datagram');

my $md5 = Digest::MD5->new;

$md5->add($second) for 1 .. $seconds;

my $wanted = "$total bytes, " . $md5->hexdigest;

for my $v (@viewers) {
    is("$v->{bytes} bytes, " . $v->{md5}->hexdigest, $wanted, 'byte for byte');
}

$ngx->stop;
done_testing;
