# Copyright (C) the tscast authors

use strict;
use warnings;

# Publishers and viewers that are dropped by control: on two workers, over a
# reload, a kill -9 and with a worker that is stopped.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $tcp = !TSCast::Nginx::missing_stream();
my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => "zone live 16m window=5s;\nzone other 4m;
               pull live/fetched http://127.0.0.1:1/x on_demand wait=60s;",
    main => $tcp ? <<'END_OF_CONF' : '',
        stream {
            server { listen 127.0.0.1:$PORT_1; tscast_ingest live/tcp; }
            server { listen 127.0.0.1:$PORT_2; tscast_play live/tcp; }
        }
END_OF_CONF
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/flv/(?<stream>.+)$ {
            tscast_play live/$stream format=flv;
        }
        location = /status { tscast_status; }
        location = /control { tscast_control; }
END_OF_CONF
)->start;


sub pump { return TSCast::Reader::pump(@_) }


sub drop {
    my ($what, $of, %opt) = @_;

    return TSCast::Control::command($ngx, DELETE => { $what => $of }, %opt);
}


sub viewer {
    my ($worker, $path, $how, %opt) = @_;

    return TSCast::Reader->$how(sock => $ngx->connect_to_worker($worker),
                                path => $path, %opt);
}


sub fed {
    my ($bytes, @viewers) = @_;

    return pump(5, sub { !grep { $_->{bytes} < $bytes } @viewers }, @viewers);
}


# what a status of one stream lists, by id

sub listed {
    my ($name) = @_;

    my $status = TSCast::Status::get($ngx, "?stream=$name");

    is(TSCast::Status::faults($status), '', 'a list as the schema says');

    return map { $_->{id} => $_ } @{$status->{streams}[0]{viewers}{list}};
}


# one viewer of four, by its id; the others get every byte

{
    my ($one, $two) = $ngx->workers;
    my $in = TSCast::bytes('seconds=2 gop=2');
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/cam');

    $p->send($in);
    $ngx->wait_stream('/live/cam');

    my @v = map {
        my $worker = $_;
        map { viewer($worker, '/live/cam', $_) } qw(http ws);
    } $one, $two;

    ok(fed(length($in) - 16384, @v), 'four viewers');

    my %list = listed('live/cam');

    is(join(' ', sort map { "$_->{address} $_->{protocol}" } values %list),
       join(' ', ('127.0.0.1 http') x 2, ('127.0.0.1 websocket') x 2),
       'all are listed');

    my %slot = map { $_->{pid} => $_->{slot} }
               @{TSCast::Status::get($ngx)->{workers}};

    is(join(' ', sort map { $_->{slot} } values %list),
       join(' ', sort map { $_ } (@slot{$one, $two}) x 2),
       'with the slots of their workers');

    # the WebSocket of the second worker

    my ($far) = grep {
        $_->{slot} == $slot{$two} && $_->{protocol} eq 'websocket'
    } values %list;

    my $a = drop(viewers => { stream => 'live/cam', id => $far->{id} },
                 worker => $one);

    is($a->{status}, 200, 'it is dropped from the other worker');
    is($a->{json}{viewers}, 1, 'it alone');
    ok(pump(5, sub { $v[3]{end} }, @v), 'and sees the end');
    is($v[3]{close}, 1008, 'of a policy');

    my %left = listed('live/cam');

    is(join(' ', sort keys %left),
       join(' ', sort grep { $_ != $far->{id} } keys %list),
       'the others are left');
    is(drop(viewers => { stream => 'live/cam', id => $far->{id} })->{status},
       404, 'nobody is dropped twice');

    my $s = TSCast::Status::until_stream($ngx, 'live/cam', sub {
        $_[0]{viewers}{now} == 3
    });

    is("$s->{viewers}{now} $s->{viewers}{evicted}", '3 1', 'it is counted');

    is($p->finish->status, 204, 'the publisher ends');
    ok(fed(length $in, @v[0 .. 2]), 'the others have it all');
    is(join(' ', map { $_->{body} eq $in ? 'same' : 'other' } @v[0 .. 2]),
       'same same same', 'byte for byte');
    $_->close for $p, @v;
}


# all viewers of a stream, of both renditions, but not of another stream; and
# those that come later stay

{
    my ($one, $two) = $ngx->workers;
    my $in = TSCast::bytes('seconds=2 gop=2');
    my @p = map {
        TSCast::Publisher->new(port => $ngx->port, path => "/push/$_");
    } qw(all rest);

    $_->send($in) for @p;
    $ngx->wait_stream("/live/$_") for qw(all rest);

    my @v = map {
        viewer($_, '/live/all', 'http'), viewer($_, '/live/all', 'ws'),
        viewer($_, '/flv/all', 'http', flv => 1)
    } $one, $two;
    my @rest = map { viewer($_, '/live/rest', 'ws') } $one, $two;

    ok(fed(10_000, @v, @rest), 'eight viewers');

    my $a = drop(viewers => { stream => 'live/all' });

    is($a->{status}, 200, 'those of a stream are dropped');
    is($a->{json}{viewers}, 6, 'six of them');
    ok(pump(5, sub { !grep { !$_->{end} } @v }, @v), 'they see the end');
    is(join(' ', map { $_->{end} } @v),
       join(' ', ('eof', 'complete', 'eof') x 2),
       'of an unfinished body, or of a WebSocket');

    my $late = viewer($two, '/live/all', 'ws');

    ok(fed(10_000, $late), 'who comes again gets in');
    is(drop(viewers => { stream => 'live/rest' })->{json}{viewers}, 2,
       'the viewers of another stream were left');
    ok(pump(5, sub { !grep { !$_->{end} } @rest }, @rest, $late),
       'and end when they are meant');
    ok(!$late->{end}, 'and they alone');

    $_->finish for @p;
    $_->close for @p, @v, @rest, $late;
}


