
/*
 * Copyright (C) the tscast authors
 */


/*
 * Datagrams that come to a socket of the link's own, from anybody or, in a
 * group, from one source.  A pull is up while they come; when they do not, its
 * stream ends and the socket waits.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_udp.h"
#include "ngx_tscast_rtp.h"


/* datagrams read at a time, and times before others have their turn */
#define NGX_TSCAST_LINK_UDP_READ   32
#define NGX_TSCAST_LINK_UDP_READS  8

#define NGX_TSCAST_LINK_UDP_SIZE   65536

/* ms of silence after which another sender is listened to */
#define NGX_TSCAST_LINK_RTP_OTHER  500


typedef union {
    struct cmsghdr           cmsg;
    u_char                   buf[CMSG_SPACE(sizeof(uint32_t))];
} ngx_tscast_link_udp_control_t;


static ngx_int_t ngx_tscast_link_udp_pull_options(ngx_tscast_link_t *link);
static void ngx_tscast_link_udp_rcvbuf(ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_udp_bind(ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_udp_join(ngx_tscast_link_t *link);
static void ngx_tscast_link_udp_read(ngx_event_t *ev);
static ngx_int_t ngx_tscast_link_udp_receive(ngx_tscast_link_t *link);
static void ngx_tscast_link_udp_dropped(ngx_tscast_link_t *link,
    struct msghdr *msg);
static ngx_int_t ngx_tscast_link_udp_rtp(ngx_tscast_link_t *link, u_char *p,
    size_t n);
static ngx_int_t ngx_tscast_link_udp_rtp_other(ngx_tscast_link_t *link,
    uint32_t ssrc);
static ngx_int_t ngx_tscast_link_udp_rtp_data(ngx_tscast_link_t *link,
    ngx_tscast_rtp_t *rtp);
static ngx_int_t ngx_tscast_link_udp_rtp_kept(ngx_tscast_link_t *link);
static void ngx_tscast_link_udp_rtp_count(ngx_tscast_link_t *link);
static void ngx_tscast_link_udp_rtp_wait(ngx_event_t *ev);


/* of one pull at a time; what is not used is never touched */

static u_char  ngx_tscast_link_udp_bufs[NGX_TSCAST_LINK_UDP_READ]
                                       [NGX_TSCAST_LINK_UDP_SIZE];


void
ngx_tscast_link_udp_pull(ngx_tscast_link_t *link)
{
    u_char                      *memory;
    ngx_connection_t            *c;
    ngx_tscast_link_udp_pull_t  *pull;

    c = link->peer.connection;

    pull = ngx_pcalloc(link->pool, sizeof(ngx_tscast_link_udp_pull_t));
    if (pull == NULL) {
        ngx_tscast_link_fail(link, 0, "no memory");
        return;
    }

    if (ngx_tscast_link_udp_is_rtp(link->conf)) {
        memory = ngx_palloc(link->pool, NGX_TSCAST_RTP_MEMORY);
        if (memory == NULL) {
            ngx_tscast_link_fail(link, 0, "no memory");
            return;
        }

        ngx_tscast_rtp_order_init(&pull->order, memory);

        pull->wait.handler = ngx_tscast_link_udp_rtp_wait;
        pull->wait.data = link;
        pull->wait.log = &link->log;
    }

    link->ctx = pull;

    if (ngx_tscast_link_udp_pull_options(link) != NGX_OK
        || ngx_tscast_link_udp_bind(link) != NGX_OK)
    {
        return;
    }

    if (ngx_tscast_link_udp_is_group(link->sockaddr)
        && ngx_tscast_link_udp_join(link) != NGX_OK)
    {
        return;
    }

    c->read->handler = ngx_tscast_link_udp_read;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "the socket cannot be used");
        return;
    }

    /* up with the first datagram; what is silent for so long says so */

    ngx_add_timer(&link->timer, link->conf->timeout);
}


