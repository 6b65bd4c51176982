# Copyright (C) the tscast authors

use strict;
use warnings;

# The server goes away: 1001 for WebSocket, an end for the others, and the old
# workers do not stay for ever.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    main => 'worker_shutdown_timeout 1s;',
    tscast => 'zone live 8m;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
END_OF_CONF
)->start;


sub scene {
    my @w = $ngx->workers;
    my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($w[0]),
                                   path => '/push/cam');

    $p->send(TSCast::bytes('seconds=1'));
    $ngx->wait_stream('/live/cam');

    my @v = map { TSCast::Reader->ws(sock => $ngx->connect_to_worker($_),
                                     path => '/live/cam') } @w;
    my @h = map { TSCast::Reader->http(sock => $ngx->connect_to_worker($_),
                                       path => '/live/cam') } @w;

    $_->wait_bytes(188) for @v, @h;

    return ($p, \@v, \@h);
}


# a reload, and the time that the old workers have is over

my ($p, $v, $h) = scene();

$ngx->reload;

ok(TSCast::Reader::pump(10, sub { !grep { !$_->{end} } @$v, @$h }, @$v, @$h),
   'everybody sees the end');
is($_->{close}, 1001, 'with 1001') for @$v;
is("@{$_->{faults}}", '', 'without a fault') for @$v;
ok(TSCast::Net::until_true(5, sub {
    my @all = $ngx->workers(all => 1);
    return @all == 2;
}), 'the old workers are gone');

$_->close for $p, @$v, @$h;

# the name is free on the new ones

($p, $v, $h) = scene();
is($_->faults, '', 'the new workers serve it') for @$v, @$h;

# and now for good

kill 'QUIT', $ngx->master;

ok(TSCast::Reader::pump(10, sub { !grep { !$_->{end} } @$v, @$h }, @$v, @$h),
   'nginx -s quit ends everybody');
is($_->{close}, 1001, 'with 1001') for @$v;

$_->close for $p, @$v, @$h;
$ngx->stop;
done_testing;
