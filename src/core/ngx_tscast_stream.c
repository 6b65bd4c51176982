
/*
 * Copyright (C) the tscast authors
 */


/*
 * Streams and their feeds.  All of this is under the zone's mutex, and none
 * of it on the path of the media.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_hub.h"


/* feeds of a stream that are kept, however short they are */
#define NGX_TSCAST_FEEDS  8


static ngx_uint_t ngx_tscast_stream_live_locked(ngx_tscast_stream_t *st,
    ngx_uint_t weak);
static ngx_uint_t ngx_tscast_stream_wanted_locked(ngx_tscast_stream_t *st);
static void ngx_tscast_feed_expire_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);
static ngx_tscast_stream_t *ngx_tscast_stream_new_locked(
    ngx_tscast_zone_t *zone);
static void ngx_tscast_feed_free_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_feed_t *feed);
static void ngx_tscast_stream_free_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);


ngx_int_t
ngx_tscast_stream_check_name(ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    if (name->len == 0 || name->len > NGX_TSCAST_NAME_LEN) {
        return NGX_TSCAST_BAD_NAME;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch >= 'a' && ch <= 'z')
            || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9')
            || ch == '.' || ch == '_' || ch == '~' || ch == '-')
        {
            continue;
        }

        return NGX_TSCAST_BAD_NAME;
    }

    return NGX_OK;
}


void
ngx_tscast_stream_log_name(ngx_uint_t level, ngx_log_t *log, ngx_str_t *name)
{
    size_t   len;
    u_char  *last;
    u_char   buf[3 * NGX_TSCAST_NAME_LEN];

    len = ngx_min(name->len, NGX_TSCAST_NAME_LEN);

    /* no line feeds */

    last = (u_char *) ngx_escape_uri(buf, name->data, len,
                                     NGX_ESCAPE_MEMCACHED);

    ngx_log_error(level, log, 0, "invalid stream name \"%*s\"",
                  (size_t) (last - buf), buf);
}


ngx_tscast_stream_t *
ngx_tscast_stream_find_locked(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    return (ngx_tscast_stream_t *)
               ngx_str_rbtree_lookup(&zone->sh->rbtree, name,
                                  ngx_crc32_short(name->data, name->len));
}


ngx_uint_t
ngx_tscast_stream_live(ngx_tscast_zone_t *zone, ngx_str_t *name,
    ngx_uint_t weak)
{
    ngx_uint_t            live;
    ngx_tscast_stream_t  *st;

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = ngx_tscast_stream_find_locked(zone, name);
    live = st ? ngx_tscast_stream_live_locked(st, weak) : 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return live;
}


static ngx_uint_t
ngx_tscast_stream_live_locked(ngx_tscast_stream_t *st, ngx_uint_t weak)
{
    ngx_tscast_feed_t  *feed;

    feed = ngx_tscast_stream_last_locked(st);

    return feed && !feed->ended && (weak || !feed->weak);
}


/* does a viewer wait for what only a link can bring, or has brought? */

static ngx_uint_t
ngx_tscast_stream_wanted_locked(ngx_tscast_stream_t *st)
{
    uint64_t                viewers;
    ngx_tscast_counters_t  *cnt;

    if (ngx_tscast_stream_live_locked(st, 0)) {
        return 0;
    }

    viewers = 0;

    for (cnt = st->counters; cnt; cnt = cnt->next) {
        if (cnt->door != NGX_TSCAST_DOOR_LINK) {
            viewers += cnt->viewers;
        }
    }

    return viewers != 0;
}


ngx_uint_t
ngx_tscast_stream_wanted(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_uint_t            wanted;
    ngx_tscast_stream_t  *st;

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = ngx_tscast_stream_find_locked(zone, name);
    wanted = st ? ngx_tscast_stream_wanted_locked(st) : 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return wanted;
}


