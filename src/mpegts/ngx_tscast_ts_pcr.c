
/*
 * Copyright (C) the tscast authors
 */


/*
 * Program clock references: ETSI TR 101 290, 2.3 and 2.4, and how evenly they
 * arrive.
 *
 * The accuracy of a PCR is that of the place where it stands, which can be
 * told only where the bit rate is constant: where null packets fill it up.
 * There, the references lie on a straight line over the packets, through the
 * first and the last good one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts_health.h>


#define ngx_tscast_ts_ms(n)         ((int64_t) (n) * 27000)

/* 33 bits of 90 kHz */
#define NGX_TSCAST_TS_PCR_WRAP      (((uint64_t) 1 << 33) * 300)

/* ETSI TR 101 290: 2.3a, and 500 ns of 2.4 */
#define NGX_TSCAST_TS_PCR_LATE      ngx_tscast_ts_ms(100)
#define NGX_TSCAST_TS_PCR_STRAY     14

/* what is further ahead is not late, but another time */
#define NGX_TSCAST_TS_PCR_JUMP      ngx_tscast_ts_ms(1000)

/* points that make a line, strays in a row that make another */
#define NGX_TSCAST_TS_PCR_POINTS    8
#define NGX_TSCAST_TS_PCR_STRAYS    8

/* of a line, and of a look at arrival */
#define NGX_TSCAST_TS_PCR_PERIOD    ngx_tscast_ts_ms(10000)


static void ngx_tscast_ts_health_announce(ngx_tscast_ts_health_t *h,
    ngx_uint_t i);
static void ngx_tscast_ts_health_line(ngx_tscast_ts_health_t *h);
static void ngx_tscast_ts_health_line_begin(ngx_tscast_ts_health_t *h);
static void ngx_tscast_ts_health_lead(ngx_tscast_ts_health_t *h);


/* pcr may be NGX_TSCAST_TS_NO_PCR where there is a discontinuity_indicator */

void
ngx_tscast_ts_health_pcr(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    uint64_t pcr, ngx_uint_t discontinuity)
{
    int64_t                      ticks;
    ngx_tscast_ts_health_pid_t  *m;

    m = &h->more[i];

    if (discontinuity) {
        m->has_pcr = 0;
        ngx_tscast_ts_health_announce(h, i);
    }

    if (pcr == NGX_TSCAST_TS_NO_PCR) {
        return;
    }

    ticks = 0;

    if (m->has_pcr) {
        ticks = (pcr + NGX_TSCAST_TS_PCR_WRAP - m->pcr)
                % NGX_TSCAST_TS_PCR_WRAP;

        if (ticks > NGX_TSCAST_TS_PCR_JUMP) {
            h->errors.pcr_discontinuity++;
            ticks = 0;

        } else if (ticks > NGX_TSCAST_TS_PCR_LATE) {
            h->errors.pcr_repetition++;
        }
    }

    m->pcr = pcr;
    m->has_pcr = 1;

    if (h->pids[i].pid != h->pcr_pid) {
        return;
    }

    h->idle = 0;

    if (ticks == 0) {
        ngx_tscast_ts_health_pcr_reset(h);
        return;
    }

    ngx_tscast_ts_health_advance(h, ticks);
    ngx_tscast_ts_health_line(h);
    ngx_tscast_ts_health_lead(h);
}


void
ngx_tscast_ts_health_pcr_reset(ngx_tscast_ts_health_t *h)
{
    ngx_tscast_ts_health_line_begin(h);

    h->lead_since = h->clock;
    h->lead_min = NGX_MAX_INT_T_VALUE;
    h->lead_max = -NGX_MAX_INT_T_VALUE;
}


/* ISO/IEC 13818-1, 2.4.3.5: the whole program has another time */

static void
ngx_tscast_ts_health_announce(ngx_tscast_ts_health_t *h, ngx_uint_t i)
{
    ngx_uint_t  n;

    for (n = 0; n < h->npids; n++) {
        if (h->pids[n].program == h->pids[i].program) {
            h->more[n].announced = 1;
        }
    }
}


static void
ngx_tscast_ts_health_line(ngx_tscast_ts_health_t *h)
{
    int64_t   stray;
    uint64_t  clock;

    if (h->nulls == h->line_nulls
        || h->clock - h->line_clock > NGX_TSCAST_TS_PCR_PERIOD)
    {
        ngx_tscast_ts_health_line_begin(h);
        return;
    }

    if (h->points >= NGX_TSCAST_TS_PCR_POINTS) {

        clock = h->line_clock
                + (h->packets - h->line_packets)
                  * (h->last_clock - h->line_clock)
                  / (h->last_packets - h->line_packets);

        stray = h->clock - clock;

        if (ngx_abs(stray) > NGX_TSCAST_TS_PCR_STRAY) {
            h->errors.pcr_accuracy++;

            if (++h->strays == NGX_TSCAST_TS_PCR_STRAYS) {
                ngx_tscast_ts_health_line_begin(h);
            }

            return;
        }
    }

    h->points++;
    h->strays = 0;
    h->last_clock = h->clock;
    h->last_packets = h->packets;
}


static void
ngx_tscast_ts_health_line_begin(ngx_tscast_ts_health_t *h)
{
    h->line_clock = h->clock;
    h->line_packets = h->packets;
    h->line_nulls = h->nulls;
    h->points = 0;
    h->strays = 0;
}


/* arrival is known for batches of packets: a batch is no better than that */

static void
ngx_tscast_ts_health_lead(ngx_tscast_ts_health_t *h)
{
    int64_t  lead;

    lead = ngx_tscast_ts_ms(h->arrived) - (int64_t) h->clock;

    h->lead_min = ngx_min(h->lead_min, lead);
    h->lead_max = ngx_max(h->lead_max, lead);

    if (h->clock - h->lead_since < (uint64_t) NGX_TSCAST_TS_PCR_PERIOD) {
        return;
    }

    h->jitter = h->lead_max - h->lead_min;

    h->lead_since = h->clock;
    h->lead_min = lead;
    h->lead_max = lead;
}
