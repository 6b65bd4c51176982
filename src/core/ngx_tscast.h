
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_H_INCLUDED_
#define _NGX_TSCAST_H_INCLUDED_


/*
 * What a door or a link sees of the hub: zones and stream addresses,
 * publishers, viewers.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_compat.h"
#include "ngx_tscast_flv.h"
#include "ngx_tscast_rtp.h"
#include "ngx_tscast_ts.h"
#include "ngx_tscast_ts_health.h"


#if (NGX_PTR_SIZE != 8 || !NGX_LINUX)
#error "tscast needs 64-bit Linux"
#endif


/* the context of directives in tscast {} */
#define NGX_TSCAST_CONF        0x02000000

/* why a stream was not given, beside NGX_OK and NGX_ERROR */
#define NGX_TSCAST_BAD_NAME    -21    /* not a name of a stream */
#define NGX_TSCAST_NOT_FOUND   -22    /* no such stream */
#define NGX_TSCAST_BUSY        -23    /* has a publisher */
#define NGX_TSCAST_OUSTED      -24    /* another publisher took over */
#define NGX_TSCAST_NO_SYNC     -25    /* bytes are not a transport stream */
#define NGX_TSCAST_NO_MEMORY   -26    /* no chunk is left in the zone */
#define NGX_TSCAST_LAGGED      -27    /* fell out of the window, lag=drop */
#define NGX_TSCAST_TIMED_OUT   -28    /* took nothing for send_timeout, or
                                         a stream did not come in time */
#define NGX_TSCAST_LOOP        -29    /* has been here, or at too many */
#define NGX_TSCAST_UNFIT       -30    /* has a codec that FLV has not */
#define NGX_TSCAST_DENIED      -31    /* a server that was asked says no */
#define NGX_TSCAST_DROPPED     -32    /* somebody wants it to leave */

#define NGX_TSCAST_VERSION     "0.1.0"

#define NGX_TSCAST_NAME_LEN    128

#define NGX_TSCAST_NODE_LEN    64
#define NGX_TSCAST_VIA_NODES   16    /* that a stream goes through at most */

/* seconds over which a bit rate is the slow one */
#define NGX_TSCAST_RATE        30

/* the most media bytes in a frame: whole packets within 16 kB */
#define NGX_TSCAST_FRAME       (16384 / NGX_TSCAST_TS_PACKET                  \
                                * NGX_TSCAST_TS_PACKET)

/* room for what a framing writes before and after the media of a frame */
#define NGX_TSCAST_FRAME_HEAD  16

#define NGX_TSCAST_START_KEY     0
#define NGX_TSCAST_START_LIVE    1
#define NGX_TSCAST_START_OLDEST  2
#define NGX_TSCAST_START_AT      3    /* the first RAP at or behind a place */
#define NGX_TSCAST_START_EXACT   4    /* that very place, without tables */

#define NGX_TSCAST_TS            0    /* renditions */
#define NGX_TSCAST_FLV           1

#define NGX_TSCAST_FLV_STREAM    0
#define NGX_TSCAST_FLV_ZERO      1

#define NGX_TSCAST_LAG_SKIP      0
#define NGX_TSCAST_LAG_DROP      1


typedef enum {
    NGX_TSCAST_DOOR_HTTP = 0,
    NGX_TSCAST_DOOR_WEBSOCKET,
    NGX_TSCAST_DOOR_TCP,
    NGX_TSCAST_DOOR_UDP,
    NGX_TSCAST_DOOR_RTMP,
    NGX_TSCAST_DOOR_LINK,               /* pull and push of this node */
    NGX_TSCAST_DOORS
} ngx_tscast_door_e;


typedef struct ngx_tscast_zone_s       ngx_tscast_zone_t;
typedef struct ngx_tscast_stream_s     ngx_tscast_stream_t;
typedef struct ngx_tscast_feed_s       ngx_tscast_feed_t;
typedef struct ngx_tscast_group_s      ngx_tscast_group_t;
typedef struct ngx_tscast_ref_s        ngx_tscast_ref_t;
typedef struct ngx_tscast_counters_s   ngx_tscast_counters_t;
typedef struct ngx_tscast_publisher_s  ngx_tscast_publisher_t;
typedef struct ngx_tscast_remux_s      ngx_tscast_remux_t;
typedef struct ngx_tscast_viewer_s     ngx_tscast_viewer_t;
typedef struct ngx_tscast_record_s     ngx_tscast_record_t;
typedef struct ngx_tscast_observer_s   ngx_tscast_observer_t;
typedef struct ngx_tscast_event_s      ngx_tscast_event_t;