ngx_int_t
ngx_tscast_stream_next(ngx_tscast_zone_t *zone, ngx_uint_t *i,
    ngx_str_t *name, ngx_uint_t wanted)
{
    ngx_int_t             rc;
    ngx_tscast_stream_t  *st;

    rc = NGX_DONE;

    ngx_shmtx_lock(&zone->shpool->mutex);

    while (*i < zone->sh->nstreams && rc == NGX_DONE) {
        st = zone->sh->streams[(*i)++];

        if (st == NULL || st->base
            || (wanted ? !ngx_tscast_stream_wanted_locked(st)
                       : !ngx_tscast_stream_live_locked(st, 1)))
        {
            continue;
        }

        name->len = st->sn.str.len;
        ngx_memcpy(name->data, st->name, name->len);

        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_tscast_stream_via(ngx_tscast_zone_t *zone, ngx_str_t *name,
    ngx_uint_t asked, ngx_tscast_via_t *via)
{
    ngx_tscast_feed_t    *feed;
    ngx_tscast_stream_t  *st;

    ngx_memzero(via, sizeof(ngx_tscast_via_t));

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = ngx_tscast_stream_find_locked(zone, name);

    if (st && asked) {
        *via = st->asked;

    } else if (st && !ngx_queue_empty(&st->feeds)) {
        feed = ngx_queue_data(ngx_queue_last(&st->feeds), ngx_tscast_feed_t,
                              queue);
        *via = feed->via;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return ngx_tscast_via_add(via, ngx_tscast_node());
}


void
ngx_tscast_stream_refuse(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_stream_t  *st;

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = ngx_tscast_stream_find_locked(zone, name);

    if (st) {
        st->asked.len = 0;
        st->asked.nodes = 0;

        __atomic_fetch_add(&st->refusals, 1, __ATOMIC_SEQ_CST);
        ngx_tscast_stream_wake_locked(zone, st);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/* those of its rendition too */

void
ngx_tscast_stream_wake_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st)
{
    ngx_tscast_wake(zone, st);

    if (st->flv) {
        ngx_tscast_wake(zone, st->flv);
    }
}


/* the newest feed, or NULL */

ngx_tscast_feed_t *
ngx_tscast_stream_last_locked(ngx_tscast_stream_t *st)
{
    if (ngx_queue_empty(&st->feeds)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_last(&st->feeds), ngx_tscast_feed_t,
                          queue);
}


/* NULL when the slab or the table of streams is full */

ngx_tscast_stream_t *
ngx_tscast_stream_add_locked(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_stream_t  *st;

    st = ngx_tscast_stream_new_locked(zone);
    if (st == NULL) {
        return NULL;
    }

    ngx_memcpy(st->name, name->data, name->len);

    st->sn.str.len = name->len;
    st->sn.str.data = st->name;
    st->sn.node.key = ngx_crc32_short(name->data, name->len);

    ngx_rbtree_insert(&zone->sh->rbtree, &st->sn.node);

    return st;
}


/* the stream's rendition, made if need be; NULL as above */

ngx_tscast_stream_t *
ngx_tscast_stream_flv_locked(ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st)
{
    ngx_tscast_stream_t  *flv;

    if (st->flv) {
        return st->flv;
    }

    flv = ngx_tscast_stream_new_locked(zone);
    if (flv == NULL) {
        return NULL;
    }

    flv->base = st;
    flv->sn.str = st->sn.str;
    flv->ended_at = ngx_current_msec;

    __atomic_store_n(&st->flv, flv, __ATOMIC_SEQ_CST);

    return flv;
}


static ngx_tscast_stream_t *
ngx_tscast_stream_new_locked(ngx_tscast_zone_t *zone)
{
    ngx_uint_t             i;
    ngx_tscast_stream_t   *st;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;

    for (i = 0; i < sh->nstreams; i++) {
        if (sh->streams[i] == NULL) {
            break;
        }
    }

    if (i == sh->max_streams) {
        return NULL;
    }

    st = ngx_slab_calloc_locked(zone->shpool, sizeof(ngx_tscast_stream_t));
    if (st == NULL) {
        return NULL;
    }

    st->index = i;

    ngx_queue_init(&st->feeds);

    __atomic_store_n(&sh->streams[i], st, __ATOMIC_SEQ_CST);
    sh->nstreams = ngx_max(sh->nstreams, i + 1);

    return st;
}


/*
 * For somebody who waits for what may never come: NULL as well when such
 * streams have taken half of the places, the other half is for publishers.
 */

ngx_tscast_stream_t *
ngx_tscast_stream_await_locked(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_stream_t  *st;

    if (zone->sh->nawaited >= zone->sh->max_streams / 2) {
        return NULL;
    }

    st = ngx_tscast_stream_add_locked(zone, name);

    if (st) {
        st->awaited = 1;
        zone->sh->nawaited++;
    }

    return st;
}


/* a feed of this process; NULL when the slab is full */

ngx_tscast_feed_t *
ngx_tscast_feed_add_locked(ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st)
{
    uint64_t            id;
    ngx_tscast_feed_t  *feed;

    feed = ngx_slab_calloc_locked(zone->shpool, sizeof(ngx_tscast_feed_t));
    if (feed == NULL) {
        return NULL;
    }

    id = __atomic_add_fetch(&zone->sh->serial, 1, __ATOMIC_SEQ_CST);

    if (ngx_tscast_ring_init_locked(&zone->env, &feed->ring, id, 0)
        != NGX_OK)
    {
        ngx_slab_free_locked(zone->shpool, feed);
        return NULL;
    }

    feed->stream = st;
    feed->slot = ngx_process_slot;
    feed->generation = ngx_tscast_generation;
    feed->held = 1;
    feed->since = ngx_time();
    feed->began_at = ngx_current_msec;
    feed->last = ngx_current_msec;

    /* who asked for it has it */

    zone->sh->nawaited -= st->awaited;
    st->awaited = 0;
    st->asked.len = 0;
    st->asked.nodes = 0;

    ngx_queue_insert_tail(&st->feeds, &feed->queue);

    __atomic_store_n(&st->newest, id, __ATOMIC_SEQ_CST);

    ngx_tscast_feed_expire_locked(zone, st);

    return feed;
}


/*
 * Publishers that come and go many times in a window leave feeds of a few
 * bytes each: as if the window was over for all but the last of them.
 */

static void
ngx_tscast_feed_expire_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st)
{
    ngx_uint_t          n;
    ngx_queue_t        *q;
    ngx_tscast_feed_t  *feed;

    n = 0;

    for (q = ngx_queue_last(&st->feeds);
         q != ngx_queue_sentinel(&st->feeds);
         q = ngx_queue_prev(q))
    {
        if (n++ < NGX_TSCAST_FEEDS) {
            continue;
        }

        feed = ngx_queue_data(q, ngx_tscast_feed_t, queue);
        feed->ended_at = ngx_current_msec - zone->window;
    }
}


/* from now on its writer is refused; the caller wakes the interested */

void
ngx_tscast_feed_end_locked(ngx_tscast_zone_t *zone, ngx_tscast_feed_t *feed)
{
    ngx_tscast_stream_t  *st;

    if (feed->ended) {
        return;
    }

    st = feed->stream;

    feed->ended_at = ngx_current_msec;
    st->ended_at = ngx_current_msec;
    st->left = 0;

    __atomic_store_n(&feed->ended, 1, __ATOMIC_SEQ_CST);

    feed = st->flv ? ngx_tscast_stream_last_locked(st->flv) : NULL;

    if (feed) {
        ngx_tscast_feed_end_locked(zone, feed);
    }
}


/*
 * Does for the feeds without an owner what an owner would: retires what is
 * older than the window and frees what nobody reads; frees the stream when
 * nothing is left of it.
 */

void
ngx_tscast_stream_trim_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st, ngx_msec_t window)
{
    uint64_t            to;
    ngx_uint_t          old;
    ngx_queue_t        *q, *next;
    ngx_tscast_feed_t  *feed;

    for (q = ngx_queue_head(&st->feeds);
         q != ngx_queue_sentinel(&st->feeds);
         q = next)
    {
        next = ngx_queue_next(q);
        feed = ngx_queue_data(q, ngx_tscast_feed_t, queue);

        if (!feed->ended || ngx_tscast_ring_writing(&zone->env, &feed->ring)) {
            continue;
        }

        old = (ngx_tscast_since(feed->ended_at) >= window);

        to = old ? feed->ring.head
                 : ngx_tscast_ring_older(&feed->ring,
                                         ngx_current_msec - window);

        (void) ngx_tscast_ring_retire(&feed->ring, to);
        (void) ngx_tscast_ring_reclaim_locked(&zone->env, &feed->ring);

        if (!feed->held && ngx_tscast_mask_empty(&feed->readers)
            && (old || feed->ring.head == feed->ring.start))
        {
            ngx_tscast_feed_free_locked(zone, feed);
        }
    }

    if (ngx_queue_empty(&st->feeds) && ngx_tscast_mask_empty(&st->interest)
        && st->flv == NULL)
    {
        ngx_tscast_stream_free_locked(zone, st);
    }
}


/*
 * For want of memory: trims the feeds without an owner to a window that gets
 * shorter until something was freed.  Returns 0 when there is nothing.
 */

ngx_uint_t
ngx_tscast_stream_squeeze_locked(ngx_tscast_zone_t *zone)
{
    ngx_uint_t             i, chunks, pages;
    ngx_msec_t             window;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;
    window = zone->window;

    do {
        window /= 2;

        chunks = sh->store.nfree;
        pages = zone->shpool->pfree;

        for (i = 0; i < sh->nstreams; i++) {
            if (sh->streams[i]) {
                ngx_tscast_stream_trim_locked(zone, sh->streams[i], window);
            }
        }

        if (sh->store.nfree > chunks || zone->shpool->pfree > pages) {
            return 1;
        }

    } while (window);

    return 0;
}


/* what is looked at by a report is left for the next time */

static void
ngx_tscast_feed_free_locked(ngx_tscast_zone_t *zone, ngx_tscast_feed_t *feed)
{
    ngx_uint_t            last;
    ngx_tscast_stream_t  *st;

    st = feed->stream;
    last = (st->feed == feed);

    if (last) {
        __atomic_store_n(&st->feed, NULL, __ATOMIC_SEQ_CST);
    }

    if (ngx_tscast_report_looks(zone, st)) {

        if (last) {
            __atomic_store_n(&st->feed, feed, __ATOMIC_SEQ_CST);
        }

        return;
    }

    ngx_queue_remove(&feed->queue);

    ngx_tscast_ring_free_locked(&zone->env, &feed->ring);

    ngx_slab_free_locked(zone->shpool, feed);
}


static void
ngx_tscast_stream_free_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st)
{
    ngx_tscast_counters_t  *cnt;

    __atomic_store_n(&zone->sh->streams[st->index], NULL, __ATOMIC_SEQ_CST);

    if (ngx_tscast_report_looks(zone, st)) {
        __atomic_store_n(&zone->sh->streams[st->index], st, __ATOMIC_SEQ_CST);
        return;
    }

    if (st->base) {
        __atomic_store_n(&st->base->flv, NULL, __ATOMIC_SEQ_CST);

    } else {
        ngx_rbtree_delete(&zone->sh->rbtree, &st->sn.node);
    }

    zone->sh->nawaited -= st->awaited;

    while (st->counters) {
        cnt = st->counters;
        st->counters = cnt->next;

        ngx_tscast_report_add(&zone->sh->totals[cnt->door], cnt);

        ngx_slab_free_locked(zone->shpool, cnt);
    }

    ngx_slab_free_locked(zone->shpool, st);
}


/* this process's block for a kind of door; NULL when the slab is full */

ngx_tscast_counters_t *
ngx_tscast_counters_get_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st, ngx_uint_t door)
{
    ngx_tscast_counters_t  *cnt;

    for (cnt = st->counters; cnt; cnt = cnt->next) {
        if (cnt->slot == (ngx_uint_t) ngx_process_slot && cnt->door == door) {
            return cnt;
        }
    }

    cnt = ngx_slab_calloc_locked(zone->shpool, sizeof(ngx_tscast_counters_t));
    if (cnt == NULL) {
        return NULL;
    }

    cnt->slot = ngx_process_slot;
    cnt->door = door;
    cnt->next = st->counters;

    __atomic_store_n(&st->counters, cnt, __ATOMIC_SEQ_CST);

    return cnt;
}


