
/*
 * Copyright (C) the tscast authors
 */


#include "ts_build.h"


#define KEY    NGX_TSCAST_TS_RAP
#define OTHER  0

#define es(type, result, data)                                                \
    every_split(type, result, data, sizeof(data) - 1)


static ts_build_t              b;
static ngx_tscast_ts_parser_t  p;
static size_t                  pos;


static void
begin(u_char type)
{
    ts_build_init(&b);
    ngx_tscast_ts_parser_init(&p);
    pos = 0;

    ts_build_tables(&b, type);
    assert_int_equal(ts_build_parse(&b, &p, &pos), NGX_TSCAST_TS_TABLES);
}


static ngx_uint_t
parse(void)
{
    return ts_build_parse(&b, &p, &pos);
}


static void
check(u_char type, ngx_uint_t result, size_t at)
{
    assert_int_equal(parse(), result);

    if (result) {
        assert_int_equal(p.rap.offset, at);
    }

    assert_int_equal(p.cc_errors, 0);
}


/* the PES packet as a whole, in any two pieces, in pieces of any size */

static void
every_split(u_char type, ngx_uint_t result, char *data, size_t len)
{
    u_char  pes[184];
    size_t  i, n;

    begin(type);

    n = ts_build_pes(pes, 0xe0, data, len);
    ts_build_packet(&b, 0x100, 1, 0, pes, n);
    check(type, result, 2 * 188);

    for (i = 1; i < n; i++) {
        b.len = 0;
        pos = 0;
        ts_build_packet(&b, 0x100, 1, 0, pes, i);
        ts_build_packet(&b, 0x100, 0, 0, pes + i, n - i);
        check(type, result, 0);

        b.len = 0;
        pos = 0;
        ts_build_unit(&b, 0x100, pes, n, i);
        check(type, result, 0);
    }
}


/* ISO/IEC 14496-10: NAL units */

static void
ts_es_h264(void **state)
{
    /* IDR, with and without anything before it, and 4 byte start codes */

    es(0x1b, KEY, "\0\0\1\x65\x88\x84");
    es(0x1b, KEY, "\0\0\0\1\x09\xf0\0\0\0\1\x67\x42\xc0\x1e\0\0\0\1\x68\xce"
                  "\0\0\0\1\x65\xb8\x04");
    es(0x1b, KEY, "\0\0\0\0\0\0\1\x25\x88");

    /* P and B */

    es(0x1b, OTHER, "\0\0\1\x09\xf0\0\0\1\x41\x9a\x24\0\0\1\x65\x88\x84");
    es(0x1b, OTHER, "\0\0\1\x09\xf0\0\0\1\x01\x9e\x24");
    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x41\x9a\x24");

    /* slice_type 7 and 2, an SPS in the access unit or none */

    es(0x1b, KEY, "\0\0\1\x67\x42\0\0\1\x68\xce\0\0\1\x61\x88\x84");
    es(0x1b, KEY, "\0\0\1\x67\x42\0\0\1\x68\xce\0\0\1\x61\xb0\x84");
    es(0x1b, OTHER, "\0\0\1\x09\xf0\0\0\1\x61\x88\x84");

    /* slice_type 5, 6, 8 and 9 */

    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x61\x98\x84");
    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x61\x9c\x84");
    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x61\x89\x84");
    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x61\x8a\x84");

    /* first_mb_in_slice is not 0: the picture began before */

    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x61\x44\x40");
    es(0x1b, OTHER, "\0\0\1\x65\x44\x40\0\0\1\x65\x88");

    /* a short NAL unit right before a start code */

    es(0x1b, KEY, "\0\0\1\x0a\0\0\1\x65\x88");

    /* data partitioning */

    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x42\x88\0\0\1\x65\x88");

    es(0x1b, OTHER, "");
    es(0x1b, OTHER, "\0\0\1");
    es(0x1b, OTHER, "\0\0\1\x65");
    es(0x1b, OTHER, "\0\1\x65\x88\0\0\2\x65\x88\1\1\1\x65");
}


