
/*
 * Copyright (C) the tscast authors
 */


/*
 * Timestamps of 32 bits become times that grow.  Where an encoder starts its
 * clock anew, or leaves a long gap, its tracks jump, one soon after the other:
 * the first to jump goes on where the stream is, the others follow by as much,
 * so that they stay in step.
 *
 *      video  5000  5040 | 0          40
 *      audio     5010    |    5031 | 13     shift of either: +5080
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_ts.h>


/* from one message of a track to the next, ms: beyond that, it jumps */
#define NGX_TSCAST_FLV_AHEAD   10000
#define NGX_TSCAST_FLV_BACK    500

/* what a jump becomes */
#define NGX_TSCAST_FLV_STEP    40

/* a multiple of 2^33 ticks of 90 kHz: nothing is negative nor altered */
#define NGX_TSCAST_FLV_ORIGIN  ((uint64_t) 1 << 33)


static uint64_t ngx_tscast_flv_near(uint64_t time, uint32_t low);
static ngx_uint_t ngx_tscast_flv_follows(uint64_t time, uint64_t last,
    uint64_t back);


uint64_t
ngx_tscast_flv_time(ngx_tscast_flv_time_t *t, ngx_uint_t track,
    uint32_t timestamp)
{
    uint64_t                time;
    ngx_tscast_flv_line_t  *line;

    line = &t->lines[track];

    if (!t->started) {
        t->started = 1;
        t->clock = NGX_TSCAST_FLV_ORIGIN + timestamp;
    }

    if (line->seen) {
        time = ngx_tscast_flv_near(line->last, timestamp + line->shift);

        if (ngx_tscast_flv_follows(time, line->last, NGX_TSCAST_FLV_BACK)
            && time + NGX_TSCAST_FLV_AHEAD >= t->clock)
        {
            goto done;
        }
    }

    /* after a pause of this track, or a jump of another */

    line->shift = t->shift;

    time = ngx_tscast_flv_near(t->clock, timestamp + line->shift);

    if (ngx_tscast_flv_follows(time, t->clock, NGX_TSCAST_FLV_AHEAD)
        && (!line->seen || time + NGX_TSCAST_FLV_BACK > line->last))
    {
        goto done;
    }

    time = t->clock + NGX_TSCAST_FLV_STEP;

    line->shift = (uint32_t) time - timestamp;
    t->jumps++;

    if (line->seen) {
        t->shift = line->shift;
    }

done:

    line->last = line->seen ? ngx_max(time, line->last) : time;
    line->seen = 1;

    t->clock = ngx_max(t->clock, line->last);

    return line->last;
}


/* the time that ends in these 32 bits */

static uint64_t
ngx_tscast_flv_near(uint64_t time, uint32_t low)
{
    return time + (int32_t) (low - (uint32_t) time);
}


static ngx_uint_t
ngx_tscast_flv_follows(uint64_t time, uint64_t last, uint64_t back)
{
    return time + back >= last && time <= last + NGX_TSCAST_FLV_AHEAD;
}
