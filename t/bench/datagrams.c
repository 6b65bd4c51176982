
/*
 * Copyright (C) the tscast authors
 */


/*
 * datagrams port=20000 send=1 [targets=200] [fps=30] [mbit=20]
 * datagrams port=20000 pid=N [targets=200] [seconds=5]
 *
 * With send, the yardstick: each frame to each target, in datagrams of seven
 * packets, by sendmmsg() and nothing else.  Else the targets, and what the
 * process that sends to them has cost meanwhile.
 */


#include "bench.h"


#define DATAGRAMS_MAX    1024
#define DATAGRAMS_BATCH  64
#define DATAGRAMS_SIZE   2048
#define DATAGRAMS_MEDIA  (7 * BENCH_PACKET)


static void datagrams_send(void);
static void datagrams_frame(bench_ts_t *ts, long target);
static void datagrams_receive(void);
static void datagrams_read(int i);
static uint64_t datagrams_bytes(void);


static long    port = 20000;
static long    targets = 200;
static long    sending;
static long    fps = 30;
static double  mbit = 20;
static long    pid;
static long    seconds = 5;

static const bench_option_t  options[] = {
    { "port", &port, NULL, NULL },
    { "targets", &targets, NULL, NULL },
    { "send", &sending, NULL, NULL },
    { "fps", &fps, NULL, NULL },
    { "mbit", NULL, &mbit, NULL },
    { "pid", &pid, NULL, NULL },
    { "seconds", &seconds, NULL, NULL },
    { NULL, NULL, NULL, NULL }
};

static int       fds[DATAGRAMS_MAX];
static uint64_t  bytes[DATAGRAMS_MAX];     /* of media, to or from each */


int
main(int argc, char **argv)
{
    bench_options(argc, argv, options);
    bench_catch_end();

    if (targets > DATAGRAMS_MAX) {
        bench_die("%ld targets are too many", targets);
    }

    if (sending) {
        datagrams_send();

    } else {
        datagrams_receive();
    }

    return 0;
}


static void
datagrams_send(void)
{
    long                i;
    uint64_t            next;
    bench_ts_t          ts;
    struct sockaddr_in  sin;

    for (i = 0; i < targets; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
        sin = bench_address(port + i, 0);

        if (connect(fds[i], (struct sockaddr *) &sin, sizeof(sin)) == -1) {
            bench_die("cannot connect: %s", strerror(errno));
        }
    }

    bench_ts_init(&ts, fps, mbit);

    printf("ready\n");
    fflush(stdout);

    for (next = bench_now(); !bench_ended; next += BENCH_SEC / fps) {
        bench_sleep_until(next);
        bench_ts_next(&ts, bench_now());

        for (i = 0; i < targets; i++) {
            datagrams_frame(&ts, i);
        }
    }

    printf("{\"mbit\": %.4f, \"bytes\": %" PRIu64 "}\n",
           (double) ts.size * fps * 8 / 1e6, datagrams_bytes());
}


static void
datagrams_frame(bench_ts_t *ts, long target)
{
    int             n, rc, sent;
    size_t          pos;
    struct iovec    iov[DATAGRAMS_BATCH];
    struct mmsghdr  msgs[DATAGRAMS_BATCH];

    pos = 0;

    while (pos < ts->size) {
        memset(msgs, 0, sizeof(msgs));

        for (n = 0; n < DATAGRAMS_BATCH && pos < ts->size; n++) {
            iov[n].iov_base = ts->frame + pos;
            iov[n].iov_len = bench_min(DATAGRAMS_MEDIA, ts->size - pos);

            msgs[n].msg_hdr.msg_iov = &iov[n];
            msgs[n].msg_hdr.msg_iovlen = 1;

            pos += iov[n].iov_len;
        }

        sent = 0;

        while (sent < n) {
            rc = sendmmsg(fds[target], msgs + sent, n - sent, MSG_DONTWAIT);

            if (rc == -1 && errno != ECONNREFUSED) {
                return;
            }

            for ( /* void */ ; rc > 0; rc--) {
                bytes[target] += msgs[sent++].msg_len;
            }
        }
    }
}


static void
datagrams_receive(void)
{
    int                 n, epoll;
    long                i;
    double              cpu;
    uint64_t            begun, start, least;
    struct epoll_event  ev, events[DATAGRAMS_BATCH];
    struct sockaddr_in  sin;

    epoll = epoll_create1(EPOLL_CLOEXEC);

    for (i = 0; i < targets; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
        sin = bench_address(port + i, 0);

        bench_set(fds[i], SOL_SOCKET, SO_RCVBUF, 4 << 20);

        if (bind(fds[i], (struct sockaddr *) &sin, sizeof(sin)) == -1) {
            bench_die("cannot bind to port %ld: %s", port + i,
                      strerror(errno));
        }

        ev.events = EPOLLIN;
        ev.data.u32 = i;

        (void) epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &ev);
    }

    printf("ready\n");
    fflush(stdout);

    /* a second to begin in */

    start = 0;
    cpu = 0;

    for (begun = bench_now(); !bench_ended; /* void */ ) {

        if (start == 0 && bench_now() - begun > BENCH_SEC) {
            start = bench_now();
            cpu = bench_cpu(pid);
            memset(bytes, 0, sizeof(bytes));
        }

        if (start && bench_now() - start > seconds * BENCH_SEC) {
            break;
        }

        n = epoll_wait(epoll, events, DATAGRAMS_BATCH, 10);

        for (i = 0; i < n; i++) {
            datagrams_read(events[i].data.u32);
        }
    }

    cpu = bench_cpu(pid) - cpu;
    least = bytes[0];

    for (i = 0; i < targets; i++) {
        least = bench_min(least, bytes[i]);
    }

    printf("{\"seconds\": %ld, \"cpu\": %.4f, \"bytes\": %" PRIu64
           ", \"mbit_min\": %.3f}\n", seconds, cpu, datagrams_bytes(),
           least * 8 / 1e6 / seconds);
}


static void
datagrams_read(int i)
{
    int             n, j;
    struct iovec    iov[DATAGRAMS_BATCH];
    struct mmsghdr  msgs[DATAGRAMS_BATCH];

    static u_char  buf[DATAGRAMS_BATCH][DATAGRAMS_SIZE];

    memset(msgs, 0, sizeof(msgs));

    for (j = 0; j < DATAGRAMS_BATCH; j++) {
        iov[j].iov_base = buf[j];
        iov[j].iov_len = DATAGRAMS_SIZE;

        msgs[j].msg_hdr.msg_iov = &iov[j];
        msgs[j].msg_hdr.msg_iovlen = 1;
    }

    n = recvmmsg(fds[i], msgs, DATAGRAMS_BATCH, MSG_DONTWAIT, NULL);

    for (j = 0; j < n; j++) {
        bytes[i] += msgs[j].msg_len;
    }
}


static uint64_t
datagrams_bytes(void)
{
    long      i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < targets; i++) {
        sum += bytes[i];
    }

    return sum;
}
