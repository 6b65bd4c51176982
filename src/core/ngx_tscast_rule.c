
/*
 * Copyright (C) the tscast authors
 */


/*
 * Rules: what makes links, a line of nginx.conf or what was said at run time.
 * The hub keeps the words of each and does not know what they mean.  Those of
 * the run time lie in the first zone, for the workers of all configurations;
 * a number that grows with each change tells them to look.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


typedef struct {
    ngx_queue_t          queue;         /* in sh->rules, by id */
    uint64_t             id;
    uint64_t             version;
    size_t               len;
    u_char               words[1];
} ngx_tscast_rule_node_t;


static ngx_tscast_conf_t *ngx_tscast_rule_conf(ngx_cycle_t *cycle);
static ngx_tscast_zone_t *ngx_tscast_rule_zone(void);
static ngx_tscast_rule_node_t *ngx_tscast_rule_find_locked(
    ngx_tscast_zone_t *zone, uint64_t id);
static ngx_tscast_rule_node_t *ngx_tscast_rule_insert_locked(
    ngx_tscast_zone_t *zone, ngx_tscast_rule_t *rule);
static uint64_t ngx_tscast_rule_exists_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_rule_t *rule);
static ngx_uint_t ngx_tscast_rule_same(ngx_str_t *a, ngx_str_t *b);
static size_t ngx_tscast_rule_head(ngx_str_t *words);
static void ngx_tscast_rule_changed_locked(ngx_tscast_zone_t *zone);


static ngx_tscast_conf_t *
ngx_tscast_rule_conf(ngx_cycle_t *cycle)
{
    return (ngx_tscast_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                              ngx_tscast_module);
}


/* the one that keeps the rules, or NULL */

static ngx_tscast_zone_t *
ngx_tscast_rule_zone(void)
{
    ngx_tscast_zone_t  *zone;

    zone = ngx_tscast_report_next(0);

    return (zone && zone->slot) ? zone : NULL;
}


ngx_int_t
ngx_tscast_rule_words(ngx_pool_t *pool, ngx_str_t *word, ngx_uint_t n,
    ngx_str_t *words)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    for (len = 0, i = 0; i < n; i++) {
        len += word[i].len + 1;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    words->len = len;
    words->data = p;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, word[i].data, word[i].len);
        *p++ = '\0';
    }

    return NGX_OK;
}


ngx_uint_t
ngx_tscast_rule_word(ngx_str_t *words, ngx_str_t *word)
{
    u_char  *p, *last;

    p = word->data ? word->data + word->len + 1 : words->data;
    last = words->data + words->len;

    if (p >= last) {
        return 0;
    }

    word->data = p;
    word->len = ngx_strlen(p);

    return 1;
}


ngx_int_t
ngx_tscast_rule_configure(ngx_cycle_t *cycle, ngx_tscast_rule_t *rule)
{
    ngx_tscast_conf_t  *tcf;
    ngx_tscast_rule_t  *new;

    tcf = ngx_tscast_rule_conf(cycle);

    new = ngx_array_push(&tcf->rules);
    if (new == NULL) {
        return NGX_ERROR;
    }

    *new = *rule;

    return NGX_OK;
}


ngx_tscast_rule_t *
ngx_tscast_rule_configured(ngx_cycle_t *cycle, ngx_uint_t i)
{
    ngx_tscast_conf_t  *tcf;
    ngx_tscast_rule_t  *rules;

    tcf = ngx_tscast_rule_conf(cycle);
    rules = tcf->rules.elts;

    return (i < tcf->rules.nelts) ? &rules[i] : NULL;
}


/* in the master: a new zone gets what was read from a file */

