
/*
 * Copyright (C) the tscast authors
 */


/*
 * Reports read the zone without its mutex, since publishers wait for that.
 * What could be taken away under the reader is kept for it:
 *
 *     the reader                         who frees, under the mutex
 *
 *     looking = index + 1                streams[index] = NULL
 *     full barrier                       full barrier
 *     st = streams[index]                looking == index + 1 by any slot?
 *     copies from st ...                 yes: streams[index] = st, not now
 *     looking = 0                        no: frees
 *
 * Either the reader sees NULL, or the other sees that it looks.  The same goes
 * for st->feed.  A stream that is put back may be missing in that one report.
 * Counters are added to the head of their list and freed with the stream.  A
 * process that stops or dies in here keeps one stream, until its slot is
 * swept.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* counters of a worker that is gone move seldom */
#define NGX_TSCAST_REPORT_TRIES  4


static void ngx_tscast_report_link_text(ngx_str_t *text,
    ngx_tscast_report_link_t *report);
static size_t ngx_tscast_report_url(u_char *dst, u_char *url, u_char *last);
static void ngx_tscast_report_counters(ngx_tscast_stream_t *st,
    ngx_tscast_report_stream_t *report);
static void ngx_tscast_report_sum(ngx_tscast_stream_t *st,
    ngx_tscast_report_stream_t *report);
static void ngx_tscast_report_feed(ngx_tscast_feed_t *feed,
    ngx_tscast_report_stream_t *report);


/* by ngx_tscast_door_e */

const ngx_tscast_report_door_t  ngx_tscast_report_doors[] = {
    { ngx_string("http"), ngx_string("http") },
    { ngx_string("http"), ngx_string("websocket") },
    { ngx_string("stream"), ngx_string("tcp") },
    { ngx_string("stream"), ngx_string("udp") },
    { ngx_string("rtmp"), ngx_string("rtmp") },
    { ngx_string("link"), ngx_string("link") }
};


const ngx_tscast_report_member_t  ngx_tscast_report_errors[] = {
    { "sync_losses", offsetof(ngx_tscast_ts_errors_t, sync_loss) },
    { "sync_byte_errors", offsetof(ngx_tscast_ts_errors_t, sync_byte) },
    { "pat_errors", offsetof(ngx_tscast_ts_errors_t, pat) },
    { "continuity_errors", offsetof(ngx_tscast_ts_errors_t, continuity) },
    { "pmt_errors", offsetof(ngx_tscast_ts_errors_t, pmt) },
    { "pid_errors", offsetof(ngx_tscast_ts_errors_t, pid) },
    { "transport_errors", offsetof(ngx_tscast_ts_errors_t, transport) },
    { "crc_errors", offsetof(ngx_tscast_ts_errors_t, crc) },
    { "pcr_repetition_errors",
      offsetof(ngx_tscast_ts_errors_t, pcr_repetition) },
    { "pcr_discontinuity_errors",
      offsetof(ngx_tscast_ts_errors_t, pcr_discontinuity) },
    { "pcr_accuracy_errors", offsetof(ngx_tscast_ts_errors_t, pcr_accuracy) },
    { "pts_errors", offsetof(ngx_tscast_ts_errors_t, pts) },
    { "timestamp_jumps", offsetof(ngx_tscast_ts_errors_t, timestamp_jumps) },
    { "silences", offsetof(ngx_tscast_ts_errors_t, silences) },
    { NULL, 0 }
};


void
ngx_tscast_report_node(ngx_tscast_report_node_t *report)
{
    report->name = *ngx_tscast_node();
    report->started = ngx_tscast_started;
    report->generation = ngx_tscast_generation;
}


ngx_tscast_zone_t *
ngx_tscast_report_next(ngx_uint_t i)
{
    ngx_tscast_conf_t   *tcf;
    ngx_tscast_zone_t  **zones;

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                             ngx_tscast_module);
    zones = tcf->zones.elts;

    return (i < tcf->zones.nelts) ? zones[i] : NULL;
}


void
ngx_tscast_report_zone(ngx_tscast_zone_t *zone,
    ngx_tscast_report_zone_t *report)
{
    ngx_msec_t             window;
    ngx_tscast_zone_sh_t  *sh;

    sh = zone->sh;

    window = __atomic_load_n(&sh->window, __ATOMIC_SEQ_CST);

    report->name = &zone->name;
    report->size = zone->size;
    report->media = sh->store.total * NGX_TSCAST_CHUNK;
    report->free = sh->store.nfree * NGX_TSCAST_CHUNK;
    report->slab = zone->shpool->pfree * ngx_pagesize;
    report->configured = zone->window;
    report->window = ngx_min(window, zone->window);
    report->shortages = sh->shortages;

    ngx_memcpy(report->gone, sh->totals, sizeof(sh->totals));
}