/* what makes links */

typedef struct {
    uint64_t              id;           /* 0: of nginx.conf */
    uint64_t              version;      /* of its words */
    ngx_str_t             words;        /* kind, zone/name, URL, parameters,
                                           with a zero byte after each */
} ngx_tscast_rule_t;


/* a place in a stream */

typedef struct {
    uint64_t              feed;         /* its id; 0: nowhere */
    uint64_t              offset;
} ngx_tscast_place_t;


/* names of nodes: "node1, node2" */

typedef struct {
    size_t                len;
    ngx_uint_t            nodes;
    u_char                data[NGX_TSCAST_VIA_NODES
                               * (NGX_TSCAST_NODE_LEN + 2)];
} ngx_tscast_via_t;


/* how a door wraps frames of media */

typedef struct {
    /* writes what leads a frame of n media bytes, returns its length */
    size_t              (*head)(u_char *p, size_t n);
    ngx_str_t             tail;
} ngx_tscast_framing_t;


/*
 * Hands the iovecs to the connection; returns how many bytes were taken,
 * 0 when it can take none now, or NGX_ERROR.
 */
typedef ssize_t (*ngx_tscast_send_pt)(ngx_tscast_viewer_t *v,
    struct iovec *iov, ngx_uint_t n);

/*
 * The hub is done with the viewer: NGX_OK when the stream has ended,
 * NGX_DONE when it was to stop and has, NGX_ERROR, NGX_TSCAST_LAGGED,
 * NGX_TSCAST_TIMED_OUT or NGX_TSCAST_DROPPED.  The door calls
 * ngx_tscast_viewer_leave() in there, or later.
 */
typedef void (*ngx_tscast_close_pt)(ngx_tscast_viewer_t *v, ngx_int_t rc);

/*
 * The stream that the viewer has waited for is there, NGX_OK, or will not
 * come: NGX_TSCAST_NOT_FOUND or NGX_TSCAST_TIMED_OUT.
 */
typedef void (*ngx_tscast_ready_pt)(ngx_tscast_viewer_t *v, ngx_int_t rc);

/* the worker exits at once: a last word to the client */
typedef void (*ngx_tscast_away_pt)(ngx_tscast_viewer_t *v);


struct ngx_tscast_viewer_s {

    /* the hub's own; what each burst looks at, in two lines of cache */

    ngx_queue_t             queue;
    ngx_tscast_ref_t       *ref;        /* the feed it reads, or NULL */
    uint64_t                cursor;     /* offset of the next byte to send */
    off_t                   wire;       /* bytes to be added to c->sent */
    ngx_tscast_counters_t  *counters;
    ngx_socket_t            fd;

    unsigned                pending:1;  /* for the stream itself */
    unsigned                wait:1;     /* for a RAP at or after cursor */
    unsigned                first:1;    /* of the RAPs, not the newest */
    unsigned                broken:1;   /* bytes are missing before cursor */
    unsigned                blocked:1;  /* the connection takes no more */
    unsigned                ending:1;   /* no more media */
    unsigned                draining:1; /* it ends at the next RAP */
    unsigned                stopping:1; /* which is at stop */
    unsigned                timed:1;    /* FLV: base is known */
    unsigned                settled:1;  /* no tag comes before it any more */
    unsigned                dropped:1;  /* it is to leave */
    unsigned                told:1;     /* that it has started */

    uint32_t                base;       /* FLV: where its times begin */
    uint32_t                time;       /* of the newest tag */
    uint64_t                tag;        /* where the one at the cursor ends */
    size_t                  tag_len;    /* of it, if it has begun */
    size_t                  owed;       /* bytes of it that are gone */

    /* set by the door before ngx_tscast_viewer_join() */

    ngx_tscast_send_pt      send;
    const ngx_tscast_framing_t  *framing;
    ngx_uint_t              zero;       /* NGX_TSCAST_FLV_* */

    /* read by the door */

