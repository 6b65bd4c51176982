# Copyright (C) the tscast authors

use strict;
use warnings;

# Every directive with a good, a bad and a duplicate value.

use FindBin;
use lib "$FindBin::Bin/lib";

use TSCast;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(\&TSCast::preprocess);
no_long_string();
run_tests();

__DATA__

=== TEST 1: a zone
--- main_config
    tscast { zone live 4m; }
--- config
--- request
GET /



=== TEST 2: a zone with all of its parameters
--- main_config
    tscast { zone live 8m window=5s buffer=2m; }
--- config
--- request
GET /



=== TEST 3: two zones
--- main_config
    tscast {
        zone live 4m;
        zone news 4m window=500ms;
    }
--- config
    location /a { tscast_play live/cam; }
    location /b { tscast_play news/cam; }
--- request
GET /



=== TEST 4: an empty block
--- main_config
    tscast { }
--- config
--- request
GET /



=== TEST 5: no block
--- config
--- request
GET /



=== TEST 6: two blocks
--- main_config
    tscast { zone live 4m; }
    tscast { zone news 4m; }
--- config
--- must_die
--- error_log
"tscast" directive is duplicate



=== TEST 7: a block elsewhere
--- http_config
    tscast { zone live 4m; }
--- config
--- must_die
--- error_log
"tscast" directive is not allowed here



=== TEST 8: an unknown directive in the block
--- main_config
    tscast { zoen live 4m; }
--- config
--- must_die
--- error_log
unknown directive "zoen"



=== TEST 9: the same zone twice
--- main_config
    tscast {
        zone live 4m;
        zone live 4m;
    }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"live" is duplicate/



=== TEST 10: a zone without a size
--- main_config
    tscast { zone live; }
--- config
--- must_die
--- error_log
invalid number of arguments in "zone" directive



=== TEST 11: a size that is none
--- main_config
    tscast { zone live many; }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"many"/



=== TEST 12: a zone too small for one stream; the message has a size that works
--- main_config
    tscast { zone live 64k; }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"live".*(too small|at least).*\d+/



=== TEST 13: a window that is none
--- main_config
    tscast { zone live 4m window=soon; }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"window=soon"/



=== TEST 14: a window of nothing
--- main_config
    tscast { zone live 4m window=0; }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"window=0"/



=== TEST 15: a buffer that is none
--- main_config
    tscast { zone live 4m buffer=big; }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"buffer=big"/



=== TEST 16: a buffer larger than its zone
--- main_config
    tscast { zone live 4m buffer=8m; }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*buffer/



=== TEST 17: a parameter that zone does not have
--- main_config
    tscast { zone live 4m x=y; }
--- config
--- must_die
--- error_log
invalid parameter "x=y"



=== TEST 18: tscast_ingest with all of its parameters
--- main_config
    tscast { zone live 4m; }
--- config
    location ~ ^/push/(?<stream>.+)$ {
        tscast_ingest live/$stream takeover=on timeout=5s;
    }
--- publish: /push/cam
--- request
GET /



=== TEST 19: tscast_ingest without an address
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest; }
--- must_die
--- error_log
invalid number of arguments in "tscast_ingest" directive



=== TEST 20: tscast_ingest twice
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ {
        tscast_ingest live/a;
        tscast_ingest live/b;
    }
--- must_die
--- error_log
"tscast_ingest" directive is duplicate



=== TEST 21: tscast_ingest into a zone that nobody declared
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest news/a; }
--- must_die
--- error_log
zero size shared memory zone "tscast:news"



=== TEST 22: tscast_ingest with an address without a name
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live; }
--- must_die
--- error_log eval
qr/\[emerg\].*"live"/



=== TEST 23: tscast_ingest with an empty name
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/; }
--- must_die
--- error_log eval
qr{\[emerg\].*"live/"}



=== TEST 24: tscast_ingest with a variable for a zone
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest $arg_zone/cam; }
--- must_die
--- error_log eval
qr/\[emerg\]/



=== TEST 25: takeover=maybe
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/a takeover=maybe; }
--- must_die
--- error_log eval
qr/\[emerg\].*"takeover=maybe"/



=== TEST 26: takeover=off
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/a takeover=off; }
--- request
GET /



=== TEST 27: tscast_ingest timeout=never
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/a timeout=never; }
--- must_die
--- error_log eval
qr/\[emerg\].*"timeout=never"/



=== TEST 28: a parameter that tscast_ingest does not have
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/a x=y; }
--- must_die
--- error_log
invalid parameter "x=y"



