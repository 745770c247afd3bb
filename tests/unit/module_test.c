/* Modules: registration, ownership, names, modes, text, forward. */
#include "test.h"

#include <stdio.h>

#include "nn/module.h"

/* ---- A user's model: plain fields beside registered ones ---- */

typedef struct net {
    graft_module base;
    int answer;
    graft_module *fc1, *fc2;
    double rate;
    graft_tensor *scale, *count;
} net;

static graft_tensor *net_forward(graft_module *self, graft_tensor *x)
{
    net *m = (net *)self;
    return graft_forward(m->fc2, graft_relu(graft_forward(m->fc1, x)));
}

static const graft_module_class net_class = {
    .name = "Net", .size = sizeof(net), .forward = net_forward};

static net *net_new(graft_ctx *g)
{
    net *m = graft_module_new(g, &net_class);
    assert_non_null(m);
    m->answer = 42;
    m->rate = 0.5;
    graft_child(&m->base, "fc1", &m->fc1, graft_linear(g, 4, 3, true));
    graft_child(&m->base, "fc2", &m->fc2, graft_linear(g, 3, 2, false));
    graft_buffer(&m->base, "count", &m->count, graft_zeros(g, graft_shape0(), GRAFT_I64), true);
    graft_parameter(&m->base, "scale", &m->scale, graft_ones(g, graft_shape1(2), GRAFT_F32));
    assert_no_error(g);
    return m;
}

/* A module of a class that counts how often it was freed, without anything in it. */
typedef struct counted {
    graft_module base;
    int *freed;
} counted;

static void counted_free(graft_module *self)
{
    ++*((counted *)self)->freed;
}

static const graft_module_class counted_class = {
    .name = "Counted", .size = sizeof(counted), .free = counted_free};

static graft_module *counted_new(graft_ctx *g, int *freed)
{
    counted *m = graft_module_new(g, &counted_class);
    assert_non_null(m);
    m->freed = freed;
    return &m->base;
}

static void assert_keys(const graft_dict *d, const char *const *keys, int64_t n)
{
    assert_non_null(d);
    assert_int_equal(graft_dict_len(d), n);
    for (int64_t i = 0; i < n; i++)
        assert_string_equal(graft_dict_key(d, i), keys[i]);
}

/* ---- Making ---- */

static void test_new(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    assert_ptr_equal(m->base.ctx, g);
    assert_ptr_equal(m->base.type, &net_class);
    assert_int_equal(m->answer, 42);
    assert_ptr_equal(m->fc1, graft_module_child(&m->base, 0));
    assert_ptr_equal(m->scale, graft_get_parameter(&m->base, "scale"));
    assert_true(graft_is_training(&m->base));
    graft_module_free(&m->base);
    graft_close(g);
}

static void test_new_refuses(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const graft_module_class nameless = {.size = sizeof(graft_module)};
    const graft_module_class small = {.name = "Small", .size = sizeof(graft_module) - 1};
    assert_null(graft_module_new(NULL, &net_class));
    assert_null(graft_module_new(g, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "module_new: the class is NULL");
    assert_null(graft_module_new(g, &nameless));
    assert_error(g, GRAFT_ERR_ARGUMENT, "module_new: the class has no name");
    assert_null(graft_module_new(g, &small));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "module_new: the size of class Small is 23: expected");
    graft_close(g);
}

/* ---- Ownership ---- */

static void test_free_takes_the_children(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    int freed = 0;
    graft_module *parent = counted_new(g, &freed), *child = counted_new(g, &freed);
    assert_int_equal(graft_child(parent, "child", NULL, child), GRAFT_OK);
    graft_module_free(child); /* has a parent: only the caller's claim goes */
    assert_int_equal(freed, 0);
    assert_ptr_equal(graft_module_child(parent, 0), child);
    graft_module_free(parent);
    assert_int_equal(freed, 2);
    graft_module_free(NULL);
    graft_close(g);
}

static void test_close_frees_the_rest(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    int freed = 0;
    graft_module *parent = counted_new(g, &freed);
    graft_child(parent, "a", NULL, counted_new(g, &freed));
    counted_new(g, &freed);
    graft_close(g);
    assert_int_equal(freed, 3);
}

