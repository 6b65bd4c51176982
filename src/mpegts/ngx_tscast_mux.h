
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_MUX_H_INCLUDED_
#define _NGX_TSCAST_MUX_H_INCLUDED_


/*
 * Makes a transport stream of one program (ISO/IEC 13818-1) out of access
 * units: pure functions over bytes, like the parser.
 */


#include "ngx_tscast_ts.h"


#define NGX_TSCAST_MUX_PMT_PID    0x1000
#define NGX_TSCAST_MUX_VIDEO_PID  0x0100
#define NGX_TSCAST_MUX_AUDIO_PID  0x0101

#define NGX_TSCAST_MUX_VIDEO      0
#define NGX_TSCAST_MUX_AUDIO      1
#define NGX_TSCAST_MUX_TRACKS     2

/* stream_type: ISO/IEC 13818-1, table 2-34 */
#define NGX_TSCAST_MUX_NONE         0x00
#define NGX_TSCAST_MUX_MPEG1_AUDIO  0x03
#define NGX_TSCAST_MUX_MPEG2_AUDIO  0x04
#define NGX_TSCAST_MUX_ADTS         0x0f
#define NGX_TSCAST_MUX_H264         0x1b
#define NGX_TSCAST_MUX_HEVC         0x24

/* packets that are written at a time, at most */
#define NGX_TSCAST_MUX_PACKETS    64

/* the longest unit of audio, whose PES packets tell their length */
#define NGX_TSCAST_MUX_MAX_AUDIO  65000


/* takes whole packets; what it returns, if not NGX_OK, ends the unit */
typedef ngx_int_t (*ngx_tscast_mux_write_pt)(void *data, u_char *p, size_t n);


typedef struct {
    u_char                   type;        /* stream_type */
    u_char                   cc;
} ngx_tscast_mux_track_t;


/* an access unit of video, a frame of audio; times are in 90 kHz */

typedef struct {
    ngx_uint_t               track;
    uint64_t                 pts;         /* not less than dts */
    uint64_t                 dts;         /* neither of them wraps */
    size_t                   len;
    ngx_uint_t               random;      /* a decoder can start here */
} ngx_tscast_mux_unit_t;


typedef struct {

    /* set by the caller */

    ngx_tscast_mux_write_pt  write;
    void                    *data;

    /* the muxer's own */

    ngx_tscast_mux_track_t   tracks[NGX_TSCAST_MUX_TRACKS];
    u_char                   pat_cc;
    u_char                   pmt_cc;
    u_char                   version;     /* of the PMT */

    uint64_t                 clock;       /* the latest DTS */
    uint64_t                 delay;       /* of the PCR behind the clock */
    uint64_t                 pcr_at;      /* clock at the last PCR */
    uint64_t                 tables_at;   /* and at the last PAT and PMT */

    ngx_tscast_mux_unit_t   *unit;        /* that is being written */
    size_t                   left;        /* bytes of its PES packet */
    u_char                  *pos;         /* in the payload of a packet */
    u_char                  *last;
    ngx_int_t                rc;          /* of write */

    unsigned                 started:1;
    unsigned                 announced:1; /* this version of the PMT */
    unsigned                 broken:1;    /* the next PCR is of a new
                                             time base */

    ngx_uint_t               npackets;
    u_char                   packets[NGX_TSCAST_MUX_PACKETS]
                                    [NGX_TSCAST_TS_PACKET];
} ngx_tscast_mux_t;


/* keeps write and data */
void ngx_tscast_mux_init(ngx_tscast_mux_t *m);

/* what the PMT says of a track from now on; NGX_TSCAST_MUX_NONE: nothing */
void ngx_tscast_mux_track(ngx_tscast_mux_t *m, ngx_uint_t track,
    ngx_uint_t type);

/*
 * A unit of a track that the PMT names: begin, its bytes in any number of
 * pieces, and end, which returns NGX_OK or what write has returned.  DTS grow
 * within a track; between units they go ahead by seconds at most.
 */
void ngx_tscast_mux_begin(ngx_tscast_mux_t *m, ngx_tscast_mux_unit_t *unit);
void ngx_tscast_mux_put(ngx_tscast_mux_t *m, u_char *p, size_t n);
ngx_int_t ngx_tscast_mux_end(ngx_tscast_mux_t *m);


#endif /* _NGX_TSCAST_MUX_H_INCLUDED_ */
