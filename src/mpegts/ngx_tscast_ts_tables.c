
/*
 * Copyright (C) the tscast authors
 */


/*
 * Which sections of PAT and PMTs a late viewer is given.  They are kept by
 * rank: the PMT of the reference program, the section of the PAT that names
 * it, other sections of the PAT, other PMTs.  What comes pushes out only
 * what ranks below, so the choice comes to rest once all have been seen.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


#define NGX_TSCAST_TS_PAT_HEADER  8
#define NGX_TSCAST_TS_PAT_ENTRY   4
#define NGX_TSCAST_TS_CRC_LEN     4

/* of a packet with payload alone */
#define NGX_TSCAST_TS_PAYLOAD     (NGX_TSCAST_TS_PACKET - 4)

/* packets for a section with its pointer_field */
#define ngx_tscast_ts_packets(len)                                            \
    (((len) + NGX_TSCAST_TS_PAYLOAD) / NGX_TSCAST_TS_PAYLOAD)


static void ngx_tscast_ts_pat_programs(ngx_tscast_ts_psi_t *psi,
    u_char *section, size_t len);
static void ngx_tscast_ts_pat_program(ngx_tscast_ts_psi_t *psi,
    uint16_t number, uint16_t pid, u_char section);
static ngx_tscast_ts_program_t *ngx_tscast_ts_program_new(
    ngx_tscast_ts_psi_t *psi);
static ngx_uint_t ngx_tscast_ts_pat_is_whole(ngx_tscast_ts_psi_t *psi);
static void ngx_tscast_ts_pat_sweep(ngx_tscast_ts_psi_t *psi);
static ngx_tscast_ts_program_t *ngx_tscast_ts_program_find(
    ngx_tscast_ts_psi_t *psi, uint16_t number);
static void ngx_tscast_ts_program_choose(ngx_tscast_ts_parser_t *p);
static ngx_tscast_ts_kept_t *ngx_tscast_ts_kept_find(ngx_tscast_ts_psi_t *psi,
    uint16_t pid, uint16_t number);
static ngx_uint_t ngx_tscast_ts_kept_order(ngx_tscast_ts_psi_t *psi,
    uint16_t pid, uint16_t number);
static void ngx_tscast_ts_kept_delete(ngx_tscast_ts_psi_t *psi,
    ngx_tscast_ts_kept_t *k);
static ngx_uint_t ngx_tscast_ts_keep(ngx_tscast_ts_psi_t *psi, uint16_t pid,
    uint16_t number, u_char *section, size_t len);
static void ngx_tscast_ts_kept_make_room(ngx_tscast_ts_psi_t *psi,
    ngx_uint_t packets);
static ngx_uint_t ngx_tscast_ts_tables_make(ngx_tscast_ts_parser_t *p);
static ngx_uint_t ngx_tscast_ts_tables_sort(ngx_tscast_ts_psi_t *psi,
    ngx_tscast_ts_kept_t **order);
static void ngx_tscast_ts_tables_section(ngx_tscast_ts_tables_t *t,
    ngx_tscast_ts_kept_t *k, u_char *section);
static void ngx_tscast_ts_tables_pids(ngx_tscast_ts_tables_t *t,
    u_char *section, size_t len);
static void ngx_tscast_ts_tables_pid(ngx_tscast_ts_tables_t *t,
    uint16_t pid);
static ngx_uint_t ngx_tscast_ts_tables_set(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_tables_t *t, ngx_tscast_ts_pmt_t *pmt);
static void ngx_tscast_ts_tables_remap(ngx_tscast_ts_tables_t *from,
    ngx_tscast_ts_tables_t *to, u_char *cc);


