
/*
 * Copyright (C) the tscast authors
 */


/*
 * The checks of ETSI TR 101 290: each fault is put in by hand, and is counted
 * once and as nothing else.
 */


#include "ts_build.h"

#include <ngx_tscast_ts_health.h>


#define VIDEO  0x100
#define AUDIO  0x101
#define PMT    0x1000

#define WRAP   ((uint64_t) 1 << 33)

/* 25 frames a second, in 90 kHz */
#define FRAME  3600


static ts_build_t               b;
static ngx_tscast_ts_parser_t   parser;
static ngx_tscast_ts_health_t   h;
static ngx_tscast_ts_errors_t   expected;
static uint64_t                 now;         /* 90 kHz, not wrapped */
static size_t                   pos;
static ngx_msec_t               arrival;


/* what has been built, as a publisher hands it in */

static void
feed(void)
{
    ngx_tscast_ts_health_arrive(&h, arrival);

    for ( /* void */ ; pos < b.len; pos += 188) {

        if (ngx_tscast_ts_parse(&parser, b.data + pos, pos)
            & NGX_TSCAST_TS_TABLES)
        {
            ngx_tscast_ts_health_tables(&h, &parser);
        }

        ngx_tscast_ts_health_packet(&h, b.data + pos);
    }

    b.len = 0;
    pos = 0;
}


static void
tables(void)
{
    ts_stream_t   streams[] = {
        { 0x1b, VIDEO, NULL, 0 }, { 0x0f, AUDIO, NULL, 0 }
    };
    ts_program_t  program = { 1, PMT };

    ts_build_pat(&b, 0, &program, 1);
    ts_build_pmt(&b, PMT, 1, 0, VIDEO, streams, 2);
}


static void
set_pcr(u_char *p, uint64_t pcr)
{
    uint64_t  base;

    base = pcr / 300 % WRAP;

    p[5] |= 0x10;
    p[6] = (u_char) (base >> 25);
    p[7] = (u_char) (base >> 17);
    p[8] = (u_char) (base >> 9);
    p[9] = (u_char) (base >> 1);
    p[10] = (u_char) ((base & 1) << 7 | 0x7e | pcr % 300 >> 8);
    p[11] = (u_char) (pcr % 300);
}


static size_t
pes(u_char *p, u_char id, uint64_t pts)
{
    pts %= WRAP;

    ngx_memcpy(p, "\0\0\1\0\0\0\x80\x80\5", 9);

    p[3] = id;
    p[9] = (u_char) (0x21 | pts >> 30 << 1);
    p[10] = (u_char) (pts >> 22);
    p[11] = (u_char) (pts >> 15 << 1 | 1);
    p[12] = (u_char) (pts >> 7);
    p[13] = (u_char) (pts << 1 | 1);

    return 14;
}


static u_char *
video(uint64_t pts, u_char flags)
{
    u_char  data[64], *p;

    p = ts_build_packet(&b, VIDEO, 1, flags, data, pes(data, 0xe0, pts));
    set_pcr(p, now * 300);

    return p;
}


static void
audio(uint64_t pts)
{
    u_char  data[64];
    size_t  n;

    n = pes(data, 0xc0, pts);
    ngx_memcpy(data + n, "\xff\xf1\x4c\x80\x0c\x9f\xfc", 7);

    ts_build_packet(&b, AUDIO, 1, 0, data, n + 7);
}


/* tables in every tenth frame */

static void
frames(ngx_uint_t n)
{
    static ngx_uint_t  count;

    for ( /* void */ ; n; n--) {

        if (count++ % 10 == 0) {
            tables();
        }

        video(now + 90000, 0);
        audio(now + 90000);
        feed();

        now += FRAME;
        arrival += 40;
    }
}


/* frames without tables */

static void
bare(ngx_uint_t n)
{
    for ( /* void */ ; n; n--) {
        video(now + 90000, 0);
        audio(now + 90000);
        feed();

        now += FRAME;
        arrival += 40;
    }
}


static void
check(void)
{
    assert_memory_equal(&h.errors, &expected, sizeof(expected));
}


static int
setup(void **state)
{
    ts_build_init(&b);
    ngx_tscast_ts_parser_init(&parser);
    ngx_tscast_ts_health_init(&h);
    ngx_memzero(&expected, sizeof(expected));

    pos = 0;
    now = 1000000;
    arrival = 5000;

    tables();
    frames(50);
    check();

    return 0;
}


