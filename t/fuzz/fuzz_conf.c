
/*
 * Copyright (C) the tscast authors
 */


/*
 * Names, addresses, parameters of directives and lists in headers.  The files
 * that read them are compiled in here as they are, static functions and all;
 * of nginx there is just what they call for that.
 *
 * The first byte says what the rest is: words with a space between.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ngx_tscast_param.c"
#include "ngx_tscast_stream.c"
#include "ngx_tscast_zone.c"
#include "ngx_http_tscast_module.c"
#include "ngx_http_tscast_websocket.c"


#define FUZZ_CONF_WORDS   8
#define FUZZ_CONF_BLOCKS  64

#define fuzz_conf_check(x)                                                    \
    if (!(x)) {                                                               \
        abort();                                                              \
    }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_conf_name(ngx_str_t *s);
static void fuzz_conf_zone(ngx_conf_t *cf);
static void fuzz_conf_address(ngx_conf_t *cf);
static void fuzz_conf_ingest(ngx_conf_t *cf);
static void fuzz_conf_play(ngx_conf_t *cf);
static void fuzz_conf_token(ngx_str_t *s);
static void fuzz_conf_protocol(ngx_str_t *s);
static ngx_uint_t fuzz_conf_good_name(ngx_str_t *s);
static u_char *fuzz_conf_block(const void *data, size_t n);


static void             *fuzz_conf_blocks[FUZZ_CONF_BLOCKS];
static ngx_uint_t        fuzz_conf_nblocks;
static ngx_uint_t        fuzz_conf_errors;

static ngx_shm_zone_t    fuzz_conf_shm;
static ngx_tscast_zone_t  *fuzz_conf_made;
static ngx_table_elt_t   fuzz_conf_header;
static ngx_uint_t        fuzz_conf_headers;
static ngx_tscast_conf_t   fuzz_conf_main;
static ngx_http_core_loc_conf_t  fuzz_conf_clcf;
static void             *fuzz_conf_locs[1] = { &fuzz_conf_clcf };
static ngx_http_conf_ctx_t  fuzz_conf_ctx = { NULL, NULL, fuzz_conf_locs };


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i, start;
    ngx_str_t     words[FUZZ_CONF_WORDS], all;
    ngx_uint_t    n, what;
    ngx_conf_t    cf;
    ngx_array_t   args;

    if (size == 0) {
        return 0;
    }

    what = data[0] % 7;
    data++;
    size--;

    fuzz_conf_errors = 0;
    fuzz_conf_headers = 0;

    /* nginx ends each word with a zero; what is not of a conf has none */

    ngx_str_set(&words[0], "directive");

    for (i = 0, start = 0, n = 1; n < FUZZ_CONF_WORDS && i <= size; i++) {

        if (i == size || data[i] == ' ') {
            words[n].len = i - start;
            words[n].data = fuzz_conf_block(NULL, words[n].len + 1);
            memcpy(words[n].data, data + start, words[n].len);
            words[n].data[words[n].len] = '\0';

            start = i + 1;
            n++;
        }
    }

    all.len = size;
    all.data = fuzz_conf_block(data, size);

    memset(&cf, 0, sizeof(ngx_conf_t));
    memset(&args, 0, sizeof(ngx_array_t));

    args.elts = words;
    args.nelts = n;
    cf.args = &args;
    cf.ctx = &fuzz_conf_ctx;

    switch (what) {

    case 0:
        fuzz_conf_name(&all);
        break;

    case 1:
        /* NGX_CONF_2MORE */
        if (n >= 3) {
            fuzz_conf_zone(&cf);
        }

        break;

    case 2:
        fuzz_conf_address(&cf);
        break;

    case 3:
        fuzz_conf_ingest(&cf);
        break;

    case 4:
        fuzz_conf_play(&cf);
        break;

    case 5:
        fuzz_conf_token(&all);
        break;

    case 6:
        fuzz_conf_protocol(&all);
        break;
    }

    while (fuzz_conf_nblocks) {
        free(fuzz_conf_blocks[--fuzz_conf_nblocks]);
    }

    return 0;
}


