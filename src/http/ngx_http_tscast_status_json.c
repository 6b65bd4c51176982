
/*
 * Copyright (C) the tscast authors
 */


/*
 * The status as JSON, as conf/status.schema.json has it.  The streams are
 * written one by one, between the beginning and the end of the object that
 * holds them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jansson.h>

#include "ngx_http_tscast_status.h"
#include "ngx_tscast_hook.h"


enum {
    NGX_HTTP_TSCAST_JSON_NODE = 0,
    NGX_HTTP_TSCAST_JSON_STREAMS,
    NGX_HTTP_TSCAST_JSON_CLOSE,
    NGX_HTTP_TSCAST_JSON_TEXTS
};


/* members of an object */

typedef ngx_tscast_report_member_t  ngx_http_tscast_json_member_t;


typedef struct {
    ngx_http_tscast_status_t  *status;
    ngx_uint_t                 text;
} ngx_http_tscast_json_out_t;


static void ngx_http_tscast_json_begin(ngx_http_tscast_status_t *s);
static void ngx_http_tscast_json_end(ngx_http_tscast_status_t *s);
static json_t *ngx_http_tscast_json_workers(void);
static json_t *ngx_http_tscast_json_events(void);
static json_t *ngx_http_tscast_json_rules(ngx_pool_t *pool);
static json_t *ngx_http_tscast_json_rule(ngx_tscast_rule_t *rule);
static json_t *ngx_http_tscast_json_links(void);
static json_t *ngx_http_tscast_json_link(ngx_tscast_zone_t *zone,
    ngx_tscast_report_link_t *r);
static json_t *ngx_http_tscast_json_zones(void);
static json_t *ngx_http_tscast_json_zone(ngx_tscast_zone_t *zone);
static void ngx_http_tscast_json_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r);
static json_t *ngx_http_tscast_json_publisher(
    ngx_tscast_report_stream_t *report);
static json_t *ngx_http_tscast_json_publishers(ngx_tscast_counters_t *doors);
static json_t *ngx_http_tscast_json_viewers(ngx_tscast_counters_t *doors,
    ngx_tscast_report_stream_t *report);
static void ngx_http_tscast_json_list(json_t *json,
    ngx_tscast_question_t *q);
static json_t *ngx_http_tscast_json_door(ngx_uint_t i);
static void ngx_http_tscast_json_timing(json_t *json,
    ngx_tscast_report_stream_t *report);
static json_t *ngx_http_tscast_json_programs(ngx_tscast_vitals_t *v);
static json_t *ngx_http_tscast_json_pids(ngx_tscast_vitals_t *v,
    ngx_uint_t program);
static json_t *ngx_http_tscast_json_pid(ngx_tscast_ts_pid_t *pid);
static void ngx_http_tscast_json_info(json_t *json, ngx_tscast_ts_pid_t *pid);
static json_t *ngx_http_tscast_json_health(ngx_tscast_vitals_t *v);
static void ngx_http_tscast_json_members(json_t *json,
    const ngx_http_tscast_json_member_t *m, void *data);
static void ngx_http_tscast_json_number(json_t *json, char *name,
    uint64_t number);
static json_t *ngx_http_tscast_json_str(ngx_str_t *s);
static void ngx_http_tscast_json_dump(ngx_http_tscast_status_t *s,
    ngx_uint_t text, json_t *json, size_t flags);
static void ngx_http_tscast_json_text(ngx_http_tscast_status_t *s,
    ngx_uint_t text, char *p);
static int ngx_http_tscast_json_write(const char *p, size_t n, void *data);


const ngx_http_tscast_format_t  ngx_http_tscast_status_json = {
    ngx_string("json"),
    ngx_string("application/json"),
    NGX_HTTP_TSCAST_JSON_TEXTS,
    1,
    ngx_http_tscast_json_begin,
    ngx_http_tscast_json_stream,
    ngx_http_tscast_json_end
};


static const ngx_http_tscast_json_member_t  ngx_http_tscast_json_incoming[] = {
    { "now", offsetof(ngx_tscast_counters_t, publishers) },
    { "total", offsetof(ngx_tscast_counters_t, published) },
    { "received", offsetof(ngx_tscast_counters_t, received) },
    { "dropped", offsetof(ngx_tscast_counters_t, dropped) },
    { "lost", offsetof(ngx_tscast_counters_t, lost) },
    { "missing", offsetof(ngx_tscast_counters_t, missing) },
    { "reordered", offsetof(ngx_tscast_counters_t, reordered) },
    { "doubled", offsetof(ngx_tscast_counters_t, doubled) },
    { NULL, 0 }
};


