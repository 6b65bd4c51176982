
/*
 * Copyright (C) the tscast authors
 */


/*
 * Messages that have come, which nginx-rtmp keeps in many buffers, in one
 * piece: as it is, where there is one buffer, or copied to one of the worker.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_rtmp_tscast.h"


ngx_int_t
ngx_rtmp_tscast_gather(ngx_rtmp_session_t *s, ngx_chain_t *in,
    ngx_str_t *message)
{
    size_t        len;
    u_char       *p;
    ngx_chain_t  *cl;

    static size_t   size;
    static u_char  *buf;

    len = 0;

    for (cl = in; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
    }

    message->len = len;
    message->data = in->buf->pos;

    if (in->next == NULL) {
        return NGX_OK;
    }

    if (len > size) {
        p = ngx_alloc(2 * len, s->connection->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (buf) {
            ngx_free(buf);
        }

        buf = p;
        size = 2 * len;
    }

    message->data = buf;
    p = buf;

    for (cl = in; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_tscast_script_handler(ngx_conf_t *cf, ngx_rtmp_handler_pt handler)
{
    ngx_uint_t                  i;
    ngx_rtmp_amf_handler_t     *h;
    ngx_rtmp_core_main_conf_t  *cmcf;

    static ngx_str_t  names[] = {
        ngx_string("@setDataFrame"),
        ngx_string("onMetaData")
    };

    cmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_core_module);

    for (i = 0; i < 2; i++) {
        h = ngx_array_push(&cmcf->amf);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->name = names[i];
        h->handler = handler;
    }

    return NGX_OK;
}


/*
 * Behind "@setDataFrame", which is for servers, there is "onMetaData" and what
 * it tells; behind "onMetaData" only that.  nginx-rtmp tells it as an object,
 * which in a file is an array: Adobe's FLV specification 10.1, E.5.
 */

ngx_int_t
ngx_rtmp_tscast_script(ngx_rtmp_session_t *s, ngx_chain_t *in,
    ngx_tscast_flv_tag_t *tag)
{
    u_char     *p, *data, *last;
    ngx_str_t   message;

    static ngx_str_t  name = ngx_string("\x02\x00\x0aonMetaData");
    static ngx_str_t  array = ngx_string("\x08\x00\x00\x00\x00");
    static u_char     buf[NGX_TSCAST_FLV_MAX_HEADERS];

    if (ngx_rtmp_tscast_gather(s, in, &message) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(tag, sizeof(ngx_tscast_flv_tag_t));

    tag->type = NGX_TSCAST_FLV_SCRIPT;
    tag->data = buf;
    tag->len = message.len;

    if (message.len > sizeof(buf) - name.len - array.len) {
        return NGX_DECLINED;
    }

    data = message.data;
    last = data + message.len;

    if (data < last && *data == NGX_RTMP_AMF_STRING) {

        if (message.len < name.len
            || ngx_memcmp(data, name.data, name.len) != 0)
        {
            return NGX_DONE;
        }

        data += name.len;
    }

    p = ngx_cpymem(buf, name.data, name.len);

    if (data < last && *data == NGX_RTMP_AMF_OBJECT) {
        /* how many there are need not be told */
        p = ngx_cpymem(p, array.data, array.len);
        data++;
    }

    p = ngx_cpymem(p, data, last - data);

    tag->len = p - buf;

    return NGX_OK;
}
