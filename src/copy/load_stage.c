#include "copy/load_stage.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "kernel/copy.h"

/* ---- Which storages change ---- */

static graft__load_target *target_of(const graft__load_stage *stage, const graft__storage *s)
{
    uintptr_t place = (uintptr_t)graft__map_get(&stage->index, s);
    return place ? &stage->target[place - 1] : NULL;
}

static graft_status add_target(graft__load_stage *stage, graft__storage *s, size_t entry)
{
    graft__load_target *known = target_of(stage, s);
    if (known) {
        known->tensors++;
        return GRAFT_OK;
    }
    graft_ctx *g = stage->plan->ctx;
    void *targets = stage->target;
    bool room =
        graft__vector_reserve(g, &targets, stage->count, &stage->capacity, sizeof *stage->target);
    stage->target = targets;
    if (!room)
        return graft__fail_memory(g, sizeof *stage->target, "load_state_dict");
    uintptr_t place = stage->count + 1;
    if (!graft__map_set(&stage->index, s, (void *)place))
        return GRAFT_ERR_MEMORY;
    stage->target[stage->count++] =
        (graft__load_target){.storage = s, .first = entry, .tensors = 1};
    return GRAFT_OK;
}

/* Whether the entry brings a value: the other names of a tied tensor bring the same one. */
static bool brings_value(const graft__load_entry *e)
{
    return e->is_leader && (e->action == GRAFT_LOAD_COPIED || e->action == GRAFT_LOAD_CAST);
}

static graft_status find_targets(graft__load_stage *stage)
{
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < stage->plan->count && st == GRAFT_OK; i++) {
        const graft__load_entry *e = &stage->plan->entry[i];
        if (brings_value(e))
            st = add_target(stage, e->dst->storage, i);
    }
    return st;
}

/* ---- What they become ---- */

/* Whether dst may come to lie in the memory of src, instead of in a copy of it. */
static bool may_share(const graft_tensor *dst, const graft_tensor *src)
{
    if (dst->storage->buffer == src->storage->buffer)
        return dst->dtype == src->dtype && graft__covers_storage(dst) && graft__covers_storage(src);
    return dst->dtype == src->dtype && graft__covers_storage(dst) && graft__covers_storage(src) &&
           !graft__storage_is_on_loan(src->storage) && !graft__storage_is_borrowed(dst->storage);
}

static graft_status make_next(graft__load_stage *stage, graft__load_target *t)
{
    graft_ctx *g = stage->plan->ctx;
    const graft__load_entry *e = &stage->plan->entry[t->first];
    if (t->tensors == 1 && may_share(e->dst, e->src)) {
        t->next = graft__storage_share(e->src->storage, g);
    } else if (t->tensors == 1 && graft__covers_storage(e->dst)) {
        t->next = graft__storage_new(g, t->storage->buffer->size);
    } else {
        t->next = graft__storage_share(t->storage, g);
        if (t->next && !graft__storage_separate(t->next, true))
            return GRAFT_ERR_MEMORY;
    }
    return t->next ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

/* dst as it will be: its layout over the memory that is to come. */
static graft__array staged(const graft_tensor *dst, const graft__load_target *t)
{
    graft__array a = graft__read(dst);
    a.data = (char *)t->next->buffer->data + (size_t)dst->offset * graft_dtype_size(dst->dtype);
    return a;
}

static void fill(const graft__load_stage *stage)
{
    const graft__load_plan *plan = stage->plan;
    for (size_t i = 0; i < plan->count; i++) {
        const graft__load_entry *e = &plan->entry[i];
        if (!brings_value(e))
            continue;
        const graft__load_target *t = target_of(stage, e->dst->storage);
        if (t->next->buffer == e->src->storage->buffer)
            continue;
        graft__array to = staged(e->dst, t), from = graft__read(e->src);
        graft__copy(plan->ctx->pool, &to, &from);
    }
}

/* ---- Tensors that share memory without being one ---- */

/* Elements from the first to the last, plus one, in the storage. */
static void extent(const graft_tensor *t, int64_t *begin, int64_t *end)
{
    *begin = t->offset;
    *end = t->offset + (t->numel > 0);
    for (int i = 0; i < t->ndim && t->numel > 0; i++)
        *end += (t->size[i] - 1) * t->stride[i];
}

static bool repeats_itself(const graft_tensor *t)
{
    for (int i = 0; i < t->ndim; i++)
        if (t->size[i] > 1 && t->stride[i] == 0)
            return true;
    return false;
}

/* The entry of another tensor whose extent meets that of entry i; NO_PEER if there is none. */
static size_t neighbour(const graft__load_plan *plan, size_t i)
{
    const graft_tensor *t = plan->entry[i].dst;
    int64_t begin = 0, end = 0;
    extent(t, &begin, &end);
    for (size_t j = 0; j < plan->count; j++) {
        const graft__load_entry *e = &plan->entry[j];
        if (j == i || !brings_value(e) || e->dst->storage != t->storage)
            continue;
        int64_t b = 0, n = 0;
        extent(e->dst, &b, &n);
        if (b < end && begin < n)
            return j;
    }
    return GRAFT__LOAD_NO_PEER;
}

/* What was written for a tensor whose memory something else writes too must still be there. */
static graft_status check_overlaps(const graft__load_stage *stage)
{
    graft__load_plan *plan = stage->plan;
    for (size_t i = 0; i < plan->count; i++) {
        graft__load_entry *e = &plan->entry[i];
        if (!brings_value(e))
            continue;
        const graft__load_target *t = target_of(stage, e->dst->storage);
        size_t peer = t->tensors > 1 ? neighbour(plan, i) : GRAFT__LOAD_NO_PEER;
        if (peer == GRAFT__LOAD_NO_PEER && !repeats_itself(e->dst))
            continue;
        bool same = false;
        graft_status st = graft__load_same(plan->ctx, staged(e->dst, t), graft__read(e->src),
                                           e->dst->dtype, &same);
        if (st != GRAFT_OK)
            return st;
        if (!same) {
            e->action = GRAFT_LOAD_TIE;
            e->peer = peer;
        }
    }
    return GRAFT_OK;
}

/* ---- All together ---- */

void graft__load_stage_init(graft__load_stage *stage, graft__load_plan *plan)
{
    *stage = (graft__load_stage){.plan = plan};
    graft__map_init(&stage->index, plan->ctx);
}

graft_status graft__load_stage_make(graft__load_stage *stage)
{
    graft_status st = find_targets(stage);
    for (size_t i = 0; i < stage->count && st == GRAFT_OK; i++)
        st = make_next(stage, &stage->target[i]);
    if (st != GRAFT_OK)
        return st;
    fill(stage);
    return check_overlaps(stage);
}

void graft__load_stage_commit(graft__load_stage *stage)
{
    for (size_t i = 0; i < stage->count; i++)
        graft__storage_assign(stage->target[i].storage, stage->target[i].next);
}

void graft__load_stage_free(graft__load_stage *stage)
{
    for (size_t i = 0; i < stage->count; i++)
        graft__storage_unref(stage->target[i].next);
    graft__free(stage->plan->ctx, stage->target, stage->capacity * sizeof *stage->target);
    graft__map_free(&stage->index);
}
