
/*
 * Copyright (C) the tscast authors
 */


/*
 * Time is that of the stream: what lies between two PCR is as long as they
 * say.  Over TCP and HTTP arrival tells more of the network than of the
 * multiplex, and a file that is published in one go is as well as it was when
 * it was made.  Where a stream has no PCR for a second, arrival counts.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts_health.h>


#define ngx_tscast_ts_ms(n)         ((uint64_t) (n) * 27000)

/* ETSI TR 101 290: 1.3.a, 1.5.a; 1.6 for video and audio; 2.5 */
#define NGX_TSCAST_TS_TABLE_LATE    ngx_tscast_ts_ms(500)
#define NGX_TSCAST_TS_PID_LATE      ngx_tscast_ts_ms(5000)
#define NGX_TSCAST_TS_PTS_LATE      ngx_tscast_ts_ms(700)

/* ms without a byte, and without a PCR */
#define NGX_TSCAST_TS_SILENCE       1000
#define NGX_TSCAST_TS_IDLE          1000


static ngx_uint_t ngx_tscast_ts_health_add(ngx_tscast_ts_health_t *h,
    uint16_t pid, ngx_uint_t named);
static ngx_int_t ngx_tscast_ts_health_continuity(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, u_char *p, ngx_uint_t discontinuity);
static ngx_uint_t ngx_tscast_ts_health_plain(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, u_char *p);
static u_char *ngx_tscast_ts_health_field(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, u_char *p, ngx_uint_t *discontinuity, uint64_t *pcr);
static void ngx_tscast_ts_health_payload(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, u_char *p, u_char *payload);
static void ngx_tscast_ts_health_section(ngx_tscast_ts_health_t *h,
    ngx_uint_t i, u_char *p, u_char *last);
static void ngx_tscast_ts_health_here(ngx_tscast_ts_health_t *h,
    ngx_uint_t i);
static void ngx_tscast_ts_health_late(ngx_tscast_ts_health_t *h,
    ngx_uint_t i);
static void ngx_tscast_ts_health_program(ngx_tscast_ts_health_t *h,
    ngx_tscast_ts_psi_t *psi, ngx_tscast_ts_program_t *program);
static void ngx_tscast_ts_health_stream(ngx_tscast_ts_health_t *h,
    uint16_t program, u_char *es);
static ngx_uint_t ngx_tscast_ts_health_name(ngx_tscast_ts_health_t *h,
    uint16_t pid, uint16_t program, ngx_uint_t kind);


void
ngx_tscast_ts_health_init(ngx_tscast_ts_health_t *h)
{
    ngx_memzero(h, sizeof(ngx_tscast_ts_health_t));

    h->pcr_pid = NGX_TSCAST_TS_NULL_PID;

    /* the PAT is missed even if it never comes */

    (void) ngx_tscast_ts_health_add(h, NGX_TSCAST_TS_PAT_PID, 1);
    h->pids[0].kind = NGX_TSCAST_TS_PID_PAT;
}


void
ngx_tscast_ts_health_arrive(ngx_tscast_ts_health_t *h, ngx_msec_t now)
{
    ngx_msec_int_t  elapsed;

    elapsed = h->started ? (ngx_msec_int_t) (now - h->arrived) : 0;
    elapsed = ngx_max(elapsed, 0);

    h->started = 1;
    h->arrived = now;

    if (elapsed >= NGX_TSCAST_TS_SILENCE) {
        h->errors.silences++;
        return;
    }

    h->idle += elapsed;

    if (h->idle < NGX_TSCAST_TS_IDLE) {
        return;
    }

    if (h->pcr_pid != NGX_TSCAST_TS_NULL_PID
        && h->idle - elapsed < NGX_TSCAST_TS_IDLE)
    {
        h->errors.pcr_repetition++;
    }

    ngx_tscast_ts_health_advance(h, ngx_tscast_ts_ms(elapsed));
}


/*
 * The framing leaves the lock with the first wrong sync byte.  Where it goes
 * on a whole number of packets later, those had wrong ones; more than one in
 * a row, or another distance, is a loss of sync.
 */

void
ngx_tscast_ts_health_sync(ngx_tscast_ts_health_t *h, ngx_tscast_ts_sync_t *s)
{
    uint64_t  n;

    if (s->resyncs != h->resyncs) {
        n = s->dropped - h->dropped;

        if (n % NGX_TSCAST_TS_PACKET) {
            h->errors.sync_byte++;

        } else {
            h->errors.sync_byte += n / NGX_TSCAST_TS_PACKET;
        }

        h->errors.sync_loss += (n != NGX_TSCAST_TS_PACKET);
    }

    h->resyncs = s->resyncs;
    h->dropped = s->dropped;
}


