
/*
 * Copyright (C) the tscast authors
 */


/*
 * FLV: what is expected is worked out from the standards bit by bit, in the
 * comments.
 */


#include "ts_build.h"

#include <ngx_tscast_flv.h>


typedef struct {
    ngx_uint_t   n;
    u_char       type[64];
    u_char       key[64];
    u_char       config[64];
    uint32_t     time[64];
    size_t       len[64];
    u_char       last[512];
} tags_t;


static ngx_tscast_flv_remux_t  m;
static u_char                  buf[NGX_TSCAST_FLV_BUFFER];
static u_char                  out[NGX_TSCAST_FLV_MAX_TAG];
static tags_t                  tags;

static u_char                  unit[64];
static size_t                  unit_len;
static ngx_uint_t              units, damaged;
static uint64_t                unit_pts, unit_dts;


/*
 * profile 66, level 30, seq_parameter_set_id 0, log2_max_frame_num 4,
 * pic_order_cnt_type 2, one reference frame, 20 x 15 macroblocks:
 * 1 1 011 010 0 000010100 0001111 1 1 0 0 1
 */

static u_char  sps_320x240[] = {
    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x05, 0x07, 0xe4
};

static u_char  pps[] = { 0x68, 0xce, 0x3c, 0x80 };

/*
 * profile 100, level 40: 4:2:0, 8 bits, no lists, pic_order_cnt_type 0,
 * 120 x 68 macroblocks, four lines (2 units of 2) cropped at the bottom:
 * 1 | 010 1 1 0 0 | 1 1 1 | 00101 0 | 0000001111000 0000001000100 1 1
 * 1 1 1 1 00101 | 0 1
 */

static u_char  sps_1080[] = {
    0x67, 0x64, 0x00, 0x28, 0xac, 0xe5, 0x01, 0xe0, 0x08, 0x9f, 0x94
};


static void
on_tag(void *data, ngx_tscast_flv_tag_t *tag)
{
    ngx_uint_t  i;

    i = tags.n++;

    assert_true(tags.n < 64);

    tags.type[i] = tag->type;
    tags.key[i] = tag->key;
    tags.config[i] = tag->config;
    tags.len[i] = tag->len;

    if (tag->len) {
        tags.time[i] = ngx_tscast_flv_get_time(tag->data);
        ngx_memcpy(tags.last, tag->data, ngx_min(tag->len, 512));
    }
}


static void
on_unit(void *data, ngx_tscast_ts_unit_t *u)
{
    units++;
    damaged += u->damaged;
    unit_pts = u->pts;
    unit_dts = u->dts;
    unit_len = u->len;

    ngx_memcpy(unit, u->data, ngx_min(u->len, sizeof(unit)));
}


static int
setup(void **state)
{
    ngx_memzero(&tags, sizeof(tags_t));
    units = 0;
    damaged = 0;

    ngx_tscast_flv_remux_init(&m, buf, out, on_tag, NULL);

    return 0;
}


static void
packet(ngx_tscast_ts_pes_t *pes, u_char cc, ngx_uint_t start, void *p,
    size_t n)
{
    ngx_tscast_ts_packet_t  pkt;

    ngx_memzero(&pkt, sizeof(pkt));

    pkt.cc = cc;
    pkt.start = start;
    pkt.has_payload = 1;
    pkt.payload = p;
    pkt.len = n;

    ngx_tscast_ts_pes_packet(pes, &pkt);
}


