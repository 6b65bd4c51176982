
/*
 * Copyright (C) the tscast authors
 */


/*
 * The FLV rendition of a stream: made once, by its publisher's worker, while
 * somebody watches it.
 *
 *     publisher's worker                    viewer's worker
 *
 *                                           finds or adds stream->flv,
 *                                           sets its interest bit
 *     with each write: is there interest?
 *     a feed of stream->flv, from the
 *     newest RAP of packets on
 *     tags into its ring, wakes     --->    walks as in any stream
 *                                           the last one leaves
 *     a window later: the feed ends
 *
 * The rendition is a stream for the hub, and what the worker writes is a feed
 * of it: rings, wake-ups, read sections, memory and death are those of all
 * feeds.
 *
 * A publisher that has tags of its own hands them in as they come.  Those of
 * before are not kept: where the rendition begins in mid-stream, tags are made
 * of packets up to the next key frame.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* ms for which the first frame of audio is waited for */
#define NGX_TSCAST_REMUX_WAIT  500


struct ngx_tscast_remux_s {
    ngx_tscast_flv_program_t   program;
    ngx_tscast_stream_t       *stream;      /* the rendition */
    ngx_tscast_feed_t         *feed;        /* NULL: nobody wants it */
    ngx_tscast_index_t         index;
    ngx_tscast_ts_rap_t        rap;         /* the newest */
    uint64_t                   oldest;      /* of those that are held */
    ngx_msec_t                 wanted;      /* when somebody did, last */
    ngx_tscast_flv_remux_t    *work;        /* NULL: tags are handed in */
    uint32_t                   shift;       /* from their times to ours */
    ngx_uint_t                 flags;       /* of the headers in force */

    unsigned                   known:1;     /* the program */
    unsigned                   changed:1;   /* the program */
    unsigned                   looked:1;    /* for viewers, since it is known */
    unsigned                   probing:1;   /* the PMT does not tell all */
    unsigned                   video:1;     /* had a sequence header, */
    unsigned                   audio:1;     /* or a tag that needs none */
    unsigned                   broken:1;    /* tags were lost */
    unsigned                   held:1;      /* RAPs are not in the index */
};


static void ngx_tscast_remux_fit(ngx_tscast_publisher_t *pub,
    const char *unfit);
static void ngx_tscast_remux_start(ngx_tscast_publisher_t *pub);
static ngx_tscast_feed_t *ngx_tscast_remux_feed_locked(
    ngx_tscast_publisher_t *pub);
static void ngx_tscast_remux_replay(ngx_tscast_publisher_t *pub);
static void ngx_tscast_remux_stop(ngx_tscast_publisher_t *pub);
static ngx_int_t ngx_tscast_remux_enter(ngx_tscast_publisher_t *pub);
static void ngx_tscast_remux_leave(ngx_tscast_publisher_t *pub);
static void ngx_tscast_remux_run(ngx_tscast_publisher_t *pub, u_char *p,
    size_t n);
static void ngx_tscast_remux_tag(void *data, ngx_tscast_flv_tag_t *tag);
static void ngx_tscast_remux_headers(ngx_tscast_publisher_t *pub,
    ngx_tscast_flv_headers_t *h, ngx_uint_t again);
static void ngx_tscast_remux_append(ngx_tscast_publisher_t *pub,
    ngx_tscast_flv_tag_t *tag);
static void ngx_tscast_remux_index(ngx_tscast_publisher_t *pub);
static ngx_uint_t ngx_tscast_remux_ready(ngx_tscast_remux_t *r);
static ngx_int_t ngx_tscast_remux_keep(ngx_tscast_publisher_t *pub,
    ngx_tscast_flv_tag_t *tag);
static void ngx_tscast_remux_turn(ngx_tscast_publisher_t *pub,
    uint64_t time);
static void ngx_tscast_remux_own(ngx_tscast_publisher_t *pub,
    ngx_tscast_flv_tag_t *tag, uint32_t time);


/* of one stream at a time */

static u_char  ngx_tscast_remux_out[NGX_TSCAST_FLV_MAX_TAG];


