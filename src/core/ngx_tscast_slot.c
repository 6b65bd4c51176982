
/*
 * Copyright (C) the tscast authors
 */


/*
 * Slots: each worker's place in a zone.  Whatever a worker puts in the zone
 * is filed under its slot, and whoever finds the worker dead takes it away:
 * feeds end, the sections and the interest are dropped, counters go to the
 * totals.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_hub.h"


/* ms between two looks at the other slots, of all workers together */
#define NGX_TSCAST_SWEEP  900

/* streams looked at under one hold of the mutex */
#define NGX_TSCAST_SLICE  128


static ngx_uint_t ngx_tscast_slot_dead(ngx_pid_t pid, uint64_t start);
static uint64_t ngx_tscast_slot_start(ngx_pid_t pid, u_char *state);
static void ngx_tscast_slot_clear(ngx_tscast_zone_t *zone, ngx_uint_t n,
    ngx_pid_t pid, uint64_t start);
static void ngx_tscast_slot_clear_stream_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st, ngx_uint_t n, ngx_uint_t *wake);
static void ngx_tscast_slot_trim(ngx_tscast_zone_t *zone);
static void ngx_tscast_slot_recover(ngx_tscast_zone_t *zone, ngx_log_t *log);


/* makes the slot of this process ready; what a former owner left is swept */

