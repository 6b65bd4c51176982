
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>

#include "ngx_tscast_clock.h"


void
ngx_tscast_clock_init(ngx_tscast_clock_t *c)
{
    c->pcr = 0;
    c->seen = 0;
    c->pid = NGX_TSCAST_TS_NULL_PID;
}


ngx_uint_t
ngx_tscast_clock_packet(ngx_tscast_clock_t *c, u_char *packet, uint64_t now)
{
    uint64_t  pcr;
    uint16_t  pid;

    /* ISO/IEC 13818-1, 2.4.3.4: the PCR is in an adaptation field */

    if (!(ngx_tscast_ts_get_adaptation_field_control(packet) & 2)
        || ngx_tscast_ts_get_adaptation_field_length(packet) < 7
        || !ngx_tscast_ts_get_pcr_flag(packet)
        || ngx_tscast_ts_get_transport_error_indicator(packet))
    {
        return 0;
    }

    pid = ngx_tscast_ts_get_pid(packet);

    if (pid != c->pid && c->pid != NGX_TSCAST_TS_NULL_PID
        && now - c->seen < NGX_TSCAST_CLOCK_JUMP)
    {
        return 0;
    }

    pcr = ngx_tscast_ts_get_program_clock_reference_base(packet) * 300
          + ngx_tscast_ts_get_program_clock_reference_extension(packet);

    c->pcr = pcr % NGX_TSCAST_CLOCK_TURN;
    c->seen = now;
    c->pid = pid;

    return 1;
}