ngx_tscast_remux_t *
ngx_tscast_remux_create(ngx_log_t *log)
{
    return ngx_calloc(sizeof(ngx_tscast_remux_t), log);
}


void
ngx_tscast_remux_destroy(ngx_tscast_publisher_t *pub)
{
    if (pub->remux->work) {
        ngx_free(pub->remux->work);
    }

    ngx_free(pub->remux);
    pub->remux = NULL;
}


/* the parser has new tables */

void
ngx_tscast_remux_tables(ngx_tscast_publisher_t *pub)
{
    size_t                     len;
    u_char                    *pmt;
    ngx_tscast_remux_t        *r;
    ngx_tscast_flv_program_t   program;

    r = pub->remux;

    pmt = ngx_tscast_ts_program(&pub->parser, &len);

    if (pmt == NULL) {
        return;
    }

    (void) ngx_tscast_flv_program(pmt, len, &program);

    if (r->known && ngx_memcmp(&program, &r->program, sizeof(program)) == 0) {
        return;
    }

    r->program = program;
    r->known = 1;
    r->changed = 1;
    r->probing = (program.audio == NGX_TSCAST_FLV_CODEC_MP3);

    ngx_tscast_remux_fit(pub, program.unfit);
}


/* each packet, until it is known which layer of MPEG audio there is */

void
ngx_tscast_remux_probe(ngx_tscast_publisher_t *pub, u_char *packet)
{
    ngx_int_t            rc;
    ngx_tscast_remux_t  *r;

    r = pub->remux;

    if (!r->probing) {
        return;
    }

    rc = ngx_tscast_flv_program_probe(&r->program, packet);

    if (rc == NGX_AGAIN) {
        return;
    }

    r->probing = 0;

    if (rc == NGX_DECLINED) {
        ngx_tscast_remux_fit(pub, r->program.unfit);
    }
}


/* viewers are told by whoever lets them in; those that are there are woken */

