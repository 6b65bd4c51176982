
/*
 * Copyright (C) the tscast authors
 */


/*
 * The ring of src/core/ngx_tscast_ring.c in every order: a writer that adds,
 * retires and frees chunks and replaces its table, and readers that look at
 * what they were shown until they leave.  A chunk holds its own number; freed
 * memory is overwritten at once.
 */


#include "model.h"


#define FREED  -1


/* shared memory */

enum {
    HEAD = 0,                   /* in chunks */
    TAIL,
    EPOCH,
    TABLE,                      /* 0: the small one, 1: the large one */
    SMALL,                      /* its entries: chunk + 1 */
    LARGE = SMALL + 2,
    READING = LARGE + 4,        /* of each reader */
    SHOWN = READING + 2,        /* the epoch in its section */
    DATA = SHOWN + 2            /* of each chunk */
};

/* what only the writer knows, or whoever has the mutex */

enum {
    CHUNKS = 0,                 /* how many there are */
    WINDOW,
    APPENDS,
    BIRTH,                      /* of each chunk, 0: it is free */
    RETIRE = BIRTH + 4,         /* 0: it is in the table */
    TABLE_RETIRE = RETIRE + 4   /* of the small table; -1: it is freed */
};

/* what is left out or done wrong */

enum {
    RIGHT = 0,
    NO_BARRIER_IN_READER,
    NO_BARRIER_IN_WRITER,
    TAIL_BEFORE_SHOWN,
    TAIL_NOT_LOOKED_AT_AGAIN,
    RETIRED_BEFORE_TAIL,
    BORN_AFTER_HEAD,
    READERS_IGNORED,
    TABLE_FREED_AT_ONCE,
    SHOWN_BEFORE_EPOCH,         /* this and the next are not wrong */
    HELD_UNTIL_RETIRED
};


static const ngx_uint_t  empty[] = { 3, 1, 4 };      /* chunks, window */
static const ngx_uint_t  growing[] = { 4, 3, 4 };    /* and appends */

static const ngx_uint_t  *settings;


static ngx_uint_t
entry_of(model_t *m, ngx_uint_t table, int number)
{
    return table ? LARGE + number % 4 : SMALL + number % 2;
}


/* takes what no reader holds off the limbo; readers are as they were seen */

static void
reclaim(model_t *m, model_thread_t *t, int n, int *epochs)
{
    int  i, k, held;

    for (i = 0; i < m->s->g[CHUNKS]; i++) {

        if (m->s->g[RETIRE + i] == 0) {
            continue;
        }

        for (held = 0, k = 0; k < n; k++) {

            if (m->variant == READERS_IGNORED) {
                continue;
            }

            held |= (epochs[k] < m->s->g[RETIRE + i]
                     && (epochs[k] >= m->s->g[BIRTH + i]
                         || m->variant == HELD_UNTIL_RETIRED));
        }

        if (!held) {
            m->s->g[BIRTH + i] = 0;
            m->s->g[RETIRE + i] = 0;
            model_store(m, t, DATA + i, FREED, MODEL_RELAXED);
        }
    }

    if (m->s->g[TABLE_RETIRE] <= 0) {
        return;
    }

    for (held = 0, k = 0; k < n; k++) {
        held |= (epochs[k] < m->s->g[TABLE_RETIRE]);
    }

    if (!held || m->variant == TABLE_FREED_AT_ONCE) {
        m->s->g[TABLE_RETIRE] = -1;
        model_store(m, t, SMALL, FREED, MODEL_RELAXED);
        model_store(m, t, SMALL + 1, FREED, MODEL_RELAXED);
    }
}


