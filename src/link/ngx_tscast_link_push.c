
/*
 * Copyright (C) the tscast authors
 */


/*
 * A push is a viewer of the hub, with a connection of this node's own.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


/* ms for which a worker that leaves waits for a RAP to stop at */
#define NGX_TSCAST_LINK_DRAIN  30000


static void ngx_tscast_link_push_close(ngx_tscast_viewer_t *v, ngx_int_t rc);
static void ngx_tscast_link_push_broken(ngx_tscast_link_t *link);


void
ngx_tscast_link_push_start(ngx_tscast_link_t *link,
    const ngx_tscast_framing_t *framing, ngx_tscast_send_pt send)
{
    ngx_int_t                rc;
    ngx_tscast_viewer_t     *v;
    ngx_tscast_record_t     *rec;
    ngx_tscast_link_conf_t  *lcf;

    lcf = link->conf;
    rec = link->record;
    v = &link->viewer;

    ngx_memzero(v, sizeof(ngx_tscast_viewer_t));
    link->counted = 0;

    v->data = link;
    v->connection = link->peer.connection;
    v->log = &link->log;
    v->framing = framing;
    v->send = send;
    v->close = ngx_tscast_link_push_close;
    v->door = NGX_TSCAST_DOOR_LINK;
    v->start = NGX_TSCAST_START_KEY;
    v->lag = NGX_TSCAST_LAG_SKIP;
    v->flush = lcf->flush;
    v->timeout = lcf->timeout;

    if (lcf->scheme->flags & NGX_TSCAST_SCHEME_FLV) {
        v->rendition = NGX_TSCAST_FLV;
        v->zero = NGX_TSCAST_FLV_ZERO;
    }

    if (rec->place.feed) {
        v->place = rec->place;
        v->start = (lcf->scheme->flags & NGX_TSCAST_SCHEME_DATAGRAM)
                       ? NGX_TSCAST_START_EXACT : NGX_TSCAST_START_AT;

        rec->place.feed = 0;
    }

    rc = ngx_tscast_viewer_join(v, link->zone, &link->name);

    if (rc == NGX_ERROR) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    if (rc == NGX_TSCAST_UNFIT) {
        ngx_tscast_link_fail(link, 0, "%V is not for %V://", &v->unfit,
                             &lcf->url.scheme);
        return;
    }

    if (rc != NGX_OK) {
        /* the stream has ended meanwhile */
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_tscast_link_up(link);

    ngx_tscast_viewer_start(v);
}


void
ngx_tscast_link_push_write(ngx_event_t *ev)
{
    ngx_connection_t   *c;
    ngx_tscast_link_t  *link;

    c = ev->data;
    link = c->data;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_tscast_viewer_write(&link->viewer);
}


static void
ngx_tscast_link_push_close(ngx_tscast_viewer_t *v, ngx_int_t rc)
{
    ngx_tscast_link_t  *link;

    link = v->data;

    switch (rc) {

    case NGX_DONE:
        ngx_tscast_viewer_place(v, &link->record->place);

        /* fall through */

    case NGX_OK:
        ngx_tscast_link_push_stop(link);

        link->drained = 1;

        if (link->conf->scheme->drained) {
            ngx_add_timer(&link->timer, 1000);
            link->conf->scheme->drained(link);
            return;
        }

        ngx_tscast_link_finish(link);
        return;

    case NGX_TSCAST_TIMED_OUT:
        ngx_tscast_link_fail(link, NGX_ETIMEDOUT, "the peer takes nothing");
        return;

    default:
        ngx_tscast_link_push_broken(link);
        return;
    }
}


/*
 * An answer may have come before the connection broke.  With it the link goes
 * on, or is gone, and the connection is closed, or is another.
 */

static void
ngx_tscast_link_push_broken(ngx_tscast_link_t *link)
{
    ngx_event_t        *rev;
    ngx_connection_t   *c;
    ngx_atomic_uint_t   number;

    c = link->peer.connection;

    if ((link->conf->scheme->flags & NGX_TSCAST_SCHEME_ANSWERS) && !c->close) {
        rev = c->read;
        number = c->number;

        rev->ready = 1;
        rev->available = -1;

        rev->handler(rev);

        if (c->fd == (ngx_socket_t) -1 || c->number != number) {
            return;
        }
    }

    ngx_tscast_link_fail(link, 0, "sending failed");
}


/* once a second while the worker waits for its last clients */

void
ngx_tscast_link_push_leave(ngx_tscast_link_t *link)
{
    if (link->drained || !ngx_tscast_successor(link->zone)) {
        /* the stream ends with this worker, and the link with it */
        return;
    }

    if (link->conf->scheme->flags & NGX_TSCAST_SCHEME_DATAGRAM) {
        ngx_tscast_viewer_place(&link->viewer, &link->record->place);
        ngx_tscast_link_finish(link);
        return;
    }

    if (!link->viewer.draining) {
        ngx_tscast_viewer_drain(&link->viewer);
        return;
    }

    if (ngx_current_msec - link->left > NGX_TSCAST_LINK_DRAIN) {
        ngx_tscast_viewer_place(&link->viewer, &link->record->place);
        ngx_tscast_link_finish(link);
    }
}


void
ngx_tscast_link_push_stop(ngx_tscast_link_t *link)
{
    ngx_tscast_link_push_count(link);

    ngx_tscast_viewer_leave(&link->viewer);
}


/* what was sent goes to the record */

void
ngx_tscast_link_push_count(ngx_tscast_link_t *link)
{
    link->record->bytes += link->viewer.sent - link->counted;
    link->counted = link->viewer.sent;
}
