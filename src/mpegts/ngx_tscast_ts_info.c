
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_sps.h>
#include <ngx_tscast_ts.h>
#include <ngx_tscast_ts_info.h>


#define NGX_TSCAST_TS_ES_HEADER  5

#define NGX_TSCAST_TS_REGISTRATION  0x05

#define ngx_tscast_ts_id(a, b, c, d)                                          \
    ((uint32_t) (a) << 24 | (b) << 16 | (c) << 8 | (d))


typedef struct {
    uint32_t                id;
    ngx_tscast_ts_format_e  format;
} ngx_tscast_ts_known_t;


static ngx_tscast_ts_format_e ngx_tscast_ts_format_find(
    const ngx_tscast_ts_known_t *known, uint32_t id);
static ngx_tscast_ts_format_e ngx_tscast_ts_format_private(u_char *es);
static ngx_int_t ngx_tscast_ts_info_nal(ngx_tscast_ts_info_t *info,
    ngx_tscast_ts_format_e format, u_char *p, size_t len);
static void ngx_tscast_ts_info_sps(ngx_tscast_ts_info_t *info,
    ngx_tscast_sps_t *sps);
static u_char *ngx_tscast_ts_info_start_code(u_char *p, u_char *last);
static ngx_int_t ngx_tscast_ts_info_mpeg_video(ngx_tscast_ts_info_t *info,
    u_char *p, size_t len);
static void ngx_tscast_ts_info_extension(ngx_tscast_ts_info_t *info,
    u_char *p, u_char *last);
static ngx_int_t ngx_tscast_ts_info_mpeg_audio(ngx_tscast_ts_info_t *info,
    u_char *p, size_t len);
static ngx_int_t ngx_tscast_ts_info_adts(ngx_tscast_ts_info_t *info,
    u_char *p, size_t len);
static ngx_int_t ngx_tscast_ts_info_ac3(ngx_tscast_ts_info_t *info,
    u_char *p, size_t len);
static ngx_int_t ngx_tscast_ts_info_eac3(ngx_tscast_ts_info_t *info,
    u_char *p, size_t len);


static const ngx_tscast_ts_known_t  ngx_tscast_ts_formats[] = {
    { 0x01, NGX_TSCAST_TS_FORMAT_MPEG_VIDEO },
    { 0x02, NGX_TSCAST_TS_FORMAT_MPEG_VIDEO },
    { 0x03, NGX_TSCAST_TS_FORMAT_MPEG_AUDIO },
    { 0x04, NGX_TSCAST_TS_FORMAT_MPEG_AUDIO },
    { 0x0f, NGX_TSCAST_TS_FORMAT_AAC },
    { 0x10, NGX_TSCAST_TS_FORMAT_MPEG4 },
    { 0x11, NGX_TSCAST_TS_FORMAT_AAC_LATM },
    { 0x15, NGX_TSCAST_TS_FORMAT_ID3 },
    { 0x1b, NGX_TSCAST_TS_FORMAT_H264 },
    { 0x21, NGX_TSCAST_TS_FORMAT_JPEG2000 },
    { 0x24, NGX_TSCAST_TS_FORMAT_HEVC },
    { 0x33, NGX_TSCAST_TS_FORMAT_VVC },
    { 0x81, NGX_TSCAST_TS_FORMAT_AC3 },
    { 0x82, NGX_TSCAST_TS_FORMAT_DTS },
    { 0x83, NGX_TSCAST_TS_FORMAT_TRUEHD },
    { 0x84, NGX_TSCAST_TS_FORMAT_EAC3 },
    { 0x85, NGX_TSCAST_TS_FORMAT_DTS },
    { 0x86, NGX_TSCAST_TS_FORMAT_SCTE35 },
    { 0x87, NGX_TSCAST_TS_FORMAT_EAC3 },
    { 0x8a, NGX_TSCAST_TS_FORMAT_DTS },
    { 0xea, NGX_TSCAST_TS_FORMAT_VC1 },
    { 0, NGX_TSCAST_TS_FORMAT_UNKNOWN }
};


