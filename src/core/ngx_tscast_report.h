
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_REPORT_H_INCLUDED_
#define _NGX_TSCAST_REPORT_H_INCLUDED_


/*
 * What is going on in this node: copied out of the zones, stream by stream,
 * without a lock.
 */


#include "ngx_tscast.h"


/* written by the slot's own process only, summed by whoever asks */

struct ngx_tscast_counters_s {
    ngx_tscast_counters_t   *next;
    ngx_uint_t               slot;
    ngx_uint_t               door;

    uint64_t                 publishers;    /* now */
    uint64_t                 viewers;       /* now */
    uint64_t                 rate;          /* bits per second sent now */

    uint64_t                 published;     /* publishers since the start */
    uint64_t                 received;      /* bytes from publishers */
    uint64_t                 dropped;       /* bytes that were not TS */
    uint64_t                 lost;          /* bytes that were not taken */
    uint64_t                 missing;       /* RTP packets that did not come */
    uint64_t                 reordered;     /* that came after a later one */
    uint64_t                 doubled;       /* that had come before */

    uint64_t                 joined;        /* viewers since the start */
    uint64_t                 sent;          /* media bytes to viewers */
    uint64_t                 skips;         /* viewers moved ahead */
    uint64_t                 skipped;       /* bytes they did not get */
    uint64_t                 lagged;        /* viewers dropped by lag=drop */
    uint64_t                 timedout;      /* viewers that took nothing */
    uint64_t                 evicted;       /* viewers dropped by control */
};


/* what a publisher's worker says of its feed, once a second and at its end */

typedef struct {
    uint64_t                rate;         /* bits per second, of a second */
    uint64_t                slow_rate;    /* of NGX_TSCAST_RATE seconds */
    uint64_t                received;     /* by this publisher */
    uint64_t                gop;          /* the last whole one, 27 MHz */
    ngx_msec_t              rap_at;       /* when the newest RAP came */
    ngx_msec_t              oldest;       /* when the oldest byte kept came */
    ngx_uint_t              raps;         /* 1: there was a RAP */

    uint64_t                packets;
    uint64_t                nulls;
    uint64_t                unlisted;     /* of PIDs that found no place */
    uint64_t                scrambled;
    uint64_t                jitter;       /* of the PCR, 27 MHz */
    ngx_tscast_ts_errors_t  errors;
    ngx_uint_t              nprograms;
    ngx_uint_t              npids;
    ngx_tscast_ts_health_program_t  programs[NGX_TSCAST_TS_HEALTH_PROGRAMS];
    ngx_tscast_ts_pid_t     pids[NGX_TSCAST_TS_HEALTH_PIDS];
} ngx_tscast_vitals_t;


typedef struct {
    ngx_tscast_zone_t      *zone;
    size_t                  name_len;
    u_char                  name[NGX_TSCAST_NAME_LEN];

    ngx_tscast_counters_t   doors[NGX_TSCAST_DOORS];      /* summed */
    uint64_t                viewers;
    uint64_t                peak;         /* exact: joins are counted under
                                             the zone's mutex */
    uint64_t                peaks[NGX_TSCAST_DOORS];

    /* the last publisher */

    ngx_uint_t              fed;          /* 1: there is one to speak of */
    ngx_uint_t              live;         /* 1: it has not ended */
    ngx_uint_t              flv;          /* 1: FLV is made of it */
    ngx_tscast_door_e       door;
    time_t                  since;
    ngx_msec_t              silent;       /* ms since the last byte */
    size_t                  addr_len;
    u_char                  addr[NGX_SOCKADDR_STRLEN];
    uint64_t                kept;         /* bytes in the window */
    ngx_msec_t              window;       /* ms from first to last of them */
    ngx_msec_t              rap_age;
    ngx_tscast_vitals_t     vitals;
} ngx_tscast_report_stream_t;


typedef struct {
    ngx_str_t               name;
    time_t                  started;
    ngx_uint_t              generation;   /* of this worker */
} ngx_tscast_report_node_t;


