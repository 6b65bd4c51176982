
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_URL_H_INCLUDED_
#define _NGX_TSCAST_URL_H_INCLUDED_


/*
 * URLs of links, RFC 3986: pure functions over bytes.
 *
 *     scheme://[user@]host[:port][/path][?query]
 */


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t     scheme;
    ngx_str_t     user;                 /* what is before an @ */
    ngx_str_t     host;                 /* an IPv6 address without brackets */
    ngx_str_t     authority;            /* host:port as it was written */
    ngx_str_t     path;                 /* from the slash on, with the query */
    ngx_str_t     query;                /* without the question mark */
    in_port_t     port;                 /* 0: not given */
    unsigned      ipv6:1;               /* host was in brackets */
} ngx_tscast_url_t;


/* returns NULL, or what is wrong with it */
char *ngx_tscast_url_parse(ngx_tscast_url_t *url, ngx_str_t *text);

/*
 * Where a reference leads from a URL, RFC 3986, 5.2; text->data has room for
 * as many bytes as ngx_tscast_url_join_size() says.
 */
void ngx_tscast_url_join(ngx_tscast_url_t *base, ngx_str_t *reference,
    ngx_str_t *text);
size_t ngx_tscast_url_join_size(ngx_tscast_url_t *base, ngx_str_t *reference);

/*
 * The next "name=value" of a query, or "name" alone; takes it off *query.
 * Returns NGX_OK, or NGX_DONE when there is no more.
 */
ngx_int_t ngx_tscast_url_param(ngx_str_t *query, ngx_str_t *param);


#endif /* _NGX_TSCAST_URL_H_INCLUDED_ */
