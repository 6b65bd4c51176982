
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hook.h"


static char *ngx_tscast_call_address(ngx_conf_t *cf,
    ngx_tscast_call_conf_t *ccf);
static ngx_uint_t ngx_tscast_call_https(ngx_tscast_call_conf_t *ccf);


ngx_tscast_call_conf_t *
ngx_tscast_call_add(ngx_conf_t *cf, ngx_str_t *address)
{
    char                     *error;
    ngx_tscast_hook_conf_t   *hcf;
    ngx_tscast_call_conf_t   *ccf, **call;

    hcf = (ngx_tscast_hook_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                                  ngx_tscast_hook_module);

    ccf = ngx_pcalloc(cf->pool, sizeof(ngx_tscast_call_conf_t));
    if (ccf == NULL) {
        return NULL;
    }

    ccf->file = cf->conf_file->file.name.data;
    ccf->line = cf->conf_file->line;
    ccf->address = *address;
    ccf->timeout = 10000;

    ccf->http = ngx_tscast_link_http_create_conf(cf);
    if (ccf->http == NULL) {
        return NULL;
    }

    error = ngx_tscast_url_parse(&ccf->url, address);

    if (error == NULL) {
        error = ngx_tscast_call_address(cf, ccf);
    }

    if (error) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\": %s", address, error);
        return NULL;
    }

    call = ngx_array_push(&hcf->calls);
    if (call == NULL) {
        return NULL;
    }

    *call = ccf;

    return ccf;
}


/* returns NULL, or what is wrong with it */

static char *
ngx_tscast_call_address(ngx_conf_t *cf, ngx_tscast_call_conf_t *ccf)
{
    ngx_addr_t         addr;
    ngx_tscast_url_t  *url;

    url = &ccf->url;

    if (!ngx_tscast_call_https(ccf)
        && (url->scheme.len != sizeof("http") - 1
            || ngx_strncmp(url->scheme.data, "http", url->scheme.len) != 0))
    {
        return "it is neither http:// nor https://";
    }

#if !(NGX_SSL)

    if (ngx_tscast_call_https(ccf)) {
        return "nginx was built without TLS";
    }

#endif

    if (url->user.len) {
        return "it has a user, there is \"header=\" for that";
    }

    if (url->port == 0) {
        url->port = ngx_tscast_call_https(ccf) ? 443 : 80;
    }

    switch (ngx_parse_addr(cf->pool, &addr, url->host.data, url->host.len)) {

    case NGX_OK:
        break;

    case NGX_ERROR:
        return "no memory";

    default: /* NGX_DECLINED: a name */
        return url->ipv6 ? "it has no address in its brackets" : NULL;
    }

    ngx_inet_set_port(addr.sockaddr, url->port);

    addr.name.len = 0;
    addr.name.data = ngx_pnalloc(cf->pool, NGX_SOCKADDR_STRLEN);
    ccf->addr = ngx_palloc(cf->pool, sizeof(ngx_addr_t));

    if (addr.name.data == NULL || ccf->addr == NULL) {
        return "no memory";
    }

    addr.name.len = ngx_sock_ntop(addr.sockaddr, addr.socklen, addr.name.data,
                                  NGX_SOCKADDR_STRLEN, 1);
    *ccf->addr = addr;

    return NULL;
}


static ngx_uint_t
ngx_tscast_call_https(ngx_tscast_call_conf_t *ccf)
{
    return ccf->url.scheme.len == sizeof("https") - 1
           && ngx_strncmp(ccf->url.scheme.data, "https",
                          sizeof("https") - 1)
              == 0;
}


ngx_int_t
ngx_tscast_call_param(ngx_tscast_call_conf_t *ccf, ngx_str_t *param)
{
    ngx_str_t  value;

    if (ngx_tscast_param_msec(param, "timeout=", &ccf->timeout) == NGX_OK) {
        return ccf->timeout ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_tscast_param_string(param, "header=", &value) == NGX_OK) {
        return ngx_tscast_link_http_header(ccf->http, &value);
    }

    return ngx_tscast_link_tls_param(&ccf->http->tls, param);
}


ngx_int_t
ngx_tscast_call_check(ngx_cycle_t *cycle, ngx_tscast_call_conf_t *ccf)
{
    ngx_tscast_link_main_conf_t  *lmcf;

    lmcf = (ngx_tscast_link_main_conf_t *)
               ngx_get_conf(cycle->conf_ctx, ngx_tscast_link_module);

    if (ngx_tscast_link_http_upstream(cycle, &ccf->url.authority, ccf->http)
        != NGX_OK
        && ccf->addr == NULL && lmcf->resolver == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "no resolver in tscast {} for the host name of \"%V\" "
                      "in %s:%ui", &ccf->address, ccf->file, ccf->line);
        return NGX_ERROR;
    }

    if (ngx_tscast_call_https(ccf)
        && ngx_tscast_link_tls_create(cycle, lmcf, &ccf->http->tls) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"%V\" cannot be set up in %s:%ui", &ccf->address,
                      ccf->file, ccf->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}
