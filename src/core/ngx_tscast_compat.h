
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_COMPAT_H_INCLUDED_
#define _NGX_TSCAST_COMPAT_H_INCLUDED_


/* the one place that asks for the version of nginx */


#include <ngx_config.h>
#include <ngx_core.h>


#if (nginx_version < 1022001)
#error "tscast needs nginx 1.22.1 or newer"
#endif


#if (nginx_version >= 1023000)
#define ngx_tscast_header_next(h)  (h)->next = NULL
#else
#define ngx_tscast_header_next(h)
#endif


/* srv_conf of the server that an address leads to: ngx_stream_addr_conf_t */

#if (nginx_version >= 1025005)
#define ngx_tscast_stream_srv_conf(addr)  (addr)->default_server->ctx->srv_conf
#else
#define ngx_tscast_stream_srv_conf(addr)  (addr)->ctx->srv_conf
#endif


/* peers of an upstream may be replaced while it is used */

#if (nginx_version >= 1027003 && NGX_HTTP_UPSTREAM_ZONE)
#define ngx_tscast_peers_config(rrp, peers)                                   \
    (rrp)->config = (peers)->config ? *(peers)->config : 0
#else
#define ngx_tscast_peers_config(rrp, peers)
#endif


#endif /* _NGX_TSCAST_COMPAT_H_INCLUDED_ */
