
/*
 * Copyright (C) the tscast authors
 */


/*
 * A datagram against a second reading of RFC 3550, 5.1, and the numbers of
 * many against a list of all that came.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_rtp.h>


#define FUZZ_RTP_MAX   4096

/* numbers that are not looked for any more */
#define FUZZ_RTP_LATE  64

#define fuzz_rtp_check(x)                                                     \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


/* what a list of numbers says, each as it would be without its 16 bits */

typedef struct {
    int64_t     came[FUZZ_RTP_MAX];
    size_t      n;
    size_t      first;              /* of the run that goes on */
    int64_t     highest;
    int64_t     stray;
    uint64_t    missing;
    uint64_t    reordered;
    uint64_t    doubled;
} fuzz_rtp_list_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_rtp_datagram(const uint8_t *data, size_t size);
static uint32_t fuzz_rtp_bits(const uint8_t *p, size_t from, size_t n);
static void fuzz_rtp_numbers(const uint8_t *data, size_t size);
static ngx_int_t fuzz_rtp_list_add(fuzz_rtp_list_t *l, uint16_t number,
    ngx_uint_t other);
static void fuzz_rtp_list_end(fuzz_rtp_list_t *l);
static ngx_uint_t fuzz_rtp_list_has(fuzz_rtp_list_t *l, int64_t number);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_rtp_datagram(data, size);
    fuzz_rtp_numbers(data, size);

    return 0;
}


static void
fuzz_rtp_datagram(const uint8_t *data, size_t size)
{
    size_t             i, at, end;
    u_char            *copy;
    ngx_int_t          rc;
    ngx_uint_t         ts;
    ngx_tscast_rtp_t   rtp;

    copy = malloc(size ? size : 1);

    if (copy == NULL) {
        return;
    }

    ngx_memcpy(copy, data, size);

    rc = ngx_tscast_rtp_parse(&rtp, copy, size);

    at = 12;
    end = size;

    if (size < 12 || fuzz_rtp_bits(data, 0, 2) != 2) {
        goto declined;
    }

    at += fuzz_rtp_bits(data, 4, 4) * 4;

    if (fuzz_rtp_bits(data, 3, 1)) {

        if (at + 4 > size) {
            goto declined;
        }

        at += 4 + 4 * (size_t) fuzz_rtp_bits(data, at * 8 + 16, 16);
    }

    if (fuzz_rtp_bits(data, 2, 1)) {

        if (data[size - 1] == 0 || data[size - 1] > size) {
            goto declined;
        }

        end -= data[size - 1];
    }

    if (at > end) {
        goto declined;
    }

    fuzz_rtp_check(rc == NGX_OK);
    fuzz_rtp_check(rtp.payload == copy + at);
    fuzz_rtp_check(rtp.len == end - at);
    fuzz_rtp_check(rtp.marker == fuzz_rtp_bits(data, 8, 1));
    fuzz_rtp_check(rtp.type == fuzz_rtp_bits(data, 9, 7));
    fuzz_rtp_check(rtp.sequence == fuzz_rtp_bits(data, 16, 16));
    fuzz_rtp_check(rtp.timestamp == fuzz_rtp_bits(data, 32, 32));
    fuzz_rtp_check(rtp.ssrc == fuzz_rtp_bits(data, 64, 32));

    ts = (rtp.type == 33 && end > at && (end - at) % 188 == 0);

    for (i = at; ts && i < end; i += 188) {
        ts = (data[i] == 0x47);
    }

    fuzz_rtp_check(ngx_tscast_rtp_is_ts(&rtp) == ts);

    free(copy);
    return;

declined:

    fuzz_rtp_check(rc == NGX_DECLINED);

    free(copy);
}


static uint32_t
fuzz_rtp_bits(const uint8_t *p, size_t from, size_t n)
{
    uint32_t  v;

    for (v = 0; n; n--, from++) {
        v = v << 1 | (p[from / 8] >> (7 - from % 8) & 1);
    }

    return v;
}


/* a byte is a step from the number before; some are more than that */

static void
fuzz_rtp_numbers(const uint8_t *data, size_t size)
{
    size_t                 i;
    uint16_t               number;
    ngx_int_t              rc, wanted;
    ngx_uint_t             other;
    ngx_tscast_rtp_t       rtp;
    ngx_tscast_rtp_seq_t   seq;

    static fuzz_rtp_list_t  list;

    ngx_memzero(&rtp, sizeof(ngx_tscast_rtp_t));
    ngx_memzero(&seq, sizeof(ngx_tscast_rtp_seq_t));
    ngx_memzero(&list, sizeof(fuzz_rtp_list_t));

    number = 65500;

    for (i = 0; i < size && i < FUZZ_RTP_MAX; i++) {
        other = 0;

        switch (data[i]) {

        case 0x80:
            number += (i + 1 < size) ? data[i + 1] << 8 : 0;
            break;

        case 0x81:
            other = 1;
            rtp.ssrc++;
            break;

        default:
            number += (int8_t) data[i];
        }

        rtp.sequence = number;

        rc = ngx_tscast_rtp_seq_next(&seq, &rtp);
        wanted = fuzz_rtp_list_add(&list, number, other);

        fuzz_rtp_check(rc == wanted);
        fuzz_rtp_check(seq.reordered == list.reordered);
        fuzz_rtp_check(seq.doubled == list.doubled);
    }

    ngx_tscast_rtp_seq_finish(&seq);
    fuzz_rtp_list_end(&list);

    fuzz_rtp_check(seq.missing == list.missing);
}


static ngx_int_t
fuzz_rtp_list_add(fuzz_rtp_list_t *l, uint16_t number, ngx_uint_t other)
{
    int64_t  at;

    if (l->n == l->first || other) {
        goto anew;
    }

    at = l->highest + (int16_t) (number - (uint16_t) l->highest);

    if (at > l->highest) {
        l->highest = at;
        l->stray = -1;
        l->came[l->n++] = at;
        return NGX_OK;
    }

    if (at > l->highest - FUZZ_RTP_LATE) {
        l->stray = -1;

        if (fuzz_rtp_list_has(l, at)) {

            /* one from before the first is not looked for twice */

            if (at >= l->came[l->first]) {
                l->doubled++;
                return NGX_DECLINED;
            }
        }

        l->came[l->n++] = at;
        l->reordered++;
        return NGX_OK;
    }

    if (l->stray == number) {
        goto anew;
    }

    l->stray = (uint16_t) (number + 1);
    l->reordered++;

    return NGX_OK;

anew:

    fuzz_rtp_list_end(l);

    l->first = l->n;
    l->highest = number;
    l->stray = -1;
    l->came[l->n++] = number;

    return NGX_OK;
}


/* all from the first to the highest, without those in the list */

static void
fuzz_rtp_list_end(fuzz_rtp_list_t *l)
{
    size_t   i;
    int64_t  first;

    if (l->n == l->first) {
        return;
    }

    first = l->came[l->first];

    l->missing += l->highest - first + 1;

    for (i = l->first; i < l->n; i++) {
        l->missing -= (l->came[i] >= first);
    }

    l->first = l->n;
}


static ngx_uint_t
fuzz_rtp_list_has(fuzz_rtp_list_t *l, int64_t number)
{
    size_t  i;

    for (i = l->first; i < l->n; i++) {
        if (l->came[i] == number) {
            return 1;
        }
    }

    return 0;
}
