
/*
 * Copyright (C) the tscast authors
 */


/*
 * A worker's viewers of one stream: groups of those with the same flush=, and
 * the worker's hold of the feeds that they read.
 *
 * A walk goes through a group in batches, each in one read section, and lets
 * the event loop run between them.  A viewer that leaves moves the cursor of
 * the walk on, if it stands there.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


#define NGX_TSCAST_BATCH  64

/* ms, at least, over which a bit rate is taken */
#define NGX_TSCAST_RATED  500


static ngx_tscast_watch_t *ngx_tscast_watch_create(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);
static ngx_tscast_group_t *ngx_tscast_watch_group(ngx_tscast_watch_t *w,
    ngx_msec_t flush);
static void ngx_tscast_watch_trim(ngx_tscast_watch_t *w);
static void ngx_tscast_watch_destroy(ngx_tscast_watch_t *w);
static void ngx_tscast_watch_linger_handler(ngx_event_t *ev);
static void ngx_tscast_group_wake(ngx_tscast_group_t *g);
static void ngx_tscast_group_timer_handler(ngx_event_t *ev);
static void ngx_tscast_group_next_handler(ngx_event_t *ev);
static void ngx_tscast_group_begin(ngx_tscast_group_t *g);
static void ngx_tscast_group_walk(ngx_tscast_group_t *g);
static void ngx_tscast_watch_rate(ngx_tscast_watch_t *w);


/*
 * The worker's watch of a stream.  Its interest bit is set already.  NULL when
 * there is no memory.
 */

ngx_tscast_watch_t *
ngx_tscast_watch_get(ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st)
{
    if (zone->watches[st->index] == NULL) {
        zone->watches[st->index] = ngx_tscast_watch_create(zone, st);
    }

    return zone->watches[st->index];
}


static ngx_tscast_watch_t *
ngx_tscast_watch_create(ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st)
{
    ngx_tscast_watch_t  *w;

    w = ngx_calloc(sizeof(ngx_tscast_watch_t), ngx_cycle->log);
    if (w == NULL) {
        return NULL;
    }

    w->zone = zone;
    w->stream = st;
    w->rated = ngx_current_msec;

    ngx_queue_init(&w->groups);
    ngx_queue_init(&w->refs);

    w->linger.handler = ngx_tscast_watch_linger_handler;
    w->linger.data = w;
    w->linger.log = ngx_cycle->log;

    return w;
}


ngx_int_t
ngx_tscast_watch_enter(ngx_tscast_watch_t *w, ngx_tscast_viewer_t *v)
{
    ngx_tscast_group_t  *g;

    g = ngx_tscast_watch_group(w, v->flush);

    if (g == NULL) {
        v->counters->viewers--;

        if (w->viewers == 0) {
            ngx_tscast_watch_destroy(w);
        }

        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&g->viewers, &v->queue);
    g->count++;
    w->viewers++;

    v->group = g;

    if (w->counters[v->door] == NULL) {
        w->counters[v->door] = v->counters;
        w->sent[v->door] = v->counters->sent;
    }

    ngx_tscast_watch_refresh(w);

    return NGX_OK;
}


static ngx_tscast_group_t *
ngx_tscast_watch_group(ngx_tscast_watch_t *w, ngx_msec_t flush)
{
    ngx_queue_t         *q;
    ngx_tscast_group_t  *g;

    for (q = ngx_queue_head(&w->groups);
         q != ngx_queue_sentinel(&w->groups);
         q = ngx_queue_next(q))
    {
        g = ngx_queue_data(q, ngx_tscast_group_t, queue);

        if (g->flush == flush) {
            return g;
        }
    }

    g = ngx_calloc(sizeof(ngx_tscast_group_t), ngx_cycle->log);
    if (g == NULL) {
        return NULL;
    }

    g->watch = w;
    g->flush = flush;
    g->walked = ngx_current_msec - flush;

    ngx_queue_init(&g->viewers);

    g->timer.handler = ngx_tscast_group_timer_handler;
    g->timer.data = g;
    g->timer.log = ngx_cycle->log;

    g->next.handler = ngx_tscast_group_next_handler;
    g->next.data = g;
    g->next.log = ngx_cycle->log;

    ngx_queue_insert_tail(&w->groups, &g->queue);

    return g;
}


