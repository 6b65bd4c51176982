#!/usr/bin/env perl

# Copyright (C) the tscast authors

# conf/master.conf and conf/mirror.conf as they stand, but for ports and
# prefixes: who may publish and who may fetch, and mirrors that come and go

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;


package Shipped {
    our @ISA = 'TSCast::Nginx';

    sub conf {
        my ($self) = @_;

        open my $in, '<', "$TSCast::ROOT/conf/$self->{file}.conf" or die $!;
        my $conf = do { local $/; <$in> };

        my $load = join '', map { "load_module $_;\n" }
                                TSCast::Nginx::modules();
        my $user = $> == 0 ? "user root;\n" : '';
        my $outside = $self->{dns}
                      ? '' : "listen unix:$self->{prefix}/outside.sock;";

        $conf =~ s/^load_module .*\n/$load${user}daemon off;/m or die;
        $conf =~ s/^worker_processes auto;/worker_processes 2;/m or die;
        $conf =~ s/^(events \{\n    worker_connections) \d+/$1 1000/m or die;
        $conf =~ s{listen 8088;}{
            listen 127.0.0.1:$self->{port};
            $outside

            location = /tscast-alive {
                access_log off;
                return 200 "\$pid\\n";
            }
        } or die;

        if ($self->{dns}) {
            $conf =~ s/resolver \S+ /resolver 127.0.0.1:$self->{dns} / or die;
            $conf =~ s{//master:8088/}{//master:$self->{from}/} or die;
        }

        return $conf;
    }
}


my $dns = TSCast::DNS->new(master => ['127.0.0.1']);
my $master = Shipped->new(file => 'master', workers => 2)->start;
my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
my $p;      # the publisher, once it may


sub mirror {
    return Shipped->new(file => 'mirror', workers => 2, dns => $dns->{port},
                        from => $master->port)->start;
}


sub viewer {
    my ($node, $how) = @_;

    return TSCast::Reader->$how(port => $node->port, path => '/live/cam.ts');
}


# goes on publishing until something is true

sub publish_until {
    my ($until, @viewers) = @_;

    return TSCast::Net::until_true(10, sub {
        $p->send($ts->frame);
        TSCast::Reader::pump(0.02, sub { 0 }, $dns, @viewers);
        return $until->();
    });
}


# and until each of them has more than it had

sub all_go_on {
    my (@viewers) = @_;

    my %had = map { $_ => $_->{bytes} } @viewers;

    return publish_until(sub {
        !grep { $_->{bytes} < $had{$_} + 50_000 } @viewers;
    }, @viewers);
}


# connections to the master, without that of the publisher

sub pulls { return TSCast::Net::connections($master->port) - 1 }


# who may publish

for my $secret ('', 'Bearer wrong', 'Bearer CHANGE-M', 'Basic CHANGE-ME') {
    my $q = TSCast::Publisher->new(port => $master->port, path => '/push/cam',
                                   headers => ["Authorization: $secret"]);

    is($q->status, 403, "publish with \"$secret\": 403");
    $q->close;
}

$p = TSCast::Publisher->new(port => $master->port, path => '/push/cam',
                            headers => ['Authorization: Bearer CHANGE-ME']);

ok(publish_until(sub {
    my $v = TSCast::Reader->http(port => $master->port, method => 'HEAD',
                                 path => '/live/cam.ts');
    my $status = $v->wait_head;

    $v->close;

    return $status == 200;
}), 'and with the right one');

# who may fetch

my $outside = TSCast::Reader->http(port => $master->prefix . '/outside.sock',
                                   path => '/live/cam.ts');

is($outside->wait_head, 403, 'who is no mirror gets nothing of the master');
$outside->close;

# two mirrors

my ($one, $two) = map { mirror() } 1 .. 2;

for my $node ($one, $two) {
    my $q = TSCast::Publisher->new(
        port => $node->port, path => '/push/cam',
        headers => ['Authorization: Bearer CHANGE-ME']);

    is($q->status, 404, 'nobody publishes at a mirror');
    $q->close;
}

is(pulls(), 0, 'mirrors fetch nothing while nobody watches');

my %at = map {
    my $node = $_;
    $node => [map { viewer($node, $_) } (qw(http ws)) x 5];
} $one, $two;

my @first = map { @$_ } values %at;

ok(all_go_on(@first), 'viewers on two mirrors');
is(pulls(), 2, 'share a connection for each');

# one more, while they watch

my $three = mirror();
my @third = map { viewer($three, $_) } qw(http ws);

ok(all_go_on(@first, @third), 'a third one is added');
is(pulls(), 3, 'with a connection of its own');
is(join('', map { $_->faults } @first, @third), '', 'nobody sees a fault');
is(scalar(grep { !$_->{check}->opens_well } @first, @third), 0,
   'all began at a key frame, with tables');

# one is killed: its viewers go to another

$two->kill_node;

my @cut = @{delete $at{$two}};

ok(publish_until(sub { !grep { !$_->{end} } @cut }, @cut),
   'one is killed, and its viewers are cut');
$_->close for @cut;

my @stay = (@{$at{$one}}, @third);
my @moved = map { viewer($three, $_) } (qw(http ws)) x 5;

ok(all_go_on(@stay, @moved), 'they go on at another');
is(pulls(), 2, 'by the connection that it has');
is(join('', map { $_->faults } @stay, @moved), '', 'without a fault');

# and comes back from the same file

$two->start;

my @back = map { viewer($two, $_) } qw(http ws);

ok(all_go_on(@stay, @moved, @back), 'it comes back');
is(join('', map { $_->faults } @stay, @back), '', 'nobody sees a fault');

is($p->finish->status, 204, 'the publisher ends');

$_->close for @stay, @moved, @back, $p;
$_->stop(seconds => 10) for $one, $two, $three;

my $log = $master->access_log;

is(scalar(() = $log =~ m{ GET /live/cam\.ts 200 }g), 4,
   'each mirror has asked the master once, and once more when it was killed');
unlike($log . $master->error_log . $one->error_log, qr/CHANGE-ME/,
       'no log has the secret');

$master->stop;
$dns->close;
done_testing;
