
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_STORE_H_INCLUDED_
#define _NGX_TSCAST_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_ts.h"


#define NGX_TSCAST_CHUNK       65536

/* whole packets, so that none is cut by the end of a chunk */
#define NGX_TSCAST_CHUNK_DATA  (348 * NGX_TSCAST_TS_PACKET)


typedef struct ngx_tscast_chunk_s  ngx_tscast_chunk_t;

struct ngx_tscast_chunk_s {
    ngx_tscast_chunk_t    *next;          /* in the free list or in a limbo */
    uint64_t               birth;         /* epochs of its ring */
    uint64_t               retire;
    ngx_msec_t             time;          /* when its first byte came */
    u_char                 pad[NGX_TSCAST_CHUNK - NGX_TSCAST_CHUNK_DATA - 32];
    u_char                 data[NGX_TSCAST_CHUNK_DATA];
};


/*
 * The chunk area: an array of chunks and their free list.  Memory that was
 * never used is not touched.  A process that dies in here leaks one chunk.
 */

typedef struct {
    ngx_tscast_chunk_t    *area;
    ngx_uint_t             total;
    ngx_uint_t             carved;        /* of the array, used at least once */
    ngx_uint_t             nfree;
    ngx_tscast_chunk_t    *free;
} ngx_tscast_store_t;


void ngx_tscast_store_init(ngx_tscast_store_t *store, void *area,
    ngx_uint_t total);

/* NULL when none is free */
ngx_tscast_chunk_t *ngx_tscast_store_alloc_locked(ngx_tscast_store_t *store);
void ngx_tscast_store_free_locked(ngx_tscast_store_t *store,
    ngx_tscast_chunk_t *c);


#endif /* _NGX_TSCAST_STORE_H_INCLUDED_ */
