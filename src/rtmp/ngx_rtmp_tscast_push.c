
/*
 * Copyright (C) the tscast authors
 */


/*
 * A push takes the FLV rendition of the stream: each tag is a message.  The
 * queue of the session is the only buffer, and while anything is in it the
 * push takes no more: what it cannot send waits in the ring.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_streams.h>

#include "ngx_rtmp_tscast_client.h"


/* in c->buffered: the queue is not empty */
#define NGX_RTMP_TSCAST_BUFFERED  0x80


static ssize_t ngx_rtmp_tscast_push_send(ngx_tscast_viewer_t *v,
    struct iovec *iov, ngx_uint_t n);
static ssize_t ngx_rtmp_tscast_push_bytes(ngx_rtmp_tscast_client_t *client,
    u_char *p, size_t n);
static ngx_int_t ngx_rtmp_tscast_push_tag(ngx_rtmp_tscast_client_t *client);


/* AMF0, 2.4: the name of the command that a data message is with */

static u_char  ngx_rtmp_tscast_set_data_frame[] = "\x02\x00\x0d@setDataFrame";


enum {
    sw_file = 0,
    sw_header,
    sw_body,
    sw_trailer
};


ngx_int_t
ngx_rtmp_tscast_push_start(ngx_rtmp_tscast_client_t *client)
{
    ngx_rtmp_tscast_client_run(client);

    client->push.state = sw_file;
    client->push.left = NGX_TSCAST_FLV_FILE;

    ngx_tscast_link_push_start(client->link, &ngx_tscast_framing_raw,
                               ngx_rtmp_tscast_push_send);

    return client->link ? NGX_DONE : NGX_ERROR;
}


/* v->send */

static ssize_t
ngx_rtmp_tscast_push_send(ngx_tscast_viewer_t *v, struct iovec *iov,
    ngx_uint_t n)
{
    ssize_t                    taken, sent;
    ngx_uint_t                 i;
    ngx_connection_t          *c;
    ngx_tscast_link_t         *link;
    ngx_rtmp_tscast_client_t  *client;

    c = v->connection;
    link = v->data;
    client = link->ctx;

    sent = 0;

    if (c->destroyed || ngx_rtmp_tscast_message_queued(client->session)) {
        /* it is to be closed, or to send */
        return 0;
    }

    if (client->push.waits) {

        if (ngx_rtmp_tscast_message_try(client) != NGX_OK) {
            return NGX_ERROR;
        }

        client->push.waits = 0;
    }

    for (i = 0; i < n && !client->push.waits; i++) {

        taken = ngx_rtmp_tscast_push_bytes(client, iov[i].iov_base,
                                           iov[i].iov_len);
        if (taken == NGX_ERROR) {
            return NGX_ERROR;
        }

        sent += taken;
    }

    if (ngx_rtmp_tscast_message_queued(client->session)) {
        c->buffered |= NGX_RTMP_TSCAST_BUFFERED;

    } else {
        c->buffered &= ~NGX_RTMP_TSCAST_BUFFERED;
    }

    return sent;
}


/* how many of the bytes were taken: less when a message waits */

static ssize_t
ngx_rtmp_tscast_push_bytes(ngx_rtmp_tscast_client_t *client, u_char *p,
    size_t n)
{
    size_t                   size;
    u_char                  *start, *last;
    ngx_int_t                rc;
    ngx_rtmp_tscast_push_t  *push;

    push = &client->push;

    start = p;
    last = p + n;

    while (p < last && !push->waits) {

        size = ngx_min((size_t) (last - p), push->left);

        switch (push->state) {

        case sw_header:
            ngx_memcpy(push->header + NGX_TSCAST_FLV_HEADER - push->left, p,
                       size);
            break;

        case sw_body:
            if (ngx_rtmp_tscast_message_put(client, p, size) != NGX_OK) {
                return NGX_ERROR;
            }

            break;
        }

        p += size;
        push->left -= size;

        if (push->left) {
            break;
        }

        switch (push->state) {

        case sw_header:
            if (ngx_rtmp_tscast_push_tag(client) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case sw_body:
            push->state = sw_trailer;
            push->left = NGX_TSCAST_FLV_TRAILER;

            rc = ngx_rtmp_tscast_message_send(client, &push->h);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            push->waits = (rc == NGX_AGAIN);
            break;

        default: /* sw_file, sw_trailer */
            push->state = sw_header;
            push->left = NGX_TSCAST_FLV_HEADER;
        }
    }

    return p - start;
}


/* the header of a tag is whole */

static ngx_int_t
ngx_rtmp_tscast_push_tag(ngx_rtmp_tscast_client_t *client)
{
    ngx_rtmp_tscast_push_t  *push;

    push = &client->push;

    push->left = ngx_tscast_flv_get_size(push->header);
    push->state = sw_body;

    if (push->left == 0) {
        push->left = NGX_TSCAST_FLV_TRAILER;
        push->state = sw_trailer;

        return NGX_OK;
    }

    push->h.type = push->header[0];
    push->h.timestamp = ngx_tscast_flv_get_time(push->header);
    push->h.msid = client->msid;

    switch (push->h.type) {

    case NGX_RTMP_MSG_AUDIO:
        push->h.csid = NGX_RTMP_CSID_AUDIO;
        return NGX_OK;

    case NGX_RTMP_MSG_VIDEO:
        push->h.csid = NGX_RTMP_CSID_VIDEO;
        return NGX_OK;

    default: /* NGX_RTMP_MSG_AMF_META */
        push->h.csid = NGX_RTMP_CSID_AMF;

        return ngx_rtmp_tscast_message_put(client,
                                    ngx_rtmp_tscast_set_data_frame,
                                    sizeof(ngx_rtmp_tscast_set_data_frame) - 1);
    }
}


void
ngx_rtmp_tscast_push_write(ngx_rtmp_tscast_client_t *client)
{
    ngx_connection_t   *c;
    ngx_tscast_link_t  *link;

    c = client->session->connection;
    link = client->link;

    if (!link->drained) {
        ngx_tscast_viewer_write(&link->viewer);
        return;
    }

    if (ngx_rtmp_tscast_message_queued(client->session)) {
        return;
    }

    /* the peer closes when it has read all */

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             ngx_shutdown_socket_n " failed");
    }
}


void
ngx_rtmp_tscast_push_drained(ngx_tscast_link_t *link)
{
    ngx_rtmp_tscast_client_t  *client;

    client = link->ctx;

    if (ngx_rtmp_tscast_command_end(client) != NGX_OK) {
        ngx_tscast_link_finish(link);
        return;
    }

    ngx_rtmp_tscast_push_write(client);
}
