
/*
 * Copyright (C) the tscast authors
 */


/*
 * UDP ingest: a session is all that comes from one address, until it has been
 * silent for the timeout.
 *
 * A datagram is a piece of a transport stream, cut anywhere, or an RTP packet.
 * A piece that was cut may begin as RTP does by chance, but not hold whole TS
 * packets behind that.  The first datagrams decide: RTP as soon as one of them
 * is such a packet, bare otherwise, for as long as the session lasts.
 *
 * Nobody can tell a sender that it is refused: its session stays and counts
 * what it hears, and asks from time to time whether it is wanted by now.
 *
 *     publish <--------------------------- ask
 *        |                                  ^
 *        | NGX_OK                           | a second; or the timeout,
 *        v                                  | where asking costs a log line
 *     write ----------> refused ------------+
 *             ousted,
 *             garbage
 *
 * Over a reload the sockets of old workers are those of new ones, and both
 * read.  The hub has the newer take the stream over; the older is refused, and
 * does not ask.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_stream_tscast.h"


/* the largest payload over IPv4 or IPv6 is less */
#define NGX_STREAM_TSCAST_DATAGRAM  65536

/* datagrams that are looked at for RTP */
#define NGX_STREAM_TSCAST_LOOK      8

/* ms between two questions of who is refused */
#define NGX_STREAM_TSCAST_ASK       1000


static void ngx_stream_tscast_udp_read(ngx_event_t *rev);
static void ngx_stream_tscast_udp_datagram(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, u_char *p, size_t n);
static ngx_int_t ngx_stream_tscast_udp_write(ngx_stream_tscast_ctx_t *ctx,
    u_char *p, size_t n);
static ngx_uint_t ngx_stream_tscast_udp_may(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);
static void ngx_stream_tscast_udp_answer(ngx_tscast_auth_t *auth,
    ngx_int_t rc);
static void ngx_stream_tscast_udp_refuse(ngx_stream_tscast_ctx_t *ctx,
    ngx_int_t rc);
static ngx_uint_t ngx_stream_tscast_udp_wanted(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);
static void ngx_stream_tscast_udp_count(ngx_stream_tscast_ctx_t *ctx);
static void ngx_stream_tscast_udp_ousted(ngx_tscast_publisher_t *pub);
static void ngx_stream_tscast_udp_end(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx);


