/* What clones promise beyond the table: memory, hooks, contexts, the copy map, failure. */
#include "copy_model.h"
#include "failing_allocator.h"
#include "test.h"

/* ---- Memory: copy-on-write ---- */

enum { WIDE = 1024 }; /* a Linear of WIDE x WIDE floats has 4 MiB */

static graft_module *wide_new(graft_ctx *g)
{
    graft_module *m = graft_sequential(g);
    graft_sequential_add(m, graft_linear(g, WIDE, WIDE, true));
    graft_sequential_add(m, graft_linear(g, WIDE, WIDE, true));
    return m;
}

static void clone_takes_no_memory_for_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = wide_new(g);
    size_t before = test_in_use(g);
    graft_module *b = graft_clone(a, NULL, NULL);
    assert_true(test_in_use(g) - before < 16384);
    graft_module_free(b);
    assert_int_equal(test_in_use(g), before);
    assert_no_error(g);
    graft_close(g);
}

static void training_a_clone_costs_what_it_writes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = wide_new(g);
    graft_module_requires_grad(graft_module_child(a, 0), false);
    graft_module *b = graft_clone(a, NULL, NULL);
    graft_tensor *x = graft_rand(g, graft_shape2(1, WIDE), GRAFT_F32);
    model_bytes before = model_bytes_of(a);
    graft_optimizer *opt = graft_sgd(graft_parameters(b), NULL);
    size_t in_use = test_in_use(g);
    net_step(b, opt, x);
    /* The second layer's weight and its gradient; the frozen first layer stays one memory. */
    size_t layer = sizeof(float) * WIDE * WIDE;
    assert_true(test_in_use(g) - in_use >= 2 * layer);
    assert_true(test_in_use(g) - in_use < 2 * layer + layer / 2);
    assert_true(graft_shares_memory(graft_get_parameter(a, "0.weight"),
                                    graft_get_parameter(b, "0.weight")));
    assert_false(graft_shares_memory(graft_get_parameter(a, "1.weight"),
                                     graft_get_parameter(b, "1.weight")));
    assert_untouched(a, before);
    assert_no_error(g);
    graft_close(g);
}

static void training_either_leaves_the_other_bit_for_bit(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = graft_clone(a, NULL, NULL);
    graft_tensor *x = graft_rand(g, graft_shape2(5, 4), GRAFT_F32);
    graft_optimizer *opt_a = graft_adam(graft_parameters(a), NULL);
    graft_optimizer *opt_b = graft_adam(graft_parameters(b), NULL);
    model_bytes before = model_bytes_of(b);
    for (int i = 0; i < 3; i++)
        net_step(a, opt_a, x);
    assert_untouched(b, before);
    before = model_bytes_of(a);
    for (int i = 0; i < 3; i++)
        net_step(b, opt_b, x);
    assert_untouched(a, before);
    assert_no_error(g);
    graft_close(g);
}

/* ---- Hooks ---- */

/* A module with memory of its own, which counts what happens to it. */
typedef struct holder {
    graft_module base;
    graft_module *left, *right;
    char *note;
    struct tally *tally;
} holder;

typedef struct tally {
    int clones, frees;
    int order[8]; /* ids of the copies whose hooks were called */
    int fail_at;  /* the hook call that fails, counted from 1 */
    int children_ready;
} tally;

static graft_status holder_clone(graft_module *copy, const graft_module *source)
{
    holder *c = (holder *)copy;
    const holder *s = (const holder *)source;
    tally *t = s->tally;
    t->order[t->clones++] = s->note[0];
    if (t->clones == t->fail_at)
        return GRAFT_ERR_IO;
    assert_ptr_equal(c->note, s->note); /* bytes were copied */
    if (c->left) {
        assert_ptr_not_equal(c->left, s->left); /* registered fields point at the copies, */
        t->children_ready += ((holder *)c->left)->note != ((holder *)s->left)->note; /* complete */
    }
    c->note = malloc(strlen(s->note) + 1);
    strcpy(c->note, s->note);
    return GRAFT_OK;
}

static void holder_free(graft_module *self)
{
    holder *h = (holder *)self;
    h->tally->frees++;
    free(h->note);
}

static const graft_module_class holder_class = {
    .name = "Holder",
    .size = sizeof(holder),
    .clone = holder_clone,
    .free = holder_free,
};

static holder *holder_new(graft_ctx *g, tally *t, const char *note, holder *left, holder *right)
{
    holder *h = graft_module_new(g, &holder_class);
    assert_non_null(h);
    h->tally = t;
    h->note = malloc(strlen(note) + 1);
    strcpy(h->note, note);
    if (left)
        graft_child(&h->base, "left", &h->left, &left->base);
    if (right)
        graft_child(&h->base, "right", &h->right, &right->base);
    graft_parameter(&h->base, "w", NULL, graft_rand(g, graft_shape1(3), GRAFT_F32));
    return h;
}

