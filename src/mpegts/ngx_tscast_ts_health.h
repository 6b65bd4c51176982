
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_TS_HEALTH_H_INCLUDED_
#define _NGX_TSCAST_TS_HEALTH_H_INCLUDED_


/*
 * How well a transport stream is: the checks of ETSI TR 101 290, 5.2.1 and
 * 5.2.2, packet by packet.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_ts.h"
#include "ngx_tscast_ts_info.h"


/* PIDs and programs that are told of */
#define NGX_TSCAST_TS_HEALTH_PIDS      24
#define NGX_TSCAST_TS_HEALTH_PROGRAMS  8

/* bytes of a PES packet in which headers are looked for */
#define NGX_TSCAST_TS_HEALTH_HEAD      512

/* no PCR is like this */
#define NGX_TSCAST_TS_NO_PCR           ((uint64_t) -1)


typedef enum {
    NGX_TSCAST_TS_PID_OTHER = 0,          /* no table names it */
    NGX_TSCAST_TS_PID_PAT,
    NGX_TSCAST_TS_PID_PMT,
    NGX_TSCAST_TS_PID_VIDEO,
    NGX_TSCAST_TS_PID_AUDIO,
    NGX_TSCAST_TS_PID_DATA,
    NGX_TSCAST_TS_PID_PCR                 /* and nothing else */
} ngx_tscast_ts_kind_e;


/* what has been wrong, and how often; the numbers are those of TR 101 290 */

typedef struct {
    uint64_t                sync_loss;          /* 1.1 */
    uint64_t                sync_byte;          /* 1.2 */
    uint64_t                pat;                /* 1.3.a */
    uint64_t                continuity;         /* 1.4 */
    uint64_t                pmt;                /* 1.5.a */
    uint64_t                pid;                /* 1.6 */
    uint64_t                transport;          /* 2.1 */
    uint64_t                crc;                /* 2.2, of PAT and PMT */
    uint64_t                pcr_repetition;     /* 2.3a */
    uint64_t                pcr_discontinuity;  /* 2.3b */
    uint64_t                pcr_accuracy;       /* 2.4 */
    uint64_t                pts;                /* 2.5 */
    uint64_t                timestamp_jumps;
    uint64_t                silences;
} ngx_tscast_ts_errors_t;


typedef struct {
    uint64_t                packets;
    uint64_t                continuity;   /* errors */
    uint16_t                pid;
    uint16_t                program;      /* its number, 0: of none */
    u_char                  kind;         /* NGX_TSCAST_TS_PID_* */
    u_char                  type;         /* stream_type */
    u_char                  format;       /* NGX_TSCAST_TS_FORMAT_* */
    u_char                  missing;      /* since the last check */
    uint32_t                frames;       /* of video, ... */
    uint32_t                frames_time;  /* ... in so much time, 90 kHz */
    ngx_tscast_ts_info_t    info;
} ngx_tscast_ts_pid_t;


typedef struct {
    uint16_t                number;
    uint16_t                pid;          /* of the PMT */
    uint16_t                pcr_pid;
} ngx_tscast_ts_health_program_t;


/* what is known of a PID beside that; times are those of the clock */

typedef struct {
    uint64_t                seen;         /* last section or packet */
    uint64_t                pts_seen;
    uint64_t                pcr;
    uint64_t                dts;
    uint64_t                looked;       /* headers were found */
    uint32_t                frames;       /* counted so far */
    uint32_t                frames_time;
    u_char                  cc;
    u_char                  before;       /* its kind by the last tables */
    unsigned                has_cc:1;
    unsigned                duplicate:1;
    unsigned                plain:1;      /* has a counter, is not late */
    unsigned                has_pcr:1;
    unsigned                has_pts:1;
    unsigned                has_dts:1;    /* some PES packet had one */
    unsigned                pcr_pid:1;    /* of a program */
    unsigned                late:1;       /* counted, until it comes */
    unsigned                pts_late:1;
    unsigned                announced:1;  /* timestamps may jump once */
    unsigned                described:1;  /* info is known */
} ngx_tscast_ts_health_pid_t;


