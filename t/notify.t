# Copyright (C) the tscast authors

use strict;
use warnings;

# The server of notify is slow, down, or answers whatever it likes: streams do
# not wait for it, and what becomes of the events is counted.

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(uniq);
use Test::More;

use TSCast;

my $SERVER = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
    location = /status { tscast_status; }
END_OF_CONF

my $ts = TSCast::bytes('seconds=1 gop=0.4');


sub node {
    my ($notify, %opt) = @_;

    return TSCast::Nginx->new(
        server => $SERVER, workers => 1,
        tscast => "zone live 16m; notify $notify;", %opt);
}


# so many publishers come and go

sub publish {
    my ($ngx, $n) = @_;

    for (1 .. $n) {
        my $p = TSCast::Publisher->new(port => $ngx->port,
                                       path => "/push/cam$_",
                                       length => length $ts);
        $p->send($ts);
        die 'not published' if $p->finish->status != 204;
        $p->close;
    }
}


sub counts {
    my ($ngx) = @_;

    return TSCast::Status::get($ngx)->{events};
}


sub wait_counts {
    my ($ngx, $what) = @_;

    return TSCast::Net::until_true(5, sub { $what->(counts($ngx)) });
}


# of those that came, once or more: an answer may have been lost

sub serials { return join ' ', uniq map { $_->{serial} } @_ }


# answers that are none, and one that is

{
    my $hook = TSCast::Hook->new(answer => '503 Busy');
    my $ngx = node("http://127.0.0.1:@{[$hook->port]}/e timeout=300ms"
                   . ' reconnect=20ms..40ms')->start;

    publish($ngx, 2);

    ok(wait_counts($ngx, sub { $_[0]{failures} > 2 }), 'asked again after 503');

    for my $answer ('raw nonsense', "raw HTTP/1.1 2000 OK\r\n\r\n", 'raw ',
                    '429 Too Many Requests', 'hang')
    {
        my $n = counts($ngx)->{failures};

        $hook->answer($answer);
        ok(wait_counts($ngx, sub { $_[0]{failures} > $n + 2 }),
           'and after ' . $answer =~ s/\s+/ /gr);
    }

    my $c = counts($ngx);

    is("$c->{total} $c->{sent} $c->{dropped} $c->{waiting}", '4 0 0 4',
       'all of them wait');

    $hook->answer("200 OK\r\nX-A: b");

    ok(wait_counts($ngx, sub { $_[0]{sent} == 4 }), 'until they are taken');
    is(serials($hook->events), '1 2 3 4', 'in order');

    $hook->answer('403 Forbidden');
    publish($ngx, 1);
    ok(wait_counts($ngx, sub { $_[0]{dropped} == 2 }),
       'what is refused is dropped');

    $hook->answer('204 No Content');
    publish($ngx, 1);

    ok(wait_counts($ngx, sub { $_[0]{sent} == 6 }), 'what follows is not');
    is(serials($hook->events), '1 2 3 4 7 8', 'and shows the gap');

    my $log = $ngx->error_log;

    is(scalar(() = $log =~ /\[error\].*events wait, they were not taken/g), 1,
       'one line says that it does not work');
    like($log, qr{\[error\].*not taken, status 503, hook: "http://[\d.:]+/e"},
         'and why');
    is(scalar(() = $log =~ /\[notice\].*events are taken again/g), 1,
       'one that it does again');
    like($log, qr/\[error\].* events are refused and dropped, status 403/,
         'and those that were refused');

    $ngx->stop;
    $hook->end;
}


# the server hangs: a stream goes on, byte for byte, and a thousand viewers
# come and go