static const ngx_http_tscast_json_member_t  ngx_http_tscast_json_outgoing[] = {
    { "now", offsetof(ngx_tscast_counters_t, viewers) },
    { "total", offsetof(ngx_tscast_counters_t, joined) },
    { "sent", offsetof(ngx_tscast_counters_t, sent) },
    { "bitrate", offsetof(ngx_tscast_counters_t, rate) },
    { "skips", offsetof(ngx_tscast_counters_t, skips) },
    { "skipped", offsetof(ngx_tscast_counters_t, skipped) },
    { "lagged", offsetof(ngx_tscast_counters_t, lagged) },
    { "timed_out", offsetof(ngx_tscast_counters_t, timedout) },
    { "evicted", offsetof(ngx_tscast_counters_t, evicted) },
    { NULL, 0 }
};


static const ngx_http_tscast_json_member_t  ngx_http_tscast_json_packets[] = {
    { "packets", offsetof(ngx_tscast_vitals_t, packets) },
    { "null_packets", offsetof(ngx_tscast_vitals_t, nulls) },
    { "unlisted_packets", offsetof(ngx_tscast_vitals_t, unlisted) },
    { "scrambled_packets", offsetof(ngx_tscast_vitals_t, scrambled) },
    { NULL, 0 }
};


static const ngx_http_tscast_json_member_t  ngx_http_tscast_json_traffic[] = {
    { "retries", offsetof(ngx_tscast_report_link_t, retries) },
    { "connects", offsetof(ngx_tscast_report_link_t, connects) },
    { "failures", offsetof(ngx_tscast_report_link_t, failures) },
    { "bytes", offsetof(ngx_tscast_report_link_t, bytes) },
    { "packets", offsetof(ngx_tscast_report_link_t, packets) },
    { "lost", offsetof(ngx_tscast_report_link_t, lost) },
    { "reordered", offsetof(ngx_tscast_report_link_t, reordered) },
    { "refused", offsetof(ngx_tscast_report_link_t, refused) },
    { "hurried", offsetof(ngx_tscast_report_link_t, hurried) },
    { NULL, 0 }
};


/* by ngx_tscast_link_state_e */

static char  *ngx_http_tscast_json_states[] = {
    "idle", "connecting", "running", "waiting", "yielding"
};


/* by ngx_tscast_ts_kind_e */

static char  *ngx_http_tscast_json_kinds[] = {
    "other", "pat", "pmt", "video", "audio", "data", "pcr"
};


static void
ngx_http_tscast_json_begin(ngx_http_tscast_status_t *s)
{
    /* void */
}


static void
ngx_http_tscast_json_end(ngx_http_tscast_status_t *s)
{
    json_t                    *json;
    ngx_tscast_report_node_t   node;

    ngx_tscast_report_node(&node);

    json = json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o,"
                     " s:{s:I, s:I}, s:o, s:o, s:o, s:o}",
                     "node", ngx_http_tscast_json_str(&node.name),
                     "version", NGX_TSCAST_VERSION,
                     "nginx", NGINX_VERSION,
                     "time", (json_int_t) ngx_time(),
                     "started", (json_int_t) node.started,
                     "uptime", (json_int_t) (ngx_time() - node.started),
                     "generation", (json_int_t) node.generation,
                     "workers", ngx_http_tscast_json_workers(),
                     "zones", ngx_http_tscast_json_zones(),
                     "count",
                         "streams", (json_int_t) s->streams,
                         "live", (json_int_t) s->live,
                     "publishers", ngx_http_tscast_json_publishers(s->doors),
                     "viewers", ngx_http_tscast_json_viewers(s->doors, NULL),
                     "configured_links",
                         ngx_http_tscast_json_rules(s->request->pool),
                     "links", ngx_http_tscast_json_links());

    json_object_set_new(json, "events", ngx_http_tscast_json_events());

    ngx_http_tscast_json_text(s, NGX_HTTP_TSCAST_JSON_NODE, "{");
    ngx_http_tscast_json_dump(s, NGX_HTTP_TSCAST_JSON_NODE, json, JSON_EMBED);
    ngx_http_tscast_json_text(s, NGX_HTTP_TSCAST_JSON_NODE, ",\"streams\":[");
    ngx_http_tscast_json_text(s, NGX_HTTP_TSCAST_JSON_CLOSE, "]}\n");
}


/* those that share the first zone share them all */

