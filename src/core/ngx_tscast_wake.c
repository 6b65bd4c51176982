
/*
 * Copyright (C) the tscast authors
 */


/*
 * How a publisher wakes the viewers of other workers, old and new.
 *
 *     publisher's worker                    viewer's worker
 *
 *     store head                            set the slot's interest bit
 *     barrier                               barrier
 *     load interest            <-->         load head
 *     dirty |= the stream's bit
 *     if xchg(pending, 1) was 0
 *         write the eventfd    --->         epoll returns
 *                                           xchg(pending, 0)
 *                                           barrier
 *                                           xchg(dirty, 0), walk the viewers
 *
 * Either the publisher sees the interest or the viewer sees the head.  A bit
 * that is set after the viewer's worker has taken the bitmap finds pending
 * at 0 and so writes the eventfd again.
 *
 * The eventfds are made once, by the master, before it has any worker; all
 * workers of all later configurations inherit them.  The slot s listens on
 * the descriptor s mod 64, edge-triggered: each write is an edge, and nobody
 * reads.  Two slots that share one wake each other in vain, no more.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <sys/eventfd.h>

#include "ngx_tscast_hub.h"


#define NGX_TSCAST_WAKES  64

/* ms between two looks where there are no eventfds */
#define NGX_TSCAST_POLL   10

/* ms; a timer that is not cancelable keeps a leaving worker alive */
#define NGX_TSCAST_HOLD   1000


static void ngx_tscast_wake_slot(ngx_tscast_zone_t *zone, ngx_uint_t n);
static void ngx_tscast_wake_handler(ngx_event_t *ev);
static void ngx_tscast_wake_zone(ngx_tscast_zone_t *zone);
static void ngx_tscast_wake_poll(ngx_event_t *ev);
static void ngx_tscast_hold_handler(ngx_event_t *ev);


static ngx_fd_t          ngx_tscast_wakes[NGX_TSCAST_WAKES];
static ngx_uint_t        ngx_tscast_wakes_open;

static ngx_uint_t        ngx_tscast_held;

static ngx_connection_t  ngx_tscast_wake_dumb;

static ngx_event_t  ngx_tscast_wake_event = {
    .data = &ngx_tscast_wake_dumb,
    .handler = ngx_tscast_wake_handler
};

static ngx_event_t  ngx_tscast_poll_event = {
    .data = &ngx_tscast_wake_dumb,
    .handler = ngx_tscast_wake_poll,
    .cancelable = 1
};

static ngx_event_t  ngx_tscast_hold_event = {
    .data = &ngx_tscast_wake_dumb,
    .handler = ngx_tscast_hold_handler
};


/* in the master; failure is not fatal, workers poll then */

void
ngx_tscast_wake_open(ngx_log_t *log)
{
    ngx_uint_t  i;

    if (ngx_tscast_wakes_open) {
        return;
    }

    for (i = 0; i < NGX_TSCAST_WAKES; i++) {

        ngx_tscast_wakes[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (ngx_tscast_wakes[i] != -1) {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "eventfd() failed, workers look for data every %d ms",
                      NGX_TSCAST_POLL);

        while (i--) {
            (void) close(ngx_tscast_wakes[i]);
        }

        return;
    }

    ngx_tscast_wakes_open = 1;
}


ngx_int_t
ngx_tscast_wake_listen(ngx_cycle_t *cycle)
{
    ngx_connection_t  *c;

    ngx_tscast_wake_event.log = cycle->log;
    ngx_tscast_poll_event.log = cycle->log;
    ngx_tscast_hold_event.log = cycle->log;

    ngx_tscast_wake_dumb.fd = (ngx_socket_t) -1;

    if (!ngx_tscast_wakes_open) {
        ngx_add_timer(&ngx_tscast_poll_event, NGX_TSCAST_POLL);
        return NGX_OK;
    }

    c = ngx_get_connection(ngx_tscast_wakes[ngx_process_slot
                                            % NGX_TSCAST_WAKES],
                           cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->log = cycle->log;
    c->idle = 1;

    c->read->handler = ngx_tscast_wake_handler;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    /* not an open socket that is left when the worker exits */

    c->read->channel = 1;
    c->write->channel = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) == NGX_ERROR) {
        ngx_free_connection(c);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* marks the stream in every interested slot and wakes the slots' workers */

void
ngx_tscast_wake(ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st)
{
    uint64_t            mask, one;
    ngx_uint_t          i, n, words;
    ngx_tscast_slot_t  *slot;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    one = 1;
    words = (__atomic_load_n(&zone->sh->nslots, __ATOMIC_SEQ_CST) + 63) / 64;

    for (i = 0; i < words; i++) {

        mask = __atomic_load_n(&st->interest.words[i], __ATOMIC_SEQ_CST);

        while (mask) {
            n = i * 64 + __builtin_ctzll(mask);
            mask &= mask - 1;

            slot = zone->sh->slots[n];

            __atomic_fetch_or(&slot->dirty[st->index / 64],
                              one << (st->index % 64), __ATOMIC_SEQ_CST);

            ngx_tscast_wake_slot(zone, n);
        }
    }
}


static void
ngx_tscast_wake_slot(ngx_tscast_zone_t *zone, ngx_uint_t n)
{
    uint64_t            one;
    ngx_tscast_slot_t  *slot;

    slot = zone->sh->slots[n];

    if (__atomic_exchange_n(&slot->pending, 1, __ATOMIC_SEQ_CST)) {
        return;
    }

    if (slot == zone->slot) {
        ngx_post_event(&ngx_tscast_wake_event, &ngx_posted_events);
        return;
    }

    if (ngx_tscast_wakes_open) {
        one = 1;
        (void) write(ngx_tscast_wakes[n % NGX_TSCAST_WAKES], &one,
                     sizeof(uint64_t));
    }
}


/* a link has lost its owner: somebody take it */

void
ngx_tscast_wake_links(ngx_tscast_zone_t *zone)
{
    ngx_uint_t          n, nslots;
    ngx_tscast_slot_t  *slot;

    nslots = __atomic_load_n(&zone->sh->nslots, __ATOMIC_SEQ_CST);

    for (n = 0; n < nslots; n++) {
        slot = zone->sh->slots[n];

        if (slot->pid == 0 || slot == zone->slot) {
            continue;
        }

        __atomic_store_n(&slot->links, 1, __ATOMIC_SEQ_CST);

        ngx_tscast_wake_slot(zone, n);
    }
}


/* all are to look, this worker too */

void
ngx_tscast_wake_rules(ngx_tscast_zone_t *zone)
{
    ngx_tscast_wake_links(zone);

    if (zone->slot) {
        __atomic_store_n(&zone->slot->links, 1, __ATOMIC_SEQ_CST);

        ngx_tscast_wake_slot(zone, ngx_process_slot);
    }
}


/* there are letters or an answer, or a publisher is to leave */

void
ngx_tscast_wake_mail(ngx_tscast_zone_t *zone, ngx_uint_t slot)
{
    __atomic_store_n(&zone->sh->slots[slot]->mail, 1, __ATOMIC_SEQ_CST);

    ngx_tscast_wake_slot(zone, slot);
}


static void
ngx_tscast_wake_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close) {
        /* nginx closes idle connections, which is how a worker learns of
           its leaving; ours stays */
        c->close = 0;
        c->idle = 0;

        ngx_tscast_observe_leave();
        return;
    }

    ngx_tscast_wake_look();
}


