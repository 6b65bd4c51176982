
/*
 * Copyright (C) the tscast authors
 */


/*
 * The kept-twice facts: what a reader gets is whole and of one version, while
 * a writer in another process goes on, is stopped at any of its instructions,
 * or is killed.
 */


#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <sched.h>

#include "ngx_tscast_hub.h"


volatile ngx_msec_t  ngx_current_msec;


typedef struct {
    ngx_tscast_feed_t   feed;
    ngx_uint_t          stop;
    ngx_uint_t          written;       /* calls that have returned */
} fake_t;


static fake_t *
create(void)
{
    fake_t  *f;

    f = mmap(NULL, sizeof(fake_t), PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_true(f != MAP_FAILED);

    return f;
}


static void
destroy(fake_t *f)
{
    munmap(f, sizeof(fake_t));
}


/* all bytes of the facts that belong to version n are made of n */

static u_char
mark(uint64_t n)
{
    return (u_char) (n * 37 + 1);
}


static ngx_tscast_ts_tables_t *
tables_of(uint64_t n)
{
    static ngx_tscast_ts_tables_t  tables;

    ngx_memset(&tables, mark(n), sizeof(ngx_tscast_ts_tables_t));
    tables.npids = n;

    return &tables;
}


static ngx_tscast_ts_rap_t *
rap_of(uint64_t n, uint64_t offset)
{
    static ngx_tscast_ts_rap_t  rap;

    ngx_memset(&rap, mark(n), sizeof(ngx_tscast_ts_rap_t));
    rap.offset = offset;

    return &rap;
}


/* tables and a RAP of n */

static void
write_one(fake_t *f, uint64_t n)
{
    ngx_tscast_facts_write(&f->feed, tables_of(n), rap_of(n, n * 188), 0);

    f->written = n;
}


static ngx_uint_t
whole(ngx_tscast_ts_tables_t *tables, ngx_tscast_ts_rap_t *rap)
{
    uint64_t  n;

    n = tables->npids;

    return rap->offset == n * 188
           && ngx_memcmp(tables, tables_of(n), sizeof(*tables)) == 0
           && ngx_memcmp(rap->cc, rap_of(n, 0)->cc, sizeof(rap->cc)) == 0;
}


static void
test_find(void **state)
{
    fake_t                  *f;
    ngx_uint_t               i;
    ngx_tscast_ts_rap_t      rap;
    ngx_tscast_ts_tables_t   tables;

    f = create();

    assert_int_equal(ngx_tscast_facts_find(&f->feed, 0, 1, &tables, &rap),
                     NGX_DECLINED);
    assert_true(ngx_tscast_facts_newest(&f->feed) == (uint64_t) -1);

    /* tables without a RAP are no place to start */

    ngx_tscast_facts_write(&f->feed, tables_of(1), NULL, 0);
    assert_int_equal(ngx_tscast_facts_find(&f->feed, 0, 1, &tables, &rap),
                     NGX_DECLINED);

    for (i = 1; i <= 10; i++) {
        ngx_tscast_facts_write(&f->feed, NULL, rap_of(i, i * 1000), 0);
    }

    assert_true(ngx_tscast_facts_newest(&f->feed) == 10000);

    assert_int_equal(ngx_tscast_facts_find(&f->feed, 0, 1, &tables, &rap),
                     NGX_OK);
    assert_true(rap.offset == 10000);
    assert_memory_equal(&tables, tables_of(1), sizeof(tables));

    assert_int_equal(ngx_tscast_facts_find(&f->feed, 0, 0, &tables, &rap),
                     NGX_OK);
    assert_true(rap.offset == 1000);

    assert_int_equal(ngx_tscast_facts_find(&f->feed, 1001, 0, &tables, &rap),
                     NGX_OK);
    assert_true(rap.offset == 2000);

    assert_int_equal(ngx_tscast_facts_find(&f->feed, 2000, 0, &tables, &rap),
                     NGX_OK);
    assert_true(rap.offset == 2000);

    assert_int_equal(ngx_tscast_facts_find(&f->feed, 10001, 1, &tables, &rap),
                     NGX_DECLINED);

    /* the newest is replaced, not followed */

    ngx_tscast_facts_write(&f->feed, NULL, rap_of(11, 11000), 1);
    assert_true(ngx_tscast_facts_newest(&f->feed) == 11000);
    assert_int_equal(ngx_tscast_facts_find(&f->feed, 9001, 0, &tables, &rap),
                     NGX_OK);
    assert_true(rap.offset == 11000);

    /* new tables make the RAPs before them useless */

    ngx_tscast_facts_write(&f->feed, tables_of(2), NULL, 0);
    assert_int_equal(ngx_tscast_facts_find(&f->feed, 0, 0, &tables, &rap),
                     NGX_DECLINED);
    assert_true(ngx_tscast_facts_newest(&f->feed) == (uint64_t) -1);

    ngx_tscast_facts_write(&f->feed, NULL, rap_of(12, 12000), 1);
    assert_int_equal(ngx_tscast_facts_find(&f->feed, 0, 0, &tables, &rap),
                     NGX_OK);
    assert_true(rap.offset == 12000);

    destroy(f);
}


static void
test_index_is_full(void **state)
{
    fake_t                  *f;
    uint64_t                 i, start, from;
    ngx_tscast_ts_rap_t      rap;
    ngx_tscast_ts_tables_t   tables;

    /* offsets that begin near 2^63 too */

    for (start = 0; /* void */ ; start = ((uint64_t) 1 << 63) - 100 * 188) {
        f = create();

        ngx_tscast_facts_write(&f->feed, tables_of(1), NULL, 0);

        for (i = 0; i < 1000; i++) {
            ngx_tscast_facts_write(&f->feed, NULL,
                                   rap_of(i, start + i * 188), 0);

            assert_int_equal(ngx_tscast_facts_find(&f->feed, start, 0,
                                                   &tables, &rap),
                             NGX_OK);

            /* the oldest of those that are kept */

            from = (i < NGX_TSCAST_RAPS) ? 0 : i - (NGX_TSCAST_RAPS - 1);
            assert_true(rap.offset == start + from * 188);

            assert_true(ngx_tscast_facts_newest(&f->feed)
                        == start + i * 188);
        }

        destroy(f);

        if (start) {
            break;
        }
    }
}


/* the writer is another process and goes on instruction by instruction */

static void
test_stopped_writer(void **state)
{
    int                      status;
    pid_t                    pid;
    fake_t                  *f;
    ngx_int_t                rc;
    ngx_uint_t               steps, versions;
    uint64_t                 last;
    ngx_tscast_ts_rap_t      rap;
    ngx_tscast_ts_tables_t   tables;

    f = create();
    write_one(f, 1);

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(77);
        }

        raise(SIGSTOP);

        write_one(f, 2);
        write_one(f, 3);

        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    if (!WIFSTOPPED(status)) {
        destroy(f);
        skip();
    }

    last = 1;
    versions = 1;

    for (steps = 0; /* void */ ; steps++) {

        /* most of them copy a few bytes: one in seven is looked at */

        if (steps % 7 == 0 || f->feed.version != last) {
            rc = ngx_tscast_facts_find(&f->feed, 0, 1, &tables, &rap);

            assert_int_equal(rc, NGX_OK);
            assert_true(whole(&tables, &rap));
            assert_true(tables.npids == f->feed.version);

            versions += (f->feed.version != last);
            last = f->feed.version;
        }

        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);

        if (WIFEXITED(status)) {
            break;
        }

        assert_true(WIFSTOPPED(status));
    }

    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(versions, 3);
    assert_true(steps > 1000);

    print_message("%d instructions\n", (int) steps);

    destroy(f);
}


