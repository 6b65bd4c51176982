# Copyright (C) the tscast authors

use strict;
use warnings;

# Doors of every kind report alike: TCP in and out, beside HTTP.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m window=60s;',
    main => <<'END_OF_CONF',
stream {
    server {
        listen 127.0.0.1:$PORT_1;
        tscast_ingest live/cam timeout=60s;
    }

    server {
        listen 127.0.0.1:$PORT_2;
        tscast_play live/cam start=oldest;
    }
}
END_OF_CONF
    server => <<'END_OF_CONF',
        location /live/ { tscast_play live/cam start=oldest; }
        location = /status { tscast_status; }
END_OF_CONF
)->start;


sub by {
    my ($what, $protocol) = @_;

    my ($found) = grep { $_->{protocol} eq $protocol } @{$what->{by}};

    return $found;
}


my $bytes = TSCast::bytes('seconds=2 gop=0.4');
my $in = TSCast::Net::dial($ngx->other_port(1));

ok(TSCast::Net::put($in, $bytes), 'bytes over TCP');

TSCast::Status::until_stream($ngx, 'live/cam',
                             sub { $_[0]{window}{bytes} == length $bytes });

my @out = map { TSCast::Net::dial($ngx->other_port(2)) } 1 .. 3;
my $v = TSCast::Reader->ws(port => $ngx->port, path => '/live/', keep => 0);

$v->wait_bytes(length $bytes);

for my $out (@out) {
    my $got = 0;

    while ($got < length $bytes) {
        my $some = TSCast::Net::get($out, 5);

        last if !defined $some || $some eq '';
        $got += length $some;
    }

    is($got, length $bytes, 'a viewer over TCP has them all');
}

my $s = TSCast::Status::until_stream($ngx, 'live/cam', sub {
    $_[0]{viewers}{sent} == 4 * length $bytes && $_[0]{bitrate}{in}
});

is("@{$s->{publisher}}{qw(address door protocol)}", '127.0.0.1 stream tcp',
   'the publisher');
is(by($s->{publishers}, 'tcp')->{received}, length $bytes, 'its bytes');
is("@{by($s->{viewers}, 'tcp')}{qw(now peak total sent door)}",
   '3 3 3 ' . 3 * length($bytes) . ' stream', 'viewers over TCP');
is("@{by($s->{viewers}, 'websocket')}{qw(now peak total sent door)}",
   '1 1 1 ' . length($bytes) . ' http', 'and over WebSocket');
is("@{$s->{viewers}}{qw(now peak)}", '4 4', 'all of them');
is(TSCast::Status::faults(TSCast::Status::get($ngx)), '',
   'as the schema says');

close $_ for @out;

$s = TSCast::Status::until_stream($ngx, 'live/cam',
                                  sub { $_[0]{viewers}{now} == 1 });

is("@{by($s->{viewers}, 'tcp')}{qw(now peak total)}", '0 3 3',
   'three have left');

$v->close;
close $in;

$ngx->stop;
done_testing;
