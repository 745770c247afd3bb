#include "cli/demo_story.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/demo_compare.h"

enum { STEPS = 20, BATCHES_SEED = 1234 };

void demo_claim(demo_story *s, bool holds, const char *claim, const char *format, ...)
{
    char measured[160];
    va_list args;
    va_start(args, format);
    vsnprintf(measured, sizeof measured, format, args);
    va_end(args);
    holds = holds && !graft_error(s->g);
    terminal_claim(s->terminal, claim, graft_error(s->g) ? graft_error(s->g) : measured, holds);
    s->failures += !holds;
}

graft_optimizer *demo_adam(demo_story *s, graft_module *model)
{
    graft_adam_options o = graft_adam_defaults();
    o.lr = s->lr;
    return graft_adam(graft_parameters(model), &o);
}

/* `same = a`: one object under two names. */
static void assignment(demo_story *s)
{
    graft_module *same = s->a;
    graft_tensor *one = graft_get_parameter(s->a, "fc1.bias");
    graft_tensor *other = graft_get_parameter(same, "fc1.bias");
    float *through_same = graft_data_mut(other);
    if (!through_same) {
        demo_claim(s, false, "assignment", " ");
        return;
    }
    float before = through_same[0];
    through_same[0] = before + 1;
    float seen = ((const float *)graft_data(one))[0];
    through_same[0] = before;
    demo_claim(s, same == s->a, "assignment: the same object", "one address, 0 bytes");
    demo_claim(s, seen == before + 1, "... a change through one name shows in the other",
               "wrote %.4f, read %.4f", (double)before + 1, (double)seen);
}

static void deep_clone(demo_story *s)
{
    demo_diff d = {0};
    graft_dict *before = graft_dict_clone(graft_state_dict(s->a), NULL);
    graft_module *b = graft_clone(s->a, NULL, NULL);
    demo_compare(graft_state_dict(s->a), graft_state_dict(b), &d);
    demo_claim(s, d.tensors > 0 && d.equal == d.tensors, "deep clone: every parameter equal",
               "%lld of %lld tensors equal, bit for bit", d.equal, d.tensors);

    graft_optimizer *adam_b = demo_adam(s, b);
    demo_steps(b, adam_b, s->data, s->batch, 1, BATCHES_SEED);
    demo_compare(graft_state_dict(s->a), graft_state_dict(b), &d);
    demo_claim(s, d.shared == 0, "... no memory shared after the first write",
               "%lld of %lld tensors share memory", d.shared, d.tensors);

    demo_steps(b, adam_b, s->data, s->batch, STEPS, BATCHES_SEED);
    demo_diff moved = {0};
    demo_compare(graft_state_dict(s->a), graft_state_dict(b), &moved);
    demo_compare(graft_state_dict(s->a), before, &d);
    demo_claim(s, d.equal == d.tensors && moved.equal < moved.tensors,
               "... training the copy leaves A untouched",
               "%d steps: the copy moved by up to %.2g, A by %lld of %lld values", STEPS + 1,
               moved.largest, d.differing, d.values);
    graft_optimizer_free(adam_b);
    graft_module_free(b);
    graft_dict_free(before);
}

static void state_dict(demo_story *s)
{
    demo_diff before = {0}, after = {0};
    graft_module *c = demo_mlp(s->g, s->data->features, s->hidden, s->data->classes);
    demo_compare(graft_state_dict(s->a), graft_state_dict(c), &before);
    graft_load_report *report = NULL;
    graft_status st = graft_load_state_dict(c, graft_state_dict(s->a), NULL, &report);
    demo_compare(graft_state_dict(s->a), graft_state_dict(c), &after);
    demo_claim(s, st == GRAFT_OK && before.differing > 0 && after.equal == after.tensors,
               "state dict, loaded into a fresh model",
               "%lld tensors copied; %lld values differed before, %lld after",
               (long long)graft_load_report_count(report, GRAFT_LOAD_COPIED), before.differing,
               after.differing);
    graft_load_report_free(report);
    graft_module_free(c);
}

/* A and two copies of it go on over the same batches: one with its followed Adam, one with a new
 * one. */
static void optimizers(demo_story *s)
{
    graft_copy_map *map = NULL;
    demo_diff d = {0};
    graft_module *b = graft_clone(s->a, NULL, &map), *f = graft_clone(s->a, NULL, NULL);
    graft_optimizer *followed = graft_follow(s->adam_a, map), *fresh = demo_adam(s, f);
    demo_steps(s->a, s->adam_a, s->data, s->batch, STEPS, BATCHES_SEED);
    demo_steps(b, followed, s->data, s->batch, STEPS, BATCHES_SEED);
    demo_steps(f, fresh, s->data, s->batch, STEPS, BATCHES_SEED);
    demo_compare(graft_state_dict(s->a), graft_state_dict(b), &d);
    demo_claim(s, d.equal == d.tensors, "Adam follows the copy: both train alike",
               "%d steps: %lld of %lld values differ", STEPS, d.differing, d.values);
    demo_compare(graft_state_dict(s->a), graft_state_dict(f), &d);
    demo_claim(s, d.differing > 0, "... with a fresh Adam the copy departs",
               "%d steps: %lld values differ, by up to %.2g", STEPS, d.differing, d.largest);
    graft_optimizer_free(followed);
    graft_optimizer_free(fresh);
    graft_module_free(b);
    graft_module_free(f);
    graft_copy_map_free(map);
}

int demo_tell(demo_story *s)
{
    void (*const chapters[])(demo_story *) = {assignment, deep_clone, state_dict, optimizers,
                                              demo_saved};
    for (size_t i = 0; i < sizeof chapters / sizeof *chapters; i++) {
        graft_scope_begin(s->g);
        chapters[i](s);
        graft_scope_end(s->g);
    }
    return s->failures;
}
