# Copyright (C) the tscast authors

use strict;
use warnings;

# Links between hosts: one that is down, one that comes back, a network that
# swallows packets, and a node in the middle that is killed.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

plan skip_all => 'network namespaces need root'
    if !TSCast::Netns::available();

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=20s; }
END_OF_CONF

my $net = TSCast::Netns->new(qw(a b c));


sub pump { return TSCast::Reader::pump(@_) }


sub node {
    my ($host, $tscast) = @_;

    return TSCast::Nginx->new(
        workers => 2, netns => $net->host($host),
        tscast => "zone live 16m window=5s; $tscast",
        server => $server,
    )->start;
}


sub peer {
    my ($host, %opt) = @_;

    return $net->inside($host, sub {
        TSCast::Peer->new(address => $net->address($host), %opt);
    });
}


# a target that is not there when we start; then it is cut off for a while

{
    my $sink = peer('b');
    my $other = peer('c', keep => 1);

    $sink->shut;
    $net->cut('b');

    my $ngx = node('a', join ' ', map {
        'push live/* tcp://' . $net->address($_->[0]) . ":$_->[1]{port} "
        . 'reconnect=100ms..500ms timeout=1s;' } ['b', $sink], ['c', $other]);

    my $in = '';
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $feed = sub {
        my $bytes = $ts->take(0.04);
        $in .= $bytes;
        $p->send($bytes);
        pump(0.02, sub { 0 }, $sink, $other);
    };

    ok(TSCast::Net::until_true(10, sub {
        $feed->();
        $ngx->error_log =~ /link is down: no answer/;
    }), 'a target that does not answer');

    # the host is there, and nobody listens; then somebody does

    $net->heal('b');
    ok(TSCast::Net::until_true(10, sub {
        $feed->();
        $ngx->error_log =~ /\[info\].*link is down: connect.*refused/;
    }), 'one that refuses');

    $net->inside('b', sub { $sink->listen });
    ok(TSCast::Net::until_true(10, sub {
        $feed->();
        $sink->open && $sink->last->{bytes} > 20_000;
    }), 'one that comes up later gets the stream');

    ok($sink->last->{check}->opens_well, 'from a key frame');
    is($sink->last->{check}->faults, '', 'without a fault');

    # cut off for longer than the timeout

    my $cut = $sink->last;

    $net->cut('b');
    ok(TSCast::Net::until_true(15, sub {
        $feed->();
        $ngx->error_log =~ /link is down.*\n(?:.*\n)*.*link is down: no answer/;
    }), 'a network that swallows all: the link is made again');

    $net->heal('b');
    ok(TSCast::Net::until_true(15, sub {
        $feed->();
        $sink->last != $cut && $sink->last->{bytes} > 20_000;
    }), 'when it heals the stream is there again');
    is($sink->last->{check}->faults, '', 'without a fault');

    is($p->finish->status, 204, 'the publisher was never held up');
    ok(pump(5, sub { !$other->open }, $other), 'the other target ends');
    ok($other->body eq $in, 'and has every byte');
    is(scalar @{$other->{accepted}}, 1, 'by one connection');

    my $lines = () = $ngx->error_log =~ /\[error\].*link is down/g;

    cmp_ok($lines, '<=', 2, 'a line for each time that it went down');

    $_->close for $p, $sink, $other;
    $ngx->stop;
}


# a pull whose origin is cut off

{
    my $origin = peer('b');
    my $ngx = node('a', 'pull live/cam tcp://' . $net->address('b')
                        . ":$origin->{port} reconnect=100ms..500ms "
                        . 'timeout=1s;');
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $v;
    my $feed = sub {
        my $bytes = $ts->take(0.04);
        $origin->live($bytes);
        pump(0.02, sub { 0 }, $origin, $v ? $v : ());
    };

    ok(TSCast::Net::until_true(5, sub { $feed->(); $origin->open }),
       'a pull from another host');
    $feed->() for 1 .. 5;
    $v = TSCast::Reader->http(port => $ngx->port, path => '/live/cam',
                              version => '1.0');

    ok(TSCast::Net::until_true(5, sub { $feed->(); $v->{bytes} > 20_000 }),
       'has a viewer');

    $net->cut('b');
    ok(TSCast::Net::until_true(10, sub {
        pump(0.02, sub { 0 }, $origin, $v);
        $ngx->error_log =~ /nothing comes/;
    }), 'it is cut off');

    # what its former connection still has to send is not for anybody

    $_->close for $origin->open;
    $net->heal('b');

    my $before = $v->{bytes};

    ok(TSCast::Net::until_true(10, sub {
        $feed->();
        $v->{bytes} > $before + 20_000;
    }), 'and comes back: the viewer goes on');

    my $c = $v->{check};

    ok($c->opens_well, 'from a key frame, after tables');
    cmp_ok($c->{discontinuities}, '>=', 1, 'and is told of the discontinuity');
    is($v->faults(missing => 1, doubled => 1), '', 'without another fault');

    $_->close for $v, $origin;
    $ngx->stop;
}


# no route at all: connect() itself fails, at once

{
    $net->run('a', qw(ip route add blackhole 198.51.100.0/24));
    $net->run('a', qw(ip route add unreachable 203.0.113.0/24));

    my $ngx = node('a', 'pull live/x tcp://198.51.100.1:9 '
                        . 'reconnect=50ms..100ms; '
                        . 'pull live/y tcp://203.0.113.1:9 '
                        . 'reconnect=50ms..100ms;');

    ok(TSCast::Net::until_true(10, sub {
        my $n = () = $ngx->error_log =~ /\[info\].*link is down/g;
        return $n > 6;
    }), 'addresses without a route are tried again');

    my $lines = () = $ngx->error_log =~ /\[error\]/g;

    is($lines, 2, 'with a line about each');
    like($ngx->error_log, qr/\[error\].*connect\(\) failed \((101|113): /,
         'that says why');

    $ngx->stop;
}

done_testing;
