
/*
 * Copyright (C) the tscast authors
 */


/*
 * URLs of links.  The generic syntax is that of RFC 3986, 3; what is refused
 * beyond it is what a link has no use for.
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_tscast_url.h>


static char *
parse(ngx_tscast_url_t *url, char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    return ngx_tscast_url_parse(url, &s);
}


static void
is(ngx_str_t *s, char *expected)
{
    assert_int_equal(s->len, ngx_strlen(expected));
    assert_memory_equal(s->data, expected, s->len);
}


static void
refused(char *text, char *why)
{
    ngx_tscast_url_t  url;

    assert_string_equal(parse(&url, text), why);
}


static void
test_all_parts(void **state)
{
    ngx_tscast_url_t  url;

    assert_null(parse(&url, "http://me:secret@example.com:8042"
                            "/over/there.ts?name=ferret&x"));

    is(&url.scheme, "http");
    is(&url.user, "me:secret");
    is(&url.host, "example.com");
    is(&url.authority, "example.com:8042");
    is(&url.path, "/over/there.ts?name=ferret&x");
    is(&url.query, "name=ferret&x");
    assert_int_equal(url.port, 8042);
    assert_false(url.ipv6);
}


static void
test_few_parts(void **state)
{
    ngx_tscast_url_t  url;

    assert_null(parse(&url, "tcp://h"));
    is(&url.scheme, "tcp");
    is(&url.user, "");
    is(&url.host, "h");
    is(&url.authority, "h");
    is(&url.path, "");
    is(&url.query, "");
    assert_int_equal(url.port, 0);

    assert_null(parse(&url, "udp://239.0.0.1:5222?ttl=4"));
    is(&url.host, "239.0.0.1");
    is(&url.path, "?ttl=4");
    is(&url.query, "ttl=4");
    assert_int_equal(url.port, 5222);

    assert_null(parse(&url, "http://h/?"));
    is(&url.path, "/?");
    is(&url.query, "");
}


static void
test_ipv6(void **state)
{
    ngx_tscast_url_t  url;

    assert_null(parse(&url, "tcp://[2001:db8::7]:80/x"));
    is(&url.host, "2001:db8::7");
    is(&url.authority, "[2001:db8::7]:80");
    is(&url.path, "/x");
    assert_int_equal(url.port, 80);
    assert_true(url.ipv6);

    assert_null(parse(&url, "tcp://[::1]"));
    is(&url.host, "::1");
    assert_int_equal(url.port, 0);

    refused("tcp://[::1:80", "the bracket of an address is not closed");
    refused("tcp://[]:80", "it has no host");
    refused("tcp://[::1]80", "it has an invalid port");
    refused("tcp://::1:80", "it has no host");
}


/* the last @ is the one; what is behind the slash does not count */

static void
test_user(void **state)
{
    ngx_tscast_url_t  url;

    assert_null(parse(&url, "rtmp://a@b@h/x@y?z@"));
    is(&url.user, "a@b");
    is(&url.host, "h");
    is(&url.path, "/x@y?z@");

    assert_null(parse(&url, "http://@h"));
    is(&url.user, "");
    is(&url.host, "h");

    refused("http://me@", "it has no host");
    refused("http://me@:80", "it has no host");
}


static void
test_scheme(void **state)
{
    refused("", "it has no scheme");
    refused("://h", "it has no scheme");
    refused("tcp", "it has no scheme");
    refused("tcp:", "it has no scheme");
    refused("tcp:/", "it has no scheme");
    refused("tcp:/h", "it has no scheme");
    refused("TCP://h", "it has no scheme");
    refused("127.0.0.1:80", "it has no scheme");
    refused("h://", "it has no host");
    refused("h:///path", "it has no host");
    refused("h://?q", "it has no host");
}


static void
test_port(void **state)
{
    ngx_tscast_url_t  url;

    assert_null(parse(&url, "tcp://h:1"));
    assert_int_equal(url.port, 1);

    assert_null(parse(&url, "tcp://h:65535"));
    assert_int_equal(url.port, 65535);

    assert_null(parse(&url, "tcp://h:0080"));
    assert_int_equal(url.port, 80);

    refused("tcp://h:", "it has an invalid port");
    refused("tcp://h:0", "it has an invalid port");
    refused("tcp://h:65536", "it has an invalid port");
    refused("tcp://h:99999999999999999999", "it has an invalid port");
    refused("tcp://h:80a", "it has an invalid port");
    refused("tcp://h:-1", "it has an invalid port");
    refused("tcp://h:80:80", "it has an invalid port");
}


