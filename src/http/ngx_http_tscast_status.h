
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_HTTP_TSCAST_STATUS_H_INCLUDED_
#define _NGX_HTTP_TSCAST_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_tscast.h"
#include "ngx_tscast_report.h"
#include "ngx_tscast_control.h"


typedef struct ngx_http_tscast_status_s  ngx_http_tscast_status_t;


/* a part of an answer, which grows */

typedef struct {
    ngx_chain_t               *first;
    ngx_chain_t               *last;
} ngx_http_tscast_text_t;


typedef struct {
    ngx_str_t                  name;          /* of ?format= */
    ngx_str_t                  type;
    ngx_uint_t                 texts;         /* in the order of the answer */
    ngx_uint_t                 viewers;       /* of one stream are listed */

    /* these set failed where they fail */

    void                     (*begin)(ngx_http_tscast_status_t *s);
    void                     (*stream)(ngx_http_tscast_status_t *s,
                                       ngx_tscast_report_stream_t *r);
    void                     (*end)(ngx_http_tscast_status_t *s);
} ngx_http_tscast_format_t;


struct ngx_http_tscast_status_s {
    ngx_http_request_t        *request;
    const ngx_http_tscast_format_t  *format;
    ngx_str_t                  wanted;        /* zone/name, or empty */
    ngx_tscast_question_t      question;      /* who watches it? */

    /* seen so far, whether wanted or not */

    ngx_uint_t                 nzones;
    ngx_uint_t                 nstreams;      /* of this zone */
    ngx_uint_t                 streams;
    ngx_uint_t                 live;
    ngx_uint_t                 shown;
    ngx_tscast_counters_t      doors[NGX_TSCAST_DOORS];

    ngx_http_tscast_text_t    *texts;
    ngx_chain_t               *out;           /* to be sent yet */
    ngx_event_t                event;         /* of the next slice */

    unsigned                   failed:1;
};


extern const ngx_http_tscast_format_t  ngx_http_tscast_status_json;
extern const ngx_http_tscast_format_t  ngx_http_tscast_status_prometheus;
extern const ngx_http_tscast_format_t  ngx_http_tscast_status_page;


void ngx_http_tscast_status_write(ngx_http_tscast_status_t *s,
    ngx_uint_t text, const char *p, size_t n);


#endif /* _NGX_HTTP_TSCAST_STATUS_H_INCLUDED_ */
