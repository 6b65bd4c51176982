
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_LINK_H_INCLUDED_
#define _NGX_TSCAST_LINK_H_INCLUDED_


/*
 * Links: connections that this node opens itself.  A push reads a stream of
 * this node as a viewer, a pull feeds one as a publisher.  What is common to
 * all schemes is here; a scheme knows how to talk to its peer.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_tscast.h"
#include "ngx_tscast_url.h"


/* the type of modules that bring schemes; their context is a scheme */
#define NGX_TSCAST_MODULE  0x54435354    /* "TSCT" */

/* flags of a scheme */
#define NGX_TSCAST_SCHEME_PUSH      0x01
#define NGX_TSCAST_SCHEME_PULL      0x02
#define NGX_TSCAST_SCHEME_PATH      0x04    /* URLs may have a path */
#define NGX_TSCAST_SCHEME_DATAGRAM  0x08    /* and have no order */
#define NGX_TSCAST_SCHEME_FLV       0x10    /* tags, not packets */
#define NGX_TSCAST_SCHEME_ANSWERS   0x20    /* peers say why they go */

/* bytes read at a time, of all links of a worker in turn */
#define NGX_TSCAST_LINK_BUFFER      65536

/* buffers read before others have their turn */
#define NGX_TSCAST_LINK_READS       8

/* of what is wrong with a rule */
#define NGX_TSCAST_LINK_WHY             512


typedef struct ngx_tscast_link_s           ngx_tscast_link_t;
typedef struct ngx_tscast_link_conf_s      ngx_tscast_link_conf_t;
typedef struct ngx_tscast_link_handover_s  ngx_tscast_link_handover_t;
typedef struct ngx_tscast_link_tls_s       ngx_tscast_link_tls_t;


typedef struct {
    ngx_str_t              name;
    ngx_uint_t             flags;
    in_port_t              port;         /* default; 0: it must be given */

    /*
     * One parameter of the directive or of the URL's query.  Returns NGX_OK,
     * or NGX_DECLINED when it is not the scheme's or not valid.
     */
    ngx_int_t            (*param)(ngx_conf_t *cf,
                                  ngx_tscast_link_conf_t *lcf,
                                  ngx_str_t *param);

    /* all parameters have been read; NULL where there is nothing to check */
    char                *(*conf)(ngx_conf_t *cf,
                                 ngx_tscast_link_conf_t *lcf);

    /*
     * The address is known: connects.  Ends in ngx_tscast_link_up() or
     * ngx_tscast_link_fail().
     */
    void                 (*start)(ngx_tscast_link_t *link);

    /* closes what start has opened, in whatever state it is */
    void                 (*stop)(ngx_tscast_link_t *link);

    /*
     * A push has sent all that it is to send, on an ordered connection: says
     * so to the peer and ends in ngx_tscast_link_finish().
     */
    void                 (*drained)(ngx_tscast_link_t *link);

    /*
     * All of the configuration has been read.  Returns NGX_OK when the scheme
     * finds the address by itself, NGX_DECLINED when it is that of the host,
     * NGX_ERROR after logging why.  NULL: it is.
     */
    ngx_int_t            (*host)(ngx_cycle_t *cycle,
                                 ngx_tscast_link_conf_t *lcf);

    /*
     * A try has failed, after it had run well with stable.  Returns NGX_OK
     * when another peer is to be tried at once, NGX_DECLINED when there is
     * none.  May be NULL.
     */
    ngx_int_t            (*next)(ngx_tscast_link_t *link, ngx_uint_t stable);
} ngx_tscast_scheme_t;


struct ngx_tscast_link_conf_s {
    ngx_str_t              where;        /* " in file:line", or "" */
    uint64_t               rule;         /* its id, 0: of nginx.conf */
    uint64_t               version;      /* of the rule */
    ngx_pool_t            *pool;         /* of a rule */
    ngx_uint_t             push;

    ngx_str_t              stream;       /* zone/name as written */
    ngx_shm_zone_t        *shm_zone;
    ngx_str_t              pattern;      /* name of the stream or, with */
    ngx_uint_t             prefix;       /* prefix, how it begins */

