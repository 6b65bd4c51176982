# Copyright (C) the tscast authors

use strict;
use warnings;

# Host names of links: asked for before each connection, so that a name may
# come late, move, and have several addresses.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $server = <<'END_OF_CONF';
    location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
END_OF_CONF


sub pump { return TSCast::Reader::pump(@_) }


my $dns = TSCast::DNS->new('moves.test' => ['127.0.0.1'],
                           'two.test' => ['127.0.0.3', '127.0.0.1']);

# the same port at two addresses, and nobody at the third

my $here = TSCast::Peer->new;
my $there = TSCast::Peer->new(address => '127.0.0.2', port => $here->port);
my $late = TSCast::Peer->new;
my $two = TSCast::Peer->new;
my @all = ($dns, $here, $there, $late, $two);

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => join("\n", 'zone live 16m;',
                   (map { "pull live/$_->[0] tcp://$_->[0].test:$_->[1] "
                          . 'reconnect=100ms..200ms;' }
                    ['moves', $here->port], ['late', $late->port],
                    ['two', $two->port]),
                   "push live/cam tcp://Moves.Test.:$here->{port};",
                   "resolver 127.0.0.1:$dns->{port} valid=1s ipv6=off;",
                   'resolver_timeout 1s;'),
    server => $server,
)->start;

ok(pump(10, sub { $here->open && $two->open
                  && ($dns->{asked}{'late.test'} // 0) > 2 }, @all),
   'two names are found, and one is looked for again and again');

like($ngx->error_log,
     qr/\[error\].*late.test cannot be resolved \(3: Host not found\)/,
     'which is said');

my $lines = () = $ngx->error_log =~ /late.test cannot be resolved/g;
my $errors = () = $ngx->error_log =~ /\[error\].*late.test cannot be/g;

cmp_ok($lines, '>', 1, 'each time');
is($errors, 1, 'but aloud only once');

$dns->{names}{'late.test'} = ['127.0.0.1'];

ok(pump(5, sub { $late->open }, @all), 'a name that comes later');

# a move is seen at the next connection, once the answer is too old

$dns->{names}{'moves.test'} = ['127.0.0.2'];
$_->close for $here->open;

ok(pump(10, sub {
    $_->close for $here->open;
    return $there->open;
}, @all), 'a name that moves');

# a name server that is silent

$dns->{mute} = 1;
$_->close for $there->open, $late->open;

ok(pump(10, sub {
    $_->close for $there->open, $late->open;
    return $ngx->error_log
           =~ /cannot be resolved \(110: Operation timed out\)/;
}, @all), 'a name server that is silent');

$dns->{mute} = 0;

ok(pump(10, sub { $there->open && $late->open }, @all), 'and answers again');

# a push asks as well, whatever the case and the dot at the end

my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
my $in = TSCast::bytes('seconds=1');

$p->send($in);

ok(pump(5, sub { $there->bytes >= length $in }, @all), 'a push by name');

is($p->finish->status, 204, 'the publisher ends');

$_->close for $p, @all;
$ngx->stop(seconds => 10);

done_testing;
