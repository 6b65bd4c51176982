
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
        o->round();
    }
}


void
ngx_tscast_observe_links(void)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        o->links();
    }
}


void
ngx_tscast_observe_leave(void)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        o->leave();
    }
}


void
ngx_tscast_observe_published(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        o->published(zone, name);
    }
}


ngx_msec_t
ngx_tscast_observe_offered(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_msec_t              wait, max;
    ngx_tscast_observer_t  *o;

    max = 0;

    for (o = ngx_tscast_observers; o; o = o->next) {
        wait = o->offered(zone, name);
        max = ngx_max(max, wait);
    }

    return max;
}


void
ngx_tscast_observe_wanted(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_tscast_observer_t  *o;

    for (o = ngx_tscast_observers; o; o = o->next) {
        o->wanted(zone, name);
    }
}
