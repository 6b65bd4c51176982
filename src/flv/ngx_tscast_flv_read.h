
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_FLV_READ_H_INCLUDED_
#define _NGX_TSCAST_FLV_READ_H_INCLUDED_


/*
 * Reads what FLV tags and RTMP messages of audio and video hold (Adobe Flash
 * Video File Format Specification 10.1, annex E; Enhanced RTMP 1), and the
 * decoder configurations in them: pure functions over bytes.
 */


#include <ngx_config.h>
#include <ngx_core.h>


/* what is sent ahead in Annex B, with start codes */
#define NGX_TSCAST_FLV_MAX_SETS   8192

#define NGX_TSCAST_FLV_START_CODE  4

#define NGX_TSCAST_FLV_ADTS        7

/* frame_length of ADTS has 13 bits: ISO/IEC 14496-3, 1.A.3.2 */
#define NGX_TSCAST_FLV_MAX_AAC     (8191 - NGX_TSCAST_FLV_ADTS)


typedef enum {
    NGX_TSCAST_FLV_OTHER = 0,
    NGX_TSCAST_FLV_H264,
    NGX_TSCAST_FLV_HEVC,
    NGX_TSCAST_FLV_AAC,
    NGX_TSCAST_FLV_MP3
} ngx_tscast_flv_codec_e;


typedef enum {
    NGX_TSCAST_FLV_NOTHING = 0,           /* that concerns a decoder */
    NGX_TSCAST_FLV_CONFIG,
    NGX_TSCAST_FLV_FRAME
} ngx_tscast_flv_kind_e;


typedef struct {
    ngx_tscast_flv_codec_e   codec;
    ngx_tscast_flv_kind_e    kind;
    ngx_str_t                name;        /* of the codec */
    int32_t                  offset;      /* of the presentation, ms */
    u_char                  *data;
    size_t                   len;
    unsigned                 key:1;       /* so it says */
} ngx_tscast_flv_message_t;


/* AVCDecoderConfigurationRecord or HEVCDecoderConfigurationRecord */

typedef struct {
    ngx_tscast_flv_codec_e   codec;
    size_t                   length_size; /* of the length of a NAL unit */
    size_t                   len;         /* of sets */
    u_char                   sets[NGX_TSCAST_FLV_MAX_SETS];
} ngx_tscast_flv_video_t;


/* AudioSpecificConfig, as far as ADTS can tell it */

typedef struct {
    ngx_uint_t               object;      /* audioObjectType */
    ngx_uint_t               index;       /* samplingFrequencyIndex */
    ngx_uint_t               channels;    /* channelConfiguration */
} ngx_tscast_flv_aac_t;


/* an access unit looked through */

typedef struct {
    size_t                   len;         /* in Annex B */
    unsigned                 random:1;    /* IDR or IRAP */
    unsigned                 sets:1;      /* has parameter sets of each kind */
} ngx_tscast_flv_unit_t;


/*
 * A message of audio or video.  Returns NGX_OK, NGX_DECLINED (msg->name is of
 * no codec that is known here) or NGX_ERROR (it is too short).
 */
ngx_int_t ngx_tscast_flv_read_video(ngx_tscast_flv_message_t *msg, u_char *p,
    size_t len);
ngx_int_t ngx_tscast_flv_read_audio(ngx_tscast_flv_message_t *msg, u_char *p,
    size_t len);

/* decoder configurations of these codecs; NGX_OK or NGX_ERROR */
ngx_int_t ngx_tscast_flv_read_avcc(ngx_tscast_flv_video_t *v, u_char *p,
    size_t len);
ngx_int_t ngx_tscast_flv_read_hvcc(ngx_tscast_flv_video_t *v, u_char *p,
    size_t len);

/* these may also be NGX_DECLINED: *name is of what ADTS cannot tell */
ngx_int_t ngx_tscast_flv_read_aac(ngx_tscast_flv_aac_t *a, u_char *p,
    size_t len, ngx_str_t *name);

/*
 * The NAL units of an access unit.  Unit returns NGX_OK or NGX_ERROR, Nal
 * NGX_OK, NGX_DONE or NGX_ERROR; access unit delimiters, which are written
 * anew, and empty NAL units are passed over.
 */
ngx_int_t ngx_tscast_flv_read_unit(ngx_tscast_flv_video_t *v, u_char *p,
    size_t len, ngx_tscast_flv_unit_t *unit);
ngx_int_t ngx_tscast_flv_read_nal(ngx_tscast_flv_video_t *v, u_char **pos,
    u_char *last, ngx_str_t *nal);

/* nal_unit_type: ISO/IEC 14496-10, 7.3.1; ISO/IEC 23008-2, 7.3.1.2 */
ngx_uint_t ngx_tscast_flv_nal_type(ngx_tscast_flv_codec_e codec, u_char *nal);

/* the header of a frame of n bytes: ISO/IEC 14496-3, 1.A.3.2 */
void ngx_tscast_flv_adts(ngx_tscast_flv_aac_t *a, u_char *p, size_t n);

/* samples a second, 0 if it is no frame: ISO/IEC 11172-3, 2.4.1.3 */
ngx_uint_t ngx_tscast_flv_mp3_rate(u_char *p, size_t len);


#endif /* _NGX_TSCAST_FLV_READ_H_INCLUDED_ */
