#include "copy/plan_stage.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/sort.h"
#include "base/vector.h"
#include "kernel/copy.h"
#include "kernel/same_bits.h"

/* ---- Which storages change ---- */

static graft__stage_storage *storage_of(const graft__plan_stage *stage, const graft__storage *s)
{
    const uintptr_t place = (uintptr_t)graft__map_get(&stage->index, s);
    return place ? &stage->storage[place - 1] : NULL;
}

static graft_status add_storage(graft__plan_stage *stage, graft__storage *s, size_t target)
{
    graft__stage_storage *known = storage_of(stage, s);
    if (known) {
        known->tensors++;
        return GRAFT_OK;
    }
    graft_ctx *g = stage->plan->ctx;
    void *storages = stage->storage;
    const bool room =
        graft__vector_reserve(g, &storages, stage->count, &stage->capacity, sizeof *stage->storage);
    stage->storage = storages;
    if (!room)
        return graft__fail_memory(g, sizeof *stage->storage, "plan");
    const uintptr_t place = stage->count + 1;
    if (!graft__map_set(&stage->index, s, (void *)place))
        return GRAFT_ERR_MEMORY;
    stage->storage[stage->count++] =
        (graft__stage_storage){.storage = s, .first = target, .tensors = 1};
    return GRAFT_OK;
}

static graft_status find_storages(graft__plan_stage *stage)
{
    const graft_plan *plan = stage->plan;
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++)
        if (graft__plan_brings(plan, i))
            st = add_storage(stage, plan->target[i].tensor->storage, i);
    return st;
}

/* All values, before the first byte of the target changes. */
static graft_status make_values(graft__plan_stage *stage)
{
    const graft_plan *plan = stage->plan;
    const size_t bytes = plan->count * sizeof *stage->value;
    stage->value = graft__alloc_zero(plan->ctx, bytes);
    if (!stage->value)
        return graft__fail_memory(plan->ctx, bytes, "plan");
    for (size_t i = 0; i < plan->count; i++) {
        if (!graft__plan_brings(plan, i))
            continue;
        stage->value[i] = graft__plan_value(plan, i);
        if (!stage->value[i])
            return graft_error_status(plan->ctx);
    }
    return GRAFT_OK;
}

/* ---- What they become ---- */

/* Whether dst may come to lie in the memory of src, instead of in a copy of it. */
static bool may_share(const graft_tensor *dst, const graft_tensor *src)
{
    if (!graft__covers_storage(dst) || !graft__covers_storage(src))
        return false;
    return dst->storage->buffer == src->storage->buffer ||
           (!graft__storage_is_on_loan(src->storage) && !graft__storage_is_borrowed(dst->storage));
}

