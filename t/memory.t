# Copyright (C) the tscast authors

use strict;
use warnings;

# An endless POST does not grow its worker, whatever its chunks are like; nor
# do viewers of it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 1,
    tscast => 'zone live 8m window=1s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
END_OF_CONF
)->start;

my ($worker) = $ngx->workers;


sub run {
    my ($what, $megabytes, %opt) = @_;

    my $ts = TSCast::TS->new(seconds => 4, gop => 0.4, bitrate => 16_000_000);
    my $bytes = $ts->all;
    my @viewers;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$what",
                                   %opt);

    # the same again and again: the counters do not fit, which is no matter

    my $send = sub { $p->send($bytes) or die 'the publisher was cut' };

    $send->() for 1 .. 2;
    $ngx->wait_stream("/live/$what");

    @viewers = map { TSCast::Reader->$_(port => $ngx->port, keep => 0,
                                        path => "/live/$what") } qw(http ws);
    $_->{check} = TSCast::Check::Nothing->new for @viewers;
    $_->wait_head for @viewers;

    my $rounds = int($megabytes / (length($bytes) / 1e6)) || 1;
    my $before;

    for my $round (1 .. $rounds) {
        $send->();
        TSCast::Reader::pump(0.01, sub { 0 }, @viewers);
        $before = $ngx->own_memory($worker) if $round == int($rounds / 4) + 1;
    }

    my $grown = $ngx->own_memory($worker) - $before;

    cmp_ok($grown, '<', 256,
           "$what: $grown kB more after $megabytes MB than after a quarter");

    is($p->finish->status, 204, "$what ends well");
    $_->close for $p, @viewers;
}


run('chunks', 400);
run('small', 24, split => 188);

# with a length, ended in the middle

{
    my $bytes = TSCast::bytes('seconds=4 bitrate=16000000');
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/length',
                                   length => 1e12);

    $p->send($bytes) for 1 .. 5;

    my $before = $ngx->own_memory($worker);

    $p->send($bytes) for 1 .. 40;

    my $grown = $ngx->own_memory($worker) - $before;

    cmp_ok($grown, '<', 256, "length: $grown kB more after 320 MB");
    $p->close;
}

# coming and going

{
    my $bytes = TSCast::bytes('seconds=1');
    my $before;

    for my $round (1 .. 400) {
        my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/go');

        $p->send($bytes);
        $ngx->wait_stream('/live/go');

        my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/go');

        $v->wait_bytes(188);
        my $status = $p->finish->status // 'none';

        die "round $round: status $status" if $status ne '204';

        $_->close for $p, $v;

        $before = $ngx->own_memory($worker) if $round == 100;
    }

    my $grown = $ngx->own_memory($worker) - $before;

    cmp_ok($grown, '<', 256, "$grown kB more after 400 publishers and viewers "
                             . 'than after 100');
}

$ngx->stop;
done_testing;


# instead of a checker, where speed counts

package TSCast::Check::Nothing;

sub new { return bless {}, $_[0] }
sub feed { return $_[0] }
sub faults { return '' }
