
/*
 * Copyright (C) the tscast authors
 */


/* a page that shows the JSON of the same address, once a second */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast_status.h"


static void ngx_http_tscast_page_begin(ngx_http_tscast_status_t *s);
static void ngx_http_tscast_page_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r);
static void ngx_http_tscast_page_end(ngx_http_tscast_status_t *s);


const ngx_http_tscast_format_t  ngx_http_tscast_status_page = {
    ngx_string("html"),
    ngx_string("text/html; charset=utf-8"),
    1,
    0,
    ngx_http_tscast_page_begin,
    ngx_http_tscast_page_stream,
    ngx_http_tscast_page_end
};


static const char  ngx_http_tscast_page[] =
"<!DOCTYPE html>\n"
"<meta charset=\"utf-8\">\n"
"<title>tscast</title>\n"
"<style>\n"
"body { font: 14px sans-serif; margin: 2em }\n"
"td, th { padding: .2em 1em .2em 0; text-align: left }\n"
"</style>\n"
"<h1>tscast</h1>\n"
"<p id=\"node\"></p>\n"
"<table><thead><tr><th>stream<th>publisher<th>kbit/s in<th>kbit/s out"
"<th>viewers<th>continuity errors</thead><tbody id=\"streams\"></tbody>"
"</table>\n"
"<script>\n"
"const address = new URL(location);\n"
"address.searchParams.set('format', 'json');\n"
"const kbit = n => Math.round(n / 1000);\n"
"async function show() {\n"
"    try {\n"
"        const s = await (await fetch(address)).json();\n"
"        node.textContent = `${s.node}: ${s.count.live} streams, `\n"
"            + `${s.viewers.now} viewers`;\n"
"        streams.replaceChildren(...s.streams.map(one => {\n"
"            const row = document.createElement('tr');\n"
"            for (const text of [one.name,\n"
"                one.publisher ? one.publisher.address ?? '' : 'none',\n"
"                kbit(one.bitrate.in), kbit(one.viewers.bitrate),\n"
"                one.viewers.now,\n"
"                one.health ? one.health.continuity_errors : ''])\n"
"                row.insertCell().textContent = text;\n"
"            return row;\n"
"        }));\n"
"    } catch (e) {\n"
"        node.textContent = e;\n"
"    }\n"
"    setTimeout(show, 1000);\n"
"}\n"
"show();\n"
"</script>\n";


static void
ngx_http_tscast_page_begin(ngx_http_tscast_status_t *s)
{
    ngx_http_tscast_status_write(s, 0, ngx_http_tscast_page,
                                 sizeof(ngx_http_tscast_page) - 1);
}


static void
ngx_http_tscast_page_stream(ngx_http_tscast_status_t *s,
    ngx_tscast_report_stream_t *r)
{
    /* void */
}


static void
ngx_http_tscast_page_end(ngx_http_tscast_status_t *s)
{
    /* void */
}
