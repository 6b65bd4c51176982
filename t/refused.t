# Copyright (C) the tscast authors

use strict;
use warnings;

# An ffmpeg that is refused ends within two seconds, whoever refuses it: it
# does not read the answer while it can write.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

plan(skip_all => 'no ffmpeg') if system('ffmpeg -version > /dev/null 2>&1');

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 8m;',
    server => <<'END_OF_CONF',
        location /push/cam { tscast_ingest live/cam timeout=60s; }
        location /push/bad { tscast_ingest live/$arg_name; }
        location /deny/ { deny all; tscast_ingest live/deny; }
        location /auth/ {
            auth_basic "publishers";
            auth_basic_user_file $PREFIX/users;
            tscast_ingest live/auth;
        }
        location = /check { internal; return 403; }
        location /sub/ { auth_request /check; tscast_ingest live/sub; }
END_OF_CONF
);

$ngx->write_file('users', "cam:{PLAIN}right\n");
$ngx->start;


# an endless stream in real time; how many seconds it lives once it is connected

sub ffmpeg {
    my ($path, %opt) = @_;

    my $url = 'http://' . ($opt{user} ? "$opt{user}@" : '') . '127.0.0.1:'
              . $ngx->port . $path;

    my $pid = TSCast::Publisher::background(sub {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', $ngx->prefix . '/ffmpeg.err';
        open STDIN, '<', '/dev/null';
        exec 'ffmpeg', '-v', 'error', '-re', '-f', 'lavfi',
             '-i', 'testsrc=size=320x240:rate=25', '-c:v', 'mpeg2video',
             '-b:v', '1M', '-f', 'mpegts', '-flush_packets', 1,
             @{$opt{args} || []}, $url;
    });

    return $pid if $opt{stay};

    TSCast::Net::until_true(10, sub {
        TSCast::Net::connections($ngx->port) > ($opt{beside} // 0)
    }) or die 'ffmpeg does not connect';

    my $start = time;
    my $rc = TSCast::Publisher::wait_for($pid, 5);

    return defined $rc ? time - $start : 'never';
}


sub refused {
    my ($path, $status, %opt) = @_;

    my $took = ffmpeg($path, %opt);

    cmp_ok($took eq 'never' ? 99 : $took, '<', 2, "$path: ended by $status");
    ok($ngx->wait_log(qr/^$status \d+ (POST|PUT) \Q$path\E /m, 3, 'access'),
       "$path: $status in the access log") or diag($ngx->access_log);
}


my $held = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

$held->send(TSCast::bytes('seconds=2'));

refused('/push/cam', 409, beside => 1);
refused('/push/cam', 409, beside => 1, args => ['-method', 'PUT']);
refused('/push/bad', 400, beside => 1);
refused('/deny/x', 403, beside => 1);
refused('/auth/x', 401, beside => 1);
refused('/auth/x', 401, beside => 1, user => 'cam:wrong');
refused('/sub/x', 403, beside => 1);

# raw: from the answer to the end of the connection

for my $path (qw(/push/cam /deny/x /auth/x)) {
    my $p = TSCast::Publisher->new(port => $ngx->port, path => $path);
    my $ts = TSCast::TS->new(seconds => 0);
    my $start = time;

    1 while $p->send($ts->take(0.04)) && time - $start < 5
            && select(undef, undef, undef, 0.02) == 0;

    cmp_ok(time - $start, '<', 2, "$path: a publisher that only writes");
    $p->close;
}

is($held->finish->status, 204, 'the first publisher is still there');
$held->close;

# the right one is taken, with the 401 and the second request that ffmpeg makes

{
    my $pid = ffmpeg('/auth/x', user => 'cam:right', stay => 1);

    ok($ngx->wait_log(qr/live\/auth|401/, 5, 'access'), 'ffmpeg is asked');
    ok(TSCast::Net::until_true(5, sub {
        grep { $_ } TSCast::Net::connections($ngx->port)
    }), 'and comes back');

    TSCast::Publisher::end($pid);

    ok($ngx->wait_log(qr{^\d+ \d+ POST /auth/x live/auth}m, 5, 'access'),
       'and publishes');
}

$ngx->stop;
done_testing;
