
/*
 * Copyright (C) the tscast authors
 */


/*
 * Viewers: where each of them is in the stream, and what happens at the
 * edges of a feed.
 *
 *     wait     for a RAP, from the cursor on: the newest or the first
 *     play     cursor moves to head, frame by frame
 *     lag      the window has passed the cursor: to the newest RAP, or out
 *     linger   the feed has ended and there is no other: wait, or out
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* ms for which viewers of a former feed wait for all PIDs of a new one */
#define NGX_TSCAST_COMPLETE  500

/* ms for which all viewers wait for the heir of a publisher */
#define NGX_TSCAST_HEIR      5000


static ngx_int_t ngx_tscast_viewer_find_locked(ngx_tscast_viewer_t *v,
    ngx_tscast_zone_t *zone, ngx_str_t *name, ngx_msec_t wait,
    ngx_tscast_stream_t **found);
static ngx_int_t ngx_tscast_viewer_fits_locked(ngx_tscast_viewer_t *v,
    ngx_tscast_stream_t *st);
static ngx_int_t ngx_tscast_viewer_base(ngx_tscast_viewer_t *v);
static uint64_t ngx_tscast_viewer_refusals(ngx_tscast_watch_t *w);
static void ngx_tscast_viewer_drop(ngx_tscast_viewer_t *v);
static void ngx_tscast_viewer_await(ngx_tscast_viewer_t *v);
static void ngx_tscast_viewer_begin(ngx_tscast_viewer_t *v);
static void ngx_tscast_viewer_resume(ngx_tscast_viewer_t *v);
static void ngx_tscast_viewer_look_ahead(ngx_tscast_viewer_t *v);
static void ngx_tscast_viewer_enter(ngx_tscast_reading_t *rd,
    ngx_tscast_feed_t *feed);
static ngx_int_t ngx_tscast_viewer_next_feed(ngx_tscast_viewer_t *v);
static ngx_msec_t ngx_tscast_viewer_linger(ngx_tscast_viewer_t *v,
    ngx_tscast_stream_t *st);
static ngx_int_t ngx_tscast_viewer_tune(ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd);
static ngx_int_t ngx_tscast_viewer_lag(ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd);


/* of one viewer at a time; a frame at most */

static ngx_tscast_ts_tables_t  ngx_tscast_viewer_tables;
static u_char                  ngx_tscast_viewer_buf[NGX_TSCAST_TS_MAX_START];

static u_char                  ngx_tscast_viewer_unfit[NGX_TSCAST_UNFIT_LEN];


const ngx_tscast_rendition_t  ngx_tscast_renditions[] = {
    { ngx_tscast_viewer_tune, ngx_tscast_send_gather },
    { ngx_tscast_tags_tune, ngx_tscast_tags_gather }
};


ngx_int_t
ngx_tscast_viewer_join(ngx_tscast_viewer_t *v, ngx_tscast_zone_t *zone,
    ngx_str_t *name)
{
    ngx_int_t             rc;
    ngx_msec_t            wait;
    ngx_tscast_watch_t   *w;
    ngx_tscast_stream_t  *st;

    if (ngx_tscast_stream_check_name(name) != NGX_OK) {
        return NGX_TSCAST_BAD_NAME;
    }

    if (zone->slot == NULL) {
        return NGX_ERROR;
    }

    wait = 0;

    if (v->ready && !ngx_tscast_stream_live(zone, name, 1)) {
        wait = ngx_tscast_observe_offered(zone, name);
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    rc = ngx_tscast_viewer_find_locked(v, zone, name, wait, &st);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rc == NGX_DECLINED) {
        ngx_tscast_room_unheard(v, zone, name);
        return NGX_TSCAST_NOT_FOUND;
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, v->log, 0,
                      "zone \"%V\" has no memory for viewers of \"%V\"",
                      &zone->name, name);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    w = ngx_tscast_watch_get(zone, st);

    if (w == NULL) {
        v->counters->viewers--;

        ngx_shmtx_lock(&zone->shpool->mutex);
        ngx_tscast_mask_clear(&st->interest, ngx_process_slot);
        ngx_shmtx_unlock(&zone->shpool->mutex);

        return NGX_ERROR;
    }

    if (ngx_tscast_watch_enter(w, v) != NGX_OK) {
        return NGX_ERROR;
    }

    /* until it is started */
    v->blocked = 1;
    v->fd = v->connection->fd;

    ngx_tscast_hold();

    if (wait && ngx_tscast_stream_live(zone, name, 1)) {
        /* it has come while we were on the way, maybe as w->last_id */
        ngx_tscast_watch_refresh(w);
        wait = 0;
    }

    if (wait) {
        /* what is left of former feeds is of no use */

        v->wait = 1;
        v->first = 1;
        v->last_id = w->last_id;

        v->pending = 1;
        v->refusals = ngx_tscast_viewer_refusals(w);
        v->deadline = ngx_current_msec + wait;

        ngx_tscast_watch_linger(w, wait);
        ngx_tscast_observe_wanted(zone, name);

        return NGX_AGAIN;
    }

    ngx_tscast_viewer_begin(v);

    return NGX_OK;
}


