
/*
 * Copyright (C) the tscast authors
 */


/*
 * Answers to HTTP links: what is expected is taken from RFC 9112.  Every input
 * is given whole, byte by byte, and cut at each place.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_link_http_parse.h>


#define MAX  (64 * 1024)


static char    said[MAX];
static size_t  said_len;


static void
say(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    said_len += vsnprintf(said + said_len, sizeof(said) - said_len, fmt, args);
    va_end(args);
}


/* a head or a body, as far as it goes in these bytes */

static void
feed(ngx_tscast_link_http_parse_t *h, ngx_uint_t *head, u_char *p,
    u_char *last)
{
    u_char     *data;
    size_t      n;
    ngx_int_t   rc;

    while (*head) {
        rc = ngx_tscast_link_http_parse_head(h, &p, last);

        if (rc != NGX_OK) {
            assert_true(rc == NGX_ERROR || p == last);
            return;
        }

        say("%d:", (int) h->status);
        *head = (h->status < 200);
    }

    for ( ;; ) {
        n = ngx_tscast_link_http_parse_body(h, &p, last, &data);

        if (n == 0) {
            break;
        }

        say("%.*s", (int) n, (char *) data);
    }

    assert_true(p == last || h->done || h->error);
}


static void
run(const char *text, size_t len, size_t cut, size_t step)
{
    size_t                               at, n;
    u_char                              *copy;
    ngx_uint_t                           head;

    static ngx_tscast_link_http_parse_t  h;

    ngx_tscast_link_http_parse_init(&h);

    head = 1;
    said_len = 0;
    said[0] = '\0';

    for (at = 0; at < len && h.error == NULL && !h.done; at += n) {
        n = (at < cut) ? cut - at : step;
        n = ngx_min(n, len - at);

        /* a block of its own, so that its end is guarded */

        copy = malloc(n);
        assert_non_null(copy);
        ngx_memcpy(copy, text + at, n);

        feed(&h, &head, copy, copy + n);

        free(copy);
    }

    if (h.error) {
        say("!%s", h.error);

    } else if (h.done) {
        say(".");
    }
}


static void
answer(const char *text, const char *expected)
{
    size_t  i, len;

    len = ngx_strlen(text);

    run(text, len, 0, len);
    assert_string_equal(said, expected);

    run(text, len, 0, 1);
    assert_string_equal(said, expected);

    for (i = 1; i < len; i++) {
        run(text, len, i, len);
        assert_string_equal(said, expected);
    }
}


static void
test_bodies(void **state)
{
    answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200:hello.");
    answer("HTTP/1.1 200 OK\r\ncontent-length:5 \t\r\n\r\nhello more",
           "200:hello.");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200:.");
    answer("HTTP/1.1 200 OK\r\n\r\nup to the end", "200:up to the end");
    answer("HTTP/1.0 200\r\n\r\nx", "200:x");
    answer("HTTP/1.1 200 \nA: b\n\nx", "200:x");
    answer("HTTP/1.1 204 No Content\r\n\r\nx", "204:.");
    answer("HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\nx", "304:.");

    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n1\r\n,\r\n00A;a=b;c=\"d\"\r\n0123456789\r\n"
           "0\r\nX: y\r\nZ: w\r\n\r\n", "200:hello,0123456789.");
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n"
           "Content-Length: 3\r\n\r\n2 \nab\n0\n\n", "200:ab.");
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
           "200:ab");
}


static void
test_interim(void **state)
{
    answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
           "100:103:200:x.");
}


static void
test_bad(void **state)
{
    answer("HTTP/2 200\r\n\r\n", "!it does not speak HTTP/1.x");
    answer("GET / HTTP/1.1\r\n", "!it does not speak HTTP/1.x");
    answer("HTTP/1.x 200\r\n\r\n", "!its status line is invalid");
    answer("HTTP/1.1  200\r\n\r\n", "!its status line is invalid");
    answer("HTTP/1.1 2000\r\n\r\n", "!its status line is invalid");
    answer("HTTP/1.1 20\r\n\r\n", "!its status line is invalid");
    answer("HTTP/1.1 099\r\n\r\n", "!its status line is invalid");
    answer("HTTP/1.1 200 OK\r\n: x\r\n\r\n", "!its header is invalid");
    answer("HTTP/1.1 200 OK\r\nA b: x\r\n\r\n", "!its header is invalid");
    answer("HTTP/1.1 200 OK\r\nA: x\r\n y\r\n\r\n", "!its header is invalid");
    answer("HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n", "!its header is invalid");
    answer("HTTP/1.1 200 OK\r\n\rx", "!its header is invalid");
    answer("HTTP/1.1 200 OK\r\nA\r\n\r\n", "!its header is invalid");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
           "!its header is ambiguous");
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
           "!its encoding is not known");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
           "!its length is invalid");
    answer("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
           "!its length is invalid");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456\r\n\r\n",
           "!its length is invalid");
}