static void
ts_es_h264_recovery_point(void **state)
{
    /* type 6: alone, after another message, after long type and size */

    es(0x1b, KEY, "\0\0\1\x06\x06\1\xc4\x80\0\0\1\x61\x88\x84");
    es(0x1b, KEY, "\0\0\1\x06\1\2\x11\x22\x06\1\xc4\x80\0\0\1\x61\x88\x84");
    es(0x1b, KEY, "\0\0\1\x06\xff\1\1\x11\x06\1\xc4\x80\0\0\1\x61\x88\x84");

    /* a message of 3 bytes, 0 0 1, of which the last is escaped */

    es(0x1b, KEY, "\0\0\1\x06\4\3\0\0\3\1\x06\1\xc4\x80"
                  "\0\0\1\x61\x88\x84");

    /* no recovery point: it is inside of another message, or not type 6 */

    es(0x1b, OTHER, "\0\0\1\x06\5\4\x11\x06\1\xc4\x80\0\0\1\x61\x88\x84");
    es(0x1b, OTHER, "\0\0\1\x06\xff\x06\1\xc4\x80\0\0\1\x61\x88\x84");
    es(0x1b, OTHER, "\0\0\1\x06\1\2\x11\x22\x80\0\0\1\x61\x88\x84");

    /* a message that claims to be longer than its NAL unit */

    es(0x1b, KEY, "\0\0\1\x06\5\xff\xff\x11\0\0\1\x65\x88\x84");

    /* intra refresh begins with P */

    es(0x1b, OTHER, "\0\0\1\x67\x42\0\0\1\x06\x06\2\x0b\x20\x80"
                    "\0\0\1\x61\x9a\x84");
}


/* ISO/IEC 23008-2: nal_unit_type is in bits 1 to 6 of the first byte */

static void
ts_es_hevc(void **state)
{
    u_char  type, data[] = "\0\0\1\x46\1\x50\0\0\1\x40\1\x0c\0\0\1\x26\1\xaf";

    es(0x24, KEY, "\0\0\0\1\x46\1\x50\0\0\0\1\x40\1\x0c\0\0\0\1\x42\1\1"
                  "\0\0\0\1\x44\1\xc1\0\0\1\x28\1\xaf");
    es(0x24, OTHER, "\0\0\0\1\x46\1\x50\0\0\0\1\x02\1\xd0\0\0\1\x28\1\xaf");

    /* all types: 16 to 21 are IRAP, 0 to 9 other pictures */

    for (type = 0; type <= 31; type++) {
        data[15] = type << 1;
        every_split(0x24, (type >= 16 && type <= 21) ? KEY : OTHER,
                    (char *) data, sizeof(data) - 1);
    }

    /* a slice in the middle of the picture */

    es(0x24, OTHER, "\0\0\1\x28\1\x2f\0\0\1\x28\1\xaf");

    /* of another layer: not looked at */

    es(0x24, KEY, "\0\0\1\x02\x09\xd0\0\0\1\x28\1\xaf");
    es(0x24, KEY, "\0\0\1\x03\1\xd0\0\0\1\x28\1\xaf");

    es(0x24, OTHER, "\0\0\1\x28\1");
}


/* ISO/IEC 13818-2: picture_coding_type 1 is I, 2 is P, 3 is B */

static void
ts_es_mpeg(void **state)
{
    es(0x02, KEY, "\0\0\1\xb3\x16\1\x20\x13\0\0\1\xb5\x14"
                  "\0\0\1\xb8\0\x08\0\0\1\0\0\x0f\xff\xf8");
    es(0x01, KEY, "\0\0\1\xb3\x16\1\x20\x13\0\0\1\0\xff\xcf\xff\xf8");
    es(0x02, OTHER, "\0\0\1\xb3\x16\1\x20\x13\0\0\1\0\0\x57\xff\xf8");
    es(0x02, OTHER, "\0\0\1\xb3\x16\1\x20\x13\0\0\1\0\0\x1f\xff\xf8");
    es(0x02, OTHER, "\0\0\1\0\0\x0f\xff\xf8");
    es(0x02, OTHER, "\0\0\1\0\0\x57\xff\xf8\0\0\1\1\x22");

    /* the end of another picture, and the key frame in the same packet */

    es(0x02, KEY, "\0\0\1\0\0\x57\xff\xf8\0\0\1\1\x22\0\0\1\xb3\x16\1"
                  "\0\0\1\0\0\x0f\xff\xf8");

    es(0x02, OTHER, "\0\0\1\xb3\x16\1\x20\x13\0\0\1\0\0");
}


