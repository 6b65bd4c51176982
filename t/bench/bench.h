
/*
 * Copyright (C) the tscast authors
 */


#ifndef _BENCH_H_INCLUDED_
#define _BENCH_H_INCLUDED_


#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


typedef unsigned char  u_char;


#define bench_min(a, b)  ((a) < (b) ? (a) : (b))
#define bench_max(a, b)  ((a) > (b) ? (a) : (b))


/* bench_util.c */

#define BENCH_MS   1000000ULL
#define BENCH_SEC  1000000000ULL


/* "name=value" on the command line; one of the pointers is set */

typedef struct {
    const char   *name;
    long         *number;
    double       *real;
    const char  **text;
} bench_option_t;


void bench_die(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void bench_options(int argc, char **argv, const bench_option_t *options);
void bench_descriptors(void);
void bench_realtime(void);
void bench_catch_end(void);
uint64_t bench_now(void);
void bench_sleep_until(uint64_t when);
double bench_cpu(long pid);
long bench_tcp_pages(void);
struct sockaddr_in bench_address(long port, unsigned spread);
void bench_set(int fd, int level, int name, int value);

extern volatile sig_atomic_t  bench_ended;


/* of nanoseconds, within 1.6 % */

#define BENCH_HIST_BITS  5
#define BENCH_HIST       (64 << BENCH_HIST_BITS)


typedef struct {
    uint64_t  count;
    uint64_t  max;
    uint64_t  slots[BENCH_HIST];
} bench_hist_t;


void bench_hist_add(bench_hist_t *h, uint64_t ns);
uint64_t bench_hist_at(bench_hist_t *h, double share);
void bench_hist_print(const char *name, bench_hist_t *h);


/* bench_ts.c */

#define BENCH_PACKET  188
#define BENCH_TABLES  (2 * BENCH_PACKET)


typedef struct {
    uint64_t       serial;       /* of the next frame */
    unsigned       fps;
    unsigned       packets;      /* in a frame, any frame */
    u_char         cc[3];
    u_char        *frame;
    size_t         size;
} bench_ts_t;


/* what the first packet of each frame carries */

typedef struct {
    uint64_t       time;         /* CLOCK_MONOTONIC, ns */
    uint64_t       serial;
    unsigned       packets;
    unsigned       key;
} bench_stamp_t;


void bench_ts_init(bench_ts_t *ts, unsigned fps, double mbit);
void bench_ts_tables(bench_ts_t *ts, u_char *p);
void bench_ts_next(bench_ts_t *ts, uint64_t now);
int bench_ts_stamp(const u_char *packet, bench_stamp_t *stamp);
int bench_ts_is_table(const u_char *packet);


#endif /* _BENCH_H_INCLUDED_ */