void
ngx_tscast_watch_leave(ngx_tscast_viewer_t *v)
{
    ngx_queue_t         *q;
    ngx_tscast_group_t  *g;
    ngx_tscast_watch_t  *w;

    g = v->group;
    w = g->watch;

    if (g->cursor == &v->queue) {
        g->cursor = ngx_queue_next(&v->queue);
    }

    ngx_queue_remove(&v->queue);
    g->count--;
    w->viewers--;

    v->group = NULL;

    if (v->ref) {
        v->ref->viewers--;
        v->ref = NULL;
    }

    if (w->viewers) {
        return;
    }

    for (q = ngx_queue_head(&w->groups);
         q != ngx_queue_sentinel(&w->groups);
         q = ngx_queue_next(q))
    {
        g = ngx_queue_data(q, ngx_tscast_group_t, queue);

        if (g->walking) {
            /* the walk does it when it comes to its end */
            return;
        }
    }

    ngx_tscast_watch_destroy(w);
}


/* takes hold of the feeds that have come since */

void
ngx_tscast_watch_refresh(ngx_tscast_watch_t *w)
{
    ngx_queue_t        *q;
    ngx_tscast_ref_t   *ref;
    ngx_tscast_feed_t  *feed;

    while (__atomic_load_n(&w->stream->newest, __ATOMIC_SEQ_CST)
           != w->last_id)
    {
        ref = ngx_calloc(sizeof(ngx_tscast_ref_t), ngx_cycle->log);
        if (ref == NULL) {
            return;
        }

        ngx_shmtx_lock(&w->zone->shpool->mutex);

        for (q = ngx_queue_head(&w->stream->feeds);
             q != ngx_queue_sentinel(&w->stream->feeds);
             q = ngx_queue_next(q))
        {
            feed = ngx_queue_data(q, ngx_tscast_feed_t, queue);

            if (feed->ring.id > w->last_id) {
                ngx_tscast_mask_set(&feed->readers, ngx_process_slot);
                ref->feed = feed;
                break;
            }
        }

        ngx_shmtx_unlock(&w->zone->shpool->mutex);

        if (ref->feed == NULL) {
            /* it has come and gone */
            ngx_free(ref);
            return;
        }

        w->last_id = ref->feed->ring.id;

        ngx_queue_insert_tail(&w->refs, &ref->queue);
    }
}


/* the first feed after the one of this id, or NULL */

ngx_tscast_ref_t *
ngx_tscast_watch_after(ngx_tscast_watch_t *w, uint64_t id)
{
    ngx_queue_t       *q;
    ngx_tscast_ref_t  *ref;

    for (q = ngx_queue_head(&w->refs);
         q != ngx_queue_sentinel(&w->refs);
         q = ngx_queue_next(q))
    {
        ref = ngx_queue_data(q, ngx_tscast_ref_t, queue);

        if (ref->feed->ring.id > id) {
            return ref;
        }
    }

    return NULL;
}


/* lets go of feeds that have ended, have no viewer here and will get none */

static void
ngx_tscast_watch_trim(ngx_tscast_watch_t *w)
{
    ngx_queue_t        *q, *next;
    ngx_tscast_ref_t   *ref;
    ngx_tscast_feed_t  *feed;

    for (q = ngx_queue_head(&w->refs);
         q != ngx_queue_sentinel(&w->refs);
         q = next)
    {
        next = ngx_queue_next(q);

        ref = ngx_queue_data(q, ngx_tscast_ref_t, queue);
        feed = ref->feed;

        if (ref->viewers
            || !__atomic_load_n(&feed->ended, __ATOMIC_SEQ_CST)
            || ngx_tscast_since(feed->ended_at) < w->zone->window)
        {
            continue;
        }

        ngx_queue_remove(q);

        ngx_shmtx_lock(&w->zone->shpool->mutex);
        ngx_tscast_mask_clear(&feed->readers, ngx_process_slot);
        ngx_shmtx_unlock(&w->zone->shpool->mutex);

        ngx_free(ref);
    }
}


