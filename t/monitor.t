# Copyright (C) the tscast authors

use strict;
use warnings;

# The page of demo/client/monitor in headless Chromium: figures of streams and
# viewers, links to another node, a stream that stops, a node that is killed.
# Screenshots are in build/browser.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use TSCast;
use TSCast::Status;

my $dir = "$TSCast::ROOT/t/browser";
my $pages = "$TSCast::ROOT/demo/client";

for my $program (qw(node ffmpeg)) {
    plan(skip_all => "no $program")
        if system("command -v $program > /dev/null 2>&1");
}

plan(skip_all => 'no /usr/bin/chromium') if !-x '/usr/bin/chromium';

for my $folder ($dir, $pages) {
    plan(skip_all => "no $folder/node_modules: run .ci/setup test")
        if !-d "$folder/node_modules";
}

my $streams = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)\.ts$ {
            tscast_play live/$stream linger=1s;
        }
END_OF_CONF

my $status = <<'END_OF_CONF';
        location = /status {
            add_header Access-Control-Allow-Origin *;
            tscast_status;
        }
END_OF_CONF

my $edge = TSCast::Nginx->new(
    tscast => 'zone live 16m window=2s;',
    server => $streams . $status,
)->start;

# a node that lets no other page ask

my $shy = TSCast::Nginx->new(
    tscast => 'zone live 16m window=2s;',
    server => 'location = /status { tscast_status; }',
)->start;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 64m window=2s;',
    http => <<'END_OF_CONF',
        types {
            text/html html;
            text/css css;
            text/javascript js;
            application/json json;
            image/svg+xml svg;
        }
END_OF_CONF
    server => $streams . $status . <<"END_OF_CONF",
        location / { root $pages; index index.html; }
END_OF_CONF
)->start;

# a node between the two that tells of its links

my $branch = TSCast::Nginx->new(
    tscast => 'zone live 16m window=2s;',
    server => <<'END_OF_CONF',
        location = /own { tscast_status; }
        location = /status {
            alias $PREFIX/status.json;
            add_header Access-Control-Allow-Origin *;
        }
END_OF_CONF
)->start;

my $told = decode_json(TSCast::Status::request($branch, '/own')->{body});

$told->{links} = [
    link_to('pull', 'live/one', 'running', $ngx->port),
    link_to('push', 'live/one', 'running', $edge->port),
    link_to('push', 'live/two', 'running', $edge->port),
    link_to('pull', 'live/news', 'waiting', 1, 'connection refused'),
    link_to('push', 'live/one', 'idle', $shy->port),
];

open my $file, '>', $branch->prefix . '/status.json' or die $!;
print $file encode_json($told);
close $file or die $!;

my @run = ('node', "$dir/monitor.js", 'http://127.0.0.1:' . $ngx->port,
           'http://127.0.0.1:' . $branch->port,
           'http://127.0.0.1:' . $edge->port, $shy->port,
           "$TSCast::ROOT/build/browser");

open my $out, '-|', @run or die "node: $!";

while (my $line = <$out>) {
    chomp $line;

    if ($line =~ /^(not )?ok - (.*)/) {
        ok(!$1, $2);

    } elsif ($line eq 'kill the edge') {
        $edge->stop;

    } else {
        $line =~ s/^# //;
        Test::More->builder->is_passing ? note($line) : diag($line);
    }
}

close $out;
is($?, 0, 'monitor.js ends well');

$_->stop for $branch, $shy;
$ngx->stop;
done_testing();


sub link_to {
    my ($kind, $stream, $state, $port, $error) = @_;
    my ($name) = $stream =~ m{/(.*)};

    return {
        kind => $kind,
        stream => $stream,
        url => "http://user:hidden\@127.0.0.1:$port/push/$name",
        state => $state,
        error => $error // '',
    };
}
