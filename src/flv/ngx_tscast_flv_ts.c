
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_ts.h>


/* 90 kHz */
#define NGX_TSCAST_FLV_MS       90

/* so that a stream that starts at 0 has room for its PCRs before that */
#define NGX_TSCAST_FLV_LEAD     90000

/* how long a track that was promised stays in the program without a frame */
#define NGX_TSCAST_FLV_PATIENCE (3 * 90000)

/* CodecIDs */
#define NGX_TSCAST_FLV_ID_MP3    2
#define NGX_TSCAST_FLV_ID_MP3_8  14
#define NGX_TSCAST_FLV_ID_AAC    10
#define NGX_TSCAST_FLV_ID_AVC    7
#define NGX_TSCAST_FLV_ID_HVC1   0x68766331


static ngx_int_t ngx_tscast_flv_ts_video(ngx_tscast_flv_ts_t *t,
    uint32_t timestamp, u_char *p, size_t len);
static ngx_int_t ngx_tscast_flv_ts_video_config(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_message_t *msg);
static ngx_uint_t ngx_tscast_flv_ts_video_type(ngx_tscast_flv_codec_e codec);
static ngx_int_t ngx_tscast_flv_ts_video_frame(ngx_tscast_flv_ts_t *t,
    uint32_t timestamp, ngx_tscast_flv_message_t *msg);
static ngx_int_t ngx_tscast_flv_ts_video_write(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_message_t *msg, ngx_tscast_flv_unit_t *au,
    ngx_tscast_mux_unit_t *unit);
static ngx_int_t ngx_tscast_flv_ts_audio(ngx_tscast_flv_ts_t *t,
    uint32_t timestamp, u_char *p, size_t len);
static ngx_int_t ngx_tscast_flv_ts_aac_config(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_message_t *msg);
static ngx_int_t ngx_tscast_flv_ts_audio_frame(ngx_tscast_flv_ts_t *t,
    uint32_t timestamp, ngx_tscast_flv_message_t *msg);
static void ngx_tscast_flv_ts_unit(ngx_tscast_flv_ts_t *t,
    ngx_tscast_mux_unit_t *unit, uint32_t timestamp, int32_t offset);
static void ngx_tscast_flv_ts_taken(ngx_tscast_flv_ts_t *t, ngx_uint_t key,
    ngx_uint_t config);
static ngx_int_t ngx_tscast_flv_ts_leave_out(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_reason_e reason);


const char  *ngx_tscast_flv_ts_reasons[] = {
    "a frame is cut off",
    "a sequence header is invalid",
    "frames come before their sequence header",
    "video does not begin with a key frame",
    "a frame is too long"
};


void
ngx_tscast_flv_ts_init(ngx_tscast_flv_ts_t *t)
{
    ngx_tscast_mux_init(&t->mux);

    ngx_memzero(&t->time, sizeof(ngx_tscast_flv_time_t));
    ngx_memzero(&t->aac, sizeof(ngx_tscast_flv_aac_t));
    ngx_memzero(t->seen, sizeof(t->seen));

    t->video.codec = NGX_TSCAST_FLV_OTHER;
    t->key = 0;
}


void
ngx_tscast_flv_ts_expect(ngx_tscast_flv_ts_t *t, ngx_uint_t video,
    ngx_uint_t audio)
{
    ngx_uint_t  type;

    type = (video == NGX_TSCAST_FLV_ID_AVC) ? NGX_TSCAST_MUX_H264
           : (video == NGX_TSCAST_FLV_ID_HVC1) ? NGX_TSCAST_MUX_HEVC
           : NGX_TSCAST_MUX_NONE;

    ngx_tscast_mux_track(&t->mux, NGX_TSCAST_MUX_VIDEO, type);

    type = (audio == NGX_TSCAST_FLV_ID_AAC) ? NGX_TSCAST_MUX_ADTS
           : (audio == NGX_TSCAST_FLV_ID_MP3) ? NGX_TSCAST_MUX_MPEG1_AUDIO
           : (audio == NGX_TSCAST_FLV_ID_MP3_8) ? NGX_TSCAST_MUX_MPEG2_AUDIO
           : NGX_TSCAST_MUX_NONE;

    ngx_tscast_mux_track(&t->mux, NGX_TSCAST_MUX_AUDIO, type);
}


