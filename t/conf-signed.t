#!/usr/bin/env perl

# Copyright (C) the tscast authors

# conf/signed-links.conf as it stands, but for its ports and its prefix: who
# may watch and publish, over HTTP, WebSocket, RTMP and TLS, and that no log
# has a secret, a signature or a token

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_base64);
use Digest::SHA qw(hmac_sha256_base64);
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64url);
use Test::More;

use TSCast;
use TSCast::FLV;
use TSCast::RTMP;

my $missing = TSCast::RTMP::missing() || TSCast::TLS::missing()
              || TSCast::Nginx::missing_stream();

plan skip_all => $missing if $missing;

plan skip_all => 'nginx lacks secure_link or auth_request'
    if grep { TSCast::Nginx::built() !~ /--with-http_${_}_module/ }
            qw(secure_link auth_request);


package Shipped {
    our @ISA = 'TSCast::Nginx';

    sub conf {
        my ($self) = @_;

        open my $in, '<', "$TSCast::ROOT/conf/signed-links.conf" or die $!;
        my $conf = do { local $/; <$in> };

        my $load = join '', map { "load_module $_;\n" }
                            TSCast::Nginx::modules(), TSCast::RTMP::modules();
        my $user = $> == 0 ? "user root;\n" : '';
        my $auth = $self->other_port('auth');

        $conf =~ s/^(load_module .*\n)+/$load${user}daemon off;/m or die;
        $conf =~ s/^worker_processes auto;/worker_processes 1;/m or die;
        $conf =~ s/(^error_log .*) notice;/$1 $self->{log};/m or die;

        for my $port (1935, 50001, 55001, 8090) {
            my $other = $self->other_port($port);

            $conf =~ s/listen \K(127.0.0.1:)?$port\b/127.0.0.1:$other/ or die;
            $conf =~ s/127.0.0.1:$port\b/127.0.0.1:$other/g;
        }

        $conf =~ s/127\.0\.0\.1:8089/127.0.0.1:$auth/ or die;
        $conf =~ s{listen 8088;}{
            listen 127.0.0.1:$self->{port};

            location = /tscast-alive {
                access_log off;
                return 200 "\$pid\\n";
            }
        } or die;

        return $conf;
    }
}


my $KEY = 'k3y-of-the-service';


# a service that knows HS256: 204 for a token of the stream that has not
# expired, else 401, or 403 for another stream

