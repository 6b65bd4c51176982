# Copyright (C) the tscast authors

use strict;
use warnings;

# A status as an answer: formats, methods, one stream of many; and many
# streams while others are served.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    connections => 2000,
    tscast => 'zone live 64m window=60s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ {
            client_body_buffer_size 16k;
            tscast_ingest live/$stream timeout=60s;
        }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream; }
        location = /status { tscast_status; }
        location = /gzip {
            gzip on;
            gzip_types *;
            tscast_status;
        }
        location = /slow {
            output_buffers 1 1k;
            limit_rate 400k;
            tscast_status;
        }
END_OF_CONF
)->start;


sub answer {
    my ($path, %opt) = @_;

    return TSCast::Status::request($ngx, $path, %opt);
}


sub type {
    my ($accept) = @_;

    my $r = answer('/status', headers => ['Connection: close',
                                          "Accept: $accept"]);

    return $r->{h}{'content-type'} =~ m{([\w-]+/[\w-]+)} ? $1 : '';
}


my @p = map {
    TSCast::Publisher->new(port => $ngx->port, path => "/push/$_")
} qw(a a.b~c_d-e);

$_->send(TSCast::bytes('seconds=2 gop=0.4')) for @p;

TSCast::Status::until_stream($ngx, "live/$_", sub { $_[0]{bitrate}{in} })
    for qw(a a.b~c_d-e);


# what is asked for

my $r = answer('/status');

is($r->{status}, 200, 'a status');
is($r->{h}{'content-type'}, 'application/json', 'is JSON');
is($r->{h}{'cache-control'}, 'no-store', 'not to be stored');
is($r->{h}{'content-length'}, length $r->{body}, 'of a known length');
ok(eval { decode_json($r->{body}) }, 'JSON');

is(type('text/html,application/xhtml+xml,*/*;q=0.8'), 'text/html',
   'a browser gets a page');
is(type('*/*'), 'application/json', 'curl gets JSON');
is(type('application/json, text/plain, */*'), 'application/json',
   'so does a script');
is(type('application/openmetrics-text;version=1.0.0;q=0.5,'
        . 'text/plain;version=0.0.4;q=0.3,*/*;q=0.2'), 'text/plain',
   'Prometheus gets its own');

is(answer("/status?format=$_->[0]")->{h}{'content-type'}, $_->[1], $_->[0])
    for ['json', 'application/json'], ['html', 'text/html; charset=utf-8'],
        ['prometheus', 'text/plain; version=0.0.4; charset=utf-8'];

is(answer('/status?format=xml')->{status}, 400, 'another format');

my $page = answer('/status?format=html')->{body};

like($page, qr/<!DOCTYPE html>/, 'a page');
unlike($page, qr{https?://}, 'that needs no other');

for my $method (qw(POST PUT DELETE OPTIONS)) {
    is(answer('/status', method => $method,
              headers => ['Connection: close', 'Content-Length: 0'])->{status},
       405, "no $method");
}

my $head = answer('/status?stream=live/none', method => 'HEAD');

is($head->{status}, 404, 'HEAD of no stream');
is(answer('/status', method => 'HEAD')->{status}, 200, 'HEAD');


# one stream

for my $name ('live/a', 'live%2Fa', 'live/a.b~c_d-e') {
    my $s = decode_json(answer("/status?stream=$name")->{body});

    is(scalar @{$s->{streams}}, 1, "$name alone");
    is($s->{streams}[0]{name}, $name =~ s/%2F/\//r, 'the right one');
    is($s->{count}{streams}, 2, 'of two');
}

is(answer("/status?stream=$_")->{status}, 404, "no stream $_")
    for qw(live/b live a other/a live/a/ liv/a lively/a %00 live/a%00);
is(scalar @{TSCast::Status::get($ngx, '?stream=')->{streams}}, 2,
   'an empty name is none');


# the same figures for Prometheus

my $json = TSCast::Status::stream($ngx, 'live/a');
my %sample = TSCast::Status::samples(answer('/status?format=prometheus')
                                     ->{body});

is($sample{'tscast_streams'}, 2, 'streams');
is($sample{'tscast_stream_live{stream="live/a.b~c_d-e"}'}, '1.000',
   'a name as it is');
is($sample{'tscast_stream_received_bytes_total{stream="live/a",door="http",'
           . 'protocol="http"}'}, $json->{publishers}{received}, 'bytes');
is($sample{'tscast_received_bytes_total{door="http",protocol="http"}'},
   2 * $json->{publishers}{received}, 'of both');
is($sample{'tscast_stream_errors_total{stream="live/a",check="continuity"}'},
   0, 'errors');
is($sample{'tscast_workers'}, 2, 'workers');
is($sample{'tscast_zone_size_bytes{zone="live"}'}, 64 << 20, 'a zone');

SKIP: {
    my ($promtool) = grep { -x } $ENV{PROMTOOL} // (),
                     map { "$_/promtool" } split /:/, $ENV{PATH};

    skip 'no promtool', 1 if !$promtool;

    my $file = $ngx->write_file('metrics',
                                answer('/status?format=prometheus')->{body});

    is(`$promtool check metrics < $file 2>&1`, '', 'promtool has no complaint');
}


# many streams; nobody who asks is in the way of another

{
    my $bytes = TSCast::bytes('seconds=0.4 gop=0.4 audio=0');

    for my $n (1 .. 300) {
        push @p, TSCast::Publisher->new(port => $ngx->port,
                                        path => "/push/many$n");
        $p[-1]->send($bytes);
    }

    my $s;

    TSCast::Net::until_true(5, sub {
        $s = TSCast::Status::get($ngx);

        return $s->{count}{live} == 302
               && !grep { !$_->{window}{bytes} } @{$s->{streams}};
    });

    is(TSCast::Status::faults($s), '', '302 streams: as the schema says');
    is(scalar @{$s->{streams}}, 302, 'all of them');

    my %names = map { $_->{name} => 1 } @{$s->{streams}};

    is(scalar keys %names, 302, 'each once');

    my @r = map {
        TSCast::Reader->http(port => $ngx->port, path => $_,
                             headers => ['Connection: close',
                                         'Accept-Encoding: gzip'])
    } ('/status', '/gzip', '/slow', '/status?format=prometheus') x 4;

    # one of them goes away before it has the answer

    pop(@r)->abort;

    $_->wait_end(10) for @r;

    is(join(' ', grep { $_->{status} != 200 || $_->{end} ne 'complete' } @r),
       '', 'fifteen at a time');
    is($r[1]{h}{'content-encoding'}, 'gzip', 'compressed');
    is(scalar @{decode_json($r[2]{body})->{streams}}, 302, 'and slowly');
    is($r[0]{h}{'content-length'}, $r[0]{bytes}, 'whole');
    $_->close for @r;
}

$_->abort for @p;

$ngx->stop;
done_testing;
