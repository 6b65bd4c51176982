# Copyright (C) the tscast authors

use strict;
use warnings;

# Chains of three nodes over TCP, by pushes and by pulls: what goes in comes
# out, and when the one in the middle is killed and comes back, the viewers at
# the end go on.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

plan skip_all => 'no stream module'
    if !TSCast::Nginx->can('missing_stream')
       || TSCast::Nginx::missing_stream();


sub pump { return TSCast::Reader::pump(@_) }


# a node with a TCP door of its own, PORT_1, for the stream "cam"

sub node {
    my ($door, $links) = @_;

    return TSCast::Nginx->new(
        workers => 2,
        main => "stream { server { listen 127.0.0.1:\$PORT_1; $door; } }",
        tscast => "zone live 16m window=10s; $links",
        server => <<'END_OF_CONF',
            location ~ ^/push/(?<s>.+)$ { tscast_ingest live/$s; }
            location ~ ^/live/(?<s>.+)$ { tscast_play live/$s linger=20s; }
END_OF_CONF
    )->start;
}


# the three, first to last

sub chain {
    my ($how) = @_;

    my $retry = 'reconnect=50ms..200ms';

    if ($how eq 'push') {
        my $c = node('tscast_ingest live/cam', '');
        my $b = node('tscast_ingest live/cam',
                     'push live/* tcp://127.0.0.1:' . $c->other_port(1)
                     . " $retry;");
        my $a = node('tscast_ingest live/cam',
                     'push live/* tcp://127.0.0.1:' . $b->other_port(1)
                     . " $retry;");

        return ($a, $b, $c);
    }

    my $a = node('tscast_play live/cam linger=0', '');
    my $b = node('tscast_play live/cam linger=0',
                 'pull live/cam tcp://127.0.0.1:' . $a->other_port(1)
                 . " $retry;");
    my $c = node('tscast_play live/cam linger=0',
                 'pull live/cam tcp://127.0.0.1:' . $b->other_port(1)
                 . " $retry;");

    return ($a, $b, $c);
}


for my $how (qw(push pull)) {
    my @nodes = chain($how);
    my ($first, $middle, $last) = @nodes;

    my $in = '';
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
    my $p = TSCast::Publisher->new(port => $first->port, path => '/push/cam');

    my $start = time;
    my $v;
    my $feed = sub {
        while ($ts->clock < time - $start) {
            my $bytes = $ts->frame;
            $in .= $bytes;
            $p->send($bytes);
        }

        pump(0.02, sub { 0 }, $v ? $v : ());
    };

    ok(TSCast::Net::until_true(10, sub {
        $feed->();
        $v //= TSCast::Reader->http(port => $last->port, version => '1.0',
                                    path => '/live/cam');
        $v->read_some;
        return 1 if $v->{bytes} && $v->{status} == 200;
        $v = undef if defined $v->{status} && $v->{status} == 404;
        return 0;
    }), "$how: the stream is at the third node");

    my $until = time + 1.5;

    $feed->() while time < $until;

    my $bytes = length $in;

    ok(TSCast::Net::until_true(5, sub {
        $feed->();
        return index($in, $v->{body}) >= 0
               && length($v->{body}) + index($in, $v->{body}) >= $bytes;
    }), 'byte for byte');
    is($v->faults, '', 'without a fault');

    # the middle dies, and comes back

    $middle->kill_node;
    $feed->() for 1 .. 10;
    $middle->start;

    my $before = $v->{check}{high};

    ok(TSCast::Net::until_true(10, sub {
        $feed->();
        return $v->{check}{high} > $before + 200;
    }), 'the middle is killed and restarted: the viewer goes on');

    ok($v->{check}->opens_well, 'from a key frame, with tables');
    is($v->{check}{discontinuities}, 1, 'and is told of a discontinuity');
    is($v->faults(missing => 1, doubled => 1), '', 'without another fault');

    # and so does a reload of all three, in which nothing is lost

    my $holes = "$v->{check}{missing} $v->{check}{doubled}";

    for my $ngx (@nodes) {
        $ngx->reload(meanwhile => $feed);
    }

    $until = time + 1;
    $feed->() while time < $until;

    $before = $v->{check}{high};

    ok(TSCast::Net::until_true(10, sub {
        $feed->();
        return $v->{check}{high} > $before + 200;
    }), 'all of them are reloaded: the viewer goes on');

    is($v->faults(missing => 1, doubled => 1), '', 'without a fault');
    is("$v->{check}{missing} $v->{check}{doubled}", $holes,
       'nothing is missing, and nothing came twice');

    is($p->finish->status, 204, 'the publisher ends');

    $_->close for $v, $p;
    $_->stop(seconds => 10) for $first, $last;
    $middle->stop(seconds => 10);
}

done_testing;
