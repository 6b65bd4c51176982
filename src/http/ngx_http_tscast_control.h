
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_HTTP_TSCAST_CONTROL_H_INCLUDED_
#define _NGX_HTTP_TSCAST_CONTROL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jansson.h>

#include "ngx_tscast.h"
#include "ngx_tscast_report.h"
#include "ngx_tscast_control.h"


typedef struct {
    ngx_str_t                  state;         /* a file, or empty */
} ngx_http_tscast_control_main_conf_t;


typedef struct {
    ngx_http_request_t        *request;
    ngx_tscast_question_t      question;
} ngx_http_tscast_control_t;


extern ngx_module_t  ngx_http_tscast_control_module;


/*
 * Does what the body says.  Returns NGX_DONE when it has answered, or will, or
 * a status.
 */
ngx_int_t ngx_http_tscast_control_command(ngx_http_tscast_control_t *ctl,
    ngx_str_t *body);

/*
 * Answers with this JSON, which it frees, or with an empty body where json is
 * NULL.  Returns NGX_DONE: the request is finalized.
 */
ngx_int_t ngx_http_tscast_control_answer(ngx_http_tscast_control_t *ctl,
    ngx_uint_t status, json_t *json);

/* the same with {"error": text}, which is logged as well */
ngx_int_t ngx_http_tscast_control_refuse(ngx_http_tscast_control_t *ctl,
    ngx_uint_t status, const char *fmt, ...);

/* the same for what jansson says */
ngx_int_t ngx_http_tscast_control_invalid(ngx_http_tscast_control_t *ctl,
    json_error_t *error);

/* what is behind "link"; they return as ngx_http_tscast_control_command() */
ngx_int_t ngx_http_tscast_control_link_set(ngx_http_tscast_control_t *ctl,
    json_t *json);
ngx_int_t ngx_http_tscast_control_link_remove(ngx_http_tscast_control_t *ctl,
    json_t *json);

/*
 * Makes the words of a rule of an object; what it does not say is as it is in
 * rule->words.  Returns NGX_OK, or NGX_DECLINED with error.
 */
ngx_int_t ngx_http_tscast_control_rule(ngx_pool_t *pool, json_t *json,
    ngx_tscast_rule_t *rule, json_error_t *error);

/* the reverse; NULL: there is no memory */
json_t *ngx_http_tscast_control_rule_json(ngx_tscast_rule_t *rule);

/* while the configuration is read */
char *ngx_http_tscast_control_state_load(ngx_conf_t *cf, ngx_str_t *file);

/* NGX_OK, also when no file is named, or NGX_ERROR after logging why */
ngx_int_t ngx_http_tscast_control_state_save(ngx_http_request_t *r);


#endif /* _NGX_HTTP_TSCAST_CONTROL_H_INCLUDED_ */
