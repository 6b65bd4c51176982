
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_read.h>


/* E.4.3.1 and E.4.2.1 */
#define NGX_TSCAST_FLV_KEY        1
#define NGX_TSCAST_FLV_GENERATED  4
#define NGX_TSCAST_FLV_COMMAND    5

#define NGX_TSCAST_FLV_AVC        7

#define NGX_TSCAST_FLV_FORMAT_MP3    2
#define NGX_TSCAST_FLV_FORMAT_EX     9
#define NGX_TSCAST_FLV_FORMAT_AAC    10
#define NGX_TSCAST_FLV_FORMAT_MP3_8  14

/* packet types: E.4.3.1, Enhanced RTMP 1 */
#define NGX_TSCAST_FLV_SEQUENCE   0
#define NGX_TSCAST_FLV_CODED      1
#define NGX_TSCAST_FLV_CODED_X    3

#define NGX_TSCAST_FLV_FOURCC     4


static ngx_int_t ngx_tscast_flv_video_ex(ngx_tscast_flv_message_t *msg,
    u_char *p, size_t len);
static ngx_int_t ngx_tscast_flv_audio_ex(ngx_tscast_flv_message_t *msg,
    u_char *p, size_t len);
static ngx_int_t ngx_tscast_flv_fourcc(ngx_tscast_flv_message_t *msg,
    u_char *p, size_t len);
static ngx_int_t ngx_tscast_flv_offset(ngx_tscast_flv_message_t *msg);


typedef struct {
    ngx_str_t                fourcc;
    ngx_tscast_flv_codec_e   codec;
} ngx_tscast_flv_fourcc_t;


static ngx_tscast_flv_fourcc_t  ngx_tscast_flv_fourccs[] = {
    { ngx_string("avc1"), NGX_TSCAST_FLV_H264 },
    { ngx_string("hvc1"), NGX_TSCAST_FLV_HEVC },
    { ngx_string("mp4a"), NGX_TSCAST_FLV_AAC },
    { ngx_string(".mp3"), NGX_TSCAST_FLV_MP3 },
    { ngx_null_string, NGX_TSCAST_FLV_OTHER }
};


static ngx_str_t  ngx_tscast_flv_video_names[] = {
    ngx_string("0"),
    ngx_string("JPEG"),
    ngx_string("Sorenson H.263"),
    ngx_string("Screen video"),
    ngx_string("VP6"),
    ngx_string("VP6 with alpha"),
    ngx_string("Screen video 2"),
    ngx_string("H.264"),
    ngx_string("8"),
    ngx_string("9"),
    ngx_string("10"),
    ngx_string("11"),
    ngx_string("12"),
    ngx_string("13"),
    ngx_string("14"),
    ngx_string("15")
};


static ngx_str_t  ngx_tscast_flv_audio_names[] = {
    ngx_string("PCM"),
    ngx_string("ADPCM"),
    ngx_string("MP3"),
    ngx_string("PCM, little endian"),
    ngx_string("Nellymoser, 16 kHz"),
    ngx_string("Nellymoser, 8 kHz"),
    ngx_string("Nellymoser"),
    ngx_string("G.711 A-law"),
    ngx_string("G.711 mu-law"),
    ngx_string("9"),
    ngx_string("AAC"),
    ngx_string("Speex"),
    ngx_string("12"),
    ngx_string("13"),
    ngx_string("MP3, 8 kHz"),
    ngx_string("device-specific")
};


