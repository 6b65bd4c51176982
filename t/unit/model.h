
/*
 * Copyright (C) the tscast authors
 */


/*
 * Runs a protocol of a few processes over shared memory in every order of its
 * steps, and with every value that a weakly ordered memory may give.
 *
 * A location is the list of the values that were stored there, and a process
 * has a view: for each location the oldest value that it may still read.  A
 * load takes any value that is not older.  What a store releases is the view
 * of the process; a load that acquires joins it.  A full barrier joins the
 * view with that of all full barriers before it.  So a store may be seen later
 * than the stores and loads behind it, as on x86, and out of order, as on
 * arm64.  What is not modelled: a load that is delayed past a later store.
 *
 * An atomic access of the code under test is sequentially consistent, here it
 * only acquires or releases: what holds here rests on the barriers alone.
 */


#ifndef _MODEL_H_INCLUDED_
#define _MODEL_H_INCLUDED_


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>


#define MODEL_THREADS  4
#define MODEL_LOCS     20      /* locations of shared memory */
#define MODEL_DEPTH    12      /* values of one that may still be read */
#define MODEL_VARS     14      /* a process's own */
#define MODEL_GHOSTS   16      /* seen by all at once: the kernel, the test */

#define MODEL_RELAXED  0
#define MODEL_SYNC     1       /* a load acquires, a store releases */


typedef u_char  model_view_t[MODEL_LOCS];

typedef struct {
    int16_t             value;
    model_view_t        view;
} model_message_t;

typedef struct {
    model_message_t     messages[MODEL_DEPTH];
    u_char              n;
} model_location_t;

typedef struct {
    uint16_t            pc[3];         /* its own and in what it calls */
    u_char              done;
    u_char              dead;
    model_view_t        view;
    model_view_t        released;      /* by the last barrier */
    model_view_t        seen;          /* relaxed, waits for a barrier */
    int16_t             v[MODEL_VARS];
} model_thread_t;

typedef struct {
    model_location_t    locs[MODEL_LOCS];
    model_thread_t      threads[MODEL_THREADS];
    model_view_t        barrier;
    int16_t             g[MODEL_GHOSTS];
} model_state_t;

typedef struct model_s  model_t;

/* a step of a process: not 0 if it could be made */
typedef ngx_uint_t (*model_step_pt)(model_t *m, ngx_uint_t n,
    model_thread_t *t);

struct model_s {

    /* set by the test */

    const char         *name;
    ngx_uint_t          nthreads;
    model_step_pt       steps[MODEL_THREADS];
    u_char              mortal[MODEL_THREADS];  /* may be killed, any time */
    ngx_uint_t          variant;       /* what is left out or done wrong */

    /* a process was killed; may be NULL */
    void              (*killed)(model_t *m, ngx_uint_t n);

    /* nobody can go on: not 0 if time has changed that; may be NULL */
    ngx_uint_t        (*idle)(model_t *m);

    /* nobody will ever go on: what is wrong, or NULL */
    const char       *(*end)(model_t *m);

    /* for the steps */

    model_state_t      *s;

    /* results */

    const char         *failure;
    ngx_uint_t          states;
    ngx_uint_t          ends;
    ngx_uint_t          longest;       /* number of steps */

    /* of the engine */

    void               *table;
    size_t              size;
    ngx_uint_t          depth;
    u_char              choices[16];
    u_char              limits[16];
    ngx_uint_t          nchoices;
    ngx_uint_t          choice;
    struct {
        u_char          thread;
        u_char          what;
        uint16_t        pc;
    }                   path[1024];
};


/*
 * Returns 1 when all is well in every order.  A failure is set otherwise; of
 * variant 0, which has to be right, the steps that led to it are printed.
 */
ngx_uint_t model_run(model_t *m);

int model_load(model_t *m, model_thread_t *t, ngx_uint_t loc,
    ngx_uint_t order);
void model_store(model_t *m, model_thread_t *t, ngx_uint_t loc, int value,
    ngx_uint_t order);
int model_exchange(model_t *m, model_thread_t *t, ngx_uint_t loc, int value);
int model_add(model_t *m, model_thread_t *t, ngx_uint_t loc, int value);
int model_or(model_t *m, model_thread_t *t, ngx_uint_t loc, int value);
void model_barrier(model_t *m, model_thread_t *t);

/* what is stored there, whoever may see it: for locks and for checks */
int model_latest(model_t *m, ngx_uint_t loc);

/* nobody loads it or stores to it but by an exchange: the past is forgotten */
void model_keep_latest(model_t *m, ngx_uint_t loc);

/* 0 to n - 1, each of them in turn */
ngx_uint_t model_choose(model_t *m, ngx_uint_t n);

void model_fail(model_t *m, const char *what);


/*
 * A process is written down in order.  The variables that it has over a step
 * are in t->v; each step has one access to shared memory.  A process is at
 * level 0, what it calls is at level 1, and what that calls at level 2.
 */

#define MODEL_RETURNED  2

#define model_begin(level)                                                    \
    uint16_t  *pc = &t->pc[level];                                            \
                                                                              \
    switch (*pc) {                                                            \
    case 0:

#define model_step                                                            \
    do {                                                                      \
        *pc = __LINE__;                                                       \
        return 1;                                                             \
    case __LINE__: ;                                                          \
    } while (0)

#define model_wait(condition)                                                 \
    do {                                                                      \
        *pc = __LINE__;                                                       \
        return 1;                                                             \
    case __LINE__:                                                            \
        if (!(condition)) {                                                   \
            return 0;                                                         \
        }                                                                     \
    } while (0)

#define model_call(function)                                                  \
    do {                                                                      \
        ngx_uint_t  model_rc;                                                 \
                                                                              \
        *pc = __LINE__;                                                       \
        __attribute__((fallthrough));                                         \
    case __LINE__:                                                            \
        model_rc = function(m, n, t);                                         \
                                                                              \
        if (model_rc != MODEL_RETURNED) {                                     \
            return model_rc;                                                  \
        }                                                                     \
    } while (0)

#define model_return                                                          \
    break;                                                                    \
    }                                                                         \
    *pc = 0;                                                                  \
    return MODEL_RETURNED

#define model_end                                                             \
    }                                                                         \
    t->done = 1;                                                              \
    return 1


/* a mutex that the master unlocks when its owner dies */

#define model_lock(loc)                                                       \
    model_wait(model_latest(m, loc) == 0);                                    \
    (void) model_exchange(m, t, loc, n + 1);                                  \
    model_keep_latest(m, loc)

#define model_unlock(loc)                                                     \
    model_step;                                                               \
    (void) model_exchange(m, t, loc, 0);                                      \
    model_keep_latest(m, loc)


#endif /* _MODEL_H_INCLUDED_ */
