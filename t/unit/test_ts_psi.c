
/*
 * Copyright (C) the tscast authors
 */


#include "ts_build.h"


static ts_build_t              b;
static ngx_tscast_ts_parser_t  p;
static size_t                  pos;


static int
setup(void **state)
{
    ts_build_init(&b);
    ngx_tscast_ts_parser_init(&p);
    pos = 0;

    return 0;
}


static ngx_uint_t
parse(void)
{
    ngx_uint_t  i, flags;

    flags = ts_build_parse(&b, &p, &pos);

    assert_true(p.tables.npids <= NGX_TSCAST_TS_MAX_PIDS);
    assert_true(p.tables.ntables <= NGX_TSCAST_TS_MAX_TABLES);

    for (i = 0; i < p.tables.ntables; i++) {
        assert_true(p.tables.table_pid[i] < p.tables.npids);
        assert_int_equal(p.tables.pids[p.tables.table_pid[i]],
                         ngx_tscast_ts_get_pid(p.tables.tables[i]));
    }

    return flags;
}


static void
pmt(uint16_t pid, uint16_t number, u_char version, u_char type,
    uint16_t es)
{
    ts_stream_t  stream = { type, es, NULL, 0 };

    ts_build_pmt(&b, pid, number, version, es, &stream, 1);
}


/* PAT and PMT as ffmpeg's muxer writes them, CRC and all */

static void
ts_psi_crc(void **state)
{
    static u_char  pat[] = {
        0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00,
        0x00, 0x01, 0xf0, 0x00, 0x2a, 0xb1, 0x04, 0xb2
    };

    assert_int_equal(ngx_tscast_ts_crc32(pat, 12), 0x2ab104b2);
    assert_int_equal(ngx_tscast_ts_crc32(pat, 16), 0);
    assert_int_equal(ts_build_crc(pat, 12), 0x2ab104b2);

    /* the check value of CRC-32/MPEG-2 */

    assert_int_equal(ngx_tscast_ts_crc32((u_char *) "123456789", 9),
                     0x0376e6e7);
}


static void
ts_psi_known_then_unchanged(void **state)
{
    ts_program_t  program = { 1, 0x1000 };

    ts_build_pat(&b, 0, &program, 1);
    assert_int_equal(parse(), 0);
    assert_int_equal(p.tables.ntables, 0);
    assert_int_equal(p.pid, NGX_TSCAST_TS_NULL_PID);

    pmt(0x1000, 1, 0, 0x1b, 0x100);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.tables.ntables, 2);
    assert_int_equal(p.pid, 0x100);
    assert_int_equal(p.codec, NGX_TSCAST_TS_H264);

    /* the same again and again */

    ts_build_tables(&b, 0x1b);
    ts_build_tables(&b, 0x1b);
    assert_int_equal(parse(), 0);

    /* a new version of the PMT on the same PID */

    pmt(0x1000, 1, 1, 0x24, 0x110);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x110);
    assert_int_equal(p.codec, NGX_TSCAST_TS_HEVC);
    assert_int_equal(p.tables.npids, 3);
    assert_int_equal(p.tables.pids[2], 0x110);

    /* other content under the same version counts, too */

    pmt(0x1000, 1, 1, 0x24, 0x120);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x120);
}


static void
ts_psi_pmt_moves(void **state)
{
    ts_program_t  program = { 1, 0x1001 };

    ts_build_tables(&b, 0x1b);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);

    /* until the new PMT is here there is no reference */

    ts_build_pat(&b, 1, &program, 1);
    assert_int_equal(parse(), 0);
    assert_int_equal(p.pid, NGX_TSCAST_TS_NULL_PID);
    assert_int_equal(p.tables.ntables, 2);

    pmt(0x1000, 1, 0, 0x1b, 0x100);
    assert_int_equal(parse(), 0);

    pmt(0x1001, 1, 0, 0x02, 0x200);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x200);
    assert_int_equal(p.tables.pids[1], 0x1001);
}


