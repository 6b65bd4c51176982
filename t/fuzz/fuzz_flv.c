
/*
 * Copyright (C) the tscast authors
 */


/*
 * Arbitrary packets through the remuxer, and arbitrary bytes through what
 * looks into NAL units and audio frames.  Each tag is whole and has the
 * length that it says.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


#define fuzz_flv_check(x)                                                     \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_flv_packets(u_char *p, size_t size);
static void fuzz_flv_tag(void *data, ngx_tscast_flv_tag_t *tag);
static void fuzz_flv_headers(ngx_tscast_flv_headers_t *h);
static void fuzz_flv_units(u_char *p, size_t size);
static void fuzz_flv_frames(u_char *p, size_t size);


static ngx_tscast_flv_remux_t  fuzz_flv_remux;
static ngx_tscast_ts_parser_t  fuzz_flv_parser;
static u_char                  fuzz_flv_buf[NGX_TSCAST_FLV_BUFFER];
static u_char                  fuzz_flv_out[NGX_TSCAST_FLV_MAX_TAG];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char  *copy;

    if (size < 1) {
        return 0;
    }

    /* a block of its own, so that its end is guarded */

    copy = malloc(size);

    if (copy == NULL) {
        return 0;
    }

    ngx_memcpy(copy, data, size);

    switch (copy[0] & 3) {

    case 0:
        fuzz_flv_units(copy + 1, size - 1);
        break;

    case 1:
        fuzz_flv_frames(copy + 1, size - 1);
        break;

    default:
        fuzz_flv_packets(copy, size);
        break;
    }

    free(copy);

    return 0;
}


/* the first bytes say what the program is, or else its PMT does */

static void
fuzz_flv_packets(u_char *p, size_t size)
{
    u_char                    *last, *pmt;
    size_t                     len;
    ngx_tscast_flv_program_t   program;

    static const ngx_tscast_flv_track_e  videos[] = {
        NGX_TSCAST_FLV_CODEC_NONE, NGX_TSCAST_FLV_CODEC_H264,
        NGX_TSCAST_FLV_CODEC_HEVC, NGX_TSCAST_FLV_CODEC_H264
    };

    static const ngx_tscast_flv_track_e  audios[] = {
        NGX_TSCAST_FLV_CODEC_NONE, NGX_TSCAST_FLV_CODEC_AAC,
        NGX_TSCAST_FLV_CODEC_MP3, NGX_TSCAST_FLV_CODEC_OPUS
    };

    ngx_memzero(&program, sizeof(ngx_tscast_flv_program_t));

    program.video = videos[p[0] >> 2 & 3];
    program.audio = audios[p[0] >> 4 & 3];
    program.video_pid = program.video ? 0x100 : NGX_TSCAST_TS_NULL_PID;
    program.audio_pid = program.audio ? 0x101 : NGX_TSCAST_TS_NULL_PID;
    program.channels = 1 + (p[0] >> 6);

    ngx_tscast_ts_parser_init(&fuzz_flv_parser);
    ngx_tscast_flv_remux_init(&fuzz_flv_remux, fuzz_flv_buf, fuzz_flv_out,
                              fuzz_flv_tag, &fuzz_flv_remux);
    ngx_tscast_flv_remux_program(&fuzz_flv_remux, &program);

    last = p + size;

    for (p++; last - p >= NGX_TSCAST_TS_PACKET; p += NGX_TSCAST_TS_PACKET) {

        p[0] = NGX_TSCAST_TS_SYNC_BYTE;

        if (ngx_tscast_ts_parse(&fuzz_flv_parser, p, 0)
            & NGX_TSCAST_TS_TABLES)
        {
            pmt = ngx_tscast_ts_program(&fuzz_flv_parser, &len);

            if (pmt && ngx_tscast_flv_program(pmt, len, &program) == NGX_OK) {
                ngx_tscast_flv_remux_program(&fuzz_flv_remux, &program);
            }
        }

        (void) ngx_tscast_flv_program_probe(&program, p);

        ngx_tscast_flv_remux_packet(&fuzz_flv_remux, p);
    }

    ngx_tscast_flv_remux_flush(&fuzz_flv_remux);

    fuzz_flv_headers(&fuzz_flv_remux.headers);
}


