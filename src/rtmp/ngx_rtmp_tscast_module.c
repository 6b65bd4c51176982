
/*
 * Copyright (C) the tscast authors
 */


/*
 * RTMP ingest: what nginx-rtmp has accepted as a publisher, of whatever
 * origin, becomes a tscast stream as well.  Messages are only looked at, on
 * their way to nginx-rtmp's own players, recorders and relays.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_codec_module.h>
#include <ngx_rtmp_live_module.h>

#include "ngx_rtmp_tscast.h"


typedef struct {
    ngx_rtmp_tscast_ingest_conf_t  *ingest;
} ngx_rtmp_tscast_app_conf_t;


static ngx_int_t ngx_rtmp_tscast_publish(ngx_rtmp_session_t *s,
    ngx_rtmp_publish_t *v);
static ngx_int_t ngx_rtmp_tscast_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v);
static ngx_int_t ngx_rtmp_tscast_av(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_uint_t ngx_rtmp_tscast_publishes(ngx_rtmp_session_t *s);
static ngx_int_t ngx_rtmp_tscast_claim(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_ingest_conf_t *icf, ngx_rtmp_tscast_ctx_t *ctx);
static ngx_int_t ngx_rtmp_tscast_take(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_ctx_t *ctx, ngx_rtmp_header_t *h, ngx_chain_t *in);
static void ngx_rtmp_tscast_left_out(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_ctx_t *ctx, size_t n);
static ngx_int_t ngx_rtmp_tscast_write(void *data, u_char *p, size_t n);
static void ngx_rtmp_tscast_tag(void *data, ngx_tscast_flv_tag_t *tag,
    uint64_t time);
static ngx_int_t ngx_rtmp_tscast_metadata(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static void ngx_rtmp_tscast_flush(ngx_event_t *ev);
static void ngx_rtmp_tscast_timed_out(ngx_event_t *ev);
static void ngx_rtmp_tscast_ousted(ngx_tscast_publisher_t *pub);
static void ngx_rtmp_tscast_end(ngx_rtmp_session_t *s);
static void *ngx_rtmp_tscast_create_app_conf(ngx_conf_t *cf);
static char *ngx_rtmp_tscast_merge_app_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_rtmp_tscast_ingest_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_rtmp_tscast_init(ngx_conf_t *cf);


static ngx_command_t  ngx_rtmp_tscast_commands[] = {

    { ngx_string("tscast_ingest"),
      NGX_RTMP_APP_CONF|NGX_CONF_1MORE,
      ngx_rtmp_tscast_ingest_directive,
      NGX_RTMP_APP_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_rtmp_module_t  ngx_rtmp_tscast_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_rtmp_tscast_init,                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_rtmp_tscast_create_app_conf,       /* create application conf. */
    ngx_rtmp_tscast_merge_app_conf         /* merge application conf. */
};


ngx_module_t  ngx_rtmp_tscast_module = {
    NGX_MODULE_V1,
    &ngx_rtmp_tscast_module_ctx,           /* module context */
    ngx_rtmp_tscast_commands,              /* module directives */
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


static ngx_rtmp_publish_pt       ngx_rtmp_tscast_next_publish;
static ngx_rtmp_close_stream_pt  ngx_rtmp_tscast_next_close_stream;


/*
 * Nobody has looked at the publisher yet: its arguments are kept, for when
 * it is accepted.
 */

static ngx_int_t
ngx_rtmp_tscast_publish(ngx_rtmp_session_t *s, ngx_rtmp_publish_t *v)
{
    ngx_rtmp_tscast_ctx_t       *ctx;
    ngx_rtmp_tscast_app_conf_t  *tacf;

    tacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_tscast_module);

    if (tacf == NULL || tacf->ingest == NULL || s->auto_pushed
        || ngx_rtmp_tscast_publishes(s))
    {
        goto next;
    }

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(s->connection->pool, sizeof(ngx_rtmp_tscast_ctx_t));
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        ngx_rtmp_set_ctx(s, ctx, ngx_rtmp_tscast_module);
    }

    ngx_memzero(&ctx->headers, sizeof(ngx_tscast_flv_headers_t));
    ngx_memcpy(ctx->args, v->args, NGX_RTMP_MAX_ARGS);

