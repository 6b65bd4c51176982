
/*
 * Copyright (C) the tscast authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_read.h>


#define bytes(s)  (u_char *) s, sizeof(s) - 1


static ngx_tscast_flv_message_t  msg;
static ngx_tscast_flv_video_t    v;
static ngx_tscast_flv_aac_t      aac;
static ngx_str_t                 name;


static void
flv_read_video(void **state)
{
    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x17\0\0\0\0ab")),
                     NGX_OK);
    assert_int_equal(msg.codec, NGX_TSCAST_FLV_H264);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_CONFIG);
    assert_int_equal(msg.len, 2);
    assert_memory_equal(msg.data, "ab", 2);

    assert_int_equal(ngx_tscast_flv_read_video(&msg,
                                               bytes("\x27\1\xff\xff\xfex")),
                     NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_FRAME);
    assert_int_equal(msg.key, 0);
    assert_int_equal(msg.offset, -2);
    assert_int_equal(msg.len, 1);

    assert_int_equal(ngx_tscast_flv_read_video(&msg,
                                               bytes("\x17\1\x01\0\0x")),
                     NGX_OK);
    assert_int_equal(msg.key, 1);
    assert_int_equal(msg.offset, 65536);

    /* the end of a sequence, a command, nothing */

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x17\2\0\0\0")),
                     NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_NOTHING);
    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x57\1")), NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_NOTHING);
    assert_int_equal(ngx_tscast_flv_read_video(&msg, NULL, 0), NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_NOTHING);

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x17")),
                     NGX_ERROR);
    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x17\1\0\0")),
                     NGX_ERROR);

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x24x")),
                     NGX_DECLINED);
    assert_string_equal((char *) msg.name.data, "VP6");
}


static void
flv_read_enhanced(void **state)
{
    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x90hvc1ab")),
                     NGX_OK);
    assert_int_equal(msg.codec, NGX_TSCAST_FLV_HEVC);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_CONFIG);
    assert_int_equal(msg.len, 2);

    assert_int_equal(ngx_tscast_flv_read_video(&msg,
                                               bytes("\xa1hvc1\0\0\x28x")),
                     NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_FRAME);
    assert_int_equal(msg.offset, 40);
    assert_int_equal(msg.key, 0);
    assert_int_equal(msg.len, 1);

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x93hvc1xyz")),
                     NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_FRAME);
    assert_int_equal(msg.key, 1);
    assert_int_equal(msg.offset, 0);
    assert_int_equal(msg.len, 3);

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x92hvc1")),
                     NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_NOTHING);

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x90hvc")),
                     NGX_ERROR);
    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\xa1hvc1\0\0")),
                     NGX_ERROR);

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x90" "av01")),
                     NGX_DECLINED);
    assert_memory_equal(msg.name.data, "av01", 4);

    /* audio in a message of video, and what no log line should have */

    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x90mp4a")),
                     NGX_DECLINED);
    assert_int_equal(ngx_tscast_flv_read_video(&msg, bytes("\x90" "a\n01")),
                     NGX_DECLINED);
    assert_memory_equal(msg.name.data, "unknown", 7);
}


static void
flv_read_audio(void **state)
{
    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\xaf\0\x12\x10")),
                     NGX_OK);
    assert_int_equal(msg.codec, NGX_TSCAST_FLV_AAC);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_CONFIG);
    assert_int_equal(msg.len, 2);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\xaf\1x")),
                     NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_FRAME);
    assert_int_equal(msg.len, 1);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\xaf")),
                     NGX_ERROR);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\x2f\xff\xfb")),
                     NGX_OK);
    assert_int_equal(msg.codec, NGX_TSCAST_FLV_MP3);
    assert_int_equal(msg.len, 2);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\xe2x")), NGX_OK);
    assert_int_equal(msg.codec, NGX_TSCAST_FLV_MP3);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\x91mp4ax")),
                     NGX_OK);
    assert_int_equal(msg.codec, NGX_TSCAST_FLV_AAC);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_FRAME);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\x90mp4axy")),
                     NGX_OK);
    assert_int_equal(msg.kind, NGX_TSCAST_FLV_CONFIG);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\x90Opus")),
                     NGX_DECLINED);
    assert_memory_equal(msg.name.data, "Opus", 4);

    assert_int_equal(ngx_tscast_flv_read_audio(&msg, bytes("\x70")),
                     NGX_DECLINED);
    assert_string_equal((char *) msg.name.data, "G.711 A-law");
    assert_int_equal(ngx_tscast_flv_read_audio(&msg, NULL, 0), NGX_OK);
}


