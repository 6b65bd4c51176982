
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_BITS_H_INCLUDED_
#define _NGX_TSCAST_BITS_H_INCLUDED_


/*
 * The bits of a NAL unit up to the next start code, without
 * emulation_prevention_three_byte.  Beyond its end they are 0, and over is
 * set.
 */


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    u_char                 *p;
    u_char                 *last;
    ngx_uint_t              left;         /* bits of *p */
    ngx_uint_t              zeros;        /* bytes before *p, up to 2 */
    ngx_uint_t              over;
} ngx_tscast_bits_t;


static ngx_inline void
ngx_tscast_bits_init(ngx_tscast_bits_t *b, u_char *p, size_t len)
{
    b->p = p;
    b->last = p + len;
    b->left = 8;
    b->zeros = 0;
    b->over = 0;
}


static ngx_inline ngx_uint_t
ngx_tscast_bit(ngx_tscast_bits_t *b)
{
    ngx_uint_t  bit;

    if (b->left == 8 && b->zeros == 2 && b->p < b->last) {

        if (*b->p == 3) {
            b->p++;
            b->zeros = 0;

        } else if (*b->p <= 1) {
            b->last = b->p;
        }
    }

    if (b->p >= b->last) {
        b->over = 1;
        return 0;
    }

    bit = *b->p >> --b->left & 1;

    if (b->left == 0) {
        b->zeros = *b->p ? 0 : ngx_min(b->zeros + 1, 2);
        b->left = 8;
        b->p++;
    }

    return bit;
}


static ngx_inline ngx_uint_t
ngx_tscast_bits(ngx_tscast_bits_t *b, ngx_uint_t n)
{
    ngx_uint_t  v;

    for (v = 0; n; n--) {
        v = v << 1 | ngx_tscast_bit(b);
    }

    return v;
}


static ngx_inline void
ngx_tscast_bits_skip(ngx_tscast_bits_t *b, ngx_uint_t n)
{
    for ( /* void */ ; n && !b->over; n--) {
        (void) ngx_tscast_bit(b);
    }
}


/* ue(v): ISO/IEC 14496-10, 9.1; it has 31 zeros at most */

static ngx_inline ngx_uint_t
ngx_tscast_bits_ue(ngx_tscast_bits_t *b)
{
    ngx_uint_t  n;

    for (n = 0; !ngx_tscast_bit(b); n++) {

        if (n == 31 || b->over) {
            b->over = 1;
            return 0;
        }
    }

    return ((ngx_uint_t) 1 << n) - 1 + ngx_tscast_bits(b, n);
}


/* se(v) */

static ngx_inline ngx_int_t
ngx_tscast_bits_se(ngx_tscast_bits_t *b)
{
    ngx_uint_t  n;

    n = ngx_tscast_bits_ue(b);

    return (n & 1) ? (ngx_int_t) (n / 2 + 1) : - (ngx_int_t) (n / 2);
}


#endif /* _NGX_TSCAST_BITS_H_INCLUDED_ */
