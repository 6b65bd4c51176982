
/*
 * Copyright (C) the tscast authors
 */


/*
 * Bytes of a WebSocket client, whole and cut as the first bytes say, against
 * a second reading of RFC 6455 that has all of them at once.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http_tscast_ws_frame.h>


#define FUZZ_WS_HEADER  4

#define fuzz_ws_check(x)                                                      \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


/* what was heard, as a hash, and how it ended */

typedef struct {
    uint64_t    hash;
    ngx_uint_t  frames;
    ngx_uint_t  error;
} fuzz_ws_run_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void fuzz_ws_feed(fuzz_ws_run_t *r, u_char *data, size_t size,
    uint32_t seed);
static void fuzz_ws_oracle(fuzz_ws_run_t *r, u_char *data, size_t size);
static void fuzz_ws_hear(fuzz_ws_run_t *r, ngx_uint_t opcode, u_char *p,
    size_t n);
static ngx_uint_t fuzz_ws_bad_utf8(u_char *s, size_t n, ngx_uint_t whole);
static void fuzz_ws_close(u_char *p, size_t n, ngx_int_t code);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char         *copy;
    uint32_t        seed;
    fuzz_ws_run_t   whole, pieces, oracle;

    if (size < FUZZ_WS_HEADER) {
        return 0;
    }

    seed = data[0] | data[1] << 8 | (uint32_t) data[2] << 16;

    data += FUZZ_WS_HEADER;
    size -= FUZZ_WS_HEADER;

    /* a block of its own, so that its end is guarded */

    copy = malloc(size ? size : 1);

    if (copy == NULL) {
        return 0;
    }

    ngx_memcpy(copy, data, size);

    fuzz_ws_feed(&whole, copy, size, 0);
    fuzz_ws_feed(&pieces, copy, size, seed | 1);

    /* the input is not unmasked where it lies */

    fuzz_ws_check(ngx_memcmp(copy, data, size) == 0);

    fuzz_ws_oracle(&oracle, copy, size);

    fuzz_ws_check(whole.hash == pieces.hash);
    fuzz_ws_check(whole.frames == pieces.frames);
    fuzz_ws_check(whole.error == pieces.error);

    fuzz_ws_check(whole.hash == oracle.hash);
    fuzz_ws_check(whole.frames == oracle.frames);
    fuzz_ws_check(whole.error == oracle.error);

    free(copy);

    return 0;
}


static void
fuzz_ws_feed(fuzz_ws_run_t *r, u_char *data, size_t size, uint32_t seed)
{
    size_t                 n, max;
    u_char                *pos, *last, *end;
    ngx_int_t              rc;
    ngx_http_tscast_ws_t   ws;

    r->hash = 14695981039346656037ULL;
    r->frames = 0;
    r->error = 0;

    ngx_http_tscast_ws_init(&ws);

    pos = data;
    end = data + size;
    max = (seed & 2) ? 3 : (seed & 4) ? 40 : 1500;

    do {
        n = end - pos;

        if (seed) {
            seed = seed * 1664525 + 1013904223;
            n = ngx_min(n, 1 + (seed >> 8) % max);
        }

        last = pos + n;

        for ( ;; ) {
            rc = ngx_http_tscast_ws_parse(&ws, &pos, last);

            fuzz_ws_check(pos <= last);

            if (rc != NGX_OK) {
                break;
            }

            fuzz_ws_check(ws.len <= NGX_HTTP_TSCAST_WS_CONTROL);

            fuzz_ws_hear(r, ws.opcode, ws.payload, ws.len);

            if (ws.opcode == NGX_HTTP_TSCAST_WS_CLOSE) {
                fuzz_ws_close(ws.payload, ws.len,
                              ngx_http_tscast_ws_close_code(&ws));
            }
        }

        if (rc == NGX_ERROR) {
            fuzz_ws_check(ws.error);
            r->error = ws.error;
            return;
        }

        fuzz_ws_check(rc == NGX_AGAIN);
        fuzz_ws_check(pos == last);

    } while (pos < end);
}


/* RFC 6455, 5.2, 5.4, 5.5, with nothing kept but the message's text */

static void
fuzz_ws_oracle(fuzz_ws_run_t *r, u_char *data, size_t size)
{
    u_char         *p, *last, control[NGX_HTTP_TSCAST_WS_CONTROL];
    size_t          i, n, message;
    uint64_t        length;
    ngx_uint_t      opcode, open, fin;

    static u_char   text[NGX_HTTP_TSCAST_WS_MESSAGE];

    r->hash = 14695981039346656037ULL;
    r->frames = 0;
    r->error = NGX_HTTP_TSCAST_WS_PROTOCOL;

    p = data;
    last = data + size;
    open = 0;
    message = 0;

    while (p < last) {
        fin = *p & 0x80;
        opcode = *p & 0x0f;

        if ((*p & 0x70)
            || (opcode > 2 && opcode < 8) || opcode > 10
            || (opcode >= 8 && !fin)
            || (opcode == 0 && !open)
            || ((opcode == 1 || opcode == 2) && open))
        {
            return;
        }

        if (opcode == 1 || opcode == 2) {
            open = opcode;
            message = 0;
        }

        if (++p == last) {
            break;
        }

        if (!(*p & 0x80) || (opcode >= 8 && (*p & 0x7f) > 125)) {
            return;
        }

        length = *p++ & 0x7f;
        n = (length == 126) ? 2 : (length == 127) ? 8 : 0;

        if ((size_t) (last - p) < n) {
            break;
        }

        if (n) {
            for (length = 0, i = 0; i < n; i++) {
                length = length << 8 | *p++;
            }

            if (length < (n == 2 ? 126 : 65536) || (length >> 63)) {
                return;
            }
        }

        if (opcode < 8 && length > NGX_HTTP_TSCAST_WS_MESSAGE - message) {
            r->error = NGX_HTTP_TSCAST_WS_TOO_BIG;
            return;
        }

        if (last - p < 4) {
            break;
        }

        p += 4;
        n = ngx_min(length, (uint64_t) (last - p));

        for (i = 0; i < n; i++) {
            if (opcode >= 8) {
                control[i] = p[i] ^ (p - 4)[i % 4];
            } else {
                text[message + i] = p[i] ^ (p - 4)[i % 4];
            }
        }

        p += n;

        if (opcode >= 8) {
            if (n < length) {
                break;
            }

            fuzz_ws_hear(r, opcode, control, n);
            continue;
        }

        message += n;

        if (open == 1
            && fuzz_ws_bad_utf8(text, message, fin && n == length))
        {
            r->error = NGX_HTTP_TSCAST_WS_UTF8;
            return;
        }

        if (n < length) {
            break;
        }

        if (fin) {
            open = 0;
        }
    }

    r->error = 0;
}


