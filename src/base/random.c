/* The generator itself: MT19937 (Matsumoto and Nishimura 1998), seeded and counted as PyTorch's
 * at::mt19937, so that its saved states and ours can be told in one another's terms. */
#include "base/random.h"

enum { N = GRAFT__RANDOM_N, M = 397 };

void graft__random_seed(graft__random *r, uint64_t seed)
{
    /* PyTorch drops the upper half of the seed here too. */
    r->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < N; i++) {
        const uint32_t s = r->state[i - 1];
        r->state[i] = 1812433253U * (s ^ (s >> 30)) + i;
    }
    r->left = 1;
    r->next = 0;
    r->seed = seed;
    r->has_normal = false;
    r->normal = 0.0;
}

static inline uint32_t twisted(uint32_t far, uint32_t here, uint32_t after)
{
    const uint32_t y = (here & 0x80000000U) | (after & 0x7fffffffU);
    return far ^ (y >> 1) ^ (0x9908b0dfU & (0U - (after & 1U)));
}

static void twist(graft__random *r)
{
    uint32_t *s = r->state;
    for (int i = 0; i < N - M; i++)
        s[i] = twisted(s[i + M], s[i], s[i + 1]);
    for (int i = N - M; i < N - 1; i++)
        s[i] = twisted(s[i + M - N], s[i], s[i + 1]);
    s[N - 1] = twisted(s[M - 1], s[N - 1], s[0]);
    r->next = 0;
}

static inline uint32_t tempered(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

uint32_t graft__random_u32(graft__random *r)
{
    if (--r->left == 0) {
        twist(r);
        r->left = N;
    }
    return tempered(r->state[r->next++]);
}

uint64_t graft__random_u64(graft__random *r)
{
    const uint64_t high = graft__random_u32(r);
    return (high << 32) | graft__random_u32(r);
}

void graft__random_fill_u32(graft__random *r, int64_t n, uint32_t *out)
{
    while (n > 0) {
        if (r->left == 1) {
            twist(r);
            r->left = N + 1;
        }
        const int ready = r->left - 1;
        const int count = n < ready ? (int)n : ready;
        const uint32_t *from = r->state + r->next;
        for (int i = 0; i < count; i++)
            out[i] = tempered(from[i]);
        r->left -= count;
        r->next += count;
        out += count;
        n -= count;
    }
}

void graft__random_fill_u64(graft__random *r, int64_t n, uint64_t *out)
{
    enum { CHUNK = 512 };
    uint32_t halves[2 * CHUNK];
    while (n > 0) {
        const int count = n < CHUNK ? (int)n : CHUNK;
        graft__random_fill_u32(r, 2 * count, halves);
        for (int i = 0; i < count; i++)
            out[i] = ((uint64_t)halves[2 * i] << 32) | halves[2 * i + 1];
        out += count;
        n -= count;
    }
}
