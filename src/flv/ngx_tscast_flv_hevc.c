
/*
 * Copyright (C) the tscast authors
 */


/* HEVC: parameter sets, HEVCDecoderConfigurationRecord */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>
#include <ngx_tscast_flv_bits.h>


#define NGX_TSCAST_FLV_HEVC_VPS  32
#define NGX_TSCAST_FLV_HEVC_SPS  33
#define NGX_TSCAST_FLV_HEVC_PPS  34


static void ngx_tscast_flv_hevc_layers(ngx_tscast_flv_bits_t *b,
    ngx_uint_t n);
static void ngx_tscast_flv_hevc_size(ngx_tscast_flv_bits_t *b,
    ngx_tscast_flv_sps_t *sps);


/* ISO/IEC 23008-2, 7.3.2.2 */

ngx_int_t
ngx_tscast_flv_hevc_sps(u_char *nal, size_t len, ngx_tscast_flv_sps_t *sps)
{
    ngx_uint_t             i, layers;
    ngx_tscast_flv_bits_t  b;

    ngx_memzero(sps, sizeof(ngx_tscast_flv_sps_t));

    ngx_tscast_flv_bits_init(&b, nal, len);

    (void) ngx_tscast_flv_bits(&b, 16);         /* header of the NAL unit */
    (void) ngx_tscast_flv_bits(&b, 4);          /* VPS */

    layers = ngx_tscast_flv_bits(&b, 3);

    sps->layers = layers + 1;
    sps->nested = ngx_tscast_flv_bit(&b);

    /* profile_tier_level() */

    for (i = 0; i < sizeof(sps->ptl); i++) {
        sps->ptl[i] = (u_char) ngx_tscast_flv_bits(&b, 8);
    }

    ngx_tscast_flv_hevc_layers(&b, layers);

    (void) ngx_tscast_flv_golomb(&b);           /* sps_seq_parameter_set_id */

    ngx_tscast_flv_hevc_size(&b, sps);

    sps->luma_depth = 8 + ngx_tscast_flv_golomb(&b);
    sps->chroma_depth = 8 + ngx_tscast_flv_golomb(&b);

    if (b.over || layers > 6 || sps->chroma > 3
        || sps->luma_depth > 15 || sps->chroma_depth > 15)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* 7.3.3: what it says about each of the lower temporal layers */

static void
ngx_tscast_flv_hevc_layers(ngx_tscast_flv_bits_t *b, ngx_uint_t n)
{
    ngx_uint_t  i, flags;

    if (n == 0) {
        return;
    }

    flags = ngx_tscast_flv_bits(b, 16);

    for (i = 0; i < n; i++) {

        if (flags & (0x8000 >> 2 * i)) {        /* profile_present */
            (void) ngx_tscast_flv_bits(b, 44);
            (void) ngx_tscast_flv_bits(b, 44);
        }

        if (flags & (0x4000 >> 2 * i)) {        /* level_present */
            (void) ngx_tscast_flv_bits(b, 8);
        }
    }
}


static void
ngx_tscast_flv_hevc_size(ngx_tscast_flv_bits_t *b, ngx_tscast_flv_sps_t *sps)
{
    ngx_uint_t  x, y, crop_x, crop_y;

    sps->chroma = ngx_tscast_flv_golomb(b);

    if (sps->chroma == 3) {
        (void) ngx_tscast_flv_bit(b);           /* separate_colour_plane */
    }

    sps->width = ngx_tscast_flv_golomb(b);
    sps->height = ngx_tscast_flv_golomb(b);

    if (!ngx_tscast_flv_bit(b)) {               /* conformance_window */
        return;
    }

    x = (sps->chroma == 1 || sps->chroma == 2) ? 2 : 1;
    y = (sps->chroma == 1) ? 2 : 1;

    crop_x = ngx_tscast_flv_golomb(b);
    crop_x = (crop_x + ngx_tscast_flv_golomb(b)) * x;
    crop_y = ngx_tscast_flv_golomb(b);
    crop_y = (crop_y + ngx_tscast_flv_golomb(b)) * y;

    if (crop_x >= sps->width || crop_y >= sps->height) {
        b->over = 1;
        return;
    }

    sps->width -= crop_x;
    sps->height -= crop_y;
}


ngx_int_t
ngx_tscast_flv_hevc_set_id(u_char *nal, size_t len)
{
    ngx_uint_t             id, layers;
    ngx_tscast_flv_bits_t  b;

    if (len < 3) {
        return NGX_DECLINED;
    }

    ngx_tscast_flv_bits_init(&b, nal + 2, len - 2);

    switch (nal[0] >> 1 & 0x3f) {

    case NGX_TSCAST_FLV_HEVC_VPS:
        return ngx_tscast_flv_bits(&b, 4);

    case NGX_TSCAST_FLV_HEVC_SPS:
        (void) ngx_tscast_flv_bits(&b, 4);
        layers = ngx_tscast_flv_bits(&b, 3);
        (void) ngx_tscast_flv_bit(&b);
        (void) ngx_tscast_flv_bits(&b, 48);
        (void) ngx_tscast_flv_bits(&b, 48);

        ngx_tscast_flv_hevc_layers(&b, layers);
        break;
    }

    id = ngx_tscast_flv_golomb(&b);

    return (b.over || id > 63) ? NGX_DECLINED : (ngx_int_t) id;
}


/* ISO/IEC 14496-15, 8.3.3.1.2 */

size_t
ngx_tscast_flv_hevc_config(u_char *p, ngx_tscast_flv_sets_t *s,
    ngx_tscast_flv_sps_t *sps)
{
    size_t       len;
    u_char      *start, *set, type;
    ngx_uint_t   i, n;

    start = p;

    *p++ = 1;                                   /* configurationVersion */
    p = ngx_cpymem(p, sps->ptl, sizeof(sps->ptl));
    p = ngx_tscast_flv_put16(p, 0xf000);        /* min_spatial_segmentation */
    *p++ = 0xfc;                                /* parallelismType */
    *p++ = (u_char) (0xfc | sps->chroma);
    *p++ = (u_char) (0xf8 | (sps->luma_depth - 8));
    *p++ = (u_char) (0xf8 | (sps->chroma_depth - 8));
    p = ngx_tscast_flv_put16(p, 0);             /* avgFrameRate */

    /* lengthSizeMinusOne is 3 */

    *p++ = (u_char) (sps->layers << 3 | sps->nested << 2 | 3);
    *p++ = 3;                                   /* numOfArrays */

    for (type = NGX_TSCAST_FLV_HEVC_VPS;
         type <= NGX_TSCAST_FLV_HEVC_PPS;
         type++)
    {
        n = ngx_tscast_flv_sets_count(s, type);

        if (n == 0) {
            return 0;
        }

        *p++ = 0x80 | type;                     /* array_completeness */
        p = ngx_tscast_flv_put16(p, n);

        for (i = 0; i < n; i++) {
            set = ngx_tscast_flv_sets_get(s, type, i, &len);
            p = ngx_tscast_flv_put16(p, len);
            p = ngx_cpymem(p, set, len);
        }
    }

    return p - start;
}
