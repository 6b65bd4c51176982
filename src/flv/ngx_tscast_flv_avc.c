
/*
 * Copyright (C) the tscast authors
 */


/* H.264: parameter sets, SEI, AVCDecoderConfigurationRecord */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>
#include <ngx_tscast_flv_bits.h>


#define NGX_TSCAST_FLV_AVC_SPS       7
#define NGX_TSCAST_FLV_AVC_PPS       8

#define NGX_TSCAST_FLV_AVC_RECOVERY  6


static ngx_uint_t ngx_tscast_flv_avc_is_high(ngx_uint_t profile);
static void ngx_tscast_flv_avc_scaling(ngx_tscast_flv_bits_t *b,
    ngx_uint_t chroma);
static void ngx_tscast_flv_avc_order(ngx_tscast_flv_bits_t *b);
static void ngx_tscast_flv_avc_size(ngx_tscast_flv_bits_t *b,
    ngx_tscast_flv_sps_t *sps);


/* ISO/IEC 14496-10, 7.3.2.1.1 */

ngx_int_t
ngx_tscast_flv_avc_sps(u_char *nal, size_t len, ngx_tscast_flv_sps_t *sps)
{
    ngx_tscast_flv_bits_t  b;

    if (len < 5) {
        return NGX_DECLINED;
    }

    ngx_memzero(sps, sizeof(ngx_tscast_flv_sps_t));

    sps->chroma = 1;
    sps->luma_depth = 8;
    sps->chroma_depth = 8;

    ngx_tscast_flv_bits_init(&b, nal + 4, len - 4);

    (void) ngx_tscast_flv_golomb(&b);           /* seq_parameter_set_id */

    if (ngx_tscast_flv_avc_is_high(nal[1])) {
        sps->chroma = ngx_tscast_flv_golomb(&b);

        if (sps->chroma == 3) {
            (void) ngx_tscast_flv_bit(&b);      /* separate_colour_plane */
        }

        sps->luma_depth = 8 + ngx_tscast_flv_golomb(&b);
        sps->chroma_depth = 8 + ngx_tscast_flv_golomb(&b);

        (void) ngx_tscast_flv_bit(&b);          /* transform_bypass */

        if (ngx_tscast_flv_bit(&b)) {
            ngx_tscast_flv_avc_scaling(&b, sps->chroma);
        }
    }

    (void) ngx_tscast_flv_golomb(&b);           /* log2_max_frame_num */

    ngx_tscast_flv_avc_order(&b);
    ngx_tscast_flv_avc_size(&b, sps);

    if (b.over || sps->chroma > 3
        || sps->luma_depth > 14 || sps->chroma_depth > 14)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_tscast_flv_avc_is_high(ngx_uint_t profile)
{
    switch (profile) {

    case 44:
    case 83:
    case 86:
    case 100:
    case 110:
    case 118:
    case 122:
    case 128:
    case 134:
    case 135:
    case 138:
    case 139:
    case 244:
        return 1;

    default:
        return 0;
    }
}


/* 7.3.2.1.1.1: lists are passed over */

static void
ngx_tscast_flv_avc_scaling(ngx_tscast_flv_bits_t *b, ngx_uint_t chroma)
{
    ngx_int_t   last, next;
    ngx_uint_t  i, j, n;

    n = (chroma == 3) ? 12 : 8;

    for (i = 0; i < n; i++) {

        if (!ngx_tscast_flv_bit(b)) {
            continue;
        }

        last = 8;
        next = 8;

        for (j = 0; j < (i < 6 ? 16 : 64); j++) {

            if (next) {
                next = (last + ngx_tscast_flv_signed_golomb(b)) & 0xff;
            }

            if (next) {
                last = next;
            }
        }
    }
}


static void
ngx_tscast_flv_avc_order(ngx_tscast_flv_bits_t *b)
{
    ngx_uint_t  n;

    switch (ngx_tscast_flv_golomb(b)) {         /* pic_order_cnt_type */

    case 0:
        (void) ngx_tscast_flv_golomb(b);
        break;

    case 1:
        (void) ngx_tscast_flv_bit(b);
        (void) ngx_tscast_flv_golomb(b);
        (void) ngx_tscast_flv_golomb(b);

        for (n = ngx_tscast_flv_golomb(b); n && !b->over; n--) {
            (void) ngx_tscast_flv_golomb(b);
        }

        break;
    }
}


static void
ngx_tscast_flv_avc_size(ngx_tscast_flv_bits_t *b, ngx_tscast_flv_sps_t *sps)
{
    ngx_uint_t  x, y, frame, crop_x, crop_y;

    (void) ngx_tscast_flv_golomb(b);            /* max_num_ref_frames */
    (void) ngx_tscast_flv_bit(b);               /* gaps_in_frame_num */

    sps->width = (ngx_tscast_flv_golomb(b) + 1) * 16;
    sps->height = (ngx_tscast_flv_golomb(b) + 1) * 16;

    frame = ngx_tscast_flv_bit(b);              /* frame_mbs_only_flag */

    if (!frame) {
        (void) ngx_tscast_flv_bit(b);
        sps->height *= 2;
    }

    (void) ngx_tscast_flv_bit(b);               /* direct_8x8_inference */

    if (!ngx_tscast_flv_bit(b)) {
        return;
    }

    x = (sps->chroma == 1 || sps->chroma == 2) ? 2 : 1;
    y = (sps->chroma == 1 ? 2 : 1) * (frame ? 1 : 2);

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
ngx_tscast_flv_avc_set_id(u_char *nal, size_t len)
{
    size_t                 skip;
    ngx_uint_t             id;
    ngx_tscast_flv_bits_t  b;

    skip = ((nal[0] & 0x1f) == NGX_TSCAST_FLV_AVC_SPS) ? 4 : 1;

    if (len <= skip) {
        return NGX_DECLINED;
    }

    ngx_tscast_flv_bits_init(&b, nal + skip, len - skip);

    id = ngx_tscast_flv_golomb(&b);

    return (b.over || id > 255) ? NGX_DECLINED : (ngx_int_t) id;
}


/* ISO/IEC 14496-10, 7.3.2.3 */

ngx_uint_t
ngx_tscast_flv_avc_recovers(u_char *nal, size_t len)
{
    ngx_uint_t             n, type, size;
    ngx_tscast_flv_bits_t  b;

    ngx_tscast_flv_bits_init(&b, nal + 1, len - 1);

    while (!b.over) {

        type = 0;
        size = 0;

        do {
            n = ngx_tscast_flv_bits(&b, 8);
            type += n;
        } while (n == 0xff);

        do {
            n = ngx_tscast_flv_bits(&b, 8);
            size += n;
        } while (n == 0xff);

        if (b.over) {
            break;
        }

        if (type == NGX_TSCAST_FLV_AVC_RECOVERY && size) {
            return 1;
        }

        for ( /* void */ ; size && !b.over; size--) {
            (void) ngx_tscast_flv_bits(&b, 8);
        }
    }

    return 0;
}


/* ISO/IEC 14496-15, 5.3.3.1.2 */

size_t
ngx_tscast_flv_avc_config(u_char *p, ngx_tscast_flv_sets_t *s,
    ngx_tscast_flv_sps_t *sps)
{
    size_t       len;
    u_char      *start, *set, profile;
    ngx_uint_t   i, n;

    start = p;

    set = ngx_tscast_flv_sets_get(s, NGX_TSCAST_FLV_AVC_SPS, 0, &len);
    n = ngx_tscast_flv_sets_count(s, NGX_TSCAST_FLV_AVC_PPS);

    if (set == NULL || n == 0) {
        return 0;
    }

    profile = set[1];

    *p++ = 1;                                   /* configurationVersion */
    *p++ = profile;
    *p++ = set[2];
    *p++ = set[3];
    *p++ = 0xfc | 3;                            /* lengthSizeMinusOne */

    n = ngx_tscast_flv_sets_count(s, NGX_TSCAST_FLV_AVC_SPS);
    n = ngx_min(n, 31);

    *p++ = (u_char) (0xe0 | n);

    for (i = 0; i < n; i++) {
        set = ngx_tscast_flv_sets_get(s, NGX_TSCAST_FLV_AVC_SPS, i, &len);
        p = ngx_tscast_flv_put16(p, len);
        p = ngx_cpymem(p, set, len);
    }

    n = ngx_tscast_flv_sets_count(s, NGX_TSCAST_FLV_AVC_PPS);

    *p++ = (u_char) n;

    for (i = 0; i < n; i++) {
        set = ngx_tscast_flv_sets_get(s, NGX_TSCAST_FLV_AVC_PPS, i, &len);
        p = ngx_tscast_flv_put16(p, len);
        p = ngx_cpymem(p, set, len);
    }

    if (profile == 100 || profile == 110 || profile == 122 || profile == 144
        || profile == 244)
    {
        *p++ = (u_char) (0xfc | sps->chroma);
        *p++ = (u_char) (0xf8 | (sps->luma_depth - 8));
        *p++ = (u_char) (0xf8 | (sps->chroma_depth - 8));
        *p++ = 0;                               /* SPS extensions */
    }

    return p - start;
}
