#include "kernel/reduce_plan.h"

#include <string.h>

enum {
    SERIAL = 32768,      /* elements below which threads do not pay */
    PART = 8192,         /* elements that a part has at least */
    PARTS_PER_THREAD = 4 /* so that a late worker does not hold up the rest */
};

static void walk_add(graft__walk *w, int64_t size, int64_t src, int64_t dst)
{
    /* The fastest dimension of src goes last, so that memory is read in its order. */
    int d = w->ndim++;
    for (; d > 0 && w->src[d - 1] < src; d--) {
        w->size[d] = w->size[d - 1];
        w->src[d] = w->src[d - 1];
        w->dst[d] = w->dst[d - 1];
    }
    w->size[d] = size;
    w->src[d] = src;
    w->dst[d] = dst;
    w->count *= size;
}

static void walk_join(graft__walk *w)
{
    int last = 0;
    for (int d = 1; d < w->ndim; d++) {
        if (w->src[last] == w->src[d] * w->size[d] && w->dst[last] == w->dst[d] * w->size[d]) {
            w->size[last] *= w->size[d];
        } else {
            last++;
            w->size[last] = w->size[d];
        }
        w->src[last] = w->src[d];
        w->dst[last] = w->dst[d];
    }
    if (w->ndim)
        w->ndim = last + 1;
}

void graft__reduce_prepare(graft__reduce_plan *p, const graft__array *dst, const graft__array *src)
{
    p->kept.ndim = p->reduced.ndim = 0;
    p->kept.count = p->reduced.count = 1;
    for (int d = 0; d < src->ndim; d++) {
        if (src->size[d] == 1)
            continue;
        graft__walk *w = dst->stride[d] == 0 ? &p->reduced : &p->kept;
        walk_add(w, src->size[d], src->stride[d], dst->stride[d]);
    }
    walk_join(&p->kept);
    walk_join(&p->reduced);
    p->dtype = src->dtype;
    p->src = src->data;
    p->dst = dst->data;
    p->divisor = 1;
    p->beta = 0;
    p->kernels = NULL;
}

void graft__walker_start(const graft__walk *w, int64_t position, graft__walker *at)
{
    at->src = at->dst = 0;
    if (w->count == 0)
        return;
    for (int d = w->ndim - 1; d >= 0; d--) {
        at->index[d] = position % w->size[d];
        position /= w->size[d];
        at->src += at->index[d] * w->src[d];
        at->dst += at->index[d] * w->dst[d];
    }
}

bool graft__reduce_by_columns(const graft__reduce_plan *p)
{
    const graft__walk *k = &p->kept, *r = &p->reduced;
    return k->ndim && k->src[k->ndim - 1] == 1 && (r->ndim == 0 || r->src[r->ndim - 1] != 1);
}

#define MOVE(width)                                                                                \
    for (; n > 0; n--, to += to_step, from += from_step)                                           \
    memcpy(to, from, width)

void graft__move(int64_t n, void *dst, int64_t to_step, const void *src, int64_t from_step,
                 int64_t width)
{
    char *to = dst;
    const char *from = src;
    switch (width) {
    case 8:
        MOVE(8);
        break;
    case 4:
        MOVE(4);
        break;
    case 2:
        MOVE(2);
        break;
    default:
        MOVE(1);
    }
}

void graft__reduce_store_slots(const graft__reduce_plan *p, int64_t begin, int64_t n,
                               const graft__reduce_slot *slots, int64_t width)
{
    const graft__walk *kept = &p->kept;
    const int64_t apart = kept->ndim ? kept->dst[kept->ndim - 1] * width : 0;
    graft__walker at;
    graft__walker_start(kept, begin, &at);
    for (int64_t count; n > 0; n -= count, slots += count) {
        count = graft__min_i64(graft__walker_left(kept, &at), n);
        graft__move(count, (char *)p->dst + at.dst * width, apart, slots, sizeof *slots, width);
        graft__walker_advance(kept, &at, count);
    }
}

static void run_outputs(const graft__reduce_plan *p, int64_t begin, int64_t end)
{
    graft__reduce_slot slots[GRAFT__REDUCE_BLOCK];
    for (; begin < end; begin += GRAFT__REDUCE_BLOCK) {
        const int64_t n = graft__min_i64(GRAFT__REDUCE_BLOCK, end - begin);
        p->range(p, begin, begin + n, 0, p->reduced.count, slots);
        p->store(p, begin, n, slots);
    }
}

typedef struct job {
    const graft__reduce_plan *plan;
    int parts;
    graft__reduce_slot *slots;
} job;

static int64_t part_begin(int64_t count, int parts, int part)
{
    const int64_t each = count / parts, rest = count % parts;
    return each * part + (part < rest ? part : rest);
}

static void outputs_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t count = j->plan->kept.count;
    run_outputs(j->plan, part_begin(count, j->parts, part), part_begin(count, j->parts, part + 1));
}

static void reduced_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t count = j->plan->reduced.count, outputs = j->plan->kept.count;
    j->plan->range(j->plan, 0, outputs, part_begin(count, j->parts, part),
                   part_begin(count, j->parts, part + 1), j->slots + part * outputs);
}

void graft__reduce_run(graft__pool *pool, const graft__reduce_plan *p)
{
    const int64_t outputs = p->kept.count, reduced = p->reduced.count;
    const int threads = graft__pool_threads(pool);
    if (threads == 1 || outputs * reduced < SERIAL) {
        run_outputs(p, 0, outputs);
        return;
    }
    job j = {.plan = p};
    const int64_t useful = graft__min_i64(outputs * reduced / PART, PARTS_PER_THREAD * threads);
    const int64_t outputs_each = graft__reduce_by_columns(p) ? GRAFT__REDUCE_BLOCK : 1;
    if (outputs < useful * outputs_each && reduced >= 2 * useful) {
        j.parts = (int)useful;
        j.slots = graft__pool_scratch(pool, (size_t)(outputs * useful) * sizeof *j.slots);
        if (j.slots) {
            graft__pool_run(pool, j.parts, reduced_part, &j);
            for (int part = 1; part < j.parts; part++)
                p->combine(p, outputs, j.slots, j.slots + part * outputs);
            p->store(p, 0, outputs, j.slots);
            return;
        }
    }
    j.parts = (int)graft__min_i64(useful, outputs);
    graft__pool_run(pool, j.parts, outputs_part, &j);
}
