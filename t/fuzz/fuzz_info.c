
/*
 * Copyright (C) the tscast authors
 */


/*
 * Headers of elementary streams: the first byte says of which format the rest
 * is, or with 0 that it is an entry of a PMT.
 */


#include <stdint.h>
#include <stdlib.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_ts_info.h>


#define fuzz_info_check(x)                                                    \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_info_entry(u_char *p, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                *copy, format;
    ngx_int_t              rc;
    ngx_tscast_ts_info_t   info, none;

    if (size == 0) {
        return 0;
    }

    format = data[0] % (NGX_TSCAST_TS_FORMAT_ID3 + 1);

    data++;
    size--;

    /* a block of its own, so that its end is guarded */

    copy = malloc(size ? size : 1);

    if (copy == NULL) {
        return 0;
    }

    ngx_memcpy(copy, data, size);

    if (format == NGX_TSCAST_TS_FORMAT_UNKNOWN) {
        fuzz_info_entry(copy, size);
        free(copy);

        return 0;
    }

    ngx_memzero(&none, sizeof(none));
    info = none;

    rc = ngx_tscast_ts_info(&info, format, copy, size);

    fuzz_info_check(ngx_memcmp(copy, data, size) == 0);
    fuzz_info_check(ngx_tscast_ts_format_name(format, &info));

    if (rc != NGX_OK) {
        fuzz_info_check(ngx_memcmp(&info, &none, sizeof(info)) == 0);

    } else if (ngx_tscast_ts_is_audio(format)) {
        fuzz_info_check(info.sample_rate && info.width == 0);

    } else {
        fuzz_info_check(info.sample_rate == 0);
    }

    free(copy);

    return 0;
}


/* whoever calls has checked the length */

static void
fuzz_info_entry(u_char *p, size_t len)
{
    size_t                  n;
    ngx_tscast_ts_format_e  format;

    if (len < 5) {
        return;
    }

    n = ngx_min(len - 5, 0x0fff);

    p[3] = 0xf0 | (u_char) (n >> 8);
    p[4] = (u_char) n;

    format = ngx_tscast_ts_format(p);

    fuzz_info_check(format <= NGX_TSCAST_TS_FORMAT_ID3);
}
