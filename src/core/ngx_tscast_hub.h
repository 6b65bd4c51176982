
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_HUB_H_INCLUDED_
#define _NGX_TSCAST_HUB_H_INCLUDED_


/*
 * The inside of the hub: what lies in shared memory, what a worker keeps
 * of it, and what the files of src/core offer to each other.
 */


#include "ngx_tscast.h"
#include "ngx_tscast_ring.h"
#include "ngx_tscast_report.h"
#include "ngx_tscast_event.h"
#include "ngx_tscast_control.h"


#define NGX_TSCAST_MAGIC        0x7473636173743031    /* "tscast01" */
#define NGX_TSCAST_LAYOUT       1

#define NGX_TSCAST_MASK_WORDS   (NGX_MAX_PROCESSES / 64)

#define NGX_TSCAST_RAPS         64

/* a name of a codec */
#define NGX_TSCAST_UNFIT_LEN    32

/* windows are never made shorter than this for want of memory, ms */
#define NGX_TSCAST_MIN_WINDOW   100


/* a slot that is nobody's: counters of those that are gone */
#define NGX_TSCAST_TOTAL        NGX_MAX_PROCESSES


/* a set of slots */

typedef struct {
    uint64_t                 words[NGX_TSCAST_MASK_WORDS];
} ngx_tscast_mask_t;


/* what a viewer needs to start at a RAP */

typedef struct {
    ngx_uint_t               nraps;         /* since the tables changed */
    ngx_tscast_ts_rap_t      raps[NGX_TSCAST_RAPS];
    ngx_tscast_ts_tables_t   tables;
} ngx_tscast_facts_t;


/* tables of either rendition: facts know them as those of packets */

typedef union {
    ngx_tscast_ts_tables_t   tables;
    ngx_tscast_flv_headers_t  flv;
} ngx_tscast_opening_t;


struct ngx_tscast_feed_s {
    ngx_queue_t              queue;         /* in stream->feeds */
    ngx_tscast_stream_t     *stream;
    ngx_uint_t               slot;          /* of the publisher */
    ngx_uint_t               door;          /* NGX_TSCAST_DOOR_* */
    ngx_uint_t               generation;    /* of the publisher's worker */
    ngx_uint_t               weak;          /* gives way to others */
    uint64_t                 follows;       /* id of the feed that this one
                                               goes on with, byte for byte */
    ngx_uint_t               held;          /* by its publisher */
    ngx_uint_t               orphan;        /* who has died; held until its
                                               end was told */
    ngx_uint_t               evicted;       /* its publisher is to leave */
    ngx_uint_t               ended;         /* atomic; nobody writes it now */
    time_t                   since;
    ngx_msec_t               began_at;
    ngx_msec_t               ended_at;
    ngx_msec_t               last;          /* atomic; last append */
    ngx_tscast_via_t         via;           /* nodes that it came through */
    size_t                   addr_len;
    u_char                   addr[NGX_SOCKADDR_STRLEN];   /* of the peer */
    u_char                   unfit[NGX_TSCAST_UNFIT_LEN];
                                            /* what FLV has not, or "" */
    ngx_tscast_mask_t        readers;       /* slots that may look in here */

    ngx_tscast_ring_t        ring;

    ngx_atomic_t             version;       /* facts[version & 1] is whole */
    ngx_tscast_facts_t       facts[2];

    ngx_atomic_t             beat;          /* vitals[beat & 1] is whole */
    ngx_tscast_vitals_t      vitals[2];
};


/*
 * A rendition is a stream too, with feeds of its own, without a place among
 * the names: it is there while somebody watches it.
 */

