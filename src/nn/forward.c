/* Calling a module, and telling where it failed. */
#include <string.h>

#include "base/error.h"
#include "nn/module.h"

/* Modules do not know their names, their parents do. So a module that fails notes how long the
 * message is that it leaves behind: the parent through which the failure comes back finds the child
 * that wrote the end of the message as it stands. */
static void note_failure(graft_module *m)
{
    graft_ctx *g = m->ctx;
    const graft__module_state *s = m->state;
    const size_t length = strlen(graft_error(g));
    const graft__child *from = NULL;
    for (size_t i = 0; i < s->children && !from; i++) {
        if (s->child[i].module->state->failed_at == length)
            from = &s->child[i];
    }
    if (from)
        graft__error_append(g, " (as '%s' of %s)", from->name, m->type->name);
    else
        graft__error_append(g, " (in %s)", m->type->name);
    m->state->failed_at = strlen(graft_error(g));
}

graft_tensor *graft_forward(graft_module *m, graft_tensor *x)
{
    if (!m || !x)
        return NULL;
    graft_ctx *g = m->ctx;
    const bool clean = graft_error_status(g) == GRAFT_OK;
    graft_tensor *y = NULL;
    if (!m->type->forward)
        graft__fail(g, GRAFT_ERR_STATE, "forward: the class %s has none", m->type->name);
    else if (graft_tensor_ctx(x) != g)
        graft__fail(g, GRAFT_ERR_ARGUMENT, "forward: the input belongs to another context");
    else
        y = m->type->forward(m, x);
    if (!y && clean) {
        if (graft_error_status(g) == GRAFT_OK)
            graft__fail(g, GRAFT_ERR_STATE, "forward: the class's function returned NULL");
        note_failure(m);
    }
    return y;
}
