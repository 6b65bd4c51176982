
/*
 * Copyright (C) the tscast authors
 */


/*
 * What of a program goes into FLV: the first video and the first audio that
 * it can carry.  Where there are others instead, the program is unfit, and
 * the first of them says why.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


#define NGX_TSCAST_FLV_ES_HEADER     5
#define NGX_TSCAST_FLV_PES_HEADER    9

#define NGX_TSCAST_FLV_REGISTRATION  0x05
#define NGX_TSCAST_FLV_EXTENSION     0x7f
#define NGX_TSCAST_FLV_OPUS_TAG      0x80

#define NGX_TSCAST_FLV_OPUS_CODES    8


typedef struct {
    u_char                    type;           /* stream_type, or tag of a
                                                 descriptor */
    u_char                    video;
    u_char                    codec;          /* NGX_TSCAST_FLV_CODEC_NONE: none
                                                 that FLV has */
    const char               *name;
} ngx_tscast_flv_type_t;


static const ngx_tscast_flv_type_t *ngx_tscast_flv_type_find(
    const ngx_tscast_flv_type_t *types, u_char type);
static const ngx_tscast_flv_type_t *ngx_tscast_flv_type_private(u_char *es,
    ngx_uint_t *channels);
static const ngx_tscast_flv_type_t *ngx_tscast_flv_type_registered(
    u_char *id);


/* ISO/IEC 13818-1, table 2-34, and what is in use of the private ones */

static const ngx_tscast_flv_type_t  ngx_tscast_flv_types[] = {
    { 0x01, 1, NGX_TSCAST_FLV_CODEC_NONE, "MPEG-1 video" },
    { 0x02, 1, NGX_TSCAST_FLV_CODEC_NONE, "MPEG-2 video" },
    { 0x03, 0, NGX_TSCAST_FLV_CODEC_MP3, "MPEG audio" },
    { 0x04, 0, NGX_TSCAST_FLV_CODEC_MP3, "MPEG audio" },
    { 0x0f, 0, NGX_TSCAST_FLV_CODEC_AAC, "AAC" },
    { 0x10, 1, NGX_TSCAST_FLV_CODEC_NONE, "MPEG-4 video" },
    { 0x11, 0, NGX_TSCAST_FLV_CODEC_NONE, "AAC in LATM" },
    { 0x1b, 1, NGX_TSCAST_FLV_CODEC_H264, "H.264" },
    { 0x1c, 0, NGX_TSCAST_FLV_CODEC_NONE, "AAC without framing" },
    { 0x21, 1, NGX_TSCAST_FLV_CODEC_NONE, "JPEG 2000" },
    { 0x24, 1, NGX_TSCAST_FLV_CODEC_HEVC, "HEVC" },
    { 0x2d, 0, NGX_TSCAST_FLV_CODEC_NONE, "MPEG-H audio" },
    { 0x2e, 0, NGX_TSCAST_FLV_CODEC_NONE, "MPEG-H audio" },
    { 0x32, 1, NGX_TSCAST_FLV_CODEC_NONE, "JPEG XS" },
    { 0x33, 1, NGX_TSCAST_FLV_CODEC_NONE, "VVC" },
    { 0x35, 1, NGX_TSCAST_FLV_CODEC_NONE, "EVC" },
    { 0x42, 1, NGX_TSCAST_FLV_CODEC_NONE, "AVS" },
    { 0x81, 0, NGX_TSCAST_FLV_CODEC_NONE, "AC-3" },
    { 0x82, 0, NGX_TSCAST_FLV_CODEC_NONE, "DTS" },
    { 0x83, 0, NGX_TSCAST_FLV_CODEC_NONE, "TrueHD" },
    { 0x84, 0, NGX_TSCAST_FLV_CODEC_NONE, "E-AC-3" },
    { 0x85, 0, NGX_TSCAST_FLV_CODEC_NONE, "DTS-HD" },
    { 0x87, 0, NGX_TSCAST_FLV_CODEC_NONE, "E-AC-3" },
    { 0x8a, 0, NGX_TSCAST_FLV_CODEC_NONE, "DTS" },
    { 0xd1, 1, NGX_TSCAST_FLV_CODEC_NONE, "Dirac" },
    { 0xd2, 1, NGX_TSCAST_FLV_CODEC_NONE, "AVS2" },
    { 0xd4, 1, NGX_TSCAST_FLV_CODEC_NONE, "AVS3" },
    { 0xea, 1, NGX_TSCAST_FLV_CODEC_NONE, "VC-1" },
    { 0, 0, NGX_TSCAST_FLV_CODEC_NONE, NULL }
};


