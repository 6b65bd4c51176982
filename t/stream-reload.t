# Copyright (C) the tscast authors

use strict;
use warnings;

# The doors in stream {} with two workers: a reload and a kill in the middle.
# Over TCP nothing is lost by a reload; over UDP new workers take a sender over
# and never give it back, and viewers go on well formed.

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Handle;
use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m;',
    events => 'multi_accept on;',
    main => <<'END_OF_CONF',
stream {
    server { listen 127.0.0.1:$PORT_1; tscast_ingest live/tcp; }
    server {
        listen 127.0.0.1:$PORT_2 udp reuseport;
        tscast_ingest live/udp timeout=2s;
    }
    server { listen 127.0.0.1:$PORT_3; tscast_play live/tcp; }
    server { listen 127.0.0.1:$PORT_4; tscast_play live/udp; }
    server { listen 127.0.0.1:$PORT_5; tscast_play live/tcp start=oldest; }
}
END_OF_CONF
)->start;

my $udp = 0;
my $published = qr/stream "live\/udp" is published/;

my %port = map { $_ => $ngx->other_port($_) } 1 .. 5;


# a viewer by each of the workers

sub viewers {
    my ($n) = @_;

    return map {
        TSCast::Reader->raw(sock => $ngx->connect_to_worker($_,
                                                   port => $port{$n}))
    } $ngx->workers;
}


sub all_go_on {
    my ($name, $more, @viewers) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @before = map { $_->{bytes} } @viewers;

    ok(TSCast::Reader::pump(10, sub {
        !grep { $viewers[$_]{bytes} < $before[$_] + $more } 0 .. $#viewers
    }, @viewers), $name) or diag $ngx->error_log;
}


# sends in real time, in a process of its own, until the handle is closed

sub paced {
    my ($code) = @_;

    pipe my $read, my $stop or die $!;

    my $pid = TSCast::Publisher::background(sub {
        close $stop;

        until (TSCast::Net::ready($read, IO::Poll::POLLIN(), 0.02)) {
            $code->() or die "nginx takes no more\n";
        }
    });

    close $read;

    return ($stop, $pid);
}


sub end {
    my ($stop, $pid) = @_;

    close $stop;

    return TSCast::Publisher::wait_for($pid);
}


# of viewers that may be in the middle of a packet; what both generations read
# is as if the network had lost it

sub faults {
    my (@viewers) = @_;

    return join ' ', grep { $_ ne '' }
           map { $_->faults(missing => 1, cc => $udp)
                     =~ s/^\d+ bytes of a broken packet(, )?//r } @viewers;
}


# the worker's pid of each such line, in order

sub who {
    my ($re) = @_;

    return $ngx->error_log =~ /\[\w+\] (\d+)#\d+: \*\d+ $re/g;
}


# TCP: the publisher stays on its worker, which stays for it

{
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 2_000_000);
    my ($first) = $ngx->workers;
    my $sock = $ngx->connect_to_worker($first, port => $port{1});
    my $sent = '';
    my $file = $ngx->prefix . '/sent';

    open my $out, '>', $file or die $!;
    binmode $out;
    $out->autoflush(1);

    my ($stop, $pid) = paced(sub {
        my $bytes = $ts->take(0.04);

        print $out $bytes;

        return TSCast::Net::put($sock, $bytes);
    });

    ok($ngx->wait_log(qr/"live\/tcp" is published/), 'TCP: published');

    my @old = viewers(3);
    my ($all) = viewers(5);

    all_go_on('TCP: viewers on both workers', 50_000, @old, $all);

    $ngx->reload;
    ok(!(grep { $_ == $first } $ngx->workers), 'TCP: new workers');
    ok((grep { $_ == $first } $ngx->workers(all => 1)),
       'TCP: the one with the publisher stays');

    my @new = viewers(3);

    all_go_on('TCP: viewers old and new', 100_000, @old, $all, @new);

    is(end($stop, $pid), 0, 'TCP: the publisher ran through');
    close $out;
    close $sock;

    ok($ngx->wait_log(qr/"live\/tcp" has ended: \d+ bytes, 0 dropped, 0 lost/),
       'TCP: it has ended');

    my $wanted = -s $file;

    ok($all->wait_bytes($wanted), 'TCP: all has come to one from the start');

    open my $in, '<', $file or die $!;
    binmode $in;
    ok(do { local $/; <$in> } eq $all->{body}, 'TCP: byte for byte');

    is(faults(@old, @new), '', 'TCP: no faults');
    is(scalar(grep { $_->{check}{missing} } @old, @new), 0,
       'TCP: nothing is missing');

    # what is left is the viewers' own linger

    $_->close for @old, @new, $all;

    ok(TSCast::Net::until_true(10, sub { $ngx->workers(all => 1) == 2 }),
       'TCP: the old workers leave');
}

