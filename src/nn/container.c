/* Modules that are made of their children: Sequential, and Identity, which has none. */
#include <stdio.h>

#include "base/error.h"
#include "graft/layers.h"

static graft_tensor *identity_forward(graft_module *self, graft_tensor *x)
{
    (void)self;
    return x;
}

static const graft_module_class identity_class = {
    .name = "Identity", .size = sizeof(graft_module), .forward = identity_forward};

graft_module *graft_identity(graft_ctx *g)
{
    return graft_module_new(g, &identity_class);
}

static graft_tensor *sequential_forward(graft_module *self, graft_tensor *x)
{
    const int64_t n = graft_module_len(self);
    for (int64_t i = 0; i < n; i++)
        x = graft_forward(graft_module_child(self, i), x);
    return x;
}

static const graft_module_class sequential_class = {
    .name = "Sequential", .size = sizeof(graft_module), .forward = sequential_forward};

graft_module *graft_sequential(graft_ctx *g)
{
    return graft_module_new(g, &sequential_class);
}

graft_status graft_sequential_add(graft_module *sequential, graft_module *child)
{
    if (!sequential)
        return GRAFT_ERR_ARGUMENT;
    if (sequential->type != &sequential_class)
        return graft__fail(sequential->ctx, GRAFT_ERR_ARGUMENT,
                           "sequential_add: expected a Sequential, not a %s",
                           sequential->type->name);
    char name[32];
    snprintf(name, sizeof name, "%lld", (long long)graft_module_len(sequential));
    return graft_child(sequential, name, NULL, child);
}
