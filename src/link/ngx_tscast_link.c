
/*
 * Copyright (C) the tscast authors
 */


/*
 * The life of a link on the worker that runs it.
 *
 *     claim --> connecting --> running --> finished, record released
 *                   ^  |          |
 *                   |  +- fail ---+
 *                   |       |
 *                   +-- waiting, longer each time
 *
 * A push is claimed when its stream has a publisher, first by the worker of
 * that publisher, and finishes with the stream.  A pull is claimed by the first
 * worker that finds it free.  Each worker looks for links without an owner
 * once a second, and at once when another releases one.
 *
 * A worker that is to leave hands its links to those of the new configuration:
 * see ngx_tscast_link_push_leave() and ngx_tscast_link_pull_leave().
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


/* ms; a link that ran for so long starts with the shortest pause again */
#define NGX_TSCAST_LINK_STABLE  5000


static void ngx_tscast_link_scan_handler(ngx_event_t *ev);
static void ngx_tscast_link_scan(void);
static void ngx_tscast_link_scan_streams(ngx_tscast_link_conf_t *lcf);
static void ngx_tscast_link_published(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
static ngx_msec_t ngx_tscast_link_offered(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
static void ngx_tscast_link_wanted(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
static void ngx_tscast_link_claim(ngx_tscast_link_conf_t *lcf,
    ngx_str_t *name);
static ngx_tscast_link_t *ngx_tscast_link_create(ngx_tscast_link_conf_t *lcf,
    ngx_str_t *name, ngx_tscast_record_t *rec);
static void ngx_tscast_link_round(void);
static void ngx_tscast_link_look(ngx_tscast_link_t *link);
static ngx_uint_t ngx_tscast_link_idle(ngx_tscast_link_t *link);
static void ngx_tscast_link_links(void);
static void ngx_tscast_link_succeed(ngx_tscast_link_t *link);
static void ngx_tscast_link_leave(void);
static void ngx_tscast_link_leave_one(ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_text(ngx_tscast_link_conf_t *lcf,
    ngx_str_t *name, ngx_str_t *text);
static void ngx_tscast_link_state(ngx_tscast_link_t *link,
    ngx_tscast_link_state_e state);
static void ngx_tscast_link_reset(ngx_tscast_link_t *link);
static void ngx_tscast_link_silent(ngx_tscast_link_t *link);
static ngx_uint_t ngx_tscast_link_down(ngx_tscast_link_t *link, ngx_err_t err,
    ngx_str_t *why);
static ngx_uint_t ngx_tscast_link_stable(ngx_tscast_link_t *link);
static void ngx_tscast_link_timer_handler(ngx_event_t *ev);
static u_char *ngx_tscast_link_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_tscast_observer_t  ngx_tscast_link_observer = {
    ngx_tscast_link_round,
    ngx_tscast_link_links,
    ngx_tscast_link_leave,
    ngx_tscast_link_published,
    ngx_tscast_link_offered,
    ngx_tscast_link_wanted,
    NULL,
    ngx_tscast_link_lines_check,
    NULL
};


static ngx_queue_t       ngx_tscast_links;
static ngx_uint_t        ngx_tscast_link_leaving;
static ngx_uint_t        ngx_tscast_link_refused;  /* in a row */
static ngx_event_t       ngx_tscast_link_later;
static ngx_connection_t  ngx_tscast_link_dumb;


ngx_int_t
ngx_tscast_link_init(ngx_cycle_t *cycle)
{
    ngx_tscast_link_main_conf_t  *lmcf;

    lmcf = (ngx_tscast_link_main_conf_t *)
               ngx_get_conf(cycle->conf_ctx, ngx_tscast_link_module);

    ngx_queue_init(&ngx_tscast_links);

    if (ngx_tscast_link_lines_init(lmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_tscast_observe(&ngx_tscast_link_observer);

    ngx_tscast_link_dumb.fd = (ngx_socket_t) -1;

    ngx_tscast_link_later.handler = ngx_tscast_link_scan_handler;
    ngx_tscast_link_later.data = &ngx_tscast_link_dumb;
    ngx_tscast_link_later.log = cycle->log;

    ngx_post_event(&ngx_tscast_link_later, &ngx_posted_next_events);

    return NGX_OK;
}


static void
ngx_tscast_link_scan_handler(ngx_event_t *ev)
{
    ngx_tscast_link_scan();
}


/* claims what nobody runs */

static void
ngx_tscast_link_scan(void)
{
    ngx_uint_t               i, refused;
    ngx_tscast_link_conf_t  *lcf;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    refused = ngx_tscast_link_refused;

    for (i = 0; (lcf = ngx_tscast_link_line(i)) != NULL; i++) {

        if (lcf->push && !lcf->prefix) {

            if (ngx_tscast_stream_live(lcf->shm_zone->data, &lcf->pattern, 1))
            {
                ngx_tscast_link_claim(lcf, &lcf->pattern);
            }

        } else if (lcf->push || lcf->on_demand) {
            ngx_tscast_link_scan_streams(lcf);

        } else {
            ngx_tscast_link_claim(lcf, &lcf->pattern);
        }
    }

    if (ngx_tscast_link_refused == refused) {
        /* there is room again */
        ngx_tscast_link_refused = 0;
    }
}


static void
ngx_tscast_link_scan_streams(ngx_tscast_link_conf_t *lcf)
{
    ngx_str_t           name;
    ngx_uint_t          i, wanted;
    ngx_tscast_zone_t  *zone;
    u_char              buf[NGX_TSCAST_NAME_LEN];

    zone = lcf->shm_zone->data;
    wanted = !lcf->push;

    name.data = buf;
    i = 0;

    while (ngx_tscast_stream_next(zone, &i, &name, wanted) == NGX_OK) {

        if (wanted ? ngx_tscast_link_on_demand(zone, &name) == lcf
                   : ngx_tscast_link_match(lcf, &name))
        {
            ngx_tscast_link_claim(lcf, &name);
        }
    }
}


/* the worker of the publisher is the first to know */

static void
ngx_tscast_link_published(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_uint_t               i;
    ngx_tscast_link_conf_t  *lcf;

    if (ngx_exiting) {
        return;
    }

    for (i = 0; (lcf = ngx_tscast_link_line(i)) != NULL; i++) {
        if (lcf->push && lcf->shm_zone->data == zone
            && ngx_tscast_link_match(lcf, name))
        {
            ngx_tscast_link_claim(lcf, name);
        }
    }
}


static ngx_msec_t
ngx_tscast_link_offered(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_link_conf_t  *lcf;

    lcf = ngx_exiting ? NULL : ngx_tscast_link_on_demand(zone, name);

    return lcf ? lcf->wait : 0;
}


static void
ngx_tscast_link_wanted(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_link_conf_t  *lcf;

    lcf = ngx_tscast_link_on_demand(zone, name);

    if (lcf) {
        ngx_tscast_link_claim(lcf, name);
    }
}


static void
ngx_tscast_link_claim(ngx_tscast_link_conf_t *lcf, ngx_str_t *name)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_uint_t            inherit;
    ngx_tscast_link_t    *link;
    ngx_tscast_zone_t    *zone;
    ngx_tscast_record_t  *rec;

    zone = lcf->shm_zone->data;

    if (ngx_tscast_link_text(lcf, name, &text) != NGX_OK) {
        return;
    }

    inherit = !lcf->push && !(lcf->scheme->flags & NGX_TSCAST_SCHEME_DATAGRAM);

    rc = ngx_tscast_record_claim(zone, &text, inherit, &rec);

    ngx_free(text.data);

    if (rc == NGX_DECLINED) {
        return;
    }

    if (rc == NGX_ERROR) {

        if (ngx_tscast_link_refused++ == 0) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "zone \"%V\" has no memory for a link to \"%V\"",
                          ngx_tscast_zone_name(zone), &lcf->address);
        }

        return;
    }

    link = ngx_tscast_link_create(lcf, name, rec);

    if (link == NULL) {
        ngx_tscast_record_release(zone, rec);
        return;
    }

    link->heir = (rc == NGX_AGAIN);

    if (!link->heir) {
        rec->rule = lcf->rule;
    }

    ngx_tscast_link_connect(link);
}


static ngx_tscast_link_t *
ngx_tscast_link_create(ngx_tscast_link_conf_t *lcf, ngx_str_t *name,
    ngx_tscast_record_t *rec)
{
    ngx_tscast_link_t  *link;

    link = ngx_calloc(sizeof(ngx_tscast_link_t), ngx_cycle->log);
    if (link == NULL) {
        return NULL;
    }

    link->conf = lcf;
    link->zone = lcf->shm_zone->data;
    link->record = rec;

    link->name.len = name->len;
    link->name.data = link->name_data;
    ngx_memcpy(link->name_data, name->data, name->len);

    link->log = *ngx_cycle->log;
    link->log.handler = ngx_tscast_link_log_error;
    link->log.data = link;

    link->quiet = link->log;
    link->quiet.log_level = NGX_LOG_ALERT;

    link->wanted = ngx_current_msec;

    link->timer.handler = ngx_tscast_link_timer_handler;
    link->timer.data = link;
    link->timer.log = &link->log;

    ngx_queue_insert_tail(&ngx_tscast_links, &link->queue);

    return link;
}


void
ngx_tscast_link_end(ngx_tscast_link_conf_t *lcf)
{
    ngx_queue_t        *q, *next;
    ngx_tscast_link_t  *link;

    for (q = ngx_queue_head(&ngx_tscast_links);
         q != ngx_queue_sentinel(&ngx_tscast_links);
         q = next)
    {
        next = ngx_queue_next(q);
        link = ngx_queue_data(q, ngx_tscast_link_t, queue);

        if (link->conf == lcf) {
            ngx_tscast_link_finish(link);
        }
    }
}


static void
ngx_tscast_link_round(void)
{
    ngx_queue_t  *q, *next;

    ngx_tscast_link_lines_follow();

    for (q = ngx_queue_head(&ngx_tscast_links);
         q != ngx_queue_sentinel(&ngx_tscast_links);
         q = next)
    {
        next = ngx_queue_next(q);

        ngx_tscast_link_look(ngx_queue_data(q, ngx_tscast_link_t, queue));
    }

    ngx_tscast_link_scan();
}


static void
ngx_tscast_link_look(ngx_tscast_link_t *link)
{
    ngx_tscast_record_t  *rec;

    rec = link->record;

    if (ngx_exiting) {
        ngx_tscast_link_leave_one(link);
        return;
    }

    if (link->heir) {
        /* the owner may have died */
        ngx_tscast_link_succeed(link);
        return;
    }

    if (link->conf->on_demand && ngx_tscast_link_idle(link)) {
        ngx_tscast_link_finish(link);
        return;
    }

    switch (rec->state) {

    case NGX_TSCAST_LINK_RUNNING:

        rec->rtt = ngx_tscast_link_rtt(link);

        if (link->failing && ngx_tscast_link_stable(link)) {
            link->failing = 0;
            link->publisher.log = &link->log;

            ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                          "link is up again");

            ngx_tscast_link_tell(link, 1);
        }

        if (link->conf->push) {
            ngx_tscast_link_push_count(link);
        }

        return;

    case NGX_TSCAST_LINK_WAITING:

        if (link->conf->push
            && !ngx_tscast_stream_live(link->zone, &link->name, 1))
        {
            ngx_tscast_link_finish(link);
        }

        return;

    case NGX_TSCAST_LINK_YIELDING:

        if (!ngx_tscast_stream_live(link->zone, &link->name, 1)) {
            ngx_tscast_link_connect(link);
        }

        return;
    }
}


/* a pull on demand that nobody has wanted for a while */

static ngx_uint_t
ngx_tscast_link_idle(ngx_tscast_link_t *link)
{
    if (ngx_tscast_stream_wanted(link->zone, &link->name)) {
        link->wanted = ngx_current_msec;
        return 0;
    }

    return ngx_current_msec - link->wanted >= link->conf->linger;
}


/* another worker has released a record, or there are other rules */

static void
ngx_tscast_link_links(void)
{
    ngx_queue_t        *q, *next;
    ngx_tscast_link_t  *link;

    ngx_tscast_link_lines_follow();

    for (q = ngx_queue_head(&ngx_tscast_links);
         q != ngx_queue_sentinel(&ngx_tscast_links);
         q = next)
    {
        next = ngx_queue_next(q);
        link = ngx_queue_data(q, ngx_tscast_link_t, queue);

        if (link->heir) {
            ngx_tscast_link_succeed(link);
        }
    }

    ngx_tscast_link_scan();
}


/* the heir becomes the owner, if there is none */

static void
ngx_tscast_link_succeed(ngx_tscast_link_t *link)
{
    ngx_str_t             text;
    ngx_tscast_record_t  *rec;

    text = link->record->sn.str;

    if (ngx_tscast_record_claim(link->zone, &text, 0, &rec) != NGX_OK) {
        return;
    }

    link->heir = 0;
    rec->rule = link->conf->rule;

    rec->told = link->told;
    rec->state = link->up ? NGX_TSCAST_LINK_RUNNING
                          : NGX_TSCAST_LINK_CONNECTING;
    rec->since = ngx_current_msec;

    (void) ngx_tscast_link_handover_take(link);
}


static void
ngx_tscast_link_leave(void)
{
    ngx_queue_t  *q, *next;

    ngx_tscast_link_leaving = 1;

    for (q = ngx_queue_head(&ngx_tscast_links);
         q != ngx_queue_sentinel(&ngx_tscast_links);
         q = next)
    {
        next = ngx_queue_next(q);

        ngx_tscast_link_leave_one(ngx_queue_data(q, ngx_tscast_link_t, queue));
    }
}


/* also once a second from then on, until the link is gone */

static void
ngx_tscast_link_leave_one(ngx_tscast_link_t *link)
{
    if (!link->up || link->heir) {
        ngx_tscast_link_finish(link);
        return;
    }

    if (link->left == 0) {
        link->left = ngx_current_msec;
    }

    if (link->conf->push) {
        ngx_tscast_link_push_leave(link);

    } else {
        ngx_tscast_link_pull_leave(link);
    }
}


/* "push name url parameters", to be freed by ngx_free() */

static ngx_int_t
ngx_tscast_link_text(ngx_tscast_link_conf_t *lcf, ngx_str_t *name,
    ngx_str_t *text)
{
    text->data = ngx_alloc(sizeof("push  ") + name->len + lcf->text.len,
                           ngx_cycle->log);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_sprintf(text->data, "%s %V %V",
                            lcf->push ? "push" : "pull", name, &lcf->text)
                - text->data;

    return NGX_OK;
}


static void
ngx_tscast_link_state(ngx_tscast_link_t *link, ngx_tscast_link_state_e state)
{
    if (link->heir) {
        /* the record is the owner's */
        return;
    }

    link->record->state = state;
    link->record->since = ngx_current_msec;
    link->record->rtt = 0;
}


void
ngx_tscast_link_up(ngx_tscast_link_t *link)
{
    ngx_uint_t  level;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    link->up = 1;
    link->began = ngx_current_msec;
    link->heard = ngx_current_msec;

    ngx_tscast_link_state(link, NGX_TSCAST_LINK_RUNNING);

    if (!link->heir) {
        link->record->connects++;
        link->record->error_len = 0;
    }

    /* after a failure it is news when it has lasted */

    level = link->failing ? NGX_LOG_INFO : NGX_LOG_NOTICE;

    ngx_log_error(level, &link->log, 0, "link is up");

    if (!link->failing) {
        ngx_tscast_link_tell(link, 1);
    }
}


void ngx_cdecl
ngx_tscast_link_fail(ngx_tscast_link_t *link, ngx_err_t err, const char *fmt,
    ...)
{
    va_list     args;
    ngx_str_t   why;
    ngx_uint_t  stable;
    u_char      buf[NGX_TSCAST_RECORD_ERROR];

    va_start(args, fmt);

    why.data = buf;
    why.len = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args) - buf;

    va_end(args);

    stable = ngx_tscast_link_down(link, err, &why);

    link->broken = 1;

    ngx_tscast_link_reset(link);

    if (ngx_exiting || ngx_tscast_link_leaving) {
        ngx_tscast_link_finish(link);
        return;
    }

    if (link->conf->push
        && !ngx_tscast_stream_live(link->zone, &link->name, 1))
    {
        ngx_tscast_link_finish(link);
        return;
    }

    if (link->conf->scheme->next
        && link->conf->scheme->next(link, stable) == NGX_OK)
    {
        ngx_tscast_link_connect(link);
        return;
    }

    if (link->conf->on_demand && link->absent) {
        ngx_tscast_stream_refuse(link->zone, &link->name);
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_tscast_link_state(link, NGX_TSCAST_LINK_WAITING);

    ngx_add_timer(&link->timer,
                  ngx_tscast_link_pause(link->conf->reconnect,
                                        link->conf->reconnect_max,
                                        link->record->retries));

    if (!link->heir) {
        link->record->retries++;
    }
}


/* a pull of datagrams: the stream has ended, and the socket waits for more */

static void
ngx_tscast_link_silent(ngx_tscast_link_t *link)
{
    ngx_str_t  why = ngx_string("nothing comes");

    (void) ngx_tscast_link_down(link, NGX_ETIMEDOUT, &why);
    ngx_tscast_link_pull_stop(link);

    link->up = 0;

    ngx_tscast_link_state(link, NGX_TSCAST_LINK_CONNECTING);
}


/* 1 when it had lasted */

static ngx_uint_t
ngx_tscast_link_down(ngx_tscast_link_t *link, ngx_err_t err, ngx_str_t *why)
{
    ngx_uint_t            level, stable;
    ngx_tscast_record_t  *rec;

    rec = link->record;
    stable = 0;

    if (link->up && ngx_tscast_link_stable(link)) {
        link->failing = 0;
        stable = 1;
    }

    /* that it still does not work is no news */

    level = link->failing ? NGX_LOG_INFO : NGX_LOG_ERR;
    link->failing = 1;

    ngx_log_error(level, &link->log, err, "link is down: %V", why);

    if (!link->heir) {
        rec->failures++;
        rec->error_len = why->len;
        ngx_memcpy(rec->error, why->data, why->len);

        if (stable) {
            rec->retries = 0;
        }
    }

    if (level == NGX_LOG_ERR) {
        ngx_tscast_link_tell(link, 0);
    }

    return stable;
}


static ngx_uint_t
ngx_tscast_link_stable(ngx_tscast_link_t *link)
{
    return ngx_current_msec - link->began >= NGX_TSCAST_LINK_STABLE;
}


ngx_msec_t
ngx_tscast_link_pause(ngx_msec_t min, ngx_msec_t max, ngx_uint_t tries)
{
    ngx_msec_t  pause;
    ngx_uint_t  i;

    pause = min;

    for (i = 0; i < tries && pause < max; i++) {
        pause *= 2;
    }

    pause = ngx_min(pause, max);

    return pause - pause / 4 + (ngx_msec_t) ngx_random() % (pause / 4 + 1);
}


void
ngx_tscast_link_yield(ngx_tscast_link_t *link)
{
    ngx_log_error(NGX_LOG_INFO, &link->log, 0,
                  "link waits, the stream has a publisher");

    if (link->told) {
        ngx_tscast_link_tell(link, 0);
    }

    ngx_tscast_link_reset(link);

    if (ngx_exiting || ngx_tscast_link_leaving) {
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_tscast_link_state(link, NGX_TSCAST_LINK_YIELDING);
}


void
ngx_tscast_link_finish(ngx_tscast_link_t *link)
{
    ngx_log_error(NGX_LOG_INFO, &link->log, 0, "link is finished");

    if (link->told) {
        ngx_tscast_link_tell(link, 0);
    }

    ngx_tscast_link_reset(link);

    ngx_queue_remove(&link->queue);

    if (link->lasting) {
        ngx_destroy_pool(link->lasting);
    }

    ngx_tscast_record_release(link->zone, link->record);

    ngx_free(link);

    /* its stream may have come back meanwhile */

    if (!ngx_exiting) {
        ngx_post_event(&ngx_tscast_link_later, &ngx_posted_next_events);
    }
}


/* closes all of a try */

static void
ngx_tscast_link_reset(ngx_tscast_link_t *link)
{
    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->conf->push) {
        ngx_tscast_link_push_stop(link);

    } else {
        ngx_tscast_link_pull_stop(link);
    }

    ngx_tscast_link_close(link);

    link->up = 0;
    link->broken = 0;
    link->drained = 0;
    link->via = NULL;
    link->flv = NULL;
}


static void
ngx_tscast_link_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t          silent;
    ngx_tscast_link_t  *link;

    link = ev->data;

    if (link->up && link->drained) {
        /* the peer had its time */
        ngx_tscast_link_finish(link);
        return;
    }

    if (link->up) {
        silent = ngx_current_msec - link->heard;

        if (silent < link->conf->timeout) {
            ngx_add_timer(ev, link->conf->timeout - silent);
            return;
        }
    }

    if (link->peer.connection && !link->conf->push
        && (link->conf->scheme->flags & NGX_TSCAST_SCHEME_DATAGRAM))
    {
        ngx_tscast_link_silent(link);
        return;
    }

    if (link->up) {
        ngx_tscast_link_fail(link, NGX_ETIMEDOUT, "nothing comes");
        return;
    }

    if (link->pool) {
        ngx_tscast_link_fail(link, NGX_ETIMEDOUT, "no answer");
        return;
    }

    if (ngx_exiting) {
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_tscast_link_connect(link);
}


static u_char *
ngx_tscast_link_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char             *p;
    ngx_tscast_link_t  *link;

    link = log->data;

    p = ngx_snprintf(buf, len, ", %s: \"%V/%V\" \"%V\"",
                     link->conf->push ? "push" : "pull",
                     ngx_tscast_zone_name(link->zone), &link->name,
                     &link->conf->address);
    len -= p - buf;
    buf = p;

    if (link->peer_name.len) {
        p = ngx_snprintf(buf, len, ", peer: %V", &link->peer_name);
    }

    return p;
}
