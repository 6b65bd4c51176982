
/*
 * Copyright (C) the tscast authors
 */


/*
 * Commands: an object with one member, which names what is meant.
 *
 *     POST    {"link": {...}}
 *     DELETE  {"link": {...}}
 *     DELETE  {"publisher": {"stream": "live/cam1"}}
 *     DELETE  {"viewers": {"stream": "live/cam1", "id": 17}}
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast_control.h"


static ngx_int_t ngx_http_tscast_control_post(ngx_http_tscast_control_t *ctl,
    json_t *json);
static ngx_int_t ngx_http_tscast_control_delete(
    ngx_http_tscast_control_t *ctl, json_t *json);
static ngx_int_t ngx_http_tscast_control_publisher(
    ngx_http_tscast_control_t *ctl, json_t *json);
static ngx_int_t ngx_http_tscast_control_viewers(
    ngx_http_tscast_control_t *ctl, json_t *json);
static void ngx_http_tscast_control_dropped(ngx_tscast_question_t *q);
static ngx_tscast_zone_t *ngx_http_tscast_control_stream(ngx_str_t *stream,
    ngx_str_t *name);


ngx_int_t
ngx_http_tscast_control_command(ngx_http_tscast_control_t *ctl,
    ngx_str_t *body)
{
    json_t        *json;
    ngx_int_t      rc;
    json_error_t   error;

    json = json_loadb((char *) body->data, body->len, JSON_REJECT_DUPLICATES,
                      &error);

    if (json == NULL) {
        return ngx_http_tscast_control_invalid(ctl, &error);
    }

    rc = (ctl->request->method == NGX_HTTP_POST)
             ? ngx_http_tscast_control_post(ctl, json)
             : ngx_http_tscast_control_delete(ctl, json);

    json_decref(json);

    return rc;
}


static ngx_int_t
ngx_http_tscast_control_post(ngx_http_tscast_control_t *ctl, json_t *json)
{
    json_t        *link;
    json_error_t   error;

    if (json_unpack_ex(json, &error, JSON_STRICT, "{s:o}", "link", &link)
        != 0)
    {
        return ngx_http_tscast_control_invalid(ctl, &error);
    }

    return ngx_http_tscast_control_link_set(ctl, link);
}


static ngx_int_t
ngx_http_tscast_control_delete(ngx_http_tscast_control_t *ctl, json_t *json)
{
    json_t        *publisher, *viewers, *link;
    json_error_t   error;

    publisher = NULL;
    viewers = NULL;
    link = NULL;

    if (json_unpack_ex(json, &error, JSON_STRICT, "{s?o, s?o, s?o}",
                       "publisher", &publisher, "viewers", &viewers,
                       "link", &link)
        != 0)
    {
        return ngx_http_tscast_control_invalid(ctl, &error);
    }

    if (json_object_size(json) != 1) {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_BAD_REQUEST,
                                              "one of \"publisher\", "
                                              "\"viewers\" and \"link\" is to "
                                              "be named");
    }

    if (publisher) {
        return ngx_http_tscast_control_publisher(ctl, publisher);
    }

    if (viewers) {
        return ngx_http_tscast_control_viewers(ctl, viewers);
    }

    return ngx_http_tscast_control_link_remove(ctl, link);
}


static ngx_int_t
ngx_http_tscast_control_publisher(ngx_http_tscast_control_t *ctl, json_t *json)
{
    char               *text;
    size_t              len;
    ngx_str_t           stream, name;
    json_error_t        error;
    ngx_tscast_zone_t  *zone;

    if (json_unpack_ex(json, &error, JSON_STRICT, "{s:s%}",
                       "stream", &text, &len)
        != 0)
    {
        return ngx_http_tscast_control_invalid(ctl, &error);
    }

    stream.len = len;
    stream.data = (u_char *) text;

    zone = ngx_http_tscast_control_stream(&stream, &name);

    if (zone == NULL || ngx_tscast_publisher_evict(zone, &name) != NGX_OK) {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_NOT_FOUND,
                                              "stream \"%V\" has no publisher",
                                              &stream);
    }

    ngx_log_error(NGX_LOG_NOTICE, ctl->request->connection->log, 0,
                  "control: the publisher of \"%V\" is dropped", &stream);

    return ngx_http_tscast_control_answer(ctl, NGX_HTTP_NO_CONTENT, NULL);
}


static ngx_int_t
ngx_http_tscast_control_viewers(ngx_http_tscast_control_t *ctl, json_t *json)
{
    char                   *text;
    size_t                  len;
    ngx_int_t               rc;
    ngx_str_t               stream, name;
    json_int_t              id;
    json_error_t            error;
    ngx_tscast_zone_t      *zone;
    ngx_http_request_t     *r;
    ngx_tscast_question_t  *q;

    id = 1;

    if (json_unpack_ex(json, &error, JSON_STRICT, "{s:s%, s?I}",
                       "stream", &text, &len, "id", &id)
        != 0)
    {
        return ngx_http_tscast_control_invalid(ctl, &error);
    }

    stream.len = len;
    stream.data = (u_char *) text;

    zone = ngx_http_tscast_control_stream(&stream, &name);

    r = ctl->request;
    q = &ctl->question;

    q->handler = ngx_http_tscast_control_dropped;
    q->data = ctl;
    q->log = r->connection->log;
    q->drop = 1;
    q->viewer = json_object_get(json, "id") ? (uint64_t) id : 0;

    rc = (zone && id > 0) ? ngx_tscast_mail_ask(q, zone, &name)
                          : NGX_TSCAST_NOT_FOUND;

    if (rc == NGX_ERROR) {
        return ngx_http_tscast_control_refuse(ctl,
                                              NGX_HTTP_INSUFFICIENT_STORAGE,
                                              "the zone is full");
    }

    if (rc == NGX_TSCAST_NOT_FOUND) {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_NOT_FOUND,
                                              "there is no %s of \"%V\"",
                                              q->viewer ? "such viewer"
                                                        : "viewer", &stream);
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_DONE;
}


/* the workers have answered */

