
/*
 * Copyright (C) the tscast authors
 */


/*
 * load port=8088 path=/live/s%d viewers=1000 [streams=1] [websocket=1] [tls=1]
 *      [warm=1] [seconds=5] [pids=1,2] [stall=500 stall_seconds=3]
 *      [spread=10000] [nap=0] [raw=1] [tcp=1]
 * load port=8088 path=/live/s%d joins=500 [websocket=1] [seconds=5]
 *
 * Viewers who read all they get.  Says "ready" when all have been answered;
 * after "warm" more seconds it measures for "seconds" and prints a JSON
 * object: bytes, latency, lost frames, and the CPU time of "pids" meanwhile.
 * stall= is how many of the viewers stop reading for a while; with raw=1 media
 * is counted only, which is not packets then; with tcp=1 nothing is asked for,
 * and the answer is media from its first byte on.
 */


#include "load.h"

#include <linux/sock_diag.h>


#define LOAD_EVENTS    512
#define LOAD_PENDING   128

/* for all to be answered */
#define LOAD_PATIENCE  (60 * BENCH_SEC)

/* between two looks at the kernel's memory */
#define LOAD_LOOK      (50 * BENCH_MS)


static void load_connect(void);
static void load_begin(uint64_t now);
static void load_resume(void);
static void load_look(uint64_t now);
static void load_report(double elapsed);
static void load_report_stall(uint64_t now);
static double load_cpu(double *cpu);


load_t  load = {
    .port = 8088,
    .streams = 1,
    .spread = 10000,
    .warm = 1,
    .seconds = 5,
    .stall_seconds = 3,
    .path = "/live/s%d",
    .pids = ""
};

static const bench_option_t  options[] = {
    { "port", &load.port, NULL, NULL },
    { "viewers", &load.viewers, NULL, NULL },
    { "streams", &load.streams, NULL, NULL },
    { "websocket", &load.websocket, NULL, NULL },
    { "raw", &load.raw, NULL, NULL },
    { "tcp", &load.tcp, NULL, NULL },
    { "tls", &load.tls, NULL, NULL },
    { "spread", &load.spread, NULL, NULL },
    { "joins", &load.joins, NULL, NULL },
    { "stall", &load.stall, NULL, NULL },
    { "nap", &load.nap, NULL, NULL },
    { "warm", NULL, &load.warm, NULL },
    { "seconds", NULL, &load.seconds, NULL },
    { "stall_seconds", NULL, &load.stall_seconds, NULL },
    { "path", NULL, NULL, &load.path },
    { "pids", NULL, NULL, &load.pids },
    { NULL, NULL, NULL, NULL }
};

static load_viewer_t  *viewers;
static long            started;

static double    cpu_before;
static double    own_before;
static long      pages_before;
static long      pages_max;
static long      pages_stalled;
static double    unread;
static uint64_t  looked;


int
main(int argc, char **argv)
{
    int                  i, n;
    uint64_t             now, start, begin, end, resume;
    struct epoll_event   events[LOAD_EVENTS];

    bench_options(argc, argv, options);
    bench_catch_end();
    bench_descriptors();

#if !(BENCH_TLS)
    if (load.tls) {
        bench_die("built without OpenSSL");
    }
#endif

    load.epoll = epoll_create1(EPOLL_CLOEXEC);

    if (load.joins) {
        return load_joins();
    }

    viewers = calloc(load.viewers, sizeof(load_viewer_t));

    if (viewers == NULL) {
        bench_die("no memory");
    }

    start = bench_now();
    begin = 0;
    end = 0;
    resume = 0;

    while (!bench_ended) {

        load_connect();

        n = epoll_wait(load.epoll, events, LOAD_EVENTS, 10);

        for (i = 0; i < n; i++) {
            load_viewer_event(events[i].data.ptr, events[i].events);
        }

        now = bench_now();

        if (begin == 0 && started == load.viewers && load.pending == 0) {
            printf("ready\n");
            fflush(stdout);

            begin = now + load.warm * BENCH_SEC;
        }

        if (begin == 0 && now - start > LOAD_PATIENCE) {
            bench_die("%ld of %ld viewers were answered in time",
                      started - load.pending, load.viewers);
        }

        if (begin && end == 0 && now >= begin) {
            begin = now;
            end = now + load.seconds * BENCH_SEC;
            resume = load.stall ? now + load.stall_seconds * BENCH_SEC : 0;

            load_begin(now);
        }

        if (resume && now >= resume) {
            resume = 0;
            load_resume();
        }

        if (end && now >= end) {
            load_report((now - begin) / 1e9);
            return 0;
        }

        if (end) {
            load_look(now);
        }

        if (load.nap && started == load.viewers) {
            bench_sleep_until(now + load.nap * 1000);
        }
    }

    return 0;
}


/* a few at a time, so that the queue of the listening socket holds them */

static void
load_connect(void)
{
    while (started < load.viewers && load.pending < LOAD_PENDING) {
        load_viewer_connect(&viewers[started], started);
        started++;
    }
}


