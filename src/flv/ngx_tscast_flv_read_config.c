
/*
 * Copyright (C) the tscast authors
 */


/*
 * Decoder configurations, and the frames that go with them: from NAL units
 * that have a length in front to those with start codes (ISO/IEC 14496-10 and
 * 23008-2, annex B), from bare AAC to ADTS.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_read.h>


/* ISO/IEC 14496-10, table 7-1 */
#define NGX_TSCAST_FLV_AVC_IDR   5
#define NGX_TSCAST_FLV_AVC_SPS   7
#define NGX_TSCAST_FLV_AVC_PPS   8
#define NGX_TSCAST_FLV_AVC_AUD   9

/* ISO/IEC 23008-2, table 7-1 */
#define NGX_TSCAST_FLV_HEVC_IRAP       16
#define NGX_TSCAST_FLV_HEVC_IRAP_LAST  23
#define NGX_TSCAST_FLV_HEVC_VPS        32
#define NGX_TSCAST_FLV_HEVC_SPS        33
#define NGX_TSCAST_FLV_HEVC_PPS        34
#define NGX_TSCAST_FLV_HEVC_AUD        35

/* kinds of parameter sets, a bit each */
#define NGX_TSCAST_FLV_VPS  0x01
#define NGX_TSCAST_FLV_SPS  0x02
#define NGX_TSCAST_FLV_PPS  0x04

/* bytes before the arrays: ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1 */
#define NGX_TSCAST_FLV_AVCC  6
#define NGX_TSCAST_FLV_HVCC  23

/* audioObjectType: ISO/IEC 14496-3, table 1.17 */
#define NGX_TSCAST_FLV_AAC_LTP     4
#define NGX_TSCAST_FLV_AAC_SBR     5
#define NGX_TSCAST_FLV_AAC_PS      29
#define NGX_TSCAST_FLV_AAC_ESCAPE  31

#define NGX_TSCAST_FLV_EXPLICIT    15    /* samplingFrequency follows */


typedef struct {
    u_char                  *p;
    size_t                   bits;        /* that are left */
    ngx_uint_t               bit;
} ngx_tscast_flv_bits_t;


static ngx_int_t ngx_tscast_flv_sets(ngx_tscast_flv_video_t *v, u_char **pos,
    u_char *last, ngx_uint_t n);
static ngx_uint_t ngx_tscast_flv_sets_of(ngx_tscast_flv_codec_e codec,
    ngx_uint_t type);
static ngx_int_t ngx_tscast_flv_aac_object(ngx_tscast_flv_bits_t *b,
    ngx_uint_t *object);
static ngx_int_t ngx_tscast_flv_aac_index(ngx_tscast_flv_bits_t *b,
    ngx_uint_t *index);
static void ngx_tscast_flv_aac_name(ngx_uint_t object, ngx_str_t *name);
static ngx_int_t ngx_tscast_flv_bits(ngx_tscast_flv_bits_t *b, ngx_uint_t n,
    ngx_uint_t *value);


static const ngx_uint_t  ngx_tscast_flv_aac_rates[] = {
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
    16000, 12000, 11025, 8000, 7350
};


ngx_int_t
ngx_tscast_flv_read_avcc(ngx_tscast_flv_video_t *v, u_char *p, size_t len)
{
    u_char      *last;
    ngx_uint_t   n;

    if (len < NGX_TSCAST_FLV_AVCC || p[0] != 1) {
        return NGX_ERROR;
    }

    last = p + len;

    v->codec = NGX_TSCAST_FLV_H264;
    v->length_size = (p[4] & 3) + 1;
    v->len = 0;

    n = p[5] & 0x1f;
    p += NGX_TSCAST_FLV_AVCC;

    if (ngx_tscast_flv_sets(v, &p, last, n) != NGX_OK || p == last) {
        return NGX_ERROR;
    }

    n = *p++;

    return ngx_tscast_flv_sets(v, &p, last, n);
}


