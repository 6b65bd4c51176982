
/*
 * Copyright (C) the tscast authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_tscast_ws_frame.h"


enum {
    sw_start = 0,
    sw_length,
    sw_extended,
    sw_mask,
    sw_payload
};


static ngx_int_t ngx_http_tscast_ws_first(ngx_http_tscast_ws_t *ws,
    u_char ch);
static ngx_int_t ngx_http_tscast_ws_length(ngx_http_tscast_ws_t *ws,
    u_char ch);
static ngx_int_t ngx_http_tscast_ws_extended(ngx_http_tscast_ws_t *ws,
    u_char ch);
static ngx_int_t ngx_http_tscast_ws_check(ngx_http_tscast_ws_t *ws);
static ngx_int_t ngx_http_tscast_ws_payload(ngx_http_tscast_ws_t *ws,
    u_char *p, size_t n);
static ngx_int_t ngx_http_tscast_ws_end(ngx_http_tscast_ws_t *ws);
static ngx_int_t ngx_http_tscast_ws_utf8(ngx_http_tscast_ws_t *ws, u_char ch);
static ngx_int_t ngx_http_tscast_ws_fail(ngx_http_tscast_ws_t *ws,
    ngx_uint_t code);


void
ngx_http_tscast_ws_init(ngx_http_tscast_ws_t *ws)
{
    ngx_memzero(ws, sizeof(ngx_http_tscast_ws_t));
}


ngx_int_t
ngx_http_tscast_ws_parse(ngx_http_tscast_ws_t *ws, u_char **pos, u_char *last)
{
    size_t      n;
    u_char     *p;
    ngx_int_t   rc;

    rc = NGX_AGAIN;

    for (p = *pos; p < last && rc == NGX_AGAIN; /* void */ ) {

        switch (ws->state) {

        case sw_start:
            rc = ngx_http_tscast_ws_first(ws, *p++);
            break;

        case sw_length:
            rc = ngx_http_tscast_ws_length(ws, *p++);
            break;

        case sw_extended:
            rc = ngx_http_tscast_ws_extended(ws, *p++);
            break;

        case sw_mask:
            ws->mask[ws->nmask++] = *p++;

            if (ws->nmask == 4) {
                ws->state = sw_payload;

                if (ws->rest == 0) {
                    rc = ngx_http_tscast_ws_end(ws);
                }
            }

            break;

        case sw_payload:
            n = (size_t) ngx_min(ws->rest, (uint64_t) (last - p));

            rc = ngx_http_tscast_ws_payload(ws, p, n);

            p += n;
            break;
        }
    }

    *pos = p;

    return rc;
}


/* FIN, RSV and opcode: RFC 6455, 5.2, 5.4, 5.5 */

static ngx_int_t
ngx_http_tscast_ws_first(ngx_http_tscast_ws_t *ws, u_char ch)
{
    ws->fin = ch >> 7;
    ws->opcode = ch & 0x0f;

    if (ch & 0x70) {
        return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
    }

    switch (ws->opcode) {

    case 0:
        if (ws->message == 0) {
            return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
        }

        break;

    case NGX_HTTP_TSCAST_WS_TEXT:
    case NGX_HTTP_TSCAST_WS_BINARY:
        if (ws->message) {
            return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
        }

        ws->message = ws->opcode;
        ws->size = 0;
        ws->utf8_need = 0;
        break;

    case NGX_HTTP_TSCAST_WS_CLOSE:
    case NGX_HTTP_TSCAST_WS_PING:
    case NGX_HTTP_TSCAST_WS_PONG:
        if (!ws->fin) {
            return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
        }

        break;

    default:
        return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
    }

    ws->len = 0;
    ws->nmask = 0;
    ws->state = sw_length;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_tscast_ws_length(ngx_http_tscast_ws_t *ws, u_char ch)
{
    /* a client masks all its frames: RFC 6455, 5.1 */

    if (!(ch & 0x80)) {
        return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
    }

    ch &= 0x7f;

    if (ws->opcode >= NGX_HTTP_TSCAST_WS_CLOSE
        && ch > NGX_HTTP_TSCAST_WS_CONTROL)
    {
        return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
    }

    if (ch >= 126) {
        ws->length = 0;
        ws->need = (ch == 126) ? 2 : 8;
        ws->nmask = ws->need;
        ws->state = sw_extended;

        return NGX_AGAIN;
    }

    ws->length = ch;

    return ngx_http_tscast_ws_check(ws);
}


static ngx_int_t
ngx_http_tscast_ws_extended(ngx_http_tscast_ws_t *ws, u_char ch)
{
    ws->length = (ws->length << 8) | ch;

    if (--ws->nmask) {
        return NGX_AGAIN;
    }

    /* the most significant bit is 0, the encoding minimal: RFC 6455, 5.2 */

    if ((ws->need == 2 && ws->length < 126)
        || (ws->need == 8 && (ws->length < 65536 || ws->length >> 63)))
    {
        return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_PROTOCOL);
    }

    return ngx_http_tscast_ws_check(ws);
}


