
/*
 * Copyright (C) the tscast authors
 */


/*
 * The directives push and pull.  What another block of the configuration may
 * decide is looked at when all of it was read, with the line at hand.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_link.h"


static char *ngx_tscast_link_where(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf);
static char *ngx_tscast_link_stream(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf, ngx_str_t *address);
static char *ngx_tscast_link_url(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf);
static char *ngx_tscast_link_variables(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf);
static ngx_tscast_scheme_t *ngx_tscast_link_scheme(ngx_cycle_t *cycle,
    ngx_str_t *name);
static const char *ngx_tscast_link_module_of(ngx_str_t *scheme);
static char *ngx_tscast_link_params(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf);
static ngx_int_t ngx_tscast_link_param(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf, ngx_str_t *param);
static char *ngx_tscast_link_text(ngx_conf_t *cf,
    ngx_tscast_link_conf_t *lcf);
static char *ngx_tscast_link_check_rules(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf);
static char *ngx_tscast_link_check_host(ngx_cycle_t *cycle,
    ngx_tscast_link_conf_t *lcf);
static char *ngx_tscast_link_check_pair(ngx_cycle_t *cycle,
    ngx_tscast_link_conf_t *lcf, ngx_tscast_link_conf_t *other);
static ngx_uint_t ngx_tscast_link_same_peer(ngx_tscast_link_conf_t *a,
    ngx_tscast_link_conf_t *b);


char *
ngx_tscast_link_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_tscast_link_main_conf_t *lmcf = conf;

    ngx_tscast_rule_t         rule;
    ngx_tscast_link_conf_t   *lcf, **link;

    lcf = ngx_tscast_link_parse(cf);
    if (lcf == NULL) {
        return NGX_CONF_ERROR;
    }

    link = ngx_array_push(&lmcf->links);
    if (link == NULL) {
        return NGX_CONF_ERROR;
    }

    *link = lcf;

    rule.id = 0;
    rule.version = 0;

    if (ngx_tscast_rule_words(cf->pool, cf->args->elts, cf->args->nelts,
                              &rule.words)
        != NGX_OK
        || ngx_tscast_rule_configure(cf->cycle, &rule) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_tscast_link_conf_t *
ngx_tscast_link_parse(ngx_conf_t *cf)
{
    ngx_str_t               *value;
    ngx_tscast_link_conf_t  *lcf;

    value = cf->args->elts;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_tscast_link_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lcf->where = { 0, NULL };
     *     lcf->rule = 0;
     *     lcf->pool = NULL;
     *     lcf->prefix = 0;
     *     lcf->conf = NULL;
     *     lcf->addr = NULL;
     */

    lcf->push = (value[0].len == 4 && value[0].data[2] == 's');
    lcf->stream = value[1];
    lcf->address = value[2];
    lcf->reconnect = 1000;
    lcf->reconnect_max = 30000;
    lcf->timeout = 10000;
    lcf->flush = 30;
    lcf->linger = 10000;
    lcf->wait = 10000;

    if (ngx_tscast_link_where(cf, lcf) != NGX_CONF_OK
        || ngx_tscast_link_stream(cf, lcf, &value[1]) != NGX_CONF_OK
        || ngx_tscast_link_url(cf, lcf) != NGX_CONF_OK
        || ngx_tscast_link_params(cf, lcf) != NGX_CONF_OK
        || ngx_tscast_link_text(cf, lcf) != NGX_CONF_OK)
    {
        return NULL;
    }

    return lcf;
}


