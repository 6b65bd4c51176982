
/*
 * Copyright (C) the tscast authors
 */


/*
 * Sequence parameter sets, as far as the frame rate: ISO/IEC 14496-10,
 * 7.3.2.1.1, and ISO/IEC 23008-2, 7.3.2.2.  What cannot be is treated as a set
 * that has been cut.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_sps.h>


#define NGX_TSCAST_SPS_SAR_EXTENDED  255


static ngx_uint_t ngx_tscast_sps_h264_high(ngx_uint_t profile);
static void ngx_tscast_sps_h264_chroma(ngx_tscast_bits_t *b,
    ngx_tscast_sps_t *sps);
static void ngx_tscast_sps_h264_scaling(ngx_tscast_bits_t *b,
    ngx_uint_t size);
static void ngx_tscast_sps_h264_order(ngx_tscast_bits_t *b);
static void ngx_tscast_sps_h264_size(ngx_tscast_bits_t *b,
    ngx_tscast_sps_t *sps);
static void ngx_tscast_sps_h264_vui(ngx_tscast_bits_t *b,
    ngx_tscast_sps_t *sps);
static void ngx_tscast_sps_crop(ngx_tscast_bits_t *b, ngx_tscast_sps_t *sps,
    ngx_uint_t fields);
static void ngx_tscast_sps_vui(ngx_tscast_bits_t *b);
static void ngx_tscast_sps_hevc_level(ngx_tscast_bits_t *b,
    ngx_tscast_sps_t *sps);
static void ngx_tscast_sps_hevc_size(ngx_tscast_bits_t *b,
    ngx_tscast_sps_t *sps);
static void ngx_tscast_sps_hevc_coding(ngx_tscast_bits_t *b,
    ngx_uint_t layers);
static void ngx_tscast_sps_hevc_scaling(ngx_tscast_bits_t *b);
static void ngx_tscast_sps_hevc_references(ngx_tscast_bits_t *b);
static void ngx_tscast_sps_hevc_vui(ngx_tscast_bits_t *b,
    ngx_tscast_sps_t *sps);


ngx_int_t
ngx_tscast_sps_h264(ngx_tscast_sps_t *sps, u_char *nal, size_t len)
{
    ngx_tscast_bits_t  b;

    ngx_tscast_bits_init(&b, nal, len);
    ngx_memzero(sps, sizeof(ngx_tscast_sps_t));

    /* NAL unit header; the flags are between profile_idc and level_idc */

    (void) ngx_tscast_bits(&b, 8);

    sps->profile = (u_char) ngx_tscast_bits(&b, 8);
    (void) ngx_tscast_bits(&b, 8);
    sps->level = (u_char) ngx_tscast_bits(&b, 8);

    /* seq_parameter_set_id */

    (void) ngx_tscast_bits_ue(&b);

    sps->chroma = 1;
    sps->luma_depth = 8;
    sps->chroma_depth = 8;

    if (ngx_tscast_sps_h264_high(sps->profile)) {
        ngx_tscast_sps_h264_chroma(&b, sps);
    }

    ngx_tscast_sps_h264_order(&b);
    ngx_tscast_sps_h264_size(&b, sps);

    if (b.over || sps->chroma > 3
        || sps->luma_depth > 14 || sps->chroma_depth > 14)
    {
        return NGX_DECLINED;
    }

    /* vui_parameters_present_flag */

    if (ngx_tscast_bit(&b)) {
        ngx_tscast_sps_h264_vui(&b, sps);
    }

    sps->whole = !b.over;

    return NGX_OK;
}


