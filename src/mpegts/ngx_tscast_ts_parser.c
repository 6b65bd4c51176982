
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


static ngx_int_t ngx_tscast_ts_continuity(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt, ngx_uint_t i);


void
ngx_tscast_ts_parser_init(ngx_tscast_ts_parser_t *p)
{
    ngx_memzero(p, sizeof(ngx_tscast_ts_parser_t));

    p->pid = NGX_TSCAST_TS_NULL_PID;
    p->pcr_pid = NGX_TSCAST_TS_NULL_PID;

    /* the PAT's counter is wanted before the first PMT is here */

    p->tables.npids = 1;
    p->tables.pids[0] = NGX_TSCAST_TS_PAT_PID;

    ngx_memset(p->cc, NGX_TSCAST_TS_NO_CC, sizeof(p->cc));
    ngx_memset(p->rap.cc, NGX_TSCAST_TS_NO_CC, sizeof(p->rap.cc));

    ngx_tscast_ts_psi_init(&p->psi);
    ngx_tscast_ts_es_reset(&p->es);
}


ngx_uint_t
ngx_tscast_ts_parse(ngx_tscast_ts_parser_t *p, u_char *packet,
    uint64_t offset)
{
    ngx_int_t               rc;
    ngx_uint_t              flags, i;
    ngx_tscast_ts_packet_t  pkt;

    p->packets++;

    if (ngx_tscast_ts_get_transport_error_indicator(packet)) {
        p->tei++;
        return 0;
    }

    ngx_tscast_ts_packet(&pkt, packet);

    if (pkt.pid == NGX_TSCAST_TS_NULL_PID) {
        return 0;
    }

    p->scrambled += pkt.scrambled;

    flags = 0;

    if (pkt.has_pcr && pkt.pid == p->pcr_pid) {
        p->pcr = pkt.pcr;
        flags |= NGX_TSCAST_TS_TIME;
    }

    rc = NGX_OK;
    i = ngx_tscast_ts_pid_index(&p->tables, pkt.pid);

    if (i < p->tables.npids) {
        p->discontinuities += pkt.discontinuity;

        rc = ngx_tscast_ts_continuity(p, &pkt, i);

        if (rc == NGX_DONE) {
            return flags;
        }
    }

    if (pkt.pid == p->pid) {
        flags |= ngx_tscast_ts_es_packet(p, &pkt, offset,
                                         rc == NGX_DECLINED);
    }

    if (pkt.has_payload) {
        flags |= ngx_tscast_ts_psi_packet(p, &pkt);

        if (flags & NGX_TSCAST_TS_TABLES) {
            i = ngx_tscast_ts_pid_index(&p->tables, pkt.pid);
        }
    }

    if (i < p->tables.npids) {
        p->cc[i] = pkt.cc;
    }

    return flags;
}


/* what does not fit into the packet is taken for absent */

void
ngx_tscast_ts_packet(ngx_tscast_ts_packet_t *pkt, u_char *p)
{
    size_t      len;
    ngx_uint_t  control;

    ngx_memzero(pkt, sizeof(ngx_tscast_ts_packet_t));

    control = ngx_tscast_ts_get_adaptation_field_control(p);

    if (control == 0) {

        /* reserved: such packets are discarded */

        pkt->pid = NGX_TSCAST_TS_NULL_PID;
        return;
    }

    pkt->pid = ngx_tscast_ts_get_pid(p);
    pkt->cc = ngx_tscast_ts_get_continuity_counter(p);
    pkt->start = ngx_tscast_ts_get_payload_unit_start_indicator(p);
    pkt->scrambled = (ngx_tscast_ts_get_transport_scrambling_control(p) != 0);
    pkt->has_payload = control & 1;
    pkt->payload = p + NGX_TSCAST_TS_PACKET;

    if (control == 1) {
        pkt->payload = p + 4;
        pkt->len = NGX_TSCAST_TS_PACKET - 4;
        return;
    }

    len = ngx_tscast_ts_get_adaptation_field_length(p);

    if (len > NGX_TSCAST_TS_PACKET - 5) {
        return;
    }

    if (pkt->has_payload) {
        pkt->payload = p + 5 + len;
        pkt->len = NGX_TSCAST_TS_PACKET - 5 - len;
    }

    if (len == 0) {
        return;
    }

    pkt->discontinuity = ngx_tscast_ts_get_discontinuity_indicator(p);
    pkt->random = ngx_tscast_ts_get_random_access_indicator(p);

    if (len >= 7 && ngx_tscast_ts_get_pcr_flag(p)) {
        pkt->has_pcr = 1;
        pkt->pcr = ngx_tscast_ts_get_program_clock_reference_base(p) * 300
                   + ngx_tscast_ts_get_program_clock_reference_extension(p);
    }
}


ngx_uint_t
ngx_tscast_ts_pid_index(ngx_tscast_ts_tables_t *t, uint16_t pid)
{
    ngx_uint_t  i;

    for (i = 0; i < t->npids; i++) {
        if (t->pids[i] == pid) {
            break;
        }
    }

    return i;
}


/*
 * ISO/IEC 13818-1, 2.4.3.3: NGX_OK in sequence, NGX_DONE a duplicate,
 * NGX_DECLINED something is missing before the packet
 */

static ngx_int_t
ngx_tscast_ts_continuity(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt, ngx_uint_t i)
{
    u_char    cc;
    uint32_t  bit;

    cc = p->cc[i];
    bit = (uint32_t) 1 << i;

    if (cc == NGX_TSCAST_TS_NO_CC) {
        return NGX_OK;
    }

    if (!pkt->has_payload) {

        if (pkt->cc == cc) {
            return NGX_OK;
        }

        p->duplicates &= ~bit;

    } else if (pkt->cc == ((cc + 1) & 0x0f)) {
        p->duplicates &= ~bit;
        return NGX_OK;

    } else if (pkt->cc == cc
               && !pkt->discontinuity
               && !(p->duplicates & bit))
    {
        p->duplicates |= bit;
        return NGX_DONE;

    } else {
        p->duplicates &= ~bit;
    }

    if (!pkt->discontinuity) {
        p->cc_errors++;
    }

    return NGX_DECLINED;
}