ngx_int_t
ngx_tscast_flv_ts_message(ngx_tscast_flv_ts_t *t, ngx_uint_t type,
    uint32_t timestamp, u_char *p, size_t len)
{
    t->message.type = (u_char) type;
    t->message.data = p;
    t->message.len = len;

    return (type == NGX_TSCAST_FLV_VIDEO)
           ? ngx_tscast_flv_ts_video(t, timestamp, p, len)
           : ngx_tscast_flv_ts_audio(t, timestamp, p, len);
}


ngx_uint_t
ngx_tscast_flv_ts_tracks(ngx_tscast_flv_ts_t *t)
{
    ngx_uint_t               has;
    ngx_tscast_mux_track_t  *tracks;

    has = 0;
    tracks = t->mux.tracks;

    if (tracks[NGX_TSCAST_MUX_VIDEO].type != NGX_TSCAST_MUX_NONE) {
        has |= NGX_TSCAST_FLV_HAS_VIDEO;
    }

    if (tracks[NGX_TSCAST_MUX_AUDIO].type != NGX_TSCAST_MUX_NONE) {
        has |= NGX_TSCAST_FLV_HAS_AUDIO;
    }

    return has;
}


static ngx_int_t
ngx_tscast_flv_ts_video(ngx_tscast_flv_ts_t *t, uint32_t timestamp, u_char *p,
    size_t len)
{
    ngx_int_t                 rc;
    ngx_tscast_flv_message_t  msg;

    rc = ngx_tscast_flv_read_video(&msg, p, len);

    if (rc == NGX_DECLINED) {
        t->name = msg.name;
        return NGX_ABORT;
    }

    if (rc != NGX_OK) {
        return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_BROKEN);
    }

    switch (msg.kind) {

    case NGX_TSCAST_FLV_CONFIG:
        return ngx_tscast_flv_ts_video_config(t, &msg);

    case NGX_TSCAST_FLV_FRAME:
        return ngx_tscast_flv_ts_video_frame(t, timestamp, &msg);

    default:
        ngx_tscast_flv_ts_taken(t, 0, 0);
        return NGX_OK;
    }
}


static ngx_int_t
ngx_tscast_flv_ts_video_config(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_message_t *msg)
{
    ngx_int_t               rc;
    ngx_tscast_flv_codec_e  codec;

    codec = msg->codec;

    if (t->video.codec != codec) {
        t->key = 0;
    }

    rc = (codec == NGX_TSCAST_FLV_HEVC)
         ? ngx_tscast_flv_read_hvcc(&t->video, msg->data, msg->len)
         : ngx_tscast_flv_read_avcc(&t->video, msg->data, msg->len);

    if (rc != NGX_OK) {
        t->video.codec = NGX_TSCAST_FLV_OTHER;
        return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_BAD_CONFIG);
    }

    ngx_tscast_mux_track(&t->mux, NGX_TSCAST_MUX_VIDEO,
                         ngx_tscast_flv_ts_video_type(codec));

    ngx_tscast_flv_ts_taken(t, 0, 1);

    return NGX_OK;
}


static ngx_uint_t
ngx_tscast_flv_ts_video_type(ngx_tscast_flv_codec_e codec)
{
    return (codec == NGX_TSCAST_FLV_HEVC) ? NGX_TSCAST_MUX_HEVC
                                          : NGX_TSCAST_MUX_H264;
}


static ngx_int_t
ngx_tscast_flv_ts_video_frame(ngx_tscast_flv_ts_t *t, uint32_t timestamp,
    ngx_tscast_flv_message_t *msg)
{
    ngx_tscast_mux_unit_t  unit;
    ngx_tscast_flv_unit_t  au;

    if (t->video.codec != msg->codec) {
        return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_NO_CONFIG);
    }

    if (ngx_tscast_flv_read_unit(&t->video, msg->data, msg->len, &au)
        != NGX_OK)
    {
        return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_BROKEN);
    }

    if (au.len == 0) {
        return NGX_OK;
    }

    unit.track = NGX_TSCAST_MUX_VIDEO;
    unit.random = msg->key || au.random;

    if (!t->key && !unit.random) {
        return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_NO_KEY);
    }

    t->key = 1;

    ngx_tscast_mux_track(&t->mux, NGX_TSCAST_MUX_VIDEO,
                         ngx_tscast_flv_ts_video_type(msg->codec));

    ngx_tscast_flv_ts_unit(t, &unit, timestamp, msg->offset);
    ngx_tscast_flv_ts_taken(t, unit.random, 0);

    return ngx_tscast_flv_ts_video_write(t, msg, &au, &unit);
}


