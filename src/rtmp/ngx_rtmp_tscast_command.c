
/*
 * Copyright (C) the tscast authors
 */


/*
 * What a link says to its peer, and what it hears: Adobe's RTMP specification
 * 1.0, 7.2.
 *
 *     connect  -->   <-- _result
 *     releaseStream, FCPublish, createStream  -->   <-- _result, number
 *     publish  -->   <-- onStatus NetStream.Publish.Start
 *     media    -->
 *     FCUnpublish, deleteStream  -->
 *
 * A pull says play instead of publish, and nothing before and after it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>
#include <ngx_rtmp_streams.h>

#include "ngx_rtmp_tscast_client.h"


/* transactions are numbered by their phase; of others no answer is wanted */
#define NGX_RTMP_TSCAST_NO_ANSWER  0

/* arguments of a command, at most */
#define NGX_RTMP_TSCAST_ARGS       3

/* of an answer, so much is logged */
#define NGX_RTMP_TSCAST_CODE       64
#define NGX_RTMP_TSCAST_TEXT       48


typedef struct {
    u_char                   name[16];
    double                   number;
    double                   stream;
    u_char                   level[16];
    u_char                   code[NGX_RTMP_TSCAST_CODE];
    u_char                   text[NGX_RTMP_TSCAST_TEXT];
} ngx_rtmp_tscast_answer_t;


static ngx_int_t ngx_rtmp_tscast_command_send(
    ngx_rtmp_tscast_client_t *client, char *name, ngx_uint_t number,
    ngx_uint_t msid, ngx_rtmp_amf_elt_t *elts, size_t nelts);
static ngx_int_t ngx_rtmp_tscast_command_on_name(
    ngx_rtmp_tscast_client_t *client, char *name, ngx_uint_t number);
static ngx_int_t ngx_rtmp_tscast_command_create(
    ngx_rtmp_tscast_client_t *client);
static ngx_int_t ngx_rtmp_tscast_command_publish(
    ngx_rtmp_tscast_client_t *client);
static ngx_int_t ngx_rtmp_tscast_command_play(
    ngx_rtmp_tscast_client_t *client);
static void ngx_rtmp_tscast_command_parse(ngx_rtmp_tscast_client_t *client,
    ngx_chain_t *in);
static void ngx_rtmp_tscast_command_clean(u_char *p);
static ngx_int_t ngx_rtmp_tscast_command_result(
    ngx_rtmp_tscast_client_t *client);
static ngx_int_t ngx_rtmp_tscast_command_status(
    ngx_rtmp_tscast_client_t *client);
static ngx_int_t ngx_rtmp_tscast_command_play_status(
    ngx_rtmp_tscast_client_t *client);
static ngx_int_t ngx_rtmp_tscast_command_refused(
    ngx_rtmp_tscast_client_t *client);


/* codes of NetStream after which a pull has nothing to wait for */

static char  *ngx_rtmp_tscast_ends[] = {
    "NetStream.Play.Stop",
    "NetStream.Play.Complete",
    "NetStream.Play.UnpublishNotify",
    NULL
};


/* of one message at a time */

static ngx_rtmp_tscast_answer_t  ngx_rtmp_tscast_answer;