static graft_status make_next(graft__plan_stage *stage, graft__stage_storage *s)
{
    graft_ctx *g = stage->plan->ctx;
    const graft_tensor *dst = stage->plan->target[s->first].tensor;
    if (s->tensors == 1 && may_share(dst, stage->value[s->first])) {
        s->next = graft__storage_share(stage->value[s->first]->storage, g);
    } else if (s->tensors == 1 && graft__covers_storage(dst)) {
        s->next = graft__storage_new(g, s->storage->buffer->size);
    } else {
        if (!graft__storage_ready(s->storage, g))
            return graft_error_status(g);
        s->next = graft__storage_share(s->storage, g);
        if (s->next && !graft__storage_separate(s->next, true))
            return GRAFT_ERR_MEMORY;
    }
    return s->next ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

/* dst as it will be: its layout over the memory that is to come. */
static graft__array staged(const graft_tensor *dst, const graft__stage_storage *s)
{
    graft__array a = graft__read(dst);
    a.data = (char *)s->next->buffer->data + (size_t)dst->offset * graft_dtype_size(dst->dtype);
    return a;
}

static void fill(const graft__plan_stage *stage)
{
    const graft_plan *plan = stage->plan;
    for (size_t i = 0; i < plan->count; i++) {
        if (!stage->value[i])
            continue;
        const graft_tensor *dst = plan->target[i].tensor;
        const graft__stage_storage *s = storage_of(stage, dst->storage);
        if (s->next->buffer == stage->value[i]->storage->buffer)
            continue;
        graft__array to = staged(dst, s), from = graft__read(stage->value[i]);
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

/* By storage, then by where they begin in it, in bytes: dtypes may differ. */
static bool lies_before(const void *user, uint32_t a, uint32_t b)
{
    const graft__plan_stage *stage = user;
    const graft_tensor *t = stage->plan->target[a].tensor, *u = stage->plan->target[b].tensor;
    if (t->storage != u->storage)
        return (uintptr_t)t->storage < (uintptr_t)u->storage;
    return t->offset * (int64_t)graft__width(t->dtype) <
           u->offset * (int64_t)graft__width(u->dtype);
}

/* Of targets in the order of lies_before, notes for each whose extent meets another's one of those.
 * Whoever meets anything meets the one before it that reaches furthest, or is met by the next. */
static void find_neighbours(const graft__plan_stage *stage, const uint32_t *order, size_t n)
{
    graft_plan *plan = stage->plan;
    size_t far = GRAFT__PLAN_NONE;
    int64_t reach = 0;
    for (size_t k = 0; k < n; k++) {
        const size_t i = order[k];
        const graft_tensor *t = plan->target[i].tensor;
        const int64_t width = (int64_t)graft__width(t->dtype);
        int64_t begin = 0, end = 0;
        extent(t, &begin, &end);
        begin *= width;
        end *= width;
        const bool same =
            far != GRAFT__PLAN_NONE && plan->target[far].tensor->storage == t->storage;
        if (same && begin < reach && begin < end) {
            plan->target[i].peer = far;
            if (plan->target[far].peer == GRAFT__PLAN_NONE)
                plan->target[far].peer = i;
        }
        if (!same || end > reach) {
            far = i;
            reach = end;
        }
    }
}

/* What was written for a tensor whose memory something else writes too must still be there. */
static void check_overlap(const graft__plan_stage *stage, size_t i)
{
    graft__plan_target *t = &stage->plan->target[i];
    if (t->peer == GRAFT__PLAN_NONE && !repeats_itself(t->tensor))
        return;
    graft__array now = staged(t->tensor, storage_of(stage, t->tensor->storage));
    graft__array meant = graft__read(stage->value[i]);
    if (graft__same_bits(&now, &meant)) {
        t->peer = GRAFT__PLAN_NONE;
        return;
    }
    t->action = GRAFT_PLAN_CONFLICT;
    t->clash = GRAFT__CLASH_OVERLAP;
}

static graft_status check_overlaps(const graft__plan_stage *stage)
{
    const graft_plan *plan = stage->plan;
    const size_t bytes = plan->count * sizeof(uint32_t);
    uint32_t *order = graft__alloc(plan->ctx, bytes), *scratch = graft__alloc(plan->ctx, bytes);
    if (order && scratch) {
        size_t n = 0;
        for (size_t i = 0; i < plan->count; i++)
            if (stage->value[i] && storage_of(stage, plan->target[i].tensor->storage)->tensors > 1)
                order[n++] = (uint32_t)i;
        graft__sort(order, scratch, n, lies_before, stage);
        find_neighbours(stage, order, n);
        for (size_t i = 0; i < plan->count; i++)
            if (stage->value[i])
                check_overlap(stage, i);
    }
    const bool ok = order && scratch;
    graft__free(plan->ctx, order, bytes);
    graft__free(plan->ctx, scratch, bytes);
    return ok ? GRAFT_OK : graft__fail_memory(plan->ctx, bytes, "plan");
}

/* ---- All together ---- */

void graft__plan_stage_init(graft__plan_stage *stage, graft_plan *plan)
{
    *stage = (graft__plan_stage){.plan = plan};
    graft__map_init(&stage->index, plan->ctx);
}

graft_status graft__plan_stage_make(graft__plan_stage *stage)
{
    graft_status st = find_storages(stage);
    if (st == GRAFT_OK)
        st = make_values(stage);
    for (size_t i = 0; i < stage->count && st == GRAFT_OK; i++)
        st = make_next(stage, &stage->storage[i]);
    if (st != GRAFT_OK)
        return st;
    fill(stage);
    return check_overlaps(stage);
}

void graft__plan_stage_commit(graft__plan_stage *stage)
{
    for (size_t i = 0; i < stage->count; i++)
        graft__storage_assign(stage->storage[i].storage, stage->storage[i].next);
}

void graft__plan_stage_free(graft__plan_stage *stage)
{
    const graft_plan *plan = stage->plan;
    for (size_t i = 0; stage->value && i < plan->count; i++)
        graft__tensor_unref(stage->value[i]);
    graft__free(plan->ctx, stage->value, plan->count * sizeof *stage->value);
    for (size_t i = 0; i < stage->count; i++)
        graft__storage_unref(stage->storage[i].next);
    graft__free(plan->ctx, stage->storage, stage->capacity * sizeof *stage->storage);
    graft__map_free(&stage->index);
}