static ngx_uint_t
writer(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    int  i, epochs[2];

    enum { head = 0, tail, table, chunk, readers, epoch, reader = epoch + 2,
           from };

    model_begin(0);

    m->s->g[CHUNKS] = settings[0];
    m->s->g[WINDOW] = settings[1];
    m->s->g[APPENDS] = settings[2];

    for ( ;; ) {

        /* ngx_tscast_ring_grow() */

        if (!t->v[table] && t->v[head] - t->v[tail] > 1) {

            for (i = t->v[tail]; i < t->v[head]; i++) {
                model_store(m, t, entry_of(m, 1, i),
                            model_latest(m, entry_of(m, 0, i)),
                            MODEL_RELAXED);
            }

            model_step;
            model_store(m, t, TABLE, 1, MODEL_SYNC);
            t->v[table] = 1;

            model_step;
            m->s->g[TABLE_RETIRE] = model_add(m, t, EPOCH, 1);
        }

        /* ngx_tscast_ring_readers() */

        if (m->variant != NO_BARRIER_IN_WRITER) {
            model_step;
            model_barrier(m, t);
        }

        t->v[readers] = 0;

        for (t->v[reader] = 0; t->v[reader] < 2; t->v[reader]++) {
            model_step;

            if (model_load(m, t, READING + t->v[reader], MODEL_SYNC)) {
                model_step;
                t->v[epoch + t->v[readers]++] = model_load(m, t,
                                               SHOWN + t->v[reader],
                                               MODEL_SYNC);
            }
        }

        epochs[0] = t->v[epoch];
        epochs[1] = t->v[epoch + 1];

        reclaim(m, t, t->v[readers], epochs);

        t->v[epoch] = 0;
        t->v[epoch + 1] = 0;

        if (t->v[head] == m->s->g[APPENDS]) {
            break;
        }

        /* ngx_tscast_ring_add() */

        for (i = 0; i < m->s->g[CHUNKS] && m->s->g[BIRTH + i]; i++) {
            /* void */
        }

        if (i == m->s->g[CHUNKS]) {
            /* none is free */
            break;
        }

        t->v[chunk] = i;
        m->s->g[BIRTH + t->v[chunk]] = -1;

        if (m->variant != BORN_AFTER_HEAD) {
            model_step;
            m->s->g[BIRTH + t->v[chunk]] = model_add(m, t, EPOCH, 1);
        }

        model_store(m, t, DATA + t->v[chunk], t->v[head], MODEL_RELAXED);

        model_step;
        model_store(m, t, entry_of(m, t->v[table], t->v[head]),
                    t->v[chunk] + 1, MODEL_SYNC);

        model_step;
        t->v[head]++;
        model_store(m, t, HEAD, t->v[head], MODEL_SYNC);

        if (m->variant == BORN_AFTER_HEAD) {
            model_step;
            m->s->g[BIRTH + t->v[chunk]] = model_add(m, t, EPOCH, 1);
        }

        /* ngx_tscast_ring_retire() */

        if (t->v[head] - t->v[tail] <= m->s->g[WINDOW]) {
            continue;
        }

        t->v[from] = t->v[tail]++;
        t->v[chunk] = model_latest(m, entry_of(m, t->v[table], t->v[from]))
                      - 1;

        if (m->variant == RETIRED_BEFORE_TAIL) {
            model_step;
            m->s->g[RETIRE + t->v[chunk]] = model_add(m, t, EPOCH, 1);
        }

        model_step;
        model_store(m, t, TAIL, t->v[tail], MODEL_SYNC);

        if (m->variant != RETIRED_BEFORE_TAIL) {
            model_step;
            m->s->g[RETIRE + t->v[chunk]] = model_add(m, t, EPOCH, 1);
        }

        model_step;
        model_store(m, t, entry_of(m, t->v[table], t->v[from]), 0,
                    MODEL_SYNC);
    }

    model_end;
}