struct ngx_tscast_stream_s {
    ngx_str_node_t           sn;            /* must be first */
    ngx_tscast_stream_t     *flv;           /* atomic; its rendition or NULL */
    ngx_tscast_stream_t     *base;          /* what it is a rendition of */
    ngx_uint_t               index;         /* in the zone's streams[] */
    ngx_queue_t              feeds;         /* oldest first */
    ngx_uint_t               awaited;       /* has had none, viewers wait */
    uint64_t                 newest;        /* atomic; id of the last feed */
    ngx_tscast_feed_t       *feed;          /* atomic; the last one or NULL */
    ngx_msec_t               ended_at;      /* of the newest feed */
    ngx_uint_t               left;          /* that one, to an heir */
    uint64_t                 refusals;      /* atomic; nobody has had it */
    ngx_tscast_via_t         asked;         /* nodes that wait for it */
    ngx_tscast_mask_t        interest;      /* slots to wake, atomic words */
    ngx_tscast_counters_t   *counters;      /* atomic */
    ngx_uint_t               folds;         /* atomic; odd: counters move */
    uint64_t                 peak;          /* viewers, the most at a time */
    uint64_t                 peaks[NGX_TSCAST_DOORS];
    u_char                   name[NGX_TSCAST_NAME_LEN];
};


/* there are as many as processes may be: with few streams, one line each */

typedef struct {
    ngx_pid_t                pid;           /* 0: nobody's */
    uint32_t                 mail;          /* atomic; look there */
    uint64_t                 start;         /* of the process, clock ticks */
    ngx_uint_t               generation;    /* grows with each configuration */
    ngx_uint_t               pending;       /* atomic; a wake-up is due */
    ngx_uint_t               links;         /* atomic; a record was freed */
    ngx_queue_t              letters;
    uint64_t                 dirty[1];      /* atomic; bits of streams */
} ngx_tscast_slot_t;


/* what happens too often for a log line each time */

typedef struct {
    ngx_msec_t               logged_at;     /* atomic */
    ngx_uint_t               n;             /* atomic; times since */
} ngx_tscast_often_t;


typedef struct {
    uint64_t                 magic;
    uint32_t                 layout;
    uint32_t                 sizes[7];

    ngx_rbtree_t             rbtree;
    ngx_rbtree_node_t        sentinel;

    ngx_tscast_store_t       store;         /* chunks */

    ngx_rbtree_t             records;       /* of links, by their text */
    ngx_rbtree_node_t        no_record;
    ngx_queue_t              record_queue;

    ngx_queue_t              answers;       /* to letters */

    ngx_queue_t              rules;         /* of the run time */
    uint64_t                 rule_serial;
    uint64_t                 rules_version; /* atomic; grows with changes */
    uint64_t                 rules_kept;    /* the version in the file */
    ngx_uint_t               rules_loaded;

    uint64_t                 serial;        /* atomic; of feeds, viewers */
    ngx_uint_t               norphans;      /* feeds, and links */
    ngx_msec_t               window;        /* atomic; what there is room for */
    ngx_msec_t               cut_at;        /* when it was made shorter */
    ngx_msec_t               swept_at;
    uint64_t                 shortages;     /* times it was made shorter */
    ngx_tscast_often_t       refused;       /* for want of memory */
    ngx_tscast_often_t       unheard;       /* too many wait */

    ngx_uint_t               nslots;        /* atomic; used so far */
    ngx_tscast_slot_t       *slots[NGX_MAX_PROCESSES];
    ngx_tscast_section_t    *sections;

    /* of streams that are gone */
    ngx_tscast_counters_t    totals[NGX_TSCAST_DOORS];

    ngx_uint_t               nstreams;
    ngx_uint_t               max_streams;
    ngx_uint_t               nawaited;      /* of them, without any feed yet */
    ngx_tscast_stream_t     *streams[1];    /* atomic */
} ngx_tscast_zone_sh_t;


/* a worker's hold of a feed */

struct ngx_tscast_ref_s {
    ngx_queue_t              queue;         /* in watch->refs */
    ngx_tscast_feed_t       *feed;
    ngx_uint_t               viewers;
};


/* a worker's viewers of a stream */

