
/*
 * Copyright (C) the tscast authors
 */


/*
 * ts_flv [-n times] < stream.ts > stream.flv: the remuxer by itself.  With -n
 * it goes over the stream so many times, writes nothing and tells the CPU
 * seconds and the seconds of media, for t/bench.
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


typedef struct {
    ngx_tscast_flv_remux_t  remux;
    ngx_tscast_ts_parser_t  parser;
    ngx_uint_t              started;
    ngx_uint_t              silent;
    uint64_t                bytes;
    uint32_t                first;
    uint32_t                last;
} ts_flv_t;


static u_char *ts_flv_read(size_t *len);
static void ts_flv_run(ts_flv_t *t, u_char *p, size_t len);
static void ts_flv_tag(void *data, ngx_tscast_flv_tag_t *tag);


static u_char    ts_flv_buf[NGX_TSCAST_FLV_BUFFER];
static u_char    ts_flv_out[NGX_TSCAST_FLV_MAX_TAG];
static ts_flv_t  ts_flv;


int
main(int argc, char **argv)
{
    size_t      len;
    u_char     *p;
    clock_t     start;
    ngx_uint_t  i, n;

    n = (argc == 3) ? strtoul(argv[2], NULL, 10) : 0;

    p = ts_flv_read(&len);
    start = clock();

    ts_flv.silent = (n != 0);

    for (i = 0; i < ngx_max(n, 1); i++) {
        ts_flv.started = 0;
        ts_flv_run(&ts_flv, p, len);
    }

    if (n) {
        printf("%.3f %.3f\n", (double) (clock() - start) / CLOCKS_PER_SEC,
               n * (ts_flv.last - ts_flv.first) / 1000.0);
    }

    free(p);

    return fflush(stdout) ? 1 : 0;
}


static u_char *
ts_flv_read(size_t *len)
{
    size_t   size;
    u_char  *p;

    size = 1024 * 1024;
    p = NULL;
    *len = 0;

    do {
        size *= 2;
        p = realloc(p, size);

        if (p == NULL) {
            exit(1);
        }

        *len += fread(p + *len, 1, size - *len, stdin);

    } while (*len == size);

    return p;
}


static void
ts_flv_run(ts_flv_t *t, u_char *p, size_t len)
{
    u_char                    *last, *pmt;
    size_t                     n;
    ngx_tscast_flv_program_t   program;

    ngx_tscast_ts_parser_init(&t->parser);
    ngx_tscast_flv_remux_init(&t->remux, ts_flv_buf, ts_flv_out, ts_flv_tag,
                              t);

    last = p + len - len % NGX_TSCAST_TS_PACKET;

    for ( /* void */ ; p < last; p += NGX_TSCAST_TS_PACKET) {

        if (ngx_tscast_ts_parse(&t->parser, p, 0) & NGX_TSCAST_TS_TABLES) {
            pmt = ngx_tscast_ts_program(&t->parser, &n);

            if (pmt && ngx_tscast_flv_program(pmt, n, &program) == NGX_OK) {
                ngx_tscast_flv_remux_program(&t->remux, &program);
            }
        }

        ngx_tscast_flv_remux_packet(&t->remux, p);
    }

    ngx_tscast_flv_remux_flush(&t->remux);
}


static void
ts_flv_tag(void *data, ngx_tscast_flv_tag_t *tag)
{
    ts_flv_t *t = data;

    size_t  n;
    u_char  buf[NGX_TSCAST_FLV_FILE + NGX_TSCAST_FLV_MAX_HEADERS];

    if (tag->config && (!t->started || tag->len == 0)) {
        return;
    }

    t->last = ngx_tscast_flv_get_time(tag->data);

    if (!t->started) {
        t->started = 1;
        t->first = t->last;

        n = ngx_tscast_flv_start(buf, &t->remux.headers, t->first, 1);

        if (!t->silent) {
            fwrite(buf, 1, n, stdout);
        }
    }

    t->bytes += tag->len;

    if (!t->silent) {
        fwrite(tag->data, 1, tag->len, stdout);
    }
}
