
/*
 * Copyright (C) the tscast authors
 */


/*
 * Zones: their directive, their memory, and the references that doors make.
 *
 *     | slab pool: header, slots, streams, feeds, tables | chunk area |
 *
 * The chunk area is one allocation from the slab, the first, and has a free
 * list of its own.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_hub.h"


/* zone, window and buffer that serve one stream, of a few chunks */
#define NGX_TSCAST_MIN_ZONE    (1024 * 1024)

/* bytes; two slots do not share a cache line */
#define NGX_TSCAST_LINE        64

/* of a zone: what is not for chunks */
#define ngx_tscast_zone_meta(size)  (192 * 1024 + (size) / 8)


static char *ngx_tscast_zone_params(ngx_conf_t *cf, ngx_tscast_zone_t *zone);
static ngx_int_t ngx_tscast_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_tscast_zone_reuse(ngx_tscast_zone_t *zone);
static ngx_int_t ngx_tscast_zone_create(ngx_tscast_zone_t *zone);
static ngx_int_t ngx_tscast_zone_slots(ngx_tscast_zone_t *zone,
    ngx_tscast_zone_sh_t *sh, ngx_uint_t streams);
static void ngx_tscast_zone_bind(ngx_tscast_zone_t *zone);


static const uint32_t  ngx_tscast_sizes[] = {
    sizeof(ngx_tscast_zone_sh_t),
    sizeof(ngx_tscast_stream_t),
    sizeof(ngx_tscast_feed_t),
    sizeof(ngx_tscast_chunk_t),
    sizeof(ngx_tscast_record_t),
    sizeof(ngx_tscast_counters_t),
    sizeof(ngx_tscast_section_t)
};


char *
ngx_tscast_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_tscast_conf_t  *tcf = conf;

    ngx_str_t           *value;
    ngx_uint_t           i;
    ngx_tscast_zone_t   *zone, **zones;

    value = cf->args->elts;
    zones = tcf->zones.elts;

    for (i = 0; i < tcf->zones.nelts; i++) {
        if (zones[i]->name.len == value[1].len
            && ngx_strncmp(zones[i]->name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "zone \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_tscast_stream_check_name(&value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_tscast_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     zone->sh = NULL;
     *     zone->shpool = NULL;
     *     zone->slot = NULL;
     *     zone->watches = NULL;
     */

    zone->name = value[1];

    if (ngx_tscast_zone_params(cf, zone) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    zone->shm_name.len = sizeof("tscast:") - 1 + zone->name.len;
    zone->shm_name.data = ngx_pnalloc(cf->pool, zone->shm_name.len);
    if (zone->shm_name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(zone->shm_name.data, "tscast:%V", &zone->name);

    zone->shm_zone = ngx_shared_memory_add(cf, &zone->shm_name, zone->size,
                                           &ngx_tscast_module);
    if (zone->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->shm_zone->init = ngx_tscast_zone_init;
    zone->shm_zone->data = zone;

    zones = ngx_array_push(&tcf->zones);
    if (zones == NULL) {
        return NGX_CONF_ERROR;
    }

    *zones = zone;

    return NGX_CONF_OK;
}


static char *
ngx_tscast_zone_params(ngx_conf_t *cf, ngx_tscast_zone_t *zone)
{
    ssize_t     size, buffer;
    ngx_int_t   window;
    ngx_str_t  *value, s;
    ngx_uint_t  i;

    value = cf->args->elts;

    window = 10000;
    buffer = 0;

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < NGX_TSCAST_MIN_ZONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small: "
                           "a stream needs at least %udk", &value[1],
                           NGX_TSCAST_MIN_ZONE / 1024);
        return NGX_CONF_ERROR;
    }

    for (i = 3; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "window=", 7) == 0) {
            s.len = value[i].len - 7;
            s.data = value[i].data + 7;

            window = ngx_parse_time(&s, 0);

            if (window == NGX_ERROR || window < NGX_TSCAST_MIN_WINDOW) {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "buffer=", 7) == 0) {
            s.len = value[i].len - 7;
            s.data = value[i].data + 7;

            buffer = ngx_parse_size(&s);

            if (buffer == NGX_ERROR || buffer < 2 * NGX_TSCAST_CHUNK) {
                goto invalid;
            }

            continue;
        }

        goto invalid;
    }

    if (buffer > size - (ssize_t) ngx_tscast_zone_meta(size)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "buffer of %z bytes does not fit in zone \"%V\"",
                           buffer, &value[1]);
        return NGX_CONF_ERROR;
    }

    zone->size = size;
    zone->window = window;
    zone->buffer = buffer ? (size_t) buffer : zone->size / 2;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);

    return NGX_CONF_ERROR;
}


ngx_shm_zone_t *
ngx_tscast_zone_add(ngx_conf_t *cf, ngx_str_t *address, ngx_str_t *name)
{
    u_char     *p;
    ngx_str_t   s;

    p = ngx_strlchr(address->data, address->data + address->len, '/');

    if (p == NULL || p == address->data
        || p == address->data + address->len - 1)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid stream address \"%V\", "
                           "it must be zone/name", address);
        return NULL;
    }

    s.len = p - address->data;
    s.data = address->data;

    if (ngx_tscast_stream_check_name(&s) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\"", &s);
        return NULL;
    }

    name->len = address->data + address->len - (p + 1);
    name->data = p + 1;

    s.len += sizeof("tscast:") - 1;
    s.data = ngx_pnalloc(cf->pool, s.len);
    if (s.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(s.data, "tscast:", sizeof("tscast:") - 1);
    ngx_memcpy(p, address->data, s.data + s.len - p);

    return ngx_shared_memory_add(cf, &s, 0, &ngx_tscast_module);
}


