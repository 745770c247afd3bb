/* Trains a small network and copies it in every way: the story of the README as a program. Prints
 * what it finds and exits with 0 only if every copy came out as promised. */
#include <graft/graft.h>

typedef struct {
    graft_module base; /* first member: a model is a module */
    graft_module *fc1, *fc2;
} my_model;

static graft_tensor *my_forward(graft_module *self, graft_tensor *x)
{
    my_model *m = (my_model *)self;
    return graft_forward(m->fc2, graft_relu(graft_forward(m->fc1, x)));
}

static const graft_module_class my_class = {
    .name = "MyModel",
    .size = sizeof(my_model),
    .forward = my_forward,
};

static graft_module *my_model_new(graft_ctx *g)
{
    my_model *m = graft_module_new(g, &my_class);
    if (!m)
        return NULL; /* the context keeps the reason */
    graft_child(&m->base, "fc1", &m->fc1, graft_linear(g, 64, 32, true));
    graft_child(&m->base, "fc2", &m->fc2, graft_linear(g, 32, 10, true));
    return &m->base;
}

/* One step of training; everything temporary is gone when it returns. */
static double train_step(graft_module *model, graft_optimizer *adam, graft_tensor *x,
                         graft_tensor *y)
{
    graft_ctx *g = graft_tensor_ctx(x);
    graft_scope_begin(g);
    graft_zero_grad(adam);
    graft_tensor *loss = graft_cross_entropy(graft_forward(model, x), y);
    graft_backward(loss);
    graft_step(adam);
    double value = graft_item(loss);
    graft_scope_end(g);
    return value;
}

/* Whether two models have the same parameters, bit for bit. */
static bool same_parameters(graft_module *a, graft_module *b)
{
    graft_dict *p = graft_parameters(a), *q = graft_parameters(b);
    for (int64_t i = 0; i < graft_dict_len(p); i++)
        if (!graft_equal(graft_dict_tensor_at(p, i), graft_dict_tensor_at(q, i)))
            return false;
    return graft_dict_len(p) > 0 && graft_dict_len(p) == graft_dict_len(q);
}

static int failures;

static void check(const char *claim, bool holds)
{
    printf("%-58s %s\n", claim, holds ? "yes" : "NO");
    failures += !holds;
}

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    graft_manual_seed(g, 0); /* the numbers torch.manual_seed(0) gives */

    graft_module *model_a = my_model_new(g);
    graft_adam_options o = graft_adam_defaults();
    o.lr = 0.01;
    graft_optimizer *adam_a = graft_adam(graft_parameters(model_a), &o);

    graft_tensor *x = graft_randn(g, graft_shape2(128, 64), GRAFT_F32);
    graft_tensor *y = graft_randint(g, 0, 10, graft_shape1(128), GRAFT_I64);
    double first = train_step(model_a, adam_a, x, y), last = first;
    for (int i = 0; i < 50; i++)
        last = train_step(model_a, adam_a, x, y);
    printf("loss %.4f, after 50 more steps %.4f\n", first, last);
    check("training lowers the loss", last < first);

    graft_module *same = model_a; /* assignment: one model, two names */
    check("assignment: one object", same == model_a);

    graft_copy_map *map; /* deep copy: its own memory; the map says */
    graft_module *model_b = graft_clone(model_a, NULL, &map); /* what became of what */
    graft_optimizer *adam_b = graft_follow(adam_a, map);      /* Adam's moments come too */
    check("clone: every parameter equal", same_parameters(model_a, model_b));

    graft_module *model_c = my_model_new(g); /* state_dict and load_state_dict */
    graft_load_report *report;
    graft_status st = graft_load_state_dict(model_c, graft_state_dict(model_a), NULL, &report);
    check("load_state_dict: every parameter equal",
          st == GRAFT_OK && same_parameters(model_a, model_c));

    st = graft_save(g, "a.pt", graft_state_dict(model_a)); /* torch.load reads it */
    check("save: a.pt is written", st == GRAFT_OK);
    graft_module *model_d = my_model_new(g); /* ... and so does graft */
    graft_dict *saved = graft_load(g, "a.pt", NULL);
    st = graft_load_state_dict(model_d, saved, NULL, NULL);
    check("... and read back: every parameter equal",
          st == GRAFT_OK && same_parameters(model_a, model_d));
    graft_dict_free(saved);

    graft_dict *best = graft_dict_clone(graft_state_dict(model_a), NULL); /* a snapshot */

    for (int i = 0; i < 20; i++)
        train_step(model_b, adam_b, x, y);
    check("training the clone leaves the original as it was", same_parameters(model_a, model_c));
    check("... and the clone has moved", !same_parameters(model_a, model_b));

    for (int i = 0; i < 20; i++)
        train_step(model_a, adam_a, x, y);
    check("with its followed Adam the clone goes the same way", same_parameters(model_a, model_b));

    st = graft_load_state_dict(model_a, best, NULL, NULL);
    check("the snapshot brings the old weights back",
          st == GRAFT_OK && same_parameters(model_a, model_c));

    if (graft_error(g))
        printf("error: %s\n", graft_error(g));
    failures += graft_error(g) != NULL;
    graft_close(g);
    return failures ? 1 : 0;
}
