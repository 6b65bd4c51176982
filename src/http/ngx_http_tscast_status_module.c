
/*
 * Copyright (C) the tscast authors
 */


/*
 * The status of the node.  Streams are collected and the answer is sent in
 * slices, between which the event loop does its other work.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast_status.h"


/* places of streams looked at, and buffers sent, in one go */
#define NGX_HTTP_TSCAST_STATUS_SLICE  16
#define NGX_HTTP_TSCAST_STATUS_SEND   4

#define NGX_HTTP_TSCAST_STATUS_BUF    16384


static ngx_int_t ngx_http_tscast_status_handler(ngx_http_request_t *r);
static const ngx_http_tscast_format_t *ngx_http_tscast_status_format(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_tscast_status_wanted(ngx_http_tscast_status_t *s);
static ngx_int_t ngx_http_tscast_status_ask(ngx_http_tscast_status_t *s);
static void ngx_http_tscast_status_answered(ngx_tscast_question_t *q);
static ngx_uint_t ngx_http_tscast_status_accepts(ngx_http_request_t *r,
    char *type);
static void ngx_http_tscast_status_event(ngx_event_t *ev);
static ngx_int_t ngx_http_tscast_status_collect(ngx_http_tscast_status_t *s);
static void ngx_http_tscast_status_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *report);
static ngx_int_t ngx_http_tscast_status_answer(ngx_http_tscast_status_t *s);
static ngx_int_t ngx_http_tscast_status_send(ngx_http_tscast_status_t *s);
static void ngx_http_tscast_status_cleanup(void *data);
static char *ngx_http_tscast_status_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_command_t  ngx_http_tscast_status_commands[] = {

    { ngx_string("tscast_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_tscast_status_directive,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_tscast_status_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_tscast_status_module = {
    NGX_MODULE_V1,
    &ngx_http_tscast_status_module_ctx,    /* module context */
    ngx_http_tscast_status_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_tscast_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_cleanup_t        *cln;
    ngx_http_tscast_status_t  *s;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    s = ngx_pcalloc(r->pool, sizeof(ngx_http_tscast_status_t));
    if (s == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s->request = r;
    s->format = ngx_http_tscast_status_format(r);

    if (s->format == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_http_tscast_status_wanted(s) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s->texts = ngx_pcalloc(r->pool, s->format->texts
                                    * sizeof(ngx_http_tscast_text_t));
    if (s->texts == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s->format->begin(s);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_tscast_status_cleanup;
    cln->data = s;

    s->event.handler = ngx_http_tscast_status_event;
    s->event.data = s;
    s->event.log = r->connection->log;

    r->connection->log->action = "collecting a status";

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    r->main->count++;

    if (!s->format->viewers || ngx_http_tscast_status_ask(s) != NGX_OK) {
        ngx_post_event(&s->event, &ngx_posted_next_events);
    }

    return NGX_DONE;
}


/* what ?format= says, else what a browser or Prometheus asks for, else JSON */

static const ngx_http_tscast_format_t *
ngx_http_tscast_status_format(ngx_http_request_t *r)
{
    ngx_str_t                                value;
    ngx_uint_t                               i;
    static const ngx_http_tscast_format_t  *formats[] = {
        &ngx_http_tscast_status_json,
        &ngx_http_tscast_status_prometheus,
        &ngx_http_tscast_status_page
    };

    if (ngx_http_arg(r, (u_char *) "format", sizeof("format") - 1, &value)
        == NGX_OK)
    {
        for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
            if (formats[i]->name.len == value.len
                && ngx_strncmp(formats[i]->name.data, value.data, value.len)
                   == 0)
            {
                return formats[i];
            }
        }

        return NULL;
    }

    if (ngx_http_tscast_status_accepts(r, "text/html")) {
        return &ngx_http_tscast_status_page;
    }

    if (ngx_http_tscast_status_accepts(r, "application/json")) {
        return &ngx_http_tscast_status_json;
    }

    if (ngx_http_tscast_status_accepts(r, "application/openmetrics-text")
        || ngx_http_tscast_status_accepts(r, "text/plain"))
    {
        return &ngx_http_tscast_status_prometheus;
    }

    return &ngx_http_tscast_status_json;
}


/* ?stream=zone/name, the slash perhaps escaped */

static ngx_int_t
ngx_http_tscast_status_wanted(ngx_http_tscast_status_t *s)
{
    u_char     *src, *dst;
    ngx_str_t   value;

    if (ngx_http_arg(s->request, (u_char *) "stream", sizeof("stream") - 1,
                     &value)
        != NGX_OK)
    {
        return NGX_OK;
    }

    dst = ngx_pnalloc(s->request->pool, value.len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    s->wanted.data = dst;
    src = value.data;

    ngx_unescape_uri(&dst, &src, value.len, 0);

    s->wanted.len = dst - s->wanted.data;

    return NGX_OK;
}


/* NGX_OK: the workers of its viewers will tell of them */

static ngx_int_t
ngx_http_tscast_status_ask(ngx_http_tscast_status_t *s)
{
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    zone = ngx_tscast_zone_find((ngx_cycle_t *) ngx_cycle, &s->wanted, &name);

    if (zone == NULL) {
        return NGX_DECLINED;
    }

    s->question.handler = ngx_http_tscast_status_answered;
    s->question.data = s;
    s->question.log = s->request->connection->log;

    return ngx_tscast_mail_ask(&s->question, zone->data, &name);
}


static void
ngx_http_tscast_status_answered(ngx_tscast_question_t *q)
{
    ngx_http_tscast_status_t  *s;

    s = q->data;

    ngx_post_event(&s->event, &ngx_posted_next_events);
}


/* is the type named in an Accept header? */

static ngx_uint_t
ngx_http_tscast_status_accepts(ngx_http_request_t *r, char *type)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("Accept") - 1
                && ngx_strcasecmp(h[i].key.data, (u_char *) "Accept") == 0
                && ngx_strcasestrn(h[i].value.data, type,
                                   ngx_strlen(type) - 1))
            {
                return 1;
            }
        }
    }

    return 0;
}


static void
ngx_http_tscast_status_event(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_tscast_status_t  *s;

    s = ev->data;
    r = s->request;
    c = r->connection;

    rc = s->out ? ngx_http_tscast_status_send(s)
                : ngx_http_tscast_status_collect(s);

    if (rc == NGX_OK) {
        rc = ngx_http_tscast_status_answer(s);
    }

    if (rc == NGX_AGAIN) {
        ngx_post_event(&s->event, &ngx_posted_next_events);
        return;
    }

    ngx_http_finalize_request(r, rc == NGX_DONE ? NGX_OK : rc);

    ngx_http_run_posted_requests(c);
}


/* NGX_AGAIN: there are more streams; NGX_OK: these were all */

static ngx_int_t
ngx_http_tscast_status_collect(ngx_http_tscast_status_t *s)
{
    ngx_uint_t                  n;
    ngx_tscast_zone_t          *zone;
    ngx_tscast_report_stream_t  report;

    for (n = 0; n < NGX_HTTP_TSCAST_STATUS_SLICE; n++) {

        zone = ngx_tscast_report_next(s->nzones);

        if (zone == NULL) {
            return NGX_OK;
        }

        switch (ngx_tscast_report_stream(zone, s->nstreams++, &report)) {

        case NGX_OK:
            ngx_http_tscast_status_stream(s, &report);
            break;

        case NGX_DONE:
            s->nzones++;
            s->nstreams = 0;
            break;
        }
    }

    return NGX_AGAIN;
}


static void
ngx_http_tscast_status_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *report)
{
    u_char                 *p;
    ngx_str_t              *zone;
    ngx_uint_t              i;
    ngx_tscast_counters_t  *sum, *door;

    s->streams++;
    s->live += report->live;

    for (i = 0; i < NGX_TSCAST_DOORS; i++) {
        sum = &s->doors[i];
        door = &report->doors[i];

        sum->publishers += door->publishers;
        sum->viewers += door->viewers;
        sum->rate += door->rate;

        ngx_tscast_report_add(sum, door);
    }

    if (s->wanted.len) {
        zone = ngx_tscast_zone_name(report->zone);
        p = s->wanted.data;

        if (s->wanted.len != zone->len + 1 + report->name_len
            || ngx_memcmp(p, zone->data, zone->len) != 0
            || p[zone->len] != '/'
            || ngx_memcmp(p + zone->len + 1, report->name, report->name_len)
               != 0)
        {
            return;
        }
    }

    s->shown++;

    s->format->stream(s, report);
}


