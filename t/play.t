# Copyright (C) the tscast authors

use strict;
use warnings;

# Watching over plain HTTP.

use FindBin;
use lib "$FindBin::Bin/lib";

use TSCast;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(\&TSCast::preprocess);
no_long_string();
run_tests();


# the numbers of the first and last packet of a stream

sub main::span {
    my $c = TSCast::Check->new->feed($_[0]);

    my $faults = $c->faults(missing => 1) || 'good';

    return "$faults from $c->{low} to $c->{high}\n";
}

__DATA__

=== TEST 1: a viewer that joins late starts at the newest RAP
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam gop=2s seconds=6 ahead=3
--- request
GET /live/cam
--- response_body_filters eval: \&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 2: start=key of an ended stream: its last key frame
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam gop=2s seconds=5 bitrate=376000 fps=25
--- request
GET /live/cam
--- response_body_filters eval: \&main::span
--- response_body eval
# 10 packets a picture, 30 a key frame: 520 in each two seconds
"good from 1040 to 1309\n"



=== TEST 3: start=oldest of an ended stream: all of it
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam gop=2s seconds=5 bitrate=376000 fps=25
--- request
GET /live/cam
--- response_body_filters eval: \&main::span
--- response_body eval
"good from 0 to 1309\n"



=== TEST 4: start=live waits for the next key frame
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=live linger=0; }
--- publish: /push/cam gop=2s seconds=5 bitrate=376000 fps=25 ahead=3
--- request
GET /live/cam
--- response_body_filters eval: \&main::span
--- response_body eval
"good from 1040 to 1309\n"



=== TEST 5: start=live begins well
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=live linger=0; }
--- publish: /push/cam gop=2s seconds=5 ahead=3
--- request
GET /live/cam
--- response_body_filters eval: \&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 6: tables once at the start of the feed only
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam gop=2s seconds=5 psi=start
--- request
GET /live/cam
--- response_body_filters eval: \&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 7: headers
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ {
        tscast_play live/cam linger=0;
        add_header X-Stream $tscast_stream;
    }
--- publish: /push/cam
--- request
GET /live/cam
--- response_headers
Content-Type: video/mp2t
Cache-Control: no-store
Transfer-Encoding: chunked
X-Stream: live/cam
! Content-Length
! Content-Encoding
! Accept-Ranges
! ETag
! Last-Modified
--- response_body_like: ^G



=== TEST 8: HEAD
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam; }
--- publish: /push/cam
--- request
HEAD /live/cam
--- response_headers
Content-Type: video/mp2t
Cache-Control: no-store
--- response_body:



=== TEST 9: HEAD while it is published
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam; }
--- publish: /push/cam hold=1
--- request
HEAD /live/cam
--- response_headers
Content-Type: video/mp2t
--- response_body:



=== TEST 10: HTTP/1.0 has neither chunks nor length
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam
--- request
GET /live/cam HTTP/1.0
--- response_headers
! Transfer-Encoding
! Content-Length
Content-Type: video/mp2t
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 11: a range is not heeded
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam
--- request
GET /live/cam
--- more_headers
Range: bytes=0-187
--- response_headers
! Content-Range
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 12: 404 for a stream that is not there
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/cam; }
--- request
GET /live/cam
--- error_code: 404



=== TEST 13: HEAD of a stream that is not there
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/cam; }
--- request
HEAD /live/cam
--- error_code: 404



=== TEST 14: 405 for POST
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/cam; }
--- request
POST /live/cam
x
--- error_code: 405



=== TEST 15: 400 for a bad name
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
--- request
GET /live/a%20b
--- error_code: 400



=== TEST 16: a name in another zone is another stream
--- main_config
    tscast { zone live 4m; zone news 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play news/cam; }
--- publish: /push/cam
--- request
GET /live/cam
--- error_code: 404



=== TEST 17: Upgrade to something else is a plain request
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam
--- request
GET /live/cam
--- more_headers
Upgrade: h2c
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 18: gzip does not touch it
--- main_config
    tscast { zone live 4m; }
--- http_config
    gzip on;
    gzip_types *;
    gzip_min_length 0;
    gzip_http_version 1.0;
    gzip_proxied any;
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam
--- request
GET /live/cam
--- more_headers
Accept-Encoding: gzip
--- response_headers
! Content-Encoding
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 19: a second publisher's feed follows the first's
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish
/push/cam seconds=1 bitrate=376000
/push/cam seconds=2 bitrate=376000 serial=9000
--- request
GET /live/cam
--- response_body_filters eval: \&main::span
--- response_body eval
# 260 packets a second, and 20 more for each of its key frames
"good from 0 to 9539\n"



=== TEST 20: garbage between packets is dropped
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- init
my $b = TSCast::bytes('seconds=1');
my $p = TSCast::Publisher->new(port => $ENV{TEST_NGINX_PORT}, path => '/push/');
$p->send(substr($b, 0, 188 * 100) . 'garbage' x 99 . substr($b, 188 * 100));
Test::More::is($p->finish->status, 204);
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=1')



=== TEST 21: garbage before the first packet as well
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- init
my $b = TSCast::bytes('seconds=1');
my $p = TSCast::Publisher->new(port => $ENV{TEST_NGINX_PORT}, path => '/push/');
$p->send('x' x 1000 . $b);
Test::More::is($p->finish->status, 204);
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=1')