/* descriptors of private data: ETSI EN 300 468 */

static const ngx_tscast_flv_type_t  ngx_tscast_flv_descriptors[] = {
    { 0x6a, 0, NGX_TSCAST_FLV_CODEC_NONE, "AC-3" },
    { 0x7a, 0, NGX_TSCAST_FLV_CODEC_NONE, "E-AC-3" },
    { 0x7b, 0, NGX_TSCAST_FLV_CODEC_NONE, "DTS" },
    { 0x7c, 0, NGX_TSCAST_FLV_CODEC_NONE, "AAC in LATM" },
    { 0, 0, NGX_TSCAST_FLV_CODEC_NONE, NULL }
};


static const ngx_tscast_flv_type_t  ngx_tscast_flv_opus_type = {
    0x06, 0, NGX_TSCAST_FLV_CODEC_OPUS, "Opus"
};

static const ngx_tscast_flv_type_t  ngx_tscast_flv_ac4_type = {
    0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "AC-4"
};


static const struct {
    const char                   *id;
    const ngx_tscast_flv_type_t   type;
} ngx_tscast_flv_registrations[] = {
    { "HEVC", { 0x06, 1, NGX_TSCAST_FLV_CODEC_HEVC, "HEVC" } },
    { "AC-3", { 0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "AC-3" } },
    { "AC-4", { 0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "AC-4" } },
    { "EAC3", { 0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "E-AC-3" } },
    { "DTS1", { 0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "DTS" } },
    { "DTS2", { 0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "DTS" } },
    { "DTS3", { 0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "DTS" } },
    { "BSSD", { 0x06, 0, NGX_TSCAST_FLV_CODEC_NONE, "SMPTE 302M audio" } },
    { "VC-1", { 0x06, 1, NGX_TSCAST_FLV_CODEC_NONE, "VC-1" } },
    { "AV01", { 0x06, 1, NGX_TSCAST_FLV_CODEC_NONE, "AV1" } },
    { "drac", { 0x06, 1, NGX_TSCAST_FLV_CODEC_NONE, "Dirac" } },
    { NULL, { 0, 0, NGX_TSCAST_FLV_CODEC_NONE, NULL } }
};


ngx_int_t
ngx_tscast_flv_program(u_char *section, size_t len,
    ngx_tscast_flv_program_t *program)
{
    u_char                       *es;
    ngx_uint_t                    channels;
    const char                   *video, *audio;
    const ngx_tscast_flv_type_t  *t;

    ngx_memzero(program, sizeof(ngx_tscast_flv_program_t));

    program->video_pid = NGX_TSCAST_TS_NULL_PID;
    program->audio_pid = NGX_TSCAST_TS_NULL_PID;

    video = NULL;
    audio = NULL;
    channels = 0;

    for (es = ngx_tscast_ts_pmt_first(section, len);
         es;
         es = ngx_tscast_ts_pmt_next(section, len, es))
    {
        t = (ngx_tscast_ts_get_stream_type(es) == 0x06)
                ? ngx_tscast_flv_type_private(es, &channels)
                : ngx_tscast_flv_type_find(ngx_tscast_flv_types,
                                           ngx_tscast_ts_get_stream_type(es));

        if (t == NULL) {
            continue;
        }

        if (t->codec == NGX_TSCAST_FLV_CODEC_NONE) {

            if (t->video && video == NULL) {
                video = t->name;
            }

            if (!t->video && audio == NULL) {
                audio = t->name;
            }

        } else if (t->video && program->video == NGX_TSCAST_FLV_CODEC_NONE) {
            program->video = t->codec;
            program->video_pid = ngx_tscast_ts_get_elementary_pid(es);

        } else if (!t->video && program->audio == NGX_TSCAST_FLV_CODEC_NONE) {
            program->audio = t->codec;
            program->audio_pid = ngx_tscast_ts_get_elementary_pid(es);
            program->channels = channels;
        }
    }

    if (program->video == NGX_TSCAST_FLV_CODEC_NONE && video) {
        program->unfit = video;

    } else if (program->audio == NGX_TSCAST_FLV_CODEC_NONE && audio) {
        program->unfit = audio;

    } else if (program->video == NGX_TSCAST_FLV_CODEC_NONE
               && program->audio == NGX_TSCAST_FLV_CODEC_NONE)
    {
        program->unfit = "data without video or audio";
    }

    return program->unfit ? NGX_DECLINED : NGX_OK;
}


