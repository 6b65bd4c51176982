
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_HOOK_H_INCLUDED_
#define _NGX_TSCAST_HOOK_H_INCLUDED_


/*
 * Servers elsewhere that are told what happens here, and asked what may: one
 * request over HTTP, one answer, by the means of links over HTTP.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_tscast.h"
#include "ngx_tscast_link_http.h"


typedef struct ngx_tscast_call_s  ngx_tscast_call_t;
typedef struct ngx_tscast_auth_s  ngx_tscast_auth_t;


/* where a directive calls */

typedef struct {
    u_char                *file;         /* where it is configured */
    ngx_uint_t             line;

    ngx_str_t              address;      /* the URL as written */
    ngx_tscast_url_t       url;
    ngx_addr_t            *addr;         /* of a literal host, or NULL */
    ngx_msec_t             timeout;      /* of all of a call */
    ngx_tscast_link_http_conf_t  *http;
} ngx_tscast_call_conf_t;


typedef struct {
    ngx_tscast_call_conf_t  *call;
    ngx_uint_t             viewers;      /* are told of as well */
    ngx_uint_t             queue;        /* events that wait at most */
    ngx_msec_t             reconnect;
    ngx_msec_t             reconnect_max;
} ngx_tscast_notify_conf_t;


typedef struct {
    ngx_array_t            calls;        /* ngx_tscast_call_conf_t * */
    ngx_tscast_notify_conf_t  *notify;
    ngx_shm_zone_t        *shm_zone;     /* of notify */
} ngx_tscast_hook_conf_t;


/*
 * There was an answer, call->status, or none and call->why says why.  The call
 * is gone afterwards.
 */
typedef void (*ngx_tscast_call_done_pt)(ngx_tscast_call_t *call);


struct ngx_tscast_call_s {
    ngx_tscast_call_conf_t  *conf;
    ngx_pool_t            *pool;

    /* set by the caller before ngx_tscast_call_start() */

    void                  *data;
    ngx_tscast_call_done_pt  done;
    ngx_str_t              lines;        /* of the head, each with CRLF */
    ngx_str_t              body;         /* JSON: a POST, or a GET without */

    /* read by the caller in done() */

    ngx_uint_t             status;       /* 0: there was no answer */
    ngx_err_t              err;
    ngx_str_t              why;
    ngx_tscast_link_http_parse_t  parse;

    /* its own */

    ngx_log_t              log;
    ngx_log_t              quiet;        /* the caller says it */
    ngx_event_t            begin;
    ngx_event_t            timer;
    ngx_resolver_ctx_t    *resolve;
    void                  *peers;        /* of an upstream, or NULL */
    ngx_str_t              peer_name;    /* the address as text */
    ngx_peer_connection_t  peer;
    u_char                *pos;          /* what is to be sent */
    u_char                *last;
    u_char                 buf[NGX_TSCAST_RECORD_ERROR];
};


/* what is counted of events, by all workers since the start */

typedef struct {
    uint64_t               told;         /* that have happened */
    uint64_t               sent;
    uint64_t               dropped;
    uint64_t               waiting;
    uint64_t               failures;     /* requests that were not answered */
} ngx_tscast_notify_report_t;


/* the answer: NGX_OK, NGX_DECLINED, or NGX_ERROR when there was none; logged */
typedef void (*ngx_tscast_auth_pt)(ngx_tscast_auth_t *auth, ngx_int_t rc);


struct ngx_tscast_auth_s {

    /* set by the door before ngx_tscast_auth_ask() */

    ngx_uint_t             publish;      /* or play */
    ngx_tscast_door_e      door;
    ngx_str_t              zone;
    ngx_str_t              name;         /* that was checked */
    ngx_str_t              address;
    ngx_str_t              args;
    ngx_log_t             *log;
    void                  *data;
    ngx_tscast_auth_pt     handler;

    /* read by the door: another name, or none */

    ngx_str_t              renamed;

    /* its own */

    ngx_tscast_call_t     *call;
    u_char                 buf[NGX_TSCAST_NAME_LEN];
};


extern ngx_module_t  ngx_tscast_hook_module;


/* ngx_tscast_call_conf.c */

/* of a directive; NULL after logging why not */
ngx_tscast_call_conf_t *ngx_tscast_call_add(ngx_conf_t *cf,
    ngx_str_t *address);

/* NGX_OK, or NGX_DECLINED when the parameter is another or not valid */
ngx_int_t ngx_tscast_call_param(ngx_tscast_call_conf_t *ccf,
    ngx_str_t *param);

/* all of the configuration has been read; NGX_ERROR after logging why */
ngx_int_t ngx_tscast_call_check(ngx_cycle_t *cycle,
    ngx_tscast_call_conf_t *ccf);

/* ngx_tscast_call.c */

/* NULL when there is no memory */
ngx_tscast_call_t *ngx_tscast_call_create(ngx_tscast_call_conf_t *ccf);

/* done() is called once, and not before this returns */
void ngx_tscast_call_start(ngx_tscast_call_t *call);

/* done() is not called any more */
void ngx_tscast_call_cancel(ngx_tscast_call_t *call);

/* ngx_tscast_notify.c */

ngx_int_t ngx_tscast_notify_init_zone(ngx_shm_zone_t *shm_zone, void *data);
void ngx_tscast_notify_init(ngx_cycle_t *cycle,
    ngx_tscast_hook_conf_t *hcf);
void ngx_tscast_notify_exit(void);

/* NGX_OK, or NGX_DECLINED when nobody is told */
ngx_int_t ngx_tscast_notify_report(ngx_tscast_notify_report_t *report);

/* ngx_tscast_notify_json.c */

/* the event in a buffer of the worker, its length; 0: no memory */
size_t ngx_tscast_notify_json(ngx_tscast_event_t *event, uint64_t serial,
    u_char **text);

/* ngx_tscast_auth.c */

/* what is still asked when the pool goes is cancelled; NGX_OK or NGX_ERROR */
ngx_int_t ngx_tscast_auth_bind(ngx_tscast_auth_t *auth, ngx_pool_t *pool);

/* NGX_OK, and handler is called later; or NGX_ERROR, after logging */
ngx_int_t ngx_tscast_auth_ask(ngx_tscast_auth_t *auth,
    ngx_tscast_call_conf_t *ccf);

/* handler is not called any more; harmless when it has been */
void ngx_tscast_auth_cancel(ngx_tscast_auth_t *auth);


#endif /* _NGX_TSCAST_HOOK_H_INCLUDED_ */
