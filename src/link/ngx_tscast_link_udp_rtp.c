
/*
 * Copyright (C) the tscast authors
 */


/*
 * A push over RTP, and the reports that go to the next port.  Its numbers are
 * kept in the record of the link, so that the next owner goes on with them and
 * a receiver sees one sender.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link_udp.h"


/* ms; RFC 3550, 6.2 */
#define NGX_TSCAST_LINK_RTP_REPORT  5000
#define NGX_TSCAST_LINK_RTP_FIRST   500

/* a mark in own[0]: there are numbers */
#define NGX_TSCAST_LINK_RTP_KEPT    0x10000


static void ngx_tscast_link_udp_rtp_take(ngx_tscast_link_udp_push_t *push);
static void ngx_tscast_link_udp_rtp_report(ngx_event_t *ev);


void
ngx_tscast_link_udp_rtp_open(ngx_tscast_link_udp_push_t *push)
{
    ngx_tscast_link_t  *link;

    link = push->link;

    push->head = NGX_TSCAST_RTP_HEAD;

    ngx_memcpy(&push->control, link->sockaddr, link->socklen);
    ngx_inet_set_port(&push->control.sockaddr, link->conf->url.port + 1);

    ngx_tscast_link_udp_rtp_take(push);

    push->report.handler = ngx_tscast_link_udp_rtp_report;
    push->report.data = link;
    push->report.log = &link->log;
    push->report.cancelable = 1;

    ngx_add_timer(&push->report, NGX_TSCAST_LINK_RTP_FIRST);
}


static void
ngx_tscast_link_udp_rtp_take(ngx_tscast_link_udp_push_t *push)
{
    uint64_t               *own;
    ngx_tscast_rtp_send_t  *rtp;

    own = push->link->record->own;
    rtp = &push->rtp;

    ngx_tscast_rtp_send_init(rtp);

    if (own[0] & NGX_TSCAST_LINK_RTP_KEPT) {
        rtp->ssrc = (uint32_t) (own[0] >> 32);
        rtp->sequence = (uint16_t) own[0];
        rtp->offset = (uint32_t) (own[1] >> 32);
        rtp->timestamp = (uint32_t) own[1];
        rtp->packets = (uint32_t) (own[2] >> 32);
        rtp->octets = (uint32_t) own[2];
        rtp->going = 1;

        return;
    }

    /* RFC 3550, 5.1: all of these begin at random */

    rtp->ssrc = (uint32_t) ngx_random() << 16 ^ (uint32_t) ngx_random();
    rtp->sequence = (uint16_t) ngx_random();
    rtp->timestamp = (uint32_t) ngx_random() << 16 ^ (uint32_t) ngx_random();
}


void
ngx_tscast_link_udp_rtp_keep(ngx_tscast_link_udp_push_t *push)
{
    uint64_t               *own;
    ngx_tscast_rtp_send_t  *rtp;

    own = push->link->record->own;
    rtp = &push->rtp;

    own[0] = (uint64_t) rtp->ssrc << 32 | NGX_TSCAST_LINK_RTP_KEPT
             | rtp->sequence;
    own[1] = (uint64_t) rtp->offset << 32 | rtp->timestamp;
    own[2] = (uint64_t) rtp->packets << 32 | rtp->octets;
}


void
ngx_tscast_link_udp_rtp_close(ngx_tscast_link_udp_push_t *push)
{
    if (push->report.timer_set) {
        ngx_del_timer(&push->report);
    }
}


void
ngx_tscast_link_udp_rtp_head(ngx_tscast_link_udp_push_t *push, u_char *p,
    ngx_tscast_link_udp_media_t *media, size_t size)
{
    size_t                        n;
    uint64_t                      now;
    u_char                        buf[NGX_TSCAST_TS_PACKET];
    ngx_tscast_link_udp_media_t   m;

    m = *media;
    now = ngx_tscast_link_udp_now();

    for (n = 0; n < size; n += NGX_TSCAST_TS_PACKET) {
        ngx_tscast_rtp_send_packet(&push->rtp,
                                   ngx_tscast_link_udp_packet(&m, buf), now);

        if (n == 0) {
            ngx_tscast_rtp_send_head(&push->rtp, p, size, now);
        }
    }
}


static void
ngx_tscast_link_udp_rtp_report(ngx_event_t *ev)
{
    size_t                       n;
    ngx_str_t                    cname;
    ngx_time_t                  *tp;
    ngx_tscast_link_t           *link;
    ngx_tscast_link_udp_push_t  *push;
    u_char                       buf[NGX_TSCAST_RTP_REPORT];
    u_char                       name[255];

    link = ev->data;
    push = link->ctx;

    ngx_add_timer(ev, NGX_TSCAST_LINK_RTP_REPORT / 2
                      + ngx_random() % NGX_TSCAST_LINK_RTP_REPORT);

    if (push->rtp.packets == 0) {
        return;
    }

    cname.data = name;
    cname.len = ngx_snprintf(name, sizeof(name), "%V@%V", &link->name,
                             &ngx_cycle->hostname)
                - name;

    tp = ngx_timeofday();

    n = ngx_tscast_rtp_send_report(&push->rtp, buf, &cname, tp->sec, tp->msec,
                                   ngx_tscast_link_udp_now());

    /* one that is lost is followed by another */

    (void) sendto(link->peer.connection->fd, buf, n,
                  MSG_NOSIGNAL|MSG_DONTWAIT, &push->control.sockaddr,
                  link->socklen);
}
