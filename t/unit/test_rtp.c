
/*
 * Copyright (C) the tscast authors
 */


/*
 * RTP packets by hand, after the drawings of RFC 3550, 5.1 and 5.3.1, and
 * sequence numbers of which is known what came and what did not.
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_rtp.h>


static ngx_tscast_rtp_t      rtp;
static ngx_tscast_rtp_seq_t  seq;


/* in a block of its own, so that a sanitizer sees what is read behind it */

static ngx_int_t
parse(const void *p, size_t n)
{
    ngx_int_t       rc;
    static u_char  *copy;

    free(copy);

    copy = malloc(n ? n : 1);
    assert_non_null(copy);

    ngx_memcpy(copy, p, n);

    rc = ngx_tscast_rtp_parse(&rtp, copy, n);

    if (rc == NGX_OK) {
        assert_true(rtp.payload >= copy);
        assert_true(rtp.payload + rtp.len <= copy + n);
    }

    return rc;
}


static void
test_header(void **state)
{
    assert_int_equal(parse("\x80\x21\x12\x34\x89\xab\xcd\xef\xfe\xdc\xba\x98"
                           "abc", 15),
                     NGX_OK);

    assert_int_equal(rtp.type, 33);
    assert_int_equal(rtp.marker, 0);
    assert_int_equal(rtp.sequence, 0x1234);
    assert_int_equal(rtp.timestamp, 0x89abcdef);
    assert_int_equal(rtp.ssrc, 0xfedcba98);
    assert_int_equal(rtp.len, 3);
    assert_memory_equal(rtp.payload, "abc", 3);

    assert_int_equal(parse("\x80\xe0\0\1\0\0\0\2\0\0\0\3", 12), NGX_OK);

    assert_int_equal(rtp.type, 96);
    assert_int_equal(rtp.marker, 1);
    assert_int_equal(rtp.len, 0);
}


static void
test_version(void **state)
{
    u_char      p[12];
    ngx_uint_t  i;

    ngx_memzero(p, sizeof(p));

    for (i = 0; i < 4; i++) {
        p[0] = i << 6;
        assert_int_equal(parse(p, 12), i == 2 ? NGX_OK : NGX_DECLINED);
    }
}


static void
test_csrc(void **state)
{
    size_t      n;
    u_char      p[12 + 15 * 4 + 1];
    ngx_uint_t  cc;

    ngx_memzero(p, sizeof(p));

    for (cc = 0; cc < 16; cc++) {
        p[0] = 0x80 | cc;
        n = 12 + cc * 4;
        p[n] = 'x';

        assert_int_equal(parse(p, n + 1), NGX_OK);
        assert_int_equal(rtp.len, 1);
        assert_int_equal(rtp.payload[0], 'x');

        assert_int_equal(parse(p, n), NGX_OK);
        assert_int_equal(rtp.len, 0);

        assert_int_equal(parse(p, n - 1), NGX_DECLINED);

        p[n] = 0;
    }
}


static void
test_extension(void **state)
{
    size_t       n;
    static char  p[] = "\x91\x21\0\1\0\0\0\2\0\0\0\3" "csrc"
                       "\xbe\xde\0\2" "12345678" "payload";

    assert_int_equal(parse(p, sizeof(p) - 1), NGX_OK);
    assert_int_equal(rtp.len, 7);
    assert_memory_equal(rtp.payload, "payload", 7);

    for (n = 0; n < 28; n++) {
        assert_int_equal(parse(p, n), NGX_DECLINED);
    }

    assert_int_equal(parse(p, 28), NGX_OK);
    assert_int_equal(rtp.len, 0);

    /* the longest one is not here */

    p[18] = (char) 0xff;
    p[19] = (char) 0xff;
    assert_int_equal(parse(p, sizeof(p) - 1), NGX_DECLINED);
}


static void
test_padding(void **state)
{
    static char  p[] = "\xa0\x21\0\1\0\0\0\2\0\0\0\3" "abc\0\0\3";

    assert_int_equal(parse(p, 18), NGX_OK);
    assert_int_equal(rtp.len, 3);
    assert_memory_equal(rtp.payload, "abc", 3);

    p[17] = 6;
    assert_int_equal(parse(p, 18), NGX_OK);
    assert_int_equal(rtp.len, 0);

    /* more than there is, into the header, none at all */

    p[17] = 7;
    assert_int_equal(parse(p, 18), NGX_DECLINED);
    p[17] = (char) 0xff;
    assert_int_equal(parse(p, 18), NGX_DECLINED);
    p[17] = 0;
    assert_int_equal(parse(p, 18), NGX_DECLINED);
    assert_int_equal(parse(p, 12), NGX_DECLINED);
}