/* ISO/IEC 14496-2: vop_coding_type 0 is I, 1 is P */

static void
ts_es_mpeg4(void **state)
{
    es(0x10, KEY, "\0\0\1\xb0\1\0\0\1\xb5\x09\0\0\1\0\0\0\1\x20\x08"
                  "\0\0\1\xb6\x10\x60");
    es(0x10, KEY, "\0\0\1\x2f\x08\0\0\1\xb3\0\0\0\1\xb6\x3f\x60");
    es(0x10, OTHER, "\0\0\1\x20\x08\0\0\1\xb6\x50\x60");
    es(0x10, OTHER, "\0\0\1\xb6\x10\x60");
}


static void
ts_es_pes_header(void **state)
{
    u_char         pes[300];
    size_t         n, i;
    ngx_uint_t     len;
    static u_char  wrong[] = { 1, 1, 2, 0xbe, 0, 7, 0x40, 0 };

    /* every PES_header_data_length, over packets */

    for (len = 0; len < 256; len++) {
        begin(0x1b);

        ngx_memset(pes, 0xff, sizeof(pes));
        ngx_memcpy(pes, "\0\0\1\xe0\0\0\x80\0", 8);
        pes[8] = (u_char) len;

        /* what looks like a key frame is stuffing */

        if (len >= 5) {
            ngx_memcpy(pes + 9, "\0\0\1\x65\x88", 5);
        }

        n = 9 + len;
        ngx_memcpy(pes + n, "\0\0\1\x65\x88", 5);

        ts_build_unit(&b, 0x100, pes, n, 100);
        assert_int_equal(parse(), 0);

        ts_build_packet(&b, 0x100, 0, 0, pes + n, 5);
        assert_int_equal(parse(), KEY);
        assert_int_equal(p.rap.offset, 2 * 188);
    }

    /* bytes that must be as they are, each of them wrong */

    for (i = 0; i < 8; i++) {
        begin(0x1b);
        n = ts_build_pes(pes, 0xe0, "\0\0\1\x65\x88", 5);
        pes[i] = wrong[i];
        ts_build_packet(&b, 0x100, 1, 0, pes, n);

        assert_int_equal(parse(), (i == 4 || i == 7) ? KEY : 0);
    }

    /* a PES_packet_length that just holds the header */

    begin(0x1b);
    n = ts_build_pes(pes, 0xe0, "\0\0\1\x65\x88", 5);
    pes[5] = 8 + 5;
    ts_build_packet(&b, 0x100, 1, 0, pes, n);
    assert_int_equal(parse(), KEY);
}


/* once for each PES packet, and what was missing is not guessed */

static void
ts_es_once(void **state)
{
    u_char  pes[184];
    size_t  n;

    begin(0x1b);

    n = ts_build_pes(pes, 0xe0, "\0\0\1\x65\x88\0\0\1\x65\x88", 10);
    ts_build_packet(&b, 0x100, 1, 0, pes, n);
    assert_int_equal(parse(), KEY);

    ts_build_packet(&b, 0x100, 0, 0, "\0\0\1\x65\x88", 5);
    assert_int_equal(parse(), 0);

    /* a packet is lost between the start and the slice */

    n = ts_build_pes(pes, 0xe0, "\0\0\1\x67", 4);
    ts_build_packet(&b, 0x100, 1, 0, pes, n);
    b.cc[0x100]++;
    ts_build_packet(&b, 0x100, 0, 0, "\0\0\1\x65\x88", 5);
    assert_int_equal(parse(), 0);
    assert_int_equal(p.cc_errors, 1);

    /* a duplicate is not */

    ts_build_packet(&b, 0x100, 1, 0, pes, n);
    b.cc[0x100] = (b.cc[0x100] - 1) & 0x0f;
    ts_build_packet(&b, 0x100, 1, 0, pes, n);
    ts_build_packet(&b, 0x100, 0, 0, "\0\0\1\x65\x88", 5);
    assert_int_equal(parse(), KEY);
    assert_int_equal(p.rap.offset, b.len - 3 * 188);
    assert_int_equal(p.cc_errors, 1);
}


