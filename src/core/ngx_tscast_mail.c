
/*
 * Copyright (C) the tscast authors
 */


/*
 * Viewers live in the memory of their workers, so that who wants to know or
 * to end them asks these.  Each slot has a mailbox in the zone:
 *
 *     who asks                            a worker with such viewers
 *
 *     an answer, and a letter
 *     to each slot           --- wake --->
 *                                         acts, appends pages to the answer,
 *                                         removes the letter: one less open
 *                            <--- wake --- the last one
 *     reads the pages, frees the answer
 *
 * All of it is under the zone's mutex, but for the making of a page.  A letter
 * stays in its mailbox until it is answered: who sweeps the slot of a dead
 * worker answers for it.  When the time is over, an answer is closed: nothing
 * is appended any more, and letters still act.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* ms for which an answer is waited for: a slot is swept within two seconds */
#define NGX_TSCAST_MAIL_WAIT     3000

#define NGX_TSCAST_MAIL_VIEWERS  32     /* in a page */
#define NGX_TSCAST_MAIL_PAGES    32     /* of a letter; the rest is counted */


typedef struct {
    ngx_queue_t                  queue;     /* in slot->letters */
    ngx_tscast_answer_t         *answer;
    ngx_uint_t                   stream;    /* its index */
    ngx_uint_t                   drop;
    uint64_t                     first;     /* ids of viewers */
    uint64_t                     last;
} ngx_tscast_letter_t;


struct ngx_tscast_page_s {
    ngx_queue_t                  queue;     /* in answer->pages */
    ngx_uint_t                   n;
    ngx_tscast_report_viewer_t   viewers[NGX_TSCAST_MAIL_VIEWERS];
};


struct ngx_tscast_answer_s {
    ngx_queue_t                  queue;     /* in sh->answers */
    ngx_queue_t                  pages;
    ngx_uint_t                   slot;      /* of who asks */
    ngx_uint_t                   open;      /* letters */
    ngx_uint_t                   viewers;
    ngx_uint_t                   closed;
    ngx_uint_t                   left;      /* nobody wants it any more */
};


static ngx_int_t ngx_tscast_mail_send_locked(ngx_tscast_question_t *q,
    ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st, uint64_t last);
static void ngx_tscast_mail_read_letter(ngx_tscast_zone_t *zone,
    ngx_tscast_letter_t *letter);
static ngx_uint_t ngx_tscast_mail_meant(ngx_tscast_letter_t *letter,
    ngx_tscast_viewer_t *v);
static void ngx_tscast_mail_write(ngx_tscast_zone_t *zone,
    ngx_tscast_letter_t *letter, ngx_tscast_page_t **page, ngx_uint_t n,
    ngx_tscast_viewer_t *v);
static void ngx_tscast_mail_put(ngx_tscast_zone_t *zone,
    ngx_tscast_answer_t *answer, ngx_tscast_page_t *page);
static void ngx_tscast_mail_answer_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_letter_t *letter, ngx_uint_t viewers);
static void ngx_tscast_mail_free_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_answer_t *answer);
static void ngx_tscast_mail_done(ngx_tscast_question_t *q);
static void ngx_tscast_mail_timer_handler(ngx_event_t *ev);