static ngx_int_t
ngx_http_tscast_ws_check(ngx_http_tscast_ws_t *ws)
{
    if (ws->opcode < NGX_HTTP_TSCAST_WS_CLOSE) {

        if (ws->length > NGX_HTTP_TSCAST_WS_MESSAGE - ws->size) {
            return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_TOO_BIG);
        }

        ws->size += ws->length;
    }

    ws->rest = ws->length;
    ws->state = sw_mask;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_tscast_ws_payload(ngx_http_tscast_ws_t *ws, u_char *p, size_t n)
{
    u_char   ch;
    size_t   i;

    for (i = 0; i < n; i++) {
        ch = p[i] ^ ws->mask[(ws->length - ws->rest + i) & 3];

        if (ws->opcode >= NGX_HTTP_TSCAST_WS_CLOSE) {
            ws->payload[ws->len++] = ch;
            continue;
        }

        if (ws->message == NGX_HTTP_TSCAST_WS_TEXT
            && ngx_http_tscast_ws_utf8(ws, ch) != NGX_OK)
        {
            return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_UTF8);
        }
    }

    ws->rest -= n;

    if (ws->rest == 0) {
        return ngx_http_tscast_ws_end(ws);
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_tscast_ws_end(ngx_http_tscast_ws_t *ws)
{
    ws->state = sw_start;

    if (ws->opcode >= NGX_HTTP_TSCAST_WS_CLOSE) {
        return NGX_OK;
    }

    if (ws->fin) {

        if (ws->message == NGX_HTTP_TSCAST_WS_TEXT && ws->utf8_need) {
            return ngx_http_tscast_ws_fail(ws, NGX_HTTP_TSCAST_WS_UTF8);
        }

        ws->message = 0;
    }

    return NGX_AGAIN;
}


/* RFC 3629, 4: no overlong forms, no surrogates, nothing above U+10FFFF */

static ngx_int_t
ngx_http_tscast_ws_utf8(ngx_http_tscast_ws_t *ws, u_char ch)
{
    if (ws->utf8_need == 0) {

        if (ch < 0x80) {
            return NGX_OK;
        }

        if (ch >= 0xc2 && ch <= 0xdf) {
            ws->utf8_need = 1;
            ws->utf8_min = 0x80;
            ws->utf8_code = ch & 0x1f;
            return NGX_OK;
        }

        if (ch >= 0xe0 && ch <= 0xef) {
            ws->utf8_need = 2;
            ws->utf8_min = 0x800;
            ws->utf8_code = ch & 0x0f;
            return NGX_OK;
        }

        if (ch >= 0xf0 && ch <= 0xf4) {
            ws->utf8_need = 3;
            ws->utf8_min = 0x10000;
            ws->utf8_code = ch & 0x07;
            return NGX_OK;
        }

        return NGX_ERROR;
    }

    if ((ch & 0xc0) != 0x80) {
        return NGX_ERROR;
    }

    ws->utf8_code = (ws->utf8_code << 6) | (ch & 0x3f);

    if (--ws->utf8_need) {
        return NGX_OK;
    }

    if (ws->utf8_code < ws->utf8_min
        || ws->utf8_code > 0x10ffff
        || (ws->utf8_code >= 0xd800 && ws->utf8_code <= 0xdfff))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tscast_ws_fail(ngx_http_tscast_ws_t *ws, ngx_uint_t code)
{
    ws->error = code;

    return NGX_ERROR;
}


/* RFC 6455, 5.5.1, 7.4 */

ngx_int_t
ngx_http_tscast_ws_close_code(ngx_http_tscast_ws_t *ws)
{
    size_t                i;
    ngx_int_t             code;
    ngx_http_tscast_ws_t  reason;

    if (ws->len == 0) {
        return NGX_HTTP_TSCAST_WS_NO_CODE;
    }

    if (ws->len == 1) {
        return -NGX_HTTP_TSCAST_WS_PROTOCOL;
    }

    code = (ws->payload[0] << 8) | ws->payload[1];

    if (code < 1000 || code > 4999
        || (code >= 1004 && code <= 1006)
        || (code >= 1015 && code <= 2999))
    {
        return -NGX_HTTP_TSCAST_WS_PROTOCOL;
    }

    reason.utf8_need = 0;

    for (i = 2; i < ws->len; i++) {
        if (ngx_http_tscast_ws_utf8(&reason, ws->payload[i]) != NGX_OK) {
            return -NGX_HTTP_TSCAST_WS_UTF8;
        }
    }

    if (reason.utf8_need) {
        return -NGX_HTTP_TSCAST_WS_UTF8;
    }

    return code;
}


size_t
ngx_http_tscast_ws_head(u_char *p, ngx_uint_t opcode, size_t n)
{
    size_t  i;

    p[0] = (u_char) (0x80 | opcode);

    if (n < 126) {
        p[1] = (u_char) n;
        return 2;
    }

    if (n < 65536) {
        p[1] = 126;
        p[2] = (u_char) (n >> 8);
        p[3] = (u_char) n;
        return 4;
    }

    p[1] = 127;

    for (i = 0; i < 8; i++) {
        p[2 + i] = (u_char) ((uint64_t) n >> (56 - 8 * i));
    }

    return NGX_HTTP_TSCAST_WS_HEAD;
}