void
ngx_tscast_ts_health_packet(ngx_tscast_ts_health_t *h, u_char *p)
{
    u_char      *payload;
    uint16_t     pid;
    uint64_t     pcr;
    ngx_uint_t   i, discontinuity;

    h->packets++;

    if (ngx_tscast_ts_get_transport_error_indicator(p)) {
        h->errors.transport++;
        return;
    }

    pid = ngx_tscast_ts_get_pid(p);

    if (pid == NGX_TSCAST_TS_NULL_PID) {
        h->nulls++;
        return;
    }

    i = h->index[pid];

    if (i == 0) {
        i = ngx_tscast_ts_health_add(h, pid, 0);

        if (i == 0) {
            h->unlisted++;
            return;
        }
    }

    i--;
    h->pids[i].packets++;

    if (ngx_tscast_ts_health_plain(h, i, p)) {
        return;
    }

    payload = ngx_tscast_ts_health_field(h, i, p, &discontinuity, &pcr);

    if (payload == NULL
        || ngx_tscast_ts_health_continuity(h, i, p, discontinuity)
           == NGX_DONE)
    {
        return;
    }

    if (h->more[i].pcr_pid && (discontinuity || pcr != NGX_TSCAST_TS_NO_PCR)) {
        ngx_tscast_ts_health_pcr(h, i, pcr, discontinuity);
    }

    ngx_tscast_ts_health_payload(h, i, p, payload);
}


/*
 * Returns the place in the table + 1, or 0.  Where there is none, a PID that
 * no table names gives way to one that is named.
 */

static ngx_uint_t
ngx_tscast_ts_health_add(ngx_tscast_ts_health_t *h, uint16_t pid,
    ngx_uint_t named)
{
    ngx_uint_t  i;

    i = h->npids;

    if (i == NGX_TSCAST_TS_HEALTH_PIDS) {

        for (i = 0; i < h->npids; i++) {
            if (named && h->pids[i].kind == NGX_TSCAST_TS_PID_OTHER) {
                h->index[h->pids[i].pid] = 0;
                break;
            }
        }

        if (i == h->npids) {
            return 0;
        }
    }

    ngx_memzero(&h->pids[i], sizeof(ngx_tscast_ts_pid_t));
    ngx_memzero(&h->more[i], sizeof(ngx_tscast_ts_health_pid_t));

    h->pids[i].pid = pid;
    h->more[i].seen = h->clock;

    h->npids = ngx_max(h->npids, i + 1);
    h->index[pid] = i + 1;

    return i + 1;
}


/*
 * ISO/IEC 13818-1, 2.4.3.3: NGX_OK, or NGX_DONE for a duplicate
 */

static ngx_int_t
ngx_tscast_ts_health_continuity(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    u_char *p, ngx_uint_t discontinuity)
{
    u_char                       cc, last;
    ngx_uint_t                   duplicate, has_payload;
    ngx_tscast_ts_health_pid_t  *m;

    m = &h->more[i];

    last = m->cc;
    duplicate = m->duplicate;

    cc = ngx_tscast_ts_get_continuity_counter(p);
    has_payload = ngx_tscast_ts_get_adaptation_field_control(p) & 1;

    m->cc = cc;
    m->duplicate = 0;
    m->plain = 0;

    if (!m->has_cc) {
        m->has_cc = 1;
        return NGX_OK;
    }

    if (cc == ((last + has_payload) & 0x0f)) {
        m->duplicate = duplicate && !has_payload;
        return NGX_OK;
    }

    if (discontinuity) {
        return NGX_OK;
    }

    if (has_payload && cc == last && !duplicate) {
        m->duplicate = 1;
        return NGX_DONE;
    }

    h->pids[i].continuity++;
    h->errors.continuity++;

    return NGX_OK;
}


/*
 * Most packets of all are nothing but the next ones of a PES packet of which
 * the beginning is known.
 */

static ngx_uint_t
ngx_tscast_ts_health_plain(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    u_char *p)
{
    ngx_tscast_ts_health_pid_t  *m;

    m = &h->more[i];

    if (p[3] != (0x10 | ((m->cc + 1) & 0x0f))
        || ngx_tscast_ts_get_payload_unit_start_indicator(p)
        || !m->plain
        || h->heads[0].pid == i + 1
        || h->heads[1].pid == i + 1)
    {
        return 0;
    }

    m->cc = ngx_tscast_ts_get_continuity_counter(p);
    m->seen = h->clock;

    return 1;
}


/*
 * What the packet has before its payload.  Returns the payload, at the
 * packet's end if there is none, or NULL for a packet to be discarded.
 */

