# Copyright (C) the tscast authors

use strict;
use warnings;

# Links over https://: good and bad certificates, names, SNI, certificates of
# clients, redirects between http:// and https://, reloads.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $missing = TSCast::TLS::missing();

plan skip_all => $missing if $missing;

my $doors = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest;
        }
        location /plain { return 302 http://127.0.0.1:$PORT/all/cam; }
        location /safe { return 302 https://127.0.0.1:$PORT_1/all/cam; }
END_OF_CONF

my $origin = TSCast::Nginx->new(
    tscast => 'node origin; zone live 32m;',
    server => $doors,
    http => <<"END_OF_CONF",
    server {
        listen 127.0.0.1:\$PORT_1 ssl;
        ssl_certificate \$PREFIX/address.pem;
        ssl_certificate_key \$PREFIX/address.key;
$doors
    }

    server {
        listen 127.0.0.1:\$PORT_2 ssl default_server;
        ssl_certificate \$PREFIX/wrong.pem;
        ssl_certificate_key \$PREFIX/wrong.key;
$doors
    }

    server {
        listen 127.0.0.1:\$PORT_2 ssl;
        server_name origin.test;
        ssl_certificate \$PREFIX/origin.test.pem;
        ssl_certificate_key \$PREFIX/origin.test.key;
$doors
    }

    server {
        listen 127.0.0.1:\$PORT_3 ssl;
        ssl_certificate \$PREFIX/address.pem;
        ssl_certificate_key \$PREFIX/address.key;
        ssl_client_certificate \$PREFIX/ca.pem;
        ssl_verify_client on;
$doors
    }
END_OF_CONF
);

my $prefix = $origin->prefix;

TSCast::TLS::certificate($prefix, $_) for qw(ca other);
TSCast::TLS::certificate($prefix, $_, by => 'ca')
    for qw(wrong origin.test client);
TSCast::TLS::certificate($prefix, 'address', by => 'ca',
                         san => 'IP:127.0.0.1');

my @port = (undef, map { $origin->other_port($_) } 1 .. 3);
my $ca = "ssl_trusted_certificate=$prefix/ca.pem";

# what is pulled, how, and what is wrong with it

my %row = (
    address => ["127.0.0.1:$port[1]", ''],
    given => ["127.0.0.1:$port[1]", $ca],
    name => ["127.0.0.1:$port[2]", 'ssl_name=origin.test'],
    unverified => ["127.0.0.1:$port[2]", 'ssl_verify=off'],
    sni => ["origins", 'ssl_name=origin.test'],
    client => ["127.0.0.1:$port[3]", "ssl_certificate=$prefix/client.pem"
               . " ssl_certificate_key=$prefix/client.key"],
    wrong => ["127.0.0.1:$port[2]", '', 'certificate is not valid '
              . '\(\d+: .*mismatch\)'],
    other => ["127.0.0.1:$port[1]",
              "ssl_trusted_certificate=$prefix/other.pem",
              'certificate is not valid \(\d+: .*\)'],
    nobody => ["127.0.0.1:$port[3]", '', 'the peer does not want it, '
               . 'status 400'],
    plain => ['127.0.0.1:' . $origin->port, '', 'TLS handshake failed'],
);

my $edge = TSCast::Nginx->new(
    workers => 2,
    tscast => join("\n",
        "node edge; zone live 64m; ssl_trusted_certificate $prefix/ca.pem;",
        (map { "pull live/$_ https://$row{$_}[0]/all/cam $row{$_}[1]"
               . ' reconnect=200ms timeout=4s;' } sort keys %row),
        "pull live/to http://127.0.0.1:" . $origin->port
        . '/safe reconnect=200ms;',
        "pull live/from https://127.0.0.1:$port[1]/plain reconnect=200ms;",
        "push live/back https://127.0.0.1:$port[1]/push/\$name;"),
    http => "upstream origins { server 127.0.0.1:$port[2]; }",
    server => $doors,
);

$origin->start;

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
my $p = TSCast::Publisher->new(port => $origin->port, path => '/push/cam');
my $all = $ts->take(2);

$p->send($all);
$edge->start;


sub viewer {
    my ($ngx, $name) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->http(port => $ngx->port, path => "/all/$name");
        $v->wait_head == 200 or $v->close;
        $v->{status} == 200;
    }) or die "no $name";

    return $v;
}


my @good = ((grep { !$row{$_}[2] } sort keys %row), 'to');
my %v = map { $_ => viewer($edge, $_) } @good;

TSCast::Reader::pump(5, sub {
    !grep { length $_->{body} < length $all } values %v
}, values %v);

ok($v{$_}{body} eq $all, "$_: byte for byte") for @good;

for my $name (grep { $row{$_}[2] } sort keys %row) {
    ok($edge->wait_log(qr/\[error\].*$row{$name}[2].*"live\/$name"/),
       "$name: refused, and it says why");
}

ok($edge->wait_log(qr{it redirects to http://.*"live/from"}),
   'no redirect from https:// to http://');

# a push, and what it carries

{
    my $back = TSCast::Publisher->new(port => $edge->port,
                                      path => '/push/back');
    my $more = TSCast::TS->new(seconds => 0, gop => 0.4,
                               bitrate => 20_000_000);
    my $bytes = $more->take(4);

    $back->send($bytes);

    my $v = viewer($origin, 'back');

    is($back->finish->status, 204, 'published');
    TSCast::Reader::pump(8, sub {
        ($v->{check}{high} // 0) == $more->{serial} - 1
    }, $v);
    is($v->faults, '', 'pushed without a fault');
    ok(index($bytes, substr $v->{body}, 376) >= 0, 'byte for byte');
    ok($origin->wait_log(qr/^204 \d+ POST \/push\/back/m, 5, 'access'),
       'and the request ends well');
    $_->close for $back, $v;
}

# a reload

{
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $SIG{TERM} = 'DEFAULT';
        kill 'HUP', $edge->master;
        POSIX::_exit(0);
    }

    waitpid $pid, 0;

    my $n = @good;

    ok(TSCast::Net::until_true(10, sub {
        $p->send(my $bytes = $ts->frame);
        $all .= $bytes;
        TSCast::Reader::pump(0.02, sub { 0 }, values %v);

        my @left = $edge->error_log =~ /link is finished, pull: "live\/(\w+)"/g;

        return $n <= grep { my $g = $_; grep { $_ eq $g } @left } @good;
    }), 'reload: other workers pull');

    TSCast::Reader::pump(5, sub {
        !grep { length $_->{body} < length $all } values %v
    }, values %v);

    for my $name (@good) {
        ok($v{$name}{body} eq $all, "$name: byte for byte over a reload");
    }
}

$_->close for $p, values %v;
$_->stop for $edge, $origin;

done_testing;
