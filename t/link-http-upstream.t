# Copyright (C) the tscast authors

use strict;
use warnings;

# Links to the peers of an upstream {}: failover in mid-stream, backup, down,
# max_fails, max_conns, balance=hash.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $doors = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest;
        }
END_OF_CONF

# enough for each peer to have some, and those that are watched

my @names = map { "s$_" } 1 .. 24;
my @watched = @names[0 .. 11];


sub origin {
    my ($name) = @_;

    return TSCast::Nginx->new(tscast => "node $name; zone live 32m;",
                              server => $doors)->start;
}


# origins with the same streams

my %origin = map { $_ => origin($_) } qw(a b c);
my ($one, $two, $three) = map { $origin{$_}->port } qw(a b c);
my $dead = TSCast::Net::free_port();

my $edge = TSCast::Nginx->new(
    workers => 2,
    tscast => join("\n", <<'END_OF_CONF',
        node edge;
        zone live 128m window=3s;
        pull live/cam http://weighted/live/cam reconnect=10s;
        pull live/cold http://backup/live/cam reconnect=10s;
        pull live/down http://down/live/cam reconnect=10s;
        pull live/one http://capped/live/cam reconnect=10s timeout=4s;
        pull live/two http://capped/live/cam reconnect=10s timeout=4s;
        pull live/none http://none/live/cam reconnect=200ms;
        push live/cam http://backup/push/there reconnect=10s;
END_OF_CONF
        map { "pull live/$_ http://hashed/live/cam balance=hash"
              . ' reconnect=10s;' } @names),
    http => <<"END_OF_CONF",
    upstream weighted {
        zone peers 64k;
        server 127.0.0.1:$one weight=1000;
        server 127.0.0.1:$two;
    }

    upstream backup {
        least_conn;
        server 127.0.0.1:$dead;
        server 127.0.0.1:$two backup;
    }

    upstream down {
        server 127.0.0.1:$one down;
        server 127.0.0.1:$two down;
        server 127.0.0.1:$three;
    }

    upstream capped {
        zone capped 64k;
        server 127.0.0.1:$one max_conns=1;
        server 127.0.0.1:$two max_conns=1;
    }

    upstream none {
        server 127.0.0.1:$dead max_fails=1 fail_timeout=60s;
        server 127.0.0.1:$dead max_fails=1 fail_timeout=60s;
    }

    upstream hashed {
        server 127.0.0.1:$one;
        server 127.0.0.1:$two;
        server 127.0.0.1:$three;
    }
END_OF_CONF
    server => $doors,
);

# the streams are there before they are asked for

my %ts = map { $_ => TSCast::TS->new(seconds => 0, gop => 0.4) } keys %origin;
my %p = map {
    $_ => TSCast::Publisher->new(port => $origin{$_}->port,
                                 path => '/push/cam')
} keys %origin;

$p{$_}->send($ts{$_}->take(0.8)) for keys %p;
$edge->start;


# goes on publishing until something is true

sub publish_until {
    my ($seconds, $until, @viewers) = @_;

    return TSCast::Net::until_true($seconds, sub {
        $p{$_}->send($ts{$_}->frame) for keys %p;
        TSCast::Reader::pump(0.02, sub { 0 }, @viewers);
        $until->();
    });
}


# where a link has its connection to: the ports of its "link is up" lines

sub ports {
    my ($name) = @_;

    return $edge->error_log =~ /link is up, pull: "live\/$name" .*:(\d+)$/mg;
}


sub last_port { return (ports(@_))[-1] // 0 }


publish_until(5, sub { !grep { !last_port($_) } qw(cam cold down one two),
                                                 @names });

is(last_port('cam'), $one, 'weight: the heavier one');
is(last_port('cold'), $two, 'backup: when the others are gone');
is(last_port('down'), $three, 'down: not asked');
is(join(' ', sort { $a <=> $b } map { last_port($_) } qw(one two)),
   join(' ', sort { $a <=> $b } $one, $two), 'max_conns: one each');

ok($origin{b}->wait_log(qr/stream "live\/there" is published/),
   'a push goes to a peer as well');
like($edge->error_log, qr/connect\(\) failed .*live\/none/,
     'a round of tries, of peers that are not there');
ok($edge->wait_log(qr/no live upstreams, pull: "live\/none"/),
   'max_fails: they are not asked for a while');

# each stream has its peer, and the same on every node

my %first = map { $_ => last_port($_) } @names;
my %count;

$count{$_}++ for values %first;

is(scalar keys %count, 3, 'hash: all peers are used');

# viewers of a stream whose peer dies

my @moved = grep { $first{$_} == $one } @names;
my @v = map {
    TSCast::Reader->http(port => $edge->port, path => "/live/$_", keep => 0)
} 'cam', @watched;

ok(publish_until(5, sub { !grep { !$_->{bytes} } @v }, @v), 'all play');

delete($p{a})->close;

# the master first, which would start others

kill 'KILL', $origin{a}->master, $origin{a}->workers;

ok(publish_until(5, sub { last_port('cam') == $two }, @v),
   'the peer in use dies: the next one');
ok(publish_until(5, sub {
    !grep { last_port($_) == $one } @moved
}, @v), 'for each of the streams that it had');

my %now = map { $_ => last_port($_) } @names;

is(join(' ', grep { $now{$_} != $first{$_} } @names), join(' ', @moved),
   'hash: and for no other');

my @after = map { $_->{bytes} } @v;

ok(publish_until(5, sub {
    !grep { $v[$_]{bytes} <= $after[$_] + 50_000 } 0 .. $#v
}, @v), 'viewers stay and go on');

for my $i (0 .. $#v) {
    is($v[$i]->faults(missing => 1, doubled => 1), '',
       "viewer $i sees what is well formed");
    ok($v[$i]{check}->opens_well, 'from key frames on');
}

is($v[0]{check}{discontinuities}, 1, 'with a discontinuity');

$_->close for @v, values %p;
$edge->stop;
$origin{$_}->stop for qw(b c);

done_testing;
