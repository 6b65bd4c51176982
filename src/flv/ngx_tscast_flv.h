
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_FLV_H_INCLUDED_
#define _NGX_TSCAST_FLV_H_INCLUDED_


/*
 * FLV (Adobe Flash Video File Format Specification 10.1, annex E, and
 * Enhanced RTMP v2) made of a transport stream, as pure functions over bytes:
 * no I/O, no allocation, nothing of nginx but its types.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_sps.h"
#include "ngx_tscast_ts.h"
#include "ngx_tscast_ts_pes.h"


#define NGX_TSCAST_FLV_AUDIO    8
#define NGX_TSCAST_FLV_VIDEO    9
#define NGX_TSCAST_FLV_SCRIPT   18

/* the file's header with the size of no tag before it */
#define NGX_TSCAST_FLV_FILE     13

#define NGX_TSCAST_FLV_HEADER   11        /* of a tag */
#define NGX_TSCAST_FLV_TRAILER  4         /* PreviousTagSize */

/* where the time is in a tag: 24 bits and 8 more significant ones */
#define NGX_TSCAST_FLV_TIME     4
#define NGX_TSCAST_FLV_TIME_LEN 4

#define NGX_TSCAST_FLV_HAS_VIDEO  0x01
#define NGX_TSCAST_FLV_HAS_AUDIO  0x04

/* the longest PES packets that are remuxed */
#define NGX_TSCAST_FLV_MAX_VIDEO  (4 * 1024 * 1024)
#define NGX_TSCAST_FLV_MAX_AUDIO  (128 * 1024)

/* the longest frame of ADTS, or of MPEG audio */
#define NGX_TSCAST_FLV_MAX_FRAME  8192

/* the longest tag: NAL units of one byte grow from four to five */
#define NGX_TSCAST_FLV_MAX_TAG  (NGX_TSCAST_FLV_MAX_VIDEO / 4 * 5 + 64)

/* what a remuxer wants for its PES packets */
#define NGX_TSCAST_FLV_BUFFER                                                 \
    (NGX_TSCAST_FLV_MAX_VIDEO + NGX_TSCAST_FLV_MAX_FRAME                      \
     + NGX_TSCAST_FLV_MAX_AUDIO)

/* decoder configurations and onMetaData as tags, all together */
#define NGX_TSCAST_FLV_MAX_HEADERS  3072
#define NGX_TSCAST_FLV_MAX_CONFIG   1800
#define NGX_TSCAST_FLV_SETS     32


/* what an elementary stream becomes */

typedef enum {
    NGX_TSCAST_FLV_CODEC_NONE = 0,
    NGX_TSCAST_FLV_CODEC_H264,
    NGX_TSCAST_FLV_CODEC_HEVC,
    NGX_TSCAST_FLV_CODEC_AAC,
    NGX_TSCAST_FLV_CODEC_MP3,
    NGX_TSCAST_FLV_CODEC_OPUS
} ngx_tscast_flv_track_e;


/* the elementary streams of a program that go into FLV */

typedef struct {
    uint16_t                  video_pid;      /* or NGX_TSCAST_TS_NULL_PID */
    uint16_t                  audio_pid;
    ngx_tscast_flv_track_e    video;
    ngx_tscast_flv_track_e    audio;
    ngx_uint_t                channels;       /* of Opus, by its code */
    const char               *unfit;          /* what FLV cannot carry */
} ngx_tscast_flv_program_t;


/* a tag with the PreviousTagSize behind it */

typedef struct {
    u_char                   *data;
    size_t                    len;
    u_char                    type;           /* NGX_TSCAST_FLV_VIDEO, ... */
    unsigned                  key:1;          /* a decoder can start here */
    unsigned                  config:1;       /* sequence header */
    unsigned                  late:1;         /* behind the packets of it */
} ngx_tscast_flv_tag_t;


typedef void (*ngx_tscast_flv_tag_pt)(void *data, ngx_tscast_flv_tag_t *tag);


/* what a viewer is given before the first tag: whole tags */

typedef struct {
    uint16_t                  script;         /* their lengths */
    uint16_t                  video;
    uint16_t                  audio;
    uint16_t                  flags;          /* of the file's header */
    u_char                    data[NGX_TSCAST_FLV_MAX_HEADERS];
} ngx_tscast_flv_headers_t;


/* VPS, SPS and PPS in force, by type and id */

typedef struct {
    u_char                    type;
    u_char                    id;
    uint16_t                  start;          /* in data[] */
    uint16_t                  len;
} ngx_tscast_flv_set_t;

