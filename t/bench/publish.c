
/*
 * Copyright (C) the tscast authors
 */


/*
 * publish port=8088 path=/push/s%d [streams=1] [fps=30] [mbit=2] [posts=0]
 *         [seconds=0]
 *
 * Publishes streams over HTTP, each in one chunked POST (posts=1: a POST for
 * each frame), each frame at its time whatever happened to the one before.
 * Says "ready" when all of them run, and how it went when it is ended.
 */


#include "bench.h"


typedef struct {
    int           fd;
    unsigned      number;
    bench_ts_t    ts;
} publish_stream_t;


static void publish_open(publish_stream_t *s);
static void publish_frame(publish_stream_t *s);
static size_t publish_head(publish_stream_t *s, char *p, size_t size,
    size_t len);
static void publish_send(publish_stream_t *s, struct iovec *iov, int n);
static void publish_answer(publish_stream_t *s);


static long         port = 8088;
static long         streams = 1;
static long         fps = 30;
static long         posts;
static double       mbit = 2;
static double       seconds;
static const char  *path = "/push/s%d";

static bench_hist_t  late;

static const bench_option_t  options[] = {
    { "port", &port, NULL, NULL },
    { "streams", &streams, NULL, NULL },
    { "fps", &fps, NULL, NULL },
    { "posts", &posts, NULL, NULL },
    { "mbit", NULL, &mbit, NULL },
    { "seconds", NULL, &seconds, NULL },
    { "path", NULL, NULL, &path },
    { NULL, NULL, NULL, NULL }
};


int
main(int argc, char **argv)
{
    long               i;
    uint64_t           n, start, when, now, period;
    publish_stream_t  *s;

    bench_options(argc, argv, options);
    bench_catch_end();
    bench_descriptors();

    s = calloc(streams, sizeof(publish_stream_t));

    if (s == NULL) {
        bench_die("no memory");
    }

    for (i = 0; i < streams && !bench_ended; i++) {
        s[i].number = i;

        bench_ts_init(&s[i].ts, fps, mbit);
        publish_open(&s[i]);
    }

    bench_realtime();

    period = BENCH_SEC / fps;
    start = bench_now();

    for (n = 0; !bench_ended; n++) {

        when = start + n / streams * period + n % streams * period / streams;

        if (seconds && when - start > seconds * BENCH_SEC) {
            break;
        }

        if (streams > 1) {
            when -= when % BENCH_MS;
        }

        now = bench_now();

        if (now < when) {
            bench_sleep_until(when);
            now = bench_now();
        }

        if (now > when) {
            bench_hist_add(&late, now - when);
        }

        publish_frame(&s[n % streams]);

        if (n == (uint64_t) streams) {
            printf("ready\n");
            fflush(stdout);
        }
    }

    printf("{\"frames\": %" PRIu64 ", \"mbit\": %.4f", n / streams,
           (double) s[0].ts.size * fps * 8 / 1e6);
    bench_hist_print("late", &late);
    printf("}\n");

    return 0;
}


static void
publish_open(publish_stream_t *s)
{
    int                 n;
    char                head[512];
    u_char              tables[BENCH_TABLES];
    struct iovec        iov[3];
    struct timeval      tv;
    struct sockaddr_in  sin;

    s->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);
    sin = bench_address(port, 0);

    if (s->fd == -1
        || connect(s->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        bench_die("cannot connect to port %ld: %s", port, strerror(errno));
    }

    tv.tv_sec = 5;
    tv.tv_usec = 0;

    (void) setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    bench_set(s->fd, IPPROTO_TCP, TCP_NODELAY, 1);

    if (posts) {
        return;
    }

    n = snprintf(head, sizeof(head), "POST ");
    n += snprintf(head + n, sizeof(head) - n, path, s->number);
    n += snprintf(head + n, sizeof(head) - n,
                  " HTTP/1.1\r\nHost: localhost\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n%x\r\n", BENCH_TABLES);

    bench_ts_tables(&s->ts, tables);

    iov[0].iov_base = head;
    iov[0].iov_len = n;
    iov[1].iov_base = tables;
    iov[1].iov_len = BENCH_TABLES;
    iov[2].iov_base = "\r\n";
    iov[2].iov_len = 2;

    publish_send(s, iov, 3);
}


static void
publish_frame(publish_stream_t *s)
{
    char          head[512];
    struct iovec  iov[3];

    publish_answer(s);

    bench_ts_next(&s->ts, bench_now());

    iov[0].iov_base = head;
    iov[0].iov_len = publish_head(s, head, sizeof(head), s->ts.size);
    iov[1].iov_base = s->ts.frame;
    iov[1].iov_len = s->ts.size;
    iov[2].iov_base = "\r\n";
    iov[2].iov_len = 2;

    publish_send(s, iov, posts ? 2 : 3);
}


static size_t
publish_head(publish_stream_t *s, char *p, size_t size, size_t len)
{
    size_t  n;

    if (!posts) {
        return snprintf(p, size, "%zx\r\n", len);
    }

    n = snprintf(p, size, "POST ");
    n += snprintf(p + n, size - n, path, s->number);
    n += snprintf(p + n, size - n,
                  " HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Type: application/octet-stream\r\n"
                  "Content-Length: %zu\r\n\r\n", len);

    return n;
}


static void
publish_send(publish_stream_t *s, struct iovec *iov, int n)
{
    ssize_t        sent;
    struct msghdr  msg;

    memset(&msg, 0, sizeof(struct msghdr));

    while (n) {
        msg.msg_iov = iov;
        msg.msg_iovlen = n;

        sent = sendmsg(s->fd, &msg, MSG_NOSIGNAL);

        if (sent == -1) {
            if (errno == EINTR && !bench_ended) {
                continue;
            }

            if (bench_ended) {
                exit(0);
            }

            bench_die("publisher %u: %s", s->number,
                      errno == EAGAIN ? "cannot send for 5 s"
                                      : strerror(errno));
        }

        while (n && (size_t) sent >= iov->iov_len) {
            sent -= iov->iov_len;
            iov++;
            n--;
        }

        if (n) {
            iov->iov_base = (char *) iov->iov_base + sent;
            iov->iov_len -= sent;
        }
    }
}


/* none is expected to a body without end, and 2xx to posts */

static void
publish_answer(publish_stream_t *s)
{
    char     buf[4096];
    ssize_t  n;

    n = recv(s->fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0) {
        bench_die("publisher %u: the connection is closed", s->number);
    }

    buf[n] = '\0';

    if (!posts || (strncmp(buf, "HTTP/1.1 ", 9) == 0 && buf[9] != '2')) {
        buf[strcspn(buf, "\r\n")] = '\0';
        bench_die("publisher %u: \"%s\"", s->number, buf);
    }
}
