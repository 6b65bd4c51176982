
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_FLV_TS_H_INCLUDED_
#define _NGX_TSCAST_FLV_TS_H_INCLUDED_


/*
 * Messages of FLV and RTMP into a transport stream: pure functions over
 * bytes.
 */


#include "ngx_tscast_mux.h"
#include "ngx_tscast_flv.h"
#include "ngx_tscast_flv_read.h"


/* why a message was left out; ngx_tscast_flv_ts_reasons[] has the words */

typedef enum {
    NGX_TSCAST_FLV_BROKEN = 0,
    NGX_TSCAST_FLV_BAD_CONFIG,
    NGX_TSCAST_FLV_NO_CONFIG,
    NGX_TSCAST_FLV_NO_KEY,
    NGX_TSCAST_FLV_TOO_LONG
} ngx_tscast_flv_reason_e;


/* times that grow, from timestamps that wrap and jump */

typedef struct {
    uint64_t                 last;
    uint32_t                 shift;       /* from timestamps to times */
    ngx_uint_t               seen;
} ngx_tscast_flv_line_t;


typedef struct {
    uint64_t                 clock;       /* the latest time, ms */
    uint32_t                 shift;       /* since the last jump */
    ngx_uint_t               started;
    ngx_uint_t               jumps;
    ngx_tscast_flv_line_t    lines[NGX_TSCAST_MUX_TRACKS];
} ngx_tscast_flv_time_t;


/*
 * A message that is taken, before packets are made of it: tag->data is without
 * the header of a tag.  The DTS in its packets are 90 * time, modulo 2^33.
 */
typedef void (*ngx_tscast_flv_ts_tag_pt)(void *data,
    ngx_tscast_flv_tag_t *tag, uint64_t time);


typedef struct {
    ngx_tscast_mux_t         mux;         /* write and data: the caller's */
    ngx_tscast_flv_ts_tag_pt tag;         /* the caller's, or NULL */

    /* read by the caller */

    ngx_str_t                name;        /* of the codec that is refused */
    ngx_tscast_flv_reason_e  reason;

    /* its own */

    ngx_tscast_flv_tag_t     message;     /* that is looked at */
    ngx_tscast_flv_time_t    time;
    ngx_tscast_flv_video_t   video;
    ngx_tscast_flv_aac_t     aac;         /* object is 0: none so far */
    uint64_t                 dts[NGX_TSCAST_MUX_TRACKS];
    uint64_t                 began;       /* DTS of the first unit */
    ngx_uint_t               seen[NGX_TSCAST_MUX_TRACKS];
    ngx_uint_t               key;         /* the video has begun */
} ngx_tscast_flv_ts_t;


extern const char  *ngx_tscast_flv_ts_reasons[];


void ngx_tscast_flv_ts_init(ngx_tscast_flv_ts_t *t);

/*
 * CodecIDs of the metadata, 0 for none: a track that is promised is in the
 * program from its beginning.
 */
void ngx_tscast_flv_ts_expect(ngx_tscast_flv_ts_t *t, ngx_uint_t video,
    ngx_uint_t audio);

/*
 * A message of type NGX_TSCAST_FLV_AUDIO or NGX_TSCAST_FLV_VIDEO.  Returns
 * NGX_OK; NGX_DECLINED, it was left out for t->reason; NGX_ABORT, t->name is
 * of what a transport stream does not carry; or what write has returned.
 */
ngx_int_t ngx_tscast_flv_ts_message(ngx_tscast_flv_ts_t *t, ngx_uint_t type,
    uint32_t timestamp, u_char *p, size_t len);

/* NGX_TSCAST_FLV_HAS_VIDEO and so on, of the program at present */
ngx_uint_t ngx_tscast_flv_ts_tracks(ngx_tscast_flv_ts_t *t);

/* the time of a message, ms */
uint64_t ngx_tscast_flv_time(ngx_tscast_flv_time_t *t, ngx_uint_t track,
    uint32_t timestamp);


#endif /* _NGX_TSCAST_FLV_TS_H_INCLUDED_ */
