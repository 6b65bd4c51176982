
/*
 * Copyright (C) the tscast authors
 */


/*
 * Peers of an upstream of http {}.  A link has its own round-robin data over
 * the peers of the upstream, and by nginx's own functions weight, backup, down,
 * max_fails, fail_timeout and max_conns hold.  A round of tries takes each peer
 * once, with no pause; the pause is between two rounds.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_tscast_link_http.h"


/* of a record: the peer that its owner has, for the heir */
#define NGX_TSCAST_LINK_HTTP_OWN  0

#define NGX_TSCAST_LINK_HTTP_BITS  (8 * sizeof(uintptr_t))

#ifndef ngx_http_upstream_rr_peer_ref
#define ngx_http_upstream_rr_peer_ref(peers, peer)
#endif


typedef struct {
    ngx_http_upstream_rr_peer_data_t  rrp;
    ngx_peer_connection_t             pc;
    ngx_uint_t                        words;        /* of rrp.tried */

    unsigned                          round:1;      /* some were tried */
    unsigned                          held:1;       /* rrp.current is ours */
    unsigned                          fine:1;
    unsigned                          refused:1;
} ngx_tscast_link_http_peers_t;


static ngx_tscast_link_http_peers_t *ngx_tscast_link_http_peers(
    ngx_tscast_link_t *link);
static ngx_int_t ngx_tscast_link_http_round(ngx_tscast_link_http_peers_t *p,
    ngx_tscast_link_http_conf_t *hlcf, ngx_pool_t *pool, ngx_log_t *log);
static ngx_int_t ngx_tscast_link_http_get(ngx_tscast_link_t *link,
    ngx_tscast_link_http_peers_t *p);
static ngx_int_t ngx_tscast_link_http_pick(ngx_tscast_link_t *link,
    ngx_tscast_link_http_peers_t *p);
static uint32_t ngx_tscast_link_http_score(ngx_tscast_link_t *link,
    ngx_http_upstream_rr_peer_t *peer);
static ngx_uint_t ngx_tscast_link_http_usable(
    ngx_tscast_link_http_peers_t *p, ngx_http_upstream_rr_peer_t *peer,
    ngx_uint_t i);
static void ngx_tscast_link_http_take(ngx_tscast_link_http_peers_t *p,
    ngx_http_upstream_rr_peer_t *peer, ngx_uint_t i);
static uint64_t ngx_tscast_link_http_peer_id(
    ngx_http_upstream_rr_peer_t *peer);
static ngx_int_t ngx_tscast_link_http_again(ngx_tscast_link_t *link,
    ngx_tscast_link_http_peers_t *p);


