
/*
 * Copyright (C) the tscast authors
 */


/*
 * The status in the text format of Prometheus 0.0.4, in which the samples of
 * a metric stand together: each metric has a text of its own.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast_status.h"
#include "ngx_tscast_hook.h"


#define NGX_HTTP_TSCAST_SAMPLE  1024


typedef struct {
    char                      *name;
    char                      *type;
    char                      *help;
} ngx_http_tscast_metric_t;


/* of a door; there is one of the node and one of a stream */

typedef struct {
    ngx_http_tscast_metric_t   metric;
    size_t                     offset;        /* in ngx_tscast_counters_t */
    ngx_uint_t                 bits;          /* to be bytes */
} ngx_http_tscast_door_metric_t;


typedef struct {
    char                      *name;
    size_t                     offset;        /* in ngx_tscast_ts_errors_t */
} ngx_http_tscast_check_t;


enum {
    NGX_HTTP_TSCAST_INFO = 0,
    NGX_HTTP_TSCAST_STARTED,
    NGX_HTTP_TSCAST_GENERATION,
    NGX_HTTP_TSCAST_WORKERS,
    NGX_HTTP_TSCAST_STREAMS,
    NGX_HTTP_TSCAST_EVENTS,
    NGX_HTTP_TSCAST_EVENTS_SENT,
    NGX_HTTP_TSCAST_EVENTS_DROPPED,
    NGX_HTTP_TSCAST_EVENTS_WAITING,
    NGX_HTTP_TSCAST_EVENTS_FAILURES,
    NGX_HTTP_TSCAST_ZONE_SIZE,
    NGX_HTTP_TSCAST_ZONE_MEDIA,
    NGX_HTTP_TSCAST_ZONE_FREE,
    NGX_HTTP_TSCAST_ZONE_TABLES,
    NGX_HTTP_TSCAST_ZONE_WINDOW,
    NGX_HTTP_TSCAST_ZONE_LIMIT,
    NGX_HTTP_TSCAST_ZONE_SHORTAGES,
    NGX_HTTP_TSCAST_LIVE,
    NGX_HTTP_TSCAST_SILENT,
    NGX_HTTP_TSCAST_RATE,
    NGX_HTTP_TSCAST_SLOW_RATE,
    NGX_HTTP_TSCAST_WINDOW,
    NGX_HTTP_TSCAST_KEPT,
    NGX_HTTP_TSCAST_GOP,
    NGX_HTTP_TSCAST_RAP_AGE,
    NGX_HTTP_TSCAST_JITTER,
    NGX_HTTP_TSCAST_PEAK,
    NGX_HTTP_TSCAST_CONTINUITY,
    NGX_HTTP_TSCAST_MISSING,
    NGX_HTTP_TSCAST_ERRORS,
    NGX_HTTP_TSCAST_NODE_DOORS
};


static void ngx_http_tscast_prom_begin(ngx_http_tscast_status_t *s);
static const ngx_http_tscast_metric_t *ngx_http_tscast_prom_metric(
    ngx_uint_t text, char **prefix);
static void ngx_http_tscast_prom_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r);
static void ngx_http_tscast_prom_feed(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r, u_char *name);
static void ngx_http_tscast_prom_health(ngx_http_tscast_status_t *s,
    ngx_tscast_vitals_t *v, u_char *name);
static void ngx_http_tscast_prom_doors(ngx_http_tscast_status_t *s,
    ngx_uint_t text, char *label, u_char *name,
    ngx_tscast_counters_t *doors);
static void ngx_http_tscast_prom_end(ngx_http_tscast_status_t *s);
static void ngx_http_tscast_prom_events(ngx_http_tscast_status_t *s);
static void ngx_http_tscast_prom_zone(ngx_http_tscast_status_t *s,
    ngx_tscast_zone_t *zone);
static ngx_uint_t ngx_http_tscast_prom_workers(void);
static void ngx_http_tscast_prom_gauge(ngx_http_tscast_status_t *s,
    ngx_uint_t text, u_char *name, double value);
static void ngx_http_tscast_prom_sample(ngx_http_tscast_status_t *s,
    ngx_uint_t text, const char *fmt, ...);