ngx_int_t
ngx_tscast_flv_read_video(ngx_tscast_flv_message_t *msg, u_char *p, size_t len)
{
    ngx_uint_t  type;

    ngx_memzero(msg, sizeof(ngx_tscast_flv_message_t));

    if (len == 0) {
        return NGX_OK;
    }

    type = (p[0] >> 4) & 7;

    msg->key = (type == NGX_TSCAST_FLV_KEY
                || type == NGX_TSCAST_FLV_GENERATED);

    if (type == NGX_TSCAST_FLV_COMMAND) {
        return NGX_OK;
    }

    if (p[0] & 0x80) {
        return ngx_tscast_flv_video_ex(msg, p, len);
    }

    msg->name = ngx_tscast_flv_video_names[p[0] & 0x0f];

    if ((p[0] & 0x0f) != NGX_TSCAST_FLV_AVC) {
        return NGX_DECLINED;
    }

    msg->codec = NGX_TSCAST_FLV_H264;

    if (len < 2) {
        return NGX_ERROR;
    }

    msg->data = p + 2;
    msg->len = len - 2;

    switch (p[1]) {

    case NGX_TSCAST_FLV_SEQUENCE:
        msg->kind = NGX_TSCAST_FLV_CONFIG;
        return ngx_tscast_flv_offset(msg);

    case NGX_TSCAST_FLV_CODED:
        msg->kind = NGX_TSCAST_FLV_FRAME;
        return ngx_tscast_flv_offset(msg);

    default: /* the end of the sequence */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_tscast_flv_video_ex(ngx_tscast_flv_message_t *msg, u_char *p, size_t len)
{
    ngx_int_t  rc;

    rc = ngx_tscast_flv_fourcc(msg, p, len);

    if (rc != NGX_OK) {
        return rc;
    }

    if (msg->codec != NGX_TSCAST_FLV_H264 && msg->codec != NGX_TSCAST_FLV_HEVC)
    {
        return NGX_DECLINED;
    }

    switch (p[0] & 0x0f) {

    case NGX_TSCAST_FLV_SEQUENCE:
        msg->kind = NGX_TSCAST_FLV_CONFIG;
        return NGX_OK;

    case NGX_TSCAST_FLV_CODED:
        msg->kind = NGX_TSCAST_FLV_FRAME;
        return ngx_tscast_flv_offset(msg);

    case NGX_TSCAST_FLV_CODED_X:
        msg->kind = NGX_TSCAST_FLV_FRAME;
        return NGX_OK;

    default: /* metadata, the end of the sequence */
        return NGX_OK;
    }
}


ngx_int_t
ngx_tscast_flv_read_audio(ngx_tscast_flv_message_t *msg, u_char *p, size_t len)
{
    ngx_memzero(msg, sizeof(ngx_tscast_flv_message_t));

    if (len == 0) {
        return NGX_OK;
    }

    msg->name = ngx_tscast_flv_audio_names[p[0] >> 4];

    switch (p[0] >> 4) {

    case NGX_TSCAST_FLV_FORMAT_EX:
        return ngx_tscast_flv_audio_ex(msg, p, len);

    case NGX_TSCAST_FLV_FORMAT_MP3:
    case NGX_TSCAST_FLV_FORMAT_MP3_8:
        msg->codec = NGX_TSCAST_FLV_MP3;
        msg->kind = NGX_TSCAST_FLV_FRAME;
        msg->data = p + 1;
        msg->len = len - 1;
        return NGX_OK;

    case NGX_TSCAST_FLV_FORMAT_AAC:
        break;

    default:
        return NGX_DECLINED;
    }

    msg->codec = NGX_TSCAST_FLV_AAC;

    if (len < 2) {
        return NGX_ERROR;
    }

    msg->kind = (p[1] == NGX_TSCAST_FLV_SEQUENCE) ? NGX_TSCAST_FLV_CONFIG
                                                  : NGX_TSCAST_FLV_FRAME;
    msg->data = p + 2;
    msg->len = len - 2;

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_flv_audio_ex(ngx_tscast_flv_message_t *msg, u_char *p, size_t len)
{
    ngx_int_t  rc;

    rc = ngx_tscast_flv_fourcc(msg, p, len);

    if (rc != NGX_OK) {
        return rc;
    }

    if (msg->codec != NGX_TSCAST_FLV_AAC && msg->codec != NGX_TSCAST_FLV_MP3) {
        return NGX_DECLINED;
    }

    switch (p[0] & 0x0f) {

    case NGX_TSCAST_FLV_SEQUENCE:
        msg->kind = NGX_TSCAST_FLV_CONFIG;
        break;

    case NGX_TSCAST_FLV_CODED:
        msg->kind = NGX_TSCAST_FLV_FRAME;
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_flv_fourcc(ngx_tscast_flv_message_t *msg, u_char *p, size_t len)
{
    ngx_uint_t                i;
    ngx_tscast_flv_fourcc_t  *f;

    if (len < 1 + NGX_TSCAST_FLV_FOURCC) {
        return NGX_ERROR;
    }

    p++;

    msg->name.data = p;
    msg->name.len = NGX_TSCAST_FLV_FOURCC;
    msg->data = p + NGX_TSCAST_FLV_FOURCC;
    msg->len = len - 1 - NGX_TSCAST_FLV_FOURCC;

    for (f = ngx_tscast_flv_fourccs; f->fourcc.len; f++) {
        if (ngx_memcmp(p, f->fourcc.data, NGX_TSCAST_FLV_FOURCC) == 0) {
            msg->codec = f->codec;
            return NGX_OK;
        }
    }

    for (i = 0; i < NGX_TSCAST_FLV_FOURCC; i++) {
        if (p[i] < 0x20 || p[i] > 0x7e) {
            ngx_str_set(&msg->name, "unknown");
            break;
        }
    }

    return NGX_OK;
}


/* three bytes of composition time, signed */

static ngx_int_t
ngx_tscast_flv_offset(ngx_tscast_flv_message_t *msg)
{
    u_char  *p;

    if (msg->len < 3) {
        return NGX_ERROR;
    }

    p = msg->data;

    msg->offset = p[0] << 16 | p[1] << 8 | p[2];

    if (msg->offset & 0x800000) {
        msg->offset -= 0x1000000;
    }

    msg->data += 3;
    msg->len -= 3;

    return NGX_OK;
}
