
/*
 * Copyright (C) the tscast authors
 */


/*
 * mux [hours=1] [mbit=6] [fps=30]
 *
 * CPU seconds for an hour of RTMP messages into a transport stream, and for
 * nothing else: H.264 with a key frame every two seconds, AAC of 128 kbit/s.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv_ts.h>

#include "bench.h"


#define MUX_GOP    2                      /* seconds */
#define MUX_KEY    8                      /* key frames are so much larger */
#define MUX_AUDIO  341                    /* bytes of a frame of AAC */
#define MUX_RATE   48000
#define MUX_HEAD   9                      /* before the NAL unit's type */


static ngx_int_t mux_write(void *data, u_char *p, size_t n);
static size_t mux_video(u_char *p, size_t len, int key);
static void mux_message(ngx_uint_t type, double time, u_char *p, size_t len);
static double mux_cpu(void);


static ngx_tscast_flv_ts_t  mux_ts;
static uint64_t             mux_bytes;


int
main(int argc, char **argv)
{
    long      n, every, fps;
    size_t    key, inter;
    double    hours, mbit, video, audio, cpu;
    u_char   *frame;

    static u_char  avcc[] = "\x17\0\0\0\0\1\x64\0\x28\xff\xe1\0\5\x67\x64\0"
                            "\x28\xac\1\0\4\x68\xee\x3c\x80";
    static u_char  asc[] = "\xaf\0\x11\x90";
    static u_char  aac[2 + MUX_AUDIO];

    hours = 1;
    mbit = 6;
    fps = 30;

    const bench_option_t  options[] = {
        { "hours", NULL, &hours, NULL },
        { "mbit", NULL, &mbit, NULL },
        { "fps", &fps, NULL, NULL },
        { NULL, NULL, NULL, NULL }
    };

    bench_options(argc, argv, options);

    every = fps * MUX_GOP;
    inter = mbit * 1e6 / 8 * MUX_GOP / (every - 1 + MUX_KEY);
    key = inter * MUX_KEY;

    frame = malloc(MUX_HEAD + key);

    if (frame == NULL) {
        bench_die("no memory");
    }

    memset(frame, 0x55, MUX_HEAD + key);
    memset(aac, 0x55, sizeof(aac));
    memcpy(aac, "\xaf\1", 2);

    mux_ts.mux.write = mux_write;

    ngx_tscast_flv_ts_init(&mux_ts);

    mux_message(NGX_TSCAST_FLV_VIDEO, 0, avcc, sizeof(avcc) - 1);
    mux_message(NGX_TSCAST_FLV_AUDIO, 0, asc, sizeof(asc) - 1);

    cpu = mux_cpu();
    audio = 0;

    for (n = 0; n < hours * 3600 * fps; n++) {
        video = n * 1000.0 / fps;

        while (audio < video) {
            mux_message(NGX_TSCAST_FLV_AUDIO, audio, aac, sizeof(aac));
            audio += 1024 * 1000.0 / MUX_RATE;
        }

        mux_message(NGX_TSCAST_FLV_VIDEO, video, frame,
                    mux_video(frame, n % every ? inter : key,
                              n % every == 0));
    }

    cpu = mux_cpu() - cpu;

    printf("{\"cpu\": %.4f, \"cpu_hour\": %.4f, \"seconds\": %.0f, "
           "\"bytes\": %" PRIu64 "}\n",
           cpu, cpu / hours, hours * 3600, mux_bytes);

    return 0;
}


static ngx_int_t
mux_write(void *data, u_char *p, size_t n)
{
    mux_bytes += n;

    return NGX_OK;
}


static size_t
mux_video(u_char *p, size_t len, int key)
{
    *p++ = key ? 0x17 : 0x27;
    *p++ = 1;
    *p++ = 0;
    *p++ = 0;
    *p++ = 0;
    *p++ = (u_char) (len >> 24);
    *p++ = (u_char) (len >> 16);
    *p++ = (u_char) (len >> 8);
    *p++ = (u_char) len;
    *p = key ? 0x65 : 0x41;

    return MUX_HEAD + len;
}


static void
mux_message(ngx_uint_t type, double time, u_char *p, size_t len)
{
    ngx_int_t  rc;

    rc = ngx_tscast_flv_ts_message(&mux_ts, type, (uint32_t) time, p, len);

    if (rc != NGX_OK) {
        bench_die("a message of type %d: %d", (int) type, (int) rc);
    }
}


static double
mux_cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}