/* ISO/IEC 14496-15, 5.3.3.1: two SPS and a PPS, and what may follow */

static u_char  avcc[] =
    "\1\x64\0\x1f\xff\xe2"
    "\0\3\x67" "ab\0\2\x67" "c"
    "\1\0\2\x68" "d"
    "\xfd\xf8\xf8\0";


static void
flv_read_avcc(void **state)
{
    size_t   n;
    u_char  *p;

    assert_int_equal(ngx_tscast_flv_read_avcc(&v, avcc, sizeof(avcc) - 1),
                     NGX_OK);
    assert_int_equal(v.codec, NGX_TSCAST_FLV_H264);
    assert_int_equal(v.length_size, 4);
    assert_int_equal(v.len, 7 + 6 + 6);
    assert_memory_equal(v.sets, "\0\0\0\1\x67" "ab\0\0\0\1\x67" "c"
                        "\0\0\0\1\x68" "d", 19);

    /* cut off anywhere, in a block of that size */

    for (n = 0; n < sizeof(avcc) - 5; n++) {
        p = malloc(n + 1);
        ngx_memcpy(p, avcc, n);
        assert_int_equal(ngx_tscast_flv_read_avcc(&v, p, n), NGX_ERROR);
        free(p);
    }

    assert_int_equal(ngx_tscast_flv_read_avcc(&v, bytes("\2\x64\0\x1f\xff\xe0"
                                                        "\0")),
                     NGX_ERROR);

    /* an empty set */

    assert_int_equal(ngx_tscast_flv_read_avcc(&v, bytes("\1\x64\0\x1f\xff\xe1"
                                                        "\0\0\0")),
                     NGX_ERROR);
}


static void
flv_read_sets_too_long(void **state)
{
    u_char  *p;
    size_t   n, len;

    for (n = NGX_TSCAST_FLV_MAX_SETS - 5; n < NGX_TSCAST_FLV_MAX_SETS; n++) {
        len = 8 + n + 1;
        p = calloc(1, len);

        ngx_memcpy(p, "\1\x64\0\x1f\xff\xe1", 6);
        p[6] = n >> 8;
        p[7] = (u_char) n;
        p[8] = 0x67;

        assert_int_equal(ngx_tscast_flv_read_avcc(&v, p, len),
                         n + 4 <= NGX_TSCAST_FLV_MAX_SETS ? NGX_OK
                                                          : NGX_ERROR);
        free(p);
    }
}


/* ISO/IEC 14496-15, 8.3.3.1 */

static u_char  hvcc[] =
    "\1paaaabbbbbbc\xf0\0\xfc\xfd\xf8\xf8\0\0\x0d\3"
    "\xa0\0\1\0\2\x40v"
    "\xa1\0\1\0\3\x42sp"
    "\xa2\0\2\0\2\x44p\0\2\x44q";


static void
flv_read_hvcc(void **state)
{
    size_t   n;
    u_char  *p;

    assert_int_equal(ngx_tscast_flv_read_hvcc(&v, hvcc, sizeof(hvcc) - 1),
                     NGX_OK);
    assert_int_equal(v.codec, NGX_TSCAST_FLV_HEVC);
    assert_int_equal(v.length_size, 2);
    assert_int_equal(v.len, 6 + 7 + 6 + 6);
    assert_memory_equal(v.sets, "\0\0\0\1\x40v\0\0\0\1\x42sp\0\0\0\1\x44p"
                        "\0\0\0\1\x44q", 25);

    for (n = 0; n < sizeof(hvcc) - 1; n++) {
        p = malloc(n + 1);
        ngx_memcpy(p, hvcc, n);
        assert_int_equal(ngx_tscast_flv_read_hvcc(&v, p, n), NGX_ERROR);
        free(p);
    }
}


