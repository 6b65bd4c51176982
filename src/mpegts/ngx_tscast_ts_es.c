
/*
 * Copyright (C) the tscast authors
 */


/*
 * Random access points: whether a PES packet of the reference PID begins
 * a picture where a decoder can start.  Bytes are looked at up to the first
 * that decides it; the packet with the beginning of the PES packet is the
 * candidate meanwhile.  Everything is kept over packets, so that headers and
 * start codes may be split at any byte.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


/* PES packets without a key frame until any of them is taken for one */
#define NGX_TSCAST_TS_MISSES       100

#define NGX_TSCAST_TS_PES_PADDING  0xbe

#define NGX_TSCAST_TS_SEI_RECOVERY_POINT  6


static void ngx_tscast_ts_es_start(ngx_tscast_ts_parser_t *p, u_char cc,
    uint64_t offset);
static ngx_uint_t ngx_tscast_ts_es_found(ngx_tscast_ts_parser_t *p);
static ngx_uint_t ngx_tscast_ts_es_opaque(ngx_tscast_ts_parser_t *p);
static ngx_uint_t ngx_tscast_ts_es_unseen(ngx_tscast_ts_es_t *es);
static u_char *ngx_tscast_ts_es_header(ngx_tscast_ts_parser_t *p, u_char *pos,
    u_char *last, ngx_uint_t *flags);
static ngx_int_t ngx_tscast_ts_es_header_byte(ngx_tscast_ts_parser_t *p,
    u_char ch, ngx_uint_t *flags);
static ngx_int_t ngx_tscast_ts_es_stream_id(ngx_tscast_ts_parser_t *p,
    u_char id, ngx_uint_t *flags);
static ngx_uint_t ngx_tscast_ts_es_scan(ngx_tscast_ts_parser_t *p,
    u_char *pos, u_char *last);
static u_char *ngx_tscast_ts_es_start_code(ngx_tscast_ts_es_t *es,
    u_char *pos, u_char *last);
static ngx_int_t ngx_tscast_ts_es_head(ngx_tscast_ts_es_t *es,
    ngx_tscast_ts_codec_e codec);
static ngx_int_t ngx_tscast_ts_es_mpeg(ngx_tscast_ts_es_t *es);
static ngx_int_t ngx_tscast_ts_es_mpeg4(ngx_tscast_ts_es_t *es);
static ngx_int_t ngx_tscast_ts_es_h264(ngx_tscast_ts_es_t *es);
static ngx_int_t ngx_tscast_ts_es_h264_slice(ngx_tscast_ts_es_t *es);
static ngx_int_t ngx_tscast_ts_es_hevc(ngx_tscast_ts_es_t *es);
static u_char *ngx_tscast_ts_es_sei(ngx_tscast_ts_es_t *es, u_char *pos,
    u_char *last);
static void ngx_tscast_ts_es_sei_byte(ngx_tscast_ts_es_t *es, u_char ch);


typedef enum {
    sw_idle = 0,
    sw_header,
    sw_skip,
    sw_scan
} ngx_tscast_ts_es_state_e;


typedef enum {
    sw_none = 0,
    sw_type,
    sw_size,
    sw_payload
} ngx_tscast_ts_sei_state_e;


void
ngx_tscast_ts_es_reset(ngx_tscast_ts_es_t *es)
{
    ngx_memzero(es, sizeof(ngx_tscast_ts_es_t));
    ngx_memset(es->candidate.cc, NGX_TSCAST_TS_NO_CC,
               sizeof(es->candidate.cc));
}


ngx_uint_t
ngx_tscast_ts_es_packet(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt, uint64_t offset, ngx_uint_t lost)
{
    u_char              *pos, *last;
    ngx_uint_t           flags;
    ngx_tscast_ts_es_t  *es;

    es = &p->es;

    if (pkt->random) {
        es->random = 1;
    }

    if (lost) {
        es->state = sw_idle;
    }

    if (!pkt->has_payload) {
        return 0;
    }

    if (pkt->start) {
        ngx_tscast_ts_es_start(p, pkt->cc, offset);
    }

    if (pkt->scrambled) {
        es->scrambled = 1;
        es->state = sw_idle;

        return pkt->start ? ngx_tscast_ts_es_opaque(p) : 0;
    }

    flags = 0;
    pos = pkt->payload;
    last = pos + pkt->len;

    if (es->state == sw_header || es->state == sw_skip) {
        pos = ngx_tscast_ts_es_header(p, pos, last, &flags);
    }

    if (es->state == sw_scan) {
        flags |= ngx_tscast_ts_es_scan(p, pos, last);
    }

    return flags;
}