static ngx_uint_t
ngx_tscast_sps_h264_high(ngx_uint_t profile)
{
    ngx_uint_t           i;
    static const u_char  high[] = {
        100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135
    };

    for (i = 0; i < sizeof(high); i++) {
        if (high[i] == profile) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_tscast_sps_h264_chroma(ngx_tscast_bits_t *b,
    ngx_tscast_sps_t *sps)
{
    ngx_uint_t  i, n;

    sps->chroma = ngx_tscast_bits_ue(b);

    /* separate_colour_plane_flag */

    if (sps->chroma == 3) {
        (void) ngx_tscast_bit(b);
    }

    sps->luma_depth = 8 + ngx_tscast_bits_ue(b);
    sps->chroma_depth = 8 + ngx_tscast_bits_ue(b);

    /* qpprime_y_zero_transform_bypass_flag */

    (void) ngx_tscast_bit(b);

    /* seq_scaling_matrix_present_flag */

    if (!ngx_tscast_bit(b)) {
        return;
    }

    n = (sps->chroma == 3) ? 12 : 8;

    for (i = 0; i < n; i++) {
        if (ngx_tscast_bit(b)) {
            ngx_tscast_sps_h264_scaling(b, i < 6 ? 16 : 64);
        }
    }
}


/* 7.3.2.1.1.1 */

static void
ngx_tscast_sps_h264_scaling(ngx_tscast_bits_t *b, ngx_uint_t size)
{
    ngx_uint_t  i, last;

    last = 8;

    for (i = 0; i < size && last; i++) {
        last = (last + (ngx_uint_t) ngx_tscast_bits_se(b)) & 0xff;
    }
}


/* log2_max_frame_num and picture order counts */

static void
ngx_tscast_sps_h264_order(ngx_tscast_bits_t *b)
{
    ngx_uint_t  n;

    (void) ngx_tscast_bits_ue(b);

    switch (ngx_tscast_bits_ue(b)) {

    case 0:
        (void) ngx_tscast_bits_ue(b);
        break;

    case 1:
        (void) ngx_tscast_bit(b);
        (void) ngx_tscast_bits_se(b);
        (void) ngx_tscast_bits_se(b);

        for (n = ngx_tscast_bits_ue(b); n && !b->over; n--) {
            (void) ngx_tscast_bits_se(b);
        }

        break;
    }

    /* max_num_ref_frames, gaps_in_frame_num_value_allowed_flag */

    (void) ngx_tscast_bits_ue(b);
    (void) ngx_tscast_bit(b);
}


static void
ngx_tscast_sps_h264_size(ngx_tscast_bits_t *b, ngx_tscast_sps_t *sps)
{
    ngx_uint_t  fields;

    sps->width = 16 * (ngx_tscast_bits_ue(b) + 1);
    sps->height = 16 * (ngx_tscast_bits_ue(b) + 1);
    fields = 1;

    /* frame_mbs_only_flag, mb_adaptive_frame_field_flag */

    if (!ngx_tscast_bit(b)) {
        (void) ngx_tscast_bit(b);

        fields = 2;
        sps->height *= 2;
    }

    /* direct_8x8_inference_flag */

    (void) ngx_tscast_bit(b);

    ngx_tscast_sps_crop(b, sps, fields);
}


/* annex E, E.1.1 */

static void
ngx_tscast_sps_h264_vui(ngx_tscast_bits_t *b, ngx_tscast_sps_t *sps)
{
    uint32_t  ticks, scale;

    ngx_tscast_sps_vui(b);

    /* timing_info_present_flag; a tick is half of a frame */

    if (!ngx_tscast_bit(b)) {
        return;
    }

    ticks = (uint32_t) ngx_tscast_bits(b, 32);
    scale = (uint32_t) ngx_tscast_bits(b, 32);

    if (ticks <= NGX_MAX_INT32_VALUE) {
        sps->frames = scale;
        sps->seconds = ticks * 2;
    }
}


/* frame_cropping of H.264, conformance_window of HEVC */

static void
ngx_tscast_sps_crop(ngx_tscast_bits_t *b, ngx_tscast_sps_t *sps,
    ngx_uint_t fields)
{
    ngx_uint_t  x, y;

    x = 0;
    y = 0;

    if (ngx_tscast_bit(b)) {
        x = ngx_tscast_bits_ue(b);
        x += ngx_tscast_bits_ue(b);
        y = ngx_tscast_bits_ue(b);
        y += ngx_tscast_bits_ue(b);

        /* table 6-1: SubWidthC and SubHeightC */

        x *= (sps->chroma == 1 || sps->chroma == 2) ? 2 : 1;
        y *= (sps->chroma == 1 ? 2 : 1) * fields;
    }

    if (sps->width > 0xffff || sps->height > 0xffff
        || x >= sps->width || y >= sps->height)
    {
        b->over = 1;
        return;
    }

    sps->width -= x;
    sps->height -= y;
}


/* what the vui_parameters of both begin with */

static void
ngx_tscast_sps_vui(ngx_tscast_bits_t *b)
{
    /* aspect_ratio_info */

    if (ngx_tscast_bit(b)
        && ngx_tscast_bits(b, 8) == NGX_TSCAST_SPS_SAR_EXTENDED)
    {
        (void) ngx_tscast_bits(b, 32);
    }

    /* overscan_info */

    if (ngx_tscast_bit(b)) {
        (void) ngx_tscast_bit(b);
    }

    /* video_signal_type, colour_description */

    if (ngx_tscast_bit(b)) {
        (void) ngx_tscast_bits(b, 4);

        if (ngx_tscast_bit(b)) {
            (void) ngx_tscast_bits(b, 24);
        }
    }

    /* chroma_loc_info */

    if (ngx_tscast_bit(b)) {
        (void) ngx_tscast_bits_ue(b);
        (void) ngx_tscast_bits_ue(b);
    }
}


ngx_int_t
ngx_tscast_sps_hevc(ngx_tscast_sps_t *sps, u_char *nal, size_t len)
{
    ngx_tscast_bits_t  b;

    ngx_tscast_bits_init(&b, nal, len);
    ngx_memzero(sps, sizeof(ngx_tscast_sps_t));

    /* NAL unit header, sps_video_parameter_set_id */

    (void) ngx_tscast_bits(&b, 20);

    /* sps_max_sub_layers_minus1, sps_temporal_id_nesting_flag */

    sps->layers = (u_char) (1 + ngx_tscast_bits(&b, 3));
    sps->nested = (u_char) ngx_tscast_bit(&b);

    ngx_tscast_sps_hevc_level(&b, sps);

    /* sps_seq_parameter_set_id */

    (void) ngx_tscast_bits_ue(&b);

    ngx_tscast_sps_hevc_size(&b, sps);

    sps->luma_depth = 8 + ngx_tscast_bits_ue(&b);
    sps->chroma_depth = 8 + ngx_tscast_bits_ue(&b);

    if (b.over || sps->layers > 7 || sps->chroma > 3
        || sps->luma_depth > 15 || sps->chroma_depth > 15)
    {
        return NGX_DECLINED;
    }

    ngx_tscast_sps_hevc_coding(&b, sps->layers);

    /* vui_parameters_present_flag */

    if (ngx_tscast_bit(&b)) {
        ngx_tscast_sps_hevc_vui(&b, sps);
    }

    sps->whole = !b.over;

    return NGX_OK;
}


/* 7.3.3: profile_tier_level() */

static void
ngx_tscast_sps_hevc_level(ngx_tscast_bits_t *b, ngx_tscast_sps_t *sps)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_TSCAST_SPS_PTL; i++) {
        sps->ptl[i] = (u_char) ngx_tscast_bits(b, 8);
    }

    sps->profile = sps->ptl[0] & 0x1f;
    sps->level = sps->ptl[NGX_TSCAST_SPS_PTL - 1];

    ngx_tscast_sps_hevc_layers(b, sps->layers - 1);
}


