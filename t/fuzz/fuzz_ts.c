
/*
 * Copyright (C) the tscast authors
 */


/*
 * Bytes of any split through sync, parser and start.  The first bytes say
 * how the rest is cut; it must come out as it does when it is not cut.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts_health.h>


#define FUZZ_TS_HEADER  4

#define fuzz_ts_check(x)                                                      \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


typedef struct {
    ngx_tscast_ts_sync_t    sync;
    ngx_tscast_ts_parser_t  parser;
    ngx_tscast_ts_health_t  health;
    uint64_t                base;
    uint64_t                offset;
    uint64_t                hash;
} fuzz_ts_run_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void fuzz_ts_feed(fuzz_ts_run_t *r, u_char *data, size_t size,
    uint32_t seed);
static void fuzz_ts_packets(fuzz_ts_run_t *r, u_char *run, ngx_uint_t n);
static void fuzz_ts_tables(ngx_tscast_ts_parser_t *p);
static void fuzz_ts_health(ngx_tscast_ts_health_t *h);
static void fuzz_ts_start(ngx_tscast_ts_parser_t *p);
static void fuzz_ts_hash(fuzz_ts_run_t *r, void *data, size_t len);
static void fuzz_ts_fix(u_char *p, u_char *last);


static fuzz_ts_run_t  fuzz_ts_whole;
static fuzz_ts_run_t  fuzz_ts_cut;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char    *copy;
    uint32_t   seed;

    if (size < FUZZ_TS_HEADER) {
        return 0;
    }

    seed = data[0] | data[1] << 8 | (uint32_t) data[2] << 16;

    fuzz_ts_whole.base = (data[3] & 1) ? ((uint64_t) 1 << 63) - 1000 : 0;
    fuzz_ts_cut.base = fuzz_ts_whole.base;

    data += FUZZ_TS_HEADER;
    size -= FUZZ_TS_HEADER;

    /* a block of its own, so that its end is guarded */

    copy = malloc(size ? size : 1);

    if (copy == NULL) {
        return 0;
    }

    ngx_memcpy(copy, data, size);

    fuzz_ts_feed(&fuzz_ts_whole, copy, size, 0);
    fuzz_ts_feed(&fuzz_ts_cut, copy, size, seed | 1);

    fuzz_ts_check(ngx_memcmp(copy, data, size) == 0);

    fuzz_ts_check(fuzz_ts_whole.offset == fuzz_ts_cut.offset);
    fuzz_ts_check(fuzz_ts_whole.hash == fuzz_ts_cut.hash);
    fuzz_ts_check(fuzz_ts_whole.sync.dropped == fuzz_ts_cut.sync.dropped);
    fuzz_ts_check(fuzz_ts_whole.sync.resyncs == fuzz_ts_cut.sync.resyncs);
    fuzz_ts_check(fuzz_ts_whole.sync.dropped
                  + fuzz_ts_whole.offset - fuzz_ts_whole.base == size);
    fuzz_ts_check(fuzz_ts_whole.parser.cc_errors
                  == fuzz_ts_cut.parser.cc_errors);

    fuzz_ts_health(&fuzz_ts_whole.health);
    fuzz_ts_check(ngx_memcmp(&fuzz_ts_whole.health.errors,
                             &fuzz_ts_cut.health.errors,
                             sizeof(ngx_tscast_ts_errors_t))
                  == 0);
    fuzz_ts_check(ngx_memcmp(fuzz_ts_whole.health.pids,
                             fuzz_ts_cut.health.pids,
                             sizeof(fuzz_ts_whole.health.pids))
                  == 0);

    (void) ngx_tscast_ts_packet_size(copy, size);

    fuzz_ts_start(&fuzz_ts_whole.parser);

    free(copy);

    return 0;
}


