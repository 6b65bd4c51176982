
/*
 * Copyright (C) the tscast authors
 */


#include "ts_build.h"

#include "ngx_tscast_pace.h"


#define MSEC  NGX_TSCAST_CLOCK_MSEC

#define ARRIVALS  65536


static ngx_tscast_pace_t  pace;
static uint64_t           came[ARRIVALS];
static uint64_t           sent;


static int
setup(void **state)
{
    ngx_tscast_pace_init(&pace);
    sent = 0;

    return 0;
}


/* a packet of a PID, with a PCR unless it is -1 */

static void
packet(uint16_t pid, int64_t pcr, uint64_t now)
{
    uint64_t  base;
    u_char    p[188];

    ngx_memset(p, 0xff, sizeof(p));

    p[0] = 0x47;
    p[1] = (u_char) (pid >> 8);
    p[2] = (u_char) pid;
    p[3] = 0x10;

    if (pcr != -1) {
        base = pcr / 300 % ((uint64_t) 1 << 33);

        p[3] = 0x30;
        p[4] = 7;
        p[5] = 0x10;
        p[6] = (u_char) (base >> 25);
        p[7] = (u_char) (base >> 17);
        p[8] = (u_char) (base >> 9);
        p[9] = (u_char) (base >> 1);
        p[10] = (u_char) (base << 7 | 0x7e | (pcr % 300) >> 8);
        p[11] = (u_char) (pcr % 300);
    }

    assert_true(pace.tail < ARRIVALS);
    came[pace.tail] = now;

    ngx_tscast_pace_packet(&pace, p, now);
}


static void
burst(int64_t pcr, ngx_uint_t n, uint64_t now)
{
    packet(0x100, pcr, now);

    while (--n) {
        packet(0x100, -1, now);
    }
}


/* how many packets leave at this time; none of them later than it may be */

static ngx_uint_t
leave(uint64_t now)
{
    uint64_t    due;
    ngx_uint_t  n;

    due = ngx_tscast_pace_due(&pace, now);

    assert_true(due >= sent);
    assert_true(due <= pace.tail);

    for (n = 0; sent < due; n++) {
        assert_true(now - came[sent] <= NGX_TSCAST_PACE_DELAY + 2 * MSEC);
        sent++;
    }

    return n;
}


/* a frame of 400 packets each 40 ms leaves at 10 packets a millisecond */

static void
pace_spreads(void **state)
{
    uint64_t    t;
    ngx_uint_t  n;

    for (t = 0; t < 2000; t++) {

        if (t % 40 == 0) {
            burst(t * MSEC, 400, (1000 + t) * MSEC);
        }

        n = leave((1000 + t) * MSEC);

        if (t >= 80) {
            assert_in_range(n, 9, 11);
        }
    }

    /* as many as had come 40 ms before */

    assert_in_range(sent, 49 * 400 - 10, 49 * 400);
}


/* key frames: what is between two PCRs has the time between them */

static void
pace_follows_pcr(void **state)
{
    uint64_t    t, size;
    ngx_uint_t  n;

    for (t = 0; t < 4000; t++) {
        size = (t / 40 % 10 == 0) ? 4000 : 200;

        if (t % 40 == 0) {
            burst(t * MSEC, size, (1000 + t) * MSEC);
        }

        n = leave((1000 + t) * MSEC);

        if (t >= 80) {
            size = ((t - 41) / 40 % 10 == 0) ? 4000 : 200;
            assert_in_range(n, size == 200 ? 0 : 90, size / 40 + 100);
        }
    }
}


static void
pace_turns(void **state)
{
    int64_t     pcr;
    uint64_t    t;
    ngx_uint_t  n;

    pcr = NGX_TSCAST_CLOCK_TURN - 500 * MSEC;

    for (t = 0; t < 1000; t++) {

        if (t % 20 == 0) {
            burst((pcr + t * MSEC) % NGX_TSCAST_CLOCK_TURN, 100,
                  (1000 + t) * MSEC);
        }

        n = leave((1000 + t) * MSEC);

        if (t >= 40) {
            assert_in_range(n, 4, 6);
        }
    }
}


/* any jump, back and ahead: no packet waits for longer than it may */

