
/*
 * Copyright (C) the tscast authors
 */


/* the server's side of RFC 6455: handshake, control frames, close */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include "ngx_http_tscast.h"


/* pings that may stay without an answer */
#define NGX_HTTP_TSCAST_WS_PINGS   2

/* reads before others have their turn */
#define NGX_HTTP_TSCAST_WS_READS   16

#define NGX_HTTP_TSCAST_WS_GUID    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


static ngx_table_elt_t *ngx_http_tscast_ws_header(ngx_http_request_t *r,
    char *name);
static ngx_uint_t ngx_http_tscast_ws_token(ngx_str_t *value, char *token);
static ngx_int_t ngx_http_tscast_ws_version(ngx_http_request_t *r);
static ngx_int_t ngx_http_tscast_ws_accept(ngx_http_request_t *r,
    ngx_str_t *key);
static ngx_int_t ngx_http_tscast_ws_protocol(ngx_http_request_t *r);
static void ngx_http_tscast_ws_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_tscast_ws_take(ngx_http_request_t *r, u_char *p,
    u_char *last);
static ngx_int_t ngx_http_tscast_ws_control(ngx_http_request_t *r,
    ngx_http_tscast_ctx_t *ctx);
static ngx_int_t ngx_http_tscast_ws_send(ngx_http_tscast_ctx_t *ctx,
    ngx_uint_t opcode, u_char *p, size_t n);
static size_t ngx_http_tscast_ws_close_frame(u_char *p, ngx_uint_t code);
static void ngx_http_tscast_ws_ping(ngx_event_t *ev);
static size_t ngx_http_tscast_ws_binary(u_char *p, size_t n);


const ngx_tscast_framing_t  ngx_http_tscast_ws_framing = {
    ngx_http_tscast_ws_binary,
    ngx_null_string
};


ngx_uint_t
ngx_http_tscast_ws_asked(ngx_http_request_t *r)
{
    return r->headers_in.upgrade
           && ngx_http_tscast_ws_token(&r->headers_in.upgrade->value,
                                       "websocket");
}


/* RFC 6455, 4.2 */

ngx_int_t
ngx_http_tscast_ws_handshake(ngx_http_request_t *r)
{
    u_char            key[24];
    ngx_str_t         src, dst;
    ngx_table_elt_t  *h, *connection;

    connection = ngx_http_tscast_ws_header(r, "connection");

    h = ngx_http_tscast_ws_header(r, "sec-websocket-version");

    if (h && (h->value.len != 2 || ngx_strncmp(h->value.data, "13", 2) != 0)) {
        return ngx_http_tscast_ws_version(r);
    }

    if (h == NULL
        || r->method != NGX_HTTP_GET
        || r->http_version < NGX_HTTP_VERSION_11
        || connection == NULL
        || !ngx_http_tscast_ws_token(&connection->value, "upgrade"))
    {
        goto invalid;
    }

    h = ngx_http_tscast_ws_header(r, "sec-websocket-key");

    if (h == NULL || h->value.len != 24) {
        goto invalid;
    }

    /* 24 characters that stand for 16 bytes */

    src = h->value;
    dst.data = key;

    if (ngx_decode_base64(&dst, &src) != NGX_OK || dst.len != 16) {
        goto invalid;
    }

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
    ngx_http_clear_content_length(r);

    if (ngx_http_tscast_add_header(r, "Upgrade", (u_char *) "websocket",
                                   sizeof("websocket") - 1)
        != NGX_OK
        || ngx_http_tscast_ws_accept(r, &h->value) != NGX_OK
        || ngx_http_tscast_ws_protocol(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;

invalid:

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent an invalid WebSocket handshake");

    return NGX_HTTP_BAD_REQUEST;
}


static ngx_table_elt_t *
ngx_http_tscast_ws_header(ngx_http_request_t *r, char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncmp(h[i].lowcase_key, name, len) == 0)
        {
            return &h[i];
        }
    }
}


/* is the token, in any case, in the list? */

