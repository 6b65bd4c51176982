
/*
 * Copyright (C) the tscast authors
 */


/*
 * Media in datagrams.  They lie over the pieces that are given, and where the
 * kernel can cut a large buffer into datagrams, some 64 kB go with each
 * message.  What the system does not take is lost, and counted: a datagram is
 * never waited for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <netinet/udp.h>

#include "ngx_tscast_link_udp.h"


#ifndef UDP_SEGMENT
#define UDP_SEGMENT  103
#endif


/* of a batch */
#define NGX_TSCAST_LINK_UDP_MSGS   64
#define NGX_TSCAST_LINK_UDP_IOVS   512
#define NGX_TSCAST_LINK_UDP_HEADS  256

/* of a message: Linux knows no more segments, and IP no more bytes */
#define NGX_TSCAST_LINK_UDP_SEGMENTS  64
#define NGX_TSCAST_LINK_UDP_BYTES     65507

/* of IPv6 and UDP */
#define NGX_TSCAST_LINK_UDP_HEADERS   48

/* what a burst may hold */
#define NGX_TSCAST_LINK_UDP_SNDBUF    (1024 * 1024)

/* ms between two lines about lost datagrams */
#define NGX_TSCAST_LINK_UDP_QUIET     10000


typedef struct {
    ngx_uint_t         nmsgs;
    ngx_uint_t         niov;
    ngx_uint_t         nheads;
    ngx_uint_t         room;          /* datagrams, in the last message */
    ngx_uint_t         datagrams[NGX_TSCAST_LINK_UDP_MSGS];
    struct mmsghdr     msgs[NGX_TSCAST_LINK_UDP_MSGS];
    struct iovec       iov[NGX_TSCAST_LINK_UDP_IOVS];
    u_char             heads[NGX_TSCAST_LINK_UDP_HEADS][NGX_TSCAST_RTP_HEAD];
} ngx_tscast_link_udp_batch_t;


