
/*
 * Copyright (C) the tscast authors
 */


/*
 * tcp://host:port, a transport stream with nothing around it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


static void ngx_tscast_link_tcp_start(ngx_tscast_link_t *link);
static void ngx_tscast_link_tcp_connected(ngx_tscast_link_t *link);
static void ngx_tscast_link_tcp_drained(ngx_tscast_link_t *link);
static void ngx_tscast_link_tcp_ignore(ngx_event_t *ev);
static void ngx_tscast_link_tcp_watch(ngx_event_t *ev);
static void ngx_tscast_link_tcp_read(ngx_event_t *ev);


static ngx_tscast_scheme_t  ngx_tscast_link_tcp_scheme = {
    ngx_string("tcp"),
    NGX_TSCAST_SCHEME_PUSH|NGX_TSCAST_SCHEME_PULL,
    0,
    NULL,
    NULL,
    ngx_tscast_link_tcp_start,
    NULL,
    ngx_tscast_link_tcp_drained,
    NULL,
    NULL
};


ngx_module_t  ngx_tscast_link_tcp_module = {
    NGX_MODULE_V1,
    &ngx_tscast_link_tcp_scheme,           /* module context */
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


static void
ngx_tscast_link_tcp_start(ngx_tscast_link_t *link)
{
    ngx_tscast_link_tcp(link, ngx_tscast_link_tcp_connected);
}


static void
ngx_tscast_link_tcp_connected(ngx_tscast_link_t *link)
{
    ngx_connection_t  *c;

    c = link->peer.connection;

    if (link->conf->push) {
        c->read->handler = ngx_tscast_link_tcp_watch;

        if (c->read->ready) {
            /* it will not be told again */
            ngx_post_event(c->read, &ngx_posted_events);
        }

        c->write->handler = ngx_tscast_link_push_write;

        ngx_tscast_link_push_start(link, &ngx_tscast_framing_raw,
                                   ngx_tscast_send);
        return;
    }

    c->read->handler = ngx_tscast_link_tcp_read;
    c->write->handler = ngx_tscast_link_tcp_ignore;

    ngx_tscast_link_up(link);

    ngx_add_timer(&link->timer, link->conf->timeout);

    ngx_tscast_link_tcp_read(c->read);
}


/* the peer closes when it has read all */

static void
ngx_tscast_link_tcp_drained(ngx_tscast_link_t *link)
{
    ngx_connection_t  *c;

    c = link->peer.connection;

    c->write->handler = ngx_tscast_link_tcp_ignore;

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             ngx_shutdown_socket_n " failed");
    }
}


static void
ngx_tscast_link_tcp_ignore(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close) {
        ngx_tscast_link_finish(c->data);
    }
}


/* of a push: the peer has nothing to say, but may close */

static void
ngx_tscast_link_tcp_watch(ngx_event_t *ev)
{
    ssize_t             n;
    ngx_uint_t          i;
    ngx_connection_t   *c;
    ngx_tscast_link_t  *link;
    u_char              buf[4096];

    c = ev->data;
    link = c->data;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    for (i = 0; i < NGX_TSCAST_LINK_READS; i++) {

        n = c->recv(c, buf, sizeof(buf));

        if (n > 0) {
            continue;
        }

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(ev, 0) != NGX_OK) {
                ngx_tscast_link_fail(link, 0, "the connection is broken");
            }

            return;
        }

        if (link->drained) {
            ngx_tscast_link_finish(link);
            return;
        }

        ngx_tscast_link_fail(link, 0, n ? "the connection is broken"
                                        : "the peer has closed the connection");
        return;
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}


static void
ngx_tscast_link_tcp_read(ngx_event_t *ev)
{
    ngx_tscast_link_pull_read(ev, ngx_tscast_link_pull_data);
}
