
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_HTTP_TSCAST_WS_FRAME_H_INCLUDED_
#define _NGX_HTTP_TSCAST_WS_FRAME_H_INCLUDED_


/*
 * Frames of RFC 6455 as pure functions over bytes: no I/O, no allocation,
 * nothing of nginx but its types.
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_TSCAST_WS_TEXT      0x1
#define NGX_HTTP_TSCAST_WS_BINARY    0x2
#define NGX_HTTP_TSCAST_WS_CLOSE     0x8
#define NGX_HTTP_TSCAST_WS_PING      0x9
#define NGX_HTTP_TSCAST_WS_PONG      0xa

/* RFC 6455, 7.4.1 */
#define NGX_HTTP_TSCAST_WS_NORMAL    1000
#define NGX_HTTP_TSCAST_WS_GONE      1001
#define NGX_HTTP_TSCAST_WS_PROTOCOL  1002
#define NGX_HTTP_TSCAST_WS_NO_CODE   1005
#define NGX_HTTP_TSCAST_WS_UTF8      1007
#define NGX_HTTP_TSCAST_WS_POLICY    1008
#define NGX_HTTP_TSCAST_WS_TOO_BIG   1009

/* RFC 6455, 5.5: payload of a control frame */
#define NGX_HTTP_TSCAST_WS_CONTROL   125

/* the longest message that a client may send, bytes */
#define NGX_HTTP_TSCAST_WS_MESSAGE   65536

/* the longest header of a frame that a server sends */
#define NGX_HTTP_TSCAST_WS_HEAD      10


typedef struct {
    ngx_uint_t   state;
    ngx_uint_t   opcode;        /* of the frame */
    ngx_uint_t   message;       /* opcode of the message, 0 between two */
    ngx_uint_t   need;          /* bytes of length to come */
    ngx_uint_t   error;         /* a close code, after NGX_ERROR */
    uint64_t     length;        /* of the frame's payload */
    uint64_t     rest;          /* of it, to come */
    uint64_t     size;          /* of the message so far */
    uint32_t     utf8_min;      /* the least that the sequence may mean */
    uint32_t     utf8_code;
    ngx_uint_t   utf8_need;     /* bytes of the sequence to come */
    ngx_uint_t   nmask;
    u_char       mask[4];
    u_char       payload[NGX_HTTP_TSCAST_WS_CONTROL];
    size_t       len;           /* of payload */
    unsigned     fin:1;
} ngx_http_tscast_ws_t;


void ngx_http_tscast_ws_init(ngx_http_tscast_ws_t *ws);

/*
 * Takes bytes from *pos up to last, moves *pos.  Returns NGX_OK when a control
 * frame is complete, with its opcode and its payload, NGX_AGAIN when all bytes
 * are taken, or NGX_ERROR with the close code in ws->error.
 */
ngx_int_t ngx_http_tscast_ws_parse(ngx_http_tscast_ws_t *ws, u_char **pos,
    u_char *last);

/*
 * The code of a close frame's payload, NGX_HTTP_TSCAST_WS_NO_CODE if it has
 * none; where the payload is wrong, the code to answer with is negative.
 */
ngx_int_t ngx_http_tscast_ws_close_code(ngx_http_tscast_ws_t *ws);

/* writes the header of an unmasked frame, FIN set; returns its length */
size_t ngx_http_tscast_ws_head(u_char *p, ngx_uint_t opcode, size_t n);


#endif /* _NGX_HTTP_TSCAST_WS_FRAME_H_INCLUDED_ */