/* the packet's own continuity_counter is not yet in cc[] */

static void
ngx_tscast_ts_es_start(ngx_tscast_ts_parser_t *p, u_char cc, uint64_t offset)
{
    ngx_uint_t           i;
    ngx_tscast_ts_es_t  *es;

    es = &p->es;

    es->candidate.offset = offset;
    ngx_memcpy(es->candidate.cc, p->cc, sizeof(p->cc));

    i = ngx_tscast_ts_pid_index(&p->tables, p->pid);

    if (i < p->tables.npids && p->cc[i] == NGX_TSCAST_TS_NO_CC) {
        es->candidate.cc[i] = (cc - 1) & 0x0f;
    }

    es->state = sw_header;
    es->sei_state = sw_none;
    es->header = 0;
    es->nhead = 0;
    es->need = 0;
    es->zeros = 0;
    es->params = 0;

    /* a PES packet after one that was scrambled in parts is taken for one */

    es->any = es->scrambled || p->codec == NGX_TSCAST_TS_OTHER_VIDEO;
    es->taken = 0;
    es->scrambled = 0;
}


static ngx_uint_t
ngx_tscast_ts_es_found(ngx_tscast_ts_parser_t *p)
{
    p->es.state = sw_idle;

    if (p->es.taken) {
        return 0;
    }

    p->rap = p->es.candidate;
    p->es.taken = 1;

    return NGX_TSCAST_TS_RAP;
}


/* a PES packet that cannot be looked into has just begun */

static ngx_uint_t
ngx_tscast_ts_es_opaque(ngx_tscast_ts_parser_t *p)
{
    if (ngx_tscast_ts_es_unseen(&p->es)) {
        return ngx_tscast_ts_es_found(p);
    }

    p->es.state = sw_idle;

    return 0;
}


/* is it a RAP, whatever is in it? */

static ngx_uint_t
ngx_tscast_ts_es_unseen(ngx_tscast_ts_es_t *es)
{
    if (es->random) {
        es->random = 0;
        es->misses = 0;

        return 1;
    }

    if (es->misses < NGX_TSCAST_TS_MISSES) {
        es->misses++;
        return 0;
    }

    return 1;
}


/* ISO/IEC 13818-1, 2.4.3.6 */

static u_char *
ngx_tscast_ts_es_header(ngx_tscast_ts_parser_t *p, u_char *pos, u_char *last,
    ngx_uint_t *flags)
{
    size_t               n;
    ngx_tscast_ts_es_t  *es;

    es = &p->es;

    while (pos < last && es->state == sw_header) {
        if (ngx_tscast_ts_es_header_byte(p, *pos++, flags) != NGX_OK) {
            es->state = sw_idle;
            return last;
        }
    }

    if (es->state == sw_skip) {
        n = ngx_min(es->skip, (size_t) (last - pos));

        pos += n;
        es->skip -= n;

        if (es->skip == 0) {
            es->state = sw_scan;
        }
    }

    return pos;
}


static ngx_int_t
ngx_tscast_ts_es_header_byte(ngx_tscast_ts_parser_t *p, u_char ch,
    ngx_uint_t *flags)
{
    ngx_tscast_ts_es_t  *es;

    es = &p->es;

    switch (es->header++) {

    case 0:
    case 1:
        return (ch == 0) ? NGX_OK : NGX_DECLINED;

    case 2:
        return (ch == 1) ? NGX_OK : NGX_DECLINED;

    case 3:
        return ngx_tscast_ts_es_stream_id(p, ch, flags);

    case 4:
        es->skip = (size_t) ch << 8;
        return NGX_OK;

    case 5:
        es->skip |= ch;
        return NGX_OK;

    case 6:

        /* '10' */

        return ((ch & 0xc0) == 0x80) ? NGX_OK : NGX_DECLINED;

    case 7:
        return NGX_OK;

    default:

        /* PES_packet_length, 0: unbounded, then PES_header_data_length */

        if (es->skip && es->skip < (size_t) ch + 3) {
            return NGX_DECLINED;
        }

        es->skip = ch;
        es->state = sw_skip;

        return NGX_OK;
    }
}


/* NGX_OK: there is more to look at, NGX_DONE: decided, NGX_DECLINED: no */

