
/*
 * Copyright (C) the tscast authors
 */


/*
 * The links that this worker knows: lines of nginx.conf, then rules of the run
 * time.  The rules lie in shared memory.  When they change, each worker ends
 * its links of those that are gone, and reads those that are new, by what reads
 * nginx.conf; a pool holds what is made of each.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


#define NGX_TSCAST_LINK_WORDS  32


static void ngx_tscast_link_lines_trim(void);
static void ngx_tscast_link_lines_read(void);
static ngx_uint_t ngx_tscast_link_lines_has(uint64_t rule);
static ngx_int_t ngx_tscast_link_lines_add(ngx_tscast_link_conf_t *lcf);
static ngx_int_t ngx_tscast_link_lines_split(ngx_pool_t *pool,
    ngx_str_t *words, ngx_array_t *args, ngx_log_t *log);
static ngx_uint_t ngx_tscast_link_lines_fit(ngx_str_t *word);
static void ngx_tscast_link_lines_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);


static ngx_tscast_link_conf_t  **ngx_tscast_link_lines_elts;
static ngx_uint_t                ngx_tscast_link_lines_n;
static ngx_uint_t                ngx_tscast_link_lines_size;
static uint64_t                  ngx_tscast_link_lines_version;


ngx_int_t
ngx_tscast_link_lines_init(ngx_tscast_link_main_conf_t *lmcf)
{
    ngx_uint_t                i;
    ngx_tscast_link_conf_t  **links;

    links = lmcf->links.elts;

    for (i = 0; i < lmcf->links.nelts; i++) {
        if (ngx_tscast_link_lines_add(links[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_tscast_link_lines_version = (uint64_t) -1;

    ngx_tscast_link_lines_follow();

    return NGX_OK;
}


ngx_tscast_link_conf_t *
ngx_tscast_link_line(ngx_uint_t i)
{
    return (i < ngx_tscast_link_lines_n) ? ngx_tscast_link_lines_elts[i]
                                         : NULL;
}


void
ngx_tscast_link_lines_follow(void)
{
    uint64_t  version;

    version = ngx_tscast_rule_version();

    if (version == ngx_tscast_link_lines_version) {
        return;
    }

    /* what changes from here on has another version */

    ngx_tscast_link_lines_version = version;

    ngx_tscast_link_lines_trim();

    if (!ngx_exiting) {
        ngx_tscast_link_lines_read();
    }
}


static void
ngx_tscast_link_lines_trim(void)
{
    uint64_t                  rule;
    ngx_uint_t                i, n;
    ngx_tscast_zone_t        *zone;
    ngx_tscast_link_conf_t  **lines, *lcf;

    lines = ngx_tscast_link_lines_elts;

    for (i = 0, n = 0; i < ngx_tscast_link_lines_n; i++) {
        lcf = lines[i];

        if (lcf->rule == 0
            || ngx_tscast_rule_current(lcf->rule) == lcf->version)
        {
            lines[n++] = lcf;
            continue;
        }

        rule = lcf->rule;
        zone = lcf->shm_zone->data;

        ngx_tscast_link_end(lcf);
        ngx_destroy_pool(lcf->pool);

        ngx_tscast_record_forget(zone, rule);
    }

    ngx_tscast_link_lines_n = n;
}


static void
ngx_tscast_link_lines_read(void)
{
    ngx_str_t                why;
    ngx_pool_t              *pool;
    ngx_tscast_rule_t        rule;
    ngx_tscast_link_conf_t  *lcf;
    u_char                   buf[NGX_TSCAST_LINK_WHY];

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    rule.id = 0;

    while (ngx_tscast_rule_next(pool, &rule) == NGX_OK) {

        if (ngx_tscast_link_lines_has(rule.id)) {
            continue;
        }

        why.data = buf;
        why.len = 0;

        lcf = ngx_tscast_link_lines_parse((ngx_cycle_t *) ngx_cycle,
                                          ngx_tscast_link_lines_elts,
                                          ngx_tscast_link_lines_n, &rule,
                                          &why);

        if (lcf && ngx_tscast_link_lines_add(lcf) == NGX_OK) {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "link %uL cannot be set up: %V", rule.id, &why);

        if (lcf) {
            ngx_destroy_pool(lcf->pool);
        }
    }

    ngx_destroy_pool(pool);
}


