
/*
 * Copyright (C) the tscast authors
 */


/* HEVC: parameter sets, HEVCDecoderConfigurationRecord */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


#define NGX_TSCAST_FLV_HEVC_VPS  32
#define NGX_TSCAST_FLV_HEVC_SPS  33
#define NGX_TSCAST_FLV_HEVC_PPS  34


ngx_int_t
ngx_tscast_flv_hevc_set_id(u_char *nal, size_t len)
{
    ngx_uint_t         id, layers;
    ngx_tscast_bits_t  b;

    if (len < 3) {
        return NGX_DECLINED;
    }

    ngx_tscast_bits_init(&b, nal + 2, len - 2);

    switch (nal[0] >> 1 & 0x3f) {

    case NGX_TSCAST_FLV_HEVC_VPS:
        return ngx_tscast_bits(&b, 4);

    case NGX_TSCAST_FLV_HEVC_SPS:
        (void) ngx_tscast_bits(&b, 4);
        layers = ngx_tscast_bits(&b, 3);
        (void) ngx_tscast_bit(&b);
        ngx_tscast_bits_skip(&b, 8 * NGX_TSCAST_SPS_PTL);

        ngx_tscast_sps_hevc_layers(&b, layers);
        break;
    }

    id = ngx_tscast_bits_ue(&b);

    return (b.over || id > 63) ? NGX_DECLINED : (ngx_int_t) id;
}


/* ISO/IEC 14496-15, 8.3.3.1.2 */

size_t
ngx_tscast_flv_hevc_config(u_char *p, ngx_tscast_flv_sets_t *s,
    ngx_tscast_sps_t *sps)
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