ngx_uint_t
ngx_tscast_ts_pat(ngx_tscast_ts_parser_t *p, u_char *section, size_t len)
{
    u_char                 n, last, version;
    ngx_uint_t             i;
    ngx_tscast_ts_kept_t  *k;
    ngx_tscast_ts_psi_t   *psi;

    if ((len - NGX_TSCAST_TS_PAT_HEADER - NGX_TSCAST_TS_CRC_LEN)
        % NGX_TSCAST_TS_PAT_ENTRY)
    {
        return 0;
    }

    psi = &p->psi;

    n = ngx_tscast_ts_get_section_number(section);
    last = ngx_tscast_ts_get_last_section_number(section);
    version = ngx_tscast_ts_get_version_number(section);

    if (version != psi->version || last != psi->last) {
        psi->version = version;
        psi->last = last;

        ngx_memzero(psi->seen, sizeof(psi->seen));

        for (i = 0; i < psi->nprograms; i++) {
            psi->programs[i].stale = 1;
        }

        for (i = psi->nkept; i > 0; i--) {
            k = &psi->kept[i - 1];

            if (k->pid == NGX_TSCAST_TS_PAT_PID) {
                ngx_tscast_ts_kept_delete(psi, k);
            }
        }

    } else {
        k = ngx_tscast_ts_kept_find(psi, NGX_TSCAST_TS_PAT_PID, n);

        if (k && k->len == len
            && ngx_memcmp(psi->store + k->start, section, len) == 0)
        {
            return 0;
        }
    }

    psi->seen[n >> 3] |= 1 << (n & 7);

    ngx_tscast_ts_pat_programs(psi, section, len);

    if (ngx_tscast_ts_pat_is_whole(psi)) {
        ngx_tscast_ts_pat_sweep(psi);
    }

    ngx_tscast_ts_program_choose(p);

    (void) ngx_tscast_ts_keep(psi, NGX_TSCAST_TS_PAT_PID, n, section, len);

    return ngx_tscast_ts_tables_make(p);
}


static void
ngx_tscast_ts_pat_programs(ngx_tscast_ts_psi_t *psi, u_char *section,
    size_t len)
{
    u_char                   *e, *last, n;
    uint16_t                  pid;
    ngx_uint_t                i;
    ngx_tscast_ts_program_t  *program;

    n = ngx_tscast_ts_get_section_number(section);

    for (i = 0; i < psi->nprograms; i++) {
        if (psi->programs[i].section == n) {
            psi->programs[i].stale = 1;
        }
    }

    e = section + NGX_TSCAST_TS_PAT_HEADER;
    last = section + len - NGX_TSCAST_TS_CRC_LEN;

    for ( /* void */ ; e < last; e += NGX_TSCAST_TS_PAT_ENTRY) {

        pid = ngx_tscast_ts_get_program_map_pid(e);

        /* program 0 is the network PID; low PIDs are reserved */

        if (ngx_tscast_ts_get_program_number(e) == 0
            || pid < 0x10 || pid == NGX_TSCAST_TS_NULL_PID)
        {
            continue;
        }

        ngx_tscast_ts_pat_program(psi, ngx_tscast_ts_get_program_number(e),
                                  pid, n);
    }

    ngx_memzero(psi->pmt, sizeof(psi->pmt));

    for (i = 0; i < psi->nprograms; i++) {
        program = &psi->programs[i];
        psi->pmt[program->pid >> 3] |= 1 << (program->pid & 7);
    }
}


/* where a program is named twice, the first counts */

static void
ngx_tscast_ts_pat_program(ngx_tscast_ts_psi_t *psi, uint16_t number,
    uint16_t pid, u_char section)
{
    ngx_tscast_ts_kept_t     *k;
    ngx_tscast_ts_program_t  *program;

    program = ngx_tscast_ts_program_find(psi, number);

    if (program == NULL) {
        program = ngx_tscast_ts_program_new(psi);

        if (program == NULL) {
            return;
        }

        program->number = number;
        program->pid = pid;
        program->rank = 0;

    } else if (!program->stale) {
        return;

    } else if (program->pid != pid) {
        k = ngx_tscast_ts_kept_find(psi, program->pid, number);

        if (k) {
            ngx_tscast_ts_kept_delete(psi, k);
        }

        program->pid = pid;
        program->rank = 0;
    }

    program->section = section;
    program->stale = 0;
}


