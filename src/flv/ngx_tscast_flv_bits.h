
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_FLV_BITS_H_INCLUDED_
#define _NGX_TSCAST_FLV_BITS_H_INCLUDED_


/*
 * The bits of a NAL unit, without emulation_prevention_three_byte.  Beyond
 * its end they are 0, and over is set.
 */


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    u_char                   *p;
    u_char                   *last;
    ngx_uint_t                left;           /* bits of *p */
    ngx_uint_t                zeros;          /* bytes before *p, up to 2 */
    ngx_uint_t                over;
} ngx_tscast_flv_bits_t;


static ngx_inline void
ngx_tscast_flv_bits_init(ngx_tscast_flv_bits_t *b, u_char *p, size_t len)
{
    b->p = p;
    b->last = p + len;
    b->left = 8;
    b->zeros = 0;
    b->over = 0;
}


static ngx_inline ngx_uint_t
ngx_tscast_flv_bit(ngx_tscast_flv_bits_t *b)
{
    ngx_uint_t  bit;

    if (b->left == 8 && b->zeros == 2 && b->p < b->last && *b->p == 3) {
        b->p++;
        b->zeros = 0;
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
ngx_tscast_flv_bits(ngx_tscast_flv_bits_t *b, ngx_uint_t n)
{
    ngx_uint_t  v;

    for (v = 0; n; n--) {
        v = v << 1 | ngx_tscast_flv_bit(b);
    }

    return v;
}


/* ue(v): ISO/IEC 14496-10, 9.1 */

static ngx_inline ngx_uint_t
ngx_tscast_flv_golomb(ngx_tscast_flv_bits_t *b)
{
    ngx_uint_t  n;

    for (n = 0; !ngx_tscast_flv_bit(b); n++) {

        if (n == 32 || b->over) {
            b->over = 1;
            return 0;
        }
    }

    return ((ngx_uint_t) 1 << n) - 1 + ngx_tscast_flv_bits(b, n);
}


static ngx_inline ngx_int_t
ngx_tscast_flv_signed_golomb(ngx_tscast_flv_bits_t *b)
{
    ngx_uint_t  n;

    n = ngx_tscast_flv_golomb(b);

    return (n & 1) ? (ngx_int_t) (n / 2 + 1) : - (ngx_int_t) (n / 2);
}


#endif /* _NGX_TSCAST_FLV_BITS_H_INCLUDED_ */
