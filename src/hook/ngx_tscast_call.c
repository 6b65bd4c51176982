
/*
 * Copyright (C) the tscast authors
 */


/*
 *     start --> resolve --> connect --> TLS --> request --> head of the answer
 *          |                 ^   |       |         |
 *          +-> next peer ----+   +-------+---------+
 *                  ^                     |
 *                  +---------------------+ of an upstream
 *
 * All of it lives in a pool of its own and has one timer, which also keeps a
 * worker that is to leave.  The body of an answer is not waited for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_tscast_hook.h"


/* the lines that are its own, without their variable parts */
#define NGX_TSCAST_CALL_LINES  256


static void ngx_tscast_call_begin(ngx_event_t *ev);
static ngx_int_t ngx_tscast_call_next(ngx_tscast_call_t *call);
static void ngx_tscast_call_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_tscast_call_connect(ngx_tscast_call_t *call,
    struct sockaddr *sockaddr, socklen_t socklen);
static void ngx_tscast_call_connect_handler(ngx_event_t *ev);
static void ngx_tscast_call_connected(ngx_tscast_call_t *call);
#if (NGX_SSL)
static void ngx_tscast_call_tls_handler(ngx_connection_t *c);
#endif
static void ngx_tscast_call_tls_done(ngx_tscast_call_t *call);
static void ngx_tscast_call_send(ngx_tscast_call_t *call);
static ngx_int_t ngx_tscast_call_request(ngx_tscast_call_t *call);
static void ngx_tscast_call_write(ngx_event_t *ev);
static void ngx_tscast_call_read(ngx_event_t *ev);
static void ngx_tscast_call_timer(ngx_event_t *ev);
static void ngx_cdecl ngx_tscast_call_fail(ngx_tscast_call_t *call,
    ngx_err_t err, const char *fmt, ...);
static void ngx_tscast_call_finish(ngx_tscast_call_t *call);
static void ngx_tscast_call_close(ngx_tscast_call_t *call);
static void ngx_tscast_call_hang_up(ngx_tscast_call_t *call,
    ngx_uint_t failed);
static u_char *ngx_tscast_call_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


ngx_tscast_call_t *
ngx_tscast_call_create(ngx_tscast_call_conf_t *ccf)
{
    ngx_pool_t         *pool;
    ngx_tscast_call_t  *call;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_tscast_call_t));
    if (call == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    call->conf = ccf;
    call->pool = pool;

    call->log = *ngx_cycle->log;
    call->log.handler = ngx_tscast_call_log_error;
    call->log.data = call;

    call->quiet = call->log;
    call->quiet.log_level = NGX_LOG_ALERT;

    return call;
}


void
ngx_tscast_call_start(ngx_tscast_call_t *call)
{
    call->timer.handler = ngx_tscast_call_timer;
    call->timer.data = call;
    call->timer.log = &call->log;

    ngx_add_timer(&call->timer, call->conf->timeout);

    call->begin.handler = ngx_tscast_call_begin;
    call->begin.data = call;
    call->begin.log = &call->log;

    ngx_post_event(&call->begin, &ngx_posted_events);
}


static void
ngx_tscast_call_begin(ngx_event_t *ev)
{
    ngx_addr_t         *addr;
    ngx_tscast_call_t  *call;

    call = ev->data;
    addr = call->conf->addr;

    if (call->conf->http->upstream) {

        if (ngx_tscast_call_next(call) != NGX_OK) {
            ngx_tscast_call_fail(call, 0, "no live upstreams");
        }

        return;
    }

    if (addr) {
        call->peer_name = addr->name;
        ngx_tscast_call_connect(call, addr->sockaddr, addr->socklen);
        return;
    }

    if (ngx_tscast_link_resolve(&call->resolve, &call->conf->url.host,
                                ngx_tscast_call_resolved, call)
        != NGX_OK)
    {
        ngx_tscast_call_fail(call, 0, "%V cannot be resolved",
                             &call->conf->url.host);
    }
}


/* NGX_OK, or NGX_BUSY when there is no other peer */

static ngx_int_t
ngx_tscast_call_next(ngx_tscast_call_t *call)
{
    ngx_int_t   rc;
    ngx_addr_t  addr;

    rc = ngx_tscast_link_http_peer_next(&call->peers, call->conf->http,
                                        call->pool, &call->quiet, &addr);

    if (rc == NGX_OK) {
        call->peer_name = addr.name;
        ngx_tscast_call_connect(call, addr.sockaddr, addr.socklen);
    }

    return rc;
}


