
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* ms between two rounds of housekeeping */
#define NGX_TSCAST_ROUND  1000


static void *ngx_tscast_create_conf(ngx_cycle_t *cycle);
static char *ngx_tscast_init_conf(ngx_cycle_t *cycle, void *conf);
static char *ngx_tscast_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_tscast_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_tscast_init_process(ngx_cycle_t *cycle);
static void ngx_tscast_exit_process(ngx_cycle_t *cycle);
static void ngx_tscast_round(ngx_event_t *ev);


static ngx_conf_post_t  ngx_tscast_node_post = { ngx_tscast_node_check };


static ngx_command_t  ngx_tscast_commands[] = {

    { ngx_string("tscast"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_tscast_block,
      0,
      0,
      NULL },

    { ngx_string("zone"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_2MORE,
      ngx_tscast_zone_directive,
      0,
      0,
      NULL },

    { ngx_string("node"),
      NGX_TSCAST_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_tscast_conf_t, node),
      &ngx_tscast_node_post },

      ngx_null_command
};


static ngx_core_module_t  ngx_tscast_module_ctx = {
    ngx_string("tscast"),
    ngx_tscast_create_conf,
    ngx_tscast_init_conf
};


ngx_module_t  ngx_tscast_module = {
    NGX_MODULE_V1,
    &ngx_tscast_module_ctx,                /* module context */
    ngx_tscast_commands,                   /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_tscast_init_module,                /* init module */
    ngx_tscast_init_process,               /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_tscast_exit_process,               /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_uint_t  ngx_tscast_generation;
time_t      ngx_tscast_started;


static ngx_connection_t  ngx_tscast_round_dumb;

static ngx_event_t  ngx_tscast_round_event = {
    .data = &ngx_tscast_round_dumb,
    .handler = ngx_tscast_round,
    .cancelable = 1
};


static void *
ngx_tscast_create_conf(ngx_cycle_t *cycle)
{
    ngx_tscast_conf_t  *tcf;

    tcf = ngx_pcalloc(cycle->pool, sizeof(ngx_tscast_conf_t));
    if (tcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&tcf->zones, cycle->pool, 2,
                       sizeof(ngx_tscast_zone_t *))
        != NGX_OK
        || ngx_array_init(&tcf->rules, cycle->pool, 4,
                          sizeof(ngx_tscast_rule_t))
           != NGX_OK)
    {
        return NULL;
    }

    return tcf;
}


static char *
ngx_tscast_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_tscast_conf_t  *tcf = conf;

    if (tcf->node.len == 0) {
        tcf->node = cycle->hostname;
    }

    if (tcf->node.len > NGX_TSCAST_NODE_LEN
        || ngx_tscast_stream_check_name(&tcf->node) != NGX_OK)
    {
        /* not what others could read in a header */
        ngx_str_set(&tcf->node, "-");
    }

    return NGX_CONF_OK;
}


static char *
ngx_tscast_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_tscast_conf_t  *tcf = conf;

    char        *rv;
    ngx_conf_t   pcf;

    if (tcf->block) {
        return "is duplicate";
    }

    tcf->block = 1;

    pcf = *cf;

    cf->cmd_type = NGX_TSCAST_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = pcf;

    return rv;
}


static ngx_int_t
ngx_tscast_init_module(ngx_cycle_t *cycle)
{
    ngx_tscast_conf_t  *tcf;

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                             ngx_tscast_module);

    if (ngx_tscast_generation++ == 0) {
        ngx_tscast_started = ngx_time();
    }

    if (tcf->zones.nelts && !ngx_test_config) {
        ngx_tscast_wake_open(cycle->log);
        ngx_tscast_rule_load(cycle);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_tscast_conf_t   *tcf;
    ngx_tscast_zone_t  **zones;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                             ngx_tscast_module);
    zones = tcf->zones.elts;

    if (tcf->zones.nelts == 0) {
        return NGX_OK;
    }

    for (i = 0; i < tcf->zones.nelts; i++) {

        zones[i]->watches = ngx_pcalloc(cycle->pool,
                                        zones[i]->sh->max_streams
                                        * sizeof(ngx_tscast_watch_t *));
        if (zones[i]->watches == NULL) {
            return NGX_ERROR;
        }

        ngx_queue_init(&zones[i]->publishers);
        ngx_queue_init(&zones[i]->questions);

        ngx_tscast_slot_take(zones[i]);
    }

    ngx_tscast_round_dumb.fd = (ngx_socket_t) -1;
    ngx_tscast_round_event.log = cycle->log;

    ngx_add_timer(&ngx_tscast_round_event, NGX_TSCAST_ROUND);

    return ngx_tscast_wake_listen(cycle);
}


static void
ngx_tscast_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_tscast_conf_t   *tcf;
    ngx_tscast_zone_t  **zones;

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                             ngx_tscast_module);
    zones = tcf->zones.elts;

    for (i = 0; i < tcf->zones.nelts; i++) {

        if (zones[i]->slot) {
            ngx_tscast_watch_away(zones[i]);
            ngx_tscast_slot_leave(zones[i]);
        }
    }
}


static void
ngx_tscast_round(ngx_event_t *ev)
{
    ngx_uint_t           i;
    ngx_tscast_conf_t   *tcf;
    ngx_tscast_zone_t  **zones;

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                             ngx_tscast_module);
    zones = tcf->zones.elts;

    for (i = 0; i < tcf->zones.nelts; i++) {
        ngx_tscast_slot_sweep(zones[i], ev->log);
        ngx_tscast_publisher_round(zones[i]);
        ngx_tscast_watch_round(zones[i]);
    }

    ngx_tscast_wake_look();
    ngx_tscast_observe_round();

    ngx_add_timer(ev, NGX_TSCAST_ROUND);
}