static u_char *
ngx_tscast_ts_health_field(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    u_char *p, ngx_uint_t *discontinuity, uint64_t *pcr)
{
    size_t      len;
    ngx_uint_t  control;

    *discontinuity = 0;
    *pcr = NGX_TSCAST_TS_NO_PCR;

    control = ngx_tscast_ts_get_adaptation_field_control(p);

    if (control == 0) {
        return NULL;
    }

    if (control == 1) {
        return p + 4;
    }

    len = ngx_tscast_ts_get_adaptation_field_length(p);

    if (len > NGX_TSCAST_TS_PACKET - 5) {
        return p + NGX_TSCAST_TS_PACKET;
    }

    if (len) {
        *discontinuity = ngx_tscast_ts_get_discontinuity_indicator(p);
    }

    if (len >= 7 && ngx_tscast_ts_get_pcr_flag(p)) {
        *pcr = ngx_tscast_ts_get_program_clock_reference_base(p) * 300
               + ngx_tscast_ts_get_program_clock_reference_extension(p);
    }

    return (control & 1) ? p + 5 + len : p + NGX_TSCAST_TS_PACKET;
}


static void
ngx_tscast_ts_health_payload(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    u_char *p, u_char *payload)
{
    u_char  *last;

    last = p + NGX_TSCAST_TS_PACKET;

    switch (h->pids[i].kind) {

    case NGX_TSCAST_TS_PID_PAT:
    case NGX_TSCAST_TS_PID_PMT:
        ngx_tscast_ts_health_section(h, i, p, payload);
        break;

    case NGX_TSCAST_TS_PID_VIDEO:
    case NGX_TSCAST_TS_PID_AUDIO:
        ngx_tscast_ts_health_here(h, i);

        h->more[i].plain = !h->more[i].duplicate;

        if (!ngx_tscast_ts_get_transport_scrambling_control(p)) {
            ngx_tscast_ts_health_pes(h, i, payload, last,
                           ngx_tscast_ts_get_payload_unit_start_indicator(p));
        }

        break;
    }
}


/* 1.3.a and 1.5.a: the right table, and not scrambled */

static void
ngx_tscast_ts_health_section(ngx_tscast_ts_health_t *h, ngx_uint_t i,
    u_char *p, u_char *payload)
{
    u_char     *table, *last;
    uint64_t   *errors;
    ngx_uint_t  pat;

    pat = (h->pids[i].kind == NGX_TSCAST_TS_PID_PAT);
    errors = pat ? &h->errors.pat : &h->errors.pmt;

    if (ngx_tscast_ts_get_transport_scrambling_control(p)) {
        (*errors)++;
        return;
    }

    last = p + NGX_TSCAST_TS_PACKET;

    if (!ngx_tscast_ts_get_payload_unit_start_indicator(p)
        || payload == last)
    {
        return;
    }

    /* beyond pointer_field */

    table = payload + 1 + payload[0];

    if (table >= last) {
        return;
    }

    if (ngx_tscast_ts_get_table_id(table) == (pat ? 0x00 : 0x02)) {
        ngx_tscast_ts_health_here(h, i);

    } else if (pat) {
        (*errors)++;
    }
}


static void
ngx_tscast_ts_health_here(ngx_tscast_ts_health_t *h, ngx_uint_t i)
{
    h->pids[i].missing = 0;
    h->more[i].late = 0;
    h->more[i].seen = h->clock;
}


void
ngx_tscast_ts_health_advance(ngx_tscast_ts_health_t *h, uint64_t ticks)
{
    ngx_uint_t  i;

    h->clock += ticks;

    for (i = 0; i < h->npids; i++) {
        ngx_tscast_ts_health_late(h, i);
    }
}


static void
ngx_tscast_ts_health_late(ngx_tscast_ts_health_t *h, ngx_uint_t i)
{
    uint64_t                     limit, *errors;
    ngx_tscast_ts_health_pid_t  *m;

    m = &h->more[i];

    switch (h->pids[i].kind) {

    case NGX_TSCAST_TS_PID_PAT:
        limit = NGX_TSCAST_TS_TABLE_LATE;
        errors = &h->errors.pat;
        break;

    case NGX_TSCAST_TS_PID_PMT:
        limit = NGX_TSCAST_TS_TABLE_LATE;
        errors = &h->errors.pmt;
        break;

    case NGX_TSCAST_TS_PID_VIDEO:
    case NGX_TSCAST_TS_PID_AUDIO:
        limit = NGX_TSCAST_TS_PID_LATE;
        errors = &h->errors.pid;

        if (m->has_pts && !m->pts_late
            && h->clock - m->pts_seen > NGX_TSCAST_TS_PTS_LATE)
        {
            m->pts_late = 1;
            h->errors.pts++;
        }

        break;

    default:
        return;
    }

    if (!m->late && h->clock - m->seen > limit) {
        m->late = 1;
        m->plain = 0;
        h->pids[i].missing = 1;
        (*errors)++;
    }
}


