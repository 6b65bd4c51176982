# Copyright (C) the tscast authors

use strict;
use warnings;

# Viewers who do not read: skipped ahead or dropped, and nobody else notices.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 16m window=1s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/skip/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/drop/(?<stream>.+)$ { tscast_play live/$stream lag=drop; }
END_OF_CONF
)->start;

my $ts = TSCast::TS->new(seconds => 0, bitrate => 12_000_000, gop => 0.4);
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

$p->send($ts->take(1));
$ngx->wait_stream('/skip/cam');


sub viewer {
    my ($path, $how) = @_;

    return TSCast::Reader->$how(port => $ngx->port, path => $path, keep => 0,
                                rcvbuf => 8192);
}


my @fast = map { TSCast::Reader->$_(port => $ngx->port, path => '/skip/cam',
                                    keep => 0) } qw(http ws);
my @skip = map { viewer('/skip/cam', $_) } qw(http ws);
my @drop = map { viewer('/drop/cam', $_) } qw(http ws);

$_->wait_head for @fast, @skip, @drop;
is(join(' ', map { $_->{status} } @fast, @skip, @drop),
   '200 101 200 101 200 101', 'six viewers');

# they do not read for five seconds of 1.5 MB each

$_->{paused} = 1 for @skip, @drop;

my $start = time;

while (time < $start + 5) {
    my $late = $start + $ts->clock - 1 - time;

    $p->send($ts->take(0.04)) or die 'the publisher was cut' if $late <= 0;
    TSCast::Reader::pump($late > 0 ? $late : 0, sub { 0 }, @fast);
}

is($_->faults, '', 'who reads misses nothing') for @fast;

$_->{paused} = 0 for @skip, @drop;

my $go_on = sub {
    my ($until) = @_;

    $start = time;
    my $from = $ts->clock;

    while (time < $start + 10 && !$until->()) {
        my $late = $start + $ts->clock - $from - time;

        $p->send($ts->take(0.04)) if $late <= 0;
        TSCast::Reader::pump($late > 0 ? $late : 0, sub { 0 },
                             @fast, @skip, @drop);
    }

    return $until->();
};

ok($go_on->(sub { !grep { !$_->{end} } @drop }), 'lag=drop is dropped');

my $recent = int(($ts->clock - 1) * 8_000);

ok($go_on->(sub { !grep { !$_->{check}{discontinuities} } @skip }),
   'lag=skip is skipped');

$go_on->(sub { !grep { !@{$_->{check}{reopenings}[0] || []} == 3 } @skip });

my @before = map { $_->{bytes} } @skip;

ok($go_on->(sub { !grep { $skip[$_]{bytes} < $before[$_] + 500_000 } 0, 1 }),
   'and goes on');

for my $v (@skip) {
    is($v->faults(missing => 1), '', 'what it sees is well formed');
    cmp_ok($v->{check}{missing}, '>', 0, 'with a hole');
    ok($v->{check}->opens_well, 'tables and a key frame after the skip');
}

is($_->faults, '', 'who reads still misses nothing') for @fast;

is($p->finish->status, 204, 'the publisher saw nothing of it');
$_->close for $p, @fast, @skip, @drop;

# "status pid method uri stream sent skipped"

ok($ngx->wait_log(qr{ GET /skip/cam live/cam \d+ [1-9]}, 5, 'access'),
   'the skip is counted');
ok($ngx->wait_log(qr{ GET /skip/cam live/cam \d{7,} 0$}m, 5, 'access'),
   'those who read have none');

$ngx->stop;
done_testing;