ngx_int_t
ngx_tscast_link_http_upstream(ngx_cycle_t *cycle, ngx_str_t *name,
    ngx_tscast_link_http_conf_t *hlcf)
{
    ngx_uint_t                       i;
    ngx_http_conf_ctx_t             *ctx;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    ctx = (ngx_http_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                               ngx_http_module);
    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    umcf = ctx->main_conf[ngx_http_upstream_module.ctx_index];
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if ((uscfp[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            && uscfp[i]->host.len == name->len
            && ngx_strncasecmp(uscfp[i]->host.data, name->data, name->len)
               == 0)
        {
            hlcf->upstream = uscfp[i];
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_tscast_link_http_peer(ngx_tscast_link_t *link)
{
    ngx_tscast_link_http_peers_t  *p;

    p = ngx_tscast_link_http_peers(link);

    if (p == NULL) {
        return NGX_BUSY;
    }

    if (!p->held) {

        if (!p->round
            && ngx_tscast_link_http_round(p, link->conf->conf, link->lasting,
                                          &link->log)
               != NGX_OK)
        {
            return NGX_BUSY;
        }

        if (ngx_tscast_link_http_get(link, p) != NGX_OK) {
            return NGX_BUSY;
        }
    }

    if (!link->heir) {
        link->record->own[NGX_TSCAST_LINK_HTTP_OWN] =
                               ngx_tscast_link_http_peer_id(p->rrp.current);
    }

    if (ngx_tscast_link_address(link, p->pc.sockaddr, p->pc.socklen, 0)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    return NGX_OK;
}


static ngx_tscast_link_http_peers_t *
ngx_tscast_link_http_peers(ngx_tscast_link_t *link)
{
    if (link->peers) {
        return link->peers;
    }

    link->lasting = ngx_create_pool(512, ngx_cycle->log);
    if (link->lasting == NULL) {
        return NULL;
    }

    link->peers = ngx_pcalloc(link->lasting,
                              sizeof(ngx_tscast_link_http_peers_t));

    return link->peers;
}


/* none was tried yet, as ngx_http_upstream_init_round_robin_peer() does it */

static ngx_int_t
ngx_tscast_link_http_round(ngx_tscast_link_http_peers_t *p,
    ngx_tscast_link_http_conf_t *hlcf, ngx_pool_t *pool, ngx_log_t *log)
{
    ngx_uint_t                      n;
    ngx_http_upstream_rr_peers_t   *peers;
    ngx_http_upstream_srv_conf_t   *uscf;

    uscf = hlcf->upstream;
    peers = uscf->peer.data;

    p->rrp.peers = peers;

    ngx_http_upstream_rr_peers_rlock(peers);

    ngx_tscast_peers_config(&p->rrp, peers);

    n = peers->number;

    if (peers->next) {
        n = ngx_max(n, peers->next->number);
    }

    ngx_http_upstream_rr_peers_unlock(peers);

    n = (n + NGX_TSCAST_LINK_HTTP_BITS - 1) / NGX_TSCAST_LINK_HTTP_BITS;

    if (n > p->words) {
        p->rrp.tried = ngx_palloc(pool, n * sizeof(uintptr_t));
        if (p->rrp.tried == NULL) {
            return NGX_ERROR;
        }

        p->words = n;
    }

    ngx_memzero(p->rrp.tried, p->words * sizeof(uintptr_t));

    p->round = 1;
    p->pc.log = log;

    return NGX_OK;
}


/* holds the next peer; none is left when it returns NGX_BUSY */

static ngx_int_t
ngx_tscast_link_http_get(ngx_tscast_link_t *link,
    ngx_tscast_link_http_peers_t *p)
{
    ngx_tscast_link_http_conf_t  *hlcf;

    hlcf = link->conf->conf;

    if ((hlcf->hash || link->heir)
        && ngx_tscast_link_http_pick(link, p) == NGX_OK)
    {
        p->held = 1;
        return NGX_OK;
    }

    if (ngx_http_upstream_get_round_robin_peer(&p->pc, &p->rrp) != NGX_OK) {
        p->round = 0;
        return NGX_BUSY;
    }

    p->held = 1;

    return NGX_OK;
}


/*
 * The peer that the link's owner has, for an heir, or the one with the highest
 * score: when a peer goes, only its own streams go to others.
 */

static ngx_int_t
ngx_tscast_link_http_pick(ngx_tscast_link_t *link,
    ngx_tscast_link_http_peers_t *p)
{
    uint32_t                       score, best;
    ngx_uint_t                     i, n;
    ngx_http_upstream_rr_peer_t   *peer, *found;
    ngx_http_upstream_rr_peers_t  *peers;

    peers = p->rrp.peers;

    found = NULL;
    best = 0;
    n = 0;

    ngx_http_upstream_rr_peers_wlock(peers);

    for (peer = peers->peer, i = 0; peer; peer = peer->next, i++) {

        if (!ngx_tscast_link_http_usable(p, peer, i)) {
            continue;
        }

        score = ngx_tscast_link_http_score(link, peer);

        if (score > best) {
            best = score;
            found = peer;
            n = i;
        }
    }

    if (found) {
        ngx_tscast_link_http_take(p, found, n);
    }

    ngx_http_upstream_rr_peers_unlock(peers);

    return found ? NGX_OK : NGX_DECLINED;
}


static uint32_t
ngx_tscast_link_http_score(ngx_tscast_link_t *link,
    ngx_http_upstream_rr_peer_t *peer)
{
    uint32_t                      best, score, key[3];
    ngx_tscast_link_http_conf_t  *hlcf;

    if (link->heir
        && link->record->own[NGX_TSCAST_LINK_HTTP_OWN]
           == ngx_tscast_link_http_peer_id(peer))
    {
        return NGX_MAX_UINT32_VALUE;
    }

    hlcf = link->conf->conf;

    if (!hlcf->hash) {
        return 0;
    }

    key[0] = ngx_murmur_hash2(link->name.data, link->name.len);
    key[1] = ngx_murmur_hash2(peer->name.data, peer->name.len);

    best = 0;

    for (key[2] = 0; key[2] < (uint32_t) peer->weight; key[2]++) {
        score = ngx_murmur_hash2((u_char *) key, sizeof(key));
        best = ngx_max(best, score);
    }

    return best;
}


static ngx_uint_t
ngx_tscast_link_http_usable(ngx_tscast_link_http_peers_t *p,
    ngx_http_upstream_rr_peer_t *peer, ngx_uint_t i)
{
    uintptr_t  bit;

    bit = (uintptr_t) 1 << (i % NGX_TSCAST_LINK_HTTP_BITS);

    if (i / NGX_TSCAST_LINK_HTTP_BITS >= p->words
        || (p->rrp.tried[i / NGX_TSCAST_LINK_HTTP_BITS] & bit)
        || peer->down)
    {
        return 0;
    }

    if (peer->max_fails && peer->fails >= peer->max_fails
        && ngx_time() - peer->checked <= peer->fail_timeout)
    {
        return 0;
    }

    return !peer->max_conns || peer->conns < peer->max_conns;
}


/* as ngx_http_upstream_get_round_robin_peer() does it */

static void
ngx_tscast_link_http_take(ngx_tscast_link_http_peers_t *p,
    ngx_http_upstream_rr_peer_t *peer, ngx_uint_t i)
{
    time_t  now;

    now = ngx_time();

    if (now - peer->checked > peer->fail_timeout) {
        peer->checked = now;
    }

    p->rrp.current = peer;
    p->rrp.tried[i / NGX_TSCAST_LINK_HTTP_BITS] |=
                         (uintptr_t) 1 << (i % NGX_TSCAST_LINK_HTTP_BITS);

    ngx_http_upstream_rr_peer_ref(p->rrp.peers, peer);

    peer->conns++;

    p->pc.sockaddr = peer->sockaddr;
    p->pc.socklen = peer->socklen;
}


static uint64_t
ngx_tscast_link_http_peer_id(ngx_http_upstream_rr_peer_t *peer)
{
    return (uint64_t) 1 << 32
           | ngx_crc32_short(peer->name.data, peer->name.len);
}


void
ngx_tscast_link_http_peer_fine(ngx_tscast_link_t *link, ngx_uint_t refused)
{
    ngx_tscast_link_http_peers_t  *p;

    p = link->peers;

    if (p) {
        p->fine = 1;
        p->refused = refused;
    }
}


void
ngx_tscast_link_http_peer_free(ngx_tscast_link_t *link)
{
    ngx_uint_t                     state;
    ngx_tscast_link_http_peers_t  *p;

    p = link->peers;

    if (p == NULL || !p->held) {
        return;
    }

    state = (link->broken && !p->fine) ? NGX_PEER_FAILED : 0;

    ngx_http_upstream_free_round_robin_peer(&p->pc, &p->rrp, state);

    p->held = 0;
    p->fine = 0;
}


/* after a good run all others are tried again */

ngx_int_t
ngx_tscast_link_http_next(ngx_tscast_link_t *link, ngx_uint_t stable)
{
    ngx_tscast_link_http_conf_t   *hlcf;
    ngx_tscast_link_http_peers_t  *p;

    p = link->peers;
    hlcf = link->conf->conf;

    if (hlcf->upstream == NULL || p == NULL) {
        return NGX_DECLINED;
    }

    if (p->held) {
        return NGX_OK;
    }

    if (p->refused || !p->round || p->rrp.peers->single) {
        p->refused = 0;
        p->round = 0;
        return NGX_DECLINED;
    }

    if (stable && ngx_tscast_link_http_again(link, p) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_tscast_link_http_get(link, p) == NGX_OK ? NGX_OK
                                                       : NGX_DECLINED;
}


/* a round in which the last peer was tried */

static ngx_int_t
ngx_tscast_link_http_again(ngx_tscast_link_t *link,
    ngx_tscast_link_http_peers_t *p)
{
    ngx_uint_t                     i;
    ngx_http_upstream_rr_peer_t   *peer, *last;
    ngx_http_upstream_rr_peers_t  *peers;

    last = p->rrp.current;

    if (ngx_tscast_link_http_round(p, link->conf->conf, link->lasting,
                                   &link->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    peers = p->rrp.peers;

    ngx_http_upstream_rr_peers_rlock(peers);

    for (peer = peers->peer, i = 0; peer; peer = peer->next, i++) {

        if (peer == last && i / NGX_TSCAST_LINK_HTTP_BITS < p->words) {
            p->rrp.tried[i / NGX_TSCAST_LINK_HTTP_BITS] |=
                         (uintptr_t) 1 << (i % NGX_TSCAST_LINK_HTTP_BITS);
        }
    }

    ngx_http_upstream_rr_peers_unlock(peers);

    return NGX_OK;
}


ngx_int_t
ngx_tscast_link_http_peer_next(void **peers,
    ngx_tscast_link_http_conf_t *hlcf, ngx_pool_t *pool, ngx_log_t *log,
    ngx_addr_t *addr)
{
    ngx_tscast_link_http_peers_t  *p;

    p = *peers;

    if (p == NULL) {

        p = ngx_pcalloc(pool, sizeof(ngx_tscast_link_http_peers_t));

        if (p == NULL
            || ngx_tscast_link_http_round(p, hlcf, pool, log) != NGX_OK)
        {
            return NGX_BUSY;
        }

        *peers = p;

    } else if (p->rrp.peers->single) {
        return NGX_BUSY;
    }

    if (ngx_http_upstream_get_round_robin_peer(&p->pc, &p->rrp) != NGX_OK) {
        return NGX_BUSY;
    }

    p->held = 1;

    addr->sockaddr = p->pc.sockaddr;
    addr->socklen = p->pc.socklen;
    addr->name = *p->pc.name;

    return NGX_OK;
}


void
ngx_tscast_link_http_peer_done(void *peers, ngx_uint_t failed)
{
    ngx_tscast_link_http_peers_t *p = peers;

    if (p && p->held) {
        ngx_http_upstream_free_round_robin_peer(&p->pc, &p->rrp,
                                                failed ? NGX_PEER_FAILED : 0);
        p->held = 0;
    }
}
