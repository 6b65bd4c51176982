
/*
 * Copyright (C) the tscast authors
 */


/*
 * The clock of the stream is the latest DTS.  PCRs follow it at a distance
 * that lets tracks lie apart from each other, so that a unit's bytes come
 * before its time:
 *
 *        video   | 0 |            | 40 |            | 80 |
 *        audio        | 0 | 21 |        | 43 | 64 |       | 85 |
 *        clock     0     0   21     40     43   64     80    85
 *        PCR     -200              -160              -120
 *
 * They go with the units of one track, and into packets of their own where
 * those are too far apart, as tables do.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_mux.h>


/* the most between two PCRs, 90 kHz */
#define NGX_TSCAST_MUX_PCR       (40 * 90)

/* behind another track's units, a PCR that is due soon is written early */
#define NGX_TSCAST_MUX_PCR_SOON  (30 * 90)

/* tables at the next chance after so much, hence each 100 ms at least */
#define NGX_TSCAST_MUX_TABLES    (100 * 90 - NGX_TSCAST_MUX_PCR)

/* how far PCRs are behind the clock, unless tracks lie further apart */
#define NGX_TSCAST_MUX_DELAY     (200 * 90)

#define NGX_TSCAST_MUX_HEADER    4
#define NGX_TSCAST_MUX_PAYLOAD   (NGX_TSCAST_TS_PACKET - NGX_TSCAST_MUX_HEADER)

/* an adaptation field: its length and flags, the PCR behind them */
#define NGX_TSCAST_MUX_AF        2
#define NGX_TSCAST_MUX_AF_PCR    6

/* ISO/IEC 13818-1, 2.4.3.4 */
#define NGX_TSCAST_MUX_DISCONTINUITY  0x80
#define NGX_TSCAST_MUX_RANDOM         0x40
#define NGX_TSCAST_MUX_PCR_FLAG       0x10

/* a PES header without times, and one of them */
#define NGX_TSCAST_MUX_PES       9
#define NGX_TSCAST_MUX_TIME      5


static void ngx_tscast_mux_advance(ngx_tscast_mux_t *m, uint64_t dts);
static void ngx_tscast_mux_fall_back(ngx_tscast_mux_t *m, uint64_t dts);
static ngx_uint_t ngx_tscast_mux_pcr_track(ngx_tscast_mux_t *m);
static void ngx_tscast_mux_pcr(ngx_tscast_mux_t *m, uint64_t clock);
static void ngx_tscast_mux_tables(ngx_tscast_mux_t *m);
static void ngx_tscast_mux_section(ngx_tscast_mux_t *m, uint16_t pid,
    u_char *cc, u_char *section, size_t len);
static void ngx_tscast_mux_payload(ngx_tscast_mux_t *m, ngx_uint_t start);
static u_char *ngx_tscast_mux_packet(ngx_tscast_mux_t *m, uint16_t pid,
    ngx_uint_t start, u_char control);
static size_t ngx_tscast_mux_pes_header(u_char *p,
    ngx_tscast_mux_unit_t *unit);
static u_char *ngx_tscast_mux_write_pcr(ngx_tscast_mux_t *m, u_char *p,
    uint64_t clock);
static u_char *ngx_tscast_mux_write_time(u_char *p, ngx_uint_t prefix,
    uint64_t time);
static void ngx_tscast_mux_flush(ngx_tscast_mux_t *m);


static const uint16_t  ngx_tscast_mux_pids[] = {
    NGX_TSCAST_MUX_VIDEO_PID,
    NGX_TSCAST_MUX_AUDIO_PID
};


/* stream_id: ISO/IEC 13818-1, table 2-22 */

static const u_char  ngx_tscast_mux_stream_ids[] = { 0xe0, 0xc0 };


void
ngx_tscast_mux_init(ngx_tscast_mux_t *m)
{
    void                     *data;
    ngx_tscast_mux_write_pt   write;

    write = m->write;
    data = m->data;

    ngx_memzero(m, offsetof(ngx_tscast_mux_t, packets));

    m->write = write;
    m->data = data;
    m->delay = NGX_TSCAST_MUX_DELAY;
}


