
/*
 * Copyright (C) the tscast authors
 */


/*
 * Sequence parameter sets, as far as the size of the picture and the frame
 * rate: ISO/IEC 14496-10, 7.3.2.1.1, and ISO/IEC 23008-2, 7.3.2.2.  A set that
 * is cut reads as zeros and is refused at the end.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts_info.h>


#define NGX_TSCAST_TS_MAX_SPS  512

#define NGX_TSCAST_TS_SAR_EXTENDED  255


typedef struct {
    size_t                  pos;          /* bits */
    size_t                  last;
    u_char                  buf[NGX_TSCAST_TS_MAX_SPS];
} ngx_tscast_ts_bits_t;


typedef struct {
    ngx_uint_t              width;        /* samples of luma */
    ngx_uint_t              height;
    ngx_uint_t              chroma;       /* chroma_format_idc */
    ngx_uint_t              fields;       /* 1, or 2 in a frame */
    uint32_t                crop[4];      /* left, right, top, bottom */
} ngx_tscast_ts_picture_t;


static void ngx_tscast_ts_bits_init(ngx_tscast_ts_bits_t *b, u_char *nal,
    size_t len);
static uint32_t ngx_tscast_ts_bits(ngx_tscast_ts_bits_t *b, ngx_uint_t n);
static uint32_t ngx_tscast_ts_ue(ngx_tscast_ts_bits_t *b);
static int32_t ngx_tscast_ts_se(ngx_tscast_ts_bits_t *b);
static ngx_uint_t ngx_tscast_ts_sps_h264_high(ngx_uint_t profile);
static void ngx_tscast_ts_sps_h264_chroma(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_picture_t *pic);
static void ngx_tscast_ts_sps_h264_scaling(ngx_tscast_ts_bits_t *b,
    ngx_uint_t size);
static void ngx_tscast_ts_sps_h264_order(ngx_tscast_ts_bits_t *b);
static void ngx_tscast_ts_sps_h264_size(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_picture_t *pic);
static void ngx_tscast_ts_sps_crop(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_picture_t *pic);
static void ngx_tscast_ts_sps_vui(ngx_tscast_ts_bits_t *b);
static void ngx_tscast_ts_sps_hevc_level(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_info_t *info, ngx_uint_t layers);
static void ngx_tscast_ts_sps_hevc_coding(ngx_tscast_ts_bits_t *b,
    ngx_uint_t layers);
static void ngx_tscast_ts_sps_hevc_scaling(ngx_tscast_ts_bits_t *b);
static void ngx_tscast_ts_sps_hevc_references(ngx_tscast_ts_bits_t *b);
static void ngx_tscast_ts_sps_hevc_vui(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_info_t *info);
static ngx_int_t ngx_tscast_ts_sps_set(ngx_tscast_ts_info_t *info,
    ngx_tscast_ts_picture_t *pic);


/* up to the next start code, without emulation_prevention_three_byte */

static void
ngx_tscast_ts_bits_init(ngx_tscast_ts_bits_t *b, u_char *nal, size_t len)
{
    size_t       n;
    u_char      *p, *last;
    ngx_uint_t   zeros;

    n = 0;
    zeros = 0;
    last = nal + len;

    for (p = nal; p < last && n < NGX_TSCAST_TS_MAX_SPS; p++) {

        if (zeros >= 2 && *p <= 1) {
            break;
        }

        if (zeros >= 2 && *p == 3) {
            zeros = 0;
            continue;
        }

        zeros = (*p == 0) ? zeros + 1 : 0;
        b->buf[n++] = *p;
    }

    b->pos = 0;
    b->last = n * 8;
}


static uint32_t
ngx_tscast_ts_bits(ngx_tscast_ts_bits_t *b, ngx_uint_t n)
{
    uint32_t  bits;

    bits = 0;

    for ( /* void */ ; n; n--, b->pos++) {
        bits <<= 1;

        if (b->pos < b->last) {
            bits |= b->buf[b->pos / 8] >> (7 - b->pos % 8) & 1;
        }
    }

    return bits;
}