static void
ts_psi_sections_of_any_split(void **state)
{
    u_char        s[1024], info[250];
    size_t        len, max;
    ts_stream_t   stream = { 0x1b, 0x100, (char *) info, 250 };
    ts_program_t  program = { 1, 0x1000 };

    ngx_memset(info, 0, sizeof(info));
    info[0] = 0xc0;
    info[1] = 248;

    /* the first byte of a section is in the packet of its pointer_field */

    for (max = 2; max <= 184; max++) {
        setup(NULL);

        len = ts_build_pat_section(s, 0, 0, 0, &program, 1);
        ts_build_psi(&b, 0, s, len, max);

        len = ts_build_pmt_section(s, 1, 0, 0x100, &stream, 1);
        ts_build_psi(&b, 0x1000, s, len, max);

        assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
        assert_int_equal(p.tables.ntables, 3);
        assert_int_equal(p.cc_errors, 0);
    }
}


/* the end of one section, a whole one, the start of the next */

static void
ts_psi_several_sections_in_a_packet(void **state)
{
    u_char        unit[600], info[160];
    size_t        n, first, i;
    ts_stream_t   stream = { 0x0f, 0x100, (char *) info, 160 };
    ts_program_t  programs[] = { { 1, 0x1000 }, { 2, 0x1000 },
                                 { 3, 0x1000 } };

    ngx_memset(info, 0, sizeof(info));
    info[0] = 0xc0;
    info[1] = 158;

    ts_build_pat(&b, 0, programs, 3);

    unit[0] = 0;
    first = ts_build_pmt_section(unit + 1, 1, 0, 0x100, &stream, 1);
    assert_int_equal(first, 181);

    /* 184 bytes: two of the second section, whose length is in the next */

    stream.pid = 0x101;
    n = 1 + first;
    n += ts_build_pmt_section(unit + n, 2, 0, 0x101, &stream, 1);
    i = n;
    stream.type = 0x1b;
    stream.pid = 0x102;
    stream.len = 0;
    n += ts_build_pmt_section(unit + n, 3, 0, 0x102, &stream, 1);

    ts_build_packet(&b, 0x1000, 1, 0, unit, 184);
    ts_build_packet(&b, 0x1000, 0, 0, unit + 184, 100);

    /* the second ends in a packet where the third begins */

    ngx_memmove(unit + 285, unit + 284, n - 284);
    unit[284] = (u_char) (i - 284);
    ts_build_packet(&b, 0x1000, 1, 0, unit + 284, n + 1 - 284);

    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x102);
    assert_int_equal(p.tables.ntables, 1 + 1 + 1 + 1);
    assert_int_equal(p.psi.nkept, 4);
    assert_int_equal(p.cc_errors, 0);
}


static void
ts_psi_continuity(void **state)
{
    u_char        s[1024], info[250], *copy;
    size_t        len;
    ts_stream_t   stream = { 0x1b, 0x100, (char *) info, 250 };
    ts_program_t  program = { 1, 0x1000 };

    ngx_memset(info, 0, sizeof(info));
    info[0] = 0xc0;
    info[1] = 248;

    ts_build_pat(&b, 0, &program, 1);
    len = ts_build_pmt_section(s, 1, 0, 0x100, &stream, 1);

    /* something is missing in the middle: the counter tells */

    ts_build_psi(&b, 0x1000, s, len, 184);
    b.data[b.len - 188 + 3] ^= 4;
    assert_int_equal(parse(), 0);

    /* a duplicate of every packet */

    b.cc[0x1000] = 3;
    len = b.len;
    ts_build_psi(&b, 0x1000, s, 279, 184);
    assert_int_equal(b.len - len, 2 * 188);

    copy = b.data + len;
    ngx_memmove(copy + 3 * 188, copy + 188, 188);
    ngx_memcpy(copy + 2 * 188, copy + 188, 188);
    ngx_memcpy(copy + 188, copy, 188);
    ngx_memcpy(copy + 2 * 188, copy + 3 * 188, 188);
    b.len += 2 * 188;

    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
}


