
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_rtp_order.h"


/* RFC 3550, A.1: beyond these the sender has begun anew */
#define NGX_TSCAST_RTP_DROPOUT   3000
#define NGX_TSCAST_RTP_MISORDER  100


static ngx_int_t ngx_tscast_rtp_order_stray(ngx_tscast_rtp_order_t *o,
    uint16_t sequence);
static ngx_int_t ngx_tscast_rtp_order_late(ngx_tscast_rtp_order_t *o,
    ngx_uint_t late);
static ngx_int_t ngx_tscast_rtp_order_keep(ngx_tscast_rtp_order_t *o,
    uint16_t sequence, u_char *p, size_t len, ngx_msec_t now);
static void ngx_tscast_rtp_order_came(ngx_tscast_rtp_order_t *o,
    uint16_t sequence);
static void ngx_tscast_rtp_order_step(ngx_tscast_rtp_order_t *o,
    ngx_uint_t given);
static ngx_uint_t ngx_tscast_rtp_order_overdue(ngx_tscast_rtp_order_t *o,
    ngx_msec_t now);


void
ngx_tscast_rtp_order_init(ngx_tscast_rtp_order_t *o, u_char *memory)
{
    ngx_memzero(o, sizeof(ngx_tscast_rtp_order_t));

    o->memory = memory;
}


ngx_int_t
ngx_tscast_rtp_order_add(ngx_tscast_rtp_order_t *o, uint16_t sequence,
    u_char *p, size_t len, ngx_msec_t now)
{
    ngx_int_t  ahead;

    if (!o->started) {
        o->started = 1;
        o->stray = 0;
        o->given = 0;
        o->next = sequence;
        o->last = sequence - 1;
    }

    ahead = (int16_t) (sequence - o->next);

    if (ahead >= NGX_TSCAST_RTP_DROPOUT || ahead < -NGX_TSCAST_RTP_MISORDER) {
        return ngx_tscast_rtp_order_stray(o, sequence);
    }

    o->stray = 0;

    if (ahead < 0) {
        return ngx_tscast_rtp_order_late(o, -ahead);
    }

    if (ahead >= NGX_TSCAST_RTP_WINDOW) {
        o->skip = (uint16_t) (ahead - NGX_TSCAST_RTP_WINDOW + 1);
        return NGX_BUSY;
    }

    if (ahead) {
        return ngx_tscast_rtp_order_keep(o, sequence, p, len, now);
    }

    ngx_tscast_rtp_order_came(o, sequence);
    ngx_tscast_rtp_order_step(o, 1);

    return NGX_OK;
}


/* the second one in a row says that it is no accident */

static ngx_int_t
ngx_tscast_rtp_order_stray(ngx_tscast_rtp_order_t *o, uint16_t sequence)
{
    if (!o->stray || sequence != o->strange) {
        o->stray = 1;
        o->strange = sequence + 1;
        o->lost++;

        return NGX_DECLINED;
    }

    ngx_tscast_rtp_order_flush(o);

    o->started = 0;

    return NGX_BUSY;
}


/* one that was given up is counted already */

static ngx_int_t
ngx_tscast_rtp_order_late(ngx_tscast_rtp_order_t *o, ngx_uint_t late)
{
    if (late <= 64 && (o->given & (uint64_t) 1 << (late - 1))) {
        o->doubled++;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_tscast_rtp_order_keep(ngx_tscast_rtp_order_t *o, uint16_t sequence,
    u_char *p, size_t len, ngx_msec_t now)
{
    ngx_uint_t              i;
    ngx_tscast_rtp_slot_t  *slot;

    i = sequence % NGX_TSCAST_RTP_WINDOW;
    slot = &o->slots[i];

    if (slot->kept) {
        o->doubled++;
        return NGX_DECLINED;
    }

    ngx_tscast_rtp_order_came(o, sequence);

    slot->kept = 1;
    slot->came = now;
    slot->len = len;

    ngx_memcpy(o->memory + i * NGX_TSCAST_RTP_SLOT, p, len);

    o->kept++;

    return NGX_AGAIN;
}


static void
ngx_tscast_rtp_order_came(ngx_tscast_rtp_order_t *o, uint16_t sequence)
{
    if ((int16_t) (sequence - o->last) < 0) {
        o->reordered++;
        return;
    }

    o->last = sequence;
}


static void
ngx_tscast_rtp_order_step(ngx_tscast_rtp_order_t *o, ngx_uint_t given)
{
    o->next++;
    o->given = o->given << 1 | given;

    if (o->skip) {
        o->skip--;
    }
}


u_char *
ngx_tscast_rtp_order_get(ngx_tscast_rtp_order_t *o, ngx_msec_t now,
    size_t *len)
{
    ngx_uint_t              i;
    ngx_tscast_rtp_slot_t  *slot;

    while (o->kept || o->skip) {

        i = o->next % NGX_TSCAST_RTP_WINDOW;
        slot = &o->slots[i];

        if (slot->kept) {
            slot->kept = 0;
            o->kept--;

            ngx_tscast_rtp_order_step(o, 1);

            *len = slot->len;
            return o->memory + i * NGX_TSCAST_RTP_SLOT;
        }

        if (o->skip == 0 && !ngx_tscast_rtp_order_overdue(o, now)) {
            break;
        }

        ngx_tscast_rtp_order_step(o, 0);
        o->lost++;
    }

    return NULL;
}


/* how long it is known that the next one is missing */

static ngx_uint_t
ngx_tscast_rtp_order_overdue(ngx_tscast_rtp_order_t *o, ngx_msec_t now)
{
    uint16_t                sequence;
    ngx_tscast_rtp_slot_t  *slot;

    for (sequence = o->next + 1; /* void */ ; sequence++) {

        slot = &o->slots[sequence % NGX_TSCAST_RTP_WINDOW];

        if (slot->kept) {
            return now - slot->came >= NGX_TSCAST_RTP_WAIT;
        }
    }
}


void
ngx_tscast_rtp_order_flush(ngx_tscast_rtp_order_t *o)
{
    o->skip = o->kept ? (uint16_t) (o->last + 1 - o->next) : 0;
}
