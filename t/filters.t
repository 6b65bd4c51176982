# Copyright (C) the tscast authors

use strict;
use warnings;

# What nginx can put before, around and behind a stream, over HTTP/1.0, 1.1
# and 2: it works, or does nothing, or is refused with a reason.

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $built = TSCast::Nginx::built();
my $h2 = $built =~ /--with-http_v2_module/;

# modules that this nginx may not have

my %has = map { $_ => scalar $built =~ /--with-http_${_}_module/ }
          qw(sub addition auth_request);

my $sub = $has{sub} ? <<'END_OF_CONF' : '';
        location /sub/ {
            sub_filter_types *;
            sub_filter_once off;
            sub_filter vvvvvvvv wwwwwwww;
            tscast_play live/cam start=oldest linger=0;
        }
        location /subrate/ {
            sub_filter_types *;
            sub_filter_once off;
            sub_filter vvvvvvvv wwwwwwww;
            limit_rate 40k;
            tscast_play live/cam start=oldest linger=0;
        }
END_OF_CONF

my $addition = $has{addition} ? <<'END_OF_CONF' : '';
        location /added/ {
            addition_types *;
            add_before_body /text;
            add_after_body /text;
            tscast_play live/cam start=oldest linger=0;
        }
        location = /adds {
            add_after_body /plain/;
            default_type text/html;
            return 200 "page\n";
        }
END_OF_CONF

my $auth = $has{auth_request} ? <<'END_OF_CONF' : '';
        location = /yes { internal; return 204; }
        location = /no { internal; return 403; }
        location /authyes/ {
            auth_request /yes;
            tscast_play live/cam start=oldest linger=0;
        }
        location /authno/ {
            auth_request /no;
            tscast_play live/cam start=oldest linger=0;
        }
        location /pushyes/ {
            auth_request /yes;
            tscast_ingest live/yes;
        }
        location /pushno/ {
            auth_request /no;
            tscast_ingest live/no;
        }
        location = /asked.html {
            auth_request /plain/;
            root $PREFIX/html;
        }
END_OF_CONF

# the location that conf/demo.conf shows

open my $in, '<', "$TSCast::ROOT/conf/demo.conf" or die $!;

my ($demo) = do { local $/; <$in> }
             =~ /^ {8}(location ~ \^\/live\/.*?^ {8}\})/ms or die;

close $in;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m window=60s;',
    http => <<'END_OF_CONF',
        limit_conn_zone $uri zone=conn:64k;
        limit_req_zone $uri zone=req:64k rate=5r/s;
        sendfile on;
        tcp_nopush on;
        output_buffers 2 1k;
END_OF_CONF
    server => ($h2 ? 'listen 127.0.0.1:$PORT_1 http2;' : '') . $demo
              . $sub . $addition . $auth . <<'END_OF_CONF',

        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location /plain/ { tscast_play live/cam start=oldest linger=0; }

        location /gzip/ {
            gzip on;
            gzip_types *;
            gzip_min_length 0;
            gzip_http_version 1.0;
            gzip_proxied any;
            gzip_vary on;
            tscast_play live/cam start=oldest linger=0;
        }
        location /ssi/ {
            ssi on;
            ssi_types *;
            tscast_play live/cam start=oldest linger=0;
        }
        location /charset/ {
            charset utf-8;
            charset_types *;
            tscast_play live/cam start=oldest linger=0;
        }
        location /rate/ {
            limit_rate 40k;
            tscast_play live/cam start=oldest linger=0;
        }
        location /raw/ {
            chunked_transfer_encoding off;
            tscast_play live/cam start=oldest linger=0;
        }
        location /req/ {
            limit_req zone=req burst=20;
            tscast_play live/cam start=oldest linger=0;
        }
        location /trailer/ {
            add_trailer X-Sent $tscast_sent;
            tscast_play live/cam start=oldest linger=0;
        }
        location /if/ {
            if ($arg_key = other) {
                tscast_play live/other start=oldest linger=0;
            }

            tscast_play live/cam start=oldest linger=0;
        }
        location /named/ { try_files /none @named; }
        location @named { tscast_play live/cam start=oldest linger=0; }

        location = /text {
            default_type text/html;
            return 200 "some text\n";
        }
        location = /page.html {
            ssi on;
            default_type text/html;
            root $PREFIX/html;
        }
        location /mirror/ {
            mirror /plain/;
            mirror_request_body off;
            tscast_play live/cam start=oldest linger=0;
        }

        location /pages/ {
            error_page 404 405 /text;
            error_page 409 415 /refused;
            tscast_ingest live/pages;
            tscast_play live/none;
        }
        location = /refused { return 200 "refused\n"; }
        location /instead/ {
            error_page 404 = @named;
            error_page 405 = /plain/;
            tscast_play live/none;
        }
        location /backup/ {
            error_page 409 415 = @backup;
            tscast_ingest live/taken;
        }
        location @backup { tscast_ingest live/backup; }
        location /mirrored/ {
            mirror /text;
            tscast_ingest live/mirrored;
        }

        location /except/ {
            tscast_ingest live/except;
            tscast_play live/cam start=oldest linger=0;
            limit_except GET { deny all; }
        }
        location /doors/ {
            tscast_play live/cam start=oldest linger=0;
            limit_except GET { tscast_ingest live/doors; }
        }
        location /any/ {
            satisfy any;
            deny all;
            auth_basic here;
            auth_basic_user_file $PREFIX/passwords;
            tscast_ingest live/any;
            tscast_play live/cam start=oldest linger=0;
        }

        location /two/ {
            limit_conn conn 2;
            tscast_play live/stays;
        }
        location ~ ^/one/(?<stream>.+)$ {
            limit_conn conn 1;
            tscast_ingest live/$stream;
        }