static ngx_uint_t
ngx_tscast_link_lines_has(uint64_t rule)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_tscast_link_lines_n; i++) {
        if (ngx_tscast_link_lines_elts[i]->rule == rule) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_tscast_link_lines_add(ngx_tscast_link_conf_t *lcf)
{
    size_t                    size;
    ngx_tscast_link_conf_t  **elts;

    if (ngx_tscast_link_lines_n == ngx_tscast_link_lines_size) {

        size = ngx_max(2 * ngx_tscast_link_lines_size, 8);

        elts = ngx_alloc(size * sizeof(ngx_tscast_link_conf_t *),
                         ngx_cycle->log);
        if (elts == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(elts, ngx_tscast_link_lines_elts,
                   ngx_tscast_link_lines_n
                   * sizeof(ngx_tscast_link_conf_t *));

        if (ngx_tscast_link_lines_elts) {
            ngx_free(ngx_tscast_link_lines_elts);
        }

        ngx_tscast_link_lines_elts = elts;
        ngx_tscast_link_lines_size = size;
    }

    ngx_tscast_link_lines_elts[ngx_tscast_link_lines_n++] = lcf;

    return NGX_OK;
}


ngx_tscast_link_conf_t *
ngx_tscast_link_on_demand(ngx_tscast_zone_t *zone, ngx_str_t *name)
{
    ngx_uint_t               i;
    ngx_tscast_link_conf_t  *lcf;

    for (i = 0; i < ngx_tscast_link_lines_n; i++) {
        lcf = ngx_tscast_link_lines_elts[i];

        if (lcf->on_demand && lcf->shm_zone->data == zone
            && ngx_tscast_link_match(lcf, name))
        {
            return lcf;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_tscast_link_reserve(ngx_tscast_link_conf_t *lcf)
{
    ngx_uint_t               i;
    ngx_tscast_link_conf_t  *other;

    for (i = 0; i < ngx_tscast_link_lines_n; i++) {
        other = ngx_tscast_link_lines_elts[i];

        if (other != lcf && !other->push
            && ngx_tscast_link_overlap(lcf, other))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_tscast_link_lines_check(ngx_tscast_rule_t *rule, ngx_str_t *why)
{
    ngx_uint_t                i, n;
    ngx_tscast_link_conf_t   *lcf, **others;

    others = ngx_alloc((ngx_tscast_link_lines_n + 1)
                       * sizeof(ngx_tscast_link_conf_t *), ngx_cycle->log);
    if (others == NULL) {
        why->len = 0;
        return NGX_DECLINED;
    }

    /* a rule may be changed to what goes badly with itself as it was */

    for (i = 0, n = 0; i < ngx_tscast_link_lines_n; i++) {
        if (rule->id == 0 || ngx_tscast_link_lines_elts[i]->rule != rule->id) {
            others[n++] = ngx_tscast_link_lines_elts[i];
        }
    }

    lcf = ngx_tscast_link_lines_parse((ngx_cycle_t *) ngx_cycle, others, n,
                                      rule, why);
    ngx_free(others);

    if (lcf == NULL) {
        return NGX_DECLINED;
    }

    ngx_destroy_pool(lcf->pool);

    return NGX_OK;
}


/*
 * What is logged on the way goes to *why, which has room for
 * NGX_TSCAST_LINK_WHY bytes.  All that is made lies in a pool of its own.
 */

ngx_tscast_link_conf_t *
ngx_tscast_link_lines_parse(ngx_cycle_t *cycle,
    ngx_tscast_link_conf_t **others, ngx_uint_t n, ngx_tscast_rule_t *rule,
    ngx_str_t *why)
{
    ngx_log_t               *log;
    ngx_conf_t               cf;
    ngx_pool_t              *pool;
    ngx_cycle_t              view;
    ngx_array_t              args;
    ngx_tscast_link_conf_t  *lcf;

    why->len = 0;

    pool = ngx_create_pool(1024, cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    /* it is kept by what is made for TLS */

    log = ngx_pcalloc(pool, sizeof(ngx_log_t));
    if (log == NULL) {
        goto failed;
    }

    log->log_level = NGX_LOG_ERR;
    log->writer = ngx_tscast_link_lines_writer;
    log->wdata = why;

    if (ngx_tscast_link_lines_split(pool, &rule->words, &args, log)
        != NGX_OK)
    {
        goto failed;
    }

    view = *cycle;
    view.pool = pool;
    view.log = log;

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.ctx = cycle->conf_ctx;
    cf.cycle = &view;
    cf.pool = pool;
    cf.temp_pool = pool;
    cf.log = log;
    cf.args = &args;

    lcf = ngx_tscast_link_parse(&cf);

    if (lcf == NULL
        || ngx_tscast_link_check_one(&view, lcf, others, n) != NGX_CONF_OK)
    {
        goto failed;
    }

    lcf->pool = pool;
    lcf->rule = rule->id;
    lcf->version = rule->version;

    *log = *cycle->log;

    return lcf;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static ngx_int_t
ngx_tscast_link_lines_split(ngx_pool_t *pool, ngx_str_t *words,
    ngx_array_t *args, ngx_log_t *log)
{
    u_char     *p;
    ngx_str_t   word, *arg;

    if (ngx_array_init(args, pool, 8, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_null(&word);

    while (ngx_tscast_rule_word(words, &word)) {

        if (!ngx_tscast_link_lines_fit(&word)
            || args->nelts == NGX_TSCAST_LINK_WORDS)
        {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "word %ui is none that a link can have here",
                          args->nelts + 1);
            return NGX_ERROR;
        }

        p = ngx_pnalloc(pool, word.len + 1);
        arg = ngx_array_push(args);

        if (p == NULL || arg == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, word.data, word.len + 1);

        arg->len = word.len;
        arg->data = p;
    }

    if (args->nelts < 3) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "stream or URL is missing");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* no line feeds; and files of this host are for nginx.conf to name */

static ngx_uint_t
ngx_tscast_link_lines_fit(ngx_str_t *word)
{
    size_t  i;

    for (i = 0; i < word->len; i++) {
        if (word->data[i] < ' ' || word->data[i] == 0x7f) {
            return 0;
        }
    }

    return word->len
           && ngx_strncmp(word->data, "ssl_certificate", 15) != 0
           && ngx_strncmp(word->data, "ssl_trusted_certificate", 23) != 0;
}


/* the first line, without the date, the level and the process */

static void
ngx_tscast_link_lines_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    u_char     *p, *last;
    ngx_str_t  *why;

    why = log->wdata;
    last = buf + len;

    if (why->len) {
        return;
    }

    p = ngx_strlchr(buf, last, '#');
    p = p ? ngx_strlchr(p, last, ' ') : NULL;
    p = p ? p + 1 : buf;

    if (last > p && last[-1] == LF) {
        last--;
    }

    why->len = ngx_min((size_t) (last - p), NGX_TSCAST_LINK_WHY);
    ngx_memcpy(why->data, p, why->len);
}
