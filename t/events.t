# Copyright (C) the tscast authors

use strict;
use warnings;

# Events as the server of notify gets them: publishers, viewers, links and
# alarms, from every worker, over a reload and when a worker is killed.

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(uniq);
use Test::More;

use TSCast;

my $SERVER = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
    location = /status { tscast_status; }
END_OF_CONF

my $ts = TSCast::bytes('seconds=2 gop=0.4');


sub node {
    my ($hook, $options, %opt) = @_;

    my $port = ref $hook ? $hook->port : $hook;
    my $links = delete $opt{links} // '';

    return TSCast::Nginx->new(
        workers => 2, server => $SERVER,
        tscast => "zone live 16m window=10s; node here; $links"
                  . " notify http://127.0.0.1:$port/events $options;",
        %opt,
    )->start;
}


sub publish {
    my ($ngx, $name, %opt) = @_;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$name",
                                   %opt);
    $p->send($ts);

    return $p;
}


sub of {
    my ($event, @events) = @_;

    return grep { $_->{event} eq $event } @events;
}


# serial numbers from 1 on, each once

sub gaps {
    my %seen;

    $seen{$_->{serial}}++ for @_;

    return join ' ', grep { ($seen{$_} // 0) != 1 } 1 .. @_;
}


# publishers and viewers of both workers, and a reload

{
    my $hook = TSCast::Hook->new;
    my $ngx = node($hook, 'viewers=on "header=X-Key: k7s"');
    my @workers = $ngx->workers;

    my @p = map {
        publish($ngx, "cam$_", sock => $ngx->connect_to_worker($workers[$_]))
    } 0, 1;

    ok($hook->wait_events(sub { of('publisher_start', @_) == 2 }),
       'both publishers are told of');

    my ($start) = grep { $_->{stream} eq 'live/cam0' } $hook->events;

    is("$start->{node} $start->{publisher}{door} "
       . "$start->{publisher}{protocol} $start->{publisher}{address}",
       'here http http 127.0.0.1', 'by whom');

    my @v = map {
        TSCast::Reader->http(port => $ngx->port, path => "/live/cam$_")
    } 0, 1, 1;

    $_->wait_bytes(188) for @v;

    ok($hook->wait_events(sub { of('viewer_start', @_) == 3 }),
       'so are viewers');

    is(join(' ', sort map { "$_->{stream} $_->{viewers}" }
                          of('viewer_start', $hook->events)),
       'live/cam0 1 live/cam1 1 live/cam1 2', 'and how many there are');

    $v[0]->close;
    ok($hook->wait_events(sub { of('viewer_stop', @_) == 1 }),
       'a viewer leaves');

    my ($stop) = of('viewer_stop', $hook->events);
    my ($came) = grep { $_->{stream} eq 'live/cam0' }
                      of('viewer_start', $hook->events);

    is("$stop->{stream} $stop->{viewers} $stop->{viewer}{id}",
       "live/cam0 0 $came->{viewer}{id}", 'that one');
    cmp_ok($stop->{viewer}{sent}, '>=', 188, 'and has got something');

    $ngx->reload;

    is($p[0]->finish->status, 204, 'over a reload the publisher stays');
    $_->close for @p[0, 1], @v;

    ok($hook->wait_events(sub { of('publisher_stop', @_) == 2
                                && of('viewer_stop', @_) == 3 }),
       'the old workers tell of the end');

    my ($end) = grep { $_->{stream} eq 'live/cam0' }
                     of('publisher_stop', $hook->events);

    is("$end->{publisher}{id} $end->{publisher}{received}",
       "$start->{publisher}{id} " . length $ts, 'with all that came');

    publish($ngx, 'new')->finish->status;

    ok($hook->wait_events(sub { of('publisher_stop', @_) == 3 }),
       'new workers go on');

    my @events = $hook->events;

    is(gaps(@events), '', 'serial numbers have no gap');
    is(scalar(uniq map { $_->{publisher}{id} // () } @events), 3,
       'each publisher has an id of its own');
    is(TSCast::Status::faults([$hook->events], 'event'), '',
       'as the schema says');

    my ($head) = $hook->requests;

    like($head, qr{^POST /events HTTP/1\.1\r\n}, 'the request');
    like($head, qr{^X-Key: k7s\r$}m, 'with a header of the configuration');
    like($head, qr{^Content-Type: application/json\r$}m, 'and JSON');

    TSCast::Net::until_true(5, sub {
        TSCast::Status::get($ngx)->{events}{waiting} == 0
    });

    my $s = TSCast::Status::get($ngx);
    my %text = TSCast::Status::samples(
        TSCast::Status::request($ngx, '/status?format=prometheus')->{body});

    is_deeply($s->{events}, { total => scalar @events, dropped => 0,
                              sent => scalar @events, waiting => 0,
                              failures => 0 }, 'the status counts them');
    is(TSCast::Status::faults($s), '', 'as its schema says');
    is(join(' ', map { $text{"tscast_events_$_"} }
                 qw(total sent_total dropped_total waiting failures_total)),
       @events . ' ' . @events . ' 0 0 0', 'and for Prometheus');

    $ngx->stop;
    $hook->end;
}


# a worker is killed: its publisher, and its link, are told of by another

{
    my $hook = TSCast::Hook->new;
    my $sink = TSCast::Peer->new(keep => 1);
    my $ngx = node($hook, '', links => 'push live/linked '
                   . "tcp://127.0.0.1:$sink->{port} reconnect=50ms;");
    my ($first) = $ngx->workers;
    my $p = publish($ngx, 'cam', sock => $ngx->connect_to_worker($first));
    my $l = publish($ngx, 'linked', sock => $ngx->connect_to_worker($first));

    TSCast::Reader::pump(5, sub { $sink->bytes }, $sink);

    ok($hook->wait_events(sub { of('publisher_start', @_) == 2
                                && of('link_up', @_) }),
       'a link is up');

    my ($up) = of('link_up', $hook->events);
    my $s = TSCast::Status::get($ngx)->{links}[0];

    is("$up->{stream} $up->{link}{kind} $up->{link}{url} $up->{link}{slot}",
       "live/linked push tcp://127.0.0.1:$sink->{port} $s->{slot}",
       'as the status says');

    $ngx->kill_worker($first);

    ok($hook->wait_events(sub { of('publisher_stop', @_) == 2
                                && of('link_down', @_) }),
       'the end of both is told of');

    my @events = $hook->events;
    my ($start) = grep { $_->{stream} eq 'live/cam' } @events;
    my ($stop) = grep { $_->{stream} eq 'live/cam' }
                      of('publisher_stop', @events);

    is("$stop->{publisher}{id} $stop->{error}",
       "$start->{publisher}{id} its worker has died", 'and why');
    is((of('link_down', @events))[0]{error}, 'its worker has died',
       'as of the link');

    $_->close for $p, $l;

    is(publish($ngx, 'cam')->finish->status, 204, 'it comes back');

    ok($hook->wait_events(sub { of('publisher_stop', @_) == 3 }),
       'and leaves, told of once');
    is(TSCast::Status::faults([$hook->events], 'event'), '',
       'as the schema says');

    $ngx->stop;
    $hook->end;
    $sink->close;
}


# a link that cannot connect, then can, then ends with its stream

{
    my $hook = TSCast::Hook->new;
    my $sink = TSCast::Peer->new(keep => 1);
    my $gone = TSCast::Net::free_port();
    my $ngx = node($hook, '', links =>
                   "push live/cam http://127.0.0.1:$sink->{port}/x?k=secret"
                   . " reconnect=50ms;"
                   . "push live/* tcp://127.0.0.1:$gone reconnect=50ms;");
    my $p = publish($ngx, 'cam');

    ok($hook->wait_events(sub { of('link_down', @_) }), 'a link is down');

    my ($down) = of('link_down', $hook->events);

    is("$down->{stream} $down->{link}{url} $down->{link}{error}",
       "live/cam tcp://127.0.0.1:$gone connect() failed", 'which and why');

    TSCast::Net::until_true(5, sub {
        my ($l) = grep { $_->{url} =~ /^tcp/ }
                       @{TSCast::Status::get($ngx)->{links}};
        $l->{failures} > 3;
    });

    is(scalar of('link_down', $hook->events), 1, 'and no more of that');

    $p->finish->status;
    ok($hook->wait_events(sub { of('publisher_stop', @_) }), 'the end');
    unlike(join(' ', map { $_->{link}{url} // '' } $hook->events), qr/secret/,
           'no query is told');
    is(TSCast::Status::faults([$hook->events], 'event'), '',
       'as the schema says');

    $ngx->stop;
    $hook->end;
    $sink->close;
}


# a pull is handed over at a reload: the new worker comes first

{
    my $hook = TSCast::Hook->new;
    my $origin = TSCast::Nginx->new(workers => 1, tscast => 'zone live 16m;',
                                    server => $SERVER)->start;
    my $port = $origin->port;
    my $long = TSCast::TS->new(gop => 0.2, seconds => 0);
    my $p = TSCast::Publisher->new(port => $port, path => '/push/cam');

    my $send = sub {
        $p->send($long->take(0.1));
        select undef, undef, undef, 0.02;
    };

    $send->();
    $origin->wait_stream('/live/cam');

    my $ngx = node($hook, '', workers => 1, links =>
                   "pull live/cam http://127.0.0.1:$port/live/cam"
                   . ' reconnect=50ms;');

    ok($hook->wait_events(sub { $send->(); of('link_up', @_) }),
       'a pull is up');

    my ($slot) = map { $_->{link}{slot} } of('link_up', $hook->events);

    $ngx->reload(meanwhile => $send);

    ok($hook->wait_events(sub {
        $send->();
        of('link_up', @_) == 2 && of('publisher_stop', @_) == 1
            && grep { $_->{link}{slot} == $slot
                      && !defined $_->{link}{error} } of('link_down', @_);
    }, 10), 'another worker has it, and the first one has not');

    my @stream = grep { $_->{publisher} } $hook->events;

    is(join(' ', map { "$_->{event} $_->{publisher}{protocol}" }
                     sort { $a->{publisher}{id} <=> $b->{publisher}{id}
                            || $a->{event} cmp $b->{event} } @stream),
       'publisher_start link publisher_stop link publisher_start link',
       'two publishers, of which one has ended');

    # the worker in its place, in the same slot, has it after that

    $ngx->kill_worker($ngx->workers);

    ok($hook->wait_events(sub {
        $send->();
        of('link_up', @_) == 3 && grep { $_->{error} } of('link_down', @_);
    }, 10), 'a worker that is killed has it no more');

    is(join(' ', map { $_->{event} } (grep { $_->{link} }
                 sort { $a->{serial} <=> $b->{serial} } $hook->events)[-2, -1]),
       'link_down link_up', 'before the next one has');
    is(TSCast::Status::faults([$hook->events], 'event'), '',
       'as the schema says');

    $p->finish->status;
    $_->stop for $ngx, $origin;
    $hook->end;
}


# a zone is short of memory, and is not

{
    my $hook = TSCast::Hook->new;
    my $port = $hook->port;
    my $ngx = TSCast::Nginx->new(
        workers => 1, server => $SERVER,
        tscast => 'zone live 4m window=2s; '
                  . "notify http://127.0.0.1:$port/;")->start;

    my $much = TSCast::TS->new(gop => 0.4, seconds => 0, bitrate => 8_000_000);
    my @p = map {
        TSCast::Publisher->new(port => $ngx->port, path => "/push/cam$_")
    } 1 .. 3;

    ok($hook->wait_events(sub {
        my $bytes = $much->take(0.4);

        $_->send($bytes) for @p;
        of('alarm_raised', grep { $_->{zone} } @_);
    }), 'windows are shorter');

    $_->finish->status for @p;

    ok($hook->wait_events(sub { of('alarm_cleared', grep { $_->{zone} } @_) },
                          15), 'and are not');

    my @alarms = grep { $_->{zone} } $hook->events;

    is_deeply([map { ($_->{zone}, $_->{alarm}) } @alarms],
              [('live', { check => 'shortened', count => 1 }) x 2],
              'of that zone');
    is(TSCast::Status::faults([$hook->events], 'event'), '',
       'as the schema says');

    $ngx->stop;
    $hook->end;
}


# alarms

{
    my $hook = TSCast::Hook->new;
    my $ngx = node($hook, '', workers => 1);
    my $good = TSCast::TS->new(gop => 0.4, seconds => 60);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    my @packets = unpack '(a188)*', $good->take(1);
    my ($video) = grep { (unpack('x n', $packets[$_]) & 0x1fff) == 0x100 }
                       40 .. $#packets;

    splice @packets, $video, 1;

    $p->send(join '', @packets);

    ok($hook->wait_events(sub { of('alarm_raised', @_) }), 'an alarm');

    my ($alarm) = of('alarm_raised', $hook->events);
    my ($start) = of('publisher_start', $hook->events);

    is_deeply($alarm->{alarm}, { check => 'continuity_errors', count => 1,
                                 publisher => $start->{publisher}{id} },
              'by its check');

    ok($hook->wait_events(sub {
        $p->send($good->take(0.1));
        select undef, undef, undef, 0.05;
        of('alarm_cleared', @_);
    }, 15), 'it is cleared');

    my ($clear) = of('alarm_cleared', $hook->events);

    is_deeply($clear->{alarm}, $alarm->{alarm}, 'the same one');

    $p->finish->status;
    $ngx->stop;
    $hook->end;
}

done_testing;
