# Copyright (C) the tscast authors

use strict;
use warnings;

# Publishing over HTTP: each status, and what comes out is what went in.

use FindBin;
use lib "$FindBin::Bin/lib";

use TSCast;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(\&TSCast::preprocess);
no_long_string();
run_tests();

__DATA__

=== TEST 1: POST, chunked
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam seconds=2
--- request
GET /live/cam
--- response_headers
Content-Type: video/mp2t
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=2')



=== TEST 2: PUT, with Content-Length
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam seconds=2 method=PUT length=1
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=2')



=== TEST 3: chunks of a byte
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam seconds=1 bitrate=100000 split=1
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=1 bitrate=100000')



=== TEST 4: chunks of a packet less one
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam seconds=2 split=187
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=2')



=== TEST 5: a length, in pieces of a prime
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam seconds=2 split=4099 length=1
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=2')



=== TEST 6: HEVC
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam seconds=2 gop=0.4 codec=hevc rai=0
--- request
GET /live/cam
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 7: MPEG-2
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam seconds=2 gop=0.4 codec=mpeg2 rai=0
--- request
GET /live/cam
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 8: H.264 with random_access_indicator nowhere
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam seconds=2 gop=0.4 rai=0
--- request
GET /live/cam
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 9: audio only
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam seconds=4 codec=none
--- request
GET /live/cam
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 10: the name is free when the body has ended
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish
/push/cam seconds=1
/push/cam seconds=2
--- request
GET /live/cam
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 11: two names at once
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ {
        tscast_play live/$stream start=oldest linger=0;
    }
--- publish
/push/one seconds=1 hold=1
/push/two seconds=2 serial=5000
--- request
GET /live/two
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('seconds=2 serial=5000')



=== TEST 12: 405 for GET
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
--- request
GET /push/cam
--- error_code: 405



=== TEST 13: 405 for DELETE
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
--- request
DELETE /push/cam
--- error_code: 405



=== TEST 14: 411 without a length and without chunks
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
--- raw_request eval
"POST /push/cam HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- error_code: 411



=== TEST 15: 411 over HTTP/1.0 as well
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
--- raw_request eval
"PUT /push/cam HTTP/1.0\r\n\r\n"
--- error_code: 411



=== TEST 16: 400 for a name with a blank
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
--- request
POST /push/a%20b
xxxx
--- error_code: 400
--- error_log
invalid stream name "a%20b"



=== TEST 17: 400 for a name with a slash
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
--- request
POST /push/a/b
xxxx
--- error_code: 400



=== TEST 18: 400 for no name at all
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/$arg_name; }
--- request
POST /push/
xxxx
--- error_code: 400



=== TEST 19: a name of 128 bytes is allowed
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
--- init
TSCast::publish('/push/' . 'Az09._~-' x 16);
--- request eval
'GET /live/' . 'Az09._~-' x 16
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 20: one of 129 is not
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
--- request eval
'POST /push/' . 'x' x 129 . "\nxxxx"
--- error_code: 400



=== TEST 21: 409 for a name that is published already
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
--- publish: /push/cam hold=1
--- request
POST /push/cam
xxxx
--- error_code: 409
--- error_log
live/cam



=== TEST 22: 415 for 64k without sync
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
--- request eval
"POST /push/cam\n" . 'x' x 70000
--- error_code: 415
--- error_log
live/cam



=== TEST 23: 415 is no stream
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam; }
--- request eval
["POST /push/cam\n" . 'x' x 70000, 'GET /live/cam']
--- error_code eval
[415, 404]






=== TEST 24: no limit of the body
--- main_config
    tscast { zone live 8m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
--- publish: /push/cam seconds=3 gop=0.1 bitrate=100000000 length=1
--- request
GET /live/cam
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 25: an answer has nothing but its status
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
--- raw_request eval
my $b = TSCast::bytes('seconds=1');
"PUT /push/cam HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. 'Content-Length: ' . length($b) . "\r\n\r\n$b"
--- error_code: 204
--- response_body:
