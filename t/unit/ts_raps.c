
/*
 * Copyright (C) the tscast authors
 */


/*
 * ts_raps FILE [SIZE]: reads FILE by SIZE bytes and prints where its random
 * access points are, then what was seen.  For t/ts_raps.t.
 */


#include <stdio.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts.h>


static void ts_raps_print(u_char *run, ngx_uint_t n);


static ngx_tscast_ts_sync_t    ts_raps_sync;
static ngx_tscast_ts_parser_t  ts_raps_parser;
static uint64_t                ts_raps_offset;
static ngx_uint_t              ts_raps_tables;


int
main(int argc, char *const *argv)
{
    FILE        *f;
    size_t       size, n;
    u_char      *buf, *pos, *run;
    ngx_uint_t   packets;

    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE [SIZE]\n", argv[0]);
        return 2;
    }

    size = (argc > 2) ? strtoul(argv[2], NULL, 10) : 65536;
    f = fopen(argv[1], "rb");
    buf = malloc(size ? size : 1);

    if (f == NULL || buf == NULL || size == 0) {
        perror(argv[1]);
        return 1;
    }

    ngx_tscast_ts_sync_init(&ts_raps_sync);
    ngx_tscast_ts_parser_init(&ts_raps_parser);

    while ((n = fread(buf, 1, size, f)) > 0) {
        pos = buf;

        for ( ;; ) {
            packets = ngx_tscast_ts_sync(&ts_raps_sync, &pos, buf + n, &run);

            if (packets == 0) {
                break;
            }

            ts_raps_print(run, packets);
        }
    }

    packets = ngx_tscast_ts_sync_flush(&ts_raps_sync, &run);
    ts_raps_print(run, packets);

    printf("pid %u codec %u packets %llu dropped %llu resyncs %llu"
           " cc_errors %llu discontinuities %llu tables %u packets %u\n",
           ts_raps_parser.pid, ts_raps_parser.codec,
           (unsigned long long) ts_raps_parser.packets,
           (unsigned long long) ts_raps_sync.dropped,
           (unsigned long long) ts_raps_sync.resyncs,
           (unsigned long long) ts_raps_parser.cc_errors,
           (unsigned long long) ts_raps_parser.discontinuities,
           (unsigned) ts_raps_tables,
           (unsigned) ts_raps_parser.tables.ntables);

    free(buf);
    fclose(f);

    return 0;
}


/* offsets are those of a file that is all packets */

static void
ts_raps_print(u_char *run, ngx_uint_t n)
{
    ngx_uint_t  flags;

    while (n--) {
        flags = ngx_tscast_ts_parse(&ts_raps_parser, run, ts_raps_offset);

        if (flags & NGX_TSCAST_TS_TABLES) {
            ts_raps_tables++;
        }

        if (flags & NGX_TSCAST_TS_RAP) {
            printf("rap %llu\n",
                   (unsigned long long) ts_raps_parser.rap.offset);
        }

        run += NGX_TSCAST_TS_PACKET;
        ts_raps_offset += NGX_TSCAST_TS_PACKET;
    }
}
