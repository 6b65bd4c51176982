
/*
 * Copyright (C) the tscast authors
 */


/*
 * The wake-up of src/core/ngx_tscast_wake.c in every order: two publishers of
 * two streams and a worker that has viewers of both.
 */


#include "model.h"


#define STREAMS  2
#define ROUNDS   2


/* shared memory */

enum {
    HEAD = 0,                   /* of each stream */
    INTEREST = HEAD + STREAMS,
    DIRTY = INTEREST + STREAMS,
    PENDING
};

/* what is known without it */

enum {
    EVENT = 0,                  /* an edge that epoll has not reported */
    STAGE,                      /* how often time has passed */
    DEAD,                       /* a publisher was killed */
    SEEN                        /* the head that viewers of a stream know */
};

/* what is left out or done wrong */

enum {
    RIGHT = 0,
    NO_BARRIER_IN_PUBLISHER,
    NO_BARRIER_IN_VIEWER,
    INTEREST_AFTER_HEAD,
    PENDING_BEFORE_DIRTY,
    DIRTY_TAKEN_BEFORE_PENDING,
    NO_EVENT,
    NO_ROUND
};


static ngx_uint_t
publisher(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { round = 0, interest, pending };

    model_begin(0);

    for (t->v[round] = 1; t->v[round] <= ROUNDS; t->v[round]++) {

        if (m->idle && n == 1 && t->v[round] == ROUNDS) {
            /* much later than all else */
            model_wait(m->s->g[STAGE] >= 2);
        }

        model_step;
        model_store(m, t, HEAD + n, t->v[round], MODEL_SYNC);

        if (m->variant != NO_BARRIER_IN_PUBLISHER) {
            model_step;
            model_barrier(m, t);
        }

        model_step;
        t->v[interest] = model_load(m, t, INTEREST + n, MODEL_SYNC);

        if (!t->v[interest]) {
            continue;
        }

        if (m->variant != PENDING_BEFORE_DIRTY) {
            model_step;
            (void) model_or(m, t, DIRTY, 1 << n);
        }

        model_step;
        t->v[pending] = model_exchange(m, t, PENDING, 1);

        if (m->variant == PENDING_BEFORE_DIRTY) {
            model_step;
            (void) model_or(m, t, DIRTY, 1 << n);
        }

        if (t->v[pending] || m->variant == NO_EVENT) {
            continue;
        }

        model_step;
        m->s->g[EVENT] = 1;
    }

    model_end;
}


static ngx_uint_t
viewer(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { i = 0, word };

    model_begin(0);

    /* viewers join */

    for (t->v[i] = 0; t->v[i] < STREAMS; t->v[i]++) {

        if (m->variant != INTEREST_AFTER_HEAD) {
            model_step;
            (void) model_or(m, t, INTEREST + t->v[i], 1);
        }

        if (m->variant != NO_BARRIER_IN_VIEWER) {
            model_step;
            model_barrier(m, t);
        }

        model_step;
        m->s->g[SEEN + t->v[i]] = model_load(m, t, HEAD + t->v[i], MODEL_SYNC);

        if (m->variant == INTEREST_AFTER_HEAD) {
            model_step;
            (void) model_or(m, t, INTEREST + t->v[i], 1);
        }
    }

    for ( ;; ) {
        model_wait(m->s->g[EVENT]);
        m->s->g[EVENT] = 0;

        if (m->variant == DIRTY_TAKEN_BEFORE_PENDING) {
            model_step;
            t->v[word] = model_exchange(m, t, DIRTY, 0);
        }

        model_step;

        if (!model_exchange(m, t, PENDING, 0)) {
            continue;
        }

        model_step;
        model_barrier(m, t);

        if (m->variant != DIRTY_TAKEN_BEFORE_PENDING) {
            model_step;
            t->v[word] = model_exchange(m, t, DIRTY, 0);
        }

        for (t->v[i] = 0; t->v[i] < STREAMS; t->v[i]++) {

            if (t->v[word] & (1 << t->v[i])) {
                model_step;
                m->s->g[SEEN + t->v[i]] = model_load(m, t, HEAD + t->v[i],
                                                     MODEL_SYNC);
            }
        }

        t->v[word] = 0;
    }

    model_end;
}


static void
killed(model_t *m, ngx_uint_t n)
{
    m->s->g[DEAD] = 1;
}


/* once a second a worker looks by itself; and later there is more to see */

static ngx_uint_t
idle(model_t *m)
{
    if (m->s->g[STAGE] == 2) {
        return 0;
    }

    m->s->g[STAGE]++;

    if (m->s->g[STAGE] == 1 && m->variant != NO_ROUND) {
        m->s->g[EVENT] = 1;
    }

    return 1;
}


static const char *
end(model_t *m)
{
    if (m->s->g[SEEN + 1] != ROUNDS) {
        return m->s->g[DEAD] ? "deaf since a publisher was killed"
                             : "lost wake-up";
    }

    if (m->s->g[SEEN] != ROUNDS && !m->s->g[DEAD]) {
        return "lost wake-up";
    }

    return NULL;
}


static model_t  m = {
    .name = "wake",
    .nthreads = 3,
    .steps = { publisher, publisher, viewer },
    .killed = killed,
    .end = end
};


static ngx_uint_t
run(ngx_uint_t variant, ngx_uint_t mortal)
{
    m.mortal[0] = mortal;
    m.variant = variant;
    m.idle = mortal ? idle : NULL;

    return model_run(&m);
}


static void
test_no_wake_up_is_lost(void **state)
{
    assert_true(run(RIGHT, 0));
}


static void
test_killed_publisher(void **state)
{
    assert_true(run(RIGHT, 1));
}


static void
test_mistakes_are_found(void **state)
{
    assert_false(run(NO_BARRIER_IN_PUBLISHER, 0));
    assert_false(run(NO_BARRIER_IN_VIEWER, 0));
    assert_false(run(INTEREST_AFTER_HEAD, 0));
    assert_false(run(PENDING_BEFORE_DIRTY, 0));
    assert_false(run(DIRTY_TAKEN_BEFORE_PENDING, 0));
    assert_false(run(NO_EVENT, 0));

    /* one that is killed between xchg(pending, 1) and the eventfd */

    assert_false(run(NO_ROUND, 1));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_no_wake_up_is_lost),
        cmocka_unit_test(test_killed_publisher),
        cmocka_unit_test(test_mistakes_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
