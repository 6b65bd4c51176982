
/*
 * Copyright (C) the tscast authors
 */


/*
 * Memory of a zone, as publishers see it: each trims its own feed to the
 * window, and while free chunks are scarce, to one that gets shorter for all.
 * Feeds without an owner go first.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* ms between two cuts of the zone's window, so that others can follow */
#define NGX_TSCAST_CUT     100

/* ms between two log lines about the same */
#define NGX_TSCAST_LOG     1000


static ngx_uint_t ngx_tscast_room_keyless(ngx_tscast_publisher_t *pub);
static void ngx_tscast_room_cut(ngx_tscast_publisher_t *pub);


/*
 * Retires what is older than the window, but not the newest RAP.  The buffer
 * is for this feed and for what its other rendition keeps.
 */

void
ngx_tscast_room_trim(ngx_tscast_publisher_t *pub, ngx_tscast_feed_t *feed,
    size_t other)
{
    size_t                 buffer;
    uint64_t               to, newest;
    ngx_msec_t             window;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_zone_t     *zone;
    ngx_tscast_zone_sh_t  *sh;

    zone = pub->zone;
    sh = zone->sh;
    ring = &feed->ring;

    if (sh->store.nfree < sh->store.total / 16) {
        ngx_tscast_room_cut(pub);
    }

    window = __atomic_load_n(&sh->window, __ATOMIC_SEQ_CST);
    window = ngx_min(window, zone->window);

    to = ngx_tscast_ring_older(ring, ngx_current_msec - window);

    if (window > NGX_TSCAST_MIN_WINDOW) {
        newest = ngx_tscast_facts_newest(feed);
        to = ngx_min(to, newest);
    }

    buffer = zone->buffer - ngx_min(other, zone->buffer / 2);

    if (ring->head - ring->tail > buffer) {
        to = ngx_max(to, ring->head - buffer);
    }

    (void) ngx_tscast_ring_retire(ring, to);

    if (ngx_tscast_room_keyless(pub)) {
        pub->parser.no_keys = 1;
    }
}


/*
 * There is no RAP in the ring.  The next one is worth waiting for as long as
 * the window, but who has shown one at most may have no other.
 */

static ngx_uint_t
ngx_tscast_room_keyless(ngx_tscast_publisher_t *pub)
{
    uint64_t            newest;
    ngx_tscast_ring_t  *ring;

    ring = &pub->feed->ring;

    newest = pub->index.n ? ngx_tscast_facts_newest(pub->feed) : ring->start;

    if (newest >= ring->tail) {
        return 0;
    }

    return pub->index.n == 1
           || ngx_current_msec - pub->index.time[0] > pub->zone->window;
}


/*
 * No chunk is free: takes from the feeds without an owner, then from our own.
 * Returns NGX_OK when there may be one now, or NGX_DECLINED.
 */

ngx_int_t
ngx_tscast_room_make(ngx_tscast_publisher_t *pub, ngx_tscast_feed_t *feed)
{
    ngx_uint_t          n;
    ngx_tscast_ring_t  *ring;
    ngx_tscast_zone_t  *zone;

    zone = pub->zone;
    ring = &feed->ring;

    ngx_tscast_room_cut(pub);

    ngx_shmtx_lock(&zone->shpool->mutex);

    n = ngx_tscast_stream_squeeze_locked(zone);

    if (n == 0) {
        (void) ngx_tscast_ring_retire(ring,
                                      ring->tail + NGX_TSCAST_CHUNK_DATA);

        n = ngx_tscast_ring_reclaim_locked(&zone->env, ring);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return n ? NGX_OK : NGX_DECLINED;
}


/* halves what the windows of all streams are to be, down to a minimum */

static void
ngx_tscast_room_cut(ngx_tscast_publisher_t *pub)
{
    ngx_msec_t             last, window;
    ngx_tscast_zone_t     *zone;
    ngx_tscast_zone_sh_t  *sh;

    zone = pub->zone;
    sh = zone->sh;

    last = __atomic_load_n(&sh->cut_at, __ATOMIC_SEQ_CST);

    if (ngx_tscast_since(last) < NGX_TSCAST_CUT
        || !__atomic_compare_exchange_n(&sh->cut_at, &last, ngx_current_msec,
                                        0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
    {
        return;
    }

    window = __atomic_load_n(&sh->window, __ATOMIC_SEQ_CST);

    if (window > zone->window) {
        window = zone->window;
        sh->shortages++;

        ngx_log_error(NGX_LOG_WARN, pub->log, 0,
                      "zone \"%V\" is short of memory, "
                      "windows become shorter than %M ms",
                      &zone->name, zone->window);

        ngx_tscast_event_zone(zone, NGX_TSCAST_EVENT_ALARM_RAISED);
    }

    window = ngx_max(window / 2, NGX_TSCAST_MIN_WINDOW);

    __atomic_store_n(&sh->window, window, __ATOMIC_SEQ_CST);
}


/* NGX_OK to go on without these bytes, or NGX_TSCAST_NO_MEMORY */

ngx_int_t
ngx_tscast_room_lose(ngx_tscast_publisher_t *pub, size_t n)
{
    pub->lost += n;
    pub->counters->lost += n;

    if (pub->feed->ring.head == pub->feed->ring.start
        && __atomic_load_n(&pub->zone->sh->window, __ATOMIC_SEQ_CST)
           <= NGX_TSCAST_MIN_WINDOW)
    {
        ngx_tscast_room_log(pub, &pub->stream->sn.str);

        return NGX_TSCAST_NO_MEMORY;
    }

    if (!pub->starved) {
        pub->starved = 1;
        ngx_tscast_room_log(pub, &pub->stream->sn.str);
    }

    return NGX_OK;
}


void
ngx_tscast_room_log(ngx_tscast_publisher_t *pub, ngx_str_t *name)
{
    ngx_uint_t  n;

    n = ngx_tscast_room_often(&pub->zone->sh->refused);

    if (n) {
        ngx_log_error(NGX_LOG_ERR, pub->log, 0,
                      "zone \"%V\" has no memory for stream \"%V\", "
                      "bytes are lost, %ui times since the last such line",
                      &pub->zone->name, name, n);
    }
}


/*
 * One line a second from all workers: how many times it is to tell of, or 0
 * when it is not yet due.
 */

ngx_uint_t
ngx_tscast_room_often(ngx_tscast_often_t *often)
{
    ngx_msec_t  last;
    ngx_uint_t  n;

    n = __atomic_add_fetch(&often->n, 1, __ATOMIC_SEQ_CST);
    last = __atomic_load_n(&often->logged_at, __ATOMIC_SEQ_CST);

    if (ngx_tscast_since(last) < NGX_TSCAST_LOG
        || !__atomic_compare_exchange_n(&often->logged_at, &last,
                                        ngx_current_msec, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
    {
        return 0;
    }

    (void) __atomic_fetch_sub(&often->n, n, __ATOMIC_SEQ_CST);

    return n;
}


/* there is no place for a stream of that name */

void
ngx_tscast_room_unheard(ngx_tscast_viewer_t *v, ngx_tscast_zone_t *zone,
    ngx_str_t *name)
{
    ngx_uint_t  n;

    n = ngx_tscast_room_often(&zone->sh->unheard);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, v->log, 0,
                      "too many streams of zone \"%V\" are waited for, "
                      "no link is asked for \"%V\", "
                      "%ui times since the last such line",
                      &zone->name, name, n);
    }
}