static void
pace_jumps(void **state)
{
    int64_t   pcr;
    uint64_t  t;
    uint32_t  seed;

    seed = 7;
    pcr = 0;

    for (t = 0; t < 10000; t++) {

        if (t % 20 == 0) {
            seed = seed * 1664525 + 1013904223;

            pcr = (seed >> 8) % 10 ? pcr + 20 * MSEC
                                   : (int64_t) (seed >> 4) * 9000;

            burst(pcr % NGX_TSCAST_CLOCK_TURN, 20, (1000 + t) * MSEC);
        }

        leave((1000 + t) * MSEC);
    }

    for ( /* void */ ; t < 10202; t++) {
        leave((1000 + t) * MSEC);
    }

    assert_int_equal(sent, pace.tail);
}


/* ten seconds at once, and a clock that runs 1 % fast */

static void
pace_ahead(void **state)
{
    uint64_t  t;

    for (t = 0; t < 10000; t += 40) {
        burst(t * MSEC, 10, 1000 * MSEC);
    }

    for (t = 0; t <= 201; t++) {
        leave((1000 + t) * MSEC);
    }

    assert_int_equal(sent, pace.tail);

    for (t = 0; t < 20000; t++) {

        if (t % 40 == 0) {
            burst((10000 + t + t / 100) * MSEC, 10, (2000 + t) * MSEC);
        }

        leave((2000 + t) * MSEC);
    }

    /* of two bursts no packet is left, so the backlog did not grow */

    assert_in_range(pace.tail - sent, 0, 40);
}


static void
pace_no_clock(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 50; i++) {
        packet(0x100, -1, 1000 * MSEC);
    }

    assert_int_equal(leave(1000 * MSEC), 50);

    /* one that stops */

    burst(0, 50, 1000 * MSEC);
    assert_int_equal(leave(1000 * MSEC), 0);
    assert_int_equal(ngx_tscast_pace_wait(&pace, 100, 1000 * MSEC),
                     200 * MSEC + 1);
    assert_int_equal(leave(1200 * MSEC), 0);
    assert_int_equal(leave(1200 * MSEC + 1), 50);
    assert_int_equal(ngx_tscast_pace_wait(&pace, 101, 1201 * MSEC), 0);
}


/* a second program has PCRs too, and goes on when the first one ends */

static void
pace_two_clocks(void **state)
{
    uint64_t    t;
    ngx_uint_t  n;

    for (t = 0; t < 3000; t++) {

        if (t % 40 == 0 && t < 1000) {
            burst(t * MSEC, 200, (1000 + t) * MSEC);
        }

        if (t % 40 == 20) {
            packet(0x200, (777000 + t) * MSEC, (1000 + t) * MSEC);

            for (n = 0; n < 199; n++) {
                packet(0x200, -1, (1000 + t) * MSEC);
            }
        }

        n = leave((1000 + t) * MSEC);

        if ((t >= 100 && t < 1000) || t >= 2000) {
            assert_in_range(n, 4, 11);
        }
    }
}


/* what wait says is when it is due, and not a tick before */

static void
pace_waits(void **state)
{
    uint64_t  wait, pos;

    burst(0, 100, 1000 * MSEC);
    burst(100 * MSEC, 7, 1010 * MSEC);

    for (pos = 1; pos <= 100; pos++) {
        wait = ngx_tscast_pace_wait(&pace, pos, 1010 * MSEC);

        assert_int_equal(wait, pos * MSEC);
    }

    for (pos = 1; pos <= 100; pos++) {
        assert_int_equal(ngx_tscast_pace_due(&pace, (1010 + pos) * MSEC - 1),
                         pos - 1);
        assert_int_equal(ngx_tscast_pace_due(&pace, (1010 + pos) * MSEC),
                         pos);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(pace_spreads, setup),
        cmocka_unit_test_setup(pace_follows_pcr, setup),
        cmocka_unit_test_setup(pace_turns, setup),
        cmocka_unit_test_setup(pace_jumps, setup),
        cmocka_unit_test_setup(pace_ahead, setup),
        cmocka_unit_test_setup(pace_no_clock, setup),
        cmocka_unit_test_setup(pace_two_clocks, setup),
        cmocka_unit_test_setup(pace_waits, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
