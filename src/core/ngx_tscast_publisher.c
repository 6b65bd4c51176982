
/*
 * Copyright (C) the tscast authors
 */


/*
 * Publishers: one writes each feed, from its first byte to its end.  What
 * arrives is put in step, looked at and copied to the ring; nothing in it is
 * altered.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* bytes within which a transport stream must show */
#define NGX_TSCAST_SHOW    65536

/* bytes before the first tables that are looked through again */
#define NGX_TSCAST_REPLAY  (4 * 1024 * 1024)


static ngx_int_t ngx_tscast_publish_locked(ngx_tscast_publisher_t *pub,
    ngx_str_t *name);
static ngx_uint_t ngx_tscast_publisher_yields(ngx_tscast_publisher_t *pub,
    ngx_tscast_feed_t *feed);
static ngx_int_t ngx_tscast_publisher_packets(ngx_tscast_publisher_t *pub,
    u_char *p, ngx_uint_t n);
static void ngx_tscast_publisher_parse(ngx_tscast_publisher_t *pub,
    u_char *p, size_t n, uint64_t offset);
static void ngx_tscast_publisher_measure(ngx_tscast_publisher_t *pub);
static void ngx_tscast_publisher_complete(ngx_tscast_publisher_t *pub);
static void ngx_tscast_publisher_replay(ngx_tscast_publisher_t *pub,
    uint64_t last);
static void ngx_tscast_publisher_count(ngx_tscast_publisher_t *pub);
static void ngx_tscast_publisher_count_rtp(ngx_tscast_publisher_t *pub);
static void ngx_tscast_publisher_log_ended(ngx_tscast_publisher_t *pub);
static void ngx_tscast_publisher_log_ousted(ngx_tscast_publisher_t *pub);