static void
fuzz_conf_name(ngx_str_t *s)
{
    ngx_int_t  rc;

    rc = ngx_tscast_stream_check_name(s);

    fuzz_conf_check(rc == (fuzz_conf_good_name(s) ? NGX_OK
                                                  : NGX_TSCAST_BAD_NAME));
}


static ngx_uint_t
fuzz_conf_good_name(ngx_str_t *s)
{
    size_t  i;

    static const char  good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789._~-";

    for (i = 0; i < s->len; i++) {
        if (s->data[i] == '\0' || strchr(good, s->data[i]) == NULL) {
            return 0;
        }
    }

    return s->len >= 1 && s->len <= 128;
}


static void
fuzz_conf_zone(ngx_conf_t *cf)
{
    char               *rv;
    ngx_str_t          *value;
    ngx_tscast_zone_t  *zone;

    value = cf->args->elts;

    fuzz_conf_made = NULL;
    rv = ngx_tscast_zone_directive(cf, NULL, &fuzz_conf_main);

    if (rv != NGX_CONF_OK) {
        /* said why, and once */
        fuzz_conf_check(rv != NGX_CONF_ERROR || fuzz_conf_errors == 1);
        return;
    }

    zone = fuzz_conf_made;

    fuzz_conf_check(fuzz_conf_errors == 0);
    fuzz_conf_check(zone != NULL && fuzz_conf_good_name(&zone->name));
    fuzz_conf_check(zone->name.data == value[1].data);
    fuzz_conf_check(zone->size >= NGX_TSCAST_MIN_ZONE);
    fuzz_conf_check(zone->size <= NGX_MAX_SIZE_T_VALUE);
    fuzz_conf_check(zone->window >= NGX_TSCAST_MIN_WINDOW);
    fuzz_conf_check(zone->buffer >= 2 * NGX_TSCAST_CHUNK);
    fuzz_conf_check(zone->shm_name.len == zone->name.len + 7);
    fuzz_conf_check(memcmp(zone->shm_name.data, "tscast:", 7) == 0);
}


static void
fuzz_conf_address(ngx_conf_t *cf)
{
    char            *slash;
    ngx_str_t       *value, zone, name;
    ngx_shm_zone_t  *shm;

    value = cf->args->elts;

    memset(&fuzz_conf_shm, 0, sizeof(ngx_shm_zone_t));
    shm = ngx_tscast_zone_add(cf, &value[1], &name);

    slash = memchr(value[1].data, '/', value[1].len);

    zone.data = value[1].data;
    zone.len = slash ? (size_t) (slash - (char *) zone.data) : 0;

    if (shm == NULL) {
        fuzz_conf_check(fuzz_conf_errors == 1);
        fuzz_conf_check(!fuzz_conf_good_name(&zone)
                        || zone.len + 1 == value[1].len);
        return;
    }

    fuzz_conf_check(fuzz_conf_good_name(&zone));
    fuzz_conf_check(name.len > 0);
    fuzz_conf_check(name.data == (u_char *) slash + 1);
    fuzz_conf_check(name.data + name.len == value[1].data + value[1].len);
    fuzz_conf_check(shm->shm.name.len == zone.len + 7);
    fuzz_conf_check(memcmp(shm->shm.name.data, "tscast:", 7) == 0);
    fuzz_conf_check(memcmp(shm->shm.name.data + 7, zone.data, zone.len) == 0);
}