    uint64_t                sent;       /* media bytes */
    uint64_t                skipped;    /* times it was moved ahead */
    ngx_str_t               unfit;      /* what FLV has not: for a moment */

    /* set by the door, the rest */

    void                   *data;
    ngx_connection_t       *connection;
    ngx_log_t              *log;
    ngx_tscast_close_pt     close;
    ngx_tscast_away_pt      away;       /* may be NULL */
    ngx_tscast_ready_pt     ready;      /* NULL: does not wait for a stream */
    ngx_tscast_door_e       door;
    ngx_uint_t              rendition;  /* NGX_TSCAST_TS or FLV */
    ngx_uint_t              start;      /* NGX_TSCAST_START_* */
    ngx_tscast_place_t      place;      /* of START_AT and START_EXACT */
    ngx_tscast_via_t       *via;        /* nodes that ask, or NULL */
    ngx_uint_t              lag;        /* NGX_TSCAST_LAG_* */
    ngx_msec_t              flush;
    ngx_msec_t              linger;
    ngx_msec_t              timeout;    /* of a send that makes no progress */

    /* the hub's own, the rest */

    ngx_tscast_group_t     *group;
    uint64_t                id;         /* of all in the zone */
    time_t                  since;
    uint64_t                last_id;    /* the last feed it has read */
    uint64_t                stop;       /* with stopping: where it ends */
    u_char                 *rest;       /* of a frame sent in part */
    u_char                 *rest_pos;
    u_char                 *rest_last;
    off_t                   progress;   /* of what was sent, with the timer */
    uint64_t                refusals;   /* of the stream, on joining */
    ngx_msec_t              deadline;   /* with pending */
};


/* bytes at the last rounds, which are a second apart */

typedef struct {
    ngx_uint_t              n;
    ngx_msec_t              time[NGX_TSCAST_RATE + 1];
    uint64_t                bytes[NGX_TSCAST_RATE + 1];
} ngx_tscast_rate_t;


#define NGX_TSCAST_CHECKS  (sizeof(ngx_tscast_ts_errors_t) / sizeof(uint64_t))

/* of a publisher, by its errors */

typedef struct {
    ngx_uint_t              raised;     /* a bit each */
    uint64_t                errors[NGX_TSCAST_CHECKS];
    ngx_msec_t              wrong[NGX_TSCAST_CHECKS];   /* the last time */
} ngx_tscast_alarms_t;


/* another has taken the stream over */
typedef void (*ngx_tscast_ousted_pt)(ngx_tscast_publisher_t *pub);


/* of the RAPs of a feed, as its writer knows it */

typedef struct {
    ngx_uint_t              n;          /* of these tables */
    ngx_msec_t              time[2];    /* of the last two */
    uint64_t                offset[2];
} ngx_tscast_index_t;


struct ngx_tscast_publisher_s {

    /* set by the door before ngx_tscast_publish() */

    void                   *data;
    ngx_tscast_ousted_pt    ousted;
    ngx_log_t              *log;
    ngx_str_t              *addr_text;  /* of the peer, or NULL */
    ngx_tscast_door_e       door;
    ngx_msec_t              timeout;    /* silence that frees the name */
    ngx_uint_t              takeover;
    ngx_uint_t              inherit;    /* from older workers, same door:
                                           they hear what we hear */
    ngx_uint_t              datagrams;  /* what is between two writes may be
                                           lost */
    ngx_uint_t              weak;       /* gives way to all that are not */
    ngx_uint_t              leaves;     /* another is to go on at its end */
    ngx_tscast_via_t       *via;        /* it came through them, or NULL */
    ngx_tscast_flv_headers_t  *flv;     /* of tags that it has got as they
                                           are, or NULL */

    /* read by the door */

    uint64_t                received;   /* bytes from the peer */
    uint64_t                lost;       /* bytes for which was no memory */
    uint64_t                missing;    /* RTP packets */
    uint64_t                reordered;
    uint64_t                doubled;

    /* the hub's own */

