
/*
 * Copyright (C) the tscast authors
 */


/*
 * From the ring to the socket: frames are laid over the ring's memory as
 * iovecs and handed to the kernel.  When it takes a part of a frame, the rest
 * of that frame is copied and sent from there, so that whatever happens next,
 * the peer gets whole frames.
 *
 * Most viewers of a walk are at the same place and want the same bytes: a
 * burst is kept while they do, and from the third of them on it is one piece
 * of memory, for which a send costs less than for many.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"

#include <netinet/tcp.h>


/* unsent bytes in the kernel from which on a socket takes no more */
#define NGX_TSCAST_LOWAT   (128 * 1024)

/* the use of a burst for which it is made one piece */
#define NGX_TSCAST_FLAT    3

/* the most that a door can put between two frames of a slow viewer */
#define NGX_TSCAST_REST    65536


static size_t ngx_tscast_send_chunk(u_char *p, size_t n);
static ngx_uint_t ngx_tscast_burst_fits(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd, uint64_t head);
static ngx_int_t ngx_tscast_burst_make(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd, uint64_t head);
static uint32_t ngx_tscast_burst_base(ngx_tscast_viewer_t *v);
static void ngx_tscast_burst_flatten(ngx_tscast_burst_t *b,
    struct iovec *flat);
static ngx_int_t ngx_tscast_burst_send(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v);
static void ngx_tscast_burst_sent(ngx_tscast_viewer_t *v,
    ngx_tscast_frame_t *f);
static ngx_int_t ngx_tscast_send_keep(ngx_tscast_viewer_t *v,
    struct iovec *iov, ngx_uint_t n, size_t skip);


const ngx_tscast_framing_t  ngx_tscast_framing_raw = {
    NULL, ngx_null_string
};

const ngx_tscast_framing_t  ngx_tscast_framing_chunked = {
    ngx_tscast_send_chunk, ngx_string(CRLF)
};


static ngx_tscast_burst_t  ngx_tscast_burst;


void
ngx_tscast_send_socket(ngx_tscast_viewer_t *v)
{
    int                user_timeout, lowat;
    ngx_connection_t  *c;

    c = v->connection;

    if (c->type != SOCK_STREAM
        || (c->sockaddr->sa_family != AF_INET
            && c->sockaddr->sa_family != AF_INET6))
    {
        return;
    }

    (void) ngx_tcp_nodelay(c);

    lowat = NGX_TSCAST_LOWAT;

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                   (const void *) &lowat, sizeof(int))
        == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(TCP_NOTSENT_LOWAT) failed");
    }

    /* the system comes behind our own timer, which knows what to say */

    user_timeout = ngx_min(v->timeout + 1000, NGX_MAX_INT32_VALUE);

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                   (const void *) &user_timeout, sizeof(int))
        == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(TCP_USER_TIMEOUT) failed");
    }
}


static size_t
ngx_tscast_send_chunk(u_char *p, size_t n)
{
    return ngx_sprintf(p, "%uxz" CRLF, n) - p;
}


/*
 * Sends from the cursor up to the head of the view, or to where the viewer is
 * to stop.  Returns NGX_OK when all of it is sent, NGX_AGAIN when the
 * connection takes no more, NGX_DECLINED when the bytes are no longer there,
 * or NGX_ERROR.
 */

ngx_int_t
ngx_tscast_send_ring(ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd)
{
    uint64_t             head;
    ngx_int_t            rc, sent;
    ngx_tscast_burst_t  *b;

    b = &ngx_tscast_burst;

    if (v->cursor < rd->view.tail) {
        return NGX_DECLINED;
    }

    head = v->stopping ? ngx_min(rd->view.head, v->stop) : rd->view.head;

    while (v->cursor < head) {

        if (!ngx_tscast_burst_fits(b, v, rd, head)) {
            rc = ngx_tscast_burst_make(b, v, rd, head);

            if (b->nframes == 0) {
                return rc;
            }
        }

        sent = ngx_tscast_burst_send(b, v);

        if (sent != NGX_OK) {
            return sent;
        }
    }

    return NGX_OK;
}


/*
 * Sends n bytes of media, whole packets or tags, as one frame.  Returns as
 * above; the cursor stays.
 */