static const ngx_tscast_flv_type_t *
ngx_tscast_flv_type_find(const ngx_tscast_flv_type_t *types, u_char type)
{
    for ( /* void */ ; types->name; types++) {
        if (types->type == type) {
            return types;
        }
    }

    return NULL;
}


/* the registration says that it is Opus, the extension how many channels */

static const ngx_tscast_flv_type_t *
ngx_tscast_flv_type_private(u_char *es, ngx_uint_t *channels)
{
    size_t                        len;
    u_char                       *p, *last;
    const ngx_tscast_flv_type_t  *t, *found;

    p = es + NGX_TSCAST_FLV_ES_HEADER;
    last = p + ngx_tscast_ts_get_es_info_length(es);

    found = NULL;

    for ( /* void */ ; last - p >= 2; p += 2 + len) {
        len = p[1];

        if ((size_t) (last - p - 2) < len) {
            break;
        }

        t = NULL;

        if (p[0] == NGX_TSCAST_FLV_REGISTRATION && len >= 4) {
            t = ngx_tscast_flv_type_registered(p + 2);

        } else if (p[0] == NGX_TSCAST_FLV_EXTENSION && len >= 2
                   && p[2] == NGX_TSCAST_FLV_OPUS_TAG
                   && p[3] >= 1 && p[3] <= NGX_TSCAST_FLV_OPUS_CODES)
        {
            *channels = p[3];
            return &ngx_tscast_flv_opus_type;

        } else if (p[0] == NGX_TSCAST_FLV_EXTENSION && len >= 1
                   && p[2] == 0x15)
        {
            t = &ngx_tscast_flv_ac4_type;

        } else {
            t = ngx_tscast_flv_type_find(ngx_tscast_flv_descriptors, p[0]);
        }

        if (t) {
            found = t;
        }
    }

    return found;
}


static const ngx_tscast_flv_type_t *
ngx_tscast_flv_type_registered(u_char *id)
{
    ngx_uint_t  i;

    for (i = 0; ngx_tscast_flv_registrations[i].id; i++) {
        if (ngx_memcmp(ngx_tscast_flv_registrations[i].id, id, 4) == 0) {
            return &ngx_tscast_flv_registrations[i].type;
        }
    }

    return NULL;
}


/* layers of MPEG audio are not told apart by the PMT */

ngx_int_t
ngx_tscast_flv_program_probe(ngx_tscast_flv_program_t *program,
    u_char *packet)
{
    u_char                  *p, *last;
    ngx_tscast_ts_packet_t   pkt;

    if (ngx_tscast_ts_get_pid(packet) != program->audio_pid) {
        return NGX_AGAIN;
    }

    ngx_tscast_ts_packet(&pkt, packet);

    if (!pkt.start || pkt.scrambled || pkt.len < NGX_TSCAST_FLV_PES_HEADER) {
        return NGX_AGAIN;
    }

    p = pkt.payload + NGX_TSCAST_FLV_PES_HEADER + pkt.payload[8];
    last = pkt.payload + pkt.len;

    if (last - p < 2 || p[0] != 0xff || (p[1] & 0xe0) != 0xe0) {
        return NGX_AGAIN;
    }

    switch (p[1] >> 1 & 3) {

    case 2:
        program->unfit = "MPEG audio layer II";
        return NGX_DECLINED;

    case 3:
        program->unfit = "MPEG audio layer I";
        return NGX_DECLINED;

    default:
        return NGX_OK;
    }
}