static const ngx_http_tscast_metric_t  ngx_http_tscast_metrics[] = {
    { "info", "gauge", "Version of this node." },
    { "start_time_seconds", "gauge", "When nginx was started." },
    { "generation", "gauge", "How often the configuration was read." },
    { "workers", "gauge", "Worker processes, those that shut down too." },
    { "streams", "gauge", "Streams in the zones." },
    { "events_total", "counter", "Events that have happened." },
    { "events_sent_total", "counter", "Events that were taken." },
    { "events_dropped_total", "counter", "Events that were dropped." },
    { "events_waiting", "gauge", "Events that are not taken yet." },
    { "events_failures_total", "counter",
      "Requests with events that were not answered." },
    { "zone_size_bytes", "gauge", "Memory of the zone." },
    { "zone_media_bytes", "gauge", "Memory of the zone that is for media." },
    { "zone_free_bytes", "gauge", "Memory for media that is free." },
    { "zone_tables_free_bytes", "gauge",
      "Memory for anything but media that is free." },
    { "zone_window_seconds", "gauge", "Window that there is room for now." },
    { "zone_window_limit_seconds", "gauge", "Window that is configured." },
    { "zone_shortages_total", "counter",
      "How often the windows became shorter for want of memory." },
    { "stream_live", "gauge", "Whether the stream has a publisher." },
    { "stream_silent_seconds", "gauge",
      "Time since the publisher's last byte." },
    { "stream_received_bytes_per_second", "gauge",
      "Rate of the publisher, of the last second." },
    { "stream_received_slow_bytes_per_second", "gauge",
      "Rate of the publisher, of the last 30 seconds." },
    { "stream_window_seconds", "gauge", "Time from first to last byte kept." },
    { "stream_window_bytes", "gauge", "Bytes kept." },
    { "stream_gop_seconds", "gauge",
      "Time between the last two random access points." },
    { "stream_rap_age_seconds", "gauge",
      "Time since the newest random access point." },
    { "stream_pcr_jitter_seconds", "gauge",
      "Spread of arrival against the PCR." },
    { "stream_viewers_peak", "gauge", "The most viewers at a time." },
    { "stream_continuity_errors_total", "counter",
      "Continuity errors of a PID." },
    { "stream_pid_missing", "gauge", "Whether a PID does not come." },
    { "stream_errors_total", "counter",
      "Errors by the checks of ETSI TR 101 290 and others." }
};


static const ngx_http_tscast_door_metric_t  ngx_http_tscast_door_metrics[] = {
    { { "publishers", "gauge", "Publishers." },
      offsetof(ngx_tscast_counters_t, publishers), 0 },
    { { "publications_total", "counter", "Publishers since the start." },
      offsetof(ngx_tscast_counters_t, published), 0 },
    { { "received_bytes_total", "counter", "Bytes from publishers." },
      offsetof(ngx_tscast_counters_t, received), 0 },
    { { "dropped_bytes_total", "counter",
        "Bytes that were not of a transport stream." },
      offsetof(ngx_tscast_counters_t, dropped), 0 },
    { { "lost_bytes_total", "counter", "Bytes that were not taken." },
      offsetof(ngx_tscast_counters_t, lost), 0 },
    { { "missing_packets_total", "counter",
        "RTP packets that did not come." },
      offsetof(ngx_tscast_counters_t, missing), 0 },
    { { "reordered_packets_total", "counter",
        "RTP packets that came after a later one." },
      offsetof(ngx_tscast_counters_t, reordered), 0 },
    { { "doubled_packets_total", "counter",
        "RTP packets that had come before." },
      offsetof(ngx_tscast_counters_t, doubled), 0 },
    { { "viewers", "gauge", "Viewers." },
      offsetof(ngx_tscast_counters_t, viewers), 0 },
    { { "joins_total", "counter", "Viewers since the start." },
      offsetof(ngx_tscast_counters_t, joined), 0 },
    { { "sent_bytes_total", "counter", "Bytes of media to viewers." },
      offsetof(ngx_tscast_counters_t, sent), 0 },
    { { "sent_bytes_per_second", "gauge", "Rate to viewers." },
      offsetof(ngx_tscast_counters_t, rate), 1 },
    { { "skips_total", "counter", "How often viewers were moved ahead." },
      offsetof(ngx_tscast_counters_t, skips), 0 },
    { { "skipped_bytes_total", "counter", "Bytes that they did not get." },
      offsetof(ngx_tscast_counters_t, skipped), 0 },
    { { "lagged_viewers_total", "counter",
        "Viewers that were too slow and dropped." },
      offsetof(ngx_tscast_counters_t, lagged), 0 },
    { { "timed_out_viewers_total", "counter", "Viewers that took nothing." },
      offsetof(ngx_tscast_counters_t, timedout), 0 },
    { { "evicted_viewers_total", "counter", "Viewers dropped by control." },
      offsetof(ngx_tscast_counters_t, evicted), 0 }
};