static void
ngx_tscast_remux_fit(ngx_tscast_publisher_t *pub, const char *unfit)
{
    ngx_tscast_feed_t  *feed;
    ngx_tscast_zone_t  *zone;

    zone = pub->zone;
    feed = pub->feed;

    ngx_shmtx_lock(&zone->shpool->mutex);

    ngx_cpystrn(feed->unfit, (u_char *) (unfit ? unfit : ""),
                NGX_TSCAST_UNFIT_LEN);

    if (unfit) {
        ngx_tscast_stream_wake_locked(zone, pub->stream);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (unfit && pub->remux->feed) {
        ngx_tscast_remux_stop(pub);
    }
}


/* begins and ends the rendition */

void
ngx_tscast_remux_look(ngx_tscast_publisher_t *pub)
{
    ngx_uint_t            wanted;
    ngx_tscast_remux_t   *r;
    ngx_tscast_stream_t  *st;

    r = pub->remux;

    /* it may be gone the next moment: looked at again under the mutex */

    st = __atomic_load_n(&pub->stream->flv, __ATOMIC_SEQ_CST);
    wanted = (st && !ngx_tscast_mask_empty(&st->interest));

    if (wanted) {
        r->wanted = ngx_current_msec;
    }

    if (r->feed == NULL) {

        if (wanted && (r->known || pub->flv) && r->program.unfit == NULL) {
            ngx_tscast_remux_start(pub);
        }

        r->looked = r->known;
        return;
    }

    if (ngx_current_msec - r->wanted > pub->zone->window) {
        ngx_tscast_remux_stop(pub);
    }
}


static void
ngx_tscast_remux_start(ngx_tscast_publisher_t *pub)
{
    u_char              *buf;
    ngx_tscast_zone_t   *zone;
    ngx_tscast_remux_t  *r;

    r = pub->remux;
    zone = pub->zone;
    buf = NULL;

    /* where no RAP has passed, nothing is missed by who has tags of its own */

    if (pub->flv == NULL
        || ngx_tscast_facts_newest(pub->feed) != (uint64_t) -1)
    {
        buf = ngx_alloc(sizeof(ngx_tscast_flv_remux_t)
                        + NGX_TSCAST_FLV_BUFFER, pub->log);
        if (buf == NULL) {
            return;
        }
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    r->feed = ngx_tscast_remux_feed_locked(pub);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (r->feed == NULL) {
        if (buf) {
            ngx_free(buf);
        }

        return;
    }

    r->work = (ngx_tscast_flv_remux_t *) buf;
    r->stream = r->feed->stream;
    r->shift = 0;
    r->flags = 0;
    r->changed = 1;
    r->video = 0;
    r->audio = 0;
    r->broken = 0;
    r->held = 0;

    ngx_memzero(&r->index, sizeof(ngx_tscast_index_t));
    ngx_memset(&r->rap, NGX_TSCAST_TS_NO_CC, sizeof(ngx_tscast_ts_rap_t));

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, pub->log, 0,
                   "flv of \"%V\" begins", &pub->stream->sn.str);

    if (buf == NULL) {
        r->video = (pub->flv->video != 0);
        r->audio = (pub->flv->audio != 0);
        return;
    }

    ngx_tscast_flv_remux_init(r->work, buf + sizeof(ngx_tscast_flv_remux_t),
                              ngx_tscast_remux_out, ngx_tscast_remux_tag,
                              pub);

    ngx_tscast_remux_replay(pub);
}


static ngx_tscast_feed_t *
ngx_tscast_remux_feed_locked(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_feed_t    *feed;
    ngx_tscast_zone_t    *zone;
    ngx_tscast_stream_t  *st;

    zone = pub->zone;
    st = pub->stream->flv;

    if (st == NULL || ngx_tscast_mask_empty(&st->interest)
        || pub->feed->ended)
    {
        return NULL;
    }

    do {
        feed = ngx_tscast_feed_add_locked(zone, st);

    } while (feed == NULL && ngx_tscast_stream_squeeze_locked(zone));

    if (feed) {
        feed->door = pub->door;
    }

    return feed;
}


/*
 * The first viewer is to see something at once: from the newest RAP on, or,
 * if it has been waiting for the stream, from the first one.
 */

static void
ngx_tscast_remux_replay(ngx_tscast_publisher_t *pub)
{
    u_char                 *p;
    size_t                  n;
    uint64_t                offset;
    ngx_tscast_view_t       view;
    ngx_tscast_ts_rap_t     rap;
    ngx_tscast_section_t   *section;

    static ngx_tscast_ts_tables_t  tables;

    if (ngx_tscast_remux_enter(pub) != NGX_OK) {
        return;
    }

    /* another may take the stream over and free what is read here */

    section = &pub->zone->sh->sections[ngx_process_slot];

    ngx_tscast_ring_enter(section, &pub->feed->ring, &view);

    /* without a RAP there may be the beginning of one */

    offset = view.tail;

    if (ngx_tscast_facts_find(pub->feed, view.tail, pub->remux->looked,
                              &tables, &rap)
        == NGX_OK)
    {
        offset = rap.offset;
    }

    for ( /* void */ ; offset < view.head; offset += n) {

        p = ngx_tscast_ring_at(&pub->feed->ring, &view, offset, &n);

        if (p == NULL) {
            break;
        }

        ngx_tscast_remux_run(pub, p, n);
    }

    ngx_tscast_ring_leave(section);
    ngx_tscast_remux_leave(pub);
}


/* nothing of it is wanted */

static void
ngx_tscast_remux_stop(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_feed_t   *feed;
    ngx_tscast_zone_t   *zone;
    ngx_tscast_remux_t  *r;

    zone = pub->zone;
    r = pub->remux;
    feed = r->feed;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, pub->log, 0,
                   "flv of \"%V\" ends", &pub->stream->sn.str);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ngx_tscast_feed_end_locked(zone, feed);
    ngx_tscast_wake(zone, r->stream);

    feed->ended_at = ngx_current_msec - zone->window;

    ngx_tscast_remux_release_locked(pub);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (r->work) {
        ngx_free(r->work);
        r->work = NULL;
    }
}


