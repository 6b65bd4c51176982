
/*
 * Copyright (C) the tscast authors
 */


/*
 * HTTP ingest: the body of a POST or PUT is a publisher's transport stream,
 * taken as it comes and for as long as it lasts.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast.h"


/* buffers read before others have their turn */
#define NGX_HTTP_TSCAST_READS  4


static void ngx_http_tscast_ingest_body(ngx_http_request_t *r);
static void ngx_http_tscast_ingest_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_tscast_ingest_take(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);
static void ngx_http_tscast_ingest_end(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_tscast_ingest_ousted(ngx_tscast_publisher_t *pub);
static void ngx_http_tscast_ingest_cleanup(void *data);
static ngx_int_t ngx_http_tscast_ingest_status(ngx_int_t rc);


ngx_int_t
ngx_http_tscast_ingest(ngx_http_request_t *r,
    ngx_http_tscast_ingest_conf_t *icf)
{
    ngx_int_t                rc;
    ngx_http_cleanup_t      *cln;
    ngx_tscast_via_t        *via;
    ngx_http_tscast_ctx_t   *ctx;
    ngx_tscast_publisher_t  *pub;

    if (r->headers_in.content_length_n < 0 && !r->headers_in.chunked
        && r->http_version < NGX_HTTP_VERSION_20)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "publisher sent neither Content-Length nor chunks");
        return NGX_HTTP_LENGTH_REQUIRED;
    }

    if (r->request_body || r->discard_body) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "a body that was read before cannot be a stream");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_tscast_prepare(r, &icf->address, &ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_tscast_via(r, &via);

    if (rc != NGX_OK) {
        return rc;
    }

    pub = ngx_pcalloc(r->pool, sizeof(ngx_tscast_publisher_t));
    if (pub == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_tscast_ingest_cleanup;
    cln->data = pub;

    pub->data = r;
    pub->ousted = ngx_http_tscast_ingest_ousted;
    pub->log = r->connection->log;
    pub->addr_text = &r->connection->addr_text;
    pub->door = NGX_TSCAST_DOOR_HTTP;
    pub->timeout = icf->timeout;
    pub->takeover = icf->takeover;
    pub->via = via;

    ctx->publisher = pub;

    rc = ngx_tscast_publish(pub, icf->address.zone->data, &ctx->name);

    if (rc != NGX_OK) {
        return ngx_http_tscast_ingest_status(rc);
    }

    r->connection->log->action = "reading a publisher's stream";

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_tscast_ingest_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_tscast_ingest_body(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_tscast_ingest_read;

    ngx_http_tscast_ingest_read(r);
}


static void
ngx_http_tscast_ingest_read(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_http_tscast_ctx_t       *ctx;
    ngx_http_tscast_loc_conf_t  *tlcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);

    for (n = 0; /* void */ ; n++) {

        rc = ngx_http_tscast_ingest_take(r, ctx);

        if (rc == NGX_OK && !r->reading_body) {
            rc = ngx_tscast_publisher_finish(ctx->publisher);

            ngx_http_tscast_ingest_end(r, ctx,
                                   rc ? ngx_http_tscast_ingest_status(rc)
                                      : NGX_HTTP_NO_CONTENT);
            return;
        }

        if (rc != NGX_OK) {
            ngx_http_tscast_ingest_end(r, ctx,
                                       ngx_http_tscast_ingest_status(rc));
            return;
        }

        if (n == NGX_HTTP_TSCAST_READS) {
            ngx_post_event(r->connection->read, &ngx_posted_next_events);
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_tscast_ingest_end(r, ctx, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            break;
        }
    }

    ngx_tscast_publisher_flush(ctx->publisher);

    ngx_add_timer(r->connection->read, tlcf->ingest->timeout);
}


/* the chain's links go back to the pool: the body may have no end */

static ngx_int_t
ngx_http_tscast_ingest_take(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    size_t        n;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *next;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    rc = NGX_OK;

    for (cl = r->request_body->bufs; cl; cl = next) {
        next = cl->next;

        b = cl->buf;
        n = ngx_buf_in_memory(b) ? b->last - b->pos : 0;

        if (n && rc == NGX_OK) {
            rc = ngx_tscast_publisher_write(ctx->publisher, b->pos, n);
        }

        b->pos = b->last;

        ngx_free_chain(r->pool, cl);
    }

    r->request_body->bufs = NULL;

    return rc;
}


static void
ngx_http_tscast_ingest_end(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_tscast_unpublish(ctx->publisher);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_tscast_refuse(r);
    }

    ngx_http_finalize_request(r, rc);
}


static void
ngx_http_tscast_ingest_ousted(ngx_tscast_publisher_t *pub)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = pub->data;
    c = r->connection;

    ngx_http_tscast_ingest_end(r, ngx_http_get_module_ctx(r,
                                                   ngx_http_tscast_module),
                               NGX_HTTP_CONFLICT);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_tscast_ingest_cleanup(void *data)
{
    ngx_tscast_unpublish(data);
}


static ngx_int_t
ngx_http_tscast_ingest_status(ngx_int_t rc)
{
    switch (rc) {

    case NGX_TSCAST_BAD_NAME:
        return NGX_HTTP_BAD_REQUEST;

    case NGX_TSCAST_BUSY:
    case NGX_TSCAST_OUSTED:
        return NGX_HTTP_CONFLICT;

    case NGX_TSCAST_NO_SYNC:
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;

    case NGX_TSCAST_NO_MEMORY:
        return NGX_HTTP_INSUFFICIENT_STORAGE;

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}