static void
fuzz_ws_hear(fuzz_ws_run_t *r, ngx_uint_t opcode, u_char *p, size_t n)
{
    size_t  i;

    r->frames++;
    r->hash = (r->hash ^ opcode ^ (n << 8)) * 1099511628211ULL;

    for (i = 0; i < n; i++) {
        r->hash = (r->hash ^ p[i]) * 1099511628211ULL;
    }
}


/*
 * Not 0 if no text begins so: RFC 3629, 4.  A sequence is judged when it is
 * complete, or by a byte that cannot follow.
 */

static ngx_uint_t
fuzz_ws_bad_utf8(u_char *s, size_t n, ngx_uint_t whole)
{
    size_t    i, k, more;
    uint32_t  code;

    static const uint32_t  least[] = { 0, 0x80, 0x800, 0x10000 };

    for (i = 0; i < n; i += 1 + more) {

        more = (s[i] < 0x80) ? 0
               : (s[i] >= 0xc2 && s[i] <= 0xdf) ? 1
               : (s[i] >= 0xe0 && s[i] <= 0xef) ? 2
               : (s[i] >= 0xf0 && s[i] <= 0xf4) ? 3 : 4;

        if (more == 4) {
            return 1;
        }

        code = more ? s[i] & (0x3f >> more) : s[i];

        for (k = 1; k <= more; k++) {

            if (i + k == n) {
                return whole;
            }

            if ((s[i + k] & 0xc0) != 0x80) {
                return 1;
            }

            code = code << 6 | (s[i + k] & 0x3f);
        }

        if (code < least[more] || code > 0x10ffff
            || (code >= 0xd800 && code <= 0xdfff))
        {
            return 1;
        }
    }

    return 0;
}


/* RFC 6455, 5.5.1, 7.4 */

static void
fuzz_ws_close(u_char *p, size_t n, ngx_int_t code)
{
    ngx_int_t  said;

    if (n == 0) {
        fuzz_ws_check(code == NGX_HTTP_TSCAST_WS_NO_CODE);
        return;
    }

    said = (n == 1) ? 0 : p[0] << 8 | p[1];

    if (said < 1000 || said > 4999 || (said > 1014 && said < 3000)
        || said == 1004 || said == 1005 || said == 1006)
    {
        fuzz_ws_check(code == -NGX_HTTP_TSCAST_WS_PROTOCOL);
        return;
    }

    if (fuzz_ws_bad_utf8(p + 2, n - 2, 1)) {
        fuzz_ws_check(code == -NGX_HTTP_TSCAST_WS_UTF8);
        return;
    }

    fuzz_ws_check(code == said);
}


/* mutations mostly keep frames that a server takes */

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
    u_char      *p, *last;
    size_t       n, i, length;
    ngx_uint_t   open, opcode;

    size = LLVMFuzzerMutate(data, size, max);

    if (size < FUZZ_WS_HEADER || seed % 4 == 0) {
        return size;
    }

    p = data + FUZZ_WS_HEADER;
    last = data + size;
    open = 0;

    while (last - p >= 2) {

        *p &= 0x8f;
        opcode = *p & 0x0f;

        if (opcode >= 8) {
            *p = 0x80 | (8 + opcode % 3);
            p[1] = 0x80 | (p[1] % 126);

        } else {
            *p = (*p & 0x80) | (open ? 0 : 1 + opcode % 2);
            open = !(*p & 0x80);
        }

        p[1] |= 0x80;
        length = p[1] & 0x7f;
        n = (length == 126) ? 2 : (length == 127) ? 8 : 0;
        p += 2;

        if ((size_t) (last - p) < n + 4) {
            break;
        }

        if (n) {
            length = (n == 2) ? 126 + (p[0] << 8 | p[1]) % 300 : 65536;

            for (i = 0; i < n; i++) {
                p[i] = (u_char) ((uint64_t) length >> (8 * (n - 1 - i)));
            }
        }

        p += n;

        if (seed % 4 == 1) {
            /* what is seen is what is meant */
            ngx_memzero(p, 4);
        }

        p += 4;
        p += ngx_min(length, (size_t) (last - p));
    }

    return size;
}
