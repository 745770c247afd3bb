#include "kernel/update.h"

#include <math.h>

#include "kernel/half.h"
#include "kernel/target.h"

#define TARGET

#define T float
#define SQRT sqrtf
#define NAME(x) x##_f32
#include "kernel/update_body.h"
#undef T
#undef SQRT
#undef NAME
#define T double
#define SQRT sqrt
#define NAME(x) x##_f64
#include "kernel/update_body.h"
#undef T
#undef SQRT
#undef NAME

#undef TARGET

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2")))

#define T float
#define SQRT sqrtf
#define NAME(x) x##_f32_avx2
#include "kernel/update_body.h"
#undef T
#undef SQRT
#undef NAME
#define T double
#define SQRT sqrt
#define NAME(x) x##_f64_avx2
#include "kernel/update_body.h"

#define CHOOSE(x) (__builtin_cpu_supports("avx2") ? x##_avx2 : x)
#else
#define CHOOSE(x) x
#endif

enum {
    STATES = GRAFT__UPDATE_STATES,
    CHUNK = 256,    /* 16-bit elements converted at a time */
    PART = 1 << 13, /* elements that make a part worth a thread's while: some 5 us */
    PARTS_A_THREAD = 4,
    BLOCK = 64, /* parts begin at multiples of it, so that no two write into one cache line */
};

typedef void loop(const graft__update *u, const void *rule);

typedef struct job {
    const graft__update *u;
    const void *rule;
    loop *f32, *f64;
    int parts;
} job;

/* ---- 16-bit elements, by way of f32 ---- */

static void widen(graft_dtype dtype, int64_t n, const void *from, float *to)
{
    if (dtype == GRAFT_F16)
        graft__f16_to_f32_n(n, from, to);
    else
        graft__bf16_to_f32_n(n, from, to);
}

static void narrow(graft_dtype dtype, int64_t n, const float *from, void *to)
{
    if (dtype == GRAFT_F16)
        graft__f16_from_f32_n(n, from, to);
    else
        graft__bf16_from_f32_n(n, from, to);
}

static void update_16bit(const job *j, const graft__update *u)
{
    float param[CHUNK], grad[CHUNK], state[STATES][CHUNK];
    for (int64_t at = 0; at < u->n; at += CHUNK) {
        const int64_t n = u->n - at < CHUNK ? u->n - at : CHUNK;
        graft__update wide = {.dtype = GRAFT_F32, .n = n, .param = {param, param}, .grad = grad};
        widen(u->dtype, n, (const uint16_t *)u->param.from + at, param);
        widen(u->dtype, n, (const uint16_t *)u->grad + at, grad);
        for (int k = 0; k < STATES; k++) {
            if (!u->state[k].to)
                continue;
            if (u->state[k].from)
                widen(u->dtype, n, (const uint16_t *)u->state[k].from + at, state[k]);
            wide.state[k] = (graft__old_new){state[k], state[k]};
        }
        j->f32(&wide, j->rule);
        narrow(u->dtype, n, param, (uint16_t *)u->param.to + at);
        for (int k = 0; k < STATES; k++) {
            if (u->state[k].to)
                narrow(u->dtype, n, state[k], (uint16_t *)u->state[k].to + at);
        }
    }
}

/* ---- Parts ---- */

static void update_all(const job *j, const graft__update *u)
{
    if (u->dtype == GRAFT_F32)
        j->f32(u, j->rule);
    else if (u->dtype == GRAFT_F64)
        j->f64(u, j->rule);
    else
        update_16bit(j, u);
}

static graft__old_new shifted(graft__old_new x, size_t bytes)
{
    return (graft__old_new){x.from ? (const char *)x.from + bytes : NULL,
                            x.to ? (char *)x.to + bytes : NULL};
}

static void update_part(void *arg, int part)
{
    const job *j = arg;
    graft__update u = *j->u;
    const int64_t blocks = (u.n + BLOCK - 1) / BLOCK;
    const int64_t begin = blocks * part / j->parts * BLOCK;
    int64_t end = blocks * (part + 1) / j->parts * BLOCK;
    end = end < u.n ? end : u.n;
    const size_t bytes = (size_t)begin * graft_dtype_size(u.dtype);
    u.n = end - begin;
    u.param = shifted(u.param, bytes);
    u.grad = (const char *)u.grad + bytes;
    for (int k = 0; k < STATES; k++)
        u.state[k] = shifted(u.state[k], bytes);
    update_all(j, &u);
}

static void update(graft__pool *pool, job *j)
{
    const int threads = graft__pool_threads(pool);
    const int64_t parts = j->u->n / PART, most = (int64_t)threads * PARTS_A_THREAD;
    if (threads == 1 || parts < 2) {
        update_all(j, j->u);
        return;
    }
    j->parts = (int)(parts < most ? parts : most);
    graft__pool_run(pool, j->parts, update_part, j);
}

void graft__update_sgd(graft__pool *pool, const graft__update *u, const graft__sgd_rule *rule)
{
    job j = {.u = u, .rule = rule, .f32 = CHOOSE(sgd_f32), .f64 = CHOOSE(sgd_f64)};
    update(pool, &j);
}

void graft__update_adam(graft__pool *pool, const graft__update *u, const graft__adam_rule *rule)
{
    job j = {.u = u, .rule = rule, .f32 = CHOOSE(adam_f32), .f64 = CHOOSE(adam_f64)};
    update(pool, &j);
}
