
/*
 * Copyright (C) the tscast authors
 */


/*
 * Reports without a lock, of src/core/ngx_tscast_report.c, in every order: one
 * who looks at a stream, and one who frees a former feed and then the last one.
 */


#include "model.h"


#define ROUNDS  2
#define GONE    9


/* shared memory */

enum {
    LOOKING = 0,
    FEED,                       /* of the stream: 0, 1 or 2 */
    BODY                        /* of feeds 1 and 2 */
};

/* what is left out or done wrong */

enum {
    RIGHT = 0,
    NO_BARRIER_IN_REPORT,
    NO_BARRIER_IN_FREE,
    LOOKS_TOO_LATE,
    LOOKS_TOO_SHORT,
    FREES_WHAT_IS_LINKED,
    CHECKS_THE_LAST_ONLY
};


static ngx_uint_t
report(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { round = 0, feed };

    model_begin(0);

    for (t->v[round] = 0; t->v[round] < ROUNDS; t->v[round]++) {

        if (m->variant != LOOKS_TOO_LATE) {
            model_step;
            model_store(m, t, LOOKING, 1, MODEL_SYNC);

            if (m->variant != NO_BARRIER_IN_REPORT) {
                model_step;
                model_barrier(m, t);
            }
        }

        model_step;
        t->v[feed] = model_load(m, t, FEED, MODEL_SYNC);

        if (m->variant == LOOKS_TOO_LATE) {
            model_step;
            model_store(m, t, LOOKING, 1, MODEL_SYNC);

            model_step;
            model_barrier(m, t);
        }

        if (m->variant == LOOKS_TOO_SHORT) {
            model_step;
            model_store(m, t, LOOKING, 0, MODEL_SYNC);
        }

        if (t->v[feed]) {
            model_step;

            if (model_load(m, t, BODY + t->v[feed], MODEL_SYNC) == GONE) {
                model_fail(m, "copied from a feed that was freed");
            }
        }

        if (m->variant != LOOKS_TOO_SHORT) {
            model_step;
            model_store(m, t, LOOKING, 0, MODEL_SYNC);
        }
    }

    model_end;
}


/* under the mutex, so that nobody else frees */

static ngx_uint_t
frees(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { feed = 0, last, tries, looks };

    model_begin(0);

    model_step;
    model_store(m, t, FEED, 1, MODEL_SYNC);

    model_step;
    model_store(m, t, FEED, 2, MODEL_SYNC);

    for (t->v[feed] = 1; t->v[feed] <= 2; t->v[feed]++) {

        for (t->v[tries] = 0; t->v[tries] < 2; t->v[tries]++) {

            t->v[last] = (t->v[feed] == 2);

            if (t->v[last] && m->variant != FREES_WHAT_IS_LINKED) {
                model_step;
                model_store(m, t, FEED, 0, MODEL_SYNC);
            }

            if (m->variant != NO_BARRIER_IN_FREE) {
                model_step;
                model_barrier(m, t);
            }

            t->v[looks] = 0;

            if (t->v[last] || m->variant != CHECKS_THE_LAST_ONLY) {
                model_step;
                t->v[looks] = model_load(m, t, LOOKING, MODEL_SYNC);
            }

            if (!t->v[looks]) {
                model_step;
                model_store(m, t, BODY + t->v[feed], GONE, MODEL_SYNC);
                break;
            }

            if (t->v[last]) {
                model_step;
                model_store(m, t, FEED, t->v[feed], MODEL_SYNC);
            }
        }
    }

    model_end;
}


static model_t  m = {
    .name = "report",
    .nthreads = 2,
    .steps = { report, frees }
};


static ngx_uint_t
run(ngx_uint_t variant, ngx_uint_t mortal)
{
    m.mortal[0] = mortal;
    m.variant = variant;

    return model_run(&m);
}


static void
test_nothing_is_copied_that_was_freed(void **state)
{
    assert_true(run(RIGHT, 0));
}


static void
test_killed_report(void **state)
{
    assert_true(run(RIGHT, 1));
}


static void
test_mistakes_are_found(void **state)
{
    assert_false(run(NO_BARRIER_IN_REPORT, 0));
    assert_false(run(NO_BARRIER_IN_FREE, 0));
    assert_false(run(LOOKS_TOO_LATE, 0));
    assert_false(run(LOOKS_TOO_SHORT, 0));
    assert_false(run(FREES_WHAT_IS_LINKED, 0));
    assert_false(run(CHECKS_THE_LAST_ONLY, 0));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nothing_is_copied_that_was_freed),
        cmocka_unit_test(test_killed_report),
        cmocka_unit_test(test_mistakes_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