# a publisher: its session ends, its name is free, its viewers go on

{
    my ($one, $two) = $ngx->workers;
    my $in = TSCast::bytes('seconds=2');
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/pub');

    $p->send($in);
    $ngx->wait_stream('/live/pub');

    my $v = viewer($two, '/live/pub', 'ws');

    ok(fed(10_000, $v), 'a viewer');
    is(drop(publisher => { stream => 'live/pub' }, worker => $two)->{status},
       204, 'the publisher is dropped');

    my $q = TSCast::Publisher->new(sock => $ngx->connect_to_worker($two),
                                   path => '/push/pub');

    $q->send(TSCast::bytes('seconds=2 serial=100000'));

    ok($p->closed_within(2), 'its connection is closed, though it is silent');
    ok(fed(length($in) + 10_000, $v), 'the viewer goes on with another');
    ok(!$v->{end}, 'and has seen no end');
    is($q->finish->status, 204, 'which ends as it should');
    is(drop(publisher => { stream => 'live/pub' })->{status}, 404,
       'then there is none to drop');
    like($ngx->error_log, qr{publisher of stream "live/pub" is dropped},
         'the log says so');

    $_->close for $p, $q, $v;
}


# after a reload: a publisher and a viewer of the old workers

{
    my ($one) = $ngx->workers;
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/old');

    $p->send(TSCast::bytes('seconds=2'));
    $ngx->wait_stream('/live/old');

    my $v = viewer($one, '/live/old', 'ws');

    ok(fed(10_000, $v), 'before a reload');
    $ngx->reload;

    my %list = listed('live/old');

    is(scalar(keys %list), 1, 'a viewer of an old worker is listed');

    my ($id) = keys %list;
    my $a = drop(viewers => { stream => 'live/old', id => 0 + $id });

    is("$a->{status} $a->{json}{viewers}", '200 1', 'and is dropped');
    ok(pump(5, sub { $v->{end} }, $v), 'and sees it');
    is(drop(publisher => { stream => 'live/old' })->{status}, 204,
       'so is a publisher');
    ok($p->closed_within(2), 'which sees it too');
    $_->close for $p, $v;

    ok(TSCast::Net::until_true(5, sub { !kill 0, $one }),
       'then the old worker has nothing more to do');
}


# a worker that is stopped does what it was told when it goes on; one that is
# killed is not waited for

{
    my ($one, $two) = $ngx->workers;
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                                   path => '/push/late');

    $p->send(TSCast::bytes('seconds=2'));
    $ngx->wait_stream('/live/late');

    my @v = map { viewer($_, '/live/late', 'ws') } $one, $two;

    ok(fed(10_000, @v), 'a viewer on each worker');

    $ngx->stop_worker($two);

    my $status = TSCast::Control::command($ngx, GET => '', worker => $one,
                                          path => '/status?stream=live/late');
    my $seen = $status->{json}{streams}[0]{viewers};

    is(scalar(@{$seen->{list}}), 1, 'one that is stopped tells nothing');
    is($seen->{silent_workers}, 1, 'which is told');

    is(TSCast::Control::told($ngx, DELETE =>
                                 { viewers => { stream => 'live/late' } },
                             worker => $one),
       '504 1 viewers are dropped, 1 workers have not answered yet',
       'and drops nobody yet');
    ok(pump(5, sub { $v[0]{end} }, $v[0]), 'the other one does');

    $ngx->cont_worker($two);
    ok(pump(5, sub { $v[1]{end} }, $v[1]), 'it does when it goes on');

    my $again = viewer($two, '/live/late', 'ws');

    ok(fed(10_000, $again), 'a viewer again');
    $ngx->stop_worker($two);

    my $r = TSCast::Control::ask($ngx, DELETE =>
                                     { viewers => { stream => 'live/late' } },
                                 worker => $one);

    $ngx->kill_worker($two);

    my $a = TSCast::Control::answer($r);

    is("$a->{status} $a->{json}{viewers}", '200 0',
       'who was killed is not missed');
    is(drop(publisher => { stream => 'live/late' })->{status}, 204,
       'a publisher beside it');
    $_->close for $p, $again, @v;
}


# a viewer that waits for what a link is to fetch