/*
 * A viewer joins.  Others may leave meanwhile, but nobody else joins, so that
 * the sum was right at some moment.
 */

void
ngx_tscast_counters_join_locked(ngx_tscast_stream_t *st,
    ngx_tscast_counters_t *cnt)
{
    uint64_t                all, same;
    ngx_tscast_counters_t  *c;

    cnt->joined++;
    cnt->viewers++;

    all = 0;
    same = 0;

    for (c = st->counters; c; c = c->next) {
        all += c->viewers;
        same += (c->door == cnt->door) ? c->viewers : 0;
    }

    st->peak = ngx_max(st->peak, all);
    st->peaks[cnt->door] = ngx_max(st->peaks[cnt->door], same);
}


void
ngx_tscast_stream_lose(ngx_tscast_zone_t *zone, ngx_str_t *name,
    ngx_tscast_door_e door, uint64_t n)
{
    ngx_tscast_stream_t    *st;
    ngx_tscast_counters_t  *cnt;

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = ngx_tscast_stream_find_locked(zone, name);

    if (st) {
        cnt = ngx_tscast_counters_get_locked(zone, st, door);

        if (cnt) {
            cnt->lost += n;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/* the slot's process is gone: what it counted goes to the totals */

void
ngx_tscast_counters_fold_locked(ngx_tscast_stream_t *st, ngx_uint_t slot)
{
    ngx_tscast_counters_t  *cnt, *total;

    /* a report that comes in between looks again */

    __atomic_store_n(&st->folds, st->folds | 1, __ATOMIC_SEQ_CST);

    for (cnt = st->counters; cnt; cnt = cnt->next) {

        if (cnt->slot != slot) {
            continue;
        }

        cnt->publishers = 0;
        cnt->viewers = 0;
        cnt->rate = 0;

        for (total = st->counters; total; total = total->next) {
            if (total->slot == NGX_TSCAST_TOTAL && total->door == cnt->door) {
                break;
            }
        }

        if (total == NULL) {
            cnt->slot = NGX_TSCAST_TOTAL;
            continue;
        }

        ngx_tscast_report_add(total, cnt);

        ngx_memzero(&cnt->published, sizeof(ngx_tscast_counters_t)
                             - offsetof(ngx_tscast_counters_t, published));
    }

    __atomic_store_n(&st->folds, st->folds + 1, __ATOMIC_SEQ_CST);
}