static void
ts_es_long_frame(void **state)
{
    u_char      pes[184];
    size_t      n;
    ngx_uint_t  i;

    begin(0x1b);

    n = ts_build_pes(pes, 0xe0, "\0\0\1\x09\xf0", 5);
    ts_build_packet(&b, 0x100, 1, 0, pes, n);

    for (i = 0; i < 1000; i++) {
        ts_build_packet(&b, 0x100, 0, 0, "\0\0\1\x0c\xff\xff\0", 7);
    }

    assert_int_equal(parse(), 0);

    ts_build_packet(&b, 0x100, 0, 0, "\0\1\x65\x88", 4);
    assert_int_equal(parse(), KEY);
    assert_int_equal(p.rap.offset, 2 * 188);

    /* counters are those before the start of it */

    assert_int_equal(p.rap.cc[0], 0);
    assert_int_equal(p.rap.cc[1], 0);
    assert_int_equal(p.rap.cc[2], 15);
}


static void
ts_es_audio(void **state)
{
    u_char      pes[184];
    size_t      n;
    ngx_uint_t  i;

    begin(0x0f);

    n = ts_build_pes(pes, 0xc0, "\xff\xf1\x50", 3);

    for (i = 0; i < 5; i++) {
        ts_build_packet(&b, 0x100, 1, 0, pes, n);
        assert_int_equal(parse(), KEY);
        assert_int_equal(p.rap.offset, b.len - 188);

        ts_build_packet(&b, 0x100, 0, 0, pes, n);
        assert_int_equal(parse(), 0);
    }

    ts_build_unit(&b, 0x100, pes, n, 1);
    assert_int_equal(parse(), KEY);

    ts_build_packet(&b, 0x100, 1, 0, "\0\0\2\xc0", 4);
    assert_int_equal(parse(), 0);
}


static void
random_access(u_char type, u_char scrambling)
{
    u_char      pes[184];
    size_t      n;
    ngx_uint_t  i;

    begin(type);

    n = ts_build_pes(pes, 0xe0, "abc", 3);

    if (scrambling) {
        ngx_memset(pes, 0x5a, n);
    }

    for (i = 0; i < 50; i++) {
        ts_build_packet(&b, 0x100, 1, 0, pes, n)[3] |= scrambling;
        ts_build_packet(&b, 0x100, 0, 0, pes, n)[3] |= scrambling;
        assert_int_equal(parse(), 0);
    }

    ts_build_packet(&b, 0x100, 1, 0x40, pes, n)[3] |= scrambling;
    assert_int_equal(parse(), KEY);
    assert_int_equal(p.rap.offset, b.len - 188);

    /* it may come before the start, in a packet without payload */

    ts_build_packet(&b, 0x100, 0, 0x40, "", 0);
    ts_build_packet(&b, 0x100, 1, 0, pes, n)[3] |= scrambling;
    assert_int_equal(parse(), KEY);

    for (i = 0; i < 100; i++) {
        ts_build_packet(&b, 0x100, 1, 0, pes, n)[3] |= scrambling;
        assert_int_equal(parse(), 0);
    }

    /* a hundred without one: whatever starts */

    for (i = 0; i < 3; i++) {
        ts_build_packet(&b, 0x100, 1, 0, pes, n)[3] |= scrambling;
        assert_int_equal(parse(), KEY);
    }

    ts_build_packet(&b, 0x100, 1, 0x40, pes, n)[3] |= scrambling;
    assert_int_equal(parse(), KEY);

    ts_build_packet(&b, 0x100, 1, 0, pes, n)[3] |= scrambling;
    assert_int_equal(parse(), 0);
    assert_int_equal(p.cc_errors, 0);
}


