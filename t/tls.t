# Copyright (C) the tscast authors

use strict;
use warnings;

# TLS: https and wss, client certificates, slow viewers, reloads, kTLS.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $missing = TSCast::TLS::missing();

plan skip_all => $missing if $missing;

my $locations = <<'END_OF_CONF';
        ssl_certificate $PREFIX/server.pem;
        ssl_certificate_key $PREFIX/server.key;
        ssl_client_certificate $PREFIX/ca.pem;

        # a certificate is refused before there is a location, whose own
        # times are short

        lingering_time 1s;
        lingering_timeout 1s;

        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/studio/(?<stream>.+)$ {
            if ($ssl_client_verify != SUCCESS) {
                return 403;
            }

            tscast_ingest live/$stream;
        }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream linger=0;
        }
        location ~ ^/drop/(?<stream>.+)$ {
            tscast_play live/$stream lag=drop linger=0;
        }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0 ping=1s;
        }
END_OF_CONF

# the same with a short window, for those who are to fall out of it

(my $short = $locations) =~ s/\A.*?(?= +location ~)//s;

$short =~ s{\^/}{^/short/}g;
$short =~ s{live/\$stream}{short/\$stream}g;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m; zone short 16m window=2s;',
    server => "listen 127.0.0.1:\$PORT_1 ssl; ssl_verify_client optional;\n"
              . $locations . $short,
    http => <<"END_OF_CONF",
    server {
        listen 127.0.0.1:\$PORT_2 ssl;
        ssl_verify_client on;
$locations
    }

    server {
        listen 127.0.0.1:\$PORT_3 ssl;
        ssl_buffer_size 1400;
        ssl_protocols TLSv1.2;
$locations
    }
END_OF_CONF
);

my $prefix = $ngx->prefix;

TSCast::TLS::certificate($prefix, $_) for qw(server ca other);
TSCast::TLS::certificate($prefix, 'good', by => 'ca');
TSCast::TLS::certificate($prefix, 'bad', by => 'other');

$ngx->start;

my ($port, $strict, $small) = map { $ngx->other_port($_) } 1 .. 3;
my $bytes = TSCast::bytes('seconds=4 bitrate=2000000');


