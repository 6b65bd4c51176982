
/*
 * Copyright (C) the tscast authors
 */


/*
 * The file of state=: the links that were made at run time.  It is read with
 * the configuration, for a zone that is new, and written after each change by
 * the worker that has made it: beside its place, and then moved there, unless
 * another worker has put newer ones there meanwhile.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast_control.h"


#define NGX_HTTP_TSCAST_CONTROL_STATE  (16 * 1024 * 1024)


static ngx_int_t ngx_http_tscast_control_state_text(ngx_conf_t *cf,
    ngx_str_t *file, ngx_str_t *text);
static char *ngx_http_tscast_control_state_links(ngx_conf_t *cf,
    ngx_str_t *file, json_t *links);
static char *ngx_http_tscast_control_state_dump(ngx_pool_t *pool);
static ngx_int_t ngx_http_tscast_control_state_write(u_char *name,
    char *text, ngx_log_t *log);


char *
ngx_http_tscast_control_state_load(ngx_conf_t *cf, ngx_str_t *file)
{
    char          *rv;
    json_t        *json, *links;
    ngx_int_t      rc;
    ngx_str_t      text;
    json_error_t   error;

    rc = ngx_http_tscast_control_state_text(cf, file, &text);

    if (rc == NGX_DECLINED) {
        /* nothing was kept yet */
        return NGX_CONF_OK;
    }

    if (rc != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    json = json_loadb((char *) text.data, text.len, JSON_REJECT_DUPLICATES,
                      &error);

    if (json == NULL
        || json_unpack_ex(json, &error, JSON_STRICT, "{s:o}", "links", &links)
           != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no file of links: %s", file, error.text);
        json_decref(json);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_tscast_control_state_links(cf, file, links);

    json_decref(json);

    return rv;
}


/* NGX_DECLINED: there is no such file */

static ngx_int_t
ngx_http_tscast_control_state_text(ngx_conf_t *cf, ngx_str_t *file,
    ngx_str_t *text)
{
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_err_t   err;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        err = ngx_errno;

        if (err == NGX_ENOENT) {
            return NGX_DECLINED;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_ERROR;
    }

    text->len = 0;
    text->data = ngx_pnalloc(cf->temp_pool, NGX_HTTP_TSCAST_CONTROL_STATE);

    n = -1;

    while (text->data && text->len < NGX_HTTP_TSCAST_CONTROL_STATE) {

        n = ngx_read_fd(fd, text->data + text->len,
                        NGX_HTTP_TSCAST_CONTROL_STATE - text->len);
        if (n <= 0) {
            break;
        }

        text->len += n;
    }

    if (n != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == -1) ? ngx_errno : 0,
                           ngx_read_fd_n " \"%V\" failed", file);
    }

    (void) ngx_close_file(fd);

    return (n == 0) ? NGX_OK : NGX_ERROR;
}


static char *
ngx_http_tscast_control_state_links(ngx_conf_t *cf, ngx_str_t *file,
    json_t *links)
{
    size_t              i;
    json_t             *json;
    json_int_t          id;
    json_error_t        error;
    ngx_tscast_rule_t   rule;

    if (!json_is_array(links)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no file of links: \"links\" is not an "
                           "array", file);
        return NGX_CONF_ERROR;
    }

    json_array_foreach(links, i, json) {

        ngx_memzero(&rule, sizeof(ngx_tscast_rule_t));

        if (json_unpack_ex(json, &error, 0, "{s:I}", "id", &id) != 0
            || ngx_http_tscast_control_rule(cf->pool, json, &rule, &error)
               != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "link %uz in \"%V\": %s", i + 1, file,
                               error.text);
            return NGX_CONF_ERROR;
        }

        if (id <= 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "link %uz in \"%V\" has no id", i + 1, file);
            return NGX_CONF_ERROR;
        }

        rule.id = id;
        rule.version = id;

        if (ngx_tscast_rule_configure(cf->cycle, &rule) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_tscast_control_state_save(ngx_http_request_t *r)
{
    char                                *text;
    u_char                              *name;
    uint64_t                             version;
    ngx_int_t                            rc;
    ngx_log_t                           *log;
    ngx_http_tscast_control_main_conf_t  *cmcf;

    log = r->connection->log;
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_tscast_control_module);

    if (cmcf->state.len == 0) {
        return NGX_OK;
    }

    name = ngx_pnalloc(r->pool, cmcf->state.len + 1 + NGX_INT64_LEN + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(name, "%V.%P%Z", &cmcf->state, ngx_pid);

    /* it is at least of this version */

    version = ngx_tscast_rule_version();
    text = ngx_http_tscast_control_state_dump(r->pool);

    rc = text ? ngx_http_tscast_control_state_write(name, text, log)
              : NGX_ERROR;

    free(text);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_tscast_rule_keep(version, name, cmcf->state.data);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_rename_file_n " \"%s\" to \"%V\" failed", name,
                      &cmcf->state);
    }

    (void) ngx_delete_file(name);

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}


/* to be freed by free() */

static char *
ngx_http_tscast_control_state_dump(ngx_pool_t *pool)
{
    char               *text;
    json_t             *links, *json;
    ngx_tscast_rule_t   rule;

    links = json_array();
    rule.id = 0;

    while (ngx_tscast_rule_next(pool, &rule) == NGX_OK) {
        json_array_append_new(links, ngx_http_tscast_control_rule_json(&rule));
    }

    json = json_pack("{s:o}", "links", links);
    text = json ? json_dumps(json, JSON_INDENT(4)) : NULL;

    json_decref(json);

    return text;
}


/* a command is rare: what it has done is to outlast a loss of power */

static ngx_int_t
ngx_http_tscast_control_state_write(u_char *name, char *text, ngx_log_t *log)
{
    size_t     len;
    ngx_fd_t   fd;
    ngx_int_t  rc;

    fd = ngx_open_file(name, NGX_FILE_WRONLY, NGX_FILE_TRUNCATE, 0600);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_open_file_n " \"%s\" failed", name);
        return NGX_ERROR;
    }

    len = ngx_strlen(text);

    rc = NGX_OK;

    if (ngx_write_fd(fd, text, len) != (ssize_t) len || fsync(fd) == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_write_fd_n " \"%s\" failed", name);

        (void) ngx_delete_file(name);

        rc = NGX_ERROR;
    }

    (void) ngx_close_file(fd);

    return rc;
}
