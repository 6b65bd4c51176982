
/*
 * Copyright (C) the tscast authors
 */


/*
 * tscast_auth: a server is asked before nginx-rtmp hears of a publisher or a
 * player.  The command is kept meanwhile, and what else the client sends finds
 * no stream.
 *
 * nginx-rtmp logs the arguments of such a command at the level info, which are
 * secrets here: between its line and our hook the session's level is notice.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_rtmp_tscast.h"
#include "ngx_tscast_hook.h"


typedef struct {
    ngx_tscast_call_conf_t  *call;
} ngx_rtmp_tscast_auth_app_conf_t;


typedef struct {
    ngx_tscast_auth_t        auth;
    ngx_uint_t               hidden;      /* log level to go back to, or 0 */
    ngx_rtmp_publish_t       publish;
    ngx_rtmp_play_t          play;
} ngx_rtmp_tscast_auth_ctx_t;


static ngx_int_t ngx_rtmp_tscast_auth_hide(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_tscast_auth_publish(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static ngx_int_t ngx_rtmp_tscast_auth_play(ngx_rtmp_session_t *s,
    ngx_rtmp_play_t *v);
static ngx_int_t ngx_rtmp_tscast_auth_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v);
static ngx_int_t ngx_rtmp_tscast_auth_begin(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_auth_ctx_t **result);
static ngx_rtmp_tscast_auth_ctx_t *ngx_rtmp_tscast_auth_ctx(
    ngx_rtmp_session_t *s);
static ngx_int_t ngx_rtmp_tscast_auth_ask(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_auth_ctx_t *ctx, u_char *name, u_char *args);
static void ngx_rtmp_tscast_auth_answer(ngx_tscast_auth_t *auth,
    ngx_int_t rc);
static ngx_int_t ngx_rtmp_tscast_auth_go_on(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_auth_ctx_t *ctx);
static void *ngx_rtmp_tscast_auth_create_app_conf(ngx_conf_t *cf);
static char *ngx_rtmp_tscast_auth_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_rtmp_tscast_auth_init(ngx_conf_t *cf);


static ngx_command_t  ngx_rtmp_tscast_auth_commands[] = {

    { ngx_string("tscast_auth"),
      NGX_RTMP_APP_CONF|NGX_CONF_1MORE,
      ngx_rtmp_tscast_auth_directive,
      NGX_RTMP_APP_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_rtmp_module_t  ngx_rtmp_tscast_auth_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_rtmp_tscast_auth_init,             /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_rtmp_tscast_auth_create_app_conf,  /* create application conf. */
    NULL                                   /* merge application conf. */
};


ngx_module_t  ngx_rtmp_tscast_auth_module = {
    NGX_MODULE_V1,
    &ngx_rtmp_tscast_auth_module_ctx,      /* module context */
    ngx_rtmp_tscast_auth_commands,         /* module directives */
    NGX_RTMP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* commands that nginx-rtmp logs, and then calls the hooks below */

static ngx_rtmp_amf_handler_t  ngx_rtmp_tscast_auth_hides[] = {
    { ngx_string("publish"), ngx_rtmp_tscast_auth_hide },
    { ngx_string("play"), ngx_rtmp_tscast_auth_hide },
    { ngx_string("play2"), ngx_rtmp_tscast_auth_hide }
};


static ngx_rtmp_publish_pt       ngx_rtmp_tscast_auth_next_publish;
static ngx_rtmp_play_pt          ngx_rtmp_tscast_auth_next_play;
static ngx_rtmp_close_stream_pt  ngx_rtmp_tscast_auth_next_close_stream;


/* at the level debug a log is for who may know all */

static ngx_int_t
ngx_rtmp_tscast_auth_hide(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_log_t                        *log;
    ngx_rtmp_tscast_auth_ctx_t       *ctx;
    ngx_rtmp_tscast_auth_app_conf_t  *acf;

    log = s->connection->log;
    acf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_tscast_auth_module);

    if (acf == NULL || acf->call == NULL || log->log_level != NGX_LOG_INFO) {
        return NGX_OK;
    }

    ctx = ngx_rtmp_tscast_auth_ctx(s);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->hidden = log->log_level;
    log->log_level = NGX_LOG_NOTICE;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_tscast_auth_publish(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    ngx_int_t                    rc;
    ngx_rtmp_tscast_auth_ctx_t  *ctx;

    rc = ngx_rtmp_tscast_auth_begin(s, &ctx);

    if (rc == NGX_DECLINED) {
        return ngx_rtmp_tscast_auth_next_publish(s, v);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ctx->publish = *v;
    ctx->auth.publish = 1;

    return ngx_rtmp_tscast_auth_ask(s, ctx, ctx->publish.name,
                                    ctx->publish.args);
}


static ngx_int_t
ngx_rtmp_tscast_auth_play(ngx_rtmp_session_t *s, ngx_rtmp_play_t *v)
{
    ngx_int_t                    rc;
    ngx_rtmp_tscast_auth_ctx_t  *ctx;

    rc = ngx_rtmp_tscast_auth_begin(s, &ctx);

    if (rc == NGX_DECLINED) {
        return ngx_rtmp_tscast_auth_next_play(s, v);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ctx->play = *v;
    ctx->auth.publish = 0;

    return ngx_rtmp_tscast_auth_ask(s, ctx, ctx->play.name, ctx->play.args);
}


/* who asks for a stream and leaves it has no need of an answer */

static ngx_int_t
ngx_rtmp_tscast_auth_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v)
{
    ngx_rtmp_tscast_auth_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_auth_module);

    if (ctx) {
        ngx_tscast_auth_cancel(&ctx->auth);
    }

    return ngx_rtmp_tscast_auth_next_close_stream(s, v);
}


/* NGX_OK when there is somebody to ask, or NGX_DECLINED */

static ngx_int_t
ngx_rtmp_tscast_auth_begin(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_auth_ctx_t **result)
{
    ngx_rtmp_tscast_auth_ctx_t       *ctx;
    ngx_rtmp_tscast_auth_app_conf_t  *acf;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_auth_module);

    if (ctx && ctx->hidden) {
        s->connection->log->log_level = ctx->hidden;
        ctx->hidden = 0;
    }

    acf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_tscast_auth_module);

    if (acf == NULL || acf->call == NULL || s->auto_pushed || s->relay) {
        return NGX_DECLINED;
    }

    ctx = ngx_rtmp_tscast_auth_ctx(s);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->auth.call) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client asks for a stream before it has an answer");
        return NGX_ERROR;
    }

    *result = ctx;

    return NGX_OK;
}


