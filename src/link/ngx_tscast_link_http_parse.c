
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast_link_http_parse.h"


/* digits of a length, of any base: no off_t overflows */
#define NGX_TSCAST_LINK_HTTP_DIGITS  15


typedef enum {
    sw_version = 0,
    sw_minor,
    sw_status_space,
    sw_status,
    sw_reason,
    sw_line,
    sw_line_lf,
    sw_name,
    sw_before_value,
    sw_value,
    sw_end,

    sw_body,
    sw_chunk_size,
    sw_chunk_ext,
    sw_chunk_data,
    sw_chunk_cr,
    sw_chunk_lf,
    sw_trailer,
    sw_trailer_line,
    sw_trailer_lf
} ngx_tscast_link_http_state_e;


static ngx_int_t ngx_tscast_link_http_byte(ngx_tscast_link_http_parse_t *h,
    u_char ch);
static ngx_int_t ngx_tscast_link_http_status(ngx_tscast_link_http_parse_t *h,
    u_char ch);
static ngx_int_t ngx_tscast_link_http_line(ngx_tscast_link_http_parse_t *h,
    u_char ch);
static ngx_int_t ngx_tscast_link_http_name(ngx_tscast_link_http_parse_t *h,
    u_char ch);
static ngx_int_t ngx_tscast_link_http_value(ngx_tscast_link_http_parse_t *h,
    u_char ch);
static void ngx_tscast_link_http_value_end(ngx_tscast_link_http_parse_t *h);
static ngx_int_t ngx_tscast_link_http_framing(
    ngx_tscast_link_http_parse_t *h);
static ngx_int_t ngx_tscast_link_http_length(ngx_tscast_link_http_parse_t *h);
static ngx_int_t ngx_tscast_link_http_chunk(ngx_tscast_link_http_parse_t *h,
    u_char ch);
static ngx_int_t ngx_tscast_link_http_size(ngx_tscast_link_http_parse_t *h,
    u_char ch);
static ngx_int_t ngx_tscast_link_http_error(ngx_tscast_link_http_parse_t *h,
    const char *error);


static ngx_str_t  ngx_tscast_link_http_names[] = {
    ngx_string("content-length"),
    ngx_string("transfer-encoding"),
    ngx_string("location"),
    ngx_string("content-type"),
    ngx_string("tscast-via")
};


void
ngx_tscast_link_http_parse_init(ngx_tscast_link_http_parse_t *h)
{
    ngx_uint_t  i;

    ngx_memzero(h, sizeof(ngx_tscast_link_http_parse_t));

    for (i = 0; i < NGX_TSCAST_LINK_HTTP_HEADERS; i++) {
        h->headers[i].name = ngx_tscast_link_http_names[i];
    }
}