static void
ngx_http_tscast_control_dropped(ngx_tscast_question_t *q)
{
    ngx_connection_t           *c;
    ngx_http_tscast_control_t  *ctl;

    ctl = q->data;
    c = ctl->request->connection;

    if (q->missing) {
        (void) ngx_http_tscast_control_refuse(ctl, NGX_HTTP_GATEWAY_TIME_OUT,
                                     "%ui viewers are dropped, %ui workers "
                                     "have not answered yet",
                                     q->viewers, q->missing);

    } else if (q->viewer && q->viewers == 0) {
        (void) ngx_http_tscast_control_refuse(ctl, NGX_HTTP_NOT_FOUND,
                                              "there is no viewer %uL",
                                              q->viewer);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                      "control: %ui viewers are dropped", q->viewers);

        (void) ngx_http_tscast_control_answer(ctl, NGX_HTTP_OK,
                          json_pack("{s:I}", "viewers",
                                    (json_int_t) q->viewers));
    }

    ngx_http_run_posted_requests(c);
}


/* with the place in the text where it is known */

ngx_int_t
ngx_http_tscast_control_invalid(ngx_http_tscast_control_t *ctl,
    json_error_t *error)
{
    if (error->line > 0) {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_BAD_REQUEST,
                                              "%s in line %d, column %d",
                                              error->text, error->line,
                                              error->column);
    }

    return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_BAD_REQUEST, "%s",
                                          error->text);
}


/* NULL: there is no such zone, or it is no name */

static ngx_tscast_zone_t *
ngx_http_tscast_control_stream(ngx_str_t *stream, ngx_str_t *name)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_tscast_zone_find((ngx_cycle_t *) ngx_cycle, stream, name);

    if (zone == NULL || ngx_tscast_stream_check_name(name) != NGX_OK) {
        return NULL;
    }

    return zone->data;
}
