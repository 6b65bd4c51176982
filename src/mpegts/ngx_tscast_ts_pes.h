
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_TS_PES_H_INCLUDED_
#define _NGX_TSCAST_TS_PES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_ts.h"


/* timestamps count 90 kHz in 33 bits */
#define NGX_TSCAST_TS_NO_TIME  ((uint64_t) -1)


/* a PES packet without its header */

typedef struct {
    u_char                 *data;
    size_t                  len;
    uint64_t                pts;          /* or NGX_TSCAST_TS_NO_TIME */
    uint64_t                dts;          /* the PTS where there is none */
    unsigned                damaged:1;    /* bytes are missing */
} ngx_tscast_ts_unit_t;


typedef void (*ngx_tscast_ts_unit_pt)(void *data, ngx_tscast_ts_unit_t *unit);


/* the PES packet of a PID that is being put together */

typedef struct {
    ngx_tscast_ts_unit_pt   handler;
    void                   *data;
    u_char                 *buf;
    size_t                  size;         /* of buf, the most that is kept */
    size_t                  len;
    size_t                  whole;        /* of the packet; 0: not known */
    uint64_t                lost;         /* PES packets that were too long
                                             or no such thing */
    u_char                  cc;
    unsigned                open:1;
    unsigned                damaged:1;
} ngx_tscast_ts_pes_t;


void ngx_tscast_ts_pes_init(ngx_tscast_ts_pes_t *pes, u_char *buf,
    size_t size, ngx_tscast_ts_unit_pt handler, void *data);

/* a packet of the PID; calls the handler for each PES packet that ends */
void ngx_tscast_ts_pes_packet(ngx_tscast_ts_pes_t *pes,
    ngx_tscast_ts_packet_t *pkt);

/* no packet follows: what is there is handed over */
void ngx_tscast_ts_pes_flush(ngx_tscast_ts_pes_t *pes);


/* from one time to another, whichever way is shorter round 2^33 */

static ngx_inline int64_t
ngx_tscast_ts_elapsed(uint64_t from, uint64_t to)
{
    return (int64_t) ((to - from) << 31) >> 31;
}


#endif /* _NGX_TSCAST_TS_PES_H_INCLUDED_ */
