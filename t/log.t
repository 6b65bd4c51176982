# Copyright (C) the tscast authors

use strict;
use warnings;

# What the access log says of a viewer when it leaves.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 16m window=10s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
)->start;

my $bytes = TSCast::bytes('seconds=2');
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

$p->send($bytes);

my @v = map {
    my $how = $_;
    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $ngx->port,
                                  path => "/live/cam?$how");
        $v->wait_head != 404;
    });
    $v;
} qw(http ws);

$_->wait_bytes(188 * 100) for @v;
unlike($ngx->access_log, qr{^(200|101) \d+ GET /live/cam}m,
       'nothing while it watches');

is($p->finish->status, 204, 'the publisher ends');
ok($_->wait_end, 'so does the viewer') for @v;

my $n = length $bytes;

ok($ngx->wait_log(qr{^204 \d+ POST /push/cam live/cam }m, 5, 'access'),
   'the publisher');
ok($ngx->wait_log(qr{^200 \d+ GET /live/cam live/cam $n 0$}m, 5, 'access'),
   "a viewer over HTTP: $n bytes of media")
    or diag($ngx->access_log);
ok($ngx->wait_log(qr{^101 \d+ GET /live/cam live/cam $n 0$}m, 5, 'access'),
   "a viewer over WebSocket: $n bytes of media");

# one that leaves early

{
    my $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/early');

    $q->send($bytes);

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->http(port => $ngx->port, path => '/live/early');
        $v->wait_head != 404;
    });
    $v->wait_bytes($n);
    $v->close;

    ok($ngx->wait_log(qr{^(200|499) \d+ GET /live/early live/early $n 0$}m, 5,
                      'access'), 'one that leaves is logged at once');

    is($q->finish->status, 204, 'the publisher goes on');
    $q->close;
}

# HEAD and those who are refused

for my $row (['HEAD', '/live/cam', 200], ['GET', '/live/none', 404],
             ['GET', '/push/cam', 405])
{
    my ($method, $path, $status) = @$row;
    my $v = TSCast::Reader->http(port => $ngx->port, path => $path,
                                 method => $method);

    is($v->wait_head, $status, "$method $path");
    $v->close;
    ok($ngx->wait_log(qr{^$status \d+ $method \Q$path\E \S+ (0|-)? }m, 5,
                      'access'), "$status in the log");
}

$_->close for $p, @v;
$ngx->stop;
done_testing;
