
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_stream_tscast.h"


static void ngx_stream_tscast_handler(ngx_stream_session_t *s);
static ngx_int_t ngx_stream_tscast_variable_stream(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_tscast_variable_number(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_tscast_add_variables(ngx_conf_t *cf);
static void *ngx_stream_tscast_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_tscast_ingest_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_tscast_play_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_tscast_serve(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_stream_tscast_srv_conf_t *tscf);
static char *ngx_stream_tscast_address(ngx_conf_t *cf,
    ngx_stream_tscast_address_t *address);


static ngx_command_t  ngx_stream_tscast_commands[] = {

    { ngx_string("tscast_ingest"),
      NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_tscast_ingest_directive,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tscast_play"),
      NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_tscast_play_directive,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tscast_auth"),
      NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_tscast_auth_directive,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_tscast_module_ctx = {
    ngx_stream_tscast_add_variables,       /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_tscast_create_srv_conf,     /* create server configuration */
    NULL                                   /* merge server configuration */
};


ngx_module_t  ngx_stream_tscast_module = {
    NGX_MODULE_V1,
    &ngx_stream_tscast_module_ctx,         /* module context */
    ngx_stream_tscast_commands,            /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_stream_variable_t  ngx_stream_tscast_vars[] = {

    { ngx_string("tscast_stream"), NULL,
      ngx_stream_tscast_variable_stream, 0, NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("tscast_sent"), NULL,
      ngx_stream_tscast_variable_number,
      offsetof(ngx_tscast_viewer_t, sent), NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("tscast_skipped"), NULL,
      ngx_stream_tscast_variable_number,
      offsetof(ngx_tscast_viewer_t, skipped), NGX_STREAM_VAR_NOCACHEABLE, 0 },

      ngx_stream_null_variable
};


static void
ngx_stream_tscast_handler(ngx_stream_session_t *s)
{
    ngx_connection_t              *c;
    ngx_stream_tscast_ctx_t       *ctx;
    ngx_stream_tscast_address_t   *address;
    ngx_stream_tscast_srv_conf_t  *tscf;

    c = s->connection;
    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    address = tscf->ingest ? &tscf->ingest->address : &tscf->play->address;

    ctx = ngx_pcalloc(c->pool, sizeof(ngx_stream_tscast_ctx_t));
    if (ctx == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    if (ngx_stream_complex_value(s, &address->name, &ctx->name) != NGX_OK) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    ctx->zone = address->zone->data;

    ngx_stream_set_ctx(s, ctx, ngx_stream_tscast_module);

    if (tscf->auth && c->type == SOCK_STREAM) {
        ngx_stream_tscast_auth_tcp(s, ctx);
        return;
    }

    ngx_stream_tscast_enter(s, ctx);
}


void
ngx_stream_tscast_enter(ngx_stream_session_t *s, ngx_stream_tscast_ctx_t *ctx)
{
    ngx_stream_tscast_srv_conf_t  *tscf;

    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    if (tscf->play) {
        ngx_stream_tscast_play(s, ctx);

    } else if (s->connection->type == SOCK_DGRAM) {
        ngx_stream_tscast_udp(s, ctx);

    } else {
        ngx_stream_tscast_ingest(s, ctx);
    }
}


void
ngx_stream_tscast_end(ngx_stream_session_t *s, ngx_uint_t status)
{
    ngx_stream_tscast_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    if (ctx->publisher) {
        ngx_tscast_unpublish(ctx->publisher);
    }

    if (ctx->viewer) {
        ngx_tscast_viewer_leave(ctx->viewer);
    }

    ngx_stream_finalize_session(s, status);
}


void
ngx_stream_tscast_ignore(ngx_event_t *wev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_STREAM, wev->log, 0,
                   "stream tscast: nothing to write");
}


static ngx_int_t
ngx_stream_tscast_variable_stream(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *zone;
    ngx_stream_tscast_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    if (ctx == NULL || ngx_tscast_stream_check_name(&ctx->name) != NGX_OK) {
        v->not_found = 1;
        return NGX_OK;
    }

    zone = ngx_tscast_zone_name(ctx->zone);

    v->len = zone->len + 1 + ctx->name.len;
    v->data = ngx_pnalloc(s->connection->pool, v->len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(v->data, "%V/%V", zone, &ctx->name);

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_tscast_variable_number(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    uint64_t                 *number;
    ngx_stream_tscast_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    if (ctx == NULL || ctx->viewer == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    number = (uint64_t *) ((char *) ctx->viewer + data);

    v->data = ngx_pnalloc(s->connection->pool, NGX_INT64_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%uL", *number) - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_tscast_add_variables(ngx_conf_t *cf)
{
    ngx_stream_variable_t  *var, *v;

    for (v = ngx_stream_tscast_vars; v->name.len; v++) {
        var = ngx_stream_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_stream_tscast_create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_tscast_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_tscast_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->ingest = NULL;
     *     conf->play = NULL;
     *     conf->auth = NULL;
     *     conf->file = NULL;
     *     conf->line = 0;
     */

    return conf;
}


static char *
ngx_stream_tscast_ingest_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_tscast_srv_conf_t *tscf = conf;

    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_stream_tscast_ingest_conf_t  *icf;

    if (tscf->ingest) {
        return "is duplicate";
    }

    icf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_tscast_ingest_conf_t));
    if (icf == NULL) {
        return NGX_CONF_ERROR;
    }

    icf->timeout = 10000;

    if (ngx_stream_tscast_address(cf, &icf->address) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_tscast_param_ingest(&value[i], &icf->takeover, &icf->timeout)
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    tscf->ingest = icf;

    return ngx_stream_tscast_serve(cf, cmd, tscf);
}


static char *
ngx_stream_tscast_play_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_tscast_srv_conf_t *tscf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_stream_tscast_play_conf_t  *pcf;

    if (tscf->play) {
        return "is duplicate";
    }

    pcf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_tscast_play_conf_t));
    if (pcf == NULL) {
        return NGX_CONF_ERROR;
    }

    pcf->start = NGX_TSCAST_START_KEY;
    pcf->lag = NGX_TSCAST_LAG_SKIP;
    pcf->flush = 30;
    pcf->linger = 30000;

    if (ngx_stream_tscast_address(cf, &pcf->address) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_tscast_param_play(&value[i], &pcf->start, &pcf->lag,
                                  &pcf->flush, &pcf->linger)
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    tscf->play = pcf;

    return ngx_stream_tscast_serve(cf, cmd, tscf);
}


static char *
ngx_stream_tscast_serve(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_stream_tscast_srv_conf_t *tscf)
{
    ngx_stream_core_srv_conf_t  *cscf;

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot share a server with another "
                           "directive that serves sessions", &cmd->name);
        return NGX_CONF_ERROR;
    }

    cscf->handler = ngx_stream_tscast_handler;

    tscf->file = cf->conf_file->file.name.data;
    tscf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


static char *
ngx_stream_tscast_address(ngx_conf_t *cf,
    ngx_stream_tscast_address_t *address)
{
    ngx_str_t                           *value, name;
    ngx_stream_compile_complex_value_t   ccv;

    value = cf->args->elts;

    address->zone = ngx_tscast_zone_add(cf, &value[1], &name);

    if (address->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &name;
    ccv.complex_value = &address->name;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
