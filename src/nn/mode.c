/* What is set for a whole tree of modules: the mode, requires_grad, no gradients. */
#include "base/error.h"
#include "graft/autograd.h"
#include "nn/module.h"

static graft_status set_mode(void *user, const char *path, graft_module *m, bool first)
{
    (void)path, (void)first;
    m->state->training = *(const bool *)user;
    return GRAFT_OK;
}

static graft_status mode(graft_module *m, bool training)
{
    const graft__visitor v = {.user = &training, .module = set_mode};
    return m ? graft__visit(m, &v) : GRAFT_ERR_ARGUMENT;
}

graft_status graft_train(graft_module *m)
{
    return mode(m, true);
}

graft_status graft_eval(graft_module *m)
{
    return mode(m, false);
}

static bool is_parameter(const graft__slot *slot)
{
    return slot->tensor && !slot->is_buffer;
}

static graft_status check_leaf(void *user, const char *path, graft_module *owner, graft__slot *slot,
                               bool first)
{
    (void)user, (void)first;
    if (is_parameter(slot) && slot->tensor->history)
        return graft__fail(owner->ctx, GRAFT_ERR_STATE,
                           "module_requires_grad: '%s' has a history: expected a leaf", path);
    return GRAFT_OK;
}

static graft_status set_requires_grad(void *user, const char *path, graft_module *owner,
                                      graft__slot *slot, bool first)
{
    (void)path, (void)owner, (void)first;
    if (is_parameter(slot))
        slot->tensor->requires_grad = *(const bool *)user;
    return GRAFT_OK;
}

graft_status graft_module_requires_grad(graft_module *m, bool requires_grad)
{
    if (!m)
        return GRAFT_ERR_ARGUMENT;
    const graft__visitor check = {.slot = check_leaf};
    const graft__visitor set = {.user = &requires_grad, .slot = set_requires_grad};
    const graft_status status = graft__visit(m, &check);
    return status ? status : graft__visit(m, &set);
}

static graft_status drop_gradient(void *user, const char *path, graft_module *owner,
                                  graft__slot *slot, bool first)
{
    (void)user, (void)path, (void)owner, (void)first;
    return is_parameter(slot) ? graft_set_grad(slot->tensor, NULL) : GRAFT_OK;
}

graft_status graft_module_zero_grad(graft_module *m)
{
    const graft__visitor v = {.slot = drop_gradient};
    return m ? graft__visit(m, &v) : GRAFT_ERR_ARGUMENT;
}
