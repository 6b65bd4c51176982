
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
    ngx_http_request_t        *request;
    ngx_tscast_question_t      question;
} ngx_http_tscast_control_t;


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


#endif /* _NGX_HTTP_TSCAST_CONTROL_H_INCLUDED_ */