static const ngx_tscast_ts_known_t  ngx_tscast_ts_registered[] = {
    { ngx_tscast_ts_id('H', 'E', 'V', 'C'), NGX_TSCAST_TS_FORMAT_HEVC },
    { ngx_tscast_ts_id('A', 'V', '0', '1'), NGX_TSCAST_TS_FORMAT_AV1 },
    { ngx_tscast_ts_id('V', 'C', '-', '1'), NGX_TSCAST_TS_FORMAT_VC1 },
    { ngx_tscast_ts_id('A', 'C', '-', '3'), NGX_TSCAST_TS_FORMAT_AC3 },
    { ngx_tscast_ts_id('E', 'A', 'C', '3'), NGX_TSCAST_TS_FORMAT_EAC3 },
    { ngx_tscast_ts_id('D', 'T', 'S', '1'), NGX_TSCAST_TS_FORMAT_DTS },
    { ngx_tscast_ts_id('D', 'T', 'S', '2'), NGX_TSCAST_TS_FORMAT_DTS },
    { ngx_tscast_ts_id('D', 'T', 'S', '3'), NGX_TSCAST_TS_FORMAT_DTS },
    { ngx_tscast_ts_id('O', 'p', 'u', 's'), NGX_TSCAST_TS_FORMAT_OPUS },
    { ngx_tscast_ts_id('B', 'S', 'S', 'D'), NGX_TSCAST_TS_FORMAT_S302M },
    { ngx_tscast_ts_id('K', 'L', 'V', 'A'), NGX_TSCAST_TS_FORMAT_KLV },
    { ngx_tscast_ts_id('C', 'U', 'E', 'I'), NGX_TSCAST_TS_FORMAT_SCTE35 },
    { 0, NGX_TSCAST_TS_FORMAT_UNKNOWN }
};


/* descriptors of ETSI EN 300 468 */

static const ngx_tscast_ts_known_t  ngx_tscast_ts_described[] = {
    { 0x56, NGX_TSCAST_TS_FORMAT_DVB_TELETEXT },
    { 0x59, NGX_TSCAST_TS_FORMAT_DVB_SUBTITLE },
    { 0x6a, NGX_TSCAST_TS_FORMAT_AC3 },
    { 0x7a, NGX_TSCAST_TS_FORMAT_EAC3 },
    { 0x7b, NGX_TSCAST_TS_FORMAT_DTS },
    { 0x7c, NGX_TSCAST_TS_FORMAT_AAC },
    { 0, NGX_TSCAST_TS_FORMAT_UNKNOWN }
};


static char  *ngx_tscast_ts_names[] = {
    NULL,
    "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "av1", "vc1", "jpeg2000",
    "mp2", "aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "opus",
    "s302m",
    "scte_35", "dvb_subtitle", "dvb_teletext", "klv", "timed_id3"
};


ngx_tscast_ts_format_e
ngx_tscast_ts_format(u_char *es)
{
    u_char                  type;
    ngx_tscast_ts_format_e  format;

    type = ngx_tscast_ts_get_stream_type(es);
    format = ngx_tscast_ts_format_find(ngx_tscast_ts_formats, type);

    if (format == NGX_TSCAST_TS_FORMAT_UNKNOWN) {
        return ngx_tscast_ts_format_private(es);
    }

    return format;
}


static ngx_tscast_ts_format_e
ngx_tscast_ts_format_find(const ngx_tscast_ts_known_t *known, uint32_t id)
{
    while (known->id && known->id != id) {
        known++;
    }

    return known->format;
}


static ngx_tscast_ts_format_e
ngx_tscast_ts_format_private(u_char *es)
{
    size_t                   len;
    u_char                  *p, *last;
    ngx_tscast_ts_format_e   format;

    p = es + NGX_TSCAST_TS_ES_HEADER;
    last = p + ngx_tscast_ts_get_es_info_length(es);

    while (last - p >= 2) {
        len = p[1];

        if ((size_t) (last - p - 2) < len) {
            break;
        }

        if (p[0] != NGX_TSCAST_TS_REGISTRATION) {
            format = ngx_tscast_ts_format_find(ngx_tscast_ts_described, p[0]);

        } else if (len >= 4) {
            format = ngx_tscast_ts_format_find(ngx_tscast_ts_registered,
                                   ngx_tscast_ts_id(p[2], p[3], p[4], p[5]));

        } else {
            format = NGX_TSCAST_TS_FORMAT_UNKNOWN;
        }

        if (format != NGX_TSCAST_TS_FORMAT_UNKNOWN) {
            return format;
        }

        p += 2 + len;
    }

    return NGX_TSCAST_TS_FORMAT_UNKNOWN;
}


char *
ngx_tscast_ts_format_name(ngx_tscast_ts_format_e format,
    ngx_tscast_ts_info_t *info)
{
    if (format == NGX_TSCAST_TS_FORMAT_MPEG_VIDEO && info->variant == 1) {
        return "mpeg1video";
    }

    if (format == NGX_TSCAST_TS_FORMAT_MPEG_AUDIO) {

        switch (info->variant) {

        case 1:
            return "mp1";

        case 3:
            return "mp3";
        }
    }

    return ngx_tscast_ts_names[format];
}


