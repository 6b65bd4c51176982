
/*
 * Copyright (C) the tscast authors
 */


/*
 * tscast_auth: a server is asked whether a session may publish or play, before
 * a byte of it is taken or sent.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_stream_tscast.h"


static void ngx_stream_tscast_auth_answer(ngx_tscast_auth_t *auth,
    ngx_int_t rc);
static void ngx_stream_tscast_auth_refuse(ngx_stream_session_t *s,
    ngx_uint_t status);
static void ngx_stream_tscast_auth_read(ngx_event_t *rev);
static ngx_tscast_auth_t *ngx_stream_tscast_auth_create(
    ngx_stream_session_t *s);
static char *ngx_stream_tscast_auth_args(ngx_conf_t *cf,
    ngx_stream_tscast_auth_conf_t *acf, ngx_str_t *value);


void
ngx_stream_tscast_auth_tcp(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (ngx_tscast_stream_check_name(&ctx->name) != NGX_OK) {
        /* the door says so */
        ngx_stream_tscast_enter(s, ctx);
        return;
    }

    c->log->action = "asking who may come in";

    /* nothing is read yet */

    c->read->handler = ngx_stream_tscast_auth_read;
    c->write->handler = ngx_stream_tscast_ignore;

    if (ngx_stream_tscast_auth(s, ctx, ngx_stream_tscast_auth_answer)
        != NGX_OK)
    {
        ngx_stream_tscast_end(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
    }
}


static void
ngx_stream_tscast_auth_answer(ngx_tscast_auth_t *auth, ngx_int_t rc)
{
    ngx_stream_session_t     *s;
    ngx_stream_tscast_ctx_t  *ctx;

    s = auth->data;
    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    switch (rc) {

    case NGX_OK:

        if (auth->renamed.len) {
            ctx->name = auth->renamed;
        }

        ngx_stream_tscast_enter(s, ctx);
        return;

    case NGX_DECLINED:
        ngx_stream_tscast_auth_refuse(s, NGX_STREAM_FORBIDDEN);
        return;

    default: /* NGX_ERROR */
        ngx_stream_tscast_auth_refuse(s, NGX_STREAM_BAD_GATEWAY);
    }
}


static void
ngx_stream_tscast_auth_refuse(ngx_stream_session_t *s, ngx_uint_t status)
{
#if (NGX_SSL)

    if (s->connection->ssl) {
        /* nor is anything read now, to find the end of TLS in it */
        s->connection->ssl->no_wait_shutdown = 1;
    }

#endif

    ngx_stream_tscast_end(s, status);
}


/* what comes stays where it is; the answer, or its timeout, goes on */

static void
ngx_stream_tscast_auth_read(ngx_event_t *rev)
{
    ngx_connection_t  *c;

    c = rev->data;

    if (c->close) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "shutdown timeout");
        ngx_stream_tscast_end(c->data, NGX_STREAM_OK);
    }
}


ngx_int_t
ngx_stream_tscast_auth(ngx_stream_session_t *s, ngx_stream_tscast_ctx_t *ctx,
    ngx_tscast_auth_pt handler)
{
    ngx_connection_t              *c;
    ngx_tscast_auth_t             *auth;
    ngx_stream_tscast_srv_conf_t  *tscf;

    c = s->connection;
    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    if (ctx->auth == NULL) {
        ctx->auth = ngx_stream_tscast_auth_create(s);
    }

    auth = ctx->auth;

    if (auth == NULL) {
        return NGX_ERROR;
    }

    if (tscf->auth->args
        && ngx_stream_complex_value(s, tscf->auth->args, &auth->args)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    auth->publish = (tscf->ingest != NULL);
    auth->door = (c->type == SOCK_DGRAM) ? NGX_TSCAST_DOOR_UDP
                                         : NGX_TSCAST_DOOR_TCP;
    auth->zone = *ngx_tscast_zone_name(ctx->zone);
    auth->name = ctx->name;
    auth->address = c->addr_text;
    auth->log = c->log;
    auth->data = s;
    auth->handler = handler;

    return ngx_tscast_auth_ask(auth, tscf->auth->call);
}


static ngx_tscast_auth_t *
ngx_stream_tscast_auth_create(ngx_stream_session_t *s)
{
    ngx_pool_t         *pool;
    ngx_tscast_auth_t  *auth;

    pool = s->connection->pool;

    auth = ngx_pcalloc(pool, sizeof(ngx_tscast_auth_t));
    if (auth == NULL || ngx_tscast_auth_bind(auth, pool) != NGX_OK) {
        return NULL;
    }

    return auth;
}


char *
ngx_stream_tscast_auth_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_tscast_srv_conf_t *tscf = conf;

    ngx_str_t                      *value, args;
    ngx_uint_t                      i;
    ngx_stream_tscast_auth_conf_t  *acf;

    if (tscf->auth) {
        return "is duplicate";
    }

    acf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_tscast_auth_conf_t));
    if (acf == NULL) {
        return NGX_CONF_ERROR;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     acf->args = NULL;
     */

    value = cf->args->elts;

    acf->call = ngx_tscast_call_add(cf, &value[1]);
    if (acf->call == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_tscast_param_string(&value[i], "args=", &args) == NGX_OK) {

            if (ngx_stream_tscast_auth_args(cf, acf, &args) != NGX_CONF_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_tscast_call_param(acf->call, &value[i]) == NGX_OK) {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    tscf->auth = acf;

    return NGX_CONF_OK;
}


static char *
ngx_stream_tscast_auth_args(ngx_conf_t *cf,
    ngx_stream_tscast_auth_conf_t *acf, ngx_str_t *value)
{
    ngx_stream_compile_complex_value_t  ccv;

    acf->args = ngx_palloc(cf->pool, sizeof(ngx_stream_complex_value_t));
    if (acf->args == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_stream_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = acf->args;

    if (ngx_stream_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