/* killed anywhere: the next look is right at once */

static void
test_killed_writer(void **state)
{
    int                      status;
    pid_t                    pid;
    fake_t                  *f;
    ngx_uint_t               i, n;
    struct timespec          ts;
    ngx_tscast_ts_rap_t      rap;
    ngx_tscast_ts_tables_t   tables;

    for (n = 0; n < 200; n++) {
        f = create();
        write_one(f, 1);

        pid = fork();
        assert_true(pid != -1);

        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

            for (i = 2; /* void */ ; i++) {
                write_one(f, i);
            }
        }

        while (__atomic_load_n(&f->written, __ATOMIC_RELAXED) < 3) {
            sched_yield();
        }

        ts.tv_sec = 0;
        ts.tv_nsec = n * 997;
        nanosleep(&ts, NULL);

        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);

        assert_int_equal(ngx_tscast_facts_find(&f->feed, 0, 1, &tables, &rap),
                         NGX_OK);
        assert_true(whole(&tables, &rap));
        assert_in_range(tables.npids, f->written, f->written + 1);

        destroy(f);
    }
}


/* readers of other processes run against the writer */

static void
test_race(void **state)
{
    int                      status;
    pid_t                    pids[2];
    fake_t                  *f;
    uint64_t                 n, last, good;
    ngx_uint_t               i;
    ngx_tscast_ts_rap_t      rap;
    ngx_tscast_ts_tables_t   tables;

    f = create();
    write_one(f, 1);

    for (i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] != -1);

        if (pids[i]) {
            continue;
        }

        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

        last = 0;
        good = 0;

        while (!__atomic_load_n(&f->stop, __ATOMIC_SEQ_CST)) {

            switch (ngx_tscast_facts_find(&f->feed, 0, 1, &tables, &rap)) {

            case NGX_OK:
                if (!whole(&tables, &rap)) {
                    _exit(1);
                }

                if (tables.npids < last) {
                    _exit(2);
                }

                last = tables.npids;
                good++;
                break;

            case NGX_AGAIN:
                break;

            default:
                _exit(3);
            }
        }

        _exit(good ? 0 : 4);
    }

    for (n = 2; n < 20000; n++) {
        write_one(f, n);

        if (n % 16 == 0) {
            /* readers are to have their turn as well */
            sched_yield();
        }
    }

    __atomic_store_n(&f->stop, 1, __ATOMIC_SEQ_CST);

    for (i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }

    destroy(f);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_index_is_full),
        cmocka_unit_test(test_stopped_writer),
        cmocka_unit_test(test_killed_writer),
        cmocka_unit_test(test_race),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
