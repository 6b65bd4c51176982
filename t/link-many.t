# Copyright (C) the tscast authors

use strict;
use warnings;

# Links to 200 targets, most of them bad: the others, the publisher and the
# viewers get every byte.  And a zone that has no room for so many.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


{
    # one listener stands for many targets: each has an address of its own

    my %target = (
        good => TSCast::Peer->new(address => '0.0.0.0', keep => 1),
        deaf => TSCast::Peer->new(address => '0.0.0.0', deaf => 1,
                                  rcvbuf => 4096),
        rude => TSCast::Peer->new(address => '0.0.0.0', close => 1),
    );

    # nobody accepts, and when its queue is full nobody answers

    my $black = IO::Socket::INET->new(LocalAddr => '0.0.0.0', Listen => 1)
        or die $!;
    my $refused = TSCast::Net::free_port();

    my @port = ($target{good}->port, $target{deaf}->port,
                $target{rude}->port, $black->sockport, $refused);

    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => join("\n", 'zone live 32m window=5s;',
                       map { "push live/cam tcp://127.0.1.$_:"
                             . $port[$_ % @port]
                             . ' reconnect=100ms..1s timeout=2s;' } 1 .. 200),
        server => $server,
    )->start;

    my @all = values %target;
    my $ts = TSCast::TS->new(seconds => 0, gop => 10, bitrate => 2_000_000);
    my $in = $ts->take(0.2);

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    $p->send($in);
    ok($ngx->wait_log(qr/"live\/cam" is published/), 'published');

    my @v = map { TSCast::Reader->http(port => $ngx->port,
                                       path => '/live/cam') } 1 .. 5;

    ok(pump(15, sub { $target{good}->open == 40 && $target{good}->bytes
                      && !grep { !$_->{bytes} } @v }, @all, @v),
       'the 40 good ones are connected');

    for (1 .. 20) {
        my $more = $ts->take(0.2);

        $in .= $more;
        ok(0, 'the publisher was held up') if !$p->send($more);
        pump(0.05, sub { 0 }, @all, @v);
    }

    is($p->finish->status, 204, 'the publisher ends');
    ok(pump(15, sub { !$target{good}->open && !grep { !$_->{end} } @v },
            @all, @v), 'so do they and the viewers');

    my @good = @{$target{good}{accepted}};

    is(scalar @good, 40, 'each has connected once');
    is(scalar(grep { $_->{body} eq $in } @good), 40, 'and has every byte');
    is(scalar(grep { $_->{body} eq $in } @v), 5, 'so have the viewers');
    cmp_ok(scalar @{$target{deaf}{accepted}}, '>=', 40, 'others were tried');

    my $lines = () = $ngx->error_log =~ /\[error\].*link is down/g;

    cmp_ok($lines, '<=', 160, 'a line at most about each of those');

    $_->close for $p, @all, @v;
    $ngx->stop(seconds => 10);
}


# no room: those that have a record work, and the log is not flooded

{
    my $sink = TSCast::Peer->new(address => '0.0.0.0');
    my $ngx = TSCast::Nginx->new(
        workers => 2, connections => 2000,
        tscast => join("\n", 'zone live 1m window=1s;',
                       map { 'push live/cam tcp://127.0.'
                             . int(10 + $_ / 250) . '.' . (1 + $_ % 250)
                             . ":$sink->{port};" } 1 .. 900),
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 200_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    $p->send($ts->take(0.4));

    ok(pump(5, sub { $sink->open > 10 }, $sink), 'some links are there');

    for (1 .. 30) {
        ok(0, 'the publisher was refused') if !$p->send($ts->take(0.1));
        pump(0.1, sub { 0 }, $sink);
    }

    my $log = $ngx->error_log;
    my $lines = () = $log =~ /no memory for/g;

    cmp_ok($lines, '>', 0, 'the log says that there is no room');
    cmp_ok($lines, '<', 20, 'a few times');

    my $open = () = $sink->open;
    my $had = @{$sink->{accepted}};

    is($had, $open, 'links do not come and go');

    is($p->finish->status, 204, 'the publisher ends');
    pump(5, sub { !$sink->open }, $sink);
    $_->close for $p, $sink;
    $ngx->stop(seconds => 10);
}

done_testing;