    ngx_queue_t             queue;      /* of this worker's publishers */
    ngx_tscast_zone_t      *zone;
    ngx_tscast_stream_t    *stream;
    ngx_tscast_feed_t      *feed;
    ngx_tscast_counters_t  *counters;
    uint64_t                dropped;    /* of sync.dropped, counted */
    ngx_tscast_index_t      index;
    uint64_t                rap_clock;      /* of the newest RAP */
    uint64_t                gop;            /* to it from the one before */
    uint64_t                raps;           /* so far */
    ngx_tscast_rate_t       rate;
    ngx_tscast_ts_sync_t    sync;
    ngx_tscast_ts_parser_t  parser;
    ngx_tscast_ts_health_t  health;
    ngx_tscast_alarms_t     alarms;
    ngx_tscast_rtp_seq_t    rtp;
    ngx_tscast_remux_t     *remux;      /* what makes FLV of it */

    unsigned                numbered:1; /* by RTP */
    unsigned                tables:1;   /* the first were seen */
    unsigned                open:1;     /* PIDs of the newest RAP are not */
    unsigned                starved:1;  /* bytes were lost, and logged */
};


/*
 * Parameters of directives
 */

/*
 * "name=" includes the equals sign.  These return NGX_OK, or NGX_DECLINED
 * when the parameter is another or its value is not valid.
 */
ngx_int_t ngx_tscast_param_enum(ngx_str_t *param, char *name,
    ngx_conf_enum_t *e, ngx_uint_t *result);
ngx_int_t ngx_tscast_param_msec(ngx_str_t *param, char *name,
    ngx_msec_t *result);
ngx_int_t ngx_tscast_param_number(ngx_str_t *param, char *name,
    ngx_uint_t *result);
ngx_int_t ngx_tscast_param_string(ngx_str_t *param, char *name,
    ngx_str_t *result);

/* one of those that tscast_ingest, and tscast_play, have in each door */
ngx_int_t ngx_tscast_param_ingest(ngx_str_t *param, ngx_uint_t *takeover,
    ngx_msec_t *timeout);
ngx_int_t ngx_tscast_param_play(ngx_str_t *param, ngx_uint_t *start,
    ngx_uint_t *lag, ngx_msec_t *flush, ngx_msec_t *linger);

extern ngx_conf_enum_t  ngx_tscast_switch_values[];    /* on, off */
extern ngx_conf_enum_t  ngx_tscast_format_values[];
extern ngx_conf_enum_t  ngx_tscast_flv_time_values[];
extern ngx_conf_enum_t  ngx_tscast_start_values[];
extern ngx_conf_enum_t  ngx_tscast_lag_values[];


/*
 * Zones and addresses
 */

/*
 * Splits "zone/name" of a directive at the slash: returns a reference to the
 * zone, whose data is an ngx_tscast_zone_t once the configuration is read,
 * and leaves the rest in *name.  Returns NULL after logging why not.
 */
ngx_shm_zone_t *ngx_tscast_zone_add(ngx_conf_t *cf, ngx_str_t *address,
    ngx_str_t *name);

/* the same once the configuration is read, or NULL without a word */
ngx_shm_zone_t *ngx_tscast_zone_find(ngx_cycle_t *cycle, ngx_str_t *address,
    ngx_str_t *name);

ngx_str_t *ngx_tscast_zone_name(ngx_tscast_zone_t *zone);


/*
 * Publishers
 */

/*
 * Makes pub the stream's publisher.  Returns NGX_OK, NGX_TSCAST_BAD_NAME,
 * NGX_TSCAST_BUSY, NGX_TSCAST_NO_MEMORY; logs the refusals.
 */
ngx_int_t ngx_tscast_publish(ngx_tscast_publisher_t *pub,
    ngx_tscast_zone_t *zone, ngx_str_t *name);

/*
 * Takes n bytes of any split.  Returns NGX_OK, NGX_TSCAST_NO_SYNC,
 * NGX_TSCAST_OUSTED, NGX_TSCAST_NO_MEMORY; logs all but NGX_OK.
 */
ngx_int_t ngx_tscast_publisher_write(ngx_tscast_publisher_t *pub, u_char *p,
    size_t n);

/*
 * Before the first write: the stream's tables, which the publisher has seen
 * before, and the continuity_counters at its first byte, which is a RAP.  With
 * the id of another feed of the stream, it goes on where that one has ended.
 */
void ngx_tscast_publisher_prime(ngx_tscast_publisher_t *pub,
    ngx_tscast_ts_tables_t *tables, ngx_tscast_ts_rap_t *rap,
    uint64_t follows);

