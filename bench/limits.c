/* What the machine can do at best: limits THREADS prints GFLOP/s of a large matrix product and GB/s
 * of copying 1 GB, each the best of several tries. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

static double time_copy(char *to, const char *from, int threads)
{
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
    return bench_seconds() - start;
}

static char *huge_pages(void)
{
    void *p = NULL;
    if (posix_memalign(&p, 2 << 20, COPY_BYTES) != 0)
        exit(1);
    madvise(p, COPY_BYTES, MADV_HUGEPAGE);
    return p;
}

/* Bytes copied a second (each is read once and written once): into memory that is there already, or
 * into memory that the system has yet to provide. */
static double copy_gbs(int threads, bool fresh)
{
    char *from = huge_pages(), *to = huge_pages();
    memset(from, 1, COPY_BYTES);
    double best = 1e9;
    for (int i = 0; i < TRIES + 1; i++) {
        double seconds = time_copy(to, from, threads);
        if (fresh) {
            free(to);
            to = huge_pages();
        }
        best = seconds < best && (i > 0 || fresh) ? seconds : best;
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
    printf("{\"threads\": %d, \"matmul_gflops\": %.1f, \"copy_gbs\": %.2f, \"fresh_copy_gbs\": "
           "%.2f}\n",
           threads, matmul_gflops(threads), copy_gbs(threads, false), copy_gbs(threads, true));
    return 0;
}
