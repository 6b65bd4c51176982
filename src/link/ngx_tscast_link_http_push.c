
/*
 * Copyright (C) the tscast authors
 */


/*
 * A push asks whether it may, by Expect: 100-continue, so that a peer that
 * refuses it is sent nothing.  One that does not know of this is sent the
 * stream after a while.  Its answer comes when the stream has ended, or at any
 * time when it has had enough.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_http.h"


/* ms to wait for 100 (Continue): RFC 9110, 10.1.1 */
#define NGX_TSCAST_LINK_HTTP_EXPECT  1000


static void ngx_tscast_link_http_push_expect(ngx_event_t *ev);
static void ngx_tscast_link_http_push_begin(ngx_tscast_link_t *link);
static void ngx_tscast_link_http_push_answer(ngx_tscast_link_t *link);


void
ngx_tscast_link_http_push_wait(ngx_tscast_link_t *link)
{
    ngx_tscast_link_http_t  *ctx;

    ctx = link->ctx;

    ctx->expect.handler = ngx_tscast_link_http_push_expect;
    ctx->expect.data = link;
    ctx->expect.log = &link->log;

    ngx_add_timer(&ctx->expect, NGX_TSCAST_LINK_HTTP_EXPECT);
}


static void
ngx_tscast_link_http_push_expect(ngx_event_t *ev)
{
    ngx_tscast_link_t       *link;
    ngx_tscast_link_http_t  *ctx;

    link = ev->data;
    ctx = link->ctx;

    if (ctx->pos < ctx->last) {
        ngx_add_timer(ev, NGX_TSCAST_LINK_HTTP_EXPECT);
        return;
    }

    ngx_tscast_link_http_push_begin(link);
}


static void
ngx_tscast_link_http_push_begin(ngx_tscast_link_t *link)
{
    ngx_tscast_send_pt       send;
    ngx_tscast_link_http_t  *ctx;

    ctx = link->ctx;

    if (ctx->expect.timer_set) {
        ngx_del_timer(&ctx->expect);
    }

    ctx->begun = 1;

    link->peer.connection->write->handler = ngx_tscast_link_push_write;

    send = ctx->tls ? ngx_tscast_send_tls : ngx_tscast_send;

    ngx_tscast_link_push_start(link, &ngx_tscast_framing_chunked, send);
}


void
ngx_tscast_link_http_push_read(ngx_event_t *ev)
{
    u_char                  *pos, *last;
    ngx_int_t                rc;
    ngx_uint_t               status;
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
    status = 0;

    do {
        rc = ngx_tscast_link_http_head(ev, &pos, &last);

        if (rc == NGX_OK && ctx->parse.status == 100) {
            status = 100;
        }

    } while (rc == NGX_OK && ctx->parse.status < 200);

    if (rc == NGX_OK) {
        ngx_tscast_link_http_push_answer(link);
        return;
    }

    if (rc == NGX_DONE && link->drained) {
        ngx_tscast_link_finish(link);
        return;
    }

    if (rc == NGX_DONE) {
        ngx_tscast_link_fail(link, 0, "the peer has closed the connection");
        return;
    }

    if (rc == NGX_AGAIN && status == 100 && !ctx->begun) {
        ngx_tscast_link_http_push_begin(link);
    }
}


static void
ngx_tscast_link_http_push_answer(ngx_tscast_link_t *link)
{
    ngx_tscast_link_http_t  *ctx;

    ctx = link->ctx;

    if (ctx->parse.status >= 300) {
        ngx_tscast_link_http_refused(link);
        return;
    }

    if (link->drained) {
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_tscast_link_fail(link, 0, "it takes no more, status %ui",
                         ctx->parse.status);
}


void
ngx_tscast_link_http_push_drained(ngx_tscast_link_t *link)
{
    ngx_connection_t        *c;
    ngx_tscast_link_http_t  *ctx;

    static u_char  end[] = "0" CRLF CRLF;

    c = link->peer.connection;
    ctx = link->ctx;

    ctx->pos = end;
    ctx->last = end + sizeof(end) - 1;

    c->write->handler = ngx_tscast_link_http_write;

    ngx_tscast_link_http_write(c->write);
}
