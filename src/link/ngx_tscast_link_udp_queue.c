
/*
 * Copyright (C) the tscast authors
 */


/*
 * pace=pcr: packets wait here until they are due, some 200 ms at most, and
 * leave in full datagrams.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_udp.h"


/* packets; the most are 3 MB, or 200 ms of 120 Mbit/s */
#define NGX_TSCAST_LINK_UDP_FIRST  1024
#define NGX_TSCAST_LINK_UDP_MOST   16384


struct ngx_tscast_link_udp_queue_s {
    ngx_tscast_pace_t    pace;
    uint64_t             head;        /* packets that have left */
    size_t               size;        /* packets in buf, a power of two */
    u_char              *buf;
    ngx_event_t          timer;
};


static void ngx_tscast_link_udp_queue_put(ngx_tscast_link_udp_push_t *push,
    u_char *packet, uint64_t now);
static ngx_int_t ngx_tscast_link_udp_queue_grow(
    ngx_tscast_link_udp_queue_t *q, ngx_log_t *log);
static void ngx_tscast_link_udp_queue_run(ngx_tscast_link_udp_push_t *push);
static void ngx_tscast_link_udp_queue_send(ngx_tscast_link_udp_push_t *push,
    uint64_t n);
static void ngx_tscast_link_udp_queue_timer_handler(ngx_event_t *ev);


ngx_int_t
ngx_tscast_link_udp_queue_open(ngx_tscast_link_udp_push_t *push)
{
    ngx_tscast_link_udp_queue_t  *q;

    q = ngx_pcalloc(push->link->pool, sizeof(ngx_tscast_link_udp_queue_t));
    if (q == NULL) {
        return NGX_ERROR;
    }

    ngx_tscast_pace_init(&q->pace);

    q->timer.handler = ngx_tscast_link_udp_queue_timer_handler;
    q->timer.data = push->link;
    q->timer.log = &push->link->log;

    push->queue = q;

    return NGX_OK;
}


void
ngx_tscast_link_udp_queue_close(ngx_tscast_link_udp_push_t *push)
{
    ngx_tscast_link_udp_queue_t  *q;

    q = push->queue;

    ngx_tscast_link_udp_queue_send(push, q->pace.tail - q->head);

    if (q->timer.timer_set) {
        ngx_del_timer(&q->timer);
    }

    if (q->buf) {
        ngx_free(q->buf);
        q->buf = NULL;
    }
}


void
ngx_tscast_link_udp_queue_add(ngx_tscast_link_udp_push_t *push,
    struct iovec *iov, ngx_uint_t n, size_t size)
{
    uint64_t                      now;
    u_char                        buf[NGX_TSCAST_TS_PACKET];
    ngx_tscast_link_udp_media_t   m;

    m.iov = iov;
    m.n = n;
    m.pos = 0;

    now = ngx_tscast_link_udp_now();

    for ( /* void */ ; size; size -= NGX_TSCAST_TS_PACKET) {
        ngx_tscast_link_udp_queue_put(push,
                                      ngx_tscast_link_udp_packet(&m, buf),
                                      now);
    }

    ngx_tscast_link_udp_queue_run(push);
}


static void
ngx_tscast_link_udp_queue_put(ngx_tscast_link_udp_push_t *push,
    u_char *packet, uint64_t now)
{
    uint64_t                      queued;
    ngx_tscast_link_udp_queue_t  *q;

    q = push->queue;
    queued = q->pace.tail - q->head;

    if (queued == q->size
        && ngx_tscast_link_udp_queue_grow(q, &push->link->log) != NGX_OK)
    {
        if (q->size == 0) {
            push->link->record->lost++;
            return;
        }

        push->link->record->hurried += queued * NGX_TSCAST_TS_PACKET
                                       / push->payload;

        ngx_tscast_link_udp_queue_send(push, queued);
    }

    ngx_memcpy(q->buf + q->pace.tail % q->size * NGX_TSCAST_TS_PACKET, packet,
               NGX_TSCAST_TS_PACKET);

    ngx_tscast_pace_packet(&q->pace, packet, now);
}


static ngx_int_t
ngx_tscast_link_udp_queue_grow(ngx_tscast_link_udp_queue_t *q, ngx_log_t *log)
{
    u_char    *buf;
    size_t     size;
    uint64_t   pos;

    if (q->size == NGX_TSCAST_LINK_UDP_MOST) {
        return NGX_DECLINED;
    }

    size = q->size ? 2 * q->size : NGX_TSCAST_LINK_UDP_FIRST;

    buf = ngx_alloc(size * NGX_TSCAST_TS_PACKET, log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    for (pos = q->head; pos < q->pace.tail; pos++) {
        ngx_memcpy(buf + pos % size * NGX_TSCAST_TS_PACKET,
                   q->buf + pos % q->size * NGX_TSCAST_TS_PACKET,
                   NGX_TSCAST_TS_PACKET);
    }

    if (q->buf) {
        ngx_free(q->buf);
    }

    q->buf = buf;
    q->size = size;

    return NGX_OK;
}


/* sends what is due, and looks again when there is more */

static void
ngx_tscast_link_udp_queue_run(ngx_tscast_link_udp_push_t *push)
{
    uint64_t                      now, due, n, wait;
    ngx_uint_t                    packets;
    ngx_tscast_link_udp_queue_t  *q;

    q = push->queue;
    now = ngx_tscast_link_udp_now();
    packets = push->payload / NGX_TSCAST_TS_PACKET;

    due = ngx_tscast_pace_due(&q->pace, now);

    /* what was sent before its time may not be due yet */

    n = (due > q->head) ? due - q->head : 0;

    if (due < q->pace.tail) {
        n -= n % packets;
    }

    ngx_tscast_link_udp_queue_send(push, n);

    if (q->head == q->pace.tail) {
        return;
    }

    wait = ngx_tscast_pace_wait(&q->pace,
                                ngx_min(q->head + packets, q->pace.tail), now);

    ngx_add_timer(&q->timer, ngx_max(1, (wait + NGX_TSCAST_CLOCK_MSEC - 1)
                                        / NGX_TSCAST_CLOCK_MSEC));
}


static void
ngx_tscast_link_udp_queue_send(ngx_tscast_link_udp_push_t *push, uint64_t n)
{
    size_t                        first;
    struct iovec                  iov[2];
    ngx_tscast_link_udp_queue_t  *q;

    if (n == 0) {
        return;
    }

    q = push->queue;

    first = q->head % q->size;

    iov[0].iov_base = q->buf + first * NGX_TSCAST_TS_PACKET;
    iov[0].iov_len = ngx_min(n, q->size - first) * NGX_TSCAST_TS_PACKET;

    iov[1].iov_base = q->buf;
    iov[1].iov_len = n * NGX_TSCAST_TS_PACKET - iov[0].iov_len;

    q->head += n;

    ngx_tscast_link_udp_send(push, iov, iov[1].iov_len ? 2 : 1,
                             n * NGX_TSCAST_TS_PACKET);
}


static void
ngx_tscast_link_udp_queue_timer_handler(ngx_event_t *ev)
{
    ngx_tscast_link_t  *link;

    link = ev->data;

    ngx_tscast_link_udp_queue_run(link->ctx);
}
