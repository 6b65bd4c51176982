
/*
 * Copyright (C) the tscast authors
 */


#include "ts_build.h"

#include "ngx_tscast_rtp_send.h"


#define MSEC  NGX_TSCAST_CLOCK_MSEC


static ngx_tscast_rtp_send_t  rtp;


static int
setup(void **state)
{
    ngx_memzero(&rtp, sizeof(rtp));

    rtp.ssrc = 0xdeadbeef;
    rtp.timestamp = 0xffffff00;
    rtp.sequence = 0xfffe;

    ngx_tscast_rtp_send_init(&rtp);

    return 0;
}


/* a packet with this PCR, in 90 kHz, or without */

static void
packet(int64_t pcr, uint64_t now)
{
    u_char  p[188];

    ngx_memset(p, 0xff, sizeof(p));

    p[0] = 0x47;
    p[1] = 0x01;
    p[2] = 0x00;
    p[3] = 0x10;

    if (pcr != -1) {
        p[3] = 0x30;
        p[4] = 7;
        p[5] = 0x10;
        p[6] = (u_char) (pcr >> 25);
        p[7] = (u_char) (pcr >> 17);
        p[8] = (u_char) (pcr >> 9);
        p[9] = (u_char) (pcr >> 1);
        p[10] = (u_char) (pcr << 7 | 0x7e);
        p[11] = 0;
    }

    ngx_tscast_rtp_send_packet(&rtp, p, now);
}