static void
test_pes(void **state)
{
    ngx_tscast_ts_pes_t  pes;

    /* PTS 2^33 - 1, DTS 1: '0011' and '0001', marker bits */

    static u_char  head[] = {
        0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10,
        0x3f, 0xff, 0xff, 0xff, 0xff, 0x11, 0x00, 0x01, 0x00, 0x03, 'a'
    };
    static u_char  known[] = { 0, 0, 1, 0xc0, 0, 5, 0x80, 0, 0, 'x', 'y' };

    ngx_tscast_ts_pes_init(&pes, buf, 64, on_unit, NULL);

    /* without a start there is nothing; unbounded ends with the next one */

    packet(&pes, 0, 0, "lost", 4);
    packet(&pes, 1, 1, head, 12);
    packet(&pes, 2, 0, head + 12, sizeof(head) - 12);
    packet(&pes, 2, 0, head + 12, sizeof(head) - 12);
    packet(&pes, 3, 0, "b", 1);
    assert_int_equal(units, 0);

    packet(&pes, 4, 1, known, 10);
    assert_int_equal(units, 1);
    assert_int_equal(damaged, 0);
    assert_int_equal(unit_len, 2);
    assert_memory_equal(unit, "ab", 2);
    assert_true(unit_pts == ((uint64_t) 1 << 33) - 1);
    assert_true(unit_dts == 1);
    assert_true(ngx_tscast_ts_elapsed(unit_pts, unit_dts) == 2);
    assert_true(ngx_tscast_ts_elapsed(unit_dts, unit_pts) == -2);

    /* of known length: with its last byte */

    packet(&pes, 5, 0, "y+", 2);
    assert_int_equal(units, 2);
    assert_int_equal(unit_len, 2);
    assert_true(unit_pts == NGX_TSCAST_TS_NO_TIME);

    /* a hole; then one that is too long */

    packet(&pes, 6, 1, head, sizeof(head));
    packet(&pes, 8, 0, "b", 1);
    packet(&pes, 9, 1, head, sizeof(head));
    assert_int_equal(units, 3);
    assert_int_equal(damaged, 1);

    packet(&pes, 10, 0, out, 60);
    packet(&pes, 11, 1, known, sizeof(known));
    assert_int_equal(units, 4);
    assert_int_equal(pes.lost, 1);

    /* not a PES packet; the end of all */

    packet(&pes, 12, 1, "\1\2\3\4\5\6\7\10\11\12", 10);
    packet(&pes, 13, 1, head, sizeof(head));
    assert_int_equal(pes.lost, 2);
    ngx_tscast_ts_pes_flush(&pes);
    assert_int_equal(units, 5);
    ngx_tscast_ts_pes_flush(&pes);
    assert_int_equal(units, 5);
}


static void
test_nal(void **state)
{
    size_t   len;
    u_char  *p, *pos;

    static u_char  stream[] = "\3\0\0\0\1ab\0\0\1\0\0\1c\0\0\0\0\1d\0\0";

    pos = stream;

    p = ngx_tscast_flv_nal(&pos, stream + sizeof(stream) - 1, &len);
    assert_int_equal(len, 2);
    assert_memory_equal(p, "ab", 2);

    p = ngx_tscast_flv_nal(&pos, stream + sizeof(stream) - 1, &len);
    assert_int_equal(len, 1);
    assert_int_equal(*p, 'c');

    p = ngx_tscast_flv_nal(&pos, stream + sizeof(stream) - 1, &len);
    assert_int_equal(len, 1);
    assert_int_equal(*p, 'd');

    assert_null(ngx_tscast_flv_nal(&pos, stream + sizeof(stream) - 1, &len));
}


/* by libx264, 640x360 at 25/s, and libx265, Main 10, 322x242 at 24000/1001 */

static void
test_sps(void **state)
{
    size_t             len;
    ngx_tscast_sps_t   sps;

    static u_char  h264[] = {
        0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44,
        0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c,
        0x58, 0xba, 0x80
    };

    static u_char  hevc[] = {
        0x42, 0x01, 0x02, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00,
        0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x00, 0x00, 0xa0, 0x0a,
        0x48, 0x0f, 0x9c, 0x92, 0x36, 0x59, 0x59, 0x4a, 0xcb, 0x24, 0x9c,
        0xaf, 0x01, 0x68, 0x08, 0x00, 0x00, 0x1f, 0x48, 0x00, 0x02, 0xee,
        0x00, 0x40
    };

    assert_int_equal(ngx_tscast_sps_h264(&sps, h264, sizeof(h264)), NGX_OK);
    assert_int_equal(sps.whole, 1);
    assert_int_equal(sps.frames, 25 * sps.seconds);

    assert_int_equal(ngx_tscast_sps_hevc(&sps, hevc, sizeof(hevc)), NGX_OK);
    assert_int_equal(sps.whole, 1);
    assert_int_equal(sps.width, 322);
    assert_int_equal(sps.height, 242);
    assert_int_equal(sps.profile, 2);
    assert_int_equal(sps.luma_depth, 10);
    assert_int_equal(sps.chroma_depth, 10);
    assert_memory_equal(sps.ptl, "\2\x20\0\0\0\x90\0\0\0\0\0\x3c", 12);

    /* the size is known before the set ends, and then the set is not whole */

    for (len = 12; len < sizeof(h264) - 5; len++) {
        assert_int_equal(ngx_tscast_sps_h264(&sps, h264, len), NGX_OK);
        assert_int_equal(sps.whole, 0);
        assert_int_equal(sps.width, 640);
        assert_int_equal(sps.height, 360);
    }

    /* a start code is its end */

    h264[12] = 0x00;
    h264[13] = 0x01;

    assert_int_equal(ngx_tscast_sps_h264(&sps, h264, sizeof(h264)), NGX_OK);
    assert_int_equal(sps.whole, 0);
}


