#include "copy/load_plan.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vector.h"
#include "kernel/copy.h"
#include "kernel/same_bits.h"

static graft__load_entry *add_entry(graft__load_plan *plan, const char *name)
{
    graft_ctx *g = plan->ctx;
    void *entries = plan->entry;
    bool room =
        graft__vector_reserve(g, &entries, plan->count, &plan->capacity, sizeof *plan->entry);
    plan->entry = entries;
    char *kept = room ? graft__strdup(g, name) : NULL;
    if (!kept) {
        graft__fail_memory(g, sizeof *plan->entry, "load_state_dict");
        return NULL;
    }
    graft__load_entry *e = &plan->entry[plan->count++];
    *e = (graft__load_entry){.name = kept, .place = -1, .peer = GRAFT__LOAD_NO_PEER};
    return e;
}

/* ---- Names, kinds, shapes, dtypes ---- */

static graft_load_action judge(const graft__load_plan *plan, const graft__load_entry *e)
{
    if (e->place < 0)
        return GRAFT_LOAD_MISSING;
    if (!e->src)
        return GRAFT_LOAD_KIND;
    if (!graft__same_shape(e->dst, e->src))
        return GRAFT_LOAD_SHAPE;
    if (e->dst->dtype == e->src->dtype)
        return GRAFT_LOAD_COPIED;
    bool floating =
        graft_dtype_is_floating(e->dst->dtype) && graft_dtype_is_floating(e->src->dtype);
    return plan->options.cast && floating ? GRAFT_LOAD_CAST : GRAFT_LOAD_DTYPE;
}

/* The dict's tensor in e->src, its bytes there. */
static graft_status take_source(graft__load_plan *plan, graft__load_entry *e)
{
    e->src = graft_dict_tensor_at(plan->state, e->place);
    if (e->src || graft_dict_kind(plan->state, e->place) != GRAFT_VALUE_TENSOR)
        return GRAFT_OK;
    const graft_ctx *from = graft_dict_ctx(plan->state);
    return graft__fail(plan->ctx, graft_error_status(from), "load_state_dict: \"%s\": %s", e->name,
                       graft_error(from));
}

static graft_status plan_slot(void *user, const char *path, graft_module *owner, graft__slot *slot,
                              bool first)
{
    graft__load_plan *plan = user;
    (void)owner, (void)first;
    if (!slot->tensor || !slot->persistent)
        return GRAFT_OK;
    graft__load_entry *e = add_entry(plan, path);
    if (!e)
        return GRAFT_ERR_MEMORY;
    e->dst = slot->tensor;
    e->place = graft_dict_find(plan->state, path);
    const graft_status status = take_source(plan, e);
    e->action = judge(plan, e);
    return status;
}

static graft_status plan_unexpected(graft__load_plan *plan, const bool *expected)
{
    for (int64_t i = 0; i < graft_dict_len(plan->state); i++) {
        if (expected[i])
            continue;
        graft__load_entry *e = add_entry(plan, graft_dict_key(plan->state, i));
        if (!e)
            return GRAFT_ERR_MEMORY;
        e->place = i;
        if (graft_dict_kind(plan->state, i) == GRAFT_VALUE_TENSOR)
            e->src = plan->state->entry[i].value.tensor; /* nobody needs its bytes */
        e->action = GRAFT_LOAD_UNEXPECTED;
    }
    return GRAFT_OK;
}

static graft_status find_unexpected(graft__load_plan *plan)
{
    size_t bytes = (size_t)graft_dict_len(plan->state);
    bool *expected = graft__alloc_zero(plan->ctx, bytes);
    if (!expected)
        return graft__fail_memory(plan->ctx, bytes, "load_state_dict");
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entry[i].place >= 0)
            expected[plan->entry[i].place] = true;
    graft_status st = plan_unexpected(plan, expected);
    graft__free(plan->ctx, expected, bytes);
    return st;
}

/* ---- Ties ---- */

/* The elements converted to dtype: the array itself, or one in a block of *size bytes that the
 * caller frees. false without memory. */
static bool as_dtype(graft_ctx *g, graft__array *a, graft_dtype dtype, void **block, size_t *size)
{
    *block = NULL;
    if (a->dtype == dtype)
        return true;
    graft__array converted = *a;
    converted.dtype = dtype;
    graft__contiguous_strides(a->ndim, a->size, converted.stride);
    *size = graft_dtype_size(dtype);
    for (int i = 0; i < a->ndim; i++)
        *size *= (size_t)a->size[i];
    *block = converted.data = graft__alloc(g, *size);
    if (!*block)
        return false;
    graft__copy(g->pool, &converted, a);
    *a = converted;
    return true;
}

