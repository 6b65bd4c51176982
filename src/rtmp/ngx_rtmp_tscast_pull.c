
/*
 * Copyright (C) the tscast authors
 */


/*
 * A pull makes a transport stream of the messages that it is sent.  It is up
 * with the first of them: a server lets players in that wait for a publisher.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_codec_module.h>

#include "ngx_rtmp_tscast.h"
#include "ngx_rtmp_tscast_client.h"


struct ngx_rtmp_tscast_pull_s {
    ngx_tscast_flv_ts_t      ts;
    ngx_tscast_flv_headers_t headers;     /* of the tags as they come */
    uint64_t                 late;        /* time of a tag that is */
    ngx_event_t              flush;
    ngx_uint_t               reasons;     /* that were logged, a bit each */
};


static void ngx_rtmp_tscast_pull_up(ngx_rtmp_tscast_client_t *client);
static void ngx_rtmp_tscast_pull_tag(void *data, ngx_tscast_flv_tag_t *tag,
    uint64_t time);
static ngx_int_t ngx_rtmp_tscast_pull_write(void *data, u_char *p, size_t n);
static void ngx_rtmp_tscast_pull_left_out(ngx_rtmp_tscast_client_t *client,
    size_t n);
static void ngx_rtmp_tscast_pull_flush(ngx_event_t *ev);


/* there is room for a mux in the pool of the session, which outlives links */

ngx_int_t
ngx_rtmp_tscast_pull_start(ngx_rtmp_tscast_client_t *client)
{
    ngx_connection_t        *c;
    ngx_rtmp_tscast_pull_t  *pull;

    c = client->session->connection;

    pull = ngx_pcalloc(c->pool, sizeof(ngx_rtmp_tscast_pull_t));
    if (pull == NULL) {
        return NGX_ERROR;
    }

    pull->ts.mux.write = ngx_rtmp_tscast_pull_write;
    pull->ts.mux.data = client;
    pull->ts.tag = ngx_rtmp_tscast_pull_tag;

    ngx_tscast_flv_ts_init(&pull->ts);

    pull->flush.handler = ngx_rtmp_tscast_pull_flush;
    pull->flush.data = c;
    pull->flush.log = c->log;

    client->pull = pull;
    client->link->flv = &pull->headers;

    ngx_rtmp_tscast_client_run(client);

    return NGX_DONE;
}


ngx_int_t
ngx_rtmp_tscast_pull_media(ngx_rtmp_tscast_client_t *client,
    ngx_rtmp_header_t *h, ngx_chain_t *in)
{
    ngx_int_t                rc;
    ngx_str_t                message;
    ngx_rtmp_tscast_pull_t  *pull;

    pull = client->pull;

    if (pull == NULL || in == NULL || h->mlen == 0) {
        return NGX_DONE;
    }

    if (!client->link->up) {
        ngx_rtmp_tscast_pull_up(client);
    }

    if (ngx_rtmp_tscast_gather(client->session, in, &message) != NGX_OK) {
        ngx_tscast_link_fail(client->link, 0, "no memory");
        return NGX_ERROR;
    }

    rc = ngx_tscast_flv_ts_message(&pull->ts, h->type, h->timestamp,
                                   message.data, message.len);

    if (client->link == NULL) {
        return NGX_ERROR;
    }

    switch (rc) {

    case NGX_OK:

        if (pull->ts.message.late) {
            ngx_tscast_link_pull_tag(client->link, &pull->ts.message,
                                     pull->late);
            pull->ts.message.late = 0;
        }

        ngx_post_event(&pull->flush, &ngx_posted_events);
        return NGX_DONE;

    case NGX_DECLINED:
        ngx_rtmp_tscast_pull_left_out(client, message.len);
        return NGX_DONE;

    case NGX_ABORT:
        ngx_tscast_link_fail(client->link, 0, "%s codec \"%V\" cannot be "
                             "carried in a transport stream",
                             (h->type == NGX_RTMP_MSG_VIDEO) ? "video"
                                                             : "audio",
                             &pull->ts.name);

        /* fall through */

    default:
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_rtmp_tscast_pull_metadata(ngx_rtmp_tscast_client_t *client,
    ngx_chain_t *in)
{
    ngx_int_t             rc;
    ngx_tscast_flv_tag_t  tag;

    if (client->pull == NULL) {
        return NGX_OK;
    }

    rc = ngx_rtmp_tscast_script(client->session, in, &tag);

    switch (rc) {

    case NGX_OK:
        ngx_tscast_link_pull_tag(client->link, &tag, 0);
        return NGX_OK;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_INFO, &client->link->log, 0,
                      "metadata of %uz bytes is left out", tag.len);
        return NGX_OK;

    case NGX_DONE:
        return NGX_OK;

    default:
        ngx_tscast_link_fail(client->link, 0, "no memory");
        return NGX_ERROR;
    }
}


static void
ngx_rtmp_tscast_pull_up(ngx_rtmp_tscast_client_t *client)
{
    ngx_tscast_link_t     *link;
    ngx_rtmp_codec_ctx_t  *cctx;

    link = client->link;

    cctx = ngx_rtmp_get_module_ctx(client->session, ngx_rtmp_codec_module);

    if (cctx) {
        ngx_tscast_flv_ts_expect(&client->pull->ts, cctx->video_codec_id,
                                 cctx->audio_codec_id);
    }

    ngx_tscast_link_up(link);

    ngx_add_timer(&link->timer, link->conf->timeout);
}


static void
ngx_rtmp_tscast_pull_tag(void *data, ngx_tscast_flv_tag_t *tag, uint64_t time)
{
    ngx_rtmp_tscast_client_t *client = data;

    ngx_rtmp_tscast_pull_t  *pull;

    pull = client->pull;

    pull->headers.flags = ngx_tscast_flv_ts_tracks(&pull->ts);

    if (tag->key && ngx_tscast_link_pull_leaves(client->link)) {
        tag->late = 1;
        pull->late = time;
        return;
    }

    ngx_tscast_link_pull_tag(client->link, tag, time);
}


static ngx_int_t
ngx_rtmp_tscast_pull_write(void *data, u_char *p, size_t n)
{
    ngx_rtmp_tscast_client_t *client = data;

    if (client->link == NULL) {
        return NGX_ERROR;
    }

    return ngx_tscast_link_pull_data(client->link, p, n);
}


static void
ngx_rtmp_tscast_pull_left_out(ngx_rtmp_tscast_client_t *client, size_t n)
{
    ngx_uint_t          reason;
    ngx_tscast_link_t  *link;

    link = client->link;
    reason = client->pull->ts.reason;

    if (link->publishing) {
        ngx_tscast_publisher_drop(&link->publisher, n);
    }

    if (client->pull->reasons & (1 << reason)) {
        return;
    }

    client->pull->reasons |= 1 << reason;

    ngx_log_error(NGX_LOG_INFO, &link->log, 0, "a message is left out: %s",
                  ngx_tscast_flv_ts_reasons[reason]);
}


/* once for all the messages that were read at a time */

static void
ngx_rtmp_tscast_pull_flush(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_rtmp_session_t        *s;
    ngx_rtmp_tscast_client_t  *client;

    c = ev->data;
    s = c->data;
    client = ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_client_module);

    ngx_tscast_link_pull_flush(client->link);
}


void
ngx_rtmp_tscast_pull_close(ngx_rtmp_tscast_client_t *client)
{
    if (client->pull && client->pull->flush.posted) {
        ngx_delete_posted_event(&client->pull->flush);
    }
}