static void
test_avc(void **state)
{
    size_t                  len;
    u_char                  p[256];
    ngx_tscast_sps_t        sps;
    ngx_tscast_flv_sets_t   sets;

    assert_int_equal(ngx_tscast_sps_h264(&sps, sps_320x240,
                                         sizeof(sps_320x240)), NGX_OK);
    assert_int_equal(sps.width, 320);
    assert_int_equal(sps.height, 240);

    /* cut anywhere before the last byte it is none */

    for (len = 0; len < sizeof(sps_320x240) - 1; len++) {
        assert_int_equal(ngx_tscast_sps_h264(&sps, sps_320x240, len),
                         NGX_DECLINED);
    }

    assert_int_equal(ngx_tscast_sps_h264(&sps, sps_1080, sizeof(sps_1080)),
                     NGX_OK);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.height, 1080);
    assert_int_equal(sps.chroma, 1);
    assert_int_equal(sps.luma_depth, 8);

    ngx_memzero(&sets, sizeof(sets));
    assert_int_equal(ngx_tscast_flv_avc_config(p, &sets, &sps), 0);

    assert_int_equal(ngx_tscast_flv_sets_keep(&sets, 7, 0, sps_1080,
                                              sizeof(sps_1080)), 1);
    assert_int_equal(ngx_tscast_flv_sets_keep(&sets, 8, 0, pps, 4), 1);
    assert_int_equal(ngx_tscast_flv_sets_keep(&sets, 8, 0, pps, 4), 0);

    /* ISO/IEC 14496-15: 6 bytes, the sets, and 4 bytes for High */

    len = ngx_tscast_flv_avc_config(p, &sets, &sps);

    assert_int_equal(len, 6 + 2 + 11 + 1 + 2 + 4 + 4);
    assert_memory_equal(p, "\1\x64\x00\x28\xff\xe1\x00\x0b", 8);
    assert_memory_equal(p + 8, sps_1080, sizeof(sps_1080));
    assert_memory_equal(p + 19, "\1\0\4\x68\xce\x3c\x80\xfd\xf8\xf8\0", 11);

    /* another set under the same id takes its place */

    assert_int_equal(ngx_tscast_flv_sets_keep(&sets, 7, 0, sps_320x240,
                                              sizeof(sps_320x240)), 1);
    assert_int_equal(ngx_tscast_flv_sets_count(&sets, 7), 1);
    assert_int_equal(sets.len, sizeof(sps_320x240) + 4);
    assert_int_equal(ngx_tscast_flv_avc_config(p, &sets, &sps),
                     6 + 2 + 8 + 1 + 2 + 4);

    /* ue(v) of seq_parameter_set_id and pic_parameter_set_id: 1, 00100 */

    assert_int_equal(ngx_tscast_flv_avc_set_id(sps_1080, 11), 0);
    assert_int_equal(ngx_tscast_flv_avc_set_id((u_char *) "\x68\x20", 2), 3);
    assert_int_equal(ngx_tscast_flv_avc_set_id((u_char *) "\x68", 1),
                     NGX_DECLINED);

    /* payload type 5 of two bytes, then 6 */

    assert_int_equal(ngx_tscast_flv_avc_recovers(
                         (u_char *) "\6\5\2\6\6\6\1\x80\x80", 9), 1);
    assert_int_equal(ngx_tscast_flv_avc_recovers(
                         (u_char *) "\6\5\4\6\6\6\1\x80\x80", 9), 0);
}


