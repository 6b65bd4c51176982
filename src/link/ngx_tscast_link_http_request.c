
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_http.h"


/* the lines that are always there, without their variable parts */
#define NGX_TSCAST_LINK_HTTP_LINES  256


/* the path of the configuration, with the stream's name in it */

ngx_int_t
ngx_tscast_link_http_expand(ngx_tscast_link_t *link)
{
    u_char            *p;
    ngx_str_t          path;
    ngx_tscast_url_t  *url;

    path = link->conf->url.path;
    p = ngx_strlchr(path.data, path.data + path.len, '#');

    if (p) {
        path.len = p - path.data;
    }

    url = ngx_palloc(link->pool, sizeof(ngx_tscast_url_t));
    if (url == NULL) {
        return NGX_ERROR;
    }

    *url = link->conf->url;

    if (ngx_tscast_link_expand(link, link->pool, &path, &url->path)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    url->query.len = 0;

    p = ngx_strlchr(url->path.data, url->path.data + url->path.len, '?');

    if (p) {
        url->query.data = p + 1;
        url->query.len = url->path.data + url->path.len - (p + 1);
    }

    link->url = url;

    return NGX_OK;
}


char *
ngx_tscast_link_http_request(ngx_tscast_link_t *link)
{
    u_char                       *p;
    ngx_uint_t                    push;
    ngx_tscast_via_t              via;
    ngx_tscast_link_http_t       *ctx;
    ngx_tscast_link_http_conf_t  *hlcf;

    ctx = link->ctx;
    hlcf = link->conf->conf;
    push = link->conf->push;

    if (ngx_tscast_stream_via(link->zone, &link->name, !push, &via)
        != NGX_OK)
    {
        return "it has come through too many nodes";
    }

    /* headers are secrets between the configuration and its own host */

    p = ngx_tscast_link_http_make_head(link->pool, &ctx->pos,
                                       !push ? "GET"
                                             : hlcf->put ? "PUT" : "POST",
                                       link->url, ctx->away ? NULL : hlcf,
                                       NGX_TSCAST_LINK_HTTP_LINES + via.len);
    if (p == NULL) {
        return "no memory";
    }

    if (!push) {
        p = ngx_sprintf(p, "Accept: */*" CRLF);

    } else if (ctx->away || !ngx_tscast_link_http_has(hlcf, "Content-Type")) {
        p = ngx_sprintf(p, "Content-Type: video/mp2t" CRLF);
    }

    p = ngx_sprintf(p, "TSCast-Via: %*s" CRLF, via.len, via.data);

    if (push) {
        p = ngx_sprintf(p, "Transfer-Encoding: chunked" CRLF
                           "Expect: 100-continue" CRLF);
    }

    p = ngx_sprintf(p, "Connection: close" CRLF CRLF);

    ctx->last = p;

    return NULL;
}


u_char *
ngx_tscast_link_http_make_head(ngx_pool_t *pool, u_char **pos,
    const char *method, ngx_tscast_url_t *url,
    ngx_tscast_link_http_conf_t *hlcf, size_t more)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *header;
    ngx_uint_t   i, n;

    header = hlcf ? hlcf->headers.elts : NULL;
    n = hlcf ? hlcf->headers.nelts : 0;

    len = NGX_TSCAST_LINK_HTTP_LINES + url->authority.len + url->path.len
          + more;

    for (i = 0; i < n; i++) {
        len += header[i].len + sizeof(CRLF) - 1;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NULL;
    }

    *pos = p;

    p = ngx_sprintf(p, "%s %s%V HTTP/1.1" CRLF, method,
                    (url->path.len && url->path.data[0] == '/') ? "" : "/",
                    &url->path);

    if (hlcf == NULL || !ngx_tscast_link_http_has(hlcf, "Host")) {
        p = ngx_sprintf(p, "Host: %V" CRLF, &url->authority);
    }

    if (hlcf == NULL || !ngx_tscast_link_http_has(hlcf, "User-Agent")) {
        p = ngx_sprintf(p, "User-Agent: tscast" CRLF);
    }

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "%V" CRLF, &header[i]);
    }

    return p;
}
