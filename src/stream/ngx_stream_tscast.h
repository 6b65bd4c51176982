
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_STREAM_TSCAST_H_INCLUDED_
#define _NGX_STREAM_TSCAST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_tscast.h"
#include "ngx_tscast_hook.h"


/* what $status says, beside those of nginx: the same as in http */
#define NGX_STREAM_TSCAST_NOT_FOUND    404
#define NGX_STREAM_TSCAST_TIMED_OUT    408
#define NGX_STREAM_TSCAST_CONFLICT     409
#define NGX_STREAM_TSCAST_NOT_TS       415
#define NGX_STREAM_TSCAST_NOT_FETCHED  504
#define NGX_STREAM_TSCAST_NO_MEMORY    507


/* zone/name of a directive, the name with variables */

typedef struct {
    ngx_shm_zone_t              *zone;
    ngx_stream_complex_value_t   name;
} ngx_stream_tscast_address_t;


typedef struct {
    ngx_stream_tscast_address_t  address;
    ngx_uint_t                   takeover;
    ngx_msec_t                   timeout;
} ngx_stream_tscast_ingest_conf_t;


typedef struct {
    ngx_stream_tscast_address_t  address;
    ngx_uint_t                   start;
    ngx_uint_t                   lag;
    ngx_msec_t                   flush;
    ngx_msec_t                   linger;
} ngx_stream_tscast_play_conf_t;


typedef struct {
    ngx_tscast_call_conf_t      *call;
    ngx_stream_complex_value_t  *args;      /* or NULL */
} ngx_stream_tscast_auth_conf_t;


typedef struct {
    ngx_stream_tscast_ingest_conf_t  *ingest;
    ngx_stream_tscast_play_conf_t    *play;
    ngx_stream_tscast_auth_conf_t    *auth;
    u_char                      *file;      /* of the directive */
    ngx_uint_t                   line;
} ngx_stream_tscast_srv_conf_t;


/* of a sender over UDP, who cannot be told that nobody listens */

typedef struct {
    ngx_uint_t                   looked;    /* datagrams, for RTP */
    ngx_int_t                    refused;   /* NGX_OK or NGX_TSCAST_* */
    ngx_msec_t                   refused_at;
    ngx_msec_t                   asked_at;
    uint64_t                     lost;      /* bytes while it was refused */
    uint64_t                     counted;   /* of these, by the hub */

    unsigned                     rtp:1;
    unsigned                     asking:1;  /* whether it may publish */
    unsigned                     allowed:1; /* it may */
} ngx_stream_tscast_udp_t;


typedef struct {
    ngx_str_t                    name;      /* of the stream */
    ngx_tscast_zone_t           *zone;
    ngx_tscast_publisher_t      *publisher;
    ngx_tscast_viewer_t         *viewer;
    ngx_stream_tscast_udp_t      udp;
    ngx_tscast_auth_t           *auth;

    unsigned                     published:1;
} ngx_stream_tscast_ctx_t;


extern ngx_module_t  ngx_stream_tscast_module;


/* TCP */

void ngx_stream_tscast_ingest(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);
void ngx_stream_tscast_play(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);

/* UDP */

void ngx_stream_tscast_udp(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);

/* the publisher of a session, in ctx->publisher; NGX_OK or NGX_ERROR */
ngx_int_t ngx_stream_tscast_publisher(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);

/* returns as ngx_tscast_publish() */
ngx_int_t ngx_stream_tscast_publish(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, ngx_tscast_ousted_pt ousted);

/* leaves the hub and ends the session */
void ngx_stream_tscast_end(ngx_stream_session_t *s, ngx_uint_t status);

/* tscast_auth */

char *ngx_stream_tscast_auth_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* asks: NGX_OK, and handler is called later; or NGX_ERROR */
ngx_int_t ngx_stream_tscast_auth(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, ngx_tscast_auth_pt handler);

/* the same for TCP: goes on to the door, or ends the session */
void ngx_stream_tscast_auth_tcp(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);

/* the door of the session */
void ngx_stream_tscast_enter(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);

/* a write handler where nothing is written */
void ngx_stream_tscast_ignore(ngx_event_t *wev);


#endif /* _NGX_STREAM_TSCAST_H_INCLUDED_ */
