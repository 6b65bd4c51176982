
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_COMPAT_H_INCLUDED_
#define _NGX_TSCAST_COMPAT_H_INCLUDED_


/* the one place that asks for the version of nginx */


#include <ngx_config.h>
#include <ngx_core.h>


#if (nginx_version < 1022001)
#error "tscast needs nginx 1.22.1 or newer"
#endif


#if (nginx_version >= 1023000)
#define ngx_tscast_header_next(h)  (h)->next = NULL
#else
#define ngx_tscast_header_next(h)
#endif


#endif /* _NGX_TSCAST_COMPAT_H_INCLUDED_ */