graft_status graft__load_same(graft_ctx *g, graft__array a, graft__array b, graft_dtype dtype,
                              bool *same)
{
    void *block_a = NULL, *block_b = NULL;
    size_t size_a = 0, size_b = 0;
    bool ok =
        as_dtype(g, &a, dtype, &block_a, &size_a) && as_dtype(g, &b, dtype, &block_b, &size_b);
    if (ok)
        *same = graft__same_bits(&a, &b);
    graft__free(g, block_a, size_a);
    graft__free(g, block_b, size_b);
    return ok ? GRAFT_OK : graft__fail_memory(g, size_a + size_b, "load_state_dict");
}

static bool fits(const graft__load_entry *e)
{
    return e->action == GRAFT_LOAD_COPIED || e->action == GRAFT_LOAD_CAST;
}

/* A tensor that is tied gets one value: that of the first of its names that the dict has. */
static graft_status judge_tied(graft__load_plan *plan, size_t i, size_t leader)
{
    graft__load_entry *e = &plan->entry[i], *l = &plan->entry[leader];
    e->peer = leader;
    if (e->action == GRAFT_LOAD_MISSING) {
        e->action = l->action;
        e->place = l->place;
        e->src = l->src;
        return GRAFT_OK;
    }
    if (!fits(e) || !fits(l))
        return GRAFT_OK;
    if (e->src == l->src)
        return GRAFT_OK;
    bool same = false;
    graft_status st =
        graft__load_same(plan->ctx, graft__read(e->src), graft__read(l->src), e->dst->dtype, &same);
    if (st == GRAFT_OK && !same)
        e->action = GRAFT_LOAD_TIE;
    return st;
}

/* Maps each tensor to its leader: the first of its entries that the dict has, or else the first. */
static graft_status find_leaders(graft__load_plan *plan, graft__map *leaders)
{
    for (size_t i = 0; i < plan->count; i++) {
        graft__load_entry *e = &plan->entry[i];
        const graft__load_entry *l = e->dst ? graft__map_get(leaders, e->dst) : NULL;
        if (e->dst && (!l || (l->place < 0 && e->place >= 0)) &&
            !graft__map_set(leaders, e->dst, e))
            return GRAFT_ERR_MEMORY;
    }
    return GRAFT_OK;
}

static graft_status judge_ties(graft__load_plan *plan)
{
    graft__map leaders;
    graft__map_init(&leaders, plan->ctx);
    graft_status st = find_leaders(plan, &leaders);
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++) {
        graft__load_entry *e = &plan->entry[i];
        const graft__load_entry *l = e->dst ? graft__map_get(&leaders, e->dst) : NULL;
        e->is_leader = l == e;
        if (l && l != e)
            st = judge_tied(plan, i, (size_t)(l - plan->entry));
    }
    graft__map_free(&leaders);
    return st;
}

/* ---- All together ---- */

graft_status graft__load_plan_make(graft__load_plan *plan)
{
    const graft__visitor visitor = {.all_names = true, .user = plan, .slot = plan_slot};
    graft_status st = graft__visit(plan->module, &visitor);
    if (st == GRAFT_OK)
        st = judge_ties(plan);
    if (st == GRAFT_OK)
        st = find_unexpected(plan);
    return st;
}

void graft__load_plan_free(graft__load_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        graft__free(plan->ctx, plan->entry[i].name, strlen(plan->entry[i].name) + 1);
    graft__free(plan->ctx, plan->entry, plan->capacity * sizeof *plan->entry);
}

size_t graft__load_plan_count(const graft__load_plan *plan, graft_load_action action)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->count; i++)
        n += plan->entry[i].action == action;
    return n;
}

bool graft__load_is_problem(const graft__load_plan *plan, graft_load_action action)
{
    switch (action) {
    case GRAFT_LOAD_COPIED:
    case GRAFT_LOAD_CAST:
        return false;
    case GRAFT_LOAD_MISSING:
    case GRAFT_LOAD_UNEXPECTED:
        return plan->options.strict;
    case GRAFT_LOAD_SHAPE:
    case GRAFT_LOAD_DTYPE:
    case GRAFT_LOAD_TIE:
    case GRAFT_LOAD_KIND:
        break;
    }
    return true;
}

static graft_status status_of(graft_load_action problem)
{
    switch (problem) {
    case GRAFT_LOAD_MISSING:
    case GRAFT_LOAD_UNEXPECTED:
        return GRAFT_ERR_NAME;
    case GRAFT_LOAD_SHAPE:
        return GRAFT_ERR_SHAPE;
    case GRAFT_LOAD_DTYPE:
        return GRAFT_ERR_DTYPE;
    default:
        return GRAFT_ERR_ARGUMENT;
    }
}

graft_status graft__load_plan_status(const graft__load_plan *plan)
{
    for (int a = GRAFT_LOAD_COPIED; a <= GRAFT_LOAD_KIND; a++) {
        graft_load_action action = (graft_load_action)a;
        if (graft__load_is_problem(plan, action) && graft__load_plan_count(plan, action) > 0)
            return status_of(action);
    }
    return GRAFT_OK;
}
