
/*
 * Copyright (C) the tscast authors
 */


#ifndef _TS_BUILD_H_INCLUDED_
#define _TS_BUILD_H_INCLUDED_


/* transport streams made by hand, for the tests of src/mpegts */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


#define TS_BUILD_MAX  (2000 * 188)


typedef struct {
    size_t   len;
    u_char   cc[8192];          /* of the next packet */
    u_char   data[TS_BUILD_MAX];
} ts_build_t;


typedef struct {
    uint16_t   number;
    uint16_t   pid;
} ts_program_t;


typedef struct {
    u_char     type;
    uint16_t   pid;
    char      *info;
    size_t     len;
} ts_stream_t;


static ngx_inline void
ts_build_init(ts_build_t *b)
{
    ngx_memzero(b, sizeof(ts_build_t));
}


/* CRC of ISO/IEC 13818-1, annex A, bit by bit */

static ngx_inline uint32_t
ts_build_crc(u_char *p, size_t n)
{
    uint32_t    crc;
    ngx_uint_t  i;

    for (crc = 0xffffffff; n; n--) {
        crc ^= (uint32_t) *p++ << 24;

        for (i = 0; i < 8; i++) {
            crc = (crc & 0x80000000) ? crc << 1 ^ 0x04c11db7 : crc << 1;
        }
    }

    return crc;
}


/* over a section of n bytes, into its last four */

static ngx_inline void
ts_build_crc_set(u_char *s, size_t n)
{
    uint32_t  crc;

    crc = htonl(ts_build_crc(s, n - 4));
    ngx_memcpy(s + n - 4, &crc, 4);
}


/*
 * A packet of n bytes of payload, n <= 184, with as much adaptation field as
 * that leaves.  flags are the field's own; returns the packet.
 */

static ngx_inline u_char *
ts_build_packet(ts_build_t *b, uint16_t pid, ngx_uint_t start, u_char flags,
    void *data, size_t n)
{
    u_char  *p;

    assert_true(b->len + 188 <= TS_BUILD_MAX && n <= 184);
    assert_true(flags == 0 || n <= 182);

    p = b->data + b->len;
    b->len += 188;

    p[0] = 0x47;
    p[1] = (start ? 0x40 : 0) | pid >> 8;
    p[2] = (u_char) pid;
    p[3] = b->cc[pid];

    ngx_memset(p + 4, 0xff, 184);

    if (n) {
        p[3] |= 0x10;
        b->cc[pid] = (b->cc[pid] + 1) & 0x0f;

    } else {
        p[3] = 0x20 | ((b->cc[pid] - 1) & 0x0f);
    }

    if (n < 184) {
        p[3] |= 0x20;
        p[4] = (u_char) (183 - n);

        if (n < 183) {
            p[5] = flags;
        }
    }

    ngx_memcpy(p + 188 - n, data, n);

    return p;
}


/* a unit over packets of at most max bytes of payload */

static ngx_inline void
ts_build_unit(ts_build_t *b, uint16_t pid, void *data, size_t len,
    size_t max)
{
    size_t       n;
    u_char      *p;
    ngx_uint_t   start;

    start = 1;

    for (p = data; len; p += n, len -= n) {
        n = ngx_min(len, max);
        ts_build_packet(b, pid, start, 0, p, n);
        start = 0;
    }
}


static ngx_inline size_t
ts_build_section(u_char *s, u_char id, uint16_t ext, u_char version,
    u_char number, u_char last, void *body, size_t n)
{
    s[0] = id;
    s[1] = 0xb0 | (u_char) ((n + 9) >> 8);
    s[2] = (u_char) (n + 9);
    s[3] = (u_char) (ext >> 8);
    s[4] = (u_char) ext;
    s[5] = 0xc1 | version << 1;
    s[6] = number;
    s[7] = last;

    ngx_memcpy(s + 8, body, n);

    ts_build_crc_set(s, n + 12);

    return n + 12;
}


