
/*
 * Copyright (C) the tscast authors
 */


/* a viewer's connection, from connect() to close() */


#include "load.h"


static void load_viewer_connected(load_viewer_t *v);
static void load_viewer_ask(load_viewer_t *v);
static void load_viewer_read(load_viewer_t *v);
static size_t load_viewer_answer(load_viewer_t *v, u_char *p, size_t n);
static ssize_t load_viewer_recv(load_viewer_t *v, u_char *p, size_t n);
static void load_viewer_send(load_viewer_t *v, const char *p, size_t n);

#if (BENCH_TLS)
static void load_viewer_handshake(load_viewer_t *v);
#endif


static u_char  buffer[LOAD_BUFFER];


void
load_viewer_connect(load_viewer_t *v, unsigned number)
{
    struct linger        linger;
    struct sockaddr_in   sin;
    struct epoll_event   ev;

    memset(v, 0, sizeof(load_viewer_t));

    v->stream = number % load.streams;
    v->state = load_connecting;
    v->reading = 1;

    v->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (v->fd == -1) {
        bench_die("socket() failed: %s", strerror(errno));
    }

    /* closed with RST: thousands in TIME_WAIT would be in the next one's way */

    linger.l_onoff = 1;
    linger.l_linger = 0;

    (void) setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));

    sin = bench_address(load.port, number / load.spread);

    load.pending++;

    v->connected = bench_now();

    if (connect(v->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        && errno != EINPROGRESS)
    {
        bench_die("connect() failed: %s", strerror(errno));
    }

    ev.events = EPOLLIN|EPOLLOUT|EPOLLET;
    ev.data.ptr = v;

    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, v->fd, &ev) == -1) {
        bench_die("epoll_ctl() failed: %s", strerror(errno));
    }
}


void
load_viewer_event(load_viewer_t *v, uint32_t events)
{
    switch (v->state) {

    case load_connecting:
        if (events & (EPOLLOUT|EPOLLERR|EPOLLHUP)) {
            load_viewer_connected(v);
        }

        break;

#if (BENCH_TLS)
    case load_tls:
        load_viewer_handshake(v);
        break;
#endif

    case load_asked:
    case load_watching:
        if (v->reading && (events & ~EPOLLOUT)) {
            load_viewer_read(v);
        }

        break;

    default:
        break;
    }
}


static void
load_viewer_connected(load_viewer_t *v)
{
    int        error;
    socklen_t  len;

    error = 0;
    len = sizeof(int);

    (void) getsockopt(v->fd, SOL_SOCKET, SO_ERROR, &error, &len);

    if (error) {
        bench_die("connect() failed: %s", strerror(error));
    }

#if (BENCH_TLS)

    if (load.tls) {
        static SSL_CTX  *ctx;

        if (ctx == NULL) {
            ctx = SSL_CTX_new(TLS_client_method());
            SSL_CTX_set_read_ahead(ctx, 1);
            SSL_CTX_set_default_read_buffer_len(ctx, 32768);
        }

        v->ssl = SSL_new(ctx);
        SSL_set_fd(v->ssl, v->fd);
        SSL_set_connect_state(v->ssl);

        v->state = load_tls;
        load_viewer_handshake(v);
        return;
    }

#endif

    load_viewer_ask(v);
}


#if (BENCH_TLS)

static void
load_viewer_handshake(load_viewer_t *v)
{
    int  n, error;

    ERR_clear_error();

    n = SSL_do_handshake(v->ssl);

    if (n == 1) {
        load_viewer_ask(v);
        load_viewer_read(v);
        return;
    }

    error = SSL_get_error(v->ssl, n);

    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        bench_die("TLS handshake failed");
    }
}

#endif


static void
load_viewer_ask(load_viewer_t *v)
{
    int                 n;
    char                ask[1024];
    struct epoll_event  ev;

    v->state = load_asked;

    if (!load.tcp) {
        n = snprintf(ask, sizeof(ask), "GET ");
        n += snprintf(ask + n, sizeof(ask) - n, load.path, v->stream);
        n += snprintf(ask + n, sizeof(ask) - n,
                      " HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                      !load.websocket ? ""
                      : "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");

        load_viewer_send(v, ask, n);
    }

    ev.events = EPOLLIN|EPOLLET;
    ev.data.ptr = v;

    (void) epoll_ctl(load.epoll, EPOLL_CTL_MOD, v->fd, &ev);
}