/* root -> (left: a -> c, right: b -> c): c is reached first through a. */
static holder *diamond_new(graft_ctx *g, tally *t)
{
    holder *c = holder_new(g, t, "c", NULL, NULL);
    holder *a = holder_new(g, t, "a", c, NULL);
    holder *b = holder_new(g, t, "b", c, NULL);
    return holder_new(g, t, "root", a, b);
}

static void hooks_are_called_children_first(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    tally t = {.clones = 0};
    holder *a = diamond_new(g, &t);
    holder *b = (holder *)graft_clone(&a->base, NULL, NULL);
    assert_non_null(b);
    assert_int_equal(t.clones, 4);
    assert_int_equal(t.order[0], 'c');
    assert_int_equal(t.order[3], 'r');
    assert_int_equal(t.children_ready, 3);
    assert_string_equal(b->note, "root");
    assert_ptr_not_equal(b->note, a->note);
    assert_ptr_equal(((holder *)b->left)->left, ((holder *)b->right)->left);
    graft_module_free(&a->base);
    assert_int_equal(t.frees, 4);
    assert_string_equal(((holder *)b->left)->note, "a");
    graft_module_free(&b->base);
    assert_int_equal(t.frees, 8);
    assert_no_error(g);
    graft_close(g);
}

static void a_failing_hook_fails_the_clone_and_frees_what_was_made(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (int at = 1; at <= 4; at++) {
        tally t = {.fail_at = at};
        holder *a = diamond_new(g, &t);
        model_bytes before = model_bytes_of(&a->base);
        size_t in_use = test_in_use(g);
        graft_copy_map *map;
        assert_null(graft_clone(&a->base, NULL, &map));
        assert_null(map);
        assert_int_equal(t.clones, at);
        assert_int_equal(t.frees, at - 1); /* of copies whose hook had succeeded */
        assert_error_has(g, GRAFT_ERR_IO, "clone: the clone hook of Holder at \"");
        assert_int_equal(test_in_use(g), in_use);
        assert_untouched(&a->base, before);
        graft_module_free(&a->base);
        assert_int_equal(t.frees, at - 1 + 4);
    }
    graft_close(g);
}

static graft_status explaining_clone(graft_module *copy, const graft_module *source)
{
    (void)source;
    /* An error of its own: this child does not fit into itself. */
    return graft_child(copy, "again", NULL, copy);
}

static void the_error_of_a_failing_hook_names_its_place(void **state)
{
    (void)state;
    static const graft_module_class explaining = {
        .name = "Explaining", .size = sizeof(graft_module), .clone = explaining_clone};
    graft_ctx *g = test_open();
    graft_module *a = graft_sequential(g);
    graft_sequential_add(a, graft_module_new(g, &explaining));
    assert_null(graft_clone(a, NULL, NULL));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "(in the clone hook of Explaining at \"0\")");
    graft_close(g);
}

static void a_class_that_frees_but_cannot_clone_is_refused(void **state)
{
    (void)state;
    static const graft_module_class frees = {
        .name = "Frees", .size = sizeof(holder), .free = holder_free};
    graft_ctx *g = test_open();
    tally t = {.clones = 0};
    holder *h = graft_module_new(g, &frees);
    h->tally = &t;
    graft_module *a = graft_sequential(g);
    graft_sequential_add(a, &h->base);
    assert_null(graft_clone(a, NULL, NULL));
    assert_error_has(g, GRAFT_ERR_STATE, "Frees at \"0\"");
    assert_int_equal(t.frees, 0);
    graft_close(g);
    assert_int_equal(t.frees, 1);
}

/* ---- Shape of the tree ---- */

static void a_tree_of_any_depth_is_cloned(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    enum { DEPTH = 3000 };
    graft_module *a = graft_linear(g, 1, 1, true);
    for (int i = 0; i < DEPTH; i++) {
        graft_module *outer = graft_sequential(g);
        graft_sequential_add(outer, a);
        a = outer;
    }
    const graft_module *b = graft_clone(a, NULL, NULL);
    for (int i = 0; i < DEPTH; i++)
        b = graft_module_child(b, 0);
    assert_int_equal(graft_parameter_count(b, false), 2);
    assert_no_error(g);
    graft_close(g);
}

