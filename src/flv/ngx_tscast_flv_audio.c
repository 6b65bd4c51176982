
/*
 * Copyright (C) the tscast authors
 */


/*
 * Audio: a tag for each frame.  A frame may begin in one PES packet and end
 * in the next; a PTS is that of the first frame that begins in its PES
 * packet, and the others follow by their number of samples.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


static ngx_int_t ngx_tscast_flv_audio_frame(ngx_tscast_flv_remux_t *m,
    u_char *p, size_t len, ngx_tscast_flv_frame_t *frame);
static void ngx_tscast_flv_audio_tag(ngx_tscast_flv_remux_t *m, u_char *p,
    ngx_tscast_flv_frame_t *frame);
static uint32_t ngx_tscast_flv_audio_time(ngx_tscast_flv_remux_t *m,
    ngx_uint_t rate);
static void ngx_tscast_flv_audio_config(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_frame_t *frame, uint32_t time);


void
ngx_tscast_flv_audio_unit(void *data, ngx_tscast_ts_unit_t *unit)
{
    ngx_tscast_flv_remux_t *m = data;

    u_char                  *p, *last;
    ngx_int_t                rc;
    ngx_uint_t               timed;
    ngx_tscast_flv_frame_t   frame;

    p = unit->data;
    last = p + unit->len;

    if (unit->damaged) {
        m->lost += (m->ncarry != 0);
        m->ncarry = 0;
    }

    p -= m->ncarry;
    ngx_memcpy(p, m->carry, m->ncarry);
    m->ncarry = 0;

    timed = 0;

    while (p < last) {

        if (!timed && p >= unit->data) {
            timed = 1;

            if (unit->pts != NGX_TSCAST_TS_NO_TIME) {
                m->frame_time = ngx_tscast_flv_clock(&m->clocks[1],
                                                     &m->clocks[0],
                                                     unit->pts);
                m->samples = 0;
            }
        }

        rc = ngx_tscast_flv_audio_frame(m, p, last - p, &frame);

        if (rc == NGX_DECLINED) {
            p++;
            continue;
        }

        if (rc == NGX_AGAIN || frame.len > (size_t) (last - p)) {
            break;
        }

        ngx_tscast_flv_audio_tag(m, p, &frame);

        p += frame.len;
    }

    if (last - p < NGX_TSCAST_FLV_MAX_FRAME && !unit->damaged) {
        m->ncarry = last - p;
        ngx_memcpy(m->carry, p, m->ncarry);
    }
}


static ngx_int_t
ngx_tscast_flv_audio_frame(ngx_tscast_flv_remux_t *m, u_char *p, size_t len,
    ngx_tscast_flv_frame_t *frame)
{
    switch (m->program.audio) {

    case NGX_TSCAST_FLV_CODEC_AAC:
        return ngx_tscast_flv_adts_frame(p, len, frame);

    case NGX_TSCAST_FLV_CODEC_MP3:
        return ngx_tscast_flv_mp3_frame(p, len, frame);

    default:
        frame->channels = m->program.channels;
        return ngx_tscast_flv_opus_frame(p, len, frame);
    }
}


static void
ngx_tscast_flv_audio_tag(ngx_tscast_flv_remux_t *m, u_char *p,
    ngx_tscast_flv_frame_t *frame)
{
    size_t                 len;
    u_char                *media, *pos;
    uint32_t               time;
    ngx_tscast_flv_tag_t   tag;

    if (!m->clocks[1].set) {
        m->lost++;
        return;
    }

    time = ngx_tscast_flv_audio_time(m, frame->rate);

    if (frame->rate != m->frame.rate || frame->channels != m->frame.channels
        || frame->config != m->frame.config)
    {
        ngx_tscast_flv_audio_config(m, frame, time);
    }

    m->samples += frame->samples;

    media = m->out + NGX_TSCAST_FLV_HEADER;

    pos = ngx_tscast_flv_audio_head(media, m->program.audio, frame, 0);
    len = frame->len - frame->header;

    pos = ngx_cpymem(pos, p + frame->header, len);

    tag.data = m->out;
    tag.len = ngx_tscast_flv_tag(media, pos - media, NGX_TSCAST_FLV_AUDIO,
                                 time);
    tag.type = NGX_TSCAST_FLV_AUDIO;
    tag.key = (m->program.video == NGX_TSCAST_FLV_CODEC_NONE);
    tag.config = 0;

    m->handler(m->data, &tag);
}


static uint32_t
ngx_tscast_flv_audio_time(ngx_tscast_flv_remux_t *m, ngx_uint_t rate)
{
    int64_t  time;

    time = m->frame_time + (int64_t) (m->samples * 90000 / rate);

    time = ngx_max(time, m->last[1]);
    m->last[1] = time;

    return (uint32_t) ((time + 45) / 90);
}


/* MP3 has no sequence header, but its rate is in onMetaData */

static void
ngx_tscast_flv_audio_config(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_frame_t *frame, uint32_t time)
{
    ngx_tscast_flv_tag_t  tag;

    m->frame = *frame;

    ngx_tscast_flv_remux_headers(m);

    tag.data = m->headers.data + m->headers.script + m->headers.video;
    tag.len = m->headers.audio;
    tag.type = NGX_TSCAST_FLV_AUDIO;
    tag.key = 0;
    tag.config = 1;

    if (tag.len) {
        ngx_tscast_flv_set_time(tag.data + NGX_TSCAST_FLV_TIME, time);
    }

    m->handler(m->data, &tag);
}