ngx_int_t
ngx_tscast_mail_ask(ngx_tscast_question_t *q, ngx_tscast_zone_t *zone,
    ngx_str_t *name)
{
    ngx_int_t             rc;
    ngx_tscast_stream_t  *st;
    ngx_tscast_answer_t  *answer;

    if (zone->slot == NULL) {
        return NGX_ERROR;
    }

    answer = NULL;
    rc = NGX_TSCAST_NOT_FOUND;

    ngx_shmtx_lock(&zone->shpool->mutex);

    st = ngx_tscast_stream_find_locked(zone, name);

    if (st) {
        answer = ngx_slab_calloc_locked(zone->shpool,
                                        sizeof(ngx_tscast_answer_t));
        rc = NGX_ERROR;
    }

    if (answer) {
        answer->slot = ngx_process_slot;

        ngx_queue_init(&answer->pages);
        ngx_queue_insert_tail(&zone->sh->answers, &answer->queue);

        q->answer = answer;

        rc = ngx_tscast_mail_send_locked(q, zone, st, zone->sh->serial);

        if (rc == NGX_OK && st->flv) {
            rc = ngx_tscast_mail_send_locked(q, zone, st->flv,
                                             zone->sh->serial);
        }

        if (answer->open == 0) {
            ngx_tscast_wake_mail(zone, ngx_process_slot);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    q->zone = zone;

    if (rc != NGX_OK) {
        ngx_tscast_mail_close(q);
        return rc;
    }

    q->timer.handler = ngx_tscast_mail_timer_handler;
    q->timer.data = q;
    q->timer.log = q->log;

    ngx_add_timer(&q->timer, NGX_TSCAST_MAIL_WAIT);

    ngx_queue_insert_tail(&zone->questions, &q->queue);

    return NGX_OK;
}


/* to each worker that watches the stream, of viewers that are there by now */

static ngx_int_t
ngx_tscast_mail_send_locked(ngx_tscast_question_t *q, ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st, uint64_t last)
{
    ngx_uint_t            n;
    ngx_tscast_slot_t    *slot;
    ngx_tscast_letter_t  *letter;

    for (n = 0; n < zone->sh->nslots; n++) {
        slot = zone->sh->slots[n];

        if (slot->pid == 0 || !ngx_tscast_mask_has(&st->interest, n)) {
            continue;
        }

        letter = ngx_slab_alloc_locked(zone->shpool,
                                       sizeof(ngx_tscast_letter_t));
        if (letter == NULL) {
            return NGX_ERROR;
        }

        letter->answer = q->answer;
        letter->stream = st->index;
        letter->drop = q->drop;
        letter->first = q->viewer ? q->viewer : 1;
        letter->last = q->viewer ? q->viewer : last;

        ngx_queue_insert_tail(&slot->letters, &letter->queue);
        q->answer->open++;

        ngx_tscast_wake_mail(zone, n);
    }

    return NGX_OK;
}


/* there may be letters, answers, and publishers that are to leave */

void
ngx_tscast_mail_read(ngx_tscast_zone_t *zone)
{
    ngx_queue_t            *q, *letters;
    ngx_tscast_question_t  *question;

    letters = &zone->slot->letters;

    for ( ;; ) {
        ngx_shmtx_lock(&zone->shpool->mutex);
        q = ngx_queue_empty(letters) ? NULL : ngx_queue_head(letters);
        ngx_shmtx_unlock(&zone->shpool->mutex);

        if (q == NULL) {
            break;
        }

        ngx_tscast_mail_read_letter(zone, ngx_queue_data(q,
                                                         ngx_tscast_letter_t,
                                                         queue));
    }

    q = ngx_queue_head(&zone->questions);

    while (q != ngx_queue_sentinel(&zone->questions)) {

        question = ngx_queue_data(q, ngx_tscast_question_t, queue);
        q = ngx_queue_next(q);

        if (question->answer->open == 0) {
            ngx_tscast_mail_done(question);

            /* its handler may have ended others */

            q = ngx_queue_head(&zone->questions);
        }
    }
}


static void
ngx_tscast_mail_read_letter(ngx_tscast_zone_t *zone,
    ngx_tscast_letter_t *letter)
{
    ngx_uint_t            n, drop;
    ngx_queue_t          *q, *qv;
    ngx_tscast_page_t    *page;
    ngx_tscast_group_t   *g;
    ngx_tscast_watch_t   *w;
    ngx_tscast_viewer_t  *v;

    n = 0;
    page = NULL;
    drop = letter->drop;
    w = zone->watches[letter->stream];

    for (q = w ? ngx_queue_head(&w->groups) : NULL;
         q && q != ngx_queue_sentinel(&w->groups);
         q = ngx_queue_next(q))
    {
        g = ngx_queue_data(q, ngx_tscast_group_t, queue);

        for (qv = ngx_queue_head(&g->viewers);
             qv != ngx_queue_sentinel(&g->viewers);
             qv = ngx_queue_next(qv))
        {
            v = ngx_queue_data(qv, ngx_tscast_viewer_t, queue);

            if (!ngx_tscast_mail_meant(letter, v)) {
                continue;
            }

            if (drop) {
                /* a walk does it, in batches */
                v->dropped = 1;

            } else {
                ngx_tscast_mail_write(zone, letter, &page, n, v);
            }

            n++;
        }
    }

    if (page) {
        ngx_tscast_mail_put(zone, letter->answer, page);
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    ngx_tscast_mail_answer_locked(zone, letter, n);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (n && drop) {
        ngx_tscast_watch_wake(w);
    }
}


static ngx_uint_t
ngx_tscast_mail_meant(ngx_tscast_letter_t *letter, ngx_tscast_viewer_t *v)
{
    return v->door != NGX_TSCAST_DOOR_LINK && !v->ending && !v->dropped
           && v->id >= letter->first && v->id <= letter->last;
}


/* the n-th viewer of a letter; what finds no room is counted only */

static void
ngx_tscast_mail_write(ngx_tscast_zone_t *zone, ngx_tscast_letter_t *letter,
    ngx_tscast_page_t **page, ngx_uint_t n, ngx_tscast_viewer_t *v)
{
    ngx_str_t                   *addr;
    ngx_tscast_page_t           *p;
    ngx_tscast_report_viewer_t  *report;

    if (n / NGX_TSCAST_MAIL_VIEWERS >= NGX_TSCAST_MAIL_PAGES) {
        return;
    }

    p = *page;

    if (p && p->n == NGX_TSCAST_MAIL_VIEWERS) {
        ngx_tscast_mail_put(zone, letter->answer, p);
        p = NULL;
    }

    if (p == NULL) {
        p = ngx_slab_alloc(zone->shpool, sizeof(ngx_tscast_page_t));
        *page = p;

        if (p == NULL) {
            return;
        }

        p->n = 0;
    }

    report = &p->viewers[p->n++];
    addr = &v->connection->addr_text;

    report->id = v->id;
    report->slot = ngx_process_slot;
    report->door = v->door;
    report->since = v->since;
    report->sent = v->sent;
    report->skips = v->skipped;
    report->addr_len = ngx_min(addr->len, NGX_TSCAST_MAIL_ADDR);

    ngx_memcpy(report->addr, addr->data, report->addr_len);
}


static void
ngx_tscast_mail_put(ngx_tscast_zone_t *zone, ngx_tscast_answer_t *answer,
    ngx_tscast_page_t *page)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (answer->closed) {
        ngx_slab_free_locked(zone->shpool, page);

    } else {
        ngx_queue_insert_tail(&answer->pages, &page->queue);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


static void
ngx_tscast_mail_answer_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_letter_t *letter, ngx_uint_t viewers)
{
    ngx_tscast_answer_t  *answer;

    answer = letter->answer;

    ngx_queue_remove(&letter->queue);
    ngx_slab_free_locked(zone->shpool, letter);

    answer->viewers += viewers;
    answer->open--;

    if (answer->open) {
        return;
    }

    if (answer->left) {
        ngx_tscast_mail_free_locked(zone, answer);
        return;
    }

    ngx_tscast_wake_mail(zone, answer->slot);
}


static void
ngx_tscast_mail_free_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_answer_t *answer)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&answer->pages)) {
        q = ngx_queue_head(&answer->pages);
        ngx_queue_remove(q);

        ngx_slab_free_locked(zone->shpool,
                             ngx_queue_data(q, ngx_tscast_page_t, queue));
    }

    ngx_queue_remove(&answer->queue);
    ngx_slab_free_locked(zone->shpool, answer);
}