/* ISO/IEC 14496-10, 9.1 */

static uint32_t
ngx_tscast_ts_ue(ngx_tscast_ts_bits_t *b)
{
    ngx_uint_t  zeros;

    for (zeros = 0; zeros < 32; zeros++) {
        if (ngx_tscast_ts_bits(b, 1)) {
            break;
        }
    }

    if (zeros == 32) {

        /* none of the numbers here is so large */

        b->pos = b->last + 1;
        return 0;
    }

    return ((uint32_t) 1 << zeros) - 1 + ngx_tscast_ts_bits(b, zeros);
}


static int32_t
ngx_tscast_ts_se(ngx_tscast_ts_bits_t *b)
{
    uint32_t  n;

    n = ngx_tscast_ts_ue(b);

    return (n & 1) ? (int32_t) (n / 2 + 1) : -(int32_t) (n / 2);
}


ngx_int_t
ngx_tscast_ts_sps_h264(ngx_tscast_ts_info_t *info, u_char *nal, size_t len)
{
    uint32_t                 ticks, scale;
    ngx_tscast_ts_bits_t     b;
    ngx_tscast_ts_info_t     in;
    ngx_tscast_ts_picture_t  pic;

    ngx_tscast_ts_bits_init(&b, nal, len);
    ngx_memzero(&pic, sizeof(ngx_tscast_ts_picture_t));
    ngx_memzero(&in, sizeof(ngx_tscast_ts_info_t));

    /* NAL unit header; the flags are between profile_idc and level_idc */

    (void) ngx_tscast_ts_bits(&b, 8);

    in.profile = ngx_tscast_ts_bits(&b, 8);
    (void) ngx_tscast_ts_bits(&b, 8);
    in.level = ngx_tscast_ts_bits(&b, 8);

    /* seq_parameter_set_id */

    (void) ngx_tscast_ts_ue(&b);

    pic.chroma = 1;

    if (ngx_tscast_ts_sps_h264_high(in.profile)) {
        ngx_tscast_ts_sps_h264_chroma(&b, &pic);
    }

    ngx_tscast_ts_sps_h264_order(&b);
    ngx_tscast_ts_sps_h264_size(&b, &pic);

    /* vui_parameters_present_flag */

    if (ngx_tscast_ts_bits(&b, 1)) {
        ngx_tscast_ts_sps_vui(&b);

        /* timing_info_present_flag; a tick is half of a frame */

        if (ngx_tscast_ts_bits(&b, 1)) {
            ticks = ngx_tscast_ts_bits(&b, 32);
            scale = ngx_tscast_ts_bits(&b, 32);

            if (ticks <= NGX_MAX_INT32_VALUE) {
                in.frames = scale;
                in.seconds = ticks * 2;
            }
        }
    }

    if (b.pos > b.last || ngx_tscast_ts_sps_set(&in, &pic) != NGX_OK) {
        return NGX_DECLINED;
    }

    *info = in;

    return NGX_OK;
}


static ngx_uint_t
ngx_tscast_ts_sps_h264_high(ngx_uint_t profile)
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
ngx_tscast_ts_sps_h264_chroma(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_picture_t *pic)
{
    ngx_uint_t  i, n;

    pic->chroma = ngx_tscast_ts_ue(b);

    /* separate_colour_plane_flag */

    if (pic->chroma == 3) {
        (void) ngx_tscast_ts_bits(b, 1);
    }

    /* bit depths, qpprime_y_zero_transform_bypass_flag */

    (void) ngx_tscast_ts_ue(b);
    (void) ngx_tscast_ts_ue(b);
    (void) ngx_tscast_ts_bits(b, 1);

    /* seq_scaling_matrix_present_flag */

    if (!ngx_tscast_ts_bits(b, 1)) {
        return;
    }

    n = (pic->chroma == 3) ? 12 : 8;

    for (i = 0; i < n; i++) {
        if (ngx_tscast_ts_bits(b, 1)) {
            ngx_tscast_ts_sps_h264_scaling(b, i < 6 ? 16 : 64);
        }
    }
}


/* 7.3.2.1.1.1 */