{
    my ($one, $two) = $ngx->workers;
    my $v = viewer($two, '/live/fetched', 'http');

    ok(TSCast::Net::until_true(5, sub {
        my $s = TSCast::Status::stream($ngx, 'live/fetched');
        return $s && $s->{viewers}{now};
    }), 'a viewer waits');

    my $a = drop(viewers => { stream => 'live/fetched' }, worker => $one);

    is("$a->{status} $a->{json}{viewers}", '200 1', 'it is dropped');
    ok($v->wait_end(5), 'and waits no longer');
    is($v->{status}, 404, 'but is answered');
    $v->close;
}


# over TCP

SKIP: {
    skip 'no stream module', 7 if !$tcp;

    my $in = TSCast::bytes('seconds=2');
    my $sock = TSCast::Net::dial($ngx->other_port(1));

    TSCast::Net::put($sock, $in, 5);
    $ngx->wait_stream('/live/tcp');

    my $v = TSCast::Reader->raw(port => $ngx->other_port(2));

    ok(fed(10_000, $v), 'a viewer over TCP');

    my %list = listed('live/tcp');

    is(join(' ', map { $_->{protocol} } values %list), 'tcp', 'is listed');
    is(drop(viewers => { stream => 'live/tcp' })->{json}{viewers}, 1,
       'and dropped');
    ok(pump(5, sub { $v->{end} }, $v), 'its connection ends');
    is(drop(publisher => { stream => 'live/tcp' })->{status}, 204,
       'so is a publisher');
    ok(TSCast::Net::until_true(5, sub {
        my $n = sysread $sock, my $buf, 1;
        return defined $n && $n == 0;
    }), 'and its connection ends');
    $_->close for $sock, $v;
}


# what is no command

for my $row (
    ['', 400, qr/'\[' or '\{' expected/],
    ['{', 400, qr/line 1/],
    ["\x00", 400, qr/expected/],
    ["{\"viewers\":{\"stream\":\"live/\xff\"}}", 400,
     qr/unable to decode byte 0xff/],
    ['[]', 400, qr/Expected object, got array/],
    ['{}', 400, qr/one of "publisher"/],
    ['"viewers"', 400, qr/'\[' or '\{' expected/],
    ['{"viewers":{"stream":"live/cam"},"viewers":{"stream":"live/cam"}}', 400,
     qr/duplicate/],
    ['{"viewers":{"stream":"live/cam"},"publisher":{"stream":"live/cam"}}',
     400, qr/one of/],
    ['{"viewer":{"stream":"live/cam"}}', 400, qr/viewer/],
    ['{"viewers":{"stream":"live/cam","ip":1}}', 400, qr/ip/],
    ['{"viewers":{"stream":"live/cam","id":"1"}}', 400, qr/integer/],
    ['{"viewers":{"stream":"live/cam","id":1.5}}', 400, qr/integer/],
    ['{"viewers":{"stream":"live/cam","id":1e99}}', 400, qr/integer/],
    ['{"viewers":{"stream":7}}', 400, qr/string/],
    ['{"viewers":{}}', 400, qr/stream/],
    ['{"viewers":[]}', 400, qr/object/],
    ['{"publisher":{"stream":"live/cam","id":1}}', 400, qr/id/],
    ['[' x 60_000, 400, qr/depth/],
    ['{"viewers":{"stream":"live/cam","id":0}}', 404, qr/no/],
    ['{"viewers":{"stream":"live/cam","id":-1}}', 404, qr/no/],
    ['{"viewers":{"stream":"live/none"}}', 404, qr/no/],
    ['{"viewers":{"stream":"none/cam"}}', 404, qr/no/],
    ['{"viewers":{"stream":"cam"}}', 404, qr/no/],
    ['{"viewers":{"stream":"/"}}', 404, qr/no/],
    ['{"viewers":{"stream":"live/../cam"}}', 404, qr/no/],
    ['{"publisher":{"stream":"live/none"}}', 404, qr/no publisher/],
    ['{"publisher":{"stream":"live/' . 'n' x 200 . '"}}', 404, qr/no/],
    [' ' x 65_537, 400, qr/65536/],
    ['{' . ' ' x 65_535, 400, qr/line/],
) {
    my ($body, $status, $why) = @$row;
    my $a = TSCast::Control::command($ngx, DELETE => $body);
    my $name = substr $body, 0, 60;

    $name =~ s/[^ -~]/?/g;

    is($a->{status}, $status, "$status: $name");
    like($a->{json}{error} // '', $why, 'and why');
    is($a->{h}{'content-type'}, 'application/json', 'as JSON');
}

my $ok = '{"viewers":{"stream":"live/none"}}';

is(TSCast::Control::told($ngx, DELETE => $ok, type => $_),
   '415 not application/json', "415: $_")
    for '', 'text/plain', 'application/x-www-form-urlencoded',
        'application/jsonp';
is(TSCast::Control::command($ngx, DELETE => $ok, type => $_)->{status}, 404,
   "JSON: $_") for 'application/json; charset=utf-8', 'Application/JSON';

for my $method (qw(GET PUT PATCH OPTIONS)) {
    my $a = TSCast::Control::command($ngx, $method => $ok);

    is("$a->{status} $a->{h}{allow}", '405 POST, DELETE', "405: $method");
}

$ngx->stop;

done_testing;
