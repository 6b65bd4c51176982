# Copyright (C) the tscast authors

use strict;
use warnings;

# A viewer's request that comes behind others on the same connection, whose
# answers are not read: its header is held up by a full socket, and nothing of
# the stream may come before it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

plan skip_all => 'nginx has no debug log'
    if TSCast::Nginx->built !~ /--with-debug/;

# a UNIX socket is full after the same writes each time

my $ngx = TSCast::Nginx->new(
    workers => 1, log => 'debug',
    tscast => 'zone live 8m window=2s;',
    http => 'keepalive_requests 100000;',
    server => <<'END_OF_CONF',
        listen unix:$PREFIX/door.sock;

        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/soon/(?<stream>.+)$ {
            send_timeout 500ms;
            tscast_play live/$stream;
        }
END_OF_CONF
)->start;

my $big = join '', map { sprintf "%07d\n", $_ } 1 .. 1024;

mkdir $ngx->prefix . '/html/big' or die $!;
$ngx->write_file('html/big/file', $big);

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

$p->send($ts->take(2));
$ngx->wait_stream('/live/cam');


# asks for $n files and then for what $more says

sub ask {
    my ($n, $more) = @_;

    my $sock = TSCast::Net::dial($ngx->prefix . '/door.sock');

    TSCast::Net::put($sock, "GET /big/file HTTP/1.1\r\nHost: x\r\n\r\n" x $n
                            . ($more // ''));

    return $sock;
}


# nginx has been round its loop twice

sub settle {
    $ngx->alive for 1 .. 2;
}


sub answered {
    my @lines = $ngx->access_log =~ m{^200 \d+ GET /big/file }mg;

    return scalar @lines;
}


sub held_up {
    my @lines = $ngx->error_log =~ /writev\(\) not ready/g;

    return scalar @lines;
}


# the files are read from the socket, and no byte more

sub read_files {
    my ($sock, $n) = @_;

    my ($good, $in) = (0, '');

    $sock->blocking(1);

    for (1 .. $n) {
        while ($in !~ /\r\n\r\n\z/) {
            sysread $sock, $in, 1, length $in or return $good;
        }

        my ($length) = $in =~ /^Content-Length: (\d+)\r$/m;

        return $good if $in !~ m{\AHTTP/1\.1 200 } || !$length;

        my $body = '';

        while (length $body < $length) {
            sysread $sock, $body, $length - length $body, length $body
                or return $good;
        }

        $good++ if $body eq $big;
        $in = '';
    }

    return $good;
}


sub up_to_date {
    my ($v) = @_;

    my $last = $ts->{serial} - 1;

    return TSCast::Reader::pump(5, sub { ($v->{check}{high} // -1) == $last },
                                $v);
}


# how many answers a socket takes

my $sock = ask(1000);

settle();

my $room = answered();

cmp_ok($room, '>', 3, "a socket takes $room answers");
is(held_up(), 1, 'and not one more');
close $sock;

# the next one is a viewer's

for my $how (qw(http ws)) {
    my ($before, $held) = (answered(), held_up());

    $sock = ask($room);
    my $v = TSCast::Reader->$how(sock => $sock, path => '/live/cam');

    settle();
    is(answered(), $before + $room, "$how: behind $room answers");
    is(held_up(), $held + 1, 'the header is held up');

    $p->send($ts->take(1));
    settle();

    is(read_files($sock, $room), $room, 'the answers are whole');
    is($v->wait_head, $how eq 'ws' ? 101 : 200, 'then comes the header');

    $p->send($ts->take(1));
    up_to_date($v);
    is($v->faults, '', 'and then a stream without a fault');
    ok($v->{check}->opens_well, 'that begins with tables and a key frame');
    $v->close;
}

# who asks more behind the handshake is answered, but not before

{
    my $v = TSCast::Reader->ws(sock => ask($room), path => '/live/cam',
                               extra => TSCast::WebSocket::frame(9, 'early'));

    settle();
    is(read_files($v->{sock}, $room), $room, 'a ping behind the handshake');
    TSCast::Reader::pump(5, sub { @{$v->{pongs}} || $v->{end} }, $v);
    is_deeply($v->{pongs}, ['early'], 'is answered');
    up_to_date($v);
    is($v->faults, '', 'within a stream without a fault');
    $v->close;
}

# who never reads, or leaves

for my $how (qw(http ws)) {
    my $v = TSCast::Reader->$how(sock => ask($room), path => '/soon/cam');

    ok($ngx->wait_log(qr{^408 \d+ GET /soon/cam }m, 5, 'access'),
       "$how: not for longer than send_timeout");
    $v->close;
    $ngx->write_file('logs/access.log', '');

    $v = TSCast::Reader->$how(sock => ask($room), path => '/live/cam');
    settle();
    $v->close;
    ok($ngx->wait_log(qr{^\d+ \d+ GET /live/cam }m, 5, 'access'),
       'one that leaves is let go');
    $ngx->write_file('logs/access.log', '');
}

is($p->finish->status, 204, 'the publisher saw nothing of it');
$p->close;

$ngx->stop;
done_testing;
