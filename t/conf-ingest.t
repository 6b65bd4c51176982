#!/usr/bin/env perl

# Copyright (C) the tscast authors

# conf/ingest.conf as it stands, but for its ports and its prefix: in by HTTP,
# TCP, UDP and RTP, out by HTTP and TCP

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}


package Shipped {
    our @ISA = 'TSCast::Nginx';

    sub conf {
        my ($self) = @_;

        open my $in, '<', "$TSCast::ROOT/conf/ingest.conf" or die $!;
        my $conf = do { local $/; <$in> };

        my $load = join '', map { "load_module $_;\n" }
                                TSCast::Nginx::modules();
        my $user = $> == 0 ? "user root;\n" : '';

        $conf =~ s/^#.*\n//mg;
        $conf =~ s/^load_module .*\n//mg;
        $conf = "$load${user}daemon off;\n$conf";

        $conf =~ s{listen 8088;}{
            listen 127.0.0.1:$self->{port};

            location = /tscast-alive {
                access_log off;
                return 200 "\$pid\\n";
            }
        } or die;

        $conf =~ s/listen (5[05]00[12])/"listen 127.0.0.1:"
                                       . $self->other_port($1)/ge;
        $conf =~ s/^(\s+)(5[05]00[12]) cam/$1 . $self->other_port($2)
                                          . ' cam'/gme;

        return $conf;
    }
}


my $ngx = Shipped->new(workers => 2)->start;
my $bytes = TSCast::bytes('seconds=2 gop=0.5');


sub played {
    my ($name, $n, $stream) = @_;

    my @v = TSCast::Reader->http(port => $ngx->port,
                                 path => "/live/$stream.ts");

    push @v, TSCast::Reader->raw(port => $ngx->other_port($n)) if $n;

    ok(TSCast::Reader::pump(5, sub {
        !grep { $_->{bytes} < length($bytes) / 5 } @v
    }, @v), "$name: played");
    is(scalar(grep { $_->{check}->opening ne 'PAT PMT key' } @v), 0,
       "$name: from a key frame");

    $_->close for @v;
}


my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/film');

$p->send($bytes);
ok($ngx->wait_log(qr/"live\/film" is published/), 'HTTP: published');
played('HTTP', undef, 'film');
is($p->finish->status, 204, 'HTTP: ended');

my $sock = TSCast::Net::dial($ngx->other_port(50001));

TSCast::Net::put($sock, $bytes);
ok($ngx->wait_log(qr/"live\/cam1" is published/), 'TCP: published');
played('TCP', 55001, 'cam1');
close $sock;

for my $case (['UDP', 50002], ['RTP', 50001, rtp => {}]) {
    my ($name, $n, %opt) = @$case;
    my $stream = $n == 50001 ? 'cam1' : 'cam2';
    my $u = TSCast::Datagrams->new(port => $ngx->other_port($n), %opt);

    ok($ngx->wait_log(qr/"live\/cam1" has ended/), 'TCP: ended');

    $u->send($bytes)->flush;
    ok($ngx->wait_log(qr/"live\/$stream" is published.*udp client/),
       "$name: published");
    played($name, $n + 5000, $stream);
}

unlike($ngx->error_log, qr/\[warn\]/, 'nothing to warn of');

$ngx->stop;
like($ngx->log_text('stream'), qr{ UDP 200 live/cam2 - - \d+ },
     'the log of sessions');
done_testing;