static void
test_sets_are_bounded(void **state)
{
    ngx_uint_t             i;
    static u_char          big[NGX_TSCAST_FLV_MAX_CONFIG + 1];
    ngx_tscast_flv_sets_t  sets;

    ngx_memzero(&sets, sizeof(sets));

    assert_int_equal(ngx_tscast_flv_sets_keep(&sets, 7, 0, big, sizeof(big)),
                     0);

    for (i = 0; i < 1000; i++) {
        big[0] = (u_char) i;
        ngx_tscast_flv_sets_keep(&sets, 7 + i % 2, (u_char) i, big, i % 700);
        assert_true(sets.nsets <= NGX_TSCAST_FLV_SETS);
        assert_true(sets.len <= NGX_TSCAST_FLV_MAX_CONFIG);
    }
}


static void
test_frames(void **state)
{
    ngx_tscast_flv_frame_t  f;

    /* LC (profile 1), index 3: 48 kHz, two channels, 100 bytes */

    static u_char  adts[] = { 0xff, 0xf1, 0x4c, 0x80, 0x0c, 0x9f, 0xfc };

    assert_int_equal(ngx_tscast_flv_adts_frame(adts, 6, &f), NGX_AGAIN);
    assert_int_equal(ngx_tscast_flv_adts_frame(adts, 7, &f), NGX_OK);
    assert_int_equal(f.len, 100);
    assert_int_equal(f.header, 7);
    assert_int_equal(f.rate, 48000);
    assert_int_equal(f.channels, 2);

    /* AudioSpecificConfig: 00010 0011 0010 000 */

    assert_int_equal(f.config, 0x1190);

    /* with a CRC; a layer that is not 0; index 13; four blocks */

    adts[1] = 0xf0;
    assert_int_equal(ngx_tscast_flv_adts_frame(adts, 7, &f), NGX_OK);
    assert_int_equal(f.header, 9);
    adts[1] = 0xf3;
    assert_int_equal(ngx_tscast_flv_adts_frame(adts, 7, &f), NGX_DECLINED);
    adts[1] = 0xf1;
    adts[2] = 0x74;
    assert_int_equal(ngx_tscast_flv_adts_frame(adts, 7, &f), NGX_DECLINED);
    adts[2] = 0x4c;
    adts[6] = 0xff;
    assert_int_equal(ngx_tscast_flv_adts_frame(adts, 7, &f), NGX_DECLINED);

    /* MPEG-1, 128 kbit/s, 44.1 kHz: 144 * 128000 / 44100 = 417, padding 1 */

    assert_int_equal(ngx_tscast_flv_mp3_frame((u_char *) "\xff\xfb\x92\xc0",
                                              4, &f), NGX_OK);
    assert_int_equal(f.len, 418);
    assert_int_equal(f.samples, 1152);
    assert_int_equal(f.channels, 1);

    /* MPEG-2, 64 kbit/s, 22.05 kHz: 72 * 64000 / 22050 = 208 */

    assert_int_equal(ngx_tscast_flv_mp3_frame((u_char *) "\xff\xf3\x80\x00",
                                              4, &f), NGX_OK);
    assert_int_equal(f.len, 208);
    assert_int_equal(f.rate, 22050);
    assert_int_equal(f.samples, 576);

    /* layer II */

    assert_int_equal(ngx_tscast_flv_mp3_frame((u_char *) "\xff\xfd\x90\x00",
                                              4, &f), NGX_DECLINED);

    /* au_size 255 + 1; CELT, 20 ms, one frame: configuration 31 */

    assert_int_equal(ngx_tscast_flv_opus_frame((u_char *) "\x7f\xe0\xff\1\xf8",
                                               5, &f), NGX_OK);
    assert_int_equal(f.header, 4);
    assert_int_equal(f.len, 4 + 256);
    assert_int_equal(f.samples, 960);

    /* start_trim of two bytes; SILK, 60 ms, two frames */

    assert_int_equal(ngx_tscast_flv_opus_frame(
                         (u_char *) "\x7f\xf0\x02\0\7\x19", 6, &f), NGX_OK);
    assert_int_equal(f.header, 5);
    assert_int_equal(f.samples, 2 * 2880);
}