static void modules_shared_at_every_level_are_cloned_once(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    enum { LEVELS = 40 }; /* 2^40 paths */
    graft_module *a = graft_linear(g, 1, 1, true);
    for (int i = 0; i < LEVELS; i++) {
        graft_module *outer = graft_sequential(g);
        graft_sequential_add(outer, a);
        graft_sequential_add(outer, a);
        a = outer;
    }
    graft_module *b = graft_clone(a, NULL, NULL);
    for (int i = 0; i < LEVELS; i++) {
        assert_ptr_equal(graft_module_child(b, 0), graft_module_child(b, 1));
        b = graft_module_child(b, 0);
    }
    assert_no_error(g);
    graft_close(g);
}

/* ---- The copy map ---- */

static void the_map_says_what_became_of_what(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g);
    graft_copy_map *map;
    graft_module *b = graft_clone(a, NULL, &map);
    assert_ptr_equal(graft_copy_map_ctx(map), g);
    assert_int_equal(graft_copy_map_len(map), 3);
    const char *path[] = {"a.weight", "a.bias", "in.weight"};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(graft_copy_map_path(map, i), path[i]);
        assert_ptr_equal(graft_copy_map_source(map, i), graft_get_parameter(a, path[i]));
        assert_ptr_equal(graft_copy_map_copy(map, i), graft_get_parameter(b, path[i]));
        assert_ptr_equal(graft_copy_map_tensor(map, graft_copy_map_source(map, i)),
                         graft_copy_map_copy(map, i));
    }
    assert_null(graft_copy_map_path(map, 3));
    assert_null(graft_copy_map_source(map, -1));
    assert_null(graft_copy_map_copy(map, 3));
    assert_ptr_equal(graft_copy_map_module(map, a), b);
    assert_ptr_equal(graft_copy_map_module(map, graft_get_module(a, "out")),
                     graft_get_module(b, "out"));
    assert_null(graft_copy_map_module(map, b));
    assert_null(graft_copy_map_tensor(map, graft_copy_map_copy(map, 0)));
    assert_null(graft_copy_map_tensor(NULL, graft_copy_map_source(map, 0)));
    assert_no_error(g);
    graft_close(g);
}

static void the_map_has_buffers_too(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_copy_map *map;
    graft_module *b = graft_clone(a, NULL, &map);
    assert_int_equal(graft_copy_map_len(map), 8);
    assert_ptr_equal(graft_copy_map_tensor(map, ((net *)a)->mask), ((net *)b)->mask);
    graft_copy_map_free(map);
    assert_no_error(g);
    graft_close(g);
}

static void the_map_drops_by_any_name(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g);
    graft_copy_map *map;
    graft_clone(a, NULL, &map);
    graft_tensor *weight = graft_get_parameter(a, "a.weight");
    graft_tensor *in = graft_get_parameter(a, "in.weight");
    assert_int_equal(graft_copy_map_drop(map, "b.weight"), GRAFT_OK); /* the same as a.weight */
    assert_null(graft_copy_map_tensor(map, weight));
    assert_int_equal(graft_copy_map_len(map), 2);
    assert_string_equal(graft_copy_map_path(map, 0), "a.bias");
    assert_int_equal(graft_copy_map_drop(map, "a.weight"), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME, "\"a.weight\"");
    assert_int_equal(graft_copy_map_drop(map, "out.weight"), GRAFT_OK);
    assert_null(graft_copy_map_tensor(map, in));
    assert_int_equal(graft_copy_map_drop(map, "a.bias"), GRAFT_OK);
    assert_int_equal(graft_copy_map_len(map), 0);
    assert_int_equal(graft_copy_map_drop(NULL, "a.bias"), GRAFT_ERR_ARGUMENT);
    assert_no_error(g);
    graft_close(g);
}

static void the_map_outlives_both_models(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    model_bytes bytes = model_bytes_of(a);
    free(bytes.data);
    graft_copy_map *map;
    graft_module *b = graft_clone(a, NULL, &map);
    graft_module_free(a);
    graft_module_free(b);
    for (int64_t i = 0; i < graft_copy_map_len(map); i++)
        assert_true(graft_equal(graft_copy_map_source(map, i), graft_copy_map_copy(map, i)));
    graft_copy_map_free(map);
    assert_no_error(g);
    graft_close(g);
}

/* ---- Another context ---- */

