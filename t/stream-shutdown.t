# Copyright (C) the tscast authors

use strict;
use warnings;

# The doors in stream {} when worker_shutdown_timeout is over, on a stop, and
# when a sender over UDP falls silent after a reload.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}

my $bytes = TSCast::bytes('seconds=1 gop=0.5');


sub nginx {
    my ($main) = @_;

    return TSCast::Nginx->new(
        tscast => 'zone live 16m;',
        events => 'multi_accept on;',
        main => $main . <<'END_OF_CONF',
stream {
    log_format stream '$status $protocol $tscast_stream';
    access_log $PREFIX/logs/stream.log stream;

    server { listen 127.0.0.1:$PORT_1; tscast_ingest live/tcp timeout=1m; }
    server {
        listen 127.0.0.1:$PORT_1 udp reuseport;
        tscast_ingest live/udp timeout=$TIMEOUT;
    }
    server { listen 127.0.0.1:$PORT_2; tscast_play live/tcp linger=1m; }
}
END_OF_CONF
    );
}


# one of each at the door

sub all_in {
    my ($ngx) = @_;

    my $sock = TSCast::Net::dial($ngx->other_port(1));

    TSCast::Net::put($sock, $bytes);

    my $u = TSCast::Datagrams->new(port => $ngx->other_port(1));

    $u->send($bytes)->flush;

    $ngx->wait_log(qr/"live\/$_" is published/) or die $_ for qw(tcp udp);

    my $v = TSCast::Reader->raw(port => $ngx->other_port(2));

    $v->wait_bytes(188);

    return ($sock, $v, $u);
}


{
    my $ngx = nginx("worker_shutdown_timeout 500ms;\n");

    $ngx->{main} =~ s/\$TIMEOUT/1m/;
    $ngx->start;

    my ($sock, $v, $u) = all_in($ngx);

    $ngx->reload;

    is($v->wait_end, 'eof', 'timeout: the viewer is closed');
    is(TSCast::Net::get($sock) // 'nothing', '',
       'timeout: the publisher is closed');

    ok(TSCast::Net::until_true(5, sub { $ngx->workers(all => 1) == 1 }),
       'timeout: the old worker leaves');

    is(() = $ngx->error_log =~ /shutdown timeout/g, 2, 'timeout: log lines');
    ok($ngx->wait_log(qr/"live\/udp" has ended/), 'timeout: UDP has ended');

    $ngx->stop(name => 'timeout: nginx');
}

# a sender that says nothing while nginx reloads keeps its stream, and the old
# worker, until it is silent for its timeout

{
    my $ngx = nginx('');

    $ngx->{main} =~ s/\$TIMEOUT/1s/;
    $ngx->start;

    my $u = TSCast::Datagrams->new(port => $ngx->other_port(1));

    $u->send($bytes)->flush;
    ok($ngx->wait_log(qr/"live\/udp" is published/), 'silent: published');

    $ngx->reload;

    ok(TSCast::Net::until_true(10, sub { $ngx->workers(all => 1) == 1 }),
       'silent: the old worker leaves');
    ok($ngx->wait_log(qr/"live\/udp" has ended/), 'silent: it has ended');

    # the new one has nothing left of it

    $u->send($bytes)->flush;
    ok(TSCast::Net::until_true(5, sub {
        2 == (() = $ngx->error_log =~ /"live\/udp" is published/g)
    }), 'silent: the new worker takes the sender when it speaks again');

    # and with no worker after it

    $ngx->stop(name => 'silent: nginx');
}

# nothing waits for a sender when nobody will hear it

{
    my $ngx = nginx('');

    $ngx->{main} =~ s/\$TIMEOUT/1m/;
    $ngx->start;

    my $u = TSCast::Datagrams->new(port => $ngx->other_port(1));

    $u->send($bytes)->flush;
    ok($ngx->wait_log(qr/"live\/udp" is published/), 'quit: published');

    $ngx->stop(name => 'quit: nginx');
    like($ngx->error_log, qr/"live\/udp" has ended/, 'quit: it has ended');
}

# one that is heard by the new worker does not keep the old one

{
    my $ngx = nginx('');

    $ngx->{main} =~ s/\$TIMEOUT/1m/;
    $ngx->start;

    my $u = TSCast::Datagrams->new(port => $ngx->other_port(1));

    $u->send($bytes)->flush;
    ok($ngx->wait_log(qr/"live\/udp" is published/), 'heard: published');

    $ngx->reload;
    $u->send($bytes)->flush;

    ok(TSCast::Net::until_true(10, sub { $ngx->workers(all => 1) == 1 }),
       'heard: the old worker leaves');
    is(() = $ngx->error_log =~ /has taken over stream "live\/udp"/g, 1,
       'heard: the new one has the stream');

    $ngx->stop(name => 'heard: nginx');
}

# at once

{
    my $ngx = nginx('');

    $ngx->{main} =~ s/\$TIMEOUT/1m/;
    $ngx->start;

    my ($sock, $v, $u) = all_in($ngx);

    $ngx->stop(name => 'stop: nginx', signal => 'TERM');

    is($v->wait_end, 'eof', 'stop: the viewer is closed');
    is(TSCast::Net::get($sock) // 'nothing', '',
       'stop: the publisher is closed');
}

done_testing;