ngx_int_t
ngx_tscast_link_http_parse_head(ngx_tscast_link_http_parse_t *h,
    u_char **pos, u_char *last)
{
    size_t     size;
    u_char    *p;
    ngx_int_t  rc;

    if (h->error) {
        return NGX_ERROR;
    }

    if (h->state == sw_body) {
        /* after an interim answer */

        size = h->size;
        ngx_tscast_link_http_parse_init(h);
        h->size = size;
    }

    for (p = *pos; p < last; /* void */ ) {

        if (++h->size > NGX_TSCAST_LINK_HTTP_HEAD) {
            *pos = p;
            return ngx_tscast_link_http_error(h, "its header has no end");
        }

        rc = ngx_tscast_link_http_byte(h, *p++);

        if (rc != NGX_AGAIN) {
            *pos = p;
            return rc;
        }
    }

    *pos = p;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_tscast_link_http_byte(ngx_tscast_link_http_parse_t *h, u_char ch)
{
    if (ch == '\0') {
        return ngx_tscast_link_http_error(h, "its header is binary");
    }

    switch (h->state) {

    case sw_version:
    case sw_minor:
    case sw_status_space:
    case sw_status:
    case sw_reason:
        return ngx_tscast_link_http_status(h, ch);

    case sw_line:
    case sw_line_lf:
    case sw_end:
        return ngx_tscast_link_http_line(h, ch);

    case sw_name:
        return ngx_tscast_link_http_name(h, ch);

    default: /* sw_before_value, sw_value */
        return ngx_tscast_link_http_value(h, ch);
    }
}


/* RFC 9112, 4: "HTTP/1.1 200 OK", the reason may be missing */

static ngx_int_t
ngx_tscast_link_http_status(ngx_tscast_link_http_parse_t *h, u_char ch)
{
    static const u_char  version[] = "HTTP/1.";

    switch (h->state) {

    case sw_version:

        if (ch != version[h->digits++]) {
            return ngx_tscast_link_http_error(h, "it does not speak HTTP/1.x");
        }

        if (h->digits == sizeof(version) - 1) {
            h->digits = 0;
            h->state = sw_minor;
        }

        return NGX_AGAIN;

    case sw_minor:

        if (ch < '0' || ch > '9') {
            break;
        }

        h->state = sw_status_space;

        return NGX_AGAIN;

    case sw_status_space:

        if (ch != ' ') {
            break;
        }

        h->state = sw_status;

        return NGX_AGAIN;

    case sw_status:

        if (ch >= '0' && ch <= '9' && h->digits < 3) {
            h->status = h->status * 10 + (ch - '0');
            h->digits++;
            return NGX_AGAIN;
        }

        if (h->digits < 3 || h->status < 100
            || (ch != ' ' && ch != CR && ch != LF))
        {
            break;
        }

        h->state = (ch == LF) ? sw_line : sw_reason;

        return NGX_AGAIN;

    default: /* sw_reason */

        if (ch == LF) {
            h->state = sw_line;
        }

        return NGX_AGAIN;
    }

    return ngx_tscast_link_http_error(h, "its status line is invalid");
}


/* at the begin of a line, or at its end */

static ngx_int_t
ngx_tscast_link_http_line(ngx_tscast_link_http_parse_t *h, u_char ch)
{
    if (h->state == sw_line_lf) {

        if (ch != LF) {
            return ngx_tscast_link_http_error(h, "its header is invalid");
        }

        h->state = sw_line;

        return NGX_AGAIN;
    }

    if (ch == LF) {
        return ngx_tscast_link_http_framing(h);
    }

    if (ch == CR && h->state == sw_line) {
        h->state = sw_end;
        return NGX_AGAIN;
    }

    if (h->state == sw_end) {
        return ngx_tscast_link_http_error(h, "its header is invalid");
    }

    h->state = sw_name;
    h->name_len = 0;

    return ngx_tscast_link_http_name(h, ch);
}


static ngx_int_t
ngx_tscast_link_http_name(ngx_tscast_link_http_parse_t *h, u_char ch)
{
    ngx_uint_t                      i;
    ngx_tscast_link_http_header_t  *header;

    if (ch <= ' ' || ch >= 0x7f) {
        /* lines that are folded as well: RFC 9112, 5.2 */
        return ngx_tscast_link_http_error(h, "its header is invalid");
    }

    if (ch != ':') {

        if (h->name_len < NGX_TSCAST_LINK_HTTP_NAME) {
            h->name[h->name_len] = ngx_tolower(ch);
        }

        h->name_len++;

        return NGX_AGAIN;
    }

    if (h->name_len == 0) {
        return ngx_tscast_link_http_error(h, "its header is invalid");
    }

    h->state = sw_before_value;
    h->header = NULL;

    for (i = 0; i < NGX_TSCAST_LINK_HTTP_HEADERS; i++) {
        header = &h->headers[i];

        if (h->name_len != header->name.len
            || ngx_memcmp(h->name, header->name.data, h->name_len) != 0)
        {
            continue;
        }

        if (header->seen++) {
            return ngx_tscast_link_http_error(h, "its header is ambiguous");
        }

        h->header = header;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_tscast_link_http_value(ngx_tscast_link_http_parse_t *h, u_char ch)
{
    if (ch == LF || ch == CR) {
        ngx_tscast_link_http_value_end(h);

        h->state = (ch == LF) ? sw_line : sw_line_lf;

        return NGX_AGAIN;
    }

    if (h->state == sw_before_value) {

        if (ch == ' ' || ch == '\t') {
            return NGX_AGAIN;
        }

        h->state = sw_value;
    }

    if (h->header == NULL) {
        return NGX_AGAIN;
    }

    if (ch < ' ' && ch != '\t') {
        return ngx_tscast_link_http_error(h, "its header is invalid");
    }

    if (h->header->len == NGX_TSCAST_LINK_HTTP_VALUE) {
        return ngx_tscast_link_http_error(h, "its header has no end");
    }

    h->header->data[h->header->len++] = ch;

    return NGX_AGAIN;
}


static void
ngx_tscast_link_http_value_end(ngx_tscast_link_http_parse_t *h)
{
    ngx_tscast_link_http_header_t  *header;

    header = h->header;

    if (header == NULL) {
        return;
    }

    while (header->len && (header->data[header->len - 1] == ' '
                           || header->data[header->len - 1] == '\t'))
    {
        header->len--;
    }
}


/* what the length of the body is: RFC 9112, 6.3 */

static ngx_int_t
ngx_tscast_link_http_framing(ngx_tscast_link_http_parse_t *h)
{
    size_t                          i;
    ngx_tscast_link_http_header_t  *encoding;

    h->state = sw_body;

    if (h->status < 200) {
        return NGX_OK;
    }

    h->size = 0;

    if (h->status == 204 || h->status == 304) {
        h->done = 1;
        return NGX_OK;
    }

    encoding = &h->headers[NGX_TSCAST_LINK_HTTP_ENCODING];

    if (encoding->seen) {

        for (i = 0; i < encoding->len; i++) {
            encoding->data[i] = ngx_tolower(encoding->data[i]);
        }

        if (encoding->len != sizeof("chunked") - 1
            || ngx_memcmp(encoding->data, "chunked", encoding->len) != 0)
        {
            return ngx_tscast_link_http_error(h, "its encoding is not known");
        }

        h->chunked = 1;
        h->digits = 0;
        h->state = sw_chunk_size;

        return NGX_OK;
    }

    if (h->headers[NGX_TSCAST_LINK_HTTP_LENGTH].seen) {
        return ngx_tscast_link_http_length(h);
    }

    h->closed = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_tscast_link_http_length(ngx_tscast_link_http_parse_t *h)
{
    size_t                          i;
    u_char                          ch;
    ngx_tscast_link_http_header_t  *length;

    length = &h->headers[NGX_TSCAST_LINK_HTTP_LENGTH];

    if (length->len == 0 || length->len > NGX_TSCAST_LINK_HTTP_DIGITS) {
        return ngx_tscast_link_http_error(h, "its length is invalid");
    }

    for (i = 0; i < length->len; i++) {
        ch = length->data[i];

        if (ch < '0' || ch > '9') {
            return ngx_tscast_link_http_error(h, "its length is invalid");
        }

        h->rest = h->rest * 10 + (ch - '0');
    }

    h->done = (h->rest == 0);

    return NGX_OK;
}


size_t
ngx_tscast_link_http_parse_body(ngx_tscast_link_http_parse_t *h,
    u_char **pos, u_char *last, u_char **data)
{
    size_t   n;
    u_char  *p;

    p = *pos;
    n = 0;

    while (p < last && n == 0 && !h->done && h->error == NULL) {

        if (h->state != sw_body && h->state != sw_chunk_data) {
            (void) ngx_tscast_link_http_chunk(h, *p++);
            continue;
        }

        *data = p;
        n = last - p;

        if (!h->closed) {
            n = ngx_min((off_t) n, h->rest);
            h->rest -= n;

            if (h->rest == 0) {
                h->done = !h->chunked;
                h->state = h->chunked ? sw_chunk_cr : sw_body;
            }
        }

        p += n;
    }

    *pos = p;

    return n;
}


/* RFC 9112, 7.1, all but the data */

static ngx_int_t
ngx_tscast_link_http_chunk(ngx_tscast_link_http_parse_t *h, u_char ch)
{
    switch (h->state) {

    case sw_chunk_size:
    case sw_chunk_ext:
        return ngx_tscast_link_http_size(h, ch);

    case sw_chunk_cr:

        if (ch == CR) {
            h->state = sw_chunk_lf;
            return NGX_OK;
        }

        /* fall through */

    case sw_chunk_lf:

        if (ch != LF) {
            break;
        }

        h->digits = 0;
        h->size = 0;
        h->state = sw_chunk_size;

        return NGX_OK;

    case sw_trailer_lf:

        if (ch != LF) {
            break;
        }

        /* fall through */

    case sw_trailer:

        if (ch == CR) {
            h->state = sw_trailer_lf;
            return NGX_OK;
        }

        if (ch == LF) {
            h->done = 1;
            return NGX_OK;
        }

        h->state = sw_trailer_line;

        /* fall through */

    default: /* sw_trailer_line */

        if (++h->size > NGX_TSCAST_LINK_HTTP_HEAD) {
            return ngx_tscast_link_http_error(h, "its trailer has no end");
        }

        if (ch == LF) {
            h->state = sw_trailer;
        }

        return NGX_OK;
    }

    return ngx_tscast_link_http_error(h, "its chunks are invalid");
}


static ngx_int_t
ngx_tscast_link_http_size(ngx_tscast_link_http_parse_t *h, u_char ch)
{
    u_char      c;
    ngx_uint_t  digit;

    if (h->state == sw_chunk_size) {
        c = (u_char) (ch | 0x20);

        digit = (ch >= '0' && ch <= '9') ? (ngx_uint_t) (ch - '0')
                : (c >= 'a' && c <= 'f') ? (ngx_uint_t) (c - 'a' + 10) : 16;

        if (digit < 16) {

            if (h->digits++ == NGX_TSCAST_LINK_HTTP_DIGITS) {
                goto invalid;
            }

            h->rest = h->rest * 16 + digit;

            return NGX_OK;
        }

        if (h->digits == 0
            || (ch != ';' && ch != ' ' && ch != '\t' && ch != CR && ch != LF))
        {
            goto invalid;
        }

        h->state = sw_chunk_ext;
    }

    if (++h->size > NGX_TSCAST_LINK_HTTP_VALUE) {
        goto invalid;
    }

    if (ch == LF) {
        h->size = 0;
        h->state = h->rest ? sw_chunk_data : sw_trailer;
    }

    return NGX_OK;

invalid:

    return ngx_tscast_link_http_error(h, "its chunks are invalid");
}


static ngx_int_t
ngx_tscast_link_http_error(ngx_tscast_link_http_parse_t *h, const char *error)
{
    h->error = error;

    return NGX_ERROR;
}
