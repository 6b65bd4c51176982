
/*
 * Copyright (C) the tscast authors
 */


/*
 * bare port=8089 [fps=30] [mbit=2]
 *
 * The yardstick: sends each frame to each connection, from one buffer, with
 * one send() and nothing else.  Whatever is asked is answered with a body
 * without framing.
 */


#include "bench.h"

#include <sys/timerfd.h>


#define BARE_EVENTS  512
#define BARE_MAX     20000


static int bare_listen(int epoll);
static int bare_timer(int epoll);
static void bare_accept(int fd, int epoll);
static void bare_read(int fd);
static void bare_close(int fd);
static void bare_frame(void);


static long    port = 8089;
static long    fps = 30;
static double  mbit = 2;

static const bench_option_t  options[] = {
    { "port", &port, NULL, NULL },
    { "fps", &fps, NULL, NULL },
    { "mbit", NULL, &mbit, NULL },
    { NULL, NULL, NULL, NULL }
};

static const char  answer[] = "HTTP/1.0 200 OK\r\n\r\n";

static bench_ts_t  ts;
static int         viewers[BARE_MAX];
static int         places[BARE_MAX * 2];     /* of descriptors in viewers[] */
static int         nviewers;
static long        slow;


int
main(int argc, char **argv)
{
    int                 epoll, fd, timer, i, n;
    uint64_t            ticks, owed;
    struct epoll_event  events[BARE_EVENTS];

    bench_options(argc, argv, options);
    bench_catch_end();
    bench_descriptors();

    bench_ts_init(&ts, fps, mbit);

    epoll = epoll_create1(EPOLL_CLOEXEC);
    fd = bare_listen(epoll);
    timer = bare_timer(epoll);

    printf("ready\n");
    fflush(stdout);

    owed = 0;

    while (!bench_ended) {

        n = epoll_wait(epoll, events, BARE_EVENTS, owed ? 0 : -1);

        for (i = 0; i < n; i++) {

            if (events[i].data.fd == fd) {
                bare_accept(fd, epoll);

            } else if (events[i].data.fd == timer) {
                if (read(timer, &ticks, sizeof(ticks)) == sizeof(ticks)) {
                    owed += ticks;
                }

            } else {
                bare_read(events[i].data.fd);
            }
        }

        /* a late frame is sent all the same, after those who came meanwhile */

        if (owed) {
            owed--;
            bare_frame();
        }
    }

    printf("{\"slow\": %ld, \"mbit\": %.4f}\n", slow,
           (double) ts.size * fps * 8 / 1e6);

    return 0;
}


static int
bare_listen(int epoll)
{
    int                 fd;
    struct epoll_event  ev;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    sin = bench_address(port, 0);
    sin.sin_addr.s_addr = INADDR_ANY;

    bench_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 4096) == -1)
    {
        bench_die("cannot listen on port %ld: %s", port, strerror(errno));
    }

    ev.events = EPOLLIN|EPOLLET;
    ev.data.fd = fd;

    (void) epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);

    return fd;
}


static int
bare_timer(int epoll)
{
    int                 fd;
    struct itimerspec   it;
    struct epoll_event  ev;

    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK|TFD_CLOEXEC);

    it.it_interval.tv_sec = 0;
    it.it_interval.tv_nsec = BENCH_SEC / fps;
    it.it_value = it.it_interval;

    (void) timerfd_settime(fd, 0, &it, NULL);

    ev.events = EPOLLIN|EPOLLET;
    ev.data.fd = fd;

    (void) epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);

    return fd;
}


static void
bare_accept(int fd, int epoll)
{
    int                 s;
    struct epoll_event  ev;

    for ( ;; ) {
        s = accept4(fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (s == -1) {
            return;
        }

        if (nviewers == BARE_MAX || s >= BARE_MAX * 2) {
            close(s);
            continue;
        }

        bench_set(s, IPPROTO_TCP, TCP_NODELAY, 1);

        places[s] = -1;

        ev.events = EPOLLIN|EPOLLRDHUP|EPOLLET;
        ev.data.fd = s;

        (void) epoll_ctl(epoll, EPOLL_CTL_ADD, s, &ev);
    }
}


static void
bare_read(int fd)
{
    char     buf[4096];
    ssize_t  n;

    for ( ;; ) {
        n = recv(fd, buf, sizeof(buf), 0);

        if (n == -1 && errno == EAGAIN) {
            return;
        }

        if (n <= 0) {
            bare_close(fd);
            return;
        }

        if (places[fd] == -1 && memmem(buf, n, "\r\n\r\n", 4)) {
            (void) send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);

            places[fd] = nviewers;
            viewers[nviewers++] = fd;
        }
    }
}


static void
bare_close(int fd)
{
    int  last;

    if (places[fd] != -1) {
        last = viewers[--nviewers];

        viewers[places[fd]] = last;
        places[last] = places[fd];
    }

    close(fd);
}


static void
bare_frame(void)
{
    int      i;
    ssize_t  n;

    bench_ts_next(&ts, bench_now());

    for (i = 0; i < nviewers; i++) {

        n = send(viewers[i], ts.frame, ts.size, MSG_NOSIGNAL|MSG_DONTWAIT);

        if (n != (ssize_t) ts.size) {

            /* there is nothing here to go on from the middle */

            slow += (n != -1 || errno == EAGAIN);
            bare_close(viewers[i]);
            i--;
        }
    }
}
