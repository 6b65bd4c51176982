# Copyright (C) the tscast authors

use strict;
use warnings;

# Configuration of links: what is taken, and what is refused with file and line.

use FindBin;
use lib "$FindBin::Bin/lib";

use TSCast;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(\&TSCast::preprocess);
no_long_string();
run_tests();

__DATA__

=== TEST 1: all that there is
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9 reconnect=1s timeout=5s flush=0;
        push live/* tcp://127.0.0.1:9 reconnect=100ms..2m;
        push live/b* tcp://[::1]:9;
        push live/c tcp://example.com:9;
        pull live/d tcp://127.0.0.1:9 reconnect=1d..2d timeout=1;
        pull live/d tcp://localhost.:9;
        resolver 127.0.0.1:53530 valid=10s ipv6=off;
        resolver_timeout 5s;
    }
--- config
--- request
GET /



=== TEST 2: a push without a URL
--- main_config
    tscast {
        zone live 4m;
        push live/a;
    }
--- config
--- must_die
--- error_log eval
qr/invalid number of arguments in "push" directive in \S+nginx\.conf:\d+/



=== TEST 3: a scheme that nobody knows
--- main_config
    tscast {
        zone live 4m;
        push live/a gopher://127.0.0.1:9;
    }
--- config
--- must_die
--- error_log eval
qr{unknown scheme "gopher" in "gopher://127.0.0.1:9" in \S+nginx\.conf:\d+}



=== TEST 4: a scheme of a module that is not loaded
--- main_config
    tscast {
        zone live 4m;
        push live/a rtmp://127.0.0.1/live/a;
    }
--- config
--- must_die
--- error_log eval
qr{unknown scheme "rtmp" .*, it needs ngx_rtmp_tscast_module.so in \S+:\d+}



=== TEST 5: no scheme
--- main_config
    tscast {
        zone live 4m;
        push live/a 127.0.0.1:9;
    }
--- config
--- must_die
--- error_log eval
qr{invalid URL "127.0.0.1:9": it has no scheme in \S+nginx\.conf:\d+}



=== TEST 6: a port that is none
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:65536;
    }
--- config
--- must_die
--- error_log eval
qr{invalid URL "tcp://127.0.0.1:65536": it has an invalid port in \S+conf:\d+}



=== TEST 7: port zero
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:0;
    }
--- config
--- must_die
--- error_log
it has an invalid port in



=== TEST 8: no port
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1;
    }
--- config
--- must_die
--- error_log eval
qr{no port in URL "tcp://127.0.0.1" in \S+nginx\.conf:\d+}



=== TEST 9: no host
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://:9;
    }
--- config
--- must_die
--- error_log
it has no host in



=== TEST 10: an address that is none
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://[::g]:9;
    }
--- config
--- must_die
--- error_log eval
qr{invalid address in "tcp://\[::g\]:9" in \S+nginx\.conf:\d+}



=== TEST 11: a path where there is none
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9/a;
    }
--- config
--- must_die
--- error_log eval
qr{tcp:// has no path: "tcp://127.0.0.1:9/a" in \S+nginx\.conf:\d+}



=== TEST 12: a user
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://me@127.0.0.1:9;
    }
--- config
--- must_die
--- error_log
tcp:// has no user: "tcp://me@127.0.0.1:9" in



=== TEST 13: a parameter that nobody knows
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9 speed=1;
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "speed=1" in \S+nginx\.conf:\d+}



=== TEST 14: in the query
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9?ttl=1;
    }
--- config
--- must_die
--- error_log
invalid parameter "ttl=1" in



=== TEST 15: a parameter of the other directive
--- main_config
    tscast {
        zone live 4m;
        pull live/a tcp://127.0.0.1:9 flush=1s;
    }
--- config
--- must_die
--- error_log
invalid parameter "flush=1s" in



=== TEST 16: a parameter of the other directive, the other way
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9 on_demand;
    }
--- config
--- must_die
--- error_log
invalid parameter "on_demand" in



=== TEST 17: reconnect backwards
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9 reconnect=2s..1s;
    }
--- config
--- must_die
--- error_log
invalid parameter "reconnect=2s..1s" in



=== TEST 18: reconnect at once
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9 reconnect=0;
    }
--- config
--- must_die
--- error_log
invalid parameter "reconnect=0" in



=== TEST 19: reconnect without an end
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9 reconnect=1s..;
    }
--- config
--- must_die
--- error_log
invalid parameter "reconnect=1s.." in



=== TEST 20: no time at all
--- main_config
    tscast {
        zone live 4m;
        pull live/a tcp://127.0.0.1:9 timeout=0;
    }
--- config
--- must_die
--- error_log
invalid parameter "timeout=0" in



=== TEST 21: a zone that nobody has declared
--- main_config
    tscast {
        zone live 4m;
        push lve/a tcp://127.0.0.1:9;
    }
--- config
--- must_die
--- error_log eval
qr{unknown zone in "lve/a" in \S+nginx\.conf:\d+}



=== TEST 22: a zone that comes later
--- main_config
    tscast {
        push live/a tcp://127.0.0.1:9;
        zone live 4m;
    }
--- config
--- request
GET /



=== TEST 23: a name that no stream has
--- main_config
    tscast {
        zone live 4m;
        push live/a+b tcp://127.0.0.1:9;
    }
--- config
--- must_die
--- error_log eval
qr{invalid stream name in "live/a\+b" in \S+nginx\.conf:\d+}



=== TEST 24: a star in the middle
--- main_config
    tscast {
        zone live 4m;
        push live/a*b tcp://127.0.0.1:9;
    }
--- config
--- must_die
--- error_log
invalid stream name in "live/a*b" in



=== TEST 25: a zone alone
--- main_config
    tscast {
        zone live 4m;
        push live tcp://127.0.0.1:9;
    }
--- config
--- must_die
--- error_log eval
qr{invalid stream address "live", it must be zone/name in \S+conf:\d+}



=== TEST 26: a name without a resolver
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://example.com:9;
    }
--- config
--- must_die
--- error_log eval
qr{no resolver .* for the host name of "tcp://example.com:9" in \S+conf:\d+}



=== TEST 27: a variable in a host
--- main_config
    tscast {
        zone live 4m;
        push live/* tcp://$name:9;
        resolver 127.0.0.1:53530;
    }
--- config
--- must_die
--- error_log eval
qr{only a path can have a variable: "tcp://\$name:9" in \S+nginx\.conf:\d+}



=== TEST 28: a pull of many streams from one place
--- main_config
    tscast {
        zone live 4m;
        pull live/* tcp://127.0.0.1:9;
    }
--- config
--- must_die
--- error_log eval
qr{a pull over tcp:// is of one stream in \S+nginx\.conf:\d+}



=== TEST 29: the same push twice
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9;
        push live/a tcp://127.0.0.1:9 timeout=5s;
    }
--- config
--- must_die
--- error_log eval
qr{duplicate push of "tcp://127.0.0.1:9" in \S+nginx\.conf:\d+}



=== TEST 30: the same pull twice
--- main_config
    tscast {
        zone live 4m;
        pull live/a tcp://127.0.0.1:9;
        pull live/a tcp://127.0.0.1:9;
    }
--- config
--- must_die
--- error_log eval
qr{duplicate pull of "tcp://127.0.0.1:9" in \S+nginx\.conf:\d+}



=== TEST 31: a link elsewhere
--- http_config
    push live/a tcp://127.0.0.1:9;
--- config
--- must_die
--- error_log
"push" directive is not allowed here



=== TEST 32: two resolvers
--- main_config
    tscast {
        resolver 127.0.0.1:53530;
        resolver 127.0.0.1:53531;
    }
--- config
--- must_die
--- error_log
"resolver" directive is duplicate



=== TEST 33: a resolver that is none
--- main_config
    tscast {
        resolver 127.0.0.1 valid=x;
    }
--- config
--- must_die
--- error_log
invalid parameter: valid=x



=== TEST 34: a time that is none
--- main_config
    tscast {
        resolver_timeout x;
    }
--- config
--- must_die
--- error_log
"resolver_timeout" directive invalid value



=== TEST 35: two times
--- main_config
    tscast {
        resolver_timeout 1s;
        resolver_timeout 2s;
    }
--- config
--- must_die
--- error_log
"resolver_timeout" directive is duplicate