static ngx_uint_t
reader(model_t *m, ngx_uint_t n, model_thread_t *t)
{
    ngx_uint_t  self;

    enum { round = 0, head, tail, epoch, offset, table, entry, count,
           chunks };

    self = n - 1;

    model_begin(0);

    for (t->v[round] = 0; t->v[round] < 2; t->v[round]++) {

        /* ngx_tscast_ring_enter() */

        model_step;
        t->v[head] = model_load(m, t, HEAD, MODEL_SYNC);

        if (t->v[head] == 0) {
            /* nothing to see yet */
            continue;
        }

        if (m->variant == SHOWN_BEFORE_EPOCH) {
            model_step;
            model_store(m, t, READING + self, 1, MODEL_SYNC);
        }

        if (m->variant == TAIL_BEFORE_SHOWN) {
            model_step;
            t->v[tail] = model_load(m, t, TAIL, MODEL_SYNC);
        }

        model_step;
        t->v[epoch] = model_load(m, t, EPOCH, MODEL_SYNC);

        model_step;
        model_store(m, t, SHOWN + self, t->v[epoch], MODEL_SYNC);

        if (m->variant != SHOWN_BEFORE_EPOCH) {
            model_step;
            model_store(m, t, READING + self, 1, MODEL_SYNC);
        }

        if (m->variant != NO_BARRIER_IN_READER) {
            model_step;
            model_barrier(m, t);
        }

        if (m->variant != TAIL_BEFORE_SHOWN) {
            model_step;
            t->v[tail] = model_load(m, t, TAIL, MODEL_SYNC);
        }

        /* ngx_tscast_ring_at() */

        t->v[count] = 0;

        for (t->v[offset] = t->v[tail]; t->v[offset] < t->v[head];
             t->v[offset]++)
        {
            model_step;
            t->v[table] = model_load(m, t, TABLE, MODEL_SYNC);

            model_step;
            t->v[entry] = model_load(m, t, entry_of(m, t->v[table],
                                                    t->v[offset]),
                                     MODEL_SYNC);

            if (t->v[entry] == FREED) {
                model_fail(m, "a freed table was read");
                break;
            }

            if (m->variant != TAIL_NOT_LOOKED_AT_AGAIN
                && m->variant != TAIL_BEFORE_SHOWN)
            {
                model_step;

                if (model_load(m, t, TAIL, MODEL_SYNC) > t->v[offset]) {
                    continue;
                }
            }

            if (t->v[entry] == 0) {
                continue;
            }

            /* it is looked at until the section ends */

            t->v[chunks + t->v[count]++] = t->v[entry] * 16 + t->v[offset];
        }

        while (t->v[count]) {
            model_step;
            t->v[count]--;

            if (model_load(m, t, DATA + t->v[chunks + t->v[count]] / 16 - 1,
                           MODEL_RELAXED)
                != t->v[chunks + t->v[count]] % 16)
            {
                model_fail(m, "a chunk was freed under its reader");
                break;
            }

            t->v[chunks + t->v[count]] = 0;
        }

        /* ngx_tscast_ring_leave() */

        model_step;
        model_store(m, t, READING + self, 0, MODEL_SYNC);

        t->v[epoch] = 0;
        t->v[table] = 0;
        t->v[entry] = 0;
    }

    model_end;
}


/* when the readers have gone, only the window is left */

static const char *
end(model_t *m)
{
    int  i, kept;

    for (kept = 0, i = 0; i < m->s->g[CHUNKS]; i++) {
        kept += (m->s->g[BIRTH + i] != 0 && m->s->g[RETIRE + i] == 0);
    }

    if (kept != model_latest(m, HEAD) - model_latest(m, TAIL)) {
        return "chunks are missing";
    }

    return NULL;
}


static model_t  m = {
    .name = "ring",
    .steps = { writer, reader, reader },
    .end = end
};


static ngx_uint_t
run(ngx_uint_t variant, const ngx_uint_t *how, ngx_uint_t readers)
{
    settings = how;

    m.nthreads = 1 + readers;
    m.variant = variant;

    return model_run(&m);
}


static void
test_no_chunk_is_freed_under_a_reader(void **state)
{
    assert_true(run(RIGHT, empty, 1));
}


static void
test_no_table_is_freed_under_a_reader(void **state)
{
    assert_true(run(RIGHT, growing, 1));
}


static void
test_mistakes_are_found(void **state)
{
    assert_false(run(NO_BARRIER_IN_READER, empty, 1));
    assert_false(run(NO_BARRIER_IN_WRITER, empty, 1));
    assert_false(run(TAIL_BEFORE_SHOWN, empty, 1));
    assert_false(run(TAIL_NOT_LOOKED_AT_AGAIN, empty, 1));
    assert_false(run(RETIRED_BEFORE_TAIL, empty, 1));
    assert_false(run(BORN_AFTER_HEAD, empty, 1));
    assert_false(run(READERS_IGNORED, empty, 1));
    assert_false(run(TABLE_FREED_AT_ONCE, growing, 1));
}


static void
test_what_does_not_matter(void **state)
{
    assert_true(run(SHOWN_BEFORE_EPOCH, empty, 1));
    assert_true(run(HELD_UNTIL_RETIRED, empty, 1));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_no_chunk_is_freed_under_a_reader),
        cmocka_unit_test(test_no_table_is_freed_under_a_reader),
        cmocka_unit_test(test_mistakes_are_found),
        cmocka_unit_test(test_what_does_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
