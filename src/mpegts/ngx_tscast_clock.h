
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_CLOCK_H_INCLUDED_
#define _NGX_TSCAST_CLOCK_H_INCLUDED_


/*
 * The clock of a transport stream, by its PCRs: a pure function over packets.
 * All times are in 27 MHz.
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_TSCAST_CLOCK_MSEC  27000

/* where a PCR begins anew, ISO/IEC 13818-1, 2.4.3.5 */
#define NGX_TSCAST_CLOCK_TURN  ((uint64_t) 300 << 33)

/* two PCRs are 100 ms apart at most; beyond this it is another clock */
#define NGX_TSCAST_CLOCK_JUMP  (500 * NGX_TSCAST_CLOCK_MSEC)


typedef struct {
    uint64_t    pcr;                    /* the last one */
    uint64_t    seen;                   /* when, in the caller's time */
    uint16_t    pid;                    /* of the PCRs that count */
} ngx_tscast_clock_t;


void ngx_tscast_clock_init(ngx_tscast_clock_t *c);

/* 1 when there is a new pcr: of one program, as long as it has some */
ngx_uint_t ngx_tscast_clock_packet(ngx_tscast_clock_t *c, u_char *packet,
    uint64_t now);


/* how long pcr is after former */

static ngx_inline uint64_t
ngx_tscast_clock_elapsed(uint64_t pcr, uint64_t former)
{
    return (pcr + NGX_TSCAST_CLOCK_TURN - former) % NGX_TSCAST_CLOCK_TURN;
}


#endif /* _NGX_TSCAST_CLOCK_H_INCLUDED_ */
