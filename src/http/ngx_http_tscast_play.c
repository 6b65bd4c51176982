
/*
 * Copyright (C) the tscast authors
 */


/*
 * Play: the headers go through nginx, and then, over HTTP/1.x, the hub writes
 * frames to the connection itself, chunked where the header filter chose so.
 * Over HTTP/2 and HTTP/3, and where a filter wants the body, the body goes
 * through the filters as well.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast.h"


/* not among the core's names */
#define NGX_HTTP_TSCAST_NOT_ACCEPTABLE  406


static void ngx_http_tscast_play_ready(ngx_tscast_viewer_t *v, ngx_int_t rc);
static ngx_int_t ngx_http_tscast_play_answer(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);
static ngx_int_t ngx_http_tscast_play_join(ngx_http_request_t *r,
    ngx_http_tscast_play_conf_t *pcf, ngx_http_tscast_ctx_t *ctx,
    ngx_uint_t websocket);
static ngx_int_t ngx_http_tscast_play_refuse(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_http_tscast_play_unfit(ngx_http_request_t *r,
    ngx_str_t *unfit);
static ngx_int_t ngx_http_tscast_play_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_tscast_play_flush(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);
static void ngx_http_tscast_play_path(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);
static void ngx_http_tscast_play_write(ngx_http_request_t *r);
static void ngx_http_tscast_play_go(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);
static void ngx_http_tscast_play_close(ngx_tscast_viewer_t *v, ngx_int_t rc);
static void ngx_http_tscast_play_away(ngx_tscast_viewer_t *v);
static void ngx_http_tscast_play_cleanup(void *data);


ngx_int_t
ngx_http_tscast_play(ngx_http_request_t *r, ngx_http_tscast_play_conf_t *pcf)
{
    ngx_int_t               rc;
    ngx_uint_t              websocket;
    ngx_http_tscast_ctx_t  *ctx;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (r->discard_body) {

        /* who waits for the rest of it does not see the client leave */

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "viewer sent a request with a part of a body");
        return NGX_HTTP_BAD_REQUEST;
    }

    rc = ngx_http_tscast_prepare(r, &pcf->address, &ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    websocket = r->http_version < NGX_HTTP_VERSION_20
                && ngx_http_tscast_ws_asked(r);

    rc = ngx_http_tscast_play_join(r, pcf, ctx, websocket);

    if (rc == NGX_AGAIN) {
        /* a link fetches the stream */

        r->read_event_handler = ngx_http_test_reading;
        r->write_event_handler = ngx_http_request_empty_handler;

        rc = NGX_DONE;

    } else if (rc == NGX_OK) {
        rc = ngx_http_tscast_play_answer(r, ctx);

    } else if (rc == NGX_HTTP_TSCAST_NOT_ACCEPTABLE) {
        rc = ngx_http_tscast_play_unfit(r, &ctx->viewer->unfit);
    }

    if (rc == NGX_DONE) {
        r->main->count++;
    }

    return rc;
}


static void
ngx_http_tscast_play_ready(ngx_tscast_viewer_t *v, ngx_int_t rc)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_tscast_ctx_t  *ctx;

    r = v->data;
    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    rc = (rc == NGX_OK) ? ngx_http_tscast_play_answer(r, ctx)
                        : ngx_http_tscast_play_refuse(r, ctx, rc);

    if (rc == NGX_HTTP_TSCAST_NOT_ACCEPTABLE) {
        rc = ngx_http_tscast_play_unfit(r, &v->unfit);
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


/* NGX_DONE when the stream is on its way */

static ngx_int_t
ngx_http_tscast_play_answer(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_tscast_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);

    rc = ctx->ws ? ngx_http_tscast_ws_handshake(r)
                 : ngx_http_tscast_play_header(r);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : rc;
    }

    r->keepalive = 0;
    r->limit_rate = 0;
    r->limit_rate_set = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (ngx_http_tscast_play_flush(r, ctx) == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_http_tscast_play_path(r, ctx);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_tscast_play_write;

    if (ctx->ws) {
        ngx_http_tscast_ws_start(r, tlcf->play->ping);
    }

    /* not in here: what closes a viewer runs posted requests */

    ngx_post_event(r->connection->write, &ngx_posted_events);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_tscast_play_join(ngx_http_request_t *r,
    ngx_http_tscast_play_conf_t *pcf, ngx_http_tscast_ctx_t *ctx,
    ngx_uint_t websocket)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_tscast_via_t          *via;
    ngx_http_cleanup_t        *cln;
    ngx_tscast_viewer_t       *v;
    ngx_http_core_loc_conf_t  *clcf;

    rc = ngx_http_tscast_via(r, &via);

    if (rc != NGX_OK) {
        return rc;
    }

    v = ngx_pcalloc(r->pool, sizeof(ngx_tscast_viewer_t));
    if (v == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (websocket && ngx_http_tscast_ws_create(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_tscast_play_cleanup;
    cln->data = ctx;

    c = r->connection;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    v->data = r;
    v->connection = c;
    v->log = c->log;
    v->framing = websocket ? &ngx_http_tscast_ws_framing
                           : &ngx_tscast_framing_raw;
    v->send = ngx_tscast_send;
    v->close = ngx_http_tscast_play_close;
    v->away = ngx_http_tscast_play_away;
    v->ready = ngx_http_tscast_play_ready;
    v->door = websocket ? NGX_TSCAST_DOOR_WEBSOCKET : NGX_TSCAST_DOOR_HTTP;
    v->rendition = pcf->format;
    v->zero = pcf->flv_time;
    v->start = pcf->start;
    v->lag = pcf->lag;
    v->flush = pcf->flush;
    v->linger = pcf->linger;
    v->via = via;
    v->timeout = clcf->send_timeout;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        v->send = ngx_tscast_send_tls;
    }
#endif

    ctx->viewer = v;

    rc = ngx_tscast_viewer_join(v, pcf->address.zone->data, &ctx->name);

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        return rc;
    }

    return ngx_http_tscast_play_refuse(r, ctx, rc);
}


/* the status of what the hub has said */

static ngx_int_t
ngx_http_tscast_play_refuse(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_log_t                   *log;
    ngx_str_t                   *zone;
    ngx_http_tscast_loc_conf_t  *tlcf;

    log = r->connection->log;
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);
    zone = ngx_tscast_zone_name(tlcf->play->address.zone->data);

    switch (rc) {

    case NGX_TSCAST_BAD_NAME:
        ngx_tscast_stream_log_name(NGX_LOG_INFO, log, &ctx->name);
        return NGX_HTTP_BAD_REQUEST;

    case NGX_TSCAST_NOT_FOUND:
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "there is no stream \"%V/%V\"", zone, &ctx->name);
        return NGX_HTTP_NOT_FOUND;

    case NGX_TSCAST_UNFIT:
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "stream \"%V/%V\" has %V, which is not for FLV", zone,
                      &ctx->name, &ctx->viewer->unfit);
        return NGX_HTTP_TSCAST_NOT_ACCEPTABLE;

    case NGX_TSCAST_TIMED_OUT:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "stream \"%V/%V\" could not be fetched in time", zone,
                      &ctx->name);
        return NGX_HTTP_GATEWAY_TIME_OUT;

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* says what it is that FLV does not have */

