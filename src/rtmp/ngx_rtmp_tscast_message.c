
/*
 * Copyright (C) the tscast authors
 */


/*
 * Messages in buffers of nginx-rtmp, a chunk in each: it writes the headers
 * into the room before them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_rtmp_tscast_client.h"


static ngx_rtmp_core_srv_conf_t *ngx_rtmp_tscast_message_conf(
    ngx_rtmp_tscast_client_t *client);


static ngx_rtmp_core_srv_conf_t *
ngx_rtmp_tscast_message_conf(ngx_rtmp_tscast_client_t *client)
{
    return ngx_rtmp_get_module_srv_conf(client->session,
                                        ngx_rtmp_core_module);
}


ngx_int_t
ngx_rtmp_tscast_message_put(ngx_rtmp_tscast_client_t *client, u_char *p,
    size_t n)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    while (n) {
        cl = client->last;

        if (cl == NULL || (size_t) (cl->buf->last - cl->buf->pos)
                          == client->chunk)
        {
            cl = ngx_rtmp_alloc_shared_buf(
                                        ngx_rtmp_tscast_message_conf(client));
            if (cl == NULL) {
                return NGX_ERROR;
            }

            if (client->last) {
                client->last->next = cl;

            } else {
                client->message = cl;
            }

            client->last = cl;
        }

        b = cl->buf;
        size = ngx_min(n, client->chunk - (b->last - b->pos));

        b->last = ngx_cpymem(b->last, p, size);

        p += size;
        n -= size;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rtmp_tscast_message_send(ngx_rtmp_tscast_client_t *client,
    ngx_rtmp_header_t *h, ngx_uint_t priority)
{
    ngx_rtmp_prepare_message(client->session, h, NULL, client->message);

    return ngx_rtmp_tscast_message_try(client, priority);
}


ngx_int_t
ngx_rtmp_tscast_message_try(ngx_rtmp_tscast_client_t *client,
    ngx_uint_t priority)
{
    ngx_int_t  rc;

    rc = ngx_rtmp_send_message(client->session, client->message, priority);

    if (rc == NGX_OK) {
        ngx_rtmp_tscast_message_free(client);
    }

    return rc;
}


/* what is in the queue has a reference of its own */

void
ngx_rtmp_tscast_message_free(ngx_rtmp_tscast_client_t *client)
{
    if (client->message) {
        ngx_rtmp_free_shared_chain(ngx_rtmp_tscast_message_conf(client),
                                   client->message);

        client->message = NULL;
        client->last = NULL;
    }
}
