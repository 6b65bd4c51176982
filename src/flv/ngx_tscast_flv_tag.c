
/*
 * Copyright (C) the tscast authors
 */


/*
 * The bytes of tags: Adobe Flash Video File Format Specification 10.1, E.3
 * and E.4, and Enhanced RTMP v2 for HEVC and Opus.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


#define NGX_TSCAST_FLV_ID_AVC       7
#define NGX_TSCAST_FLV_ID_MP3       2
#define NGX_TSCAST_FLV_ID_EX        9
#define NGX_TSCAST_FLV_ID_AAC       10
#define NGX_TSCAST_FLV_ID_MP3_8K    14

#define NGX_TSCAST_FLV_ID_HVC1      0x68766331    /* "hvc1" */
#define NGX_TSCAST_FLV_ID_OPUS      0x4f707573    /* "Opus" */

#define NGX_TSCAST_FLV_AMF_NUMBER   0x00
#define NGX_TSCAST_FLV_AMF_BOOLEAN  0x01
#define NGX_TSCAST_FLV_AMF_STRING   0x02
#define NGX_TSCAST_FLV_AMF_ARRAY    0x08
#define NGX_TSCAST_FLV_AMF_END      0x09


static ngx_uint_t ngx_tscast_flv_mp3_index(ngx_uint_t rate);
static u_char *ngx_tscast_flv_amf_key(u_char *p, const char *key);
static u_char *ngx_tscast_flv_amf_number(u_char *p, const char *key,
    ngx_uint_t n);
static u_char *ngx_tscast_flv_amf_boolean(u_char *p, const char *key,
    ngx_uint_t n);


size_t
ngx_tscast_flv_tag(u_char *p, size_t len, ngx_uint_t type, uint32_t time)
{
    u_char  *tag;

    tag = p - NGX_TSCAST_FLV_HEADER;

    tag[0] = (u_char) type;
    (void) ngx_tscast_flv_put24(tag + 1, len);
    ngx_tscast_flv_set_time(tag + NGX_TSCAST_FLV_TIME, time);
    (void) ngx_tscast_flv_put24(tag + 8, 0);

    (void) ngx_tscast_flv_put32(p + len, NGX_TSCAST_FLV_HEADER + len);

    return NGX_TSCAST_FLV_HEADER + len + NGX_TSCAST_FLV_TRAILER;
}


u_char *
ngx_tscast_flv_video_head(u_char *p, ngx_tscast_flv_track_e codec,
    ngx_uint_t key, ngx_uint_t config, int32_t composition)
{
    ngx_uint_t  frame;

    frame = key ? 1 : 2;

    if (codec == NGX_TSCAST_FLV_CODEC_HEVC) {

        /* IsExHeader, PacketType: SequenceStart or CodedFrames */

        *p++ = (u_char) (0x80 | frame << 4 | (config ? 0 : 1));
        p = ngx_tscast_flv_put32(p, NGX_TSCAST_FLV_ID_HVC1);

        return config ? p : ngx_tscast_flv_put24(p, composition & 0xffffff);
    }

    *p++ = (u_char) (frame << 4 | NGX_TSCAST_FLV_ID_AVC);
    *p++ = config ? 0 : 1;

    return ngx_tscast_flv_put24(p, composition & 0xffffff);
}


u_char *
ngx_tscast_flv_audio_head(u_char *p, ngx_tscast_flv_track_e codec,
    ngx_tscast_flv_frame_t *frame, ngx_uint_t config)
{
    ngx_uint_t  format;

    switch (codec) {

    case NGX_TSCAST_FLV_CODEC_AAC:

        /* always said to be 44 kHz, 16 bits, stereo: E.4.2.1 */

        *p++ = NGX_TSCAST_FLV_ID_AAC << 4 | 0x0f;
        *p++ = config ? 0 : 1;

        return p;

    case NGX_TSCAST_FLV_CODEC_OPUS:
        *p++ = (u_char) (NGX_TSCAST_FLV_ID_EX << 4 | (config ? 0 : 1));

        return ngx_tscast_flv_put32(p, NGX_TSCAST_FLV_ID_OPUS);

    default:
        format = (frame->rate == 8000) ? NGX_TSCAST_FLV_ID_MP3_8K
                                       : NGX_TSCAST_FLV_ID_MP3;

        *p++ = (u_char) (format << 4
                         | ngx_tscast_flv_mp3_index(frame->rate) << 2
                         | 2 | (frame->channels > 1));

        return p;
    }
}


/* there is none for 48, 32 and 16 kHz: decoders go by the frame itself */

static ngx_uint_t
ngx_tscast_flv_mp3_index(ngx_uint_t rate)
{
    if (rate >= 32000) {
        return 3;
    }

    return (rate >= 16000) ? 2 : 1;
}


