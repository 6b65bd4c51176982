
/*
 * Copyright (C) the tscast authors
 */


/*
 * Events on their way to the server of the directive notify.  Each worker has
 * a queue of its own and one request at a time:
 *
 *     event --> waiting ... --> batch --> request --> taken, or refused: freed
 *                  |              ^          |
 *                  | full         +- pause --+ no answer
 *                  v
 *               dropped, the oldest
 *
 * An event has its serial number when it happens, whatever becomes of it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hook.h"
#include "ngx_tscast_event.h"


/* events in a request */
#define NGX_TSCAST_NOTIFY_BATCH  64


/* the counters of all workers; waiting and pids are each slot's own */

typedef struct {
    uint64_t                   serial;     /* atomic */
    uint64_t                   sent;       /* atomic */
    uint64_t                   dropped;    /* atomic */
    uint64_t                   failures;   /* atomic */
    uint64_t                   waiting[NGX_MAX_PROCESSES];   /* atomic */
    ngx_pid_t                  pids[NGX_MAX_PROCESSES];
} ngx_tscast_notify_sh_t;


typedef struct {
    ngx_queue_t                queue;
    size_t                     len;
    u_char                     data[1];    /* JSON */
} ngx_tscast_notify_item_t;


typedef struct {
    ngx_tscast_notify_conf_t  *conf;
    ngx_tscast_notify_sh_t    *sh;

    ngx_queue_t                waiting;
    ngx_uint_t                 nwaiting;
    ngx_queue_t                batch;
    ngx_uint_t                 nbatch;
    size_t                     size;       /* bytes of the batch */

    ngx_tscast_call_t         *call;       /* NULL: none is on its way */
    ngx_event_t                begin;
    ngx_event_t                timer;      /* to the next try */
    ngx_uint_t                 tries;

    unsigned                   failing:1;  /* that was logged */
    unsigned                   full:1;     /* so was that */
} ngx_tscast_notify_t;


static void ngx_tscast_notify_event(ngx_tscast_event_t *event);
static void ngx_tscast_notify_add(ngx_tscast_notify_t *n, u_char *p,
    size_t len);
static void ngx_tscast_notify_begin(ngx_event_t *ev);
static void ngx_tscast_notify_gather(ngx_tscast_notify_t *n);
static ngx_int_t ngx_tscast_notify_call(ngx_tscast_notify_t *n);
static void ngx_tscast_notify_done(ngx_tscast_call_t *call);
static void ngx_tscast_notify_failed(ngx_tscast_notify_t *n);
static void ngx_tscast_notify_next(ngx_tscast_notify_t *n);
static void ngx_tscast_notify_free(ngx_queue_t *queue);
static void ngx_tscast_notify_give_up(ngx_tscast_notify_t *n,
    ngx_log_t *log);
static void ngx_tscast_notify_drop(ngx_tscast_notify_t *n, ngx_uint_t events);
static void ngx_tscast_notify_count(ngx_tscast_notify_t *n);
static void ngx_tscast_notify_leave(void);
static void ngx_tscast_notify_round(void);


static ngx_tscast_observer_t  ngx_tscast_notify_observer = {
    ngx_tscast_notify_round,
    NULL,
    ngx_tscast_notify_leave,
    NULL,
    NULL,
    NULL,
    ngx_tscast_notify_event,
    NULL,
    NULL
};


static ngx_tscast_notify_t  ngx_tscast_notify;
static ngx_connection_t     ngx_tscast_notify_dumb;


ngx_int_t
ngx_tscast_notify_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    if (data) {
        shm_zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    shpool->data = ngx_slab_calloc(shpool, sizeof(ngx_tscast_notify_sh_t));
    if (shpool->data == NULL) {
        return NGX_ERROR;
    }

    shm_zone->data = shpool->data;

    return NGX_OK;
}


void
ngx_tscast_notify_init(ngx_cycle_t *cycle, ngx_tscast_hook_conf_t *hcf)
{
    ngx_tscast_notify_t  *n;

    n = &ngx_tscast_notify;

    n->conf = hcf->notify;
    n->sh = hcf->shm_zone->data;

    ngx_queue_init(&n->waiting);
    ngx_queue_init(&n->batch);

    ngx_tscast_notify_dumb.fd = (ngx_socket_t) -1;

    n->begin.handler = ngx_tscast_notify_begin;
    n->begin.data = &ngx_tscast_notify_dumb;
    n->begin.log = cycle->log;

    n->timer.handler = ngx_tscast_notify_begin;
    n->timer.data = &ngx_tscast_notify_dumb;
    n->timer.log = cycle->log;

    /* what was waiting in a worker that was killed */

    ngx_tscast_notify_drop(n, __atomic_exchange_n(
                                  &n->sh->waiting[ngx_process_slot], 0,
                                  __ATOMIC_SEQ_CST));

    n->sh->pids[ngx_process_slot] = ngx_pid;

    ngx_tscast_observe(&ngx_tscast_notify_observer);
}


