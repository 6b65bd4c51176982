# Copyright (C) the tscast authors

use strict;
use warnings;

# Links over RTMP that are made at run time: what their module brings is found
# by a command as well.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::RTMP;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m; zone back 32m;',
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;
        application far { live on; tscast_ingest back/$name; }
    }
}
END_OF_CONF
    server => <<'END_OF_CONF',
        location = /status { tscast_status; }
        location = /control { tscast_control; }
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
END_OF_CONF
)->start;

my $rtmp = 'rtmp://127.0.0.1:' . $ngx->other_port(1);


sub command { return TSCast::Control::command($ngx, @_) }


my $a = command(POST => { link => {
    kind => 'push', stream => 'live/*', url => "$rtmp/far",
} });

is($a->{status}, 400, 'an address without a stream');
like($a->{json}{error}, qr/no application and stream/, 'is told');

$a = command(POST => { link => {
    kind => 'push', stream => 'live/*', url => "$rtmp/far/\$name",
} });

is($a->{status}, 201, 'a push');

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 376_000);
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
my $there = sub {
    my $s = TSCast::Status::stream($ngx, 'back/cam');
    return $s && $s->{live} && $s->{publisher}{received};
};

ok(TSCast::Net::until_true(10, sub { $p->send($ts->take(0.1)); $there->() }),
   'comes back by RTMP');
is(TSCast::Status::stream($ngx, 'back/cam')->{publisher}{protocol}, 'rtmp',
   'as a publisher of nginx-rtmp');

is(command(DELETE => { publisher => { stream => 'back/cam' } })->{status}, 204,
   'which is dropped');
ok(TSCast::Net::until_true(10, sub {
    $p->send($ts->take(0.1));
    return TSCast::Status::stream($ngx, 'back/cam')->{publishers}{total} == 2;
}), 'the push tries again');

is(command(DELETE => { link => $a->{json}{link} })->{status}, 204,
   'the push is removed');
ok(TSCast::Net::until_true(10, sub {
    $p->send($ts->take(0.1));
    return !$there->();
}), 'and its stream ends');

$p->finish;
$p->close;
$ngx->stop;

done_testing;
