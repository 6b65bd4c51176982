# Copyright (C) the tscast authors

use strict;
use warnings;

# The figures of a status are those of what the test itself has sent and
# received, on two workers, over a reload and a kill -9.

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(sum);
use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => "zone live 32m window=60s;\nzone other 4m;",
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ {
            tscast_ingest live/$stream timeout=60s;
        }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=60s;
        }
        location = /status { tscast_status; }
END_OF_CONF
)->start;

# every byte that a name may have, and as many as it may have

my $chars = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '._~-';
my $name = substr $chars x 2, 0, 128;


sub viewer {
    my ($worker, $stream, $how) = @_;

    return TSCast::Reader->$how(sock => $ngx->connect_to_worker($worker),
                                path => "/live/$stream", keep => 0);
}


# they have got it all; the end of the last chunk comes with the next one

sub fed {
    my ($bytes, @viewers) = @_;

    return TSCast::Reader::pump(5, sub {
        !grep { $_->{bytes} < ($_->{ws} ? $bytes : $bytes - 16384) } @viewers
    }, @viewers);
}


sub by {
    my ($what, $protocol) = @_;

    my ($found) = grep { $_->{protocol} eq $protocol } @{$what->{by}};

    return $found;
}


sub pid {
    my ($stream, $pid) = @_;

    my ($found) = grep { $_->{pid} == $pid }
                  map { @{$_->{pids}} } $stream, @{$stream->{programs}};

    return $found;
}


my $status = TSCast::Status::get($ngx);

is(TSCast::Status::faults($status), '', 'nothing there: as the schema says');
is_deeply($status->{streams}, [], 'no stream');
is_deeply([map { $_->{name} } @{$status->{zones}}], [qw(live other)],
          'two zones');
is(join(' ', sort { $a <=> $b } map { $_->{pid} } @{$status->{workers}}),
   join(' ', $ngx->workers), 'two workers');


# a publisher, and four viewers on two workers

my ($one, $two) = $ngx->workers;

my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                               path => "/push/$name");
my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
my $bytes = $ts->take(2);
my $address = $p->{sock}->sockhost;

$p->send($bytes);

my @v = (viewer($one, $name, 'http'), viewer($one, $name, 'ws'),
         viewer($two, $name, 'http'), viewer($two, $name, 'ws'));

ok(fed(length $bytes, @v), 'four viewers see all of it');

my $s = TSCast::Status::until_stream($ngx, "live/$name", sub {
    $_[0]{viewers}{sent} == 4 * length $bytes && $_[0]{bitrate}{in}
});

is(TSCast::Status::faults(TSCast::Status::get($ngx)), '',
   'as the schema says');
is($s->{name}, "live/$name", 'the name as it is');
ok($s->{live}, 'live');
is("@{$s->{publisher}}{qw(address door protocol)}", "$address http http",
   'its publisher');
cmp_ok(abs($s->{publisher}{since} - time), '<', 10, 'since just now');
is($s->{publisher}{received}, length $bytes, 'its bytes');
is($s->{publishers}{received}, length $bytes, 'bytes, exactly');
is($s->{publishers}{now}, 1, 'one publisher');
is($s->{viewers}{now}, 4, 'four viewers');
is(by($s->{viewers}, 'http')->{now}, 2, 'two of them over HTTP');
is(by($s->{viewers}, 'websocket')->{now}, 2, 'two over WebSocket');
is($s->{viewers}{sent}, 4 * length $bytes, 'bytes to them, exactly');
is(by($s->{viewers}, 'websocket')->{sent}, 2 * length $bytes,
   'without the framing');
is($s->{window}{bytes}, length $bytes, 'all of it is kept');
is($s->{gop}, 0.4, 'seconds from key frame to key frame');
is_deeply($s->{renditions}, ['ts'], 'one rendition');

my $program = $s->{programs}[0];