static json_t *
ngx_http_tscast_json_workers(void)
{
    json_t                      *workers;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_tscast_zone_t           *zone;
    ngx_tscast_report_worker_t   worker;

    workers = json_array();
    zone = ngx_tscast_report_next(0);

    for (i = 0; zone; i++) {
        rc = ngx_tscast_report_worker(zone, i, &worker);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_OK) {
            json_array_append_new(workers,
                          json_pack("{s:I, s:I, s:I}",
                                    "slot", (json_int_t) worker.slot,
                                    "pid", (json_int_t) worker.pid,
                                    "generation",
                                    (json_int_t) worker.generation));
        }
    }

    return workers;
}


/* NULL: nobody is told of any */

static json_t *
ngx_http_tscast_json_events(void)
{
    ngx_tscast_notify_report_t  r;

    if (ngx_tscast_notify_report(&r) != NGX_OK) {
        return NULL;
    }

    return json_pack("{s:I, s:I, s:I, s:I, s:I}",
                     "total", (json_int_t) r.told,
                     "sent", (json_int_t) r.sent,
                     "dropped", (json_int_t) r.dropped,
                     "waiting", (json_int_t) r.waiting,
                     "failures", (json_int_t) r.failures);
}


/* what makes links, whether they run or not */

static json_t *
ngx_http_tscast_json_rules(ngx_pool_t *pool)
{
    json_t             *rules;
    ngx_uint_t          i;
    ngx_tscast_rule_t  *configured, rule;

    rules = json_array();

    for (i = 0; /* void */ ; i++) {
        configured = ngx_tscast_rule_configured((ngx_cycle_t *) ngx_cycle, i);

        if (configured == NULL) {
            break;
        }

        if (configured->id == 0) {
            json_array_append_new(rules,
                                  ngx_http_tscast_json_rule(configured));
        }
    }

    rule.id = 0;

    while (ngx_tscast_rule_next(pool, &rule) == NGX_OK) {
        json_array_append_new(rules, ngx_http_tscast_json_rule(&rule));
    }

    return rules;
}


static json_t *
ngx_http_tscast_json_rule(ngx_tscast_rule_t *rule)
{
    json_t                    *json;
    ngx_tscast_report_rule_t   r;

    ngx_tscast_report_rule(rule, &r);

    json = json_pack("{s:s, s:s%, s:s%, s:s}",
                     "kind", r.push ? "push" : "pull",
                     "stream", r.stream.data, r.stream.len,
                     "url", r.url, r.url_len,
                     "source", r.id ? "control" : "nginx.conf");

    if (r.id) {
        ngx_http_tscast_json_number(json, "id", r.id);
    }

    return json;
}


static json_t *
ngx_http_tscast_json_links(void)
{
    json_t                    *links;
    ngx_uint_t                 i, k, n, from;
    ngx_tscast_zone_t         *zone;
    ngx_tscast_report_link_t   r[NGX_TSCAST_REPORT_LINKS];

    links = json_array();

    for (i = 0; (zone = ngx_tscast_report_next(i)) != NULL; i++) {

        for (from = 0; /* void */ ; from += n) {
            n = ngx_tscast_report_links(zone, from, r);

            if (n == 0) {
                break;
            }

            for (k = 0; k < n; k++) {
                json_array_append_new(links,
                                      ngx_http_tscast_json_link(zone, &r[k]));
            }
        }
    }

    return links;
}


static json_t *
ngx_http_tscast_json_link(ngx_tscast_zone_t *zone,
    ngx_tscast_report_link_t *r)
{
    u_char     *p;
    json_t     *json;
    ngx_str_t  *name;
    u_char      stream[2 * NGX_TSCAST_NAME_LEN + 1];

    name = ngx_tscast_zone_name(zone);

    p = ngx_sprintf(stream, "%V/%*s", name, r->name_len, r->name);

    json = json_pack("{s:s, s:s#, s:s#, s:s, s:f}",
                     "kind", r->push ? "push" : "pull",
                     "stream", stream, (int) (p - stream),
                     "url", r->url, (int) r->url_len,
                     "state", ngx_http_tscast_json_states[r->state],
                     "since", (double) r->age / 1000);

    json_object_set_new(json, "source", json_string(r->rule ? "control"
                                                            : "nginx.conf"));

    if (r->rule) {
        ngx_http_tscast_json_number(json, "id", r->rule);
    }

    if (r->slot != (ngx_uint_t) -1) {
        ngx_http_tscast_json_number(json, "slot", r->slot);
    }

    ngx_http_tscast_json_members(json, ngx_http_tscast_json_traffic, r);

    if (r->rtt) {
        json_object_set_new(json, "rtt", json_real((double) r->rtt / 1000000));
    }

    if (r->error_len) {
        json_object_set_new(json, "error",
                            json_stringn((char *) r->error, r->error_len));
    }

    return json;
}


