
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_SPS_H_INCLUDED_
#define _NGX_TSCAST_SPS_H_INCLUDED_


/*
 * Sequence parameter sets of H.264 and HEVC: pure functions over bytes.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_bits.h"


/* general_profile_space up to general_level_idc */
#define NGX_TSCAST_SPS_PTL  12


typedef struct {
    ngx_uint_t              width;        /* of what is shown */
    ngx_uint_t              height;
    ngx_uint_t              chroma;       /* chroma_format_idc */
    ngx_uint_t              luma_depth;
    ngx_uint_t              chroma_depth;
    u_char                  profile;
    u_char                  level;
    u_char                  layers;       /* HEVC: temporal ones */
    u_char                  nested;       /* HEVC: temporal ids */
    u_char                  ptl[NGX_TSCAST_SPS_PTL];  /* HEVC */

    /* with whole: what follows could be read as well */

    ngx_uint_t              whole;
    uint32_t                frames;       /* in so many seconds */
    uint32_t                seconds;
} ngx_tscast_sps_t;


/* a NAL unit from its header on; NGX_OK or NGX_DECLINED */
ngx_int_t ngx_tscast_sps_h264(ngx_tscast_sps_t *sps, u_char *nal, size_t len);
ngx_int_t ngx_tscast_sps_hevc(ngx_tscast_sps_t *sps, u_char *nal, size_t len);

/* what profile_tier_level() says of the n lower temporal layers */
void ngx_tscast_sps_hevc_layers(ngx_tscast_bits_t *b, ngx_uint_t n);


#endif /* _NGX_TSCAST_SPS_H_INCLUDED_ */