typedef struct {
    ngx_tscast_zone_t       *zone;
    ngx_tscast_stream_t     *stream;
    ngx_queue_t              groups;
    ngx_queue_t              refs;          /* by id, oldest first */
    uint64_t                 last_id;       /* the newest feed in refs */
    ngx_uint_t               viewers;
    ngx_event_t              linger;

    /* by door, and how much had been sent when it was looked at last */
    ngx_tscast_counters_t   *counters[NGX_TSCAST_DOORS];
    uint64_t                 sent[NGX_TSCAST_DOORS];
    ngx_msec_t               rated;
} ngx_tscast_watch_t;


/* those of them that have the same flush= */

struct ngx_tscast_group_s {
    ngx_queue_t              queue;         /* in watch->groups */
    ngx_tscast_watch_t      *watch;
    ngx_msec_t               flush;
    ngx_msec_t               walked;        /* when the last walk began */
    ngx_queue_t              viewers;
    ngx_queue_t             *cursor;        /* where the walk goes on */
    ngx_uint_t               count;
    ngx_event_t              timer;
    ngx_event_t              next;

    unsigned                 walking:1;
    unsigned                 again:1;
};


/* a worker's read section, while it goes through viewers */

typedef struct {
    ngx_tscast_section_t    *section;
    ngx_tscast_feed_t       *feed;          /* or NULL */
    ngx_tscast_view_t        view;
    ngx_uint_t               ended;         /* view.head is final */
    ngx_uint_t               serial;        /* of the section, in this worker */
} ngx_tscast_reading_t;


/* frames on their way to a viewer, laid over the ring */

#define NGX_TSCAST_FRAMES  16
#define NGX_TSCAST_IOVS    64

typedef struct {
    ngx_uint_t               first;         /* iovec */
    ngx_uint_t               last;          /* iovec after it */
    size_t                   size;          /* on the wire */
    size_t                   media;
    uint64_t                 next;          /* the viewer after this frame */
    uint64_t                 tag;
    size_t                   tag_len;
    uint32_t                 time;
    u_char                   head[NGX_TSCAST_FRAME_HEAD];
} ngx_tscast_frame_t;


typedef struct {

    /* what it was made for */

    ngx_uint_t               serial;        /* of the section; 0: for nobody */
    uint64_t                 cursor;
    uint64_t                 head;
    const ngx_tscast_framing_t  *framing;
    ngx_uint_t               zero;
    uint32_t                 base;
    ngx_uint_t               uses;

    ngx_uint_t               nframes;
    ngx_uint_t               niov;
    ngx_uint_t               ntimes;
    ngx_tscast_frame_t       frames[NGX_TSCAST_FRAMES];
    struct iovec             iov[NGX_TSCAST_IOVS];
    u_char                   times[NGX_TSCAST_IOVS][NGX_TSCAST_FLV_TIME_LEN];
} ngx_tscast_burst_t;


/* what differs from rendition to rendition */

typedef struct {
    /*
     * Puts the viewer at a RAP, with what a decoder wants before it.  NGX_OK,
     * NGX_ERROR, or NGX_AGAIN when there is no RAP yet or the connection has
     * taken no more.
     */
    ngx_int_t              (*tune)(ngx_tscast_viewer_t *v,
                                   ngx_tscast_reading_t *rd);

    /* NGX_OK, or NGX_DECLINED: the bytes after the last frame are gone */
    ngx_int_t              (*gather)(ngx_tscast_burst_t *b,
                                     ngx_tscast_viewer_t *v,
                                     ngx_tscast_reading_t *rd, uint64_t head);
} ngx_tscast_rendition_t;


struct ngx_tscast_zone_s {
    ngx_str_t                name;
    ngx_str_t                shm_name;
    size_t                   size;
    ngx_msec_t               window;
    size_t                   buffer;        /* bytes of one feed, at most */
    ngx_shm_zone_t          *shm_zone;
    ngx_tscast_zone_sh_t    *sh;
    ngx_slab_pool_t         *shpool;
    ngx_tscast_ring_env_t    env;

    /* of this worker */

    ngx_tscast_slot_t       *slot;
    ngx_tscast_watch_t     **watches;       /* by stream->index */
    ngx_queue_t              publishers;
    ngx_queue_t              questions;     /* not answered yet */
};


