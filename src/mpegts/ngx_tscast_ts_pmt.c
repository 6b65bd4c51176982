
/*
 * Copyright (C) the tscast authors
 */


/* what a PMT says: ISO/IEC 13818-1, 2.4.4.8 and following */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


#define NGX_TSCAST_TS_PMT_HEADER  12
#define NGX_TSCAST_TS_ES_HEADER   5
#define NGX_TSCAST_TS_CRC_LEN     4

#define NGX_TSCAST_TS_REGISTRATION  0x05
#define NGX_TSCAST_TS_EXTENSION     0x7f

#define NGX_TSCAST_TS_RANK_SECTIONS  1
#define NGX_TSCAST_TS_RANK_DATA      2
#define NGX_TSCAST_TS_RANK_AUDIO     3
#define NGX_TSCAST_TS_RANK_VIDEO     4
#define NGX_TSCAST_TS_RANK_KNOWN     5

#define ngx_tscast_ts_id(a, b, c, d)                                          \
    ((uint32_t) (a) << 24 | (b) << 16 | (c) << 8 | (d))


typedef struct {
    u_char                 type;
    u_char                 codec;
} ngx_tscast_ts_type_t;

typedef struct {
    uint32_t               id;
    ngx_tscast_ts_codec_e  codec;
} ngx_tscast_ts_registration_t;


static ngx_tscast_ts_codec_e ngx_tscast_ts_pmt_codec(u_char *es,
    ngx_uint_t hdmv);
static ngx_tscast_ts_codec_e ngx_tscast_ts_pmt_private(u_char *es);
static ngx_tscast_ts_codec_e ngx_tscast_ts_pmt_registration(uint32_t id);
static ngx_uint_t ngx_tscast_ts_pmt_rank(u_char *es,
    ngx_tscast_ts_codec_e codec);
static ngx_uint_t ngx_tscast_ts_pmt_is_hdmv(u_char *section);


static const ngx_tscast_ts_type_t  ngx_tscast_ts_types[] = {
    { 0x01, NGX_TSCAST_TS_MPEG_VIDEO },
    { 0x02, NGX_TSCAST_TS_MPEG_VIDEO },
    { 0x03, NGX_TSCAST_TS_AUDIO },          /* MPEG-1 */
    { 0x04, NGX_TSCAST_TS_AUDIO },          /* MPEG-2 */
    { 0x0f, NGX_TSCAST_TS_AUDIO },          /* AAC in ADTS */
    { 0x10, NGX_TSCAST_TS_MPEG4_VIDEO },
    { 0x11, NGX_TSCAST_TS_AUDIO },          /* AAC in LATM */
    { 0x1b, NGX_TSCAST_TS_H264 },
    { 0x1c, NGX_TSCAST_TS_AUDIO },          /* raw AAC */
    { 0x1e, NGX_TSCAST_TS_OTHER_VIDEO },    /* auxiliary */
    { 0x1f, NGX_TSCAST_TS_OTHER_VIDEO },    /* SVC */
    { 0x20, NGX_TSCAST_TS_OTHER_VIDEO },    /* MVC */
    { 0x21, NGX_TSCAST_TS_OTHER_VIDEO },    /* JPEG 2000 */
    { 0x22, NGX_TSCAST_TS_OTHER_VIDEO },    /* MPEG-2, second view */
    { 0x23, NGX_TSCAST_TS_OTHER_VIDEO },    /* H.264, second view */
    { 0x24, NGX_TSCAST_TS_HEVC },
    { 0x25, NGX_TSCAST_TS_OTHER_VIDEO },    /* HEVC, temporal subset */
    { 0x28, NGX_TSCAST_TS_OTHER_VIDEO },    /* HEVC, enhancements */
    { 0x29, NGX_TSCAST_TS_OTHER_VIDEO },
    { 0x2a, NGX_TSCAST_TS_OTHER_VIDEO },
    { 0x2b, NGX_TSCAST_TS_OTHER_VIDEO },
    { 0x2d, NGX_TSCAST_TS_AUDIO },          /* MPEG-H */
    { 0x2e, NGX_TSCAST_TS_AUDIO },
    { 0x32, NGX_TSCAST_TS_OTHER_VIDEO },    /* JPEG XS */
    { 0x33, NGX_TSCAST_TS_OTHER_VIDEO },    /* VVC */
    { 0x34, NGX_TSCAST_TS_OTHER_VIDEO },
    { 0x35, NGX_TSCAST_TS_OTHER_VIDEO },    /* EVC */
    { 0x42, NGX_TSCAST_TS_OTHER_VIDEO },    /* AVS */
    { 0x81, NGX_TSCAST_TS_AUDIO },          /* AC-3 */
    { 0x82, NGX_TSCAST_TS_AUDIO },          /* DTS */
    { 0x83, NGX_TSCAST_TS_AUDIO },          /* TrueHD */
    { 0x84, NGX_TSCAST_TS_AUDIO },          /* E-AC-3 */
    { 0x85, NGX_TSCAST_TS_AUDIO },          /* DTS-HD */
    { 0x87, NGX_TSCAST_TS_AUDIO },          /* E-AC-3 */
    { 0x8a, NGX_TSCAST_TS_AUDIO },          /* DTS */
    { 0xa1, NGX_TSCAST_TS_AUDIO },          /* E-AC-3, secondary */
    { 0xa2, NGX_TSCAST_TS_AUDIO },          /* DTS-HD, secondary */
    { 0xc1, NGX_TSCAST_TS_AUDIO },          /* AC-3, sample encryption */
    { 0xc2, NGX_TSCAST_TS_AUDIO },          /* E-AC-3, sample encryption */
    { 0xcf, NGX_TSCAST_TS_AUDIO },          /* AAC, sample encryption */
    { 0xd1, NGX_TSCAST_TS_OTHER_VIDEO },    /* Dirac */
    { 0xd2, NGX_TSCAST_TS_OTHER_VIDEO },    /* AVS2 */
    { 0xd4, NGX_TSCAST_TS_OTHER_VIDEO },    /* AVS3 */
    { 0xdb, NGX_TSCAST_TS_OTHER_VIDEO },    /* H.264, sample encryption */
    { 0xea, NGX_TSCAST_TS_OTHER_VIDEO },    /* VC-1 */
    { 0, NGX_TSCAST_TS_OTHER }
};