    ngx_str_t              text;         /* URL and parameters as written */
    ngx_str_t              address;      /* the URL */
    ngx_tscast_url_t       url;
    ngx_tscast_scheme_t   *scheme;
    void                  *conf;         /* the scheme's */

    ngx_addr_t            *addr;         /* of a literal host, or NULL */
    ngx_uint_t             known;        /* to the scheme */

    ngx_msec_t             reconnect;    /* the first pause, and the */
    ngx_msec_t             reconnect_max;    /* longest one */
    ngx_msec_t             timeout;      /* connect, silence, no progress */
    ngx_msec_t             flush;

    ngx_uint_t             on_demand;    /* only while there are viewers */
    ngx_msec_t             linger;       /* and so long after the last one */
    ngx_msec_t             wait;         /* of a viewer, for the stream */
};


struct ngx_tscast_link_s {
    ngx_queue_t            queue;        /* of this worker's links */
    ngx_tscast_link_conf_t  *conf;
    ngx_tscast_zone_t     *zone;
    ngx_tscast_record_t   *record;
    ngx_str_t              name;         /* of the stream */
    ngx_log_t              log;
    ngx_log_t              quiet;        /* for what was said before */

    ngx_event_t            timer;        /* of the state */
    ngx_msec_t             began;        /* when it was up */
    ngx_msec_t             heard;        /* when a pull had data */
    ngx_resolver_ctx_t    *resolve;

    ngx_pool_t            *lasting;      /* of all tries */
    void                  *peers;        /* the scheme's, in there */

    ngx_pool_t            *pool;         /* of one try */
    ngx_tscast_url_t      *url;          /* where it leads */
    struct sockaddr       *sockaddr;
    socklen_t              socklen;
    ngx_str_t              peer_name;    /* the address as text */
    ngx_peer_connection_t  peer;
    void                 (*connected)(ngx_tscast_link_t *link);
    ngx_tscast_link_tls_t  *tls;
    void                  *ctx;          /* the scheme's */
    ngx_tscast_via_t      *via;          /* of a pull, or NULL */

    ngx_tscast_viewer_t    viewer;       /* of a push */
    uint64_t               counted;      /* of viewer.sent */
    ngx_tscast_publisher_t  publisher;   /* of a pull */
    ngx_tscast_flv_headers_t  *flv;      /* of a pull's own tags, or NULL */
    uint64_t               packets;      /* of it, when the timer was set */
    ngx_tscast_link_handover_t  *handover;

    ngx_msec_t             left;         /* when the worker was to leave */
    ngx_msec_t             wanted;       /* when it was, the last time */

    unsigned               up:1;
    unsigned               broken:1;     /* it is closed since it failed */
    unsigned               failing:1;    /* that was logged */
    unsigned               told:1;       /* that it is up */
    unsigned               heir:1;
    unsigned               leaving:1;
    unsigned               publishing:1;
    unsigned               drained:1;    /* all was sent: the peer may go */
    unsigned               absent:1;     /* the peer says it has no such */

    u_char                 name_data[NGX_TSCAST_NAME_LEN];
};


typedef struct {
    ngx_array_t            links;        /* ngx_tscast_link_conf_t * */
    ngx_resolver_t        *resolver;
    ngx_msec_t             resolver_timeout;
    ngx_flag_t             ssl_verify;
    ngx_str_t              ssl_trusted_certificate;
} ngx_tscast_link_main_conf_t;


extern ngx_module_t  ngx_tscast_link_module;


/* ngx_tscast_link_conf.c */

char *ngx_tscast_link_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_tscast_link_check(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf);

/* of cf->args: NULL after logging why */
ngx_tscast_link_conf_t *ngx_tscast_link_parse(ngx_conf_t *cf);

/* when all of the configuration was read, beside n others; logs */
char *ngx_tscast_link_check_one(ngx_cycle_t *cycle,
    ngx_tscast_link_conf_t *lcf, ngx_tscast_link_conf_t **others,
    ngx_uint_t n);

