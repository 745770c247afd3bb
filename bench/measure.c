#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "workloads.h"

enum { ROUNDS = 15 };

double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median_ms(void (*step)(void *arg), void *arg, double seconds)
{
    double start = bench_seconds();
    long calls = 0;
    while (bench_seconds() - start < seconds / 10 || calls < 3) {
        step(arg);
        calls++;
    }
    double per_call = (bench_seconds() - start) / (double)calls;
    long per_round = (long)(seconds / ROUNDS / per_call) + 1;
    double ms[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        start = bench_seconds();
        for (long i = 0; i < per_round; i++)
            step(arg);
        ms[r] = 1e3 * (bench_seconds() - start) / (double)per_round;
    }
    qsort(ms, ROUNDS, sizeof *ms, ascending);
    return ms[ROUNDS / 2];
}

void bench_check(graft_ctx *g)
{
    if (!graft_error(g))
        return;
    fprintf(stderr, "workloads: %s\n", graft_error(g));
    exit(1);
}
