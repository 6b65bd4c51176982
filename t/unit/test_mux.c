
/*
 * Copyright (C) the tscast authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_mux.h>


#define MUX_OUT    (1024 * 1024)
#define MUX_START  ((uint64_t) 1 << 40)


typedef struct {
    uint64_t      pcr;
    uint64_t      pcrs[4096];
    ngx_uint_t    npcrs;
    ngx_uint_t    tables;
    ngx_uint_t    breaks;
    int           cc[8192];
    u_char        unit[MUX_OUT];          /* payload of one PID */
    size_t        len;
    ngx_uint_t    starts;
} mux_seen_t;


static ngx_tscast_mux_t  m;
static mux_seen_t        seen;
static u_char            out[MUX_OUT];
static size_t            len;
static ngx_int_t         answer;


static ngx_int_t
mux_write(void *data, u_char *p, size_t n)
{
    assert_ptr_equal(data, &m);
    assert_int_equal(n % 188, 0);
    assert_true(len + n <= MUX_OUT);

    ngx_memcpy(out + len, p, n);
    len += n;

    return answer;
}


static int
setup(void **state)
{
    m.write = mux_write;
    m.data = &m;
    answer = NGX_OK;
    len = 0;

    ngx_tscast_mux_init(&m);

    return 0;
}


static ngx_int_t
mux_unit(ngx_uint_t track, uint64_t dts, uint64_t pts, size_t n,
    ngx_uint_t random)
{
    size_t                 i;
    u_char                 byte;
    ngx_tscast_mux_unit_t  unit;

    unit.track = track;
    unit.dts = dts;
    unit.pts = pts;
    unit.len = n;
    unit.random = random;

    ngx_tscast_mux_begin(&m, &unit);

    for (i = 0; i < n; i++) {
        byte = (u_char) (i * 7);
        ngx_tscast_mux_put(&m, &byte, 1);
    }

    return ngx_tscast_mux_end(&m);
}


/* takes the output apart again, one PID's payload goes to seen.unit */

static void
mux_look(uint16_t pid)
{
    int          last;
    u_char      *p, *payload;
    uint64_t     pcr;
    uint16_t     packet_pid;

    ngx_memzero(&seen, sizeof(seen));
    memset(seen.cc, -1, sizeof(seen.cc));

    for (p = out; p < out + len; p += 188) {

        assert_int_equal(p[0], 0x47);

        packet_pid = (p[1] & 0x1f) << 8 | p[2];
        payload = p + 4;

        if (p[3] & 0x20) {
            assert_true(p[4] <= ((p[3] & 0x10) ? 182 : 183));
            payload += 1 + p[4];

            if (p[4] && (p[5] & 0x10)) {
                pcr = (uint64_t) p[6] << 25 | p[7] << 17 | p[8] << 9
                      | p[9] << 1 | p[10] >> 7;
                seen.pcrs[seen.npcrs++] = pcr;
                seen.breaks += p[5] >> 7;
            }
        }

        last = seen.cc[packet_pid];

        if (last != -1) {
            assert_int_equal(p[3] & 15,
                             (last + ((p[3] & 0x10) ? 1 : 0)) & 15);
        }

        seen.cc[packet_pid] = p[3] & 15;

        if (packet_pid == 0) {
            seen.tables++;
        }

        if (packet_pid == pid && (p[3] & 0x10)) {
            seen.starts += (p[1] >> 6) & 1;
            ngx_memcpy(seen.unit + seen.len, payload, p + 188 - payload);
            seen.len += p + 188 - payload;
        }
    }
}


/* ISO/IEC 13818-1: each byte of the first packets by hand */

