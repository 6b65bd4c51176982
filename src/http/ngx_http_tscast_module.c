
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast.h"


/* unless set: an encoder that is refused must notice soon, ms */
#define NGX_HTTP_TSCAST_LINGERING  1000

/* a window of HTTP/2 that a video fits in */
#define NGX_HTTP_TSCAST_BODY       (512 * 1024)


static ngx_int_t ngx_http_tscast_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_tscast_variable_stream(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_tscast_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_tscast_add_variables(ngx_conf_t *cf);
static void *ngx_http_tscast_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_tscast_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_tscast_tune(ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_tscast_ingest_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_tscast_play_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_tscast_address(ngx_conf_t *cf,
    ngx_http_tscast_address_t *address);


static ngx_command_t  ngx_http_tscast_commands[] = {

    { ngx_string("tscast_ingest"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_1MORE,
      ngx_http_tscast_ingest_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tscast_play"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_1MORE,
      ngx_http_tscast_play_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_tscast_module_ctx = {
    ngx_http_tscast_add_variables,         /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_tscast_create_loc_conf,       /* create location configuration */
    ngx_http_tscast_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_tscast_module = {
    NGX_MODULE_V1,
    &ngx_http_tscast_module_ctx,           /* module context */
    ngx_http_tscast_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_tscast_vars[] = {

    { ngx_string("tscast_stream"), NULL,
      ngx_http_tscast_variable_stream, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("tscast_sent"), NULL,
      ngx_http_tscast_variable_number,
      offsetof(ngx_tscast_viewer_t, sent), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("tscast_skipped"), NULL,
      ngx_http_tscast_variable_number,
      offsetof(ngx_tscast_viewer_t, skipped), NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* one location may serve both: what comes in and what goes out */

static ngx_int_t
ngx_http_tscast_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_uint_t                   level;
    ngx_http_tscast_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);

    if (tlcf->ingest && (r->method & (NGX_HTTP_POST|NGX_HTTP_PUT))) {
        rc = ngx_http_tscast_ingest(r, tlcf->ingest);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_tscast_refuse(r);
        }

        return rc;
    }

    if (tlcf->play && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_tscast_play(r, tlcf->play);
    }

    level = tlcf->ingest ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, r->connection->log, 0,
                  "method \"%V\" is not for a stream", &r->method_name);

    /* it may be an encoder, at the wrong door */
    ngx_http_tscast_refuse(r);

    return NGX_HTTP_NOT_ALLOWED;
}


/* set here, it holds wherever error_page may lead */

void
ngx_http_tscast_refuse(ngx_http_request_t *r)
{
    ngx_msec_t                   lingering;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_tscast_loc_conf_t  *tlcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);

    lingering = tlcf->ingest ? clcf->lingering_time
                             : NGX_HTTP_TSCAST_LINGERING;

    r->lingering_time = ngx_time() + (time_t) (lingering / 1000);
    r->keepalive = 0;
}


ngx_int_t
ngx_http_tscast_prepare(ngx_http_request_t *r,
    ngx_http_tscast_address_t *address, ngx_http_tscast_ctx_t **pctx)
{
    ngx_http_tscast_ctx_t  *ctx;

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "a stream cannot be served by a subrequest");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_tscast_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_complex_value(r, &address->name, &ctx->name) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;

    ngx_http_set_ctx(r, ctx, ngx_http_tscast_module);

    *pctx = ctx;

    return NGX_OK;
}


ngx_int_t
ngx_http_tscast_add_header(ngx_http_request_t *r, char *key, u_char *value,
    size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.len = ngx_strlen(key);
    h->key.data = (u_char *) key;
    h->value.len = len;
    h->value.data = value;
    ngx_tscast_header_next(h);

    return NGX_OK;
}


static ngx_int_t
ngx_http_tscast_variable_stream(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                   *zone;
    ngx_shm_zone_t              *shm_zone;
    ngx_http_tscast_ctx_t       *ctx;
    ngx_http_tscast_loc_conf_t  *tlcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);

    if (ctx == NULL || (ctx->publisher == NULL && ctx->viewer == NULL)
        || ngx_tscast_stream_check_name(&ctx->name) != NGX_OK)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    shm_zone = ctx->publisher ? tlcf->ingest->address.zone
                              : tlcf->play->address.zone;

    zone = ngx_tscast_zone_name(shm_zone->data);

    v->len = zone->len + 1 + ctx->name.len;
    v->data = ngx_pnalloc(r->pool, v->len);
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
ngx_http_tscast_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    uint64_t               *number;
    ngx_http_tscast_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    if (ctx == NULL || ctx->viewer == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    number = (uint64_t *) ((char *) ctx->viewer + data);

    v->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
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
ngx_http_tscast_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_tscast_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_tscast_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_tscast_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_tscast_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->ingest = NULL;
     *     conf->play = NULL;
     */

    return conf;
}


static char *
ngx_http_tscast_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_tscast_loc_conf_t  *prev = parent;
    ngx_http_tscast_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if ((clcf->noname || clcf->lmt_excpt)
        && conf->ingest == NULL && conf->play == NULL)
    {
        conf->ingest = prev->ingest;
        conf->play = prev->play;

        if (clcf->lmt_excpt && clcf->handler == NULL
            && (conf->ingest || conf->play))
        {
            clcf->handler = ngx_http_tscast_handler;
        }
    }

    if (conf->ingest) {
        ngx_http_tscast_tune(clcf);
    }

    return NGX_CONF_OK;
}


/*
 * The core's own merge has run: what is at nginx's default there was not set
 * on any level, or set to just that.
 */

static void
ngx_http_tscast_tune(ngx_http_core_loc_conf_t *clcf)
{
    clcf->client_max_body_size = 0;

    if (clcf->client_body_buffer_size == (size_t) 2 * ngx_pagesize) {
        clcf->client_body_buffer_size = NGX_HTTP_TSCAST_BODY;
    }

    if (clcf->lingering_time == 30000) {
        clcf->lingering_time = NGX_HTTP_TSCAST_LINGERING;
    }

    if (clcf->lingering_timeout == 5000) {
        clcf->lingering_timeout = NGX_HTTP_TSCAST_LINGERING;
    }
}


static char *
ngx_http_tscast_ingest_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_tscast_loc_conf_t *tlcf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_tscast_ingest_conf_t  *icf;

    if (tlcf->ingest) {
        return "is duplicate";
    }

    icf = ngx_pcalloc(cf->pool, sizeof(ngx_http_tscast_ingest_conf_t));
    if (icf == NULL) {
        return NGX_CONF_ERROR;
    }

    icf->timeout = 10000;

    if (ngx_http_tscast_address(cf, &icf->address) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_tscast_param_ingest(&value[i], &icf->takeover, &icf->timeout)
            == NGX_OK)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    tlcf->ingest = icf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_tscast_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_tscast_play_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_tscast_loc_conf_t *tlcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_tscast_play_conf_t  *pcf;

    if (tlcf->play) {
        return "is duplicate";
    }

    pcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_tscast_play_conf_t));
    if (pcf == NULL) {
        return NGX_CONF_ERROR;
    }

    pcf->format = NGX_TSCAST_TS;
    pcf->flv_time = NGX_TSCAST_FLV_ZERO;
    pcf->start = NGX_TSCAST_START_KEY;
    pcf->lag = NGX_TSCAST_LAG_SKIP;
    pcf->flush = 30;
    pcf->linger = 30000;
    pcf->ping = 30000;

    if (ngx_http_tscast_address(cf, &pcf->address) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_tscast_param_enum(&value[i], "format=",
                                  ngx_tscast_format_values, &pcf->format)
            == NGX_OK
            || ngx_tscast_param_enum(&value[i], "flv_time=",
                                     ngx_tscast_flv_time_values,
                                     &pcf->flv_time)
               == NGX_OK
            || ngx_tscast_param_play(&value[i], &pcf->start, &pcf->lag,
                                     &pcf->flush, &pcf->linger)
               == NGX_OK)
        {
            continue;
        }

        if (ngx_tscast_param_msec(&value[i], "ping=", &pcf->ping) == NGX_OK
            && pcf->ping)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    tlcf->play = pcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_tscast_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_tscast_address(ngx_conf_t *cf, ngx_http_tscast_address_t *address)
{
    ngx_str_t                         *value, name;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    address->zone = ngx_tscast_zone_add(cf, &value[1], &name);

    if (address->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &name;
    ccv.complex_value = &address->name;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
