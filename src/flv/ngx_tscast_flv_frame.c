
/*
 * Copyright (C) the tscast authors
 */


/* frames of audio: AAC in ADTS, MP3, Opus */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


#define NGX_TSCAST_FLV_ADTS_HEADER  7
#define NGX_TSCAST_FLV_MP3_HEADER   4


static ngx_uint_t ngx_tscast_flv_opus_samples(u_char *p, size_t len);


static const ngx_uint_t  ngx_tscast_flv_adts_rates[] = {
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000,
    11025, 8000, 7350
};


/* kbit/s of layer III: ISO/IEC 11172-3, 2.4.2.3, ISO/IEC 13818-3, 2.4.2.3 */

static const ngx_uint_t  ngx_tscast_flv_mp3_bitrates[2][16] = {
    { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0 },
    { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0 }
};


static const ngx_uint_t  ngx_tscast_flv_mp3_rates[] = { 44100, 48000, 32000 };


/* RFC 7845, 5.1.1.2, by number of channels: streams, coupled, mapping */

static const u_char  ngx_tscast_flv_opus_maps[][10] = {
    { 1, 0, 0 },
    { 1, 1, 0, 1 },
    { 2, 1, 0, 2, 1 },
    { 2, 2, 0, 1, 2, 3 },
    { 3, 2, 0, 4, 1, 2, 3 },
    { 4, 2, 0, 4, 1, 2, 3, 5 },
    { 4, 3, 0, 4, 1, 2, 3, 5, 6 },
    { 5, 3, 0, 6, 1, 2, 3, 4, 5, 7 }
};


/* ISO/IEC 14496-3, 1.A.2.2 */

ngx_int_t
ngx_tscast_flv_adts_frame(u_char *p, size_t len, ngx_tscast_flv_frame_t *frame)
{
    ngx_uint_t  rate;

    if (len < NGX_TSCAST_FLV_ADTS_HEADER) {
        return NGX_AGAIN;
    }

    rate = p[2] >> 2 & 0x0f;

    /* syncword, layer */

    if (p[0] != 0xff || (p[1] & 0xf6) != 0xf0
        || rate >= sizeof(ngx_tscast_flv_adts_rates) / sizeof(ngx_uint_t))
    {
        return NGX_DECLINED;
    }

    frame->header = NGX_TSCAST_FLV_ADTS_HEADER + ((p[1] & 1) ? 0 : 2);
    frame->len = (p[3] & 3) << 11 | p[4] << 3 | p[5] >> 5;
    frame->rate = ngx_tscast_flv_adts_rates[rate];
    frame->samples = 1024;
    frame->channels = (p[2] & 1) << 2 | p[3] >> 6;

    /* several raw data blocks have no length of their own */

    if (frame->len <= frame->header || (p[6] & 3)) {
        return NGX_DECLINED;
    }

    /* AudioSpecificConfig: object type, frequency index, channels */

    frame->config = ((p[2] >> 6) + 1) << 11 | rate << 7
                    | frame->channels << 3;

    return NGX_OK;
}


/* ISO/IEC 11172-3, 2.4.1.3; without ID's upper bit it is MPEG-2.5 */

ngx_int_t
ngx_tscast_flv_mp3_frame(u_char *p, size_t len, ngx_tscast_flv_frame_t *frame)
{
    ngx_uint_t  version, bitrate, rate, lower;

    if (len < NGX_TSCAST_FLV_MP3_HEADER) {
        return NGX_AGAIN;
    }

    version = p[1] >> 3 & 3;
    rate = p[2] >> 2 & 3;
    lower = (version != 3);

    bitrate = ngx_tscast_flv_mp3_bitrates[lower][p[2] >> 4];

    if (p[0] != 0xff || (p[1] & 0xe0) != 0xe0 || version == 1
        || (p[1] >> 1 & 3) != 1                 /* layer III */
        || rate == 3 || bitrate == 0)
    {
        return NGX_DECLINED;
    }

    frame->rate = ngx_tscast_flv_mp3_rates[rate];

    if (lower) {
        frame->rate /= (version == 2) ? 2 : 4;
    }

    frame->header = 0;
    frame->samples = lower ? 576 : 1152;
    frame->channels = (p[3] >> 6 == 3) ? 1 : 2;
    frame->config = 0;
    frame->len = frame->samples / 8 * bitrate * 1000 / frame->rate
                 + (p[2] >> 1 & 1);

    return NGX_OK;
}


/* ETSI TS 103 491: a control header leads each access unit */

ngx_int_t
ngx_tscast_flv_opus_frame(u_char *p, size_t len, ngx_tscast_flv_frame_t *frame)
{
    size_t   size;
    u_char  *start, *last, flags;

    if (len < 3) {
        return NGX_AGAIN;
    }

    start = p;
    last = p + len;

    if (p[0] != 0x7f || (p[1] & 0xe0) != 0xe0) {
        return NGX_DECLINED;
    }

    flags = p[1];
    size = 0;

    for (p += 2; p < last && *p == 0xff; p++) {
        size += 0xff;
    }

    if (p == last) {
        return NGX_AGAIN;
    }

    size += *p++;

    /* start_trim, end_trim, control_extension */

    p += ((flags & 0x10) ? 2 : 0) + ((flags & 0x08) ? 2 : 0);

    if (flags & 0x04) {

        if (p >= last) {
            return NGX_AGAIN;
        }

        p += 1 + *p;
    }

    if (p >= last) {
        return NGX_AGAIN;
    }

    frame->header = p - start;
    frame->len = frame->header + size;
    frame->rate = 48000;
    frame->samples = ngx_tscast_flv_opus_samples(p, last - p);
    frame->config = 0;

    return (size && frame->samples) ? NGX_OK : NGX_DECLINED;
}


/* RFC 6716, 3.1 and 3.2 */

static ngx_uint_t
ngx_tscast_flv_opus_samples(u_char *p, size_t len)
{
    ngx_uint_t  config, samples;

    config = p[0] >> 3;

    if (config < 12) {
        samples = (config & 3) == 3 ? 2880 : 480 << (config & 3);

    } else if (config < 16) {
        samples = 480 << (config & 1);

    } else {
        samples = 120 << (config & 3);
    }

    switch (p[0] & 3) {

    case 0:
        return samples;

    case 1:
    case 2:
        return samples * 2;

    default:
        return (len < 2) ? 0 : samples * (p[1] & 0x3f);
    }
}


/* RFC 7845, 5.1 */

size_t
ngx_tscast_flv_opus_config(u_char *p, ngx_uint_t channels)
{
    u_char  *start;

    start = p;

    p = ngx_cpymem(p, "OpusHead", 8);
    *p++ = 1;
    *p++ = (u_char) channels;
    *p++ = 0;                                   /* pre-skip */
    *p++ = 0;
    *p++ = 0x80;                                /* 48 kHz */
    *p++ = 0xbb;
    *p++ = 0;
    *p++ = 0;
    *p++ = 0;                                   /* output gain */
    *p++ = 0;
    *p++ = (channels > 2);                      /* mapping family */

    if (channels > 2) {
        p = ngx_cpymem(p, ngx_tscast_flv_opus_maps[channels - 1],
                       2 + channels);
    }

    return p - start;
}