/*
 * An access unit begins with a delimiter, and with parameter sets where a
 * decoder can start: ISO/IEC 13818-1, 2.14.1 and 2.17.1.
 */

static ngx_int_t
ngx_tscast_flv_ts_video_write(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_message_t *msg, ngx_tscast_flv_unit_t *au,
    ngx_tscast_mux_unit_t *unit)
{
    u_char      *p, *last, *delimiter;
    size_t       n;
    ngx_str_t    nal;
    ngx_uint_t   sets;

    /* of any picture type: ISO/IEC 14496-10, 7.3.2.4, 23008-2, 7.3.2.5 */
    static u_char  avc[] = { 0x00, 0x00, 0x00, 0x01, 0x09, 0xf0 };
    static u_char  hevc[] = { 0x00, 0x00, 0x00, 0x01, 0x46, 0x01, 0x50 };
    static u_char  start_code[] = { 0x00, 0x00, 0x00, 0x01 };

    if (t->video.codec == NGX_TSCAST_FLV_HEVC) {
        delimiter = hevc;
        n = sizeof(hevc);

    } else {
        delimiter = avc;
        n = sizeof(avc);
    }

    sets = (unit->random && !au->sets);

    unit->len = n + (sets ? t->video.len : 0) + au->len;

    ngx_tscast_mux_begin(&t->mux, unit);
    ngx_tscast_mux_put(&t->mux, delimiter, n);

    if (sets) {
        ngx_tscast_mux_put(&t->mux, t->video.sets, t->video.len);
    }

    p = msg->data;
    last = p + msg->len;

    while (ngx_tscast_flv_read_nal(&t->video, &p, last, &nal) == NGX_OK) {
        ngx_tscast_mux_put(&t->mux, start_code, NGX_TSCAST_FLV_START_CODE);
        ngx_tscast_mux_put(&t->mux, nal.data, nal.len);
    }

    return ngx_tscast_mux_end(&t->mux);
}


static ngx_int_t
ngx_tscast_flv_ts_audio(ngx_tscast_flv_ts_t *t, uint32_t timestamp, u_char *p,
    size_t len)
{
    ngx_int_t                 rc;
    ngx_tscast_flv_message_t  msg;

    rc = ngx_tscast_flv_read_audio(&msg, p, len);

    if (rc == NGX_DECLINED) {
        t->name = msg.name;
        return NGX_ABORT;
    }

    if (rc != NGX_OK) {
        return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_BROKEN);
    }

    if (msg.kind == NGX_TSCAST_FLV_CONFIG && msg.codec == NGX_TSCAST_FLV_AAC) {
        return ngx_tscast_flv_ts_aac_config(t, &msg);
    }

    if (msg.kind == NGX_TSCAST_FLV_FRAME && msg.len) {
        return ngx_tscast_flv_ts_audio_frame(t, timestamp, &msg);
    }

    ngx_tscast_flv_ts_taken(t, 0, 0);

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_flv_ts_aac_config(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_message_t *msg)
{
    ngx_int_t  rc;

    rc = ngx_tscast_flv_read_aac(&t->aac, msg->data, msg->len, &t->name);

    if (rc == NGX_OK) {
        ngx_tscast_mux_track(&t->mux, NGX_TSCAST_MUX_AUDIO,
                             NGX_TSCAST_MUX_ADTS);
        ngx_tscast_flv_ts_taken(t, 0, 1);

        return NGX_OK;
    }

    t->aac.object = 0;

    return (rc == NGX_DECLINED)
           ? NGX_ABORT
           : ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_BAD_CONFIG);
}