/* id of the publisher's feed */
uint64_t ngx_tscast_publisher_feed(ngx_tscast_publisher_t *pub);

/*
 * Takes the payload of an RTP packet, unless it has come before, and counts
 * what its number tells.  Returns as ngx_tscast_publisher_write().
 */
ngx_int_t ngx_tscast_publisher_write_rtp(ngx_tscast_publisher_t *pub,
    ngx_tscast_rtp_t *rtp);

/* n bytes from the peer of which nothing can be made: they are counted */
void ngx_tscast_publisher_drop(ngx_tscast_publisher_t *pub, size_t n);

/*
 * A tag that the publisher has got as it is, without its header, before the
 * packets that are made of it, whose DTS are 90 * time, modulo 2^33.  While
 * somebody wants FLV, these tags are what it is made of: from the beginning,
 * or else from the next key frame on that is not late.
 */
void ngx_tscast_publisher_flv(ngx_tscast_publisher_t *pub,
    ngx_tscast_flv_tag_t *tag, uint64_t time);

/* wakes the viewers: once after each batch of writes */
void ngx_tscast_publisher_flush(ngx_tscast_publisher_t *pub);

/*
 * The bytes have ended as they should: takes what was held back.  Returns as
 * ngx_tscast_publisher_write().
 */
ngx_int_t ngx_tscast_publisher_finish(ngx_tscast_publisher_t *pub);

/* ends the feed; harmless when there is none */
void ngx_tscast_unpublish(ngx_tscast_publisher_t *pub);


/*
 * Viewers
 */

/*
 * Looks the stream up and joins its viewers; nothing is sent before
 * ngx_tscast_viewer_start().  Returns NGX_OK, NGX_ERROR, NGX_TSCAST_BAD_NAME,
 * NGX_TSCAST_NOT_FOUND, NGX_TSCAST_UNFIT.
 * NGX_TSCAST_NOT_FOUND, or NGX_AGAIN when somebody fetches the stream and
 * v->ready is called then.
 */
ngx_int_t ngx_tscast_viewer_join(ngx_tscast_viewer_t *v,
    ngx_tscast_zone_t *zone, ngx_str_t *name);

/* prepares the socket and sends what is there; may call v->close */
void ngx_tscast_viewer_start(ngx_tscast_viewer_t *v);

/* on write events and on the write timer; may call v->close */
void ngx_tscast_viewer_write(ngx_tscast_viewer_t *v);

/*
 * Sends n bytes of the door's own between two frames, or keeps them until
 * the frame that is on its way has left.  Returns NGX_OK, NGX_AGAIN, NGX_ERROR.
 */
ngx_int_t ngx_tscast_viewer_control(ngx_tscast_viewer_t *v, u_char *p,
    size_t n);

/*
 * The same for the last bytes of all: no media follows.  When it returns
 * NGX_AGAIN, v->close is called once they have been sent.
 */
ngx_int_t ngx_tscast_viewer_end(ngx_tscast_viewer_t *v, u_char *p, size_t n);

/*
 * Goes on up to the next RAP and calls v->close with NGX_DONE there.  Where
 * that was, ngx_tscast_viewer_place() tells until the viewer leaves.
 */
void ngx_tscast_viewer_drain(ngx_tscast_viewer_t *v);
void ngx_tscast_viewer_place(ngx_tscast_viewer_t *v,
    ngx_tscast_place_t *place);

/* harmless when it has left already */
void ngx_tscast_viewer_leave(ngx_tscast_viewer_t *v);

/* v->send of plain and of TLS connections */
ssize_t ngx_tscast_send(ngx_tscast_viewer_t *v, struct iovec *iov,
    ngx_uint_t n);
ssize_t ngx_tscast_send_tls(ngx_tscast_viewer_t *v, struct iovec *iov,
    ngx_uint_t n);

/* nothing before and after the media */
extern const ngx_tscast_framing_t  ngx_tscast_framing_raw;

/* RFC 9112, 7.1; the last chunk is the door's */
extern const ngx_tscast_framing_t  ngx_tscast_framing_chunked;


/*
 * Streams, for those that look for them
 */