static ngx_int_t
ngx_http_tscast_play_unfit(ngx_http_request_t *r, ngx_str_t *unfit)
{
    ngx_str_t                 type;
    ngx_http_complex_value_t  cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = ngx_pnalloc(r->pool, unfit->len
                                         + sizeof(" is not for FLV" CRLF) - 1);
    if (cv.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cv.value.len = ngx_sprintf(cv.value.data, "%V is not for FLV" CRLF, unfit)
                   - cv.value.data;

    ngx_str_set(&type, "text/plain");

    return ngx_http_send_response(r, NGX_HTTP_TSCAST_NOT_ACCEPTABLE,
                                  &type, &cv);
}


static ngx_int_t
ngx_http_tscast_play_header(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_tscast_ctx_t       *ctx;
    ngx_http_tscast_loc_conf_t  *tlcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);

    if (ctx->viewer->via) {
        rc = ngx_http_tscast_via_answer(r, tlcf->play->address.zone->data,
                                        &ctx->name);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    r->headers_out.status = NGX_HTTP_OK;

    if (ctx->viewer->rendition == NGX_TSCAST_FLV) {
        ngx_str_set(&r->headers_out.content_type, "video/x-flv");

    } else {
        ngx_str_set(&r->headers_out.content_type, "video/mp2t");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_http_clear_content_length(r);

    /* what bypasses the filters cannot be compressed */

    r->gzip_tested = 1;
    r->gzip_ok = 0;

    if (ngx_http_tscast_add_header(r, "Cache-Control", (u_char *) "no-store",
                                   sizeof("no-store") - 1)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/* filters of a body have no say in what WebSocket sends */

static ngx_int_t
ngx_http_tscast_play_flush(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    ngx_chain_t       out;

    /* the write filter keeps the buffer while the header waits, as it is */

    static ngx_buf_t  b = { .flush = 1 };

    if (ctx->ws == NULL) {
        return ngx_http_send_special(r, NGX_HTTP_FLUSH);
    }

    out.buf = &b;
    out.next = NULL;

    return ngx_http_write_filter(r, &out);
}


/* our own frames on HTTP/1.x, unless a filter wants to see the body */

static void
ngx_http_tscast_play_path(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    if (ctx->ws) {
        return;
    }

    if (r->http_version >= NGX_HTTP_VERSION_20
        || r->filter_need_in_memory || r->filter_need_temporary
        || r->main_filter_need_in_memory)
    {
        ctx->filtered = 1;
        ctx->viewer->send = ngx_http_tscast_filter_send;
        return;
    }

    if (r->chunked) {
        ctx->viewer->framing = &ngx_tscast_framing_chunked;
    }
}


static void
ngx_http_tscast_play_write(ngx_http_request_t *r)
{
    ngx_http_tscast_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    if (ctx->started) {
        ngx_tscast_viewer_write(ctx->viewer);
        return;
    }

    if (r->connection->write->timedout) {
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_http_tscast_play_go(r, ctx);
}


/* nothing of ours is sent before all of the header is */

static void
ngx_http_tscast_play_go(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (ctx->filtered || (r->out == NULL && !r->connection->buffered)) {
        ctx->started = 1;

        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

        r->connection->log->action = "sending a stream to client";

        if (ctx->ws) {
            /* what has come behind the handshake */
            ngx_post_event(r->connection->read, &ngx_posted_events);
        }

        ngx_tscast_viewer_start(ctx->viewer);
        return;
    }

    ngx_add_timer(wev, ctx->viewer->timeout);

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


static void
ngx_http_tscast_play_close(ngx_tscast_viewer_t *v, ngx_int_t rc)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_tscast_ctx_t  *ctx;

    r = v->data;
    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    if (ctx->ending) {
        /* the last bytes have left */
        ngx_http_tscast_play_end(r, NULL, 0, rc);

    } else if (rc == NGX_TSCAST_TIMED_OUT) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);

    } else if (rc == NGX_OK && ctx->ws) {
        ngx_http_tscast_ws_close(r, NGX_HTTP_TSCAST_WS_NORMAL, NGX_OK);

    } else if (rc == NGX_OK) {
        /* all media has left; the last chunk is written by the filters */
        ngx_http_finalize_request(r, ngx_http_send_special(r, NGX_HTTP_LAST));

    } else if ((rc == NGX_TSCAST_LAGGED || rc == NGX_TSCAST_DROPPED)
               && ctx->ws)
    {
        ngx_http_tscast_ws_close(r, NGX_HTTP_TSCAST_WS_POLICY, NGX_OK);

    } else {
        /* an unfinished body tells the client that something is missing */
        ngx_http_finalize_request(r, NGX_ERROR);
    }

    ngx_http_run_posted_requests(c);
}


void
ngx_http_tscast_play_end(ngx_http_request_t *r, u_char *p, size_t n,
    ngx_int_t rc)
{
    ngx_http_tscast_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    if (!ctx->ending) {
        ctx->ending = 1;

        if (n) {
            switch (ngx_tscast_viewer_end(ctx->viewer, p, n)) {

            case NGX_AGAIN:
                return;

            case NGX_ERROR:
                rc = NGX_ERROR;
                break;
            }
        }
    }

    r->lingering_close = 1;

    ngx_http_finalize_request(r, rc);
}


/* the worker leaves at once: what can be said, is */

static void
ngx_http_tscast_play_away(ngx_tscast_viewer_t *v)
{
    ngx_http_request_t     *r;
    ngx_http_tscast_ctx_t  *ctx;

    r = v->data;
    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    if (ctx->ws) {
        ngx_http_tscast_ws_away(ctx);
    }
}


/* an internal redirect may have taken the context from the request */

static void
ngx_http_tscast_play_cleanup(void *data)
{
    ngx_http_tscast_ctx_t *ctx = data;

    if (ctx->ws) {

        if (ctx->request->connection->close) {
            ngx_http_tscast_ws_away(ctx);
        }

        ngx_http_tscast_ws_cleanup(ctx);
    }

    if (ctx->viewer) {
        ngx_tscast_viewer_leave(ctx->viewer);
    }
}
