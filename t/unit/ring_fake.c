
/*
 * Copyright (C) the tscast authors
 */


#include "ring_fake.h"


static fake_zone_t  *zone;

static ngx_uint_t    points;
static ngx_uint_t    at;
static int           sig;


fake_zone_t *
fake_zone_create(ngx_tscast_ring_env_t *env)
{
    zone = mmap(NULL, sizeof(fake_zone_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_true(zone != MAP_FAILED);

    ngx_tscast_store_init(&zone->store, zone->chunks, CHUNKS);

    zone->nsections = 4;

    env->shpool = &zone->pool;
    env->store = &zone->store;
    env->sections = zone->sections;
    env->nsections = &zone->nsections;

    return zone;
}


void
fake_zone_destroy(fake_zone_t *z)
{
    munmap(z, sizeof(fake_zone_t));
}


void
fake_signal_at(ngx_uint_t n, int signo)
{
    points = 0;
    at = n;
    sig = signo;
}


ngx_uint_t
fake_points(void)
{
    return points;
}


void
ngx_tscast_test_point(const char *name)
{
    if (++points == at) {
        raise(sig);
    }
}


void
fake_unlock(fake_zone_t *z)
{
    __atomic_store_n(&z->lock, 0, __ATOMIC_SEQ_CST);
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    while (__atomic_exchange_n(&zone->lock, 1, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    __atomic_store_n(&zone->lock, 0, __ATOMIC_SEQ_CST);
}


void *
ngx_slab_calloc_locked(ngx_slab_pool_t *pool, size_t size)
{
    u_char  *p;

    size = ngx_align(size, 16);

    if (zone->slab_next + size > SLAB) {
        return NULL;
    }

    p = &zone->slab[zone->slab_next];

    zone->slab_next += size;
    zone->slab_used++;

    return p;
}


void
ngx_slab_free_locked(ngx_slab_pool_t *pool, void *p)
{
    zone->slab_used--;
}