/* 1 when the stream has a publisher that is not weak, or any with weak=1 */
ngx_uint_t ngx_tscast_stream_live(ngx_tscast_zone_t *zone, ngx_str_t *name,
    ngx_uint_t weak);

/*
 * The next stream from *i on that has a publisher or, with wanted, that has
 * viewers other than links and no publisher but a weak one; name->data has
 * room for NGX_TSCAST_NAME_LEN bytes.  Moves *i behind it.  Returns NGX_OK, or
 * NGX_DONE when there is no more.
 */
ngx_int_t ngx_tscast_stream_next(ngx_tscast_zone_t *zone, ngx_uint_t *i,
    ngx_str_t *name, ngx_uint_t wanted);

/* 1 when the stream is wanted in this sense */
ngx_uint_t ngx_tscast_stream_wanted(ngx_tscast_zone_t *zone,
    ngx_str_t *name);

/* nobody has the stream: those who wait for it are told */
void ngx_tscast_stream_refuse(ngx_tscast_zone_t *zone, ngx_str_t *name);

/* counts n bytes that had come for the stream and were not taken */
void ngx_tscast_stream_lose(ngx_tscast_zone_t *zone, ngx_str_t *name,
    ngx_tscast_door_e door, uint64_t n);

/* NGX_OK or NGX_TSCAST_BAD_NAME: 1 to 128 bytes of A-Z a-z 0-9 . _ ~ - */
ngx_int_t ngx_tscast_stream_check_name(ngx_str_t *name);

/* says that it is none; a peer may have put anything into it */
void ngx_tscast_stream_log_name(ngx_uint_t level, ngx_log_t *log,
    ngx_str_t *name);


/*
 * Nodes on the way of a stream
 */

/* the name of this one */
ngx_str_t *ngx_tscast_node(void);

/*
 * What another node says of the way.  Returns NGX_OK, NGX_TSCAST_LOOP when it
 * leads through here or through too many, NGX_DECLINED when there is a name
 * that is none.
 */
ngx_int_t ngx_tscast_via_read(ngx_tscast_via_t *via, ngx_str_t *value);

/* appends the names that are not there; returns as ngx_tscast_via_read() */
ngx_int_t ngx_tscast_via_add(ngx_tscast_via_t *via, ngx_str_t *value);

ngx_uint_t ngx_tscast_via_has(ngx_tscast_via_t *via, ngx_str_t *name);

/*
 * The nodes that the stream came through or, with asked, those that wait for
 * it here, and then this one.  Returns NGX_OK, or NGX_TSCAST_LOOP when they
 * are too many.
 */
ngx_int_t ngx_tscast_stream_via(ngx_tscast_zone_t *zone, ngx_str_t *name,
    ngx_uint_t asked, ngx_tscast_via_t *via);


/*
 * What the hub tells those that act on their own
 */

/* any of these may be NULL */

struct ngx_tscast_observer_s {
    /* once a second, also while the worker waits for its last clients */
    void                  (*round)(void);
    /* the record of a link has become free, or there are other rules */
    void                  (*links)(void);
    /* the worker is to leave: a last chance to hand things over */
    void                  (*leave)(void);
    /* by this worker, just now */
    void                  (*published)(ngx_tscast_zone_t *zone,
                                       ngx_str_t *name);
    /*
     * A viewer asks for a stream without a publisher.  Returns the ms for
     * which it may wait, 0 when nobody can fetch it.
     */
    ngx_msec_t            (*offered)(ngx_tscast_zone_t *zone,
                                     ngx_str_t *name);
    /* and has joined: fetch it */
    void                  (*wanted)(ngx_tscast_zone_t *zone,
                                    ngx_str_t *name);
    /* something has happened: see ngx_tscast_event.h */
    void                  (*event)(ngx_tscast_event_t *event);
    /* NGX_OK, or NGX_DECLINED with what is wrong with a rule */
    ngx_int_t             (*check)(ngx_tscast_rule_t *rule, ngx_str_t *why);
    ngx_tscast_observer_t  *next;
};

/* in init_process */
void ngx_tscast_observe(ngx_tscast_observer_t *observer);


/*
 * Rules
 */

/* joins n words */
ngx_int_t ngx_tscast_rule_words(ngx_pool_t *pool, ngx_str_t *word,
    ngx_uint_t n, ngx_str_t *words);