typedef struct {
    ngx_array_t              zones;         /* ngx_tscast_zone_t * */
    ngx_array_t              rules;         /* ngx_tscast_rule_t */
    ngx_str_t                node;
    ngx_uint_t               block;         /* tscast {} was seen */
} ngx_tscast_conf_t;


extern ngx_module_t  ngx_tscast_module;

/* of this process: how often the configuration had been read */
extern ngx_uint_t    ngx_tscast_generation;

/* when nginx was started */
extern time_t        ngx_tscast_started;


/* ngx_tscast_zone.c */

char *ngx_tscast_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_tscast_via.c */

char *ngx_tscast_node_check(ngx_conf_t *cf, void *post, void *data);

/* ngx_tscast_slot.c */

void ngx_tscast_slot_take(ngx_tscast_zone_t *zone);
void ngx_tscast_slot_leave(ngx_tscast_zone_t *zone);
void ngx_tscast_slot_sweep(ngx_tscast_zone_t *zone, ngx_log_t *log);
void ngx_tscast_slot_bury(ngx_tscast_zone_t *zone, ngx_log_t *log);

/* ngx_tscast_wake.c */

void ngx_tscast_wake_open(ngx_log_t *log);
ngx_int_t ngx_tscast_wake_listen(ngx_cycle_t *cycle);
void ngx_tscast_wake(ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st);
void ngx_tscast_wake_links(ngx_tscast_zone_t *zone);
void ngx_tscast_wake_rules(ngx_tscast_zone_t *zone);
void ngx_tscast_wake_mail(ngx_tscast_zone_t *zone, ngx_uint_t slot);
void ngx_tscast_wake_look(void);
void ngx_tscast_hold(void);
void ngx_tscast_release(void);

/* ngx_tscast_mail.c */

void ngx_tscast_mail_read(ngx_tscast_zone_t *zone);
void ngx_tscast_mail_clear_locked(ngx_tscast_zone_t *zone, ngx_uint_t slot);

/* ngx_tscast_record.c */

void ngx_tscast_record_clear_locked(ngx_tscast_zone_t *zone,
    ngx_uint_t slot);
void ngx_tscast_record_sweep(ngx_tscast_zone_t *zone);

/* the next link whose owner has died: NGX_OK, or NGX_DECLINED */
ngx_int_t ngx_tscast_record_orphan(ngx_tscast_zone_t *zone,
    ngx_tscast_report_link_t *report);

/* ngx_tscast_observe.c */

void ngx_tscast_observe_round(void);
void ngx_tscast_observe_links(void);
void ngx_tscast_observe_leave(void);
void ngx_tscast_observe_published(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
ngx_msec_t ngx_tscast_observe_offered(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
void ngx_tscast_observe_wanted(ngx_tscast_zone_t *zone, ngx_str_t *name);

/* ngx_tscast_rule.c */

void ngx_tscast_rule_load(ngx_cycle_t *cycle);

/* ngx_tscast_stream.c */

ngx_tscast_stream_t *ngx_tscast_stream_find_locked(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
ngx_tscast_stream_t *ngx_tscast_stream_add_locked(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
ngx_tscast_stream_t *ngx_tscast_stream_await_locked(ngx_tscast_zone_t *zone,
    ngx_str_t *name);
ngx_tscast_feed_t *ngx_tscast_feed_add_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);
void ngx_tscast_feed_end_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_feed_t *feed);
void ngx_tscast_stream_trim_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st, ngx_msec_t window);
ngx_uint_t ngx_tscast_stream_squeeze_locked(ngx_tscast_zone_t *zone);
ngx_tscast_counters_t *ngx_tscast_counters_get_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st, ngx_uint_t door);
void ngx_tscast_counters_fold_locked(ngx_tscast_stream_t *st,
    ngx_uint_t slot);
void ngx_tscast_counters_join_locked(ngx_tscast_stream_t *st,
    ngx_tscast_counters_t *cnt);