ngx_shm_zone_t *
ngx_tscast_zone_find(ngx_cycle_t *cycle, ngx_str_t *address, ngx_str_t *name)
{
    u_char              *p, *last;
    size_t               len;
    ngx_uint_t           i;
    ngx_tscast_conf_t   *tcf;
    ngx_tscast_zone_t  **zones;

    last = address->data + address->len;
    p = ngx_strlchr(address->data, last, '/');

    if (p == NULL || p + 1 == last) {
        return NULL;
    }

    tcf = (ngx_tscast_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                             ngx_tscast_module);
    zones = tcf->zones.elts;
    len = p - address->data;

    for (i = 0; i < tcf->zones.nelts; i++) {
        if (zones[i]->name.len == len
            && ngx_strncmp(zones[i]->name.data, address->data, len) == 0)
        {
            name->data = p + 1;
            name->len = last - name->data;

            return zones[i]->shm_zone;
        }
    }

    return NULL;
}


ngx_str_t *
ngx_tscast_zone_name(ngx_tscast_zone_t *zone)
{
    return &zone->name;
}


static ngx_int_t
ngx_tscast_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_tscast_zone_t  *zone;

    zone = shm_zone->data;

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        return ngx_tscast_zone_reuse(zone);
    }

    return ngx_tscast_zone_create(zone);
}


/* older workers are using it: nothing inside is touched */

static ngx_int_t
ngx_tscast_zone_reuse(ngx_tscast_zone_t *zone)
{
    zone->sh = zone->shpool->data;

    if (zone->sh->magic != NGX_TSCAST_MAGIC
        || zone->sh->layout != NGX_TSCAST_LAYOUT
        || ngx_memcmp(zone->sh->sizes, ngx_tscast_sizes,
                      sizeof(ngx_tscast_sizes))
           != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, zone->shm_zone->shm.log, 0,
                      "zone \"%V\" was made by another version of tscast: "
                      "restart nginx", &zone->name);
        return NGX_ERROR;
    }

    ngx_tscast_zone_bind(zone);

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_zone_create(ngx_tscast_zone_t *zone)
{
    void                  *area;
    size_t                 size;
    ngx_uint_t             chunks, streams;
    ngx_tscast_zone_sh_t  *sh;

    chunks = (zone->size - ngx_tscast_zone_meta(zone->size))
             / NGX_TSCAST_CHUNK;

    streams = ngx_align(chunks, 64);

    area = ngx_slab_alloc(zone->shpool, chunks * sizeof(ngx_tscast_chunk_t));
    if (area == NULL) {
        return NGX_ERROR;
    }

    size = sizeof(ngx_tscast_zone_sh_t)
           + (streams - 1) * sizeof(ngx_tscast_stream_t *);

    sh = ngx_slab_calloc(zone->shpool, size);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    sh->sections = ngx_slab_calloc(zone->shpool,
                             NGX_MAX_PROCESSES * sizeof(ngx_tscast_section_t));
    if (sh->sections == NULL) {
        return NGX_ERROR;
    }

    if (ngx_tscast_zone_slots(zone, sh, streams) != NGX_OK) {
        return NGX_ERROR;
    }

    sh->magic = NGX_TSCAST_MAGIC;
    sh->layout = NGX_TSCAST_LAYOUT;
    ngx_memcpy(sh->sizes, ngx_tscast_sizes, sizeof(ngx_tscast_sizes));

    sh->max_streams = streams;
    sh->window = (ngx_msec_t) -1;

    ngx_rbtree_init(&sh->rbtree, &sh->sentinel, ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&sh->records, &sh->no_record, ngx_str_rbtree_insert_value);
    ngx_queue_init(&sh->record_queue);
    ngx_queue_init(&sh->answers);
    ngx_queue_init(&sh->rules);
    ngx_tscast_store_init(&sh->store, area, chunks);

    size = sizeof(" in tscast zone \"\"") + zone->name.len;

    zone->shpool->log_ctx = ngx_slab_alloc(zone->shpool, size);
    if (zone->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(zone->shpool->log_ctx, " in tscast zone \"%V\"%Z",
                &zone->name);

    zone->shpool->log_nomem = 0;
    zone->shpool->data = sh;
    zone->sh = sh;

    ngx_tscast_zone_bind(zone);

    return NGX_OK;
}


/* all that there can be, so that no worker finds the slab full */

static ngx_int_t
ngx_tscast_zone_slots(ngx_tscast_zone_t *zone, ngx_tscast_zone_sh_t *sh,
    ngx_uint_t streams)
{
    u_char      *p;
    size_t       size;
    ngx_uint_t   i;

    size = sizeof(ngx_tscast_slot_t) + (streams / 64 - 1) * sizeof(uint64_t);
    size = ngx_align(size, NGX_TSCAST_LINE);

    p = ngx_slab_calloc(zone->shpool, NGX_MAX_PROCESSES * size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        sh->slots[i] = (ngx_tscast_slot_t *) (p + i * size);
        ngx_queue_init(&sh->slots[i]->letters);
    }

    return NGX_OK;
}


static void
ngx_tscast_zone_bind(ngx_tscast_zone_t *zone)
{
    zone->env.shpool = zone->shpool;
    zone->env.store = &zone->sh->store;
    zone->env.sections = zone->sh->sections;
    zone->env.nsections = &zone->sh->nslots;
}