static json_t *
ngx_http_tscast_json_zones(void)
{
    json_t             *zones;
    ngx_uint_t          i;
    ngx_tscast_zone_t  *zone;

    zones = json_array();

    for (i = 0; (zone = ngx_tscast_report_next(i)) != NULL; i++) {
        json_array_append_new(zones, ngx_http_tscast_json_zone(zone));
    }

    return zones;
}


static json_t *
ngx_http_tscast_json_zone(ngx_tscast_zone_t *zone)
{
    ngx_tscast_report_zone_t  r;

    ngx_tscast_report_zone(zone, &r);

    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:I}",
                     "name", ngx_http_tscast_json_str(r.name),
                     "size", (json_int_t) r.size,
                     "media", (json_int_t) r.media,
                     "used", (json_int_t) (r.media - r.free),
                     "free", (json_int_t) r.free,
                     "tables_free", (json_int_t) r.slab,
                     "window", (double) r.configured / 1000,
                     "window_now", (double) r.window / 1000,
                     "shortened", r.window < r.configured,
                     "shortages", (json_int_t) r.shortages);
}


static void
ngx_http_tscast_json_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r)
{
    size_t      len;
    json_t     *json, *viewers;
    ngx_str_t  *zone;
    u_char      name[NGX_TSCAST_NAME_LEN * 2 + 1];

    if (s->shown > 1) {
        ngx_http_tscast_json_text(s, NGX_HTTP_TSCAST_JSON_STREAMS, ",");
    }

    zone = ngx_tscast_zone_name(r->zone);

    len = ngx_sprintf(name, "%V/%*s", zone, r->name_len, r->name) - name;

    viewers = ngx_http_tscast_json_viewers(r->doors, r);

    if (s->question.answer) {
        ngx_http_tscast_json_list(viewers, &s->question);
    }

    json = json_pack("{s:s%, s:b, s:o*, s:o, s:o, s:{s:I, s:I},"
                     " s:{s:f, s:I}, s:[s, s*]}",
                     "name", name, len,
                     "live", (int) r->live,
                     "publisher", ngx_http_tscast_json_publisher(r),
                     "publishers", ngx_http_tscast_json_publishers(r->doors),
                     "viewers", viewers,
                     "bitrate",
                         "in", (json_int_t) r->vitals.rate,
                         "in_slow", (json_int_t) r->vitals.slow_rate,
                     "window",
                         "seconds", (double) r->window / 1000,
                         "bytes", (json_int_t) r->kept,
                     "renditions", "ts", r->flv ? "flv" : NULL);

    ngx_http_tscast_json_timing(json, r);

    if (r->fed) {
        json_object_set_new(json, "programs",
                            ngx_http_tscast_json_programs(&r->vitals));
        json_object_set_new(json, "pids",
                            ngx_http_tscast_json_pids(&r->vitals, 0));
        json_object_set_new(json, "health",
                            ngx_http_tscast_json_health(&r->vitals));
    }

    ngx_http_tscast_json_dump(s, NGX_HTTP_TSCAST_JSON_STREAMS, json, 0);
}


static json_t *
ngx_http_tscast_json_publisher(ngx_tscast_report_stream_t *r)
{
    json_t     *json;
    ngx_str_t   address;

    if (!r->live) {
        return NULL;
    }

    json = ngx_http_tscast_json_door(r->door);

    ngx_http_tscast_json_number(json, "since", r->since);
    ngx_http_tscast_json_number(json, "received", r->vitals.received);

    json_object_set_new(json, "silent",
                        json_real((double) r->silent / 1000));

    if (r->addr_len) {
        address.len = r->addr_len;
        address.data = r->addr;

        json_object_set_new(json, "address",
                            ngx_http_tscast_json_str(&address));
    }

    return json;
}


