
/*
 * Copyright (C) the tscast authors
 */


/*
 * Messages of audio and video into a transport stream.  Each is
 *
 *     kind, change of the timestamp (2 bytes, signed), length (2 bytes), body
 *
 * and its kind 0 to 3: audio, video, AVCDecoderConfigurationRecord and
 * HEVCDecoderConfigurationRecord, the last two as messages of their own.  What
 * is written must be packets whose counters are right, with PCRs close to each
 * other.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_ts.h>


#define FUZZ_RTMP_HEADER  5
#define FUZZ_RTMP_PCR     (40 * 90 * 300)

#define fuzz_rtmp_check(x)                                                    \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ngx_int_t fuzz_rtmp_write(void *data, u_char *p, size_t n);
static void fuzz_rtmp_message(ngx_uint_t kind, uint32_t timestamp, u_char *p,
    size_t len);
static void fuzz_rtmp_tag(void *data, ngx_tscast_flv_tag_t *tag,
    uint64_t time);


static ngx_tscast_flv_ts_t     fuzz_rtmp_ts;
static ngx_tscast_ts_parser_t  fuzz_rtmp_parser;
static uint64_t                fuzz_rtmp_offset;
static uint64_t                fuzz_rtmp_pcr;
static ngx_tscast_flv_tag_t    fuzz_rtmp_taken;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char    *copy;
    size_t     n;
    uint32_t   timestamp;

    if (size < 3) {
        return 0;
    }

    fuzz_rtmp_ts.mux.write = fuzz_rtmp_write;
    fuzz_rtmp_ts.tag = fuzz_rtmp_tag;
    fuzz_rtmp_offset = 0;
    fuzz_rtmp_pcr = 0;
    timestamp = (uint32_t) data[0] << 24 | data[0];

    ngx_tscast_ts_parser_init(&fuzz_rtmp_parser);
    ngx_tscast_flv_ts_init(&fuzz_rtmp_ts);
    ngx_tscast_flv_ts_expect(&fuzz_rtmp_ts, data[1] & 15, data[2] & 15);

    data += 3;
    size -= 3;

    while (size >= FUZZ_RTMP_HEADER) {

        timestamp += (int16_t) (data[1] << 8 | data[2])
                     * ((data[0] & 0x80) ? 1000 : 1);

        n = data[3] << 8 | data[4];
        n = ngx_min(n, size - FUZZ_RTMP_HEADER);

        /* a block of its own, so that its end is guarded */

        copy = malloc(n ? n : 1);

        if (copy == NULL) {
            return 0;
        }

        ngx_memcpy(copy, data + FUZZ_RTMP_HEADER, n);

        fuzz_rtmp_message(data[0] & 3, timestamp, copy, n);

        fuzz_rtmp_check(ngx_memcmp(copy, data + FUZZ_RTMP_HEADER, n) == 0);

        free(copy);

        data += FUZZ_RTMP_HEADER + n;
        size -= FUZZ_RTMP_HEADER + n;
    }

    return 0;
}


static void
fuzz_rtmp_message(ngx_uint_t kind, uint32_t timestamp, u_char *p, size_t len)
{
    ngx_int_t                      rc;
    static ngx_tscast_flv_video_t  v;

    switch (kind) {

    case 2:
        (void) ngx_tscast_flv_read_avcc(&v, p, len);
        fuzz_rtmp_check(v.len <= NGX_TSCAST_FLV_MAX_SETS);
        return;

    case 3:
        (void) ngx_tscast_flv_read_hvcc(&v, p, len);
        fuzz_rtmp_check(v.len <= NGX_TSCAST_FLV_MAX_SETS);
        return;
    }

    ngx_memzero(&fuzz_rtmp_taken, sizeof(ngx_tscast_flv_tag_t));

    rc = ngx_tscast_flv_ts_message(&fuzz_rtmp_ts,
                                   kind ? NGX_TSCAST_FLV_VIDEO
                                        : NGX_TSCAST_FLV_AUDIO,
                                   timestamp, p, len);

    switch (rc) {

    case NGX_OK:
        fuzz_rtmp_check(fuzz_rtmp_taken.data == NULL
                        || (fuzz_rtmp_taken.data == p
                            && fuzz_rtmp_taken.len == len));
        break;

    case NGX_DECLINED:
        fuzz_rtmp_check(fuzz_rtmp_taken.data == NULL);
        fuzz_rtmp_check(fuzz_rtmp_ts.reason <= NGX_TSCAST_FLV_TOO_LONG);
        break;

    case NGX_ABORT:
        fuzz_rtmp_check(fuzz_rtmp_ts.name.len
                        && fuzz_rtmp_ts.name.len < 64);
        break;

    default:
        abort();
    }

    fuzz_rtmp_check(fuzz_rtmp_ts.mux.left == 0);
    fuzz_rtmp_check(fuzz_rtmp_ts.mux.npackets == 0);
}


/* once for each message, before its packets */

static void
fuzz_rtmp_tag(void *data, ngx_tscast_flv_tag_t *tag, uint64_t time)
{
    fuzz_rtmp_check(fuzz_rtmp_taken.data == NULL);
    fuzz_rtmp_check(!tag->key || !tag->config);
    fuzz_rtmp_check(tag->type != NGX_TSCAST_FLV_VIDEO || !tag->key
                    || fuzz_rtmp_ts.key);

    fuzz_rtmp_taken = *tag;
}


static ngx_int_t
fuzz_rtmp_write(void *data, u_char *p, size_t n)
{
    u_char      *last;
    uint64_t     pcr, gap, broken;
    ngx_uint_t   flags;

    fuzz_rtmp_check(n && n % NGX_TSCAST_TS_PACKET == 0);

    for (last = p + n; p < last; p += NGX_TSCAST_TS_PACKET) {

        fuzz_rtmp_check(p[0] == NGX_TSCAST_TS_SYNC_BYTE);

        broken = fuzz_rtmp_parser.discontinuities;
        flags = ngx_tscast_ts_parse(&fuzz_rtmp_parser, p, fuzz_rtmp_offset);
        fuzz_rtmp_offset += NGX_TSCAST_TS_PACKET;

        fuzz_rtmp_check(fuzz_rtmp_parser.cc_errors == 0);

        if (!(flags & NGX_TSCAST_TS_TIME)) {
            continue;
        }

        pcr = fuzz_rtmp_parser.pcr;
        gap = (pcr + ((uint64_t) 300 << 33) - fuzz_rtmp_pcr)
              % ((uint64_t) 300 << 33);

        fuzz_rtmp_check(fuzz_rtmp_pcr == 0
                        || broken != fuzz_rtmp_parser.discontinuities
                        || (gap > 0 && gap <= FUZZ_RTMP_PCR));

        fuzz_rtmp_pcr = pcr;
    }

    return NGX_OK;
}
