
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_RING_H_INCLUDED_
#define _NGX_TSCAST_RING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_store.h"


/* what a process is reading and writing now; one per slot, in the zone */

typedef struct {
    uint64_t               reading;       /* id of a ring, 0: none */
    uint64_t               epoch;         /* of that ring, on entry */
    uint64_t               writing;       /* id of a ring, 0: none */
    uint64_t               looking;       /* at a stream, its index + 1 */
    uint64_t               pad[4];        /* a cache line each */
} ngx_tscast_section_t;


typedef struct ngx_tscast_table_s  ngx_tscast_table_t;

struct ngx_tscast_table_s {
    ngx_tscast_table_t    *prev;          /* the smaller one before it */
    uint64_t               retire;        /* epoch when it was replaced */
    uint64_t               mask;          /* number of entries - 1 */
    ngx_tscast_chunk_t    *chunks[1];
};


typedef struct {
    uint64_t               id;            /* never used again, not 0 */
    uint64_t               start;         /* offset of the first byte ever */
    uint64_t               head;          /* atomic */
    uint64_t               tail;          /* atomic */
    uint64_t               epoch;         /* atomic */
    ngx_tscast_table_t    *table;         /* atomic */
    ngx_tscast_chunk_t    *limbo;         /* retired, not free yet */
} ngx_tscast_ring_t;


/* where a ring lives */

typedef struct {
    ngx_slab_pool_t       *shpool;        /* of the tables; its mutex guards
                                             all that is shared by rings */
    ngx_tscast_store_t    *store;         /* of the chunks */
    ngx_tscast_section_t  *sections;
    ngx_uint_t            *nsections;     /* atomic; only grows */
} ngx_tscast_ring_env_t;


/* what a reader has seen on entry */

typedef struct {
    uint64_t               head;
    uint64_t               tail;
} ngx_tscast_view_t;


/*
 * start is a multiple of NGX_TSCAST_CHUNK_DATA.  Returns NGX_OK, or NGX_ERROR
 * when the slab has no memory.
 */
ngx_int_t ngx_tscast_ring_init_locked(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, uint64_t id, uint64_t start);

/*
 * Gives all memory back, chunks that readers hold included: only when no slot
 * can be inside.
 */
void ngx_tscast_ring_free_locked(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring);

/*
 * Copies n bytes, whole packets, to the head.  now is in milliseconds.
 * Returns the bytes taken: less than n when a chunk was wanted and none free.
 */
size_t ngx_tscast_ring_append(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, u_char *p, size_t n, ngx_msec_t now);

/*
 * Copies n bytes, not 0, to the head, which moves over all of them at once.
 * Returns NGX_OK, or NGX_DECLINED when a chunk was wanted and none free.
 */
ngx_int_t ngx_tscast_ring_append_whole(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, u_char *p, size_t n, ngx_msec_t now);

/* retires the chunks that end at or before offset "to"; returns how many */
ngx_uint_t ngx_tscast_ring_retire(ngx_tscast_ring_t *ring, uint64_t to);

/* the offset up to which the bytes are older than "then" */
uint64_t ngx_tscast_ring_older(ngx_tscast_ring_t *ring, ngx_msec_t then);

/* for its writer: when the oldest byte that is kept came, else now */
ngx_msec_t ngx_tscast_ring_oldest(ngx_tscast_ring_t *ring, ngx_msec_t now);

/* frees what is retired and held by no reader; returns chunks freed */
ngx_uint_t ngx_tscast_ring_reclaim_locked(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring);

/* a writer's section: while it shows, nobody else retires or frees */
void ngx_tscast_ring_write(ngx_tscast_section_t *s, ngx_tscast_ring_t *ring);
void ngx_tscast_ring_written(ngx_tscast_section_t *s);
ngx_uint_t ngx_tscast_ring_writing(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring);

/* a reader's section: what lay between tail and head stays in memory */
void ngx_tscast_ring_enter(ngx_tscast_section_t *s, ngx_tscast_ring_t *ring,
    ngx_tscast_view_t *view);
void ngx_tscast_ring_leave(ngx_tscast_section_t *s);

/*
 * The bytes at offset, tail <= offset < head of the view, and in *n how many
 * follow in one piece; NULL when they have been retired meanwhile.
 */
u_char *ngx_tscast_ring_at(ngx_tscast_ring_t *ring, ngx_tscast_view_t *view,
    uint64_t offset, size_t *n);


static ngx_inline uint64_t
ngx_tscast_ring_head(ngx_tscast_ring_t *ring)
{
    return __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST);
}


static ngx_inline uint64_t
ngx_tscast_ring_tail(ngx_tscast_ring_t *ring)
{
    return __atomic_load_n(&ring->tail, __ATOMIC_SEQ_CST);
}


#endif /* _NGX_TSCAST_RING_H_INCLUDED_ */