END_OF_CONF
);

$ngx->write_file('passwords', "user:{PLAIN}secret\n");
$ngx->write_file('html/page.html',
                 'before <!--#include virtual="/plain/" --> after');
$ngx->write_file('html/asked.html', 'never');
$ngx->start;

my $port = $ngx->port;
my $bytes = TSCast::bytes('seconds=2');
my $other = TSCast::bytes('seconds=1 filler=o');
my @versions = ('1.0', '1.1', $h2 ? '2' : ());


sub publish {
    my ($path, $bytes, %opt) = @_;

    my $p = TSCast::Publisher->new(port => $port, path => $path, %opt);

    $p->send($bytes);

    my $status = $p->finish->status;

    $p->close;

    return $status;
}


# a response: over HTTP/1.x or 2, to the end

sub fetch {
    my ($version, $path, %opt) = @_;

    my @headers = @{$opt{headers} || []};
    my $method = $opt{method} || 'GET';

    if ($version eq '2') {
        my $c = TSCast::HTTP2->new(port => $ngx->other_port(1),
                                   window => 1_000_000);
        my $v = $c->request($path, method => $method, headers =>
                            [map { /^(\S+): (.*)$/ ? (lc $1, $2) : () }
                             @headers]);

        $v->wait_end($opt{seconds});
        $c->close;

        return $v;
    }

    my $v = TSCast::Reader->http(port => $port, path => $path,
                                 method => $method, version => $version,
                                 headers => \@headers);

    $v->wait_end($opt{seconds});
    $v->close;

    return $v;
}


# how far two strings are the same

sub same {
    my ($got, $wanted) = @_;

    return 'the same' if $got eq $wanted;

    my ($alike) = ($got ^ $wanted) =~ /\A(\0*)/;

    return sprintf '%d bytes, not %d, the first %d the same', length $got,
                   length $wanted, length $alike;
}


is(publish('/push/cam', $bytes), 204, 'published');
is(publish('/push/other', $other), 204, 'another one');

# the body

(my $replaced = $bytes) =~ s/v{8}/wwwwwwww/g;

my @bodies = (
    ['/plain/', $bytes], ['/gzip/', $bytes], ['/ssi/', $bytes],
    ['/charset/', $bytes], ['/rate/', $bytes], ['/raw/', $bytes],
    ['/req/', $bytes], ['/trailer/', $bytes], ['/if/', $bytes],
    ['/if/?key=other', $other], ['/named/', $bytes], ['/mirror/', $bytes],
    ['/instead/', $bytes],
);

push @bodies, ['/sub/', $replaced], ['/subrate/', $replaced] if $has{sub};
push @bodies, ['/added/', "some text\n${bytes}some text\n"]
    if $has{addition};
push @bodies, ['/authyes/', $bytes] if $has{auth_request};