ngx_tscast_stream_t *ngx_tscast_stream_flv_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);
void ngx_tscast_stream_wake_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);
ngx_tscast_feed_t *ngx_tscast_stream_last_locked(ngx_tscast_stream_t *st);

/* ngx_tscast_remux.c */

ngx_tscast_remux_t *ngx_tscast_remux_create(ngx_log_t *log);
void ngx_tscast_remux_tables(ngx_tscast_publisher_t *pub);
void ngx_tscast_remux_probe(ngx_tscast_publisher_t *pub, u_char *packet);
void ngx_tscast_remux_packets(ngx_tscast_publisher_t *pub, u_char *p,
    size_t n);
void ngx_tscast_remux_look(ngx_tscast_publisher_t *pub);
void ngx_tscast_remux_wake(ngx_tscast_publisher_t *pub);
void ngx_tscast_remux_finish(ngx_tscast_publisher_t *pub);
void ngx_tscast_remux_release_locked(ngx_tscast_publisher_t *pub);
void ngx_tscast_remux_destroy(ngx_tscast_publisher_t *pub);
size_t ngx_tscast_remux_kept(ngx_tscast_publisher_t *pub);

/* ngx_tscast_publisher.c */

void ngx_tscast_publisher_round(ngx_tscast_zone_t *zone);
void ngx_tscast_publisher_look(ngx_tscast_zone_t *zone);

/* ngx_tscast_room.c */

void ngx_tscast_room_trim(ngx_tscast_publisher_t *pub,
    ngx_tscast_feed_t *feed, size_t other);
ngx_int_t ngx_tscast_room_make(ngx_tscast_publisher_t *pub,
    ngx_tscast_feed_t *feed);
ngx_int_t ngx_tscast_room_lose(ngx_tscast_publisher_t *pub, size_t n);
void ngx_tscast_room_log(ngx_tscast_publisher_t *pub, ngx_str_t *name);
void ngx_tscast_room_unheard(ngx_tscast_viewer_t *v,
    ngx_tscast_zone_t *zone, ngx_str_t *name);
ngx_uint_t ngx_tscast_room_often(ngx_tscast_often_t *often);

/* ngx_tscast_facts.c */

void ngx_tscast_facts_write(ngx_tscast_feed_t *feed,
    ngx_tscast_ts_tables_t *tables, ngx_tscast_ts_rap_t *rap,
    ngx_uint_t replace);
ngx_int_t ngx_tscast_facts_find(ngx_tscast_feed_t *feed, uint64_t from,
    ngx_uint_t newest, ngx_tscast_ts_tables_t *tables,
    ngx_tscast_ts_rap_t *rap);
uint64_t ngx_tscast_facts_newest(ngx_tscast_feed_t *feed);
ngx_uint_t ngx_tscast_facts_complete(ngx_tscast_ts_tables_t *t,
    ngx_tscast_ts_rap_t *rap);
void ngx_tscast_facts_index(ngx_tscast_zone_t *zone, ngx_tscast_feed_t *feed,
    ngx_tscast_index_t *index, ngx_tscast_ts_rap_t *rap);

/* ngx_tscast_vitals.c */

void ngx_tscast_vitals_write(ngx_tscast_publisher_t *pub);
ngx_int_t ngx_tscast_vitals_read(ngx_tscast_feed_t *feed,
    ngx_tscast_vitals_t *vitals);

/* ngx_tscast_event.c */

void ngx_tscast_event_publisher(ngx_tscast_publisher_t *pub,
    ngx_tscast_event_e type);
void ngx_tscast_event_alarm(ngx_tscast_publisher_t *pub,
    ngx_tscast_event_e type, ngx_uint_t i);
void ngx_tscast_event_viewer(ngx_tscast_viewer_t *v,
    ngx_tscast_event_e type);
void ngx_tscast_event_zone(ngx_tscast_zone_t *zone, ngx_tscast_event_e type);

/* ngx_tscast_alarm.c */

void ngx_tscast_alarm_round(ngx_tscast_publisher_t *pub);