sub publisher {
    my ($path, %opt) = @_;

    return TSCast::Publisher->new(
        sock => TSCast::TLS::dial($opt{port} // $port, %opt), path => $path);
}


sub viewer {
    my ($how, $path, %opt) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(
            sock => TSCast::TLS::dial($opt{port} // $port), path => $path,
            %opt);

        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    return $v;
}


sub up_to_date {
    my ($ts, @viewers) = @_;

    my $last = $ts->{serial} - 1;

    return TSCast::Reader::pump(8, sub {
        !grep { ($_->{check}{high} // -1) != $last } @viewers
    }, @viewers);
}


# in and out, in large records and in small ones

for my $to ($port, $small) {
    my $name = "both$to";
    my $p = publisher("/push/$name", port => $to);

    $p->send($bytes);
    is($p->finish->status, 204, 'https: published');
    $p->close;

    for my $how (qw(http ws)) {
        my @v = map { viewer($how, "/all/$name", port => $to) } 1 .. 3;

        $_->wait_end for @v;
        is(scalar(grep { $_->{end} eq 'complete' && $_->{body} eq $bytes } @v),
           3, "TLS, $how: byte for byte");
        is(join(', ', map { @{$_->{faults}} } @v), '', 'without a fault');
        is($v[0]{close}, 1000, 'the end is a close of 1000')
            if $how eq 'ws';
        $_->close for @v;
    }
}

# client certificates

{
    my @rows = (
        [good => $strict, '/push/cert', 204],
        [undef, $strict, '/push/cert', 400],
        [bad => $strict, '/push/cert', 400],
        [good => $port, '/studio/cert', 204],
        [undef, $port, '/studio/cert', 403],
        [bad => $port, '/studio/cert', 400],
        [undef, $port, '/push/cert', 204],
    );

    for my $row (@rows) {
        my ($cert, $to, $path, $status) = @$row;
        my $p = publisher($path, port => $to,
                          $cert ? (cert => "$prefix/$cert") : ());
        my $name = ($cert // 'no') . " certificate: $path";

        $p->send($bytes);
        $p->finish if $status == 204;
        is($p->status(5), $status, "$name: $status");
        ok(defined $p->closed_within(3), 'and closed') if $status != 204;
        $p->close;
    }

    my $p = TSCast::Publisher->new(port => $strict, path => '/push/cert');

    $p->send($bytes);
    is($p->status(3), 400, 'no TLS at all: 400');
    $p->close;
}

# and of who watches

{
    my $p = publisher('/push/seen');

    $p->send($bytes);

    viewer('http', '/live/seen')->close;

    for my $row ([good => '200 101'], [undef, '400 400'], [bad => '400 400']) {
        my ($cert, $status) = @$row;

        my @v = map {
            TSCast::Reader->$_(
                sock => TSCast::TLS::dial($strict, $cert
                                          ? (cert => "$prefix/$cert") : ()),
                path => '/live/seen', keep => 0)
        } qw(http ws);

        is(join(' ', map { $_->wait_head } @v), $status,
           ($cert // 'no') . " certificate: https and wss: $status");
        $_->close for @v;
    }

    is($p->finish->status, 204, 'published to its end');
    $p->close;
}

# what a WebSocket says, and how it ends

{
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = publisher('/push/ws');

    $p->send($ts->take(1));

    my %v = map { $_ => viewer('ws', '/all/ws') } qw(normal wrong big gone);

    my $pinged = TSCast::Reader::pump(4, sub {
        !grep { !@{$_->{pings}} } values %v
    }, values %v);

    ok($pinged, 'wss: pings');

    $v{normal}->say_close(1001);
    $v{wrong}->put(TSCast::WebSocket::frame(TSCast::WebSocket::TEXT, 'x',
                                            mask => ''));
    $v{big}->put(TSCast::WebSocket::frame(TSCast::WebSocket::BINARY,
                                          'x' x 70_000));
    $v{gone}->close;

    $_->wait_end for @v{qw(normal wrong big)};
    is(join(' ', map { $_->{close} // 'none' } @v{qw(normal wrong big)}),
       '1001 1002 1009', 'wss: close codes');

    my $w = viewer('ws', '/live/ws', protocol => 'null, other');

    is($w->{h}{'sec-websocket-protocol'}, 'null', 'wss: subprotocol');
    $p->send($ts->take(1));
    ok(up_to_date($ts, $w), 'the others saw nothing of it');

    # in the middle of the next messages

    is($p->finish->status, 204, 'the publisher ends');
    is($w->wait_end, 'complete', 'and so does the viewer');
    is("$w->{close} " . $w->faults, '1000 ', 'with 1000, without a fault');
    $_->close for $p, $w;
}

# viewers who do not read, and go on

{
    my $ts = TSCast::TS->new(seconds => 0, bitrate => 12_000_000, gop => 0.4);
    my $p = publisher('/short/push/slow');

    $p->send($ts->take(0.4));

    my $good = viewer('ws', '/short/live/slow', keep => 0);
    my @skip = map { viewer($_, '/short/live/slow', keep => 0) } qw(http ws);
    my @drop = map { viewer($_, '/short/drop/slow', keep => 0) } qw(http ws);

    $_->{paused} = 1 for @skip, @drop;

    my $start = time;
    my $from = $ts->clock;

    my $go_on = sub {
        my ($seconds, $until) = @_;

        my $end = time + $seconds;

        while (time < $end && !$until->()) {
            my $late = $start + $ts->clock - $from - time;

            $p->send($ts->take(0.04)) or die 'cut' if $late <= 0;
            TSCast::Reader::pump($late > 0 ? $late : 0, $until,
                                 $good, @skip, @drop);
        }

        return $until->();
    };

    $go_on->(6, sub { 0 });
    is($good->faults, '', 'who reads misses nothing');

    $_->{paused} = 0 for @skip, @drop;

    ok($go_on->(5, sub { !grep { !$_->{end} } @drop }), 'lag=drop: dropped');
    is($drop[1]{close}, 1008, 'wss: with 1008');
    is($drop[1]->faults, '', 'after whole messages');
    isnt($drop[0]{end}, 'complete', 'https: not as if it were the end');

    ok($go_on->(5, sub {
        !grep { $_->{check}{reopenings}[-1]
                ? @{$_->{check}{reopenings}[-1]} != 3 : 1 } @skip
    }), 'lag=skip: skipped');

    ok(up_to_date($ts, $good, @skip), 'and goes on');

    for my $v (@skip) {
        is($v->faults(missing => 1), '', 'what it sees is well formed');
        ok($v->{check}->opens_well, 'also after the skip');
    }

    is($good->faults, '', 'who reads still misses nothing');
    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $_->close for $p, $good, @skip, @drop;
}

# through reloads, with another certificate

{
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = publisher('/push/reload');
    my @v;

    $p->send($ts->take(1));

    for my $round (1 .. 3) {
        push @v, map { viewer($_, '/all/reload', keep => 0) } qw(http ws);
        $p->send($ts->take(0.4));
        TSCast::Reader::pump(0.05, sub { 0 }, @v);

        if ($round < 3) {
            TSCast::TLS::certificate($prefix, 'server');
            $ngx->reload;
        }

        $p->send($ts->take(0.4));
    }

    ok(up_to_date($ts, @v), 'two reloads cut nobody');
    is(join(', ', grep { $_ ne '' } map { $_->faults } @v), '',
       'nothing is missing or doubled');

    # and one more: a publisher who goes on after its viewers

    $_->close for splice @v, 0, 2;
    $p->send($ts->take(0.4));
    ok(up_to_date($ts, @v), 'some leave, others go on');
    is($p->finish->status, 204, 'the publisher ends well');
    $_->wait_end for @v;
    is(join(' ', map { $_->{end} } @v), join(' ', ('complete') x 4),
       'and so do the viewers');
    $_->close for $p, @v;
}

# nginx -s stop

{
    my $p = publisher('/push/stop');

    $p->send($bytes);

    my @v = map { viewer($_, '/all/stop', keep => 0) } qw(http ws);

    $_->wait_bytes(length $bytes) for @v;
    $ngx->stop(signal => 'TERM');
    $_->wait_end for @v;
    is($v[1]{close}, 1001, 'wss: 1001 when the server goes away');
    is($v[1]->faults, '', 'after whole messages');
    isnt($v[0]{end}, 'complete', 'https: not as if it were the end');
    $_->close for $p, @v;
}

# the kernel encrypts, where it can

SKIP: {
    my $stat = sub {
        open my $in, '<', '/proc/net/tls_stat' or return;
        local $/;

        return { <$in> =~ /^(\w+)\s+(\d+)/mg };
    };

    # the kernel's module is loaded by whoever asks for it first

    $ngx = TSCast::Nginx->new(
        tscast => 'zone live 8m;',
        server => 'listen 127.0.0.1:$PORT_1 ssl;'
                  . " ssl_conf_command Options KTLS;\n$locations",
    );

    my ($rc, $said) = $ngx->check_conf;

    skip 'OpenSSL or nginx knows no KTLS', 1 if $rc && $said =~ /KTLS/;

    my $dir = $ngx->prefix;

    TSCast::TLS::certificate($dir, $_) for qw(server ca);
    $ngx->start;
    $port = $ngx->other_port(1);

    my $before = $stat->();
    my $p = publisher('/push/ktls');

    $p->send($bytes);
    is($p->finish->status, 204, 'KTLS: published');
    $p->close;

    for my $how (qw(http ws)) {
        my $v = viewer($how, '/all/ktls');

        is($v->wait_end, 'complete', "KTLS, $how: watched");
        ok($v->{body} eq $bytes, "KTLS, $how: byte for byte");
        $v->close;
    }

    $ngx->stop;

    my $after = $stat->();

    skip 'this kernel has no TLS: OpenSSL did it all', 1 if !$after;

    my $used = sub {
        my ($s) = @_;

        return ($s->{TlsTxSw} // 0) + ($s->{TlsTxDevice} // 0);
    };

    cmp_ok($used->($after), '>', $used->($before || {}),
           'KTLS: the kernel encrypts');
}

done_testing;
