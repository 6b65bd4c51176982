
/*
 * Copyright (C) the tscast authors
 */


#include "ts_build.h"


static ts_build_t              b;
static ngx_tscast_ts_parser_t  p;
static size_t                  pos;
static u_char                  out[NGX_TSCAST_TS_MAX_START];


/* PAT of one packet, PMT of three, video on 0x100, audio on 0x101 */

static int
setup(void **state)
{
    u_char        pes[64], info[250];
    size_t        n;
    ts_stream_t   streams[] = {
                      { 0x1b, 0x100, (char *) info, 250 },
                      { 0x0f, 0x101, (char *) info, 200 } };
    ts_program_t  program = { 1, 0x1000 };

    ngx_memset(info, 0, sizeof(info));
    info[0] = 0xc0;
    info[1] = 248;

    ts_build_init(&b);
    ngx_tscast_ts_parser_init(&p);
    pos = 0;

    b.cc[0] = 1;
    b.cc[0x1000] = 14;
    b.cc[0x100] = 5;

    ts_build_pat(&b, 0, &program, 1);

    info[1] = 198;
    ts_build_pmt(&b, 0x1000, 1, 0, 0x100, streams, 2);

    n = ts_build_pes(pes, 0xe0, "\0\0\1\x65\x88", 5);
    ts_build_packet(&b, 0x100, 1, 0, pes, n);

    return (ts_build_parse(&b, &p, &pos)
            == (NGX_TSCAST_TS_TABLES | NGX_TSCAST_TS_RAP)) ? 0 : -1;
}


static void
ts_start_tables(void **state)
{
    /* header, streams with descriptors, CRC: 12 + 5 + 250 + 5 + 200 + 4 */

    assert_int_equal(p.tables.ntables, 1 + 3);
    assert_int_equal(p.tables.npids, 4);
    assert_int_equal(p.tables.pids[0], 0);
    assert_int_equal(p.tables.pids[1], 0x1000);
    assert_int_equal(p.tables.pids[2], 0x100);
    assert_int_equal(p.tables.pids[3], 0x101);

    assert_int_equal(p.rap.cc[0], 1);
    assert_int_equal(p.rap.cc[1], 0);
    assert_int_equal(p.rap.cc[2], 4);
    assert_int_equal(p.rap.cc[3], NGX_TSCAST_TS_NO_CC);

    assert_int_equal(ngx_tscast_ts_start(out, &p.tables, &p.rap, 0), 4 * 188);

    /* counters end where those of the stream were */

    assert_memory_equal(out, "\x47\x40\x00\x11", 4);
    assert_memory_equal(out + 188, "\x47\x50\x00\x1e", 4);
    assert_memory_equal(out + 376, "\x47\x10\x00\x1f", 4);
    assert_memory_equal(out + 564, "\x47\x10\x00\x10", 4);

    /* the stream's own, made into packets in the same way */

    assert_memory_equal(out + 192, b.data + 188 + 4, 184);
    assert_memory_equal(out + 380, b.data + 376 + 4, 184);
}


static void
ts_start_discontinuity(void **state)
{
    u_char      *q;
    ngx_uint_t   i, j;
    static u_char  head[3][6] = {
                       { 0x47, 0x00, 0x00, 0x20, 183, 0x80 },
                       { 0x47, 0x10, 0x00, 0x2d, 183, 0x80 },
                       { 0x47, 0x01, 0x00, 0x24, 183, 0x80 } };

    assert_int_equal(ngx_tscast_ts_start(out, &p.tables, &p.rap, 1),
                     (3 + 4) * 188);

    for (i = 0; i < 3; i++) {
        q = out + i * 188;

        assert_memory_equal(q, head[i], 6);

        for (j = 6; j < 188; j++) {
            assert_int_equal(q[j], 0xff);
        }
    }

    assert_memory_equal(out + 3 * 188, "\x47\x40\x00\x11\x00\x00", 6);
}


/* a decoder that had other counters before finds nothing missing */

static void
ts_start_counts_on(void **state)
{
    size_t                         n, i;
    ngx_tscast_ts_rap_t            rap;
    static ngx_tscast_ts_parser_t  v;

    v = p;
    rap = p.rap;

    for (i = 0; i < 16; i++) {
        rap.cc[0] = (rap.cc[0] + 5) & 0x0f;
        rap.cc[1] = (rap.cc[1] + 11) & 0x0f;
        rap.cc[2] = (rap.cc[2] + 3) & 0x0f;

        n = ngx_tscast_ts_start(out, &p.tables, &rap, 1);

        while (n) {
            assert_int_equal(ngx_tscast_ts_parse(&v, out, 0), 0);
            n -= 188;
            ngx_memmove(out, out + 188, n);
        }

        assert_int_equal(v.cc_errors, 0);
        assert_memory_equal(v.cc, rap.cc, 3);
    }

    assert_int_equal(v.discontinuities, 16 * 3);
}


static void
ts_start_fits(void **state)
{
    ngx_uint_t              i;
    ngx_tscast_ts_rap_t     rap;
    ngx_tscast_ts_tables_t  t;

    ngx_memzero(&t, sizeof(t));
    ngx_memzero(&rap, sizeof(rap));

    t.npids = NGX_TSCAST_TS_MAX_PIDS;
    t.ntables = NGX_TSCAST_TS_MAX_TABLES;

    for (i = 0; i < t.npids; i++) {
        t.pids[i] = (uint16_t) i;
    }

    assert_int_equal(ngx_tscast_ts_start(out, &t, &rap, 1), sizeof(out));

    /* nothing known: nothing written */

    ngx_memzero(&t, sizeof(t));
    assert_int_equal(ngx_tscast_ts_start(out, &t, &rap, 1), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(ts_start_tables, setup),
        cmocka_unit_test_setup(ts_start_discontinuity, setup),
        cmocka_unit_test_setup(ts_start_counts_on, setup),
        cmocka_unit_test(ts_start_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
