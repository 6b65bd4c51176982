# Copyright (C) the tscast authors

use strict;
use warnings;

# Five reloads under a publisher that numbers its packets: viewers on old and
# new workers miss nothing and see nothing twice.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m window=5s;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
        location ~ ^/stay/(?<stream>.+)$ {
            tscast_play live/$stream linger=20s;
        }
END_OF_CONF
)->start;

my @viewers;
my $n = 0;


sub watch {
    my ($path) = @_;

    return sub {
        my $how = $n++ % 2 ? 'ws' : 'http';

        return TSCast::Reader->$how(sock => shift, path => $path, keep => 0);
    };
}


sub pump {
    my ($seconds, $until) = @_;

    return TSCast::Reader::pump($seconds, $until, @viewers);
}


# the publisher is on one worker of the first generation

my @first = $ngx->workers;

my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($first[0]),
                               path => '/push/cam');

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 2_000_000);

$p->send($ts->take(0.5));
$ngx->wait_stream('/live/cam');

# it goes on in real time until the pipe closes

pipe my $stop_read, my $stop or die $!;

my $pid = $p->run_in_background(sub {
    close $stop;

    for ( ;; ) {
        last if TSCast::Net::ready($stop_read, IO::Poll::POLLIN(), 0.02);
        $p->send($ts->take(0.04)) or die "the publisher was cut\n";
    }

    my $status = $p->finish->status;

    die "the publisher got $status\n" if $status != 204;
});

close $stop_read;

# another stream for the other direction: it is on the first workers too, has
# a viewer who stays, and its next publisher comes by a new worker

{
    my $q = TSCast::Publisher->new(sock => $ngx->connect_to_worker($first[0]),
                                   path => '/push/back');
    $q->send(TSCast::bytes('seconds=2 gop=1 filler=o'));
    $ngx->wait_stream('/stay/back');

    @viewers = $ngx->viewers_on_all_workers(2, watch('/stay/back'));

    ok(pump(5, sub { !grep { $_->{bytes} < 50_000 } @viewers }),
       'the other stream is watched');
    is($q->finish->status, 204, 'its first publisher ends');
    $q->close;
}

my @stayed = @viewers;

for my $round (1 .. 5) {
    my @new = $ngx->viewers_on_all_workers(2, watch('/live/cam'));

    push @viewers, @new;

    ok(pump(5, sub { !grep { $_->{bytes} < 50_000 } @new }),
       "round $round: new viewers see it on every worker");

    my %old = map { $_ => 1 } $ngx->workers;

    $ngx->reload;

    ok(!(grep { $old{$_} } $ngx->workers), "round $round: new workers");

    my @before = map { $_->{bytes} } @viewers;

    ok(pump(5, sub {
        !grep { $viewers[$_]{bytes} < $before[$_] + 50_000 }
              scalar(@stayed) .. $#viewers
    }), "round $round: all of them go on");
}

is(scalar(grep { $_->{end} } @viewers), 0, 'nobody was cut');

# from a new worker to viewers on old ones

{
    my ($young) = $ngx->workers;
    my @before = map { $_->{bytes} } @stayed;

    my $q = TSCast::Publisher->new(sock => $ngx->connect_to_worker($young),
                                   path => '/push/back');
    $q->send(TSCast::bytes('seconds=2 gop=1 serial=100000 filler=n'));

    ok(pump(5, sub {
        !grep { $stayed[$_]{bytes} < $before[$_] + 100_000 } 0 .. $#stayed
    }), 'a publisher on a new worker feeds viewers on old ones');

    is($q->finish->status, 204, 'its second publisher ends');

    is(scalar(grep { $_->{check}{discontinuities} == 1 } @stayed),
       scalar @stayed, 'they were told of the discontinuity');
    is(scalar(grep { $_->{check}->opens_well } @stayed), scalar @stayed,
       'and got tables and a key frame first');
    is(join(' ', map { $_->faults(missing => 1) } @stayed), ' ' x $#stayed,
       'without faults');

    $_->close for @stayed;
}

splice @viewers, 0, scalar @stayed;

close $stop;

ok(pump(10, sub { !grep { !$_->{end} } @viewers }), 'all have seen the end');
is(TSCast::Publisher::wait_for($pid), 0, 'the publisher ran through');

my ($last) = sort { $b <=> $a } map { $_->{check}{high} } @viewers;

for my $i (0 .. $#viewers) {
    my $v = $viewers[$i];
    my $c = $v->{check};

    is(sprintf('%s, %s, opens with %s, ends at %d', $v->{end},
               $v->faults || 'no faults', $c->opening, $c->{high}),
       "complete, no faults, opens with PAT PMT key, ends at $last",
       sprintf 'viewer %d saw %d packets, none missing, none twice', $i,
               $c->{numbers});

    $v->close;
}

# the old generations have nothing to wait for any more

ok(TSCast::Net::until_true(10, sub {
    my @all = $ngx->workers(all => 1);

    return @all == 2;
}), 'the old workers are gone');

$ngx->stop;
done_testing;
