/* What is measured, one function each. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "graft/graft.h"

/* The median of several rounds, in milliseconds a call. Calls step(arg) until about `seconds` have
 * passed, after a warm-up of a tenth. */
double bench_median_ms(void (*step)(void *arg), void *arg, double seconds);

double bench_seconds(void);

/* Each prints its figures as one JSON object a line and returns an exit status. */
int bench_mlp(graft_ctx *g, const char *name, const int64_t *width, int layers, int64_t batch);
int bench_big_model(graft_ctx *g);
int bench_first_step(graft_ctx *g, double started);

/* Stops with a message if the context holds an error: a figure of failed work would be a lie. */
void bench_check(graft_ctx *g);

#endif