next:

    return ngx_rtmp_tscast_next_publish(s, v);
}


static ngx_int_t
ngx_rtmp_tscast_close_stream(ngx_rtmp_session_t *s,
    ngx_rtmp_close_stream_t *v)
{
    ngx_rtmp_tscast_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_module);

    if (ctx && ctx->active) {
        (void) ngx_tscast_publisher_finish(&ctx->publisher);

        ngx_rtmp_tscast_end(s);
    }

    return ngx_rtmp_tscast_next_close_stream(s, v);
}


static ngx_int_t
ngx_rtmp_tscast_av(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_connection_t            *c;
    ngx_rtmp_tscast_ctx_t       *ctx;
    ngx_rtmp_tscast_app_conf_t  *tacf;

    c = s->connection;
    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_module);

    if (ctx == NULL || in == NULL || h->mlen == 0 || c->destroyed
        || !ngx_rtmp_tscast_publishes(s))
    {
        return NGX_OK;
    }

    if (c->close) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "publisher is closed, the worker shuts down");
        return NGX_ERROR;
    }

    if (!ctx->active) {
        tacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_tscast_module);

        if (ngx_rtmp_tscast_claim(s, tacf->ingest, ctx) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_rtmp_tscast_take(s, ctx, h, in) != NGX_OK) {
        ngx_rtmp_tscast_end(s);
        return NGX_ERROR;
    }

    ngx_post_event(&ctx->flush, &ngx_posted_events);

    ngx_add_timer(&ctx->timeout, ctx->publisher.timeout);

    return NGX_OK;
}


static ngx_uint_t
ngx_rtmp_tscast_publishes(ngx_rtmp_session_t *s)
{
    ngx_rtmp_live_ctx_t  *lctx;

    lctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_live_module);

    return lctx && lctx->stream && lctx->publishing;
}


static ngx_int_t
ngx_rtmp_tscast_claim(ngx_rtmp_session_t *s,
    ngx_rtmp_tscast_ingest_conf_t *icf, ngx_rtmp_tscast_ctx_t *ctx)
{
    u_char                   buf[NGX_TSCAST_NAME_LEN + 1];
    ngx_str_t                name;
    ngx_connection_t        *c;
    ngx_rtmp_codec_ctx_t    *cctx;
    ngx_tscast_publisher_t  *pub;

    c = s->connection;
    pub = &ctx->publisher;

    ngx_memzero(pub, sizeof(ngx_tscast_publisher_t));

    pub->data = s;
    pub->ousted = ngx_rtmp_tscast_ousted;
    pub->log = c->log;
    pub->addr_text = &c->addr_text;
    pub->door = NGX_TSCAST_DOOR_RTMP;
    pub->timeout = icf->timeout;
    pub->takeover = icf->takeover;
    pub->flv = &ctx->headers;

    ngx_rtmp_tscast_name(s, &icf->name, buf, &name);

    if (ngx_tscast_publish(pub, icf->zone->data, &name) != NGX_OK) {

        if (!s->relay) {
            (void) ngx_rtmp_send_status(s, "NetStream.Publish.BadName",
                                        "error", "Stream is not available");
        }

        return NGX_ERROR;
    }

    ctx->active = 1;
    ctx->left_out = 0;
    ctx->reasons = 0;

    ctx->ts.mux.write = ngx_rtmp_tscast_write;
    ctx->ts.mux.data = pub;
    ctx->ts.tag = ngx_rtmp_tscast_tag;

    ngx_tscast_flv_ts_init(&ctx->ts);

    cctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_codec_module);

    if (cctx) {
        ngx_tscast_flv_ts_expect(&ctx->ts, cctx->video_codec_id,
                                 cctx->audio_codec_id);
    }

    ctx->timeout.handler = ngx_rtmp_tscast_timed_out;
    ctx->timeout.data = c;
    ctx->timeout.log = c->log;

    ctx->flush.handler = ngx_rtmp_tscast_flush;
    ctx->flush.data = c;
    ctx->flush.log = c->log;

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_tscast_take(ngx_rtmp_session_t *s, ngx_rtmp_tscast_ctx_t *ctx,
    ngx_rtmp_header_t *h, ngx_chain_t *in)
{
    ngx_int_t   rc;
    ngx_str_t   message;
    ngx_uint_t  jumps;

    if (ngx_rtmp_tscast_gather(s, in, &message) != NGX_OK) {
        return NGX_ERROR;
    }

    jumps = ctx->ts.time.jumps;

    rc = ngx_tscast_flv_ts_message(&ctx->ts, h->type, h->timestamp,
                                   message.data, message.len);

    if (jumps == 0 && ctx->ts.time.jumps) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "timestamps jump to %uD", h->timestamp);
    }

    switch (rc) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        ngx_rtmp_tscast_left_out(s, ctx, message.len);
        return NGX_OK;

    case NGX_ABORT:
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "%s codec \"%V\" cannot be carried in a transport "
                      "stream",
                      (h->type == NGX_RTMP_MSG_VIDEO) ? "video" : "audio",
                      &ctx->ts.name);

        return NGX_ERROR;

    default: /* logged by the hub */
        return NGX_ERROR;
    }
}


