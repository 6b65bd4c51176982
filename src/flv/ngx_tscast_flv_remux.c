
/*
 * Copyright (C) the tscast authors
 */


/*
 * From packets of a transport stream to tags.  Times of tags are those of the
 * stream in milliseconds, without its wrap at 2^33, and where the source
 * jumps, they go on as if it had not.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


/* steps of a source's clock that are taken for jumps, 90 kHz */
#define NGX_TSCAST_FLV_AHEAD  (10 * 90000)
#define NGX_TSCAST_FLV_BACK   45000

/* how far apart video and audio may be, so that one follows the other */
#define NGX_TSCAST_FLV_APART  (2 * 90000)

/* between two frames, when nothing is known */
#define NGX_TSCAST_FLV_STEP   3600


static int64_t ngx_tscast_flv_clock_jump(ngx_tscast_flv_clock_t *c,
    ngx_tscast_flv_clock_t *other, uint64_t time);
static u_char *ngx_tscast_flv_headers_video(ngx_tscast_flv_remux_t *m,
    u_char *p);
static u_char *ngx_tscast_flv_headers_audio(ngx_tscast_flv_remux_t *m,
    u_char *p);


void
ngx_tscast_flv_remux_init(ngx_tscast_flv_remux_t *m, u_char *buf,
    u_char *out, ngx_tscast_flv_tag_pt handler, void *data)
{
    ngx_memzero(m, sizeof(ngx_tscast_flv_remux_t));

    m->handler = handler;
    m->data = data;
    m->out = out;

    m->program.video_pid = NGX_TSCAST_TS_NULL_PID;
    m->program.audio_pid = NGX_TSCAST_TS_NULL_PID;

    ngx_tscast_ts_pes_init(&m->video, buf, NGX_TSCAST_FLV_MAX_VIDEO,
                           ngx_tscast_flv_video_unit, m);

    /* what is left of a frame goes before the next PES packet's */

    ngx_tscast_ts_pes_init(&m->audio, buf + NGX_TSCAST_FLV_MAX_VIDEO
                                      + NGX_TSCAST_FLV_MAX_FRAME,
                           NGX_TSCAST_FLV_MAX_AUDIO,
                           ngx_tscast_flv_audio_unit, m);
}


void
ngx_tscast_flv_remux_program(ngx_tscast_flv_remux_t *m,
    ngx_tscast_flv_program_t *program)
{
    uint16_t  video_pid, audio_pid;

    ngx_tscast_flv_remux_flush(m);

    video_pid = m->program.video_pid;
    audio_pid = m->program.audio_pid;

    if (program->video != m->program.video) {
        ngx_memzero(&m->sets, sizeof(ngx_tscast_flv_sets_t));
        ngx_memzero(&m->sps, sizeof(ngx_tscast_sps_t));
    }

    if (program->audio != m->program.audio
        || program->channels != m->program.channels)
    {
        ngx_memzero(&m->frame, sizeof(ngx_tscast_flv_frame_t));
    }

    m->program = *program;

    if (video_pid != program->video_pid) {
        m->video.cc = NGX_TSCAST_TS_NO_CC;
    }

    if (audio_pid != program->audio_pid) {
        m->audio.cc = NGX_TSCAST_TS_NO_CC;
        m->ncarry = 0;
    }

    ngx_tscast_flv_remux_headers(m);
}


void
ngx_tscast_flv_remux_packet(ngx_tscast_flv_remux_t *m, u_char *packet)
{
    uint16_t                pid;
    ngx_tscast_ts_packet_t  pkt;

    pid = ngx_tscast_ts_get_pid(packet);

    if ((pid != m->program.video_pid && pid != m->program.audio_pid)
        || pid == NGX_TSCAST_TS_NULL_PID
        || ngx_tscast_ts_get_transport_error_indicator(packet))
    {
        return;
    }

    ngx_tscast_ts_packet(&pkt, packet);

    ngx_tscast_ts_pes_packet(pid == m->program.video_pid ? &m->video
                                                         : &m->audio, &pkt);
}


void
ngx_tscast_flv_remux_flush(ngx_tscast_flv_remux_t *m)
{
    ngx_tscast_ts_pes_flush(&m->video);
    ngx_tscast_ts_pes_flush(&m->audio);
}


