/* gemm_bench [THREADS [FILTER]]: GFLOP/s of each layer of the matrix products and of the libraries
 * that this machine has, beside the multiply-and-add peak of one core times THREADS. The best of
 * many runs, operands warm in the caches that hold them.
 *
 * From the root of the tree:
 *   gcc -std=gnu17 -O3 -ffp-contract=off -Iinclude -Isrc bench/gemm_bench.c \
 *       -Lbuild/lib -l:libgraft.a -ldnnl -lgomp -lpthread -ldl -lm -o /tmp/gemm_bench */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/gemm.h"
#include "kernel/gemm_kernels.h"

static clockid_t clock_used = CLOCK_MONOTONIC, clock_long = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec t;
    clock_gettime(clock_used, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static double peak_once(void)
{
    typedef float vec __attribute__((vector_size(32)));
    vec acc[12];
    for (int i = 0; i < 12; i++)
        acc[i] = (vec){0} + (float)i;
    const vec x = (vec){0} + 0.999F, y = (vec){0} + 0.001F;
    const double begin = now();
    for (int k = 0; k < 1000000; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            acc[i] = __builtin_ia32_vfmaddps256(acc[i], x, y);
    }
    const double took = now() - begin;
    volatile float sink = 0;
    for (int i = 0; i < 12; i++)
        sink += acc[i][0];
    return 1e6 * 12 * 16 / took * 1e-9;
}
#else
static double peak_once(void)
{
    return NAN;
}
#endif

typedef enum which { BEST, BLOCKED, AVX2, PORTABLE, ONEDNN, OPENBLAS, BLIS, WAYS } which;
static const char *const names[WAYS] = {"graft",  "blocked",  "avx2", "portable",
                                        "oneDNN", "OpenBLAS", "BLIS"};

typedef void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha,
                         const float *a, int lda, const float *b, int ldb, float beta, float *c,
                         int ldc);
typedef int dnnl_sgemm_function(char ta, char tb, int64_t m, int64_t n, int64_t k, float alpha,
                                const float *a, int64_t lda, const float *b, int64_t ldb,
                                float beta, float *c, int64_t ldc);

typedef struct libraries {
    cblas_sgemm *openblas, *blis;
    dnnl_sgemm_function *onednn;
} libraries;

static libraries load(int threads, const char *ways)
{
    libraries l = {0};
    /* oneDNN first: OpenMP's runtime must be the one that it links. */
    setenv("OMP_WAIT_POLICY", "active", 0);
    void *h;
    if (strchr(ways, '0' + ONEDNN) && (h = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL))) {
        *(void **)&l.onednn = dlsym(h, "dnnl_sgemm");
        void (*set)(int) = NULL;
        *(void **)&set = dlsym(h, "omp_set_num_threads");
        if (set)
            set(threads);
    }
    if (strchr(ways, '0' + OPENBLAS) && (h = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL))) {
        *(void **)&l.openblas = dlsym(h, "cblas_sgemm");
        void (*set)(int) = NULL;
        *(void **)&set = dlsym(h, "openblas_set_num_threads");
        if (set)
            set(threads);
    }
    if (strchr(ways, '0' + BLIS) && (h = dlopen("libblis.so.4", RTLD_NOW | RTLD_LOCAL))) {
        *(void **)&l.blis = dlsym(h, "cblas_sgemm");
        void (*set)(long) = NULL;
        *(void **)&set = dlsym(h, "bli_thread_set_num_threads");
        if (set)
            set(threads);
    }
    return l;
}

static bool run(const libraries *l, which way, graft__pool *pool, const graft__gemm *p,
                const float *a, const float *b, float *c)
{
    const char ta = p->trans_a ? 'T' : 'N', tb = p->trans_b ? 'T' : 'N';
    switch (way) {
    case BEST:
        graft__gemm_f32(pool, p, a, b, c);
        return true;
    case BLOCKED:
        graft__gemm_blocked_f32(graft__gemm_kernels_best_f32(), pool, p, a, b, c);
        return true;
    case AVX2:
        graft__gemm_blocked_f32(&graft__gemm_avx2_f32, pool, p, a, b, c);
        return true;
    case PORTABLE:
        graft__gemm_blocked_f32(&graft__gemm_portable_f32, pool, p, a, b, c);
        return true;
    case ONEDNN:
        if (l->onednn)
            l->onednn(ta, tb, p->m, p->n, p->k, (float)p->alpha, a, p->lda, b, p->ldb,
                      (float)p->beta, c, p->ldc);
        return l->onednn;
    default: {
        cblas_sgemm *f = way == OPENBLAS ? l->openblas : l->blis;
        if (f)
            f(101, p->trans_a ? 112 : 111, p->trans_b ? 112 : 111, (int)p->m, (int)p->n, (int)p->k,
              (float)p->alpha, a, (int)p->lda, b, (int)p->ldb, (float)p->beta, c, (int)p->ldc);
        return f;
    }
    }
}

static float *fill(int64_t count)
{
    float *x = aligned_alloc(64, ((size_t)count * sizeof *x + 127) / 64 * 64);
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(i * 7 % 13) / 13 - 0.5F;
    return x;
}

typedef struct size {
    const char *name;
    int64_t m, n, k;
    bool ta, tb;
    double beta;
} size;