void
ngx_tscast_remux_release_locked(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_remux_t  *r;

    r = pub->remux;

    if (r->feed) {
        r->feed->held = 0;
        r->feed = NULL;

        ngx_tscast_stream_trim_locked(pub->zone, r->stream,
                                      pub->zone->window);
    }
}


/* the bytes have ended: the last frame is whole now */

void
ngx_tscast_remux_finish(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_remux_t  *r;

    r = pub->remux;

    if (r->feed == NULL || r->work == NULL
        || ngx_tscast_remux_enter(pub) != NGX_OK)
    {
        return;
    }

    ngx_tscast_flv_remux_flush(r->work);

    ngx_tscast_remux_leave(pub);
}


void
ngx_tscast_remux_wake(ngx_tscast_publisher_t *pub)
{
    if (pub->remux->feed) {
        ngx_tscast_wake(pub->zone, pub->remux->stream);
    }
}


/* bytes that the rendition keeps */

size_t
ngx_tscast_remux_kept(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_feed_t  *feed;

    feed = pub->remux->feed;

    return feed ? feed->ring.head - ngx_tscast_ring_tail(&feed->ring) : 0;
}


/* what has gone into the ring of packets */

void
ngx_tscast_remux_packets(ngx_tscast_publisher_t *pub, u_char *p, size_t n)
{
    ngx_tscast_remux_t  *r;

    r = pub->remux;

    if (r->feed == NULL || r->work == NULL
        || ngx_tscast_remux_enter(pub) != NGX_OK)
    {
        return;
    }

    ngx_tscast_remux_run(pub, p, n);

    ngx_tscast_remux_leave(pub);
}


/* NGX_DECLINED when the feed is no longer ours to write */

