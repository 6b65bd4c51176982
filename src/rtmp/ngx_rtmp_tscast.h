
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_RTMP_TSCAST_H_INCLUDED_
#define _NGX_RTMP_TSCAST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_cmd_module.h>

#include "ngx_tscast.h"
#include "ngx_tscast_flv_ts.h"


typedef struct {
    ngx_shm_zone_t          *zone;
    ngx_array_t              name;        /* ngx_rtmp_tscast_part_t */
    ngx_uint_t               takeover;
    ngx_msec_t               timeout;
} ngx_rtmp_tscast_ingest_conf_t;


typedef struct {
    ngx_tscast_publisher_t   publisher;
    ngx_tscast_flv_ts_t      ts;
    ngx_tscast_flv_headers_t headers;
    ngx_event_t              timeout;
    ngx_event_t              flush;
    uint64_t                 left_out;    /* messages */
    ngx_uint_t               reasons;     /* that were logged, a bit each */
    u_char                   args[NGX_RTMP_MAX_ARGS];

    unsigned                 active:1;    /* the stream is ours */
} ngx_rtmp_tscast_ctx_t;


extern ngx_module_t  ngx_rtmp_tscast_module;
extern ngx_module_t  ngx_rtmp_tscast_auth_module;


/* the name of a directive's address, of text and variables; logs */
char *ngx_rtmp_tscast_name_compile(ngx_conf_t *cf, ngx_str_t *value,
    ngx_array_t *parts);

/*
 * The name of the stream that the session publishes, in a buffer of
 * NGX_TSCAST_NAME_LEN + 1 bytes; one that is too long stays too long.
 */
void ngx_rtmp_tscast_name(ngx_rtmp_session_t *s, ngx_array_t *parts,
    u_char *buf, ngx_str_t *name);

/* a message in one piece, until the next one; NGX_OK or NGX_ERROR */
ngx_int_t ngx_rtmp_tscast_gather(ngx_rtmp_session_t *s, ngx_chain_t *in,
    ngx_str_t *message);

/* handler is called for what is behind the names of metadata */
ngx_int_t ngx_rtmp_tscast_script_handler(ngx_conf_t *cf,
    ngx_rtmp_handler_pt handler);

/*
 * What is behind the name of a data message as a tag of metadata, until the
 * next one.  NGX_OK; NGX_DONE, it is something else; NGX_DECLINED, tag->len
 * bytes are too many; or NGX_ERROR.
 */
ngx_int_t ngx_rtmp_tscast_script(ngx_rtmp_session_t *s, ngx_chain_t *in,
    ngx_tscast_flv_tag_t *tag);


#endif /* _NGX_RTMP_TSCAST_H_INCLUDED_ */
