
/*
 * Copyright (C) the tscast authors
 */


/*
 * rtmp_auto_push makes a socket for each worker when the worker starts.  Where
 * nginx-rtmp is a module that is loaded, that is after nginx has gone through
 * its sockets: nobody would accept on it, and a worker that leaves would free
 * the connection that it was copied with twice.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_rtmp.h>

#include "ngx_rtmp_tscast_client.h"


static ngx_int_t ngx_rtmp_tscast_auto_push_accept(ngx_cycle_t *cycle,
    ngx_listening_t *ls);


ngx_int_t
ngx_rtmp_tscast_auto_push_init(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    if (ngx_process != NGX_PROCESS_WORKER) {
        return NGX_OK;
    }

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ls[i].handler == ngx_rtmp_init_connection
            && ls[i].sockaddr->sa_family == AF_UNIX
            && (ls[i].connection == NULL || ls[i].connection->fd != ls[i].fd)
            && ngx_rtmp_tscast_auto_push_accept(cycle, &ls[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rtmp_tscast_auto_push_accept(ngx_cycle_t *cycle, ngx_listening_t *ls)
{
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ngx_get_connection(ls->fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->type = ls->type;
    c->log = &ls->log;
    c->listening = ls;

    ls->connection = c;

    rev = c->read;

    rev->log = c->log;
    rev->accept = 1;
    rev->handler = ngx_event_accept;

    if (ngx_use_accept_mutex) {
        /* whoever has it adds all of them */
        return NGX_OK;
    }

    return ngx_add_event(rev, NGX_READ_EVENT, 0);
}
