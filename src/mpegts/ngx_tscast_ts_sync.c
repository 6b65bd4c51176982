
/*
 * Copyright (C) the tscast authors
 */


/*
 * What comes out depends on the sequence of bytes alone, however it is cut:
 *
 *   in lock, 188 bytes that begin with a sync byte are a packet; another
 *   byte there ends the lock, and the hunt begins with that byte;
 *
 *   in the hunt, the first position p at which NGX_TSCAST_TS_LOCK whole
 *   packets line up ends the hunt, and all before it is dropped.
 *
 * With datagrams, a packet that began in the input before is one only if the
 * next packet begins behind it, as far as can be seen: what lies between may
 * be lost, and two halves are no packet.
 *
 * carry[] begins with a sync byte or is empty.  In lock it has less than a
 * packet, in the hunt less than NGX_TSCAST_TS_LOCK packets, the sync bytes
 * of which line up as far as they are here.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


#define NGX_TSCAST_TS_HUNT  (NGX_TSCAST_TS_LOCK * NGX_TSCAST_TS_PACKET)


static ngx_uint_t ngx_tscast_ts_sync_carry(ngx_tscast_ts_sync_t *s,
    u_char **pos, u_char *last, u_char **run);
static ngx_uint_t ngx_tscast_ts_sync_locked(ngx_tscast_ts_sync_t *s,
    u_char **pos, u_char *last, u_char **run);
static void ngx_tscast_ts_sync_fill(ngx_tscast_ts_sync_t *s, u_char **pos,
    u_char *last, size_t size);
static ngx_uint_t ngx_tscast_ts_sync_hunt(ngx_tscast_ts_sync_t *s,
    u_char **pos, u_char *last, u_char **run);
static u_char *ngx_tscast_ts_sync_find(u_char *p, u_char *last);
static ngx_uint_t ngx_tscast_ts_has_period(u_char *p, size_t len,
    size_t size);


void
ngx_tscast_ts_sync_init(ngx_tscast_ts_sync_t *s)
{
    s->dropped = 0;
    s->resyncs = 0;
    s->len = 0;
    s->locked = 0;
    s->datagrams = 0;
}


ngx_uint_t
ngx_tscast_ts_sync(ngx_tscast_ts_sync_t *s, u_char **pos, u_char *last,
    u_char **run)
{
    ngx_uint_t  n;

    while (*pos < last) {

        if (s->len) {
            n = ngx_tscast_ts_sync_carry(s, pos, last, run);

        } else if (s->locked) {
            n = ngx_tscast_ts_sync_locked(s, pos, last, run);

        } else {
            n = ngx_tscast_ts_sync_hunt(s, pos, last, run);
        }

        if (n) {
            return n;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_tscast_ts_sync_carry(ngx_tscast_ts_sync_t *s, u_char **pos, u_char *last,
    u_char **run)
{
    size_t   had, n;
    u_char  *p;

    *run = s->carry;

    had = s->len;

    if (s->locked) {
        ngx_tscast_ts_sync_fill(s, pos, last, NGX_TSCAST_TS_PACKET);

        if (s->len < NGX_TSCAST_TS_PACKET) {
            return 0;
        }

        n = s->len - had;
        s->len = 0;

        if (s->datagrams && *pos < last && **pos != NGX_TSCAST_TS_SYNC_BYTE) {
            *pos -= n;

            s->locked = 0;
            s->resyncs++;
            s->dropped += had;

            return 0;
        }

        return 1;
    }

    ngx_tscast_ts_sync_fill(s, pos, last, NGX_TSCAST_TS_HUNT);

    p = ngx_tscast_ts_sync_find(s->carry, s->carry + s->len);
    n = p - s->carry;

    if (n == 0) {

        if (s->len < NGX_TSCAST_TS_HUNT) {
            return 0;
        }

        s->len = 0;
        s->locked = 1;

        return NGX_TSCAST_TS_LOCK;
    }

    s->dropped += n;

    if (n >= had) {

        /* nothing is left but of this very input: look at it in place */

        *pos -= s->len - n;
        s->len = 0;

        return 0;
    }

    s->len -= n;
    ngx_memmove(s->carry, p, s->len);

    return 0;
}