ngx_int_t
ngx_tscast_report_worker(ngx_tscast_zone_t *zone, ngx_uint_t i,
    ngx_tscast_report_worker_t *report)
{
    ngx_tscast_slot_t  *slot;

    if (i >= __atomic_load_n(&zone->sh->nslots, __ATOMIC_SEQ_CST)) {
        return NGX_DONE;
    }

    slot = zone->sh->slots[i];

    report->slot = i;
    report->pid = slot->pid;
    report->generation = slot->generation;

    return report->pid ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_tscast_report_links(ngx_tscast_zone_t *zone, ngx_uint_t i,
    ngx_tscast_report_link_t *links)
{
    ngx_uint_t            n;
    ngx_queue_t          *q;
    ngx_tscast_record_t  *rec;

    n = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&zone->sh->record_queue);
         q != ngx_queue_sentinel(&zone->sh->record_queue)
         && n < NGX_TSCAST_REPORT_LINKS;
         q = ngx_queue_next(q))
    {
        if (i) {
            i--;
            continue;
        }

        rec = ngx_queue_data(q, ngx_tscast_record_t, queue);

        ngx_tscast_report_link(rec, &links[n++]);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return n;
}


void
ngx_tscast_report_link(ngx_tscast_record_t *rec,
    ngx_tscast_report_link_t *report)
{
    report->rule = rec->rule;
    report->state = rec->state;
    report->age = ngx_tscast_since(rec->owner ? rec->since : rec->released);
    report->slot = rec->owner - 1;
    report->retries = rec->retries;
    report->connects = rec->connects;
    report->failures = rec->failures;
    report->bytes = rec->bytes;
    report->packets = rec->packets;
    report->lost = rec->lost;
    report->reordered = rec->reordered;
    report->refused = rec->refused;
    report->hurried = rec->hurried;
    report->rtt = rec->rtt;
    report->error_len = ngx_min(rec->error_len, NGX_TSCAST_RECORD_ERROR);

    ngx_memcpy(report->error, rec->error, report->error_len);

    ngx_tscast_report_link_text(&rec->sn.str, report);
}


/* "push name url parameters" */

static void
ngx_tscast_report_link_text(ngx_str_t *text, ngx_tscast_report_link_t *report)
{
    u_char  *p, *last, *name;

    last = text->data + text->len;
    name = text->data + sizeof("push ") - 1;

    report->push = (text->data[2] == 's');

    for (p = name; p < last && *p != ' '; p++) { /* void */ }

    report->name_len = ngx_min((size_t) (p - name), NGX_TSCAST_NAME_LEN);
    ngx_memcpy(report->name, name, report->name_len);

    report->url_len = ngx_tscast_report_url(report->url,
                                            (p < last) ? p + 1 : last, last);
}


/* up to a blank, and without what may be secret */

static size_t
ngx_tscast_report_url(u_char *dst, u_char *url, u_char *last)
{
    u_char  *p, *host;
    size_t   len;

    for (p = url; p < last && *p != ' ' && *p != '?'; p++) { /* void */ }

    last = p;

    for (p = url; p < last && *p != '/'; p++) { /* void */ }

    p = ngx_min(p + 2, last);
    host = p;

    len = ngx_min((size_t) (p - url), NGX_TSCAST_REPORT_URL);
    ngx_memcpy(dst, url, len);

    for ( /* void */ ; p < last && *p != '/'; p++) {
        if (*p == '@') {
            host = p + 1;
        }
    }

    last = ngx_min(last, host + NGX_TSCAST_REPORT_URL - len);

    ngx_memcpy(dst + len, host, last - host);

    return len + (last - host);
}


void
ngx_tscast_report_rule(ngx_tscast_rule_t *rule,
    ngx_tscast_report_rule_t *report)
{
    ngx_str_t  word;

    ngx_str_null(&word);

    report->id = rule->id;
    report->url_len = 0;

    if (ngx_tscast_rule_word(&rule->words, &word)) {
        report->push = (word.len == 4 && word.data[2] == 's');
    }

    (void) ngx_tscast_rule_word(&rule->words, &word);

    report->stream = word;

    if (ngx_tscast_rule_word(&rule->words, &word)) {
        report->url_len = ngx_tscast_report_url(report->url, word.data,
                                                word.data + word.len);
    }
}


