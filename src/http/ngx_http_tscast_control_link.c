
/*
 * Copyright (C) the tscast authors
 */


/*
 * Links that are added, changed and removed at run time.
 *
 *     POST    {"link": {"kind": "push", "stream": "live/cam1",
 *                       "url": "tcp://192.0.2.7:50001",
 *                       "parameters": ["reconnect=1s..5s"]}}
 *     POST    {"link": {"id": 3, "url": "tcp://192.0.2.8:50001"}}
 *     DELETE  {"link": {"id": 3}}
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tscast_control.h"


/* bytes of all the words of a rule, and of what is wrong with it */
#define NGX_HTTP_TSCAST_CONTROL_WORDS  8192
#define NGX_HTTP_TSCAST_CONTROL_WHY    512


static ngx_int_t ngx_http_tscast_control_rule_get(
    ngx_http_tscast_control_t *ctl, ngx_tscast_rule_t *rule);
static ngx_int_t ngx_http_tscast_control_rule_set(
    ngx_http_tscast_control_t *ctl, ngx_tscast_rule_t *rule);
static ngx_int_t ngx_http_tscast_control_rule_done(
    ngx_http_tscast_control_t *ctl, ngx_tscast_rule_t *rule,
    ngx_uint_t status, char *what);
static ngx_int_t ngx_http_tscast_control_named(ngx_array_t *words,
    ngx_str_t *named, ngx_tscast_rule_t *rule, ngx_str_t *old,
    json_error_t *error);
static ngx_int_t ngx_http_tscast_control_params(ngx_array_t *words,
    json_t *json, ngx_tscast_rule_t *rule, ngx_str_t *old,
    json_error_t *error);


static char  *ngx_http_tscast_control_names[] = { "kind", "stream", "url" };


ngx_int_t
ngx_http_tscast_control_link_set(ngx_http_tscast_control_t *ctl, json_t *json)
{
    ngx_str_t           why;
    json_int_t          id;
    json_error_t        error;
    ngx_tscast_rule_t   rule;
    u_char              buf[NGX_HTTP_TSCAST_CONTROL_WHY];

    ngx_memzero(&rule, sizeof(ngx_tscast_rule_t));
    id = 0;

    if (json_unpack_ex(json, &error, 0, "{s?I}", "id", &id) != 0) {
        return ngx_http_tscast_control_invalid(ctl, &error);
    }

    rule.id = id;

    if (json_object_get(json, "id")
        && ngx_http_tscast_control_rule_get(ctl, &rule) != NGX_OK)
    {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_NOT_FOUND,
                                              "there is no link %L",
                                              (int64_t) id);
    }

    if (ngx_http_tscast_control_rule(ctl->request->pool, json, &rule, &error)
        != NGX_OK)
    {
        return ngx_http_tscast_control_invalid(ctl, &error);
    }

    if (ngx_tscast_rule_exists(&rule)) {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_CONFLICT,
                                              "there is such a link");
    }

    why.data = buf;

    if (ngx_tscast_observe_check(&rule, &why) != NGX_OK) {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_BAD_REQUEST, "%V",
                                              &why);
    }

    return ngx_http_tscast_control_rule_set(ctl, &rule);
}


/* the rule as it is now */

static ngx_int_t
ngx_http_tscast_control_rule_get(ngx_http_tscast_control_t *ctl,
    ngx_tscast_rule_t *rule)
{
    uint64_t  id;

    id = rule->id--;

    if (id == 0 || ngx_tscast_rule_next(ctl->request->pool, rule) != NGX_OK) {
        return NGX_DECLINED;
    }

    return (rule->id == id) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_tscast_control_rule_set(ngx_http_tscast_control_t *ctl,
    ngx_tscast_rule_t *rule)
{
    ngx_uint_t  new;

    new = (rule->id == 0);

    switch (ngx_tscast_rule_set(rule)) {

    case NGX_OK:
        return ngx_http_tscast_control_rule_done(ctl, rule,
                                                 new ? NGX_HTTP_CREATED
                                                     : NGX_HTTP_OK,
                                                 new ? "added" : "changed");

    case NGX_TSCAST_NOT_FOUND:
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_NOT_FOUND,
                                              "there is no link %uL",
                                              rule->id);

    case NGX_TSCAST_BUSY:
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_CONFLICT,
                                              "there is such a link");

    default: /* NGX_ERROR */
        return ngx_http_tscast_control_refuse(ctl,
                                              NGX_HTTP_INSUFFICIENT_STORAGE,
                                              "the zone is full");
    }
}


ngx_int_t
ngx_http_tscast_control_link_remove(ngx_http_tscast_control_t *ctl,
    json_t *json)
{
    uint64_t            id;
    json_error_t        error;
    ngx_tscast_rule_t   rule;

    ngx_memzero(&rule, sizeof(ngx_tscast_rule_t));

    if (json_object_get(json, "id")) {

        if (json_unpack_ex(json, &error, JSON_STRICT, "{s:I}", "id",
                           (json_int_t *) &rule.id)
            != 0)
        {
            return ngx_http_tscast_control_invalid(ctl, &error);
        }

        id = rule.id;

    } else {

        if (ngx_http_tscast_control_rule(ctl->request->pool, json, &rule,
                                         &error)
            != NGX_OK)
        {
            return ngx_http_tscast_control_invalid(ctl, &error);
        }

        id = ngx_tscast_rule_exists(&rule);

        if (id == NGX_TSCAST_RULE_CONF) {
            return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_CONFLICT,
                                                  "this link is in nginx.conf "
                                                  "and stays");
        }
    }

    if (ngx_tscast_rule_remove(id) != NGX_OK) {
        return ngx_http_tscast_control_refuse(ctl, NGX_HTTP_NOT_FOUND,
                                              "there is no such link");
    }

    rule.id = id;

    return ngx_http_tscast_control_rule_done(ctl, &rule, NGX_HTTP_NO_CONTENT,
                                             "removed");
}


