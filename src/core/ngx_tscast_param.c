
/*
 * Copyright (C) the tscast authors
 */


/*
 * Parameters of directives, name=value, the same for each door.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_tscast.h"


static ngx_int_t ngx_tscast_param_value(ngx_str_t *param, char *name,
    ngx_str_t *value);


ngx_conf_enum_t  ngx_tscast_switch_values[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_tscast_format_values[] = {
    { ngx_string("ts"), NGX_TSCAST_TS },
    { ngx_string("flv"), NGX_TSCAST_FLV },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_tscast_flv_time_values[] = {
    { ngx_string("stream"), NGX_TSCAST_FLV_STREAM },
    { ngx_string("zero"), NGX_TSCAST_FLV_ZERO },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_tscast_start_values[] = {
    { ngx_string("key"), NGX_TSCAST_START_KEY },
    { ngx_string("live"), NGX_TSCAST_START_LIVE },
    { ngx_string("oldest"), NGX_TSCAST_START_OLDEST },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_tscast_lag_values[] = {
    { ngx_string("skip"), NGX_TSCAST_LAG_SKIP },
    { ngx_string("drop"), NGX_TSCAST_LAG_DROP },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_tscast_param_enum(ngx_str_t *param, char *name, ngx_conf_enum_t *e,
    ngx_uint_t *result)
{
    ngx_str_t  value;

    if (ngx_tscast_param_value(param, name, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    for ( /* void */ ; e->name.len; e++) {

        if (e->name.len == value.len
            && ngx_strncmp(e->name.data, value.data, value.len) == 0)
        {
            *result = e->value;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_tscast_param_msec(ngx_str_t *param, char *name, ngx_msec_t *result)
{
    ngx_int_t  msec;
    ngx_str_t  value;

    if (ngx_tscast_param_value(param, name, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    msec = ngx_parse_time(&value, 0);

    if (msec == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *result = msec;

    return NGX_OK;
}


ngx_int_t
ngx_tscast_param_number(ngx_str_t *param, char *name, ngx_uint_t *result)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_tscast_param_value(param, name, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *result = n;

    return NGX_OK;
}


ngx_int_t
ngx_tscast_param_string(ngx_str_t *param, char *name, ngx_str_t *result)
{
    ngx_str_t  value;

    if (ngx_tscast_param_value(param, name, &value) != NGX_OK
        || value.len == 0)
    {
        return NGX_DECLINED;
    }

    *result = value;

    return NGX_OK;
}


ngx_int_t
ngx_tscast_param_ingest(ngx_str_t *param, ngx_uint_t *takeover,
    ngx_msec_t *timeout)
{
    if (ngx_tscast_param_enum(param, "takeover=", ngx_tscast_switch_values,
                              takeover)
        == NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_tscast_param_msec(param, "timeout=", timeout) == NGX_OK
        && *timeout)
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_tscast_param_play(ngx_str_t *param, ngx_uint_t *start, ngx_uint_t *lag,
    ngx_msec_t *flush, ngx_msec_t *linger)
{
    if (ngx_tscast_param_enum(param, "start=", ngx_tscast_start_values, start)
        == NGX_OK
        || ngx_tscast_param_enum(param, "lag=", ngx_tscast_lag_values, lag)
           == NGX_OK
        || ngx_tscast_param_msec(param, "flush=", flush) == NGX_OK
        || ngx_tscast_param_msec(param, "linger=", linger) == NGX_OK)
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_tscast_param_value(ngx_str_t *param, char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (ngx_strncmp(param->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    value->len = param->len - len;
    value->data = param->data + len;

    return NGX_OK;
}
