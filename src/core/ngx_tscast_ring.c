
/*
 * Copyright (C) the tscast authors
 */


/*
 * The ring of a feed: an endless sequence of bytes, of which the zone keeps
 * the latest part, in chunks.
 *
 *     offsets   start          tail                       head
 *                 |              |                          |
 *                 v              v                          v
 *     bytes       . . . . . . . .[==== kept ================)
 *     chunks      :  gone  :  limbo  :  c4  :  c5  :  c6  : ..
 *
 *     table       [ c4 | c5 | c6 | 0 ]     chunk number mod table size
 *     limbo       c3 -> c1                 retired, maybe still being read
 *
 * A chunk holds a whole number of packets and its number is the offset
 * divided by NGX_TSCAST_CHUNK_DATA.
 *
 * One process writes.  It takes no lock but to get a chunk or a table, and
 * there it also frees what has left limbo.  When the writer is gone, whoever
 * holds the zone's mutex acts for it, unless the writer's section shows that
 * it stopped in the middle of an append: its ring then stays as it is until
 * it goes on or is found dead.
 *
 * Invariants, for a process that stops or dies between any two steps:
 *
 *   1. start <= tail <= head, and all of [tail, head) is whole packets, or
 *      whole tags, that were written by one writer.  head is stored after the
 *      bytes.
 *
 *   2. An entry of the table is 0 or a chunk that the ring owns: it is set
 *      before head moves into the chunk, and cleared after tail has left it
 *      and before the chunk goes to limbo.  At any moment a chunk is in the
 *      table or in limbo or free or in nobody's hands; a crash leaves at most
 *      one in nobody's hands.
 *
 *   3. epoch grows by one with each birth and each retirement.  A reader
 *      loads head, then epoch, shows {id, epoch} in its section, and then,
 *      behind a full barrier, loads tail and table.  The writer stores tail,
 *      then, behind a full barrier, takes retire = ++epoch, and looks at the
 *      sections when it wants to free.  So either the writer sees the section,
 *      or the reader sees the new tail.
 *
 *   4. A chunk is freed only when no section shows this ring with
 *      birth <= epoch < retire.  A chunk born later is beyond the head that
 *      the reader has loaded; a reader that came later has seen a tail beyond
 *      the chunk.  A reader that stops holds what was in the window when it
 *      entered, and nothing that came later.
 *
 *   5. A table is replaced by one twice as large and freed by the same rule.
 *      An entry may be used again while a reader is inside: the reader takes
 *      the entry and then loads tail again; if tail has not passed the chunk,
 *      the entry was the chunk's.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_ring.h"


#define NGX_TSCAST_TABLE  8

#define ngx_tscast_chunk_number(offset)  ((offset) / NGX_TSCAST_CHUNK_DATA)


typedef struct {
    ngx_uint_t             n;
    uint64_t               epochs[NGX_MAX_PROCESSES];
} ngx_tscast_readers_t;


static ngx_tscast_table_t *ngx_tscast_table_create_locked(
    ngx_tscast_ring_env_t *env, ngx_uint_t n);
static ngx_int_t ngx_tscast_ring_add(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, uint64_t number, ngx_msec_t now);
static ngx_int_t ngx_tscast_ring_grow(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, uint64_t last);
static void ngx_tscast_ring_readers(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, ngx_tscast_readers_t *readers);
static ngx_uint_t ngx_tscast_ring_held(ngx_tscast_readers_t *readers,
    uint64_t birth, uint64_t retire);


/* a unit test stops or kills the process at these places */

#ifdef NGX_TSCAST_TEST
void ngx_tscast_test_point(const char *name);
#define ngx_tscast_point(name)  ngx_tscast_test_point(name)
#else
#define ngx_tscast_point(name)
#endif


ngx_int_t
ngx_tscast_ring_init_locked(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, uint64_t id, uint64_t start)
{
    ring->table = ngx_tscast_table_create_locked(env, NGX_TSCAST_TABLE);

    if (ring->table == NULL) {
        return NGX_ERROR;
    }

    ring->id = id;
    ring->start = start;
    ring->head = start;
    ring->tail = start;
    ring->epoch = 1;
    ring->limbo = NULL;

    return NGX_OK;
}


