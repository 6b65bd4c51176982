# Copyright (C) the tscast authors

use strict;
use warnings;

# Links that are added, changed and removed at run time: on all workers, over
# a reload and a kill -9, with every byte at the far end.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $conf = TSCast::Net::free_port();
my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => "zone live 16m window=30s;\nzone other 4m;
               push other/x tcp://127.0.0.1:$conf;",
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest;
        }
        location = /status { tscast_status; }
        location = /control { tscast_control; }
END_OF_CONF
)->start;


sub pump { return TSCast::Reader::pump(@_) }


sub add {
    my ($kind, $stream, $url, @params) = @_;

    return { link => {
        kind => $kind, stream => $stream, url => $url,
        @params ? (parameters => \@params) : (),
    } };
}


sub command { return TSCast::Control::command($ngx, @_) }
sub told { return TSCast::Control::told($ngx, @_) }


sub status {
    my $status = TSCast::Status::get($ngx);

    is(TSCast::Status::faults($status), '', 'a status as the schema says');

    return $status;
}


# links of the run time that are configured: "id kind stream url"

sub configured {
    return join ', ', map { "$_->{id} $_->{kind} $_->{stream} $_->{url}" }
                      grep { $_->{source} eq 'control' }
                      @{status()->{configured_links}};
}


# a push, from its beginning to its end

{
    my ($one, $two) = $ngx->workers;
    my ($sink, $next) = map { TSCast::Peer->new(keep => 1) } 1 .. 2;
    my ($url, $other) = map { "tcp://127.0.0.1:$_->{port}" } $sink, $next;
    my $ts = TSCast::TS->new(seconds => 0, gop => 60);
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/cam');
    my $in = $ts->take(2);

    $p->send($in);
    $ngx->wait_stream('/live/cam');

    my $a = command(POST => add('push', 'live/*', $url), worker => $two);

    is($a->{status}, 201, 'a push is added on the other worker');

    my $id = $a->{json}{link}{id};

    ok(pump(5, sub { length $sink->body >= length $in }, $sink),
       'it runs at once');
    ok($sink->body eq $in, 'every byte of the stream is there');
    is(configured(), "$id push live/* $url", 'a status names it');

    my $status = status();
    my ($link) = @{$status->{links}};

    is("$link->{id} $link->{source} $link->{stream} $link->{state}",
       "$id control live/cam running", 'and the link that it has made');
    is(join(' ', map { $_->{source} } @{$status->{configured_links}}),
       'nginx.conf control', 'beside the one of nginx.conf');

    is(told(POST => add('push', 'live/*', $url)), '409 there is such a link',
       'it is added once');
    is(told(POST => add('push', 'other/x', "tcp://127.0.0.1:$conf")),
       '409 there is such a link', 'so is the one of nginx.conf');
    is(told(DELETE => add('push', 'other/x', "tcp://127.0.0.1:$conf")),
       '409 this link is in nginx.conf and stays', 'which cannot be removed');

    # changed: another address, from a worker that does not run it

    $a = command(POST => { link => { id => $id, url => $other } },
                 worker => $two);
    is("$a->{status} $a->{json}{link}{id}", "200 $id", 'it is changed');

    my $more = $ts->take(1);

    ok(pump(5, sub { $next->open && !$sink->open }, $sink, $next),
       'and leads elsewhere');
    $p->send($more);
    ok(pump(5, sub { length $next->body >= length "$in$more" }, $sink, $next),
       'with all of the stream');
    ok($next->body eq "$in$more", 'byte for byte');
    ok($sink->body eq $in, 'nothing more goes to where it was');
    is(configured(), "$id push live/* $other", 'a status knows');

    # over a reload and two kills: it goes on, once

    $ngx->reload;
    is(configured(), "$id push live/* $other", 'it is there after a reload');

    my $last = $ts->take(1);

    $p->send($last);
    ok(pump(8, sub { length $next->body >= length "$in$more$last" }, $next),
       'it goes on');
    ok($next->first->{check}->opens_well, 'as it began');
    is($p->finish->status, 204, 'the publisher ends');
    ok(pump(8, sub { !$next->open }, $next), 'and with it the push');

    for my $worker ($ngx->workers) {
        $ngx->kill_worker($worker);
    }

    is(configured(), "$id push live/* $other",
       'it is there with none of the workers that knew of it');

    my $from = length $next->body;
    my $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam2');

    $q->send($in);
    ok(pump(8, sub { length $next->body >= $from + length $in }, $next),
       'new ones run it');
    ok(substr($next->body, $from) eq $in, 'byte for byte');

    is(told(DELETE => { link => { id => $id } }), '204', 'it is removed');
    ok(pump(5, sub { !$next->open }, $next), 'and ends');
    is(configured(), '', 'there is none any more');
    is(join(' ', map { $_->{url} } @{status()->{links}}), '',
       'nor a trace of it');

    $q->send($ts->take(0.2));
    is(told(DELETE => { link => { id => $id } }), '404 there is no such link',
       'it is removed once');
    is(scalar(@{$next->{accepted}}), scalar(grep { $_->{end} }
                                            @{$next->{accepted}}),
       'and does not come back');

    $_->close for $p, $q, $sink, $next;
}


