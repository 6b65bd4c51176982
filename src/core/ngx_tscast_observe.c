
/*
 * Copyright (C) the tscast authors
 */


/*
 * What the hub tells those that act on their own, such as links: the hub
 * itself knows none of them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


static ngx_tscast_observer_t  *ngx_tscast_observers;


void
ngx_tscast_observe(ngx_tscast_observer_t *observer)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o == observer) {
            return;
        }
    }

    observer->next = ngx_tscast_observers;
    ngx_tscast_observers = observer;
}


void
ngx_tscast_observe_round(void)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o->round) {
            o->round();
        }
    }
}


void
ngx_tscast_observe_links(void)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o->links) {
            o->links();
        }
    }
}


void
ngx_tscast_observe_leave(void)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o->leave) {
            o->leave();
        }
    }
}


void
ngx_tscast_observe_published(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o->published) {
            o->published(zone, name);
        }
    }
}


ngx_msec_t
ngx_tscast_observe_offered(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_msec_t              wait, max;
    ngx_tscast_observer_t  *o;

    max = 0;

    for (o = ngx_tscast_observers; o; o = o->next) {
        wait = o->offered ? o->offered(zone, name) : 0;
        max = ngx_max(max, wait);
    }

    return max;
}


void
ngx_tscast_observe_wanted(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o->wanted) {
            o->wanted(zone, name);
        }
    }
}


void
ngx_tscast_event(ngx_tscast_event_t *event)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o->event) {
            o->event(event);
        }
    }
}


ngx_uint_t
ngx_tscast_event_wanted(void)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        if (o->event) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_tscast_observe_check(ngx_tscast_rule_t *rule, ngx_str_t *why)
{
    ngx_int_t               rc;
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        rc = o->check ? o->check(rule, why) : NGX_OK;

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}