for my $row (@bodies) {
    my ($path, $wanted) = @$row;

    for my $version (@versions) {
        my $start = time;
        my $v = fetch($version, $path, headers => ['Accept-Encoding: gzip']);
        my $name = "$path, HTTP/$version";

        is($v->{status}, 200, $name);
        is($v->{end}, $v->{mode} && $v->{mode} eq 'close' ? 'eof' : 'complete',
           'to its end');
        is(same($v->{body}, $wanted), 'the same', 'byte for byte');
        is($v->{h}{'content-encoding'}, undef, 'as it is')
            if $path eq '/gzip/';
        cmp_ok(time - $start, '<', 3, 'limit_rate does not act')
            if $path =~ /rate/;
        is($v->{trailer}, 'X-Sent: ' . length($bytes) . "\r\n", 'and a trailer')
            if $path eq '/trailer/' && $version eq '1.1';
        ok(!$v->{h}{'transfer-encoding'}, 'without chunks')
            if $path eq '/raw/' || $version eq '1.0';
    }
}

# WebSocket does not mind any of them

for my $path (map { $_->[0] } grep { $_->[0] ne '/if/?key=other' } @bodies) {
    my $v = TSCast::Reader->ws(port => $port, path => $path,
                               headers => ['Accept-Encoding: gzip']);

    $v->wait_end;
    is("$v->{status} $v->{end} " . same($v->{body}, $bytes),
       '101 complete the same', "$path: WebSocket");
    is("@{$v->{faults}}", '', 'without a fault');
    $v->close;
}

# CORS

for my $version (@versions) {
    my $live = fetch($version, '/live/none.ts');

    is($live->{status}, 404, "demo.conf, HTTP/$version");
    is($live->{h}{'access-control-allow-origin'}, '*', 'for every page')
        if $version ne '2';

    my $ask = fetch($version, '/live/cam.ts', method => 'OPTIONS', headers => [
        'Origin: http://elsewhere', 'Access-Control-Request-Method: GET']);

    is($ask->{status}, 204, 'a preflight');
    is($ask->{h}{'access-control-allow-origin'}, '*', 'is answered')
        if $version ne '2';
    is($ask->{h}{'access-control-allow-methods'}, 'GET, HEAD',
       'with the methods') if $version ne '2';
}

# who may

for my $version (@versions) {
    last if !$has{auth_request};

    is(fetch($version, '/authno/')->{status}, 403,
       "auth_request refuses, HTTP/$version");
}

if ($has{auth_request}) {
    is(publish('/pushyes/', $bytes), 204, 'auth_request: a publisher');

    my $v = TSCast::Reader->ws(port => $port, path => '/authno/');

    is($v->wait_head, 403, 'auth_request refuses a WebSocket');
    $v->close;

    my $p = TSCast::Publisher->new(port => $port, path => '/pushno/');

    $p->send($bytes);
    is($p->status, 403, 'auth_request refuses a publisher');
    ok(defined $p->closed_within(2.5), 'who is closed soon');
    $p->close;
}

my $password = 'Authorization: Basic ' . encode_base64('user:secret', '');
my $wrong = 'Authorization: Basic ' . encode_base64('user:wrong', '');

for my $version (@versions) {
    is(fetch($version, '/any/')->{status}, 401,
       "satisfy any: nothing, HTTP/$version");
    is(fetch($version, '/any/', headers => [$wrong])->{status}, 401,
       'a wrong password');

    my $v = fetch($version, '/any/', headers => [$password]);

    is(same($v->{body}, $bytes), 'the same', 'the right one');
}

is(publish('/any/', $bytes, headers => [$password]), 204,
   'satisfy any: a publisher');

is(publish('/except/', $bytes), 403, 'limit_except: not this method');
is(same(fetch('1.1', '/except/')->{body}, $bytes), 'the same', 'but that one');

is(publish('/doors/', $bytes), 204, 'limit_except: in by one method');
is(same(fetch('1.1', '/doors/')->{body}, $bytes), 'the same',
   'out by the other');

# error pages

for my $version (@versions) {
    my $v = fetch($version, '/pages/');

    is("$v->{status} $v->{body}", "404 some text\n",
       "error_page of 404, HTTP/$version");

    $v = fetch($version, '/pages/', method => 'DELETE');
    is("$v->{status} $v->{body}", "405 some text\n", 'of 405');

    $v = fetch($version, '/instead/', method => 'DELETE');
    is(same($v->{body}, $bytes), 'the same', 'of 405: a stream');
}

