/* Trees made at random, with ties, shared modules, views, frozen and absent parameters, gradients:
 * a clone is built exactly as its source is and shares nothing with it, and a load brings a state
 * back whole. */
#include "base/map.h"
#include "copy_model.h"
#include "nn/module.h"
#include "test.h"

enum { MODULES = 10, SLOTS = 3, CHILDREN = 3, TENSORS = MODULES * SLOTS };

typedef struct node {
    graft_module base;
    graft_module *child[CHILDREN];
    graft_tensor *slot[SLOTS];
    int number;
} node;

static const graft_module_class node_class = {.name = "Node", .size = sizeof(node)};

static uint32_t seed;

static int below(int n)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)(seed >> 8) % n;
}

static bool one_in(int n)
{
    return below(n) == 0;
}

/* A leaf of its own, or one that shares a storage with the others that come from `base`. */
static graft_tensor *new_tensor(graft_ctx *g, graft_tensor *base)
{
    switch (below(4)) {
    case 0:
        return graft_narrow(base, 0, below(3), 2);
    case 1:
        return graft_transpose(base, 0, 1);
    default:
        return graft_rand(g, graft_shape2(1 + below(3), below(4)), GRAFT_F32);
    }
}

static void add_slots(node *m, graft_tensor **made, int *count, graft_tensor *base)
{
    graft_ctx *g = m->base.ctx;
    for (int i = 0; i < SLOTS; i++) {
        const char *const name[] = {"p", "q", "r"};
        graft_tensor **field = one_in(3) ? NULL : &m->slot[i];
        graft_tensor *t = NULL;
        if (*count > 0 && one_in(3))
            t = made[below(*count)];
        else if (!one_in(8))
            t = made[(*count)++] = new_tensor(g, base);
        if (one_in(3))
            graft_buffer(&m->base, name[i], field, t, one_in(2));
        else
            graft_parameter(&m->base, name[i], field, t);
        if (t && one_in(4))
            graft_set_grad(t, graft_rand(g, graft_tensor_shape(t), GRAFT_F32));
        if (t && one_in(4))
            graft_set_requires_grad(t, one_in(2));
    }
}

/* Children come from the modules made before, so that there are no cycles. */
static graft_module *tree_new(graft_ctx *g, uint32_t from)
{
    seed = from;
    graft_tensor *made[TENSORS];
    graft_module *module[MODULES];
    int tensors = 0, modules = 1 + below(MODULES);
    graft_scope_begin(g);
    graft_tensor *base = graft_rand(g, graft_shape2(4, 3), GRAFT_F32);
    for (int i = 0; i < modules; i++) {
        node *m = graft_module_new(g, &node_class);
        m->number = below(1000);
        add_slots(m, made, &tensors, base);
        for (int k = 0; k < CHILDREN && i > 0; k++) {
            const char *const name[] = {"a", "b", "c"};
            graft_module **field = one_in(3) ? NULL : &m->child[k];
            if (!one_in(3))
                graft_child(&m->base, name[k], field, module[i - 1 - below(i < 3 ? i : 3)]);
        }
        if (one_in(4))
            graft_eval(&m->base);
        module[i] = &m->base;
    }
    graft_scope_end(g);
    assert_no_error(g);
    return module[modules - 1];
}

/* ---- Comparing two trees ---- */

/* What of one tree stands for what of the other: both ways, so that it is one to one. */
typedef struct pairs {
    graft__map there, back;
} pairs;

static void assert_pair(pairs *p, const void *a, const void *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (!a)
        return;
    assert_ptr_not_equal(a, b);
    if (!graft__map_get(&p->there, a) && !graft__map_get(&p->back, b)) {
        assert_true(graft__map_set(&p->there, a, (void *)b));
        assert_true(graft__map_set(&p->back, b, (void *)a));
    }
    assert_ptr_equal(graft__map_get(&p->there, a), b);
    assert_ptr_equal(graft__map_get(&p->back, b), a);
}

static void assert_same_tensor(pairs *p, const graft_tensor *a, const graft_tensor *b)
{
    assert_pair(p, a, b);
    if (!a)
        return;
    assert_pair(p, a->storage, b->storage);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->ndim, b->ndim);
    assert_memory_equal(a->stride, b->stride, (size_t)a->ndim * sizeof *a->stride);
    assert_int_equal(a->requires_grad, b->requires_grad);
    assert_pair(p, graft_grad(a), graft_grad(b));
}