typedef struct {
    ngx_uint_t                nsets;
    size_t                    len;
    ngx_tscast_flv_set_t      sets[NGX_TSCAST_FLV_SETS];
    u_char                    data[NGX_TSCAST_FLV_MAX_CONFIG];
} ngx_tscast_flv_sets_t;


/* a frame of audio */

typedef struct {
    size_t                    header;         /* bytes that FLV leaves out */
    size_t                    len;            /* with the header */
    ngx_uint_t                samples;
    ngx_uint_t                rate;
    ngx_uint_t                channels;
    ngx_uint_t                config;         /* of AAC: two bytes */
} ngx_tscast_flv_frame_t;


/* a time line that goes on where the source's breaks */

typedef struct {
    uint64_t                  in;             /* 33 bits */
    int64_t                   out;
    int64_t                   step;
    ngx_uint_t                set;
} ngx_tscast_flv_clock_t;


typedef struct {
    ngx_tscast_flv_tag_pt     handler;
    void                     *data;
    u_char                   *out;            /* NGX_TSCAST_FLV_MAX_TAG */

    ngx_tscast_flv_program_t  program;
    ngx_tscast_flv_headers_t  headers;
    uint64_t                  lost;           /* frames that no tag was made
                                                 of */
    ngx_tscast_flv_clock_t    clocks[2];      /* of video and audio */
    int64_t                   last[2];        /* times of their newest tags,
                                                 which never go back */

    ngx_tscast_ts_pes_t       video;
    ngx_tscast_flv_sets_t     sets;
    ngx_tscast_sps_t          sps;

    ngx_tscast_ts_pes_t       audio;
    ngx_tscast_flv_frame_t    frame;          /* the newest */
    int64_t                   frame_time;     /* of the first in its PES
                                                 packet */
    uint64_t                  samples;        /* since then */
    size_t                    ncarry;
    u_char                    carry[NGX_TSCAST_FLV_MAX_FRAME];
} ngx_tscast_flv_remux_t;


/*
 * What goes into FLV of the program with this PMT, a whole section.  NGX_OK,
 * or NGX_DECLINED with program->unfit.
 */
ngx_int_t ngx_tscast_flv_program(u_char *section, size_t len,
    ngx_tscast_flv_program_t *program);

/*
 * A packet, to see what the PMT does not tell.  NGX_OK: all is well, NGX_AGAIN:
 * look at the next one, NGX_DECLINED: there is a program->unfit now.
 */
ngx_int_t ngx_tscast_flv_program_probe(ngx_tscast_flv_program_t *program,
    u_char *packet);


/* buf: NGX_TSCAST_FLV_BUFFER bytes, out: NGX_TSCAST_FLV_MAX_TAG */
void ngx_tscast_flv_remux_init(ngx_tscast_flv_remux_t *m, u_char *buf,
    u_char *out, ngx_tscast_flv_tag_pt handler, void *data);

/* the program from now on; the time line goes on */
void ngx_tscast_flv_remux_program(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_program_t *program);

/* a packet of whatever PID; calls the handler for each tag */
void ngx_tscast_flv_remux_packet(ngx_tscast_flv_remux_t *m, u_char *packet);

/* nothing follows */
void ngx_tscast_flv_remux_flush(ngx_tscast_flv_remux_t *m);

/* m->headers by what is known of both streams now */
void ngx_tscast_flv_remux_headers(ngx_tscast_flv_remux_t *m);

/* a time of 90 kHz on the time line of the tags */
int64_t ngx_tscast_flv_clock(ngx_tscast_flv_clock_t *c,
    ngx_tscast_flv_clock_t *other, uint64_t time);


/* PES packets of each kind, between the files of the remuxer */

void ngx_tscast_flv_video_unit(void *data, ngx_tscast_ts_unit_t *unit);
void ngx_tscast_flv_audio_unit(void *data, ngx_tscast_ts_unit_t *unit);


/*
 * Tags: p is where the media begins, NGX_TSCAST_FLV_HEADER bytes after the
 * start of the buffer.  Returns the length of the whole tag.
 */
size_t ngx_tscast_flv_tag(u_char *p, size_t len, ngx_uint_t type,
    uint32_t time);

/* what the media begins with; both return where it goes on */
u_char *ngx_tscast_flv_video_head(u_char *p, ngx_tscast_flv_track_e codec,
    ngx_uint_t key, ngx_uint_t config, int32_t composition);
u_char *ngx_tscast_flv_audio_head(u_char *p, ngx_tscast_flv_track_e codec,
    ngx_tscast_flv_frame_t *frame, ngx_uint_t config);