void
ngx_tscast_sps_hevc_layers(ngx_tscast_bits_t *b, ngx_uint_t n)
{
    ngx_uint_t  i, flags;

    if (n == 0) {
        return;
    }

    /* profile and level present, two bits each of eight layers */

    flags = ngx_tscast_bits(b, 16);

    for (i = 0; i < n; i++) {
        ngx_tscast_bits_skip(b, (flags & 0x8000) ? 88 : 0);
        ngx_tscast_bits_skip(b, (flags & 0x4000) ? 8 : 0);

        flags <<= 2;
    }
}


static void
ngx_tscast_sps_hevc_size(ngx_tscast_bits_t *b, ngx_tscast_sps_t *sps)
{
    sps->chroma = ngx_tscast_bits_ue(b);

    /* separate_colour_plane_flag */

    if (sps->chroma == 3) {
        (void) ngx_tscast_bit(b);
    }

    sps->width = ngx_tscast_bits_ue(b);
    sps->height = ngx_tscast_bits_ue(b);

    ngx_tscast_sps_crop(b, sps, 1);
}


static void
ngx_tscast_sps_hevc_coding(ngx_tscast_bits_t *b, ngx_uint_t layers)
{
    ngx_uint_t  n, bits;

    /* log2_max_pic_order_cnt_lsb_minus4, at most 12 */

    bits = 4 + (ngx_tscast_bits_ue(b) & 0x0f);

    /* sps_sub_layer_ordering_info_present_flag, three numbers each */

    n = ngx_tscast_bit(b) ? 3 * layers : 3;

    /* sizes of blocks and depths of hierarchies, six numbers */

    for (n += 6; n; n--) {
        (void) ngx_tscast_bits_ue(b);
    }

    /* scaling_list_enabled_flag, sps_scaling_list_data_present_flag */

    if (ngx_tscast_bit(b) && ngx_tscast_bit(b)) {
        ngx_tscast_sps_hevc_scaling(b);
    }

    /* amp_enabled_flag, sample_adaptive_offset_enabled_flag */

    (void) ngx_tscast_bits(b, 2);

    /* pcm_enabled_flag */

    if (ngx_tscast_bit(b)) {
        (void) ngx_tscast_bits(b, 8);
        (void) ngx_tscast_bits_ue(b);
        (void) ngx_tscast_bits_ue(b);
        (void) ngx_tscast_bit(b);
    }

    ngx_tscast_sps_hevc_references(b);

    /* long_term_ref_pics_present_flag: lt_ref_pic_poc_lsb_sps and a flag */

    if (ngx_tscast_bit(b)) {
        n = ngx_tscast_bits_ue(b);
        ngx_tscast_bits_skip(b, n * (bits + 1));
    }

    /* sps_temporal_mvp and strong_intra_smoothing */

    (void) ngx_tscast_bits(b, 2);
}


