# Copyright (C) the tscast authors

use strict;
use warnings;

# Links by multicast between two hosts that have a cable of their own: to
# groups of IPv4 and IPv6, by a named interface, from any source and from one.

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

my $net = TSCast::Netns->new(qw(a b));

# the cable, which no route leads to

$net->run('a', qw(ip link add cable type veth peer name cable netns),
          $net->host('b')->{pid});

my $n = 1;

for my $host (qw(a b)) {
    $net->run($host, qw(ip addr add), "10.98.0.$n/24", qw(dev cable));
    $net->run($host, qw(ip -6 addr add), "fd98::$n/64", qw(dev cable nodad));
    $net->run($host, qw(ip link set cable up));
    $n++;
}


sub pump { return TSCast::Reader::pump(@_) }


sub node {
    my ($host, $tscast) = @_;

    return TSCast::Nginx->new(
        workers => 2, netns => $net->host($host), tscast => $tscast,
        server => $server,
    )->start;
}


# the name of each, and whether it comes through

my @links = (
    [any4 => 'udp://239.1.1.1:5001', 'iface=cable', '', 1],
    [one4 => 'udp://232.1.1.1:5002', 'iface=cable', 'source=10.98.0.1', 1],
    [rtp4 => 'rtp://232.1.1.2:5004', 'iface=cable', 'source=10.98.0.1', 1],
    [any6 => 'udp://[ff15::1]:5006', 'iface=cable', '', 1],
    [one6 => 'rtp://[ff35::2]:5008', 'iface=cable', 'source=fd98::1', 1],
    [link6 => 'udp://[ff12::3]:5010', 'iface=cable', '', 1],
    [other4 => 'udp://232.1.1.3:5012', 'iface=cable', 'source=10.98.0.7', 0],
    [other6 => 'udp://[ff35::4]:5014', 'iface=cable', 'source=fd98::7', 0],
    [iface4 => 'udp://239.1.1.5:5016', 'iface=eth0', '', 0],
);

my $far = node('b', join "\n", 'zone live 64m;',
               map { "pull live/$_->[0] $_->[1] $_->[2] $_->[3] timeout=30s;" }
                   @links);

my $near = node('a', join "\n", 'zone live 64m;',
                map { "push live/cam $_->[1] iface=cable ttl=2;" } @links);

my $p = TSCast::Publisher->new(port => $near->port, path => '/push/cam');
my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
my $start = time;
my %viewer;

my $send = sub {
    $p->send($ts->frame) while $ts->clock < time - $start;
    pump(0.01, sub { 0 }, values %viewer);
};

for my $link (grep { $_->[4] } @links) {
    my $name = $link->[0];

    TSCast::Net::until_true(8, sub {
        $send->();

        my $v = TSCast::Reader->http(port => $far->port, version => '1.0',
                                     path => "/live/$name", keep => 0);
        $v->wait_head(2);

        if ($v->{status} != 200) {
            $v->close;
            return 0;
        }

        $viewer{$name} = $v;

        return 1;
    });

    ok($viewer{$name}, "$name is there") or next;

    ok(TSCast::Net::until_true(8, sub {
        $send->();
        $viewer{$name}{bytes} > 60_000;
    }), 'and goes on');
}

for my $name (sort keys %viewer) {
    is($viewer{$name}{check}->faults, '', "$name: no fault");
}

for my $link (grep { !$_->[4] } @links) {
    my $v = TSCast::Reader->http(port => $far->port, version => '1.0',
                                 path => "/live/$link->[0]");

    is($v->wait_head, 404, "$link->[0] does not come through");
    $v->close;
}

$_->close for $p, values %viewer;
$_->stop for $near, $far;

done_testing;
