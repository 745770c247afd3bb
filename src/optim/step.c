/* One step: all is checked and all memory made ready, then all is updated, and nothing can fail any
 * more. What copies share with the parameters and the state is separated by the update itself: it
 * reads the old buffer and writes the new one. */
#include "base/ctx.h"
#include "base/error.h"
#include "kernel/copy.h"
#include "optim/optimizer.h"

/* ---- Ready ---- */

/* Gives t memory of its own; *old is where its elements are if that memory is new and empty. */
static bool own_memory(graft_tensor *t, graft__buffer **old)
{
    *old = NULL;
    return graft__covers_storage(t) ? graft__storage_renew(t->storage, old)
                                    : graft__storage_separate(t->storage, true);
}

static void disown_memory(graft_ctx *g, graft_tensor *t, graft__buffer *old)
{
    if (old) {
        graft__buffer_unref(g, t->storage->buffer);
        t->storage->buffer = old;
    }
    t->storage->version--;
}

static bool elements_overlap(const graft_tensor *t)
{
    for (int i = 0; i < t->ndim; i++) {
        if (t->stride[i] == 0 && t->size[i] > 1)
            return true;
    }
    return false;
}

/* The kernels want contiguous elements: others are updated in a copy. */
static graft_status prepare_strided(const graft_optimizer *opt, graft__optim_param *p)
{
    if (elements_overlap(p->tensor))
        return graft__fail(opt->object.ctx, GRAFT_ERR_STATE,
                           "step: several elements of parameter '%s' are one in memory", p->name);
    p->packed = graft__tensor_like(p->tensor, p->tensor->dtype);
    return p->packed ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

static graft_status prepare_state(graft__optim_param *p, int k)
{
    graft_tensor **state = &p->state[k];
    if (*state)
        return own_memory(*state, &p->old[1 + k]) ? GRAFT_OK : GRAFT_ERR_MEMORY;
    *state = graft__tensor_like(p->tensor, p->tensor->dtype);
    if (!*state)
        return GRAFT_ERR_MEMORY;
    p->fresh |= 2U << k;
    const graft__array zeros = graft__fresh(*state);
    graft__fill(p->tensor->object.ctx->pool, &zeros, 0);
    return GRAFT_OK;
}

static graft_status prepare(const graft_optimizer *opt, graft__optim_param *p, unsigned states)
{
    if (!p->tensor->contiguous && prepare_strided(opt, p))
        return graft_error_status(opt->object.ctx);
    if (!own_memory(p->tensor, &p->old[0]))
        return GRAFT_ERR_MEMORY;
    p->ready = 1;
    for (int k = 0; k < GRAFT__OPTIM_STATES; k++) {
        if (!(states >> k & 1))
            continue;
        if (prepare_state(p, k))
            return GRAFT_ERR_MEMORY;
        p->ready |= 2U << k;
    }
    return GRAFT_OK;
}

static void end_param(graft_ctx *g, graft__optim_param *p)
{
    if (!p->ready && !p->packed)
        return;
    for (int i = 0; i <= GRAFT__OPTIM_STATES; i++) {
        if (p->old[i]) {
            graft__buffer_unref(g, p->old[i]);
            p->old[i] = NULL;
        }
    }
    if (p->packed) {
        graft__tensor_unref(p->packed);
        p->packed = NULL;
    }
    p->ready = p->fresh = 0;
}

/* As if nothing had been prepared. */
static void undo(graft_ctx *g, graft__optim_param *p)
{
    for (int k = 0; k < GRAFT__OPTIM_STATES; k++) {
        const unsigned bit = 2U << k;
        if (p->fresh & bit) {
            graft__tensor_unref(p->state[k]);
            p->state[k] = NULL;
        } else if (p->ready & bit) {
            disown_memory(g, p->state[k], p->old[1 + k]);
            p->old[1 + k] = NULL;
        }
    }
    if (graft__optim_is_ready(p)) {
        disown_memory(g, p->tensor, p->old[0]);
        p->old[0] = NULL;
    }
    end_param(g, p);
}

static void for_each(graft_optimizer *opt, void (*call)(graft_ctx *, graft__optim_param *))
{
    for (size_t i = 0; i < opt->groups; i++) {
        for (size_t k = 0; k < opt->group[i]->count; k++)
            call(opt->object.ctx, &opt->group[i]->param[k]);
    }
}

static graft_status prepare_all(graft_optimizer *opt)
{
    for (size_t i = 0; i < opt->groups; i++) {
        graft__optim_group *group = opt->group[i];
        const unsigned states = opt->kind->states(&group->options);
        for (size_t k = 0; k < group->count; k++) {
            graft__optim_param *p = &group->param[k];
            const graft_status status = p->tensor->grad_is_set ? prepare(opt, p, states) : GRAFT_OK;
            if (status)
                return status;
        }
    }
    return GRAFT_OK;
}

graft_status graft_step(graft_optimizer *opt)
{
    if (!opt)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = opt->object.ctx;
    for (size_t i = 0; i < opt->groups; i++) {
        const graft_status status = opt->kind->check(g, &opt->group[i]->options);
        if (status)
            return status;
    }
    const graft_status status = prepare_all(opt);
    if (status) {
        for_each(opt, undo);
        return status;
    }
    for (size_t i = 0; i < opt->groups; i++)
        opt->kind->update(g, opt->group[i]);
    for_each(opt, end_param);
    return GRAFT_OK;
}

/* ---- Memory for the kernels ---- */

/* Where a contiguous tensor's elements are: what graft__read says, without the layout, which costs
 * more than the update of a small parameter. */
static void *elements(const graft_tensor *t)
{
    return (char *)t->storage->buffer->data + (size_t)t->offset * graft__width(t->dtype);
}

static void set_memory(graft__old_new *out, const graft_tensor *t, const graft__buffer *old)
{
    out->to = elements(t);
    out->from = old ? old->data : out->to;
}

bool graft__optim_begin(graft_ctx *g, graft__optim_param *p, int states, graft__update *out)
{
    if (!graft__optim_is_ready(p))
        return false;
    p->step++;
    const graft_tensor *t = p->tensor;
    if (p->packed) {
        const graft__array to = graft__fresh(p->packed), from = graft__read(t);
        graft__copy(g->pool, &to, &from);
        t = p->packed;
    }
    out->dtype = t->dtype;
    out->n = t->numel;
    out->grad = elements(p->tensor->grad);
    set_memory(&out->param, t, p->old[0]);
    for (int k = 0; k < states; k++) {
        if (p->ready >> (1 + k) & 1)
            set_memory(&out->state[k], p->state[k], p->old[1 + k]);
    }
    return true;
}

void graft__optim_written(graft_ctx *g, graft__optim_param *p)
{
    if (p->packed) {
        const graft__array to = graft__fresh(p->tensor), from = graft__read(p->packed);
        graft__copy(g->pool, &to, &from);
    }
}
