
/*
 * Copyright (C) the tscast authors
 */


/*
 * Viewers who come, wait for a key frame and leave, at a steady rate.  What
 * is counted is the time from connect() to the first byte of media and to the
 * first packet of a key frame, and whether PAT, PMT and that packet are what
 * comes first.
 */


#include "load.h"


#define LOAD_EVENTS   64
#define LOAD_PLACES   4096

#define LOAD_TIMEOUT  (5 * BENCH_SEC)


static void load_joins_look(load_viewer_t *v, uint64_t now);


static load_viewer_t  places[LOAD_PLACES];
static load_viewer_t  *waiting[LOAD_PLACES];
static load_viewer_t  *idle[LOAD_PLACES];
static long            nwaiting;
static long            nidle;

static bench_hist_t    first;
static bench_hist_t    key;
static long            joined;
static long            failed;
static long            wrong;


int
load_joins(void)
{
    int                  n, i;
    long                 number, due;
    uint64_t             now, start;
    load_viewer_t       *v;
    struct epoll_event   events[LOAD_EVENTS];

    for (nidle = 0; nidle < LOAD_PLACES; nidle++) {
        idle[nidle] = &places[nidle];
    }

    bench_realtime();

    printf("ready\n");
    fflush(stdout);

    start = bench_now();
    number = 0;

    for ( ;; ) {

        now = bench_now();

        if (bench_ended || now - start > load.seconds * BENCH_SEC) {
            break;
        }

        due = (now - start) / 1e9 * load.joins;

        while (number < due && nidle) {
            v = idle[--nidle];
            waiting[nwaiting++] = v;

            load_viewer_connect(v, number++);
        }

        n = epoll_wait(load.epoll, events, LOAD_EVENTS, 1);

        for (i = 0; i < n; i++) {
            load_viewer_event(events[i].data.ptr, events[i].events);
        }

        now = bench_now();

        for (i = nwaiting - 1; i >= 0; i--) {
            v = waiting[i];

            load_joins_look(v, now);

            if (v->fd == -1) {
                waiting[i] = waiting[--nwaiting];
                idle[nidle++] = v;
            }
        }
    }

    printf("{\"joined\": %ld, \"failed\": %ld, \"wrong\": %ld"
           ", \"waiting\": %ld", joined, failed, wrong, nwaiting);
    bench_hist_print("first", &first);
    bench_hist_print("key", &key);
    printf("}\n");

    return 0;
}


static void
load_joins_look(load_viewer_t *v, uint64_t now)
{
    if (v->key) {
        joined++;
        wrong += v->wrong;

        bench_hist_add(&first, v->first - v->connected);
        bench_hist_add(&key, v->key - v->connected);

        load_viewer_close(v);
        return;
    }

    if (v->state == load_gone || now - v->connected > LOAD_TIMEOUT) {
        failed++;
        load_viewer_close(v);
    }
}