static ngx_int_t
ngx_http_tscast_control_rule_done(ngx_http_tscast_control_t *ctl,
    ngx_tscast_rule_t *rule, ngx_uint_t status, char *what)
{
    json_t  *json;

    ngx_log_error(NGX_LOG_NOTICE, ctl->request->connection->log, 0,
                  "control: link %uL is %s", rule->id, what);

    if (ngx_http_tscast_control_state_save(ctl->request) != NGX_OK) {
        return ngx_http_tscast_control_refuse(ctl,
                                   NGX_HTTP_INTERNAL_SERVER_ERROR,
                                   "link %uL is %s, but the state file could "
                                   "not be written", rule->id, what);
    }

    json = (status == NGX_HTTP_NO_CONTENT) ? NULL
               : json_pack("{s:{s:I}}", "link", "id", (json_int_t) rule->id);

    return ngx_http_tscast_control_answer(ctl, status, json);
}


ngx_int_t
ngx_http_tscast_control_rule(ngx_pool_t *pool, json_t *json,
    ngx_tscast_rule_t *rule, json_error_t *error)
{
    json_t       *id, *params;
    ngx_str_t     old, named[3];
    ngx_array_t   words;

    ngx_memzero(named, sizeof(named));
    params = NULL;

    if (json_unpack_ex(json, error, JSON_STRICT,
                       "{s?o, s?s%, s?s%, s?s%, s?o}", "id", &id,
                       "kind", &named[0].data, &named[0].len,
                       "stream", &named[1].data, &named[1].len,
                       "url", &named[2].data, &named[2].len,
                       "parameters", &params)
        != 0)
    {
        return NGX_DECLINED;
    }

    error->line = -1;

    ngx_str_null(&old);

    if (ngx_array_init(&words, pool, 8, sizeof(ngx_str_t)) != NGX_OK
        || ngx_http_tscast_control_named(&words, named, rule, &old, error)
           != NGX_OK
        || ngx_http_tscast_control_params(&words, params, rule, &old, error)
           != NGX_OK
        || ngx_tscast_rule_words(pool, words.elts, words.nelts, &rule->words)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (rule->words.len > NGX_HTTP_TSCAST_CONTROL_WORDS) {
        ngx_sprintf((u_char *) error->text, "a link of more than %d bytes%Z",
                    NGX_HTTP_TSCAST_CONTROL_WORDS);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* the first three; old is the word of the rule that goes with the last */

static ngx_int_t
ngx_http_tscast_control_named(ngx_array_t *words, ngx_str_t *named,
    ngx_tscast_rule_t *rule, ngx_str_t *old, json_error_t *error)
{
    ngx_str_t   *word;
    ngx_uint_t   i, more;

    for (i = 0; i < 3; i++) {
        more = ngx_tscast_rule_word(&rule->words, old);
        word = ngx_array_push(words);

        if (word == NULL || (named[i].data == NULL && !more)) {
            ngx_sprintf((u_char *) error->text, "\"%s\" is missing%Z",
                        ngx_http_tscast_control_names[i]);
            return NGX_DECLINED;
        }

        *word = named[i].data ? named[i] : *old;
    }

    word = words->elts;

    if (word->len == 4 && (ngx_strncmp(word->data, "push", 4) == 0
                           || ngx_strncmp(word->data, "pull", 4) == 0))
    {
        return NGX_OK;
    }

    ngx_sprintf((u_char *) error->text,
                "\"kind\" is neither push nor pull%Z");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_tscast_control_params(ngx_array_t *words, json_t *json,
    ngx_tscast_rule_t *rule, ngx_str_t *old, json_error_t *error)
{
    size_t      i;
    json_t     *param;
    ngx_str_t  *word;

    if (json == NULL) {

        while (ngx_tscast_rule_word(&rule->words, old)) {
            word = ngx_array_push(words);
            if (word == NULL) {
                goto failed;
            }

            *word = *old;
        }

        return NGX_OK;
    }

    if (!json_is_array(json)) {
        goto failed;
    }

    json_array_foreach(json, i, param) {
        word = json_is_string(param) ? ngx_array_push(words) : NULL;
        if (word == NULL) {
            goto failed;
        }

        word->len = json_string_length(param);
        word->data = (u_char *) json_string_value(param);
    }

    return NGX_OK;

failed:

    ngx_sprintf((u_char *) error->text,
                "\"parameters\" is not an array of strings%Z");

    return NGX_DECLINED;
}


json_t *
ngx_http_tscast_control_rule_json(ngx_tscast_rule_t *rule)
{
    json_t      *json, *params;
    ngx_str_t    word;
    ngx_uint_t   i;

    ngx_str_null(&word);

    params = json_array();
    json = json_pack("{s:I}", "id", (json_int_t) rule->id);

    for (i = 0; ngx_tscast_rule_word(&rule->words, &word); i++) {

        if (i < 3) {
            json_object_set_new(json, ngx_http_tscast_control_names[i],
                                json_stringn((char *) word.data, word.len));

        } else {
            json_array_append_new(params,
                                  json_stringn((char *) word.data, word.len));
        }
    }

    json_object_set_new(json, "parameters", params);

    return json;
}
