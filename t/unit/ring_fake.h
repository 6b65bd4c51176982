
/*
 * Copyright (C) the tscast authors
 */


/*
 * A zone for tests of the ring, in memory shared by forked processes: a slab
 * that only counts, a mutex that its owner's death does not unlock by itself,
 * and places where a process stops or dies.
 */


#ifndef _RING_FAKE_H_INCLUDED_
#define _RING_FAKE_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <sched.h>

#include "ngx_tscast_ring.h"


#define CHUNKS  64
#define SLAB    (4 * 1024 * 1024)

typedef struct {
    ngx_slab_pool_t         pool;
    ngx_atomic_t            lock;
    ngx_tscast_store_t      store;
    ngx_uint_t              nsections;
    ngx_tscast_section_t    sections[NGX_MAX_PROCESSES];
    ngx_tscast_ring_t       rings[2];

    ngx_atomic_t            slab_used;       /* objects */
    ngx_atomic_t            slab_next;
    u_char                  slab[SLAB];

    ngx_tscast_chunk_t      chunks[CHUNKS];
} fake_zone_t;


fake_zone_t *fake_zone_create(ngx_tscast_ring_env_t *env);
void fake_zone_destroy(fake_zone_t *z);

/* the n-th point that this process reaches from now on gets the signal */
void fake_signal_at(ngx_uint_t n, int signo);
ngx_uint_t fake_points(void);

/* what the master does for a worker that died */
void fake_unlock(fake_zone_t *z);


#endif /* _RING_FAKE_H_INCLUDED_ */
