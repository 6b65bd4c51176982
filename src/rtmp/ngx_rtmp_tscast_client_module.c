
/*
 * Copyright (C) the tscast authors
 */


/*
 * Sessions of links: nginx-rtmp owns the connection and closes it, the link
 * is told why.  Commands are read here and by no handler of nginx-rtmp, for
 * which this would be a server like any other: the peer is to ask nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_rtmp_tscast.h"
#include "ngx_rtmp_tscast_client.h"


/*
 * bytes of a command, or of metadata: nginx-rtmp goes down a level of its stack
 * with each object in an object
 */
#define NGX_RTMP_TSCAST_COMMAND  32768


static ngx_int_t ngx_rtmp_tscast_client_session(ngx_tscast_link_t *link);
static ngx_rtmp_tscast_client_t *ngx_rtmp_tscast_client_get(
    ngx_rtmp_session_t *s);
static ngx_int_t ngx_rtmp_tscast_client_shaken(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_tscast_client_gone(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_tscast_client_command(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_tscast_client_metadata(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_tscast_client_media(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_tscast_client_user(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static ngx_int_t ngx_rtmp_tscast_client_chunks(ngx_rtmp_session_t *s,
    ngx_rtmp_header_t *h, ngx_chain_t *in);
static void ngx_rtmp_tscast_client_read(ngx_event_t *rev);
static void ngx_rtmp_tscast_client_write(ngx_event_t *wev);
static ngx_int_t ngx_rtmp_tscast_client_init(ngx_conf_t *cf);


typedef struct {
    ngx_uint_t               event;
    ngx_rtmp_handler_pt      handler;
} ngx_rtmp_tscast_client_event_t;


static ngx_rtmp_tscast_client_event_t  ngx_rtmp_tscast_client_events[] = {
    { NGX_RTMP_HANDSHAKE_DONE, ngx_rtmp_tscast_client_shaken },
    { NGX_RTMP_DISCONNECT, ngx_rtmp_tscast_client_gone },
    { NGX_RTMP_MSG_CHUNK_SIZE, ngx_rtmp_tscast_client_chunks },
    { NGX_RTMP_MSG_USER, ngx_rtmp_tscast_client_user },
    { NGX_RTMP_MSG_AUDIO, ngx_rtmp_tscast_client_media },
    { NGX_RTMP_MSG_VIDEO, ngx_rtmp_tscast_client_media },
    { NGX_RTMP_MSG_AMF_CMD, ngx_rtmp_tscast_client_command },
    { NGX_RTMP_MSG_AMF_META, ngx_rtmp_tscast_client_command },
    { NGX_RTMP_MSG_AMF_SHARED, ngx_rtmp_tscast_client_command },
    { NGX_RTMP_MSG_AMF3_CMD, ngx_rtmp_tscast_client_command },
    { NGX_RTMP_MSG_AMF3_META, ngx_rtmp_tscast_client_command },
    { NGX_RTMP_MSG_AMF3_SHARED, ngx_rtmp_tscast_client_command },
    { 0, NULL }
};


static ngx_rtmp_module_t  ngx_rtmp_tscast_client_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_rtmp_tscast_client_init,           /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create application conf. */
    NULL                                   /* merge application conf. */
};


ngx_module_t  ngx_rtmp_tscast_client_module = {
    NGX_MODULE_V1,
    &ngx_rtmp_tscast_client_module_ctx,    /* module context */
    NULL,                                  /* module directives */
    NGX_RTMP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_rtmp_tscast_auto_push_init,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


void
ngx_rtmp_tscast_client_open(ngx_tscast_link_t *link)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_rtmp_tscast_client_t  *client;

    c = link->peer.connection;

    /* nginx-rtmp destroys the pool with the connection */

    c->pool = ngx_create_pool(4096, &link->quiet);
    if (c->pool == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    rc = ngx_rtmp_tscast_client_session(link);

    if (rc != NGX_OK) {

        if (rc == NGX_ERROR) {
            /* the log was in the pool */

            c->log = &link->log;
            c->read->log = c->log;
            c->write->log = c->log;

            ngx_destroy_pool(c->pool);
            c->pool = link->pool;

        } else {
            /* nginx-rtmp has closed it */
            link->peer.connection = NULL;
        }

        ngx_tscast_link_fail(link, 0, "nginx-rtmp takes no session");
        return;
    }

    client = link->ctx;

    ngx_rtmp_client_handshake(client->session, 0);
}


/* NGX_ERROR, or NGX_DONE when there is no connection any more */

static ngx_int_t
ngx_rtmp_tscast_client_session(ngx_tscast_link_t *link)
{
    ngx_connection_t             *c;
    ngx_rtmp_session_t           *s;
    ngx_rtmp_tscast_client_t     *client;
    ngx_rtmp_tscast_link_conf_t  *rlcf;

    c = link->peer.connection;
    rlcf = link->conf->conf;

    client = ngx_pcalloc(c->pool, sizeof(ngx_rtmp_tscast_client_t));
    if (client == NULL) {
        return NGX_ERROR;
    }

    /* what nginx-rtmp would log the link says in its own words */

    client->log = link->quiet;

    c->log = &client->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->pool->log = c->log;

    c->addr_text.len = link->peer_name.len;
    c->addr_text.data = ngx_pstrdup(c->pool, &link->peer_name);

    if (c->addr_text.data == NULL
        || ngx_tscast_link_expand(link, c->pool, &rlcf->app, &client->app)
           != NGX_OK
        || ngx_tscast_link_expand(link, c->pool, &rlcf->name, &client->name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    s = ngx_rtmp_init_session(c, &rlcf->addr);

    if (s == NULL) {
        return NGX_DONE;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    /* of no application; relays are not logged, nor notified of */

    s->app_conf = rlcf->addr.ctx->app_conf;
    s->relay = 1;
    s->timeout = link->conf->timeout;

    ngx_rtmp_set_ctx(s, client, ngx_rtmp_tscast_client_module);

    client->session = s;
    client->link = link;

    link->ctx = client;

    return NGX_OK;
}


void
ngx_rtmp_tscast_client_close(ngx_tscast_link_t *link)
{
    ngx_rtmp_tscast_client_t  *client;

    client = link->ctx;

    if (client == NULL) {
        return;
    }

    client->link = NULL;
    link->peer.connection = NULL;

    ngx_rtmp_tscast_pull_close(client);
    ngx_rtmp_tscast_message_free(client);

    ngx_rtmp_finalize_session(client->session);
}


static ngx_rtmp_tscast_client_t *
ngx_rtmp_tscast_client_get(ngx_rtmp_session_t *s)
{
    return ngx_rtmp_get_module_ctx(s, ngx_rtmp_tscast_client_module);
}


static ngx_int_t
ngx_rtmp_tscast_client_shaken(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_tscast_client_t  *client;

    client = ngx_rtmp_tscast_client_get(s);

    if (client == NULL) {
        return NGX_OK;
    }

    return ngx_rtmp_tscast_command_connect(client);
}


/* nginx-rtmp is about to close the session */

static ngx_int_t
ngx_rtmp_tscast_client_gone(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_connection_t          *c;
    ngx_tscast_link_t         *link;
    ngx_rtmp_tscast_client_t  *client;

    client = ngx_rtmp_tscast_client_get(s);

    if (client == NULL || client->link == NULL) {
        return NGX_OK;
    }

    c = s->connection;
    link = client->link;

    if (link->drained) {
        ngx_tscast_link_finish(link);

    } else if (c->read->error || c->write->error) {
        ngx_tscast_link_fail(link, 0, "the connection is broken");

    } else if (c->timedout) {
        ngx_tscast_link_fail(link, NGX_ETIMEDOUT, "no answer");

    } else if (!c->read->eof && link->up) {
        ngx_tscast_link_fail(link, 0,
                             "the peer answers no ping, or not by RTMP");

    } else if (!c->read->eof) {
        ngx_tscast_link_fail(link, 0, "this is no RTMP");

    } else if (link->up && link->conf->push) {
        ngx_tscast_link_fail(link, 0, "the peer has closed the connection");

    } else if (link->up) {
        ngx_tscast_link_pull_end(link, "the peer has closed the connection");

    } else {
        ngx_tscast_link_fail(link, 0, "the peer has closed the connection, "
                             "asked for %s",
                             ngx_rtmp_tscast_command_asked(client));
    }

    return NGX_OK;
}


/* before nginx-rtmp reads it, in sessions of any kind */

static ngx_int_t
ngx_rtmp_tscast_client_command(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_tscast_client_t  *client;

    client = ngx_rtmp_tscast_client_get(s);

    if (client == NULL && h->mlen > NGX_RTMP_TSCAST_COMMAND) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client sends a command of %uD bytes", h->mlen);
        return NGX_ERROR;
    }

    if (client == NULL) {
        return NGX_OK;
    }

    if (client->link == NULL) {
        return NGX_ERROR;
    }

    if (h->mlen > NGX_RTMP_TSCAST_COMMAND) {
        ngx_tscast_link_fail(client->link, 0,
                             "it sends a command of %uD bytes", h->mlen);
        return NGX_ERROR;
    }

    switch (h->type) {

    case NGX_RTMP_MSG_AMF3_CMD:

        /* AMF0 follows a byte that says so */

        if (in->buf->pos < in->buf->last) {
            in->buf->pos++;
        }

        /* fall through */

    case NGX_RTMP_MSG_AMF_CMD:
        return ngx_rtmp_tscast_command_read(client, in);

    case NGX_RTMP_MSG_AMF_META:

        if (!client->link->conf->push
            && ngx_rtmp_tscast_command_metadata(client, in))
        {
            /* for the codec module of nginx-rtmp, and then for the pull */
            return NGX_OK;
        }

        /* fall through */

    default:
        return NGX_DONE;
    }
}


static ngx_int_t
ngx_rtmp_tscast_client_metadata(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_tscast_client_t  *client;

    client = ngx_rtmp_tscast_client_get(s);

    return (client && client->link && in)
           ? ngx_rtmp_tscast_pull_metadata(client, in) : NGX_OK;
}


static ngx_int_t
ngx_rtmp_tscast_client_media(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    ngx_rtmp_tscast_client_t  *client;

    client = ngx_rtmp_tscast_client_get(s);

    if (client == NULL) {
        return NGX_OK;
    }

    if (client->link == NULL) {
        return NGX_ERROR;
    }

    return ngx_rtmp_tscast_pull_media(client, h, in);
}


/* 7.1.7: the stream that is pulled has ended */

static ngx_int_t
ngx_rtmp_tscast_client_user(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    u_char                    *p;
    ngx_rtmp_tscast_client_t  *client;

    client = ngx_rtmp_tscast_client_get(s);

    if (client == NULL) {
        return NGX_OK;
    }

    if (client->link == NULL) {
        return NGX_ERROR;
    }

    p = in->buf->pos;

    if (in->buf->last - p < 2 || (p[0] << 8 | p[1]) != NGX_RTMP_USER_STREAM_EOF
        || client->pull == NULL || !client->link->up)
    {
        return NGX_OK;
    }

    ngx_tscast_link_pull_end(client->link, "the stream has ended");

    return NGX_ERROR;
}


/* nginx-rtmp takes such chunks for its own bug, and goes on */

static ngx_int_t
ngx_rtmp_tscast_client_chunks(ngx_rtmp_session_t *s, ngx_rtmp_header_t *h,
    ngx_chain_t *in)
{
    u_char                    *p;
    uint32_t                   size;
    ngx_rtmp_tscast_client_t  *client;

    client = ngx_rtmp_tscast_client_get(s);

    if (client == NULL) {
        return NGX_OK;
    }

    if (client->link == NULL) {
        return NGX_ERROR;
    }

    p = in->buf->pos;

    if (in->buf->last - p < 4) {
        return NGX_OK;
    }

    size = (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];

    if (size == 0 || size > NGX_RTMP_MAX_CHUNK_SIZE) {
        ngx_tscast_link_fail(client->link, 0,
                             "it sends chunks of %uD bytes", size);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_rtmp_tscast_client_run(ngx_rtmp_tscast_client_t *client)
{
    ngx_connection_t  *c;

    c = client->session->connection;

    client->phase = NGX_RTMP_TSCAST_RUNNING;

    client->read = c->read->handler;
    client->write = c->write->handler;

    c->read->handler = ngx_rtmp_tscast_client_read;
    c->write->handler = ngx_rtmp_tscast_client_write;
}


static void
ngx_rtmp_tscast_client_read(ngx_event_t *rev)
{
    ngx_connection_t          *c;
    ngx_rtmp_tscast_client_t  *client;

    c = rev->data;
    client = ngx_rtmp_tscast_client_get((ngx_rtmp_session_t *) c->data);

    if (client->link == NULL) {
        return;
    }

    if (c->close) {
        ngx_tscast_link_finish(client->link);
        return;
    }

    client->read(rev);
}


/* a link that pushes has its own idea of a peer that takes nothing */

static void
ngx_rtmp_tscast_client_write(ngx_event_t *wev)
{
    ngx_connection_t          *c;
    ngx_rtmp_tscast_client_t  *client;

    c = wev->data;
    client = ngx_rtmp_tscast_client_get((ngx_rtmp_session_t *) c->data);

    if (client->link == NULL) {
        return;
    }

    if (!wev->timedout || !client->link->conf->push) {
        client->write(wev);
    }

    if (client->link && client->link->conf->push && !c->destroyed) {
        ngx_rtmp_tscast_push_write(client);
    }
}


/* before the handlers of nginx-rtmp for all messages but media */

static ngx_int_t
ngx_rtmp_tscast_client_init(ngx_conf_t *cf)
{
    ngx_rtmp_handler_pt             *h;
    ngx_rtmp_core_main_conf_t       *cmcf;
    ngx_rtmp_tscast_client_event_t  *e;

    cmcf = ngx_rtmp_conf_get_module_main_conf(cf, ngx_rtmp_core_module);

    for (e = ngx_rtmp_tscast_client_events; e->handler; e++) {

        h = ngx_array_push(&cmcf->events[e->event]);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = e->handler;
    }

    return ngx_rtmp_tscast_script_handler(cf, ngx_rtmp_tscast_client_metadata);
}