static void
fuzz_ts_feed(fuzz_ts_run_t *r, u_char *data, size_t size, uint32_t seed)
{
    size_t       n, max;
    u_char      *pos, *last, *end, *run;
    ngx_uint_t   packets;

    ngx_tscast_ts_sync_init(&r->sync);
    ngx_tscast_ts_parser_init(&r->parser);
    ngx_tscast_ts_health_init(&r->health);

    r->offset = r->base;
    r->hash = 14695981039346656037ULL;

    pos = data;
    end = data + size;
    max = (seed & 2) ? 8 : (seed & 4) ? 200 : 1500;

    while (pos < end) {
        n = end - pos;

        if (seed) {
            seed = seed * 1664525 + 1013904223;
            n = ngx_min(n, 1 + (seed >> 8) % max);
        }

        last = pos + n;

        for ( ;; ) {
            packets = ngx_tscast_ts_sync(&r->sync, &pos, last, &run);

            if (packets == 0) {
                break;
            }

            ngx_tscast_ts_health_sync(&r->health, &r->sync);

            fuzz_ts_packets(r, run, packets);
        }

        fuzz_ts_check(pos == last);
    }

    packets = ngx_tscast_ts_sync_flush(&r->sync, &run);

    fuzz_ts_check(packets < NGX_TSCAST_TS_LOCK);

    fuzz_ts_packets(r, run, packets);
}


static void
fuzz_ts_packets(fuzz_ts_run_t *r, u_char *run, ngx_uint_t n)
{
    ngx_uint_t               flags;
    ngx_tscast_ts_parser_t  *p;

    p = &r->parser;

    for ( /* void */ ; n; n--) {
        fuzz_ts_check(run[0] == NGX_TSCAST_TS_SYNC_BYTE);

        flags = ngx_tscast_ts_parse(p, run, r->offset);

        if (flags & NGX_TSCAST_TS_TABLES) {
            ngx_tscast_ts_health_tables(&r->health, p);
        }

        ngx_tscast_ts_health_packet(&r->health, run);

        fuzz_ts_hash(r, run, 8);

        if (flags) {
            fuzz_ts_hash(r, &flags, sizeof(flags));
        }

        if (flags & NGX_TSCAST_TS_TABLES) {
            fuzz_ts_tables(p);
            fuzz_ts_hash(r, &p->tables, sizeof(ngx_tscast_ts_tables_t));
        }

        if (flags & NGX_TSCAST_TS_RAP) {
            fuzz_ts_check(p->tables.ntables > 0);
            fuzz_ts_check(p->rap.offset >= r->base
                          && p->rap.offset <= r->offset);
            fuzz_ts_hash(r, p->rap.cc, sizeof(p->rap.cc));
        }

        if (flags & NGX_TSCAST_TS_TIME) {
            fuzz_ts_hash(r, &p->pcr, sizeof(p->pcr));
        }

        run += NGX_TSCAST_TS_PACKET;
        r->offset += NGX_TSCAST_TS_PACKET;
    }
}


static void
fuzz_ts_tables(ngx_tscast_ts_parser_t *p)
{
    ngx_uint_t               i;
    ngx_tscast_ts_tables_t  *t;

    t = &p->tables;

    fuzz_ts_check(t->ntables >= 2 && t->ntables <= NGX_TSCAST_TS_MAX_TABLES);
    fuzz_ts_check(t->npids >= 2 && t->npids <= NGX_TSCAST_TS_MAX_PIDS);
    fuzz_ts_check(t->pids[0] == NGX_TSCAST_TS_PAT_PID);
    fuzz_ts_check(t->table_pid[0] == 0);

    for (i = 0; i < t->ntables; i++) {
        fuzz_ts_check(t->table_pid[i] < t->npids);
        fuzz_ts_check(t->pids[t->table_pid[i]]
                      == ngx_tscast_ts_get_pid(t->tables[i]));
    }
}


/* every packet is of one PID or of none */

static void
fuzz_ts_health(ngx_tscast_ts_health_t *h)
{
    uint64_t    packets, continuity;
    ngx_uint_t  i;

    packets = h->nulls + h->unlisted + h->errors.transport;
    continuity = 0;

    fuzz_ts_check(h->npids >= 1 && h->npids <= NGX_TSCAST_TS_HEALTH_PIDS);
    fuzz_ts_check(h->nprograms <= NGX_TSCAST_TS_HEALTH_PROGRAMS);

    for (i = 0; i < h->npids; i++) {
        fuzz_ts_check(h->index[h->pids[i].pid] == i + 1);
        fuzz_ts_check(ngx_tscast_ts_frame_rate(&h->pids[i]) >= 0);

        packets += h->pids[i].packets;
        continuity += h->pids[i].continuity;
    }

    /* PIDs that gave way to others take theirs with them */

    fuzz_ts_check(packets <= h->packets);
    fuzz_ts_check(continuity <= h->errors.continuity);

    if (h->npids < NGX_TSCAST_TS_HEALTH_PIDS) {
        fuzz_ts_check(packets == h->packets);
        fuzz_ts_check(continuity == h->errors.continuity);
    }
}


