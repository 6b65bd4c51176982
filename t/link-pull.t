# Copyright (C) the tscast authors

use strict;
use warnings;

# A pull over TCP: the bytes of its peer are the stream's, and a peer that is
# not what it should be leaves one line, not one a second.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=20s; }
    location ~ ^/brief/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


# a viewer of a stream that is there, sooner or later

sub viewer {
    my ($ngx, $path, @others) = @_;

    my $v;

    my $ok = pump(10, sub {
        $v //= TSCast::Reader->http(port => $ngx->port, path => $path,
                                    version => '1.0');
        $v->read_some;

        return if !defined $v->{status};
        return $v->{bytes} if $v->{status} == 200;

        $v->close;
        $v = undef;

        return;
    }, @others);

    die "$path does not play\n" if !$ok;

    return $v;
}


# byte for byte, and again after a break

{
    my $origin = TSCast::Peer->new;
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => "zone live 16m window=10s;
                   pull live/cam tcp://127.0.0.1:$origin->{port}
                        reconnect=50ms;",
        server => $server,
    )->start;

    ok(pump(5, sub { $origin->open == 1 }, $origin), 'it connects');

    my $ts = TSCast::TS->new(seconds => 0, gop => 2, bitrate => 2_000_000);
    my $in = $ts->take(0.2);

    $origin->live($in);

    my $v = viewer($ngx, '/live/cam', $origin);

    for (1 .. 20) {
        my $more = $ts->take(0.2);

        $in .= $more;
        $origin->put($more);
        pump(0.01, sub { 0 }, $origin, $v);
    }

    ok(pump(5, sub { $v->{bytes} >= length $in }, $origin, $v),
       'a viewer has all of it');
    ok($v->{body} eq $in, 'byte for byte');

    # it closes: the viewer goes on with what comes by the next connection

    $v->{check} = TSCast::Check->new;
    $v->{body} = '';
    $origin->{greet} = '';
    $origin->first->close;

    ok(pump(5, sub { @{$origin->{accepted}} == 2 }, $origin, $v),
       'it connects again');

    my $next = TSCast::bytes('seconds=3 gop=1 serial=90000 filler=n');

    $origin->put($next);

    ok(pump(5, sub { $v->{bytes} >= length($in) + length $next },
            $origin, $v), 'the viewer stays');
    is($v->{check}->faults, '', 'without a fault');
    is(join(' ', map { "@$_" } @{$v->{check}{reopenings}}), 'PAT PMT key',
       'from a key frame, after tables and a discontinuity');
    is($v->{check}{low}, 90_000, 'the first one that came');

    # a publisher is stronger than a link, which comes back when it has gone

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    $p->send(TSCast::bytes('seconds=2 serial=100000 filler=p'));

    # silent links see it within a second

    ok(pump(5, sub { !$origin->open }, $origin, $v),
       'it yields to a publisher');
    is($p->finish->status, 204, 'who ends');
    ok(pump(5, sub { $origin->open == 1 }, $origin, $v), 'and comes back');
    like($ngx->error_log, qr/\[info\].*link waits, the stream has a publisher/,
         'the log says so');

    $_->close for $origin, $v, $p;
    $ngx->stop;
}


# what is wrong with a peer is said once

{
    my %peer = (
        garbage => TSCast::Peer->new(greet => 'garbage ' x 10_000),
        little => TSCast::Peer->new(greet => 'x', close => 1),
        rude => TSCast::Peer->new(close => 1),
        silent => TSCast::Peer->new,
    );

    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => join("\n", 'zone live 16m;',
                       map { "pull live/$_ tcp://127.0.0.1:$peer{$_}{port} "
                             . 'reconnect=50ms..100ms timeout='
                             . ($_ eq 'silent' ? '200ms;' : '5s;') }
                       sort keys %peer)
                  . 'pull live/nobody tcp://127.0.0.1:'
                  . TSCast::Net::free_port() . ' reconnect=50ms..100ms;',
        server => $server,
    )->start;

    ok(pump(10, sub { !grep { @{$_->{accepted}} < 6 } values %peer },
            values %peer), 'all of them are tried again and again');

    my $log = $ngx->error_log;

    for my $name (sort(keys %peer), 'nobody') {
        my @lines = grep { m{\[(error|warn|crit|alert)\].*"live/$name"} }
                    split /\n/, $log;
        my @down = grep { /link is down/ } @lines;

        is(scalar @down, 1, "$name: one line says that the link is down");
        cmp_ok(scalar @lines, '<=', 2, "$name: and another at most why")
            or diag join "\n", @lines;
    }

    # and it is news when it goes well again

    my $ts = TSCast::TS->new(seconds => 0, gop => 1);

    $peer{rude}{close} = 0;
    $peer{rude}->live($ts->take(1));

    my $v = viewer($ngx, '/live/rude', values %peer);

    ok(pump(12, sub {
        $peer{rude}->put($ts->take(0.04));
        pump(0.04, sub { 0 }, $v, values %peer);
        $ngx->error_log =~ m{link is up again.*"live/rude"};
    }, $v, values %peer), 'a link that is up again says so');

    is($v->faults, '', 'its stream is without a fault');

    $_->close for $v, values %peer;
    $ngx->stop;
}


# ffmpeg's own server

SKIP: {
    skip 'no ffmpeg', 3 if system('ffmpeg -version > /dev/null 2>&1');

    my $port = TSCast::Net::free_port();
    my $ngx = TSCast::Nginx->new(
        tscast => "zone live 16m;
                   pull live/cam tcp://127.0.0.1:$port reconnect=100ms;",
        server => $server,
    )->start;

    my $file = $ngx->write_file('errors', '');
    my ($to, $pid) = TSCast::Publisher::command($file, qw(ffmpeg -v error -re
        -f lavfi -i testsrc=size=160x120:rate=25 -t 4 -c:v mpeg2video -g 25
        -f mpegts), "tcp://127.0.0.1:$port?listen");

    my $v = viewer($ngx, '/brief/cam');

    $v->wait_end(15);

    is($v->{end}, 'eof', 'a stream of ffmpeg ends');
    is($v->faults, '', 'without a fault');
    is($v->{check}->opening, 'PAT PMT key', 'it began as it should');

    TSCast::Publisher::wait_for($pid);
    $v->close;
    $ngx->stop;
}

done_testing;