void
ngx_tscast_notify_exit(void)
{
    if (ngx_tscast_notify.conf) {
        ngx_tscast_notify_give_up(&ngx_tscast_notify, ngx_cycle->log);
    }
}


static void
ngx_tscast_notify_event(ngx_tscast_event_t *event)
{
    size_t                len;
    u_char               *text;
    uint64_t              serial;
    ngx_tscast_notify_t  *n;

    n = &ngx_tscast_notify;

    if (!n->conf->viewers && (event->type == NGX_TSCAST_EVENT_VIEWER_START
                              || event->type == NGX_TSCAST_EVENT_VIEWER_STOP))
    {
        return;
    }

    serial = __atomic_add_fetch(&n->sh->serial, 1, __ATOMIC_SEQ_CST);

    len = ngx_tscast_notify_json(event, serial, &text);

    if (len == 0) {
        ngx_tscast_notify_drop(n, 1);
        return;
    }

    ngx_tscast_notify_add(n, text, len);
}


static void
ngx_tscast_notify_add(ngx_tscast_notify_t *n, u_char *p, size_t len)
{
    ngx_queue_t               *q;
    ngx_tscast_notify_item_t  *item;

    item = ngx_alloc(sizeof(ngx_tscast_notify_item_t) + len, ngx_cycle->log);
    if (item == NULL) {
        ngx_tscast_notify_drop(n, 1);
        return;
    }

    item->len = len;
    ngx_memcpy(item->data, p, len);

    if (n->nwaiting == n->conf->queue) {

        if (!n->full) {
            n->full = 1;

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "%ui events wait for \"%V\", the oldest are "
                          "dropped", n->nwaiting,
                          &n->conf->call->url.authority);
        }

        q = ngx_queue_head(&n->waiting);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_tscast_notify_item_t, queue));

        n->nwaiting--;

        ngx_tscast_notify_drop(n, 1);
    }

    ngx_queue_insert_tail(&n->waiting, &item->queue);
    n->nwaiting++;

    ngx_tscast_notify_count(n);
    ngx_tscast_notify_next(n);
}


/* those of one turn of the event loop go together */

static void
ngx_tscast_notify_next(ngx_tscast_notify_t *n)
{
    if (n->nwaiting + n->nbatch && n->call == NULL && !n->timer.timer_set) {
        ngx_post_event(&n->begin, &ngx_posted_events);
    }
}


static void
ngx_tscast_notify_begin(ngx_event_t *ev)
{
    ngx_tscast_notify_t  *n;

    n = &ngx_tscast_notify;

    if (n->call) {
        return;
    }

    ngx_tscast_notify_gather(n);

    if (n->nbatch && ngx_tscast_notify_call(n) != NGX_OK) {
        ngx_tscast_notify_failed(n);
    }
}


static void
ngx_tscast_notify_gather(ngx_tscast_notify_t *n)
{
    ngx_queue_t               *q;
    ngx_tscast_notify_item_t  *item;

    if (n->nbatch) {
        /* it is tried again as it was */
        return;
    }

    n->size = 0;

    while (n->nwaiting && n->nbatch < NGX_TSCAST_NOTIFY_BATCH) {

        q = ngx_queue_head(&n->waiting);
        item = ngx_queue_data(q, ngx_tscast_notify_item_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&n->batch, q);

        n->size += item->len;
        n->nwaiting--;
        n->nbatch++;
    }
}


/* the body: an array of the events */

