
/*
 * Copyright (C) the tscast authors
 */


/*
 * A transport stream of one H.264 video whose frames are all of one size, a
 * key frame each second.  PAT and PMT are the last packets of the frame before
 * a key frame, so that from one frame's first packet to the next's it is
 * always the same way:
 *
 *     | key frame ... | frame ... | ... | frame ... PAT PMT | key frame ... |
 *
 * That first packet carries time and serial number in an SEI message of
 * unregistered user data, at one place for all frames:
 *
 *       0  TS header
 *       4  adaptation field: PCR
 *      12  PES header: PTS
 *      26  access unit delimiter
 *      32  SEI: UUID
 *      55  SEI: stamp, four bits a byte lest it looks like a start code
 *      88  parameter sets where it is a key frame, and a slice
 */


#include "bench.h"


#define BENCH_PMT_PID    0x1000
#define BENCH_VIDEO_PID  0x0100

#define BENCH_UUID       39
#define BENCH_STAMP      55
#define BENCH_SLICE      88


static void bench_ts_psi(u_char *p, unsigned pid, u_char *cc,
    const u_char *section, size_t len);
static uint32_t bench_ts_crc(const u_char *p, size_t len);
static void bench_ts_clock(u_char *p, uint64_t serial, unsigned fps,
    unsigned key);
static void bench_ts_nibbles(u_char *p, uint64_t value);
static uint64_t bench_ts_value(const u_char *p);


static const u_char  bench_uuid[16] = "tscast t/bench 1";

static const u_char  bench_pat[] = {
    0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00,
    0x00, 0x01, 0xe0 | BENCH_PMT_PID >> 8, BENCH_PMT_PID & 0xff
};

static const u_char  bench_pmt[] = {
    0x02, 0xb0, 0x12, 0x00, 0x01, 0xc1, 0x00, 0x00,
    0xe0 | BENCH_VIDEO_PID >> 8, BENCH_VIDEO_PID & 0xff, 0xf0, 0x00,
    0x1b, 0xe0 | BENCH_VIDEO_PID >> 8, BENCH_VIDEO_PID & 0xff, 0xf0, 0x00
};

/* access unit delimiter; SEI with 48 bytes of user data */

static const u_char  bench_au[] = {
    0x00, 0x00, 0x00, 0x01, 0x09, 0xf0,
    0x00, 0x00, 0x00, 0x01, 0x06, 0x05, 0x30
};

static const u_char  bench_key[] = {
    0x00, 0x00, 0x00, 0x01,
    0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0x90, 0x0f, 0x08,
    0x84, 0x6a,
    0x00, 0x00, 0x00, 0x01, 0x68, 0xce, 0x3c, 0x80,
    0x00, 0x00, 0x00, 0x01, 0x65, 0x88
};

static const u_char  bench_slice[] = {
    0x00, 0x00, 0x00, 0x01, 0x41, 0x9a
};


/* the payload is random, but for start codes: no two zeros in a row */

void
bench_ts_init(bench_ts_t *ts, unsigned fps, double mbit)
{
    u_char    *p, *last;
    unsigned   i;
    uint32_t   seed;

    memset(ts, 0, sizeof(bench_ts_t));

    ts->fps = fps;
    ts->packets = mbit * 1e6 / 8 / fps / BENCH_PACKET + 0.5;

    if (ts->packets < 4) {
        ts->packets = 4;
    }

    ts->size = (size_t) ts->packets * BENCH_PACKET;

    ts->frame = malloc(ts->size);

    if (ts->frame == NULL) {
        bench_die("no memory");
    }

    seed = 1;
    last = ts->frame + ts->size;

    for (p = ts->frame; p < last; p++) {
        seed = seed * 1103515245 + 12345;
        *p = seed >> 16;

        if (*p == 0 && p > ts->frame && p[-1] == 0) {
            *p = 0x80;
        }
    }

    for (i = 0; i < ts->packets; i++) {
        p = ts->frame + i * BENCH_PACKET;

        p[0] = 0x47;
        p[1] = (i ? 0x00 : 0x40) | BENCH_VIDEO_PID >> 8;
        p[2] = BENCH_VIDEO_PID & 0xff;
    }

    p = ts->frame;

    p[4] = 7;

    memcpy(p + 12, "\0\0\1\xe0\0\0\x80\x80\5", 9);
    memcpy(p + 26, bench_au, sizeof(bench_au));
    memcpy(p + BENCH_UUID, bench_uuid, sizeof(bench_uuid));
    p[BENCH_SLICE - 1] = 0x80;
}


void
bench_ts_tables(bench_ts_t *ts, u_char *p)
{
    bench_ts_psi(p, 0, &ts->cc[1], bench_pat, sizeof(bench_pat));
    bench_ts_psi(p + BENCH_PACKET, BENCH_PMT_PID, &ts->cc[2], bench_pmt,
                 sizeof(bench_pmt));
}


