
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_PACE_H_INCLUDED_
#define _NGX_TSCAST_PACE_H_INCLUDED_


/*
 * When each packet of a stream is due, so that what comes in bursts leaves as
 * evenly as its PCRs say: pure functions, no packet is kept here.
 *
 *     PCR      1               2        3
 *     packets  #..............#.......#.....
 *     due      ^ when 2 comes  ^        ^
 *              |<- as long as between the PCRs ->|
 *
 * What is between two PCRs is spread over the time between them.  It is due
 * from when the second one is here, or from when what is before it has left,
 * but never later than NGX_TSCAST_PACE_DELAY after it has come.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_clock.h"


#define NGX_TSCAST_PACE_DELAY  (200 * NGX_TSCAST_CLOCK_MSEC)

#define NGX_TSCAST_PACE_MARKS  64


typedef struct {
    uint64_t                 pos;       /* packets before it */
    uint64_t                 due;
} ngx_tscast_pace_mark_t;


typedef struct {
    ngx_tscast_clock_t       clock;
    uint64_t                 tail;      /* packets that have come */
    uint64_t                 since;     /* when the last PCR has */
    ngx_uint_t               first;     /* mark that is due */
    ngx_uint_t               nmarks;    /* from there on; 0: no clock */
    ngx_tscast_pace_mark_t   marks[NGX_TSCAST_PACE_MARKS];
} ngx_tscast_pace_t;


void ngx_tscast_pace_init(ngx_tscast_pace_t *p);

/* the next packet has come */
void ngx_tscast_pace_packet(ngx_tscast_pace_t *p, u_char *packet,
    uint64_t now);

/* how many packets, of all that ever came, are due */
uint64_t ngx_tscast_pace_due(ngx_tscast_pace_t *p, uint64_t now);

/* how long until so many are */
uint64_t ngx_tscast_pace_wait(ngx_tscast_pace_t *p, uint64_t pos,
    uint64_t now);


#endif /* _NGX_TSCAST_PACE_H_INCLUDED_ */
