
/*
 * Copyright (C) the tscast authors
 */


#include "ts_build.h"


typedef struct {
    u_char       data[64 * 188];
    size_t       len;
    uint64_t     dropped;
    uint64_t     resyncs;
} result_t;


static u_char    input[64 * 188];
static size_t    input_len;


static void
add_packets(ngx_uint_t n)
{
    u_char      *p;
    ngx_uint_t   i;

    while (n--) {
        p = input + input_len;

        for (i = 1; i < 188; i++) {
            p[i] = (u_char) (input_len + i * 7);
        }

        p[0] = 0x47;
        input_len += 188;
    }
}


static void
add_bytes(char *data, size_t len)
{
    ngx_memcpy(input + input_len, data, len);
    input_len += len;
}


static void
take(result_t *r, u_char *run, ngx_uint_t n)
{
    assert_true(r->len + n * 188 <= sizeof(r->data));

    ngx_memcpy(r->data + r->len, run, n * 188);
    r->len += n * 188;
}


static void
feed(ngx_tscast_ts_sync_t *s, result_t *r, u_char *data, size_t len)
{
    u_char      *pos, *copy, *run;
    ngx_uint_t   n;

    /* a block of its own shows reads beyond the end */

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    ngx_memcpy(copy, data, len);

    for (pos = copy; /* void */ ; /* void */ ) {
        n = ngx_tscast_ts_sync(s, &pos, copy + len, &run);

        if (n == 0) {
            break;
        }

        take(r, run, n);
    }

    assert_ptr_equal(pos, copy + len);

    free(copy);
}


/* cuts at a and b, then every step bytes */

static void
run_cut(result_t *r, size_t a, size_t b, size_t step)
{
    size_t                 n;
    u_char                *run;
    ngx_uint_t             packets;
    ngx_tscast_ts_sync_t   s;

    ngx_memzero(r, sizeof(result_t));
    ngx_tscast_ts_sync_init(&s);

    feed(&s, r, input, a);
    feed(&s, r, input + a, b - a);

    for ( /* void */ ; b < input_len; b += n) {
        n = ngx_min(step, input_len - b);
        feed(&s, r, input + b, n);
    }

    packets = ngx_tscast_ts_sync_flush(&s, &run);
    assert_true(packets < 5);
    take(r, run, packets);

    r->dropped = s.dropped;
    r->resyncs = s.resyncs;
}


static void
assert_same(result_t *a, result_t *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
    assert_int_equal(a->dropped, b->dropped);
    assert_int_equal(a->resyncs, b->resyncs);
}


static void
every_split(size_t packets, size_t dropped, size_t resyncs)
{
    size_t           a, b;
    static result_t  whole, cut;

    run_cut(&whole, 0, input_len, 1);

    assert_int_equal(whole.len, packets * 188);
    assert_int_equal(whole.dropped, dropped);
    assert_int_equal(whole.resyncs, resyncs);

    for (a = 0; a <= input_len; a++) {
        run_cut(&cut, 0, a, input_len);
        assert_same(&whole, &cut);
    }

    for (a = 0; a <= input_len; a += 13) {
        for (b = a; b <= input_len; b += 47) {
            run_cut(&cut, a, b, 188 * 3 + 5);
            assert_same(&whole, &cut);
        }
    }

    for (a = 1; a < 400; a++) {
        run_cut(&cut, 0, 0, a);
        assert_same(&whole, &cut);
    }
}


static void
ts_sync_clean_stream(void **state)
{
    input_len = 0;
    add_packets(12);
    every_split(12, 0, 0);
}


static void
ts_sync_garbage_before(void **state)
{
    input_len = 0;
    add_bytes("GET / HTTP/1.1\r\n\x47\x47", 18);
    add_packets(6);
    every_split(6, 18, 0);
}


static void
ts_sync_garbage_between(void **state)
{
    static result_t  r;

    input_len = 0;
    add_packets(6);
    add_bytes("x\x47garbage\x47", 10);
    add_packets(7);
    every_split(13, 10, 1);

    run_cut(&r, 0, input_len, 1);
    assert_memory_equal(r.data, input, 6 * 188);
    assert_memory_equal(r.data + 6 * 188, input + 6 * 188 + 10, 7 * 188);
}


/*
 * Datagrams of 1472 bytes, cut anywhere, one of which is lost: the packet that
 * it had a part of is not made of two halves, and the rest is whole.
 */