static ngx_uint_t
ngx_http_tscast_ws_token(ngx_str_t *value, char *token)
{
    u_char  *p, *start, *end, *last;
    size_t   len;

    len = ngx_strlen(token);
    last = value->data + value->len;

    for (start = value->data; start < last; start = p + 1) {

        p = ngx_strlchr(start, last, ',');

        if (p == NULL) {
            p = last;
        }

        end = p;

        while (start < end && (*start == ' ' || *start == '\t')) {
            start++;
        }

        while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if ((size_t) (end - start) == len
            && ngx_strncasecmp(start, (u_char *) token, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* RFC 6455, 4.4 */

static ngx_int_t
ngx_http_tscast_ws_version(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client asked for another version of WebSocket than 13");

    r->headers_out.status = 426;
    ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    if (ngx_http_tscast_add_header(r, "Sec-WebSocket-Version",
                                   (u_char *) "13", 2)
        != NGX_OK
        || ngx_http_tscast_add_header(r, "Upgrade", (u_char *) "websocket",
                                      sizeof("websocket") - 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_DONE;
}


static ngx_int_t
ngx_http_tscast_ws_accept(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char      digest[20];
    ngx_str_t   src, dst;
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, key->data, key->len);
    ngx_sha1_update(&sha1, NGX_HTTP_TSCAST_WS_GUID,
                    sizeof(NGX_HTTP_TSCAST_WS_GUID) - 1);
    ngx_sha1_final(digest, &sha1);

    src.len = sizeof(digest);
    src.data = digest;

    dst.data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(src.len));
    if (dst.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&dst, &src);

    return ngx_http_tscast_add_header(r, "Sec-WebSocket-Accept", dst.data,
                                      dst.len);
}


/* the first subprotocol that the client offers; whatever it is, we speak TS */

static ngx_int_t
ngx_http_tscast_ws_protocol(ngx_http_request_t *r)
{
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    h = ngx_http_tscast_ws_header(r, "sec-websocket-protocol");

    if (h == NULL) {
        return NGX_OK;
    }

    last = ngx_strlchr(h->value.data, h->value.data + h->value.len, ',');

    if (last == NULL) {
        last = h->value.data + h->value.len;
    }

    for (p = h->value.data; p < last && *p == ' '; p++) { /* void */ }

    while (last > p && last[-1] == ' ') {
        last--;
    }

    if (p == last) {
        return NGX_OK;
    }

    return ngx_http_tscast_add_header(r, "Sec-WebSocket-Protocol", p,
                                      last - p);
}


ngx_int_t
ngx_http_tscast_ws_create(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    ngx_http_tscast_ws_session_t  *ws;

    ws = ngx_pcalloc(r->pool, sizeof(ngx_http_tscast_ws_session_t));
    if (ws == NULL) {
        return NGX_ERROR;
    }

    ngx_http_tscast_ws_init(&ws->parser);

    ws->ping.handler = ngx_http_tscast_ws_ping;
    ws->ping.data = r->connection;
    ws->ping.log = r->connection->log;

    ctx->ws = ws;

    return NGX_OK;
}


void
ngx_http_tscast_ws_start(ngx_http_request_t *r, ngx_msec_t ping)
{
    ngx_http_tscast_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    r->read_event_handler = ngx_http_tscast_ws_read;

    ngx_add_timer(&ctx->ws->ping, ping);
}


static void
ngx_http_tscast_ws_read(ngx_http_request_t *r)
{
    u_char                  buf[1024];
    ssize_t                 n;
    ngx_buf_t              *b;
    ngx_uint_t              i;
    ngx_connection_t       *c;
    ngx_http_tscast_ctx_t  *ctx;

    c = r->connection;
    b = r->header_in;
    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    if (!ctx->started) {
        /* the header goes first, and then this event is posted */
        return;
    }

    if (b->pos < b->last) {
        n = b->last - b->pos;
        b->pos = b->last;

        if (ngx_http_tscast_ws_take(r, b->last - n, b->last) != NGX_OK) {
            return;
        }
    }

    for (i = 0; i < NGX_HTTP_TSCAST_WS_READS; i++) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_http_finalize_request(r, NGX_ERROR);
            }

            return;
        }

        if (n == 0 || n == NGX_ERROR) {
            c->error = 1;

            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "client closed the connection "
                          "without a WebSocket close frame");

            ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
            return;
        }

        if (ngx_http_tscast_ws_take(r, buf, buf + n) != NGX_OK) {
            return;
        }
    }

    ngx_post_event(c->read, &ngx_posted_next_events);
}


/* NGX_OK, or NGX_DONE when the session is closing or over */

