
/*
 * Copyright (C) the tscast authors
 */


/*
 * The kept-twice facts of src/core/ngx_tscast_facts.c in every order: a writer
 * that may die at any step, and a reader.  Facts of two words stand for all.
 */


#include "model.h"


#define WRITES  3
#define WORDS   2


/* shared memory */

enum {
    VERSION = 0,
    FACTS                       /* two copies of two words each */
};

/* what is left out or done wrong */

enum {
    RIGHT = 0,
    NO_BARRIER_IN_WRITER,
    NO_BARRIER_IN_READER,
    VERSION_NOT_LOOKED_AT_AGAIN,
    VERSION_FIRST,
    ONE_COPY
};


static ngx_uint_t
copy_of(model_t *m, int version)
{
    return FACTS + ((m->variant == ONE_COPY) ? 0 : (version & 1) * WORDS);
}


static ngx_uint_t
writer(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { version = 0, i };

    model_begin(0);

    for (t->v[version] = 1; t->v[version] <= WRITES; t->v[version]++) {

        if (m->variant == VERSION_FIRST) {
            model_step;
            model_store(m, t, VERSION, t->v[version], MODEL_SYNC);
        }

        for (t->v[i] = 0; t->v[i] < WORDS; t->v[i]++) {
            model_step;
            model_store(m, t, copy_of(m, t->v[version]) + t->v[i],
                        t->v[version], MODEL_RELAXED);
        }

        if (m->variant != VERSION_FIRST) {
            model_step;
            model_store(m, t, VERSION, t->v[version], MODEL_SYNC);
        }

        if (m->variant != NO_BARRIER_IN_WRITER) {
            model_step;
            model_barrier(m, t);
        }
    }

    model_end;
}


static ngx_uint_t
reader(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { round = 0, version, i, words };

    model_begin(0);

    for (t->v[round] = 0; t->v[round] < 2; t->v[round]++) {

        model_step;
        t->v[version] = model_load(m, t, VERSION, MODEL_SYNC);

        for (t->v[i] = 0; t->v[i] < WORDS; t->v[i]++) {
            model_step;
            t->v[words + t->v[i]] = model_load(m, t, t->v[i]
                                               + copy_of(m, t->v[version]),
                                               MODEL_RELAXED);
        }

        if (m->variant != NO_BARRIER_IN_READER) {
            model_step;
            model_barrier(m, t);
        }

        if (m->variant != VERSION_NOT_LOOKED_AT_AGAIN) {
            model_step;

            if (model_load(m, t, VERSION, MODEL_SYNC) != t->v[version]) {
                continue;
            }
        }

        for (t->v[i] = 0; t->v[i] < WORDS; t->v[i]++) {
            if (t->v[words + t->v[i]] != t->v[version]) {
                model_fail(m, "facts of two versions");
            }
        }
    }

    model_end;
}


/* a reader behind a writer that has died, wherever, has its answer */

static ngx_uint_t
late_reader(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { version = 0, i, words };

    model_begin(0);

    model_wait(m->s->threads[0].dead || m->s->threads[0].done);
    model_barrier(m, t);

    model_step;
    t->v[version] = model_load(m, t, VERSION, MODEL_SYNC);

    for (t->v[i] = 0; t->v[i] < WORDS; t->v[i]++) {
        model_step;
        t->v[words + t->v[i]] = model_load(m, t, t->v[i]
                                           + copy_of(m, t->v[version]),
                                           MODEL_RELAXED);
    }

    model_step;
    model_barrier(m, t);

    model_step;

    if (model_load(m, t, VERSION, MODEL_SYNC) == t->v[version]) {

        for (t->v[i] = 0; t->v[i] < WORDS; t->v[i]++) {
            if (t->v[words + t->v[i]] != t->v[version]) {
                model_fail(m, "a dead writer left facts of two versions");
            }
        }
    }

    model_end;
}


static model_t  m = {
    .name = "facts",
    .nthreads = 3,
    .steps = { writer, reader, late_reader },
    .mortal = { 1 }
};


static ngx_uint_t
run(ngx_uint_t variant)
{
    m.variant = variant;

    return model_run(&m);
}


static void
test_facts_are_of_one_version(void **state)
{
    assert_true(run(RIGHT));
}


static void
test_mistakes_are_found(void **state)
{
    assert_false(run(NO_BARRIER_IN_WRITER));
    assert_false(run(NO_BARRIER_IN_READER));
    assert_false(run(VERSION_NOT_LOOKED_AT_AGAIN));
    assert_false(run(VERSION_FIRST));
    assert_false(run(ONE_COPY));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_facts_are_of_one_version),
        cmocka_unit_test(test_mistakes_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