static void
test_clock(void **state)
{
    uint64_t                 t, wrap;
    ngx_tscast_flv_clock_t   v, a;

    ngx_memzero(&v, sizeof(v));
    ngx_memzero(&a, sizeof(a));

    wrap = (uint64_t) 1 << 33;
    t = wrap - 3600;

    assert_true(ngx_tscast_flv_clock(&v, &a, t) == (int64_t) t);

    /* audio begins behind the wrap, video follows */

    assert_true(ngx_tscast_flv_clock(&a, &v, 100) == (int64_t) wrap + 100);
    assert_true(ngx_tscast_flv_clock(&v, &a, 0) == (int64_t) wrap);

    /* back by an hour: a step on; the other keeps its distance */

    t = wrap - 3600 * (uint64_t) 90000;

    assert_true(ngx_tscast_flv_clock(&v, &a, t) == (int64_t) wrap + 3600);
    assert_true(ngx_tscast_flv_clock(&a, &v, t + 700)
                == (int64_t) wrap + 3600 + 700);

    /* no time at all: as long as the last */

    assert_true(ngx_tscast_flv_clock(&v, &a, t + 1800)
                == (int64_t) wrap + 5400);
    assert_true(ngx_tscast_flv_clock(&v, &a, NGX_TSCAST_TS_NO_TIME)
                == (int64_t) wrap + 7200);
    assert_true(ngx_tscast_flv_clock(&v, &a, t + 5400)
                == (int64_t) wrap + 9000);
}


static void
video(u_char cc, uint64_t dts, uint64_t pts, char *p, size_t n)
{
    u_char                  *pos, pes[256];
    ngx_uint_t               i;
    uint64_t                 times[2];
    ngx_tscast_ts_packet_t   pkt;

    times[0] = pts;
    times[1] = dts;

    pos = ngx_cpymem(pes, "\0\0\1\xe0\0\0\x80\xc0\x0a", 9);

    for (i = 0; i < 2; i++) {
        *pos++ = (u_char) ((3 - 2 * i) << 4 | (times[i] >> 29 & 0x0e) | 1);
        *pos++ = (u_char) (times[i] >> 22);
        *pos++ = (u_char) (times[i] >> 14 | 1);
        *pos++ = (u_char) (times[i] >> 7);
        *pos++ = (u_char) (times[i] << 1 | 1);
    }

    pos = ngx_cpymem(pos, p, n);

    ngx_memzero(&pkt, sizeof(pkt));

    pkt.pid = 0x100;
    pkt.cc = cc;
    pkt.start = 1;
    pkt.has_payload = 1;
    pkt.payload = pes;
    pkt.len = pos - pes;

    ngx_tscast_ts_pes_packet(&m.video, &pkt);
}