void
ngx_tscast_rule_load(ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_tscast_conf_t   *tcf;
    ngx_tscast_rule_t   *rule;
    ngx_tscast_zone_t   *zone, **zones;

    tcf = ngx_tscast_rule_conf(cycle);
    zones = tcf->zones.elts;
    zone = zones[0];

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (i = 0; !zone->sh->rules_loaded; i++) {
        rule = ngx_tscast_rule_configured(cycle, i);

        if (rule == NULL) {
            zone->sh->rules_loaded = 1;

        } else if (rule->id) {
            zone->sh->rule_serial = ngx_max(zone->sh->rule_serial, rule->id);

            if (ngx_tscast_rule_insert_locked(zone, rule) == NULL) {
                ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                              "zone \"%V\" has no memory for link %uL",
                              &zone->name, rule->id);
            }
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


uint64_t
ngx_tscast_rule_version(void)
{
    ngx_tscast_zone_t  *zone;

    zone = ngx_tscast_rule_zone();

    return zone ? __atomic_load_n(&zone->sh->rules_version, __ATOMIC_SEQ_CST)
                : 0;
}


ngx_int_t
ngx_tscast_rule_next(ngx_pool_t *pool, ngx_tscast_rule_t *rule)
{
    size_t                   len;
    ngx_int_t                rc;
    ngx_queue_t             *q;
    ngx_tscast_zone_t       *zone;
    ngx_tscast_rule_node_t  *node;

    zone = ngx_tscast_rule_zone();

    if (zone == NULL) {
        return NGX_DONE;
    }

    /* room for it is made without the mutex, and it may grow meanwhile */

    for (len = 0; /* void */ ; len = rule->words.len) {

        rule->words.data = len ? ngx_pnalloc(pool, len) : NULL;

        if (len && rule->words.data == NULL) {
            return NGX_ERROR;
        }

        rc = NGX_DONE;

        ngx_shmtx_lock(&zone->shpool->mutex);

        for (q = ngx_queue_head(&zone->sh->rules);
             q != ngx_queue_sentinel(&zone->sh->rules);
             q = ngx_queue_next(q))
        {
            node = ngx_queue_data(q, ngx_tscast_rule_node_t, queue);

            if (node->id <= rule->id) {
                continue;
            }

            rule->words.len = node->len;
            rc = NGX_AGAIN;

            if (node->len <= len) {
                ngx_memcpy(rule->words.data, node->words, node->len);

                rule->id = node->id;
                rule->version = node->version;
                rc = NGX_OK;
            }

            break;
        }

        ngx_shmtx_unlock(&zone->shpool->mutex);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


uint64_t
ngx_tscast_rule_current(uint64_t id)
{
    uint64_t                 version;
    ngx_tscast_zone_t       *zone;
    ngx_tscast_rule_node_t  *node;

    zone = ngx_tscast_rule_zone();

    if (zone == NULL) {
        return 0;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_tscast_rule_find_locked(zone, id);
    version = node ? node->version : 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return version;
}


ngx_int_t
ngx_tscast_rule_set(ngx_tscast_rule_t *rule)
{
    ngx_int_t                rc;
    ngx_tscast_zone_t       *zone;
    ngx_tscast_rule_node_t  *old;

    zone = ngx_tscast_rule_zone();

    if (zone == NULL) {
        return NGX_ERROR;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    old = rule->id ? ngx_tscast_rule_find_locked(zone, rule->id) : NULL;

    if (rule->id && old == NULL) {
        rc = NGX_TSCAST_NOT_FOUND;

    } else if (ngx_tscast_rule_exists_locked(zone, rule)) {
        rc = NGX_TSCAST_BUSY;

    } else {
        rule->version = ++zone->sh->rule_serial;

        if (old == NULL) {
            rule->id = rule->version;
        }

        rc = ngx_tscast_rule_insert_locked(zone, rule) ? NGX_OK : NGX_ERROR;
    }

    if (rc == NGX_OK) {

        if (old) {
            ngx_queue_remove(&old->queue);
            ngx_slab_free_locked(zone->shpool, old);
        }

        ngx_tscast_rule_changed_locked(zone);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_tscast_rule_remove(uint64_t id)
{
    ngx_int_t                rc;
    ngx_tscast_zone_t       *zone;
    ngx_tscast_rule_node_t  *node;

    zone = ngx_tscast_rule_zone();

    if (zone == NULL) {
        return NGX_TSCAST_NOT_FOUND;
    }

    rc = NGX_TSCAST_NOT_FOUND;

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_tscast_rule_find_locked(zone, id);

    if (node) {
        ngx_queue_remove(&node->queue);
        ngx_slab_free_locked(zone->shpool, node);

        ngx_tscast_rule_changed_locked(zone);

        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


/* a file holds the rules as they were at this version */

ngx_int_t
ngx_tscast_rule_keep(uint64_t version, u_char *from, u_char *to)
{
    ngx_int_t           rc;
    ngx_tscast_zone_t  *zone;

    zone = ngx_tscast_rule_zone();

    if (zone == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (version > zone->sh->rules_kept) {
        rc = (ngx_rename_file(from, to) == NGX_FILE_ERROR) ? NGX_ERROR
                                                            : NGX_OK;
        if (rc == NGX_OK) {
            zone->sh->rules_kept = version;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


static ngx_tscast_rule_node_t *
ngx_tscast_rule_find_locked(ngx_tscast_zone_t *zone, uint64_t id)
{
    ngx_queue_t             *q;
    ngx_tscast_rule_node_t  *node;

    for (q = ngx_queue_head(&zone->sh->rules);
         q != ngx_queue_sentinel(&zone->sh->rules);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_tscast_rule_node_t, queue);

        if (node->id == id) {
            return node;
        }
    }

    return NULL;
}


static ngx_tscast_rule_node_t *
ngx_tscast_rule_insert_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_rule_t *rule)
{
    ngx_queue_t             *q;
    ngx_tscast_rule_node_t  *node, *other;

    node = ngx_slab_alloc_locked(zone->shpool, sizeof(ngx_tscast_rule_node_t)
                                               + rule->words.len);
    if (node == NULL) {
        return NULL;
    }

    node->id = rule->id;
    node->version = rule->version;
    node->len = rule->words.len;

    ngx_memcpy(node->words, rule->words.data, rule->words.len);

    for (q = ngx_queue_last(&zone->sh->rules);
         q != ngx_queue_sentinel(&zone->sh->rules);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_tscast_rule_node_t, queue);

        if (other->id <= node->id) {
            break;
        }
    }

    ngx_queue_insert_after(q, &node->queue);

    return node;
}


uint64_t
ngx_tscast_rule_exists(ngx_tscast_rule_t *rule)
{
    uint64_t            id;
    ngx_tscast_zone_t  *zone;

    zone = ngx_tscast_rule_zone();

    if (zone == NULL) {
        return 0;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    id = ngx_tscast_rule_exists_locked(zone, rule);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    return id;
}


static uint64_t
ngx_tscast_rule_exists_locked(ngx_tscast_zone_t *zone,
    ngx_tscast_rule_t *rule)
{
    ngx_str_t                words;
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_tscast_rule_t       *other;
    ngx_tscast_rule_node_t  *node;

    for (i = 0; /* void */ ; i++) {
        other = ngx_tscast_rule_configured((ngx_cycle_t *) ngx_cycle, i);

        if (other == NULL) {
            break;
        }

        if (other->id == 0
            && ngx_tscast_rule_same(&other->words, &rule->words))
        {
            return NGX_TSCAST_RULE_CONF;
        }
    }

    for (q = ngx_queue_head(&zone->sh->rules);
         q != ngx_queue_sentinel(&zone->sh->rules);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_tscast_rule_node_t, queue);

        words.len = node->len;
        words.data = node->words;

        if (node->id != rule->id
            && ngx_tscast_rule_same(&words, &rule->words))
        {
            return node->id;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_tscast_rule_same(ngx_str_t *a, ngx_str_t *b)
{
    size_t  len;

    len = ngx_tscast_rule_head(a);

    return len == ngx_tscast_rule_head(b)
           && ngx_memcmp(a->data, b->data, len) == 0;
}


/* bytes of the first three words */

static size_t
ngx_tscast_rule_head(ngx_str_t *words)
{
    ngx_str_t   word;
    ngx_uint_t  i;

    word.len = 0;
    word.data = NULL;

    for (i = 0; i < 3 && ngx_tscast_rule_word(words, &word); i++) {
        /* void */
    }

    return word.data ? word.data + word.len - words->data : 0;
}


static void
ngx_tscast_rule_changed_locked(ngx_tscast_zone_t *zone)
{
    __atomic_fetch_add(&zone->sh->rules_version, 1, __ATOMIC_SEQ_CST);

    ngx_tscast_wake_rules(zone);
}