# a pull, on the worker that happens to take it

{
    my ($origin, $other) = map { TSCast::Peer->new } 1 .. 2;
    my ($url, $next) = map { "tcp://127.0.0.1:$_->{port}" } $origin, $other;
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my @v;
    my $feed = sub {
        my $bytes = $ts->take(0.04);
        $_->live($bytes) for $origin, $other;
        pump(0.01, sub { 0 }, $origin, $other, @v);
    };
    my $until = sub {
        my ($done) = @_;
        return TSCast::Net::until_true(10, sub { $feed->(); $done->() });
    };

    my $a = command(POST => add('pull', 'live/in', $url, 'timeout=5s'));
    my $id = $a->{json}{link}{id};

    is($a->{status}, 201, 'a pull is added');
    ok($until->(sub { $origin->open }), 'it connects');
    $ngx->wait_stream('/live/in');

    @v = map {
        TSCast::Reader->http(sock => $ngx->connect_to_worker($_),
                             path => '/live/in', version => '1.0')
    } $ngx->workers;

    my $fed = sub { return !grep { $_->{bytes} < $_[0] } @v };

    ok($until->(sub { $fed->(50_000) }), 'viewers on both workers have it');

    my $owner = $ngx->worker_of($origin->last->{sock});
    my ($v) = grep { $ngx->worker_of($_->{sock}) != $owner } @v;

    $ngx->kill_worker($owner);

    @v = ($v);

    my $before = $v->{bytes};

    ok($until->(sub { $origin->open == 1 && $v->{bytes} > $before + 50_000 }),
       'its worker is killed, another takes it up');
    is($v->faults(missing => 1, doubled => 1), '', 'without a fault');

    # changed on the fly, and removed

    is(told(POST => { link => { id => $id, url => $next } }), '200',
       'it is changed');

    $before = $v->{bytes};

    ok($until->(sub {
        !$origin->open && $other->open == 1 && $v->{bytes} > $before + 50_000
    }), 'and pulls from elsewhere');

    my ($configured) = grep { $_->{source} eq 'control' }
                       @{status()->{configured_links}};

    is($configured->{url}, $next, 'which a status knows');
    is(told(DELETE => add('pull', 'live/in', $next)), '204',
       'it is removed by what it is');
    ok($until->(sub { !$other->open }), 'and ends');

    $_->close for $origin, $other, @v;
}


# removed while an old worker still has it

{
    my $sink = TSCast::Peer->new;
    my $ts = TSCast::TS->new(seconds => 0, gop => 60);
    my ($one) = $ngx->workers;
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/keep');

    $p->send($ts->take(1));

    my $a = command(POST => add('push', 'live/keep',
                                "tcp://127.0.0.1:$sink->{port}"));

    ok(pump(5, sub { $sink->open }, $sink), 'a push');

    # it would stay on the old worker up to the next key frame

    $ngx->reload;
    pump(0.3, sub { 0 }, $sink);
    is(told(DELETE => { link => $a->{json}{link} }), '204',
       'is removed after a reload');
    ok(pump(5, sub { !$sink->open }, $sink), 'and ends');

    $p->finish;
    $_->close for $p, $sink;
}


# what is no link

my $port = TSCast::Net::free_port();
my $url = "tcp://127.0.0.1:$port";