static ngx_tscast_ts_program_t *
ngx_tscast_ts_program_new(ngx_tscast_ts_psi_t *psi)
{
    ngx_uint_t                i;
    ngx_tscast_ts_kept_t     *k;
    ngx_tscast_ts_program_t  *program;

    if (psi->nprograms < NGX_TSCAST_TS_MAX_PROGRAMS) {
        return &psi->programs[psi->nprograms++];
    }

    for (i = 0; i < psi->nprograms; i++) {
        program = &psi->programs[i];

        if (program->stale && program->number != psi->program) {
            k = ngx_tscast_ts_kept_find(psi, program->pid, program->number);

            if (k) {
                ngx_tscast_ts_kept_delete(psi, k);
            }

            return program;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_tscast_ts_pat_is_whole(ngx_tscast_ts_psi_t *psi)
{
    ngx_uint_t  i;

    for (i = 0; i <= psi->last; i++) {
        if (!(psi->seen[i >> 3] & (1 << (i & 7)))) {
            return 0;
        }
    }

    return 1;
}


/* forgets programs that the PAT no longer names */

static void
ngx_tscast_ts_pat_sweep(ngx_tscast_ts_psi_t *psi)
{
    ngx_uint_t                i, n;
    ngx_tscast_ts_kept_t     *k;
    ngx_tscast_ts_program_t  *program;

    ngx_memzero(psi->pmt, sizeof(psi->pmt));

    n = 0;

    for (i = 0; i < psi->nprograms; i++) {
        program = &psi->programs[i];

        if (program->stale) {
            k = ngx_tscast_ts_kept_find(psi, program->pid, program->number);

            if (k) {
                ngx_tscast_ts_kept_delete(psi, k);
            }

            continue;
        }

        psi->pmt[program->pid >> 3] |= 1 << (program->pid & 7);
        psi->programs[n++] = *program;
    }

    psi->nprograms = n;

    ngx_tscast_ts_psi_forget(psi);
}


ngx_uint_t
ngx_tscast_ts_pmt(ngx_tscast_ts_parser_t *p, uint16_t pid, u_char *section,
    size_t len)
{
    uint16_t                  number;
    ngx_uint_t                changed;
    ngx_tscast_ts_kept_t     *k;
    ngx_tscast_ts_pmt_t       pmt;
    ngx_tscast_ts_psi_t      *psi;
    ngx_tscast_ts_program_t  *program;

    psi = &p->psi;
    number = ngx_tscast_ts_get_table_id_extension(section);

    /* ISO/IEC 13818-1, 2.4.4.9: section_number shall be 0 */

    if (ngx_tscast_ts_get_section_number(section) != 0) {
        return 0;
    }

    k = ngx_tscast_ts_kept_find(psi, pid, number);

    if (k && k->len == len
        && ngx_memcmp(psi->store + k->start, section, len) == 0)
    {
        return 0;
    }

    program = ngx_tscast_ts_program_find(psi, number);

    if (program == NULL || program->pid != pid) {
        return 0;
    }

    if (ngx_tscast_ts_pmt_parse(section, len, &pmt) != NGX_OK) {
        return 0;
    }

    program->rank = (u_char) pmt.rank;

    ngx_tscast_ts_program_choose(p);

    changed = ngx_tscast_ts_keep(psi, pid, number, section, len);

    return changed ? ngx_tscast_ts_tables_make(p) : 0;
}


static ngx_tscast_ts_program_t *
ngx_tscast_ts_program_find(ngx_tscast_ts_psi_t *psi, uint16_t number)
{
    ngx_uint_t  i;

    for (i = 0; i < psi->nprograms; i++) {
        if (psi->programs[i].number == number) {
            return &psi->programs[i];
        }
    }

    return NULL;
}


/* the reference program stays while there is none with better streams */

static void
ngx_tscast_ts_program_choose(ngx_tscast_ts_parser_t *p)
{
    uint16_t                  number;
    ngx_uint_t                i, rank;
    ngx_tscast_ts_psi_t      *psi;
    ngx_tscast_ts_program_t  *program;

    psi = &p->psi;
    number = 0;
    rank = 0;

    program = ngx_tscast_ts_program_find(psi, psi->program);

    if (program && program->rank) {
        number = program->number;
        rank = program->rank;
    }

    for (i = 0; i < psi->nprograms; i++) {
        program = &psi->programs[i];

        if (program->rank > rank) {
            number = program->number;
            rank = program->rank;
        }
    }

    if (number != psi->program) {
        psi->program = number;

        /* none until the tables are complete for this program */

        p->pid = NGX_TSCAST_TS_NULL_PID;
        p->pcr_pid = NGX_TSCAST_TS_NULL_PID;
    }
}


u_char *
ngx_tscast_ts_program(ngx_tscast_ts_parser_t *p, size_t *len)
{
    ngx_tscast_ts_kept_t     *k;
    ngx_tscast_ts_program_t  *program;

    program = ngx_tscast_ts_program_find(&p->psi, p->psi.program);

    if (program == NULL || program->rank == 0) {
        return NULL;
    }

    k = ngx_tscast_ts_kept_find(&p->psi, program->pid, program->number);

    if (k == NULL) {
        return NULL;
    }

    *len = k->len;

    return p->psi.store + k->start;
}


static ngx_tscast_ts_kept_t *
ngx_tscast_ts_kept_find(ngx_tscast_ts_psi_t *psi, uint16_t pid,
    uint16_t number)
{
    ngx_uint_t  i;

    for (i = 0; i < psi->nkept; i++) {
        if (psi->kept[i].pid == pid && psi->kept[i].number == number) {
            return &psi->kept[i];
        }
    }

    return NULL;
}


/* what is kept first has the lowest number */

static ngx_uint_t
ngx_tscast_ts_kept_order(ngx_tscast_ts_psi_t *psi, uint16_t pid,
    uint16_t number)
{
    ngx_tscast_ts_program_t  *program;

    if (pid == NGX_TSCAST_TS_PAT_PID) {
        program = ngx_tscast_ts_program_find(psi, psi->program);

        if (program && program->section == number) {
            return 1;
        }

        return 2 + number;
    }

    if (number == psi->program) {
        return 0;
    }

    program = ngx_tscast_ts_program_find(psi, number);

    return 0x1000 + (program ? program - psi->programs
                             : NGX_TSCAST_TS_MAX_PROGRAMS);
}


static void
ngx_tscast_ts_kept_delete(ngx_tscast_ts_psi_t *psi, ngx_tscast_ts_kept_t *k)
{
    size_t       len;
    u_char      *p, *last;
    ngx_uint_t   i, n;

    n = k - psi->kept;
    len = k->len;
    p = psi->store + k->start;
    last = psi->store + psi->kept[psi->nkept - 1].start
           + psi->kept[psi->nkept - 1].len;

    ngx_memmove(p, p + len, last - p - len);

    psi->nkept--;

    for (i = n; i < psi->nkept; i++) {
        psi->kept[i] = psi->kept[i + 1];
        psi->kept[i].start -= len;
    }
}


/* returns whether anything has changed */

static ngx_uint_t
ngx_tscast_ts_keep(ngx_tscast_ts_psi_t *psi, uint16_t pid, uint16_t number,
    u_char *section, size_t len)
{
    ngx_uint_t             i, n, order, changed;
    ngx_tscast_ts_kept_t  *k;

    changed = 0;
    k = ngx_tscast_ts_kept_find(psi, pid, number);

    if (k) {
        ngx_tscast_ts_kept_delete(psi, k);
        changed = 1;
    }

    order = ngx_tscast_ts_kept_order(psi, pid, number);

    /* is there room beside those that rank above? */

    n = ngx_tscast_ts_packets(len);

    for (i = 0; i < psi->nkept; i++) {
        k = &psi->kept[i];

        if (ngx_tscast_ts_kept_order(psi, k->pid, k->number) < order) {
            n += ngx_tscast_ts_packets(k->len);
        }
    }

    if (n > NGX_TSCAST_TS_MAX_TABLES) {
        return changed;
    }

    ngx_tscast_ts_kept_make_room(psi, ngx_tscast_ts_packets(len));

    n = 0;

    if (psi->nkept) {
        k = &psi->kept[psi->nkept - 1];
        n = k->start + k->len;
    }

    k = &psi->kept[psi->nkept++];

    k->pid = pid;
    k->number = number;
    k->start = n;
    k->len = len;

    ngx_memcpy(psi->store + n, section, len);

    return 1;
}


static void
ngx_tscast_ts_kept_make_room(ngx_tscast_ts_psi_t *psi, ngx_uint_t packets)
{
    ngx_uint_t             i, n, order, last;
    ngx_tscast_ts_kept_t  *k, *victim;

    for ( ;; ) {
        n = packets;
        last = 0;
        victim = NULL;

        for (i = 0; i < psi->nkept; i++) {
            k = &psi->kept[i];
            n += ngx_tscast_ts_packets(k->len);

            order = ngx_tscast_ts_kept_order(psi, k->pid, k->number);

            if (victim == NULL || order > last) {
                last = order;
                victim = k;
            }
        }

        if (n <= NGX_TSCAST_TS_MAX_TABLES || victim == NULL) {
            return;
        }

        ngx_tscast_ts_kept_delete(psi, victim);
    }
}


static ngx_uint_t
ngx_tscast_ts_tables_make(ngx_tscast_ts_parser_t *p)
{
    ngx_uint_t                i, n;
    ngx_tscast_ts_psi_t      *psi;
    ngx_tscast_ts_pmt_t       pmt;
    ngx_tscast_ts_kept_t     *k, *order[NGX_TSCAST_TS_MAX_TABLES];
    ngx_tscast_ts_tables_t    t;
    ngx_tscast_ts_program_t  *program;

    psi = &p->psi;
    program = ngx_tscast_ts_program_find(psi, psi->program);

    if (psi->program == 0 || program == NULL || program->stale) {
        return 0;
    }

    k = ngx_tscast_ts_kept_find(psi, program->pid, program->number);

    if (k == NULL
        || ngx_tscast_ts_kept_find(psi, NGX_TSCAST_TS_PAT_PID,
                                   program->section)
           == NULL)
    {
        return 0;
    }

    (void) ngx_tscast_ts_pmt_parse(psi->store + k->start, k->len, &pmt);

    ngx_memzero(&t, sizeof(ngx_tscast_ts_tables_t));

    ngx_tscast_ts_tables_pid(&t, NGX_TSCAST_TS_PAT_PID);

    n = ngx_tscast_ts_tables_sort(psi, order);

    for (i = 0; i < n; i++) {
        ngx_tscast_ts_tables_section(&t, order[i],
                                     psi->store + order[i]->start);
    }

    ngx_tscast_ts_tables_pid(&t, pmt.pcr_pid);
    ngx_tscast_ts_tables_pid(&t, pmt.pid);

    /* the reference program's PMT is the first after the PAT */

    for (i = 0; i < n; i++) {
        if (order[i]->pid != NGX_TSCAST_TS_PAT_PID) {
            ngx_tscast_ts_tables_pids(&t, psi->store + order[i]->start,
                                      order[i]->len);
        }
    }

    return ngx_tscast_ts_tables_set(p, &t, &pmt);
}


/* sections of the PAT, then the reference program's PMT, then other PMTs */

static ngx_uint_t
ngx_tscast_ts_tables_sort(ngx_tscast_ts_psi_t *psi,
    ngx_tscast_ts_kept_t **order)
{
    ngx_uint_t             i, j, n, key[NGX_TSCAST_TS_MAX_TABLES];
    ngx_tscast_ts_kept_t  *k;

    for (i = 0; i < psi->nkept; i++) {
        k = &psi->kept[i];

        if (k->pid == NGX_TSCAST_TS_PAT_PID) {
            n = k->number;

        } else {
            n = 0x1000 + ngx_tscast_ts_kept_order(psi, k->pid, k->number);
        }

        for (j = i; j > 0 && key[j - 1] > n; j--) {
            key[j] = key[j - 1];
            order[j] = order[j - 1];
        }

        key[j] = n;
        order[j] = k;
    }

    return psi->nkept;
}


/* a section begins in a packet of its own, after a pointer_field of 0 */

static void
ngx_tscast_ts_tables_section(ngx_tscast_ts_tables_t *t,
    ngx_tscast_ts_kept_t *k, u_char *section)
{
    size_t       n, len;
    u_char      *p, start;
    ngx_uint_t   i;

    ngx_tscast_ts_tables_pid(t, k->pid);

    i = ngx_tscast_ts_pid_index(t, k->pid);
    start = 0x40;

    for (len = k->len; len; len -= n) {
        t->table_pid[t->ntables] = (u_char) i;
        p = t->tables[t->ntables++];

        ngx_memset(p, 0xff, NGX_TSCAST_TS_PACKET);

        *p++ = NGX_TSCAST_TS_SYNC_BYTE;
        *p++ = start | k->pid >> 8;
        *p++ = (u_char) k->pid;
        *p++ = 0x10;

        n = NGX_TSCAST_TS_PAYLOAD;

        if (start) {
            *p++ = 0;
            n--;
            start = 0;
        }

        n = ngx_min(n, len);

        ngx_memcpy(p, section, n);
        section += n;
    }
}


static void
ngx_tscast_ts_tables_pids(ngx_tscast_ts_tables_t *t, u_char *section,
    size_t len)
{
    u_char  *es;

    ngx_tscast_ts_tables_pid(t, ngx_tscast_ts_get_pcr_pid(section));

    for (es = ngx_tscast_ts_pmt_first(section, len);
         es;
         es = ngx_tscast_ts_pmt_next(section, len, es))
    {
        ngx_tscast_ts_tables_pid(t, ngx_tscast_ts_get_elementary_pid(es));
    }
}


static void
ngx_tscast_ts_tables_pid(ngx_tscast_ts_tables_t *t, uint16_t pid)
{
    if (pid == NGX_TSCAST_TS_NULL_PID
        || t->npids == NGX_TSCAST_TS_MAX_PIDS
        || ngx_tscast_ts_pid_index(t, pid) < t->npids)
    {
        return;
    }

    t->pids[t->npids++] = pid;
}


/* takes over what is known of PIDs that stay */

static ngx_uint_t
ngx_tscast_ts_tables_set(ngx_tscast_ts_parser_t *p, ngx_tscast_ts_tables_t *t,
    ngx_tscast_ts_pmt_t *pmt)
{
    if (p->pid != pmt->pid || p->codec != pmt->codec) {
        p->pid = pmt->pid;
        p->codec = pmt->codec;

        ngx_tscast_ts_es_reset(&p->es);
    }

    p->pcr_pid = pmt->pcr_pid;

    if (ngx_memcmp(&p->tables, t, sizeof(ngx_tscast_ts_tables_t)) == 0) {
        return 0;
    }

    ngx_tscast_ts_tables_remap(&p->tables, t, p->cc);
    ngx_tscast_ts_tables_remap(&p->tables, t, p->rap.cc);
    ngx_tscast_ts_tables_remap(&p->tables, t, p->es.candidate.cc);

    p->duplicates = 0;
    p->tables = *t;

    return NGX_TSCAST_TS_TABLES;
}


static void
ngx_tscast_ts_tables_remap(ngx_tscast_ts_tables_t *from,
    ngx_tscast_ts_tables_t *to, u_char *cc)
{
    u_char      old[NGX_TSCAST_TS_MAX_PIDS];
    ngx_uint_t  i, n;

    ngx_memcpy(old, cc, sizeof(old));
    ngx_memset(cc, NGX_TSCAST_TS_NO_CC, sizeof(old));

    for (i = 0; i < to->npids; i++) {
        n = ngx_tscast_ts_pid_index(from, to->pids[i]);

        if (n < from->npids) {
            cc[i] = old[n];
        }
    }
}