ngx_int_t
ngx_tscast_send_frame(ngx_tscast_viewer_t *v, u_char *p, size_t n)
{
    uint64_t             sent;
    ngx_tscast_burst_t  *b;

    if (n == 0) {
        return NGX_OK;
    }

    b = &ngx_tscast_burst;

    b->serial = 0;
    b->uses = 0;
    b->nframes = 0;
    b->niov = 0;

    (void) ngx_tscast_burst_frame(b, v);
    ngx_tscast_burst_piece(b, p, n);
    ngx_tscast_burst_close(b, v);

    sent = v->sent;

    if (ngx_tscast_burst_send(b, v) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (v->sent == sent) {

        if (ngx_tscast_send_keep(v, b->iov, b->niov, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_tscast_burst_sent(v, &b->frames[0]);
    }

    return v->blocked ? NGX_AGAIN : NGX_OK;
}


/* is it what this viewer wants as well? */

static ngx_uint_t
ngx_tscast_burst_fits(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd, uint64_t head)
{
    return b->serial == rd->serial && b->cursor == v->cursor
           && b->head == head && b->framing == v->framing
           && b->zero == v->zero && b->base == ngx_tscast_burst_base(v);
}


/* NGX_DECLINED when the bytes after the last frame are gone */

static ngx_int_t
ngx_tscast_burst_make(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd, uint64_t head)
{
    ngx_int_t  rc;

    b->serial = 0;
    b->uses = 0;
    b->nframes = 0;
    b->niov = 0;
    b->ntimes = 0;

    b->cursor = v->cursor;
    b->head = head;
    b->framing = v->framing;
    b->zero = v->zero;
    b->base = ngx_tscast_burst_base(v);

    rc = ngx_tscast_renditions[v->rendition].gather(b, v, rd, head);

    if (rc == NGX_OK) {
        b->serial = rd->serial;
    }

    return rc;
}


/* what the pieces depend on: nothing, once a viewer has times of the stream */

static uint32_t
ngx_tscast_burst_base(ngx_tscast_viewer_t *v)
{
    return (v->settled && !v->zero) ? 0 : v->base;
}


/* packets: NGX_DECLINED when the bytes after the last frame are gone */

ngx_int_t
ngx_tscast_send_gather(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd, uint64_t head)
{
    u_char              *p[2];
    size_t               n[2], media;
    uint64_t             offset;
    ngx_tscast_frame_t  *f;

    offset = v->cursor;

    while (offset < head && b->nframes < NGX_TSCAST_FRAMES) {

        media = ngx_min(head - offset, NGX_TSCAST_FRAME);

        p[0] = ngx_tscast_ring_at(&rd->feed->ring, &rd->view, offset, &n[0]);

        if (p[0] == NULL) {
            return NGX_DECLINED;
        }

        p[1] = NULL;

        if (n[0] < media) {
            p[1] = ngx_tscast_ring_at(&rd->feed->ring, &rd->view,
                                      offset + n[0], &n[1]);
            if (p[1] == NULL) {
                return NGX_DECLINED;
            }
        }

        f = ngx_tscast_burst_frame(b, v);

        ngx_tscast_burst_piece(b, p[0], ngx_min(n[0], media));

        if (p[1]) {
            ngx_tscast_burst_piece(b, p[1], media - n[0]);
        }

        ngx_tscast_burst_close(b, v);

        offset += media;
        f->next = offset;
    }

    return NGX_OK;
}


/* begins a frame; without further words the viewer stays where it is */

ngx_tscast_frame_t *
ngx_tscast_burst_frame(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v)
{
    ngx_tscast_frame_t  *f;

    f = &b->frames[b->nframes++];

    f->first = b->niov;
    f->size = 0;
    f->media = 0;
    f->next = v->cursor;
    f->tag = v->tag;
    f->tag_len = v->tag_len;
    f->time = v->time;

    if (v->framing->head) {
        b->niov++;
    }

    return f;
}


void
ngx_tscast_burst_piece(ngx_tscast_burst_t *b, u_char *p, size_t n)
{
    b->iov[b->niov].iov_base = p;
    b->iov[b->niov].iov_len = n;
    b->niov++;

    b->frames[b->nframes - 1].media += n;
}


/* the length is known */

void
ngx_tscast_burst_close(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v)
{
    ngx_tscast_frame_t  *f;

    f = &b->frames[b->nframes - 1];

    f->size = f->media;

    if (v->framing->head) {
        b->iov[f->first].iov_base = f->head;
        b->iov[f->first].iov_len = v->framing->head(f->head, f->media);

        f->size += b->iov[f->first].iov_len;
    }

    if (v->framing->tail.len) {
        b->iov[b->niov].iov_base = v->framing->tail.data;
        b->iov[b->niov].iov_len = v->framing->tail.len;
        b->niov++;

        f->size += v->framing->tail.len;
    }

    f->last = b->niov;
}


void
ngx_tscast_burst_cancel(ngx_tscast_burst_t *b)
{
    b->niov = b->frames[--b->nframes].first;
}


/* the same in one piece */

static void
ngx_tscast_burst_flatten(ngx_tscast_burst_t *b, struct iovec *flat)
{
    u_char      *p;
    ngx_uint_t   i;

    static u_char  buf[NGX_TSCAST_FRAMES
                       * (NGX_TSCAST_FRAME_HEAD + NGX_TSCAST_FRAME)];
    static size_t  len;

    if (b->uses == NGX_TSCAST_FLAT) {
        p = buf;

        for (i = 0; i < b->niov; i++) {
            p = ngx_cpymem(p, b->iov[i].iov_base, b->iov[i].iov_len);
        }

        len = p - buf;
    }

    flat->iov_base = buf;
    flat->iov_len = len;
}


/* the viewer moves over what need not be sent again */

static ngx_int_t
ngx_tscast_burst_send(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v)
{
    size_t               left;
    ssize_t              n;
    ngx_int_t            rc;
    ngx_uint_t           i;
    struct iovec         flat;
    ngx_tscast_frame_t  *f;

    if (++b->uses < NGX_TSCAST_FLAT) {
        n = v->send(v, b->iov, b->niov);

    } else {
        ngx_tscast_burst_flatten(b, &flat);
        n = v->send(v, &flat, 1);
    }

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = NGX_OK;
    left = n;

    for (i = 0; i < b->nframes; i++) {
        f = &b->frames[i];

        if (left >= f->size) {
            left -= f->size;
            ngx_tscast_burst_sent(v, f);
            continue;
        }

        if (left) {
            ngx_tscast_burst_sent(v, f);

            if (ngx_tscast_send_keep(v, &b->iov[f->first],
                                     f->last - f->first, left)
                != NGX_OK)
            {
                rc = NGX_ERROR;
            }
        }

        if (rc == NGX_OK) {
            ngx_tscast_send_blocked(v);
            rc = NGX_AGAIN;
        }

        break;
    }

    if (rc == NGX_OK && v->send != ngx_tscast_send
        && v->connection->buffered)
    {
        ngx_tscast_send_blocked(v);
        rc = NGX_AGAIN;
    }

    return rc;
}


static void
ngx_tscast_burst_sent(ngx_tscast_viewer_t *v, ngx_tscast_frame_t *f)
{
    v->cursor = f->next;
    v->tag = f->tag;
    v->tag_len = f->tag_len;
    v->time = f->time;

    v->sent += f->media;
    v->counters->sent += f->media;
}


/* copies all but the first "skip" bytes behind what is kept already */

static ngx_int_t
ngx_tscast_send_keep(ngx_tscast_viewer_t *v, struct iovec *iov, ngx_uint_t n,
    size_t skip)
{
    u_char      *p, *rest;
    size_t       kept, size;
    ngx_uint_t   i;

    kept = v->rest ? v->rest_last - v->rest_pos : 0;
    size = kept;

    for (i = 0; i < n; i++) {
        size += iov[i].iov_len;
    }

    if (size - skip > NGX_TSCAST_REST) {
        ngx_log_error(NGX_LOG_INFO, v->log, 0,
                      "client asks for answers that it does not read");
        return NGX_ERROR;
    }

    rest = ngx_alloc(size - skip, v->log);
    if (rest == NULL) {
        return NGX_ERROR;
    }

    p = rest;

    if (kept) {
        p = ngx_cpymem(p, v->rest_pos, kept);
    }

    for (i = 0; i < n; i++) {

        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }

        p = ngx_cpymem(p, (u_char *) iov[i].iov_base + skip,
                       iov[i].iov_len - skip);
        skip = 0;
    }

    if (v->rest) {
        ngx_free(v->rest);
    }

    v->rest = rest;
    v->rest_pos = rest;
    v->rest_last = p;

    return NGX_OK;
}


/*
 * Sends what was kept.  Returns NGX_OK when nothing is left of it, NGX_AGAIN
 * or NGX_ERROR.
 */

ngx_int_t
ngx_tscast_send_rest(ngx_tscast_viewer_t *v)
{
    ssize_t        n;
    struct iovec   iov;

    if (v->rest) {
        iov.iov_base = v->rest_pos;
        iov.iov_len = v->rest_last - v->rest_pos;

        n = v->send(v, &iov, 1);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        v->rest_pos += n;

        if (v->rest_pos < v->rest_last) {
            ngx_tscast_send_blocked(v);
            return NGX_AGAIN;
        }

        ngx_free(v->rest);
        v->rest = NULL;

    } else if (v->connection->buffered && v->send(v, NULL, 0) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (v->connection->buffered) {
        ngx_tscast_send_blocked(v);
        return NGX_AGAIN;
    }

    v->blocked = 0;

    return NGX_OK;
}


/* waits for the connection, and for its peer no longer than the timeout */

void
ngx_tscast_send_blocked(ngx_tscast_viewer_t *v)
{
    ngx_event_t  *wev;

    wev = v->connection->write;

    v->blocked = 1;

    if (!wev->timer_set) {
        v->progress = v->connection->sent + v->wire;
        ngx_add_timer(wev, v->timeout);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, v->log, 0,
                      "cannot wait for a viewer's connection");
    }
}


ngx_int_t
ngx_tscast_viewer_control(ngx_tscast_viewer_t *v, u_char *p, size_t n)
{
    ssize_t        sent;
    struct iovec   iov;

    iov.iov_base = p;
    iov.iov_len = n;

    sent = 0;

    if (!v->blocked) {
        sent = v->send(v, &iov, 1);

        if (sent == NGX_ERROR) {
            return NGX_ERROR;
        }

        if ((size_t) sent == n && !v->connection->buffered) {
            return NGX_OK;
        }
    }

    if ((size_t) sent < n
        && ngx_tscast_send_keep(v, &iov, 1, sent) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_tscast_send_blocked(v);

    return NGX_AGAIN;
}


/*
 * Looks at nothing of the connection while all goes well: that would be one
 * more line of cache for each viewer.
 */

ssize_t
ngx_tscast_send(ngx_tscast_viewer_t *v, struct iovec *iov, ngx_uint_t n)
{
    size_t             size;
    ssize_t            sent;
    ngx_err_t          err;
    ngx_uint_t         i;
    struct msghdr      msg;
    ngx_connection_t  *c;

    for ( ;; ) {

        if (n == 1) {
            sent = send(v->fd, iov->iov_base, iov->iov_len,
                        MSG_NOSIGNAL|MSG_DONTWAIT);

        } else {
            ngx_memzero(&msg, sizeof(struct msghdr));

            msg.msg_iov = iov;
            msg.msg_iovlen = n;

            sent = sendmsg(v->fd, &msg, MSG_NOSIGNAL|MSG_DONTWAIT);
        }

        if (sent != -1) {
            break;
        }

        err = ngx_socket_errno;

        if (err == NGX_EINTR) {
            continue;
        }

        c = v->connection;
        c->write->ready = 0;

        if (err == NGX_EAGAIN) {
            return 0;
        }

        c->write->error = 1;
        (void) ngx_connection_error(c, err, "send() failed");

        return NGX_ERROR;
    }

    v->wire += sent;

    for (size = 0, i = 0; i < n; i++) {
        size += iov[i].iov_len;
    }

    if ((size_t) sent < size) {
        v->connection->write->ready = 0;
    }

    return sent;
}


/* through nginx's own buffer, so that TLS never looks at the ring again */

ssize_t
ngx_tscast_send_tls(ngx_tscast_viewer_t *v, struct iovec *iov, ngx_uint_t n)
{
    size_t              sent;
    ngx_buf_t          *b;
    ngx_uint_t          i;
    ngx_chain_t        *cl;
    ngx_connection_t   *c;

    static ngx_buf_t    bufs[NGX_TSCAST_IOVS];
    static ngx_chain_t  chain[NGX_TSCAST_IOVS];

    c = v->connection;

    for (i = 0; i < n; i++) {
        b = &bufs[i];

        ngx_memzero(b, sizeof(ngx_buf_t));

        b->memory = 1;
        b->pos = iov[i].iov_base;
        b->last = b->pos + iov[i].iov_len;
        b->start = b->pos;
        b->end = b->last;
        b->flush = (i == n - 1);

        chain[i].buf = b;
        chain[i].next = (i == n - 1) ? NULL : &chain[i + 1];
    }

    cl = c->send_chain(c, n ? chain : NULL, 0);

    if (cl == NGX_CHAIN_ERROR) {
        return NGX_ERROR;
    }

    for (sent = 0, i = 0; i < n; i++) {
        sent += bufs[i].pos - bufs[i].start;
    }

    return sent;
}