static void
ts_psi_refused(void **state)
{
    u_char        s[1024];
    size_t        len, i;
    ts_stream_t   stream = { 0x1b, 0x100, NULL, 0 };
    ts_program_t  program = { 1, 0x1000 };

    ts_build_pat(&b, 0, &program, 1);
    assert_int_equal(parse(), 0);

    /* any bit that is wrong */

    for (i = 0; i < 21 * 8; i++) {
        len = ts_build_pmt_section(s, 1, 0, 0x100, &stream, 1);
        assert_int_equal(len, 21);
        s[i >> 3] ^= 1 << (i & 7);

        ts_build_psi(&b, 0x1000, s, len, 184);
        assert_int_equal(parse(), 0);
    }

    /* right CRC, not yet to be used */

    len = ts_build_pmt_section(s, 1, 0, 0x100, &stream, 1);
    s[5] &= 0xfe;
    ts_build_crc_set(s, len);
    ts_build_psi(&b, 0x1000, s, len, 184);
    assert_int_equal(parse(), 0);

    /* right CRC, lengths inside that lead out of it, every one */

    for (i = 1; i < 4096; i++) {
        len = ts_build_pmt_section(s, 1, 0, 0x100, &stream, 1);
        s[10] = 0xf0 | (u_char) (i >> 8);
        s[11] = (u_char) i;
        ts_build_crc_set(s, len);

        b.len = 0;
        pos = 0;
        ts_build_psi(&b, 0x1000, s, len, 184);

        /* 5: the stream itself is taken for a descriptor */

        if (i != 5) {
            assert_int_equal(parse(), 0);
        }

        len = ts_build_pmt_section(s, 1, 0, 0x100, &stream, 1);
        s[15] = 0xf0 | (u_char) (i >> 8);
        s[16] = (u_char) i;
        ts_build_crc_set(s, len);

        ts_build_psi(&b, 0x1000, s, len, 184);
        assert_int_equal(parse(), 0);
    }

    pmt(0x1000, 1, 0, 0x1b, 0x100);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
}


static void
ts_psi_hostile_lengths(void **state)
{
    u_char      data[184];
    ngx_uint_t  i, j;

    ts_build_tables(&b, 0x1b);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);

    /* every pointer_field, every section_length, then what goes on */

    for (i = 0; i < 256; i++) {
        for (j = 0; j < 16; j++) {
            ngx_memset(data, 0, sizeof(data));
            data[0] = (u_char) i;
            data[1] = 0;
            data[2] = 0xb0 | (u_char) j;
            data[3] = (u_char) (i * 7);

            b.len = 0;
            pos = 0;

            ts_build_packet(&b, 0, 1, 0, data, 184);
            ts_build_packet(&b, 0, 0, 0, data, 1 + i % 184);
            ts_build_packet(&b, 0x1000, 1, 0, data, 1 + i % 184);
            ts_build_packet(&b, 0x1000, j & 1, 0, data, 184);

            assert_int_equal(parse(), 0);
        }
    }
}


static void
long_pat(u_char version)
{
    u_char        s[1024], number;
    size_t        len;
    ngx_uint_t    i;
    ts_program_t  programs[250];

    for (number = 0; number < 4; number++) {

        for (i = 0; i < 250; i++) {
            programs[i].number = 1 + number * 250 + i;
            programs[i].pid = 0x20 + number * 250 + i;
        }

        len = ts_build_pat_section(s, version, number, 3, programs, 250);
        ts_build_psi(&b, 0, s, len, 184);
    }
}


static void
ts_psi_a_thousand_programs(void **state)
{
    ngx_uint_t  i;

    long_pat(0);
    assert_int_equal(parse(), 0);

    for (i = 1; i <= 1000; i++) {
        pmt(0x20 + i - 1, i, 0, (i == 100) ? 0x1b : 0x0f, 0x800 + i);
    }

    long_pat(0);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x800 + 100);

    /* six packets for each of two sections of the PAT, then PMTs */

    assert_int_equal(p.tables.ntables, 16);
    assert_int_equal(p.tables.pids[p.tables.table_pid[12]], 0x20 + 99);

    /* it comes to rest */

    for (i = 0; i < 2; i++) {
        b.len = 0;
        pos = 0;
        long_pat(0);
        pmt(0x20 + 99, 100, 0, 0x1b, 0x800 + 100);
        pmt(0x20, 1, 0, 0x0f, 0x801);
        assert_int_equal(parse(), 0);
    }

    for (i = 1; i < 100; i++) {
        b.len = 0;
        pos = 0;
        long_pat(i & 0x1f);
        parse();
    }
}


