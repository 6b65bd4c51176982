
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


static u_char *ngx_tscast_ts_start_discontinuity(u_char *p, uint16_t pid,
    u_char cc);


size_t
ngx_tscast_ts_start(u_char *p, ngx_tscast_ts_tables_t *t,
    ngx_tscast_ts_rap_t *rap, ngx_uint_t discontinuity)
{
    u_char      *start, cc[NGX_TSCAST_TS_MAX_PIDS];
    ngx_uint_t   i, n;

    start = p;

    /* counters go back by as many table packets as each PID has */

    ngx_memcpy(cc, rap->cc, sizeof(cc));

    for (i = 0; i < t->ntables; i++) {
        n = t->table_pid[i];
        cc[n] = (cc[n] - 1) & 0x0f;
    }

    if (discontinuity) {
        for (i = 0; i < t->npids; i++) {
            if (rap->cc[i] != NGX_TSCAST_TS_NO_CC) {
                p = ngx_tscast_ts_start_discontinuity(p, t->pids[i], cc[i]);
            }
        }
    }

    for (i = 0; i < t->ntables; i++) {
        n = t->table_pid[i];
        cc[n] = (cc[n] + 1) & 0x0f;

        ngx_memcpy(p, t->tables[i], NGX_TSCAST_TS_PACKET);
        p[3] = (p[3] & 0xf0) | cc[n];

        p += NGX_TSCAST_TS_PACKET;
    }

    return p - start;
}


/* an adaptation field and no payload: ISO/IEC 13818-1, 2.4.3.4 */

static u_char *
ngx_tscast_ts_start_discontinuity(u_char *p, uint16_t pid, u_char cc)
{
    *p++ = NGX_TSCAST_TS_SYNC_BYTE;
    *p++ = (u_char) (pid >> 8);
    *p++ = (u_char) pid;
    *p++ = 0x20 | (cc & 0x0f);
    *p++ = NGX_TSCAST_TS_PACKET - 5;
    *p++ = 0x80;

    ngx_memset(p, 0xff, NGX_TSCAST_TS_PACKET - 6);

    return p + NGX_TSCAST_TS_PACKET - 6;
}
