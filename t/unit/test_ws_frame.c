
/*
 * Copyright (C) the tscast authors
 */


/*
 * Frames of a WebSocket client.  What is expected is taken from RFC 6455 and
 * RFC 3629; every input is given whole, byte by byte, and cut at each place.
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "ngx_http_tscast_ws_frame.h"


#define MAX  (80 * 1024)


static u_char  in[MAX];
static size_t  in_len;

static char    said[4096];
static size_t  said_len;


static void
say(const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(said + said_len, sizeof(said) - said_len, fmt, args);
    va_end(args);

    said_len = ngx_min(said_len + n, sizeof(said) - 1);
}


/* RFC 6455, 5.2, by hand; the mask is not a symmetric one */

static void
frame_as(ngx_uint_t first, ngx_uint_t length_bytes, uint64_t length,
    const void *payload, size_t n)
{
    size_t               i;
    const u_char        *p;
    static const u_char  mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

    in[in_len++] = (u_char) first;

    switch (length_bytes) {

    case 0:
        in[in_len++] = (u_char) (0x80 | length);
        break;

    case 2:
        in[in_len++] = 0x80 | 126;
        break;

    case 8:
        in[in_len++] = 0x80 | 127;
        break;
    }

    for (i = length_bytes; i; i--) {
        in[in_len++] = (u_char) (length >> (8 * (i - 1)));
    }

    ngx_memcpy(in + in_len, mask, 4);
    in_len += 4;

    p = payload;

    for (i = 0; i < n; i++) {
        in[in_len++] = (p ? p[i] : 0) ^ mask[i % 4];
    }
}


static void
frame(ngx_uint_t first, const void *payload, size_t n)
{
    frame_as(first, n < 126 ? 0 : n < 65536 ? 2 : 8, n, payload, n);
}


/* gives the parser a piece; not 0 when it will hear no more */

static ngx_uint_t
feed(ngx_http_tscast_ws_t *ws, size_t from, size_t to)
{
    u_char     *copy, *pos, *last;
    ngx_int_t   rc;
    ngx_uint_t  done;

    /* a block of its own, so that a sanitizer sees its end */

    copy = malloc(to - from ? to - from : 1);
    assert_non_null(copy);
    ngx_memcpy(copy, in + from, to - from);

    pos = copy;
    last = copy + (to - from);
    done = 0;

    for ( ;; ) {
        rc = ngx_http_tscast_ws_parse(ws, &pos, last);

        assert_true(pos <= last);

        if (rc == NGX_OK) {
            say(" %s:%.*s,", ws->opcode == 8 ? "close"
                : ws->opcode == 9 ? "ping" : "pong", (int) ws->len,
                (char *) ws->payload);
            continue;
        }

        if (rc == NGX_ERROR) {
            say(" error %d,", (int) ws->error);
            done = 1;

        } else {
            assert_int_equal(rc, NGX_AGAIN);
            assert_true(pos == last);
        }

        break;
    }

    free(copy);

    return done;
}


static void
cut(size_t a, size_t b)
{
    ngx_http_tscast_ws_t  ws;

    said[0] = '\0';
    said_len = 0;

    ngx_http_tscast_ws_init(&ws);

    if (!feed(&ws, 0, a) && !feed(&ws, a, b)) {
        (void) feed(&ws, b, in_len);
    }
}


static void
check(const char *expected)
{
    size_t                 i, j;
    ngx_http_tscast_ws_t   ws;

    cut(in_len, in_len);
    assert_string_equal(said, expected);

    said[0] = '\0';
    said_len = 0;

    ngx_http_tscast_ws_init(&ws);

    for (i = 0; i < in_len && !feed(&ws, i, i + 1); i++) { /* void */ }

    assert_string_equal(said, expected);

    /* in two and in three; long ones not everywhere */

    for (i = 0; i <= in_len; i += (i > 300 && i + 300 < in_len) ? 997 : 1) {

        cut(i, i);
        assert_string_equal(said, expected);

        for (j = i; in_len < 60 && j <= in_len; j++) {
            cut(i, j);
            assert_string_equal(said, expected);
        }
    }

    in_len = 0;
}


/* RFC 6455, 5.7 */

