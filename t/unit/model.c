
/*
 * Copyright (C) the tscast authors
 */


#include "model.h"

#include <stdio.h>
#include <stdlib.h>


#define MODEL_KILLED  1
#define MODEL_IDLE    2


static void model_explore(model_t *m, model_state_t *s);
static void model_try(model_t *m, model_state_t *s, ngx_uint_t n);
static void model_kill(model_t *m, model_state_t *s, ngx_uint_t n);
static ngx_uint_t model_pass_time(model_t *m, model_state_t *s);
static void model_follow(model_t *m, model_state_t *s, ngx_uint_t n,
    ngx_uint_t what);
static void model_forget(model_state_t *s, ngx_uint_t nthreads);
static ngx_uint_t model_known(model_t *m, model_state_t *s);
static void model_join(model_view_t a, const model_view_t b);
static ngx_uint_t model_gone(model_thread_t *t);
static uint16_t model_line(model_thread_t *t);
static void model_modify(model_t *m, model_thread_t *t, ngx_uint_t loc,
    int value);
static void model_explain(model_t *m);


ngx_uint_t
model_run(model_t *m)
{
    ngx_uint_t             i;
    static model_state_t   s;

    m->failure = NULL;
    m->states = 0;
    m->ends = 0;
    m->longest = 0;
    m->depth = 0;

    m->size = 4096;
    m->table = calloc(m->size, 2 * sizeof(uint64_t));
    assert_non_null(m->table);

    ngx_memzero(&s, sizeof(model_state_t));

    for (i = 0; i < MODEL_LOCS; i++) {
        s.locs[i].n = 1;
    }

    model_explore(m, &s);

    free(m->table);

    print_message("variant %d: %d states, %d ends, %s\n", (int) m->variant,
                  (int) m->states, (int) m->ends,
                  m->failure ? m->failure : "right");

    if (m->failure && m->variant == 0) {
        model_explain(m);
    }

    return m->failure == NULL;
}


static void
model_explore(model_t *m, model_state_t *s)
{
    ngx_uint_t  i, moved;

    if (model_known(m, s)) {
        return;
    }

    m->longest = ngx_max(m->longest, m->depth);
    moved = 0;

    for (i = 0; i < m->nthreads && m->failure == NULL; i++) {

        if (model_gone(&s->threads[i])) {
            continue;
        }

        m->nchoices = 0;

        do {
            /* sets the choices that this step has */
            m->choice = 0;
            moved |= 1;
            model_try(m, s, i);

            if (m->s == NULL) {
                /* it waits */
                moved &= 2;
                break;
            }

            moved |= 2;

            while (m->nchoices
                   && ++m->choices[m->nchoices - 1]
                      == m->limits[m->nchoices - 1])
            {
                m->nchoices--;
            }

        } while (m->nchoices && m->failure == NULL);

        if (m->failure == NULL && m->mortal[i]) {
            model_kill(m, s, i);
        }
    }

    if ((moved & 2) || m->failure || model_pass_time(m, s) || m->failure) {
        return;
    }

    m->ends++;
    m->s = s;

    if (m->end) {
        m->failure = m->end(m);
    }
}


static void
model_try(model_t *m, model_state_t *s, ngx_uint_t n)
{
    u_char          limits[16], choices[16];
    ngx_uint_t      nchoices;
    model_state_t   next;

    next = *s;
    m->s = &next;

    m->path[m->depth].thread = (u_char) n;
    m->path[m->depth].what = 0;
    if (!m->steps[n](m, n, &next.threads[n])) {
        m->s = NULL;
        return;
    }

    m->path[m->depth].pc = model_line(&next.threads[n]);

    /* the choices of what follows are others */

    nchoices = m->nchoices;
    ngx_memcpy(limits, m->limits, sizeof(limits));
    ngx_memcpy(choices, m->choices, sizeof(choices));

    model_follow(m, &next, n, 0);

    m->nchoices = nchoices;
    ngx_memcpy(m->limits, limits, sizeof(limits));
    ngx_memcpy(m->choices, choices, sizeof(choices));

    m->s = s;
}


static void
model_kill(model_t *m, model_state_t *s, ngx_uint_t n)
{
    model_state_t  next;

    next = *s;
    m->s = &next;

    m->path[m->depth].pc = model_line(&s->threads[n]);
    next.threads[n].dead = 1;

    /* the kernel has seen what it did */
    model_join(next.barrier, next.threads[n].view);

    if (m->killed) {
        m->killed(m, n);
    }

    model_follow(m, &next, n, MODEL_KILLED);
}


