
/*
 * Copyright (C) the tscast authors
 */


/*
 * Parameters of udp:// and rtp://, in the query of the URL or behind it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <net/if.h>

#include "ngx_tscast_link_udp.h"


/* what fits into a datagram after an RTP header */
#define NGX_TSCAST_LINK_UDP_MAX  (65507 - NGX_TSCAST_RTP_HEAD)


static ngx_tscast_link_udp_conf_t *ngx_tscast_link_udp_get_conf(
    ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf);
static ngx_int_t ngx_tscast_link_udp_push_param(
    ngx_tscast_link_udp_conf_t *ucf, ngx_str_t *param);
static ngx_int_t ngx_tscast_link_udp_pull_param(ngx_conf_t *cf,
    ngx_tscast_link_udp_conf_t *ucf, ngx_str_t *param);
static ngx_int_t ngx_tscast_link_udp_iface_param(ngx_conf_t *cf,
    ngx_tscast_link_udp_conf_t *ucf, ngx_str_t *name);
static ngx_uint_t ngx_tscast_link_udp_is_local(struct sockaddr *sockaddr);


static ngx_conf_enum_t  ngx_tscast_link_udp_pace_values[] = {
    { ngx_string("off"), 0 },
    { ngx_string("pcr"), 1 },
    { ngx_null_string, 0 }
};


static ngx_tscast_link_udp_conf_t *
ngx_tscast_link_udp_get_conf(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    ngx_tscast_link_udp_conf_t  *ucf;

    if (lcf->conf) {
        return lcf->conf;
    }

    ucf = ngx_pcalloc(cf->pool, sizeof(ngx_tscast_link_udp_conf_t));
    if (ucf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     ucf->iface = { 0, NULL };
     *     ucf->source = NULL;
     */

    ucf->ttl = NGX_CONF_UNSET_UINT;
    ucf->pace = NGX_CONF_UNSET_UINT;
    ucf->payload = 7 * NGX_TSCAST_TS_PACKET;
    ucf->rcvbuf = 4 * 1024 * 1024;

    lcf->conf = ucf;

    return ucf;
}


ngx_int_t
ngx_tscast_link_udp_param(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf,
    ngx_str_t *param)
{
    ngx_str_t                    value;
    ngx_tscast_link_udp_conf_t  *ucf;

    ucf = ngx_tscast_link_udp_get_conf(cf, lcf);
    if (ucf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_tscast_param_string(param, "iface=", &value) == NGX_OK) {
        return ngx_tscast_link_udp_iface_param(cf, ucf, &value);
    }

    return lcf->push ? ngx_tscast_link_udp_push_param(ucf, param)
                     : ngx_tscast_link_udp_pull_param(cf, ucf, param);
}


static ngx_int_t
ngx_tscast_link_udp_push_param(ngx_tscast_link_udp_conf_t *ucf,
    ngx_str_t *param)
{
    ngx_uint_t  n;

    if (ngx_tscast_param_number(param, "ttl=", &n) == NGX_OK) {

        if (n > 255) {
            return NGX_DECLINED;
        }

        ucf->ttl = n;

        return NGX_OK;
    }

    if (ngx_tscast_param_number(param, "pkt_size=", &n) == NGX_OK) {

        if (n < NGX_TSCAST_TS_PACKET || n > NGX_TSCAST_LINK_UDP_MAX) {
            return NGX_DECLINED;
        }

        ucf->payload = n - n % NGX_TSCAST_TS_PACKET;

        return NGX_OK;
    }

    return ngx_tscast_param_enum(param, "pace=",
                                 ngx_tscast_link_udp_pace_values, &ucf->pace);
}


static ngx_int_t
ngx_tscast_link_udp_pull_param(ngx_conf_t *cf,
    ngx_tscast_link_udp_conf_t *ucf, ngx_str_t *param)
{
    ssize_t    size;
    ngx_str_t  value;

    if (ngx_tscast_param_string(param, "rcvbuf=", &value) == NGX_OK) {

        size = ngx_parse_size(&value);

        if (size <= 0 || size > NGX_MAX_INT32_VALUE / 2) {
            return NGX_DECLINED;
        }

        ucf->rcvbuf = size;

        return NGX_OK;
    }

    if (ngx_tscast_param_string(param, "source=", &value) == NGX_OK) {

        ucf->source = ngx_pcalloc(cf->pool, sizeof(ngx_addr_t));
        if (ucf->source == NULL) {
            return NGX_ERROR;
        }

        return ngx_parse_addr(cf->pool, ucf->source, value.data, value.len);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_tscast_link_udp_iface_param(ngx_conf_t *cf,
    ngx_tscast_link_udp_conf_t *ucf, ngx_str_t *name)
{
    ucf->iface.data = ngx_pnalloc(cf->pool, name->len + 1);
    if (ucf->iface.data == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(ucf->iface.data, name->data, name->len + 1);
    ucf->iface.len = name->len;

    if (if_nametoindex((char *) ucf->iface.data) == 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* what the parameters say of the address, where that is known */

char *
ngx_tscast_link_udp_conf(ngx_conf_t *cf, ngx_tscast_link_conf_t *lcf)
{
    const char                  *err;
    struct sockaddr             *sockaddr;
    ngx_tscast_link_udp_conf_t  *ucf;

    ucf = ngx_tscast_link_udp_get_conf(cf, lcf);
    if (ucf == NULL) {
        return NGX_CONF_ERROR;
    }

    err = NULL;
    sockaddr = lcf->addr ? lcf->addr->sockaddr : NULL;

    if (lcf->push && ngx_tscast_link_udp_is_rtp(lcf)
        && lcf->url.port == 65535)
    {
        err = "there is no port for RTCP after this one";

    } else if (sockaddr == NULL) {
        /* a name: it may be anything */

    } else if (!ngx_tscast_link_udp_is_group(sockaddr)) {

        if (ucf->iface.len || ucf->source) {
            err = "iface= and source= need a group";
        }

    } else if (ucf->source
               && ucf->source->sockaddr->sa_family != sockaddr->sa_family)
    {
        err = "source= is of another family than the group";

    } else if (ucf->iface.len == 0 && ngx_tscast_link_udp_is_local(sockaddr)) {
        err = "a group of one link needs iface=";
    }

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s: \"%V\"", err,
                           &lcf->address);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_tscast_link_udp_is_group(struct sockaddr *sockaddr)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        return IN_MULTICAST(ntohl(sin->sin_addr.s_addr));

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        return IN6_IS_ADDR_MULTICAST(&sin6->sin6_addr);

    default:
        return 0;
    }
}


/* interface-local and link-local scope, RFC 4291, 2.7 */

static ngx_uint_t
ngx_tscast_link_udp_is_local(struct sockaddr *sockaddr)
{
    struct sockaddr_in6  *sin6;

    if (sockaddr->sa_family != AF_INET6) {
        return 0;
    }

    sin6 = (struct sockaddr_in6 *) sockaddr;

    return IN6_IS_ADDR_MC_NODELOCAL(&sin6->sin6_addr)
           || IN6_IS_ADDR_MC_LINKLOCAL(&sin6->sin6_addr);
}
