# Copyright (C) the tscast authors

use strict;
use warnings;

# Links over reloads: a pull is handed over without a byte lost or doubled, a
# push goes on from the next key frame, and there is never more than one of
# each that counts.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=5s; }
    location ~ ^/brief/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


# media packets: what is neither PAT nor PMT

sub media {
    return join '', grep { my $pid = unpack('x n', $_) & 0x1fff;
                           $pid != 0 && $pid != 0x1000 }
                     unpack '(a188)*', $_[0];
}


# a source in real time, a little at each call

sub paced {
    my ($ts, $sink) = @_;

    my $start = time - $ts->clock;

    return sub {
        while ($ts->clock < time - $start) {
            $sink->($ts->frame);
        }
    };
}


# a viewer, as soon as the stream is there

sub viewer {
    my ($ngx, $path, $meanwhile, @others) = @_;

    my $v;

    my $ok = pump(10, sub {
        $meanwhile->();

        $v //= TSCast::Reader->http(port => $ngx->port, path => $path,
                                    version => '1.0');
        $v->read_some;

        return if !defined $v->{status};
        return $v->{bytes} if $v->{status} == 200;

        $v->close;
        $v = undef;

        return;
    }, @others);

    die "$path does not play\n" if !$ok;

    return $v;
}


# pulls: two origins of one stream, the second in reserve; and reloads, twice
# in quick succession as well

for my $reserve (0, 1) {
    my @origins = map { TSCast::Peer->new } 0 .. $reserve;

    # the first comes first

    my $spare = $reserve ? $origins[1] : undef;
    $spare->shut if $spare;

    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => join("\n", 'zone live 16m window=10s;',
                       map { "pull live/cam tcp://127.0.0.1:$_->{port} "
                             . 'reconnect=50ms..200ms;' } @origins),
        server => $server,
    )->start;

    my $origin = $origins[0];
    my $in = '';
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);

    ok(pump(5, sub { $origin->open == 1 }, $origin), 'the pull connects');

    my @other = $spare ? TSCast::TS->new(seconds => 0, gop => 0.4, serial => 1,
                                         filler => 'o') : ();
    my $feed = paced($ts, sub {
        $in .= $_[0];
        $origin->live($_[0]);
        $spare->live($_->frame) for @other;
    });

    my $v = viewer($ngx, '/live/cam', $feed, $origin);

    my @brief;
    my $pumped = sub {
        $feed->();
        TSCast::Reader::pump(0.01, sub { 0 }, $v, @brief, @origins);
    };

    if ($spare) {
        $spare->listen;
        TSCast::Net::until_true(5, sub {
            $pumped->();
            $ngx->error_log =~ /link waits, the stream has a publisher/;
        });
    }

    for my $round (1 .. 3) {
        my $before = @{$origin->{accepted}};
        my ($owner) = grep { defined }
                      map { $ngx->worker_of($_->{sock}) } $origin->open;

        # beside the publisher, and not to be kept by linger

        push @brief, TSCast::Reader->http(
            sock => $ngx->connect_to_worker($owner), path => '/brief/cam',
            version => '1.0');

        TSCast::Net::until_true(5, sub { $pumped->(); $brief[-1]{bytes} });

        $ngx->reload(meanwhile => $pumped);
        $ngx->reload(meanwhile => $pumped) if $round == 3;

        ok(TSCast::Net::until_true(10, sub {
            $pumped->();
            my @open = $origin->open;
            my @all = $ngx->workers(all => 1);

            return @open == 1 && @{$origin->{accepted}} > $before;
        }), "reload $round: another connection, and only one in the end");
    }

    my $bytes = length $in;

    ok(TSCast::Net::until_true(5, sub {
        $pumped->();
        $v->{bytes} >= $bytes;
    }), 'the viewer has all of it');

    my $start = index $in, substr $v->{body}, 0, 188 * 20;

    ok($start >= 0, 'which begins somewhere');
    ok(substr($in, $start, length $v->{body}) eq $v->{body},
       'and is the bytes of the origin, over all reloads');
    is($v->{check}->faults, '', 'without a fault');

    is(scalar(grep { !$_->{end} && index($in, $_->{body}) >= 0 } @brief), 3,
       'those who do not linger have noticed nothing');

    unlike($ngx->error_log, qr/\[(error|warn)\](?!.*connect\(\) failed)/,
           'and nobody complains') if !$spare;

    $_->close for $v, @brief, @origins;
    $ngx->stop(seconds => 10);
}