static void
ts_health_fine(void **state)
{
    ngx_tscast_ts_pid_t  *pid;

    frames(1000);
    check();

    assert_int_equal(h.nprograms, 1);
    assert_int_equal(h.programs[0].number, 1);
    assert_int_equal(h.programs[0].pid, PMT);
    assert_int_equal(h.programs[0].pcr_pid, VIDEO);
    assert_int_equal(h.npids, 4);

    pid = &h.pids[h.index[VIDEO] - 1];

    assert_int_equal(pid->kind, NGX_TSCAST_TS_PID_VIDEO);
    assert_int_equal(pid->packets, 1050);
    assert_int_equal(pid->program, 1);
    assert_true(ngx_tscast_ts_frame_rate(pid) == 25.0);

    pid = &h.pids[h.index[AUDIO] - 1];

    assert_int_equal(pid->kind, NGX_TSCAST_TS_PID_AUDIO);
    assert_int_equal(pid->format, NGX_TSCAST_TS_FORMAT_AAC);
    assert_int_equal(pid->info.sample_rate, 48000);
    assert_int_equal(pid->info.channels, 2);

    /* in step with the PCR */

    assert_int_equal(h.jitter, 0);
}


/* timestamps of 33 bits go on at 0, those of PCR and PTS not at a time */

static void
ts_health_wrap(void **state)
{
    ngx_tscast_ts_health_init(&h);
    ngx_tscast_ts_parser_init(&parser);

    now = WRAP - 100 * FRAME - 7;

    tables();
    frames(300);
    check();

    assert_true(now > WRAP);
    assert_true(h.clock == 299 * (uint64_t) FRAME * 300);
}


static void
ts_health_continuity(void **state)
{
    /* one packet of audio is lost; of video three */

    b.cc[AUDIO]++;
    frames(5);
    b.cc[VIDEO] += 3;
    frames(5);

    expected.continuity = 2;
    check();

    assert_int_equal(h.pids[h.index[VIDEO] - 1].continuity, 1);
    assert_int_equal(h.pids[h.index[AUDIO] - 1].continuity, 1);
    assert_int_equal(h.pids[h.index[0] - 1].continuity, 0);

    /* a duplicate is none, a third copy is one; so is the packet behind */

    video(now + 90000, 0);
    ngx_memcpy(b.data + 188, b.data, 188);
    b.len = 2 * 188;
    feed();
    now += FRAME;
    check();

    video(now + 90000, 0);
    ngx_memcpy(b.data + 188, b.data, 188);
    ngx_memcpy(b.data + 2 * 188, b.data, 188);
    b.len = 3 * 188;
    feed();
    now += FRAME;

    expected.continuity++;
    check();

    /* announced */

    b.cc[VIDEO] += 5;
    video(now + 90000, 0x80);
    feed();
    now += FRAME;
    check();

    /* a PID of no table, and a packet without payload that counts on */

    ts_build_packet(&b, 0x500, 0, 0, "x", 1);
    b.cc[0x500] += 2;
    ts_build_packet(&b, 0x500, 0, 0, "x", 1);
    ts_build_packet(&b, 0x500, 0, 0, "", 0);
    feed();

    expected.continuity++;
    check();
    assert_int_equal(h.pids[h.index[0x500] - 1].kind, NGX_TSCAST_TS_PID_OTHER);

    frames(20);
    check();
}


static void
ts_health_tables_late(void **state)
{
    /* the last ones were 10 frames ago: 0.4 s and so on */

    bare(2);
    check();

    bare(10);
    expected.pat = 1;
    expected.pmt = 1;
    check();
    assert_int_equal(h.pids[h.index[0] - 1].missing, 1);
    assert_int_equal(h.pids[h.index[PMT] - 1].missing, 1);

    /* once for each time that they fail to come */

    bare(100);
    check();

    frames(10);
    check();
    assert_int_equal(h.pids[h.index[0] - 1].missing, 0);
}


/* one program of the PAT has no PMT */

static void
ts_health_no_pmt(void **state)
{
    ngx_uint_t    i;
    ts_program_t  programs[] = { { 1, PMT }, { 2, 0x1001 } };

    for (i = 0; i < 3; i++) {
        ts_build_pat(&b, 1, programs, 2);
        bare(5);
        ngx_tscast_ts_health_tables(&h, &parser);
        tables();
        b.len -= 2 * 188;
        b.cc[0]--;
    }

    assert_int_equal(h.nprograms, 2);
    assert_int_equal(h.programs[1].pcr_pid, NGX_TSCAST_TS_NULL_PID);
    assert_int_equal(h.pids[h.index[0x1001] - 1].missing, 1);
    assert_int_equal(h.pids[h.index[0x1001] - 1].kind, NGX_TSCAST_TS_PID_PMT);
}


