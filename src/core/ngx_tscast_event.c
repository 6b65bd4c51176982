
/*
 * Copyright (C) the tscast authors
 */


/*
 * What is said of publishers and viewers where they begin and end.  Publishers
 * of a worker that was killed are orphans: their feeds are held until a worker
 * that sweeps has told of their end.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


static void ngx_tscast_event_feed(ngx_tscast_event_t *ev,
    ngx_tscast_zone_t *zone, ngx_tscast_feed_t *feed);
static ngx_int_t ngx_tscast_event_orphan(ngx_tscast_event_t *ev,
    ngx_tscast_zone_t *zone, ngx_uint_t i);
static void ngx_tscast_event_name(ngx_tscast_event_t *ev, ngx_str_t *name);


static const char  ngx_tscast_event_died[] = "its worker has died";


void
ngx_tscast_event_publisher(ngx_tscast_publisher_t *pub,
    ngx_tscast_event_e type)
{
    ngx_tscast_event_t  ev;

    if (!ngx_tscast_event_wanted()) {
        return;
    }

    ngx_tscast_event_feed(&ev, pub->zone, pub->feed);

    ev.type = type;
    ev.bytes = pub->received;

    ngx_tscast_event(&ev);
}


/* of the ith check of ngx_tscast_report_errors[] */

void
ngx_tscast_event_alarm(ngx_tscast_publisher_t *pub, ngx_tscast_event_e type,
    ngx_uint_t i)
{
    ngx_tscast_event_t  ev;

    if (!ngx_tscast_event_wanted()) {
        return;
    }

    ngx_tscast_event_feed(&ev, pub->zone, pub->feed);

    ev.type = type;
    ev.check = ngx_tscast_report_errors[i].name;
    ev.errors = pub->alarms.errors[i];

    ngx_tscast_event(&ev);
}


static void
ngx_tscast_event_feed(ngx_tscast_event_t *ev, ngx_tscast_zone_t *zone,
    ngx_tscast_feed_t *feed)
{
    ngx_memzero(ev, sizeof(ngx_tscast_event_t));

    ev->zone = zone;
    ev->id = feed->ring.id;
    ev->door = feed->door;
    ev->since = feed->since;

    ev->address.len = feed->addr_len;
    ev->address.data = ev->address_data;
    ngx_memcpy(ev->address_data, feed->addr, feed->addr_len);

    ngx_tscast_event_name(ev, &feed->stream->sn.str);
}


void
ngx_tscast_event_viewer(ngx_tscast_viewer_t *v, ngx_tscast_event_e type)
{
    ngx_connection_t       *c;
    ngx_tscast_zone_t      *zone;
    ngx_tscast_event_t      ev;
    ngx_tscast_stream_t    *st;
    ngx_tscast_counters_t  *cnt;

    zone = v->group->watch->zone;

    if (type == NGX_TSCAST_EVENT_VIEWER_START) {
        v->told = 1;
    }

    if (!v->told || !ngx_tscast_event_wanted()) {
        return;
    }

    c = v->connection;
    st = v->group->watch->stream;
    st = st->base ? st->base : st;

    ngx_memzero(&ev, sizeof(ngx_tscast_event_t));

    ev.type = type;
    ev.zone = zone;
    ev.id = v->id;
    ev.door = v->door;
    ev.since = v->since;
    ev.bytes = v->sent;
    ev.skips = v->skipped;
    ev.address = c->addr_text;

    for (cnt = __atomic_load_n(&st->counters, __ATOMIC_SEQ_CST);
         cnt;
         cnt = cnt->next)
    {
        ev.viewers += cnt->viewers;
    }

    ngx_tscast_event_name(&ev, &st->sn.str);

    ngx_tscast_event(&ev);

    if (type == NGX_TSCAST_EVENT_VIEWER_STOP) {
        v->told = 0;
    }
}


/* windows have become shorter, or are what they should be again */

void
ngx_tscast_event_zone(ngx_tscast_zone_t *zone, ngx_tscast_event_e type)
{
    ngx_tscast_event_t  ev;

    ngx_memzero(&ev, sizeof(ngx_tscast_event_t));

    ev.type = type;
    ev.zone = zone;
    ev.check = "shortened";
    ev.errors = zone->sh->shortages;

    ngx_tscast_event(&ev);
}


void
ngx_tscast_event_orphans(ngx_tscast_zone_t *zone)
{
    ngx_uint_t                i;
    ngx_tscast_event_t        ev;
    ngx_tscast_report_link_t  link;

    for (i = 0; i < zone->sh->nstreams; /* void */ ) {

        if (ngx_tscast_event_orphan(&ev, zone, i) != NGX_OK) {
            i++;
            continue;
        }

        ngx_tscast_event(&ev);
    }

    while (ngx_tscast_record_orphan(zone, &link) == NGX_OK) {

        ngx_memzero(&ev, sizeof(ngx_tscast_event_t));

        ev.type = NGX_TSCAST_EVENT_LINK_DOWN;
        ev.zone = zone;
        ev.name.len = link.name_len;
        ev.name.data = link.name;
        ev.link = &link;
        ev.error = ngx_tscast_event_died;

        ngx_tscast_event(&ev);
    }
}


/* an orphan of the stream at this place; NGX_DECLINED: there is none */

static ngx_int_t
ngx_tscast_event_orphan(ngx_tscast_event_t *ev, ngx_tscast_zone_t *zone,
    ngx_uint_t i)
{
    ngx_int_t                    rc;
    ngx_queue_t                 *q;
    ngx_tscast_feed_t           *feed;
    ngx_tscast_stream_t         *st;
    static ngx_tscast_vitals_t   vitals;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = zone->sh->streams[i];

    if (st == NULL) {
        ngx_shmtx_unlock(&zone->shpool->mutex);
        return rc;
    }

    for (q = ngx_queue_head(&st->feeds);
         q != ngx_queue_sentinel(&st->feeds);
         q = ngx_queue_next(q))
    {
        feed = ngx_queue_data(q, ngx_tscast_feed_t, queue);

        if (!feed->orphan) {
            continue;
        }

        feed->orphan = 0;
        feed->held = 0;
        zone->sh->norphans--;

        ngx_tscast_event_feed(ev, zone, feed);

        ev->type = NGX_TSCAST_EVENT_PUBLISHER_STOP;
        ev->error = ngx_tscast_event_died;

        if (ngx_tscast_vitals_read(feed, &vitals) == NGX_OK) {
            ev->bytes = vitals.received;
        }

        rc = NGX_OK;
        break;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


static void
ngx_tscast_event_name(ngx_tscast_event_t *ev, ngx_str_t *name)
{
    ev->name.len = name->len;
    ev->name.data = ev->name_data;
    ngx_memcpy(ev->name_data, name->data, name->len);
}
