# Copyright (C) the tscast authors

use strict;
use warnings;

# Links in a circle: nodes tell in TSCast-Via which way a stream came, and
# what has been at a node is refused there.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $doors = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream linger=0;
        }
END_OF_CONF

# a ring of three, and two that face each other

my %next = (a => 'b', b => 'c', c => 'a', d => 'e', e => 'd');

my %node = map {
    $_ => TSCast::Nginx->new(workers => 2, server => $doors)
} keys %next;

for my $name (keys %next) {
    my $port = $node{$next{$name}}->port;

    $node{$name}{tscast} = <<"END_OF_CONF";
    node $name;
    zone live 16m;
    push live/round* http://127.0.0.1:$port/push/\$name reconnect=100ms;
    pull live/od* http://127.0.0.1:$port/live/\$name on_demand
         linger=500ms wait=5s timeout=5s reconnect=100ms;
END_OF_CONF
}

$_->start for values %node;

my $ts = TSCast::bytes('seconds=2 gop=0.4');


sub publisher {
    my ($name, $path, @headers) = @_;

    my $p = TSCast::Publisher->new(port => $node{$name}->port, path => $path,
                                   headers => \@headers);
    $p->send($ts);

    return $p;
}


sub status {
    my ($name, $path, @headers) = @_;

    my $v = TSCast::Reader->http(port => $node{$name}->port, path => $path,
                                 headers => \@headers);
    my $status = $v->wait_head(8);

    $v->close;

    return ($status // 0, $v->{h}{'tscast-via'});
}


# pushed round: to the others, and not back

for my $first (qw(a d)) {
    my @ring = ($first);

    push @ring, $next{$ring[-1]} while $next{$ring[-1]} ne $first;

    my $p = publisher($first, '/push/round1');
    my $last = $ring[-1];

    for my $name (@ring[1 .. $#ring]) {
        ok(TSCast::Net::until_true(5, sub {
            (status($name, '/live/round1'))[0] == 200
        }), "push: $first to $name");
    }

    my $way = join ', ', @ring;

    ok($node{$first}->wait_log(
           qr/\[error\].*links form a loop: "$way" leads to node "$first"/),
       "push: what has come by $way is refused");
    ok($node{$last}->wait_log(qr/the links form a loop, status 508, push/),
       'push: which the last one says as well');
    like($node{$first}->access_log, qr/^508 \d+ POST \/push\/round1/m,
         'push: with 508');
    is((status($last, '/live/round1', 'TSCast-Via: x'))[1], $way,
       'and a node is told by which way it came');
    is((status($last, '/live/round1'))[1], undef, 'but nobody else');
    is($p->finish->status, 204, 'push: the publisher sees nothing of it');
    $p->close;
}

# pulled round, by somebody who wants what nobody has

for my $first (qw(a d)) {
    my $way = $first;

    $way .= ", $next{substr $way, -1}" while $next{substr $way, -1} ne $first;

    is((status($first, '/live/od0'))[0], 404, "pull, from $first: 404");
    ok($node{$first}->wait_log(
           qr/\[error\].*links form a loop: "$way" leads to node "$first"/),
       "pull: a question that has come by $way is refused");
    like($node{$first}->access_log, qr/^508 \d+ GET \/live\/od0/m,
         'pull: with 508');
}

# and by somebody who wants what the last one has

{
    my $p = publisher('c', '/push/od1');

    is((status('a', '/live/od1', 'TSCast-Via: x'))[1], 'c, b, a',
       'pull: from the third by the second');
    $p->close;
}

# what the doors make of the header

{
    my $many = join ',', map { "n$_" } 1 .. 16;
    my @rows = (
        ['', 204], ['x', 204], [" x ,\ty,, z-1._~", 204], [$many, 204],
        ["$many,n16", 204], ["$many, n17", 508], ['x, a', 508], ['a', 508],
        ['a.b, aa', 204], ['x y/z', 400], ['x;y', 400], ['x' x 64, 204],
        ['x' x 65, 400],
    );

    my $n = 0;

    for my $row (@rows) {
        my ($value, $status) = @$row;
        my $p = publisher('a', '/push/door' . $n++, "TSCast-Via: $value");
        my $name = length $value > 20 ? length($value) . ' bytes' : $value;

        $p->finish if $status == 204;
        is($p->status, $status, "ingest, TSCast-Via: $name: $status");
        $p->close;

        my ($got) = status('a', '/live/door', "TSCast-Via: $value");

        is($got, $status == 204 ? 404 : $status, 'and play as well');
    }

    my $p = publisher('a', '/push/round2', "TSCast-Via: $many");

    ok($node{a}->wait_log(qr/has come through too many nodes, push/),
       'no push to a seventeenth');
    is((status('a', '/live/round2', 'TSCast-Via: x'))[0], 508,
       'nor a pull by one');
    is((status('a', '/live/round2'))[0], 200, 'viewers are no nodes');
    is($p->finish->status, 204, 'and the publisher is none');
    $p->close;
}

$_->stop for values %node;

done_testing;