static ngx_uint_t
ngx_tscast_ts_sync_locked(ngx_tscast_ts_sync_t *s, u_char **pos, u_char *last,
    u_char **run)
{
    u_char      *p;
    ngx_uint_t   n;

    p = *pos;
    *run = p;

    for (n = 0; last - p >= NGX_TSCAST_TS_PACKET; n++) {

        if (*p != NGX_TSCAST_TS_SYNC_BYTE) {
            break;
        }

        p += NGX_TSCAST_TS_PACKET;
    }

    *pos = p;

    if (n) {
        return n;
    }

    if (*p != NGX_TSCAST_TS_SYNC_BYTE) {
        s->locked = 0;
        s->resyncs++;

        return 0;
    }

    ngx_tscast_ts_sync_fill(s, pos, last, NGX_TSCAST_TS_PACKET);

    return 0;
}


static void
ngx_tscast_ts_sync_fill(ngx_tscast_ts_sync_t *s, u_char **pos, u_char *last,
    size_t size)
{
    size_t  n;

    n = ngx_min(size - s->len, (size_t) (last - *pos));

    ngx_memcpy(s->carry + s->len, *pos, n);

    s->len += n;
    *pos += n;
}


static ngx_uint_t
ngx_tscast_ts_sync_hunt(ngx_tscast_ts_sync_t *s, u_char **pos, u_char *last,
    u_char **run)
{
    u_char  *p;

    p = ngx_tscast_ts_sync_find(*pos, last);

    s->dropped += p - *pos;
    *pos = p;

    if (last - p >= NGX_TSCAST_TS_HUNT) {
        s->locked = 1;

        return ngx_tscast_ts_sync_locked(s, pos, last, run);
    }

    ngx_tscast_ts_sync_fill(s, pos, last, NGX_TSCAST_TS_HUNT);

    return 0;
}


/* returns the first position where all sync bytes before last line up */

static u_char *
ngx_tscast_ts_sync_find(u_char *p, u_char *last)
{
    ngx_uint_t  i;

    while (p < last) {
        p = memchr(p, NGX_TSCAST_TS_SYNC_BYTE, last - p);

        if (p == NULL) {
            return last;
        }

        for (i = 1; i < NGX_TSCAST_TS_LOCK; i++) {

            if (last - p <= (ssize_t) (i * NGX_TSCAST_TS_PACKET)) {
                return p;
            }

            if (p[i * NGX_TSCAST_TS_PACKET] != NGX_TSCAST_TS_SYNC_BYTE) {
                break;
            }
        }

        if (i == NGX_TSCAST_TS_LOCK) {
            return p;
        }

        p++;
    }

    return last;
}


ngx_uint_t
ngx_tscast_ts_sync_flush(ngx_tscast_ts_sync_t *s, u_char **run)
{
    ngx_uint_t  n;

    n = s->len / NGX_TSCAST_TS_PACKET;

    s->dropped += s->len % NGX_TSCAST_TS_PACKET;
    s->len = 0;
    s->locked = 0;

    *run = s->carry;

    return n;
}


size_t
ngx_tscast_ts_packet_size(u_char *p, size_t len)
{
    ngx_uint_t           i;
    static const size_t  sizes[] = { 188, 192, 204 };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {

        if (ngx_tscast_ts_has_period(p, len, sizes[i])) {
            return sizes[i];
        }
    }

    return 0;
}


static ngx_uint_t
ngx_tscast_ts_has_period(u_char *p, size_t len, size_t size)
{
    u_char      *last;
    ngx_uint_t   i;

    if (len <= (NGX_TSCAST_TS_LOCK - 1) * size) {
        return 0;
    }

    /* one past the last byte at which a run can begin */

    last = p + len - (NGX_TSCAST_TS_LOCK - 1) * size;

    while (p < last) {
        p = memchr(p, NGX_TSCAST_TS_SYNC_BYTE, last - p);

        if (p == NULL) {
            return 0;
        }

        for (i = 1; i < NGX_TSCAST_TS_LOCK; i++) {
            if (p[i * size] != NGX_TSCAST_TS_SYNC_BYTE) {
                break;
            }
        }

        if (i == NGX_TSCAST_TS_LOCK) {
            return 1;
        }

        p++;
    }

    return 0;
}