static void
ts_psi_several_programs(void **state)
{
    u_char        s[2100];
    size_t        n;
    ts_stream_t   audio = { 0x0f, 0x100, NULL, 0 };
    ts_stream_t   video = { 0x02, 0x200, NULL, 0 };
    ts_program_t  programs[] = { { 0, 0x10 }, { 1, 0x1000 }, { 2, 0x1000 },
                                 { 3, 0x1001 } };

    ts_build_pat(&b, 0, programs, 4);

    /* two programs on one PID, one packet */

    n = ts_build_pmt_section(s, 1, 0, 0x100, &audio, 1);
    n += ts_build_pmt_section(s + n, 2, 0, 0x200, &video, 1);
    ts_build_psi(&b, 0x1000, s, n, 184);

    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x200);
    assert_int_equal(p.tables.ntables, 3);

    /* the reference program's come first */

    assert_int_equal(p.tables.npids, 4);
    assert_int_equal(p.tables.pids[1], 0x1000);
    assert_int_equal(p.tables.pids[2], 0x200);
    assert_int_equal(p.tables.pids[3], 0x100);

    /* as good as what there is: no change of the reference */

    pmt(0x1001, 3, 0, 0x1b, 0x300);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x200);

    /* its video goes away: the next program in the PAT that has some */

    pmt(0x1000, 2, 1, 0x0f, 0x201);
    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x300);
    assert_int_equal(p.tables.pids[1], 0x1001);
}


static void
check_codec(u_char type, char *info, size_t len, ngx_tscast_ts_codec_e codec)
{
    ts_stream_t   stream = { type, 0x100, info, len };
    ts_program_t  program = { 1, 0x1000 };

    setup(NULL);

    ts_build_pat(&b, 0, &program, 1);
    ts_build_pmt(&b, 0x1000, 1, 0, 0x100, &stream, 1);

    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.pid, 0x100);
    assert_int_equal(p.codec, codec);
}


static void
ts_psi_stream_types(void **state)
{
    check_codec(0x01, NULL, 0, NGX_TSCAST_TS_MPEG_VIDEO);
    check_codec(0x02, NULL, 0, NGX_TSCAST_TS_MPEG_VIDEO);
    check_codec(0x10, NULL, 0, NGX_TSCAST_TS_MPEG4_VIDEO);
    check_codec(0x1b, NULL, 0, NGX_TSCAST_TS_H264);
    check_codec(0x20, NULL, 0, NGX_TSCAST_TS_OTHER_VIDEO);
    check_codec(0x24, NULL, 0, NGX_TSCAST_TS_HEVC);
    check_codec(0x33, NULL, 0, NGX_TSCAST_TS_OTHER_VIDEO);
    check_codec(0x03, NULL, 0, NGX_TSCAST_TS_AUDIO);
    check_codec(0x0f, NULL, 0, NGX_TSCAST_TS_AUDIO);
    check_codec(0x81, NULL, 0, NGX_TSCAST_TS_AUDIO);
    check_codec(0x05, NULL, 0, NGX_TSCAST_TS_OTHER);
    check_codec(0x06, NULL, 0, NGX_TSCAST_TS_OTHER);
    check_codec(0x06, "\x6a\1\0", 3, NGX_TSCAST_TS_AUDIO);
    check_codec(0x06, "\x0a\4eng\0\x7a\1\0", 9, NGX_TSCAST_TS_AUDIO);
    check_codec(0x06, "\5\4HEVC", 6, NGX_TSCAST_TS_HEVC);
    check_codec(0x06, "\5\4Opus\x7f\2\x80\2", 10, NGX_TSCAST_TS_AUDIO);
    check_codec(0x06, "\x59\x08" "deu\x10\0\1\0\1", 10, NGX_TSCAST_TS_OTHER);

    /* a descriptor that is longer than its place */

    check_codec(0x06, "\5\xff" "HEVC", 6, NGX_TSCAST_TS_OTHER);
    check_codec(0x06, "\5", 1, NGX_TSCAST_TS_OTHER);
}