static void
test_remux(void **state)
{
    size_t                     n;
    u_char                     start[NGX_TSCAST_FLV_FILE
                                     + NGX_TSCAST_FLV_MAX_HEADERS];
    ngx_tscast_flv_program_t   program;

    ngx_memzero(&program, sizeof(program));
    program.video = NGX_TSCAST_FLV_CODEC_H264;
    program.video_pid = 0x100;
    program.audio_pid = NGX_TSCAST_TS_NULL_PID;

    ngx_tscast_flv_remux_program(&m, &program);

    /* nothing without parameter sets */

    video(0, 0, 0, "\0\0\1\x41\x9a", 5);
    video(1, 9000, 18000,
          "\0\0\0\1\x09\x10\0\0\0\1\x67\x42\xc0\x1e\xda\x05\x07\xe4"
          "\0\0\1\x68\xce\x3c\x80\0\0\1\x65\x88", 30);
    assert_int_equal(tags.n, 0);
    assert_int_equal(m.lost, 1);

    video(2, 12600, 12600, "\0\0\1\x41\x9a", 5);
    assert_int_equal(tags.n, 2);
    assert_int_equal(tags.config[0], 1);
    assert_int_equal(tags.config[1], 0);
    assert_int_equal(tags.key[1], 1);
    assert_int_equal(tags.time[0], 100);
    assert_int_equal(tags.time[1], 100);

    /* the tag: 11 bytes, 5 of AVC with 100 ms, 4 and the slice, 4 */

    assert_int_equal(tags.len[1], 11 + 5 + 4 + 2 + 4);
    assert_memory_equal(tags.last,
                        "\x09\0\0\x0b\0\0\x64\0\0\0\0"
                        "\x17\1\0\0\x64\0\0\0\2\x65\x88\0\0\0\x16", 26);

    ngx_tscast_flv_remux_flush(&m);
    assert_int_equal(tags.n, 3);
    assert_int_equal(tags.key[2], 0);
    assert_int_equal(tags.time[2], 140);
    assert_int_equal(tags.last[11], 0x27);

    /* what a viewer is given, with and without the header of a file */

    n = ngx_tscast_flv_start(start, &m.headers, 0x01020304, 1);
    assert_memory_equal(start, "FLV\1\1\0\0\0\x09\0\0\0\0\x12", 14);
    assert_int_equal(n, 13 + m.headers.script + m.headers.video);

    n = ngx_tscast_flv_start(start, &m.headers, 0x01020304, 0);
    assert_int_equal(n, m.headers.video);
    assert_memory_equal(start, "\x09\0\0", 3);
    assert_memory_equal(start + 4, "\2\3\4\1\0\0\0\x17\0\0\0\0\1\x42", 14);

    /* the same sets again are nothing new, others are */

    video(3, 16200, 16200, "\0\0\1\x67\x42\xc0\x1e\xda\x05\x07\xe4\0\0\1"
          "\x68\xce\x3c\x80\0\0\1\x65\x88", 24);
    ngx_tscast_flv_remux_flush(&m);
    assert_int_equal(tags.n, 4);

    video(4, 19800, 19800, "\0\0\1\x68\xce\x3c\x90\0\0\1\x41\x88", 12);
    ngx_tscast_flv_remux_flush(&m);
    assert_int_equal(tags.n, 6);
    assert_int_equal(tags.config[4], 1);
}


static void
test_own_headers(void **state)
{
    ngx_tscast_flv_headers_t  h;

    ngx_memzero(&h, sizeof(h));

    /* in any order they end up as script, video, audio */

    assert_int_equal(ngx_tscast_flv_headers_set(&h, 8, (u_char *) "\xaf\0A",
                                                3), NGX_OK);
    assert_int_equal(ngx_tscast_flv_headers_set(&h, 9, (u_char *) "\x17\0V",
                                                3), NGX_OK);
    assert_int_equal(ngx_tscast_flv_headers_set(&h, 18, (u_char *) "meta", 4),
                     NGX_OK);
    assert_int_equal(ngx_tscast_flv_headers_set(&h, 9, (u_char *) "\x17\0V",
                                                3), NGX_DONE);
    assert_int_equal(ngx_tscast_flv_headers_set(&h, 9, (u_char *) "\x17\0WW",
                                                4), NGX_OK);

    assert_int_equal(h.flags, 5);
    assert_int_equal(h.script, 19);
    assert_int_equal(h.video, 19);
    assert_int_equal(h.audio, 18);
    assert_memory_equal(h.data + 11, "meta", 4);
    assert_memory_equal(h.data + 19 + 11, "\x17\0WW\0\0\0\x0f", 8);
    assert_memory_equal(h.data + 38 + 11, "\xaf\0A\0\0\0\x0e", 7);

    /* one that is too long is left out */

    assert_int_equal(ngx_tscast_flv_headers_set(&h, 9, out,
                                                NGX_TSCAST_FLV_MAX_HEADERS),
                     NGX_DECLINED);
    assert_int_equal(h.video, 19);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_pes, setup),
        cmocka_unit_test(test_nal),
        cmocka_unit_test(test_sps),
        cmocka_unit_test(test_avc),
        cmocka_unit_test(test_sets_are_bounded),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_clock),
        cmocka_unit_test_setup(test_remux, setup),
        cmocka_unit_test(test_own_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