static uint32_t
get32(u_char *p)
{
    return (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}


/* a datagram of seven packets, the first with this PCR; its timestamp */

static uint32_t
datagram(int64_t pcr, uint64_t now)
{
    u_char      head[NGX_TSCAST_RTP_HEAD];
    ngx_uint_t  i;

    packet(pcr, now);
    ngx_tscast_rtp_send_head(&rtp, head, 7 * 188, now);

    for (i = 1; i < 7; i++) {
        packet(-1, now);
    }

    return get32(head + 4);
}


static void
rtp_send_head(void **state)
{
    u_char  head[NGX_TSCAST_RTP_HEAD];

    static u_char  first[] = { 0x80, 33, 0xff, 0xfe, 0xff, 0xff, 0xff, 0x00,
                               0xde, 0xad, 0xbe, 0xef };

    ngx_tscast_rtp_send_head(&rtp, head, 1316, 1000 * MSEC);
    assert_memory_equal(head, first, sizeof(first));

    ngx_tscast_rtp_send_head(&rtp, head, 1316, 1000 * MSEC);
    ngx_tscast_rtp_send_head(&rtp, head, 188, 1000 * MSEC);

    assert_int_equal(head[2] << 8 | head[3], 0);
    assert_int_equal(rtp.packets, 3);
    assert_int_equal(rtp.octets, 1316 + 1316 + 188);
}


/* 20 ms are 1800 ticks; ten datagrams to each of them */

static void
rtp_send_timestamps(void **state)
{
    uint32_t    first, ts;
    ngx_uint_t  i;

    first = datagram(5000000, 1000 * MSEC);

    /* it began there, and the PCR did not change that */
    assert_int_equal(first, 0xffffff00);

    for (i = 1; i < 1000; i++) {
        ts = datagram(i % 10 ? -1 : (int64_t) (5000000 + i * 180),
                      (1000 + 2 * i) * MSEC);

        if (i % 10 == 0) {
            assert_int_equal(ts, (uint32_t) (first + i * 180));

        } else if (i > 10) {
            assert_in_range((uint32_t) (ts - first), i * 180 - 2, i * 180);
        }
    }
}


/* a PCR near 0 says nothing of a rate */

static void
rtp_send_first_pcr(void **state)
{
    uint32_t    first;
    ngx_uint_t  i;

    (void) datagram(-1, 1000 * MSEC);

    first = datagram(9000, 1000 * MSEC);

    for (i = 0; i < 10; i++) {
        assert_int_equal(datagram(-1, 1000 * MSEC), first);
    }

    assert_int_equal(datagram(9000 + 3600, 1040 * MSEC), first + 3600);
}


/* small pictures and then a large one, as in a stream of variable rate */

static void
rtp_send_bursts(void **state)
{
    uint32_t    first;
    ngx_uint_t  i;

    first = datagram(5000000, 1000 * MSEC);

    assert_int_equal(datagram(5003600, 1040 * MSEC), first + 3600);

    for (i = 0; i < 100; i++) {
        assert_in_range((uint32_t) (datagram(-1, 1040 * MSEC) - first),
                        3600, 7200);
    }

    assert_int_equal(datagram(5007200, 1080 * MSEC), first + 7200);
    assert_int_equal(datagram(5010800, 1120 * MSEC), first + 10800);
}


static void
rtp_send_jumps(void **state)
{
    uint32_t  first;

    first = datagram(5000000, 1000 * MSEC);

    assert_int_equal(datagram(5001800, 1020 * MSEC), first + 1800);

    /* another clock: as long as has passed */

    assert_int_equal(datagram(77, 1040 * MSEC), first + 3600);
    assert_int_equal(datagram(77 + 1800, 1060 * MSEC), first + 5400);
    assert_int_equal(datagram(8000000000, 1080 * MSEC), first + 7200);

    /* a little back: timestamps stand still */

    assert_int_equal(datagram(8000000000 - 900, 1100 * MSEC), first + 7200);
    assert_int_equal(datagram(8000000000 + 900, 1120 * MSEC), first + 8100);

    /* the end of the PCRs, 2^33 */

    (void) datagram(((int64_t) 1 << 33) - 1800, 1140 * MSEC);
    first = rtp.timestamp;
    assert_int_equal(datagram(0, 1160 * MSEC), first + 1800);
}


/* with what was kept, the next sender goes on */

static void
rtp_send_goes_on(void **state)
{
    uint32_t  first;

    first = datagram(5000000, 1000 * MSEC);

    ngx_tscast_rtp_send_init(&rtp);

    assert_int_equal(datagram(-1, 9000 * MSEC), first);
    assert_int_equal(datagram(5000000 + 90000, 9000 * MSEC), first + 90000);
    assert_int_equal(rtp.sequence, 1);
}


static void
rtp_send_report(void **state)
{
    size_t     len;
    u_char     p[NGX_TSCAST_RTP_REPORT];
    ngx_str_t  cname = ngx_string("cam@node");
    ngx_str_t  longest;

    static u_char  text[300];

    (void) datagram(5000000, 1000 * MSEC);

    /* half a second after the beginning of 1970 */

    len = ngx_tscast_rtp_send_report(&rtp, p, &cname, 0, 500, 1010 * MSEC);

    assert_int_equal(get32(p), 0x80c80006);
    assert_int_equal(get32(p + 4), 0xdeadbeef);
    assert_int_equal(get32(p + 8), 2208988800);
    assert_int_equal(get32(p + 12), 0x80000000);
    assert_int_equal(get32(p + 16), (uint32_t) (0xffffff00 + 900));
    assert_int_equal(get32(p + 20), 1);
    assert_int_equal(get32(p + 24), 1316);

    assert_int_equal(get32(p + 28), 0x81ca0004);
    assert_int_equal(get32(p + 32), 0xdeadbeef);
    assert_memory_equal(p + 36, "\1\10cam@node\0\0", 12);
    assert_int_equal(len, 28 + 20);

    longest.data = text;
    longest.len = sizeof(text);

    len = ngx_tscast_rtp_send_report(&rtp, p, &longest, 0, 0, 1010 * MSEC);

    assert_true(len <= sizeof(p));
    assert_int_equal(len % 4, 0);
    assert_int_equal((size_t) (p[30] << 8 | p[31]) * 4 + 4, len - 28);
    assert_int_equal(p[37], 255);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(rtp_send_head, setup),
        cmocka_unit_test_setup(rtp_send_timestamps, setup),
        cmocka_unit_test_setup(rtp_send_first_pcr, setup),
        cmocka_unit_test_setup(rtp_send_bursts, setup),
        cmocka_unit_test_setup(rtp_send_jumps, setup),
        cmocka_unit_test_setup(rtp_send_goes_on, setup),
        cmocka_unit_test_setup(rtp_send_report, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
