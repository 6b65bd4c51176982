
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_RTP_H_INCLUDED_
#define _NGX_TSCAST_RTP_H_INCLUDED_


/*
 * RTP packets (RFC 3550) with a transport stream in them (RFC 2250), and
 * what their sequence numbers tell.
 */


#include <ngx_config.h>
#include <ngx_core.h>


/* the payload type MP2T; RFC 3551, 6 */
#define NGX_TSCAST_RTP_MP2T  33


typedef struct {
    u_char                *payload;     /* in the datagram */
    size_t                 len;
    ngx_uint_t             type;
    uint32_t               timestamp;
    uint32_t               ssrc;
    uint16_t               sequence;

    unsigned               marker:1;
} ngx_tscast_rtp_t;


typedef struct {
    uint64_t               came;        /* of the last 64, a bit each */
    ngx_uint_t             known;       /* of these 64, since the first */
    uint32_t               ssrc;
    uint16_t               highest;
    uint16_t               strange;     /* what would follow a stray one */

    unsigned               started:1;
    unsigned               stray:1;

    /* to be counted, and set to zero, by the caller */

    uint64_t               missing;
    uint64_t               reordered;   /* came after a later one */
    uint64_t               doubled;
} ngx_tscast_rtp_seq_t;


/*
 * Returns NGX_OK, or NGX_DECLINED when the n bytes are not an RTP packet or
 * are shorter than its header says.
 */
ngx_int_t ngx_tscast_rtp_parse(ngx_tscast_rtp_t *rtp, u_char *p, size_t n);

/* 1 when its type and its payload are those of a transport stream */
ngx_uint_t ngx_tscast_rtp_is_ts(ngx_tscast_rtp_t *rtp);

/*
 * Looks at the number of a packet.  Those that do not come are missing once
 * 64 others have passed them.  Returns NGX_OK, or NGX_DECLINED when the packet
 * has come before.
 */
ngx_int_t ngx_tscast_rtp_seq_next(ngx_tscast_rtp_seq_t *seq,
    ngx_tscast_rtp_t *rtp);

/* no more will come; begins anew with the next packet */
void ngx_tscast_rtp_seq_finish(ngx_tscast_rtp_seq_t *seq);


#endif /* _NGX_TSCAST_RTP_H_INCLUDED_ */
