
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_http.h"


#define NGX_TSCAST_LINK_HTTP_REDIRECTS  5


static ngx_int_t ngx_tscast_link_http_pull_answer(ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_http_pull_via(ngx_tscast_link_t *link);
static void ngx_tscast_link_http_pull_redirect(ngx_tscast_link_t *link);
static void ngx_tscast_link_http_pull_go(ngx_tscast_link_t *link,
    ngx_tscast_url_t *url);
static void ngx_tscast_link_http_pull_body(ngx_event_t *ev);
static ngx_int_t ngx_tscast_link_http_pull_take(ngx_tscast_link_t *link,
    u_char *p, size_t n);


void
ngx_tscast_link_http_pull_read(ngx_event_t *ev)
{
    u_char                  *pos, *last;
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_tscast_link_t       *link;
    ngx_tscast_link_http_t  *ctx;

    c = ev->data;
    link = c->data;
    ctx = link->ctx;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    pos = NULL;
    last = NULL;

    do {
        rc = ngx_tscast_link_http_head(ev, &pos, &last);

    } while (rc == NGX_OK && ctx->parse.status < 200);

    if (rc == NGX_DONE) {
        ngx_tscast_link_fail(link, 0, "the peer has closed the connection");
        return;
    }

    if (rc != NGX_OK || ngx_tscast_link_http_pull_answer(link) != NGX_OK) {
        return;
    }

    ev->handler = ngx_tscast_link_http_pull_body;

    ngx_tscast_link_up(link);

    ngx_add_timer(&link->timer, link->conf->timeout);

    if (ngx_tscast_link_http_pull_take(link, pos, last - pos) == NGX_OK) {
        ngx_tscast_link_pull_flush(link);
        ngx_tscast_link_http_pull_body(ev);
    }
}


/* NGX_OK when the stream follows */

static ngx_int_t
ngx_tscast_link_http_pull_answer(ngx_tscast_link_t *link)
{
    ngx_tscast_link_http_t         *ctx;
    ngx_tscast_link_http_header_t  *type;

    ctx = link->ctx;

    switch (ctx->parse.status) {

    case 200:
        break;

    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        ngx_tscast_link_http_pull_redirect(link);
        return NGX_DONE;

    default:
        ngx_tscast_link_http_refused(link);
        return NGX_DONE;
    }

    type = &ctx->parse.headers[NGX_TSCAST_LINK_HTTP_TYPE];

    if (type->len > 5
        && ngx_strncasecmp(type->data, (u_char *) "text/", 5) == 0)
    {
        ngx_tscast_link_fail(link, 0, "this is no transport stream: %*s",
                             type->len, type->data);
        return NGX_ERROR;
    }

    return ngx_tscast_link_http_pull_via(link);
}


/* the nodes between the publisher and the peer, this one not among them */

static ngx_int_t
ngx_tscast_link_http_pull_via(ngx_tscast_link_t *link)
{
    ngx_int_t                       rc;
    ngx_str_t                       value;
    ngx_tscast_link_http_t         *ctx;
    ngx_tscast_link_http_header_t  *header;

    ctx = link->ctx;
    header = &ctx->parse.headers[NGX_TSCAST_LINK_HTTP_VIA];

    if (!header->seen) {
        return NGX_OK;
    }

    link->via = ngx_palloc(link->pool, sizeof(ngx_tscast_via_t));
    if (link->via == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return NGX_ERROR;
    }

    value.len = header->len;
    value.data = header->data;

    rc = ngx_tscast_via_read(link->via, &value);

    if (rc == NGX_TSCAST_LOOP) {
        ngx_tscast_link_http_peer_fine(link, 0);
        link->absent = 1;
        ngx_tscast_link_fail(link, 0, "the links form a loop: %V", &value);

    } else if (rc != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "its header is invalid");
    }

    return rc;
}


