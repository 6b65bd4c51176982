
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_HTTP_TSCAST_H_INCLUDED_
#define _NGX_HTTP_TSCAST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_tscast.h"
#include "ngx_http_tscast_ws_frame.h"


/* RFC 5842, 7.2; nginx has no name for it */
#define NGX_HTTP_TSCAST_LOOP  508


/* zone/name of a directive, the name with variables */

typedef struct {
    ngx_shm_zone_t            *zone;
    ngx_http_complex_value_t   name;
} ngx_http_tscast_address_t;


typedef struct {
    ngx_http_tscast_address_t  address;
    ngx_uint_t                 takeover;
    ngx_msec_t                 timeout;
} ngx_http_tscast_ingest_conf_t;


typedef struct {
    ngx_http_tscast_address_t  address;
    ngx_uint_t                 format;
    ngx_uint_t                 flv_time;
    ngx_uint_t                 start;
    ngx_uint_t                 lag;
    ngx_msec_t                 flush;
    ngx_msec_t                 linger;
    ngx_msec_t                 ping;
} ngx_http_tscast_play_conf_t;


typedef struct {
    ngx_http_tscast_ingest_conf_t  *ingest;
    ngx_http_tscast_play_conf_t    *play;
} ngx_http_tscast_loc_conf_t;


typedef struct {
    ngx_event_t                ping;
    ngx_uint_t                 unanswered;    /* pings in a row */
    ngx_http_tscast_ws_t       parser;
} ngx_http_tscast_ws_session_t;


typedef struct {
    ngx_http_request_t        *request;
    ngx_str_t                  name;          /* of the stream */
    ngx_tscast_publisher_t    *publisher;
    ngx_tscast_viewer_t       *viewer;
    ngx_http_tscast_ws_session_t  *ws;

    ngx_chain_t               *free;          /* of what goes by filters */
    ngx_chain_t               *busy;

    unsigned                   filtered:1;    /* nginx's filters see it */
    unsigned                   started:1;     /* the header has left */
    unsigned                   ending:1;      /* the last bytes are queued */
} ngx_http_tscast_ctx_t;


extern ngx_module_t  ngx_http_tscast_module;

extern const ngx_tscast_framing_t  ngx_http_tscast_ws_framing;


/* NGX_OK with the stream's name in ctx->name, or a status */
ngx_int_t ngx_http_tscast_prepare(ngx_http_request_t *r,
    ngx_http_tscast_address_t *address, ngx_http_tscast_ctx_t **pctx);

/* an encoder that does not read its answer is to notice: closes soon */
void ngx_http_tscast_refuse(ngx_http_request_t *r);

ngx_int_t ngx_http_tscast_ingest(ngx_http_request_t *r,
    ngx_http_tscast_ingest_conf_t *icf);

ngx_int_t ngx_http_tscast_play(ngx_http_request_t *r,
    ngx_http_tscast_play_conf_t *pcf);

/* the viewer's last bytes, then the request is finalized with rc */
void ngx_http_tscast_play_end(ngx_http_request_t *r, u_char *p, size_t n,
    ngx_int_t rc);

/* v->send where nginx's filters are to see the body */
ssize_t ngx_http_tscast_filter_send(ngx_tscast_viewer_t *v,
    struct iovec *iov, ngx_uint_t n);

/* 1 when the client asks for WebSocket */
ngx_uint_t ngx_http_tscast_ws_asked(ngx_http_request_t *r);

/* NGX_OK with the headers of the answer set, NGX_DONE after an answer of its
 * own, or a status */
ngx_int_t ngx_http_tscast_ws_handshake(ngx_http_request_t *r);

ngx_int_t ngx_http_tscast_ws_create(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);
void ngx_http_tscast_ws_start(ngx_http_request_t *r, ngx_msec_t ping);
void ngx_http_tscast_ws_close(ngx_http_request_t *r, ngx_uint_t code,
    ngx_int_t rc);
void ngx_http_tscast_ws_away(ngx_http_tscast_ctx_t *ctx);
void ngx_http_tscast_ws_cleanup(ngx_http_tscast_ctx_t *ctx);

/* NGX_OK with the nodes that the request has come through, or a status */
ngx_int_t ngx_http_tscast_via(ngx_http_request_t *r, ngx_tscast_via_t **via);

/* tells the nodes that the stream has come through; returns the same */
ngx_int_t ngx_http_tscast_via_answer(ngx_http_request_t *r,
    ngx_tscast_zone_t *zone, ngx_str_t *name);

ngx_int_t ngx_http_tscast_add_header(ngx_http_request_t *r, char *key,
    u_char *value, size_t len);


#endif /* _NGX_HTTP_TSCAST_H_INCLUDED_ */