static void
load_viewer_read(load_viewer_t *v)
{
    size_t    used;
    ssize_t   n;
    uint64_t  now;

    while (v->state == load_asked || v->state == load_watching) {

        n = load_viewer_recv(v, buffer, LOAD_BUFFER);

        if (n == -1) {
            return;
        }

        if (n == 0) {

            if (load.tcp && v->state == load_asked) {
                bench_die("a viewer was refused");
            }

            v->state = load_gone;
            return;
        }

        now = bench_now();

        used = 0;

        if (v->state == load_asked) {
            used = load_viewer_answer(v, buffer, n);
        }

        if (used < (size_t) n) {
            load_deframe(v, buffer + used, n - used, now);
        }

#if (BENCH_TLS)
        if (v->ssl) {
            continue;
        }
#endif

        if (n < LOAD_BUFFER) {
            return;
        }
    }
}


/* returns how many bytes belong to the head of the answer */

static size_t
load_viewer_answer(load_viewer_t *v, u_char *p, size_t n)
{
    char      *end;
    size_t     size;
    unsigned   before;

    if (load.tcp) {
        v->state = load_watching;
        load.pending--;

        return 0;
    }

    before = v->nanswer;
    size = before + n;

    v->answer = realloc(v->answer, size + 1);

    if (v->answer == NULL) {
        bench_die("no memory");
    }

    memcpy(v->answer + before, p, n);
    v->answer[size] = '\0';
    v->nanswer = size;

    end = strstr(v->answer, "\r\n\r\n");

    if (end == NULL) {
        return n;
    }

    end[2] = '\0';

    if (strncmp(v->answer + 8, " 101", 4) == 0) {
        v->framing = load_websocket;

    } else if (strncmp(v->answer + 8, " 200", 4) != 0) {
        v->answer[strcspn(v->answer, "\r")] = '\0';
        bench_die("a viewer was answered \"%s\"", v->answer);

    } else if (strcasestr(v->answer, "\nTransfer-Encoding: chunked\r")) {
        v->framing = load_chunked;
    }

    v->state = load_watching;
    load.pending--;

    size = end + 4 - v->answer;

    free(v->answer);
    v->answer = NULL;

    return size - before;
}


/* -1 when there is nothing yet, 0 when there will be nothing more */

static ssize_t
load_viewer_recv(load_viewer_t *v, u_char *p, size_t n)
{
    ssize_t  rc;

#if (BENCH_TLS)

    if (v->ssl) {
        ERR_clear_error();

        rc = SSL_read(v->ssl, p, n);

        if (rc > 0) {
            return rc;
        }

        return SSL_get_error(v->ssl, rc) == SSL_ERROR_WANT_READ ? -1 : 0;
    }

#endif

    rc = recv(v->fd, p, n, 0);

    if (rc == -1 && errno != EAGAIN && errno != EINTR) {
        return 0;
    }

    return rc;
}


static void
load_viewer_send(load_viewer_t *v, const char *p, size_t n)
{
#if (BENCH_TLS)

    if (v->ssl) {
        (void) SSL_write(v->ssl, p, n);
        return;
    }

#endif

    (void) send(v->fd, p, n, MSG_NOSIGNAL);
}


/* a masked frame without payload */

void
load_viewer_pong(load_viewer_t *v)
{
    load_viewer_send(v, "\x8a\x80\0\0\0\0", 6);
}


/* stops reading, or goes on: the edge is reported anew */

void
load_viewer_watch(load_viewer_t *v, unsigned on)
{
    struct epoll_event  ev;

    if (v->state == load_gone) {
        return;
    }

    v->reading = on;

    ev.events = EPOLLIN|EPOLLET;
    ev.data.ptr = v;

    (void) epoll_ctl(load.epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, v->fd,
                     &ev);
}


void
load_viewer_close(load_viewer_t *v)
{
    if (v->state == load_connecting || v->state == load_tls
        || v->state == load_asked)
    {
        load.pending--;
    }

#if (BENCH_TLS)
    if (v->ssl) {
        SSL_free(v->ssl);
        v->ssl = NULL;
    }
#endif

    free(v->answer);
    v->answer = NULL;

    close(v->fd);
    v->fd = -1;
    v->state = load_gone;
}