static ngx_int_t
ngx_tscast_notify_call(ngx_tscast_notify_t *n)
{
    u_char                    *p;
    ngx_queue_t               *q;
    ngx_tscast_call_t         *call;
    ngx_tscast_notify_item_t  *item;

    call = ngx_tscast_call_create(n->conf->call);
    if (call == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(call->pool, n->size + n->nbatch + 1);
    if (p == NULL) {
        ngx_tscast_call_cancel(call);
        return NGX_ERROR;
    }

    call->body.data = p;

    *p++ = '[';

    for (q = ngx_queue_head(&n->batch);
         q != ngx_queue_sentinel(&n->batch);
         q = ngx_queue_next(q))
    {
        item = ngx_queue_data(q, ngx_tscast_notify_item_t, queue);

        p = ngx_cpymem(p, item->data, item->len);
        *p++ = ',';
    }

    p[-1] = ']';

    call->body.len = p - call->body.data;
    call->data = n;
    call->done = ngx_tscast_notify_done;

    n->call = call;

    ngx_tscast_call_start(call);

    return NGX_OK;
}


static void
ngx_tscast_notify_done(ngx_tscast_call_t *call)
{
    ngx_uint_t            level, status;
    ngx_tscast_notify_t  *n;

    n = call->data;
    status = call->status;

    n->call = NULL;

    if (status == 0 || status >= 500 || status == 408 || status == 429) {

        /* that it still does not work is no news */

        level = n->failing ? NGX_LOG_INFO : NGX_LOG_ERR;
        n->failing = 1;

        if (status) {
            ngx_log_error(level, &call->log, 0,
                          "events wait, they were not taken, status %ui",
                          status);

        } else {
            ngx_log_error(level, &call->log, call->err,
                          "events wait, they were not taken: %V", &call->why);
        }

        ngx_tscast_notify_failed(n);
        return;
    }

    if (status >= 300) {
        ngx_log_error(NGX_LOG_ERR, &call->log, 0,
                      "%ui events are refused and dropped, status %ui",
                      n->nbatch, status);

        ngx_tscast_notify_drop(n, n->nbatch);

    } else {
        __atomic_add_fetch(&n->sh->sent, n->nbatch, __ATOMIC_SEQ_CST);
    }

    if (n->failing) {
        n->failing = 0;

        ngx_log_error(NGX_LOG_NOTICE, &call->log, 0, "events are taken again");
    }

    if (n->nwaiting == 0) {
        n->full = 0;
    }

    n->tries = 0;

    ngx_tscast_notify_free(&n->batch);
    n->nbatch = 0;

    ngx_tscast_notify_count(n);
    ngx_tscast_notify_next(n);
}


static void
ngx_tscast_notify_failed(ngx_tscast_notify_t *n)
{
    __atomic_add_fetch(&n->sh->failures, 1, __ATOMIC_SEQ_CST);

    if (ngx_exiting) {
        ngx_tscast_notify_give_up(n, ngx_cycle->log);
        return;
    }

    ngx_add_timer(&n->timer, ngx_tscast_link_pause(n->conf->reconnect,
                                                   n->conf->reconnect_max,
                                                   n->tries++));
}


static void
ngx_tscast_notify_give_up(ngx_tscast_notify_t *n, ngx_log_t *log)
{
    ngx_uint_t  events;

    events = n->nwaiting + n->nbatch;

    if (n->call) {
        ngx_tscast_call_cancel(n->call);
        n->call = NULL;
    }

    if (events == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "%ui events for \"%V\" are lost, the worker leaves",
                  events, &n->conf->call->url.authority);

    ngx_tscast_notify_drop(n, events);

    ngx_tscast_notify_free(&n->batch);
    ngx_tscast_notify_free(&n->waiting);

    n->nbatch = 0;
    n->nwaiting = 0;

    ngx_tscast_notify_count(n);
}


static void
ngx_tscast_notify_free(ngx_queue_t *queue)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(queue)) {
        q = ngx_queue_head(queue);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_tscast_notify_item_t, queue));
    }
}


static void
ngx_tscast_notify_drop(ngx_tscast_notify_t *n, ngx_uint_t events)
{
    __atomic_add_fetch(&n->sh->dropped, events, __ATOMIC_SEQ_CST);
}


static void
ngx_tscast_notify_count(ngx_tscast_notify_t *n)
{
    __atomic_store_n(&n->sh->waiting[ngx_process_slot],
                     n->nwaiting + n->nbatch, __ATOMIC_SEQ_CST);
}


/* the worker is to leave: one more try, and no pause */

static void
ngx_tscast_notify_leave(void)
{
    ngx_tscast_notify_t  *n;

    n = &ngx_tscast_notify;

    if (n->timer.timer_set) {
        ngx_del_timer(&n->timer);
        ngx_tscast_notify_next(n);
    }
}


/* what was waiting in workers that have been killed is lost */

static void
ngx_tscast_notify_round(void)
{
    uint64_t                 events;
    ngx_uint_t               i;
    ngx_tscast_notify_sh_t  *sh;

    sh = ngx_tscast_notify.sh;

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {

        if (i == (ngx_uint_t) ngx_process_slot
            || __atomic_load_n(&sh->waiting[i], __ATOMIC_SEQ_CST) == 0
            || kill(sh->pids[i], 0) == 0)
        {
            continue;
        }

        events = __atomic_exchange_n(&sh->waiting[i], 0, __ATOMIC_SEQ_CST);

        ngx_tscast_notify_drop(&ngx_tscast_notify, events);
    }
}


ngx_int_t
ngx_tscast_notify_report(ngx_tscast_notify_report_t *report)
{
    ngx_uint_t               i;
    ngx_tscast_notify_sh_t  *sh;

    sh = ngx_tscast_notify.sh;

    if (sh == NULL) {
        return NGX_DECLINED;
    }

    report->told = __atomic_load_n(&sh->serial, __ATOMIC_SEQ_CST);
    report->sent = __atomic_load_n(&sh->sent, __ATOMIC_SEQ_CST);
    report->dropped = __atomic_load_n(&sh->dropped, __ATOMIC_SEQ_CST);
    report->failures = __atomic_load_n(&sh->failures, __ATOMIC_SEQ_CST);
    report->waiting = 0;

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        report->waiting += __atomic_load_n(&sh->waiting[i], __ATOMIC_SEQ_CST);
    }

    return NGX_OK;
}