/* the word after *word, or the first one where that is null; 0: no more */
ngx_uint_t ngx_tscast_rule_word(ngx_str_t *words, ngx_str_t *word);

/*
 * While the configuration is read: those of nginx.conf, and with ids those
 * that a new zone is to start with.
 */
ngx_int_t ngx_tscast_rule_configure(ngx_cycle_t *cycle,
    ngx_tscast_rule_t *rule);
ngx_tscast_rule_t *ngx_tscast_rule_configured(ngx_cycle_t *cycle,
    ngx_uint_t i);

/* of the run time: grows with each change */
uint64_t ngx_tscast_rule_version(void);

/*
 * The next one behind rule->id; its words are copied.  Returns NGX_OK,
 * NGX_DONE or NGX_ERROR.
 */
ngx_int_t ngx_tscast_rule_next(ngx_pool_t *pool, ngx_tscast_rule_t *rule);

/* the version of its words now, 0: there is none of this id */
uint64_t ngx_tscast_rule_current(uint64_t id);


/*
 * Records of links: who runs each, and how it is
 */

#define NGX_TSCAST_RECORD_ERROR  128    /* bytes of the last error */

typedef enum {
    NGX_TSCAST_LINK_IDLE = 0,           /* nobody runs it */
    NGX_TSCAST_LINK_CONNECTING,
    NGX_TSCAST_LINK_RUNNING,
    NGX_TSCAST_LINK_WAITING,            /* for the next try */
    NGX_TSCAST_LINK_YIELDING            /* a pull of what is published */
} ngx_tscast_link_state_e;


/* written by its owner, but for owner and heir, and offer by the heir */

struct ngx_tscast_record_s {
    ngx_str_node_t        sn;           /* "push name url": must be first */
    ngx_queue_t           queue;
    ngx_uint_t            owner;        /* slot + 1, under the mutex */
    ngx_uint_t            heir;         /* slot + 1, under the mutex */
    ngx_msec_t            released;
    ngx_uint_t            told;         /* that it is up */
    ngx_uint_t            orphan;       /* slot + 1 of who has died so */

    ngx_uint_t            state;        /* ngx_tscast_link_state_e */
    ngx_msec_t            since;        /* of state */
    ngx_uint_t            retries;      /* since it last ran */

    uint64_t              connects;     /* times it ran */
    uint64_t              failures;
    uint64_t              bytes;        /* media, in or out */
    uint64_t              packets;      /* datagrams, in or out */
    uint64_t              lost;         /* datagrams not sent or not seen */
    uint64_t              reordered;    /* datagrams */
    uint64_t              refused;      /* datagrams, by ICMP */
    uint64_t              hurried;      /* datagrams sent before their time */
    ngx_uint_t            rtt;          /* microseconds, 0: not known */
    uint64_t              rule;         /* its id, 0: of nginx.conf */

    ngx_tscast_place_t    place;        /* where the next owner goes on */
    uint64_t              own[4];       /* the scheme's, the same */

    uint64_t              offer;        /* atomic; see link_handover.c */
    uint64_t              stop;         /* atomic */
    uint64_t              last;         /* id of the feed that stopped */

    ngx_uint_t            error_len;
    u_char                error[NGX_TSCAST_RECORD_ERROR];
    u_char                text[1];
};

/*
 * Takes the link of this text, made if need be.  Returns NGX_OK for the owner,
 * NGX_AGAIN for the heir of an older worker (with inherit), NGX_DECLINED when
 * another has it, or this very worker, NGX_ERROR when the zone is full.
 */
ngx_int_t ngx_tscast_record_claim(ngx_tscast_zone_t *zone, ngx_str_t *text,
    ngx_uint_t inherit, ngx_tscast_record_t **rec);

/* the other workers are told */
void ngx_tscast_record_release(ngx_tscast_zone_t *zone,
    ngx_tscast_record_t *rec);

/* the rule has no link any more: no record of it is kept */
void ngx_tscast_record_forget(ngx_tscast_zone_t *zone, uint64_t rule);

/* 1 when workers of a newer configuration are there */
ngx_uint_t ngx_tscast_successor(ngx_tscast_zone_t *zone);


#endif /* _NGX_TSCAST_H_INCLUDED_ */