static ngx_tscast_table_t *
ngx_tscast_table_create_locked(ngx_tscast_ring_env_t *env, ngx_uint_t n)
{
    ngx_tscast_table_t  *t;

    t = ngx_slab_calloc_locked(env->shpool, sizeof(ngx_tscast_table_t)
                                   + (n - 1) * sizeof(ngx_tscast_chunk_t *));
    if (t == NULL) {
        return NULL;
    }

    t->retire = (uint64_t) -1;
    t->mask = n - 1;

    return t;
}


void
ngx_tscast_ring_free_locked(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring)
{
    ngx_uint_t           i;
    ngx_tscast_chunk_t  *c;
    ngx_tscast_table_t  *t;

    while (ring->limbo) {
        c = ring->limbo;
        ring->limbo = c->next;

        ngx_tscast_store_free_locked(env->store, c);
    }

    t = ring->table;

    for (i = 0; i <= t->mask; i++) {
        c = t->chunks[i];

        if (c) {
            t->chunks[i] = NULL;
            ngx_tscast_store_free_locked(env->store, c);
        }
    }

    while (t) {
        ring->table = t->prev;
        ngx_slab_free_locked(env->shpool, t);
        t = ring->table;
    }
}


size_t
ngx_tscast_ring_append(ngx_tscast_ring_env_t *env, ngx_tscast_ring_t *ring,
    u_char *p, size_t n, ngx_msec_t now)
{
    size_t               size, taken, used;
    uint64_t             head;
    ngx_tscast_chunk_t  *c;
    ngx_tscast_table_t  *t;

    head = ring->head;

    for (taken = 0; taken < n; taken += size) {

        used = head % NGX_TSCAST_CHUNK_DATA;

        if (used == 0
            && ngx_tscast_ring_add(env, ring, ngx_tscast_chunk_number(head),
                                   now)
               != NGX_OK)
        {
            break;
        }

        t = ring->table;
        c = t->chunks[ngx_tscast_chunk_number(head) & t->mask];

        size = ngx_min(n - taken, NGX_TSCAST_CHUNK_DATA - used);

        ngx_memcpy(c->data + used, p + taken, size);
        ngx_tscast_point("copied");

        head += size;

        __atomic_store_n(&ring->head, head, __ATOMIC_SEQ_CST);
        ngx_tscast_point("head");
    }

    return taken;
}


