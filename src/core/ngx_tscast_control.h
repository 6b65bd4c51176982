
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_CONTROL_H_INCLUDED_
#define _NGX_TSCAST_CONTROL_H_INCLUDED_


/*
 * What can be asked of the workers of this node, and what can be ended.
 */


#include "ngx_tscast.h"


/* of the address of a viewer; a longer one is cut */
#define NGX_TSCAST_MAIL_ADDR  64


typedef struct ngx_tscast_question_s  ngx_tscast_question_t;
typedef struct ngx_tscast_answer_s    ngx_tscast_answer_t;
typedef struct ngx_tscast_page_s      ngx_tscast_page_t;

/* all workers have answered, or those that are missing have no more time */
typedef void (*ngx_tscast_answered_pt)(ngx_tscast_question_t *q);


typedef struct {
    uint64_t                 id;            /* of all in the zone */
    ngx_uint_t               slot;
    ngx_uint_t               door;
    time_t                   since;
    uint64_t                 sent;          /* media bytes */
    uint64_t                 skips;
    size_t                   addr_len;
    u_char                   addr[NGX_TSCAST_MAIL_ADDR];
} ngx_tscast_report_viewer_t;


/* of the viewers of a stream, but for links */

struct ngx_tscast_question_s {

    /* set by who asks */

    ngx_tscast_answered_pt   handler;
    void                    *data;
    ngx_log_t               *log;
    ngx_uint_t               drop;          /* they are to leave */
    uint64_t                 viewer;        /* its id, or 0: all */

    /* known when the handler is called */

    ngx_uint_t               viewers;       /* that there are, or were */
    ngx_uint_t               missing;       /* workers */

    /* the hub's own */

    ngx_queue_t              queue;         /* in zone->questions */
    ngx_tscast_zone_t       *zone;
    ngx_tscast_answer_t     *answer;
    ngx_tscast_page_t       *page;          /* to be read next */
    ngx_uint_t               read;          /* of it */
    ngx_event_t              timer;
};


/*
 * Ends what is published, and the session of its publisher.  Returns NGX_OK,
 * or NGX_TSCAST_NOT_FOUND when the stream has none.
 */
ngx_int_t ngx_tscast_publisher_evict(ngx_tscast_zone_t *zone,
    ngx_str_t *name);

/*
 * Asks all workers that have viewers of the stream.  Returns NGX_OK, after
 * which q->handler is called; NGX_TSCAST_NOT_FOUND, or NGX_ERROR when the zone
 * is full.
 */
ngx_int_t ngx_tscast_mail_ask(ngx_tscast_question_t *q,
    ngx_tscast_zone_t *zone, ngx_str_t *name);

/* the next viewer that was told of, or NULL */
ngx_tscast_report_viewer_t *ngx_tscast_mail_next(ngx_tscast_question_t *q);

/* no more of it is wanted; harmless when it was not asked */
void ngx_tscast_mail_close(ngx_tscast_question_t *q);

/* NGX_OK, or NGX_DECLINED with what is wrong with the rule */
ngx_int_t ngx_tscast_observe_check(ngx_tscast_rule_t *rule, ngx_str_t *why);

/* the id of another with the same kind, stream and URL, or 0 */
uint64_t ngx_tscast_rule_exists(ngx_tscast_rule_t *rule);

#define NGX_TSCAST_RULE_CONF  ((uint64_t) -1)    /* it is in nginx.conf */

/*
 * Adds a rule that was found right or, with an id, changes it.  Returns NGX_OK
 * with its id; NGX_TSCAST_NOT_FOUND when there is none of this id,
 * NGX_TSCAST_BUSY when there is another for the same stream and URL, NGX_ERROR
 * when the zone is full.
 */
ngx_int_t ngx_tscast_rule_set(ngx_tscast_rule_t *rule);

/* NGX_OK or NGX_TSCAST_NOT_FOUND */
ngx_int_t ngx_tscast_rule_remove(uint64_t id);

/*
 * Moves a file with the rules of this version to its place.  Returns NGX_OK,
 * NGX_DECLINED when newer ones are there already, NGX_ERROR with errno.
 */
ngx_int_t ngx_tscast_rule_keep(uint64_t version, u_char *from, u_char *to);


#endif /* _NGX_TSCAST_CONTROL_H_INCLUDED_ */