{
    my $hook = TSCast::Hook->new(answer => 'hang');
    my $ngx = node("http://127.0.0.1:@{[$hook->port]}/ viewers=on queue=100"
                   . ' timeout=60s reconnect=20ms..40ms', workers => 2,
                   connections => 2000)->start;

    my $long = TSCast::TS->new(seconds => 6, gop => 1);
    my $in = $long->take(1);
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam0');

    $p->send($in);
    ok($ngx->wait_log(qr/"live\/cam0" is published/), 'published');

    my $v = TSCast::Reader->http(port => $ngx->port, path => '/live/cam0');

    $v->wait_bytes(1880);
    $hook->wait_requests(1);

    my $viewers = 0;

    for (1 .. 5) {
        my $more = $long->take(1);

        my @v = map {
            TSCast::Reader->http(port => $ngx->port, path => '/live/cam0')
        } 1 .. 100;

        $p->send($more);
        $in .= $more;

        $viewers += grep { $_->wait_bytes(188) } @v;
        $_->close for @v;
    }

    is($p->finish->status, 204, 'a stream is published meanwhile');
    $v->wait_end(5);

    my $from = index $in, substr $v->{body}, 188 * 2, 1880;

    ok(length $v->{body} > length($in) / 2
       && substr($in, $from) eq substr($v->{body}, 188 * 2),
       'and watched, to the last byte');
    is($viewers, 500, 'as by five hundred others');

    # each of them comes and goes, and there may be alarms

    ok(wait_counts($ngx, sub { $_[0]{total} >= 2 + 2 * 501 }),
       'a thousand events');

    my $c = counts($ngx);

    cmp_ok($c->{waiting}, '<=', 2 * 164, 'the queues of two workers are full');
    is($c->{sent} + $c->{dropped} + $c->{waiting}, $c->{total},
       'the rest is dropped and counted');
    like($ngx->error_log, qr/100 events wait for .*, the oldest are dropped/,
         'the log says so');
    cmp_ok(scalar(() = $ngx->error_log =~ /the oldest are dropped/g), '<=', 2,
           'in a line a worker');

    $hook->answer('204 No Content');

    ok(wait_counts($ngx, sub { $_[0]{waiting} == 0 }), 'what waits is sent');

    $c = counts($ngx);

    is($c->{sent}, scalar $hook->events, 'as the status says');
    is($c->{sent} + $c->{dropped}, $c->{total}, 'and nothing is forgotten');
    is((sort { $b <=> $a } map { $_->{serial} } $hook->events)[0], $c->{total},
       'the newest are among them');
    is(TSCast::Status::faults([$hook->events], 'event'), '',
       'as the schema says');

    $ngx->stop;
    $hook->end;
}


# nobody is there: a worker does not stay for that, nor loses count

{
    my $gone = TSCast::Net::free_port();
    my $ngx = node("http://127.0.0.1:$gone reconnect=60s", workers => 1)
              ->start;

    publish($ngx, 1);
    ok(wait_counts($ngx, sub { $_[0]{failures} }), 'a try fails');
    like($ngx->error_log,
         qr/not taken: connect\(\) failed \(111: Connection refused\)/,
         'the log says why');

    my ($old) = $ngx->workers;

    $ngx->reload;

    ok(TSCast::Net::until_true(5, sub {
        !grep { $_ == $old } $ngx->workers(all => 1)
    }), 'an old worker leaves');

    my $c = counts($ngx);

    is("$c->{total} $c->{sent} $c->{dropped} $c->{waiting}", '2 0 2 0',
       'and counts what it drops');
    like($ngx->error_log,
         qr/2 events for "[\d.:]+" are lost, the worker leaves/,
         'the log says so');

    publish($ngx, 1);
    ok(wait_counts($ngx, sub { $_[0]{waiting} == 2 }), 'two wait');

    $ngx->kill_worker($ngx->workers);

    ok(wait_counts($ngx, sub { $_[0]{dropped} == 4 }),
       'what a killed worker had is counted');

    $ngx->stop;
}


# the servers of an upstream, each in its turn