static void
fuzz_conf_ingest(ngx_conf_t *cf)
{
    char                           *rv;
    ngx_http_tscast_loc_conf_t      tlcf;
    ngx_http_tscast_ingest_conf_t  *icf;

    memset(&tlcf, 0, sizeof(ngx_http_tscast_loc_conf_t));
    rv = ngx_http_tscast_ingest_directive(cf, NULL, &tlcf);

    if (rv != NGX_CONF_OK) {
        fuzz_conf_check(rv != NGX_CONF_ERROR || fuzz_conf_errors == 1);
        return;
    }

    icf = tlcf.ingest;

    fuzz_conf_check(fuzz_conf_errors == 0);
    fuzz_conf_check(icf->takeover <= 1);
    fuzz_conf_check(icf->timeout > 0);
    fuzz_conf_check((ngx_msec_int_t) icf->timeout > 0);

    /* and not twice */

    fuzz_conf_check(ngx_http_tscast_ingest_directive(cf, NULL, &tlcf)
                    != NGX_CONF_OK);
}


static void
fuzz_conf_play(ngx_conf_t *cf)
{
    char                         *rv;
    ngx_http_tscast_loc_conf_t    tlcf;
    ngx_http_tscast_play_conf_t  *pcf;

    memset(&tlcf, 0, sizeof(ngx_http_tscast_loc_conf_t));
    rv = ngx_http_tscast_play_directive(cf, NULL, &tlcf);

    if (rv != NGX_CONF_OK) {
        fuzz_conf_check(rv != NGX_CONF_ERROR || fuzz_conf_errors == 1);
        return;
    }

    pcf = tlcf.play;

    fuzz_conf_check(fuzz_conf_errors == 0);
    fuzz_conf_check(pcf->start <= NGX_TSCAST_START_OLDEST);
    fuzz_conf_check(pcf->lag <= NGX_TSCAST_LAG_DROP);
    fuzz_conf_check((ngx_msec_int_t) pcf->flush >= 0);
    fuzz_conf_check((ngx_msec_int_t) pcf->linger >= 0);
    fuzz_conf_check((ngx_msec_int_t) pcf->ping > 0);

    fuzz_conf_check(ngx_http_tscast_play_directive(cf, NULL, &tlcf)
                    != NGX_CONF_OK);
}


/* the token stands alone between commas, in any case */

static void
fuzz_conf_token(ngx_str_t *s)
{
    size_t      i, start, end;
    ngx_uint_t  found;

    for (found = 0, start = 0; start < s->len; start = i + 1) {

        for (i = start; i < s->len && s->data[i] != ','; i++) { /* void */ }

        for (end = i;
             end > start
             && (s->data[end - 1] == ' ' || s->data[end - 1] == '\t');
             end--)
        {
            /* void */
        }

        while (start < end
               && (s->data[start] == ' ' || s->data[start] == '\t'))
        {
            start++;
        }

        if (end - start == 7
            && strncasecmp((char *) s->data + start, "upgrade", 7) == 0)
        {
            found = 1;
        }
    }

    fuzz_conf_check(ngx_http_tscast_ws_token(s, "upgrade") == found);
}


/* what is echoed is a part of what was offered, and no list */

static void
fuzz_conf_protocol(ngx_str_t *s)
{
    ngx_str_t           *echo;
    ngx_table_elt_t      h[2];
    ngx_http_request_t   r;

    memset(&r, 0, sizeof(ngx_http_request_t));
    memset(h, 0, sizeof(h));

    ngx_str_set(&h[0].key, "host");
    h[0].lowcase_key = h[0].key.data;

    ngx_str_set(&h[1].key, "sec-websocket-protocol");
    h[1].lowcase_key = h[1].key.data;
    h[1].value = *s;

    r.headers_in.headers.part.elts = h;
    r.headers_in.headers.part.nelts = 2;

    fuzz_conf_check(ngx_http_tscast_ws_protocol(&r) == NGX_OK);

    if (!fuzz_conf_headers) {
        return;
    }

    echo = &fuzz_conf_header.value;

    fuzz_conf_check(fuzz_conf_headers == 1);
    fuzz_conf_check(echo->len > 0);
    fuzz_conf_check(echo->data >= s->data
                    && echo->data + echo->len <= s->data + s->len);
    fuzz_conf_check(memchr(echo->data, ',', echo->len) == NULL);
    fuzz_conf_check(echo->data[0] != ' ' && echo->data[echo->len - 1] != ' ');
}


