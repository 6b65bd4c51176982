
/*
 * Copyright (C) the tscast authors
 */


/*
 * Whether somebody may publish or play: the question of tscast_auth, in the
 * lines of a request, where access logs do not look.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hook.h"
#include "ngx_tscast_report.h"


/* the lines without their variable parts */
#define NGX_TSCAST_AUTH_LINES  256


static void ngx_tscast_auth_cleanup(void *data);
static ngx_int_t ngx_tscast_auth_lines(ngx_tscast_auth_t *auth);
static ngx_int_t ngx_tscast_auth_escape(ngx_pool_t *pool, ngx_str_t *s);
static void ngx_tscast_auth_done(ngx_tscast_call_t *call);
static ngx_int_t ngx_tscast_auth_answer(ngx_tscast_auth_t *auth,
    ngx_tscast_call_t *call);
static ngx_int_t ngx_tscast_auth_rename(ngx_tscast_auth_t *auth,
    ngx_tscast_link_http_header_t *location);


ngx_int_t
ngx_tscast_auth_bind(ngx_tscast_auth_t *auth, ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_tscast_auth_cleanup;
    cln->data = auth;

    return NGX_OK;
}


/* harmless when there was an answer */

static void
ngx_tscast_auth_cleanup(void *data)
{
    ngx_tscast_auth_cancel(data);
}


ngx_int_t
ngx_tscast_auth_ask(ngx_tscast_auth_t *auth, ngx_tscast_call_conf_t *ccf)
{
    ngx_str_null(&auth->renamed);

    auth->call = ngx_tscast_call_create(ccf);

    if (auth->call == NULL) {
        return NGX_ERROR;
    }

    if (ngx_tscast_auth_lines(auth) != NGX_OK) {
        ngx_tscast_auth_cancel(auth);
        return NGX_ERROR;
    }

    auth->call->data = auth;
    auth->call->done = ngx_tscast_auth_done;

    ngx_tscast_call_start(auth->call);

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_auth_lines(ngx_tscast_auth_t *auth)
{
    u_char                          *p;
    ngx_str_t                        args;
    ngx_pool_t                      *pool;
    const ngx_tscast_report_door_t  *door;

    pool = auth->call->pool;
    door = &ngx_tscast_report_doors[auth->door];

    args = auth->args;

    if (ngx_tscast_auth_escape(pool, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, NGX_TSCAST_AUTH_LINES + auth->zone.len
                          + auth->name.len + auth->address.len + args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    auth->call->lines.data = p;

    p = ngx_sprintf(p, "X-Action: %s" CRLF
                       "X-Stream: %V/%V" CRLF
                       "X-Door: %V" CRLF
                       "X-Protocol: %V" CRLF
                       "X-Address: %V" CRLF
                       "X-Node: %V" CRLF,
                    auth->publish ? "publish" : "play", &auth->zone,
                    &auth->name, &door->door, &door->protocol,
                    &auth->address, ngx_tscast_node());

    if (args.len) {
        p = ngx_sprintf(p, "X-Args: %V" CRLF, &args);
    }

    auth->call->lines.len = p - auth->call->lines.data;

    return NGX_OK;
}


/* what a peer has said, so that it is one line */

static ngx_int_t
ngx_tscast_auth_escape(ngx_pool_t *pool, ngx_str_t *s)
{
    u_char  *p;
    size_t   n;

    n = 2 * ngx_escape_uri(NULL, s->data, s->len, NGX_ESCAPE_REFRESH);

    if (n == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, s->len + n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_escape_uri(p, s->data, s->len, NGX_ESCAPE_REFRESH);

    s->data = p;
    s->len += n;

    return NGX_OK;
}


static void
ngx_tscast_auth_done(ngx_tscast_call_t *call)
{
    ngx_tscast_auth_t  *auth;

    auth = call->data;
    auth->call = NULL;

    auth->handler(auth, ngx_tscast_auth_answer(auth, call));
}


static ngx_int_t
ngx_tscast_auth_answer(ngx_tscast_auth_t *auth, ngx_tscast_call_t *call)
{
    char                           *who;
    ngx_uint_t                      level, status;
    ngx_tscast_link_http_header_t  *location;

    status = call->status;
    location = &call->parse.headers[NGX_TSCAST_LINK_HTTP_LOCATION];

    if (status >= 200 && status < 300) {
        return location->len ? ngx_tscast_auth_rename(auth, location) : NGX_OK;
    }

    who = auth->publish ? "publisher" : "viewer";

    if (status == 0) {
        ngx_log_error(NGX_LOG_ERR, auth->log, call->err,
                      "%s of \"%V/%V\" is refused, \"%V\" cannot be asked: %V",
                      who, &auth->zone, &auth->name,
                      &call->conf->url.authority, &call->why);
        return NGX_ERROR;
    }

    level = (auth->publish || status >= 500) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, auth->log, 0,
                  "%s of \"%V/%V\" is refused by \"%V\", status %ui",
                  who, &auth->zone, &auth->name, &call->conf->url.authority,
                  status);

    return (status >= 500) ? NGX_ERROR : NGX_DECLINED;
}


/* the name is behind the last slash: servers like to make it a whole URL */

static ngx_int_t
ngx_tscast_auth_rename(ngx_tscast_auth_t *auth,
    ngx_tscast_link_http_header_t *location)
{
    u_char     *p;
    ngx_str_t   name;

    p = location->data + location->len;

    while (p > location->data && p[-1] != '/') {
        p--;
    }

    name.data = p;
    name.len = location->data + location->len - p;

    if (ngx_tscast_stream_check_name(&name) != NGX_OK) {
        ngx_tscast_stream_log_name(NGX_LOG_ERR, auth->log, &name);
        return NGX_ERROR;
    }

    ngx_memcpy(auth->buf, name.data, name.len);

    auth->renamed.len = name.len;
    auth->renamed.data = auth->buf;

    ngx_log_error(NGX_LOG_INFO, auth->log, 0,
                  "stream \"%V/%V\" is renamed to \"%V\"", &auth->zone,
                  &auth->name, &auth->renamed);

    return NGX_OK;
}


void
ngx_tscast_auth_cancel(ngx_tscast_auth_t *auth)
{
    if (auth->call) {
        ngx_tscast_call_cancel(auth->call);
        auth->call = NULL;
    }
}
