
/*
 * Copyright (C) the tscast authors
 */


#include "ring_fake.h"


/* byte at an offset, different in neighbouring packets and chunks */

static u_char
pattern(uint64_t offset)
{
    return (u_char) (offset * 31 + offset / 188 + offset / 65424);
}


static void
fill(u_char *p, uint64_t offset, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        p[i] = pattern(offset + i);
    }
}


static ngx_uint_t
right(u_char *p, uint64_t offset, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (p[i] != pattern(offset + i)) {
            return 0;
        }
    }

    return 1;
}


static size_t
append(ngx_tscast_ring_env_t *env, ngx_tscast_ring_t *ring, ngx_uint_t packets,
    ngx_msec_t now)
{
    static u_char  buf[2000 * 188];

    fill(buf, ring->head, packets * 188);

    return ngx_tscast_ring_append(env, ring, buf, packets * 188, now);
}


/* all that a reader can see is what was written; returns the bytes seen */

static uint64_t
check(ngx_tscast_section_t *s, ngx_tscast_ring_t *ring)
{
    size_t              n;
    u_char             *p;
    uint64_t            offset;
    ngx_tscast_view_t   view;

    ngx_tscast_ring_enter(s, ring, &view);

    assert_true(view.tail <= view.head);
    assert_int_equal((view.head - ring->start) % 188, 0);

    for (offset = view.tail; offset < view.head; offset += n) {
        p = ngx_tscast_ring_at(ring, &view, offset, &n);

        assert_non_null(p);
        assert_true(n > 0 && n % 188 == 0);
        assert_true(right(p, offset, n));
    }

    ngx_tscast_ring_leave(s);

    return view.head - view.tail;
}


static void
init(ngx_tscast_ring_env_t *env, ngx_tscast_ring_t *ring, uint64_t start)
{
    assert_int_equal(ngx_tscast_ring_init_locked(env, ring, 7, start), NGX_OK);
}


static void
test_append(void **state)
{
    uint64_t               start;
    ngx_uint_t             i;
    fake_zone_t           *z;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_ring_env_t  env;

    /* offsets that begin near 2^63 too */

    for (start = 0; ; start = ((uint64_t) 1 << 63) / 65424 * 65424) {
        z = fake_zone_create(&env);
        ring = &z->rings[0];

        init(&env, ring, start);

        for (i = 0; i < 100; i++) {
            assert_int_equal(append(&env, ring, i + 1, i), (i + 1) * 188);
        }

        /* 5050 packets make 15 chunks: the table has grown from 8 */

        assert_int_equal(ring->head - start, 5050 * 188);
        assert_int_equal(check(&z->sections[0], ring), 5050 * 188);
        assert_int_equal(z->store.nfree, CHUNKS - 15);
        assert_int_equal(ring->table->mask, 15);

        ngx_tscast_ring_free_locked(&env, ring);

        assert_int_equal(z->store.nfree, CHUNKS);
        assert_int_equal(z->slab_used, 0);

        fake_zone_destroy(z);

        if (start) {
            break;
        }
    }
}


static void
test_full(void **state)
{
    fake_zone_t           *z;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_ring_env_t  env;

    z = fake_zone_create(&env);
    ring = &z->rings[0];

    init(&env, ring, 0);

    while (append(&env, ring, 348, 0) == 348 * 188) { /* void */ }

    assert_int_equal(ring->head, (uint64_t) CHUNKS * 65424);
    assert_int_equal(append(&env, ring, 1, 0), 0);
    assert_int_equal(check(&z->sections[0], ring), (uint64_t) CHUNKS * 65424);

    /* what is retired makes room, and only whole chunks are */

    assert_int_equal(ngx_tscast_ring_retire(ring, 65423), 0);
    assert_int_equal(ngx_tscast_ring_retire(ring, 65424 * 2 + 1), 2);
    assert_int_equal(ring->tail, 65424 * 2);
    assert_int_equal(append(&env, ring, 500, 0), 500 * 188);
    assert_int_equal(append(&env, ring, 500, 0), 196 * 188);

    /* nothing beyond head is retired */

    ngx_tscast_ring_retire(ring, (uint64_t) -1);
    assert_int_equal(ring->tail, ring->head);

    ngx_tscast_ring_free_locked(&env, ring);
    assert_int_equal(z->store.nfree, CHUNKS);

    fake_zone_destroy(z);
}


static void
test_older(void **state)
{
    ngx_uint_t             i;
    fake_zone_t           *z;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_ring_env_t  env;

    z = fake_zone_create(&env);
    ring = &z->rings[0];

    init(&env, ring, 0);

    for (i = 0; i < 10; i++) {
        append(&env, ring, 348, 1000 + i * 100);
    }

    /* chunk i is as old as the first byte of chunk i + 1 */

    assert_int_equal(ngx_tscast_ring_older(ring, 1000), 0);
    assert_int_equal(ngx_tscast_ring_older(ring, 1099), 0);
    assert_int_equal(ngx_tscast_ring_older(ring, 1100), 65424);
    assert_int_equal(ngx_tscast_ring_older(ring, 1450), 65424 * 4);
    assert_int_equal(ngx_tscast_ring_older(ring, 9999), 65424 * 9);

    fake_zone_destroy(z);
}


