
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_RTP_ORDER_H_INCLUDED_
#define _NGX_TSCAST_RTP_ORDER_H_INCLUDED_


/*
 * Datagrams of RTP in the order of their sequence numbers: what comes too early
 * is kept until what is before it has come, or is given up.  Pure functions, in
 * memory of the caller's.
 *
 *                next                 window
 *     ... # # #   .  .  #  #  .  #  |
 *        given   missing  kept
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_TSCAST_RTP_WINDOW  64

/* ms for which is waited for one that is missing */
#define NGX_TSCAST_RTP_WAIT    50

/* bytes of a datagram at most */
#define NGX_TSCAST_RTP_SLOT    65536

#define NGX_TSCAST_RTP_MEMORY  (NGX_TSCAST_RTP_WINDOW * NGX_TSCAST_RTP_SLOT)


typedef struct {
    ngx_msec_t             came;
    size_t                 len;
    unsigned               kept:1;
} ngx_tscast_rtp_slot_t;


typedef struct {
    u_char                *memory;      /* of NGX_TSCAST_RTP_MEMORY bytes */
    ngx_uint_t             kept;
    uint64_t               given;       /* of those before next, a bit each */
    uint16_t               next;        /* sequence number */
    uint16_t               last;        /* the highest that came */
    uint16_t               strange;     /* what would follow a stray one */
    uint16_t               skip;        /* from next on, not waited for */
    unsigned               started:1;
    unsigned               stray:1;

    /* to be counted, and set to zero, by the caller */

    uint64_t               lost;        /* never came, or too late */
    uint64_t               reordered;   /* came after a later one */
    uint64_t               doubled;

    ngx_tscast_rtp_slot_t  slots[NGX_TSCAST_RTP_WINDOW];
} ngx_tscast_rtp_order_t;


void ngx_tscast_rtp_order_init(ngx_tscast_rtp_order_t *o, u_char *memory);

/*
 * Returns NGX_OK when the datagram is the next one, NGX_AGAIN when it is kept,
 * NGX_DECLINED when it is of no use, NGX_BUSY when there is no room: then it
 * is to be added again.  After NGX_OK and NGX_BUSY, all that
 * ngx_tscast_rtp_order_get() gives is to be taken first.
 */
ngx_int_t ngx_tscast_rtp_order_add(ngx_tscast_rtp_order_t *o,
    uint16_t sequence, u_char *p, size_t len, ngx_msec_t now);

/* the next one that was kept, or NULL */
u_char *ngx_tscast_rtp_order_get(ngx_tscast_rtp_order_t *o, ngx_msec_t now,
    size_t *len);

/* gives up all that is missing before what is kept */
void ngx_tscast_rtp_order_flush(ngx_tscast_rtp_order_t *o);


#endif /* _NGX_TSCAST_RTP_ORDER_H_INCLUDED_ */