/* what is called of nginx */

static u_char *
fuzz_conf_block(const void *data, size_t n)
{
    u_char  *p;

    fuzz_conf_check(fuzz_conf_nblocks < FUZZ_CONF_BLOCKS);

    p = calloc(1, n ? n : 1);
    fuzz_conf_check(p != NULL);

    if (data) {
        memcpy(p, data, n);
    }

    fuzz_conf_blocks[fuzz_conf_nblocks++] = p;

    return p;
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    return fuzz_conf_block(NULL, size);
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return fuzz_conf_block(NULL, size);
}


void ngx_cdecl
ngx_conf_log_error(ngx_uint_t level, ngx_conf_t *cf, ngx_err_t err,
    const char *fmt, ...)
{
    fuzz_conf_errors++;
}


u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    va_list     args;
    ngx_str_t  *s;

    /* "tscast:%V" */

    fuzz_conf_check(strcmp(fmt, "tscast:%V") == 0);

    va_start(args, fmt);
    s = va_arg(args, ngx_str_t *);
    va_end(args);

    memcpy(buf, "tscast:", 7);
    memcpy(buf + 7, s->data, s->len);

    return buf + 7 + s->len;
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


static ngx_int_t
fuzz_conf_number(ngx_str_t *s, const char *units, const ngx_int_t *scales)
{
    char        *unit;
    size_t       i;
    ngx_int_t    n;

    for (n = 0, i = 0; i < s->len && s->data[i] >= '0' && s->data[i] <= '9';
         i++)
    {
        if (n > (NGX_MAX_INT_T_VALUE - 9) / 10) {
            return NGX_ERROR;
        }

        n = n * 10 + s->data[i] - '0';
    }

    if (i == 0) {
        return NGX_ERROR;
    }

    if (i == s->len) {
        unit = strchr(units, ' ');

    } else if (i + 1 == s->len && s->data[i] && s->data[i] != ' ') {
        unit = strchr(units, s->data[i]);

    } else {
        return NGX_ERROR;
    }

    if (unit == NULL || n > NGX_MAX_INT_T_VALUE / scales[unit - units]) {
        return NGX_ERROR;
    }

    return n * scales[unit - units];
}


ssize_t
ngx_parse_size(ngx_str_t *line)
{
    static const ngx_int_t  scales[] = { 1, 1024, 1024, 1048576, 1048576 };

    return fuzz_conf_number(line, " kKmM", scales);
}


/* milliseconds only; "ms" is left out */

ngx_int_t
ngx_parse_time(ngx_str_t *line, ngx_uint_t is_sec)
{
    static const ngx_int_t  scales[] = { 1000, 1000, 60000, 3600000, 86400000,
                                         604800000 };

    return fuzz_conf_number(line, " smhdw", scales);
}


ngx_shm_zone_t *
ngx_shared_memory_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    fuzz_conf_check(tag == &ngx_tscast_module);

    fuzz_conf_shm.shm.name = *name;
    fuzz_conf_shm.shm.size = size;

    return &fuzz_conf_shm;
}


void *
ngx_array_push(ngx_array_t *a)
{
    fuzz_conf_made = fuzz_conf_shm.data;

    return fuzz_conf_block(NULL, sizeof(void *));
}


void *
ngx_list_push(ngx_list_t *list)
{
    fuzz_conf_headers++;

    return &fuzz_conf_header;
}


ngx_int_t
ngx_http_compile_complex_value(ngx_http_compile_complex_value_t *ccv)
{
    fuzz_conf_check(ccv->value->len > 0);

    return NGX_OK;
}


ngx_module_t  ngx_tscast_module;
ngx_module_t  ngx_http_core_module;