static void
ngx_tscast_watch_destroy(ngx_tscast_watch_t *w)
{
    ngx_uint_t           i;
    ngx_queue_t         *q;
    ngx_tscast_ref_t    *ref;
    ngx_tscast_zone_t   *zone;
    ngx_tscast_group_t  *g;

    zone = w->zone;

    for (i = 0; i < NGX_TSCAST_DOORS; i++) {
        if (w->counters[i]) {
            w->counters[i]->rate = 0;
        }
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&w->refs);
         q != ngx_queue_sentinel(&w->refs);
         q = ngx_queue_next(q))
    {
        ref = ngx_queue_data(q, ngx_tscast_ref_t, queue);

        ngx_tscast_mask_clear(&ref->feed->readers, ngx_process_slot);
    }

    zone->watches[w->stream->index] = NULL;

    ngx_tscast_mask_clear(&w->stream->interest, ngx_process_slot);

    ngx_tscast_stream_trim_locked(zone, w->stream, zone->window);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    while (!ngx_queue_empty(&w->refs)) {
        q = ngx_queue_head(&w->refs);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_tscast_ref_t, queue));
    }

    while (!ngx_queue_empty(&w->groups)) {
        q = ngx_queue_head(&w->groups);
        ngx_queue_remove(q);

        g = ngx_queue_data(q, ngx_tscast_group_t, queue);

        if (g->timer.timer_set) {
            ngx_del_timer(&g->timer);
        }

        if (g->next.posted) {
            ngx_delete_posted_event(&g->next);
        }

        ngx_free(g);
    }

    if (w->linger.timer_set) {
        ngx_del_timer(&w->linger);
    }

    ngx_free(w);
}


/* looks at all viewers after "timer" ms, or earlier */

void
ngx_tscast_watch_linger(ngx_tscast_watch_t *w, ngx_msec_t timer)
{
    if (w->linger.timer_set
        && (ngx_msec_int_t) (w->linger.timer.key - ngx_current_msec)
           <= (ngx_msec_int_t) timer)
    {
        return;
    }

    ngx_add_timer(&w->linger, timer);
}


static void
ngx_tscast_watch_linger_handler(ngx_event_t *ev)
{
    ngx_tscast_watch_wake(ev->data);
}


/* there is something new for the viewers; the watch may be gone afterwards */

void
ngx_tscast_watch_wake(ngx_tscast_watch_t *w)
{
    ngx_queue_t         *q, *next;
    ngx_tscast_group_t  *g;

    ngx_tscast_watch_refresh(w);
    ngx_tscast_watch_trim(w);

    for (q = ngx_queue_head(&w->groups);
         q != ngx_queue_sentinel(&w->groups);
         q = next)
    {
        next = ngx_queue_next(q);
        g = ngx_queue_data(q, ngx_tscast_group_t, queue);

        if (g->count == w->viewers) {
            /* the others are empty, and the walk may free them all */
            ngx_tscast_group_wake(g);
            return;
        }

        ngx_tscast_group_wake(g);
    }
}


/*
 * flush= is the least time from one walk to the next: what comes later than
 * that is sent at once.
 */

static void
ngx_tscast_group_wake(ngx_tscast_group_t *g)
{
    ngx_msec_t  elapsed;

    if (g->walking) {
        g->again = 1;
        return;
    }

    elapsed = ngx_current_msec - g->walked;

    if (elapsed >= g->flush) {
        ngx_tscast_group_begin(g);
        return;
    }

    if (!g->timer.timer_set) {
        ngx_add_timer(&g->timer, g->flush - elapsed);
    }
}