#define NGX_HTTP_TSCAST_DOOR_METRICS                                          \
    (sizeof(ngx_http_tscast_door_metrics)                                     \
     / sizeof(ngx_http_tscast_door_metrics[0]))

#define NGX_HTTP_TSCAST_STREAM_DOORS                                          \
    (NGX_HTTP_TSCAST_NODE_DOORS + NGX_HTTP_TSCAST_DOOR_METRICS)


static const ngx_http_tscast_check_t  ngx_http_tscast_checks[] = {
    { "sync_loss", offsetof(ngx_tscast_ts_errors_t, sync_loss) },
    { "sync_byte", offsetof(ngx_tscast_ts_errors_t, sync_byte) },
    { "pat", offsetof(ngx_tscast_ts_errors_t, pat) },
    { "continuity", offsetof(ngx_tscast_ts_errors_t, continuity) },
    { "pmt", offsetof(ngx_tscast_ts_errors_t, pmt) },
    { "pid", offsetof(ngx_tscast_ts_errors_t, pid) },
    { "transport", offsetof(ngx_tscast_ts_errors_t, transport) },
    { "crc", offsetof(ngx_tscast_ts_errors_t, crc) },
    { "pcr_repetition", offsetof(ngx_tscast_ts_errors_t, pcr_repetition) },
    { "pcr_discontinuity",
      offsetof(ngx_tscast_ts_errors_t, pcr_discontinuity) },
    { "pcr_accuracy", offsetof(ngx_tscast_ts_errors_t, pcr_accuracy) },
    { "pts", offsetof(ngx_tscast_ts_errors_t, pts) },
    { "timestamp_jump", offsetof(ngx_tscast_ts_errors_t, timestamp_jumps) },
    { "silence", offsetof(ngx_tscast_ts_errors_t, silences) },
    { NULL, 0 }
};


const ngx_http_tscast_format_t  ngx_http_tscast_status_prometheus = {
    ngx_string("prometheus"),
    ngx_string("text/plain; version=0.0.4; charset=utf-8"),
    NGX_HTTP_TSCAST_STREAM_DOORS + NGX_HTTP_TSCAST_DOOR_METRICS,
    0,
    ngx_http_tscast_prom_begin,
    ngx_http_tscast_prom_stream,
    ngx_http_tscast_prom_end
};


static void
ngx_http_tscast_prom_begin(ngx_http_tscast_status_t *s)
{
    char                            *prefix;
    u_char                          *p;
    u_char                           buf[NGX_HTTP_TSCAST_SAMPLE];
    ngx_uint_t                       i;
    const ngx_http_tscast_metric_t  *m;

    for (i = 0; i < s->format->texts; i++) {
        m = ngx_http_tscast_prom_metric(i, &prefix);

        p = ngx_snprintf(buf, sizeof(buf),
                         "# HELP %s%s %s\n# TYPE %s%s %s\n",
                         prefix, m->name, m->help, prefix, m->name, m->type);

        ngx_http_tscast_status_write(s, i, (char *) buf, p - buf);
    }
}


/* texts: metrics, those of doors for the node, those of doors for streams */

static const ngx_http_tscast_metric_t *
ngx_http_tscast_prom_metric(ngx_uint_t text, char **prefix)
{
    *prefix = "tscast_";

    if (text < NGX_HTTP_TSCAST_NODE_DOORS) {
        return &ngx_http_tscast_metrics[text];
    }

    text -= NGX_HTTP_TSCAST_NODE_DOORS;

    if (text >= NGX_HTTP_TSCAST_DOOR_METRICS) {
        text -= NGX_HTTP_TSCAST_DOOR_METRICS;
        *prefix = "tscast_stream_";
    }

    return &ngx_http_tscast_door_metrics[text].metric;
}


