
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"
#include "ngx_tscast_report.h"


static void *ngx_tscast_link_create_conf(ngx_cycle_t *cycle);
static char *ngx_tscast_link_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_tscast_link_init_process(ngx_cycle_t *cycle);
static char *ngx_tscast_link_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_tscast_link_commands[] = {

    { ngx_string("push"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_2MORE,
      ngx_tscast_link_directive,
      0,
      0,
      NULL },

    { ngx_string("pull"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_2MORE,
      ngx_tscast_link_directive,
      0,
      0,
      NULL },

    { ngx_string("resolver"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_tscast_link_resolver,
      0,
      0,
      NULL },

    { ngx_string("resolver_timeout"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_tscast_link_main_conf_t, resolver_timeout),
      NULL },

    { ngx_string("ssl_verify"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_tscast_link_main_conf_t, ssl_verify),
      NULL },

    { ngx_string("ssl_trusted_certificate"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_tscast_link_main_conf_t, ssl_trusted_certificate),
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_tscast_link_module_ctx = {
    ngx_string("tscast_link"),
    ngx_tscast_link_create_conf,
    ngx_tscast_link_init_conf
};


ngx_module_t  ngx_tscast_link_module = {
    NGX_MODULE_V1,
    &ngx_tscast_link_module_ctx,           /* module context */
    ngx_tscast_link_commands,              /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_tscast_link_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_tscast_link_create_conf(ngx_cycle_t *cycle)
{
    ngx_tscast_link_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cycle->pool, sizeof(ngx_tscast_link_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lmcf->resolver = NULL;
     *     lmcf->ssl_trusted_certificate = { 0, NULL };
     */

    if (ngx_array_init(&lmcf->links, cycle->pool, 4,
                       sizeof(ngx_tscast_link_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    lmcf->resolver_timeout = NGX_CONF_UNSET_MSEC;
    lmcf->ssl_verify = NGX_CONF_UNSET;

    return lmcf;
}


static char *
ngx_tscast_link_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_tscast_link_main_conf_t *lmcf = conf;

    ngx_conf_init_msec_value(lmcf->resolver_timeout, 30000);
    ngx_conf_init_value(lmcf->ssl_verify, 1);

    return ngx_tscast_link_check(cycle, lmcf);
}


static ngx_int_t
ngx_tscast_link_init_process(ngx_cycle_t *cycle)
{
    if ((ngx_process != NGX_PROCESS_WORKER
         && ngx_process != NGX_PROCESS_SINGLE)
        || ngx_tscast_report_next(0) == NULL)
    {
        return NGX_OK;
    }

    return ngx_tscast_link_init(cycle);
}


static char *
ngx_tscast_link_resolver(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_tscast_link_main_conf_t *lmcf = conf;

    ngx_str_t  *value;

    if (lmcf->resolver) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lmcf->resolver = ngx_resolver_create(cf, &value[1], cf->args->nelts - 1);
    if (lmcf->resolver == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