static void
test_is_ts(void **state)
{
    u_char  p[12 + 7 * 188];

    ngx_memzero(p, sizeof(p));
    p[0] = 0x80;
    p[1] = 33;
    p[12] = 0x47;
    p[12 + 188] = 0x47;

    assert_int_equal(parse(p, 12 + 188), NGX_OK);
    assert_int_equal(ngx_tscast_rtp_is_ts(&rtp), 1);

    assert_int_equal(parse(p, 12 + 2 * 188), NGX_OK);
    assert_int_equal(ngx_tscast_rtp_is_ts(&rtp), 1);

    /* the third has no sync byte */

    assert_int_equal(parse(p, 12 + 3 * 188), NGX_OK);
    assert_int_equal(ngx_tscast_rtp_is_ts(&rtp), 0);

    /* nothing, and no whole packets */

    assert_int_equal(parse(p, 12), NGX_OK);
    assert_int_equal(ngx_tscast_rtp_is_ts(&rtp), 0);
    assert_int_equal(parse(p, 12 + 187), NGX_OK);
    assert_int_equal(ngx_tscast_rtp_is_ts(&rtp), 0);
    assert_int_equal(parse(p, 12 + 189), NGX_OK);
    assert_int_equal(ngx_tscast_rtp_is_ts(&rtp), 0);

    /* another type */

    p[1] = 96;
    assert_int_equal(parse(p, 12 + 188), NGX_OK);
    assert_int_equal(ngx_tscast_rtp_is_ts(&rtp), 0);
}


static int
seq_setup(void **state)
{
    ngx_memzero(&seq, sizeof(ngx_tscast_rtp_seq_t));
    ngx_memzero(&rtp, sizeof(ngx_tscast_rtp_t));

    return 0;
}


static void
come(ngx_uint_t n, ngx_int_t rc)
{
    rtp.sequence = n;
    assert_int_equal(ngx_tscast_rtp_seq_next(&seq, &rtp), rc);
}


static void
run(ngx_uint_t from, ngx_uint_t n)
{
    while (n--) {
        come(from++, NGX_OK);
    }
}


static void
counted(uint64_t missing, uint64_t reordered, uint64_t doubled)
{
    assert_int_equal(seq.missing, missing);
    assert_int_equal(seq.reordered, reordered);
    assert_int_equal(seq.doubled, doubled);
}


static void
test_seq_in_order(void **state)
{
    /* past the end of the numbers, twice */

    run(65000, 140000);
    ngx_tscast_rtp_seq_finish(&seq);
    counted(0, 0, 0);

    /* nothing has begun */

    ngx_tscast_rtp_seq_finish(&seq);
    counted(0, 0, 0);
}


static void
test_seq_missing(void **state)
{
    /* known when 64 have passed */

    run(65530, 10);
    come(7, NGX_OK);
    counted(0, 0, 0);

    run(8, 60);
    counted(0, 0, 0);
    run(68, 1);
    counted(1, 0, 0);
    run(69, 1);
    counted(2, 0, 0);
    run(70, 1);
    counted(3, 0, 0);
    run(71, 100);
    counted(3, 0, 0);

    /* or at the end */

    come(176, NGX_OK);
    ngx_tscast_rtp_seq_finish(&seq);
    counted(8, 0, 0);
}


static void
test_seq_wide(void **state)
{
    ngx_uint_t  i, at;

    static const ngx_uint_t  ahead[] = { 62, 63, 64, 65, 66, 1000, 32767 };

    at = 0;
    come(at, NGX_OK);

    for (i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        seq.missing = 0;
        at += ahead[i];
        come(at, NGX_OK);
        run(at + 1, 200);
        at += 200;
        counted(ahead[i] - 1, 0, 0);
    }
}


static void
test_seq_reordered(void **state)
{
    run(0, 5);
    come(6, NGX_OK);
    come(5, NGX_OK);
    come(63, NGX_OK);
    come(7, NGX_OK);
    counted(0, 2, 0);

    run(8, 55);
    counted(0, 57, 0);

    run(64, 100);
    ngx_tscast_rtp_seq_finish(&seq);
    counted(0, 57, 0);
}


static void
test_seq_before_first(void **state)
{
    come(3, NGX_OK);
    come(2, NGX_OK);
    come(65535, NGX_OK);
    run(4, 200);
    ngx_tscast_rtp_seq_finish(&seq);
    counted(0, 2, 0);
}


static void
test_seq_doubled(void **state)
{
    run(10, 3);
    come(12, NGX_DECLINED);
    come(10, NGX_DECLINED);
    come(14, NGX_OK);
    come(13, NGX_OK);
    come(13, NGX_DECLINED);
    counted(0, 1, 3);
}


static void
test_seq_too_late(void **state)
{
    come(0, NGX_OK);
    come(100, NGX_OK);
    counted(36, 0, 0);

    /* one that has been given up: in the stream as it came */

    come(20, NGX_OK);
    counted(36, 1, 0);

    run(101, 64);
    counted(99, 1, 0);
}


static void
test_seq_restart(void **state)
{
    /* the numbers begin anew: the second one tells */

    run(1000, 10);
    come(0, NGX_OK);
    run(1, 100);
    ngx_tscast_rtp_seq_finish(&seq);
    counted(0, 1, 0);

    seq_setup(state);

    /* another sender */

    run(1000, 10);
    rtp.ssrc++;
    run(40000, 10);
    ngx_tscast_rtp_seq_finish(&seq);
    counted(0, 0, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_csrc),
        cmocka_unit_test(test_extension),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_is_ts),
        cmocka_unit_test_setup(test_seq_in_order, seq_setup),
        cmocka_unit_test_setup(test_seq_missing, seq_setup),
        cmocka_unit_test_setup(test_seq_wide, seq_setup),
        cmocka_unit_test_setup(test_seq_reordered, seq_setup),
        cmocka_unit_test_setup(test_seq_before_first, seq_setup),
        cmocka_unit_test_setup(test_seq_doubled, seq_setup),
        cmocka_unit_test_setup(test_seq_too_late, seq_setup),
        cmocka_unit_test_setup(test_seq_restart, seq_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
