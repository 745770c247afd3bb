/* gemm_bench [THREADS [NAME [WAYS]]]: GFLOP/s, share of the peak and time of the matrix products,
 * beside those of the libraries that this machine has. The peak is that of multiplying and adding
 * in registers on one core, times THREADS; f64 is held against half of it. NAME is part of the name
 * of the sizes wanted, WAYS the digits of the columns (0 graft, 1 AVX2, 2 portable, 3 oneDNN,
 * 4 OpenBLAS, 5 BLIS, 6 graft f64, 7 OpenBLAS f64). The best of many runs, operands as warm as they
 * will be.
 *
 * From the root of the tree:
 *   gcc -std=gnu17 -O3 -Iinclude -Isrc bench/gemm_bench.c build/lib/libgraft.a \
 *       -ldnnl -l:libgomp.so.1 -lsleef -ldeflate -ldl -lm -o build/bin/gemm_bench */
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

typedef enum way { BEST, AVX2, PORTABLE, ONEDNN, OPENBLAS, BLIS, BEST_F64, OPENBLAS_F64, WAYS } way;
static const char *const names[WAYS] = {"graft",    "AVX2", "portable",  "oneDNN",
                                        "OpenBLAS", "BLIS", "graft f64", "OpenBLAS f64"};

typedef struct operands {
    float *a, *b, *c;
    double *a64, *b64, *c64;
} operands;

typedef void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha,
                         const float *a, int lda, const float *b, int ldb, float beta, float *c,
                         int ldc);
typedef void cblas_dgemm(int order, int ta, int tb, int m, int n, int k, double alpha,
                         const double *a, int lda, const double *b, int ldb, double beta, double *c,
                         int ldc);
typedef int onednn_sgemm(char ta, char tb, int64_t m, int64_t n, int64_t k, float alpha,
                         const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                         float *c, int64_t ldc);

typedef struct libraries {
    cblas_sgemm *openblas, *blis;
    cblas_dgemm *openblas_f64;
    onednn_sgemm *onednn;
} libraries;

/* A function of a library and one that sets its threads; what is not there stays NULL. */
static void load_one(const char *library, const char *name, void *to, const char *setter,
                     int threads)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return;
    *(void **)to = dlsym(handle, name);
    void (*set)(long) = NULL;
    *(void **)&set = dlsym(handle, setter);
    if (set)
        set(threads);
}

static libraries load(int threads, const char *ways)
{
    libraries l = {0};
    if (strchr(ways, '0' + ONEDNN))
        load_one("libdnnl.so.2", "dnnl_sgemm", &l.onednn, "omp_set_num_threads", threads);
    if (strchr(ways, '0' + OPENBLAS) || strchr(ways, '0' + OPENBLAS_F64)) {
        load_one("libopenblas.so.0", "cblas_sgemm", &l.openblas, "openblas_set_num_threads",
                 threads);
        load_one("libopenblas.so.0", "cblas_dgemm", &l.openblas_f64, "openblas_set_num_threads",
                 threads);
    }
    if (strchr(ways, '0' + BLIS))
        load_one("libblis.so.4", "cblas_sgemm", &l.blis, "bli_thread_set_num_threads", threads);
    return l;
}

static void with_kernels(const graft__gemm_kernels_f32 *kernels, graft__pool *pool,
                         const graft__gemm *p, const operands *o)
{
    if (!graft__gemm_small_f32(kernels, p, o->a, o->b, o->c) &&
        !graft__gemm_thin_f32(kernels, pool, p, o->a, o->b, o->c))
        graft__gemm_blocked_f32(kernels, pool, p, o->a, o->b, o->c);
}

static void with_blas(cblas_sgemm *f, const graft__gemm *p, const operands *o)
{
    f(101, p->trans_a ? 112 : 111, p->trans_b ? 112 : 111, (int)p->m, (int)p->n, (int)p->k,
      (float)p->alpha, o->a, (int)p->lda, o->b, (int)p->ldb, (float)p->beta, o->c, (int)p->ldc);
}

