
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"
#include "ngx_tscast_link_tls.h"


#if (NGX_SSL)

/* certificates between a peer's and a trusted one */
#define NGX_TSCAST_LINK_TLS_DEPTH  9

/* what is not broken; OpenSSL's own policy may ask for more */
#define NGX_TSCAST_LINK_TLS_PROTOCOLS  (NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3)


static ngx_int_t ngx_tscast_link_tls_files(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf, ngx_tscast_link_tls_t *tls);
static ngx_int_t ngx_tscast_link_tls_name(ngx_connection_t *c,
    ngx_str_t *host);
static void ngx_tscast_link_tls_handler(ngx_connection_t *c);
static void ngx_tscast_link_tls_done(ngx_tscast_link_t *link);

#endif


void
ngx_tscast_link_tls_init(ngx_tscast_link_tls_t *tls)
{
    tls->verify = NGX_CONF_UNSET_UINT;
}


ngx_int_t
ngx_tscast_link_tls_param(ngx_tscast_link_tls_t *tls, ngx_str_t *param)
{
    if (ngx_tscast_param_enum(param, "ssl_verify=", ngx_tscast_switch_values,
                              &tls->verify)
        == NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_tscast_param_string(param, "ssl_trusted_certificate=",
                                &tls->trusted)
        == NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_tscast_param_string(param, "ssl_certificate=", &tls->certificate)
        == NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_tscast_param_string(param, "ssl_certificate_key=", &tls->key)
        == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_tscast_param_string(param, "ssl_name=", &tls->name);
}


#if (NGX_SSL)

ngx_int_t
ngx_tscast_link_tls_create(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf, ngx_tscast_link_tls_t *tls)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ngx_conf_init_uint_value(tls->verify, (ngx_uint_t) lmcf->ssl_verify);

    if (tls->trusted.len == 0) {
        tls->trusted = lmcf->ssl_trusted_certificate;
    }

    ssl = ngx_pcalloc(cycle->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cycle->log;

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    if (ngx_ssl_create(ssl, NGX_TSCAST_LINK_TLS_PROTOCOLS, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    tls->ssl = ssl;

    return ngx_tscast_link_tls_files(cycle, lmcf, tls);
}


static ngx_int_t
ngx_tscast_link_tls_files(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf, ngx_tscast_link_tls_t *tls)
{
    ngx_ssl_t   *ssl;
    ngx_conf_t   cf;

    ssl = tls->ssl;

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.ctx = cycle->conf_ctx;
    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.temp_pool = cycle->pool;
    cf.log = cycle->log;

    if ((tls->certificate.len == 0) != (tls->key.len == 0)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"ssl_certificate=\" and \"ssl_certificate_key=\" "
                      "need each other");
        return NGX_ERROR;
    }

    if (tls->certificate.len
        && ngx_ssl_certificate(&cf, ssl, &tls->certificate, &tls->key, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!tls->verify) {
        return NGX_OK;
    }

    if (tls->trusted.len == 0
        && SSL_CTX_set_default_verify_paths(ssl->ctx) == 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cycle->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    return ngx_ssl_trusted_certificate(&cf, ssl, &tls->trusted,
                                       NGX_TSCAST_LINK_TLS_DEPTH);
}


void
ngx_tscast_link_tls(ngx_tscast_link_t *link, ngx_tscast_link_tls_t *tls,
    ngx_str_t *host, void (*handler)(ngx_tscast_link_t *link))
{
    ngx_connection_t  *c;

    c = link->peer.connection;

    link->tls = tls;
    link->connected = handler;

    switch (ngx_tscast_link_tls_begin(c, tls, host)) {

    case NGX_OK:
        ngx_tscast_link_tls_done(link);
        return;

    case NGX_AGAIN:
        c->ssl->handler = ngx_tscast_link_tls_handler;
        return;

    default: /* NGX_ERROR */
        ngx_tscast_link_fail(link, 0, "no memory");
    }
}


ngx_int_t
ngx_tscast_link_tls_begin(ngx_connection_t *c, ngx_tscast_link_tls_t *tls,
    ngx_str_t *host)
{
    if (ngx_ssl_create_connection(tls->ssl, c, NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK
        || ngx_tscast_link_tls_name(c, tls->name.len ? &tls->name : host)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (ngx_ssl_handshake(c) == NGX_AGAIN) ? NGX_AGAIN : NGX_OK;
}


/* who it is to be, and whom it is asked for: RFC 6066, 3 */

static ngx_int_t
ngx_tscast_link_tls_name(ngx_connection_t *c, ngx_str_t *host)
{
    u_char             *name;
    X509_VERIFY_PARAM  *param;

    name = ngx_pnalloc(c->pool, host->len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(name, host->data, host->len + 1);

    param = SSL_get0_param(c->ssl->connection);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, (char *) name) == 1) {
        return NGX_OK;
    }

    if (X509_VERIFY_PARAM_set1_host(param, (char *) name, host->len) == 0
        || SSL_set_tlsext_host_name(c->ssl->connection, (char *) name) == 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_tscast_link_tls_handler(ngx_connection_t *c)
{
    ngx_tscast_link_t  *link;

    link = c->data;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_tscast_link_tls_done(link);
}


static void
ngx_tscast_link_tls_done(ngx_tscast_link_t *link)
{
    u_char     buf[NGX_TSCAST_RECORD_ERROR];
    ngx_str_t  why;

    why.data = buf;

    if (ngx_tscast_link_tls_test(link->peer.connection, link->tls, &why)
        != NGX_OK)
    {
        ngx_tscast_link_fail(link, 0, "%V", &why);
        return;
    }

    link->connected(link);
}


/* verify_mode is none: OpenSSL has looked, and it is up to us */

ngx_int_t
ngx_tscast_link_tls_test(ngx_connection_t *c, ngx_tscast_link_tls_t *tls,
    ngx_str_t *why)
{
    long     rc;
    u_char  *p;

    p = why->data;

    if (!c->ssl->handshaked) {
        why->len = ngx_sprintf(p, "the TLS handshake failed") - p;
        return NGX_DECLINED;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (tls->verify && rc != X509_V_OK) {
        why->len = ngx_snprintf(p, NGX_TSCAST_RECORD_ERROR,
                                "its certificate is not valid (%l: %s)", rc,
                                X509_verify_cert_error_string(rc))
                   - p;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_tscast_link_tls_shutdown(ngx_connection_t *c)
{
    if (c == NULL || c->ssl == NULL) {
        return;
    }

    /* it is not waited for, neither to be heard nor to be sent */

    c->ssl->no_wait_shutdown = 1;
    c->ssl->no_send_shutdown = !c->write->ready;

    (void) ngx_ssl_shutdown(c);
}

#else

ngx_int_t
ngx_tscast_link_tls_begin(ngx_connection_t *c, ngx_tscast_link_tls_t *tls,
    ngx_str_t *host)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_tscast_link_tls_test(ngx_connection_t *c, ngx_tscast_link_tls_t *tls,
    ngx_str_t *why)
{
    why->len = 0;

    return NGX_DECLINED;
}


void
ngx_tscast_link_tls_shutdown(ngx_connection_t *c)
{
    /* void */
}


ngx_int_t
ngx_tscast_link_tls_create(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf, ngx_tscast_link_tls_t *tls)
{
    return NGX_OK;
}


void
ngx_tscast_link_tls(ngx_tscast_link_t *link, ngx_tscast_link_tls_t *tls,
    ngx_str_t *host, void (*handler)(ngx_tscast_link_t *link))
{
    ngx_tscast_link_fail(link, 0, "nginx was built without TLS");
}

#endif


void
ngx_tscast_link_tls_close(ngx_tscast_link_t *link)
{
    ngx_tscast_link_tls_shutdown(link->peer.connection);
}
