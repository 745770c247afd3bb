/* What the machine can do at best: limits THREADS prints GFLOP/s of a large matrix product and GB/s
 * of copying 1 GB, each the best of several tries. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads.h"

enum { N = 2048, TRIES = 7, MAX_THREADS = 64 };
#define COPY_BYTES ((size_t)1 << 30)

static double matmul_gflops(int threads)
{
    graft_options o = graft_options_defaults();
    o.threads = threads;
    graft_ctx *g = graft_open(&o);
    graft_tensor *a = graft_rand(g, graft_shape2(N, N), GRAFT_F32);
    graft_tensor *b = graft_rand(g, graft_shape2(N, N), GRAFT_F32);
    double best = 1e9;
    for (int i = 0; i < TRIES; i++) {
        graft_scope_begin(g);
        double start = bench_seconds();
        graft_matmul(a, b);
        double seconds = bench_seconds() - start;
        best = seconds < best ? seconds : best;
        graft_scope_end(g);
    }
    bench_check(g);
    graft_close(g);
    return 2.0 * N * N * N / best / 1e9;
}

typedef struct piece {
    char *to;
    const char *from;
    size_t size;
} piece;

static void *copy_piece(void *arg)
{
    const piece *p = arg;
    memcpy(p->to, p->from, p->size);
    return NULL;
}

/* Bytes copied a second (each is read once and written once), in memory that is there already. */
static double copy_gbs(int threads)
{
    char *from = malloc(COPY_BYTES), *to = malloc(COPY_BYTES);
    if (!from || !to)
        exit(1);
    memset(from, 1, COPY_BYTES);
    memset(to, 2, COPY_BYTES);
    double best = 1e9;
    for (int i = 0; i < TRIES; i++) {
        pthread_t thread[MAX_THREADS];
        piece part[MAX_THREADS];
        double start = bench_seconds();
        for (int t = 0; t < threads; t++) {
            size_t size = COPY_BYTES / (size_t)threads, at = size * (size_t)t;
            part[t] = (piece){to + at, from + at, size};
            pthread_create(&thread[t], NULL, copy_piece, &part[t]);
        }
        for (int t = 0; t < threads; t++)
            pthread_join(thread[t], NULL);
        double seconds = bench_seconds() - start;
        best = seconds < best ? seconds : best;
    }
    free(from);
    free(to);
    return (double)COPY_BYTES / best / 1e9;
}

int main(int argc, char **argv)
{
    int threads = argc == 2 ? atoi(argv[1]) : 0;
    if (threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "usage: limits THREADS\n");
        return 2;
    }
    printf("{\"threads\": %d, \"matmul_gflops\": %.1f, \"copy_gbs\": %.2f}\n", threads,
           matmul_gflops(threads), copy_gbs(threads));
    return 0;
}
