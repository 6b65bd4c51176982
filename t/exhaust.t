# Copyright (C) the tscast authors

use strict;
use warnings;

# Out of connections, of descriptors, of memory, of room in the zone: a line
# in the log, nobody dies, and when it is over nothing is left of it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use TSCast;

my $doors = <<'END_OF_CONF';
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream linger=0;
        }
        location ~ ^/all/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
        location ~ ^/two/(?<stream>.+)$ {
            tscast_play live/$stream flush=100ms lag=drop linger=0;
        }
END_OF_CONF

my $bytes = TSCast::bytes('seconds=2');
my $h2 = TSCast::Nginx::built() =~ /--with-http_v2_module/;


sub publisher {
    my ($ngx, $path, %opt) = @_;

    return TSCast::Publisher->new(port => $ngx->port, path => $path, %opt);
}


sub viewer {
    my ($ngx, $path, $how, %opt) = @_;

    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $ngx->port, path => $path, %opt);
        ($v->wait_head // 404) == 404 ? do { $v->close; 0 } : 1;
    });

    return $v;
}


sub up_to_date {
    my ($ts, @viewers) = @_;

    my $last = $ts->{serial} - 1;

    return TSCast::Reader::pump(8, sub {
        !grep { ($_->{check}{high} // -1) != $last } @viewers
    }, @viewers);
}


# everything works, as if nothing had been

sub works {
    my ($ngx, $after) = @_;

    my $name = 'works' . int rand 1e9;
    my $status;

    TSCast::Net::until_true(5, sub {
        my $p = publisher($ngx, "/push/$name");

        $p->send($bytes);
        $status = $p->finish->status(2) // 'none';
        $p->close;
        $status eq 204;
    });

    is($status, 204, "after $after: published");

    for my $how (qw(http ws)) {
        my $v = TSCast::Reader->$how(port => $ngx->port,
                                     path => "/all/$name");

        $v->wait_end;
        ok($v->{body} eq $bytes, "$how: byte for byte");
        $v->close;
    }
}


# the server's connections and descriptors are what they were

sub back_to {
    my ($ngx, $base, $what) = @_;

    my $now = {};

    TSCast::Net::until_true(5, sub {
        $now = state_of($ngx);
        !grep { $now->{$_} ne $base->{$_} } keys %$now;
    });

    is_deeply($now, $base, "$what: connections, descriptors and workers "
                           . 'are what they were');
}


sub state_of {
    my ($ngx) = @_;

    my @workers = $ngx->workers(all => 1);
    my $files = 0;

    $files += () = glob "/proc/$_/fd/*" for @workers;

    return {
        connections => scalar(() = TSCast::Net::connections($ngx->port)),
        files => $files, workers => "@workers",
    };
}


# what an idle server has: less is not seen for half a second

sub base {
    my ($ngx) = @_;

    my $least = state_of($ngx);

    for (my $n = 0; $n < 5; $n++) {
        sleep 0.1;

        my $now = state_of($ngx);

        ($least, $n) = ($now, 0)
            if $now->{files} < $least->{files}
               || $now->{connections} < $least->{connections};
    }

    return $least;
}


# worker_connections

{
    my $ngx = TSCast::Nginx->new(
        workers => 1, connections => 40, tscast => 'zone live 8m;',
        http => 'keepalive_timeout 0;', server => $doors,
    )->start;

    $ngx->expect_log(qr/\[alert\].* worker_connections are not enough/);

    my $base = base($ngx);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = publisher($ngx, '/push/cam');

    $p->send($ts->take(0.4));

    my @v = map { viewer($ngx, '/live/cam', $_, keep => 0) } qw(http ws);
    my @more = map {
        TSCast::Reader->ws(port => $ngx->port, path => '/live/cam', keep => 0)
    } 1 .. 80;

    $p->send($ts->take(1));
    TSCast::Reader::pump(3, sub {
        !grep { !$_->{end} && !$_->{status} } @more
    }, @more);

    my @in = grep { $_->{status} } @more;

    cmp_ok(scalar @in, '>', 15, scalar @in . ' of 80 more viewers get in');
    cmp_ok(scalar @in, '<', 40, 'and no more than there are connections');
    ok($ngx->wait_log(qr/worker_connections are not enough/), 'a line says so');
    ok(up_to_date($ts, @v, @in), 'who is in, watches');
    is(join('', map { $_->faults } @v), '', 'who was before misses nothing');
    is($p->finish->status, 204, 'and neither does the publisher');
    $_->close for $p, @v, @more;

    back_to($ngx, $base, 'worker_connections');
    works($ngx, 'this');
    $ngx->stop;
}

# descriptors

SKIP: {
    skip 'valgrind has limits of its own', 1 if $ENV{VALGRIND};

    my $ngx = TSCast::Nginx->new(
        workers => 2, main => 'worker_rlimit_nofile 140;',
        tscast => 'zone live 8m;', server => $doors,
    )->start;

    $ngx->expect_log(qr/\[crit\].*\(24: Too many open files\)/);

    my $base = base($ngx);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my @w = $ngx->workers;
    my $p = TSCast::Publisher->new(path => '/push/cam',
                                   sock => $ngx->connect_to_worker($w[0]));

    $p->send($ts->take(0.4));
    ok($ngx->wait_log(qr/"live\/cam" is published/), 'published');

    my @v = $ngx->viewers_on_all_workers(1, sub {
        my $v = TSCast::Reader->ws(sock => $_[0], path => '/live/cam',
                                   keep => 0);
        $v->wait_head;
        $v;
    });

    my @s = map { TSCast::Net::dial($ngx->port) } 1 .. 300;

    ok($ngx->wait_log(qr/Too many open files/), 'out of descriptors');

    my $stop = time + 2.5;

    while (time < $stop) {
        $p->send($ts->take(0.08));
        TSCast::Reader::pump(0.08, sub { 0 }, @v);
    }

    ok(up_to_date($ts, @v), 'who was before watches on');
    is(join('', map { $_->faults } @v), '', 'and misses nothing');
    unlike($ngx->error_log, qr/is gone/, 'no living worker is taken for dead');

    close $_ for @s;

    works($ngx, 'that');
    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $_->close for $p, @v;

    # nginx, when told to quit while it does not accept for half a second,
    # tries to after that

    close $ngx->connect_to_worker($_) for @w;

    back_to($ngx, $base, 'descriptors');
    $ngx->stop;
}

# the slab: streams that hold no media

{
    my $ngx = TSCast::Nginx->new(
        workers => 2, tscast => 'zone live 1m window=3s;', server => $doors,
    )->start;

    my $base = base($ngx);
    my $ts = TSCast::TS->new(seconds => 0, gop => 0.4);
    my $p = publisher($ngx, '/push/cam');

    $p->send($ts->take(0.4));

    my @v = map { viewer($ngx, '/live/cam', $_, keep => 0) } qw(http ws);
    my @more = map { publisher($ngx, "/push/more$_") } 1 .. 100;
    my %status;

    # some of them have a status, those that are taken have none

    for my $q (@more) {
        my $s = $q->status(0.02) // 'taken';

        $status{$s}++;
        $q->{status} = $s;
    }

    is(join(' ', sort keys %status), '507 taken', 'some get 507');
    cmp_ok($status{taken}, '>', 4, 'some are taken');

    my @lines = $ngx->error_log =~ /\[error\].*has no memory for stream/g;

    cmp_ok(scalar @lines, '>', 0, 'the log says so');
    cmp_ok(scalar @lines, '<', 8, 'now and then');

    my @w = grep { $_->{status} } map {
        my $how = $_;

        map {
            my $v = TSCast::Reader->$how(path => '/two/cam', keep => 0,
                sock => $ngx->connect_to_worker($_));

            $v->wait_head;
            $v;
        } $ngx->workers
    } qw(http ws);

    is(join(' ', grep { !/^(200|101|500|503|507)$/ } map { $_->{status} } @w),
       '', 'who joins now is taken or refused');

    $p->send($ts->take(1));
    ok(up_to_date($ts, @v), 'who was before is up to date');
    is(join('', map { $_->faults } @v), '', 'and misses nothing');

    # whoever runs out of memory now, a new generation must come up

    my @old = $ngx->workers;

    $ngx->reload;
    is(scalar $ngx->workers, 2, 'a reload meanwhile');

    my $v = viewer($ngx, '/live/cam', 'ws', keep => 0);

    is($v->{status}, 101, 'the new workers serve it');

    $_->close for @more, @w;
    $p->send($ts->take(0.4));
    ok(up_to_date($ts, @v), 'and the old ones too');
    is($p->finish->status, 204, 'the publisher saw nothing of it');
    $_->close for $p, @v, $v;

    TSCast::Net::until_true(5, sub { $ngx->workers(all => 1) == 2 });
    works($ngx, 'a full slab');
    $ngx->stop;
}

# malloc() fails: always, often, now and then

SKIP: {
    skip 'not with a checker that has an allocator of its own', 1
        if $ENV{SANITIZE} || $ENV{VALGRIND};

    my ($cc) = grep { system("$_ --version > /dev/null 2>&1") == 0 }
               qw(cc gcc clang);

    skip 'no compiler', 1 if !$cc;

    my $ngx = TSCast::Nginx->new(
        workers => 2, tscast => 'zone live 8m window=3s;',
        http => 'keepalive_timeout 1s;',
        server => ($h2 ? 'listen 127.0.0.1:$PORT_1 http2;' : '') . $doors
                  . <<'END_OF_CONF',
        location ~ ^/sub/(?<stream>.+)$ {
            sub_filter_types *;
            sub_filter vvvvvvvvv wwwwwwwww;
            tscast_play live/$stream linger=0;
        }
END_OF_CONF
    );

    # the first four bytes of a file say of how many calls in 1,000

    my $source = $ngx->write_file('fail.c', <<'END_OF_C');
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static volatile unsigned *share;
static unsigned seed;

__attribute__((constructor))
static void
start(void)
{
    int fd = open(getenv("TSCAST_FAIL"), O_RDWR);
    void *p = mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);

    if (p != MAP_FAILED) {
        share = p;
    }
}

static int
fails(void)
{
    if (share == NULL || share[0] == 0) {
        return 0;
    }

    seed = (seed ? seed : (unsigned) getpid()) * 1103515245 + 12345;

    if ((seed >> 8) % 1000 >= share[0]) {
        return 0;
    }

    __atomic_add_fetch(&share[1], 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;

    return 1;
}

void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

int
posix_memalign(void **p, size_t alignment, size_t size)
{
    if (fails()) {
        return ENOMEM;
    }

    *p = __libc_memalign(alignment, size);

    return *p ? 0 : ENOMEM;
}
END_OF_C

    my $lib = $ngx->prefix . '/fail.so';
    my $control = $ngx->write_file('fail', "\0" x 4096);

    system($cc, '-O1', '-fno-builtin', '-shared', '-fPIC', '-o', $lib, $source)
        == 0 or die 'the compiler fails';

    {
        local $ENV{LD_PRELOAD} = $lib;
        local $ENV{TSCAST_FAIL} = $control;

        $ngx->start;
    }

    $ngx->expect_log(qr/\[emerg\].*\(12: Cannot allocate memory\)/,
                     qr/\[(crit|alert)\].*\(12: Cannot allocate memory\)/);

    open my $out, '+<', $control or die $!;

    my $fail = sub {
        sysseek $out, 0, 0;
        syswrite $out, pack 'I', $_[0];
    };

    my $failed = sub {
        sysseek $out, 0, 0;
        sysread $out, my $words, 8;
        return (unpack 'I I', $words)[1];
    };

    works($ngx, 'the start');

    my $base = base($ngx);
    my (@memory);

    for my $per_mille (1000, 400, 200, 80, 80) {
        my $ts = TSCast::TS->new(seconds => 0, gop => 0.2, fps => 50,
                                 bitrate => 4_000_000);
        my $p = publisher($ngx, '/push/cam');

        $p->send($ts->take(0.2));

        my @v = map { viewer($ngx, $_->[1], $_->[0], keep => 0) }
                map { (["http", $_], ["ws", $_]) }
                qw(/live/cam /two/cam /sub/cam);
        my @slow = map { viewer($ngx, '/live/cam', $_, keep => 0,
                                rcvbuf => 4096) } qw(http ws);
        my (@q, @w);

        my $before = $failed->();

        $fail->($per_mille);

        for my $n (1 .. 60) {
            $p->{alive} && $p->send($ts->take(0.1));

            push @w, map {
                TSCast::Reader->$_(port => $ngx->port, keep => 0,
                                   path => (qw(/live/cam /two/cam
                                               /sub/cam))[$n % 3])
            } qw(http ws) if $n % 2;

            # the first viewer that a worker has of a stream

            push @w, map {
                TSCast::Reader->http(port => $ngx->port, keep => 0,
                                     path => "/all/other$_")
            } 0 .. 4 if $n % 3 == 0;

            if ($h2 && $n % 5 == 0) {
                my $c = TSCast::HTTP2->new(port => $ngx->other_port(1));
                my $r = $c->request('/push/two', method => 'PUT', body => 1);

                $r->send(substr $bytes, 0, 20_000);
                $c->request('/live/cam', keep => 0) for 1 .. 4;
                $r->finish if $n % 2;
                push @w, $c;
            }

            my $q = publisher($ngx, '/push/other' . $n % 5);

            $q->send(substr $bytes, 0, 20_000);
            $q->finish if $n % 3;
            push @q, $q;

            TSCast::Reader::pump(0.01, sub { 0 }, @v, @w);

            if ($n % 10 == 0) {
                $_->abort for splice(@w, 0, 3);
                $_->close for splice @q;
                $_->read_some for @slow;
            }
        }

        $fail->(0);

        cmp_ok($failed->() - $before, '>', 0,
               "$per_mille of 1,000 allocations fail: "
               . ($failed->() - $before));

        # those who were let be

        my @left = grep { !$_->{end} } @v;

        if ($p->{alive}) {
            $p->send($ts->take(0.4));
            TSCast::Reader::pump(2, sub {
                !grep { !$_->{end}
                        && ($_->{check}{high} // -1) != $ts->{serial} - 1 }
                      @left
            }, @left);

            is(scalar(grep { $_->{check}{sync} || $_->{check}{cc} } @v), 0,
               'what was sent is whole');
        }

        $_->close for $p, @v, @w, @q, @slow;

        back_to($ngx, $base, "$per_mille of 1,000");
        works($ngx, "$per_mille of 1,000");

        push @memory, 0;
        $memory[-1] += $ngx->own_memory($_) for $ngx->workers;
    }

    # the same once more takes what is free

    my $grown = $memory[-1] - $memory[-2];

    cmp_ok($grown, '<', 2500, "$grown kB more than the time before");

    is(join(' ', sort $ngx->workers), $base->{workers}, 'nobody has died');
    $ngx->stop;
}

done_testing;