/* is there a name that fits both? */
ngx_uint_t ngx_tscast_link_overlap(ngx_tscast_link_conf_t *a,
    ngx_tscast_link_conf_t *b);

/* "reconnect=1s" or "reconnect=1s..30s"; NGX_OK or NGX_DECLINED */
ngx_int_t ngx_tscast_link_reconnect(ngx_str_t *param, ngx_msec_t *min,
    ngx_msec_t *max);

/* the text of a pattern: with the name of the stream for $name */
ngx_int_t ngx_tscast_link_expand(ngx_tscast_link_t *link, ngx_pool_t *pool,
    ngx_str_t *pattern, ngx_str_t *text);

/* does the link's pattern fit the name? */
ngx_uint_t ngx_tscast_link_match(ngx_tscast_link_conf_t *lcf,
    ngx_str_t *name);

/* ngx_tscast_link_lines.c */

ngx_int_t ngx_tscast_link_lines_init(ngx_tscast_link_main_conf_t *lmcf);

/* the i-th, or NULL */
ngx_tscast_link_conf_t *ngx_tscast_link_line(ngx_uint_t i);

/* looks whether rules have come or gone */
void ngx_tscast_link_lines_follow(void);

/* NGX_OK, or NGX_DECLINED with *why it cannot be */
ngx_int_t ngx_tscast_link_lines_check(ngx_tscast_rule_t *rule,
    ngx_str_t *why);

/* NULL with *why; lcf->pool is to be destroyed */
ngx_tscast_link_conf_t *ngx_tscast_link_lines_parse(ngx_cycle_t *cycle,
    ngx_tscast_link_conf_t **others, ngx_uint_t n, ngx_tscast_rule_t *rule,
    ngx_str_t *why);

/* the first pull on demand that fits, or NULL */
ngx_tscast_link_conf_t *ngx_tscast_link_on_demand(ngx_tscast_zone_t *zone,
    ngx_str_t *name);

/* are there other pulls of a stream that this one feeds? */
ngx_uint_t ngx_tscast_link_reserve(ngx_tscast_link_conf_t *lcf);

/* ngx_tscast_link.c */

ngx_int_t ngx_tscast_link_init(ngx_cycle_t *cycle);

/* ends all that this worker runs of it */
void ngx_tscast_link_end(ngx_tscast_link_conf_t *lcf);

/*
 * The next state of a link.  After any of these the scheme touches nothing of
 * its connection any more.  fail: it tries again later, and says why not now;
 * up: it runs; finish: the link ends, the record goes to whom it may concern.
 */
void ngx_tscast_link_up(ngx_tscast_link_t *link);
void ngx_cdecl ngx_tscast_link_fail(ngx_tscast_link_t *link, ngx_err_t err,
    const char *fmt, ...);
void ngx_tscast_link_finish(ngx_tscast_link_t *link);

/* the pause after so many tries: doubled each time, a quarter by chance */
ngx_msec_t ngx_tscast_link_pause(ngx_msec_t min, ngx_msec_t max,
    ngx_uint_t tries);

/* a pull whose stream has a publisher: waits until there is none */
void ngx_tscast_link_yield(ngx_tscast_link_t *link);

/* ngx_tscast_link_event.c */

/* observers are told that the link is up, or that it is down */
void ngx_tscast_link_tell(ngx_tscast_link_t *link, ngx_uint_t up);

/* ngx_tscast_link_peer.c */

/* finds the address and calls scheme->start */
void ngx_tscast_link_connect(ngx_tscast_link_t *link);

/* the same within a try, for another URL in the pool */
void ngx_tscast_link_locate(ngx_tscast_link_t *link, ngx_tscast_url_t *url);

/* a copy of the address, with another port unless that is 0 */
ngx_int_t ngx_tscast_link_address(ngx_tscast_link_t *link,
    struct sockaddr *sockaddr, socklen_t socklen, in_port_t port);