/*
 * Puts onMetaData or a sequence header, without the header of a tag, in its
 * place.  NGX_OK, NGX_DONE: it is there already, NGX_DECLINED: it is too long.
 */
ngx_int_t ngx_tscast_flv_headers_set(ngx_tscast_flv_headers_t *h,
    ngx_uint_t type, u_char *p, size_t len);

/* onMetaData, without the header of its tag; returns its length */
size_t ngx_tscast_flv_metadata(u_char *p, ngx_tscast_flv_program_t *program,
    ngx_tscast_sps_t *sps, ngx_tscast_flv_frame_t *frame);

/*
 * What a viewer is given that starts at this time: sequence headers, and for
 * the first time the header of a file and onMetaData.  Room:
 * NGX_TSCAST_FLV_FILE + NGX_TSCAST_FLV_MAX_HEADERS.
 */
size_t ngx_tscast_flv_start(u_char *p, ngx_tscast_flv_headers_t *h,
    uint32_t time, ngx_uint_t first);


/* NAL units */

/* the next one of a byte stream from *pos on, *pos moves; NULL: none */
u_char *ngx_tscast_flv_nal(u_char **pos, u_char *last, size_t *len);

/* keeps a set; 1 if it is not what was kept under its id */
ngx_uint_t ngx_tscast_flv_sets_keep(ngx_tscast_flv_sets_t *s, u_char type,
    u_char id, u_char *nal, size_t len);

/* the n-th set of a type, from 0 on, or NULL */
u_char *ngx_tscast_flv_sets_get(ngx_tscast_flv_sets_t *s, u_char type,
    ngx_uint_t n, size_t *len);
ngx_uint_t ngx_tscast_flv_sets_count(ngx_tscast_flv_sets_t *s, u_char type);

/* the id in a set, or NGX_DECLINED */
ngx_int_t ngx_tscast_flv_avc_set_id(u_char *nal, size_t len);
ngx_int_t ngx_tscast_flv_hevc_set_id(u_char *nal, size_t len);

/* is there a recovery point in the SEI? */
ngx_uint_t ngx_tscast_flv_avc_recovers(u_char *nal, size_t len);

/* configuration records; room: NGX_TSCAST_FLV_MAX_CONFIG + 128 bytes.
 * Return their length, 0: a set is missing */
size_t ngx_tscast_flv_avc_config(u_char *p, ngx_tscast_flv_sets_t *s,
    ngx_tscast_sps_t *sps);
size_t ngx_tscast_flv_hevc_config(u_char *p, ngx_tscast_flv_sets_t *s,
    ngx_tscast_sps_t *sps);


/*
 * Frames of audio.  NGX_OK with frame->len, which may be more than there is;
 * NGX_AGAIN: too few bytes to tell, NGX_DECLINED: no frame begins here.
 */
ngx_int_t ngx_tscast_flv_adts_frame(u_char *p, size_t len,
    ngx_tscast_flv_frame_t *frame);
ngx_int_t ngx_tscast_flv_mp3_frame(u_char *p, size_t len,
    ngx_tscast_flv_frame_t *frame);
ngx_int_t ngx_tscast_flv_opus_frame(u_char *p, size_t len,
    ngx_tscast_flv_frame_t *frame);

/* the identification header of Opus, at most 32 bytes */
size_t ngx_tscast_flv_opus_config(u_char *p, ngx_uint_t channels);


static ngx_inline u_char *
ngx_tscast_flv_put16(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


static ngx_inline u_char *
ngx_tscast_flv_put24(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) (n >> 16);

    return ngx_tscast_flv_put16(p, n);
}


static ngx_inline u_char *
ngx_tscast_flv_put32(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) (n >> 24);

    return ngx_tscast_flv_put24(p, n);
}


/* of the header of a tag */

static ngx_inline size_t
ngx_tscast_flv_get_size(u_char *p)
{
    return (size_t) p[1] << 16 | p[2] << 8 | p[3];
}


static ngx_inline uint32_t
ngx_tscast_flv_get_time(u_char *p)
{
    return (uint32_t) p[7] << 24 | p[4] << 16 | p[5] << 8 | p[6];
}


static ngx_inline void
ngx_tscast_flv_set_time(u_char *p, uint32_t time)
{
    (void) ngx_tscast_flv_put24(p, time & 0xffffff);
    p[3] = (u_char) (time >> 24);
}


#endif /* _NGX_TSCAST_FLV_H_INCLUDED_ */
