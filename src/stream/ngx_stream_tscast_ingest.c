
/*
 * Copyright (C) the tscast authors
 */


/*
 * TCP ingest: what a client sends is a publisher's transport stream, from its
 * first byte until it closes.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_stream_tscast.h"


#define NGX_STREAM_TSCAST_BUFFER  65536

/* buffers read before others have their turn */
#define NGX_STREAM_TSCAST_READS   8


static void ngx_stream_tscast_ingest_read(ngx_event_t *rev);
static ngx_int_t ngx_stream_tscast_ingest_take(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, u_char *p, size_t n);
static void ngx_stream_tscast_ingest_finish(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);
static void ngx_stream_tscast_ingest_ousted(ngx_tscast_publisher_t *pub);
static void ngx_stream_tscast_ingest_cleanup(void *data);
static ngx_uint_t ngx_stream_tscast_ingest_status(ngx_int_t rc);


void
ngx_stream_tscast_ingest(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_buf_t                     *b;
    ngx_connection_t              *c;
    ngx_stream_tscast_srv_conf_t  *tscf;

    c = s->connection;
    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    if (ngx_stream_tscast_publisher(s, ctx) != NGX_OK) {
        ngx_stream_tscast_end(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    c->log->action = "reading a publisher's stream";

    c->read->handler = ngx_stream_tscast_ingest_read;
    c->write->handler = ngx_stream_tscast_ignore;

    ngx_add_timer(c->read, tscf->ingest->timeout);

    /* what other modules have read before */

    b = c->buffer;

    if (b && b->pos < b->last) {
        rc = ngx_stream_tscast_ingest_take(s, ctx, b->pos, b->last - b->pos);

        if (rc != NGX_OK) {
            ngx_stream_tscast_end(s, ngx_stream_tscast_ingest_status(rc));
            return;
        }

        b->pos = b->last;
    }

    ngx_stream_tscast_ingest_read(c->read);
}


static void
ngx_stream_tscast_ingest_read(ngx_event_t *rev)
{
    ssize_t                        n;
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_connection_t              *c;
    ngx_stream_session_t          *s;
    ngx_stream_tscast_ctx_t       *ctx;
    ngx_stream_tscast_srv_conf_t  *tscf;

    static u_char  buf[NGX_STREAM_TSCAST_BUFFER];

    c = rev->data;
    s = c->data;

    if (c->close) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "shutdown timeout");
        ngx_stream_tscast_end(s, NGX_STREAM_OK);
        return;
    }

    if (rev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "publisher timed out");
        ngx_stream_tscast_end(s, NGX_STREAM_TSCAST_TIMED_OUT);
        return;
    }

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    for (i = 0; i < NGX_STREAM_TSCAST_READS; i++) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_stream_tscast_end(s, NGX_STREAM_BAD_REQUEST);
            return;
        }

        if (n == 0) {
            ngx_stream_tscast_ingest_finish(s, ctx);
            return;
        }

        s->received += n;

        rc = ngx_stream_tscast_ingest_take(s, ctx, buf, n);

        if (rc != NGX_OK) {
            ngx_stream_tscast_end(s, ngx_stream_tscast_ingest_status(rc));
            return;
        }
    }

    if (ctx->published) {
        ngx_tscast_publisher_flush(ctx->publisher);
    }

    if (i) {
        tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);
        ngx_add_timer(rev, tscf->ingest->timeout);
    }

    if (i == NGX_STREAM_TSCAST_READS) {
        ngx_post_event(rev, &ngx_posted_next_events);
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_stream_tscast_end(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
    }
}


/* who connects and says nothing takes nobody's name */

static ngx_int_t
ngx_stream_tscast_ingest_take(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, u_char *p, size_t n)
{
    ngx_int_t  rc;

    if (!ctx->published) {
        rc = ngx_stream_tscast_publish(s, ctx,
                                       ngx_stream_tscast_ingest_ousted);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_tscast_publisher_write(ctx->publisher, p, n);
}


static void
ngx_stream_tscast_ingest_finish(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (ctx->published) {
        rc = ngx_tscast_publisher_finish(ctx->publisher);

    } else {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "publisher closed the connection before its stream");
    }

    ngx_stream_tscast_end(s, ngx_stream_tscast_ingest_status(rc));
}


static void
ngx_stream_tscast_ingest_ousted(ngx_tscast_publisher_t *pub)
{
    ngx_stream_tscast_end(pub->data, NGX_STREAM_TSCAST_CONFLICT);
}


ngx_int_t
ngx_stream_tscast_publisher(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    pool = s->connection->pool;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ctx->publisher = ngx_pcalloc(pool, sizeof(ngx_tscast_publisher_t));
    if (ctx->publisher == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_stream_tscast_ingest_cleanup;
    cln->data = ctx->publisher;

    return NGX_OK;
}


ngx_int_t
ngx_stream_tscast_publish(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, ngx_tscast_ousted_pt ousted)
{
    ngx_int_t                      rc;
    ngx_uint_t                     udp;
    ngx_tscast_publisher_t        *pub;
    ngx_stream_tscast_srv_conf_t  *tscf;

    pub = ctx->publisher;
    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    udp = (s->connection->type == SOCK_DGRAM);

    ngx_memzero(pub, sizeof(ngx_tscast_publisher_t));

    pub->data = s;
    pub->ousted = ousted;
    pub->log = s->connection->log;
    pub->addr_text = &s->connection->addr_text;
    pub->door = udp ? NGX_TSCAST_DOOR_UDP : NGX_TSCAST_DOOR_TCP;
    pub->timeout = tscf->ingest->timeout;
    pub->takeover = tscf->ingest->takeover;
    pub->inherit = udp;
    pub->datagrams = udp;

    rc = ngx_tscast_publish(pub, ctx->zone, &ctx->name);

    ctx->published = (rc == NGX_OK);

    return rc;
}


/* the connection is closed by now; harmless when it has been left before */

static void
ngx_stream_tscast_ingest_cleanup(void *data)
{
    ngx_tscast_unpublish(data);
}


static ngx_uint_t
ngx_stream_tscast_ingest_status(ngx_int_t rc)
{
    switch (rc) {

    case NGX_OK:
        return NGX_STREAM_OK;

    case NGX_TSCAST_BAD_NAME:
        return NGX_STREAM_BAD_REQUEST;

    case NGX_TSCAST_BUSY:
    case NGX_TSCAST_OUSTED:
        return NGX_STREAM_TSCAST_CONFLICT;

    case NGX_TSCAST_NO_SYNC:
        return NGX_STREAM_TSCAST_NOT_TS;

    case NGX_TSCAST_NO_MEMORY:
        return NGX_STREAM_TSCAST_NO_MEMORY;

    default:
        return NGX_STREAM_INTERNAL_SERVER_ERROR;
    }
}
