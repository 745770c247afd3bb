#include "base/ctx.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 64 };
#define DEFAULT_SEED UINT64_C(67280421310721)
#define DEFAULT_CACHE ((size_t)1 << 30)

static int default_threads(void)
{
    const char *text = getenv("GRAFT_NUM_THREADS");
    if (text) {
        char *end = NULL;
        long n = strtol(text, &end, 10);
        if (*text && *end == 0 && n >= 1 && n <= MAX_THREADS)
            return (int)n;
    }
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int n = CPU_COUNT(&set);
        return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
    }
#endif
    return 1;
}

graft_options graft_options_defaults(void)
{
    return (graft_options){.threads = default_threads(), .cache_limit = DEFAULT_CACHE};
}

static bool options_ok(const graft_options *o)
{
    return o->threads >= 1 && o->threads <= MAX_THREADS &&
           (!o->allocator.alloc || o->allocator.free);
}

/* From where the system put the context, its code and its stack, which it makes different in each
 * process. Nothing but hashes depends on it, and no order of anything on hashes. */
static uint64_t make_secret(const graft_ctx *g)
{
    const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
    const void *here = &k;
    uint64_t h = (uintptr_t)g * k;
    h = (h ^ h >> 29 ^ (uintptr_t)here) * k;
    h = (h ^ h >> 32 ^ (uintptr_t)&graft_open) * k;
    return (h ^ h >> 29) | 1;
}

graft_ctx *graft_open(const graft_options *options)
{
    graft_options o = options ? *options : graft_options_defaults();
    if (!options_ok(&o))
        return NULL;
    if (!o.allocator.alloc)
        o.allocator = graft__system_allocator();
    graft_ctx *g = o.allocator.alloc(o.allocator.user, sizeof *g, GRAFT__ALIGN);
    if (!g)
        return NULL;
    memset(g, 0, sizeof *g);
    graft__arena_open(&g->arena, &o.allocator, o.cache_limit);
    g->kept.prev = g->kept.next = &g->kept;
    g->threads = o.threads;
    g->secret = make_secret(g);
    graft__random_seed(&g->random, DEFAULT_SEED);
    g->pool = graft__pool_new(&o.allocator, o.threads);
    if (!g->pool) {
        graft_close(g);
        return NULL;
    }
    return g;
}

void graft_close(graft_ctx *g)
{
    if (!g)
        return;
    while (g->mark_count > 0)
        graft__scope_end(g);
    while (g->kept.next != &g->kept) {
        graft__object *o = g->kept.next;
        graft__disown(o);
        graft__unref(o);
    }
    graft__free(g, g->slots, g->slot_capacity * sizeof *g->slots);
    graft__free(g, g->marks, g->mark_capacity * sizeof *g->marks);
    graft__pool_free(g->pool);
    graft_clear_error(g);
    graft__arena_empty(&g->arena);
    graft_allocator allocator = g->arena.allocator;
    allocator.free(allocator.user, g, sizeof *g);
}

graft_status graft_manual_seed(graft_ctx *g, uint64_t seed)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    graft__random_seed(&g->random, seed);
    return GRAFT_OK;
}

uint64_t graft_initial_seed(const graft_ctx *g)
{
    return g ? g->random.seed : 0;
}

graft_status graft_set_num_threads(graft_ctx *g, int threads)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    if (threads < 1 || threads > MAX_THREADS)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "set_num_threads: %d threads: expected 1 to %d",
                           threads, MAX_THREADS);
    if (threads == g->threads)
        return GRAFT_OK;
    graft__pool *pool = graft__pool_new(&g->arena.allocator, threads);
    if (!pool)
        return graft__fail_memory(g, sizeof(void *), "set_num_threads");
    graft__pool_free(g->pool);
    g->pool = pool;
    g->threads = threads;
    return GRAFT_OK;
}

int graft_num_threads(const graft_ctx *g)
{
    return g ? g->threads : 0;
}

graft_status graft_memory_stats(const graft_ctx *g, graft_memory *out)
{
    if (!g || !out)
        return GRAFT_ERR_ARGUMENT;
    *out = g->arena.stats;
    return GRAFT_OK;
}

graft_status graft_empty_cache(graft_ctx *g)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    graft__arena_empty(&g->arena);
    return GRAFT_OK;
}

const char *graft_version(void)
{
    return GRAFT__VERSION;
}
