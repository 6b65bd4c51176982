
/*
 * Copyright (C) the tscast authors
 */


/*
 * Records of links.  A link is run by one worker at a time, and its record
 * says by which: the owner.  A worker of a newer configuration may be the heir
 * meanwhile, who makes ready to take over.  A record without an owner is kept
 * for a while, with what the next owner goes on from.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* ms for which a record without an owner is kept */
#define NGX_TSCAST_RECORD_KEPT  10000


static ngx_tscast_record_t *ngx_tscast_record_add_locked(
    ngx_tscast_zone_t *zone, ngx_str_t *text, uint32_t hash);
static ngx_int_t ngx_tscast_record_take_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_record_t *rec, ngx_uint_t inherit);
static void ngx_tscast_record_free_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_record_t *rec);


ngx_int_t
ngx_tscast_record_claim(ngx_tscast_zone_t *zone, ngx_str_t *text,
    ngx_uint_t inherit, ngx_tscast_record_t **result)
{
    uint32_t              hash;
    ngx_int_t             rc;
    ngx_tscast_record_t  *rec;

    if (zone->slot == NULL) {
        return NGX_DECLINED;
    }

    hash = ngx_crc32_long(text->data, text->len);
    rc = NGX_ERROR;

    ngx_shmtx_lock(&zone->shpool->mutex);

    rec = (ngx_tscast_record_t *)
              ngx_str_rbtree_lookup(&zone->sh->records, text, hash);

    if (rec == NULL) {
        rec = ngx_tscast_record_add_locked(zone, text, hash);
    }

    if (rec) {
        rc = ngx_tscast_record_take_locked(zone, rec, inherit);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    *result = rec;

    return rc;
}


static ngx_tscast_record_t *
ngx_tscast_record_add_locked(ngx_tscast_zone_t *zone, ngx_str_t *text,
    uint32_t hash)
{
    ngx_tscast_record_t  *rec;

    rec = ngx_slab_calloc_locked(zone->shpool,
                                 sizeof(ngx_tscast_record_t) + text->len);
    if (rec == NULL) {
        return NULL;
    }

    ngx_memcpy(rec->text, text->data, text->len);

    rec->sn.str.len = text->len;
    rec->sn.str.data = rec->text;
    rec->sn.node.key = hash;

    ngx_rbtree_insert(&zone->sh->records, &rec->sn.node);
    ngx_queue_insert_tail(&zone->sh->record_queue, &rec->queue);

    return rec;
}


static ngx_int_t
ngx_tscast_record_take_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_record_t *rec, ngx_uint_t inherit)
{
    ngx_uint_t  self;

    self = ngx_process_slot + 1;

    /* this worker's heir succeeds by itself, and no second link with it */

    if (rec->owner == 0
        && (rec->heir == 0 || (rec->heir == self && !inherit)))
    {
        rec->owner = self;
        rec->heir = 0;

        return NGX_OK;
    }

    if (inherit && rec->owner && rec->owner != self && rec->heir == 0
        && (ngx_int_t) (ngx_tscast_generation
                        - zone->sh->slots[rec->owner - 1]->generation) > 0)
    {
        rec->heir = self;

        return NGX_AGAIN;
    }

    return NGX_DECLINED;
}


void
ngx_tscast_record_release(ngx_tscast_zone_t *zone, ngx_tscast_record_t *rec)
{
    ngx_uint_t  self;

    self = ngx_process_slot + 1;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (rec->owner == self) {
        rec->owner = 0;
        rec->state = NGX_TSCAST_LINK_IDLE;
        rec->released = ngx_current_msec;
    }

    if (rec->heir == self) {
        rec->heir = 0;
        rec->released = ngx_current_msec;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_tscast_wake_links(zone);
}


/* what a dead worker ran is free for others */

void
ngx_tscast_record_clear_locked(ngx_tscast_zone_t *zone, ngx_uint_t slot)
{
    ngx_queue_t          *q;
    ngx_tscast_record_t  *rec;

    for (q = ngx_queue_head(&zone->sh->record_queue);
         q != ngx_queue_sentinel(&zone->sh->record_queue);
         q = ngx_queue_next(q))
    {
        rec = ngx_queue_data(q, ngx_tscast_record_t, queue);

        if (rec->owner == slot + 1) {
            if (rec->told) {
                zone->sh->norphans += (rec->orphan == 0);
                rec->orphan = slot + 1;
                rec->told = 0;
            }

            rec->owner = 0;
            rec->state = NGX_TSCAST_LINK_IDLE;
            rec->released = ngx_current_msec;

            /* the cursor of a worker that was killed is nowhere */
            rec->place.feed = 0;
        }

        if (rec->heir == slot + 1) {
            rec->heir = 0;
            rec->offer = 0;
            rec->released = ngx_current_msec;
        }
    }
}


void
ngx_tscast_record_sweep(ngx_tscast_zone_t *zone)
{
    ngx_queue_t          *q, *next;
    ngx_tscast_record_t  *rec;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&zone->sh->record_queue);
         q != ngx_queue_sentinel(&zone->sh->record_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        rec = ngx_queue_data(q, ngx_tscast_record_t, queue);

        if (rec->owner || rec->heir || rec->orphan
            || ngx_tscast_since(rec->released) < NGX_TSCAST_RECORD_KEPT)
        {
            continue;
        }

        ngx_tscast_record_free_locked(zone, rec);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_int_t
ngx_tscast_record_orphan(ngx_tscast_zone_t *zone,
    ngx_tscast_report_link_t *report)
{
    ngx_int_t             rc;
    ngx_queue_t          *q;
    ngx_tscast_record_t  *rec;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&zone->sh->record_queue);
         q != ngx_queue_sentinel(&zone->sh->record_queue);
         q = ngx_queue_next(q))
    {
        rec = ngx_queue_data(q, ngx_tscast_record_t, queue);

        if (rec->orphan) {
            ngx_tscast_report_link(rec, report);
            report->slot = rec->orphan - 1;

            rec->orphan = 0;
            zone->sh->norphans--;

            rc = NGX_OK;
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


void
ngx_tscast_record_forget(ngx_tscast_zone_t *zone, uint64_t rule)
{
    ngx_queue_t          *q, *next;
    ngx_tscast_record_t  *rec;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&zone->sh->record_queue);
         q != ngx_queue_sentinel(&zone->sh->record_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        rec = ngx_queue_data(q, ngx_tscast_record_t, queue);

        if (rec->rule == rule && !rec->owner && !rec->heir && !rec->orphan) {
            ngx_tscast_record_free_locked(zone, rec);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


static void
ngx_tscast_record_free_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_record_t *rec)
{
    ngx_rbtree_delete(&zone->sh->records, &rec->sn.node);
    ngx_queue_remove(&rec->queue);

    ngx_slab_free_locked(zone->shpool, rec);
}
