# Copyright (C) the tscast authors

use strict;
use warnings;

# The page of demo/client/monitor in headless Chromium: figures of streams and
# viewers, a node that pulls and pushes, a stream that stops, a node that is
# killed.  Screenshots are in build/browser.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

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
    tscast => 'node edge; zone live 16m window=2s;',
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

# a node between the two, with links that run and links that cannot

my ($from, $to, $deaf) = map { 'http://127.0.0.1:' . $_->port }
                             $ngx, $edge, $shy;
my $branch = TSCast::Nginx->new(
    workers => 2,
    tscast => "node branch; zone live 16m window=2s;
               pull live/one $from/live/one.ts?key=k7s3cr3t;
               pull live/two $from/live/two.ts;
               pull live/news http://127.0.0.1:1/news.ts reconnect=90s;
               push live/one $to/push/\$name;
               push live/two $to/push/\$name?key=k7s3cr3t;
               push live/one $deaf/push/\$name reconnect=90s;",
    server => $status,
)->start;

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
        $edge->kill_node;

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