static void test_a_shared_child_goes_with_its_last_parent(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    int freed = 0;
    graft_module *a = counted_new(g, &freed), *b = counted_new(g, &freed);
    graft_module *shared = counted_new(g, &freed);
    assert_int_equal(graft_child(a, "one", NULL, shared), GRAFT_OK);
    assert_int_equal(graft_child(a, "two", NULL, shared), GRAFT_OK);
    assert_int_equal(graft_child(b, "three", NULL, shared), GRAFT_OK);
    graft_module_free(a);
    assert_int_equal(freed, 1);
    assert_ptr_equal(graft_module_child(b, 0), shared);
    graft_module_free(b);
    assert_int_equal(freed, 3);
    graft_close(g);
}

static void test_a_deep_tree(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    enum { DEPTH = 20000 };
    int freed = 0;
    graft_module *root = counted_new(g, &freed), *last = root;
    for (int i = 1; i < DEPTH; i++) {
        graft_module *next = counted_new(g, &freed);
        assert_int_equal(graft_child(last, "n", NULL, next), GRAFT_OK);
        last = next;
    }
    assert_int_equal(graft_eval(root), GRAFT_OK);
    assert_false(graft_is_training(last));
    graft_module_free(root);
    assert_int_equal(freed, DEPTH);
    graft_close(g);
}

static void test_parameters_outlive_scopes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_scope_begin(g);
    net *m = net_new(g);
    graft_scope_end(g);
    assert_elements(m->scale, (double[]){1, 1}, 2);
    assert_true(graft_requires_grad(m->scale));
    assert_false(graft_requires_grad(m->count));
    assert_int_equal(graft_tensor_free(m->scale), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE,
                     "tensor_free: a parameter or buffer belongs to its module");
    graft_close(g);
}

/* ---- Registering ---- */

static void test_names_are_checked(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_module *child = graft_identity(g);
    graft_tensor *t = graft_zeros(g, graft_shape0(), GRAFT_F32);
    assert_int_equal(graft_child(&m->base, NULL, NULL, child), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "child of Net: the name is NULL");
    assert_int_equal(graft_child(&m->base, "", NULL, child), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "child of Net: the name is empty");
    assert_int_equal(graft_parameter(&m->base, "a.b", NULL, t), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "parameter 'a.b' of Net: a name must not hold a dot, which separates names");
    assert_int_equal(graft_child(&m->base, "fc1", NULL, child), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "child 'fc1' of Net: the name is that of a child already");
    assert_int_equal(graft_buffer(&m->base, "scale", NULL, t, true), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "buffer 'scale' of Net: the name is that of a parameter already");
    assert_int_equal(graft_parameter(&m->base, "count", NULL, t), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "parameter 'count' of Net: the name is that of a buffer already");
    assert_int_equal(graft_module_len(&m->base), 2);
    assert_false(graft_requires_grad(t));
    assert_int_equal(graft_tensor_free(t), GRAFT_OK); /* it is the caller's still */
    graft_close(g);
}

static void test_fields_are_checked(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_module *elsewhere = NULL, *child = graft_identity(g);
    assert_int_equal(graft_child(&m->base, "x", &elsewhere, child), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT,
                     "child 'x' of Net: the field does not lie in the module's struct");
    assert_null(elsewhere);
    assert_int_equal(graft_child(&m->base, "x", (graft_module **)&m->base.ctx, child),
                     GRAFT_ERR_ARGUMENT);
    assert_ptr_equal(m->base.ctx, g);
    graft_clear_error(g);
    assert_int_equal(graft_child(&m->base, "x", (graft_module **)(m + 1), child),
                     GRAFT_ERR_ARGUMENT);
    graft_clear_error(g);
    assert_int_equal(graft_child(&m->base, "x", &m->fc1, child), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "child 'x' of Net: the field is that of 'fc1'");
    assert_int_equal(graft_child(&m->base, "again", &m->fc1, m->fc1), GRAFT_OK);
    assert_int_equal(graft_child(&m->base, "x", NULL, child), GRAFT_OK);
    assert_ptr_equal(graft_module_child(&m->base, 3), child);
    assert_string_equal(graft_module_child_name(&m->base, 3), "x");
    assert_null(graft_module_child(&m->base, 4));
    assert_null(graft_module_child_name(&m->base, -1));
    graft_close(g);
}