void
ngx_tscast_slot_take(ngx_tscast_zone_t *zone)
{
    ngx_uint_t             n;
    ngx_tscast_slot_t     *slot;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;
    n = ngx_process_slot;

    slot = sh->slots[n];

    if (slot->pid) {
        ngx_tscast_slot_clear(zone, n, slot->pid, slot->start);
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    slot->start = ngx_tscast_slot_start(ngx_pid, NULL);
    slot->pid = ngx_pid;
    slot->generation = ngx_tscast_generation;

    if (sh->nslots <= n) {
        __atomic_store_n(&sh->nslots, n + 1, __ATOMIC_SEQ_CST);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    zone->slot = slot;
}


void
ngx_tscast_slot_leave(ngx_tscast_zone_t *zone)
{
    uint64_t  start;

    if (zone->slot) {
        start = zone->slot->start;
        zone->slot = NULL;

        ngx_tscast_slot_clear(zone, ngx_process_slot, ngx_pid, start);
    }
}


/*
 * Called every second by every worker; one of them looks for dead workers
 * and trims the feeds that have no owner.
 */

void
ngx_tscast_slot_sweep(ngx_tscast_zone_t *zone, ngx_log_t *log)
{
    ngx_msec_t             swept;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;

    swept = __atomic_load_n(&sh->swept_at, __ATOMIC_SEQ_CST);

    if (ngx_tscast_since(swept) < NGX_TSCAST_SWEEP
        || !__atomic_compare_exchange_n(&sh->swept_at, &swept,
                                        ngx_current_msec, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
    {
        return;
    }

    ngx_tscast_slot_bury(zone, log);

    if (sh->norphans) {
        ngx_tscast_event_orphans(zone);
    }

    ngx_tscast_slot_trim(zone);
    ngx_tscast_slot_recover(zone, log);
    ngx_tscast_record_sweep(zone);
}


/* clears the slots whose workers have died */

void
ngx_tscast_slot_bury(ngx_tscast_zone_t *zone, ngx_log_t *log)
{
    uint64_t            start;
    ngx_pid_t           pid;
    ngx_uint_t          n;
    ngx_tscast_slot_t  *slot;

    for (n = 0; n < zone->sh->nslots; n++) {
        slot = zone->sh->slots[n];

        if (slot == zone->slot) {
            continue;
        }

        ngx_shmtx_lock(&zone->shpool->mutex);

        pid = slot->pid;
        start = slot->start;

        ngx_shmtx_unlock(&zone->shpool->mutex);

        if (pid == 0 || !ngx_tscast_slot_dead(pid, start)) {
            continue;
        }

        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "worker process %P is gone, its part of zone \"%V\" "
                      "is freed", pid, &zone->name);

        ngx_tscast_slot_clear(zone, n, pid, start);
    }
}


static ngx_uint_t
ngx_tscast_slot_dead(ngx_pid_t pid, uint64_t start)
{
    u_char    state;
    uint64_t  now;

    state = 'R';
    now = ngx_tscast_slot_start(pid, &state);

    if (now == 0 || start == 0) {
        /* /proc could not be read, now or when the slot was taken */
        return kill(pid, 0) == -1;
    }

    /* a pid may have come back as another process */

    return now != start || state == 'Z' || state == 'X';
}


/*
 * When the process was started, in clock ticks since boot, and its state:
 * fields 22 and 3 of /proc/pid/stat.  Returns 0 where there is none.
 */

static uint64_t
ngx_tscast_slot_start(ngx_pid_t pid, u_char *state)
{
    u_char      *p, *last;
    ssize_t      n;
    ngx_fd_t     fd;
    uint64_t     start;
    ngx_uint_t   field;
    u_char       buf[512];

    ngx_sprintf(buf, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(buf, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    last = buf + n;

    /* the name of the program may hold spaces and brackets */

    for (p = last - 1; p > buf && *p != ')'; p--) { /* void */ }

    start = 0;

    for (field = 2; p < last && field < 22; p++) {

        if (*p != ' ') {
            continue;
        }

        if (++field == 3 && state && p + 1 < last) {
            *state = p[1];
        }
    }

    while (p < last && *p >= '0' && *p <= '9') {
        start = start * 10 + (*p++ - '0');
    }

    return start;
}


ngx_uint_t
ngx_tscast_successor(ngx_tscast_zone_t *zone)
{
    ngx_uint_t          n;
    ngx_tscast_slot_t  *slot;

    for (n = 0; n < zone->sh->nslots; n++) {
        slot = zone->sh->slots[n];

        if (slot->pid
            && (ngx_int_t) (slot->generation - ngx_tscast_generation) > 0)
        {
            return 1;
        }
    }

    return 0;
}


/* unless somebody else was quicker: clears what this very process left */

static void
ngx_tscast_slot_clear(ngx_tscast_zone_t *zone, ngx_uint_t n, ngx_pid_t pid,
    uint64_t start)
{
    ngx_uint_t             i, wake;
    ngx_tscast_slot_t     *slot;
    ngx_tscast_stream_t   *st;
    ngx_tscast_section_t  *section;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;
    slot = sh->slots[n];
    section = &sh->sections[n];

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (slot->pid != pid || slot->start != start) {
        ngx_shmtx_unlock(&zone->shpool->mutex);
        return;
    }

    __atomic_store_n(&section->reading, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&section->writing, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&section->looking, 0, __ATOMIC_SEQ_CST);

    ngx_tscast_record_clear_locked(zone, n);
    ngx_tscast_mail_clear_locked(zone, n);

    for (i = 0; i < sh->nstreams; i++) {
        st = sh->streams[i];
        wake = 0;

        if (st) {
            ngx_tscast_slot_clear_stream_locked(zone, st, n, &wake);
        }

        if (wake) {
            ngx_tscast_wake(zone, st);
        }

        if (st) {
            ngx_tscast_stream_trim_locked(zone, st, zone->window);
        }
    }

    for (i = 0; i < sh->max_streams / 64; i++) {
        __atomic_store_n(&slot->dirty[i], 0, __ATOMIC_SEQ_CST);
    }

    __atomic_store_n(&slot->pending, 0, __ATOMIC_SEQ_CST);

    slot->pid = 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


static void
ngx_tscast_slot_clear_stream_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_stream_t *st, ngx_uint_t n, ngx_uint_t *wake)
{
    ngx_queue_t        *q;
    ngx_tscast_feed_t  *feed;

    for (q = ngx_queue_head(&st->feeds);
         q != ngx_queue_sentinel(&st->feeds);
         q = ngx_queue_next(q))
    {
        feed = ngx_queue_data(q, ngx_tscast_feed_t, queue);

        ngx_tscast_mask_clear(&feed->readers, n);

        if (feed->slot != n || feed->orphan) {
            continue;
        }

        if (feed->held && st->base == NULL) {
            feed->orphan = 1;
            zone->sh->norphans++;

        } else {
            feed->held = 0;
        }

        if (!feed->ended) {
            ngx_tscast_feed_end_locked(zone, feed);
            *wake = 1;
        }
    }

    ngx_tscast_mask_clear(&st->interest, n);
    ngx_tscast_counters_fold_locked(st, n);
}


static void
ngx_tscast_slot_trim(ngx_tscast_zone_t *zone)
{
    ngx_uint_t             i, last;
    ngx_tscast_stream_t   *st;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;

    for (i = 0; i < sh->nstreams; /* void */ ) {

        last = ngx_min(i + NGX_TSCAST_SLICE, sh->nstreams);

        ngx_shmtx_lock(&zone->shpool->mutex);

        for ( /* void */ ; i < last; i++) {
            st = sh->streams[i];

            if (st) {
                ngx_tscast_stream_trim_locked(zone, st, zone->window);
            }
        }

        ngx_shmtx_unlock(&zone->shpool->mutex);
    }
}


/* windows that were cut for want of memory grow when there is room again */

static void
ngx_tscast_slot_recover(ngx_tscast_zone_t *zone, ngx_log_t *log)
{
    ngx_msec_t             window;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;

    window = __atomic_load_n(&sh->window, __ATOMIC_SEQ_CST);

    if (window == (ngx_msec_t) -1 || sh->store.nfree < sh->store.total / 8) {
        return;
    }

    window += window / 4 + NGX_TSCAST_MIN_WINDOW;

    if (window >= zone->window) {
        window = (ngx_msec_t) -1;

        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "zone \"%V\" has room for its windows again",
                      &zone->name);

        ngx_tscast_event_zone(zone, NGX_TSCAST_EVENT_ALARM_CLEARED);
    }

    __atomic_store_n(&sh->window, window, __ATOMIC_SEQ_CST);
}