static const ngx_tscast_ts_registration_t  ngx_tscast_ts_registrations[] = {
    { ngx_tscast_ts_id('H', 'E', 'V', 'C'), NGX_TSCAST_TS_HEVC },
    { ngx_tscast_ts_id('A', 'C', '-', '3'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('A', 'C', '-', '4'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('E', 'A', 'C', '3'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('D', 'T', 'S', '1'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('D', 'T', 'S', '2'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('D', 'T', 'S', '3'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('B', 'S', 'S', 'D'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('O', 'p', 'u', 's'), NGX_TSCAST_TS_AUDIO },
    { ngx_tscast_ts_id('V', 'C', '-', '1'), NGX_TSCAST_TS_OTHER_VIDEO },
    { ngx_tscast_ts_id('A', 'V', '0', '1'), NGX_TSCAST_TS_OTHER_VIDEO },
    { ngx_tscast_ts_id('d', 'r', 'a', 'c'), NGX_TSCAST_TS_OTHER_VIDEO },
    { 0, NGX_TSCAST_TS_OTHER }
};


ngx_int_t
ngx_tscast_ts_pmt_parse(u_char *section, size_t len,
    ngx_tscast_ts_pmt_t *pmt)
{
    u_char                 *es, *last, *end;
    ngx_uint_t              rank, hdmv;
    ngx_tscast_ts_codec_e   codec;

    pmt->codec = NGX_TSCAST_TS_OTHER;
    pmt->rank = 0;
    pmt->pid = NGX_TSCAST_TS_NULL_PID;

    if (len < NGX_TSCAST_TS_PMT_HEADER + NGX_TSCAST_TS_CRC_LEN) {
        return NGX_DECLINED;
    }

    if (ngx_tscast_ts_get_program_info_length(section)
        > len - NGX_TSCAST_TS_PMT_HEADER - NGX_TSCAST_TS_CRC_LEN)
    {
        return NGX_DECLINED;
    }

    pmt->pcr_pid = ngx_tscast_ts_get_pcr_pid(section);

    hdmv = ngx_tscast_ts_pmt_is_hdmv(section);

    last = section + len - NGX_TSCAST_TS_CRC_LEN;
    end = section + NGX_TSCAST_TS_PMT_HEADER
          + ngx_tscast_ts_get_program_info_length(section);

    for (es = ngx_tscast_ts_pmt_first(section, len);
         es;
         es = ngx_tscast_ts_pmt_next(section, len, es))
    {
        end = es + NGX_TSCAST_TS_ES_HEADER
              + ngx_tscast_ts_get_es_info_length(es);

        codec = ngx_tscast_ts_pmt_codec(es, hdmv);
        rank = ngx_tscast_ts_pmt_rank(es, codec);

        if (rank > pmt->rank
            && ngx_tscast_ts_get_elementary_pid(es) != NGX_TSCAST_TS_NULL_PID)
        {
            pmt->codec = codec;
            pmt->rank = rank;
            pmt->pid = ngx_tscast_ts_get_elementary_pid(es);
        }
    }

    return (end == last) ? NGX_OK : NGX_DECLINED;
}


u_char *
ngx_tscast_ts_pmt_first(u_char *section, size_t len)
{
    u_char  *es, *last;

    es = section + NGX_TSCAST_TS_PMT_HEADER
         + ngx_tscast_ts_get_program_info_length(section);
    last = section + len - NGX_TSCAST_TS_CRC_LEN;

    if (last - es < NGX_TSCAST_TS_ES_HEADER) {
        return NULL;
    }

    if ((size_t) (last - es - NGX_TSCAST_TS_ES_HEADER)
        < ngx_tscast_ts_get_es_info_length(es))
    {
        return NULL;
    }

    return es;
}


u_char *
ngx_tscast_ts_pmt_next(u_char *section, size_t len, u_char *es)
{
    u_char  *last;

    es += NGX_TSCAST_TS_ES_HEADER + ngx_tscast_ts_get_es_info_length(es);
    last = section + len - NGX_TSCAST_TS_CRC_LEN;

    if (last - es < NGX_TSCAST_TS_ES_HEADER) {
        return NULL;
    }

    if ((size_t) (last - es - NGX_TSCAST_TS_ES_HEADER)
        < ngx_tscast_ts_get_es_info_length(es))
    {
        return NULL;
    }

    return es;
}


static ngx_tscast_ts_codec_e
ngx_tscast_ts_pmt_codec(u_char *es, ngx_uint_t hdmv)
{
    u_char      type;
    ngx_uint_t  i;

    type = ngx_tscast_ts_get_stream_type(es);

    if (type == 0x06) {
        return ngx_tscast_ts_pmt_private(es);
    }

    if (hdmv && (type == 0x80 || type == 0x86)) {

        /* LPCM and DTS-HD; elsewhere these are no audio */

        return NGX_TSCAST_TS_AUDIO;
    }

    for (i = 0; ngx_tscast_ts_types[i].type; i++) {
        if (ngx_tscast_ts_types[i].type == type) {
            return ngx_tscast_ts_types[i].codec;
        }
    }

    return NGX_TSCAST_TS_OTHER;
}


/* PES packets of private data are told apart by descriptors */

static ngx_tscast_ts_codec_e
ngx_tscast_ts_pmt_private(u_char *es)
{
    size_t                  len;
    u_char                 *p, *last;
    ngx_tscast_ts_codec_e   codec;

    p = es + NGX_TSCAST_TS_ES_HEADER;
    last = p + ngx_tscast_ts_get_es_info_length(es);

    while (last - p >= 2) {
        len = p[1];

        if ((size_t) (last - p - 2) < len) {
            break;
        }

        switch (p[0]) {

        case NGX_TSCAST_TS_REGISTRATION:

            if (len < 4) {
                break;
            }

            codec = ngx_tscast_ts_pmt_registration(
                                   ngx_tscast_ts_id(p[2], p[3], p[4], p[5]));

            if (codec != NGX_TSCAST_TS_OTHER) {
                return codec;
            }

            break;

        /* ETSI EN 300 468: AC-3, E-AC-3, DTS and AAC */

        case 0x6a:
        case 0x7a:
        case 0x7b:
        case 0x7c:
            return NGX_TSCAST_TS_AUDIO;

        case NGX_TSCAST_TS_EXTENSION:

            /* DTS-HD, DTS Neural, AC-4, DTS-UHD and Opus */

            if (len >= 1
                && (p[2] == 0x0e || p[2] == 0x0f || p[2] == 0x15
                    || p[2] == 0x21 || p[2] == 0x80))
            {
                return NGX_TSCAST_TS_AUDIO;
            }

            break;
        }

        p += 2 + len;
    }

    return NGX_TSCAST_TS_OTHER;
}


static ngx_tscast_ts_codec_e
ngx_tscast_ts_pmt_registration(uint32_t id)
{
    ngx_uint_t  i;

    for (i = 0; ngx_tscast_ts_registrations[i].id; i++) {
        if (ngx_tscast_ts_registrations[i].id == id) {
            break;
        }
    }

    return ngx_tscast_ts_registrations[i].codec;
}


static ngx_uint_t
ngx_tscast_ts_pmt_rank(u_char *es, ngx_tscast_ts_codec_e codec)
{
    u_char  type;

    switch (codec) {

    case NGX_TSCAST_TS_OTHER:
        break;

    case NGX_TSCAST_TS_AUDIO:
        return NGX_TSCAST_TS_RANK_AUDIO;

    case NGX_TSCAST_TS_OTHER_VIDEO:
        return NGX_TSCAST_TS_RANK_VIDEO;

    default:
        return NGX_TSCAST_TS_RANK_KNOWN;
    }

    type = ngx_tscast_ts_get_stream_type(es);

    /* private sections, DSM-CC, metadata and carousels, SCTE 35 */

    if (type == 0x05
        || (type >= 0x08 && type <= 0x0e)
        || type == 0x13 || type == 0x14
        || type == 0x16 || type == 0x17
        || type == 0x86)
    {
        return NGX_TSCAST_TS_RANK_SECTIONS;
    }

    return NGX_TSCAST_TS_RANK_DATA;
}


static ngx_uint_t
ngx_tscast_ts_pmt_is_hdmv(u_char *section)
{
    size_t   len;
    u_char  *p, *last;

    p = section + NGX_TSCAST_TS_PMT_HEADER;
    last = p + ngx_tscast_ts_get_program_info_length(section);

    while (last - p >= 2) {
        len = p[1];

        if ((size_t) (last - p - 2) < len) {
            break;
        }

        if (p[0] == NGX_TSCAST_TS_REGISTRATION
            && len >= 4
            && ngx_tscast_ts_id(p[2], p[3], p[4], p[5])
               == ngx_tscast_ts_id('H', 'D', 'M', 'V'))
        {
            return 1;
        }

        p += 2 + len;
    }

    return 0;
}