static void test_cycles_are_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = graft_sequential(g), *b = graft_sequential(g), *c = graft_sequential(g);
    assert_int_equal(graft_child(a, "self", NULL, a), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "child 'self' of Sequential: the child is, or holds, the module itself");
    assert_int_equal(graft_sequential_add(a, b), GRAFT_OK);
    assert_int_equal(graft_sequential_add(b, c), GRAFT_OK);
    assert_int_equal(graft_sequential_add(c, a), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "child '0' of Sequential: the child is, or holds, the module itself");
    assert_int_equal(graft_module_len(c), 0);
    assert_int_equal(graft_sequential_add(a, c), GRAFT_OK); /* shared, but no cycle */
    graft_close(g);
}

static void test_contexts_do_not_mix(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *other = test_open();
    graft_module *m = graft_sequential(g);
    assert_int_equal(graft_child(m, "x", NULL, graft_identity(other)), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "child 'x' of Sequential: the child belongs to another context");
    graft_tensor *t = graft_zeros(other, graft_shape0(), GRAFT_F32);
    assert_int_equal(graft_parameter(m, "x", NULL, t), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "parameter 'x' of Sequential: the tensor belongs to another context");
    assert_null(graft_forward(m, t));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "forward: the input belongs to another context (in Sequential)");
    graft_close(g);
    graft_close(other);
}

static void test_parameters_are_leaves_of_floats(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_tensor *made = graft_mul_scalar(m->scale, 2);
    assert_int_equal(graft_parameter(&m->base, "x", NULL, made), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "parameter 'x' of Net: expected a leaf");
    graft_tensor *whole = graft_zeros(g, graft_shape0(), GRAFT_I32);
    assert_int_equal(graft_parameter(&m->base, "x", NULL, whole), GRAFT_ERR_DTYPE);
    assert_error(g, GRAFT_ERR_DTYPE, "parameter 'x' of Net: expected a floating dtype, not int32");
    graft_backward(graft_sum(made));
    assert_int_equal(graft_buffer(&m->base, "x", NULL, graft_grad(m->scale), true),
                     GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "buffer 'x' of Net: the tensor is the gradient of another");
    assert_int_equal(graft_buffer(&m->base, "x", NULL, whole, true), GRAFT_OK);
    graft_close(g);
}