for my $row (
    [add('push', 'live/x', 'tcp://127.0.0.1'), qr/no port in URL/],
    [add('push', 'live/x', 'tcp://127.0.0.1:99999'), qr/invalid URL/],
    [add('push', 'live/x', 'gopher://127.0.0.1:1'), qr/unknown scheme/],
    [add('push', 'live/x', "tcp://nowhere.test:$port"), qr/no resolver/],
    [add('push', 'live/x', "tcp://127.0.0.1:$port/path"), qr/no path/],
    [add('push', 'live/x', ''), qr/none that a link can have/],
    [add('push', 'live/x', "$url\nerror"), qr/none that a link can have/],
    [add('push', 'live/', $url), qr/unknown zone/],
    [add('push', 'live', $url), qr/unknown zone/],
    [add('push', 'none/x', $url), qr/unknown zone/],
    [add('push', 'live/a b', $url), qr/invalid stream name/],
    [add('push', 'live/*x', $url), qr/invalid stream name/],
    [add('pull', 'live/*', $url), qr/of one stream/],
    [add('pull', 'live/*', "http://127.0.0.1:$port/\$name"), qr/on_demand/],
    [add('move', 'live/x', $url), qr/neither push nor pull/],
    [add('push', 'live/x', $url, 'speed=9'), qr/invalid parameter/],
    [add('push', 'live/x', $url, 'timeout=never'), qr/invalid parameter/],
    [add('push', 'live/x', "https://127.0.0.1:$port/",
         'ssl_certificate=/etc/passwd', 'ssl_certificate_key=/etc/passwd'),
     qr/none that a link can have/],
    [add('push', 'live/x', "http://127.0.0.1:$port/", 'balance=hash'),
     qr/needs an upstream/],
    [add('push', 'live/x', $url, ('timeout=1s') x 40),
     qr/none that a link can have/],
    [add('push', 'live/x', $url, 'x' x 9000), qr/more than 8192/],
    [{ link => { kind => 'push', stream => 'live/x' } }, qr/"url" is missing/],
    [{ link => { url => $url, stream => 'live/x' } }, qr/"kind" is missing/],
    [{ link => { kind => 'push', url => $url } }, qr/"stream" is missing/],
    [{ link => { %{add('push', 'live/x', $url)->{link}}, more => 1 } },
     qr/more/],
    [{ link => { %{add('push', 'live/x', $url)->{link}}, parameters => 'x' } },
     qr/array of strings/],
    [{ link => { %{add('push', 'live/x', $url)->{link}}, parameters => [1] } },
     qr/array of strings/],
    [{ link => [] }, qr/object/],
    [{ link => { id => 'one' } }, qr/integer/],
    [{ links => {} }, qr/link/],
    [{}, qr/link/],
    ['{"link":{"kind":"push","stream":"live/x","url":"a\u0000b"}}', qr/NUL/],
) {
    my ($body, $why) = @$row;
    my $a = command(POST => $body);

    is($a->{status}, 400, "400: $why");
    like($a->{json}{error} // '', $why, 'and why');
}

is(command(POST => { link => { id => $_, url => $url } })->{status}, 404,
   "there is no link $_") for -1, 0, 9_999_999;
is(command(DELETE => { link => { id => $_ } })->{status}, 404,
   "nor is it removed") for -1, 0, 9_999_999;
is(command(DELETE => add('push', 'live/x', $url))->{status}, 404,
   'nor one that is not there');
is(configured(), '', 'nothing of it was kept');

# what feeds itself; and a change may be what it was

{
    my $group = TSCast::Net::free_port();
    my $a = command(POST => add('pull', 'live/loop', "udp://127.0.0.1:$group"));

    is($a->{status}, 201, 'a pull of datagrams');
    like(told(POST => add('push', 'live/*', "udp://127.0.0.1:$group")),
         qr/^400 .*feeds/, 'which a push may not feed');
    is(told(POST => { link => $a->{json}{link} }), '200',
       'a change to what it is');
    is(told(DELETE => { link => $a->{json}{link} }), '204', 'it is removed');
}

$ngx->stop;


# no room in the zone: told, and over when there is some again

{
    my $full = TSCast::Nginx->new(
        workers => 2, tscast => 'zone live 1m;',
        server => 'location = /status { tscast_status; }
                   location = /control { tscast_control; }',
    )->start;

    my ($a, @ids);

    for my $i (1 .. 200) {
        $a = TSCast::Control::command(
            $full, POST => add('push', "live/x$i", "http://127.0.0.1:$port/",
                               'header=X: ' . 'x' x 7000));
        last if $a->{status} != 201;
        push @ids, $a->{json}{link}{id};
    }

    is($a->{status}, 507, 'a zone that is full');
    like($a->{json}{error}, qr/zone is full/, 'says so');
    cmp_ok(scalar(@ids), '>', 10, 'after some links');
    is(scalar(@{TSCast::Status::get($full)->{configured_links}}),
       scalar(@ids), 'which are all there');

    is(TSCast::Control::told($full, DELETE => { link => { id => $ids[0] } }),
       '204', 'one is removed');
    is(TSCast::Control::told($full, POST => add('push', 'live/y', $url)),
       '201', 'and another finds room');

    $full->stop;
}

done_testing;