void
ngx_tscast_mux_track(ngx_tscast_mux_t *m, ngx_uint_t track, ngx_uint_t type)
{
    if (m->tracks[track].type == type) {
        return;
    }

    m->tracks[track].type = (u_char) type;

    if (m->announced) {
        m->announced = 0;
        m->version = (m->version + 1) & 0x1f;
    }
}


void
ngx_tscast_mux_begin(ngx_tscast_mux_t *m, ngx_tscast_mux_unit_t *unit)
{
    size_t      n;
    u_char      header[NGX_TSCAST_MUX_PES + 2 * NGX_TSCAST_MUX_TIME];
    ngx_uint_t  key;

    m->rc = NGX_OK;

    if (!m->started) {
        m->clock = unit->dts;
        m->pcr_at = unit->dts - NGX_TSCAST_MUX_PCR;
        m->started = 1;
    }

    key = (unit->random && unit->track == NGX_TSCAST_MUX_VIDEO);

    if (!m->announced) {
        ngx_tscast_mux_tables(m);
        key = 0;
    }

    ngx_tscast_mux_advance(m, unit->dts);

    if (key || m->clock - m->tables_at > NGX_TSCAST_MUX_TABLES) {
        ngx_tscast_mux_tables(m);
    }

    if (unit->dts + m->delay <= m->pcr_at + NGX_TSCAST_MUX_PCR) {
        ngx_tscast_mux_fall_back(m, unit->dts);

    } else if (unit->track != ngx_tscast_mux_pcr_track(m)
               && m->clock - m->pcr_at >= NGX_TSCAST_MUX_PCR_SOON)
    {
        ngx_tscast_mux_pcr(m, m->clock);
    }

    n = ngx_tscast_mux_pes_header(header, unit);

    m->unit = unit;
    m->left = n + unit->len;

    ngx_tscast_mux_payload(m, 1);
    ngx_tscast_mux_put(m, header, n);
}


void
ngx_tscast_mux_put(ngx_tscast_mux_t *m, u_char *p, size_t n)
{
    size_t  size;

    while (n) {

        if (m->pos == m->last) {
            ngx_tscast_mux_payload(m, 0);
        }

        size = ngx_min(n, (size_t) (m->last - m->pos));

        m->pos = ngx_cpymem(m->pos, p, size);
        m->left -= size;

        p += size;
        n -= size;
    }
}


ngx_int_t
ngx_tscast_mux_end(ngx_tscast_mux_t *m)
{
    ngx_tscast_mux_flush(m);

    m->unit = NULL;

    return m->rc;
}


/* moves the clock, with PCRs and tables on the way */

static void
ngx_tscast_mux_advance(ngx_tscast_mux_t *m, uint64_t dts)
{
    uint64_t  i, n, from, gap;

    if (dts < m->clock) {
        return;
    }

    from = m->pcr_at;
    gap = dts - from;

    n = (gap + NGX_TSCAST_MUX_PCR - 1) / NGX_TSCAST_MUX_PCR;

    for (i = 1; i < n; i++) {
        m->clock = from + gap * i / n;

        if (m->clock - m->tables_at > NGX_TSCAST_MUX_TABLES) {
            ngx_tscast_mux_tables(m);
        }

        ngx_tscast_mux_pcr(m, m->clock);
    }

    m->clock = dts;
}


/*
 * A track lies so far behind the other that its units would come after their
 * time: a new time base has its PCRs further behind.
 */

static void
ngx_tscast_mux_fall_back(ngx_tscast_mux_t *m, uint64_t dts)
{
    m->delay = m->clock - dts + NGX_TSCAST_MUX_DELAY;
    m->broken = 1;

    ngx_tscast_mux_pcr(m, m->clock);
}


static ngx_uint_t
ngx_tscast_mux_pcr_track(ngx_tscast_mux_t *m)
{
    return m->tracks[NGX_TSCAST_MUX_VIDEO].type ? NGX_TSCAST_MUX_VIDEO
                                                : NGX_TSCAST_MUX_AUDIO;
}


/* a packet that has no payload does not count: ISO/IEC 13818-1, 2.4.3.3 */