static ngx_uint_t
model_pass_time(model_t *m, model_state_t *s)
{
    model_state_t  next;

    if (m->idle == NULL) {
        return 0;
    }

    next = *s;
    m->s = &next;

    if (!m->idle(m)) {
        return 0;
    }

    m->path[m->depth].pc = 0;
    model_follow(m, &next, 0, MODEL_IDLE);

    return 1;
}


static void
model_follow(model_t *m, model_state_t *s, ngx_uint_t n, ngx_uint_t what)
{
    m->path[m->depth].thread = (u_char) n;
    m->path[m->depth].what = (u_char) what;
    m->depth++;

    if (m->depth == sizeof(m->path) / sizeof(m->path[0])) {
        fail_msg("%s: too many steps", m->name);
    }

    if (m->failure) {
        return;
    }

    model_forget(s, m->nthreads);
    model_explore(m, s);

    if (m->failure == NULL) {
        m->depth--;
    }
}


/* what nobody can read any more, so that equal states are found equal */

static void
model_forget(model_state_t *s, ngx_uint_t nthreads)
{
    u_char             base[MODEL_LOCS];
    ngx_uint_t         i, j, k;
    model_thread_t    *t;
    model_location_t  *l;

    for (k = 0; k < MODEL_LOCS; k++) {
        base[k] = s->locs[k].n - 1;

        for (i = 0; i < nthreads; i++) {
            t = &s->threads[i];

            if (!model_gone(t)) {
                base[k] = ngx_min(base[k], t->view[k]);
            }
        }
    }

    for (i = 0; i < MODEL_LOCS; i++) {
        l = &s->locs[i];

        l->n -= base[i];

        ngx_memmove(l->messages, l->messages + base[i],
                    l->n * sizeof(model_message_t));
        ngx_memzero(l->messages + l->n,
                    (MODEL_DEPTH - l->n) * sizeof(model_message_t));

        for (j = 0; j < l->n; j++) {
            for (k = 0; k < MODEL_LOCS; k++) {
                l->messages[j].view[k] -= ngx_min(l->messages[j].view[k],
                                                  base[k]);
            }
        }
    }

    for (k = 0; k < MODEL_LOCS; k++) {
        s->barrier[k] -= ngx_min(s->barrier[k], base[k]);
    }

    for (i = 0; i < nthreads; i++) {
        t = &s->threads[i];

        if (model_gone(t)) {
            ngx_memzero(t->view, sizeof(model_view_t));
            ngx_memzero(t->released, sizeof(model_view_t));
            ngx_memzero(t->seen, sizeof(model_view_t));
            ngx_memzero(t->v, sizeof(t->v));
            ngx_memzero(t->pc, sizeof(t->pc));
            continue;
        }

        for (k = 0; k < MODEL_LOCS; k++) {
            t->view[k] -= base[k];
            t->released[k] -= ngx_min(t->released[k], base[k]);
            t->seen[k] -= ngx_min(t->seen[k], base[k]);
        }
    }
}


/* states are told apart by 128 bits of hash */

static ngx_uint_t
model_known(model_t *m, model_state_t *s)
{
    size_t      i, k, size;
    u_char     *p;
    uint64_t    a, b, word, *table, *old;

    a = 0x9e3779b97f4a7c15;
    b = 0xc2b2ae3d27d4eb4f;

    p = (u_char *) s;

    for (i = 0; i < sizeof(model_state_t); i += sizeof(word)) {
        word = 0;
        ngx_memcpy(&word, p + i, ngx_min(sizeof(word),
                                         sizeof(model_state_t) - i));

        a = (a ^ word) * 0xff51afd7ed558ccd;
        a ^= a >> 32;
        b = (b + word) * 0xc4ceb9fe1a85ec53;
        b ^= b >> 29;
    }

    if (m->states * 2 > m->size) {
        old = m->table;
        size = m->size;

        m->size = size * 4;
        m->table = calloc(m->size, 2 * sizeof(uint64_t));
        assert_non_null(m->table);

        table = m->table;

        for (i = 0; i < size; i++) {

            if (old[i * 2] == 0) {
                continue;
            }

            k = old[i * 2] % m->size;

            while (table[k * 2]) {
                k = (k + 1) % m->size;
            }

            table[k * 2] = old[i * 2];
            table[k * 2 + 1] = old[i * 2 + 1];
        }

        free(old);
    }

    table = m->table;
    a |= 1;

    for (k = a % m->size; table[k * 2]; k = (k + 1) % m->size) {
        if (table[k * 2] == a && table[k * 2 + 1] == b) {
            return 1;
        }
    }

    table[k * 2] = a;
    table[k * 2 + 1] = b;
    m->states++;

    return 0;
}


