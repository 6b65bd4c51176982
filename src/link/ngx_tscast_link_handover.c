
/*
 * Copyright (C) the tscast authors
 */


/*
 * How a pull goes from a worker that leaves to one of the new configuration,
 * with no byte lost and none twice.
 *
 *     owner                               heir
 *
 *     publishes what comes                connects, looks for a RAP,
 *                          <--- offer     says its PCR,
 *                                         keeps what comes from there on
 *     at the first RAP that is
 *     not before that PCR: ends
 *     the feed, releases the
 *     record               stop --->      becomes the owner,
 *                                         publishes from this very RAP on,
 *                                         as a feed that follows the other
 *
 * Both read the same packets, each from its own connection.  A RAP is known by
 * the packet at which the parser has found it.  If the owner is ahead, the heir
 * waits until the RAP comes; if the heir is, it has kept it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


/* bytes that an heir keeps, and RAPs in them */
#define NGX_TSCAST_HANDOVER_KEPT  (16 * 1024 * 1024)
#define NGX_TSCAST_HANDOVER_RAPS  32

/* ms for which the heir waits for the RAP at which the owner has stopped */
#define NGX_TSCAST_HANDOVER_WAIT  3000

/* PCR and offers have 42 bits, ISO/IEC 13818-1, 2.4.3.5 */
#define NGX_TSCAST_HANDOVER_OFFER  ((uint64_t) 1 << 63)
#define NGX_TSCAST_HANDOVER_TURN   ((uint64_t) 300 << 33)


typedef struct {
    uint64_t                 id;
    size_t                   offset;     /* in buf */
    ngx_tscast_ts_rap_t      rap;
} ngx_tscast_handover_rap_t;


struct ngx_tscast_link_handover_s {
    ngx_tscast_ts_sync_t     sync;
    ngx_tscast_ts_parser_t   parser;
    uint64_t                 offset;     /* of the next packet */
    ngx_uint_t               clock;      /* a PCR was seen */

    /* of the heir */

    u_char                  *buf;
    size_t                   len;
    size_t                   size;
    uint64_t                 start;      /* offset of buf[0] */
    ngx_uint_t               nraps;
    ngx_tscast_handover_rap_t  raps[NGX_TSCAST_HANDOVER_RAPS];

    uint64_t                 stop;       /* id of the RAP, 0: any */
    uint64_t                 last;       /* feed that ended there */
    ngx_msec_t               since;      /* of being the owner */
};


static ngx_tscast_link_handover_t *ngx_tscast_link_handover_get(
    ngx_tscast_link_t *link);
static uint64_t ngx_tscast_link_handover_id(u_char *packet);
static ngx_uint_t ngx_tscast_link_handover_reached(uint64_t pcr,
    uint64_t offer);
static ngx_int_t ngx_tscast_link_handover_write(ngx_tscast_link_t *link,
    u_char *p, size_t n);
static ngx_int_t ngx_tscast_link_handover_stop(ngx_tscast_link_t *link,
    uint64_t id);
static ngx_int_t ngx_tscast_link_handover_keep(
    ngx_tscast_link_handover_t *h, u_char *p, size_t n);
static void ngx_tscast_link_handover_mark(ngx_tscast_link_t *link,
    u_char *packet);
static void ngx_tscast_link_handover_forget(ngx_tscast_link_handover_t *h,
    ngx_uint_t n);
static ngx_int_t ngx_tscast_link_handover_publish(ngx_tscast_link_t *link);


static ngx_tscast_link_handover_t *
ngx_tscast_link_handover_get(ngx_tscast_link_t *link)
{
    ngx_tscast_link_handover_t  *h;

    if (link->handover) {
        return link->handover;
    }

    h = ngx_calloc(sizeof(ngx_tscast_link_handover_t), &link->log);
    if (h == NULL) {
        return NULL;
    }

    if (link->publishing) {
        /* from now on whole packets go to the publisher */

        h->sync = link->publisher.sync;
        h->parser = link->publisher.parser;
        h->offset = h->parser.packets * NGX_TSCAST_TS_PACKET;
        link->publisher.sync.len = 0;

    } else {
        ngx_tscast_ts_sync_init(&h->sync);
        ngx_tscast_ts_parser_init(&h->parser);
    }

    link->handover = h;

    return h;
}


static uint64_t
ngx_tscast_link_handover_id(u_char *packet)
{
    u_char    buf[NGX_TSCAST_TS_PACKET];
    uint64_t  id;

    ngx_memcpy(buf, packet, NGX_TSCAST_TS_PACKET);

    /* not the continuity_counter, which may be of this node's making */

    buf[3] &= 0xf0;

    id = ngx_crc32_long(buf, NGX_TSCAST_TS_PACKET);

    return id << 32 | ngx_murmur_hash2(buf, NGX_TSCAST_TS_PACKET);
}


