
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_EVENT_H_INCLUDED_
#define _NGX_TSCAST_EVENT_H_INCLUDED_


/*
 * What happens in the hub and in links, for observers that tell others of it.
 */


#include "ngx_tscast.h"
#include "ngx_tscast_report.h"


typedef enum {
    NGX_TSCAST_EVENT_PUBLISHER_START = 0,
    NGX_TSCAST_EVENT_PUBLISHER_STOP,
    NGX_TSCAST_EVENT_VIEWER_START,
    NGX_TSCAST_EVENT_VIEWER_STOP,
    NGX_TSCAST_EVENT_LINK_UP,
    NGX_TSCAST_EVENT_LINK_DOWN,
    NGX_TSCAST_EVENT_ALARM_RAISED,
    NGX_TSCAST_EVENT_ALARM_CLEARED
} ngx_tscast_event_e;


struct ngx_tscast_event_s {
    ngx_tscast_event_e      type;
    ngx_tscast_zone_t      *zone;
    ngx_str_t               name;         /* of the stream, or empty */

    /* of the publisher or viewer, if there is one */

    uint64_t                id;           /* no other of the zone has it */
    ngx_tscast_door_e       door;
    ngx_str_t               address;
    time_t                  since;
    uint64_t                bytes;        /* received or sent */
    uint64_t                skips;        /* of a viewer */
    uint64_t                viewers;      /* of the stream, now */

    const char             *check;        /* of an alarm, as the status says */
    uint64_t                errors;       /* so far */

    const char             *error;        /* why it has ended, or NULL */

    ngx_tscast_report_link_t  *link;      /* of the event of a link */

    u_char                  name_data[NGX_TSCAST_NAME_LEN];
    u_char                  address_data[NGX_SOCKADDR_STRLEN];
};


void ngx_tscast_event(ngx_tscast_event_t *event);

/* the ends of those whose worker has died, if nobody has told of them yet */
void ngx_tscast_event_orphans(ngx_tscast_zone_t *zone);

/* is there an observer of events? */
ngx_uint_t ngx_tscast_event_wanted(void);


#endif /* _NGX_TSCAST_EVENT_H_INCLUDED_ */
