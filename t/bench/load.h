
/*
 * Copyright (C) the tscast authors
 */


#ifndef _LOAD_H_INCLUDED_
#define _LOAD_H_INCLUDED_


#include "bench.h"

#if (BENCH_TLS)
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif


#define LOAD_BUFFER  (256 * 1024)


typedef enum {
    load_connecting = 0,
    load_tls,
    load_asked,
    load_watching,
    load_gone
} load_state_e;


typedef enum {
    load_raw = 0,
    load_chunked,
    load_websocket
} load_framing_e;


typedef struct {
    int             fd;
    unsigned        stream;
    load_state_e    state;
    load_framing_e  framing;

    unsigned        control:1;    /* a frame that is not media */
    unsigned        stalled:1;    /* does not read, or has not read once */
    unsigned        reading:1;
    unsigned        tables:2;     /* PAT and PMT seen, in this order */
    unsigned        wrong:1;      /* no key frame behind them */

    /* of framing: a head as far as it has come, and what it announced */

    u_char          head[24];
    unsigned        nhead;
    unsigned        tail;
    uint64_t        left;

    /* of media: bytes to the next stamp, and a packet that came in pieces */

    uint64_t        skip;
    u_char          packet[BENCH_PACKET];
    unsigned        npacket;

    uint64_t        bytes;        /* of media, while it is measured */
    uint64_t        serial;
    uint64_t        stamped;      /* the time in the newest stamp */
    uint64_t        frames;
    uint64_t        lost;
    uint64_t        doubled;
    uint64_t        unsynced;     /* packets without a sync byte */

    uint64_t        connected;    /* when connect() was called */
    uint64_t        first;        /* when media came first */
    uint64_t        key;          /* when a key frame did */

    char           *answer;
    unsigned        nanswer;

#if (BENCH_TLS)
    SSL            *ssl;
#endif
} load_viewer_t;


typedef struct {
    long            port;
    long            viewers;
    long            streams;
    long            websocket;
    long            raw;          /* media is counted and not looked at */
    long            tcp;          /* without HTTP */
    long            tls;
    long            spread;       /* viewers on each loopback address */
    long            joins;        /* a second */
    long            stall;        /* viewers */
    long            nap;          /* us */
    double          warm;
    double          seconds;
    double          stall_seconds;
    const char     *path;
    const char     *pids;

    int             epoll;
    unsigned        measuring;
    long            pending;      /* connections that have no answer yet */
    bench_hist_t    latency;
} load_t;


extern load_t  load;


/* load_viewer.c */

void load_viewer_connect(load_viewer_t *v, unsigned number);
void load_viewer_event(load_viewer_t *v, uint32_t events);
void load_viewer_watch(load_viewer_t *v, unsigned on);
void load_viewer_pong(load_viewer_t *v);
void load_viewer_close(load_viewer_t *v);

/* load_media.c */

void load_deframe(load_viewer_t *v, u_char *p, size_t n, uint64_t now);

/* load_joins.c */

int load_joins(void);


#endif /* _LOAD_H_INCLUDED_ */