static void
ngx_tscast_mux_pcr(ngx_tscast_mux_t *m, uint64_t clock)
{
    u_char      *p, *last;
    ngx_uint_t   track;

    track = ngx_tscast_mux_pcr_track(m);

    p = ngx_tscast_mux_packet(m, ngx_tscast_mux_pids[track], 0,
                              0x20 | ((m->tracks[track].cc - 1) & 0x0f));
    last = p + NGX_TSCAST_MUX_PAYLOAD;

    *p++ = NGX_TSCAST_MUX_PAYLOAD - 1;
    *p++ = NGX_TSCAST_MUX_PCR_FLAG
           | (m->broken ? NGX_TSCAST_MUX_DISCONTINUITY : 0);

    p = ngx_tscast_mux_write_pcr(m, p, clock);

    ngx_memset(p, 0xff, last - p);
}


/* PAT and PMT: ISO/IEC 13818-1, 2.4.4.3 and 2.4.4.8 */

static void
ngx_tscast_mux_tables(ngx_tscast_mux_t *m)
{
    u_char      *p, section[32];
    uint16_t     pid;
    ngx_uint_t   i;

    static const u_char  pat[] = {
        0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00,
        0x00, 0x01, 0xe0 | NGX_TSCAST_MUX_PMT_PID >> 8,
        NGX_TSCAST_MUX_PMT_PID & 0xff
    };

    p = ngx_cpymem(section, pat, sizeof(pat));

    ngx_tscast_mux_section(m, NGX_TSCAST_TS_PAT_PID, &m->pat_cc, section,
                           p - section);

    pid = ngx_tscast_mux_pids[ngx_tscast_mux_pcr_track(m)];

    p = section;

    *p++ = 0x02;
    *p++ = 0xb0;
    *p++ = 0;                             /* section_length, below */
    *p++ = 0x00;
    *p++ = 0x01;
    *p++ = 0xc1 | m->version << 1;
    *p++ = 0x00;
    *p++ = 0x00;
    *p++ = 0xe0 | pid >> 8;
    *p++ = (u_char) pid;
    *p++ = 0xf0;
    *p++ = 0x00;

    for (i = 0; i < NGX_TSCAST_MUX_TRACKS; i++) {

        if (m->tracks[i].type == NGX_TSCAST_MUX_NONE) {
            continue;
        }

        *p++ = m->tracks[i].type;
        *p++ = 0xe0 | ngx_tscast_mux_pids[i] >> 8;
        *p++ = (u_char) ngx_tscast_mux_pids[i];
        *p++ = 0xf0;
        *p++ = 0x00;
    }

    section[2] = (u_char) (p + 4 - section - 3);

    ngx_tscast_mux_section(m, NGX_TSCAST_MUX_PMT_PID, &m->pmt_cc, section,
                           p - section);

    m->tables_at = m->clock;
    m->announced = 1;
}


/* a section of one packet, without its CRC */

static void
ngx_tscast_mux_section(ngx_tscast_mux_t *m, uint16_t pid, u_char *cc,
    u_char *section, size_t len)
{
    u_char    *p, *last;
    uint32_t   crc;

    p = ngx_tscast_mux_packet(m, pid, 1, 0x10 | *cc);
    last = p + NGX_TSCAST_MUX_PAYLOAD;

    *cc = (*cc + 1) & 0x0f;

    *p++ = 0;                             /* pointer_field */
    p = ngx_cpymem(p, section, len);

    crc = ngx_tscast_ts_crc32(section, len);

    *p++ = (u_char) (crc >> 24);
    *p++ = (u_char) (crc >> 16);
    *p++ = (u_char) (crc >> 8);
    *p++ = (u_char) crc;

    ngx_memset(p, 0xff, last - p);
}


/*
 * A packet for what is left of the unit: the last one is stuffed in front,
 * ISO/IEC 13818-1, 2.4.3.5.
 */