static void
ngx_tscast_call_resolved(ngx_resolver_ctx_t *ctx)
{
    socklen_t             socklen;
    struct sockaddr      *sockaddr;
    ngx_tscast_call_t    *call;
    ngx_resolver_addr_t  *addr;

    call = ctx->data;

    if (ctx->state) {
        ngx_tscast_call_fail(call, 0, "%V cannot be resolved (%i: %s)",
                             &ctx->name, ctx->state,
                             ngx_resolver_strerror(ctx->state));
        return;
    }

    addr = &ctx->addrs[ngx_random() % ctx->naddrs];
    socklen = addr->socklen;

    sockaddr = ngx_palloc(call->pool, socklen);
    call->peer_name.data = ngx_pnalloc(call->pool, NGX_SOCKADDR_STRLEN);

    if (sockaddr == NULL || call->peer_name.data == NULL) {
        ngx_tscast_call_fail(call, 0, "no memory");
        return;
    }

    ngx_memcpy(sockaddr, addr->sockaddr, socklen);
    ngx_inet_set_port(sockaddr, call->conf->url.port);

    call->peer_name.len = ngx_sock_ntop(sockaddr, socklen,
                                        call->peer_name.data,
                                        NGX_SOCKADDR_STRLEN, 1);

    ngx_resolve_name_done(ctx);
    call->resolve = NULL;

    ngx_tscast_call_connect(call, sockaddr, socklen);
}


static void
ngx_tscast_call_connect(ngx_tscast_call_t *call, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    ngx_err_t               err;
    ngx_int_t               rc;
    ngx_peer_connection_t  *peer;

    peer = &call->peer;

    ngx_tscast_link_http_parse_init(&call->parse);

    peer->sockaddr = sockaddr;
    peer->socklen = socklen;
    peer->name = &call->peer_name;
    peer->log = &call->quiet;

    rc = ngx_tscast_link_open(peer, call, call->pool, &call->quiet,
                              ngx_tscast_call_connect_handler);

    if (rc == NGX_ERROR) {
        err = ngx_socket_errno;

        ngx_tscast_call_fail(call, err, "connect() failed");
        return;
    }

    if (rc == NGX_OK) {
        ngx_tscast_call_connected(call);
    }
}


static void
ngx_tscast_call_connect_handler(ngx_event_t *ev)
{
    ngx_err_t           err;
    ngx_connection_t   *c;
    ngx_tscast_call_t  *call;

    c = ev->data;
    call = c->data;

    if (c->close) {
        ngx_tscast_call_fail(call, 0, "shutdown timeout");
        return;
    }

    err = ngx_tscast_link_tcp_test(c);

    if (err) {
        ngx_tscast_call_fail(call, err, "connect() failed");
        return;
    }

    ngx_tscast_call_connected(call);
}


static void
ngx_tscast_call_connected(ngx_tscast_call_t *call)
{
    ngx_connection_t        *c;
    ngx_tscast_call_conf_t  *ccf;

    c = call->peer.connection;
    ccf = call->conf;

    if (ccf->url.scheme.len == sizeof("http") - 1) {
        ngx_tscast_call_send(call);
        return;
    }

    switch (ngx_tscast_link_tls_begin(c, &ccf->http->tls, &ccf->url.host)) {

    case NGX_OK:
        ngx_tscast_call_tls_done(call);
        return;

#if (NGX_SSL)

    case NGX_AGAIN:
        c->ssl->handler = ngx_tscast_call_tls_handler;
        return;

#endif

    default: /* NGX_ERROR */
        ngx_tscast_call_fail(call, 0, "no memory");
    }
}


#if (NGX_SSL)

static void
ngx_tscast_call_tls_handler(ngx_connection_t *c)
{
    ngx_tscast_call_t  *call;

    call = c->data;

    if (c->close) {
        ngx_tscast_call_fail(call, 0, "shutdown timeout");
        return;
    }

    ngx_tscast_call_tls_done(call);
}

#endif


static void
ngx_tscast_call_tls_done(ngx_tscast_call_t *call)
{
    u_char     buf[NGX_TSCAST_RECORD_ERROR];
    ngx_str_t  why;

    why.data = buf;

    if (ngx_tscast_link_tls_test(call->peer.connection,
                                 &call->conf->http->tls, &why)
        != NGX_OK)
    {
        ngx_tscast_call_fail(call, 0, "%V", &why);
        return;
    }

    ngx_tscast_call_send(call);
}


static void
ngx_tscast_call_send(ngx_tscast_call_t *call)
{
    ngx_connection_t  *c;

    if (ngx_tscast_call_request(call) != NGX_OK) {
        ngx_tscast_call_fail(call, 0, "no memory");
        return;
    }

    c = call->peer.connection;

    c->read->handler = ngx_tscast_call_read;
    c->write->handler = ngx_tscast_call_write;

    /* what came with the connection brings no event any more */
    ngx_post_event(c->read, &ngx_posted_events);

    ngx_tscast_call_write(c->write);
}