/* of a dead worker: its letters are answered, its answers nobody's */

void
ngx_tscast_mail_clear_locked(ngx_tscast_zone_t *zone, ngx_uint_t slot)
{
    ngx_queue_t          *q, *next, *letters;
    ngx_tscast_answer_t  *answer;

    letters = &zone->sh->slots[slot]->letters;

    while (!ngx_queue_empty(letters)) {
        q = ngx_queue_head(letters);

        ngx_tscast_mail_answer_locked(zone, ngx_queue_data(q,
                                                           ngx_tscast_letter_t,
                                                           queue), 0);
    }

    for (q = ngx_queue_head(&zone->sh->answers);
         q != ngx_queue_sentinel(&zone->sh->answers);
         q = next)
    {
        next = ngx_queue_next(q);
        answer = ngx_queue_data(q, ngx_tscast_answer_t, queue);

        if (answer->slot != slot) {
            continue;
        }

        answer->closed = 1;
        answer->left = 1;

        if (answer->open == 0) {
            ngx_tscast_mail_free_locked(zone, answer);
        }
    }
}


static void
ngx_tscast_mail_done(ngx_tscast_question_t *q)
{
    if (q->timer.timer_set) {
        ngx_del_timer(&q->timer);
    }

    ngx_queue_remove(&q->queue);
    q->queue.next = NULL;

    ngx_shmtx_lock(&q->zone->shpool->mutex);

    q->answer->closed = 1;
    q->viewers = q->answer->viewers;
    q->missing = q->answer->open;

    ngx_shmtx_unlock(&q->zone->shpool->mutex);

    q->handler(q);
}


static void
ngx_tscast_mail_timer_handler(ngx_event_t *ev)
{
    ngx_tscast_mail_done(ev->data);
}


ngx_tscast_report_viewer_t *
ngx_tscast_mail_next(ngx_tscast_question_t *q)
{
    ngx_queue_t  *next, *pages;

    if (q->answer == NULL) {
        return NULL;
    }

    pages = &q->answer->pages;

    if (q->page == NULL || q->read == q->page->n) {

        next = q->page ? ngx_queue_next(&q->page->queue)
                       : ngx_queue_head(pages);

        if (next == ngx_queue_sentinel(pages)) {
            return NULL;
        }

        q->page = ngx_queue_data(next, ngx_tscast_page_t, queue);
        q->read = 0;
    }

    return &q->page->viewers[q->read++];
}


void
ngx_tscast_mail_close(ngx_tscast_question_t *q)
{
    ngx_tscast_answer_t  *answer;

    answer = q->answer;

    if (answer == NULL) {
        return;
    }

    if (q->timer.timer_set) {
        ngx_del_timer(&q->timer);
    }

    if (q->queue.next) {
        ngx_queue_remove(&q->queue);
        q->queue.next = NULL;
    }

    ngx_shmtx_lock(&q->zone->shpool->mutex);

    answer->closed = 1;
    answer->left = 1;

    if (answer->open == 0) {
        ngx_tscast_mail_free_locked(q->zone, answer);
    }

    ngx_shmtx_unlock(&q->zone->shpool->mutex);

    q->answer = NULL;
}
