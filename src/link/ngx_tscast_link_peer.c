
/*
 * Copyright (C) the tscast authors
 */


/*
 * From the host of a URL to an open connection.  All of it lives in the pool
 * of the try, and goes with it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_tscast_link.h"


static void ngx_tscast_link_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_tscast_link_tcp_handler(ngx_event_t *ev);


void
ngx_tscast_link_connect(ngx_tscast_link_t *link)
{
    ngx_tscast_link_conf_t  *lcf;

    lcf = link->conf;
    link->absent = 0;

    if (!link->heir) {
        link->record->state = NGX_TSCAST_LINK_CONNECTING;
        link->record->since = ngx_current_msec;
    }

    link->pool = ngx_create_pool(1024, &link->log);
    if (link->pool == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    ngx_add_timer(&link->timer, lcf->timeout);

    if (lcf->known) {
        link->url = &lcf->url;
        lcf->scheme->start(link);
        return;
    }

    ngx_tscast_link_locate(link, &lcf->url);
}


void
ngx_tscast_link_locate(ngx_tscast_link_t *link, ngx_tscast_url_t *url)
{
    ngx_int_t   rc;
    ngx_addr_t  addr;

    link->url = url;

    rc = ngx_parse_addr(link->pool, &addr, url->host.data, url->host.len);

    if (rc == NGX_DECLINED) {

        if (ngx_tscast_link_resolve(&link->resolve, &link->url->host,
                                    ngx_tscast_link_resolved, link)
            != NGX_OK)
        {
            ngx_tscast_link_fail(link, 0, "%V cannot be resolved",
                                 &url->host);
        }

        return;
    }

    if (rc != NGX_OK
        || ngx_tscast_link_address(link, addr.sockaddr, addr.socklen,
                                   url->port)
           != NGX_OK)
    {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    link->conf->scheme->start(link);
}


ngx_int_t
ngx_tscast_link_resolve(ngx_resolver_ctx_t **resolve, ngx_str_t *host,
    ngx_resolver_handler_pt handler, void *data)
{
    ngx_resolver_ctx_t           *ctx;
    ngx_tscast_link_main_conf_t  *lmcf;

    lmcf = (ngx_tscast_link_main_conf_t *)
               ngx_get_conf(ngx_cycle->conf_ctx, ngx_tscast_link_module);

    if (lmcf->resolver == NULL) {
        /* the configuration has no names, a redirect has one */
        return NGX_ERROR;
    }

    ctx = ngx_resolve_start(lmcf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_ERROR;
    }

    ctx->name = *host;
    ctx->handler = handler;
    ctx->data = data;
    ctx->timeout = lmcf->resolver_timeout;

    *resolve = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        *resolve = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_tscast_link_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_uint_t            n;
    ngx_tscast_link_t    *link;
    ngx_resolver_addr_t  *addr;

    link = ctx->data;

    if (ctx->state) {
        ngx_tscast_link_fail(link, 0, "%V cannot be resolved (%i: %s)",
                             &ctx->name, ctx->state,
                             ngx_resolver_strerror(ctx->state));
        return;
    }

    /* the next one each time: the last may have been the wrong one */

    n = (link->record->connects + link->record->failures) % ctx->naddrs;
    addr = &ctx->addrs[n];

    rc = ngx_tscast_link_address(link, addr->sockaddr, addr->socklen,
                                 link->url->port);

    ngx_resolve_name_done(ctx);
    link->resolve = NULL;

    if (rc != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    link->conf->scheme->start(link);
}


ngx_int_t
ngx_tscast_link_address(ngx_tscast_link_t *link, struct sockaddr *sockaddr,
    socklen_t socklen, in_port_t port)
{
    link->sockaddr = ngx_palloc(link->pool, socklen);
    link->peer_name.data = ngx_pnalloc(link->pool, NGX_SOCKADDR_STRLEN);

    if (link->sockaddr == NULL || link->peer_name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(link->sockaddr, sockaddr, socklen);
    link->socklen = socklen;

    if (port) {
        ngx_inet_set_port(link->sockaddr, port);
    }

    link->peer_name.len = ngx_sock_ntop(link->sockaddr, socklen,
                                        link->peer_name.data,
                                        NGX_SOCKADDR_STRLEN, 1);

    return NGX_OK;
}


void
ngx_tscast_link_tcp(ngx_tscast_link_t *link,
    void (*handler)(ngx_tscast_link_t *link))
{
    ngx_err_t               err;
    ngx_int_t               rc;
    ngx_peer_connection_t  *peer;

    peer = &link->peer;

    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = link->sockaddr;
    peer->socklen = link->socklen;
    peer->name = &link->peer_name;
    peer->log = &link->quiet;

    link->connected = handler;

    rc = ngx_tscast_link_open(peer, link, link->pool, &link->log,
                              ngx_tscast_link_tcp_handler);

    if (rc == NGX_ERROR) {
        err = ngx_socket_errno;

        ngx_tscast_link_fail(link, err, "connect() failed");
        return;
    }

    if (rc == NGX_OK) {
        handler(link);
    }
}


ngx_int_t
ngx_tscast_link_open(ngx_peer_connection_t *peer, void *data,
    ngx_pool_t *pool, ngx_log_t *log, ngx_event_handler_pt handler)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    peer->get = ngx_event_get_peer;
    peer->log_error = NGX_ERROR_INFO;

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(peer);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        return NGX_ERROR;
    }

    c = peer->connection;

    c->data = data;
    c->pool = pool;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->sockaddr = peer->sockaddr;
    c->socklen = peer->socklen;
    c->sendfile = 0;

    c->read->handler = handler;
    c->write->handler = handler;

    return rc;
}


static void
ngx_tscast_link_tcp_handler(ngx_event_t *ev)
{
    ngx_err_t           err;
    ngx_connection_t   *c;
    ngx_tscast_link_t  *link;

    c = ev->data;
    link = c->data;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    err = ngx_tscast_link_tcp_test(c);

    if (err) {
        ngx_tscast_link_fail(link, err, "connect() failed");
        return;
    }

    link->connected(link);
}


ngx_err_t
ngx_tscast_link_tcp_test(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


ngx_uint_t
ngx_tscast_link_rtt(ngx_tscast_link_t *link)
{
    socklen_t          len;
    struct tcp_info    ti;
    ngx_connection_t  *c;

    c = link->peer.connection;
    len = sizeof(struct tcp_info);

    if (c == NULL
        || getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == -1)
    {
        /* datagrams */
        return 0;
    }

    return ti.tcpi_rtt;
}


void
ngx_tscast_link_close(ngx_tscast_link_t *link)
{
    if (link->resolve) {
        ngx_resolve_name_done(link->resolve);
        link->resolve = NULL;
    }

    if (link->pool && link->conf->scheme->stop) {
        link->conf->scheme->stop(link);
    }

    if (link->peer.connection) {
        ngx_close_connection(link->peer.connection);
        link->peer.connection = NULL;
    }

    if (link->pool) {
        ngx_destroy_pool(link->pool);
        link->pool = NULL;
    }

    link->ctx = NULL;
    link->sockaddr = NULL;
    link->peer_name.len = 0;
}
