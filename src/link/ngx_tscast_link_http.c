
/*
 * Copyright (C) the tscast authors
 */


/*
 *     start --> connected --> TLS --> request --> head of the answer
 *       ^                                           |
 *       +--- redirect, of a pull -------------------+--> up
 *
 * All of a try is bounded by the link's timeout until it is up, and by that
 * of silence afterwards.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_http.h"


static void ngx_tscast_link_http_connected(ngx_tscast_link_t *link);
static void ngx_tscast_link_http_send(ngx_tscast_link_t *link);


static ngx_tscast_scheme_t  ngx_tscast_link_http_scheme = {
    ngx_string("http"),
    NGX_TSCAST_SCHEME_PUSH|NGX_TSCAST_SCHEME_PULL|NGX_TSCAST_SCHEME_PATH
        |NGX_TSCAST_SCHEME_ANSWERS,
    80,
    ngx_tscast_link_http_param,
    ngx_tscast_link_http_conf,
    ngx_tscast_link_http_start,
    ngx_tscast_link_http_stop,
    ngx_tscast_link_http_push_drained,
    ngx_tscast_link_http_host,
    ngx_tscast_link_http_next
};


static ngx_tscast_scheme_t  ngx_tscast_link_https_scheme = {
    ngx_string("https"),
    NGX_TSCAST_SCHEME_PUSH|NGX_TSCAST_SCHEME_PULL|NGX_TSCAST_SCHEME_PATH
        |NGX_TSCAST_SCHEME_ANSWERS,
    443,
    ngx_tscast_link_http_param,
    ngx_tscast_link_http_conf,
    ngx_tscast_link_http_start,
    ngx_tscast_link_http_stop,
    ngx_tscast_link_http_push_drained,
    ngx_tscast_link_http_host,
    ngx_tscast_link_http_next
};


ngx_module_t  ngx_tscast_link_http_module = {
    NGX_MODULE_V1,
    &ngx_tscast_link_http_scheme,          /* module context */
    NULL,                                  /* module directives */
    NGX_TSCAST_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_module_t  ngx_tscast_link_https_module = {
    NGX_MODULE_V1,
    &ngx_tscast_link_https_scheme,         /* module context */
    NULL,                                  /* module directives */
    NGX_TSCAST_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


void
ngx_tscast_link_http_start(ngx_tscast_link_t *link)
{
    ngx_tscast_link_http_t       *ctx;
    ngx_tscast_link_http_conf_t  *hlcf;

    ctx = link->ctx;
    hlcf = link->conf->conf;

    if (ctx == NULL) {
        ctx = ngx_pcalloc(link->pool, sizeof(ngx_tscast_link_http_t));
        link->ctx = ctx;

        if (ctx == NULL || ngx_tscast_link_http_expand(link) != NGX_OK) {
            ngx_tscast_link_fail(link, 0, "no memory");
            return;
        }
    }

    ctx->tls = (link->url->scheme.len == sizeof("https") - 1);

    if (hlcf->upstream && !ctx->away
        && ngx_tscast_link_http_peer(link) != NGX_OK)
    {
        ngx_tscast_link_fail(link, 0, "no live upstreams");
        return;
    }

    ngx_tscast_link_http_parse_init(&ctx->parse);

    ngx_tscast_link_tcp(link, ngx_tscast_link_http_connected);
}


static void
ngx_tscast_link_http_connected(ngx_tscast_link_t *link)
{
    ngx_tscast_link_http_t       *ctx;
    ngx_tscast_link_http_conf_t  *hlcf;

    ctx = link->ctx;
    hlcf = link->conf->conf;

    if (ctx->tls) {
        ngx_tscast_link_tls(link, &hlcf->tls, &link->url->host,
                            ngx_tscast_link_http_send);
        return;
    }

    ngx_tscast_link_http_send(link);
}


static void
ngx_tscast_link_http_send(ngx_tscast_link_t *link)
{
    char              *error;
    ngx_connection_t  *c;

    error = ngx_tscast_link_http_request(link);

    if (error) {
        ngx_tscast_link_fail(link, 0, "%s", error);
        return;
    }

    c = link->peer.connection;

    c->read->handler = link->conf->push ? ngx_tscast_link_http_push_read
                                        : ngx_tscast_link_http_pull_read;
    c->write->handler = ngx_tscast_link_http_write;

    ngx_add_timer(&link->timer, link->conf->timeout);

    if (link->conf->push) {
        ngx_tscast_link_http_push_wait(link);
    }

    /* what came with the connection brings no event any more */
    ngx_post_event(c->read, &ngx_posted_events);

    ngx_tscast_link_http_write(c->write);
}


void
ngx_tscast_link_http_write(ngx_event_t *ev)
{
    ssize_t                  n;
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

    while (ctx->pos < ctx->last) {

        n = c->send(c, ctx->pos, ctx->last - ctx->pos);

        if (n == NGX_ERROR) {
            ngx_tscast_link_fail(link, 0, "the connection is broken");
            return;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        ctx->pos += n;
    }

    if (ngx_handle_write_event(ev, 0) != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "the connection is broken");
    }
}


ngx_int_t
ngx_tscast_link_http_head(ngx_event_t *ev, u_char **pos, u_char **last)
{
    ssize_t                  n;
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_tscast_link_t       *link;
    ngx_tscast_link_http_t  *ctx;

    static u_char  buf[4096];

    c = ev->data;
    link = c->data;
    ctx = link->ctx;

    do {
        if (*pos == *last) {
            n = c->recv(c, buf, sizeof(buf));

            if (n == NGX_AGAIN) {

                if (ngx_handle_read_event(ev, 0) != NGX_OK) {
                    ngx_tscast_link_fail(link, 0, "the connection is broken");
                    return NGX_ERROR;
                }

                return NGX_AGAIN;
            }

            if (n == 0 || (n == NGX_ERROR && link->drained)) {
                return NGX_DONE;
            }

            if (n == NGX_ERROR) {
                ngx_tscast_link_fail(link, 0, "the connection is broken");
                return NGX_ERROR;
            }

            *pos = buf;
            *last = buf + n;
        }

        rc = ngx_tscast_link_http_parse_head(&ctx->parse, pos, *last);

    } while (rc == NGX_AGAIN);

    if (rc == NGX_ERROR) {
        ngx_tscast_link_fail(link, 0, "%s", ctx->parse.error);
    }

    return rc;
}


void
ngx_tscast_link_http_refused(ngx_tscast_link_t *link)
{
    ngx_uint_t               status;
    const char              *why;
    ngx_tscast_link_http_t  *ctx;

    ctx = link->ctx;
    status = ctx->parse.status;

    switch (status) {

    case 401:
    case 403:
        why = "it refuses the link";
        break;

    case 404:
    case 410:
        why = "it has no such stream";
        link->absent = 1;
        break;

    case 409:
        why = "its stream has a publisher";
        break;

    case 508:
        why = "the links form a loop";
        link->absent = 1;
        break;

    default:
        why = "the peer does not want it";
    }

    if (status < 500 || status == 508) {
        ngx_tscast_link_http_peer_fine(link,
                                       link->conf->push || status == 508);
    }

    ngx_tscast_link_fail(link, 0, "%s, status %ui", why, status);
}


void
ngx_tscast_link_http_stop(ngx_tscast_link_t *link)
{
    ngx_tscast_link_http_t  *ctx;

    ctx = link->ctx;

    if (ctx && ctx->expect.timer_set) {
        ngx_del_timer(&ctx->expect);
    }

    ngx_tscast_link_tls_close(link);
    ngx_tscast_link_http_peer_free(link);
}
