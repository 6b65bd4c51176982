
/*
 * Copyright (C) the tscast authors
 */


/*
 * A pull is a publisher of the hub, and gives way to any that is not.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


/* ms for which a worker that leaves waits for its heir */
#define NGX_TSCAST_LINK_HEIR   3000
#define NGX_TSCAST_LINK_OFFER  30000


static void ngx_tscast_link_pull_ousted(ngx_tscast_publisher_t *pub);
static ngx_uint_t ngx_tscast_link_pull_waits(ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_pull_result(ngx_tscast_link_t *link,
    ngx_int_t rc);


ngx_int_t
ngx_tscast_link_pull_publish(ngx_tscast_link_t *link)
{
    ngx_int_t                rc;
    ngx_tscast_publisher_t  *pub;

    pub = &link->publisher;

    ngx_memzero(pub, sizeof(ngx_tscast_publisher_t));

    pub->data = link;
    pub->ousted = ngx_tscast_link_pull_ousted;
    pub->log = link->failing ? &link->quiet : &link->log;
    pub->addr_text = &link->peer_name;
    pub->door = NGX_TSCAST_DOOR_LINK;
    pub->timeout = link->conf->timeout;
    pub->weak = 1;
    pub->via = link->via;

    /* there are no tags of what an heir has kept */

    pub->flv = link->handover ? NULL : link->flv;

    pub->datagrams = (link->conf->scheme->flags & NGX_TSCAST_SCHEME_DATAGRAM)
                     != 0;

    /*
     * a pull that was changed takes over from older workers, but an heir goes
     * on where its own owner has ended, and one of several ousts no other
     */

    pub->inherit = (link->handover == NULL
                    && !ngx_tscast_link_reserve(link->conf));

    rc = ngx_tscast_publish(pub, link->zone, &link->name);

    if (rc == NGX_OK) {
        link->publishing = 1;
        link->packets = 0;
    }

    return ngx_tscast_link_pull_result(link, rc);
}


ngx_int_t
ngx_tscast_link_pull_data(ngx_tscast_link_t *link, u_char *p, size_t n)
{
    ngx_int_t  rc;

    if (ngx_tscast_link_pull_waits(link)) {
        return ngx_tscast_link_handover_heir(link, p, n);
    }

    if (!link->publishing) {
        rc = ngx_tscast_link_pull_publish(link);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    link->record->bytes += n;

    if (ngx_tscast_link_pull_leaves(link)) {
        return ngx_tscast_link_handover_owner(link, p, n);
    }

    rc = ngx_tscast_publisher_write(&link->publisher, p, n);

    return ngx_tscast_link_pull_result(link, rc);
}


/* an heir keeps what comes until the owner has stopped */

static ngx_uint_t
ngx_tscast_link_pull_waits(ngx_tscast_link_t *link)
{
    return link->heir || (link->handover && !link->publishing);
}


/* an owner stops at a RAP, for an heir that has it */

ngx_uint_t
ngx_tscast_link_pull_leaves(ngx_tscast_link_t *link)
{
    return link->handover
           || __atomic_load_n(&link->record->offer, __ATOMIC_SEQ_CST);
}


void
ngx_tscast_link_pull_tag(ngx_tscast_link_t *link, ngx_tscast_flv_tag_t *tag,
    uint64_t time)
{
    ngx_uint_t  script;

    script = (tag->type == NGX_TSCAST_FLV_SCRIPT);

    if (ngx_tscast_link_pull_waits(link) || (script && !link->publishing)) {

        /* what a publisher is to begin with */

        if (link->flv == NULL || !(script || tag->config)
            || ngx_tscast_flv_headers_set(link->flv, tag->type, tag->data,
                                          tag->len)
               != NGX_DECLINED)
        {
            return;
        }

        ngx_log_error(NGX_LOG_INFO, &link->log, 0,
                      "%uz bytes of %s are too long for FLV", tag->len,
                      script ? "metadata" : "a sequence header");

        if (tag->config) {
            link->flv = NULL;
        }

        return;
    }

    if (link->publishing || ngx_tscast_link_pull_publish(link) == NGX_OK) {
        ngx_tscast_publisher_flv(&link->publisher, tag, time);
    }
}


void
ngx_tscast_link_pull_flush(ngx_tscast_link_t *link)
{
    if (link->publishing) {
        ngx_tscast_publisher_flush(&link->publisher);

        if (link->publisher.parser.packets == link->packets) {
            /* what comes is no media: as if it were nothing */
            return;
        }

        link->packets = link->publisher.parser.packets;
    }

    link->heard = ngx_current_msec;

    if (!link->timer.timer_set) {
        ngx_add_timer(&link->timer, link->conf->timeout);
    }
}


void
ngx_tscast_link_pull_read(ngx_event_t *ev,
    ngx_int_t (*take)(ngx_tscast_link_t *link, u_char *p, size_t n))
{
    ssize_t             n;
    ngx_uint_t          i;
    ngx_connection_t   *c;
    ngx_tscast_link_t  *link;

    static u_char  buf[NGX_TSCAST_LINK_BUFFER];

    c = ev->data;
    link = c->data;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    for (i = 0; i < NGX_TSCAST_LINK_READS; i++) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_tscast_link_pull_end(link, n ? "the connection is broken"
                                        : "the peer has closed the connection");
            return;
        }

        if (take(link, buf, n) != NGX_OK) {
            return;
        }
    }

    if (i) {
        ngx_tscast_link_pull_flush(link);
    }

    if (i == NGX_TSCAST_LINK_READS) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "the connection is broken");
    }
}


