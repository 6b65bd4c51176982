
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_LINK_TLS_H_INCLUDED_
#define _NGX_TSCAST_LINK_TLS_H_INCLUDED_


/*
 * TLS of links, for any scheme over TCP.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


struct ngx_tscast_link_tls_s {
    ngx_uint_t             verify;       /* or NGX_CONF_UNSET_UINT */
    ngx_str_t              trusted;
    ngx_str_t              certificate;
    ngx_str_t              key;
    ngx_str_t              name;         /* instead of the host */
#if (NGX_SSL)
    ngx_ssl_t             *ssl;
#endif
};


void ngx_tscast_link_tls_init(ngx_tscast_link_tls_t *tls);

/* NGX_OK, or NGX_DECLINED when the parameter is another or not valid */
ngx_int_t ngx_tscast_link_tls_param(ngx_tscast_link_tls_t *tls,
    ngx_str_t *param);

/*
 * When all of the configuration was read.  Returns NGX_OK, or NGX_ERROR after
 * logging why.
 */
ngx_int_t ngx_tscast_link_tls_create(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf, ngx_tscast_link_tls_t *tls);

/*
 * TLS over any open connection.  Returns NGX_OK when the handshake is over,
 * well or not, NGX_AGAIN when c->ssl->handler is called then, or NGX_ERROR.
 */
ngx_int_t ngx_tscast_link_tls_begin(ngx_connection_t *c,
    ngx_tscast_link_tls_t *tls, ngx_str_t *host);

/*
 * After that: NGX_OK when the peer has shown that it is the host, or
 * NGX_DECLINED with the reason in *why, which has room for
 * NGX_TSCAST_RECORD_ERROR bytes.
 */
ngx_int_t ngx_tscast_link_tls_test(ngx_connection_t *c,
    ngx_tscast_link_tls_t *tls, ngx_str_t *why);

/* before the connection is closed; harmless when there is no TLS */
void ngx_tscast_link_tls_shutdown(ngx_connection_t *c);

/*
 * Over an open connection: handler is called when the peer has shown that it
 * is the host.  Failures go to ngx_tscast_link_fail() by themselves.
 */
void ngx_tscast_link_tls(ngx_tscast_link_t *link, ngx_tscast_link_tls_t *tls,
    ngx_str_t *host, void (*handler)(ngx_tscast_link_t *link));

/* before the connection is closed; harmless when there is no TLS */
void ngx_tscast_link_tls_close(ngx_tscast_link_t *link);


#endif /* _NGX_TSCAST_LINK_TLS_H_INCLUDED_ */
