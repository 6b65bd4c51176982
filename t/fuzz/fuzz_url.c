
/*
 * Copyright (C) the tscast authors
 */


/*
 * URLs of links: whatever is taken lies within the text, in order, and put
 * together again is the text.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_url.h>


#define fuzz_url_check(x)                                                     \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_url_parts(ngx_tscast_url_t *url, ngx_str_t *text);
static void fuzz_url_authority(ngx_tscast_url_t *url);
static void fuzz_url_params(ngx_tscast_url_t *url);
static void fuzz_url_join(ngx_str_t *reference);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              *err;
    ngx_str_t          text;
    ngx_tscast_url_t   url;

    /* a block of its own, so that its end is guarded */

    text.len = size;
    text.data = malloc(size ? size : 1);

    if (text.data == NULL) {
        return 0;
    }

    ngx_memcpy(text.data, data, size);

    err = ngx_tscast_url_parse(&url, &text);

    if (err) {
        fuzz_url_check(*err);

    } else {
        fuzz_url_parts(&url, &text);
        fuzz_url_authority(&url);
        fuzz_url_params(&url);
        fuzz_url_join(&text);
    }

    free(text.data);

    return 0;
}


/* scheme://[user@]authority path, with the query at the end of the path */

static void
fuzz_url_parts(ngx_tscast_url_t *url, ngx_str_t *text)
{
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;

    fuzz_url_check(url->scheme.data == p && url->scheme.len);

    p += url->scheme.len;

    fuzz_url_check(last - p > 3 && ngx_memcmp(p, "://", 3) == 0);

    p += 3;

    if (url->user.len) {
        fuzz_url_check(url->user.data == p);

        p += url->user.len;
    }

    if (url->authority.data != p) {
        fuzz_url_check(*p++ == '@');
    }

    fuzz_url_check(url->authority.data == p);

    p += url->authority.len;

    fuzz_url_check(url->path.data == p && p + url->path.len == last);
    fuzz_url_check(url->path.len == 0 || *p == '/' || *p == '?');

    fuzz_url_check(url->query.data >= p
                   && url->query.data + url->query.len == last);
    fuzz_url_check(url->query.len == 0 || url->query.data[-1] == '?');
}


/* host[:port], or the host in brackets */

static void
fuzz_url_authority(ngx_tscast_url_t *url)
{
    u_char      *p, *last;
    ngx_uint_t   port;

    p = url->authority.data;
    last = p + url->authority.len;

    if (url->ipv6) {
        fuzz_url_check(*p++ == '[');
    }

    fuzz_url_check(url->host.data == p && url->host.len);

    p += url->host.len;

    if (url->ipv6) {
        fuzz_url_check(*p++ == ']');
    }

    if (p == last) {
        fuzz_url_check(url->port == 0);
        return;
    }

    fuzz_url_check(*p++ == ':' && p < last);

    for (port = 0; p < last; p++) {
        fuzz_url_check(*p >= '0' && *p <= '9');
        port = port * 10 + (*p - '0');
    }

    fuzz_url_check(port != 0 && port == url->port);
}


/* each is what lies between two ampersands */

static void
fuzz_url_params(ngx_tscast_url_t *url)
{
    size_t      len, i;
    ngx_str_t   query, param;

    query = url->query;
    len = 0;

    while (ngx_tscast_url_param(&query, &param) == NGX_OK) {

        fuzz_url_check(param.len);
        fuzz_url_check(param.data + param.len == query.data);
        fuzz_url_check(query.data + query.len
                       == url->query.data + url->query.len);

        for (i = 0; i < param.len; i++) {
            fuzz_url_check(param.data[i] != '&');
        }

        len += param.len;
    }

    for (i = 0; i < url->query.len; i++) {
        len += (url->query.data[i] == '&');
    }

    fuzz_url_check(len == url->query.len);
}


/* as a reference from some URL: it fits, and what it leads to is a URL */

static void
fuzz_url_join(ngx_str_t *reference)
{
    size_t             size;
    ngx_str_t          text, from;
    ngx_tscast_url_t   base;

    ngx_str_set(&from, "http://a/b/c?d");

    fuzz_url_check(ngx_tscast_url_parse(&base, &from) == NULL);

    /* what is behind the scheme leads somewhere as well */

    reference->len -= ngx_min(reference->len, 5);

    size = ngx_tscast_url_join_size(&base, reference);
    text.data = malloc(size);

    if (text.data == NULL) {
        return;
    }

    ngx_tscast_url_join(&base, reference, &text);

    fuzz_url_check(text.len <= size);

    free(text.data);
}
