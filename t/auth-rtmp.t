# Copyright (C) the tscast authors

use strict;
use warnings;

# tscast_auth in an application of nginx-rtmp: who may publish and play is what
# a server says, and the arguments are in no log.

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use TSCast;
use TSCast::FLV;
use TSCast::RTMP;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;

my $BAD = $TSCast::RTMP::BAD_NAME;

my $hook = TSCast::Hook->new(by => sub {
    my ($head) = @_;

    return '403 Forbidden' if $head =~ /^X-Args: .*s3cr3t-bad/m;
    return '403 Forbidden' if $head !~ /^X-Args: .*s3cr3t/m;
    return "200 OK\r\nLocation: http://x/y/$1" if $head =~ /[?&]to=(\S+)\r/;
    return "200 OK\r\nLocation: $1" if $head =~ /&to=(\S+)\r/;
    return;
});

my $gone = TSCast::Net::free_port();


sub node {
    my ($level) = @_;

    return TSCast::Nginx->new(
        workers => 1, log => $level,
        tscast => 'zone live 16m; node here;',
        server => 'location = /status { tscast_status; }',
        main => TSCast::RTMP::load() . <<"END_OF_CONF")->start;
        rtmp {
            log_format rtmp '\$remote_addr \$command \$app \$name';
            access_log logs/rtmp.log rtmp;

            server {
                listen 127.0.0.1:\$PORT_1;

                application live {
                    live on;
                    tscast_ingest live/\$name;
                    tscast_auth http://127.0.0.1:@{[$hook->port]}/may
                                "header=X-Key: k7s" timeout=20s;
                }

                application down {
                    live on;
                    tscast_ingest live/\$name;
                    tscast_auth http://127.0.0.1:$gone/;
                }

                application slow {
                    live on;
                    tscast_ingest live/\$name;
                    tscast_auth http://127.0.0.1:@{[$hook->port]}/
                                timeout=200ms;
                }

                application free {
                    live on;
                    tscast_ingest live/\$name;
                }
            }
        }
END_OF_CONF
}


my $dir = tempdir(TMPDIR => 1, CLEANUP => 1);
my @tags = TSCast::FLV::make("$dir/av.flv", '-f', 'lavfi', '-i',
                             'testsrc2=size=64x64:rate=25', '-t', 1,
                             '-c:v', 'libx264', '-g', 10);

my $ngx = node('info');


sub client {
    my (%opt) = @_;

    return TSCast::RTMP->new(port => $ngx->other_port(1), %opt);
}


