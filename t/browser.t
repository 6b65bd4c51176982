# Copyright (C) the tscast authors

use strict;
use warnings;

# The pages of demo/client in headless Chromium: both players, both
# transports, streams and mirrors that come and go.  Screenshots are in
# build/browser.

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

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 64m window=2s;',
    http => <<'END_OF_CONF',
        types {
            text/html html;
            text/css css;
            text/javascript js;
            image/svg+xml svg;
        }
END_OF_CONF
    server => <<"END_OF_CONF",
        location ~ ^/push/(?<stream>.+)\$ { tscast_ingest live/\$stream; }
        location ~ ^/live/(?<stream>.+)\\.ts\$ { tscast_play live/\$stream; }
        location ~ ^/live/(?<stream>.+)\\.flv\$ {
            tscast_play live/\$stream format=flv;
        }
        location ~ ^/short/(?<stream>.+)\\.ts\$ {
            tscast_play live/\$stream linger=1s;
        }
        location / { root $pages; index index.html; }
END_OF_CONF
)->start;

my @mirrors = map {
    TSCast::Nginx->new(
        tscast => "node mirror$_; zone live 16m window=2s;
                   pull live/* http://127.0.0.1:" . $ngx->port
                  . '/live/$name.ts on_demand;',
        server => <<'END_OF_CONF',
        location ~ ^/live/(?<stream>.+)\.ts$ {
            add_header Access-Control-Allow-Origin * always;
            tscast_play live/$stream;
        }
END_OF_CONF
    )->start;
} 1 .. 2;

my @run = ('node', "$dir/players.js", 'http://127.0.0.1:' . $ngx->port,
           "$TSCast::ROOT/build/browser",
           map { 'http://127.0.0.1:' . $_->port . '=' . $_->master } @mirrors);

open my $out, '-|', @run or die "node: $!";

while (my $line = <$out>) {
    chomp $line;

    if ($line =~ /^(not )?ok - (.*)/) {
        ok(!$1, $2);

    } else {
        $line =~ s/^# //;
        Test::More->builder->is_passing ? note($line) : diag($line);
    }
}

close $out;
is($?, 0, 'players.js ends well');

$_->stop for @mirrors, $ngx;
done_testing();
