# Copyright (C) the tscast authors

use strict;
use warnings;

# A push over TCP: every byte arrives, in whatever state the other targets are,
# and whatever the target does harms nobody else.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


# a publisher that has sent what $ts has for $seconds

sub publish {
    my ($ngx, $name, $ts, $seconds) = @_;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$name");

    $p->send($ts->take($seconds));

    return $p;
}


# what goes in comes out, by one link, whatever the number of workers

{
    my @sinks = map { TSCast::Peer->new(keep => 1) } 1 .. 3;
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => join("\n", 'zone live 16m window=10s;',
                       map { 'push live/cam tcp://127.0.0.1:'
                             . "$_->{port} reconnect=50ms;" } @sinks),
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 8, gop => 2, bitrate => 2_000_000);
    my $in = $ts->take(1);

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    $p->send($in);

    ok(pump(5, sub { !grep { $_->bytes < length $in } @sinks }, @sinks),
       'the first second reaches three targets');

    for (1 .. 7) {
        my $more = $ts->take(1);

        $in .= $more;
        $p->send($more);
        pump(0.02, sub { 0 }, @sinks);
    }

    is($p->finish->status, 204, 'the publisher ends');

    ok(pump(5, sub { !grep { !$_->first->{end} } @sinks }, @sinks),
       'and so do the links');

    for my $n (0 .. $#sinks) {
        is(scalar @{$sinks[$n]{accepted}}, 1, "target $n: one connection");
        is($sinks[$n]->first->{end}, 'eof', 'that ends as it should');
        ok($sinks[$n]->body eq $in, 'with every byte');
    }

    # the next publisher is a new story

    my $q = publish($ngx, 'cam', TSCast::TS->new(serial => 90_000), 1);

    ok(pump(5, sub { !grep { @{$_->{accepted}} < 2 } @sinks }, @sinks),
       'another publisher: they connect again');
    is($q->finish->status, 204, 'which ends');
    ok(pump(5, sub { !grep { !$_->last->{end} } @sinks }, @sinks),
       'they are closed again');
    is($_->last->{check}->describe,
       "pid 0 first, 0 discontinuities\n", 'a whole stream') for @sinks;

    $_->close for $p, $q, @sinks;
    $ngx->stop;
}


# live/*: a link for each stream whose name begins so

{
    my $sink = TSCast::Peer->new(keep => 1);
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => "zone live 16m; push live/a* tcp://127.0.0.1:$sink->{port};",
        server => $server,
    )->start;

    my %in = map { $_ => TSCast::bytes("seconds=2 gop=2 filler=$_") }
             qw(x y z);
    my %name = (x => 'a', y => 'a.1', z => 'b');
    my @p;

    for my $k (qw(x y z)) {
        my $p = TSCast::Publisher->new(port => $ngx->port,
                                       path => "/push/$name{$k}");
        $p->send($in{$k});
        push @p, $p;
    }

    # "a" alone is not longer than the prefix

    ok(pump(5, sub { $sink->bytes >= length $in{y} }, $sink),
       'the stream that fits arrives');

    is($_->finish->status, 204, 'a publisher ends') for @p;

    ok(pump(5, sub { $sink->first->{end} }, $sink), 'its link ends');
    is(scalar @{$sink->{accepted}}, 1, 'there was no other');
    ok($sink->body eq $in{y}, 'with every byte');

    $_->close for @p, $sink;
    $ngx->stop;
}


# a target that closes at once each time, one that refuses, one that floods us
# and one that never reads

{
    my $good = TSCast::Peer->new(keep => 1);
    my $rude = TSCast::Peer->new(close => 1);
    my $deaf = TSCast::Peer->new(deaf => 1, rcvbuf => 4096);
    my $loud = TSCast::Peer->new(keep => 1, greet => 'x' x 4_000_000);
    my $refused = TSCast::Net::free_port();

    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => join("\n", 'zone live 16m window=5s;',
                       map { "push live/cam tcp://127.0.0.1:$_ "
                             . 'reconnect=20ms timeout=1s;' }
                       $rude->port, $refused, $deaf->port, $loud->port,
                       $good->port),
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, bitrate => 8_000_000);
    my $in = $ts->take(0.2);

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    $p->send($in);
    ok($ngx->wait_log(qr/"live\/cam" is published/), 'published');

    my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/cam');

    my @all = ($good, $rude, $deaf, $loud, $v);

    ok(pump(5, sub { $good->bytes && $loud->bytes && $v->{bytes} }, @all),
       'the good ones are served');

    # as long as it takes for the deaf one to be given up

    ok(pump(10, sub {
        my $more = $ts->take(0.04);

        $in .= $more;
        $p->send($more);

        return $ngx->error_log =~ /the peer takes nothing/
               && @{$rude->{accepted}} > 5;
    }, @all), 'the deaf one is given up, the rude one tried again');

    is($p->finish->status, 204, 'the publisher ends');
    ok(pump(5, sub { $v->{end} && $good->first->{end}
                     && $loud->first->{end} }, @all), 'they end as well');

    ok($good->body eq $in, 'the good target has every byte');
    ok($loud->body eq $in, 'so has the one that talks');
    ok($v->{body} eq $in, 'and the viewer');

    my $log = $ngx->error_log;
    my %errors;

    $errors{$1}++ while $log =~ /\[error\].*"tcp:[^"]+:(\d+)"/g;

    is($errors{$rude->port}, 1, 'one line about the one that closes');
    is($errors{$refused}, 1, 'and about the one that refuses');

    $_->close for $p, @all;
    $ngx->stop;
}


# a timeout that TCP cannot have

{
    my $sink = TSCast::Peer->new;
    my $ngx = TSCast::Nginx->new(
        tscast => "zone live 8m;
                   push live/cam tcp://127.0.0.1:$sink->{port} timeout=30d;",
        server => $server,
    )->start;

    my $p = publish($ngx, 'cam', TSCast::TS->new, 1);

    ok(pump(5, sub { $sink->bytes }, $sink), 'a timeout of 30 days');
    is($p->finish->status, 204, 'the publisher ends');
    pump(5, sub { $sink->first->{end} }, $sink);

    $_->close for $p, $sink;
    $ngx->stop;
}

done_testing;
