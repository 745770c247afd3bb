/* TIES: the k-th largest magnitude of a delta, exactly and without keeping it: one pass over the
 * sources for every 16 bits counts how many have which digit. */
#include <math.h>

#include "base/ctx.h"
#include "copy/merge.h"

enum { DIGITS = 1 << 16 };

typedef struct pass {
    int64_t source;
    int shift;
    uint64_t prefix;
    uint64_t *counts;
} pass;

static void count_block(void *user, const graft__merge_block *b)
{
    const pass *p = user;
    const void *base = graft__merge_source_of(b, b->job->n, GRAFT__MERGE_BASE);
    const void *x = graft__merge_source_of(b, p->source, GRAFT__MERGE_X);
    graft__count_magnitudes(b->job->f64, b->count, x, base, p->shift, p->prefix, p->counts);
}

/* How many elements stay. */
static uint64_t kept(const graft__merge_job *job)
{
    const int64_t count = llround(job->density * (double)job->numel);
    if (job->density > 0 && count < 1)
        return 1;
    return count > job->numel ? (uint64_t)job->numel : (uint64_t)count;
}

static bool select_one(const graft__merge_job *job, graft_ctx *g, int64_t source, uint64_t *counts,
                       uint64_t *threshold)
{
    uint64_t above = kept(job); /* the threshold is so far from the top of what has the prefix */
    pass p = {.source = source, .counts = counts};
    for (p.shift = job->f64 ? 48 : 16; p.shift >= 0; p.shift -= 16) {
        for (int i = 0; i < DIGITS; i++)
            counts[i] = 0;
        if (!graft__merge_walk(job, g, 0, job->numel, true, count_block, &p))
            return false;
        uint64_t digit = DIGITS - 1;
        for (; digit > 0 && counts[digit] < above; digit--)
            above -= counts[digit];
        p.prefix = p.prefix << 16 | digit;
    }
    *threshold = p.prefix;
    return true;
}

bool graft__merge_select(graft__merge_job *job, graft_ctx *g)
{
    const uint64_t stay = kept(job);
    if (stay == 0 || stay == (uint64_t)job->numel) {
        for (int64_t i = 0; i < job->n; i++)
            job->threshold[i] = stay == 0 ? UINT64_MAX : 0;
        return true;
    }
    const size_t bytes = DIGITS * sizeof(uint64_t);
    uint64_t *counts = graft__alloc(g, bytes);
    if (!counts) {
        graft__fail_memory(g, bytes, "merge");
        return false;
    }
    bool ok = true;
    for (int64_t i = 0; ok && i < job->n; i++)
        ok = select_one(job, g, i, counts, &job->threshold[i]);
    graft__free(g, counts, bytes);
    return ok;
}