static void
ngx_tscast_ts_sps_h264_scaling(ngx_tscast_ts_bits_t *b, ngx_uint_t size)
{
    int32_t     delta;
    uint32_t    last;
    ngx_uint_t  i;

    last = 8;

    for (i = 0; i < size && last; i++) {
        delta = ngx_tscast_ts_se(b);
        last = (last + (uint32_t) delta) & 0xff;
    }
}


/* log2_max_frame_num and picture order counts */

static void
ngx_tscast_ts_sps_h264_order(ngx_tscast_ts_bits_t *b)
{
    uint32_t  n;

    (void) ngx_tscast_ts_ue(b);

    switch (ngx_tscast_ts_ue(b)) {

    case 0:
        (void) ngx_tscast_ts_ue(b);
        break;

    case 1:
        (void) ngx_tscast_ts_bits(b, 1);
        (void) ngx_tscast_ts_se(b);
        (void) ngx_tscast_ts_se(b);

        for (n = ngx_tscast_ts_ue(b); n && b->pos < b->last; n--) {
            (void) ngx_tscast_ts_se(b);
        }

        break;
    }

    /* max_num_ref_frames, gaps_in_frame_num_value_allowed_flag */

    (void) ngx_tscast_ts_ue(b);
    (void) ngx_tscast_ts_bits(b, 1);
}


static void
ngx_tscast_ts_sps_h264_size(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_picture_t *pic)
{
    pic->width = 16 * ((ngx_uint_t) ngx_tscast_ts_ue(b) + 1);
    pic->height = 16 * ((ngx_uint_t) ngx_tscast_ts_ue(b) + 1);
    pic->fields = 1;

    /* frame_mbs_only_flag, mb_adaptive_frame_field_flag */

    if (!ngx_tscast_ts_bits(b, 1)) {
        (void) ngx_tscast_ts_bits(b, 1);

        pic->fields = 2;
        pic->height *= 2;
    }

    /* direct_8x8_inference_flag */

    (void) ngx_tscast_ts_bits(b, 1);

    ngx_tscast_ts_sps_crop(b, pic);
}


/* frame_cropping of H.264, conformance_window of HEVC */

static void
ngx_tscast_ts_sps_crop(ngx_tscast_ts_bits_t *b, ngx_tscast_ts_picture_t *pic)
{
    ngx_uint_t  i;

    if (!ngx_tscast_ts_bits(b, 1)) {
        return;
    }

    for (i = 0; i < 4; i++) {
        pic->crop[i] = ngx_tscast_ts_ue(b);
    }
}


/* what the vui_parameters of both begin with */

static void
ngx_tscast_ts_sps_vui(ngx_tscast_ts_bits_t *b)
{
    /* aspect_ratio_info */

    if (ngx_tscast_ts_bits(b, 1)
        && ngx_tscast_ts_bits(b, 8) == NGX_TSCAST_TS_SAR_EXTENDED)
    {
        (void) ngx_tscast_ts_bits(b, 32);
    }

    /* overscan_info */

    if (ngx_tscast_ts_bits(b, 1)) {
        (void) ngx_tscast_ts_bits(b, 1);
    }

    /* video_signal_type, colour_description */

    if (ngx_tscast_ts_bits(b, 1)) {
        (void) ngx_tscast_ts_bits(b, 4);

        if (ngx_tscast_ts_bits(b, 1)) {
            (void) ngx_tscast_ts_bits(b, 24);
        }
    }

    /* chroma_loc_info */

    if (ngx_tscast_ts_bits(b, 1)) {
        (void) ngx_tscast_ts_ue(b);
        (void) ngx_tscast_ts_ue(b);
    }
}


