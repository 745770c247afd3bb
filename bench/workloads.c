/* Runs one workload: workloads NAME THREADS. */
#include "workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(graft_ctx *g, const char *name, double started)
{
    if (strcmp(name, "mlp_tiny") == 0)
        return bench_mlp(g, name, (const int64_t[]){10, 16, 2}, 2, 32);
    if (strcmp(name, "mlp") == 0)
        return bench_mlp(g, name, (const int64_t[]){784, 512, 512, 10}, 3, 64);
    if (strcmp(name, "big_model") == 0)
        return bench_big_model(g);
    if (strcmp(name, "first_step") == 0)
        return bench_first_step(g, started);
    fprintf(stderr, "workloads: no workload is called %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    double started = bench_seconds();
    if (argc != 3 || atoi(argv[2]) < 1) {
        fprintf(stderr, "usage: workloads mlp_tiny|mlp|big_model|first_step THREADS\n");
        return 2;
    }
    graft_options o = graft_options_defaults();
    o.threads = atoi(argv[2]);
    o.cache_limit =
        (size_t)16 << 30; /* the big model's memory is to be there when it is needed again */
    graft_ctx *g = graft_open(&o);
    if (!g)
        return 1;
    int status = run(g, argv[1], started);
    bench_check(g);
    graft_close(g);
    return status;
}