/*
 * Opens a TCP connection; handler is called when it is there.  Failures go to
 * ngx_tscast_link_fail() by themselves, also those after lcf->timeout.
 */
void ngx_tscast_link_tcp(ngx_tscast_link_t *link,
    void (*handler)(ngx_tscast_link_t *link));

/*
 * Asks the block's resolver; *resolve is set before the handler is called.
 * Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_tscast_link_resolve(ngx_resolver_ctx_t **resolve,
    ngx_str_t *host, ngx_resolver_handler_pt handler, void *data);

/* the round-trip time to the peer, microseconds; 0 where it is not known */
ngx_uint_t ngx_tscast_link_rtt(ngx_tscast_link_t *link);

void ngx_tscast_link_close(ngx_tscast_link_t *link);

/*
 * Connects any peer whose address, name and log are set; handler is that of
 * both events.  Returns NGX_OK, NGX_AGAIN, or NGX_ERROR with errno set.
 */
ngx_int_t ngx_tscast_link_open(ngx_peer_connection_t *peer, void *data,
    ngx_pool_t *pool, ngx_log_t *log, ngx_event_handler_pt handler);

/* 0, or why it is not connected */
ngx_err_t ngx_tscast_link_tcp_test(ngx_connection_t *c);

/* ngx_tscast_link_push.c */

/* the peer can take the stream, by these framing and send functions */
void ngx_tscast_link_push_start(ngx_tscast_link_t *link,
    const ngx_tscast_framing_t *framing, ngx_tscast_send_pt send);

/* write handler from then on, where the link is the connection's data */
void ngx_tscast_link_push_write(ngx_event_t *ev);

void ngx_tscast_link_push_leave(ngx_tscast_link_t *link);
void ngx_tscast_link_push_stop(ngx_tscast_link_t *link);
void ngx_tscast_link_push_count(ngx_tscast_link_t *link);

/* ngx_tscast_link_pull.c */

/*
 * Bytes from the peer.  Returns NGX_OK, or anything else after which the link
 * has gone on to its next state.
 */
ngx_int_t ngx_tscast_link_pull_data(ngx_tscast_link_t *link, u_char *p,
    size_t n);

/*
 * A tag of the peer's where link->flv is set, as for publisher_flv().  While
 * pull_leaves(), the tag of a key frame is late: with its packets the link may
 * have gone on to its next state.
 */
void ngx_tscast_link_pull_tag(ngx_tscast_link_t *link,
    ngx_tscast_flv_tag_t *tag, uint64_t time);
ngx_uint_t ngx_tscast_link_pull_leaves(ngx_tscast_link_t *link);

/* the read handler of a connection; take is as ngx_tscast_link_pull_data() */
void ngx_tscast_link_pull_read(ngx_event_t *ev,
    ngx_int_t (*take)(ngx_tscast_link_t *link, u_char *p, size_t n));

/* once after each batch of data */
void ngx_tscast_link_pull_flush(ngx_tscast_link_t *link);

/* the peer has ended the stream as it should */
void ngx_tscast_link_pull_end(ngx_tscast_link_t *link, const char *reason);
void ngx_tscast_link_pull_leave(ngx_tscast_link_t *link);
void ngx_tscast_link_pull_stop(ngx_tscast_link_t *link);

/* NGX_OK or, as above, another */
ngx_int_t ngx_tscast_link_pull_publish(ngx_tscast_link_t *link);

/* ngx_tscast_link_handover.c */

/*
 * As ngx_tscast_link_pull_data(): for the owner while there is an offer, for
 * the heir until it publishes.
 */
ngx_int_t ngx_tscast_link_handover_owner(ngx_tscast_link_t *link, u_char *p,
    size_t n);
ngx_int_t ngx_tscast_link_handover_heir(ngx_tscast_link_t *link, u_char *p,
    size_t n);

/* the heir has become the owner */
ngx_int_t ngx_tscast_link_handover_take(ngx_tscast_link_t *link);
void ngx_tscast_link_handover_free(ngx_tscast_link_t *link);


#endif /* _NGX_TSCAST_LINK_H_INCLUDED_ */