ngx_int_t
ngx_tscast_ts_sps_hevc(ngx_tscast_ts_info_t *info, u_char *nal, size_t len)
{
    ngx_uint_t               layers;
    ngx_tscast_ts_bits_t     b;
    ngx_tscast_ts_info_t     in;
    ngx_tscast_ts_picture_t  pic;

    ngx_tscast_ts_bits_init(&b, nal, len);
    ngx_memzero(&pic, sizeof(ngx_tscast_ts_picture_t));
    ngx_memzero(&in, sizeof(ngx_tscast_ts_info_t));

    /* NAL unit header, sps_video_parameter_set_id */

    (void) ngx_tscast_ts_bits(&b, 20);

    /* sps_max_sub_layers_minus1, sps_temporal_id_nesting_flag */

    layers = ngx_tscast_ts_bits(&b, 3);
    (void) ngx_tscast_ts_bits(&b, 1);

    ngx_tscast_ts_sps_hevc_level(&b, &in, layers);

    (void) ngx_tscast_ts_ue(&b);

    pic.fields = 1;
    pic.chroma = ngx_tscast_ts_ue(&b);

    if (pic.chroma == 3) {
        (void) ngx_tscast_ts_bits(&b, 1);
    }

    pic.width = ngx_tscast_ts_ue(&b);
    pic.height = ngx_tscast_ts_ue(&b);

    ngx_tscast_ts_sps_crop(&b, &pic);
    ngx_tscast_ts_sps_hevc_coding(&b, layers);

    /* vui_parameters_present_flag */

    if (ngx_tscast_ts_bits(&b, 1)) {
        ngx_tscast_ts_sps_hevc_vui(&b, &in);
    }

    if (b.pos > b.last || ngx_tscast_ts_sps_set(&in, &pic) != NGX_OK) {
        return NGX_DECLINED;
    }

    *info = in;

    return NGX_OK;
}


/* 7.3.3: profile_tier_level */

static void
ngx_tscast_ts_sps_hevc_level(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_info_t *info, ngx_uint_t layers)
{
    ngx_uint_t  i, flags;

    (void) ngx_tscast_ts_bits(b, 3);

    info->profile = ngx_tscast_ts_bits(b, 5);

    b->pos += 32 + 48;

    info->level = ngx_tscast_ts_bits(b, 8);

    if (layers == 0) {
        return;
    }

    /* profile and level present, two bits each of eight layers */

    flags = ngx_tscast_ts_bits(b, 16);

    for (i = 0; i < layers; i++) {
        b->pos += (flags & 0x8000) ? 88 : 0;
        b->pos += (flags & 0x4000) ? 8 : 0;

        flags <<= 2;
    }
}


static void
ngx_tscast_ts_sps_hevc_coding(ngx_tscast_ts_bits_t *b, ngx_uint_t layers)
{
    uint32_t    bits, references;
    ngx_uint_t  n;

    /* bit depths */

    (void) ngx_tscast_ts_ue(b);
    (void) ngx_tscast_ts_ue(b);

    /* log2_max_pic_order_cnt_lsb_minus4, at most 12 */

    bits = 4 + (ngx_tscast_ts_ue(b) & 0x0f);

    /* sps_sub_layer_ordering_info_present_flag, three numbers each */

    n = ngx_tscast_ts_bits(b, 1) ? 3 * (layers + 1) : 3;

    /* sizes of blocks and depths of hierarchies, six numbers */

    for (n += 6; n; n--) {
        (void) ngx_tscast_ts_ue(b);
    }

    /* scaling_list_enabled_flag, sps_scaling_list_data_present_flag */

    if (ngx_tscast_ts_bits(b, 1) && ngx_tscast_ts_bits(b, 1)) {
        ngx_tscast_ts_sps_hevc_scaling(b);
    }

    /* amp_enabled_flag, sample_adaptive_offset_enabled_flag */

    (void) ngx_tscast_ts_bits(b, 2);

    /* pcm_enabled_flag */

    if (ngx_tscast_ts_bits(b, 1)) {
        (void) ngx_tscast_ts_bits(b, 8);
        (void) ngx_tscast_ts_ue(b);
        (void) ngx_tscast_ts_ue(b);
        (void) ngx_tscast_ts_bits(b, 1);
    }

    ngx_tscast_ts_sps_hevc_references(b);

    /* long_term_ref_pics_present_flag: lt_ref_pic_poc_lsb_sps and a flag */

    if (ngx_tscast_ts_bits(b, 1)) {
        references = ngx_tscast_ts_ue(b);
        b->pos += (size_t) references * (bits + 1);
    }

    /* sps_temporal_mvp and strong_intra_smoothing */

    (void) ngx_tscast_ts_bits(b, 2);
}


