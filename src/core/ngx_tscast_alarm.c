
/*
 * Copyright (C) the tscast authors
 */


/*
 * Alarms of a publisher: one for each check of its stream's health.  It is
 * raised when the check finds something wrong and cleared when it has found
 * nothing for a while; the end of the publisher is the end of its alarms.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* ms without an error after which an alarm is cleared */
#define NGX_TSCAST_ALARM_QUIET   5000

/* ms without a byte: the next one will be counted as a silence */
#define NGX_TSCAST_ALARM_SILENT  1000


static void ngx_tscast_alarm_missing(ngx_tscast_publisher_t *pub,
    ngx_tscast_ts_errors_t *now);


/* once a second */

void
ngx_tscast_alarm_round(ngx_tscast_publisher_t *pub)
{
    size_t                   offset;
    uint64_t                 n, missing;
    ngx_uint_t               i, bit;
    ngx_tscast_alarms_t     *a;
    ngx_tscast_ts_errors_t   errors, now;

    a = &pub->alarms;

    errors = pub->health.errors;
    errors.crc = pub->parser.crc_errors;

    ngx_tscast_alarm_missing(pub, &now);

    for (i = 0; i < NGX_TSCAST_CHECKS; i++) {

        bit = (ngx_uint_t) 1 << i;
        offset = ngx_tscast_report_errors[i].offset;

        n = *(uint64_t *) ((char *) &errors + offset);
        missing = *(uint64_t *) ((char *) &now + offset);

        if (n != a->errors[i] || missing) {
            a->errors[i] = n;
            a->wrong[i] = ngx_current_msec;

            if (!(a->raised & bit)) {
                a->raised |= bit;
                ngx_tscast_event_alarm(pub, NGX_TSCAST_EVENT_ALARM_RAISED, i);
            }

            continue;
        }

        if ((a->raised & bit)
            && ngx_current_msec - a->wrong[i] >= NGX_TSCAST_ALARM_QUIET)
        {
            a->raised &= ~bit;
            ngx_tscast_event_alarm(pub, NGX_TSCAST_EVENT_ALARM_CLEARED, i);
        }
    }
}


/* what is counted once only, and is wrong for as long as it is not there */

static void
ngx_tscast_alarm_missing(ngx_tscast_publisher_t *pub,
    ngx_tscast_ts_errors_t *now)
{
    ngx_uint_t               i;
    ngx_msec_t               last;
    ngx_tscast_ts_health_t  *h;

    h = &pub->health;

    ngx_memzero(now, sizeof(ngx_tscast_ts_errors_t));

    last = __atomic_load_n(&pub->feed->last, __ATOMIC_SEQ_CST);

    now->silences = (ngx_tscast_since(last) > NGX_TSCAST_ALARM_SILENT);

    for (i = 0; i < h->npids; i++) {

        now->pts |= h->more[i].pts_late;

        if (!h->pids[i].missing) {
            continue;
        }

        switch (h->pids[i].kind) {

        case NGX_TSCAST_TS_PID_PAT:
            now->pat = 1;
            break;

        case NGX_TSCAST_TS_PID_PMT:
            now->pmt = 1;
            break;

        default: /* video, audio */
            now->pid = 1;
        }
    }
}