static json_t *
ngx_http_tscast_json_publishers(ngx_tscast_counters_t *doors)
{
    json_t                 *json, *by, *entry;
    ngx_uint_t              i;
    ngx_tscast_counters_t   sum;

    ngx_memzero(&sum, sizeof(ngx_tscast_counters_t));

    by = json_array();

    for (i = 0; i < NGX_TSCAST_DOORS; i++) {

        if (doors[i].published == 0) {
            continue;
        }

        sum.publishers += doors[i].publishers;
        ngx_tscast_report_add(&sum, &doors[i]);

        entry = ngx_http_tscast_json_door(i);
        ngx_http_tscast_json_members(entry, ngx_http_tscast_json_incoming,
                                     &doors[i]);
        json_array_append_new(by, entry);
    }

    json = json_object();

    ngx_http_tscast_json_members(json, ngx_http_tscast_json_incoming, &sum);
    json_object_set_new(json, "by", by);

    return json;
}


/* of a stream, or of the node, which has no peak of its own */

static json_t *
ngx_http_tscast_json_viewers(ngx_tscast_counters_t *doors,
    ngx_tscast_report_stream_t *r)
{
    json_t                 *json, *by, *entry;
    ngx_uint_t              i;
    ngx_tscast_counters_t   sum;

    ngx_memzero(&sum, sizeof(ngx_tscast_counters_t));

    by = json_array();

    for (i = 0; i < NGX_TSCAST_DOORS; i++) {

        if (doors[i].joined == 0) {
            continue;
        }

        sum.viewers += doors[i].viewers;
        sum.rate += doors[i].rate;
        ngx_tscast_report_add(&sum, &doors[i]);

        entry = ngx_http_tscast_json_door(i);
        ngx_http_tscast_json_members(entry, ngx_http_tscast_json_outgoing,
                                     &doors[i]);

        if (r) {
            ngx_http_tscast_json_number(entry, "peak", r->peaks[i]);
        }

        json_array_append_new(by, entry);
    }

    json = json_object();

    ngx_http_tscast_json_members(json, ngx_http_tscast_json_outgoing, &sum);

    if (r) {
        ngx_http_tscast_json_number(json, "peak", r->peak);
    }

    json_object_set_new(json, "by", by);

    return json;
}


/* one by one, but for links */

static void
ngx_http_tscast_json_list(json_t *json, ngx_tscast_question_t *q)
{
    json_t                      *list, *entry;
    ngx_uint_t                   n;
    ngx_tscast_report_viewer_t  *v;

    list = json_array();

    for (n = 0; (v = ngx_tscast_mail_next(q)) != NULL; n++) {
        entry = ngx_http_tscast_json_door(v->door);

        ngx_http_tscast_json_number(entry, "id", v->id);
        ngx_http_tscast_json_number(entry, "slot", v->slot);
        ngx_http_tscast_json_number(entry, "since", v->since);
        ngx_http_tscast_json_number(entry, "sent", v->sent);
        ngx_http_tscast_json_number(entry, "skips", v->skips);

        json_object_set_new(entry, "address",
                            json_stringn((char *) v->addr, v->addr_len));

        json_array_append_new(list, entry);
    }

    json_object_set_new(json, "list", list);
    ngx_http_tscast_json_number(json, "unlisted",
                                q->viewers - ngx_min(n, q->viewers));
    ngx_http_tscast_json_number(json, "silent_workers", q->missing);
}


static json_t *
ngx_http_tscast_json_door(ngx_uint_t i)
{
    return json_pack("{s:s, s:s}",
                     "door", ngx_tscast_report_doors[i].door.data,
                     "protocol", ngx_tscast_report_doors[i].protocol.data);
}


/* seconds, as far as they are known */

static void
ngx_http_tscast_json_timing(json_t *json, ngx_tscast_report_stream_t *r)
{
    if (r->vitals.gop) {
        json_object_set_new(json, "gop",
                            json_real((double) r->vitals.gop / 27000000));
    }

    if (r->live && r->vitals.raps) {
        json_object_set_new(json, "rap_age",
                            json_real((double) r->rap_age / 1000));
    }
}


static json_t *
ngx_http_tscast_json_programs(ngx_tscast_vitals_t *v)
{
    json_t                          *programs, *program;
    ngx_uint_t                       i;
    ngx_tscast_ts_health_program_t  *p;

    programs = json_array();

    for (i = 0; i < v->nprograms; i++) {
        p = &v->programs[i];

        program = json_pack("{s:I, s:I, s:o}",
                            "number", (json_int_t) p->number,
                            "pmt_pid", (json_int_t) p->pid,
                            "pids", ngx_http_tscast_json_pids(v, p->number));

        if (p->pcr_pid != NGX_TSCAST_TS_NULL_PID) {
            ngx_http_tscast_json_number(program, "pcr_pid", p->pcr_pid);
        }

        json_array_append_new(programs, program);
    }

    return programs;
}


