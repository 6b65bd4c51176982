
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hook.h"


/* of the shared counters */
#define NGX_TSCAST_NOTIFY_ZONE  (64 * 1024)


static void *ngx_tscast_hook_create_conf(ngx_cycle_t *cycle);
static char *ngx_tscast_hook_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_tscast_hook_init_process(ngx_cycle_t *cycle);
static void ngx_tscast_hook_exit_process(ngx_cycle_t *cycle);
static char *ngx_tscast_hook_notify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_tscast_hook_zone(ngx_conf_t *cf,
    ngx_tscast_hook_conf_t *hcf);


static ngx_command_t  ngx_tscast_hook_commands[] = {

    { ngx_string("notify"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_tscast_hook_notify,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_tscast_hook_module_ctx = {
    ngx_string("tscast_hook"),
    ngx_tscast_hook_create_conf,
    ngx_tscast_hook_init_conf
};


ngx_module_t  ngx_tscast_hook_module = {
    NGX_MODULE_V1,
    &ngx_tscast_hook_module_ctx,           /* module context */
    ngx_tscast_hook_commands,              /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_tscast_hook_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_tscast_hook_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_tscast_hook_create_conf(ngx_cycle_t *cycle)
{
    ngx_tscast_hook_conf_t  *hcf;

    hcf = ngx_pcalloc(cycle->pool, sizeof(ngx_tscast_hook_conf_t));
    if (hcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     hcf->notify = NULL;
     *     hcf->shm_zone = NULL;
     */

    if (ngx_array_init(&hcf->calls, cycle->pool, 4,
                       sizeof(ngx_tscast_call_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return hcf;
}


static char *
ngx_tscast_hook_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_tscast_hook_conf_t *hcf = conf;

    ngx_uint_t                i;
    ngx_tscast_call_conf_t  **calls;

    calls = hcf->calls.elts;

    for (i = 0; i < hcf->calls.nelts; i++) {
        if (ngx_tscast_call_check(cycle, calls[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_tscast_hook_init_process(ngx_cycle_t *cycle)
{
    ngx_tscast_hook_conf_t  *hcf;

    hcf = (ngx_tscast_hook_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                  ngx_tscast_hook_module);

    if (hcf->notify
        && (ngx_process == NGX_PROCESS_WORKER
            || ngx_process == NGX_PROCESS_SINGLE))
    {
        ngx_tscast_notify_init(cycle, hcf);
    }

    return NGX_OK;
}


static void
ngx_tscast_hook_exit_process(ngx_cycle_t *cycle)
{
    ngx_tscast_notify_exit();
}


static char *
ngx_tscast_hook_notify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_tscast_hook_conf_t *hcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_tscast_notify_conf_t  *ncf;

    if (hcf->notify) {
        return "is duplicate";
    }

    ncf = ngx_pcalloc(cf->pool, sizeof(ngx_tscast_notify_conf_t));
    if (ncf == NULL) {
        return NGX_CONF_ERROR;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     ncf->viewers = 0;
     */

    ncf->queue = 1000;
    ncf->reconnect = 1000;
    ncf->reconnect_max = 30000;

    value = cf->args->elts;

    ncf->call = ngx_tscast_call_add(cf, &value[1]);
    if (ncf->call == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_tscast_param_enum(&value[i], "viewers=",
                                  ngx_tscast_switch_values, &ncf->viewers)
            == NGX_OK)
        {
            continue;
        }

        if (ngx_tscast_param_number(&value[i], "queue=", &ncf->queue)
            == NGX_OK
            && ncf->queue)
        {
            continue;
        }

        if (ngx_strncmp(value[i].data, "reconnect=", 10) == 0
            && ngx_tscast_link_reconnect(&value[i], &ncf->reconnect,
                                         &ncf->reconnect_max)
               == NGX_OK)
        {
            continue;
        }

        if (ngx_tscast_call_param(ncf->call, &value[i]) == NGX_OK) {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    hcf->notify = ncf;

    return ngx_tscast_hook_zone(cf, hcf);
}


static char *
ngx_tscast_hook_zone(ngx_conf_t *cf, ngx_tscast_hook_conf_t *hcf)
{
    ngx_str_t  name = ngx_string("tscast_notify");

    hcf->shm_zone = ngx_shared_memory_add(cf, &name, NGX_TSCAST_NOTIFY_ZONE,
                                          &ngx_tscast_hook_module);
    if (hcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    hcf->shm_zone->init = ngx_tscast_notify_init_zone;

    return NGX_CONF_OK;
}
