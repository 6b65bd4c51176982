
/*
 * Copyright (C) the tscast authors
 */


/*
 * Headers of elementary streams.  The bytes were made by ffmpeg 5.1 (libx264,
 * libx265, mpeg2video, mpeg1video, aac, mp2, libmp3lame, ac3, eac3) and what is
 * expected of them is what they were made with.
 */


#include "ts_build.h"

#include <ngx_tscast_ts_info.h>


#define NAMES(format)  ngx_tscast_ts_format_name(format, &info)

#define read_info(format, data)                                               \
    read_copy(format, (u_char *) data, sizeof(data) - 1)


static ngx_tscast_ts_info_t  info;


/* from a block of its own, so that a sanitizer sees its end */

static ngx_int_t
read_copy(ngx_tscast_ts_format_e format, u_char *data, size_t len)
{
    u_char     *p;
    ngx_int_t   rc;

    ngx_memzero(&info, sizeof(info));

    p = malloc(len ? len : 1);
    assert_non_null(p);
    ngx_memcpy(p, data, len);

    rc = ngx_tscast_ts_info(&info, format, p, len);

    free(p);

    return rc;
}


static void
size_is(ngx_uint_t width, ngx_uint_t height, ngx_uint_t frames,
    ngx_uint_t seconds)
{
    assert_int_equal(info.width, width);
    assert_int_equal(info.height, height);

    if (frames == 0) {
        assert_int_equal(info.seconds * info.frames, 0);
        return;
    }

    assert_int_equal((uint64_t) info.frames * seconds,
                     (uint64_t) info.seconds * frames);
}


static void
sound_is(ngx_uint_t rate, ngx_uint_t channels)
{
    assert_int_equal(info.sample_rate, rate);
    assert_int_equal(info.channels, channels);
}


/* ISO/IEC 14496-10: sequence parameter sets */

static void
ts_info_h264(void **state)
{
    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_H264,
              "\x00\x00\x01\x67\x42\xc0\x1e\xda\x02\x80\xbf\xe5\xc0\x44\x00"
              "\x00\x03\x00\x04\x00\x00\x03\x00\xc8\x3c\x58\xba\x80\x00\x00"
              "\x00\x01\x68"),
                     NGX_OK);
    size_is(640, 360, 25, 1);
    assert_int_equal(info.profile, 66);
    assert_int_equal(info.level, 30);

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_H264,
              "\x00\x00\x01\x67\x42\xc0\x28\xda\x01\xe0\x08\x9f\x97\x01\x10"
              "\x00\x00\x3e\x90\x00\x0e\xa6\x00\xf1\x83\x2a\x00\x00\x00\x01"
              "\x68"),
                     NGX_OK);
    size_is(1920, 1080, 30000, 1001);
    assert_int_equal(info.profile, 66);
    assert_int_equal(info.level, 40);

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_H264,
              "\x00\x00\x01\x67\x7a\x00\x1e\xbc\xd9\x40\xb4\x24\xd8\x08\x80"
              "\x00\x00\x03\x00\x80\x00\x00\x19\x0f\x8a\x14\xcb\x00\x00\x00"
              "\x01\x68"),
                     NGX_OK);
    size_is(720, 576, 25, 1);
    assert_int_equal(info.profile, 122);
    assert_int_equal(info.level, 30);

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_H264,
              "\x00\x00\x01\x67\xf4\x00\x15\x91\x9b\x28\x2a\x10\xf1\xf1\xf8"
              "\x08\x80\x00\x00\x03\x00\x80\x00\x00\x32\x07\x8b\x16\xcb\x00"
              "\x00\x00\x01\x68"),
                     NGX_OK);
    size_is(322, 242, 50, 1);
    assert_int_equal(info.profile, 244);
    assert_int_equal(info.level, 21);
}


/* ISO/IEC 23008-2 */

static void
ts_info_hevc(void **state)
{
    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_HEVC,
              "\x00\x00\x01\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00"
              "\x03\x00\x00\x03\x00\x7b\xa0\x03\xc0\x80\x11\x07\xcb\x96\x56"
              "\x54\xa4\xc2\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x1e"
              "\x04\x00\x00\x00\x01\x44"),
                     NGX_OK);
    size_is(1920, 1080, 60, 1);
    assert_int_equal(info.profile, 1);
    assert_int_equal(info.level, 123);

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_HEVC,
              "\x00\x00\x01\x42\x01\x02\x02\x20\x00\x00\x03\x00\x90\x00\x00"
              "\x03\x00\x00\x03\x00\x3c\x00\x00\xa0\x0a\x48\x0f\x9c\x92\x36"
              "\x59\x59\x4a\xcb\x24\x9c\xaf\x01\x68\x08\x00\x00\x1f\x48\x00"
              "\x02\xee\x00\x40\x00\x00\x00\x01\x44"),
                     NGX_OK);
    size_is(322, 242, 24000, 1001);
    assert_int_equal(info.profile, 2);
    assert_int_equal(info.level, 60);
}


