#!/usr/bin/env perl

# Copyright (C) the tscast authors

# conf/publish-secret.conf as it stands, but for its port and its prefix: who
# may publish, and that no log has the secret

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;

use TSCast;


package Shipped {
    our @ISA = 'TSCast::Nginx';

    sub conf {
        my ($self) = @_;

        open my $in, '<', "$TSCast::ROOT/conf/publish-secret.conf" or die $!;
        my $conf = do { local $/; <$in> };

        my $load = join '', map { "load_module $_;\n" }
                                TSCast::Nginx::modules();
        my $user = $> == 0 ? "user root;\n" : '';

        $conf =~ s/^load_module .*\n/$load${user}daemon off;/m or die;
        $conf =~ s/^worker_processes auto;/worker_processes 1;/m or die;
        $conf =~ s{listen 8088;}{
            listen 127.0.0.1:$self->{port};

            location = /tscast-alive {
                access_log off;
                return 200 "\$pid\\n";
            }
        } or die;

        return $conf;
    }
}


my $ngx = Shipped->new(workers => 1);

$ngx->write_file('publishers', "cam:{PLAIN}right\n");
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


is(publish('/push/s3cr3t-studio/a'), 204, 'a secret');
is(publish('/push/s3cr3t-spare/b'), 204, 'another');
is(publish('/push/s3cr3t/c'), 403, 'not one of them');
is(publish('/push/c'), 403, 'none');
is(publish('/push/s3cr3t-studio'), 400, 'no name');
is(publish('/push/s3cr3t-studio/c/d'), 400, 'a bad name');
is(publish('/puch/s3cr3t-studio/c'), 404, 'a bad path');
is(publish('/user/c'), 401, 'no password');
is(publish('/user/c', basic('cam:wrong')), 401, 'a wrong password');
is(publish('/user/c', basic('cam:right')), 204, 'the right password');
is(publish('/local/d'), 204, 'an address of the list');

my $late = TSCast::Publisher->new(port => $ngx->port,
                                  path => '/push/s3cr3t-studio/e');

$late->{sock}->print("zz\r\n");
is($late->status, 400, 'a broken body');
$late->close;

ok($ngx->wait_log(qr{ POST live/a 204 }, 5, 'publish'),
   'the log has the stream');
ok($ngx->wait_log(qr{ POST live/e 400 }, 5, 'publish'), 'and the failure');

my $logs = `cat @{[$ngx->prefix]}/logs/*`;

unlike($logs, qr/s3cr3t|right/, 'no log has a secret');

$ngx->stop;
done_testing;
