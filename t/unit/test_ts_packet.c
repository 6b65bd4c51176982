
/*
 * Copyright (C) the tscast authors
 */


/* adaptation fields, PCR, continuity counters */


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

    ts_build_tables(&b, 0x1b);

    return (ts_build_parse(&b, &p, &pos) == NGX_TSCAST_TS_TABLES) ? 0 : -1;
}


static ngx_uint_t
parse(void)
{
    return ts_build_parse(&b, &p, &pos);
}


static void
payload(u_char cc)
{
    b.cc[0x100] = cc;
    ts_build_packet(&b, 0x100, 0, 0, "data", 4);
}


/* a PCR with all 33 and 9 bits in use, in fields of every length */

static void
ts_packet_every_adaptation_field_length(void **state)
{
    u_char    *packet;
    size_t     len;
    uint64_t   base;

    base = 0x1d5aa55c3ULL;

    for (len = 0; len < 256; len++) {
        packet = ts_build_packet(&b, 0x100, 0, 0, "", 0);

        if (len != 183) {
            packet[3] = 0x30 | b.cc[0x100];
            b.cc[0x100] = (b.cc[0x100] + 1) & 0x0f;
        }

        packet[4] = (u_char) len;
        packet[5] = 0x10;
        packet[6] = (u_char) (base >> 25);
        packet[7] = (u_char) (base >> 17);
        packet[8] = (u_char) (base >> 9);
        packet[9] = (u_char) (base >> 1);
        packet[10] = (u_char) (base << 7) | 0x7e | (299 >> 8);
        packet[11] = (u_char) 299;

        p.pcr = 0;

        if (len >= 7 && len <= 183) {
            assert_int_equal(parse(), NGX_TSCAST_TS_TIME);
            assert_true(p.pcr == base * 300 + 299);

        } else {
            assert_int_equal(parse(), 0);
            assert_true(p.pcr == 0);
        }
    }

    assert_int_equal(p.cc_errors, 0);
}


/* the payload is where the field ends: a key frame behind each length */

static void
ts_packet_payload_after_adaptation_field(void **state)
{
    u_char  pes[64];
    size_t  len, n;

    n = ts_build_pes(pes, 0xe0, "\0\0\1\x65\x88", 5);

    for (len = n; len <= 184; len++) {
        ngx_memset(pes + n, 0, sizeof(pes) - n);

        if (len <= sizeof(pes)) {
            ts_build_packet(&b, 0x100, 1, 0, pes, len);
            assert_int_equal(parse(), NGX_TSCAST_TS_RAP);
            assert_int_equal(p.rap.offset, b.len - 188);
        }
    }
}


static void
ts_packet_pcr_of_another_pid(void **state)
{
    u_char  *packet;

    packet = ts_build_packet(&b, 0x101, 0, 0x10, "", 0);
    ngx_memset(packet + 6, 0, 6);

    assert_int_equal(parse(), 0);
}


static void
ts_packet_continuity(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 40; i++) {
        payload(i & 0x0f);
    }

    parse();
    assert_int_equal(p.cc_errors, 0);

    /* one duplicate is allowed, a second is an error */

    payload(7);
    parse();
    assert_int_equal(p.cc_errors, 0);

    payload(7);
    parse();
    assert_int_equal(p.cc_errors, 1);

    payload(8);
    parse();
    assert_int_equal(p.cc_errors, 1);

    payload(10);
    parse();
    assert_int_equal(p.cc_errors, 2);

    payload(9);
    parse();
    assert_int_equal(p.cc_errors, 3);
}


static void
ts_packet_continuity_without_payload(void **state)
{
    u_char  *packet;

    payload(3);

    packet = ts_build_packet(&b, 0x100, 0, 0, "", 0);
    assert_int_equal(packet[3], 0x23);
    ts_build_packet(&b, 0x100, 0, 0, "", 0);

    payload(4);
    parse();
    assert_int_equal(p.cc_errors, 0);

    packet = ts_build_packet(&b, 0x100, 0, 0, "", 0);
    packet[3] = 0x25;
    parse();
    assert_int_equal(p.cc_errors, 1);
}


static void
ts_packet_discontinuity_indicator(void **state)
{
    u_char  *packet;

    payload(3);

    b.cc[0x100] = 9;
    ts_build_packet(&b, 0x100, 0, 0x80, "data", 4);

    payload(10);
    parse();
    assert_int_equal(p.cc_errors, 0);
    assert_int_equal(p.discontinuities, 1);

    packet = ts_build_packet(&b, 0x100, 0, 0x80, "", 0);
    packet[3] = 0x22;

    payload(3);
    parse();
    assert_int_equal(p.cc_errors, 0);
    assert_int_equal(p.discontinuities, 2);
}


static void
ts_packet_not_counted(void **state)
{
    u_char  *packet;

    /* null packets, PIDs of no table, reserved adaptation_field_control */

    ts_build_packet(&b, 0x1fff, 0, 0, "a", 1)[3] ^= 5;
    ts_build_packet(&b, 0x1fff, 0, 0, "a", 1)[3] ^= 9;
    ts_build_packet(&b, 0x200, 0, 0, "a", 1)[3] ^= 5;
    ts_build_packet(&b, 0x200, 0, 0, "a", 1)[3] ^= 9;

    payload(1);

    packet = ts_build_packet(&b, 0x100, 0, 0, "a", 1);
    packet[3] = 0x0a;

    payload(2);

    assert_int_equal(parse(), 0);
    assert_int_equal(p.cc_errors, 0);
    assert_int_equal(p.packets, 2 + 7);
}


static void
ts_packet_transport_error(void **state)
{
    u_char  pes[64];
    size_t  n;

    n = ts_build_pes(pes, 0xe0, "\0\0\1\x65\x88", 5);

    ts_build_packet(&b, 0x100, 1, 0, pes, n)[1] |= 0x80;

    assert_int_equal(parse(), 0);
    assert_int_equal(p.tei, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(ts_packet_every_adaptation_field_length,
                               setup),
        cmocka_unit_test_setup(ts_packet_payload_after_adaptation_field,
                               setup),
        cmocka_unit_test_setup(ts_packet_pcr_of_another_pid, setup),
        cmocka_unit_test_setup(ts_packet_continuity, setup),
        cmocka_unit_test_setup(ts_packet_continuity_without_payload, setup),
        cmocka_unit_test_setup(ts_packet_discontinuity_indicator, setup),
        cmocka_unit_test_setup(ts_packet_not_counted, setup),
        cmocka_unit_test_setup(ts_packet_transport_error, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