/* ISO/IEC 13818-2 and 11172-2: sequence headers */

static void
ts_info_mpeg(void **state)
{
    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_VIDEO,
              "\x00\x00\x01\xb3\x2d\x02\x40\x13\xff\xff\xe0\x18\x00\x00\x01"
              "\xb5\x14\x8a\x00\x01\x00\x00\x00\x00\x01\xb8\x00\x08\x00\x40"
              "\x00\x00\x01\x00"),
                     NGX_OK);
    size_is(720, 576, 25, 1);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_MPEG_VIDEO),
                        "mpeg2video");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_VIDEO,
              "\x00\x00\x01\xb3\x16\x01\x20\x14\xff\xff\xe0\x18\x00\x00\x01"
              "\xb8\x00\x08\x00\x40\x00\x00\x01\x00\x00\x0f\xff\xf8\x00\x00"
              "\x01\x01\x2b\xf8"),
                     NGX_OK);
    size_is(352, 288, 30000, 1001);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_MPEG_VIDEO),
                        "mpeg1video");
}


/* ADTS, MPEG audio, AC-3 and E-AC-3 */

static void
ts_info_audio(void **state)
{
    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AAC,
              "\xff\xf1\x4c\x80\x24\xff\xfc\xde\x02\x00"),
                     NGX_OK);
    sound_is(48000, 2);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_AAC), "aac");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AAC,
              "\xff\xf1\x6c\x40\x4c\x1f\xfc\xde\x02\x00"),
                     NGX_OK);
    sound_is(8000, 1);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_AAC), "aac");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AAC,
              "\xff\xf1\x51\x80\x32\x7f\xfc\xde\x02\x00"),
                     NGX_OK);
    sound_is(44100, 6);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_AAC), "aac");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO,
              "\xff\xfd\xe4\x04\x88\x66\x66\x77\x66\x77"),
                     NGX_OK);
    sound_is(48000, 2);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO), "mp2");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO,
              "\xff\xf5\xe0\xc4\xff\xff\xff\xff\xff\xff"),
                     NGX_OK);
    sound_is(22050, 1);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO), "mp2");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO,
              "\xff\xfb\x90\x64\x00\x00\x02\x6b\x0b\xce"),
                     NGX_OK);
    sound_is(44100, 2);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO), "mp3");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO,
              "\xff\xe3\x20\xc4\x00\x12\x50\x02\xcd\xbf"),
                     NGX_OK);
    sound_is(11025, 1);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO), "mp3");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AC3,
              "\x0b\x77\xb5\x0b\x1e\x40\xeb\xf8\x40\x3e"),
                     NGX_OK);
    sound_is(48000, 6);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_AC3), "ac3");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AC3,
              "\x0b\x77\x95\x2f\x8c\x40\x2f\x84\x2b\xf1"),
                     NGX_OK);
    sound_is(32000, 1);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_AC3), "ac3");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AC3,
              "\x0b\x77\xc2\xea\x54\x40\x43\xe1\x06\xf5"),
                     NGX_OK);
    sound_is(44100, 2);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_AC3), "ac3");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_EAC3,
              "\x0b\x77\x03\x7f\x3f\x87\xc0\x00\x20\xf8"),
                     NGX_OK);
    sound_is(48000, 6);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_EAC3), "eac3");

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_EAC3,
              "\x0b\x77\x01\xa0\x74\x87\xc0\x00\x20\x84"),
                     NGX_OK);
    sound_is(44100, 2);
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_EAC3), "eac3");
}


/* cut anywhere, a header is refused, and nothing is told of it */

