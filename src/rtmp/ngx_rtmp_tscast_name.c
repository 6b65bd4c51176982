
/*
 * Copyright (C) the tscast authors
 */


/*
 * Names of streams with variables of nginx-rtmp: compiled once, so that an
 * unknown variable is found when the configuration is read, and a session
 * needs no memory.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_eval.h>
#include <ngx_rtmp_live_module.h>

#include "ngx_rtmp_tscast.h"


typedef struct {
    ngx_str_t                text;
    ngx_rtmp_eval_t         *eval;        /* or NULL: the text itself */
} ngx_rtmp_tscast_part_t;


static ngx_rtmp_eval_t *ngx_rtmp_tscast_name_find(ngx_str_t *name);
static void ngx_rtmp_tscast_name_of_stream(void *ctx, ngx_rtmp_eval_t *e,
    ngx_str_t *ret);
static void ngx_rtmp_tscast_name_of_app(void *ctx, ngx_rtmp_eval_t *e,
    ngx_str_t *ret);
static void ngx_rtmp_tscast_name_of_args(void *ctx, ngx_rtmp_eval_t *e,
    ngx_str_t *ret);


/* before those of nginx-rtmp, which knows no $app of a pull */

static ngx_rtmp_eval_t  ngx_rtmp_tscast_eval[] = {
    { ngx_string("name"), ngx_rtmp_tscast_name_of_stream, 0 },
    { ngx_string("app"), ngx_rtmp_tscast_name_of_app, 0 },
    { ngx_string("args"), ngx_rtmp_tscast_name_of_args, 0 },
    ngx_rtmp_null_eval
};


static ngx_rtmp_eval_t  *ngx_rtmp_tscast_evals[] = {
    ngx_rtmp_tscast_eval,
    ngx_rtmp_eval_session,
    NULL
};


char *
ngx_rtmp_tscast_name_compile(ngx_conf_t *cf, ngx_str_t *value,
    ngx_array_t *parts)
{
    u_char                  *p, *last;
    ngx_str_t                name;
    ngx_uint_t               brace;
    ngx_rtmp_tscast_part_t  *part;

    if (ngx_array_init(parts, cf->pool, 2, sizeof(ngx_rtmp_tscast_part_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    p = value->data;
    last = p + value->len;

    while (p < last) {

        part = ngx_array_push(parts);
        if (part == NULL) {
            return NGX_CONF_ERROR;
        }

        part->eval = NULL;
        part->text.data = p;

        while (p < last && *p != '$') {
            p++;
        }

        part->text.len = p - part->text.data;

        if (part->text.len) {
            continue;
        }

        p++;
        brace = (p < last && *p == '{');
        name.data = p + brace;

        for (p = name.data; p < last; p++) {
            if ((*p < 'a' || *p > 'z') && (*p < 'A' || *p > 'Z')) {
                break;
            }
        }

        name.len = p - name.data;

        if (brace && (p == last || *p++ != '}')) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the closing bracket in \"%V\" is missing",
                               value);
            return NGX_CONF_ERROR;
        }

        part->eval = ngx_rtmp_tscast_name_find(&name);

        if (part->eval == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown \"%V\" variable", &name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_rtmp_eval_t *
ngx_rtmp_tscast_name_find(ngx_str_t *name)
{
    ngx_rtmp_eval_t  **table, *e;

    for (table = ngx_rtmp_tscast_evals; *table; table++) {
        for (e = *table; e->handler; e++) {
            if (e->name.len == name->len
                && ngx_strncmp(e->name.data, name->data, name->len) == 0)
            {
                return e;
            }
        }
    }

    return NULL;
}


void
ngx_rtmp_tscast_name(ngx_rtmp_session_t *s, ngx_array_t *parts, u_char *buf,
    ngx_str_t *name)
{
    u_char                  *p, *last;
    ngx_str_t                text;
    ngx_uint_t               i;
    ngx_rtmp_tscast_part_t  *part;

    p = buf;
    last = buf + NGX_TSCAST_NAME_LEN + 1;
    part = parts->elts;

    for (i = 0; i < parts->nelts; i++) {

        text = part[i].text;

        if (part[i].eval) {
            part[i].eval->handler(s, part[i].eval, &text);
        }

        p = ngx_cpymem(p, text.data, ngx_min(text.len, (size_t) (last - p)));
    }

    name->data = buf;
    name->len = p - buf;
}


/* what live has accepted: a redirect of on_publish may have renamed it */

static void
ngx_rtmp_tscast_name_of_stream(void *ctx, ngx_rtmp_eval_t *e, ngx_str_t *ret)
{
    ngx_rtmp_session_t *s = ctx;

    ngx_rtmp_live_ctx_t  *lctx;

    lctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_live_module);

    ret->data = lctx->stream->name;
    ret->len = ngx_strlen(ret->data);
}


static void
ngx_rtmp_tscast_name_of_app(void *ctx, ngx_rtmp_eval_t *e, ngx_str_t *ret)
{
    ngx_rtmp_session_t *s = ctx;

    ngx_rtmp_core_app_conf_t  *cacf;

    cacf = ngx_rtmp_get_module_app_conf(s, ngx_rtmp_core_module);

    *ret = cacf->name;
}


static void
ngx_rtmp_tscast_name_of_args(void *ctx, ngx_rtmp_eval_t *e, ngx_str_t *ret)
{
    ngx_rtmp_session_t *s = ctx;

    ngx_rtmp_tscast_ctx_t  *tctx;

    tctx = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_module);

    ret->data = tctx->args;
    ret->len = ngx_strlen(ret->data);
}
