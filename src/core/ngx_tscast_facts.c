
/*
 * Copyright (C) the tscast authors
 */


/*
 * Where a viewer can start in a feed: PAT, PMTs and the index of RAPs.
 *
 * They are kept twice.  The feed's writer changes the copy that is not in
 * force and then steps version, which brings it into force:
 *
 *     version      facts[0]      facts[1]
 *        6         in force      the writer's
 *        7         the writer's  in force
 *
 * A reader copies from facts[version & 1] and is right if version has not
 * moved meanwhile.  A writer that stops or dies leaves a copy in force.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_hub.h"


/* a reader that is overtaken more often comes back later */
#define NGX_TSCAST_FACTS_TRIES  16

/* RAPs of a window that the index holds, so that it spans the window */
#define NGX_TSCAST_SPREAD       (NGX_TSCAST_RAPS * 3 / 4)


void
ngx_tscast_facts_write(ngx_tscast_feed_t *feed,
    ngx_tscast_ts_tables_t *tables, ngx_tscast_ts_rap_t *rap,
    ngx_uint_t replace)
{
    ngx_uint_t           version;
    ngx_tscast_facts_t  *f;

    version = feed->version;

    f = &feed->facts[(version + 1) & 1];
    *f = feed->facts[version & 1];

    if (tables) {
        f->tables = *tables;
        f->nraps = 0;
    }

    if (rap) {
        if (!replace || f->nraps == 0) {
            f->nraps++;
        }

        f->raps[(f->nraps - 1) % NGX_TSCAST_RAPS] = *rap;
    }

    __atomic_store_n(&feed->version, version + 1, __ATOMIC_SEQ_CST);

    /* before the next call writes to the copy that was in force */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


/*
 * Finds the newest RAP, or else the first one, at or after offset from.
 * Returns NGX_OK with the RAP and the tables, NGX_DECLINED when there is
 * none, NGX_AGAIN when the writer was too quick.
 */

ngx_int_t
ngx_tscast_facts_find(ngx_tscast_feed_t *feed, uint64_t from,
    ngx_uint_t newest, ngx_tscast_ts_tables_t *tables,
    ngx_tscast_ts_rap_t *rap)
{
    ngx_int_t             rc;
    ngx_uint_t            i, n, tries, version;
    ngx_tscast_facts_t   *f;
    ngx_tscast_ts_rap_t  *r;

    for (tries = 0; tries < NGX_TSCAST_FACTS_TRIES; tries++) {

        version = __atomic_load_n(&feed->version, __ATOMIC_SEQ_CST);

        f = &feed->facts[version & 1];
        rc = NGX_DECLINED;

        n = ngx_min(f->nraps, NGX_TSCAST_RAPS);

        for (i = 1; i <= n; i++) {
            r = &f->raps[(f->nraps - i) % NGX_TSCAST_RAPS];

            if (r->offset < from) {
                break;
            }

            *rap = *r;
            rc = NGX_OK;

            if (newest) {
                break;
            }
        }

        *tables = f->tables;

        __atomic_thread_fence(__ATOMIC_SEQ_CST);

        if (__atomic_load_n(&feed->version, __ATOMIC_SEQ_CST) == version) {
            return rc;
        }
    }

    return NGX_AGAIN;
}


/* for the feed's writer: offset of the newest RAP, or (uint64_t) -1 */

uint64_t
ngx_tscast_facts_newest(ngx_tscast_feed_t *feed)
{
    ngx_tscast_facts_t  *f;

    f = &feed->facts[feed->version & 1];

    if (f->nraps == 0) {
        return (uint64_t) -1;
    }

    return f->raps[(f->nraps - 1) % NGX_TSCAST_RAPS].offset;
}


/*
 * RAPs that follow each other closely replace each other in the index, so
 * that it spans the window and the buffer; the newest is always there.
 */

void
ngx_tscast_facts_index(ngx_tscast_zone_t *zone, ngx_tscast_feed_t *feed,
    ngx_tscast_index_t *index, ngx_tscast_ts_rap_t *rap)
{
    ngx_uint_t  replace;

    replace = (index->n > 1
               && ngx_current_msec - index->time[1]
                  < zone->window / NGX_TSCAST_SPREAD
               && rap->offset - index->offset[1]
                  < zone->buffer / NGX_TSCAST_SPREAD);

    if (!replace) {
        index->n++;
        index->time[1] = index->time[0];
        index->offset[1] = index->offset[0];
    }

    index->time[0] = ngx_current_msec;
    index->offset[0] = rap->offset;

    ngx_tscast_facts_write(feed, NULL, rap, replace);
}


/* is the continuity of all PIDs known, so that none jumps unannounced? */

ngx_uint_t
ngx_tscast_facts_complete(ngx_tscast_ts_tables_t *t, ngx_tscast_ts_rap_t *rap)
{
    ngx_uint_t  i;

    for (i = 0; i < t->npids; i++) {
        if (rap->cc[i] == NGX_TSCAST_TS_NO_CC) {
            return 0;
        }
    }

    return 1;
}
