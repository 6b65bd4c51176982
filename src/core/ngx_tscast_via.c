
/*
 * Copyright (C) the tscast authors
 */


/*
 * The nodes that a stream, or a question for one, has come through: a list of
 * names without doubles, as the value of the TSCast-Via header has it.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_hub.h"


static ngx_int_t ngx_tscast_via_name(ngx_tscast_via_t *via, ngx_str_t *name);


ngx_str_t *
ngx_tscast_node(void)
{
    ngx_tscast_conf_t  *tcf;

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                             ngx_tscast_module);

    return &tcf->node;
}


char *
ngx_tscast_node_check(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *node = data;

    if (node->len > NGX_TSCAST_NODE_LEN
        || ngx_tscast_stream_check_name(node) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name of a node \"%V\"", node);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_tscast_via_read(ngx_tscast_via_t *via, ngx_str_t *value)
{
    ngx_int_t   rc;

    ngx_memzero(via, sizeof(ngx_tscast_via_t));

    rc = ngx_tscast_via_add(via, value);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_tscast_via_has(via, ngx_tscast_node()) ? NGX_TSCAST_LOOP
                                                      : NGX_OK;
}


ngx_int_t
ngx_tscast_via_add(ngx_tscast_via_t *via, ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_int_t   rc;
    ngx_str_t   name;

    p = value->data;
    last = p + value->len;

    while (p < last) {

        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }

        name.data = p;

        while (p < last && *p != ' ' && *p != '\t' && *p != ',') {
            p++;
        }

        name.len = p - name.data;

        rc = ngx_tscast_via_name(via, &name);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_via_name(ngx_tscast_via_t *via, ngx_str_t *name)
{
    u_char  *p;

    if (name->len > NGX_TSCAST_NODE_LEN
        || ngx_tscast_stream_check_name(name) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_tscast_via_has(via, name)) {
        return NGX_OK;
    }

    if (via->nodes == NGX_TSCAST_VIA_NODES) {
        return NGX_TSCAST_LOOP;
    }

    p = via->data + via->len;

    if (via->nodes++) {
        *p++ = ',';
        *p++ = ' ';
    }

    p = ngx_cpymem(p, name->data, name->len);

    via->len = p - via->data;

    return NGX_OK;
}


ngx_uint_t
ngx_tscast_via_has(ngx_tscast_via_t *via, ngx_str_t *name)
{
    u_char  *p, *end, *last;

    last = via->data + via->len;

    for (p = via->data; p < last; p = end + 2) {

        for (end = p; end < last && *end != ','; end++) { /* void */ }

        if ((size_t) (end - p) == name->len
            && ngx_strncmp(p, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
