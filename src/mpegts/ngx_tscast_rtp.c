
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>
#include <ngx_tscast_rtp.h>


#define NGX_TSCAST_RTP_VERSION  2

/* bytes of a header without CSRCs and extension */
#define NGX_TSCAST_RTP_FIXED    12

/* sequence numbers of which is known whether they came */
#define NGX_TSCAST_RTP_SEEN     64


static void ngx_tscast_rtp_seq_start(ngx_tscast_rtp_seq_t *seq,
    ngx_tscast_rtp_t *rtp);
static ngx_int_t ngx_tscast_rtp_seq_late(ngx_tscast_rtp_seq_t *seq,
    ngx_uint_t back);
static void ngx_tscast_rtp_seq_ahead(ngx_tscast_rtp_seq_t *seq,
    ngx_uint_t n);
static ngx_inline uint16_t ngx_tscast_rtp_16(u_char *p);
static ngx_inline uint32_t ngx_tscast_rtp_32(u_char *p);


/* RFC 3550, 5.1 and 5.3.1 */

ngx_int_t
ngx_tscast_rtp_parse(ngx_tscast_rtp_t *rtp, u_char *p, size_t n)
{
    size_t  head, padding;

    if (n < NGX_TSCAST_RTP_FIXED || p[0] >> 6 != NGX_TSCAST_RTP_VERSION) {
        return NGX_DECLINED;
    }

    head = NGX_TSCAST_RTP_FIXED + 4 * (p[0] & 0x0f);

    if (p[0] & 0x10) {

        if (n < head + 4) {
            return NGX_DECLINED;
        }

        head += 4 + 4 * ngx_tscast_rtp_16(p + head + 2);
    }

    if (n < head) {
        return NGX_DECLINED;
    }

    padding = 0;

    if (p[0] & 0x20) {
        padding = p[n - 1];

        if (padding == 0 || n - head < padding) {
            return NGX_DECLINED;
        }
    }

    rtp->payload = p + head;
    rtp->len = n - head - padding;
    rtp->type = p[1] & 0x7f;
    rtp->marker = p[1] >> 7;
    rtp->sequence = ngx_tscast_rtp_16(p + 2);
    rtp->timestamp = ngx_tscast_rtp_32(p + 4);
    rtp->ssrc = ngx_tscast_rtp_32(p + 8);

    return NGX_OK;
}


/* RFC 2250, 2: an integral number of packets */

ngx_uint_t
ngx_tscast_rtp_is_ts(ngx_tscast_rtp_t *rtp)
{
    size_t  i;

    if (rtp->type != NGX_TSCAST_RTP_MP2T
        || rtp->len == 0
        || rtp->len % NGX_TSCAST_TS_PACKET)
    {
        return 0;
    }

    for (i = 0; i < rtp->len; i += NGX_TSCAST_TS_PACKET) {
        if (rtp->payload[i] != NGX_TSCAST_TS_SYNC_BYTE) {
            return 0;
        }
    }

    return 1;
}


/*
 * One that is far behind may be a sender that has started anew: the next one
 * tells, as in RFC 3550, A.1.
 */

ngx_int_t
ngx_tscast_rtp_seq_next(ngx_tscast_rtp_seq_t *seq, ngx_tscast_rtp_t *rtp)
{
    int16_t  ahead;

    if (!seq->started || seq->ssrc != rtp->ssrc) {
        ngx_tscast_rtp_seq_start(seq, rtp);
        return NGX_OK;
    }

    ahead = (int16_t) (rtp->sequence - seq->highest);

    if (ahead > 0) {
        ngx_tscast_rtp_seq_ahead(seq, ahead);

        seq->highest = rtp->sequence;
        seq->stray = 0;

        return NGX_OK;
    }

    if (ahead > -NGX_TSCAST_RTP_SEEN) {
        seq->stray = 0;

        return ngx_tscast_rtp_seq_late(seq, -ahead);
    }

    if (seq->stray && rtp->sequence == seq->strange) {
        ngx_tscast_rtp_seq_start(seq, rtp);
        return NGX_OK;
    }

    seq->stray = 1;
    seq->strange = rtp->sequence + 1;
    seq->reordered++;

    return NGX_OK;
}


void
ngx_tscast_rtp_seq_finish(ngx_tscast_rtp_seq_t *seq)
{
    if (seq->started) {
        seq->missing += NGX_TSCAST_RTP_SEEN - __builtin_popcountll(seq->came);
        seq->started = 0;
    }
}


/* what was before the first one is not missing */

static void
ngx_tscast_rtp_seq_start(ngx_tscast_rtp_seq_t *seq, ngx_tscast_rtp_t *rtp)
{
    ngx_tscast_rtp_seq_finish(seq);

    seq->came = ~(uint64_t) 0;
    seq->known = 1;
    seq->ssrc = rtp->ssrc;
    seq->highest = rtp->sequence;
    seq->started = 1;
    seq->stray = 0;
}


static ngx_int_t
ngx_tscast_rtp_seq_late(ngx_tscast_rtp_seq_t *seq, ngx_uint_t back)
{
    uint64_t  bit;

    bit = (uint64_t) 1 << back;

    if (back < seq->known && (seq->came & bit)) {
        seq->doubled++;
        return NGX_DECLINED;
    }

    seq->came |= bit;
    seq->reordered++;

    return NGX_OK;
}


static void
ngx_tscast_rtp_seq_ahead(ngx_tscast_rtp_seq_t *seq, ngx_uint_t n)
{
    uint64_t  leaving;

    if (n < NGX_TSCAST_RTP_SEEN) {
        leaving = seq->came >> (NGX_TSCAST_RTP_SEEN - n);

        seq->missing += n - __builtin_popcountll(leaving);
        seq->came <<= n;

    } else {
        seq->missing += n - __builtin_popcountll(seq->came);
        seq->came = 0;
    }

    seq->came |= 1;
    seq->known = ngx_min(seq->known + n, NGX_TSCAST_RTP_SEEN);
}


static ngx_inline uint16_t
ngx_tscast_rtp_16(u_char *p)
{
    return p[0] << 8 | p[1];
}


static ngx_inline uint32_t
ngx_tscast_rtp_32(u_char *p)
{
    return (uint32_t) ngx_tscast_rtp_16(p) << 16 | ngx_tscast_rtp_16(p + 2);
}