ngx_int_t
ngx_rtmp_tscast_command_connect(ngx_rtmp_tscast_client_t *client)
{
    u_char                    *p;
    ngx_str_t                 *authority;
    ngx_rtmp_core_srv_conf_t  *cscf;

    ngx_rtmp_amf_elt_t  info[] = {
        { NGX_RTMP_AMF_STRING, ngx_string("app"), NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_string("type"), "nonprivate", 0 },
        { NGX_RTMP_AMF_STRING, ngx_string("flashVer"),
          "FMLE/3.0 (compatible; tscast)", 0 },
        { NGX_RTMP_AMF_STRING, ngx_string("tcUrl"), NULL, 0 }
    };

    ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_OBJECT, ngx_null_string, info, sizeof(info) }
    };

    authority = &client->link->conf->url.authority;

    p = ngx_pnalloc(client->session->connection->pool,
                    sizeof("rtmp:///") + authority->len + client->app.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    info[0].data = client->app.data;
    info[0].len = client->app.len;
    info[3].data = p;
    info[3].len = ngx_sprintf(p, "rtmp://%V/%V", authority, &client->app) - p;

    cscf = ngx_rtmp_get_module_srv_conf(client->session,
                                        ngx_rtmp_core_module);

    /* first: it is longer than a chunk may be by default */

    if (ngx_rtmp_send_chunk_size(client->session, cscf->chunk_size)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    client->phase = NGX_RTMP_TSCAST_CONNECT;

    return ngx_rtmp_tscast_command_send(client, "connect", client->phase, 0,
                                        elts, 1);
}


/* the command object is null for all but connect, which has one in elts */

static ngx_int_t
ngx_rtmp_tscast_command_send(ngx_rtmp_tscast_client_t *client, char *name,
    ngx_uint_t number, ngx_uint_t msid, ngx_rtmp_amf_elt_t *elts, size_t nelts)
{
    double             transaction;
    size_t             i, n;
    ngx_rtmp_header_t  h;

    ngx_rtmp_amf_elt_t  all[3 + NGX_RTMP_TSCAST_ARGS] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_NULL, ngx_null_string, NULL, 0 }
    };

    transaction = number;

    all[0].data = name;
    all[1].data = &transaction;

    n = (nelts && elts->type == NGX_RTMP_AMF_OBJECT) ? 2 : 3;

    for (i = 0; i < nelts; i++) {
        all[n++] = elts[i];
    }

    ngx_memzero(&h, sizeof(ngx_rtmp_header_t));

    h.csid = msid ? NGX_RTMP_CSID_AMF : NGX_RTMP_CSID_AMF_INI;
    h.msid = msid;
    h.type = NGX_RTMP_MSG_AMF_CMD;

    return ngx_rtmp_send_amf(client->session, &h, all, n);
}


/* with nothing but the name of the stream */

static ngx_int_t
ngx_rtmp_tscast_command_on_name(ngx_rtmp_tscast_client_t *client, char *name,
    ngx_uint_t number)
{
    ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 }
    };

    elts[0].data = client->name.data;
    elts[0].len = client->name.len;

    return ngx_rtmp_tscast_command_send(client, name, number, 0, elts, 1);
}


static ngx_int_t
ngx_rtmp_tscast_command_create(ngx_rtmp_tscast_client_t *client)
{
    ngx_rtmp_session_t        *s;
    ngx_rtmp_core_srv_conf_t  *cscf;

    s = client->session;
    cscf = ngx_rtmp_get_module_srv_conf(s, ngx_rtmp_core_module);

    if (ngx_rtmp_send_ack_size(s, cscf->ack_window) != NGX_OK) {
        return NGX_ERROR;
    }

    client->phase = NGX_RTMP_TSCAST_CREATE;

    /* as encoders do: there are servers that want it */

    if (client->link->conf->push
        && (ngx_rtmp_tscast_command_on_name(client, "releaseStream",
                                            NGX_RTMP_TSCAST_NO_ANSWER)
            != NGX_OK
            || ngx_rtmp_tscast_command_on_name(client, "FCPublish",
                                               NGX_RTMP_TSCAST_NO_ANSWER)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_rtmp_tscast_command_send(client, "createStream", client->phase,
                                        0, NULL, 0);
}


static ngx_int_t
ngx_rtmp_tscast_command_publish(ngx_rtmp_tscast_client_t *client)
{
    ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_STRING, ngx_null_string, "live", 0 }
    };

    elts[0].data = client->name.data;
    elts[0].len = client->name.len;

    return ngx_rtmp_tscast_command_send(client, "publish", client->phase,
                                        client->msid, elts, 2);
}


/* live, and nothing else: 7.2.2.1 */

static ngx_int_t
ngx_rtmp_tscast_command_play(ngx_rtmp_tscast_client_t *client)
{
    ngx_rtmp_session_t  *s;

    static double  start = -1000;

    ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, &start, 0 }
    };

    s = client->session;

    elts[0].data = client->name.data;
    elts[0].len = client->name.len;

    if (ngx_rtmp_tscast_command_send(client, "play", client->phase,
                                     client->msid, elts, 2)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rtmp_send_set_buflen(s, client->msid, s->buflen);
}


ngx_int_t
ngx_rtmp_tscast_command_end(ngx_rtmp_tscast_client_t *client)
{
    double  stream;

    ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_NUMBER, ngx_null_string, NULL, 0 }
    };

    stream = client->msid;
    elts[0].data = &stream;

    if (ngx_rtmp_tscast_command_on_name(client, "FCUnpublish",
                                        NGX_RTMP_TSCAST_NO_ANSWER)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rtmp_tscast_command_send(client, "deleteStream",
                                        NGX_RTMP_TSCAST_NO_ANSWER, 0, elts, 1);
}


