
/*
 * Copyright (C) the tscast authors
 */


/*
 * udp://host:port, datagrams of whole packets, and rtp://host:port, the same
 * with RTP before them.  The host is a peer or a group.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <net/if.h>

#include "ngx_tscast_link_udp.h"


static void ngx_tscast_link_udp_start(ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_udp_open(ngx_tscast_link_t *link);
static void ngx_tscast_link_udp_stop(ngx_tscast_link_t *link);


static ngx_tscast_scheme_t  ngx_tscast_link_udp_scheme = {
    ngx_string("udp"),
    NGX_TSCAST_SCHEME_PUSH|NGX_TSCAST_SCHEME_PULL|NGX_TSCAST_SCHEME_DATAGRAM,
    0,
    ngx_tscast_link_udp_param,
    ngx_tscast_link_udp_conf,
    ngx_tscast_link_udp_start,
    ngx_tscast_link_udp_stop,
    NULL,
    NULL,
    NULL
};


static ngx_tscast_scheme_t  ngx_tscast_link_rtp_scheme = {
    ngx_string("rtp"),
    NGX_TSCAST_SCHEME_PUSH|NGX_TSCAST_SCHEME_PULL|NGX_TSCAST_SCHEME_DATAGRAM,
    0,
    ngx_tscast_link_udp_param,
    ngx_tscast_link_udp_conf,
    ngx_tscast_link_udp_start,
    ngx_tscast_link_udp_stop,
    NULL,
    NULL,
    NULL
};


ngx_module_t  ngx_tscast_link_udp_module = {
    NGX_MODULE_V1,
    &ngx_tscast_link_udp_scheme,           /* module context */
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


ngx_module_t  ngx_tscast_link_rtp_module = {
    NGX_MODULE_V1,
    &ngx_tscast_link_rtp_scheme,           /* module context */
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


ngx_uint_t
ngx_tscast_link_udp_is_rtp(ngx_tscast_link_conf_t *lcf)
{
    return lcf->scheme == &ngx_tscast_link_rtp_scheme;
}


static void
ngx_tscast_link_udp_start(ngx_tscast_link_t *link)
{
    ngx_tscast_link_udp_conf_t  *ucf;

    ucf = link->conf->conf;

    if ((ucf->iface.len || ucf->source)
        && !ngx_tscast_link_udp_is_group(link->sockaddr))
    {
        ngx_tscast_link_fail(link, 0, "iface= and source= need a group");
        return;
    }

    if (ucf->iface.len && ngx_tscast_link_udp_iface(link) == 0) {
        ngx_tscast_link_fail(link, ngx_errno, "there is no interface %V",
                             &ucf->iface);
        return;
    }

    if (ngx_tscast_link_udp_open(link) != NGX_OK) {
        ngx_tscast_link_fail(link, ngx_socket_errno,
                             "a socket cannot be opened");
        return;
    }

    if (link->conf->push) {
        ngx_tscast_link_udp_push(link);

    } else {
        ngx_tscast_link_udp_pull(link);
    }
}


static ngx_int_t
ngx_tscast_link_udp_open(ngx_tscast_link_t *link)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = ngx_socket(link->sockaddr->sa_family, SOCK_DGRAM, 0);

    if (s == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(s, &link->log);

    if (c == NULL) {
        ngx_close_socket(s);
        return NGX_ERROR;
    }

    c->type = SOCK_DGRAM;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->data = link;
    c->pool = link->pool;
    c->log = &link->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->sockaddr = link->sockaddr;
    c->socklen = link->socklen;

    link->peer.connection = c;

    return ngx_nonblocking(s) == -1 ? NGX_ERROR : NGX_OK;
}


static void
ngx_tscast_link_udp_stop(ngx_tscast_link_t *link)
{
    if (link->ctx == NULL) {
        return;
    }

    if (link->conf->push) {
        ngx_tscast_link_udp_push_close(link);

    } else {
        ngx_tscast_link_udp_pull_close(link);
    }
}


unsigned
ngx_tscast_link_udp_iface(ngx_tscast_link_t *link)
{
    ngx_tscast_link_udp_conf_t  *ucf;

    ucf = link->conf->conf;

    return ucf->iface.len ? if_nametoindex((char *) ucf->iface.data) : 0;
}


ngx_int_t
ngx_tscast_link_udp_option(ngx_tscast_link_t *link, int level, int name,
    const void *value, socklen_t len, const char *text)
{
    if (setsockopt(link->peer.connection->fd, level, name, value, len) == -1) {
        ngx_tscast_link_fail(link, ngx_socket_errno, "setsockopt(%s) failed",
                             text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_tscast_link_udp_number(ngx_tscast_link_t *link, int level, int name,
    int value, const char *text)
{
    return ngx_tscast_link_udp_option(link, level, name, &value, sizeof(int),
                                      text);
}
