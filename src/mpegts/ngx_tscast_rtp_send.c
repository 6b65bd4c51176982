
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_rtp.h"
#include "ngx_tscast_rtp_send.h"


#define NGX_TSCAST_RTP_VERSION   0x80

/* RFC 3550, 12.1 and 12.2 */
#define NGX_TSCAST_RTCP_SR       200
#define NGX_TSCAST_RTCP_SDES     202
#define NGX_TSCAST_RTCP_CNAME    1

/* seconds from 1900 to 1970 */
#define NGX_TSCAST_RTP_NTP       2208988800

/* a timestamp that is further ahead than this, or behind, is a jump; 90 kHz */
#define NGX_TSCAST_RTP_AHEAD     (10 * 90000)
#define NGX_TSCAST_RTP_BEHIND    (90000 / 2)


static void ngx_tscast_rtp_send_clock(ngx_tscast_rtp_send_t *s, uint64_t now);
static uint32_t ngx_tscast_rtp_send_elapsed(ngx_tscast_rtp_send_t *s,
    uint64_t now);
static u_char *ngx_tscast_rtp_put16(u_char *p, ngx_uint_t n);
static u_char *ngx_tscast_rtp_put32(u_char *p, uint32_t n);


void
ngx_tscast_rtp_send_init(ngx_tscast_rtp_send_t *s)
{
    ngx_tscast_clock_init(&s->clock);

    s->sent = 0;
    s->run = 0;
    s->span = 0;
    s->step = 0;
}


void
ngx_tscast_rtp_send_packet(ngx_tscast_rtp_send_t *s, u_char *packet,
    uint64_t now)
{
    uint64_t  former, elapsed, seen;

    seen = s->clock.seen;
    former = s->clock.pcr;
    s->run++;

    if (!ngx_tscast_clock_packet(&s->clock, packet, now)) {
        return;
    }

    elapsed = ngx_tscast_clock_elapsed(s->clock.pcr, former);

    s->span = s->run;
    s->step = (seen && elapsed < NGX_TSCAST_CLOCK_JUMP) ? elapsed / s->run : 0;
    s->run = 0;

    ngx_tscast_rtp_send_clock(s, now);
}


/* keeps the timestamps going where the PCRs jump */

static void
ngx_tscast_rtp_send_clock(ngx_tscast_rtp_send_t *s, uint64_t now)
{
    int32_t  ahead;

    ahead = (int32_t) ((uint32_t) (s->clock.pcr / 300) + s->offset
                       - s->timestamp);

    if (s->going && ahead < NGX_TSCAST_RTP_AHEAD
        && ahead > -NGX_TSCAST_RTP_BEHIND)
    {
        return;
    }

    s->offset -= (uint32_t) ahead - ngx_tscast_rtp_send_elapsed(s, now);
    s->going = 1;
}


static uint32_t
ngx_tscast_rtp_send_elapsed(ngx_tscast_rtp_send_t *s, uint64_t now)
{
    return s->sent ? (uint32_t) ((now - s->sent) / 300) : 0;
}


void
ngx_tscast_rtp_send_head(ngx_tscast_rtp_send_t *s, u_char *p, size_t len,
    uint64_t now)
{
    uint32_t  timestamp;
    uint64_t  run;

    /* RFC 2250, 2: when the first byte is to be sent */

    timestamp = s->timestamp;

    if (s->clock.seen) {
        /* no later than the next PCR is, however large a picture */

        run = ngx_min(s->run, s->span);

        timestamp = (uint32_t) ((s->clock.pcr + run * s->step) / 300)
                    + s->offset;
    }

    if ((int32_t) (timestamp - s->timestamp) > 0) {
        s->timestamp = timestamp;
    }

    *p++ = NGX_TSCAST_RTP_VERSION;
    *p++ = NGX_TSCAST_RTP_MP2T;
    p = ngx_tscast_rtp_put16(p, s->sequence++);
    p = ngx_tscast_rtp_put32(p, s->timestamp);
    (void) ngx_tscast_rtp_put32(p, s->ssrc);

    s->packets++;
    s->octets += len;
    s->sent = now;
}


/* RFC 3550, 6.4.1 and 6.5 */

size_t
ngx_tscast_rtp_send_report(ngx_tscast_rtp_send_t *s, u_char *buf,
    ngx_str_t *cname, time_t sec, ngx_uint_t msec, uint64_t now)
{
    u_char    *p, *length;
    size_t     len;
    uint64_t   ntp;

    p = buf;
    ntp = ((uint64_t) msec << 32) / 1000;

    *p++ = NGX_TSCAST_RTP_VERSION;
    *p++ = NGX_TSCAST_RTCP_SR;
    p = ngx_tscast_rtp_put16(p, 28 / 4 - 1);
    p = ngx_tscast_rtp_put32(p, s->ssrc);
    p = ngx_tscast_rtp_put32(p, (uint32_t) (sec + NGX_TSCAST_RTP_NTP));
    p = ngx_tscast_rtp_put32(p, (uint32_t) ntp);
    p = ngx_tscast_rtp_put32(p, s->timestamp
                                + ngx_tscast_rtp_send_elapsed(s, now));
    p = ngx_tscast_rtp_put32(p, s->packets);
    p = ngx_tscast_rtp_put32(p, s->octets);

    *p++ = NGX_TSCAST_RTP_VERSION | 1;
    *p++ = NGX_TSCAST_RTCP_SDES;
    length = p;
    p = ngx_tscast_rtp_put32(p + 2, s->ssrc);

    len = ngx_min(cname->len, 255);

    *p++ = NGX_TSCAST_RTCP_CNAME;
    *p++ = (u_char) len;
    p = ngx_cpymem(p, cname->data, len);

    /* the list of items ends with a zero, and that with the word */

    do {
        *p++ = 0;
    } while ((p - buf) % 4);

    (void) ngx_tscast_rtp_put16(length, (p - length + 2) / 4 - 1);

    return p - buf;
}


static u_char *
ngx_tscast_rtp_put16(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


static u_char *
ngx_tscast_rtp_put32(u_char *p, uint32_t n)
{
    p = ngx_tscast_rtp_put16(p, n >> 16);

    return ngx_tscast_rtp_put16(p, n & 0xffff);
}
