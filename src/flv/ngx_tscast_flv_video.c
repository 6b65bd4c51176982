
/*
 * Copyright (C) the tscast authors
 */


/*
 * Access units of H.264 and HEVC: start codes become lengths, parameter sets
 * go into the decoder configuration, delimiters and filler are left out.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


#define NGX_TSCAST_FLV_AVC_SLICE      1
#define NGX_TSCAST_FLV_AVC_IDR        5
#define NGX_TSCAST_FLV_AVC_SEI        6
#define NGX_TSCAST_FLV_AVC_SPS        7
#define NGX_TSCAST_FLV_AVC_PPS        8
#define NGX_TSCAST_FLV_AVC_DELIMITER  9
#define NGX_TSCAST_FLV_AVC_FILLER     12

#define NGX_TSCAST_FLV_HEVC_IRAP      16        /* up to 23 */
#define NGX_TSCAST_FLV_HEVC_CODED     32        /* and less: slices */
#define NGX_TSCAST_FLV_HEVC_SPS       33
#define NGX_TSCAST_FLV_HEVC_PPS       34
#define NGX_TSCAST_FLV_HEVC_DELIMITER 35
#define NGX_TSCAST_FLV_HEVC_FILLER    38


typedef struct {
    u_char                   *p;              /* where the next unit goes */
    ngx_uint_t                coded;          /* slices seen */
    ngx_uint_t                entry;          /* SPS or recovery point */
    ngx_uint_t                key;
    ngx_uint_t                changed;        /* sets */
} ngx_tscast_flv_picture_t;


static void ngx_tscast_flv_video_config(ngx_tscast_flv_remux_t *m,
    uint32_t time);
static ngx_uint_t ngx_tscast_flv_avc_unit(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_picture_t *pic, u_char *nal, size_t len);
static ngx_uint_t ngx_tscast_flv_avc_intra(u_char *nal, size_t len);
static ngx_uint_t ngx_tscast_flv_hevc_unit(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_picture_t *pic, u_char *nal, size_t len);
static void ngx_tscast_flv_video_set(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_picture_t *pic, u_char *nal, size_t len);


void
ngx_tscast_flv_video_unit(void *data, ngx_tscast_ts_unit_t *unit)
{
    ngx_tscast_flv_remux_t *m = data;

    u_char                    *pos, *last, *nal, *media;
    size_t                     len, head;
    int64_t                    dts, pts;
    uint32_t                   time;
    ngx_uint_t                 keep, hevc;
    ngx_tscast_flv_tag_t       tag;
    ngx_tscast_flv_picture_t   pic;

    hevc = (m->program.video == NGX_TSCAST_FLV_CODEC_HEVC);

    media = m->out + NGX_TSCAST_FLV_HEADER;
    head = hevc ? 8 : 5;

    ngx_memzero(&pic, sizeof(ngx_tscast_flv_picture_t));
    pic.p = media + head;

    pos = unit->data;
    last = pos + unit->len;

    for ( ;; ) {
        nal = ngx_tscast_flv_nal(&pos, last, &len);

        if (nal == NULL) {
            break;
        }

        keep = hevc ? ngx_tscast_flv_hevc_unit(m, &pic, nal, len)
                    : ngx_tscast_flv_avc_unit(m, &pic, nal, len);

        if (keep) {
            pic.p = ngx_tscast_flv_put32(pic.p, len);
            pic.p = ngx_cpymem(pic.p, nal, len);
        }
    }

    if (unit->dts == NGX_TSCAST_TS_NO_TIME && !m->clocks[0].set) {
        m->lost++;
        return;
    }

    dts = ngx_tscast_flv_clock(&m->clocks[0], &m->clocks[1], unit->dts);
    pts = dts;

    if (unit->pts != NGX_TSCAST_TS_NO_TIME) {
        pts += ngx_tscast_ts_elapsed(unit->dts, unit->pts);
    }

    dts = ngx_max(dts, m->last[0]);
    m->last[0] = dts;

    time = (uint32_t) ((dts + 45) / 90);

    if (pic.changed) {
        ngx_tscast_flv_video_config(m, time);
    }

    if (!pic.coded || m->headers.video == 0) {
        m->lost += pic.coded;
        return;
    }

    (void) ngx_tscast_flv_video_head(media, m->program.video, pic.key, 0,
                                     (int32_t) ((pts + 45) / 90 - time));

    tag.data = m->out;
    tag.len = ngx_tscast_flv_tag(media, pic.p - media, NGX_TSCAST_FLV_VIDEO,
                                 time);
    tag.type = NGX_TSCAST_FLV_VIDEO;
    tag.key = pic.key;
    tag.config = 0;

    m->handler(m->data, &tag);
}