static void
test_epochs(void **state)
{
    size_t                 n;
    uint64_t               kept;
    ngx_uint_t             i;
    fake_zone_t           *z;
    ngx_tscast_view_t      view;
    ngx_tscast_ring_t     *ring, *other;
    ngx_tscast_ring_env_t  env;

    z = fake_zone_create(&env);
    ring = &z->rings[0];
    other = &z->rings[1];

    init(&env, ring, 0);
    assert_int_equal(ngx_tscast_ring_init_locked(&env, other, 8, 0), NGX_OK);

    for (i = 0; i < 10; i++) {
        append(&env, ring, 348, i);
    }

    /* a reader that stays inside holds these ten and no more */

    ngx_tscast_ring_enter(&z->sections[1], ring, &view);

    for (i = 10; i < 1000; i++) {
        assert_int_equal(append(&env, ring, 348, i), 348 * 188);
        ngx_tscast_ring_retire(ring, ring->head - 65424 * 4);
    }

    ngx_tscast_ring_reclaim_locked(&env, ring);

    kept = CHUNKS - z->store.nfree;
    assert_int_equal(kept, 10 + 4);

    /* what it held is unchanged in memory, but it is told to skip */

    assert_null(ngx_tscast_ring_at(ring, &view, 0, &n));

    /* it holds nothing of another ring */

    for (i = 0; i < 100; i++) {
        assert_int_equal(append(&env, other, 348, i), 348 * 188);
        ngx_tscast_ring_retire(other, other->head - 65424);
    }

    ngx_tscast_ring_reclaim_locked(&env, other);
    assert_int_equal(CHUNKS - z->store.nfree, kept + 1);

    ngx_tscast_ring_leave(&z->sections[1]);
    ngx_tscast_ring_reclaim_locked(&env, ring);
    assert_int_equal(CHUNKS - z->store.nfree, 4 + 1);

    ngx_tscast_ring_free_locked(&env, ring);
    ngx_tscast_ring_free_locked(&env, other);

    assert_int_equal(z->store.nfree, CHUNKS);
    assert_int_equal(z->slab_used, 0);

    fake_zone_destroy(z);
}


/* a table that a reader may be looking at is not freed under it */

static void
test_tables(void **state)
{
    size_t                 n;
    u_char                *p;
    ngx_uint_t             i;
    fake_zone_t           *z;
    ngx_tscast_view_t      view;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_table_t    *t;
    ngx_tscast_ring_env_t  env;

    z = fake_zone_create(&env);
    ring = &z->rings[0];

    init(&env, ring, 0);
    append(&env, ring, 348, 0);

    ngx_tscast_ring_enter(&z->sections[2], ring, &view);
    t = ring->table;

    for (i = 0; i < 40; i++) {
        append(&env, ring, 348, i);
    }

    assert_int_equal(ring->table->mask, 63);
    assert_int_equal(z->slab_used, 4);
    assert_non_null(t->chunks[0]);

    p = ngx_tscast_ring_at(ring, &view, 0, &n);
    assert_non_null(p);
    assert_true(right(p, 0, n));
    assert_int_equal(n, 65424);

    ngx_tscast_ring_leave(&z->sections[2]);
    ngx_tscast_ring_reclaim_locked(&env, ring);
    assert_int_equal(z->slab_used, 1);

    fake_zone_destroy(z);
}


/* what a publisher does: appends of all sizes, a window of a few chunks */

static void
publish(ngx_tscast_ring_env_t *env, fake_zone_t *z, ngx_uint_t rounds)
{
    ngx_uint_t          i;
    ngx_tscast_ring_t  *ring;

    ring = &z->rings[0];

    for (i = 0; i < rounds; i++) {
        ngx_tscast_ring_write(&z->sections[0], ring);

        append(env, ring, 1 + (i * 97) % 700, i);

        /* the window grows to 12 chunks, so that the table does, too */

        if (ring->head > 65424 * (2 + i / 4 % 11)) {
            ngx_tscast_ring_retire(ring, ring->head
                                         - 65424 * (2 + i / 4 % 11));
        }

        ngx_tscast_ring_written(&z->sections[0]);
    }
}


/*
 * Kills the writer at each of its points in turn.  What it leaves can be
 * read, and be freed but for one chunk.
 */

