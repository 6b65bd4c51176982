
/*
 * Copyright (C) the tscast authors
 */


/* H.264: parameter sets, SEI, AVCDecoderConfigurationRecord */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


#define NGX_TSCAST_FLV_AVC_SPS       7
#define NGX_TSCAST_FLV_AVC_PPS       8

#define NGX_TSCAST_FLV_AVC_RECOVERY  6


ngx_int_t
ngx_tscast_flv_avc_set_id(u_char *nal, size_t len)
{
    size_t             skip;
    ngx_uint_t         id;
    ngx_tscast_bits_t  b;

    skip = ((nal[0] & 0x1f) == NGX_TSCAST_FLV_AVC_SPS) ? 4 : 1;

    if (len <= skip) {
        return NGX_DECLINED;
    }

    ngx_tscast_bits_init(&b, nal + skip, len - skip);

    id = ngx_tscast_bits_ue(&b);

    return (b.over || id > 255) ? NGX_DECLINED : (ngx_int_t) id;
}


/* ISO/IEC 14496-10, 7.3.2.3 */

ngx_uint_t
ngx_tscast_flv_avc_recovers(u_char *nal, size_t len)
{
    ngx_uint_t         n, type, size;
    ngx_tscast_bits_t  b;

    ngx_tscast_bits_init(&b, nal + 1, len - 1);

    while (!b.over) {

        type = 0;
        size = 0;

        do {
            n = ngx_tscast_bits(&b, 8);
            type += n;
        } while (n == 0xff);

        do {
            n = ngx_tscast_bits(&b, 8);
            size += n;
        } while (n == 0xff);

        if (b.over) {
            break;
        }

        if (type == NGX_TSCAST_FLV_AVC_RECOVERY && size) {
            return 1;
        }

        for ( /* void */ ; size && !b.over; size--) {
            (void) ngx_tscast_bits(&b, 8);
        }
    }

    return 0;
}


/* ISO/IEC 14496-15, 5.3.3.1.2 */

size_t
ngx_tscast_flv_avc_config(u_char *p, ngx_tscast_flv_sets_t *s,
    ngx_tscast_sps_t *sps)
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
