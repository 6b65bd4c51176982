# Copyright (C) the tscast authors

use strict;
use warnings;

# What a status says of links: who runs them, how they are, what they carried,
# and nothing that is secret.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

sub pump { return TSCast::Reader::pump(@_) }

my $sink = TSCast::Peer->new;
my $paced = TSCast::UDP->new;
my $down = TSCast::Net::free_port();

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => "zone live 16m window=5s;
               push live/cam tcp://127.0.0.1:$sink->{port};
               push live/fast udp://127.0.0.1:$paced->{port}?pace=pcr;
               push live/* http://127.0.0.1:$down/push/\$name?key=k7
                    \"header=Authorization: Bearer t0ken\" reconnect=60s;",
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location = /status { tscast_status; }
END_OF_CONF
)->start;


sub links {
    my $status = TSCast::Status::get($ngx);

    return map { $_->{url} => $_ } @{$status->{links}};
}


is(scalar(my @none = links()), 0, 'no link without a stream');

my $bytes = TSCast::bytes('seconds=2 gop=0.4');
my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

$p->send($bytes);

ok(pump(5, sub { $sink->bytes }, $sink), 'a push runs');

my %links;

ok(TSCast::Net::until_true(5, sub {
    pump(0.1, sub { 0 }, $sink);
    %links = links();

    my ($up) = $links{"tcp://127.0.0.1:$sink->{port}"};
    my ($no) = $links{"http://127.0.0.1:$down/push/\$name"};

    return $up && $up->{bytes} == $sink->bytes && $up->{rtt}
           && $no && $no->{state} eq 'waiting';
}), 'both are told') or diag explain \%links;

my $up = $links{"tcp://127.0.0.1:$sink->{port}"};
my $no = $links{"http://127.0.0.1:$down/push/\$name"};

is("$up->{kind} $up->{stream} $up->{state}", 'push live/cam running',
   'one is up');
is("$up->{connects} $up->{failures}", '1 0', 'for the first time');
ok(defined $up->{slot}, 'on a worker');
ok($up->{rtt} > 0 && $up->{rtt} < 5, 'with the time to the peer and back')
    or diag $up->{rtt};
ok(!exists $up->{error}, 'without an error');
is("$no->{kind} $no->{stream} $no->{connects} $no->{failures}",
   'push live/cam 0 1', 'the other one is not');
like($no->{error}, qr/connect/, 'and says why');
ok(!exists $no->{rtt}, 'and is at no distance');

my $status = TSCast::Status::get($ngx);

is(TSCast::Status::faults($status), '', 'as the schema says');
unlike(join(' ', explain $status), qr/k7|t0ken/, 'no secret is told');

is($p->finish->status, 204, 'the publisher ends');


# more at once than is kept for pacing: what makes room leaves early

{
    my $q = TSCast::Publisher->new(port => $ngx->port, path => '/push/fast');
    my $ts = TSCast::TS->new(seconds => 4, gop => 60, bitrate => 8_000_000);
    my $all = $ts->all;
    my $link;

    $q->send($all);

    ok(TSCast::Net::until_true(5, sub {
        %links = links();
        $link = $links{"udp://127.0.0.1:$paced->{port}"};

        return $link && $link->{hurried};
    }), 'datagrams sent before their time are told') or diag explain \%links;

    cmp_ok($link->{hurried}, '<=', length($all) / 1316, 'not too many');
    ok(!exists $link->{rtt}, 'and how far they go is not known');

    $_->close for $q, $paced;
}

$ngx->stop;

done_testing();
