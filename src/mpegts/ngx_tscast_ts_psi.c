
/*
 * Copyright (C) the tscast authors
 */


/*
 * Sections of PAT and PMTs: ISO/IEC 13818-1, 2.4.4.  Those that lie in one
 * packet are looked at in place, others are put together in partial[].
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


#define NGX_TSCAST_TS_SECTION_HEADER  3
#define NGX_TSCAST_TS_SECTION_MIN     12


static ngx_tscast_ts_section_t *ngx_tscast_ts_psi_partial(
    ngx_tscast_ts_psi_t *psi, uint16_t pid);
static ngx_tscast_ts_section_t *ngx_tscast_ts_psi_continue(
    ngx_tscast_ts_psi_t *psi, ngx_tscast_ts_packet_t *pkt);
static ngx_uint_t ngx_tscast_ts_psi_append(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_section_t *s, u_char *data, size_t len);
static ngx_uint_t ngx_tscast_ts_psi_begin(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt, u_char *data, u_char *last);
static ngx_uint_t ngx_tscast_ts_psi_section(ngx_tscast_ts_parser_t *p,
    uint16_t pid, u_char *section, size_t len);


void
ngx_tscast_ts_psi_init(ngx_tscast_ts_psi_t *psi)
{
    ngx_uint_t  i;

    /* version_number has five bits: none is like this */

    psi->version = 0xff;

    for (i = 0; i < NGX_TSCAST_TS_PARTIAL; i++) {
        psi->partial[i].pid = NGX_TSCAST_TS_NULL_PID;
    }
}


ngx_uint_t
ngx_tscast_ts_psi_packet(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt)
{
    size_t                    len;
    u_char                   *data, *last;
    ngx_uint_t                flags;
    ngx_tscast_ts_psi_t      *psi;
    ngx_tscast_ts_section_t  *s;

    psi = &p->psi;

    if (pkt->pid != NGX_TSCAST_TS_PAT_PID
        && !(psi->pmt[pkt->pid >> 3] & (1 << (pkt->pid & 7))))
    {
        return 0;
    }

    if (pkt->scrambled || pkt->len == 0) {
        return 0;
    }

    data = pkt->payload;
    last = data + pkt->len;

    s = ngx_tscast_ts_psi_continue(psi, pkt);

    if (s && s->duplicate) {
        return 0;
    }

    if (!pkt->start) {
        return s ? ngx_tscast_ts_psi_append(p, s, data, last - data) : 0;
    }

    /* pointer_field */

    len = *data++;

    if (len > (size_t) (last - data)) {

        if (s) {
            s->pid = NGX_TSCAST_TS_NULL_PID;
        }

        return 0;
    }

    flags = 0;

    if (s) {
        flags = ngx_tscast_ts_psi_append(p, s, data, len);

        /* another section begins here: this one will never be whole */

        s->pid = NGX_TSCAST_TS_NULL_PID;
    }

    return flags | ngx_tscast_ts_psi_begin(p, pkt, data + len, last);
}


static ngx_tscast_ts_section_t *
ngx_tscast_ts_psi_partial(ngx_tscast_ts_psi_t *psi, uint16_t pid)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_TSCAST_TS_PARTIAL; i++) {
        if (psi->partial[i].pid == pid) {
            return &psi->partial[i];
        }
    }

    return NULL;
}


/* returns the section that the packet goes on with, if there is one */

static ngx_tscast_ts_section_t *
ngx_tscast_ts_psi_continue(ngx_tscast_ts_psi_t *psi,
    ngx_tscast_ts_packet_t *pkt)
{
    ngx_tscast_ts_section_t  *s;

    s = ngx_tscast_ts_psi_partial(psi, pkt->pid);

    if (s == NULL) {
        return NULL;
    }

    if (pkt->cc == ((s->cc + 1) & 0x0f)) {
        s->cc = pkt->cc;
        s->duplicate = 0;
        return s;
    }

    if (pkt->cc == s->cc && !s->duplicate && !pkt->discontinuity) {
        s->duplicate = 1;
        return s;
    }

    s->pid = NGX_TSCAST_TS_NULL_PID;

    return NULL;
}