# pushes

{
    my $sink = TSCast::Peer->new(keep => 1);
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => "zone live 16m window=10s;
                   push live/* tcp://127.0.0.1:$sink->{port} reconnect=50ms;",
        server => $server,
    )->start;

    my $in = '';
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    my $feed = paced($ts, sub { $in .= $_[0]; $p->send($_[0]) });
    my $pumped = sub {
        $feed->();
        TSCast::Reader::pump(0.01, sub { 0 }, $sink);
    };

    ok(TSCast::Net::until_true(5, sub { $pumped->(); $sink->bytes }),
       'the push is there');

    for my $round (1 .. 3) {
        my $before = @{$sink->{accepted}};

        $ngx->reload(meanwhile => $pumped);

        ok(TSCast::Net::until_true(10, sub {
            $pumped->();
            my @open = $sink->open;

            return @open == 1 && @{$sink->{accepted}} > $before
                   && $sink->last->{bytes} > 188 * 20;
        }), "reload $round: another connection, and only one in the end");
    }

    is($p->finish->status, 204, 'the publisher has stayed, and ends');
    ok(pump(5, sub { !$sink->open }, $sink), 'so does the push');

    is(scalar @{$sink->{accepted}}, 4, 'there were four connections');
    ok(media($sink->body) eq media($in),
       'that have brought every media packet, in order and once');

    for my $c (@{$sink->{accepted}}) {
        is($c->{check}->faults, '', 'a connection has no fault');
        is($c->{check}->opening, 'PAT PMT key', 'and begins as it should');
    }

    $_->close for $p, $sink;
    $ngx->stop;
}


# one reload after another, faster than they come to an end

{
    my $origin = TSCast::Peer->new;
    my $sink = TSCast::Peer->new(keep => 1);
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => "zone live 16m window=10s;
                   pull live/cam tcp://127.0.0.1:$origin->{port};
                   push live/cam tcp://127.0.0.1:$sink->{port};",
        server => $server,
    )->start;

    my $in = '';
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 1_000_000);

    ok(pump(5, sub { $origin->open }, $origin), 'a pull and a push');

    my $feed = paced($ts, sub { $in .= $_[0]; $origin->live($_[0]) });
    my $v = viewer($ngx, '/live/cam', $feed, $origin, $sink);
    my $pumped = sub {
        $feed->();
        TSCast::Reader::pump(0.01, sub { 0 }, $v, $origin, $sink);
    };

    for (1 .. 8) {
        kill 'HUP', $ngx->master;

        my $until = time + 0.15;
        $pumped->() while time < $until;
    }

    $ngx->reload(meanwhile => $pumped);

    ok(TSCast::Net::until_true(15, sub {
        $pumped->();
        my @all = ($origin->open, $sink->open);
        return @all == 2;
    }), 'after nine reloads there is one of each');

    my $until = time + 1.5;
    $pumped->() while time < $until;

    is(scalar(() = ($origin->open, $sink->open)), 2, 'and so it stays');

    my $bytes = length $in;

    ok(TSCast::Net::until_true(5, sub { $pumped->(); $v->{bytes} >= $bytes }),
       'the viewer has all of it');
    ok(index($in, $v->{body}) >= 0, 'byte for byte');
    is($v->{check}->faults, '', 'without a fault');

    $_->close for $v, $origin, $sink;
    $ngx->stop(seconds => 10);
}


# a group of pictures of seven seconds, as encoders make them by default: the
# old worker has the patience

{
    my $sink = TSCast::Peer->new(keep => 1);
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => "zone live 16m window=10s;
                   push live/* tcp://127.0.0.1:$sink->{port};",
        server => $server,
    )->start;

    my $in = '';
    my $ts = TSCast::TS->new(seconds => 0, gop => 7, bitrate => 200_000);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    my $feed = paced($ts, sub { $in .= $_[0]; $p->send($_[0]) });
    my $pumped = sub {
        $feed->() if $ts->clock < 8;
        TSCast::Reader::pump(0.02, sub { 0 }, $sink);
    };

    ok(TSCast::Net::until_true(5, sub { $pumped->(); $sink->bytes }),
       'a push with few key frames');

    $ngx->reload(meanwhile => $pumped);

    ok(TSCast::Net::until_true(12, sub {
        $pumped->();
        return @{$sink->{accepted}} == 2 && $ts->clock >= 8;
    }), 'goes over at the next one');

    is($p->finish->status, 204, 'the publisher ends');
    ok(pump(5, sub { !$sink->open }, $sink), 'and the push');
    ok(media($sink->body) eq media($in), 'every media packet was sent once');

    $_->close for $p, $sink;
    $ngx->stop;
}


# the old worker is stopped, and no key frame comes: what the new one keeps has
# an end

{
    my $origin = TSCast::Peer->new;
    my $ngx = TSCast::Nginx->new(
        tscast => "zone live 8m;
                   pull live/cam tcp://127.0.0.1:$origin->{port};",
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 3600, bitrate => 40_000_000);

    ok(pump(5, sub { $origin->open }, $origin), 'a pull with one key frame');

    $origin->live($ts->take(0.04));

    my $old = $ngx->worker_of($origin->first->{sock});

    # it would not hear of the reload

    kill 'HUP', $ngx->master;
    $ngx->stop_worker($old);

    ok(pump(10, sub { $origin->open == 2 }, $origin), 'its heir connects');

    my $heir = $ngx->worker_of($origin->last->{sock});
    my $more = $ts->take(0.4);
    my $sent = 0;

    while ($sent < 60_000_000 && $origin->last->put($more)) {
        $sent += length $more;
    }

    cmp_ok($sent, '>=', 60_000_000, 'and reads on');
    cmp_ok($ngx->own_memory($heir), '<', 45_000, 'without keeping it all');

    $ngx->cont_worker($old);
    $origin->close;
    $ngx->stop(seconds => 10);
}


# a reload that changes, adds and removes links

{
    my ($old, $new, $gone) = map { TSCast::Peer->new } 1 .. 3;
    my $ngx = TSCast::Nginx->new(
        workers => 2,
        tscast => "zone live 16m;
                   push live/* tcp://127.0.0.1:$old->{port};
                   push live/* tcp://127.0.0.1:$gone->{port};",
        server => $server,
    )->start;

    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $feed = paced($ts, sub { $p->send($_[0]) });
    my $pumped = sub {
        $feed->();
        TSCast::Reader::pump(0.01, sub { 0 }, $old, $new, $gone);
    };

    ok(TSCast::Net::until_true(5, sub {
        $pumped->();
        $old->bytes && $gone->bytes;
    }), 'two pushes');

    $ngx->{tscast} = "zone live 16m;
                      push live/* tcp://127.0.0.1:$old->{port} timeout=3s;
                      push live/* tcp://127.0.0.1:$new->{port};";

    $ngx->reload(conf => 1, meanwhile => $pumped);

    ok(TSCast::Net::until_true(15, sub {
        $pumped->();
        return $old->open == 1 && @{$old->{accepted}} == 2
               && $new->open == 1 && $gone->open == 0;
    }), 'one goes, one comes, one is made again');

    is($p->finish->status, 204, 'the publisher ends');
    pump(5, sub { !grep { $_->open } $old, $new }, $old, $new, $gone);
    is(@{$gone->{accepted}} . @{$new->{accepted}}, 11, 'none came twice');

    $_->close for $p, $old, $new, $gone;
    $ngx->stop;
}

done_testing;
