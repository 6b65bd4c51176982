
/*
 * Copyright (C) the tscast authors
 */


/*
 * Answers to HTTP links, whole and cut as the first bytes say: the same comes
 * of both, and no more of a body than there was.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_link_http_parse.h>


#define FUZZ_HTTP_HEADER  4

#define fuzz_http_check(x)                                                    \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


typedef struct {
    uint64_t     hash;
    size_t       body;
    ngx_uint_t   heads;
    ngx_uint_t   final;
    ngx_uint_t   status;
    ngx_uint_t   done;
    const char  *error;
} fuzz_http_run_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_http_feed(fuzz_http_run_t *r, u_char *data, size_t size,
    uint32_t seed);
static void fuzz_http_piece(fuzz_http_run_t *r,
    ngx_tscast_link_http_parse_t *h, u_char *p, u_char *last);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char           *copy;
    uint32_t          seed;
    fuzz_http_run_t   whole, pieces;

    if (size < FUZZ_HTTP_HEADER) {
        return 0;
    }

    seed = data[0] | data[1] << 8 | (uint32_t) data[2] << 16;

    data += FUZZ_HTTP_HEADER;
    size -= FUZZ_HTTP_HEADER;

    /* a block of its own, so that its end is guarded */

    copy = malloc(size ? size : 1);

    if (copy == NULL) {
        return 0;
    }

    ngx_memcpy(copy, data, size);

    fuzz_http_feed(&whole, copy, size, 0);
    fuzz_http_feed(&pieces, copy, size, seed | 1);

    fuzz_http_check(ngx_memcmp(copy, data, size) == 0);

    fuzz_http_check(whole.hash == pieces.hash);
    fuzz_http_check(whole.body == pieces.body);
    fuzz_http_check(whole.heads == pieces.heads);
    fuzz_http_check(whole.status == pieces.status);
    fuzz_http_check(whole.done == pieces.done);
    fuzz_http_check(whole.error == pieces.error);
    fuzz_http_check(whole.body <= size);

    free(copy);

    return 0;
}


static void
fuzz_http_feed(fuzz_http_run_t *r, u_char *data, size_t size, uint32_t seed)
{
    size_t                               n;
    u_char                              *p, *end;

    static ngx_tscast_link_http_parse_t  h;

    ngx_memzero(r, sizeof(fuzz_http_run_t));

    r->hash = 14695981039346656037ULL;

    ngx_tscast_link_http_parse_init(&h);

    end = data + size;

    for (p = data; p < end; p += n) {
        n = end - p;

        if (seed) {
            seed = seed * 1664525 + 1013904223;
            n = ngx_min(n, 1 + (seed >> 8) % ((seed & 2) ? 3 : 40));
        }

        fuzz_http_piece(r, &h, p, p + n);
    }

    r->status = h.status;
    r->done = h.done;
    r->error = h.error;
}


static void
fuzz_http_piece(fuzz_http_run_t *r, ngx_tscast_link_http_parse_t *h,
    u_char *p, u_char *last)
{
    size_t      i, n;
    u_char     *data;
    ngx_int_t   rc;

    while (!r->final) {

        rc = ngx_tscast_link_http_parse_head(h, &p, last);

        fuzz_http_check(p <= last);

        if (rc == NGX_AGAIN) {
            fuzz_http_check(p == last);
            return;
        }

        if (rc == NGX_ERROR) {
            fuzz_http_check(h->error);
            return;
        }

        fuzz_http_check(h->status >= 100 && h->status <= 999);

        r->heads++;
        r->final = (h->status >= 200);
    }

    for ( ;; ) {
        n = ngx_tscast_link_http_parse_body(h, &p, last, &data);

        fuzz_http_check(p <= last);

        if (n == 0) {
            break;
        }

        fuzz_http_check(data + n <= last);

        r->body += n;

        for (i = 0; i < n; i++) {
            r->hash = (r->hash ^ data[i]) * 1099511628211ULL;
        }
    }

    fuzz_http_check(p == last || h->done || h->error);
}
