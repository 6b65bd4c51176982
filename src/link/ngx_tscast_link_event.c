
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"
#include "ngx_tscast_event.h"


/* the record says it as well, for those who find its owner dead */

void
ngx_tscast_link_tell(ngx_tscast_link_t *link, ngx_uint_t up)
{
    ngx_tscast_event_t        ev;
    ngx_tscast_report_link_t  report;

    if (link->record->orphan) {
        /* a former owner comes first */
        ngx_tscast_event_orphans(link->zone);
    }

    link->told = up;

    if (!link->heir) {
        link->record->told = up;
    }

    if (!ngx_tscast_event_wanted()) {
        return;
    }

    ngx_memzero(&ev, sizeof(ngx_tscast_event_t));
    ngx_tscast_report_link(link->record, &report);

    /* an heir speaks of itself */
    report.slot = ngx_process_slot;

    ev.type = up ? NGX_TSCAST_EVENT_LINK_UP : NGX_TSCAST_EVENT_LINK_DOWN;
    ev.zone = link->zone;
    ev.name = link->name;
    ev.link = &report;

    ngx_tscast_event(&ev);
}