static void
ngx_rtmp_tscast_left_out(ngx_rtmp_session_t *s, ngx_rtmp_tscast_ctx_t *ctx,
    size_t n)
{
    ngx_uint_t  reason;

    reason = ctx->ts.reason;

    ngx_tscast_publisher_drop(&ctx->publisher, n);

    ctx->left_out++;

    if (ctx->reasons & (1 << reason)) {
        return;
    }

    ctx->reasons |= 1 << reason;

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "a message is left out: %s",
                  ngx_tscast_flv_ts_reasons[reason]);
}


static ngx_int_t
ngx_rtmp_tscast_write(void *data, u_char *p, size_t n)
{
    return ngx_tscast_publisher_write(data, p, n);
}


/* its headers tell of what the transport stream has, and is to have */

static void
ngx_rtmp_tscast_tag(void *data, ngx_tscast_flv_tag_t *tag, uint64_t time)
{
    ngx_tscast_publisher_t *pub = data;

    ngx_rtmp_tscast_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx((ngx_rtmp_session_t *) pub->data,
                                  ngx_rtmp_tscast_module);

    ctx->headers.flags = ngx_tscast_flv_ts_tracks(&ctx->ts);

    ngx_tscast_publisher_flv(pub, tag, time);
}


static ngx_int_t
ngx_rtmp_tscast_metadata(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_int_t               rc;
    ngx_tscast_flv_tag_t    tag;
    ngx_rtmp_tscast_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_module);

    if (ctx == NULL || in == NULL || !ngx_rtmp_tscast_publishes(s)) {
        return NGX_OK;
    }

    rc = ngx_rtmp_tscast_script(s, in, &tag);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DONE) {
        return NGX_OK;
    }

    if (rc == NGX_OK && ctx->active) {
        ngx_tscast_publisher_flv(&ctx->publisher, &tag, 0);
        return NGX_OK;
    }

    if (rc == NGX_DECLINED
        || ngx_tscast_flv_headers_set(&ctx->headers, tag.type, tag.data,
                                      tag.len)
           == NGX_DECLINED)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "metadata of %uz bytes is left out", tag.len);
    }

    return NGX_OK;
}


/* once for all the messages that were read at a time */

static void
ngx_rtmp_tscast_flush(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_rtmp_session_t     *s;
    ngx_rtmp_tscast_ctx_t  *ctx;

    c = ev->data;
    s = c->data;
    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_module);

    ngx_tscast_publisher_flush(&ctx->publisher);
}