static void test_null_children_and_absent_parameters(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_sequential(g);
    assert_int_equal(graft_child(m, "x", NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "child 'x' of Sequential is NULL");
    /* A maker that failed: its error is what comes back. */
    assert_int_equal(graft_child(m, "x", NULL, graft_dropout_layer(g, 2)), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dropout: p is 2: expected a probability, 0 to 1");
    graft_shape bad = graft_shape1(-1);
    assert_int_equal(graft_parameter(m, "x", NULL, graft_zeros(g, bad, GRAFT_F32)),
                     GRAFT_ERR_SHAPE);
    graft_clear_error(g);
    assert_int_equal(graft_parameter(m, "x", NULL, NULL), GRAFT_OK);
    assert_int_equal(graft_dict_len(graft_parameters(m)), 0);
    assert_int_equal(graft_dict_len(graft_state_dict(m)), 0);
    assert_null(graft_get_parameter(m, "x"));
    assert_error(g, GRAFT_ERR_NAME, "get_parameter: 'x' of Sequential is absent");
    graft_close(g);
}

static void test_null_modules(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_zeros(g, graft_shape0(), GRAFT_F32);
    assert_int_equal(graft_child(NULL, "x", NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_parameter(NULL, "x", NULL, t), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_buffer(NULL, "x", NULL, t, true), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_set_parameter(NULL, "x", t), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_train(NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_eval(NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_module_requires_grad(NULL, false), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_module_zero_grad(NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_module_print(NULL, stdout), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_sequential_add(NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_named_modules(NULL, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_null(graft_forward(NULL, t));
    assert_null(graft_forward(graft_identity(g), NULL));
    assert_null(graft_parameters(NULL));
    assert_null(graft_buffers(NULL));
    assert_null(graft_state_dict(NULL));
    assert_null(graft_get_module(NULL, ""));
    assert_null(graft_get_parameter(NULL, "x"));
    assert_null(graft_module_text(NULL));
    assert_int_equal(graft_module_len(NULL), 0);
    assert_int_equal(graft_parameter_count(NULL, false), -1);
    assert_false(graft_is_training(NULL));
    assert_no_error(g);
    graft_close(g);
}

/* ---- Names ---- */

static void test_dicts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_buffer(m->fc1, "mask", NULL, graft_ones(g, graft_shape1(3), GRAFT_BOOL), false);
    graft_scope_begin(g);
    const char *parameters[] = {"scale", "fc1.weight", "fc1.bias", "fc2.weight"};
    assert_keys(graft_parameters(&m->base), parameters, 4);
    const char *buffers[] = {"count", "fc1.mask"};
    assert_keys(graft_buffers(&m->base), buffers, 2);
    const char *all[] = {"scale", "count", "fc1.weight", "fc1.bias", "fc2.weight"};
    graft_dict *d = graft_state_dict(&m->base);
    assert_keys(d, all, 5);
    graft_tensor *scale = graft_dict_tensor(d, "scale");
    assert_ptr_not_equal(scale, m->scale);
    assert_true(graft_shares_storage(scale, m->scale));
    assert_false(graft_requires_grad(scale));
    graft_fill_(scale, 3); /* writes the model */
    assert_elements(m->scale, (double[]){3, 3}, 2);
    graft_scope_end(g);
    assert_int_equal(graft_parameter_count(&m->base, false), 2 + 12 + 3 + 6);
    assert_int_equal(graft_parameter_count(&m->base, true), 2 + 12 + 3 + 6);
    graft_close(g);
}

static void test_tied_parameters(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_sequential(g);
    graft_sequential_add(m, graft_linear(g, 3, 3, false));
    graft_sequential_add(m, graft_linear(g, 3, 3, false));
    graft_tensor *weight = graft_get_parameter(m, "0.weight");
    graft_tensor *gone = graft_get_parameter(m, "1.weight");
    graft_keep(gone);
    assert_int_equal(graft_set_parameter(m, "1.weight", weight), GRAFT_OK);
    assert_ptr_equal(graft_get_parameter(m, "1.weight"), weight);
    assert_int_equal(weight->registrations, 2);
    assert_keys(graft_parameters(m), (const char *[]){"0.weight"}, 1);
    graft_dict *d = graft_state_dict(m);
    assert_keys(d, (const char *[]){"0.weight", "1.weight"}, 2);
    assert_true(
        graft_shares_storage(graft_dict_tensor(d, "0.weight"), graft_dict_tensor(d, "1.weight")));
    assert_int_equal(graft_parameter_count(m, false), 9);
    /* once more is no change */
    assert_int_equal(graft_set_parameter(m, "1.weight", weight), GRAFT_OK);
    assert_int_equal(weight->registrations, 2);
    graft_close(g);
}

static void test_set_parameter(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_tensor *scale = graft_zeros(g, graft_shape1(2), GRAFT_F32);
    assert_int_equal(graft_module_requires_grad(&m->base, false), GRAFT_OK);
    assert_int_equal(graft_set_parameter(&m->base, "scale", scale), GRAFT_OK);
    assert_ptr_equal(m->scale, scale);
    assert_false(graft_requires_grad(scale)); /* as the frozen one it replaces */
    graft_tensor *count = graft_ones(g, graft_shape0(), GRAFT_I64);
    assert_int_equal(graft_set_parameter(&m->base, "count", count), GRAFT_OK);
    assert_ptr_equal(m->count, count);

    graft_tensor *wide = graft_zeros(g, graft_shape1(3), GRAFT_F32);
    assert_int_equal(graft_set_parameter(&m->base, "fc1.weight", wide), GRAFT_ERR_SHAPE);
    assert_error(g, GRAFT_ERR_SHAPE,
                 "parameter 'weight' of Linear: its shape is [3, 4], but the tensor's is [3]");
    graft_tensor *doubles = graft_zeros(g, graft_shape1(2), GRAFT_F64);
    assert_int_equal(graft_set_parameter(&m->base, "scale", doubles), GRAFT_ERR_DTYPE);
    assert_error(g, GRAFT_ERR_DTYPE,
                 "parameter 'scale' of Net: its dtype is float32, but the tensor's is float64");
    assert_int_equal(graft_set_parameter(&m->base, "fc2.bias", wide), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "set_parameter: 'fc2.bias' of Linear is absent");
    assert_int_equal(graft_set_parameter(&m->base, "scale", NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "set_parameter: the tensor for 'scale' is NULL");
    assert_ptr_equal(m->scale, scale);
    graft_close(g);
}

static void test_shared_modules(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_sequential(g), *shared = graft_linear(g, 2, 2, false);
    graft_sequential_add(m, shared);
    graft_sequential_add(m, graft_relu_layer(g));
    graft_sequential_add(m, shared);
    assert_keys(graft_parameters(m), (const char *[]){"0.weight"}, 1);
    const graft_dict *d = graft_state_dict(m), *metadata = graft_dict_dict(d, "_metadata");
    assert_keys(d, (const char *[]){"0.weight", "2.weight"}, 2);
    assert_string_equal(graft_dict_class(d), "collections.OrderedDict");
    assert_string_equal(graft_dict_class(metadata), "collections.OrderedDict");
    assert_keys(metadata, (const char *[]){"", "0", "1", "2"}, 4);
    for (int64_t i = 0; i < 4; i++)
        assert_int_equal(graft_dict_int_at(graft_dict_dict_at(metadata, i), 0), 1);
    assert_int_equal(graft_parameter_count(m, false), 4);
    char *text = graft_module_text(m);
    assert_string_equal(text, "Sequential(\n"
                              "  (0): Linear(in_features=2, out_features=2, bias=False)\n"
                              "  (1): ReLU()\n"
                              "  (2): Linear(in_features=2, out_features=2, bias=False)\n"
                              ")");
    graft_text_free(g, text);
    graft_close(g);
}

typedef struct paths {
    int count;
    const char *expected[8];
} paths;

static graft_status check_path(void *user, const char *path, graft_module *module)
{
    paths *p = user;
    assert_non_null(module);
    assert_string_equal(path, p->expected[p->count]);
    p->count++;
    return GRAFT_OK;
}

static graft_status stop(void *user, const char *path, graft_module *module)
{
    (void)module;
    ++*(int *)user;
    return *path ? GRAFT_ERR_IO : GRAFT_OK;
}

static void test_named_modules(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_child(&m->base, "tied", NULL, m->fc1);
    graft_module *seq = graft_sequential(g);
    graft_sequential_add(seq, graft_relu_layer(g));
    graft_child(&m->base, "seq", NULL, seq);
    paths p = {.expected = {"", "fc1", "fc2", "seq", "seq.0"}};
    assert_int_equal(graft_named_modules(&m->base, check_path, &p), GRAFT_OK);
    assert_int_equal(p.count, 5);
    int visits = 0;
    assert_int_equal(graft_named_modules(&m->base, stop, &visits), GRAFT_ERR_IO);
    assert_int_equal(visits, 2);
    assert_no_error(g);
    assert_int_equal(graft_named_modules(&m->base, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "named_modules: visit is NULL");
    graft_close(g);
}

static void test_paths(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_module *root = graft_sequential(g);
    graft_sequential_add(root, &m->base);
    assert_ptr_equal(graft_get_module(root, ""), root);
    assert_ptr_equal(graft_get_module(root, "0"), &m->base);
    assert_ptr_equal(graft_get_module(root, "0.fc2"), m->fc2);
    assert_ptr_equal(graft_get_parameter(root, "0.scale"), m->scale);
    assert_ptr_equal(graft_get_parameter(root, "0.count"), m->count);
    assert_null(graft_get_module(root, "0.fc3"));
    assert_error(g, GRAFT_ERR_NAME,
                 "get_module: there is no '0.fc3': Net has no 'fc3': expected 'fc1' or 'fc2'");
    assert_null(graft_get_module(root, "0.fc"));
    graft_clear_error(g);
    assert_null(graft_get_module(root, "0.fc1.weight"));
    assert_error(
        g, GRAFT_ERR_NAME,
        "get_module: there is no '0.fc1.weight': Linear has no 'weight' (and no children)");
    assert_null(graft_get_parameter(root, "0.fc1.wait"));
    assert_error(g, GRAFT_ERR_NAME,
                 "get_parameter: there is no '0.fc1.wait': Linear has no 'wait': expected 'weight' "
                 "or 'bias'");
    assert_null(graft_get_parameter(root, "1.weight"));
    assert_error(g, GRAFT_ERR_NAME,
                 "get_parameter: there is no '1.weight': Sequential has no '1': expected '0'");
    assert_null(graft_get_parameter(root, "0.fc1"));
    assert_error(g, GRAFT_ERR_NAME,
                 "get_parameter: '0.fc1' is a module, not a parameter or a buffer");
    assert_null(graft_get_parameter(root, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "get_parameter: the path is NULL");
    assert_null(graft_get_module(root, "0..fc1"));
    graft_clear_error(g);
    graft_close(g);
}

/* ---- Modes ---- */

static void test_modes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    assert_int_equal(graft_eval(&m->base), GRAFT_OK);
    assert_false(graft_is_training(&m->base));
    assert_false(graft_is_training(m->fc2));
    assert_int_equal(graft_train(m->fc2), GRAFT_OK);
    assert_false(graft_is_training(&m->base));
    assert_true(graft_is_training(m->fc2));

    assert_int_equal(graft_module_requires_grad(m->fc1, false), GRAFT_OK);
    assert_false(graft_requires_grad(graft_get_parameter(&m->base, "fc1.weight")));
    assert_true(graft_requires_grad(m->scale));
    assert_int_equal(graft_parameter_count(&m->base, false), 23);
    assert_int_equal(graft_parameter_count(&m->base, true), 8);
    assert_int_equal(graft_module_requires_grad(&m->base, true), GRAFT_OK);
    assert_false(graft_requires_grad(m->count));
    graft_close(g);
}

static void test_requires_grad_changes_all_or_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    assert_int_equal(graft_module_requires_grad(m->fc2, false), GRAFT_OK);
    graft_tensor *frozen = graft_get_parameter(m->fc2, "weight");
    graft_add_(frozen, graft_sum(m->scale)); /* gives it a history */
    assert_no_error(g);
    assert_false(graft_is_leaf(frozen));
    assert_int_equal(graft_module_requires_grad(&m->base, false), GRAFT_ERR_STATE);
    assert_error(g, GRAFT_ERR_STATE,
                 "module_requires_grad: 'fc2.weight' has a history: expected a leaf");
    assert_true(graft_requires_grad(m->scale));
    graft_close(g);
}

static void test_zero_grad(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_backward(graft_sum(m->scale));
    assert_non_null(graft_grad(m->scale));
    assert_int_equal(graft_module_zero_grad(&m->base), GRAFT_OK);
    assert_null(graft_grad(m->scale));
    graft_close(g);
}

/* ---- Text ---- */

static void two_lines(const graft_module *self, char *out, size_t size)
{
    (void)self;
    snprintf(out, size, "one=1\ntwo=2");
}

static const graft_module_class lines_class = {
    .name = "Lines", .size = sizeof(graft_module), .extra_repr = two_lines};

static void test_text(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_module_new(g, &lines_class), *inner = graft_sequential(g);
    graft_child(m, "leaf", NULL, graft_module_new(g, &lines_class));
    graft_child(m, "inner", NULL, inner);
    graft_sequential_add(inner, graft_sequential(g));
    graft_sequential_add(inner, graft_dropout_layer(g, 0.1));
    graft_child(m, "last", NULL, graft_flatten_layer(g, 1, -1));
    char *text = graft_module_text(m);
    assert_string_equal(text, "Lines(\n"
                              "  one=1\n"
                              "  two=2\n"
                              "  (leaf): Lines(\n"
                              "    one=1\n"
                              "    two=2\n"
                              "  )\n"
                              "  (inner): Sequential(\n"
                              "    (0): Sequential()\n"
                              "    (1): Dropout(p=0.1, inplace=False)\n"
                              "  )\n"
                              "  (last): Flatten(start_dim=1, end_dim=-1)\n"
                              ")");
    char read[512];
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(graft_module_print(m, file), GRAFT_OK);
    rewind(file);
    const size_t length = fread(read, 1, sizeof read, file);
    fclose(file);
    assert_int_equal(length, strlen(text) + 1);
    assert_memory_equal(read, text, length - 1);
    assert_int_equal(read[length - 1], '\n');
    graft_text_free(g, text);
    assert_int_equal(graft_module_print(m, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "module_print: the stream is NULL");
    graft_close(g);
}

/* ---- Forward ---- */

static void test_forward(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_tensor *y = graft_forward(&m->base, graft_ones(g, graft_shape2(5, 4), GRAFT_F32));
    assert_no_error(g);
    assert_int_equal(graft_size(y, 0), 5);
    assert_int_equal(graft_size(y, 1), 2);
    graft_close(g);
}

static void test_forward_says_where_it_failed(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    net *m = net_new(g);
    graft_module *root = graft_sequential(g);
    graft_sequential_add(root, graft_identity(g));
    graft_sequential_add(root, &m->base);
    graft_tensor *x = graft_ones(g, graft_shape2(5, 3), GRAFT_F32);
    assert_null(graft_forward(root, x));
    assert_error_has(g, graft_error_status(g),
                     " (in Linear) (as 'fc1' of Net) (as '1' of Sequential)");
    /* fc1 has failed alone since; what fails now is another module. */
    assert_null(graft_forward(m->fc1, x));
    graft_clear_error(g);
    assert_null(graft_forward(m->fc2, graft_ones(g, graft_shape1(7), GRAFT_F32)));
    assert_error_has(g, graft_error_status(g), " (in Linear)");
    /* An error that was there before is not this forward's. */
    graft_dropout_layer(g, 2);
    assert_null(graft_forward(root, x));
    assert_error(g, GRAFT_ERR_ARGUMENT, "dropout: p is 2: expected a probability, 0 to 1");
    graft_close(g);
}

static graft_tensor *says_nothing(graft_module *self, graft_tensor *x)
{
    (void)self, (void)x;
    return NULL;
}

static void test_forward_without_a_reason(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static const graft_module_class silent = {
        .name = "Silent", .size = sizeof(graft_module), .forward = says_nothing};
    static const graft_module_class none = {.name = "None", .size = sizeof(graft_module)};
    graft_tensor *x = graft_zeros(g, graft_shape0(), GRAFT_F32);
    assert_null(graft_forward(graft_module_new(g, &silent), x));
    assert_error(g, GRAFT_ERR_STATE, "forward: the class's function returned NULL (in Silent)");
    assert_null(graft_forward(graft_module_new(g, &none), x));
    assert_error(g, GRAFT_ERR_STATE, "forward: the class None has none (in None)");
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_new_refuses),
        cmocka_unit_test(test_free_takes_the_children),
        cmocka_unit_test(test_close_frees_the_rest),
        cmocka_unit_test(test_a_shared_child_goes_with_its_last_parent),
        cmocka_unit_test(test_a_deep_tree),
        cmocka_unit_test(test_parameters_outlive_scopes),
        cmocka_unit_test(test_names_are_checked),
        cmocka_unit_test(test_fields_are_checked),
        cmocka_unit_test(test_cycles_are_refused),
        cmocka_unit_test(test_contexts_do_not_mix),
        cmocka_unit_test(test_parameters_are_leaves_of_floats),
        cmocka_unit_test(test_null_children_and_absent_parameters),
        cmocka_unit_test(test_null_modules),
        cmocka_unit_test(test_dicts),
        cmocka_unit_test(test_tied_parameters),
        cmocka_unit_test(test_set_parameter),
        cmocka_unit_test(test_shared_modules),
        cmocka_unit_test(test_named_modules),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_requires_grad_changes_all_or_nothing),
        cmocka_unit_test(test_zero_grad),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_forward_says_where_it_failed),
        cmocka_unit_test(test_forward_without_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