static void
ts_sync_lost_datagram(void **state)
{
    u_char                      *p;
    size_t                       at, n;
    ngx_uint_t                   packets, lost;
    static result_t              r;
    static ngx_tscast_ts_sync_t  s;

    input_len = 0;
    add_packets(64);

    for (lost = 1; lost < 7; lost++) {
        ngx_memzero(&r, sizeof(result_t));

        ngx_tscast_ts_sync_init(&s);
        s.datagrams = 1;

        for (at = 0; at < input_len; at += 1472) {
            n = ngx_min(1472, input_len - at);

            if (at != lost * 1472) {
                feed(&s, &r, input + at, n);
            }
        }

        packets = r.len / 188;

        /* the whole ones before, and those behind up to the end */

        n = lost * 1472 / 188;
        p = r.data + n * 188;

        assert_memory_equal(r.data, input, n * 188);

        n = packets - n;
        assert_memory_equal(p, input + input_len - n * 188, n * 188);

        at = (lost + 1) * 1472;
        assert_int_equal(n, (input_len - at) / 188);
        assert_int_equal(s.dropped, input_len - 1472 - packets * 188);
    }
}


/* fewer than five packets between two pieces of garbage are no stream */

static void
ts_sync_too_few(void **state)
{
    input_len = 0;
    add_packets(5);
    add_bytes("abc", 3);
    add_packets(4);
    add_bytes("def", 3);
    add_packets(5);
    every_split(10, 3 + 4 * 188 + 3, 1);
}


static void
ts_sync_cut_packet(void **state)
{
    input_len = 0;
    add_packets(6);
    input_len -= 100;
    add_packets(7);

    /* the sixth is taken with the head of what follows: 88 + 100 bytes */

    every_split(6 + 6, 88, 1);
}


static void
ts_sync_short_input_and_rest(void **state)
{
    input_len = 0;
    add_packets(3);
    every_split(3, 0, 0);

    add_bytes("\x47rest", 5);
    every_split(3, 5, 0);

    input_len = 0;
    add_packets(8);
    add_bytes("\x47rest", 5);
    every_split(8, 5, 0);
}


static void
ts_sync_nothing_but_garbage(void **state)
{
    size_t  i;

    for (i = 0; i < 4000; i++) {
        input[i] = (u_char) (i * i >> 3);

        if (input[i] == 0x47) {
            input[i] = 0x48;
        }
    }

    input_len = 4000;
    every_split(0, 4000, 0);
}


static void
ts_sync_nothing_but_sync_bytes(void **state)
{
    ngx_memset(input, 0x47, 2000);

    input_len = 2000;
    every_split(10, 2000 - 1880, 0);
}


static void
ts_sync_in_place(void **state)
{
    u_char                *pos, *run;
    ngx_tscast_ts_sync_t   s;

    input_len = 0;
    add_packets(10);
    ngx_tscast_ts_sync_init(&s);

    pos = input;

    assert_int_equal(ngx_tscast_ts_sync(&s, &pos, input + 9 * 188 + 10,
                                        &run), 9);
    assert_ptr_equal(run, input);
    assert_int_equal(ngx_tscast_ts_sync(&s, &pos, input + 9 * 188 + 10,
                                        &run), 0);

    /* a packet over two inputs is handed out with its last byte */

    assert_int_equal(ngx_tscast_ts_sync(&s, &pos, input + 10 * 188 - 1,
                                        &run), 0);
    assert_int_equal(ngx_tscast_ts_sync(&s, &pos, input + 10 * 188, &run), 1);
    assert_ptr_equal(run, s.carry);
    assert_memory_equal(run, input + 9 * 188, 188);
}


static void
fill_period(size_t size, size_t n, size_t skip)
{
    size_t  i;

    ngx_memset(input, 0, sizeof(input));

    for (i = 0; i < n; i++) {
        input[skip + i * size] = 0x47;
    }
}


static void
ts_packet_size_by_period(void **state)
{
    size_t          i, size;
    static size_t   sizes[] = { 188, 192, 204 };

    for (i = 0; i < 3; i++) {
        size = sizes[i];

        fill_period(size, 20, 4);
        assert_int_equal(ngx_tscast_ts_packet_size(input, 20 * size), size);

        fill_period(size, 5, 100);
        assert_int_equal(ngx_tscast_ts_packet_size(input,
                                                   100 + 4 * size + 1), size);
        assert_int_equal(ngx_tscast_ts_packet_size(input, 100 + 4 * size), 0);
    }

    fill_period(200, 20, 0);
    assert_int_equal(ngx_tscast_ts_packet_size(input, 4000), 0);
    assert_int_equal(ngx_tscast_ts_packet_size(input, 0), 0);

    ngx_memset(input, 0, sizeof(input));
    assert_int_equal(ngx_tscast_ts_packet_size(input, sizeof(input)), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ts_sync_clean_stream),
        cmocka_unit_test(ts_sync_garbage_before),
        cmocka_unit_test(ts_sync_garbage_between),
        cmocka_unit_test(ts_sync_lost_datagram),
        cmocka_unit_test(ts_sync_too_few),
        cmocka_unit_test(ts_sync_cut_packet),
        cmocka_unit_test(ts_sync_short_input_and_rest),
        cmocka_unit_test(ts_sync_nothing_but_garbage),
        cmocka_unit_test(ts_sync_nothing_but_sync_bytes),
        cmocka_unit_test(ts_sync_in_place),
        cmocka_unit_test(ts_packet_size_by_period),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
