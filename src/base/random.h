/* The Mersenne Twister and the distributions, number for number those of PyTorch's CPU generator.
 */
#ifndef GRAFT__BASE_RANDOM_H
#define GRAFT__BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#define GRAFT__RANDOM_N 624

typedef struct graft__random {
    uint32_t state[GRAFT__RANDOM_N];
    int left;        /* numbers left before the next twist, plus one */
    int next;        /* index of the next number */
    uint64_t seed;   /* as last set */
    bool has_normal; /* a normal is left over from the last Box-Muller pair */
    double normal;
} graft__random;

void graft__random_seed(graft__random *r, uint64_t seed);
uint32_t graft__random_u32(graft__random *r);
uint64_t graft__random_u64(graft__random *r);

/* The next n numbers, as n calls of graft__random_u32 or _u64 would give them. */
void graft__random_fill_u32(graft__random *r, int64_t n, uint32_t *out);
void graft__random_fill_u64(graft__random *r, int64_t n, uint64_t *out);

/* n numbers into contiguous memory, as the PyTorch call of that name makes them for a contiguous
 * CPU tensor of n elements: torch.Tensor.uniform_(from, to), normal_(mean, std), bernoulli_(p),
 * random_(from, to) (from < to, to is exclusive) and torch.randperm(n). */
void graft__random_uniform_f32(graft__random *r, int64_t n, float *out, double from, double to);
void graft__random_uniform_f64(graft__random *r, int64_t n, double *out, double from, double to);
void graft__random_normal_f32(graft__random *r, int64_t n, float *out, double mean, double std);
void graft__random_normal_f64(graft__random *r, int64_t n, double *out, double mean, double std);
void graft__random_bernoulli_f32(graft__random *r, int64_t n, float *out, double p);
void graft__random_bernoulli_f64(graft__random *r, int64_t n, double *out, double p);
void graft__random_int(graft__random *r, int64_t n, int64_t *out, int64_t from, int64_t to);
void graft__random_permutation(graft__random *r, int64_t n, int64_t *out);

#endif