{
    my $hook = TSCast::Hook->new;
    my @gone = map { TSCast::Net::free_port() } 1 .. 3;

    my $ngx = node('http://control/e reconnect=20ms', http => <<"END_OF_CONF")
        upstream control {
            server 127.0.0.1:$gone[0] max_fails=0;
            server 127.0.0.1:@{[$hook->port]};
        }
        upstream nobody {
            server 127.0.0.1:$gone[1];
            server 127.0.0.1:$gone[2];
        }
END_OF_CONF
        ->start;

    publish($ngx, 1) for 1 .. 3;

    ok(wait_counts($ngx, sub { $_[0]{sent} == 6 }), 'one that takes events');
    is(counts($ngx)->{failures}, 0, 'goes for one that does not');
    like(($hook->requests)[0], qr/^Host: control\r$/m, 'by their name');

    $ngx->{tscast} =~ s/control/nobody/;
    $ngx->reload(conf => 1);
    publish($ngx, 1);

    ok($ngx->wait_log(qr/not taken: no live upstreams, hook: "http:.*nobody/),
       'there is none at all');

    $ngx->stop;
    $hook->end;
}


# names, and TLS

SKIP: {
    skip 'no TLS', 1 if TSCast::TLS::missing();

    my $ngx = TSCast::Nginx->new;
    my $dir = $ngx->prefix;

    TSCast::TLS::certificate($dir, 'here', san => 'DNS:events.test');
    TSCast::TLS::certificate($dir, 'other', san => 'DNS:events.test');

    my $dns = TSCast::DNS->new('events.test' => ['127.0.0.1']);

    $ngx->{server} = $SERVER;
    $ngx->{http} = <<"END_OF_CONF";
        log_format told '\$request \$status \$http_content_type';

        server {
            listen 127.0.0.1:\$PORT_1 ssl;
            ssl_certificate $dir/here.pem;
            ssl_certificate_key $dir/here.key;
            access_log logs/told.log told;
            location / { return 204; }
        }
END_OF_CONF

    my $conf = sub {
        my ($ca) = @_;

        return "zone live 4m; resolver 127.0.0.1:$dns->{port} ipv6=off;"
               . ' notify https://events.test:$PORT_1/told'
               . " ssl_trusted_certificate=$dir/$ca.pem reconnect=50ms;";
    };

    $ngx->{tscast} = $conf->('here');
    $ngx->start;

    publish($ngx, 1);

    ok(TSCast::Reader::pump(5, sub { counts($ngx)->{sent} == 2 }, $dns),
       'over TLS, by a name');
    like($ngx->log_text('told'),
         qr{^POST /told HTTP/1\.1 204 application/json$}m, 'as a request');

    $ngx->{tscast} = $conf->('other');
    $ngx->reload(conf => 1);
    publish($ngx, 1);

    ok(TSCast::Reader::pump(5, sub { counts($ngx)->{failures} }, $dns),
       'to nobody else');
    like($ngx->error_log, qr/not taken: its certificate is not valid/,
         'the log says why');

    $ngx->stop;
    $dns->close;
}


# the directive

for (
    ['http://127.0.0.1/ viewers=on queue=10 timeout=1s reconnect=1s..2s '
     . '"header=A: b"', ''],
    ['udp://127.0.0.1:1/', 'invalid URL "udp://127.0.0.1:1/": it is neither'],
    ['http://', 'invalid URL "http://": it has no host'],
    ['http://me@127.0.0.1/', 'it has a user'],
    ['http://[::x]/', 'it has no address in its brackets'],
    ['http://name.test/', 'no resolver in tscast {} for the host name of'],
    ['http://127.0.0.1/ viewers=maybe', 'invalid parameter "viewers=maybe"'],
    ['http://127.0.0.1/ queue=0', 'invalid parameter "queue=0"'],
    ['http://127.0.0.1/ timeout=0', 'invalid parameter "timeout=0"'],
    ['http://127.0.0.1/ reconnect=2s..1s', 'invalid parameter "reconnect='],
    ['http://127.0.0.1/ header=bad', 'invalid parameter "header=bad"'],
    ['http://127.0.0.1/ ssl_verify=1', 'invalid parameter "ssl_verify=1"'],
    ['http://127.0.0.1/ other=1', 'invalid parameter "other=1"'],
    ['http://127.0.0.1/; notify http://127.0.0.1/',
     '"notify" directive is duplicate'],
) {
    my ($notify, $error) = @$_;
    my ($rc, $said) = node($notify)->check_conf;

    $error ? like($said, qr/\[emerg\].*\Q$error/, $notify)
           : is($rc, 0, $notify);
}

done_testing;