ngx_int_t
ngx_tscast_publish(ngx_tscast_publisher_t *pub, ngx_tscast_zone_t *zone,
    ngx_str_t *name)
{
    ngx_int_t   rc;
    ngx_uint_t  tries;

    if (ngx_tscast_stream_check_name(name) != NGX_OK) {
        ngx_tscast_stream_log_name(NGX_LOG_ERR, pub->log, name);
        return NGX_TSCAST_BAD_NAME;
    }

    if (zone->slot == NULL) {
        return NGX_TSCAST_NO_MEMORY;
    }

    pub->zone = zone;
    pub->remux = ngx_tscast_remux_create(pub->log);

    if (pub->remux == NULL) {
        return NGX_TSCAST_NO_MEMORY;
    }

    rc = NGX_TSCAST_BUSY;

    for (tries = 0; tries < 2; tries++) {

        ngx_shmtx_lock(&zone->shpool->mutex);

        do {
            rc = ngx_tscast_publish_locked(pub, name);

        } while (rc == NGX_TSCAST_NO_MEMORY
                 && ngx_tscast_stream_squeeze_locked(zone));

        ngx_shmtx_unlock(&zone->shpool->mutex);

        if (rc != NGX_TSCAST_BUSY) {
            break;
        }

        /* its worker may be dead, and nobody has noticed yet */

        ngx_tscast_slot_bury(zone, pub->log);
    }

    if (rc != NGX_OK) {
        ngx_tscast_remux_destroy(pub);
    }

    if (rc == NGX_TSCAST_BUSY) {
        ngx_log_error(NGX_LOG_ERR, pub->log, 0,
                      "stream \"%V/%V\" has a publisher", &zone->name, name);
        return rc;
    }

    if (rc == NGX_TSCAST_NO_MEMORY) {
        ngx_tscast_room_log(pub, name);
        return rc;
    }

    ngx_tscast_ts_sync_init(&pub->sync);
    pub->sync.datagrams = pub->datagrams;

    ngx_tscast_ts_parser_init(&pub->parser);
    ngx_tscast_ts_health_init(&pub->health);

    pub->rate.n = 1;
    pub->rate.time[0] = ngx_current_msec;
    pub->rate.bytes[0] = 0;

    ngx_queue_insert_tail(&zone->publishers, &pub->queue);

    ngx_tscast_hold();

    ngx_log_error(NGX_LOG_INFO, pub->log, 0,
                  "stream \"%V/%V\" is published", &zone->name, name);

    ngx_tscast_event_publisher(pub, NGX_TSCAST_EVENT_PUBLISHER_START);
    ngx_tscast_observe_published(zone, name);

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_publish_locked(ngx_tscast_publisher_t *pub, ngx_str_t *name)
{
    ngx_tscast_zone_t    *zone;
    ngx_tscast_feed_t    *feed;
    ngx_tscast_stream_t  *st;

    zone = pub->zone;

    st = ngx_tscast_stream_find_locked(zone, name);

    if (st == NULL) {
        st = ngx_tscast_stream_add_locked(zone, name);

        if (st == NULL) {
            return NGX_TSCAST_NO_MEMORY;
        }
    }

    feed = ngx_tscast_stream_last_locked(st);

    if (feed && !feed->ended) {

        if (!ngx_tscast_publisher_yields(pub, feed)) {
            return NGX_TSCAST_BUSY;
        }

        ngx_tscast_feed_end_locked(zone, feed);
        ngx_tscast_stream_wake_locked(zone, st);
    }

    pub->counters = ngx_tscast_counters_get_locked(zone, st, pub->door);
    pub->feed = NULL;

    if (pub->counters) {
        pub->feed = ngx_tscast_feed_add_locked(zone, st);
    }

    if (pub->feed == NULL) {
        ngx_tscast_stream_trim_locked(zone, st, zone->window);
        return NGX_TSCAST_NO_MEMORY;
    }

    pub->feed->door = pub->door;
    pub->feed->weak = pub->weak;

    if (pub->via) {
        pub->feed->via = *pub->via;
    }

    if (pub->addr_text) {
        pub->feed->addr_len = ngx_min(pub->addr_text->len,
                                      NGX_SOCKADDR_STRLEN);
        ngx_memcpy(pub->feed->addr, pub->addr_text->data,
                   pub->feed->addr_len);
    }

    __atomic_store_n(&st->feed, pub->feed, __ATOMIC_SEQ_CST);

    pub->stream = st;
    pub->counters->published++;
    pub->counters->publishers++;

    return NGX_OK;
}


/* does the feed's publisher give way to this one? */

static ngx_uint_t
ngx_tscast_publisher_yields(ngx_tscast_publisher_t *pub,
    ngx_tscast_feed_t *feed)
{
    ngx_int_t   newer;
    ngx_msec_t  last;

    if (pub->inherit && feed->door == pub->door) {
        newer = (ngx_int_t) (ngx_tscast_generation - feed->generation);

        if (newer != 0) {
            return newer > 0;
        }
    }

    if (feed->weak && !pub->weak) {
        return 1;
    }

    last = __atomic_load_n(&feed->last, __ATOMIC_SEQ_CST);

    return pub->takeover || ngx_tscast_since(last) > pub->timeout;
}


void
ngx_tscast_publisher_prime(ngx_tscast_publisher_t *pub,
    ngx_tscast_ts_tables_t *tables, ngx_tscast_ts_rap_t *rap,
    uint64_t follows)
{
    u_char  *p;
    size_t   n;

    static u_char  buf[NGX_TSCAST_TS_MAX_START];

    n = ngx_tscast_ts_start(buf, tables, rap, 0);

    for (p = buf; p < buf + n; p += NGX_TSCAST_TS_PACKET) {
        (void) ngx_tscast_ts_parse(&pub->parser, p, 0);
    }

    if (pub->parser.tables.ntables == 0) {
        return;
    }

    pub->parser.packets = 0;
    pub->tables = 1;
    pub->feed->follows = follows;

    ngx_tscast_facts_write(pub->feed, &pub->parser.tables, NULL, 0);
    ngx_tscast_ts_health_tables(&pub->health, &pub->parser);
    ngx_tscast_remux_tables(pub);

    if (pub->parser.tables.npids == tables->npids
        && ngx_memcmp(pub->parser.tables.pids, tables->pids,
                      tables->npids * sizeof(uint16_t))
           == 0)
    {
        ngx_memcpy(pub->parser.cc, rap->cc, sizeof(pub->parser.cc));
    }
}


uint64_t
ngx_tscast_publisher_feed(ngx_tscast_publisher_t *pub)
{
    return pub->feed->ring.id;
}


ngx_int_t
ngx_tscast_publisher_write(ngx_tscast_publisher_t *pub, u_char *p, size_t n)
{
    u_char      *pos, *last, *run;
    ngx_int_t    rc;
    ngx_uint_t   packets;

    pos = p;
    last = p + n;

    pub->received += n;
    pub->counters->received += n;

    ngx_tscast_ts_health_arrive(&pub->health, ngx_current_msec);
    ngx_tscast_remux_look(pub);

    for ( ;; ) {
        packets = ngx_tscast_ts_sync(&pub->sync, &pos, last, &run);

        if (packets == 0) {
            break;
        }

        ngx_tscast_ts_health_sync(&pub->health, &pub->sync);

        rc = ngx_tscast_publisher_packets(pub, run, packets);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_tscast_publisher_count(pub);

    if (pub->parser.packets == 0 && pub->lost == 0
        && pub->received >= NGX_TSCAST_SHOW)
    {
        ngx_log_error(NGX_LOG_ERR, pub->log, 0,
                      "no transport stream in the first %uL bytes for "
                      "\"%V/%V\", period of sync bytes: %uz",
                      pub->received, &pub->zone->name,
                      &pub->stream->sn.str, ngx_tscast_ts_packet_size(p, n));

        return NGX_TSCAST_NO_SYNC;
    }

    return NGX_OK;
}


ngx_int_t
ngx_tscast_publisher_write_rtp(ngx_tscast_publisher_t *pub,
    ngx_tscast_rtp_t *rtp)
{
    ngx_int_t  rc;

    pub->numbered = 1;

    rc = ngx_tscast_rtp_seq_next(&pub->rtp, rtp);

    ngx_tscast_publisher_count_rtp(pub);

    if (rc != NGX_OK) {
        return NGX_OK;
    }

    return ngx_tscast_publisher_write(pub, rtp->payload, rtp->len);
}


ngx_int_t
ngx_tscast_publisher_finish(ngx_tscast_publisher_t *pub)
{
    u_char      *run;
    ngx_int_t    rc;
    ngx_uint_t   packets;

    packets = ngx_tscast_ts_sync_flush(&pub->sync, &run);

    if (packets) {
        rc = ngx_tscast_publisher_packets(pub, run, packets);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_tscast_publisher_count(pub);

    if (pub->parser.packets == 0 && pub->lost == 0 && pub->received) {
        ngx_log_error(NGX_LOG_ERR, pub->log, 0,
                      "no transport stream in %uL bytes for \"%V/%V\"",
                      pub->received, &pub->zone->name,
                      &pub->stream->sn.str);

        return NGX_TSCAST_NO_SYNC;
    }

    if (pub->lost && pub->feed->ring.head == pub->feed->ring.start) {
        return NGX_TSCAST_NO_MEMORY;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_publisher_packets(ngx_tscast_publisher_t *pub, u_char *p,
    ngx_uint_t n)
{
    size_t                 size, taken, whole;
    uint64_t               head;
    ngx_int_t              rc;
    ngx_tscast_feed_t     *feed;
    ngx_tscast_zone_t     *zone;
    ngx_tscast_section_t  *section;

    zone = pub->zone;
    feed = pub->feed;
    section = &zone->sh->sections[ngx_process_slot];

    ngx_tscast_ring_write(section, &feed->ring);

    if (__atomic_load_n(&feed->ended, __ATOMIC_SEQ_CST)) {
        ngx_tscast_ring_written(section);
        ngx_tscast_publisher_log_ousted(pub);

        return NGX_TSCAST_OUSTED;
    }

    rc = NGX_OK;
    size = n * NGX_TSCAST_TS_PACKET;
    whole = size;

    while (size) {
        head = feed->ring.head;

        taken = ngx_tscast_ring_append(&zone->env, &feed->ring, p, size,
                                       ngx_current_msec);

        ngx_tscast_publisher_parse(pub, p, taken, head);

        p += taken;
        size -= taken;

        if (size && ngx_tscast_room_make(pub, feed) != NGX_OK) {
            rc = ngx_tscast_room_lose(pub, size);
            break;
        }
    }

    if (size == 0) {
        pub->starved = 0;
    }

    __atomic_store_n(&feed->last, ngx_current_msec, __ATOMIC_SEQ_CST);

    ngx_tscast_room_trim(pub, feed, ngx_tscast_remux_kept(pub));

    ngx_tscast_ring_written(section);

    ngx_tscast_remux_packets(pub, p - (whole - size), whole - size);

    return rc;
}


static void
ngx_tscast_publisher_parse(ngx_tscast_publisher_t *pub, u_char *p, size_t n,
    uint64_t offset)
{
    u_char      *last;
    ngx_uint_t   flags;

    for (last = p + n; p < last; p += NGX_TSCAST_TS_PACKET) {

        flags = ngx_tscast_ts_parse(&pub->parser, p, offset);

        if (flags & NGX_TSCAST_TS_TABLES) {
            ngx_tscast_facts_write(pub->feed, &pub->parser.tables, NULL, 0);
            pub->index.n = 0;
            pub->open = 0;

            if (!pub->tables && pub->parser.tables.ntables) {
                pub->tables = 1;
                ngx_tscast_publisher_replay(pub, offset);
            }

            ngx_tscast_ts_health_tables(&pub->health, &pub->parser);
            ngx_tscast_remux_tables(pub);
        }

        ngx_tscast_ts_health_packet(&pub->health, p);
        ngx_tscast_remux_probe(pub, p);

        if (flags & NGX_TSCAST_TS_RAP) {
            ngx_tscast_facts_index(pub->zone, pub->feed, &pub->index,
                                   &pub->parser.rap);
            ngx_tscast_publisher_measure(pub);
            pub->open = 1;
        }

        if (pub->open) {
            ngx_tscast_publisher_complete(pub);
        }

        offset += NGX_TSCAST_TS_PACKET;
    }
}


static void
ngx_tscast_publisher_measure(ngx_tscast_publisher_t *pub)
{
    if (pub->raps++) {
        pub->gop = pub->health.clock - pub->rap_clock;
    }

    pub->rap_clock = pub->health.clock;
}


/*
 * A PID that is seen for the first time behind the newest RAP: what its
 * continuity_counter was before is known now.
 */

static void
ngx_tscast_publisher_complete(ngx_tscast_publisher_t *pub)
{
    u_char                *cc;
    ngx_uint_t             i, changed;
    ngx_tscast_ts_rap_t   *rap;

    rap = &pub->parser.rap;
    cc = pub->parser.cc;

    changed = 0;
    pub->open = 0;

    for (i = 0; i < pub->parser.tables.npids; i++) {

        if (rap->cc[i] != NGX_TSCAST_TS_NO_CC) {
            continue;
        }

        if (cc[i] == NGX_TSCAST_TS_NO_CC) {
            pub->open = 1;
            continue;
        }

        rap->cc[i] = (cc[i] - 1) & 0x0f;
        changed = 1;
    }

    if (changed) {
        ngx_tscast_facts_write(pub->feed, NULL, rap, 1);
    }
}


/*
 * The first tables have come behind media: a parser that knows them from the
 * start looks at what lies before them.
 */

static void
ngx_tscast_publisher_replay(ngx_tscast_publisher_t *pub, uint64_t last)
{
    u_char               *p, *end;
    size_t                n;
    uint64_t              offset;
    ngx_uint_t            flags;
    ngx_tscast_view_t     view;
    ngx_tscast_ts_rap_t   rap;

    static ngx_tscast_ts_parser_t  parser;
    static u_char                  tables[NGX_TSCAST_TS_MAX_START];

    view.head = last;
    view.tail = ngx_tscast_ring_tail(&pub->feed->ring);

    if (last - view.tail > NGX_TSCAST_REPLAY) {
        return;
    }

    ngx_tscast_ts_parser_init(&parser);
    ngx_memset(&rap, NGX_TSCAST_TS_NO_CC, sizeof(ngx_tscast_ts_rap_t));

    n = ngx_tscast_ts_start(tables, &pub->parser.tables, &rap, 0);

    for (p = tables; p < tables + n; p += NGX_TSCAST_TS_PACKET) {
        (void) ngx_tscast_ts_parse(&parser, p, view.tail);
    }

    if (parser.tables.npids != pub->parser.tables.npids
        || ngx_memcmp(parser.tables.pids, pub->parser.tables.pids,
                      parser.tables.npids * sizeof(uint16_t))
           != 0)
    {
        return;
    }

    for (offset = view.tail; offset < last; offset += n) {

        p = ngx_tscast_ring_at(&pub->feed->ring, &view, offset, &n);

        if (p == NULL) {
            return;
        }

        for (end = p + n; p < end; p += NGX_TSCAST_TS_PACKET) {

            flags = ngx_tscast_ts_parse(&parser, p, offset + n - (end - p));

            if (flags & NGX_TSCAST_TS_TABLES) {
                return;
            }

            if (flags & NGX_TSCAST_TS_RAP) {
                ngx_tscast_facts_index(pub->zone, pub->feed, &pub->index,
                                       &parser.rap);
            }
        }
    }
}


/* what the framing has dropped goes to the counters */

static void
ngx_tscast_publisher_count(ngx_tscast_publisher_t *pub)
{
    pub->counters->dropped += pub->sync.dropped - pub->dropped;
    pub->dropped = pub->sync.dropped;
}


void
ngx_tscast_publisher_drop(ngx_tscast_publisher_t *pub, size_t n)
{
    pub->sync.dropped += n;

    ngx_tscast_publisher_count(pub);
}


static void
ngx_tscast_publisher_count_rtp(ngx_tscast_publisher_t *pub)
{
    pub->missing += pub->rtp.missing;
    pub->reordered += pub->rtp.reordered;
    pub->doubled += pub->rtp.doubled;

    pub->counters->missing += pub->rtp.missing;
    pub->counters->reordered += pub->rtp.reordered;
    pub->counters->doubled += pub->rtp.doubled;

    pub->rtp.missing = 0;
    pub->rtp.reordered = 0;
    pub->rtp.doubled = 0;
}


void
ngx_tscast_publisher_flush(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_wake(pub->zone, pub->stream);
    ngx_tscast_remux_wake(pub);
}


void
ngx_tscast_unpublish(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_zone_t  *zone;

    if (pub->feed == NULL) {
        return;
    }

    zone = pub->zone;

    ngx_tscast_rtp_seq_finish(&pub->rtp);
    ngx_tscast_publisher_count_rtp(pub);

    ngx_tscast_publisher_log_ended(pub);
    ngx_tscast_event_publisher(pub, NGX_TSCAST_EVENT_PUBLISHER_STOP);

    ngx_tscast_remux_finish(pub);
    ngx_tscast_vitals_write(pub);

    ngx_shmtx_lock(&zone->shpool->mutex);

    pub->counters->publishers--;

    ngx_tscast_feed_end_locked(zone, pub->feed);
    pub->stream->left = pub->leaves;
    ngx_tscast_stream_wake_locked(zone, pub->stream);

    ngx_tscast_remux_release_locked(pub);

    pub->feed->held = 0;

    ngx_tscast_stream_trim_locked(zone, pub->stream, zone->window);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    pub->feed = NULL;

    ngx_tscast_remux_destroy(pub);

    ngx_queue_remove(&pub->queue);

    ngx_tscast_release();
}


ngx_int_t
ngx_tscast_publisher_evict(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_int_t             rc;
    ngx_tscast_feed_t    *feed;
    ngx_tscast_stream_t  *st;

    rc = NGX_TSCAST_NOT_FOUND;

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = ngx_tscast_stream_find_locked(zone, name);
    feed = st ? ngx_tscast_stream_last_locked(st) : NULL;

    if (feed && !feed->ended) {
        feed->evicted = 1;

        ngx_tscast_feed_end_locked(zone, feed);
        ngx_tscast_stream_wake_locked(zone, st);
        ngx_tscast_wake_mail(zone, feed->slot);

        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


/* those that are silent do not see themselves ousted */

void
ngx_tscast_publisher_look(ngx_tscast_zone_t *zone)
{
    ngx_queue_t             *q, *next;
    ngx_tscast_publisher_t  *pub;

    for (q = ngx_queue_head(&zone->publishers);
         q != ngx_queue_sentinel(&zone->publishers);
         q = next)
    {
        next = ngx_queue_next(q);
        pub = ngx_queue_data(q, ngx_tscast_publisher_t, queue);

        if (__atomic_load_n(&pub->feed->ended, __ATOMIC_SEQ_CST)) {
            ngx_tscast_publisher_log_ousted(pub);
            pub->ousted(pub);
        }
    }
}


/* once a second: what was published has grown old, also where nothing comes */

void
ngx_tscast_publisher_round(ngx_tscast_zone_t *zone)
{
    ngx_queue_t             *q;
    ngx_tscast_section_t    *section;
    ngx_tscast_publisher_t  *pub;

    ngx_tscast_publisher_look(zone);

    section = &zone->sh->sections[ngx_process_slot];

    for (q = ngx_queue_head(&zone->publishers);
         q != ngx_queue_sentinel(&zone->publishers);
         q = ngx_queue_next(q))
    {
        pub = ngx_queue_data(q, ngx_tscast_publisher_t, queue);

        ngx_tscast_ring_write(section, &pub->feed->ring);

        if (!__atomic_load_n(&pub->feed->ended, __ATOMIC_SEQ_CST)) {
            ngx_tscast_room_trim(pub, pub->feed,
                                 ngx_tscast_remux_kept(pub));

            ngx_shmtx_lock(&zone->shpool->mutex);
            (void) ngx_tscast_ring_reclaim_locked(&zone->env,
                                                  &pub->feed->ring);
            ngx_shmtx_unlock(&zone->shpool->mutex);
        }

        ngx_tscast_ring_written(section);

        ngx_tscast_ts_health_tables(&pub->health, &pub->parser);
        ngx_tscast_vitals_write(pub);
        ngx_tscast_alarm_round(pub);

        ngx_tscast_remux_look(pub);
        ngx_tscast_remux_wake(pub);
    }
}


static void
ngx_tscast_publisher_log_ended(ngx_tscast_publisher_t *pub)
{
    u_char  *p, buf[NGX_INT64_LEN * 3 + 64];

    p = buf;

    if (pub->numbered) {
        p = ngx_sprintf(buf, ", RTP packets: %uL missing, %uL reordered, "
                        "%uL doubled",
                        pub->missing, pub->reordered, pub->doubled);
    }

    ngx_log_error(NGX_LOG_INFO, pub->log, 0,
                  "stream \"%V/%V\" has ended: %uL bytes, %uL dropped, "
                  "%uL lost, %uL continuity errors%*s",
                  &pub->zone->name, &pub->stream->sn.str, pub->received,
                  pub->dropped, pub->lost, pub->parser.cc_errors,
                  (size_t) (p - buf), buf);
}


static void
ngx_tscast_publisher_log_ousted(ngx_tscast_publisher_t *pub)
{
    if (pub->feed->evicted) {
        ngx_log_error(NGX_LOG_NOTICE, pub->log, 0,
                      "publisher of stream \"%V/%V\" is dropped",
                      &pub->zone->name, &pub->stream->sn.str);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, pub->log, 0,
                  "another publisher has taken over stream \"%V/%V\"",
                  &pub->zone->name, &pub->stream->sn.str);
}