/* all is known: NGX_AGAIN to send it, or the end of the request */

static ngx_int_t
ngx_http_tscast_status_answer(ngx_http_tscast_status_t *s)
{
    off_t                       size;
    ngx_int_t                   rc;
    ngx_uint_t                  i, n;
    ngx_chain_t                *cl, **ll;
    ngx_table_elt_t            *h;
    ngx_tscast_zone_t          *zone;
    ngx_http_request_t         *r;
    ngx_tscast_report_zone_t    report;

    r = s->request;

    if (s->wanted.len && s->shown == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    for (n = 0; (zone = ngx_tscast_report_next(n)) != NULL; n++) {
        ngx_tscast_report_zone(zone, &report);

        for (i = 0; i < NGX_TSCAST_DOORS; i++) {
            ngx_tscast_report_add(&s->doors[i], &report.gone[i]);
        }
    }

    s->format->end(s);

    size = 0;
    cl = NULL;
    ll = &s->out;

    for (i = 0; i < s->format->texts; i++) {
        for (*ll = s->texts[i].first; *ll; ll = &cl->next) {
            cl = *ll;
            size += ngx_buf_size(cl->buf);
        }
    }

    if (s->failed || cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cl->buf->last_buf = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = s->format->type;
    r->headers_out.content_type_len = s->format->type.len;
    r->headers_out.content_length_n = size;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");
    ngx_tscast_header_next(h);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return (rc == NGX_OK) ? NGX_DONE : rc;
    }

    return NGX_AGAIN;
}


/* NGX_AGAIN: there is more */

static ngx_int_t
ngx_http_tscast_status_send(ngx_http_tscast_status_t *s)
{
    ngx_int_t     rc;
    ngx_uint_t    n;
    ngx_chain_t  *out, *cl;

    out = s->out;
    cl = out;

    for (n = 1; n < NGX_HTTP_TSCAST_STATUS_SEND && cl->next; n++) {
        cl = cl->next;
    }

    s->out = cl->next;
    cl->next = NULL;

    rc = ngx_http_output_filter(s->request, out);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return s->out ? NGX_AGAIN : NGX_DONE;
}


void
ngx_http_tscast_status_write(ngx_http_tscast_status_t *s, ngx_uint_t text,
    const char *p, size_t n)
{
    size_t                   len;
    ngx_buf_t               *b;
    ngx_chain_t             *cl;
    ngx_http_tscast_text_t  *t;

    t = &s->texts[text];

    while (n) {
        b = t->last ? t->last->buf : NULL;

        if (b == NULL || b->last == b->end) {

            cl = ngx_alloc_chain_link(s->request->pool);
            if (cl == NULL) {
                s->failed = 1;
                return;
            }

            /* the first one is small: there are many short texts */

            b = ngx_create_temp_buf(s->request->pool,
                                    t->last ? NGX_HTTP_TSCAST_STATUS_BUF
                                            : NGX_HTTP_TSCAST_STATUS_BUF / 16);
            if (b == NULL) {
                s->failed = 1;
                return;
            }

            cl->buf = b;
            cl->next = NULL;

            if (t->last) {
                t->last->next = cl;

            } else {
                t->first = cl;
            }

            t->last = cl;
        }

        len = ngx_min(n, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, p, len);

        p += len;
        n -= len;
    }
}


static void
ngx_http_tscast_status_cleanup(void *data)
{
    ngx_http_tscast_status_t *s = data;

    ngx_tscast_mail_close(&s->question);

    if (s->event.posted) {
        ngx_delete_posted_event(&s->event);
    }
}


static char *
ngx_http_tscast_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_tscast_status_handler) {
        return "is duplicate";
    }

    clcf->handler = ngx_http_tscast_status_handler;

    return NGX_CONF_OK;
}