/* ngx_tscast_report.c */

ngx_uint_t ngx_tscast_report_looks(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);

/* ngx_tscast_watch.c */

ngx_tscast_watch_t *ngx_tscast_watch_get(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st);
ngx_int_t ngx_tscast_watch_enter(ngx_tscast_watch_t *w,
    ngx_tscast_viewer_t *v);
void ngx_tscast_watch_leave(ngx_tscast_viewer_t *v);
void ngx_tscast_watch_wake(ngx_tscast_watch_t *w);
void ngx_tscast_watch_refresh(ngx_tscast_watch_t *w);
ngx_tscast_ref_t *ngx_tscast_watch_after(ngx_tscast_watch_t *w, uint64_t id);
void ngx_tscast_watch_linger(ngx_tscast_watch_t *w, ngx_msec_t timer);
void ngx_tscast_watch_round(ngx_tscast_zone_t *zone);
void ngx_tscast_watch_away(ngx_tscast_zone_t *zone);

/* ngx_tscast_viewer.c */

void ngx_tscast_viewer_step(ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd);
void ngx_tscast_viewer_done(ngx_tscast_reading_t *rd);
void ngx_tscast_viewer_skip(ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd, uint64_t offset);

extern const ngx_tscast_rendition_t  ngx_tscast_renditions[];

/* ngx_tscast_tags.c */

ngx_int_t ngx_tscast_tags_tune(ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd);
ngx_int_t ngx_tscast_tags_gather(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd, uint64_t head);

/* ngx_tscast_send.c */

void ngx_tscast_send_socket(ngx_tscast_viewer_t *v);
ngx_int_t ngx_tscast_send_ring(ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd);
ngx_int_t ngx_tscast_send_gather(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd, uint64_t head);
ngx_tscast_frame_t *ngx_tscast_burst_frame(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v);
void ngx_tscast_burst_piece(ngx_tscast_burst_t *b, u_char *p, size_t n);
void ngx_tscast_burst_close(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v);
void ngx_tscast_burst_cancel(ngx_tscast_burst_t *b);
ngx_int_t ngx_tscast_send_frame(ngx_tscast_viewer_t *v, u_char *p, size_t n);
ngx_int_t ngx_tscast_send_rest(ngx_tscast_viewer_t *v);
void ngx_tscast_send_blocked(ngx_tscast_viewer_t *v);


/*
 * Milliseconds since then.  Each process has its own cached time, so that a
 * stamp of another may lie in the future: that is 0.
 */

static ngx_inline ngx_msec_t
ngx_tscast_since(ngx_msec_t then)
{
    ngx_msec_int_t  elapsed;

    elapsed = (ngx_msec_int_t) (ngx_current_msec - then);

    return ngx_max(elapsed, 0);
}


static ngx_inline void
ngx_tscast_mask_set(ngx_tscast_mask_t *m, ngx_uint_t n)
{
    __atomic_fetch_or(&m->words[n / 64], (uint64_t) 1 << (n % 64),
                      __ATOMIC_SEQ_CST);
}


static ngx_inline void
ngx_tscast_mask_clear(ngx_tscast_mask_t *m, ngx_uint_t n)
{
    __atomic_fetch_and(&m->words[n / 64], ~((uint64_t) 1 << (n % 64)),
                       __ATOMIC_SEQ_CST);
}


static ngx_inline ngx_uint_t
ngx_tscast_mask_has(ngx_tscast_mask_t *m, ngx_uint_t n)
{
    return (__atomic_load_n(&m->words[n / 64], __ATOMIC_SEQ_CST)
            >> (n % 64)) & 1;
}


static ngx_inline ngx_uint_t
ngx_tscast_mask_empty(ngx_tscast_mask_t *m)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_TSCAST_MASK_WORDS; i++) {
        if (__atomic_load_n(&m->words[i], __ATOMIC_SEQ_CST)) {
            return 0;
        }
    }

    return 1;
}


#endif /* _NGX_TSCAST_HUB_H_INCLUDED_ */
