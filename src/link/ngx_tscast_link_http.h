
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_LINK_HTTP_H_INCLUDED_
#define _NGX_TSCAST_LINK_HTTP_H_INCLUDED_


/*
 * http:// and https://, an HTTP/1.1 client: a pull is a GET whose answer has
 * no end, a push a POST whose body has none.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"
#include "ngx_tscast_link_http_parse.h"
#include "ngx_tscast_link_tls.h"


typedef struct {
    ngx_tscast_link_tls_t  tls;
    ngx_array_t            headers;      /* ngx_str_t, "Name: value" */
    ngx_uint_t             put;          /* a push by PUT */
    ngx_uint_t             hash;         /* balance=hash */
    void                  *upstream;     /* of http {}, or NULL */
} ngx_tscast_link_http_conf_t;


typedef struct {
    ngx_tscast_link_http_parse_t  parse;

    u_char                *pos;          /* what is to be sent */
    u_char                *last;

    ngx_uint_t             redirects;
    ngx_event_t            expect;       /* of a push: for 100 (Continue) */

    unsigned               tls:1;
    unsigned               away:1;       /* redirected to another server */
    unsigned               begun:1;      /* a push sends its stream */
} ngx_tscast_link_http_t;


/* ngx_tscast_link_http_conf.c */

ngx_int_t ngx_tscast_link_http_param(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf, ngx_str_t *param);
char *ngx_tscast_link_http_conf(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf);
ngx_int_t ngx_tscast_link_http_host(ngx_cycle_t *cycle,
    ngx_tscast_link_conf_t *lcf);

/* NULL when there is no memory */
ngx_tscast_link_http_conf_t *ngx_tscast_link_http_create_conf(
    ngx_conf_t *cf);

/* the value of "header="; NGX_OK, or NGX_DECLINED when it is none */
ngx_int_t ngx_tscast_link_http_header(ngx_tscast_link_http_conf_t *hlcf,
    ngx_str_t *value);

/* does the configuration have a header of this name? */
ngx_uint_t ngx_tscast_link_http_has(ngx_tscast_link_http_conf_t *hlcf,
    char *name);

/* ngx_tscast_link_http.c */

void ngx_tscast_link_http_start(ngx_tscast_link_t *link);
void ngx_tscast_link_http_stop(ngx_tscast_link_t *link);

/* on write events: sends from ctx->pos on */
void ngx_tscast_link_http_write(ngx_event_t *ev);

/*
 * Reads and parses a head.  Returns NGX_OK with what comes behind it up to
 * *last, NGX_AGAIN, NGX_DONE when the connection has ended, or NGX_ERROR after
 * which the link is in its next state.
 */
ngx_int_t ngx_tscast_link_http_head(ngx_event_t *ev, u_char **pos,
    u_char **last);

/* what the peer answers is not what was hoped for */
void ngx_tscast_link_http_refused(ngx_tscast_link_t *link);

/* ngx_tscast_link_http_request.c */

/* link->url for the stream of the link; NGX_OK or NGX_ERROR */
ngx_int_t ngx_tscast_link_http_expand(ngx_tscast_link_t *link);

/* the request's head, in ctx->pos; returns NULL, or what is wrong */
char *ngx_tscast_link_http_request(ngx_tscast_link_t *link);

/*
 * The request line, Host, User-Agent and the headers of the configuration,
 * unless that is NULL, from *pos on.  Returns where room for more bytes is
 * left, or NULL when there is no memory.
 */
u_char *ngx_tscast_link_http_make_head(ngx_pool_t *pool, u_char **pos,
    const char *method, ngx_tscast_url_t *url,
    ngx_tscast_link_http_conf_t *hlcf, size_t more);

/* ngx_tscast_link_http_pull.c */

void ngx_tscast_link_http_pull_read(ngx_event_t *ev);

/* ngx_tscast_link_http_push.c */

void ngx_tscast_link_http_push_wait(ngx_tscast_link_t *link);
void ngx_tscast_link_http_push_read(ngx_event_t *ev);
void ngx_tscast_link_http_push_drained(ngx_tscast_link_t *link);

/* ngx_tscast_link_http_peer.c */

/*
 * NGX_OK with hlcf->upstream when this is the name of one of http {}, or
 * NGX_DECLINED
 */
ngx_int_t ngx_tscast_link_http_upstream(ngx_cycle_t *cycle, ngx_str_t *name,
    ngx_tscast_link_http_conf_t *hlcf);

/* NGX_OK with the peer's address set, or NGX_BUSY */
ngx_int_t ngx_tscast_link_http_peer(ngx_tscast_link_t *link);

/* the peer is not to blame; with refused, nor is another one to be tried */
void ngx_tscast_link_http_peer_fine(ngx_tscast_link_t *link,
    ngx_uint_t refused);

void ngx_tscast_link_http_peer_free(ngx_tscast_link_t *link);

/*
 * Without a link: the address of the next peer, in *peers what is to be kept,
 * NULL at first.  NGX_OK, or NGX_BUSY when each was tried.
 */
ngx_int_t ngx_tscast_link_http_peer_next(void **peers,
    ngx_tscast_link_http_conf_t *hlcf, ngx_pool_t *pool, ngx_log_t *log,
    ngx_addr_t *addr);

/* harmless when there is none */
void ngx_tscast_link_http_peer_done(void *peers, ngx_uint_t failed);
ngx_int_t ngx_tscast_link_http_next(ngx_tscast_link_t *link,
    ngx_uint_t stable);


#endif /* _NGX_TSCAST_LINK_HTTP_H_INCLUDED_ */