static ngx_int_t
flv_nals(ngx_uint_t length_size, u_char *p, size_t len, char *expect)
{
    char                   got[256], *g;
    u_char                *last;
    ngx_int_t              rc, all;
    ngx_str_t              nal;
    ngx_tscast_flv_unit_t  unit;

    v.length_size = length_size;

    rc = ngx_tscast_flv_read_unit(&v, p, len, &unit);

    last = p + len;
    g = got;

    while ((all = ngx_tscast_flv_read_nal(&v, &p, last, &nal)) == NGX_OK) {
        ngx_memcpy(g, nal.data, nal.len);
        g += nal.len;
        *g++ = '|';
    }

    *g = '\0';
    assert_string_equal(got, expect);
    assert_int_equal(rc, all == NGX_DONE ? NGX_OK : NGX_ERROR);

    return rc;
}


static void
flv_read_nals(void **state)
{
    ngx_tscast_flv_unit_t  unit;

    v.codec = NGX_TSCAST_FLV_H264;

    /* with a delimiter (9) and an empty unit in between */

    assert_int_equal(flv_nals(4, bytes("\0\0\0\2\x09\xf0\0\0\0\2\x65"
                                       "a\0\0\0\0\0\0\0\3\x41" "bc"),
                              "\x65" "a|\x41" "bc|"),
                     NGX_OK);
    assert_int_equal(flv_nals(1, bytes("\2\x65" "a\0\3\x41" "bc"),
                              "\x65" "a|\x41" "bc|"),
                     NGX_OK);
    assert_int_equal(flv_nals(2, bytes("\0\2\x65" "a"), "\x65" "a|"), NGX_OK);
    assert_int_equal(flv_nals(3, bytes("\0\0\2\x65" "a"), "\x65" "a|"),
                     NGX_OK);

    assert_int_equal(flv_nals(4, bytes("\0\0\0\1\x41\0\0\0\2\x65"), "\x41|"),
                     NGX_ERROR);
    assert_int_equal(flv_nals(4, bytes("\0\0\0\1\x41\0\0\0"), "\x41|"),
                     NGX_ERROR);
    assert_int_equal(flv_nals(4, bytes("\xff\xff\xff\xff\x41"), ""),
                     NGX_ERROR);
    assert_int_equal(flv_nals(4, NULL, 0, ""), NGX_OK);

    v.length_size = 1;

    assert_int_equal(ngx_tscast_flv_read_unit(&v, bytes("\1\x67\1\x68\2\x65"
                                                        "a"), &unit),
                     NGX_OK);
    assert_int_equal(unit.len, 5 + 5 + 6);
    assert_int_equal(unit.random, 1);
    assert_int_equal(unit.sets, 1);

    assert_int_equal(ngx_tscast_flv_read_unit(&v, bytes("\1\x68\2\x41" "a"),
                                              &unit),
                     NGX_OK);
    assert_int_equal(unit.random, 0);
    assert_int_equal(unit.sets, 0);

    /* CRA_NUT, and all sets but the VPS */

    v.codec = NGX_TSCAST_FLV_HEVC;

    assert_int_equal(ngx_tscast_flv_read_unit(&v, bytes("\2\x46\1\2\x42\1"
                                                        "\2\x44\1\2\x2a\1"),
                                              &unit),
                     NGX_OK);
    assert_int_equal(unit.len, 3 * 6);
    assert_int_equal(unit.random, 1);
    assert_int_equal(unit.sets, 0);

    /* TRAIL_R */

    assert_int_equal(ngx_tscast_flv_read_unit(&v, bytes("\2\x02\1"), &unit),
                     NGX_OK);
    assert_int_equal(unit.random, 0);
}


/* AudioSpecificConfig: ISO/IEC 14496-3, 1.6.2.1, and the ADTS it becomes */

static void
flv_read_aac_one(char *asc, size_t len, ngx_uint_t object, ngx_uint_t index,
    ngx_uint_t channels)
{
    assert_int_equal(ngx_tscast_flv_read_aac(&aac, (u_char *) asc, len, &name),
                     NGX_OK);
    assert_int_equal(aac.object, object);
    assert_int_equal(aac.index, index);
    assert_int_equal(aac.channels, channels);
}


