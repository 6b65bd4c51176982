# Copyright (C) the tscast authors

use strict;
use warnings;

# Links over http://: through origin and edge byte for byte, by pull, by push
# and by both; all kinds of bodies; reloads and dead workers.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $locations = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location ~ ^/brief/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest;
        }
END_OF_CONF


sub node {
    my ($name, $links, %opt) = @_;

    return TSCast::Nginx->new(
        workers => 2,
        tscast => "node $name; zone live 16m window=5s;\n$links",
        server => $locations . ($opt{server} // ''),
        %opt{grep { exists $opt{$_} } qw(http main listen)},
    );
}


sub publisher {
    my ($ngx, $name, $path) = @_;

    return TSCast::Publisher->new(port => $ngx->port, path => "/push/$name");
}


sub viewer {
    my ($ngx, $path, %opt) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->http(port => $ngx->port, path => $path, %opt);
        $v->wait_head == 200 or $v->close;
        $v->{status} == 200;
    }) or die "no $path";

    return $v;
}


sub up_to_date {
    my ($ts, @viewers) = @_;

    my $last = $ts->{serial} - 1;

    return TSCast::Reader::pump(8, sub {
        !grep { ($_->{check}{high} // -1) != $last } @viewers
    }, @viewers);
}


# frames of a stream until something is true

sub publish_until {
    my ($p, $ts, $seconds, $until, @viewers) = @_;

    return TSCast::Net::until_true($seconds, sub {
        $p->send($ts->frame) or die 'cut';
        TSCast::Reader::pump(0.02, sub { 0 }, @viewers);
        $until->();
    });
}


# pull and push: origin --> edge --> target

my $target = node('target', '', http => <<'END_OF_CONF')->start;
    server {
        listen [::1]:$PORT_6;

        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
    }
END_OF_CONF
my $origin = node('origin', sprintf(<<'END_OF_CONF', $target->port,
    push live/out* http://127.0.0.1:%d/push/$name method=PUT reconnect=100ms;
    push live/six http://[::1]:%d/push/$name reconnect=100ms;
END_OF_CONF
                  $target->other_port(6)), http => <<'END_OF_CONF')->start;
    server {
        listen 127.0.0.1:$PORT_1;

        location /live/ {
            proxy_pass http://127.0.0.1:$PORT;
            proxy_http_version 1.1;
            proxy_buffering off;
        }

        location /brief/ { proxy_pass http://127.0.0.1:$PORT; }
    }

    server {
        listen [::1]:$PORT_6;

        location ~ ^/brief/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
    }
END_OF_CONF

my $edge = node('edge', sprintf <<'END_OF_CONF',
    pull live/cam http://127.0.0.1:%1$d/brief/cam reconnect=100ms;
    pull live/proxied http://127.0.0.1:%3$d/brief/proxied reconnect=100ms;
    pull live/six http://[::1]:%4$d/brief/six reconnect=100ms;
    pull live/od* http://127.0.0.1:%1$d/all/$name on_demand linger=500ms;
    pull live/keep http://127.0.0.1:%1$d/all/keep reconnect=100ms;
    push live/cam http://127.0.0.1:%2$d/push/there reconnect=100ms;
    push live/cam http://127.0.0.1:%1$d/push/back reconnect=100ms;
END_OF_CONF
    $origin->port, $target->port, $origin->other_port(1),
    $origin->other_port(6))->start;

{
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = publisher($origin, 'cam');
    my $all = $ts->take(2);

    $p->send($all);

    my $v = viewer($edge, '/brief/cam');
    my $w = viewer($target, '/all/there');

    $all .= my $rest = $ts->take(2);
    $p->send($rest);
    ok(up_to_date($ts, $v, $w), 'pull and push: all of it goes through');
    is($p->finish->status, 204, 'published');
    is($v->wait_end, 'complete', 'pull: it ends with the stream');
    ok($v->{body} eq $all, 'pull: byte for byte');
    is($w->faults, '', 'push: without a fault');
    ok($w->{check}->opens_well, 'push: from a key frame on');
    ok(index($all, substr $w->{body}, 376) >= 0, 'push: byte for byte');
    ok($target->wait_log(qr/^204 \d+ POST \/push\/there/m, 5, 'access'),
       'push: the request ends well');
    $_->close for $p, $v, $w;

    ok($edge->wait_log(qr/the links form a loop, status 508, push: "live/),
       'not back: a loop');
    ok($origin->wait_log(qr/links form a loop: "origin, edge"/),
       'which is logged by who refuses');
}

# through a proxy, over IPv6, by PUT

{
    my $bytes = TSCast::bytes('seconds=4 gop=0.4');

    for my $name (qw(proxied six)) {
        my $p = publisher($origin, $name);

        $p->send($bytes);

        my $v = viewer($edge, "/brief/$name");

        is($p->finish->status, 204, "$name: published");
        is($v->wait_end, 'complete', "$name: pulled");
        ok($v->{body} eq $bytes, "$name: byte for byte");
        $_->close for $p, $v;
    }

    ok($target->wait_log(qr/^204 \d+ POST \/push\/six/m, 5, 'access'),
       'a push over IPv6 as well');

    my $p = publisher($origin, 'out1');

    $p->send($bytes);

    my $v = viewer($target, '/brief/out1');

    is($p->finish->status, 204, 'PUT: published');
    is($v->wait_end, 'complete', 'PUT: pushed');
    ok(index($bytes, substr $v->{body}, 376) >= 0, 'PUT: byte for byte');
    ok($target->wait_log(qr/^204 \d+ PUT \/push\/out1/m, 5, 'access'),
       'PUT: the request ends well');
    $_->close for $p, $v;
}

# on demand, by its name

{
    my $bytes = TSCast::bytes('seconds=2 gop=0.4');
    my $none = TSCast::Reader->http(port => $edge->port, path => '/live/od0');

    is($none->wait_head, 404, 'on demand: there is no such stream');
    $none->close;

    my $p = publisher($origin, 'od1');

    $p->send($bytes);

    my $v = TSCast::Reader->http(port => $edge->port, path => '/brief/od1');

    is($v->wait_head, 200, 'on demand: fetched');
    is($p->finish->status, 204, 'and published');
    ok($v->wait_bytes(length $bytes), 'all of it');
    ok($v->{body} eq $bytes, 'byte for byte');
    $_->close for $p, $v;
}

# reloads and a dead worker, while it pulls

{
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = publisher($origin, 'keep');

    $p->send($ts->take(0.4));

    my @v = map { viewer($edge, '/live/keep', keep => 0) } 1 .. 2;
    my $got = sub {
        my $from = $ts->{serial};

        return publish_until($p, $ts, 8, sub {
            !grep { ($_->{check}{high} // 0) < $from } @v
        }, @v);
    };

    ok($got->(), 'pulled');

    for (1 .. 2) {
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            $SIG{TERM} = 'DEFAULT';
            kill 'HUP', $edge->master;
            POSIX::_exit(0);
        }

        waitpid $pid, 0;

        my $n = $_;

        ok(publish_until($p, $ts, 8, sub {
            my @new = $edge->workers;

            my @old = $edge->error_log =~ /link is finished, pull: "live\/k/g;

            return @old >= $n && @new == 2;
        }, @v), 'reload: another worker pulls');
        ok($got->(), 'reload: viewers stay');
    }

    is(join(', ', grep { $_ ne '' } map { $_->faults } @v), '',
       'nothing is missing or doubled');

    # viewers of other workers survive it

    my ($owner) = grep {
        my $pid = $_;

        grep { my $to = readlink $_ // ''; $to =~ /^socket/
               && socket_of($to, $origin->port) } glob "/proc/$pid/fd/*";
    } $edge->workers;

    ok($owner, 'one worker has the pull');

    my ($other) = grep { $_ != $owner } $edge->workers;

    $_->close for splice @v;

    @v = TSCast::Reader->http(sock => $edge->connect_to_worker($other),
                              path => '/live/keep', keep => 0);
    ok($got->(), 'a viewer on another worker');

    $edge->kill_worker($owner);
    ok($got->(), 'kill -9: it stays');
    is($v[0]->faults(missing => 1, doubled => 1), '',
       'what it sees is well formed');
    ok($v[0]->{check}->opens_well, 'and goes on at a key frame');
    is($v[0]{check}{discontinuities}, 1, 'with a discontinuity');

    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $_->close for $p, @v;
}

$_->stop for $edge, $origin, $target;

done_testing;


# is it a connection to the port?

sub socket_of {
    my ($socket, $port) = @_;

    my ($inode) = $socket =~ /(\d+)/;
    my $remote = sprintf ':%04X', $port;

    open my $in, '<', '/proc/net/tcp' or die $!;

    return grep { my @f = split; $f[2] =~ /$remote\z/ && $f[9] eq $inode }
           <$in>;
}