static ngx_int_t
ngx_tscast_ts_es_stream_id(ngx_tscast_ts_parser_t *p, u_char id,
    ngx_uint_t *flags)
{
    if (id == NGX_TSCAST_TS_PES_PADDING) {
        return NGX_DECLINED;
    }

    if (p->es.any) {
        *flags |= ngx_tscast_ts_es_opaque(p);
        return NGX_DONE;
    }

    if (p->codec == NGX_TSCAST_TS_AUDIO || p->codec == NGX_TSCAST_TS_OTHER) {
        *flags |= ngx_tscast_ts_es_found(p);
        return NGX_DONE;
    }

    if (p->no_keys && ngx_tscast_ts_es_unseen(&p->es)) {
        *flags |= ngx_tscast_ts_es_found(p);

        /* a key frame would say that there are some again */

        p->es.state = sw_header;
    }

    p->es.random = 0;

    switch (id) {

    /* these have no header beyond the length */

    case 0xbc:
    case 0xbf:
    case 0xf0:
    case 0xf1:
    case 0xf2:
    case 0xf8:
    case 0xff:
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_tscast_ts_es_scan(ngx_tscast_ts_parser_t *p, u_char *pos, u_char *last)
{
    ngx_int_t            rc;
    ngx_tscast_ts_es_t  *es;

    es = &p->es;

    while (pos < last) {

        if (es->need) {
            es->head[es->nhead++] = *pos++;
            es->need--;

            if (es->need) {
                continue;
            }

            rc = ngx_tscast_ts_es_head(es, p->codec);

            if (rc == NGX_OK) {
                p->no_keys = 0;
                es->misses = 0;

                return ngx_tscast_ts_es_found(p);
            }

            if (rc == NGX_DECLINED) {
                es->state = sw_idle;
                return 0;
            }

            continue;
        }

        if (es->sei_state != sw_none) {
            pos = ngx_tscast_ts_es_sei(es, pos, last);
            continue;
        }

        pos = ngx_tscast_ts_es_start_code(es, pos, last);
    }

    return 0;
}


/* moves beyond 00 00 01, or to last */

static u_char *
ngx_tscast_ts_es_start_code(ngx_tscast_ts_es_t *es, u_char *pos, u_char *last)
{
    u_char  *p, *start;

    start = pos;

    while (pos < last) {
        p = memchr(pos, 1, last - pos);

        if (p == NULL) {
            break;
        }

        pos = p + 1;

        if (p > start && p[-1] != 0) {
            continue;
        }

        if (p - start >= 2
            ? p[-2] == 0
            : (es->zeros + (p - start) >= 2))
        {
            es->zeros = 0;
            es->nhead = 0;
            es->need = 1;

            return pos;
        }
    }

    if (last[-1] != 0) {
        es->zeros = 0;

    } else if (last - start >= 2) {
        es->zeros = (last[-2] == 0) ? 2 : 1;

    } else if (es->zeros < 2) {
        es->zeros++;
    }

    return last;
}


/*
 * What follows a start code, of which so much is in head[] as was asked for.
 * NGX_OK: a RAP, NGX_DECLINED: none, NGX_AGAIN: look further
 */

static ngx_int_t
ngx_tscast_ts_es_head(ngx_tscast_ts_es_t *es, ngx_tscast_ts_codec_e codec)
{
    switch (codec) {

    case NGX_TSCAST_TS_MPEG_VIDEO:
        return ngx_tscast_ts_es_mpeg(es);

    case NGX_TSCAST_TS_MPEG4_VIDEO:
        return ngx_tscast_ts_es_mpeg4(es);

    case NGX_TSCAST_TS_H264:
        return ngx_tscast_ts_es_h264(es);

    case NGX_TSCAST_TS_HEVC:
        return ngx_tscast_ts_es_hevc(es);

    default:
        return NGX_DECLINED;
    }
}


/* ISO/IEC 13818-2, 6.2.1: sequence_header and picture_header */

static ngx_int_t
ngx_tscast_ts_es_mpeg(ngx_tscast_ts_es_t *es)
{
    if (es->head[0] == 0xb3) {
        es->params = 1;
        return NGX_AGAIN;
    }

    if (es->head[0] != 0x00 || !es->params) {
        return NGX_AGAIN;
    }

    if (es->nhead == 1) {
        es->need = 2;
        return NGX_AGAIN;
    }

    /* picture_coding_type is after 10 bits of temporal_reference */

    return ((es->head[2] >> 3 & 7) == 1) ? NGX_OK : NGX_AGAIN;
}


/* ISO/IEC 14496-2, 6.2.1: visual object sequence, object layer, plane */

static ngx_int_t
ngx_tscast_ts_es_mpeg4(ngx_tscast_ts_es_t *es)
{
    if (es->head[0] == 0xb0 || (es->head[0] & 0xf0) == 0x20) {
        es->params = 1;
        return NGX_AGAIN;
    }

    if (es->head[0] != 0xb6 || !es->params) {
        return NGX_AGAIN;
    }

    if (es->nhead == 1) {
        es->need = 1;
        return NGX_AGAIN;
    }

    return (es->head[1] >> 6 == 0) ? NGX_OK : NGX_AGAIN;
}


/* ISO/IEC 14496-10, 7.3.1 */

static ngx_int_t
ngx_tscast_ts_es_h264(ngx_tscast_ts_es_t *es)
{
    switch (es->head[0] & 0x1f) {

    case 1:
    case 5:

        if (es->nhead == 1) {
            es->need = 1;
            return NGX_AGAIN;
        }

        return ngx_tscast_ts_es_h264_slice(es);

    case 2:

        /* data partitioning is for other than I slices alone */

        return NGX_DECLINED;

    case 6:

        if (!es->params) {
            es->sei_state = sw_type;
            es->sei_type = 0;
        }

        return NGX_AGAIN;

    case 7:
        es->params = 1;
        return NGX_AGAIN;

    default:
        return NGX_AGAIN;
    }
}


/*
 * ISO/IEC 14496-10, 7.3.3: first_mb_in_slice and slice_type, both ue(v).
 * In a slice that begins a picture they take 1 and up to 7 bits.  That is
 * one byte, before which no emulation prevention can be, since the byte
 * before it is not 0.
 */

static ngx_int_t
ngx_tscast_ts_es_h264_slice(ngx_tscast_ts_es_t *es)
{
    u_char  type;

    if (!(es->head[1] & 0x80)) {
        return NGX_DECLINED;
    }

    if ((es->head[0] & 0x1f) == 5) {
        return NGX_OK;
    }

    type = es->head[1] & 0x7f;

    /* I is 2, "011", or 7, "0001000" */

    if (es->params && (type >> 4 == 0x03 || type == 0x08)) {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* ISO/IEC 23008-2, 7.3.1.2 and 7.3.6.1 */

static ngx_int_t
ngx_tscast_ts_es_hevc(ngx_tscast_ts_es_t *es)
{
    u_char  type;

    type = es->head[0] >> 1 & 0x3f;

    if (type > 21) {
        return NGX_AGAIN;
    }

    if (es->nhead == 1) {
        es->need = 2;
        return NGX_AGAIN;
    }

    /* nuh_layer_id */

    if ((es->head[0] & 1) || es->head[1] >> 3) {
        return NGX_AGAIN;
    }

    /* IRAP and first_slice_segment_in_pic_flag */

    return (type >= 16 && (es->head[2] & 0x80)) ? NGX_OK : NGX_DECLINED;
}


/* ISO/IEC 14496-10, 7.3.2.3: up to a recovery point or the NAL unit's end */

static u_char *
ngx_tscast_ts_es_sei(ngx_tscast_ts_es_t *es, u_char *pos, u_char *last)
{
    u_char  ch;

    while (pos < last) {
        ch = *pos++;

        if (es->zeros == 2) {

            if (ch == 1) {
                es->sei_state = sw_none;
                es->zeros = 0;
                es->nhead = 0;
                es->need = 1;

                return pos;
            }

            if (ch == 3) {

                /* emulation_prevention_three_byte */

                es->zeros = 0;
                continue;
            }
        }

        if (ch == 0) {
            es->zeros += (es->zeros < 2);

        } else {
            es->zeros = 0;
        }

        ngx_tscast_ts_es_sei_byte(es, ch);

        if (es->params) {
            es->sei_state = sw_none;
            return pos;
        }
    }

    return pos;
}


static void
ngx_tscast_ts_es_sei_byte(ngx_tscast_ts_es_t *es, u_char ch)
{
    switch (es->sei_state) {

    case sw_type:
        es->sei_type += ch;

        if (ch != 0xff) {
            es->sei_state = sw_size;
            es->sei_size = 0;
        }

        return;

    case sw_size:
        es->sei_size += ch;

        if (ch == 0xff) {
            return;
        }

        if (es->sei_type == NGX_TSCAST_TS_SEI_RECOVERY_POINT
            && es->sei_size)
        {
            es->params = 1;
            return;
        }

        es->sei_state = sw_payload;
        break;

    default:
        es->sei_size--;
        break;
    }

    if (es->sei_size == 0) {
        es->sei_state = sw_type;
        es->sei_type = 0;
    }
}
