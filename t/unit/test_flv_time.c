
/*
 * Copyright (C) the tscast authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_ts.h>


#define V  NGX_TSCAST_MUX_VIDEO
#define A  NGX_TSCAST_MUX_AUDIO


static ngx_tscast_flv_time_t  t;


static int
setup(void **state)
{
    ngx_memzero(&t, sizeof(t));

    return 0;
}


/* 33 bits of 90 kHz are those of the timestamp */

static void
flv_time_start(void **state)
{
    static uint32_t  starts[] = { 0, 1, 1000, 0x7fffffff, 0x80000000,
                                  0xffffffff };

    ngx_uint_t  i;

    for (i = 0; i < sizeof(starts) / sizeof(uint32_t); i++) {
        setup(state);

        assert_int_equal((ngx_tscast_flv_time(&t, V, starts[i]) * 90)
                         & 0x1ffffffff,
                         ((uint64_t) starts[i] * 90) & 0x1ffffffff);
    }
}


static void
flv_time_wraps(void **state)
{
    uint32_t    ts;
    uint64_t    first;
    ngx_uint_t  i;

    ts = 0xffffffff - 1000;
    first = ngx_tscast_flv_time(&t, V, ts);

    for (i = 1; i < 100; i++) {
        assert_int_equal(ngx_tscast_flv_time(&t, A, ts + i * 40 - 20),
                         first + i * 40 - 20);
        assert_int_equal(ngx_tscast_flv_time(&t, V, ts + i * 40),
                         first + i * 40);
    }

    assert_int_equal(t.jumps, 0);
}


/* one track begins anew, then the other: they stay in step */

static void
flv_time_jumps(void **state)
{
    uint64_t  v, a, last;

    last = ngx_tscast_flv_time(&t, V, 100000);
    (void) ngx_tscast_flv_time(&t, A, 100010);

    v = ngx_tscast_flv_time(&t, V, 0);
    assert_true(v > last && v < last + 100);

    /* the other has not jumped yet */
    assert_int_equal(ngx_tscast_flv_time(&t, A, 100033), last + 33);

    a = ngx_tscast_flv_time(&t, A, 13);
    assert_int_equal(a, v + 13);
    assert_int_equal(ngx_tscast_flv_time(&t, V, 40), v + 40);
    assert_int_equal(t.jumps, 1);

    /* ahead, by more than a pause */
    v = ngx_tscast_flv_time(&t, V, 1000000000);
    assert_true(v < a + 200);
    assert_int_equal(ngx_tscast_flv_time(&t, A, 1000000007), v + 7);
    assert_int_equal(t.jumps, 2);
}


/* a pause is no jump, of one track or both */

static void
flv_time_pauses(void **state)
{
    uint64_t    first;
    ngx_uint_t  i;

    first = ngx_tscast_flv_time(&t, V, 5000);
    (void) ngx_tscast_flv_time(&t, A, 5000);

    assert_int_equal(ngx_tscast_flv_time(&t, V, 14999), first + 9999);

    for (i = 14; i < 60; i++) {
        (void) ngx_tscast_flv_time(&t, V, 5000 + i * 1000);
    }

    assert_int_equal(ngx_tscast_flv_time(&t, A, 64000), first + 59000);
    assert_int_equal(t.jumps, 0);
}


/* a little back is where it was, and times never go back */

static void
flv_time_grows(void **state)
{
    uint32_t    ts;
    uint64_t    time, last[2];
    ngx_uint_t  i, track;

    last[V] = ngx_tscast_flv_time(&t, V, 5000);
    assert_int_equal(ngx_tscast_flv_time(&t, V, 4990), last[V]);
    assert_int_equal(ngx_tscast_flv_time(&t, V, 5010), last[V] + 10);
    assert_int_equal(t.jumps, 0);

    last[V] += 10;
    last[A] = 0;
    ts = 1;

    for (i = 0; i < 1000000; i++) {
        ts = ts * 1664525 + 1013904223;
        track = (ts >> 20) & 1;
        time = ngx_tscast_flv_time(&t, track, (i & 64) ? ts : ts >> 18);

        assert_true(time >= last[track]);
        assert_true(time <= ngx_max(last[V], last[A]) + 10000);

        last[track] = time;
    }
}


/* a clock of its own for the second track */

static void
flv_time_apart(void **state)
{
    uint64_t  v, a;

    v = ngx_tscast_flv_time(&t, V, 900000);
    a = ngx_tscast_flv_time(&t, A, 0);

    assert_true(a >= v && a < v + 100);
    assert_int_equal(ngx_tscast_flv_time(&t, V, 900040), v + 40);
    assert_int_equal(ngx_tscast_flv_time(&t, A, 23), a + 23);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(flv_time_start, setup),
        cmocka_unit_test_setup(flv_time_wraps, setup),
        cmocka_unit_test_setup(flv_time_jumps, setup),
        cmocka_unit_test_setup(flv_time_pauses, setup),
        cmocka_unit_test_setup(flv_time_grows, setup),
        cmocka_unit_test_setup(flv_time_apart, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