static void
ts_es_random_access_indicator(void **state)
{
    random_access(0xea, 0);
    random_access(0x33, 0);
    random_access(0x1b, 0x80);
    random_access(0x24, 0xc0);
    random_access(0x0f, 0x80);
    assert_int_equal(p.scrambled, 50 * 2 + 1 + 1 + 100 + 3 + 1 + 1);
}


/* for codecs that are known the indicator alone says nothing */

static void
ts_es_indicator_alone(void **state)
{
    u_char  pes[184];
    size_t  n;

    begin(0x1b);

    n = ts_build_pes(pes, 0xe0, "\0\0\1\x41\x9a\x24", 6);
    ts_build_packet(&b, 0x100, 1, 0x40, pes, n);
    assert_int_equal(parse(), 0);
}


/* intra refresh: a key frame, and then none for very long */

static void
ts_es_no_keys(void **state)
{
    u_char      key[184], other[184];
    size_t      nkey, nother;
    ngx_uint_t  i;

    begin(0x1b);

    nkey = ts_build_pes(key, 0xe0, "\0\0\1\x65\x88\x84", 6);
    nother = ts_build_pes(other, 0xe0, "\0\0\1\x41\x9a\x24", 6);

    ts_build_packet(&b, 0x100, 1, 0, key, nkey);
    assert_int_equal(parse(), KEY);

    p.no_keys = 1;

    for (i = 0; i < 100; i++) {
        ts_build_packet(&b, 0x100, 1, 0, other, nother);
        assert_int_equal(parse(), OTHER);
    }

    for (i = 0; i < 3; i++) {
        ts_build_packet(&b, 0x100, 1, 0, other, nother);
        assert_int_equal(parse(), KEY);
    }

    /* the indicator of an encoder that knows better */

    ts_build_packet(&b, 0x100, 1, 0x40, other, nother);
    assert_int_equal(parse(), KEY);

    ts_build_packet(&b, 0x100, 1, 0, other, nother);
    assert_int_equal(parse(), OTHER);

    /* there are some after all */

    ts_build_packet(&b, 0x100, 1, 0, key, nkey);
    assert_int_equal(parse(), KEY);
    assert_int_equal(p.no_keys, 0);

    for (i = 0; i < 200; i++) {
        ts_build_packet(&b, 0x100, 1, 0, other, nother);
        assert_int_equal(parse(), OTHER);
    }
}


/* the frame of a key that was taken for any is a RAP once */

static void
ts_es_keys_again(void **state)
{
    u_char      key[184], other[184];
    size_t      nkey, nother;
    ngx_uint_t  i;

    begin(0x1b);

    nkey = ts_build_pes(key, 0xe0, "\0\0\1\x09\xf0\0\0\1\x65\x88\x84", 11);
    nother = ts_build_pes(other, 0xe0, "\0\0\1\x41\x9a\x24", 6);

    p.no_keys = 1;

    for (i = 0; i < 100; i++) {
        ts_build_packet(&b, 0x100, 1, 0, other, nother);
        assert_int_equal(parse(), OTHER);
    }

    ts_build_packet(&b, 0x100, 1, 0, key, nkey - 6);
    assert_int_equal(parse(), KEY);
    assert_int_equal(p.no_keys, 1);

    ts_build_packet(&b, 0x100, 0, 0, key + nkey - 6, 6);
    assert_int_equal(parse(), 0);
    assert_int_equal(p.no_keys, 0);

    ts_build_packet(&b, 0x100, 1, 0, other, nother);
    assert_int_equal(parse(), OTHER);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ts_es_h264),
        cmocka_unit_test(ts_es_h264_recovery_point),
        cmocka_unit_test(ts_es_hevc),
        cmocka_unit_test(ts_es_mpeg),
        cmocka_unit_test(ts_es_mpeg4),
        cmocka_unit_test(ts_es_pes_header),
        cmocka_unit_test(ts_es_once),
        cmocka_unit_test(ts_es_long_frame),
        cmocka_unit_test(ts_es_audio),
        cmocka_unit_test(ts_es_random_access_indicator),
        cmocka_unit_test(ts_es_indicator_alone),
        cmocka_unit_test(ts_es_no_keys),
        cmocka_unit_test(ts_es_keys_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
