# Copyright (C) the tscast authors

use strict;
use warnings;

# Directives of the doors in stream {}: a good, a bad and a duplicate value of
# each, and listeners that they refuse.

use FindBin;
use lib "$FindBin::Bin/lib";

use TSCast;

BEGIN {
    if (my $why = TSCast::Nginx::missing_stream()) {
        require Test::More;
        Test::More::plan(skip_all => $why);
    }
}

use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_STREAM_PORT} = TSCast::Net::free_port();

add_block_preprocessor(\&TSCast::preprocess);
no_long_string();
run_tests();

__DATA__

=== TEST 1: both directives with all of their parameters
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_ingest live/cam takeover=on timeout=5s;
        }
        server {
            listen 127.0.0.2:$TEST_NGINX_STREAM_PORT;
            tscast_play live/cam start=oldest lag=drop flush=0 linger=1m;
        }
    }
--- config
--- request
GET /



=== TEST 2: a name with variables, and TCP and UDP on one port
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT udp reuseport;
            tscast_ingest live/cam-$server_port;
        }
    }
--- config
--- request
GET /



=== TEST 3: a zone that was not declared
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_ingest news/cam;
        }
    }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"tscast:news"/



=== TEST 4: an address without a zone
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_play cam;
        }
    }
--- config
--- must_die
--- error_log eval
qr/\[emerg\].*"cam"/



=== TEST 5: a bad value of takeover=
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_ingest live/cam takeover=maybe;
        }
    }
--- config
--- must_die
--- error_log
invalid parameter "takeover=maybe"



=== TEST 6: a bad value of timeout=
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_ingest live/cam timeout=0;
        }
    }
--- config
--- must_die
--- error_log
invalid parameter "timeout=0"



=== TEST 7: a parameter of the other directive
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_ingest live/cam linger=1s;
        }
    }
--- config
--- must_die
--- error_log
invalid parameter "linger=1s"



=== TEST 8: a parameter that only http has
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_play live/cam ping=1s;
        }
    }
--- config
--- must_die
--- error_log
invalid parameter "ping=1s"



=== TEST 9: a bad value of start=
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_play live/cam start=now;
        }
    }
--- config
--- must_die
--- error_log
invalid parameter "start=now"



=== TEST 10: a bad value of lag=
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_play live/cam lag=wait;
        }
    }
--- config
--- must_die
--- error_log
invalid parameter "lag=wait"



=== TEST 11: bad values of flush= and linger=
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_play live/cam flush=30ms linger=long;
        }
    }
--- config
--- must_die
--- error_log
invalid parameter "linger=long"



=== TEST 12: two of tscast_ingest
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_ingest live/cam;
            tscast_ingest live/cam2;
        }
    }
--- config
--- must_die
--- error_log
"tscast_ingest" directive is duplicate



=== TEST 13: two of tscast_play
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_play live/cam;
            tscast_play live/cam;
        }
    }
--- config
--- must_die
--- error_log
"tscast_play" directive is duplicate



=== TEST 14: both in one server
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_ingest live/cam;
            tscast_play live/cam;
        }
    }
--- config
--- must_die
--- error_log
"tscast_play" cannot share a server



=== TEST 15: with another that serves sessions
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            return hello;
            tscast_ingest live/cam;
        }
    }
--- config
--- must_die
--- error_log
"tscast_ingest" cannot share a server



=== TEST 16: outside of a server
--- main_config
    tscast { zone live 4m; }
    stream { tscast_ingest live/cam; }
--- config
--- must_die
--- error_log
"tscast_ingest" directive is not allowed here



=== TEST 17: no address
--- main_config
    tscast { zone live 4m; }
    stream {
        server {
            listen 127.0.0.1:$TEST_NGINX_STREAM_PORT;
            tscast_play;
        }
    }
--- config
--- must_die
--- error_log
invalid number of arguments in "tscast_play" directive
