# Copyright (C) the tscast authors

use strict;
use warnings;

# What a UDP listener of the doors needs of the rest of the configuration,
# whatever the order in which it is read.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

if (my $why = TSCast::Nginx::missing_stream()) {
    plan skip_all => $why;
}


# nginx -t of one server

sub check {
    my ($workers, $events, $server, %opt) = @_;

    my $ngx = TSCast::Nginx->new(
        workers => $workers, events => $events, tscast => 'zone live 4m;',
        main => "stream {\nserver {\n$server\n}\n}\n" . ($opt{main} // ''),
    );

    my ($rc, $said) = $ngx->check_conf;

    return $rc == 0 ? "good: $said" : "bad: $said";
}


my $udp = 'listen 127.0.0.1:$PORT_1 udp';
my $ingest = 'tscast_ingest live/cam;';
my $accept = 'multi_accept on;';

my $said = check(2, $accept, "$udp reuseport;\n$ingest");

like($said, qr/^good/, 'udp reuseport, two workers');
unlike($said, qr/warn/, 'nothing to say');

$said = check(2, $accept, "$udp;\n$ingest");

like($said, qr/^bad/, 'udp without reuseport, two workers');
like($said, qr/\[emerg\].*127\.0\.0\.1:\d+\sudp.*needs\s"reuseport".*one\s
               sender.*2\ workers.*in\ \S+nginx\.conf:\d+/x,
     'the reason, and where');

like(check(2, $accept, "$ingest\n$udp;"), qr/^bad.*needs "reuseport"/s,
     'the directive before the listener');

like(check(2, $accept, "listen 127.0.0.1:\$PORT_1;\n$udp;\n$ingest"),
     qr/^bad.*needs "reuseport"/s, 'beside TCP');

like(check(2, $accept, "listen [::1]:\$PORT_1 udp;\n$ingest"),
     qr/^bad.*\[::1\]:\d+ udp.*needs "reuseport"/s, 'IPv6');

like(check(2, $accept, "listen \$PORT_1 udp;\n$ingest"),
     qr/^bad.*needs "reuseport"/s, 'any address');

like(check(1, $accept, "$udp;\n$ingest"), qr/^good/, 'one worker needs none');

like(check(2, $accept, "listen 127.0.0.1:\$PORT_1;\n$ingest"), qr/^good/,
     'nor does TCP');

like(check(2, $accept, "$udp;\nreturn hello;"), qr/^good/,
     'nor does a server of others');

$said = check(2, '', "$udp reuseport;\n$ingest");

like($said, qr/^good/, 'without multi_accept');
like($said, qr/\[warn\].*127\.0\.0\.1:\d+\sudp.*multi_accept.*in
               \ \S+nginx\.conf:\d+/x, 'there is a warning, once');
is(() = $said =~ /multi_accept/g, 1, 'and no more than one');

$said = check(1, $accept, "$udp;\ntscast_play live/cam;");

like($said, qr/^bad/, 'UDP out');
like($said, qr/\[emerg\].*"tscast_play".*127\.0\.0\.1:\d+\sudp.*"push".*in
               \ \S+nginx\.conf:\d+/x, 'is the work of others');

done_testing;