ngx_int_t
ngx_tscast_ts_info(ngx_tscast_ts_info_t *info, ngx_tscast_ts_format_e format,
    u_char *p, size_t len)
{
    switch (format) {

    case NGX_TSCAST_TS_FORMAT_H264:
    case NGX_TSCAST_TS_FORMAT_HEVC:
        return ngx_tscast_ts_info_nal(info, format, p, len);

    case NGX_TSCAST_TS_FORMAT_MPEG_VIDEO:
        return ngx_tscast_ts_info_mpeg_video(info, p, len);

    case NGX_TSCAST_TS_FORMAT_MPEG_AUDIO:
        return ngx_tscast_ts_info_mpeg_audio(info, p, len);

    case NGX_TSCAST_TS_FORMAT_AAC:
        return ngx_tscast_ts_info_adts(info, p, len);

    case NGX_TSCAST_TS_FORMAT_AC3:
        return ngx_tscast_ts_info_ac3(info, p, len);

    case NGX_TSCAST_TS_FORMAT_EAC3:
        return ngx_tscast_ts_info_eac3(info, p, len);

    default:
        return NGX_DECLINED;
    }
}


/* the first sequence parameter set that is here as a whole */

static ngx_int_t
ngx_tscast_ts_info_nal(ngx_tscast_ts_info_t *info,
    ngx_tscast_ts_format_e format, u_char *p, size_t len)
{
    u_char            *last, *nal;
    ngx_tscast_sps_t   sps;

    last = p + len;

    for (nal = ngx_tscast_ts_info_start_code(p, last);
         nal < last;
         nal = ngx_tscast_ts_info_start_code(nal, last))
    {
        if (format == NGX_TSCAST_TS_FORMAT_H264) {

            if ((nal[0] & 0x1f) != 7
                || ngx_tscast_sps_h264(&sps, nal, last - nal) != NGX_OK)
            {
                continue;
            }

        } else if ((nal[0] >> 1 & 0x3f) != 33
                   || ngx_tscast_sps_hevc(&sps, nal, last - nal) != NGX_OK)
        {
            continue;
        }

        if (sps.whole) {
            ngx_tscast_ts_info_sps(info, &sps);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static void
ngx_tscast_ts_info_sps(ngx_tscast_ts_info_t *info, ngx_tscast_sps_t *sps)
{
    ngx_memzero(info, sizeof(ngx_tscast_ts_info_t));

    info->frames = sps->frames;
    info->seconds = sps->seconds;
    info->width = (uint16_t) sps->width;
    info->height = (uint16_t) sps->height;
    info->profile = sps->profile;
    info->level = sps->level;
}


/* one past 00 00 01, or last */

static u_char *
ngx_tscast_ts_info_start_code(u_char *p, u_char *last)
{
    for ( /* void */ ; last - p > 3; p++) {
        if (p[0] == 0 && p[1] == 0 && p[2] == 1) {
            return p + 3;
        }
    }

    return last;
}


/* ISO/IEC 13818-2, 6.2.2.1 and 6.3.3 */

static ngx_int_t
ngx_tscast_ts_info_mpeg_video(ngx_tscast_ts_info_t *info, u_char *p,
    size_t len)
{
    u_char                *last;
    ngx_uint_t             rate;
    static const uint32_t  rates[][2] = {
        { 0, 0 }, { 24000, 1001 }, { 24, 1 }, { 25, 1 }, { 30000, 1001 },
        { 30, 1 }, { 50, 1 }, { 60000, 1001 }, { 60, 1 }
    };

    last = p + len;

    do {
        p = ngx_tscast_ts_info_start_code(p, last);

    } while (p < last && *p != 0xb3);

    if (last - p < 8) {
        return NGX_DECLINED;
    }

    rate = p[4] & 0x0f;

    if (rate >= sizeof(rates) / sizeof(rates[0])) {
        rate = 0;
    }

    ngx_memzero(info, sizeof(ngx_tscast_ts_info_t));

    info->width = p[1] << 4 | p[2] >> 4;
    info->height = (p[2] & 0x0f) << 8 | p[3];
    info->frames = rates[rate][0];
    info->seconds = rates[rate][1];
    info->variant = 1;

    ngx_tscast_ts_info_extension(info, p, last);

    return NGX_OK;
}


/* 6.2.2.3: a sequence_extension makes it MPEG-2 */

static void
ngx_tscast_ts_info_extension(ngx_tscast_ts_info_t *info, u_char *p,
    u_char *last)
{
    p = ngx_tscast_ts_info_start_code(p, last);

    if (last - p < 7 || p[0] != 0xb5 || p[1] >> 4 != 1) {
        return;
    }

    info->variant = 2;
    info->profile = p[1] & 0x07;
    info->level = p[2] >> 4;
    info->width |= (p[2] & 0x01) << 13 | (p[3] & 0x80) << 5;
    info->height |= (p[3] & 0x60) << 7;
    info->frames *= (p[6] >> 5 & 0x03) + 1;
    info->seconds *= (p[6] & 0x1f) + 1;
}


/* ISO/IEC 11172-3, 2.4.1.3; ISO/IEC 13818-3 has half of the rates */

static ngx_int_t
ngx_tscast_ts_info_mpeg_audio(ngx_tscast_ts_info_t *info, u_char *p,
    size_t len)
{
    ngx_uint_t             version, layer, rate;
    static const uint32_t  rates[] = { 44100, 48000, 32000 };

    if (len < 4 || p[0] != 0xff || p[1] >> 5 != 7) {
        return NGX_DECLINED;
    }

    version = p[1] >> 3 & 3;
    layer = p[1] >> 1 & 3;
    rate = p[2] >> 2 & 3;

    if (version == 1 || layer == 0 || rate == 3) {
        return NGX_DECLINED;
    }

    /* 3: MPEG-1, 2: MPEG-2, 0: "2.5" */

    ngx_memzero(info, sizeof(ngx_tscast_ts_info_t));

    info->sample_rate = rates[rate] >> (version == 3 ? 0
                                                     : version == 2 ? 1 : 2);
    info->channels = (p[3] >> 6 == 3) ? 1 : 2;
    info->variant = 4 - layer;

    return NGX_OK;
}


/* ISO/IEC 13818-7, 6.2: adts_fixed_header */

static ngx_int_t
ngx_tscast_ts_info_adts(ngx_tscast_ts_info_t *info, u_char *p, size_t len)
{
    ngx_uint_t             rate, channels;
    static const uint32_t  rates[] = {
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000,
        11025, 8000, 7350
    };

    if (len < 7 || p[0] != 0xff || (p[1] & 0xf6) != 0xf0) {
        return NGX_DECLINED;
    }

    rate = p[2] >> 2 & 0x0f;
    channels = (p[2] & 1) << 2 | p[3] >> 6;

    if (rate >= sizeof(rates) / sizeof(rates[0])) {
        return NGX_DECLINED;
    }

    ngx_memzero(info, sizeof(ngx_tscast_ts_info_t));

    info->sample_rate = rates[rate];
    info->channels = (channels == 7) ? 8 : channels;

    /* audio object type: 1 is Main, 2 is LC */

    info->profile = (p[2] >> 6) + 1;

    return NGX_OK;
}


/* ETSI TS 102 366, 4.3.1 and 4.3.2; 5.4.2.3 lists the channels */

static const u_char    ngx_tscast_ts_ac3_channels[] = {
    2, 1, 2, 3, 3, 4, 4, 5
};

static const uint32_t  ngx_tscast_ts_ac3_rates[] = { 48000, 44100, 32000 };


static ngx_int_t
ngx_tscast_ts_info_ac3(ngx_tscast_ts_info_t *info, u_char *p, size_t len)
{
    ngx_uint_t  mode, bits, skip, rate;

    if (len < 8 || p[0] != 0x0b || p[1] != 0x77) {
        return NGX_DECLINED;
    }

    if (p[5] >> 3 > 10) {

        /* bsid: enhanced AC-3 by the stream_type of AC-3 */

        return ngx_tscast_ts_info_eac3(info, p, len);
    }

    rate = p[4] >> 6;

    if (rate == 3) {
        return NGX_DECLINED;
    }

    mode = p[6] >> 5;

    /* cmixlev, surmixlev and dsurmod, where there are, then lfeon */

    skip = 3;
    skip += ((mode & 1) && mode != 1) ? 2 : 0;
    skip += (mode & 4) ? 2 : 0;
    skip += (mode == 2) ? 2 : 0;

    bits = p[6] << 8 | p[7];

    ngx_memzero(info, sizeof(ngx_tscast_ts_info_t));

    info->sample_rate = ngx_tscast_ts_ac3_rates[rate];
    info->channels = ngx_tscast_ts_ac3_channels[mode]
                     + (bits >> (15 - skip) & 1);

    return NGX_OK;
}


/* annex E, E.1.2.1 and E.1.2.2 */

static ngx_int_t
ngx_tscast_ts_info_eac3(ngx_tscast_ts_info_t *info, u_char *p, size_t len)
{
    ngx_uint_t  rate;

    if (len < 6 || p[0] != 0x0b || p[1] != 0x77 || p[5] >> 3 <= 10) {
        return NGX_DECLINED;
    }

    /* fscod, and fscod2 for half of a rate */

    rate = p[4] >> 6;

    if (rate == 3 && (p[4] >> 4 & 3) == 3) {
        return NGX_DECLINED;
    }

    ngx_memzero(info, sizeof(ngx_tscast_ts_info_t));

    info->sample_rate = (rate == 3)
                            ? ngx_tscast_ts_ac3_rates[p[4] >> 4 & 3] / 2
                            : ngx_tscast_ts_ac3_rates[rate];
    info->channels = ngx_tscast_ts_ac3_channels[p[4] >> 1 & 7] + (p[4] & 1);

    return NGX_OK;
}
