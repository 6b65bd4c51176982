
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_LINK_HTTP_PARSE_H_INCLUDED_
#define _NGX_TSCAST_LINK_HTTP_PARSE_H_INCLUDED_


/*
 * Answers of an HTTP/1.x server, RFC 9112: pure functions over bytes of any
 * split, with bounded memory and without a limit to the body.
 */


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes of a head with all its interim answers, and of all trailers */
#define NGX_TSCAST_LINK_HTTP_HEAD   32768

/* bytes of a value that is kept */
#define NGX_TSCAST_LINK_HTTP_VALUE  2048

/* and of a name that is looked at */
#define NGX_TSCAST_LINK_HTTP_NAME   32


typedef struct {
    ngx_str_t                      name;     /* in lower case */
    ngx_uint_t                     seen;
    size_t                         len;
    u_char                         data[NGX_TSCAST_LINK_HTTP_VALUE];
} ngx_tscast_link_http_header_t;


typedef enum {
    NGX_TSCAST_LINK_HTTP_LENGTH = 0,
    NGX_TSCAST_LINK_HTTP_ENCODING,
    NGX_TSCAST_LINK_HTTP_LOCATION,
    NGX_TSCAST_LINK_HTTP_TYPE,
    NGX_TSCAST_LINK_HTTP_VIA,
    NGX_TSCAST_LINK_HTTP_HEADERS
} ngx_tscast_link_http_header_e;


typedef struct {
    ngx_uint_t                     status;
    const char                    *error;    /* what is wrong with it */

    ngx_tscast_link_http_header_t  headers[NGX_TSCAST_LINK_HTTP_HEADERS];

    unsigned                       chunked:1;
    unsigned                       closed:1; /* ends with the connection */
    unsigned                       done:1;   /* all of the body was seen */

    /* the parser's own */

    ngx_uint_t                     state;
    size_t                         size;     /* of the head, or trailers */
    off_t                          rest;     /* of the body, or a chunk */
    ngx_uint_t                     digits;
    ngx_tscast_link_http_header_t  *header;  /* whose value is read */
    size_t                         name_len;
    u_char                         name[NGX_TSCAST_LINK_HTTP_NAME];
} ngx_tscast_link_http_parse_t;


void ngx_tscast_link_http_parse_init(ngx_tscast_link_http_parse_t *h);

/*
 * The head, of interim answers as well: the caller goes on after a status
 * below 200.  Returns NGX_OK when it is complete, NGX_AGAIN, or NGX_ERROR with
 * h->error set.  Moves *pos.
 */
ngx_int_t ngx_tscast_link_http_parse_head(ngx_tscast_link_http_parse_t *h,
    u_char **pos, u_char *last);

/*
 * The next bytes of the body: their number, with *data at them; 0 when there
 * are none up to last, or h->done or h->error is set.  Moves *pos.
 */
size_t ngx_tscast_link_http_parse_body(ngx_tscast_link_http_parse_t *h,
    u_char **pos, u_char *last, u_char **data);


#endif /* _NGX_TSCAST_LINK_HTTP_PARSE_H_INCLUDED_ */
