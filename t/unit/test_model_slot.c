
/*
 * Copyright (C) the tscast authors
 */


/*
 * Slots and feeds of src/core/ngx_tscast_slot.c and ngx_tscast_stream.c in
 * every order: a publisher that is slow, stopped or killed at any step, another
 * that takes the stream over, one who sweeps, and the process that the master
 * starts in the slot of the dead one, with the same pid.
 */


#include "model.h"


/* shared memory */

enum {
    LOCK = 0,
    PID,                        /* of the slot */
    START,
    WRITING,                    /* the slot's section: a feed */
    ENDED                       /* of each feed, 1 and 2 */
};

/* what is known without it, or under the mutex */

enum {
    OWNER_DEAD = 0,
    OWNER_LEFT,
    HEIR_LIVES,
    HEIR_HELD,                  /* its feed, 2, is published */
    HELD,                       /* feed 1 */
    FREED,
    APPENDING,                  /* its ring is being changed by the writer */
    TRIMMING                    /* or by another */
};

/* what is left out or done wrong */

enum {
    RIGHT = 0,
    HELD_BY_NOBODY,
    SECTION_NOT_LOOKED_AT,
    NO_BARRIER_IN_WRITER,
    NO_BARRIER_IN_TRIM,
    ENDED_BEFORE_SECTION,
    START_NOT_COMPARED,
    SECTION_NOT_CLEARED
};

/* a process's own, of the parts that all have */

enum {
    pid = 0, start, swept, round
};


#define OWNER       0

#define THE_PID     5
#define OWNER_START 1
#define HEIR_START  2


static void
touch(model_t *m)
{
    if (m->s->g[FREED]) {
        model_fail(m, "a freed feed is used");
    }
}


/* what kill() and /proc would say */

static ngx_uint_t
is_dead(model_t *m, int p, int s)
{
    int  now;

    now = m->s->g[HEIR_LIVES] ? HEIR_START
          : (m->s->g[OWNER_DEAD] || m->s->g[OWNER_LEFT]) ? 0 : OWNER_START;

    return p == THE_PID && now != s;
}


/* ngx_tscast_stream_trim_locked(), when the window is over */

static ngx_uint_t
trim(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    model_begin(2);

    if (m->s->g[FREED]) {
        return MODEL_RETURNED;
    }

    model_step;

    if (!model_load(m, t, ENDED, MODEL_SYNC)) {
        goto done;
    }

    if (m->variant != NO_BARRIER_IN_TRIM) {
        model_step;
        model_barrier(m, t);
    }

    model_step;

    if (model_load(m, t, WRITING, MODEL_SYNC) == 1
        && m->variant != SECTION_NOT_LOOKED_AT)
    {
        goto done;
    }

    m->s->g[TRIMMING] = 1;

    if (m->s->g[APPENDING]) {
        model_fail(m, "a ring is changed by two");
    }

    model_step;
    m->s->g[TRIMMING] = 0;

    if (!m->s->g[HELD] || m->variant == HELD_BY_NOBODY) {
        m->s->g[FREED] = 1;
    }

done:

    model_return;
}


/* ngx_tscast_slot_clear() */

static ngx_uint_t
clear(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    model_begin(1);

    model_lock(LOCK);

    if (model_latest(m, PID) != t->v[pid]
        || (model_latest(m, START) != t->v[start]
            && m->variant != START_NOT_COMPARED))
    {
        goto done;
    }

    if (m->variant != SECTION_NOT_CLEARED) {
        model_step;
        model_store(m, t, WRITING, 0, MODEL_SYNC);
    }

    model_step;
    model_store(m, t, ENDED, 1, MODEL_SYNC);
    m->s->g[HELD] = 0;

    if (m->s->g[HEIR_HELD]) {
        model_step;
        model_store(m, t, ENDED + 1, 1, MODEL_SYNC);
    }

    model_call(trim);

    model_step;
    model_store(m, t, PID, 0, MODEL_SYNC);

done:

    model_unlock(LOCK);

    model_return;
}


static ngx_uint_t
owner(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    enum { ended = 4 };

    model_begin(0);

    model_lock(LOCK);
    model_store(m, t, START, OWNER_START, MODEL_SYNC);
    model_store(m, t, PID, THE_PID, MODEL_SYNC);
    m->s->g[HELD] = 1;
    model_unlock(LOCK);

    for (t->v[round] = 0; t->v[round] < 2; t->v[round]++) {

        /* ngx_tscast_publisher_packets() */

        if (m->variant == ENDED_BEFORE_SECTION) {
            model_step;
            touch(m);
            t->v[ended] = model_load(m, t, ENDED, MODEL_SYNC);
        }

        model_step;
        touch(m);
        model_store(m, t, WRITING, 1, MODEL_SYNC);

        if (m->variant != NO_BARRIER_IN_WRITER) {
            model_step;
            model_barrier(m, t);
        }

        if (m->variant != ENDED_BEFORE_SECTION) {
            model_step;
            touch(m);
            t->v[ended] = model_load(m, t, ENDED, MODEL_SYNC);
        }

        if (!t->v[ended]) {
            model_step;
            touch(m);
            m->s->g[APPENDING] = 1;

            if (m->s->g[TRIMMING]) {
                model_fail(m, "a ring is changed by two");
            }

            model_step;
            touch(m);
            m->s->g[APPENDING] = 0;
        }

        model_step;
        model_store(m, t, WRITING, 0, MODEL_SYNC);

        if (t->v[ended]) {
            /* ousted */
            break;
        }
    }

    /* ngx_tscast_unpublish() */

    model_lock(LOCK);
    touch(m);

    model_step;
    model_store(m, t, ENDED, 1, MODEL_SYNC);
    m->s->g[HELD] = 0;

    model_call(trim);

    /* ngx_tscast_slot_leave() */

    model_step;
    model_store(m, t, PID, 0, MODEL_SYNC);
    m->s->g[OWNER_LEFT] = 1;

    model_unlock(LOCK);

    model_end;
}


