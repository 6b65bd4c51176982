# Copyright (C) the tscast authors

use strict;
use warnings;

# Relays over HTTP between hosts: an origin and its spare, an edge, and two
# edges behind that one, which pull on demand.  Byte for byte while nothing
# fails; then the origin is cut off, the edge is killed, and names move.

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

my $net = TSCast::Netns->new(qw(origin spare edge left right));


sub node {
    my ($host, $links, %opt) = @_;

    return TSCast::Nginx->new(
        workers => 2, netns => $net->host($host),
        server => 'listen ' . address($host) . ";\n$server",
        tscast => "node $host; zone live 16m window=5s; $links", %opt,
    )->start;
}


sub address { return $net->address($_[0]) . ':8088' }


my $pull = 'on_demand wait=8s timeout=1s reconnect=100ms..300ms;';

my %origin = map { $_ => node($_, '') } qw(origin spare);
my $edge = node('edge', "pull live/* http://origins/live/\$name $pull",
                http => 'upstream origins { server ' . address('origin')
                        . ' fail_timeout=1s; server ' . address('spare')
                        . ' backup; }');
my @ends = map {
    node($_, 'pull live/* http://' . address('edge') . "/live/\$name $pull");
} qw(left right);

# one encoder that sends to both, in real time

my $in = '';
my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
my @p = map {
    TSCast::Publisher->new(port => $_->port, path => '/push/cam')
} values %origin;
my $start = time;


sub feed {
    while ($ts->clock < time - $start) {
        my $bytes = $ts->frame;

        $in .= $bytes;
        $_->send($bytes) for @p;
    }
}


sub feed_until {
    my ($seconds, $until, @readers) = @_;

    return TSCast::Net::until_true($seconds, sub {
        feed();
        TSCast::Reader::pump(0.01, sub { 0 }, @readers);
        return $until->();
    });
}


sub viewer {
    my ($node) = @_;

    return TSCast::Reader->http(port => $node->port, path => '/live/cam',
                                version => '1.0');
}


sub all_go_on {
    my (@v) = @_;

    my %before = map { $_ => $_->{check}{high} // 0 } @v;

    return feed_until(10, sub {
        !grep { ($_->{check}{high} // 0) <= $before{$_} + 200 } @v;
    }, @v);
}


feed_until(2, sub { $ts->clock > 1 });

# three hops

my $asked = time;
my @v = map { viewer($_) } @ends;

ok(feed_until(5, sub { !grep { !$_->{bytes} } @v }, @v),
   'a stream comes on demand, through three nodes');
note(sprintf 'in %.0f ms', (time - $asked) * 1000);

ok(all_go_on(@v), 'to both ends');
is(scalar(() = $edge->error_log =~ /link is up/g), 1,
   'the edge that they share has one link');

my $sent = length $in;

for my $v (@v) {
    ok(feed_until(5, sub {
        my $at = index $in, $v->{body};

        return $at >= 0 && $at + length $v->{body} >= $sent;
    }, @v), 'byte for byte');
    is($v->faults, '', 'without a fault');
    ok($v->{check}->opens_well, 'from a key frame, with tables');
}

# the origin is cut off, without a word

$net->cut('origin');

ok(feed_until(10, sub {
    $edge->error_log =~ /link is up.*peer: \Q@{[address('spare')]}/;
}, @v), 'the origin is cut off: the edge goes to the spare');
ok(all_go_on(@v), 'the viewers go on');

for my $v (@v) {
    is($v->{check}{discontinuities}, 1, 'and are told of a discontinuity');
    is($v->faults(missing => 1, doubled => 1), '', 'without another fault');
}

$net->heal('origin');

# the edge is killed, and restarted

$edge->kill_node;
feed_until(0.3, sub { 0 }, @v);
$edge->start;

ok(all_go_on(@v), 'the edge is killed and restarted: the viewers go on');
is($_->faults(missing => 1, doubled => 1), '', 'without a fault') for @v;

$_->close for @v;

# a name server that is silent at the start, then knows the origin, then the
# spare

my $dns = $net->inside('edge', sub { TSCast::DNS->new });

$dns->{mute} = 1;

my $named = node('edge', 'resolver 127.0.0.1:' . $dns->{port}
                         . ' valid=1s ipv6=off; resolver_timeout 500ms; '
                         . 'pull live/cam http://source.test:8088/live/cam '
                         . 'timeout=1s reconnect=100ms..300ms;',
                 server => $server);

ok(feed_until(5, sub {
    $named->error_log =~ /source.test cannot be resolved \(110/;
}, $dns), 'a node whose name server is silent starts');

$dns->{mute} = 0;
$dns->{names}{'source.test'} = [$net->address('origin')];

my $has = sub {
    my ($host) = @_;

    return feed_until(10, sub {
        $named->error_log =~ /link is up.*peer: \Q@{[address($host)]}/;
    }, $dns);
};

ok($has->('origin'), 'and has its stream when it answers');

my $v = viewer($named);

ok(feed_until(5, sub { $v->{bytes} > 20_000 }, $dns, $v), 'for a viewer');

$dns->{names}{'source.test'} = [$net->address('spare')];
$net->cut('origin');

ok($has->('spare'), 'the name moves, and the former address is silent');

my $had = $v->{bytes};

ok(feed_until(5, sub { $v->{bytes} > $had + 50_000 }, $dns, $v),
   'the viewer goes on');
is($v->faults(missing => 1, doubled => 1), '', 'without a fault');

$net->heal('origin');

is(join(' ', map { $_->finish->status } @p), '204 204',
   'the publishers were never held up');

$_->close for $v, @p, $dns;
$_->stop(seconds => 10) for $named, @ends, $edge, values %origin;

done_testing;
