
/*
 * Copyright (C) the tscast authors
 */


/*
 * Datagrams of RTP in any order: three bytes each, how far the number is from
 * the last one and how much time has passed.  Whatever comes, all that is
 * given is given once and in order, and what goes in is accounted for.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_rtp_order.h>


#define fuzz_order_check(x)                                                   \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_order_add(uint16_t n);
static void fuzz_order_given(uint16_t n);
static void fuzz_order_drain(void);


static ngx_tscast_rtp_order_t  fuzz_order;
static u_char                  fuzz_order_memory[NGX_TSCAST_RTP_MEMORY];
static ngx_msec_t              fuzz_order_now;
static uint64_t                fuzz_order_added;
static uint64_t                fuzz_order_gave;
static uint64_t                fuzz_order_refused;
static uint16_t                fuzz_order_last;
static ngx_uint_t              fuzz_order_anew;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t  n;

    ngx_tscast_rtp_order_init(&fuzz_order, fuzz_order_memory);

    fuzz_order_now = 1000;
    fuzz_order_added = 0;
    fuzz_order_gave = 0;
    fuzz_order_refused = 0;
    fuzz_order_anew = 1;
    n = 0;

    for ( /* void */ ; size >= 3; data += 3, size -= 3) {

        /* mostly a little ahead or behind, at times anywhere */

        n = (data[2] & 0x80) ? (uint16_t) (n + (data[0] << 8 | data[1]))
                             : (uint16_t) (n + (int8_t) data[0] / 2);

        fuzz_order_now += data[2] & 0x3f;

        if (data[2] & 0x40) {
            fuzz_order_drain();
        }

        fuzz_order_add(n);
    }

    ngx_tscast_rtp_order_flush(&fuzz_order);
    fuzz_order_drain();

    fuzz_order_check(fuzz_order.kept == 0 && fuzz_order.skip == 0);
    fuzz_order_check(fuzz_order_gave + fuzz_order_refused == fuzz_order_added);

    return 0;
}


static void
fuzz_order_add(uint16_t n)
{
    u_char      *p;
    uint16_t     next;
    ngx_int_t    rc;
    ngx_uint_t   tries, anew;

    p = (u_char *) &n;
    fuzz_order_added++;

    for (tries = 0; tries < 2; tries++) {

        next = fuzz_order.next;
        anew = !fuzz_order.started;

        rc = ngx_tscast_rtp_order_add(&fuzz_order, n, p, sizeof(n),
                                      fuzz_order_now);

        if (rc != NGX_BUSY) {
            break;
        }

        fuzz_order_drain();
    }

    switch (rc) {

    case NGX_OK:

        fuzz_order_check(anew || n == next);

        fuzz_order_anew |= anew;
        fuzz_order_given(n);
        fuzz_order_drain();
        break;

    case NGX_AGAIN:
        fuzz_order_check(fuzz_order.kept > 0
                         && fuzz_order.kept < NGX_TSCAST_RTP_WINDOW);
        break;

    default:
        fuzz_order_check(rc == NGX_DECLINED);
        fuzz_order_refused++;
        break;
    }
}


static void
fuzz_order_given(uint16_t n)
{
    fuzz_order_check(fuzz_order_anew
                     || (int16_t) (n - fuzz_order_last) > 0);

    fuzz_order_last = n;
    fuzz_order_anew = 0;
    fuzz_order_gave++;
}


static void
fuzz_order_drain(void)
{
    size_t     len;
    u_char    *p;
    uint16_t   n;

    for ( ;; ) {
        p = ngx_tscast_rtp_order_get(&fuzz_order, fuzz_order_now, &len);

        if (p == NULL) {
            break;
        }

        fuzz_order_check(len == sizeof(n));

        ngx_memcpy(&n, p, sizeof(n));
        fuzz_order_given(n);
    }

    fuzz_order_check(fuzz_order.skip == 0);
}
