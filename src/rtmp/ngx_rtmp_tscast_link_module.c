
/*
 * Copyright (C) the tscast authors
 */


/*
 * rtmp://host[:port]/app/name: what is before the last slash is the
 * application, what is behind it the stream, with arguments.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_rtmp_tscast_client.h"


/* no header of nginx-rtmp has it */
extern ngx_module_t  ngx_rtmp_module;


static char *ngx_rtmp_tscast_link_conf(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf);
static ngx_int_t ngx_rtmp_tscast_link_split(
    ngx_rtmp_tscast_link_conf_t *rlcf, ngx_str_t *path);
static ngx_int_t ngx_rtmp_tscast_link_host(ngx_cycle_t *cycle,
    ngx_tscast_link_conf_t *lcf);
static void ngx_rtmp_tscast_link_start(ngx_tscast_link_t *link);


static ngx_tscast_scheme_t  ngx_rtmp_tscast_link_scheme = {
    ngx_string("rtmp"),
    NGX_TSCAST_SCHEME_PUSH|NGX_TSCAST_SCHEME_PULL|NGX_TSCAST_SCHEME_PATH
        |NGX_TSCAST_SCHEME_FLV,
    1935,
    NULL,
    ngx_rtmp_tscast_link_conf,
    ngx_rtmp_tscast_link_start,
    ngx_rtmp_tscast_client_close,
    ngx_rtmp_tscast_push_drained,
    ngx_rtmp_tscast_link_host,
    NULL
};


ngx_module_t  ngx_rtmp_tscast_link_module = {
    NGX_MODULE_V1,
    &ngx_rtmp_tscast_link_scheme,          /* module context */
    NULL,                                  /* module directives */
    NGX_TSCAST_MODULE,                     /* module type */
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
ngx_rtmp_tscast_link_conf(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    ngx_rtmp_tscast_link_conf_t  *rlcf;

    rlcf = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_tscast_link_conf_t));
    if (rlcf == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->conf = rlcf;

    if (lcf->url.user.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "rtmp:// has no user: \"%V\"", &lcf->address);
        return NGX_CONF_ERROR;
    }

    if (ngx_rtmp_tscast_link_split(rlcf, &lcf->url.path) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no application and stream in \"%V\"",
                           &lcf->address);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_rtmp_tscast_link_split(ngx_rtmp_tscast_link_conf_t *rlcf, ngx_str_t *path)
{
    u_char  *p, *start, *slash, *last;

    if (path->len == 0 || path->data[0] != '/') {
        return NGX_DECLINED;
    }

    start = path->data + 1;
    last = path->data + path->len;
    slash = start;

    for (p = start; p < last && *p != '?'; p++) {
        if (*p == '/') {
            slash = p;
        }
    }

    if (slash == start || slash + 1 == p) {
        return NGX_DECLINED;
    }

    rlcf->app.data = start;
    rlcf->app.len = slash - start;

    rlcf->name.data = slash + 1;
    rlcf->name.len = last - rlcf->name.data;

    return NGX_OK;
}


/* sessions of nginx-rtmp are those of a server: the first one */

static ngx_int_t
ngx_rtmp_tscast_link_host(ngx_cycle_t *cycle, ngx_tscast_link_conf_t *lcf)
{
    ngx_rtmp_conf_ctx_t          *ctx;
    ngx_rtmp_core_srv_conf_t     *cscf, **servers;
    ngx_rtmp_core_main_conf_t    *cmcf;
    ngx_rtmp_tscast_link_conf_t  *rlcf;

    rlcf = lcf->conf;
    ctx = (ngx_rtmp_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_rtmp_module);

    cmcf = ctx ? ctx->main_conf[ngx_rtmp_core_module.ctx_index] : NULL;

    if (cmcf == NULL || cmcf->servers.nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"%V\" needs a server in rtmp {}", &lcf->address);
        return NGX_ERROR;
    }

    servers = cmcf->servers.elts;
    cscf = servers[0]->ctx->srv_conf[ngx_rtmp_core_module.ctx_index];

    rlcf->addr.ctx = cscf->ctx;
    ngx_str_set(&rlcf->addr.addr_text, "tscast");

    return NGX_DECLINED;
}


static void
ngx_rtmp_tscast_link_start(ngx_tscast_link_t *link)
{
    ngx_tscast_link_tcp(link, ngx_rtmp_tscast_client_open);
}