void
ngx_stream_tscast_udp(ngx_stream_session_t *s, ngx_stream_tscast_ctx_t *ctx)
{
    ngx_buf_t                     *b;
    ngx_connection_t              *c;
    ngx_stream_tscast_srv_conf_t  *tscf;

    c = s->connection;
    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    if (ngx_stream_tscast_publisher(s, ctx) != NGX_OK) {
        ngx_stream_tscast_end(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    c->log->action = "reading a publisher's datagrams";

    /* a worker that leaves hears nothing any more: nginx tells the idle */
    c->idle = 1;

    c->read->handler = ngx_stream_tscast_udp_read;
    c->write->handler = ngx_stream_tscast_ignore;

    ngx_add_timer(c->read, tscf->ingest->timeout);

    /* the first one */

    b = c->buffer;

    ngx_stream_tscast_udp_datagram(s, ctx, b->pos, b->last - b->pos);

    b->pos = b->last;
}


/* with the next datagram of this sender, and with no other */

static void
ngx_stream_tscast_udp_read(ngx_event_t *rev)
{
    ssize_t                        n;
    ngx_connection_t              *c;
    ngx_stream_session_t          *s;
    ngx_stream_tscast_ctx_t       *ctx;
    ngx_stream_tscast_srv_conf_t  *tscf;

    static u_char  buf[NGX_STREAM_TSCAST_DATAGRAM];

    c = rev->data;
    s = c->data;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    if (c->close && c->idle && ctx->published
        && ngx_tscast_successor(ctx->zone))
    {
        /* viewers wait for the new worker to hear the sender */

        c->close = 0;
        c->idle = 0;

        return;
    }

    if (c->close || rev->timedout) {
        ngx_stream_tscast_udp_end(s, ctx);
        return;
    }

    n = c->recv(c, buf, sizeof(buf));

    if (n == NGX_AGAIN || n == NGX_ERROR) {
        return;
    }

    s->received += n;

    ngx_stream_tscast_udp_datagram(s, ctx, buf, n);

    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    ngx_add_timer(rev, tscf->ingest->timeout);
}


static void
ngx_stream_tscast_udp_datagram(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx, u_char *p, size_t n)
{
    ngx_int_t  rc;

    if ((ctx->udp.refused && !ngx_stream_tscast_udp_wanted(s, ctx))
        || !ngx_stream_tscast_udp_may(s, ctx))
    {
        ctx->udp.lost += n;
        return;
    }

    rc = NGX_OK;

    if (!ctx->published) {
        rc = ngx_stream_tscast_publish(s, ctx, ngx_stream_tscast_udp_ousted);
    }

    if (rc == NGX_OK) {
        rc = ngx_stream_tscast_udp_write(ctx, p, n);
    }

    if (rc != NGX_OK) {
        ctx->udp.lost += n;
        ngx_stream_tscast_udp_refuse(ctx, rc);
        return;
    }

    ngx_tscast_publisher_flush(ctx->publisher);
}


/* what comes before the answer of tscast_auth is lost */

static ngx_uint_t
ngx_stream_tscast_udp_may(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    ngx_stream_tscast_srv_conf_t  *tscf;

    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    if (tscf->auth == NULL || ctx->udp.allowed
        || ngx_tscast_stream_check_name(&ctx->name) != NGX_OK)
    {
        return 1;
    }

    if (ctx->udp.asking) {
        return 0;
    }

    ctx->udp.asking = 1;

    if (ngx_stream_tscast_auth(s, ctx, ngx_stream_tscast_udp_answer)
        != NGX_OK)
    {
        ctx->udp.asking = 0;
        ngx_stream_tscast_udp_refuse(ctx, NGX_TSCAST_DENIED);
    }

    return 0;
}


static void
ngx_stream_tscast_udp_answer(ngx_tscast_auth_t *auth, ngx_int_t rc)
{
    ngx_stream_session_t     *s;
    ngx_stream_tscast_ctx_t  *ctx;

    s = auth->data;
    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    ctx->udp.asking = 0;

    if (rc != NGX_OK) {
        ngx_stream_tscast_udp_refuse(ctx, NGX_TSCAST_DENIED);
        return;
    }

    if (auth->renamed.len) {
        ctx->name = auth->renamed;
    }

    ctx->udp.allowed = 1;
}


static ngx_int_t
ngx_stream_tscast_udp_write(ngx_stream_tscast_ctx_t *ctx, u_char *p, size_t n)
{
    ngx_int_t                 rc;
    ngx_tscast_rtp_t          rtp;
    ngx_stream_tscast_udp_t  *udp;

    udp = &ctx->udp;

    if (!udp->rtp && udp->looked == NGX_STREAM_TSCAST_LOOK) {
        return ngx_tscast_publisher_write(ctx->publisher, p, n);
    }

    rc = ngx_tscast_rtp_parse(&rtp, p, n);

    if (!udp->rtp) {
        udp->looked++;

        if (rc != NGX_OK || !ngx_tscast_rtp_is_ts(&rtp)) {
            return ngx_tscast_publisher_write(ctx->publisher, p, n);
        }

        udp->rtp = 1;
    }

    if (rc != NGX_OK || rtp.type != NGX_TSCAST_RTP_MP2T) {
        ngx_tscast_publisher_drop(ctx->publisher, n);
        return NGX_OK;
    }

    return ngx_tscast_publisher_write_rtp(ctx->publisher, &rtp);
}


static void
ngx_stream_tscast_udp_refuse(ngx_stream_tscast_ctx_t *ctx, ngx_int_t rc)
{
    ngx_tscast_unpublish(ctx->publisher);

    ctx->published = 0;

    ctx->udp.refused = rc;
    ctx->udp.refused_at = ngx_current_msec;
    ctx->udp.asked_at = ngx_current_msec;
}


static ngx_uint_t
ngx_stream_tscast_udp_wanted(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    ngx_uint_t                     live, waited;
    ngx_stream_tscast_udp_t       *udp;
    ngx_stream_tscast_srv_conf_t  *tscf;

    udp = &ctx->udp;

    if (ngx_current_msec - udp->asked_at < NGX_STREAM_TSCAST_ASK) {
        return 0;
    }

    udp->asked_at = ngx_current_msec;

    ngx_stream_tscast_udp_count(ctx);

    if (ngx_tscast_successor(ctx->zone)) {
        return 0;
    }

    tscf = ngx_stream_get_module_srv_conf(s, ngx_stream_tscast_module);

    waited = (ngx_current_msec - udp->refused_at >= tscf->ingest->timeout);

    switch (udp->refused) {

    case NGX_TSCAST_BUSY:
    case NGX_TSCAST_OUSTED:

        live = ngx_tscast_stream_live(ctx->zone, &ctx->name, 0);

        if (live && (udp->refused == NGX_TSCAST_OUSTED || !waited)) {
            return 0;
        }

        break;

    default:

        if (!waited) {
            return 0;
        }
    }

    udp->refused = NGX_OK;

    return 1;
}


/* under a lock, and so not for each datagram */

static void
ngx_stream_tscast_udp_count(ngx_stream_tscast_ctx_t *ctx)
{
    ngx_stream_tscast_udp_t  *udp;

    udp = &ctx->udp;

    if (udp->lost != udp->counted) {
        ngx_tscast_stream_lose(ctx->zone, &ctx->name, NGX_TSCAST_DOOR_UDP,
                               udp->lost - udp->counted);
        udp->counted = udp->lost;
    }
}


static void
ngx_stream_tscast_udp_ousted(ngx_tscast_publisher_t *pub)
{
    ngx_stream_session_t     *s;
    ngx_stream_tscast_ctx_t  *ctx;

    s = pub->data;
    ctx = ngx_stream_get_module_ctx(s, ngx_stream_tscast_module);

    ngx_stream_tscast_udp_refuse(ctx, NGX_TSCAST_OUSTED);

    if (ngx_exiting) {
        ngx_stream_tscast_udp_end(s, ctx);
    }
}


static void
ngx_stream_tscast_udp_end(ngx_stream_session_t *s,
    ngx_stream_tscast_ctx_t *ctx)
{
    if (ctx->published) {
        (void) ngx_tscast_publisher_finish(ctx->publisher);
    }

    if (ctx->udp.lost) {
        ngx_stream_tscast_udp_count(ctx);

        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "%uL bytes were not wanted", ctx->udp.lost);
    }

    ngx_stream_tscast_end(s, NGX_STREAM_OK);
}
