# Copyright (C) the tscast authors

use strict;
use warnings;

# Configuration of links by datagrams: what is taken, and what is refused with
# file and line.

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
        push live/a udp://127.0.0.1:9?ttl=4&pkt_size=188&pace=pcr;
        push live/a udp://239.0.0.1:9?ttl=0&iface=lo&pace=off;
        push live/* rtp://127.0.0.1:10 ttl=255 pkt_size=1500 flush=0;
        push live/b rtp://[ff02::1]:10 iface=lo;
        push live/b rtp://[::1]:65534;
        pull live/c udp://127.0.0.1:$TEST_NGINX_RAND_PORT_1?rcvbuf=64k;
        pull live/d udp://239.0.0.3:$TEST_NGINX_RAND_PORT_1?iface=lo;
        pull live/e udp://232.0.0.4:9?source=127.0.0.1&iface=lo;
        pull live/f rtp://239.0.0.5:$TEST_NGINX_RAND_PORT_1 iface=lo rcvbuf=64k;
    }
--- config
--- request
GET /



=== TEST 2: no such interface
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://239.0.0.1:9?iface=nope0;
    }
--- config
--- must_die
--- error_log eval
qr/invalid parameter "iface=nope0" in \S+nginx\.conf:\d+/



=== TEST 3: an interface for a host
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://127.0.0.1:9?iface=lo;
    }
--- config
--- must_die
--- error_log eval
qr/iface= and source= need a group: "udp:\S+" in \S+nginx\.conf:\d+/



=== TEST 4: a source for a host
--- main_config
    tscast {
        zone live 4m;
        pull live/a udp://127.0.0.1:9?source=127.0.0.2;
    }
--- config
--- must_die
--- error_log
iface= and source= need a group



=== TEST 5: a source that is none
--- main_config
    tscast {
        zone live 4m;
        pull live/a udp://232.0.0.1:9?source=example.com;
    }
--- config
--- must_die
--- error_log
invalid parameter "source=example.com" in



=== TEST 6: a source of another family
--- main_config
    tscast {
        zone live 4m;
        pull live/a udp://232.0.0.1:9?source=::1;
    }
--- config
--- must_die
--- error_log
source= is of another family than the group



=== TEST 7: a group of one link without an interface
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://[ff02::5]:9;
    }
--- config
--- must_die
--- error_log
a group of one link needs iface=



=== TEST 8: ttl of nine bits
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://239.0.0.1:9?ttl=256;
    }
--- config
--- must_die
--- error_log
invalid parameter "ttl=256" in



=== TEST 9: ttl of a pull
--- main_config
    tscast {
        zone live 4m;
        pull live/a udp://239.0.0.1:9?ttl=2;
    }
--- config
--- must_die
--- error_log
invalid parameter "ttl=2" in



=== TEST 10: less than a packet
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://127.0.0.1:9?pkt_size=187;
    }
--- config
--- must_die
--- error_log
invalid parameter "pkt_size=187" in



=== TEST 11: more than a datagram
--- main_config
    tscast {
        zone live 4m;
        push live/a rtp://127.0.0.1:9 pkt_size=65507;
    }
--- config
--- must_die
--- error_log
invalid parameter "pkt_size=65507" in



=== TEST 12: a pace that is none
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://127.0.0.1:9?pace=on;
    }
--- config
--- must_die
--- error_log
invalid parameter "pace=on" in



=== TEST 13: no receive buffer
--- main_config
    tscast {
        zone live 4m;
        pull live/a udp://127.0.0.1:9?rcvbuf=0;
    }
--- config
--- must_die
--- error_log
invalid parameter "rcvbuf=0" in



=== TEST 14: a receive buffer of a push
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://127.0.0.1:9?rcvbuf=1m;
    }
--- config
--- must_die
--- error_log
invalid parameter "rcvbuf=1m" in



=== TEST 15: no port for RTCP
--- main_config
    tscast {
        zone live 4m;
        push live/a rtp://127.0.0.1:65535;
    }
--- config
--- must_die
--- error_log
there is no port for RTCP after this one



=== TEST 16: no port
--- main_config
    tscast {
        zone live 4m;
        push live/a udp://239.0.0.1;
    }
--- config
--- must_die
--- error_log
no port in URL "udp://239.0.0.1" in



=== TEST 17: a path
--- main_config
    tscast {
        zone live 4m;
        push live/a rtp://127.0.0.1:9/a;
    }
--- config
--- must_die
--- error_log
rtp:// has no path



=== TEST 18: a stream that feeds itself
--- main_config
    tscast {
        zone live 4m;
        pull live/a udp://239.0.0.1:9;
        push live/* udp://239.0.0.1:9?ttl=2;
    }
--- config
--- must_die
--- error_log eval
qr/push to "udp:\S+" in \S+:\d+ feeds the pull in \S+:\d+, which feeds it/