static void
ngx_tscast_mux_payload(ngx_tscast_mux_t *m, ngx_uint_t start)
{
    u_char                  *p, flags;
    size_t                   af, room;
    ngx_uint_t               track;
    ngx_tscast_mux_track_t  *t;

    track = m->unit->track;
    t = &m->tracks[track];

    af = 0;
    flags = 0;

    if (start && m->unit->random) {
        af = NGX_TSCAST_MUX_AF;
        flags = NGX_TSCAST_MUX_RANDOM;
    }

    if (start && track == ngx_tscast_mux_pcr_track(m)
        && m->clock > m->pcr_at)
    {
        af = NGX_TSCAST_MUX_AF + NGX_TSCAST_MUX_AF_PCR;
        flags |= NGX_TSCAST_MUX_PCR_FLAG;
    }

    room = NGX_TSCAST_MUX_PAYLOAD - af;

    if (m->left < room) {
        af += room - m->left;
    }

    p = ngx_tscast_mux_packet(m, ngx_tscast_mux_pids[track], start,
                              (af ? 0x30 : 0x10) | t->cc);
    t->cc = (t->cc + 1) & 0x0f;

    m->pos = p + af;
    m->last = p + NGX_TSCAST_MUX_PAYLOAD;

    if (af) {
        *p++ = (u_char) (af - 1);
    }

    if (af > 1) {
        *p++ = flags;

        if (flags & NGX_TSCAST_MUX_PCR_FLAG) {
            p = ngx_tscast_mux_write_pcr(m, p, m->clock);
        }

        ngx_memset(p, 0xff, m->pos - p);
    }
}


/* ISO/IEC 13818-1, 2.4.3.2; returns where the header ends */

static u_char *
ngx_tscast_mux_packet(ngx_tscast_mux_t *m, uint16_t pid, ngx_uint_t start,
    u_char control)
{
    u_char  *p;

    if (m->npackets == NGX_TSCAST_MUX_PACKETS) {
        ngx_tscast_mux_flush(m);
    }

    p = m->packets[m->npackets++];

    *p++ = NGX_TSCAST_TS_SYNC_BYTE;
    *p++ = (start ? 0x40 : 0) | pid >> 8;
    *p++ = (u_char) pid;
    *p++ = control;

    return p;
}


/*
 * ISO/IEC 13818-1, 2.4.3.6, with data_alignment_indicator.  Only video may
 * have no length, which is when it is too long for that.
 */

static size_t
ngx_tscast_mux_pes_header(u_char *p, ngx_tscast_mux_unit_t *unit)
{
    u_char      *start;
    size_t       times, len;
    ngx_uint_t   both;

    start = p;

    both = (unit->pts != unit->dts);
    times = both ? 2 * NGX_TSCAST_MUX_TIME : NGX_TSCAST_MUX_TIME;
    len = 3 + times + unit->len;

    if (len > 0xffff) {
        len = 0;
    }

    *p++ = 0x00;
    *p++ = 0x00;
    *p++ = 0x01;
    *p++ = ngx_tscast_mux_stream_ids[unit->track];
    *p++ = (u_char) (len >> 8);
    *p++ = (u_char) len;
    *p++ = 0x84;
    *p++ = both ? 0xc0 : 0x80;
    *p++ = (u_char) times;

    p = ngx_tscast_mux_write_time(p, both ? 3 : 2, unit->pts);

    if (both) {
        p = ngx_tscast_mux_write_time(p, 1, unit->dts);
    }

    return p - start;
}


static u_char *
ngx_tscast_mux_write_pcr(ngx_tscast_mux_t *m, u_char *p, uint64_t clock)
{
    uint64_t  base;

    base = clock - m->delay;

    m->pcr_at = clock;
    m->broken = 0;

    *p++ = (u_char) (base >> 25);
    *p++ = (u_char) (base >> 17);
    *p++ = (u_char) (base >> 9);
    *p++ = (u_char) (base >> 1);
    *p++ = (u_char) (base << 7) | 0x7e;
    *p++ = 0;

    return p;
}


static u_char *
ngx_tscast_mux_write_time(u_char *p, ngx_uint_t prefix, uint64_t time)
{
    *p++ = (u_char) (prefix << 4 | ((time >> 29) & 0x0e) | 0x01);
    *p++ = (u_char) (time >> 22);
    *p++ = (u_char) (((time >> 14) & 0xfe) | 0x01);
    *p++ = (u_char) (time >> 7);
    *p++ = (u_char) (((time << 1) & 0xfe) | 0x01);

    return p;
}


static void
ngx_tscast_mux_flush(ngx_tscast_mux_t *m)
{
    if (m->npackets && m->rc == NGX_OK) {
        m->rc = m->write(m->data, m->packets[0],
                         m->npackets * NGX_TSCAST_TS_PACKET);
    }

    m->npackets = 0;
}
