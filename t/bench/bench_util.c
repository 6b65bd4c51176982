
/*
 * Copyright (C) the tscast authors
 */


#include "bench.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>


static void bench_end(int signo);


volatile sig_atomic_t  bench_ended;


void
bench_die(const char *fmt, ...)
{
    va_list  args;

    fflush(stdout);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);

    exit(1);
}


void
bench_options(int argc, char **argv, const bench_option_t *options)
{
    int                    i;
    char                  *value;
    const bench_option_t  *o;

    for (i = 1; i < argc; i++) {

        value = strchr(argv[i], '=');

        if (value == NULL) {
            bench_die("\"%s\" is not name=value", argv[i]);
        }

        *value++ = '\0';

        for (o = options; o->name; o++) {
            if (strcmp(o->name, argv[i]) == 0) {
                break;
            }
        }

        if (o->name == NULL) {
            bench_die("there is no option \"%s\"", argv[i]);
        }

        if (o->number) {
            *o->number = atol(value);

        } else if (o->real) {
            *o->real = atof(value);

        } else {
            *o->text = value;
        }
    }
}


void
bench_descriptors(void)
{
    struct rlimit  rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);
    }
}


/* for those who keep time and do little: ahead of others on the same core */

void
bench_realtime(void)
{
    struct sched_param  sp;

    sp.sched_priority = 1;

    (void) sched_setscheduler(0, SCHED_FIFO, &sp);
    (void) prctl(PR_SET_TIMERSLACK, 1);
}


static void
bench_end(int signo)
{
    (void) signo;

    bench_ended = 1;
}


void
bench_catch_end(void)
{
    struct sigaction  sa;

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = bench_end;

    (void) sigaction(SIGTERM, &sa, NULL);
    (void) sigaction(SIGINT, &sa, NULL);

    (void) signal(SIGPIPE, SIG_IGN);

    /* not to outlive the script */

    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
}


uint64_t
bench_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * BENCH_SEC + ts.tv_nsec;
}


void
bench_sleep_until(uint64_t when)
{
    struct timespec  ts;

    ts.tv_sec = when / BENCH_SEC;
    ts.tv_nsec = when % BENCH_SEC;

    (void) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}


/*
 * Seconds that a process of one thread has run; schedstat counts in ns where
 * stat has ticks of 10 ms.
 */

double
bench_cpu(long pid)
{
    char                 path[64];
    FILE                *f;
    unsigned long        user, system;
    unsigned long long   ran;

    snprintf(path, sizeof(path), "/proc/%ld/schedstat", pid);

    ran = 0;

    f = fopen(path, "r");

    if (f) {
        if (fscanf(f, "%llu", &ran) != 1) {
            ran = 0;
        }

        fclose(f);
    }

    if (ran) {
        return ran / 1e9;
    }

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);

    f = fopen(path, "r");

    if (f == NULL) {
        bench_die("process %ld is gone", pid);
    }

    if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
               "%lu %lu", &user, &system)
        != 2)
    {
        bench_die("cannot read %s", path);
    }

    fclose(f);

    return (double) (user + system) / sysconf(_SC_CLK_TCK);
}


/* all that TCP holds in the kernel, in pages */

long
bench_tcp_pages(void)
{
    long   pages;
    char   line[256], *p;
    FILE  *f;

    pages = 0;

    f = fopen("/proc/net/sockstat", "r");

    if (f == NULL) {
        return 0;
    }

    while (fgets(line, sizeof(line), f)) {

        if (strncmp(line, "TCP:", 4) == 0) {
            p = strstr(line, " mem ");
            pages = p ? atol(p + 5) : 0;
        }
    }

    fclose(f);

    return pages;
}


/*
 * Each address of the loopback has ports for some 28,000 connections; the
 * caller spreads its own over several.
 */

struct sockaddr_in
bench_address(long port, unsigned spread)
{
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(struct sockaddr_in));

    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK + spread);

    return sin;
}


void
bench_set(int fd, int level, int name, int value)
{
    (void) setsockopt(fd, level, name, &value, sizeof(int));
}


void
bench_hist_add(bench_hist_t *h, uint64_t ns)
{
    unsigned  shift, slot;

    shift = 0;

    if (ns >> (BENCH_HIST_BITS + 1)) {
        shift = 63 - __builtin_clzll(ns) - BENCH_HIST_BITS;
    }

    slot = (shift << BENCH_HIST_BITS) + (ns >> shift);

    h->slots[slot]++;
    h->count++;

    if (ns > h->max) {
        h->max = ns;
    }
}


/* the time that this share of them does not exceed */

uint64_t
bench_hist_at(bench_hist_t *h, double share)
{
    uint64_t  n;
    unsigned  slot, shift;

    n = 0;

    for (slot = 0; slot < BENCH_HIST; slot++) {

        n += h->slots[slot];

        if (n && n >= h->count * share) {

            if (slot < 2 << BENCH_HIST_BITS) {
                return slot;
            }

            shift = (slot >> BENCH_HIST_BITS) - 1;

            return (uint64_t) (slot - (shift << BENCH_HIST_BITS)) << shift;
        }
    }

    return h->max;
}


/* in ms, as members of a JSON object */

void
bench_hist_print(const char *name, bench_hist_t *h)
{
    if (h->count == 0) {
        return;
    }

    printf(", \"%s_p50\": %.3f, \"%s_p99\": %.3f, \"%s_max\": %.3f",
           name, bench_hist_at(h, 0.5) / 1e6,
           name, bench_hist_at(h, 0.99) / 1e6, name, h->max / 1e6);
}