static void
mux_first_packets(void **state)
{
    static u_char  pat[] =
        "\x47\x40\x00\x10\x00"
        "\x00\xb0\x0d\x00\x01\xc1\x00\x00\x00\x01\xf0\x00";
    static u_char  pmt[] =
        "\x47\x50\x00\x10\x00"
        "\x02\xb0\x17\x00\x01\xc1\x00\x00\xe1\x00\xf0\x00"
        "\x1b\xe1\x00\xf0\x00"
        "\x0f\xe1\x01\xf0\x00";

    /* PCR 72000, PTS 97200, DTS 90000 */
    static u_char  pes[] =
        "\x50\x00\x00\x8c\xa0\x7e\x00";
    static u_char  times[] =
        "\x00\x00\x01\xe0\x00\x10\x84\xc0\x0a"
        "\x31\x00\x05\xf7\x61\x11\x00\x05\xbf\x21"
        "\x00\x07\x0e";

    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO, NGX_TSCAST_MUX_H264);
    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_AUDIO, NGX_TSCAST_MUX_ADTS);

    assert_int_equal(mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START + 90000,
                              MUX_START + 97200, 3, 1),
                     NGX_OK);

    assert_int_equal(len, 3 * 188);
    assert_memory_equal(out, pat, sizeof(pat) - 1);
    assert_memory_equal(out + 188, pmt, sizeof(pmt) - 1);
    assert_int_equal(ngx_tscast_ts_crc32(out + 5, 16), 0);
    assert_int_equal(ngx_tscast_ts_crc32(out + 193, 26), 0);
    assert_memory_equal(out + 376, "\x47\x41\x00\x30", 4);
    assert_int_equal(out[380], 183 - 22);
    assert_memory_equal(out + 381, pes, sizeof(pes) - 1);
    assert_memory_equal(out + 3 * 188 - 22, times, sizeof(times) - 1);
}


/* every remainder of a last packet: what went in comes out */

static void
mux_lengths(void **state)
{
    size_t  n, i;

    for (n = 1; n < 600; n++) {
        setup(state);

        ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO, NGX_TSCAST_MUX_H264);

        mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START, MUX_START, n, n & 1);
        mux_look(NGX_TSCAST_MUX_VIDEO_PID);

        assert_int_equal(seen.starts, 1);
        assert_int_equal(seen.len, 14 + n);
        assert_int_equal(seen.unit[4] << 8 | seen.unit[5], 8 + n);

        for (i = 0; i < n; i++) {
            assert_int_equal(seen.unit[14 + i], (u_char) (i * 7));
        }
    }
}


/* PES_packet_length of 16 bits: 0 beyond, for video */

static void
mux_long(void **state)
{
    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO, NGX_TSCAST_MUX_H264);

    mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START, MUX_START, 65535 - 8, 1);
    mux_look(NGX_TSCAST_MUX_VIDEO_PID);
    assert_memory_equal(seen.unit + 4, "\xff\xff", 2);

    len = 0;

    mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START + 1, MUX_START + 1, 65535 - 7, 1);
    mux_look(NGX_TSCAST_MUX_VIDEO_PID);
    assert_memory_equal(seen.unit + 4, "\0\0", 2);
    assert_int_equal(seen.len, 14 + 65535 - 7);
}


/* no unit for a second: PCRs each 40 ms and tables each 100 ms all the same */

static void
mux_gap(void **state)
{
    ngx_uint_t  i;

    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO, NGX_TSCAST_MUX_H264);

    mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START, MUX_START, 10, 1);
    mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START + 90000, MUX_START + 90000, 10,
             0);
    mux_look(NGX_TSCAST_MUX_VIDEO_PID);

    assert_int_equal(seen.npcrs, 26);
    assert_true(seen.tables >= 10);
    assert_int_equal(seen.breaks, 0);

    for (i = 1; i < seen.npcrs; i++) {
        assert_int_equal((seen.pcrs[i] - seen.pcrs[i - 1]) & 0x1ffffffff,
                         3600);
    }
}


/* at any rates of two tracks, and over the wrap of 33 bits */

