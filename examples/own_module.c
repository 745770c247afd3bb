/* A module of one's own with a parameter, a buffer, plain fields and memory of its own, and what
 * becomes of each when it is cloned. Exits with 0 if all came out as promised. */
#include <graft/graft.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    graft_module base;
    graft_tensor *scale; /* a parameter */
    graft_tensor *calls; /* a buffer: how often forward was called */
    double offset;       /* a plain field: copied with the struct */
    char *label;         /* memory of its own: needs the hooks */
} scaled;

static graft_tensor *scaled_forward(graft_module *self, graft_tensor *x)
{
    scaled *m = (scaled *)self;
    graft_add_scalar_(m->calls, 1);
    return graft_add_scalar(graft_mul(x, m->scale), m->offset);
}

static graft_status scaled_clone(graft_module *copy, const graft_module *source)
{
    scaled *to = (scaled *)copy;
    const scaled *from = (const scaled *)source;
    to->label = strdup(from->label); /* or both would free the same string */
    return to->label ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

static void scaled_free(graft_module *self)
{
    free(((scaled *)self)->label);
}

static const graft_module_class scaled_class = {
    .name = "Scaled",
    .size = sizeof(scaled),
    .forward = scaled_forward,
    .clone = scaled_clone,
    .free = scaled_free,
};

static graft_module *scaled_new(graft_ctx *g, int64_t features, double offset, const char *label)
{
    scaled *m = graft_module_new(g, &scaled_class);
    if (!m)
        return NULL;
    graft_parameter(&m->base, "scale", &m->scale, graft_ones(g, graft_shape1(features), GRAFT_F32));
    graft_buffer(&m->base, "calls", &m->calls, graft_zeros(g, graft_shape0(), GRAFT_F32), true);
    m->offset = offset;
    m->label = strdup(label);
    if (!m->label) {
        graft_module_free(&m->base);
        return NULL;
    }
    return &m->base;
}

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    graft_module *a = scaled_new(g, 3, 0.5, "first");
    if (!a)
        return 1;
    graft_tensor *x = graft_ones(g, graft_shape2(2, 3), GRAFT_F32);
    graft_forward(a, x);

    graft_module *b = graft_clone(a, NULL, NULL);
    if (!b)
        return 1;
    scaled *sa = (scaled *)a, *sb = (scaled *)b;
    graft_no_grad_begin(g);
    graft_fill_(sb->scale, 2); /* through the field: it holds the copy's parameter */
    graft_no_grad_end(g);
    graft_forward(b, x);

    bool ok = sb->offset == 0.5 && sb->label != sa->label && strcmp(sb->label, "first") == 0;
    ok = ok && graft_item(graft_sum(sa->scale)) == 3 && graft_item(graft_sum(sb->scale)) == 6;
    ok = ok && graft_item(sa->calls) == 1 && graft_item(sb->calls) == 2;
    ok = ok && graft_item(graft_max(graft_forward(b, x))) == 2.5;
    graft_module_print(b, stdout);
    if (graft_error(g))
        printf("%s\n", graft_error(g));
    ok = ok && !graft_error(g);
    graft_close(g);
    return ok ? 0 : 1;
}
