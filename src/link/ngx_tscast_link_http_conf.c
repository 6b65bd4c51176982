
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_http.h"


static ngx_tscast_link_http_conf_t *ngx_tscast_link_http_get_conf(
    ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf);
static ngx_int_t ngx_tscast_link_http_check_header(ngx_str_t *value);


static ngx_conf_enum_t  ngx_tscast_link_http_methods[] = {
    { ngx_string("POST"), 0 },
    { ngx_string("PUT"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_tscast_link_http_balance[] = {
    { ngx_string("round_robin"), 0 },
    { ngx_string("hash"), 1 },
    { ngx_null_string, 0 }
};


/* those that are the client's own affair */

static ngx_str_t  ngx_tscast_link_http_reserved[] = {
    ngx_string("Connection"),
    ngx_string("Content-Length"),
    ngx_string("Expect"),
    ngx_string("TSCast-Via"),
    ngx_string("Transfer-Encoding"),
    ngx_null_string
};


static ngx_tscast_link_http_conf_t *
ngx_tscast_link_http_get_conf(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    if (lcf->conf == NULL) {
        lcf->conf = ngx_tscast_link_http_create_conf(cf);
    }

    return lcf->conf;
}


ngx_tscast_link_http_conf_t *
ngx_tscast_link_http_create_conf(ngx_conf_t *cf)
{
    ngx_tscast_link_http_conf_t  *hlcf;

    hlcf = ngx_pcalloc(cf->pool, sizeof(ngx_tscast_link_http_conf_t));
    if (hlcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     hlcf->put = 0;
     *     hlcf->hash = 0;
     *     hlcf->upstream = NULL;
     */

    if (ngx_array_init(&hlcf->headers, cf->pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NULL;
    }

    ngx_tscast_link_tls_init(&hlcf->tls);

    return hlcf;
}


ngx_int_t
ngx_tscast_link_http_param(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf,
    ngx_str_t *param)
{
    ngx_str_t                     value;
    ngx_tscast_link_http_conf_t  *hlcf;

    hlcf = ngx_tscast_link_http_get_conf(cf, lcf);

    if (hlcf == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_tscast_param_string(param, "header=", &value) == NGX_OK) {
        return ngx_tscast_link_http_header(hlcf, &value);
    }

    if (lcf->push
        && ngx_tscast_param_enum(param, "method=",
                                 ngx_tscast_link_http_methods, &hlcf->put)
           == NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_tscast_param_enum(param, "balance=", ngx_tscast_link_http_balance,
                              &hlcf->hash)
        == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_tscast_link_tls_param(&hlcf->tls, param);
}


ngx_int_t
ngx_tscast_link_http_header(ngx_tscast_link_http_conf_t *hlcf,
    ngx_str_t *value)
{
    ngx_str_t  *header;

    if (ngx_tscast_link_http_check_header(value) != NGX_OK) {
        return NGX_DECLINED;
    }

    header = ngx_array_push(&hlcf->headers);
    if (header == NULL) {
        return NGX_DECLINED;
    }

    *header = *value;

    return NGX_OK;
}


/* RFC 9110, 5.1 and 5.5 */

static ngx_int_t
ngx_tscast_link_http_check_header(ngx_str_t *value)
{
    u_char     *p, *last;
    size_t      len;
    ngx_str_t  *name;

    last = value->data + value->len;

    for (p = value->data; p < last && *p != ':'; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_'))
        {
            return NGX_DECLINED;
        }
    }

    len = p - value->data;

    if (len == 0 || p == last) {
        return NGX_DECLINED;
    }

    while (++p < last) {
        if ((*p < ' ' && *p != '\t') || *p == 0x7f) {
            return NGX_DECLINED;
        }
    }

    for (name = ngx_tscast_link_http_reserved; name->len; name++) {
        if (name->len == len
            && ngx_strncasecmp(name->data, value->data, len) == 0)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_tscast_link_http_has(ngx_tscast_link_http_conf_t *hlcf, char *name)
{
    size_t       len;
    ngx_str_t   *header;
    ngx_uint_t   i;

    len = ngx_strlen(name);
    header = hlcf->headers.elts;

    for (i = 0; i < hlcf->headers.nelts; i++) {
        if (header[i].len > len && header[i].data[len] == ':'
            && ngx_strncasecmp(header[i].data, (u_char *) name, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


char *
ngx_tscast_link_http_conf(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    if (ngx_tscast_link_http_get_conf(cf, lcf) == NULL) {
        return NGX_CONF_ERROR;
    }

    if (lcf->url.user.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V:// has no user, it has \"header=\": \"%V\"",
                           &lcf->url.scheme, &lcf->address);
        return NGX_CONF_ERROR;
    }

#if !(NGX_SSL)

    if (lcf->url.scheme.len == sizeof("https") - 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "nginx was built without TLS: \"%V\"",
                           &lcf->address);
        return NGX_CONF_ERROR;
    }

#endif

    return NGX_CONF_OK;
}


ngx_int_t
ngx_tscast_link_http_host(ngx_cycle_t *cycle, ngx_tscast_link_conf_t *lcf)
{
    ngx_int_t                     rc;
    ngx_tscast_link_http_conf_t  *hlcf;
    ngx_tscast_link_main_conf_t  *lmcf;

    hlcf = lcf->conf;
    lmcf = (ngx_tscast_link_main_conf_t *)
               ngx_get_conf(cycle->conf_ctx, ngx_tscast_link_module);

    /* a redirect may lead to https:// from anywhere */

    if (ngx_tscast_link_tls_create(cycle, lmcf, &hlcf->tls) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_tscast_link_http_upstream(cycle, &lcf->url.authority, hlcf);

    if (hlcf->hash && rc != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"balance=\" needs an upstream, there is no \"%V\"",
                      &lcf->url.authority);
        return NGX_ERROR;
    }

    return rc;
}