static char *
ngx_tscast_link_where(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    ngx_str_t  *file;

    if (cf->conf_file == NULL) {
        return NGX_CONF_OK;
    }

    file = &cf->conf_file->file.name;

    lcf->where.data = ngx_pnalloc(cf->pool, sizeof(" in :") - 1 + file->len
                                            + NGX_INT64_LEN);
    if (lcf->where.data == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->where.len = ngx_sprintf(lcf->where.data, " in %V:%ui", file,
                                 cf->conf_file->line)
                     - lcf->where.data;

    return NGX_CONF_OK;
}


static char *
ngx_tscast_link_stream(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf,
    ngx_str_t *address)
{
    ngx_str_t  name;

    if (cf->conf_file) {
        lcf->shm_zone = ngx_tscast_zone_add(cf, address, &lcf->pattern);
        if (lcf->shm_zone == NULL) {
            return NGX_CONF_ERROR;
        }

    } else {
        lcf->shm_zone = ngx_tscast_zone_find(cf->cycle, address,
                                             &lcf->pattern);
        if (lcf->shm_zone == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown zone in \"%V\"", address);
            return NGX_CONF_ERROR;
        }
    }

    name = lcf->pattern;

    if (name.data[name.len - 1] == '*') {
        lcf->prefix = 1;
        lcf->pattern.len--;
        name.len--;
    }

    if (!(lcf->prefix && name.len == 0)
        && ngx_tscast_stream_check_name(&name) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid stream name in \"%V\"", address);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_tscast_link_url(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    char                 *err;
    ngx_addr_t           *addr;
    ngx_uint_t            flag;
    ngx_tscast_url_t     *url;
    ngx_tscast_scheme_t  *scheme;

    url = &lcf->url;

    err = ngx_tscast_url_parse(url, &lcf->address);

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\": %s", &lcf->address, err);
        return NGX_CONF_ERROR;
    }

    scheme = ngx_tscast_link_scheme(cf->cycle, &url->scheme);

    if (scheme == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown scheme \"%V\" in \"%V\"%s", &url->scheme,
                           &lcf->address,
                           ngx_tscast_link_module_of(&url->scheme));
        return NGX_CONF_ERROR;
    }

    lcf->scheme = scheme;

    flag = lcf->push ? NGX_TSCAST_SCHEME_PUSH : NGX_TSCAST_SCHEME_PULL;

    if (!(scheme->flags & flag)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a %s over %V:// is not possible",
                           lcf->push ? "push" : "pull", &url->scheme);
        return NGX_CONF_ERROR;
    }

    if (url->port == 0) {
        url->port = scheme->port;
    }

    if (url->port == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no port in URL \"%V\"", &lcf->address);
        return NGX_CONF_ERROR;
    }

    if (!(scheme->flags & NGX_TSCAST_SCHEME_PATH)
        && (url->user.len || (url->path.len && url->path.data[0] == '/')))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V:// has no %s: \"%V\"", &url->scheme,
                           url->user.len ? "user" : "path", &lcf->address);
        return NGX_CONF_ERROR;
    }

    addr = ngx_pcalloc(cf->pool, sizeof(ngx_addr_t));
    if (addr == NULL) {
        return NGX_CONF_ERROR;
    }

    switch (ngx_parse_addr(cf->pool, addr, url->host.data, url->host.len)) {

    case NGX_OK:
        ngx_inet_set_port(addr->sockaddr, url->port);
        lcf->addr = addr;
        break;

    case NGX_ERROR:
        return NGX_CONF_ERROR;

    default: /* NGX_DECLINED: a name */

        if (url->ipv6) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address in \"%V\"", &lcf->address);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_tscast_link_variables(cf, lcf);
}


/* $name, of the stream, where the scheme has a path */

static char *
ngx_tscast_link_variables(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    u_char  *p, *last, *end;

    last = lcf->address.data + lcf->address.len;

    for (p = lcf->address.data; p < last; p++) {

        if (*p != '$') {
            continue;
        }

        if (p < lcf->url.path.data
            || !(lcf->scheme->flags & NGX_TSCAST_SCHEME_PATH))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "only a path can have a variable: \"%V\"",
                               &lcf->address);
            return NGX_CONF_ERROR;
        }

        /* as nginx reads the name of a variable */

        end = p + 1;

        while (end < last
               && ((*end >= 'A' && *end <= 'Z')
                   || (*end >= 'a' && *end <= 'z')
                   || (*end >= '0' && *end <= '9')
                   || *end == '_'))
        {
            end++;
        }

        if (end - p != 5 || ngx_strncmp(p, "$name", 5) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "only the variable $name can be used in "
                               "\"%V\"", &lcf->address);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_tscast_scheme_t *
ngx_tscast_link_scheme(ngx_cycle_t *cycle, ngx_str_t *name)
{
    ngx_uint_t            i;
    ngx_tscast_scheme_t  *scheme;

    for (i = 0; cycle->modules[i]; i++) {

        if (cycle->modules[i]->type != NGX_TSCAST_MODULE) {
            continue;
        }

        scheme = cycle->modules[i]->ctx;

        if (scheme->name.len == name->len
            && ngx_strncmp(scheme->name.data, name->data, name->len) == 0)
        {
            return scheme;
        }
    }

    return NULL;
}


static const char *
ngx_tscast_link_module_of(ngx_str_t *scheme)
{
    if (scheme->len == 4 && ngx_strncmp(scheme->data, "rtmp", 4) == 0) {
        return ", it needs ngx_rtmp_tscast_module.so";
    }

    return "";
}