ngx_int_t
ngx_tscast_ring_append_whole(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring, u_char *p, size_t n, ngx_msec_t now)
{
    size_t               size, used;
    uint64_t             head, number, last;
    ngx_tscast_chunk_t  *c;
    ngx_tscast_table_t  *t;

    head = ring->head;
    last = ngx_tscast_chunk_number(head + n - 1);

    number = ngx_tscast_chunk_number(head + NGX_TSCAST_CHUNK_DATA - 1);

    for ( /* void */ ; number <= last; number++) {
        if (ngx_tscast_ring_add(env, ring, number, now) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    t = ring->table;

    for ( /* void */ ; n; n -= size) {
        used = head % NGX_TSCAST_CHUNK_DATA;
        size = ngx_min(n, NGX_TSCAST_CHUNK_DATA - used);

        c = t->chunks[ngx_tscast_chunk_number(head) & t->mask];

        ngx_memcpy(c->data + used, p, size);
        ngx_tscast_point("copied");

        p += size;
        head += size;
    }

    __atomic_store_n(&ring->head, head, __ATOMIC_SEQ_CST);
    ngx_tscast_point("head");

    return NGX_OK;
}


/* a chunk of this number, which is the next one or was added before */

static ngx_int_t
ngx_tscast_ring_add(ngx_tscast_ring_env_t *env, ngx_tscast_ring_t *ring,
    uint64_t number, ngx_msec_t now)
{
    uint64_t              first;
    ngx_tscast_chunk_t   *c;
    ngx_tscast_table_t   *t;

    first = ngx_tscast_chunk_number(ring->tail);

    if (number - first > ring->table->mask
        && ngx_tscast_ring_grow(env, ring, number) != NGX_OK)
    {
        return NGX_ERROR;
    }

    t = ring->table;

    if (t->chunks[number & t->mask]) {
        /* added before, when the append went no further */
        return NGX_OK;
    }

    ngx_shmtx_lock(&env->shpool->mutex);

    if (ring->limbo || t->prev) {
        (void) ngx_tscast_ring_reclaim_locked(env, ring);
    }

    c = ngx_tscast_store_alloc_locked(env->store);

    ngx_shmtx_unlock(&env->shpool->mutex);

    if (c == NULL) {
        return NGX_DECLINED;
    }

    ngx_tscast_point("allocated");

    c->time = now;
    c->retire = (uint64_t) -1;
    c->birth = __atomic_add_fetch(&ring->epoch, 1, __ATOMIC_SEQ_CST);

    __atomic_store_n(&t->chunks[number & t->mask], c, __ATOMIC_SEQ_CST);
    ngx_tscast_point("added");

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_ring_grow(ngx_tscast_ring_env_t *env, ngx_tscast_ring_t *ring,
    uint64_t last)
{
    uint64_t             i;
    ngx_tscast_table_t  *t, *old;

    old = ring->table;

    ngx_shmtx_lock(&env->shpool->mutex);
    t = ngx_tscast_table_create_locked(env, (old->mask + 1) * 2);
    ngx_shmtx_unlock(&env->shpool->mutex);

    if (t == NULL) {
        return NGX_ERROR;
    }

    i = ngx_tscast_chunk_number(ring->tail);

    for ( /* void */ ; i < last; i++) {
        t->chunks[i & t->mask] = old->chunks[i & old->mask];
    }

    t->prev = old;

    __atomic_store_n(&ring->table, t, __ATOMIC_SEQ_CST);
    ngx_tscast_point("grown");

    old->retire = __atomic_add_fetch(&ring->epoch, 1, __ATOMIC_SEQ_CST);

    return NGX_OK;
}


ngx_uint_t
ngx_tscast_ring_retire(ngx_tscast_ring_t *ring, uint64_t to)
{
    uint64_t             tail, next;
    ngx_uint_t           n;
    ngx_tscast_chunk_t  *c, **entry;
    ngx_tscast_table_t  *t;

    t = ring->table;
    tail = ring->tail;

    for (n = 0; /* void */ ; n++) {

        next = tail - tail % NGX_TSCAST_CHUNK_DATA + NGX_TSCAST_CHUNK_DATA;

        if (next > to || next > ring->head) {
            break;
        }

        entry = &t->chunks[ngx_tscast_chunk_number(tail) & t->mask];
        c = *entry;

        __atomic_store_n(&ring->tail, next, __ATOMIC_SEQ_CST);
        ngx_tscast_point("tail");

        tail = next;

        if (c == NULL) {
            continue;
        }

        c->retire = __atomic_add_fetch(&ring->epoch, 1, __ATOMIC_SEQ_CST);

        __atomic_store_n(entry, NULL, __ATOMIC_SEQ_CST);
        ngx_tscast_point("unlinked");

        c->next = ring->limbo;
        ring->limbo = c;
        ngx_tscast_point("limbo");
    }

    return n;
}


uint64_t
ngx_tscast_ring_older(ngx_tscast_ring_t *ring, ngx_msec_t then)
{
    uint64_t             offset, next;
    ngx_tscast_chunk_t  *c;
    ngx_tscast_table_t  *t;

    t = ring->table;
    offset = ring->tail;

    for ( ;; ) {

        next = offset - offset % NGX_TSCAST_CHUNK_DATA + NGX_TSCAST_CHUNK_DATA;

        if (next >= ring->head) {
            return offset;
        }

        /* the last byte of a chunk is about as old as the first of the next */

        c = t->chunks[ngx_tscast_chunk_number(next) & t->mask];

        if (c && (ngx_msec_int_t) (c->time - then) > 0) {
            return offset;
        }

        offset = next;
    }
}


ngx_msec_t
ngx_tscast_ring_oldest(ngx_tscast_ring_t *ring, ngx_msec_t now)
{
    ngx_tscast_chunk_t  *c;
    ngx_tscast_table_t  *t;

    t = ring->table;
    c = t->chunks[ngx_tscast_chunk_number(ring->tail) & t->mask];

    return (c && ring->head > ring->tail) ? c->time : now;
}


ngx_uint_t
ngx_tscast_ring_reclaim_locked(ngx_tscast_ring_env_t *env,
    ngx_tscast_ring_t *ring)
{
    ngx_uint_t             n;
    ngx_tscast_chunk_t    *c, **cp;
    ngx_tscast_table_t    *t, **tp;
    ngx_tscast_readers_t   readers;

    ngx_tscast_ring_readers(env, ring, &readers);

    n = 0;
    cp = &ring->limbo;

    while (*cp) {
        c = *cp;

        if (ngx_tscast_ring_held(&readers, c->birth, c->retire)) {
            cp = &c->next;
            continue;
        }

        *cp = c->next;
        ngx_tscast_point("reclaimed");

        ngx_tscast_store_free_locked(env->store, c);
        n++;
    }

    /* whoever holds a table holds the newer ones too */

    for ( ;; ) {
        tp = &ring->table->prev;

        while (*tp && (*tp)->prev) {
            tp = &(*tp)->prev;
        }

        t = *tp;

        if (t == NULL || ngx_tscast_ring_held(&readers, 0, t->retire)) {
            break;
        }

        *tp = NULL;
        ngx_slab_free_locked(env->shpool, t);
    }

    return n;
}


static void
ngx_tscast_ring_readers(ngx_tscast_ring_env_t *env, ngx_tscast_ring_t *ring,
    ngx_tscast_readers_t *readers)
{
    ngx_uint_t             i, n;
    ngx_tscast_section_t  *s;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    readers->n = 0;
    n = __atomic_load_n(env->nsections, __ATOMIC_SEQ_CST);

    for (i = 0; i < n; i++) {
        s = &env->sections[i];

        if (__atomic_load_n(&s->reading, __ATOMIC_SEQ_CST) == ring->id) {
            readers->epochs[readers->n++] = __atomic_load_n(&s->epoch,
                                                            __ATOMIC_SEQ_CST);
        }
    }
}


static ngx_uint_t
ngx_tscast_ring_held(ngx_tscast_readers_t *readers, uint64_t birth,
    uint64_t retire)
{
    ngx_uint_t  i;

    for (i = 0; i < readers->n; i++) {
        if (readers->epochs[i] >= birth && readers->epochs[i] < retire) {
            return 1;
        }
    }

    return 0;
}


void
ngx_tscast_ring_write(ngx_tscast_section_t *s, ngx_tscast_ring_t *ring)
{
    __atomic_store_n(&s->writing, ring->id, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


void
ngx_tscast_ring_written(ngx_tscast_section_t *s)
{
    __atomic_store_n(&s->writing, 0, __ATOMIC_SEQ_CST);
}


ngx_uint_t
ngx_tscast_ring_writing(ngx_tscast_ring_env_t *env, ngx_tscast_ring_t *ring)
{
    ngx_uint_t  i, n;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    n = __atomic_load_n(env->nsections, __ATOMIC_SEQ_CST);

    for (i = 0; i < n; i++) {
        if (__atomic_load_n(&env->sections[i].writing, __ATOMIC_SEQ_CST)
            == ring->id)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_tscast_ring_enter(ngx_tscast_section_t *s, ngx_tscast_ring_t *ring,
    ngx_tscast_view_t *view)
{
    uint64_t  epoch;

    view->head = __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST);
    epoch = __atomic_load_n(&ring->epoch, __ATOMIC_SEQ_CST);
    ngx_tscast_point("entering");

    __atomic_store_n(&s->epoch, epoch, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s->reading, ring->id, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ngx_tscast_point("entered");

    view->tail = __atomic_load_n(&ring->tail, __ATOMIC_SEQ_CST);
}


void
ngx_tscast_ring_leave(ngx_tscast_section_t *s)
{
    __atomic_store_n(&s->reading, 0, __ATOMIC_RELEASE);
}


u_char *
ngx_tscast_ring_at(ngx_tscast_ring_t *ring, ngx_tscast_view_t *view,
    uint64_t offset, size_t *n)
{
    size_t               used;
    uint64_t             number;
    ngx_tscast_chunk_t  *c;
    ngx_tscast_table_t  *t;

    t = __atomic_load_n(&ring->table, __ATOMIC_SEQ_CST);

    number = ngx_tscast_chunk_number(offset);
    c = __atomic_load_n(&t->chunks[number & t->mask], __ATOMIC_SEQ_CST);

    if (ngx_tscast_ring_tail(ring) > offset || c == NULL) {
        return NULL;
    }

    used = offset % NGX_TSCAST_CHUNK_DATA;

    *n = ngx_min(view->head - offset, NGX_TSCAST_CHUNK_DATA - used);

    return c->data + used;
}
