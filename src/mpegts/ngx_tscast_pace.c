
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_pace.h"


/* a backlog that is longer than this becomes shorter, by 1 part in 32 */
#define NGX_TSCAST_PACE_SLACK  (50 * NGX_TSCAST_CLOCK_MSEC)


static ngx_tscast_pace_mark_t *ngx_tscast_pace_mark(ngx_tscast_pace_t *p,
    ngx_uint_t n);
static void ngx_tscast_pace_add(ngx_tscast_pace_t *p, uint64_t pos,
    uint64_t due);
static uint64_t ngx_tscast_pace_next(ngx_tscast_pace_t *p, uint64_t former,
    uint64_t now);


void
ngx_tscast_pace_init(ngx_tscast_pace_t *p)
{
    ngx_memzero(p, sizeof(ngx_tscast_pace_t));

    ngx_tscast_clock_init(&p->clock);
}


void
ngx_tscast_pace_packet(ngx_tscast_pace_t *p, u_char *packet, uint64_t now)
{
    uint64_t  pos, former;

    pos = p->tail++;
    former = p->clock.pcr;

    if (!ngx_tscast_clock_packet(&p->clock, packet, now)) {
        return;
    }

    ngx_tscast_pace_add(p, pos, p->nmarks ? ngx_tscast_pace_next(p, former, now)
                                          : now);
    p->since = now;
}


/* when the PCR that has just come is due */

static uint64_t
ngx_tscast_pace_next(ngx_tscast_pace_t *p, uint64_t former, uint64_t now)
{
    uint64_t                 elapsed, due;
    ngx_tscast_pace_mark_t  *last;

    last = ngx_tscast_pace_mark(p, p->nmarks - 1);

    if (last->due < now) {
        /* the one before has waited for this one */
        last->due = now;
    }

    elapsed = ngx_tscast_clock_elapsed(p->clock.pcr, former);

    if (elapsed > NGX_TSCAST_CLOCK_JUMP) {
        return last->due;
    }

    if (last->due - now > NGX_TSCAST_PACE_SLACK) {
        elapsed -= elapsed / 32;
    }

    due = ngx_min(last->due + elapsed, now + NGX_TSCAST_PACE_DELAY);

    return ngx_max(due, last->due);
}


static ngx_tscast_pace_mark_t *
ngx_tscast_pace_mark(ngx_tscast_pace_t *p, ngx_uint_t n)
{
    return &p->marks[(p->first + n) % NGX_TSCAST_PACE_MARKS];
}


static void
ngx_tscast_pace_add(ngx_tscast_pace_t *p, uint64_t pos, uint64_t due)
{
    ngx_tscast_pace_mark_t  *mark;

    if (p->nmarks < NGX_TSCAST_PACE_MARKS) {
        p->nmarks++;
    }

    mark = ngx_tscast_pace_mark(p, p->nmarks - 1);

    mark->pos = pos;
    mark->due = due;
}


uint64_t
ngx_tscast_pace_due(ngx_tscast_pace_t *p, uint64_t now)
{
    ngx_tscast_pace_mark_t  *a, *b;

    if (p->nmarks && now - p->since > NGX_TSCAST_PACE_DELAY) {
        /* the clock has stopped, or the stream has */
        p->nmarks = 0;
    }

    if (p->nmarks == 0) {
        return p->tail;
    }

    while (p->nmarks > 1 && ngx_tscast_pace_mark(p, 1)->due <= now) {
        p->first = (p->first + 1) % NGX_TSCAST_PACE_MARKS;
        p->nmarks--;
    }

    a = ngx_tscast_pace_mark(p, 0);

    if (p->nmarks == 1 || now <= a->due) {
        return a->pos;
    }

    b = ngx_tscast_pace_mark(p, 1);

    return a->pos + (b->pos - a->pos) * (now - a->due) / (b->due - a->due);
}


uint64_t
ngx_tscast_pace_wait(ngx_tscast_pace_t *p, uint64_t pos, uint64_t now)
{
    uint64_t                 due;
    ngx_uint_t               i;
    ngx_tscast_pace_mark_t  *a, *b;

    if (p->nmarks == 0) {
        return 0;
    }

    for (i = 1; i < p->nmarks; i++) {
        b = ngx_tscast_pace_mark(p, i);

        if (pos <= b->pos) {
            break;
        }
    }

    if (i == p->nmarks) {
        due = p->since + NGX_TSCAST_PACE_DELAY + 1;

    } else {
        a = ngx_tscast_pace_mark(p, i - 1);
        b = ngx_tscast_pace_mark(p, i);

        due = a->due;

        if (pos > a->pos) {
            due += ((b->due - a->due) * (pos - a->pos) + b->pos - a->pos - 1)
                   / (b->pos - a->pos);
        }
    }

    return due > now ? due - now : 0;
}