static void
ngx_http_tscast_prom_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r)
{
    /* nothing in a name is to be escaped */

    u_char  name[NGX_TSCAST_NAME_LEN * 2 + 2];

    ngx_sprintf(name, "%V/%*s%Z", ngx_tscast_zone_name(r->zone), r->name_len,
                r->name);

    ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_LIVE, name, r->live);
    ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_PEAK, name, r->peak);

    ngx_http_tscast_prom_doors(s, NGX_HTTP_TSCAST_STREAM_DOORS, "stream",
                               name, r->doors);

    if (r->fed) {
        ngx_http_tscast_prom_feed(s, r, name);
        ngx_http_tscast_prom_health(s, &r->vitals, name);
    }
}


static void
ngx_http_tscast_prom_feed(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r, u_char *name)
{
    ngx_tscast_vitals_t  *v;

    v = &r->vitals;

    ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_RATE, name, v->rate / 8);
    ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_SLOW_RATE, name,
                               v->slow_rate / 8);
    ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_WINDOW, name,
                               r->window / 1000.0);
    ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_KEPT, name, r->kept);

    if (v->gop) {
        ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_GOP, name,
                                   v->gop / 27000000.0);
    }

    if (v->jitter) {
        ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_JITTER, name,
                                   v->jitter / 27000000.0);
    }

    if (!r->live) {
        return;
    }

    ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_SILENT, name,
                               r->silent / 1000.0);

    if (v->raps) {
        ngx_http_tscast_prom_gauge(s, NGX_HTTP_TSCAST_RAP_AGE, name,
                                   r->rap_age / 1000.0);
    }
}


static void
ngx_http_tscast_prom_health(ngx_http_tscast_status_t *s,
    ngx_tscast_vitals_t *v, u_char *name)
{
    ngx_uint_t                      i;
    ngx_tscast_ts_pid_t            *pid;
    const ngx_http_tscast_check_t  *check;

    for (check = ngx_http_tscast_checks; check->name; check++) {
        ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ERRORS,
                                    "{stream=\"%s\",check=\"%s\"} %uL\n",
                                    name, check->name,
                                    *(uint64_t *) ((char *) &v->errors
                                                   + check->offset));
    }

    for (i = 0; i < v->npids; i++) {
        pid = &v->pids[i];

        ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_CONTINUITY,
                                    "{stream=\"%s\",pid=\"%ud\"} %uL\n",
                                    name, pid->pid, pid->continuity);
        ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_MISSING,
                                    "{stream=\"%s\",pid=\"%ud\"} %ud\n",
                                    name, pid->pid, pid->missing);
    }
}


/* of the node where there is no label */

static void
ngx_http_tscast_prom_doors(ngx_http_tscast_status_t *s, ngx_uint_t text,
    char *label, u_char *name, ngx_tscast_counters_t *doors)
{
    u_char                                 labels[NGX_HTTP_TSCAST_SAMPLE / 2];
    uint64_t                               number;
    ngx_uint_t                             i, n;
    const ngx_tscast_report_door_t        *door;
    const ngx_http_tscast_door_metric_t   *m;

    for (i = 0; i < NGX_TSCAST_DOORS; i++) {

        if (doors[i].published == 0 && doors[i].joined == 0) {
            continue;
        }

        door = &ngx_tscast_report_doors[i];

        ngx_snprintf(labels, sizeof(labels),
                     "{%s%s%s%sdoor=\"%V\",protocol=\"%V\"}%Z",
                     label, *label ? "=\"" : "", name, *label ? "\"," : "",
                     &door->door, &door->protocol);

        for (n = 0; n < NGX_HTTP_TSCAST_DOOR_METRICS; n++) {
            m = &ngx_http_tscast_door_metrics[n];
            number = *(uint64_t *) ((char *) &doors[i] + m->offset);

            ngx_http_tscast_prom_sample(s, text + n, "%s %uL\n", labels,
                                        m->bits ? number / 8 : number);
        }
    }
}