/* the start of a PES packet, in which headers are looked for once it is here */

typedef struct {
    ngx_uint_t              pid;          /* in pids[] + 1, 0: none */
    size_t                  skip;         /* bytes of PES header to come */
    size_t                  len;
    u_char                  buf[NGX_TSCAST_TS_HEALTH_HEAD];
} ngx_tscast_ts_head_t;


typedef struct {
    uint64_t                clock;        /* 27 MHz; goes by the PCR, or by
                                             arrival where there is none */
    uint64_t                packets;
    uint64_t                nulls;
    uint64_t                unlisted;     /* packets of PIDs beyond the table */
    uint64_t                resyncs;      /* of the framing, seen */
    uint64_t                dropped;
    ngx_tscast_ts_errors_t  errors;

    ngx_msec_t              arrived;      /* last bytes */
    ngx_msec_t              idle;         /* ms with packets but no PCR */
    uint16_t                pcr_pid;      /* that the clock goes by */
    unsigned                started:1;

    /* the PCR as a straight line over packets, where null packets keep the
       bit rate constant */

    uint64_t                line_clock;   /* its first point */
    uint64_t                line_packets;
    uint64_t                line_nulls;
    uint64_t                last_clock;   /* its last good point */
    uint64_t                last_packets;
    ngx_uint_t              points;
    ngx_uint_t              strays;       /* in a row */

    /* the PCR and arrival */

    int64_t                 lead_min;     /* arrival minus clock */
    int64_t                 lead_max;
    uint64_t                lead_since;   /* of the clock */
    uint64_t                jitter;       /* of the last period, 27 MHz */

    ngx_uint_t              npids;
    ngx_uint_t              nprograms;
    ngx_tscast_ts_health_program_t  programs[NGX_TSCAST_TS_HEALTH_PROGRAMS];
    ngx_tscast_ts_pid_t     pids[NGX_TSCAST_TS_HEALTH_PIDS];
    ngx_tscast_ts_health_pid_t      more[NGX_TSCAST_TS_HEALTH_PIDS];
    ngx_tscast_ts_head_t    heads[2];     /* of video and of audio */
    u_char                  index[8192];  /* in pids[] + 1, by PID */
} ngx_tscast_ts_health_t;


void ngx_tscast_ts_health_init(ngx_tscast_ts_health_t *h);

/* once before each batch of packets: it arrives now, in ms */
void ngx_tscast_ts_health_arrive(ngx_tscast_ts_health_t *h, ngx_msec_t now);

/* once before each run of packets: what the framing has been through */
void ngx_tscast_ts_health_sync(ngx_tscast_ts_health_t *h,
    ngx_tscast_ts_sync_t *s);

void ngx_tscast_ts_health_packet(ngx_tscast_ts_health_t *h, u_char *p);

/*
 * The parser has new tables.  Programs without a PMT are learnt of only by
 * another call, once a second.
 */
void ngx_tscast_ts_health_tables(ngx_tscast_ts_health_t *h,
    ngx_tscast_ts_parser_t *parser);


/* frames per second as they come, or as the headers say, or 0 */
double ngx_tscast_ts_frame_rate(ngx_tscast_ts_pid_t *pid);


/* between the files */

/* adds to the clock, which may make something late */
void ngx_tscast_ts_health_advance(ngx_tscast_ts_health_t *h, uint64_t ticks);

void ngx_tscast_ts_health_pcr(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    uint64_t pcr, ngx_uint_t discontinuity);
void ngx_tscast_ts_health_pcr_reset(ngx_tscast_ts_health_t *h);

/* the payload of a packet of video or audio */
void ngx_tscast_ts_health_pes(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    u_char *p, u_char *last, ngx_uint_t start);
void ngx_tscast_ts_health_pes_reset(ngx_tscast_ts_health_t *h, ngx_uint_t i);


#endif /* _NGX_TSCAST_TS_HEALTH_H_INCLUDED_ */