static void
test_examples(void **state)
{
    static const u_char  unmasked[] = { 0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c,
                                        0x6f };
    static const u_char  masked[] = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
                                      0x7f, 0x9f, 0x4d, 0x51, 0x58 };
    static const u_char  pong[] = { 0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f,
                                    0x9f, 0x4d, 0x51, 0x58 };

    ngx_memcpy(in, masked, in_len = sizeof(masked));
    check("");

    ngx_memcpy(in, pong, in_len = sizeof(pong));
    check(" pong:Hello,");

    /* 5.1: a server closes when it gets a frame that is not masked */

    ngx_memcpy(in, unmasked, in_len = sizeof(unmasked));
    check(" error 1002,");
}


static void
test_control(void **state)
{
    u_char  long_one[126];

    frame(0x89, "", 0);
    frame(0x8a, "abc", 3);
    frame(0x89, "defg", 4);
    frame(0x88, "", 0);
    check(" ping:, pong:abc, ping:defg, close:,");

    /* 5.5: 125 bytes and no more */

    ngx_memset(long_one, 'x', sizeof(long_one));

    frame(0x89, long_one, 125);
    check(" ping:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          ",");

    frame(0x89, long_one, 126);
    check(" error 1002,");

    frame_as(0x88, 8, 65536, NULL, 0);
    check(" error 1002,");

    /* 5.5: nor in fragments */

    frame(0x09, "a", 1);
    check(" error 1002,");

    frame(0x0a, "a", 1);
    check(" error 1002,");

    frame(0x08, "", 0);
    check(" error 1002,");
}


/* 5.2 */

static void
test_first_byte(void **state)
{
    ngx_uint_t  ch, opcode;

    for (ch = 0; ch < 256; ch++) {
        opcode = ch & 0x0f;

        frame(ch, "", 0);

        if ((ch & 0x70)
            || (opcode >= 3 && opcode <= 7) || opcode >= 0xb
            || opcode == 0
            || (opcode >= 8 && !(ch & 0x80)))
        {
            check(" error 1002,");

        } else {
            check(opcode == 8 ? " close:," : opcode == 9 ? " ping:,"
                  : opcode == 0xa ? " pong:," : "");
        }
    }
}


/* 5.4 */

static void
test_fragments(void **state)
{
    frame(0x01, "Hel", 3);
    frame(0x80, "lo", 2);
    frame(0x89, "1", 1);
    check(" ping:1,");

    /* control frames may come between, other messages may not */

    frame(0x02, "Hel", 3);
    frame(0x89, "1", 1);
    frame(0x00, "l", 1);
    frame(0x8a, "2", 1);
    frame(0x80, "o", 1);
    frame(0x89, "3", 1);
    check(" ping:1, pong:2, ping:3,");

    frame(0x02, "Hel", 3);
    frame(0x82, "lo", 2);
    check(" error 1002,");

    frame(0x01, "Hel", 3);
    frame(0x01, "lo", 2);
    check(" error 1002,");

    /* nothing to continue, any more */

    frame(0x01, "Hel", 3);
    frame(0x80, "lo", 2);
    frame(0x80, "!", 1);
    check(" error 1002,");

    /* fragments of nothing */

    frame(0x01, "", 0);
    frame(0x00, "", 0);
    frame(0x80, "", 0);
    frame(0x82, "", 0);
    frame(0x89, "1", 1);
    check(" ping:1,");
}


/* 5.2: the most significant bit is 0, the fewest bytes are used */

static void
test_lengths(void **state)
{
    static const size_t  lengths[] = { 0, 1, 125, 126, 127, 255, 256, 65535,
                                       65536 };

    size_t      n;
    ngx_uint_t  i;

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        n = lengths[i];

        frame(0x82, NULL, n);
        frame(0x89, "1", 1);
        check(" ping:1,");

        frame_as(0x82, 2, n, NULL, n);

        if (n < 65536) {
            frame(0x89, "1", 1);
            check(n < 126 ? " error 1002," : " ping:1,");
        }

        in_len = 0;

        frame_as(0x82, 8, n, NULL, n);
        frame(0x89, "1", 1);
        check(n < 65536 ? " error 1002," : " ping:1,");
    }

    frame_as(0x82, 8, (uint64_t) 1 << 63, NULL, 0);
    check(" error 1002,");

    frame_as(0x82, 8, (uint64_t) -1, NULL, 0);
    check(" error 1002,");
}


/* 7.4.1: 1009 for a message too big to process; ours may have 64k */