static void
fuzz_flv_tag(void *data, ngx_tscast_flv_tag_t *tag)
{
    size_t  size;

    if (tag->len == 0) {
        fuzz_flv_check(tag->config);
        return;
    }

    fuzz_flv_check(tag->len <= NGX_TSCAST_FLV_MAX_TAG);

    size = ngx_tscast_flv_get_size(tag->data);

    fuzz_flv_check(tag->data[0] == tag->type);
    fuzz_flv_check(tag->len == NGX_TSCAST_FLV_HEADER + size
                               + NGX_TSCAST_FLV_TRAILER);
    fuzz_flv_check(size >= 2);

    if (tag->config) {
        fuzz_flv_headers(&fuzz_flv_remux.headers);
    }
}


static void
fuzz_flv_headers(ngx_tscast_flv_headers_t *h)
{
    u_char  *p, *last;
    u_char   buf[NGX_TSCAST_FLV_FILE + NGX_TSCAST_FLV_MAX_HEADERS];

    fuzz_flv_check(h->script + h->video + h->audio
                   <= NGX_TSCAST_FLV_MAX_HEADERS);

    last = buf + ngx_tscast_flv_start(buf, h, 1234, 1);

    fuzz_flv_check(last - buf == NGX_TSCAST_FLV_FILE + h->script + h->video
                                 + h->audio);

    for (p = buf + NGX_TSCAST_FLV_FILE; p < last; /* void */ ) {
        p += NGX_TSCAST_FLV_HEADER + ngx_tscast_flv_get_size(p)
             + NGX_TSCAST_FLV_TRAILER;
    }

    fuzz_flv_check(p == last);
}


/* parameter sets, and the records made of them */

static void
fuzz_flv_units(u_char *p, size_t size)
{
    u_char                 *pos, *last, *nal;
    size_t                  len;
    ngx_int_t               id;
    u_char                  buf[NGX_TSCAST_FLV_MAX_CONFIG + 128];
    ngx_tscast_sps_t        sps;
    ngx_tscast_flv_sets_t   sets;

    ngx_memzero(&sets, sizeof(ngx_tscast_flv_sets_t));
    ngx_memzero(&sps, sizeof(ngx_tscast_sps_t));

    pos = p;
    last = p + size;

    for ( ;; ) {
        nal = ngx_tscast_flv_nal(&pos, last, &len);

        if (nal == NULL) {
            break;
        }

        fuzz_flv_check(len && nal >= p && nal + len <= last);

        (void) ngx_tscast_flv_avc_recovers(nal, len);
        (void) ngx_tscast_sps_h264(&sps, nal, len);
        (void) ngx_tscast_sps_hevc(&sps, nal, len);

        id = ngx_tscast_flv_avc_set_id(nal, len);

        if (id != NGX_DECLINED && len >= 5) {
            (void) ngx_tscast_flv_sets_keep(&sets, 7 + (nal[0] & 1),
                                            (u_char) id, nal, len);
        }

        id = ngx_tscast_flv_hevc_set_id(nal, len);

        if (id != NGX_DECLINED) {
            (void) ngx_tscast_flv_sets_keep(&sets, 32 + nal[0] % 3,
                                            (u_char) id, nal, len);
        }

        fuzz_flv_check(ngx_tscast_flv_avc_config(buf, &sets, &sps)
                       <= sizeof(buf));
        fuzz_flv_check(ngx_tscast_flv_hevc_config(buf, &sets, &sps)
                       <= sizeof(buf));
    }

    fuzz_flv_check(pos == last);
}


static void
fuzz_flv_frames(u_char *p, size_t size)
{
    ngx_tscast_flv_frame_t  frame;

    ngx_memzero(&frame, sizeof(ngx_tscast_flv_frame_t));

    for ( /* void */ ; size; p++, size--) {

        if (ngx_tscast_flv_adts_frame(p, size, &frame) == NGX_OK) {
            fuzz_flv_check(frame.rate && frame.len > frame.header
                           && frame.len < NGX_TSCAST_FLV_MAX_FRAME);
        }

        if (ngx_tscast_flv_mp3_frame(p, size, &frame) == NGX_OK) {
            fuzz_flv_check(frame.rate && frame.len
                           && frame.len < NGX_TSCAST_FLV_MAX_FRAME);
        }

        if (ngx_tscast_flv_opus_frame(p, size, &frame) == NGX_OK) {
            fuzz_flv_check(frame.rate && frame.len > frame.header);
        }
    }
}