static char *
ngx_tscast_link_params(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    ngx_str_t   *value, query, param;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 3; i < cf->args->nelts; i++) {
        if (ngx_tscast_link_param(cf, lcf, &value[i]) != NGX_OK) {
            param = value[i];
            goto invalid;
        }
    }

    if (!(lcf->scheme->flags & NGX_TSCAST_SCHEME_PATH)) {
        query = lcf->url.query;

        while (ngx_tscast_url_param(&query, &param) == NGX_OK) {

            if (lcf->scheme->param == NULL
                || lcf->scheme->param(cf, lcf, &param) != NGX_OK)
            {
                goto invalid;
            }
        }
    }

    if (lcf->scheme->conf) {
        return lcf->scheme->conf(cf, lcf);
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &param);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_tscast_link_param(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf,
    ngx_str_t *param)
{
    if (ngx_strncmp(param->data, "reconnect=", 10) == 0) {
        return ngx_tscast_link_reconnect(param, &lcf->reconnect,
                                         &lcf->reconnect_max);
    }

    if (ngx_tscast_param_msec(param, "timeout=", &lcf->timeout) == NGX_OK) {
        return lcf->timeout ? NGX_OK : NGX_DECLINED;
    }

    if (lcf->push
        && ngx_tscast_param_msec(param, "flush=", &lcf->flush) == NGX_OK)
    {
        return NGX_OK;
    }

    if (!lcf->push) {

        if (param->len == 9 && ngx_strncmp(param->data, "on_demand", 9) == 0) {
            lcf->on_demand = 1;
            return NGX_OK;
        }

        if (ngx_tscast_param_msec(param, "linger=", &lcf->linger) == NGX_OK) {
            return NGX_OK;
        }

        if (ngx_tscast_param_msec(param, "wait=", &lcf->wait) == NGX_OK) {
            return lcf->wait ? NGX_OK : NGX_DECLINED;
        }
    }

    if (lcf->scheme->param) {
        return lcf->scheme->param(cf, lcf, param);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_tscast_link_reconnect(ngx_str_t *param, ngx_msec_t *min, ngx_msec_t *max)
{
    u_char     *p, *last;
    ngx_int_t   first, longest;
    ngx_str_t   s;

    s.data = param->data + sizeof("reconnect=") - 1;
    last = param->data + param->len;

    for (p = s.data; p < last && *p != '.'; p++) { /* void */ }

    s.len = p - s.data;
    first = ngx_parse_time(&s, 0);
    longest = first;

    if (p < last) {

        if (last - p < 3 || p[1] != '.') {
            return NGX_DECLINED;
        }

        s.data = p + 2;
        s.len = last - s.data;
        longest = ngx_parse_time(&s, 0);
    }

    if (first <= 0 || longest < first) {
        return NGX_DECLINED;
    }

    *min = first;
    *max = longest;

    return NGX_OK;
}


/* what makes a link the same over a reload */

static char *
ngx_tscast_link_text(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (len = 0, i = 2; i < cf->args->nelts; i++) {
        len += value[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->text.data = p;
    lcf->text.len = len - 1;

    for (i = 2; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = ' ';
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_tscast_link_expand(ngx_tscast_link_t *link, ngx_pool_t *pool,
    ngx_str_t *pattern, ngx_str_t *text)
{
    u_char  *p, *pos, *last;
    size_t   len;

    last = pattern->data + pattern->len;

    for (len = pattern->len, pos = pattern->data; pos < last; pos++) {
        len += (*pos == '$') ? link->name.len : 0;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (pos = pattern->data; pos < last; /* void */ ) {

        if (*pos == '$') {
            p = ngx_cpymem(p, link->name.data, link->name.len);
            pos += sizeof("$name") - 1;
            continue;
        }

        *p++ = *pos++;
    }

    text->len = p - text->data;

    return NGX_OK;
}


ngx_uint_t
ngx_tscast_link_match(ngx_tscast_link_conf_t *lcf, ngx_str_t *name)
{
    if (lcf->prefix) {
        return name->len > lcf->pattern.len
               && ngx_strncmp(name->data, lcf->pattern.data, lcf->pattern.len)
                  == 0;
    }

    return name->len == lcf->pattern.len
           && ngx_strncmp(name->data, lcf->pattern.data, name->len) == 0;
}


char *
ngx_tscast_link_check(ngx_cycle_t *cycle, ngx_tscast_link_main_conf_t *lmcf)
{
    ngx_uint_t                i;
    ngx_tscast_link_conf_t  **links;

    links = lmcf->links.elts;

    for (i = 0; i < lmcf->links.nelts; i++) {
        if (ngx_tscast_link_check_one(cycle, links[i], links, i)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_tscast_link_check_rules(cycle, lmcf);
}


/* those that were kept in a file */

static char *
ngx_tscast_link_check_rules(ngx_cycle_t *cycle,
    ngx_tscast_link_main_conf_t *lmcf)
{
    ngx_str_t                why;
    ngx_uint_t               i;
    ngx_tscast_rule_t       *rule;
    ngx_tscast_link_conf_t  *lcf;
    u_char                   buf[NGX_TSCAST_LINK_WHY];

    why.data = buf;

    for (i = 0; /* void */ ; i++) {
        rule = ngx_tscast_rule_configured(cycle, i);

        if (rule == NULL) {
            return NGX_CONF_OK;
        }

        if (rule->id == 0) {
            continue;
        }

        lcf = ngx_tscast_link_lines_parse(cycle, lmcf->links.elts,
                                          lmcf->links.nelts, rule, &why);
        if (lcf == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "link %uL of the state file: %V", rule->id, &why);
            return NGX_CONF_ERROR;
        }

        ngx_destroy_pool(lcf->pool);
    }
}


char *
ngx_tscast_link_check_one(ngx_cycle_t *cycle, ngx_tscast_link_conf_t *lcf,
    ngx_tscast_link_conf_t **others, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (lcf->shm_zone->shm.size == 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "unknown zone in \"%V\"%V", &lcf->stream, &lcf->where);
        return NGX_CONF_ERROR;
    }

    if (!lcf->push && lcf->prefix
        && !(lcf->scheme->flags & NGX_TSCAST_SCHEME_PATH))
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "a pull over %V:// is of one stream%V",
                      &lcf->url.scheme, &lcf->where);
        return NGX_CONF_ERROR;
    }

    if (!lcf->push && lcf->prefix && !lcf->on_demand) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "a pull of many streams needs \"on_demand\"%V",
                      &lcf->where);
        return NGX_CONF_ERROR;
    }

    if (ngx_tscast_link_check_host(cycle, lcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_tscast_link_check_pair(cycle, lcf, others[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_tscast_link_check_host(ngx_cycle_t *cycle, ngx_tscast_link_conf_t *lcf)
{
    ngx_int_t                     rc;
    ngx_tscast_link_main_conf_t  *lmcf;

    lmcf = (ngx_tscast_link_main_conf_t *)
               ngx_get_conf(cycle->conf_ctx, ngx_tscast_link_module);

    if (lcf->scheme->host) {
        rc = lcf->scheme->host(cycle, lcf);

        if (rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "%s of \"%V\" cannot be set up%V",
                          lcf->push ? "push" : "pull", &lcf->address,
                          &lcf->where);
            return NGX_CONF_ERROR;
        }

        lcf->known = (rc == NGX_OK);
    }

    if (lcf->addr == NULL && !lcf->known && lmcf->resolver == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "no resolver in tscast {} for the host name of "
                      "\"%V\"%V", &lcf->address, &lcf->where);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* lcf is the later one */

static char *
ngx_tscast_link_check_pair(ngx_cycle_t *cycle, ngx_tscast_link_conf_t *lcf,
    ngx_tscast_link_conf_t *other)
{
    ngx_tscast_link_conf_t  *push, *pull;

    if (lcf->push == other->push
        && lcf->shm_zone == other->shm_zone
        && lcf->prefix == other->prefix
        && lcf->pattern.len == other->pattern.len
        && ngx_strncmp(lcf->pattern.data, other->pattern.data,
                       lcf->pattern.len)
           == 0
        && lcf->address.len == other->address.len
        && ngx_strncmp(lcf->address.data, other->address.data,
                       lcf->address.len)
           == 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "duplicate %s of \"%V\"%V",
                      lcf->push ? "push" : "pull", &lcf->address,
                      &lcf->where);
        return NGX_CONF_ERROR;
    }

    push = lcf->push ? lcf : other;
    pull = lcf->push ? other : lcf;

    if (push->push && !pull->push
        && ngx_tscast_link_overlap(push, pull)
        && ngx_tscast_link_same_peer(push, pull))
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "push to \"%V\"%V feeds the pull%V, which feeds it",
                      &push->address, &push->where, &pull->where);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_tscast_link_overlap(ngx_tscast_link_conf_t *a, ngx_tscast_link_conf_t *b)
{
    size_t  len;

    if (a->shm_zone != b->shm_zone) {
        return 0;
    }

    len = ngx_min(a->pattern.len, b->pattern.len);

    if (ngx_strncmp(a->pattern.data, b->pattern.data, len) != 0) {
        return 0;
    }

    return (a->prefix || a->pattern.len >= b->pattern.len)
           && (b->prefix || b->pattern.len >= a->pattern.len);
}


/* datagrams that are sent to where datagrams are listened for */

static ngx_uint_t
ngx_tscast_link_same_peer(ngx_tscast_link_conf_t *a, ngx_tscast_link_conf_t *b)
{
    if (!(a->scheme->flags & b->scheme->flags & NGX_TSCAST_SCHEME_DATAGRAM)
        || a->url.port != b->url.port)
    {
        return 0;
    }

    return a->url.host.len == b->url.host.len
           && ngx_strncasecmp(a->url.host.data, b->url.host.data,
                              a->url.host.len)
              == 0;
}
