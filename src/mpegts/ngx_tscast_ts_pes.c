
/*
 * Copyright (C) the tscast authors
 */


/*
 * PES packets put together from the packets of one PID: ISO/IEC 13818-1,
 * 2.4.3.6.  One of known length ends with its last byte, any other with the
 * packet that begins the next.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts_pes.h>


/* packet_start_code_prefix, stream_id, PES_packet_length */
#define NGX_TSCAST_TS_PES_START   6

/* and flags and PES_header_data_length */
#define NGX_TSCAST_TS_PES_HEADER  9

#define NGX_TSCAST_TS_PES_TIME    5


static void ngx_tscast_ts_pes_add(ngx_tscast_ts_pes_t *pes, u_char *p,
    size_t n);
static void ngx_tscast_ts_pes_end(ngx_tscast_ts_pes_t *pes);
static ngx_int_t ngx_tscast_ts_pes_parse(ngx_tscast_ts_pes_t *pes,
    ngx_tscast_ts_unit_t *unit);
static uint64_t ngx_tscast_ts_pes_time(u_char *p);


void
ngx_tscast_ts_pes_init(ngx_tscast_ts_pes_t *pes, u_char *buf, size_t size,
    ngx_tscast_ts_unit_pt handler, void *data)
{
    ngx_memzero(pes, sizeof(ngx_tscast_ts_pes_t));

    pes->handler = handler;
    pes->data = data;
    pes->buf = buf;
    pes->size = size;
    pes->cc = NGX_TSCAST_TS_NO_CC;
}


void
ngx_tscast_ts_pes_packet(ngx_tscast_ts_pes_t *pes,
    ngx_tscast_ts_packet_t *pkt)
{
    if (!pkt->has_payload) {
        return;
    }

    if (pes->cc != NGX_TSCAST_TS_NO_CC && !pkt->discontinuity) {

        if (pkt->cc == pes->cc) {
            return;
        }

        if (pkt->cc != ((pes->cc + 1) & 0x0f)) {
            pes->damaged = 1;
        }
    }

    pes->cc = pkt->cc;

    if (pkt->start) {
        ngx_tscast_ts_pes_end(pes);
        pes->open = 1;
    }

    if (!pes->open) {
        return;
    }

    if (pkt->scrambled) {
        pes->open = 0;
        pes->lost++;
        return;
    }

    ngx_tscast_ts_pes_add(pes, pkt->payload, pkt->len);
}


static void
ngx_tscast_ts_pes_add(ngx_tscast_ts_pes_t *pes, u_char *p, size_t n)
{
    size_t  len;

    if (n > pes->size - pes->len) {
        pes->open = 0;
        pes->lost++;
        return;
    }

    ngx_memcpy(pes->buf + pes->len, p, n);
    pes->len += n;

    if (pes->whole == 0 && pes->len >= NGX_TSCAST_TS_PES_START) {
        len = pes->buf[4] << 8 | pes->buf[5];
        pes->whole = len ? NGX_TSCAST_TS_PES_START + len : (size_t) -1;
    }

    if (pes->whole && pes->len >= pes->whole) {
        ngx_tscast_ts_pes_end(pes);
    }
}


void
ngx_tscast_ts_pes_flush(ngx_tscast_ts_pes_t *pes)
{
    ngx_tscast_ts_pes_end(pes);
}


static void
ngx_tscast_ts_pes_end(ngx_tscast_ts_pes_t *pes)
{
    ngx_tscast_ts_unit_t  unit;

    if (pes->open) {

        if (ngx_tscast_ts_pes_parse(pes, &unit) == NGX_OK) {
            pes->handler(pes->data, &unit);

        } else {
            pes->lost++;
        }
    }

    pes->open = 0;
    pes->damaged = 0;
    pes->len = 0;
    pes->whole = 0;
}


static ngx_int_t
ngx_tscast_ts_pes_parse(ngx_tscast_ts_pes_t *pes, ngx_tscast_ts_unit_t *unit)
{
    u_char  *p;
    size_t   len, header;

    p = pes->buf;
    len = ngx_min(pes->len, pes->whole);

    if (len < NGX_TSCAST_TS_PES_HEADER
        || p[0] != 0 || p[1] != 0 || p[2] != 1
        || (p[6] & 0xc0) != 0x80)
    {
        return NGX_DECLINED;
    }

    header = NGX_TSCAST_TS_PES_HEADER + p[8];

    if (header > len) {
        return NGX_DECLINED;
    }

    unit->data = p + header;
    unit->len = len - header;
    unit->pts = NGX_TSCAST_TS_NO_TIME;
    unit->damaged = pes->damaged
                    || (pes->whole != (size_t) -1 && pes->len < pes->whole);

    /* PTS_DTS_flags */

    if ((p[7] & 0x80) && p[8] >= NGX_TSCAST_TS_PES_TIME) {
        unit->pts = ngx_tscast_ts_pes_time(p + NGX_TSCAST_TS_PES_HEADER);
    }

    unit->dts = unit->pts;

    if ((p[7] & 0xc0) == 0xc0 && p[8] >= 2 * NGX_TSCAST_TS_PES_TIME) {
        unit->dts = ngx_tscast_ts_pes_time(p + NGX_TSCAST_TS_PES_HEADER
                                           + NGX_TSCAST_TS_PES_TIME);
    }

    return NGX_OK;
}


static uint64_t
ngx_tscast_ts_pes_time(u_char *p)
{
    return (uint64_t) (p[0] >> 1 & 7) << 30
           | (uint64_t) p[1] << 22 | (uint64_t) (p[2] >> 1) << 15
           | (uint64_t) p[3] << 7 | p[4] >> 1;
}
