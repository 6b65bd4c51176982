
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_store.h"


void
ngx_tscast_store_init(ngx_tscast_store_t *store, void *area, ngx_uint_t total)
{
    store->area = area;
    store->total = total;
    store->carved = 0;
    store->nfree = total;
    store->free = NULL;
}


ngx_tscast_chunk_t *
ngx_tscast_store_alloc_locked(ngx_tscast_store_t *store)
{
    ngx_tscast_chunk_t  *c;

    c = store->free;

    if (c) {
        store->free = c->next;
        store->nfree--;
        return c;
    }

    if (store->carved == store->total) {
        return NULL;
    }

    c = &store->area[store->carved];

    store->carved++;
    store->nfree--;

    return c;
}


void
ngx_tscast_store_free_locked(ngx_tscast_store_t *store, ngx_tscast_chunk_t *c)
{
    c->next = store->free;
    store->free = c;
    store->nfree++;
}