size_t
ngx_tscast_flv_metadata(u_char *p, ngx_tscast_flv_program_t *program,
    ngx_tscast_sps_t *sps, ngx_tscast_flv_frame_t *frame)
{
    u_char      *start, *count;
    ngx_uint_t   n;

    start = p;

    *p++ = NGX_TSCAST_FLV_AMF_STRING;
    p = ngx_tscast_flv_amf_key(p, "onMetaData");

    *p++ = NGX_TSCAST_FLV_AMF_ARRAY;
    count = p;
    p += 4;
    n = 0;

    if (program->video) {
        p = ngx_tscast_flv_amf_number(p, "videocodecid",
                          program->video == NGX_TSCAST_FLV_CODEC_HEVC
                              ? NGX_TSCAST_FLV_ID_HVC1
                              : NGX_TSCAST_FLV_ID_AVC);
        n++;
    }

    if (program->video && sps->width) {
        p = ngx_tscast_flv_amf_number(p, "width", sps->width);
        p = ngx_tscast_flv_amf_number(p, "height", sps->height);
        n += 2;
    }

    if (program->audio) {
        p = ngx_tscast_flv_amf_number(p, "audiocodecid",
                          program->audio == NGX_TSCAST_FLV_CODEC_AAC
                              ? NGX_TSCAST_FLV_ID_AAC
                          : program->audio == NGX_TSCAST_FLV_CODEC_OPUS
                              ? NGX_TSCAST_FLV_ID_OPUS
                              : NGX_TSCAST_FLV_ID_MP3);
        n++;
    }

    if (program->audio && frame->rate) {
        p = ngx_tscast_flv_amf_number(p, "audiosamplerate", frame->rate);
        p = ngx_tscast_flv_amf_boolean(p, "stereo", frame->channels > 1);
        n += 2;
    }

    (void) ngx_tscast_flv_put32(count, n);

    p = ngx_tscast_flv_amf_key(p, "");
    *p++ = NGX_TSCAST_FLV_AMF_END;

    return p - start;
}


static u_char *
ngx_tscast_flv_amf_key(u_char *p, const char *key)
{
    size_t  len;

    len = ngx_strlen(key);
    p = ngx_tscast_flv_put16(p, len);

    return ngx_cpymem(p, key, len);
}


static u_char *
ngx_tscast_flv_amf_number(u_char *p, const char *key, ngx_uint_t n)
{
    double    value;
    uint64_t  bits;

    p = ngx_tscast_flv_amf_key(p, key);
    *p++ = NGX_TSCAST_FLV_AMF_NUMBER;

    value = (double) n;
    ngx_memcpy(&bits, &value, sizeof(uint64_t));

    p = ngx_tscast_flv_put32(p, bits >> 32);

    return ngx_tscast_flv_put32(p, bits);
}


static u_char *
ngx_tscast_flv_amf_boolean(u_char *p, const char *key, ngx_uint_t n)
{
    p = ngx_tscast_flv_amf_key(p, key);

    *p++ = NGX_TSCAST_FLV_AMF_BOOLEAN;
    *p++ = (u_char) n;

    return p;
}


size_t
ngx_tscast_flv_start(u_char *p, ngx_tscast_flv_headers_t *h, uint32_t time,
    ngx_uint_t first)
{
    size_t   len;
    u_char  *start, *last;

    start = p;

    if (first) {
        p = ngx_cpymem(p, "FLV\x01", 4);
        *p++ = (u_char) h->flags;
        p = ngx_tscast_flv_put32(p, NGX_TSCAST_FLV_FILE
                                    - NGX_TSCAST_FLV_TRAILER);
        p = ngx_tscast_flv_put32(p, 0);

        /* at 0: later on, decoders take it for a stream of data */

        p = ngx_cpymem(p, h->data, h->script);
    }

    len = h->video + h->audio;

    ngx_memcpy(p, h->data + h->script, len);

    for (last = p + len; p < last; p += len) {
        ngx_tscast_flv_set_time(p + NGX_TSCAST_FLV_TIME, time);

        len = NGX_TSCAST_FLV_HEADER + ngx_tscast_flv_get_size(p)
              + NGX_TSCAST_FLV_TRAILER;
    }

    return p - start;
}


ngx_int_t
ngx_tscast_flv_headers_set(ngx_tscast_flv_headers_t *h, ngx_uint_t type,
    u_char *p, size_t len)
{
    u_char    *start, *last;
    size_t     size;
    uint16_t  *part;

    size = NGX_TSCAST_FLV_HEADER + len + NGX_TSCAST_FLV_TRAILER;
    last = h->data + h->script + h->video + h->audio;

    switch (type) {

    case NGX_TSCAST_FLV_SCRIPT:
        part = &h->script;
        start = h->data;
        break;

    case NGX_TSCAST_FLV_VIDEO:
        part = &h->video;
        start = h->data + h->script;
        h->flags |= NGX_TSCAST_FLV_HAS_VIDEO;
        break;

    default:
        part = &h->audio;
        start = h->data + h->script + h->video;
        h->flags |= NGX_TSCAST_FLV_HAS_AUDIO;
        break;
    }

    if ((last - h->data) - *part + size > NGX_TSCAST_FLV_MAX_HEADERS) {
        return NGX_DECLINED;
    }

    if (*part == size
        && ngx_memcmp(start + NGX_TSCAST_FLV_HEADER, p, len) == 0)
    {
        return NGX_DONE;
    }

    ngx_memmove(start + size, start + *part, last - start - *part);
    ngx_memcpy(start + NGX_TSCAST_FLV_HEADER, p, len);

    *part = (uint16_t) ngx_tscast_flv_tag(start + NGX_TSCAST_FLV_HEADER, len,
                                          type, 0);

    return NGX_OK;
}
