
/*
 * Copyright (C) the tscast authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_rtp_order.h"


#define OUT_MAX  8192


static ngx_tscast_rtp_order_t  order;
static u_char                  memory[NGX_TSCAST_RTP_MEMORY];
static uint16_t                out[OUT_MAX];
static ngx_uint_t              nout;
static ngx_msec_t              now;


static int
setup(void **state)
{
    nout = 0;
    now = 1000;

    ngx_tscast_rtp_order_init(&order, memory);

    return 0;
}


static void
put(uint16_t n)
{
    assert_true(nout < OUT_MAX);
    out[nout++] = n;
}


static void
drain(void)
{
    size_t    len;
    u_char   *p;
    uint16_t  n;

    while ((p = ngx_tscast_rtp_order_get(&order, now, &len)) != NULL) {
        assert_int_equal(len, sizeof(uint16_t));
        ngx_memcpy(&n, p, sizeof(uint16_t));
        put(n);
    }
}


/* each datagram holds its own number */

static ngx_int_t
add(uint16_t n)
{
    ngx_int_t  rc;

    rc = ngx_tscast_rtp_order_add(&order, n, (u_char *) &n, sizeof(n), now);

    if (rc == NGX_BUSY) {
        drain();
        rc = ngx_tscast_rtp_order_add(&order, n, (u_char *) &n, sizeof(n),
                                      now);
        assert_int_not_equal(rc, NGX_BUSY);
    }

    if (rc == NGX_OK) {
        put(n);
        drain();
    }

    return rc;
}


static void
assert_run(ngx_uint_t i, uint16_t first, ngx_uint_t n)
{
    assert_int_equal(nout, i + n);

    while (n--) {
        assert_int_equal(out[i++], first++);
    }
}


static void
order_straight(void **state)
{
    ngx_uint_t  i;

    /* through the end of the numbers */

    for (i = 0; i < 1000; i++) {
        assert_int_equal(add((uint16_t) (65000 + i)), NGX_OK);
    }

    assert_run(0, 65000, 1000);
    assert_int_equal(order.lost + order.reordered + order.doubled, 0);
}


static void
order_swapped(void **state)
{
    ngx_uint_t  i;

    add(65535);

    for (i = 0; i < 200; i += 2) {
        assert_int_equal(add((uint16_t) (i + 1)), NGX_AGAIN);
        assert_int_equal(add((uint16_t) i), NGX_OK);
    }

    assert_run(0, 65535, 201);
    assert_int_equal(order.reordered, 100);
    assert_int_equal(order.lost, 0);
}


static void
order_waits(void **state)
{
    add(10);
    add(12);
    add(14);

    now += NGX_TSCAST_RTP_WAIT - 1;
    drain();
    assert_run(0, 10, 1);

    now++;
    drain();

    assert_int_equal(nout, 3);
    assert_int_equal(out[1], 12);
    assert_int_equal(out[2], 14);
    assert_int_equal(order.lost, 2);

    /* too late: lost already, and not reordered */

    assert_int_equal(add(11), NGX_DECLINED);
    assert_int_equal(order.lost, 2);
    assert_int_equal(order.reordered, 0);
    assert_int_equal(order.doubled, 0);

    add(15);
    assert_int_equal(out[3], 15);
}


/* the second gap is waited for from when it was seen */

static void
order_waits_for_each(void **state)
{
    add(10);
    add(12);
    now += 30;
    add(14);
    now += 20;
    drain();

    assert_int_equal(nout, 2);
    assert_int_equal(order.lost, 1);

    assert_int_equal(add(13), NGX_OK);
    assert_int_equal(nout, 4);
    assert_int_equal(out[3], 14);
    assert_int_equal(order.reordered, 1);
}


static void
order_doubled(void **state)
{
    add(10);
    assert_int_equal(add(10), NGX_DECLINED);
    add(12);
    assert_int_equal(add(12), NGX_DECLINED);
    add(11);
    assert_int_equal(add(12), NGX_DECLINED);

    assert_run(0, 10, 3);
    assert_int_equal(order.doubled, 3);
    assert_int_equal(order.lost, 0);
}


static void
order_window(void **state)
{
    ngx_uint_t  i;

    add(0);

    for (i = 2; i < 65; i++) {
        assert_int_equal(add((uint16_t) i), NGX_AGAIN);
    }

    assert_int_equal(nout, 1);
    assert_int_equal(order.lost, 0);

    /* no room for this one but for the one that is missing */

    add(65);

    assert_int_equal(nout, 65);
    assert_int_equal(out[1], 2);
    assert_int_equal(out[64], 65);
    assert_int_equal(order.lost, 1);
}


static void
order_gap(void **state)
{
    add(0);
    add(2999);

    now += NGX_TSCAST_RTP_WAIT;
    drain();

    assert_int_equal(nout, 2);
    assert_int_equal(out[1], 2999);
    assert_int_equal(order.lost, 2998);
}


static void
order_begins_anew(void **state)
{
    add(100);
    add(102);

    assert_int_equal(add(40000), NGX_DECLINED);
    assert_int_equal(add(101), NGX_OK);
    assert_int_equal(add(40001), NGX_DECLINED);
    add(104);
    assert_int_equal(add(50000), NGX_DECLINED);
    assert_int_equal(add(50001), NGX_OK);
    assert_int_equal(add(50002), NGX_OK);

    assert_int_equal(nout, 6);
    assert_int_equal(out[3], 104);
    assert_int_equal(out[4], 50001);

    /* three strays and 103 */

    assert_int_equal(order.lost, 4);
}


/* any order within the window comes out straight */

static void
order_shuffled(void **state)
{
    uint16_t    n[32], t;
    uint32_t    seed;
    ngx_uint_t  i, j, k;

    seed = 1;
    add(65000);

    for (i = 0; i < 200; i++) {

        for (j = 0; j < 32; j++) {
            n[j] = (uint16_t) (65001 + i * 32 + j);
        }

        for (j = 31; j; j--) {
            seed = seed * 1664525 + 1013904223;
            k = (seed >> 8) % (j + 1);
            t = n[j];
            n[j] = n[k];
            n[k] = t;
        }

        for (j = 0; j < 32; j++) {
            add(n[j]);
        }
    }

    assert_run(0, 65000, 6401);
    assert_int_equal(order.lost, 0);
    assert_int_equal(order.kept, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(order_straight, setup),
        cmocka_unit_test_setup(order_swapped, setup),
        cmocka_unit_test_setup(order_waits, setup),
        cmocka_unit_test_setup(order_waits_for_each, setup),
        cmocka_unit_test_setup(order_doubled, setup),
        cmocka_unit_test_setup(order_window, setup),
        cmocka_unit_test_setup(order_gap, setup),
        cmocka_unit_test_setup(order_begins_anew, setup),
        cmocka_unit_test_setup(order_shuffled, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
