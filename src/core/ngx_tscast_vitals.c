
/*
 * Copyright (C) the tscast authors
 */


/*
 * What a publisher's worker says of its feed, once a second and at its end.
 * It is kept twice, as facts are: the copy in force is vitals[beat & 1], and a
 * writer that dies leaves one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* there is a second between two writes */
#define NGX_TSCAST_VITALS_TRIES  4

/* ms, at least, over which a bit rate is taken */
#define NGX_TSCAST_VITALS_RATED  500

#define ngx_tscast_rate_at(i)  ((i) % (NGX_TSCAST_RATE + 1))


static void ngx_tscast_vitals_rate(ngx_tscast_publisher_t *pub,
    ngx_tscast_vitals_t *v);
static uint64_t ngx_tscast_vitals_since(ngx_tscast_rate_t *r,
    ngx_uint_t rounds);
static void ngx_tscast_vitals_health(ngx_tscast_publisher_t *pub,
    ngx_tscast_vitals_t *v);


void
ngx_tscast_vitals_write(ngx_tscast_publisher_t *pub)
{
    ngx_uint_t            beat;
    ngx_tscast_feed_t    *feed;
    ngx_tscast_vitals_t  *v;

    feed = pub->feed;
    beat = feed->beat;

    v = &feed->vitals[(beat + 1) & 1];

    v->received = pub->received;
    v->raps = (pub->raps != 0);
    v->rap_at = pub->index.time[0];
    v->gop = pub->gop;
    v->oldest = ngx_tscast_ring_oldest(&feed->ring, ngx_current_msec);

    ngx_tscast_vitals_rate(pub, v);
    ngx_tscast_vitals_health(pub, v);

    __atomic_store_n(&feed->beat, beat + 1, __ATOMIC_SEQ_CST);

    /* before the next call writes to the copy that was in force */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


static void
ngx_tscast_vitals_rate(ngx_tscast_publisher_t *pub, ngx_tscast_vitals_t *v)
{
    ngx_uint_t          i;
    ngx_tscast_rate_t  *r;

    r = &pub->rate;
    i = ngx_tscast_rate_at(r->n - 1);

    if (ngx_current_msec - r->time[i] >= NGX_TSCAST_VITALS_RATED) {
        i = ngx_tscast_rate_at(r->n);

        r->time[i] = ngx_current_msec;
        r->bytes[i] = pub->received;
        r->n++;
    }

    v->rate = ngx_tscast_vitals_since(r, 1);
    v->slow_rate = ngx_tscast_vitals_since(r, NGX_TSCAST_RATE);
}


/* bits per second since so many rounds ago, or since the beginning */

static uint64_t
ngx_tscast_vitals_since(ngx_tscast_rate_t *r, ngx_uint_t rounds)
{
    ngx_uint_t  i, n;

    n = r->n - 1;
    rounds = ngx_min(rounds, n);

    if (rounds == 0) {
        return 0;
    }

    i = ngx_tscast_rate_at(n - rounds);
    n = ngx_tscast_rate_at(n);

    return (r->bytes[n] - r->bytes[i]) * 8 * 1000 / (r->time[n] - r->time[i]);
}


static void
ngx_tscast_vitals_health(ngx_tscast_publisher_t *pub, ngx_tscast_vitals_t *v)
{
    ngx_tscast_ts_health_t  *h;

    h = &pub->health;

    v->packets = h->packets;
    v->nulls = h->nulls;
    v->unlisted = h->unlisted;
    v->jitter = h->jitter;
    v->scrambled = pub->parser.scrambled;

    v->errors = h->errors;
    v->errors.crc = pub->parser.crc_errors;

    v->nprograms = h->nprograms;
    v->npids = h->npids;

    ngx_memcpy(v->programs, h->programs, sizeof(v->programs));
    ngx_memcpy(v->pids, h->pids, sizeof(v->pids));
}


/* NGX_OK, or NGX_AGAIN when the writer was too quick */

ngx_int_t
ngx_tscast_vitals_read(ngx_tscast_feed_t *feed, ngx_tscast_vitals_t *vitals)
{
    ngx_uint_t  tries, beat;

    for (tries = 0; tries < NGX_TSCAST_VITALS_TRIES; tries++) {

        beat = __atomic_load_n(&feed->beat, __ATOMIC_SEQ_CST);

        *vitals = feed->vitals[beat & 1];

        __atomic_thread_fence(__ATOMIC_SEQ_CST);

        if (__atomic_load_n(&feed->beat, __ATOMIC_SEQ_CST) == beat) {
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}
