# Copyright (C) the tscast authors

use strict;
use warnings;

# Who may publish, by nginx's own means; the secret is not in the access log.

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 1,
    tscast => 'zone live 8m;',
    http => <<'END_OF_CONF',
        log_format shown '$status $request_method $shown "$tscast_stream"';

        map $request_uri $shown {
            ~^/push/[^/]+/(?<rest>.*)$  /push/***/$rest;
            default                     $request_uri;
        }
END_OF_CONF
    server => <<'END_OF_CONF',
        access_log $PREFIX/logs/shown.log shown;

        location ~ ^/push/s3cr3t/(?<stream>[\w.-]+)$ {
            tscast_ingest live/$stream;
        }
        location /push/ { return 403; }

        location ~ ^/user/(?<stream>[\w.-]+)$ {
            auth_basic "publishers";
            auth_basic_user_file $PREFIX/users;
            tscast_ingest live/$stream;
        }

        location ~ ^/near/(?<stream>[\w.-]+)$ {
            allow 127.0.0.1;
            deny all;
            tscast_ingest live/$stream;
        }

        location ~ ^/far/(?<stream>[\w.-]+)$ {
            allow 192.0.2.0/24;
            deny all;
            tscast_ingest live/$stream;
        }

        location ~ ^/either/(?<stream>[\w.-]+)$ {
            satisfy any;
            allow 192.0.2.0/24;
            deny all;
            auth_basic "publishers";
            auth_basic_user_file $PREFIX/users;
            tscast_ingest live/$stream;
        }
END_OF_CONF
);

$ngx->write_file('users', "cam:{PLAIN}right\n");
$ngx->start;

my $bytes = TSCast::bytes('seconds=1');


sub publish {
    my ($path, @headers) = @_;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => $path,
                                   headers => \@headers, deadline => 5);
    $p->send($bytes);

    my $status = $p->finish->status;

    $p->close;

    return $status;
}


sub basic {
    return 'Authorization: Basic ' . encode_base64($_[0], '');
}


is(publish('/push/s3cr3t/cam'), 204, 'the secret in the path');
is(publish('/push/secret/cam'), 403, 'a wrong one');
is(publish('/user/cam'), 401, 'no password');
is(publish('/user/cam', basic('cam:wrong')), 401, 'a wrong password');
is(publish('/user/cam', basic('cam:right')), 204, 'the right password');
is(publish('/near/cam'), 204, 'an address that is allowed');
is(publish('/far/cam'), 403, 'one that is not');
is(publish('/either/cam'), 401, 'neither address nor password');
is(publish('/either/cam', basic('cam:right')), 204, 'one of the two');

ok($ngx->wait_log(qr{^204 POST /push/\*\*\*/cam "live/cam"}m, 5, 'shown'),
   'the access log has the stream');

my $log = TSCast::Net::until_true(1, sub { $ngx->log_text('shown') });

unlike($log, qr/s3cr3t|right/, 'and no secret');

$ngx->stop;
done_testing;
