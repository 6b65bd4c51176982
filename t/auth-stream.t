# Copyright (C) the tscast authors

use strict;
use warnings;

# tscast_auth in stream {}: who may publish and play is what a server says, and
# nothing is taken or sent before.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

plan skip_all => TSCast::Nginx::missing_stream()
    if TSCast::Nginx::missing_stream();

my $ts = TSCast::bytes('seconds=1 gop=0.4');

# what is answered depends on the arguments

my $hook = TSCast::Hook->new(by => sub {
    my ($head) = @_;

    my ($args) = $head =~ /^X-Args: (\S*)\r$/m;

    return '403 Forbidden' if ($args // '') eq 'no';
    return "200 OK\r\nLocation: $1" if ($args // '') =~ /^to=(.*)/;
    return;
});

my $auth = "tscast_auth http://127.0.0.1:@{[$hook->port]}/may";
my $gone = TSCast::Net::free_port();

my $ngx = TSCast::Nginx->new(
    workers => 1,
    tscast => 'zone live 16m; node here;',
    events => 'multi_accept on;',
    server => 'location = /status { tscast_status; }',
    main => <<"END_OF_CONF")->start;

    stream {
        log_format done '\$server_port \$status \$tscast_stream';
        access_log logs/stream.log done;

        server {
            listen 127.0.0.1:\$PORT_1;
            tscast_ingest live/cam;
            $auth "header=X-Key: k7s" "args=port=\$server_port&x=a b";
        }
        server {
            listen 127.0.0.1:\$PORT_2;
            tscast_play live/cam linger=0;
            $auth timeout=20s;
        }
        server {
            listen 127.0.0.1:\$PORT_3;
            tscast_ingest live/no;
            $auth args=no;
        }
        server {
            listen 127.0.0.1:\$PORT_4;
            tscast_ingest live/cam;
            $auth args=to=other;
        }
        server {
            listen 127.0.0.1:\$PORT_5;
            tscast_play live/cam;
            $auth args=no;
        }
        server {
            listen 127.0.0.1:\$PORT_6;
            tscast_ingest live/cam;
            tscast_auth http://127.0.0.1:$gone/;
        }
        server {
            listen 127.0.0.1:\$PORT_7;
            tscast_ingest live/cam;
            $auth timeout=200ms args=slow;
        }
        server {
            listen 127.0.0.1:\$PORT_8;
            tscast_ingest live/cam;
            $auth args=to=bad*name;
        }
        server {
            listen 127.0.0.1:\$PORT_9 udp;
            tscast_ingest live/udp timeout=5s;
            $auth args=to=radio;
        }
        server {
            listen 127.0.0.1:\$PORT_10 udp;
            tscast_ingest live/deaf timeout=5s;
            $auth args=no;
        }
        server {
            listen 127.0.0.1:\$PORT_12 udp;
            tscast_ingest live/again timeout=1s;
            $auth args=again;
        }
        server {
            listen 127.0.0.1:\$PORT_11;
            tscast_ingest "live/b d";
            $auth args=no;
        }
    }
END_OF_CONF


# a publisher over TCP that has sent all, and has closed

sub publish {
    my ($n) = @_;

    my $port = $ngx->other_port($n);
    my $sock = TSCast::Net::dial($port);

    TSCast::Net::put($sock, $ts);
    shutdown $sock, 1;
    TSCast::Net::get($sock, 10);
    close $sock;

    ok($ngx->wait_log(qr/^$port \d/m, 10, 'stream'), "a session of door $n");

    return $1 if $ngx->log_text('stream') =~ /.*^$port (\d+ \S+)$/ms;
}


# yes

{
    my $port = $ngx->other_port(2);

    $hook->answer('wait');

    my $sock = TSCast::Net::dial($ngx->other_port(1));

    TSCast::Net::put($sock, $ts);
    ok($hook->wait_requests(1), 'a server is asked');
    ok(!TSCast::Status::stream($ngx, 'live/cam'), 'nothing is taken yet');

    $hook->answer('200 OK');

    ok(TSCast::Status::until_stream($ngx, 'live/cam', sub {
        $_[0]{publishers}{received} == length $ts
    }), 'then all of it is');

    my ($head) = $hook->requests;

    like($head, qr{^GET /may HTTP/1\.1\r\n}, 'the question');
    like($head, qr{^$_\r$}m, $_) for
        'X-Action: publish', 'X-Stream: live/cam', 'X-Door: stream',
        'X-Protocol: tcp', 'X-Address: 127\.0\.0\.1', 'X-Node: here',
        "X-Args: port=@{[$ngx->other_port(1)]}&x=a%20b", 'X-Key: k7s';

    $hook->answer('wait');

    my $v = TSCast::Reader->raw(port => $port);

    $hook->wait_requests(2);
    ok(!defined TSCast::Net::get($v->{sock}, 0.2), 'nothing is sent yet');

    $hook->answer('200 OK');
    ok($v->wait_bytes(1880), 'then it is');
    like(($hook->requests)[1], qr/^X-Action: play\r$/m, 'to who has asked');

    close $sock;
    $v->wait_end(5);
    $v->close;
}


# no

is(publish(3), '403 live/no', 'a publisher is refused');
like($ngx->error_log,
     qr/\[error\].*publisher of "live\/no" is refused by "[\d.:]+", status 403/,
     'the log says so');

{
    my $v = TSCast::Reader->raw(port => $ngx->other_port(5));

    ok($v->wait_end(5) && !$v->{bytes}, 'a viewer gets nothing');
    like($ngx->error_log, qr{\[info\].*viewer of "live/cam" is refused by},
         'which is no error');
    $v->close;
}


# another name

is(publish(4), '200 live/other', 'a stream is renamed');
is(TSCast::Status::stream($ngx, 'live/other')->{publishers}{received},
   length $ts, 'and taken');
is(publish(8), '502 live/cam', 'but not to what is no name');
like($ngx->error_log, qr/\[error\].*invalid stream name "bad\*name"/,
     'the log says so');


# no answer

is(publish(6), '502 live/cam', 'nobody is there');
like($ngx->error_log,
     qr/, "127\.0\.0\.1:$gone" cannot be asked: connect\(\) failed \(111/,
     'the log says why');

$hook->answer('hang');
is(publish(7), '502 live/cam', 'nobody answers');
like($ngx->error_log, qr/cannot be asked: no answer/, 'the log says why');

for ('raw nonsense', '500 Oops') {
    $hook->answer($_);
    is(publish(1), '502 live/cam', "the answer is $_");
}

is(publish(11), '400 -', 'what is no name is not asked for');

$hook->answer('204 No Content');


# a client that does not wait for the answer

{
    $hook->answer('wait');

    my $n = $hook->requests;
    my $sock = TSCast::Net::dial($ngx->other_port(1));

    TSCast::Net::put($sock, $ts);
    $hook->wait_requests($n + 1);
    TSCast::Net::reset_close($sock);
    $hook->answer('204 No Content');

    is(publish(1), '200 live/cam', 'one that goes harms nobody');
}


# datagrams

{
    my $heard = TSCast::UDP::source($ngx->other_port(9));
    my $deaf = TSCast::UDP::source($ngx->other_port(10));
    my $n = 0;

    ok(TSCast::Net::until_true(5, sub {
        TSCast::UDP::put($_, substr($ts, 0, 13_160), 1316) for $heard, $deaf;
        $n++ > 3 && TSCast::Status::stream($ngx, 'live/radio');
    }), 'a sender is heard by its new name');

    is(TSCast::Status::stream($ngx, 'live/radio')->{publisher}{protocol},
       'udp', 'over UDP');
    ok(!TSCast::Status::stream($ngx, 'live/deaf'), 'another is not heard');
}

# one that was refused is asked for again, and what it has sent is counted

{
    my $udp = TSCast::UDP::source($ngx->other_port(12));
    my $sent = 0;

    my $send = sub {
        TSCast::UDP::put($udp, substr($ts, 0, 1316), 1316);
        $sent += 1316;
    };
    my $asked = sub { scalar grep { /^X-Args: again\r$/m } $hook->requests };

    $hook->answer('403 Forbidden');
    ok(TSCast::Net::until_true(5, sub { $send->(); $asked->() == 2 }),
       'a sender is asked for again');

    $hook->answer('204 No Content');
    ok(TSCast::Net::until_true(5, sub {
        $send->();
        TSCast::Status::stream($ngx, 'live/again');
    }), 'and is heard');

    my $s = TSCast::Status::until_stream($ngx, 'live/again', sub {
        $send->();
        $_[0]{publishers}{lost};
    });

    cmp_ok($s->{publishers}{lost}, '<', $sent, 'from then on');
}

is(join(' ', grep { /no\b/ } map { /^X-Args: (.*)\r$/m } $hook->requests),
   'no no no', 'a sender that is refused is asked for once');

$ngx->stop(signal => 'TERM');
$hook->end;


# the directive

sub check {
    my ($text) = @_;

    my ($rc, $said) = TSCast::Nginx->new(
        tscast => 'zone live 4m;', server => '',
        main => "stream { server { listen 127.0.0.1:\$PORT_1;"
                . " tscast_play live/x; $text } }",
    )->check_conf;

    return $said;
}

for (
    ['tscast_auth ftp://127.0.0.1/;', 'it is neither http:// nor https://'],
    ['tscast_auth http://name.test/;', 'no resolver in tscast {}'],
    ['tscast_auth http://127.0.0.1/ other=1;', 'invalid parameter "other=1"'],
    ['tscast_auth http://127.0.0.1/ args=$nothing;',
     'unknown "nothing" variable'],
    ['tscast_auth http://127.0.0.1/; tscast_auth http://127.0.0.1/;',
     '"tscast_auth" directive is duplicate'],
) {
    like(check($_->[0]), qr/\[emerg\].*\Q$_->[1]/, $_->[0]);
}

done_testing;