is("@{$program}{qw(number pmt_pid pcr_pid)}", '1 4096 256', 'its program');
is("@{pid($s, 256)}{qw(kind codec stream_type)}", 'video h264 27', 'video');
is("@{pid($s, 257)}{qw(kind codec sample_rate channels)}",
   'audio aac 48000 2', 'audio');
is(pid($s, 0)->{kind}, 'pat', 'the PAT');

my %packets;

$packets{unpack('x n', $_) & 0x1fff}++ for unpack '(a188)*', $bytes;

is(pid($s, $_)->{packets}, $packets{$_}, "packets of PID $_")
    for sort keys %packets;
is($s->{health}{packets}, sum(values %packets), 'of all PIDs');

is(join(' ', map { "$_ $s->{health}{$_}" }
             grep { /errors|losses|jumps/ && $s->{health}{$_} }
             sort keys %{$s->{health}}), '', 'nothing is wrong');


# two leave: the peak stays

$v[1]->close;
$v[2]->close;

$s = TSCast::Status::until_stream($ngx, "live/$name",
                                  sub { $_[0]{viewers}{now} == 2 });

is($s->{viewers}{now}, 2, 'two have left');
is("@{$s->{viewers}}{qw(peak total)}", '4 4', 'four have been there');
is(by($s->{viewers}, 'websocket')->{peak}, 2, 'two of them over WebSocket');

push @v, viewer($two, $name, 'http');
fed(length $bytes, $v[4]);

$s = TSCast::Status::stream($ngx, "live/$name");

is("@{$s->{viewers}}{qw(now peak total)}", '3 4 5', 'another one');


# a reload: they stay where they are, and the figures as they were

$ngx->reload;

$bytes .= my $more = $ts->take(1);
$p->send($more);

ok(fed(length $bytes, @v[0, 3, 4]), 'it goes on over a reload');

my $sent = 5 * (length($bytes) - length $more) + 3 * length $more;

$s = TSCast::Status::until_stream($ngx, "live/$name",
                                  sub { $_[0]{viewers}{sent} == $sent });
$status = TSCast::Status::get($ngx);

is($s->{publishers}{received}, length $bytes, 'bytes');
is("@{$s->{viewers}}{qw(now peak total)}", '3 4 5', 'viewers');
is($s->{viewers}{sent}, $sent, 'and what they got');
is($status->{generation}, 2, 'the second generation');
is(join(' ', sort { $a <=> $b } map { $_->{pid} } @{$status->{workers}}),
   join(' ', $ngx->workers(all => 1)), 'and the workers of the first');


# kill -9 of a worker with two of the viewers

$ngx->kill_worker($two);

$s = TSCast::Status::until_stream($ngx, "live/$name",
                                  sub { $_[0]{viewers}{now} == 1 });

is("@{$s->{viewers}}{qw(now peak total)}", '1 4 5', 'its viewers are gone');
is($s->{viewers}{sent}, $sent, 'what they got is not');
ok($s->{live}, 'the publisher is on another');

# and of the publisher's

$ngx->kill_worker($one);

$s = TSCast::Status::until_stream($ngx, "live/$name", sub { !$_[0]{live} });

ok(!$s->{live}, 'the stream has ended');
ok(!exists $s->{publisher}, 'nobody publishes it');
is("@{$s->{publishers}}{qw(now total received)}", '0 1 ' . length $bytes,
   'but it is known what there was');
is("@{$s->{viewers}}{qw(now peak total sent)}", "0 4 5 $sent",
   'to the last viewer');

$_->close for @v, $p;


# a stream that is gone stays in the totals of the node

is(TSCast::Status::faults($status = TSCast::Status::get($ngx)), '',
   'as the schema says');
is($status->{publishers}{received}, length $bytes, 'bytes of the node');
is("@{$status->{viewers}}{qw(now total sent)}", "0 5 $sent",
   'viewers of the node');

$ngx->stop;
done_testing;