int64_t
ngx_tscast_flv_clock(ngx_tscast_flv_clock_t *c, ngx_tscast_flv_clock_t *other,
    uint64_t time)
{
    int64_t  step;

    if (time == NGX_TSCAST_TS_NO_TIME) {
        c->out += c->step;
        c->in = (c->in + c->step) & (((uint64_t) 1 << 33) - 1);

        return c->out;
    }

    if (!c->set) {
        c->set = 1;
        c->step = NGX_TSCAST_FLV_STEP;
        c->out = (int64_t) time;

        if (other->set) {
            step = ngx_tscast_ts_elapsed(other->in, time);

            c->out = other->out;

            if (step > -NGX_TSCAST_FLV_AHEAD && step < NGX_TSCAST_FLV_AHEAD) {
                c->out += step;
            }
        }

        c->in = time;

        return c->out;
    }

    step = ngx_tscast_ts_elapsed(c->in, time);

    if (step > -NGX_TSCAST_FLV_BACK && step < NGX_TSCAST_FLV_AHEAD) {
        c->out += step;

        if (step > 0) {
            c->step = step;
        }

    } else {
        c->out = ngx_tscast_flv_clock_jump(c, other, time);
    }

    c->in = time;

    return c->out;
}


/* after the first of the two has jumped, the other keeps its distance */

static int64_t
ngx_tscast_flv_clock_jump(ngx_tscast_flv_clock_t *c,
    ngx_tscast_flv_clock_t *other, uint64_t time)
{
    int64_t  out, apart;

    if (other->set) {
        out = other->out + ngx_tscast_ts_elapsed(other->in, time);
        apart = out - c->out;

        if (apart > -NGX_TSCAST_FLV_BACK && apart < NGX_TSCAST_FLV_APART) {
            return out;
        }
    }

    return c->out + c->step;
}


void
ngx_tscast_flv_remux_headers(ngx_tscast_flv_remux_t *m)
{
    size_t                     len;
    u_char                    *p;
    ngx_tscast_flv_headers_t  *h;

    h = &m->headers;

    h->flags = (m->program.video ? NGX_TSCAST_FLV_HAS_VIDEO : 0)
               | (m->program.audio ? NGX_TSCAST_FLV_HAS_AUDIO : 0);

    p = h->data + NGX_TSCAST_FLV_HEADER;

    len = ngx_tscast_flv_metadata(p, &m->program, &m->sps, &m->frame);

    h->script = (uint16_t) ngx_tscast_flv_tag(p, len, NGX_TSCAST_FLV_SCRIPT,
                                              0);

    p = h->data + h->script;

    h->video = (uint16_t) (ngx_tscast_flv_headers_video(m, p) - p);

    p += h->video;

    h->audio = (uint16_t) (ngx_tscast_flv_headers_audio(m, p) - p);
}


static u_char *
ngx_tscast_flv_headers_video(ngx_tscast_flv_remux_t *m, u_char *p)
{
    size_t   len;
    u_char  *start, *media;

    start = p;
    media = p + NGX_TSCAST_FLV_HEADER;

    if (m->program.video == NGX_TSCAST_FLV_CODEC_NONE || m->sps.width == 0) {
        return start;
    }

    p = ngx_tscast_flv_video_head(media, m->program.video, 1, 1, 0);

    len = (m->program.video == NGX_TSCAST_FLV_CODEC_HEVC)
              ? ngx_tscast_flv_hevc_config(p, &m->sets, &m->sps)
              : ngx_tscast_flv_avc_config(p, &m->sets, &m->sps);

    if (len == 0) {
        return start;
    }

    return start + ngx_tscast_flv_tag(media, p - media + len,
                                      NGX_TSCAST_FLV_VIDEO, 0);
}


static u_char *
ngx_tscast_flv_headers_audio(ngx_tscast_flv_remux_t *m, u_char *p)
{
    u_char  *start, *media;

    start = p;
    media = p + NGX_TSCAST_FLV_HEADER;

    if (m->program.audio == NGX_TSCAST_FLV_CODEC_NONE || m->frame.rate == 0) {
        return start;
    }

    p = ngx_tscast_flv_audio_head(media, m->program.audio, &m->frame, 1);

    switch (m->program.audio) {

    case NGX_TSCAST_FLV_CODEC_AAC:
        p = ngx_tscast_flv_put16(p, m->frame.config);
        break;

    case NGX_TSCAST_FLV_CODEC_OPUS:
        p += ngx_tscast_flv_opus_config(p, m->program.channels);
        break;

    default:
        return start;
    }

    return start + ngx_tscast_flv_tag(media, p - media, NGX_TSCAST_FLV_AUDIO,
                                      0);
}
