
/*
 * Copyright (C) the tscast authors
 */


/*
 * Units of any lengths and times.  Each is
 *
 *     kind, length (2 bytes), growth of the DTS (2 bytes), PTS after it
 *
 * and its kind a track (bit 0), a random access point (bit 1), a change of the
 * program (bits 2 to 4), and a refusal by the writer (bits 5 to 7 all set).
 * The PES packets must come out with the bytes that went in.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_mux.h>


#define FUZZ_MUX_UNIT  6
#define FUZZ_MUX_PES   9

#define fuzz_mux_check(x)                                                     \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_mux_unit(const uint8_t *data);
static ngx_int_t fuzz_mux_write(void *data, u_char *p, size_t n);
static void fuzz_mux_payload(u_char *p, u_char *last);


static ngx_tscast_mux_t  fuzz_mux;
static uint64_t          fuzz_mux_dts[2];
static ngx_uint_t        fuzz_mux_refuses;

/* of the unit that is on its way */

static uint16_t          fuzz_mux_pid;
static size_t            fuzz_mux_len;    /* of its PES packet, so far */
static size_t            fuzz_mux_skip;   /* of its header */
static int               fuzz_mux_cc[8192];
static u_char            fuzz_mux_media[65536];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_uint_t  i;

    for (i = 0; i < sizeof(fuzz_mux_media); i++) {
        fuzz_mux_media[i] = (u_char) (i * 31 + (i >> 8));
    }

    for (i = 0; i < 8192; i++) {
        fuzz_mux_cc[i] = -1;
    }

    fuzz_mux.write = fuzz_mux_write;

    ngx_tscast_mux_init(&fuzz_mux);

    fuzz_mux_dts[0] = (uint64_t) 1 << 40;
    fuzz_mux_dts[1] = (uint64_t) 1 << 40;

    while (size >= FUZZ_MUX_UNIT) {
        fuzz_mux_unit(data);
        data += FUZZ_MUX_UNIT;
        size -= FUZZ_MUX_UNIT;
    }

    return 0;
}


static void
fuzz_mux_unit(const uint8_t *data)
{
    size_t                 n;
    ngx_int_t              rc;
    ngx_uint_t             kind, other;
    ngx_tscast_mux_unit_t  unit;

    static const ngx_uint_t  types[2][4] = {
        { NGX_TSCAST_MUX_H264, NGX_TSCAST_MUX_HEVC, NGX_TSCAST_MUX_H264,
          NGX_TSCAST_MUX_H264 },
        { NGX_TSCAST_MUX_ADTS, NGX_TSCAST_MUX_MPEG1_AUDIO,
          NGX_TSCAST_MUX_MPEG2_AUDIO, NGX_TSCAST_MUX_ADTS }
    };

    kind = data[0];
    fuzz_mux_refuses = ((kind >> 5) == 7);

    unit.track = kind & 1;
    unit.random = (kind >> 1) & 1;
    unit.len = data[1] << 8 | data[2];

    other = !unit.track;

    ngx_tscast_mux_track(&fuzz_mux, unit.track,
                         types[unit.track][(kind >> 2) & 3]);

    if (kind & 16) {
        ngx_tscast_mux_track(&fuzz_mux, other, NGX_TSCAST_MUX_NONE);
    }

    if (unit.track == NGX_TSCAST_MUX_AUDIO
        && unit.len > NGX_TSCAST_MUX_MAX_AUDIO)
    {
        unit.len = NGX_TSCAST_MUX_MAX_AUDIO;
    }

    fuzz_mux_dts[unit.track] += 1 + (data[3] << 8 | data[4]);

    unit.dts = fuzz_mux_dts[unit.track];
    unit.pts = unit.dts + data[5] * 90;

    fuzz_mux_pid = unit.track ? NGX_TSCAST_MUX_AUDIO_PID
                              : NGX_TSCAST_MUX_VIDEO_PID;
    fuzz_mux_len = 0;
    fuzz_mux_skip = FUZZ_MUX_PES + (data[5] ? 10 : 5);

    ngx_tscast_mux_begin(&fuzz_mux, &unit);

    n = unit.len / 3;

    ngx_tscast_mux_put(&fuzz_mux, fuzz_mux_media, n);
    ngx_tscast_mux_put(&fuzz_mux, fuzz_mux_media + n, unit.len - n);

    rc = ngx_tscast_mux_end(&fuzz_mux);

    if (fuzz_mux_refuses) {
        fuzz_mux_check(rc == NGX_BUSY);
        return;
    }

    fuzz_mux_check(rc == NGX_OK);
    fuzz_mux_check(fuzz_mux_len == fuzz_mux_skip + unit.len);
}


static ngx_int_t
fuzz_mux_write(void *data, u_char *p, size_t n)
{
    int          cc, next;
    u_char      *last, *payload;
    uint16_t     pid;

    fuzz_mux_check(n && n % NGX_TSCAST_TS_PACKET == 0);

    for (last = p + n; p < last; p += NGX_TSCAST_TS_PACKET) {

        fuzz_mux_check(p[0] == NGX_TSCAST_TS_SYNC_BYTE);

        pid = ngx_tscast_ts_get_pid(p);
        cc = ngx_tscast_ts_get_continuity_counter(p);
        payload = p + 4;

        if (p[3] & 0x20) {
            fuzz_mux_check(p[4] <= ((p[3] & 0x10) ? 182 : 183));
            payload += 1 + p[4];
        }

        next = (fuzz_mux_cc[pid] + ((p[3] & 0x10) ? 1 : 0)) & 15;

        fuzz_mux_check(fuzz_mux_refuses || fuzz_mux_cc[pid] == -1
                       || cc == next);

        fuzz_mux_cc[pid] = cc;

        if (pid == fuzz_mux_pid && (p[3] & 0x10)) {
            fuzz_mux_payload(payload, p + NGX_TSCAST_TS_PACKET);
        }
    }

    if (fuzz_mux_refuses) {

        for (n = 0; n < 8192; n++) {
            fuzz_mux_cc[n] = -1;
        }

        return NGX_BUSY;
    }

    return NGX_OK;
}


static void
fuzz_mux_payload(u_char *p, u_char *last)
{
    while (p < last) {

        if (fuzz_mux_len >= fuzz_mux_skip) {
            fuzz_mux_check(*p == fuzz_mux_media[fuzz_mux_len
                                                - fuzz_mux_skip]);
        }

        fuzz_mux_len++;
        p++;
    }
}