/*
 * The stream, or its rendition, with the interest of this worker set, and the
 * counters of the stream in v->counters.  NGX_ERROR: the slab is full,
 * NGX_DECLINED: too many are waited for.
 */

static ngx_int_t
ngx_tscast_viewer_find_locked(ngx_tscast_viewer_t *v, ngx_tscast_zone_t *zone,
    ngx_str_t *name, ngx_msec_t wait, ngx_tscast_stream_t **found)
{
    ngx_str_t             asked;
    ngx_tscast_stream_t  *st, *base;

    st = ngx_tscast_stream_find_locked(zone, name);

    if (st && ngx_queue_empty(&st->feeds) && !wait
        && ngx_tscast_since(st->ended_at) >= ngx_tscast_viewer_linger(v, st))
    {
        st = NULL;
    }

    if (st == NULL && !wait) {
        return NGX_TSCAST_NOT_FOUND;
    }

    if (st == NULL) {
        st = ngx_tscast_stream_await_locked(zone, name);

        if (st == NULL) {
            return NGX_DECLINED;
        }
    }

    if (ngx_tscast_viewer_fits_locked(v, st) != NGX_OK) {
        return NGX_TSCAST_UNFIT;
    }

    v->counters = ngx_tscast_counters_get_locked(zone, st, v->door);

    if (v->counters == NULL) {
        return NGX_ERROR;
    }

    if (wait && v->via) {
        asked.len = v->via->len;
        asked.data = v->via->data;

        /* more than it holds would be refused elsewhere */
        (void) ngx_tscast_via_add(&st->asked, &asked);
    }

    v->id = __atomic_add_fetch(&zone->sh->serial, 1, __ATOMIC_SEQ_CST);
    v->since = ngx_time();

    base = st;

    if (v->rendition == NGX_TSCAST_FLV) {
        st = ngx_tscast_stream_flv_locked(zone, base);

        if (st == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_tscast_mask_set(&st->interest, ngx_process_slot);
    ngx_tscast_counters_join_locked(base, v->counters);

    *found = st;

    return NGX_OK;
}


/* NGX_OK, or NGX_TSCAST_UNFIT with v->unfit */

static ngx_int_t
ngx_tscast_viewer_fits_locked(ngx_tscast_viewer_t *v, ngx_tscast_stream_t *st)
{
    ngx_tscast_feed_t  *feed;

    feed = ngx_tscast_stream_last_locked(st);

    if (v->rendition != NGX_TSCAST_FLV || feed == NULL
        || feed->unfit[0] == '\0')
    {
        return NGX_OK;
    }

    ngx_memcpy(ngx_tscast_viewer_unfit, feed->unfit, NGX_TSCAST_UNFIT_LEN);

    v->unfit.data = ngx_tscast_viewer_unfit;
    v->unfit.len = ngx_strlen(ngx_tscast_viewer_unfit);

    return NGX_TSCAST_UNFIT;
}


/*
 * For a viewer of a rendition without a feed: NGX_OK when the stream has a
 * publisher that is to make it, NGX_TSCAST_UNFIT, or NGX_DECLINED.
 */

static ngx_int_t
ngx_tscast_viewer_base(ngx_tscast_viewer_t *v)
{
    ngx_int_t             rc;
    ngx_tscast_feed_t    *feed;
    ngx_tscast_zone_t    *zone;
    ngx_tscast_stream_t  *st;

    zone = v->group->watch->zone;
    st = v->group->watch->stream->base;

    if (st == NULL) {
        return NGX_DECLINED;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    feed = ngx_tscast_stream_last_locked(st);
    rc = NGX_DECLINED;

    if (feed && !feed->ended) {
        rc = ngx_tscast_viewer_fits_locked(v, st);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


static uint64_t
ngx_tscast_viewer_refusals(ngx_tscast_watch_t *w)
{
    ngx_tscast_stream_t  *st;

    st = w->stream->base ? w->stream->base : w->stream;

    return __atomic_load_n(&st->refusals, __ATOMIC_SEQ_CST);
}


/* somebody wants it to leave */

static void
ngx_tscast_viewer_drop(ngx_tscast_viewer_t *v)
{
    v->dropped = 0;
    v->counters->evicted++;

    ngx_log_error(NGX_LOG_INFO, v->log, 0, "viewer of \"%V\" is dropped",
                  &v->group->watch->stream->sn.str);

    if (v->pending) {
        v->pending = 0;
        v->ready(v, NGX_TSCAST_NOT_FOUND);
        return;
    }

    v->close(v, NGX_TSCAST_DROPPED);
}


/* until the stream is there, or is known not to come */

static void
ngx_tscast_viewer_await(ngx_tscast_viewer_t *v)
{
    ngx_int_t            rc;
    ngx_msec_int_t       left;
    ngx_tscast_watch_t  *w;

    w = v->group->watch;
    left = v->deadline - ngx_current_msec;

    if (ngx_tscast_watch_after(w, v->last_id)) {
        rc = NGX_OK;

    } else if (ngx_tscast_viewer_refusals(w) != v->refusals) {
        rc = NGX_TSCAST_NOT_FOUND;

    } else if (ngx_tscast_viewer_base(v) == NGX_TSCAST_UNFIT) {
        rc = NGX_TSCAST_UNFIT;

    } else if (left <= 0) {
        rc = NGX_TSCAST_TIMED_OUT;

    } else {
        ngx_tscast_watch_linger(w, left);
        return;
    }

    v->pending = 0;
    v->ready(v, rc);
}


/* chooses the feed, and where to start in it */

static void
ngx_tscast_viewer_begin(ngx_tscast_viewer_t *v)
{
    ngx_queue_t         *q;
    ngx_tscast_ref_t    *ref;
    ngx_tscast_ring_t   *ring;
    ngx_tscast_watch_t  *w;

    w = v->group->watch;

    v->wait = 1;
    v->first = (v->start != NGX_TSCAST_START_KEY);

    if (v->start == NGX_TSCAST_START_AT || v->start == NGX_TSCAST_START_EXACT)
    {
        ngx_tscast_viewer_resume(v);
        return;
    }

    if (ngx_queue_empty(&w->refs)) {
        v->last_id = w->last_id;
        return;
    }

    q = (v->start == NGX_TSCAST_START_OLDEST) ? ngx_queue_head(&w->refs)
                                              : ngx_queue_last(&w->refs);

    ref = ngx_queue_data(q, ngx_tscast_ref_t, queue);
    ref->viewers++;

    v->ref = ref;

    ring = &ref->feed->ring;

    v->last_id = ring->id;
    v->cursor = (v->start == NGX_TSCAST_START_LIVE)
                    ? ngx_tscast_ring_head(ring)
                    : ngx_tscast_ring_tail(ring);

    if (v->start == NGX_TSCAST_START_OLDEST && v->cursor == ring->start
        && v->rendition == NGX_TSCAST_TS)
    {
        /* nothing is missing */
        v->wait = 0;
    }
}


/* from v->place on, or from the first feed after it */

static void
ngx_tscast_viewer_resume(ngx_tscast_viewer_t *v)
{
    ngx_tscast_ref_t  *ref;

    v->last_id = v->place.feed - 1;

    ref = ngx_tscast_watch_after(v->group->watch, v->last_id);

    if (ref == NULL) {
        return;
    }

    ref->viewers++;

    v->ref = ref;
    v->last_id = ref->feed->ring.id;
    v->cursor = ref->feed->ring.start;

    if (v->last_id == v->place.feed) {
        v->cursor = ngx_max(v->cursor, v->place.offset);
        v->wait = (v->start == NGX_TSCAST_START_AT);
    }
}


void
ngx_tscast_viewer_start(ngx_tscast_viewer_t *v)
{
    ngx_tscast_reading_t  rd;

    ngx_tscast_event_viewer(v, NGX_TSCAST_EVENT_VIEWER_START);
    ngx_tscast_send_socket(v);

    v->blocked = 0;

    rd.section = &v->group->watch->zone->sh->sections[ngx_process_slot];
    rd.feed = NULL;

    ngx_tscast_viewer_step(v, &rd);
    ngx_tscast_viewer_done(&rd);
}


/* sends what there is; may call v->close, as the last thing it does */

void
ngx_tscast_viewer_step(ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd)
{
    ngx_int_t  rc;

    if (v->dropped) {
        ngx_tscast_viewer_drop(v);
        return;
    }

    if (v->pending) {
        ngx_tscast_viewer_await(v);
        return;
    }

    while (!v->blocked) {

        if (v->ending) {
            v->close(v, NGX_OK);
            return;
        }

        if (v->ref == NULL && ngx_tscast_viewer_next_feed(v) != NGX_OK) {
            return;
        }

        ngx_tscast_viewer_enter(rd, v->ref->feed);

        rc = NGX_OK;

        if (v->wait) {
            rc = ngx_tscast_renditions[v->rendition].tune(v, rd);
        }

        if (rc == NGX_OK) {

            if (v->draining && !v->stopping) {
                ngx_tscast_viewer_look_ahead(v);
            }

            rc = ngx_tscast_send_ring(v, rd);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_tscast_viewer_lag(v, rd);

            if (rc == NGX_OK) {
                continue;
            }
        }

        if (rc == NGX_ERROR || rc == NGX_TSCAST_LAGGED) {
            v->close(v, rc);
            return;
        }

        if (v->blocked) {
            return;
        }

        if (v->stopping ? v->cursor >= v->stop : v->draining && rd->ended) {
            v->close(v, NGX_DONE);
            return;
        }

        if (!rd->ended) {
            return;
        }

        /* the end of the feed, or it will never have a RAP for us */

        v->ref->viewers--;
        v->ref = NULL;
    }
}


/* for one that is to end: where the next RAP is */

static void
ngx_tscast_viewer_look_ahead(ngx_tscast_viewer_t *v)
{
    ngx_tscast_ts_rap_t  rap;

    if (ngx_tscast_facts_find(v->ref->feed, v->cursor, 0,
                              &ngx_tscast_viewer_tables, &rap)
        == NGX_OK)
    {
        v->stopping = 1;
        v->stop = rap.offset;
    }
}


/* the view is that of the batch, so that a section has one epoch */

static void
ngx_tscast_viewer_enter(ngx_tscast_reading_t *rd, ngx_tscast_feed_t *feed)
{
    static ngx_uint_t  serial;

    if (rd->feed == feed) {
        return;
    }

    if (rd->feed) {
        ngx_tscast_ring_leave(rd->section);
    }

    rd->feed = feed;
    rd->serial = ++serial;
    rd->ended = __atomic_load_n(&feed->ended, __ATOMIC_SEQ_CST);

    ngx_tscast_ring_enter(rd->section, &feed->ring, &rd->view);
}


void
ngx_tscast_viewer_done(ngx_tscast_reading_t *rd)
{
    if (rd->feed) {
        ngx_tscast_ring_leave(rd->section);
        rd->feed = NULL;
    }
}


/* NGX_OK, or NGX_AGAIN when the viewer lingers or was closed */

static ngx_int_t
ngx_tscast_viewer_next_feed(ngx_tscast_viewer_t *v)
{
    uint64_t              former;
    ngx_msec_t            ended, linger;
    ngx_tscast_ref_t     *ref;
    ngx_tscast_watch_t   *w;
    ngx_tscast_stream_t  *st;

    w = v->group->watch;

    ref = ngx_tscast_watch_after(w, v->last_id);

    if (ref) {
        ref->viewers++;

        former = v->last_id;

        v->ref = ref;
        v->last_id = ref->feed->ring.id;
        v->cursor = ref->feed->ring.start;

        if (ref->feed->follows == former && !v->wait && v->sent) {
            /* nothing is missing between the two */
            return NGX_OK;
        }

        v->wait = 1;
        v->first = 1;
        v->broken = (v->sent != 0);

        return NGX_OK;
    }

    switch (ngx_tscast_viewer_base(v)) {

    case NGX_OK:
        /* it will be made */
        return NGX_AGAIN;

    case NGX_TSCAST_UNFIT:
        ngx_log_error(NGX_LOG_INFO, v->log, 0,
                      "stream \"%V\" has %V now, which is not for FLV",
                      &w->stream->sn.str, &v->unfit);

        v->close(v, NGX_OK);
        return NGX_AGAIN;
    }

    st = w->stream->base ? w->stream->base : w->stream;

    ended = ngx_tscast_since(st->ended_at);
    linger = ngx_tscast_viewer_linger(v, st);

    if (ended >= linger) {
        v->close(v, NGX_OK);
        return NGX_AGAIN;
    }

    ngx_tscast_watch_linger(w, linger - ended);

    return NGX_AGAIN;
}


/* how long it stays without a publisher */

static ngx_msec_t
ngx_tscast_viewer_linger(ngx_tscast_viewer_t *v, ngx_tscast_stream_t *st)
{
    return st->left ? ngx_max(v->linger, NGX_TSCAST_HEIR) : v->linger;
}


/*
 * Puts the viewer at a RAP, tables first.  Returns NGX_OK, NGX_ERROR, or
 * NGX_AGAIN when there is no RAP yet or the connection has taken no more.
 */

static ngx_int_t
ngx_tscast_viewer_tune(ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd)
{
    size_t                len;
    uint64_t              from;
    ngx_int_t             rc;
    ngx_msec_t            age;
    ngx_tscast_ts_rap_t   rap;

    from = ngx_max(v->cursor, rd->view.tail);

    rc = ngx_tscast_facts_find(rd->feed, from, !v->first,
                               &ngx_tscast_viewer_tables, &rap);

    if (rc != NGX_OK || rap.offset >= rd->view.head) {
        return NGX_AGAIN;
    }

    age = ngx_tscast_since(rd->feed->began_at);

    if (v->broken && v->first && !rd->ended && age < NGX_TSCAST_COMPLETE
        && !ngx_tscast_facts_complete(&ngx_tscast_viewer_tables, &rap))
    {
        ngx_tscast_watch_linger(v->group->watch, NGX_TSCAST_COMPLETE - age);
        return NGX_AGAIN;
    }

    ngx_tscast_viewer_skip(v, rd, rap.offset);

    len = ngx_tscast_ts_start(ngx_tscast_viewer_buf,
                              &ngx_tscast_viewer_tables, &rap, v->broken);

    v->cursor = rap.offset;
    v->wait = 0;
    v->broken = 0;

    return ngx_tscast_send_frame(v, ngx_tscast_viewer_buf, len);
}


/* what has passed a slow viewer is counted once it goes on */

void
ngx_tscast_viewer_skip(ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd,
    uint64_t offset)
{
    if (v->broken && !v->first) {
        v->counters->skipped += offset - v->cursor;

        ngx_log_error(NGX_LOG_INFO, v->log, 0,
                      "viewer of \"%V\" skips %uL bytes",
                      &rd->feed->stream->sn.str, offset - v->cursor);
    }
}


/* NGX_OK to go on from a RAP, or NGX_TSCAST_LAGGED */

static ngx_int_t
ngx_tscast_viewer_lag(ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd)
{
    if (v->lag == NGX_TSCAST_LAG_DROP) {
        v->counters->lagged++;

        ngx_log_error(NGX_LOG_INFO, v->log, 0,
                      "viewer of \"%V\" is too slow",
                      &rd->feed->stream->sn.str);

        return NGX_TSCAST_LAGGED;
    }

    v->skipped++;
    v->counters->skips++;

    v->wait = 1;
    v->first = 0;
    v->broken = 1;

    if (v->cursor < v->tag) {
        v->owed = v->tag - v->cursor;
        v->tag = v->cursor;
    }

    /* look again: the view may be older than what has passed us */

    ngx_tscast_viewer_done(rd);

    return NGX_OK;
}


void
ngx_tscast_viewer_write(ngx_tscast_viewer_t *v)
{
    ngx_int_t              rc;
    ngx_event_t           *wev;
    ngx_tscast_reading_t   rd;

    if (v->group == NULL) {
        return;
    }

    wev = v->connection->write;

    if (wev->timedout) {
        wev->timedout = 0;

        if (!v->blocked) {
            return;
        }

        if (v->connection->sent + v->wire == v->progress) {
            v->counters->timedout++;
            v->close(v, NGX_TSCAST_TIMED_OUT);
            return;
        }

        v->progress = v->connection->sent + v->wire;
        ngx_add_timer(wev, v->timeout);
    }

    if (!v->blocked) {
        return;
    }

    rc = ngx_tscast_send_rest(v);

    if (rc == NGX_ERROR) {
        v->close(v, rc);
        return;
    }

    if (rc == NGX_AGAIN) {
        return;
    }

    rd.section = &v->group->watch->zone->sh->sections[ngx_process_slot];
    rd.feed = NULL;

    ngx_tscast_viewer_step(v, &rd);
    ngx_tscast_viewer_done(&rd);
}


ngx_int_t
ngx_tscast_viewer_end(ngx_tscast_viewer_t *v, u_char *p, size_t n)
{
    v->ending = 1;

    return ngx_tscast_viewer_control(v, p, n);
}


void
ngx_tscast_viewer_drain(ngx_tscast_viewer_t *v)
{
    ngx_tscast_reading_t  rd;

    v->draining = 1;

    if (v->wait || v->ref == NULL) {
        /* it has sent nothing of the feed, or all */
        v->close(v, NGX_DONE);
        return;
    }

    rd.section = &v->group->watch->zone->sh->sections[ngx_process_slot];
    rd.feed = NULL;

    ngx_tscast_viewer_step(v, &rd);
    ngx_tscast_viewer_done(&rd);
}


void
ngx_tscast_viewer_place(ngx_tscast_viewer_t *v, ngx_tscast_place_t *place)
{
    place->feed = v->ref ? v->last_id : v->last_id + 1;
    place->offset = v->ref ? v->cursor : 0;
}


void
ngx_tscast_viewer_leave(ngx_tscast_viewer_t *v)
{
    if (v->group == NULL) {
        return;
    }

    v->counters->viewers--;

    ngx_tscast_event_viewer(v, NGX_TSCAST_EVENT_VIEWER_STOP);
    ngx_tscast_watch_leave(v);

    v->connection->sent += v->wire;
    v->wire = 0;

    if (v->rest) {
        ngx_free(v->rest);
        v->rest = NULL;
    }

    ngx_tscast_release();
}
