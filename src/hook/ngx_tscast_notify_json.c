
/*
 * Copyright (C) the tscast authors
 */


/*
 * Events as JSON: conf/event.schema.json says what is in it, and names are
 * those of the status.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <jansson.h>

#include "ngx_tscast_hook.h"
#include "ngx_tscast_event.h"


/* more than all fields of an event together can have, escaped */
#define NGX_TSCAST_NOTIFY_JSON  8192

#define ngx_tscast_notify_str(json, key, s)                                   \
    json_object_set_new(json, key,                                            \
                        json_stringn((char *) (s)->data, (s)->len))

#define ngx_tscast_notify_int(json, key, n)                                   \
    json_object_set_new(json, key, json_integer((json_int_t) (n)))


static void ngx_tscast_notify_stream(json_t *json,
    ngx_tscast_event_t *event);
static json_t *ngx_tscast_notify_party(ngx_tscast_event_t *event,
    char *bytes);
static json_t *ngx_tscast_notify_link(ngx_tscast_event_t *event);
static json_t *ngx_tscast_notify_alarm(ngx_tscast_event_t *event);


/* by ngx_tscast_event_e */

static char  *ngx_tscast_notify_names[] = {
    "publisher_start",
    "publisher_stop",
    "viewer_start",
    "viewer_stop",
    "link_up",
    "link_down",
    "alarm_raised",
    "alarm_cleared"
};


size_t
ngx_tscast_notify_json(ngx_tscast_event_t *event, uint64_t serial,
    u_char **text)
{
    size_t                     len;
    json_t                    *json;
    ngx_time_t                *tp;
    ngx_tscast_report_node_t   node;

    static u_char  buf[NGX_TSCAST_NOTIFY_JSON];

    tp = ngx_timeofday();

    ngx_tscast_report_node(&node);

    json = json_pack("{s:s, s:s%, s:I, s:I, s:f}",
                     "event", ngx_tscast_notify_names[event->type],
                     "node", node.name.data, node.name.len,
                     "started", (json_int_t) node.started,
                     "serial", (json_int_t) serial,
                     "time", (double) tp->sec + (double) tp->msec / 1000);

    if (json == NULL) {
        return 0;
    }

    ngx_tscast_notify_stream(json, event);

    switch (event->type) {

    case NGX_TSCAST_EVENT_PUBLISHER_START:
    case NGX_TSCAST_EVENT_PUBLISHER_STOP:
        json_object_set_new(json, "publisher",
                            ngx_tscast_notify_party(event, "received"));
        break;

    case NGX_TSCAST_EVENT_VIEWER_START:
    case NGX_TSCAST_EVENT_VIEWER_STOP:
        json_object_set_new(json, "viewer",
                            ngx_tscast_notify_party(event, "sent"));
        ngx_tscast_notify_int(json, "viewers", event->viewers);
        break;

    case NGX_TSCAST_EVENT_LINK_UP:
    case NGX_TSCAST_EVENT_LINK_DOWN:
        json_object_set_new(json, "link", ngx_tscast_notify_link(event));
        break;

    case NGX_TSCAST_EVENT_ALARM_RAISED:
    case NGX_TSCAST_EVENT_ALARM_CLEARED:
        json_object_set_new(json, "alarm", ngx_tscast_notify_alarm(event));
        break;
    }

    if (event->error) {
        json_object_set_new(json, "error", json_string(event->error));
    }

    len = json_dumpb(json, (char *) buf, sizeof(buf),
                     JSON_COMPACT|JSON_REAL_PRECISION(13));

    json_decref(json);

    *text = buf;

    return (len <= sizeof(buf)) ? len : 0;
}


static void
ngx_tscast_notify_stream(json_t *json, ngx_tscast_event_t *event)
{
    ngx_str_t  *zone, stream;
    u_char      buf[2 * NGX_TSCAST_NAME_LEN + 1];

    zone = ngx_tscast_zone_name(event->zone);

    if (event->name.len == 0) {
        ngx_tscast_notify_str(json, "zone", zone);
        return;
    }

    stream.data = buf;
    stream.len = ngx_sprintf(buf, "%V/%V", zone, &event->name) - buf;

    ngx_tscast_notify_str(json, "stream", &stream);
}


/* a publisher or a viewer */

static json_t *
ngx_tscast_notify_party(ngx_tscast_event_t *event, char *bytes)
{
    json_t                          *json;
    const ngx_tscast_report_door_t  *door;

    door = &ngx_tscast_report_doors[event->door];

    json = json_pack("{s:I, s:s, s:s, s:I, s:I}",
                     "id", (json_int_t) event->id,
                     "door", door->door.data,
                     "protocol", door->protocol.data,
                     "since", (json_int_t) event->since,
                     bytes, (json_int_t) event->bytes);

    if (event->address.len) {
        ngx_tscast_notify_str(json, "address", &event->address);
    }

    if (event->type == NGX_TSCAST_EVENT_VIEWER_START
        || event->type == NGX_TSCAST_EVENT_VIEWER_STOP)
    {
        ngx_tscast_notify_int(json, "skips", event->skips);
    }

    return json;
}


static json_t *
ngx_tscast_notify_link(ngx_tscast_event_t *event)
{
    json_t                    *json;
    ngx_str_t                  s;
    ngx_tscast_report_link_t  *r;

    r = event->link;

    json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}",
                     "kind", r->push ? "push" : "pull",
                     "connects", (json_int_t) r->connects,
                     "failures", (json_int_t) r->failures,
                     "bytes", (json_int_t) r->bytes,
                     "packets", (json_int_t) r->packets,
                     "lost", (json_int_t) r->lost);

    s.len = r->url_len;
    s.data = r->url;
    ngx_tscast_notify_str(json, "url", &s);

    if (r->slot != (ngx_uint_t) -1) {
        ngx_tscast_notify_int(json, "slot", r->slot);
    }

    if (r->error_len && event->error == NULL) {
        s.len = r->error_len;
        s.data = r->error;
        ngx_tscast_notify_str(json, "error", &s);
    }

    return json;
}


static json_t *
ngx_tscast_notify_alarm(ngx_tscast_event_t *event)
{
    json_t  *json;

    json = json_pack("{s:s, s:I}",
                     "check", event->check,
                     "count", (json_int_t) event->errors);

    if (event->id) {
        ngx_tscast_notify_int(json, "publisher", event->id);
    }

    return json;
}