# TCP: the publisher's worker is killed, and it comes back

{
    my ($first, $second) = $ngx->workers;
    my $ts = TSCast::TS->new(seconds => 4, gop => 0.4);
    my $sock = $ngx->connect_to_worker($first, port => $port{1});

    TSCast::Net::put($sock, $ts->take(2));

    # the former one is still there

    ok($ngx->wait_log(qr/"live\/tcp" has ended.*"live\/tcp" is published/s),
       'kill, TCP: published');

    my $v = TSCast::Reader->raw(sock => $ngx->connect_to_worker($second,
                                                   port => $port{3}));

    all_go_on('kill, TCP: a viewer on the other worker', 188, $v);

    $ngx->kill_worker($first);
    is(TSCast::Net::get($sock) // 'nothing', '',
       'kill, TCP: the connection is lost');

    $sock = TSCast::Net::dial($port{1});
    TSCast::Net::put($sock, $ts->take(2));

    all_go_on('kill, TCP: the viewer goes on', 50_000, $v);
    is(faults($v), '', 'kill, TCP: without faults');
    is($v->{check}{discontinuities}, 1, 'kill, TCP: it was told');
    ok($v->{check}->opens_well, 'kill, TCP: tables and a key frame first');

    $v->close;
    close $sock;
}

# UDP: one sender, all of whose datagrams go to one worker of a generation

{
    $udp = 1;

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 2_000_000);
    my $u = TSCast::Datagrams->new(port => $port{2}, size => 1472);

    my ($stop, $pid) = paced(sub { $u->send($ts->take(0.04)) });

    ok($ngx->wait_log($published), 'UDP: published');

    my @old = viewers(4);

    all_go_on('UDP: viewers on both workers', 50_000, @old);

    my @former = $ngx->workers;
    my @before = who($published);

    for my $round (1 .. 2) {
        $ngx->reload;

        my @new = viewers(4);

        push @old, @new;
        all_go_on("UDP, reload $round: viewers old and new", 100_000, @old);
    }

    my %late = map { $_ => 1 } $ngx->workers;
    my @who = who($published);

    splice @who, 0, scalar @before;

    is(scalar @who, 2, 'UDP: each generation has taken it over once');
    ok($late{$who[1]}, 'UDP: the newest has it');
    is(() = $ngx->error_log =~ /has a publisher/g, 0,
       'UDP: nobody was refused');

    is(faults(@old), '', 'UDP: without faults but what is missing');
    is(scalar(grep { !$_->{check}->opens_well } @old), 0,
       'UDP: tables and a key frame wherever it begins');

    # the worker that hears the sender is killed

    my ($mine) = $who[1];
    my ($other) = grep { $_ != $mine } $ngx->workers;

    $_->close for @old;

    my $v = TSCast::Reader->raw(sock => $ngx->connect_to_worker($other,
                                                   port => $port{4}));

    all_go_on('kill, UDP: a viewer on the other worker', 50_000, $v);

    $ngx->kill_worker($mine);

    all_go_on('kill, UDP: the viewer goes on', 100_000, $v);
    isnt((who($published))[-1], $mine, 'kill, UDP: another has the sender');
    is(faults($v), '', 'kill, UDP: without faults');

    is(end($stop, $pid), 0, 'UDP: the sender ran through');
    $v->close;
    $u->close;
}

ok(TSCast::Net::until_true(10, sub { $ngx->workers(all => 1) == 2 }),
   'the old workers leave');

$ngx->stop;
done_testing;