ngx_int_t
ngx_rtmp_tscast_command_read(ngx_rtmp_tscast_client_t *client, ngx_chain_t *in)
{
    ngx_int_t                  rc;
    ngx_rtmp_tscast_answer_t  *a;

    a = &ngx_rtmp_tscast_answer;

    ngx_rtmp_tscast_command_parse(client, in);

    rc = NGX_DONE;

    if (ngx_strcmp(a->name, "_result") == 0) {
        rc = ngx_rtmp_tscast_command_result(client);

    } else if (ngx_strcmp(a->name, "_error") == 0) {

        if (a->number == client->phase) {
            rc = ngx_rtmp_tscast_command_refused(client);
        }

    } else if (ngx_strcmp(a->name, "onStatus") == 0) {
        rc = ngx_rtmp_tscast_command_status(client);

    } else if (ngx_strcmp(a->name, "close") == 0) {
        ngx_tscast_link_fail(client->link, 0, "the peer has had enough");
        return NGX_ERROR;
    }

    if (rc == NGX_ERROR && client->link) {
        ngx_tscast_link_fail(client->link, 0, "no memory");
    }

    return rc;
}


/* what cannot be read is left out: other commands are of no interest */

static void
ngx_rtmp_tscast_command_parse(ngx_rtmp_tscast_client_t *client,
    ngx_chain_t *in)
{
    ngx_rtmp_tscast_answer_t  *a;

    static ngx_rtmp_amf_elt_t  info[] = {
        { NGX_RTMP_AMF_STRING, ngx_string("level"),
          ngx_rtmp_tscast_answer.level, sizeof(ngx_rtmp_tscast_answer.level) },

        { NGX_RTMP_AMF_STRING, ngx_string("code"),
          ngx_rtmp_tscast_answer.code, sizeof(ngx_rtmp_tscast_answer.code) },

        { NGX_RTMP_AMF_STRING, ngx_string("description"),
          ngx_rtmp_tscast_answer.text, sizeof(ngx_rtmp_tscast_answer.text) }
    };

    static ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string,
          ngx_rtmp_tscast_answer.name, sizeof(ngx_rtmp_tscast_answer.name) },

        { NGX_RTMP_AMF_NUMBER|NGX_RTMP_AMF_OPTIONAL, ngx_null_string,
          &ngx_rtmp_tscast_answer.number, 0 },

        /* properties, or null */
        { NGX_RTMP_AMF_NULL|NGX_RTMP_AMF_OPTIONAL, ngx_null_string, NULL, 0 },

        { NGX_RTMP_AMF_NUMBER|NGX_RTMP_AMF_OPTIONAL, ngx_null_string,
          &ngx_rtmp_tscast_answer.stream, 0 }
    };

    static ngx_rtmp_amf_elt_t  info_elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_NUMBER|NGX_RTMP_AMF_OPTIONAL, ngx_null_string, NULL,
          0 },
        { NGX_RTMP_AMF_NULL|NGX_RTMP_AMF_OPTIONAL, ngx_null_string, NULL, 0 },
        { NGX_RTMP_AMF_OBJECT|NGX_RTMP_AMF_OPTIONAL, ngx_null_string, info,
          sizeof(info) }
    };

    a = &ngx_rtmp_tscast_answer;

    ngx_memzero(a, sizeof(ngx_rtmp_tscast_answer_t));
    a->stream = -1;

    /* the last element is a number or an object: each reading skips one */

    (void) ngx_rtmp_receive_amf(client->session, in, elts, 4);
    (void) ngx_rtmp_receive_amf(client->session, in, info_elts, 4);

    ngx_rtmp_tscast_command_clean(a->code);
    ngx_rtmp_tscast_command_clean(a->text);
}


/* a peer may have put anything into it, and it is to be logged */

static void
ngx_rtmp_tscast_command_clean(u_char *p)
{
    for ( /* void */ ; *p; p++) {
        if (*p < ' ' || *p >= 0x7f || *p == '"') {
            *p = '.';
        }
    }
}