static ngx_rtmp_tscast_auth_ctx_t *
ngx_rtmp_tscast_auth_ctx(ngx_rtmp_session_t *s)
{
    ngx_pool_t                  *pool;
    ngx_rtmp_tscast_auth_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_auth_module);

    if (ctx) {
        return ctx;
    }

    pool = s->connection->pool;

    ctx = ngx_pcalloc(pool, sizeof(ngx_rtmp_tscast_auth_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    if (ngx_tscast_auth_bind(&ctx->auth, pool) != NGX_OK) {
        return NULL;
    }

    ngx_rtmp_set_ctx(s, ctx, ngx_rtmp_tscast_auth_module);

    return ctx;
}


static ngx_int_t
ngx_rtmp_tscast_auth_ask(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_auth_ctx_t *ctx, u_char *name, u_char *args)
{
    ngx_connection_t                 *c;
    ngx_tscast_auth_t                *auth;
    ngx_rtmp_core_app_conf_t         *cacf;
    ngx_rtmp_tscast_auth_app_conf_t  *acf;

    c = s->connection;
    auth = &ctx->auth;

    acf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_tscast_auth_module);
    cacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_core_module);

    auth->door = NGX_TSCAST_DOOR_RTMP;
    auth->zone = cacf->name;
    auth->name.data = name;
    auth->name.len = ngx_strlen(name);
    auth->args.data = args;
    auth->args.len = ngx_strlen(args);
    auth->address = c->addr_text;
    auth->log = c->log;
    auth->data = s;
    auth->handler = ngx_rtmp_tscast_auth_answer;

    if (ngx_tscast_stream_check_name(&auth->name) != NGX_OK) {
        ngx_tscast_stream_log_name(NGX_LOG_ERR, c->log, &auth->name);
        return NGX_ERROR;
    }

    if (ngx_tscast_auth_ask(auth, acf->call) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static void
ngx_rtmp_tscast_auth_answer(ngx_tscast_auth_t *auth, ngx_int_t rc)
{
    ngx_rtmp_session_t *s = auth->data;

    char                        *code;
    ngx_rtmp_tscast_auth_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_auth_module);

    if (s->connection->destroyed) {
        return;
    }

    if (rc == NGX_OK && ngx_rtmp_tscast_auth_go_on(s, ctx) == NGX_OK) {
        return;
    }

    if (rc != NGX_OK) {
        code = auth->publish ? "NetStream.Publish.BadName"
                             : "NetStream.Play.Failed";

        (void) ngx_rtmp_send_status(s, code, "error", "Not allowed");
    }

    ngx_rtmp_finalize_session(s);
}