void
ngx_tscast_ts_health_tables(ngx_tscast_ts_health_t *h,
    ngx_tscast_ts_parser_t *parser)
{
    ngx_uint_t  i;

    for (i = 0; i < h->npids; i++) {
        h->more[i].before = h->pids[i].kind;
        h->more[i].pcr_pid = 0;

        if (h->pids[i].kind != NGX_TSCAST_TS_PID_PAT) {
            h->pids[i].kind = NGX_TSCAST_TS_PID_OTHER;
            h->pids[i].program = 0;
        }
    }

    h->nprograms = 0;

    for (i = 0; i < parser->psi.nprograms; i++) {
        if (!parser->psi.programs[i].stale) {
            ngx_tscast_ts_health_program(h, &parser->psi,
                                         &parser->psi.programs[i]);
        }
    }

    for (i = 0; i < h->npids; i++) {
        if (h->pids[i].kind != h->more[i].before) {
            h->more[i].plain = 0;
            ngx_tscast_ts_health_here(h, i);
            ngx_tscast_ts_health_pes_reset(h, i);
        }
    }

    if (h->pcr_pid != parser->pcr_pid) {
        h->pcr_pid = parser->pcr_pid;
        ngx_tscast_ts_health_pcr_reset(h);
    }
}


static void
ngx_tscast_ts_health_program(ngx_tscast_ts_health_t *h,
    ngx_tscast_ts_psi_t *psi, ngx_tscast_ts_program_t *program)
{
    u_char                *es, *section;
    uint16_t               pcr_pid;
    ngx_uint_t             i;
    ngx_tscast_ts_kept_t  *k;

    (void) ngx_tscast_ts_health_name(h, program->pid, program->number,
                                     NGX_TSCAST_TS_PID_PMT);

    pcr_pid = NGX_TSCAST_TS_NULL_PID;

    for (i = 0; i < psi->nkept; i++) {
        k = &psi->kept[i];

        if (k->pid != program->pid || k->number != program->number) {
            continue;
        }

        section = psi->store + k->start;
        pcr_pid = ngx_tscast_ts_get_pcr_pid(section);

        for (es = ngx_tscast_ts_pmt_first(section, k->len);
             es;
             es = ngx_tscast_ts_pmt_next(section, k->len, es))
        {
            ngx_tscast_ts_health_stream(h, program->number, es);
        }

        i = ngx_tscast_ts_health_name(h, pcr_pid, program->number,
                                      NGX_TSCAST_TS_PID_PCR);
        if (i) {
            h->more[i - 1].pcr_pid = 1;
        }

        break;
    }

    if (h->nprograms < NGX_TSCAST_TS_HEALTH_PROGRAMS) {
        h->programs[h->nprograms].number = program->number;
        h->programs[h->nprograms].pid = program->pid;
        h->programs[h->nprograms].pcr_pid = pcr_pid;
        h->nprograms++;
    }
}


static void
ngx_tscast_ts_health_stream(ngx_tscast_ts_health_t *h, uint16_t program,
    u_char *es)
{
    ngx_uint_t              i, kind;
    ngx_tscast_ts_format_e  format;

    format = ngx_tscast_ts_format(es);

    kind = ngx_tscast_ts_is_video(format) ? NGX_TSCAST_TS_PID_VIDEO
           : ngx_tscast_ts_is_audio(format) ? NGX_TSCAST_TS_PID_AUDIO
           : NGX_TSCAST_TS_PID_DATA;

    i = ngx_tscast_ts_health_name(h, ngx_tscast_ts_get_elementary_pid(es),
                                  program, kind);

    if (i == 0) {
        return;
    }

    i--;

    if (h->pids[i].format != format) {
        h->pids[i].format = format;
        ngx_tscast_ts_health_pes_reset(h, i);
    }

    h->pids[i].type = ngx_tscast_ts_get_stream_type(es);
}


/* returns the place in the table + 1, or 0; the first name counts */

static ngx_uint_t
ngx_tscast_ts_health_name(ngx_tscast_ts_health_t *h, uint16_t pid,
    uint16_t program, ngx_uint_t kind)
{
    ngx_uint_t  i;

    if (pid == NGX_TSCAST_TS_NULL_PID) {
        return 0;
    }

    i = h->index[pid];

    if (i == 0) {
        i = ngx_tscast_ts_health_add(h, pid, 1);
    }

    if (i && h->pids[i - 1].kind == NGX_TSCAST_TS_PID_OTHER) {
        h->pids[i - 1].kind = kind;
        h->pids[i - 1].program = program;
    }

    return i;
}
