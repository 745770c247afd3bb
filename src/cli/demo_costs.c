/* What each way of copying costs. */
#include <stdio.h>

#include "cli/demo_story.h"

typedef struct cost {
    double start;
    size_t memory;
    graft_ctx *g;
} cost;

static size_t in_use(graft_ctx *g)
{
    graft_memory m = {0};
    graft_memory_stats(g, &m);
    return m.in_use;
}

static cost begin(graft_ctx *g)
{
    cost c = {.memory = in_use(g), .g = g};
    c.start = demo_seconds();
    return c;
}

static void end(const cost *c, const char *way)
{
    double us = 1e6 * (demo_seconds() - c->start);
    double kib = ((double)in_use(c->g) - (double)c->memory) / 1024;
    printf("  %-50s %9.1f us  %+9.1f KiB\n", way, us, kib);
}

bool demo_costs(demo_story *s)
{
    graft_ctx *g = s->g;
    graft_copy_map *map = NULL;
    graft_scope_begin(g);
    cost c = begin(g);
    graft_module *same = s->a;
    end(&c, "assignment");
    c = begin(g);
    graft_module *b = graft_clone(same, NULL, &map);
    end(&c, "clone");
    c = begin(g);
    graft_optimizer *followed = graft_follow(s->adam_a, map);
    end(&c, "its Adam follows");
    c = begin(g);
    demo_steps(b, followed, s->data, s->batch, 1, 0);
    end(&c, "... their first training step (separates)");
    c = begin(g);
    demo_steps(b, followed, s->data, s->batch, 1, 0);
    end(&c, "... their second, for comparison");
    c = begin(g);
    graft_dict *view = graft_state_dict(s->a);
    end(&c, "state dict (a view)");
    c = begin(g);
    graft_dict *snapshot = graft_dict_clone(view, NULL);
    end(&c, "its clone (a snapshot)");
    graft_module *fresh = demo_mlp(g, s->data->features, s->hidden, s->data->classes);
    c = begin(g);
    graft_load_state_dict(fresh, view, NULL, NULL);
    end(&c, "load into a fresh model");
    graft_module_free(fresh);
    graft_dict_free(snapshot);
    graft_optimizer_free(followed);
    graft_module_free(b);
    graft_copy_map_free(map);
    graft_scope_end(g);
    return graft_error(g) == NULL;
}