static void
ngx_tscast_link_http_pull_redirect(ngx_tscast_link_t *link)
{
    char                           *err;
    ngx_str_t                       text, location;
    ngx_tscast_url_t               *url;
    ngx_tscast_link_http_t         *ctx;
    ngx_tscast_link_http_header_t  *header;

    ctx = link->ctx;
    header = &ctx->parse.headers[NGX_TSCAST_LINK_HTTP_LOCATION];

    if (header->len == 0) {
        ngx_tscast_link_fail(link, 0, "it redirects to nowhere");
        return;
    }

    if (++ctx->redirects > NGX_TSCAST_LINK_HTTP_REDIRECTS) {
        ngx_tscast_link_http_peer_fine(link, 0);
        ngx_tscast_link_fail(link, 0, "it redirects more than %d times",
                             NGX_TSCAST_LINK_HTTP_REDIRECTS);
        return;
    }

    location.len = header->len;
    location.data = header->data;

    url = ngx_palloc(link->pool, sizeof(ngx_tscast_url_t));
    text.data = ngx_pnalloc(link->pool, ngx_tscast_url_join_size(link->url,
                                                                 &location));

    if (url == NULL || text.data == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    ngx_tscast_url_join(link->url, &location, &text);

    err = ngx_tscast_url_parse(url, &text);

    if (err || url->user.len) {
        ngx_tscast_link_fail(link, 0, "it redirects to \"%V\"", &text);
        return;
    }

    ngx_tscast_link_http_pull_go(link, url);
}


static void
ngx_tscast_link_http_pull_go(ngx_tscast_link_t *link, ngx_tscast_url_t *url)
{
    ngx_uint_t               https;
    ngx_tscast_url_t        *own;
    ngx_tscast_link_http_t  *ctx;

    ctx = link->ctx;
    own = &link->conf->url;

    https = (url->scheme.len == sizeof("https") - 1);

    if (url->scheme.len < 4 || ngx_strncmp(url->scheme.data, "https",
                                           url->scheme.len) != 0
        || (ctx->tls && !https))
    {
        ngx_tscast_link_fail(link, 0, "it redirects to %V://",
                             &url->scheme);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, &link->log, 0,
                  "link is redirected to %V://%V%V", &url->scheme,
                  &url->authority, &url->path);

    if (url->port == 0) {
        url->port = https ? 443 : 80;
    }

    ctx->away = (url->scheme.len != own->scheme.len
                 || url->authority.len != own->authority.len
                 || ngx_strncasecmp(url->authority.data, own->authority.data,
                                    own->authority.len)
                    != 0);

    ngx_tscast_link_tls_close(link);
    ngx_close_connection(link->peer.connection);
    link->peer.connection = NULL;

    if (!ctx->away && link->conf->known) {
        link->url = url;
        ngx_tscast_link_http_start(link);
        return;
    }

    ngx_tscast_link_locate(link, url);
}


static void
ngx_tscast_link_http_pull_body(ngx_event_t *ev)
{
    ngx_tscast_link_pull_read(ev, ngx_tscast_link_http_pull_take);
}


/* NGX_OK, or another after which the link is in its next state */

static ngx_int_t
ngx_tscast_link_http_pull_take(ngx_tscast_link_t *link, u_char *p, size_t n)
{
    u_char                  *data, *last;
    ngx_tscast_link_http_t  *ctx;

    ctx = link->ctx;
    last = p + n;

    for ( ;; ) {
        n = ngx_tscast_link_http_parse_body(&ctx->parse, &p, last, &data);

        if (n == 0) {
            break;
        }

        if (ngx_tscast_link_pull_data(link, data, n) != NGX_OK) {
            return NGX_DONE;
        }
    }

    if (ctx->parse.done) {
        ngx_tscast_link_http_peer_fine(link, 0);
        ngx_tscast_link_pull_end(link, "the peer has ended the stream");
        return NGX_DONE;
    }

    if (ctx->parse.error) {
        ngx_tscast_link_pull_end(link, ctx->parse.error);
        return NGX_ERROR;
    }

    return NGX_OK;
}