static void
ts_psi_best_stream(void **state)
{
    ts_stream_t   streams[] = { { 0x86, 0x100, NULL, 0 },
                                { 0x06, 0x101, NULL, 0 },
                                { 0x0f, 0x102, NULL, 0 },
                                { 0x33, 0x103, NULL, 0 },
                                { 0x1b, 0x104, NULL, 0 },
                                { 0x24, 0x105, NULL, 0 } };
    ts_program_t  program = { 1, 0x1000 };
    ngx_uint_t    n;

    for (n = 1; n <= 6; n++) {
        setup(NULL);
        ts_build_pat(&b, 0, &program, 1);
        ts_build_pmt(&b, 0x1000, 1, 0, 0x1fff, streams, n);
        assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
        assert_int_equal(p.pid, 0x100 + ngx_min(n, 5) - 1);
    }
}


/* more streams than there is room for: the reference PID is among them */

static void
ts_psi_many_streams(void **state)
{
    ngx_uint_t    i;
    ts_stream_t   streams[100];
    ts_program_t  program = { 1, 0x1000 };

    for (i = 0; i < 100; i++) {
        streams[i].type = (i == 99) ? 0x1b : 0x0f;
        streams[i].pid = 0x100 + i;
        streams[i].info = NULL;
        streams[i].len = 0;
    }

    ts_build_pat(&b, 0, &program, 1);
    ts_build_pmt(&b, 0x1000, 1, 0, 0x80, streams, 100);

    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.tables.npids, NGX_TSCAST_TS_MAX_PIDS);
    assert_int_equal(p.tables.pids[2], 0x80);
    assert_int_equal(p.tables.pids[3], 0x100 + 99);
    assert_int_equal(p.tables.pids[4], 0x100);
}


/* more PIDs with half a section than there is room for */

static void
ts_psi_many_halves(void **state)
{
    u_char        s[1024], info[250];
    size_t        len;
    ngx_uint_t    i;
    ts_stream_t   stream = { 0x1b, 0x100, (char *) info, 250 };
    ts_program_t  programs[20];

    ngx_memset(info, 0, sizeof(info));
    info[0] = 0xc0;
    info[1] = 248;

    for (i = 0; i < 20; i++) {
        programs[i].number = i + 1;
        programs[i].pid = 0x1000 + i;
    }

    ts_build_pat(&b, 0, programs, 20);

    for (i = 0; i < 20; i++) {
        len = ts_build_pmt_section(s, i + 1, 0, 0x100, &stream, 1);
        assert_int_equal(len, 271);
        ngx_memmove(s + 1, s, len);
        s[0] = 0;
        ts_build_packet(&b, 0x1000 + i, 1, 0, s, 100);
    }

    /* the last one is certainly still there */

    ts_build_packet(&b, 0x1013, 0, 0, s + 100, len + 1 - 100);

    assert_int_equal(parse(), NGX_TSCAST_TS_TABLES);
    assert_int_equal(p.psi.program, 20);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(ts_psi_crc, setup),
        cmocka_unit_test_setup(ts_psi_known_then_unchanged, setup),
        cmocka_unit_test_setup(ts_psi_pmt_moves, setup),
        cmocka_unit_test_setup(ts_psi_sections_of_any_split, setup),
        cmocka_unit_test_setup(ts_psi_several_sections_in_a_packet, setup),
        cmocka_unit_test_setup(ts_psi_continuity, setup),
        cmocka_unit_test_setup(ts_psi_refused, setup),
        cmocka_unit_test_setup(ts_psi_hostile_lengths, setup),
        cmocka_unit_test_setup(ts_psi_a_thousand_programs, setup),
        cmocka_unit_test_setup(ts_psi_several_programs, setup),
        cmocka_unit_test_setup(ts_psi_stream_types, setup),
        cmocka_unit_test_setup(ts_psi_best_stream, setup),
        cmocka_unit_test_setup(ts_psi_many_streams, setup),
        cmocka_unit_test_setup(ts_psi_many_halves, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
