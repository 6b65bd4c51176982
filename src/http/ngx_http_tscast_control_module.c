
/*
 * Copyright (C) the tscast authors
 */


/*
 * Control of the node: commands as JSON in the body of a POST or DELETE.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast_control.h"


/* bytes of a command at most */
#define NGX_HTTP_TSCAST_CONTROL_BODY   65536

/* of the reason that an answer gives */
#define NGX_HTTP_TSCAST_CONTROL_ERROR  512


static ngx_int_t ngx_http_tscast_control_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_tscast_control_is_json(ngx_http_request_t *r);
static void ngx_http_tscast_control_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_tscast_control_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_tscast_control_send(ngx_http_tscast_control_t *ctl,
    ngx_uint_t status, json_t *json);
static void ngx_http_tscast_control_cleanup(void *data);
static void *ngx_http_tscast_control_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_tscast_control_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_command_t  ngx_http_tscast_control_commands[] = {

    { ngx_string("tscast_control"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_tscast_control_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_tscast_control_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_tscast_control_create_main_conf,
                                           /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_tscast_control_module = {
    NGX_MODULE_V1,
    &ngx_http_tscast_control_module_ctx,   /* module context */
    ngx_http_tscast_control_commands,      /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_tscast_control_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_cleanup_t         *cln;
    ngx_http_tscast_control_t  *ctl;

    ctl = ngx_pcalloc(r->pool, sizeof(ngx_http_tscast_control_t));
    if (ctl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_tscast_control_cleanup;
    cln->data = ctl;

    ctl->request = r;

    ngx_http_set_ctx(r, ctl, ngx_http_tscast_control_module);

    rc = ngx_http_read_client_request_body(r, ngx_http_tscast_control_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_tscast_control_read(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   body;
    ngx_http_tscast_control_t  *ctl;

    ctl = ngx_http_get_module_ctx(r, ngx_http_tscast_control_module);

    if (!(r->method & (NGX_HTTP_POST|NGX_HTTP_DELETE))) {
        (void) ngx_http_tscast_control_refuse(ctl, NGX_HTTP_NOT_ALLOWED,
                                              "neither POST nor DELETE");
        return;
    }

    if (!ngx_http_tscast_control_is_json(r)) {
        (void) ngx_http_tscast_control_refuse(ctl,
                                              NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                              "not application/json");
        return;
    }

    rc = ngx_http_tscast_control_body(r, &body);

    if (rc == NGX_OK) {
        rc = ngx_http_tscast_control_command(ctl, &body);

    } else if (rc == NGX_DECLINED) {
        rc = ngx_http_tscast_control_refuse(ctl, NGX_HTTP_BAD_REQUEST,
                                            "more than %d bytes",
                                            NGX_HTTP_TSCAST_CONTROL_BODY);
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


/* what a form of another site can send is none */

static ngx_uint_t
ngx_http_tscast_control_is_json(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;
    len = sizeof("application/json") - 1;

    return type->len >= len
           && ngx_strncasecmp(type->data, (u_char *) "application/json", len)
              == 0
           && (type->len == len || type->data[len] == ';'
               || type->data[len] == ' ');
}


/* NGX_OK, NGX_DECLINED when it is too large, or a status */

static ngx_int_t
ngx_http_tscast_control_body(ngx_http_request_t *r, ngx_str_t *body)
{
    u_char       *p;
    off_t         size;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *bufs, *cl;

    size = 0;
    bufs = r->request_body ? r->request_body->bufs : NULL;

    for (cl = bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > NGX_HTTP_TSCAST_CONTROL_BODY) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;
    body->len = size;

    for (cl = bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!b->in_file) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        size = ngx_buf_size(b);
        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n != size) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tscast_control_refuse(ngx_http_tscast_control_t *ctl,
    ngx_uint_t status, const char *fmt, ...)
{
    u_char   *last;
    size_t    len;
    json_t   *json;
    va_list   args;
    u_char    text[NGX_HTTP_TSCAST_CONTROL_ERROR];

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    len = last - text;

    ngx_log_error(NGX_LOG_INFO, ctl->request->connection->log, 0,
                  "control: %*s", len, text);

    json = json_pack("{s:s%}", "error", text, len);

    return ngx_http_tscast_control_answer(ctl, status, json);
}


ngx_int_t
ngx_http_tscast_control_answer(ngx_http_tscast_control_t *ctl,
    ngx_uint_t status, json_t *json)
{
    ngx_int_t  rc;

    rc = ngx_http_tscast_control_send(ctl, status, json);

    json_decref(json);

    ngx_http_finalize_request(ctl->request, rc);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_tscast_control_send(ngx_http_tscast_control_t *ctl,
    ngx_uint_t status, json_t *json)
{
    char                      *text;
    size_t                     len;
    ngx_str_t                  type;
    ngx_table_elt_t           *h;
    ngx_http_request_t        *r;
    ngx_http_complex_value_t   cv;

    r = ctl->request;

    if (status == NGX_HTTP_NOT_ALLOWED) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->hash = 1;
        ngx_str_set(&h->key, "Allow");
        ngx_str_set(&h->value, "POST, DELETE");
        ngx_tscast_header_next(h);
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    ngx_str_set(&type, "application/json");

    if (status == NGX_HTTP_NO_CONTENT) {
        return ngx_http_send_response(r, status, NULL, &cv);
    }

    text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_strlen(text);

    cv.value.len = len + 1;
    cv.value.data = ngx_pnalloc(r->pool, len + 1);

    if (cv.value.data) {
        *ngx_cpymem(cv.value.data, text, len) = '\n';
    }

    free(text);

    if (cv.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_send_response(r, status, &type, &cv);
}


static void
ngx_http_tscast_control_cleanup(void *data)
{
    ngx_http_tscast_control_t *ctl = data;

    ngx_tscast_mail_close(&ctl->question);
}


static void *
ngx_http_tscast_control_create_main_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     cmcf->state = { 0, NULL };
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_tscast_control_main_conf_t));
}


static char *
ngx_http_tscast_control_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_tscast_control_main_conf_t *cmcf = conf;

    ngx_str_t                 *value, file;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_tscast_control_handler) {
        return "is duplicate";
    }

    clcf->handler = ngx_http_tscast_control_handler;

    if (cf->args->nelts == 1) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    if (ngx_tscast_param_string(&value[1], "state=", &file) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &file, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cmcf->state.len == 0) {
        cmcf->state = file;

        return ngx_http_tscast_control_state_load(cf, &file);
    }

    if (cmcf->state.len != file.len
        || ngx_strncmp(cmcf->state.data, file.data, file.len) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there is another state file, \"%V\"",
                           &cmcf->state);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