/* is the PCR the offered one, or up to half a turn after it? */

static ngx_uint_t
ngx_tscast_link_handover_reached(uint64_t pcr, uint64_t offer)
{
    offer &= ~NGX_TSCAST_HANDOVER_OFFER;

    return (pcr + NGX_TSCAST_HANDOVER_TURN - offer) % NGX_TSCAST_HANDOVER_TURN
           < NGX_TSCAST_HANDOVER_TURN / 2;
}


ngx_int_t
ngx_tscast_link_handover_owner(ngx_tscast_link_t *link, u_char *p, size_t n)
{
    u_char                      *run, *packet, *last, *end, *start;
    uint64_t                     first, offer;
    ngx_uint_t                   packets, flags;
    ngx_tscast_link_handover_t  *h;

    h = ngx_tscast_link_handover_get(link);

    if (h == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return NGX_ERROR;
    }

    offer = __atomic_load_n(&link->record->offer, __ATOMIC_SEQ_CST);

    end = p + n;

    while ((packets = ngx_tscast_ts_sync(&h->sync, &p, end, &run)) != 0) {

        first = h->offset;
        last = run + packets * NGX_TSCAST_TS_PACKET;

        for (packet = run; packet < last; packet += NGX_TSCAST_TS_PACKET) {

            flags = ngx_tscast_ts_parse(&h->parser, packet, h->offset);
            h->offset += NGX_TSCAST_TS_PACKET;

            if (!(flags & NGX_TSCAST_TS_RAP) || h->parser.rap.offset < first
                || !offer
                || !ngx_tscast_link_handover_reached(h->parser.pcr, offer))
            {
                continue;
            }

            /* all of this RAP is still here */

            start = run + (h->parser.rap.offset - first);

            if (ngx_tscast_link_handover_write(link, run, start - run)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            return ngx_tscast_link_handover_stop(link,
                                          ngx_tscast_link_handover_id(packet));
        }

        if (ngx_tscast_link_handover_write(link, run, last - run) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_link_handover_write(ngx_tscast_link_t *link, u_char *p, size_t n)
{
    ngx_int_t  rc;

    rc = n ? ngx_tscast_publisher_write(&link->publisher, p, n) : NGX_OK;

    if (rc == NGX_TSCAST_OUSTED) {
        ngx_tscast_link_yield(link);

    } else if (rc != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "it cannot be published");
    }

    return rc;
}


static ngx_int_t
ngx_tscast_link_handover_stop(ngx_tscast_link_t *link, uint64_t id)
{
    ngx_tscast_record_t  *rec;

    rec = link->record;

    rec->last = ngx_tscast_publisher_feed(&link->publisher);
    rec->stop = id;

    link->publisher.leaves = 1;

    ngx_tscast_link_finish(link);

    return NGX_DONE;
}


ngx_int_t
ngx_tscast_link_handover_heir(ngx_tscast_link_t *link, u_char *p, size_t n)
{
    u_char                      *run, *last, *end;
    ngx_uint_t                   packets, flags;
    ngx_tscast_link_handover_t  *h;

    h = ngx_tscast_link_handover_get(link);

    if (h == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return NGX_ERROR;
    }

    end = p + n;

    while ((packets = ngx_tscast_ts_sync(&h->sync, &p, end, &run)) != 0) {

        for (last = run + packets * NGX_TSCAST_TS_PACKET;
             run < last;
             run += NGX_TSCAST_TS_PACKET)
        {
            if (ngx_tscast_link_handover_keep(h, run, NGX_TSCAST_TS_PACKET)
                != NGX_OK)
            {
                ngx_tscast_link_fail(link, 0, "no memory");
                return NGX_ERROR;
            }

            flags = ngx_tscast_ts_parse(&h->parser, run, h->offset);
            h->offset += NGX_TSCAST_TS_PACKET;

            if (flags & NGX_TSCAST_TS_TABLES) {
                /* what came before cannot be started at any more */
                h->nraps = 0;
            }

            if (flags & NGX_TSCAST_TS_TIME) {
                h->clock = 1;
            }

            if (flags & NGX_TSCAST_TS_RAP) {
                ngx_tscast_link_handover_mark(link, run);
            }
        }
    }

    return link->heir ? NGX_OK : ngx_tscast_link_handover_publish(link);
}


static ngx_int_t
ngx_tscast_link_handover_keep(ngx_tscast_link_handover_t *h, u_char *p,
    size_t n)
{
    u_char      *buf;
    size_t       size;
    ngx_uint_t   i;

    while (h->len + n > NGX_TSCAST_HANDOVER_KEPT) {
        i = h->nraps;

        if (i && h->raps[i - 1].offset) {
            /* from the newest RAP on it may fit */
            i--;
        }

        ngx_tscast_link_handover_forget(h, i);
    }

    if (h->len + n > h->size) {
        size = ngx_max(2 * h->size, 256 * 1024);

        buf = ngx_alloc(size, ngx_cycle->log);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(buf, h->buf, h->len);

        if (h->buf) {
            ngx_free(h->buf);
        }

        h->buf = buf;
        h->size = size;
    }

    ngx_memcpy(h->buf + h->len, p, n);
    h->len += n;

    return NGX_OK;
}


/* drops the first n RAPs and all that is before the next one */

static void
ngx_tscast_link_handover_forget(ngx_tscast_link_handover_t *h, ngx_uint_t n)
{
    size_t      size;
    ngx_uint_t  i;

    size = (n < h->nraps) ? h->raps[n].offset : h->len;

    ngx_memmove(h->buf, h->buf + size, h->len - size);

    h->len -= size;
    h->start += size;
    h->nraps -= ngx_min(n, h->nraps);

    for (i = 0; i < h->nraps; i++) {
        h->raps[i] = h->raps[i + n];
        h->raps[i].offset -= size;
    }
}


static void
ngx_tscast_link_handover_mark(ngx_tscast_link_t *link, u_char *packet)
{
    ngx_tscast_handover_rap_t   *rap;
    ngx_tscast_link_handover_t  *h;

    h = link->handover;

    if (!h->clock || h->parser.rap.offset < h->start) {
        return;
    }

    if (h->nraps == NGX_TSCAST_HANDOVER_RAPS) {
        ngx_tscast_link_handover_forget(h, 1);
    }

    rap = &h->raps[h->nraps++];

    rap->id = ngx_tscast_link_handover_id(packet);
    rap->offset = h->parser.rap.offset - h->start;
    rap->rap = h->parser.rap;

    if (link->heir && link->record->offer == 0) {
        __atomic_store_n(&link->record->offer,
                         h->parser.pcr | NGX_TSCAST_HANDOVER_OFFER,
                         __ATOMIC_SEQ_CST);
    }
}


ngx_int_t
ngx_tscast_link_handover_take(ngx_tscast_link_t *link)
{
    ngx_tscast_record_t         *rec;
    ngx_tscast_link_handover_t  *h;

    rec = link->record;
    h = link->handover;

    if (h == NULL) {
        rec->offer = 0;
        rec->stop = 0;
        return NGX_OK;
    }

    h->stop = rec->stop;
    h->since = ngx_current_msec;

    /* packets that are made here do not count on from those of another */

    h->last = (link->conf->scheme->flags & NGX_TSCAST_SCHEME_FLV) ? 0
                                                                  : rec->last;

    rec->offer = 0;
    rec->stop = 0;

    return ngx_tscast_link_handover_publish(link);
}


/* publishes as soon as the RAP is here */

static ngx_int_t
ngx_tscast_link_handover_publish(ngx_tscast_link_t *link)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_tscast_handover_rap_t   *rap;
    ngx_tscast_link_handover_t  *h;

    h = link->handover;

    for (i = 0; i < h->nraps && h->raps[i].id != h->stop; i++) { /* void */ }

    if (i == h->nraps) {

        if (h->nraps == 0
            || (h->stop && ngx_current_msec - h->since
                           < NGX_TSCAST_HANDOVER_WAIT))
        {
            return NGX_OK;
        }

        /* the former owner has died, or had another stream */

        i = h->nraps - 1;
        h->last = 0;

        ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                      "link goes on without what was before");
    }

    rc = ngx_tscast_link_pull_publish(link);

    if (rc != NGX_OK) {
        return rc;
    }

    rap = &h->raps[i];

    ngx_tscast_publisher_prime(&link->publisher, &h->parser.tables, &rap->rap,
                               h->last);

    link->record->bytes += h->len - rap->offset;

    rc = ngx_tscast_link_handover_write(link, h->buf + rap->offset,
                                        h->len - rap->offset);

    if (rc == NGX_OK) {
        rc = ngx_tscast_link_handover_write(link, h->sync.carry, h->sync.len);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    link->publisher.flv = link->flv;

    ngx_tscast_link_handover_free(link);
    ngx_tscast_link_pull_flush(link);

    return NGX_OK;
}


void
ngx_tscast_link_handover_free(ngx_tscast_link_t *link)
{
    ngx_tscast_link_handover_t  *h;

    h = link->handover;

    if (h == NULL) {
        return;
    }

    if (h->buf) {
        ngx_free(h->buf);
    }

    ngx_free(h);

    link->handover = NULL;
}
