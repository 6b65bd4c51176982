
/*
 * Copyright (C) the tscast authors
 */


/*
 * Play through nginx's filters.  They keep what they are given until it is
 * sent, so a viewer has a few buffers of its own, and gets no more before
 * these are free again: the ring waits for it, and the lag policy with it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast.h"


#define NGX_HTTP_TSCAST_BUFS  4


typedef struct {
    struct iovec         *iov;
    ngx_uint_t            n;
    size_t                skip;         /* of the first iovec */
} ngx_http_tscast_input_t;


static ngx_int_t ngx_http_tscast_filter_fill(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx, ngx_http_tscast_input_t *in,
    ngx_chain_t **out);
static ngx_int_t ngx_http_tscast_filter_pass(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx, ngx_chain_t *out);
static ngx_chain_t *ngx_http_tscast_filter_buf(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);


/* while the filters keep something, a write event is to come */

ssize_t
ngx_http_tscast_filter_send(ngx_tscast_viewer_t *v, struct iovec *iov,
    ngx_uint_t n)
{
    size_t                    taken;
    ngx_int_t                 size;
    ngx_chain_t              *out;
    ngx_http_request_t       *r;
    ngx_http_tscast_ctx_t    *ctx;
    ngx_http_tscast_input_t   in;

    r = v->data;
    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    if ((ctx->busy || n == 0)
        && ngx_http_tscast_filter_pass(r, ctx, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    in.iov = iov;
    in.n = n;
    in.skip = 0;

    taken = 0;

    while (ctx->busy == NULL && in.n) {

        size = ngx_http_tscast_filter_fill(r, ctx, &in, &out);

        if (size == NGX_ERROR
            || ngx_http_tscast_filter_pass(r, ctx, out) != NGX_OK)
        {
            return NGX_ERROR;
        }

        taken += size;
    }

    return taken;
}


/* copies to the buffers as much as they hold; returns how much */

static ngx_int_t
ngx_http_tscast_filter_fill(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx,
    ngx_http_tscast_input_t *in, ngx_chain_t **out)
{
    size_t         size, filled;
    ngx_buf_t     *b;
    ngx_uint_t     nbufs;
    ngx_chain_t   *cl, **ll;

    ll = out;
    filled = 0;

    for (nbufs = 0; nbufs < NGX_HTTP_TSCAST_BUFS && in->n; nbufs++) {

        cl = ngx_http_tscast_filter_buf(r, ctx);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        *ll = cl;
        ll = &cl->next;

        b = cl->buf;

        while (in->n && b->last < b->end) {
            size = ngx_min(in->iov->iov_len - in->skip,
                           (size_t) (b->end - b->last));

            b->last = ngx_cpymem(b->last,
                                 (u_char *) in->iov->iov_base + in->skip,
                                 size);
            filled += size;
            in->skip += size;

            if (in->skip == in->iov->iov_len) {
                in->iov++;
                in->n--;
                in->skip = 0;
            }
        }

        b->flush = (in->n == 0 || nbufs == NGX_HTTP_TSCAST_BUFS - 1);
    }

    return filled;
}


static ngx_int_t
ngx_http_tscast_filter_pass(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx,
    ngx_chain_t *out)
{
    if (ngx_http_output_filter(r, out) == NGX_ERROR) {
        return NGX_ERROR;
    }

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_tscast_module);

    return NGX_OK;
}


static ngx_chain_t *
ngx_http_tscast_filter_buf(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(r->pool, &ctx->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(r->pool, NGX_TSCAST_FRAME);
        if (b->start == NULL) {
            return NULL;
        }

        b->end = b->start + NGX_TSCAST_FRAME;
        b->temporary = 1;
        b->tag = (ngx_buf_tag_t) &ngx_http_tscast_module;
    }

    b->pos = b->start;
    b->last = b->start;
    b->flush = 0;

    cl->next = NULL;

    return cl;
}
