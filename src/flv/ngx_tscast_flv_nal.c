
/*
 * Copyright (C) the tscast authors
 */


/* NAL units of a byte stream, and the parameter sets in force */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_flv.h>


static u_char *ngx_tscast_flv_start_code(u_char *p, u_char *last);
static void ngx_tscast_flv_sets_delete(ngx_tscast_flv_sets_t *s,
    ngx_uint_t n);


/* ISO/IEC 14496-10, annex B */

u_char *
ngx_tscast_flv_nal(u_char **pos, u_char *last, size_t *len)
{
    u_char  *p, *end;

    for ( ;; ) {
        p = ngx_tscast_flv_start_code(*pos, last);

        if (p == NULL) {
            *pos = last;
            return NULL;
        }

        p += 3;
        end = ngx_tscast_flv_start_code(p, last);

        if (end == NULL) {
            end = last;
        }

        *pos = end;

        /* zero_byte of the next start code, trailing_zero_8bits */

        while (end > p && end[-1] == 0) {
            end--;
        }

        if (end > p) {
            *len = end - p;
            return p;
        }
    }
}


static u_char *
ngx_tscast_flv_start_code(u_char *p, u_char *last)
{
    if (last - p < 3) {
        return NULL;
    }

    for (p += 2; p < last; p++) {
        p = memchr(p, 1, last - p);

        if (p == NULL) {
            return NULL;
        }

        if (p[-1] == 0 && p[-2] == 0) {
            return p - 2;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_tscast_flv_sets_keep(ngx_tscast_flv_sets_t *s, u_char type, u_char id,
    u_char *nal, size_t len)
{
    ngx_uint_t             i;
    ngx_tscast_flv_set_t  *set;

    for (i = 0; i < s->nsets; i++) {
        set = &s->sets[i];

        if (set->type != type || set->id != id) {
            continue;
        }

        if (set->len == len
            && ngx_memcmp(s->data + set->start, nal, len) == 0)
        {
            return 0;
        }

        ngx_tscast_flv_sets_delete(s, i);
        break;
    }

    if (len > NGX_TSCAST_FLV_MAX_CONFIG) {
        return 0;
    }

    if (s->nsets == NGX_TSCAST_FLV_SETS
        || len > NGX_TSCAST_FLV_MAX_CONFIG - s->len)
    {
        /* those in use come again */
        s->nsets = 0;
        s->len = 0;
    }

    set = &s->sets[s->nsets++];

    set->type = type;
    set->id = id;
    set->start = (uint16_t) s->len;
    set->len = (uint16_t) len;

    ngx_memcpy(s->data + s->len, nal, len);
    s->len += len;

    return 1;
}


static void
ngx_tscast_flv_sets_delete(ngx_tscast_flv_sets_t *s, ngx_uint_t n)
{
    size_t      start, len;
    ngx_uint_t  i;

    start = s->sets[n].start;
    len = s->sets[n].len;

    s->len -= len;
    s->nsets--;

    ngx_memmove(s->data + start, s->data + start + len, s->len - start);

    for (i = n; i < s->nsets; i++) {
        s->sets[i] = s->sets[i + 1];
        s->sets[i].start -= (uint16_t) len;
    }
}


u_char *
ngx_tscast_flv_sets_get(ngx_tscast_flv_sets_t *s, u_char type, ngx_uint_t n,
    size_t *len)
{
    ngx_uint_t  i;

    for (i = 0; i < s->nsets; i++) {

        if (s->sets[i].type == type && n-- == 0) {
            *len = s->sets[i].len;
            return s->data + s->sets[i].start;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_tscast_flv_sets_count(ngx_tscast_flv_sets_t *s, u_char type)
{
    ngx_uint_t  i, n;

    for (n = 0, i = 0; i < s->nsets; i++) {
        n += (s->sets[i].type == type);
    }

    return n;
}
