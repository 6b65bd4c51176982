
/*
 * Copyright (C) the tscast authors
 */


/*
 * PES packets of video and audio: their timestamps, and the headers of the
 * codec behind them, about once a second.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts_health.h>


/* ISO/IEC 13818-1, 2.4.3.6: up to PES_header_data_length, PTS and DTS */
#define NGX_TSCAST_TS_PES_HEADER  9
#define NGX_TSCAST_TS_PES_PTS     14
#define NGX_TSCAST_TS_PES_DTS     19

/* 90 kHz: what is further ahead is another time */
#define NGX_TSCAST_TS_PTS_JUMP    90000

/* over so much of it frames are counted */
#define NGX_TSCAST_TS_PTS_FRAMES  (2 * 90000)

/* 27 MHz from one look at headers to the next */
#define NGX_TSCAST_TS_LOOK        27000000


static void ngx_tscast_ts_health_pes_start(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, u_char *p, u_char *last);
static uint64_t ngx_tscast_ts_timestamp(u_char *p);
static void ngx_tscast_ts_health_time(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, uint64_t time);
static void ngx_tscast_ts_health_frame(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, uint32_t elapsed);
static ngx_tscast_ts_head_t *ngx_tscast_ts_health_head(
    ngx_tscast_ts_health_t *h, ngx_uint_t i);
static void ngx_tscast_ts_health_look(ngx_tscast_ts_health_t *h,
    ngx_tscast_ts_head_t *head);


void
ngx_tscast_ts_health_pes(ngx_tscast_ts_health_t *h, ngx_uint_t i, u_char *p,
    u_char *last, ngx_uint_t start)
{
    size_t                 n;
    ngx_tscast_ts_head_t  *head;

    if (start) {
        ngx_tscast_ts_health_pes_start(h, i, p, last);
    }

    head = ngx_tscast_ts_health_head(h, i);

    if (head->pid != i + 1) {
        return;
    }

    n = ngx_min(head->skip, (size_t) (last - p));

    head->skip -= n;
    p += n;

    n = ngx_min(NGX_TSCAST_TS_HEALTH_HEAD - head->len, (size_t) (last - p));

    ngx_memcpy(head->buf + head->len, p, n);

    head->len += n;

    if (head->len == NGX_TSCAST_TS_HEALTH_HEAD) {
        ngx_tscast_ts_health_look(h, head);
    }
}


void
ngx_tscast_ts_health_pes_reset(ngx_tscast_ts_health_t *h, ngx_uint_t i)
{
    ngx_tscast_ts_pid_t         *pid;
    ngx_tscast_ts_health_pid_t  *m;

    pid = &h->pids[i];
    m = &h->more[i];

    ngx_memzero(&pid->info, sizeof(ngx_tscast_ts_info_t));

    pid->frames = 0;
    pid->frames_time = 0;

    m->frames = 0;
    m->frames_time = 0;
    m->has_pts = 0;
    m->has_dts = 0;
    m->pts_late = 0;
    m->described = 0;

    if (h->heads[0].pid == i + 1) {
        h->heads[0].pid = 0;
    }

    if (h->heads[1].pid == i + 1) {
        h->heads[1].pid = 0;
    }
}


static void
ngx_tscast_ts_health_pes_start(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    u_char *p, u_char *last)
{
    uint64_t                     time;
    ngx_tscast_ts_head_t        *head;
    ngx_tscast_ts_health_pid_t  *m;

    m = &h->more[i];
    head = ngx_tscast_ts_health_head(h, i);

    if (head->pid == i + 1) {
        /* it was a short one */
        ngx_tscast_ts_health_look(h, head);
    }

    if (last - p < NGX_TSCAST_TS_PES_HEADER
        || p[0] != 0 || p[1] != 0 || p[2] != 1 || (p[6] & 0xc0) != 0x80)
    {
        return;
    }

    if ((p[7] & 0x80) && last - p >= NGX_TSCAST_TS_PES_PTS) {
        time = ngx_tscast_ts_timestamp(p + 9);

        if ((p[7] & 0x40) && last - p >= NGX_TSCAST_TS_PES_DTS) {
            time = ngx_tscast_ts_timestamp(p + 14);
            m->has_dts = 1;
        }

        ngx_tscast_ts_health_time(h, i, time);
    }

    if (head->pid == 0
        && (!m->described || h->clock - m->looked > NGX_TSCAST_TS_LOOK))
    {
        head->pid = i + 1;
        head->skip = NGX_TSCAST_TS_PES_HEADER + p[8];
        head->len = 0;
    }
}