static void
load_begin(uint64_t now)
{
    long            i;
    load_viewer_t  *v;

    for (i = 0; i < load.viewers; i++) {
        v = &viewers[i];

        v->bytes = 0;
        v->frames = 0;
        v->lost = 0;
        v->doubled = 0;

        if (i < load.stall) {
            v->stalled = 1;
            load_viewer_watch(v, 0);
        }
    }

    pages_before = bench_tcp_pages();
    pages_max = pages_before;
    looked = now;

    cpu_before = load_cpu(&own_before);
    load.measuring = 1;
}


/*
 * What TCP holds is looked at where it is most.  On the loopback it is of both
 * sides: what our own sockets have received and not read is taken off later.
 */

static void
load_resume(void)
{
    long       i;
    uint32_t   mem[SK_MEMINFO_VARS];
    socklen_t  len;

    pages_stalled = bench_tcp_pages();
    unread = 0;

    for (i = 0; i < load.viewers; i++) {
        len = sizeof(mem);

        if (viewers[i].state == load_watching
            && getsockopt(viewers[i].fd, SOL_SOCKET, SO_MEMINFO, mem, &len)
               == 0)
        {
            unread += mem[SK_MEMINFO_RMEM_ALLOC];
        }
    }

    for (i = 0; i < load.stall; i++) {
        load_viewer_watch(&viewers[i], 1);
    }
}


static void
load_look(uint64_t now)
{
    long  pages;

    if (now - looked < LOAD_LOOK) {
        return;
    }

    looked = now;
    pages = bench_tcp_pages();

    if (pages > pages_max) {
        pages_max = pages;
    }
}


static void
load_report(double elapsed)
{
    long            i, cut, wrong;
    double          cpu, own, mbit, least, most;
    uint64_t        bytes, frames, lost, doubled, unsynced;
    load_viewer_t  *v;

    cpu = load_cpu(&own) - cpu_before;
    own -= own_before;

    bytes = 0;
    frames = 0;
    lost = 0;
    doubled = 0;
    unsynced = 0;
    cut = 0;
    wrong = 0;
    least = 1e9;
    most = 0;

    for (i = 0; i < load.viewers; i++) {
        v = &viewers[i];

        bytes += v->bytes;
        doubled += v->doubled;
        unsynced += v->unsynced;
        wrong += v->wrong;

        if (v->stalled) {
            continue;
        }

        mbit = v->bytes * 8 / elapsed / 1e6;

        least = bench_min(least, mbit);
        most = bench_max(most, mbit);

        frames += v->frames;
        lost += v->lost;
        cut += v->state == load_gone;
    }

    printf("{\"seconds\": %.3f, \"viewers\": %ld, \"bytes\": %" PRIu64
           ", \"mbit_min\": %.3f, \"mbit_max\": %.3f, \"frames\": %" PRIu64
           ", \"lost\": %" PRIu64 ", \"doubled\": %" PRIu64
           ", \"unsynced\": %" PRIu64 ", \"cut\": %ld, \"wrong\": %ld"
           ", \"cpu\": %.4f, \"own\": %.4f"
           ", \"tcp_before\": %.1f, \"tcp_max\": %.1f",
           elapsed, load.viewers, bytes, least, most, frames, lost, doubled,
           unsynced, cut, wrong, cpu, own,
           pages_before * sysconf(_SC_PAGESIZE) / 1e6,
           pages_max * sysconf(_SC_PAGESIZE) / 1e6);

    bench_hist_print("latency", &load.latency);

    if (load.stall) {
        load_report_stall(bench_now());
    }

    printf("}\n");
}


/* caught up: what was read last is not older than half a second */

static void
load_report_stall(uint64_t now)
{
    long            i, cut, caught;
    uint64_t        lost;
    load_viewer_t  *v;

    lost = 0;
    cut = 0;
    caught = 0;

    for (i = 0; i < load.stall; i++) {
        v = &viewers[i];

        lost += v->lost;
        cut += v->state == load_gone;
        caught += v->state != load_gone && now - v->stamped < BENCH_SEC / 2;
    }

    printf(", \"stall_cut\": %ld, \"stall_caught\": %ld"
           ", \"stall_lost\": %" PRIu64
           ", \"tcp_unread\": %.1f, \"tcp_server\": %.1f",
           cut, caught, lost, unread / 1e6,
           (pages_stalled * sysconf(_SC_PAGESIZE) - unread) / 1e6);
}


static double
load_cpu(double *own)
{
    char        *end;
    long         pid;
    double       cpu;
    const char  *p;

    *own = bench_cpu(getpid());

    cpu = 0;

    for (p = load.pids; *p; p = (*end == ',') ? end + 1 : end) {

        pid = strtol(p, &end, 10);

        if (end == p) {
            bench_die("\"%s\" is not a list of pids", load.pids);
        }

        cpu += bench_cpu(pid);
    }

    return cpu;
}