static void
ngx_http_tscast_prom_end(ngx_http_tscast_status_t *s)
{
    ngx_uint_t                 i;
    ngx_tscast_zone_t         *zone;
    ngx_tscast_report_node_t   node;

    ngx_tscast_report_node(&node);

    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_INFO,
                                "{node=\"%V\",version=\"" NGX_TSCAST_VERSION
                                "\",nginx=\"" NGINX_VERSION "\"} 1\n",
                                &node.name);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_STARTED, " %T\n",
                                node.started);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_GENERATION, " %ui\n",
                                node.generation);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_WORKERS, " %ui\n",
                                ngx_http_tscast_prom_workers());
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_STREAMS, " %ui\n",
                                s->streams);

    ngx_http_tscast_prom_events(s);

    ngx_http_tscast_prom_doors(s, NGX_HTTP_TSCAST_NODE_DOORS, "",
                               (u_char *) "", s->doors);

    for (i = 0; (zone = ngx_tscast_report_next(i)) != NULL; i++) {
        ngx_http_tscast_prom_zone(s, zone);
    }
}


static void
ngx_http_tscast_prom_events(ngx_http_tscast_status_t *s)
{
    ngx_tscast_notify_report_t  r;

    if (ngx_tscast_notify_report(&r) != NGX_OK) {
        return;
    }

    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_EVENTS, " %uL\n", r.told);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_EVENTS_SENT, " %uL\n",
                                r.sent);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_EVENTS_DROPPED, " %uL\n",
                                r.dropped);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_EVENTS_WAITING, " %uL\n",
                                r.waiting);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_EVENTS_FAILURES, " %uL\n",
                                r.failures);
}


static void
ngx_http_tscast_prom_zone(ngx_http_tscast_status_t *s,
    ngx_tscast_zone_t *zone)
{
    ngx_tscast_report_zone_t  r;

    ngx_tscast_report_zone(zone, &r);

    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ZONE_SIZE,
                                "{zone=\"%V\"} %uz\n", r.name, r.size);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ZONE_MEDIA,
                                "{zone=\"%V\"} %uz\n", r.name, r.media);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ZONE_FREE,
                                "{zone=\"%V\"} %uz\n", r.name, r.free);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ZONE_TABLES,
                                "{zone=\"%V\"} %uz\n", r.name, r.slab);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ZONE_WINDOW,
                                "{zone=\"%V\"} %.3f\n", r.name,
                                r.window / 1000.0);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ZONE_LIMIT,
                                "{zone=\"%V\"} %.3f\n", r.name,
                                r.configured / 1000.0);
    ngx_http_tscast_prom_sample(s, NGX_HTTP_TSCAST_ZONE_SHORTAGES,
                                "{zone=\"%V\"} %uL\n", r.name, r.shortages);
}


static ngx_uint_t
ngx_http_tscast_prom_workers(void)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i, n;
    ngx_tscast_zone_t           *zone;
    ngx_tscast_report_worker_t   worker;

    n = 0;
    zone = ngx_tscast_report_next(0);

    for (i = 0; zone; i++) {
        rc = ngx_tscast_report_worker(zone, i, &worker);

        if (rc == NGX_DONE) {
            break;
        }

        n += (rc == NGX_OK);
    }

    return n;
}


/* of a stream */

static void
ngx_http_tscast_prom_gauge(ngx_http_tscast_status_t *s, ngx_uint_t text,
    u_char *name, double value)
{
    ngx_http_tscast_prom_sample(s, text, "{stream=\"%s\"} %.3f\n", name,
                                value);
}


static void
ngx_http_tscast_prom_sample(ngx_http_tscast_status_t *s, ngx_uint_t text,
    const char *fmt, ...)
{
    char                            *prefix;
    u_char                          *p, *last;
    u_char                           buf[NGX_HTTP_TSCAST_SAMPLE];
    va_list                          args;
    const ngx_http_tscast_metric_t  *m;

    m = ngx_http_tscast_prom_metric(text, &prefix);

    last = buf + NGX_HTTP_TSCAST_SAMPLE;

    p = ngx_slprintf(buf, last, "%s%s", prefix, m->name);

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    ngx_http_tscast_status_write(s, text, (char *) buf, p - buf);
}
