# Copyright (C) the tscast authors

use strict;
use warnings;

# kill -9 and SIGSTOP of the worker that runs a link; quit and stop: there is
# one link again, or none, and no log complains.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=20s; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


sub node {
    my ($tscast, %opt) = @_;

    return TSCast::Nginx->new(
        workers => 2, tscast => "zone live 16m window=5s; $tscast",
        server => $server, %opt,
    )->start;
}


# a push, and the publisher on another worker than the link

{
    my $sink = TSCast::Peer->new;
    my $ngx = node("push live/* tcp://127.0.0.1:$sink->{port};");
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);

    my ($one, $two) = $ngx->workers;
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/cam');

    my $feed = sub { $p->send($ts->take(0.04)); pump(0.01, sub { 0 }, $sink) };

    ok(TSCast::Net::until_true(5, sub { $feed->(); $sink->bytes }),
       'the push is there');
    is($ngx->worker_of($sink->first->{sock}), $one,
       'it is run by the worker of the publisher');

    # that one dies: the stream ends, and with it the push

    $ngx->kill_worker($one);
    ok(pump(5, sub { !$sink->open }, $sink), 'it dies with its worker');
    $p->close;

    # two more publishers of other streams: their links are run beside them

    my ($new) = grep { $_ != $two } $ngx->workers;

    $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($two),
                                path => '/push/cam');
    ok(TSCast::Net::until_true(5, sub { $feed->(); $sink->open == 1 }),
       'another publisher, another push');
    is($ngx->worker_of($sink->last->{sock}), $two, 'beside it');

    # after a reload it is on a worker of the new configuration, and the
    # publisher is not

    $ngx->reload(meanwhile => $feed);
    ok(TSCast::Net::until_true(10, sub {
        my @open = $sink->open;
        $feed->();
        return @open == 1 && @{$sink->{accepted}} == 3;
    }), 'after a reload a new worker runs it');

    my $owner = $ngx->worker_of($sink->last->{sock});

    ok(defined $owner && $owner != $two, 'not the one of the publisher');

    my $start = time;

    $ngx->kill_worker($owner);

    ok(TSCast::Net::until_true(10, sub {
        my @open = $sink->open;
        $feed->();
        return @open == 1 && @{$sink->{accepted}} == 4
               && $sink->last->{bytes};
    }), 'which dies, and another takes it up');

    is($sink->last->{check}->faults, '', 'without a fault');
    ok($sink->last->{check}->opens_well, 'from a key frame');

    # a worker that is stopped keeps what it has: there is still one link

    $owner = $ngx->worker_of($sink->last->{sock});
    $ngx->stop_worker($owner);

    my $until = time + 2.5;
    $feed->() while time < $until;

    is(scalar(@{$sink->{accepted}}), 4, 'nobody else takes it while its '
       . 'worker is stopped');

    $ngx->cont_worker($owner);

    my $before = $sink->last->{bytes};

    ok(TSCast::Net::until_true(5, sub {
        $feed->();
        $sink->last->{bytes} > $before + 50_000;
    }), 'it goes on when its worker does');

    is($p->finish->status, 204, 'the publisher ends');
    ok(pump(5, sub { !$sink->open }, $sink), 'and the push');

    $_->close for $p, $sink;
    $ngx->stop;
}


# a pull