static ngx_int_t
ngx_tscast_flv_ts_audio_frame(ngx_tscast_flv_ts_t *t, uint32_t timestamp,
    ngx_tscast_flv_message_t *msg)
{
    u_char                 header[NGX_TSCAST_FLV_ADTS];
    size_t                 n, max;
    ngx_uint_t             rate, type;
    ngx_tscast_mux_unit_t  unit;

    if (msg->codec == NGX_TSCAST_FLV_AAC) {

        if (t->aac.object == 0) {
            return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_NO_CONFIG);
        }

        type = NGX_TSCAST_MUX_ADTS;
        max = NGX_TSCAST_FLV_MAX_AAC;
        n = NGX_TSCAST_FLV_ADTS;

        ngx_tscast_flv_adts(&t->aac, header, msg->len);

    } else {
        rate = ngx_tscast_flv_mp3_rate(msg->data, msg->len);

        if (rate == 0) {
            return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_BROKEN);
        }

        type = (rate < 32000) ? NGX_TSCAST_MUX_MPEG2_AUDIO
                              : NGX_TSCAST_MUX_MPEG1_AUDIO;
        max = NGX_TSCAST_MUX_MAX_AUDIO;
        n = 0;
    }

    if (msg->len > max) {
        return ngx_tscast_flv_ts_leave_out(t, NGX_TSCAST_FLV_TOO_LONG);
    }

    ngx_tscast_mux_track(&t->mux, NGX_TSCAST_MUX_AUDIO, type);

    unit.track = NGX_TSCAST_MUX_AUDIO;
    unit.len = n + msg->len;

    ngx_tscast_flv_ts_unit(t, &unit, timestamp, 0);

    unit.random = (t->mux.tracks[NGX_TSCAST_MUX_VIDEO].type
                   == NGX_TSCAST_MUX_NONE);

    ngx_tscast_flv_ts_taken(t, unit.random, 0);

    ngx_tscast_mux_begin(&t->mux, &unit);
    ngx_tscast_mux_put(&t->mux, header, n);
    ngx_tscast_mux_put(&t->mux, msg->data, msg->len);

    return ngx_tscast_mux_end(&t->mux);
}


/* the times of a unit; a track that does not come leaves the program */

static void
ngx_tscast_flv_ts_unit(ngx_tscast_flv_ts_t *t, ngx_tscast_mux_unit_t *unit,
    uint32_t timestamp, int32_t offset)
{
    uint64_t    time, dts;
    ngx_uint_t  i;

    i = unit->track;

    time = ngx_tscast_flv_time(&t->time, i, timestamp);

    dts = time * NGX_TSCAST_FLV_MS + NGX_TSCAST_FLV_LEAD;
    unit->pts = dts + (int64_t) offset * NGX_TSCAST_FLV_MS;
    unit->dts = ngx_min(dts, unit->pts);

    if (!t->seen[NGX_TSCAST_MUX_VIDEO] && !t->seen[NGX_TSCAST_MUX_AUDIO]) {
        t->began = unit->dts;
    }

    if (t->seen[i] && unit->dts <= t->dts[i]) {
        unit->dts = t->dts[i] + 1;
        unit->pts = ngx_max(unit->pts, unit->dts);
    }

    t->dts[i] = unit->dts;
    t->seen[i] = 1;

    i = !i;

    if (!t->seen[i] && unit->dts - t->began > NGX_TSCAST_FLV_PATIENCE) {
        ngx_tscast_mux_track(&t->mux, i, NGX_TSCAST_MUX_NONE);
    }
}


/* one without a frame has the time of the frame before it */

static void
ngx_tscast_flv_ts_taken(ngx_tscast_flv_ts_t *t, ngx_uint_t key,
    ngx_uint_t config)
{
    uint64_t                time;
    ngx_tscast_flv_line_t  *line;

    if (t->tag == NULL) {
        return;
    }

    line = &t->time.lines[(t->message.type == NGX_TSCAST_FLV_VIDEO)
                          ? NGX_TSCAST_MUX_VIDEO : NGX_TSCAST_MUX_AUDIO];

    time = line->seen ? line->last : t->time.clock;

    t->message.key = key;
    t->message.config = config;
    t->message.late = 0;

    t->tag(t->mux.data, &t->message,
           time + NGX_TSCAST_FLV_LEAD / NGX_TSCAST_FLV_MS);
}


static ngx_int_t
ngx_tscast_flv_ts_leave_out(ngx_tscast_flv_ts_t *t,
    ngx_tscast_flv_reason_e reason)
{
    t->reason = reason;

    return NGX_DECLINED;
}