static void
test_blanks(void **state)
{
    refused("tcp://h h", "it has a blank or a control character");
    refused(" tcp://h", "it has a blank or a control character");
    refused("tcp://h/\n", "it has a blank or a control character");
    refused("tcp://h/\x7f", "it has a blank or a control character");
}


static void
test_params(void **state)
{
    ngx_str_t  query, param;

    query.data = (u_char *) "&&a=1&b&&c=x=y&";
    query.len = 15;

    assert_int_equal(ngx_tscast_url_param(&query, &param), NGX_OK);
    is(&param, "a=1");
    assert_int_equal(ngx_tscast_url_param(&query, &param), NGX_OK);
    is(&param, "b");
    assert_int_equal(ngx_tscast_url_param(&query, &param), NGX_OK);
    is(&param, "c=x=y");
    assert_int_equal(ngx_tscast_url_param(&query, &param), NGX_DONE);

    query.len = 0;
    assert_int_equal(ngx_tscast_url_param(&query, &param), NGX_DONE);
}


/* RFC 3986, 5.4, but for schemes without slashes, and without fragments */

static void
test_join(void **state)
{
    size_t             i, size;
    ngx_str_t          ref, text;
    ngx_tscast_url_t   base;

    static const struct {
        char  *ref;
        char  *target;
    } rows[] = {
        { "g", "http://a/b/c/g" },
        { "./g", "http://a/b/c/g" },
        { "g/", "http://a/b/c/g/" },
        { "/g", "http://a/g" },
        { "//g", "http://g" },
        { "?y", "http://a/b/c/d;p?y" },
        { "g?y", "http://a/b/c/g?y" },
        { "g#s", "http://a/b/c/g" },
        { "g?y#s", "http://a/b/c/g?y" },
        { ";x", "http://a/b/c/;x" },
        { "g;x?y#s", "http://a/b/c/g;x?y" },
        { ".", "http://a/b/c/" },
        { "./", "http://a/b/c/" },
        { "..", "http://a/b/" },
        { "../", "http://a/b/" },
        { "../g", "http://a/b/g" },
        { "../..", "http://a/" },
        { "../../", "http://a/" },
        { "../../g", "http://a/g" },
        { "../../../g", "http://a/g" },
        { "../../../../g", "http://a/g" },
        { "/./g", "http://a/g" },
        { "/../g", "http://a/g" },
        { "g.", "http://a/b/c/g." },
        { ".g", "http://a/b/c/.g" },
        { "..g", "http://a/b/c/..g" },
        { "./../g", "http://a/b/g" },
        { "./g/.", "http://a/b/c/g/" },
        { "g/./h", "http://a/b/c/g/h" },
        { "g/../h", "http://a/b/c/h" },
        { "g?y/./x", "http://a/b/c/g?y/./x" },
        { "g?y/../x", "http://a/b/c/g?y/../x" },
        { "https://x:1/y?z#w", "https://x:1/y?z" },
    };

    assert_null(parse(&base, "http://a/b/c/d;p?q"));

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ref.data = (u_char *) rows[i].ref;
        ref.len = ngx_strlen(rows[i].ref);

        size = ngx_tscast_url_join_size(&base, &ref);
        text.data = malloc(size);
        assert_non_null(text.data);

        ngx_tscast_url_join(&base, &ref, &text);
        assert_true(text.len <= size);
        is(&text, rows[i].target);

        free(text.data);
    }

    /* a URL that has no path */

    assert_null(parse(&base, "http://a"));

    ref.data = (u_char *) "?y";
    ref.len = 2;

    text.data = malloc(ngx_tscast_url_join_size(&base, &ref));
    assert_non_null(text.data);

    ngx_tscast_url_join(&base, &ref, &text);
    is(&text, "http://a/?y");
    free(text.data);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_parts),
        cmocka_unit_test(test_few_parts),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_scheme),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