/* of a program, or with 0 of none */

static json_t *
ngx_http_tscast_json_pids(ngx_tscast_vitals_t *v, ngx_uint_t program)
{
    json_t      *pids;
    ngx_uint_t   i;

    pids = json_array();

    for (i = 0; i < v->npids; i++) {
        if (v->pids[i].program == program) {
            json_array_append_new(pids, ngx_http_tscast_json_pid(&v->pids[i]));
        }
    }

    return pids;
}


static json_t *
ngx_http_tscast_json_pid(ngx_tscast_ts_pid_t *pid)
{
    char    *codec;
    json_t  *json;

    json = json_pack("{s:I, s:s, s:I, s:I, s:b}",
                     "pid", (json_int_t) pid->pid,
                     "kind", ngx_http_tscast_json_kinds[pid->kind],
                     "packets", (json_int_t) pid->packets,
                     "continuity_errors", (json_int_t) pid->continuity,
                     "missing", (int) pid->missing);

    if (pid->type) {
        ngx_http_tscast_json_number(json, "stream_type", pid->type);
    }

    codec = ngx_tscast_ts_format_name(pid->format, &pid->info);

    if (codec) {
        json_object_set_new(json, "codec", json_string(codec));
    }

    ngx_http_tscast_json_info(json, pid);

    return json;
}


static void
ngx_http_tscast_json_info(json_t *json, ngx_tscast_ts_pid_t *pid)
{
    double                 rate;
    ngx_tscast_ts_info_t  *info;

    info = &pid->info;
    rate = ngx_tscast_ts_frame_rate(pid);

    if (info->width) {
        ngx_http_tscast_json_number(json, "width", info->width);
        ngx_http_tscast_json_number(json, "height", info->height);
    }

    if (rate) {
        json_object_set_new(json, "frame_rate", json_real(rate));
    }

    if (info->profile) {
        ngx_http_tscast_json_number(json, "profile", info->profile);
    }

    if (info->level) {
        ngx_http_tscast_json_number(json, "level", info->level);
    }

    if (info->sample_rate) {
        ngx_http_tscast_json_number(json, "sample_rate", info->sample_rate);
    }

    if (info->channels) {
        ngx_http_tscast_json_number(json, "channels", info->channels);
    }
}


static json_t *
ngx_http_tscast_json_health(ngx_tscast_vitals_t *v)
{
    json_t  *json;

    json = json_object();

    ngx_http_tscast_json_members(json, ngx_http_tscast_json_packets, v);
    ngx_http_tscast_json_members(json, ngx_tscast_report_errors,
                                 &v->errors);

    if (v->jitter) {
        json_object_set_new(json, "pcr_jitter",
                            json_real((double) v->jitter / 27000000));
    }

    return json;
}


static void
ngx_http_tscast_json_members(json_t *json,
    const ngx_http_tscast_json_member_t *m, void *data)
{
    for ( /* void */ ; m->name; m++) {
        ngx_http_tscast_json_number(json, m->name,
                                    *(uint64_t *) ((char *) data + m->offset));
    }
}


static void
ngx_http_tscast_json_number(json_t *json, char *name, uint64_t number)
{
    json_object_set_new(json, name, json_integer((json_int_t) number));
}


static json_t *
ngx_http_tscast_json_str(ngx_str_t *s)
{
    return json_stringn((char *) s->data, s->len);
}


/* frees json; NULL: there was no memory for it */

static void
ngx_http_tscast_json_dump(ngx_http_tscast_status_t *s, ngx_uint_t text,
    json_t *json, size_t flags)
{
    ngx_http_tscast_json_out_t  out;

    out.status = s;
    out.text = text;

    if (json == NULL
        || json_dump_callback(json, ngx_http_tscast_json_write, &out,
                              flags|JSON_COMPACT|JSON_REAL_PRECISION(6))
           != 0)
    {
        s->failed = 1;
    }

    json_decref(json);
}


/* what is around the streams */

static void
ngx_http_tscast_json_text(ngx_http_tscast_status_t *s, ngx_uint_t text,
    char *p)
{
    ngx_http_tscast_status_write(s, text, p, ngx_strlen(p));
}


static int
ngx_http_tscast_json_write(const char *p, size_t n, void *data)
{
    ngx_http_tscast_json_out_t *out = data;

    ngx_http_tscast_status_write(out->status, out->text, p, n);

    return 0;
}