static void
chunks(const char *text, const char *expected)
{
    char  buf[512], said_so[64];

    snprintf(buf, sizeof(buf),
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s", text);
    snprintf(said_so, sizeof(said_so), "200:%s", expected);

    answer(buf, said_so);
}


static void
test_bad_chunks(void **state)
{
    chunks("\r\n", "!its chunks are invalid");
    chunks("g\r\n", "!its chunks are invalid");
    chunks("-1\r\n", "!its chunks are invalid");
    chunks("1x\r\n", "!its chunks are invalid");
    chunks("1\r\nab", "a!its chunks are invalid");
    chunks("1\r\na\rb", "a!its chunks are invalid");
    chunks("1\r\na\r\n\r\n", "a!its chunks are invalid");
    chunks("1234567890abcdef\r\n", "!its chunks are invalid");
    chunks("0\r\n\rx", "!its chunks are invalid");
}


static void
test_bounds(void **state)
{
    size_t        n;
    static char   text[MAX];

    /* a header that has no end, a value, a chunk extension, a trailer */

    n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nX-Long: ");
    ngx_memset(text + n, 'x', sizeof(text) - n);
    run(text, sizeof(text), 0, 4096);
    assert_string_equal(said, "!its header has no end");

    run(text, NGX_TSCAST_LINK_HTTP_HEAD, 0, 4096);
    assert_string_equal(said, "");

    n = snprintf(text, sizeof(text), "HTTP/1.1 302 OK\r\nLocation: ");
    ngx_memset(text + n, 'x', sizeof(text) - n);
    run(text, n + NGX_TSCAST_LINK_HTTP_VALUE, 0, 4096);
    assert_string_equal(said, "");
    run(text, n + NGX_TSCAST_LINK_HTTP_VALUE + 1, 0, 4096);
    assert_string_equal(said, "!its header has no end");

    n = snprintf(text, sizeof(text),
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    ngx_memset(text + n, 'x', sizeof(text) - n);
    run(text, sizeof(text), 0, 4096);
    assert_string_equal(said, "200:!its chunks are invalid");

    n = snprintf(text, sizeof(text),
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    ngx_memset(text + n, 'x', sizeof(text) - n);
    run(text, sizeof(text), 0, 4096);
    assert_string_equal(said, "200:!its trailer has no end");

    /* interim answers count together */

    n = 0;

    while (n + 100 < sizeof(text)) {
        n += snprintf(text + n, sizeof(text) - n, "HTTP/1.1 100 Go\r\n\r\n");
    }

    run(text, n, 0, 4096);
    assert_non_null(strstr(said, ":!its header has no end"));
}


static void
test_headers(void **state)
{
    u_char                               *p;
    ngx_tscast_link_http_header_t        *via;

    static ngx_tscast_link_http_parse_t   h;

    static char  text[] = "HTTP/1.1 200 OK\r\nTSCAST-via:  a, b \t\r\n"
                          "Content-Type: video/mp2t\r\n\r\n";

    ngx_tscast_link_http_parse_init(&h);

    p = (u_char *) text;

    assert_int_equal(ngx_tscast_link_http_parse_head(&h, &p,
                                                     p + sizeof(text) - 1),
                     NGX_OK);
    assert_true(h.closed);

    via = &h.headers[NGX_TSCAST_LINK_HTTP_VIA];

    assert_int_equal(via->len, 4);
    assert_memory_equal(via->data, "a, b", 4);
    assert_int_equal(h.headers[NGX_TSCAST_LINK_HTTP_TYPE].len, 10);
    assert_false(h.headers[NGX_TSCAST_LINK_HTTP_LOCATION].seen);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_interim),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
