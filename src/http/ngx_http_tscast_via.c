
/*
 * Copyright (C) the tscast authors
 */


/*
 * TSCast-Via: links of other nodes say which nodes a stream, or a question for
 * it, has come through.  What has been here is refused.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast.h"


static ngx_int_t ngx_http_tscast_via_header(ngx_http_request_t *r,
    ngx_str_t *value);


ngx_int_t
ngx_http_tscast_via(ngx_http_request_t *r, ngx_tscast_via_t **via)
{
    ngx_str_t  value;

    *via = NULL;

    if (ngx_http_tscast_via_header(r, &value) != NGX_OK) {
        return NGX_OK;
    }

    *via = ngx_palloc(r->pool, sizeof(ngx_tscast_via_t));
    if (*via == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (ngx_tscast_via_read(*via, &value)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_TSCAST_LOOP:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "links form a loop: \"%V\" leads to node \"%V\"",
                      &value, ngx_tscast_node());
        return NGX_HTTP_TSCAST_LOOP;

    default:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent invalid \"TSCast-Via: %V\"", &value);
        return NGX_HTTP_BAD_REQUEST;
    }
}


/* NGX_DECLINED when there is none; of many, the first has a say */

static ngx_int_t
ngx_http_tscast_via_header(ngx_http_request_t *r, ngx_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return NGX_DECLINED;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("TSCast-Via") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "TSCast-Via",
                               sizeof("TSCast-Via") - 1)
               == 0)
        {
            *value = h[i].value;
            return NGX_OK;
        }
    }
}


ngx_int_t
ngx_http_tscast_via_answer(ngx_http_request_t *r, ngx_tscast_zone_t *zone,
    ngx_str_t *name)
{
    u_char            *p;
    ngx_tscast_via_t   via;

    if (ngx_tscast_stream_via(zone, name, 0, &via) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "stream \"%V/%V\" has come through too many nodes: "
                      "\"%*s\"", ngx_tscast_zone_name(zone), name, via.len,
                      via.data);
        return NGX_HTTP_TSCAST_LOOP;
    }

    p = ngx_pnalloc(r->pool, via.len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(p, via.data, via.len);

    if (ngx_http_tscast_add_header(r, "TSCast-Via", p, via.len) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}