static void
ngx_rtmp_tscast_timed_out(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_rtmp_session_t  *s;

    c = ev->data;
    s = c->data;

    ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "publisher timed out");

    ngx_rtmp_tscast_end(s);
    ngx_rtmp_finalize_session(s);
}


static void
ngx_rtmp_tscast_ousted(ngx_tscast_publisher_t *pub)
{
    ngx_rtmp_session_t *s = pub->data;

    ngx_rtmp_tscast_end(s);
    ngx_rtmp_finalize_session(s);
}


static void
ngx_rtmp_tscast_end(ngx_rtmp_session_t *s)
{
    ngx_rtmp_tscast_ctx_t  *ctx;

    ctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_module);

    ctx->active = 0;

    if (ctx->timeout.timer_set) {
        ngx_del_timer(&ctx->timeout);
    }

    if (ctx->flush.posted) {
        ngx_delete_posted_event(&ctx->flush);
    }

    if (ctx->left_out || ctx->ts.time.jumps) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "%uL messages were left out, timestamps have jumped "
                      "%ui times", ctx->left_out, ctx->ts.time.jumps);
    }

    ngx_tscast_unpublish(&ctx->publisher);
}


static void *
ngx_rtmp_tscast_create_app_conf(ngx_conf_t *cf)
{
    ngx_rtmp_tscast_app_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_tscast_app_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->ingest = NULL;
     */

    return conf;
}


static char *
ngx_rtmp_tscast_merge_app_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_rtmp_tscast_app_conf_t *conf = child;

    ngx_rtmp_live_app_conf_t  *lacf;

    if (conf->ingest == NULL) {
        return NGX_CONF_OK;
    }

    lacf = ngx_rtmp_conf_get_module_app_conf(cf, ngx_rtmp_live_module);

    if (!lacf->live) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tscast_ingest\" needs \"live on\" in its "
                           "application");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_rtmp_tscast_ingest_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_rtmp_tscast_app_conf_t *tacf = conf;

    ngx_str_t                      *value, name;
    ngx_uint_t                      i;
    ngx_rtmp_tscast_ingest_conf_t  *icf;

    if (tacf->ingest) {
        return "is duplicate";
    }

    icf = ngx_pcalloc(cf->pool, sizeof(ngx_rtmp_tscast_ingest_conf_t));
    if (icf == NULL) {
        return NGX_CONF_ERROR;
    }

    icf->timeout = 10000;

    value = cf->args->elts;

    icf->zone = ngx_tscast_zone_add(cf, &value[1], &name);

    if (icf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_rtmp_tscast_name_compile(cf, &name, &icf->name) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

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

    tacf->ingest = icf;

    return NGX_CONF_OK;
}


/*
 * nginx-rtmp builds its chains anew with each configuration.  Its modules are
 * before this one: their handlers have seen a message when ours is called.
 */

static ngx_int_t
ngx_rtmp_tscast_init(ngx_conf_t *cf)
{
    ngx_rtmp_handler_pt        *h;
    ngx_rtmp_core_main_conf_t  *cmcf;

    cmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_core_module);

    h = ngx_array_push(&cmcf->events[NGX_RTMP_MSG_AUDIO]);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_rtmp_tscast_av;

    h = ngx_array_push(&cmcf->events[NGX_RTMP_MSG_VIDEO]);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_rtmp_tscast_av;

    if (ngx_rtmp_tscast_script_handler(cf, ngx_rtmp_tscast_metadata)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rtmp_tscast_next_publish = ngx_rtmp_publish;
    ngx_rtmp_publish = ngx_rtmp_tscast_publish;

    ngx_rtmp_tscast_next_close_stream = ngx_rtmp_close_stream;
    ngx_rtmp_close_stream = ngx_rtmp_tscast_close_stream;

    return NGX_OK;
}