static ngx_inline size_t
ts_build_pat_section(u_char *s, u_char version, u_char number, u_char last,
    ts_program_t *programs, ngx_uint_t n)
{
    u_char       body[1024], *p;
    ngx_uint_t   i;

    p = body;

    for (i = 0; i < n; i++) {
        *p++ = (u_char) (programs[i].number >> 8);
        *p++ = (u_char) programs[i].number;
        *p++ = 0xe0 | programs[i].pid >> 8;
        *p++ = (u_char) programs[i].pid;
    }

    return ts_build_section(s, 0, 1, version, number, last, body, p - body);
}


static ngx_inline size_t
ts_build_pmt_section(u_char *s, uint16_t number, u_char version,
    uint16_t pcr_pid, ts_stream_t *streams, ngx_uint_t n)
{
    u_char       body[1024], *p;
    ngx_uint_t   i;

    p = body;

    *p++ = 0xe0 | pcr_pid >> 8;
    *p++ = (u_char) pcr_pid;
    *p++ = 0xf0;
    *p++ = 0;

    for (i = 0; i < n; i++) {
        *p++ = streams[i].type;
        *p++ = 0xe0 | streams[i].pid >> 8;
        *p++ = (u_char) streams[i].pid;
        *p++ = 0xf0 | (u_char) (streams[i].len >> 8);
        *p++ = (u_char) streams[i].len;

        if (streams[i].len) {
            p = ngx_cpymem(p, streams[i].info, streams[i].len);
        }
    }

    return ts_build_section(s, 2, number, version, 0, 0, body, p - body);
}


/* a section at the start of a packet, after pointer_field 0 */

static ngx_inline void
ts_build_psi(ts_build_t *b, uint16_t pid, u_char *section, size_t len,
    size_t max)
{
    u_char  unit[4200];

    unit[0] = 0;
    ngx_memcpy(unit + 1, section, len);

    ts_build_unit(b, pid, unit, len + 1, max);
}


static ngx_inline void
ts_build_pat(ts_build_t *b, u_char version, ts_program_t *programs,
    ngx_uint_t n)
{
    u_char  s[1024];
    size_t  len;

    len = ts_build_pat_section(s, version, 0, 0, programs, n);
    ts_build_psi(b, 0, s, len, 184);
}


static ngx_inline void
ts_build_pmt(ts_build_t *b, uint16_t pid, uint16_t number, u_char version,
    uint16_t pcr_pid, ts_stream_t *streams, ngx_uint_t n)
{
    u_char  s[1024];
    size_t  len;

    len = ts_build_pmt_section(s, number, version, pcr_pid, streams, n);
    ts_build_psi(b, pid, s, len, 184);
}


/* one program of one stream on PID 0x100, its PMT on 0x1000 */

static ngx_inline void
ts_build_tables(ts_build_t *b, u_char type)
{
    ts_stream_t   stream = { type, 0x100, NULL, 0 };
    ts_program_t  program = { 1, 0x1000 };

    ts_build_pat(b, 0, &program, 1);
    ts_build_pmt(b, 0x1000, 1, 0, 0x100, &stream, 1);
}


/* a PES header with PTS, then the data */

static ngx_inline size_t
ts_build_pes(u_char *p, u_char id, void *data, size_t len)
{
    static u_char  header[] = {
        0x00, 0x00, 0x01, 0xe0, 0x00, 0x00, 0x80, 0x80, 0x05,
        0x21, 0x00, 0x01, 0x00, 0x01
    };

    ngx_memcpy(p, header, sizeof(header));
    p[3] = id;
    ngx_memcpy(p + sizeof(header), data, len);

    return sizeof(header) + len;
}


/* packets from *pos on, which moves to the end; returns all flags or'ed */

static ngx_inline ngx_uint_t
ts_build_parse(ts_build_t *b, ngx_tscast_ts_parser_t *p, size_t *pos)
{
    ngx_uint_t  flags;

    flags = 0;

    for ( /* void */ ; *pos < b->len; *pos += 188) {
        flags |= ngx_tscast_ts_parse(p, b->data + *pos, *pos);
    }

    return flags;
}


#endif /* _TS_BUILD_H_INCLUDED_ */