sub serve {
    my ($listen) = @_;

    while (my $c = $listen->accept) {
        my $head = '';

        while ($head !~ /\r\n\r\n/ && defined(my $line = <$c>)) {
            $head .= $line;
        }

        my ($stream) = $head =~ /^X-Stream: (\S+)\r/m;
        my ($token) = $head =~ /^X-Token: (\S+)\r/m;

        ($token) = $head =~ /^Authorization: Bearer (\S+)\r/m if !$token;

        print $c 'HTTP/1.0 ', judge($stream, $token // ''), " x\r\n",
              "Content-Length: 0\r\n\r\n";
        close $c;
    }
}


sub judge {
    my ($stream, $token) = @_;

    my ($head, $body, $sign) = $token =~ /^([\w-]+)\.([\w-]+)\.([\w-]+)$/
        or return 401;

    my $h = eval { decode_json(decode_base64url($head)) } or return 401;

    return 401 if ($h->{alg} // '') ne 'HS256' || $sign ne sign("$head.$body");

    my $b = eval { decode_json(decode_base64url($body)) } or return 401;

    return 401 if ($b->{exp} // 0) <= time;
    return 403 if ($b->{sub} // '') ne $stream;
    return 204;
}


sub sign {
    my ($text) = @_;

    return hmac_sha256_base64($text, $KEY) =~ tr{+/}{-_}r;
}


sub token {
    my ($stream, $exp, $alg) = @_;

    my $text = join '.', map { encode_base64url(encode_json($_)) }
                         { alg => $alg // 'HS256', typ => 'JWT' },
                         { sub => $stream, exp => $exp };

    return "$text." . sign($text);
}


sub signed {
    my ($path, $expires, $secret) = @_;

    my $sign = md5_base64("$expires$path $secret") =~ tr{+/}{-_}r;

    return "$path?expires=$expires&sign=$sign";
}


my $ngx = Shipped->new(workers => 1, log => 'notice');

TSCast::TLS::certificate($ngx->prefix, 'server');

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16,
                                   LocalPort => $ngx->other_port('auth'))
    or die $!;

my $service = TSCast::Publisher::background(sub { serve($listen) });

close $listen;

$ngx->start;

my $soon = time + 600;
my $past = time - 1;
my $bytes = TSCast::bytes('seconds=1');
my @secret = ('s3cr3t', $KEY);


sub publish {
    my ($path) = @_;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => $path);

    $p->send($bytes);
    push @secret, $1 if $path =~ /sign=(.*)/;

    return $p;
}


# statuses over HTTP and over WebSocket

sub watch {
    my ($path, @headers) = @_;

    my @v = map {
        TSCast::Reader->$_(port => $ngx->port, path => $path,
                           headers => \@headers)
    } qw(http ws);

    push @secret, $1 if "$path @headers" =~ /(?:sign=|token=|Bearer )(\S+)/;

    my $status = join ' ', map { $_->wait_head } @v;

    $_->close for @v;
    gone();

    return $status;
}


# nginx has seen that viewers have left, so that they do not count

sub gone {
    TSCast::Net::until_true(5, sub {
        TSCast::Status::get($ngx)->{viewers}{now} == 0
    }) or die 'viewers stay';
}


# who publishes

my $p = publish(signed('/push/cam', $soon, 's3cr3t-push'));

TSCast::Status::until_stream($ngx, 'live/cam', sub { $_[0]{live} });

is(publish(signed('/push/x', $soon, 's3cr3t-play'))->status, 403,
   'publishing with the other secret');
is(publish(signed('/push/x', $past, 's3cr3t-push'))->status, 410, 'too late');
is(publish('/push/x')->status, 403, 'without a signature');


# signed links

my $link = signed('/live/cam.ts', $soon, 's3cr3t-play');

is(watch($link), '200 101', 'a signed link');
is(watch(signed('/live/cam.ts', $past, 's3cr3t-play')), '410 410', 'too late');
is(watch(signed('/live/cam.ts', $soon, 'another')), '403 403',
   'another secret');
is(watch($link =~ s/cam/can/r), '403 403', 'for another stream');
is(watch($link =~ s/expires=\d+/'expires=' . ($soon + 1)/er), '403 403',
   'for longer');
is(watch('/live/cam.ts'), '403 403', 'no signature');
is(watch($link =~ s/expires=\d+&//r), '403 403', 'no time');
is(watch(signed('/live/none.ts', $soon, 's3cr3t-play')), '404 404',
   'a link to no stream');


# who is in, stays: the link may be used until it expires, and no longer

my $short = time + 2;
my $v = TSCast::Reader->http(port => $ngx->port,
                             path => signed('/live/cam.ts', $short,
                                            's3cr3t-play'));

is($v->wait_head, 200, 'a link for two seconds');

TSCast::Net::until_true(5, sub { time > $short });

is($p->send($bytes) && $v->wait_bytes(length($bytes) / 2) && !$v->{end}, 1,
   'it goes on when they are over');
$v->close;
gone();


# tokens

my $token = token('live/cam', $soon);

is(watch("/token/cam.ts?token=$token"), '200 101', 'a token');
is(watch('/token/cam.ts', "Authorization: Bearer $token"), '200 101',
   'in a header');
is(watch('/token/cam.ts'), '401 401', 'none');
is(watch('/token/cam.ts?token=' . token('live/cam', $past)), '401 401',
   'too late');
is(watch('/token/cam.ts?token=' . token('live/x', $soon)), '403 403',
   'for another stream');
is(watch('/token/cam.ts?token=' . token('live/cam', $soon, 'none')),
   '401 401', 'of no algorithm');
is(watch('/token/cam.ts?token=' . $token =~ s/\..*\./.eyJ9./r), '401 401',
   'altered');
is(watch('/auth'), '404 404', 'the service is nobody\'s business');


# addresses, connections of one address

is(watch('/local/cam.ts'), '200 101', 'an address of the list');

my @many = map {
    TSCast::Reader->$_(port => $ngx->port, path => $link)
} qw(http ws http ws);

is(join(' ', map { $_->wait_head } @many), '200 101 200 101',
   'four of one address');
is(join(' ', map {
    my $v = TSCast::Reader->$_(port => $ngx->port, path => $link);
    $v->wait_head;
} qw(http ws)), '429 429', 'and no more');

(pop @many)->close;
TSCast::Net::until_true(5, sub {
    TSCast::Status::get($ngx)->{viewers}{now} == 3
});
$v = TSCast::Reader->ws(port => $ngx->port, path => $link);
is($v->wait_head, 101, 'but for who has left');

$_->close for @many, $v;
is($p->finish->status, 204, 'the publisher ends well');
gone();


# RTMP and TLS: what tscast_auth asks for

sub arguments {
    my ($name, $expires, $secret) = @_;

    my $sign = md5_base64("${expires}live/$name $secret") =~ tr{+/}{-_}r;

    push @secret, $sign;

    return ($expires, $sign);
}


sub query { return sprintf 'expires=%s&sign=%s', arguments(@_) }
sub name { return join '.', $_[0], arguments(@_) }


sub rtmp {
    my ($node, $what, $name) = @_;

    my $c = TSCast::RTMP->new(port => $node->other_port(1935));

    $c->$what($name);

    return ($c, $c->status);
}


# bytes over TLS, from who shows this name

sub tls {
    my ($node, $port, $name, $send) = @_;

    my $sock = TSCast::TLS::dial($node->other_port($port), name => $name);

    TSCast::Net::put($sock, $send) if defined $send;

    return $sock;
}


sub doors {
    my ($node) = @_;

    my @tags = TSCast::FLV::make($node->prefix . '/a.flv', '-f', 'lavfi',
        '-i', 'testsrc2=size=64x64:rate=25', '-t', 1, '-c:v', 'libx264');

    my ($p, $status) = rtmp($node, 'publish', 'r?key=s3cr3t-studio');

    is($status, $TSCast::RTMP::START, 'a publisher with a key');
    $p->tags(@tags);

    for ('r2?key=s3cr3t-play', 'r2', 'r2?' . query('r2', $soon, 's3cr3t-play'))
    {
        my ($no, $status) = rtmp($node, 'publish', $_);

        is($status, $TSCast::RTMP::BAD_NAME, 'and none with ' . s/=.*/=/r);
        $no->close;
    }

    for (
        ['r?' . query('r', $soon, 's3cr3t-play'), 'Start', 'a signed link'],
        ['r?' . query('r', $past, 's3cr3t-play'), 'Failed', 'too late'],
        ['r?' . query('s', $soon, 's3cr3t-play'), 'Failed', 'another stream'],
        ['r?' . query('r', $soon, 's3cr3t-x'), 'Failed', 'another secret'],
        ['r?key=s3cr3t-studio', 'Failed', 'the key of who publishes'],
        ['r', 'Failed', 'nothing'],
    ) {
        my ($v, $status) = rtmp($node, 'play', $_->[0]);

        is($status, "NetStream.Play.$_->[1]", "play with $_->[2]");
        $v->close;
    }

    $p->finish;

    $p = tls($node, 50001, 't.key.s3cr3t-studio', $bytes);

    ok(TSCast::Status::until_stream($node, 'live/t', sub {
        $_[0]{publishers}{received} == length $bytes
    }), 'a publisher over TLS');

    my $no = tls($node, 50001, 'u.key.s3cr3t-x', $bytes);

    is(TSCast::Net::get($no), '', 'and none with another key');
    ok(!TSCast::Status::stream($node, 'live/u'), 'nothing was taken');

    for (
        [name('t', $soon, 's3cr3t-play'), 1, 'a signed name'],
        [name('t', $past, 's3cr3t-play'), 0, 'too late'],
        [name('t', $soon, 's3cr3t-x'), 0, 'another secret'],
        ['t.key.s3cr3t-studio', 0, 'the key of who publishes'],
        ['t', 0, 'nothing'],
    ) {
        my $v = tls($node, 55001, $_->[0]);
        my $got = TSCast::Net::get($v);

        is(defined $got && $got ne '' ? 1 : 0, $_->[1],
           "play over TLS with $_->[2]");
        close $v;
    }

    close $_ for $p, $no;

    TSCast::Net::until_true(5, sub {
        my $s = TSCast::Status::get($node);

        $s->{viewers}{now} + $s->{publishers}{now} == 0;
    });
}

doors($ngx);


# the service is gone: nobody is let in, and no log says what was asked

TSCast::Publisher::end($service);

is(watch("/token/cam.ts?token=$token"), '500 500', 'no service');

$ngx->stop;

my $logs = `cat @{[$ngx->prefix]}/logs/*`;

like($logs, qr{ PUBLISH live/r \d}, 'the log of RTMP has the stream');
like($logs, qr{GET /live/cam\.ts 200 live/cam }, 'the log has the stream');
like($logs, qr{GET /token/cam\.ts 403 }, 'and who was refused');
is(join(' ', grep { index($logs, $_) >= 0 } @secret), '',
   'but no secret, no signature and no token');


# the same at the level info

my $info = Shipped->new(workers => 1, log => 'info');

TSCast::TLS::certificate($info->prefix, 'server');
$info->start;
doors($info);
$info->stop;

$logs = `cat @{[$info->prefix]}/logs/*`;

like($logs, qr{\[info\].*viewer of "live/r" is refused}, 'at the level info');
is(join(' ', grep { index($logs, $_) >= 0 } @secret), '', 'there is none');

done_testing;