ngx_int_t
ngx_tscast_report_stream(ngx_tscast_zone_t *zone, ngx_uint_t i,
    ngx_tscast_report_stream_t *report)
{
    ngx_tscast_feed_t     *feed;
    ngx_tscast_stream_t   *st;
    ngx_tscast_section_t  *section;

    if (i >= zone->sh->nstreams || zone->slot == NULL) {
        return NGX_DONE;
    }

    ngx_memzero(report, sizeof(ngx_tscast_report_stream_t));

    section = &zone->sh->sections[ngx_process_slot];

    __atomic_store_n(&section->looking, i + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    st = __atomic_load_n(&zone->sh->streams[i], __ATOMIC_SEQ_CST);

    if (st && st->base) {
        /* a rendition: its viewers are counted where the stream's are */
        st = NULL;
    }

    if (st) {
        report->zone = zone;
        report->name_len = st->sn.str.len;
        ngx_memcpy(report->name, st->name, report->name_len);

        report->flv = (__atomic_load_n(&st->flv, __ATOMIC_SEQ_CST) != NULL);

        ngx_tscast_report_counters(st, report);

        feed = __atomic_load_n(&st->feed, __ATOMIC_SEQ_CST);

        if (feed) {
            ngx_tscast_report_feed(feed, report);
        }
    }

    __atomic_store_n(&section->looking, 0, __ATOMIC_SEQ_CST);

    return st ? NGX_OK : NGX_DECLINED;
}


static void
ngx_tscast_report_counters(ngx_tscast_stream_t *st,
    ngx_tscast_report_stream_t *report)
{
    ngx_uint_t  tries, folds;

    for (tries = 0; tries < NGX_TSCAST_REPORT_TRIES; tries++) {

        folds = __atomic_load_n(&st->folds, __ATOMIC_SEQ_CST);

        ngx_tscast_report_sum(st, report);

        __atomic_thread_fence(__ATOMIC_SEQ_CST);

        if (!(folds & 1)
            && __atomic_load_n(&st->folds, __ATOMIC_SEQ_CST) == folds)
        {
            return;
        }
    }
}


static void
ngx_tscast_report_sum(ngx_tscast_stream_t *st,
    ngx_tscast_report_stream_t *report)
{
    ngx_uint_t              i;
    ngx_tscast_counters_t  *cnt, *door;

    ngx_memzero(report->doors, sizeof(report->doors));
    report->viewers = 0;

    for (cnt = __atomic_load_n(&st->counters, __ATOMIC_SEQ_CST);
         cnt;
         cnt = cnt->next)
    {
        door = &report->doors[cnt->door];

        door->publishers += cnt->publishers;
        door->viewers += cnt->viewers;
        door->rate += cnt->rate;

        ngx_tscast_report_add(door, cnt);

        report->viewers += cnt->viewers;
    }

    report->peak = st->peak;

    for (i = 0; i < NGX_TSCAST_DOORS; i++) {
        report->peaks[i] = st->peaks[i];
    }
}


void
ngx_tscast_report_add(ngx_tscast_counters_t *sum, ngx_tscast_counters_t *cnt)
{
    sum->published += cnt->published;
    sum->received += cnt->received;
    sum->dropped += cnt->dropped;
    sum->lost += cnt->lost;
    sum->missing += cnt->missing;
    sum->reordered += cnt->reordered;
    sum->doubled += cnt->doubled;
    sum->joined += cnt->joined;
    sum->sent += cnt->sent;
    sum->skips += cnt->skips;
    sum->skipped += cnt->skipped;
    sum->lagged += cnt->lagged;
    sum->timedout += cnt->timedout;
    sum->evicted += cnt->evicted;
}


static void
ngx_tscast_report_feed(ngx_tscast_feed_t *feed,
    ngx_tscast_report_stream_t *report)
{
    uint64_t    head, tail;
    ngx_msec_t  last;

    last = __atomic_load_n(&feed->last, __ATOMIC_SEQ_CST);
    tail = ngx_tscast_ring_tail(&feed->ring);
    head = ngx_tscast_ring_head(&feed->ring);

    report->fed = 1;
    report->live = !__atomic_load_n(&feed->ended, __ATOMIC_SEQ_CST);
    report->door = feed->door;
    report->since = feed->since;
    report->silent = ngx_tscast_since(last);
    report->kept = head - tail;
    report->addr_len = feed->addr_len;

    ngx_memcpy(report->addr, feed->addr, feed->addr_len);

    if (ngx_tscast_vitals_read(feed, &report->vitals) != NGX_OK) {
        ngx_memzero(&report->vitals, sizeof(ngx_tscast_vitals_t));
    }

    if (!report->live) {
        report->vitals.rate = 0;
        report->vitals.slow_rate = 0;
    }

    if (report->kept) {
        report->window = ngx_max((ngx_msec_int_t)
                                 (last - report->vitals.oldest), 0);
    }

    report->rap_age = ngx_tscast_since(report->vitals.rap_at);
}


/* for who frees: does a report look at the stream now? */

ngx_uint_t
ngx_tscast_report_looks(ngx_tscast_zone_t *zone, ngx_tscast_stream_t *st)
{
    ngx_uint_t             i, n;
    ngx_tscast_section_t  *sections;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    sections = zone->sh->sections;
    n = __atomic_load_n(&zone->sh->nslots, __ATOMIC_SEQ_CST);

    for (i = 0; i < n; i++) {
        if (__atomic_load_n(&sections[i].looking, __ATOMIC_SEQ_CST)
            == st->index + 1)
        {
            return 1;
        }
    }

    return 0;
}