static void
test_too_big(void **state)
{
    frame_as(0x82, 8, 65537, NULL, 0);
    check(" error 1009,");

    frame_as(0x82, 8, ((uint64_t) 1 << 63) - 1, NULL, 0);
    check(" error 1009,");

    frame(0x02, NULL, 65535);
    frame(0x80, NULL, 1);
    frame(0x89, "1", 1);
    check(" ping:1,");

    frame(0x02, NULL, 65535);
    frame(0x89, "1", 1);
    frame(0x80, NULL, 2);
    check(" ping:1, error 1009,");

    frame(0x02, NULL, 65536);
    frame(0x00, NULL, 0);
    frame(0x00, NULL, 1);
    check(" error 1009,");

    /* the next message has a limit of its own */

    frame(0x82, NULL, 40000);
    frame(0x82, NULL, 30000);
    frame(0x89, "1", 1);
    check(" ping:1,");
}


/* RFC 3629, 4, as its grammar has it */

static ngx_uint_t
is_utf8(const u_char *s, size_t n)
{
    size_t  i, k, more;
    u_char  low, high;

    for (i = 0; i < n; i += 1 + more) {
        low = 0x80;
        high = 0xbf;

        if (s[i] <= 0x7f) {
            more = 0;
        } else if (s[i] >= 0xc2 && s[i] <= 0xdf) {
            more = 1;
        } else if (s[i] >= 0xe0 && s[i] <= 0xef) {
            more = 2;
            low = (s[i] == 0xe0) ? 0xa0 : low;
            high = (s[i] == 0xed) ? 0x9f : high;
        } else if (s[i] >= 0xf0 && s[i] <= 0xf4) {
            more = 3;
            low = (s[i] == 0xf0) ? 0x90 : low;
            high = (s[i] == 0xf4) ? 0x8f : high;
        } else {
            return 0;
        }

        for (k = 1; k <= more; k++) {
            if (i + k >= n || s[i + k] < low || s[i + k] > high) {
                return 0;
            }

            low = 0x80;
            high = 0xbf;
        }
    }

    return 1;
}


static void
text(const u_char *s, size_t n)
{
    ngx_http_tscast_ws_t  ws;

    in_len = 0;
    said_len = 0;
    said[0] = '\0';

    frame(0x81, s, n);

    ngx_http_tscast_ws_init(&ws);
    (void) feed(&ws, 0, in_len);

    assert_string_equal(said, is_utf8(s, n) ? "" : " error 1007,");

    in_len = 0;
}


static void
test_utf8(void **state)
{
    u_char               s[4];
    ngx_uint_t           i, j, k;
    static const u_char  edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                     0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
                                     0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3,
                                     0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfe,
                                     0xff };
#define EDGES  (sizeof(edges) / sizeof(edges[0]))

    for (i = 0; i < 65536; i++) {
        s[0] = (u_char) (i >> 8);
        s[1] = (u_char) i;

        text(s, 2);

        if (s[1] == 0) {
            text(s, 1);
        }
    }

    for (i = 0; i < EDGES * EDGES; i++) {
        s[0] = edges[i / EDGES];
        s[1] = edges[i % EDGES];

        for (j = 0; j < EDGES; j++) {
            s[2] = edges[j];
            text(s, 3);

            for (k = 0; s[0] >= 0xf0 && k < EDGES; k++) {
                s[3] = edges[k];
                text(s, 4);
            }
        }
    }
}


/* 5.6, 8.1: a message is UTF-8, not each of its frames */

static void
test_utf8_over_fragments(void **state)
{
    frame(0x01, "\xf0\x9f", 2);
    frame(0x89, "\xff\xfe", 2);
    frame(0x00, "", 0);
    frame(0x00, "\x98", 1);
    frame(0x80, "\x80", 1);
    frame(0x8a, "1", 1);
    check(" ping:\xff\xfe, pong:1,");

    frame(0x01, "\xf0\x9f", 2);
    frame(0x80, "\x98", 1);
    check(" error 1007,");

    frame(0x01, "\xf0\x9f", 2);
    frame(0x80, "", 0);
    check(" error 1007,");

    frame(0x01, "a", 1);
    frame(0x80, "\xc0\x80", 2);
    check(" error 1007,");

    /* the next message begins anew; what is not text may be anything */

    frame(0x82, "\xf0\x9f", 2);
    frame(0x81, "\xce\xba\xe1\xbd\xb9", 5);
    frame(0x02, "\xff", 1);
    frame(0x80, "\xc0", 1);
    frame(0x81, "a", 1);
    frame(0x8a, "1", 1);
    check(" pong:1,");
}


