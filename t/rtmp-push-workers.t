# Copyright (C) the tscast authors

use strict;
use warnings;

# A push over RTMP while workers of this node and the far server come and go:
# one publisher at a time, and over reloads not a frame is missing.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use TSCast;
use TSCast::FLV;
use TSCast::RTMP;
use TSCast::Status;
use TSCast::Tags;

my $missing = TSCast::RTMP::missing();

plan skip_all => $missing if $missing;


# one worker, which knows of all publishers: each has a file of its own

my $far = TSCast::Nginx->new(
    workers => 1,
    tscast => 'zone none 1m;',
    main => TSCast::RTMP::load() . <<'END_OF_CONF',
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:$PORT_1;

        application far {
            live on;
            record all;
            record_unique on;
            record_path $PREFIX/temp;
        }
    }
}
END_OF_CONF
)->start;

my $port = $far->other_port(1);

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => <<"END_OF_CONF",
        zone live 16m window=10s;

        push live/* rtmp://127.0.0.1:$port/far/\$name reconnect=50ms;
END_OF_CONF
    main => TSCast::RTMP::load()
            . 'rtmp { server { listen 127.0.0.1:$PORT_1; } }',
    server => <<'END_OF_CONF',
        location = /status { tscast_status; }
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
END_OF_CONF
)->start;

my $ts = TSCast::TS->new(seconds => 0, gop => 0.4, bitrate => 500_000);
my ($one, $two) = $ngx->workers;
my $p = TSCast::Publisher->new(sock => $ngx->connect_to_worker($one),
                               path => '/push/cam');
my $due = time;


# frame by frame, as time goes by

sub feed {
    for ( ; $due < time; $due += 0.04) {
        $p->send($ts->frame);
    }

    select undef, undef, undef, 0.01;
}


sub until_fed {
    my ($what) = @_;

    return TSCast::Net::until_true(8, sub { feed(); $what->() });
}


sub files {
    my @files = sort glob $far->prefix . "/temp/cam-*.flv";

    return @files;
}


# the names of files tell seconds

sub next_second {
    my ($last) = (files())[-1] =~ /-(\d+)\.flv/;

    until_fed(sub { int(time) > $last });
}


sub tags {
    my ($path) = @_;

    return TSCast::Tags->new->feed(TSCast::FLV::slurp($path));
}


sub link_now { return TSCast::Status::get($ngx)->{links}[0] // {} }


sub growing {
    my ($path) = @_;

    my $size = -s $path;

    return until_fed(sub { -s $path > $size + 20_000 });
}


ok(until_fed(sub { files() == 1 && -s (files())[0] > 1000 }),
   'a push is there');

for my $round (1 .. 2) {
    next_second();
    growing((files())[-1]);

    $ngx->reload(meanwhile => \&feed);

    ok(until_fed(sub { files() == $round + 1 }),
       "reload $round: another publisher");
    ok(growing((files())[-1]), 'which has media');
}

my @seen = map { tags($_) } files();

is(join(' ', map { $_->{missing} // 0 } @seen), '0 0 0', 'nothing is missing');
is(join(' ', map { $_->{doubled} // 0 } @seen), '0 0 0', 'nothing is twice');
is($seen[$_]{low}, $seen[$_ - 1]{high} + 1, "part $_ begins where one ended")
    for 1, 2;
is(join(' ', map { $_->opening =~ /^video= (audio= )*video!/ ? 1 : 0 } @seen),
   '1 1 1', 'each begins with headers and a key frame');
is(join(' ', map { $_->faults } @seen), '  ', 'no faults');
unlike($ngx->error_log, qr/link is down/, 'the link never was down');

# the link is on a worker of the new configuration; the publisher is not

next_second();

my $n = files();
my ($owner) = $ngx->error_log =~ /.*\] (\d+)#\d+: link is up/s;

ok((grep { $_ == $owner } $ngx->workers), 'a new worker runs it');
$ngx->kill_worker($owner);

ok(until_fed(sub { files() == $n + 1 }), 'killed: another one does');
ok(growing((files())[-1]), 'and goes on');

# the far server goes away, and comes back

next_second();
$n = files();

$far->kill_node;

ok(until_fed(sub { link_now()->{state} eq 'waiting' }), 'the target is gone');
like(link_now()->{error}, qr/^connect\(\) failed|the peer has closed/,
     'as the status says');

$far->start;

ok(until_fed(sub { files() == $n + 1 }), 'it is back, and so is the link');
ok(growing((files())[-1]), 'and goes on');
unlike($ngx->error_log . $far->error_log, qr/BadName|already publishing/i,
       'there was one publisher at a time');

$p->finish;

ok(TSCast::Net::until_true(5, sub { link_now()->{state} eq 'idle' }),
   'the link ends with the stream');

$ngx->stop;
$far->stop;

done_testing();