static void
test_killed_writer(void **state)
{
    int                    status;
    pid_t                  pid;
    ngx_uint_t             n, lost;
    fake_zone_t           *z;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_ring_env_t  env;

    lost = 0;

    for (n = 1; /* void */ ; n++) {
        z = fake_zone_create(&env);
        ring = &z->rings[0];

        init(&env, ring, 0);

        pid = fork();
        assert_true(pid != -1);

        if (pid == 0) {
            fake_signal_at(n, SIGKILL);
            publish(&env, z, 60);
            _exit(0);
        }

        assert_int_equal(waitpid(pid, &status, 0), pid);

        fake_unlock(z);

        assert_true(ring->start <= ring->tail);
        check(&z->sections[1], ring);

        if (WIFSIGNALED(status)) {
            assert_int_equal(ngx_tscast_ring_writing(&env, ring), 1);
        }

        z->sections[0].writing = 0;

        ngx_tscast_ring_retire(ring, ring->head);
        ngx_tscast_ring_reclaim_locked(&env, ring);
        assert_true(ring->head - ring->tail < 65424);

        ngx_tscast_ring_free_locked(&env, ring);

        assert_in_range(z->store.nfree, CHUNKS - 1, CHUNKS);
        assert_in_range(z->slab_used, 0, 1);

        lost += CHUNKS - z->store.nfree;

        fake_zone_destroy(z);

        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            break;
        }

        assert_int_equal(WTERMSIG(status), SIGKILL);
    }

    /* the points are really passed, and the leak is a real one */

    assert_true(n > 300);
    assert_true(lost > 0);
}


/* stops the reader at each of its points while the writer goes on */

static void
test_stopped_reader(void **state)
{
    int                    status;
    pid_t                  pid;
    ngx_uint_t             n;
    fake_zone_t           *z;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_ring_env_t  env;

    for (n = 1; n <= 2; n++) {
        z = fake_zone_create(&env);
        ring = &z->rings[0];

        init(&env, ring, 0);
        publish(&env, z, 40);

        pid = fork();
        assert_true(pid != -1);

        if (pid == 0) {
            ngx_tscast_view_t  view;
            uint64_t           offset;
            size_t             size;
            u_char            *p;

            fake_signal_at(n, SIGSTOP);

            ngx_tscast_ring_enter(&z->sections[1], ring, &view);

            /* woken much later: what was there is gone or still right */

            for (offset = view.tail; offset < view.head; offset += size) {
                p = ngx_tscast_ring_at(ring, &view, offset, &size);

                if (p == NULL) {
                    size = 188;
                    continue;
                }

                if (!right(p, offset, size)) {
                    _exit(1);
                }
            }

            ngx_tscast_ring_leave(&z->sections[1]);
            _exit(0);
        }

        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));

        publish(&env, z, 3000);

        ngx_tscast_ring_reclaim_locked(&env, ring);

        /* one window, of 12 chunks and a part, beside the writer's own */

        assert_in_range(CHUNKS - z->store.nfree, 1, 13 + 13);

        kill(pid, SIGCONT);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);

        ngx_tscast_ring_reclaim_locked(&env, ring);
        assert_in_range(CHUNKS - z->store.nfree, 1, 13);

        fake_zone_destroy(z);
    }
}


/* readers of other processes run against the writer */

static void
test_race(void **state)
{
    int                    status;
    pid_t                  pids[2];
    ngx_uint_t             i;
    fake_zone_t           *z;
    ngx_tscast_ring_t     *ring;
    ngx_tscast_ring_env_t  env;

    z = fake_zone_create(&env);
    ring = &z->rings[0];

    init(&env, ring, 0);

    for (i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] != -1);

        if (pids[i] == 0) {
            ngx_tscast_view_t  view;
            uint64_t           offset, last;
            size_t             n;
            u_char            *p;

            for (last = 0; last != (uint64_t) -1; /* void */ ) {
                ngx_tscast_ring_enter(&z->sections[1 + i], ring, &view);

                if (view.head < last) {
                    _exit(2);
                }

                last = view.head;

                for (offset = view.tail; offset < view.head; offset += n) {
                    p = ngx_tscast_ring_at(ring, &view, offset, &n);

                    if (p == NULL) {
                        break;
                    }

                    if (!right(p, offset, n)) {
                        _exit(1);
                    }
                }

                ngx_tscast_ring_leave(&z->sections[1 + i]);

                if (z->nsections == 5) {
                    _exit(0);
                }
            }
        }
    }

    publish(&env, z, 6000);

    /* the readers' sign to end */
    z->nsections = 5;

    for (i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }

    ngx_tscast_ring_free_locked(&env, ring);
    assert_int_equal(z->store.nfree, CHUNKS);
    assert_int_equal(z->slab_used, 0);

    fake_zone_destroy(z);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_older),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_killed_writer),
        cmocka_unit_test(test_stopped_reader),
        cmocka_unit_test(test_race),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