static ngx_uint_t
ngx_tscast_ts_psi_append(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_section_t *s, u_char *data, size_t len)
{
    size_t    n, size;
    uint16_t  pid;

    size = NGX_TSCAST_TS_SECTION_HEADER;

    for ( ;; ) {
        n = ngx_min(len, size - s->len);

        ngx_memcpy(s->buf + s->len, data, n);

        s->len += n;
        data += n;
        len -= n;

        if (s->len < size) {
            return 0;
        }

        if (size > NGX_TSCAST_TS_SECTION_HEADER) {
            break;
        }

        size += ngx_tscast_ts_get_section_length(s->buf);

        if (size > NGX_TSCAST_TS_SECTION
            || size < NGX_TSCAST_TS_SECTION_MIN)
        {
            s->pid = NGX_TSCAST_TS_NULL_PID;
            return 0;
        }
    }

    pid = s->pid;
    s->pid = NGX_TSCAST_TS_NULL_PID;

    return ngx_tscast_ts_psi_section(p, pid, s->buf, size);
}


static ngx_uint_t
ngx_tscast_ts_psi_begin(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt, u_char *data, u_char *last)
{
    size_t                    size;
    ngx_uint_t                flags;
    ngx_tscast_ts_psi_t      *psi;
    ngx_tscast_ts_section_t  *s;

    flags = 0;

    /* 0xff is stuffing up to the end of the packet */

    while (data < last && *data != 0xff) {

        if (last - data < NGX_TSCAST_TS_SECTION_HEADER) {
            break;
        }

        size = NGX_TSCAST_TS_SECTION_HEADER
               + ngx_tscast_ts_get_section_length(data);

        if (size > (size_t) (last - data)) {
            break;
        }

        flags |= ngx_tscast_ts_psi_section(p, pkt->pid, data, size);

        data += size;
    }

    if (data == last || *data == 0xff) {
        return flags;
    }

    psi = &p->psi;
    s = ngx_tscast_ts_psi_partial(psi, NGX_TSCAST_TS_NULL_PID);

    if (s == NULL) {
        s = &psi->partial[psi->victim++ % NGX_TSCAST_TS_PARTIAL];
    }

    s->pid = pkt->pid;
    s->cc = pkt->cc;
    s->duplicate = 0;
    s->len = 0;

    return flags | ngx_tscast_ts_psi_append(p, s, data, last - data);
}


static ngx_uint_t
ngx_tscast_ts_psi_section(ngx_tscast_ts_parser_t *p, uint16_t pid,
    u_char *section, size_t len)
{
    u_char  id;

    if (len < NGX_TSCAST_TS_SECTION_MIN || len > NGX_TSCAST_TS_SECTION) {
        return 0;
    }

    id = ngx_tscast_ts_get_table_id(section);

    if (id != (pid == NGX_TSCAST_TS_PAT_PID ? 0x00 : 0x02)) {
        return 0;
    }

    if (!ngx_tscast_ts_get_section_syntax_indicator(section)
        || !ngx_tscast_ts_get_current_next_indicator(section)
        || ngx_tscast_ts_get_section_number(section)
           > ngx_tscast_ts_get_last_section_number(section))
    {
        return 0;
    }

    /* over a section and its own CRC the sum is zero */

    if (ngx_tscast_ts_crc32(section, len) != 0) {
        p->crc_errors++;
        return 0;
    }

    if (pid == NGX_TSCAST_TS_PAT_PID) {
        return ngx_tscast_ts_pat(p, section, len);
    }

    return ngx_tscast_ts_pmt(p, pid, section, len);
}


/* drops what was begun on PIDs that are no longer those of a PMT */

void
ngx_tscast_ts_psi_forget(ngx_tscast_ts_psi_t *psi)
{
    uint16_t    pid;
    ngx_uint_t  i;

    for (i = 0; i < NGX_TSCAST_TS_PARTIAL; i++) {
        pid = psi->partial[i].pid;

        if (pid != NGX_TSCAST_TS_PAT_PID
            && !(psi->pmt[pid >> 3] & (1 << (pid & 7))))
        {
            psi->partial[i].pid = NGX_TSCAST_TS_NULL_PID;
        }
    }
}


/* ISO/IEC 13818-1, annex A: x^32 + x^26 + ... + 1, from all ones */

uint32_t
ngx_tscast_ts_crc32(u_char *p, size_t len)
{
    u_char                *last;
    uint32_t               crc;
    static const uint32_t  table[] = {
        0x00000000, 0x04c11db7, 0x09823b6e, 0x0d4326d9,
        0x130476dc, 0x17c56b6b, 0x1a864db2, 0x1e475005,
        0x2608edb8, 0x22c9f00f, 0x2f8ad6d6, 0x2b4bcb61,
        0x350c9b64, 0x31cd86d3, 0x3c8ea00a, 0x384fbdbd
    };

    crc = 0xffffffff;

    for (last = p + len; p < last; p++) {
        crc = crc << 4 ^ table[crc >> 28 ^ *p >> 4];
        crc = crc << 4 ^ table[crc >> 28 ^ (*p & 0x0f)];
    }

    return crc;
}
