# Copyright (C) the tscast authors

use strict;
use warnings;

# What else nginx can do around a stream: it works, or it is refused.

use FindBin;
use lib "$FindBin::Bin/lib";

use TSCast;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(\&TSCast::preprocess);
no_long_string();
run_tests();

__DATA__

=== TEST 1: add_header always, for CORS
--- main_config
    tscast { zone live 4m; }
--- config
    add_header Access-Control-Allow-Origin * always;
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam
--- request
GET /live/cam
--- response_headers
Access-Control-Allow-Origin: *
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 2: also where there is no stream
--- main_config
    tscast { zone live 4m; }
--- config
    add_header Access-Control-Allow-Origin * always;
    location /live/ { tscast_play live/cam; }
--- request
GET /live/cam
--- error_code: 404
--- response_headers
Access-Control-Allow-Origin: *



=== TEST 3: a preflight
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ {
        if ($request_method = OPTIONS) {
            add_header Access-Control-Allow-Methods "GET, HEAD";
            return 204;
        }

        tscast_play live/cam;
    }
--- request
OPTIONS /live/cam
--- error_code: 204
--- response_headers
Access-Control-Allow-Methods: GET, HEAD



=== TEST 4: sub_filter
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ {
        sub_filter_types *;
        sub_filter vvvv wwww;
        tscast_play live/cam start=oldest linger=0;
    }
--- publish: /push/cam
--- request
GET /live/cam
--- response_headers
! Content-Length
--- response_body_like: ^G



=== TEST 5: auth_request
--- main_config
    tscast { zone live 4m; }
--- config
    location = /check { internal; return 204; }
    location /push/ { tscast_ingest live/cam; }
    location /live/ {
        auth_request /check;
        tscast_play live/cam start=oldest linger=0;
    }
--- publish: /push/cam
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 6: auth_request of a publisher
--- main_config
    tscast { zone live 4m; }
--- config
    location = /check { internal; return 204; }
    location /push/ {
        auth_request /check;
        tscast_ingest live/cam;
    }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 7: error_page to something that is there
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ {
        error_page 404 = /off;
        tscast_play live/cam;
    }
    location = /off { return 200 "off air\n"; }
--- request
GET /live/cam
--- response_body
off air



=== TEST 8: error_page to another stream
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/slate; }
    location /live/ {
        error_page 404 = /slate;
        tscast_play live/cam;
    }
    location = /slate { tscast_play live/slate start=oldest linger=0; }
--- publish: /push/slate
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 9: rewrite
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location ~ ^/live/(?<stream>.+)$ {
        tscast_play live/$stream start=oldest linger=0;
    }
    rewrite ^/old/(.+)$ /live/$1;
--- publish: /push/cam
--- request
GET /old/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 10: the name from a map
--- main_config
    tscast { zone live 4m; }
--- http_config
    map $arg_key $stream {
        abc      cam;
        default  "";
    }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live { tscast_play live/$stream start=oldest linger=0; }
--- publish: /push/cam
--- request eval
['GET /live?key=abc', 'GET /live?key=abd']
--- error_code eval
[200, 400]



=== TEST 11: limit_conn
--- main_config
    tscast { zone live 4m; }
--- http_config
    limit_conn_zone $tscast_stream$uri zone=viewers:64k;
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ {
        limit_conn viewers 1;
        tscast_play live/cam start=oldest linger=0;
    }
--- publish: /push/cam
--- request
GET /live/cam
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 12: as a subrequest it is refused
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam linger=0; }
    location /page { auth_request /live/cam; return 200 "ok\n"; }
    location /other { auth_request /live/cam; root html; }
--- publish: /push/cam
--- request
GET /other
--- error_code_like: ^(403|404|405|500)$



=== TEST 13: expires and etag leave no-store alone
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ {
        etag on;
        tscast_play live/cam start=oldest linger=0;
    }
--- publish: /push/cam
--- request
GET /live/cam
--- more_headers
If-None-Match: *
If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT
--- response_headers
Cache-Control: no-store
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 14: through nginx's own proxy
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
    location /proxy/ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/live/;
        proxy_buffering off;
        proxy_http_version 1.1;
    }
--- publish: /push/cam
--- request
GET /proxy/cam
--- response_headers
Content-Type: video/mp2t
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 15: a body with a GET is thrown away
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ { tscast_play live/cam start=oldest linger=0; }
--- publish: /push/cam
--- request
GET /live/cam
some bytes that nobody wants
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')



=== TEST 16: a query and a fragment of path_info are no part of the name
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>[^/]+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>[^/]+)\.ts$ {
        tscast_play live/$stream start=oldest linger=0;
    }
--- publish: /push/cam?token=x
--- request
GET /live/cam.ts?t=1
--- response_body_filters: md5_hex
--- response_body eval
TSCast::md5('')
