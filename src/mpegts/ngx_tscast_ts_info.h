
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_TS_INFO_H_INCLUDED_
#define _NGX_TSCAST_TS_INFO_H_INCLUDED_


/*
 * What elementary streams are: by their entry in a PMT, and by the headers
 * at the start of their PES packets.
 */


#include <ngx_config.h>
#include <ngx_core.h>


/* video, audio, data: in this order */

typedef enum {
    NGX_TSCAST_TS_FORMAT_UNKNOWN = 0,

    NGX_TSCAST_TS_FORMAT_MPEG_VIDEO,      /* MPEG-1 and MPEG-2 */
    NGX_TSCAST_TS_FORMAT_MPEG4,
    NGX_TSCAST_TS_FORMAT_H264,
    NGX_TSCAST_TS_FORMAT_HEVC,
    NGX_TSCAST_TS_FORMAT_VVC,
    NGX_TSCAST_TS_FORMAT_AV1,
    NGX_TSCAST_TS_FORMAT_VC1,
    NGX_TSCAST_TS_FORMAT_JPEG2000,

    NGX_TSCAST_TS_FORMAT_MPEG_AUDIO,      /* layers I to III */
    NGX_TSCAST_TS_FORMAT_AAC,
    NGX_TSCAST_TS_FORMAT_AAC_LATM,
    NGX_TSCAST_TS_FORMAT_AC3,
    NGX_TSCAST_TS_FORMAT_EAC3,
    NGX_TSCAST_TS_FORMAT_DTS,
    NGX_TSCAST_TS_FORMAT_TRUEHD,
    NGX_TSCAST_TS_FORMAT_OPUS,
    NGX_TSCAST_TS_FORMAT_S302M,

    NGX_TSCAST_TS_FORMAT_SCTE35,
    NGX_TSCAST_TS_FORMAT_DVB_SUBTITLE,
    NGX_TSCAST_TS_FORMAT_DVB_TELETEXT,
    NGX_TSCAST_TS_FORMAT_KLV,
    NGX_TSCAST_TS_FORMAT_ID3
} ngx_tscast_ts_format_e;


#define ngx_tscast_ts_is_video(format)                                        \
    ((format) >= NGX_TSCAST_TS_FORMAT_MPEG_VIDEO                              \
     && (format) <= NGX_TSCAST_TS_FORMAT_JPEG2000)

#define ngx_tscast_ts_is_audio(format)                                        \
    ((format) >= NGX_TSCAST_TS_FORMAT_MPEG_AUDIO                              \
     && (format) <= NGX_TSCAST_TS_FORMAT_S302M)


/* 0: not known */

typedef struct {
    uint32_t                frames;       /* of video, ... */
    uint32_t                seconds;      /* ... in so many seconds */
    uint32_t                sample_rate;
    uint16_t                width;
    uint16_t                height;
    u_char                  profile;      /* numbers of the codec's own */
    u_char                  level;
    u_char                  channels;
    u_char                  variant;      /* MPEG-1 or -2 video, layer of
                                             MPEG audio */
} ngx_tscast_ts_info_t;


/* the format of an elementary stream, by its entry in a PMT */
ngx_tscast_ts_format_e ngx_tscast_ts_format(u_char *es);

/* the codec's name, or NULL */
char *ngx_tscast_ts_format_name(ngx_tscast_ts_format_e format,
    ngx_tscast_ts_info_t *info);

/*
 * The beginning of the payload of a PES packet.  Returns NGX_OK, or
 * NGX_DECLINED when the header that tells is not there: *info stays.
 */
ngx_int_t ngx_tscast_ts_info(ngx_tscast_ts_info_t *info,
    ngx_tscast_ts_format_e format, u_char *p, size_t len);


#endif /* _NGX_TSCAST_TS_INFO_H_INCLUDED_ */
