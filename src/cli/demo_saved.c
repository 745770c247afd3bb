/* The demo's claims about files: what was saved comes back, also into a training that goes on. */
#include <stdio.h>

#include "cli/demo_compare.h"
#include "cli/demo_story.h"

enum { STEPS = 20, BATCHES_SEED = 4321 };

static const char *path_of(demo_story *s, const char *file, char path[DEMO_PATH])
{
    return demo_folder_path(s->folder, file, path) ? path : NULL;
}

/* One file of A's state dict, loaded into a model of other values. */
static void one_file(demo_story *s, const char *file)
{
    char path[DEMO_PATH], text[64];
    demo_diff d = {0};
    graft_module *fresh = demo_mlp(s->g, s->data->features, s->hidden, s->data->classes);
    const double start = demo_seconds();
    graft_status saved = graft_save(s->g, path_of(s, file, path), graft_state_dict(s->a));
    const double half = demo_seconds();
    graft_dict *dict = saved == GRAFT_OK ? graft_load(s->g, path, NULL) : NULL;
    graft_status loaded = graft_load_state_dict(fresh, dict, NULL, NULL);
    const double end = demo_seconds();
    demo_compare(graft_state_dict(s->a), graft_state_dict(fresh), &d);

    snprintf(text, sizeof text, "%s, loaded into a fresh model", file);
    demo_claim(s, loaded == GRAFT_OK && d.tensors > 0 && d.equal == d.tensors, text,
               "%lld of %lld tensors equal, bit for bit; saved in %.2f ms, loaded in %.2f ms",
               d.equal, d.tensors, 1e3 * (half - start), 1e3 * (end - half));
    const double a = demo_accuracy(s->a, s->data), b = demo_accuracy(fresh, s->data);
    demo_claim(s, a == b, "... which names as many test images right",
               "test accuracy %.1f%%, A's %.1f%%", 100 * b, 100 * a);
    graft_dict_free(dict);
    graft_module_free(fresh);
}

static graft_status save_checkpoint(demo_story *s, const char *path)
{
    graft_dict *c = graft_dict_new(s->g);
    graft_status status = graft_dict_set_dict(c, "model", graft_state_dict(s->a));
    if (status == GRAFT_OK)
        status = graft_dict_set_dict(c, "optimizer", graft_optimizer_state_dict(s->adam_a));
    if (status == GRAFT_OK)
        status = graft_dict_set_int(c, "epoch", s->epochs);
    if (status == GRAFT_OK)
        status = graft_save(s->g, path, c);
    graft_dict_free(c);
    return status;
}

/* A training that was saved: one copy of A goes on in memory, one from the file. */
static void checkpoint(demo_story *s)
{
    char path[DEMO_PATH];
    demo_diff d = {0};
    graft_copy_map *map = NULL;
    graft_module *b = graft_clone(s->a, NULL, &map);
    graft_module *r = demo_mlp(s->g, s->data->features, s->hidden, s->data->classes);
    graft_optimizer *followed = graft_follow(s->adam_a, map), *resumed = demo_adam(s, r);
    const double start = demo_seconds();
    graft_status status = save_checkpoint(s, path_of(s, demo_file_checkpoint, path));
    const double half = demo_seconds();
    graft_dict *c = status == GRAFT_OK ? graft_load(s->g, path, NULL) : NULL;
    status = graft_load_state_dict(r, graft_dict_dict(c, "model"), NULL, NULL);
    if (status == GRAFT_OK)
        status = graft_optimizer_load_state_dict(resumed, graft_dict_dict(c, "optimizer"));
    const double end = demo_seconds();
    const int64_t epoch = graft_dict_int_at(c, graft_dict_find(c, "epoch"));
    demo_claim(s, status == GRAFT_OK && epoch == s->epochs, "checkpoint.pt: model, Adam and epoch",
               "epoch %lld; saved in %.2f ms, loaded in %.2f ms", (long long)epoch,
               1e3 * (half - start), 1e3 * (end - half));

    const bool ran = demo_steps(b, followed, s->data, s->batch, STEPS, BATCHES_SEED) &&
                     demo_steps(r, resumed, s->data, s->batch, STEPS, BATCHES_SEED);
    demo_compare(graft_state_dict(b), graft_state_dict(r), &d);
    demo_claim(s, ran && d.tensors > 0 && d.equal == d.tensors,
               "... resumed from it, training goes the same way",
               "%d steps: %lld of %lld values differ", STEPS, d.differing, d.values);
    graft_dict_free(c);
    graft_optimizer_free(followed);
    graft_optimizer_free(resumed);
    graft_module_free(b);
    graft_module_free(r);
    graft_copy_map_free(map);
}

void demo_saved(demo_story *s)
{
    demo_folder folder;
    if (!demo_folder_open(s->out, &folder)) {
        demo_claim(s, false, "files", "no folder to save in");
        return;
    }
    s->folder = &folder;
    one_file(s, demo_file_pt);
    one_file(s, demo_file_safetensors);
    checkpoint(s);
    s->folder = NULL;
    demo_folder_close(&folder);
}