static ngx_int_t
ngx_rtmp_tscast_command_result(ngx_rtmp_tscast_client_t *client)
{
    ngx_int_t                  rc;
    ngx_rtmp_tscast_answer_t  *a;

    a = &ngx_rtmp_tscast_answer;

    if (a->number != client->phase) {
        return NGX_DONE;
    }

    rc = NGX_OK;

    switch (client->phase) {

    case NGX_RTMP_TSCAST_CONNECT:
        rc = ngx_rtmp_tscast_command_create(client);
        break;

    case NGX_RTMP_TSCAST_CREATE:

        /* also no number, and one that is none */

        if (!(a->stream >= 0 && a->stream <= NGX_MAX_UINT32_VALUE)) {
            ngx_tscast_link_fail(client->link, 0, "this is no RTMP");
            return NGX_ERROR;
        }

        client->msid = (uint32_t) a->stream;
        client->phase = NGX_RTMP_TSCAST_START;

        rc = client->link->conf->push ? ngx_rtmp_tscast_command_publish(client)
                                      : ngx_rtmp_tscast_command_play(client);
        break;

    default:
        break;
    }

    return (rc == NGX_OK) ? NGX_DONE : NGX_ERROR;
}


static ngx_int_t
ngx_rtmp_tscast_command_status(ngx_rtmp_tscast_client_t *client)
{
    ngx_rtmp_tscast_answer_t  *a;

    a = &ngx_rtmp_tscast_answer;

    if (ngx_strcmp(a->level, "error") == 0) {
        return ngx_rtmp_tscast_command_refused(client);
    }

    if (!client->link->conf->push) {
        return ngx_rtmp_tscast_command_play_status(client);
    }

    if (client->link->drained
        && ngx_strcmp(a->code, "NetStream.Unpublish.Success") == 0)
    {
        ngx_tscast_link_finish(client->link);
        return NGX_ERROR;
    }

    if (client->phase == NGX_RTMP_TSCAST_START
        && ngx_strcmp(a->code, "NetStream.Publish.Start") == 0)
    {
        return ngx_rtmp_tscast_push_start(client);
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_rtmp_tscast_command_play_status(ngx_rtmp_tscast_client_t *client)
{
    char  **code;

    if (client->phase == NGX_RTMP_TSCAST_START
        && ngx_strcmp(ngx_rtmp_tscast_answer.code, "NetStream.Play.Start")
           == 0)
    {
        return ngx_rtmp_tscast_pull_start(client);
    }

    if (!client->link->up) {
        return NGX_DONE;
    }

    for (code = ngx_rtmp_tscast_ends; *code; code++) {

        if (ngx_strcmp(ngx_rtmp_tscast_answer.code, *code) == 0) {
            ngx_tscast_link_pull_end(client->link, "the stream has ended");
            return NGX_ERROR;
        }
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_rtmp_tscast_command_refused(ngx_rtmp_tscast_client_t *client)
{
    ngx_rtmp_tscast_answer_t  *a;

    a = &ngx_rtmp_tscast_answer;

    if (ngx_strcmp(a->code, "NetStream.Play.StreamNotFound") == 0) {
        client->link->absent = 1;
    }

    ngx_tscast_link_fail(client->link, 0, "%s is refused: %s \"%s\"",
                         ngx_rtmp_tscast_command_asked(client),
                         a->code[0] ? a->code : (u_char *) "no code", a->text);

    return NGX_ERROR;
}


const char *
ngx_rtmp_tscast_command_asked(ngx_rtmp_tscast_client_t *client)
{
    switch (client->phase) {

    case NGX_RTMP_TSCAST_HANDSHAKE:
        return "a handshake";

    case NGX_RTMP_TSCAST_CONNECT:
        return "connect";

    case NGX_RTMP_TSCAST_CREATE:
        return "createStream";

    default:
        return client->link->conf->push ? "publish" : "play";
    }
}


ngx_uint_t
ngx_rtmp_tscast_command_metadata(ngx_rtmp_tscast_client_t *client,
    ngx_chain_t *in)
{
    static u_char  name[16];

    static ngx_rtmp_amf_elt_t  elts[] = {
        { NGX_RTMP_AMF_STRING, ngx_null_string, name, sizeof(name) }
    };

    name[0] = '\0';

    (void) ngx_rtmp_receive_amf(client->session, in, elts, 1);

    return ngx_strcmp(name, "onMetaData") == 0
           || ngx_strcmp(name, "@setDataFrame") == 0;
}