static void
bench_ts_psi(u_char *p, unsigned pid, u_char *cc, const u_char *section,
    size_t len)
{
    uint32_t  crc;

    p[0] = 0x47;
    p[1] = 0x40 | pid >> 8;
    p[2] = pid & 0xff;
    p[3] = 0x10 | (*cc)++ % 16;
    p[4] = 0;

    memset(p + 5, 0xff, BENCH_PACKET - 5);
    memcpy(p + 5, section, len);

    crc = htonl(bench_ts_crc(section, len));
    memcpy(p + 5 + len, &crc, 4);
}


/* ISO/IEC 13818-1, annex A */

static uint32_t
bench_ts_crc(const u_char *p, size_t len)
{
    unsigned  i;
    uint32_t  crc;

    crc = 0xffffffff;

    while (len--) {
        crc ^= (uint32_t) *p++ << 24;

        for (i = 0; i < 8; i++) {
            crc = (crc << 1) ^ (crc & 0x80000000 ? 0x04c11db7 : 0);
        }
    }

    return crc;
}


/* writes the next frame into ts->frame */

void
bench_ts_next(bench_ts_t *ts, uint64_t now)
{
    u_char    *p;
    unsigned   i, n, key, tables;

    key = ts->serial % ts->fps == 0;
    tables = ts->serial % ts->fps == ts->fps - 1;

    n = ts->packets;
    p = ts->frame;

    if (tables) {
        n -= 2;
        bench_ts_tables(ts, p + n * BENCH_PACKET);

    } else if (key) {

        /* where the tables were */

        for (i = n - 2; i < n; i++) {
            p[i * BENCH_PACKET + 1] = BENCH_VIDEO_PID >> 8;
            p[i * BENCH_PACKET + 2] = BENCH_VIDEO_PID & 0xff;
        }
    }

    for (i = 0; i < n; i++) {
        p[i * BENCH_PACKET + 3] = (i ? 0x10 : 0x30) | ts->cc[0]++ % 16;
    }

    bench_ts_clock(p, ts->serial, ts->fps, key);

    bench_ts_nibbles(p + BENCH_STAMP, now);
    bench_ts_nibbles(p + BENCH_STAMP + 16,
                     ts->serial << 16 | (ts->packets & 0xffff));

    if (key) {
        memcpy(p + BENCH_SLICE, bench_key, sizeof(bench_key));

    } else {
        memset(p + BENCH_SLICE, 0x5a, sizeof(bench_key));
        memcpy(p + BENCH_SLICE, bench_slice, sizeof(bench_slice));
    }

    ts->serial++;
}


static void
bench_ts_clock(u_char *p, uint64_t serial, unsigned fps, unsigned key)
{
    uint64_t  pcr, pts;

    pcr = (serial * 90000 / fps) & 0x1ffffffffULL;
    pts = (pcr + 9000) & 0x1ffffffffULL;

    p[5] = 0x10 | (key ? 0x40 : 0);

    p[6] = pcr >> 25;
    p[7] = pcr >> 17;
    p[8] = pcr >> 9;
    p[9] = pcr >> 1;
    p[10] = (pcr << 7 & 0x80) | 0x7e;
    p[11] = 0;

    p[21] = 0x21 | (pts >> 29 & 0x0e);
    p[22] = pts >> 22;
    p[23] = pts >> 14 | 1;
    p[24] = pts >> 7;
    p[25] = pts << 1 | 1;
}


static void
bench_ts_nibbles(u_char *p, uint64_t value)
{
    unsigned  i;

    for (i = 0; i < 16; i++) {
        p[i] = 0x40 | (value >> (60 - i * 4) & 0x0f);
    }
}


static uint64_t
bench_ts_value(const u_char *p)
{
    unsigned  i;
    uint64_t  value;

    value = 0;

    for (i = 0; i < 16; i++) {
        value = value << 4 | (p[i] & 0x0f);
    }

    return value;
}


/* whether the packet is a frame's first, and what its stamp says */

int
bench_ts_stamp(const u_char *p, bench_stamp_t *stamp)
{
    uint64_t  value;

    if (!(p[1] & 0x40)
        || memcmp(p + BENCH_UUID, bench_uuid, sizeof(bench_uuid)) != 0)
    {
        return 0;
    }

    value = bench_ts_value(p + BENCH_STAMP + 16);

    stamp->time = bench_ts_value(p + BENCH_STAMP);
    stamp->serial = value >> 16;
    stamp->packets = value & 0xffff;
    stamp->key = p[5] & 0x40;

    return 1;
}


/* 1 for PAT, 2 for PMT */

int
bench_ts_is_table(const u_char *p)
{
    switch ((p[1] & 0x1f) << 8 | p[2]) {

    case 0:
        return 1;

    case BENCH_PMT_PID:
        return 2;

    default:
        return 0;
    }
}