static ngx_int_t ngx_tscast_link_udp_push_options(ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_udp_push_ttl(ngx_tscast_link_t *link,
    ngx_uint_t group);
static ngx_int_t ngx_tscast_link_udp_push_iface(ngx_tscast_link_t *link);
static void ngx_tscast_link_udp_segment(ngx_tscast_link_udp_push_t *push);
static ssize_t ngx_tscast_link_udp_media(ngx_tscast_viewer_t *v,
    struct iovec *iov, ngx_uint_t n);
static void ngx_tscast_link_udp_datagram(ngx_tscast_link_udp_push_t *push,
    ngx_tscast_link_udp_media_t *m, size_t size);
static void ngx_tscast_link_udp_message(ngx_tscast_link_udp_push_t *push);
static void ngx_tscast_link_udp_piece(u_char *p, size_t n);
static void ngx_tscast_link_udp_flush(ngx_tscast_link_udp_push_t *push);
static void ngx_tscast_link_udp_lose(ngx_tscast_link_udp_push_t *push,
    ngx_uint_t i, ngx_err_t err);
static void ngx_tscast_link_udp_refused(ngx_event_t *ev);


/* of one push at a time */

static ngx_tscast_link_udp_batch_t  ngx_tscast_link_udp_batch;


void
ngx_tscast_link_udp_push(ngx_tscast_link_t *link)
{
    ngx_uint_t                   pace;
    ngx_connection_t            *c;
    ngx_tscast_link_udp_conf_t  *ucf;
    ngx_tscast_link_udp_push_t  *push;

    c = link->peer.connection;
    ucf = link->conf->conf;

    if (ngx_tscast_link_udp_push_options(link) != NGX_OK) {
        return;
    }

    if (connect(c->fd, link->sockaddr, link->socklen) == -1) {
        ngx_tscast_link_fail(link, ngx_socket_errno, "connect() failed");
        return;
    }

    push = ngx_pcalloc(link->pool, sizeof(ngx_tscast_link_udp_push_t));
    if (push == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    push->link = link;
    push->payload = ucf->payload;

    pace = (ucf->pace == NGX_CONF_UNSET_UINT)
               ? ngx_tscast_link_udp_is_group(link->sockaddr) : ucf->pace;

    if (pace && ngx_tscast_link_udp_queue_open(push) != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    link->ctx = push;

    c->read->handler = ngx_tscast_link_udp_refused;
    c->write->handler = ngx_tscast_link_push_write;

    /* not for writing, which would be an event for each datagram */

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "the socket cannot be used");
        return;
    }

    if (ngx_tscast_link_udp_is_rtp(link->conf)) {
        ngx_tscast_link_udp_rtp_open(push);
    }

    ngx_tscast_link_udp_segment(push);

    ngx_tscast_link_push_start(link, &ngx_tscast_framing_raw,
                               ngx_tscast_link_udp_media);
}


static ngx_int_t
ngx_tscast_link_udp_push_options(ngx_tscast_link_t *link)
{
    ngx_uint_t  group;

    group = ngx_tscast_link_udp_is_group(link->sockaddr);

    if (ngx_tscast_link_udp_push_ttl(link, group) != NGX_OK) {
        return NGX_ERROR;
    }

    if (group && ngx_tscast_link_udp_push_iface(link) != NGX_OK) {
        return NGX_ERROR;
    }

    /* nothing that is sent to this socket is read */

    if (ngx_tscast_link_udp_number(link, SOL_SOCKET, SO_RCVBUF, 1,
                                   "SO_RCVBUF")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_tscast_link_udp_number(link, SOL_SOCKET, SO_SNDBUF,
                                      NGX_TSCAST_LINK_UDP_SNDBUF, "SO_SNDBUF");
}


static ngx_int_t
ngx_tscast_link_udp_push_ttl(ngx_tscast_link_t *link, ngx_uint_t group)
{
    ngx_uint_t                   ttl;
    ngx_tscast_link_udp_conf_t  *ucf;

    ucf = link->conf->conf;
    ttl = ucf->ttl;

    if (ttl == NGX_CONF_UNSET_UINT) {
        return NGX_OK;
    }

    if (link->sockaddr->sa_family == AF_INET6) {
        return ngx_tscast_link_udp_number(link, IPPROTO_IPV6,
                                          group ? IPV6_MULTICAST_HOPS
                                                : IPV6_UNICAST_HOPS,
                                          ttl, "hop limit");
    }

    return ngx_tscast_link_udp_number(link, IPPROTO_IP,
                                      group ? IP_MULTICAST_TTL : IP_TTL, ttl,
                                      "TTL");
}


static ngx_int_t
ngx_tscast_link_udp_push_iface(ngx_tscast_link_t *link)
{
    unsigned         iface;
    struct ip_mreqn  mreq;

    iface = ngx_tscast_link_udp_iface(link);

    if (iface == 0) {
        return NGX_OK;
    }

    if (link->sockaddr->sa_family == AF_INET6) {
        return ngx_tscast_link_udp_number(link, IPPROTO_IPV6,
                                          IPV6_MULTICAST_IF, iface,
                                          "IPV6_MULTICAST_IF");
    }

    ngx_memzero(&mreq, sizeof(struct ip_mreqn));

    mreq.imr_ifindex = iface;

    return ngx_tscast_link_udp_option(link, IPPROTO_IP, IP_MULTICAST_IF, &mreq,
                                      sizeof(struct ip_mreqn),
                                      "IP_MULTICAST_IF");
}


/* lets the kernel cut, unless datagrams are larger than what it can send */

static void
ngx_tscast_link_udp_segment(ngx_tscast_link_udp_push_t *push)
{
    int                mtu, size;
    socklen_t          len;
    ngx_connection_t  *c;

    c = push->link->peer.connection;

    size = push->head + push->payload;
    len = sizeof(int);

    push->segments = ngx_min(NGX_TSCAST_LINK_UDP_BYTES / size,
                             NGX_TSCAST_LINK_UDP_SEGMENTS);

    if (push->head && size < NGX_TSCAST_RTP_REPORT) {
        /* it would cut reports as well */
        push->segments = 1;
        return;
    }

    if (getsockopt(c->fd,
                   c->sockaddr->sa_family == AF_INET6 ? IPPROTO_IPV6
                                                      : IPPROTO_IP,
                   c->sockaddr->sa_family == AF_INET6 ? IPV6_MTU : IP_MTU,
                   (void *) &mtu, &len)
            == -1
        || size + NGX_TSCAST_LINK_UDP_HEADERS > mtu
        || setsockopt(c->fd, IPPROTO_UDP, UDP_SEGMENT,
                      (const void *) &size, sizeof(int))
           == -1)
    {
        push->segments = 1;
    }
}


void
ngx_tscast_link_udp_push_close(ngx_tscast_link_t *link)
{
    ngx_tscast_link_udp_push_t  *push;

    push = link->ctx;

    if (push->queue) {
        ngx_tscast_link_udp_queue_close(push);
    }

    if (push->head) {
        ngx_tscast_link_udp_rtp_close(push);
    }
}


/* v->send: all of it is taken */

static ssize_t
ngx_tscast_link_udp_media(ngx_tscast_viewer_t *v, struct iovec *iov,
    ngx_uint_t n)
{
    size_t                       size;
    ngx_uint_t                   i;
    ngx_tscast_link_t           *link;
    ngx_tscast_link_udp_push_t  *push;

    link = v->data;
    push = link->ctx;

    for (size = 0, i = 0; i < n; i++) {
        size += iov[i].iov_len;
    }

    if (push->queue) {
        ngx_tscast_link_udp_queue_add(push, iov, n, size);

    } else {
        ngx_tscast_link_udp_send(push, iov, n, size);
    }

    v->connection->sent += size;

    return size;
}


void
ngx_tscast_link_udp_send(ngx_tscast_link_udp_push_t *push, struct iovec *iov,
    ngx_uint_t n, size_t size)
{
    size_t                        part;
    ngx_tscast_link_udp_media_t   m;

    m.iov = iov;
    m.n = n;
    m.pos = 0;

    for ( /* void */ ; size; size -= part) {
        part = ngx_min(size, push->payload);

        ngx_tscast_link_udp_datagram(push, &m, part);
    }

    ngx_tscast_link_udp_flush(push);

    if (push->head) {
        ngx_tscast_link_udp_rtp_keep(push);
    }
}


static void
ngx_tscast_link_udp_datagram(ngx_tscast_link_udp_push_t *push,
    ngx_tscast_link_udp_media_t *m, size_t size)
{
    u_char                       *head;
    size_t                        n;
    ngx_tscast_link_udp_batch_t  *b;

    b = &ngx_tscast_link_udp_batch;

    if (b->niov + 1 + m->n > NGX_TSCAST_LINK_UDP_IOVS
        || b->nheads == NGX_TSCAST_LINK_UDP_HEADS
        || (b->room == 0 && b->nmsgs == NGX_TSCAST_LINK_UDP_MSGS))
    {
        ngx_tscast_link_udp_flush(push);
    }

    if (b->room == 0) {
        ngx_tscast_link_udp_message(push);
    }

    b->room--;
    b->datagrams[b->nmsgs - 1]++;

    if (push->head) {
        head = b->heads[b->nheads++];

        ngx_tscast_link_udp_rtp_head(push, head, m, size);
        ngx_tscast_link_udp_piece(head, push->head);
    }

    while (size) {
        n = ngx_min(m->iov->iov_len - m->pos, size);

        ngx_tscast_link_udp_piece((u_char *) m->iov->iov_base + m->pos, n);

        size -= n;
        m->pos += n;

        if (m->pos == m->iov->iov_len) {
            m->iov++;
            m->n--;
            m->pos = 0;
        }
    }
}


static void
ngx_tscast_link_udp_message(ngx_tscast_link_udp_push_t *push)
{
    struct msghdr                *msg;
    ngx_tscast_link_udp_batch_t  *b;

    b = &ngx_tscast_link_udp_batch;

    b->room = push->segments;
    b->datagrams[b->nmsgs] = 0;

    msg = &b->msgs[b->nmsgs++].msg_hdr;

    msg->msg_iov = &b->iov[b->niov];
    msg->msg_iovlen = 0;
}


static void
ngx_tscast_link_udp_piece(u_char *p, size_t n)
{
    struct iovec                 *iov;
    struct msghdr                *msg;
    ngx_tscast_link_udp_batch_t  *b;

    b = &ngx_tscast_link_udp_batch;
    msg = &b->msgs[b->nmsgs - 1].msg_hdr;

    if (msg->msg_iovlen) {
        iov = &msg->msg_iov[msg->msg_iovlen - 1];

        if ((u_char *) iov->iov_base + iov->iov_len == p) {
            iov->iov_len += n;
            return;
        }
    }

    iov = &b->iov[b->niov++];

    iov->iov_base = p;
    iov->iov_len = n;

    msg->msg_iovlen++;
}


static void
ngx_tscast_link_udp_flush(ngx_tscast_link_udp_push_t *push)
{
    int                           n;
    ngx_err_t                     err;
    ngx_uint_t                    i;
    ngx_tscast_record_t          *rec;
    ngx_tscast_link_udp_batch_t  *b;

    b = &ngx_tscast_link_udp_batch;
    rec = push->link->record;

    i = 0;

    while (i < b->nmsgs) {

        n = sendmmsg(push->link->peer.connection->fd, &b->msgs[i],
                     b->nmsgs - i, MSG_NOSIGNAL|MSG_DONTWAIT);

        if (n > 0) {

            for ( /* void */ ; n; n--) {
                rec->packets += b->datagrams[i++];
            }

            continue;
        }

        err = ngx_socket_errno;

        if (err == NGX_EINTR) {
            continue;
        }

        if (err == NGX_ECONNREFUSED) {
            /* said of an earlier one; this one was not sent yet */
            rec->refused++;
            continue;
        }

        ngx_tscast_link_udp_lose(push, i, err);
        break;
    }

    b->nmsgs = 0;
    b->niov = 0;
    b->nheads = 0;
    b->room = 0;
}


/* the rest of the batch */

static void
ngx_tscast_link_udp_lose(ngx_tscast_link_udp_push_t *push, ngx_uint_t i,
    ngx_err_t err)
{
    int                           size;
    ngx_tscast_link_udp_batch_t  *b;

    b = &ngx_tscast_link_udp_batch;

    for ( /* void */ ; i < b->nmsgs; i++) {
        push->link->record->lost += b->datagrams[i];
    }

    if (push->segments > 1 && err != NGX_EAGAIN && err != ENOBUFS) {

        /* the path has become too narrow, or its device cannot do it */

        size = 0;
        push->segments = 1;

        (void) setsockopt(push->link->peer.connection->fd, IPPROTO_UDP,
                          UDP_SEGMENT, (const void *) &size, sizeof(int));
    }

    if (push->told
        && ngx_current_msec - push->told < NGX_TSCAST_LINK_UDP_QUIET)
    {
        return;
    }

    push->told = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, &push->link->log, err,
                  "link loses datagrams, %uL so far",
                  push->link->record->lost);
}


u_char *
ngx_tscast_link_udp_packet(ngx_tscast_link_udp_media_t *m, u_char *buf)
{
    u_char  *p, *packet;
    size_t   n, left;

    packet = (u_char *) m->iov->iov_base + m->pos;

    if (m->iov->iov_len - m->pos < NGX_TSCAST_TS_PACKET) {
        packet = buf;
    }

    p = buf;

    for (left = NGX_TSCAST_TS_PACKET; left; left -= n) {
        n = ngx_min(m->iov->iov_len - m->pos, left);

        if (packet == buf) {
            p = ngx_cpymem(p, (u_char *) m->iov->iov_base + m->pos, n);
        }

        m->pos += n;

        if (m->pos == m->iov->iov_len) {
            m->iov++;
            m->n--;
            m->pos = 0;
        }
    }

    return packet;
}


/* an ICMP message came while nothing was sent */

static void
ngx_tscast_link_udp_refused(ngx_event_t *ev)
{
    int                 err;
    socklen_t           len;
    ngx_connection_t   *c;
    ngx_tscast_link_t  *link;

    c = ev->data;
    link = c->data;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == 0
        && err == NGX_ECONNREFUSED)
    {
        link->record->refused++;
    }
}