sub is_live { return (TSCast::Status::stream($ngx, $_[0]) // {})->{live} }


# yes, in its time

{
    $hook->answer('wait');

    my $p = client(name => 'cam?key=s3cr3t-good&x=a b');

    ok($hook->wait_requests(1), 'a server is asked');
    $p->tags(@tags);
    ok(!is_live('live/cam'), 'nothing is taken yet');

    $hook->answer('204 No Content');

    is($p->status, $TSCast::RTMP::START, 'then the publisher is accepted');

    my ($head) = $hook->requests;

    like($head, qr{^GET /may HTTP/1\.1\r\n}, 'the question');
    like($head, qr{^$_\r$}m, $_) for
        'X-Action: publish', 'X-Stream: live/cam', 'X-Door: rtmp',
        'X-Protocol: rtmp', 'X-Address: 127\.0\.0\.1', 'X-Node: here',
        'X-Args: key=s3cr3t-good&x=a%20b', 'X-Key: k7s';

    $p->tags(@tags);
    ok(TSCast::Status::until_stream($ngx, 'live/cam', sub { $_[0]{live} }),
       'and its stream taken');

    my $v = client();

    $hook->answer('wait');
    $v->play('cam?key=s3cr3t-play');
    $hook->wait_requests(2);
    is($v->status(0.2), undef, 'a player waits as well');

    $hook->answer('204 No Content');
    is($v->status, 'NetStream.Play.Start', 'and is let in');
    like(($hook->requests)[1], qr{^X-Action: play\r$}m, 'as one who plays');
    $v->close;

    $v = client();
    $v->play('cam?key=s3cr3t-bad');
    is($v->status, 'NetStream.Play.Failed', 'or not');
    ok($v->closed_within(5), 'and closed');
    $v->close;

    $p->finish;
}


# no

for my $name ('no?key=s3cr3t-bad', 'no') {
    my $p = client(name => $name);

    is($p->status, $BAD, "$name is refused");
    ok($p->closed_within(5), 'and closed');
    $p->close;
}

like($ngx->error_log,
     qr/\[error\].*publisher of "live\/no" is refused by "[\d.:]+", status 403/,
     'the log says so');


# another name

{
    my $p = client(name => 'old?key=s3cr3t&to=new');

    is($p->status, $TSCast::RTMP::START, 'with another name');
    $p->tags(@tags);
    ok(TSCast::Status::until_stream($ngx, 'live/new', sub { $_[0]{live} }),
       'its stream is taken by that');
    ok(!is_live('live/old'), 'and by no other');
    $p->finish;

    $p = client(name => 'old?key=s3cr3t&to=b*d');
    is($p->status, $BAD, 'not by what is no name');
    $p->close;
}


# no answer

{
    my $p = client(app => 'down', name => 'cam?key=s3cr3t-down');

    is($p->status, $BAD, 'nobody is there');
    like($ngx->error_log, qr/cannot be asked: connect\(\) failed/,
         'the log says so');
    $p->close;

    $hook->answer('hang');
    $p = client(app => 'slow', name => 'cam?key=s3cr3t-slow');
    is($p->status, $BAD, 'nobody answers');
    like($ngx->error_log, qr/cannot be asked: no answer/, 'the log says so');
    $p->close;

    $hook->answer('raw nonsense');
    $p = client(name => 'cam?key=s3cr3t-raw');
    is($p->status, $BAD, 'the answer is none');
    $p->close;
}


# clients that do not wait

{
    $hook->answer('wait');

    my $n = $hook->requests;
    my $p = client(name => 'cam?key=s3cr3t');

    $hook->wait_requests($n + 1);
    $p->close;

    $p = client(app => 'free', name => 'other');
    is($p->status, $TSCast::RTMP::START, 'another application does not wait');
    $p->finish;

    my $q = client(name => 'two?key=s3cr3t');

    $q->publish('three?key=s3cr3t');
    is($q->status, 'closed', 'who asks twice is closed');
    $q->close;

    my $r = client(name => 'four?key=s3cr3t');

    $r->close_stream;
    $r->tags(@tags);

    $hook->answer('204 No Content');

    $p = client(name => 'cam?key=s3cr3t');
    is($p->status, $TSCast::RTMP::START, 'which harms nobody');
    ok(!is_live('live/four'), 'who has left is not let in');
    $p->finish;
    $r->close;
}

like($ngx->log_text('rtmp'), qr/ PUBLISH live cam$/m, 'the access log');
$ngx->stop;

my $logs = `cat @{[$ngx->prefix]}/logs/*`;

like($logs, qr/stream "live\/cam" is published/, 'the log is at info');
unlike($logs, qr/s3cr3t/, 'but has no secret');


# at notice as well

$ngx = node('notice');

{
    my $p = client(name => 'cam?key=s3cr3t');

    is($p->status, $TSCast::RTMP::START, 'at the level notice');
    $p->finish;
    $ngx->stop;
    unlike(`cat @{[$ngx->prefix]}/logs/*`, qr/s3cr3t/, 'there is none either');
}

$hook->end;


# the directive

for (
    ['tscast_auth http://127.0.0.1/ timeout=2s', ''],
    ['tscast_auth udp://127.0.0.1:1/', 'it is neither http:// nor https://'],
    ['tscast_auth http://127.0.0.1/ args=x', 'invalid parameter "args=x"'],
    ['tscast_auth http://127.0.0.1/; tscast_auth http://127.0.0.1/',
     '"tscast_auth" directive is duplicate'],
) {
    my ($text, $error) = @$_;
    my ($rc, $said) = TSCast::Nginx->new(
        tscast => 'zone live 4m;', server => '',
        main => TSCast::RTMP::load() . 'rtmp { server {'
                . " listen 127.0.0.1:\$PORT_1; application a { $text; } } }",
    )->check_conf;

    $error ? like($said, qr/\[emerg\].*\Q$error/, $text) : is($rc, 0, $text);
}

done_testing;