static void
mux_rates(void **state)
{
    uint64_t    v, a, start, d;
    ngx_uint_t  video, audio, i;

    start = MUX_START - 90000;

    for (video = 300; video < 20000; video += 617) {
        for (audio = 900; audio < 9000; audio += 1111) {

            setup(state);

            ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO,
                                 NGX_TSCAST_MUX_H264);
            ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_AUDIO,
                                 NGX_TSCAST_MUX_ADTS);

            v = a = start;

            while (v < start + 180000) {

                if (v <= a) {
                    mux_unit(NGX_TSCAST_MUX_VIDEO, v, v, 50, v == start);
                    v += video;

                } else {
                    mux_unit(NGX_TSCAST_MUX_AUDIO, a, a, 50, 0);
                    a += audio;
                }
            }

            mux_look(NGX_TSCAST_MUX_VIDEO_PID);

            assert_int_equal(seen.breaks, 0);

            for (i = 1; i < seen.npcrs; i++) {
                d = (seen.pcrs[i] - seen.pcrs[i - 1]) & 0x1ffffffff;
                assert_true(d > 0 && d <= 3600);
            }
        }
    }
}


/* a program that changes has a new version, and tables at once */

static void
mux_versions(void **state)
{
    ngx_uint_t  i;

    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_AUDIO, NGX_TSCAST_MUX_ADTS);
    mux_unit(NGX_TSCAST_MUX_AUDIO, MUX_START, MUX_START, 10, 1);

    /* the PCRs are on the only track */
    assert_memory_equal(out + 188 + 13, "\xe1\x01", 2);

    for (i = 1; i < 40; i++) {
        len = 0;

        ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO,
                             (i & 1) ? NGX_TSCAST_MUX_HEVC
                                     : NGX_TSCAST_MUX_NONE);
        mux_unit(NGX_TSCAST_MUX_AUDIO, MUX_START + i, MUX_START + i, 10, 1);

        assert_int_equal((out[188 + 10] >> 1) & 0x1f, i % 32);
        assert_int_equal(out[188 + 7], (i & 1) ? 0x17 : 0x12);
        assert_memory_equal(out + 188 + 13, (i & 1) ? "\xe1\x00" : "\xe1\x01",
                            2);
    }

    /* what is not announced yet is no change */

    setup(state);
    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_AUDIO, NGX_TSCAST_MUX_ADTS);
    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO, NGX_TSCAST_MUX_H264);
    mux_unit(NGX_TSCAST_MUX_AUDIO, MUX_START, MUX_START, 10, 1);
    assert_int_equal(out[188 + 10], 0xc1);
}


/* a track that is far behind: once a new time base, then as ever */

static void
mux_behind(void **state)
{
    uint64_t    d;
    ngx_uint_t  i;

    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO, NGX_TSCAST_MUX_H264);
    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_AUDIO, NGX_TSCAST_MUX_ADTS);

    for (i = 0; i < 50; i++) {
        d = MUX_START + i * 3600;

        mux_unit(NGX_TSCAST_MUX_VIDEO, d, d, 10, 0);

        d -= 90000;

        mux_unit(NGX_TSCAST_MUX_AUDIO, d, d, 10, 0);

        mux_look(NGX_TSCAST_MUX_VIDEO_PID);
        assert_true(((d - seen.pcrs[seen.npcrs - 1]) & 0x1ffffffff) < 90000);
    }

    assert_int_equal(seen.breaks, 1);
}


/* what the writer says ends the unit, and nothing more is written */

static void
mux_refused(void **state)
{
    ngx_tscast_mux_track(&m, NGX_TSCAST_MUX_VIDEO, NGX_TSCAST_MUX_H264);

    answer = NGX_BUSY;

    assert_int_equal(mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START, MUX_START,
                              100000, 1),
                     NGX_BUSY);
    assert_int_equal(len, NGX_TSCAST_MUX_PACKETS * 188);

    answer = NGX_OK;

    assert_int_equal(mux_unit(NGX_TSCAST_MUX_VIDEO, MUX_START + 1,
                              MUX_START + 1, 10, 1),
                     NGX_OK);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(mux_first_packets, setup),
        cmocka_unit_test_setup(mux_lengths, setup),
        cmocka_unit_test_setup(mux_long, setup),
        cmocka_unit_test_setup(mux_gap, setup),
        cmocka_unit_test_setup(mux_rates, setup),
        cmocka_unit_test_setup(mux_versions, setup),
        cmocka_unit_test_setup(mux_behind, setup),
        cmocka_unit_test_setup(mux_refused, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