static void
ts_info_cut(void **state)
{
    size_t                n;
    ngx_tscast_ts_info_t  none;

    static char  h264[] =
        "\x00\x00\x01\x67\x42\xc0\x1e\xda\x02\x80\xbf\xe5\xc0\x44\x00"
        "\x00\x03\x00\x04\x00\x00\x03\x00\xc8\x3c\x58\xba\x80";
    static char  adts[] = "\xff\xf1\x4c\x80\x0c\x9f\xfc";

    ngx_memzero(&none, sizeof(none));

    for (n = 0; n < 24; n++) {
        assert_int_equal(read_copy(NGX_TSCAST_TS_FORMAT_H264, (u_char *) h264,
                                   n),
                         NGX_DECLINED);
        assert_memory_equal(&info, &none, sizeof(none));
    }

    for (n = 0; n < 7; n++) {
        assert_int_equal(read_copy(NGX_TSCAST_TS_FORMAT_AAC, (u_char *) adts,
                                   n),
                         NGX_DECLINED);
        assert_memory_equal(&info, &none, sizeof(none));
    }

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AAC,
                               "\xff\xf1\x4c\x80\x0c\x9f\xfc"),
                     NGX_OK);
    sound_is(48000, 2);

    /* sampling_frequency_index 13, a version and a layer that are reserved */

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_AAC,
                               "\xff\xf1\x74\x80\x0c\x9f\xfc"),
                     NGX_DECLINED);
    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO,
                               "\xff\xeb\x90\x00"),
                     NGX_DECLINED);
    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_MPEG_AUDIO,
                               "\xff\xf9\x90\x00"),
                     NGX_DECLINED);

    /* a number with more zeros than any has, and cropping beyond the size */

    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_H264,
                               "\0\0\1\x67\x42\0\x1e\0\4\0\4\0\4\0\4\0\4"),
                     NGX_DECLINED);
    assert_int_equal(read_info(NGX_TSCAST_TS_FORMAT_VVC, "\0\0\1\x79"),
                     NGX_DECLINED);
}


static ngx_tscast_ts_format_e
format_of(u_char type, char *info, size_t len)
{
    u_char  es[64];

    es[0] = type;
    es[1] = 0xe1;
    es[2] = 0x00;
    es[3] = 0xf0;
    es[4] = (u_char) len;
    ngx_memcpy(es + 5, info, len);

    return ngx_tscast_ts_format(es);
}


static void
ts_info_formats(void **state)
{
    assert_int_equal(format_of(0x1b, "", 0), NGX_TSCAST_TS_FORMAT_H264);
    assert_int_equal(format_of(0x24, "", 0), NGX_TSCAST_TS_FORMAT_HEVC);
    assert_int_equal(format_of(0x0f, "", 0), NGX_TSCAST_TS_FORMAT_AAC);
    assert_int_equal(format_of(0x86, "", 0), NGX_TSCAST_TS_FORMAT_SCTE35);
    assert_int_equal(format_of(0x06, "", 0), NGX_TSCAST_TS_FORMAT_UNKNOWN);

    assert_int_equal(format_of(0x06, "\x0a\4eng\0\5\4Opus", 12),
                     NGX_TSCAST_TS_FORMAT_OPUS);
    assert_int_equal(format_of(0x06, "\x59\0", 2),
                     NGX_TSCAST_TS_FORMAT_DVB_SUBTITLE);
    assert_int_equal(format_of(0x06, "\x6a\1\0", 3),
                     NGX_TSCAST_TS_FORMAT_AC3);

    /* a descriptor that goes beyond the end */

    assert_int_equal(format_of(0x06, "\5\5Opus", 6),
                     NGX_TSCAST_TS_FORMAT_UNKNOWN);

    assert_true(ngx_tscast_ts_is_video(NGX_TSCAST_TS_FORMAT_HEVC));
    assert_false(ngx_tscast_ts_is_video(NGX_TSCAST_TS_FORMAT_AAC));
    assert_true(ngx_tscast_ts_is_audio(NGX_TSCAST_TS_FORMAT_OPUS));
    assert_false(ngx_tscast_ts_is_audio(NGX_TSCAST_TS_FORMAT_SCTE35));

    assert_null(NAMES(NGX_TSCAST_TS_FORMAT_UNKNOWN));
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_ID3), "timed_id3");
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_JPEG2000), "jpeg2000");
    assert_string_equal(NAMES(NGX_TSCAST_TS_FORMAT_S302M), "s302m");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ts_info_h264),
        cmocka_unit_test(ts_info_hevc),
        cmocka_unit_test(ts_info_mpeg),
        cmocka_unit_test(ts_info_audio),
        cmocka_unit_test(ts_info_cut),
        cmocka_unit_test(ts_info_formats)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