/* with the name of the answer, which is shorter than NGX_RTMP_MAX_NAME */

static ngx_int_t
ngx_rtmp_tscast_auth_go_on(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_auth_ctx_t *ctx)
{
    u_char      *name;
    ngx_str_t   *renamed;
    ngx_int_t    rc;

    renamed = &ctx->auth.renamed;
    name = ctx->auth.publish ? ctx->publish.name : ctx->play.name;

    if (renamed->len) {
        (void) ngx_cpystrn(name, renamed->data, renamed->len + 1);
    }

    rc = ctx->auth.publish
             ? ngx_rtmp_tscast_auth_next_publish(s, &ctx->publish)
             : ngx_rtmp_tscast_auth_next_play(s, &ctx->play);

    /* another module may be asking as well */

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static void *
ngx_rtmp_tscast_auth_create_app_conf(ngx_conf_t *cf)
{
    ngx_rtmp_tscast_auth_app_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_tscast_auth_app_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->call = NULL;
     */

    return conf;
}


static char *
ngx_rtmp_tscast_auth_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_rtmp_tscast_auth_app_conf_t *acf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (acf->call) {
        return "is duplicate";
    }

    value = cf->args->elts;

    acf->call = ngx_tscast_call_add(cf, &value[1]);
    if (acf->call == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_tscast_call_param(acf->call, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/*
 * The modules of nginx-rtmp are before this one: our hooks are called first,
 * and our handlers of commands go before theirs.
 */

static ngx_int_t
ngx_rtmp_tscast_auth_init(ngx_conf_t *cf)
{
    size_t                      size, n;
    ngx_rtmp_amf_handler_t     *h;
    ngx_rtmp_core_main_conf_t  *cmcf;

    cmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_core_module);

    n = sizeof(ngx_rtmp_tscast_auth_hides) / sizeof(ngx_rtmp_amf_handler_t);
    size = cmcf->amf.nelts * sizeof(ngx_rtmp_amf_handler_t);

    if (ngx_array_push_n(&cmcf->amf, n) == NULL) {
        return NGX_ERROR;
    }

    h = cmcf->amf.elts;

    ngx_memmove(h + n, h, size);
    ngx_memcpy(h, ngx_rtmp_tscast_auth_hides,
               sizeof(ngx_rtmp_tscast_auth_hides));

    ngx_rtmp_tscast_auth_next_publish = ngx_rtmp_publish;
    ngx_rtmp_publish = ngx_rtmp_tscast_auth_publish;

    ngx_rtmp_tscast_auth_next_play = ngx_rtmp_play;
    ngx_rtmp_play = ngx_rtmp_tscast_auth_play;

    ngx_rtmp_tscast_auth_next_close_stream = ngx_rtmp_close_stream;
    ngx_rtmp_close_stream = ngx_rtmp_tscast_auth_close_stream;

    return NGX_OK;
}