static ngx_int_t
ngx_tscast_link_udp_pull_options(ngx_tscast_link_t *link)
{
    ngx_tscast_link_udp_rcvbuf(link);

    if (link->sockaddr->sa_family == AF_INET6
        && ngx_tscast_link_udp_number(link, IPPROTO_IPV6, IPV6_V6ONLY, 1,
                                      "IPV6_V6ONLY")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* others may listen to a group as well */

    if (ngx_tscast_link_udp_is_group(link->sockaddr)
        && ngx_tscast_link_udp_number(link, SOL_SOCKET, SO_REUSEADDR, 1,
                                      "SO_REUSEADDR")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_tscast_link_udp_number(link, SOL_SOCKET, SO_RXQ_OVFL, 1,
                                      "SO_RXQ_OVFL");
}


/* beyond net.core.rmem_max only who may do that gets all of it */

static void
ngx_tscast_link_udp_rcvbuf(ngx_tscast_link_t *link)
{
    int                          size;
    socklen_t                    len;
    ngx_socket_t                 s;
    ngx_tscast_link_udp_conf_t  *ucf;

    ucf = link->conf->conf;
    s = link->peer.connection->fd;

    size = ucf->rcvbuf;
    len = sizeof(int);

    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, (const void *) &size, len)
        == -1)
    {
        (void) setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const void *) &size, len);
    }

    /* the kernel takes twice as much, for its own needs */

    if (getsockopt(s, SOL_SOCKET, SO_RCVBUF, (void *) &size, &len) == 0
        && (size_t) size / 2 < ucf->rcvbuf)
    {
        ngx_log_error(NGX_LOG_WARN, &link->log, 0,
                      "link has a receive buffer of %d bytes only, "
                      "see net.core.rmem_max", size / 2);
    }
}