=== TEST 29: tscast_ingest in server
--- main_config
    tscast { zone live 4m; }
--- config
    tscast_ingest live/a;
--- must_die
--- error_log
"tscast_ingest" directive is not allowed here



=== TEST 30: tscast_play with all of its parameters
--- main_config
    tscast { zone live 4m; }
--- config
    location /push/ { tscast_ingest live/cam; }
    location /live/ {
        tscast_play live/cam start=oldest lag=drop flush=0 linger=0 ping=10s;
    }
--- publish: /push/
--- request
GET /live/
--- response_body_filters eval
\&TSCast::describe
--- response_body
pid 0 first, 0 discontinuities



=== TEST 31: the other values of tscast_play
--- main_config
    tscast { zone live 4m; }
--- config
    location /a { tscast_play live/a start=key lag=skip flush=100ms linger=1m; }
    location /b { tscast_play live/b start=live; }
--- request
GET /



=== TEST 32: tscast_play without an address
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play; }
--- must_die
--- error_log
invalid number of arguments in "tscast_play" directive



=== TEST 33: tscast_play twice
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ {
        tscast_play live/a;
        tscast_play live/b;
    }
--- must_die
--- error_log
"tscast_play" directive is duplicate



=== TEST 34: tscast_play from a zone that nobody declared
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play news/a; }
--- must_die
--- error_log
zero size shared memory zone "tscast:news"



=== TEST 35: start=middle
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a start=middle; }
--- must_die
--- error_log eval
qr/\[emerg\].*"start=middle"/



=== TEST 36: lag=wait
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a lag=wait; }
--- must_die
--- error_log eval
qr/\[emerg\].*"lag=wait"/



=== TEST 37: flush=soon
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a flush=soon; }
--- must_die
--- error_log eval
qr/\[emerg\].*"flush=soon"/



=== TEST 38: linger=long
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a linger=long; }
--- must_die
--- error_log eval
qr/\[emerg\].*"linger=long"/



=== TEST 39: ping=pong
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a ping=pong; }
--- must_die
--- error_log eval
qr/\[emerg\].*"ping=pong"/



=== TEST 40: a parameter that tscast_play does not have
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a x=y; }
--- must_die
--- error_log
invalid parameter "x=y"



=== TEST 41: the variables are known, and empty where there is no stream
--- main_config
    tscast { zone live 4m; }
--- config
    location /x {
        return 200 "[$tscast_stream][$tscast_sent][$tscast_skipped]";
    }
--- request
GET /x
--- response_body_like: ^\[-?\]\[[-0]?\]\[[-0]?\]$



=== TEST 42: an unknown variable of ours
--- main_config
    tscast { zone live 4m; }
--- config
    location /x { return 200 "$tscast_nothing"; }
--- must_die
--- error_log
unknown "tscast_nothing" variable



=== TEST 43: a status
--- main_config
    tscast { zone live 4m; }
--- config
    location = /status { tscast_status; }
--- request
GET /status
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body_like: ^\{"node":".*"streams":\[\]\}$



=== TEST 44: a status without a zone
--- config
    location = /status { tscast_status; }
--- request
GET /status
--- response_body_like: "zones":\[\]



=== TEST 45: a status has no parameters
--- main_config
    tscast { zone live 4m; }
--- config
    location = /status { tscast_status on; }
--- must_die
--- error_log
invalid number of arguments in "tscast_status" directive



=== TEST 46: a second status in a location
--- main_config
    tscast { zone live 4m; }
--- config
    location = /status { tscast_status; tscast_status; }
--- must_die
--- error_log
"tscast_status" directive is duplicate



=== TEST 47: a status outside of a location
--- main_config
    tscast { zone live 4m; }
--- config
    tscast_status;
--- must_die
--- error_log
"tscast_status" directive is not allowed here



=== TEST 48: formats of tscast_play
--- main_config
    tscast { zone live 4m; }
--- config
    location /a { tscast_play live/a format=ts; }
    location /b { tscast_play live/b format=flv; }
    location /c { tscast_play live/c format=flv flv_time=zero; }
    location /d { tscast_play live/d format=flv flv_time=stream; }
--- request
GET /b
--- error_code: 404



=== TEST 49: format=mp4
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a format=mp4; }
--- must_die
--- error_log
invalid parameter "format=mp4"



=== TEST 50: flv_time=now
--- main_config
    tscast { zone live 4m; }
--- config
    location /live/ { tscast_play live/a format=flv flv_time=now; }
--- must_die
--- error_log
invalid parameter "flv_time=now"