static void
flv_read_aac(void **state)
{
    char    asc[2];
    u_char  header[7];
    int     index, channels;

    /* each rate with each number of channels */

    for (index = 0; index < 13; index++) {
        for (channels = 1; channels < 8; channels++) {
            asc[0] = 2 << 3 | index >> 1;
            asc[1] = (index & 1) << 7 | channels << 3;

            flv_read_aac_one(asc, 2, 2, index, channels);
        }
    }

    /* 13: none; 14: reserved */

    assert_int_equal(ngx_tscast_flv_read_aac(&aac, bytes("\x16\x90"), &name),
                     NGX_ERROR);

    flv_read_aac_one("\x0a\x10", 2, 1, 4, 2);         /* Main, 44100, 2 */

    /* HE-AAC: SBR of 48000 on LC of 24000, and with PS on mono */

    flv_read_aac_one("\x2b\x11\x88\x00", 4, 2, 6, 2);
    flv_read_aac_one("\xeb\x09\x88\x00", 4, 2, 6, 1);

    /* LC with its frequency written out, 48000 */

    flv_read_aac_one("\x17\x80\x5d\xc0\x10", 5, 2, 3, 2);

    flv_read_aac_one("\x13\x10", 2, 2, 6, 2);

    ngx_tscast_flv_adts(&aac, header, 93);
    assert_memory_equal(header, "\xff\xf1\x58\x80\x0c\x9f\xfc", 7);

    ngx_tscast_flv_adts(&aac, header, NGX_TSCAST_FLV_MAX_AAC);
    assert_memory_equal(header, "\xff\xf1\x58\x83\xff\xff\xfc", 7);
}


static void
flv_read_aac_not(char *asc, size_t len, char *is)
{
    assert_int_equal(ngx_tscast_flv_read_aac(&aac, (u_char *) asc, len, &name),
                     NGX_DECLINED);
    assert_string_equal((char *) name.data, is);
}


static void
flv_read_aac_refused(void **state)
{
    size_t   n;
    u_char  *p;

    flv_read_aac_not("\x12\x14", 2, "AAC of 960 samples a frame");
    flv_read_aac_not("\x12\x00", 2, "AAC of unusual channels");
    flv_read_aac_not("\x12\x40", 2, "AAC of unusual channels");
    flv_read_aac_not("\x17\x80\x07\xd0\x10", 5,
                     "AAC of an unusual sampling frequency");   /* 4000 */
    flv_read_aac_not("\xb9\x90", 2, "AAC LD");
    flv_read_aac_not("\xf8\xe6\x40", 3, "AAC ELD");
    flv_read_aac_not("\xf9\x46\x40", 3, "xHE-AAC");
    flv_read_aac_not("\x02\x10", 2, "MPEG-4 audio other than AAC");

    for (n = 0; n < 4; n++) {
        p = malloc(n + 1);
        ngx_memcpy(p, "\x17\x80\x5d\xc0", n);
        assert_int_equal(ngx_tscast_flv_read_aac(&aac, p, n, &name),
                         NGX_ERROR);
        free(p);
    }

    assert_int_equal(ngx_tscast_flv_read_aac(&aac, bytes("\x12"), &name),
                     NGX_ERROR);
    assert_int_equal(ngx_tscast_flv_read_aac(&aac, bytes("\x2b\x11"), &name),
                     NGX_ERROR);
}


/* ISO/IEC 11172-3, 2.4.2.3, 13818-3, and MPEG-2.5 as everybody has it */

static void
flv_read_mp3(void **state)
{
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xfb\x90\0")), 44100);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xfb\x94\0")), 48000);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xfb\x98\0")), 32000);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xfb\x9c\0")), 0);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xf3\x90\0")), 22050);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xe3\x98\0")), 8000);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xeb\x98\0")), 0);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("\xff\xfb\x90")), 0);
    assert_int_equal(ngx_tscast_flv_mp3_rate(bytes("ID3\4")), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(flv_read_video),
        cmocka_unit_test(flv_read_enhanced),
        cmocka_unit_test(flv_read_audio),
        cmocka_unit_test(flv_read_avcc),
        cmocka_unit_test(flv_read_sets_too_long),
        cmocka_unit_test(flv_read_hvcc),
        cmocka_unit_test(flv_read_nals),
        cmocka_unit_test(flv_read_aac),
        cmocka_unit_test(flv_read_aac_refused),
        cmocka_unit_test(flv_read_mp3)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