static ngx_int_t
ngx_tscast_remux_enter(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_feed_t     *feed;
    ngx_tscast_section_t  *section;

    feed = pub->remux->feed;
    section = &pub->zone->sh->sections[ngx_process_slot];

    ngx_tscast_ring_write(section, &feed->ring);

    if (__atomic_load_n(&feed->ended, __ATOMIC_SEQ_CST)) {
        ngx_tscast_ring_written(section);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_tscast_remux_leave(ngx_tscast_publisher_t *pub)
{
    ngx_tscast_feed_t  *feed;
    ngx_tscast_ring_t  *ring;

    feed = pub->remux->feed;
    ring = &pub->feed->ring;

    __atomic_store_n(&feed->last, ngx_current_msec, __ATOMIC_SEQ_CST);

    ngx_tscast_room_trim(pub, feed, ring->head - ring->tail);

    ngx_tscast_ring_written(&pub->zone->sh->sections[ngx_process_slot]);
}


static void
ngx_tscast_remux_run(ngx_tscast_publisher_t *pub, u_char *p, size_t n)
{
    u_char              *last;
    ngx_tscast_remux_t  *r;

    r = pub->remux;

    if (r->changed) {
        r->changed = 0;
        ngx_tscast_flv_remux_program(r->work, &r->program);
    }

    for (last = p + n; p < last; p += NGX_TSCAST_TS_PACKET) {
        ngx_tscast_flv_remux_packet(r->work, p);
    }
}


static void
ngx_tscast_remux_tag(void *data, ngx_tscast_flv_tag_t *tag)
{
    ngx_tscast_publisher_t *pub = data;

    ngx_uint_t           again;
    ngx_tscast_remux_t  *r;

    r = pub->remux;

    if (tag->config) {

        /* RAPs before the first sequence header of a kind stay good */

        if (tag->type == NGX_TSCAST_FLV_VIDEO) {
            again = r->video;
            r->video = 1;

        } else {
            again = (r->audio && tag->len);
            r->audio = 1;
        }

        ngx_tscast_remux_headers(pub, &r->work->headers, again);
    }

    if (tag->len) {
        ngx_tscast_remux_append(pub, tag);
    }
}


static void
ngx_tscast_remux_headers(ngx_tscast_publisher_t *pub,
    ngx_tscast_flv_headers_t *h, ngx_uint_t again)
{
    ngx_tscast_remux_t  *r;

    static ngx_tscast_opening_t  opening;

    r = pub->remux;

    opening.flv = *h;

    if (pub->flv && pub->flv->script) {
        (void) ngx_tscast_flv_headers_set(&opening.flv, NGX_TSCAST_FLV_SCRIPT,
                                          pub->flv->data
                                          + NGX_TSCAST_FLV_HEADER,
                                          ngx_tscast_flv_get_size(
                                                           pub->flv->data));
    }

    r->flags = h->flags;

    ngx_tscast_facts_write(r->feed, &opening.tables, NULL, 0);

    if (again) {
        r->held = 0;
        r->index.n = 0;
    }

    if (r->index.n == 0) {
        return;
    }

    r->index.n = 1;

    ngx_tscast_facts_write(r->feed, NULL, &r->rap, 0);
}


/* after a tag that found no room, video goes on with the next key frame */

static void
ngx_tscast_remux_append(ngx_tscast_publisher_t *pub, ngx_tscast_flv_tag_t *tag)
{
    uint64_t             offset;
    ngx_tscast_ring_t   *ring;
    ngx_tscast_zone_t   *zone;
    ngx_tscast_remux_t  *r;

    r = pub->remux;
    zone = pub->zone;
    ring = &r->feed->ring;

    if (tag->key) {
        r->broken = 0;

    } else if (r->broken && tag->type == NGX_TSCAST_FLV_VIDEO
               && !tag->config)
    {
        pub->counters->lost += tag->len;
        return;
    }

    offset = ring->head;

    while (ngx_tscast_ring_append_whole(&zone->env, ring, tag->data, tag->len,
                                        ngx_current_msec)
           != NGX_OK)
    {
        if (ngx_tscast_room_make(pub, r->feed) != NGX_OK) {
            r->broken = 1;
            pub->counters->lost += tag->len;

            ngx_tscast_room_log(pub, &pub->stream->sn.str);

            return;
        }
    }

    if (tag->key
        || (pub->parser.no_keys && tag->type == NGX_TSCAST_FLV_VIDEO
            && !tag->config))
    {
        if (!r->held) {
            r->held = 1;
            r->oldest = offset;
        }

        r->rap.offset = offset;
    }

    if (r->held && ngx_tscast_remux_ready(r)) {
        ngx_tscast_remux_index(pub);
    }
}


static void
ngx_tscast_remux_index(ngx_tscast_publisher_t *pub)
{
    uint64_t             newest;
    ngx_tscast_remux_t  *r;

    r = pub->remux;
    r->held = 0;

    newest = r->rap.offset;

    if (r->oldest != newest) {
        r->rap.offset = r->oldest;
        ngx_tscast_facts_index(pub->zone, r->feed, &r->index, &r->rap);
    }

    r->rap.offset = newest;
    ngx_tscast_facts_index(pub->zone, r->feed, &r->index, &r->rap);
}


/* nobody begins before all sequence headers are there, or seem not to come */

static ngx_uint_t
ngx_tscast_remux_ready(ngx_tscast_remux_t *r)
{
    return r->audio || !(r->flags & NGX_TSCAST_FLV_HAS_AUDIO)
           || ngx_tscast_since(r->feed->began_at) >= NGX_TSCAST_REMUX_WAIT;
}


void
ngx_tscast_publisher_flv(ngx_tscast_publisher_t *pub,
    ngx_tscast_flv_tag_t *tag, uint64_t time)
{
    ngx_int_t            rc;
    ngx_uint_t           again, video;
    ngx_tscast_remux_t  *r;

    r = pub->remux;

    if (pub->flv == NULL) {
        return;
    }

    video = (tag->type == NGX_TSCAST_FLV_VIDEO);
    again = tag->config && (video ? r->video : r->audio);

    rc = ngx_tscast_remux_keep(pub, tag);

    ngx_tscast_remux_look(pub);

    if (rc == NGX_ERROR || r->feed == NULL
        || ngx_tscast_remux_enter(pub) != NGX_OK)
    {
        return;
    }

    if (r->work && tag->key && !tag->late) {
        ngx_tscast_remux_turn(pub, time);
    }

    if (r->work == NULL) {

        if (rc == NGX_OK || r->flags != pub->flv->flags) {
            ngx_tscast_remux_headers(pub, pub->flv, rc == NGX_OK && again);
        }

        ngx_tscast_remux_own(pub, tag, (uint32_t) time + r->shift);
    }

    ngx_tscast_remux_leave(pub);
}


/*
 * What viewers are given before the first tag.  NGX_OK when it is new,
 * NGX_DONE, or NGX_ERROR: these tags are of no use.
 */

static ngx_int_t
ngx_tscast_remux_keep(ngx_tscast_publisher_t *pub, ngx_tscast_flv_tag_t *tag)
{
    ngx_int_t  rc;

    if (!tag->config && tag->type != NGX_TSCAST_FLV_SCRIPT) {
        return NGX_DONE;
    }

    rc = ngx_tscast_flv_headers_set(pub->flv, tag->type, tag->data, tag->len);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_log_error(NGX_LOG_INFO, pub->log, 0,
                  "%uz bytes of %s are too long for FLV of \"%V/%V\"",
                  tag->len, tag->config ? "a sequence header" : "metadata",
                  &pub->zone->name, &pub->stream->sn.str);

    if (!tag->config) {
        return NGX_DONE;
    }

    /* from now on it is made of packets */

    pub->flv = NULL;

    if (pub->remux->feed) {
        ngx_tscast_remux_stop(pub);
    }

    return NGX_ERROR;
}


/* from tags made of packets to those that are handed in, at a key frame */

static void
ngx_tscast_remux_turn(ngx_tscast_publisher_t *pub, uint64_t time)
{
    int64_t                  now, audio;
    ngx_tscast_remux_t      *r;
    ngx_tscast_flv_tag_t     tag;
    ngx_tscast_flv_clock_t  *clock;

    r = pub->remux;

    ngx_tscast_flv_remux_flush(r->work);

    clock = &r->work->clocks[r->work->clocks[0].set ? 0 : 1];

    now = clock->set ? clock->out + ngx_tscast_ts_elapsed(clock->in, time * 90)
                     : (int64_t) time * 90;
    audio = ngx_max(now, r->work->last[1]);

    r->shift = (uint32_t) ((now + 45) / 90 - time);

    ngx_free(r->work);
    r->work = NULL;

    ngx_tscast_remux_headers(pub, pub->flv, 1);

    ngx_memzero(&tag, sizeof(ngx_tscast_flv_tag_t));

    tag.data = ngx_tscast_remux_out;
    tag.len = ngx_tscast_flv_start(tag.data, pub->flv,
                                   (uint32_t) time + r->shift, 0);
    tag.type = NGX_TSCAST_FLV_VIDEO;
    tag.config = 1;

    if (pub->flv->audio) {
        /* it may be ahead of video */

        ngx_tscast_flv_set_time(tag.data + pub->flv->video
                                + NGX_TSCAST_FLV_TIME,
                                (uint32_t) ((audio + 45) / 90));
    }

    if (tag.len) {
        ngx_tscast_remux_append(pub, &tag);
    }
}


static void
ngx_tscast_remux_own(ngx_tscast_publisher_t *pub, ngx_tscast_flv_tag_t *tag,
    uint32_t time)
{
    ngx_tscast_remux_t    *r;
    ngx_tscast_flv_tag_t   whole;

    r = pub->remux;

    if (tag->type == NGX_TSCAST_FLV_SCRIPT) {
        return;
    }

    if (tag->type == NGX_TSCAST_FLV_VIDEO) {
        r->video = 1;

    } else {
        r->audio = 1;
    }

    if (tag->len > NGX_TSCAST_FLV_MAX_VIDEO) {
        r->broken = 1;
        pub->counters->lost += tag->len;
        return;
    }

    whole = *tag;
    whole.data = ngx_tscast_remux_out;

    ngx_memcpy(whole.data + NGX_TSCAST_FLV_HEADER, tag->data, tag->len);

    whole.len = ngx_tscast_flv_tag(whole.data + NGX_TSCAST_FLV_HEADER,
                                   tag->len, tag->type, time);

    ngx_tscast_remux_append(pub, &whole);
}