static void a_clone_into_another_context_stands_alone(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    graft_module *a = net_new(g);
    net_step(a, NULL, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    model_bytes bytes = model_bytes_of(a);
    graft_clone_options o = graft_clone_defaults();
    o.into = h;
    graft_copy_map *map;
    graft_module *b = graft_clone(a, &o, &map);
    assert_ptr_equal(b->ctx, h);
    assert_ptr_equal(graft_get_module(b, "fc1")->ctx, h);
    assert_ptr_equal(graft_tensor_ctx(graft_get_parameter(b, "fc1.weight")), h);
    assert_ptr_equal(graft_tensor_ctx(graft_grad(graft_get_parameter(b, "fc1.weight"))), h);
    assert_ptr_equal(graft_copy_map_ctx(map), h);
    assert_true(graft_shares_memory(graft_get_parameter(a, "fc1.weight"),
                                    graft_get_parameter(b, "fc1.weight")));
    assert_ptr_equal(graft_copy_map_tensor(map, graft_get_parameter(a, "scale")),
                     graft_get_parameter(b, "scale"));
    graft_close(g); /* the memory that both shared stays with who is left */
    assert_untouched(b, bytes);
    net_step(b, graft_sgd(graft_parameters(b), NULL), graft_rand(h, graft_shape2(5, 4), GRAFT_F32));
    assert_no_error(h);
    graft_close(h);
}

static void each_context_counts_the_memory_that_it_took(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    size_t nothing = test_in_use(h);
    graft_clone_options o = graft_clone_defaults();
    o.into = h;
    graft_module *a = wide_new(g), *b = graft_clone(a, &o, NULL);
    assert_true(test_in_use(h) - nothing < 16384);
    graft_module_free(a); /* now b alone holds what g had allocated, */
    graft_module_free(b); /* and h gives it back without having counted it */
    assert_int_equal(test_in_use(h), nothing);
    graft_memory memory;
    graft_memory_stats(h, &memory);
    assert_true(memory.peak < 65536);
    assert_no_error(g);
    assert_no_error(h);
    graft_close(g);
    graft_close(h);
}

static void an_error_of_a_clone_into_another_context_is_in_both(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    tally t = {.fail_at = 1};
    holder *a = holder_new(g, &t, "a", NULL, NULL);
    graft_clone_options o = graft_clone_defaults();
    o.into = h;
    assert_null(graft_clone(&a->base, &o, NULL));
    assert_error_has(g, GRAFT_ERR_IO, "clone hook of Holder");
    assert_error_has(h, GRAFT_ERR_IO, "clone hook of Holder");
    graft_close(h);
    graft_close(g);
}

/* ---- No memory ---- */

static void clone_without_memory(void *user, failing_allocator *f)
{
    graft_module *(*make)(graft_ctx * g) = *(graft_module * (**)(graft_ctx *)) user;
    graft_ctx *g = test_open(); /* the source's memory is not at stake */
    graft_module *a = make(g);
    net_step(a, NULL, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    graft_clear_error(g); /* of models that have no forward */
    model_bytes before = model_bytes_of(a);
    graft_clone_options o = graft_clone_defaults();
    o.into = failing_allocator_open(f);
    if (o.into) {
        graft_copy_map *map;
        graft_module *b = graft_clone(a, &o, &map);
        assert_int_equal(b != NULL, map != NULL);
        assert_int_equal(b == NULL, f->failed);
        if (b)
            assert_no_error(o.into);
        else
            assert_error_has(o.into, GRAFT_ERR_MEMORY, "out of memory");
        graft_close(o.into);
    }
    assert_untouched(a, before);
    graft_close(g);
}

static void clone_that_runs_out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    graft_module *(*make[])(graft_ctx *) = {net_new, tied_new, views_new};
    for (int i = 0; i < 3; i++)
        failing_allocator_sweep(clone_without_memory, &make[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clone_takes_no_memory_for_elements),
        cmocka_unit_test(training_a_clone_costs_what_it_writes),
        cmocka_unit_test(training_either_leaves_the_other_bit_for_bit),
        cmocka_unit_test(hooks_are_called_children_first),
        cmocka_unit_test(a_failing_hook_fails_the_clone_and_frees_what_was_made),
        cmocka_unit_test(the_error_of_a_failing_hook_names_its_place),
        cmocka_unit_test(a_class_that_frees_but_cannot_clone_is_refused),
        cmocka_unit_test(a_tree_of_any_depth_is_cloned),
        cmocka_unit_test(modules_shared_at_every_level_are_cloned_once),
        cmocka_unit_test(the_map_says_what_became_of_what),
        cmocka_unit_test(the_map_has_buffers_too),
        cmocka_unit_test(the_map_drops_by_any_name),
        cmocka_unit_test(the_map_outlives_both_models),
        cmocka_unit_test(a_clone_into_another_context_stands_alone),
        cmocka_unit_test(each_context_counts_the_memory_that_it_took),
        cmocka_unit_test(an_error_of_a_clone_into_another_context_is_in_both),
        cmocka_unit_test(clone_that_runs_out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