/* Once per module: shared ones would be walked again and again. */
static void assert_same_tree(pairs *p, const graft_module *a, const graft_module *b)
{
    bool known = graft__map_get(&p->there, a) != NULL;
    assert_pair(p, a, b);
    if (known)
        return;
    const graft__module_state *s = a->state, *t = b->state;
    const node *m = (const node *)a, *n = (const node *)b;
    assert_int_equal(m->number, n->number);
    assert_int_equal(s->training, t->training);
    assert_int_equal(s->slots, t->slots);
    assert_int_equal(s->children, t->children);
    for (int i = 0; i < SLOTS; i++)
        assert_pair(p, m->slot[i], n->slot[i]);
    for (size_t i = 0; i < s->slots; i++) {
        assert_string_equal(s->slot[i].name, t->slot[i].name);
        assert_int_equal(s->slot[i].is_buffer, t->slot[i].is_buffer);
        assert_int_equal(s->slot[i].persistent, t->slot[i].persistent);
        assert_int_equal(s->slot[i].field, t->slot[i].field);
        assert_same_tensor(p, s->slot[i].tensor, t->slot[i].tensor);
    }
    for (int i = 0; i < CHILDREN; i++)
        assert_pair(p, m->child[i], n->child[i]);
    for (size_t i = 0; i < s->children; i++) {
        assert_string_equal(s->child[i].name, t->child[i].name);
        assert_same_tree(p, s->child[i].module, t->child[i].module);
    }
}

static void assert_built_alike(const graft_module *a, const graft_module *b)
{
    pairs p;
    graft__map_init(&p.there, a->ctx);
    graft__map_init(&p.back, a->ctx);
    assert_same_tree(&p, a, b);
    graft__map_free(&p.there);
    graft__map_free(&p.back);
}

static void scribble(graft_module *m)
{
    graft_dict *d = graft_state_dict(m);
    for (int64_t i = 0; i < graft_dict_len(d); i++) {
        graft_tensor *t = graft_dict_tensor_at(d, i);
        graft_copy_(t, graft_rand(m->ctx, graft_tensor_shape(t), GRAFT_F32));
    }
    assert_no_error(m->ctx);
}

static uint32_t trees(void)
{
    return test_quick() ? 60 : 300;
}

static void clones_are_built_as_their_sources(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= trees(); i++) {
        graft_ctx *g = test_open(), *h = test_open();
        graft_clone_options o = graft_clone_defaults();
        o.into = i % 3 == 0 ? h : g;
        graft_module *a = tree_new(g, i);
        model_bytes bytes = model_bytes_of(a);
        graft_copy_map *map;
        graft_module *b = graft_clone(a, &o, &map);
        assert_no_error(g);
        assert_built_alike(a, b);
        assert_untouched(b, bytes);
        for (int64_t k = 0; k < graft_copy_map_len(map); k++)
            assert_ptr_equal(graft_get_parameter(b, graft_copy_map_path(map, k)),
                             graft_copy_map_copy(map, k));
        bytes = model_bytes_of(a);
        scribble(b);
        assert_untouched(a, bytes);
        bytes = model_bytes_of(b);
        scribble(a);
        graft_module_free(a);
        assert_untouched(b, bytes);
        graft_close(g);
        graft_close(h);
    }
}

static void loads_bring_a_state_back(void **state)
{
    (void)state;
    int with_state = 0;
    for (uint32_t i = 1; i <= trees(); i++) {
        graft_ctx *g = test_open();
        graft_module *a = tree_new(g, i), *b = tree_new(g, i);
        model_bytes bytes = model_bytes_of(a);
        graft_dict *best = graft_dict_clone(graft_state_dict(a), NULL);
        scribble(a);
        with_state += graft_dict_len(best) > 0;
        assert_int_equal(graft_load_state_dict(a, best, NULL, NULL), GRAFT_OK);
        assert_untouched(a, bytes);
        assert_int_equal(graft_load_state_dict(b, best, NULL, NULL), GRAFT_OK);
        graft_dict *d = graft_state_dict(b);
        for (int64_t k = 0; k < graft_dict_len(d); k++)
            assert_true(graft_equal(graft_dict_tensor_at(d, k), graft_dict_tensor_at(best, k)));
        assert_no_error(g);
        graft_close(g);
    }
    assert_true(with_state > (int)trees() / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clones_are_built_as_their_sources),
        cmocka_unit_test(loads_bring_a_state_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