static const size sizes[] = {
    {"tiny fc1", 32, 16, 10, 0, 1, 0},          {"tiny fc2", 32, 2, 16, 0, 1, 0},
    {"tiny dW2", 2, 16, 32, 1, 0, 0},           {"tiny dX2", 32, 16, 2, 0, 0, 0},
    {"tiny dW1", 16, 10, 32, 1, 0, 0},          {"tiny dX1", 32, 10, 16, 0, 0, 0},
    {"mlp fc1", 64, 512, 784, 0, 1, 0},         {"mlp fc2", 64, 512, 512, 0, 1, 0},
    {"mlp fc3", 64, 10, 512, 0, 1, 0},          {"mlp dW1", 512, 784, 64, 1, 0, 0},
    {"mlp dW1+", 512, 784, 64, 1, 0, 1},        {"mlp dW2", 512, 512, 64, 1, 0, 0},
    {"mlp dW3", 10, 512, 64, 1, 0, 0},          {"mlp dX2", 64, 512, 512, 0, 0, 0},
    {"mlp dX3", 64, 512, 10, 0, 0, 0},          {"256 NT", 256, 256, 256, 0, 1, 0},
    {"512 NT", 512, 512, 512, 0, 1, 0},         {"1024 NN", 1024, 1024, 1024, 0, 0, 0},
    {"1024 NT", 1024, 1024, 1024, 0, 1, 0},     {"1024 TN", 1024, 1024, 1024, 1, 0, 0},
    {"1024 TT", 1024, 1024, 1024, 1, 1, 0},     {"odd 317x523x211", 317, 523, 211, 0, 1, 0},
    {"lstm 32x512x128", 32, 512, 128, 0, 1, 0}, {"gpt qkv", 512, 768, 256, 0, 1, 0},
    {"gpt fc", 512, 1024, 256, 0, 1, 0},        {"gpt proj", 512, 256, 1024, 0, 1, 0},
    {"gpt dW", 1024, 256, 512, 1, 0, 0},        {"gpt dX", 512, 256, 1024, 0, 0, 0},
    {"gpt head", 512, 4096, 256, 0, 1, 0},      {"attention qk", 128, 128, 64, 0, 1, 0},
    {"attention av", 128, 64, 128, 0, 0, 0},    {"cnn dW", 64, 576, 8192, 0, 1, 0},
    {"cnn fwd", 64, 1024, 576, 0, 0, 0},        {"batch 1 NT", 1, 512, 784, 0, 1, 0},
    {"batch 1 NN", 1, 512, 512, 0, 0, 0},       {"batch 1 dW", 512, 784, 1, 1, 0, 0},
    {"gemv NT 4096", 1, 4096, 4096, 0, 1, 0},   {"gemv NN 4096", 1, 4096, 4096, 0, 0, 0},
    {"gemv n=1", 4096, 1, 1024, 0, 0, 0},       {"4x4096x1024 NT", 4, 4096, 1024, 0, 1, 0},
};

static double measure(const libraries *l, which way, graft__pool *pool, const graft__gemm *p,
                      const float *a, const float *b, float *c)
{
    const double flops = 2.0 * (double)p->m * (double)p->n * (double)p->k;
    if (!run(l, way, pool, p, a, b, c))
        return NAN;
    clock_used = flops > 1e8 ? clock_long : CLOCK_MONOTONIC;
    const int inner = flops > 1e6 ? 1 : (int)(1e6 / flops) + 1;
    double best = INFINITY;
    const double until = now() + 0.15;
    for (int i = 0; i < 5 || now() < until; i++) {
        const double begin = now();
        for (int j = 0; j < inner; j++)
            run(l, way, pool, p, a, b, c);
        const double took = (now() - begin) / inner;
        best = took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    /* What takes long is timed by the one thread's own clock, which stands still while others run;
     * that clock is too coarse for the rest. */
    if (threads == 1)
        clock_long = CLOCK_THREAD_CPUTIME_ID;
    const char *filter = argc > 2 ? argv[2] : "";
    const char *ways = argc > 3 ? argv[3] : "0123456";
    const libraries l = load(threads, ways);
    graft__pool *pool = graft__pool_new(NULL, threads);
    double peak = 0;
    for (int i = 0; i < 20; i++)
        peak = fmax(peak, peak_once());
    peak *= threads;
    printf("%d threads, peak %.1f GFLOP/s\n%-18s", threads, peak, "");
    for (int w = 0; w < WAYS; w++)
        if (strchr(ways, '0' + w))
            printf(" %18s", names[w]);
    printf("\n");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size *s = &sizes[i];
        if (!strstr(s->name, filter))
            continue;
        const graft__gemm p = {.trans_a = s->ta,
                               .trans_b = s->tb,
                               .m = s->m,
                               .n = s->n,
                               .k = s->k,
                               .lda = s->ta ? s->m : s->k,
                               .ldb = s->tb ? s->k : s->n,
                               .ldc = s->n,
                               .alpha = 1,
                               .beta = s->beta};
        float *a = fill(s->m * s->k), *b = fill(s->k * s->n), *c = fill(s->m * s->n);
        printf("%-18s", s->name);
        for (int w = 0; w < WAYS; w++) {
            if (!strchr(ways, '0' + w))
                continue;
            const double took = measure(&l, (which)w, pool, &p, a, b, c);
            const double rate = 2e-9 * (double)s->m * (double)s->n * (double)s->k / took;
            printf(" %6.1f %3.0f%% %5.*f%s", rate, 100 * rate / peak, took < 1e-6 ? 0 : 1,
                   took < 1e-6 ? took * 1e9 : took * 1e6, took < 1e-6 ? "ns" : "us");
            fflush(stdout);
        }
        printf("\n");
        free(a);
        free(b);
        free(c);
    }
    graft__pool_free(pool);
    return 0;
}