ngx_int_t
ngx_tscast_flv_read_hvcc(ngx_tscast_flv_video_t *v, u_char *p, size_t len)
{
    u_char      *last;
    ngx_uint_t   i, n, arrays;

    if (len < NGX_TSCAST_FLV_HVCC || p[0] != 1) {
        return NGX_ERROR;
    }

    last = p + len;

    v->codec = NGX_TSCAST_FLV_HEVC;
    v->length_size = (p[21] & 3) + 1;
    v->len = 0;

    arrays = p[22];
    p += NGX_TSCAST_FLV_HVCC;

    for (i = 0; i < arrays; i++) {

        if (last - p < 3) {
            return NGX_ERROR;
        }

        n = p[1] << 8 | p[2];
        p += 3;

        if (ngx_tscast_flv_sets(v, &p, last, n) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* n NAL units, each with two bytes of length */

static ngx_int_t
ngx_tscast_flv_sets(ngx_tscast_flv_video_t *v, u_char **pos, u_char *last,
    ngx_uint_t n)
{
    u_char  *p, *dst;
    size_t   len;

    p = *pos;

    while (n--) {

        if (last - p < 2) {
            return NGX_ERROR;
        }

        len = p[0] << 8 | p[1];
        p += 2;

        if (len == 0 || len > (size_t) (last - p)
            || len + NGX_TSCAST_FLV_START_CODE
               > NGX_TSCAST_FLV_MAX_SETS - v->len)
        {
            return NGX_ERROR;
        }

        dst = v->sets + v->len;

        *dst++ = 0x00;
        *dst++ = 0x00;
        *dst++ = 0x00;
        *dst++ = 0x01;

        ngx_memcpy(dst, p, len);

        v->len += NGX_TSCAST_FLV_START_CODE + len;
        p += len;
    }

    *pos = p;

    return NGX_OK;
}


ngx_int_t
ngx_tscast_flv_read_unit(ngx_tscast_flv_video_t *v, u_char *p, size_t len,
    ngx_tscast_flv_unit_t *unit)
{
    u_char      *last;
    ngx_int_t    rc;
    ngx_str_t    nal;
    ngx_uint_t   type, sets, all;

    ngx_memzero(unit, sizeof(ngx_tscast_flv_unit_t));

    last = p + len;
    sets = 0;

    all = (v->codec == NGX_TSCAST_FLV_HEVC) ? NGX_TSCAST_FLV_VPS : 0;
    all |= NGX_TSCAST_FLV_SPS | NGX_TSCAST_FLV_PPS;

    for ( ;; ) {
        rc = ngx_tscast_flv_read_nal(v, &p, last, &nal);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        unit->len += NGX_TSCAST_FLV_START_CODE + nal.len;

        type = ngx_tscast_flv_nal_type(v->codec, nal.data);
        sets |= ngx_tscast_flv_sets_of(v->codec, type);

        if (v->codec == NGX_TSCAST_FLV_HEVC
            ? type >= NGX_TSCAST_FLV_HEVC_IRAP
              && type <= NGX_TSCAST_FLV_HEVC_IRAP_LAST
            : type == NGX_TSCAST_FLV_AVC_IDR)
        {
            unit->random = 1;
        }
    }

    unit->sets = (sets == all);

    return NGX_OK;
}


ngx_int_t
ngx_tscast_flv_read_nal(ngx_tscast_flv_video_t *v, u_char **pos, u_char *last,
    ngx_str_t *nal)
{
    u_char      *p;
    size_t       i, len;
    ngx_uint_t   type, delimiter;

    p = *pos;

    delimiter = (v->codec == NGX_TSCAST_FLV_HEVC) ? NGX_TSCAST_FLV_HEVC_AUD
                                                  : NGX_TSCAST_FLV_AVC_AUD;

    while (p < last) {

        if ((size_t) (last - p) < v->length_size) {
            return NGX_ERROR;
        }

        len = 0;

        for (i = 0; i < v->length_size; i++) {
            len = len << 8 | *p++;
        }

        if (len > (size_t) (last - p)) {
            return NGX_ERROR;
        }

        nal->data = p;
        nal->len = len;

        p += len;

        if (len == 0) {
            continue;
        }

        type = ngx_tscast_flv_nal_type(v->codec, nal->data);

        if (type != delimiter) {
            *pos = p;
            return NGX_OK;
        }
    }

    return NGX_DONE;
}


ngx_uint_t
ngx_tscast_flv_nal_type(ngx_tscast_flv_codec_e codec, u_char *nal)
{
    return (codec == NGX_TSCAST_FLV_HEVC) ? (nal[0] >> 1) & 0x3f
                                          : nal[0] & 0x1f;
}


static ngx_uint_t
ngx_tscast_flv_sets_of(ngx_tscast_flv_codec_e codec, ngx_uint_t type)
{
    if (codec == NGX_TSCAST_FLV_HEVC) {

        switch (type) {

        case NGX_TSCAST_FLV_HEVC_VPS:
            return NGX_TSCAST_FLV_VPS;

        case NGX_TSCAST_FLV_HEVC_SPS:
            return NGX_TSCAST_FLV_SPS;

        case NGX_TSCAST_FLV_HEVC_PPS:
            return NGX_TSCAST_FLV_PPS;

        default:
            return 0;
        }
    }

    switch (type) {

    case NGX_TSCAST_FLV_AVC_SPS:
        return NGX_TSCAST_FLV_SPS;

    case NGX_TSCAST_FLV_AVC_PPS:
        return NGX_TSCAST_FLV_PPS;

    default:
        return 0;
    }
}


/*
 * ISO/IEC 14496-3, 1.6.2.1.  ADTS tells a core codec of four object types,
 * with SBR and PS found in its frames; it has no place for 960 samples a frame
 * nor, here, for a program_config_element.
 */

ngx_int_t
ngx_tscast_flv_read_aac(ngx_tscast_flv_aac_t *a, u_char *p, size_t len,
    ngx_str_t *name)
{
    ngx_uint_t             extension, frame_length;
    ngx_tscast_flv_bits_t  b;

    b.p = p;
    b.bits = len * 8;
    b.bit = 0;

    if (ngx_tscast_flv_aac_object(&b, &a->object) != NGX_OK
        || ngx_tscast_flv_aac_index(&b, &a->index) != NGX_OK
        || ngx_tscast_flv_bits(&b, 4, &a->channels) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (a->object == NGX_TSCAST_FLV_AAC_SBR
        || a->object == NGX_TSCAST_FLV_AAC_PS)
    {
        if (ngx_tscast_flv_aac_index(&b, &extension) != NGX_OK
            || ngx_tscast_flv_aac_object(&b, &a->object) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (a->object == 0 || a->object > NGX_TSCAST_FLV_AAC_LTP) {
        ngx_tscast_flv_aac_name(a->object, name);
        return NGX_DECLINED;
    }

    if (ngx_tscast_flv_bits(&b, 1, &frame_length) != NGX_OK) {
        return NGX_ERROR;
    }

    if (frame_length) {
        ngx_str_set(name, "AAC of 960 samples a frame");
        return NGX_DECLINED;
    }

    if (a->index == NGX_TSCAST_FLV_EXPLICIT) {
        ngx_str_set(name, "AAC of an unusual sampling frequency");
        return NGX_DECLINED;
    }

    if (a->channels == 0 || a->channels > 7) {
        ngx_str_set(name, "AAC of unusual channels");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_flv_aac_object(ngx_tscast_flv_bits_t *b, ngx_uint_t *object)
{
    if (ngx_tscast_flv_bits(b, 5, object) != NGX_OK) {
        return NGX_ERROR;
    }

    if (*object == NGX_TSCAST_FLV_AAC_ESCAPE) {

        if (ngx_tscast_flv_bits(b, 6, object) != NGX_OK) {
            return NGX_ERROR;
        }

        *object += 32;
    }

    return NGX_OK;
}


/* a frequency that is written out may be one of the table all the same */

static ngx_int_t
ngx_tscast_flv_aac_index(ngx_tscast_flv_bits_t *b, ngx_uint_t *index)
{
    ngx_uint_t  i, n, rate;

    if (ngx_tscast_flv_bits(b, 4, index) != NGX_OK) {
        return NGX_ERROR;
    }

    n = sizeof(ngx_tscast_flv_aac_rates) / sizeof(ngx_uint_t);

    if (*index != NGX_TSCAST_FLV_EXPLICIT) {
        return (*index < n) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_tscast_flv_bits(b, 24, &rate) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_tscast_flv_aac_rates[i] == rate) {
            *index = i;
            break;
        }
    }

    return NGX_OK;
}


static void
ngx_tscast_flv_aac_name(ngx_uint_t object, ngx_str_t *name)
{
    switch (object) {

    case 23:
        ngx_str_set(name, "AAC LD");
        break;

    case 39:
        ngx_str_set(name, "AAC ELD");
        break;

    case 42:
        ngx_str_set(name, "xHE-AAC");
        break;

    default:
        ngx_str_set(name, "MPEG-4 audio other than AAC");
        break;
    }
}


static ngx_int_t
ngx_tscast_flv_bits(ngx_tscast_flv_bits_t *b, ngx_uint_t n, ngx_uint_t *value)
{
    if (b->bits < n) {
        return NGX_ERROR;
    }

    b->bits -= n;
    *value = 0;

    while (n--) {
        *value = *value << 1 | (b->p[b->bit >> 3] >> (7 - (b->bit & 7)) & 1);
        b->bit++;
    }

    return NGX_OK;
}


void
ngx_tscast_flv_adts(ngx_tscast_flv_aac_t *a, u_char *p, size_t n)
{
    n += NGX_TSCAST_FLV_ADTS;

    *p++ = 0xff;
    *p++ = 0xf1;                          /* MPEG-4, no CRC */
    *p++ = (u_char) ((a->object - 1) << 6 | a->index << 2 | a->channels >> 2);
    *p++ = (u_char) (a->channels << 6 | n >> 11);
    *p++ = (u_char) (n >> 3);
    *p++ = (u_char) (n << 5 | 0x1f);
    *p++ = 0xfc;
}


ngx_uint_t
ngx_tscast_flv_mp3_rate(u_char *p, size_t len)
{
    ngx_uint_t  rate, version;

    static const ngx_uint_t  rates[] = { 44100, 48000, 32000, 0 };

    if (len < 4 || p[0] != 0xff || (p[1] & 0xe0) != 0xe0) {
        return 0;
    }

    rate = rates[(p[2] >> 2) & 3];
    version = (p[1] >> 3) & 3;

    switch (version) {

    case 3: /* MPEG-1 */
        return rate;

    case 2: /* MPEG-2 */
        return rate / 2;

    case 0: /* MPEG-2.5 */
        return rate / 4;

    default:
        return 0;
    }
}