void
ngx_tscast_link_pull_end(ngx_tscast_link_t *link, const char *reason)
{
    if (link->publishing) {
        (void) ngx_tscast_publisher_finish(&link->publisher);
    }

    ngx_tscast_link_fail(link, 0, "%s", reason);
}


static void
ngx_tscast_link_pull_ousted(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_link_yield(pub->data);
}


/* what the hub says to the link's next state */

static ngx_int_t
ngx_tscast_link_pull_result(ngx_tscast_link_t *link, ngx_int_t rc)
{
    switch (rc) {

    case NGX_OK:
        return NGX_OK;

    case NGX_TSCAST_BUSY:
    case NGX_TSCAST_OUSTED:
        ngx_tscast_link_yield(link);
        break;

    case NGX_TSCAST_NO_SYNC:
        ngx_tscast_link_fail(link, 0, "this is no transport stream");
        break;

    case NGX_TSCAST_NO_MEMORY:
        ngx_tscast_link_fail(link, 0, "the zone is full");
        break;

    default:
        ngx_tscast_link_fail(link, 0, "it cannot be published");
        break;
    }

    return rc;
}


/* once a second while the worker waits for its last clients */

void
ngx_tscast_link_pull_leave(ngx_tscast_link_t *link)
{
    ngx_msec_t  waited;

    waited = ngx_current_msec - link->left;

    if (link->conf->scheme->flags & NGX_TSCAST_SCHEME_DATAGRAM) {
        /* two workers cannot both hear the same */
        link->publisher.leaves = ngx_tscast_successor(link->zone);
        ngx_tscast_link_finish(link);
        return;
    }

    /* an older worker is told to leave when the newer ones have started */

    if (link->record->heir ? waited > NGX_TSCAST_LINK_OFFER
                           : waited > NGX_TSCAST_LINK_HEIR
                             || (waited && !ngx_tscast_successor(link->zone)))
    {
        link->publisher.leaves = (link->record->heir != 0);
        ngx_tscast_link_finish(link);
    }
}


void
ngx_tscast_link_pull_stop(ngx_tscast_link_t *link)
{
    if (link->publishing) {
        ngx_tscast_unpublish(&link->publisher);
        link->publishing = 0;
    }

    if (link->heir) {
        __atomic_store_n(&link->record->offer, 0, __ATOMIC_SEQ_CST);
    }

    ngx_tscast_link_handover_free(link);
}