static bool run(const libraries *l, way how, graft__pool *pool, const graft__gemm *p,
                const operands *o)
{
    switch (how) {
    case BEST:
        graft__gemm_f32(pool, p, o->a, o->b, o->c);
        return true;
    case AVX2:
#if defined(__x86_64__)
        with_kernels(&graft__gemm_avx2_f32, pool, p, o);
        return true;
#else
        return false;
#endif
    case PORTABLE:
        with_kernels(&graft__gemm_portable_f32, pool, p, o);
        return true;
    case ONEDNN:
        if (l->onednn)
            l->onednn(p->trans_a ? 'T' : 'N', p->trans_b ? 'T' : 'N', p->m, p->n, p->k,
                      (float)p->alpha, o->a, p->lda, o->b, p->ldb, (float)p->beta, o->c, p->ldc);
        return l->onednn;
    case OPENBLAS:
        if (l->openblas)
            with_blas(l->openblas, p, o);
        return l->openblas;
    case BLIS:
        if (l->blis)
            with_blas(l->blis, p, o);
        return l->blis;
    case BEST_F64:
        graft__gemm_f64(pool, p, o->a64, o->b64, o->c64);
        return true;
    default:
        if (l->openblas_f64)
            l->openblas_f64(101, p->trans_a ? 112 : 111, p->trans_b ? 112 : 111, (int)p->m,
                            (int)p->n, (int)p->k, p->alpha, o->a64, (int)p->lda, o->b64,
                            (int)p->ldb, p->beta, o->c64, (int)p->ldc);
        return l->openblas_f64;
    }
}

static void fill(int64_t count, float **f, double **d)
{
    *f = aligned_alloc(64, ((size_t)count * sizeof **f + 127) / 64 * 64);
    *d = aligned_alloc(64, ((size_t)count * sizeof **d + 127) / 64 * 64);
    if (!*f || !*d)
        exit(1);
    for (int64_t i = 0; i < count; i++)
        (*d)[i] = (*f)[i] = (float)(i * 7 % 13) / 13 - 0.5F;
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

static double measure(const libraries *l, way how, graft__pool *pool, const graft__gemm *p,
                      const operands *o)
{
    const double flops = 2.0 * (double)p->m * (double)p->n * (double)p->k;
    if (!run(l, how, pool, p, o))
        return NAN;
    clock_used = flops > 1e8 ? clock_long : CLOCK_MONOTONIC;
    const int inner = flops > 1e6 ? 1 : (int)(1e6 / flops) + 1;
    double best = INFINITY;
    const double until = now() + 0.15;
    for (int i = 0; i < 5 || now() < until; i++) {
        const double begin = now();
        for (int j = 0; j < inner; j++)
            run(l, how, pool, p, o);
        best = fmin(best, (now() - begin) / inner);
    }
    return best;
}

static void print_line(const size *s, const libraries *l, graft__pool *pool, const char *ways,
                       double peak)
{
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
    operands o;
    fill(s->m * s->k, &o.a, &o.a64);
    fill(s->k * s->n, &o.b, &o.b64);
    fill(s->m * s->n, &o.c, &o.c64);
    printf("%-18s", s->name);
    for (int w = 0; w < WAYS; w++) {
        if (!strchr(ways, '0' + w))
            continue;
        const double took = measure(l, (way)w, pool, &p, &o);
        const double rate = 2e-9 * (double)s->m * (double)s->n * (double)s->k / took;
        const double share = rate / peak * (w >= BEST_F64 ? 2 : 1);
        printf(" %6.1f %3.0f%% %5.*f%s", rate, 100 * share, took < 1e-6 ? 0 : 1,
               took < 1e-6 ? took * 1e9 : took * 1e6, took < 1e-6 ? "ns" : "us");
        fflush(stdout);
    }
    printf("\n");
    free(o.a);
    free(o.b);
    free(o.c);
    free(o.a64);
    free(o.b64);
    free(o.c64);
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    const char *filter = argc > 2 ? argv[2] : "";
    const char *ways = argc > 3 ? argv[3] : "01234567";
    /* What takes long is timed by the one thread's own clock, which stands still while others run;
     * that clock is too coarse for the rest. */
    if (threads == 1)
        clock_long = CLOCK_THREAD_CPUTIME_ID;
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
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (strstr(sizes[i].name, filter))
            print_line(&sizes[i], &l, pool, ways, peak);
    graft__pool_free(pool);
    return 0;
}
