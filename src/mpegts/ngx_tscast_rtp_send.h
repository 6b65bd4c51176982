
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_RTP_SEND_H_INCLUDED_
#define _NGX_TSCAST_RTP_SEND_H_INCLUDED_


/*
 * The sender of RTP, RFC 3550, with a transport stream in it, RFC 2250: pure
 * functions over bytes.  Timestamps are those of the PCRs and an offset, which
 * changes when the PCRs jump, so that the timestamps do not.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_clock.h"


#define NGX_TSCAST_RTP_HEAD    12

/* of a report with the longest CNAME */
#define NGX_TSCAST_RTP_REPORT  (28 + 8 + 2 + 255 + 4)


typedef struct {

    /* what the next sender with this SSRC goes on from */

    uint32_t              ssrc;
    uint32_t              offset;       /* timestamps minus PCRs, 90 kHz */
    uint32_t              timestamp;    /* the last one */
    uint32_t              packets;      /* sent: of RTP */
    uint32_t              octets;       /* without headers */
    uint16_t              sequence;     /* the next one */

    ngx_tscast_clock_t    clock;
    uint64_t              sent;         /* when timestamp was */
    uint64_t              run;          /* TS packets since the PCR */
    uint64_t              span;         /* of them before it */
    uint64_t              step;         /* what each adds to it, 27 MHz */
    unsigned              going:1;      /* timestamp is the peer's already */
} ngx_tscast_rtp_send_t;


/* the rest is random numbers, or those of the former sender with going=1 */
void ngx_tscast_rtp_send_init(ngx_tscast_rtp_send_t *s);

/* each TS packet in turn */
void ngx_tscast_rtp_send_packet(ngx_tscast_rtp_send_t *s, u_char *packet,
    uint64_t now);

/*
 * The header of a datagram with so many bytes of media, of which the first
 * packet was the last one that was told.
 */
void ngx_tscast_rtp_send_head(ngx_tscast_rtp_send_t *s, u_char *p, size_t len,
    uint64_t now);

/* a sender report and the name of the sender; returns the length */
size_t ngx_tscast_rtp_send_report(ngx_tscast_rtp_send_t *s, u_char *p,
    ngx_str_t *cname, time_t sec, ngx_uint_t msec, uint64_t now);


#endif /* _NGX_TSCAST_RTP_SEND_H_INCLUDED_ */