static void
model_join(model_view_t a, const model_view_t b)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_LOCS; i++) {
        a[i] = ngx_max(a[i], b[i]);
    }
}


static ngx_uint_t
model_gone(model_thread_t *t)
{
    return t->done || t->dead;
}


static uint16_t
model_line(model_thread_t *t)
{
    return t->pc[2] ? t->pc[2] : t->pc[1] ? t->pc[1] : t->pc[0];
}


int
model_load(model_t *m, model_thread_t *t, ngx_uint_t loc, ngx_uint_t order)
{
    ngx_uint_t         i;
    model_message_t   *message;
    model_location_t  *l;

    l = &m->s->locs[loc];

    i = l->n - 1 - model_choose(m, l->n - t->view[loc]);
    message = &l->messages[i];

    t->view[loc] = (u_char) i;

    model_join(order == MODEL_SYNC ? t->view : t->seen, message->view);

    return message->value;
}


void
model_store(model_t *m, model_thread_t *t, ngx_uint_t loc, int value,
    ngx_uint_t order)
{
    model_location_t  *l;

    l = &m->s->locs[loc];

    if (l->n == MODEL_DEPTH) {
        fail_msg("%s: too many values in one place", m->name);
    }

    t->view[loc] = l->n;

    l->messages[l->n].value = (int16_t) value;
    ngx_memcpy(l->messages[l->n].view,
               order == MODEL_SYNC ? t->view : t->released,
               sizeof(model_view_t));
    l->messages[l->n].view[loc] = l->n;

    l->n++;
}


/* always of the latest value; acquires and releases */

static void
model_modify(model_t *m, model_thread_t *t, ngx_uint_t loc, int value)
{
    model_location_t  *l;

    l = &m->s->locs[loc];

    t->view[loc] = l->n - 1;
    model_join(t->view, l->messages[l->n - 1].view);

    model_store(m, t, loc, value, MODEL_SYNC);
}


int
model_exchange(model_t *m, model_thread_t *t, ngx_uint_t loc, int value)
{
    int  old;

    old = model_latest(m, loc);
    model_modify(m, t, loc, value);

    return old;
}


int
model_add(model_t *m, model_thread_t *t, ngx_uint_t loc, int value)
{
    value += model_latest(m, loc);
    model_modify(m, t, loc, value);

    return value;
}


int
model_or(model_t *m, model_thread_t *t, ngx_uint_t loc, int value)
{
    value |= model_latest(m, loc);
    model_modify(m, t, loc, value);

    return value;
}


void
model_barrier(model_t *m, model_thread_t *t)
{
    model_join(t->view, t->seen);
    model_join(t->view, m->s->barrier);

    ngx_memcpy(m->s->barrier, t->view, sizeof(model_view_t));
    ngx_memcpy(t->released, t->view, sizeof(model_view_t));
    ngx_memcpy(t->seen, t->view, sizeof(model_view_t));
}


int
model_latest(model_t *m, ngx_uint_t loc)
{
    model_location_t  *l;

    l = &m->s->locs[loc];

    return l->messages[l->n - 1].value;
}


void
model_keep_latest(model_t *m, ngx_uint_t loc)
{
    ngx_uint_t         i;
    model_location_t  *l;

    l = &m->s->locs[loc];

    l->messages[0] = l->messages[l->n - 1];
    l->messages[0].view[loc] = 0;
    l->n = 1;

    for (i = 0; i < m->nthreads; i++) {
        m->s->threads[i].view[loc] = 0;
    }
}


ngx_uint_t
model_choose(model_t *m, ngx_uint_t n)
{
    if (m->choice == m->nchoices) {

        if (m->nchoices == sizeof(m->choices)) {
            fail_msg("%s: too many choices", m->name);
        }

        m->choices[m->nchoices] = 0;
        m->limits[m->nchoices] = (u_char) n;
        m->nchoices++;
    }

    return m->choices[m->choice++];
}


void
model_fail(model_t *m, const char *what)
{
    m->failure = what;
}


static void
model_explain(model_t *m)
{
    ngx_uint_t  i;

    fprintf(stderr, "%s: %s, after", m->name, m->failure);

    for (i = 0; i < m->depth; i++) {

        switch (m->path[i].what) {

        case MODEL_KILLED:
            fprintf(stderr, " %u:killed", m->path[i].thread);
            break;

        case MODEL_IDLE:
            fprintf(stderr, " idle");
            break;

        default:
            fprintf(stderr, " %u:%u", m->path[i].thread, m->path[i].pc);
        }
    }

    fprintf(stderr, "\n");
}
