
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_url.h"


static char *ngx_tscast_url_authority(ngx_tscast_url_t *url, u_char *p,
    u_char *last);
static char *ngx_tscast_url_port(ngx_tscast_url_t *url, u_char *p,
    u_char *last);
static u_char *ngx_tscast_url_base(ngx_tscast_url_t *url, u_char *p,
    u_char *ref, u_char *last);
static size_t ngx_tscast_url_folder(ngx_tscast_url_t *url);
static u_char *ngx_tscast_url_dots(u_char *path, u_char *last);


char *
ngx_tscast_url_parse(ngx_tscast_url_t *url, ngx_str_t *text)
{
    u_char  *p, *last, *end;

    ngx_memzero(url, sizeof(ngx_tscast_url_t));

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {
        if (*p <= ' ' || *p == 0x7f) {
            return "it has a blank or a control character";
        }
    }

    for (p = text->data; p < last && *p != ':'; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'))) {
            return "it has no scheme";
        }
    }

    if (p == text->data || last - p < 3 || p[1] != '/' || p[2] != '/') {
        return "it has no scheme";
    }

    url->scheme.data = text->data;
    url->scheme.len = p - text->data;

    p += 3;

    for (end = p; end < last && *end != '/' && *end != '?'; end++) {
        /* void */
    }

    url->path.data = end;
    url->path.len = last - end;

    for (url->query.data = end; url->query.data < last; url->query.data++) {
        if (*url->query.data == '?') {
            url->query.data++;
            break;
        }
    }

    url->query.len = last - url->query.data;

    return ngx_tscast_url_authority(url, p, end);
}


static char *
ngx_tscast_url_authority(ngx_tscast_url_t *url, u_char *p, u_char *last)
{
    u_char  *at;

    for (at = last; at > p; at--) {
        if (at[-1] == '@') {
            url->user.data = p;
            url->user.len = at - 1 - p;
            p = at;
            break;
        }
    }

    url->authority.data = p;
    url->authority.len = last - p;

    if (p < last && *p == '[') {

        for (at = ++p; at < last && *at != ']'; at++) { /* void */ }

        if (at == last) {
            return "the bracket of an address is not closed";
        }

        url->ipv6 = 1;
        url->host.data = p;
        url->host.len = at - p;

        p = at + 1;

    } else {

        for (at = p; at < last && *at != ':'; at++) { /* void */ }

        url->host.data = p;
        url->host.len = at - p;

        p = at;
    }

    if (url->host.len == 0) {
        return "it has no host";
    }

    return ngx_tscast_url_port(url, p, last);
}


static char *
ngx_tscast_url_port(ngx_tscast_url_t *url, u_char *p, u_char *last)
{
    ngx_uint_t  port;

    if (p == last) {
        return NULL;
    }

    if (*p++ != ':' || p == last) {
        return "it has an invalid port";
    }

    for (port = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return "it has an invalid port";
        }

        port = port * 10 + (*p - '0');

        if (port > 65535) {
            return "it has an invalid port";
        }
    }

    if (port == 0) {
        return "it has an invalid port";
    }

    url->port = port;

    return NULL;
}


size_t
ngx_tscast_url_join_size(ngx_tscast_url_t *base, ngx_str_t *reference)
{
    return base->scheme.len + sizeof("://") - 1 + base->authority.len
           + base->path.len + 1 + reference->len;
}


void
ngx_tscast_url_join(ngx_tscast_url_t *base, ngx_str_t *reference,
    ngx_str_t *text)
{
    u_char  *p, *ref, *last, *end;

    ref = reference->data;

    for (last = ref; last < ref + reference->len && *last != '#'; last++) {
        /* void */
    }

    for (end = ref;
         end < last && ((*end >= 'a' && *end <= 'z')
                        || (*end >= '0' && *end <= '9'));
         end++)
    {
        /* void */
    }

    p = text->data;

    if (last - end < 3 || end[0] != ':' || end[1] != '/' || end[2] != '/') {

        p = ngx_cpymem(p, base->scheme.data, base->scheme.len);
        *p++ = ':';

        if (last - ref < 2 || ref[0] != '/' || ref[1] != '/') {
            text->len = ngx_tscast_url_base(base, p, ref, last) - text->data;
            return;
        }
    }

    p = ngx_cpymem(p, ref, last - ref);

    text->len = p - text->data;
}


/* what refers to the same authority: RFC 3986, 5.2.2 */

static u_char *
ngx_tscast_url_base(ngx_tscast_url_t *url, u_char *p, u_char *ref,
    u_char *last)
{
    size_t   len;
    u_char  *path;

    *p++ = '/';
    *p++ = '/';

    p = ngx_cpymem(p, url->authority.data, url->authority.len);
    path = p;

    if (ref < last && *ref == '?') {
        len = url->path.len - url->query.len;

        if (len && url->path.data[len - 1] == '?') {
            len--;
        }

        p = ngx_cpymem(p, url->path.data, len);

    } else if (ref == last || *ref != '/') {
        p = ngx_cpymem(p, url->path.data, ngx_tscast_url_folder(url));
    }

    if (p == path && (ref == last || *ref != '/')) {
        *p++ = '/';
    }

    p = ngx_cpymem(p, ref, last - ref);

    return ngx_tscast_url_dots(path, p);
}


/* of the path: up to its last slash */

static size_t
ngx_tscast_url_folder(ngx_tscast_url_t *url)
{
    size_t  len;

    len = url->path.len - url->query.len;

    while (len && url->path.data[len - 1] != '/') {
        len--;
    }

    return len;
}


/* takes "." and ".." out of a path: RFC 3986, 5.2.4; returns its new end */

static u_char *
ngx_tscast_url_dots(u_char *path, u_char *last)
{
    size_t   len;
    u_char  *p, *out, *end;

    out = path;

    for (p = path; p < last && *p != '?'; p = end) {

        /* a segment with the slash before it */

        for (end = p + 1; end < last && *end != '/' && *end != '?'; end++) {
            /* void */
        }

        len = end - p;

        if ((len == 2 && p[1] == '.')
            || (len == 3 && p[1] == '.' && p[2] == '.'))
        {
            while (len == 3 && out > path && *--out != '/') { /* void */ }

            if (end == last || *end == '?') {
                *out++ = '/';
            }

            continue;
        }

        ngx_memmove(out, p, len);
        out += len;
    }

    ngx_memmove(out, p, last - p);

    return out + (last - p);
}


ngx_int_t
ngx_tscast_url_param(ngx_str_t *query, ngx_str_t *param)
{
    u_char  *p, *last;

    last = query->data + query->len;

    for (p = query->data; p < last && *p == '&'; p++) { /* void */ }

    if (p == last) {
        return NGX_DONE;
    }

    param->data = p;

    while (p < last && *p != '&') {
        p++;
    }

    param->len = p - param->data;

    query->data = p;
    query->len = last - p;

    return NGX_OK;
}
