# Copyright (C) the tscast authors

use strict;
use warnings;

# Configuration of links over RTMP: what is taken, what is refused, and where.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::RTMP;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;

my $server = 'server { listen 127.0.0.1:$PORT_1; }';


sub check {
    my ($links, $rtmp) = @_;

    return TSCast::Nginx->new(
        tscast => "zone live 4m;\n$links",
        main => TSCast::RTMP::load() . "rtmp { $rtmp }",
    )->check_conf;
}


my ($rc, $said) = check(<<'END_OF_CONF', $server);
    push live/a rtmp://127.0.0.1/app/a;
    push live/* rtmp://[::1]:1936/app/instance/$name?key=a/b&as=$name;
    push live/c rtmp://127.0.0.1/$name/$name reconnect=1s..2s timeout=5s;
    pull live/d rtmp://127.0.0.1/app/a;
    pull live/e-* rtmp://127.0.0.1/app/$name on_demand linger=0 wait=1s;
END_OF_CONF

is($rc, 0, 'all that there is') or diag $said;

my @bad = (
    ['push live/a rtmp://127.0.0.1;', 'no application and stream in'],
    ['push live/a rtmp://127.0.0.1/app;', 'no application and stream in'],
    ['push live/a rtmp://127.0.0.1/app/;', 'no application and stream in'],
    ['push live/a rtmp://127.0.0.1//a;', 'no application and stream in'],
    ['push live/a rtmp://127.0.0.1/app?a/b;', 'no application and stream in'],
    ['push live/a rtmp://me@127.0.0.1/app/a;', 'rtmp:// has no user'],
    ['push live/a rtmp://127.0.0.1/app/a ttl=1;', 'invalid parameter "ttl=1"'],
    ['push live/a rtmp://127.0.0.1/app/$app;', 'only the variable \$name'],
    ['pull live/* rtmp://127.0.0.1/app/$name;', 'needs "on_demand"'],
    ['pull live/a rtmp://127.0.0.1/app;', 'no application and stream in'],
    ['push live/a rtmp://example.com/app/a;', 'no resolver in tscast'],
);

for (@bad) {
    my ($link, $error) = @$_;

    ($rc, $said) = check($link, $server);

    isnt($rc, 0, $link);
    like($said, qr/\[emerg\].*\Q$error\E.* in \S+nginx\.conf:\d+/,
         'is refused, and where') if $error !~ /\\/;
    like($said, qr/$error/, 'and why') if $error =~ /\\/;
}

for my $rtmp ('', undef) {
    my $ngx = TSCast::Nginx->new(
        tscast => "zone live 4m;\npush live/a rtmp://127.0.0.1/app/a;",
        main => TSCast::RTMP::load() . (defined $rtmp ? "rtmp { $rtmp }" : ''),
    );

    ($rc, $said) = $ngx->check_conf;

    isnt($rc, 0, defined $rtmp ? 'no server' : 'no rtmp {}');
    like($said, qr{"rtmp://127.0.0.1/app/a" needs a server in rtmp \{\}},
         'is missed');
    like($said, qr/cannot be set up in \S+nginx\.conf:\d+/, 'by this line');
}

done_testing();