/* what a viewer is given makes sense by itself, and counts up to cc[] */

static void
fuzz_ts_start(ngx_tscast_ts_parser_t *p)
{
    u_char                         *buf;
    size_t                          n, len;
    ngx_uint_t                      i, j;
    static ngx_tscast_ts_parser_t   again;

    buf = malloc(NGX_TSCAST_TS_MAX_START);

    if (buf == NULL) {
        return;
    }

    len = ngx_tscast_ts_start(buf, &p->tables, &p->rap, 0);
    fuzz_ts_check(len == p->tables.ntables * NGX_TSCAST_TS_PACKET);

    len = ngx_tscast_ts_start(buf, &p->tables, &p->rap, 1);
    fuzz_ts_check(len <= NGX_TSCAST_TS_MAX_START);
    fuzz_ts_check(len % NGX_TSCAST_TS_PACKET == 0);

    ngx_tscast_ts_parser_init(&again);

    for (n = 0; n < len; n += NGX_TSCAST_TS_PACKET) {
        (void) ngx_tscast_ts_parse(&again, buf + n, n);
    }

    fuzz_ts_check(again.cc_errors == 0 && again.tei == 0);

    for (i = 0; i < again.tables.npids; i++) {
        j = ngx_tscast_ts_pid_index(&p->tables, again.tables.pids[i]);

        if (j < p->tables.npids
            && again.cc[i] != NGX_TSCAST_TS_NO_CC
            && p->rap.cc[j] != NGX_TSCAST_TS_NO_CC)
        {
            fuzz_ts_check(again.cc[i] == p->rap.cc[j]);
        }
    }

    free(buf);
}


static void
fuzz_ts_hash(fuzz_ts_run_t *r, void *data, size_t len)
{
    u_char    *p;
    uint64_t   n;

    for (p = data; len >= sizeof(n); len -= sizeof(n)) {
        ngx_memcpy(&n, p, sizeof(n));
        p += sizeof(n);

        r->hash = (r->hash ^ n) * 1099511628211ULL;
        r->hash ^= r->hash >> 32;
    }
}


/* mutations mostly keep sync bytes and the CRC of sections */

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
    u_char  *p, *last;

    size = LLVMFuzzerMutate(data, size, max);

    if (size < FUZZ_TS_HEADER || seed % 8 == 0) {
        return size;
    }

    last = data + size;

    for (p = data + FUZZ_TS_HEADER; p < last; p += NGX_TSCAST_TS_PACKET) {

        if (seed % 8 != 1) {
            *p = NGX_TSCAST_TS_SYNC_BYTE;
        }

        if (last - p >= NGX_TSCAST_TS_PACKET && seed % 8 != 2) {
            fuzz_ts_fix(p, last);
        }
    }

    return size;
}


/* the CRC of a section that begins at the start of this packet's payload */

static void
fuzz_ts_fix(u_char *p, u_char *last)
{
    u_char      *b, *byte[NGX_TSCAST_TS_SECTION], s[NGX_TSCAST_TS_SECTION];
    size_t       n, len, i;
    uint16_t     pid;
    uint32_t     crc;

    if (!ngx_tscast_ts_get_payload_unit_start_indicator(p)
        || ngx_tscast_ts_get_adaptation_field_control(p) != 1
        || p[4] != 0
        || (p[5] != 0x00 && p[5] != 0x02))
    {
        return;
    }

    pid = ngx_tscast_ts_get_pid(p);
    len = 3 + ngx_tscast_ts_get_section_length(p + 5);

    if (len < 12 || len > NGX_TSCAST_TS_SECTION) {
        return;
    }

    b = p + 5;

    for (n = 0; n < len; n++) {

        if (b == p + NGX_TSCAST_TS_PACKET) {

            do {
                p += NGX_TSCAST_TS_PACKET;

                if (last - p < NGX_TSCAST_TS_PACKET) {
                    return;
                }

            } while (ngx_tscast_ts_get_pid(p) != pid);

            b = p + 4;
        }

        s[n] = *b;
        byte[n] = b++;
    }

    crc = ngx_tscast_ts_crc32(s, len - 4);

    for (i = 0; i < 4; i++) {
        *byte[len - 4 + i] = (u_char) (crc >> (24 - 8 * i));
    }
}