typedef struct {
    ngx_str_t              *name;
    size_t                  size;
    size_t                  media;        /* bytes of it that are for media */
    size_t                  free;         /* and are free */
    size_t                  slab;         /* bytes for all else that are free */
    ngx_msec_t              configured;   /* window= */
    ngx_msec_t              window;       /* what there is room for now */
    uint64_t                shortages;    /* times it was made shorter */
    ngx_tscast_counters_t   gone[NGX_TSCAST_DOORS];   /* of former streams */
} ngx_tscast_report_zone_t;


typedef struct {
    ngx_uint_t              slot;
    ngx_pid_t               pid;
    ngx_uint_t              generation;
} ngx_tscast_report_worker_t;


#define NGX_TSCAST_REPORT_LINKS  16     /* at a time */
#define NGX_TSCAST_REPORT_URL    256    /* bytes; a longer one is cut */

typedef struct {
    uint64_t                rule;         /* its id, 0: of nginx.conf */
    ngx_uint_t              push;
    ngx_uint_t              state;        /* ngx_tscast_link_state_e */
    ngx_msec_t              age;          /* of the state */
    ngx_uint_t              slot;         /* who runs it, or -1 */
    size_t                  name_len;
    u_char                  name[NGX_TSCAST_NAME_LEN];
    size_t                  url_len;      /* without user and password */
    u_char                  url[NGX_TSCAST_REPORT_URL];
    uint64_t                retries;
    uint64_t                connects;
    uint64_t                failures;
    uint64_t                bytes;
    uint64_t                packets;
    uint64_t                lost;
    uint64_t                reordered;
    uint64_t                refused;
    uint64_t                hurried;
    ngx_uint_t              rtt;          /* microseconds, 0: not known */
    size_t                  error_len;
    u_char                  error[NGX_TSCAST_RECORD_ERROR];
} ngx_tscast_report_link_t;


typedef struct {
    uint64_t                id;           /* 0: of nginx.conf */
    ngx_uint_t              push;
    ngx_str_t               stream;
    size_t                  url_len;      /* without user and password */
    u_char                  url[NGX_TSCAST_REPORT_URL];
} ngx_tscast_report_rule_t;


/* a number of 64 bits somewhere in a structure */

typedef struct {
    char                   *name;
    size_t                  offset;
} ngx_tscast_report_member_t;


/* a kind of door, and what is spoken there */

typedef struct {
    ngx_str_t               door;
    ngx_str_t               protocol;
} ngx_tscast_report_door_t;


extern const ngx_tscast_report_door_t  ngx_tscast_report_doors[];

/* of ngx_tscast_ts_errors_t, all of them; the last has no name */
extern const ngx_tscast_report_member_t  ngx_tscast_report_errors[];


void ngx_tscast_report_node(ngx_tscast_report_node_t *report);

/* the zones of this node, from 0; NULL: no more */
ngx_tscast_zone_t *ngx_tscast_report_next(ngx_uint_t i);

void ngx_tscast_report_zone(ngx_tscast_zone_t *zone,
    ngx_tscast_report_zone_t *report);

/*
 * The streams of a zone, from 0.  Returns NGX_OK, NGX_DECLINED when there is
 * no stream at this place, NGX_DONE when there are no more.
 */
ngx_int_t ngx_tscast_report_stream(ngx_tscast_zone_t *zone, ngx_uint_t i,
    ngx_tscast_report_stream_t *report);

/* the same for the workers that use the zone */
ngx_int_t ngx_tscast_report_worker(ngx_tscast_zone_t *zone, ngx_uint_t i,
    ngx_tscast_report_worker_t *report);

/*
 * Links of a zone from the i-th on, up to NGX_TSCAST_REPORT_LINKS of them;
 * returns how many.  Under the zone's mutex, but for no longer than it takes
 * to copy these.
 */
ngx_uint_t ngx_tscast_report_links(ngx_tscast_zone_t *zone, ngx_uint_t i,
    ngx_tscast_report_link_t *links);

/* under the mutex, or by the record's owner */
void ngx_tscast_report_link(ngx_tscast_record_t *rec,
    ngx_tscast_report_link_t *report);

void ngx_tscast_report_rule(ngx_tscast_rule_t *rule,
    ngx_tscast_report_rule_t *report);

/* adds counters, but for those of place and time */
void ngx_tscast_report_add(ngx_tscast_counters_t *sum,
    ngx_tscast_counters_t *cnt);


#endif /* _NGX_TSCAST_REPORT_H_INCLUDED_ */