{
    my $origin = TSCast::Peer->new;
    my $ngx = node("pull live/cam tcp://127.0.0.1:$origin->{port};");
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $v;
    my $feed = sub {
        $origin->live($ts->take(0.04));
        pump(0.01, sub { 0 }, $origin, $v ? $v : ());
    };

    ok(pump(5, sub { $origin->open }, $origin), 'the pull is there');

    my $owner = $ngx->worker_of($origin->first->{sock});
    my ($other) = grep { $_ != $owner } $ngx->workers;

    $feed->() for 1 .. 10;

    $v = TSCast::Reader->http(sock => $ngx->connect_to_worker($other),
                              path => '/live/cam', version => '1.0');

    ok(TSCast::Net::until_true(5, sub { $feed->(); $v->{bytes} > 50_000 }),
       'a viewer on the other worker');

    for my $round (1 .. 2) {
        my $before = $v->{bytes};

        $ngx->kill_worker($ngx->worker_of($origin->last->{sock}))
            if $ngx->worker_of($origin->last->{sock}) != $other;

        ok(TSCast::Net::until_true(10, sub {
            my @open = $origin->open;
            $feed->();
            return @open == 1 && $v->{bytes} > $before + 50_000;
        }), "round $round: the viewer goes on, by one link");
    }

    ok($v->{check}->opens_well, 'from key frames');
    is($v->faults(missing => 1, doubled => 1), '', 'without a fault');

    # quit: the link does not keep the workers, and its viewers see an end

    kill 'QUIT', $ngx->master;
    ok(TSCast::Net::until_true(10, sub { $feed->(); !$origin->open }),
       'quit: the pull ends');

    $_->close for $v, $origin;
    $ngx->stop(seconds => 5);
}


# quit and stop with links in every state: connected, waiting, looking for an
# address, refused; with worker_shutdown_timeout and without

for my $row (['QUIT', ''], ['QUIT', 'worker_shutdown_timeout 200ms;'],
             ['TERM', ''])
{
    my ($signal, $main) = @$row;
    my ($sink, $origin) = map { TSCast::Peer->new } 1 .. 2;
    my $deaf = TSCast::Peer->new(deaf => 1, rcvbuf => 4096);
    my $nobody = TSCast::Net::free_port();

    my $ngx = node(join("\n",
        "push live/* tcp://127.0.0.1:$sink->{port};",
        "push live/* tcp://127.0.0.1:$deaf->{port};",
        "push live/* tcp://127.0.0.1:$nobody;",
        'push live/* tcp://nowhere.test:9;',
        "pull live/a tcp://127.0.0.1:$origin->{port};",
        "pull live/b tcp://127.0.0.1:$nobody;",
        'pull live/c tcp://nowhere.test:9;',
        "resolver 127.0.0.1:$nobody;"), main => $main);

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 8_000_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    $origin->live($ts->take(0.4)) if pump(5, sub { $origin->open }, $origin);
    $p->send($ts->take(4));

    ok(pump(5, sub { $sink->open == 2 && $sink->bytes > 100_000 },
            $sink, $deaf, $origin), "$signal: links are up");

    # without a timeout the node waits for its publisher

    kill $signal, $ngx->master;
    pump(0.3, sub { 0 }, $sink, $origin);
    $p->close;

    ok(pump(10, sub { !$sink->open && !$origin->open }, $sink, $origin),
       "$signal $main: they are gone");

    $ngx->stop(signal => $signal, seconds => 15);
    $_->close for $sink, $origin, $deaf;
}


# one process only

{
    my $origin = TSCast::Peer->new;
    my $sink = TSCast::Peer->new(keep => 1);
    my $ngx = TSCast::Nginx->new(
        tscast => "zone live 8m;
                   pull live/cam tcp://127.0.0.1:$origin->{port};
                   push live/cam tcp://127.0.0.1:$sink->{port};",
        server => $server,
    );

    # a later directive of this name would be a duplicate

    my $conf = $ngx->conf;
    $conf =~ s/master_process on;/master_process off;/;

    my $file = $ngx->write_file('single.conf', $conf);
    my (undef, $pid) = TSCast::Publisher::command(
        "$ngx->{prefix}/stderr", TSCast::Nginx::binary(),
        '-p', $ngx->prefix, '-e', "$ngx->{prefix}/logs/error.log",
        '-c', $file);

    ok(pump(10, sub { $origin->open }, $origin), 'one process: it pulls');

    my $in = TSCast::bytes('seconds=2 gop=2');

    $origin->put($in);
    ok(pump(5, sub { $sink->bytes >= length $in }, $sink, $origin),
       'and pushes');

    kill 'QUIT', $pid;
    is(TSCast::Publisher::wait_for($pid), 0, 'and quits');
    ok(pump(5, sub { $sink->first->{end} }, $sink), 'its push ends');
    ok($sink->body eq $in, 'with every byte');
    is(join('', $ngx->bad_lines), '', 'and no word about it');

    $_->close for $sink, $origin;
}

done_testing;