static ngx_int_t
ngx_tscast_call_request(ngx_tscast_call_t *call)
{
    u_char  *p;

    p = ngx_tscast_link_http_make_head(call->pool, &call->pos,
                                       call->body.len ? "POST" : "GET",
                                       &call->conf->url, call->conf->http,
                                       NGX_TSCAST_CALL_LINES
                                       + call->lines.len + call->body.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (call->body.len) {
        p = ngx_sprintf(p, "Content-Type: application/json" CRLF
                           "Content-Length: %uz" CRLF, call->body.len);
    }

    p = ngx_sprintf(p, "%VConnection: close" CRLF CRLF "%V",
                    &call->lines, &call->body);

    call->last = p;

    return NGX_OK;
}


static void
ngx_tscast_call_write(ngx_event_t *ev)
{
    ssize_t             n;
    ngx_connection_t   *c;
    ngx_tscast_call_t  *call;

    c = ev->data;
    call = c->data;

    while (call->pos < call->last) {

        n = c->send(c, call->pos, call->last - call->pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_tscast_call_fail(call, 0, "the connection is broken");
            return;
        }

        call->pos += n;
    }

    if (ngx_handle_write_event(ev, 0) != NGX_OK) {
        ngx_tscast_call_fail(call, 0, "the connection is broken");
    }
}


static void
ngx_tscast_call_read(ngx_event_t *ev)
{
    u_char             *pos;
    ssize_t             n;
    ngx_int_t           rc;
    ngx_connection_t   *c;
    ngx_tscast_call_t  *call;

    static u_char  buf[4096];

    c = ev->data;
    call = c->data;

    if (c->close) {
        ngx_tscast_call_fail(call, 0, "shutdown timeout");
        return;
    }

    for ( ;; ) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(ev, 0) != NGX_OK) {
                ngx_tscast_call_fail(call, 0, "the connection is broken");
            }

            return;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_tscast_call_fail(call, 0, "it has closed the connection");
            return;
        }

        pos = buf;

        /* interim answers go before the answer */

        do {
            rc = ngx_tscast_link_http_parse_head(&call->parse, &pos, buf + n);

        } while (rc == NGX_OK && call->parse.status < 200);

        if (rc == NGX_ERROR) {
            ngx_tscast_call_fail(call, 0, "%s", call->parse.error);
            return;
        }

        if (rc == NGX_OK) {
            call->status = call->parse.status;
            ngx_tscast_call_finish(call);
            return;
        }
    }
}


static void
ngx_tscast_call_timer(ngx_event_t *ev)
{
    ngx_tscast_call_fail(ev->data, NGX_ETIMEDOUT, "no answer");
}


static void ngx_cdecl
ngx_tscast_call_fail(ngx_tscast_call_t *call, ngx_err_t err, const char *fmt,
    ...)
{
    va_list  args;

    va_start(args, fmt);

    call->err = err;
    call->why.data = call->buf;
    call->why.len = ngx_vslprintf(call->buf, call->buf + sizeof(call->buf),
                                  fmt, args)
                    - call->buf;

    va_end(args);

    if (call->peers && call->timer.timer_set && !ngx_exiting) {
        ngx_tscast_call_hang_up(call, 1);

        if (ngx_tscast_call_next(call) == NGX_OK) {
            return;
        }
    }

    ngx_tscast_call_finish(call);
}


static void
ngx_tscast_call_finish(ngx_tscast_call_t *call)
{
    ngx_pool_t  *pool;

    pool = call->pool;

    ngx_tscast_call_close(call);

    call->done(call);

    ngx_destroy_pool(pool);
}


void
ngx_tscast_call_cancel(ngx_tscast_call_t *call)
{
    ngx_tscast_call_close(call);
    ngx_destroy_pool(call->pool);
}


static void
ngx_tscast_call_close(ngx_tscast_call_t *call)
{
    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (call->begin.posted) {
        ngx_delete_posted_event(&call->begin);
    }

    if (call->resolve) {
        ngx_resolve_name_done(call->resolve);
        call->resolve = NULL;
    }

    ngx_tscast_call_hang_up(call, call->status == 0);
}


static void
ngx_tscast_call_hang_up(ngx_tscast_call_t *call, ngx_uint_t failed)
{
    if (call->peer.connection) {
        ngx_tscast_link_tls_shutdown(call->peer.connection);
        ngx_close_connection(call->peer.connection);
        call->peer.connection = NULL;
    }

    ngx_tscast_link_http_peer_done(call->peers, failed);
}


/* without the query, which may hold a secret */

static u_char *
ngx_tscast_call_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char             *p;
    ngx_str_t           address;
    ngx_tscast_call_t  *call;

    call = log->data;

    address = call->conf->address;

    for (p = address.data; p < address.data + address.len; p++) {
        if (*p == '?') {
            address.len = p - address.data;
            break;
        }
    }

    p = ngx_snprintf(buf, len, ", hook: \"%V\"", &address);
    len -= p - buf;
    buf = p;

    if (call->peer_name.len) {
        p = ngx_snprintf(buf, len, ", peer: %V", &call->peer_name);
    }

    return p;
}