/*
 * Once a second too: a publisher that dies or stops between setting pending
 * and writing the eventfd would leave us asleep.
 */

void
ngx_tscast_wake_look(void)
{
    ngx_uint_t           i, links;
    ngx_tscast_conf_t   *tcf;
    ngx_tscast_zone_t  **zones;

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                             ngx_tscast_module);
    zones = tcf->zones.elts;
    links = 0;

    for (i = 0; i < tcf->zones.nelts; i++) {

        if (zones[i]->slot
            && __atomic_exchange_n(&zones[i]->slot->pending, 0,
                                   __ATOMIC_SEQ_CST))
        {
            links |= __atomic_exchange_n(&zones[i]->slot->links, 0,
                                         __ATOMIC_SEQ_CST);

            if (__atomic_exchange_n(&zones[i]->slot->mail, 0,
                                    __ATOMIC_SEQ_CST))
            {
                ngx_tscast_publisher_look(zones[i]);
                ngx_tscast_mail_read(zones[i]);
            }

            ngx_tscast_wake_zone(zones[i]);
        }
    }

    if (links) {
        ngx_tscast_observe_links();
    }
}


static void
ngx_tscast_wake_zone(ngx_tscast_zone_t *zone)
{
    uint64_t             word;
    ngx_uint_t           i, n, words;
    ngx_tscast_watch_t  *w;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    words = (zone->sh->nstreams + 63) / 64;

    for (i = 0; i < words; i++) {

        if (__atomic_load_n(&zone->slot->dirty[i], __ATOMIC_SEQ_CST) == 0) {
            continue;
        }

        word = __atomic_exchange_n(&zone->slot->dirty[i], 0,
                                   __ATOMIC_SEQ_CST);

        while (word) {
            n = i * 64 + __builtin_ctzll(word);
            word &= word - 1;

            w = zone->watches[n];

            if (w) {
                ngx_tscast_watch_wake(w);
            }
        }
    }
}


static void
ngx_tscast_wake_poll(ngx_event_t *ev)
{
    ngx_tscast_wake_look();

    ngx_add_timer(ev, NGX_TSCAST_POLL);
}


/*
 * Graceful shutdown waits for timers and for nothing else, so one of them
 * runs while the worker has a publisher or a viewer.
 */

void
ngx_tscast_hold(void)
{
    if (ngx_tscast_held++ == 0) {
        ngx_add_timer(&ngx_tscast_hold_event, NGX_TSCAST_HOLD);
    }
}


void
ngx_tscast_release(void)
{
    if (--ngx_tscast_held == 0 && ngx_tscast_hold_event.timer_set) {
        ngx_del_timer(&ngx_tscast_hold_event);
    }
}


static void
ngx_tscast_hold_handler(ngx_event_t *ev)
{
    if (ngx_tscast_held) {
        ngx_add_timer(ev, NGX_TSCAST_HOLD);
    }
}