/* 7.4.1, 7.4.2, and what IANA has registered since: 1012 to 1014 */

static void
test_close_codes(void **state)
{
    ngx_int_t             code, rc;
    ngx_uint_t            good;
    ngx_http_tscast_ws_t  ws;

    ngx_http_tscast_ws_init(&ws);

    for (code = 0; code < 65536; code++) {
        ws.payload[0] = (u_char) (code >> 8);
        ws.payload[1] = (u_char) code;
        ws.len = 2;

        good = (code >= 1000 && code <= 1003)
               || (code >= 1007 && code <= 1014)
               || (code >= 3000 && code <= 4999);

        rc = ngx_http_tscast_ws_close_code(&ws);
        assert_int_equal(rc, good ? code : -1002);
    }

    ws.len = 0;
    assert_int_equal(ngx_http_tscast_ws_close_code(&ws), 1005);

    /* 5.5.1: two bytes, if there are any */

    ws.len = 1;
    assert_int_equal(ngx_http_tscast_ws_close_code(&ws), -1002);

    /* the reason is UTF-8 */

    ngx_memcpy(ws.payload, "\x03\xe8" "bye \xce\xba", 8);
    ws.len = 8;
    assert_int_equal(ngx_http_tscast_ws_close_code(&ws), 1000);

    ws.len = 7;
    assert_int_equal(ngx_http_tscast_ws_close_code(&ws), -1007);

    ngx_memcpy(ws.payload, "\x03\xe8\xff", 3);
    ws.len = 3;
    assert_int_equal(ngx_http_tscast_ws_close_code(&ws), -1007);
}


/* a control frame ends where it ends: what follows is for the next call */

static void
test_position(void **state)
{
    u_char                *pos;
    size_t                 first;
    ngx_http_tscast_ws_t   ws;

    in_len = 0;
    frame(0x89, "one", 3);
    first = in_len;
    frame(0x88, "\x03\xe8", 2);

    ngx_http_tscast_ws_init(&ws);
    pos = in;

    assert_int_equal(ngx_http_tscast_ws_parse(&ws, &pos, in + in_len),
                     NGX_OK);
    assert_true(pos == in + first);
    assert_int_equal(ws.opcode, NGX_HTTP_TSCAST_WS_PING);

    assert_int_equal(ngx_http_tscast_ws_parse(&ws, &pos, in + in_len),
                     NGX_OK);
    assert_true(pos == in + in_len);
    assert_int_equal(ws.opcode, NGX_HTTP_TSCAST_WS_CLOSE);
    assert_int_equal(ngx_http_tscast_ws_close_code(&ws), 1000);

    /* nothing is nothing */

    assert_int_equal(ngx_http_tscast_ws_parse(&ws, &pos, pos), NGX_AGAIN);

    in_len = 0;
}


/* 5.1: a server masks nothing */

static void
test_head(void **state)
{
    static const struct {
        size_t       n;
        size_t       len;
        const char  *bytes;
    } heads[] = {
        { 0, 2, "\x82\x00" },
        { 125, 2, "\x82\x7d" },
        { 126, 4, "\x82\x7e\x00\x7e" },
        { 188, 4, "\x82\x7e\x00\xbc" },
        { 256, 4, "\x82\x7e\x01\x00" },
        { 65535, 4, "\x82\x7e\xff\xff" },
        { 65536, 10, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" },
        { 0x123456789a, 10, "\x82\x7f\x00\x00\x00\x12\x34\x56\x78\x9a" },
    };

    u_char      buf[NGX_HTTP_TSCAST_WS_HEAD];
    ngx_uint_t  i;

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        assert_int_equal(ngx_http_tscast_ws_head(buf,
                                                 NGX_HTTP_TSCAST_WS_BINARY,
                                                 heads[i].n),
                         heads[i].len);
        assert_memory_equal(buf, heads[i].bytes, heads[i].len);
    }

    assert_int_equal(ngx_http_tscast_ws_head(buf, NGX_HTTP_TSCAST_WS_CLOSE, 2),
                     2);
    assert_memory_equal(buf, "\x88\x02", 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_first_byte),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_over_fragments),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
