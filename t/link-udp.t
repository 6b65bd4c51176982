# Copyright (C) the tscast authors

use strict;
use warnings;

# Links over UDP: byte for byte where nothing is lost, whole packets where
# something is, and nobody is harmed by who does not listen or does not send.
#
# TSCAST_LONG=1: twenty seconds of 20 Mbit/s instead of one.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $LONG = $ENV{TSCAST_LONG} ? 20 : 1;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=5s; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


# sends in real time until $until is true

sub in_real_time {
    my ($ts, $send, $seconds, $until, @readers) = @_;

    my $start = time - $ts->clock;

    return pump($seconds, sub {
        $send->($ts->frame) while $ts->clock < time - $start;
        $until->();
    }, @readers);
}


sub viewer {
    my ($ngx, $path, $meanwhile) = @_;

    my $v;

    TSCast::Net::until_true(10, sub {
        $meanwhile->();

        $v = TSCast::Reader->http(port => $ngx->port, path => $path,
                                  version => '1.0');
        $v->wait_head(2);

        return 1 if $v->{status} == 200;

        $v->close;

        return 0;
    }) or die "$path does not play\n";

    return $v;
}


# push: 20 Mbit/s byte for byte, of the sizes that are asked for, paced or not

for my $how (['', 1316], ['?pkt_size=1500', 1316], ['?pkt_size=188', 188],
             ['?pace=pcr', 1316], ['?pkt_size=40000', 39_856])
{
    my ($query, $size) = @$how;

    my $sink = TSCast::UDP->new(check => 0);
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 64m window=10s;'
                  . "push live/cam udp://127.0.0.1:$sink->{port}$query;",
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => $query eq '' ? $LONG : 1, gop => 60,
                             bitrate => 20_000_000);
    my @frames;

    while (defined(my $frame = $ts->frame)) {
        push @frames, $frame;
    }

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $n = 0;
    my $start = time;

    # frame by frame, since the push begins with the newest key frame

    while (@frames) {
        pump(1, sub { time >= $start + $n / 25 }, $sink);
        $p->send(shift @frames);
        $n++;
    }

    is($p->finish->status, 204, "push$query: the publisher ends");

    my $in = TSCast::TS->new(seconds => $n / 25, gop => 60,
                             bitrate => 20_000_000)->all;

    pump(5, sub { $sink->{bytes} >= length $in }, $sink);

    ok($sink->{body} eq $in, 'every byte arrives, and none twice');
    is(scalar keys %{$sink->{senders}}, 1, 'from one sender');
    is((sort { $b <=> $a } keys %{$sink->{sizes}})[0], $size,
       'in datagrams of that size');
    is(scalar(grep { $_ % 188 } keys %{$sink->{sizes}}), 0,
       'of whole packets');

    $_->close for $p, $sink;
    $ngx->stop;
}


# pace=pcr: what comes at once leaves bit by bit; the target sees the datagrams
# of a burst at several times, and without pacing at one