static void
ngx_tscast_group_timer_handler(ngx_event_t *ev)
{
    ngx_tscast_group_t  *g;

    g = ev->data;

    if (!g->walking) {
        ngx_tscast_group_begin(g);
    }
}


static void
ngx_tscast_group_next_handler(ngx_event_t *ev)
{
    ngx_tscast_group_walk(ev->data);
}


static void
ngx_tscast_group_begin(ngx_tscast_group_t *g)
{
    g->walking = 1;
    g->walked = ngx_current_msec;

    g->cursor = ngx_queue_head(&g->viewers);

    ngx_tscast_group_walk(g);
}


static void
ngx_tscast_group_walk(ngx_tscast_group_t *g)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_tscast_watch_t    *w;
    ngx_tscast_reading_t   rd;

    w = g->watch;

    rd.section = &w->zone->sh->sections[ngx_process_slot];
    rd.feed = NULL;

    for (n = 0; n < NGX_TSCAST_BATCH; n++) {

        q = g->cursor;

        if (q == ngx_queue_sentinel(&g->viewers)) {
            break;
        }

        g->cursor = ngx_queue_next(q);

        ngx_tscast_viewer_step(ngx_queue_data(q, ngx_tscast_viewer_t, queue),
                               &rd);
    }

    ngx_tscast_viewer_done(&rd);

    if (n == NGX_TSCAST_BATCH) {
        ngx_post_event(&g->next, &ngx_posted_next_events);
        return;
    }

    g->cursor = NULL;
    g->walking = 0;

    if (w->viewers == 0) {
        ngx_tscast_watch_destroy(w);
        return;
    }

    if (g->again) {
        g->again = 0;
        ngx_tscast_group_wake(g);
    }
}


/*
 * Once a second: feeds grow old, also where nothing comes after them, and how
 * much goes out is known.
 */

void
ngx_tscast_watch_round(ngx_tscast_zone_t *zone)
{
    ngx_uint_t  i;

    for (i = 0; i < zone->sh->nstreams; i++) {
        if (zone->watches[i]) {
            ngx_tscast_watch_trim(zone->watches[i]);
            ngx_tscast_watch_rate(zone->watches[i]);
        }
    }
}


static void
ngx_tscast_watch_rate(ngx_tscast_watch_t *w)
{
    ngx_uint_t              i;
    ngx_msec_t              elapsed;
    ngx_tscast_counters_t  *cnt;

    elapsed = ngx_current_msec - w->rated;

    if (elapsed < NGX_TSCAST_RATED) {
        return;
    }

    for (i = 0; i < NGX_TSCAST_DOORS; i++) {
        cnt = w->counters[i];

        if (cnt) {
            cnt->rate = (cnt->sent - w->sent[i]) * 8 * 1000 / elapsed;
            w->sent[i] = cnt->sent;
        }
    }

    w->rated = ngx_current_msec;
}


/* the worker exits at once */

void
ngx_tscast_watch_away(ngx_tscast_zone_t *zone)
{
    ngx_uint_t            i;
    ngx_queue_t          *q, *qv;
    ngx_tscast_group_t   *g;
    ngx_tscast_watch_t   *w;
    ngx_tscast_viewer_t  *v;

    for (i = 0; i < zone->sh->max_streams; i++) {
        w = zone->watches[i];

        if (w == NULL) {
            continue;
        }

        for (q = ngx_queue_head(&w->groups);
             q != ngx_queue_sentinel(&w->groups);
             q = ngx_queue_next(q))
        {
            g = ngx_queue_data(q, ngx_tscast_group_t, queue);

            for (qv = ngx_queue_head(&g->viewers);
                 qv != ngx_queue_sentinel(&g->viewers);
                 qv = ngx_queue_next(qv))
            {
                v = ngx_queue_data(qv, ngx_tscast_viewer_t, queue);

                if (v->away) {
                    v->away(v);
                }
            }
        }
    }
}