static ngx_int_t
ngx_http_tscast_ws_take(ngx_http_request_t *r, u_char *p, u_char *last)
{
    ngx_http_tscast_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);

    ctx->ws->unanswered = 0;

    while (!ctx->ending) {

        switch (ngx_http_tscast_ws_parse(&ctx->ws->parser, &p, last)) {

        case NGX_AGAIN:
            return NGX_OK;

        case NGX_ERROR:
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "client sent an invalid WebSocket frame, "
                          "closing with %ui", ctx->ws->parser.error);

            ngx_http_tscast_ws_close(r, ctx->ws->parser.error, NGX_OK);
            return NGX_DONE;
        }

        if (ngx_http_tscast_ws_control(r, ctx) != NGX_OK) {
            return NGX_DONE;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tscast_ws_control(ngx_http_request_t *r, ngx_http_tscast_ctx_t *ctx)
{
    ngx_int_t              code;
    ngx_http_tscast_ws_t  *ws;

    ws = &ctx->ws->parser;

    switch (ws->opcode) {

    case NGX_HTTP_TSCAST_WS_PING:

        if (ngx_http_tscast_ws_send(ctx, NGX_HTTP_TSCAST_WS_PONG,
                                    ws->payload, ws->len)
            == NGX_ERROR)
        {
            ngx_http_finalize_request(r, NGX_ERROR);
            return NGX_ERROR;
        }

        return NGX_OK;

    case NGX_HTTP_TSCAST_WS_CLOSE:

        code = ngx_http_tscast_ws_close_code(ws);

        ngx_http_tscast_ws_close(r, code < 0 ? -code : code, NGX_OK);
        return NGX_DONE;

    default: /* NGX_HTTP_TSCAST_WS_PONG */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_tscast_ws_send(ngx_http_tscast_ctx_t *ctx, ngx_uint_t opcode,
    u_char *p, size_t n)
{
    size_t  len;
    u_char  frame[NGX_HTTP_TSCAST_WS_HEAD + NGX_HTTP_TSCAST_WS_CONTROL];

    len = ngx_http_tscast_ws_head(frame, opcode, n);
    ngx_memcpy(frame + len, p, n);

    return ngx_tscast_viewer_control(ctx->viewer, frame, len + n);
}


static size_t
ngx_http_tscast_ws_close_frame(u_char *p, ngx_uint_t code)
{
    size_t  len;

    if (code == NGX_HTTP_TSCAST_WS_NO_CODE) {
        return ngx_http_tscast_ws_head(p, NGX_HTTP_TSCAST_WS_CLOSE, 0);
    }

    len = ngx_http_tscast_ws_head(p, NGX_HTTP_TSCAST_WS_CLOSE, 2);

    p[len++] = (u_char) (code >> 8);
    p[len++] = (u_char) code;

    return len;
}


void
ngx_http_tscast_ws_close(ngx_http_request_t *r, ngx_uint_t code,
    ngx_int_t rc)
{
    size_t  len;
    u_char  frame[NGX_HTTP_TSCAST_WS_HEAD + 2];

    len = ngx_http_tscast_ws_close_frame(frame, code);

    ngx_http_tscast_play_end(r, frame, len, rc);
}


/* without the hub and without waiting: 1001, if it can be said in order */

void
ngx_http_tscast_ws_away(ngx_http_tscast_ctx_t *ctx)
{
    size_t             len;
    u_char             frame[NGX_HTTP_TSCAST_WS_HEAD + 2];
    ngx_connection_t  *c;

    c = ctx->request->connection;

    if (!ctx->started || ctx->ending || ctx->viewer->rest || c->buffered) {
        return;
    }

    ctx->ending = 1;

    len = ngx_http_tscast_ws_close_frame(frame, NGX_HTTP_TSCAST_WS_GONE);

    (void) c->send(c, frame, len);
}


void
ngx_http_tscast_ws_cleanup(ngx_http_tscast_ctx_t *ctx)
{
    if (ctx->ws->ping.timer_set) {
        ngx_del_timer(&ctx->ws->ping);
    }
}


static void
ngx_http_tscast_ws_ping(ngx_event_t *ev)
{
    ngx_int_t                    rc;
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_tscast_ctx_t       *ctx;
    ngx_http_tscast_loc_conf_t  *tlcf;

    c = ev->data;
    r = c->data;
    ctx = ngx_http_get_module_ctx(r, ngx_http_tscast_module);
    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tscast_module);

    ngx_http_set_log_request(c->log, r);

    rc = NGX_OK;

    if (ctx->ws->unanswered == NGX_HTTP_TSCAST_WS_PINGS) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client has not answered %d pings",
                      NGX_HTTP_TSCAST_WS_PINGS);
        c->timedout = 1;
        rc = NGX_HTTP_REQUEST_TIME_OUT;

    } else if (ctx->started && !ctx->viewer->blocked) {
        ctx->ws->unanswered++;

        if (ngx_http_tscast_ws_send(ctx, NGX_HTTP_TSCAST_WS_PING, NULL, 0)
            == NGX_ERROR)
        {
            rc = NGX_ERROR;
        }
    }

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
        return;
    }

    ngx_add_timer(ev, tlcf->play->ping);
}


static size_t
ngx_http_tscast_ws_binary(u_char *p, size_t n)
{
    return ngx_http_tscast_ws_head(p, NGX_HTTP_TSCAST_WS_BINARY, n);
}
