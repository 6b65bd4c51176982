
/*
 * Copyright (C) the tscast authors
 */


/*
 * What a viewer gets: framing is taken off, and of the media only the stamps
 * are looked at.  A stamp says how many packets its frame has; where the
 * next one is due is thus known, and if it isn't there it is looked for packet
 * by packet.
 */


#include "load.h"


static u_char *load_websocket_head(load_viewer_t *v, u_char *p, u_char *last);
static u_char *load_chunk_head(load_viewer_t *v, u_char *p, u_char *last);
static void load_media(load_viewer_t *v, u_char *p, size_t n, uint64_t now);
static void load_packet(load_viewer_t *v, u_char *p, uint64_t now);
static void load_stamp(load_viewer_t *v, bench_stamp_t *stamp, uint64_t now);


void
load_deframe(load_viewer_t *v, u_char *p, size_t n, uint64_t now)
{
    u_char  *last;

    if (v->framing == load_raw) {
        load_media(v, p, n, now);
        return;
    }

    last = p + n;

    while (p < last && v->state == load_watching) {

        if (v->left) {
            n = bench_min(v->left, (uint64_t) (last - p));

            if (!v->control) {
                load_media(v, p, n, now);
            }

            p += n;
            v->left -= n;
            continue;
        }

        if (v->tail) {
            n = bench_min(v->tail, (size_t) (last - p));
            p += n;
            v->tail -= n;
            continue;
        }

        p = (v->framing == load_websocket) ? load_websocket_head(v, p, last)
                                           : load_chunk_head(v, p, last);
    }
}


/* RFC 6455, 5.2; a server's frames are not masked */

static u_char *
load_websocket_head(load_viewer_t *v, u_char *p, u_char *last)
{
    unsigned  i, need;

    while (p < last) {

        v->head[v->nhead++] = *p++;

        if (v->nhead < 2) {
            continue;
        }

        need = (v->head[1] == 126) ? 4 : (v->head[1] == 127) ? 10 : 2;

        if (v->nhead < need) {
            continue;
        }

        v->left = (need == 2) ? v->head[1] : 0;

        for (i = 2; i < need; i++) {
            v->left = v->left << 8 | v->head[i];
        }

        v->nhead = 0;
        v->control = v->head[0] >> 3 & 1;

        switch (v->head[0] & 0x0f) {

        case 8:
            v->state = load_gone;
            break;

        case 9:
            load_viewer_pong(v);
            break;
        }

        break;
    }

    return p;
}


static u_char *
load_chunk_head(load_viewer_t *v, u_char *p, u_char *last)
{
    while (p < last) {

        if (v->nhead == sizeof(v->head) - 1) {
            bench_die("a chunk without a length");
        }

        v->head[v->nhead++] = *p++;

        if (p[-1] != '\n') {
            continue;
        }

        v->head[v->nhead] = '\0';
        v->nhead = 0;

        v->left = strtoull((char *) v->head, NULL, 16);
        v->tail = 2;

        if (v->left == 0) {
            v->state = load_gone;
        }

        break;
    }

    return p;
}


static void
load_media(load_viewer_t *v, u_char *p, size_t n, uint64_t now)
{
    size_t  size;

    v->bytes += n;

    if (v->first == 0) {
        v->first = now;
    }

    if (load.raw) {
        return;
    }

    while (n) {

        if (v->skip) {
            size = bench_min(v->skip, n);
            v->skip -= size;

        } else if (v->npacket == 0 && n >= BENCH_PACKET) {
            size = BENCH_PACKET;
            load_packet(v, p, now);

        } else {
            size = bench_min(BENCH_PACKET - v->npacket, n);
            memcpy(v->packet + v->npacket, p, size);
            v->npacket += size;

            if (v->npacket == BENCH_PACKET) {
                v->npacket = 0;
                load_packet(v, v->packet, now);
            }
        }

        p += size;
        n -= size;
    }
}


static void
load_packet(load_viewer_t *v, u_char *p, uint64_t now)
{
    bench_stamp_t  stamp;

    if (p[0] != 0x47) {
        v->unsynced++;
        return;
    }

    if (bench_ts_stamp(p, &stamp)) {
        load_stamp(v, &stamp, now);
        return;
    }

    if (v->key == 0 && bench_ts_is_table(p) == v->tables + 1) {
        v->tables++;
    }
}


static void
load_stamp(load_viewer_t *v, bench_stamp_t *stamp, uint64_t now)
{
    v->skip = (uint64_t) (stamp->packets - 1) * BENCH_PACKET;

    if (v->stamped == 0) {
        v->wrong = (v->tables != 2 || !stamp->key);

    } else if (stamp->serial <= v->serial) {
        v->doubled++;

    } else {
        v->lost += stamp->serial - v->serial - 1;
    }

    if (v->key == 0 && stamp->key) {
        v->key = now;
    }

    v->serial = stamp->serial;
    v->stamped = stamp->time;
    v->frames++;

    if (load.measuring && !v->stalled) {
        bench_hist_add(&load.latency, now - stamp->time);
    }
}