static ngx_int_t
ngx_tscast_link_udp_bind(ngx_tscast_link_t *link)
{
    struct sockaddr_in6  *sin6;

    if (link->sockaddr->sa_family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) link->sockaddr;
        sin6->sin6_scope_id = ngx_tscast_link_udp_iface(link);
    }

    if (bind(link->peer.connection->fd, link->sockaddr, link->socklen) == -1) {
        ngx_tscast_link_fail(link, ngx_socket_errno, "bind() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_link_udp_join(ngx_tscast_link_t *link)
{
    int                          level;
    struct group_req             any;
    struct group_source_req      one;
    ngx_tscast_link_udp_conf_t  *ucf;

    ucf = link->conf->conf;
    level = (link->sockaddr->sa_family == AF_INET6) ? IPPROTO_IPV6
                                                    : IPPROTO_IP;

    /* of this socket's groups only: others of the host are not meant */

    if (level == IPPROTO_IP
        && ngx_tscast_link_udp_number(link, level, IP_MULTICAST_ALL, 0,
                                      "IP_MULTICAST_ALL")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ucf->source == NULL) {
        ngx_memzero(&any, sizeof(struct group_req));

        any.gr_interface = ngx_tscast_link_udp_iface(link);
        ngx_memcpy(&any.gr_group, link->sockaddr, link->socklen);

        return ngx_tscast_link_udp_option(link, level, MCAST_JOIN_GROUP, &any,
                                          sizeof(struct group_req),
                                          "MCAST_JOIN_GROUP");
    }

    ngx_memzero(&one, sizeof(struct group_source_req));

    one.gsr_interface = ngx_tscast_link_udp_iface(link);
    ngx_memcpy(&one.gsr_group, link->sockaddr, link->socklen);
    ngx_memcpy(&one.gsr_source, ucf->source->sockaddr, ucf->source->socklen);

    return ngx_tscast_link_udp_option(link, level, MCAST_JOIN_SOURCE_GROUP,
                                      &one, sizeof(struct group_source_req),
                                      "MCAST_JOIN_SOURCE_GROUP");
}


void
ngx_tscast_link_udp_pull_close(ngx_tscast_link_t *link)
{
    ngx_tscast_link_udp_pull_t  *pull;

    pull = link->ctx;

    if (pull->wait.timer_set) {
        ngx_del_timer(&pull->wait);
    }
}


static void
ngx_tscast_link_udp_read(ngx_event_t *ev)
{
    ngx_int_t           n;
    ngx_uint_t          i;
    ngx_connection_t   *c;
    ngx_tscast_link_t  *link;

    c = ev->data;
    link = c->data;

    if (c->close) {
        ngx_tscast_link_finish(link);
        return;
    }

    for (i = 0; i < NGX_TSCAST_LINK_UDP_READS; i++) {

        n = ngx_tscast_link_udp_receive(link);

        if (n == NGX_DONE) {
            return;
        }

        if (n == NGX_AGAIN) {
            break;
        }
    }

    if (link->up) {
        ngx_tscast_link_pull_flush(link);
    }

    if (i == NGX_TSCAST_LINK_UDP_READS) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_tscast_link_fail(link, 0, "the socket is broken");
    }
}


/* NGX_OK, NGX_AGAIN when that was all, NGX_DONE when the link has gone on */

static ngx_int_t
ngx_tscast_link_udp_receive(ngx_tscast_link_t *link)
{
    int                            n, i;
    ngx_int_t                      rc;
    ngx_err_t                      err;
    ngx_uint_t                     rtp;
    struct iovec                   iov[NGX_TSCAST_LINK_UDP_READ];
    struct mmsghdr                 msgs[NGX_TSCAST_LINK_UDP_READ];
    ngx_tscast_link_udp_control_t  control[NGX_TSCAST_LINK_UDP_READ];

    ngx_memzero(msgs, sizeof(msgs));

    for (i = 0; i < NGX_TSCAST_LINK_UDP_READ; i++) {
        iov[i].iov_base = ngx_tscast_link_udp_bufs[i];
        iov[i].iov_len = NGX_TSCAST_LINK_UDP_SIZE;

        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
        msgs[i].msg_hdr.msg_control = &control[i];
        msgs[i].msg_hdr.msg_controllen = sizeof(control[i]);
    }

    n = recvmmsg(link->peer.connection->fd, msgs, NGX_TSCAST_LINK_UDP_READ,
                 MSG_DONTWAIT, NULL);

    if (n == -1) {
        err = ngx_socket_errno;

        if (err == NGX_EAGAIN) {
            return NGX_AGAIN;
        }

        if (err == NGX_EINTR) {
            return NGX_OK;
        }

        ngx_tscast_link_fail(link, err, "recvmmsg() failed");
        return NGX_DONE;
    }

    if (!link->up) {
        ngx_tscast_link_up(link);
    }

    rtp = ngx_tscast_link_udp_is_rtp(link->conf);

    for (i = 0; i < n; i++) {
        link->record->packets++;

        ngx_tscast_link_udp_dropped(link, &msgs[i].msg_hdr);

        rc = rtp ? ngx_tscast_link_udp_rtp(link, iov[i].iov_base,
                                           msgs[i].msg_len)
                 : ngx_tscast_link_pull_data(link, iov[i].iov_base,
                                             msgs[i].msg_len);

        if (rc != NGX_OK) {
            return NGX_DONE;
        }
    }

    return n < NGX_TSCAST_LINK_UDP_READ ? NGX_AGAIN : NGX_OK;
}


/* how many the kernel had no room for, since the socket is there */

static void
ngx_tscast_link_udp_dropped(ngx_tscast_link_t *link, struct msghdr *msg)
{
    uint32_t                     dropped;
    struct cmsghdr              *cmsg;
    ngx_tscast_link_udp_pull_t  *pull;

    pull = link->ctx;

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {

        if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_RXQ_OVFL) {
            ngx_memcpy(&dropped, CMSG_DATA(cmsg), sizeof(uint32_t));

            link->record->lost += dropped - pull->dropped;
            pull->dropped = dropped;
        }
    }
}