{
    my @sinks = map { TSCast::UDP->new } 0, 1;
    my $ngx = TSCast::Nginx->new(
        tscast => join("\n", 'zone live 64m;', map {
            "push live/cam udp://127.0.0.1:$sinks[$_]{port}"
            . ($_ ? '?pace=pcr;' : ';') } 0, 1),
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 10, gop => 60, bitrate => 4_000_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    $p->send($ts->take(0.2));

    # half of the first sink's bytes are here before as many of the second's

    ok(pump(5, sub { $sinks[0]{bytes} >= 90_000 }, @sinks), 'a burst leaves');
    cmp_ok($sinks[1]{bytes}, '<', $sinks[0]{bytes}, 'the paced one later');

    my $burst = $sinks[0]{bytes};
    my %seen;

    ok(pump(5, sub {
        $seen{$sinks[1]{bytes}} = 1;
        $sinks[1]{bytes} >= $burst;
    }, @sinks), 'but all of it');
    cmp_ok(scalar keys %seen, '>', 3, 'and little by little');

    is($sinks[1]{check}->faults, '', 'in good order');

    my $full = $sinks[1]{sizes}{1316};

    cmp_ok($sinks[1]{datagrams} - $full, '<=', 2,
           'in full datagrams, but for the tables and the last');

    $_->close for $p, @sinks;
    $ngx->stop;
}


# more than can be kept for pacing: what makes room leaves before its time, and
# the rest goes on

{
    my $sink = TSCast::UDP->new(keep => 0);
    my $ngx = TSCast::Nginx->new(
        tscast => "zone live 64m;
                   push live/cam udp://127.0.0.1:$sink->{port}?pace=pcr;",
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 60, bitrate => 80_000_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    $p->send($ts->take(0.6)) for 1 .. 3;

    ok(pump(10, sub { ($sink->{check}{high} // 0) >= $ts->{serial} - 1 },
            $sink), 'all of a burst that is too large leaves');

    $p->send($ts->take(0.1));

    ok(pump(10, sub { $sink->{check}{high} >= $ts->{serial} - 1 }, $sink),
       'and what comes after it');

    $_->close for $p, $sink;
    $ngx->stop;
}


# a target that is not there, in many of ours: counted, and not fatal; when it
# comes it gets what there is

{
    my $sink = TSCast::UDP->new;
    my $port = $sink->{port};

    $sink->close;

    my $other = TSCast::UDP->new;
    my $ngx = TSCast::Nginx->new(
        tscast => 'zone live 16m;'
                  . "push live/cam udp://127.0.0.1:$port;"
                  . "push live/cam udp://127.0.0.1:$other->{port};",
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 2_000_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $send = sub { $p->send(shift) };

    ok(in_real_time($ts, $send, 5, sub { $other->{bytes} > 200_000 }, $other),
       'the other target has the stream');

    $sink = TSCast::UDP->new(port => $port);

    ok(in_real_time($ts, $send, 5, sub { $sink->{bytes} > 200_000 },
                    $sink, $other),
       'and so has the one that was refused, as soon as it is there');

    is($sink->{check}->faults, '', 'without a fault');
    is($other->{check}->faults, '', 'as the other');
    unlike($ngx->error_log, qr/link is down|loses/, 'no link was down');

    $_->close for $p, $sink, $other;
    $ngx->stop;
}


# over a reload the next worker goes on where the former has stopped: not a
# packet is lost, and after a kill -9 there is one again

for my $query ('', '?pace=pcr') {
    my $sink = TSCast::UDP->new(check => 0);
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 32m window=10s;'
                  . "push live/cam udp://127.0.0.1:$sink->{port}$query;",
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 2_000_000);
    my $in = '';

    # by a worker that stays when the links leave

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $send = sub { $in .= $_[0]; $p->send($_[0]) };
    my $start = time;

    my $feed = sub {
        $send->($ts->frame) while $ts->clock < time - $start;
        pump(0.01, sub { 0 }, $sink);
    };

    ok(TSCast::Net::until_true(5, sub { $feed->(); $sink->{bytes} > 50_000 }),
       "push$query: it runs");

    for my $round (1 .. 3) {
        my $senders = keys %{$sink->{senders}};

        $ngx->reload(meanwhile => $feed);

        ok(TSCast::Net::until_true(5, sub {
            $feed->();
            keys %{$sink->{senders}} > $senders;
        }), "reload $round: another worker sends");

        my $bytes = length $in;

        ok(TSCast::Net::until_true(5, sub {
            $feed->();
            $sink->{bytes} >= $bytes;
        }), 'and goes on');
    }

    my $from = index $in, substr $sink->{body}, 0, 188 * 20;

    ok($from >= 0, 'the beginning is known');
    ok(substr($in, $from, $sink->{bytes}) eq $sink->{body},
       'every byte over three reloads, and none twice');

    # who sends now?

    my %before = %{$sink->{senders}};

    $feed->() for 1 .. 20;

    my @now = grep { $sink->{senders}{$_} > ($before{$_} // 0) }
              keys %{$sink->{senders}};

    is(scalar @now, 1, 'one sender is left');

    my $pid = holder($ngx, udp_inode($now[0]));

    ok($pid, 'which is one of the new workers');
    $ngx->kill_worker($pid);

    my $senders = keys %{$sink->{senders}};

    ok(TSCast::Net::until_true(8, sub {
        $feed->();
        keys %{$sink->{senders}} > $senders;
    }), 'it is killed, and another one sends');

    %before = %{$sink->{senders}};
    $feed->() for 1 .. 20;
    is(scalar(grep { $sink->{senders}{$_} > ($before{$_} // 0) }
              keys %{$sink->{senders}}), 1, 'and only one');

    $_->close for $p, $sink;
    $ngx->stop;
}


# pull: byte for byte, of whole packets and cut anywhere, from a sender that
# comes when the link is there

for my $size (1316, 1472) {
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 64m window=10s;'
                  . 'pull live/cam udp://127.0.0.1:$PORT_1;',
        server => $server,
    )->start;

    my $port = $ngx->other_port(1);

    ok(TSCast::Net::until_true(5, sub { udp_inode($port) }),
       'the pull listens');

    my $source = TSCast::UDP::source($port);
    my $ts = TSCast::TS->new(seconds => 0, gop => 60, bitrate => 20_000_000);
    my $in = '';
    my $carry = '';

    # ffmpeg fills its datagrams as well

    my $send = sub {
        $in .= $_[0];
        $carry .= $_[0];

        my $n = length($carry) - length($carry) % $size;

        TSCast::UDP::put($source, substr($carry, 0, $n, ''), $size);
    };

    $send->($ts->frame);

    my $v = viewer($ngx, '/live/cam', sub {});

    in_real_time($ts, $send, $LONG, sub { 0 }, $v);
    TSCast::UDP::put($source, $carry, $size);

    ok(pump(5, sub { $v->{bytes} >= length($in) - 188 }, $v),
       "datagrams of $size: all of it arrives");
    ok($v->{body} eq $in, 'every byte, and none twice');

    $v->close;
    $ngx->stop;
}


# what is lost on the way is missing, and nothing else: whole packets only

{
    my $ngx = TSCast::Nginx->new(
        tscast => 'zone live 64m; pull live/cam udp://127.0.0.1:$PORT_1;',
        server => $server,
    )->start;

    my $port = $ngx->other_port(1);

    TSCast::Net::until_true(5, sub { udp_inode($port) });

    my $source = TSCast::UDP::source($port);
    my $ts = TSCast::TS->new(seconds => 10, gop => 60, bitrate => 2_000_000);
    my @datagrams = unpack '(a1316)*', $ts->all;

    # one in a hundred is lost, one in fifty comes after the next

    my $tail = pop @datagrams;
    my @order = grep { $_ % 100 != 50 } 0 .. $#datagrams;

    for (my $i = 30; $i < $#order; $i += 50) {
        @order[$i, $i + 1] = @order[$i + 1, $i];
    }

    my $n = 0;
    my $wait = sub {
        send $source, $datagrams[$order[$n++]], 0 for 1 .. 20;
    };

    my $v = viewer($ngx, '/live/cam', $wait);

    while ($n < @order) {
        send $source, $datagrams[$order[$n++]], 0;
        pump(0.001, sub { 0 }, $v) if $n % 20 == 0;
    }

    send $source, $tail, 0;

    my $out = join '', map({ $datagrams[$_] } @order), $tail;

    ok(pump(5, sub { $v->{bytes} >= length $out }, $v), 'what was sent comes');
    ok($v->{body} eq $out, 'as it was sent');
    is($v->{check}->rest + $v->{check}{sync}, 0, 'in whole packets');

    $v->close;
    $ngx->stop;
}


# a sender that is silent: the stream ends, the socket stays, one line says so,
# and the stream begins anew with the sender

{
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 16m;'
                  . 'pull live/cam udp://127.0.0.1:$PORT_1 timeout=300ms;',
        server => $server,
    )->start;

    my $port = $ngx->other_port(1);
    my $inode = TSCast::Net::until_true(5, sub { udp_inode($port) });

    ok($ngx->wait_log(qr/\[error\].* link is down: nothing comes/),
       'no sender');

    my $source = TSCast::UDP::source($port);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
    my $start = time;
    my $send = sub {
        TSCast::UDP::put($source, $ts->frame, 1316)
            while $ts->clock < time - $start;
    };

    my $v = viewer($ngx, '/live/cam', $send);

    ok(pump(5, sub { $send->(); $v->{bytes} > 100_000 }, $v), 'it comes');
    ok($ngx->wait_log(qr/\[info\].* link is down: nothing comes/),
       'it goes');

    my $bytes = $v->{bytes};

    $start = time - $ts->clock;

    ok(pump(5, sub { $send->(); $v->{bytes} > $bytes + 100_000 }, $v),
       'it comes again, and the viewer is still there');
    is($v->{check}{discontinuities}, 1, 'who has seen a discontinuity');
    ok($v->{check}->opens_well, 'and tables and a key frame after it');
    is(udp_inode($port), $inode, 'it was the same socket all the time');
    is(scalar(() = $ngx->error_log =~ /\[error\]/g), 1, 'one line of error');

    $v->close;
    $ngx->stop;
}


# over reloads and after a kill -9 one worker listens

{
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 16m; pull live/cam udp://127.0.0.1:$PORT_1;',
        server => $server,
    )->start;

    my $port = $ngx->other_port(1);
    my $source = TSCast::UDP::source($port);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
    my $start = time;
    my @readers;
    my $send = sub {
        TSCast::UDP::put($source, $ts->frame, 1316)
            while $ts->clock < time - $start;
        pump(0.01, sub { 0 }, @readers);
    };

    my $v = viewer($ngx, '/live/cam', $send);

    push @readers, $v;

    for my $what (qw(reload reload kill)) {
        my $inode = udp_inode($port);

        if ($what eq 'kill') {
            $ngx->kill_worker(holder($ngx, $inode));

            # who may have been on the worker that is gone

            $v->close;
            $v = $readers[0] = viewer($ngx, '/live/cam', $send);

        } else {
            $ngx->reload(meanwhile => $send);
        }

        ok(TSCast::Net::until_true(8, sub {
            $send->();
            (udp_inode($port) // $inode) != $inode && udp_inode($port);
        }), "$what: another socket");

        is(udp_sockets($port), 1, 'and only one');
        ok(holder($ngx, udp_inode($port)), 'of a new worker');

        my $bytes = $v->{bytes};

        ok(TSCast::Net::until_true(8, sub {
            $send->();
            $v->{bytes} > $bytes + 50_000;
        }), 'which feeds the stream');
    }

    is($v->{check}->rest + $v->{check}{sync}, 0, 'whole packets');

    $v->close;
    $ngx->stop;
}


# a push and a pull over IPv6

SKIP: {
    my $free = TSCast::Net::free_port();

    skip 'no IPv6', 3
        if !eval { require IO::Socket::IP;
                   IO::Socket::IP->new(LocalAddr => '::1', Proto => 'udp',
                                       LocalPort => $free) };

    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => 'zone live 16m; zone far 16m;'
                  . 'push live/cam udp://[::1]:$PORT_1?ttl=3;'
                  . 'pull far/cam udp://[::1]:$PORT_1;',
        server => $server
                  . 'location = /far { tscast_play far/cam linger=1s; }',
    )->start;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
    my $start = time;
    my $send = sub {
        $p->send($ts->frame) while $ts->clock < time - $start;
    };

    my $v = viewer($ngx, '/far', $send);

    ok(pump(5, sub { $send->(); $v->{bytes} > 100_000 }, $v), 'over IPv6');
    is($v->{check}->faults, '', 'without a fault');

    $_->close for $p, $v;
    $ngx->stop;
}


sub holder {
    my ($ngx, $inode) = @_;

    return (grep { my $pid = $_;
                   grep { (readlink($_) // '') eq "socket:[$inode]" }
                   glob "/proc/$pid/fd/*" } $ngx->workers)[0];
}


sub udp_sockets {
    my ($port) = @_;

    open my $in, '<', '/proc/net/udp' or die $!;

    my $hex = sprintf ':%04X', $port;

    return map { (split)[9] } grep { (split)[1] =~ /$hex\z/ } <$in>;
}


sub udp_inode { return (udp_sockets(@_))[0] // 0 }


done_testing;
