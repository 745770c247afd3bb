#include "copy_model.h"

#include "nn/module.h"
#include "test.h"

/* ---- A net with everything ---- */

static graft_tensor *net_forward(graft_module *self, graft_tensor *x)
{
    net *m = (net *)self;
    graft_tensor *h = graft_mul(graft_tanh(graft_forward(m->fc1, x)), m->scale);
    return graft_forward(m->fc2, graft_forward(m->drop, h));
}

static const graft_module_class net_class = {
    .name = "Net",
    .size = sizeof(net),
    .forward = net_forward,
};

graft_module *net_new(graft_ctx *g)
{
    net *m = graft_module_new(g, &net_class);
    if (!m)
        return NULL;
    const float mask[] = {1, 0, 1};
    graft_scope_begin(g);
    graft_child(&m->base, "fc1", &m->fc1, graft_linear(g, 4, 3, true));
    graft_child(&m->base, "drop", &m->drop, graft_dropout_layer(g, 0.25));
    graft_child(&m->base, "fc2", &m->fc2, graft_linear(g, 3, 2, true));
    graft_parameter(&m->base, "scale", &m->scale, graft_rand(g, graft_shape1(3), GRAFT_F32));
    graft_buffer(&m->base, "mean", &m->mean, graft_rand(g, graft_shape1(3), GRAFT_F32), true);
    graft_buffer(&m->base, "seen", &m->seen, graft_scalar(g, 7, GRAFT_I64), true);
    graft_buffer(&m->base, "mask", &m->mask, graft_from_data(g, mask, graft_shape1(3), GRAFT_F32),
                 false);
    graft_scope_end(g);
    m->steps = 12;
    m->rate = 0.75;
    strcpy(m->label, "source");
    return &m->base;
}

double net_step(graft_module *m, graft_optimizer *opt, graft_tensor *x)
{
    graft_ctx *g = m->ctx;
    graft_scope_begin(g);
    if (opt)
        graft_zero_grad(opt);
    graft_tensor *y = graft_forward(m, x);
    graft_tensor *loss = graft_sum(graft_mul(y, y));
    graft_backward(loss);
    if (opt)
        graft_step(opt);
    double value = graft_item(loss);
    graft_scope_end(g);
    return value;
}

/* ---- Ties ---- */

static graft_tensor *tied_forward(graft_module *self, graft_tensor *x)
{
    tied *m = (tied *)self;
    x = graft_forward(m->b, graft_relu(graft_forward(m->a, x)));
    return graft_forward(m->out, graft_relu(graft_forward(m->in, x)));
}

static const graft_module_class tied_class = {
    .name = "Tied",
    .size = sizeof(tied),
    .forward = tied_forward,
};

graft_module *tied_new(graft_ctx *g)
{
    tied *m = graft_module_new(g, &tied_class);
    if (!m)
        return NULL;
    graft_child(&m->base, "a", &m->a, graft_linear(g, 4, 4, true));
    graft_child(&m->base, "b", &m->b, m->a);
    graft_child(&m->base, "in", &m->in, graft_linear(g, 4, 4, false));
    graft_child(&m->base, "out", &m->out, graft_linear(g, 4, 4, false));
    graft_set_parameter(m->out, "weight", graft_get_parameter(m->in, "weight"));
    return &m->base;
}

/* ---- Views ---- */

static const graft_module_class views_class = {.name = "Views", .size = sizeof(views)};

graft_module *views_new(graft_ctx *g)
{
    views *m = graft_module_new(g, &views_class);
    if (!m)
        return NULL;
    graft_scope_begin(g);
    graft_tensor *nine = graft_rand(g, graft_shape1(9), GRAFT_F32);
    graft_tensor *six = graft_rand(g, graft_shape2(2, 3), GRAFT_F32);
    graft_parameter(&m->base, "top", &m->top,
                    graft_view(graft_narrow(nine, 0, 0, 6), graft_shape2(2, 3)));
    graft_parameter(&m->base, "bottom", &m->bottom, graft_narrow(nine, 0, 6, 3));
    graft_parameter(&m->base, "turned", &m->turned, graft_transpose(six, 0, 1));
    graft_scope_end(g);
    return &m->base;
}

/* ---- Bytes ---- */

static void add_bytes(model_bytes *b, const void *data, size_t n)
{
    b->data = realloc(b->data, b->size + n);
    assert_non_null(b->data);
    memcpy(b->data + b->size, data, n);
    b->size += n;
}

static void add_tensor(model_bytes *b, const graft_tensor *t)
{
    size_t n = (size_t)graft_numel(t) * graft_dtype_size(graft_tensor_dtype(t));
    char *elements = malloc(n + 1);
    assert_non_null(elements);
    assert_int_equal(graft_copy_out(t, elements, n, graft_tensor_dtype(t)), GRAFT_OK);
    add_bytes(b, elements, n);
    free(elements);
}

static graft_status add_module(void *user, const char *path, graft_module *m, bool first)
{
    const char flags[] = {graft_is_training(m), first};
    add_bytes(user, path, strlen(path));
    add_bytes(user, flags, sizeof flags);
    return GRAFT_OK;
}

static graft_status add_slot(void *user, const char *path, graft_module *owner, graft__slot *slot,
                             bool first)
{
    (void)owner;
    const graft_tensor *t = slot->tensor;
    const graft_tensor *grad = graft_grad(t);
    const char flags[] = {first, slot->is_buffer, slot->persistent, graft_requires_grad(t),
                          grad != NULL};
    add_bytes(user, path, strlen(path));
    add_bytes(user, flags, sizeof flags);
    if (t)
        add_tensor(user, t);
    if (grad)
        add_tensor(user, grad);
    return GRAFT_OK;
}

model_bytes model_bytes_of(const graft_module *m)
{
    model_bytes b = {.data = NULL};
    const graft__visitor visitor = {
        .all_names = true, .user = &b, .module = add_module, .slot = add_slot};
    assert_int_equal(graft__visit(m, &visitor), GRAFT_OK);
    return b;
}

void assert_same_bytes(model_bytes a, model_bytes b)
{
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
}

void assert_untouched(const graft_module *m, model_bytes before)
{
    model_bytes now = model_bytes_of(m);
    assert_same_bytes(now, before);
    free(now.data);
    free(before.data);
}

size_t test_in_use(const graft_ctx *g)
{
    graft_memory memory = {.in_use = 0};
    assert_int_equal(graft_memory_stats(g, &memory), GRAFT_OK);
    return memory.in_use;
}
