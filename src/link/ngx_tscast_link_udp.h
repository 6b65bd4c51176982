
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_LINK_UDP_H_INCLUDED_
#define _NGX_TSCAST_LINK_UDP_H_INCLUDED_


/*
 * Links by datagrams: udp:// and rtp://.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"
#include "ngx_tscast_pace.h"
#include "ngx_tscast_rtp_order.h"
#include "ngx_tscast_rtp_send.h"


typedef struct ngx_tscast_link_udp_queue_s  ngx_tscast_link_udp_queue_t;


typedef struct {
    ngx_str_t                 iface;     /* ends with a zero, too */
    ngx_addr_t               *source;
    ngx_uint_t                ttl;       /* unset: the system's */
    ngx_uint_t                pace;      /* unset: for groups */
    size_t                    payload;   /* of a datagram: whole packets */
    size_t                    rcvbuf;
} ngx_tscast_link_udp_conf_t;


/* media that lies in pieces, and how far it was taken */

typedef struct {
    struct iovec             *iov;
    ngx_uint_t                n;
    size_t                    pos;       /* in the first of them */
} ngx_tscast_link_udp_media_t;


/* link->ctx of a push */

typedef struct {
    ngx_tscast_link_t        *link;
    size_t                    payload;
    size_t                    head;      /* bytes before it */
    ngx_uint_t                segments;  /* datagrams that the kernel cuts */
    ngx_msec_t                told;      /* when a loss was logged */
    ngx_tscast_link_udp_queue_t  *queue;    /* with pace=pcr */

    /* of RTP */

    ngx_tscast_rtp_send_t     rtp;
    ngx_event_t               report;
    ngx_sockaddr_t            control;   /* where reports go */
} ngx_tscast_link_udp_push_t;


/* link->ctx of a pull */

typedef struct {
    uint32_t                  dropped;   /* by the kernel, so far */

    /* of RTP */

    uint32_t                  ssrc;
    ngx_msec_t                heard;     /* last datagram of it, or 0 */
    ngx_event_t               wait;      /* for what is missing */
    ngx_uint_t                strange;   /* a datagram was not RTP */
    ngx_tscast_rtp_order_t    order;
} ngx_tscast_link_udp_pull_t;


extern ngx_module_t  ngx_tscast_link_udp_module;
extern ngx_module_t  ngx_tscast_link_rtp_module;


/* ngx_tscast_link_udp.c */

ngx_uint_t ngx_tscast_link_udp_is_rtp(ngx_tscast_link_conf_t *lcf);

/* index of iface=, 0 without one */
unsigned ngx_tscast_link_udp_iface(ngx_tscast_link_t *link);

/* NGX_OK, or NGX_ERROR after which the link has gone on */
ngx_int_t ngx_tscast_link_udp_option(ngx_tscast_link_t *link, int level,
    int name, const void *value, socklen_t len, const char *text);
ngx_int_t ngx_tscast_link_udp_number(ngx_tscast_link_t *link, int level,
    int name, int value, const char *text);

/* ngx_tscast_link_udp_conf.c */

ngx_int_t ngx_tscast_link_udp_param(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf, ngx_str_t *param);
char *ngx_tscast_link_udp_conf(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf);
ngx_uint_t ngx_tscast_link_udp_is_group(struct sockaddr *sockaddr);

/* ngx_tscast_link_udp_push.c */

void ngx_tscast_link_udp_push(ngx_tscast_link_t *link);
void ngx_tscast_link_udp_push_close(ngx_tscast_link_t *link);

/* sends size bytes of media now, all or what the system takes of it */
void ngx_tscast_link_udp_send(ngx_tscast_link_udp_push_t *push,
    struct iovec *iov, ngx_uint_t n, size_t size);

/* the next packet, in buf where it does not lie in one piece */
u_char *ngx_tscast_link_udp_packet(ngx_tscast_link_udp_media_t *m,
    u_char *buf);

/* ngx_tscast_link_udp_rtp.c */

void ngx_tscast_link_udp_rtp_open(ngx_tscast_link_udp_push_t *push);
void ngx_tscast_link_udp_rtp_close(ngx_tscast_link_udp_push_t *push);

/* the header of a datagram whose media begins here */
void ngx_tscast_link_udp_rtp_head(ngx_tscast_link_udp_push_t *push, u_char *p,
    ngx_tscast_link_udp_media_t *m, size_t size);

/* what the next owner goes on from */
void ngx_tscast_link_udp_rtp_keep(ngx_tscast_link_udp_push_t *push);

/* ngx_tscast_link_udp_queue.c */

ngx_int_t ngx_tscast_link_udp_queue_open(ngx_tscast_link_udp_push_t *push);
void ngx_tscast_link_udp_queue_add(ngx_tscast_link_udp_push_t *push,
    struct iovec *iov, ngx_uint_t n, size_t size);

/* sends all that is there */
void ngx_tscast_link_udp_queue_close(ngx_tscast_link_udp_push_t *push);

/* ngx_tscast_link_udp_pull.c */

void ngx_tscast_link_udp_pull(ngx_tscast_link_t *link);
void ngx_tscast_link_udp_pull_close(ngx_tscast_link_t *link);


static ngx_inline uint64_t
ngx_tscast_link_udp_now(void)
{
    return (uint64_t) ngx_current_msec * NGX_TSCAST_CLOCK_MSEC;
}


#endif /* _NGX_TSCAST_LINK_UDP_H_INCLUDED_ */