/* the sequence header is in m->headers: m->out has the picture */

static void
ngx_tscast_flv_video_config(ngx_tscast_flv_remux_t *m, uint32_t time)
{
    size_t                 len;
    u_char                *sps;
    ngx_int_t              rc;
    ngx_tscast_flv_tag_t   tag;

    if (m->program.video == NGX_TSCAST_FLV_CODEC_HEVC) {
        sps = ngx_tscast_flv_sets_get(&m->sets, NGX_TSCAST_FLV_HEVC_SPS, 0,
                                      &len);
        rc = sps ? ngx_tscast_sps_hevc(&m->sps, sps, len) : NGX_DECLINED;

    } else {
        sps = ngx_tscast_flv_sets_get(&m->sets, NGX_TSCAST_FLV_AVC_SPS, 0,
                                      &len);
        rc = sps ? ngx_tscast_sps_h264(&m->sps, sps, len) : NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        m->sps.width = 0;
    }

    ngx_tscast_flv_remux_headers(m);

    if (m->headers.video == 0) {
        return;
    }

    tag.data = m->headers.data + m->headers.script;
    tag.len = m->headers.video;
    tag.type = NGX_TSCAST_FLV_VIDEO;
    tag.key = 0;
    tag.config = 1;

    ngx_tscast_flv_set_time(tag.data + NGX_TSCAST_FLV_TIME, time);

    m->handler(m->data, &tag);
}


/* ISO/IEC 14496-10, table 7-1; returns 1 for what goes into the tag */

static ngx_uint_t
ngx_tscast_flv_avc_unit(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_picture_t *pic, u_char *nal, size_t len)
{
    switch (nal[0] & 0x1f) {

    case NGX_TSCAST_FLV_AVC_IDR:
        pic->key = 1;
        pic->coded = 1;
        return 1;

    case NGX_TSCAST_FLV_AVC_SLICE:

        /* where the parser of the stream sees a RAP, there is one here too */

        if (!pic->coded && pic->entry && ngx_tscast_flv_avc_intra(nal, len)) {
            pic->key = 1;
        }

        pic->coded = 1;
        return 1;

    case NGX_TSCAST_FLV_AVC_SEI:
        pic->entry |= ngx_tscast_flv_avc_recovers(nal, len);
        return 1;

    case NGX_TSCAST_FLV_AVC_SPS:
        pic->entry = 1;
        ngx_tscast_flv_video_set(m, pic, nal, len);
        return 0;

    case NGX_TSCAST_FLV_AVC_PPS:
        ngx_tscast_flv_video_set(m, pic, nal, len);
        return 0;

    case NGX_TSCAST_FLV_AVC_DELIMITER:
    case NGX_TSCAST_FLV_AVC_FILLER:
        return 0;

    default:
        return 1;
    }
}


/* first_mb_in_slice 0, slice_type 2 or 7: ISO/IEC 14496-10, 7.3.3 */

static ngx_uint_t
ngx_tscast_flv_avc_intra(u_char *nal, size_t len)
{
    u_char  type;

    if (len < 2 || !(nal[1] & 0x80)) {
        return 0;
    }

    type = nal[1] & 0x7f;

    return type >> 4 == 0x03 || type == 0x08;
}


/* ISO/IEC 23008-2, table 7-1 */

static ngx_uint_t
ngx_tscast_flv_hevc_unit(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_picture_t *pic, u_char *nal, size_t len)
{
    u_char  type;

    type = nal[0] >> 1 & 0x3f;

    if (type < NGX_TSCAST_FLV_HEVC_CODED) {

        if (type >= NGX_TSCAST_FLV_HEVC_IRAP && type < 24) {
            pic->key = 1;
        }

        pic->coded = 1;
        return 1;
    }

    if (type <= NGX_TSCAST_FLV_HEVC_PPS) {
        ngx_tscast_flv_video_set(m, pic, nal, len);
        return 0;
    }

    return type != NGX_TSCAST_FLV_HEVC_DELIMITER
           && type != NGX_TSCAST_FLV_HEVC_FILLER;
}


static void
ngx_tscast_flv_video_set(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_picture_t *pic, u_char *nal, size_t len)
{
    u_char     type;
    ngx_int_t  id;

    if (m->program.video == NGX_TSCAST_FLV_CODEC_HEVC) {
        type = nal[0] >> 1 & 0x3f;
        id = ngx_tscast_flv_hevc_set_id(nal, len);

    } else {
        type = nal[0] & 0x1f;
        id = ngx_tscast_flv_avc_set_id(nal, len);
    }

    if (id != NGX_DECLINED) {
        pic->changed |= ngx_tscast_flv_sets_keep(&m->sets, type, (u_char) id,
                                                 nal, len);
    }
}