static ngx_int_t
ngx_tscast_link_udp_rtp(ngx_tscast_link_t *link, u_char *p, size_t n)
{
    ngx_int_t                    rc;
    ngx_tscast_rtp_t             rtp;
    ngx_tscast_link_udp_pull_t  *pull;

    pull = link->ctx;

    if (ngx_tscast_rtp_parse(&rtp, p, n) != NGX_OK
        || !ngx_tscast_rtp_is_ts(&rtp))
    {
        link->record->lost++;

        if (pull->strange++ == 0) {
            ngx_log_error(NGX_LOG_INFO, &link->log, 0,
                          "a datagram is not RTP with a transport stream");
        }

        return NGX_OK;
    }

    if (rtp.ssrc != pull->ssrc || pull->heard == 0) {
        rc = ngx_tscast_link_udp_rtp_other(link, rtp.ssrc);

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : rc;
        }
    }

    pull->heard = ngx_current_msec;

    rc = ngx_tscast_link_udp_rtp_data(link, &rtp);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_tscast_link_udp_rtp_count(link);

    if (pull->order.kept && !pull->wait.timer_set) {
        ngx_add_timer(&pull->wait, NGX_TSCAST_RTP_WAIT);
    }

    return NGX_OK;
}


/* NGX_DECLINED while the first one is heard; two would be mixed up */

static ngx_int_t
ngx_tscast_link_udp_rtp_other(ngx_tscast_link_t *link, uint32_t ssrc)
{
    ngx_int_t                    rc;
    ngx_tscast_link_udp_pull_t  *pull;

    pull = link->ctx;

    if (pull->heard
        && ngx_current_msec - pull->heard < NGX_TSCAST_LINK_RTP_OTHER)
    {
        link->record->lost++;
        return NGX_DECLINED;
    }

    ngx_tscast_rtp_order_flush(&pull->order);

    rc = ngx_tscast_link_udp_rtp_kept(link);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_tscast_link_udp_rtp_count(link);
    ngx_tscast_rtp_order_init(&pull->order, pull->order.memory);

    pull->ssrc = ssrc;

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_link_udp_rtp_data(ngx_tscast_link_t *link, ngx_tscast_rtp_t *rtp)
{
    ngx_int_t                    rc;
    ngx_tscast_link_udp_pull_t  *pull;

    pull = link->ctx;

    rc = ngx_tscast_rtp_order_add(&pull->order, rtp->sequence, rtp->payload,
                                  rtp->len, ngx_current_msec);

    if (rc == NGX_BUSY) {
        rc = ngx_tscast_link_udp_rtp_kept(link);

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_tscast_rtp_order_add(&pull->order, rtp->sequence,
                                      rtp->payload, rtp->len,
                                      ngx_current_msec);
    }

    if (rc != NGX_OK) {
        /* kept, or of no use */
        return NGX_OK;
    }

    rc = ngx_tscast_link_pull_data(link, rtp->payload, rtp->len);

    return rc == NGX_OK ? ngx_tscast_link_udp_rtp_kept(link) : rc;
}


static ngx_int_t
ngx_tscast_link_udp_rtp_kept(ngx_tscast_link_t *link)
{
    u_char                      *p;
    size_t                       n;
    ngx_int_t                    rc;
    ngx_tscast_link_udp_pull_t  *pull;

    pull = link->ctx;

    for ( ;; ) {
        p = ngx_tscast_rtp_order_get(&pull->order, ngx_current_msec, &n);

        if (p == NULL) {
            return NGX_OK;
        }

        rc = ngx_tscast_link_pull_data(link, p, n);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


static void
ngx_tscast_link_udp_rtp_count(ngx_tscast_link_t *link)
{
    ngx_tscast_rtp_order_t      *order;
    ngx_tscast_link_udp_pull_t  *pull;

    pull = link->ctx;
    order = &pull->order;

    link->record->lost += order->lost;
    link->record->reordered += order->reordered;

    order->lost = 0;
    order->reordered = 0;
}


static void
ngx_tscast_link_udp_rtp_wait(ngx_event_t *ev)
{
    ngx_tscast_link_t           *link;
    ngx_tscast_link_udp_pull_t  *pull;

    link = ev->data;
    pull = link->ctx;

    if (ngx_tscast_link_udp_rtp_kept(link) != NGX_OK) {
        return;
    }

    ngx_tscast_link_udp_rtp_count(link);
    ngx_tscast_link_pull_flush(link);

    if (pull->order.kept) {
        ngx_add_timer(ev, NGX_TSCAST_RTP_WAIT);
    }
}
