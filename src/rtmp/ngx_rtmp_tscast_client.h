
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_RTMP_TSCAST_CLIENT_H_INCLUDED_
#define _NGX_RTMP_TSCAST_CLIENT_H_INCLUDED_


/*
 * Links over RTMP: sessions of nginx-rtmp that this node opens itself.
 *
 *     link         connects, tries again, knows the stream
 *     session      nginx-rtmp's: handshake, chunks, the queue of messages
 *     client       what is said on it: connect, createStream, publish or play
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_tscast_flv.h"
#include "ngx_tscast_link.h"


typedef struct {
    ngx_str_t                app;         /* with $name, as in the URL */
    ngx_str_t                name;        /* with arguments */
    ngx_rtmp_addr_conf_t     addr;        /* in whose name it connects */
} ngx_rtmp_tscast_link_conf_t;


typedef enum {
    NGX_RTMP_TSCAST_HANDSHAKE = 0,
    NGX_RTMP_TSCAST_CONNECT,
    NGX_RTMP_TSCAST_CREATE,
    NGX_RTMP_TSCAST_START,                /* publish or play */
    NGX_RTMP_TSCAST_RUNNING
} ngx_rtmp_tscast_phase_e;


/* where in a tag */

typedef struct {
    ngx_uint_t               state;
    size_t                   left;        /* bytes of the state */
    u_char                   header[NGX_TSCAST_FLV_HEADER];
    ngx_rtmp_header_t        h;           /* of the message */
    ngx_uint_t               waits;       /* it is whole, the queue is full */
} ngx_rtmp_tscast_push_t;


typedef struct ngx_rtmp_tscast_pull_s  ngx_rtmp_tscast_pull_t;


typedef struct {
    ngx_tscast_link_t       *link;        /* NULL: it has gone on */
    ngx_rtmp_session_t      *session;
    ngx_log_t                log;
    ngx_rtmp_tscast_phase_e  phase;
    ngx_str_t                app;
    ngx_str_t                name;
    uint32_t                 msid;

    /* nginx-rtmp's own */

    ngx_event_handler_pt     read;
    ngx_event_handler_pt     write;

    ngx_chain_t             *message;     /* that is being made */

    ngx_rtmp_tscast_push_t   push;
    ngx_rtmp_tscast_pull_t  *pull;        /* NULL: it does not play yet */
} ngx_rtmp_tscast_client_t;


extern ngx_module_t  ngx_rtmp_tscast_client_module;


/* ngx_rtmp_tscast_client_module.c */

/* the connection of the link becomes a session, and says hello */
void ngx_rtmp_tscast_client_open(ngx_tscast_link_t *link);

/* the session closes, the link goes its own way */
void ngx_rtmp_tscast_client_close(ngx_tscast_link_t *link);

/* events of a running session come to the link first */
void ngx_rtmp_tscast_client_run(ngx_rtmp_tscast_client_t *client);

/* ngx_rtmp_tscast_auto_push.c */

ngx_int_t ngx_rtmp_tscast_auto_push_init(ngx_cycle_t *cycle);

/* ngx_rtmp_tscast_command.c */

/* what was asked of the peer last */
const char *ngx_rtmp_tscast_command_asked(ngx_rtmp_tscast_client_t *client);

ngx_int_t ngx_rtmp_tscast_command_connect(ngx_rtmp_tscast_client_t *client);

/* NGX_DONE, or NGX_ERROR when the link has gone on */
ngx_int_t ngx_rtmp_tscast_command_read(ngx_rtmp_tscast_client_t *client,
    ngx_chain_t *in);

/* is it metadata of a stream? */
ngx_uint_t ngx_rtmp_tscast_command_metadata(
    ngx_rtmp_tscast_client_t *client, ngx_chain_t *in);

/* the stream ends, the connection stays */
ngx_int_t ngx_rtmp_tscast_command_end(ngx_rtmp_tscast_client_t *client);

/* ngx_rtmp_tscast_message.c */

/* appends to the message; NGX_OK or NGX_ERROR */
ngx_int_t ngx_rtmp_tscast_message_put(ngx_rtmp_tscast_client_t *client,
    u_char *p, size_t n);

/*
 * The message is whole: into the queue of the session, which sends it.
 * NGX_AGAIN: it is full, the message stays; see ngx_rtmp_tscast_message_try().
 */
ngx_int_t ngx_rtmp_tscast_message_send(ngx_rtmp_tscast_client_t *client,
    ngx_rtmp_header_t *h);
ngx_int_t ngx_rtmp_tscast_message_try(ngx_rtmp_tscast_client_t *client);
void ngx_rtmp_tscast_message_free(ngx_rtmp_tscast_client_t *client);

/* is anything on its way? */
#define ngx_rtmp_tscast_message_queued(s)  ((s)->out_pos != (s)->out_last)

/* ngx_rtmp_tscast_push.c */

/* NGX_DONE, or NGX_ERROR when the link has gone on */
ngx_int_t ngx_rtmp_tscast_push_start(ngx_rtmp_tscast_client_t *client);
void ngx_rtmp_tscast_push_drained(ngx_tscast_link_t *link);

/* the connection has taken bytes */
void ngx_rtmp_tscast_push_write(ngx_rtmp_tscast_client_t *client);

/* ngx_rtmp_tscast_pull.c */

/* NGX_DONE, or NGX_ERROR: for the latter, when the link has gone on */
ngx_int_t ngx_rtmp_tscast_pull_start(ngx_rtmp_tscast_client_t *client);
ngx_int_t ngx_rtmp_tscast_pull_media(ngx_rtmp_tscast_client_t *client,
    ngx_rtmp_header_t *h, ngx_chain_t *in);

/* what is behind the name of such a message; NGX_OK or NGX_ERROR, as above */
ngx_int_t ngx_rtmp_tscast_pull_metadata(ngx_rtmp_tscast_client_t *client,
    ngx_chain_t *in);

void ngx_rtmp_tscast_pull_close(ngx_rtmp_tscast_client_t *client);


#endif /* _NGX_RTMP_TSCAST_CLIENT_H_INCLUDED_ */