{
    my $p = TSCast::Publisher->new(port => $port, path => '/pages/');

    $p->send("\x01" x 70_000);
    is($p->status, 415, 'error_page of 415');
    ok(defined $p->closed_within(2.5), 'and closed');
    like($p->{in}, qr/\r\n\r\n(?:8\r\n)?refused\n/, 'with the page');
    $p->close;

    $p = TSCast::Publisher->new(port => $port, path => '/pages/');
    $p->send($bytes);

    my $q = TSCast::Publisher->new(port => $port, path => '/pages/');

    $q->send($bytes);
    is($q->status, 409, 'of 409');
    ok(defined $q->closed_within(2.5), 'and closed');
    is($p->finish->status, 204, 'the first publisher goes on');
    $_->close for $p, $q;
}

# a second publisher is given another name

{
    my $p = TSCast::Publisher->new(port => $port, path => '/push/taken');

    $p->send($bytes);
    is(publish('/backup/', $bytes), 204, 'error_page to another door');

    my $v = fetch('1.1', '/live/backup.ts', seconds => 0.3);

    is($v->{status}, 200, 'where it is watched');
    is($p->finish->status, 204, 'the first one is where it was');
    $p->close;

    # a body that somebody has begun to read is no stream any more

    for (1 .. 20) {
        $p = TSCast::Publisher->new(port => $port, path => '/backup/');
        $p->send("\x01" x 200_000);
        last if $p->finish->status != 500;
        $p->close;
    }

    is($p->status, 500, 'not when a part of it is gone');
    $p->close;

    is(publish('/mirrored/', TSCast::bytes('seconds=4 bitrate=4000000')), 500,
       'nor to a location that reads it first');
    ok($ngx->wait_log(qr/\[error\].* body /), 'and the log says why');
}

# a part of a page cannot be a stream

for my $version (@versions) {
    my $v = fetch($version, '/page.html');

    is($v->{status}, 200, "a page that includes a stream, HTTP/$version");
    like($v->{body}, qr/^before .* after$/s, 'comes');
    cmp_ok(length $v->{body}, '<', 1000, 'without it');

    if ($has{addition}) {
        $v = fetch($version, '/adds');
        like($v->{body}, qr/^page\n/, 'so does one with it at its end');
        cmp_ok(length $v->{body}, '<', 1000, 'without it');
    }

    is(fetch($version, '/asked.html')->{status}, 500,
       'nor can it say yes or no')
        if $has{auth_request};
}

ok($ngx->wait_log(qr/\[error\].*a stream cannot be served by a subrequest/),
   'and the log says so');

# limits of connections: whoever leaves makes room

{
    my $p = TSCast::Publisher->new(port => $port, path => '/push/stays');

    $p->send($bytes);

    my $first = sub {
        my ($how) = @_;

        my $v;

        TSCast::Net::until_true(3, sub {
            $v = TSCast::Reader->$how(port => $port, path => '/two/',
                                      keep => 0);
            $v->wait_head =~ /^(200|101)$/ ? 1 : do { $v->close; 0 };
        });

        return $v;
    };

    for my $leave (qw(close abort say_close)) {
        my @v = map { $first->($leave eq 'say_close' ? 'ws' : $_) } qw(http ws);

        is(join(' ', map { $_->{end} // 'on' } @v), 'on on', 'two viewers');
        is(fetch($_, '/two/', seconds => 1)->{status}, 503,
           "are enough for HTTP/$_") for @versions;

        $_->$leave for @v;
        $_->wait_end(2) for @v;
        $_->close for @v;
    }

    my $v = $first->('http');

    is($v->{status}, 200, 'and all of them leave again');
    $_->close for $v;
    is($p->finish->status, 204, 'the publisher goes on meanwhile');
    $p->close;

    for my $leave (qw(finish abort close)) {
        my $p;

        TSCast::Net::until_true(3, sub {
            $p = TSCast::Publisher->new(port => $port, path => '/one/pub');
            $p->send($bytes);
            !defined $p->status(0.1);
        });

        my $q = TSCast::Publisher->new(port => $port, path => '/one/pub');

        $q->send($bytes);
        is($q->status, 503, 'one publisher is enough');
        ok(defined $q->closed_within(2.5), 'the other is closed soon');
        $p->$leave;
        $_->close for $p, $q;
    }

    my $status;

    TSCast::Net::until_true(3, sub {
        ($status = publish('/one/pub', $bytes)) == 204
    });
    is($status, 204, 'until it leaves');
}

$ngx->stop;
done_testing;
