/* TIES: the k-th largest magnitude of a delta, exactly and without keeping it: one pass over the
 * sources for every 16 bits counts how many have which digit. */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "copy/merge.h"

/* Counts of one source on one thread, of which there are so many at a time: 16 MiB. */
enum { DIGITS = 1 << 16, COUNTS_MAX = 32 };

typedef struct selection {
    int64_t first, sources; /* those that are selected from together */
    int threads;
    int shift;
    uint64_t prefix[COUNTS_MAX]; /* of each source: the digits so far, */
    uint64_t above[COUNTS_MAX];  /* and how far the threshold is from the top of what has them */
    uint64_t *counts;            /* [threads][sources][DIGITS] */
} selection;

static uint64_t *counts_of(const selection *s, int thread, int64_t source)
{
    return s->counts + ((size_t)thread * (size_t)s->sources + (size_t)source) * DIGITS;
}

static void count_block(void *user, const graft__merge_block *b)
{
    const selection *s = user;
    const void *base = graft__merge_source_of(b, b->job->n, GRAFT__MERGE_BASE);
    for (int64_t i = 0; i < s->sources; i++)
        graft__count_magnitudes(b->job->f64, b->count,
                                graft__merge_source_of(b, s->first + i, GRAFT__MERGE_X), base,
                                s->shift, s->prefix[i], counts_of(s, b->thread, i));
}

/* How many elements stay. */
static uint64_t kept(const graft__merge_job *job)
{
    const int64_t count = llround(job->density * (double)job->numel);
    if (job->density > 0 && count < 1)
        return 1;
    return count > job->numel ? (uint64_t)job->numel : (uint64_t)count;
}

/* Goes down from the largest digit to the one of the threshold. */
static void take_digit(selection *s, int64_t source)
{
    uint64_t *counts = counts_of(s, 0, source);
    for (int thread = 1; thread < s->threads; thread++)
        for (size_t digit = 0; digit < DIGITS; digit++)
            counts[digit] += counts_of(s, thread, source)[digit];
    uint64_t digit = DIGITS - 1;
    for (; digit > 0 && counts[digit] < s->above[source]; digit--)
        s->above[source] -= counts[digit];
    s->prefix[source] = s->prefix[source] << 16 | digit;
}

static bool select_some(graft__merge_job *job, graft_ctx *g, selection *s)
{
    for (int64_t i = 0; i < s->sources; i++) {
        s->prefix[i] = 0;
        s->above[i] = kept(job);
    }
    for (s->shift = job->f64 ? 48 : 16; s->shift >= 0; s->shift -= 16) {
        memset(s->counts, 0, (size_t)(s->threads * s->sources) * DIGITS * sizeof *s->counts);
        if (!graft__merge_walk(job, g, 0, job->numel, count_block, s))
            return false;
        for (int64_t i = 0; i < s->sources; i++)
            take_digit(s, i);
    }
    memcpy(job->threshold + s->first, s->prefix, (size_t)s->sources * sizeof *s->prefix);
    return true;
}

static bool select_all(graft__merge_job *job, graft_ctx *g)
{
    selection s = {.threads = graft__pool_threads(g->pool)};
    const int64_t most = COUNTS_MAX / s.threads;
    const int64_t together = job->n < most ? job->n : most;
    const size_t bytes = (size_t)(s.threads * together) * DIGITS * sizeof *s.counts;
    s.counts = graft__alloc(g, bytes);
    if (!s.counts) {
        graft__fail_memory(g, bytes, "merge");
        return false;
    }
    bool ok = true;
    for (; ok && s.first < job->n; s.first += s.sources) {
        s.sources = job->n - s.first < together ? job->n - s.first : together;
        ok = select_some(job, g, &s);
    }
    graft__free(g, s.counts, bytes);
    return ok;
}

/* Counts of each thread cost memory and, for a small tensor, more time than they save. */
bool graft__merge_select(graft__merge_job *job, graft_ctx *g)
{
    const uint64_t stay = kept(job);
    if (stay == 0 || stay == (uint64_t)job->numel) {
        for (int64_t i = 0; i < job->n; i++)
            job->threshold[i] = stay == 0 ? UINT64_MAX : 0;
        return true;
    }
    graft__pool *pool = g->pool;
    if (graft__pool_threads(pool) > COUNTS_MAX || job->numel < 4 * DIGITS)
        g->pool = NULL;
    const bool ok = select_all(job, g);
    g->pool = pool;
    return ok;
}