/* 7.3.4 */

static void
ngx_tscast_sps_hevc_scaling(ngx_tscast_bits_t *b)
{
    ngx_uint_t  size, matrix, n;

    for (size = 0; size < 4; size++) {

        for (matrix = 0; matrix < 6; matrix += (size == 3) ? 3 : 1) {

            if (!ngx_tscast_bit(b)) {
                (void) ngx_tscast_bits_ue(b);
                continue;
            }

            n = ngx_min(64, 1 << (4 + (size << 1)));
            n += (size > 1) ? 1 : 0;

            for ( /* void */ ; n; n--) {
                (void) ngx_tscast_bits_se(b);
            }
        }
    }
}


/* 7.3.7: st_ref_pic_set; 7.4.8 gives the number of pictures of each */

static void
ngx_tscast_sps_hevc_references(ngx_tscast_bits_t *b)
{
    ngx_uint_t  i, j, n, sets, pictures;

    sets = ngx_tscast_bits_ue(b);
    pictures = 0;

    for (i = 0; i < sets && !b->over; i++) {

        if (i && ngx_tscast_bit(b)) {

            /* delta_rps_sign, abs_delta_rps_minus1 */

            (void) ngx_tscast_bit(b);
            (void) ngx_tscast_bits_ue(b);

            n = 0;

            for (j = 0; j <= pictures; j++) {

                /* used_by_curr_pic_flag, or else use_delta_flag */

                if (ngx_tscast_bit(b) || ngx_tscast_bit(b)) {
                    n++;
                }
            }

            pictures = n;
            continue;
        }

        /* num_negative_pics, num_positive_pics */

        pictures = ngx_tscast_bits_ue(b) & 0x1f;
        pictures += ngx_tscast_bits_ue(b) & 0x1f;

        for (j = 0; j < pictures; j++) {
            (void) ngx_tscast_bits_ue(b);
            (void) ngx_tscast_bit(b);
        }
    }
}


/* annex E, E.2.1 */

static void
ngx_tscast_sps_hevc_vui(ngx_tscast_bits_t *b, ngx_tscast_sps_t *sps)
{
    ngx_uint_t  i;

    ngx_tscast_sps_vui(b);

    /* neutral_chroma_indication, field_seq, frame_field_info_present */

    (void) ngx_tscast_bits(b, 3);

    /* default_display_window */

    if (ngx_tscast_bit(b)) {
        for (i = 0; i < 4; i++) {
            (void) ngx_tscast_bits_ue(b);
        }
    }

    /* vui_timing_info_present_flag */

    if (ngx_tscast_bit(b)) {
        sps->seconds = (uint32_t) ngx_tscast_bits(b, 32);
        sps->frames = (uint32_t) ngx_tscast_bits(b, 32);
    }
}