/* 7.3.4 */

static void
ngx_tscast_ts_sps_hevc_scaling(ngx_tscast_ts_bits_t *b)
{
    ngx_uint_t  size, matrix, n;

    for (size = 0; size < 4; size++) {

        for (matrix = 0; matrix < 6; matrix += (size == 3) ? 3 : 1) {

            if (!ngx_tscast_ts_bits(b, 1)) {
                (void) ngx_tscast_ts_ue(b);
                continue;
            }

            n = ngx_min(64, 1 << (4 + (size << 1)));
            n += (size > 1) ? 1 : 0;

            for ( /* void */ ; n; n--) {
                (void) ngx_tscast_ts_se(b);
            }
        }
    }
}


/* 7.3.7: st_ref_pic_set; 7.4.8 gives the number of pictures of each */

static void
ngx_tscast_ts_sps_hevc_references(ngx_tscast_ts_bits_t *b)
{
    uint32_t  i, j, n, sets, pictures;

    sets = ngx_tscast_ts_ue(b);
    pictures = 0;

    for (i = 0; i < sets && b->pos <= b->last; i++) {

        if (i && ngx_tscast_ts_bits(b, 1)) {

            /* delta_rps_sign, abs_delta_rps_minus1 */

            (void) ngx_tscast_ts_bits(b, 1);
            (void) ngx_tscast_ts_ue(b);

            n = 0;

            for (j = 0; j <= pictures; j++) {

                /* used_by_curr_pic_flag, or else use_delta_flag */

                if (ngx_tscast_ts_bits(b, 1) || ngx_tscast_ts_bits(b, 1)) {
                    n++;
                }
            }

            pictures = n;
            continue;
        }

        /* num_negative_pics, num_positive_pics */

        pictures = ngx_tscast_ts_ue(b) & 0x1f;
        pictures += ngx_tscast_ts_ue(b) & 0x1f;

        for (j = 0; j < pictures; j++) {
            (void) ngx_tscast_ts_ue(b);
            (void) ngx_tscast_ts_bits(b, 1);
        }
    }
}


/* annex E, E.2.1 */

static void
ngx_tscast_ts_sps_hevc_vui(ngx_tscast_ts_bits_t *b,
    ngx_tscast_ts_info_t *info)
{
    ngx_uint_t  i;

    ngx_tscast_ts_sps_vui(b);

    /* neutral_chroma_indication, field_seq, frame_field_info_present */

    (void) ngx_tscast_ts_bits(b, 3);

    /* default_display_window */

    if (ngx_tscast_ts_bits(b, 1)) {
        for (i = 0; i < 4; i++) {
            (void) ngx_tscast_ts_ue(b);
        }
    }

    /* vui_timing_info_present_flag */

    if (ngx_tscast_ts_bits(b, 1)) {
        info->seconds = ngx_tscast_ts_bits(b, 32);
        info->frames = ngx_tscast_ts_bits(b, 32);
    }
}


static ngx_int_t
ngx_tscast_ts_sps_set(ngx_tscast_ts_info_t *info,
    ngx_tscast_ts_picture_t *pic)
{
    uint64_t  x, y;

    /* table 6-1: SubWidthC and SubHeightC */

    x = (pic->chroma == 1 || pic->chroma == 2) ? 2 : 1;
    y = (pic->chroma == 1) ? 2 : 1;

    x *= (uint64_t) pic->crop[0] + pic->crop[1];
    y *= ((uint64_t) pic->crop[2] + pic->crop[3]) * pic->fields;

    if (pic->width > 0xffff || pic->height > 0xffff || pic->chroma > 3
        || x >= pic->width || y >= pic->height)
    {
        return NGX_DECLINED;
    }

    info->width = pic->width - x;
    info->height = pic->height - y;

    return NGX_OK;
}
