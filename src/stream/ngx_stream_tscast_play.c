
/*
 * Copyright (C) the tscast authors
 */


/*
 * TCP play: who connects gets the stream, with nothing around it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_stream_tscast.h"


/* ms in which a viewer's connection must take something */
#define NGX_STREAM_TSCAST_SEND   60000

/* reads of what a viewer says before others have their turn */
#define NGX_STREAM_TSCAST_WORDS  16


static ngx_int_t ngx_stream_tscast_play_join(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);
static void ngx_stream_tscast_play_ready(ngx_tscast_viewer_t *v,
    ngx_int_t rc);
static void ngx_stream_tscast_play_refuse(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, ngx_int_t rc);
static void ngx_stream_tscast_play_start(ngx_event_t *wev);
static void ngx_stream_tscast_play_write(ngx_event_t *wev);
static void ngx_stream_tscast_play_read(ngx_event_t *rev);
static void ngx_stream_tscast_play_close(ngx_tscast_viewer_t *v,
    ngx_int_t rc);
static void ngx_stream_tscast_play_cleanup(void *data);


void
ngx_stream_tscast_play(ngx_stream_session_t *s, ngx_stream_tscast_ctx_t *ctx)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = s->connection;

    c->log->action = "waiting for a stream";

    c->read->handler = ngx_stream_tscast_play_read;
    c->write->handler = ngx_stream_tscast_ignore;

    rc = ngx_stream_tscast_play_join(s, ctx);

    if (rc == NGX_OK) {
        c->write->handler = ngx_stream_tscast_play_start;
        ngx_post_event(c->write, &ngx_posted_events);

    } else if (rc != NGX_AGAIN) {
        ngx_stream_tscast_play_refuse(s, ctx, rc);
        return;
    }

    ngx_stream_tscast_play_read(c->read);
}


static ngx_int_t
ngx_stream_tscast_play_join(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    ngx_connection_t               *c;
    ngx_pool_cleanup_t             *cln;
    ngx_tscast_viewer_t            *v;
    ngx_stream_tscast_srv_conf_t   *tscf;
    ngx_stream_tscast_play_conf_t  *pcf;

    c = s->connection;

    v = ngx_pcalloc(c->pool, sizeof(ngx_tscast_viewer_t));
    if (v == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(c->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_stream_tscast_play_cleanup;
    cln->data = v;

    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);
    pcf = tscf->play;

    v->data = s;
    v->connection = c;
    v->log = c->log;
    v->framing = &ngx_tscast_framing_raw;
    v->send = ngx_tscast_send;
    v->close = ngx_stream_tscast_play_close;
    v->ready = ngx_stream_tscast_play_ready;
    v->door = NGX_TSCAST_DOOR_TCP;
    v->start = pcf->start;
    v->lag = pcf->lag;
    v->flush = pcf->flush;
    v->linger = pcf->linger;
    v->timeout = NGX_STREAM_TSCAST_SEND;

#if (NGX_SSL)
    if (c->ssl) {
        c->ssl->buffer = 1;
        v->send = ngx_tscast_send_tls;
    }
#endif

    ctx->viewer = v;

    return ngx_tscast_viewer_join(v, ctx->zone, &ctx->name);
}


/* a link has fetched the stream, or could not */

static void
ngx_stream_tscast_play_ready(ngx_tscast_viewer_t *v, ngx_int_t rc)
{
    ngx_event_t           *wev;
    ngx_stream_session_t  *s;

    s = v->data;

    if (rc != NGX_OK) {
        ngx_stream_tscast_play_refuse(s,
                ngx_stream_get_module_ctx(s, ngx_stream_tscast_module), rc);
        return;
    }

    wev = v->connection->write;
    wev->handler = ngx_stream_tscast_play_start;

    ngx_post_event(wev, &ngx_posted_events);
}


static void
ngx_stream_tscast_play_refuse(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, ngx_int_t rc)
{
    ngx_log_t   *log;
    ngx_str_t   *zone;
    ngx_uint_t   status;

    log = s->connection->log;
    zone = ngx_tscast_zone_name(ctx->zone);

    switch (rc) {

    case NGX_TSCAST_BAD_NAME:
        ngx_tscast_stream_log_name(NGX_LOG_INFO, log, &ctx->name);
        status = NGX_STREAM_BAD_REQUEST;
        break;

    case NGX_TSCAST_NOT_FOUND:
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "there is no stream \"%V/%V\"", zone, &ctx->name);
        status = NGX_STREAM_TSCAST_NOT_FOUND;
        break;

    case NGX_TSCAST_TIMED_OUT:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "stream \"%V/%V\" could not be fetched in time", zone,
                      &ctx->name);
        status = NGX_STREAM_TSCAST_NOT_FETCHED;
        break;

    default:
        status = NGX_STREAM_INTERNAL_SERVER_ERROR;
    }

    ngx_stream_tscast_end(s, status);
}


static void
ngx_stream_tscast_play_start(ngx_event_t *wev)
{
    ngx_connection_t         *c;
    ngx_stream_session_t     *s;
    ngx_stream_tscast_ctx_t  *ctx;

    c = wev->data;
    s = c->data;

    c->log->action = "sending a stream to client";

    wev->handler = ngx_stream_tscast_play_write;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    ngx_tscast_viewer_start(ctx->viewer);
}


static void
ngx_stream_tscast_play_write(ngx_event_t *wev)
{
    ngx_connection_t         *c;
    ngx_stream_session_t     *s;
    ngx_stream_tscast_ctx_t  *ctx;

    c = wev->data;
    s = c->data;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    ngx_tscast_viewer_write(ctx->viewer);
}


/* a viewer has nothing to say, but may leave */

static void
ngx_stream_tscast_play_read(ngx_event_t *rev)
{
    ssize_t                n;
    ngx_uint_t             i;
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;
    u_char                 buf[4096];

    c = rev->data;
    s = c->data;

    if (c->close) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "shutdown timeout");
        ngx_stream_tscast_end(s, NGX_STREAM_OK);
        return;
    }

    for (i = 0; i < NGX_STREAM_TSCAST_WORDS; i++) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_stream_tscast_end(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
            }

            return;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "viewer closed the connection");
            ngx_stream_tscast_end(s, NGX_STREAM_OK);
            return;
        }

        s->received += n;
    }

    ngx_post_event(rev, &ngx_posted_next_events);
}


static void
ngx_stream_tscast_play_close(ngx_tscast_viewer_t *v, ngx_int_t rc)
{
    ngx_stream_session_t  *s;

    s = v->data;

    if (rc == NGX_TSCAST_TIMED_OUT) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        ngx_stream_tscast_end(s, NGX_STREAM_TSCAST_TIMED_OUT);
        return;
    }

    ngx_stream_tscast_end(s, NGX_STREAM_OK);
}


/* the connection is closed by now; harmless when it has been left before */

static void
ngx_stream_tscast_play_cleanup(void *data)
{
    ngx_tscast_viewer_leave(data);
}