static void
ts_health_scrambled(void **state)
{
    u_char  *p;

    p = b.data + b.len;
    tables();
    p[3] |= 0x80;
    p[188 + 3] |= 0xc0;
    feed();

    expected.pat = 1;
    expected.pmt = 1;
    check();

    /* another table on the PID of the PAT */

    p = b.data + b.len;
    tables();
    p[5 + p[4] + 1] = 0x02;
    feed();

    expected.pat++;
    check();
}


static void
ts_health_pid(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 150; i++) {

        if (i % 10 == 0) {
            tables();
        }

        video(now + 90000, 0);
        feed();
        now += FRAME;
        arrival += 40;
    }

    /* six seconds without audio, and so without a PTS of it */

    expected.pid = 1;
    expected.pts = 1;
    check();
    assert_int_equal(h.pids[h.index[AUDIO] - 1].missing, 1);

    frames(10);

    /* it goes on six seconds later */

    expected.timestamp_jumps = 1;
    check();
    assert_int_equal(h.pids[h.index[AUDIO] - 1].missing, 0);
}


static void
ts_health_pts(void **state)
{
    u_char      *p;
    ngx_uint_t   i;

    /* packets without a start, for 0.8 s */

    for (i = 0; i < 20; i++) {

        if (i % 10 == 0) {
            tables();
        }

        p = ts_build_packet(&b, VIDEO, 0, 0, "x", 1);
        set_pcr(p, now * 300);
        audio(now + 90000);
        feed();
        now += FRAME;
        arrival += 40;
    }

    expected.pts = 1;
    check();

    frames(10);
    check();
}


static void
ts_health_jumps(void **state)
{
    /* two seconds ahead, back by one frame, both unannounced */

    video(now + 3 * 90000, 0);
    feed();
    expected.timestamp_jumps = 1;
    check();

    video(now + 3 * 90000 - FRAME, 0);
    feed();

    /* there is no DTS: that may be order */
    check();

    audio(now - 90000);
    feed();
    expected.timestamp_jumps++;
    check();
}


static void
ts_health_pcr(void **state)
{
    /* late: 160 ms; far: another time; back */

    now += 3 * FRAME;
    frames(1);
    expected.pcr_repetition = 1;
    check();

    now += 90000 * 3;
    frames(10);
    expected.pcr_discontinuity = 1;
    expected.timestamp_jumps = 2;
    check();

    now -= 90000 * 10;
    frames(10);
    expected.pcr_discontinuity++;
    expected.timestamp_jumps += 2;
    check();

    /* announced, for the PTS of the program too */

    now += 90000 * 1000;
    video(now + 90000, 0x80);
    audio(now + 90000);
    feed();
    now += FRAME;
    frames(10);
    check();
}


/* null packets make the rate constant: a PCR a microsecond off is one */

static void
ts_health_accuracy(void **state)
{
    u_char      *p, null[184];
    ngx_uint_t   i;

    ngx_memset(null, 0xff, sizeof(null));

    for (i = 0; i < 400; i++) {

        if (i % 10 == 0) {
            tables();

        } else {
            ts_build_packet(&b, 0x1fff, 0, 0, null, 184);
            ts_build_packet(&b, 0x1fff, 0, 0, null, 184);
        }

        p = video(now + 90000, 0);
        audio(now + 90000);

        if (i == 200) {
            set_pcr(p, now * 300 + 27);
            expected.pcr_accuracy++;
        }

        if (i == 300) {
            set_pcr(p, now * 300 + 8);
        }

        feed();
        now += FRAME;
        arrival += 40;
    }

    check();
    assert_int_equal(h.nulls, 400 * 2 - 80);
}


static void
ts_health_jitter(void **state)
{
    frames(100);

    /* one frame comes 33 ms late, and the next one in time */

    arrival += 33;
    frames(1);
    arrival -= 33;
    frames(300);

    check();
    assert_int_equal(h.jitter, 33 * 27000);
}


static void
ts_health_transport(void **state)
{
    u_char  *p;

    p = video(now + 90000, 0);
    p[1] |= 0x80;
    feed();
    now += FRAME;
    expected.transport = 1;
    check();

    /* and what it was is missing */

    frames(1);
    expected.continuity = 1;
    check();
}


static void
ts_health_silence(void **state)
{
    arrival += 999 - 40;
    frames(5);
    check();

    arrival += 1000 - 40;
    frames(5);
    expected.silences = 1;
    check();
}


/* without a PCR it is arrival that counts, after a second */

