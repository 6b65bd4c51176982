
/*
 * Copyright (C) the tscast authors
 */


/*
 * Which listeners lead to the doors, and whether they can: this is known when
 * all of the configuration has been read, worker_processes and events {} too.
 * A core module is asked then.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>

#include "ngx_stream_tscast.h"


static char *ngx_stream_tscast_listen_init_conf(ngx_cycle_t *cycle,
    void *conf);
static ngx_stream_addr_conf_t *ngx_stream_tscast_listen_addr(
    ngx_listening_t *ls, ngx_uint_t n);
static ngx_int_t ngx_stream_tscast_listen_check(ngx_cycle_t *cycle,
    ngx_listening_t *ls, ngx_stream_tscast_srv_conf_t *tscf);


static ngx_core_module_t  ngx_stream_tscast_listen_module_ctx = {
    ngx_string("stream_tscast_listen"),
    NULL,
    ngx_stream_tscast_listen_init_conf
};


ngx_module_t  ngx_stream_tscast_listen_module = {
    NGX_MODULE_V1,
    &ngx_stream_tscast_listen_module_ctx,  /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_stream_tscast_listen_init_conf(ngx_cycle_t *cycle, void *conf)
{
    void                         **srv_conf;
    ngx_uint_t                     i, n;
    ngx_listening_t               *ls;
    ngx_stream_port_t             *port;
    ngx_stream_tscast_srv_conf_t  *tscf;

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ls[i].handler != ngx_stream_init_connection
            || ls[i].type != SOCK_DGRAM)
        {
            continue;
        }

        if (ls[i].worker != 0) {
            /* a copy */
            continue;
        }

        port = ls[i].servers;

        for (n = 0; n < port->naddrs; n++) {

            srv_conf = ngx_tscast_stream_srv_conf(
                                    ngx_stream_tscast_listen_addr(&ls[i], n));
            tscf = srv_conf[ngx_stream_tscast_module.ctx_index];

            if (ngx_stream_tscast_listen_check(cycle, &ls[i], tscf)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }
        }
    }

    return NGX_CONF_OK;
}


static ngx_stream_addr_conf_t *
ngx_stream_tscast_listen_addr(ngx_listening_t *ls, ngx_uint_t n)
{
    ngx_stream_port_t      *port;
    ngx_stream_in_addr_t   *addr;
#if (NGX_HAVE_INET6)
    ngx_stream_in6_addr_t  *addr6;
#endif

    port = ls->servers;

#if (NGX_HAVE_INET6)
    if (ls->sockaddr->sa_family == AF_INET6) {
        addr6 = port->addrs;
        return &addr6[n].conf;
    }
#endif

    addr = port->addrs;

    return &addr[n].conf;
}


static ngx_int_t
ngx_stream_tscast_listen_check(ngx_cycle_t *cycle, ngx_listening_t *ls,
    ngx_stream_tscast_srv_conf_t *tscf)
{
    ngx_core_conf_t   *ccf;
    ngx_event_conf_t  *ecf;

    if (tscf->play) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"tscast_play\" cannot serve \"listen %V udp\", which "
                      "is the work of \"push\" in %s:%ui",
                      &ls->addr_text, tscf->file, tscf->line);
        return NGX_ERROR;
    }

    if (tscf->ingest == NULL) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (!ls->reuseport && ccf->master && ccf->worker_processes > 1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"listen %V udp\" of \"tscast_ingest\" needs "
                      "\"reuseport\", or the datagrams of one sender go to "
                      "all of the %i workers in %s:%ui",
                      &ls->addr_text, ccf->worker_processes, tscf->file,
                      tscf->line);
        return NGX_ERROR;
    }

    ecf = ngx_event_get_conf(cycle->conf_ctx, ngx_event_core_module);

    if (!ecf->multi_accept) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"listen %V udp\" of \"tscast_ingest\" loses datagrams "
                      "without \"multi_accept on\" in events {} in %s:%ui",
                      &ls->addr_text, tscf->file, tscf->line);
    }

    return NGX_OK;
}
