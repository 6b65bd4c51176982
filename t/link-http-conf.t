# Copyright (C) the tscast authors

use strict;
use warnings;

# Configuration of links over http:// and https://, and of nodes: what is
# taken, and what is refused with file and line.

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
        node A-z.0_9~;
        ssl_verify off;
        push live/a http://127.0.0.1/$name/x?name=$name method=PUT;
        push live/* https://127.0.0.1 method=POST ssl_verify=off
             "header=Authorization: Basic eDp5" header=X-Y:z;
        push live/b* http://[::1]:9/ flush=0 reconnect=100ms..2m;
        pull live/c https://127.0.0.1/c ssl_verify=on ssl_name=example.com;
        pull live/* http://127.0.0.1/$name on_demand;
    }
--- config
--- request
GET /



=== TEST 2: peers of an upstream need no resolver
--- main_config
    tscast {
        zone live 4m;
        push live/* http://edges/$name balance=round_robin;
        pull live/a https://edges:81/$name balance=hash;
    }
--- http_config
    upstream Edges {
        server 127.0.0.1:9;
    }

    upstream edges:81 {
        server 127.0.0.1:9;
    }
--- config
--- request
GET /



=== TEST 3: a method of neither kind
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ method=GET;
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "method=GET" in \S+nginx\.conf:\d+}



=== TEST 4: a method of a pull
--- main_config
    tscast {
        zone live 4m;
        pull live/a http://127.0.0.1/ method=POST;
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "method=POST" in \S+nginx\.conf:\d+}



=== TEST 5: a header without a colon
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ header=X;
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=X" in \S+nginx\.conf:\d+}



=== TEST 6: a header without a name
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=: x";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=: x" in \S+nginx\.conf:\d+}



=== TEST 7: a header of two lines
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=X: y\r\nZ: w";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=X: y}



=== TEST 8: a header that is no name
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=X Y: z";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=X Y: z" in \S+nginx\.conf:\d+}



=== TEST 9: a header of the client's own: Connection
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=Connection: x";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=Connection: x" in \S+nginx\.conf:\d+}



=== TEST 10: a header of the client's own: transfer-encoding
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=transfer-encoding: x";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=transfer-encoding: x" in \S+nginx\.conf:\d+}



=== TEST 11: a header of the client's own: Content-Length
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=Content-Length: x";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=Content-Length: x" in \S+nginx\.conf:\d+}



=== TEST 12: a header of the client's own: Expect
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=Expect: x";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=Expect: x" in \S+nginx\.conf:\d+}



=== TEST 13: a header of the client's own: TSCast-Via
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/ "header=TSCast-Via: x";
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "header=TSCast-Via: x" in \S+nginx\.conf:\d+}



=== TEST 14: an unknown balance
--- main_config
    tscast {
        zone live 4m;
        pull live/a http://127.0.0.1/ balance=ip_hash;
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "balance=ip_hash" in \S+nginx\.conf:\d+}



=== TEST 15: a balance of no peers
--- main_config
    tscast {
        zone live 4m;
        pull live/a http://127.0.0.1/ balance=hash;
    }
--- config
--- must_die
--- error_log eval
qr{"balance=" needs an upstream, there is no "127.0.0.1"}



=== TEST 16: an unknown switch
--- main_config
    tscast {
        zone live 4m;
        pull live/a https://127.0.0.1/ ssl_verify=maybe;
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "ssl_verify=maybe" in \S+nginx\.conf:\d+}



=== TEST 17: a TLS parameter of tcp
--- main_config
    tscast {
        zone live 4m;
        push live/a tcp://127.0.0.1:9 ssl_verify=on;
    }
--- config
--- must_die
--- error_log eval
qr{invalid parameter "ssl_verify=on" in \S+nginx\.conf:\d+}



=== TEST 18: a user
--- main_config
    tscast {
        zone live 4m;
        pull live/a http://me:secret@127.0.0.1/;
    }
--- config
--- must_die
--- error_log eval
qr{http:// has no user, it has "header=": }



=== TEST 19: a host that is no upstream
--- main_config
    tscast {
        zone live 4m;
        push live/a http://edge/;
    }
--- config
--- must_die
--- error_log eval
qr{no resolver in tscast \{\} for the host name of "http://edge/" in \S+:\d+}



=== TEST 20: an upstream that nobody has made
--- main_config
    tscast {
        zone live 4m;
        push live/a http://edge/;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { proxy_pass http://127.0.0.1:9; }
    }
--- config
--- must_die
--- error_log eval
qr{no resolver in tscast \{\} for the host name of "http://edge/" in \S+:\d+}



=== TEST 21: a certificate without a key
--- main_config
    tscast {
        zone live 4m;
        pull live/a https://127.0.0.1/ ssl_certificate=a.pem;
    }
--- config
--- must_die
--- error_log eval
qr{"ssl_certificate=" and "ssl_certificate_key=" need each other}



=== TEST 22: a certificate that is not there
--- main_config
    tscast {
        zone live 4m;
        pull live/a https://127.0.0.1/ ssl_certificate=a.pem
             ssl_certificate_key=a.key;
    }
--- config
--- must_die
--- error_log eval
qr{pull of "https://127.0.0.1/" cannot be set up in \S+nginx\.conf:\d+}



=== TEST 23: trusted certificates that are not there
--- main_config
    tscast {
        zone live 4m;
        pull live/a https://127.0.0.1/ ssl_trusted_certificate=a.pem;
    }
--- config
--- must_die
--- error_log eval
qr{pull of "https://127.0.0.1/" cannot be set up in \S+nginx\.conf:\d+}



=== TEST 24: the same for all links
--- main_config
    tscast {
        zone live 4m;
        ssl_trusted_certificate none.pem;
        push live/a https://127.0.0.1/;
    }
--- config
--- must_die
--- error_log eval
qr{none.pem.* failed}



=== TEST 25: another variable
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/$host;
    }
--- config
--- must_die
--- error_log eval
qr{only the variable \$name can be used}



=== TEST 26: a variable in the host
--- main_config
    tscast {
        zone live 4m;
        push live/a http://$name/;
    }
--- config
--- must_die
--- error_log eval
qr{only a path can have a variable}



=== TEST 27: a node without a name
--- main_config
    tscast {
        zone live 4m;
        node;
    }
--- config
--- must_die
--- error_log eval
qr{invalid number of arguments in "node" directive}



=== TEST 28: a node with a bad name
--- main_config
    tscast {
        zone live 4m;
        node a/b;
    }
--- config
--- must_die
--- error_log eval
qr{invalid name of a node "a/b" in \S+nginx\.conf:\d+}



=== TEST 29: a node with a long name
--- main_config
    tscast {
        zone live 4m;
        node xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
    }
--- config
--- must_die
--- error_log eval
qr{invalid name of a node "x+" in \S+nginx\.conf:\d+}



=== TEST 30: a node with two names
--- main_config
    tscast {
        zone live 4m;
        node a;
        node b;
    }
--- config
--- must_die
--- error_log eval
qr{"node" directive is duplicate in \S+nginx\.conf:\d+}



=== TEST 31: a switch that is none
--- main_config
    tscast {
        zone live 4m;
        ssl_verify maybe;
    }
--- config
--- must_die
--- error_log eval
qr{invalid value "maybe" in "ssl_verify" directive}



=== TEST 32: a switch twice
--- main_config
    tscast {
        zone live 4m;
        ssl_verify on;
        ssl_verify on;
    }
--- config
--- must_die
--- error_log eval
qr{"ssl_verify" directive is duplicate}



=== TEST 33: two files of certificates
--- main_config
    tscast {
        zone live 4m;
        ssl_trusted_certificate a;
        ssl_trusted_certificate b;
    }
--- config
--- must_die
--- error_log eval
qr{"ssl_trusted_certificate" directive is duplicate}



=== TEST 34: a variable whose name begins so
--- main_config
    tscast {
        zone live 4m;
        push live/a http://127.0.0.1/$names;
    }
--- config
--- must_die
--- error_log eval
qr{only the variable \$name can be used}