static void
ts_health_arrival(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 24; i++) {
        audio(now + 90000);
        feed();
        now += FRAME;
        arrival += 40;
    }

    check();

    for (i = 0; i < 14; i++) {
        audio(now + 90000);
        feed();
        now += FRAME;
        arrival += 40;
    }

    /* no PCR; the PTS of video and the tables come later than they may */

    expected.pcr_repetition = 1;
    expected.pat = 1;
    expected.pmt = 1;
    check();

    for (i = 0; i < 12; i++) {
        audio(now + 90000);
        feed();
        now += FRAME;
        arrival += 40;
    }

    expected.pts = 1;
    check();
}


static void
sync_of(ngx_tscast_ts_sync_t *s, u_char *p, size_t n)
{
    u_char      *pos, *run;

    pos = p;

    ngx_tscast_ts_sync_init(s);

    while (ngx_tscast_ts_sync(s, &pos, p + n, &run)) {
        ngx_tscast_ts_health_sync(&h, s);
    }
}


static void
ts_health_sync(void **state)
{
    u_char                *p;
    ngx_uint_t             i;
    ngx_tscast_ts_sync_t   s;

    for (i = 0; i < 50; i++) {
        audio(now);
    }

    p = b.data;

    p[10 * 188] = 0x46;
    sync_of(&s, p, b.len);
    expected.sync_byte = 1;
    check();

    /* two in a row are a loss */

    ngx_tscast_ts_health_init(&h);
    ngx_memzero(&expected, sizeof(expected));

    p[11 * 188] = 0x46;
    sync_of(&s, p, b.len);
    expected.sync_byte = 2;
    expected.sync_loss = 1;
    check();

    /* so is another distance: 10 bytes are not there */

    ngx_tscast_ts_health_init(&h);
    ngx_memzero(&expected, sizeof(expected));

    p[10 * 188] = 0x47;
    p[11 * 188] = 0x47;
    ngx_memmove(p + 20 * 188, p + 20 * 188 + 10, 30 * 188 - 10);
    sync_of(&s, p, b.len - 10);
    expected.sync_byte = 1;
    expected.sync_loss = 1;
    check();

    /* garbage at the beginning is no loss */

    ngx_tscast_ts_health_init(&h);
    ngx_memzero(&expected, sizeof(expected));

    sync_of(&s, p + 100, 19 * 188 - 100);
    check();
}


/* more PIDs than there is room for; those of tables have their place */

static void
ts_health_many(void **state)
{
    ngx_uint_t    i;
    ts_stream_t   streams[] = {
        { 0x1b, VIDEO, NULL, 0 }, { 0x0f, AUDIO, NULL, 0 },
        { 0x24, 0x1f00, NULL, 0 }
    };

    for (i = 0; i < 100; i++) {
        ts_build_packet(&b, 0x200 + i, 0, 0, "x", 1);
    }

    feed();
    assert_int_equal(h.npids, NGX_TSCAST_TS_HEALTH_PIDS);
    assert_int_equal(h.unlisted, 100 - (NGX_TSCAST_TS_HEALTH_PIDS - 4));

    ts_build_pmt(&b, PMT, 1, 1, VIDEO, streams, 3);
    feed();

    assert_true(h.index[0x1f00] != 0);
    assert_int_equal(h.pids[h.index[0x1f00] - 1].kind,
                     NGX_TSCAST_TS_PID_VIDEO);
    assert_int_equal(h.pids[h.index[VIDEO] - 1].kind,
                     NGX_TSCAST_TS_PID_VIDEO);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(ts_health_fine, setup),
        cmocka_unit_test_setup(ts_health_wrap, setup),
        cmocka_unit_test_setup(ts_health_continuity, setup),
        cmocka_unit_test_setup(ts_health_tables_late, setup),
        cmocka_unit_test_setup(ts_health_no_pmt, setup),
        cmocka_unit_test_setup(ts_health_scrambled, setup),
        cmocka_unit_test_setup(ts_health_pid, setup),
        cmocka_unit_test_setup(ts_health_pts, setup),
        cmocka_unit_test_setup(ts_health_jumps, setup),
        cmocka_unit_test_setup(ts_health_pcr, setup),
        cmocka_unit_test_setup(ts_health_accuracy, setup),
        cmocka_unit_test_setup(ts_health_jitter, setup),
        cmocka_unit_test_setup(ts_health_transport, setup),
        cmocka_unit_test_setup(ts_health_silence, setup),
        cmocka_unit_test_setup(ts_health_arrival, setup),
        cmocka_unit_test_setup(ts_health_sync, setup),
        cmocka_unit_test_setup(ts_health_many, setup)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
