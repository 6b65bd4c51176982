
/*
 * Copyright (C) the tscast authors
 */


/*
 * Messages in buffers of nginx-rtmp, a chunk in each.  They are not aligned
 * as their types ask: nobody but nginx-rtmp looks into them.
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
    ngx_buf_t    b;
    ngx_chain_t  in;

    ngx_memzero(&b, sizeof(ngx_buf_t));

    b.pos = p;
    b.last = p + n;

    in.buf = &b;
    in.next = NULL;

    client->message = ngx_rtmp_append_shared_bufs(
                                         ngx_rtmp_tscast_message_conf(client),
                                         client->message, &in);

    return client->message ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rtmp_tscast_message_send(ngx_rtmp_tscast_client_t *client,
    ngx_rtmp_header_t *h)
{
    ngx_rtmp_prepare_message(client->session, h, NULL, client->message);

    return ngx_rtmp_tscast_message_try(client);
}


/* a quarter of the queue is left to the answers that a session owes */

ngx_int_t
ngx_rtmp_tscast_message_try(ngx_rtmp_tscast_client_t *client)
{
    ngx_int_t  rc;

    rc = ngx_rtmp_send_message(client->session, client->message, 1);

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
    }
}