/* another publisher; and the sweep of each second */

static ngx_uint_t
rival(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    model_begin(0);

    model_wait(m->s->g[HELD]);

    for (t->v[round] = 0; t->v[round] < 2; t->v[round]++) {

        model_lock(LOCK);

        if (t->v[round] == 0 && !m->s->g[FREED]) {
            model_step;
            model_store(m, t, ENDED, 1, MODEL_SYNC);
        }

        model_call(trim);

        model_unlock(LOCK);
    }

    model_end;
}


/* ngx_tscast_slot_bury() */

static ngx_uint_t
sweeper(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    model_begin(0);

    for (t->v[round] = 0; t->v[round] < 2; t->v[round]++) {

        /* again, when it is too late for anybody else */

        model_wait(t->v[round] == 0
                   || m->s->threads[OWNER].dead || m->s->threads[OWNER].done);

        model_lock(LOCK);
        t->v[pid] = model_latest(m, PID);
        t->v[start] = model_latest(m, START);
        model_unlock(LOCK);

        model_step;

        if (!is_dead(m, t->v[pid], t->v[start])) {
            continue;
        }

        model_call(clear);
    }

    model_end;
}


/* the next process in the slot, when the master has seen the end of the last */

static ngx_uint_t
heir(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    model_begin(0);

    model_wait(m->s->g[OWNER_DEAD]);
    m->s->g[HEIR_LIVES] = 1;
    model_barrier(m, t);

    /* ngx_tscast_slot_take() */

    model_step;
    t->v[pid] = model_load(m, t, PID, MODEL_SYNC);

    if (t->v[pid]) {
        model_step;
        t->v[start] = model_load(m, t, START, MODEL_SYNC);

        model_call(clear);
    }

    model_lock(LOCK);
    model_store(m, t, START, HEIR_START, MODEL_SYNC);
    model_store(m, t, PID, THE_PID, MODEL_SYNC);
    model_unlock(LOCK);

    model_lock(LOCK);
    m->s->g[HEIR_HELD] = 1;
    model_unlock(LOCK);

    model_step;
    model_store(m, t, WRITING, 2, MODEL_SYNC);

    model_step;
    model_barrier(m, t);

    model_step;

    if (model_load(m, t, ENDED + 1, MODEL_SYNC)) {
        model_fail(m, "a living worker was swept");
    }

    model_step;

    if (model_latest(m, WRITING) != 2) {
        model_fail(m, "a living worker's section was cleared");
    }

    model_store(m, t, WRITING, 0, MODEL_SYNC);

    model_end;
}


/* the mutex of the dead is unlocked by the master before all else */

static void
killed(model_t *m, ngx_uint_t n)
{
    model_thread_t  *t;

    t = &m->s->threads[n];

    m->s->g[OWNER_DEAD] = 1;
    m->s->g[APPENDING] = 0;
    m->s->g[TRIMMING] = 0;

    if (model_latest(m, LOCK) == (int) n + 1) {
        (void) model_exchange(m, t, LOCK, 0);
        model_keep_latest(m, LOCK);
    }
}


static const char *
end(model_t *m)
{
    int                i;
    model_location_t  *l;

    l = m->s->locs;

    if (m->s->g[HEIR_LIVES]
        && (l[PID].messages[l[PID].n - 1].value != THE_PID
            || l[ENDED + 1].messages[l[ENDED + 1].n - 1].value))
    {
        return "a living worker was swept";
    }

    /* the feed that was ended is freed: by whoever comes last */

    i = l[ENDED].messages[l[ENDED].n - 1].value;

    if (i && !m->s->g[HELD] && !m->s->g[FREED]) {
        return "a feed is left over";
    }

    return NULL;
}


static model_t  m = {
    .name = "slot",
    .nthreads = 4,
    .steps = { owner, rival, sweeper, heir },
    .killed = killed,
    .end = end
};


static ngx_uint_t
run(ngx_uint_t variant, ngx_uint_t mortal)
{
    m.mortal[OWNER] = mortal;
    m.variant = variant;

    return model_run(&m);
}


static void
test_publisher_is_ousted(void **state)
{
    assert_true(run(RIGHT, 0));
}


static void
test_publisher_is_killed(void **state)
{
    assert_true(run(RIGHT, 1));
}


static void
test_mistakes_are_found(void **state)
{
    assert_false(run(HELD_BY_NOBODY, 0));
    assert_false(run(SECTION_NOT_LOOKED_AT, 0));
    assert_false(run(NO_BARRIER_IN_WRITER, 0));
    assert_false(run(NO_BARRIER_IN_TRIM, 0));
    assert_false(run(ENDED_BEFORE_SECTION, 0));
    assert_false(run(START_NOT_COMPARED, 1));
    assert_false(run(SECTION_NOT_CLEARED, 1));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_publisher_is_ousted),
        cmocka_unit_test(test_publisher_is_killed),
        cmocka_unit_test(test_mistakes_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