static uint64_t
ngx_tscast_ts_timestamp(u_char *p)
{
    return (uint64_t) (p[0] >> 1 & 7) << 30 | (uint64_t) p[1] << 22
           | (uint64_t) (p[2] >> 1) << 15 | (uint64_t) p[3] << 7 | p[4] >> 1;
}


/*
 * DTS, or the PTS where it is the same, grow in the order of the stream.  In
 * video without any DTS they may be those of reordered pictures.
 */

static void
ngx_tscast_ts_health_time(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    uint64_t time)
{
    int32_t                      back;
    int64_t                      elapsed;
    ngx_tscast_ts_health_pid_t  *m;

    m = &h->more[i];

    m->pts_seen = h->clock;
    m->pts_late = 0;

    if (!m->has_pts || m->announced) {
        m->has_pts = 1;
        m->announced = 0;
        m->dts = time;
        m->frames = 0;
        m->frames_time = 0;

        return;
    }

    /* 33 bits with a sign */

    elapsed = (int64_t) ((time - m->dts) << 31) >> 31;

    back = (h->pids[i].kind == NGX_TSCAST_TS_PID_VIDEO && !m->has_dts)
               ? NGX_TSCAST_TS_PTS_JUMP : 0;

    m->dts = time;

    if (elapsed < -back || elapsed > NGX_TSCAST_TS_PTS_JUMP) {
        h->errors.timestamp_jumps++;

        m->frames = 0;
        m->frames_time = 0;

        return;
    }

    if (h->pids[i].kind == NGX_TSCAST_TS_PID_VIDEO) {
        ngx_tscast_ts_health_frame(h, i, (uint32_t) elapsed);
    }
}


/* modulo 2^32, so that reordered ones add up to what has passed */

static void
ngx_tscast_ts_health_frame(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    uint32_t elapsed)
{
    ngx_tscast_ts_pid_t         *pid;
    ngx_tscast_ts_health_pid_t  *m;

    pid = &h->pids[i];
    m = &h->more[i];

    m->frames++;
    m->frames_time += elapsed;

    if ((int32_t) m->frames_time < NGX_TSCAST_TS_PTS_FRAMES) {
        return;
    }

    pid->frames = m->frames;
    pid->frames_time = m->frames_time;

    m->frames = 0;
    m->frames_time = 0;
}


static ngx_tscast_ts_head_t *
ngx_tscast_ts_health_head(ngx_tscast_ts_health_t *h, ngx_uint_t i)
{
    return &h->heads[h->pids[i].kind == NGX_TSCAST_TS_PID_AUDIO];
}


static void
ngx_tscast_ts_health_look(ngx_tscast_ts_health_t *h,
    ngx_tscast_ts_head_t *head)
{
    ngx_uint_t  i;

    i = head->pid - 1;
    head->pid = 0;

    if (ngx_tscast_ts_info(&h->pids[i].info, h->pids[i].format, head->buf,
                           head->len)
        == NGX_OK)
    {
        h->more[i].described = 1;
        h->more[i].looked = h->clock;
    }
}


double
ngx_tscast_ts_frame_rate(ngx_tscast_ts_pid_t *pid)
{
    if (pid->frames_time) {
        return (double) pid->frames * 90000 / pid->frames_time;
    }

    if (pid->info.seconds) {
        return (double) pid->info.frames / pid->info.seconds;
    }

    return 0;
}
